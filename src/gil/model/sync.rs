//! The checker's locks and atomics with the interface of those the scheduler is built from, and a clock that goes on by itself.

use std::ops::{Add, Deref, DerefMut};
use std::time::Duration;

pub(super) use shuttle::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize};
pub(super) use shuttle::thread_local;

/// `parking_lot::Mutex`, as far as it is used.
#[derive(Default)]
pub(super) struct Mutex<T>(shuttle::sync::Mutex<T>);

/// The lock is held while it lives; empty only while a `Condvar` has it.
pub(super) struct MutexGuard<'a, T> {
    guard: Option<shuttle::sync::MutexGuard<'a, T>>,
    mutex: &'a Mutex<T>,
}

impl<T> Mutex<T> {
    pub(super) const fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }
    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard { guard: Some(self.0.lock().expect("no thread panics with the lock held")), mutex: self }
    }
}

impl<T> MutexGuard<'_, T> {
    pub(super) fn unlocked<R>(guard: &mut Self, work: impl FnOnce() -> R) -> R {
        drop(guard.guard.take());
        let result = work();
        guard.guard = guard.mutex.lock().guard.take();
        result
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.guard.as_ref().expect("the lock is held")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().expect("the lock is held")
    }
}

/// So many nanoseconds never pass: a wait with a deadline as late as this is one without.
pub(super) const FAR: u64 = 1 << 60;

/// Whether a wait ended by its deadline.
pub(super) struct TimedOut;

impl TimedOut {
    #[expect(clippy::unused_self, reason = "the interface of parking_lot")]
    pub(super) fn timed_out(&self) -> bool {
        true
    }
}

/// `parking_lot::Condvar`, as far as it is used.
#[derive(Default)]
pub(super) struct Condvar(shuttle::sync::Condvar);

impl Condvar {
    pub(super) const fn new() -> Self {
        Self(shuttle::sync::Condvar::new())
    }
    pub(super) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let held = guard.guard.take().expect("the lock is held");
        guard.guard = Some(self.0.wait(held).expect("no thread panics with the lock held"));
    }
    pub(super) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, deadline: Instant) -> TimedOut {
        if deadline.0 >= FAR {
            self.wait(guard);
            return TimedOut;
        }
        drop(guard.guard.take());
        shuttle::thread::yield_now();
        guard.guard = guard.mutex.lock().guard.take();
        TimedOut
    }
    pub(super) fn notify_one(&self) {
        self.0.notify_one();
    }
}

/// Nanoseconds of a clock that goes on by a fifth of the least slice whenever somebody looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant(u64);

std::thread_local! {
    /// The checker runs all threads of a test in one of the system's; tests run beside each other.
    static CLOCK: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Each run of the checker starts at the same time, so that it can be repeated.
pub(super) fn reset_clock() {
    CLOCK.set(0);
}

impl Instant {
    pub(super) fn now() -> Self {
        Self(CLOCK.replace(CLOCK.get() + 20_000))
    }
    pub(super) fn elapsed(self) -> Duration {
        Duration::from_nanos(Self::now().0.saturating_sub(self.0))
    }
    pub(super) fn checked_add(self, time: Duration) -> Option<Self> {
        Some(self + time)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, time: Duration) -> Self {
        Self(self.0 + u64::try_from(time.as_nanos()).expect("short times"))
    }
}
