//! What `bytes` and `bytearray` compute beyond what [`super::search`], [`super::split`] and [`super::pad`] share
//! with text: ASCII case and predicates, hexadecimal, translation.

use super::pace;
use super::text::{Text, TextTooLarge};
use super::view::{TextView, Unit};

/// `bytes.title`.
pub(crate) fn title(bytes: &[u8]) -> Vec<u8> {
    let mut after_letter = false;
    let convert = |&byte: &u8| {
        let converted = if after_letter { byte.to_ascii_lowercase() } else { byte.to_ascii_uppercase() };
        after_letter = byte.is_ascii_alphabetic();
        converted
    };
    mapped(bytes, convert)
}

/// The bytes, each mapped, in order.
fn mapped(bytes: &[u8], mut map: impl FnMut(&u8) -> u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for piece in pace::pieces(bytes) {
        out.extend(piece.iter().map(&mut map));
    }
    out
}

/// `bytes.lower`.
pub(crate) fn lower(bytes: &[u8]) -> Vec<u8> {
    mapped(bytes, u8::to_ascii_lowercase)
}

/// `bytes.upper`.
pub(crate) fn upper(bytes: &[u8]) -> Vec<u8> {
    mapped(bytes, u8::to_ascii_uppercase)
}

/// Whether the test is true of all bytes, which it sees in order.
fn every(bytes: &[u8], mut test: impl FnMut(&u8) -> bool) -> bool {
    pace::pieces(bytes).all(|piece| piece.iter().all(&mut test))
}

/// `bytes.isascii`.
pub(crate) fn is_ascii(bytes: &[u8]) -> bool {
    pace::pieces(bytes).all(<[u8]>::is_ascii)
}

/// `bytes.capitalize`.
pub(crate) fn capitalize(bytes: &[u8]) -> Vec<u8> {
    let mut all = lower(bytes);
    if let Some(first) = all.first_mut() {
        first.make_ascii_uppercase();
    }
    all
}

/// `bytes.swapcase`.
pub(crate) fn swapcase(bytes: &[u8]) -> Vec<u8> {
    mapped(bytes, |&byte| if byte.is_ascii_alphabetic() { byte ^ 0x20 } else { byte })
}

/// `bytes.isalpha`.
pub(crate) fn is_alpha(bytes: &[u8]) -> bool {
    !bytes.is_empty() && every(bytes, u8::is_ascii_alphabetic)
}

/// `bytes.isalnum`.
pub(crate) fn is_alnum(bytes: &[u8]) -> bool {
    !bytes.is_empty() && every(bytes, u8::is_ascii_alphanumeric)
}

/// `bytes.isdigit`.
pub(crate) fn is_digit(bytes: &[u8]) -> bool {
    !bytes.is_empty() && every(bytes, u8::is_ascii_digit)
}

/// `bytes.isspace`.
pub(crate) fn is_space(bytes: &[u8]) -> bool {
    !bytes.is_empty() && every(bytes, |byte| matches!(byte, b' ' | 0x09..=0x0D))
}

/// `bytes.islower`.
pub(crate) fn is_lower(bytes: &[u8]) -> bool {
    !every(bytes, |byte| !byte.is_ascii_lowercase()) && every(bytes, |byte| !byte.is_ascii_uppercase())
}

/// `bytes.isupper`.
pub(crate) fn is_upper(bytes: &[u8]) -> bool {
    !every(bytes, |byte| !byte.is_ascii_uppercase()) && every(bytes, |byte| !byte.is_ascii_lowercase())
}

/// `bytes.istitle`.
pub(crate) fn is_title(bytes: &[u8]) -> bool {
    let mut any = false;
    let mut after_letter = false;
    every(bytes, |byte| {
        let fits = !(byte.is_ascii_uppercase() && after_letter || byte.is_ascii_lowercase() && !after_letter);
        after_letter = byte.is_ascii_alphabetic();
        any = any || after_letter;
        fits
    }) && any
}

/// `bytes.translate`: bytes of `delete` go, the others are looked up in the table of 256, if there is one.
pub(crate) fn translate(bytes: &[u8], table: Option<&[u8]>, delete: &[u8]) -> Vec<u8> {
    let mut deleted = [false; 256];
    for &byte in delete {
        deleted[usize::from(byte)] = true;
    }
    let mut out = Vec::with_capacity(bytes.len());
    for piece in pace::pieces(bytes) {
        let kept = piece.iter().filter(|&&byte| !deleted[usize::from(byte)]);
        match table {
            Some(table) => out.extend(kept.map(|&byte| table[usize::from(byte)])),
            None => out.extend(kept),
        }
    }
    out
}

/// `bytes.hex`: with a separator after every `group` bytes, counted from the right, or from the left when negative.
pub(crate) fn hex(bytes: &[u8], separator: Option<u8>, group: isize) -> Result<Text, TextTooLarge> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let size = group.unsigned_abs();
    let separator = separator.filter(|_| size > 0);
    let separators = if separator.is_some() { bytes.len().saturating_sub(1) / size } else { 0 };
    let mut out = Vec::new();
    out.try_reserve_exact(bytes.len().checked_mul(2).and_then(|len| len.checked_add(separators)).ok_or(TextTooLarge)?)?;
    let mut index = 0;
    for piece in pace::pieces(bytes) {
        for &byte in piece {
            if let Some(separator) = separator
                && index > 0
                && (if group > 0 { bytes.len() - index } else { index }).is_multiple_of(size)
            {
                out.push(separator);
            }
            out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
            index += 1;
        }
    }
    Ok(Text::from_string(String::from_utf8(out).expect("digits and an ASCII separator")))
}

/// `bytes.fromhex`: `Err` has the position that the message names.
pub(crate) fn from_hex(view: TextView<'_>) -> Result<Vec<u8>, usize> {
    let TextView::Ascii(units) = view else {
        return Err(view.codes().position(|code| code >= 0x80).unwrap_or(0));
    };
    let digit = |at: usize| units.get(at).and_then(|&unit| char::from(unit).to_digit(16)).ok_or(at);
    let mut out = Vec::with_capacity(units.len() / 2);
    let mut at = 0;
    let mut counted = pace::Counted::default();
    while at < units.len() && counted.go_on() {
        if matches!(units[at], b' ' | 0x09..=0x0D) {
            at += 1;
            continue;
        }
        out.push((digit(at)? << 4 | digit(at + 1)?) as u8);
        at += 2;
    }
    Ok(out)
}

/// Latin-1 text of bytes: each byte is its code point.
pub(crate) fn to_latin1_text(bytes: &[u8]) -> Text {
    if bytes.is_ascii() {
        return u8::view(bytes).to_text();
    }
    Text::from_ucs2(&bytes.iter().map(|&byte| u16::from(byte)).collect::<Vec<u16>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_groups_from_either_end() {
        assert_eq!(hex(b"\x01\x02\x03", None, 1).unwrap(), "010203");
        assert_eq!(hex(b"\x01\x02\x03", Some(b':'), 2).unwrap(), "01:0203");
        assert_eq!(hex(b"\x01\x02\x03", Some(b':'), -2).unwrap(), "0102:03");
        assert_eq!(hex(b"", Some(b':'), 1).unwrap(), "");
        assert_eq!(hex(b"\x01\x02", Some(b':'), 0).unwrap(), "0102");
    }

    #[test]
    fn reading_hexadecimal_says_where_it_went_wrong() {
        let read = |text: &str| from_hex(Text::from(text).view());
        assert_eq!(read(" 0aFF 1b "), Ok(vec![0x0A, 0xFF, 0x1B]));
        assert_eq!(read("a"), Err(1));
        assert_eq!(read("a b"), Err(1));
        assert_eq!(read("0g"), Err(1));
        assert_eq!(read("zé"), Err(1));
    }

    #[test]
    fn case_is_that_of_ascii() {
        assert_eq!(title(b"hello wORLD\xe9a"), b"Hello World\xe9A");
        assert_eq!(capitalize(b"hELLO"), b"Hello");
        assert_eq!(swapcase(b"aB1"), b"Ab1");
        assert!(is_title(b"A B") && !is_title(b"AB") && is_lower(b"a1") && is_upper(b"A1") && !is_upper(b"1"));
        assert_eq!(translate(b"abc", None, b"b"), b"ac");
    }
}
