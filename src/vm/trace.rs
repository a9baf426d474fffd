//! `sys.settrace` and `sys.setprofile`.
//!
//! Nothing is paid while no thread traces. A thread that does sets the breaker's bit `TRACE`, so that every frame that is entered passes by here, is
//! announced (`call`), and has its code's instructions overwritten by `Traced`, each of which comes back here: for `line`, `opcode`, `return` and
//! `c_call`. The original operation is then put back for that one time; the next stop overwrites it again. `unwind` tells of exceptions.
#![allow(unsafe_code, reason = "instructions of live code are overwritten in place, operation only; see `quicken`")]

use super::vm::{Result, Vm};
use crate::code::instruction::{Opcode, Word as Instruction};
use crate::gil::TRACE;
use crate::object::native::{NativeFunction, NativeKind};
use crate::object::types::code::Code;
use crate::object::types::exception::Exception;
use crate::object::types::frame::Frame;
use crate::object::types::function::BoundMethod;
use crate::object::value::{Ref, Value};

/// What a thread traces by.
#[derive(Default)]
pub(crate) struct Tracing {
    tracer: Option<Value>,
    profiler: Option<Value>,
    /// A trace function runs: nothing is told of what it does.
    is_telling: bool,
    /// The instruction whose operation was put back for one time.
    restored: Option<(Ref<Code>, usize)>,
    /// The native function that was announced, and how many frames there were.
    native: Option<(usize, Value)>,
}

const TRACED: u64 = Opcode::Traced as u64;

/// The original operations of a code whose instructions are overwritten.
fn originals(code: &Code) -> &[std::cell::Cell<u8>] {
    code.traced.get().map_or(&[], |operations| operations)
}

/// The operation of an instruction that is overwritten.
pub(super) fn original(code: &Code, place: usize) -> Opcode {
    match originals(code).get(place) {
        // SAFETY: kept from an instruction of the unit.
        Some(operation) => unsafe { std::mem::transmute::<u8, Opcode>(operation.get()) },
        None => Opcode::Traced,
    }
}

/// Overwrites an instruction, keeping its operation.
fn overwrite(code: &Code, place: usize) {
    let (Some(cell), Some(original)) = (code.instructions.get(place), originals(code).get(place)) else { return };
    if cell.get() & 0xFF != TRACED {
        original.set(cell.get() as u8);
        cell.set(cell.get() & !0xFF | TRACED);
    }
}

/// Overwrites all instructions of a code.
fn overwrite_all(code: &Code) {
    code.traced.get_or_init(|| code.instructions.iter().map(|cell| std::cell::Cell::new(cell.get() as u8)).collect());
    for place in 0..code.instructions.len() {
        overwrite(code, place);
    }
}

impl Vm {
    /// Whether this thread traces, and is not in a trace function.
    #[inline]
    pub(crate) fn is_traced(&self) -> bool {
        (self.tracing.tracer.is_some() || self.tracing.profiler.is_some()) && !self.tracing.is_telling
    }

    /// `sys.gettrace()`
    pub(crate) fn tracer(&self) -> Value {
        self.tracing.tracer.clone().unwrap_or(Value::NONE)
    }

    /// `sys.getprofile()`
    pub(crate) fn profiler(&self) -> Value {
        self.tracing.profiler.clone().unwrap_or(Value::NONE)
    }

    /// `sys.settrace(function)`
    pub(crate) fn set_tracer(&mut self, function: Option<Value>) {
        let old = std::mem::replace(&mut self.tracing.tracer, function);
        self.tracing_changed(old.is_some() || self.tracing.profiler.is_some());
        if old.is_none() && self.tracing.tracer.is_some() {
            // Frames whose `f_trace` was set meanwhile tell of their lines, too.
            for index in 0..self.frames.records.len() {
                if self.frames.records[index].frame_object != crate::object::word::Word::UNBOUND {
                    let frame = self.frame_object(index);
                    if !frame.get(self).trace.is_none() {
                        overwrite_all(frame.get(self).code.get(self));
                        // The line that runs is not told again.
                        let place = self.frames.records[index].instruction();
                        let line = frame.get(self).code.get(self).unit.positions.position(place).line;
                        let payload = frame.get_mut(self);
                        (payload.last_line, payload.last_place) = (line, place);
                    }
                }
            }
        }
        drop(old);
    }

    /// `sys.setprofile(function)`. The frames that run already tell of their returns.
    pub(crate) fn set_profiler(&mut self, function: Option<Value>) {
        let old = std::mem::replace(&mut self.tracing.profiler, function);
        self.tracing_changed(old.is_some() || self.tracing.tracer.is_some());
        if self.tracing.profiler.is_some() {
            for record in &self.frames.records {
                overwrite_all(record.code());
            }
        }
        self.tracing.native = None;
        drop(old);
    }

    fn tracing_changed(&mut self, did_trace: bool) {
        let traces = self.tracing.tracer.is_some() || self.tracing.profiler.is_some();
        let state = self.state_mut();
        match (did_trace, traces) {
            (false, true) => state.n_tracing += 1,
            (true, false) => state.n_tracing = state.n_tracing.saturating_sub(1),
            _ => {}
        }
        let shared = self.state().shared.clone();
        if self.state().n_tracing > 0 {
            shared.breaker.set(TRACE);
        } else {
            shared.breaker.clear(TRACE);
        }
    }

    /// A thread that ends traces no more.
    pub(crate) fn stop_tracing(&mut self) {
        self.set_tracer(None);
        self.set_profiler(None);
    }

    /// The instruction that was put back is overwritten again, while anybody traces.
    pub(crate) fn overwrite_restored(&mut self) {
        if let Some((code, place)) = self.tracing.restored.take() {
            if self.state().n_tracing > 0 {
                overwrite(code.get(self), place);
            }
        }
    }

    /// Where an operation is rewritten to a faster one: the kept one, when the instruction is overwritten.
    pub(crate) fn rewrite_original(&self, opcode: Opcode) {
        if let Some(record) = self.frames.records.last() {
            if let Some(original) = originals(record.code()).get(record.instruction() as usize) {
                original.set(opcode as u8);
            }
        }
    }

    /// `f_trace` was set on a frame: its lines are told from now on.
    pub(crate) fn trace_frame(&self, frame: &Ref<Frame>) {
        if self.tracing.tracer.is_some() {
            overwrite_all(frame.get(self).code.get(self));
        }
    }

    fn tell(&mut self, function: &Value, frame: &Ref<Frame>, event: &str, argument: Value) -> Result<Value> {
        let event = self.intern(event);
        let handled = self.handled.clone();
        let native = self.tracing.native.take();
        self.tracing.is_telling = true;
        let result = self.call(function, &[(**frame).clone(), event, argument]);
        self.tracing.is_telling = false;
        self.tracing.native = native;
        drop(std::mem::replace(&mut self.handled, handled));
        result
    }

    /// Tells the profile function, which is given up when it raises.
    fn tell_profiler(&mut self, frame: &Ref<Frame>, event: &str, argument: Value) -> Result<()> {
        let Some(profiler) = self.tracing.profiler.clone() else { return Ok(()) };
        match self.tell(&profiler, frame, event, argument) {
            Ok(_) => Ok(()),
            Err(raised) => {
                self.set_profiler(None);
                Err(raised)
            }
        }
    }

    /// Tells a frame's own trace function, if it has one; tracing is given up when it raises.
    fn tell_tracer(&mut self, frame: &Ref<Frame>, event: &str, argument: Value) -> Result<()> {
        let local = frame.get(self).trace.clone();
        if self.tracing.tracer.is_none() || local.is_none() {
            return Ok(());
        }
        self.told(frame, &local, event, argument)
    }

    fn told(&mut self, frame: &Ref<Frame>, function: &Value, event: &str, argument: Value) -> Result<()> {
        match self.tell(function, frame, event, argument) {
            Ok(local) if local.is_none() => Ok(()),
            Ok(local) => {
                let old = std::mem::replace(&mut frame.get_mut(self).trace, local);
                drop(old);
                Ok(())
            }
            Err(raised) => {
                self.set_tracer(None);
                let old = std::mem::replace(&mut frame.get_mut(self).trace, Value::NONE);
                drop(old);
                Err(raised)
            }
        }
    }

    /// The top frame was entered or resumed.
    #[cold]
    #[inline(never)]
    pub(crate) fn trace_entry(&mut self) -> Result<()> {
        if !self.is_traced() {
            return Ok(());
        }
        let Some(frame) = self.frame_at(0) else { return Ok(()) };
        if let Some(tracer) = self.tracing.tracer.clone() {
            self.told(&frame, &tracer, "call", Value::NONE)?;
        }
        self.tell_profiler(&frame, "call", Value::NONE)?;
        if self.tracing.profiler.is_some() || !frame.get(self).trace.is_none() {
            overwrite_all(frame.get(self).code.get(self));
        }
        Ok(())
    }

    /// Stands at an overwritten instruction: tells what is about to happen, and puts the operation back for this time.
    ///
    /// # Safety
    /// The top record's `pc` stands behind the instruction.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn traced_instruction(&mut self) -> Result<()> {
        self.overwrite_restored();
        let Some(record) = self.frames.records.last() else { return Ok(()) };
        let place = record.instruction() as usize;
        if self.is_traced() {
            self.tell_of_instruction(place)?;
        }
        self.overwrite_restored();
        let Some(record) = self.frames.records.last() else { return Ok(()) };
        let code = record.code();
        if let (Some(cell), Some(original)) = (code.instructions.get(place), originals(code).get(place)) {
            cell.set(cell.get() & !0xFF | u64::from(original.get()));
        }
        if self.state().n_tracing > 0 {
            let code = self.frame_code();
            self.tracing.restored = code.map(|code| (code, place));
        }
        Ok(())
    }

    fn frame_code(&self) -> Option<Ref<Code>> {
        let function = self.frames.records.last()?.function();
        let function = function.downcast::<crate::object::types::function::Function>()?;
        let code = function.get(self).code.clone();
        // A function's code may have been exchanged since the frame began.
        std::ptr::eq(code.get(self), self.frames.records.last()?.code()).then_some(code)
    }

    fn tell_of_instruction(&mut self, place: usize) -> Result<()> {
        let Some(frame) = self.frame_at(0) else { return Ok(()) };
        self.native_returned(&frame)?;
        let Some(record) = self.frames.records.last() else { return Ok(()) };
        let code = record.code();
        let (instruction, opcode) = (Instruction(code.instructions[place].get()), original(code, place));
        if self.tracing.tracer.is_some() && !frame.get(self).trace.is_none() {
            let positions = &frame.get(self).code.get(self).unit.positions;
            let line = positions.position(place as u32).line;
            let silent = positions.silent_before(place as u32).to_vec();
            let payload = frame.get_mut(self);
            let is_ahead = payload.last_line == 0 || (place as u32) > payload.last_place;
            let tells_lines = payload.trace_lines;
            for (_, silent) in silent.into_iter().filter(|_| is_ahead && tells_lines) {
                frame.get_mut(self).last_line = silent;
                frame.get_mut(self).silent_line = silent;
                let told = self.tell_tracer(&frame, "line", Value::NONE);
                frame.get_mut(self).silent_line = 0;
                told?;
            }
            let payload = frame.get_mut(self);
            let is_new = line != 0 && (line != payload.last_line || (place as u32) <= payload.last_place);
            payload.last_place = place as u32;
            if line != 0 {
                payload.last_line = line;
            }
            let (lines, opcodes) = (payload.trace_lines, payload.trace_opcodes);
            if is_new && lines {
                self.tell_tracer(&frame, "line", Value::NONE)?;
            }
            if opcodes {
                self.tell_tracer(&frame, "opcode", Value::NONE)?;
            }
        }
        let register = |vm: &Self, index: u16| {
            vm.frames.records.last().map_or(Value::NONE, |record| {
                // SAFETY: an operand of the instruction, inside the window (F1).
                unsafe { Value::from_borrowed(record.base.add(usize::from(index)).read()) }
            })
        };
        let returned = match opcode {
            Opcode::Return => Some(register(self, instruction.a())),
            Opcode::ReturnConst => {
                let constants = &frame.get(self).code.get(self).constants;
                Some(constants.get(instruction.c() as usize).cloned().unwrap_or(Value::NONE))
            }
            Opcode::Yield => Some(register(self, instruction.b())),
            Opcode::YieldFrom => Some(register(self, instruction.a())),
            _ => None,
        };
        if let Some(value) = returned.filter(|value| !value.is_unbound()) {
            self.tell_tracer(&frame, "return", value.clone())?;
            self.tell_profiler(&frame, "return", value)?;
        }
        if self.tracing.profiler.is_some() && matches!(opcode, Opcode::Call | Opcode::CallMethod | Opcode::CallSpread) {
            let (callee, receiver) = (register(self, instruction.a()), register(self, instruction.a() + 1));
            let receiver = (opcode == Opcode::CallMethod && !receiver.is_unbound()).then_some(receiver);
            if let Some(native) = self.native_callee(callee, receiver) {
                self.tell_profiler(&frame, "c_call", native.clone())?;
                self.tracing.native = Some((self.frames.records.len(), native));
            }
        }
        Ok(())
    }

    /// The native function that a call is about to enter, bound to its receiver.
    fn native_callee(&mut self, callee: Value, receiver: Option<Value>) -> Option<Value> {
        let callee = match callee.downcast::<BoundMethod>() {
            Some(bound) => bound.get(self).function.clone(),
            None => callee,
        };
        let function = callee.downcast::<NativeFunction>()?;
        match function.get(self).kind {
            NativeKind::Function | NativeKind::Bound => Some(callee.clone()),
            NativeKind::Method => {
                let function = function.clone();
                let receiver = receiver?;
                Some(crate::object::types::function_methods::bind_native(self, &function, receiver))
            }
            _ => None,
        }
    }

    fn native_returned(&mut self, frame: &Ref<Frame>) -> Result<()> {
        let depth = self.frames.records.len();
        match self.tracing.native.take_if(|(known, _)| *known >= depth) {
            Some((known, native)) if known == depth => self.tell_profiler(frame, "c_return", native),
            _ => Ok(()),
        }
    }

    /// An exception passes the top frame. What a trace function raises takes its place.
    #[cold]
    #[inline(never)]
    pub(crate) fn trace_exception(&mut self, is_new: bool) {
        let (Some(exception), Some(frame)) = (self.raised.take(), self.frame_at(0)) else { return };
        let depth = self.frames.records.len();
        let mut told = Ok(());
        if let Some((known, native)) = self.tracing.native.take_if(|(known, _)| *known >= depth) {
            if known == depth {
                told = self.tell_profiler(&frame, "c_exception", native);
            }
        }
        if told.is_ok() && is_new {
            let class = self.type_of(&exception).into_value();
            let traceback = exception.downcast::<Exception>().map_or(Value::NONE, |payload| payload.get(self).traceback.clone());
            let argument = self.new_tuple(vec![class, exception.clone(), traceback]);
            told = self.tell_tracer(&frame, "exception", argument);
        }
        if told.is_ok() {
            self.raised = Some(exception);
        }
    }

    /// The top frame is left by an exception.
    #[cold]
    #[inline(never)]
    pub(crate) fn trace_unwind(&mut self) {
        let (Some(exception), Some(frame)) = (self.raised.take(), self.frame_at(0)) else { return };
        let told = self.tell_tracer(&frame, "return", Value::NONE).and_then(|()| self.tell_profiler(&frame, "return", Value::NONE));
        if told.is_ok() {
            self.raised = Some(exception);
        }
    }
}
