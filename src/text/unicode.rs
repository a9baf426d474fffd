//! What a single character is: the predicates of `str`, digit values and case mappings, as CPython 3.13 has them.

use super::tables::{self, Case, Property};

/// Looks a code point up in a three-level table.
macro_rules! look_up {
    ($tables:ident, $code:expr, $low:ident, $middle:ident, $top:ident, $middles:ident, $leaves:ident, $records:ident) => {{
        let code = $code as usize;
        let block = usize::from($tables::$top[code >> ($tables::$low + $tables::$middle)]);
        let middle = (block << $tables::$middle) + ((code >> $tables::$low) & ((1 << $tables::$middle) - 1));
        let leaf = (usize::from($tables::$middles[middle]) << $tables::$low) + (code & ((1 << $tables::$low) - 1));
        $tables::$records[usize::from($tables::$leaves[leaf])]
    }};
}
pub(super) use look_up;

#[inline]
fn property(code: u32) -> Property {
    look_up!(tables, code, PROPERTY_LOW, PROPERTY_MIDDLE, PROPERTY_TOP, PROPERTY_MIDDLES, PROPERTY_LEAVES, PROPERTIES)
}

#[inline]
fn case(code: u32) -> Case {
    look_up!(tables, code, CASE_LOW, CASE_MIDDLE, CASE_TOP, CASE_MIDDLES, CASE_LEAVES, CASES)
}

/// Defines one predicate per flag.
macro_rules! predicates {
    ($($(#[$doc:meta])* $name:ident = $flags:expr;)*) => {
        $(
            $(#[$doc])*
            #[inline]
            pub(crate) fn $name(code: u32) -> bool {
                property(code).flags & ($flags) != 0
            }
        )*
    };
}

predicates! {
    /// `str.isalpha` of one character.
    is_alpha = tables::ALPHA;
    /// `str.isdecimal` of one character.
    is_decimal = tables::DECIMAL;
    /// `str.isdigit` of one character.
    is_digit = tables::DIGIT;
    /// `str.isnumeric` of one character.
    is_numeric = tables::NUMERIC;
    /// `str.isalnum` of one character.
    is_alnum = tables::ALPHA | tables::DECIMAL | tables::DIGIT | tables::NUMERIC;
    /// `str.islower` of one character.
    is_lower = tables::LOWER;
    /// `str.isupper` of one character.
    is_upper = tables::UPPER;
    /// Whether it is a title-case letter such as `ǅ`.
    is_title = tables::TITLE;
    /// Whether `repr` shows it as it is.
    is_printable = tables::PRINTABLE;
    /// `str.isspace` of one character.
    is_space = tables::SPACE;
    /// Whether it may start an identifier.
    is_identifier_start = tables::ID_START;
    /// Whether it may follow in an identifier.
    is_identifier_continue = tables::ID_CONTINUE;
    /// Whether it has case, for the purposes of title case and the final sigma.
    is_cased = tables::CASED;
    /// Whether the final-sigma rule looks through it.
    is_case_ignorable = tables::IGNORABLE;
    /// Whether `str.splitlines` ends a line at it.
    is_line_break = tables::LINE_BREAK;
}

/// The value of a decimal digit.
#[inline]
pub(crate) fn decimal_value(code: u32) -> Option<u8> {
    if code < 0x80 {
        let value = code.wrapping_sub(0x30);
        return (value < 10).then_some(value as u8);
    }
    let property = property(code);
    (property.flags & tables::DECIMAL != 0).then_some(property.digit)
}

/// The value of a digit, superscripts and the like included.
pub(crate) fn digit_value(code: u32) -> Option<u8> {
    Some(property(code).digit).filter(|&value| value != 255)
}

/// The one-character lower case, as regular expressions compare.
#[inline]
pub(crate) fn simple_lower(code: u32) -> u32 {
    if code < 0x80 {
        return u32::from((code as u8).to_ascii_lowercase());
    }
    code.wrapping_add_signed(case(code).lower)
}

/// The one-character upper case; the character itself when there is none.
#[inline]
pub(crate) fn simple_upper(code: u32) -> u32 {
    if code < 0x80 {
        return u32::from((code as u8).to_ascii_uppercase());
    }
    code.wrapping_add_signed(case(code).upper)
}

/// Lower-case characters that share their upper case with this lower-case one, up to a 0.
pub(crate) fn same_upper(lower: u32) -> &'static [u32] {
    match special(&tables::SAME_UPPER, lower) {
        Some(others) => &others[..others.iter().position(|&other| other == 0).unwrap_or(3)],
        None => &[],
    }
}

fn special(table: &'static [(u32, [u32; 3])], code: u32) -> Option<&'static [u32; 3]> {
    table.binary_search_by_key(&code, |row| row.0).ok().map(|index| &table[index].1)
}

/// Which mapping of case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mapping {
    /// To lower case, without the final-sigma rule.
    Lower,
    /// To upper case.
    Upper,
    /// To title case.
    Title,
    /// To what compares equal without case.
    Fold,
}

/// The full mapping of a character: one to three characters, handed to `push` in order.
#[inline]
pub(crate) fn map_case(code: u32, mapping: Mapping, mut push: impl FnMut(u32)) {
    if code < 0x80 {
        let byte = code as u8;
        return push(u32::from(match mapping {
            Mapping::Lower | Mapping::Fold => byte.to_ascii_lowercase(),
            Mapping::Upper | Mapping::Title => byte.to_ascii_uppercase(),
        }));
    }
    let case = case(code);
    let (delta, bit, table): (_, _, &'static [_]) = match mapping {
        Mapping::Lower => (case.lower, 1, &tables::SPECIAL_LOWER),
        Mapping::Upper => (case.upper, 2, &tables::SPECIAL_UPPER),
        Mapping::Title => (case.title, 4, &tables::SPECIAL_TITLE),
        Mapping::Fold => (case.fold, 8, &tables::SPECIAL_FOLD),
    };
    if case.special & bit != 0
        && let Some(full) = special(table, code)
    {
        full.iter().take_while(|&&code| code != 0).for_each(|&code| push(code));
    } else {
        push(code.wrapping_add_signed(delta));
    }
}

/// Whether the character takes two columns of a terminal.
pub(crate) fn is_wide(code: u32) -> bool {
    let after = tables::WIDE.partition_point(|range| range.0 <= code);
    after > 0 && code <= tables::WIDE[after - 1].1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected sum is what `tests/tools/unicode_tables.py --check-sum` printed.
    #[test]
    fn every_code_point_is_as_cpython_says() {
        let mut sum = 0xCBF2_9CE4_8422_2325_u64;
        let mut add = |value: u32| sum = (sum ^ u64::from(value)).wrapping_mul(0x0100_0000_01B3);
        for code in 0..0x11_0000 {
            add(u32::from(property(code).flags));
            add(u32::from(property(code).digit));
            for mapping in [Mapping::Lower, Mapping::Upper, Mapping::Title, Mapping::Fold] {
                map_case(code, mapping, &mut add);
            }
            add(simple_lower(code));
            add(u32::from(is_wide(code)));
        }
        assert_eq!(sum, 0xd58b_e6cb_095f_019f);
    }

    #[test]
    fn digits_have_values() {
        assert_eq!(decimal_value(u32::from('7')), Some(7));
        assert_eq!(decimal_value(u32::from('a')), None);
        assert_eq!(decimal_value(u32::from('٣')), Some(3));
        assert_eq!(decimal_value(u32::from('²')), None);
        assert_eq!(digit_value(u32::from('²')), Some(2));
        assert_eq!(same_upper(u32::from('µ')), [u32::from('μ')]);
    }
}
