//! How much memory an interpreter's objects take.
//!
//! Counted are the heap's pages, whole, and what payloads own outside their cells: a payload's bytes are added when the object is made and subtracted when it is
//! freed, and what makes a payload larger or smaller goes through `Vm::resize`, which adds the difference. A list, dict or set says its capacity, not
//! its length, so nothing is counted per item. A payload that changed unseen (a native that replaced a buffer) makes the sum wrong until `Heap::recount`, which asks
//! every object again: that is done at each automatic collection and whenever the limit seems to be reached, so errors do not add up.

use std::cell::Cell;

use super::heap::Heap;

/// The sum, and when to speak up.
pub(crate) struct Account {
    used: Cell<i64>,
    /// Above this the breaker is set.
    alarm: Cell<i64>,
}

/// Bytes that the system's allocator uses for a block of so many: it keeps eight beside them, and gives multiples of sixteen.
#[inline(always)]
pub(crate) fn block(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes.wrapping_add(23) & !15).max(32) }
}

/// Bytes of a vector's block.
#[inline(always)]
pub(crate) fn vec_bytes<T>(vec: &Vec<T>) -> usize {
    block(vec.capacity() * size_of::<T>())
}

impl Account {
    pub(super) fn new(limit: Option<usize>) -> Self {
        let alarm = limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(i64::MAX);
        Self { used: Cell::new(0), alarm: Cell::new(alarm) }
    }

    /// Bytes in use.
    #[inline(always)]
    pub(crate) fn used(&self) -> i64 {
        self.used.get()
    }

    /// Counts bytes; whether that is more than it should be.
    #[inline(always)]
    pub(super) fn add(&self, bytes: usize) -> bool {
        if cfg!(feature = "unmetered") {
            return false;
        }
        let used = self.used.get().wrapping_add(bytes as i64);
        self.used.set(used);
        used > self.alarm.get()
    }

    /// Gives bytes back.
    #[inline(always)]
    pub(crate) fn subtract(&self, bytes: usize) {
        if !cfg!(feature = "unmetered") {
            self.used.set(self.used.get().wrapping_sub(bytes as i64));
        }
    }

    /// The sum was taken anew.
    pub(super) fn set_used(&self, bytes: usize) {
        self.used.set(bytes as i64);
    }

    /// From how many bytes on the breaker is set.
    pub(crate) fn set_alarm(&self, alarm: i64) {
        self.alarm.set(alarm);
    }
}

impl Heap {
    /// Counts what a payload, or something else of the interpreter's, owns from now on.
    #[inline(always)]
    pub(crate) fn count_bytes(&self, bytes: usize) {
        if self.account.add(bytes) {
            self.sound_alarm();
        }
    }
}
