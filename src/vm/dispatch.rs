//! The loop: one arm for each instruction. Fast paths stand in their arm; what may run other code, or is long, is a call
//! into `arithmetic` or `instructions`.
#![allow(unused_unsafe, unused_assignments, reason = "macros that read registers nest in one another, and reload what a jump may not need")]
#![allow(clippy::no_effect, clippy::needless_continue, reason = "arms of macros may be empty, and say where they go on")]
#![allow(
    unsafe_code,
    reason = "registers are raw words of the frame's window (F1 to F3 in frame.rs); operands are in range, which the verifier of units checks"
)]

use std::cell::Cell;

use super::frame::{GENERATOR, Record};
use super::state::ShapeUse;
use super::vm::{Result, Vm};
use super::window::Window;
use crate::code::instruction::{Comparison, Opcode, Word as Instruction};
use crate::number::int;
use crate::object::heap::{Object, free_last, give_back, retain};
use crate::object::instance::Instance;
use crate::object::layout::Layout;
use crate::object::type_object::{BinaryOperator, Type};
use crate::object::types::TypeId;
use crate::object::types::code::Code;
use crate::object::types::dict::Dict;
use crate::object::types::function::{CellPayload, Function};
use crate::object::types::generator::Generator;
use crate::object::types::iterator::SequenceIterator;
use crate::object::types::list::List;
use crate::object::types::module::Module;
use crate::object::types::range::RangeIterator;
use crate::object::types::str::Str;
use crate::object::types::tuple::Tuple;
use crate::object::value::Value;
use crate::object::word::Word;

/// How a run of the loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The entry frame returned.
    Returned,
    /// The entry frame, a generator's, yielded: the value is in `Vm::transfer`.
    Yielded,
}

/// What it costs to go on in a generator, in instructions.
const RESUME_COST: i64 = 2;

/// The payload of a word that is a pointer to an object of layout `T`.
///
/// # Safety
/// The word is such a pointer, and the object lives.
#[inline(always)]
unsafe fn payload<T>(word: Word) -> *mut T {
    // SAFETY: the caller has checked the layout.
    unsafe { &raw mut (*(word.bits() as *mut Object<T>)).payload }
}

/// The place of a cell's content, as a word.
#[inline(always)]
unsafe fn cell_content(cell: Word) -> *mut Word {
    // SAFETY: the caller has a cell; `Value` is a transparent `Word`.
    unsafe { (&raw mut (*payload::<CellPayload>(cell)).content).cast::<Word>() }
}

#[inline(always)]
fn layout_of(word: Word) -> u16 {
    match word.pointer() {
        // SAFETY: a register's word is alive (F3).
        Some(header) => unsafe { (*header).layout_id() },
        None => Layout::Free as u16,
    }
}

#[inline(always)]
fn is_layout(word: Word, layout: Layout) -> bool {
    layout_of(word) == layout as u16
}

/// From so many items on, a list is larger than the caches near the processor.
const FAR: usize = 1 << 17;
/// So many steps ahead a striding loop's items are asked for: some 100 ns.
const AHEAD: i64 = 24;

/// Asks for the memory at an address, which may be any, to be brought near.
#[inline(always)]
fn prefetch<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which does nothing where the address is not mapped.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

impl Vm {
    /// Runs the top frame, which is an entry frame, until it ends. A returned value is in its `base[-1]`, or for a generator in `transfer`.
    ///
    /// # Safety
    /// The top record is valid (F1, F2) and flagged `ENTRY`.
    pub(crate) unsafe fn run(&mut self) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { self.run_from(false) }.map(|_| ())
    }

    /// `run`, but starts by unwinding with the pending exception when `raised` (a generator's `throw`).
    ///
    /// # Safety
    /// As for `run`.
    pub(crate) unsafe fn run_from(&mut self, raised: bool) -> Result<Outcome> {
        let mut pc: *const Cell<u64>;
        let mut base: *mut Word;
        let mut code: *const Code;
        let mut n_locals: u16;
        let mut pending = raised;
        let mut is_entry = !raised;

        macro_rules! load_state {
            () => {{
                // SAFETY: at least the entry frame's record is there.
                let record = unsafe { self.frames.records.last().unwrap_unchecked() };
                pc = record.pc;
                base = record.base;
                code = record.code;
                // SAFETY: the record's code lives (F2).
                n_locals = unsafe { (*code).n_locals };
            }};
        }
        // Whether the running frame is a generator's.
        macro_rules! in_generator {
            () => {
                // SAFETY: as above.
                unsafe { self.frames.records.last().unwrap_unchecked() }.flags & GENERATOR != 0
            };
        }
        macro_rules! save {
            () => {
                // SAFETY: as above.
                unsafe { self.frames.records.last_mut().unwrap_unchecked() }.pc = pc
            };
        }
        load_state!();
        if self.is_broken() && self.is_traced() {
            let waiting = self.raised.take();
            match self.trace_entry() {
                Ok(()) => self.raised = waiting,
                Err(super::vm::Raised(())) => pending = true,
            }
        }
        'frames: loop {
            let raised = 'raise: {
                if pending {
                    pending = false;
                    break 'raise super::vm::Raised(());
                }
                macro_rules! reg {
                    ($index:expr) => {
                        // SAFETY: operands are inside the window.
                        unsafe { base.add($index as usize) }
                    };
                }
                macro_rules! get {
                    ($index:expr) => {
                        // SAFETY: registers are initialised (F1).
                        unsafe { *reg!($index) }
                    };
                }
                macro_rules! drain {
                    () => {
                        if self.heap().has_dead() {
                            save!();
                            self.drain_dead();
                        }
                    };
                }
                macro_rules! drop_word {
                    ($word:expr) => {{
                        let word = $word;
                        if word.is_pointer() && give_back(word) {
                            save!();
                            // SAFETY: that was the last count.
                            unsafe { self.free_and_drain(word) };
                        }
                    }};
                }
                macro_rules! store {
                    ($index:expr, $word:expr) => {{
                        let place = reg!($index);
                        let word = $word;
                        // SAFETY: the window owns the word it held.
                        let old = unsafe {
                            let old = *place;
                            *place = word;
                            old
                        };
                        drop_word!(old);
                    }};
                }
                // After a temporary was read: it holds nothing any more.
                macro_rules! consume {
                    ($index:expr, $word:expr) => {
                        if $index >= n_locals && $word.is_pointer() {
                            // SAFETY: inside the window.
                            unsafe { *reg!($index) = Word::UNBOUND };
                            drop_word!($word);
                        }
                    };
                }
                // Makes `$word`, which stands in register `$index`, the instruction's own: a temporary is emptied, a local's word is counted.
                macro_rules! take_word {
                    ($index:expr, $word:expr) => {
                        if $index >= n_locals {
                            // SAFETY: inside the window.
                            unsafe { *reg!($index) = Word::UNBOUND };
                        } else {
                            retain($word);
                        }
                    };
                }
                macro_rules! slow {
                    ($call:expr) => {{
                        save!();
                        match $call {
                            Ok(value) => {
                                drain!();
                                value
                            }
                            Err(raised) => break 'raise raised,
                        }
                    }};
                }
                macro_rules! window {
                    () => {
                        Window::new(base, code)
                    };
                }
                // The countdown and the breaker: what is ahead costs so many instructions.
                macro_rules! check {
                    ($cost:expr) => {
                        check!($cost, handle_breaker)
                    };
                    ($cost:expr, $slow:ident) => {{
                        #[cfg(not(feature = "unmetered"))]
                        let is_used_up = {
                            let left = self.budget - $cost;
                            self.budget = left;
                            left < 0
                        };
                        #[cfg(feature = "unmetered")]
                        let is_used_up = {
                            // Named, and not computed.
                            let _ = || $cost;
                            false
                        };
                        if is_used_up | self.is_broken() {
                            slow!(self.$slow());
                        }
                    }};
                }
                macro_rules! jump {
                    ($instruction:expr) => {{
                        let offset = $instruction.jump();
                        if offset < 0 {
                            // A turn of the loop costs the instructions that the jump goes back over. What the check raises is raised by the jump,
                            // which the loop's handlers cover, so `pc` moves after it.
                            check!(-i64::from(offset));
                        }
                        // SAFETY: jump targets are inside the code.
                        pc = unsafe { pc.offset(offset as isize) };
                    }};
                }
                macro_rules! arithmetic {
                    ($i:ident, $l:ident, $r:ident, $operator:ident, $small:expr, $float:expr) => {{
                        let $l = get!($i.b());
                        let $r = get!($i.d());
                        if $l.both_small($r) {
                            if let Some(word) = $small {
                                store!($i.a(), word);
                                continue;
                            }
                        } else if $l.is_float() && $r.is_float() {
                            let ($l, $r) = ($l.float_value(), $r.float_value());
                            if let Some(word) = $float {
                                store!($i.a(), word);
                                continue;
                            }
                        }
                        slow!(self.arithmetic(window!(), $i, BinaryOperator::$operator));
                    }};
                }
                macro_rules! integer {
                    ($i:ident, $l:ident, $r:ident, $operator:ident, $small:expr) => {{
                        let $l = get!($i.b());
                        let $r = get!($i.d());
                        if $l.both_small($r) {
                            if let Some(word) = $small {
                                store!($i.a(), word);
                                continue;
                            }
                        }
                        slow!(self.arithmetic(window!(), $i, BinaryOperator::$operator));
                    }};
                }
                macro_rules! immediate {
                    ($i:ident, $l:ident, $r:ident, $operator:ident, $small:expr, $float:expr) => {{
                        let word = get!($i.b());
                        let $r = i64::from($i.d() as i16);
                        if word.is_small() {
                            let $l = word.small_value();
                            if let Some(word) = $small {
                                store!($i.a(), word);
                                continue;
                            }
                        } else if word.is_float() {
                            let $l = word.float_value();
                            let $r = $r as f64;
                            if let Some(word) = $float {
                                store!($i.a(), word);
                                continue;
                            }
                        }
                        slow!(self.arithmetic_immediate(window!(), $i, BinaryOperator::$operator));
                    }};
                }
                macro_rules! compare_jump {
                    ($i:ident, $operator:tt, $comparison:ident, $wanted:literal) => {{
                        let left = get!($i.a());
                        let right = get!($i.b());
                        let truth = if left.both_small(right) {
                            (left.bits() as i64) $operator (right.bits() as i64)
                        } else if left.is_float() && right.is_float() {
                            left.float_value() $operator right.float_value()
                        } else {
                            slow!(self.compare_registers(window!(), $i.a(), $i.b(), Comparison::$comparison))
                        };
                        if truth == $wanted {
                            jump!($i);
                        }
                    }};
                }
                macro_rules! compare_jump_immediate {
                    ($i:ident, $operator:tt, $comparison:ident, $wanted:literal) => {{
                        let left = get!($i.a());
                        let right = i64::from($i.b() as i16);
                        let truth = if left.is_small() {
                            left.small_value() $operator right
                        } else {
                            slow!(self.compare_immediate(window!(), $i.a(), right, Comparison::$comparison))
                        };
                        if truth == $wanted {
                            jump!($i);
                        }
                    }};
                }
                // The frame of a call was pushed: go on in it. The caller's place was saved before.
                macro_rules! enter {
                    () => {{
                        load_state!();
                        check!(entry_cost!(), handle_breaker_at_entry);
                    }};
                }
                // A call costs the instructions of its body; going on in a generator costs little, since its body was paid for when it was made.
                macro_rules! entry_cost {
                    () => {
                        // SAFETY: the record's code lives (F2).
                        if in_generator!() { RESUME_COST } else { unsafe { (&(*code).instructions).len() as i64 } }
                    };
                }
                if std::mem::take(&mut is_entry) {
                    check!(entry_cost!());
                }
                macro_rules! start_call {
                    ($callable:expr, $argc:expr, $names:expr) => {{
                        save!();
                        let names: u32 = $names;
                        let names = if names == 0 {
                            None
                        } else {
                            // SAFETY: constants outlive the call, since the frame's function keeps its code.
                            Some(unsafe { &*std::ptr::from_ref(&(&(*code).constants)[names as usize - 1]) })
                        };
                        // SAFETY: the callable and its arguments are owned temporaries.
                        match unsafe { self.start_call($callable, $argc, names) } {
                            Ok(super::call::Called::Entered) => enter!(),
                            Ok(super::call::Called::Done) => drain!(),
                            Err(raised) => break 'raise raised,
                        }
                    }};
                }
                // A plain script function with as many arguments as it has parameters.
                macro_rules! try_fast_call {
                    ($callable:expr, $argc:expr) => {{
                        let callable = $callable;
                        // SAFETY: initialised.
                        let word = unsafe { *callable };
                        if is_layout(word, Layout::Function) {
                            // SAFETY: of that layout.
                            let function = unsafe { payload::<Function>(word) };
                            // SAFETY: the function keeps its code.
                            let callee = unsafe { (*function).code.as_ptr().cast_const() };
                            // SAFETY: alive.
                            let callee_ref = unsafe { &*callee };
                            if callee_ref.is_simple
                                && usize::from(callee_ref.n_arguments) == $argc
                                && self.frames.records.len() < self.state().recursion_limit
                                && !in_generator!()
                            {
                                let callee_base = callable.wrapping_add(1);
                                let end = callee_base.wrapping_add(usize::from(callee_ref.n_registers) + 2);
                                if end <= self.frames.initialised {
                                    save!();
                                    for index in $argc..usize::from(callee_ref.n_locals) {
                                        // SAFETY: inside the reserved stack.
                                        unsafe { callee_base.add(index).write(Word::UNBOUND) };
                                    }
                                    pc = callee_ref.instructions.as_ptr();
                                    base = callee_base;
                                    code = callee;
                                    n_locals = callee_ref.n_locals;
                                    self.frames.records.push(Record { pc, base, code, frame_object: Word::UNBOUND, aux: Word::UNBOUND, flags: 0 });
                                    check!(callee_ref.instructions.len() as i64, handle_breaker_at_entry);
                                    continue;
                                }
                            }
                        }
                    }};
                }
                macro_rules! return_word {
                    ($result:expr) => {{
                        let result: Word = $result;
                        // SAFETY: the running frame's record.
                        let record = unsafe { self.frames.records.last().unwrap_unchecked() };
                        if record.flags | u32::from(record.frame_object != Word::UNBOUND) != 0 {
                            let is_generator = record.flags == GENERATOR && record.frame_object == Word::UNBOUND;
                            let in_stack = record.flags & GENERATOR == 0;
                            save!();
                            // SAFETY: the result is owned.
                            let returned = unsafe { if is_generator { self.return_from_generator(result) } else { self.return_special(result) } };
                            match returned {
                                Ok(None) => {
                                    load_state!();
                                    drain!();
                                    continue;
                                }
                                Ok(Some(outcome)) => {
                                    if self.heap().has_dead() {
                                        // The result stands where a finaliser may leave its own. A generator's is in `transfer`; its window is gone.
                                        if in_stack {
                                            // SAFETY: the slot below the window is inside the stack, and its owner is whoever fetches the result.
                                            let kept = unsafe { std::ptr::replace(base.sub(1), Word::UNBOUND) };
                                            self.drain_dead();
                                            // SAFETY: as above; what the finalisers left there is unbound again.
                                            unsafe { *base.sub(1) = kept };
                                        } else {
                                            let kept = std::mem::replace(&mut self.transfer, Value::NONE);
                                            self.drain_dead();
                                            self.transfer = kept;
                                        }
                                    }
                                    return Ok(outcome);
                                }
                                Err(raised) => {
                                    load_state!();
                                    break 'raise raised;
                                }
                            }
                        }
                        for index in 0..n_locals {
                            let word = get!(index);
                            if word.is_pointer() {
                                // SAFETY: the window owned it.
                                unsafe { *reg!(index) = Word::UNBOUND };
                                if give_back(word) {
                                    // SAFETY: that was the last count.
                                    unsafe { self.free_quietly(word) };
                                }
                            }
                        }
                        // SAFETY: F2.
                        unsafe {
                            let place = base.sub(1);
                            let function = *place;
                            *place = result;
                            if give_back(function) {
                                self.free_quietly(function);
                            }
                        }
                        self.frames.records.pop();
                        let returned = base;
                        load_state!();
                        if in_generator!() {
                            // The callee stood on the stack; the result belongs into the generator's window.
                            // SAFETY: the caller's instruction is a call, whose first operand is the register.
                            unsafe {
                                let call = Instruction((*pc.sub(1)).get());
                                let place = returned.sub(1);
                                *base.add(usize::from(call.a())) = *place;
                                *place = Word::UNBOUND;
                            }
                        }
                        drain!();
                    }};
                }
                // The next item for a loop: `$iterator` is its register; falls to `$done` at the end.
                macro_rules! for_next {
                    ($i:ident, $iterator:expr, $found:expr, $done:expr) => {{
                        let word = get!($iterator);
                        let layout = layout_of(word);
                        if layout == Layout::SequenceIterator as u16 {
                            // SAFETY: of that layout; nothing else refers to its payload now.
                            let iterator = unsafe { &mut *payload::<SequenceIterator>(word) };
                            if let Some(sequence) = &iterator.sequence {
                                let index = iterator.index;
                                let sequence_word = sequence.word();
                                let item = if is_layout(sequence_word, Layout::List) {
                                    // SAFETY: of that layout.
                                    Some(unsafe { (&(*payload::<List>(sequence_word)).items).get(index).map(Value::word) })
                                } else if is_layout(sequence_word, Layout::Tuple) {
                                    // SAFETY: of that layout.
                                    Some(unsafe { (*payload::<Tuple>(sequence_word)).items().get(index).map(Value::word) })
                                } else {
                                    None
                                };
                                match item {
                                    Some(Some(item)) if self.is_exact_word(sequence_word) => {
                                        iterator.index = index + 1;
                                        retain(item);
                                        store!($i.a(), item);
                                        $found;
                                        continue;
                                    }
                                    _ => {}
                                }
                            }
                        } else if layout == Layout::RangeIterator as u16 {
                            // SAFETY: of that layout.
                            let iterator = unsafe { &mut *payload::<RangeIterator>(word) };
                            if iterator.left > 0 {
                                if let Some(item) = Word::from_small(iterator.next) {
                                    iterator.left -= 1;
                                    iterator.next = iterator.next.wrapping_add(iterator.step);
                                    store!($i.a(), item);
                                    $found;
                                    continue;
                                }
                            }
                        } else if layout == Layout::Generator as u16 {
                            save!();
                            match self.enter_generator(word) {
                                Ok(true) => {
                                    enter!();
                                    continue;
                                }
                                Ok(false) => {}
                                Err(raised) => break 'raise raised,
                            }
                        }
                        match slow!(self.next_word(word)) {
                            Some(item) => {
                                store!($i.a(), item.into_word());
                                $found;
                            }
                            None => {
                                // SAFETY: the window owned the iterator.
                                let word = unsafe { std::ptr::replace(reg!($iterator), Word::UNBOUND) };
                                drop_word!(word);
                                $done;
                            }
                        }
                    }};
                }

                // The next number of a range loop; falls through when the loop is over another iterable.
                macro_rules! range_next {
                    ($i:ident, $found:expr, $done:expr) => {{
                        let left = get!($i.b() + 1);
                        if left.is_small() {
                            let left = left.small_value();
                            if left == 0 {
                                $done;
                                continue;
                            }
                            let item = get!($i.b());
                            let step = get!($i.b() + 2).small_value();
                            // SAFETY: inside the window; `RangeStart` made sure that no number leaves 63 bits.
                            unsafe {
                                *reg!($i.b() + 1) = Word::small(left - 1);
                                *reg!($i.b()) = Word::small(item.small_value().wrapping_add(step));
                            }
                            store!($i.a(), item);
                            $found;
                            continue;
                        }
                    }};
                }

                loop {
                    // SAFETY: control stays inside the code: it ends in a return or a jump.
                    let i = unsafe {
                        let i = Instruction((*pc).get());
                        pc = pc.add(1);
                        i
                    };
                    // Most operations want it, and `base` is kept in a register for it.
                    let first = reg!(i.a());
                    // SAFETY: units hold known operations only.
                    let opcode = unsafe { std::mem::transmute::<u8, Opcode>(i.opcode_byte()) };
                    match opcode {
                        Opcode::LoadConst => {
                            // SAFETY: the index is in range.
                            let word = unsafe { (&(*code).constants).get_unchecked(i.c() as usize).word() };
                            retain(word);
                            // SAFETY: the window owns the word it held.
                            let old = unsafe { std::ptr::replace(first, word) };
                            drop_word!(old);
                        }
                        Opcode::Move => {
                            let word = get!(i.b());
                            if i.b() >= n_locals {
                                // SAFETY: inside the window.
                                unsafe { *reg!(i.b()) = Word::UNBOUND };
                            } else if word.is_pointer() {
                                retain(word);
                            } else if word == Word::UNBOUND {
                                save!();
                                break 'raise self.unbound_local(window!(), i.b());
                            }
                            store!(i.a(), word);
                        }
                        Opcode::Copy => {
                            let word = get!(i.b());
                            if word == Word::UNBOUND && i.b() < n_locals {
                                save!();
                                break 'raise self.unbound_local(window!(), i.b());
                            }
                            retain(word);
                            store!(i.a(), word);
                        }
                        Opcode::Release => {
                            // SAFETY: the window owns the word it held.
                            let old = unsafe { std::ptr::replace(first, Word::UNBOUND) };
                            drop_word!(old);
                        }
                        Opcode::DeleteLocal => {
                            if get!(i.a()) == Word::UNBOUND {
                                save!();
                                break 'raise self.unbound_local(window!(), i.a());
                            }
                            store!(i.a(), Word::UNBOUND);
                        }
                        Opcode::ClearLocal => store!(i.a(), Word::UNBOUND),
                        Opcode::MakeCell => {
                            // SAFETY: the window owned the word, which moves into the cell.
                            let content = unsafe { Value::from_owned(get!(i.a())) };
                            let cell = self.new_cell(content).into_word();
                            // SAFETY: inside the window.
                            unsafe { *reg!(i.a()) = cell };
                        }
                        Opcode::LoadCell => {
                            let cell = get!(i.b());
                            // SAFETY: the compiler's cells are cells.
                            let word = unsafe { (*payload::<CellPayload>(cell)).content.word() };
                            if word == Word::UNBOUND {
                                save!();
                                break 'raise self.unbound_local(window!(), i.b());
                            }
                            retain(word);
                            store!(i.a(), word);
                        }
                        Opcode::LoadFree => {
                            // SAFETY: the function in `base[-1]` has a cell for each free variable.
                            let word = unsafe {
                                let function = payload::<Function>(*base.sub(1));
                                let cell = (&(*function).closure)[usize::from(i.b())].word();
                                (*payload::<CellPayload>(cell)).content.word()
                            };
                            if word == Word::UNBOUND {
                                save!();
                                break 'raise self.unbound_free(window!(), i.b());
                            }
                            retain(word);
                            store!(i.a(), word);
                        }
                        Opcode::StoreCell => {
                            let word = get!(i.b());
                            if word == Word::UNBOUND {
                                slow!(self.store_cell(window!(), i));
                                continue;
                            }
                            take_word!(i.b(), word);
                            // SAFETY: the compiler's cells are cells; the cell owned what it held.
                            let old = unsafe { std::ptr::replace(cell_content(get!(i.a())), word) };
                            drop_word!(old);
                        }
                        Opcode::DeleteCell => slow!(self.delete_cell(window!(), i)),
                        Opcode::StoreFree => {
                            let word = get!(i.b());
                            if word == Word::UNBOUND {
                                slow!(self.store_free(window!(), i));
                                continue;
                            }
                            take_word!(i.b(), word);
                            // SAFETY: the function in `base[-1]` has a cell for each free variable, which owned what it held.
                            let old = unsafe {
                                let function = payload::<Function>(*base.sub(1));
                                let cell = (&(*function).closure)[usize::from(i.a())].word();
                                std::ptr::replace(cell_content(cell), word)
                            };
                            drop_word!(old);
                        }
                        Opcode::DeleteFree => slow!(self.delete_free(window!(), i)),
                        Opcode::LoadFreeOrName => slow!(self.load_free_or_name(window!(), i)),
                        Opcode::LoadCellOrName => slow!(self.load_cell_or_name(window!(), i)),
                        Opcode::LoadGlobal => slow!(self.load_global(window!(), i)),
                        Opcode::LoadGlobalCached => {
                            // SAFETY: the cache was filled for this site; versions prove that the entry is still there.
                            let found = unsafe {
                                let cache = (&(*code).caches).get_unchecked(i.c() as usize).get();
                                let function = payload::<Function>(*base.sub(1));
                                let globals: *const Dict = (*function).globals.as_ptr();
                                if (*globals).version() == (cache >> 32) as u32 {
                                    let place = (cache as u32 >> 1) as usize;
                                    if cache & 1 == 0 {
                                        Some((&(*globals).entries())[place].value.word())
                                    } else {
                                        let builtins: *const Dict = (*function).builtins.as_ptr();
                                        let entry = (*builtins).entries().get(place);
                                        entry.filter(|entry| entry.key.is(&(&(*code).names)[i.c() as usize])).map(|entry| entry.value.word())
                                    }
                                } else {
                                    None
                                }
                            };
                            match found {
                                Some(word) => {
                                    retain(word);
                                    store!(i.a(), word);
                                }
                                None => slow!(self.load_global(window!(), i)),
                            }
                        }
                        Opcode::StoreGlobal => slow!(self.store_global(window!(), i)),
                        Opcode::DeleteGlobal => slow!(self.delete_global(window!(), i)),
                        Opcode::LoadMappingOrGlobal => {
                            slow!(self.load_mapping_or_global(window!(), i))
                        }
                        Opcode::LoadMappingOrFree => slow!(self.load_mapping_or_free(window!(), i)),
                        Opcode::LoadName => slow!(self.load_name(window!(), i)),
                        Opcode::StoreName => slow!(self.store_name(window!(), i)),
                        Opcode::DeleteName => slow!(self.delete_name(window!(), i)),

                        Opcode::LoadAttribute => slow!(self.load_attribute(window!(), i)),
                        Opcode::LoadAttributeSlot => {
                            let object = get!(i.b());
                            if is_layout(object, Layout::Instance) {
                                // SAFETY: of that layout; the shape proves that the slot exists.
                                let word = unsafe {
                                    let cache = (&(*code).caches).get_unchecked(i.c() as usize).get();
                                    let instance = payload::<Instance>(object);
                                    if (*instance).shape == (cache >> 32) as u32 {
                                        *(*instance).slots().get_unchecked(cache as u32 as usize)
                                    } else {
                                        let name = (&(*code).names).get_unchecked(i.c() as usize);
                                        match self.known_attribute((*instance).shape, name, ShapeUse::Load) {
                                            Some(slot) => *(*instance).slots().get_unchecked(slot as usize),
                                            None => Word::UNBOUND,
                                        }
                                    }
                                };
                                if word != Word::UNBOUND {
                                    retain(word);
                                    consume!(i.b(), object);
                                    store!(i.a(), word);
                                    continue;
                                }
                            }
                            slow!(self.load_attribute(window!(), i));
                        }
                        Opcode::LoadAttributeModule => {
                            let object = get!(i.b());
                            // SAFETY: the cache was filled for this site.
                            let word = unsafe { module_entry(object, (&(*code).caches).get_unchecked(i.c() as usize).get()) };
                            if word != Word::UNBOUND && self.is_plain_module(object) {
                                retain(word);
                                consume!(i.b(), object);
                                store!(i.a(), word);
                                continue;
                            }
                            slow!(self.load_attribute(window!(), i));
                        }
                        Opcode::LoadAttributeClass => {
                            let object = get!(i.b());
                            // SAFETY: the cache was filled for this site.
                            let word = unsafe { class_entry(object, (&(*code).caches).get_unchecked(i.c() as usize).get()) };
                            if word != Word::UNBOUND {
                                retain(word);
                                consume!(i.b(), object);
                                store!(i.a(), word);
                                continue;
                            }
                            slow!(self.load_attribute(window!(), i));
                        }
                        Opcode::LoadAttributeShared => {
                            let object = get!(i.b());
                            if is_layout(object, Layout::Instance) {
                                // SAFETY: of that layout; the shape proves the class, whose namespaces have not changed, or the cache would be empty.
                                let word = unsafe {
                                    let cache = (&(*code).caches).get_unchecked(i.c() as usize).get();
                                    if (*payload::<Instance>(object)).shape == (cache >> 32) as u32 {
                                        shared_entry(self.class_of(object), cache as u32)
                                    } else {
                                        Word::UNBOUND
                                    }
                                };
                                if word != Word::UNBOUND {
                                    retain(word);
                                    consume!(i.b(), object);
                                    store!(i.a(), word);
                                    continue;
                                }
                            }
                            slow!(self.load_attribute(window!(), i));
                        }
                        Opcode::LoadAttributeProperty => {
                            let object = get!(i.b());
                            let mut property = Word::UNBOUND;
                            if is_layout(object, Layout::Instance) {
                                // SAFETY: of that layout; the shape proves the class, whose namespaces have not changed, or the cache would be empty.
                                unsafe {
                                    let cache = (&(*code).caches).get_unchecked(i.c() as usize).get();
                                    if (*payload::<Instance>(object)).shape == (cache >> 32) as u32 {
                                        property = shared_entry(self.class_of(object), cache as u32);
                                    }
                                }
                            }
                            save!();
                            match self.load_property(window!(), i, property) {
                                Ok(super::call::Called::Entered) => enter!(),
                                Ok(super::call::Called::Done) => drain!(),
                                Err(raised) => break 'raise raised,
                            }
                        }
                        Opcode::StoreAttribute => slow!(self.store_attribute(window!(), i)),
                        Opcode::StoreAttributeAdd => {
                            let object = get!(i.a());
                            let value = get!(i.b());
                            if is_layout(object, Layout::Instance) && value != Word::UNBOUND {
                                // SAFETY: the cache was filled for this site.
                                let cache = unsafe { (&(*code).caches).get_unchecked(i.c() as usize) }.get();
                                // SAFETY: of that layout; nothing else refers to its payload now.
                                let instance = unsafe { &mut *payload::<Instance>(object) };
                                if instance.shape == (cache >> 32) as u32 {
                                    let used = self.state().shapes.used(instance.shape);
                                    if let Some(place) = instance.slots_mut().get_mut(used) {
                                        *place = value;
                                        instance.shape = cache as u32;
                                        take_word!(i.b(), value);
                                        consume!(i.a(), object);
                                        continue;
                                    }
                                }
                            }
                            slow!(self.store_attribute(window!(), i));
                        }
                        Opcode::StoreAttributeSlot => {
                            let object = get!(i.a());
                            let value = get!(i.b());
                            if is_layout(object, Layout::Instance) && value != Word::UNBOUND {
                                // SAFETY: of that layout; the shape proves that the slot exists.
                                let place = unsafe {
                                    let cache = (&(*code).caches).get_unchecked(i.c() as usize).get();
                                    let instance = payload::<Instance>(object);
                                    if (*instance).shape == (cache >> 32) as u32 {
                                        (*instance).slots_mut().as_mut_ptr().add(cache as u32 as usize)
                                    } else {
                                        std::ptr::null_mut()
                                    }
                                };
                                if !place.is_null() {
                                    if i.b() >= n_locals {
                                        // SAFETY: inside the window.
                                        unsafe { *reg!(i.b()) = Word::UNBOUND };
                                    } else {
                                        retain(value);
                                    }
                                    // SAFETY: the slot owned what it held.
                                    let old = unsafe { std::ptr::replace(place, value) };
                                    consume!(i.a(), object);
                                    drop_word!(old);
                                    continue;
                                }
                            }
                            slow!(self.store_attribute(window!(), i));
                        }
                        Opcode::DeleteAttribute => slow!(self.delete_attribute(window!(), i)),
                        Opcode::LoadMethod => slow!(self.load_method(window!(), i)),
                        Opcode::LoadMethodCached => {
                            let object = get!(i.b());
                            if is_layout(object, Layout::Instance) {
                                // SAFETY: of that layout; the shape proves the class, and the cache is flushed when that changes.
                                let function = unsafe {
                                    let cache = (&(*code).caches).get_unchecked(i.c() as usize).get();
                                    let instance = payload::<Instance>(object);
                                    if (*instance).shape == (cache >> 32) as u32 {
                                        self.state().method_table.get_unchecked(cache as u32 as usize).word()
                                    } else {
                                        let name = (&(*code).names).get_unchecked(i.c() as usize);
                                        match self.known_attribute((*instance).shape, name, ShapeUse::Method) {
                                            Some(place) => self.state().method_table.get_unchecked(place as usize).word(),
                                            None => Word::UNBOUND,
                                        }
                                    }
                                };
                                if function != Word::UNBOUND {
                                    retain(function);
                                    if i.b() < n_locals {
                                        retain(object);
                                    } else {
                                        // SAFETY: inside the window.
                                        unsafe { *reg!(i.b()) = Word::UNBOUND };
                                    }
                                    // SAFETY: both are dead temporaries.
                                    unsafe {
                                        *reg!(i.a()) = function;
                                        *reg!(i.a() + 1) = object;
                                    }
                                    continue;
                                }
                            }
                            slow!(self.load_method(window!(), i));
                        }
                        Opcode::LoadMethodType => {
                            let object = get!(i.b());
                            let class = self.class_of(object);
                            // SAFETY: types outlive their instances.
                            let function = unsafe {
                                let cache = (&(*code).caches).get_unchecked(i.c() as usize).get();
                                if (*class).version.get() == (cache >> 32) as u32 {
                                    self.state().method_table.get_unchecked(cache as u32 as usize).word()
                                } else {
                                    Word::UNBOUND
                                }
                            };
                            if function != Word::UNBOUND && object != Word::UNBOUND {
                                retain(function);
                                take_word!(i.b(), object);
                                // SAFETY: both are dead temporaries.
                                unsafe {
                                    *reg!(i.a()) = function;
                                    *reg!(i.a() + 1) = object;
                                }
                                continue;
                            }
                            slow!(self.load_method(window!(), i));
                        }
                        Opcode::LoadMethodModule => {
                            let object = get!(i.b());
                            // SAFETY: the cache was filled for this site.
                            let word = unsafe { module_entry(object, (&(*code).caches).get_unchecked(i.c() as usize).get()) };
                            if word != Word::UNBOUND && self.is_plain_module(object) {
                                retain(word);
                                consume!(i.b(), object);
                                // SAFETY: both are dead temporaries.
                                unsafe {
                                    *reg!(i.a()) = word;
                                    *reg!(i.a() + 1) = Word::UNBOUND;
                                }
                                continue;
                            }
                            slow!(self.load_method(window!(), i));
                        }
                        Opcode::LoadMethodClass => {
                            let object = get!(i.b());
                            // SAFETY: the cache was filled for this site.
                            let word = unsafe { class_entry(object, (&(*code).caches).get_unchecked(i.c() as usize).get()) };
                            if word != Word::UNBOUND {
                                slow!(self.load_method_class(window!(), i, word));
                                continue;
                            }
                            slow!(self.load_method(window!(), i));
                        }
                        Opcode::LoadSuperAttribute => slow!(self.load_super(window!(), i, false)),
                        Opcode::LoadSuperMethod => slow!(self.load_super(window!(), i, true)),
                        Opcode::GetItem => {
                            let object = get!(i.b());
                            let key = get!(i.d());
                            let layout = layout_of(object);
                            if layout == Layout::List as u16 && key.is_small() && self.is_exact_word(object) {
                                // SAFETY: of that layout.
                                let items = unsafe { &(*payload::<List>(object)).items };
                                let index = key.small_value();
                                let index = if index < 0 { index + items.len() as i64 } else { index };
                                if let Some(item) = items.get(index as usize).filter(|_| index >= 0) {
                                    let word = item.word();
                                    retain(word);
                                    consume!(i.b(), object);
                                    store!(i.a(), word);
                                    continue;
                                }
                            } else if layout == Layout::Tuple as u16 && key.is_small() && self.is_exact_word(object) {
                                // SAFETY: of that layout.
                                let items = unsafe { (*payload::<Tuple>(object)).items() };
                                let index = key.small_value();
                                let index = if index < 0 { index + items.len() as i64 } else { index };
                                if let Some(item) = items.get(index as usize).filter(|_| index >= 0) {
                                    let word = item.word();
                                    retain(word);
                                    consume!(i.b(), object);
                                    store!(i.a(), word);
                                    continue;
                                }
                            }
                            if layout == Layout::Str as u16 && key.is_small() && self.is_exact_word(object) {
                                // SAFETY: of that layout; nothing else refers to its payload now.
                                let text = unsafe { &(*payload::<Str>(object)).text };
                                let index = key.small_value();
                                if let Some(&unit) =
                                    text.as_ascii().and_then(|text| text.as_bytes().get(if index < 0 { usize::MAX } else { index as usize }))
                                {
                                    if let Some(character) = self.state().characters.get(usize::from(unit)).and_then(std::cell::OnceCell::get) {
                                        let word = character.word();
                                        retain(word);
                                        consume!(i.b(), object);
                                        store!(i.a(), word);
                                        continue;
                                    }
                                }
                            }
                            slow!(self.get_item_registers(window!(), i));
                        }
                        Opcode::GetItemImm => {
                            let object = get!(i.b());
                            let index = i64::from(i.d() as i16);
                            let layout = layout_of(object);
                            let items: &[Value] = if layout == Layout::List as u16 && self.is_exact_word(object) {
                                // SAFETY: of that layout.
                                unsafe { &(*payload::<List>(object)).items }
                            } else if layout == Layout::Tuple as u16 && self.is_exact_word(object) {
                                // SAFETY: of that layout.
                                unsafe { (*payload::<Tuple>(object)).items() }
                            } else {
                                &[]
                            };
                            let index = if index < 0 { index + items.len() as i64 } else { index };
                            if let Some(item) = items.get(index as usize).filter(|_| index >= 0) {
                                let word = item.word();
                                retain(word);
                                consume!(i.b(), object);
                                store!(i.a(), word);
                                continue;
                            }
                            slow!(self.get_item_immediate(window!(), i));
                        }
                        Opcode::GetSlice => slow!(self.get_slice(window!(), i)),
                        Opcode::SetItem => {
                            let object = get!(i.a());
                            let key = get!(i.b());
                            let value = get!(i.d());
                            if key.is_small() && is_layout(object, Layout::List) && value != Word::UNBOUND && self.is_exact_word(object) {
                                // SAFETY: of that layout.
                                let items = unsafe { &mut (*payload::<List>(object)).items };
                                let index = key.small_value();
                                let index = if index < 0 { index + items.len() as i64 } else { index };
                                if index >= 0 && (index as usize) < items.len() {
                                    if items.len() >= FAR {
                                        // A loop that strides through a large list waits for memory: what it will come to is asked for.
                                        let stride = index.wrapping_sub(self.last_place);
                                        self.last_place = index;
                                        prefetch(items.as_ptr().wrapping_offset(index.wrapping_add(stride.wrapping_mul(AHEAD)) as isize));
                                    }
                                    let is_temporary = i.d() >= n_locals;
                                    if is_temporary {
                                        // SAFETY: inside the window.
                                        unsafe { *reg!(i.d()) = Word::UNBOUND };
                                    }
                                    if items[index as usize].word() == value {
                                        // What is there already is not written again: a large list costs half the memory's bandwidth so.
                                        if is_temporary {
                                            drop_word!(value);
                                        }
                                        consume!(i.a(), object);
                                        continue;
                                    }
                                    if !is_temporary {
                                        retain(value);
                                    }
                                    // SAFETY: the value is owned now.
                                    let old = std::mem::replace(&mut items[index as usize], unsafe { Value::from_owned(value) });
                                    consume!(i.a(), object);
                                    drop_word!(old.into_word());
                                    continue;
                                }
                            }
                            slow!(self.set_item_registers(window!(), i));
                        }
                        Opcode::DeleteItem => slow!(self.delete_item_registers(window!(), i)),

                        Opcode::Add => arithmetic!(
                            i,
                            l,
                            r,
                            Add,
                            (l.bits() as i64).checked_add(r.bits() as i64 - 1).map(|bits| Word::small(bits >> 1)),
                            Word::from_float(l + r)
                        ),
                        Opcode::Subtract => arithmetic!(
                            i,
                            l,
                            r,
                            Subtract,
                            (l.bits() as i64).checked_sub(r.bits() as i64 - 1).map(|bits| Word::small(bits >> 1)),
                            Word::from_float(l - r)
                        ),
                        Opcode::Multiply => arithmetic!(
                            i,
                            l,
                            r,
                            Multiply,
                            l.small_value().checked_mul(r.small_value()).and_then(Word::from_small),
                            Word::from_float(l * r)
                        ),
                        Opcode::TrueDivide => arithmetic!(
                            i,
                            l,
                            r,
                            TrueDivide,
                            {
                                let (l, r) = (l.small_value(), r.small_value());
                                if r != 0 && l.unsigned_abs() < 1 << 53 && r.unsigned_abs() < 1 << 53 {
                                    Word::from_float(l as f64 / r as f64)
                                } else {
                                    None
                                }
                            },
                            if r == 0.0 { None } else { Word::from_float(l / r) }
                        ),
                        Opcode::FloorDivide => {
                            arithmetic!(i, l, r, FloorDivide, floor_divide(l.small_value(), r.small_value()), None::<Word>.filter(|_| l == r))
                        }
                        Opcode::Modulo => {
                            arithmetic!(i, l, r, Modulo, floor_modulo(l.small_value(), r.small_value()), None::<Word>.filter(|_| l == r))
                        }
                        Opcode::And => integer!(i, l, r, And, Some(Word::small(l.small_value() & r.small_value()))),
                        Opcode::Or => integer!(i, l, r, Or, Some(Word::small(l.small_value() | r.small_value()))),
                        Opcode::Xor => integer!(i, l, r, Xor, Some(Word::small(l.small_value() ^ r.small_value()))),
                        Opcode::ShiftLeft => integer!(i, l, r, ShiftLeft, shift_left(l.small_value(), r.small_value())),
                        Opcode::ShiftRight => integer!(i, l, r, ShiftRight, shift_right(l.small_value(), r.small_value())),
                        Opcode::Power => {
                            slow!(self.arithmetic(window!(), i, BinaryOperator::Power))
                        }
                        Opcode::MatrixMultiply => {
                            slow!(self.arithmetic(window!(), i, BinaryOperator::MatrixMultiply))
                        }
                        Opcode::AddImm => immediate!(i, l, r, Add, l.checked_add(r).and_then(Word::from_small), Word::from_float(l + r)),
                        Opcode::SubtractImm => immediate!(i, l, r, Subtract, l.checked_sub(r).and_then(Word::from_small), Word::from_float(l - r)),
                        Opcode::MultiplyImm => immediate!(i, l, r, Multiply, l.checked_mul(r).and_then(Word::from_small), Word::from_float(l * r)),
                        Opcode::FloorDivideImm => {
                            immediate!(i, l, r, FloorDivide, floor_divide(l, r), None::<Word>.filter(|_| l == r));
                        }
                        Opcode::ModuloImm => immediate!(i, l, r, Modulo, floor_modulo(l, r), None::<Word>.filter(|_| l == r)),
                        Opcode::AndImm => immediate!(i, l, r, And, Some(Word::small(l & r)), None::<Word>.filter(|_| l == r)),
                        Opcode::ShiftLeftImm => immediate!(i, l, r, ShiftLeft, shift_left(l, r), None::<Word>.filter(|_| l == r)),
                        Opcode::ShiftRightImm => immediate!(i, l, r, ShiftRight, shift_right(l, r), None::<Word>.filter(|_| l == r)),
                        Opcode::Negate => {
                            let word = get!(i.b());
                            if word.is_small() {
                                if let Some(word) = Word::from_small(-word.small_value()) {
                                    store!(i.a(), word);
                                    continue;
                                }
                            } else if word.is_float() {
                                if let Some(word) = Word::from_float(-word.float_value()) {
                                    store!(i.a(), word);
                                    continue;
                                }
                            }
                            slow!(self.negate_register(window!(), i));
                        }
                        Opcode::Plus => slow!(self.plus_register(window!(), i)),
                        Opcode::Invert => slow!(self.invert_register(window!(), i)),
                        Opcode::Not => {
                            let truth = match get!(i.b()) {
                                Word::TRUE => true,
                                Word::FALSE | Word::NONE => false,
                                _ => slow!(self.truth_of(window!(), i.b())),
                            };
                            store!(i.a(), Word::from_bool(!truth));
                        }
                        Opcode::Compare => {
                            let (left, right) = (get!(i.b()), get!(i.d()));
                            let truth = if left.both_small(right) {
                                let (left, right) = (left.bits() as i64, right.bits() as i64);
                                compare_words(i.k(), left, right)
                            } else if left.is_float() && right.is_float() {
                                compare_words(i.k(), left.float_value(), right.float_value())
                            } else {
                                None
                            };
                            match truth {
                                Some(truth) => store!(i.a(), Word::from_bool(truth)),
                                None => slow!(self.compare_to(window!(), i)),
                            }
                        }

                        Opcode::Jump => jump!(i),
                        Opcode::JumpIfTrue => {
                            let truth = match get!(i.a()) {
                                Word::TRUE => true,
                                Word::FALSE | Word::NONE => false,
                                word if word.is_small() => word.small_value() != 0,
                                _ => slow!(self.truth_of(window!(), i.a())),
                            };
                            if truth {
                                jump!(i);
                            }
                        }
                        Opcode::JumpIfFalse => {
                            let truth = match get!(i.a()) {
                                Word::TRUE => true,
                                Word::FALSE | Word::NONE => false,
                                word if word.is_small() => word.small_value() != 0,
                                _ => slow!(self.truth_of(window!(), i.a())),
                            };
                            if !truth {
                                jump!(i);
                            }
                        }
                        Opcode::JumpIfTrueKeep => {
                            let truth = match get!(i.a()) {
                                Word::TRUE => true,
                                Word::FALSE | Word::NONE => false,
                                _ => slow!(self.truth_kept(window!(), i.a())),
                            };
                            if truth {
                                jump!(i);
                            } else {
                                store!(i.a(), Word::UNBOUND);
                            }
                        }
                        Opcode::JumpIfFalseKeep => {
                            let truth = match get!(i.a()) {
                                Word::TRUE => true,
                                Word::FALSE | Word::NONE => false,
                                _ => slow!(self.truth_kept(window!(), i.a())),
                            };
                            if truth {
                                store!(i.a(), Word::UNBOUND);
                            } else {
                                jump!(i);
                            }
                        }
                        Opcode::JumpIfNone => {
                            let word = get!(i.a());
                            if word == Word::UNBOUND {
                                save!();
                                break 'raise self.unbound_local(window!(), i.a());
                            }
                            consume!(i.a(), word);
                            if word == Word::NONE {
                                jump!(i);
                            }
                        }
                        Opcode::JumpIfNotNone => {
                            let word = get!(i.a());
                            if word == Word::UNBOUND {
                                save!();
                                break 'raise self.unbound_local(window!(), i.a());
                            }
                            consume!(i.a(), word);
                            if word != Word::NONE {
                                jump!(i);
                            }
                        }
                        Opcode::JumpIfIs => {
                            let (left, right) = (get!(i.a()), get!(i.b()));
                            if left == Word::UNBOUND || right == Word::UNBOUND {
                                slow!(self.is_same(window!(), i));
                            }
                            consume!(i.a(), left);
                            consume!(i.b(), right);
                            if left == right {
                                jump!(i);
                            }
                        }
                        Opcode::JumpIfIsNot => {
                            let (left, right) = (get!(i.a()), get!(i.b()));
                            if left == Word::UNBOUND || right == Word::UNBOUND {
                                slow!(self.is_same(window!(), i));
                            }
                            consume!(i.a(), left);
                            consume!(i.b(), right);
                            if left != right {
                                jump!(i);
                            }
                        }
                        Opcode::JumpIfIn => {
                            if slow!(self.contains_registers(window!(), i)) {
                                jump!(i);
                            }
                        }
                        Opcode::JumpIfNotIn => {
                            if !slow!(self.contains_registers(window!(), i)) {
                                jump!(i);
                            }
                        }
                        Opcode::JumpIfLess => compare_jump!(i, <, Less, true),
                        Opcode::JumpIfNotLess => compare_jump!(i, <, Less, false),
                        Opcode::JumpIfLessEqual => compare_jump!(i, <=, LessEqual, true),
                        Opcode::JumpIfNotLessEqual => compare_jump!(i, <=, LessEqual, false),
                        Opcode::JumpIfGreater => compare_jump!(i, >, Greater, true),
                        Opcode::JumpIfNotGreater => compare_jump!(i, >, Greater, false),
                        Opcode::JumpIfGreaterEqual => compare_jump!(i, >=, GreaterEqual, true),
                        Opcode::JumpIfNotGreaterEqual => compare_jump!(i, >=, GreaterEqual, false),
                        Opcode::JumpIfEqual => compare_jump!(i, ==, Equal, true),
                        Opcode::JumpIfNotEqual => compare_jump!(i, ==, Equal, false),
                        Opcode::JumpIfDiffers => compare_jump!(i, !=, NotEqual, true),
                        Opcode::JumpIfNotDiffers => compare_jump!(i, !=, NotEqual, false),
                        Opcode::JumpIfLessImm => compare_jump_immediate!(i, <, Less, true),
                        Opcode::JumpIfNotLessImm => compare_jump_immediate!(i, <, Less, false),
                        Opcode::JumpIfLessEqualImm => {
                            compare_jump_immediate!(i, <=, LessEqual, true)
                        }
                        Opcode::JumpIfNotLessEqualImm => {
                            compare_jump_immediate!(i, <=, LessEqual, false)
                        }
                        Opcode::JumpIfGreaterImm => compare_jump_immediate!(i, >, Greater, true),
                        Opcode::JumpIfNotGreaterImm => {
                            compare_jump_immediate!(i, >, Greater, false)
                        }
                        Opcode::JumpIfGreaterEqualImm => {
                            compare_jump_immediate!(i, >=, GreaterEqual, true)
                        }
                        Opcode::JumpIfNotGreaterEqualImm => {
                            compare_jump_immediate!(i, >=, GreaterEqual, false)
                        }
                        Opcode::JumpIfEqualImm => compare_jump_immediate!(i, ==, Equal, true),
                        Opcode::JumpIfNotEqualImm => compare_jump_immediate!(i, ==, Equal, false),
                        Opcode::JumpIfDiffersImm => compare_jump_immediate!(i, !=, NotEqual, true),
                        Opcode::JumpIfNotDiffersImm => {
                            compare_jump_immediate!(i, !=, NotEqual, false)
                        }

                        Opcode::GetIterator => slow!(self.get_iterator(window!(), i)),
                        Opcode::ForIter => for_next!(i, i.b(), (), jump!(i)),
                        Opcode::LoopIter => for_next!(i, i.b(), jump!(i), ()),
                        Opcode::RangeStart => slow!(self.range_start(window!(), i)),
                        Opcode::ForRange => {
                            range_next!(i, (), jump!(i));
                            for_next!(i, i.b(), (), jump!(i));
                        }
                        Opcode::LoopRange => {
                            range_next!(i, jump!(i), ());
                            for_next!(i, i.b(), jump!(i), ());
                        }

                        Opcode::Call => {
                            let callable = reg!(i.a());
                            let argc = usize::from(i.b());
                            if i.c() == 0 {
                                try_fast_call!(callable, argc);
                            }
                            start_call!(callable, argc, i.c());
                        }
                        Opcode::CallMethod => {
                            let callable = reg!(i.a());
                            let argc = usize::from(i.b());
                            if get!(i.a() + 1) == Word::UNBOUND {
                                // No receiver: the arguments move down beside the callable.
                                // SAFETY: inside the window.
                                unsafe {
                                    std::ptr::copy(callable.add(2), callable.add(1), argc);
                                    callable.add(argc + 1).write(Word::UNBOUND);
                                }
                                start_call!(callable, argc, i.c());
                            } else {
                                if i.c() == 0 {
                                    try_fast_call!(callable, argc + 1);
                                }
                                start_call!(callable, argc + 1, i.c());
                            }
                        }
                        Opcode::CallSpread => {
                            save!();
                            // SAFETY: the operands are owned temporaries.
                            match unsafe { self.call_spread(reg!(i.a()), i.b() != 0) } {
                                Ok(super::call::Called::Entered) => enter!(),
                                Ok(super::call::Called::Done) => drain!(),
                                Err(raised) => break 'raise raised,
                            }
                        }
                        Opcode::Return => {
                            let word = get!(i.a());
                            if word == Word::UNBOUND {
                                save!();
                                break 'raise self.unbound_local(window!(), i.a());
                            }
                            if i.a() >= n_locals {
                                // SAFETY: inside the window.
                                unsafe { *reg!(i.a()) = Word::UNBOUND };
                            } else {
                                retain(word);
                            }
                            return_word!(word);
                        }
                        Opcode::ReturnConst => {
                            // SAFETY: the index is in range.
                            let word = unsafe { (&(*code).constants).get_unchecked(i.c() as usize).word() };
                            retain(word);
                            return_word!(word);
                        }
                        Opcode::MakeFunction => slow!(self.make_function(window!(), i)),

                        Opcode::Yield => {
                            save!();
                            match self.yield_value(window!(), i) {
                                Ok(None) => {
                                    load_state!();
                                    drain!();
                                }
                                Ok(Some(outcome)) => return Ok(outcome),
                                Err(raised) => break 'raise raised,
                            }
                        }
                        Opcode::YieldFrom => {
                            save!();
                            match self.yield_from(window!(), i) {
                                Ok(None) => {
                                    load_state!();
                                    drain!();
                                }
                                Ok(Some(outcome)) => return Ok(outcome),
                                Err(raised) => break 'raise raised,
                            }
                        }
                        Opcode::Send => {
                            save!();
                            match self.send(window!(), i) {
                                Ok(super::suspend::Sent::Entered) => enter!(),
                                Ok(super::suspend::Sent::Yielded) => drain!(),
                                Ok(super::suspend::Sent::Returned) => {
                                    drain!();
                                    jump!(i);
                                }
                                Err(raised) => break 'raise raised,
                            }
                        }
                        Opcode::GetAwaitable => {
                            let word = get!(i.b());
                            // A coroutine that has just been made is what its `await` drives.
                            // SAFETY: of that layout.
                            if is_layout(word, Layout::Generator) && unsafe { (*payload::<Generator>(word)).is_new_coroutine() } {
                                take_word!(i.b(), word);
                                store!(i.a(), word);
                                continue;
                            }
                            slow!(self.get_awaitable(window!(), i));
                        }
                        Opcode::GetYieldFromIterator => {
                            slow!(self.get_yield_from_iterator(window!(), i))
                        }
                        Opcode::GetAsyncIterator => slow!(self.get_async_iterator(window!(), i)),
                        Opcode::GetAsyncNext => slow!(self.get_async_next(window!(), i)),
                        Opcode::EndAsyncFor => slow!(self.end_async_for(window!(), i)),

                        Opcode::BuildTuple => slow!(self.build_tuple(window!(), i)),
                        Opcode::BuildList => slow!(self.build_list(window!(), i)),
                        Opcode::BuildSet => slow!(self.build_set(window!(), i)),
                        Opcode::BuildDict => slow!(self.build_dict(window!(), i)),
                        Opcode::BuildString => slow!(self.build_string(window!(), i)),
                        Opcode::BuildSlice => slow!(self.build_slice(window!(), i)),
                        Opcode::ListAppend => {
                            let (list, word) = (get!(i.a()), get!(i.b()));
                            if is_layout(list, Layout::List) && word != Word::UNBOUND {
                                // SAFETY: of that layout; nothing else refers to its payload now.
                                let items = unsafe { &mut (*payload::<List>(list)).items };
                                if items.len() < items.capacity() {
                                    take_word!(i.b(), word);
                                    // SAFETY: the word is owned.
                                    items.push(unsafe { Value::from_owned(word) });
                                    continue;
                                }
                            }
                            slow!(self.list_append(window!(), i));
                        }
                        Opcode::SetAdd => slow!(self.set_add_register(window!(), i)),
                        Opcode::DictSet => slow!(self.dict_set_register(window!(), i)),
                        Opcode::ListExtend => slow!(self.list_extend(window!(), i)),
                        Opcode::SetUpdate => slow!(self.set_update(window!(), i)),
                        Opcode::DictUpdate => slow!(self.dict_update(window!(), i)),
                        Opcode::DictMerge => slow!(self.dict_merge(window!(), i)),
                        Opcode::ListToTuple => slow!(self.list_to_tuple(window!(), i)),
                        Opcode::FormatSimple => slow!(self.format_simple(window!(), i)),
                        Opcode::FormatWithSpec => slow!(self.format_with_spec(window!(), i)),
                        Opcode::UnpackSequence => {
                            let source = get!(i.b());
                            let layout = layout_of(source);
                            let items: &[Value] = if layout == Layout::Tuple as u16 && self.is_exact_word(source) {
                                // SAFETY: of that layout.
                                unsafe { (*payload::<Tuple>(source)).items() }
                            } else if layout == Layout::List as u16 && self.is_exact_word(source) {
                                // SAFETY: of that layout.
                                unsafe { &(*payload::<List>(source)).items }
                            } else {
                                &[]
                            };
                            if items.len() == usize::from(i.d()) && i.d() != 0 {
                                if i.b() >= n_locals {
                                    // SAFETY: inside the window.
                                    unsafe { *reg!(i.b()) = Word::UNBOUND };
                                }
                                for (place, item) in items.iter().enumerate() {
                                    let word = item.word();
                                    retain(word);
                                    // SAFETY: dead temporaries.
                                    unsafe { reg!(i.a()).add(place).write(word) };
                                }
                                if i.b() >= n_locals {
                                    drop_word!(source);
                                }
                                continue;
                            }
                            slow!(self.unpack_sequence(window!(), i));
                        }
                        Opcode::UnpackStarred => slow!(self.unpack_starred(window!(), i)),

                        Opcode::Raise => {
                            save!();
                            break 'raise self.raise_instruction(window!(), i);
                        }
                        Opcode::PushHandled => slow!(self.push_handled(window!(), i)),
                        Opcode::PopHandled => slow!(self.pop_handled(window!(), i)),
                        Opcode::Reraise => {
                            save!();
                            break 'raise self.reraise_instruction(window!(), i);
                        }
                        Opcode::JumpIfNotMatch => {
                            if !slow!(self.exception_matches(window!(), i)) {
                                jump!(i);
                            }
                        }
                        Opcode::MatchGroup => slow!(self.match_group(window!(), i)),
                        Opcode::GroupRest => slow!(self.group_rest(window!(), i)),
                        Opcode::LoadAssertionError => {
                            slow!(self.load_assertion_error(window!(), i))
                        }
                        Opcode::SetupWith => slow!(self.setup_with(window!(), i)),
                        Opcode::LoadExceptionTriple => {
                            slow!(self.load_exception_triple(window!(), i))
                        }

                        Opcode::MatchSequence => slow!(self.match_sequence(window!(), i)),
                        Opcode::MatchMapping => slow!(self.match_mapping(window!(), i)),
                        Opcode::MatchKeys => slow!(self.match_keys(window!(), i)),
                        Opcode::MatchClass => slow!(self.match_class(window!(), i)),
                        Opcode::GetLen => slow!(self.get_len(window!(), i)),
                        Opcode::MatchRest => slow!(self.match_rest(window!(), i)),

                        Opcode::ImportName => slow!(self.import_name(window!(), i)),
                        Opcode::ImportFrom => slow!(self.import_from(window!(), i)),
                        Opcode::ImportStar => slow!(self.import_star(window!(), i)),
                        Opcode::LoadBuildClass => slow!(self.load_build_class(window!(), i)),
                        Opcode::LoadLocals => slow!(self.load_locals(window!(), i)),
                        Opcode::SetupAnnotations => slow!(self.setup_annotations(window!())),
                        Opcode::Intrinsic => slow!(self.intrinsic(window!(), i)),
                        Opcode::Intrinsic2 => slow!(self.intrinsic2(window!(), i)),
                        Opcode::Traced => {
                            // SAFETY: the place is saved.
                            slow!(unsafe { self.traced_instruction() });
                            // The instruction itself is back for this once.
                            // SAFETY: inside the code.
                            pc = unsafe { pc.sub(1) };
                        }
                        Opcode::Nop => check!(1),
                    }
                }
            };
            let _: super::vm::Raised = raised;
            // SAFETY: the pending exception is in `self.raised`; the top record is the one that raised, with its place saved or its instruction known.
            unsafe { self.frames.records.last_mut().unwrap_unchecked() }.pc = pc;
            // SAFETY: records are valid.
            match unsafe { self.unwind() } {
                super::unwind::Unwound::Handler => {
                    load_state!();
                    self.drain_if_dead();
                    continue 'frames;
                }
                super::unwind::Unwound::Left => {
                    self.drain_if_dead();
                    return Err(super::vm::Raised(()));
                }
            }
        }
    }

    /// Whether a pointer word's type is a built-in one, not a subclass of it by a script.
    #[inline(always)]
    fn is_exact_word(&self, word: Word) -> bool {
        match word.pointer() {
            // SAFETY: alive; types outlive their instances.
            Some(header) => unsafe { (*(*header).type_pointer()).payload.flags() & crate::object::type_object::HEAP_TYPE == 0 },
            None => true,
        }
    }

    /// The class of a value.
    #[inline(always)]
    fn class_of(&self, word: Word) -> *const Type {
        match word.pointer() {
            // SAFETY: alive; types outlive their instances.
            Some(header) => unsafe { &raw const (*(*header).type_pointer()).payload },
            // SAFETY: no pointer, so nothing is owned.
            None => self.class_of_immediate(word),
        }
    }

    #[cold]
    #[inline(never)]
    fn class_of_immediate(&self, word: Word) -> *const Type {
        // SAFETY: no pointer, so nothing is owned.
        let value = unsafe { Value::from_owned(word) };
        self.type_ref(&value).as_ptr().cast_const()
    }

    /// Whether a module is of the built-in class.
    #[inline(always)]
    fn is_plain_module(&self, module: Word) -> bool {
        std::ptr::eq(self.class_of(module), self.state().builtin(TypeId::Module).as_ptr())
    }

    /// Frees an object of which the last count was given back, and runs the finalisers that this brings about. The frame's place is saved.
    ///
    /// # Safety
    /// As for `free_last`.
    #[cold]
    #[inline(never)]
    unsafe fn free_and_drain(&mut self, word: Word) {
        // SAFETY: the caller's promise.
        unsafe { free_last(word) };
        self.drain_if_dead();
    }

    /// Frees an object of which the last count was given back; finalisers wait.
    ///
    /// # Safety
    /// As for `free_last`.
    #[cold]
    #[inline(never)]
    unsafe fn free_quietly(&mut self, word: Word) {
        // SAFETY: the caller's promise.
        unsafe { free_last(word) };
    }

    /// Drains the dead list if there is anything on it.
    #[inline]
    pub(crate) fn drain_if_dead(&mut self) {
        if self.heap().has_dead() {
            self.drain_dead();
        }
    }
}

/// What a module has at the place that `cache` names, if the version of its namespace is the one there; else unbound.
///
/// # Safety
/// The object in the word lives.
#[inline(always)]
unsafe fn module_entry(object: Word, cache: u64) -> Word {
    if !is_layout(object, Layout::Module) {
        return Word::UNBOUND;
    }
    // SAFETY: of that layout; the version proves that the entry is there.
    unsafe {
        let dict: *const Dict = (*payload::<Module>(object)).dict.as_ptr();
        if (*dict).version() == (cache >> 32) as u32 { (&(*dict).entries())[cache as u32 as usize].value.word() } else { Word::UNBOUND }
    }
}

/// What a class has at the place that `cache` names, if it is the class that the cache was filled for; else unbound.
///
/// # Safety
/// The object in the word lives.
#[inline(always)]
unsafe fn class_entry(object: Word, cache: u64) -> Word {
    if !is_layout(object, Layout::Type) {
        return Word::UNBOUND;
    }
    // SAFETY: of that layout; classes that change empty the caches.
    unsafe {
        let class: *const Type = payload::<Type>(object);
        if (*class).version.get() == (cache >> 32) as u32 { shared_entry(class, cache as u32) } else { Word::UNBOUND }
    }
}

/// The entry of a class of the MRO: which class stands in the upper 8 bits, which entry in the lower 24.
///
/// # Safety
/// The class lives, and has not changed since the entry was noted.
#[inline(always)]
unsafe fn shared_entry(class: *const Type, entry: u32) -> Word {
    // SAFETY: the caller's cache holds.
    unsafe {
        let base: *const Type = (&(*class).mro)[(entry >> 24) as usize].as_ptr();
        let dict: *const Dict = (*base).dict_as_is().as_ptr();
        (&(*dict).entries())[(entry & 0xFF_FFFF) as usize].value.word()
    }
}

/// The six comparisons of two numbers; the others are asked in another way.
#[inline(always)]
fn compare_words<T: PartialOrd>(comparison: u8, left: T, right: T) -> Option<bool> {
    const LESS: u8 = Comparison::Less as u8;
    const LESS_EQUAL: u8 = Comparison::LessEqual as u8;
    const EQUAL: u8 = Comparison::Equal as u8;
    const NOT_EQUAL: u8 = Comparison::NotEqual as u8;
    const GREATER: u8 = Comparison::Greater as u8;
    const GREATER_EQUAL: u8 = Comparison::GreaterEqual as u8;
    Some(match comparison {
        LESS => left < right,
        LESS_EQUAL => left <= right,
        EQUAL => left == right,
        NOT_EQUAL => left != right,
        GREATER => left > right,
        GREATER_EQUAL => left >= right,
        _ => return None,
    })
}

/// `left // right`, unless `right` is zero or the result does not fit.
#[inline(always)]
fn floor_divide(left: i64, right: i64) -> Option<Word> {
    if right == 0 { None } else { Word::from_small(int::floordiv_i64(left, right)) }
}

/// `left % right`, unless `right` is zero.
#[inline(always)]
fn floor_modulo(left: i64, right: i64) -> Option<Word> {
    if right == 0 { None } else { Some(Word::small(int::modulo_i64(left, right))) }
}

/// `value << count` when it fits in a word.
#[inline(always)]
fn shift_left(value: i64, count: i64) -> Option<Word> {
    if !(0..62).contains(&count) {
        return None;
    }
    let shifted = value << count;
    if shifted >> count == value { Word::from_small(shifted) } else { None }
}

/// `value >> count`.
#[inline(always)]
fn shift_right(value: i64, count: i64) -> Option<Word> {
    if count < 0 { None } else { Some(Word::small(value >> count.min(63))) }
}
