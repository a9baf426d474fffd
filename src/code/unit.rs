//! A compiled unit: what one module body, function body, class body or comprehension compiles to. It is immutable, knows no objects and
//! is shared by interpreters; each makes its own constants and caches from it at the first call.

use std::sync::Arc;

use super::instruction::Word;

/// One compiled scope.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    /// `__name__`: `<module>`, `<lambda>`, `<listcomp>` … or the function's or class's name.
    pub name: Arc<str>,
    /// `__qualname__`.
    pub qualname: Arc<str>,
    /// The file's name as given to the compiler.
    pub filename: Arc<str>,
    /// The line where it starts (that of the first decorator, if any), from 1.
    pub first_line: u32,
    /// What kind of scope and function it is.
    pub flags: UnitFlags,
    /// Positional-only parameters.
    pub n_positional_only: u16,
    /// All positional parameters, positional-only ones included.
    pub n_positional: u16,
    /// Keyword-only parameters.
    pub n_keyword_only: u16,
    /// Names of the locals, by register: positional parameters, keyword-only ones, `*args`, `**kwargs`, then other variables and cells.
    pub locals: Vec<Arc<str>>,
    /// For each local, whether it holds a cell (after its `MakeCell`).
    pub is_cell: Vec<bool>,
    /// Names of the free variables, by index into the function's closure.
    pub free: Vec<Arc<str>>,
    /// How many registers a window has: the locals, then the temporaries.
    pub n_registers: u16,
    /// Constants; a function's docstring is the first one when `flags.has_docstring`.
    pub(crate) constants: Vec<Constant>,
    /// For each site, its name. Each site has an inline cache of its own.
    pub sites: Vec<Arc<str>>,
    /// The functions and classes made in this unit.
    pub functions: Vec<FunctionSite>,
    /// The code.
    pub code: Vec<Word>,
    /// The exception table, innermost rows first: the first row that covers an instruction decides.
    pub handlers: Vec<Handler>,
    /// Positions, by instruction.
    pub positions: LineTable,
}

/// What a unit is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct UnitFlags {
    /// Locals live in registers (functions, comprehensions); otherwise in a namespace (modules, class bodies, `exec`).
    pub is_function: bool,
    /// Has `*args`.
    pub has_varargs: bool,
    /// Has `**kwargs`.
    pub has_varkeywords: bool,
    /// Contains `yield` and is no coroutine.
    pub is_generator: bool,
    /// `async def` without `yield`, or a module body that awaits.
    pub is_coroutine: bool,
    /// `async def` with `yield`.
    pub is_async_generator: bool,
    /// Is inside another function.
    pub is_nested: bool,
    /// A class body.
    pub is_class_body: bool,
    /// The first constant is the docstring.
    pub has_docstring: bool,
    /// Compiled with `from __future__ import annotations`.
    pub future_annotations: bool,
    /// A generator expression, lambda or comprehension: shown by its `<…>` name.
    pub is_anonymous: bool,
}

impl Unit {
    /// Bytes that it takes, those of the functions in it included, about.
    pub(crate) fn heap_size(&self) -> usize {
        let names = self.locals.len() + self.free.len() + self.sites.len();
        let own = self.code.len() * 12 + self.positions.rows().len() * 32 + self.constants.len() * 48 + names * 64 + self.handlers.len() * 32 + 800;
        own + self.functions.iter().map(|site| site.unit.heap_size()).sum::<usize>()
    }
}

impl UnitFlags {
    /// Calling it makes an object that is resumed.
    pub(crate) fn is_resumable(self) -> bool {
        self.is_generator || self.is_coroutine || self.is_async_generator
    }
}

/// A place that makes a function.
#[derive(Debug, Clone)]
pub(crate) struct FunctionSite {
    /// Its code.
    pub unit: Arc<Unit>,
    /// Whether `MakeFunction`'s base holds a tuple of defaults.
    pub has_defaults: bool,
    /// … a dict of keyword defaults.
    pub has_keyword_defaults: bool,
    /// … a dict of annotations.
    pub has_annotations: bool,
    /// Where each cell of its closure comes from, in the order of `unit.free`.
    pub captures: Vec<Capture>,
}

/// Where a cell of a closure comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capture {
    /// The cell in a local of the frame that makes the function.
    Local(u16),
    /// A cell of that frame's own closure.
    Free(u16),
}

/// A plain constant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Constant {
    /// `None`
    None,
    /// `...`
    Ellipsis,
    /// `True`, `False`
    Bool(bool),
    /// A number that fits.
    Int(i64),
    /// A larger one: decimal digits, or `0x` and hexadecimal ones; a `-` in front of a negative one.
    BigInt(Box<str>),
    /// A float.
    Float(f64),
    /// A complex number: real and imaginary part.
    Complex(f64, f64),
    /// A string without lone surrogates.
    Str(Arc<str>),
    /// A string with lone surrogates: its code points.
    CodePoints(Box<[u32]>),
    /// A `bytes`.
    Bytes(Box<[u8]>),
    /// A tuple of constants.
    Tuple(Box<[Constant]>),
    /// A frozenset of constants (`x in {1, 2}`).
    FrozenSet(Box<[Constant]>),
}

/// Why a handler is there: a stop skips `except` clauses and runs the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandlerKind {
    /// `except` and `except*` clauses.
    Except,
    /// A `finally` clause, or the clean-up the compiler adds (an `except … as` name, a generator's exit).
    Finally,
    /// The exit of a `with`.
    With,
}

/// A row of the exception table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handler {
    /// The first instruction covered.
    pub start: u32,
    /// The first one after it that is not.
    pub end: u32,
    /// Where the handler starts (a `PushHandled`).
    pub target: u32,
    /// The first temporary that is released on the way.
    pub depth: u16,
    /// What it is for.
    pub kind: HandlerKind,
}

/// Where an instruction comes from. Lines count from 1, columns are UTF-8 bytes from 0; a line of 0 means that there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Position {
    /// First line.
    pub line: u32,
    /// Last line.
    pub end_line: u32,
    /// Column of the start.
    pub column: u32,
    /// Column after the end.
    pub end_column: u32,
}

/// The positions of a unit's instructions: runs of instructions that share one.
#[derive(Debug, Default, Clone)]
pub(crate) struct LineTable {
    rows: Vec<(u32, Position)>,
    /// Lines of statements that have no instruction, by the instruction that follows: trace functions are told of them.
    silent: Vec<(u32, u32)>,
}

impl LineTable {
    /// Notes that instructions from `pc` on come from `position`. Calls come in the order of `pc`.
    pub(crate) fn push(&mut self, pc: u32, position: Position) {
        match self.rows.last_mut() {
            Some((_, last)) if *last == position => {}
            Some((start, last)) if *start == pc => *last = position,
            _ => self.rows.push((pc, position)),
        }
    }

    /// Notes a line without an instruction, before the one at `pc`. Calls come in the order of `pc`.
    pub(crate) fn push_silent(&mut self, pc: u32, line: u32) {
        self.silent.push((pc, line));
    }

    /// The lines without instructions.
    pub(crate) fn silent(&self) -> &[(u32, u32)] {
        &self.silent
    }

    /// The lines without instructions that stand before the instruction at `pc`.
    pub(crate) fn silent_before(&self, pc: u32) -> &[(u32, u32)] {
        let start = self.silent.partition_point(|(at, _)| *at < pc);
        let end = self.silent.partition_point(|(at, _)| *at <= pc);
        &self.silent[start..end]
    }

    /// The position of the instruction at `pc`.
    pub(crate) fn position(&self, pc: u32) -> Position {
        let after = self.rows.partition_point(|(start, _)| *start <= pc);
        after.checked_sub(1).map_or_else(Position::default, |row| self.rows[row].1)
    }

    /// The table with each position changed.
    pub(crate) fn moved(&self, change: impl Fn(Position) -> Position) -> Self {
        let line = |line: u32| change(Position { line, end_line: line, ..Position::default() }).line;
        Self {
            rows: self.rows.iter().map(|(pc, position)| (*pc, change(*position))).collect(),
            silent: self.silent.iter().map(|&(pc, silent)| (pc, line(silent))).collect(),
        }
    }

    /// All runs: the first instruction and its position.
    pub(crate) fn rows(&self) -> &[(u32, Position)] {
        &self.rows
    }
}
impl std::fmt::Debug for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match super::instruction::Instruction::decode(*self) {
            Some(instruction) => instruction.fmt(f),
            None => write!(f, "Word({:#x})", self.0),
        }
    }
}
