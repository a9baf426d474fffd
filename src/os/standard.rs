//! Which standard descriptors the process was started without.
//!
//! Before `main`, Rust's runtime opens `/dev/null` for those of 0, 1 and 2 that are closed, so that no file takes their place by accident. A program is
//! told all the same that it has no such stream: here it is noted before the runtime starts.
#![allow(unsafe_code, reason = "a function that the loader calls, and that makes one system call for each of three descriptors")]

use std::sync::atomic::{AtomicU8, Ordering};

/// A bit for each descriptor that was closed.
static CLOSED: AtomicU8 = AtomicU8::new(0);

/// Whether descriptor 0, 1 or 2 was closed when the process started.
pub(crate) fn was_closed(descriptor: i64) -> bool {
    (0..3).contains(&descriptor) && CLOSED.load(Ordering::Relaxed) >> descriptor & 1 != 0
}

#[cfg(target_os = "linux")]
mod at_start {
    use super::{CLOSED, Ordering};

    extern "C" fn note() {
        for descriptor in 0..3 {
            // SAFETY: asks for a flag of a descriptor and touches no memory of ours.
            if unsafe { libc::fcntl(descriptor, libc::F_GETFD) } < 0 {
                CLOSED.fetch_or(1 << descriptor, Ordering::Relaxed);
            }
        }
    }

    // SAFETY: the loader calls the functions of this section, one after another, before `main`; this one needs nothing of Rust's runtime.
    #[used]
    #[unsafe(link_section = ".init_array")]
    static NOTE: extern "C" fn() = note;
}
