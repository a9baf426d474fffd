//! The mini-language of `format()`: parsing a specification, and laying out text and digits by it.

use super::builder::TextBuilder;
use super::pad::padded;
use super::text::{Text, TextTooLarge};
use super::unicode;
use super::view::TextView;

/// Why something cannot be formatted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FormatError {
    /// A `ValueError` with this message.
    Value(Text),
    /// An `OverflowError` with this message.
    Overflow(&'static str),
    /// A `MemoryError`.
    TooLarge,
}

impl From<TextTooLarge> for FormatError {
    fn from(_: TextTooLarge) -> Self {
        Self::TooLarge
    }
}

fn wrong<T>(message: impl AsRef<str>) -> Result<T, FormatError> {
    Err(FormatError::Value(Text::from(message.as_ref())))
}

/// `[[fill]align][sign][z][#][0][width][,_][.precision][type]`, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FormatSpec {
    /// What fills the field up.
    pub(crate) fill: u32,
    /// Where the value stands in its field.
    pub(crate) align: Align,
    /// Whether the alignment was written, or followed from a leading 0.
    pub(crate) align_given: bool,
    /// `+`, `-` or space.
    pub(crate) sign: Option<Sign>,
    /// `z`: no negative zero.
    pub(crate) no_negative_zero: bool,
    /// `#`.
    pub(crate) alternate: bool,
    /// The least width.
    pub(crate) width: Option<usize>,
    /// `,` or `_`.
    pub(crate) grouping: Option<Grouping>,
    /// What stands after the point.
    pub(crate) precision: Option<usize>,
    /// The type's character; the default that [`parse`] was given when none was written, 0 for "none".
    pub(crate) kind: u32,
}

/// Where a value stands in its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// `<`
    Left,
    /// `>`
    Right,
    /// `^`
    Center,
    /// `=`: the filling goes between sign and digits.
    AfterSign,
}

/// How to show the sign of a number that is not negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// `+`
    Plus,
    /// `-`: not at all.
    Minus,
    /// A space.
    Space,
}

/// What stands between groups of digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grouping {
    /// `,`
    Comma,
    /// `_`
    Underscore,
}

impl Grouping {
    fn char(self) -> char {
        match self {
            Self::Comma => ',',
            Self::Underscore => '_',
        }
    }
}

fn align_of(code: u32) -> Option<Align> {
    match char::from_u32(code)? {
        '<' => Some(Align::Left),
        '>' => Some(Align::Right),
        '^' => Some(Align::Center),
        '=' => Some(Align::AfterSign),
        _ => None,
    }
}

/// Digits at `at` as a number: its value and the place after it; `None` in place of a value when there are none.
fn number(view: TextView<'_>, mut at: usize) -> Result<(Option<usize>, usize), FormatError> {
    let mut value: Option<usize> = None;
    while let Some(digit) = view.get(at).and_then(unicode::decimal_value) {
        let next = value.unwrap_or(0).checked_mul(10).and_then(|value| value.checked_add(usize::from(digit)));
        value = match next.filter(|&value| isize::try_from(value).is_ok()) {
            None => return wrong("Too many decimal digits in format string"),
            some => some,
        };
        at += 1;
    }
    Ok((value, at))
}

/// Takes a specification apart. `kind` is the type when none is written (`s` of `str`, `d` of `int`, 0 of `float`),
/// `align` where a value stands by itself, `type_name` what messages call the value's type.
pub(crate) fn parse(spec: TextView<'_>, kind: u8, align: Align, type_name: &str) -> Result<FormatSpec, FormatError> {
    let mut parsed = FormatSpec {
        fill: u32::from(' '),
        align,
        align_given: false,
        sign: None,
        no_negative_zero: false,
        alternate: false,
        width: None,
        grouping: None,
        precision: None,
        kind: kind.into(),
    };
    let is = |at: usize, char: char| spec.get(at) == Some(u32::from(char));
    let mut at = 0;
    let mut fill_given = false;
    if let Some(align) = spec.get(1).and_then(align_of) {
        (parsed.fill, parsed.align, parsed.align_given) = (spec.at(0), align, true);
        fill_given = true;
        at = 2;
    } else if let Some(align) = spec.get(0).and_then(align_of) {
        (parsed.align, parsed.align_given) = (align, true);
        at = 1;
    }
    parsed.sign = match spec.get(at).and_then(char::from_u32) {
        Some('+') => Some(Sign::Plus),
        Some('-') => Some(Sign::Minus),
        Some(' ') => Some(Sign::Space),
        _ => None,
    };
    at += usize::from(parsed.sign.is_some());
    parsed.no_negative_zero = is(at, 'z');
    at += usize::from(parsed.no_negative_zero);
    parsed.alternate = is(at, '#');
    at += usize::from(parsed.alternate);
    if !fill_given && is(at, '0') {
        parsed.fill = u32::from('0');
        if !parsed.align_given && align == Align::Right {
            parsed.align = Align::AfterSign;
        }
        at += 1;
    }
    (parsed.width, at) = number(spec, at)?;
    if is(at, ',') {
        parsed.grouping = Some(Grouping::Comma);
        at += 1;
    }
    if is(at, '_') {
        if parsed.grouping.is_some() {
            return wrong("Cannot specify both ',' and '_'.");
        }
        parsed.grouping = Some(Grouping::Underscore);
        at += 1;
    }
    if is(at, ',') && parsed.grouping == Some(Grouping::Underscore) {
        return wrong("Cannot specify both ',' and '_'.");
    }
    if is(at, '.') {
        (parsed.precision, at) = number(spec, at + 1)?;
        if parsed.precision.is_none() {
            return wrong("Format specifier missing precision");
        }
    }
    match spec.len() - at {
        0 => {}
        1 => parsed.kind = spec.at(at),
        _ => {
            let mut message = TextBuilder::new();
            message.push_str("Invalid format specifier '");
            message.push_view(spec);
            message.push_str(&format!("' for object of type '{type_name}'"));
            return Err(FormatError::Value(message.finish()));
        }
    }
    if let Some(grouping) = parsed.grouping {
        let allowed = match char::from_u32(parsed.kind) {
            Some('d' | 'e' | 'f' | 'g' | 'E' | 'G' | '%' | 'F' | '\0') => true,
            Some('b' | 'o' | 'x' | 'X') => grouping == Grouping::Underscore,
            _ => false,
        };
        if !allowed {
            return wrong(format!("Cannot specify '{}' with '{}'.", grouping.char(), shown(parsed.kind)));
        }
    }
    Ok(parsed)
}

/// A character as these messages show it.
fn shown(code: u32) -> String {
    match code {
        0x21..=0x7F => char::from(code as u8).to_string(),
        _ => format!("\\x{code:x}"),
    }
}

/// How an integer is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IntFormat {
    /// In this base, with capital digits or not.
    Digits {
        /// 2, 8, 10 or 16.
        radix: u32,
        /// `X`.
        upper: bool,
    },
    /// As the character it is the code point of.
    Char,
    /// As a float.
    Float,
}

impl IntFormat {
    /// What `#` puts before the digits.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Digits { radix: 2, .. } => "0b",
            Self::Digits { radix: 8, .. } => "0o",
            Self::Digits { radix: 16, upper: false } => "0x",
            Self::Digits { radix: 16, upper: true } => "0X",
            _ => "",
        }
    }
}

/// What a number's text is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct NumberParts<'a> {
    /// Whether it has a minus sign.
    pub(crate) negative: bool,
    /// `0x` and the like.
    pub(crate) prefix: &'a str,
    /// The digits before the point, which may be grouped; empty for `inf` and `nan`.
    pub(crate) digits: &'a str,
    /// What follows: point, fraction, exponent, `%`; or `inf`.
    pub(crate) rest: &'a str,
}

impl<'a> NumberParts<'a> {
    /// Takes apart a float's text such as `-1.5e+20` or `inf`.
    pub(crate) fn of_float(text: &'a str) -> Self {
        let (negative, body) = match text.strip_prefix('-') {
            Some(body) => (true, body),
            None => (false, text),
        };
        let split = body.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(body.len());
        let (digits, rest) = body.split_at(split);
        Self { negative, prefix: "", digits, rest }
    }
}

impl FormatSpec {
    fn is_kind(&self, char: char) -> bool {
        self.kind == u32::from(char)
    }

    /// "Unknown format code …".
    pub(crate) fn unknown_kind(&self, type_name: &str) -> FormatError {
        FormatError::Value(Text::from(format!("Unknown format code '{}' for object of type '{type_name}'", shown(self.kind))))
    }

    /// How to show an integer.
    pub(crate) fn int_format(&self, type_name: &str) -> Result<IntFormat, FormatError> {
        let format = match char::from_u32(self.kind) {
            Some('d' | 'n') => IntFormat::Digits { radix: 10, upper: false },
            Some('b') => IntFormat::Digits { radix: 2, upper: false },
            Some('o') => IntFormat::Digits { radix: 8, upper: false },
            Some('x') => IntFormat::Digits { radix: 16, upper: false },
            Some('X') => IntFormat::Digits { radix: 16, upper: true },
            Some('c') => IntFormat::Char,
            Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%') => return Ok(IntFormat::Float),
            _ => return Err(self.unknown_kind(type_name)),
        };
        if self.precision.is_some() {
            return wrong("Precision not allowed in integer format specifier");
        }
        if self.no_negative_zero {
            return wrong("Negative zero coercion (z) not allowed in integer format specifier");
        }
        if format == IntFormat::Char && self.sign.is_some() {
            return wrong("Sign not allowed with integer format specifier 'c'");
        }
        if format == IntFormat::Char && self.alternate {
            return wrong("Alternate form (#) not allowed with integer format specifier 'c'");
        }
        Ok(format)
    }

    /// The type of a float: `e`, `E`, `f`, `F`, `g`, `G`, `n`, `%`, or 0 for what `repr` or a precision makes of it.
    pub(crate) fn float_kind(&self, type_name: &str) -> Result<u8, FormatError> {
        match char::from_u32(self.kind) {
            Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'n' | '%' | '\0') => Ok(self.kind as u8),
            _ => Err(self.unknown_kind(type_name)),
        }
    }

    /// As [`float_kind`](Self::float_kind), for a complex number, whose parts are laid out one by one.
    pub(crate) fn complex_kind(&self) -> Result<u8, FormatError> {
        if self.is_kind('%') {
            return Err(self.unknown_kind("complex"));
        }
        let kind = self.float_kind("complex")?;
        if self.fill == u32::from('0') {
            return wrong("Zero padding is not allowed in complex format specifier");
        }
        if self.align == Align::AfterSign {
            return wrong("'=' alignment flag is not allowed in complex format specifier");
        }
        Ok(kind)
    }

    /// Lays out text: the formatting of `str`.
    pub(crate) fn apply_str(&self, view: TextView<'_>, type_name: &str) -> Result<Text, FormatError> {
        if !self.is_kind('s') {
            return Err(self.unknown_kind(type_name));
        }
        match self.sign {
            Some(Sign::Space) => return wrong("Space not allowed in string format specifier"),
            Some(_) => return wrong("Sign not allowed in string format specifier"),
            None => {}
        }
        if self.no_negative_zero {
            return wrong("Negative zero coercion (z) not allowed in string format specifier");
        }
        if self.alternate {
            return wrong("Alternate form (#) not allowed in string format specifier");
        }
        if self.align == Align::AfterSign {
            return wrong("'=' alignment not allowed in string format specifier");
        }
        let cut = match self.precision {
            Some(precision) => view.slice(0, precision),
            None => view,
        };
        Ok(self.pad(cut)?)
    }

    /// Fills a text up to the width, without regard to signs.
    pub(crate) fn pad(&self, view: TextView<'_>) -> Result<Text, TextTooLarge> {
        let margin = self.width.unwrap_or(0).saturating_sub(view.len());
        let (left, right) = match self.align {
            Align::Left => (0, margin),
            Align::Right | Align::AfterSign => (margin, 0),
            Align::Center => (margin / 2, margin - margin / 2),
        };
        padded(view, left, right, self.fill)
    }

    /// The character with this code point: the formatting of an `int` as `c`.
    pub(crate) fn apply_char(&self, code: Option<u32>) -> Result<Text, FormatError> {
        match code.filter(|&code| code <= 0x10_FFFF) {
            Some(code) => Ok(self.pad(Text::from_code(code).view())?),
            None => Err(FormatError::Overflow("%c arg not in range(0x110000)")),
        }
    }

    /// What stands before a number that is not (or is) negative.
    fn sign_of(&self, negative: bool) -> &'static str {
        match self.sign {
            _ if negative => "-",
            Some(Sign::Plus) => "+",
            Some(Sign::Space) => " ",
            _ => "",
        }
    }

    /// Lays out a number. The prefix is the caller's to give, by `alternate`.
    pub(crate) fn apply_number(&self, parts: NumberParts<'_>) -> Result<Text, TextTooLarge> {
        let sign = self.sign_of(parts.negative);
        let around = sign.len() + parts.prefix.len() + parts.rest.len();
        let width = self.width.unwrap_or(0);
        let zeros_up_to = if self.fill == u32::from('0') && self.align == Align::AfterSign { width.saturating_sub(around) } else { 0 };
        let grouped = match self.grouping {
            Some(grouping) if !parts.digits.is_empty() => {
                let every = if matches!(char::from_u32(self.kind), Some('b' | 'o' | 'x' | 'X')) { 4 } else { 3 };
                Some(group(parts.digits, grouping.char(), every, zeros_up_to)?)
            }
            _ => None,
        };
        let digits = grouped.as_deref().unwrap_or(parts.digits);
        let margin = width.saturating_sub(around + digits.len());
        let (left, middle, right) = match self.align {
            Align::Left => (0, 0, margin),
            Align::Right => (margin, 0, 0),
            Align::Center => (margin / 2, 0, margin - margin / 2),
            Align::AfterSign => (0, margin, 0),
        };
        let mut out = TextBuilder::new();
        out.try_reserve(width.max(around + digits.len()))?;
        out.push_repeated(self.fill, left);
        out.push_str(sign);
        out.push_str(parts.prefix);
        out.push_repeated(self.fill, middle);
        out.push_str(digits);
        out.push_str(parts.rest);
        out.push_repeated(self.fill, right);
        Ok(out.finish())
    }
}

/// Puts a separator between groups of digits, with zeros in front until the whole is `width` long; a separator never
/// comes first, so it may get one longer.
pub(crate) fn group(digits: &str, separator: char, every: usize, width: usize) -> Result<String, TextTooLarge> {
    let mut reversed = Vec::new();
    reversed.try_reserve(width.max(digits.len() / every * (every + 1) + every))?;
    let mut digits = digits.bytes().rev().peekable();
    let mut in_group = 0;
    loop {
        // A group that was begun because of the width is filled only as far as the width asks.
        if digits.peek().is_none() && reversed.len() >= width {
            break;
        }
        if in_group == every {
            reversed.push(separator as u8);
            in_group = 0;
            if digits.peek().is_none() && reversed.len() > width {
                reversed.pop();
                break;
            }
        }
        reversed.push(digits.next().unwrap_or(b'0'));
        in_group += 1;
    }
    reversed.reverse();
    Ok(String::from_utf8(reversed).expect("digits and separators are ASCII"))
}

#[cfg(test)]
mod tests;
