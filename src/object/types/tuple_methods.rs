//! `tuple`: its methods and operators.

use super::dict::same;
use super::iterator::SequenceIterator;
use super::slice::Slice;
use super::tuple::Tuple;
use super::{TypeId, generic_alias_methods, list_methods};
use crate::code::instruction::Comparison;
use crate::object::layout::Layout;
use crate::object::native::{Args, native};
use crate::object::sequence;
use crate::object::type_object::{BASE_TYPE, BinaryOperator, MATCH_SELF, MATCH_SEQUENCE, Slots, Type, TypeSpec, binary, constructor};
use crate::object::value::{Ref, Value};
use crate::text::pace;
use crate::vm::{Result, Vm};

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "tuple",
    doc: "A sequence that cannot be changed.\n\nWithout an argument it is empty; otherwise it holds the items of the iterable.\nA tuple given is the result itself.",
    layout: Layout::Tuple,
    flags: BASE_TYPE | MATCH_SEQUENCE | MATCH_SELF,
    new: constructor("tuple(iterable=(), /)", new),
    slots: Slots {
        repr: Some(repr),
        hash: Some(hash),
        compare: Some(compare),
        iter: Some(iter),
        len: Some(len),
        get_item: Some(get_item),
        contains: Some(contains),
        binary: binary(&[(BinaryOperator::Add, concat), (BinaryOperator::Multiply, repeat)]),
        ..Slots::NONE
    },
    methods: &[
        native("count(self, value, /)", count),
        native("index(self, value, start=0, stop=9223372036854775807, /)", index),
        native("__getnewargs__(self, /)", get_new_args),
    ],
    class_methods: &[native("__class_getitem__(cls, object, /)", generic_alias_methods::class_get_item)],
    ..TypeSpec::DEFAULT
};

fn tuple_of(value: &Value) -> &Ref<Tuple> {
    value.downcast::<Tuple>().expect("the slot or method was found on a tuple")
}

fn item_at<'a>(vm: &'a Vm, tuple: &'a Value, index: usize) -> Option<&'a Value> {
    tuple_of(tuple).get(vm).items().get(index)
}

fn new(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("a constructor gets its class");
    let exact = class.is(&vm.builtin(TypeId::Tuple));
    let Some(iterable) = args.given(1) else {
        return Ok(if exact { vm.empty_tuple() } else { vm.alloc_for(class, Tuple::new(Vec::new())).into_value() });
    };
    if exact && vm.is_exact(iterable, TypeId::Tuple) {
        return Ok(iterable.clone());
    }
    let items = vm.collect(iterable)?;
    Ok(if exact { vm.new_tuple(items) } else { vm.alloc_for(class, Tuple::new(items)).into_value() })
}

fn repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let tuple = tuple_of(this);
    let close = if tuple.get(vm).items().len() == 1 { ",)" } else { ")" };
    sequence::repr(vm, this, "(", close, "(...)", |vm, index| tuple.get(vm).items().get(index).cloned())
}

fn hash(vm: &mut Vm, this: &Value) -> Result<i64> {
    let tuple = tuple_of(this);
    let len = tuple.get(vm).items().len();
    let mut lanes = Lanes::new();
    if len > 0 {
        vm.enter_native()?;
    }
    for index in 0..len {
        let item = &tuple.get(vm).items()[index];
        if let Some(small) = item.as_small() {
            lanes.add(crate::number::IntRef::from(small).hash());
            continue;
        }
        let item = item.clone();
        lanes.add(vm.hash(&item)?);
        vm.poll_after(1)?;
    }
    Ok(lanes.finish(len))
}

/// The hash of a tuple from its items' hashes: xxHash's rounds, as CPython's.
pub(crate) struct Lanes(u64);

impl Lanes {
    const PRIME_1: u64 = 11_400_714_785_074_694_791;
    const PRIME_2: u64 = 14_029_467_366_897_019_727;
    const PRIME_5: u64 = 2_870_177_450_012_600_261;

    pub(crate) fn new() -> Self {
        Self(Self::PRIME_5)
    }
    pub(crate) fn add(&mut self, hash: i64) {
        self.0 = self.0.wrapping_add((hash as u64).wrapping_mul(Self::PRIME_2)).rotate_left(31).wrapping_mul(Self::PRIME_1);
    }
    /// What a slice's hash is: nothing added for the length.
    pub(crate) fn finish_without_length(self) -> i64 {
        if self.0 == u64::MAX { 1_546_275_796 } else { self.0 as i64 }
    }
    pub(crate) fn finish(self, count: usize) -> i64 {
        let hash = self.0.wrapping_add(count as u64 ^ (Self::PRIME_5 ^ 3_527_539));
        if hash == u64::MAX { 1_546_275_796 } else { hash as i64 }
    }
}

fn compare(vm: &mut Vm, left: &Value, right: &Value, operation: Comparison) -> Result<Value> {
    let (Some(left), Some(right)) = (left.downcast::<Tuple>(), right.downcast::<Tuple>()) else {
        return Ok(Value::NOT_IMPLEMENTED);
    };
    if let (Some(equal), Comparison::Equal | Comparison::NotEqual) = (same(left, right), operation) {
        return Ok(Value::from_bool(equal == (operation == Comparison::Equal)));
    }
    let lens = (left.get(vm).items().len(), right.get(vm).items().len());
    if lens.0 != lens.1 && matches!(operation, Comparison::Equal | Comparison::NotEqual) {
        // Unlike lists, tuples of different lengths are compared item by item first.
        for index in 0..lens.0.min(lens.1) {
            let (a, b) = (left.get(vm).items()[index].clone(), right.get(vm).items()[index].clone());
            if !vm.equal(&a, &b)? {
                break;
            }
        }
        return Ok(Value::from_bool(operation == Comparison::NotEqual));
    }
    sequence::compare(
        vm,
        operation,
        |vm| (left.get(vm).items().len(), right.get(vm).items().len()),
        |vm, index| Some((left.get(vm).items().get(index)?.clone(), right.get(vm).items().get(index)?.clone())),
    )
}

fn iter(vm: &mut Vm, this: &Value) -> Result<Value> {
    Ok(vm.alloc(TypeId::TupleIterator, SequenceIterator { sequence: Some(this.clone()), index: 0 }).into_value())
}

fn len(vm: &mut Vm, this: &Value) -> Result<usize> {
    Ok(tuple_of(this).get(vm).items().len())
}

fn get_item(vm: &mut Vm, this: &Value, key: &Value) -> Result<Value> {
    let tuple = tuple_of(this);
    if let Some(slice) = key.downcast::<Slice>() {
        let len = tuple.get(vm).items().len();
        let span = sequence::span(vm, slice, |_| len)?;
        if span.count == len && span.step == 1 && vm.is_exact(this, TypeId::Tuple) {
            return Ok(this.clone());
        }
        vm.charge(span.count * 8)?;
        let items = tuple.get(vm).items();
        let items: Vec<Value> = span.places().map(|place| items[place].clone()).collect();
        return Ok(vm.new_tuple(items));
    }
    if !sequence::is_indexable(vm, key) {
        let name = vm.type_name(key);
        return Err(vm.type_error(format!("tuple indices must be integers or slices, not {name}")));
    }
    let index = sequence::index_number(vm, key)?;
    let items = tuple.get(vm).items();
    match sequence::place(index, items.len()) {
        Some(place) => Ok(items[place].clone()),
        None => Err(vm.index_error("tuple index out of range")),
    }
}

fn contains(vm: &mut Vm, this: &Value, value: &Value) -> Result<bool> {
    Ok(sequence::find(vm, this, value, 0, usize::MAX, item_at)?.is_some())
}

fn concat(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let (Some(a), Some(b)) = (left.downcast::<Tuple>(), right.downcast::<Tuple>()) else {
        return Ok(Value::NOT_IMPLEMENTED);
    };
    let (a_len, b_len) = (a.get(vm).items().len(), b.get(vm).items().len());
    if a_len == 0 && vm.is_exact(right, TypeId::Tuple) {
        return Ok(right.clone());
    }
    if b_len == 0 && vm.is_exact(left, TypeId::Tuple) {
        return Ok(left.clone());
    }
    vm.charge((a_len + b_len) * 8)?;
    let items = vm.paced_items(a_len + b_len, |vm| pace::joined(a.get(vm).items(), b.get(vm).items()))?;
    Ok(vm.new_tuple(items))
}

fn repeat(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let (this, number) = if left.holds::<Tuple>() { (left, right) } else { (right, left) };
    let Some(count) = sequence::repetitions(vm, number)? else { return Ok(Value::NOT_IMPLEMENTED) };
    let unit = tuple_of(this).get(vm).items().to_vec();
    if (count == 1 || unit.is_empty()) && vm.is_exact(this, TypeId::Tuple) {
        return Ok(this.clone());
    }
    let items = sequence::repeated(vm, &unit, count)?;
    Ok(vm.new_tuple(items))
}

/// The items.
pub(crate) fn cloned(vm: &mut Vm, tuple: &Ref<Tuple>) -> Result<Vec<Value>> {
    let count = tuple.get(vm).items().len();
    vm.paced_items(count, |vm| pace::cloned(tuple.get(vm).items()))
}

fn count(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    sequence::count(vm, &args[0], &args[1], item_at)
}

fn index(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let len = tuple_of(&args[0]).get(vm).items().len();
    let (start, stop) = list_methods::search_bounds(vm, &args, |_| len)?;
    match sequence::find(vm, &args[0], &args[1], start, stop, item_at)? {
        Some(place) => Ok(Value::small(place as i64)),
        None => Err(vm.value_error("tuple.index(x): x not in tuple")),
    }
}

fn get_new_args(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let items = tuple_of(&args[0]).get(vm).items().to_vec();
    let copy = vm.new_tuple(items);
    Ok(vm.new_tuple(vec![copy]))
}
