//! What comes from the operating system and its C library; the only folder that names them.

pub(crate) mod c_math;
pub(crate) mod clock;
pub(crate) mod errno;
pub(crate) mod file;
pub(crate) mod futex;
pub(crate) mod memory;
pub(crate) mod poll;
pub(crate) mod posix;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod signal;
pub(crate) mod socket;
pub(crate) mod spawn;
pub(crate) mod stack;
pub(crate) mod standard;
pub(crate) mod thread;
