//! Filling text up: center, ljust, rjust, zfill, expandtabs; for text and, as units, for bytes.

use super::builder::TextBuilder;
use super::pace;
use super::text::{MAX_LEN, Text, TextTooLarge};
use super::view::{TextView, Unit};

/// Where a text stands in its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Justify {
    /// `ljust`.
    Left,
    /// `rjust`.
    Right,
    /// `center`.
    Center,
}

impl Justify {
    /// How much to fill on the left and on the right; `None` when the text fills its field.
    pub(crate) fn margins(self, len: usize, width: usize) -> Option<(usize, usize)> {
        let margin = width.checked_sub(len).filter(|&margin| margin > 0)?;
        Some(match self {
            Self::Left => (0, margin),
            Self::Right => (margin, 0),
            Self::Center => {
                let left = margin / 2 + (margin & width & 1);
                (left, margin - left)
            }
        })
    }
}

/// `center`, `ljust` and `rjust`; `None` when nothing changes.
pub(crate) fn justify(view: TextView<'_>, justify: Justify, width: usize, fill: u32) -> Result<Option<Text>, TextTooLarge> {
    let Some((left, right)) = justify.margins(view.len(), width) else { return Ok(None) };
    padded(view, left, right, fill).map(Some)
}

/// The text with margins.
pub(crate) fn padded(view: TextView<'_>, left: usize, right: usize, fill: u32) -> Result<Text, TextTooLarge> {
    let mut out = TextBuilder::new();
    let len = left.checked_add(right).and_then(|margin| margin.checked_add(view.len())).ok_or(TextTooLarge)?;
    out.try_reserve(len)?;
    out.push_repeated(fill, left);
    out.push_view(view);
    if right > 0 && u64::from(fill) > u64::from(max_of(out.view())) {
        // The fill is about to widen everything, so the room must be there in its width.
        len.checked_mul(4).filter(|&size| size <= MAX_LEN).ok_or(TextTooLarge)?;
    }
    out.push_repeated(fill, right);
    Ok(out.finish())
}

fn max_of(view: TextView<'_>) -> u32 {
    match view {
        TextView::Ascii(_) => u8::MAX.into(),
        TextView::Ucs2(_) => u16::MAX.into(),
        TextView::Ucs4(_) => <u32 as Unit>::MAX,
    }
}

/// `bytes.center`, `ljust` and `rjust`; `None` when nothing changes.
pub(crate) fn justify_bytes(bytes: &[u8], justify: Justify, width: usize, fill: u8) -> Result<Option<Vec<u8>>, TextTooLarge> {
    let Some((left, right)) = justify.margins(bytes.len(), width) else { return Ok(None) };
    let mut out = Vec::new();
    out.try_reserve_exact(width)?;
    out.resize(left, fill);
    out.extend_from_slice(bytes);
    out.resize(left + bytes.len() + right, fill);
    Ok(Some(out))
}

/// `str.zfill`: zeros after the sign; `None` when nothing changes.
pub(crate) fn zfill(view: TextView<'_>, width: usize) -> Result<Option<Text>, TextTooLarge> {
    let Some(zeros) = width.checked_sub(view.len()).filter(|&zeros| zeros > 0) else {
        return Ok(None);
    };
    let signed = view.get(0).is_some_and(|code| code == u32::from('+') || code == u32::from('-'));
    let mut out = TextBuilder::new();
    out.try_reserve(width)?;
    out.push_view(view.slice(0, usize::from(signed)));
    out.push_repeated(u32::from('0'), zeros);
    out.push_view(view.slice(usize::from(signed), view.len()));
    Ok(Some(out.finish()))
}

/// `bytes.zfill`; `None` when nothing changes.
pub(crate) fn zfill_bytes(bytes: &[u8], width: usize) -> Result<Option<Vec<u8>>, TextTooLarge> {
    let Some(zeros) = width.checked_sub(bytes.len()).filter(|&zeros| zeros > 0) else {
        return Ok(None);
    };
    let sign = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let mut out = Vec::new();
    out.try_reserve_exact(width)?;
    out.extend_from_slice(&bytes[..sign]);
    out.resize(sign + zeros, b'0');
    out.extend_from_slice(&bytes[sign..]);
    Ok(Some(out))
}

/// `str.expandtabs`; a size of 0 drops the tabs.
pub(crate) fn expand_tabs(view: TextView<'_>, size: usize) -> Result<Text, TextTooLarge> {
    let mut out = TextBuilder::new();
    expand(view.codes(), size, |code, count| {
        out.try_reserve(count)?;
        out.push_repeated(code, count);
        Ok(())
    })?;
    Ok(out.finish())
}

/// `bytes.expandtabs`.
pub(crate) fn expand_tabs_bytes(bytes: &[u8], size: usize) -> Result<Vec<u8>, TextTooLarge> {
    let mut out = Vec::new();
    expand(bytes.iter().map(|&byte| u32::from(byte)), size, |code, count| {
        out.try_reserve(count)?;
        out.resize(out.len() + count, code as u8);
        Ok(())
    })?;
    Ok(out)
}

fn expand(codes: impl Iterator<Item = u32>, size: usize, mut push: impl FnMut(u32, usize) -> Result<(), TextTooLarge>) -> Result<(), TextTooLarge> {
    let mut column = 0;
    let mut counted = pace::Counted::default();
    for code in codes.take_while(|_| counted.go_on()) {
        if code == 0x09 {
            if size > 0 {
                let spaces = size - column % size;
                push(0x20, spaces)?;
                column += spaces;
            }
        } else {
            push(code, 1)?;
            column = if code == 0x0A || code == 0x0D { 0 } else { column + 1 };
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn justified(text: &str, how: Justify, width: usize, fill: char) -> String {
        let text = Text::from(text);
        justify(text.view(), how, width, u32::from(fill)).unwrap().unwrap_or(text).to_string()
    }

    #[test]
    fn odd_margins_lean_as_python_leans_them() {
        assert_eq!(justified("ab", Justify::Center, 5, '*'), "**ab*");
        assert_eq!(justified("a", Justify::Center, 4, '*'), "*a**");
        assert_eq!(justified("ab", Justify::Left, 4, 'é'), "abéé");
        assert_eq!(justified("é", Justify::Right, 3, '😀'), "😀😀é");
        assert_eq!(justified("abc", Justify::Right, 3, ' '), "abc");
        assert_eq!(justify(Text::from("a").view(), Justify::Left, usize::MAX, 32), Err(TextTooLarge));
    }

    #[test]
    fn zeros_go_after_the_sign() {
        assert_eq!(zfill(Text::from("-5").view(), 4).unwrap().unwrap(), "-005");
        assert_eq!(zfill(Text::from("").view(), 2).unwrap().unwrap(), "00");
        assert_eq!(zfill_bytes(b"+5", 4).unwrap().unwrap(), b"+005");
        assert_eq!(zfill_bytes(b"12345", 4).unwrap(), None);
    }

    #[test]
    fn tabs_go_to_the_next_stop() {
        assert_eq!(expand_tabs(Text::from("a\tbc\nx\t\ty").view(), 4).unwrap(), "a   bc\nx       y");
        assert_eq!(expand_tabs(Text::from("a\tb").view(), 0).unwrap(), "ab");
        assert_eq!(expand_tabs_bytes(b"\tx", 2).unwrap(), b"  x");
    }
}
