//! What Rust offers to scripts: functions with a signature in Python's own syntax, attributes of native types, modules.

use std::cell::{Cell, OnceCell};
use std::ops::Deref;

use super::layout::{Layout, Payload};
use super::signature::Signature;
use super::type_object::TypeSpec;
use super::value::Value;
use super::word::Word;
use crate::vm::{Result, Vm};

/// A native function: it gets its arguments bound, in the order of its signature.
pub(crate) type NativeFn = fn(&mut Vm, Args<'_>) -> Result<Value>;

/// Bound arguments: one value for each parameter, `UNBOUND` for an optional one that was left out; a tuple for `*args`, a dict for `**kwargs`.
#[derive(Clone, Copy)]
pub(crate) struct Args<'a>(pub(crate) &'a [Value]);

impl<'a> Args<'a> {
    /// The argument, when it was given.
    #[inline]
    pub(crate) fn given(&self, index: usize) -> Option<&'a Value> {
        self.0.get(index).filter(|value| !value.is_unbound())
    }
    /// The argument, when it was given and is not `None`.
    #[inline]
    pub(crate) fn given_some(&self, index: usize) -> Option<&'a Value> {
        self.given(index).filter(|value| !value.is_none())
    }
    /// The argument, or `None` when it was left out.
    pub(crate) fn or_none(&self, index: usize) -> Value {
        self.given(index).cloned().unwrap_or(Value::NONE)
    }
    /// All of them.
    pub(crate) fn all(&self) -> &'a [Value] {
        self.0
    }
}

impl Deref for Args<'_> {
    type Target = [Value];
    fn deref(&self) -> &[Value] {
        self.0
    }
}

/// A row of a table of natives.
#[derive(Clone, Copy)]
pub(crate) struct Native {
    /// `name(parameters)` in Python's syntax. A parameter with a default is optional: the function sees it as `UNBOUND` when it was left out.
    pub(crate) signature: &'static str,
    pub(crate) function: NativeFn,
    /// How CPython's function takes its arguments apart, which words the refusals.
    pub(crate) family: Family,
    /// What `inspect` shows where it is not `signature`: CPython's own defaults and names, which bind nothing here.
    pub(crate) shown: Option<&'static str>,
}

/// The ways of CPython's functions to take their arguments apart. Each has words of its own for arguments too many or too few; see `signature.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Argument Clinic's, and the fixed counts of none and one.
    Clinic,
    /// A tuple, unpacked by number (`PyArg_UnpackTuple`).
    Unpacked,
    /// A tuple, parsed by a format (`PyArg_ParseTuple`).
    Parsed,
    /// As `Parsed`, of arguments that are no tuple: only the words for keywords differ.
    Stacked,
    /// A special method that stands for a slot, though a row gives it: `int.__divmod__`.
    Wrapper,
}

/// A row: a signature and the function that implements it.
pub(crate) const fn native(signature: &'static str, function: NativeFn) -> Native {
    Native { signature, function, family: Family::Clinic, shown: None }
}

impl Native {
    /// The row with the words of `PyArg_UnpackTuple`.
    pub(crate) const fn unpacked(self) -> Self {
        Self { family: Family::Unpacked, ..self }
    }
    /// The row with the words of `PyArg_ParseTuple`.
    pub(crate) const fn parsed(self) -> Self {
        Self { family: Family::Parsed, ..self }
    }
    /// The row with the words of `_PyArg_ParseStack`.
    pub(crate) const fn stacked(self) -> Self {
        Self { family: Family::Stacked, ..self }
    }
    /// The row of a method that is a slot's wrapper.
    pub(crate) const fn wrapper(self) -> Self {
        Self { family: Family::Wrapper, ..self }
    }
    /// The row with what `inspect` shows; an empty text shows that there is no signature.
    pub(crate) const fn shown(self, shown: &'static str) -> Self {
        Self { shown: Some(shown), ..self }
    }
    /// The parameters with their brackets, as `inspect` shows them.
    pub(crate) fn parameters(&self) -> std::borrow::Cow<'static, str> {
        let parameters = self.shown.unwrap_or_else(|| self.signature.find('(').map_or("()", |at| &self.signature[at..]));
        super::signature::without_annotations(parameters)
    }
    /// The name in the signature.
    pub(crate) fn name(&self) -> &'static str {
        self.signature.split_once('(').map_or(self.signature, |(name, _)| name)
    }
}

/// A module that Rust provides.
pub(crate) struct NativeModule {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) functions: &'static [Native],
    pub(crate) types: &'static [&'static TypeSpec],
    /// Adds constants and the like after functions and types are in place.
    pub(crate) init: Option<fn(&mut Vm, &Value) -> Result<()>>,
}

/// What a native function object is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NativeKind {
    /// `len`, `math.sqrt`; a method of a module or class, bound to it.
    Function,
    /// A method of a native type, found in its `__dict__`: binds when looked up on an instance.
    Method,
    /// The method that stands for a slot (`int.__add__`).
    SlotWrapper,
    /// `int.from_bytes` in the class's `__dict__`: binds the class.
    ClassMethod,
    /// A `Method` or `ClassMethod` bound to `receiver`.
    Bound,
    /// A `SlotWrapper` bound to `receiver` (`method-wrapper`).
    BoundSlotWrapper,
}

/// How many arguments a native function takes when it can be called with its arguments as they lie in the caller's window; found out at its first call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arity {
    pub(crate) least: u8,
    pub(crate) most: u8,
}

impl Arity {
    /// Not known, or the arguments have to be bound by the signature: no number of arguments fits.
    pub(crate) const UNKNOWN: Self = Self { least: u8::MAX, most: 0 };
    /// `send` of generators and coroutines, which the VM does itself.
    pub(crate) const SEND: Self = Self { least: u8::MAX - 1, most: 0 };
    /// The built-in `next`, likewise.
    pub(crate) const NEXT: Self = Self { least: u8::MAX - 2, most: 0 };
    /// The most arguments of such a function.
    pub(crate) const MAX: usize = 8;
}

/// A native function as an object.
pub(crate) struct NativeFunction {
    pub(crate) kind: NativeKind,
    pub(crate) code: NativeCode,
    /// The receiver of a method counts.
    pub(crate) arity: Cell<Arity>,
    /// The bound first argument: an instance or a class.
    pub(crate) receiver: Option<Value>,
    /// The class it belongs to, for methods; the module's name, for functions.
    pub(crate) owner: Value,
}

/// How a native function is entered.
#[derive(Clone)]
pub(crate) enum NativeCode {
    /// Arguments are bound by the signature.
    Table(&'static Native, std::rc::Rc<OnceCell<Signature>>),
    /// A slot, entered as its special method; see `slot_wrapper.rs`.
    Slot(&'static super::slot_wrapper::SpecialMethod),
    /// A function of the host's: the name, its signature and a closure.
    Host(std::rc::Rc<HostFunction>),
}

/// A function a host registered.
pub(crate) struct HostFunction {
    pub(crate) name: String,
    pub(crate) function: Box<dyn Fn(&mut Vm, super::type_object::CallArgs<'_>) -> Result<Value>>,
}

impl NativeFunction {
    /// One that has not been called yet.
    pub(crate) fn new(kind: NativeKind, code: NativeCode, receiver: Option<Value>, owner: Value) -> Self {
        Self { kind, code, arity: Cell::new(Arity::UNKNOWN), receiver, owner }
    }

    /// `__name__`.
    pub(crate) fn name(&self) -> &str {
        match &self.code {
            NativeCode::Table(native, _) => native.name(),
            NativeCode::Slot(method) => method.name,
            NativeCode::Host(host) => &host.name,
        }
    }
}

impl Payload for NativeFunction {
    const LAYOUT: Layout = Layout::NativeFunction;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        if let Some(receiver) = &self.receiver {
            visit(receiver.word());
        }
        visit(self.owner.word());
    }
    fn clear(&mut self) {
        self.receiver = None;
    }
}

/// An attribute of a native type's instances that Rust computes.
#[derive(Clone, Copy)]
pub(crate) struct GetSetSpec {
    pub(crate) name: &'static str,
    pub(crate) get: fn(&mut Vm, &Value) -> Result<Value>,
    /// Assignment (`Some`) and deletion (`None`); absent for a read-only one.
    pub(crate) set: Option<fn(&mut Vm, &Value, Option<&Value>) -> Result<()>>,
}

/// A read-only attribute.
pub(crate) const fn getter(name: &'static str, get: fn(&mut Vm, &Value) -> Result<Value>) -> GetSetSpec {
    GetSetSpec { name, get, set: None }
}

/// A `getset_descriptor`.
pub(crate) struct GetSet {
    pub(crate) spec: GetSetSpec,
    pub(crate) owner: Value,
}

impl Payload for GetSet {
    const LAYOUT: Layout = Layout::GetSet;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.owner.word());
    }
}

/// A `member_descriptor`: the attribute that `__slots__` gave a name and a place.
pub(crate) struct Member {
    pub(crate) name: Value,
    pub(crate) owner: Value,
    /// Which slot of a plain instance, or which extra word of another one.
    pub(crate) index: u16,
}

impl Payload for Member {
    const LAYOUT: Layout = Layout::Member;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.owner.word());
        visit(self.name.word());
    }
}
