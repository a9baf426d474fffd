//! What stops a compilation.

use scrip_grammar::ast::Span;
use scrip_grammar::{Parsed, SyntaxError, SyntaxErrorKind};

/// The compiler's own error, with the place as a span.
#[derive(Debug)]
pub(super) struct Failure(Box<Problem>);

#[derive(Debug)]
enum Problem {
    Syntax(String, Span),
    TooDeep,
}

pub(super) type Result<T = ()> = std::result::Result<T, Failure>;

impl Failure {
    pub(super) fn syntax(message: impl Into<String>, span: Span) -> Self {
        Self(Box::new(Problem::Syntax(message.into(), span)))
    }

    /// The error with its line and column.
    pub(super) fn locate(self, parsed: &Parsed) -> SyntaxError {
        let (kind, message, span) = match *self.0 {
            Problem::Syntax(message, span) => (SyntaxErrorKind::Syntax, message, span),
            Problem::TooDeep => {
                let message = "maximum recursion depth exceeded during compilation".to_owned();
                (SyntaxErrorKind::Recursion, message, Span::default())
            }
        };
        let (line, column) = parsed.lines.char_position(&parsed.source, span.start);
        let (end_line, end_column) = parsed.lines.char_position(&parsed.source, span.end);
        SyntaxError {
            kind,
            message,
            line,
            offset: column as i32 + 1,
            end_line,
            end_offset: end_column as i32 + 1,
            text: Some(parsed.lines.text(&parsed.source, line).to_owned() + "\n"),
            incomplete: false,
            warnings: Vec::new(),
        }
    }
}

/// Bounds the recursion over the tree by the native stack's address, so that no tree overflows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct StackLimit {
    start: usize,
    bytes: usize,
}

impl StackLimit {
    /// From here on, recursion may use this many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self { start: here(), bytes }
    }

    #[inline]
    pub(super) fn check(self) -> Result {
        if here().abs_diff(self.start) > self.bytes {
            return Err(Failure(Box::new(Problem::TooDeep)));
        }
        Ok(())
    }
}

/// An address on the stack, near its top.
#[inline]
fn here() -> usize {
    let marker = 0u8;
    std::hint::black_box(&raw const marker).addr()
}
