//! `slice`: its methods.

use super::TypeId;
use super::slice::Slice;
use super::tuple_methods::Lanes;
use crate::code::instruction::Comparison;
use crate::number::Int;
use crate::object::layout::Layout;
use crate::object::native::{Args, getter, native};
use crate::object::sequence;
use crate::object::type_object::{CallArgs, Slots, Type, TypeSpec};
use crate::object::value::{Ref, Value};
use crate::vm::{Result, Vm};

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "slice",
    doc: "slice(stop)\nslice(start, stop[, step])\n\nWhat stands in the brackets of a[start:stop:step], as an object.",
    layout: Layout::Slice,
    slots: Slots { new: Some(new), repr: Some(repr), compare: Some(compare), hash: Some(hash), ..Slots::NONE },
    methods: &[native("indices(self, object, /)", indices), native("__reduce__(self, /)", reduce)],
    getset: &[getter("start", start), getter("stop", stop), getter("step", step)],
    ..TypeSpec::DEFAULT
};

fn slice_of(value: &Value) -> &Ref<Slice> {
    value.downcast::<Slice>().expect("the slot or method was found on a slice")
}

fn parts(vm: &Vm, value: &Value) -> [Value; 3] {
    let slice = slice_of(value).get(vm);
    [slice.start.clone(), slice.stop.clone(), slice.step.clone()]
}

fn new(vm: &mut Vm, _: &Ref<Type>, args: CallArgs<'_>) -> Result<Value> {
    sequence::no_names(vm, "slice", args)?;
    sequence::positional(vm, "slice", args, 1, 3)?;
    Ok(match args.values {
        [stop] => vm.new_slice(Value::NONE, stop.clone(), Value::NONE),
        [start, stop] => vm.new_slice(start.clone(), stop.clone(), Value::NONE),
        [start, stop, step, ..] => vm.new_slice(start.clone(), stop.clone(), step.clone()),
        [] => vm.new_slice(Value::NONE, Value::NONE, Value::NONE),
    })
}

fn start(vm: &mut Vm, this: &Value) -> Result<Value> {
    Ok(slice_of(this).get(vm).start.clone())
}
fn stop(vm: &mut Vm, this: &Value) -> Result<Value> {
    Ok(slice_of(this).get(vm).stop.clone())
}
fn step(vm: &mut Vm, this: &Value) -> Result<Value> {
    Ok(slice_of(this).get(vm).step.clone())
}

fn repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let [start, stop, step] = parts(vm, this);
    vm.enter_native()?;
    let (start, stop, step) = (vm.repr_text(&start)?, vm.repr_text(&stop)?, vm.repr_text(&step)?);
    Ok(vm.new_str(format!("slice({start}, {stop}, {step})")))
}

fn compare(vm: &mut Vm, left: &Value, right: &Value, operation: Comparison) -> Result<Value> {
    if !left.holds::<Slice>() || !right.holds::<Slice>() {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    if left.is(right) {
        return Ok(Value::from_bool(sequence::holds(operation, std::cmp::Ordering::Equal)));
    }
    let (left, right) = (parts(vm, left), parts(vm, right));
    sequence::compare(vm, operation, |_| (3, 3), |_, index| Some((left.get(index)?.clone(), right[index].clone())))
}

fn hash(vm: &mut Vm, this: &Value) -> Result<i64> {
    let mut lanes = Lanes::new();
    for part in parts(vm, this) {
        lanes.add(vm.hash(&part)?);
    }
    // A slice's hash leaves out what a tuple adds for its length.
    Ok(lanes.finish_without_length())
}

fn reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let parts = vm.new_tuple(parts(vm, &args[0]).to_vec());
    let class = vm.builtin(TypeId::Slice).into_value();
    Ok(vm.new_tuple(vec![class, parts]))
}

/// An integer of the slice as `indices` reads it.
fn number(vm: &mut Vm, value: &Value) -> Result<Int> {
    if sequence::is_indexable(vm, value) {
        return vm.index(value);
    }
    Err(vm.type_error("slice indices must be integers or None or have an __index__ method"))
}

fn indices(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let length = vm.index(&args[1])?;
    if length.as_ref().is_negative() {
        return Err(vm.value_error("length should not be negative"));
    }
    let [start, stop, step] = parts(vm, &args[0]);
    let step = if step.is_none() { Int::Small(1) } else { number(vm, &step)? };
    if step.as_ref().is_zero() {
        return Err(vm.value_error("slice step cannot be zero"));
    }
    let backwards = step.as_ref().is_negative();
    // Where indices are clamped to: 0..=length forwards, -1..=length-1 backwards.
    let (lower, upper) = if backwards { (Int::Small(-1), length.as_ref().sub(Int::Small(1).as_ref())) } else { (Int::Small(0), length.clone()) };
    let clamp = |vm: &mut Vm, value: &Value, absent: &Int| -> Result<Value> {
        if value.is_none() {
            return Ok(vm.new_big(absent.clone()));
        }
        let mut index = number(vm, value)?;
        if index.as_ref().is_negative() {
            index = index.as_ref().add(length.as_ref());
            if index.as_ref().cmp(lower.as_ref()).is_lt() {
                index = lower.clone();
            }
        } else if index.as_ref().cmp(upper.as_ref()).is_gt() {
            index = upper.clone();
        }
        Ok(vm.new_big(index))
    };
    let (first, last) = if backwards { (&upper, &lower) } else { (&lower, &upper) };
    let start = clamp(vm, &start, first)?;
    let stop = clamp(vm, &stop, last)?;
    let step = vm.new_big(step);
    Ok(vm.new_tuple(vec![start, stop, step]))
}
