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
//! soft keywords, the generated `parser` (from `scrip.lalrpop`), which `driver` drives, reads them and calls `tree`, which
//! builds the [`ast`]; `validate` checks what needs the whole tree, `diagnose` words what the parser
//! could not read.

#![allow(clippy::unnecessary_box_returns, reason = "a fault travels through results, which a small error keeps small")]

pub mod abandon;
pub mod ast;
pub mod dump;
pub mod error;
pub mod line_index;
pub mod operator;

#[rustfmt::skip]
mod aliases;
mod diagnose;
mod driver;
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

pub use encoding::declared_encoding;
pub use error::{SyntaxError, SyntaxErrorKind, SyntaxWarning};
pub use line_index::LineIndex;
pub use literal::character_by_name;

use ast::{Ast, List, Root, Span, StmtId};
use diagnose::{Diagnosed, Stop};
use error::{Fault, Place, Warning};
use lexer::{LexFault, Lexed};
use soft::SoftNames;
use token::{Lexeme, Token};
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
    /// Whether only the tree is wanted: what the compiler complains of (`return` outside a function) is let through.
    pub tree_only: bool,
    /// Whether the bytes are UTF-8, whatever a comment in them says.
    pub is_decoded: bool,
    /// How deep expressions and statements may be nested; zero for a usual depth. Definitions within definitions have a bound of their own.
    pub max_depth: usize,
    /// Whether brackets may be nested deeper than CPython lets them: for texts that programs write.
    pub any_brackets: bool,
    /// The most digits of a decimal integer, as in conversions of texts: `None` for the usual bound, zero for none.
    pub max_int_digits: Option<usize>,
    /// How many bytes of the native stack may be used; zero when there are plenty. What is nested deeper than that is refused as too deep.
    pub stack_bytes: usize,
}

/// An address on the native stack, near its top.
#[inline]
pub(crate) fn stack_address() -> usize {
    let marker = 0_u8;
    std::hint::black_box(&raw const marker).addr()
}

/// The lowest address that the native stack may reach, when it may use so many bytes from here on; zero bytes are no bound.
pub(crate) fn lowest_address(stack_bytes: usize) -> usize {
    if stack_bytes == 0 { 0 } else { stack_address().saturating_sub(stack_bytes) }
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
    if source.contains('\0') {
        let message = "source code string cannot contain null bytes";
        return Err(SyntaxError::nowhere(message));
    }
    let lines = LineIndex::new(source);
    match parse_decoded(source, mode, options) {
        Ok((ast, root, facts)) => {
            let mut warnings: Vec<_> = facts.warnings.into_iter().map(|warning| warning.into_warning(source, &lines)).collect();
            warnings.sort_by_key(|warning| warning.error.line);
            let source = source.to_string();
            let future_annotations = facts.future_annotations;
            Ok(Parsed { ast, root, source, lines, future_annotations, warnings })
        }
        Err(Refused { fault, warnings }) => {
            let fault = if mode == Mode::Expression { unless_assignment(source, fault) } else { fault };
            let fault = reword(source, fault);
            let mut error = fault.into_error(source, &lines);
            error.warnings = warnings.into_iter().map(|warning| warning.into_warning(source, &lines)).collect();
            Err(error)
        }
    }
}

/// A tree that was made otherwise than from a text, as a program: what the grammar cannot say is checked. The spans are places in `source`.
pub fn check(ast: Ast, root: Root, source: String, options: Options) -> Result<Parsed, SyntaxError> {
    let lines = LineIndex::new(&source);
    match validate::validate(&ast, root, options) {
        Ok(facts) => {
            let warnings = facts.warnings.into_iter().map(|warning| warning.into_warning(&source, &lines)).collect();
            Ok(Parsed { ast, root, source, lines, future_annotations: facts.future_annotations, warnings })
        }
        Err(fault) => Err(fault.into_error(&source, &lines)),
    }
}

/// Faults that the parser stops at too late or words too generally: a bound of `*T` or `**P`, a keyword argument with a `for` behind it,
/// an attribute as the keyword of a class pattern.
fn reword(source: &str, fault: Box<Fault>) -> Box<Fault> {
    let Some(at) = fault.start().filter(|&at| at < source.len()) else { return fault };
    let (before, after) = source.split_at(at);
    let line = before.rfind('\n').map_or(0, |newline| newline + 1);
    if fault.message.starts_with("cannot assign to attribute here") && source[line..].trim_start().starts_with("case ") {
        if let Some(equals) = after.find('=') {
            let equals = (at + equals) as u32;
            return Fault::at("invalid syntax", ast::Span::new(equals, equals + 1));
        }
    }
    if fault.message != "invalid syntax" {
        return fault;
    }
    let name_end = before.trim_end();
    let name = name_end.rsplit(|char: char| !char.is_alphanumeric() && char != '_').next().unwrap_or_default();
    let head = name_end[..name_end.len() - name.len()].trim_end();
    if after.starts_with(':') && !name.is_empty() && head.ends_with('*') && source[line..].trim_start().starts_with(['d', 'c', 't', 'a']) {
        let what = if head.ends_with("**") { "ParamSpec" } else { "TypeVarTuple" };
        let head = head.trim_end_matches('*').trim_end();
        let bound = after[1..].find([',', ']', '=', '\n']).map_or(after.len(), |end| end + 1);
        if (head.ends_with('[') || head.ends_with(',')) && after[bound..].starts_with([',', ']', '=']) {
            let is_tuple = after[1..bound].trim_start().starts_with('(');
            let message = format!("cannot use {} with {what}", if is_tuple { "constraints" } else { "bound" });
            return Fault::at(message, ast::Span::new(at as u32, (at + bound) as u32));
        }
    }
    if after.starts_with("for ") {
        // Back to what opened the arguments, or to the comma before this one.
        let mut depth = 0;
        let open = before.char_indices().rev().find(|(_, char)| {
            match char {
                ')' | ']' | '}' => depth += 1,
                '(' | '[' | '{' | ',' if depth == 0 => return true,
                '(' | '[' | '{' => depth -= 1,
                _ => {}
            }
            false
        });
        if let Some((open, '(' | ',')) = open {
            let argument = &before[open + 1..];
            let start = open + 1 + (argument.len() - argument.trim_start().len());
            let name_length = argument.trim_start().find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(0);
            let rest = source[start + name_length..].trim_start();
            let equals = source.len() - rest.len();
            if name_length > 0 && rest.starts_with('=') && !rest.starts_with("==") {
                let message = "invalid syntax. Maybe you meant '==' or ':=' instead of '='?";
                return Fault::at(message, ast::Span::new(start as u32, equals as u32 + 1));
            }
        }
    }
    fault
}

/// Where an expression alone is wanted, an assignment is not taken for a comparison: its sign is just wrong.
fn unless_assignment(source: &str, fault: Box<Fault>) -> Box<Fault> {
    if !fault.message.contains("Maybe you meant '==' ") {
        return fault;
    }
    let (mut depth, mut before) = (0_i32, b' ');
    for (at, byte) in source.bytes().enumerate() {
        let after = source.as_bytes().get(at + 1).copied().unwrap_or(b' ');
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            b'\'' | b'"' | b'#' => return fault,
            b'=' if depth == 0 && after != b'=' && !matches!(before, b'=' | b'!' | b'<' | b'>' | b':') => {
                let at = at as u32;
                return Fault::at("invalid syntax", ast::Span::new(at, at + 1));
            }
            _ => {}
        }
        before = byte;
    }
    fault
}

type Accepted = (Ast, Root, Facts);

/// What is wrong, and what CPython warns of before it says so.
struct Refused {
    fault: Box<Fault>,
    warnings: Vec<Warning>,
}

impl From<Box<Fault>> for Refused {
    fn from(fault: Box<Fault>) -> Self {
        Self { fault, warnings: Vec::new() }
    }
}

fn parse_decoded(source: &str, mode: Mode, options: Options) -> Result<Accepted, Refused> {
    let mut ast = Ast::default();
    let names = SoftNames { match_: ast.intern("match"), case: ast.intern("case"), type_: ast.intern("type") };
    let start = match mode {
        Mode::Expression => Token::StartExpression,
        Mode::Module | Mode::Interactive => Token::StartModule,
    };
    let (mut lexed, lex_fault) = lexer::lex(source, &mut ast, start, options);
    soft::rewrite(&mut lexed.tokens, names);
    let mut tree = Tree::new(ast, source, std::mem::take(&mut lexed.strings));
    let reader = lexed.tokens.iter().map(|&lexeme| Ok(lexeme));
    let result = parser::SourceParser::new().parse(&mut tree, reader);
    let root = match (result, lex_fault) {
        (Ok(root), None) => root,
        (result, lex_fault) => {
            let result = result.err();
            let read = match &result {
                Some(Unread::UnrecognizedToken { token, .. }) => lexed.tokens.partition_point(|lexeme| lexeme.0 < token.0),
                _ => lexed.tokens.len(),
            };
            let fault = refuse(source, &mut tree, &lexed, result, lex_fault);
            tree.warn_of_strings(&lexed.tokens[..read]);
            return Err(Refused { fault, warnings: tree.warnings });
        }
    };
    if let Some(fault) = tree.take_fault() {
        let Diagnosed { fault, last_read, .. } = finish(fault, &lexed);
        return Err(Refused { fault: unless_unclosed(source, &lexed, fault, last_read), warnings: tree.warnings });
    }
    let root = match (mode, root) {
        (Mode::Interactive, Root::Module { body }) => {
            one_statement(source, &tree.ast, &lexed, body)?;
            Root::Interactive { body }
        }
        (_, root) => root,
    };
    let mut facts = match validate::validate(&tree.ast, root, options) {
        Ok(facts) => facts,
        Err(fault) => return Err(Refused { fault, warnings: tree.warnings }),
    };
    facts.warnings.append(&mut lexed.warnings);
    facts.warnings.append(&mut tree.warnings);
    Ok((tree.ast, root, facts))
}

/// At a prompt there is one compound statement, or one line of simple ones.
fn one_statement(source: &str, ast: &Ast, lexed: &Lexed, body: List<StmtId>) -> Result<(), Box<Fault>> {
    let body = ast.list(body);
    let Some(&first) = body.first() else {
        return Err(Fault::incomplete("invalid syntax", Place::cursor(source.len() as u32)));
    };
    let Some(&last) = body.last() else { return Ok(()) };
    let (first, last) = (ast.stmt(first), ast.stmt(last));
    if first.kind.is_compound() {
        return match body.get(1) {
            Some(&second) => Err(Fault::at("invalid syntax", ast.stmt(second).span)),
            // A block that stands on the line of its header ends with that line, if the line ends.
            None if source.rsplit('\n').next().is_some_and(|line| !line.is_empty() && !line.starts_with([' ', '\t', '\x0C'])) => {
                let last_line = source.rfind('\n').map_or(0, |newline| newline + 1);
                Err(Fault::incomplete("invalid syntax", Place::cursor(last_line as u32)))
            }
            None => Ok(()),
        };
    }
    let is_end = |lexeme: &&Lexeme| lexeme.1 == Token::Newline && lexeme.0 >= first.span.end;
    match lexed.tokens.iter().find(is_end) {
        Some(&(start, _, end)) if start < last.span.start => {
            let message = "multiple statements found while compiling a single statement";
            Err(Fault::at(message, Span::new(start, end.max(start + 1))))
        }
        _ => Ok(()),
    }
}

/// Whether a prompt should ask for another line: what was typed so far is the beginning of a
/// program, or a compound statement that a blank line has not yet ended.
pub fn is_incomplete(source: &str, options: Options) -> bool {
    match parse(source, Mode::Module, options) {
        Ok(parsed) => {
            let Root::Module { body } = parsed.root else { return false };
            let last = parsed.ast.list(body).last();
            let compound = last.is_some_and(|&last| parsed.ast.stmt(last).kind.is_compound());
            compound && !source.ends_with('\n')
        }
        // A blank line ends a block, even one that lacks something. In brackets and strings it ends nothing: there nothing that follows would be wrong.
        Err(error) if error.incomplete && source.ends_with('\n') => {
            parse(&format!("{source}0\n"), Mode::Module, options).is_err_and(|error| error.incomplete)
        }
        Err(error) => error.incomplete,
    }
}

type Unread = lalrpop_util::ParseError<u32, Token, ()>;

/// Of the faults of the lexer, of the grammar's actions and of the parser, the one that CPython
/// reports: it reads the whole text for faults of the lexer before it reports another.
fn refuse(source: &str, tree: &mut Tree<'_>, lexed: &Lexed, unread: Option<Unread>, lex_fault: Option<Box<LexFault>>) -> Box<Fault> {
    let tokens = &lexed.tokens;
    let (index, expected) = match unread {
        Some(Unread::UnrecognizedToken { token, expected }) => {
            let index = tokens.partition_point(|lexeme| lexeme.0 < token.0);
            let same = tokens[index..].iter().position(|lexeme| lexeme.1 == token.1);
            (same.map_or(tokens.len(), |same| index + same), expected)
        }
        Some(Unread::UnrecognizedEof { expected, .. }) => (tokens.len(), expected),
        _ => (tokens.len(), Vec::new()),
    };
    let stop = Stop { index, expected: &expected };
    let at_end = index >= tokens.len();
    let open_end = tokens.get(index).is_none_or(|lexeme| lexeme.1 == Token::End);
    let Diagnosed { fault, sure, last_read } = match tree.take_fault() {
        Some(fault) => finish(fault, lexed),
        None if at_end && let Some(lex_fault) = lex_fault => return lex_fault.fault,
        None => diagnose::diagnose(source, &tree.ast, lexed, &stop),
    };
    match lex_fault {
        Some(lex_fault) if lex_fault.certain && !sure => lex_fault.fault,
        _ if sure => fault,
        _ => {
            let mut fault = unless_unclosed(source, lexed, fault, last_read);
            fault.incomplete &= open_end || lexed.open.is_empty();
            fault
        }
    }
}

/// A fault of an action, which may stand at the token after what it is about.
fn finish(mut fault: Box<Fault>, lexed: &Lexed) -> Diagnosed {
    let last_read = fault.resolve_next(&lexed.tokens);
    Diagnosed { fault, sure: false, last_read }
}

/// The fault, unless a bracket that is never closed stands on an earlier line than the last token
/// that was read.
fn unless_unclosed(source: &str, lexed: &Lexed, fault: Box<Fault>, last_read: u32) -> Box<Fault> {
    let Some(&bracket) = lexed.open.last() else { return fault };
    let at_end = last_read as usize >= source.len();
    let later = bracket.at < last_read && source[bracket.at as usize..last_read as usize].contains(['\n', '\r']);
    if at_end || later { diagnose::never_closed(bracket) } else { fault }
}

/// Parses a source that is still bytes: UTF-8, or what a PEP 263 comment says. Of the encodings that
/// a comment may name, this knows UTF-8, ASCII and Latin-1; whoever knows more decodes the bytes by
/// [`declared_encoding`] and calls [`parse`].
pub fn parse_bytes(source: &[u8], mode: Mode, options: Options) -> Result<Parsed, SyntaxError> {
    if options.is_decoded
        && let Ok(source) = str::from_utf8(source)
    {
        return parse(source, mode, options);
    }
    parse(&encoding::decode(source)?, mode, options)
}

#[cfg(test)]
mod tests;
