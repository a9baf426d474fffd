//! Pure arithmetic, each operation once: constant folding, type slots and fast paths all call it.
//!
//! Nothing here knows of objects or the VM. What may take long takes a [`Poll`], asked at least about every
//! millisecond whether to stop; what may become large is refused past [`bigint::MAX_BITS`], and the `*_bytes`
//! functions of [`int`] bound a result's size before it is computed, so that a caller can charge for it.

pub(crate) mod bigint;
pub(crate) mod complex;
pub(crate) mod error;
pub(crate) mod float;
pub(crate) mod int;
pub(crate) mod math;
pub(crate) mod mersenne;
pub(crate) mod struct_format;

pub(crate) use error::{Error, ErrorKind};
pub(crate) use int::{Int, IntRef};

/// Asked now and then by long operations; `true` ends them with [`Error::Interrupted`].
pub(crate) type Poll<'a> = dyn FnMut() -> bool + 'a;

/// A result of arithmetic.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// A poll that never stops, for operands known to be small.
pub(crate) fn never() -> impl FnMut() -> bool {
    || false
}
