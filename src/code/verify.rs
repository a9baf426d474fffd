//! Checks that a unit keeps the rules of the table of instructions: indices and jumps are in range, temporaries are written while they are
//! dead and consumed once on every path, nothing is left when the frame is left, handlers start as they must, cells are cells where they
//! are used, a range loop's registers are its own. The VM relies on it.

use super::instruction::{Comparison, Instruction as I, Intrinsic, OperandKind};
use super::unit::{Capture, Constant, Unit};

/// Checks a unit, but not those inside it.
pub(crate) fn verify(unit: &Unit) -> Result<(), String> {
    let verifier = Verifier { unit, n_locals: unit.locals.len() as u32, n_registers: u32::from(unit.n_registers) };
    verifier.header()?;
    verifier.flow()
}

struct Verifier<'a> {
    unit: &'a Unit,
    n_locals: u32,
    n_registers: u32,
}

/// What is known at an instruction: a [`Kind`] for each temporary, then for each local whether its cell is made.
#[derive(Clone)]
struct State {
    temporaries: Vec<Kind>,
    cells: Vec<bool>,
}

/// What a temporary holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Dead,
    /// A reference to an object.
    Value,
    /// What `LoadMethod` leaves beside a function; only `CallMethod` may have it.
    Receiver,
    /// The first register of a range loop.
    Range,
    /// The others.
    RangeRest,
}

impl State {
    /// Whether nothing new is known where `state` comes to a handler that keeps `depth` temporaries.
    fn covers(&self, state: &Self, depth: usize) -> bool {
        self.temporaries[..depth] == state.temporaries[..depth] && self.cells.iter().zip(&state.cells).all(|(known, new)| !known || *new)
    }
}

/// Joins what is known on two ways; the result says whether that is less than was known before.
fn meet(known: &mut Option<State>, state: &mut State) -> Result<bool, String> {
    if let Some(known) = known {
        if known.temporaries != state.temporaries {
            return Err("the live temporaries depend on the way there".into());
        }
        // A cell is made for sure only if it is made on every way.
        let cells: Vec<bool> = known.cells.iter().zip(&state.cells).map(|(a, b)| *a && *b).collect();
        if known.cells == cells {
            return Ok(false);
        }
        state.cells = cells;
    }
    *known = Some(state.clone());
    Ok(true)
}

/// What an instruction does to registers, and where execution goes on.
#[derive(Default)]
struct Effect {
    consumed: Vec<(u32, u32)>,
    kept: Vec<u32>,
    written: Vec<(u32, u32)>,
    /// Temporaries that hold something else than a value after the instruction.
    special: Vec<(u32, Kind)>,
    /// The registers that are live only where it does not jump: they die on the jump (or the other way round).
    jump: Option<Edge>,
    ends: bool,
}

/// How the way of a jump differs from going on: registers that die and that are written on it; and on the other way.
#[derive(Default)]
struct Edge {
    offset: i32,
    dies: Vec<u32>,
    written: Vec<u32>,
    dies_else: Vec<u32>,
    written_else: Vec<u32>,
}

fn one(register: u16) -> (u32, u32) {
    (u32::from(register), 1)
}

fn some(base: u16, count: u32) -> (u32, u32) {
    (u32::from(base), count)
}

impl Verifier<'_> {
    fn header(&self) -> Result<(), String> {
        let unit = self.unit;
        let n_parameters = usize::from(unit.n_positional)
            + usize::from(unit.n_keyword_only)
            + usize::from(unit.flags.has_varargs)
            + usize::from(unit.flags.has_varkeywords);
        if n_parameters > unit.locals.len()
            || unit.n_positional_only > unit.n_positional
            || unit.is_cell.len() != unit.locals.len()
            || self.n_registers < self.n_locals
        {
            return Err("the parameters, locals and registers do not fit each other".into());
        }
        if unit.flags.has_docstring && !matches!(unit.constants.first(), Some(Constant::Str(_) | Constant::CodePoints(_))) {
            return Err("the docstring is no string".into());
        }
        for site in &unit.functions {
            if site.captures.len() != site.unit.free.len() {
                return Err(format!("{} captures too few or too many", site.unit.qualname));
            }
            for capture in &site.captures {
                let fits = match capture {
                    Capture::Local(register) => unit.is_cell.get(usize::from(*register)) == Some(&true),
                    Capture::Free(index) => usize::from(*index) < unit.free.len(),
                };
                if !fits {
                    return Err(format!("{} captures what is no cell", site.unit.qualname));
                }
            }
        }
        for handler in &unit.handlers {
            let target = unit.code.get(handler.target as usize).and_then(|word| I::decode(*word));
            if !matches!(target, Some(I::PushHandled { .. })) {
                return Err(format!("the handler at {} does not start as one", handler.target));
            }
            if handler.start >= handler.end || handler.end as usize > unit.code.len() {
                return Err("a handler's range is out of the code".into());
            }
            // Only jumps backwards look at the breaker: a handler that stands before what it covers would be a loop that nothing ends.
            if handler.target < handler.end {
                return Err("a handler stands before what it covers".into());
            }
            if u32::from(handler.depth) < self.n_locals || u32::from(handler.depth) > self.n_registers {
                return Err("a handler's depth is no temporary".into());
            }
        }
        Ok(())
    }

    /// Follows all paths.
    fn flow(&self) -> Result<(), String> {
        let unit = self.unit;
        let start = State { temporaries: vec![Kind::Dead; (self.n_registers - self.n_locals) as usize], cells: vec![false; self.n_locals as usize] };
        // Only where ways meet is a state kept; the rest follows from it.
        let (meets, handlers) = self.meetings();
        let mut states: Vec<Option<State>> = vec![None; unit.code.len()];
        let mut todo = vec![(0_usize, start)];
        while let Some((start, mut state)) = todo.pop() {
            let mut pc = start;
            loop {
                let Some(word) = unit.code.get(pc) else {
                    return Err(format!("execution runs out of the code to {pc}"));
                };
                if meets[pc] && !meet(&mut states[pc], &mut state).map_err(|message| format!("{pc}: {message}"))? {
                    break;
                }
                let instruction = I::decode(*word).ok_or_else(|| format!("{pc}: an unknown operation"))?;
                self.operands(pc, instruction)?;
                if let Some(row) = handlers[pc] {
                    let handler = unit.handlers[row as usize];
                    let target = handler.target as usize;
                    let depth = (u32::from(handler.depth) - self.n_locals) as usize;
                    if states[target].as_ref().is_none_or(|known| !known.covers(&state, depth)) {
                        let mut below = state.clone();
                        below.temporaries[depth..].fill(Kind::Dead);
                        todo.push((target, below));
                    }
                }
                let goes_on = self.step(instruction, &mut state, pc, &mut todo).map_err(|message| format!("{pc}: {instruction:?}: {message}"))?;
                let leaves = matches!(instruction, I::Return { .. } | I::ReturnConst { .. });
                if leaves && state.temporaries.iter().any(|kind| *kind != Kind::Dead) {
                    return Err(format!("{pc}: temporaries are live where the frame is left"));
                }
                if !goes_on {
                    break;
                }
                pc += 1;
            }
        }
        Ok(())
    }

    /// Where several ways meet, and for each instruction the row of the exception table that covers it.
    fn meetings(&self) -> (Vec<bool>, Vec<Option<u32>>) {
        let unit = self.unit;
        let mut meets = vec![false; unit.code.len()];
        let mut handlers = vec![None; unit.code.len()];
        for (row, handler) in unit.handlers.iter().enumerate().rev() {
            meets[handler.target as usize] = true;
            handlers[handler.start as usize..handler.end as usize].fill(Some(row as u32));
        }
        for (pc, word) in unit.code.iter().enumerate() {
            let Some(instruction) = I::decode(*word) else { continue };
            let (_, operands) = instruction.parts();
            for (_, kind, offset) in operands {
                if kind == OperandKind::Jump
                    && let Some(meeting) = usize::try_from(pc as i64 + 1 + offset).ok().and_then(|at| meets.get_mut(at))
                {
                    *meeting = true;
                }
            }
        }
        (meets, handlers)
    }

    /// Does to `state` what an instruction does, and notes where execution goes on.
    fn step(&self, instruction: I, state: &mut State, pc: usize, todo: &mut Vec<(usize, State)>) -> Result<bool, String> {
        self.cells(instruction, state)?;
        let effect = self.effect(instruction);
        if let I::CallMethod { base, .. } = instruction {
            self.change(state, u32::from(base) + 1, Kind::Receiver, Kind::Value)?;
        }
        if let I::Release { src } = instruction
            && self.kind(state, u32::from(src)) == Some(Kind::Range)
        {
            self.end_range(state, u32::from(src))?;
            return Ok(true);
        }
        for (base, count) in effect.consumed {
            for register in base..base + count {
                self.change(state, register, Kind::Value, Kind::Dead)?;
            }
        }
        for register in effect.kept {
            self.change(state, register, Kind::Value, Kind::Value)?;
        }
        if let I::Call { base, .. } | I::CallMethod { base, .. } | I::CallSpread { base, .. } = instruction {
            // The callee's window begins at the arguments.
            let above = (u32::from(base) - self.n_locals) as usize;
            if state.temporaries[above..].iter().any(|kind| *kind != Kind::Dead) {
                return Err("there are live temporaries above the arguments".into());
            }
        }
        for (base, count) in effect.written {
            for register in base..base + count {
                self.change(state, register, Kind::Dead, Kind::Value)?;
            }
        }
        for (register, kind) in effect.special {
            self.change(state, register, Kind::Value, kind)?;
        }
        if let Some(edge) = effect.jump {
            let mut there = state.clone();
            let ways = [(&mut there, edge.dies, edge.written), (&mut *state, edge.dies_else, edge.written_else)];
            for (state, dies, written) in ways {
                for register in dies {
                    if matches!(instruction, I::ForRange { .. } | I::LoopRange { .. }) {
                        self.end_range(state, register)?;
                    } else {
                        self.change(state, register, Kind::Value, Kind::Dead)?;
                    }
                }
                for register in written {
                    self.change(state, register, Kind::Dead, Kind::Value)?;
                }
            }
            let target = pc as i64 + 1 + i64::from(edge.offset);
            todo.push((usize::try_from(target).map_err(|_| "jumps out of the code")?, there));
        }
        Ok(!effect.ends)
    }

    fn kind(&self, state: &State, register: u32) -> Option<Kind> {
        state.temporaries.get(register.checked_sub(self.n_locals)? as usize).copied()
    }

    /// A temporary that has to be of one kind becomes one of another. Locals may be read and written at any time.
    fn change(&self, state: &mut State, register: u32, from: Kind, to: Kind) -> Result<(), String> {
        if register < self.n_locals {
            return Ok(());
        }
        match state.temporaries.get_mut((register - self.n_locals) as usize) {
            Some(kind) if *kind == from => {
                *kind = to;
                Ok(())
            }
            Some(kind) => Err(format!("r{register} is {kind:?}, not {from:?}")),
            None => Err(format!("there is no r{register}")),
        }
    }

    fn end_range(&self, state: &mut State, base: u32) -> Result<(), String> {
        self.change(state, base, Kind::Range, Kind::Dead)?;
        self.change(state, base + 1, Kind::RangeRest, Kind::Dead)?;
        self.change(state, base + 2, Kind::RangeRest, Kind::Dead)
    }

    /// Checks and notes what an instruction does to cells.
    fn cells(&self, instruction: I, state: &mut State) -> Result<(), String> {
        let unit = self.unit;
        let made = |register: u16| state.cells.get(usize::from(register)) == Some(&true);
        match instruction {
            I::MakeCell { local } => state.cells[usize::from(local)] = true,
            I::ClearLocal { local } => state.cells[usize::from(local)] = false,
            I::LoadCell { cell, .. } | I::StoreCell { cell, .. } | I::DeleteCell { cell } | I::LoadCellOrName { cell, .. } => {
                if !made(cell) {
                    return Err(format!("r{cell} is no cell yet"));
                }
            }
            I::MakeFunction { function, .. } => {
                let captures = unit.functions.get(function as usize).map_or(&[][..], |site| &site.captures);
                if captures.iter().any(|capture| matches!(capture, Capture::Local(register) if !made(*register))) {
                    return Err("captures what is no cell yet".into());
                }
            }
            _ => {}
        }
        let is_cell = |value: i64| usize::try_from(value).is_ok_and(|register| unit.is_cell.get(register) == Some(&true));
        let (name, operands) = instruction.parts();
        if operands.iter().any(|(_, kind, value)| *kind == OperandKind::Dst && is_cell(*value)) || name == "DeleteLocal" && is_cell(operands[0].2) {
            return Err("overwrites a cell".into());
        }
        Ok(())
    }

    /// Checks the operands' ranges.
    fn operands(&self, pc: usize, instruction: I) -> Result<(), String> {
        let unit = self.unit;
        let (name, operands) = instruction.parts();
        for (field, kind, value) in operands {
            let index = usize::try_from(value).unwrap_or(usize::MAX);
            let fits = match kind {
                OperandKind::Dst | OperandKind::Src | OperandKind::Keep | OperandKind::InOut => value < i64::from(self.n_registers),
                OperandKind::Base => value <= i64::from(self.n_registers),
                OperandKind::Free => index < unit.free.len(),
                OperandKind::Const if field == "names" => {
                    value == 0
                        || matches!(unit.constants.get(index - 1), Some(Constant::Tuple(names))
                            if names.iter().all(|name| matches!(name, Constant::Str(_) | Constant::CodePoints(_))))
                }
                OperandKind::Const => index < unit.constants.len(),
                OperandKind::Site => index < unit.sites.len(),
                OperandKind::Function => index < unit.functions.len(),
                OperandKind::Kind => match name {
                    "Compare" => index < Comparison::ALL.len(),
                    "Intrinsic" | "Intrinsic2" => index < Intrinsic::ALL.len(),
                    "FormatSimple" | "FormatWithSpec" => index < 4,
                    _ => true,
                },
                OperandKind::Count | OperandKind::Imm | OperandKind::Jump => true,
            };
            if !fits {
                return Err(format!("{pc}: {instruction:?}: {field} is out of range"));
            }
            let is_local = value < i64::from(self.n_locals);
            let is_cell = || unit.is_cell.get(index) == Some(&true);
            let fits = match (name, field) {
                ("MakeCell", "local") => is_cell(),
                ("DeleteLocal" | "ClearLocal", "local") => is_local,
                ("Call" | "CallMethod" | "CallSpread", "base") => !is_local,
                (_, "cell") => is_cell(),
                _ => true,
            };
            if !fits {
                return Err(format!("{pc}: {instruction:?}: {field} is not what it should be"));
            }
        }
        Ok(())
    }

    /// What an instruction does. Most follow from their operands' kinds; the others are listed.
    fn effect(&self, instruction: I) -> Effect {
        let mut effect = Effect::default();
        let (name, operands) = instruction.parts();
        for &(_, kind, value) in &operands {
            let register = value as u32;
            match kind {
                OperandKind::Dst => effect.written.push((register, 1)),
                OperandKind::Src => effect.consumed.push((register, 1)),
                OperandKind::Keep => effect.kept.push(register),
                OperandKind::Jump => effect.jump = Some(Edge { offset: value as i32, ..Edge::default() }),
                _ => {}
            }
        }
        let Effect { consumed, kept, written, special, jump, ends } = &mut effect;
        match instruction {
            I::Jump { .. } | I::Return { .. } | I::ReturnConst { .. } | I::Reraise { .. } => *ends = true,
            I::LoadMethod { base, .. } | I::LoadMethodCached { base, .. } => {
                *written = vec![some(base, 2)];
                special.push((u32::from(base) + 1, Kind::Receiver));
            }
            I::LoadSuperAttribute { base, .. } => {
                consumed.push(some(base, 3));
                written.push(one(base));
            }
            I::LoadSuperMethod { base, .. } => {
                consumed.push(some(base, 3));
                written.push(some(base, 2));
                special.push((u32::from(base) + 1, Kind::Receiver));
            }
            I::LoadMappingOrGlobal { base, .. } | I::LoadMappingOrFree { base, .. } => {
                consumed.push(one(base));
                written.push(one(base));
            }
            I::GetSlice { base, .. } | I::ImportName { base, .. } | I::Intrinsic2 { base, .. } => {
                consumed.push(some(base, 2));
            }
            I::MatchClass { base, .. } | I::BuildSlice { base, .. } => consumed.push(some(base, 3)),
            I::JumpIfTrueKeep { src, .. } | I::JumpIfFalseKeep { src, .. } => {
                kept.push(u32::from(src));
                if let Some(edge) = jump {
                    edge.dies_else.push(u32::from(src));
                }
            }
            I::ForIter { dst, iterator, .. } | I::ForRange { dst, base: iterator, .. } => {
                if matches!(instruction, I::ForIter { .. }) {
                    kept.push(u32::from(iterator));
                }
                written.clear();
                if let Some(edge) = jump {
                    edge.dies.push(u32::from(iterator));
                    edge.written_else.push(u32::from(dst));
                }
            }
            I::LoopIter { dst, iterator, .. } | I::LoopRange { dst, base: iterator, .. } => {
                if matches!(instruction, I::LoopIter { .. }) {
                    kept.push(u32::from(iterator));
                }
                written.clear();
                if let Some(edge) = jump {
                    edge.written.push(u32::from(dst));
                    edge.dies_else.push(u32::from(iterator));
                }
            }
            I::RangeStart { base, argc } => {
                let base_register = u32::from(base);
                consumed.push(some(base, u32::from(argc) + 1));
                written.push(some(base, 3));
                special.extend([(base_register, Kind::Range), (base_register + 1, Kind::RangeRest), (base_register + 2, Kind::RangeRest)]);
            }
            I::Call { base, argc, .. } => {
                consumed.push(some(base, u32::from(argc) + 1));
                written.push(one(base));
            }
            I::CallMethod { base, argc, .. } => {
                consumed.push(some(base, u32::from(argc) + 2));
                written.push(one(base));
            }
            I::CallSpread { base, has_names } => {
                consumed.push(some(base, u32::from(has_names) + 2));
                written.push(one(base));
            }
            I::MakeFunction { base, function, .. } => {
                if let Some(site) = self.unit.functions.get(function as usize) {
                    let tables = [site.has_defaults, site.has_keyword_defaults, site.has_annotations];
                    consumed.push(some(base, tables.into_iter().map(u32::from).sum()));
                }
            }
            I::Send { value, iterator, .. } | I::YieldFrom { value, iterator, .. } => {
                consumed.push(one(value));
                kept.push(u32::from(iterator));
                written.push(one(value));
                if let Some(edge) = jump {
                    edge.dies.push(u32::from(iterator));
                }
            }
            I::BuildTuple { base, count, .. }
            | I::BuildList { base, count, .. }
            | I::BuildSet { base, count, .. }
            | I::BuildString { base, count, .. } => consumed.push(some(base, u32::from(count))),
            I::BuildDict { base, count, .. } => consumed.push(some(base, 2 * u32::from(count))),
            I::UnpackSequence { base, count, .. } => written.push(some(base, u32::from(count))),
            I::UnpackStarred { base, before, k, .. } => written.push(some(base, u32::from(before) + 1 + u32::from(k))),
            I::Raise { base, count } => {
                consumed.push(some(base, u32::from(count)));
                *ends = true;
            }
            I::SetupWith { base, .. } => {
                *written = vec![some(base, 4)];
                special.extend([(u32::from(base) + 1, Kind::Receiver), (u32::from(base) + 3, Kind::Receiver)]);
            }
            I::LoadExceptionTriple { base, .. } => *written = vec![some(base, 3)],
            I::MatchGroup { exception, .. } => kept.push(u32::from(exception)),
            _ => debug_assert!(
                !operands.iter().any(|(_, kind, value)| match kind {
                    OperandKind::Base => true,
                    OperandKind::InOut => *value as u32 >= self.n_locals,
                    _ => false,
                }),
                "{name} has registers that the verifier does not know"
            ),
        }
        effect
    }
}
