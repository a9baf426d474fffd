//! A value as the VM core holds it: one word. Small integers, most floats and the singletons are inside the word; everything
//! else is a pointer to a heap object. A `Word` is `Copy` and owns nothing by itself: see [`super::heap`] for who counts
//! and [`super::value::Value`] for the owned form.
//!
//! - low bit 1: an integer of 63 bits
//! - low bits 10: a float whose exponent is near enough to 1.0's to lose no bit by the rotation, or 0.0
//! - low bits 100: a singleton
//! - low bits 000: a pointer, 16-byte aligned, never null

use std::num::NonZeroU64;

use super::heap::Header;

/// A value in one word.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub(crate) struct Word(NonZeroU64);

const fn special(index: u64) -> Word {
    match NonZeroU64::new(index << 3 | 4) {
        Some(bits) => Word(bits),
        None => unreachable!(),
    }
}

/// The largest integer a word can hold.
pub(crate) const SMALL_MAX: i64 = (1 << 62) - 1;
/// The smallest integer a word can hold.
pub(crate) const SMALL_MIN: i64 = -(1 << 62);

/// The word for 0.0, which the float encoding has no room for otherwise: the float it would be the word of lives on the heap.
const ZERO_FLOAT: u64 = 2;

/// Subtracted from a float's bits, this leaves zeros in bits 61 and 62 when its exponent is near enough to 1.0's.
const FLOAT_BIAS: u64 = 3 << 60;

impl Word {
    /// What an unassigned local, an empty cell and a missing argument hold; scripts never see it.
    pub(crate) const UNBOUND: Self = special(0);
    pub(crate) const NONE: Self = special(1);
    pub(crate) const FALSE: Self = special(2);
    pub(crate) const TRUE: Self = special(3);
    pub(crate) const NOT_IMPLEMENTED: Self = special(4);
    pub(crate) const ELLIPSIS: Self = special(5);

    #[inline(always)]
    pub(crate) fn bits(self) -> u64 {
        self.0.get()
    }

    /// The word of a heap object.
    #[inline(always)]
    pub(crate) fn from_pointer(pointer: std::ptr::NonNull<Header>) -> Self {
        Self(NonZeroU64::new(pointer.as_ptr() as u64).expect("a NonNull is not zero"))
    }

    #[inline(always)]
    pub(crate) fn is_pointer(self) -> bool {
        self.0.get() & 7 == 0
    }

    /// The heap object, if it is one.
    #[inline(always)]
    pub(crate) fn pointer(self) -> Option<*mut Header> {
        if self.is_pointer() { Some(self.0.get() as *mut Header) } else { None }
    }

    #[inline(always)]
    pub(crate) fn from_bool(value: bool) -> Self {
        if value { Self::TRUE } else { Self::FALSE }
    }

    /// An integer, when it fits.
    #[inline(always)]
    pub(crate) fn from_small(value: i64) -> Option<Self> {
        if (SMALL_MIN..=SMALL_MAX).contains(&value) { Some(Self::small(value)) } else { None }
    }

    /// An integer known to fit in 63 bits.
    #[inline(always)]
    pub(crate) fn small(value: i64) -> Self {
        debug_assert!((SMALL_MIN..=SMALL_MAX).contains(&value));
        Self(NonZeroU64::new((value as u64) << 1 | 1).expect("the low bit is set"))
    }

    #[inline(always)]
    pub(crate) fn is_small(self) -> bool {
        self.0.get() & 1 != 0
    }

    /// Whether both are small integers.
    #[inline(always)]
    pub(crate) fn both_small(self, other: Self) -> bool {
        self.0.get() & other.0.get() & 1 != 0
    }

    /// The integer in a word that `is_small`.
    #[inline(always)]
    pub(crate) fn small_value(self) -> i64 {
        self.0.get() as i64 >> 1
    }

    /// The integer, if it is a small one.
    #[inline(always)]
    pub(crate) fn as_small(self) -> Option<i64> {
        if self.is_small() { Some(self.small_value()) } else { None }
    }

    /// A float, when its exponent allows; the others live on the heap.
    #[inline(always)]
    pub(crate) fn from_float(value: f64) -> Option<Self> {
        let bits = value.to_bits();
        // The three bits below the sign are 011 or 100 for exponents near zero: less 011, only the last of them can be set.
        let rotated = bits.wrapping_sub(FLOAT_BIAS).rotate_left(3);
        if rotated & 3 == 0 && rotated != 0 {
            Some(Self(NonZeroU64::new(rotated | 2).expect("bit 1 is set")))
        } else if bits == 0 {
            Some(Self(NonZeroU64::new(ZERO_FLOAT).expect("not zero")))
        } else {
            None
        }
    }

    #[inline(always)]
    pub(crate) fn is_float(self) -> bool {
        self.0.get() & 3 == 2
    }

    /// The float in a word that `is_float`.
    #[inline(always)]
    pub(crate) fn float_value(self) -> f64 {
        let bits = self.0.get();
        if bits == ZERO_FLOAT {
            return 0.0;
        }
        f64::from_bits((bits - 2).rotate_right(3).wrapping_add(FLOAT_BIAS))
    }

    /// The float, if it is one inside the word.
    #[inline(always)]
    pub(crate) fn as_float(self) -> Option<f64> {
        if self.is_float() { Some(self.float_value()) } else { None }
    }
}

impl std::fmt::Debug for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(value) = self.as_small() {
            write!(f, "{value}")
        } else if let Some(value) = self.as_float() {
            write!(f, "{value:?}")
        } else {
            match *self {
                Self::UNBOUND => f.write_str("UNBOUND"),
                Self::NONE => f.write_str("None"),
                Self::TRUE => f.write_str("True"),
                Self::FALSE => f.write_str("False"),
                Self::NOT_IMPLEMENTED => f.write_str("NotImplemented"),
                Self::ELLIPSIS => f.write_str("Ellipsis"),
                _ => write!(f, "object at {:#x}", self.bits()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_come_back_bit_for_bit() {
        for value in [
            0.0,
            1.0,
            -1.0,
            0.5,
            1.5e10,
            -2.25e-30,
            3.0e70,
            f64::MIN_POSITIVE,
            f64::MAX,
            -0.0,
            f64::INFINITY,
            1e-77,
            2e77,
            f64::from_bits(3 << 60),
            f64::from_bits((3 << 60) + 1),
            f64::from_bits((5 << 60) - 1),
            f64::from_bits(5 << 60),
        ] {
            if let Some(word) = Word::from_float(value) {
                assert!(word.is_float() && !word.is_small() && !word.is_pointer());
                assert_eq!(word.float_value().to_bits(), value.to_bits(), "{value:?}");
            }
        }
        assert!(Word::from_float(f64::from_bits(3 << 60)).is_none() && Word::from_float(f64::from_bits((5 << 60) - 1)).is_some());
        assert!(Word::from_float(1.0).is_some() && Word::from_float(-0.0).is_none() && Word::from_float(f64::NAN).is_none());
    }

    #[test]
    fn small_integers_come_back() {
        for value in [0, 1, -1, SMALL_MAX, SMALL_MIN] {
            assert_eq!(Word::from_small(value).and_then(Word::as_small), Some(value));
        }
        assert!(Word::from_small(SMALL_MAX + 1).is_none() && Word::from_small(SMALL_MIN - 1).is_none());
    }
}
