//! What `repr()` and `ascii()` show of text and bytes.

use super::builder::TextBuilder;
use super::pace;
use super::text::Text;
use super::unicode;
use super::view::{TextView, Unit, with_units};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// `repr` of a `str`.
pub(crate) fn repr(view: TextView<'_>) -> Text {
    let mut out = TextBuilder::with_capacity(view.len() + 2);
    push_repr(&mut out, view, false);
    out.finish()
}

/// `ascii` of a `str`.
#[cfg(test)]
pub(crate) fn ascii(view: TextView<'_>) -> Text {
    let mut out = TextBuilder::with_capacity(view.len() + 2);
    push_repr(&mut out, view, true);
    out.finish()
}

/// Appends the `repr` of a `str`; with `ascii_only` every other character is escaped.
pub(crate) fn push_repr(out: &mut TextBuilder, view: TextView<'_>, ascii_only: bool) {
    let quote = with_units!(view, |units| quote_for(units));
    out.push_code(quote);
    if let TextView::Ascii(units) = view {
        // Most text needs no escape, and is copied in pieces up to those that do.
        let mut rest = units;
        let mut counted = pace::Counted::default();
        while !rest.is_empty() && counted.go_on() {
            let plain = pace::position(rest, |unit| !(0x20..0x7F).contains(&unit) || unit == b'\\' || u32::from(unit) == quote);
            let (copied, after) = rest.split_at(plain.unwrap_or(rest.len()));
            out.push_view(TextView::Ascii(copied));
            rest = after;
            if let Some((&unit, after)) = rest.split_first() {
                push_escaped(out, unit.into(), quote, ascii_only);
                rest = after;
            }
        }
    } else {
        with_units!(view, |units| for piece in pace::pieces(units) {
            for unit in piece {
                push_escaped(out, unit.code(), quote, ascii_only);
            }
        });
    }
    out.push_code(quote);
}

/// The text with escapes for all characters outside ASCII: what `ascii()` makes of a `repr`.
pub(crate) fn to_ascii_escaped(text: &Text) -> Text {
    let mut out = TextBuilder::with_capacity(text.len());
    text.codes().for_each(|code| match code {
        0..0x80 => out.push_code(code),
        _ => push_escape(&mut out, code),
    });
    out.finish()
}

fn quote_for<U: Unit>(units: &[U]) -> u32 {
    let (mut single, mut double) = (false, false);
    for piece in pace::pieces(units) {
        (single, double) =
            piece.iter().fold((single, double), |(single, double), unit| (single || unit.code() == 0x27, double || unit.code() == 0x22));
    }
    if single && !double { 0x22 } else { 0x27 }
}

fn push_escaped(out: &mut TextBuilder, code: u32, quote: u32, ascii_only: bool) {
    match code {
        0x5C => out.push_str("\\\\"),
        0x09 => out.push_str("\\t"),
        0x0A => out.push_str("\\n"),
        0x0D => out.push_str("\\r"),
        _ if code == quote => {
            out.push_char('\\');
            out.push_code(quote);
        }
        0x20..=0x7E => out.push_code(code),
        0x80.. if !ascii_only && unicode::is_printable(code) => out.push_code(code),
        _ => push_escape(out, code),
    }
}

/// Appends `\xNN`, `\uNNNN` or `\UNNNNNNNN`, the shortest that fits.
pub(crate) fn push_escape(out: &mut TextBuilder, code: u32) {
    let (letter, digits) = match code {
        0..0x100 => ('x', 2),
        0x100..0x10000 => ('u', 4),
        _ => ('U', 8),
    };
    out.push_char('\\');
    out.push_char(letter);
    for digit in (0..digits).rev() {
        out.push_code(u32::from(HEX[(code >> (4 * digit) & 0xF) as usize]));
    }
}

/// `repr` of `bytes`.
pub(crate) fn repr_bytes(bytes: &[u8]) -> Text {
    let mut out = TextBuilder::with_capacity(bytes.len() + 3);
    push_repr_bytes(&mut out, bytes);
    out.finish()
}

/// Appends the `repr` of `bytes`.
pub(crate) fn push_repr_bytes(out: &mut TextBuilder, bytes: &[u8]) {
    let quote = quote_for(bytes);
    out.push_char('b');
    out.push_code(quote);
    for piece in pace::pieces(bytes) {
        for &byte in piece {
            match byte {
                0x80.. => push_escape(out, byte.into()),
                _ => push_escaped(out, byte.into(), quote, true),
            }
        }
    }
    out.push_code(quote);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_escapes_are_chosen_as_python_does() {
        let repr = |text: &str| repr(Text::from(text).view()).to_string();
        assert_eq!(repr("a'b"), "\"a'b\"");
        assert_eq!(repr("a'\"b"), "'a\\'\"b'");
        assert_eq!(repr("\t\n\r\\\0\x7f"), "'\\t\\n\\r\\\\\\x00\\x7f'");
        assert_eq!(repr("é\u{a0}\u{200b}😀\u{e0001}"), "'é\\xa0\\u200b😀\\U000e0001'");
        assert_eq!(ascii(Text::from("é€😀").view()), "'\\xe9\\u20ac\\U0001f600'");
        assert_eq!(to_ascii_escaped(&Text::from("<é😀>")), "<\\xe9\\U0001f600>");
        assert_eq!(super::repr(Text::from_code(0xD800).view()), "'\\ud800'");
        assert_eq!(repr_bytes(b"a'\x00\xff\n"), "b\"a'\\x00\\xff\\n\"");
    }
}
