//! The public API: interpreters, conversions between Rust's values and scripts', errors.

mod convert;
mod error;
mod interpreter;

pub use convert::{FromScript, IntoScript};
pub use error::{Error, ErrorKind, Raised};
pub use interpreter::{Builder, Compiled, Handle, Interpreter};
