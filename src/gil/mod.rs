//! Who runs: the GIL as a small scheduler that knows every thread of its interpreter, the breaker word that makes the running thread look up,
//! and the one type that every wait goes through. Knows no objects and runs no scripts.

#![allow(clippy::duplicate_mod, reason = "the model check compiles the scheduler a second time, over other locks")]

mod attached;
mod breaker;
mod limits;
#[cfg(all(test, feature = "model"))]
mod model;
mod scheduler;
mod signals;
mod stats;
mod sync;
#[cfg(test)]
mod tests;
mod wait;

pub(crate) use attached::{Attached, Away, is_attached};
pub(crate) use breaker::{COLLECT, DROP, MAILBOX, MEMORY, QUIT, SIGNAL, STOP, TRACE};
pub(crate) use limits::{CleanUp, Limits, StopReason};
pub(crate) use scheduler::{Shared, ThreadHandle};
pub(crate) use wait::{Activity, Reason, Ticket, Waiter};
