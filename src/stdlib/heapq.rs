//! `_heapq`: priority queues in lists. Comparisons may change the list: each step looks at its length again.

use crate::code::instruction::Comparison;
use crate::object::native::{Args, NativeModule, native};
use crate::object::types::list::List;
use crate::object::value::{Ref, Value};
use crate::vm::{Result, Vm};

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "_heapq",
    doc: "Lists as heaps: the smallest item is always the first.",
    functions: &[
        native("heappush(heap, item, /)", push),
        native("heappop(heap, /)", |vm, args| pop(vm, &args, "heappop", false)),
        native("heapify(heap, /)", |vm, args| heapify(vm, &args, "heapify", false)),
        native("heapreplace(heap, item, /)", |vm, args| replace(vm, &args, "heapreplace", false)),
        native("heappushpop(heap, item, /)", push_pop),
        native("_heappop_max(heap, /)", |vm, args| pop(vm, &args, "_heappop_max", true)),
        native("_heapify_max(heap, /)", |vm, args| heapify(vm, &args, "_heapify_max", true)),
        native("_heapreplace_max(heap, item, /)", |vm, args| replace(vm, &args, "_heapreplace_max", true)),
    ],
    types: &[],
    init: None,
};

fn heap<'a>(vm: &mut Vm, args: &Args<'a>, name: &str) -> Result<&'a Ref<List>> {
    let value = &args.all()[0];
    match value.downcast::<List>() {
        Some(list) => Ok(list),
        None => {
            let class = vm.type_name(value);
            let argument = if args.len() > 1 { "argument 1" } else { "argument" };
            Err(vm.type_error(format!("{name}() {argument} must be list, not {class}")))
        }
    }
}

/// Whether `a` belongs above `b`.
#[inline]
fn before(vm: &mut Vm, a: &Value, b: &Value, max: bool) -> Result<bool> {
    let (a, b) = if max { (b, a) } else { (a, b) };
    if let (Some(a), Some(b)) = (a.as_small(), b.as_small()) {
        return Ok(a < b);
    }
    vm.compare_bool(a, b, Comparison::Less)
}

fn item(vm: &mut Vm, list: &Ref<List>, place: usize) -> Result<Value> {
    match list.get(vm).items.get(place) {
        Some(item) => Ok(item.clone()),
        None => Err(vm.index_error("index out of range")),
    }
}

fn check_size(vm: &mut Vm, list: &Ref<List>, size: usize) -> Result<()> {
    if list.get(vm).items.len() == size { Ok(()) } else { Err(vm.runtime_error("list changed size during iteration")) }
}

/// Moves the item at `place` up, not above `start`, until its parent belongs there.
fn sift_down(vm: &mut Vm, list: &Ref<List>, start: usize, mut place: usize, max: bool) -> Result<()> {
    let size = list.get(vm).items.len();
    if place >= size {
        return Err(vm.index_error("index out of range"));
    }
    while place > start {
        let parent = (place - 1) >> 1;
        let (new, above) = (item(vm, list, place)?, item(vm, list, parent)?);
        let higher = before(vm, &new, &above, max)?;
        check_size(vm, list, size)?;
        if !higher {
            break;
        }
        list.get_mut(vm).items.swap(parent, place);
        place = parent;
    }
    Ok(())
}

/// Moves the item at `place` down to a leaf by the smaller children, then up to where it belongs.
fn sift_up(vm: &mut Vm, list: &Ref<List>, start: usize, max: bool) -> Result<()> {
    let size = list.get(vm).items.len();
    if start >= size {
        return Err(vm.index_error("index out of range"));
    }
    let mut place = start;
    let limit = size >> 1;
    while place < limit {
        let mut child = 2 * place + 1;
        if child + 1 < size {
            let (left, right) = (item(vm, list, child)?, item(vm, list, child + 1)?);
            let left_first = before(vm, &left, &right, max)?;
            check_size(vm, list, size)?;
            if !left_first {
                child += 1;
            }
        }
        list.get_mut(vm).items.swap(place, child);
        place = child;
    }
    sift_down(vm, list, start, place, max)
}

fn push(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let list = heap(vm, &args, "heappush")?;
    crate::object::types::list_methods::push(vm, list, args[1].clone())?;
    let last = list.get(vm).items.len() - 1;
    sift_down(vm, list, 0, last, false)?;
    Ok(Value::NONE)
}

fn pop(vm: &mut Vm, args: &Args<'_>, name: &str, max: bool) -> Result<Value> {
    let list = heap(vm, args, name)?;
    let items = &mut list.get_mut(vm).items;
    let Some(last) = items.pop() else { return Err(vm.index_error("index out of range")) };
    if items.is_empty() {
        return Ok(last);
    }
    let top = std::mem::replace(&mut items[0], last);
    sift_up(vm, list, 0, max)?;
    Ok(top)
}

fn replace(vm: &mut Vm, args: &Args<'_>, name: &str, max: bool) -> Result<Value> {
    let list = heap(vm, args, name)?;
    let Some(first) = list.get_mut(vm).items.first_mut() else { return Err(vm.index_error("index out of range")) };
    let top = std::mem::replace(first, args[1].clone());
    sift_up(vm, list, 0, max)?;
    Ok(top)
}

fn push_pop(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let list = heap(vm, &args, "heappushpop")?;
    let Some(top) = list.get(vm).items.first().cloned() else { return Ok(args[1].clone()) };
    if !before(vm, &top, &args[1], false)? {
        return Ok(args[1].clone());
    }
    let Some(first) = list.get_mut(vm).items.first_mut() else { return Err(vm.index_error("index out of range")) };
    let top = std::mem::replace(first, args[1].clone());
    sift_up(vm, list, 0, false)?;
    Ok(top)
}

fn heapify(vm: &mut Vm, args: &Args<'_>, name: &str, max: bool) -> Result<Value> {
    let list = heap(vm, args, name)?;
    let size = list.get(vm).items.len();
    for place in (0..size / 2).rev() {
        sift_up(vm, list, place, max)?;
        if place % 1024 == 0 {
            vm.poll()?;
        }
    }
    Ok(Value::NONE)
}
