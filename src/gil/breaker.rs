//! The breaker: one word per interpreter that the running thread loads on loop back-edges, calls and resumes. Zero means: go on.

use std::sync::atomic::Ordering;

use super::sync::AtomicU32;

/// Somebody waits for the GIL and its holder's slice is over.
pub(crate) const DROP: u32 = 1;
/// A signal came; its handler runs in the main thread.
pub(crate) const SIGNAL: u32 = 2;
/// The heap has grown enough for a collection.
pub(crate) const COLLECT: u32 = 4;
/// The host, or a limit, wants the script to end.
pub(crate) const STOP: u32 = 8;
/// Something was mailed to the interpreter by a thread that does not hold the GIL.
pub(crate) const MAILBOX: u32 = 16;
/// The interpreter closes: threads other than the main one leave.
pub(crate) const QUIT: u32 = 32;
/// More memory is in use than the limit allows.
pub(crate) const MEMORY: u32 = 64;

/// Some thread traces (`sys.settrace`).
pub(crate) const TRACE: u32 = 128;

/// The word, on a cache line of its own. Its bits are hints: what they are about is ordered by the scheduler's queue or by atomics of its own.
#[repr(align(128))]
pub(crate) struct Breaker(AtomicU32);

impl Breaker {
    pub(super) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// The word itself, for the dispatch loop and for a signal handler.
    #[inline(always)]
    pub(crate) fn word(&self) -> &AtomicU32 {
        &self.0
    }

    /// Whether there is anything to look at.
    #[inline(always)]
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// Whether one of `bits` is set.
    #[inline]
    pub(crate) fn has(&self, bits: u32) -> bool {
        self.0.load(Ordering::Acquire) & bits != 0
    }

    /// Sets `bits`. In the one order of all `SeqCst` operations: who then looks for an offer of the GIL, and who then looks for `DROP`, cannot miss each other.
    #[inline]
    pub(crate) fn set(&self, bits: u32) {
        self.0.fetch_or(bits, Ordering::SeqCst);
    }

    /// Whether one of `bits` is set, in that order.
    pub(super) fn has_now(&self, bits: u32) -> bool {
        self.0.load(Ordering::SeqCst) & bits != 0
    }

    /// Clears `bits`.
    #[inline]
    pub(crate) fn clear(&self, bits: u32) {
        self.0.fetch_and(!bits, Ordering::Release);
    }

    /// Clears `bits`; whether any of them was set.
    #[inline]
    pub(crate) fn take(&self, bits: u32) -> bool {
        self.has(bits) && self.0.fetch_and(!bits, Ordering::AcqRel) & bits != 0
    }

    /// Whether a long native loop that runs no scripts should end early: a signal or a stop came.
    #[inline]
    pub(crate) fn wants_interrupt(&self) -> bool {
        self.has(SIGNAL | STOP)
    }
}
