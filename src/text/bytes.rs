//! What `bytes` and `bytearray` compute beyond what [`super::search`], [`super::split`] and [`super::pad`] share
//! with text: ASCII case and predicates, hexadecimal, translation.

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
    bytes.iter().map(convert).collect()
}

/// `bytes.capitalize`.
pub(crate) fn capitalize(bytes: &[u8]) -> Vec<u8> {
    let mut all = bytes.to_ascii_lowercase();
    if let Some(first) = all.first_mut() {
        first.make_ascii_uppercase();
    }
    all
}

/// `bytes.swapcase`.
pub(crate) fn swapcase(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|&byte| if byte.is_ascii_alphabetic() { byte ^ 0x20 } else { byte }).collect()
}

/// `bytes.isalpha`.
pub(crate) fn is_alpha(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(u8::is_ascii_alphabetic)
}

/// `bytes.isalnum`.
pub(crate) fn is_alnum(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(u8::is_ascii_alphanumeric)
}

/// `bytes.isdigit`.
pub(crate) fn is_digit(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit)
}

/// `bytes.isspace`.
pub(crate) fn is_space(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| matches!(byte, b' ' | 0x09..=0x0D))
}

/// `bytes.islower`.
pub(crate) fn is_lower(bytes: &[u8]) -> bool {
    bytes.iter().any(u8::is_ascii_lowercase) && !bytes.iter().any(u8::is_ascii_uppercase)
}

/// `bytes.isupper`.
pub(crate) fn is_upper(bytes: &[u8]) -> bool {
    bytes.iter().any(u8::is_ascii_uppercase) && !bytes.iter().any(u8::is_ascii_lowercase)
}

/// `bytes.istitle`.
pub(crate) fn is_title(bytes: &[u8]) -> bool {
    let mut any = false;
    let mut after_letter = false;
    bytes.iter().all(|byte| {
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
    let kept = bytes.iter().filter(|&&byte| !deleted[usize::from(byte)]);
    match table {
        Some(table) => kept.map(|&byte| table[usize::from(byte)]).collect(),
        None => kept.copied().collect(),
    }
}

/// `bytes.hex`: with a separator after every `group` bytes, counted from the right, or from the left when negative.
pub(crate) fn hex(bytes: &[u8], separator: Option<u8>, group: isize) -> Result<Text, TextTooLarge> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let size = group.unsigned_abs();
    let separator = separator.filter(|_| size > 0);
    let separators = if separator.is_some() { bytes.len().saturating_sub(1) / size } else { 0 };
    let mut out = Vec::new();
    out.try_reserve_exact(bytes.len().checked_mul(2).and_then(|len| len.checked_add(separators)).ok_or(TextTooLarge)?)?;
    for (index, &byte) in bytes.iter().enumerate() {
        if let Some(separator) = separator
            && index > 0
            && (if group > 0 { bytes.len() - index } else { index }).is_multiple_of(size)
        {
            out.push(separator);
        }
        out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
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
    while at < units.len() {
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
