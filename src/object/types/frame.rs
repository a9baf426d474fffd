//! Frame objects, made when somebody looks at a frame or an exception passes it, and traceback entries: the payloads.

use crate::object::account::block;
use crate::object::layout::{Layout, Payload};
use crate::object::types::code::Code;
use crate::object::types::dict::Dict;
use crate::object::types::function::Function;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::vm::Vm;

/// A frame as an object. While the frame runs or is suspended it shares the frame's window; afterwards it owns what the locals held.
pub(crate) struct Frame {
    pub(crate) code: Ref<Code>,
    pub(crate) globals: Ref<Dict>,
    pub(crate) builtins: Ref<Dict>,
    /// The function's closure cells, for free variables.
    pub(crate) function: Value,
    /// The namespace of a module or class body.
    pub(crate) namespace: Value,
    /// The window, while the frame lives; null afterwards.
    pub(crate) window: *mut Word,
    /// The instruction it stands at, once it has ended (a live frame's is in its record).
    pub(crate) instruction: u32,
    /// What the locals held when the frame ended.
    pub(crate) locals: Box<[Value]>,
    /// The frame that called it, when somebody asked while it lived.
    pub(crate) back: Option<Ref<Frame>>,
    /// Names that were added through `f_locals`.
    pub(crate) extra_locals: Option<Value>,
    /// `f_trace`: the frame's own trace function.
    pub(crate) trace: Value,
    /// `f_trace_lines`: it is told of lines.
    pub(crate) trace_lines: bool,
    /// `f_trace_opcodes`: it is told of instructions.
    pub(crate) trace_opcodes: bool,
    /// The line it was told of last.
    pub(crate) last_line: u32,
    /// The line it stands at, while it is told of one that has no instruction.
    pub(crate) silent_line: u32,
    /// The instruction that was looked at last.
    pub(crate) last_place: u32,
}

impl Frame {
    /// A frame whose locals are in `window`, where `function` stands at `instruction`; `None` if that is no function of a script. The code it runs may
    /// be another than the function's by now.
    pub(crate) fn new(vm: &Vm, function: Value, code: Ref<Code>, namespace: Value, window: *mut Word, instruction: u32) -> Option<Self> {
        let (globals, builtins) = {
            let function = function.downcast::<Function>()?.get(vm);
            (function.globals.clone(), function.builtins.clone())
        };
        Some(Self {
            code,
            globals,
            builtins,
            function,
            namespace,
            window,
            instruction,
            locals: Box::default(),
            back: None,
            extra_locals: None,
            trace: Value::NONE,
            trace_lines: true,
            trace_opcodes: false,
            last_line: 0,
            silent_line: 0,
            last_place: 0,
        })
    }

    /// Whether the frame still runs or is suspended.
    pub(crate) fn is_live(&self) -> bool {
        !self.window.is_null()
    }
}

impl Payload for Frame {
    const LAYOUT: Layout = Layout::Frame;
    const IS_CONTAINER: bool = true;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        block(self.locals.len() * size_of::<Value>())
    }
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.code.word());
        visit(self.globals.word());
        visit(self.builtins.word());
        visit(self.function.word());
        visit(self.namespace.word());
        for local in &self.locals {
            visit(local.word());
        }
        if let Some(back) = &self.back {
            visit(back.word());
        }
        if let Some(extra) = &self.extra_locals {
            visit(extra.word());
        }
        visit(self.trace.word());
    }
    fn clear(&mut self) {
        drop(std::mem::take(&mut self.locals));
        self.back = None;
        self.extra_locals = None;
    }
}

/// A traceback entry.
pub(crate) struct Traceback {
    pub(crate) frame: Ref<Frame>,
    /// The entry of the frame that this one called.
    pub(crate) next: Option<Ref<Traceback>>,
    /// The instruction that was running.
    pub(crate) instruction: u32,
    /// `tb_lineno`.
    pub(crate) line: u32,
}

impl Payload for Traceback {
    const LAYOUT: Layout = Layout::Traceback;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.frame.word());
        if let Some(next) = &self.next {
            visit(next.word());
        }
    }
    fn clear(&mut self) {
        self.next = None;
    }
}
