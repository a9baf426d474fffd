//! Python's `float`: its text in both directions, rounding, division rounded down, powers and hashes.

use super::bigint::BigInt;
use super::int::{HASH_BITS, HASH_MODULUS, Int};
use super::{Error, Result};

/// What Python's `hash` gives for infinity.
const HASH_INFINITY: i64 = 314_159;
/// No float has more digits after the point.
const MAX_FRACTION_DIGITS: usize = 1074;
/// No float has more significant digits.
const MAX_DIGITS: usize = 767;

/// The text of `repr`: the fewest digits that read back as the same float.
pub(crate) fn repr(value: f64) -> String {
    format(value, &FloatFormat { kind: FloatKind::Repr, ..FloatFormat::default() }).to_text()
}

/// The value of a text, stripped and ASCII, as `float()` takes it. `None` if it is no number.
pub(crate) fn parse(text: &[u8]) -> Option<f64> {
    let clean;
    let text = if text.contains(&b'_') {
        let between_digits =
            |(index, _): (usize, &u8)| index > 0 && text[index - 1].is_ascii_digit() && text.get(index + 1).is_some_and(u8::is_ascii_digit);
        if !text.iter().enumerate().filter(|&(_, &byte)| byte == b'_').all(between_digits) {
            return None;
        }
        clean = text.iter().copied().filter(|&byte| byte != b'_').collect::<Vec<u8>>();
        &clean[..]
    } else {
        text
    };
    // Python's grammar is Rust's: digits with an optional point and exponent, `inf`, `infinity` and `nan`.
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Which of the format language's presentations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum FloatKind {
    /// `e`: always an exponent.
    Exponent,
    /// `f`: never an exponent.
    Fixed,
    /// `g` and `n`: an exponent where it is shorter, trailing zeros cut.
    General,
    /// `%`: a hundred times the value, fixed.
    Percent,
    /// No type: as `g` with a digit after the point; without precision as `repr`.
    #[default]
    Plain,
    /// `repr`'s digits and layout, with `.0` after a whole number.
    Repr,
    /// `repr`'s digits and layout without `.0`, as the parts of a complex number have it.
    ReprPart,
}

/// How to turn a float into digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FloatFormat {
    /// The presentation.
    pub(crate) kind: FloatKind,
    /// Digits after the point, or significant ones for `General` and `Plain`; 6 when absent.
    pub(crate) precision: Option<usize>,
    /// `#`: always a point, no zeros cut.
    pub(crate) alternate: bool,
    /// Capital `E`, `INF` and `NAN`.
    pub(crate) upper: bool,
    /// `z`: a zero that came from rounding a negative number loses its sign.
    pub(crate) no_negative_zero: bool,
}

impl FloatFormat {}

/// The parts of a formatted float, before padding and grouping.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says of one part whether it is there")]
pub(crate) struct FloatParts {
    /// Whether a minus sign belongs in front.
    pub(crate) negative: bool,
    /// Whether `integer` holds digits; otherwise it is `inf` or `nan`, never grouped.
    pub(crate) finite: bool,
    /// The digits before the point.
    pub(crate) integer: String,
    /// Whether there is a point.
    pub(crate) point: bool,
    /// The digits after the point.
    pub(crate) fraction: String,
    /// The exponent's text, as `e+05`, or nothing.
    pub(crate) exponent: String,
    /// Whether a percent sign ends the text.
    pub(crate) percent: bool,
}

impl FloatParts {
    /// The parts put together, without padding.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::with_capacity(self.integer.len() + self.fraction.len() + self.exponent.len() + 3);
        if self.negative {
            text.push('-');
        }
        text.push_str(&self.integer);
        self.push_tail(&mut text);
        text
    }

    /// Appends what follows the integer digits.
    pub(crate) fn push_tail(&self, text: &mut String) {
        if self.point {
            text.push('.');
        }
        text.push_str(&self.fraction);
        text.push_str(&self.exponent);
        if self.percent {
            text.push('%');
        }
    }
}

/// The digits of `value` in the given presentation. The caller has charged for `precision` bytes.
pub(crate) fn format(value: f64, format: &FloatFormat) -> FloatParts {
    let percent = format.kind == FloatKind::Percent;
    let value = if percent { value * 100.0 } else { value };
    let mut parts = FloatParts { negative: value.is_sign_negative(), percent, ..FloatParts::default() };
    if !value.is_finite() {
        parts.negative &= !value.is_nan();
        parts.integer.push_str(match (value.is_nan(), format.upper) {
            (true, false) => "nan",
            (true, true) => "NAN",
            (false, false) => "inf",
            (false, true) => "INF",
        });
        return parts;
    }
    parts.finite = true;
    let magnitude = value.abs();
    match (format.kind, format.precision) {
        (FloatKind::Fixed | FloatKind::Percent, precision) => {
            let precision = precision.unwrap_or(6);
            if let Some((integer, fraction)) = exact_fixed(magnitude, precision) {
                parts.integer = integer;
                parts.fraction = fraction;
                parts.point = format.alternate || precision > 0;
                return parts.without_negative_zero(format);
            }
            let text = format!("{magnitude:.*}", precision.min(MAX_FRACTION_DIGITS));
            let (integer, fraction) = text.split_once('.').unwrap_or((&text, ""));
            parts.integer.push_str(integer);
            parts.fraction = zero_filled(fraction, precision);
        }
        (FloatKind::Exponent, precision) => {
            let precision = precision.unwrap_or(6);
            let (digits, exponent) = rounded_digits(magnitude, precision.saturating_add(1));
            parts.set_exponent_form(&digits, exponent, precision, format.upper);
        }
        (FloatKind::General | FloatKind::Plain, precision) if precision.is_some() || format.kind == FloatKind::General => {
            let precision = precision.unwrap_or(6).max(1);
            let (digits, exponent) = rounded_digits(magnitude, precision);
            let plain = format.kind == FloatKind::Plain;
            let width = if format.alternate { precision } else { significant(&digits) };
            if exponent < -4 || exponent >= precision as i64 - i64::from(plain) {
                parts.set_exponent_form(&digits, exponent, width - 1, format.upper);
            } else {
                parts.set_fixed_form(&digits, exponent, width, plain);
            }
        }
        (kind, _) => {
            let (digits, exponent) = shortest_digits(magnitude);
            let width = digits.len();
            if (-4..16).contains(&exponent) {
                parts.set_fixed_form(&digits, exponent, width, kind != FloatKind::ReprPart);
            } else {
                parts.set_exponent_form(&digits, exponent, width - 1, format.upper);
            }
        }
    }
    parts.point = format.alternate || !parts.fraction.is_empty();
    parts.without_negative_zero(format)
}

/// The digits before and after the point of a number rounded to `precision` of the latter, ties to even, where 128 bits are enough to compute that
/// exactly: the number is an integer over a power of two.
fn exact_fixed(magnitude: f64, precision: usize) -> Option<(String, String)> {
    let (mantissa, exponent) = decompose(magnitude);
    let scale = 10_u128.checked_pow(u32::try_from(precision).ok()?)?;
    let scaled = u128::from(mantissa).checked_mul(scale)?;
    let rounded = if exponent >= 0 {
        scaled.checked_mul(1_u128.checked_shl(u32::try_from(exponent).ok()?)?)?
    } else {
        let shift = u32::try_from(-exponent).ok()?;
        if shift > 127 {
            return None;
        }
        let (quotient, rest, half) = (scaled >> shift, scaled & ((1 << shift) - 1), 1_u128 << (shift - 1));
        quotient + u128::from(rest > half || rest == half && quotient & 1 == 1)
    };
    let (integer, fraction) = (rounded / scale, rounded % scale);
    let fraction = if precision == 0 { String::new() } else { format!("{fraction:0precision$}") };
    Some((integer.to_string(), fraction))
}

impl FloatParts {
    /// The same, without the sign of a zero where the format asks for that.
    fn without_negative_zero(mut self, format: &FloatFormat) -> Self {
        if format.no_negative_zero && self.negative {
            let has_digit = |text: &str| text.bytes().any(|byte| byte != b'0');
            self.negative = has_digit(&self.integer) || has_digit(&self.fraction);
        }
        self
    }

    /// One digit, `fraction_digits` more, and the exponent.
    fn set_exponent_form(&mut self, digits: &str, exponent: i64, fraction_digits: usize, upper: bool) {
        let fraction = &digits[1..];
        self.integer.push_str(&digits[..1]);
        self.fraction = zero_filled(&fraction[..fraction.len().min(fraction_digits)], fraction_digits);
        let (letter, sign) = (if upper { 'E' } else { 'e' }, if exponent < 0 { '-' } else { '+' });
        self.exponent = format!("{letter}{sign}{:02}", exponent.abs());
    }

    /// `width` significant digits without exponent, and `.0` after a whole number if asked.
    fn set_fixed_form(&mut self, digits: &str, exponent: i64, width: usize, point_zero: bool) {
        if exponent < 0 {
            self.integer.push('0');
            self.fraction = "0".repeat(exponent.unsigned_abs() as usize - 1);
            self.fraction.push_str(&zero_filled(&digits[..digits.len().min(width)], width));
        } else {
            let before = exponent as usize + 1;
            self.integer = zero_filled(&digits[..digits.len().min(before)], before);
            let fraction = digits.get(before..width.min(digits.len())).unwrap_or("");
            self.fraction = zero_filled(fraction, width.saturating_sub(before));
        }
        if point_zero && self.fraction.is_empty() {
            self.fraction.push('0');
        }
    }
}

fn zero_filled(digits: &str, width: usize) -> String {
    let mut text = String::with_capacity(width);
    text.push_str(digits);
    text.extend(std::iter::repeat_n('0', width.saturating_sub(digits.len())));
    text
}

/// How many digits are left when trailing zeros are cut; at least one.
fn significant(digits: &str) -> usize {
    digits.trim_end_matches('0').len().max(1)
}

/// At most `count` significant digits, correctly rounded (missing ones are zeros), and the exponent of the first.
fn rounded_digits(magnitude: f64, count: usize) -> (String, i64) {
    let text = format!("{magnitude:.*e}", count.min(MAX_DIGITS) - 1);
    let (digits, exponent) = text.split_once('e').expect("the exponent form has an exponent");
    let exponent = exponent.parse().expect("the exponent is a number");
    (digits.chars().filter(|&digit| digit != '.').collect(), exponent)
}

/// The fewest digits that name this float, without trailing zeros, and the exponent of the first.
fn shortest_digits(magnitude: f64) -> (String, i64) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(magnitude);
    let (mantissa, written_exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = written_exponent.parse().expect("the exponent is a number");
    let mut digits = String::with_capacity(24);
    digits.push_str(before);
    digits.push_str(after);
    let leading = digits.len() - digits.trim_start_matches('0').len();
    if leading == digits.len() {
        return ("0".to_owned(), 0);
    }
    digits.drain(..leading);
    digits.truncate(significant(&digits));
    (digits, exponent + before.len() as i64 - 1 - leading as i64)
}

/// `round(value)`: to the nearest integer, ties to even.
pub(crate) fn round_to_int(value: f64) -> Result<Int> {
    Int::from_f64(value.round_ties_even())
}

/// `round(value, digits)`: to a multiple of `10 ** -digits`, correctly rounded, exact ties to even.
pub(crate) fn round(value: f64, digits: i64) -> Result<f64> {
    if !value.is_finite() || value == 0.0 || digits > 323 {
        return Ok(value);
    }
    let zero = 0.0_f64.copysign(value);
    if digits < -308 {
        return Ok(zero);
    }
    let rounded: f64 = if digits >= 0 {
        format!("{value:.*}", digits as usize)
    } else {
        let (all_digits, exponent) = rounded_digits(value.abs(), MAX_DIGITS);
        let kept = exponent + 1 + digits;
        match kept {
            ..0 => return Ok(zero),
            // Half a unit is a tie, and zero is even.
            0 if *all_digits <= *"5" || significant(&all_digits) == 1 && all_digits.starts_with('5') => {
                return Ok(zero);
            }
            0 => format!("{}1e{}", if value < 0.0 { "-" } else { "" }, -digits),
            _ => format!("{value:.*e}", kept as usize - 1),
        }
    }
    .parse()
    .expect("formatted floats are floats");
    if rounded.is_finite() { Ok(rounded) } else { Err(Error::RoundOverflow) }
}

/// `float.hex`.
pub(crate) fn to_hex(value: f64) -> String {
    let sign = if value.is_sign_negative() && !value.is_nan() { "-" } else { "" };
    if !value.is_finite() {
        return format!("{sign}{}", if value.is_nan() { "nan" } else { "inf" });
    }
    if value == 0.0 {
        return format!("{sign}0x0.0p+0");
    }
    let (mantissa, exponent) = decompose(value);
    format!("{sign}0x{}.{:013x}p{:+}", mantissa >> 52, mantissa & ((1 << 52) - 1), exponent + 52)
}

/// `float.fromhex` of a stripped text.
pub(crate) fn from_hex(text: &[u8]) -> Result<f64> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    let sign = if negative { -1.0_f64 } else { 1.0 };
    if rest.eq_ignore_ascii_case(b"inf") || rest.eq_ignore_ascii_case(b"infinity") {
        return Ok(f64::INFINITY * sign);
    }
    if rest.eq_ignore_ascii_case(b"nan") {
        return Ok(f64::NAN.copysign(sign));
    }
    let rest = if let [b'0', b'x' | b'X', digits @ ..] = rest { digits } else { rest };
    let end = rest.iter().position(|byte| matches!(byte, b'p' | b'P')).unwrap_or(rest.len());
    let (digits, exponent_text) = rest.split_at(end);

    let (mut mantissa, mut sticky, mut exponent) = (0_u64, false, 0_i64);
    let (mut n_digits, mut after_point) = (0, false);
    for &byte in digits {
        if byte == b'.' && !after_point {
            after_point = true;
            continue;
        }
        let digit = char::from(byte).to_digit(16).ok_or(Error::HexInvalid)?;
        n_digits += 1;
        if after_point {
            exponent -= 4;
        }
        if mantissa >> 60 == 0 {
            mantissa = mantissa << 4 | u64::from(digit);
        } else {
            sticky |= digit != 0;
            exponent += 4;
        }
    }
    if n_digits == 0 {
        return Err(Error::HexInvalid);
    }
    if let [_, number @ ..] = exponent_text {
        exponent = exponent.saturating_add(read_exponent(number).ok_or(Error::HexInvalid)?);
    }
    compose(negative, mantissa, exponent, sticky).ok_or(Error::HexTooLarge)
}

/// A decimal exponent with optional sign, held far beyond what any float has.
fn read_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_i64;
    for &byte in digits {
        value = (value * 10 + i64::from(char::from(byte).to_digit(10)?)).min(1 << 50);
    }
    Some(if negative { -value } else { value })
}

/// `left / right`.
#[inline]
pub(crate) fn truediv(left: f64, right: f64) -> Result<f64> {
    if right == 0.0 { Err(Error::FloatDivision) } else { Ok(left / right) }
}

/// `left // right`.
pub(crate) fn floordiv(left: f64, right: f64) -> Result<f64> {
    if right == 0.0 { Err(Error::FloatFloorDivision) } else { Ok(quotient_and_remainder(left, right).0) }
}

/// `left % right`, with the sign of `right`.
pub(crate) fn modulo(left: f64, right: f64) -> Result<f64> {
    if right == 0.0 { Err(Error::FloatModulo) } else { Ok(quotient_and_remainder(left, right).1) }
}

/// `divmod(left, right)`.
pub(crate) fn divmod(left: f64, right: f64) -> Result<(f64, f64)> {
    if right == 0.0 { Err(Error::FloatDivmod) } else { Ok(quotient_and_remainder(left, right)) }
}

fn quotient_and_remainder(left: f64, right: f64) -> (f64, f64) {
    let mut remainder = left % right;
    // The remainder is exact, so this quotient is a whole number but for its own rounding.
    let mut quotient = (left - remainder) / right;
    if remainder == 0.0 {
        remainder = 0.0_f64.copysign(right);
    } else if (remainder < 0.0) != (right < 0.0) {
        remainder += right;
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return (0.0_f64.copysign(left / right), remainder);
    }
    let whole = quotient.floor();
    (if quotient - whole > 0.5 { whole + 1.0 } else { whole }, remainder)
}

/// A power of floats, or that it is complex.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Power {
    /// The result.
    Real(f64),
    /// A negative base with a broken exponent: the caller computes it with complex numbers.
    Complex,
}

/// `base ** exponent`.
pub(crate) fn pow(base: f64, exponent: f64) -> Result<Power> {
    if base == 0.0 && exponent < 0.0 && exponent.is_finite() {
        return Err(Error::ZeroToNegativePower);
    }
    if base < 0.0 && base.is_finite() && exponent.is_finite() && exponent.trunc() != exponent {
        return Ok(Power::Complex);
    }
    let power = base.powf(exponent);
    if power.is_infinite() && base.is_finite() && exponent.is_finite() {
        return Err(Error::FloatPowerOverflow);
    }
    Ok(Power::Real(power))
}

/// CPython's hash; `None` for NaN, which hashes by identity.
#[inline]
pub(crate) fn hash(value: f64) -> Option<i64> {
    const EXACT: f64 = (1_i64 << 53) as f64;
    if value.abs() <= EXACT && value.trunc() == value {
        let hash = value as i64;
        return Some(if hash == -1 { -2 } else { hash });
    }
    if !value.is_finite() {
        return if value.is_nan() { None } else { Some(if value > 0.0 { HASH_INFINITY } else { -HASH_INFINITY }) };
    }
    // Multiplying by a power of two modulo 2 ** 61 - 1 rotates 61 bits.
    let (mantissa, exponent) = decompose(value);
    let turn = exponent.rem_euclid(i64::from(HASH_BITS)) as u32;
    let magnitude = (mantissa << turn & HASH_MODULUS | mantissa >> (HASH_BITS - turn)) as i64;
    let hash = if value < 0.0 { -magnitude } else { magnitude };
    Some(if hash == -1 { -2 } else { hash })
}

/// `float.as_integer_ratio`.
pub(crate) fn as_integer_ratio(value: f64) -> Result<(Int, Int)> {
    if value.is_nan() {
        return Err(Error::NanToRatio);
    }
    if value.is_infinite() {
        return Err(Error::InfinityToRatio);
    }
    if value == 0.0 {
        return Ok((Int::Small(0), Int::Small(1)));
    }
    let (mantissa, exponent) = decompose(value);
    let zeros = mantissa.trailing_zeros();
    let (mantissa, exponent) = (mantissa >> zeros, exponent + i64::from(zeros));
    let power = |bits: i64, of: u64| Int::from(BigInt::from(of).shl(bits as u64));
    let (numerator, denominator) =
        if exponent >= 0 { (power(exponent, mantissa), Int::Small(1)) } else { (Int::from(mantissa), power(-exponent, 1)) };
    Ok((if value < 0.0 { numerator.as_ref().neg() } else { numerator }, denominator))
}

/// `float.is_integer`.
pub(crate) fn is_integer(value: f64) -> bool {
    value.is_finite() && value.trunc() == value
}

/// The magnitude of a finite float as `mantissa * 2 ** exponent`; the mantissa has at most 53 bits.
pub(crate) fn decompose(value: f64) -> (u64, i64) {
    let bits = value.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    match (bits >> 52 & 0x7ff) as i64 {
        0 => (fraction, -1074),
        biased => (fraction | 1 << 52, biased - 1075),
    }
}

/// The float nearest to `mantissa * 2 ** exponent`, a little more when `sticky`; ties to even. `None` past the largest.
pub(crate) fn compose(negative: bool, mantissa: u64, exponent: i64, sticky: bool) -> Option<f64> {
    let sign = u64::from(negative) << 63;
    if mantissa == 0 {
        return Some(f64::from_bits(sign));
    }
    let bits = 64 - i64::from(mantissa.leading_zeros());
    // The exponent of the result's lowest bit: 53 bits, fewer for subnormals.
    let lowest = (bits + exponent - 53).max(-1074);
    if lowest > 971 {
        return None;
    }
    let shift = lowest - exponent;
    let rounded = match shift {
        ..=0 => mantissa << -shift,
        1..=63 => {
            let (whole, rest, half) = (mantissa >> shift, mantissa & ((1 << shift) - 1), 1_u64 << (shift - 1));
            let up = rest > half || (rest == half && (sticky || whole & 1 == 1));
            whole + u64::from(up)
        }
        64 => u64::from(mantissa > 1 << 63 || (mantissa == 1 << 63 && sticky)),
        _ => 0,
    };
    // A carry out of the mantissa lands in the exponent, which is what it means.
    let biased = if rounded >> 52 == 0 { 0 } else { lowest + 1074 };
    let magnitude = ((biased as u64) << 52) + rounded;
    (magnitude < 0x7ff << 52).then(|| f64::from_bits(sign | magnitude))
}

#[cfg(test)]
mod tests;
