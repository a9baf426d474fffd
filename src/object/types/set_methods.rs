//! `set` and `frozenset`: look-up, methods, operators, iterators.

use super::dict::{self, Dict};
use super::set::{Found, Set, SetIterator};
use super::{TypeId, generic_alias_methods};
use crate::code::instruction::Comparison;
use crate::object::layout::Layout;
use crate::object::native::{Args, native};
use crate::object::sequence;
use crate::object::type_object::{BASE_TYPE, BinaryOperator, CallArgs, HAS_WEAKREFS, MATCH_SELF, NO_NEW, Slots, Type, TypeSpec, binary, constructor};
use crate::object::types::exception::ExceptionKind;
use crate::object::value::{Ref, Value};
use crate::text::TextBuilder;
use crate::vm::{Result, Vm};

const OPERATORS: &[(BinaryOperator, crate::object::type_object::BinaryFn)] =
    &[(BinaryOperator::Or, or), (BinaryOperator::And, and), (BinaryOperator::Subtract, subtract), (BinaryOperator::Xor, xor)];

const COMMON: Slots = Slots {
    repr: Some(repr),
    compare: Some(compare),
    iter: Some(iter),
    len: Some(len),
    contains: Some(contains),
    binary: binary(OPERATORS),
    ..Slots::NONE
};

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "set",
    doc: "Items without order, each there once.",
    layout: Layout::Set,
    flags: BASE_TYPE | MATCH_SELF | HAS_WEAKREFS,
    new: constructor("set(*args, **kwargs)", new_set),
    slots: Slots {
        init: Some(init),
        in_place: binary(&[
            (BinaryOperator::Or, in_place_or),
            (BinaryOperator::And, in_place_and),
            (BinaryOperator::Subtract, in_place_subtract),
            (BinaryOperator::Xor, in_place_xor),
        ]),
        ..COMMON
    },
    methods: &[
        native("add(self, object, /)", add_method),
        native("clear(self, /)", clear_method),
        native("copy(self, /)", copy_method),
        native("discard(self, object, /)", discard_method),
        native("difference(self, *others)", difference_method),
        native("difference_update(self, *others)", difference_update_method),
        native("intersection(self, *others)", intersection_method),
        native("intersection_update(self, *others)", intersection_update_method),
        native("isdisjoint(self, other, /)", is_disjoint),
        native("issubset(self, other, /)", is_subset_method),
        native("issuperset(self, other, /)", is_superset_method),
        native("pop(self, /)", pop),
        native("remove(self, object, /)", remove_method),
        native("symmetric_difference(self, other, /)", symmetric_difference_method),
        native("symmetric_difference_update(self, other, /)", symmetric_difference_update_method),
        native("union(self, *others)", union_method),
        native("update(self, *others)", update_method),
        native("__reduce__(self, /)", reduce),
        native("__sizeof__(self, /)", size_of),
    ],
    class_methods: &[native("__class_getitem__(cls, object, /)", generic_alias_methods::class_get_item)],
    ..TypeSpec::DEFAULT
};

pub(crate) static FROZEN: TypeSpec = TypeSpec {
    name: "frozenset",
    doc: "A set that cannot be changed, and so can be hashed.",
    layout: Layout::Set,
    flags: BASE_TYPE | MATCH_SELF | HAS_WEAKREFS,
    slots: Slots { new: Some(new_frozenset), hash: Some(hash), ..COMMON },
    methods: &[
        native("copy(self, /)", copy_method),
        native("difference(self, *others)", difference_method),
        native("intersection(self, *others)", intersection_method),
        native("isdisjoint(self, other, /)", is_disjoint),
        native("issubset(self, other, /)", is_subset_method),
        native("issuperset(self, other, /)", is_superset_method),
        native("symmetric_difference(self, other, /)", symmetric_difference_method),
        native("union(self, *others)", union_method),
        native("__reduce__(self, /)", reduce),
        native("__sizeof__(self, /)", size_of),
    ],
    class_methods: &[native("__class_getitem__(cls, object, /)", generic_alias_methods::class_get_item)],
    ..TypeSpec::DEFAULT
};

pub(crate) static ITERATOR: TypeSpec = TypeSpec {
    name: "set_iterator",
    layout: Layout::SetIterator,
    flags: NO_NEW,
    slots: Slots { iter: Some(sequence::iter_self), next: Some(next), ..Slots::NONE },
    methods: &[native("__length_hint__(self, /)", length_hint), native("__reduce__(self, /)", reduce_iterator)],
    ..TypeSpec::DEFAULT
};

pub(crate) fn set_of(value: &Value) -> &Ref<Set> {
    value.downcast::<Set>().expect("the slot or method was found on a set")
}

/// Whether it is a `frozenset` or an instance of a subclass.
pub(crate) fn is_frozen(vm: &Vm, value: &Value) -> bool {
    value.holds::<Set>() && vm.is_kind(value, TypeId::FrozenSet)
}

/// An empty set, frozen if `like` is.
fn empty_like(vm: &Vm, like: &Value) -> Ref<Set> {
    if is_frozen(vm, like) { vm.new_frozenset() } else { vm.new_set() }
}

// ---- look-up

/// The place of `key` (`Ok`), or one that is free for it (`Err`). May run `__eq__` methods; starts again when one changed the table.
fn look(vm: &mut Vm, set: &Ref<Set>, key: &Value, hash: i64) -> Result<std::result::Result<usize, usize>> {
    'again: loop {
        let mut probe = Set::start(hash);
        loop {
            match set.get(vm).probe(&mut probe, key, hash, dict::same) {
                Found::Free(place) => return Ok(Err(place)),
                Found::Same(place) => return Ok(Ok(place)),
                Found::Candidate(place) => {
                    let table = set.get(vm);
                    let (generation, candidate) = (table.generation(), table.entry(place).key.clone());
                    let equal = vm.equal(&candidate, key)?;
                    let table = set.get(vm);
                    if table.generation() != generation || !table.entry(place).key.is(&candidate) {
                        continue 'again;
                    }
                    if equal {
                        return Ok(Ok(place));
                    }
                }
            }
        }
    }
}

/// Adds a key whose hash is known. Whether it is new.
pub(crate) fn add_hashed(vm: &mut Vm, set: &Ref<Set>, key: Value, hash: i64) -> Result<bool> {
    match look(vm, set, &key, hash)? {
        Ok(_) => Ok(false),
        Err(place) => {
            let bytes = set.get(vm).growth_bytes();
            if bytes > 0 {
                vm.charge(bytes)?;
                vm.resize(set, |set| set.insert_at(place, key, hash));
            } else {
                set.get_mut(vm).insert_at(place, key, hash);
            }
            Ok(true)
        }
    }
}

/// `set.add(key)`.
pub(crate) fn add(vm: &mut Vm, set: &Ref<Set>, key: Value) -> Result<bool> {
    let hash = vm.hash(&key)?;
    add_hashed(vm, set, key, hash)
}

/// Whether a key whose hash is known is there.
pub(crate) fn has_hashed(vm: &mut Vm, set: &Ref<Set>, key: &Value, hash: i64) -> Result<bool> {
    Ok(look(vm, set, key, hash)?.is_ok())
}

/// Removes a key whose hash is known. Whether it was there.
fn discard_hashed(vm: &mut Vm, set: &Ref<Set>, key: &Value, hash: i64) -> Result<bool> {
    match look(vm, set, key, hash)? {
        Ok(place) => {
            let old = set.get_mut(vm).remove_at(place);
            drop(old);
            Ok(true)
        }
        Err(_) => Ok(false),
    }
}

/// The hash to look a key up by: a `set`, which has none, is looked up as the frozenset of the same keys.
fn key_hash(vm: &mut Vm, key: &Value) -> Result<i64> {
    match vm.hash(key) {
        Ok(hash) => Ok(hash),
        Err(raised) => match key.downcast::<Set>() {
            Some(set) if vm.raised_is(ExceptionKind::TypeError) => {
                vm.clear_if(ExceptionKind::TypeError);
                Ok(set.get(vm).compute_hash())
            }
            _ => Err(raised),
        },
    }
}

/// `key in set`.
pub(crate) fn has(vm: &mut Vm, set: &Ref<Set>, key: &Value) -> Result<bool> {
    let hash = key_hash(vm, key)?;
    has_hashed(vm, set, key, hash)
}

/// Calls `each` with the keys of a set and their hashes; it may change the set.
pub(super) fn walk(vm: &mut Vm, set: &Ref<Set>, mut each: impl FnMut(&mut Vm, Value, i64) -> Result<bool>) -> Result<()> {
    let (mut position, mut n_walked) = (0, 0_usize);
    while let Some((place, entry)) = set.get(vm).next_from(position) {
        let (key, hash) = (entry.key.clone(), entry.hash);
        position = place + 1;
        if !each(vm, key, hash)? {
            break;
        }
        // Places in use lie anywhere.
        if n_walked & 0x3ff == 0x3ff {
            vm.poll_alone()?;
        }
        n_walked = n_walked.wrapping_add(1);
    }
    Ok(())
}

// ---- whole sets

/// Adds the keys of another set.
fn merge(vm: &mut Vm, set: &Ref<Set>, other: &Ref<Set>) -> Result<()> {
    let more = other.get(vm).len();
    if more == 0 || set.is(other) {
        return Ok(());
    }
    let bytes = set.get(vm).merge_bytes(more);
    vm.charge(bytes)?;
    if set.get(vm).is_untouched() {
        let (size, count) = (set.get(vm).merge_size(more), other.get(vm).size());
        let copy = vm.paced_items(count.max(size), |vm| other.get(vm).copy_of_size(size))?;
        // A handler of a signal may have come before the copy that succeeded, and changed either.
        if set.get(vm).is_untouched() && other.get(vm).len() == more {
            vm.resize(set, |set| set.take_over(copy));
            return Ok(());
        }
    }
    vm.resize(set, |set| set.reserve_merge(more));
    walk(vm, other, |vm, key, hash| add_hashed(vm, set, key, hash).map(|_| true))
}

/// Adds what an iterable gives.
pub(crate) fn update(vm: &mut Vm, set: &Ref<Set>, other: &Value) -> Result<()> {
    if let Some(other) = other.downcast::<Set>() {
        return merge(vm, set, other);
    }
    if let Some(dict) = exact_dict(vm, other) {
        let more = dict.get(vm).len();
        let bytes = set.get(vm).merge_bytes(more);
        vm.charge(bytes)?;
        let size = set.get(vm).merge_size(more);
        if set.get(vm).is_untouched() && size > set.get(vm).size() {
            // The table alone of a few million takes a while.
            let empty = vm.paced_items(size, |_| Set::new().copy_of_size(size))?;
            if set.get(vm).is_untouched() {
                vm.resize(set, |set| set.take_over(empty));
            }
        }
        vm.resize(set, |set| set.reserve_merge(more));
        return walk_dict(vm, &dict, |vm, key, hash| add_hashed(vm, set, key, hash).map(|_| true));
    }
    sequence::for_each(vm, other, |vm, key| add(vm, set, key).map(|_| ()))
}

fn exact_dict(vm: &Vm, value: &Value) -> Option<Ref<Dict>> {
    if vm.is_exact(value, TypeId::Dict) { value.downcast::<Dict>().cloned() } else { None }
}

pub(super) fn walk_dict(vm: &mut Vm, dict: &Ref<Dict>, mut each: impl FnMut(&mut Vm, Value, i64) -> Result<bool>) -> Result<()> {
    let mut position = 0;
    while let Some((place, entry)) = dict.get(vm).next_entry(position) {
        let (key, hash) = (entry.key.clone(), entry.hash);
        position = place + 1;
        if !each(vm, key, hash)? {
            break;
        }
        if position.is_multiple_of(1024) {
            vm.poll_alone()?;
        }
    }
    Ok(())
}

fn dict_has(vm: &mut Vm, dict: &Ref<Dict>, key: &Value, hash: i64) -> Result<bool> {
    Ok(vm.dict_place(dict, key, hash)?.is_some())
}

fn copy(vm: &mut Vm, this: &Value) -> Result<Ref<Set>> {
    let result = empty_like(vm, this);
    merge(vm, &result, set_of(this))?;
    Ok(result)
}

/// The values of any iterable as a set of its own; a set stays as it is.
fn as_set(vm: &mut Vm, value: &Value, like: &Value) -> Result<Ref<Set>> {
    if let Some(set) = value.downcast::<Set>() {
        return Ok(set.clone());
    }
    let set = empty_like(vm, like);
    update(vm, &set, value)?;
    Ok(set)
}

fn intersection(vm: &mut Vm, this: &Value, other: &Value) -> Result<Ref<Set>> {
    if this.is(other) {
        return copy(vm, this);
    }
    let result = empty_like(vm, this);
    if let Some(other) = other.downcast::<Set>() {
        let own = set_of(this);
        let (walked, asked) = if other.get(vm).len() > own.get(vm).len() { (own.clone(), other.clone()) } else { (other.clone(), own.clone()) };
        walk(vm, &walked, |vm, key, hash| {
            if has_hashed(vm, &asked, &key, hash)? {
                add_hashed(vm, &result, key, hash)?;
            }
            Ok(true)
        })?;
        return Ok(result);
    }
    let own = set_of(this).clone();
    sequence::for_each(vm, other, |vm, key| {
        let hash = vm.hash(&key)?;
        if has_hashed(vm, &own, &key, hash)? {
            add_hashed(vm, &result, key, hash)?;
        }
        Ok(())
    })?;
    Ok(result)
}

fn difference_update(vm: &mut Vm, set: &Ref<Set>, other: &Value) -> Result<()> {
    if set.is(other) {
        clear(vm, set);
        return Ok(());
    }
    if let Some(others) = other.downcast::<Set>() {
        // Far more to remove than there is: what both have is enough.
        let others = if others.get(vm).len() >> 3 > set.get(vm).len() { intersection(vm, set, other)? } else { others.clone() };
        walk(vm, &others, |vm, key, hash| discard_hashed(vm, set, &key, hash).map(|_| true))?;
    } else {
        sequence::for_each(vm, other, |vm, key| {
            let hash = vm.hash(&key)?;
            discard_hashed(vm, set, &key, hash).map(|_| ())
        })?;
    }
    vm.resize(set, Set::shrink);
    Ok(())
}

fn difference(vm: &mut Vm, this: &Value, other: &Value) -> Result<Ref<Set>> {
    let own = set_of(this);
    let dict = exact_dict(vm, other);
    let other_len = match (&dict, other.downcast::<Set>()) {
        (Some(dict), _) => dict.get(vm).len(),
        (_, Some(set)) => set.get(vm).len(),
        _ => {
            let result = copy(vm, this)?;
            difference_update(vm, &result, other)?;
            return Ok(result);
        }
    };
    if own.get(vm).len() >> 2 > other_len {
        let result = copy(vm, this)?;
        difference_update(vm, &result, other)?;
        return Ok(result);
    }
    let result = empty_like(vm, this);
    let other = other.downcast::<Set>().cloned();
    walk(vm, own, |vm, key, hash| {
        let there = match (&dict, &other) {
            (Some(dict), _) => dict_has(vm, dict, &key, hash)?,
            (_, Some(other)) => has_hashed(vm, other, &key, hash)?,
            _ => false,
        };
        if !there {
            add_hashed(vm, &result, key, hash)?;
        }
        Ok(true)
    })?;
    Ok(result)
}

fn symmetric_difference_update(vm: &mut Vm, set: &Ref<Set>, other: &Value) -> Result<()> {
    if set.is(other) {
        clear(vm, set);
        return Ok(());
    }
    let toggle = |vm: &mut Vm, key: Value, hash: i64| {
        if !discard_hashed(vm, set, &key, hash)? {
            add_hashed(vm, set, key, hash)?;
        }
        Ok(true)
    };
    if let Some(dict) = exact_dict(vm, other) {
        return walk_dict(vm, &dict, toggle);
    }
    let other = as_set(vm, other, set)?;
    walk(vm, &other, toggle)
}

fn symmetric_difference(vm: &mut Vm, this: &Value, other: &Value) -> Result<Ref<Set>> {
    let result = empty_like(vm, this);
    update(vm, &result, other)?;
    symmetric_difference_update(vm, &result, this)?;
    Ok(result)
}

fn is_subset(vm: &mut Vm, set: &Ref<Set>, other: &Ref<Set>) -> Result<bool> {
    if set.get(vm).len() > other.get(vm).len() {
        return Ok(false);
    }
    let mut all = true;
    walk(vm, set, |vm, key, hash| {
        all = has_hashed(vm, other, &key, hash)?;
        Ok(all)
    })?;
    Ok(all)
}

fn clear(vm: &mut Vm, set: &Ref<Set>) {
    super::set::release_entries(vm.resize(set, Set::take));
}

/// Exchanges the keys of two sets.
fn swap(vm: &mut Vm, set: &Ref<Set>, other: &Ref<Set>) {
    if let Some((own, other)) = set.get_pair(other, vm) {
        own.swap(other);
    }
}

// ---- making

fn new_set(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("a constructor gets its class");
    Ok(vm.alloc_for(class, Set::new()).into_value())
}

fn init(vm: &mut Vm, this: &Value, args: CallArgs<'_>) -> Result<()> {
    sequence::no_names(vm, "set", args)?;
    sequence::positional(vm, "set", args, 0, 1)?;
    let set = set_of(this);
    if set.get(vm).len() > 0 {
        clear(vm, set);
    }
    match args.unnamed().first() {
        Some(iterable) => update(vm, set, iterable),
        None => Ok(()),
    }
}

fn new_frozenset(vm: &mut Vm, class: &Ref<Type>, args: CallArgs<'_>) -> Result<Value> {
    let exact = class.is(&vm.builtin(TypeId::FrozenSet));
    let args = sequence::names_for_init(vm, class, "frozenset", args)?;
    sequence::positional(vm, "frozenset", args, 0, 1)?;
    let iterable = args.unnamed().first();
    if let Some(iterable) = iterable {
        if exact && vm.is_exact(iterable, TypeId::FrozenSet) {
            return Ok(iterable.clone());
        }
    }
    let set = vm.alloc_for(class, Set::new());
    if let Some(iterable) = iterable {
        update(vm, &set, iterable)?;
    }
    Ok(set.into_value())
}

// ---- slots

fn repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let set = set_of(this);
    let name = vm.type_name(this);
    if set.get(vm).len() == 0 {
        return Ok(vm.new_str(format!("{name}()")));
    }
    if !vm.enter_repr(this)? {
        return Ok(vm.new_str(format!("{name}(...)")));
    }
    let keys: Vec<Value> = set.get(vm).entries().map(|entry| entry.key.clone()).collect();
    let result = repr_keys(vm, &keys);
    vm.leave_repr(this);
    let keys = result?;
    if vm.is_exact(this, TypeId::Set) {
        return Ok(vm.new_str(keys.finish()));
    }
    let mut text = TextBuilder::default();
    text.push_str(&name);
    text.push_str("(");
    text.push_text(&keys.finish());
    text.push_str(")");
    Ok(vm.new_str(text.finish()))
}

fn repr_keys(vm: &mut Vm, keys: &[Value]) -> Result<TextBuilder> {
    let mut text = TextBuilder::default();
    text.push_str("{");
    for (index, key) in keys.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        if index.is_multiple_of(1024) {
            vm.poll_alone()?;
        }
        let key = vm.repr_text(key)?;
        text.push_text(&key);
    }
    text.push_str("}");
    Ok(text)
}

fn hash(vm: &mut Vm, this: &Value) -> Result<i64> {
    let set = set_of(this).get_mut(vm);
    if let Some(hash) = set.hash {
        return Ok(hash);
    }
    let hash = set.compute_hash();
    set.hash = Some(hash);
    Ok(hash)
}

fn compare(vm: &mut Vm, left: &Value, right: &Value, operation: Comparison) -> Result<Value> {
    let (Some(a), Some(b)) = (left.downcast::<Set>(), right.downcast::<Set>()) else { return Ok(Value::NOT_IMPLEMENTED) };
    let (a_len, b_len) = (a.get(vm).len(), b.get(vm).len());
    let answer = match operation {
        Comparison::Equal | Comparison::NotEqual => {
            let differ = a_len != b_len || matches!((a.get(vm).hash, b.get(vm).hash), (Some(a), Some(b)) if a != b);
            let equal = !differ && is_subset(vm, a, b)?;
            equal == (operation == Comparison::Equal)
        }
        Comparison::LessEqual => is_subset(vm, a, b)?,
        Comparison::GreaterEqual => is_subset(vm, b, a)?,
        Comparison::Less => a_len < b_len && is_subset(vm, a, b)?,
        Comparison::Greater => a_len > b_len && is_subset(vm, b, a)?,
        Comparison::Is | Comparison::IsNot | Comparison::In | Comparison::NotIn => return Ok(Value::NOT_IMPLEMENTED),
    };
    Ok(Value::from_bool(answer))
}

fn len(vm: &mut Vm, this: &Value) -> Result<usize> {
    Ok(set_of(this).get(vm).len())
}

fn contains(vm: &mut Vm, this: &Value, key: &Value) -> Result<bool> {
    has(vm, set_of(this), key)
}

fn both_sets(left: &Value, right: &Value) -> bool {
    left.holds::<Set>() && right.holds::<Set>()
}

fn or(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    if !both_sets(left, right) {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    let result = copy(vm, left)?;
    if !left.is(right) {
        update(vm, &result, right)?;
    }
    Ok(result.into_value())
}

fn and(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    if !both_sets(left, right) {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    Ok(intersection(vm, left, right)?.into_value())
}

fn subtract(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    if !both_sets(left, right) {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    Ok(difference(vm, left, right)?.into_value())
}

fn xor(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    if !both_sets(left, right) {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    Ok(symmetric_difference(vm, left, right)?.into_value())
}

fn in_place_or(vm: &mut Vm, this: &Value, other: &Value) -> Result<Value> {
    if !both_sets(this, other) {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    update(vm, set_of(this), other)?;
    Ok(this.clone())
}

fn in_place_and(vm: &mut Vm, this: &Value, other: &Value) -> Result<Value> {
    if !both_sets(this, other) {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    let result = intersection(vm, this, other)?;
    swap(vm, set_of(this), &result);
    Ok(this.clone())
}

fn in_place_subtract(vm: &mut Vm, this: &Value, other: &Value) -> Result<Value> {
    if !both_sets(this, other) {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    difference_update(vm, set_of(this), other)?;
    Ok(this.clone())
}

fn in_place_xor(vm: &mut Vm, this: &Value, other: &Value) -> Result<Value> {
    if !both_sets(this, other) {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    symmetric_difference_update(vm, set_of(this), other)?;
    Ok(this.clone())
}

// ---- methods

fn others(vm: &Vm, args: &Args<'_>) -> Vec<Value> {
    vm.tuple_items(&args[1])
}

fn add_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    add(vm, set_of(&args[0]), args[1].clone())?;
    Ok(Value::NONE)
}

fn clear_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    clear(vm, set_of(&args[0]));
    Ok(Value::NONE)
}

fn copy_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if vm.is_exact(&args[0], TypeId::FrozenSet) {
        return Ok(args[0].clone());
    }
    Ok(copy(vm, &args[0])?.into_value())
}

fn discard_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let hash = key_hash(vm, &args[1])?;
    discard_hashed(vm, set_of(&args[0]), &args[1], hash)?;
    Ok(Value::NONE)
}

fn remove_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let hash = key_hash(vm, &args[1])?;
    if discard_hashed(vm, set_of(&args[0]), &args[1], hash)? { Ok(Value::NONE) } else { Err(vm.key_error(&args[1])) }
}

fn pop(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    match set_of(&args[0]).get_mut(vm).pop() {
        Some(key) => Ok(key),
        None => {
            let message = vm.new_str("pop from an empty set");
            Err(vm.key_error(&message))
        }
    }
}

fn union_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let result = copy(vm, &args[0])?;
    for other in others(vm, &args) {
        if !other.is(&args[0]) {
            update(vm, &result, &other)?;
        }
    }
    Ok(result.into_value())
}

fn update_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    for other in others(vm, &args) {
        update(vm, set_of(&args[0]), &other)?;
    }
    Ok(Value::NONE)
}

fn intersect_all(vm: &mut Vm, args: &Args<'_>) -> Result<Ref<Set>> {
    let others = others(vm, args);
    let Some((first, rest)) = others.split_first() else { return copy(vm, &args[0]) };
    let mut result = intersection(vm, &args[0], first)?;
    for other in rest {
        result = intersection(vm, &result, other)?;
    }
    Ok(result)
}

fn intersection_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    Ok(intersect_all(vm, &args)?.into_value())
}

fn intersection_update_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let result = intersect_all(vm, &args)?;
    swap(vm, set_of(&args[0]), &result);
    Ok(Value::NONE)
}

fn difference_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let others = others(vm, &args);
    let Some((first, rest)) = others.split_first() else { return copy_method(vm, args) };
    let result = difference(vm, &args[0], first)?;
    for other in rest {
        difference_update(vm, &result, other)?;
    }
    Ok(result.into_value())
}

fn difference_update_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    for other in others(vm, &args) {
        difference_update(vm, set_of(&args[0]), &other)?;
    }
    Ok(Value::NONE)
}

fn symmetric_difference_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    Ok(symmetric_difference(vm, &args[0], &args[1])?.into_value())
}

fn symmetric_difference_update_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    symmetric_difference_update(vm, set_of(&args[0]), &args[1])?;
    Ok(Value::NONE)
}

fn is_disjoint(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let own = set_of(&args[0]).clone();
    let mut disjoint = true;
    if let Some(other) = args[1].downcast::<Set>() {
        if own.is(other) {
            return Ok(Value::from_bool(own.get(vm).len() == 0));
        }
        let (walked, asked) = if other.get(vm).len() > own.get(vm).len() { (own, other.clone()) } else { (other.clone(), own) };
        walk(vm, &walked, |vm, key, hash| {
            disjoint = !has_hashed(vm, &asked, &key, hash)?;
            Ok(disjoint)
        })?;
        return Ok(Value::from_bool(disjoint));
    }
    vm.iterate(&args[1], |vm, key| {
        let hash = vm.hash(&key)?;
        disjoint = !has_hashed(vm, &own, &key, hash)?;
        Ok(if disjoint { std::ops::ControlFlow::Continue(()) } else { std::ops::ControlFlow::Break(()) })
    })?;
    Ok(Value::from_bool(disjoint))
}

fn is_subset_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let set = set_of(&args[0]);
    if let Some(other) = args[1].downcast::<Set>() {
        return Ok(Value::from_bool(is_subset(vm, set, other)?));
    }
    let common = intersection(vm, &args[0], &args[1])?;
    Ok(Value::from_bool(common.get(vm).len() == set.get(vm).len()))
}

fn is_superset_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let set = set_of(&args[0]).clone();
    if let Some(other) = args[1].downcast::<Set>() {
        return Ok(Value::from_bool(is_subset(vm, other, &set)?));
    }
    let mut all = true;
    vm.iterate(&args[1], |vm, key| {
        all = has(vm, &set, &key)?;
        Ok(if all { std::ops::ControlFlow::Continue(()) } else { std::ops::ControlFlow::Break(()) })
    })?;
    Ok(Value::from_bool(all))
}

fn reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let keys = set_of(&args[0]).get(vm).entries().map(|entry| entry.key.clone()).collect();
    let keys = vm.new_list(keys);
    let arguments = vm.new_tuple(vec![keys]);
    let class = vm.type_of(&args[0]).into_value();
    let state = vm.call_method(&args[0], "__getstate__", &[])?;
    Ok(vm.new_tuple(vec![class, arguments, state]))
}

fn size_of(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let bytes = set_of(&args[0]).get(vm).heap_bytes();
    Ok(Value::small(72 + bytes as i64))
}

// ---- iteration

fn iter(vm: &mut Vm, this: &Value) -> Result<Value> {
    let set = set_of(this).clone();
    let used = set.get(vm).len();
    Ok(vm.alloc(TypeId::SetIterator, SetIterator { set: Some(set), position: 0, used, left: used }).into_value())
}

fn iterator_of(value: &Value) -> &Ref<SetIterator> {
    value.downcast::<SetIterator>().expect("the slot or method was found on a set's iterator")
}

fn next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    let iterator = iterator_of(this);
    let state = iterator.get(vm);
    let Some(set) = &state.set else { return Ok(None) };
    let table = set.get(vm);
    if state.used != table.len() {
        iterator.get_mut(vm).used = usize::MAX;
        return Err(vm.runtime_error("Set changed size during iteration"));
    }
    let found = table.next_from(state.position).map(|(place, entry)| (place, entry.key.clone()));
    let state = iterator.get_mut(vm);
    match found {
        Some((place, key)) => {
            state.position = place + 1;
            state.left = state.left.saturating_sub(1);
            Ok(Some(key))
        }
        None => {
            let exhausted = state.set.take();
            drop(exhausted);
            Ok(None)
        }
    }
}

fn length_hint(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let state = iterator_of(&args[0]).get(vm);
    let left = match &state.set {
        Some(set) if set.get(vm).len() == state.used => state.left,
        _ => 0,
    };
    Ok(Value::small(left as i64))
}

fn reduce_iterator(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let state = iterator_of(&args[0]).get(vm);
    let copy = SetIterator { set: state.set.clone(), position: state.position, used: state.used, left: state.left };
    let copy = vm.alloc(TypeId::SetIterator, copy).into_value();
    let items = vm.collect(&copy)?;
    let items = vm.new_list(items);
    let iter = sequence::builtin_function(vm, "iter")?;
    let arguments = vm.new_tuple(vec![items]);
    Ok(vm.new_tuple(vec![iter, arguments]))
}
