//! `dict_keys`, `dict_values`, `dict_items` and the iterators over dicts: their methods.

use super::descriptor::MappingProxy;
use super::dict::Dict;
use super::dict_view::{DictIterator, DictPart, DictView};
use super::set::Set;
use super::tuple::Tuple;
use super::{TypeId, set_methods};
use crate::code::instruction::Comparison;
use crate::object::layout::Layout;
use crate::object::native::{Args, GetSetSpec, Native, getter, native};
use crate::object::sequence;
use crate::object::type_object::{BinaryFn, BinaryOperator, NO_NEW, Slots, TypeSpec, binary};
use crate::object::value::{Ref, Value};
use crate::text::TextBuilder;
use crate::vm::{Result, Vm};

const OPERATORS: &[(BinaryOperator, BinaryFn)] =
    &[(BinaryOperator::Or, or), (BinaryOperator::And, and), (BinaryOperator::Subtract, subtract), (BinaryOperator::Xor, xor)];
const METHODS: &[Native] = &[native("isdisjoint(self, object, /)", is_disjoint), native("__reversed__(self, /)", reversed)];
const MAPPING: &[GetSetSpec] = &[getter("mapping", mapping)];
const SET_LIKE: Slots = Slots {
    repr: Some(repr),
    compare: Some(compare),
    iter: Some(iter),
    len: Some(len),
    contains: Some(contains),
    binary: binary(OPERATORS),
    ..Slots::NONE
};

pub(crate) static KEYS: TypeSpec =
    TypeSpec { name: "dict_keys", layout: Layout::DictView, flags: NO_NEW, slots: SET_LIKE, methods: METHODS, getset: MAPPING, ..TypeSpec::DEFAULT };
pub(crate) static ITEMS: TypeSpec =
    TypeSpec { name: "dict_items", layout: Layout::DictView, flags: NO_NEW, slots: SET_LIKE, methods: METHODS, getset: MAPPING, ..TypeSpec::DEFAULT };
pub(crate) static VALUES: TypeSpec = TypeSpec {
    name: "dict_values",
    layout: Layout::DictView,
    flags: NO_NEW,
    slots: Slots { repr: Some(repr), iter: Some(iter), len: Some(len), ..Slots::NONE },
    methods: &[native("__reversed__(self, /)", reversed)],
    getset: MAPPING,
    ..TypeSpec::DEFAULT
};

const fn iterator_spec(name: &'static str) -> TypeSpec {
    TypeSpec {
        name,
        layout: Layout::DictIterator,
        flags: NO_NEW,
        slots: Slots { iter: Some(sequence::iter_self), next: Some(next), ..Slots::NONE },
        methods: ITERATOR_METHODS,
        ..TypeSpec::DEFAULT
    }
}

const ITERATOR_METHODS: &[Native] = &[native("__length_hint__(self, /)", length_hint), native("__reduce__(self, /)", reduce)];

pub(crate) static KEY_ITERATOR: TypeSpec = iterator_spec("dict_keyiterator");
pub(crate) static VALUE_ITERATOR: TypeSpec = iterator_spec("dict_valueiterator");
pub(crate) static ITEM_ITERATOR: TypeSpec = iterator_spec("dict_itemiterator");
pub(crate) static REVERSE_KEY_ITERATOR: TypeSpec = iterator_spec("dict_reversekeyiterator");
pub(crate) static REVERSE_VALUE_ITERATOR: TypeSpec = iterator_spec("dict_reversevalueiterator");
pub(crate) static REVERSE_ITEM_ITERATOR: TypeSpec = iterator_spec("dict_reverseitemiterator");

/// The type of a view.
pub(crate) fn view_type(part: DictPart) -> TypeId {
    match part {
        DictPart::Keys => TypeId::DictKeys,
        DictPart::Values => TypeId::DictValues,
        DictPart::Items => TypeId::DictItems,
    }
}

/// An iterator over a dict.
pub(crate) fn iterator(vm: &mut Vm, dict: &Ref<Dict>, part: DictPart, reverse: bool) -> Value {
    let table = dict.get(vm);
    let used = table.len();
    let position = if reverse { table.entries().len() } else { 0 };
    let iterator = DictIterator { dict: Some(dict.clone()), part, reverse, position, used, left: used, pair: None };
    match (part, reverse) {
        (DictPart::Keys, false) => vm.alloc(TypeId::DictKeyIterator, iterator).into_value(),
        (DictPart::Values, false) => vm.alloc(TypeId::DictValueIterator, iterator).into_value(),
        (DictPart::Items, false) => vm.alloc(TypeId::DictItemIterator, iterator).into_value(),
        (DictPart::Keys, true) => sequence::make(vm, &REVERSE_KEY_ITERATOR, iterator),
        (DictPart::Values, true) => sequence::make(vm, &REVERSE_VALUE_ITERATOR, iterator),
        (DictPart::Items, true) => sequence::make(vm, &REVERSE_ITEM_ITERATOR, iterator),
    }
}

fn iterator_of(value: &Value) -> &Ref<DictIterator> {
    value.downcast::<DictIterator>().expect("the slot or method was found on a dict's iterator")
}

fn next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    let iterator = iterator_of(this);
    let state = iterator.get(vm);
    let Some(dict) = &state.dict else { return Ok(None) };
    let table = dict.get(vm);
    if state.used != table.len() {
        iterator.get_mut(vm).used = usize::MAX;
        return Err(vm.runtime_error("dictionary changed size during iteration"));
    }
    let found = if state.reverse {
        let entries = table.entries();
        let end = state.position.min(entries.len());
        entries[..end].iter().rposition(|entry| !entry.key.is_unbound()).map(|place| (place, place, &entries[place]))
    } else {
        table.next_entry(state.position).map(|(place, entry)| (place, place + 1, entry))
    };
    let unexpected = found.is_some() && state.left == 0;
    let Some((_, position, entry)) = found.filter(|_| !unexpected) else {
        let exhausted = iterator.get_mut(vm).dict.take();
        drop(exhausted);
        return if unexpected { Err(vm.runtime_error("dictionary keys changed during iteration")) } else { Ok(None) };
    };
    let (key, value) = match state.part {
        DictPart::Keys => (entry.key.clone(), None),
        DictPart::Values => (entry.value.clone(), None),
        DictPart::Items => (entry.key.clone(), Some(entry.value.clone())),
    };
    let state = iterator.get_mut(vm);
    state.position = position;
    state.left -= 1;
    let Some(value) = value else { return Ok(Some(key)) };
    let kept = state.pair.take();
    let (pair, kept) = sequence::refilled(vm, kept, smallvec::smallvec![key, value]);
    iterator.get_mut(vm).pair = kept;
    Ok(Some(pair))
}

fn length_hint(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let state = iterator_of(&args[0]).get(vm);
    let left = match &state.dict {
        Some(dict) if dict.get(vm).len() == state.used => state.left,
        _ => 0,
    };
    Ok(Value::small(left as i64))
}

fn reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    reduce_as(vm, iterator_of(&args[0]), &KEY_ITERATOR)
}

/// `__reduce__` of an iterator of type `spec` over a dict: `iter` of a list of what is left, while the iterator stays where it is.
pub(crate) fn reduce_as(vm: &mut Vm, iterator: &Ref<DictIterator>, spec: &'static TypeSpec) -> Result<Value> {
    let state = iterator.get(vm);
    let copy = DictIterator {
        dict: state.dict.clone(),
        part: state.part,
        reverse: state.reverse,
        position: state.position,
        used: state.used,
        left: state.left,
        pair: None,
    };
    let copy = sequence::make(vm, spec, copy);
    let items = vm.collect(&copy)?;
    let items = vm.new_list(items);
    let iter = sequence::builtin_function(vm, "iter")?;
    let arguments = vm.new_tuple(vec![items]);
    Ok(vm.new_tuple(vec![iter, arguments]))
}

fn view_of(value: &Value) -> &Ref<DictView> {
    value.downcast::<DictView>().expect("the slot or method was found on a dict view")
}

/// The dict of a view; an empty one when the collector took it away.
fn dict_of(vm: &Vm, view: &Value) -> Ref<Dict> {
    match &view_of(view).get(vm).dict {
        Some(dict) => dict.clone(),
        None => vm.new_dict(),
    }
}

fn part_of(vm: &Vm, view: &Value) -> DictPart {
    view_of(view).get(vm).part
}

/// Whether a value is a view that acts as a set.
fn is_set_like(vm: &Vm, value: &Value) -> bool {
    value.downcast::<DictView>().is_some_and(|view| view.get(vm).part != DictPart::Values)
}

fn repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let name = vm.type_name(this);
    if !vm.enter_repr(this)? {
        return Ok(vm.new_str("..."));
    }
    let items = vm.collect(this).map(|items| vm.new_list(items));
    let result = items.and_then(|items| vm.repr_text(&items));
    vm.leave_repr(this);
    let items = result?;
    let mut text = TextBuilder::default();
    text.push_str(&name);
    text.push_str("(");
    text.push_text(&items);
    text.push_str(")");
    Ok(vm.new_str(text.finish()))
}

fn iter(vm: &mut Vm, this: &Value) -> Result<Value> {
    let (dict, part) = (dict_of(vm, this), part_of(vm, this));
    Ok(iterator(vm, &dict, part, false))
}

fn reversed(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (dict, part) = (dict_of(vm, &args[0]), part_of(vm, &args[0]));
    Ok(iterator(vm, &dict, part, true))
}

fn len(vm: &mut Vm, this: &Value) -> Result<usize> {
    let dict = dict_of(vm, this);
    Ok(dict.get(vm).len())
}

fn contains(vm: &mut Vm, this: &Value, item: &Value) -> Result<bool> {
    let dict = dict_of(vm, this);
    if part_of(vm, this) == DictPart::Keys {
        let hash = vm.hash(item)?;
        return Ok(vm.dict_place(&dict, item, hash)?.is_some());
    }
    let Some(pair) = item.downcast::<Tuple>() else { return Ok(false) };
    let [key, value] = pair.get(vm).items() else { return Ok(false) };
    let (key, value) = (key.clone(), value.clone());
    match vm.dict_get(&dict, &key)? {
        Some(found) => vm.equal(&found, &value),
        None => Ok(false),
    }
}

fn mapping(vm: &mut Vm, this: &Value) -> Result<Value> {
    let mapping = dict_of(vm, this).into_value();
    Ok(vm.alloc(TypeId::MappingProxy, MappingProxy { mapping }).into_value())
}

fn all_in(vm: &mut Vm, items: &Value, container: &Value) -> Result<bool> {
    let iterator = vm.iter(items)?;
    while let Some(item) = vm.next(&iterator)? {
        if !vm.contains(container, &item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn compare(vm: &mut Vm, this: &Value, other: &Value, operation: Comparison) -> Result<Value> {
    if !other.holds::<Set>() && !is_set_like(vm, other) {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    let (own, others) = (vm.len(this)?, vm.len(other)?);
    let answer = match operation {
        Comparison::Equal => own == others && all_in(vm, this, other)?,
        Comparison::NotEqual => !(own == others && all_in(vm, this, other)?),
        Comparison::Less => own < others && all_in(vm, this, other)?,
        Comparison::LessEqual => own <= others && all_in(vm, this, other)?,
        Comparison::Greater => own > others && all_in(vm, other, this)?,
        Comparison::GreaterEqual => own >= others && all_in(vm, other, this)?,
        Comparison::Is | Comparison::IsNot | Comparison::In | Comparison::NotIn => return Ok(Value::NOT_IMPLEMENTED),
    };
    Ok(Value::from_bool(answer))
}

fn as_set(vm: &mut Vm, items: &Value) -> Result<Ref<Set>> {
    let set = vm.new_set();
    set_methods::update(vm, &set, items)?;
    Ok(set)
}

fn or(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let set = as_set(vm, left)?;
    set_methods::update(vm, &set, right)?;
    Ok(set.into_value())
}

fn and(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let (mut view, mut other) = if is_set_like(vm, left) { (left, right) } else { (right, left) };
    let own = vm.len(view)?;
    if let Some(set) = other.downcast::<Set>() {
        if (vm.is_exact(other, TypeId::Set) || vm.is_exact(other, TypeId::FrozenSet)) && own <= set.get(vm).len() {
            return vm.call_method(other, "intersection", std::slice::from_ref(view));
        }
    }
    if is_set_like(vm, other) && vm.len(other)? > own {
        (view, other) = (other, view);
    }
    let set = vm.new_set();
    sequence::for_each(vm, other, |vm, item| {
        if contains(vm, view, &item)? {
            set_methods::add(vm, &set, item)?;
        }
        Ok(())
    })?;
    Ok(set.into_value())
}

fn subtract(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let set = as_set(vm, left)?;
    vm.call_method(&set, "difference_update", std::slice::from_ref(right))?;
    Ok(set.into_value())
}

fn xor(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let set = as_set(vm, left)?;
    vm.call_method(&set, "symmetric_difference_update", std::slice::from_ref(right))?;
    Ok(set.into_value())
}

fn is_disjoint(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (mut view, mut other) = (&args[0], &args[1]);
    if view.is(other) {
        return Ok(Value::from_bool(vm.len(view)? == 0));
    }
    if (other.holds::<Set>() || is_set_like(vm, other)) && vm.len(other)? > vm.len(view)? {
        (view, other) = (other, view);
    }
    let iterator = vm.iter(other)?;
    while let Some(item) = vm.next(&iterator)? {
        if vm.contains(view, &item)? {
            return Ok(Value::FALSE);
        }
    }
    Ok(Value::TRUE)
}
