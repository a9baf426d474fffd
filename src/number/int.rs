//! Python's `int`: small values in a word, others as [`BigInt`]; every operation of the language on them.
//!
//! Small is what the VM keeps inline: 63 bits. An [`Int`] is always in its smallest form, so two equal numbers have
//! equal forms.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;

use super::bigint::{BigInt, check_bits};
#[cfg(test)]
use super::never;
use super::{Error, Poll, Result, float};

/// The smallest small value.
pub(crate) const SMALL_MIN: i64 = -(1 << 62);
/// The largest small value.
pub(crate) const SMALL_MAX: i64 = (1 << 62) - 1;
/// The Mersenne prime that numeric hashes are taken by, as CPython's on 64-bit machines.
pub(crate) const HASH_BITS: u32 = 61;
/// `2 ** 61 - 1`.
pub(crate) const HASH_MODULUS: u64 = (1 << HASH_BITS) - 1;

/// An integer in its smallest form.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Int {
    /// In [`SMALL_MIN`]`..=`[`SMALL_MAX`].
    Small(i64),
    /// Outside of it.
    Big(BigInt),
}

impl Int {
    /// Bytes it takes beside the value itself.
    pub(crate) fn heap_size(&self) -> usize {
        match self {
            Self::Small(_) => 0,
            Self::Big(value) => value.heap_size(),
        }
    }
}

/// A borrowed integer. As an operand a `Big` may hold a small value and a `Small` any `i64`.
#[derive(Clone, Copy)]
pub(crate) enum IntRef<'a> {
    /// A machine word.
    Small(i64),
    /// Any value.
    Big(&'a BigInt),
}

/// Why a text is not an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParseError {
    /// `int() base must be >= 2 and <= 36, or 0`.
    Base,
    /// `invalid literal for int() with base …`.
    Literal,
    /// More digits than the limit allows; how many.
    TooManyDigits(usize),
    /// The value would be larger than any allowed.
    TooLarge,
    /// The poll callback asked to stop.
    Interrupted,
}

impl fmt::Debug for Int {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Small(value) => write!(f, "{value}"),
            Self::Big(value) => write!(f, "{value:?}"),
        }
    }
}

impl From<i64> for Int {
    #[inline]
    fn from(value: i64) -> Self {
        if is_small(value) { Self::Small(value) } else { Self::Big(BigInt::from(value)) }
    }
}

impl From<u64> for Int {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or_else(|_| Self::Big(BigInt::from(value)), Self::from)
    }
}

impl From<usize> for Int {
    fn from(value: usize) -> Self {
        Self::from(value as u64)
    }
}

impl From<i128> for Int {
    #[inline]
    fn from(value: i128) -> Self {
        match i64::try_from(value) {
            Ok(value) => Self::from(value),
            Err(_) => Self::Big(BigInt::from(value)),
        }
    }
}

impl From<BigInt> for Int {
    #[inline]
    fn from(value: BigInt) -> Self {
        match value.to_i64() {
            Some(small) if is_small(small) => Self::Small(small),
            _ => Self::Big(value),
        }
    }
}

impl<'a> From<&'a Int> for IntRef<'a> {
    #[inline]
    fn from(value: &'a Int) -> Self {
        value.as_ref()
    }
}

impl From<i64> for IntRef<'_> {
    #[inline]
    fn from(value: i64) -> Self {
        Self::Small(value)
    }
}

impl Int {
    /// The number, borrowed.
    #[inline]
    pub(crate) fn as_ref(&self) -> IntRef<'_> {
        match self {
            Self::Small(value) => IntRef::Small(*value),
            Self::Big(value) => IntRef::Big(value),
        }
    }

    /// The integer part of a float. Fails for infinities and NaN.
    pub(crate) fn from_f64(value: f64) -> Result<Self> {
        if value.is_nan() {
            return Err(Error::NanToInt);
        }
        if value.is_infinite() {
            return Err(Error::InfinityToInt);
        }
        let whole = value.trunc();
        if whole.abs() < 9.2e18 {
            return Ok(Self::from(whole as i64));
        }
        let (mantissa, exponent) = float::decompose(whole);
        let magnitude = BigInt::from(mantissa).shl(exponent as u64);
        Ok(Self::Big(if value < 0.0 { magnitude.neg() } else { magnitude }))
    }

    /// The value of a text: an optional sign, a prefix (`0x`, `0o`, `0b`) where `base` is 0 or its own, digits with
    /// single underscores between them. The text is stripped, its Unicode digits are already ASCII. Past `max_digits`
    /// digits (0: any number) it fails, unless the base is a power of two.
    pub(crate) fn parse(text: &[u8], base: u32, max_digits: usize, poll: &mut Poll<'_>) -> std::result::Result<Self, ParseError> {
        if base == 1 || base > 36 {
            return Err(ParseError::Base);
        }
        let (negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] | rest => (false, rest),
        };
        let prefix_base = match rest {
            [b'0', b'x' | b'X', ..] => 16,
            [b'0', b'o' | b'O', ..] => 8,
            [b'0', b'b' | b'B', ..] => 2,
            _ => 0,
        };
        let (radix, mut digits) = match (base, prefix_base) {
            (0, 0) => (10, rest),
            (0, prefix) => (prefix, &rest[2..]),
            (base, prefix) if base == prefix => (base, &rest[2..]),
            (base, _) => (base, rest),
        };
        if digits.len() < rest.len() && digits.first() == Some(&b'_') {
            digits = &digits[1..];
        }
        let mut value = 0_u64;
        let mut n_digits = 0;
        let mut after_digit = false;
        for &byte in digits {
            if byte == b'_' && after_digit {
                after_digit = false;
                continue;
            }
            let digit = char::from(byte).to_digit(radix).ok_or(ParseError::Literal)?;
            after_digit = true;
            n_digits += 1;
            value = value.wrapping_mul(u64::from(radix)).wrapping_add(u64::from(digit));
        }
        if !after_digit {
            return Err(ParseError::Literal);
        }
        if base == 0 && prefix_base == 0 && digits[0] == b'0' && digits.iter().any(|b| !matches!(b, b'0' | b'_')) {
            return Err(ParseError::Literal);
        }
        // 12 digits of base 36 stay below 2 ** 63, as 18 of base 10 do.
        if n_digits <= 12 || (radix <= 10 && n_digits <= 18) {
            let value = value as i64;
            return Ok(Self::from(if negative { -value } else { value }));
        }
        if max_digits != 0 && n_digits > max_digits && !radix.is_power_of_two() {
            return Err(ParseError::TooManyDigits(n_digits));
        }
        let clean: Vec<u8>;
        let digits = if n_digits == digits.len() {
            digits
        } else {
            clean = digits.iter().copied().filter(|&byte| byte != b'_').collect();
            &clean
        };
        let magnitude = BigInt::from_digits(digits, radix, poll).map_err(|error| match error {
            Error::Interrupted => ParseError::Interrupted,
            _ => ParseError::TooLarge,
        })?;
        Ok(Self::from(if negative { magnitude.neg() } else { magnitude }))
    }

    /// The value of bytes, lowest first when `little`, in two's complement when `signed`.
    pub(crate) fn from_bytes(bytes: &[u8], little: bool, signed: bool) -> Self {
        if little {
            return Self::from_le_bytes(bytes, signed);
        }
        let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
        Self::from_le_bytes(&reversed, signed)
    }

    fn from_le_bytes(bytes: &[u8], signed: bool) -> Self {
        if bytes.len() <= 8 {
            let fill = if signed && bytes.last().is_some_and(|top| top & 0x80 != 0) { 0xff } else { 0 };
            let mut word = [fill; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            return if signed { Self::from(i64::from_le_bytes(word)) } else { Self::from(u64::from_le_bytes(word)) };
        }
        Self::from(BigInt::from_le_bytes(bytes, signed))
    }
}

/// A borrowed or a widened operand.
enum Operand<'a> {
    Owned(BigInt),
    Borrowed(&'a BigInt),
}

impl Deref for Operand<'_> {
    type Target = BigInt;

    #[inline]
    fn deref(&self) -> &BigInt {
        match self {
            Self::Owned(value) => value,
            Self::Borrowed(value) => value,
        }
    }
}

impl<'a> IntRef<'a> {
    /// An owned copy in its smallest form.
    pub(crate) fn to_int(self) -> Int {
        match self {
            Self::Small(value) => Int::from(value),
            Self::Big(value) => Int::from(value.clone()),
        }
    }

    /// The value, if it fits.
    #[inline]
    pub(crate) fn to_i64(self) -> Option<i64> {
        match self {
            Self::Small(value) => Some(value),
            Self::Big(value) => value.to_i64(),
        }
    }

    /// The value, if it fits.
    pub(crate) fn to_u64(self) -> Option<u64> {
        match self {
            Self::Small(value) => u64::try_from(value).ok(),
            Self::Big(value) => value.to_u64(),
        }
    }

    /// The value, or the `i64` nearest to it: what slices make of their bounds.
    pub(crate) fn to_i64_saturating(self) -> i64 {
        self.to_i64().unwrap_or(if self.is_negative() { i64::MIN } else { i64::MAX })
    }

    /// Whether the value is below zero.
    #[inline]
    pub(crate) fn is_negative(self) -> bool {
        match self {
            Self::Small(value) => value < 0,
            Self::Big(value) => value.is_negative(),
        }
    }

    /// Whether the value is zero.
    #[inline]
    pub(crate) fn is_zero(self) -> bool {
        match self {
            Self::Small(value) => value == 0,
            Self::Big(value) => value.is_zero(),
        }
    }

    /// Whether the value is odd.
    pub(crate) fn is_odd(self) -> bool {
        match self {
            Self::Small(value) => value & 1 == 1,
            Self::Big(value) => value.is_odd(),
        }
    }

    #[inline]
    fn widen(self) -> Operand<'a> {
        match self {
            Self::Small(value) => Operand::Owned(BigInt::from(value)),
            Self::Big(value) => Operand::Borrowed(value),
        }
    }

    /// `self + other`.
    #[inline]
    pub(crate) fn add(self, other: IntRef<'_>) -> Int {
        if let (Self::Small(left), IntRef::Small(right)) = (self, other) {
            return checked_add(left, right).map_or_else(|| Int::from(i128::from(left) + i128::from(right)), Int::Small);
        }
        Int::from(self.widen().add(&other.widen()))
    }

    /// `self - other`.
    #[inline]
    pub(crate) fn sub(self, other: IntRef<'_>) -> Int {
        if let (Self::Small(left), IntRef::Small(right)) = (self, other) {
            return checked_sub(left, right).map_or_else(|| Int::from(i128::from(left) - i128::from(right)), Int::Small);
        }
        Int::from(self.widen().sub(&other.widen()))
    }

    /// `self * other`.
    #[inline]
    pub(crate) fn mul(self, other: IntRef<'_>, poll: &mut Poll<'_>) -> Result<Int> {
        if let (Self::Small(left), IntRef::Small(right)) = (self, other) {
            return Ok(Int::from(i128::from(left) * i128::from(right)));
        }
        Ok(Int::from(self.widen().mul(&other.widen(), poll)?))
    }

    /// `self // other`, rounded down.
    #[inline]
    pub(crate) fn floordiv(self, other: IntRef<'_>, poll: &mut Poll<'_>) -> Result<Int> {
        if let (Self::Small(_), IntRef::Small(_)) = (self, other) {
            return Ok(self.divmod(other, poll)?.0);
        }
        if other.is_zero() {
            return Err(Error::IntDivision);
        }
        Ok(Int::from(self.widen().div_floor(&other.widen(), poll)?))
    }

    /// `self % other`, with the sign of `other`.
    #[inline]
    pub(crate) fn modulo(self, other: IntRef<'_>, poll: &mut Poll<'_>) -> Result<Int> {
        if other.is_zero() {
            return Err(Error::IntModulo);
        }
        if let (Self::Small(_), IntRef::Small(_)) = (self, other) {
            return Ok(self.divmod(other, poll)?.1);
        }
        Ok(Int::from(self.widen().mod_floor(&other.widen(), poll)?))
    }

    /// `self // other` and `self % other`.
    pub(crate) fn divmod(self, other: IntRef<'_>, poll: &mut Poll<'_>) -> Result<(Int, Int)> {
        if other.is_zero() {
            return Err(Error::IntDivision);
        }
        if let (Self::Small(left), IntRef::Small(right)) = (self, other) {
            if right == -1 {
                return Ok((IntRef::Small(left).neg(), Int::Small(0)));
            }
            return Ok((Int::from(floordiv_i64(left, right)), Int::from(modulo_i64(left, right))));
        }
        let (quotient, remainder) = self.widen().div_mod_floor(&other.widen(), poll)?;
        Ok((Int::from(quotient), Int::from(remainder)))
    }

    /// `self / other`, correctly rounded.
    pub(crate) fn truediv(self, other: IntRef<'_>, poll: &mut Poll<'_>) -> Result<f64> {
        const EXACT: u64 = 1 << 53;
        if other.is_zero() {
            return Err(Error::IntTrueDivision);
        }
        if let (Self::Small(left), IntRef::Small(right)) = (self, other)
            && left.unsigned_abs() <= EXACT
            && right.unsigned_abs() <= EXACT
        {
            return Ok(left as f64 / right as f64);
        }
        let negative = self.is_negative() != other.is_negative();
        if self.is_zero() {
            return Ok(if negative { -0.0 } else { 0.0 });
        }
        let difference = self.bit_length() as i64 - other.bit_length() as i64;
        if difference > 1025 {
            return Err(Error::QuotientTooLargeForFloat);
        }
        if difference < -1080 {
            return Ok(if negative { -0.0 } else { 0.0 });
        }
        // A quotient of 63 or 64 bits, and whether anything is left below it.
        let shift = difference - 63;
        let (left, right) = (self.widen().abs(), other.widen().abs());
        let (left, right) = if shift > 0 { (left, right.shl(shift as u64)) } else { (left.shl(shift.unsigned_abs()), right) };
        let (quotient, remainder) = left.div_mod_floor(&right, poll)?;
        let quotient = quotient.to_u64().expect("the shift leaves at most 64 bits");
        float::compose(negative, quotient, shift, !remainder.is_zero()).ok_or(Error::QuotientTooLargeForFloat)
    }

    /// `self ** exponent` for an exponent not below zero; a negative one makes floats of both, as the caller does.
    pub(crate) fn pow(self, exponent: IntRef<'_>, poll: &mut Poll<'_>) -> Result<Int> {
        debug_assert!(!exponent.is_negative(), "a negative exponent is float's business");
        match self.to_i64() {
            Some(1) => return Ok(Int::Small(1)),
            Some(0) => return Ok(Int::Small(i64::from(exponent.is_zero()))),
            Some(-1) => return Ok(Int::Small(if exponent.is_odd() { -1 } else { 1 })),
            _ => {}
        }
        let exponent = exponent.to_u64().ok_or(Error::TooLarge)?;
        if let Self::Small(base) = self
            && let Some(power) = checked_pow(base, exponent)
        {
            return Ok(Int::Small(power));
        }
        if exponent == 1 {
            return Ok(self.to_int());
        }
        check_bits((self.bit_length() - 1).saturating_mul(exponent))?;
        Ok(Int::from(self.widen().pow(exponent, poll)?))
    }

    /// `pow(self, exponent, modulus)`; a negative exponent takes the modular inverse.
    pub(crate) fn powmod(self, exponent: IntRef<'_>, modulus: IntRef<'_>, poll: &mut Poll<'_>) -> Result<Int> {
        if modulus.is_zero() {
            return Err(Error::ZeroModulus);
        }
        let positive = modulus.abs();
        let mut base = self.to_int();
        let mut exponent = exponent.to_int();
        if exponent.as_ref().is_negative() {
            base = self.invert_mod(positive.as_ref(), poll)?;
            exponent = exponent.as_ref().neg();
        }
        let power = match (base.as_ref().modulo(positive.as_ref(), poll)?, &exponent, &positive) {
            (Int::Small(base), Int::Small(exponent), Int::Small(modulus)) => {
                Int::from(powmod_u64(base as u64, *exponent as u64, *modulus as u64) as i64)
            }
            (base, exponent, modulus) => {
                let (exponent, modulus) = (exponent.as_ref().widen(), modulus.as_ref().widen());
                Int::from(base.as_ref().widen().pow_mod(&exponent, &modulus, poll)?)
            }
        };
        if modulus.is_negative() { power.as_ref().modulo(modulus, poll) } else { Ok(power) }
    }

    /// The inverse of `self` in the ring of a positive modulus.
    fn invert_mod(self, modulus: IntRef<'_>, poll: &mut Poll<'_>) -> Result<Int> {
        let (mut old_rest, mut rest) = (self.modulo(modulus, poll)?, modulus.to_int());
        let (mut old_factor, mut factor) = (Int::Small(1), Int::Small(0));
        while !rest.as_ref().is_zero() {
            if poll() {
                return Err(Error::Interrupted);
            }
            let (quotient, next) = old_rest.as_ref().divmod(rest.as_ref(), poll)?;
            let product = quotient.as_ref().mul(factor.as_ref(), poll)?;
            let next_factor = old_factor.as_ref().sub(product.as_ref());
            (old_rest, rest) = (rest, next);
            (old_factor, factor) = (factor, next_factor);
        }
        if old_rest != Int::Small(1) {
            return Err(Error::NotInvertible);
        }
        old_factor.as_ref().modulo(modulus, poll)
    }

    /// `self << count`.
    pub(crate) fn shl(self, count: IntRef<'_>) -> Result<Int> {
        if count.is_negative() {
            return Err(Error::NegativeShift);
        }
        if self.is_zero() {
            return Ok(Int::Small(0));
        }
        let count = count.to_u64().ok_or(Error::TooManyDigits)?;
        if let Self::Small(value) = self
            && count < 62
            && (value << count) >> count == value
        {
            return Ok(Int::from(value << count));
        }
        check_bits(self.bit_length().saturating_add(count))?;
        Ok(Int::from(self.widen().shl(count)))
    }

    /// `self >> count`, rounded down.
    pub(crate) fn shr(self, count: IntRef<'_>) -> Result<Int> {
        if count.is_negative() {
            return Err(Error::NegativeShift);
        }
        let count = count.to_u64().unwrap_or(u64::MAX);
        match self {
            Self::Small(value) => Ok(Int::from(value >> count.min(63))),
            Self::Big(value) if count >= value.bit_length() => Ok(Int::Small(if value.is_negative() { -1 } else { 0 })),
            Self::Big(value) => Ok(Int::from(value.shr(count))),
        }
    }

    /// `self & other` in two's complement.
    pub(crate) fn bit_and(self, other: IntRef<'_>) -> Int {
        if let (Self::Small(left), IntRef::Small(right)) = (self, other) {
            return Int::from(left & right);
        }
        Int::from(self.widen().bit_and(&other.widen()))
    }

    /// `self | other` in two's complement.
    pub(crate) fn bit_or(self, other: IntRef<'_>) -> Int {
        if let (Self::Small(left), IntRef::Small(right)) = (self, other) {
            return Int::from(left | right);
        }
        Int::from(self.widen().bit_or(&other.widen()))
    }

    /// `self ^ other` in two's complement.
    pub(crate) fn bit_xor(self, other: IntRef<'_>) -> Int {
        if let (Self::Small(left), IntRef::Small(right)) = (self, other) {
            return Int::from(left ^ right);
        }
        Int::from(self.widen().bit_xor(&other.widen()))
    }

    /// `~self`.
    pub(crate) fn invert(self) -> Int {
        match self {
            Self::Small(value) => Int::from(!value),
            Self::Big(value) => Int::from(value.not()),
        }
    }

    /// `-self`.
    pub(crate) fn neg(self) -> Int {
        match self {
            Self::Small(value) => Int::from(-i128::from(value)),
            Self::Big(value) => Int::from(value.neg()),
        }
    }

    /// The magnitude.
    pub(crate) fn abs(self) -> Int {
        if self.is_negative() { self.neg() } else { self.to_int() }
    }

    /// Bits of the magnitude.
    pub(crate) fn bit_length(self) -> u64 {
        match self {
            Self::Small(value) => u64::from(u64::BITS - value.unsigned_abs().leading_zeros()),
            Self::Big(value) => value.bit_length(),
        }
    }

    /// Ones in the magnitude.
    pub(crate) fn bit_count(self) -> u64 {
        match self {
            Self::Small(value) => u64::from(value.unsigned_abs().count_ones()),
            Self::Big(value) => value.bit_count(),
        }
    }

    /// The largest number whose square is at most `self`.
    pub(crate) fn isqrt(self, poll: &mut Poll<'_>) -> Result<Int> {
        if self.is_negative() {
            return Err(Error::IsqrtNegative);
        }
        match self {
            Self::Small(value) => Ok(Int::from(value.isqrt())),
            Self::Big(value) => Ok(Int::from(value.isqrt(poll)?)),
        }
    }

    /// The greatest common divisor, not negative.
    pub(crate) fn gcd(self, other: IntRef<'_>, poll: &mut Poll<'_>) -> Result<Int> {
        if let (Self::Small(left), IntRef::Small(right)) = (self, other) {
            let (mut left, mut right) = (left.unsigned_abs(), right.unsigned_abs());
            while right != 0 {
                (left, right) = (right, left % right);
            }
            return Ok(Int::from(left));
        }
        Ok(Int::from(self.widen().gcd(&other.widen(), poll)?))
    }

    /// The least common multiple, not negative.
    pub(crate) fn lcm(self, other: IntRef<'_>, poll: &mut Poll<'_>) -> Result<Int> {
        if self.is_zero() || other.is_zero() {
            return Ok(Int::Small(0));
        }
        let gcd = self.gcd(other, poll)?;
        let product = self.floordiv(gcd.as_ref(), poll)?.as_ref().mul(other, poll)?;
        Ok(product.as_ref().abs())
    }

    /// The nearest float, ties to even. Fails past the largest.
    pub(crate) fn to_f64(self) -> Result<f64> {
        match self {
            Self::Small(value) => Ok(value as f64),
            Self::Big(value) => {
                if value.is_zero() {
                    return Ok(0.0);
                }
                let (top, below, sticky) = value.top_bits();
                float::compose(value.is_negative(), top, below as i64, sticky).ok_or(Error::IntTooLargeForFloat)
            }
        }
    }

    /// `int.__round__` to `10 ** -digits` for negative `digits`: ties to even. Others return `self`.
    pub(crate) fn round(self, digits: IntRef<'_>, poll: &mut Poll<'_>) -> Result<Int> {
        if !digits.is_negative() {
            return Ok(self.to_int());
        }
        let digits = digits.to_i64().map_or(u64::MAX, i64::unsigned_abs);
        // 10 ** digits is more than twice the number: it rounds to zero.
        if digits > self.bit_length() / 3 + 2 {
            return Ok(Int::Small(0));
        }
        let unit = IntRef::Small(10).pow(IntRef::Small(digits as i64), poll)?;
        let (quotient, remainder) = self.divmod(unit.as_ref(), poll)?;
        let up = match remainder.as_ref().add(remainder.as_ref()).as_ref().cmp(unit.as_ref()) {
            Ordering::Less => false,
            Ordering::Equal => quotient.as_ref().is_odd(),
            Ordering::Greater => true,
        };
        let down = self.sub(remainder.as_ref());
        Ok(if up { down.as_ref().add(unit.as_ref()) } else { down })
    }

    /// Compares by value.
    #[inline]
    pub(crate) fn cmp(self, other: IntRef<'_>) -> Ordering {
        match (self, other) {
            (Self::Small(left), IntRef::Small(right)) => left.cmp(&right),
            _ => self.widen().deref().cmp(&other.widen()),
        }
    }

    /// Compares exactly with a float; `None` for NaN.
    pub(crate) fn cmp_f64(self, other: f64) -> Option<Ordering> {
        if other.is_nan() {
            return None;
        }
        if other.is_infinite() {
            return Some(if other > 0.0 { Ordering::Less } else { Ordering::Greater });
        }
        let whole = other.trunc();
        let order = match self {
            Self::Small(value) if whole.abs() < 9.2e18 => value.cmp(&(whole as i64)),
            _ => self.cmp(Int::from_f64(whole).expect("the float is finite").as_ref()),
        };
        Some(order.then_with(|| whole.partial_cmp(&other).expect("neither is NaN")))
    }

    /// CPython's hash: the value modulo `2 ** 61 - 1` with its sign, and -2 for -1.
    #[inline]
    pub(crate) fn hash(self) -> i64 {
        let hash = match self {
            Self::Small(value) => value % HASH_MODULUS as i64,
            Self::Big(value) => {
                let magnitude = value.magnitude_mod_mersenne(HASH_BITS) as i64;
                if value.is_negative() { -magnitude } else { magnitude }
            }
        };
        if hash == -1 { -2 } else { hash }
    }

    /// The decimal digits, with a minus sign when negative. `None` when they are more than `max_digits` (0: any number).
    pub(crate) fn to_decimal(self, max_digits: usize, poll: &mut Poll<'_>) -> Result<Option<String>> {
        match self {
            Self::Small(value) => Ok(Some(value.to_string())),
            Self::Big(value) => {
                if max_digits != 0 && least_digits(value.bit_length()) > max_digits as u64 {
                    return Ok(None);
                }
                let text = value.to_decimal(poll)?;
                let digits = text.len() - usize::from(value.is_negative());
                Ok((max_digits == 0 || digits <= max_digits).then_some(text))
            }
        }
    }

    /// The digits in base 2, 8 or 16, in lower case, without prefix, with a minus sign when negative.
    pub(crate) fn to_power_of_two_base(self, base: u8) -> String {
        match self {
            Self::Small(value) => {
                let (sign, magnitude) = (if value < 0 { "-" } else { "" }, value.unsigned_abs());
                match base {
                    2 => format!("{sign}{magnitude:b}"),
                    8 => format!("{sign}{magnitude:o}"),
                    _ => format!("{sign}{magnitude:x}"),
                }
            }
            Self::Big(value) => value.to_power_of_two_base(base),
        }
    }

    /// `length` bytes, lowest first when `little`, in two's complement when `signed`. The caller has charged for them.
    pub(crate) fn to_bytes(self, length: usize, little: bool, signed: bool) -> Result<Vec<u8>> {
        let negative = self.is_negative();
        if negative && !signed {
            return Err(Error::NegativeToUnsigned);
        }
        let small;
        let large;
        let source: &[u8] = match self {
            Self::Small(value) => {
                small = value.to_le_bytes();
                &small
            }
            Self::Big(value) => {
                large = value.to_le_bytes();
                &large
            }
        };
        let fill = if negative { 0xff } else { 0 };
        let n_copied = source.len().min(length);
        // No bytes at all hold 0 and -1.
        let sign_fits = length == 0 || length > source.len() || (source[length - 1] & 0x80 != 0) == negative;
        let fits = source[n_copied..].iter().all(|&byte| byte == fill) && (!signed || sign_fits);
        if !fits {
            return Err(Error::IntTooBigForBytes);
        }
        let mut bytes = vec![fill; length];
        bytes[..n_copied].copy_from_slice(&source[..n_copied]);
        if !little {
            bytes.reverse();
        }
        Ok(bytes)
    }

    /// A bound in bytes on the heap size of `self * other`.
    pub(crate) fn mul_bytes(self, other: IntRef<'_>) -> usize {
        bits_to_bytes(self.bit_length().saturating_add(other.bit_length()))
    }

    /// A bound in bytes on the heap size of a sum, difference or bitwise combination with `other`.
    pub(crate) fn add_bytes(self, other: IntRef<'_>) -> usize {
        bits_to_bytes(self.bit_length().max(other.bit_length()).saturating_add(1))
    }

    /// A bound in bytes on the heap size of `self ** exponent`.
    pub(crate) fn pow_bytes(self, exponent: IntRef<'_>) -> usize {
        match self.to_i64() {
            Some(-1..=1) => 0,
            _ => bits_to_bytes(self.bit_length().saturating_mul(exponent.to_u64().unwrap_or(u64::MAX))),
        }
    }

    /// A bound in bytes on the heap size of `self << count`.
    pub(crate) fn shl_bytes(self, count: IntRef<'_>) -> usize {
        if self.is_zero() {
            return 0;
        }
        bits_to_bytes(self.bit_length().saturating_add(count.to_u64().unwrap_or(u64::MAX)))
    }
}

fn bits_to_bytes(bits: u64) -> usize {
    if bits <= 128 { 0 } else { usize::try_from(bits / 8 + bits / 64 + 24).unwrap_or(usize::MAX) }
}

/// The fewest decimal digits a number of so many bits can have.
fn least_digits(bits: u64) -> u64 {
    // log10(2) rounded down; exact enough as the caller counts again.
    (u128::from(bits.saturating_sub(1)) * 30_102_999 / 100_000_000) as u64 + 1
}

/// Whether the number has more than `max_digits` decimal digits (0: never).
#[cfg(test)]
pub(crate) fn exceeds_digit_limit(value: IntRef<'_>, max_digits: usize) -> bool {
    if max_digits == 0 || value.bit_length() < 63 {
        return false;
    }
    let least = least_digits(value.bit_length());
    least > max_digits as u64 || (least + 1 >= max_digits as u64 && matches!(value.to_decimal(max_digits, &mut never()), Ok(None)))
}

/// Whether the VM keeps the value inline.
#[inline]
pub(crate) const fn is_small(value: i64) -> bool {
    SMALL_MIN <= value && value <= SMALL_MAX
}

/// The sum of two small values, if it is small.
#[inline]
pub(crate) const fn checked_add(left: i64, right: i64) -> Option<i64> {
    match left.checked_add(right) {
        Some(sum) if is_small(sum) => Some(sum),
        _ => None,
    }
}

/// The difference of two small values, if it is small.
#[inline]
pub(crate) const fn checked_sub(left: i64, right: i64) -> Option<i64> {
    match left.checked_sub(right) {
        Some(difference) if is_small(difference) => Some(difference),
        _ => None,
    }
}

/// The product of two small values, if it is small.
#[inline]
#[cfg(test)]
pub(crate) const fn checked_mul(left: i64, right: i64) -> Option<i64> {
    match left.checked_mul(right) {
        Some(product) if is_small(product) => Some(product),
        _ => None,
    }
}

/// The power of a small value, if it is small.
pub(crate) fn checked_pow(base: i64, exponent: u64) -> Option<i64> {
    base.checked_pow(u32::try_from(exponent).ok()?).filter(|&power| is_small(power))
}

/// `left // right` rounded down. Not for zero, nor for `i64::MIN // -1`.
#[inline]
pub(crate) const fn floordiv_i64(left: i64, right: i64) -> i64 {
    let quotient = left / right;
    if left % right != 0 && (left < 0) != (right < 0) { quotient - 1 } else { quotient }
}

/// `left % right` with the sign of `right`. Not for zero, nor for `i64::MIN % -1`.
#[inline]
pub(crate) const fn modulo_i64(left: i64, right: i64) -> i64 {
    let remainder = left % right;
    if remainder != 0 && (remainder < 0) != (right < 0) { remainder + right } else { remainder }
}

fn powmod_u64(mut base: u64, mut exponent: u64, modulus: u64) -> u64 {
    let times = |left: u64, right: u64| (u128::from(left) * u128::from(right) % u128::from(modulus)) as u64;
    let mut result = 1 % modulus;
    while exponent != 0 {
        if exponent & 1 == 1 {
            result = times(result, base);
        }
        base = times(base, base);
        exponent >>= 1;
    }
    result
}

#[cfg(test)]
mod tests;
