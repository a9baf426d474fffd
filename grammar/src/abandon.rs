//! Giving up on a source that nobody waits for any more.
//!
//! Who reads a long source in a thread of its own tells that thread, once, where it will be told that its result is not wanted; reading and compiling
//! look there after every few thousand tokens or statements, and then end with an error that nobody sees.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    static IS_ABANDONED: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// What this thread reads from now on may be given up: when `flag` becomes true.
pub fn heed(flag: Arc<AtomicBool>) {
    IS_ABANDONED.set(Some(flag));
}

/// Whether nobody waits for what this thread reads.
pub fn is_abandoned() -> bool {
    IS_ABANDONED.with_borrow(|flag| flag.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_ends_when_nobody_waits() {
        let source = "x = 1\n".repeat(100_000);
        let read = |is_abandoned: bool| {
            let source = source.clone();
            let reader = std::thread::spawn(move || {
                heed(Arc::new(AtomicBool::new(is_abandoned)));
                crate::parse(&source, crate::Mode::Module, crate::Options::default()).is_ok()
            });
            reader.join().expect("reading does not panic")
        };
        assert!(read(false));
        assert!(!read(true));
    }
}
