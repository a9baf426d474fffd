//! The native stack of the calling thread.
#![allow(unsafe_code, reason = "asks the system for the stack's bounds")]

use std::cell::Cell;

/// What is kept free below the limit, for code that does not ask.
const MARGIN: usize = 256 * 1024;

thread_local! {
    /// The thread's limit, once it is known: asking costs more than all else that attaching does.
    static LIMIT: Cell<usize> = const { Cell::new(0) };
}

/// The lowest address that recursion may reach in the calling thread.
pub(crate) fn limit() -> usize {
    LIMIT.with(|limit| {
        if limit.get() == 0 {
            limit.set(bounds().map_or_else(fallback, |(start, size)| start + MARGIN.min(size / 4)));
        }
        limit.get()
    })
}

/// The stack's lowest address and its size.
#[cfg(target_os = "linux")]
fn bounds() -> Option<(usize, usize)> {
    main_bounds().or_else(|| {
        // SAFETY: the attributes are initialised by the first call and read by the second; both pointers are ours.
        unsafe {
            let mut attributes = std::mem::zeroed::<libc::pthread_attr_t>();
            let mut start: *mut libc::c_void = std::ptr::null_mut();
            let mut size: libc::size_t = 0;
            if libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) != 0 {
                return None;
            }
            let known = libc::pthread_attr_getstack(&raw const attributes, &raw mut start, &raw mut size) == 0;
            libc::pthread_attr_destroy(&raw mut attributes);
            known.then_some((start as usize, size))
        }
    })
}

#[cfg(not(target_os = "linux"))]
fn bounds() -> Option<(usize, usize)> {
    None
}

/// The bounds of the main thread's stack, for which the C library would read all of `/proc/self/maps`: the kernel puts the program's name at the
/// stack's upper end, and lets it grow to the limit of the process. `None` in other threads, and where that cannot be.
#[cfg(target_os = "linux")]
fn main_bounds() -> Option<(usize, usize)> {
    let here = 0_u8;
    let here = std::ptr::from_ref(&here) as usize;
    // SAFETY: nothing but numbers goes in; the structure is ours.
    let (top, size) = unsafe {
        if i64::from(libc::getpid()) != libc::syscall(libc::SYS_gettid) {
            return None;
        }
        let mut limit = std::mem::zeroed::<libc::rlimit>();
        if libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) != 0 || limit.rlim_cur == libc::RLIM_INFINITY {
            return None;
        }
        (libc::getauxval(libc::AT_EXECFN) as usize, usize::try_from(limit.rlim_cur).ok()?)
    };
    let start = top.checked_sub(size)?;
    (start < here && here < top).then_some((start, size))
}

/// How many bytes of its stack the calling thread may still use.
pub(crate) fn room() -> usize {
    let here = 0_u8;
    (std::ptr::from_ref(&here) as usize).saturating_sub(limit()).max(1)
}

/// Without knowledge, a quarter of what the smallest main threads have.
fn fallback() -> usize {
    let here = 0_u8;
    (std::ptr::from_ref(&here) as usize).saturating_sub(256 * 1024)
}
