//! Code objects: an interpreter's own form of a compiled unit, with its constants as values, its copy of the instructions (which the VM
//! rewrites to faster forms) and its inline caches.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use crate::code::unit::Unit;
use crate::object::account::block;
use crate::object::layout::{Layout, Payload};
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::vm::Vm;

/// A code object.
pub(crate) struct Code {
    pub(crate) unit: Arc<Unit>,
    /// The instructions, as encoded words.
    pub(crate) instructions: Box<[Cell<u64>]>,
    pub(crate) constants: Box<[Value]>,
    /// The name of each site, interned.
    pub(crate) names: Box<[Value]>,
    /// The inline cache of each site; 0 is empty.
    pub(crate) caches: Box<[Cell<u64>]>,
    /// Whether a cache was filled since all were emptied: it is on the list of those that then are to be emptied again.
    pub(crate) has_filled: Cell<bool>,
    /// The code objects of the unit's function sites, made when they are first needed.
    pub(crate) functions: Box<[OnceCell<Ref<Code>>]>,
    /// The operations of the instructions, once a trace function's stops have been put in their places.
    pub(crate) traced: OnceCell<Box<[Cell<u8>]>>,
    /// The names of its parameters, interned.
    pub(crate) parameters: Box<[Value]>,
    pub(crate) name: Value,
    /// The qualified name, once somebody asked for it: see [`Vm::code_qualname`].
    pub(crate) qualname: OnceCell<Value>,
    pub(crate) filename: Value,
    /// Locals that are not parameters start unbound: from this register on.
    pub(crate) n_arguments: u16,
    pub(crate) n_locals: u16,
    pub(crate) n_registers: u16,
    /// Parameters are plain positional ones only.
    pub(crate) is_plain: bool,
    /// So are they, and a call runs the body at once.
    pub(crate) is_simple: bool,
    /// Its generators may be awaited (`types.coroutine`).
    pub(crate) is_awaitable: bool,
    /// Whether the parts that come from the unit's body are there: a function of the library gets them at its first call (`Vm::complete_code`).
    /// Until then it is neither plain nor simple, so no quick way of calling takes it.
    pub(crate) is_complete: bool,
}

impl Vm {
    /// The qualified name of a code object. Few are ever asked for: functions and generators without one of their own have this one, too.
    pub(crate) fn code_qualname(&self, code: &Ref<Code>) -> Value {
        let payload = code.get(self);
        payload.qualname.get_or_init(|| self.intern_symbol(&payload.unit.qualname)).clone()
    }
}

impl Payload for Code {
    const LAYOUT: Layout = Layout::Code;
    const IS_CONTAINER: bool = true;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        if !self.is_complete {
            return 0;
        }
        let units =
            self.instructions.len() + self.constants.len() + self.names.len() + self.caches.len() + self.parameters.len() + self.functions.len() * 2;
        // The unit counts here and in every interpreter that shares it.
        block(units * 8) + block(self.unit.heap_size())
    }
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        for constant in &self.constants {
            visit(constant.word());
        }
        for name in &self.names {
            visit(name.word());
        }
        for code in self.functions.iter().filter_map(OnceCell::get) {
            visit(code.word());
        }
        for name in &self.parameters {
            visit(name.word());
        }
        visit(self.name.word());
        if let Some(qualname) = self.qualname.get() {
            visit(qualname.word());
        }
        visit(self.filename.word());
    }
}
