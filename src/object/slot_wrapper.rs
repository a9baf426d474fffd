//! Special methods and slots, both ways: the methods that stand for a native type's slots (`int.__add__`), and the slots of classes
//! that scripts define, which look their special methods up. The scheme is CPython's (Objects/typeobject.c, "slot wrappers").

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use super::native::{NativeCode, NativeFunction};
use super::type_object::{BinaryFn, BinaryOperator, CallArgs, HEAP_TYPE, PLAIN_GETATTR, PLAIN_SETATTR, Slots, Type};
use super::types::TypeId;
use super::types::exception::ExceptionKind;
use super::value::{Ref, Value};
use crate::code::instruction::Comparison;
use crate::vm::operation::{OPERATOR_NAMES, comparison_names};
use crate::vm::state::Name;
use crate::vm::{Result, Vm};

/// A special method that a slot of the owner type implements.
pub(crate) struct SpecialMethod {
    pub(crate) name: &'static str,
    /// Its parameters, for `inspect`.
    pub(crate) parameters: &'static str,
    /// Whether a type with these slots has it.
    pub(crate) is_present: fn(&Slots) -> bool,
    /// Calls it: the receiver is the first value.
    pub(crate) call: fn(&mut Vm, &Slots, CallArgs<'_>) -> Result<Value>,
}

fn expect_count(vm: &mut Vm, arguments: CallArgs<'_>, count: usize) -> Result<()> {
    // CPython unpacks two arguments as those of a function without a name, whose place stays empty.
    let name = if count == 2 { " " } else { "" };
    expect_between(vm, arguments, count, count, name)
}

fn expect_between(vm: &mut Vm, arguments: CallArgs<'_>, least: usize, most: usize, name: &str) -> Result<()> {
    let given = arguments.values.len() - 1;
    if (least..=most).contains(&given) {
        return Ok(());
    }
    let limit = if given < least { least } else { most };
    let bound = match given < least {
        _ if least == most => "",
        true => "at least ",
        false => "at most ",
    };
    let message = format!("{name}expected {bound}{limit} argument{}, got {given}", if limit == 1 { "" } else { "s" });
    Err(vm.type_error(message))
}

/// Attributes of an object are set by its own built-in type, not by what that type overrides: `object.__setattr__(str, "x", 1)` is refused.
fn refuse_foreign(vm: &mut Vm, slots: &Slots, object: &Value, name: &str) -> Result<()> {
    let class = vm.type_of(object);
    let own = class.get(vm).mro.iter().find(|base| base.get(vm).spec.is_some()).and_then(|base| base.get(vm).slots.set_attribute);
    let is_foreign = match (own, slots.set_attribute) {
        (None, _) => false,
        (Some(own), Some(called)) => !std::ptr::fn_addr_eq(own, called),
        (Some(_), None) => true,
    };
    if is_foreign {
        let message = format!("can't apply this {name} to {} object", vm.class_name(&class));
        return Err(vm.type_error(message));
    }
    Ok(())
}

impl SpecialMethod {
    /// Calls it on the receiver and what follows it. Only `__call__` and `__init__` take named arguments.
    pub(crate) fn invoke(&self, vm: &mut Vm, slots: &Slots, arguments: CallArgs<'_>) -> Result<Value> {
        if !arguments.names.is_empty() && !matches!(self.name, "__call__" | "__init__") {
            return Err(vm.type_error(format!("wrapper {}() takes no keyword arguments", self.name)));
        }
        (self.call)(vm, slots, arguments)
    }
}

macro_rules! unary_rows {
    ($($name:literal => $field:ident),+ $(,)?) => {
        &[$(SpecialMethod {
            name: $name,
            parameters: "($self, /)",
            is_present: |slots| slots.$field.is_some(),
            call: |vm, slots, arguments| {
                expect_count(vm, arguments, 0)?;
                match slots.$field {
                    Some(slot) => slot(vm, &arguments.values[0]),
                    None => Ok(Value::NOT_IMPLEMENTED),
                }
            },
        }),+]
    };
}

static UNARY: &[SpecialMethod] = unary_rows! {
    "__repr__" => repr,
    "__str__" => str,
    "__iter__" => iter,
    "__neg__" => negative,
    "__pos__" => positive,
    "__abs__" => absolute,
    "__invert__" => invert,
    "__int__" => int,
    "__float__" => float,
    "__index__" => index,
    "__await__" => await_,
    "__aiter__" => aiter,
    "__anext__" => anext,
};

/// One operand. A sequence's repetition takes a number, which CPython unpacks as the argument of a function without a name.
fn expect_operand(vm: &mut Vm, slots: &Slots, arguments: CallArgs<'_>, place: usize) -> Result<()> {
    let is_repetition =
        place == BinaryOperator::Multiply as usize && slots.len.is_some() && slots.binary[BinaryOperator::Subtract as usize].is_none();
    expect_between(vm, arguments, 1, 1, if is_repetition { " " } else { "" })?;
    if is_repetition {
        vm.index(&arguments.values[1])?;
    }
    Ok(())
}

/// The result of an operator's method called by name: a sequence (what adds but does not subtract) raises where it has no answer.
fn settled(vm: &mut Vm, slots: &Slots, place: usize, result: Value, receiver: &Value, other: &Value) -> Result<Value> {
    let operator = BinaryOperator::ALL[place];
    let is_sequence = slots.len.is_some() && slots.binary[BinaryOperator::Subtract as usize].is_none();
    if result.is_not_implemented() && is_sequence && matches!(operator, BinaryOperator::Add | BinaryOperator::Multiply) {
        return Err(vm.refuse_operand(operator, receiver, other));
    }
    Ok(result)
}

macro_rules! binary_row {
    ($place:literal, $name:literal) => {
        SpecialMethod {
            name: $name,
            parameters: "($self, value, /)",
            is_present: |slots| slots.binary[$place].is_some(),
            call: |vm, slots, arguments| {
                if $place == 11 {
                    expect_between(vm, arguments, 1, 2, " ")?;
                } else {
                    expect_operand(vm, slots, arguments, $place)?;
                }
                match slots.binary[$place] {
                    Some(slot) => {
                        let result = slot(vm, &arguments.values[0], &arguments.values[1])?;
                        settled(vm, slots, $place, result, &arguments.values[0], &arguments.values[1])
                    }
                    None => Ok(Value::NOT_IMPLEMENTED),
                }
            },
        }
    };
}
macro_rules! reflected_row {
    ($place:literal, $name:literal) => {
        SpecialMethod {
            name: $name,
            parameters: "($self, value, /)",
            is_present: |slots| slots.binary[$place].is_some(),
            call: |vm, slots, arguments| {
                if $place == 11 {
                    expect_between(vm, arguments, 1, 2, " ")?;
                } else {
                    expect_operand(vm, slots, arguments, $place)?;
                }
                match slots.binary[$place] {
                    Some(slot) => {
                        let result = slot(vm, &arguments.values[1], &arguments.values[0])?;
                        settled(vm, slots, $place, result, &arguments.values[0], &arguments.values[1])
                    }
                    None => Ok(Value::NOT_IMPLEMENTED),
                }
            },
        }
    };
}
macro_rules! in_place_row {
    ($place:literal, $name:literal) => {
        SpecialMethod {
            name: $name,
            parameters: "($self, value, /)",
            is_present: |slots| slots.in_place[$place].is_some(),
            call: |vm, slots, arguments| {
                expect_operand(vm, slots, arguments, $place)?;
                match slots.in_place[$place] {
                    Some(slot) => slot(vm, &arguments.values[0], &arguments.values[1]),
                    None => Ok(Value::NOT_IMPLEMENTED),
                }
            },
        }
    };
}
macro_rules! compare_row {
    ($comparison:ident, $name:literal) => {
        SpecialMethod {
            name: $name,
            parameters: "($self, value, /)",
            is_present: |slots| slots.compare.is_some(),
            call: |vm, slots, arguments| {
                expect_count(vm, arguments, 1)?;
                match slots.compare {
                    Some(slot) => slot(vm, &arguments.values[0], &arguments.values[1], Comparison::$comparison),
                    None => Ok(Value::NOT_IMPLEMENTED),
                }
            },
        }
    };
}

static BINARY: &[SpecialMethod] = &[
    binary_row!(0, "__add__"),
    binary_row!(1, "__sub__"),
    binary_row!(2, "__mul__"),
    binary_row!(3, "__truediv__"),
    binary_row!(4, "__floordiv__"),
    binary_row!(5, "__mod__"),
    binary_row!(6, "__and__"),
    binary_row!(7, "__or__"),
    binary_row!(8, "__xor__"),
    binary_row!(9, "__lshift__"),
    binary_row!(10, "__rshift__"),
    binary_row!(11, "__pow__"),
    binary_row!(12, "__matmul__"),
];
static REFLECTED: &[SpecialMethod] = &[
    // A sequence has no `__radd__`: what adds but does not subtract is one.
    SpecialMethod { is_present: |slots| slots.binary[0].is_some() && slots.binary[1].is_some(), ..reflected_row!(0, "__radd__") },
    reflected_row!(1, "__rsub__"),
    reflected_row!(2, "__rmul__"),
    reflected_row!(3, "__rtruediv__"),
    reflected_row!(4, "__rfloordiv__"),
    reflected_row!(5, "__rmod__"),
    reflected_row!(6, "__rand__"),
    reflected_row!(7, "__ror__"),
    reflected_row!(8, "__rxor__"),
    reflected_row!(9, "__rlshift__"),
    reflected_row!(10, "__rrshift__"),
    reflected_row!(11, "__rpow__"),
    reflected_row!(12, "__rmatmul__"),
];
static IN_PLACE: &[SpecialMethod] = &[
    in_place_row!(0, "__iadd__"),
    in_place_row!(1, "__isub__"),
    in_place_row!(2, "__imul__"),
    in_place_row!(3, "__itruediv__"),
    in_place_row!(4, "__ifloordiv__"),
    in_place_row!(5, "__imod__"),
    in_place_row!(6, "__iand__"),
    in_place_row!(7, "__ior__"),
    in_place_row!(8, "__ixor__"),
    in_place_row!(9, "__ilshift__"),
    in_place_row!(10, "__irshift__"),
    in_place_row!(11, "__ipow__"),
    in_place_row!(12, "__imatmul__"),
];
static COMPARE: &[SpecialMethod] = &[
    compare_row!(Less, "__lt__"),
    compare_row!(LessEqual, "__le__"),
    compare_row!(Equal, "__eq__"),
    compare_row!(NotEqual, "__ne__"),
    compare_row!(Greater, "__gt__"),
    compare_row!(GreaterEqual, "__ge__"),
];

static OTHER: &[SpecialMethod] = &[
    SpecialMethod {
        name: "__hash__",
        parameters: "($self, /)",
        is_present: |slots| slots.hash.is_some(),
        call: |vm, slots, arguments| {
            expect_count(vm, arguments, 0)?;
            let Some(hash) = slots.hash else { return Ok(Value::NONE) };
            let hash = hash(vm, &arguments.values[0])?;
            Ok(vm.new_int(hash))
        },
    },
    SpecialMethod {
        name: "__len__",
        parameters: "($self, /)",
        is_present: |slots| slots.len.is_some(),
        call: |vm, slots, arguments| {
            expect_count(vm, arguments, 0)?;
            let Some(len) = slots.len else { return Ok(Value::NONE) };
            let len = len(vm, &arguments.values[0])?;
            Ok(vm.new_int(len as i64))
        },
    },
    SpecialMethod {
        name: "__bool__",
        parameters: "($self, /)",
        is_present: |slots| slots.bool.is_some(),
        call: |vm, slots, arguments| {
            expect_count(vm, arguments, 0)?;
            let Some(truth) = slots.bool else { return Ok(Value::NONE) };
            Ok(Value::from_bool(truth(vm, &arguments.values[0])?))
        },
    },
    SpecialMethod {
        name: "__contains__",
        parameters: "($self, key, /)",
        is_present: |slots| slots.contains.is_some(),
        call: |vm, slots, arguments| {
            expect_count(vm, arguments, 1)?;
            let Some(contains) = slots.contains else { return Ok(Value::NONE) };
            Ok(Value::from_bool(contains(vm, &arguments.values[0], &arguments.values[1])?))
        },
    },
    SpecialMethod {
        name: "__getitem__",
        parameters: "($self, key, /)",
        is_present: |slots| slots.get_item.is_some(),
        call: |vm, slots, arguments| {
            expect_count(vm, arguments, 1)?;
            let Some(get) = slots.get_item else { return Ok(Value::NONE) };
            get(vm, &arguments.values[0], &arguments.values[1])
        },
    },
    SpecialMethod {
        name: "__setitem__",
        parameters: "($self, key, value, /)",
        is_present: |slots| slots.set_item.is_some(),
        call: |vm, slots, arguments| {
            expect_count(vm, arguments, 2)?;
            let Some(set) = slots.set_item else { return Ok(Value::NONE) };
            set(vm, &arguments.values[0], &arguments.values[1], Some(&arguments.values[2]))?;
            Ok(Value::NONE)
        },
    },
    SpecialMethod {
        name: "__delitem__",
        parameters: "($self, key, /)",
        is_present: |slots| slots.set_item.is_some(),
        call: |vm, slots, arguments| {
            expect_count(vm, arguments, 1)?;
            let Some(set) = slots.set_item else { return Ok(Value::NONE) };
            set(vm, &arguments.values[0], &arguments.values[1], None)?;
            Ok(Value::NONE)
        },
    },
    SpecialMethod {
        name: "__next__",
        parameters: "($self, /)",
        is_present: |slots| slots.next.is_some(),
        call: |vm, slots, arguments| {
            expect_count(vm, arguments, 0)?;
            let Some(next) = slots.next else { return Ok(Value::NONE) };
            match next(vm, &arguments.values[0])? {
                Some(item) => Ok(item),
                None => Err(vm.stop_iteration(None)),
            }
        },
    },
    SpecialMethod {
        name: "__call__",
        parameters: "($self, /, *args, **kwargs)",
        is_present: |slots| slots.call.is_some(),
        call: |vm, slots, arguments| {
            let Some(call) = slots.call else { return Ok(Value::NONE) };
            let rest = CallArgs { values: &arguments.values[1..], names: arguments.names };
            call(vm, &arguments.values[0], rest)
        },
    },
    SpecialMethod {
        name: "__init__",
        parameters: "($self, /, *args, **kwargs)",
        is_present: |slots| slots.init.is_some(),
        call: |vm, slots, arguments| {
            if let Some(init) = slots.init {
                let rest = CallArgs { values: &arguments.values[1..], names: arguments.names };
                init(vm, &arguments.values[0], rest)?;
            }
            Ok(Value::NONE)
        },
    },
    SpecialMethod {
        name: "__getattribute__",
        parameters: "($self, name, /)",
        is_present: |slots| slots.get_attribute.is_some(),
        call: |vm, slots, arguments| {
            expect_count(vm, arguments, 1)?;
            vm.expect_attribute_name(&arguments.values[1])?;
            match slots.get_attribute {
                Some(get) => get(vm, &arguments.values[0], &arguments.values[1]),
                None => vm.generic_get_attr(&arguments.values[0], &arguments.values[1]),
            }
        },
    },
    SpecialMethod {
        name: "__setattr__",
        parameters: "($self, name, value, /)",
        is_present: |slots| slots.set_attribute.is_some(),
        call: |vm, slots, arguments| {
            expect_count(vm, arguments, 2)?;
            vm.expect_attribute_name(&arguments.values[1])?;
            let [object, name, value] = arguments.values else { return Ok(Value::NONE) };
            refuse_foreign(vm, slots, object, "__setattr__")?;
            match slots.set_attribute {
                Some(set) => set(vm, object, name, Some(value))?,
                None => vm.generic_set_attr(object, name, Some(value))?,
            }
            Ok(Value::NONE)
        },
    },
    SpecialMethod {
        name: "__delattr__",
        parameters: "($self, name, /)",
        is_present: |slots| slots.set_attribute.is_some(),
        call: |vm, slots, arguments| {
            expect_count(vm, arguments, 1)?;
            vm.expect_attribute_name(&arguments.values[1])?;
            let [object, name] = arguments.values else { return Ok(Value::NONE) };
            refuse_foreign(vm, slots, object, "__delattr__")?;
            match slots.set_attribute {
                Some(set) => set(vm, object, name, None)?,
                None => vm.generic_set_attr(object, name, None)?,
            }
            Ok(Value::NONE)
        },
    },
    SpecialMethod {
        name: "__get__",
        parameters: "($self, instance, owner=None, /)",
        is_present: |slots| slots.descriptor_get.is_some(),
        call: |vm, slots, arguments| {
            let Some(get) = slots.descriptor_get else { return Ok(Value::NONE) };
            let given = arguments.values;
            expect_between(vm, arguments, 1, 2, " ")?;
            let instance = Some(&given[1]).filter(|instance| !instance.is_none());
            let owner = given.get(2).filter(|owner| !owner.is_none()).cloned();
            let owner = match (owner, instance) {
                (Some(owner), _) => owner,
                (None, Some(instance)) => vm.type_of(instance).into_value(),
                (None, None) => return Err(vm.type_error("__get__(None, None) is invalid")),
            };
            get(vm, &given[0], instance, &owner)
        },
    },
    SpecialMethod {
        name: "__set__",
        parameters: "($self, instance, value, /)",
        is_present: |slots| slots.descriptor_set.is_some(),
        call: |vm, slots, arguments| {
            expect_count(vm, arguments, 2)?;
            let Some(set) = slots.descriptor_set else { return Ok(Value::NONE) };
            set(vm, &arguments.values[0], &arguments.values[1], Some(&arguments.values[2]))?;
            Ok(Value::NONE)
        },
    },
    SpecialMethod {
        name: "__delete__",
        parameters: "($self, instance, /)",
        is_present: |slots| slots.descriptor_set.is_some(),
        call: |vm, slots, arguments| {
            expect_count(vm, arguments, 1)?;
            let Some(set) = slots.descriptor_set else { return Ok(Value::NONE) };
            set(vm, &arguments.values[0], &arguments.values[1], None)?;
            Ok(Value::NONE)
        },
    },
];

/// `__new__` of a native type: the class is the first argument.
pub(crate) static NEW: SpecialMethod = SpecialMethod {
    name: "__new__",
    parameters: "($type, *args, **kwargs)",
    is_present: |slots| slots.new.is_some(),
    call: |vm, slots, arguments| {
        let Some(class) = arguments.values.first() else { return Err(vm.type_error("object.__new__(): not enough arguments")) };
        let Some(class) = class.downcast::<Type>() else {
            let message = format!("object.__new__(X): X is not a type object ({})", vm.type_name(class));
            return Err(vm.type_error(message));
        };
        let rest = CallArgs { values: &arguments.values[1..], names: arguments.names };
        match slots.new {
            Some(new) => new(vm, class, rest),
            None => {
                let message = format!("cannot create '{}' instances", vm.class_name(class));
                Err(vm.type_error(message))
            }
        }
    },
};

/// All special methods that slots stand for.
pub(crate) fn all() -> impl Iterator<Item = &'static SpecialMethod> {
    [UNARY, BINARY, REFLECTED, IN_PLACE, COMPARE, OTHER].into_iter().flatten()
}

// ---- slots of script classes

fn method(vm: &mut Vm, value: &Value, name: &str) -> Option<Value> {
    let name = vm.intern(name);
    let class = vm.type_of(value);
    vm.type_lookup(&class, &name)
}

fn required(vm: &mut Vm, value: &Value, name: &str, arguments: &[Value]) -> Result<Value> {
    match vm.call_special(value, name, arguments)? {
        Some(result) => Ok(result),
        None => {
            let name = vm.intern(name);
            Err(vm.no_attribute(value, &name))
        }
    }
}

macro_rules! script_unary {
    ($($function:ident = $name:literal),+ $(,)?) => {
        $(fn $function(vm: &mut Vm, value: &Value) -> Result<Value> {
            required(vm, value, $name, &[])
        })+
    };
}
script_unary! {
    script_repr = "__repr__",
    script_str = "__str__",
    script_negative = "__neg__",
    script_positive = "__pos__",
    script_absolute = "__abs__",
    script_invert = "__invert__",
    script_int = "__int__",
    script_float = "__float__",
    script_index = "__index__",
    script_await = "__await__",
    script_aiter = "__aiter__",
    script_anext = "__anext__",
}

fn script_iter(vm: &mut Vm, value: &Value) -> Result<Value> {
    if method(vm, value, "__iter__").is_some_and(|method| method.is_none()) {
        let message = format!("'{}' object is not iterable", vm.type_name(value));
        return Err(vm.type_error(message));
    }
    required(vm, value, "__iter__", &[])
}

fn script_next(vm: &mut Vm, value: &Value) -> Result<Option<Value>> {
    let name = vm.name(Name::Next);
    match vm.call_special_value(value, &name, &[]) {
        Ok(Some(item)) => Ok(Some(item)),
        Ok(None) => Err(vm.no_attribute(value, &name)),
        Err(raised) => {
            if vm.clear_if(ExceptionKind::StopIteration) {
                Ok(None)
            } else {
                Err(raised)
            }
        }
    }
}

fn script_hash(vm: &mut Vm, value: &Value) -> Result<i64> {
    let name = vm.name(Name::Hash);
    let Some(hash) = vm.call_special_value(value, &name, &[])? else { return Ok(vm.identity_hash(value)) };
    match vm.int_ref(&hash) {
        Some(number) => Ok(match number.to_i64() {
            Some(-1) => -2,
            Some(hash) => hash,
            None => number.hash(),
        }),
        None => Err(vm.type_error("__hash__ method should return an integer")),
    }
}

fn script_call(vm: &mut Vm, value: &Value, arguments: CallArgs<'_>) -> Result<Value> {
    let name = vm.name(Name::Call);
    let class = vm.type_of(value);
    let Some(function) = vm.type_lookup(&class, &name) else { return Err(vm.no_attribute(value, &name)) };
    vm.enter_native()?;
    call_with_receiver(vm, &function, value, &class, arguments)
}

/// Calls what a class has under a special name, with the receiver in front.
fn call_with_receiver(vm: &mut Vm, function: &Value, receiver: &Value, class: &Ref<Type>, arguments: CallArgs<'_>) -> Result<Value> {
    if function.holds::<super::types::function::Function>() {
        let mut values: smallvec::SmallVec<[Value; 6]> = smallvec::smallvec![receiver.clone()];
        values.extend(arguments.values.iter().cloned());
        return vm.call_args(function, CallArgs { values: &values, names: arguments.names });
    }
    let bound = vm.bind(function, Some(receiver), class)?;
    vm.call_args(&bound, arguments)
}

fn script_get_attribute(vm: &mut Vm, object: &Value, name: &Value) -> Result<Value> {
    let (hook, fallback) = (vm.name(Name::Getattribute), vm.name(Name::Getattr));
    vm.enter_native()?;
    let class = vm.type_of(object);
    let own = vm.type_lookup(&class, &hook);
    let found = match own {
        Some(own) if !is_slot_wrapper(vm, &own) => {
            let bound = vm.bind(&own, Some(object), &class)?;
            vm.call(&bound, std::slice::from_ref(name))
        }
        // The wrapper of a native type: that type's own way.
        Some(own) => match native_owner(vm, &own).and_then(|owner| owner.get(vm).slots.get_attribute) {
            Some(get) => get(vm, object, name),
            None => match vm.generic_find_attr(object, name) {
                Ok(Some(value)) => return Ok(value),
                Ok(None) => {
                    if let Some(getattr) = vm.type_lookup(&class, &fallback) {
                        let bound = vm.bind(&getattr, Some(object), &class)?;
                        return vm.call(&bound, std::slice::from_ref(name));
                    }
                    return Err(vm.no_attribute(object, name));
                }
                Err(raised) => Err(raised),
            },
        },
        None => vm.generic_get_attr(object, name),
    };
    match found {
        Err(raised) => {
            let Some(getattr) = vm.type_lookup(&class, &fallback) else { return Err(raised) };
            if !vm.clear_if(ExceptionKind::AttributeError) {
                return Err(raised);
            }
            let bound = vm.bind(&getattr, Some(object), &class)?;
            vm.call(&bound, std::slice::from_ref(name))
        }
        found => found,
    }
}

fn script_set_attribute(vm: &mut Vm, object: &Value, name: &Value, value: Option<&Value>) -> Result<()> {
    match value {
        Some(value) => required(vm, object, "__setattr__", &[name.clone(), value.clone()])?,
        None => required(vm, object, "__delattr__", std::slice::from_ref(name))?,
    };
    Ok(())
}

fn script_compare(vm: &mut Vm, left: &Value, right: &Value, comparison: Comparison) -> Result<Value> {
    let name = vm.intern(comparison_names(comparison).1);
    let class = vm.type_of(left);
    match vm.type_lookup(&class, &name) {
        None => Ok(Value::NOT_IMPLEMENTED),
        Some(found) if found.is_none() => Ok(Value::NOT_IMPLEMENTED),
        Some(found) => call_with_receiver(vm, &found, left, &class, CallArgs::positional(std::slice::from_ref(right))),
    }
}

fn script_len(vm: &mut Vm, value: &Value) -> Result<usize> {
    let result = required(vm, value, "__len__", &[])?;
    length_of(vm, &result)
}

fn length_of(vm: &mut Vm, result: &Value) -> Result<usize> {
    let number = vm.index(result)?;
    if number.as_ref().is_negative() {
        return Err(vm.value_error("__len__() should return >= 0"));
    }
    match number.as_ref().to_i64() {
        Some(number) => Ok(number as usize),
        None => Err(vm.overflow_error("cannot fit 'int' into an index-sized integer")),
    }
}

fn script_get_item(vm: &mut Vm, object: &Value, key: &Value) -> Result<Value> {
    required(vm, object, "__getitem__", std::slice::from_ref(key))
}

fn script_set_item(vm: &mut Vm, object: &Value, key: &Value, value: Option<&Value>) -> Result<()> {
    let result = match value {
        Some(value) => vm.call_special(object, "__setitem__", &[key.clone(), value.clone()])?,
        None => vm.call_special(object, "__delitem__", std::slice::from_ref(key))?,
    };
    if result.is_none() {
        let what = if value.is_some() { "does not support item assignment" } else { "doesn't support item deletion" };
        let message = format!("'{}' object {what}", vm.type_name(object));
        return Err(vm.type_error(message));
    }
    Ok(())
}

fn script_contains(vm: &mut Vm, container: &Value, item: &Value) -> Result<bool> {
    if method(vm, container, "__contains__").is_some_and(|method| method.is_none()) {
        let message = format!("'{}' object is not a container", vm.type_name(container));
        return Err(vm.type_error(message));
    }
    let result = required(vm, container, "__contains__", std::slice::from_ref(item))?;
    vm.is_true(&result)
}

fn script_bool(vm: &mut Vm, value: &Value) -> Result<bool> {
    let result = required(vm, value, "__bool__", &[])?;
    match result.as_bool() {
        Some(flag) => Ok(flag),
        None => {
            let message = format!("__bool__ should return bool, returned {}", vm.type_name(&result));
            Err(vm.type_error(message))
        }
    }
}

fn script_descriptor_get(vm: &mut Vm, descriptor: &Value, instance: Option<&Value>, class: &Value) -> Result<Value> {
    let instance = instance.cloned().unwrap_or(Value::NONE);
    required(vm, descriptor, "__get__", &[instance, class.clone()])
}

fn script_descriptor_set(vm: &mut Vm, descriptor: &Value, instance: &Value, value: Option<&Value>) -> Result<()> {
    let (name, result) = match value {
        Some(value) => ("__set__", vm.call_special(descriptor, "__set__", &[instance.clone(), value.clone()])?),
        None => ("__delete__", vm.call_special(descriptor, "__delete__", std::slice::from_ref(instance))?),
    };
    if result.is_none() {
        let name = vm.intern(name);
        return Err(vm.raise_new(ExceptionKind::AttributeError, vec![name]));
    }
    Ok(())
}

fn script_new(vm: &mut Vm, class: &Ref<Type>, arguments: CallArgs<'_>) -> Result<Value> {
    let name = vm.name(Name::New);
    let function = vm.class_find_attr(class, &name)?;
    let Some(function) = function else {
        let message = format!("cannot create '{}' instances", vm.class_name(class));
        return Err(vm.type_error(message));
    };
    let mut values: smallvec::SmallVec<[Value; 6]> = smallvec::smallvec![(**class).clone()];
    values.extend(arguments.values.iter().cloned());
    vm.call_args(&function, CallArgs { values: &values, names: arguments.names })
}

fn script_init(vm: &mut Vm, value: &Value, arguments: CallArgs<'_>) -> Result<()> {
    let name = vm.name(Name::Init);
    let class = vm.type_of(value);
    let Some(function) = vm.type_lookup(&class, &name) else { return Ok(()) };
    let result = call_with_receiver(vm, &function, value, &class, arguments)?;
    if result.is_none() {
        return Ok(());
    }
    let message = format!("__init__() should return None, not '{}'", vm.type_name(&result));
    Err(vm.type_error(message))
}

fn script_binary<const PLACE: usize>(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let (_, name, reflected, _) = OPERATOR_NAMES[PLACE];
    let left_type = vm.type_of(left);
    let right_type = vm.type_of(right);
    let this: BinaryFn = script_binary::<PLACE>;
    let is_this = |slot: Option<BinaryFn>| slot.is_some_and(|slot| std::ptr::fn_addr_eq(slot, this));
    let mut try_right = !left_type.is(&right_type) && is_this(right_type.get(vm).slots.binary[PLACE]);
    if is_this(left_type.get(vm).slots.binary[PLACE]) {
        if try_right && right_type.get(vm).is_subtype_of(&left_type) {
            let interned = vm.intern(reflected);
            let ours = vm.type_lookup(&right_type, &interned);
            let theirs = vm.type_lookup(&left_type, &interned);
            let is_overloaded = match (&ours, &theirs) {
                (Some(ours), Some(theirs)) => !ours.is(theirs),
                (ours, _) => ours.is_some(),
            };
            if is_overloaded {
                if let Some(result) = vm.call_special(right, reflected, std::slice::from_ref(left))? {
                    if !result.is_not_implemented() {
                        return Ok(result);
                    }
                }
                try_right = false;
            }
        }
        if let Some(result) = call_operator(vm, left, name, right)? {
            if !result.is_not_implemented() || left_type.is(&right_type) {
                return Ok(result);
            }
        }
    }
    if try_right {
        if let Some(result) = call_operator(vm, right, reflected, left)? {
            return Ok(result);
        }
    }
    Ok(Value::NOT_IMPLEMENTED)
}

/// Calls an operator's method; an operator set to `None` refuses.
fn call_operator(vm: &mut Vm, receiver: &Value, name: &str, other: &Value) -> Result<Option<Value>> {
    let name = vm.intern(name);
    let class = vm.type_of(receiver);
    match vm.type_lookup(&class, &name) {
        None => Ok(None),
        Some(found) if found.is_none() => Ok(Some(Value::NOT_IMPLEMENTED)),
        Some(found) => call_with_receiver(vm, &found, receiver, &class, CallArgs::positional(std::slice::from_ref(other))).map(Some),
    }
}

fn script_in_place<const PLACE: usize>(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let name = OPERATOR_NAMES[PLACE].3;
    Ok(call_operator(vm, left, name, right)?.unwrap_or(Value::NOT_IMPLEMENTED))
}

macro_rules! table {
    ($function:ident) => {
        [
            $function::<0>,
            $function::<1>,
            $function::<2>,
            $function::<3>,
            $function::<4>,
            $function::<5>,
            $function::<6>,
            $function::<7>,
            $function::<8>,
            $function::<9>,
            $function::<10>,
            $function::<11>,
            $function::<12>,
        ]
    };
}
static SCRIPT_BINARY: [BinaryFn; 13] = table!(script_binary);
static SCRIPT_IN_PLACE: [BinaryFn; 13] = table!(script_in_place);

/// Whether an attribute of a class is the wrapper of a native slot.
fn is_slot_wrapper(vm: &Vm, attribute: &Value) -> bool {
    attribute.downcast::<NativeFunction>().is_some_and(|native| matches!(native.get(vm).code, NativeCode::Slot(_)))
}

fn native_owner(vm: &Vm, attribute: &Value) -> Option<Ref<Type>> {
    let native = attribute.downcast::<NativeFunction>()?.get(vm);
    match native.code {
        NativeCode::Slot(_) => native.owner.downcast::<Type>().cloned(),
        _ => None,
    }
}

/// What a class has under the special names of one slot.
enum Found {
    Nothing,
    /// Wrappers of one native type, this one.
    Native(Ref<Type>),
    Script,
}

fn find(vm: &mut Vm, class: &Ref<Type>, names: &[&str]) -> Found {
    let mut owner: Option<Ref<Type>> = None;
    for &plain_name in names {
        let name = vm.intern(plain_name);
        let Some(attribute) = vm.type_lookup(class, &name) else { continue };
        // A wrapper under another name (`__str__ = int.__repr__`) is called as any attribute is.
        let is_own = attribute.downcast::<NativeFunction>().is_some_and(|native| native.get(vm).name() == plain_name);
        match native_owner(vm, &attribute).filter(|_| is_own) {
            Some(native) if owner.as_ref().is_none_or(|known| known.is(&native)) => owner = Some(native),
            _ => return Found::Script,
        }
    }
    owner.map_or(Found::Nothing, Found::Native)
}

macro_rules! named_slots {
    ($($number:literal $field:ident [$($name:literal),+] $script:ident;)+) => {
        /// The special names of the slots that have numbers below [`BINARY_SLOTS`].
        static NAMED: &[&[&str]] = &[$(&[$($name),+]),+];

        /// Fills the slot with this number, which is below [`BINARY_SLOTS`], from what the class's MRO has under its names.
        fn resolve_named(vm: &mut Vm, class: &Ref<Type>, number: u32, slots: &mut Slots) {
            match number {
                $($number => slots.$field = match find(vm, class, NAMED[$number]) {
                    Found::Nothing => None,
                    Found::Native(owner) => owner.get(vm).slots.$field,
                    Found::Script => Some($script),
                },)+
                _ => {}
            }
        }
    };
}
named_slots! {
    0 repr ["__repr__"] script_repr;
    1 str ["__str__"] script_str;
    2 call ["__call__"] script_call;
    3 compare ["__lt__", "__le__", "__eq__", "__ne__", "__gt__", "__ge__"] script_compare;
    4 iter ["__iter__"] script_iter;
    5 next ["__next__"] script_next;
    6 len ["__len__"] script_len;
    7 get_item ["__getitem__"] script_get_item;
    8 set_item ["__setitem__", "__delitem__"] script_set_item;
    9 contains ["__contains__"] script_contains;
    10 bool ["__bool__"] script_bool;
    11 negative ["__neg__"] script_negative;
    12 positive ["__pos__"] script_positive;
    13 absolute ["__abs__"] script_absolute;
    14 invert ["__invert__"] script_invert;
    15 int ["__int__"] script_int;
    16 float ["__float__"] script_float;
    17 index ["__index__"] script_index;
    18 descriptor_get ["__get__"] script_descriptor_get;
    19 descriptor_set ["__set__", "__delete__"] script_descriptor_set;
    20 await_ ["__await__"] script_await;
    21 aiter ["__aiter__"] script_aiter;
    22 anext ["__anext__"] script_anext;
    23 init ["__init__"] script_init;
    24 get_attribute ["__getattribute__"] script_get_attribute;
    25 set_attribute ["__setattr__", "__delattr__"] script_set_attribute;
}

// Slots have numbers, for sets of them in 64 bits: those with names of their own, two for each operator, and these.
const GET_ATTRIBUTE: u32 = 24;
const BINARY_SLOTS: u32 = 26;
const IN_PLACE_SLOTS: u32 = BINARY_SLOTS + 13;
const HASH: u32 = IN_PLACE_SLOTS + 13;
const NEW_SLOT: u32 = HASH + 1;
/// `__getattr__`, which is a part of `get_attribute`.
const GETATTR: u32 = HASH + 2;
/// `__del__`, for which a class has a flag.
const DEL: u32 = HASH + 3;
const ALL_SLOTS: u64 = (1 << (DEL + 1)) - 1;

/// The number of the slot that this special name belongs to.
fn slot_number(name: &str) -> Option<u32> {
    static NUMBERS: OnceLock<FxHashMap<&'static str, u32>> = OnceLock::new();
    if !name.starts_with("__") {
        return None;
    }
    let numbers = NUMBERS.get_or_init(|| {
        let mut numbers = FxHashMap::default();
        for (number, names) in NAMED.iter().enumerate() {
            numbers.extend(names.iter().map(|name| (*name, number as u32)));
        }
        for (place, (_, name, reflected, augmented)) in OPERATOR_NAMES.iter().enumerate() {
            numbers.extend([(*name, BINARY_SLOTS + place as u32), (*reflected, BINARY_SLOTS + place as u32)]);
            numbers.insert(*augmented, IN_PLACE_SLOTS + place as u32);
        }
        numbers.extend([("__hash__", HASH), ("__new__", NEW_SLOT), ("__getattr__", GETATTR), ("__del__", DEL)]);
        numbers
    });
    numbers.get(name).copied()
}

/// Whether some slot is made of what classes have under this name.
pub(crate) fn is_slot_name(name: &str) -> bool {
    slot_number(name).is_some()
}

/// The slots whose names the class itself has.
fn own_slot_set(vm: &Vm, class: &Ref<Type>) -> u64 {
    let dict = class.get(vm).dict_as_is().get(vm);
    let names = dict.keys().filter_map(|key| vm.text_of(key).and_then(|text| text.as_ascii()));
    names.filter_map(slot_number).fold(0, |set, number| set | 1 << number)
}

/// What the slots of a class begin with, and which of them are to be filled from its namespaces then.
fn inherited_slots(vm: &mut Vm, class: &Ref<Type>) -> (Slots, u64) {
    let payload = class.get(vm);
    let Some(base) = payload.base.clone() else { return (Slots::NONE, ALL_SLOTS) };
    if base.get(vm).has(HEAP_TYPE) && is_rest_of_mro(&payload.mro[1..], &base.get(vm).mro) {
        return (base.get(vm).slots, own_slot_set(vm, class));
    }
    // The native types usually come last, as the first one of them has them: then only names that classes of scripts have make a difference.
    let n_scripts = payload.mro.iter().take_while(|class| class.get(vm).has(HEAP_TYPE)).count();
    let Some(native) = payload.mro.get(n_scripts).cloned() else { return (Slots::NONE, ALL_SLOTS) };
    if !is_rest_of_mro(&payload.mro[n_scripts..], &native.get(vm).mro) {
        return (Slots::NONE, ALL_SLOTS);
    }
    let own = payload.mro[..n_scripts].iter().fold(0, |set, class| set | own_slot_set(vm, class));
    (handed_down(vm, &native), own | 1 << NEW_SLOT | 1 << DEL)
}

fn is_rest_of_mro(rest: &[Ref<Type>], mro: &[Ref<Type>]) -> bool {
    rest.len() == mro.len() && rest.iter().zip(mro).all(|(own, above)| own.is(above))
}

/// The slots that a plain subclass of a native type has, which never change.
fn handed_down(vm: &mut Vm, native: &Ref<Type>) -> Slots {
    let address = native.address();
    if let Some(known) = vm.state().handed_down.get(&address) {
        return *known;
    }
    let mut slots = Slots::NONE;
    resolve_slots(vm, native, ALL_SLOTS, &mut slots);
    vm.state_mut().handed_down.insert(address, slots);
    slots
}

/// Fills the slots of a class that a script defined (or changed) from what its MRO has under the special names.
pub(crate) fn update_slots(vm: &mut Vm, class: &Ref<Type>) {
    let (mut slots, changed) = inherited_slots(vm, class);
    resolve_slots(vm, class, changed, &mut slots);
    let has_del = if changed & 1 << DEL == 0 {
        class.get(vm).base.as_ref().is_some_and(|base| base.get(vm).has(super::type_object::HAS_DEL))
    } else {
        let name = vm.name(Name::Del);
        vm.type_lookup(class, &name).is_some()
    };
    let payload = class.get_mut(vm);
    payload.slots = slots;
    payload.set_flag(PLAIN_GETATTR, slots.get_attribute.is_none());
    payload.set_flag(PLAIN_SETATTR, slots.set_attribute.is_none());
    payload.set_flag(super::type_object::HAS_DEL, has_del);
}

/// Fills the slots of the set `changed` from what the class's MRO has under their names.
fn resolve_slots(vm: &mut Vm, class: &Ref<Type>, changed: u64, slots: &mut Slots) {
    let has = |number: u32| changed >> number & 1 != 0;
    for number in (0..BINARY_SLOTS).filter(|number| has(*number)) {
        resolve_named(vm, class, number, slots);
    }
    if has(GET_ATTRIBUTE) || has(GETATTR) {
        resolve_named(vm, class, GET_ATTRIBUTE, slots);
        let name = vm.name(Name::Getattr);
        if vm.type_lookup(class, &name).is_some() {
            slots.get_attribute = Some(script_get_attribute);
        }
    }
    for (place, (_, name, reflected, augmented)) in OPERATOR_NAMES.into_iter().enumerate() {
        if has(BINARY_SLOTS + place as u32) {
            slots.binary[place] = match find(vm, class, &[name, reflected]) {
                Found::Nothing => None,
                Found::Native(owner) => owner.get(vm).slots.binary[place],
                Found::Script => Some(SCRIPT_BINARY[place]),
            };
        }
        if has(IN_PLACE_SLOTS + place as u32) {
            slots.in_place[place] = match find(vm, class, &[augmented]) {
                Found::Nothing => None,
                Found::Native(owner) => owner.get(vm).slots.in_place[place],
                Found::Script => Some(SCRIPT_IN_PLACE[place]),
            };
        }
    }
    if has(HASH) {
        let name = vm.name(Name::Hash);
        slots.hash = match vm.type_lookup(class, &name) {
            Some(found) if found.is_none() => None,
            Some(found) => match native_owner(vm, &found) {
                Some(owner) => owner.get(vm).slots.hash,
                None => Some(script_hash),
            },
            None => None,
        };
    }
    if has(NEW_SLOT) {
        let name = vm.name(Name::New);
        slots.new = match vm.type_lookup(class, &name) {
            // As in CPython, a built-in type's `__new__` stands for what the base does, wherever it was taken from.
            Some(found) => match native_owner(vm, &found) {
                Some(owner) => class.get(vm).base.as_ref().map_or(owner.get(vm).slots.new, |base| base.get(vm).slots.new),
                None => Some(script_new),
            },
            None => None,
        };
    }
}

impl Vm {
    /// The name of an attribute has to be a string.
    pub(crate) fn expect_attribute_name(&mut self, name: &Value) -> Result<()> {
        if self.is_kind(name, TypeId::Str) {
            return Ok(());
        }
        let message = format!("attribute name must be string, not '{}'", self.type_name(name));
        Err(self.type_error(message))
    }
}
