//! Functions of the C library's mathematics that `std` does not offer, or offers from another source than the C
//! library: with them scripts get the very digits that CPython gives on the same machine.
//!
//! - **M1** Each function takes and returns plain floats, for all values, and touches no memory but `errno`.
#![allow(unsafe_code, reason = "C's mathematics; see M1")]

#[cfg(unix)]
mod platform {
    // SAFETY: these are C's own signatures, and the functions are safe to call (M1).
    #[link(name = "m")]
    unsafe extern "C" {
        pub(crate) safe fn acosh(x: f64) -> f64;
        pub(crate) safe fn asinh(x: f64) -> f64;
        pub(crate) safe fn atanh(x: f64) -> f64;
        pub(crate) safe fn cbrt(x: f64) -> f64;
        pub(crate) safe fn erf(x: f64) -> f64;
        pub(crate) safe fn erfc(x: f64) -> f64;
    }
}

#[cfg(not(unix))]
mod platform {
    pub(crate) use libm::{acosh, asinh, atanh, cbrt, erf, erfc};
}

pub(crate) use platform::{acosh, asinh, atanh, cbrt, erf, erfc};
