//! What sequences share: indices, slices, comparison, search and `repr`.

use std::ops::ControlFlow;

use smallvec::SmallVec;

use super::heap::{are_many, reference_count, release_many};
use super::layout::Payload;
use super::type_object::{CallArgs, Type, TypeSpec};
use super::types::TypeId;
use super::types::slice::Slice;
use super::types::tuple::Tuple;
use super::value::{Ref, Value};
use crate::code::instruction::Comparison;
use crate::object::types::exception::ExceptionKind;
use crate::os::memory;
use crate::text::{Text, TextBuilder};
use crate::vm::{Result, Vm};

/// A slice's three numbers before the length is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    start: i64,
    stop: i64,
    step: i64,
}

/// The places a slice names in a sequence of a known length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// The first place; may be -1 or the length when there is none.
    pub(crate) start: i64,
    /// Where it ends, as [`Bounds::within`] clamped it.
    pub(crate) stop: i64,
    pub(crate) step: i64,
    /// How many places.
    pub(crate) count: usize,
}

impl Span {
    /// The places in order.
    pub(crate) fn places(self) -> impl ExactSizeIterator<Item = usize> {
        (0..self.count).map(move |n| (self.start + n as i64 * self.step) as usize)
    }

    /// The places as a plain range, when the step is 1.
    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..(self.start + self.count as i64) as usize
    }
}

impl Bounds {
    /// The places in a sequence of `len` items.
    pub(crate) fn within(self, len: usize) -> Span {
        let len = len as i64;
        let clamp = |at: i64| {
            if at < 0 {
                let at = at.saturating_add(len);
                if at < 0 { if self.step < 0 { -1 } else { 0 } } else { at }
            } else if at >= len {
                if self.step < 0 { len - 1 } else { len }
            } else {
                at
            }
        };
        let (start, stop) = (clamp(self.start), clamp(self.stop));
        let count = if self.step < 0 {
            if stop < start { (start - stop - 1) / -self.step + 1 } else { 0 }
        } else if start < stop {
            (stop - start - 1) / self.step + 1
        } else {
            0
        };
        Span { start, stop, step: self.step, count: count as usize }
    }
}

/// Reads a slice's numbers; may run `__index__` methods.
pub(crate) fn bounds(vm: &mut Vm, slice: &Ref<Slice>) -> Result<Bounds> {
    let parts = slice.get(vm);
    let (start, stop, step) = (parts.start.clone(), parts.stop.clone(), parts.step.clone());
    let step = match slice_number(vm, &step)? {
        None => 1,
        Some(0) => return Err(vm.value_error("slice step cannot be zero")),
        Some(step) => step.max(-i64::MAX),
    };
    let start = slice_number(vm, &start)?.unwrap_or(if step < 0 { i64::MAX } else { 0 });
    let stop = slice_number(vm, &stop)?.unwrap_or(if step < 0 { i64::MIN } else { i64::MAX });
    Ok(Bounds { start, stop, step })
}

fn slice_number(vm: &mut Vm, value: &Value) -> Result<Option<i64>> {
    if let Some(small) = value.as_small() {
        return Ok(Some(small));
    }
    if value.is_none() {
        return Ok(None);
    }
    slice_index(vm, value).map(Some)
}

/// A number as slices take it: clamped. Raises `TypeError` for what has no `__index__`.
pub(crate) fn slice_index(vm: &mut Vm, value: &Value) -> Result<i64> {
    if is_indexable(vm, value) {
        return vm.index_clamped(value);
    }
    Err(vm.type_error("slice indices must be integers or None or have an __index__ method"))
}

/// The places that `slice` names among `len` items.
pub(crate) fn span(vm: &mut Vm, slice: &Ref<Slice>, len: impl FnOnce(&Vm) -> usize) -> Result<Span> {
    let bounds = bounds(vm, slice)?;
    let len = len(vm);
    Ok(bounds.within(len))
}

/// Whether it is an integer or has `__index__`.
pub(crate) fn is_indexable(vm: &Vm, value: &Value) -> bool {
    value.as_small().is_some() || vm.type_of(value).get(vm).slots.index.is_some()
}

/// An index of a sequence; `IndexError` when it needs more than 64 bits.
pub(crate) fn index_number(vm: &mut Vm, value: &Value) -> Result<i64> {
    if let Some(small) = value.as_small() {
        return Ok(small);
    }
    vm.index_i64(value).map_err(|raised| {
        if vm.clear_if(ExceptionKind::OverflowError) {
            let name = vm.type_name(value);
            return vm.index_error(format!("cannot fit '{name}' into an index-sized integer"));
        }
        raised
    })
}

/// The place of an index that may count from the end.
#[inline]
pub(crate) fn place(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index + len as i64 } else { index };
    if (0..len as i64).contains(&index) { Some(index as usize) } else { None }
}

/// How often to repeat a sequence: negative numbers mean never. `None`: this operand is no number.
pub(crate) fn repetitions(vm: &mut Vm, value: &Value) -> Result<Option<usize>> {
    if let Some(small) = value.as_small() {
        return Ok(Some(small.max(0) as usize));
    }
    if !is_indexable(vm, value) {
        return Ok(None);
    }
    match vm.index_i64(value) {
        Ok(count) => Ok(Some(count.max(0) as usize)),
        Err(raised) => {
            if vm.clear_if(ExceptionKind::OverflowError) {
                let name = vm.type_name(value);
                return Err(vm.overflow_error(format!("cannot fit '{name}' into an index-sized integer")));
            }
            Err(raised)
        }
    }
}

/// How many items are written between two checks.
const PIECE: usize = 1 << 18;

/// Appends `count` copies in all of `unit` to an empty vector, charged.
pub(crate) fn repeated(vm: &mut Vm, unit: &[Value], count: usize) -> Result<Vec<Value>> {
    let Some(total) = unit.len().checked_mul(count).filter(|&total| total <= isize::MAX as usize / 8) else {
        return Err(vm.memory_error());
    };
    vm.charge(total * 8)?;
    let mut items = vm.room_for(total)?;
    expect_use(&items);
    // In pieces: what is repeated a hundred million times takes a while.
    if let [item] = unit {
        while items.len() < total {
            if items.len() >= PIECE {
                vm.poll()?;
            }
            items.resize(total.min(items.len() + PIECE), item.clone());
        }
    } else {
        for index in 0..count {
            items.extend_from_slice(unit);
            if index % PIECE == PIECE - 1 {
                vm.poll()?;
            }
        }
    }
    Ok(items)
}

/// To be called when a vector of items has grown: one that is large will be used all over.
#[inline]
pub(crate) fn expect_use(items: &Vec<Value>) {
    let bytes = items.capacity() * size_of::<Value>();
    if bytes >= memory::LARGE {
        memory::expect_use(items.as_ptr().cast(), bytes);
    }
}

/// Compares two sequences item by item. `pair` gives both items at an index, `None` where one has ended; `lens` gives both lengths.
pub(crate) fn compare(
    vm: &mut Vm,
    operation: Comparison,
    lens: impl Fn(&Vm) -> (usize, usize),
    pair: impl Fn(&Vm, usize) -> Option<(Value, Value)>,
) -> Result<Value> {
    let (left, right) = lens(vm);
    if left != right && matches!(operation, Comparison::Equal | Comparison::NotEqual) {
        return Ok(Value::from_bool(operation == Comparison::NotEqual));
    }
    vm.enter_native()?;
    let mut index = 0;
    while let Some((left, right)) = pair(vm, index) {
        if left.is(&right) || vm.equal(&left, &right)? {
            index += 1;
            vm.poll_after(1)?;
            continue;
        }
        // The comparison may have taken items away.
        let Some((left, right)) = pair(vm, index) else { break };
        return match operation {
            Comparison::Equal => Ok(Value::FALSE),
            Comparison::NotEqual => Ok(Value::TRUE),
            _ => vm.compare(&left, &right, operation),
        };
    }
    let (left, right) = lens(vm);
    Ok(Value::from_bool(holds(operation, left.cmp(&right))))
}

/// Whether a comparison is true of two things in this order.
pub(crate) fn holds(operation: Comparison, order: std::cmp::Ordering) -> bool {
    match operation {
        Comparison::Less => order.is_lt(),
        Comparison::LessEqual => order.is_le(),
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterEqual => order.is_ge(),
        Comparison::Is | Comparison::IsNot | Comparison::In | Comparison::NotIn => false,
    }
}

/// The item of a sequence at a place; `None` behind its end.
pub(crate) type ItemFn = for<'a> fn(&'a Vm, &'a Value, usize) -> Option<&'a Value>;

/// The first place from `start` on, before `stop`, whose item equals `wanted`.
pub(crate) fn find(vm: &mut Vm, sequence: &Value, wanted: &Value, start: usize, stop: usize, at: ItemFn) -> Result<Option<usize>> {
    let small = wanted.as_small().is_some();
    let mut index = start;
    while index < stop {
        let Some(item) = at(vm, sequence, index) else { break };
        if item.is(wanted) {
            return Ok(Some(index));
        }
        if !(small && item.as_small().is_some()) {
            let item = item.clone();
            if vm.equal(&item, wanted)? {
                return Ok(Some(index));
            }
        }
        index += 1;
        if index & 0xffff == 0 {
            vm.poll()?;
        }
    }
    Ok(None)
}

/// How many items equal `wanted`.
pub(crate) fn count(vm: &mut Vm, sequence: &Value, wanted: &Value, at: ItemFn) -> Result<Value> {
    let mut total = 0;
    let mut next = 0;
    while let Some(found) = find(vm, sequence, wanted, next, usize::MAX, at)? {
        total += 1;
        next = found + 1;
    }
    Ok(Value::small(total))
}

/// `open item, item close`, where `at` gives the items and `None` at the end; `again` when it is being printed already.
pub(crate) fn repr(vm: &mut Vm, owner: &Value, open: &str, close: &str, again: &str, at: impl Fn(&Vm, usize) -> Option<Value>) -> Result<Value> {
    if at(vm, 0).is_none() {
        return Ok(vm.new_str(format!("{open}{close}")));
    }
    if !vm.enter_repr(owner)? {
        return Ok(vm.new_str(again));
    }
    let result = repr_items(vm, open, close, at);
    vm.leave_repr(owner);
    result
}

fn repr_items(vm: &mut Vm, open: &str, close: &str, at: impl Fn(&Vm, usize) -> Option<Value>) -> Result<Value> {
    vm.enter_native()?;
    let mut text = TextBuilder::default();
    text.push_str(open);
    let mut index = 0;
    while let Some(item) = at(vm, index) {
        if index > 0 {
            text.push_str(", ");
        }
        let item = vm.repr_text(&item)?;
        push(vm, &mut text, &item)?;
        index += 1;
        vm.poll_after(1)?;
    }
    text.push_str(close);
    Ok(vm.new_str(text.finish()))
}

/// Appends to a text that grows; a `MemoryError` where there is no room.
fn push(vm: &mut Vm, text: &mut TextBuilder, more: &Text) -> Result<()> {
    if more.len() > 1 << 16 || text.len() > 1 << 16 {
        // The buffer doubles, and becomes a text of its own size.
        vm.check_room(text.len() * 3 + more.len() * 2)?;
        if text.try_reserve(more.len()).is_err() {
            return Err(vm.memory_error());
        }
    }
    text.push_text(more);
    Ok(())
}

/// An object of a type that has no fixed place among the built-in ones.
pub(crate) fn make<T: Payload>(vm: &mut Vm, spec: &'static TypeSpec, payload: T) -> Value {
    let class = vm.native_type(spec);
    vm.alloc_for(&class, payload).into_value()
}

/// A tuple of these items for an iterator to give: the one it gave first, filled again, when nobody else has it. The second result is what
/// the iterator keeps.
#[inline]
pub(crate) fn refilled(vm: &mut Vm, kept: Option<Value>, items: SmallVec<[Value; 3]>) -> (Value, Option<Value>) {
    match kept {
        None => {
            let tuple = vm.new_tuple(items);
            (tuple.clone(), Some(tuple))
        }
        Some(kept) => {
            if reference_count(&kept) == 1 {
                if let Some(tuple) = kept.downcast::<Tuple>() {
                    let old = std::mem::replace(tuple.get_mut(vm).items_mut(), items);
                    drop(old);
                    return (kept.clone(), Some(kept));
                }
            }
            (vm.new_tuple(items), Some(kept))
        }
    }
}

/// Whether `iter(value)` has something to call.
pub(crate) fn is_iterable(vm: &mut Vm, value: &Value) -> bool {
    let slots = &vm.type_payload(value).slots;
    slots.iter.is_some() || slots.get_item.is_some()
}

/// An integer as an exact `int`: what `__index__` says, without the subclass.
pub(crate) fn exact_int(vm: &mut Vm, value: &Value) -> Result<Value> {
    if value.as_small().is_some() {
        return Ok(value.clone());
    }
    let number = vm.index(value)?;
    Ok(vm.new_big(number))
}

/// A function of the `builtins` module, for `__reduce__`.
pub(crate) fn builtin_function(vm: &mut Vm, name: &str) -> Result<Value> {
    let builtins = vm.state().builtins.clone();
    match vm.dict_get_str(&builtins, name)? {
        Some(function) => Ok(function),
        None => Err(vm.raise(ExceptionKind::AttributeError, format!("module 'builtins' has no attribute '{name}'"))),
    }
}

/// `__iter__` of an iterator.
pub(crate) fn iter_self(_: &mut Vm, this: &Value) -> Result<Value> {
    Ok(this.clone())
}

/// Drops items from the last to the first, as lists and tuples let go of theirs.
#[inline]
pub(crate) fn release_backwards(mut items: Vec<Value>) {
    if are_many(items.len()) {
        return release_many(items, true);
    }
    while items.pop().is_some() {}
}

/// Whether instances of the object's class are made by the built-in type's own `__new__`: then its `__init__` refuses named arguments.
pub(crate) fn uses_own_new(vm: &Vm, object: &Value, kind: TypeId) -> bool {
    let own = vm.builtin(kind).get(vm).slots.new;
    matches!((vm.type_payload(object).slots.new, own), (Some(new), Some(own)) if std::ptr::fn_addr_eq(new, own))
}

/// Whether the class does not initialise its instances as the built-in type `base` does: then that type's `__new__` leaves named arguments to `__init__`.
pub(crate) fn has_own_init(vm: &Vm, class: &Ref<Type>, base: &Ref<Type>) -> bool {
    match (class.get(vm).slots.init, base.get(vm).slots.init) {
        (Some(init), Some(of_base)) => !std::ptr::fn_addr_eq(init, of_base),
        (init, _) => init.is_some(),
    }
}

/// The arguments for a built-in type's `__new__` that takes no named ones: these are left to a subclass's own `__init__`, or refused.
pub(crate) fn names_for_init<'a>(vm: &mut Vm, class: &Ref<Type>, name: &str, args: CallArgs<'a>) -> Result<CallArgs<'a>> {
    let is_own = args.names.is_empty() || {
        let base = class.get(vm).mro.iter().find(|base| base.get(vm).spec.is_some());
        base.is_some_and(|base| has_own_init(vm, class, base))
    };
    if is_own { Ok(CallArgs::positional(args.unnamed())) } else { no_names(vm, name, args).map(|()| args) }
}

/// Raises `TypeError` when there are named arguments.
pub(crate) fn no_names(vm: &mut Vm, name: &str, args: CallArgs<'_>) -> Result<()> {
    if args.names.is_empty() { Ok(()) } else { Err(vm.type_error(format!("{name}() takes no keyword arguments"))) }
}

/// Raises `TypeError` unless the number of positional arguments is between `least` and `most`.
pub(crate) fn positional(vm: &mut Vm, name: &str, args: CallArgs<'_>, least: usize, most: usize) -> Result<()> {
    let given = args.unnamed().len();
    if (least..=most).contains(&given) {
        return Ok(());
    }
    let (word, limit) = if given < least { ("at least ", least) } else { ("at most ", most) };
    let word = if least == most { "" } else { word };
    let plural = if limit == 1 { "" } else { "s" };
    Err(vm.type_error(format!("{name} expected {word}{limit} argument{plural}, got {given}")))
}

/// Calls `each` with every item of an iterable, in a way that sees items appear and vanish meanwhile.
pub(crate) fn for_each(vm: &mut Vm, iterable: &Value, mut each: impl FnMut(&mut Vm, Value) -> Result<()>) -> Result<()> {
    vm.iterate(iterable, |vm, item| {
        each(vm, item)?;
        Ok(ControlFlow::Continue(()))
    })
}

/// The text of a string.
pub(crate) fn text(vm: &Vm, value: &Value) -> Option<Text> {
    value.downcast::<super::types::str::Str>().map(|string| string.get(vm).text.clone())
}
