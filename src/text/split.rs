//! Cutting text: split, partition, lines, strip. Parts are given as ranges of code points.

use std::borrow::Cow;
use std::ops::Range;

use bytemuck::Pod;

use super::pace::{self, Counted, PIECE};
use super::search::{each_match, in_width, rfind_units};
use super::unicode;
use super::view::{TextView, Unit, with_units};

/// What counts as white space, or as the end of a line.
pub(crate) trait Rules<U: Unit>: Copy {
    /// Whether it is white space.
    fn is_space(self, unit: U) -> bool;
    /// Whether a line ends at it.
    fn is_line_break(self, unit: U) -> bool;
}

/// The rules of `str`.
#[derive(Clone, Copy)]
pub(crate) struct Characters;

/// The rules of `bytes`.
#[derive(Clone, Copy)]
pub(crate) struct Bytes;

impl<U: Unit> Rules<U> for Characters {
    #[inline]
    fn is_space(self, unit: U) -> bool {
        match unit.code() {
            code @ 0..0x80 => matches!(code, 0x20 | 0x09..=0x0D | 0x1C..=0x1F),
            code => unicode::is_space(code),
        }
    }

    #[inline]
    fn is_line_break(self, unit: U) -> bool {
        match unit.code() {
            code @ 0..0x80 => matches!(code, 0x0A..=0x0D | 0x1C..=0x1E),
            code => unicode::is_line_break(code),
        }
    }
}

impl Rules<u8> for Bytes {
    #[inline]
    fn is_space(self, unit: u8) -> bool {
        matches!(unit, b' ' | 0x09..=0x0D)
    }

    #[inline]
    fn is_line_break(self, unit: u8) -> bool {
        matches!(unit, b'\n' | b'\r')
    }
}

/// Calls `each` for every word; after `max` cuts the rest, white space at its end included, is the last.
#[inline]
pub(crate) fn split_space_units<U: Unit>(units: &[U], rules: impl Rules<U>, max: usize, mut each: impl FnMut(Range<usize>)) {
    let len = units.len();
    if len > PIECE {
        return split_space_in_pieces(units, rules, max, each);
    }
    let mut at = 0;
    let mut cuts = 0;
    loop {
        while at < len && rules.is_space(units[at]) {
            at += 1;
        }
        if at == len {
            return;
        }
        let start = at;
        if cuts == max {
            return each(start..units.len());
        }
        while at < len && !rules.is_space(units[at]) {
            at += 1;
        }
        each(start..at);
        cuts += 1;
    }
}

fn split_space_in_pieces<U: Unit>(units: &[U], rules: impl Rules<U>, max: usize, mut each: impl FnMut(Range<usize>)) {
    let len = units.len();
    let mut counted = Counted::default();
    let mut at = 0;
    let mut cuts = 0;
    while let Some(spaces) = pace::position(&units[at..], |unit| !rules.is_space(unit)) {
        let start = at + spaces;
        if cuts == max {
            return each(start..len);
        }
        at = pace::position(&units[start..], |unit| rules.is_space(unit)).map_or(len, |word| start + word);
        each(start..at);
        cuts += 1;
        if !counted.go_on() {
            return;
        }
    }
}

fn strip_end<U: Unit>(units: &[U], is_space: impl Fn(U) -> bool) -> usize {
    pace::rposition(units, |unit| !is_space(unit)).map_or(0, |last| last + 1)
}

/// As [`split_space_units`], but from the end: `each` gets the last word first.
pub(crate) fn rsplit_space_units<U: Unit>(units: &[U], rules: impl Rules<U>, max: usize, mut each: impl FnMut(Range<usize>)) {
    let mut counted = Counted::default();
    let mut at = units.len();
    let mut cuts = 0;
    while let Some(last) = pace::rposition(&units[..at], |unit| !rules.is_space(unit)) {
        let end = last + 1;
        if cuts == max {
            return each(0..end);
        }
        at = pace::rposition(&units[..end], |unit| rules.is_space(unit)).map_or(0, |space| space + 1);
        each(at..end);
        cuts += 1;
        if !counted.go_on() {
            return;
        }
    }
}

/// Calls `each` for the parts between separators, of which the first `max` cut. The separator is not empty.
#[inline]
pub(crate) fn split_units<U: Unit + Pod>(units: &[U], separator: &[U], max: usize, mut each: impl FnMut(Range<usize>)) {
    let mut from = 0;
    each_match(units, separator, max, |at| {
        each(from..at);
        from = at + separator.len();
    });
    each(from..units.len());
}

/// As [`split_units`], but from the end: `each` gets the last part first.
pub(crate) fn rsplit_units<U: Unit + Pod>(units: &[U], separator: &[U], max: usize, mut each: impl FnMut(Range<usize>)) {
    let mut counted = Counted::default();
    let mut end = units.len();
    for _ in 0..max {
        let Some(at) = rfind_units(&units[..end], separator) else { break };
        each(at + separator.len()..end);
        end = at;
        if !counted.go_on() {
            return;
        }
    }
    each(0..end);
}

/// Calls `each` for every line, with or without what ends it.
pub(crate) fn split_lines_units<U: Unit>(units: &[U], rules: impl Rules<U>, keep_ends: bool, mut each: impl FnMut(Range<usize>)) {
    let mut counted = Counted::default();
    let mut start = 0;
    while start < units.len() && counted.go_on() {
        let Some(at) = pace::position(&units[start..], |unit| rules.is_line_break(unit)) else {
            return each(start..units.len());
        };
        let end = start + at;
        let pair = units[end].code() == 0x0D && units.get(end + 1).is_some_and(|unit| unit.code() == 0x0A);
        let next = end + if pair { 2 } else { 1 };
        each(start..if keep_ends { next } else { end });
        start = next;
    }
}

/// Which ends to strip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// `lstrip`.
    Left,
    /// `rstrip`.
    Right,
    /// `strip`.
    Both,
}

/// What is left without the units at the ends for which `strips` is true.
#[inline]
pub(crate) fn strip_units<U: Unit>(units: &[U], ends: Ends, strips: impl Fn(U) -> bool) -> Range<usize> {
    let end = if ends == Ends::Left { units.len() } else { strip_end(units, &strips) };
    let start = match ends {
        Ends::Right => 0,
        _ => pace::position(&units[..end], |unit| !strips(unit)).unwrap_or(end),
    };
    start..end
}

/// `str.split`: by white space without a separator, which is otherwise not empty. `max`: how many cuts at most.
#[inline]
pub(crate) fn split(view: TextView<'_>, separator: Option<TextView<'_>>, max: Option<usize>, each: impl FnMut(Range<usize>)) {
    let max = max.unwrap_or(usize::MAX);
    match separator {
        None => with_units!(view, |units| split_space_units(units, Characters, max, each)),
        Some(separator) => with_units!(view, |units| match in_width(separator) {
            Some(separator) => split_units(units, &separator, max, each),
            None => whole(view, each),
        }),
    }
}

/// `str.rsplit`; `each` gets the last part first.
pub(crate) fn rsplit(view: TextView<'_>, separator: Option<TextView<'_>>, max: Option<usize>, each: impl FnMut(Range<usize>)) {
    let max = max.unwrap_or(usize::MAX);
    match separator {
        None => with_units!(view, |units| rsplit_space_units(units, Characters, max, each)),
        Some(separator) => with_units!(view, |units| match in_width(separator) {
            Some(separator) => rsplit_units(units, &separator, max, each),
            None => whole(view, each),
        }),
    }
}

fn whole(view: TextView<'_>, mut each: impl FnMut(Range<usize>)) {
    each(0..view.len());
}

/// `str.splitlines`.
pub(crate) fn split_lines(view: TextView<'_>, keep_ends: bool, each: impl FnMut(Range<usize>)) {
    with_units!(view, |units| split_lines_units(units, Characters, keep_ends, each));
}

/// `str.strip` and its like: without white space or, when given, without any of the characters of `chars`.
pub(crate) fn strip(view: TextView<'_>, ends: Ends, chars: Option<TextView<'_>>) -> Range<usize> {
    match chars {
        None => {
            with_units!(view, |units| strip_units(units, ends, |unit| Characters.is_space(unit)))
        }
        Some(chars) => {
            let set = CharSet::new(chars);
            with_units!(view, |units| strip_units(units, ends, |unit| set.contains(unit.code())))
        }
    }
}

/// A set of characters; those of ASCII are one bit each.
pub(crate) struct CharSet<'a> {
    ascii: u128,
    others: Cow<'a, [u32]>,
}

impl<'a> CharSet<'a> {
    /// The characters of a text.
    pub(crate) fn new(chars: TextView<'a>) -> Self {
        let mut ascii = 0;
        let mut others = Vec::new();
        chars.codes().for_each(|code| match code {
            0..0x80 => ascii |= 1 << code,
            _ => others.push(code),
        });
        others.sort_unstable();
        Self { ascii, others: Cow::Owned(others) }
    }

    /// Whether the character is in it.
    #[inline]
    pub(crate) fn contains(&self, code: u32) -> bool {
        if code < 0x80 { self.ascii >> code & 1 != 0 } else { self.others.binary_search(&code).is_ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::Text;
    use super::*;

    fn parts(run: impl FnOnce(&mut dyn FnMut(Range<usize>))) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        run(&mut |range| all.push((range.start, range.end)));
        all
    }

    fn split_text(text: &str, separator: Option<&str>, max: Option<usize>) -> Vec<String> {
        let text = Text::from(text);
        let separator = separator.map(Text::from);
        let separator = separator.as_ref().map(Text::view);
        let ranges = parts(|each| split(text.view(), separator, max, each));
        let cut = |(start, end): (usize, usize)| text.slice(start, end).to_string();
        let forward: Vec<String> = ranges.into_iter().map(cut).collect();
        if max.is_none() && separator.is_none_or(|separator| separator.len() == 1) {
            let mut backward: Vec<String> = parts(|each| rsplit(text.view(), separator, None, each)).into_iter().map(cut).collect();
            backward.reverse();
            assert_eq!(forward, backward);
        }
        forward
    }

    #[test]
    fn splitting_by_space_drops_it_at_both_ends() {
        assert_eq!(split_text("  a b\u{2003}c \n", None, None), ["a", "b", "c"]);
        assert_eq!(split_text("  a  b  c  ", None, Some(1)), ["a", "b  c  "]);
        assert_eq!(split_text("a\x1cb", None, None), ["a", "b"]);
        assert!(split_text(" ", None, None).is_empty());
    }

    #[test]
    fn splitting_by_a_separator_keeps_empty_parts() {
        assert_eq!(split_text(",a,,b,", Some(","), None), ["", "a", "", "b", ""]);
        assert_eq!(split_text("a<>b<>c", Some("<>"), Some(1)), ["a", "b<>c"]);
        assert_eq!(split_text("", Some(","), None), [""]);
        assert_eq!(split_text("abc", Some("é"), None), ["abc"]);
        assert_eq!(split_text("aébéc", Some("é"), None), ["a", "b", "c"]);
    }

    #[test]
    fn splitting_from_the_end_cuts_there_first() {
        let text = Text::from("a b  c");
        assert_eq!(parts(|each| rsplit(text.view(), None, Some(1), each)), [(5, 6), (0, 3)]);
        let comma = Text::from(",");
        let text = Text::from("a,b,c");
        assert_eq!(parts(|each| rsplit(text.view(), Some(comma.view()), Some(1), each)), [(4, 5), (0, 3)]);
    }

    #[test]
    fn lines_end_where_python_ends_them() {
        let text = Text::from("a\nb\r\nc\rd\u{2028}e\x1c");
        assert_eq!(parts(|each| split_lines(text.view(), false, each)), [(0, 1), (2, 3), (5, 6), (7, 8), (9, 10)]);
        assert_eq!(parts(|each| split_lines(text.view(), true, each)), [(0, 2), (2, 5), (5, 7), (7, 9), (9, 11)]);
        assert_eq!(parts(|each| split_lines_units(b"a\x0bb\nc", Bytes, false, each)), [(0, 3), (4, 5)]);
    }

    #[test]
    fn stripping_takes_space_or_a_set() {
        let strip = |text: &str, ends, chars: Option<&str>| {
            let (text, chars) = (Text::from(text), chars.map(Text::from));
            let range = strip(text.view(), ends, chars.as_ref().map(Text::view));
            text.slice(range.start, range.end).to_string()
        };
        assert_eq!(strip(" \u{2003}a ", Ends::Both, None), "a");
        assert_eq!(strip(" a ", Ends::Left, None), "a ");
        assert_eq!(strip(" a ", Ends::Right, None), " a");
        assert_eq!(strip("xéaéx", Ends::Both, Some("éx")), "a");
        assert_eq!(strip("   ", Ends::Both, None), "");
        assert_eq!(strip("   ", Ends::Left, None), "");
    }
}
