//! The program `scrip`: its arguments, running files, the prompt. It uses the public API only.

mod arguments;
mod repl;
mod run;

pub use run::main;
