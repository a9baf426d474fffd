//! The `%` operator of text and bytes: reading the format, and laying out what its fields ask for.

use std::ops::Range;

use super::builder::TextBuilder;
use super::format_spec::NumberParts;
use super::text::{Text, TextTooLarge};
use super::view::TextView;

/// A piece of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// What stands there, to be copied.
    Literal(Range<usize>),
    /// `%%`.
    Percent,
    /// What an argument fills.
    Field(Field),
}

/// A conversion such as `%(key)-5.2f`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the syntax")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// Where the key stands.
    pub(crate) key: Option<Range<usize>>,
    /// `-`
    pub(crate) left: bool,
    /// `+`
    pub(crate) plus: bool,
    /// A space.
    pub(crate) space: bool,
    /// `#`
    pub(crate) alternate: bool,
    /// `0`
    pub(crate) zero: bool,
    /// The least width.
    pub(crate) width: Count,
    /// What follows the point; 0 when nothing does.
    pub(crate) precision: Count,
    /// The conversion's character, known or not.
    pub(crate) conversion: u32,
    /// Where it stands.
    pub(crate) position: usize,
}

/// A width or precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    /// Not given.
    None,
    /// `*`: an argument says it.
    Argument,
    /// This many.
    Fixed(usize),
}

/// What is wrong with a format; raised as `ValueError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PercentError {
    /// The format ends within a field.
    #[error("incomplete format")]
    Incomplete,
    /// The format ends within a key.
    #[error("incomplete format key")]
    IncompleteKey,
    /// The width does not fit a machine word.
    #[error("width too big")]
    WidthTooBig,
    /// The precision does not fit a machine word.
    #[error("precision too big")]
    PrecisionTooBig,
}

/// The pieces of a format in order. Of `bytes` the view may be "ASCII" with any bytes: only positions come out.
pub(crate) struct Pieces<'a> {
    view: TextView<'a>,
    at: usize,
}

impl<'a> Pieces<'a> {
    /// Reads a format.
    pub(crate) fn new(view: TextView<'a>) -> Self {
        Self { view, at: 0 }
    }

    fn peek(&self) -> Result<char, PercentError> {
        let code = self.view.get(self.at).ok_or(PercentError::Incomplete)?;
        Ok(char::from_u32(code).unwrap_or('\u{FFFD}'))
    }

    fn key(&mut self) -> Result<Option<Range<usize>>, PercentError> {
        if self.view.get(self.at) != Some(u32::from('(')) {
            return Ok(None);
        }
        let start = self.at + 1;
        let mut depth = 1;
        for at in start..self.view.len() {
            match self.view.at(at) {
                0x28 => depth += 1,
                0x29 => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                self.at = at + 1;
                return Ok(Some(start..at));
            }
        }
        Err(PercentError::IncompleteKey)
    }

    fn count(&mut self, too_big: PercentError) -> Result<Count, PercentError> {
        if self.view.get(self.at) == Some(u32::from('*')) {
            self.at += 1;
            return Ok(Count::Argument);
        }
        let mut count = Count::None;
        while let Some(digit) = self.view.get(self.at).and_then(char::from_u32).and_then(|char| char.to_digit(10)) {
            let so_far: usize = if let Count::Fixed(so_far) = count { so_far } else { 0 };
            let next = so_far.checked_mul(10).and_then(|count| count.checked_add(digit as usize));
            count = Count::Fixed(next.filter(|&count| isize::try_from(count).is_ok()).ok_or(too_big)?);
            self.at += 1;
        }
        Ok(count)
    }

    /// What stands after the `%` at `self.at - 1`.
    fn field(&mut self) -> Result<Piece, PercentError> {
        let mut field = Field {
            key: self.key()?,
            left: false,
            plus: false,
            space: false,
            alternate: false,
            zero: false,
            width: Count::None,
            precision: Count::None,
            conversion: 0,
            position: 0,
        };
        loop {
            match self.peek()? {
                '-' => field.left = true,
                '+' => field.plus = true,
                ' ' => field.space = true,
                '#' => field.alternate = true,
                '0' => field.zero = true,
                _ => break,
            }
            self.at += 1;
        }
        field.width = self.count(PercentError::WidthTooBig)?;
        if self.peek()? == '.' {
            self.at += 1;
            field.precision = match self.count(PercentError::PrecisionTooBig)? {
                Count::None => Count::Fixed(0),
                count => count,
            };
        }
        if matches!(self.peek()?, 'h' | 'l' | 'L') {
            self.at += 1;
        }
        self.peek()?;
        field.conversion = self.view.at(self.at);
        field.position = self.at;
        self.at += 1;
        Ok(Piece::Field(field))
    }
}

impl Iterator for Pieces<'_> {
    type Item = Result<Piece, PercentError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let rest = self.view.slice(start, self.view.len());
        if rest.is_empty() {
            return None;
        }
        let literal = rest.codes().position(|code| code == u32::from('%')).unwrap_or(rest.len());
        if literal > 0 {
            self.at += literal;
            return Some(Ok(Piece::Literal(start..self.at)));
        }
        self.at += 1;
        if self.view.get(self.at) == Some(u32::from('%')) {
            self.at += 1;
            return Some(Ok(Piece::Percent));
        }
        let piece = self.field();
        if piece.is_err() {
            self.at = self.view.len();
        }
        Some(piece)
    }
}

impl Field {
    /// "unsupported format character …", a `ValueError`. Printable ASCII is shown, the rest as `?`.
    pub(crate) fn unsupported(&self) -> Text {
        let shown = match self.conversion {
            code @ 0x20..=0x7E => char::from(code as u8),
            _ => '?',
        };
        Text::from(format!("unsupported format character '{shown}' ({:#x}) at index {}", self.conversion, self.position))
    }

    /// Lays out text of `s`, `r`, `a` or `c`, which a precision cuts (not for `c`).
    pub(crate) fn text(&self, out: &mut TextBuilder, view: TextView<'_>, size: Size) -> Result<(), TextTooLarge> {
        let view = match size.precision {
            Some(precision) if self.conversion != u32::from('c') => view.slice(0, precision),
            _ => view,
        };
        let margin = size.width.saturating_sub(view.len());
        let left = self.left || size.left;
        out.try_reserve(margin + view.len())?;
        out.push_repeated(u32::from(' '), if left { 0 } else { margin });
        out.push_view(view);
        out.push_repeated(u32::from(' '), if left { margin } else { 0 });
        Ok(())
    }

    /// Lays out a number; for integers a precision is the least number of digits, and the caller gives the prefix.
    pub(crate) fn number(&self, out: &mut TextBuilder, parts: NumberParts<'_>, size: Size, is_int: bool) -> Result<(), TextTooLarge> {
        let sign = match parts.negative {
            true => "-",
            false if self.plus => "+",
            false if self.space => " ",
            false => "",
        };
        let least = if is_int { size.precision.unwrap_or(0) } else { 0 };
        let zeros = least.saturating_sub(parts.digits.len());
        let len = zeros.checked_add(sign.len() + parts.prefix.len() + parts.digits.len() + parts.rest.len()).ok_or(TextTooLarge)?;
        let margin = size.width.saturating_sub(len);
        let left = self.left || size.left;
        let (before, middle, after) = match (left, self.zero) {
            (true, _) => (0, 0, margin),
            (false, true) => (0, margin, 0),
            (false, false) => (margin, 0, 0),
        };
        out.try_reserve(len.checked_add(margin).ok_or(TextTooLarge)?)?;
        out.push_repeated(u32::from(' '), before);
        out.push_str(sign);
        out.push_str(parts.prefix);
        out.push_repeated(u32::from('0'), middle + zeros);
        out.push_str(parts.digits);
        out.push_str(parts.rest);
        out.push_repeated(u32::from(' '), after);
        Ok(())
    }
}

/// Width and precision once their arguments are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// The least width.
    pub(crate) width: usize,
    /// Whether a negative width asked for the left.
    pub(crate) left: bool,
    /// The precision.
    pub(crate) precision: Option<usize>,
}

impl Size {
    /// Takes the counts of a field; the arguments of `*` come from the caller: a negative width means left, a
    /// negative precision 0.
    pub(crate) fn new(width: Option<isize>, precision: Option<isize>) -> Self {
        let width = width.unwrap_or(0);
        Self { width: width.unsigned_abs(), left: width < 0, precision: precision.map(|precision| usize::try_from(precision).unwrap_or(0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(format: &str) -> Result<Vec<Piece>, PercentError> {
        Pieces::new(Text::from(format).view()).collect()
    }

    #[test]
    fn formats_are_taken_apart() {
        let all = pieces("a%%b%(k(e)y)-+ #05.*lfz").unwrap();
        assert_eq!(all[..3], [Piece::Literal(0..1), Piece::Percent, Piece::Literal(3..4)]);
        let Piece::Field(field) = &all[3] else { panic!("a field") };
        assert_eq!(field.key, Some(6..11));
        assert!(field.left && field.plus && field.space && field.alternate && field.zero);
        assert_eq!((field.width, field.precision), (Count::Fixed(5), Count::Argument));
        assert_eq!((field.conversion, field.position), (u32::from('f'), 21));
        assert_eq!(all[4], Piece::Literal(22..23));
    }

    #[test]
    fn broken_formats_say_what_is_missing() {
        assert_eq!(pieces("%"), Err(PercentError::Incomplete));
        assert_eq!(pieces("%(a"), Err(PercentError::IncompleteKey));
        assert_eq!(pieces("%5."), Err(PercentError::Incomplete));
        assert_eq!(pieces("%99999999999999999999d"), Err(PercentError::WidthTooBig));
        assert_eq!(pieces("%.99999999999999999999d"), Err(PercentError::PrecisionTooBig));
        let Piece::Field(field) = &pieces("x%é").unwrap()[1] else { panic!("a field") };
        assert_eq!(field.unsupported(), "unsupported format character '?' (0xe9) at index 2");
    }

    #[test]
    fn numbers_and_text_fill_their_fields() {
        let lay = |format: &str, negative: bool, digits: &str, size: Size| {
            let Piece::Field(field) = &pieces(format).unwrap()[0] else { panic!("a field") };
            let mut out = TextBuilder::new();
            let parts = NumberParts { negative, prefix: if field.alternate { "0x" } else { "" }, digits, rest: "" };
            field.number(&mut out, parts, size, true).unwrap();
            out.finish().to_string()
        };
        let size = |width, precision| Size::new(Some(width), precision);
        assert_eq!(lay("%#x", false, "ff", size(8, None)), "    0xff");
        assert_eq!(lay("%#0x", true, "ff", size(8, None)), "-0x000ff");
        assert_eq!(lay("%+d", false, "7", size(8, Some(3))), "    +007");
        assert_eq!(lay("%d", false, "7", size(-4, None)), "7   ");
        assert_eq!(lay("% d", false, "7", size(0, None)), " 7");
    }
}
