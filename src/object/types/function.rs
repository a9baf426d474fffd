//! Functions that scripts define, the cells of their closures, and methods bound to an instance: the payloads.

use crate::object::account::block;
use crate::object::layout::{Layout, Payload};
use crate::object::types::code::Code;
use crate::object::types::dict::Dict;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::vm::Vm;

/// A variable that several scopes share; unbound when it is empty.
pub(crate) struct CellPayload {
    pub(crate) content: Value,
}

impl Payload for CellPayload {
    const LAYOUT: Layout = Layout::Cell;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.content.word());
    }
    fn clear(&mut self) {
        self.content = Value::UNBOUND;
    }
}

/// A function.
///
/// The fields stand in the order in which a function lets go of them.
pub(crate) struct Function {
    pub(crate) globals: Ref<Dict>,
    pub(crate) builtins: Ref<Dict>,
    pub(crate) module: Value,
    /// The tuple of defaults of its last positional parameters.
    pub(crate) defaults: Option<Value>,
    /// The dict of defaults of keyword-only parameters.
    pub(crate) keyword_defaults: Option<Value>,
    pub(crate) doc: Value,
    /// The cells of its free variables.
    pub(crate) closure: Box<[Value]>,
    pub(crate) annotations: Option<Value>,
    pub(crate) type_params: Option<Value>,
    pub(crate) code: Ref<Code>,
    /// What `code` was before, as long as a frame may run it.
    #[allow(clippy::box_collection, reason = "hardly any function has one; a pointer is all the room it may take")]
    pub(crate) former_codes: Option<Box<Vec<Ref<Code>>>>,
    pub(crate) name: Value,
    /// The qualified name, if it is not its code's; see [`Vm::function_qualname`].
    pub(crate) qualname: Value,
}

impl Vm {
    /// A function's qualified name.
    pub(crate) fn function_qualname(&self, function: &Ref<Function>) -> Value {
        let payload = function.get(self);
        if payload.qualname.is_unbound() { self.code_qualname(&payload.code) } else { payload.qualname.clone() }
    }
}

impl Payload for Function {
    const LAYOUT: Layout = Layout::Function;
    const IS_CONTAINER: bool = true;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        block(self.closure.len() * size_of::<Value>())
    }
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.code.word());
        for code in self.former_codes.iter().flat_map(|codes| codes.iter()) {
            visit(code.word());
        }
        visit(self.globals.word());
        visit(self.builtins.word());
        for cell in &self.closure {
            visit(cell.word());
        }
        for value in [&self.defaults, &self.keyword_defaults, &self.annotations, &self.type_params].into_iter().flatten() {
            visit(value.word());
        }
        for value in [&self.name, &self.qualname, &self.module, &self.doc] {
            visit(value.word());
        }
    }
    fn clear(&mut self) {
        // The cells are emptied by their own `clear`; the function keeps its shape, since a finaliser may still call it.
        self.defaults = None;
        self.keyword_defaults = None;
        self.annotations = None;
        self.doc = Value::NONE;
        self.module = Value::NONE;
    }
}

/// A function bound to its first argument.
pub(crate) struct BoundMethod {
    pub(crate) function: Value,
    pub(crate) receiver: Value,
}

impl Payload for BoundMethod {
    const LAYOUT: Layout = Layout::BoundMethod;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.function.word());
        visit(self.receiver.word());
    }
}
