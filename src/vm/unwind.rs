//! Leaving frames by an exception: the search for a handler, tracebacks, and what a frame owned.
#![allow(unsafe_code, reason = "releases the registers of frames that end (F3 in frame.rs)")]

use super::frame::{ENTRY, FAR, GENERATOR, INIT, NAMESPACE};
use super::vm::Vm;
use crate::code::unit::{Handler, HandlerKind};
use crate::object::heap::release;
use crate::object::types::TypeId;
use crate::object::types::exception::Exception;
use crate::object::types::frame::Traceback;
use crate::object::types::generator::Generator;
use crate::object::value::Value;
use crate::object::word::Word;

/// What the search for a handler came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unwound {
    /// The top record stands at a handler.
    Handler,
    /// The entry frame was left; the exception is still pending.
    Left,
}

impl Vm {
    /// Finds the handler of the pending exception, leaving frames without one up to and including the entry frame.
    ///
    /// # Safety
    /// The top record's `pc` stands behind the instruction that raised.
    #[inline(never)]
    pub(crate) unsafe fn unwind(&mut self) -> Unwound {
        loop {
            let Some(record) = self.frames.records.last() else { return Unwound::Left };
            let instruction = record.instruction();
            let base = record.base;
            let code = record.code;
            let is_reraised = std::mem::take(&mut self.skip_traceback);
            if !is_reraised {
                // After a `Reraise` this frame's entry is there already.
                self.add_traceback(instruction);
            }
            if self.is_traced() {
                self.trace_exception(!is_reraised);
            }
            // SAFETY: the record's code lives (F2).
            let payload = unsafe { &*code };
            let is_stop = self.raised_is_stop();
            let covers = |row: &&Handler| row.start <= instruction && instruction < row.end && !(is_stop && row.kind == HandlerKind::Except);
            let handler = payload.unit.handlers.iter().find(covers).copied();
            if let Some(handler) = handler.filter(|_| !self.skips_all_handlers()) {
                for index in usize::from(handler.depth)..usize::from(payload.n_registers) {
                    // SAFETY: the window owns its temporaries (F3).
                    unsafe {
                        let slot = base.add(index);
                        let word = *slot;
                        if word.is_pointer() {
                            *slot = Word::UNBOUND;
                            release(word);
                        }
                    }
                }
                if let Some(record) = self.frames.records.last_mut() {
                    // SAFETY: handlers are inside the code.
                    record.pc = unsafe { payload.instructions.as_ptr().add(handler.target as usize) };
                }
                return Unwound::Handler;
            }
            if self.is_traced() {
                self.trace_unwind();
            }
            let last = if is_reraised && payload.unit.positions.position(instruction).line == 0 { self.raised_at() } else { None };
            // SAFETY: the frame ends here.
            if unsafe { self.leave_frame(last.unwrap_or(instruction)) } {
                return Unwound::Left;
            }
        }
    }

    /// Where the pending exception left its trace in the top frame: a `Reraise` without a line of its own stands there, for whoever looks at the frame.
    fn raised_at(&self) -> Option<u32> {
        let record = self.frames.records.last()?;
        let traceback = &self.raised.as_ref()?.downcast::<Exception>()?.get(self).traceback;
        let entry = traceback.downcast::<Traceback>()?.get(self);
        (entry.frame.word() == record.frame_object).then_some(entry.instruction)
    }

    /// Leaves the top frame, which has not run yet, by the pending exception.
    ///
    /// # Safety
    /// The record is an entry frame that was just pushed.
    pub(super) unsafe fn leave_before_start(&mut self) {
        self.add_traceback(0);
        // SAFETY: the frame ends here.
        unsafe { self.leave_frame(0) };
    }

    /// Pops the top record, whose frame ends by an exception; whether it was an entry frame.
    unsafe fn leave_frame(&mut self, instruction: u32) -> bool {
        let Some(record) = self.frames.records.pop() else { return true };
        let base = record.base;
        // SAFETY: the record's code lives until `base[-1]` is released below.
        let (n_locals, n_registers) = unsafe { (usize::from((*record.code).n_locals), usize::from((*record.code).n_registers)) };
        // SAFETY: the window owns its registers.
        unsafe {
            for index in n_locals..n_registers {
                let slot = base.add(index);
                let word = *slot;
                if word.is_pointer() {
                    *slot = Word::UNBOUND;
                    release(word);
                }
            }
            if record.frame_object != Word::UNBOUND {
                let caller = self.frames.records.len().checked_sub(1);
                self.detach_frame_object(record.frame_object, base, instruction, caller);
            }
            if record.flags & GENERATOR == 0 {
                for index in 0..n_locals {
                    let slot = base.add(index);
                    let word = *slot;
                    if word.is_pointer() {
                        *slot = Word::UNBOUND;
                        release(word);
                    }
                }
            }
        }
        if record.flags & (INIT | NAMESPACE) != 0 {
            release(record.aux);
        }
        if record.flags & GENERATOR != 0 {
            // SAFETY: the record owned the generator.
            let generator = unsafe { Value::from_owned(record.aux) };
            if let Ok(generator) = generator.into_ref::<Generator>() {
                self.generator_failed(&generator);
            }
        } else {
            // SAFETY: F2; for an entry frame its caller finds the place empty.
            unsafe {
                let place = base.sub(1);
                let function = *place;
                *place = Word::UNBOUND;
                release(function);
            }
        }
        record.flags & ENTRY != 0
    }

    /// Begins the pending exception's traceback with the running frame when it has none: what was raised outside of scripts' code shows where that was
    /// called.
    pub(super) fn begin_traceback(&mut self) {
        let has_none = self.raised.as_ref().is_some_and(|exception| self.traceback_of(exception).is_none());
        if let Some(record) = self.frames.records.last().filter(|_| has_none) {
            let instruction = record.instruction();
            self.add_traceback(instruction);
        }
    }

    /// Adds the top frame to the pending exception's traceback.
    fn add_traceback(&mut self, instruction: u32) {
        let Some(exception) = self.raised.clone() else { return };
        let Some(payload) = exception.downcast::<Exception>() else { return };
        let Some(index) = self.frames.records.len().checked_sub(1) else { return };
        let unit = &self.frames.records[index].code().unit;
        if stands_for_native(&unit.filename) {
            return;
        }
        let line = unit.positions.position(instruction).line;
        let frame = self.frame_object(index);
        let next = payload.get(self).traceback.downcast::<Traceback>().cloned();
        let entry = self.alloc(TypeId::Traceback, Traceback { frame, next, instruction, line });
        let old = std::mem::replace(&mut payload.get_mut(self).traceback, entry.into_value());
        drop(old);
    }

    /// Ends the top frame, which is a generator's that a frame resumed and nobody looked at, with `result`.
    ///
    /// # Safety
    /// As for `return_special`.
    #[inline(never)]
    pub(crate) unsafe fn return_from_generator(&mut self, result: Word) -> super::vm::Result<Option<super::dispatch::Outcome>> {
        let Some(record) = self.frames.records.pop() else { return Ok(None) };
        // SAFETY: the caller owned the result, the record the generator.
        let (result, generator) = unsafe { (Value::from_owned(result), Value::from_owned(record.aux)) };
        match generator.into_ref::<Generator>() {
            Ok(generator) => self.generator_returned(&generator, result, false),
            Err(_) => Ok(None),
        }
    }

    /// Ends the top frame, which has something special about it, with `result`. `None`: its caller goes on. `Some`: an entry frame ended.
    ///
    /// # Safety
    /// The result is owned by the caller; the top record's `pc` is saved.
    #[inline(never)]
    pub(crate) unsafe fn return_special(&mut self, result: Word) -> super::vm::Result<Option<super::dispatch::Outcome>> {
        use super::dispatch::Outcome;
        let Some(record) = self.frames.records.last() else { return Ok(Some(Outcome::Returned)) };
        let instruction = record.instruction();
        let (flags, base, aux, frame_object) = (record.flags, record.base, record.aux, record.frame_object);
        // SAFETY: owned by the caller.
        let mut result = unsafe { Value::from_owned(result) };
        if flags & INIT != 0 && !result.is_none() {
            let message = format!("__init__() should return None, not '{}'", self.type_name(&result));
            let raised = self.type_error(message);
            // The exception belongs to the call, not to the frame that returned.
            // SAFETY: the frame ends here.
            unsafe { self.leave_frame(instruction) };
            return Err(raised);
        }
        // SAFETY: the record's code lives (F2).
        let n_locals = unsafe { usize::from((*record_code(self)).n_locals) };
        if frame_object != Word::UNBOUND {
            // SAFETY: the window's locals are still there.
            unsafe { self.detach_frame_object(frame_object, base, instruction, self.frames.records.len().checked_sub(2)) };
        }
        if flags & GENERATOR == 0 {
            for index in 0..n_locals {
                // SAFETY: the window owns its locals.
                unsafe {
                    let slot = base.add(index);
                    let word = *slot;
                    if word.is_pointer() {
                        *slot = Word::UNBOUND;
                        release(word);
                    }
                }
            }
        }
        self.frames.records.pop();
        if flags & GENERATOR != 0 {
            // SAFETY: the record owned the generator.
            let generator = unsafe { Value::from_owned(aux) };
            return match generator.into_ref::<Generator>() {
                Ok(generator) => self.generator_returned(&generator, result, flags & ENTRY != 0),
                Err(_) => Ok(Some(Outcome::Returned)),
            };
        }
        if flags & INIT != 0 {
            // SAFETY: the record owned the instance.
            result = unsafe { Value::from_owned(aux) };
        } else if flags & NAMESPACE != 0 {
            release(aux);
        }
        // SAFETY: F2.
        unsafe {
            let place = base.sub(1);
            let function = *place;
            *place = result.into_word();
            release(function);
        }
        if flags & ENTRY != 0 {
            return Ok(Some(Outcome::Returned));
        }
        self.hand_result(base, flags & FAR != 0);
        Ok(None)
    }

    /// When the callee stood apart from its caller's window (the caller is a generator's frame, or the arguments were spread), moves the result there.
    fn hand_result(&mut self, callee_base: *mut Word, is_far: bool) {
        let Some(record) = self.frames.records.last() else { return };
        if record.flags & GENERATOR == 0 && !is_far {
            return;
        }
        // SAFETY: the caller's instruction is a call, or reads a property: its first operand is the result's register. That of a call holds nothing.
        unsafe {
            let call = crate::code::instruction::Word((*record.pc.sub(1)).get());
            let result = std::ptr::replace(callee_base.sub(1), Word::UNBOUND);
            let old = std::ptr::replace(record.base.add(usize::from(call.a())), result);
            release(old);
        }
    }
}

fn record_code(vm: &Vm) -> *const crate::object::types::code::Code {
    vm.frames.records.last().map_or(std::ptr::null(), |record| record.code)
}

/// Library scripts that are native code in CPython: tracebacks do not show their frames, as they do not show a native function's.
const NATIVE_ELSEWHERE: &[&str] =
    &["_queue.scr", "_script/datetime.scr", "_typing.scr", "contextvars.scr", "csv.scr", "decimal.scr", "pickle.scr", "warnings.scr"];

fn stands_for_native(filename: &str) -> bool {
    filename.strip_prefix(super::import::LIBRARY).is_some_and(|file| NATIVE_ELSEWHERE.contains(&&file[1..]))
}
