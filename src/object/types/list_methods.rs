//! `list`: its methods and operators.

use super::iterator::{Reversed, SequenceIterator};
use super::list::List;
use super::slice::Slice;
use super::str::Str;
use super::tuple::Tuple;
use super::{generic_alias_methods, iterator_methods};
use crate::code::instruction::Comparison;
use crate::object::layout::Layout;
use crate::object::native::{Args, native};
use crate::object::sequence::{self, release_backwards};
use crate::object::sort;
use crate::object::type_object::{BASE_TYPE, BinaryOperator, CallArgs, MATCH_SELF, MATCH_SEQUENCE, Slots, Type, TypeSpec, binary, constructor};
use crate::object::types::TypeId;
use crate::object::value::{Ref, Value};
use crate::text::pace;
use crate::vm::{Result, Vm};

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "list",
    doc: "A sequence that can be changed.\n\nWithout an argument it is empty; otherwise it holds the items of the iterable.",
    layout: Layout::List,
    flags: BASE_TYPE | MATCH_SEQUENCE | MATCH_SELF,
    new: constructor("list(*args, **kwargs)", new),
    slots: Slots {
        repr: Some(repr),
        compare: Some(compare),
        iter: Some(iter),
        len: Some(len),
        get_item: Some(get_item),
        set_item: Some(set_item),
        contains: Some(contains),
        init: Some(init),
        binary: binary(&[(BinaryOperator::Add, concat), (BinaryOperator::Multiply, repeat)]),
        in_place: binary(&[(BinaryOperator::Add, in_place_concat), (BinaryOperator::Multiply, in_place_repeat)]),
        ..Slots::NONE
    },
    methods: &[
        native("append(self, object, /)", append),
        native("clear(self, /)", clear),
        native("copy(self, /)", copy),
        native("count(self, value, /)", count),
        native("extend(self, iterable, /)", extend_method),
        native("index(self, value, start=0, stop=9223372036854775807, /)", index),
        native("insert(self, index, object, /)", insert),
        native("pop(self, index=-1, /)", pop),
        native("remove(self, value, /)", remove),
        native("reverse(self, /)", reverse),
        native("sort(self, /, *, key=None, reverse=False)", sort_method),
        native("__reversed__(self, /)", reversed),
        native("__sizeof__(self, /)", size_of),
    ],
    class_methods: &[native("__class_getitem__(cls, object, /)", generic_alias_methods::class_get_item)],
    ..TypeSpec::DEFAULT
};

fn this<'a>(args: &Args<'a>) -> &'a Ref<List> {
    list_of(&args.all()[0])
}

fn list_of(value: &Value) -> &Ref<List> {
    value.downcast::<List>().expect("the slot or method was found on a list")
}

fn item_at<'a>(vm: &'a Vm, list: &'a Value, index: usize) -> Option<&'a Value> {
    list_of(list).get(vm).items.get(index)
}

fn new(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("a constructor gets its class");
    Ok(vm.alloc_for(class, List { items: Vec::new() }).into())
}

fn init(vm: &mut Vm, this: &Value, args: CallArgs<'_>) -> Result<()> {
    if sequence::uses_own_new(vm, this, TypeId::List) {
        sequence::no_names(vm, "list", args)?;
    }
    sequence::positional(vm, "list", args, 0, 1)?;
    let iterable = args.unnamed().first();
    let list = list_of(this);
    if !list.get(vm).items.is_empty() {
        release_backwards(std::mem::take(&mut list.get_mut(vm).items));
    }
    match iterable {
        Some(iterable) => extend(vm, list, iterable),
        None => Ok(()),
    }
}

fn repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let list = list_of(this);
    sequence::repr(vm, this, "[", "]", "[...]", |vm, index| list.get(vm).items.get(index).cloned())
}

fn compare(vm: &mut Vm, left: &Value, right: &Value, operation: Comparison) -> Result<Value> {
    let (Some(left), Some(right)) = (left.downcast::<List>(), right.downcast::<List>()) else { return Ok(Value::NOT_IMPLEMENTED) };
    sequence::compare(
        vm,
        operation,
        |vm| (left.get(vm).items.len(), right.get(vm).items.len()),
        |vm, index| Some((left.get(vm).items.get(index)?.clone(), right.get(vm).items.get(index)?.clone())),
    )
}

fn iter(vm: &mut Vm, this: &Value) -> Result<Value> {
    Ok(vm.alloc(TypeId::ListIterator, SequenceIterator { sequence: Some(this.clone()), index: 0 }).into_value())
}

fn reversed(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let index = this(&args).get(vm).items.len() as i64 - 1;
    Ok(sequence::make(vm, &iterator_methods::LIST_REVERSE_ITERATOR, Reversed { sequence: Some(args[0].clone()), index }))
}

fn len(vm: &mut Vm, this: &Value) -> Result<usize> {
    Ok(list_of(this).get(vm).items.len())
}

fn get_item(vm: &mut Vm, this: &Value, key: &Value) -> Result<Value> {
    let list = list_of(this);
    if let Some(slice) = key.downcast::<Slice>() {
        let bounds = sequence::bounds(vm, slice)?;
        let span = bounds.within(list.get(vm).items.len());
        vm.charge(span.count * 8)?;
        let items = vm.paced_items(span.count, |vm| {
            let items = &list.get(vm).items;
            // A handler of a signal may have changed the list.
            let span = bounds.within(items.len());
            if span.step == 1 { pace::cloned(&items[span.range()]) } else { pace::collected(span.places().map(|place| items[place].clone())) }
        })?;
        return Ok(vm.new_list(items));
    }
    let index = item_index(vm, key)?;
    let items = &list.get(vm).items;
    match sequence::place(index, items.len()) {
        Some(place) => Ok(items[place].clone()),
        None => Err(vm.index_error("list index out of range")),
    }
}

fn item_index(vm: &mut Vm, key: &Value) -> Result<i64> {
    if sequence::is_indexable(vm, key) {
        return sequence::index_number(vm, key);
    }
    let name = vm.type_name(key);
    Err(vm.type_error(format!("list indices must be integers or slices, not {name}")))
}

fn set_item(vm: &mut Vm, this: &Value, key: &Value, value: Option<&Value>) -> Result<()> {
    let list = list_of(this);
    if let Some(slice) = key.downcast::<Slice>() {
        return match value {
            Some(value) => set_slice(vm, list, slice, value),
            None => delete_slice(vm, list, slice),
        };
    }
    let index = item_index(vm, key)?;
    let Some(place) = sequence::place(index, list.get(vm).items.len()) else {
        return Err(vm.index_error("list assignment index out of range"));
    };
    let items = &mut list.get_mut(vm).items;
    let old = match value {
        Some(value) => std::mem::replace(&mut items[place], value.clone()),
        None => items.remove(place),
    };
    drop(old);
    Ok(())
}

fn set_slice(vm: &mut Vm, list: &Ref<List>, slice: &Ref<Slice>, value: &Value) -> Result<()> {
    let bounds = sequence::bounds(vm, slice)?;
    let span = bounds.within(list.get(vm).items.len());
    if span.step == 1 {
        let new = items_of(vm, value, "must assign iterable to extended slice")?;
        vm.charge(new.len() * 8)?;
        let old: Vec<Value> = vm.resize(list, |list| {
            let start = (span.start as usize).min(list.items.len());
            let stop = (span.stop as usize).clamp(start, list.items.len());
            list.items.splice(start..stop, new).collect()
        });
        release_backwards(old);
        return Ok(());
    }
    let new = items_of(vm, value, "must assign iterable to extended slice")?;
    let span = bounds.within(list.get(vm).items.len());
    if new.len() != span.count {
        let (given, wanted) = (new.len(), span.count);
        return Err(vm.value_error(format!("attempt to assign sequence of size {given} to extended slice of size {wanted}")));
    }
    let items = &mut list.get_mut(vm).items;
    let old: Vec<Value> = span.places().zip(new).map(|(place, value)| std::mem::replace(&mut items[place], value)).collect();
    drop(old);
    Ok(())
}

/// The items of an iterable; `TypeError` with this text when it is none.
fn items_of(vm: &mut Vm, value: &Value, message: &str) -> Result<Vec<Value>> {
    if !sequence::is_iterable(vm, value) {
        return Err(vm.type_error(message));
    }
    vm.collect(value)
}

fn delete_slice(vm: &mut Vm, list: &Ref<List>, slice: &Ref<Slice>) -> Result<()> {
    let span = sequence::span(vm, slice, |vm| list.get(vm).items.len())?;
    if span.count == 0 {
        return Ok(());
    }
    let items = &mut list.get_mut(vm).items;
    if span.step == 1 {
        let old: Vec<Value> = items.drain(span.range()).collect();
        release_backwards(old);
        return Ok(());
    }
    let (first, step) = if span.step > 0 {
        (span.start as usize, span.step as usize)
    } else {
        ((span.start + (span.count as i64 - 1) * span.step) as usize, span.step.unsigned_abs() as usize)
    };
    let last = first + (span.count - 1) * step;
    let mut index = 0;
    let mut old = Vec::with_capacity(span.count);
    let kept = std::mem::take(items);
    let mut rest = Vec::with_capacity(kept.len() - span.count);
    for item in kept {
        if (first..=last).contains(&index) && (index - first) % step == 0 {
            old.push(item);
        } else {
            rest.push(item);
        }
        index += 1;
    }
    vm.resize(list, |list| list.items = rest);
    drop(old);
    Ok(())
}

fn contains(vm: &mut Vm, this: &Value, value: &Value) -> Result<bool> {
    Ok(sequence::find(vm, this, value, 0, usize::MAX, item_at)?.is_some())
}

fn concat(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let (Some(left), Some(right)) = (left.downcast::<List>(), right.downcast::<List>()) else { return Ok(Value::NOT_IMPLEMENTED) };
    vm.charge((left.get(vm).items.len() + right.get(vm).items.len()) * 8)?;
    let count = left.get(vm).items.len() + right.get(vm).items.len();
    let items = vm.paced_items(count, |vm| pace::joined(&left.get(vm).items, &right.get(vm).items))?;
    Ok(vm.new_list(items))
}

fn repeat(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let (list, number) = match left.downcast::<List>() {
        Some(list) => (list, right),
        None => (list_of(right), left),
    };
    let Some(count) = sequence::repetitions(vm, number)? else { return Ok(Value::NOT_IMPLEMENTED) };
    let unit = cloned(vm, list)?;
    let items = sequence::repeated(vm, &unit, count)?;
    Ok(vm.new_list(items))
}

fn in_place_concat(vm: &mut Vm, this: &Value, other: &Value) -> Result<Value> {
    extend(vm, list_of(this), other)?;
    Ok(this.clone())
}

fn in_place_repeat(vm: &mut Vm, this: &Value, number: &Value) -> Result<Value> {
    let list = list_of(this);
    let Some(count) = sequence::repetitions(vm, number)? else { return Ok(Value::NOT_IMPLEMENTED) };
    if count == 1 {
        return Ok(this.clone());
    }
    let unit = cloned(vm, list)?;
    let items = sequence::repeated(vm, &unit, count)?;
    let old = vm.resize(list, |list| std::mem::replace(&mut list.items, items));
    release_backwards(old);
    Ok(this.clone())
}

/// Appends one item.
#[inline]
pub(crate) fn push(vm: &mut Vm, list: &Ref<List>, item: Value) -> Result<()> {
    let items = &list.get(vm).items;
    if items.len() == items.capacity() {
        reserve(vm, list, 1)?;
    }
    list.get_mut(vm).items.push(item);
    Ok(())
}

/// Makes room for so many more items, charged.
#[cold]
#[inline(never)]
pub(crate) fn reserve(vm: &mut Vm, list: &Ref<List>, more: usize) -> Result<()> {
    let items = &list.get(vm).items;
    if items.capacity() - items.len() >= more {
        return Ok(());
    }
    let more = more.max(items.len()).max(4);
    vm.charge(more.saturating_mul(8))?;
    vm.resize(list, |list| {
        list.items.reserve_exact(more);
        sequence::expect_use(&list.items);
    });
    Ok(())
}

fn append(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    push(vm, this(&args), args[1].clone())?;
    Ok(Value::NONE)
}

/// Appends what an iterable gives; what it gave before it raised stays.
pub(crate) fn extend(vm: &mut Vm, list: &Ref<List>, iterable: &Value) -> Result<()> {
    let known = match (iterable.downcast::<List>(), iterable.downcast::<Tuple>()) {
        (Some(other), _) if vm.is_exact(iterable, TypeId::List) => Some(cloned(vm, other)?),
        (_, Some(other)) if vm.is_exact(iterable, TypeId::Tuple) => Some(super::tuple_methods::cloned(vm, other)?),
        _ => None,
    };
    if let Some(items) = known {
        vm.charge(items.len() * 8)?;
        if list.get(vm).items.capacity() == 0 {
            vm.resize(list, |list| list.items = items);
        } else {
            reserve(vm, list, items.len())?;
            list.get_mut(vm).items.extend(items);
        }
        return Ok(());
    }
    let iterator = vm.iter(iterable)?;
    let hint = vm.length_hint(iterable, 8)?;
    // A hint beyond all lists is a lie that is passed over, as in CPython.
    let is_credible = hint.checked_add(list.get(vm).items.len()).is_some_and(|total| isize::try_from(total).is_ok());
    if hint > 8 && is_credible {
        vm.charge(hint.saturating_mul(8))?;
        // A hint is only believed as far as it costs little.
        reserve(vm, list, hint.min(1 << 20))?;
    }
    let mut count = 0_usize;
    while let Some(item) = vm.next(&iterator)? {
        push(vm, list, item)?;
        count += 1;
        if count.is_multiple_of(1024) {
            vm.poll_alone()?;
        }
    }
    Ok(())
}

fn extend_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    extend(vm, this(&args), &args[1])?;
    Ok(Value::NONE)
}

fn clear(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    release_backwards(vm.resize(this(&args), |list| std::mem::take(&mut list.items)));
    Ok(Value::NONE)
}

fn copy(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let list = this(&args);
    vm.charge(list.get(vm).items.len() * 8)?;
    let items = cloned(vm, list)?;
    Ok(vm.new_list(items))
}

/// The items as they are now.
pub(crate) fn cloned(vm: &mut Vm, list: &Ref<List>) -> Result<Vec<Value>> {
    let count = list.get(vm).items.len();
    vm.paced_items(count, |vm| pace::cloned(&list.get(vm).items))
}

fn count(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    sequence::count(vm, &args[0], &args[1], item_at)
}

fn index(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let list = this(&args);
    let (start, stop) = search_bounds(vm, &args, |vm| list.get(vm).items.len())?;
    match sequence::find(vm, &args[0], &args[1], start, stop, item_at)? {
        Some(place) => Ok(Value::small(place as i64)),
        None => {
            let wanted = vm.repr_text(&args[1])?;
            Err(vm.value_error(format!("{wanted} is not in list")))
        }
    }
}

/// The optional `start` and `stop` behind a value to search for.
pub(crate) fn search_bounds(vm: &mut Vm, args: &Args<'_>, len: impl Fn(&Vm) -> usize) -> Result<(usize, usize)> {
    let mut bounds = [0, i64::MAX];
    for (bound, place) in bounds.iter_mut().zip(2..) {
        if let Some(value) = args.given(place) {
            *bound = match value.as_small() {
                Some(small) => small,
                None if sequence::is_indexable(vm, value) => vm.index_clamped(value)?,
                None => return Err(vm.type_error("slice indices must be integers or have an __index__ method")),
            };
        }
    }
    let len = len(vm) as i64;
    let [start, stop] = bounds.map(|bound| if bound < 0 { (bound.saturating_add(len)).max(0) as usize } else { bound as usize });
    Ok((start, stop))
}

fn insert(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let index = vm.index_i64(&args[1])?;
    let list = this(&args);
    reserve(vm, list, 1)?;
    let items = &mut list.get_mut(vm).items;
    let len = items.len() as i64;
    let place = if index < 0 { (index + len).max(0) } else { index.min(len) };
    items.insert(place as usize, args[2].clone());
    Ok(Value::NONE)
}

fn pop(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let list = this(&args);
    let index = match args.given(1) {
        Some(index) => vm.index_i64(index)?,
        None => -1,
    };
    let len = list.get(vm).items.len();
    if len == 0 {
        return Err(vm.index_error("pop from empty list"));
    }
    let Some(place) = sequence::place(index, len) else { return Err(vm.index_error("pop index out of range")) };
    let items = &mut list.get_mut(vm).items;
    Ok(items.remove(place))
}

fn remove(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let list = this(&args);
    let found = sequence::find(vm, &args[0], &args[1], 0, usize::MAX, item_at)?;
    let Some(place) = found else { return Err(vm.value_error("list.remove(x): x not in list")) };
    let items = &mut list.get_mut(vm).items;
    // The comparison may have shortened the list.
    if place < items.len() {
        let old = items.remove(place);
        drop(old);
    }
    Ok(Value::NONE)
}

fn reverse(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    this(&args).get_mut(vm).items.reverse();
    Ok(Value::NONE)
}

fn size_of(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let list = this(&args).get(vm);
    Ok(Value::small((40 + list.items.capacity() * 8) as i64))
}

fn sort_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let reverse = match args.given(2) {
        Some(reverse) => vm.is_true(reverse)?,
        None => false,
    };
    sort(vm, this(&args), args.given_some(1), reverse)?;
    Ok(Value::NONE)
}

/// Sorts a list in place, stably. The list looks empty while it is sorted; `ValueError` when a script put something into it meanwhile.
pub(crate) fn sort(vm: &mut Vm, list: &Ref<List>, key: Option<&Value>, reverse: bool) -> Result<()> {
    let mut items = std::mem::take(&mut list.get_mut(vm).items);
    let outcome = sort_items(vm, &mut items, key, reverse);
    let own = &mut list.get_mut(vm).items;
    let modified = own.capacity() > 0;
    let strays = std::mem::replace(own, items);
    release_backwards(strays);
    outcome?;
    if modified { Err(vm.value_error("list modified during sort")) } else { Ok(()) }
}

/// Sorts values; whatever is raised, they stay complete.
pub(crate) fn sort_items(vm: &mut Vm, items: &mut Vec<Value>, key: Option<&Value>, reverse: bool) -> Result<()> {
    let Some(key) = key else {
        if items.len() < 2 {
            return Ok(());
        }
        if let Some(mut numbers) = all_small(items) {
            vm.charge(items.len() * 8)?;
            sort_numbers(vm, &mut numbers)?;
            if reverse {
                numbers.reverse();
            }
            // Equal small integers are the same word: writing them anew keeps every identity.
            for (item, number) in items.iter_mut().zip(numbers) {
                *item = Value::small(number);
            }
            return Ok(());
        }
        let order = sorted_order(vm, items, reverse);
        return arrange(items, order);
    };
    let mut keys = Vec::with_capacity(items.len());
    for item in items.iter() {
        keys.push(vm.call(key, std::slice::from_ref(item))?);
    }
    if items.len() < 2 {
        return Ok(());
    }
    let order = sorted_order(vm, &keys, reverse);
    let outcome = arrange(items, order);
    // What the keys' finalisers do to the list is to be noticed.
    drop(keys);
    vm.drain_if_dead();
    outcome
}

fn all_small(items: &[Value]) -> Option<Vec<i64>> {
    items.first()?.as_small()?;
    items.iter().map(Value::as_small).collect()
}

/// Numbers that are told apart only by their value need no stability.
fn sort_numbers(vm: &mut Vm, numbers: &mut [i64]) -> Result<()> {
    // About three milliseconds' work.
    if numbers.len() < 1 << 17 {
        vm.poll_after(numbers.len())?;
        numbers.sort_unstable();
        return Ok(());
    }
    if numbers.len() < 1 << 20 {
        // The smaller half before the larger one: in parts there is time to look up.
        let middle = numbers.len() / 2;
        let (smaller, _, larger) = numbers.select_nth_unstable(middle);
        sort_numbers(vm, smaller)?;
        return sort_numbers(vm, larger);
    }
    let mut steps = 0_u32;
    sort::sort(numbers, |a, b| {
        count_step(vm, &mut steps)?;
        Ok(a < b)
    })
}

#[inline]
fn count_step(vm: &mut Vm, steps: &mut u32) -> Result<()> {
    *steps += 1;
    if *steps & 0xffff == 0 { vm.poll_after(0x10000) } else { Ok(()) }
}

/// Puts the items into the given order, which is complete even when the sort was broken off.
fn arrange(items: &mut Vec<Value>, order: (Vec<u32>, Result<()>)) -> Result<()> {
    let (order, outcome) = order;
    let mut sorted = Vec::with_capacity(items.len());
    for place in order {
        sorted.push(std::mem::replace(&mut items[place as usize], Value::NONE));
    }
    *items = sorted;
    outcome
}

/// What all keys are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    Small,
    Float,
    Str,
    Tuple,
    Any,
}

fn kind_of(vm: &Vm, key: &Value) -> KeyKind {
    if key.as_small().is_some() {
        KeyKind::Small
    } else if key.word().is_float() || vm.is_exact(key, TypeId::Float) {
        KeyKind::Float
    } else if vm.is_exact(key, TypeId::Str) {
        KeyKind::Str
    } else if vm.is_exact(key, TypeId::Tuple) {
        KeyKind::Tuple
    } else {
        KeyKind::Any
    }
}

/// The indices of the keys in sorted order, and whether the sort was broken off.
fn sorted_order(vm: &mut Vm, keys: &[Value], reverse: bool) -> (Vec<u32>, Result<()>) {
    let count = keys.len() as u32;
    let mut order: Vec<u32> = if reverse { (0..count).rev().collect() } else { (0..count).collect() };
    let kind = kind_of(vm, &keys[0]);
    let kind = if keys.iter().all(|key| kind_of(vm, key) == kind) { kind } else { KeyKind::Any };
    let mut steps = 0;
    let outcome = match kind {
        KeyKind::Small => {
            let mut pairs: Vec<(i64, u32)> = order.iter().map(|&at| (keys[at as usize].as_small().expect("just checked"), at)).collect();
            let outcome = sort::sort(&mut pairs, |a, b| {
                count_step(vm, &mut steps)?;
                Ok(a.0 < b.0)
            });
            order = pairs.into_iter().map(|pair| pair.1).collect();
            outcome
        }
        KeyKind::Float => {
            let mut pairs = Vec::with_capacity(keys.len());
            for &at in &order {
                pairs.push((vm.float(&keys[at as usize]).unwrap_or(f64::NAN), at));
            }
            let outcome = sort::sort(&mut pairs, |a, b| {
                count_step(vm, &mut steps)?;
                Ok(a.0 < b.0)
            });
            order = pairs.into_iter().map(|pair| pair.1).collect();
            outcome
        }
        KeyKind::Str => {
            let ascii = keys.iter().all(|key| vm.text_of(key).is_some_and(|text| text.is_ascii()));
            let prefix = if ascii { ascii_prefix } else { wide_prefix };
            let mut pairs: Vec<(u64, u32)> = order.iter().map(|&at| (prefix(vm, &keys[at as usize]), at)).collect();
            let outcome = sort::sort(&mut pairs, |a, b| {
                count_step(vm, &mut steps)?;
                if a.0 != b.0 {
                    return Ok(a.0 < b.0);
                }
                let (a, b) = (keys[a.1 as usize].downcast::<Str>(), keys[b.1 as usize].downcast::<Str>());
                Ok(a.map(|key| &key.get(vm).text) < b.map(|key| &key.get(vm).text))
            });
            order = pairs.into_iter().map(|pair| pair.1).collect();
            outcome
        }
        KeyKind::Tuple => sort::sort(&mut order, |&a, &b| {
            let (a, b) = (&keys[a as usize], &keys[b as usize]);
            match first_decides(vm, a, b) {
                Some(answer) => {
                    count_step(vm, &mut steps)?;
                    Ok(answer)
                }
                None => vm.compare_bool(a, b, Comparison::Less),
            }
        }),
        KeyKind::Any => sort::sort(&mut order, |&a, &b| vm.compare_bool(&keys[a as usize], &keys[b as usize], Comparison::Less)),
    };
    if reverse {
        order.reverse();
    }
    (order, outcome)
}

/// The first eight characters of an ASCII string, packed so that packed words compare as the strings do where they differ.
fn ascii_prefix(vm: &Vm, key: &Value) -> u64 {
    let mut bytes = [0; 8];
    let ascii = vm.text_of(key).and_then(|text| text.as_ascii()).unwrap_or_default().as_bytes();
    let len = ascii.len().min(8);
    bytes[..len].copy_from_slice(&ascii[..len]);
    u64::from_be_bytes(bytes)
}

/// The same for any strings, of three code points.
fn wide_prefix(vm: &Vm, key: &Value) -> u64 {
    let Some(string) = key.downcast::<Str>() else { return 0 };
    let text = &string.get(vm).text;
    text.codes().chain([0; 3]).take(3).fold(0, |packed, code| packed << 21 | u64::from(code))
}

/// `a < b` for tuples whose first items are plain and different.
fn first_decides(vm: &Vm, a: &Value, b: &Value) -> Option<bool> {
    let (a, b) = (a.downcast::<Tuple>()?.get(vm).items().first()?, b.downcast::<Tuple>()?.get(vm).items().first()?);
    if let (Some(a), Some(b)) = (a.as_small(), b.as_small()) {
        return if a == b { None } else { Some(a < b) };
    }
    if let (Some(a), Some(b)) = (a.word().as_float(), b.word().as_float()) {
        return if a == b || a.is_nan() || b.is_nan() { None } else { Some(a < b) };
    }
    if vm.is_exact(a, TypeId::Str) && vm.is_exact(b, TypeId::Str) {
        let (a, b) = (&a.downcast::<Str>()?.get(vm).text, &b.downcast::<Str>()?.get(vm).text);
        return if a == b { None } else { Some(a < b) };
    }
    None
}
