//! `range` and its iterators: their methods.

use super::TypeId;
use super::range::{LongRangeIterator, Range, RangeIterator};
use super::slice::Slice;
use super::tuple_methods::Lanes;
use crate::code::instruction::Comparison;
use crate::number::{Int, IntRef, never};
use crate::object::layout::Layout;
use crate::object::native::{Args, getter, native};
use crate::object::sequence;
use crate::object::type_object::{CallArgs, MATCH_SEQUENCE, Slots, Type, TypeSpec};
use crate::object::value::{Ref, Value};
use crate::vm::{Result, Vm};

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "range",
    doc: "range(stop) -> the numbers from 0 up to stop - 1\nrange(start, stop[, step]) -> from start on, by step (1 if not given), as long as stop is not reached\n\nThe numbers are computed when they are asked for. range(3) has 0, 1, 2: the indices of\na sequence of three items. A negative step counts down.",
    layout: Layout::Range,
    flags: MATCH_SEQUENCE,
    slots: Slots {
        new: Some(new),
        repr: Some(repr),
        hash: Some(hash),
        compare: Some(compare),
        iter: Some(iter),
        len: Some(len),
        get_item: Some(get_item),
        contains: Some(contains),
        bool: Some(bool),
        ..Slots::NONE
    },
    methods: &[
        native("count(self, object, /)", count),
        native("index(self, object, /)", index),
        native("__reversed__(self, /)", reversed),
        native("__reduce__(self, /)", reduce),
    ],
    getset: &[getter("start", start), getter("stop", stop), getter("step", step)],
    ..TypeSpec::DEFAULT
};

pub(crate) static ITERATOR: TypeSpec = TypeSpec {
    name: "range_iterator",
    layout: Layout::RangeIterator,
    flags: crate::object::type_object::NO_NEW,
    slots: Slots { iter: Some(sequence::iter_self), next: Some(next), ..Slots::NONE },
    methods: &[
        native("__length_hint__(self, /)", length_hint),
        native("__reduce__(self, /)", reduce_iterator),
        native("__setstate__(self, object, /)", set_state),
    ],
    ..TypeSpec::DEFAULT
};

pub(crate) static LONG_ITERATOR: TypeSpec = TypeSpec {
    name: "longrange_iterator",
    layout: Layout::LongRangeIterator,
    flags: crate::object::type_object::NO_NEW,
    slots: Slots { iter: Some(sequence::iter_self), next: Some(long_next), ..Slots::NONE },
    methods: &[
        native("__length_hint__(self, /)", long_length_hint),
        native("__reduce__(self, /)", long_reduce),
        native("__setstate__(self, object, /)", long_set_state),
    ],
    ..TypeSpec::DEFAULT
};

fn range_of(value: &Value) -> &Ref<Range> {
    value.downcast::<Range>().expect("the slot or method was found on a range")
}

/// Start, step and length.
struct Numbers {
    start: Int,
    step: Int,
    length: Int,
}

fn int_of(vm: &Vm, value: &Value) -> Int {
    vm.int_value(value).expect("a range holds integers")
}

fn numbers(vm: &Vm, range: &Ref<Range>) -> Numbers {
    let range = range.get(vm);
    Numbers { start: int_of(vm, &range.start), step: int_of(vm, &range.step), length: int_of(vm, &range.length) }
}

impl Numbers {
    /// The number at an index, which may lie outside.
    fn at(&self, vm: &mut Vm, index: IntRef<'_>) -> Result<Int> {
        if let (IntRef::Small(start), IntRef::Small(step), IntRef::Small(index)) = (self.start.as_ref(), self.step.as_ref(), index) {
            return Ok(Int::from(i128::from(start) + i128::from(step) * i128::from(index)));
        }
        let offset = self.step.as_ref().mul(index, &mut never()).map_err(|error| vm.number_error(error))?;
        Ok(self.start.as_ref().add(offset.as_ref()))
    }
}

fn length_of(vm: &mut Vm, start: &Int, stop: &Int, step: &Int) -> Result<Int> {
    let (low, high, by) = if step.as_ref().is_negative() { (stop, start, step.as_ref().neg()) } else { (start, stop, step.clone()) };
    if low.as_ref().cmp(high.as_ref()).is_ge() {
        return Ok(Int::Small(0));
    }
    let distance = high.as_ref().sub(low.as_ref()).as_ref().sub(Int::Small(1).as_ref());
    let whole = distance.as_ref().floordiv(by.as_ref(), &mut never()).map_err(|error| vm.number_error(error))?;
    Ok(whole.as_ref().add(Int::Small(1).as_ref()))
}

/// The range of these numbers; `ValueError` for a step of zero.
pub(crate) fn make(vm: &mut Vm, start: Int, stop: Int, step: Int) -> Result<Value> {
    if step.as_ref().is_zero() {
        return Err(vm.value_error("range() arg 3 must not be zero"));
    }
    let length = length_of(vm, &start, &stop, &step)?;
    let range = Range { start: vm.new_big(start), stop: vm.new_big(stop), step: vm.new_big(step), length: vm.new_big(length) };
    Ok(sequence_alloc(vm, range))
}

fn sequence_alloc(vm: &mut Vm, range: Range) -> Value {
    vm.alloc(TypeId::Range, range).into_value()
}

fn new(vm: &mut Vm, _: &Ref<Type>, args: CallArgs<'_>) -> Result<Value> {
    sequence::no_names(vm, "range", args)?;
    sequence::positional(vm, "range", args, 1, 3)?;
    let (start, stop, step) = match args.values {
        [stop] => (Int::Small(0), vm.index(stop)?, Int::Small(1)),
        [start, stop] => (vm.index(start)?, vm.index(stop)?, Int::Small(1)),
        [start, stop, step, ..] => (vm.index(start)?, vm.index(stop)?, vm.index(step)?),
        [] => (Int::Small(0), Int::Small(0), Int::Small(1)),
    };
    make(vm, start, stop, step)
}

fn start(vm: &mut Vm, this: &Value) -> Result<Value> {
    Ok(range_of(this).get(vm).start.clone())
}
fn stop(vm: &mut Vm, this: &Value) -> Result<Value> {
    Ok(range_of(this).get(vm).stop.clone())
}
fn step(vm: &mut Vm, this: &Value) -> Result<Value> {
    Ok(range_of(this).get(vm).step.clone())
}

fn repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let range = range_of(this).get(vm);
    let (start, stop, step) = (range.start.clone(), range.stop.clone(), range.step.clone());
    let (first, last) = (vm.repr_text(&start)?, vm.repr_text(&stop)?);
    if step.as_small() == Some(1) {
        return Ok(vm.new_str(format!("range({first}, {last})")));
    }
    let step = vm.repr_text(&step)?;
    Ok(vm.new_str(format!("range({first}, {last}, {step})")))
}

/// What decides equality: the length; the start unless it is empty; the step unless there is only one number.
fn signature(vm: &Vm, range: &Ref<Range>) -> [Value; 3] {
    let range = range.get(vm);
    match range.length.as_small() {
        Some(0) => [range.length.clone(), Value::NONE, Value::NONE],
        Some(1) => [range.length.clone(), range.start.clone(), Value::NONE],
        _ => [range.length.clone(), range.start.clone(), range.step.clone()],
    }
}

fn hash(vm: &mut Vm, this: &Value) -> Result<i64> {
    let mut lanes = Lanes::new();
    for part in signature(vm, range_of(this)) {
        lanes.add(vm.hash(&part)?);
    }
    Ok(lanes.finish(3))
}

fn compare(vm: &mut Vm, left: &Value, right: &Value, operation: Comparison) -> Result<Value> {
    let (Some(a), Some(b)) = (left.downcast::<Range>(), right.downcast::<Range>()) else { return Ok(Value::NOT_IMPLEMENTED) };
    if !matches!(operation, Comparison::Equal | Comparison::NotEqual) {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    let mut equal = true;
    if !left.is(right) {
        for (a, b) in signature(vm, a).iter().zip(signature(vm, b).iter()) {
            equal = equal && vm.equal(a, b)?;
        }
    }
    Ok(Value::from_bool(equal == (operation == Comparison::Equal)))
}

fn len(vm: &mut Vm, this: &Value) -> Result<usize> {
    let length = range_of(this).get(vm).length.clone();
    match int_of(vm, &length).as_ref().to_i64() {
        Some(length) => Ok(length as usize),
        None => Err(vm.overflow_error("Python int too large to convert to C ssize_t")),
    }
}

fn bool(vm: &mut Vm, this: &Value) -> Result<bool> {
    Ok(range_of(this).get(vm).length.as_small() != Some(0))
}

/// An iterator over the numbers from `start`.
fn iterator(vm: &mut Vm, start: Int, step: Int, length: Int) -> Value {
    if let (Some(next), Some(by), Some(left)) = (start.as_ref().to_i64(), step.as_ref().to_i64(), length.as_ref().to_i64()) {
        // The last number, and the one behind it, must not overflow.
        if i64::try_from(i128::from(next) + i128::from(by) * i128::from(left)).is_ok() {
            return vm.alloc(TypeId::RangeIterator, RangeIterator { next, step: by, left }).into_value();
        }
    }
    sequence::make(vm, &LONG_ITERATOR, LongRangeIterator { next: start, step, left: length })
}

fn iter(vm: &mut Vm, this: &Value) -> Result<Value> {
    let Numbers { start, step, length } = numbers(vm, range_of(this));
    Ok(iterator(vm, start, step, length))
}

fn reversed(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let all = numbers(vm, range_of(&args[0]));
    let last = all.length.as_ref().sub(Int::Small(1).as_ref());
    let last = all.at(vm, last.as_ref())?;
    let back = all.step.as_ref().neg();
    Ok(iterator(vm, last, back, all.length))
}

fn get_item(vm: &mut Vm, this: &Value, key: &Value) -> Result<Value> {
    let range = range_of(this);
    if let Some(slice) = key.downcast::<Slice>() {
        return get_slice(vm, range, slice);
    }
    if !sequence::is_indexable(vm, key) {
        let name = vm.type_name(key);
        return Err(vm.type_error(format!("range indices must be integers or slices, not {name}")));
    }
    let mut index = vm.index(key)?;
    let all = numbers(vm, range);
    if index.as_ref().is_negative() {
        index = index.as_ref().add(all.length.as_ref());
    }
    if index.as_ref().is_negative() || index.as_ref().cmp(all.length.as_ref()).is_ge() {
        return Err(vm.index_error("range object index out of range"));
    }
    let number = all.at(vm, index.as_ref())?;
    Ok(vm.new_big(number))
}

fn get_slice(vm: &mut Vm, range: &Ref<Range>, slice: &Ref<Slice>) -> Result<Value> {
    let length = range.get(vm).length.clone();
    let slice: Value = slice.clone().into();
    let places = vm.call_method(&slice, "indices", &[length])?;
    let places: Vec<Int> = vm.tuple_items(&places).iter().map(|place| int_of(vm, place)).collect();
    let all = numbers(vm, range);
    let start = all.at(vm, places[0].as_ref())?;
    let stop = all.at(vm, places[1].as_ref())?;
    let step = all.step.as_ref().mul(places[2].as_ref(), &mut never()).map_err(|error| vm.number_error(error))?;
    make(vm, start, stop, step)
}

/// The index of an integer in the range.
fn place_of(vm: &mut Vm, range: &Ref<Range>, number: &Int) -> Result<Option<Int>> {
    let all = numbers(vm, range);
    let offset = number.as_ref().sub(all.start.as_ref());
    let (place, rest) = offset.as_ref().divmod(all.step.as_ref(), &mut never()).map_err(|error| vm.number_error(error))?;
    let inside = rest.as_ref().is_zero() && !place.as_ref().is_negative() && place.as_ref().cmp(all.length.as_ref()).is_lt();
    Ok(inside.then_some(place))
}

/// Whether it is an `int` or `bool` itself, so that its `__eq__` is known.
fn plain_int(vm: &Vm, value: &Value) -> Option<Int> {
    if value.as_small().is_some() || value.as_bool().is_some() || vm.is_exact(value, TypeId::Int) { vm.int_value(value) } else { None }
}

fn contains(vm: &mut Vm, this: &Value, value: &Value) -> Result<bool> {
    if let Some(number) = plain_int(vm, value) {
        return Ok(place_of(vm, range_of(this), &number)?.is_some());
    }
    let iterator = iter(vm, this)?;
    while let Some(item) = vm.next(&iterator)? {
        if vm.equal(&item, value)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn count(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if let Some(number) = plain_int(vm, &args[1]) {
        return Ok(Value::small(i64::from(place_of(vm, range_of(&args[0]), &number)?.is_some())));
    }
    let iterator = iter(vm, &args[0])?;
    let mut count = 0;
    while let Some(item) = vm.next(&iterator)? {
        count += i64::from(vm.equal(&item, &args[1])?);
    }
    Ok(Value::small(count))
}

fn index(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if let Some(number) = plain_int(vm, &args[1]) {
        if let Some(place) = place_of(vm, range_of(&args[0]), &number)? {
            return Ok(vm.new_big(place));
        }
        let wanted = vm.repr_text(&args[1])?;
        return Err(vm.value_error(format!("{wanted} is not in range")));
    }
    let iterator = iter(vm, &args[0])?;
    let mut index = 0;
    while let Some(item) = vm.next(&iterator)? {
        if vm.equal(&item, &args[1])? {
            return Ok(Value::small(index));
        }
        index += 1;
    }
    Err(vm.value_error("sequence.index(x): x not in sequence"))
}

fn reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let range = range_of(&args[0]).get(vm);
    let parts = vec![range.start.clone(), range.stop.clone(), range.step.clone()];
    let parts = vm.new_tuple(parts);
    let class = vm.builtin(TypeId::Range).into_value();
    Ok(vm.new_tuple(vec![class, parts]))
}

fn iterator_of(value: &Value) -> &Ref<RangeIterator> {
    value.downcast::<RangeIterator>().expect("the slot or method was found on a range iterator")
}

fn next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    let iterator = iterator_of(this).get_mut(vm);
    if iterator.left <= 0 {
        return Ok(None);
    }
    let number = iterator.next;
    iterator.left -= 1;
    iterator.next = number.wrapping_add(iterator.step);
    Ok(Some(vm.new_int(number)))
}

fn length_hint(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let left = iterator_of(&args[0]).get(vm).left.max(0);
    Ok(vm.new_int(left))
}

/// `(iter, (range,), None or 0)`: how an iterator is copied and pickled.
fn reduced(vm: &mut Vm, range: Value) -> Result<Value> {
    let iter = sequence::builtin_function(vm, "iter")?;
    let arguments = vm.new_tuple(vec![range]);
    Ok(vm.new_tuple(vec![iter, arguments, Value::NONE]))
}

fn reduce_iterator(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let iterator = iterator_of(&args[0]).get(vm);
    let (next, step, left) = (iterator.next, iterator.step, iterator.left.max(0));
    let stop = Int::from(i128::from(next) + i128::from(step) * i128::from(left));
    let range = make(vm, Int::from(next), stop, Int::from(step))?;
    reduced(vm, range)
}

fn set_state(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let state = vm.index_i64(&args[1])?;
    let iterator = iterator_of(&args[0]).get_mut(vm);
    let skipped = state.clamp(0, iterator.left.max(0));
    iterator.next = iterator.next.wrapping_add(iterator.step.wrapping_mul(skipped));
    iterator.left -= skipped;
    Ok(Value::NONE)
}

fn long_of(value: &Value) -> &Ref<LongRangeIterator> {
    value.downcast::<LongRangeIterator>().expect("the slot or method was found on a range iterator")
}

fn long_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    let iterator = long_of(this).get_mut(vm);
    if iterator.left.as_ref().is_zero() || iterator.left.as_ref().is_negative() {
        return Ok(None);
    }
    iterator.left = iterator.left.as_ref().sub(Int::Small(1).as_ref());
    let following = iterator.next.as_ref().add(iterator.step.as_ref());
    let number = std::mem::replace(&mut iterator.next, following);
    Ok(Some(vm.new_big(number)))
}

fn long_length_hint(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let left = long_of(&args[0]).get(vm).left.clone();
    Ok(vm.new_big(left))
}

fn long_reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let iterator = long_of(&args[0]).get(vm);
    let all = Numbers { start: iterator.next.clone(), step: iterator.step.clone(), length: iterator.left.clone() };
    let stop = all.at(vm, all.length.as_ref())?;
    let range = make(vm, all.start, stop, all.step)?;
    reduced(vm, range)
}

fn long_set_state(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let state = vm.index(&args[1])?;
    let iterator = long_of(&args[0]).get(vm);
    let all = Numbers { start: iterator.next.clone(), step: iterator.step.clone(), length: iterator.left.clone() };
    let skipped = if state.as_ref().is_negative() {
        Int::Small(0)
    } else if state.as_ref().cmp(all.length.as_ref()).is_gt() {
        all.length.clone()
    } else {
        state
    };
    let next = all.at(vm, skipped.as_ref())?;
    let iterator = long_of(&args[0]).get_mut(vm);
    iterator.next = next;
    iterator.left = iterator.left.as_ref().sub(skipped.as_ref());
    Ok(Value::NONE)
}
