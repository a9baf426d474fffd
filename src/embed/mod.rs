//! The public API: interpreters, conversions between Rust's values and scripts', errors.

mod convert;
mod error;
mod interpreter;
mod limits;

pub use convert::{FromScript, IntoScript};
pub use error::{Error, ErrorKind, Raised, Stopped};
pub use interpreter::{Builder, Compiled, Handle, Interpreter, StartFlags, WeakInterpreter};
pub use limits::{Limit, Limits, Stopper};
