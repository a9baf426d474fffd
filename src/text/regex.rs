//! Python's `re`: patterns over text of every width and over bytes.
//!
//! `parse` makes a tree of a pattern and words the errors, `compile` makes a program of the tree, `matcher` runs it
//! by backtracking on a stack of its own, and `template` reads the replacements of `sub`. Bytes are given as the
//! [`TextView::Ascii`] of any bytes: only positions come out.

mod charset;
mod compile;
mod matcher;
mod parse;
pub(crate) mod template;

use parking_lot::Mutex;

use self::compile::Program;
use self::matcher::Scratch;
use super::text::Text;
use super::view::{TextView, with_units};

/// Flags as `re` numbers them.
pub(crate) mod flag {
    /// `re.IGNORECASE`
    pub(crate) const IGNORECASE: u32 = 2;
    /// `re.LOCALE`
    pub(crate) const LOCALE: u32 = 4;
    /// `re.MULTILINE`
    pub(crate) const MULTILINE: u32 = 8;
    /// `re.DOTALL`
    pub(crate) const DOTALL: u32 = 16;
    /// `re.UNICODE`
    pub(crate) const UNICODE: u32 = 32;
    /// `re.VERBOSE`
    pub(crate) const VERBOSE: u32 = 64;
    /// `re.DEBUG`
    pub(crate) const DEBUG: u32 = 128;
    /// `re.ASCII`
    pub(crate) const ASCII: u32 = 256;
    /// Which characters are letters, digits and so on: at most one of these.
    pub(crate) const TYPES: u32 = ASCII | LOCALE | UNICODE;
}

/// Why a pattern or template is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PatternError {
    /// A `re.PatternError` with its `msg` and `pos`.
    Pattern {
        /// What is wrong.
        message: Text,
        /// Where, in code points of the pattern.
        position: Option<usize>,
    },
    /// A `ValueError`: flags that exclude each other.
    Value(&'static str),
    /// An `OverflowError`.
    Overflow(&'static str),
    /// An `IndexError`: a template names a group that is not there.
    Index(Text),
    /// A `RecursionError`.
    TooDeep,
}

/// Why matching ended without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupted {
    /// The poll asked for it.
    Stopped,
    /// The stack of choices grew too large: a `MemoryError`.
    TooLarge,
}

/// A compiled pattern.
pub(crate) struct Pattern {
    program: Program,
    flags: u32,
    names: Vec<(Text, usize)>,
    is_bytes: bool,
    notes: Vec<String>,
    scratch: Mutex<Option<Box<Scratch>>>,
}

/// How a match must lie in the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Anywhere.
    Search,
    /// At the start.
    Match,
    /// From the start to the end.
    FullMatch,
}

/// What to look for in a subject.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    /// How the match must lie.
    pub(crate) mode: Mode,
    /// Where to start; at most `end`.
    pub(crate) start: usize,
    /// What counts as the end of the subject; at most its length.
    pub(crate) end: usize,
    /// Refuses an empty match at `start`: there was one already.
    pub(crate) must_advance: bool,
}

/// Where a pattern and its groups matched, in code points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Captures {
    slots: Box<[usize]>,
    last_index: Option<usize>,
}

const UNSET: usize = usize::MAX;

impl Captures {
    /// Bytes allocated.
    pub(crate) fn heap_size(&self) -> usize {
        self.slots.len() * size_of::<usize>()
    }

    /// Where a group matched; group 0 is the whole. `None` when it did not take part or does not exist.
    pub(crate) fn group(&self, number: usize) -> Option<(usize, usize)> {
        let slots = self.slots.get(number.checked_mul(2)?..)?;
        match *slots {
            [start, end, ..] if start != UNSET && end != UNSET => Some((start, end)),
            _ => None,
        }
    }

    /// Where the whole pattern matched.
    pub(crate) fn span(&self) -> (usize, usize) {
        (self.slots[0], self.slots[1])
    }

    /// How many groups there are, the whole not counted.
    pub(crate) fn groups(&self) -> usize {
        self.slots.len() / 2 - 1
    }

    /// The number of the group that closed last.
    pub(crate) fn last_index(&self) -> Option<usize> {
        self.last_index
    }
}

impl Pattern {
    /// Compiles a pattern; of bytes when `is_bytes`. Uses at most `stack_bytes` of the native stack.
    pub(crate) fn compile(pattern: TextView<'_>, is_bytes: bool, flags: u32, stack_bytes: usize) -> Result<Self, PatternError> {
        let parsed = parse::parse(pattern, is_bytes, flags, stack_bytes)?;
        let program = compile::compile(&parsed.body, parsed.flags, parsed.groups)?;
        Ok(Self { program, flags: parsed.flags, names: parsed.names, is_bytes, notes: parsed.notes, scratch: Mutex::new(None) })
    }

    /// All flags in force, those in the pattern included.
    pub(crate) fn flags(&self) -> u32 {
        self.flags
    }

    /// How many groups there are, the whole not counted.
    pub(crate) fn groups(&self) -> usize {
        self.program.groups - 1
    }

    /// What is likely to mean something else in a later version of the language: texts of warnings.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The least and the greatest length of a match, the latter `None` when there is no limit.
    pub(crate) fn widths(&self) -> (usize, Option<u64>) {
        (self.program.min_width, (self.program.max_width < compile::MOST).then_some(self.program.max_width))
    }

    /// Names and numbers of the named groups, in order of the numbers.
    pub(crate) fn names(&self) -> &[(Text, usize)] {
        &self.names
    }

    /// The number of a named group.
    pub(crate) fn group_number(&self, name: TextView<'_>) -> Option<usize> {
        self.names.iter().find(|pair| pair.0.view() == name).map(|pair| pair.1)
    }

    /// Whether it was made of bytes.
    pub(crate) fn is_bytes(&self) -> bool {
        self.is_bytes
    }

    /// Bytes allocated.
    pub(crate) fn heap_size(&self) -> usize {
        self.program.heap_size()
    }

    /// Looks for a match. `poll` is asked at least every millisecond or so whether to stop.
    pub(crate) fn run(&self, subject: TextView<'_>, request: Request, poll: &mut dyn FnMut() -> bool) -> Result<Option<Captures>, Interrupted> {
        let end = request.end.min(subject.len());
        if request.start > end {
            return Ok(None);
        }
        let request = Request { end, ..request };
        // Two threads may use one pattern: the second one makes a stack of its own.
        let mut scratch = self.scratch.lock().take().unwrap_or_default();
        let found = with_units!(subject, |units| matcher::run(&self.program, units, request, &mut scratch, poll));
        let captures = found.map(|found| {
            found.then(|| {
                let (slots, last) = scratch.slots.split_at(self.program.groups * 2);
                Captures { slots: slots.into(), last_index: last.first().copied().filter(|&last| last != UNSET) }
            })
        });
        scratch.shrink();
        *self.scratch.lock() = Some(scratch);
        captures
    }

    /// `Pattern.search`, `match` or `fullmatch` in the whole subject.
    #[cfg(test)]
    pub(crate) fn find(&self, mode: Mode, subject: TextView<'_>, poll: &mut dyn FnMut() -> bool) -> Result<Option<Captures>, Interrupted> {
        self.run(subject, Request { mode, start: 0, end: subject.len(), must_advance: false }, poll)
    }
}

/// Where the matches of `finditer`, `findall`, `sub` and `split` are: each begins where the last one ended, and an
/// empty one does not repeat.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scan {
    request: Request,
    done: bool,
}

impl Scan {
    /// Scans `start..end`.
    pub(crate) fn new(mode: Mode, start: usize, end: usize) -> Self {
        Self { request: Request { mode, start, end, must_advance: false }, done: false }
    }

    /// The next match.
    pub(crate) fn next(&mut self, pattern: &Pattern, subject: TextView<'_>, poll: &mut dyn FnMut() -> bool) -> Result<Option<Captures>, Interrupted> {
        if self.done {
            return Ok(None);
        }
        let found = pattern.run(subject, self.request, poll)?;
        match &found {
            Some(captures) => {
                let (start, end) = captures.span();
                self.request.start = end;
                self.request.must_advance = start == end;
            }
            None => self.done = true,
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
