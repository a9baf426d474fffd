//! What the scheduler is built from. The model check (`model.rs`) compiles the scheduler a second time over a checker's versions of these.

pub(super) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize};
pub(super) use std::time::Instant;

pub(super) use parking_lot::{Condvar, Mutex, MutexGuard};
