//! The stacks of all threads: `SIGQUIT`, `faulthandler`, `sys._current_frames`, and where a thread is for `--gil-stats`.
//!
//! - **T1** `State::live` names each `Vm` from the moment its thread has attached until it is dropped; a `Vm` does not move meanwhile. It changes only
//!   with the GIL held.
//! - **T2** A thread that does not hold the GIL stands in `Shared::attach`, `detach` or `yield_now`, or between `detach` and `attach` in code that
//!   touches no values: nothing of it uses its frames, which whoever holds the GIL may therefore look at.
#![allow(unsafe_code, reason = "looks at the frames of threads that do not run; see T1 and T2")]

use std::fmt::Write;
use std::ptr::NonNull;

use super::frame::{FrameStack, Record};
use super::vm::Vm;
use crate::object::types::function::Function;
use crate::object::types::str::Str;
use crate::object::value::Value;

/// More frames of one thread are not shown.
const MAX_FRAMES: usize = 100;

/// So many register stacks are kept for threads that come.
const SPARE_STACKS: usize = 4;

/// A thread that is attached, or was and comes back.
pub(crate) struct Live {
    vm: NonNull<Vm>,
    /// Who it is to the system.
    ident: u64,
}

impl Vm {
    /// The thread has attached: its frames can be looked at from now on. `self` must not move any more.
    pub(crate) fn enter(&mut self) {
        let ident = crate::os::thread::ident();
        let vm = NonNull::from(&mut *self);
        self.state_mut().live.push(Live { vm, ident });
    }

    /// Has register stacks ready for so many threads that are to start; `false` when there is no memory for them.
    pub(crate) fn reserve_stacks(&mut self, count: usize) -> bool {
        let stacks = &mut self.state_mut().spare_stacks;
        let n_ready = stacks.iter().filter(|stack| stack.fits(false)).count();
        for _ in n_ready..count {
            let Some(stack) = FrameStack::for_thread() else { return false };
            stacks.push(stack);
        }
        true
    }

    /// Where the script is: `FILE:LINE in FUNCTION`.
    pub(crate) fn place(&self) -> String {
        match self.frames.records.last() {
            Some(record) => {
                let (file, line, function) = self.describe(record);
                format!("{file}:{line} in {function}")
            }
            None => "no script".to_owned(),
        }
    }

    /// A frame's file, line and function.
    fn describe(&self, record: &Record) -> (String, u32, String) {
        let function = record.function();
        let Some(payload) = function.downcast::<Function>() else { return Default::default() };
        let code = payload.get(self).code.get(self);
        let text = |value: &Value| value.downcast::<Str>().map(|text| text.get(self).text.to_utf8_lossy().into_owned()).unwrap_or_default();
        (text(&code.filename), code.unit.positions.line(record.instruction()), text(&code.name))
    }

    fn write_stack(&self, out: &mut String, records: &[Record]) {
        for record in records.iter().rev().take(MAX_FRAMES) {
            let (file, line, function) = self.describe(record);
            let _ = writeln!(out, "  File \"{file}\", line {line} in {function}");
        }
        if records.is_empty() {
            out.push_str("  <no Python frame>\n");
        } else if records.len() > MAX_FRAMES {
            out.push_str("  ...\n");
        }
    }

    /// This thread's stack, the innermost frame first.
    pub(crate) fn own_stack(&self) -> String {
        let mut out = String::from("Stack (most recent call first):\n");
        self.write_stack(&mut out, &self.frames.records);
        out
    }

    /// The stacks of all threads and what each waits for; this one's last.
    pub(crate) fn all_stacks(&self) -> String {
        let mut out = String::new();
        let own = NonNull::from(self);
        for thread in self.state().live.iter().rev().filter(|thread| thread.vm != own) {
            // SAFETY: the `Vm` is there (T1) and its thread does not use its frames (T2).
            let other = unsafe { thread.vm.as_ref() };
            let name = label(&other.thread.name());
            let activity = match other.thread.wait.activity() {
                crate::gil::Activity::Nothing => String::new(),
                activity => format!(", waits for {activity}"),
            };
            let _ = writeln!(out, "Thread 0x{:016x}{name}{activity} (most recent call first):", thread.ident);
            self.write_stack(&mut out, &other.frames.records);
            out.push('\n');
        }
        let name = label(&self.thread.name());
        let _ = writeln!(out, "Current thread 0x{:016x}{name} (most recent call first):", crate::os::thread::ident());
        self.write_stack(&mut out, &self.frames.records);
        out
    }

    /// Whether a frame of any thread runs this function.
    pub(crate) fn is_running(&self, function: &Value) -> bool {
        let runs = |vm: &Vm| vm.frames.records.iter().any(|record| record.function().is(function));
        // SAFETY: as above; this thread is among them.
        self.state().live.iter().any(|thread| runs(unsafe { thread.vm.as_ref() }))
    }

    /// The instruction at which a frame stands that runs in another thread.
    pub(crate) fn instruction_elsewhere(&self, window: *mut crate::object::word::Word) -> Option<u32> {
        let own = NonNull::from(self);
        self.state().live.iter().filter(|thread| thread.vm != own).find_map(|thread| {
            // SAFETY: as above.
            let other = unsafe { thread.vm.as_ref() };
            other.frames.records.iter().rfind(|record| record.base == window).map(Record::instruction)
        })
    }

    /// The caller's frame of a frame that runs in another thread.
    pub(crate) fn back_elsewhere(&mut self, window: *mut crate::object::word::Word) -> Option<Value> {
        let own = NonNull::from(&mut *self);
        let others: Vec<NonNull<Vm>> = self.state().live.iter().map(|thread| thread.vm).filter(|vm| *vm != own).collect();
        others.into_iter().find_map(|vm| {
            // SAFETY: as above; making a frame object changes nothing but its record.
            let other = unsafe { &mut *vm.as_ptr() };
            let index = other.frames.records.iter().rposition(|record| record.base == window)?;
            Some(index.checked_sub(1).map_or(Value::NONE, |below| other.frame_object(below).into_value()))
        })
    }

    /// The innermost frame object of each thread, by the thread's identity.
    pub(crate) fn current_frames(&mut self) -> Vec<(u64, Value)> {
        let own = NonNull::from(&mut *self);
        let threads: Vec<(u64, NonNull<Vm>)> = self.state().live.iter().map(|thread| (thread.ident, thread.vm)).collect();
        let mut frames: Vec<(u64, Value)> = Vec::new();
        // A thread that a script called a host from, which called a script, is there twice: the inner one counts.
        for (ident, vm) in threads.into_iter().rev() {
            if frames.iter().any(|(known, _)| *known == ident) {
                continue;
            }
            let frame = if vm == own {
                self.frame_at(0)
            } else {
                // SAFETY: as above; making a frame object changes nothing but its record.
                unsafe { &mut *vm.as_ptr() }.frame_at(0)
            };
            if let Some(frame) = frame {
                frames.push((ident, frame.into_value()));
            }
        }
        frames
    }
}

fn label(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" [{name}]") }
}

impl Drop for Vm {
    fn drop(&mut self) {
        let own = NonNull::from(&mut *self);
        self.state_mut().live.retain(|thread| thread.vm != own);
        if self.frames.records.is_empty() && self.state().spare_stacks.len() < SPARE_STACKS {
            let stack = std::mem::replace(&mut self.frames, FrameStack::new(false));
            self.state_mut().spare_stacks.push(stack);
        }
    }
}
