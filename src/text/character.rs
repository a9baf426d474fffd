//! What the Unicode database says about a character, and normalization. As in CPython 3.13 the database is that of Unicode 15.1: a character that a newer one
//! assigned has no name and stays as it is.

use unicode_normalization::UnicodeNormalization;

use super::database::{self as tables, Record};
use super::unicode::look_up;
use super::{Text, TextBuilder};

#[inline]
fn record(code: u32) -> Record {
    look_up!(tables, code, RECORD_LOW, RECORD_MIDDLE, RECORD_TOP, RECORD_MIDDLES, RECORD_LEAVES, RECORDS)
}

/// The general category, such as `Lu`; `Cn` where nothing is assigned.
pub(crate) fn category(code: u32) -> &'static str {
    tables::CATEGORIES[usize::from(record(code).category)]
}

/// The bidirectional class, such as `L`; empty where nothing is assigned.
pub(crate) fn bidirectional(code: u32) -> &'static str {
    tables::BIDIRECTIONAL[usize::from(record(code).bidirectional)]
}

/// The East Asian width: `F`, `H`, `W`, `Na`, `A` or `N`.
pub(crate) fn east_asian_width(code: u32) -> &'static str {
    tables::WIDTHS[usize::from(record(code).width)]
}

/// The canonical combining class; 0 for a character that starts anew.
pub(crate) fn combining(code: u32) -> u8 {
    record(code).combining
}

/// Whether it is shown mirrored in text from right to left.
pub(crate) fn is_mirrored(code: u32) -> bool {
    record(code).mirrored
}

/// Whether Unicode 15.1 has the character.
fn is_assigned(code: u32) -> bool {
    record(code).category != 0
}

/// The numeric value as a fraction.
pub(crate) fn numeric(code: u32) -> Option<(i64, u32)> {
    if let Some(digit) = super::unicode::digit_value(code) {
        return Some((i64::from(digit), 1));
    }
    let place = tables::NUMBERS.binary_search_by_key(&code, |row| row.0).ok()?;
    let (_, numerator, denominator) = tables::NUMBERS[place];
    Some((numerator, denominator))
}

/// The decomposition as the database writes it: the kind unless it is canonical, then hexadecimal code points; empty where there is none.
/// Those of Hangul syllables are computed and do not stand in the database.
pub(crate) fn decomposition(code: u32) -> String {
    let Ok(place) = tables::DECOMPOSITIONS.binary_search_by_key(&code, |row| row.0) else { return String::new() };
    let (_, tag, start, length) = tables::DECOMPOSITIONS[place];
    let codes = &tables::DECOMPOSED[usize::from(start)..][..usize::from(length)];
    let mut words: Vec<String> = codes.iter().map(|code| format!("{code:04X}")).collect();
    if tag != 0 {
        words.insert(0, tables::TAGS[usize::from(tag)].to_owned());
    }
    words.join(" ")
}

/// The character's name.
pub(crate) fn name(code: u32) -> Option<String> {
    let character = char::from_u32(code).filter(|_| is_assigned(code))?;
    unicode_names2::name(character).map(|name| name.to_string())
}

/// The character of a name or an alias, in any case.
pub(crate) fn by_name(name: &str) -> Option<char> {
    scrip_grammar::character_by_name(name).filter(|&character| is_assigned(character.into()))
}

/// The sequence of characters that has this name, in any case.
pub(crate) fn sequence_by_name(name: &str) -> Option<&'static [u32]> {
    let name = name.to_ascii_uppercase();
    let place = tables::SEQUENCES.binary_search_by_key(&name.as_str(), |row| row.0).ok()?;
    Some(tables::SEQUENCES[place].1)
}

/// A normalization form of Unicode Standard Annex 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Nfc,
    Nfkc,
    Nfd,
    Nfkd,
}

impl Form {
    /// The form that is called so.
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "NFC" => Self::Nfc,
            "NFKC" => Self::Nfkc,
            "NFD" => Self::Nfd,
            "NFKD" => Self::Nfkd,
            _ => return None,
        })
    }
}

/// Appends the text's normal form to `out`. `poll` is asked now and then whether to go on; `false` when it did not want to.
pub(crate) fn normalize(text: &Text, form: Form, out: &mut TextBuilder, mut poll: impl FnMut() -> bool) -> bool {
    let mut codes = text.codes().peekable();
    while let Some(&code) = codes.peek() {
        // What is no character, or none yet, ends a run and stays as it is: it neither changes nor joins with others.
        let known = |code: u32| char::from_u32(code).filter(|_| is_assigned(code));
        if known(code).is_none() {
            out.push_code(code);
            codes.next();
            continue;
        }
        let run = std::iter::from_fn(|| codes.next_if(|&code| known(code).is_some())).filter_map(char::from_u32);
        let went_on = match form {
            Form::Nfc => push_polled(run.nfc(), out, &mut poll),
            Form::Nfkc => push_polled(run.nfkc(), out, &mut poll),
            Form::Nfd => push_polled(run.nfd(), out, &mut poll),
            Form::Nfkd => push_polled(run.nfkd(), out, &mut poll),
        };
        if !went_on {
            return false;
        }
    }
    true
}

fn push_polled(characters: impl Iterator<Item = char>, out: &mut TextBuilder, poll: &mut impl FnMut() -> bool) -> bool {
    for (index, character) in characters.enumerate() {
        if index % 16_384 == 16_383 && !poll() {
            return false;
        }
        out.push_char(character);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_is_newer_than_the_database_has_neither_name_nor_category() {
        // GARAY CAPITAL LETTER A came with Unicode 16.
        assert_eq!((category(0x10D50), name(0x10D50)), ("Cn", None));
        assert_eq!((category(0x41), name(0x41).as_deref()), ("Lu", Some("LATIN CAPITAL LETTER A")));
    }

    #[test]
    fn lone_surrogates_stay_and_part_what_would_join() {
        let normal = |codes: &[u32]| {
            let mut out = TextBuilder::with_capacity(0);
            assert!(normalize(&Text::from_code_points(codes.iter().copied()), Form::Nfc, &mut out, || true));
            out.finish().codes().collect::<Vec<u32>>()
        };
        assert_eq!(normal(&[0x65, 0x301]), [0xE9]);
        assert_eq!(normal(&[0x65, 0xD800, 0x301]), [0x65, 0xD800, 0x301]);
    }

    #[test]
    fn fractions_are_exact() {
        assert_eq!((numeric(0xBD), numeric(0x35), numeric(0x41)), (Some((1, 2)), Some((5, 1)), None));
        assert_eq!(decomposition(0xBD), "<fraction> 0031 2044 0032");
    }
}
