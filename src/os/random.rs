//! Random bytes from the system.
#![allow(unsafe_code, reason = "calls libc; every buffer is passed with its own length")]

use std::io;

/// This many unpredictable bytes.
pub(crate) fn bytes(count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    let mut filled = 0;
    while filled < count {
        let rest = &mut bytes[filled..];
        // SAFETY: the buffer is ours and as long as we say.
        let got = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match usize::try_from(got) {
            Ok(got) => filled += got,
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
    Ok(bytes)
}

/// A seed nobody can guess; the clock's where the system gives none.
pub(crate) fn seed() -> u64 {
    bytes(8).ok().and_then(|bytes| bytes.try_into().ok()).map_or_else(|| std::process::id().into(), u64::from_ne_bytes)
}
