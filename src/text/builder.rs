//! `TextBuilder`: makes a text piece by piece, widening when a character needs it.

use std::fmt;

use super::text::{MAX_LEN, Text, TextTooLarge};
use super::view::{TextView, Unit, with_units};

/// A text under construction, always in the narrowest width so far.
#[derive(Default)]
pub(crate) struct TextBuilder {
    buffer: Buffer,
}

/// The units, each list in the narrowest width that fits.
pub(super) enum Buffer {
    Ascii(Vec<u8>),
    Ucs2(Vec<u16>),
    Ucs4(Vec<u32>),
}

impl Default for Buffer {
    fn default() -> Self {
        Self::Ascii(Vec::new())
    }
}

impl TextBuilder {
    /// Bytes allocated.
    pub(crate) fn heap_size(&self) -> usize {
        match &self.buffer {
            Buffer::Ascii(units) => units.capacity(),
            Buffer::Ucs2(units) => units.capacity() * 2,
            Buffer::Ucs4(units) => units.capacity() * 4,
        }
    }

    /// Nothing yet.
    #[inline]
    pub(crate) const fn new() -> Self {
        Self { buffer: Buffer::Ascii(Vec::new()) }
    }

    /// Nothing yet, with room for this many ASCII characters.
    #[inline]
    pub(crate) fn with_capacity(len: usize) -> Self {
        Self { buffer: Buffer::Ascii(Vec::with_capacity(len)) }
    }

    /// How many code points so far.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether nothing was pushed.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was pushed so far.
    #[inline]
    pub(crate) fn view(&self) -> TextView<'_> {
        match &self.buffer {
            Buffer::Ascii(units) => TextView::Ascii(units),
            Buffer::Ucs2(units) => TextView::Ucs2(units),
            Buffer::Ucs4(units) => TextView::Ucs4(units),
        }
    }

    /// Room for `more` characters of the present width.
    pub(crate) fn try_reserve(&mut self, more: usize) -> Result<(), TextTooLarge> {
        if self.len().checked_add(more).is_none_or(|len| len > MAX_LEN) {
            return Err(TextTooLarge);
        }
        match &mut self.buffer {
            Buffer::Ascii(units) => units.try_reserve(more)?,
            Buffer::Ucs2(units) => units.try_reserve(more)?,
            Buffer::Ucs4(units) => units.try_reserve(more)?,
        }
        Ok(())
    }

    /// Appends one character.
    #[inline]
    pub(crate) fn push_char(&mut self, char: char) {
        self.push_code(u32::from(char));
    }

    /// Appends one code point, surrogates included; above 0x10FFFF it panics.
    #[inline]
    pub(crate) fn push_code(&mut self, code: u32) {
        match &mut self.buffer {
            Buffer::Ascii(units) if code < 0x80 => units.push(code as u8),
            Buffer::Ucs2(units) if code < 0x10000 => units.push(code as u16),
            Buffer::Ucs4(units) if code <= 0x0010_FFFF => units.push(code),
            _ => self.push_wider(code),
        }
    }

    #[cold]
    fn push_wider(&mut self, code: u32) {
        assert!(code <= 0x0010_FFFF, "a code point is at most 0x10FFFF");
        self.widen(code);
        self.push_code(code);
    }

    /// Makes the units wide enough for `code`, which must follow.
    fn widen(&mut self, code: u32) {
        fn wider<U: Copy + Into<W>, W>(units: &[U]) -> Vec<W> {
            let mut wide = Vec::with_capacity(units.len() + units.len() / 4 + 8);
            wide.extend(units.iter().map(|&unit| unit.into()));
            wide
        }
        match &self.buffer {
            Buffer::Ascii(units) if code >= 0x10000 => self.buffer = Buffer::Ucs4(wider(units)),
            Buffer::Ascii(units) if code >= 0x80 => self.buffer = Buffer::Ucs2(wider(units)),
            Buffer::Ucs2(units) if code >= 0x10000 => self.buffer = Buffer::Ucs4(wider(units)),
            _ => {}
        }
    }

    /// Appends UTF-8.
    pub(crate) fn push_str(&mut self, string: &str) {
        if let Buffer::Ascii(units) = &mut self.buffer {
            let ascii = string.bytes().position(|byte| byte >= 0x80).unwrap_or(string.len());
            units.extend_from_slice(&string.as_bytes()[..ascii]);
            string[ascii..].chars().for_each(|char| self.push_char(char));
        } else {
            string.chars().for_each(|char| self.push_char(char));
        }
    }

    /// Appends a text.
    #[inline]
    pub(crate) fn push_text(&mut self, text: &Text) {
        self.push_view(text.view());
    }

    /// Appends what a view shows.
    pub(crate) fn push_view(&mut self, view: TextView<'_>) {
        match (&mut self.buffer, view) {
            (Buffer::Ascii(units), TextView::Ascii(more)) => {
                assert!(more.is_ascii(), "bytes are not text");
                units.extend_from_slice(more);
            }
            (Buffer::Ucs2(units), TextView::Ascii(more)) => {
                units.extend(more.iter().map(|&unit| u16::from(unit)));
            }
            (Buffer::Ucs2(units), TextView::Ucs2(more)) => units.extend_from_slice(more),
            (Buffer::Ucs4(units), more) if more.width() < 4 => units.extend(more.codes()),
            (_, more) => {
                let largest = with_units!(more, |units| units.iter().map(|unit| unit.code()).max()).unwrap_or(0);
                self.widen(largest);
                self.try_reserve(more.len()).expect("memory for a copy");
                more.codes().for_each(|code| self.push_code(code));
            }
        }
    }

    /// Appends one code point `count` times.
    pub(crate) fn push_repeated(&mut self, code: u32, count: usize) {
        if count == 0 {
            return;
        }
        self.push_code(code);
        let len = self.len() + count - 1;
        match &mut self.buffer {
            Buffer::Ascii(units) => units.resize(len, code as u8),
            Buffer::Ucs2(units) => units.resize(len, code as u16),
            Buffer::Ucs4(units) => units.resize(len, code),
        }
    }

    /// The text.
    #[inline]
    pub(crate) fn finish(self) -> Text {
        Text::from_builder(self.buffer)
    }
}

impl fmt::Write for TextBuilder {
    fn write_str(&mut self, string: &str) -> fmt::Result {
        self.push_str(string);
        Ok(())
    }

    fn write_char(&mut self, char: char) -> fmt::Result {
        self.push_char(char);
        Ok(())
    }
}

impl Extend<u32> for TextBuilder {
    fn extend<I: IntoIterator<Item = u32>>(&mut self, codes: I) {
        codes.into_iter().for_each(|code| self.push_code(code));
    }
}
