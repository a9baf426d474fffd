//! OS threads: starting one, who one is.
#![allow(unsafe_code, reason = "asks the C library who the thread is; nothing but numbers goes in and out")]

use std::io;
use std::os::unix::thread::JoinHandleExt;

/// Starts a thread, which leaves the process's signals to the main one; its identity as scripts see it.
pub(crate) fn spawn(name: &str, stack_size: usize, work: impl FnOnce() + Send + 'static) -> io::Result<u64> {
    let builder = std::thread::Builder::new().name(name.to_owned()).stack_size(stack_size);
    // A new thread inherits the mask of its starter.
    let held_back = super::signal::set_mask(libc::SIG_BLOCK, &super::signal::valid())?;
    let spawned = builder.spawn(work);
    super::signal::set_mask(libc::SIG_SETMASK, &held_back)?;
    Ok(spawned?.as_pthread_t())
}

/// The thread's identity as scripts see it (`threading.get_ident`).
pub(crate) fn ident() -> u64 {
    // SAFETY: touches no memory of ours.
    unsafe { libc::pthread_self() as u64 }
}

/// The system's number of the thread (`threading.get_native_id`).
#[cfg(target_os = "linux")]
pub(crate) fn native_id() -> i64 {
    // SAFETY: touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_gettid) }
}

/// The system's number of the thread (`threading.get_native_id`).
#[cfg(not(target_os = "linux"))]
pub(crate) fn native_id() -> i64 {
    ident() as i64
}
