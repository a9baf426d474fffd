//! A borrowed look at text of one width, and the trait that lets algorithms be written once for all widths.

use std::cmp::Ordering;
use std::fmt;
use std::hash::Hash;

use super::text::Text;

/// One stored code point: `u8` (ASCII text, and bytes), `u16` or `u32`.
pub(crate) trait Unit: Copy + Eq + Ord + Hash + Into<u32> + fmt::Debug + 'static {
    /// The largest code point this width holds in text; a `u8` holds ASCII there.
    const MAX: u32;

    /// The unit for a code point, `None` when it does not fit in the type.
    fn from_code(code: u32) -> Option<Self>;

    /// The code point.
    #[inline]
    fn code(self) -> u32 {
        self.into()
    }

    /// These units as text of this width; not necessarily the narrowest.
    fn view(units: &[Self]) -> TextView<'_>;
}

impl Unit for u8 {
    const MAX: u32 = 0x7F;

    #[inline]
    fn from_code(code: u32) -> Option<Self> {
        u8::try_from(code).ok()
    }

    #[inline]
    fn view(units: &[Self]) -> TextView<'_> {
        TextView::Ascii(units)
    }
}

impl Unit for u16 {
    const MAX: u32 = 0xFFFF;

    #[inline]
    fn from_code(code: u32) -> Option<Self> {
        u16::try_from(code).ok()
    }

    #[inline]
    fn view(units: &[Self]) -> TextView<'_> {
        TextView::Ucs2(units)
    }
}

impl Unit for u32 {
    const MAX: u32 = 0x0010_FFFF;

    #[inline]
    fn from_code(code: u32) -> Option<Self> {
        Some(code)
    }

    #[inline]
    fn view(units: &[Self]) -> TextView<'_> {
        TextView::Ucs4(units)
    }
}

/// Text as its units. The view of a whole [`Text`] has the narrowest width that fits; a slice of one keeps the
/// width of what it was cut from.
#[derive(Clone, Copy)]
pub(crate) enum TextView<'a> {
    /// Code points below 0x80 only.
    Ascii(&'a [u8]),
    /// Code points below 0x10000, lone surrogates included.
    Ucs2(&'a [u16]),
    /// Any code points.
    Ucs4(&'a [u32]),
}

/// Runs one expression for whichever width a view has: `with_units!(view, |units| units.len())`.
macro_rules! with_units {
    ($view:expr, |$units:ident| $body:expr) => {
        match $view {
            $crate::text::view::TextView::Ascii($units) => $body,
            $crate::text::view::TextView::Ucs2($units) => $body,
            $crate::text::view::TextView::Ucs4($units) => $body,
        }
    };
}
pub(crate) use with_units;

impl<'a> TextView<'a> {
    /// How many code points.
    #[inline]
    pub(crate) fn len(self) -> usize {
        with_units!(self, |units| units.len())
    }

    /// Whether there is nothing in it.
    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The code point at `index`; panics past the end.
    #[inline]
    pub(crate) fn at(self, index: usize) -> u32 {
        with_units!(self, |units| units[index].code())
    }

    /// The code point at `index`, if there is one.
    #[inline]
    pub(crate) fn get(self, index: usize) -> Option<u32> {
        with_units!(self, |units| units.get(index).map(|unit| unit.code()))
    }

    /// The code points `start..end`; both are cut to the length.
    #[inline]
    pub(crate) fn slice(self, start: usize, end: usize) -> TextView<'a> {
        let end = end.min(self.len());
        let start = start.min(end);
        match self {
            Self::Ascii(units) => Self::Ascii(&units[start..end]),
            Self::Ucs2(units) => Self::Ucs2(&units[start..end]),
            Self::Ucs4(units) => Self::Ucs4(&units[start..end]),
        }
    }

    /// The code points in order.
    #[inline]
    pub(crate) fn codes(self) -> Codes<'a> {
        Codes { view: self, front: 0, back: self.len() }
    }

    /// A string of its own, of the narrowest width.
    #[inline]
    pub(crate) fn to_text(self) -> Text {
        Text::from_view(self)
    }

    /// Bytes of one unit: 1, 2 or 4.
    #[inline]
    pub(crate) fn width(self) -> usize {
        match self {
            Self::Ascii(_) => 1,
            Self::Ucs2(_) => 2,
            Self::Ucs4(_) => 4,
        }
    }

    /// The text as UTF-8 when its width is ASCII's.
    #[inline]
    pub(crate) fn as_ascii(self) -> Option<&'a str> {
        match self {
            Self::Ascii(units) => str::from_utf8(units).ok(),
            _ => None,
        }
    }

    /// Whether the text equals this UTF-8.
    pub(crate) fn equals_str(self, other: &str) -> bool {
        match self {
            Self::Ascii(units) => units == other.as_bytes(),
            _ => self.codes().eq(other.chars().map(u32::from)),
        }
    }
}

impl<'a> From<&'a Text> for TextView<'a> {
    fn from(text: &'a Text) -> Self {
        text.view()
    }
}

impl PartialEq for TextView<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (*self, *other) {
            (Self::Ascii(left), Self::Ascii(right)) => left == right,
            (Self::Ucs2(left), Self::Ucs2(right)) => left == right,
            (Self::Ucs4(left), Self::Ucs4(right)) => left == right,
            (left, right) => left.len() == right.len() && left.codes().eq(right.codes()),
        }
    }
}

impl Eq for TextView<'_> {}

impl Ord for TextView<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (*self, *other) {
            (Self::Ascii(left), Self::Ascii(right)) => left.cmp(right),
            (Self::Ucs2(left), Self::Ucs2(right)) => left.cmp(right),
            (Self::Ucs4(left), Self::Ucs4(right)) => left.cmp(right),
            (left, right) => left.codes().cmp(right.codes()),
        }
    }
}

impl PartialOrd for TextView<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Shows lone surrogates as U+FFFD.
impl fmt::Display for TextView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        match self.as_ascii() {
            Some(ascii) => f.write_str(ascii),
            None => self.codes().try_for_each(|code| f.write_char(char::from_u32(code).unwrap_or('\u{FFFD}'))),
        }
    }
}

impl fmt::Debug for TextView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

/// The code points of a view, from both ends.
#[derive(Clone)]
pub(crate) struct Codes<'a> {
    view: TextView<'a>,
    front: usize,
    back: usize,
}

impl Iterator for Codes<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        if self.front >= self.back {
            return None;
        }
        self.front += 1;
        Some(self.view.at(self.front - 1))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.back - self.front;
        (left, Some(left))
    }

    fn fold<B, F: FnMut(B, u32) -> B>(self, init: B, mut f: F) -> B {
        with_units!(self.view, |units| units[self.front..self.back].iter().fold(init, |acc, unit| f(acc, unit.code())))
    }
}

impl DoubleEndedIterator for Codes<'_> {
    fn next_back(&mut self) -> Option<u32> {
        if self.front >= self.back {
            return None;
        }
        self.back -= 1;
        Some(self.view.at(self.back))
    }
}

impl ExactSizeIterator for Codes<'_> {}
