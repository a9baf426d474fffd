//! The types of the singletons: `None`, `NotImplemented` and `...`. Their instances are words, not objects.

use crate::object::layout::Layout;
use crate::object::native::{Args, native};
use crate::object::type_object::{Slots, TypeSpec, constructor};
use crate::object::value::Value;
use crate::vm::{Result, Vm};

/// `type(None)`.
pub(crate) static NONE: TypeSpec = TypeSpec {
    name: "NoneType",
    doc: "The type of None.",
    layout: Layout::Instance,
    new: constructor("NoneType(*args, **kwargs)", |vm, args| alone(vm, args, Value::NONE, "NoneType")),
    slots: Slots { repr: Some(none_repr), bool: Some(|_, _| Ok(false)), hash: Some(|_, _| Ok(0xfca8_6420)), ..Slots::NONE },
    ..TypeSpec::DEFAULT
};

/// The one instance of its type, which takes no arguments.
fn alone(vm: &mut Vm, args: Args<'_>, value: Value, name: &str) -> Result<Value> {
    let named = args[2].downcast::<crate::object::types::dict::Dict>().is_some_and(|named| named.get(vm).len() > 0);
    if named || !vm.tuple_items(&args[1]).is_empty() {
        return Err(vm.type_error(format!("{name} takes no arguments")));
    }
    Ok(value)
}

/// `type(NotImplemented)`.
pub(crate) static NOT_IMPLEMENTED: TypeSpec = TypeSpec {
    name: "NotImplementedType",
    doc: "The type of NotImplemented, by which an operator's method says that it cannot.",
    layout: Layout::Instance,
    new: constructor("NotImplementedType(*args, **kwargs)", |vm, args| alone(vm, args, Value::NOT_IMPLEMENTED, "NotImplementedType")),
    slots: Slots { repr: Some(not_implemented_repr), bool: Some(not_implemented_bool), ..Slots::NONE },
    methods: &[native("__reduce__(self, /)", reduce_not_implemented)],
    ..TypeSpec::DEFAULT
};

/// `type(...)`.
pub(crate) static ELLIPSIS: TypeSpec = TypeSpec {
    name: "ellipsis",
    doc: "The type of `...`.",
    layout: Layout::Instance,
    new: constructor("ellipsis(*args, **kwargs)", |vm, args| alone(vm, args, Value::ELLIPSIS, "EllipsisType")),
    slots: Slots { repr: Some(ellipsis_repr), ..Slots::NONE },
    methods: &[native("__reduce__(self, /)", reduce_ellipsis)],
    ..TypeSpec::DEFAULT
};

fn none_repr(vm: &mut Vm, _: &Value) -> Result<Value> {
    Ok(vm.intern("None"))
}

fn not_implemented_repr(vm: &mut Vm, _: &Value) -> Result<Value> {
    Ok(vm.intern("NotImplemented"))
}

fn ellipsis_repr(vm: &mut Vm, _: &Value) -> Result<Value> {
    Ok(vm.intern("Ellipsis"))
}

fn not_implemented_bool(vm: &mut Vm, _: &Value) -> Result<bool> {
    vm.warn(crate::object::types::exception::ExceptionKind::DeprecationWarning, "NotImplemented should not be used in a boolean context")?;
    Ok(true)
}

fn reduce_not_implemented(vm: &mut Vm, _: Args<'_>) -> Result<Value> {
    Ok(vm.intern("NotImplemented"))
}

fn reduce_ellipsis(vm: &mut Vm, _: Args<'_>) -> Result<Value> {
    Ok(vm.intern("Ellipsis"))
}
