//! `bool`: what it does differently from `int`.

use super::int_methods;
use crate::object::layout::Layout;
use crate::object::native::Args;
use crate::object::type_object::{BinaryOperator, MATCH_SELF, Slots, TypeSpec, binary, constructor};
use crate::object::value::Value;
use crate::vm::{Result, Vm};

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "bool",
    doc: "bool(object=False, /)\n\nTrue when the argument is true, False otherwise. True and False are the only two instances; the class cannot be subclassed.",
    base: Some(&int_methods::TYPE),
    layout: Layout::Int,
    flags: MATCH_SELF,
    new: constructor("bool(object=False, /)", new),
    slots: Slots {
        repr: Some(repr),
        binary: binary(&[(BinaryOperator::And, and), (BinaryOperator::Or, or), (BinaryOperator::Xor, xor)]),
        ..Slots::NONE
    },
    ..TypeSpec::DEFAULT
};

fn new(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    match args.given(1) {
        Some(object) => Ok(Value::from_bool(vm.is_true(object)?)),
        None => Ok(Value::FALSE),
    }
}

fn repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    Ok(vm.intern(if this.as_bool() == Some(true) { "True" } else { "False" }))
}

fn logical(vm: &mut Vm, left: &Value, right: &Value, operator: BinaryOperator, of: fn(bool, bool) -> bool) -> Result<Value> {
    if let (Some(left), Some(right)) = (left.as_bool(), right.as_bool()) {
        return Ok(Value::from_bool(of(left, right)));
    }
    let slot = int_methods::TYPE.slots.binary[operator as usize].expect("int has the operator");
    slot(vm, left, right)
}

fn and(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    logical(vm, left, right, BinaryOperator::And, |left, right| left & right)
}

fn or(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    logical(vm, left, right, BinaryOperator::Or, |left, right| left | right)
}

fn xor(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    logical(vm, left, right, BinaryOperator::Xor, |left, right| left ^ right)
}
