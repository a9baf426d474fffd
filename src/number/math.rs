//! The functions of Python's `math`, on plain numbers.
//!
//! What the platform's C library offers comes from there (through `f64`'s methods and [`c_math`]), so results are
//! CPython's on the same machine; the rest follows the method named at each.

use std::f64::consts::PI;

use super::int::{Int, IntRef};
use super::{Error, Poll, Result, float};
use crate::os::c_math;

/// Fails where a function of a number gave none, or an infinity out of a finite one.
fn checked(argument: f64, result: f64, at_infinity: Error) -> Result<f64> {
    if result.is_nan() && !argument.is_nan() {
        return Err(Error::Domain);
    }
    if result.is_infinite() && argument.is_finite() {
        return Err(at_infinity);
    }
    Ok(result)
}

/// Functions of one float: each is `math`'s of that name, by the expression given, and an infinite result of a finite
/// argument is the error given.
macro_rules! unary {
    ($($name:ident: $function:expr, $at_infinity:ident;)*) => { $(
        #[doc = concat!("`math.", stringify!($name), "`.")]
        pub(crate) fn $name(x: f64) -> Result<f64> {
            let function: fn(f64) -> f64 = $function;
            checked(x, function(x), Error::$at_infinity)
        }
    )* };
}

unary! {
    acos: f64::acos, Domain;
    acosh: |x| c_math::acosh(x), Domain;
    asin: f64::asin, Domain;
    asinh: |x| c_math::asinh(x), Domain;
    atan: f64::atan, Domain;
    atanh: |x| c_math::atanh(x), Domain;
    cbrt: |x| c_math::cbrt(x), Domain;
    cos: f64::cos, Domain;
    cosh: f64::cosh, Range;
    exp: f64::exp, Range;
    exp2: f64::exp2, Range;
    expm1: f64::exp_m1, Range;
    log1p: f64::ln_1p, Domain;
    sin: f64::sin, Domain;
    sinh: f64::sinh, Range;
    sqrt: f64::sqrt, Domain;
    tan: f64::tan, Domain;
    tanh: f64::tanh, Domain;
    log: f64::ln, Domain;
    log2: f64::log2, Domain;
    log10: f64::log10, Domain;
    erf: |x| c_math::erf(x), Domain;
    erfc: |x| c_math::erfc(x), Domain;
}

/// Which logarithm of a large integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logarithm {
    /// `math.log`.
    Natural,
    /// `math.log2`.
    Binary,
    /// `math.log10`.
    Decimal,
}

/// A logarithm of an integer, also past the largest float.
pub(crate) fn log_of_int(value: IntRef<'_>, logarithm: Logarithm) -> Result<f64> {
    let function = match logarithm {
        Logarithm::Natural => log,
        Logarithm::Binary => log2,
        Logarithm::Decimal => log10,
    };
    if value.is_negative() || value.is_zero() {
        return Err(Error::Domain);
    }
    if let Ok(x) = value.to_f64() {
        return function(x);
    }
    // The top bits rounded once, as a fraction in 0.5..1, and the exponent that it stands before.
    let mut exponent = value.bit_length() as f64;
    let unit = IntRef::Small(1).shl(IntRef::Small(value.bit_length() as i64))?;
    let mut fraction = value.truediv(unit.as_ref(), &mut || false)?;
    if fraction == 1.0 {
        (fraction, exponent) = (0.5, exponent + 1.0);
    }
    Ok(function(fraction)? + function(2.0)? * exponent)
}

/// `math.atan2`.
pub(crate) fn atan2(y: f64, x: f64) -> f64 {
    y.atan2(x)
}

/// `math.copysign`.
pub(crate) fn copysign(x: f64, sign: f64) -> f64 {
    x.copysign(sign)
}

/// `math.fabs`.
pub(crate) fn fabs(x: f64) -> f64 {
    x.abs()
}

/// `math.degrees`.
pub(crate) fn degrees(x: f64) -> f64 {
    x * (180.0 / PI)
}

/// `math.radians`.
pub(crate) fn radians(x: f64) -> f64 {
    x * (PI / 180.0)
}

/// `math.ceil` of a float.
pub(crate) fn ceil(x: f64) -> Result<Int> {
    Int::from_f64(x.ceil())
}

/// `math.floor` of a float.
pub(crate) fn floor(x: f64) -> Result<Int> {
    Int::from_f64(x.floor())
}

/// `math.fmod`: the remainder with the sign of `x`.
pub(crate) fn fmod(x: f64, y: f64) -> Result<f64> {
    if y.is_infinite() && x.is_finite() {
        return Ok(x);
    }
    let remainder = x % y;
    if remainder.is_nan() && !x.is_nan() && !y.is_nan() { Err(Error::Domain) } else { Ok(remainder) }
}

/// `math.remainder`: the difference to the closest multiple of `y`, ties to even (IEEE 754).
pub(crate) fn remainder(x: f64, y: f64) -> Result<f64> {
    let remainder = libm::remainder(x, y);
    if remainder.is_nan() && !x.is_nan() && !y.is_nan() { Err(Error::Domain) } else { Ok(remainder) }
}

/// `math.modf`: the fraction and the whole, both with the sign of `x`.
pub(crate) fn modf(x: f64) -> (f64, f64) {
    if x.is_infinite() {
        return (0.0_f64.copysign(x), x);
    }
    let whole = x.trunc();
    ((x - whole).copysign(x), whole)
}

/// `math.frexp`: a fraction in `0.5..1` and the exponent of the power of two to multiply it with.
pub(crate) fn frexp(x: f64) -> (f64, i64) {
    if x == 0.0 || !x.is_finite() {
        return (x, 0);
    }
    let (mantissa, exponent) = float::decompose(x);
    let bits = 64 - i64::from(mantissa.leading_zeros());
    let fraction = float::compose(x < 0.0, mantissa, -bits, false).expect("it is below 1");
    (fraction, exponent + bits)
}

/// `math.ldexp`: `x * 2 ** exponent`, rounded once.
pub(crate) fn ldexp(x: f64, exponent: IntRef<'_>) -> Result<f64> {
    if x == 0.0 || !x.is_finite() {
        return Ok(x);
    }
    let (mantissa, own_exponent) = float::decompose(x);
    let exponent = exponent.to_i64_saturating().clamp(-10_000, 10_000);
    float::compose(x < 0.0, mantissa, own_exponent + exponent, false).ok_or(Error::Range)
}

/// `math.pow`.
pub(crate) fn pow(x: f64, y: f64) -> Result<f64> {
    let power = x.powf(y);
    if x.is_finite() && y.is_finite() {
        if power.is_nan() || (power.is_infinite() && x == 0.0) {
            return Err(Error::Domain);
        }
        if power.is_infinite() {
            return Err(Error::Range);
        }
    }
    Ok(power)
}

/// `math.fma`: `x * y + z`, rounded once.
pub(crate) fn fma(x: f64, y: f64, z: f64) -> Result<f64> {
    let result = x.mul_add(y, z);
    if result.is_nan() && !x.is_nan() && !y.is_nan() && !z.is_nan() {
        return Err(Error::FmaInvalid);
    }
    if result.is_infinite() && x.is_finite() && y.is_finite() && z.is_finite() {
        return Err(Error::FmaOverflow);
    }
    Ok(result)
}

/// `math.ulp`: the value of the lowest bit.
pub(crate) fn ulp(x: f64) -> f64 {
    let x = x.abs();
    if !x.is_finite() {
        return x;
    }
    let next = f64::from_bits(x.to_bits() + 1);
    if next.is_infinite() { x - f64::from_bits(x.to_bits() - 1) } else { next - x }
}

/// `math.nextafter`: `steps` floats from `x` towards `y` (1 when absent), but not past it.
pub(crate) fn nextafter(x: f64, y: f64, steps: Option<IntRef<'_>>) -> Result<f64> {
    let is_one_step = steps.is_none();
    let steps = steps.unwrap_or(IntRef::Small(1));
    if steps.is_negative() {
        return Err(Error::NegativeSteps);
    }
    let steps = steps.to_u64().unwrap_or(u64::MAX);
    if steps == 0 || x.is_nan() {
        return Ok(x);
    }
    if y.is_nan() || x == y {
        return Ok(y);
    }
    // Floats in order of their value, as integers; both zeros are 0.
    let to_line = |value: f64| {
        let magnitude = (value.to_bits() & !(1 << 63)) as i64;
        if value.is_sign_negative() { -magnitude } else { magnitude }
    };
    let (from, to) = (to_line(x), to_line(y));
    let distance = from.abs_diff(to);
    if steps >= distance {
        // The C library's function, which makes one step, keeps the side that it comes from.
        return Ok(if is_one_step && y == 0.0 { y.copysign(x) } else { y });
    }
    let point = if from < to { from.wrapping_add_unsigned(steps) } else { from.wrapping_sub_unsigned(steps) };
    let magnitude = f64::from_bits(point.unsigned_abs());
    // A step onto zero keeps the side it came from.
    Ok(if point < 0 || (point == 0 && x < 0.0) { -magnitude } else { magnitude })
}

/// `math.isclose`.
pub(crate) fn isclose(a: f64, b: f64, relative: f64, absolute: f64) -> Result<bool> {
    if relative < 0.0 || absolute < 0.0 {
        return Err(Error::NegativeTolerance);
    }
    if a == b {
        return Ok(true);
    }
    if a.is_infinite() || b.is_infinite() {
        return Ok(false);
    }
    let difference = (b - a).abs();
    Ok(difference <= (relative * b).abs() || difference <= (relative * a).abs() || difference <= absolute)
}

/// `math.hypot`: the length of a vector, rounded nearly always correctly: squares are summed with twice a float's
/// precision, and the root is corrected by one step of Newton's.
pub(crate) fn hypot(coordinates: &[f64]) -> f64 {
    let mut largest = 0.0_f64;
    let mut has_nan = false;
    for coordinate in coordinates {
        let magnitude = coordinate.abs();
        has_nan |= magnitude.is_nan();
        largest = largest.max(magnitude);
    }
    if largest.is_infinite() {
        return f64::INFINITY;
    }
    if has_nan {
        return f64::NAN;
    }
    if largest == 0.0 || coordinates.len() <= 1 {
        return largest;
    }
    // Scaling by a power of two is exact, but for what is too small to matter.
    let exponent = frexp(largest).1;
    let scale = |value: f64, by: i64| {
        let half = by / 2;
        value * 2.0_f64.powi(half as i32) * 2.0_f64.powi((by - half) as i32)
    };
    let (mut sum, mut rest) = (0.0_f64, 0.0_f64);
    for &coordinate in coordinates {
        let x = scale(coordinate, -exponent);
        let (square, square_rest) = two_product(x, x);
        let sum_rest;
        (sum, sum_rest) = two_sum(sum, square);
        rest += square_rest + sum_rest;
    }
    let root = (sum + rest).sqrt();
    let (square, square_rest) = two_product(root, root);
    let missing = (sum - square) - square_rest + rest;
    scale(root + missing / (2.0 * root), exponent)
}

/// `math.dist`: the distance of two points.
pub(crate) fn dist(p: &[f64], q: &[f64]) -> Result<f64> {
    if p.len() != q.len() {
        return Err(Error::DimensionsDiffer);
    }
    let differences: Vec<f64> = p.iter().zip(q).map(|(a, b)| a - b).collect();
    Ok(hypot(&differences))
}

fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

fn two_product(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    (product, a.mul_add(b, -product))
}

/// An exact sum of floats (J. R. Shewchuk, "Adaptive Precision Floating-Point Arithmetic", 1997): partial sums that do
/// not overlap, smallest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExactSum {
    partials: Vec<f64>,
    /// The plain sum of infinities and NaNs seen.
    special: f64,
    /// The plain sum of infinities seen.
    infinities: f64,
}

impl ExactSum {
    /// Adds a float. Fails when a partial sum overflows.
    pub(crate) fn add(&mut self, value: f64) -> Result<()> {
        let mut x = value;
        let mut kept = 0;
        for index in 0..self.partials.len() {
            let rest;
            (x, rest) = two_sum(x, self.partials[index]);
            if rest != 0.0 && !rest.is_nan() {
                self.partials[kept] = rest;
                kept += 1;
            }
        }
        self.partials.truncate(kept);
        if x.is_finite() {
            if x != 0.0 {
                self.partials.push(x);
            }
            return Ok(());
        }
        if value.is_finite() {
            return Err(Error::FsumOverflow);
        }
        if value.is_infinite() {
            self.infinities += value;
        }
        self.special += value;
        self.partials.clear();
        Ok(())
    }

    /// The sum, correctly rounded.
    pub(crate) fn finish(mut self) -> Result<f64> {
        if self.special != 0.0 {
            return if self.infinities.is_nan() { Err(Error::FsumInfinities) } else { Ok(self.special) };
        }
        let Some(mut sum) = self.partials.pop() else { return Ok(0.0) };
        while let Some(next) = self.partials.pop() {
            let rest;
            (sum, rest) = two_sum(sum, next);
            if rest != 0.0 {
                // What lies below decides a tie: the sum moves if doubling the rest is exact and points the same way.
                if self.partials.last().is_some_and(|&below| (below < 0.0) == (rest < 0.0)) {
                    let moved = sum + 2.0 * rest;
                    if moved - sum == 2.0 * rest {
                        sum = moved;
                    }
                }
                break;
            }
        }
        Ok(sum)
    }
}

/// `math.fsum`.
#[cfg(test)]
pub(crate) fn fsum(values: impl IntoIterator<Item = f64>) -> Result<f64> {
    let mut sum = ExactSum::default();
    for value in values {
        sum.add(value)?;
    }
    sum.finish()
}

/// The sum of products of floats for `math.sumprod`, with three times a float's precision (T. Ogita, S. M. Rump and S. Oishi, "Accurate Sum and
/// Dot Product", SIAM J. Sci. Comput. 26, 2005).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ProductSum {
    high: f64,
    low: f64,
    tiny: f64,
}

impl ProductSum {
    /// With one product more; `None` where the sum is no longer finite.
    pub(crate) fn add(self, a: f64, b: f64) -> Option<Self> {
        let (product, product_rest) = two_product(a, b);
        let (high, sum_rest) = two_sum(self.high, product);
        let (first, first_rest) = two_sum(self.low, product_rest);
        let (low, second_rest) = two_sum(first, sum_rest);
        high.is_finite().then_some(Self { high, low, tiny: self.tiny + (first_rest + second_rest) })
    }

    /// The sum.
    pub(crate) fn total(self) -> f64 {
        let (sum, rest) = two_sum(self.low, self.high);
        self.tiny + rest + sum
    }
}

/// `math.isqrt`.
pub(crate) fn isqrt(n: IntRef<'_>, poll: &mut Poll<'_>) -> Result<Int> {
    n.isqrt(poll)
}

/// `math.factorial`.
pub(crate) fn factorial(n: IntRef<'_>, poll: &mut Poll<'_>) -> Result<Int> {
    if n.is_negative() {
        return Err(Error::FactorialNegative);
    }
    let n = n.to_i64().ok_or(Error::FactorialTooLarge)?;
    check_product(n, (n as f64).log2())?;
    product(IntRef::Small(1), n as u64, poll)
}

/// `math.perm(n, k)`, `n!` when `k` is absent.
pub(crate) fn perm(n: IntRef<'_>, k: Option<IntRef<'_>>, poll: &mut Poll<'_>) -> Result<Int> {
    let Some(k) = k else { return factorial(n, poll) };
    if n.is_negative() {
        return Err(Error::NegativeN);
    }
    if k.is_negative() {
        return Err(Error::NegativeK);
    }
    if k.cmp(n).is_gt() {
        return Ok(Int::Small(0));
    }
    let count = k.to_i64().ok_or(Error::PermTooLarge)?;
    check_product(count, n.bit_length() as f64 - 2.0)?;
    let first = n.sub(k).as_ref().add(IntRef::Small(1));
    product(first.as_ref(), count as u64, poll)
}

/// `math.comb(n, k)`.
pub(crate) fn comb(n: IntRef<'_>, k: IntRef<'_>, poll: &mut Poll<'_>) -> Result<Int> {
    if n.is_negative() {
        return Err(Error::NegativeN);
    }
    if k.is_negative() {
        return Err(Error::NegativeK);
    }
    let other = n.sub(k);
    if other.as_ref().is_negative() {
        return Ok(Int::Small(0));
    }
    let k = if other.as_ref().cmp(k).is_lt() { other.as_ref() } else { k };
    let count = k.to_i64().ok_or(Error::CombTooLarge)?;
    // While it fits a word, every step's quotient is exact.
    if let Some(n) = n.to_u64() {
        let step = |result: u64, index: u64| u64::try_from(u128::from(result) * u128::from(n - index) / u128::from(index + 1)).ok();
        if count <= 67
            && let Some(result) = (0..count as u64).try_fold(1, step)
        {
            return Ok(Int::from(result));
        }
    }
    check_product(count, n.bit_length() as f64 - 2.0 - (count as f64).log2())?;
    let first = n.sub(k).as_ref().add(IntRef::Small(1));
    let numerator = product(first.as_ref(), count as u64, poll)?;
    let denominator = product(IntRef::Small(1), count as u64, poll)?;
    numerator.as_ref().floordiv(denominator.as_ref(), poll)
}

/// Fails at once where a product of `count` factors of some `bits` each could not be held.
fn check_product(count: i64, bits: f64) -> Result<()> {
    // Half the factors are at least half the largest.
    if count as f64 / 2.0 * (bits - 1.0).max(1.0) > super::bigint::MAX_BITS as f64 {
        return Err(Error::TooLarge);
    }
    Ok(())
}

/// `first * (first + 1) * …` with `count` factors, by halves, so that the large products have equal sides.
fn product(first: IntRef<'_>, count: u64, poll: &mut Poll<'_>) -> Result<Int> {
    const STEP: u64 = 16;
    if count <= STEP {
        let mut result = Int::Small(1);
        for index in 0..count {
            let factor = first.add(IntRef::Small(index as i64));
            result = result.as_ref().mul(factor.as_ref(), poll)?;
        }
        return Ok(result);
    }
    if poll() {
        return Err(Error::Interrupted);
    }
    let half = count / 2;
    let middle = first.add(IntRef::Small(half as i64));
    let low = product(first, half, poll)?;
    let high = product(middle.as_ref(), count - half, poll)?;
    low.as_ref().mul(high.as_ref(), poll)
}

/// Lanczos' approximation of the gamma function with 13 terms (C. Lanczos, SIAM J. Numer. Anal. B 1, 1964), in the
/// rational form whose coefficients the Boost library publishes as `lanczos13m53`.
#[expect(clippy::excessive_precision, reason = "as published; the nearest floats are meant")]
mod lanczos {
    /// The parameter `g`.
    pub(super) const G: f64 = 6.024_680_040_776_729_583_740_234_375;
    /// `g - 0.5`.
    pub(super) const G_MINUS_HALF: f64 = 5.524_680_040_776_729_583_740_234_375;

    const NUMERATOR: [f64; 13] = [
        23_531_376_880.410_759_688_572_007_674_45,
        42_919_803_642.649_098_768_957_899_047_00,
        35_711_959_237.355_668_049_440_185_451_55,
        17_921_034_426.037_209_699_919_755_754_46,
        6_039_542_586.352_028_005_064_291_644_31,
        1_439_720_407.311_721_673_663_223_072_79,
        248_874_557.862_054_156_511_460_386_413,
        31_426_415.585_400_194_380_614_231_628_3,
        2_876_370.628_935_372_441_225_409_051_62,
        186_056.265_395_223_495_040_294_989_716,
        8_071.672_002_365_816_210_638_002_902_27,
        210.824_277_751_579_345_872_509_733_921,
        2.506_628_274_631_000_270_164_908_177_13,
    ];
    /// The coefficients of `x (x + 1) … (x + 11)`.
    const DENOMINATOR: [f64; 13] = [
        0.0,
        39_916_800.0,
        120_543_840.0,
        150_917_976.0,
        105_258_076.0,
        45_995_730.0,
        13_339_535.0,
        2_637_558.0,
        357_423.0,
        32_670.0,
        1_925.0,
        66.0,
        1.0,
    ];

    /// The sum, for positive `x`. Large ones are evaluated in `1 / x`, which cannot overflow.
    pub(super) fn sum(x: f64) -> f64 {
        let pairs = NUMERATOR.iter().zip(DENOMINATOR);
        let (numerator, denominator) = if x < 5.0 {
            pairs.rev().fold((0.0, 0.0), |(above, below), (a, b)| (above * x + a, below * x + b))
        } else {
            pairs.fold((0.0, 0.0), |(above, below), (a, b)| (above / x + a, below / x + b))
        };
        numerator / denominator
    }
}

/// `sin(pi * x)` for finite `x`, by the eighth of the circle it lies in.
fn sin_pi(x: f64) -> f64 {
    let y = x.abs() % 2.0;
    let result = match (2.0 * y).round() as i64 {
        0 => (PI * y).sin(),
        1 => (PI * (y - 0.5)).cos(),
        2 => (PI * (1.0 - y)).sin(),
        3 => -(PI * (y - 1.5)).cos(),
        _ => (PI * (y - 2.0)).sin(),
    };
    result * 1.0_f64.copysign(x)
}

/// `math.gamma`.
pub(crate) fn gamma(x: f64) -> Result<f64> {
    if x.is_nan() || x == f64::INFINITY {
        return Ok(x);
    }
    if x.is_infinite() || x == 0.0 {
        return Err(Error::Domain);
    }
    let whole = x.floor() == x;
    if whole && x < 0.0 {
        return Err(Error::Domain);
    }
    if whole && x <= 23.0 {
        // Factorials up to 22! are exact.
        return Ok((2..x as u32).fold(1.0, |factorial, factor| factorial * f64::from(factor)));
    }
    let magnitude = x.abs();
    if magnitude < 1e-20 {
        let result = 1.0 / x;
        return if result.is_infinite() { Err(Error::Range) } else { Ok(result) };
    }
    if magnitude > 200.0 {
        return if x < 0.0 { Ok(0.0 / sin_pi(x)) } else { Err(Error::Range) };
    }
    // The base of the power, and what rounding lost of it.
    let base = magnitude + lanczos::G_MINUS_HALF;
    let lost =
        if magnitude > lanczos::G_MINUS_HALF { (base - magnitude) - lanczos::G_MINUS_HALF } else { (base - lanczos::G_MINUS_HALF) - magnitude };
    let correction = lost * lanczos::G / base;
    // Past 140 the power overflows before the result does: its root is taken twice.
    let exponent = magnitude - 0.5;
    let (power, times) = if magnitude < 140.0 { (base.powf(exponent), 1) } else { (base.powf(magnitude / 2.0 - 0.25), 2) };
    let mut result;
    if x < 0.0 {
        // The reflection formula.
        result = -PI / sin_pi(magnitude) / magnitude * base.exp() / lanczos::sum(magnitude);
        result -= correction * result;
        for _ in 0..times {
            result /= power;
        }
    } else {
        result = lanczos::sum(magnitude) / base.exp();
        result += correction * result;
        for _ in 0..times {
            result *= power;
        }
    }
    if result.is_infinite() { Err(Error::Range) } else { Ok(result) }
}

/// `math.lgamma`: the logarithm of the gamma function's magnitude.
pub(crate) fn lgamma(x: f64) -> Result<f64> {
    if !x.is_finite() {
        return Ok(if x.is_nan() { x } else { f64::INFINITY });
    }
    if x.floor() == x && x <= 2.0 {
        return if x <= 0.0 { Err(Error::Domain) } else { Ok(0.0) };
    }
    let magnitude = x.abs();
    if magnitude < 1e-20 {
        return Ok(-magnitude.ln());
    }
    let mut result = lanczos::sum(magnitude).ln() - lanczos::G;
    result += (magnitude - 0.5) * ((magnitude + lanczos::G - 0.5).ln() - 1.0);
    if x < 0.0 {
        // The reflection formula.
        result = LN_PI - sin_pi(magnitude).abs().ln() - magnitude.ln() - result;
    }
    if result.is_infinite() { Err(Error::Range) } else { Ok(result) }
}

/// `log(pi)`.
const LN_PI: f64 = 1.144_729_885_849_400_2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact() {
        assert_eq!(fsum([0.1; 10]), Ok(1.0));
        assert_eq!(fsum([1e100, 1.0, -1e100]), Ok(1.0));
        assert_eq!(fsum([1e-16, 1.0, 1e16]), Ok(10_000_000_000_000_002.0));
        assert_eq!(fsum([1e308, 1e308]), Err(Error::FsumOverflow));
        assert_eq!(fsum([f64::INFINITY, f64::NEG_INFINITY]), Err(Error::FsumInfinities));
        let sum = [(0.1, 10.0), (0.2, 5.0), (1e17, 1.0), (-1e17, 1.0)].into_iter().try_fold(ProductSum::default(), |sum, (a, b)| sum.add(a, b));
        assert_eq!(sum.map(ProductSum::total), Some(2.0));
        assert!(ProductSum::default().add(1e200, 1e200).is_none());
    }

    #[test]
    fn special_arguments_fail_as_in_python() {
        assert_eq!(sqrt(-1.0), Err(Error::Domain));
        assert_eq!(sin(f64::INFINITY), Err(Error::Domain));
        assert_eq!(exp(1000.0), Err(Error::Range));
        assert_eq!(log(0.0), Err(Error::Domain));
        assert_eq!(atanh(1.0), Err(Error::Domain));
        assert_eq!(gamma(-1.0), Err(Error::Domain));
        assert_eq!(gamma(200.0), Err(Error::Range));
        assert_eq!(pow(0.0, -1.0), Err(Error::Domain));
        assert_eq!(ldexp(1.0, IntRef::Small(5000)), Err(Error::Range));
        assert_eq!(fma(1e308, 10.0, 0.0), Err(Error::FmaOverflow));
    }

    #[test]
    fn values_are_python_s() {
        assert_eq!(gamma(0.5), Ok(1.772_453_850_905_515_9));
        assert_eq!(gamma(-1.5), Ok(2.363_271_801_207_354_4));
        assert_eq!(lgamma(100.5), Ok(361.435_540_467_777_6));
        assert_eq!(erf(0.5), Ok(0.520_499_877_813_046_5));
        assert_eq!(hypot(&[3.0, 4.0, 12.0]), 13.0);
        assert_eq!(hypot(&[5e-324, 5e-324]), 5e-324);
        assert_eq!(nextafter(1.0, 2.0, Some(IntRef::Small(2))), Ok(1.000_000_000_000_000_4));
        assert_eq!(ulp(1.0), f64::EPSILON);
        assert_eq!(frexp(5e-324), (0.5, -1073));
        assert_eq!(remainder(5.0, 2.0), Ok(1.0));
    }

    #[test]
    fn counting_is_exact() {
        let poll: &mut Poll<'_> = &mut || false;
        let small = IntRef::Small;
        assert_eq!(comb(small(50), small(25), poll), Ok(Int::from(126_410_606_437_752_i64)));
        assert_eq!(comb(small(3), small(5), poll), Ok(Int::Small(0)));
        assert_eq!(perm(small(10), Some(small(3)), poll), Ok(Int::Small(720)));
        assert_eq!(factorial(small(20), poll), Ok(Int::from(2_432_902_008_176_640_000_i64)));
        assert_eq!(factorial(small(-1), poll), Err(Error::FactorialNegative));
        assert_eq!(factorial(small(1 << 50), poll), Err(Error::TooLarge));
    }
}
