//! What pickles and copies of `itertools`' iterators are made of: `__reduce__` and `__setstate__`, which CPython 3.13 has for the last time and says so.

use super::itertools::{Itertool, TEE_BLOCK, of};
use crate::object::native::{Args, Native, native};
use crate::object::sequence;
use crate::object::types::list::List;
use crate::object::types::tuple::Tuple;
use crate::object::value::Value;
use crate::vm::{Result, Vm};

/// For types whose iterators are made anew from their arguments.
pub(super) const REDUCE: Native = native("__reduce__(self, /)", reduce);
/// For types that have a state beside.
pub(super) const SET_STATE: Native = native("__setstate__(self, object, /)", set_state);

fn warn(vm: &mut Vm) -> Result<()> {
    vm.warn(crate::vm::ExceptionKind::DeprecationWarning, "Pickle, copy, and deepcopy support will be removed from itertools in Python 3.14.")
}

fn empty_iterator(vm: &mut Vm) -> Result<Value> {
    let empty = vm.new_list(Vec::new());
    vm.iter(&empty)
}

fn numbers(vm: &Vm, numbers: &[usize]) -> Value {
    vm.new_tuple(numbers.iter().map(|&number| Value::small(number as i64)).collect::<Vec<_>>())
}

/// A class of the module by name.
fn named(vm: &mut Vm, name: &str) -> Result<Value> {
    let module = vm.import("itertools")?;
    vm.get_attr_str(&module, name)
}

/// Class, arguments and perhaps a state.
fn reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let this = &args[0];
    warn(vm)?;
    let class = vm.type_of(this).into_value();
    // The payload is taken apart into owned values, since what follows may run scripts.
    let (arguments, state): (Vec<Value>, Option<Value>) = match of(this).get(vm) {
        Itertool::Accumulate { iterator, function, total, initial } => {
            let (iterator, function, total, initial) = (iterator.clone(), function.clone(), total.clone(), initial.clone());
            let before = initial.clone().or_else(|| total.clone().filter(Value::is_none));
            if let Some(before) = before {
                let before = vm.new_tuple(vec![before]);
                let chain = named(vm, "chain")?;
                let whole = vm.call(&chain, &[before, iterator])?;
                if initial.is_some() {
                    (vec![whole, function], Some(Value::NONE))
                } else {
                    let again = vm.call(&class, &[whole, function])?;
                    let islice = named(vm, "islice")?;
                    let parts = vm.new_tuple(vec![again, Value::small(1), Value::NONE]);
                    return Ok(vm.new_tuple(vec![islice, parts]));
                }
            } else {
                (vec![iterator, function], Some(total.unwrap_or(Value::NONE)))
            }
        }
        Itertool::Chain { source, active } => {
            let state: Vec<Value> = source.iter().chain(active).cloned().collect();
            let state = (source.is_some()).then_some(state);
            (Vec::new(), state.map(|state| vm.new_tuple(state)))
        }
        Itertool::Combinations { pool, indices, started, stopped, r, .. } => {
            let (pool, indices, r, is_over, has_state) = (pool.clone(), indices.clone(), vm.new_int(*r as i64), *started && *stopped, *started);
            if is_over {
                (vec![vm.empty_tuple(), r], None)
            } else {
                let pool = vm.new_tuple(pool);
                (vec![pool, r], has_state.then(|| numbers(vm, &indices)))
            }
        }
        Itertool::Permutations { pool, indices, cycles, started, stopped, r } => {
            let (pool, indices, cycles) = (pool.clone(), indices.clone(), cycles.clone());
            let (r, is_over, has_state) = (vm.new_int(*r as i64), *started && *stopped, *started);
            if is_over {
                (vec![vm.empty_tuple(), r], None)
            } else {
                let pool = vm.new_tuple(pool);
                let state = has_state.then(|| {
                    let parts = vec![numbers(vm, &indices), numbers(vm, &cycles)];
                    vm.new_tuple(parts)
                });
                (vec![pool, r], state)
            }
        }
        Itertool::Product { pools, indices, started, stopped } => {
            let (pools, indices, started, stopped, over) = (pools.clone(), indices.clone(), *started, *stopped, *started && *stopped);
            let is_over = over || stopped && indices.is_empty() && started;
            if is_over {
                (vec![vm.empty_tuple()], None)
            } else {
                let pools = pools.into_iter().map(|pool| vm.new_tuple(pool)).collect::<Vec<_>>();
                (pools, started.then(|| numbers(vm, &indices)))
            }
        }
        Itertool::Compress { data, selectors } => (vec![data.clone(), selectors.clone()], None),
        Itertool::Count { next, step } => {
            let is_plain = step.as_small() == Some(1) && vm.is_int(next);
            (if is_plain { vec![next.clone()] } else { vec![next.clone(), step.clone()] }, None)
        }
        Itertool::Cycle { iterator, saved, index, first_pass } => {
            let (iterator, saved, index, first_pass) = (iterator.clone(), saved.clone(), *index, *first_pass);
            let (iterator, is_again) = match iterator {
                Some(iterator) => (iterator, first_pass),
                None => {
                    let iterator = vm.iter(&saved)?;
                    if index > 0 {
                        vm.call_method(&iterator, "__setstate__", &[Value::small(index as i64)])?;
                    }
                    (iterator, true)
                }
            };
            (vec![iterator], Some(vm.new_tuple(vec![saved, Value::from_bool(is_again)])))
        }
        Itertool::DropWhile { predicate, iterator, started } => (vec![predicate.clone(), iterator.clone()], Some(Value::small(i64::from(*started)))),
        Itertool::TakeWhile { predicate, iterator, stopped } => (vec![predicate.clone(), iterator.clone()], Some(Value::small(i64::from(*stopped)))),
        Itertool::FilterFalse { predicate, iterator } => (vec![predicate.clone(), iterator.clone()], None),
        Itertool::StarMap { function, iterator } => (vec![function.clone(), iterator.clone()], None),
        Itertool::GroupBy { iterator, key, target, current_key, current, .. } => {
            let state = match (current, target, current_key) {
                (Some(current), Some(target), Some(key)) => Some(vec![key.clone(), current.clone(), target.clone()]),
                _ => None,
            };
            (vec![iterator.clone(), key.clone()], state.map(|state| vm.new_tuple(state)))
        }
        Itertool::Grouper { parent, target, group } => {
            let (parent, target, own) = (parent.clone(), target.clone(), *group);
            let is_current = matches!(of(&parent).get(vm), Itertool::GroupBy { group, .. } if *group == own);
            if !is_current {
                let builtins = vm.import("builtins")?;
                let iter = vm.get_attr_str(&builtins, "iter")?;
                let nothing = vm.new_tuple(vec![vm.empty_tuple()]);
                return Ok(vm.new_tuple(vec![iter, nothing]));
            }
            (vec![parent, target], None)
        }
        Itertool::Islice { iterator, next, stop, step, seen } => {
            let (iterator, next, step, seen) = (iterator.clone(), *next as i64, *step as i64, *seen as i64);
            let stop = stop.map_or(Value::NONE, |stop| vm.new_int(stop as i64));
            match iterator {
                Some(iterator) => (vec![iterator, vm.new_int(next), stop, vm.new_int(step)], Some(vm.new_int(seen))),
                None => (vec![empty_iterator(vm)?, Value::small(0)], Some(Value::small(0))),
            }
        }
        Itertool::Repeat { value, left } => {
            let mut parts = vec![value.clone()];
            parts.extend(left.map(Value::small));
            (parts, None)
        }
        Itertool::Tee { block, index } => {
            let state = vec![block.clone(), Value::small(*index as i64)];
            (vec![vm.empty_tuple()], Some(vm.new_tuple(state)))
        }
        Itertool::TeeBlock { iterator, values, next, .. } => {
            let (iterator, values, next) = (iterator.clone(), values.clone(), next.clone());
            (vec![iterator, vm.new_list(values), next.unwrap_or(Value::NONE)], None)
        }
        Itertool::ZipLongest { iterators, fill, .. } => {
            let fill = fill.clone();
            let parts = iterators.iter().map(|iterator| iterator.clone().unwrap_or_else(|| vm.empty_tuple())).collect();
            (parts, Some(fill))
        }
        Itertool::Batched { .. } | Itertool::Pairwise { .. } | Itertool::Cleared => (Vec::new(), None),
    };
    let arguments = vm.new_tuple(arguments);
    let mut parts = vec![class, arguments];
    parts.extend(state);
    Ok(vm.new_tuple(parts))
}

/// The items of a state that has to be a tuple of so many.
fn parts(vm: &mut Vm, state: &Value, least: usize, most: usize) -> Result<Vec<Value>> {
    if !state.holds::<Tuple>() {
        return Err(vm.type_error("state is not a tuple"));
    }
    let items = vm.tuple_items(state);
    if (least..=most).contains(&items.len()) {
        return Ok(items);
    }
    let bound = match items.len() < least {
        _ if least == most => "exactly",
        true => "at least",
        false => "at most",
    };
    let limit = if items.len() < least { least } else { most };
    let plural = if limit == 1 { "" } else { "s" };
    Err(vm.type_error(format!("function takes {bound} {limit} argument{plural} ({} given)", items.len())))
}

fn integer(vm: &mut Vm, value: &Value) -> Result<i64> {
    if vm.is_int(value) { vm.index_i64(value) } else { Err(vm.type_error("an integer is required")) }
}

/// The indices of a state, each brought into its range.
fn indices(vm: &mut Vm, state: &Value, count: usize, highest: impl Fn(usize) -> i64) -> Result<Vec<usize>> {
    let items = if state.holds::<Tuple>() { vm.tuple_items(state) } else { Vec::new() };
    if !state.holds::<Tuple>() || items.len() != count {
        return Err(vm.value_error("invalid arguments"));
    }
    let mut found = Vec::with_capacity(count);
    for (place, item) in items.iter().enumerate() {
        found.push(integer(vm, item)?.min(highest(place)).max(0) as usize);
    }
    Ok(found)
}

fn wrong_part(vm: &mut Vm, place: usize, wanted: &str, given: &Value) -> crate::vm::Raised {
    let message = format!("argument {place} must be {wanted}, not {}", vm.type_name(given));
    vm.type_error(message)
}

fn set_state(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (this, state) = (&args[0], &args[1]);
    warn(vm)?;
    match of(this).get(vm) {
        Itertool::Accumulate { .. } => {
            if let Itertool::Accumulate { total, .. } = of(this).get_mut(vm) {
                let old = total.replace(state.clone());
                drop(old);
            }
        }
        Itertool::Chain { .. } => {
            let items = parts(vm, state, 1, 2)?;
            if items.iter().any(|item| vm.type_payload(item).slots.next.is_none()) {
                return Err(vm.type_error("Arguments must be iterators."));
            }
            if let Itertool::Chain { source, active } = of(this).get_mut(vm) {
                let old = (source.replace(items[0].clone()), std::mem::replace(active, items.get(1).cloned()));
                drop(old);
            }
        }
        Itertool::Combinations { pool, r, replacement, .. } => {
            let (n, r, replacement) = (pool.len() as i64, *r, *replacement);
            let fresh = indices(vm, state, r, |place| if replacement { n - 1 } else { place as i64 + n - r as i64 })?;
            if let Itertool::Combinations { indices, started, stopped, .. } = of(this).get_mut(vm) {
                if !*stopped {
                    *indices = fresh;
                }
                *started = true;
            }
        }
        Itertool::Permutations { pool, r, .. } => {
            let (n, r) = (pool.len(), *r);
            let items = parts(vm, state, 2, 2)?;
            for (place, item) in items.iter().enumerate() {
                if !item.holds::<Tuple>() {
                    return Err(wrong_part(vm, place + 1, "tuple", item));
                }
            }
            let places = indices(vm, &items[0], n, |_| n as i64 - 1)?;
            let turns = indices(vm, &items[1], r, |place| n as i64 - place as i64)?;
            if let Itertool::Permutations { indices, cycles, started, stopped, .. } = of(this).get_mut(vm) {
                if !*stopped {
                    *indices = places;
                    *cycles = turns.into_iter().map(|turn| turn.max(1)).collect();
                }
                *started = true;
            }
        }
        Itertool::Product { pools, .. } => {
            let sizes: Vec<usize> = pools.iter().map(Vec::len).collect();
            let fresh = indices(vm, state, sizes.len(), |place| sizes[place] as i64 - 1)?;
            if let Itertool::Product { indices, started, stopped, .. } = of(this).get_mut(vm) {
                *stopped |= sizes.contains(&0);
                *indices = fresh;
                *started = true;
            }
        }
        Itertool::Cycle { .. } => {
            let items = parts(vm, state, 2, 2)?;
            if !items[0].holds::<List>() {
                return Err(wrong_part(vm, 1, "list", &items[0]));
            }
            let values = items[0].clone();
            let is_again = integer(vm, &items[1])? != 0;
            if let Itertool::Cycle { saved, index, first_pass, .. } = of(this).get_mut(vm) {
                let old = std::mem::replace(saved, values);
                (*index, *first_pass) = (0, is_again);
                drop(old);
            }
        }
        Itertool::DropWhile { .. } | Itertool::TakeWhile { .. } => {
            let flag = vm.is_true(state)?;
            match of(this).get_mut(vm) {
                Itertool::DropWhile { started, .. } => *started = flag,
                Itertool::TakeWhile { stopped, .. } => *stopped = flag,
                _ => {}
            }
        }
        Itertool::GroupBy { .. } => {
            let items = parts(vm, state, 3, 3)?;
            if let Itertool::GroupBy { current, target, current_key, .. } = of(this).get_mut(vm) {
                let old = (current_key.replace(items[0].clone()), current.replace(items[1].clone()), target.replace(items[2].clone()));
                drop(old);
            }
        }
        Itertool::Islice { .. } => {
            let count = integer(vm, state)?;
            if let Itertool::Islice { seen, .. } = of(this).get_mut(vm) {
                *seen = count.max(0) as usize;
            }
        }
        Itertool::Tee { .. } => {
            let items = parts(vm, state, 2, 2)?;
            let class = vm.native_type(&TEE_BLOCK);
            if !vm.is_instance(&items[0], &class) {
                return Err(wrong_part(vm, 1, "itertools._tee_dataobject", &items[0]));
            }
            let place = integer(vm, &items[1])?;
            if !(0..=57).contains(&place) {
                return Err(vm.value_error("Index out of range"));
            }
            if let Itertool::Tee { block, index } = of(this).get_mut(vm) {
                let old = std::mem::replace(block, items[0].clone());
                *index = place as usize;
                drop(old);
            }
        }
        Itertool::ZipLongest { .. } => {
            if let Itertool::ZipLongest { fill, .. } = of(this).get_mut(vm) {
                let old = std::mem::replace(fill, state.clone());
                drop(old);
            }
        }
        _ => {}
    }
    Ok(Value::NONE)
}

/// `_tee_dataobject(iterable, values, next)`: what a pickle of a `tee` makes its blocks by.
pub(super) fn new_tee_block(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let Some(list) = args[2].downcast::<List>() else {
        let message = format!("_tee_dataobject() argument 2 must be list, not {}", vm.argument_kind(&args[2]));
        return Err(vm.type_error(message));
    };
    let values = list.get(vm).items.clone();
    if values.len() > 57 {
        return Err(vm.value_error("Invalid arguments"));
    }
    let iterator = vm.iter(&args[1])?;
    let next = Some(args[3].clone()).filter(|next| !next.is_none());
    Ok(sequence::make(vm, &TEE_BLOCK, Itertool::TeeBlock { iterator, values, next, running: false }))
}

/// `_grouper(parent, key)`: the group that a pickle was made of.
pub(super) fn new_grouper(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let parent = args[1].clone();
    let group = match parent.downcast::<Itertool>().map(|parent| parent.get(vm)) {
        Some(Itertool::GroupBy { group, .. }) => *group,
        _ => {
            let message = format!("_grouper() argument 1 must be itertools.groupby, not {}", vm.argument_kind(&args[1]));
            return Err(vm.type_error(message));
        }
    };
    Ok(sequence::make(vm, &super::itertools::GROUPER, Itertool::Grouper { parent, target: args[2].clone(), group }))
}
