//! The text of a Scrip program: tokens, layout, tree and syntax errors.
//!
//! [`parse`] turns a source into an [`ast::Ast`]; what it refuses, it refuses with CPython's words.
//! This package knows nothing of running a program.
//!
//! ```
//! use scrip_grammar::{Mode, Options, parse};
//!
//! let error = parse("print(1", Mode::Module, Options::default()).unwrap_err();
//! assert_eq!(error.message, "'(' was never closed");
//! assert_eq!((error.line, error.offset), (1, 6));
//! ```
//!
//! In reading order: `token` and `lexer` (with `layout` and `literal`) make tokens, `soft` finds the
//! soft keywords, the generated `parser` (from `scrip.lalrpop`) reads them and calls `tree`, which
//! builds the [`ast`]; `validate` checks what needs the whole tree, `diagnose` words what the parser
//! could not read.

pub mod ast;
pub mod dump;
pub mod error;
pub mod line_index;
pub mod operator;

mod encoding;
mod layout;
mod lexer;
mod literal;
#[rustfmt::skip]
#[allow(warnings, clippy::all, clippy::pedantic, clippy::restriction, reason = "generated from scrip.lalrpop")]
mod parser;
mod soft;
mod token;
mod tree;
mod validate;

pub use error::{SyntaxError, SyntaxErrorKind, SyntaxWarning};
pub use line_index::LineIndex;

use ast::{Ast, Root};
use error::{Fault, Place};
use soft::SoftNames;
use token::Token;
use tree::Tree;
use validate::Facts;

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

/// Parses a source.
pub fn parse(source: &str, mode: Mode, options: Options) -> Result<Parsed, SyntaxError> {
    let source = source.strip_prefix('\u{FEFF}').unwrap_or(source);
    let lines = LineIndex::new(source);
    match parse_decoded(source, mode, options) {
        Ok((ast, root, facts)) => {
            let warning = |(at, message)| SyntaxWarning { message, line: lines.line(at) };
            let mut warnings: Vec<_> = facts.warnings.into_iter().map(warning).collect();
            warnings.sort_by_key(|warning| warning.line);
            let source = source.to_string();
            let future_annotations = facts.future_annotations;
            Ok(Parsed { ast, root, source, lines, future_annotations, warnings })
        }
        Err(fault) => Err(fault.into_error(source, &lines)),
    }
}

type Accepted = (Ast, Root, Facts);

fn parse_decoded(source: &str, mode: Mode, options: Options) -> Result<Accepted, Box<Fault>> {
    let mut ast = Ast::default();
    let names = SoftNames {
        match_: ast.intern("match"),
        case: ast.intern("case"),
        type_: ast.intern("type"),
    };
    let start = match mode {
        Mode::Expression => Token::StartExpression,
        Mode::Module | Mode::Interactive => Token::StartModule,
    };
    let (mut lexed, error) = lexer::lex(source, &mut ast, start);
    if let Some(error) = error {
        return Err(error);
    }
    soft::rewrite(&mut lexed.tokens, names);
    let mut tree = Tree::new(ast, source, std::mem::take(&mut lexed.strings));
    let tokens = lexed.tokens.iter().map(|&lexeme| Ok(lexeme));
    let result = parser::SourceParser::new().parse(&mut tree, tokens);
    match result {
        Ok(root) => {
            if let Some(fault) = tree.take_fault() {
                return Err(fault);
            }
            let mut facts = validate::validate(&tree.ast, root, options.top_level_await)?;
            facts.warnings.append(&mut lexed.warnings);
            facts.warnings.append(&mut tree.warnings);
            Ok((tree.ast, root, facts))
        }
        Err(error) => {
            if let Some(fault) = tree.take_fault() {
                return Err(fault);
            }
            let at = match error {
                lalrpop_util::ParseError::UnrecognizedToken { token, .. } => token.0,
                _ => source.len() as u32,
            };
            Err(Fault::new("invalid syntax", Place::start(at)))
        }
    }
}

/// Parses a source that is still bytes: UTF-8, or what a PEP 263 comment says.
pub fn parse_bytes(source: &[u8], mode: Mode, options: Options) -> Result<Parsed, SyntaxError> {
    parse(&encoding::decode(source)?, mode, options)
}
