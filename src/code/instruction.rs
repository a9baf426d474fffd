//! The instructions: one row each, from which the encoding, the disassembly and the reference page follow.
//!
//! A frame's *window* is an array of registers. Registers below the unit's `n_locals` are **locals** (named variables
//! and cells); the others are **temporaries**.
//!
//! - **R1** Reading a local borrows it. Reading a temporary (a `Src` operand) *consumes* it: afterwards the register holds
//!   no reference. A `Keep` operand is read and left as it is.
//! - **R2** A temporary is written only while it is dead, so writing one releases nothing. Writing a local releases what it
//!   held, after the new value is in place.
//! - **R3** An unassigned local holds the word `UNBOUND`. Every instruction that reads a local raises
//!   `UnboundLocalError` when it finds that word, so there is no separate check.
//! - **R4** When an exception is raised, all temporaries at or above the handler's `depth` are released before the handler runs.
//!   A handler stands after all that it covers.
//! - **R5** Sources are consumed before the destination is written: an instruction may write the register it read.
//! - **R6** Jump offsets count instructions from the one after the jump. A jump backwards looks at the breaker.
//!
//! Encoding: `op` bits 0–7, `a` 8–23, `b` 24–39, `c` 40–63; where a row has a `k` operand, `c` is `d` (bits 40–55) and `k` is
//! bits 56–63.

/// One encoded instruction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(pub u64);

const _: () = assert!(size_of::<Word>() == 8);

impl Word {
    /// The operation.
    #[inline(always)]
    pub(crate) fn opcode_byte(self) -> u8 {
        self.0 as u8
    }
    /// Operand `a`.
    #[inline(always)]
    pub(crate) fn a(self) -> u16 {
        (self.0 >> 8) as u16
    }
    /// Operand `b`.
    #[inline(always)]
    pub(crate) fn b(self) -> u16 {
        (self.0 >> 24) as u16
    }
    /// Operand `c`, 24 bits, unsigned.
    #[inline(always)]
    pub(crate) fn c(self) -> u32 {
        (self.0 >> 40) as u32
    }
    /// Operand `c`, 24 bits, signed: a jump offset.
    #[inline(always)]
    pub(crate) fn jump(self) -> i32 {
        ((self.0 as i64) >> 40) as i32
    }
    /// Operand `d`: the low 16 bits of `c`.
    #[inline(always)]
    pub(crate) fn d(self) -> u16 {
        (self.0 >> 40) as u16
    }
    /// Operand `k`: the high 8 bits of `c`.
    #[inline(always)]
    pub(crate) fn k(self) -> u8 {
        (self.0 >> 56) as u8
    }
    /// The same instruction with another `c`; `None` when it does not fit in 24 bits.
    #[must_use]
    pub(crate) fn with_jump(self, offset: i32) -> Option<Self> {
        if !(-(1 << 23)..1 << 23).contains(&offset) {
            return None;
        }
        Some(Self(self.0 & 0xFF_FFFF_FFFF | (u64::from(offset as u32) & 0xFF_FFFF) << 40))
    }
}

/// What an operand is: its type in [`Instruction`], and how the disassembly shows it.
macro_rules! operand_type {
    (Dst) => {
        u16
    };
    (Src) => {
        u16
    };
    (Keep) => {
        u16
    };
    (InOut) => {
        u16
    };
    (Base) => {
        u16
    };
    (Count) => {
        u16
    };
    (Free) => {
        u16
    };
    (Imm) => {
        i16
    };
    (Kind) => {
        u8
    };
    (Const) => {
        u32
    };
    (Site) => {
        u32
    };
    (Function) => {
        u32
    };
    (Jump) => {
        i32
    };
}

macro_rules! put {
    (a, $v:expr) => {
        (u64::from($v as u16)) << 8
    };
    (b, $v:expr) => {
        (u64::from($v as u16)) << 24
    };
    (c, $v:expr) => {
        (u64::from($v as u32) & 0xFF_FFFF) << 40
    };
    (d, $v:expr) => {
        (u64::from($v as u16)) << 40
    };
    (k, $v:expr) => {
        (u64::from($v as u8)) << 56
    };
}

macro_rules! take {
    (Jump, $p:ident, $w:expr) => {
        $w.jump()
    };
    (Imm, a, $w:expr) => {
        $w.a() as i16
    };
    (Imm, b, $w:expr) => {
        $w.b() as i16
    };
    (Imm, d, $w:expr) => {
        $w.d() as i16
    };
    ($kind:ident, $p:ident, $w:expr) => {
        $w.$p()
    };
}

/// How an operand is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OperandKind {
    /// A register that is written.
    Dst,
    /// A register that is read, and consumed when it is a temporary.
    Src,
    /// A register that is read and left as it is.
    Keep,
    /// A register that is read and written.
    InOut,
    /// The first of several consecutive temporaries; the row says how many and what becomes of them.
    Base,
    /// A number of registers.
    Count,
    /// An index into the function's closure.
    Free,
    /// A small number.
    Imm,
    /// Which of several forms.
    Kind,
    /// An index into the unit's constants.
    Const,
    /// An index into the unit's sites: a name, and an inline cache of its own.
    Site,
    /// An index into the unit's function sites.
    Function,
    /// A jump offset.
    Jump,
}

macro_rules! instructions {
    ($($(#[doc = $doc:literal])+ $name:ident { $($field:ident : $kind:ident @ $pos:ident),* $(,)? },)+) => {
        /// The operations, in the table's order.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "the rows of the table say what each does")]
        pub(crate) enum Opcode { $($name),+ }

        /// An instruction before it is encoded; the assembler's input and the disassembler's output.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs, reason = "an operand's name and kind say what it is")]
        pub(crate) enum Instruction { $($(#[doc = $doc])+ $name { $($field: operand_type!($kind)),* }),+ }

        impl Instruction {
            /// The instruction as one word.
            #[allow(clippy::cast_lossless, reason = "the macro casts operands of every width alike")]
            pub(crate) fn encode(self) -> Word {
                match self {
                    $(Self::$name { $($field),* } => Word(Opcode::$name as u64 $(| put!($pos, $field))*)),+
                }
            }

            /// The instruction that `word` encodes; `None` for an unknown operation.
            pub(crate) fn decode(word: Word) -> Option<Self> {
                const ROWS: &[fn(Word) -> Instruction] = &[
                    $({ fn row(_word: Word) -> Instruction { Instruction::$name { $($field: take!($kind, $pos, _word)),* } } row }),+
                ];
                ROWS.get(usize::from(word.opcode_byte())).map(|row| row(word))
            }

            /// The operation's name and its operands: name, kind, value.
            pub(crate) fn parts(self) -> (&'static str, Vec<(&'static str, OperandKind, i64)>) {
                match self {
                    $(Self::$name { $($field),* } => (stringify!($name), vec![$((stringify!($field), OperandKind::$kind, i64::from($field))),*])),+
                }
            }
        }

        /// Every row: name, what it does.
        #[cfg(test)]
        pub(crate) const ROWS: &[(&str, &str)] = &[$((stringify!($name), concat!($($doc, "\n"),+))),+];

        /// How many operations there are.
        #[cfg(test)]
        pub(crate) const N_OPCODES: usize = ROWS.len();
    };
}

instructions! {
    // ---- registers and constants
    /// `dst` = the constant at `index`.
    LoadConst { dst: Dst @ a, index: Const @ c },
    /// `dst` = `src`.
    Move { dst: Dst @ a, src: Src @ b },
    /// `dst` = `src`, which stays as it is even when it is a temporary.
    Copy { dst: Dst @ a, src: Keep @ b },
    /// Release the temporary `src`.
    Release { src: Src @ a },
    /// `del` of a local: it becomes unbound; raises `UnboundLocalError` when it is already.
    DeleteLocal { local: InOut @ a },
    /// A local becomes unbound, whether it was bound or not (end of `except … as`).
    ClearLocal { local: InOut @ a },
    /// A local becomes a new cell that holds what the local held (or nothing, when it was unbound).
    MakeCell { local: InOut @ a },
    /// `dst` = what the cell in local `cell` holds; raises `UnboundLocalError` for an empty one.
    LoadCell { dst: Dst @ a, cell: Keep @ b },
    /// The cell in local `cell` holds `src` from now on.
    StoreCell { cell: Keep @ a, src: Src @ b },
    /// The cell in local `cell` becomes empty; raises `UnboundLocalError` when it is already.
    DeleteCell { cell: Keep @ a },
    /// `dst` = what the closure's cell `free` holds; raises `NameError` for an empty one.
    LoadFree { dst: Dst @ a, free: Free @ b },
    /// The closure's cell `free` holds `src` from now on.
    StoreFree { free: Free @ a, src: Src @ b },
    /// The closure's cell `free` becomes empty; raises `NameError` when it is already.
    DeleteFree { free: Free @ a },
    /// `dst` = the name in the class body's namespace, else what the closure's cell `free` holds.
    LoadFreeOrName { dst: Dst @ a, free: Free @ b, site: Site @ c },
    /// Like `LoadFreeOrName` with a cell of this frame's own (a class body inside PEP 695 scopes), in local `cell`.
    LoadCellOrName { dst: Dst @ a, cell: Keep @ b, site: Site @ c },

    // ---- names
    /// `dst` = the global or built-in of that name.
    LoadGlobal { dst: Dst @ a, site: Site @ c },
    /// The global of that name = `src`.
    StoreGlobal { src: Src @ a, site: Site @ c },
    /// Delete the global of that name.
    DeleteGlobal { site: Site @ c },
    /// `dst` = the name in the frame's namespace (class body, module, `exec`), else the global or built-in.
    LoadName { dst: Dst @ a, site: Site @ c },
    /// The name in the frame's namespace = `src`.
    StoreName { src: Src @ a, site: Site @ c },
    /// Delete the name from the frame's namespace.
    DeleteName { site: Site @ c },

    /// `base` = the name in the mapping in `base` (consumed: a class body's namespace), else the global or built-in. For PEP 695 scopes in a class.
    LoadMappingOrGlobal { base: InOut @ a, site: Site @ c },
    /// `base` = the name in the mapping in `base` (consumed: a class body's namespace), else what the closure's cell `free` holds.
    LoadMappingOrFree { base: InOut @ a, free: Free @ b, site: Site @ c },

    // ---- attributes and items
    /// `dst` = the attribute of `object`.
    LoadAttribute { dst: Dst @ a, object: Src @ b, site: Site @ c },
    /// The attribute of `object` = `src`.
    StoreAttribute { object: Src @ a, src: Src @ b, site: Site @ c },
    /// Delete the attribute of `object`.
    DeleteAttribute { object: Src @ a, site: Site @ c },
    /// For a `CallMethod` to come: `base` = the function and `base + 1` = `object`, when the attribute is a method of its type;
    /// else `base` = the attribute's value and `base + 1` = `UNBOUND`.
    LoadMethod { base: Dst @ a, object: Src @ b, site: Site @ c },
    /// `super().name`: `base` holds `super` as looked up, `base + 1` the `__class__` cell's value, `base + 2` the first argument; all are
    /// consumed; the attribute lands in `base`. When `super` is not the built-in one it is called with the two.
    /// `k` = 1 for the zero-argument form, 2 when the two were written out.
    LoadSuperAttribute { base: InOut @ a, form: Imm @ b, site: Site @ c },
    /// `LoadSuperAttribute` for a `CallMethod` to come: results as `LoadMethod`'s, in `base` and `base + 1`.
    LoadSuperMethod { base: InOut @ a, form: Imm @ b, site: Site @ c },
    /// `dst` = `object[key]`.
    GetItem { dst: Dst @ a, object: Src @ b, key: Src @ d },
    /// `dst` = `object[index]` with a small constant index.
    GetItemImm { dst: Dst @ a, object: Src @ b, index: Imm @ d },
    /// `dst` = `object[start:stop]`, with `start` in `base` and `stop` in `base + 1` (both consumed; `None` where left out).
    GetSlice { dst: Dst @ a, object: Src @ b, base: Base @ d },
    /// `object[key]` = `src`.
    SetItem { object: Src @ a, key: Src @ b, src: Src @ d },
    /// Delete `object[key]`.
    DeleteItem { object: Src @ a, key: Src @ b },

    // ---- arithmetic; `k` bit 0: the augmented form (`+=`), which tries `__iadd__` first
    /// `dst` = `left + right`.
    Add { dst: Dst @ a, left: Src @ b, right: Src @ d, k: Kind @ k },
    /// `dst` = `left - right`.
    Subtract { dst: Dst @ a, left: Src @ b, right: Src @ d, k: Kind @ k },
    /// `dst` = `left * right`.
    Multiply { dst: Dst @ a, left: Src @ b, right: Src @ d, k: Kind @ k },
    /// `dst` = `left / right`.
    TrueDivide { dst: Dst @ a, left: Src @ b, right: Src @ d, k: Kind @ k },
    /// `dst` = `left // right`.
    FloorDivide { dst: Dst @ a, left: Src @ b, right: Src @ d, k: Kind @ k },
    /// `dst` = `left % right`.
    Modulo { dst: Dst @ a, left: Src @ b, right: Src @ d, k: Kind @ k },
    /// `dst` = `left & right`.
    And { dst: Dst @ a, left: Src @ b, right: Src @ d, k: Kind @ k },
    /// `dst` = `left | right`.
    Or { dst: Dst @ a, left: Src @ b, right: Src @ d, k: Kind @ k },
    /// `dst` = `left ^ right`.
    Xor { dst: Dst @ a, left: Src @ b, right: Src @ d, k: Kind @ k },
    /// `dst` = `left << right`.
    ShiftLeft { dst: Dst @ a, left: Src @ b, right: Src @ d, k: Kind @ k },
    /// `dst` = `left >> right`.
    ShiftRight { dst: Dst @ a, left: Src @ b, right: Src @ d, k: Kind @ k },
    /// `dst` = `left ** right`.
    Power { dst: Dst @ a, left: Src @ b, right: Src @ d, k: Kind @ k },
    /// `dst` = `left @ right`.
    MatrixMultiply { dst: Dst @ a, left: Src @ b, right: Src @ d, k: Kind @ k },
    /// `dst` = `left + right`, a small constant.
    AddImm { dst: Dst @ a, left: Src @ b, right: Imm @ d, k: Kind @ k },
    /// `dst` = `left - right`, a small constant.
    SubtractImm { dst: Dst @ a, left: Src @ b, right: Imm @ d, k: Kind @ k },
    /// `dst` = `left * right`, a small constant.
    MultiplyImm { dst: Dst @ a, left: Src @ b, right: Imm @ d, k: Kind @ k },
    /// `dst` = `left // right`, a small constant.
    FloorDivideImm { dst: Dst @ a, left: Src @ b, right: Imm @ d, k: Kind @ k },
    /// `dst` = `left % right`, a small constant.
    ModuloImm { dst: Dst @ a, left: Src @ b, right: Imm @ d, k: Kind @ k },
    /// `dst` = `left & right`, a small constant.
    AndImm { dst: Dst @ a, left: Src @ b, right: Imm @ d, k: Kind @ k },
    /// `dst` = `left << right`, a small constant.
    ShiftLeftImm { dst: Dst @ a, left: Src @ b, right: Imm @ d, k: Kind @ k },
    /// `dst` = `left >> right`, a small constant.
    ShiftRightImm { dst: Dst @ a, left: Src @ b, right: Imm @ d, k: Kind @ k },
    /// `dst` = `-src`.
    Negate { dst: Dst @ a, src: Src @ b },
    /// `dst` = `+src`.
    Plus { dst: Dst @ a, src: Src @ b },
    /// `dst` = `~src`.
    Invert { dst: Dst @ a, src: Src @ b },
    /// `dst` = `not src`.
    Not { dst: Dst @ a, src: Src @ b },
    /// `dst` = `left OP right`; `k` is a [`Comparison`].
    Compare { dst: Dst @ a, left: Src @ b, right: Src @ d, k: Kind @ k },

    // ---- jumps
    /// Go to `target`.
    Jump { target: Jump @ c },
    /// Go to `target` if `src` is true.
    JumpIfTrue { src: Src @ a, target: Jump @ c },
    /// Go to `target` if `src` is false.
    JumpIfFalse { src: Src @ a, target: Jump @ c },
    /// If the temporary `src` is true, go to `target` and keep it; else consume it.
    JumpIfTrueKeep { src: InOut @ a, target: Jump @ c },
    /// If the temporary `src` is false, go to `target` and keep it; else consume it.
    JumpIfFalseKeep { src: InOut @ a, target: Jump @ c },
    /// Go to `target` if `src` is `None`.
    JumpIfNone { src: Src @ a, target: Jump @ c },
    /// Go to `target` if `src` is not `None`.
    JumpIfNotNone { src: Src @ a, target: Jump @ c },
    /// Go to `target` if `left` is the same object as `right`.
    JumpIfIs { left: Src @ a, right: Src @ b, target: Jump @ c },
    /// Go to `target` if `left` is not the same object as `right`.
    JumpIfIsNot { left: Src @ a, right: Src @ b, target: Jump @ c },
    /// Go to `target` if `left in right`.
    JumpIfIn { left: Src @ a, right: Src @ b, target: Jump @ c },
    /// Go to `target` unless `left in right`.
    JumpIfNotIn { left: Src @ a, right: Src @ b, target: Jump @ c },
    /// Go to `target` if `left < right`.
    JumpIfLess { left: Src @ a, right: Src @ b, target: Jump @ c },
    /// Go to `target` unless `left < right`.
    JumpIfNotLess { left: Src @ a, right: Src @ b, target: Jump @ c },
    /// Go to `target` if `left <= right`.
    JumpIfLessEqual { left: Src @ a, right: Src @ b, target: Jump @ c },
    /// Go to `target` unless `left <= right`.
    JumpIfNotLessEqual { left: Src @ a, right: Src @ b, target: Jump @ c },
    /// Go to `target` if `left > right`.
    JumpIfGreater { left: Src @ a, right: Src @ b, target: Jump @ c },
    /// Go to `target` unless `left > right`.
    JumpIfNotGreater { left: Src @ a, right: Src @ b, target: Jump @ c },
    /// Go to `target` if `left >= right`.
    JumpIfGreaterEqual { left: Src @ a, right: Src @ b, target: Jump @ c },
    /// Go to `target` unless `left >= right`.
    JumpIfNotGreaterEqual { left: Src @ a, right: Src @ b, target: Jump @ c },
    /// Go to `target` if `left == right`.
    JumpIfEqual { left: Src @ a, right: Src @ b, target: Jump @ c },
    /// Go to `target` unless `left == right`.
    JumpIfNotEqual { left: Src @ a, right: Src @ b, target: Jump @ c },
    /// Go to `target` if `left != right` (`__ne__` is asked).
    JumpIfDiffers { left: Src @ a, right: Src @ b, target: Jump @ c },
    /// Go to `target` unless `left != right` (`__ne__` is asked).
    JumpIfNotDiffers { left: Src @ a, right: Src @ b, target: Jump @ c },
    /// Go to `target` if `left < right`, a small constant.
    JumpIfLessImm { left: Src @ a, right: Imm @ b, target: Jump @ c },
    /// Go to `target` unless `left < right`, a small constant.
    JumpIfNotLessImm { left: Src @ a, right: Imm @ b, target: Jump @ c },
    /// Go to `target` if `left <= right`, a small constant.
    JumpIfLessEqualImm { left: Src @ a, right: Imm @ b, target: Jump @ c },
    /// Go to `target` unless `left <= right`, a small constant.
    JumpIfNotLessEqualImm { left: Src @ a, right: Imm @ b, target: Jump @ c },
    /// Go to `target` if `left > right`, a small constant.
    JumpIfGreaterImm { left: Src @ a, right: Imm @ b, target: Jump @ c },
    /// Go to `target` unless `left > right`, a small constant.
    JumpIfNotGreaterImm { left: Src @ a, right: Imm @ b, target: Jump @ c },
    /// Go to `target` if `left >= right`, a small constant.
    JumpIfGreaterEqualImm { left: Src @ a, right: Imm @ b, target: Jump @ c },
    /// Go to `target` unless `left >= right`, a small constant.
    JumpIfNotGreaterEqualImm { left: Src @ a, right: Imm @ b, target: Jump @ c },
    /// Go to `target` if `left == right`, a small constant.
    JumpIfEqualImm { left: Src @ a, right: Imm @ b, target: Jump @ c },
    /// Go to `target` unless `left == right`, a small constant.
    JumpIfNotEqualImm { left: Src @ a, right: Imm @ b, target: Jump @ c },
    /// Go to `target` if `left != right`, a small constant.
    JumpIfDiffersImm { left: Src @ a, right: Imm @ b, target: Jump @ c },
    /// Go to `target` unless `left != right`, a small constant.
    JumpIfNotDiffersImm { left: Src @ a, right: Imm @ b, target: Jump @ c },

    // ---- loops
    /// `dst` = `iter(src)`.
    GetIterator { dst: Dst @ a, src: Src @ b },
    /// `dst` = the next item of `iterator`, which is kept; at its end, release it and go to `target`.
    ForIter { dst: Dst @ a, iterator: InOut @ b, target: Jump @ c },
    /// The bottom of such a loop: `dst` = the next item of `iterator`, which is kept, and go to `target` (back); at its end, release it and go on.
    LoopIter { dst: Dst @ a, iterator: InOut @ b, target: Jump @ c },
    /// Start of a `for` over a call of the name `range`: `base` holds the callable, `argc` (1 to 3) arguments follow; all are consumed. With the
    /// built-in `range` and small numbers, `base` = the first number, `base + 1` = how many, `base + 2` = the step. Otherwise `base` =
    /// `iter(callable(…))`, `base + 1` = `UNBOUND`. Three temporaries are kept in either case (`argc` may need one more).
    RangeStart { base: InOut @ a, argc: Count @ b },
    /// The step of such a loop: `dst` = the next item, or, at the end, release `base` and go to `target`.
    ForRange { dst: Dst @ a, base: InOut @ b, target: Jump @ c },

    /// The bottom of such a loop: `dst` = the next item and go to `target` (back); at the end, release `base` and go on.
    LoopRange { dst: Dst @ a, base: InOut @ b, target: Jump @ c },

    // ---- calls
    /// Call `base` with the `argc` arguments after it (`base + 1` …), the last of which are named by the tuple of names at constant
    /// `names - 1` (0: none). All are consumed; the result lands in the temporary `base`.
    Call { base: InOut @ a, argc: Count @ b, names: Const @ c },
    /// Call what `LoadMethod` left in `base` and `base + 1`, with `argc` arguments from `base + 2` on, named as in `Call`. All are consumed; the result lands in `base`.
    CallMethod { base: InOut @ a, argc: Count @ b, names: Const @ c },
    /// Call `base` with the items of `base + 1` as positional arguments and, when `has_names` is 1, the dict in `base + 2` as named ones; all consumed; result in `base`.
    /// `base + 1` is a tuple, or whatever stood behind the only `*`: an iterable (the error for anything else has a call's words).
    CallSpread { base: InOut @ a, has_names: Count @ b },
    /// Leave the frame with `src` as the result.
    Return { src: Src @ a },
    /// Leave the frame with a constant as the result.
    ReturnConst { index: Const @ c },
    /// `dst` = a function made of a function site. `base`: as the site's flags say, the tuple of defaults, the dict of keyword
    /// defaults, the dict of annotations, the tuple of type parameters, consumed in this order.
    MakeFunction { dst: Dst @ a, base: Base @ b, function: Function @ c },

    // ---- generators and coroutines
    /// Give `src` to whoever resumed this frame; what is sent on resumption lands in `dst`.
    Yield { dst: Dst @ a, src: Src @ b },
    /// Send `value` (consumed) to `iterator` (kept). If it yields, its item lands in `value`. If it returns, its
    /// result lands in `value`, `iterator` is released and execution goes to `target`.
    Send { value: InOut @ a, iterator: InOut @ b, target: Jump @ c },
    /// Give `value` on behalf of `iterator`; what is sent lands in `value`. While suspended here, `throw` and `close` go to `iterator`
    /// first; if that ends it with a result, the result lands in `value`, `iterator` is released and execution goes to `target`.
    YieldFrom { value: InOut @ a, iterator: InOut @ b, target: Jump @ c },
    /// `dst` = the iterator that `await src` drives; `k`: 0 `await`, 1 `async with` entry, 2 its exit (for the error's words).
    GetAwaitable { dst: Dst @ a, src: Src @ b, k: Kind @ k },
    /// `dst` = what `yield from src` drives (a coroutine is allowed only inside one).
    GetYieldFromIterator { dst: Dst @ a, src: Src @ b },
    /// `dst` = `src.__aiter__()`.
    GetAsyncIterator { dst: Dst @ a, src: Src @ b },
    /// `dst` = the awaitable's iterator of `iterator.__anext__()`; `iterator` is kept.
    GetAsyncNext { dst: Dst @ a, iterator: Keep @ b },
    /// In the handler of an `async for`: `exception` is a `StopAsyncIteration`: consume it (and go on); else raise it again (see `Reraise`).
    EndAsyncFor { exception: Src @ a, previous: Src @ b },

    // ---- building
    /// `dst` = a tuple of the `count` values from `base` on (consumed).
    BuildTuple { dst: Dst @ a, base: Base @ b, count: Count @ d },
    /// `dst` = a list of the `count` values from `base` on (consumed).
    BuildList { dst: Dst @ a, base: Base @ b, count: Count @ d },
    /// `dst` = a set of the `count` values from `base` on (consumed).
    BuildSet { dst: Dst @ a, base: Base @ b, count: Count @ d },
    /// `dst` = a dict of the `count` pairs key, value from `base` on (consumed).
    BuildDict { dst: Dst @ a, base: Base @ b, count: Count @ d },
    /// `dst` = the `count` strings from `base` on, joined (consumed).
    BuildString { dst: Dst @ a, base: Base @ b, count: Count @ d },
    /// `dst` = a slice of `base`, `base + 1`, `base + 2` (consumed).
    BuildSlice { dst: Dst @ a, base: Base @ b },
    /// Append `src` to the list `list` (kept).
    ListAppend { list: Keep @ a, src: Src @ b },
    /// Add `src` to the set `set` (kept).
    SetAdd { set: Keep @ a, src: Src @ b },
    /// `dict[key] = value`, with `dict` kept.
    DictSet { dict: Keep @ a, key: Src @ b, value: Src @ d },
    /// Extend the list `list` (kept) by an iterable (`[*src]`); `k` = 1 words the error as a call's (`f(*src)`: the callable is in `list - 1`).
    ListExtend { list: Keep @ a, src: Src @ b, k: Kind @ k },
    /// Add the items of an iterable to the set `set` (kept).
    SetUpdate { set: Keep @ a, src: Src @ b },
    /// Update the dict `dict` (kept) from a mapping (`{**src}`).
    DictUpdate { dict: Keep @ a, src: Src @ b },
    /// Add the keyword arguments of the mapping `src` to the dict `dict` (kept) for a call of `callable` (kept), refusing what is not a string or already there.
    DictMerge { dict: Keep @ a, src: Src @ b, callable: Keep @ d },
    /// `dst` = the tuple of the list `src`'s items.
    ListToTuple { dst: Dst @ a, src: Src @ b },
    /// `dst` = `src` as an f-string shows it; `k` is a [`Conversion`].
    FormatSimple { dst: Dst @ a, src: Src @ b, k: Kind @ k },
    /// `dst` = `format(src, spec)` after the [`Conversion`] `k`.
    FormatWithSpec { dst: Dst @ a, src: Src @ b, spec: Src @ d, k: Kind @ k },
    /// The `count` items of `src` land in the temporaries from `base` on.
    UnpackSequence { base: Base @ a, src: Src @ b, count: Count @ d },
    /// `first, …, *rest, …, last = src`: `before` items, a list, then `k` items land in the temporaries from `base` on.
    UnpackStarred { base: Base @ a, src: Src @ b, before: Count @ d, k: Kind @ k },

    // ---- exceptions
    /// Raise: `count` 0 the handled exception again, 1 `base`, 2 `base` from `base + 1` (consumed).
    Raise { base: Base @ a, count: Count @ b },
    /// First instruction of a handler: the raised exception becomes the handled one and lands in `exception`; what was handled before lands in `previous`.
    PushHandled { previous: Dst @ a, exception: Dst @ b },
    /// End of a handler: what was handled before it (consumed) is handled again.
    PopHandled { previous: Src @ a },
    /// `exception` (consumed) goes on, without a new traceback entry for this frame, after `previous` (consumed) is handled again.
    Reraise { exception: Src @ a, previous: Src @ b },
    /// Go to `target` unless `exception` (kept) is an instance of `class`, an exception class or a tuple of them.
    JumpIfNotMatch { exception: Keep @ a, class: Src @ b, target: Jump @ c },
    /// `except*`: `matched` = the part of the group `exception` that matches `class`, or `None`; `exception` = the rest, or `None`.
    MatchGroup { matched: Dst @ a, exception: InOut @ b, class: Src @ d },
    /// End of a `try … except*`: `dst` = what has to be raised of the list of raised ones in `raised` (consumed), given the original exception (kept), or `None`. The last
    /// item of the list is what no clause matched, or `None`.
    GroupRest { dst: Dst @ a, original: Keep @ b, raised: Src @ d },
    /// `dst` = `AssertionError`.
    LoadAssertionError { dst: Dst @ a },
    /// Enter a context manager: `base`, `base + 1` = `__exit__` as `LoadMethod` leaves it; `base + 2`, `base + 3` = `__enter__` likewise (a `CallMethod` follows). `k` = 1: the asynchronous ones.
    SetupWith { base: Dst @ a, manager: Src @ b, k: Kind @ k },
    /// For the call of `__exit__` in a handler: `base`, `base + 1`, `base + 2` = class, value and traceback of `exception` (kept).
    LoadExceptionTriple { base: Dst @ a, exception: Keep @ b },

    // ---- pattern matching
    /// `dst` = whether `subject` (kept) is a sequence for `match`.
    MatchSequence { dst: Dst @ a, subject: Keep @ b },
    /// `dst` = whether `subject` (kept) is a mapping for `match`.
    MatchMapping { dst: Dst @ a, subject: Keep @ b },
    /// `dst` = the tuple of the values of `subject` (kept) at the tuple `keys`, or `None` when one is missing.
    MatchKeys { dst: Dst @ a, subject: Keep @ b, keys: Src @ d },
    /// `dst` = the tuple of attributes that a class pattern asks of `subject` (kept), or `None`. `base` = the class, `base + 1` = the number of positional patterns, `base + 2` = the tuple of keyword names (consumed).
    MatchClass { dst: Dst @ a, subject: Keep @ b, base: Base @ d },
    /// `dst` = `len(src)`, with `src` kept.
    GetLen { dst: Dst @ a, src: Keep @ b },
    /// `dst` = a dict of the mapping `src` (kept) less the keys in the tuple `keys` (consumed): `**rest`.
    MatchRest { dst: Dst @ a, src: Keep @ b, keys: Src @ d },

    // ---- modules, classes and the rest
    /// `dst` = `__import__(name, …, fromlist, level)`; `base` = the level, `base + 1` = the tuple of names or `None` (consumed).
    ImportName { dst: Dst @ a, base: Base @ b, site: Site @ c },
    /// `dst` = the attribute of the module in `module` (kept), else its submodule; raises `ImportError`.
    ImportFrom { dst: Dst @ a, module: Keep @ b, site: Site @ c },
    /// `from module import *` into the frame's namespace.
    ImportStar { module: Src @ a },
    /// `dst` = `__build_class__`.
    LoadBuildClass { dst: Dst @ a },
    /// `dst` = the frame's namespace (class bodies).
    LoadLocals { dst: Dst @ a },
    /// Make `__annotations__` in the frame's namespace unless it is there.
    SetupAnnotations { },
    /// One of the rare operations on one value; `k` is an [`Intrinsic`].
    Intrinsic { dst: Dst @ a, src: Src @ b, k: Kind @ k },
    /// One of the rare operations on two values, `base` and `base + 1` (consumed); `k` is a [`Intrinsic`].
    Intrinsic2 { dst: Dst @ a, base: Base @ b, k: Kind @ k },
    /// Nothing; looks at the breaker.
    Nop { },

    // ---- quickened forms, written over others at run time by the VM only
    /// `LoadAttribute` of a slot of a plain instance; the site's cache holds shape and slot.
    LoadAttributeSlot { dst: Dst @ a, object: Src @ b, site: Site @ c },
    /// Stands for any other, whose operands it keeps, in code that is traced (`sys.settrace`): the VM tells of it, and puts it back for one time.
    Traced { },
    /// `StoreAttribute` to a slot of a plain instance that has it.
    StoreAttributeSlot { object: Src @ a, src: Src @ b, site: Site @ c },
    /// `LoadMethod` of a function of a plain instance's class; the cache holds shape and the index of the function.
    LoadMethodCached { base: Dst @ a, object: Src @ b, site: Site @ c },
    /// `LoadMethod` of a function or native method of the object's type, whose instances have no attributes of their own; the cache holds the type's
    /// version and the index of the function.
    LoadMethodType { base: Dst @ a, object: Src @ b, site: Site @ c },
    /// `LoadMethod` of a module's attribute; the cache holds the version of its namespace and the entry's place.
    LoadMethodModule { base: Dst @ a, object: Src @ b, site: Site @ c },
    /// `LoadMethod` of a class's attribute; the cache holds the class's version, and which entry of which class of its MRO it is.
    LoadMethodClass { base: Dst @ a, object: Src @ b, site: Site @ c },
    /// `LoadAttribute` of a module.
    LoadAttributeModule { dst: Dst @ a, object: Src @ b, site: Site @ c },
    /// `LoadAttribute` of a class.
    LoadAttributeClass { dst: Dst @ a, object: Src @ b, site: Site @ c },
    /// `LoadAttribute` of a plain instance whose class has the attribute; the cache holds the shape, and the entry as in `LoadMethodClass`.
    LoadAttributeShared { dst: Dst @ a, object: Src @ b, site: Site @ c },
    /// `LoadAttribute` of a plain instance whose class has a property of that name with a plain function to get it; the cache holds the shape, and the
    /// entry as in `LoadMethodClass`.
    LoadAttributeProperty { dst: Dst @ a, object: Src @ b, site: Site @ c },
    /// `StoreAttribute` that gives a plain instance an attribute more; the cache holds its shape before and after.
    StoreAttributeAdd { object: Src @ a, src: Src @ b, site: Site @ c },
    /// `LoadGlobal` whose cache holds the version of the globals and the entry's place.
    LoadGlobalCached { dst: Dst @ a, site: Site @ c },
}

/// `Compare`'s forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the operators'")]
pub(crate) enum Comparison {
    Less,
    LessEqual,
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Is,
    IsNot,
    In,
    NotIn,
}

impl Comparison {
    /// All, in the order of their numbers.
    pub(crate) const ALL: [Self; 10] =
        [Self::Less, Self::LessEqual, Self::Equal, Self::NotEqual, Self::Greater, Self::GreaterEqual, Self::Is, Self::IsNot, Self::In, Self::NotIn];
}

/// What an f-string does to a value before formatting it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Conversion {
    /// Nothing.
    None,
    /// `!s`
    Str,
    /// `!r`
    Repr,
    /// `!a`
    Ascii,
}

/// The operations of `Intrinsic` and `Intrinsic2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Intrinsic {
    /// `sys.displayhook(src)`: the value of an expression statement at the prompt. The result is `None`.
    PrintExpression,
    /// A `TypeVar` of the name `src`.
    TypeVar,
    /// A `ParamSpec` of the name `src`.
    ParamSpec,
    /// A `TypeVarTuple` of the name `src`.
    TypeVarTuple,
    /// `Generic[*src]` of a tuple of type parameters.
    SubscriptGeneric,
    /// A `TypeAliasType` of the tuple (name, type parameters or `None`, function that computes the value).
    TypeAlias,
    /// Two values: a `TypeVar` of a name, with the function that computes its bound.
    TypeVarWithBound,
    /// Two values: a `TypeVar` of a name, with the function that computes its constraints.
    TypeVarWithConstraints,
    /// Two values: a type parameter with the function that computes its default (the result is the parameter).
    SetTypeParamDefault,
    /// Two values: a function and its tuple of type parameters (the result is the function).
    SetFunctionTypeParams,
    /// The type check of `async` comprehension sources and the like is elsewhere; this is `tuple(src)` for `*args` in subscripts.
    ToTuple,
}

impl Intrinsic {
    /// All, in the order of their numbers.
    pub(crate) const ALL: [Self; 11] = [
        Self::PrintExpression,
        Self::TypeVar,
        Self::ParamSpec,
        Self::TypeVarTuple,
        Self::SubscriptGeneric,
        Self::TypeAlias,
        Self::TypeVarWithBound,
        Self::TypeVarWithConstraints,
        Self::SetTypeParamDefault,
        Self::SetFunctionTypeParams,
        Self::ToTuple,
    ];
}
