//! From a program's text to a code object, with what is wrong about it raised as CPython's exceptions.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use scrip_grammar::{Mode, Options, Parsed, SyntaxError, SyntaxErrorKind, SyntaxWarning};

use super::vm::{Raised, Result, Vm};
use crate::code::unit::Unit;
use crate::compile;
use crate::gil::Activity;
use crate::object::types::code::Code;
use crate::object::types::exception::{Exception, ExceptionKind};
use crate::object::value::{Ref, Value};

/// How a program is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SourceOptions {
    pub(crate) mode: Mode,
    /// The module's body may await.
    pub(crate) top_level_await: bool,
    /// As if after `from __future__ import annotations`.
    pub(crate) future_annotations: bool,
    /// The text of a tree, as `ast` evaluates it: brackets may be nested to any depth.
    pub(crate) is_dump: bool,
    /// The bytes are UTF-8, whatever a comment in them says.
    pub(crate) is_decoded: bool,
    /// As for [`compile::Options`].
    pub(crate) optimize: u8,
}

/// The error of an expression or input, where the last line of its text has no line break: CPython adds none to show it, and what is missing at
/// the end stands in no column.
fn without_last_break(source: &[u8], mode: Mode, mut error: SyntaxError) -> SyntaxError {
    let last_line = source.iter().filter(|&&byte| byte == b'\n').count() + 1;
    if mode == Mode::Module || source.ends_with(b"\n") || error.line as usize != last_line {
        return error;
    }
    let Some(text) = error.text.as_mut() else { return error };
    if !text.ends_with('\n') {
        return error;
    }
    text.pop();
    let width = text.chars().count() as i32;
    if error.offset == width + 1 {
        match error.message.as_str() {
            "invalid syntax" => (error.offset, error.end_offset) = (0, 0),
            "unexpected EOF while parsing" if text.ends_with('\\') => {
                error.message = "unexpected character after line continuation character".to_owned();
                (error.offset, error.end_offset) = (width, 0);
            }
            message if message.starts_with("expected ") => (error.offset, error.end_offset) = (width, -1),
            _ => {}
        }
    }
    error
}

impl SourceOptions {
    /// A file or module.
    pub(crate) const MODULE: Self =
        Self { mode: Mode::Module, top_level_await: false, future_annotations: false, is_dump: false, is_decoded: false, optimize: 0 };
    /// One expression.
    pub(crate) const EXPRESSION: Self =
        Self { mode: Mode::Expression, top_level_await: false, future_annotations: false, is_dump: false, is_decoded: false, optimize: 0 };
    /// One input at a prompt.
    pub(crate) const INTERACTIVE: Self =
        Self { mode: Mode::Interactive, top_level_await: false, future_annotations: false, is_dump: false, is_decoded: false, optimize: 0 };
}

/// Sources of more bytes are read and compiled in a thread of their own.
const LONG_SOURCE: usize = 256 * 1024;

/// The native stack for what is nested too deep for that of the thread; what is not used of it takes no memory.
const DEEP_STACK: usize = 256 << 20;

/// How deep the expressions and statements of a program may be nested.
const DEEPEST: usize = 12_000;

/// As `DEEPEST`, for the text of a tree, which has two levels for one of the program's.
const DEEPEST_TREE: usize = 40_000;

/// A tree, or what is wrong.
type Parsing = std::result::Result<Parsed, SyntaxError>;

/// A unit, or what is wrong.
type Compiled = std::result::Result<Arc<Unit>, SyntaxError>;

/// What the helper's stack has beyond what reading and compiling may use.
const STACK_RESERVE: usize = 128 * 1024;

/// Tells the helper, when nobody waits for it any more, that its result is not wanted.
#[derive(Default)]
struct Abandoned(Arc<AtomicBool>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Vm {
    /// Does `work`, which needs no objects, with what is `given`, in a thread of its own with such a stack, so that Ctrl-C, stops and other threads need
    /// not wait for its end. Both come back when there is no other thread to be had.
    fn aside<G, R, W>(&mut self, stack_bytes: usize, given: G, work: W) -> Result<std::result::Result<R, (G, W)>>
    where
        G: Send + 'static,
        R: Send + 'static,
        W: FnOnce(G, usize) -> R + Send + 'static,
    {
        let shared = Arc::new(Mutex::new(Some((given, work))));
        let take = |shared: &Mutex<Option<(G, W)>>| shared.lock().unwrap_or_else(PoisonError::into_inner).take();
        let helped = shared.clone();
        let abandoned = Abandoned::default();
        let heeded = abandoned.0.clone();
        let done = self.wait_for_helper_with(stack_bytes + STACK_RESERVE, Activity::Compile, move || {
            scrip_grammar::abandon::heed(heeded);
            take(&helped).map(|(given, work)| work(given, stack_bytes))
        })?;
        match done {
            Ok(Some(result)) => Ok(Ok(result)),
            _ => take(&shared).map(Err).ok_or_else(|| self.memory_error()),
        }
    }

    /// The tree of a program, or what is wrong with it. What is nested too deep for this thread's stack is tried once more on a large one.
    pub(crate) fn parse_source(&mut self, source: &[u8], mode: Mode, options: Options) -> Result<Parsing> {
        let here = Options { stack_bytes: self.native_room().max(1), ..options };
        if source.len() <= LONG_SOURCE {
            match scrip_grammar::parse_bytes(source, mode, here) {
                Err(error) if error.kind == SyntaxErrorKind::Recursion => {}
                parsed => return Ok(parsed),
            }
        }
        let max_depth = if options.any_brackets { DEEPEST_TREE } else { DEEPEST };
        let parsed = self.aside(DEEP_STACK, source.to_vec(), move |source, stack_bytes| {
            scrip_grammar::parse_bytes(&source, mode, Options { stack_bytes, max_depth, ..options })
        })?;
        Ok(parsed.unwrap_or_else(|_| scrip_grammar::parse_bytes(source, mode, here)))
    }

    /// The text of a program's tree, as `dump` writes it.
    pub(crate) fn dump_source(&mut self, source: &[u8], mode: Mode, filename: &str) -> Result<String> {
        let parsed = match self.parse_source(
            source,
            mode,
            Options { tree_only: true, max_int_digits: Some(self.state().int_max_str_digits), ..Options::default() },
        )? {
            Ok(parsed) => parsed,
            Err(error) => return Err(self.raise_syntax_error(&error, filename)),
        };
        if source.len() <= LONG_SOURCE
            && let Some(text) = scrip_grammar::dump::dump(&parsed, self.native_room().max(1))
        {
            return Ok(text);
        }
        let dumped = self.aside(DEEP_STACK, parsed, |parsed, stack_bytes| scrip_grammar::dump::dump(&parsed, stack_bytes))?;
        match dumped {
            Ok(Some(text)) => Ok(text),
            _ => Err(self.too_deep()),
        }
    }

    /// Compiles a program given as bytes.
    pub(crate) fn compile_bytes(&mut self, source: &[u8], filename: &str, options: SourceOptions) -> Result<Ref<Code>> {
        // Tokens and tree take up to seventy bytes for each byte of dense text.
        self.check_room(source.len().saturating_mul(64))?;
        let grammar = Options {
            top_level_await: options.top_level_await,
            any_brackets: options.is_dump,
            is_decoded: options.is_decoded,
            max_int_digits: Some(if options.is_dump { 0 } else { self.state().int_max_str_digits }),
            ..Default::default()
        };
        let parsed = match self.parse_source(source, options.mode, grammar)? {
            Ok(parsed) => parsed,
            Err(error) => match self.decoded_by_codec(source, &error)? {
                Some(text) => match self.parse_source(text.as_bytes(), options.mode, Options { is_decoded: true, ..grammar })? {
                    Ok(parsed) => parsed,
                    Err(error) => return Err(self.raise_syntax_error(&error, filename)),
                },
                None => {
                    let error = if options.is_dump { error } else { without_last_break(source, options.mode, error) };
                    return Err(self.raise_syntax_error(&error, filename));
                }
            },
        };
        self.compile_parsed(parsed, filename, options)
    }

    /// The text of a source whose comment names an encoding that the grammar does not know but `codecs` does.
    fn decoded_by_codec(&mut self, source: &[u8], error: &SyntaxError) -> Result<Option<String>> {
        let Some(name) = error.message.strip_prefix("unknown encoding: ").map(str::to_owned) else { return Ok(None) };
        let codecs = self.import("codecs")?;
        let name = self.new_str(name);
        if let Err(raised) = self.call_method(&codecs, "lookup", std::slice::from_ref(&name)) {
            return if self.clear_if(ExceptionKind::LookupError) { Ok(None) } else { Err(raised) };
        }
        let bytes = self.new_bytes(source);
        let decoded = match self.call_method(&bytes, "decode", std::slice::from_ref(&name)) {
            Ok(decoded) => decoded,
            Err(raised) if !self.raised_is(ExceptionKind::UnicodeError) => return Err(raised),
            Err(_) => {
                // What cannot be decoded is an error of the program.
                let problem = self.take_raised();
                let message = self.str_text(&problem)?.to_string();
                return Err(self.raise(ExceptionKind::SyntaxError, message));
            }
        };
        self.expect_string(&decoded, "a decoded source").map(Some)
    }

    /// Compiles a program that has been read.
    pub(crate) fn compile_parsed(&mut self, parsed: Parsed, filename: &str, options: SourceOptions) -> Result<Ref<Code>> {
        for warning in &parsed.warnings {
            self.show_syntax_warning(warning, filename)?;
        }
        let SourceOptions { future_annotations, top_level_await, optimize, .. } = options;
        let here = compile::Options { future_annotations, top_level_await, optimize, stack_bytes: self.native_room().max(1 << 16) };
        let mut unit = None;
        if parsed.source.len() <= LONG_SOURCE {
            unit = match compile::compile(&parsed, filename, &here) {
                Err(error) if error.kind == SyntaxErrorKind::Recursion => None,
                compiled => Some(compiled),
            };
        }
        let unit: Compiled = match unit {
            Some(unit) => unit,
            None => {
                let name = filename.to_owned();
                let compiled = self.aside(DEEP_STACK, parsed, move |parsed, stack_bytes| {
                    compile::compile(&parsed, &name, &compile::Options { future_annotations, top_level_await, optimize, stack_bytes })
                })?;
                compiled.unwrap_or_else(|(parsed, _)| compile::compile(&parsed, filename, &here))
            }
        };
        let unit = match unit {
            Ok(unit) => unit,
            Err(error) => return Err(self.raise_syntax_error(&error, filename)),
        };
        Ok(self.make_code(unit))
    }

    /// Compiles the file that is the program. What is wrong at the end of the file, or before there is text, CPython tells in other words than for a string.
    pub(crate) fn compile_file(&mut self, source: &[u8], filename: &str) -> Result<Ref<Code>> {
        let readable = std::str::from_utf8(source).map_or_else(|problem| problem.valid_up_to(), str::len);
        if let Some(at) = source[..readable].iter().position(|byte| *byte == 0) {
            let line = source[..at].iter().filter(|byte| **byte == b'\n').count() as u32 + 1;
            let start = source[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
            let error = SyntaxError {
                kind: SyntaxErrorKind::Syntax,
                message: "source code cannot contain null bytes".to_owned(),
                line,
                offset: 0,
                end_line: line,
                end_offset: 0,
                text: Some(String::from_utf8_lossy(&source[start..at]).into_owned()),
                incomplete: false,
                warnings: Vec::new(),
            };
            return Err(self.raise_syntax_error(&error, filename));
        }
        let grammar = Options { top_level_await: true, max_int_digits: Some(self.state().int_max_str_digits), ..Default::default() };
        match self.parse_source(source, Mode::Module, grammar)? {
            Ok(parsed) => self.compile_parsed(parsed, filename, SourceOptions { top_level_await: true, ..SourceOptions::MODULE }),
            Err(mut error) => {
                if let Some(text) = self.decoded_by_codec(source, &error)? {
                    return match self.parse_source(text.as_bytes(), Mode::Module, Options { is_decoded: true, ..grammar })? {
                        Ok(parsed) => self.compile_parsed(parsed, filename, SourceOptions { top_level_await: true, ..SourceOptions::MODULE }),
                        Err(error) => Err(self.raise_syntax_error(&error, filename)),
                    };
                }
                if let Some(name) = error.message.strip_prefix("unknown encoding: ") {
                    let message = format!("encoding problem: {name}");
                    return Err(self.raise(ExceptionKind::SyntaxError, message));
                }
                let text = source.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(source);
                if let Err(problem) = std::str::from_utf8(text) {
                    let at = problem.valid_up_to();
                    let line = text[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
                    if scrip_grammar::declared_encoding(text).is_some() {
                        return Err(self.raise_undecodable_literal(text, at, line as u32, error, filename));
                    }
                    let message = format!(
                        "Non-UTF-8 code starting with '\\x{:02x}' in file {filename} on line {line}, but no encoding declared; see https://peps.python.org/pep-0263/ for details",
                        text[at]
                    );
                    return Err(self.raise(ExceptionKind::SyntaxError, message));
                }
                if error.message.starts_with("encoding problem: ") {
                    return Err(self.raise(ExceptionKind::SyntaxError, error.message));
                }
                let at_end = error.message.starts_with("expected ") && error.end_offset == -1;
                // A line that is nothing but a backslash has no column.
                let is_empty = error.message == "unexpected EOF while parsing" && error.text.as_ref().is_some_and(|text| text.trim() == "\\");
                if (at_end || is_empty) && error.line != 0 {
                    error.offset = 0;
                }
                Err(self.raise_syntax_error(&error, filename))
            }
        }
    }

    /// A byte in a literal of a file that says it is UTF-8, and is not: the place is the literal, the position is counted in it.
    fn raise_undecodable_literal(&mut self, text: &[u8], at: usize, line: u32, mut error: SyntaxError, filename: &str) -> Raised {
        let start = text[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let end = text[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |newline| at + newline + 1);
        if let Some(quote) = text[start..at].iter().rposition(|byte| matches!(byte, b'"' | b'\'')) {
            let (head, reason) = error
                .message
                .split_once(" in position ")
                .map_or(("", ""), |(head, tail)| (head, tail.split_once(": ").map_or("", |(_, reason)| reason)));
            error.message = format!("{head} in position {}: {reason}", at - start - quote - 1);
            error.line = line;
            error.offset = String::from_utf8_lossy(&text[start..start + quote]).chars().count() as i32 + 1;
            (error.end_line, error.end_offset) = (line, error.offset + 1);
            error.text = Some(String::from_utf8_lossy(&text[start..end]).into_owned());
        }
        self.raise_syntax_error(&error, filename)
    }

    /// Compiles a program given as text.
    pub(crate) fn compile_text(&mut self, source: &str, filename: &str, options: SourceOptions) -> Result<Ref<Code>> {
        self.compile_bytes(source.as_bytes(), filename, options)
    }

    /// Warns of doubtful code; where warnings are errors it is a `SyntaxError`.
    fn show_syntax_warning(&mut self, warning: &SyntaxWarning, filename: &str) -> Result<()> {
        let warnings = self.import("warnings")?;
        let class = self.state().exception(ExceptionKind::SyntaxWarning).clone().into_value();
        let error = &warning.error;
        let arguments = [self.new_str(error.message.as_str()), class, self.new_str(filename), Value::small(i64::from(error.line))];
        let function = self.get_attr_str(&warnings, "warn_explicit")?;
        let Err(raised) = self.call(&function, &arguments) else { return Ok(()) };
        if !self.raised_is(ExceptionKind::SyntaxWarning) {
            return Err(raised);
        }
        drop(self.take_raised());
        let mut error = error.clone();
        if warning.in_tree && filename.starts_with('<') {
            // CPython's compiler takes the line's text from the file.
            error.text = None;
        }
        Err(self.raise_syntax_error(&error, filename))
    }

    /// Raises what is wrong with a program's text.
    pub(crate) fn raise_syntax_error(&mut self, error: &SyntaxError, filename: &str) -> Raised {
        for warning in &error.warnings {
            if let Err(raised) = self.show_syntax_warning(warning, filename) {
                return raised;
            }
        }
        let kind = match error.kind {
            SyntaxErrorKind::Indentation => ExceptionKind::IndentationError,
            SyntaxErrorKind::Tab => ExceptionKind::TabError,
            SyntaxErrorKind::Recursion => {
                return self.raise(ExceptionKind::RecursionError, error.message.clone());
            }
            SyntaxErrorKind::Syntax => ExceptionKind::SyntaxError,
        };
        let message = self.new_str(error.message.clone());
        let number = |value: i64| if error.line == 0 { Value::NONE } else { Value::small(value) };
        let text = error.text.clone().map_or(Value::NONE, |text| self.new_str(text));
        let place = [
            self.new_str(filename),
            number(i64::from(error.line)),
            number(i64::from(error.offset)),
            text,
            number(i64::from(error.end_line)),
            number(i64::from(error.end_offset)),
        ];
        let details = self.new_tuple(place.to_vec());
        let class = self.state().exception(kind).clone();
        let exception = self.new_exception(&class, kind, vec![message, details]);
        if let Some(payload) = exception.downcast::<Exception>() {
            let fields = &mut payload.get_mut(self).fields;
            // msg, filename, lineno, offset, text, print_file_and_line, end_lineno, end_offset
            for (field, value) in [1, 2, 3, 4, 6, 7].into_iter().zip(place) {
                if let Some(slot) = fields.get_mut(field) {
                    *slot = value;
                }
            }
        }
        self.raise_value(exception)
    }
}
