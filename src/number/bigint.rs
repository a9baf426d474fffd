//! Integers past a machine word; the only file that names the big-integer crate.
//!
//! `dashu-int` was chosen by measurement: `pidigits` for 4800 digits takes 0.37 s with it, 0.68 s with `num-bigint`,
//! 1.08 s in CPython 3.13. Its operations cannot be interrupted, so what could take more than about a millisecond is cut
//! here into bounded pieces with a poll between them: Karatsuba's multiplication, recursive division (Burnikel and
//! Ziegler, "Fast Recursive Division", 1998) and conversions by halves, each with the crate's operation as its last step.

use std::fmt;

use dashu_int::ops::{BitTest, DivRem, Gcd, SquareRoot, UnsignedAbs};
use dashu_int::{IBig, Sign, UBig, Word};

use super::{Error, Poll, Result};

/// The largest result in bits: one gibibyte. Past it operations fail with [`Error::TooLarge`] before they allocate.
pub(crate) const MAX_BITS: u64 = 1 << 33;

/// Operands up to this many words are multiplied in one step (some 0.5 ms).
const MUL_WORDS: usize = 2048;
/// Divisors up to this many words divide twice as many in one step (some 0.4 ms).
const DIV_WORDS: usize = 1024;
/// Word products done in one step when one operand is short.
const STEP_PRODUCTS: usize = 1 << 18;
/// Digits converted in one step.
const STEP_DIGITS: usize = 1 << 13;
const WORD_BITS: usize = Word::BITS as usize;

/// An integer of any size.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BigInt(IBig);

impl fmt::Debug for BigInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl From<i64> for BigInt {
    #[inline]
    fn from(value: i64) -> Self {
        Self(IBig::from(value))
    }
}

impl From<u64> for BigInt {
    #[inline]
    fn from(value: u64) -> Self {
        Self(IBig::from(value))
    }
}

impl From<i128> for BigInt {
    #[inline]
    fn from(value: i128) -> Self {
        Self(IBig::from(value))
    }
}

impl BigInt {
    /// Bytes it takes beside the value itself: two words fit in it.
    #[inline]
    pub(crate) fn heap_size(&self) -> usize {
        let words = self.0.as_sign_words().1;
        if words.len() <= 2 { 0 } else { size_of_val(words) }
    }

    /// The value, if it fits.
    #[inline]
    pub(crate) fn to_i64(&self) -> Option<i64> {
        i64::try_from(&self.0).ok()
    }

    /// The value, if it fits.
    pub(crate) fn to_u64(&self) -> Option<u64> {
        u64::try_from(&self.0).ok()
    }

    /// Whether the value is below zero.
    #[inline]
    pub(crate) fn is_negative(&self) -> bool {
        self.0.sign() == Sign::Negative
    }

    /// Whether the value is zero.
    #[inline]
    pub(crate) fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    /// Whether the value is odd.
    pub(crate) fn is_odd(&self) -> bool {
        self.words().first().is_some_and(|word| word & 1 == 1)
    }

    /// Bits of the magnitude.
    pub(crate) fn bit_length(&self) -> u64 {
        let words = self.words();
        words.last().map_or(0, |top| (words.len() * WORD_BITS) as u64 - u64::from(top.leading_zeros()))
    }

    /// Ones in the magnitude.
    pub(crate) fn bit_count(&self) -> u64 {
        self.words().iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Zero bits below the lowest one; 0 for zero.
    pub(crate) fn trailing_zeros(&self) -> u64 {
        self.0.trailing_zeros().unwrap_or(0) as u64
    }

    /// `self + other`.
    #[inline]
    pub(crate) fn add(&self, other: &Self) -> Self {
        Self(&self.0 + &other.0)
    }

    /// `self - other`.
    #[inline]
    pub(crate) fn sub(&self, other: &Self) -> Self {
        Self(&self.0 - &other.0)
    }

    /// `self * other`.
    pub(crate) fn mul(&self, other: &Self, poll: &mut Poll<'_>) -> Result<Self> {
        let (short, long) = by_length(self.words(), other.words());
        if is_one_step(short.len(), long.len()) {
            return Ok(Self(&self.0 * &other.0));
        }
        check_bits(self.bit_length().saturating_add(other.bit_length()))?;
        let product = mul_words(short, long, poll)?;
        Ok(Self::from_parts(self.is_negative() != other.is_negative(), product))
    }

    /// The quotient rounded down. The divisor is not zero.
    pub(crate) fn div_floor(&self, divisor: &Self, poll: &mut Poll<'_>) -> Result<Self> {
        if self.is_negative() == divisor.is_negative() && self.divides_in_one_step(divisor) {
            return Ok(Self(&self.0 / &divisor.0));
        }
        Ok(self.div_mod_floor(divisor, poll)?.0)
    }

    /// The remainder with the divisor's sign. The divisor is not zero.
    pub(crate) fn mod_floor(&self, divisor: &Self, poll: &mut Poll<'_>) -> Result<Self> {
        if self.is_negative() == divisor.is_negative() && self.divides_in_one_step(divisor) {
            return Ok(Self(&self.0 % &divisor.0));
        }
        Ok(self.div_mod_floor(divisor, poll)?.1)
    }

    /// Whether a division needs no poll on its way.
    fn divides_in_one_step(&self, divisor: &Self) -> bool {
        let (dividend_words, divisor_words) = (self.words().len(), divisor.words().len());
        let quotient_words = (dividend_words + 1).saturating_sub(divisor_words);
        divisor_words.saturating_mul(quotient_words) <= STEP_PRODUCTS || divisor_words.max(quotient_words) <= DIV_WORDS
    }

    /// Quotient rounded down, and the remainder with the divisor's sign. The divisor is not zero.
    pub(crate) fn div_mod_floor(&self, divisor: &Self, poll: &mut Poll<'_>) -> Result<(Self, Self)> {
        let (mut quotient, mut remainder) = if self.divides_in_one_step(divisor) {
            (&self.0).div_rem(&divisor.0)
        } else {
            let (quotient, remainder) = div_words(self.magnitude(), divisor.magnitude(), poll)?;
            let (negative, different) = (self.is_negative(), self.is_negative() != divisor.is_negative());
            (Self::from_parts(different, quotient).0, Self::from_parts(negative, remainder).0)
        };
        if !remainder.is_zero() && (remainder.sign() == Sign::Negative) != divisor.is_negative() {
            quotient -= 1;
            remainder += &divisor.0;
        }
        Ok((Self(quotient), Self(remainder)))
    }

    /// `self ** exponent`. The caller has bounded the size.
    pub(crate) fn pow(&self, exponent: u64, poll: &mut Poll<'_>) -> Result<Self> {
        let result_bits = self.bit_length().saturating_mul(exponent);
        if result_bits <= (MUL_WORDS * WORD_BITS) as u64 {
            return Ok(Self(self.0.pow(exponent as usize)));
        }
        let zeros = self.trailing_zeros();
        check_bits((self.bit_length() - zeros).saturating_mul(exponent).saturating_add(zeros.saturating_mul(exponent)))?;
        let odd = Self(&self.0 >> zeros as usize);
        let mut result = Self::from(1_i64);
        for bit in (0..u64::BITS - exponent.leading_zeros()).rev() {
            result = result.mul(&result, poll)?;
            if exponent >> bit & 1 == 1 {
                result = result.mul(&odd, poll)?;
            }
        }
        Ok(Self(result.0 << (zeros * exponent) as usize))
    }

    /// `self ** exponent % modulus`, for a positive modulus and an exponent not below zero.
    pub(crate) fn pow_mod(&self, exponent: &Self, modulus: &Self, poll: &mut Poll<'_>) -> Result<Self> {
        const WINDOW: u64 = 4;
        let reduced = self.div_mod_floor(modulus, poll)?.1;
        let mut times = |left: &Self, right: &Self| -> Result<Self> {
            stop_if(poll)?;
            Ok(left.mul(right, poll)?.div_mod_floor(modulus, poll)?.1)
        };
        let one = Self::from(1_i64);
        let bits = exponent.bit_length();
        let mut powers = vec![one.clone(), reduced.clone()];
        if bits > 16 {
            while powers.len() < 1 << WINDOW {
                let next = times(&powers[powers.len() - 1], &reduced)?;
                powers.push(next);
            }
        }
        let window = if bits > 16 { WINDOW } else { 1 };
        let mut result = if modulus == &one { Self::from(0_i64) } else { one };
        for index in (0..bits.div_ceil(window)).rev() {
            for _ in 0..window {
                result = times(&result, &result)?;
            }
            let digit = (0..window).filter(|bit| exponent.0.bit((index * window + bit) as usize)).fold(0, |digit, bit| digit | 1 << bit);
            if digit != 0 {
                result = times(&result, &powers[digit])?;
            }
        }
        Ok(result)
    }

    /// `self << count`. The caller has bounded the size.
    pub(crate) fn shl(&self, count: u64) -> Self {
        Self(&self.0 << count as usize)
    }

    /// `self >> count`, rounded down.
    pub(crate) fn shr(&self, count: u64) -> Self {
        Self(&self.0 >> usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// `self & other` in two's complement.
    pub(crate) fn bit_and(&self, other: &Self) -> Self {
        Self(&self.0 & &other.0)
    }

    /// `self | other` in two's complement.
    pub(crate) fn bit_or(&self, other: &Self) -> Self {
        Self(&self.0 | &other.0)
    }

    /// `self ^ other` in two's complement.
    pub(crate) fn bit_xor(&self, other: &Self) -> Self {
        Self(&self.0 ^ &other.0)
    }

    /// `~self`.
    pub(crate) fn not(&self) -> Self {
        Self(!&self.0)
    }

    /// `-self`.
    pub(crate) fn neg(&self) -> Self {
        Self(-&self.0)
    }

    /// The magnitude.
    pub(crate) fn abs(&self) -> Self {
        Self(IBig::from(self.magnitude()))
    }

    /// The largest number whose square is at most `self`, which is not negative.
    pub(crate) fn isqrt(&self, poll: &mut Poll<'_>) -> Result<Self> {
        if self.words().len() <= DIV_WORDS {
            return Ok(Self(IBig::from(self.magnitude().sqrt())));
        }
        stop_if(poll)?;
        // A root of the upper half has half the digits; one step of Newton's doubles them.
        let half = self.bit_length() / 4;
        let guess = self.shr(2 * half).isqrt(poll)?.shl(half);
        let mut root = guess.add(&self.div_mod_floor(&guess, poll)?.0).shr(1);
        while root.mul(&root, poll)? > *self {
            root.0 -= 1;
        }
        Ok(root)
    }

    /// The greatest common divisor, not negative.
    pub(crate) fn gcd(&self, other: &Self, poll: &mut Poll<'_>) -> Result<Self> {
        let (mut large, mut small) = (self.abs(), other.abs());
        if large < small {
            std::mem::swap(&mut large, &mut small);
        }
        while small.words().len() > DIV_WORDS {
            stop_if(poll)?;
            (large, small) = lehmer_step(&large, small, poll)?;
        }
        if small.is_zero() {
            return Ok(large);
        }
        let rest = large.div_mod_floor(&small, poll)?.1;
        if rest.is_zero() {
            return Ok(small);
        }
        Ok(Self(IBig::from(small.magnitude().gcd(rest.magnitude()))))
    }

    /// The decimal digits, with a minus sign when negative.
    pub(crate) fn to_decimal(&self, poll: &mut Poll<'_>) -> Result<String> {
        let digits_bound = self.bit_length() as usize * 3 / 10;
        if digits_bound <= STEP_DIGITS {
            return Ok(self.0.to_string());
        }
        let mut powers = Vec::new();
        let mut power = Self(IBig::from(10).pow(STEP_DIGITS));
        let magnitude = self.abs();
        while power <= magnitude {
            let is_last = 2 * power.bit_length() - 2 >= magnitude.bit_length();
            let square = if is_last { None } else { Some(power.mul(&power, poll)?) };
            powers.push(power);
            match square {
                Some(square) => power = square,
                None => break,
            }
        }
        let mut text = String::with_capacity(digits_bound + 16);
        if self.is_negative() {
            text.push('-');
        }
        write_decimal(&magnitude, &powers, false, &mut text, poll)?;
        Ok(text)
    }

    /// The digits in base 2, 8 or 16, in lower case, with a minus sign when negative.
    pub(crate) fn to_power_of_two_base(&self, base: u8) -> String {
        self.0.in_radix(base).to_string()
    }

    /// The value of ASCII digits and letters that are all valid in `base`; at least one.
    pub(crate) fn from_digits(digits: &[u8], base: u32, poll: &mut Poll<'_>) -> Result<Self> {
        let bits_per_digit = u64::from(u32::BITS - (base - 1).leading_zeros());
        check_bits((digits.len() as u64).saturating_mul(bits_per_digit))?;
        if base.is_power_of_two() || digits.len() <= STEP_DIGITS {
            let text = std::str::from_utf8(digits).expect("digits are ASCII");
            let magnitude = UBig::from_str_radix(text, base).expect("digits were checked against the base");
            return Ok(Self(IBig::from(magnitude)));
        }
        let mut powers = Vec::new();
        let mut length = STEP_DIGITS;
        while length < digits.len() {
            let power = match powers.last() {
                None => Self(IBig::from(base).pow(STEP_DIGITS)),
                Some(last) => Self::mul(last, last, poll)?,
            };
            powers.push(power);
            length *= 2;
        }
        read_digits(digits, base, &powers, poll)
    }

    /// Little-endian two's complement bytes, as few as hold the value.
    pub(crate) fn to_le_bytes(&self) -> Box<[u8]> {
        self.0.to_le_bytes()
    }

    /// The value of little-endian bytes, in two's complement when `signed`.
    pub(crate) fn from_le_bytes(bytes: &[u8], signed: bool) -> Self {
        Self(if signed { IBig::from_le_bytes(bytes) } else { IBig::from(UBig::from_le_bytes(bytes)) })
    }

    /// The top 64 bits of the magnitude, how many bits lie below them, and whether any of those is set. Not for zero.
    pub(crate) fn top_bits(&self) -> (u64, u64, bool) {
        let length = self.bit_length();
        let below = length.saturating_sub(64);
        let sticky = self.trailing_zeros() < below;
        // Only the top words are shifted: this is on the path of `float(huge)`.
        let words = self.words();
        let first = below as usize / WORD_BITS;
        let top = UBig::from_words(&words[first..]) >> (below as usize - first * WORD_BITS);
        (u64::try_from(top).expect("64 bits are left"), below, sticky)
    }

    /// The remainder of the magnitude by the Mersenne number `2 ** exponent - 1`, `exponent` in 32..=61.
    pub(crate) fn magnitude_mod_mersenne(&self, exponent: u32) -> u64 {
        let modulus = (1_u128 << exponent) - 1;
        self.words().iter().rev().fold(0_u128, |hash, &word| ((hash << WORD_BITS) + u128::from(word)) % modulus) as u64
    }

    fn from_parts(negative: bool, magnitude: UBig) -> Self {
        Self(IBig::from_parts(if negative { Sign::Negative } else { Sign::Positive }, magnitude))
    }

    fn magnitude(&self) -> UBig {
        (&self.0).unsigned_abs()
    }

    fn words(&self) -> &[Word] {
        self.0.as_sign_words().1
    }
}

fn stop_if(poll: &mut Poll<'_>) -> Result<()> {
    if poll() { Err(Error::Interrupted) } else { Ok(()) }
}

/// Fails for a result of more than [`MAX_BITS`] bits.
pub(crate) fn check_bits(bits: u64) -> Result<()> {
    if bits > MAX_BITS { Err(Error::TooLarge) } else { Ok(()) }
}

fn by_length<'a>(left: &'a [Word], right: &'a [Word]) -> (&'a [Word], &'a [Word]) {
    if left.len() <= right.len() { (left, right) } else { (right, left) }
}

/// Whether a product of so many words needs no poll on its way.
fn is_one_step(short: usize, long: usize) -> bool {
    short.saturating_mul(long) <= STEP_PRODUCTS || (long <= MUL_WORDS)
}

/// `short * long` in steps.
fn mul_words(short: &[Word], long: &[Word], poll: &mut Poll<'_>) -> Result<UBig> {
    if short.is_empty() {
        return Ok(UBig::ZERO);
    }
    if is_one_step(short.len(), long.len()) {
        stop_if(poll)?;
        return Ok(UBig::from_words(short) * UBig::from_words(long));
    }
    let mut product = vec![0; short.len() + long.len() + 1];
    if short.len() * 2 <= long.len() || short.len() <= MUL_WORDS {
        let piece_words = short.len().max(STEP_PRODUCTS / short.len());
        for (index, piece) in long.chunks(piece_words).enumerate() {
            let (left, right) = by_length(short, piece);
            add_at(&mut product, index * piece_words, mul_words(left, right, poll)?.as_words());
        }
    } else {
        let half = long.len().div_ceil(2);
        let ((short_low, short_high), (long_low, long_high)) = (short.split_at(half), long.split_at(half));
        let low = mul_any(short_low, long_low, poll)?;
        let high = mul_any(short_high, long_high, poll)?;
        let short_sum = UBig::from_words(short_low) + UBig::from_words(short_high);
        let long_sum = UBig::from_words(long_low) + UBig::from_words(long_high);
        let middle = mul_any(short_sum.as_words(), long_sum.as_words(), poll)? - &low - &high;
        add_at(&mut product, 0, low.as_words());
        add_at(&mut product, half, middle.as_words());
        add_at(&mut product, 2 * half, high.as_words());
    }
    Ok(UBig::from_words(&product))
}

fn mul_any(left: &[Word], right: &[Word], poll: &mut Poll<'_>) -> Result<UBig> {
    let (short, long) = by_length(left, right);
    mul_words(short, long, poll)
}

/// Adds `addend` to the number in `sum` from word `offset` on; the sum has room for the carry.
fn add_at(sum: &mut [Word], offset: usize, addend: &[Word]) {
    let mut carry = false;
    let (low, high) = sum[offset..].split_at_mut(addend.len());
    for (word, &add) in low.iter_mut().zip(addend) {
        (*word, carry) = add_with_carry(*word, add, carry);
    }
    for word in high {
        if !carry {
            break;
        }
        (*word, carry) = word.overflowing_add(1);
    }
}

/// `left + right + carry` and the carry out.
fn add_with_carry(left: Word, right: Word, carry: bool) -> (Word, bool) {
    let (sum, first) = left.overflowing_add(right);
    let (sum, second) = sum.overflowing_add(Word::from(carry));
    (sum, first | second)
}

/// Quotient and remainder in steps.
fn div_words(dividend: UBig, divisor: UBig, poll: &mut Poll<'_>) -> Result<(UBig, UBig)> {
    let n_words = divisor.as_words().len();
    if dividend < divisor {
        return Ok((UBig::ZERO, dividend));
    }
    // The divisor is aligned so that its upper halves have their top bit set down to the last step's size.
    let mut levels = 0;
    while n_words.div_ceil(1 << levels) > DIV_WORDS {
        levels += 1;
    }
    let block_words = n_words.next_multiple_of(1 << levels);
    let shift = block_words * WORD_BITS - divisor.bit_len();
    let shift = if levels == 0 { 0 } else { shift };
    let (dividend, divisor) = (dividend << shift, divisor << shift);
    let step_words = if levels == 0 { n_words.max(STEP_PRODUCTS / n_words) } else { block_words };

    let words = dividend.as_words();
    let mut quotient = vec![0; words.len().next_multiple_of(step_words)];
    let mut remainder = UBig::ZERO;
    for (index, piece) in words.chunks(step_words).enumerate().rev() {
        stop_if(poll)?;
        let upper = (remainder << (step_words * WORD_BITS)) | UBig::from_words(piece);
        let (digit, rest) = if levels == 0 { upper.div_rem(&divisor) } else { div_two_by_one(upper, &divisor, block_words, levels, poll)? };
        quotient[index * step_words..][..digit.as_words().len()].copy_from_slice(digit.as_words());
        remainder = rest;
    }
    Ok((UBig::from_words(&quotient), remainder >> shift))
}

/// Divides up to `2 * n_words` words by exactly `n_words` whose top bit is set; the quotient fits in `n_words`.
fn div_two_by_one(dividend: UBig, divisor: &UBig, n_words: usize, levels: u32, poll: &mut Poll<'_>) -> Result<(UBig, UBig)> {
    if levels == 0 || dividend.as_words().len() <= n_words {
        stop_if(poll)?;
        return Ok(dividend.div_rem(divisor));
    }
    let half = n_words / 2;
    let (low, high) = split_words(divisor, half);
    let (dividend_low, dividend_high) = split_words(&dividend, half);
    let parts = Halves { divisor, high, low, half_words: half, levels };
    let (dividend_middle, dividend_top) = split_words(&dividend_high, half);
    let (quotient_high, remainder) = div_three_by_two(dividend_top, &dividend_middle, &parts, poll)?;
    let (quotient_low, remainder) = div_three_by_two(remainder, &dividend_low, &parts, poll)?;
    Ok(((quotient_high << (half * WORD_BITS)) | quotient_low, remainder))
}

struct Halves<'a> {
    divisor: &'a UBig,
    high: UBig,
    low: UBig,
    half_words: usize,
    levels: u32,
}

/// Divides `top` (less than the divisor) followed by the half `below` by the divisor.
fn div_three_by_two(top: UBig, below: &UBig, parts: &Halves<'_>, poll: &mut Poll<'_>) -> Result<(UBig, UBig)> {
    let bits = parts.half_words * WORD_BITS;
    let (_, top_high) = split_words(&top, parts.half_words);
    let (mut quotient, rest) = if top_high >= parts.high {
        let quotient = UBig::ones(bits);
        let rest = top + &parts.high - (&parts.high << bits);
        (quotient, rest)
    } else {
        div_two_by_one(top, &parts.high, parts.half_words, parts.levels - 1, poll)?
    };
    let product = mul_any(quotient.as_words(), parts.low.as_words(), poll)?;
    let mut remainder = IBig::from((rest << bits) | below) - IBig::from(product);
    while remainder.sign() == Sign::Negative {
        quotient -= 1_u8;
        remainder += parts.divisor;
    }
    Ok((quotient, remainder.unsigned_abs()))
}

fn split_words(number: &UBig, n_words: usize) -> (UBig, UBig) {
    let words = number.as_words();
    let (low, high) = words.split_at(n_words.min(words.len()));
    (UBig::from_words(low), UBig::from_words(high))
}

/// Replaces the pair by an equivalent one some 30 bits shorter (D. H. Lehmer, 1938; Knuth, TAOCP 2, 4.5.2 L), in
/// linear time.
fn lehmer_step(large: &BigInt, small: BigInt, poll: &mut Poll<'_>) -> Result<(BigInt, BigInt)> {
    let below = large.bit_length().saturating_sub(62);
    let top_of = |number: &BigInt| {
        let (top, below_top, _) = number.top_bits();
        let shift = below.saturating_sub(below_top);
        if shift >= 64 { 0 } else { i128::from(top >> shift) }
    };
    let (mut u, mut v) = (top_of(large), top_of(&small));
    let (mut a, mut b, mut c, mut d) = (1_i128, 0_i128, 0_i128, 1_i128);
    while v + c != 0 && v + d != 0 {
        let quotient = (u + a) / (v + c);
        if quotient != (u + b) / (v + d) {
            break;
        }
        let (next_c, next_d) = (a - quotient * c, b - quotient * d);
        if next_c.abs() >= 1 << 62 || next_d.abs() >= 1 << 62 {
            break;
        }
        (a, c) = (c, next_c);
        (b, d) = (d, next_d);
        (u, v) = (v, u - quotient * v);
    }
    if b == 0 {
        let rest = large.div_mod_floor(&small, poll)?.1;
        return Ok((small, rest));
    }
    let combine = |x: i128, y: i128| BigInt(&large.0 * IBig::from(x) + &small.0 * IBig::from(y));
    Ok((combine(a, b), combine(c, d)))
}

/// Writes `number`, below the square of the last power, with leading zeros to that width when `padded`.
fn write_decimal(number: &BigInt, powers: &[BigInt], padded: bool, text: &mut String, poll: &mut Poll<'_>) -> Result<()> {
    let Some((power, powers)) = powers.split_last() else {
        stop_if(poll)?;
        let digits = number.0.to_string();
        if padded {
            text.extend(std::iter::repeat_n('0', STEP_DIGITS - digits.len()));
        }
        text.push_str(&digits);
        return Ok(());
    };
    if !padded && number < power {
        return write_decimal(number, powers, false, text, poll);
    }
    let (high, low) = number.div_mod_floor(power, poll)?;
    write_decimal(&high, powers, padded, text, poll)?;
    write_decimal(&low, powers, true, text, poll)
}

/// Reads digits; the powers are of `base` to [`STEP_DIGITS`] times 1, 2, 4 …, the last covering half or more.
fn read_digits(digits: &[u8], base: u32, powers: &[BigInt], poll: &mut Poll<'_>) -> Result<BigInt> {
    let Some((power, powers)) = powers.split_last() else {
        stop_if(poll)?;
        return BigInt::from_digits(digits, base, poll);
    };
    let low_digits = STEP_DIGITS << powers.len();
    if digits.len() <= low_digits {
        return read_digits(digits, base, powers, poll);
    }
    let (high, low) = digits.split_at(digits.len() - low_digits);
    let high = read_digits(high, base, powers, poll)?.mul(power, poll)?;
    Ok(high.add(&read_digits(low, base, powers, poll)?))
}
