//! The frames of a thread: the register stack, and a record for each running frame.
//!
//! - **F1** A record's `base` points to `code.n_registers` initialised words: in the thread's register stack, or in the window of the generator
//!   that the record names. Neither moves while the record exists.
//! - **F2** `base[-1]` holds the function that runs, owned by that slot; when the frame ends, the result replaces it. The function keeps the code alive
//!   that its frames run, also when it has got another one meanwhile (`Function::former_codes`).
//! - **F3** Every pointer word in the window is owned by it. Words of the stack above the top frame's live registers are no pointers.
//! - **F4** A frame object that shares the window (`Frame::window`) is let go of when the record is popped: it then takes the locals over.
#![allow(unsafe_code, reason = "registers are raw words in a stack that never moves; see F1 to F4")]

use std::alloc::{Layout as Block, handle_alloc_error};
use std::cell::Cell;

use super::vm::{Result, Vm};
use crate::object::heap::{reference_count, release};
use crate::object::types::TypeId;
use crate::object::types::code::Code;
use crate::object::types::dict::Dict;
use crate::object::types::frame::Frame;
use crate::object::types::function::Function;
use crate::object::types::generator::Generator;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::os::memory;

/// The native caller waits for this frame's result.
pub(crate) const ENTRY: u32 = 1;
/// Runs `__init__`: `aux` is the instance, which is the result.
pub(crate) const INIT: u32 = 2;
/// Runs a generator or coroutine: `aux` is that object.
pub(crate) const GENERATOR: u32 = 4;
/// `aux` is the namespace that the code's names live in.
pub(crate) const NAMESPACE: u32 = 8;

/// The frame stands apart from its caller's window: the result has to be fetched.
pub(crate) const FAR: u32 = 16;

/// A running frame.
pub(crate) struct Record {
    /// The instruction after the one that is running.
    pub(crate) pc: *const Cell<u64>,
    pub(crate) base: *mut Word,
    pub(crate) code: *const Code,
    /// The frame object, owned, if somebody looked; else unbound.
    pub(crate) frame_object: Word,
    /// Owned; what it is `flags` says.
    pub(crate) aux: Word,
    pub(crate) flags: u32,
}

/// Words in the main thread's register stack. Memory is taken as it is used.
const MAIN_STACK_WORDS: usize = 6 << 20;
/// Words in another thread's, of which there may be many.
const THREAD_STACK_WORDS: usize = 1 << 20;

/// How many words are made usable at a time, at least and at most.
const LEAST_EXTENSION: usize = 128;
const MOST_EXTENSION: usize = 2048;

/// The register stack and the records.
pub(crate) struct FrameStack {
    pub(crate) records: Vec<Record>,
    start: *mut Word,
    /// Words below this have been initialised.
    pub(crate) initialised: *mut Word,
    end: *mut Word,
    n_words: usize,
}

impl FrameStack {
    /// An empty one, for the main thread or another.
    pub(crate) fn new(is_main: bool) -> Self {
        let n_words = if is_main { MAIN_STACK_WORDS } else { THREAD_STACK_WORDS };
        Self { n_words, records: Vec::new(), start: std::ptr::null_mut(), initialised: std::ptr::null_mut(), end: std::ptr::null_mut() }
    }

    /// Whether it is as large as the main thread's, or another's.
    pub(crate) fn fits(&self, is_main: bool) -> bool {
        self.n_words == if is_main { MAIN_STACK_WORDS } else { THREAD_STACK_WORDS }
    }

    fn block(&self) -> Block {
        Block::array::<Word>(self.n_words).expect("one of two sizes")
    }

    /// One for a thread that is to start, with its memory; `None` when there is none.
    pub(super) fn for_thread() -> Option<Self> {
        let mut stack = Self::new(false);
        // What a thread needs that does nothing but wait.
        stack.records.reserve_exact(6);
        stack.try_allocate().then_some(stack)
    }

    #[cold]
    fn allocate(&mut self) {
        if !self.try_allocate() {
            handle_alloc_error(self.block());
        }
    }

    fn try_allocate(&mut self) -> bool {
        // Not by the allocator, which may give a block of this size out again, and would have to clear it.
        let Some(start) = memory::reserve(self.block().size()) else { return false };
        let start = start.as_ptr().cast::<Word>();
        self.start = start;
        self.initialised = start;
        // SAFETY: one past the end of the block.
        self.end = unsafe { start.add(self.n_words) };
        true
    }

    /// Makes the words up to `end` usable; `false` when the stack has no room for them.
    #[cold]
    #[inline(never)]
    pub(crate) fn extend(&mut self, end: *mut Word) -> bool {
        if self.start.is_null() {
            self.allocate();
        }
        if end >= self.end {
            return false;
        }
        // More is made usable the more was: a thread that does little touches little memory.
        // SAFETY: inside the block.
        unsafe {
            let more = (self.initialised.offset_from(self.start) as usize).clamp(LEAST_EXTENSION, MOST_EXTENSION);
            let target = end.add(more.min(self.end.offset_from(end) as usize));
            while self.initialised < target {
                self.initialised.write(Word::UNBOUND);
                self.initialised = self.initialised.add(1);
            }
        }
        true
    }
}

impl FrameStack {
    /// Bytes that have been taken into use.
    fn used_bytes(&self) -> usize {
        self.initialised.addr() - self.start.addr()
    }
}

impl Drop for FrameStack {
    fn drop(&mut self) {
        // A panic that left frames behind: what they own is lost, and frame objects that share their windows must stay valid (F4).
        if !self.records.is_empty() {
            return;
        }
        if let Some(start) = std::ptr::NonNull::new(self.start.cast()) {
            // SAFETY: reserved with this size.
            unsafe { memory::give_back(start, self.block().size()) };
        }
    }
}

impl Record {
    /// The code's payload.
    pub(crate) fn code(&self) -> &Code {
        // SAFETY: the function in `base[-1]` keeps its code alive (F2).
        unsafe { &*self.code }
    }

    /// The code as an object.
    pub(crate) fn code_object(&self) -> Ref<Code> {
        // SAFETY: as above.
        unsafe { Ref::of_payload(self.code) }
    }

    /// The function that runs.
    pub(crate) fn function(&self) -> Value {
        // SAFETY: F2.
        unsafe { Value::from_borrowed(self.base.sub(1).read()) }
    }

    /// The number of the instruction that is running.
    pub(crate) fn instruction(&self) -> u32 {
        let start = self.code().instructions.as_ptr();
        // SAFETY: `pc` points into the code's instructions.
        let next = unsafe { self.pc.offset_from(start) };
        (next.max(1) - 1) as u32
    }

    /// The generator that the frame belongs to.
    pub(crate) fn generator(&self) -> Option<Value> {
        if self.flags & GENERATOR == 0 {
            return None;
        }
        // SAFETY: the record owns `aux`.
        Some(unsafe { Value::from_borrowed(self.aux) })
    }
}

impl Vm {
    /// The first free word of the register stack.
    pub(crate) fn stack_top(&mut self) -> *mut Word {
        let Some(record) = self.frames.records.last() else {
            if self.frames.start.is_null() {
                self.frames.allocate();
            }
            return self.frames.start;
        };
        // SAFETY: the record owns `aux`, which is a generator when the flag says so; F1.
        unsafe {
            if record.flags & GENERATOR != 0 {
                (*(record.aux.bits() as *const crate::object::heap::Object<Generator>)).payload.stack_top
            } else {
                record.base.add(usize::from((*record.code).n_registers) + 1)
            }
        }
    }

    /// Makes words from the stack's top to `end` usable, or raises `RecursionError`.
    #[inline(always)]
    pub(crate) fn reserve_stack(&mut self, end: *mut Word) -> Result<()> {
        if end <= self.frames.initialised {
            return Ok(());
        }
        self.extend_stack(end)
    }

    /// Takes more of the register stack into use, and counts it.
    #[cold]
    #[inline(never)]
    fn extend_stack(&mut self, end: *mut Word) -> Result<()> {
        let before = self.frames.used_bytes();
        if !self.frames.extend(end) {
            return Err(self.too_deep());
        }
        let more = self.frames.used_bytes() - before;
        self.stack_counted += more;
        self.heap().count_outside(more as isize);
        Ok(())
    }

    /// The thread runs nothing any more: what this `Vm` took of its register stack is counted no longer.
    pub(crate) fn uncount_stack(&mut self) {
        let bytes = std::mem::take(&mut self.stack_counted);
        self.heap().count_outside(-(bytes as isize));
    }

    /// The namespace where the code of a record finds and stores names.
    pub(crate) fn record_namespace(&self, record: &Record) -> Option<Value> {
        if record.flags & NAMESPACE != 0 {
            // SAFETY: the record owns `aux`.
            return Some(unsafe { Value::from_borrowed(record.aux) });
        }
        if let Some(generator) = record.generator() {
            let generator = generator.downcast::<Generator>()?;
            let namespace = generator.get(self).namespace();
            return (!namespace.is_unbound()).then_some(namespace);
        }
        None
    }

    /// The globals of the running script function, if one runs.
    pub(crate) fn current_globals(&self) -> Option<Ref<Dict>> {
        let record = self.frames.records.last()?;
        let function = record.function();
        function.downcast::<Function>().map(|function| function.get(self).globals.clone())
    }

    /// `__name__` of the globals of the running script function.
    pub(crate) fn caller_module_name(&mut self) -> Result<Option<Value>> {
        let Some(globals) = self.current_globals() else { return Ok(None) };
        let name = self.name(super::state::Name::Name);
        self.dict_get(&globals, &name)
    }

    /// How many script frames are running.
    pub(crate) fn frame_count(&self) -> usize {
        self.frames.records.len()
    }

    /// The frame object of the running frame that is `depth` calls up; `None` when there are not so many.
    pub(crate) fn frame_at(&mut self, depth: usize) -> Option<Ref<Frame>> {
        let index = self.frames.records.len().checked_sub(depth + 1)?;
        Some(self.frame_object(index))
    }

    /// The frame object of the record at `index`.
    pub(crate) fn frame_object(&mut self, index: usize) -> Ref<Frame> {
        let record = &self.frames.records[index];
        // SAFETY: the record owns its frame object.
        let known = unsafe { Value::from_borrowed(record.frame_object) };
        if let Ok(frame) = known.into_ref::<Frame>() {
            return frame;
        }
        let (function, window) = (record.function(), record.base);
        let namespace = self.record_namespace(&self.frames.records[index]).unwrap_or(Value::UNBOUND);
        let payload = Frame::new(self, function, record.code_object(), namespace, window, 0).expect("a record's function is one (F2)");
        let frame = self.alloc(TypeId::Frame, payload);
        let word = frame.clone().into_value().into_word();
        let record = &mut self.frames.records[index];
        let old = std::mem::replace(&mut record.frame_object, word);
        release(old);
        if let Some(generator) = self.frames.records[index].generator() {
            if let Some(generator) = generator.downcast::<Generator>() {
                generator.get_mut(self).frame = Some(frame.clone());
            }
        }
        frame
    }

    /// The record of a live frame object, if it is running in this thread.
    pub(crate) fn record_of(&self, frame: &Ref<Frame>) -> Option<usize> {
        let window = frame.get(self).window;
        self.frames.records.iter().rposition(|record| record.base == window)
    }

    /// What a live or finished frame's local holds.
    pub(crate) fn frame_local(&self, frame: &Ref<Frame>, index: usize) -> Option<Value> {
        let payload = frame.get(self);
        if payload.is_live() {
            // SAFETY: the window lives (F4) and has a word for each local.
            let value = unsafe { Value::from_borrowed(payload.window.add(index).read()) };
            return Some(value).filter(|value| !value.is_unbound());
        }
        payload.locals.get(index).filter(|value| !value.is_unbound()).cloned()
    }

    /// Sets what a live or finished frame's local holds.
    pub(crate) fn set_frame_local(&mut self, frame: &Ref<Frame>, index: usize, value: Value) {
        let payload = frame.get_mut(self);
        if payload.is_live() {
            // SAFETY: the window lives (F4), and owns the word.
            let old = unsafe {
                let slot = payload.window.add(index);
                let old = slot.read();
                slot.write(value.into_word());
                Value::from_owned(old)
            };
            drop(old);
        } else if let Some(local) = payload.locals.get_mut(index) {
            let old = std::mem::replace(local, value);
            drop(old);
        }
    }

    /// The instruction a frame stands at.
    pub(crate) fn frame_instruction(&self, frame: &Ref<Frame>) -> u32 {
        match self.record_of(frame) {
            Some(index) => self.frames.records[index].instruction(),
            None => {
                let payload = frame.get(self);
                let elsewhere = if payload.is_live() { self.instruction_elsewhere(payload.window) } else { None };
                elsewhere.unwrap_or(payload.instruction)
            }
        }
    }

    /// Whether a frame was entered and has not run yet.
    pub(crate) fn is_at_start(&self, frame: &Ref<Frame>) -> bool {
        self.record_of(frame).is_some_and(|index| {
            let record = &self.frames.records[index];
            std::ptr::eq(record.pc, record.code().instructions.as_ptr())
        })
    }

    /// Lets the frame object of an ending frame go, or gives it the locals when somebody else has it too.
    ///
    /// # Safety
    /// `base` is the frame's window, whose locals are still there; `caller` is the place of the record below.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn detach_frame_object(&mut self, frame_object: Word, base: *mut Word, instruction: u32, caller: Option<usize>) {
        // SAFETY: the record owned it.
        let Ok(frame) = unsafe { Value::from_owned(frame_object) }.into_ref::<Frame>() else {
            return;
        };
        let shared = reference_count(&frame) > 1;
        let n_locals = usize::from(frame.get(self).code.get(self).n_locals);
        let payload = frame.get_mut(self);
        payload.window = std::ptr::null_mut();
        payload.instruction = instruction;
        if shared {
            let mut locals = Vec::with_capacity(n_locals);
            for index in 0..n_locals {
                // SAFETY: the window's locals are owned by it, and move to the frame object here.
                unsafe {
                    let slot = base.add(index);
                    locals.push(Value::from_owned(slot.read()));
                    slot.write(Word::UNBOUND);
                }
            }
            self.resize(&frame, |frame| frame.locals = locals.into_boxed_slice());
            let back = caller.filter(|&caller| caller < self.frames.records.len()).map(|caller| self.frame_object(caller));
            frame.get_mut(self).back = back;
        }
    }
}
