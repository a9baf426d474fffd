//! From instructions with labels to a finished unit: registers, constants, sites, jumps, the exception table and positions.
//!
//! Temporaries are a stack: [`Assembler::top`] is the first free one. Code that cannot be reached is not emitted: after a jump, a
//! return or a raise, [`Assembler::emit`] does nothing until a label that something jumps to is placed.
//!
//! The assembler also knows which locals are surely bound ([`Assembler::bound`], the first 128 of them): reading such a local needs no
//! instruction of its own. Labels carry this knowledge along jumps.

use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};
use scrip_grammar::LineIndex;
use scrip_grammar::ast::Span;

use super::names::Name;
use super::scope::ScopeId;
use crate::code::instruction::{Instruction, Word};
use crate::code::symbol::Symbol;
use crate::code::unit::{Constant, FunctionSite, Handler, HandlerKind, LineTable, Position};

/// The place of what the compiler adds itself.
pub(super) const NOWHERE: Span = Span { start: u32::MAX, end: u32::MAX };

/// A place to jump to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label(u32);

#[derive(Debug, Clone, Copy)]
struct LabelState {
    /// The instruction, or `UNPLACED`.
    target: u32,
    is_used: bool,
    /// Locals that are bound on every jump to it so far.
    bound: u128,
}

const UNPLACED: u32 = u32::MAX;

/// A guarded stretch of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RegionId(u32);

#[derive(Debug, Clone, Copy)]
struct Region {
    handler: Label,
    kind: HandlerKind,
    depth: u32,
    /// Where the current range starts; `UNPLACED` while suspended.
    start: u32,
}

/// One unit under construction.
pub(super) struct Assembler {
    pub(super) scope: ScopeId,
    code: Vec<Word>,
    spans: Vec<(u32, Span)>,
    labels: Vec<LabelState>,
    fixups: Vec<(u32, Label)>,
    /// Where the last label was placed.
    last_target: u32,
    regions: Vec<Region>,
    rows: Vec<(Region, u32)>,
    /// Statements that have no instruction of their own (`try`, `pass`), with the one that follows.
    silent: Vec<(u32, Span)>,
    /// Stretches that run rarely, in order.
    cold: Vec<(u32, u32)>,
    cold_depth: u32,
    pub(super) constants: Vec<Constant>,
    constant_ids: FxHashMap<u64, u32>,
    pub(super) sites: Vec<Symbol>,
    global_sites: FxHashMap<Name, u32>,
    pub(super) functions: Vec<FunctionSite>,
    pub(super) n_locals: u32,
    /// The first free temporary.
    pub(super) top: u32,
    n_registers: u32,
    /// Locals that are surely bound here.
    pub(super) bound: u128,
    /// Locals that may become unbound again.
    pub(super) unstable: u128,
    pub(super) reachable: bool,
}

/// What [`Assembler::finish`] gives.
pub(super) struct Assembled {
    pub(super) code: Vec<Word>,
    pub(super) handlers: Vec<Handler>,
    pub(super) positions: LineTable,
    pub(super) n_registers: u16,
}

/// The most registers of a unit, some being left for what a call adds.
const MAX_REGISTERS: u32 = 60_000;
const MAX_INDEX: usize = (1 << 24) - 2;

impl Assembler {
    pub(super) fn new(scope: ScopeId, n_locals: u32, unstable: u128) -> Self {
        Self {
            scope,
            code: Vec::with_capacity(32),
            spans: Vec::with_capacity(32),
            silent: Vec::new(),
            labels: Vec::new(),
            fixups: Vec::new(),
            last_target: UNPLACED,
            regions: Vec::new(),
            rows: Vec::new(),
            cold: Vec::new(),
            cold_depth: 0,
            constants: Vec::new(),
            constant_ids: FxHashMap::default(),
            sites: Vec::new(),
            global_sites: FxHashMap::default(),
            functions: Vec::new(),
            n_locals,
            top: n_locals,
            n_registers: n_locals,
            bound: 0,
            unstable,
            reachable: true,
        }
    }

    // ---- instructions

    pub(super) fn emit(&mut self, instruction: Instruction, span: Span) {
        if !self.reachable {
            return;
        }
        let pc = self.code.len() as u32;
        match self.spans.last() {
            Some((_, last)) if *last == span => {}
            _ => self.spans.push((pc, span)),
        }
        self.code.push(instruction.encode());
    }

    /// Emits a jump, whose `target` operand is filled in later.
    pub(super) fn jump(&mut self, instruction: Instruction, target: Label, span: Span) {
        if !self.reachable {
            return;
        }
        self.fixups.push((self.code.len() as u32, target));
        let state = &mut self.labels[target.0 as usize];
        state.is_used = true;
        state.bound &= self.bound;
        self.emit(instruction, span);
        if matches!(instruction, Instruction::Jump { .. }) {
            self.reachable = false;
        }
    }

    /// Notes that execution does not go on after the last instruction.
    pub(super) fn end_of_flow(&mut self) {
        self.reachable = false;
    }

    pub(super) fn label(&mut self) -> Label {
        self.labels.push(LabelState { target: UNPLACED, is_used: false, bound: u128::MAX });
        Label(self.labels.len() as u32 - 1)
    }

    /// Places a label that is jumped to from before.
    pub(super) fn place(&mut self, label: Label) {
        let pc = self.code.len() as u32;
        // A jump to what follows it anyway is dropped.
        if let Some(&(at, target)) = self.fixups.last()
            && target == label
            && at + 1 == pc
            && !self.reachable
            && self.is_plain_jump(at)
            && self.last_target != pc
            && self.cold.last().is_none_or(|cold| cold.1 != pc)
            && self.rows.last().is_none_or(|(_, end)| *end <= at)
            && self.regions.iter().all(|region| region.start != pc)
        {
            self.fixups.pop();
            self.code.pop();
            while self.spans.last().is_some_and(|(start, _)| *start >= at) {
                self.spans.pop();
            }
            self.reachable = true;
            self.bound = u128::MAX;
            let state = &mut self.labels[label.0 as usize];
            state.target = at;
            self.bound &= state.bound;
            self.last_target = at;
            return;
        }
        let state = &mut self.labels[label.0 as usize];
        state.target = pc;
        self.last_target = pc;
        if state.is_used {
            self.bound = if self.reachable { self.bound & state.bound } else { state.bound };
            self.reachable = true;
        }
    }

    fn is_plain_jump(&self, at: u32) -> bool {
        matches!(Instruction::decode(self.code[at as usize]), Some(Instruction::Jump { .. }))
    }

    /// Places a label that is jumped back to: the head of a loop.
    pub(super) fn place_head(&mut self, label: Label) {
        self.forget_unstable();
        self.place(label);
    }

    /// What was assigned before a loop may be deleted in it.
    pub(super) fn forget_unstable(&mut self) {
        self.bound &= !self.unstable;
    }

    pub(super) fn is_used(&self, label: Label) -> bool {
        self.labels[label.0 as usize].is_used
    }

    // ---- registers

    /// Takes the next temporary.
    pub(super) fn push(&mut self) -> u32 {
        let register = self.top;
        self.set_top(register + 1);
        register
    }

    /// Makes `top` the first free temporary.
    pub(super) fn set_top(&mut self, top: u32) {
        self.top = top;
        self.n_registers = self.n_registers.max(top);
    }

    /// Notes that the instruction to come uses registers up to `end`.
    pub(super) fn reserve(&mut self, end: u32) {
        self.n_registers = self.n_registers.max(end);
    }

    pub(super) fn is_local(&self, register: u32) -> bool {
        register < self.n_locals
    }

    pub(super) fn is_bound(&self, local: u32) -> bool {
        !self.reachable || local < 128 && self.bound >> local & 1 == 1
    }

    pub(super) fn set_bound(&mut self, local: u32) {
        if local < 128 {
            self.bound |= 1 << local;
        }
    }

    pub(super) fn set_unbound(&mut self, local: u32) {
        if local < 128 {
            self.bound &= !(1 << local);
        }
    }

    // ---- guarded stretches

    pub(super) fn open(&mut self, handler: Label, kind: HandlerKind, depth: u32) -> RegionId {
        self.regions.push(Region { handler, kind, depth, start: self.code.len() as u32 });
        RegionId(self.regions.len() as u32 - 1)
    }

    /// Leaves the stretch, until it is resumed or for good.
    pub(super) fn suspend(&mut self, id: RegionId) {
        let pc = self.code.len() as u32;
        let region = &mut self.regions[id.0 as usize];
        let row = *region;
        region.start = UNPLACED;
        if row.start < pc {
            self.labels[row.handler.0 as usize].is_used = true;
            self.rows.push((row, pc));
        }
    }

    pub(super) fn resume(&mut self, id: RegionId) {
        self.regions[id.0 as usize].start = self.code.len() as u32;
    }

    /// Starts a handler: only reachable if something is guarded by it. `bound` is what was bound where the stretch started.
    pub(super) fn place_handler(&mut self, handler: Label, bound: u128) {
        debug_assert!(!self.reachable, "a handler is entered by exceptions only");
        let used = self.is_used(handler);
        let state = &mut self.labels[handler.0 as usize];
        state.target = self.code.len() as u32;
        self.last_target = state.target;
        self.reachable = used;
        self.bound = bound & !self.unstable;
    }

    /// What follows, up to [`Self::end_cold`], runs rarely and is moved to the unit's end. It is entered by jumps and exceptions only.
    pub(super) fn start_cold(&mut self) {
        debug_assert!(!self.reachable, "cold code is not run into");
        if self.cold_depth == 0 {
            self.cold.push((self.code.len() as u32, UNPLACED));
        }
        self.cold_depth += 1;
    }

    pub(super) fn end_cold(&mut self) {
        debug_assert!(!self.reachable, "cold code does not run on");
        self.cold_depth -= 1;
        if self.cold_depth == 0
            && let Some(last) = self.cold.last_mut()
        {
            last.1 = self.code.len() as u32;
        }
    }

    /// Moves the cold stretches behind the others.
    fn move_cold(&mut self) {
        self.cold.retain(|(start, end)| start < end);
        if self.cold.is_empty() {
            return;
        }
        let n_instructions = self.code.len() as u32;
        // The stretches in their new order.
        let mut order = Vec::with_capacity(self.cold.len() * 2 + 1);
        let mut next = 0;
        for &(start, end) in &self.cold {
            order.push((next, start));
            next = end;
        }
        order.push((next, n_instructions));
        // A label at the very end needs the last hot stretch, which is never empty: a unit ends by leaving it.
        order.extend(&self.cold);
        order.retain(|(start, end)| start < end);
        // The jumps over cold code that are not needed any more: they go to where they stand.
        let mut dropped = Vec::new();
        let mut previous_end = 0;
        for &(start, end) in &self.cold {
            // What stands before a stretch may be another one: then it does not run on to what follows.
            let is_after_hot = start > previous_end;
            previous_end = end;
            let Some(at) = start.checked_sub(1).filter(|_| is_after_hot) else { continue };
            if let Ok(index) = self.fixups.binary_search_by_key(&at, |fixup| fixup.0)
                && self.is_plain_jump(at)
                && self.labels[self.fixups[index].1.0 as usize].target == end
            {
                dropped.push(at);
            }
        }
        let mut moved = vec![0; n_instructions as usize + 1];
        let mut code = Vec::with_capacity(self.code.len());
        for &(start, end) in &order {
            for pc in start..end {
                moved[pc as usize] = code.len() as u32;
                if dropped.binary_search(&pc).is_err() {
                    code.push(self.code[pc as usize]);
                }
            }
        }
        moved[n_instructions as usize] = code.len() as u32;
        let mut spans = Vec::with_capacity(self.spans.len() + order.len());
        for &(start, end) in &order {
            let first = self.spans.partition_point(|span| span.0 <= start) - 1;
            for &(pc, span) in self.spans[first..].iter().take_while(|span| span.0 < end) {
                spans.push((moved[pc.max(start) as usize], span));
            }
        }
        let mut rows = Vec::with_capacity(self.rows.len());
        for &(region, row_end) in &self.rows {
            for &(start, end) in &order {
                let (from, to) = (region.start.max(start), row_end.min(end));
                if from >= to {
                    continue;
                }
                let last = moved[to as usize - 1];
                let to = last + u32::from(dropped.binary_search(&(to - 1)).is_err());
                let from = moved[from as usize];
                if from < to {
                    rows.push((Region { start: from, ..region }, to));
                }
            }
        }
        for label in &mut self.labels {
            if label.target != UNPLACED {
                label.target = moved[label.target as usize];
            }
        }
        self.fixups.retain(|fixup| dropped.binary_search(&fixup.0).is_err());
        for fixup in &mut self.fixups {
            fixup.0 = moved[fixup.0 as usize];
        }
        self.fixups.sort_unstable_by_key(|fixup| fixup.0);
        for (pc, _) in &mut self.silent {
            *pc = moved[*pc as usize];
        }
        self.silent.sort_by_key(|(pc, _)| *pc);
        (self.code, self.spans, self.rows) = (code, spans, rows);
    }

    /// Where a statement begins: what [`Self::silent_statement`] wants to know.
    pub(super) fn statement_start(&self) -> (u32, usize) {
        (self.code.len() as u32, self.silent.len())
    }

    /// Notes a statement that began there and has no instruction of its own. Statements inside it may have been noted already.
    pub(super) fn silent_statement(&mut self, start: (u32, usize), span: Span) {
        self.silent.insert(start.1, (start.0, span));
    }

    // ---- tables

    /// The number of a constant. Constants are equal when their types are too: `1`, `True` and `1.0` are three, as `0.0` and `-0.0` are two.
    pub(super) fn constant(&mut self, constant: Constant) -> u32 {
        let mut hasher = FxHasher::default();
        hash_constant(&constant, &mut hasher);
        let hash = hasher.finish();
        if let Some(&index) = self.constant_ids.get(&hash)
            && is_same(&self.constants[index as usize], &constant)
        {
            return index;
        }
        let index = self.constants.len() as u32;
        self.constants.push(constant);
        self.constant_ids.insert(hash, index);
        index
    }

    /// A site of its own.
    pub(super) fn site(&mut self, name: Symbol) -> u32 {
        self.sites.push(name);
        self.sites.len() as u32 - 1
    }

    /// The site of a global, shared by all that read it.
    pub(super) fn global_site(&mut self, name: Name, text: impl FnOnce() -> Symbol) -> u32 {
        let sites = &mut self.sites;
        *self.global_sites.entry(name).or_insert_with(|| {
            sites.push(text());
            sites.len() as u32 - 1
        })
    }

    /// Fills in the jumps and makes the tables; `Err` says what is too large.
    pub(super) fn finish(&mut self, lines: &LineIndex) -> Result<Assembled, &'static str> {
        debug_assert!(!self.reachable, "a unit ends by leaving it");
        if self.n_registers > MAX_REGISTERS {
            return Err("too many variables and values in one function");
        }
        let tables = [self.constants.len(), self.sites.len(), self.functions.len()];
        if tables.iter().any(|&len| len > MAX_INDEX) {
            return Err("too many constants or names in one function");
        }
        self.move_cold();
        for index in 0..self.fixups.len() {
            let (at, label) = self.fixups[index];
            let mut target = self.labels[label.0 as usize].target;
            // A jump to a jump goes where that one goes; the count guards against endless loops of jumps.
            for _ in 0..8 {
                let Some(&word) = self.code.get(target as usize) else { break };
                if !matches!(Instruction::decode(word), Some(Instruction::Jump { .. })) {
                    break;
                }
                let Ok(fixup) = self.fixups.binary_search_by_key(&target, |fixup| fixup.0) else {
                    break;
                };
                target = self.labels[self.fixups[fixup].1.0 as usize].target;
            }
            debug_assert!(target != UNPLACED, "every label that is jumped to is placed");
            let offset = i64::from(target) - i64::from(at) - 1;
            let word = i32::try_from(offset).ok().and_then(|offset| self.code[at as usize].with_jump(offset));
            self.code[at as usize] = word.ok_or("a function is too long")?;
        }
        let handlers = (self.rows.iter())
            .map(|(region, end)| Handler {
                start: region.start,
                end: *end,
                target: self.labels[region.handler.0 as usize].target,
                depth: region.depth as u16,
                kind: region.kind,
            })
            .collect();
        let mut positions = LineTable::default();
        let mut cursor = Cursor { lines, line: 1, start: 0, end: 0 };
        for &(pc, span) in &self.spans {
            positions.push(pc, cursor.position(span));
        }
        for &(pc, span) in &self.silent {
            let line = lines.line(span.start);
            if positions.position(pc).line != line {
                positions.push_silent(pc, line);
            }
        }
        Ok(Assembled { code: std::mem::take(&mut self.code), handlers, positions, n_registers: self.n_registers as u16 })
    }
}

/// Turns spans into positions; most stand on the same line as the one before.
struct Cursor<'a> {
    lines: &'a LineIndex,
    line: u32,
    start: u32,
    end: u32,
}

impl Cursor<'_> {
    fn position(&mut self, span: Span) -> Position {
        if span == NOWHERE {
            return Position::default();
        }
        let (line, column) = self.locate(span.start);
        let (end_line, end_column) = if span.end < self.end { (line, span.end - self.start) } else { self.lines.position(span.end) };
        Position { line, end_line, column, end_column }
    }

    fn locate(&mut self, offset: u32) -> (u32, u32) {
        if !(self.start..self.end).contains(&offset) {
            self.line = self.lines.line(offset);
            self.start = self.lines.start(self.line).unwrap_or(0);
            self.end = self.lines.start(self.line + 1).unwrap_or(u32::MAX);
        }
        (self.line, offset - self.start)
    }
}

fn hash_constant(constant: &Constant, hasher: &mut FxHasher) {
    std::mem::discriminant(constant).hash(hasher);
    match constant {
        Constant::None | Constant::Ellipsis => {}
        Constant::Bool(value) => value.hash(hasher),
        Constant::Int(value) => value.hash(hasher),
        Constant::BigInt(digits) => digits.hash(hasher),
        Constant::Float(value) => value.to_bits().hash(hasher),
        Constant::Complex(real, imaginary) => (real.to_bits(), imaginary.to_bits()).hash(hasher),
        Constant::Str(text) => text.hash(hasher),
        Constant::CodePoints(points) => points.hash(hasher),
        Constant::Bytes(bytes) => bytes.hash(hasher),
        Constant::Tuple(items) | Constant::FrozenSet(items) => {
            items.len().hash(hasher);
            items.iter().for_each(|item| hash_constant(item, hasher));
        }
    }
}

/// Whether two constants are the same in type and value.
fn is_same(a: &Constant, b: &Constant) -> bool {
    match (a, b) {
        (Constant::Float(a), Constant::Float(b)) => a.to_bits() == b.to_bits(),
        (Constant::Complex(ar, ai), Constant::Complex(br, bi)) => (ar.to_bits(), ai.to_bits()) == (br.to_bits(), bi.to_bits()),
        (Constant::Tuple(a), Constant::Tuple(b)) | (Constant::FrozenSet(a), Constant::FrozenSet(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        _ => a == b,
    }
}
