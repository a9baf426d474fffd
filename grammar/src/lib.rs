//! The text of a Scrip program: tokens, layout, tree and syntax errors.
//!
//! `parse` turns a source into an [`ast::Ast`]; what it refuses, it refuses with CPython's words.
//! This package knows nothing of running a program.

pub mod ast;
pub mod error;
pub mod line_index;
pub mod operator;

pub use error::{SyntaxError, SyntaxErrorKind, SyntaxWarning};
pub use line_index::LineIndex;

use ast::{Ast, Root};

/// What a source is parsed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A file (`exec`).
    Module,
    /// One expression (`eval`).
    Expression,
    /// One input at a prompt (`single`).
    Interactive,
}

/// How a source is parsed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Whether `await`, `async for` and `async with` may stand outside functions.
    pub top_level_await: bool,
}

/// A source that is a program.
#[derive(Debug)]
pub struct Parsed {
    /// The arena that owns the tree.
    pub ast: Ast,
    /// The tree.
    pub root: Root,
    /// The decoded source that the spans are offsets of.
    pub source: String,
    /// The lines of `source`.
    pub lines: LineIndex,
    /// Whether `from __future__ import annotations` stands in it.
    pub future_annotations: bool,
    /// What looks like a mistake, in the order of lines.
    pub warnings: Vec<SyntaxWarning>,
}
