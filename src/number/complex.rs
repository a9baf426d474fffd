//! Python's `complex`.

use super::float::{self, FloatFormat, FloatKind, FloatParts};
use super::{Error, Result};

/// A complex number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Complex {
    /// The real part.
    pub(crate) re: f64,
    /// The imaginary part.
    pub(crate) im: f64,
}

/// Exponents up to this are computed by multiplication, which is exact more often.
const SMALL_EXPONENT: f64 = 100.0;
/// What the hash multiplies the imaginary part's with.
const HASH_IMAGINARY: u64 = 1_000_003;

impl Complex {
    /// One.
    const ONE: Self = Self { re: 1.0, im: 0.0 };

    /// `re + im * 1j`.
    pub(crate) const fn new(re: f64, im: f64) -> Self {
        Self { re, im }
    }

    /// `self + other`.
    pub(crate) fn add(self, other: Self) -> Self {
        Self::new(self.re + other.re, self.im + other.im)
    }

    /// `self - other`.
    pub(crate) fn sub(self, other: Self) -> Self {
        Self::new(self.re - other.re, self.im - other.im)
    }

    /// `-self`.
    pub(crate) fn neg(self) -> Self {
        Self::new(-self.re, -self.im)
    }

    /// The conjugate.
    pub(crate) fn conjugate(self) -> Self {
        Self::new(self.re, -self.im)
    }

    /// `self * other`.
    pub(crate) fn mul(self, other: Self) -> Self {
        Self::new(self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re)
    }

    /// `self / other` (R. L. Smith, CACM 5, 1962: dividing by the larger part keeps the others from overflowing).
    pub(crate) fn div(self, other: Self) -> Result<Self> {
        let (re, im) = (other.re.abs(), other.im.abs());
        if re >= im {
            if re == 0.0 {
                return Err(Error::ComplexDivision);
            }
            let ratio = other.im / other.re;
            let scale = other.re + other.im * ratio;
            Ok(Self::new((self.re + self.im * ratio) / scale, (self.im - self.re * ratio) / scale))
        } else if im >= re {
            let ratio = other.re / other.im;
            let scale = other.re * ratio + other.im;
            Ok(Self::new((self.re * ratio + self.im) / scale, (self.im * ratio - self.re) / scale))
        } else {
            Ok(Self::new(f64::NAN, f64::NAN))
        }
    }

    /// `self ** exponent`.
    pub(crate) fn pow(self, exponent: Self) -> Result<Self> {
        let whole = exponent.im == 0.0 && exponent.re.trunc() == exponent.re && exponent.re.abs() <= SMALL_EXPONENT;
        let power = if whole {
            let positive = self.pow_by_squaring(exponent.re.abs() as u32);
            if exponent.re >= 0.0 { positive } else { Self::ONE.div(positive).map_err(|_| Error::ComplexZeroPower)? }
        } else {
            self.pow_by_polar(exponent)?
        };
        if power.re.is_infinite() || power.im.is_infinite() {
            return Err(Error::ComplexPowerOverflow);
        }
        Ok(power)
    }

    fn pow_by_squaring(self, exponent: u32) -> Self {
        let (mut result, mut square, mut rest) = (Self::ONE, self, exponent);
        while rest != 0 {
            if rest & 1 == 1 {
                result = result.mul(square);
            }
            square = square.mul(square);
            rest >>= 1;
        }
        result
    }

    fn pow_by_polar(self, exponent: Self) -> Result<Self> {
        if self.re == 0.0 && self.im == 0.0 {
            if exponent.im != 0.0 || exponent.re < 0.0 {
                return Err(Error::ComplexZeroPower);
            }
            return Ok(Self::new(0.0, 0.0));
        }
        let radius = self.re.hypot(self.im);
        let angle = self.im.atan2(self.re);
        let mut length = radius.powf(exponent.re);
        let mut phase = angle * exponent.re;
        if exponent.im != 0.0 {
            length /= (angle * exponent.im).exp();
            phase += exponent.im * radius.ln();
        }
        if phase.is_infinite() {
            // No direction: CPython words C's domain error of `cos` like this.
            return Err(Error::ComplexZeroPower);
        }
        Ok(Self::new(length * phase.cos(), length * phase.sin()))
    }

    /// The distance from zero.
    pub(crate) fn abs(self) -> Result<f64> {
        let radius = self.re.hypot(self.im);
        if radius.is_infinite() && self.re.is_finite() && self.im.is_finite() {
            return Err(Error::AbsoluteTooLarge);
        }
        Ok(radius)
    }

    /// The text of `repr`.
    pub(crate) fn repr(self) -> String {
        let format = FloatFormat { kind: FloatKind::ReprPart, ..FloatFormat::default() };
        let parts = self.format(&format);
        let im = parts.im.to_text();
        match parts.re {
            None => format!("{im}j"),
            Some(re) => {
                format!("({}{}{im}j)", re.to_text(), if parts.im.negative { "" } else { "+" })
            }
        }
    }

    /// The digits of both parts; those of type `Plain` are laid out as by `repr`: parentheses, no real part if it is 0.
    pub(crate) fn format(self, format: &FloatFormat) -> ComplexParts {
        let plain = matches!(format.kind, FloatKind::Plain | FloatKind::ReprPart);
        let kind = match (format.kind, format.precision) {
            (FloatKind::Plain, None) => FloatKind::ReprPart,
            (FloatKind::Plain, Some(_)) => FloatKind::General,
            (kind, _) => kind,
        };
        let format = FloatFormat { kind, ..*format };
        let skip_re = plain && self.re == 0.0 && self.re.is_sign_positive();
        ComplexParts { re: (!skip_re).then(|| float::format(self.re, &format)), im: float::format(self.im, &format), parentheses: plain && !skip_re }
    }

    /// CPython's hash; `None` when a part is NaN, which hashes by identity.
    pub(crate) fn hash(self) -> Option<i64> {
        let (re, im) = (float::hash(self.re)? as u64, float::hash(self.im)? as u64);
        let hash = re.wrapping_add(im.wrapping_mul(HASH_IMAGINARY)) as i64;
        Some(if hash == -1 { -2 } else { hash })
    }

    /// The value of a text, stripped and ASCII, as `complex()` takes it. `None` if it is malformed.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = match text {
            [b'(', inside @ .., b')'] => inside.trim_ascii(),
            text => text,
        };
        let Some(b'j' | b'J') = text.last() else {
            return Some(Self::new(float::parse(text)?, 0.0));
        };
        let text = &text[..text.len() - 1];
        // The sign of the imaginary part: the last one that is not an exponent's.
        let is_sign = |index: &usize| matches!(text[*index], b'+' | b'-') && (*index == 0 || !is_exponent_letter(text, *index - 1));
        let split = (0..text.len()).rev().find(is_sign).unwrap_or(0);
        let (re, im) = text.split_at(split);
        let im = match im {
            b"" | b"+" => 1.0,
            b"-" => -1.0,
            im => float::parse(im)?,
        };
        Some(Self::new(if re.is_empty() { 0.0 } else { float::parse(re)? }, im))
    }
}

fn is_exponent_letter(text: &[u8], index: usize) -> bool {
    matches!(text[index], b'e' | b'E') && index > 0 && matches!(text[index - 1], b'0'..=b'9' | b'.')
}

/// The parts of a formatted complex number, before padding and grouping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ComplexParts {
    /// The real part; none when it is left out.
    pub(crate) re: Option<FloatParts>,
    /// The imaginary part, which always has a sign after a real part.
    pub(crate) im: FloatParts,
    /// Whether parentheses belong around.
    pub(crate) parentheses: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repr_leaves_out_a_positive_zero_real_part() {
        for (re, im, text) in [
            (0.0, 1.0, "1j"),
            (-0.0, 1.0, "(-0+1j)"),
            (1.0, -0.0, "(1-0j)"),
            (f64::NAN, f64::NEG_INFINITY, "(nan-infj)"),
            (1.5e300, 0.1, "(1.5e+300+0.1j)"),
        ] {
            assert_eq!(Complex::new(re, im).repr(), text);
        }
    }

    #[test]
    fn texts_are_read_as_by_python() {
        for (text, expected) in [
            ("1+2j", Some((1.0, 2.0))),
            ("( -1e-3-1E+2j )", Some((-1e-3, -1e2))),
            ("j", Some((0.0, 1.0))),
            ("-j", Some((0.0, -1.0))),
            ("1e5", Some((1e5, 0.0))),
            ("inf-infj", Some((f64::INFINITY, f64::NEG_INFINITY))),
            ("1+", None),
            ("1 + 2j", None),
            ("1+2", None),
            ("((1))", None),
            ("1j1", None),
            ("", None),
        ] {
            let value = Complex::parse(text.as_bytes());
            assert_eq!(value, expected.map(|(re, im)| Complex::new(re, im)), "{text}");
        }
    }

    #[test]
    fn zero_has_no_negative_or_complex_powers() {
        let zero = Complex::new(0.0, 0.0);
        assert_eq!(zero.pow(Complex::new(-1.0, 0.0)), Err(Error::ComplexZeroPower));
        assert_eq!(zero.pow(Complex::new(0.0, 1.0)), Err(Error::ComplexZeroPower));
        assert_eq!(Complex::new(0.0, 1.0).pow(Complex::new(2.0, 0.0)), Ok(Complex::new(-1.0, 0.0)));
        assert_eq!(Complex::ONE.div(zero), Err(Error::ComplexDivision));
    }
}
