//! Finding, counting and replacing, for every width of text and for bytes.

use std::borrow::Cow;
use std::mem::size_of;

use bytemuck::{Pod, cast_slice};
use memchr::memmem;

use super::builder::TextBuilder;
use super::pace::{self, Counted, PIECE};
use super::text::{Text, TextTooLarge};
use super::view::{TextView, Unit, with_units};

/// Looks for one needle in many places.
///
/// All widths are searched as bytes; a hit between two units is stepped over.
pub(crate) struct Finder<'n, U: Unit + Pod> {
    needle: &'n [U],
    bytes: Option<memmem::Finder<'n>>,
}

impl<'n, U: Unit + Pod> Finder<'n, U> {
    /// Prepares for a needle, which must not be empty.
    pub(crate) fn new(needle: &'n [U]) -> Self {
        assert!(!needle.is_empty(), "an empty needle is everywhere");
        Self { needle, bytes: (needle.len() > 1).then(|| memmem::Finder::new(cast_slice(needle))) }
    }

    /// Where the needle first begins.
    #[inline]
    pub(crate) fn find(&self, units: &[U]) -> Option<usize> {
        if units.len() > PIECE { self.find_in_pieces(units) } else { self.find_in_piece(units) }
    }

    fn find_in_pieces(&self, units: &[U]) -> Option<usize> {
        let mut from = 0;
        loop {
            // What begins in a piece may end beyond it.
            let end = units.len().min(from + PIECE + self.needle.len() - 1);
            if let Some(at) = self.find_in_piece(&units[from..end]) {
                return Some(from + at);
            }
            from += PIECE;
            if units.len().saturating_sub(from) < self.needle.len() || !pace::go_on() {
                return None;
            }
        }
    }

    #[inline]
    fn find_in_piece(&self, units: &[U]) -> Option<usize> {
        let Some(finder) = &self.bytes else {
            return find_unit_in_piece(units, self.needle[0]);
        };
        let bytes: &[u8] = cast_slice(units);
        let mut from = 0;
        loop {
            let at = from + finder.find(&bytes[from..])?;
            if at.is_multiple_of(size_of::<U>()) {
                return Some(at / size_of::<U>());
            }
            from = at + 1;
        }
    }
}

/// Where a unit first stands.
#[inline]
pub(crate) fn find_unit<U: Unit + Pod>(units: &[U], unit: U) -> Option<usize> {
    if units.len() <= PIECE {
        return find_unit_in_piece(units, unit);
    }
    let mut before = 0;
    for piece in pace::pieces(units) {
        if let Some(at) = find_unit_in_piece(piece, unit) {
            return Some(before + at);
        }
        before += piece.len();
    }
    None
}

#[inline]
fn find_unit_in_piece<U: Unit + Pod>(units: &[U], unit: U) -> Option<usize> {
    if size_of::<U>() == 1 {
        return memchr::memchr(unit.code() as u8, cast_slice(units));
    }
    // Whole blocks compare as vectors; only a block that has a hit is looked at one by one.
    const BLOCK: usize = 16;
    let mut start = 0;
    for block in units.chunks(BLOCK) {
        let hits: usize = block.iter().map(|&other| usize::from(other == unit)).sum();
        if hits > 0 {
            return block.iter().position(|&other| other == unit).map(|at| start + at);
        }
        start += block.len();
    }
    None
}

/// Where a unit last stands.
#[inline]
pub(crate) fn rfind_unit<U: Unit + Pod>(units: &[U], unit: U) -> Option<usize> {
    if units.len() <= PIECE {
        return rfind_unit_in_piece(units, unit);
    }
    let mut end = units.len();
    for piece in pace::pieces_from_end(units) {
        end -= piece.len();
        if let Some(at) = rfind_unit_in_piece(piece, unit) {
            return Some(end + at);
        }
    }
    None
}

#[inline]
fn rfind_unit_in_piece<U: Unit + Pod>(units: &[U], unit: U) -> Option<usize> {
    if size_of::<U>() == 1 {
        return memchr::memrchr(unit.code() as u8, cast_slice(units));
    }
    units.iter().rposition(|&other| other == unit)
}

/// Where `needle` first begins; 0 when it is empty.
#[inline]
pub(crate) fn find_units<U: Unit + Pod>(units: &[U], needle: &[U]) -> Option<usize> {
    match needle {
        [] => Some(0),
        [unit] => find_unit(units, *unit),
        _ if needle.len() > units.len() => None,
        _ if units.len() <= SMALL => find_in_small(units, needle),
        _ => Finder::new(needle).find(units),
    }
}

/// Preparing a searcher costs more than looking through this many units.
const SMALL: usize = 96;

fn find_in_small<U: Unit + Pod>(units: &[U], needle: &[U]) -> Option<usize> {
    let (&first, rest) = needle.split_first()?;
    let last_start = units.len().checked_sub(needle.len())?;
    let mut from = 0;
    loop {
        let at = from + find_unit(&units[from..=last_start], first)?;
        if units[at + 1..at + needle.len()] == *rest {
            return Some(at);
        }
        from = at + 1;
        if from > last_start {
            return None;
        }
    }
}

/// Where `needle` last begins; the end when it is empty.
pub(crate) fn rfind_units<U: Unit + Pod>(units: &[U], needle: &[U]) -> Option<usize> {
    match needle {
        [] => return Some(units.len()),
        [unit] => return rfind_unit(units, *unit),
        _ if needle.len() > units.len() => return None,
        _ => {}
    }
    let finder = memmem::FinderRev::new(cast_slice::<U, u8>(needle));
    let mut end = units.len();
    loop {
        // What begins in a piece may end beyond it.
        let start = end.saturating_sub(PIECE + needle.len() - 1);
        if let Some(at) = rfind_in_piece(&finder, &units[start..end], needle) {
            return Some(start + at);
        }
        if start == 0 || !pace::go_on() {
            return None;
        }
        end = start + needle.len() - 1;
    }
}

fn rfind_in_piece<U: Unit + Pod>(finder: &memmem::FinderRev<'_>, units: &[U], needle: &[U]) -> Option<usize> {
    let mut bytes: &[u8] = cast_slice(units);
    loop {
        let at = finder.rfind(bytes)?;
        if at.is_multiple_of(size_of::<U>()) {
            return Some(at / size_of::<U>());
        }
        bytes = &bytes[..at + size_of_val(needle) - 1];
    }
}

/// How often `needle` stands there without overlap; once more than there are units when it is empty.
pub(crate) fn count_units<U: Unit + Pod>(units: &[U], needle: &[U]) -> usize {
    match needle {
        [] => units.len() + 1,
        [unit] => pace::pieces(units).map(|piece| piece.iter().filter(|&other| other == unit).count()).sum(),
        _ => {
            let mut count = 0;
            each_match(units, needle, usize::MAX, |_| count += 1);
            count
        }
    }
}

/// Up to this many units are searched for a single one without preparations.
const SHORT: usize = 64;

/// Calls `each` with the beginning of the first `max` matches that do not overlap. The needle is not empty.
pub(crate) fn each_match<U: Unit + Pod>(units: &[U], needle: &[U], max: usize, mut each: impl FnMut(usize)) {
    if needle.len() > units.len() || max == 0 {
        return;
    }
    if let [wanted] = needle {
        if units.len() <= SHORT {
            return units.iter().enumerate().filter(|(_, unit)| *unit == wanted).take(max).for_each(|(at, _)| each(at));
        }
    }
    let finder = Finder::new(needle);
    let mut from = 0;
    let mut counted = Counted::default();
    for _ in 0..max {
        let Some(at) = finder.find(&units[from..]) else { return };
        each(from + at);
        from += at + needle.len();
        if !counted.go_on() {
            return;
        }
    }
}

/// Replaces the first `max` matches; `None` when there is none. An empty `old` stands before every unit and at the end.
pub(crate) fn replace_units<U: Unit + Pod>(units: &[U], old: &[U], new: &[U], max: Option<usize>) -> Result<Option<Vec<U>>, TextTooLarge> {
    let max = max.unwrap_or(usize::MAX);
    if max == 0 || old == new {
        return Ok(None);
    }
    let mut out = Vec::new();
    if old.is_empty() {
        let times = max.min(units.len() + 1);
        out.try_reserve_exact(new.len().checked_mul(times).and_then(|len| len.checked_add(units.len())).ok_or(TextTooLarge)?)?;
        let split = times.min(units.len());
        for piece in pace::pieces(&units[..split]) {
            for &unit in piece {
                out.extend_from_slice(new);
                out.push(unit);
            }
        }
        if times > units.len() {
            out.extend_from_slice(new);
        }
        out.extend_from_slice(&units[split..]);
        return Ok(Some(out));
    }
    if old.len() == new.len() {
        each_match(units, old, max, |at| {
            if out.is_empty() {
                out.extend_from_slice(units);
            }
            out[at..at + new.len()].copy_from_slice(new);
        });
        return Ok((!out.is_empty()).then_some(out));
    }
    let mut from = 0;
    let mut failed = false;
    each_match(units, old, max, |at| {
        failed = failed || out.try_reserve(at - from + new.len()).is_err();
        if !failed {
            out.extend_from_slice(&units[from..at]);
            out.extend_from_slice(new);
        }
        from = at + old.len();
    });
    if failed {
        return Err(TextTooLarge);
    }
    if from == 0 {
        return Ok(None);
    }
    out.try_reserve_exact(units.len() - from)?;
    out.extend_from_slice(&units[from..]);
    Ok(Some(out))
}

/// The code points as units of another width; `None` when one does not fit, so that a search cannot succeed.
pub(crate) fn in_width<U: Unit + Pod>(view: TextView<'_>) -> Option<Cow<'_, [U]>> {
    fn converted<U: Unit + Pod, V: Unit + Pod>(units: &[V]) -> Option<Cow<'_, [U]>> {
        if size_of::<U>() == size_of::<V>() {
            return Some(Cow::Borrowed(cast_slice(units)));
        }
        units.iter().map(|unit| U::from_code(unit.code())).collect::<Option<Vec<U>>>().map(Cow::Owned)
    }
    with_units!(view, |units| converted(units))
}

/// Where `needle` first begins in `view`.
#[inline]
pub(crate) fn find(view: TextView<'_>, needle: TextView<'_>) -> Option<usize> {
    with_units!(view, |units| find_units(units, &in_width(needle)?))
}

/// Where `needle` last begins in `view`.
pub(crate) fn rfind(view: TextView<'_>, needle: TextView<'_>) -> Option<usize> {
    with_units!(view, |units| rfind_units(units, &in_width(needle)?))
}

/// How often `needle` stands in `view` without overlap.
pub(crate) fn count(view: TextView<'_>, needle: TextView<'_>) -> usize {
    with_units!(view, |units| in_width(needle).map_or(0, |needle| count_units(units, &needle)))
}

/// Whether `view` begins with `prefix`.
#[inline]
pub(crate) fn starts_with(view: TextView<'_>, prefix: TextView<'_>) -> bool {
    prefix.len() <= view.len() && view.slice(0, prefix.len()) == prefix
}

/// Whether `view` ends with `suffix`.
#[inline]
pub(crate) fn ends_with(view: TextView<'_>, suffix: TextView<'_>) -> bool {
    suffix.len() <= view.len() && view.slice(view.len() - suffix.len(), view.len()) == suffix
}

/// `str.replace`: `None` when nothing changes.
pub(crate) fn replace(view: TextView<'_>, old: TextView<'_>, new: TextView<'_>, max: Option<usize>) -> Result<Option<Text>, TextTooLarge> {
    if let (TextView::Ascii(units), TextView::Ascii(old), TextView::Ascii(new)) = (view, old, new) {
        let replaced = replace_units(units, old, new, max)?;
        return Ok(replaced.map(|bytes| Text::from_string(String::from_utf8(bytes).expect("ASCII of ASCII"))));
    }
    with_units!(view, |units| replace_in(units, old, new, max))
}

fn replace_in<U: Unit + Pod>(units: &[U], old: TextView<'_>, new: TextView<'_>, max: Option<usize>) -> Result<Option<Text>, TextTooLarge> {
    let Some(old) = in_width::<U>(old) else { return Ok(None) };
    // A replacement that is wider than the text cannot be written in its units.
    match in_width::<U>(new).filter(|new| new.iter().all(|unit| unit.code() <= U::MAX)) {
        Some(new) => Ok(replace_units(units, &old, &new, max)?.map(|units| U::view(&units).to_text())),
        None => replace_wider(units, &old, new, max),
    }
}

fn replace_wider<U: Unit + Pod>(units: &[U], old: &[U], new: TextView<'_>, max: Option<usize>) -> Result<Option<Text>, TextTooLarge> {
    let max = max.unwrap_or(usize::MAX);
    let mut out = TextBuilder::new();
    let mut from = 0;
    let mut matched = false;
    let mut failed = false;
    let mut push = |at: usize, old_len: usize| {
        matched = true;
        failed = failed || out.try_reserve(at - from + new.len()).is_err();
        if !failed {
            out.push_view(U::view(&units[from..at]));
            out.push_view(new);
        }
        from = at + old_len;
    };
    if old.is_empty() {
        let mut counted = Counted::default();
        (0..=units.len()).take(max).take_while(|_| counted.go_on()).for_each(|at| push(at, 0));
    } else {
        each_match(units, old, max, |at| push(at, old.len()));
    }
    if failed {
        return Err(TextTooLarge);
    }
    if !matched {
        return Ok(None);
    }
    out.try_reserve(units.len() - from)?;
    out.push_view(U::view(&units[from..]));
    Ok(Some(out.finish()))
}

/// `sep.join(parts)`.
pub(crate) fn join<'a>(separator: TextView<'_>, parts: impl Iterator<Item = TextView<'a>> + Clone) -> Result<Text, TextTooLarge> {
    let mut len = 0_usize;
    for part in parts.clone() {
        len = len.checked_add(part.len() + separator.len()).ok_or(TextTooLarge)?;
    }
    let mut out = TextBuilder::new();
    out.try_reserve(len.saturating_sub(separator.len()))?;
    for (index, part) in parts.enumerate() {
        if index > 0 && !separator.is_empty() {
            out.push_view(separator);
        }
        out.push_view(part);
    }
    Ok(out.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(string: &str) -> Text {
        Text::from(string)
    }

    /// Every text in all three widths finds the same things.
    #[test]
    fn all_widths_find_the_same() {
        let cases = [("abcabcab", "abc"), ("aaaa", "aa"), ("", ""), ("abc", ""), ("abc", "x"), ("ab", "abc"), ("xxab", "ab")];
        for (hay, needle) in cases {
            for tail in ["", "é", "😀"] {
                let hay = text(&format!("{hay}{tail}"));
                let chars: Vec<char> = hay.to_string().chars().collect();
                let needle_chars: Vec<char> = needle.chars().collect();
                let at = |start: usize| chars[start..].starts_with(&needle_chars);
                let needle = text(needle);
                assert_eq!(find(hay.view(), needle.view()), (0..=chars.len()).find(|&start| at(start)));
                assert_eq!(rfind(hay.view(), needle.view()), (0..=chars.len()).rfind(|&start| at(start)));
                let expected = if needle.is_empty() { chars.len() + 1 } else { hay.to_string().matches(&needle.to_string()).count() };
                assert_eq!(count(hay.view(), needle.view()), expected);
            }
        }
        assert_eq!(find(text("abc").view(), text("é").view()), None);
        assert_eq!(rfind(text("éabcé").view(), text("é").view()), Some(4));
    }

    #[test]
    fn a_match_between_two_units_does_not_count() {
        let hay = Text::from_code_points([0x6100, 0x6161, 0x0061, 0x6162, 0x0063]);
        let needle = Text::from_code_points([0x0061, 0x6162]);
        assert_eq!(find(hay.view(), needle.view()), Some(2));
        assert_eq!(rfind(hay.view(), needle.view()), Some(2));
        let never = Text::from_code_points([0x6161, 0x6161]);
        assert_eq!(find(hay.view(), never.view()), None);
        assert_eq!(rfind(hay.view(), never.view()), None);
    }

    #[test]
    fn replacement_changes_width_when_needed() {
        let replaced = |hay: &str, old: &str, new: &str, max: Option<usize>| {
            replace(text(hay).view(), text(old).view(), text(new).view(), max).unwrap().map(|text| text.to_string())
        };
        assert_eq!(replaced("spam spam", "spam", "é", None).as_deref(), Some("é é"));
        assert_eq!(replaced("spam spam", "pa", "PA", Some(1)).as_deref(), Some("sPAm spam"));
        assert_eq!(replaced("ab", "", "-", None).as_deref(), Some("-a-b-"));
        assert_eq!(replaced("ab", "", "-", Some(2)).as_deref(), Some("-a-b"));
        assert_eq!(replaced("ab", "", "é", None).as_deref(), Some("éaébé"));
        assert_eq!(replaced("", "", "x", None).as_deref(), Some("x"));
        assert_eq!(replaced("éaé", "é", "", None).as_deref(), Some("a"));
        assert_eq!(replaced("éaé", "a", "😀", None).as_deref(), Some("é😀é"));
        assert_eq!(replaced("abc", "x", "y", None), None);
        assert_eq!(replaced("abc", "a", "y", Some(0)), None);
        assert_eq!(replaced("aXbX", "X", "", None).as_deref(), Some("ab"));
    }

    #[test]
    fn joining_widens_once_a_part_needs_it() {
        let parts = [text("a"), text("é"), text("😀"), text("")];
        assert_eq!(join(text(", ").view(), parts.iter().map(Text::view)).unwrap(), "a, é, 😀, ");
        assert_eq!(join(text(", ").view(), [].into_iter()).unwrap(), "");
    }
}
