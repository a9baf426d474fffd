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
        pub(crate) safe fn erf(x: f64) -> f64;
        pub(crate) safe fn erfc(x: f64) -> f64;
    }

    /// The library's own: Rust's runtime brings another function of this name, which the linker would take.
    pub(crate) fn cbrt(x: f64) -> f64 {
        static FOUND: std::sync::OnceLock<Option<extern "C" fn(f64) -> f64>> = std::sync::OnceLock::new();
        let found = FOUND.get_or_init(|| {
            // SAFETY: the name ends with NUL.
            let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"cbrt".as_ptr()) };
            // SAFETY: a symbol of this name is C's function of this signature (M1).
            (!address.is_null()).then(|| unsafe { std::mem::transmute::<*mut libc::c_void, extern "C" fn(f64) -> f64>(address) })
        });
        match found {
            Some(cbrt) => cbrt(x),
            None => x.cbrt(),
        }
    }
}

#[cfg(not(unix))]
mod platform {
    pub(crate) use libm::{acosh, asinh, atanh, cbrt, erf, erfc};
}

pub(crate) use platform::{acosh, asinh, atanh, cbrt, erf, erfc};
