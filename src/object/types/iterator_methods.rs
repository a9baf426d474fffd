//! The iterators over sequences and calls, and `enumerate`, `zip`, `map`, `filter`, `reversed`: their methods.

use super::iterator::{CallIterator, Enumerate, Filter, Map, Reversed, SequenceIterator, Zip};
use super::list::List;
use super::tuple::Tuple;
use super::{TypeId, generic_alias_methods};
use crate::number::{Int, IntRef};
use crate::object::heap::reference_count;
use crate::object::layout::Layout;
use crate::object::native::{Args, Native, native};
use crate::object::sequence;
use crate::object::type_object::{BASE_TYPE, CallArgs, NO_NEW, Slots, Type, TypeSpec};
use crate::object::types::exception::ExceptionKind;
use crate::object::value::{Ref, Value};
use crate::vm::{Result, Vm};

/// What the iterators over sequences have in common.
const fn over(name: &'static str) -> TypeSpec {
    TypeSpec {
        name,
        layout: Layout::SequenceIterator,
        flags: NO_NEW,
        slots: Slots { iter: Some(sequence::iter_self), next: Some(next), ..Slots::NONE },
        methods: SEQUENCE_METHODS,
        ..TypeSpec::DEFAULT
    }
}

const SEQUENCE_METHODS: &[Native] =
    &[native("__length_hint__(self, /)", length_hint), native("__reduce__(self, /)", reduce), native("__setstate__(self, object, /)", set_state)];

pub(crate) static LIST_ITERATOR: TypeSpec = over("list_iterator");
pub(crate) static TUPLE_ITERATOR: TypeSpec = over("tuple_iterator");
/// Over anything with `__getitem__`.
pub(crate) static ITERATOR: TypeSpec =
    TypeSpec { slots: Slots { iter: Some(sequence::iter_self), next: Some(next_of_any), ..Slots::NONE }, ..over("iterator") };

pub(crate) static LIST_REVERSE_ITERATOR: TypeSpec = TypeSpec {
    name: "list_reverseiterator",
    layout: Layout::Reversed,
    flags: NO_NEW,
    slots: Slots { iter: Some(sequence::iter_self), next: Some(reversed_next), ..Slots::NONE },
    methods: REVERSED_METHODS,
    ..TypeSpec::DEFAULT
};

const REVERSED_METHODS: &[Native] = &[
    native("__length_hint__(self, /)", reversed_length_hint),
    native("__reduce__(self, /)", reversed_reduce),
    native("__setstate__(self, object, /)", reversed_set_state),
];

pub(crate) static REVERSED: TypeSpec = TypeSpec {
    name: "reversed",
    doc: "The items of a sequence, last to first.",
    layout: Layout::Reversed,
    flags: BASE_TYPE,
    slots: Slots { new: Some(reversed_new), iter: Some(sequence::iter_self), next: Some(reversed_next), ..Slots::NONE },
    methods: REVERSED_METHODS,
    ..TypeSpec::DEFAULT
};

pub(crate) static CALL_ITERATOR: TypeSpec = TypeSpec {
    name: "callable_iterator",
    layout: Layout::CallIterator,
    flags: NO_NEW,
    slots: Slots { iter: Some(sequence::iter_self), next: Some(call_next), ..Slots::NONE },
    methods: &[native("__reduce__(self, /)", call_reduce)],
    ..TypeSpec::DEFAULT
};

pub(crate) static ENUMERATE: TypeSpec = TypeSpec {
    name: "enumerate",
    doc: "Pairs of a number and an item: (start, first), (start + 1, second) ...\n\n  iterable\n    what the items come from\n  start\n    the first number",
    layout: Layout::Enumerate,
    flags: BASE_TYPE,
    slots: Slots { new: Some(enumerate_new), iter: Some(sequence::iter_self), next: Some(enumerate_next), ..Slots::NONE },
    methods: &[native("__reduce__(self, /)", enumerate_reduce)],
    class_methods: &[native("__class_getitem__(cls, object, /)", generic_alias_methods::class_get_item)],
    ..TypeSpec::DEFAULT
};

pub(crate) static ZIP: TypeSpec = TypeSpec {
    name: "zip",
    doc: "Tuples of the first items of the iterables, of the second ones, and so on, as far as the shortest goes.\n\nWith strict=True iterables of different lengths are a ValueError.\n\n   >>> list(zip('ab', [1, 2, 3]))\n   [('a', 1), ('b', 2)]",
    layout: Layout::Zip,
    flags: BASE_TYPE,
    slots: Slots { new: Some(zip_new), iter: Some(sequence::iter_self), next: Some(zip_next), ..Slots::NONE },
    methods: &[native("__reduce__(self, /)", zip_reduce), native("__setstate__(self, object, /)", zip_set_state)],
    ..TypeSpec::DEFAULT
};

pub(crate) static MAP: TypeSpec = TypeSpec {
    name: "map",
    doc: "The function's results for the items of the iterables, side by side, as far as the shortest\nof them goes.",
    layout: Layout::Map,
    flags: BASE_TYPE,
    slots: Slots { new: Some(map_new), iter: Some(sequence::iter_self), next: Some(map_next), ..Slots::NONE },
    methods: &[native("__reduce__(self, /)", map_reduce)],
    ..TypeSpec::DEFAULT
};

pub(crate) static FILTER: TypeSpec = TypeSpec {
    name: "filter",
    doc: "The items for which the function's result is true; with None for the function, the items\nthat are true themselves.",
    layout: Layout::Filter,
    flags: BASE_TYPE,
    slots: Slots { new: Some(filter_new), iter: Some(sequence::iter_self), next: Some(filter_next), ..Slots::NONE },
    methods: &[native("__reduce__(self, /)", filter_reduce)],
    ..TypeSpec::DEFAULT
};

/// `iter(value)` for what has only `__getitem__`.
pub(crate) fn over_any(vm: &mut Vm, value: &Value) -> Value {
    sequence::make(vm, &ITERATOR, SequenceIterator { sequence: Some(value.clone()), index: 0 })
}

fn sequence_iterator(value: &Value) -> &Ref<SequenceIterator> {
    value.downcast::<SequenceIterator>().expect("the slot or method was found on a sequence's iterator")
}

#[inline]
fn next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    let iterator = sequence_iterator(this);
    let state = iterator.get(vm);
    let index = state.index;
    let Some(sequence) = &state.sequence else { return Ok(None) };
    let item = if let Some(list) = sequence.downcast::<List>() {
        list.get(vm).items.get(index).cloned()
    } else if let Some(tuple) = sequence.downcast::<Tuple>() {
        tuple.get(vm).items().get(index).cloned()
    } else {
        return next_of_any(vm, this);
    };
    let state = iterator.get_mut(vm);
    if item.is_some() {
        state.index += 1;
    } else {
        let exhausted = state.sequence.take();
        drop(exhausted);
    }
    Ok(item)
}

fn next_of_any(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    let iterator = sequence_iterator(this);
    let Some(sequence) = iterator.get(vm).sequence.clone() else { return Ok(None) };
    let index = iterator.get(vm).index;
    if index >= isize::MAX as usize {
        return Err(vm.overflow_error("iter index too large"));
    }
    let place = vm.new_int(index as i64);
    match vm.get_item(&sequence, &place) {
        Ok(item) => {
            iterator.get_mut(vm).index = index + 1;
            Ok(Some(item))
        }
        Err(raised) => {
            if vm.clear_if(ExceptionKind::IndexError) || vm.clear_if(ExceptionKind::StopIteration) {
                let exhausted = iterator.get_mut(vm).sequence.take();
                drop(exhausted);
                return Ok(None);
            }
            Err(raised)
        }
    }
}

fn length_hint(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let iterator = sequence_iterator(&args[0]);
    let Some(sequence) = iterator.get(vm).sequence.clone() else { return Ok(Value::small(0)) };
    if vm.type_payload(&sequence).slots.len.is_none() {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    let len = vm.len(&sequence)?;
    let left = len.saturating_sub(iterator.get(vm).index);
    Ok(Value::small(left as i64))
}

fn reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let iter = sequence::builtin_function(vm, "iter")?;
    let iterator = sequence_iterator(&args[0]).get(vm);
    let index = iterator.index as i64;
    let Some(sequence) = iterator.sequence.clone() else {
        let class = vm.type_name(&args[0]);
        let empty = if class == "list_iterator" { vm.new_list(Vec::new()) } else { vm.empty_tuple() };
        let arguments = vm.new_tuple(vec![empty]);
        return Ok(vm.new_tuple(vec![iter, arguments]));
    };
    let arguments = vm.new_tuple(vec![sequence]);
    let index = vm.new_int(index);
    Ok(vm.new_tuple(vec![iter, arguments, index]))
}

/// The place that a pickle's state names.
pub(super) fn place_of_state(vm: &mut Vm, state: &Value) -> Result<i64> {
    if vm.is_int(state) { vm.index_i64(state) } else { Err(vm.type_error("an integer is required")) }
}

fn set_state(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let state = place_of_state(vm, &args[1])?;
    let iterator = sequence_iterator(&args[0]);
    let Some(sequence) = iterator.get(vm).sequence.clone() else { return Ok(Value::NONE) };
    let mut index = state.max(0) as usize;
    if vm.type_payload(&sequence).slots.len.is_some() && !sequence.holds::<super::super::instance::Instance>() {
        index = index.min(vm.len(&sequence)?);
    }
    iterator.get_mut(vm).index = index;
    Ok(Value::NONE)
}

fn reversed_of(value: &Value) -> &Ref<Reversed> {
    value.downcast::<Reversed>().expect("the slot or method was found on a reverse iterator")
}

fn reversed_new(vm: &mut Vm, class: &Ref<Type>, args: CallArgs<'_>) -> Result<Value> {
    let args = sequence::names_for_init(vm, class, "reversed", args)?;
    sequence::positional(vm, "reversed", args, 1, 1)?;
    let sequence = &args.values[0];
    let name = vm.intern("__reversed__");
    let sequence_class = vm.type_of(sequence);
    if let Some(method) = vm.type_lookup(&sequence_class, &name) {
        if !method.is_none() {
            let method = vm.bind(&method, Some(sequence), &sequence_class)?;
            return vm.call(&method, &[]);
        }
    } else if vm.type_payload(sequence).slots.get_item.is_some() && !sequence.holds::<super::dict::Dict>() {
        let index = vm.len(sequence)? as i64 - 1;
        return Ok(vm.alloc_for(class, Reversed { sequence: Some(sequence.clone()), index }).into_value());
    }
    let name = vm.type_name(sequence);
    Err(vm.type_error(format!("'{name}' object is not reversible")))
}

fn reversed_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    let iterator = reversed_of(this);
    let index = iterator.get(vm).index;
    let Some(sequence) = iterator.get(vm).sequence.clone() else { return Ok(None) };
    if index >= 0 {
        let exact = vm.is_exact(&sequence, TypeId::List) || vm.type_of(this).get(vm).name.is(&vm.intern("list_reverseiterator"));
        let item = match sequence.downcast::<List>() {
            Some(list) if exact => Ok(list.get(vm).items.get(index as usize).cloned()),
            _ => {
                let index = vm.new_int(index);
                vm.get_item(&sequence, &index).map(Some)
            }
        };
        match item {
            Ok(Some(item)) => {
                iterator.get_mut(vm).index = index - 1;
                return Ok(Some(item));
            }
            Ok(None) => {}
            Err(raised) => {
                if !vm.clear_if(ExceptionKind::IndexError) && !vm.clear_if(ExceptionKind::StopIteration) {
                    return Err(raised);
                }
            }
        }
    }
    let state = iterator.get_mut(vm);
    state.index = -1;
    let exhausted = state.sequence.take();
    drop(exhausted);
    Ok(None)
}

fn reversed_length_hint(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let iterator = reversed_of(&args[0]);
    let Some(sequence) = iterator.get(vm).sequence.clone() else { return Ok(Value::small(0)) };
    let len = vm.len(&sequence)? as i64;
    let left = iterator.get(vm).index + 1;
    Ok(Value::small(if len < left { 0 } else { left }))
}

fn reversed_reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = sequence::builtin_function(vm, "reversed")?;
    let iterator = reversed_of(&args[0]).get(vm);
    let index = iterator.index;
    let Some(sequence) = iterator.sequence.clone() else {
        if vm.type_name(&args[0]) == "list_reverseiterator" {
            let iter = sequence::builtin_function(vm, "iter")?;
            let empty = vm.new_list(Vec::new());
            let arguments = vm.new_tuple(vec![empty]);
            return Ok(vm.new_tuple(vec![iter, arguments]));
        }
        let empty = vm.empty_tuple();
        let arguments = vm.new_tuple(vec![empty]);
        return Ok(vm.new_tuple(vec![class, arguments]));
    };
    let arguments = vm.new_tuple(vec![sequence]);
    Ok(vm.new_tuple(vec![class, arguments, vm.new_int(index)]))
}

fn reversed_set_state(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let state = place_of_state(vm, &args[1])?;
    let iterator = reversed_of(&args[0]);
    let Some(sequence) = iterator.get(vm).sequence.clone() else { return Ok(Value::NONE) };
    let len = vm.len(&sequence)? as i64;
    iterator.get_mut(vm).index = state.clamp(-1, len - 1);
    Ok(Value::NONE)
}

fn call_iterator(value: &Value) -> &Ref<CallIterator> {
    value.downcast::<CallIterator>().expect("the slot or method was found on a callable_iterator")
}

fn call_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    let iterator = call_iterator(this);
    let Some(callable) = iterator.get(vm).callable.clone() else { return Ok(None) };
    let end = match vm.call(&callable, &[]) {
        Ok(result) => {
            if iterator.get(vm).callable.is_none() {
                // The callable has exhausted its own iterator.
                return Ok(None);
            }
            let sentinel = iterator.get(vm).sentinel.clone();
            if !vm.equal(&sentinel, &result)? {
                return Ok(Some(result));
            }
            None
        }
        Err(raised) => {
            if vm.clear_if(ExceptionKind::StopIteration) {
                None
            } else {
                Some(raised)
            }
        }
    };
    match end {
        Some(raised) => Err(raised),
        None => {
            let state = iterator.get_mut(vm);
            let exhausted = (state.callable.take(), std::mem::replace(&mut state.sentinel, Value::NONE));
            drop(exhausted);
            Ok(None)
        }
    }
}

fn call_reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let iter = sequence::builtin_function(vm, "iter")?;
    let iterator = call_iterator(&args[0]).get(vm);
    let arguments = match &iterator.callable {
        Some(callable) => vec![callable.clone(), iterator.sentinel.clone()],
        None => vec![vm.empty_tuple()],
    };
    let arguments = vm.new_tuple(arguments);
    Ok(vm.new_tuple(vec![iter, arguments]))
}

fn enumerate_of(value: &Value) -> &Ref<Enumerate> {
    value.downcast::<Enumerate>().expect("the slot or method was found on an enumerate object")
}

fn enumerate_new(vm: &mut Vm, class: &Ref<Type>, args: CallArgs<'_>) -> Result<Value> {
    let given = args.values.len();
    if given > 2 {
        return Err(vm.type_error(format!("enumerate() takes at most 2 arguments ({given} given)")));
    }
    let mut iterable = args.unnamed().first();
    let mut start = args.unnamed().get(1);
    for (name, value) in args.named() {
        let name = sequence::text(vm, name).unwrap_or_default();
        let place = if name == "iterable" { &mut iterable } else { &mut start };
        if place.is_some() || (name != "iterable" && name != "start") {
            let message = if class.is(&vm.builtin(TypeId::Enumerate)) {
                format!("'{name}' is an invalid keyword argument for enumerate()")
            } else {
                format!("enumerate() got an unexpected keyword argument '{name}'")
            };
            return Err(vm.type_error(message));
        }
        *place = Some(value);
    }
    let Some(iterable) = iterable else { return Err(vm.type_error("enumerate() missing required argument 'iterable'")) };
    let count = match start {
        Some(start) => sequence::exact_int(vm, start)?,
        None => Value::small(0),
    };
    let iterator = vm.iter(iterable)?;
    Ok(vm.alloc_for(class, Enumerate { iterator, count, pair: None }).into_value())
}

fn enumerate_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    let state = enumerate_of(this);
    let iterator = state.get(vm).iterator.clone();
    let Some(item) = vm.next(&iterator)? else { return Ok(None) };
    let count = state.get(vm).count.clone();
    let following = match count.as_small() {
        Some(small) => vm.new_int(small + 1),
        None => {
            let count = vm.int_value(&count).unwrap_or(Int::Small(0));
            let following = count.as_ref().add(IntRef::Small(1));
            vm.new_big(following)
        }
    };
    let payload = state.get_mut(vm);
    let old = std::mem::replace(&mut payload.count, following);
    let kept = payload.pair.take();
    drop(old);
    let (pair, kept) = sequence::refilled(vm, kept, smallvec::smallvec![count, item]);
    state.get_mut(vm).pair = kept;
    Ok(Some(pair))
}

fn enumerate_reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let state = enumerate_of(&args[0]).get(vm);
    let arguments = vec![state.iterator.clone(), state.count.clone()];
    let arguments = vm.new_tuple(arguments);
    let class = vm.type_of(&args[0]).into_value();
    Ok(vm.new_tuple(vec![class, arguments]))
}

fn zip_of(value: &Value) -> &Ref<Zip> {
    value.downcast::<Zip>().expect("the slot or method was found on a zip object")
}

fn zip_new(vm: &mut Vm, class: &Ref<Type>, args: CallArgs<'_>) -> Result<Value> {
    let mut strict = false;
    for (name, value) in args.named() {
        let text = sequence::text(vm, name).unwrap_or_default();
        if text == "strict" {
            strict = vm.is_true(value)?;
        } else {
            return Err(vm.type_error(format!("zip() got an unexpected keyword argument '{text}'")));
        }
    }
    let mut iterators = Vec::with_capacity(args.unnamed().len());
    for iterable in args.unnamed() {
        iterators.push(vm.iter(iterable)?);
    }
    Ok(vm.alloc_for(class, Zip { iterators, strict, tuple: None }).into_value())
}

fn zip_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    let state = zip_of(this);
    let count = state.get(vm).iterators.len();
    if count == 0 {
        return Ok(None);
    }
    // The tuple of the step before is filled again when nobody else has it; meanwhile it is nowhere to be found.
    let kept = state.get_mut(vm).tuple.take();
    if let Some(tuple) = kept.as_ref().filter(|kept| reference_count(kept) == 1).and_then(|kept| kept.downcast::<Tuple>()) {
        for index in 0..count {
            let Some(iterator) = state.get(vm).iterators.get(index).cloned() else { return Ok(None) };
            match vm.next(&iterator)? {
                Some(item) => {
                    let old = tuple.get_mut(vm).items_mut().get_mut(index).map(|place| std::mem::replace(place, item));
                    drop(old);
                }
                None if state.get(vm).strict => return zip_check(vm, state, index),
                None => return Ok(None),
            }
        }
        state.get_mut(vm).tuple.clone_from(&kept);
        return Ok(kept);
    }
    let mut items = smallvec::SmallVec::<[Value; 3]>::with_capacity(count);
    for index in 0..count {
        let Some(iterator) = state.get(vm).iterators.get(index).cloned() else { return Ok(None) };
        match vm.next(&iterator)? {
            Some(item) => items.push(item),
            None if state.get(vm).strict => return zip_check(vm, state, index),
            None => return Ok(None),
        }
    }
    let tuple = vm.new_tuple(items);
    state.get_mut(vm).tuple = Some(kept.unwrap_or_else(|| tuple.clone()));
    Ok(Some(tuple))
}

/// Iterator number `ended` of a strict zip ended: so must all others.
fn zip_check(vm: &mut Vm, state: &Ref<Zip>, ended: usize) -> Result<Option<Value>> {
    let plural = |index: usize| if index == 1 { " " } else { "s 1-" };
    if ended > 0 {
        return Err(vm.value_error(format!("zip() argument {} is shorter than argument{}{ended}", ended + 1, plural(ended))));
    }
    let mut index = 1;
    while let Some(iterator) = state.get(vm).iterators.get(index).cloned() {
        if vm.next(&iterator)?.is_some() {
            return Err(vm.value_error(format!("zip() argument {} is longer than argument{}{index}", index + 1, plural(index))));
        }
        index += 1;
    }
    Ok(None)
}

fn zip_reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let state = zip_of(&args[0]).get(vm);
    let (iterators, strict) = (state.iterators.clone(), state.strict);
    let iterators = vm.new_tuple(iterators);
    let mut parts = vec![vm.type_of(&args[0]).into_value(), iterators];
    if strict {
        parts.push(Value::TRUE);
    }
    Ok(vm.new_tuple(parts))
}

fn zip_set_state(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let strict = vm.is_true(&args[1])?;
    zip_of(&args[0]).get_mut(vm).strict = strict;
    Ok(Value::NONE)
}

fn map_of(value: &Value) -> &Ref<Map> {
    value.downcast::<Map>().expect("the slot or method was found on a map object")
}

fn map_new(vm: &mut Vm, class: &Ref<Type>, args: CallArgs<'_>) -> Result<Value> {
    let args = sequence::names_for_init(vm, class, "map", args)?;
    if args.values.len() < 2 {
        return Err(vm.type_error("map() must have at least two arguments."));
    }
    let mut iterators = Vec::with_capacity(args.values.len() - 1);
    for iterable in &args.values[1..] {
        iterators.push(vm.iter(iterable)?);
    }
    Ok(vm.alloc_for(class, Map { function: args.values[0].clone(), iterators }).into_value())
}

fn map_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    let state = map_of(this);
    let mut arguments = smallvec::SmallVec::<[Value; 3]>::new();
    for index in 0..state.get(vm).iterators.len() {
        let Some(iterator) = state.get(vm).iterators.get(index).cloned() else { return Ok(None) };
        match vm.next(&iterator)? {
            Some(item) => arguments.push(item),
            None => return Ok(None),
        }
    }
    let function = state.get(vm).function.clone();
    vm.call(&function, &arguments).map(Some)
}

fn map_reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let state = map_of(&args[0]).get(vm);
    let mut parts = vec![state.function.clone()];
    parts.extend(state.iterators.iter().cloned());
    let parts = vm.new_tuple(parts);
    let class = vm.type_of(&args[0]).into_value();
    Ok(vm.new_tuple(vec![class, parts]))
}

fn filter_of(value: &Value) -> &Ref<Filter> {
    value.downcast::<Filter>().expect("the slot or method was found on a filter object")
}

fn filter_new(vm: &mut Vm, class: &Ref<Type>, args: CallArgs<'_>) -> Result<Value> {
    let args = sequence::names_for_init(vm, class, "filter", args)?;
    sequence::positional(vm, "filter", args, 2, 2)?;
    let iterator = vm.iter(&args.values[1])?;
    Ok(vm.alloc_for(class, Filter { function: args.values[0].clone(), iterator }).into_value())
}

fn filter_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    let state = filter_of(this);
    let (iterator, function) = (state.get(vm).iterator.clone(), state.get(vm).function.clone());
    let plain = function.is_none() || function.is(&vm.builtin(TypeId::Bool));
    loop {
        let Some(item) = vm.next(&iterator)? else { return Ok(None) };
        let keep = if plain {
            vm.is_true(&item)?
        } else {
            let answer = vm.call(&function, std::slice::from_ref(&item))?;
            vm.is_true(&answer)?
        };
        if keep {
            return Ok(Some(item));
        }
        vm.poll_after(1)?;
    }
}

fn filter_reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let state = filter_of(&args[0]).get(vm);
    let parts = vec![state.function.clone(), state.iterator.clone()];
    let parts = vm.new_tuple(parts);
    let class = vm.type_of(&args[0]).into_value();
    Ok(vm.new_tuple(vec![class, parts]))
}
