//! Classes: the payload of `type` objects, the slots that operators go through, and the specs by which Rust declares types.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use super::layout::{Layout, Payload};
use super::native::{GetSetSpec, Native, NativeFn};
use super::types::dict::Dict;
use super::value::{Ref, Value};
use super::word::Word;
use crate::code::instruction::Comparison;
use crate::object::account::vec_bytes;
use crate::vm::{Result, Vm};

/// Made by a class statement or `type(…)`: counted by its instances.
pub(crate) const HEAP_TYPE: u32 = 1;
/// Has `__del__`.
pub(crate) const HAS_DEL: u32 = 2;
/// Instances have a `__dict__` (in their shape, or in the first extra word).
pub(crate) const HAS_DICT: u32 = 4;
/// May be a base class.
pub(crate) const BASE_TYPE: u32 = 8;
/// Instances can be weakly referenced.
pub(crate) const HAS_WEAKREFS: u32 = 16;
/// Attributes of the class cannot be set by scripts.
pub(crate) const IMMUTABLE: u32 = 32;
/// A subclass of `BaseException`, `int`, `str`, …: the layouts say so; this one says that it is `type` or a subclass of it.
pub(crate) const IS_METACLASS: u32 = 64;
/// `match` treats instances as sequences.
pub(crate) const MATCH_SEQUENCE: u32 = 128;
/// `match` treats instances as mappings.
pub(crate) const MATCH_MAPPING: u32 = 256;
/// A class pattern with one positional sub-pattern matches the subject itself (`int(x)`).
pub(crate) const MATCH_SELF: u32 = 512;
/// `__getattribute__` is the object's own, `__getattr__` is absent: caches may be used.
pub(crate) const PLAIN_GETATTR: u32 = 1024;
/// `__setattr__` and `__delattr__` are the object's own.
pub(crate) const PLAIN_SETATTR: u32 = 2048;
/// A cache relies on this class or on a subclass: changing it flushes the caches.
pub(crate) const CACHED: u32 = 4096;
/// Cannot be instantiated: has abstract methods.
pub(crate) const ABSTRACT: u32 = 8192;
/// Instances refuse `cls()`: no constructor is offered to scripts.
pub(crate) const NO_NEW: u32 = 16384;
/// A native type whose namespace nobody has looked at: its methods are not made yet (see [`Vm::namespace`]).
pub(crate) const UNFILLED: u32 = 32768;

/// The payload of a class.
pub(crate) struct Type {
    flags: Cell<u32>,
    extra_words: Cell<u16>,
    /// The payload of its instances.
    pub(crate) layout: Layout,
    /// `__name__`.
    pub(crate) name: Value,
    /// `__qualname__`.
    pub(crate) qualname: Value,
    /// The base whose layout the instances share.
    pub(crate) base: Option<Ref<Type>>,
    /// `__bases__`, a tuple.
    pub(crate) bases: Value,
    /// The method resolution order, this class first.
    pub(crate) mro: Vec<Ref<Type>>,
    /// `__dict__`; reached through [`Vm::namespace`], which fills a native type's at the first look.
    dict: Ref<Dict>,
    pub(crate) slots: Slots,
    /// The shape of a fresh plain instance.
    pub(crate) root_shape: u32,
    /// How many slots a fresh plain instance gets.
    pub(crate) instance_capacity: Cell<u16>,
    /// How many of a plain instance's slots belong to `__slots__`.
    pub(crate) fixed_slots: u16,
    /// Subclasses, as weak references' targets: addresses that unregister themselves when they go.
    pub(crate) subclasses: Vec<Word>,
    /// The declaration, for a type that Rust provides.
    pub(crate) spec: Option<&'static TypeSpec>,
    /// A number no other class ever has, for inline caches; 0 while nobody asked for one.
    pub(crate) version: Cell<u32>,
    /// The constructor's row and its parsed signature, for a type that Rust provides.
    pub(crate) constructor: OnceCell<(&'static Native, Rc<super::signature::Signature>)>,
}

/// What a `Type` is made of.
pub(crate) struct TypeParts {
    pub(crate) flags: u32,
    pub(crate) extra_words: u16,
    pub(crate) layout: Layout,
    pub(crate) name: Value,
    pub(crate) qualname: Value,
    pub(crate) base: Option<Ref<Type>>,
    pub(crate) bases: Value,
    pub(crate) dict: Ref<Dict>,
    pub(crate) fixed_slots: u16,
    pub(crate) spec: Option<&'static TypeSpec>,
}

impl Type {
    pub(crate) fn new(parts: TypeParts) -> Self {
        Self {
            flags: Cell::new(parts.flags),
            extra_words: Cell::new(parts.extra_words),
            layout: parts.layout,
            name: parts.name,
            qualname: parts.qualname,
            base: parts.base,
            bases: parts.bases,
            mro: Vec::new(),
            dict: parts.dict,
            slots: Slots::NONE,
            root_shape: 0,
            instance_capacity: Cell::new(0),
            fixed_slots: parts.fixed_slots,
            subclasses: Vec::new(),
            spec: parts.spec,
            version: Cell::new(0),
            constructor: OnceCell::new(),
        }
    }

    /// The namespace as it is, which is empty before the first look at a native type.
    pub(crate) fn dict_as_is(&self) -> &Ref<Dict> {
        &self.dict
    }

    #[inline(always)]
    pub(crate) fn flags(&self) -> u32 {
        self.flags.get()
    }
    #[inline(always)]
    pub(crate) fn has(&self, flag: u32) -> bool {
        self.flags.get() & flag != 0
    }
    pub(crate) fn set_flag(&self, flag: u32, on: bool) {
        self.flags.set(if on { self.flags.get() | flag } else { self.flags.get() & !flag });
    }
    /// Words behind the payload of an instance that is not plain: its dict, then its slots.
    #[inline(always)]
    pub(crate) fn extra_words(&self) -> usize {
        usize::from(self.extra_words.get())
    }
    /// Whether `other` is this class or one of its bases.
    #[inline]
    pub(crate) fn is_subtype_of(&self, other: &Value) -> bool {
        self.mro.iter().any(|class| class.is(other))
    }
}

impl Payload for Type {
    const LAYOUT: Layout = Layout::Type;
    const IS_CONTAINER: bool = true;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        vec_bytes(&self.mro) + vec_bytes(&self.subclasses)
    }
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.name.word());
        visit(self.qualname.word());
        visit(self.bases.word());
        visit(self.dict.word());
        if let Some(base) = &self.base {
            visit(base.word());
        }
        for class in &self.mro {
            visit(class.word());
        }
    }
    fn clear(&mut self) {
        self.mro.clear();
        self.base = None;
        self.bases = Value::NONE;
    }
}

impl Drop for Type {
    fn drop(&mut self) {
        if self.root_shape != 0 {
            super::heap::note_dead_root(self);
        }
    }
}

/// `cls.__new__(cls, …)`.
pub(crate) type NewFn = fn(&mut Vm, &Ref<Type>, CallArgs<'_>) -> Result<Value>;
/// `repr(x)` and the like.
pub(crate) type UnaryFn = fn(&mut Vm, &Value) -> Result<Value>;
/// `a OP b`: called when either operand's type has it, with the operands in source order; `NotImplemented` to let the other try.
pub(crate) type BinaryFn = fn(&mut Vm, &Value, &Value) -> Result<Value>;

/// The operations a type's instances take part in. As in CPython, a class made by a script has functions here that look up and call the special methods.
#[derive(Clone, Copy)]
pub(crate) struct Slots {
    pub(crate) repr: Option<UnaryFn>,
    pub(crate) str: Option<UnaryFn>,
    /// `None`: unhashable.
    pub(crate) hash: Option<fn(&mut Vm, &Value) -> Result<i64>>,
    /// `self(*values[..n], **names)`: the last `names.len()` values are named.
    pub(crate) call: Option<fn(&mut Vm, &Value, CallArgs<'_>) -> Result<Value>>,
    /// Any attribute access; absent means the object's own.
    pub(crate) get_attribute: Option<fn(&mut Vm, &Value, &Value) -> Result<Value>>,
    /// Any attribute assignment (`Some`) or deletion (`None`).
    pub(crate) set_attribute: Option<fn(&mut Vm, &Value, &Value, Option<&Value>) -> Result<()>>,
    pub(crate) compare: Option<fn(&mut Vm, &Value, &Value, Comparison) -> Result<Value>>,
    pub(crate) iter: Option<UnaryFn>,
    /// The next item; `None` at the end.
    pub(crate) next: Option<fn(&mut Vm, &Value) -> Result<Option<Value>>>,
    pub(crate) len: Option<fn(&mut Vm, &Value) -> Result<usize>>,
    pub(crate) get_item: Option<BinaryFn>,
    /// Assignment (`Some`) or deletion (`None`) of an item.
    pub(crate) set_item: Option<fn(&mut Vm, &Value, &Value, Option<&Value>) -> Result<()>>,
    pub(crate) contains: Option<fn(&mut Vm, &Value, &Value) -> Result<bool>>,
    pub(crate) bool: Option<fn(&mut Vm, &Value) -> Result<bool>>,
    /// By [`BinaryOperator`].
    pub(crate) binary: [Option<BinaryFn>; 13],
    /// The augmented forms, by [`BinaryOperator`]; `self` first.
    pub(crate) in_place: [Option<BinaryFn>; 13],
    pub(crate) negative: Option<UnaryFn>,
    pub(crate) positive: Option<UnaryFn>,
    pub(crate) absolute: Option<UnaryFn>,
    pub(crate) invert: Option<UnaryFn>,
    pub(crate) int: Option<UnaryFn>,
    pub(crate) float: Option<UnaryFn>,
    pub(crate) index: Option<UnaryFn>,
    /// `__get__(descriptor, instance or None, class)`.
    pub(crate) descriptor_get: Option<fn(&mut Vm, &Value, Option<&Value>, &Value) -> Result<Value>>,
    /// `__set__` (`Some`) and `__delete__` (`None`): `(descriptor, instance, value)`.
    pub(crate) descriptor_set: Option<fn(&mut Vm, &Value, &Value, Option<&Value>) -> Result<()>>,
    pub(crate) await_: Option<UnaryFn>,
    pub(crate) aiter: Option<UnaryFn>,
    pub(crate) anext: Option<UnaryFn>,
    /// `cls.__new__(cls, …)`.
    pub(crate) new: Option<fn(&mut Vm, &Ref<Type>, CallArgs<'_>) -> Result<Value>>,
    /// `self.__init__(…)`.
    pub(crate) init: Option<fn(&mut Vm, &Value, CallArgs<'_>) -> Result<()>>,
}

impl Slots {
    pub(crate) const NONE: Self = Self {
        repr: None,
        str: None,
        hash: None,
        call: None,
        get_attribute: None,
        set_attribute: None,
        compare: None,
        iter: None,
        next: None,
        len: None,
        get_item: None,
        set_item: None,
        contains: None,
        bool: None,
        binary: [None; 13],
        in_place: [None; 13],
        negative: None,
        positive: None,
        absolute: None,
        invert: None,
        int: None,
        float: None,
        index: None,
        descriptor_get: None,
        descriptor_set: None,
        await_: None,
        aiter: None,
        anext: None,
        new: None,
        init: None,
    };
}

/// The binary operators, by their place in [`Slots::binary`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum BinaryOperator {
    Add,
    Subtract,
    Multiply,
    TrueDivide,
    FloorDivide,
    Modulo,
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
    Power,
    MatrixMultiply,
}

impl BinaryOperator {
    pub(crate) const ALL: [Self; 13] = [
        Self::Add,
        Self::Subtract,
        Self::Multiply,
        Self::TrueDivide,
        Self::FloorDivide,
        Self::Modulo,
        Self::And,
        Self::Or,
        Self::Xor,
        Self::ShiftLeft,
        Self::ShiftRight,
        Self::Power,
        Self::MatrixMultiply,
    ];
}

/// Binary slots of a spec, as a function that fits a `const`: `binary(&[(BinaryOperator::Add, add)])`.
pub(crate) const fn binary(rows: &[(BinaryOperator, BinaryFn)]) -> [Option<BinaryFn>; 13] {
    let mut table: [Option<BinaryFn>; 13] = [None; 13];
    let mut index = 0;
    while index < rows.len() {
        table[rows[index].0 as usize] = Some(rows[index].1);
        index += 1;
    }
    table
}

/// The arguments of a call before they are bound: positional ones, then named ones.
#[derive(Clone, Copy)]
pub(crate) struct CallArgs<'a> {
    /// All values; the last `names.len()` are the named ones.
    pub(crate) values: &'a [Value],
    /// The names, all `str`.
    pub(crate) names: &'a [Value],
}

impl<'a> CallArgs<'a> {
    /// Positional arguments only.
    pub(crate) fn positional(values: &'a [Value]) -> Self {
        Self { values, names: &[] }
    }
    /// The positional ones.
    pub(crate) fn unnamed(&self) -> &'a [Value] {
        &self.values[..self.values.len() - self.names.len()]
    }
    /// The named ones.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'a Value, &'a Value)> + use<'a> {
        self.names.iter().zip(&self.values[self.values.len() - self.names.len()..])
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// A type that Rust provides. Instances' attributes that are Rust's own are in `getset`.
pub(crate) struct TypeSpec {
    /// `__name__`; with dots, the part before the last one is `__module__` (otherwise `builtins`).
    pub(crate) name: &'static str,
    /// `__doc__`.
    pub(crate) doc: &'static str,
    /// The base; `None` is `object`.
    pub(crate) base: Option<&'static TypeSpec>,
    /// The payload of its instances.
    pub(crate) layout: Layout,
    /// Bits such as `BASE_TYPE`; `HEAP_TYPE` never.
    pub(crate) flags: u32,
    /// The constructor: a signature without the class, and a function that gets the class first.
    pub(crate) new: Option<Native>,
    pub(crate) slots: Slots,
    /// Methods; their signatures name `self` first.
    pub(crate) methods: &'static [Native],
    /// Class methods; their signatures name `cls` first.
    pub(crate) class_methods: &'static [Native],
    /// Static methods.
    pub(crate) static_methods: &'static [Native],
    pub(crate) getset: &'static [GetSetSpec],
    /// For named tuples: what their items and attributes are called.
    pub(crate) fields: Option<&'static super::types::structseq::Fields>,
}

impl TypeSpec {
    /// What most specs leave as it is.
    pub(crate) const DEFAULT: Self = Self {
        name: "",
        doc: "",
        base: None,
        layout: Layout::Instance,
        flags: 0,
        new: None,
        slots: Slots::NONE,
        methods: &[],
        class_methods: &[],
        static_methods: &[],
        getset: &[],
        fields: None,
    };
}

/// Shorthand for a native constructor.
pub(crate) const fn constructor(signature: &'static str, function: NativeFn) -> Option<Native> {
    Some(super::native::native(signature, function))
}
