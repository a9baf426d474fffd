//! `_collections`: deques, dicts with defaults, ordered dicts, and what `collections` counts and reads fields with.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use crate::code::instruction::Comparison;
use crate::object::account::block;
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, GetSetSpec, Native, NativeModule, getter, native};
use crate::object::sequence;
use crate::object::type_object::{
    BASE_TYPE, BinaryOperator, CallArgs, HAS_DICT, HAS_WEAKREFS, MATCH_SEQUENCE, NO_NEW, Slots, Type, TypeSpec, binary, constructor,
};
use crate::object::types::TypeId;
use crate::object::types::dict::Dict;
use crate::object::types::dict_methods::{self, dict_of};
use crate::object::types::dict_view::{DictIterator, DictPart, DictView};
use crate::object::types::dict_view_methods;
use crate::object::types::generic_alias_methods::class_get_item;
use crate::object::types::tuple::Tuple;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::text::TextBuilder;
use crate::vm::{Result, Vm};

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "_collections",
    doc: "The containers of `collections` that are native.\n",
    functions: &[native("_count_elements(mapping, iterable, /)", count_elements)],
    types: &[&DEQUE, &DEFAULT_DICT, &ORDERED_DICT, &TUPLE_GETTER, &DEQUE_ITERATOR, &DEQUE_REVERSE_ITERATOR],
    init: None,
};

// ---- deque

/// A `deque`.
pub(crate) struct Deque {
    items: VecDeque<Value>,
    max_len: Option<usize>,
    /// Changes whenever items come or go.
    state: u64,
}

impl Payload for Deque {
    const LAYOUT: Layout = Layout::Deque;
    const IS_CONTAINER: bool = true;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        block(self.items.capacity() * size_of::<Value>())
    }
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        self.items.iter().for_each(|item| visit(item.word()));
    }
    fn clear(&mut self) {
        drop(std::mem::take(&mut self.items));
    }
}

/// An iterator over a `deque`, in either direction.
pub(crate) struct DequeIterator {
    deque: Option<Ref<Deque>>,
    state: u64,
    left: usize,
    reverse: bool,
}

impl Payload for DequeIterator {
    const LAYOUT: Layout = Layout::DequeIterator;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        if let Some(deque) = &self.deque {
            visit(deque.word());
        }
    }
    fn clear(&mut self) {
        self.deque = None;
    }
}

pub(crate) static DEQUE: TypeSpec = TypeSpec {
    name: "collections.deque",
    doc: "A sequence that grows and shrinks quickly at both ends.",
    layout: Layout::Deque,
    flags: BASE_TYPE | HAS_WEAKREFS | MATCH_SEQUENCE,
    new: constructor("deque(*args, **kwargs)", deque_new),
    slots: Slots {
        init: Some(deque_init),
        repr: Some(deque_repr),
        compare: Some(deque_compare),
        iter: Some(|vm, this| Ok(deque_iterator(vm, this, false))),
        len: Some(|vm, this| Ok(deque_of(this).get(vm).items.len())),
        get_item: Some(deque_get_item),
        set_item: Some(deque_set_item),
        contains: Some(|vm, this, value| Ok(deque_find(vm, deque_of(this), value, 0, usize::MAX)?.is_some())),
        binary: binary(&[(BinaryOperator::Add, deque_add), (BinaryOperator::Multiply, deque_multiply)]),
        in_place: binary(&[(BinaryOperator::Add, deque_in_place_add), (BinaryOperator::Multiply, deque_in_place_multiply)]),
        ..Slots::NONE
    },
    methods: &[
        native("append(self, item, /)", |vm, args| {
            push_back(vm, deque_of(&args[0]), args[1].clone())?;
            Ok(Value::NONE)
        }),
        native("appendleft(self, item, /)", |vm, args| {
            push_front(vm, deque_of(&args[0]), args[1].clone())?;
            Ok(Value::NONE)
        }),
        native("clear(self, /)", |vm, args| {
            let deque = deque_of(&args[0]).get_mut(vm);
            deque.state += 1;
            let old = std::mem::take(&mut deque.items);
            drop(old);
            Ok(Value::NONE)
        }),
        native("copy(self, /)", deque_copy),
        native("__copy__(self, /)", deque_copy),
        native("count(self, value, /)", deque_count),
        native("extend(self, iterable, /)", |vm, args| {
            extend(vm, deque_of(&args[0]), &args[1], false)?;
            Ok(Value::NONE)
        }),
        native("extendleft(self, iterable, /)", |vm, args| {
            extend(vm, deque_of(&args[0]), &args[1], true)?;
            Ok(Value::NONE)
        }),
        native("index(self, value, start=0, stop=9223372036854775807, /)", deque_index),
        native("insert(self, index, value, /)", deque_insert),
        native("pop(self, /)", |vm, args| {
            let deque = deque_of(&args[0]).get_mut(vm);
            match deque.items.pop_back() {
                Some(item) => {
                    deque.state += 1;
                    Ok(item)
                }
                None => Err(vm.index_error("pop from an empty deque")),
            }
        }),
        native("popleft(self, /)", |vm, args| {
            let deque = deque_of(&args[0]).get_mut(vm);
            match deque.items.pop_front() {
                Some(item) => {
                    deque.state += 1;
                    Ok(item)
                }
                None => Err(vm.index_error("pop from an empty deque")),
            }
        }),
        native("remove(self, value, /)", deque_remove),
        native("reverse(self, /)", |vm, args| {
            deque_of(&args[0]).get_mut(vm).items.make_contiguous().reverse();
            Ok(Value::NONE)
        }),
        native("rotate(self, n=1, /)", deque_rotate),
        native("__reversed__(self, /)", |vm, args| Ok(deque_iterator(vm, &args[0], true))),
        native("__reduce__(self, /)", deque_reduce),
        native("__sizeof__(self, /)", |vm, args| {
            let bytes = deque_of(&args[0]).get(vm).items.capacity() * 8;
            Ok(Value::small(96 + bytes as i64))
        }),
    ],
    class_methods: &[native("__class_getitem__(cls, object, /)", class_get_item)],
    getset: &[getter("maxlen", |vm, this| Ok(deque_of(this).get(vm).max_len.map_or(Value::NONE, |max| vm.new_int(max as i64))))],
    ..TypeSpec::DEFAULT
};

const fn deque_iterator_spec(name: &'static str, signature: &'static str) -> TypeSpec {
    TypeSpec {
        name,
        layout: Layout::DequeIterator,
        new: constructor(signature, deque_iterator_new),
        slots: Slots { iter: Some(sequence::iter_self), next: Some(deque_next), ..Slots::NONE },
        methods: DEQUE_ITERATOR_METHODS,
        ..TypeSpec::DEFAULT
    }
}

const DEQUE_ITERATOR_METHODS: &[Native] = &[
    native("__length_hint__(self, /)", |vm, args| Ok(Value::small(deque_iterator_of(&args[0]).get(vm).left as i64))),
    native("__reduce__(self, /)", deque_iterator_reduce),
];

static DEQUE_ITERATOR: TypeSpec = deque_iterator_spec("collections._deque_iterator", "_deque_iterator(deque, index=0, /)");
static DEQUE_REVERSE_ITERATOR: TypeSpec = deque_iterator_spec("collections._deque_reverse_iterator", "_deque_reverse_iterator(deque, index=0, /)");

fn deque_of(value: &Value) -> &Ref<Deque> {
    value.downcast::<Deque>().expect("the slot or method was found on a deque")
}

fn deque_iterator_of(value: &Value) -> &Ref<DequeIterator> {
    value.downcast::<DequeIterator>().expect("the slot or method was found on a deque's iterator")
}

fn deque_new(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("a constructor gets its class");
    Ok(vm.alloc_for(class, Deque { items: VecDeque::new(), max_len: None, state: 0 }).into_value())
}

fn deque_init(vm: &mut Vm, this: &Value, args: CallArgs<'_>) -> Result<()> {
    let count = args.values.len();
    if count > 2 {
        return Err(vm.type_error(format!("deque() takes at most 2 arguments ({count} given)")));
    }
    let mut iterable = args.unnamed().first().cloned();
    let mut max_len = args.unnamed().get(1).cloned();
    for (name, value) in args.named() {
        let name = sequence::text(vm, name).unwrap_or_default();
        if name == "iterable" {
            iterable = Some(value.clone());
        } else if name == "maxlen" {
            max_len = Some(value.clone());
        } else {
            return Err(vm.type_error(format!("deque() got an unexpected keyword argument '{name}'")));
        }
    }
    let max_len = match max_len.filter(|value| !value.is_none()) {
        None => None,
        Some(value) => {
            if !vm.is_int(&value) {
                return Err(vm.type_error("an integer is required"));
            }
            let max = vm.index_i64(&value)?;
            if max < 0 {
                return Err(vm.value_error("maxlen must be non-negative"));
            }
            Some(max as usize)
        }
    };
    let deque = deque_of(this).get_mut(vm);
    deque.max_len = max_len;
    deque.state += 1;
    let old = std::mem::take(&mut deque.items);
    drop(old);
    match iterable {
        Some(iterable) => extend(vm, deque_of(this), &iterable, false),
        None => Ok(()),
    }
}

fn push_back(vm: &mut Vm, deque: &Ref<Deque>, item: Value) -> Result<()> {
    grow(vm, deque)?;
    let state = deque.get_mut(vm);
    state.state += 1;
    state.items.push_back(item);
    let over = state.max_len.is_some_and(|max| state.items.len() > max);
    let old = if over { state.items.pop_front() } else { None };
    drop(old);
    Ok(())
}

fn push_front(vm: &mut Vm, deque: &Ref<Deque>, item: Value) -> Result<()> {
    grow(vm, deque)?;
    let state = deque.get_mut(vm);
    state.state += 1;
    state.items.push_front(item);
    let over = state.max_len.is_some_and(|max| state.items.len() > max);
    let old = if over { state.items.pop_back() } else { None };
    drop(old);
    Ok(())
}

/// Charges the room that one more item may need.
fn grow(vm: &mut Vm, deque: &Ref<Deque>) -> Result<()> {
    let items = &deque.get(vm).items;
    if items.len() == items.capacity() {
        let more = items.len().max(4);
        vm.charge(more * 8)?;
        vm.resize(deque, |deque| deque.items.reserve(more));
    }
    Ok(())
}

fn extend(vm: &mut Vm, deque: &Ref<Deque>, iterable: &Value, left: bool) -> Result<()> {
    let own;
    let source = if iterable.is(deque) {
        let items = deque.get(vm).items.iter().cloned().collect();
        own = vm.new_list(items);
        &own
    } else {
        iterable
    };
    sequence::for_each(vm, source, |vm, item| if left { push_front(vm, deque, item) } else { push_back(vm, deque, item) })
}

/// A deque of the same class and bound, with these items.
fn like(vm: &mut Vm, this: &Value, items: VecDeque<Value>) -> Value {
    let max_len = deque_of(this).get(vm).max_len;
    let class = vm.native_type(&DEQUE);
    vm.alloc_for(&class, Deque { items, max_len, state: 0 }).into_value()
}

fn deque_copy(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    copied(vm, &args[0])
}

/// A copy of a deque; that of a subclass's instance is made by calling the class.
fn copied(vm: &mut Vm, this: &Value) -> Result<Value> {
    let class = vm.type_of(this);
    if class.is(&vm.native_type(&DEQUE)) {
        let count = deque_of(this).get(vm).items.len();
        let items = vm.paced_items(count, |vm| crate::text::pace::collected(deque_of(this).get(vm).items.iter().cloned()))?;
        return Ok(like(vm, this, items.into()));
    }
    let class_value: Value = (*class).clone();
    let made = match deque_of(this).get(vm).max_len {
        Some(max) => vm.call(&class_value, &[this.clone(), vm.new_int(max as i64)])?,
        None => vm.call(&class_value, std::slice::from_ref(this))?,
    };
    if made.holds::<Deque>() {
        return Ok(made);
    }
    let message = format!("{}() must return a deque, not {}", vm.class_name(&class), vm.type_name(&made));
    Err(vm.type_error(message))
}

fn deque_repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    if !vm.enter_repr(this)? {
        return Ok(vm.new_str("[...]"));
    }
    let items = deque_of(this).get(vm).items.iter().cloned().collect();
    let items = vm.new_list(items);
    let result = vm.repr_text(&items);
    vm.leave_repr(this);
    let items = result?;
    let class = vm.type_of(this);
    let name = vm.class_name(&class);
    let short = name.rsplit('.').next().unwrap_or(&name).to_owned();
    let mut text = TextBuilder::default();
    text.push_str(&short);
    text.push_str("(");
    text.push_text(&items);
    if let Some(max) = deque_of(this).get(vm).max_len {
        text.push_str(&format!(", maxlen={max}"));
    }
    text.push_str(")");
    Ok(vm.new_str(text.finish()))
}

fn deque_compare(vm: &mut Vm, left: &Value, right: &Value, operation: Comparison) -> Result<Value> {
    let (Some(a), Some(b)) = (left.downcast::<Deque>(), right.downcast::<Deque>()) else { return Ok(Value::NOT_IMPLEMENTED) };
    sequence::compare(
        vm,
        operation,
        |vm| (a.get(vm).items.len(), b.get(vm).items.len()),
        |vm, index| Some((a.get(vm).items.get(index)?.clone(), b.get(vm).items.get(index)?.clone())),
    )
}

fn deque_place(vm: &mut Vm, this: &Value, key: &Value) -> Result<usize> {
    if !sequence::is_indexable(vm, key) {
        let name = vm.type_name(key);
        return Err(vm.type_error(format!("sequence index must be integer, not '{name}'")));
    }
    let index = sequence::index_number(vm, key)?;
    match sequence::place(index, deque_of(this).get(vm).items.len()) {
        Some(place) => Ok(place),
        None => Err(vm.index_error("deque index out of range")),
    }
}

fn deque_get_item(vm: &mut Vm, this: &Value, key: &Value) -> Result<Value> {
    let place = deque_place(vm, this, key)?;
    Ok(deque_of(this).get(vm).items[place].clone())
}

fn deque_set_item(vm: &mut Vm, this: &Value, key: &Value, value: Option<&Value>) -> Result<()> {
    let place = deque_place(vm, this, key)?;
    let deque = deque_of(this).get_mut(vm);
    let old = match value {
        Some(value) => Some(std::mem::replace(&mut deque.items[place], value.clone())),
        None => {
            deque.state += 1;
            deque.items.remove(place)
        }
    };
    drop(old);
    Ok(())
}

/// The first place of an equal item; `RuntimeError` when a comparison changes the deque.
fn deque_find(vm: &mut Vm, deque: &Ref<Deque>, value: &Value, start: usize, stop: usize) -> Result<Option<usize>> {
    let state = deque.get(vm).state;
    let mut place = start;
    while place < stop {
        let Some(item) = deque.get(vm).items.get(place).cloned() else { break };
        let equal = vm.equal(&item, value)?;
        if deque.get(vm).state != state {
            return Err(vm.runtime_error("deque mutated during iteration"));
        }
        if equal {
            return Ok(Some(place));
        }
        place += 1;
    }
    Ok(None)
}

fn deque_count(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let deque = deque_of(&args[0]);
    let (mut total, mut next) = (0, 0);
    while let Some(found) = deque_find(vm, deque, &args[1], next, usize::MAX)? {
        total += 1;
        next = found + 1;
    }
    Ok(Value::small(total))
}

fn deque_index(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let deque = deque_of(&args[0]);
    let (start, stop) = crate::object::types::list_methods::search_bounds(vm, &args, |vm| deque.get(vm).items.len())?;
    match deque_find(vm, deque, &args[1], start, stop)? {
        Some(place) => Ok(Value::small(place as i64)),
        None => {
            let wanted = vm.repr_text(&args[1])?;
            Err(vm.value_error(format!("{wanted} is not in deque")))
        }
    }
}

fn deque_insert(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let index = vm.index_i64(&args[1])?;
    let deque = deque_of(&args[0]);
    let (len, max_len) = (deque.get(vm).items.len(), deque.get(vm).max_len);
    if max_len.is_some_and(|max| len >= max) {
        return Err(vm.index_error("deque already at its maximum size"));
    }
    grow(vm, deque)?;
    let place = if index < 0 { (index + len as i64).max(0) } else { index.min(len as i64) };
    let state = deque.get_mut(vm);
    state.state += 1;
    state.items.insert(place as usize, args[2].clone());
    Ok(Value::NONE)
}

fn deque_remove(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let deque = deque_of(&args[0]);
    let (state, len) = (deque.get(vm).state, deque.get(vm).items.len());
    for place in 0..len {
        let Some(item) = deque.get(vm).items.get(place).cloned() else { break };
        let equal = vm.equal(&item, &args[1])?;
        if deque.get(vm).state != state {
            return Err(vm.index_error("deque mutated during remove()."));
        }
        if equal {
            let state = deque.get_mut(vm);
            state.state += 1;
            let old = state.items.remove(place);
            drop(old);
            return Ok(Value::NONE);
        }
    }
    let wanted = vm.repr_text(&args[1])?;
    Err(vm.value_error(format!("{wanted} is not in deque")))
}

fn deque_rotate(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let n = match args.given(1) {
        Some(n) => vm.index_i64(n)?,
        None => 1,
    };
    let deque = deque_of(&args[0]).get_mut(vm);
    let len = deque.items.len();
    if len > 1 {
        deque.state += 1;
        deque.items.rotate_right(n.rem_euclid(len as i64) as usize);
    }
    Ok(Value::NONE)
}

fn deque_reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = vm.type_of(&args[0]).into_value();
    let arguments = match deque_of(&args[0]).get(vm).max_len {
        Some(max) => vec![vm.empty_tuple(), vm.new_int(max as i64)],
        None => Vec::new(),
    };
    let arguments = vm.new_tuple(arguments);
    let state = vm.call_method(&args[0], "__getstate__", &[])?;
    let items = vm.iter(&args[0])?;
    Ok(vm.new_tuple(vec![class, arguments, state, items]))
}

fn deque_add(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    if !left.holds::<Deque>() {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    let Some(other) = right.downcast::<Deque>() else {
        if vm.type_payload(right).slots.binary[BinaryOperator::Add as usize].is_some() && right.holds::<crate::object::instance::Instance>() {
            return Ok(Value::NOT_IMPLEMENTED);
        }
        let name = vm.type_name(right);
        return Err(vm.type_error(format!("can only concatenate deque (not \"{name}\") to deque")));
    };
    let other = other.clone();
    let result = copied(vm, left)?;
    extend(vm, deque_of(&result), &other, false)?;
    Ok(result)
}

fn deque_in_place_add(vm: &mut Vm, this: &Value, other: &Value) -> Result<Value> {
    extend(vm, deque_of(this), other, false)?;
    Ok(this.clone())
}

fn deque_repeated(vm: &mut Vm, deque: &Ref<Deque>, count: usize) -> Result<VecDeque<Value>> {
    let unit: Vec<Value> = deque.get(vm).items.iter().cloned().collect();
    let count = match deque.get(vm).max_len {
        // More copies than fit would only be thrown away again.
        Some(max) if !unit.is_empty() => count.min(max / unit.len() + 2),
        _ => count,
    };
    let mut items: VecDeque<Value> = sequence::repeated(vm, &unit, count)?.into();
    if let Some(max) = deque.get(vm).max_len {
        while items.len() > max {
            items.pop_front();
        }
    }
    Ok(items)
}

fn deque_multiply(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let (this, number) = if left.holds::<Deque>() { (left, right) } else { (right, left) };
    let Some(count) = sequence::repetitions(vm, number)? else {
        let name = vm.type_name(number);
        return Err(vm.type_error(format!("can't multiply sequence by non-int of type '{name}'")));
    };
    let result = copied(vm, this)?;
    let items = deque_repeated(vm, deque_of(&result), count)?;
    vm.resize(deque_of(&result), |deque| deque.items = items);
    Ok(result)
}

fn deque_in_place_multiply(vm: &mut Vm, this: &Value, number: &Value) -> Result<Value> {
    let Some(count) = sequence::repetitions(vm, number)? else { return Ok(Value::NOT_IMPLEMENTED) };
    let items = deque_repeated(vm, deque_of(this), count)?;
    let deque = deque_of(this).get_mut(vm);
    deque.state += 1;
    let old = std::mem::replace(&mut deque.items, items);
    drop(old);
    Ok(this.clone())
}

fn deque_iterator(vm: &mut Vm, this: &Value, reverse: bool) -> Value {
    let deque = deque_of(this).clone();
    let (state, left) = (deque.get(vm).state, deque.get(vm).items.len());
    let spec = if reverse { &DEQUE_REVERSE_ITERATOR } else { &DEQUE_ITERATOR };
    sequence::make(vm, spec, DequeIterator { deque: Some(deque), state, left, reverse })
}

fn deque_iterator_new(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let Some(deque) = args[1].downcast::<Deque>().cloned() else {
        let name = vm.type_name(&args[1]);
        return Err(vm.type_error(format!("argument 1 must be collections.deque, not {name}")));
    };
    let skipped = match args.given(2) {
        Some(index) => vm.index_i64(index)?.max(0) as usize,
        None => 0,
    };
    let class = args[0].downcast::<Type>().expect("a constructor gets its class");
    let reverse = class.is(&vm.native_type(&DEQUE_REVERSE_ITERATOR));
    let (state, len) = (deque.get(vm).state, deque.get(vm).items.len());
    Ok(vm.alloc_for(class, DequeIterator { deque: Some(deque), state, left: len.saturating_sub(skipped), reverse }).into_value())
}

fn deque_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    let iterator = deque_iterator_of(this);
    let state = iterator.get(vm);
    let Some(deque) = &state.deque else { return Ok(None) };
    let source = deque.get(vm);
    let is_changed = source.state != state.state;
    if is_changed && !state.reverse {
        iterator.get_mut(vm).left = 0;
        return Err(vm.runtime_error("deque mutated during iteration"));
    }
    if state.left == 0 {
        return Ok(None);
    }
    if is_changed {
        iterator.get_mut(vm).left = 0;
        return Err(vm.runtime_error("deque mutated during iteration"));
    }
    let place = if state.reverse { state.left - 1 } else { source.items.len() - state.left };
    let item = source.items[place].clone();
    iterator.get_mut(vm).left -= 1;
    Ok(Some(item))
}

fn deque_iterator_reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let state = deque_iterator_of(&args[0]).get(vm);
    let (deque, left) = (state.deque.clone(), state.left);
    let Some(deque) = deque else { return Ok(Value::NONE) };
    let consumed = deque.get(vm).items.len().saturating_sub(left);
    let class = vm.type_of(&args[0]).into_value();
    let arguments = vm.new_tuple(vec![deque.into_value(), Value::small(consumed as i64)]);
    Ok(vm.new_tuple(vec![class, arguments]))
}

// ---- defaultdict

pub(crate) static DEFAULT_DICT: TypeSpec = TypeSpec {
    name: "collections.defaultdict",
    doc: "defaultdict(default_factory=None, /, [...]) --> a dict that makes up missing values\n\n`d[key]` for a key that is not there calls the factory, without arguments, and keeps its result.\nOther ways to ask, such as `get`, do not. What else is given is as for `dict`; so is equality.",
    base: Some(&dict_methods::TYPE),
    layout: Layout::Dict,
    flags: BASE_TYPE,
    slots: Slots { init: Some(default_init), repr: Some(default_repr), binary: binary(&[(BinaryOperator::Or, default_or)]), ..Slots::NONE },
    methods: &[
        native("__missing__(self, object, /)", default_missing),
        native("copy(self, /)", default_copy),
        native("__copy__(self, /)", default_copy),
        native("__reduce__(self, /)", default_reduce),
    ],
    getset: &[GetSetSpec {
        name: "default_factory",
        get: |vm, this| Ok(factory(vm, this)),
        set: Some(|vm, this, value| {
            set_factory(vm, dict_of(this), value.cloned());
            Ok(())
        }),
    }],
    class_methods: &[native("__class_getitem__(cls, object, /)", class_get_item)],
    ..TypeSpec::DEFAULT
};

fn factory(vm: &Vm, this: &Value) -> Value {
    dict_of(this).get(vm).default_factory.clone().unwrap_or(Value::NONE)
}

fn set_factory(vm: &mut Vm, dict: &Ref<Dict>, value: Option<Value>) {
    let old = std::mem::replace(&mut dict.get_mut(vm).default_factory, value.filter(|value| !value.is_none()));
    drop(old);
}

fn default_init(vm: &mut Vm, this: &Value, args: CallArgs<'_>) -> Result<()> {
    let first = args.unnamed().first();
    if let Some(factory) = first {
        if !factory.is_none() && vm.type_payload(factory).slots.call.is_none() {
            return Err(vm.type_error("first argument must be callable or None"));
        }
    }
    set_factory(vm, dict_of(this), first.cloned());
    let rest = if first.is_some() { &args.values[1..] } else { args.values };
    dict_methods::update(vm, this, "dict", CallArgs { values: rest, names: args.names })
}

fn default_missing(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let factory = factory(vm, &args[0]);
    if factory.is_none() {
        return Err(vm.key_error(&args[1]));
    }
    let value = vm.call(&factory, &[])?;
    vm.set_item(&args[0], &args[1], &value)?;
    Ok(value)
}

fn default_repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let factory = factory(vm, this);
    let dict_repr = dict_methods::TYPE.slots.repr.expect("dict has one");
    let items = dict_repr(vm, this)?;
    let class = vm.type_of(this);
    let name = vm.class_name(&class);
    let name = name.rsplit('.').next().unwrap_or(&name).to_owned();
    let factory = if factory.is_none() {
        "None".into()
    } else if vm.enter_repr(&factory)? {
        let text = vm.repr_text(&factory);
        vm.leave_repr(&factory);
        text?
    } else {
        "...".into()
    };
    let items = vm.str_text(&items)?;
    Ok(vm.new_str(format!("{name}({factory}, {items})")))
}

fn default_copy(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = vm.type_of(&args[0]).into_value();
    let factory = factory(vm, &args[0]);
    vm.call(&class, &[factory, args[0].clone()])
}

fn default_or(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    if !left.holds::<Dict>() || !right.holds::<Dict>() {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    let own = vm.native_type(&DEFAULT_DICT);
    let this = if vm.is_instance(left, &own) { left } else { right };
    let class = vm.type_of(this).into_value();
    let factory = factory(vm, this);
    let result = vm.call(&class, &[factory, left.clone()])?;
    dict_methods::update_from(vm, dict_of(&result), right)?;
    Ok(result)
}

fn default_reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = vm.type_of(&args[0]).into_value();
    let factory = factory(vm, &args[0]);
    let arguments = if factory.is_none() { vm.empty_tuple() } else { vm.new_tuple(vec![factory]) };
    let items = vm.call_method(&args[0], "items", &[])?;
    let items = vm.iter(&items)?;
    Ok(vm.new_tuple(vec![class, arguments, Value::NONE, Value::NONE, items]))
}

// ---- OrderedDict

pub(crate) static ORDERED_DICT: TypeSpec = TypeSpec {
    name: "collections.OrderedDict",
    doc: "A dictionary whose order can be changed, and counts when two are compared",
    base: Some(&dict_methods::TYPE),
    layout: Layout::Dict,
    flags: BASE_TYPE | HAS_DICT | HAS_WEAKREFS,
    slots: Slots {
        init: Some(ordered_init),
        repr: Some(ordered_repr),
        compare: Some(ordered_compare),
        iter: Some(|vm, this| Ok(ordered_iterator(vm, dict_of(this), DictPart::Keys, false))),
        binary: binary(&[(BinaryOperator::Or, ordered_or)]),
        in_place: binary(&[(BinaryOperator::Or, |vm, this, other| {
            ordered_update(vm, this, CallArgs::positional(std::slice::from_ref(other)))?;
            Ok(this.clone())
        })]),
        ..Slots::NONE
    },
    methods: &[
        native("copy(self, /)", ordered_copy),
        native("items(self, /)", |vm, args| Ok(ordered_view(vm, &args[0], DictPart::Items))),
        native("keys(self, /)", |vm, args| Ok(ordered_view(vm, &args[0], DictPart::Keys))),
        native("values(self, /)", |vm, args| Ok(ordered_view(vm, &args[0], DictPart::Values))),
        native("move_to_end(self, key, last=True)", ordered_move_to_end),
        native("pop(self, key, default=None)", ordered_pop),
        native("popitem(self, last=True)", ordered_pop_item),
        native("setdefault(self, key, default=None)", ordered_set_default),
        native("update(self, *args, **kwargs)", |vm, args| {
            let (mut values, mut names) = (vm.tuple_items(&args[1]), Vec::new());
            if let Some(named) = args[2].downcast::<Dict>() {
                for (name, value) in named.get(vm).items() {
                    names.push(name.clone());
                    values.push(value.clone());
                }
            }
            ordered_update(vm, &args[0], CallArgs { values: &values, names: &names })?;
            Ok(Value::NONE)
        }),
        native("__reversed__(self, /)", |vm, args| Ok(ordered_iterator(vm, dict_of(&args[0]), DictPart::Keys, true))),
        native("__reduce__(self, /)", ordered_reduce),
    ],
    class_methods: &[native("fromkeys(cls, iterable, value=None)", |vm, args| {
        let made = vm.call(&args[0], &[])?;
        let value = args.or_none(2);
        sequence::for_each(vm, &args[1], |vm, key| vm.set_item(&made, &key, &value))?;
        Ok(made)
    })],
    getset: &[crate::object::types::type_methods::DICT],
    ..TypeSpec::DEFAULT
};

static ODICT_ITERATOR: TypeSpec = TypeSpec {
    name: "odict_iterator",
    layout: Layout::DictIterator,
    flags: NO_NEW,
    slots: Slots { iter: Some(sequence::iter_self), next: Some(ordered_next), ..Slots::NONE },
    methods: &[native("__reduce__(self, /)", |vm, args| dict_view_methods::reduce_as(vm, ordered_iterator_of(&args[0]), &ODICT_ITERATOR))],
    ..TypeSpec::DEFAULT
};

const fn ordered_view_spec(name: &'static str, base: &'static TypeSpec) -> TypeSpec {
    TypeSpec {
        name,
        base: Some(base),
        layout: Layout::DictView,
        flags: NO_NEW,
        slots: Slots { iter: Some(|vm, this| ordered_view_iterator(vm, this, false)), ..Slots::NONE },
        methods: ORDERED_VIEW_METHODS,
        ..TypeSpec::DEFAULT
    }
}

const ORDERED_VIEW_METHODS: &[Native] = &[native("__reversed__(self, /)", |vm, args| ordered_view_iterator(vm, &args[0], true))];

static ODICT_KEYS: TypeSpec = ordered_view_spec("odict_keys", &dict_view_methods::KEYS);
static ODICT_VALUES: TypeSpec = ordered_view_spec("odict_values", &dict_view_methods::VALUES);
static ODICT_ITEMS: TypeSpec = ordered_view_spec("odict_items", &dict_view_methods::ITEMS);

fn is_ordered(vm: &mut Vm, value: &Value) -> bool {
    let class = vm.native_type(&ORDERED_DICT);
    vm.is_instance(value, &class)
}

fn ordered_init(vm: &mut Vm, this: &Value, args: CallArgs<'_>) -> Result<()> {
    let count = args.unnamed().len();
    if count > 1 {
        return Err(vm.type_error(format!("expected at most 1 arguments, got {count}")));
    }
    ordered_update(vm, this, args)
}

/// As `MutableMapping.update`: items are set through the object's own `__setitem__`.
fn ordered_update(vm: &mut Vm, this: &Value, args: CallArgs<'_>) -> Result<()> {
    let count = args.unnamed().len();
    if count > 1 {
        return Err(vm.type_error(format!("update() takes at most 1 positional argument ({count} given)")));
    }
    if let Some(other) = args.unnamed().first() {
        let keys = if other.holds::<Dict>() { None } else { vm.find_attr_str(other, "keys")? };
        if other.holds::<Dict>() {
            let items = vm.call_method(other, "items", &[])?;
            set_pairs(vm, this, &items)?;
        } else if let Some(keys) = keys {
            let keys = vm.call(&keys, &[])?;
            sequence::for_each(vm, &keys, |vm, key| {
                let value = vm.get_item(other, &key)?;
                vm.set_item(this, &key, &value)
            })?;
        } else if let Some(items) = vm.find_attr_str(other, "items")? {
            let items = vm.call(&items, &[])?;
            set_pairs(vm, this, &items)?;
        } else {
            set_pairs(vm, this, other)?;
        }
    }
    for (name, value) in args.named() {
        vm.set_item(this, name, value)?;
    }
    Ok(())
}

fn set_pairs(vm: &mut Vm, this: &Value, pairs: &Value) -> Result<()> {
    sequence::for_each(vm, pairs, |vm, pair| {
        let items = vm.collect(&pair)?;
        match items.as_slice() {
            [key, value] => vm.set_item(this, key, value),
            [] | [_] => {
                let count = items.len();
                Err(vm.value_error(format!("need more than {count} value{} to unpack", if count == 1 { "" } else { "s" })))
            }
            _ => Err(vm.value_error("too many values to unpack (expected 2)")),
        }
    })
}

fn ordered_repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let class = vm.type_of(this);
    let name = vm.class_name(&class);
    let name = name.rsplit('.').next().unwrap_or(&name).to_owned();
    if dict_of(this).get(vm).len() == 0 {
        return Ok(vm.new_str(format!("{name}()")));
    }
    if !vm.enter_repr(this)? {
        return Ok(vm.new_str("..."));
    }
    let copy = dict_methods::copied(vm, dict_of(this)).map(Ref::into_value);
    let result = copy.and_then(|copy| vm.repr_text(&copy));
    vm.leave_repr(this);
    let items = result?;
    let mut text = TextBuilder::default();
    text.push_str(&name);
    text.push_str("(");
    text.push_text(&items);
    text.push_str(")");
    Ok(vm.new_str(text.finish()))
}

fn ordered_compare(vm: &mut Vm, left: &Value, right: &Value, operation: Comparison) -> Result<Value> {
    if !matches!(operation, Comparison::Equal | Comparison::NotEqual) || !left.holds::<Dict>() || !right.holds::<Dict>() {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    let dict_compare = dict_methods::TYPE.slots.compare.expect("dict has one");
    let same = dict_compare(vm, left, right, Comparison::Equal)?;
    let mut equal = same.is(&Value::TRUE);
    if equal && is_ordered(vm, left) && is_ordered(vm, right) {
        let keys: Vec<Value> = dict_of(left).get(vm).keys().cloned().collect();
        let others: Vec<Value> = dict_of(right).get(vm).keys().cloned().collect();
        for (a, b) in keys.iter().zip(&others) {
            if !vm.equal(a, b)? {
                equal = false;
                break;
            }
        }
    }
    Ok(Value::from_bool(equal == (operation == Comparison::Equal)))
}

fn ordered_or(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    if !left.holds::<Dict>() || !right.holds::<Dict>() {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    let this = if is_ordered(vm, left) { left } else { right };
    let class = vm.type_of(this).into_value();
    let result = vm.call(&class, std::slice::from_ref(left))?;
    ordered_update(vm, &result, CallArgs::positional(std::slice::from_ref(right)))?;
    Ok(result)
}

fn ordered_copy(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = vm.type_of(&args[0]).into_value();
    let exact = class.is(&vm.native_type(&ORDERED_DICT));
    let copy = vm.call(&class, &[])?;
    for (key, value) in pairs(vm, dict_of(&args[0])) {
        match copy.downcast::<Dict>() {
            Some(dict) if exact => vm.dict_set(dict, &key, value)?,
            _ => vm.set_item(&copy, &key, &value)?,
        }
    }
    Ok(copy)
}

fn pairs(vm: &Vm, dict: &Ref<Dict>) -> Vec<(Value, Value)> {
    dict.get(vm).items().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn ordered_move_to_end(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let dict = dict_of(&args[0]);
    let last = match args.given(2) {
        Some(last) => vm.is_true(last)?,
        None => true,
    };
    let hash = vm.hash(&args[1])?;
    let Some(place) = vm.dict_place(dict, &args[1], hash)? else { return Err(vm.key_error(&args[1])) };
    let table = dict.get_mut(vm);
    let edge = if last { table.last_place() } else { table.next_entry(0).map(|(first, _)| first) };
    if edge == Some(place) {
        return Ok(Value::NONE);
    }
    let (key, value) = table.remove_at(place);
    if last {
        table.push_new(key, hash, value);
    } else {
        table.push_front(key, hash, value);
    }
    Ok(Value::NONE)
}

fn ordered_pop(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if let Some((_, value)) = vm.dict_remove(dict_of(&args[0]), &args[1])? {
        return Ok(value);
    }
    if let Some(default) = args.given(2) {
        return Ok(default.clone());
    }
    if let Some(missing) = vm.find_special(&args[0], "__missing__")? {
        return vm.call(&missing, std::slice::from_ref(&args[1]));
    }
    Err(vm.key_error(&args[1]))
}

fn ordered_pop_item(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let last = match args.given(1) {
        Some(last) => vm.is_true(last)?,
        None => true,
    };
    let table = dict_of(&args[0]).get_mut(vm);
    let popped = if last { table.pop_last() } else { table.pop_first() };
    match popped {
        Some((key, value)) => Ok(vm.new_tuple(vec![key, value])),
        None => {
            let message = vm.new_str("dictionary is empty");
            Err(vm.key_error(&message))
        }
    }
}

fn ordered_set_default(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if vm.contains(&args[0], &args[1])? {
        return vm.get_item(&args[0], &args[1]);
    }
    let default = args.or_none(2);
    vm.set_item(&args[0], &args[1], &default)?;
    Ok(default)
}

fn ordered_reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = vm.type_of(&args[0]).into_value();
    let state = match vm.instance_dict(&args[0])? {
        Some(dict) if dict.get(vm).len() > 0 => dict.into_value(),
        _ => Value::NONE,
    };
    let items = vm.call_method(&args[0], "items", &[])?;
    let items = vm.iter(&items)?;
    let empty = vm.empty_tuple();
    Ok(vm.new_tuple(vec![class, empty, state, Value::NONE, items]))
}

fn ordered_view(vm: &mut Vm, this: &Value, part: DictPart) -> Value {
    let spec = match part {
        DictPart::Keys => &ODICT_KEYS,
        DictPart::Values => &ODICT_VALUES,
        DictPart::Items => &ODICT_ITEMS,
    };
    sequence::make(vm, spec, DictView { dict: Some(dict_of(this).clone()), part })
}

fn ordered_view_iterator(vm: &mut Vm, this: &Value, reverse: bool) -> Result<Value> {
    let view = this.downcast::<DictView>().expect("the slot or method was found on a dict view").get(vm);
    let (dict, part) = (view.dict.clone(), view.part);
    let dict = dict.unwrap_or_else(|| vm.new_dict());
    Ok(ordered_iterator(vm, &dict, part, reverse))
}

/// The iterator remembers, in `used`, the table's count of changes: any other key or order ends it.
fn ordered_iterator(vm: &mut Vm, dict: &Ref<Dict>, part: DictPart, reverse: bool) -> Value {
    let table = dict.get(vm);
    let (used, left) = (table.changes() as usize, table.len());
    let position = if reverse { table.entries().len() } else { 0 };
    sequence::make(vm, &ODICT_ITERATOR, DictIterator { dict: Some(dict.clone()), part, reverse, position, used, left, pair: None })
}

fn ordered_iterator_of(value: &Value) -> &Ref<DictIterator> {
    value.downcast::<DictIterator>().expect("the slot or method was found on an ordered dict's iterator")
}

fn ordered_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    let iterator = ordered_iterator_of(this);
    let state = iterator.get(vm);
    let Some(dict) = &state.dict else { return Ok(None) };
    let table = dict.get(vm);
    if state.left > 0 && state.used != table.changes() as usize {
        let exhausted = iterator.get_mut(vm).dict.take();
        drop(exhausted);
        return Err(vm.runtime_error("OrderedDict mutated during iteration"));
    }
    let found = if state.reverse {
        let entries = table.entries();
        let end = state.position.min(entries.len());
        entries[..end].iter().rposition(|entry| !entry.key.is_unbound()).map(|place| (place, &entries[place]))
    } else {
        table.next_entry(state.position).map(|(place, entry)| (place + 1, entry))
    };
    let Some((position, entry)) = found.filter(|_| state.left > 0) else {
        let exhausted = iterator.get_mut(vm).dict.take();
        drop(exhausted);
        return Ok(None);
    };
    let item = match state.part {
        DictPart::Keys => entry.key.clone(),
        DictPart::Values => entry.value.clone(),
        DictPart::Items => vm.new_pair(entry.key.clone(), entry.value.clone()),
    };
    let state = iterator.get_mut(vm);
    state.position = position;
    state.left -= 1;
    Ok(Some(item))
}

// ---- namedtuple's fields, Counter's loop

/// The descriptor of a named tuple's field.
pub(crate) struct TupleGetter {
    index: usize,
    doc: Value,
}

impl Payload for TupleGetter {
    const LAYOUT: Layout = Layout::TupleGetter;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.doc.word());
    }
}

pub(crate) static TUPLE_GETTER: TypeSpec = TypeSpec {
    name: "collections._tuplegetter",
    layout: Layout::TupleGetter,
    new: constructor("_tuplegetter(index, doc, /)", |vm, args| {
        let index = vm.index_i64(&args[1])?.max(0) as usize;
        let class = args[0].downcast::<Type>().expect("a constructor gets its class");
        Ok(vm.alloc_for(class, TupleGetter { index, doc: args[2].clone() }).into_value())
    }),
    slots: Slots {
        repr: Some(|vm, this| {
            let getter = tuple_getter(this).get(vm);
            let (index, doc) = (getter.index, getter.doc.clone());
            let doc = vm.repr_text(&doc)?;
            Ok(vm.new_str(format!("_tuplegetter({index}, {doc})")))
        }),
        descriptor_get: Some(tuple_getter_get),
        descriptor_set: Some(|vm, _, _, value| {
            let what = if value.is_some() { "set" } else { "delete" };
            Err(vm.raise(crate::object::types::exception::ExceptionKind::AttributeError, format!("can't {what} attribute")))
        }),
        ..Slots::NONE
    },
    methods: &[native("__reduce__(self, /)", |vm, args| {
        let getter = tuple_getter(&args[0]).get(vm);
        let parts = vec![Value::small(getter.index as i64), getter.doc.clone()];
        let parts = vm.new_tuple(parts);
        let class = vm.type_of(&args[0]).into_value();
        Ok(vm.new_tuple(vec![class, parts]))
    })],
    getset: &[GetSetSpec {
        name: "__doc__",
        get: |vm, this| Ok(tuple_getter(this).get(vm).doc.clone()),
        set: Some(|vm, this, value| {
            let old = std::mem::replace(&mut tuple_getter(this).get_mut(vm).doc, value.cloned().unwrap_or(Value::NONE));
            drop(old);
            Ok(())
        }),
    }],
    ..TypeSpec::DEFAULT
};

fn tuple_getter(value: &Value) -> &Ref<TupleGetter> {
    value.downcast::<TupleGetter>().expect("the slot or method was found on a _tuplegetter")
}

fn tuple_getter_get(vm: &mut Vm, this: &Value, object: Option<&Value>, _: &Value) -> Result<Value> {
    let Some(object) = object else { return Ok(this.clone()) };
    let index = tuple_getter(this).get(vm).index;
    let Some(tuple) = object.downcast::<Tuple>() else {
        if object.is_none() {
            return Ok(this.clone());
        }
        let name = vm.type_name(object);
        return Err(vm.type_error(format!("descriptor for index '{index}' for tuple subclasses doesn't apply to '{name}' object")));
    };
    match tuple.get(vm).items().get(index) {
        Some(item) => Ok(item.clone()),
        None => Err(vm.index_error("tuple index out of range")),
    }
}

/// Adds one to `mapping[item]` for every item.
fn count_elements(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let mapping = &args[0];
    let class = vm.type_of(mapping);
    let dict_class = vm.builtin(TypeId::Dict);
    // Only a dict that sets and gets items as dicts do may be changed behind its methods' back.
    let mut plain = mapping.downcast::<Dict>().cloned();
    for name in ["get", "__setitem__"] {
        let name = vm.intern(name);
        let (own, original) = (vm.type_lookup(&class, &name), vm.type_lookup(&dict_class, &name));
        if !matches!((own, original), (Some(own), Some(original)) if own.is(&original)) {
            plain = None;
        }
    }
    let one = Value::small(1);
    if let Some(dict) = plain {
        vm.iterate(&args[1], |vm, item| {
            let hash = vm.hash(&item)?;
            let old = match vm.dict_place(&dict, &item, hash)? {
                Some(place) => dict.get(vm).entries()[place].value.clone(),
                None => {
                    vm.dict_push(&dict, item, hash, one.clone())?;
                    return Ok(ControlFlow::Continue(()));
                }
            };
            let new = match old.as_small() {
                Some(old) => vm.new_int(old + 1),
                None => vm.binary(BinaryOperator::Add, &old, &one)?,
            };
            vm.dict_set_hashed(&dict, &item, hash, new)?;
            Ok(ControlFlow::Continue(()))
        })?;
        return Ok(Value::NONE);
    }
    // What is no iterable is refused before what is no mapping.
    let iterator = vm.iter(&args[1])?;
    let get = vm.get_attr_str(mapping, "get")?;
    while let Some(item) = vm.next(&iterator)? {
        vm.poll()?;
        let old = vm.call(&get, &[item.clone(), Value::small(0)])?;
        let new = vm.binary(BinaryOperator::Add, &old, &one)?;
        vm.set_item(mapping, &item, &new)?;
    }
    Ok(Value::NONE)
}
