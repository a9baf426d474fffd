//! What is wrong with a source, in CPython 3.13's words.

/// Which exception it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SyntaxErrorKind {
    /// `SyntaxError`
    Syntax,
    /// `IndentationError`
    Indentation,
    /// `TabError`
    Tab,
}

/// A source that is not a program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// Which exception it is.
    pub kind: SyntaxErrorKind,
    /// What is wrong (`msg`).
    pub message: String,
    /// The line, counted from 1 (`lineno`).
    pub line: u32,
    /// The column in code points, counted from 1; 0 for the whole line (`offset`).
    pub offset: u32,
    /// The line of the end (`end_lineno`).
    pub end_line: u32,
    /// The column after the last character, counted from 1; 0 where unknown (`end_offset`).
    pub end_offset: u32,
    /// The line's text with its line break, if the source has that line (`text`).
    pub text: Option<String>,
    /// Whether more text could make it right, so that a prompt should ask for another line.
    pub incomplete: bool,
}

/// Something legal that is probably a mistake; CPython gives a `SyntaxWarning`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxWarning {
    /// What looks wrong.
    pub message: String,
    /// The line, counted from 1.
    pub line: u32,
}
