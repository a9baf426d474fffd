//! How much memory the machine has.
//!
//! - **Y1** `sysconf` takes and returns plain integers and is thread-safe.
#![allow(unsafe_code, reason = "one call of the C library; see Y1")]

/// Bytes of main memory; what an address can reach when the system does not tell.
#[cfg(unix)]
pub(crate) fn total() -> usize {
    // SAFETY: Y1.
    let (pages, size) = unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
    match (usize::try_from(pages), usize::try_from(size)) {
        (Ok(pages), Ok(size)) if pages > 0 && size > 0 => pages.saturating_mul(size),
        _ => 1 << 46,
    }
}

/// Bytes of main memory; what an address can reach when the system does not tell.
#[cfg(not(unix))]
pub(crate) fn total() -> usize {
    1 << 46
}
