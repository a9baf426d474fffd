//! `_abc`: what abstract base classes need of the interpreter: whether a class's instances match sequence or mapping patterns, and numbers for
//! classes by which answers are remembered (see `vm/abstract_class.rs`, which finds them again without calling the script).

use crate::object::native::{Args, NativeModule, native};
use crate::object::type_object::{IMMUTABLE, MATCH_MAPPING, MATCH_SEQUENCE, Type};
use crate::object::value::{Ref, Value};
use crate::vm::{Result, Vm};

pub(crate) static MODULE: NativeModule = NativeModule {
    name: "_abc",
    doc: "Helpers of module abc.",
    functions: &[
        native("mark_collection(cls, flags, /)", mark_collection),
        native("class_number(cls, /)", class_number),
        native("registrations()", |vm, _| Ok(vm.registrations())),
        native("note_registration()", |vm, _| {
            vm.note_registration();
            Ok(Value::NONE)
        }),
        native("take_over(instance_check, subclass_check, /)", |vm, args| {
            vm.take_over_checks(args[0].clone(), args[1].clone());
            Ok(Value::NONE)
        }),
    ],
    types: &[],
    init: None,
};

/// `class_number(cls)`: a number that no other class has or ever will have.
fn class_number(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    match args[0].downcast::<Type>() {
        Some(class) => Ok(Value::small(i64::from(vm.class_version(&class.clone())))),
        None => Err(vm.type_error("class_number() argument must be a class")),
    }
}

/// `mark_collection(cls, flags)`: its instances and those of its subclasses match sequence patterns (bit 5 of `flags`) or mapping patterns (bit 6).
fn mark_collection(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let flags = vm.index_i64(&args[1])?;
    if flags & 0b11 << 5 == 0b11 << 5 {
        return Err(vm.type_error("__abc_tpflags__ cannot be both Py_TPFLAGS_SEQUENCE and Py_TPFLAGS_MAPPING"));
    }
    let flag = if flags & 1 << 5 != 0 {
        MATCH_SEQUENCE
    } else if flags & 1 << 6 != 0 {
        MATCH_MAPPING
    } else {
        return Ok(Value::NONE);
    };
    if let Some(class) = args[0].downcast::<Type>().cloned() {
        mark(vm, &class, flag);
    }
    Ok(Value::NONE)
}

fn mark(vm: &mut Vm, class: &Ref<Type>, flag: u32) {
    let payload = class.get(vm);
    if payload.has(IMMUTABLE) || payload.has(flag) {
        return;
    }
    payload.set_flag(MATCH_SEQUENCE | MATCH_MAPPING, false);
    payload.set_flag(flag, true);
    for subclass in vm.live_subclasses(class) {
        mark(vm, &subclass, flag);
    }
}
