//! Sets of characters as patterns use them.

use std::sync::OnceLock;

use super::super::unicode;

/// `\d`, `\s` or `\w`, or their opposites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Category {
    pub(super) class: Class,
    pub(super) negated: bool,
}

/// What a category asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Class {
    /// A decimal digit.
    Digit,
    /// White space.
    Space,
    /// A letter, a digit or `_`.
    Word,
}

/// A member of a set as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Item {
    Char(u32),
    Range(u32, u32),
    Category(Category),
}

/// How characters are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Fold {
    /// As they are.
    None,
    /// Letters of ASCII without case.
    Ascii,
    /// All letters without case.
    Unicode,
}

impl Fold {
    /// What the character is compared as.
    #[inline]
    pub(super) fn apply(self, code: u32) -> u32 {
        match self {
            Self::Ascii if code < 0x80 => u32::from((code as u8).to_ascii_lowercase()),
            Self::None | Self::Ascii => code,
            Self::Unicode => unicode::simple_lower(code),
        }
    }

    /// Whether case makes a difference for the character.
    pub(super) fn is_cased(self, code: u32) -> bool {
        match self {
            Self::None => false,
            Self::Ascii => code < 0x80 && (code as u8).is_ascii_alphabetic(),
            Self::Unicode => {
                let mut upper = code;
                unicode::map_case(code, unicode::Mapping::Upper, |part| upper = part);
                unicode::simple_lower(code) != code || upper != code
            }
        }
    }
}

/// Whether the character belongs to the class, by Unicode's rules or ASCII's.
#[inline]
pub(super) fn in_class(class: Class, code: u32, unicode: bool) -> bool {
    if code < 0x80 {
        let byte = code as u8;
        return match class {
            Class::Digit => byte.is_ascii_digit(),
            Class::Space => matches!(byte, b' ' | 0x09..=0x0D) || unicode && matches!(byte, 0x1C..=0x1F),
            Class::Word => byte.is_ascii_alphanumeric() || byte == b'_',
        };
    }
    unicode
        && match class {
            Class::Digit => unicode::is_decimal(code),
            Class::Space => unicode::is_space(code),
            Class::Word => unicode::is_alnum(code),
        }
}

/// What `in_class` answers for the first 256 code points.
fn class_bits(class: Class, unicode: bool) -> Bits {
    static KNOWN: [OnceLock<Bits>; 6] = [const { OnceLock::new() }; 6];
    *KNOWN[class as usize * 2 + usize::from(unicode)].get_or_init(|| {
        let mut bits = Bits::default();
        (0..256).filter(|&code| in_class(class, code, unicode)).for_each(|code| bits.add(code));
        bits
    })
}

/// A set ready for matching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CharSet {
    /// The answers for the first 256 code points.
    low: Bits,
    /// Sorted, apart, inclusive.
    ranges: Vec<(u32, u32)>,
    categories: Vec<Category>,
    negated: bool,
    unicode: bool,
    fold: Fold,
}

/// A bit for each of the first 256 code points.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bits([u64; 4]);

impl Bits {
    #[inline]
    pub(super) fn has(self, code: u32) -> bool {
        self.0[(code >> 6) as usize & 3] >> (code & 63) & 1 != 0
    }

    pub(super) fn add(&mut self, code: u32) {
        self.0[(code >> 6) as usize & 3] |= 1 << (code & 63);
    }

    /// Adds those from `first` to `last`, which is below 256.
    fn add_range(&mut self, first: u32, last: u32) {
        for (place, word) in self.0.iter_mut().enumerate() {
            let start = place as u32 * 64;
            if first > start + 63 || last < start || first > last {
                continue;
            }
            let (from, to) = (first.max(start) - start, last.min(start + 63) - start);
            *word |= u64::MAX >> (63 - (to - from)) << from;
        }
    }

    fn opposite(self) -> Self {
        Self(self.0.map(|word| !word))
    }

    pub(super) fn union(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, other)| *mine |= other);
    }

    /// The only code point in it, if there is exactly one.
    pub(super) fn single(self) -> Option<u32> {
        let count: u32 = self.0.iter().map(|word| word.count_ones()).sum();
        let (index, word) = self.0.iter().enumerate().find(|(_, word)| **word != 0)?;
        (count == 1).then(|| index as u32 * 64 + word.trailing_zeros())
    }
}

/// No letter at or above this has a case.
const CASED_END: u32 = 0x1_E944;

impl CharSet {
    pub(super) fn new(items: &[Item], negated: bool, fold: Fold, unicode: bool) -> Self {
        let mut ranges = Vec::new();
        let mut categories = Vec::new();
        let add_char = |code: u32, ranges: &mut Vec<(u32, u32)>| {
            let lower = fold.apply(code);
            ranges.push((lower, lower));
            if fold == Fold::Unicode {
                ranges.extend(unicode::same_upper(lower).iter().map(|&other| (other, other)));
            }
        };
        for item in items {
            match *item {
                Item::Char(code) => add_char(code, &mut ranges),
                Item::Range(first, last) if fold == Fold::None => ranges.push((first, last)),
                Item::Range(first, last) => {
                    ranges.push((first.max(CASED_END), last.max(CASED_END)));
                    if last < CASED_END {
                        ranges.pop();
                    }
                    (first..=last.min(CASED_END)).for_each(|code| add_char(code, &mut ranges));
                }
                Item::Category(category) if !categories.contains(&category) => {
                    categories.push(category);
                }
                Item::Category(_) => {}
            }
        }
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(range) if first <= range.1.saturating_add(1) => range.1 = range.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        merged.shrink_to_fit();
        let mut set = Self { low: Bits::default(), ranges: merged, categories, negated, unicode, fold };
        set.low = set.low_bits();
        set
    }

    /// What `look_up` answers for the first 256 code points, all at once: most patterns are compiled without ever being used.
    fn low_bits(&self) -> Bits {
        let mut low = Bits::default();
        for &(first, last) in &self.ranges {
            low.add_range(first, last.min(255));
        }
        if self.fold != Fold::None {
            // A character is in it when what it is compared as is.
            let folded = low;
            low = Bits::default();
            for code in 0..256 {
                let lower = self.fold.apply(code);
                if if lower < 256 { folded.has(lower) } else { self.has_range(lower) } {
                    low.add(code);
                }
            }
        }
        for category in &self.categories {
            let mut members = class_bits(category.class, self.unicode);
            if self.fold != Fold::None {
                let plain = members;
                members = Bits::default();
                for code in 0..256 {
                    let lower = self.fold.apply(code);
                    if if lower < 256 { plain.has(lower) } else { in_class(category.class, lower, self.unicode) } {
                        members.add(code);
                    }
                }
            }
            low.union(if category.negated { members.opposite() } else { members });
        }
        if self.negated { low.opposite() } else { low }
    }

    fn has_range(&self, code: u32) -> bool {
        let after = self.ranges.partition_point(|range| range.0 <= code);
        after > 0 && code <= self.ranges[after - 1].1
    }

    fn look_up(&self, code: u32) -> bool {
        let code = self.fold.apply(code);
        let found = self.has_range(code) || self.categories.iter().any(|it| in_class(it.class, code, self.unicode) != it.negated);
        found != self.negated
    }

    #[inline]
    pub(super) fn contains(&self, code: u32) -> bool {
        if code < 256 { self.low.has(code) } else { self.look_up(code) }
    }

    /// The answers for the first 256 code points, and whether any other may belong to it.
    pub(super) fn first(&self) -> (Bits, bool) {
        let wide = self.negated
            || self.fold == Fold::Unicode
            || self.categories.iter().any(|category| category.negated || self.unicode)
            || self.ranges.last().is_some_and(|range| range.1 >= 256);
        (self.low, wide)
    }

    pub(super) fn heap_size(&self) -> usize {
        self.ranges.capacity() * size_of::<(u32, u32)>() + self.categories.capacity() * size_of::<Category>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_answers_are_those_of_the_look_up() {
        let category = |class, negated| Item::Category(Category { class, negated });
        let sets: &[&[Item]] = &[
            &[],
            &[Item::Char(0), Item::Char(255), Item::Range(60, 70)],
            &[Item::Range(0, 0x10_FFFF)],
            &[Item::Range(65, 300), category(Class::Space, false)],
            &[Item::Range(63, 64), Item::Range(127, 128), Item::Range(191, 192)],
            &[category(Class::Word, true), category(Class::Digit, false)],
            &[Item::Char(0x17F), Item::Char(0x3BC), category(Class::Word, false)],
            &[Item::Char(0x212A), category(Class::Digit, true)],
        ];
        for items in sets {
            for fold in [Fold::None, Fold::Ascii, Fold::Unicode] {
                for (negated, unicode) in [(false, false), (false, true), (true, false), (true, true)] {
                    let set = CharSet::new(items, negated, fold, unicode);
                    for code in 0..256 {
                        assert_eq!(set.contains(code), set.look_up(code), "{items:?} {fold:?} {negated} {unicode} {code}");
                    }
                }
            }
        }
    }
}
