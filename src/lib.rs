//! Scrip: an embeddable interpreter for a small language with Python 3's syntax and meaning, with a real global interpreter lock.
//!
//! ```
//! let interpreter = scrip::Interpreter::new()?;
//! interpreter.exec("def area(w, h=2): return w * h")?;
//! let n: i64 = interpreter.call("area", (21,))?;
//! assert_eq!(n, 42);
//! # Ok::<(), scrip::Error>(())
//! ```

mod code;
mod compile;
mod embed;
mod gil;
mod number;
mod object;
mod os;
mod stdlib;
mod text;
mod thread;
mod vm;

#[cfg(feature = "cli")]
pub mod cli;

pub use embed::*;

/// The tree of a program as Python's `ast.dump(tree, include_attributes=True)` prints it; the message of what is wrong with it otherwise.
pub fn dump_ast(source: &[u8]) -> Result<String, String> {
    let parsed = scrip_grammar::parse_bytes(source, scrip_grammar::Mode::Module, scrip_grammar::Options { tree_only: true, ..Default::default() });
    let parsed = parsed.map_err(|error| error.to_string())?;
    scrip_grammar::dump::dump(&parsed, os::stack::room()).ok_or_else(|| "the tree is too deep".to_owned())
}

/// Whether a source is a program: it is read and checked, nothing runs.
pub fn is_program(source: &[u8]) -> bool {
    scrip_grammar::parse_bytes(source, scrip_grammar::Mode::Module, scrip_grammar::Options { top_level_await: true, ..Default::default() }).is_ok()
}

/// Ends the process by SIGINT, as a program that Ctrl-C ended.
pub fn die_by_interrupt() {
    os::signal::die_by_interrupt();
}
