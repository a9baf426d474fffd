//! The native stack of the calling thread.
#![allow(unsafe_code, reason = "asks the threads library for the stack's bounds")]

/// What is kept free below the limit, for code that does not ask.
const MARGIN: usize = 256 * 1024;

/// The lowest address that recursion may reach in the calling thread.
#[cfg(target_os = "linux")]
pub(crate) fn limit() -> usize {
    // SAFETY: the attributes are initialised by the first call and read by the second; both pointers are ours.
    unsafe {
        let mut attributes = std::mem::zeroed::<libc::pthread_attr_t>();
        let mut start: *mut libc::c_void = std::ptr::null_mut();
        let mut size: libc::size_t = 0;
        if libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) == 0 {
            let known = libc::pthread_attr_getstack(&raw const attributes, &raw mut start, &raw mut size) == 0;
            libc::pthread_attr_destroy(&raw mut attributes);
            if known {
                return start as usize + MARGIN.min(size / 4);
            }
        }
    }
    fallback()
}

/// The lowest address that recursion may reach in the calling thread.
#[cfg(not(target_os = "linux"))]
pub(crate) fn limit() -> usize {
    fallback()
}

/// Without knowledge, a quarter of what the smallest main threads have.
fn fallback() -> usize {
    let here = 0_u8;
    (std::ptr::from_ref(&here) as usize).saturating_sub(256 * 1024)
}
