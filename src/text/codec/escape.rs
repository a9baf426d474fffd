//! `unicode_escape` and `raw_unicode_escape`.

use super::super::builder::TextBuilder;
use super::super::character;
use super::super::pace::Counted;
use super::super::repr::push_escape;
use super::super::view::TextView;
use super::{Decoder, Failure};

/// Decodes as the inside of a string literal; bytes outside ASCII are Latin-1.
pub(super) fn decode<E>(decoder: &mut Decoder<'_, '_, E>) -> Result<usize, Failure<E>> {
    let bytes = decoder.bytes;
    let mut at = 0;
    let mut counted = Counted::default();
    while at < decoder.bytes.len() && counted.go_on() {
        if bytes[at] != b'\\' {
            decoder.out.push_code(bytes[at].into());
            at += 1;
            continue;
        }
        let Some(&letter) = bytes.get(at + 1) else {
            if !decoder.last {
                return Ok(at);
            }
            at = decoder.recover("unicodeescape", at, at + 1, "\\ at end of string")?;
            continue;
        };
        let simple = match letter {
            b'\n' => {
                at += 2;
                continue;
            }
            b'\\' | b'\'' | b'"' => Some(letter),
            b'b' => Some(0x08),
            b'f' => Some(0x0C),
            b't' => Some(b'\t'),
            b'n' => Some(b'\n'),
            b'r' => Some(b'\r'),
            b'v' => Some(0x0B),
            b'a' => Some(0x07),
            _ => None,
        };
        if let Some(byte) = simple {
            decoder.out.push_code(byte.into());
            at += 2;
            continue;
        }
        at = match letter {
            b'0'..=b'7' => {
                let digits = bytes[at + 1..].iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7'));
                let (len, code) = digits.fold((0, 0), |(len, code), digit| (len + 1, code * 8 + u32::from(digit - b'0')));
                decoder.out.push_code(code);
                at + 1 + len
            }
            b'x' => hexadecimal(decoder, at, 2, "truncated \\xXX escape", "unicodeescape", "illegal Unicode character")?,
            b'u' => hexadecimal(decoder, at, 4, "truncated \\uXXXX escape", "unicodeescape", "illegal Unicode character")?,
            b'U' => hexadecimal(decoder, at, 8, "truncated \\UXXXXXXXX escape", "unicodeescape", "illegal Unicode character")?,
            b'N' => named(decoder, at)?,
            _ => {
                decoder.out.push_char('\\');
                decoder.out.push_code(letter.into());
                at + 2
            }
        };
    }
    Ok(at)
}

/// Decodes only `\u` and `\U` after an odd number of backslashes.
pub(super) fn decode_raw<E>(decoder: &mut Decoder<'_, '_, E>) -> Result<usize, Failure<E>> {
    let bytes = decoder.bytes;
    let mut at = 0;
    let mut counted = Counted::default();
    while at < decoder.bytes.len() && counted.go_on() {
        let digits = match (bytes[at], bytes.get(at + 1)) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            (b'\\', Some(&next)) => {
                decoder.out.push_char('\\');
                decoder.out.push_code(next.into());
                at += 2;
                continue;
            }
            (byte, _) => {
                decoder.out.push_code(byte.into());
                at += 1;
                continue;
            }
        };
        let truncated = if digits == 4 { "truncated \\uXXXX escape" } else { "truncated \\UXXXXXXXX escape" };
        at = hexadecimal(decoder, at, digits, truncated, "rawunicodeescape", "\\Uxxxxxxxx out of range")?;
    }
    Ok(at)
}

/// The character of `digits` hexadecimal digits after the two characters at `at`.
fn hexadecimal<E>(
    decoder: &mut Decoder<'_, '_, E>,
    at: usize,
    digits: usize,
    truncated: &'static str,
    encoding: &'static str,
    illegal: &'static str,
) -> Result<usize, Failure<E>> {
    let values = decoder.bytes[at + 2..].iter().take(digits).map_while(|&byte| char::from(byte).to_digit(16));
    let (len, code) = values.fold((0, 0), |(len, code), digit| (len + 1, code << 4 | digit));
    let end = at + 2 + len;
    if len < digits {
        if end == decoder.bytes.len() && !decoder.last {
            // What is incomplete waits for more bytes: nothing of it was used.
            decoder.bytes = &decoder.bytes[..at];
            return Ok(at);
        }
        return decoder.recover(encoding, at, end, truncated);
    }
    if code > 0x10_FFFF {
        return decoder.recover(encoding, at, end, illegal);
    }
    decoder.out.push_code(code);
    Ok(end)
}

fn named<E>(decoder: &mut Decoder<'_, '_, E>, at: usize) -> Result<usize, Failure<E>> {
    const MALFORMED: &str = "malformed \\N character escape";
    let rest = &decoder.bytes[at + 2..];
    if rest.first() != Some(&b'{') {
        return decoder.recover("unicodeescape", at, at + 2, MALFORMED);
    }
    let Some(close) = rest.iter().position(|&byte| byte == b'}') else {
        let end = decoder.bytes.len();
        return decoder.recover("unicodeescape", at, end, MALFORMED);
    };
    if close == 1 {
        return decoder.recover("unicodeescape", at, at + 3, MALFORMED);
    }
    let end = at + 2 + close + 1;
    match str::from_utf8(&rest[1..close]).ok().and_then(character::by_name) {
        Some(char) => {
            decoder.out.push_char(char);
            Ok(end)
        }
        None => decoder.recover("unicodeescape", at, end, "unknown Unicode character name"),
    }
}

/// Encodes as the inside of an ASCII string literal.
pub(super) fn encode(view: TextView<'_>, out: &mut Vec<u8>) {
    let mut counted = Counted::default();
    view.codes().take_while(|_| counted.go_on()).for_each(|code| match code {
        0x09 => out.extend(b"\\t"),
        0x0A => out.extend(b"\\n"),
        0x0D => out.extend(b"\\r"),
        0x5C => out.extend(b"\\\\"),
        0x20..=0x7E => out.push(code as u8),
        _ => push(code, out),
    });
}

/// Encodes with Latin-1 as it is and the rest as `\u` and `\U`.
pub(super) fn encode_raw(view: TextView<'_>, out: &mut Vec<u8>) {
    let mut counted = Counted::default();
    view.codes().take_while(|_| counted.go_on()).for_each(|code| match u8::try_from(code) {
        Ok(byte) => out.push(byte),
        Err(_) => push(code, out),
    });
}

fn push(code: u32, out: &mut Vec<u8>) {
    let mut escape = TextBuilder::new();
    push_escape(&mut escape, code);
    escape.view().codes().for_each(|code| out.push(code as u8));
}
