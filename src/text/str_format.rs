//! The format strings of `str.format`: literal pieces, fields, and the parts of a field's name.

use std::ops::Range;

use super::unicode;
use super::view::TextView;

/// A piece of a format string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// What stands there, to be copied; of a doubled brace one.
    Literal(Range<usize>),
    /// `{name!conversion:spec}`.
    Field {
        /// Where the name stands.
        name: Range<usize>,
        /// `r`, `s`, `a`, or anything else.
        conversion: Option<u32>,
        /// Where the specification stands.
        spec: Range<usize>,
        /// Whether there are fields in the specification.
        nested: bool,
    },
}

/// What is wrong with a format string; raised as `ValueError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormatStringError {
    /// A `}` that closes nothing.
    #[error("Single '}}' encountered in format string")]
    SingleClose,
    /// A `{` at the end.
    #[error("Single '{{' encountered in format string")]
    SingleOpen,
    /// A field without its end.
    #[error("expected '}}' before end of string")]
    Unclosed,
    /// A field within a field's name.
    #[error("unexpected '{{' in field name")]
    OpenInName,
    /// Nothing after the `!`.
    #[error("end of string while looking for conversion specifier")]
    NoConversion,
    /// More than a character after the `!`.
    #[error("expected ':' after conversion specifier")]
    ColonExpected,
    /// A specification without its end.
    #[error("unmatched '{{' in format spec")]
    UnmatchedInSpec,
    /// An attribute or item without a name.
    #[error("Empty attribute in format string")]
    EmptyAttribute,
    /// An item without its end.
    #[error("Missing ']' in format string")]
    MissingBracket,
    /// Something else after an item.
    #[error("Only '.' or '[' may follow ']' in format field specifier")]
    AfterBracket,
    /// An index that no machine word holds.
    #[error("Too many decimal digits in format string")]
    TooManyDigits,
    /// `{}` after `{0}`.
    #[error("cannot switch from manual field specification to automatic field numbering")]
    ManualToAutomatic,
    /// `{0}` after `{}`.
    #[error("cannot switch from automatic field numbering to manual field specification")]
    AutomaticToManual,
    /// Fields in specifications of fields in specifications.
    #[error("Max string recursion exceeded")]
    TooDeep,
}

/// "Unknown conversion specifier …", a `ValueError`.
pub(crate) fn unknown_conversion(conversion: u32) -> String {
    match conversion {
        0x21..=0x7E => format!("Unknown conversion specifier {}", char::from(conversion as u8)),
        _ => format!("Unknown conversion specifier \\x{conversion:x}"),
    }
}

/// The pieces of a format string in order.
pub(crate) struct Pieces<'a> {
    view: TextView<'a>,
    at: usize,
    /// Where the field begins that follows the literal given last.
    field: bool,
}

const OPEN: u32 = 0x7B;
const CLOSE: u32 = 0x7D;

impl<'a> Pieces<'a> {
    /// Reads a format string.
    pub(crate) fn new(view: TextView<'a>) -> Self {
        Self { view, at: 0, field: false }
    }

    fn take(&mut self) -> Option<u32> {
        let code = self.view.get(self.at)?;
        self.at += 1;
        Some(code)
    }

    fn literal(&mut self) -> Result<Option<Piece>, FormatStringError> {
        let start = self.at;
        let rest = self.view.slice(start, self.view.len());
        let Some(brace) = rest.codes().position(|code| code == OPEN || code == CLOSE) else {
            self.at = self.view.len();
            return Ok((!rest.is_empty()).then_some(Piece::Literal(start..self.at)));
        };
        let at = start + brace;
        let code = self.view.at(at);
        let next = self.view.get(at + 1);
        if next == Some(code) {
            self.at = at + 2;
            return Ok(Some(Piece::Literal(start..at + 1)));
        }
        if code == CLOSE {
            return Err(FormatStringError::SingleClose);
        }
        if next.is_none() {
            return Err(FormatStringError::SingleOpen);
        }
        self.at = at + 1;
        self.field = true;
        Ok((brace > 0).then_some(Piece::Literal(start..at)))
    }

    /// What stands after the `{` at `self.at - 1`.
    fn field(&mut self) -> Result<Piece, FormatStringError> {
        let start = self.at;
        let end = loop {
            match self.take().map(|code| char::from_u32(code).unwrap_or('\u{FFFD}')) {
                None => return Err(FormatStringError::Unclosed),
                Some('{') => return Err(FormatStringError::OpenInName),
                Some('[') => {
                    while self.view.get(self.at).is_some_and(|code| code != u32::from(']')) {
                        self.at += 1;
                    }
                }
                Some(end @ ('}' | ':' | '!')) => break end,
                Some(_) => {}
            }
        };
        let name = start..self.at - 1;
        let done = |conversion, at: usize| Piece::Field { name: name.clone(), conversion, spec: at..at, nested: false };
        let mut conversion = None;
        match end {
            '}' => return Ok(done(None, self.at - 1)),
            '!' => {
                conversion = Some(self.take().ok_or(FormatStringError::NoConversion)?);
                match self.take() {
                    Some(CLOSE) => return Ok(done(conversion, self.at - 1)),
                    Some(0x3A) => {}
                    Some(_) => return Err(FormatStringError::ColonExpected),
                    None => return Err(FormatStringError::UnmatchedInSpec),
                }
            }
            _ => {}
        }
        let spec = self.at;
        let mut depth = 1;
        let mut nested = false;
        while let Some(code) = self.take() {
            match code {
                OPEN => {
                    nested = true;
                    depth += 1;
                }
                CLOSE => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(Piece::Field { name, conversion, spec: spec..self.at - 1, nested });
            }
        }
        Err(FormatStringError::UnmatchedInSpec)
    }
}

impl Iterator for Pieces<'_> {
    type Item = Result<Piece, FormatStringError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut piece = Ok(None);
        if !self.field {
            piece = self.literal();
        }
        if self.field && matches!(piece, Ok(None)) {
            self.field = false;
            piece = self.field().map(Some);
        }
        if piece.is_err() {
            self.at = self.view.len();
            self.field = false;
        }
        piece.transpose()
    }
}

/// The first part of a field's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum First {
    /// Nothing: the next positional argument.
    Automatic,
    /// A positional argument.
    Index(usize),
    /// A keyword argument.
    Name(Range<usize>),
}

/// What follows the first part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Accessor {
    /// `.name`
    Attribute(Range<usize>),
    /// `[number]`
    Index(usize),
    /// `[anything else]`
    Key(Range<usize>),
}

/// Digits only, as a number; `None` for anything else.
fn integer(view: TextView<'_>) -> Result<Option<usize>, FormatStringError> {
    if view.is_empty() {
        return Ok(None);
    }
    let mut value: usize = 0;
    for code in view.codes() {
        let Some(digit) = unicode::decimal_value(code) else { return Ok(None) };
        let next = value.checked_mul(10).and_then(|value| value.checked_add(usize::from(digit)));
        value = next.filter(|&value| isize::try_from(value).is_ok()).ok_or(FormatStringError::TooManyDigits)?;
    }
    Ok(Some(value))
}

/// The parts of a field's name. Ranges count from the beginning of `name`.
pub(crate) fn split_name(name: TextView<'_>) -> Result<(First, Accessors<'_>), FormatStringError> {
    let end = name.codes().position(|code| code == 0x2E || code == 0x5B).unwrap_or(name.len());
    let first = match integer(name.slice(0, end))? {
        Some(index) => First::Index(index),
        None if end == 0 => First::Automatic,
        None => First::Name(0..end),
    };
    Ok((first, Accessors { name, at: end }))
}

/// The attributes and items of a field's name in order.
pub(crate) struct Accessors<'a> {
    name: TextView<'a>,
    at: usize,
}

impl Accessors<'_> {
    fn accessor(&mut self, opening: u32) -> Result<Accessor, FormatStringError> {
        let start = self.at + 1;
        let rest = self.name.slice(start, self.name.len());
        match opening {
            0x2E => {
                let len = rest.codes().position(|code| code == 0x2E || code == 0x5B).unwrap_or(rest.len());
                self.at = start + len;
                if len == 0 { Err(FormatStringError::EmptyAttribute) } else { Ok(Accessor::Attribute(start..self.at)) }
            }
            0x5B => {
                let len = rest.codes().position(|code| code == 0x5D).ok_or(FormatStringError::MissingBracket)?;
                self.at = start + len + 1;
                match integer(rest.slice(0, len))? {
                    Some(index) => Ok(Accessor::Index(index)),
                    None if len == 0 => Err(FormatStringError::EmptyAttribute),
                    None => Ok(Accessor::Key(start..start + len)),
                }
            }
            _ => Err(FormatStringError::AfterBracket),
        }
    }
}

impl Iterator for Accessors<'_> {
    type Item = Result<Accessor, FormatStringError>;

    fn next(&mut self) -> Option<Self::Item> {
        let accessor = self.accessor(self.name.get(self.at)?);
        if accessor.is_err() {
            self.at = self.name.len();
        }
        Some(accessor)
    }
}

/// Numbers fields without a number, and refuses a mixture.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Numbering {
    automatic: Option<bool>,
    next: usize,
}

impl Numbering {
    /// The field's first part with its number.
    pub(crate) fn number(&mut self, first: First) -> Result<First, FormatStringError> {
        let automatic = match first {
            First::Automatic => true,
            First::Index(_) => false,
            First::Name(_) => return Ok(first),
        };
        match (self.automatic.replace(automatic), automatic) {
            (Some(false), true) => return Err(FormatStringError::ManualToAutomatic),
            (Some(true), false) => return Err(FormatStringError::AutomaticToManual),
            _ => {}
        }
        if !automatic {
            return Ok(first);
        }
        self.next += 1;
        Ok(First::Index(self.next - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::Text;
    use super::*;

    fn shown(format: &str) -> String {
        let text = Text::from(format);
        let cut = |range: Range<usize>| text.slice(range.start, range.end).to_string();
        let mut out = Vec::new();
        for piece in Pieces::new(text.view()) {
            match piece {
                Ok(Piece::Literal(range)) => out.push(format!("'{}'", cut(range))),
                Ok(Piece::Field { name, conversion, spec, nested }) => {
                    let conversion = conversion.and_then(char::from_u32).map_or(String::new(), String::from);
                    let (name, spec, nested) = (cut(name), cut(spec), u8::from(nested));
                    out.push(format!("<{name}|{conversion}|{spec}|{nested}>"));
                }
                Err(error) => out.push(error.to_string()),
            }
        }
        out.concat()
    }

    #[test]
    fn format_strings_are_taken_apart() {
        assert_eq!(shown("a{{b}}c{x.y[0]!r:>{w}}d"), "'a{''b}''c'<x.y[0]|r|>{w}|1>'d'");
        assert_eq!(shown("{}{}"), "<|||0><|||0>");
        assert_eq!(shown("{a[}!:]}"), "<a[}!:]|||0>");
        assert_eq!(shown(""), "");
    }

    #[test]
    fn broken_format_strings_say_what_is_missing() {
        assert_eq!(shown("}"), "Single '}' encountered in format string");
        assert_eq!(shown("a{"), "Single '{' encountered in format string");
        assert_eq!(shown("{a"), "expected '}' before end of string");
        assert_eq!(shown("{a{"), "unexpected '{' in field name");
        assert_eq!(shown("{!"), "end of string while looking for conversion specifier");
        assert_eq!(shown("{!r"), "unmatched '{' in format spec");
        assert_eq!(shown("{!rs}"), "expected ':' after conversion specifier");
        assert_eq!(shown("{:{}"), "unmatched '{' in format spec");
    }

    #[test]
    fn names_have_attributes_and_items() {
        let split = |name: &str| {
            let text = Text::from(name);
            let (first, rest) = split_name(text.view())?;
            Ok::<_, FormatStringError>((first, rest.collect::<Result<Vec<_>, _>>()?))
        };
        assert_eq!(split("0.a[1][b]"), Ok((First::Index(0), vec![Accessor::Attribute(2..3), Accessor::Index(1), Accessor::Key(7..8)])));
        assert_eq!(split(""), Ok((First::Automatic, vec![])));
        assert_eq!(split("a."), Err(FormatStringError::EmptyAttribute));
        assert_eq!(split("a[]"), Err(FormatStringError::EmptyAttribute));
        assert_eq!(split("a[1"), Err(FormatStringError::MissingBracket));
        assert_eq!(split("a[1]b"), Err(FormatStringError::AfterBracket));
        assert_eq!(split("99999999999999999999"), Err(FormatStringError::TooManyDigits));
    }

    #[test]
    fn numbering_is_automatic_or_manual() {
        let mut numbering = Numbering::default();
        assert_eq!(numbering.number(First::Automatic), Ok(First::Index(0)));
        assert_eq!(numbering.number(First::Automatic), Ok(First::Index(1)));
        assert_eq!(numbering.number(First::Index(0)), Err(FormatStringError::AutomaticToManual));
    }
}
