//! Lines and blocks: NEWLINE is the lexer's, INDENT and DEDENT come from here.

use crate::error::{Fault, Place};
use crate::token::{Lexeme, Token};

/// Blocks may nest as deep as in CPython.
const MAX_INDENTS: usize = 100;
/// What a tab moves to a multiple of.
const TAB: usize = 8;

/// The blocks that are open.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The columns at which they stand, with tabs of 8 and with tabs of 1: both must agree, so that
    /// the meaning does not hang on the size of a tab.
    indents: Vec<(usize, usize)>,
}

impl Default for Layout {
    fn default() -> Self {
        Self { indents: vec![(0, 0)] }
    }
}

impl Layout {
    /// Reads the blanks at the start of a line at `at`, adds INDENT or DEDENTs, and returns where
    /// the line's first token stands. Lines without tokens have no layout.
    pub(crate) fn line(&mut self, source: &str, mut at: usize, tokens: &mut Vec<Lexeme>) -> Result<usize, Box<Fault>> {
        let bytes = source.as_bytes();
        let mut column = (0, 0);
        let mut continued = None;
        loop {
            match bytes.get(at) {
                Some(b' ') => column = (column.0 + 1, column.1 + 1),
                Some(b'\t') => column = ((column.0 / TAB + 1) * TAB, column.1 + 1),
                Some(b'\x0C') => column = (0, 0),
                Some(b'\\') => {
                    // The line goes on below; its own blanks count.
                    let width = match (bytes.get(at + 1), bytes.get(at + 2)) {
                        (Some(b'\r'), Some(b'\n')) => 2,
                        (Some(b'\r' | b'\n'), _) => 1,
                        _ => break,
                    };
                    // As for CPython, column 0 is no column to remember.
                    continued = continued.or((column.0 > 0).then_some((column.0, column.0)));
                    at += width;
                    if at + 1 == bytes.len() {
                        let place = Place::after(at as u32);
                        let message = "unexpected EOF while parsing";
                        return Err(Fault::new(message, place));
                    }
                }
                _ => break,
            }
            at += 1;
        }
        if matches!(bytes.get(at), None | Some(b'#' | b'\n' | b'\r')) {
            return Ok(at);
        }
        self.indent(continued.unwrap_or(column), source, at as u32, tokens)?;
        Ok(at)
    }

    fn indent(&mut self, column: (usize, usize), source: &str, at: u32, tokens: &mut Vec<Lexeme>) -> Result<(), Box<Fault>> {
        let top = *self.indents.last().expect("the outermost block never ends");
        let tab_error = || {
            let message = "inconsistent use of tabs and spaces in indentation";
            let line_start = source[..at as usize].rfind(['\n', '\r']).map_or(0, |index| index + 1);
            let place = Place::start(line_start as u32);
            Fault::tab(message, place)
        };
        if column.0 == top.0 {
            return if column.1 == top.1 { Ok(()) } else { Err(tab_error()) };
        }
        if column.0 > top.0 {
            if self.indents.len() >= MAX_INDENTS {
                let place = Place::after(at);
                return Err(Fault::indentation("too many levels of indentation", place));
            }
            if column.1 <= top.1 {
                return Err(tab_error());
            }
            self.indents.push(column);
            tokens.push((at, Token::Indent, at));
            return Ok(());
        }
        let deeper = self.indents.iter().rev().take_while(|indent| column.0 < indent.0).count();
        let top = self.indents[self.indents.len() - 1 - deeper];
        if column.0 != top.0 {
            let message = "unindent does not match any outer indentation level";
            let rest = &source[at as usize..];
            let end = rest.find(['\n', '\r']).map_or(source.len(), |index| index + at as usize);
            return Err(Fault::indentation(message, Place::after(end as u32)));
        }
        if column.1 != top.1 {
            return Err(tab_error());
        }
        self.indents.truncate(self.indents.len() - deeper);
        tokens.extend(std::iter::repeat_n((at, Token::Dedent, at), deeper));
        Ok(())
    }

    /// Ends the open blocks.
    pub(crate) fn end(&mut self, at: u32, tokens: &mut Vec<Lexeme>) {
        while self.indents.len() > 1 {
            self.indents.pop();
            tokens.push((at, Token::Dedent, at));
        }
    }
}
