//! What is wrong with a source, in CPython 3.13's words and at its columns.

use crate::ast::Span;
use crate::line_index::LineIndex;
use crate::token::{Lexeme, Token};

/// Which exception it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SyntaxErrorKind {
    /// `SyntaxError`
    Syntax,
    /// `IndentationError`
    Indentation,
    /// `TabError`
    Tab,
    /// `RecursionError`: the program is legal but nests too deep.
    Recursion,
}

impl SyntaxErrorKind {
    /// The name of the exception.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syntax => "SyntaxError",
            Self::Indentation => "IndentationError",
            Self::Tab => "TabError",
            Self::Recursion => "RecursionError",
        }
    }
}

/// A source that is not a program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// Which exception it is.
    pub kind: SyntaxErrorKind,
    /// What is wrong (`msg`).
    pub message: String,
    /// The line, counted from 1 (`lineno`); 0 where CPython has `None` for all the places.
    pub line: u32,
    /// The column in code points, counted from 1 (`offset`).
    pub offset: i32,
    /// The line of the end (`end_lineno`).
    pub end_line: u32,
    /// The column after the last character, counted from 1; 0 or -1 where unknown (`end_offset`).
    pub end_offset: i32,
    /// The line's text with its line break, if the source has that line (`text`).
    pub text: Option<String>,
    /// Whether more text could make it right, so that a prompt should ask for another line.
    pub incomplete: bool,
    /// What looks like a mistake in what was read before.
    pub warnings: Vec<SyntaxWarning>,
}

impl SyntaxError {
    /// An error of the source as a whole.
    pub(crate) fn nowhere(message: impl Into<String>) -> Self {
        Self {
            kind: SyntaxErrorKind::Syntax,
            message: message.into(),
            line: 0,
            offset: 0,
            end_line: 0,
            end_offset: 0,
            text: None,
            incomplete: false,
            warnings: Vec::new(),
        }
    }
}

/// Something legal that is probably a mistake; CPython gives a `SyntaxWarning`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxWarning {
    /// The error that it becomes where warnings are errors: its message and line are the warning's.
    pub error: SyntaxError,
    /// The compiler finds it in the tree, not the parser in the text.
    pub in_tree: bool,
}

/// A warning whose place is still in bytes.
#[derive(Debug, Clone)]
pub(crate) struct Warning {
    /// Where it is, for its line.
    pub(crate) at: u32,
    place: Place,
    message: String,
    in_tree: bool,
}

impl Warning {
    /// About a token or a part of one.
    pub(crate) fn of_text(message: impl Into<String>, span: Span) -> Self {
        Self { at: span.start, place: Place::span(span), message: message.into(), in_tree: false }
    }

    /// The same, on the line of `at`.
    pub(crate) fn on_line_of(self, at: u32) -> Self {
        Self { at, ..self }
    }

    /// About a number that begins at `at`, found when the lexer had read up to `cursor`.
    pub(crate) fn of_number(message: impl Into<String>, at: u32, cursor: u32) -> Self {
        Self { at, place: Place::cursor(cursor), message: message.into(), in_tree: false }
    }

    /// About a node.
    pub(crate) fn of_node(message: impl Into<String>, span: Span) -> Self {
        Self { in_tree: true, ..Self::of_text(message, span) }
    }

    /// The warning with lines and columns.
    pub(crate) fn into_warning(self, source: &str, lines: &LineIndex) -> SyntaxWarning {
        let mut error = Fault::new(self.message, self.place).into_error(source, lines);
        // The lexer has the line as far as it has read; a line that it has not read to its end is without its break.
        if error.end_line != error.line || matches!(self.place.end, End::Same) {
            error.text = error.text.map(|text| text.trim_end_matches('\n').to_owned());
        }
        SyntaxWarning { error: SyntaxError { line: lines.line(self.at), ..error }, in_tree: self.in_tree }
    }
}

/// Where a fault is: CPython counts columns in several ways, depending on which part of it complains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    at: u32,
    /// What to add to the column (counted from 0) of `at`.
    shift: i32,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The place after a node or token.
    At(u32),
    /// Just before this cursor.
    Cursor(u32),
    /// The same column.
    Same,
    /// This number.
    Fixed(i32),
}

impl Place {
    /// A node or token.
    pub(crate) const fn span(span: Span) -> Self {
        Self { at: span.start, shift: 1, end: End::At(span.end) }
    }

    /// A place without an end.
    pub(crate) const fn start(at: u32) -> Self {
        Self { at, shift: 1, end: End::Fixed(0) }
    }

    /// The character that the lexer has just read, before `cursor`.
    pub(crate) const fn cursor(cursor: u32) -> Self {
        Self { at: cursor, shift: 0, end: End::Same }
    }

    /// The character after `at`, with no known end.
    pub(crate) const fn after(at: u32) -> Self {
        Self { at, shift: 1, end: End::Fixed(-1) }
    }

    /// The column of the lexer's cursor, without an end.
    pub(crate) const fn cursor_only(cursor: u32) -> Self {
        Self { at: cursor, shift: 0, end: End::Fixed(-1) }
    }

    /// From a node or token to where the lexer's cursor is.
    pub(crate) const fn up_to(at: u32, cursor: u32) -> Self {
        Self { at, shift: 1, end: End::Cursor(cursor) }
    }
}

/// An error whose place is still in bytes.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) kind: SyntaxErrorKind,
    pub(crate) message: String,
    pub(crate) place: Place,
    /// Whether more text could have helped.
    pub(crate) incomplete: bool,
    /// Whether its place is the token after the span.
    at_next: bool,
}

impl Fault {
    /// The byte it stands at, when it stands in the source.
    pub(crate) fn start(&self) -> Option<usize> {
        (!self.at_next).then_some(self.place.at as usize)
    }

    /// At the token after `span`, whichever that is.
    pub(crate) fn next(message: impl Into<String>, span: Span) -> Box<Self> {
        Box::new(Self { at_next: true, ..*Self::at(message, span) })
    }

    /// Finds the token of a fault made with [`Self::next`]. Returns where the last token stands that
    /// CPython has read.
    pub(crate) fn resolve_next(&mut self, tokens: &[Lexeme]) -> u32 {
        let end = match self.place.end {
            End::At(end) => end,
            _ => self.place.at,
        };
        let next = tokens.iter().find(|lexeme| lexeme.0 >= end);
        let Some(&(start, token, end)) = next else { return end };
        if self.at_next {
            let end = if token == Token::Newline { start + 1 } else { end };
            self.place = Place::span(Span::new(start, end));
        }
        start
    }

    /// The byte it is about.
    pub(crate) fn at_byte(&self) -> u32 {
        self.place.at
    }

    pub(crate) fn new(message: impl Into<String>, place: Place) -> Box<Self> {
        let message = message.into();
        Box::new(Self { kind: SyntaxErrorKind::Syntax, message, place, incomplete: false, at_next: false })
    }

    pub(crate) fn at(message: impl Into<String>, span: Span) -> Box<Self> {
        Self::new(message, Place::span(span))
    }

    pub(crate) fn incomplete(message: impl Into<String>, place: Place) -> Box<Self> {
        Box::new(Self { incomplete: true, ..*Self::new(message, place) })
    }

    pub(crate) fn indentation(message: impl Into<String>, place: Place) -> Box<Self> {
        Box::new(Self { kind: SyntaxErrorKind::Indentation, ..*Self::new(message, place) })
    }

    pub(crate) fn tab(message: impl Into<String>, place: Place) -> Box<Self> {
        Box::new(Self { kind: SyntaxErrorKind::Tab, ..*Self::new(message, place) })
    }

    /// The line and column of an end; that of a line break belongs to the line it ends.
    fn end(at: u32, shift: i32, source: &str, lines: &LineIndex) -> (u32, i32) {
        let before = at.saturating_sub(1).min(source.len() as u32);
        let is_break = matches!(source.as_bytes().get(before as usize), None | Some(b'\n' | b'\r'));
        let at = if is_break { before } else { at };
        let (line, column) = lines.char_position(source, at);
        (line, column as i32 + shift + i32::from(is_break))
    }

    /// The error with lines and columns.
    pub(crate) fn into_error(self, source: &str, lines: &LineIndex) -> SyntaxError {
        // What the lexer finds at the end of the text belongs to the last line that has text.
        let at = self.place.at.min(source.len() as u32);
        let (line, column) = lines.char_position(source, at);
        let offset = column as i32 + self.place.shift;
        let (end_line, end_offset) = match self.place.end {
            End::At(end) => Self::end(end, 1, source, lines),
            End::Cursor(cursor) => Self::end(cursor, 0, source, lines),
            End::Same => (line, offset),
            End::Fixed(offset) => (line, offset),
        };
        let text = lines.text(source, line);
        // A literal over several lines is shown without the break after its first one.
        let end = if self.message.starts_with("unterminated triple-quoted") { "" } else { "\n" };
        let text = Some(format!("{text}{end}"));
        let Self { kind, message, incomplete, .. } = self;
        SyntaxError { kind, message, line, offset, end_line, end_offset, text, incomplete, warnings: Vec::new() }
    }
}
