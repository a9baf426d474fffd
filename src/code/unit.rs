//! A compiled unit: what one module body, function body, class body or comprehension compiles to. It is immutable, knows no objects and
//! is shared by interpreters; each makes its own constants and caches from it at the first call.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};

use super::instruction::Word;
use super::marshal::{Image, Listed};
use super::symbol::Symbol;

/// One compiled scope: what is known of it before it runs, and its body.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    /// `__name__`: `<module>`, `<lambda>`, `<listcomp>` … or the function's or class's name.
    pub name: Symbol,
    /// `__qualname__`.
    pub qualname: Symbol,
    /// The file's name as given to the compiler.
    pub filename: Symbol,
    /// The line where it starts (that of the first decorator, if any), from 1.
    pub first_line: u32,
    /// What kind of scope and function it is.
    pub flags: UnitFlags,
    /// All else; reached by dereferencing.
    body: OnceLock<Box<Body>>,
    /// Where the body is read from when it is first asked for; of units of the library that is in the program.
    image: Option<Image>,
}

/// What a unit runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Body {
    /// Positional-only parameters.
    pub n_positional_only: u16,
    /// All positional parameters, positional-only ones included.
    pub n_positional: u16,
    /// Keyword-only parameters.
    pub n_keyword_only: u16,
    /// Names of the locals, by register: positional parameters, keyword-only ones, `*args`, `**kwargs`, then other variables and cells.
    pub locals: Vec<Symbol>,
    /// For each local, whether it holds a cell (after its `MakeCell`).
    pub is_cell: Vec<bool>,
    /// Names of the free variables, by index into the function's closure.
    pub free: Vec<Symbol>,
    /// How many registers a window has: the locals, then the temporaries.
    pub n_registers: u16,
    /// Constants; a function's docstring is the first one when `flags.has_docstring`.
    pub(crate) constants: Listing<Constant>,
    /// For each site, its name. Each site has an inline cache of its own.
    pub(crate) sites: Listing<Symbol>,
    /// The functions and classes made in this unit.
    pub functions: Vec<FunctionSite>,
    /// The code.
    pub(crate) code: Listing<Word>,
    /// The exception table, innermost rows first: the first row that covers an instruction decides.
    pub handlers: Vec<Handler>,
    /// Positions, by instruction.
    pub positions: LineTable,
}

impl Unit {
    /// A unit that is all there.
    pub(crate) fn new(name: Symbol, qualname: Symbol, filename: Symbol, first_line: u32, flags: UnitFlags, body: Body) -> Self {
        Self { name, qualname, filename, first_line, flags, body: OnceLock::from(Box::new(body)), image: None }
    }

    /// A unit whose body is read when it is needed.
    pub(super) fn waiting(name: Symbol, qualname: Symbol, filename: Symbol, first_line: u32, flags: UnitFlags, image: Image) -> Self {
        Self { name, qualname, filename, first_line, flags, body: OnceLock::new(), image: Some(image) }
    }

    /// Whether the body has not been read yet.
    pub(crate) fn is_waiting(&self) -> bool {
        self.body.get().is_none()
    }

    /// What it runs. To be kept in a variable where more than one part is asked for.
    #[inline]
    pub(crate) fn body(&self) -> &Body {
        self.body.get_or_init(|| Box::new(self.read_body()))
    }

    #[cold]
    fn read_body(&self) -> Body {
        match &self.image {
            Some(image) => image.body(&self.filename),
            None => Body::default(),
        }
    }
}

impl Deref for Unit {
    type Target = Body;
    #[inline]
    fn deref(&self) -> &Body {
        self.body()
    }
}

impl DerefMut for Unit {
    fn deref_mut(&mut self) -> &mut Body {
        self.body();
        self.body.get_mut().expect("it has just been read")
    }
}

/// A list of a body. One of the library stays in the image: an interpreter makes values of its items once, and hardly anybody looks at it again.
#[derive(Debug, Clone)]
pub(crate) struct Listing<T> {
    items: OnceLock<Vec<T>>,
    image: Option<Image>,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self { items: OnceLock::new(), image: None }
    }
}

impl<T> From<Vec<T>> for Listing<T> {
    fn from(items: Vec<T>) -> Self {
        Self { items: OnceLock::from(items), image: None }
    }
}

impl<T: Listed> Listing<T> {
    /// A list that is read when somebody looks at it.
    pub(super) fn waiting(image: Image) -> Self {
        Self { items: OnceLock::new(), image: Some(image) }
    }

    /// How many items there are.
    pub(crate) fn len(&self) -> usize {
        match (self.items.get(), &self.image) {
            (None, Some(image)) => image.n_listed(),
            (items, _) => items.map_or(0, Vec::len),
        }
    }

    /// Calls `visit` with each item, and keeps none.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&T)) {
        match (self.items.get(), &self.image) {
            (None, Some(image)) => image.for_each_listed(|item| visit(&item)),
            (items, _) => items.into_iter().flatten().for_each(visit),
        }
    }

    fn items(&self) -> &Vec<T> {
        self.items.get_or_init(|| {
            let mut items = Vec::with_capacity(self.len());
            if let Some(image) = &self.image {
                image.for_each_listed(|item| items.push(item));
            }
            items
        })
    }
}

impl Listing<Word> {
    /// One of the words, without keeping all of them.
    pub(crate) fn word(&self, place: usize) -> Option<Word> {
        match (self.items.get(), &self.image) {
            (None, Some(image)) => image.word_listed(place),
            (items, _) => items?.get(place).copied(),
        }
    }
}

impl<T: Listed> Deref for Listing<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        self.items()
    }
}

impl<T: Listed> DerefMut for Listing<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.items();
        self.items.get_mut().map_or(&mut [], Vec::as_mut_slice)
    }
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
    /// Bytes that it takes, those of the functions in it included, about; of a unit of the library only its own.
    pub(crate) fn heap_size(&self) -> usize {
        let names = self.locals.len() + self.free.len() + self.sites.len();
        let own = self.code.len() * 12 + self.positions.size() * 32 + self.constants.len() * 48 + names * 64 + self.handlers.len() * 32 + 800;
        if self.image.is_some() {
            return own;
        }
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
    Str(Symbol),
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
    runs: OnceLock<Runs>,
    /// Where it is read from when it is first asked for.
    image: Option<Image>,
}

/// What a table consists of.
#[derive(Debug, Default, Clone)]
pub(super) struct Runs {
    pub(super) rows: Vec<(u32, Position)>,
    /// Lines of statements that have no instruction, by the instruction that follows: trace functions are told of them.
    pub(super) silent: Vec<(u32, u32)>,
}

impl Runs {
    /// Notes that instructions from `pc` on come from `position`. Calls come in the order of `pc`.
    pub(super) fn push(&mut self, pc: u32, position: Position) {
        match self.rows.last_mut() {
            Some((_, last)) if *last == position => {}
            Some((start, last)) if *start == pc => *last = position,
            _ => self.rows.push((pc, position)),
        }
    }
}

impl LineTable {
    /// A table that is read when it is needed.
    pub(super) fn waiting(image: Image) -> Self {
        Self { runs: OnceLock::new(), image: Some(image) }
    }

    /// A table that is all there.
    pub(super) fn of(runs: Runs) -> Self {
        Self { runs: OnceLock::from(runs), image: None }
    }

    fn runs(&self) -> &Runs {
        self.runs.get_or_init(|| self.image.as_ref().map_or_else(Runs::default, Image::lines))
    }

    fn runs_mut(&mut self) -> &mut Runs {
        self.runs();
        self.runs.get_mut().expect("they have just been read")
    }

    /// Notes that instructions from `pc` on come from `position`. Calls come in the order of `pc`.
    pub(crate) fn push(&mut self, pc: u32, position: Position) {
        self.runs_mut().push(pc, position);
    }

    /// Notes a line without an instruction, before the one at `pc`. Calls come in the order of `pc`.
    pub(crate) fn push_silent(&mut self, pc: u32, line: u32) {
        self.runs_mut().silent.push((pc, line));
    }

    /// The lines without instructions.
    pub(crate) fn silent(&self) -> &[(u32, u32)] {
        &self.runs().silent
    }

    /// The lines without instructions that stand before the instruction at `pc`.
    pub(crate) fn silent_before(&self, pc: u32) -> &[(u32, u32)] {
        let silent = self.silent();
        let start = silent.partition_point(|(at, _)| *at < pc);
        let end = silent.partition_point(|(at, _)| *at <= pc);
        &silent[start..end]
    }

    /// How many runs there are in memory.
    fn size(&self) -> usize {
        if self.image.is_some() { 0 } else { self.rows().len() }
    }

    /// The position of the instruction at `pc`.
    pub(crate) fn position(&self, pc: u32) -> Position {
        let rows = self.rows();
        let after = rows.partition_point(|(start, _)| *start <= pc);
        after.checked_sub(1).map_or_else(Position::default, |row| rows[row].1)
    }

    /// The line that the instruction at `pc` belongs to: its own, or for what the compiler added that of what stands before it. 0 when there is none.
    pub(crate) fn line(&self, pc: u32) -> u32 {
        let rows = self.rows();
        let after = rows.partition_point(|(start, _)| *start <= pc);
        rows[..after].iter().rev().map(|(_, position)| position.line).find(|&line| line != 0).unwrap_or(0)
    }

    /// The table with each position changed.
    pub(crate) fn moved(&self, change: impl Fn(Position) -> Position) -> Self {
        let line = |line: u32| change(Position { line, end_line: line, ..Position::default() }).line;
        Self::of(Runs {
            rows: self.rows().iter().map(|(pc, position)| (*pc, change(*position))).collect(),
            silent: self.silent().iter().map(|&(pc, silent)| (pc, line(silent))).collect(),
        })
    }

    /// All runs: the first instruction and its position.
    pub(crate) fn rows(&self) -> &[(u32, Position)] {
        &self.runs().rows
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
