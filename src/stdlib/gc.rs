//! `gc`: the cycle collector as scripts see it.

use crate::object::native::{Args, NativeModule, native};
use crate::object::value::Value;
use crate::vm::{Result, Vm};

pub(crate) static MODULE: NativeModule = NativeModule {
    name: "gc",
    doc: "This module provides access to the garbage collector for reference cycles.",
    functions: &[
        native("collect(generation=2)", collect),
        native("enable()", |vm, _| {
            vm.state_mut().collector.enabled = true;
            Ok(Value::NONE)
        }),
        native("disable()", |vm, _| {
            vm.state_mut().collector.enabled = false;
            Ok(Value::NONE)
        }),
        native("isenabled()", |vm, _| Ok(Value::from_bool(vm.state().collector.enabled))),
        native("get_threshold()", get_threshold),
        native("set_threshold(threshold0, threshold1=None, threshold2=None, /)", set_threshold),
        native("get_count()", get_count),
        native("get_debug()", |_, _| Ok(Value::small(0))),
        native("set_debug(flags, /)", |_, _| Ok(Value::NONE)),
        native("get_objects(generation=None)", get_objects),
        native("get_referents(*objs)", get_referents),
        native("get_referrers(*objs)", get_referrers),
        native("is_tracked(obj, /)", is_tracked),
        native("is_finalized(obj, /)", is_finalized),
        native("freeze()", |_, _| Ok(Value::NONE)),
        native("unfreeze()", |_, _| Ok(Value::NONE)),
        native("get_freeze_count()", |_, _| Ok(Value::small(0))),
        native("get_stats()", get_stats),
    ],
    types: &[],
    init: Some(|vm, module| {
        for (name, value) in [("DEBUG_STATS", 1), ("DEBUG_COLLECTABLE", 2), ("DEBUG_UNCOLLECTABLE", 4), ("DEBUG_SAVEALL", 32), ("DEBUG_LEAK", 38)] {
            vm.set_attr_str(module, name, &Value::small(value))?;
        }
        for name in ["garbage", "callbacks"] {
            let list = vm.new_list(Vec::new());
            vm.set_attr_str(module, name, &list)?;
        }
        Ok(())
    }),
};

fn collect(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if let Some(generation) = args.given(0) {
        let generation = vm.index_i64(generation)?;
        if !(0..=2).contains(&generation) {
            return Err(vm.value_error("invalid generation"));
        }
    }
    let found = vm.collect_cycles()?;
    Ok(Value::small(found as i64))
}

fn get_threshold(vm: &mut Vm, _: Args<'_>) -> Result<Value> {
    let first = vm.heap().threshold.get();
    Ok(vm.new_tuple(vec![Value::small(first), Value::small(10), Value::small(10)]))
}

fn set_threshold(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let first = vm.index_i64(&args[0])?;
    if first == 0 {
        vm.state_mut().collector.enabled = false;
    } else {
        vm.heap().threshold.set(first.max(1));
    }
    Ok(Value::NONE)
}

fn get_count(vm: &mut Vm, _: Args<'_>) -> Result<Value> {
    let growth = vm.heap().growth.get();
    Ok(vm.new_tuple(vec![Value::small(growth), Value::small(0), Value::small(0)]))
}

fn get_objects(vm: &mut Vm, _: Args<'_>) -> Result<Value> {
    let objects = crate::object::cycle::containers(vm);
    Ok(vm.new_list(objects))
}

fn get_referents(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let mut all = Vec::new();
    for object in vm.tuple_items(&args[0]) {
        all.extend(crate::object::cycle::referents(&object));
    }
    Ok(vm.new_list(all))
}

fn get_referrers(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let wanted = vm.tuple_items(&args[0]);
    let mut all = Vec::new();
    for object in crate::object::cycle::containers(vm) {
        if object.is(&args[0]) {
            continue;
        }
        if crate::object::cycle::referents(&object).iter().any(|referent| wanted.iter().any(|wanted| wanted.is(referent))) {
            all.push(object);
        }
    }
    Ok(vm.new_list(all))
}

fn is_tracked(_: &mut Vm, args: Args<'_>) -> Result<Value> {
    let layout = args[0].layout_id().unwrap_or(0);
    Ok(Value::from_bool(crate::object::layout::LAYOUTS[usize::from(layout)].is_container))
}

#[allow(unsafe_code, reason = "reads a flag in the header of an object that the argument keeps alive")]
fn is_finalized(_: &mut Vm, args: Args<'_>) -> Result<Value> {
    // SAFETY: the argument owns a count, so the header lives.
    let flags = args[0].word().pointer().map_or(0, |header| unsafe { (*header).flags() });
    Ok(Value::from_bool(flags & crate::object::heap::flag::FINALIZED != 0))
}

fn get_stats(vm: &mut Vm, _: Args<'_>) -> Result<Value> {
    let mut rows = Vec::new();
    for _ in 0..3 {
        let row = vm.new_dict();
        for key in ["collections", "collected", "uncollectable"] {
            vm.dict_set_str(&row, key, Value::small(0))?;
        }
        rows.push(row.into_value());
    }
    Ok(vm.new_list(rows))
}
