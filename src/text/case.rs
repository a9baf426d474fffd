//! Case of whole texts, and the `is…` predicates of `str`.

use super::builder::{Buffer, TextBuilder};
use super::pace;
use super::text::Text;
use super::unicode::{self, Mapping, map_case};
use super::view::{TextView, Unit, with_units};

/// `str.lower`.
pub(crate) fn lower(view: TextView<'_>) -> Text {
    match view {
        TextView::Ascii(units) => in_ascii(units, u8::to_ascii_lowercase),
        _ => with_units!(view, |units| convert(units, push_lower)),
    }
}

/// `str.upper`.
pub(crate) fn upper(view: TextView<'_>) -> Text {
    match view {
        TextView::Ascii(units) => in_ascii(units, u8::to_ascii_uppercase),
        _ => map_all(view, Mapping::Upper),
    }
}

/// `str.casefold`.
pub(crate) fn casefold(view: TextView<'_>) -> Text {
    match view {
        TextView::Ascii(units) => in_ascii(units, u8::to_ascii_lowercase),
        _ => map_all(view, Mapping::Fold),
    }
}

/// `str.title`.
pub(crate) fn title(view: TextView<'_>) -> Text {
    let mut after_cased = false;
    with_units!(view, |units| convert(units, |units, index, out| {
        let code = units[index].code();
        if after_cased {
            push_lower(units, index, out);
        } else {
            map_case(code, Mapping::Title, |code| out.push_code(code));
        }
        after_cased = unicode::is_cased(code);
    }))
}

/// `str.capitalize`.
pub(crate) fn capitalize(view: TextView<'_>) -> Text {
    with_units!(view, |units| convert(units, |units, index, out| {
        if index == 0 {
            map_case(units[0].code(), Mapping::Title, |code| out.push_code(code));
        } else {
            push_lower(units, index, out);
        }
    }))
}

/// `str.swapcase`.
pub(crate) fn swapcase(view: TextView<'_>) -> Text {
    with_units!(view, |units| convert(units, |units, index, out| {
        let code = units[index].code();
        if unicode::is_upper(code) {
            push_lower(units, index, out);
        } else if unicode::is_lower(code) {
            map_case(code, Mapping::Upper, |code| out.push_code(code));
        } else {
            out.push_code(code);
        }
    }))
}

/// ASCII, unit by unit.
fn in_ascii(units: &[u8], map: impl Fn(&u8) -> u8) -> Text {
    if units.len() <= pace::PIECE {
        return Text::from_ascii(&units.iter().map(map).collect::<Vec<u8>>());
    }
    let mut mapped = Vec::with_capacity(units.len());
    for piece in pace::pieces(units) {
        mapped.extend(piece.iter().map(&map));
    }
    Text::from_builder(Buffer::Ascii(mapped))
}

fn map_all(view: TextView<'_>, mapping: Mapping) -> Text {
    with_units!(view, |units| convert(units, |units, index, out| {
        map_case(units[index].code(), mapping, |code| out.push_code(code));
    }))
}

fn convert<U: Unit>(units: &[U], mut push: impl FnMut(&[U], usize, &mut TextBuilder)) -> Text {
    let mut out = TextBuilder::with_capacity(units.len());
    let mut index = 0;
    for piece in pace::pieces(units) {
        for _ in piece {
            push(units, index, &mut out);
            index += 1;
        }
    }
    out.finish()
}

/// Lower case of the character at `index`; what stands around it decides which small sigma Σ becomes.
fn push_lower<U: Unit>(units: &[U], index: usize, out: &mut TextBuilder) {
    const CAPITAL_SIGMA: u32 = 0x3A3;
    const SIGMA: u32 = 0x3C3;
    const FINAL_SIGMA: u32 = 0x3C2;
    let code = units[index].code();
    if code != CAPITAL_SIGMA {
        return map_case(code, Mapping::Lower, |code| out.push_code(code));
    }
    let opaque = |unit: &&U| !unicode::is_case_ignorable(unit.code());
    let cased = |unit: &U| unicode::is_cased(unit.code());
    let is_final = units[..index].iter().rev().find(opaque).is_some_and(cased) && !units[index + 1..].iter().find(opaque).is_some_and(cased);
    out.push_code(if is_final { FINAL_SIGMA } else { SIGMA });
}

fn all(view: TextView<'_>, predicate: impl Fn(u32) -> bool) -> bool {
    !view.is_empty() && every(view, predicate)
}

/// Whether the predicate, which sees the code points in order, is true of all of them.
fn every(view: TextView<'_>, mut predicate: impl FnMut(u32) -> bool) -> bool {
    with_units!(view, |units| pace::pieces(units).all(|piece| piece.iter().all(|unit| predicate(unit.code()))))
}

/// `str.isalpha`.
pub(crate) fn is_alpha(view: TextView<'_>) -> bool {
    all(view, unicode::is_alpha)
}

/// `str.isalnum`.
pub(crate) fn is_alnum(view: TextView<'_>) -> bool {
    all(view, unicode::is_alnum)
}

/// `str.isdecimal`.
pub(crate) fn is_decimal(view: TextView<'_>) -> bool {
    all(view, unicode::is_decimal)
}

/// `str.isdigit`.
pub(crate) fn is_digit(view: TextView<'_>) -> bool {
    all(view, unicode::is_digit)
}

/// `str.isnumeric`.
pub(crate) fn is_numeric(view: TextView<'_>) -> bool {
    all(view, unicode::is_numeric)
}

/// `str.isspace`.
pub(crate) fn is_space(view: TextView<'_>) -> bool {
    all(view, unicode::is_space)
}

/// `str.isprintable`: true of the empty text.
pub(crate) fn is_printable(view: TextView<'_>) -> bool {
    view.is_empty() || all(view, unicode::is_printable)
}

/// `str.isidentifier`.
pub(crate) fn is_identifier<'a>(text: impl Into<TextView<'a>>) -> bool {
    let view = text.into();
    view.get(0).is_some_and(unicode::is_identifier_start) && all(view, unicode::is_identifier_continue)
}

/// `str.islower`.
pub(crate) fn is_lower(view: TextView<'_>) -> bool {
    let mut any = false;
    every(view, |code| {
        any = any || unicode::is_lower(code);
        !unicode::is_upper(code) && !unicode::is_title(code)
    }) && any
}

/// `str.isupper`.
pub(crate) fn is_upper(view: TextView<'_>) -> bool {
    let mut any = false;
    every(view, |code| {
        any = any || unicode::is_upper(code);
        !unicode::is_lower(code) && !unicode::is_title(code)
    }) && any
}

/// `str.istitle`.
pub(crate) fn is_title(view: TextView<'_>) -> bool {
    let mut any = false;
    let mut after_cased = false;
    every(view, |code| {
        let starts = unicode::is_upper(code) || unicode::is_title(code);
        let follows = unicode::is_lower(code);
        let fits = !(starts && after_cased || follows && !after_cased);
        after_cased = starts || follows;
        any = any || after_cased;
        fits
    }) && any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_mappings_change_the_length() {
        let convert = |f: fn(TextView<'_>) -> Text, text: &str| f(Text::from(text).view()).to_string();
        assert_eq!(convert(upper, "straße ŉ ﬁ"), "STRASSE ʼN FI");
        assert_eq!(convert(casefold, "Straße ẞ"), "strasse ss");
        assert_eq!(convert(lower, "ΑΣ ΑΣΑ Σ İ"), "ας ασα σ i\u{307}");
        assert_eq!(convert(title, "they're ǆ ΑΣ ßa"), "They'Re ǅ Ας Ssa");
        assert_eq!(convert(capitalize, "ΣΑΣ ABC"), "Σας abc");
        assert_eq!(convert(swapcase, "aBß ΑΣ"), "AbSS ας");
        assert_eq!(convert(lower, "SPAM"), "spam");
        assert_eq!(convert(title, "hello wORLD"), "Hello World");
    }

    #[test]
    fn predicates_look_at_every_character() {
        let ask = |f: fn(TextView<'_>) -> bool, text: &str| f(Text::from(text).view());
        assert!(ask(is_title, "Hello World ǅ1") && !ask(is_title, "HeLlo") && !ask(is_title, "1"));
        assert!(ask(is_lower, "abc1") && !ask(is_lower, "1") && !ask(is_lower, "aB"));
        assert!(ask(is_upper, "ABC1") && !ask(is_upper, "ǅ") && !ask(is_upper, ""));
        let identifier = |text: &str| is_identifier(&Text::from(text));
        assert!(identifier("_ñ1") && !identifier("1a") && !identifier(""));
        assert!(ask(is_printable, "") && !ask(is_printable, "\n") && !ask(is_alpha, ""));
        assert!(ask(is_digit, "²") && !ask(is_decimal, "²") && ask(is_numeric, "½"));
    }
}
