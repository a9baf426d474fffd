//! Generators and coroutines: making, resuming, yielding, throwing and closing.
#![allow(unsafe_code, reason = "a generator's window is an array of owned words; its record points into it (F1 in frame.rs)")]

use super::dispatch::Outcome;
use super::frame::{ENTRY, GENERATOR, Record};
use super::vm::{Raised, Result, Vm};
use super::window::Window;
use crate::code::instruction::{Opcode, Word as Instruction};
use crate::object::heap::{flag, release};
use crate::object::types::TypeId;
use crate::object::types::code::Code;
use crate::object::types::exception::{Exception, ExceptionKind};
use crate::object::types::frame::Frame;
use crate::object::types::function::Function;
use crate::object::types::generator::{Awaiter, AwaiterKind, AwaiterState, Generator, GeneratorKind, GeneratorState};
use crate::object::value::{Ref, Value};
use crate::object::word::Word;

/// What resuming a generator from Rust came to.
pub(crate) enum Resumed {
    Yielded(Value),
    Returned(Value),
}

/// What became of a `Send` instruction.
pub(crate) enum Sent {
    /// The generator's frame was pushed.
    Entered,
    /// An item is in the value's register.
    Yielded,
    /// The result is in the value's register: jump.
    Returned,
}

impl Vm {
    /// The generator of a call: its window takes the bound arguments over.
    ///
    /// # Safety
    /// `window` holds the bound arguments of `code`, owned.
    pub(crate) unsafe fn make_generator(&mut self, function: &Ref<Function>, code: &Code, window: *mut Word) -> Value {
        let n_registers = usize::from(code.n_registers);
        // One word more than registers: a call of a class or of a bound method moves its arguments up by one.
        let mut words = Vec::with_capacity(n_registers + 2);
        words.push((**function).clone().into_word());
        for index in 0..n_registers {
            if index < usize::from(code.n_arguments) {
                // SAFETY: the argument moves.
                unsafe {
                    words.push(*window.add(index));
                    *window.add(index) = Word::UNBOUND;
                }
            } else {
                words.push(Word::UNBOUND);
            }
        }
        words.push(Word::UNBOUND);
        self.spend(code.instructions.len());
        let flags = code.unit.flags;
        let (kind, id) = if flags.is_async_generator {
            (GeneratorKind::AsyncGenerator, TypeId::AsyncGenerator)
        } else if flags.is_coroutine {
            (GeneratorKind::Coroutine, TypeId::Coroutine)
        } else {
            (GeneratorKind::Generator, TypeId::Generator)
        };
        let source = function.get(self);
        let mut payload = Generator::new(kind, source.code.clone(), words.into_boxed_slice());
        if !source.name.is(&code.name) || !source.qualname.is_unbound() {
            payload.rare_mut(source.name.clone(), self.function_qualname(function));
        }
        let generator = self.alloc(id, payload);
        if kind == GeneratorKind::Coroutine {
            mark_finalizer(&generator, true);
        }
        generator.into_value()
    }

    /// Pushes a generator's record; `value` is what the suspended `yield` gives.
    fn push_generator(&mut self, generator: &Ref<Generator>, value: Value, flags: u32) -> Result<()> {
        if self.frames.records.len() >= self.state().recursion_limit {
            return Err(self.too_deep());
        }
        let top = self.stack_top();
        // SAFETY: nothing else refers to the payload in this function.
        let payload = unsafe { &mut *generator.as_ptr() };
        let was_suspended = payload.state == GeneratorState::Suspended;
        payload.state = GeneratorState::Running;
        payload.stack_top = top;
        let own = std::mem::replace(&mut payload.handled, Value::NONE);
        payload.caller_handled = if payload.is_handling { std::mem::replace(&mut self.handled, own) } else { self.handled.clone() };
        let base = payload.window.as_mut_ptr().wrapping_add(1);
        let code = payload.code.as_ptr().cast_const();
        let mut released = Word::UNBOUND;
        // SAFETY: the window has `n_registers` words behind the function (F1); the receiver is a register.
        unsafe {
            // Where an exception is raised nothing was sent: what the receiver holds stays.
            if was_suspended && !value.is_unbound() {
                released = std::ptr::replace(base.add(usize::from(payload.receiver)), value.into_word());
            }
            self.frames.records.push(Record {
                pc: (*code).instructions.as_ptr().add(payload.instruction as usize),
                base,
                code,
                frame_object: payload.frame.as_ref().map_or(Word::UNBOUND, |frame| frame.clone().into_value().into_word()),
                aux: (**generator).clone().into_word(),
                flags: flags | GENERATOR,
            });
        }
        if released.is_pointer() {
            // What the yield's receiver held before may be gone now.
            release(released);
            self.drain_if_dead();
        }
        Ok(())
    }

    /// Enters a plain generator for a loop's next item; `false` when it has to be asked in another way (it is exhausted, running, or no plain generator).
    #[inline(never)]
    pub(crate) fn enter_generator(&mut self, word: Word) -> Result<bool> {
        // SAFETY: the word of a temporary, which the window owns until the generator's end.
        let value = std::mem::ManuallyDrop::new(unsafe { Value::from_owned(word) });
        let Some(generator) = value.downcast::<Generator>() else { return Ok(false) };
        let payload = generator.get(self);
        if payload.kind != GeneratorKind::Generator || !matches!(payload.state, GeneratorState::Created | GeneratorState::Suspended) {
            return Ok(false);
        }
        if payload.state == GeneratorState::Created {
            mark_finalizer(generator, true);
        }
        self.push_generator(generator, Value::NONE, 0)?;
        Ok(true)
    }

    /// Whether a call can resume a generator by pushing its frame; in all other cases its method says what is wrong, or how it ended.
    pub(crate) fn can_resume(&self, generator: &Ref<Generator>, sends_none: bool, is_next: bool) -> bool {
        let payload = generator.get(self);
        let fits = match payload.kind {
            GeneratorKind::Generator => true,
            GeneratorKind::Coroutine => !is_next,
            GeneratorKind::AsyncGenerator => false,
        };
        fits && match payload.state {
            GeneratorState::Suspended => true,
            GeneratorState::Created => sends_none,
            GeneratorState::Running | GeneratorState::Finished => false,
        }
    }

    /// Pushes the frame of a generator that `can_resume` allowed to be resumed.
    pub(crate) fn enter_resumable(&mut self, generator: &Ref<Generator>, value: Value) -> Result<()> {
        if generator.get(self).state == GeneratorState::Created {
            mark_finalizer(generator, true);
        }
        self.push_generator(generator, value, 0)
    }

    /// Resumes a generator from Rust: with a value, or by raising the pending exception in it.
    pub(crate) fn resume(&mut self, generator: &Ref<Generator>, value: Value, raise: bool) -> Result<Resumed> {
        self.enter_native()?;
        let noun = generator_noun(generator.get(self).kind);
        match generator.get(self).state {
            GeneratorState::Running => {
                if raise {
                    self.raised = None;
                }
                return Err(self.value_error(format!("{noun} already executing")));
            }
            GeneratorState::Finished => {
                let is_coroutine = generator.get(self).kind == GeneratorKind::Coroutine;
                if raise && !is_coroutine {
                    return Err(Raised(()));
                }
                self.raised = None;
                if is_coroutine {
                    return Err(self.runtime_error("cannot reuse already awaited coroutine"));
                }
                return Ok(Resumed::Returned(Value::NONE));
            }
            GeneratorState::Created => {
                if raise {
                    // It never ran: it ends with the exception raised at its first line.
                    return self.throw_into_created(generator);
                }
                if !value.is_none() {
                    return Err(self.type_error(format!("can't send non-None value to a just-started {noun}")));
                }
                mark_finalizer(generator, true);
            }
            GeneratorState::Suspended => {}
        }
        let pending = if raise { self.raised.take() } else { None };
        let is_handling = generator.get(self).is_handling;
        self.push_generator(generator, if raise { Value::UNBOUND } else { value }, ENTRY)?;
        if let Some(thrown) = pending {
            // What the generator itself was handling is its context; what its caller handles is not.
            if is_handling {
                let _: Raised = self.raise_value(thrown);
            } else {
                self.raised = Some(thrown);
            }
        }
        // SAFETY: the record has just been pushed.
        match unsafe { self.run_from(raise) }? {
            Outcome::Yielded => Ok(Resumed::Yielded(std::mem::replace(&mut self.transfer, Value::NONE))),
            Outcome::Returned => Ok(Resumed::Returned(std::mem::replace(&mut self.transfer, Value::NONE))),
        }
    }

    fn throw_into_created(&mut self, generator: &Ref<Generator>) -> Result<Resumed> {
        let pending = self.raised.take();
        self.push_generator(generator, Value::NONE, ENTRY)?;
        self.raised = pending;
        // No handler covers the place before the first instruction.
        // SAFETY: the record has just been pushed.
        unsafe { self.leave_before_start() };
        Err(Raised(()))
    }

    /// Takes the running generator's record away and suspends it; the resumer's handled exception is handled again.
    fn suspend(&mut self, instruction_after: u32, receiver: u16, delegate: Option<u16>) -> Option<(Ref<Generator>, u32)> {
        let record = self.frames.records.pop()?;
        // SAFETY: the record owned both.
        let (generator, frame_object) = unsafe { (Value::from_owned(record.aux), Value::from_owned(record.frame_object)) };
        let generator = generator.into_ref::<Generator>().ok()?;
        // SAFETY: nothing else refers to the payload in this function.
        let payload = unsafe { &mut *generator.as_ptr() };
        payload.state = GeneratorState::Suspended;
        payload.instruction = instruction_after;
        payload.receiver = receiver;
        payload.delegate = delegate;
        if let Ok(frame) = frame_object.into_ref::<Frame>() {
            frame.get_mut(self).instruction = instruction_after.saturating_sub(1);
            payload.frame = Some(frame);
        }
        let caller = std::mem::replace(&mut payload.caller_handled, Value::NONE);
        let own = std::mem::replace(&mut self.handled, caller);
        if payload.is_handling {
            payload.handled = own;
        }
        Some((generator, record.flags))
    }

    /// `Yield`: `None` when the resumer is a frame, which goes on.
    #[inline(never)]
    pub(crate) fn yield_value(&mut self, window: Window, i: Instruction) -> Result<Option<Outcome>> {
        let mut value = window.take(self, i.b())?;
        if window.code().unit.flags.is_async_generator {
            let payload = Awaiter {
                kind: AwaiterKind::WrappedValue,
                state: AwaiterState::Fresh,
                target: Value::NONE,
                value,
                extra: (Value::NONE, Value::NONE),
            };
            value = self.alloc(TypeId::AsyncGeneratorValue, payload).into_value();
        }
        self.give(value, i.a(), None)
    }

    /// `YieldFrom`.
    #[inline(never)]
    pub(crate) fn yield_from(&mut self, window: Window, i: Instruction) -> Result<Option<Outcome>> {
        let value = window.take_temporary(i.a());
        self.give(value, i.a(), Some(i.b()))
    }

    fn give(&mut self, value: Value, receiver: u16, delegate: Option<u16>) -> Result<Option<Outcome>> {
        let after = self.frames.records.last().map_or(0, |record| record.instruction() + 1);
        let Some((_, flags)) = self.suspend(after, receiver, delegate) else { return Ok(None) };
        if flags & ENTRY != 0 {
            self.transfer = value;
            return Ok(Some(Outcome::Yielded));
        }
        self.deliver(value, false)?;
        Ok(None)
    }

    /// Gives the frame that resumed a generator by an instruction what came of it: an item, or (`is_end`) its result. To one that called
    /// `send` or `next` the end is an exception.
    fn deliver(&mut self, value: Value, is_end: bool) -> Result<()> {
        let Some(record) = self.frames.records.last_mut() else { return Ok(()) };
        // SAFETY: `pc` stands behind the instruction that resumed; its registers are inside the window.
        unsafe {
            let i = Instruction((*record.pc.sub(1)).get());
            let opcode = match std::mem::transmute::<u8, Opcode>(i.opcode_byte()) {
                // A trace function stopped here again meanwhile.
                Opcode::Traced => super::trace::original(record.code(), record.instruction() as usize),
                opcode => opcode,
            };
            let window = Window::new(record.base, record.code);
            let target = record.pc.offset(i.jump() as isize);
            match (opcode, is_end) {
                (Opcode::ForIter | Opcode::ForRange, false) => window.set(i.a(), value),
                (Opcode::LoopIter | Opcode::LoopRange, false) => {
                    record.pc = target;
                    window.set(i.a(), value);
                }
                (Opcode::ForIter | Opcode::ForRange, true) => {
                    record.pc = target;
                    drop(window.take_temporary(i.b()));
                }
                (Opcode::LoopIter | Opcode::LoopRange, true) => drop(window.take_temporary(i.b())),
                (Opcode::Send | Opcode::Call | Opcode::CallMethod, false) => window.set(i.a(), value),
                (Opcode::Call | Opcode::CallMethod, true) => {
                    return Err(if value.is_none() { self.stop_iteration(None) } else { self.stop_iteration(Some(value)) });
                }
                (_, _) => {
                    record.pc = target;
                    window.set(i.a(), value);
                    drop(window.take_temporary(i.b()));
                }
            }
        }
        Ok(())
    }

    /// A generator's frame returned: its record is gone, its window not yet.
    pub(crate) fn generator_returned(&mut self, generator: &Ref<Generator>, result: Value, is_entry: bool) -> Result<Option<Outcome>> {
        self.finish_generator(generator);
        if is_entry {
            self.transfer = result;
            return Ok(Some(Outcome::Returned));
        }
        self.deliver(result, true)?;
        Ok(None)
    }

    /// A generator's frame was left by the pending exception: `StopIteration` inside it becomes a `RuntimeError` (PEP 479).
    pub(crate) fn generator_failed(&mut self, generator: &Ref<Generator>) {
        let kind = generator.get(self).kind;
        self.finish_generator(generator);
        let stopped = self.raised_is(ExceptionKind::StopIteration);
        let async_stopped = kind == GeneratorKind::AsyncGenerator && self.raised_is(ExceptionKind::StopAsyncIteration);
        if stopped || async_stopped {
            let cause = self.take_raised();
            let name = if stopped { "StopIteration" } else { "StopAsyncIteration" };
            let message = self.new_str(format!("{} raised {name}", generator_noun(kind)));
            let class = self.state().exception(ExceptionKind::RuntimeError).clone();
            let error = self.new_exception(&class, ExceptionKind::RuntimeError, vec![message]);
            if let Some(payload) = error.downcast::<Exception>() {
                let payload = payload.get_mut(self);
                payload.cause = cause.clone();
                payload.context = cause;
                payload.suppress_context = true;
            }
            self.raised = Some(error);
        }
    }

    fn finish_generator(&mut self, generator: &Ref<Generator>) {
        let window = self.resize(generator, |generator| std::mem::take(&mut generator.window));
        let payload = generator.get_mut(self);
        let was_running = payload.state == GeneratorState::Running;
        payload.state = GeneratorState::Finished;
        payload.delegate = None;
        let frame = payload.frame.take();
        let caller = std::mem::replace(&mut payload.caller_handled, Value::NONE);
        let own = std::mem::replace(&mut payload.handled, Value::NONE);
        // One that never ran has no caller whose handled exception would come back.
        if was_running {
            self.handled = caller;
        }
        drop(own);
        if let Some(frame) = frame {
            let n_locals = usize::from(frame.get(self).code.get(self).n_locals);
            if frame.get(self).is_live() && crate::object::heap::reference_count(&frame) > 1 {
                // SAFETY: the window's locals move to the frame object, and are empty in the window.
                let locals: Vec<Value> = window.iter().skip(1).take(n_locals).map(|word| unsafe { Value::from_owned(*word) }).collect();
                let payload = frame.get_mut(self);
                payload.window = std::ptr::null_mut();
                payload.locals = locals.into_boxed_slice();
                release(window[0]);
                for word in window.iter().skip(1 + n_locals) {
                    release(*word);
                }
                mark_finalizer(generator, false);
                return;
            }
            frame.get_mut(self).window = std::ptr::null_mut();
        }
        for word in window {
            release(word);
        }
        mark_finalizer(generator, false);
    }

    /// The frame object of a generator that has not finished.
    pub(crate) fn generator_frame(&mut self, generator: &Ref<Generator>) -> Option<Ref<Frame>> {
        let payload = generator.get(self);
        if payload.state == GeneratorState::Finished {
            return None;
        }
        if let Some(frame) = &payload.frame {
            return Some(frame.clone());
        }
        let window = generator.get_mut(self).window.as_mut_ptr().wrapping_add(1);
        if let Some(index) = self.frames.records.iter().rposition(|record| record.base == window) {
            return Some(self.frame_object(index));
        }
        let payload = generator.get(self);
        let (function, code, instruction) = (payload.function(), payload.code.clone(), payload.instruction);
        let frame = Frame::new(self, function, code, Value::UNBOUND, window, instruction.saturating_sub(1))?;
        let frame = self.alloc(TypeId::Frame, frame);
        generator.get_mut(self).frame = Some(frame.clone());
        // When the generator goes, the frame object has to be told.
        mark_finalizer(generator, true);
        Some(frame)
    }

    // ---- send, throw, close

    /// `generator.send(value)`.
    pub(crate) fn generator_send(&mut self, generator: &Ref<Generator>, value: Value) -> Result<Value> {
        match self.resume(generator, value, false)? {
            Resumed::Yielded(value) => Ok(value),
            Resumed::Returned(value) => Err(self.stop_generator(generator, value)),
        }
    }

    /// The `StopIteration` (or `StopAsyncIteration`) by which a generator's end is told.
    pub(crate) fn stop_generator(&mut self, generator: &Ref<Generator>, value: Value) -> Raised {
        if generator.get(self).kind == GeneratorKind::AsyncGenerator {
            return self.raise_new(ExceptionKind::StopAsyncIteration, Vec::new());
        }
        if value.is_none() { self.stop_iteration(None) } else { self.stop_iteration(Some(value)) }
    }

    /// The iterator a suspended generator delegates to.
    pub(crate) fn generator_delegate(&self, generator: &Ref<Generator>) -> Option<Value> {
        let payload = generator.get(self);
        if payload.state != GeneratorState::Suspended {
            return None;
        }
        let register = payload.delegate?;
        let word = *payload.window.get(usize::from(register) + 1)?;
        // SAFETY: the window owns it.
        Some(unsafe { Value::from_borrowed(word) }).filter(|value| !value.is_unbound())
    }

    /// `generator.throw(exception)`, with the exception made already.
    pub(crate) fn generator_throw(&mut self, generator: &Ref<Generator>, exception: Value) -> Result<Resumed> {
        let given = [exception.clone()];
        self.generator_throw_as(generator, exception, &given)
    }

    /// `generator_throw`; `given` is what the script gave, which a delegate that is no generator gets as it is.
    pub(crate) fn generator_throw_as(&mut self, generator: &Ref<Generator>, exception: Value, given: &[Value]) -> Result<Resumed> {
        if let Some(delegate) = self.generator_delegate(generator) {
            if self.is_exception(&exception, ExceptionKind::GeneratorExit) {
                let closed = self.close_delegate(generator, &delegate);
                if closed.is_err() {
                    return self.resume(generator, Value::NONE, true);
                }
                self.raised = Some(exception);
                return self.resume(generator, Value::NONE, true);
            }
            let is_generator = delegate.downcast::<Generator>().filter(|inner| inner.get(self).kind != GeneratorKind::AsyncGenerator).cloned();
            generator.get_mut(self).state = GeneratorState::Running;
            let outcome = match is_generator {
                Some(inner) => self.generator_throw_as(&inner, exception, given),
                None => match self.find_attr_str(&delegate, "throw") {
                    Ok(Some(throw)) => self.call(&throw, given).map(Resumed::Yielded),
                    Ok(None) => {
                        generator.get_mut(self).state = GeneratorState::Suspended;
                        self.raised = Some(exception);
                        return self.resume(generator, Value::NONE, true);
                    }
                    Err(raised) => Err(raised),
                },
            };
            generator.get_mut(self).state = GeneratorState::Suspended;
            return match outcome {
                Ok(Resumed::Yielded(value)) => Ok(Resumed::Yielded(value)),
                Ok(Resumed::Returned(value)) => self.continue_after_delegate(generator, value),
                Err(raised) => {
                    if self.raised_is(ExceptionKind::StopIteration) {
                        let stop = self.take_raised();
                        let value = stop_value(self, &stop);
                        return self.continue_after_delegate(generator, value);
                    }
                    let _ = raised;
                    self.resume(generator, Value::NONE, true)
                }
            };
        }
        self.raised = Some(exception);
        self.resume(generator, Value::NONE, true)
    }

    /// The delegate ended with `value` while an exception was thrown into it: the generator goes on behind its `YieldFrom`.
    fn continue_after_delegate(&mut self, generator: &Ref<Generator>, value: Value) -> Result<Resumed> {
        let payload = generator.get_mut(self);
        let after = payload.instruction as usize;
        let i = Instruction(payload.code.clone().get(self).instructions[after - 1].get());
        let payload = generator.get_mut(self);
        payload.instruction = (after as i64 + i64::from(i.jump())) as u32;
        if let Some(register) = payload.delegate.take() {
            let word = std::mem::replace(&mut payload.window[usize::from(register) + 1], Word::UNBOUND);
            release(word);
        }
        self.resume(generator, value, false)
    }

    fn close_delegate(&mut self, generator: &Ref<Generator>, delegate: &Value) -> Result<()> {
        generator.get_mut(self).state = GeneratorState::Running;
        let result = match delegate.downcast::<Generator>().filter(|inner| inner.get(self).kind != GeneratorKind::AsyncGenerator).cloned() {
            Some(inner) => self.generator_close(&inner).map(|_| ()),
            None => match self.find_attr_str(delegate, "close") {
                Ok(Some(close)) => self.call(&close, &[]).map(|_| ()),
                Ok(None) => Ok(()),
                Err(raised) => Err(raised),
            },
        };
        generator.get_mut(self).state = GeneratorState::Suspended;
        result
    }

    /// `generator.close()`: its return value since 3.13.
    pub(crate) fn generator_close(&mut self, generator: &Ref<Generator>) -> Result<Value> {
        match generator.get(self).state {
            GeneratorState::Created => {
                self.finish_generator(generator);
                return Ok(Value::NONE);
            }
            GeneratorState::Finished => return Ok(Value::NONE),
            GeneratorState::Running => {
                let noun = generator_noun(generator.get(self).kind);
                return Err(self.value_error(format!("{noun} already executing")));
            }
            GeneratorState::Suspended => {}
        }
        let mut raise_pending = false;
        if let Some(delegate) = self.generator_delegate(generator) {
            raise_pending = self.close_delegate(generator, &delegate).is_err();
        }
        if !raise_pending {
            // What is being handled outside is its context.
            let _ = self.raise_new(ExceptionKind::GeneratorExit, Vec::new());
        }
        match self.resume(generator, Value::NONE, true) {
            Ok(Resumed::Yielded(_)) => {
                let noun = generator_noun(generator.get(self).kind);
                Err(self.runtime_error(format!("{noun} ignored GeneratorExit")))
            }
            Ok(Resumed::Returned(value)) => Ok(value),
            Err(raised) => {
                if self.clear_if(ExceptionKind::GeneratorExit) || self.clear_if(ExceptionKind::StopIteration) {
                    Ok(Value::NONE)
                } else {
                    Err(raised)
                }
            }
        }
    }

    /// The finaliser of a generator that nobody refers to any more.
    pub(crate) fn finalize_generator(&mut self, generator: &Ref<Generator>) {
        let payload = generator.get(self);
        if payload.state == GeneratorState::Finished {
            return;
        }
        if payload.kind == GeneratorKind::AsyncGenerator
            && payload.rare().is_some_and(|rare| !rare.finalizer.is_none())
            && payload.state == GeneratorState::Suspended
            && !payload.is_closed
        {
            let finalizer = payload.rare().map_or(Value::NONE, |rare| rare.finalizer.clone());
            let argument: Value = (**generator).clone();
            if self.call(&finalizer, std::slice::from_ref(&argument)).is_err() {
                self.write_unraisable("Exception ignored in: ", &argument);
            }
            return;
        }
        if payload.kind == GeneratorKind::Coroutine && payload.state == GeneratorState::Created {
            self.warn_never_awaited(generator);
        }
        if self.generator_close(generator).is_err() {
            let argument: Value = (**generator).clone();
            self.write_unraisable("Exception ignored in: ", &argument);
        }
    }

    fn warn_never_awaited(&mut self, generator: &Ref<Generator>) {
        let argument: Value = (**generator).clone();
        let warned = self.import("warnings").and_then(|warnings| {
            let warn = self.get_attr_str(&warnings, "_warn_unawaited_coroutine")?;
            self.call(&warn, std::slice::from_ref(&argument))
        });
        if warned.is_err() {
            self.write_unraisable("Exception ignored in: ", &argument);
        }
    }

    /// Shows a warning through the `warnings` module.
    pub(crate) fn warn(&mut self, kind: ExceptionKind, message: &str) -> Result<()> {
        let warnings = self.import("warnings")?;
        let class = self.state().exception(kind).clone().into_value();
        let message = self.new_str(message);
        let warn = self.get_attr_str(&warnings, "warn")?;
        self.call(&warn, &[message, class])?;
        Ok(())
    }

    /// Shows a `ResourceWarning` about what goes and was not closed.
    pub(crate) fn warn_of_resource(&mut self, message: &str, source: &Value) -> Result<()> {
        let warnings = self.import("warnings")?;
        let class = self.state().exception(ExceptionKind::ResourceWarning).clone().into_value();
        let message = self.new_str(message);
        let warn = self.get_attr_str(&warnings, "warn")?;
        self.call(&warn, &[message, class, Value::small(1), source.clone()])?;
        Ok(())
    }

    // ---- await and delegation

    /// `Send`.
    #[inline(never)]
    pub(crate) fn send(&mut self, window: Window, i: Instruction) -> Result<Sent> {
        {
            // SAFETY: a temporary that no script can reach, and that is kept.
            let iterator = unsafe { window.borrow(i.b()) };
            if let Some(generator) = iterator.downcast::<Generator>() {
                if self.can_resume(generator, window.peek(i.a()) == Word::NONE, false) {
                    let value = window.take_temporary(i.a());
                    self.enter_resumable(generator, value)?;
                    return Ok(Sent::Entered);
                }
            }
        }
        let iterator = window.keep(self, i.b())?;
        let value = window.take_temporary(i.a());
        if let Some(generator) = iterator.downcast::<Generator>() {
            let payload = generator.get(self);
            let is_async = payload.kind == GeneratorKind::AsyncGenerator;
            if !is_async {
                return match self.resume(&generator.clone(), value, false)? {
                    Resumed::Yielded(item) => {
                        window.set(i.a(), item);
                        Ok(Sent::Yielded)
                    }
                    Resumed::Returned(result) => {
                        window.set(i.a(), result);
                        drop(window.take_temporary(i.b()));
                        Ok(Sent::Returned)
                    }
                };
            }
        }
        match self.send_to(&iterator, value)? {
            Resumed::Yielded(item) => {
                window.set(i.a(), item);
                Ok(Sent::Yielded)
            }
            Resumed::Returned(result) => {
                window.set(i.a(), result);
                drop(iterator);
                drop(window.take_temporary(i.b()));
                Ok(Sent::Returned)
            }
        }
    }

    /// Sends a value to any iterator: `None` is `next`, anything else its `send`.
    pub(crate) fn send_to(&mut self, iterator: &Value, value: Value) -> Result<Resumed> {
        if let Some(generator) = iterator.downcast::<Generator>() {
            if generator.get(self).kind != GeneratorKind::AsyncGenerator {
                let generator = generator.clone();
                return self.resume(&generator, value, false);
            }
        }
        if let Some(awaiter) = iterator.downcast::<Awaiter>() {
            let awaiter = awaiter.clone();
            return crate::object::types::generator_methods::awaiter_send(self, &awaiter, value);
        }
        let result = if value.is_none() && self.type_payload(iterator).slots.next.is_some() {
            match self.type_payload(iterator).slots.next {
                Some(next) => match next(self, iterator) {
                    Ok(Some(item)) => return Ok(Resumed::Yielded(item)),
                    Ok(None) => {
                        return Ok(Resumed::Returned(std::mem::replace(&mut self.transfer, Value::NONE)));
                    }
                    Err(raised) => Err(raised),
                },
                None => Ok(Value::NONE),
            }
        } else {
            self.call_method(iterator, "send", &[value])
        };
        match result {
            Ok(item) => Ok(Resumed::Yielded(item)),
            Err(raised) => {
                if self.raised_is(ExceptionKind::StopIteration) {
                    let stop = self.take_raised();
                    return Ok(Resumed::Returned(stop_value(self, &stop)));
                }
                Err(raised)
            }
        }
    }

    #[inline(never)]
    pub(crate) fn get_awaitable(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let iterator = self.awaitable_iterator(&value, i.k())?;
        if let Some(generator) = iterator.downcast::<Generator>() {
            if generator.get(self).kind == GeneratorKind::Coroutine && self.generator_delegate(generator).is_some() {
                return Err(self.runtime_error("coroutine is being awaited already"));
            }
        }
        drop(value);
        window.set(i.a(), iterator);
        Ok(())
    }

    /// What `await value` drives.
    pub(crate) fn awaitable_iterator(&mut self, value: &Value, context: u8) -> Result<Value> {
        if let Some(generator) = value.downcast::<Generator>() {
            let payload = generator.get(self);
            let is_iterable = payload.kind == GeneratorKind::Generator && payload.code.get(self).is_awaitable;
            if payload.kind == GeneratorKind::Coroutine || is_iterable {
                return Ok(value.clone());
            }
        }
        let Some(await_slot) = self.type_payload(value).slots.await_ else {
            let name = self.type_name(value);
            let message = match context {
                1 => format!("'async with' received an object from __aenter__ that does not implement __await__: {name}"),
                2 => format!("'async with' received an object from __aexit__ that does not implement __await__: {name}"),
                _ => format!("object {name} can't be used in 'await' expression"),
            };
            return Err(self.type_error(message));
        };
        let iterator = await_slot(self, value)?;
        if iterator.downcast::<Generator>().is_some_and(|generator| generator.get(self).kind == GeneratorKind::Coroutine) {
            return Err(self.type_error("__await__() returned a coroutine"));
        }
        if self.type_payload(&iterator).slots.next.is_none() {
            let message = format!("__await__() returned non-iterator of type '{}'", self.type_name(&iterator));
            return Err(self.type_error(message));
        }
        Ok(iterator)
    }

    #[inline(never)]
    pub(crate) fn get_yield_from_iterator(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let iterator = match value.downcast::<Generator>().map(|generator| generator.get(self).kind) {
            Some(GeneratorKind::Coroutine) => {
                if !window.code().unit.flags.is_coroutine && !window.code().is_awaitable {
                    return Err(self.type_error("cannot 'yield from' a coroutine object in a non-coroutine generator"));
                }
                value
            }
            Some(GeneratorKind::Generator) => value,
            _ => self.iter(&value)?,
        };
        window.set(i.a(), iterator);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn get_async_iterator(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let Some(aiter) = self.type_payload(&value).slots.aiter else {
            let message = format!("'async for' requires an object with __aiter__ method, got {}", self.type_name(&value));
            return Err(self.type_error(message));
        };
        let iterator = aiter(self, &value)?;
        if self.type_payload(&iterator).slots.anext.is_none() {
            let message = format!("'async for' received an object from __aiter__ that does not implement __anext__: {}", self.type_name(&iterator));
            return Err(self.type_error(message));
        }
        drop(value);
        window.set(i.a(), iterator);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn get_async_next(&mut self, window: Window, i: Instruction) -> Result<()> {
        let iterator = window.keep(self, i.b())?;
        let Some(anext) = self.type_payload(&iterator).slots.anext else {
            let message = format!("'async for' requires an iterator with __anext__ method, got {}", self.type_name(&iterator));
            return Err(self.type_error(message));
        };
        let awaitable = anext(self, &iterator)?;
        let Ok(driver) = self.awaitable_iterator(&awaitable, 0) else {
            let cause = self.take_raised();
            let message = format!("'async for' received an invalid object from __anext__: {}", self.type_name(&awaitable));
            let raised = self.type_error(message);
            if let Some(error) = self.raised.clone() {
                if let Some(payload) = error.downcast::<Exception>() {
                    let payload = payload.get_mut(self);
                    payload.cause = cause.clone();
                    payload.context = cause;
                    payload.suppress_context = true;
                }
            }
            return Err(raised);
        };
        window.set(i.a(), driver);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn end_async_for(&mut self, window: Window, i: Instruction) -> Result<()> {
        let exception = window.take_temporary(i.a());
        let previous = window.take_temporary(i.b());
        self.restore_handled(previous);
        if self.is_exception(&exception, ExceptionKind::StopAsyncIteration) {
            return Ok(());
        }
        Err(self.reraise_checked(exception))
    }

    // ---- the handled exception

    /// `PushHandled`: in a generator, what its resumer handles is not its own to restore, which an unbound register says.
    #[inline(never)]
    pub(crate) fn push_handled(&mut self, window: Window, i: Instruction) -> Result<()> {
        let exception = self.take_raised();
        let previous = std::mem::replace(&mut self.handled, exception.clone());
        let mut inherited = false;
        if let Some(generator) = self.frames.records.last().and_then(Record::generator)
            && let Some(generator) = generator.downcast::<Generator>()
        {
            inherited = !std::mem::replace(&mut generator.clone().get_mut(self).is_handling, true);
        }
        window.set(i.a(), if inherited { Value::UNBOUND } else { previous });
        window.set(i.b(), exception);
        Ok(())
    }

    /// What was handled before is handled again; whether a stop was handled meanwhile.
    fn restore_handled(&mut self, previous: Value) -> bool {
        let previous = if previous.is_unbound() {
            match self.frames.records.last().and_then(Record::generator) {
                Some(generator) => generator.downcast::<Generator>().cloned().map_or(Value::NONE, |generator| {
                    let payload = generator.get_mut(self);
                    payload.is_handling = false;
                    payload.caller_handled.clone()
                }),
                None => Value::NONE,
            }
        } else if previous.downcast::<Exception>().is_some() {
            previous
        } else {
            // Nothing; or anything at all, where a compiled file was forged.
            Value::NONE
        };
        let old = std::mem::replace(&mut self.handled, previous);
        self.leaves_stop_handler(&old)
    }

    #[inline(never)]
    pub(crate) fn pop_handled(&mut self, window: Window, i: Instruction) -> Result<()> {
        let previous = window.take_temporary(i.a());
        if self.restore_handled(previous) {
            // A `finally` clause that returns, or an exit method that says it has handled the exception, does not end a stop.
            return Err(self.raise_stop());
        }
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn reraise_instruction(&mut self, window: Window, i: Instruction) -> Raised {
        let exception = window.take_temporary(i.a());
        let previous = window.take_temporary(i.b());
        if self.restore_handled(previous) || self.leaves_stop_by(&exception) {
            // Nor does one that raises something else.
            self.skip_traceback = true;
            return self.raise_stop();
        }
        self.reraise_checked(exception)
    }

    /// Raises again what a register holds: an exception, unless a compiled file was forged, since the verifier knows no types.
    fn reraise_checked(&mut self, exception: Value) -> Raised {
        if exception.downcast::<Exception>().is_none() {
            return self.raise(ExceptionKind::SystemError, "the compiled file raises what is no exception");
        }
        self.skip_traceback = true;
        self.reraise(exception)
    }
}

/// `generator`, `coroutine` or `async generator`, as messages call it.
pub(crate) fn generator_noun(kind: GeneratorKind) -> &'static str {
    match kind {
        GeneratorKind::Generator => "generator",
        GeneratorKind::Coroutine => "coroutine",
        GeneratorKind::AsyncGenerator => "async generator",
    }
}

/// The value of a `StopIteration`.
pub(crate) fn stop_value(vm: &Vm, stop: &Value) -> Value {
    stop.downcast::<Exception>().and_then(|stop| stop.get(vm).fields.first().cloned()).unwrap_or(Value::NONE)
}

/// A generator that has started, or a coroutine, has something to do when it goes.
fn mark_finalizer(generator: &Ref<Generator>, on: bool) {
    if let Some(header) = generator.word().pointer() {
        // SAFETY: alive.
        let header = unsafe { &*header };
        if on {
            header.set_flag(flag::NEEDS_FINALIZER);
        } else {
            header.clear_flag(flag::NEEDS_FINALIZER);
        }
    }
}
