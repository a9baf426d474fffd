//! Waiting until another thread changes a word: the system's futex.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "a system call that is given the address of a word that is borrowed meanwhile")]

use std::sync::atomic::AtomicU32;
use std::time::Instant;

/// Sleeps while the word is `expected`, until [`wake`] or `deadline`; wakes without a reason happen. `false` when the deadline has passed.
pub(crate) fn wait(word: &AtomicU32, expected: u32, deadline: Option<Instant>) -> bool {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let mut timeout = std::ptr::null();
    if let Some(deadline) = deadline {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        time.tv_sec = libc::time_t::try_from(left.as_secs()).unwrap_or(libc::time_t::MAX);
        time.tv_nsec = left.subsec_nanos().into();
        timeout = &raw const time;
    }
    // SAFETY: the word is borrowed, and the time ours, until the call returns.
    let code = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, expected, timeout) };
    code == 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::ETIMEDOUT)
}

/// Wakes one thread that sleeps on the word.
pub(crate) fn wake(word: &AtomicU32) {
    // SAFETY: the word is borrowed until the call returns; it is not even read.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 1) };
}
