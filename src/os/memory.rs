//! How much memory the machine has, hints about its use, and giving some back.
//!
//! - **Y1** `sysconf` and `getrlimit` take and return plain integers and are thread-safe.
//! - **Y2** `madvise(MADV_HUGEPAGE)` changes no contents and frees nothing, whatever range it gets; it fails for what is not mapped.
//! - **Y3** `madvise(MADV_DONTNEED)` changes the contents of the pages it is given, nothing else; who calls owns them and needs no contents.
//! - **Y4** `mmap` of no file, where the system likes, touches no memory that is in use.
//! - **Y5** `madvise(MADV_POPULATE_WRITE)` changes no contents, whatever range it gets; it fails for what is not mapped.
#![allow(unsafe_code, reason = "calls of the C library; see Y1 to Y5")]

/// The system may use this memory, whose contents nobody needs, until it is written to again.
#[cfg(unix)]
pub(crate) fn discard(start: *mut u8, bytes: usize) {
    // SAFETY: Y3. A refusal leaves everything as it was.
    unsafe { libc::madvise(start.cast(), bytes, libc::MADV_DONTNEED) };
}

/// The system may use this memory, whose contents nobody needs, until it is written to again.
#[cfg(not(unix))]
pub(crate) fn discard(_: *mut u8, _: usize) {}

/// A region of zeros that takes memory as it is used; `None` when the process may have no more.
#[cfg(unix)]
pub(crate) fn reserve(bytes: usize) -> Option<std::ptr::NonNull<u8>> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: Y4.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    if start == libc::MAP_FAILED { None } else { std::ptr::NonNull::new(start.cast()) }
}

/// Gives a region back.
///
/// # Safety
/// [`reserve`] gave it with this size, and nothing refers to it any more.
#[cfg(unix)]
pub(crate) unsafe fn give_back(start: std::ptr::NonNull<u8>, bytes: usize) {
    // SAFETY: the caller's promise.
    unsafe { libc::munmap(start.as_ptr().cast(), bytes) };
}

/// Bytes of main memory, or of the addresses that the process may still take (`ulimit -v`) two fifths, since what grows needs both its old and its new room, and the
/// system's allocator some beside; what an address can reach when the system does not tell.
#[cfg(unix)]
pub(crate) fn total() -> usize {
    // SAFETY: Y1.
    let (pages, size) = unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
    let machine = match (usize::try_from(pages), usize::try_from(size)) {
        (Ok(pages), Ok(size)) if pages > 0 && size > 0 => pages.saturating_mul(size),
        _ => 1 << 46,
    };
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: Y1; the structure is ours.
    let is_known = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) } == 0;
    match usize::try_from(limit.rlim_cur) {
        Ok(bytes) if is_known && limit.rlim_cur != libc::RLIM_INFINITY => {
            share_arenas();
            machine.min(bytes.saturating_sub(addresses_in_use().saturating_add(ADDRESSES_RESERVED)) / 5 * 2)
        }
        _ => machine,
    }
}

/// Addresses for threads' stacks and the like.
#[cfg(unix)]
const ADDRESSES_RESERVED: usize = 16 << 20;

/// Bytes of the addresses that the process has taken; 0 where the system does not tell.
#[cfg(unix)]
fn addresses_in_use() -> usize {
    let sizes = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = sizes.split_whitespace().next().and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0);
    pages.saturating_mul(4096)
}

/// One arena for all threads: each other one would take 64 MB of addresses.
#[cfg(unix)]
fn share_arenas() {
    // SAFETY: sets a number of the allocator's.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Bytes of main memory; what an address can reach when the system does not tell.
#[cfg(not(unix))]
pub(crate) fn total() -> usize {
    1 << 46
}

/// Blocks of fewer bytes are not worth a hint.
pub(crate) const LARGE: usize = 4 << 20;

/// Tells the system that all of a block, of at least `LARGE` bytes, will be used, here and there: large pages then save it many small ones, and
/// the processor the search for them. The whole pages around the block are meant, so that a mapping of its own stays one.
#[cfg(target_os = "linux")]
pub(crate) fn expect_use(block: *const u8, bytes: usize) {
    const PAGE: usize = 4096;
    let start = block as usize & !(PAGE - 1);
    let end = (block as usize).saturating_add(bytes).next_multiple_of(PAGE);
    // SAFETY: Y2.
    unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE) };
}

/// A hint that this system has no use for.
#[cfg(not(target_os = "linux"))]
pub(crate) fn expect_use(_: *const u8, _: usize) {}

/// Has the system bring in pages that are going to be written all at once: a third of what a fault for each costs. Does nothing where it cannot.
#[cfg(target_os = "linux")]
pub(crate) fn populate(start: *mut u8, bytes: usize) {
    // SAFETY: Y5.
    unsafe { libc::madvise(start.cast(), bytes, libc::MADV_POPULATE_WRITE) };
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn populate(_: *mut u8, _: usize) {}
