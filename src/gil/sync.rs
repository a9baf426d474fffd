//! What the scheduler is built from. The model check (`model.rs`) compiles the scheduler a second time over a checker's versions of these.

pub(super) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize};
pub(super) use std::thread_local;
pub(super) use std::time::Instant;

#[cfg(not(target_os = "linux"))]
pub(super) use parking_lot::Condvar;
pub(super) use parking_lot::{Mutex, MutexGuard};

/// A condition that one thread at a time waits for, with the lock that guards it. `parking_lot`'s would do, but its table of all threads that
/// ever wait takes half a kilobyte for each.
#[cfg(target_os = "linux")]
#[derive(Default)]
pub(super) struct Condvar(AtomicU32);

/// Whether a wait ended by its deadline.
#[cfg(target_os = "linux")]
pub(super) struct TimedOut(bool);

#[cfg(target_os = "linux")]
impl TimedOut {
    pub(super) fn timed_out(&self) -> bool {
        self.0
    }
}

#[cfg(target_os = "linux")]
mod condvar {
    use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

    use super::{AtomicU32, Condvar, Instant, MutexGuard, TimedOut};
    use crate::os::futex;

    const NOBODY: u32 = 0;
    const WAITING: u32 = 1;
    const NOTIFIED: u32 = 2;

    impl Condvar {
        pub(in crate::gil) const fn new() -> Self {
            Self(AtomicU32::new(NOBODY))
        }

        /// Waits, with the lock let go, until notified.
        pub(in crate::gil) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            self.sleep(guard, None);
        }

        /// As `wait`, at most until `deadline`.
        pub(in crate::gil) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, deadline: Instant) -> TimedOut {
            TimedOut(!self.sleep(guard, Some(deadline)))
        }

        fn sleep<T>(&self, guard: &mut MutexGuard<'_, T>, deadline: Option<Instant>) -> bool {
            // Who waits has looked, under the lock, whether there is a reason to: whatever was notified before is known.
            self.0.store(WAITING, Relaxed);
            let notified = MutexGuard::unlocked(guard, || {
                while self.0.load(Acquire) == WAITING {
                    if !futex::wait(&self.0, WAITING, deadline) {
                        return false;
                    }
                }
                true
            });
            self.0.store(NOBODY, Relaxed);
            notified
        }

        /// Ends the wait that is under way. Whoever notifies has changed, under the lock, what is waited for.
        pub(in crate::gil) fn notify_one(&self) {
            if self.0.swap(NOTIFIED, Release) == WAITING {
                futex::wake(&self.0);
            }
        }
    }
}
