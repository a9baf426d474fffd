//! `weakref.ref` and the proxies: their methods.

use super::generic_alias_methods;
use super::weakref::WeakRef;
use crate::code::instruction::Comparison;
use crate::object::layout::Layout;
use crate::object::native::{Args, Native, getter, native};
use crate::object::sequence;
use crate::object::type_object::{BASE_TYPE, BinaryFn, BinaryOperator, CallArgs, HAS_WEAKREFS, NO_NEW, Slots, Type, TypeSpec};
use crate::object::types::exception::ExceptionKind;
use crate::object::value::{Ref, Value};
use crate::object::weak;
use crate::vm::{Result, Vm};

pub(crate) static REFERENCE: TypeSpec = TypeSpec {
    name: "weakref.ReferenceType",
    layout: Layout::WeakRef,
    flags: BASE_TYPE,
    slots: Slots { new: Some(new), init: Some(init), call: Some(call), hash: Some(hash), compare: Some(compare), repr: Some(repr), ..Slots::NONE },
    getset: &[getter("__callback__", |vm, this| Ok(reference_of(this).get(vm).callback.clone().unwrap_or(Value::NONE)))],
    class_methods: &[native("__class_getitem__(cls, object, /)", generic_alias_methods::class_get_item)],
    ..TypeSpec::DEFAULT
};

pub(crate) static PROXY: TypeSpec =
    TypeSpec { name: "weakref.ProxyType", layout: Layout::WeakRef, flags: NO_NEW, slots: PROXY_SLOTS, methods: PROXY_METHODS, ..TypeSpec::DEFAULT };

pub(crate) static CALLABLE_PROXY: TypeSpec = TypeSpec {
    name: "weakref.CallableProxyType",
    layout: Layout::WeakRef,
    flags: NO_NEW,
    slots: Slots {
        call: Some(|vm, this, args| {
            let target = target_of(vm, this)?;
            vm.call_args(&target, args)
        }),
        ..PROXY_SLOTS
    },
    methods: PROXY_METHODS,
    ..TypeSpec::DEFAULT
};

fn reference_of(value: &Value) -> &Ref<WeakRef> {
    value.downcast::<WeakRef>().expect("the slot or method was found on a weak reference")
}

/// What a reference refers to; `None` once it is gone.
pub(crate) fn target(vm: &Vm, reference: &Value) -> Option<Value> {
    weak::target(reference_of(reference).get(vm))
}

/// Raises `TypeError` for an object of a class without weak references.
fn check_target(vm: &mut Vm, object: &Value) -> Result<()> {
    if object.word().is_pointer() && vm.type_payload(object).has(HAS_WEAKREFS) {
        return Ok(());
    }
    let name = vm.type_name(object);
    Err(vm.type_error(format!("cannot create weak reference to '{name}' object")))
}

/// The reference of this very type and without a callback, which all who ask for one share.
fn shared(vm: &Vm, object: &Value, class: &Ref<Type>) -> Option<Value> {
    weak::references(object).into_iter().find(|known| known.get(vm).callback.is_none() && vm.type_of(known).is(class)).map(Ref::into_value)
}

fn make(vm: &mut Vm, class: &Ref<Type>, object: &Value, callback: Option<Value>, share: bool) -> Result<Value> {
    check_target(vm, object)?;
    if share && callback.is_none() {
        if let Some(known) = shared(vm, object, class) {
            return Ok(known);
        }
    }
    let reference = vm.alloc_for(class, WeakRef { target: std::cell::Cell::new(None), place: std::cell::Cell::new(0), callback, hash: None });
    weak::register(&reference, object);
    Ok(reference.into_value())
}

/// The weak reference without a callback to an object, which all who ask for one share.
pub(crate) fn new_reference(vm: &mut Vm, object: &Value) -> Result<Value> {
    let class = vm.native_type(&REFERENCE);
    make(vm, &class, object, None, true)
}

fn new(vm: &mut Vm, class: &Ref<Type>, args: CallArgs<'_>) -> Result<Value> {
    let exact = class.is(&vm.native_type(&REFERENCE));
    if exact {
        sequence::no_names(vm, "ref", args)?;
    }
    sequence::positional(vm, "__new__", CallArgs::positional(args.unnamed()), 1, 2)?;
    let callback = args.unnamed().get(1).filter(|callback| !callback.is_none()).cloned();
    make(vm, class, &args.unnamed()[0], callback, exact)
}

fn init(vm: &mut Vm, _: &Value, args: CallArgs<'_>) -> Result<()> {
    sequence::positional(vm, "__init__", CallArgs::positional(args.unnamed()), 1, 2)
}

fn call(vm: &mut Vm, this: &Value, args: CallArgs<'_>) -> Result<Value> {
    sequence::no_names(vm, "weakref", args)?;
    if !args.values.is_empty() {
        let count = args.values.len();
        return Err(vm.type_error(format!("weakref expected 0 arguments, got {count}")));
    }
    Ok(target(vm, this).unwrap_or(Value::NONE))
}

fn hash(vm: &mut Vm, this: &Value) -> Result<i64> {
    if let Some(hash) = reference_of(this).get(vm).hash {
        return Ok(hash);
    }
    let Some(target) = target(vm, this) else { return Err(vm.type_error("weak object has gone away")) };
    let hash = vm.hash(&target)?;
    reference_of(this).get_mut(vm).hash = Some(hash);
    Ok(hash)
}

fn compare(vm: &mut Vm, left: &Value, right: &Value, operation: Comparison) -> Result<Value> {
    if !left.holds::<WeakRef>() || !right.holds::<WeakRef>() || !matches!(operation, Comparison::Equal | Comparison::NotEqual) {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    match (target(vm, left), target(vm, right)) {
        (Some(left), Some(right)) => vm.compare(&left, &right, operation),
        _ => Ok(Value::from_bool(left.is(right) == (operation == Comparison::Equal))),
    }
}

fn repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let address = this.address();
    let Some(target) = target(vm, this) else { return Ok(vm.new_str(format!("<weakref at {address:#x}; dead>"))) };
    let (class, at) = (shown_class(vm, &target), target.address());
    // Only of what has a name by its type: functions and classes.
    let name = match vm.find_special(&target, "__name__")? {
        Some(name) => sequence::text(vm, &name),
        None => None,
    };
    Ok(vm.new_str(match name {
        Some(name) => format!("<weakref at {address:#x}; to '{class}' at {at:#x} ({name})>"),
        None => format!("<weakref at {address:#x}; to '{class}' at {at:#x}>"),
    }))
}

/// The name of an object's class, with its module where that is neither the program nor `builtins`.
fn shown_class(vm: &mut Vm, object: &Value) -> String {
    let class = vm.type_of(object);
    let name = vm.class_full_name(&class);
    name.strip_prefix("__main__.").map_or(name.clone(), str::to_owned)
}

// ---- proxies

/// The object of a proxy, or `ReferenceError`; anything else is itself.
fn target_of(vm: &mut Vm, value: &Value) -> Result<Value> {
    let Some(reference) = value.downcast::<WeakRef>() else { return Ok(value.clone()) };
    if !vm.type_of(value).get(vm).has(NO_NEW) {
        return Ok(value.clone());
    }
    match weak::target(reference.get(vm)) {
        Some(target) => Ok(target),
        None => Err(vm.raise(ExceptionKind::ReferenceError, "weakly-referenced object no longer exists")),
    }
}

/// `weakref.proxy(object, callback)`.
pub(crate) fn new_proxy(vm: &mut Vm, object: &Value, callback: Option<Value>) -> Result<Value> {
    check_target(vm, object)?;
    let callable = vm.type_payload(object).slots.call.is_some();
    let class = vm.native_type(if callable { &CALLABLE_PROXY } else { &PROXY });
    make(vm, &class, object, callback, true)
}

macro_rules! operators {
    ($($operator:ident),+) => {
        /// A function for each operator that takes both operands out of their proxies.
        const FORWARDED: [Option<BinaryFn>; 13] = [$(Some(|vm, left, right| {
            let (left, right) = (target_of(vm, left)?, target_of(vm, right)?);
            vm.binary(BinaryOperator::$operator, &left, &right)
        })),+];
        const FORWARDED_IN_PLACE: [Option<BinaryFn>; 13] = [$(Some(|vm, left, right| {
            let (left, right) = (target_of(vm, left)?, target_of(vm, right)?);
            vm.in_place(BinaryOperator::$operator, &left, &right)
        })),+];
    };
}
operators!(Add, Subtract, Multiply, TrueDivide, FloorDivide, Modulo, And, Or, Xor, ShiftLeft, ShiftRight, Power, MatrixMultiply);

macro_rules! forwarded {
    ($method:ident) => {
        Some(|vm, this| {
            let target = target_of(vm, this)?;
            vm.$method(&target)
        })
    };
}

const PROXY_SLOTS: Slots = Slots {
    repr: Some(|vm, this| {
        let (address, Some(target)) = (this.address(), target(vm, this)) else {
            let address = this.address();
            return Ok(vm.new_str(format!("<weakproxy at {address:#x}; dead>")));
        };
        let (class, at) = (shown_class(vm, &target), target.address());
        Ok(vm.new_str(format!("<weakproxy at {address:#x}; to '{class}' at {at:#x}>")))
    }),
    str: forwarded!(str),
    get_attribute: Some(|vm, this, name| {
        let target = target_of(vm, this)?;
        vm.get_attr(&target, name)
    }),
    set_attribute: Some(|vm, this, name, value| {
        let target = target_of(vm, this)?;
        match value {
            Some(value) => vm.set_attr(&target, name, value),
            None => vm.del_attr(&target, name),
        }
    }),
    compare: Some(|vm, left, right, operation| {
        let (left, right) = (target_of(vm, left)?, target_of(vm, right)?);
        vm.compare(&left, &right, operation)
    }),
    iter: forwarded!(iter),
    next: Some(|vm, this| {
        let target = target_of(vm, this)?;
        if vm.type_payload(&target).slots.next.is_none() {
            let name = vm.type_name(&target);
            return Err(vm.type_error(format!("Weakref proxy referenced a non-iterator '{name}' object")));
        }
        vm.next(&target)
    }),
    len: forwarded!(len),
    get_item: Some(|vm, this, key| {
        let target = target_of(vm, this)?;
        vm.get_item(&target, key)
    }),
    set_item: Some(|vm, this, key, value| {
        let target = target_of(vm, this)?;
        match value {
            Some(value) => vm.set_item(&target, key, value),
            None => vm.del_item(&target, key),
        }
    }),
    contains: Some(|vm, this, item| {
        let target = target_of(vm, this)?;
        vm.contains(&target, item)
    }),
    bool: forwarded!(is_true),
    binary: FORWARDED,
    in_place: FORWARDED_IN_PLACE,
    negative: forwarded!(negative),
    positive: forwarded!(positive),
    absolute: forwarded!(absolute),
    invert: forwarded!(invert),
    int: Some(|vm, this| {
        let target = target_of(vm, this)?;
        let class = vm.builtin(super::TypeId::Int).into_value();
        vm.call(&class, &[target])
    }),
    float: Some(|vm, this| {
        let target = target_of(vm, this)?;
        let number = vm.float(&target)?;
        Ok(vm.new_float(number))
    }),
    index: forwarded!(index_value),
    ..Slots::NONE
};

/// `divmod` of what the operands that are proxies refer to.
fn proxy_divmod(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let mut operands = [left.clone(), right.clone()];
    let class = vm.native_type(&REFERENCE);
    for operand in &mut operands {
        if operand.holds::<WeakRef>() && !vm.is_instance(operand, &class) {
            *operand = target_of(vm, operand)?;
        }
    }
    let builtins = vm.import("builtins")?;
    let divmod = vm.get_attr_str(&builtins, "divmod")?;
    vm.call(&divmod, &operands)
}

const PROXY_METHODS: &[Native] = &[
    native("__divmod__(self, value, /)", |vm, args| proxy_divmod(vm, &args[0], &args[1])).wrapper(),
    native("__rdivmod__(self, value, /)", |vm, args| proxy_divmod(vm, &args[1], &args[0])).wrapper(),
    native("__bytes__(self, /)", |vm, args| forward(vm, &args, "__bytes__")),
    native("__reversed__(self, /)", |vm, args| forward(vm, &args, "__reversed__")),
];

fn forward(vm: &mut Vm, args: &Args<'_>, name: &str) -> Result<Value> {
    let target = target_of(vm, &args[0])?;
    vm.call_method(&target, name, &[])
}
