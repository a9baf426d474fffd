//! OS threads of an interpreter: starting and joining them, locks, waiting with a timeout, data of a thread's own. Everything here is plain state
//! behind the GIL plus lists of who waits; the waiting itself is the scheduler's.

pub(crate) mod handle;
pub(crate) mod local;
pub(crate) mod lock;
pub(crate) mod start;
pub(crate) mod timeout;
