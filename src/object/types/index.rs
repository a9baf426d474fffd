//! What stands between square brackets, and the bounds of searches: turned into positions in a sequence of known length.

use crate::object::types::list::List;
use crate::object::types::slice::Slice;
use crate::object::types::tuple::Tuple;
use crate::object::value::Value;
use crate::vm::{Result, Vm};

/// A subscript, resolved for a sequence of some length.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subscript {
    /// An index, as given, counted from the end when negative: not yet checked against the length.
    At(i64),
    /// A slice.
    Span(Span),
}

/// The positions that a slice picks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// The first one; may be the length, or -1 for a negative step, when there are none.
    pub(crate) start: i64,
    /// The step, never zero.
    pub(crate) step: i64,
    /// How many there are.
    pub(crate) count: usize,
}

impl Span {
    /// The first position, for a slice that picks any.
    pub(crate) fn first(self) -> usize {
        self.start.max(0) as usize
    }
    /// The positions in order.
    pub(crate) fn positions(self) -> impl Iterator<Item = usize> {
        (0..self.count as i64).map(move |n| (self.start + n * self.step) as usize)
    }
}

/// The index as a position; `None` outside of the sequence.
pub(crate) fn position(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index + len as i64 } else { index };
    (0..len as i64).contains(&index).then_some(index as usize)
}

/// Whether the value can be an index (`__index__`).
pub(crate) fn is_index(vm: &mut Vm, value: &Value) -> bool {
    value.as_small().is_some() || vm.type_of(value).get(vm).slots.index.is_some()
}

/// The value of an index: `IndexError` when it does not fit a machine word.
pub(crate) fn index_value(vm: &mut Vm, key: &Value) -> Result<i64> {
    if let Some(index) = key.as_small() {
        return Ok(index);
    }
    let index = vm.index(key)?;
    match index.as_ref().to_i64() {
        Some(index) => Ok(index),
        None => {
            let name = vm.type_name(key);
            Err(vm.index_error(format!("cannot fit '{name}' into an index-sized integer")))
        }
    }
}

/// One of a slice's parts, or a bound of a search: `None` for `None`.
fn slice_index(vm: &mut Vm, value: &Value) -> Result<Option<i64>> {
    if value.is_none() || value.is_unbound() {
        return Ok(None);
    }
    if let Some(index) = value.as_small() {
        return Ok(Some(index));
    }
    if !is_index(vm, value) {
        return Err(vm.type_error("slice indices must be integers or None or have an __index__ method"));
    }
    let index = vm.index(value)?;
    // Kept away from the ends of the range so that adding a length cannot overflow.
    Ok(Some(index.as_ref().to_i64_saturating().clamp(-(1 << 62), 1 << 62)))
}

/// A slice's three numbers, before they meet a length; the step is not zero.
pub(crate) fn slice_parts(vm: &mut Vm, slice: &Value) -> Result<(Option<i64>, Option<i64>, i64)> {
    let slice = slice.downcast::<Slice>().expect("the caller looked");
    let (start, stop, step) = {
        let slice = slice.get(vm);
        (slice.start.clone(), slice.stop.clone(), slice.step.clone())
    };
    let step = slice_index(vm, &step)?.unwrap_or(1);
    if step == 0 {
        return Err(vm.value_error("slice step cannot be zero"));
    }
    let start = slice_index(vm, &start)?;
    let stop = slice_index(vm, &stop)?;
    Ok((start, stop, step))
}

/// What a slice with these numbers picks of a sequence of `len` items.
pub(crate) fn span(start: Option<i64>, stop: Option<i64>, step: i64, len: usize) -> Span {
    let len = len as i64;
    let (lowest, highest) = if step < 0 { (-1, len - 1) } else { (0, len) };
    let bound = |index: i64| if index < 0 { (index + len).max(lowest) } else { index.min(highest) };
    let start = start.map_or(if step < 0 { highest } else { lowest }, bound);
    let stop = stop.map_or(if step < 0 { lowest } else { highest }, bound);
    let count = if step < 0 {
        if stop < start { (start - stop - 1) / -step + 1 } else { 0 }
    } else if start < stop {
        (stop - start - 1) / step + 1
    } else {
        0
    };
    Span { start, step, count: count as usize }
}

/// A subscript: an index or a slice. `length` is asked after everything that may run script code; `wrong` words the `TypeError`
/// for what is neither, from the key's type name.
pub(crate) fn subscript(vm: &mut Vm, key: &Value, length: impl Fn(&Vm) -> usize, wrong: impl Fn(&str) -> String) -> Result<Subscript> {
    if let Some(index) = key.as_small() {
        return Ok(Subscript::At(index));
    }
    if key.holds::<Slice>() {
        let (start, stop, step) = slice_parts(vm, key)?;
        return Ok(Subscript::Span(span(start, stop, step, length(vm))));
    }
    if is_index(vm, key) {
        return Ok(Subscript::At(index_value(vm, key)?));
    }
    let name = vm.type_name(key);
    Err(vm.type_error(wrong(&name)))
}

/// The `start` and `end` arguments of `find` and its like, within `0..=len`; `None` when they leave no room even for nothing.
pub(crate) fn bounds(vm: &mut Vm, start: Option<&Value>, end: Option<&Value>, len: usize) -> Result<Option<(usize, usize)>> {
    let start = match start {
        Some(value) => slice_index(vm, value)?.unwrap_or(0),
        None => 0,
    };
    let end = match end {
        Some(value) => slice_index(vm, value)?.unwrap_or(i64::MAX),
        None => i64::MAX,
    };
    let len = len as i64;
    let end = if end < 0 { (end + len).max(0) } else { end.min(len) };
    let start = if start < 0 { (start + len).max(0) } else { start };
    Ok((start <= end).then_some((start as usize, end as usize)))
}

/// The items of an iterable; `None` for what is none.
pub(crate) fn iterable_items(vm: &mut Vm, value: &Value) -> Result<Option<Vec<Value>>> {
    if value.holds::<List>() || value.holds::<Tuple>() {
        return vm.collect(value).map(Some);
    }
    match vm.try_iter(value)? {
        Some(iterator) => vm.collect(&iterator).map(Some),
        None => Ok(None),
    }
}
