//! `gc`: the cycle collector as scripts see it.

use crate::object::cycle;
use crate::object::native::{Args, NativeModule, native};
use crate::object::value::Value;
use crate::vm::{Result, Vm};

pub(crate) static MODULE: NativeModule = NativeModule {
    name: "gc",
    doc: "Control over the search for objects that only keep each other alive.",
    functions: &[
        native("collect(generation=2)", collect),
        native("enable()", |vm, _| {
            cycle::set_enabled(vm, true);
            Ok(Value::NONE)
        }),
        native("disable()", |vm, _| {
            cycle::set_enabled(vm, false);
            Ok(Value::NONE)
        }),
        native("isenabled()", |vm, _| Ok(Value::from_bool(vm.state().collector.is_enabled))),
        native("get_threshold()", |vm, _| {
            let thresholds = vm.state().collector.thresholds.map(Value::small).to_vec();
            Ok(vm.new_tuple(thresholds))
        }),
        native("set_threshold(*thresholds)", set_threshold),
        native("get_count()", |vm, _| {
            let growth = vm.heap().growth.get().max(0);
            Ok(vm.new_tuple(vec![Value::small(growth), Value::small(0), Value::small(0)]))
        }),
        native("get_debug()", |vm, _| Ok(vm.new_int(vm.state().collector.debug))),
        native("set_debug(flags, /)", |vm, args| {
            vm.state_mut().collector.debug = vm.c_int(&args[0])?.into();
            Ok(Value::NONE)
        }),
        native("get_objects(generation=None)", get_objects),
        native("get_referents(*objs)", get_referents),
        native("get_referrers(*objs)", get_referrers),
        native("is_tracked(obj, /)", |vm, args| Ok(Value::from_bool(cycle::is_tracked(vm, &args[0])))),
        native("is_finalized(obj, /)", |_, args| Ok(Value::from_bool(cycle::is_finalized(&args[0])))),
        native("freeze()", |vm, _| {
            vm.state_mut().collector.frozen = cycle::objects(vm).len();
            Ok(Value::NONE)
        }),
        native("unfreeze()", |vm, _| {
            vm.state_mut().collector.frozen = 0;
            Ok(Value::NONE)
        }),
        native("get_freeze_count()", |vm, _| Ok(Value::small(vm.state().collector.frozen as i64))),
        native("get_stats()", get_stats),
    ],
    types: &[],
    init: Some(|vm, module| {
        for (name, value) in
            [("DEBUG_STATS", 1), ("DEBUG_COLLECTABLE", 2), ("DEBUG_UNCOLLECTABLE", 4), ("DEBUG_SAVEALL", cycle::DEBUG_SAVEALL), ("DEBUG_LEAK", 38)]
        {
            vm.set_attr_str(module, name, &Value::small(value))?;
        }
        let garbage = cycle::garbage_list(vm);
        vm.set_attr_str(module, "garbage", &garbage)?;
        let callbacks = cycle::callback_list(vm);
        vm.set_attr_str(module, "callbacks", &callbacks)
    }),
};

fn collect(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let generation = match args.given(0) {
        Some(generation) => vm.c_int(generation)?,
        None => 2,
    };
    if !(0..=2).contains(&generation) {
        return Err(vm.value_error("invalid generation"));
    }
    let mut is_retry = false;
    loop {
        if let Some(found) = cycle::collect_patiently(vm, generation as usize, is_retry) {
            return Ok(Value::small(found as i64));
        }
        vm.poll()?;
        is_retry = true;
    }
}

fn set_threshold(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let given = vm.tuple_items(&args[0]);
    if given.is_empty() || given.len() > 3 {
        return Err(vm.type_error("gc.set_threshold requires 1 to 3 arguments"));
    }
    let mut thresholds = vm.state().collector.thresholds;
    for (place, value) in thresholds.iter_mut().zip(&given) {
        *place = vm.parsed_int(value)?.into();
    }
    cycle::set_thresholds(vm, thresholds);
    Ok(Value::NONE)
}

fn get_objects(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if let Some(generation) = args.given_some(0) {
        if !vm.is_int(generation) {
            let name = vm.type_name(generation);
            return Err(vm.type_error(format!("argument should be integer or None, not '{name}'")));
        }
        let Some(generation) = vm.index(generation)?.as_ref().to_i64() else {
            return Err(vm.overflow_error("cannot fit 'int' into an index-sized integer"));
        };
        if generation >= 3 {
            return Err(vm.value_error("generation parameter must be less than the number of available generations (3)"));
        }
        if generation < 0 {
            return Err(vm.value_error("generation parameter cannot be negative"));
        }
    }
    let objects = cycle::objects(vm);
    Ok(vm.new_list(objects))
}

fn get_referents(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let mut all = Vec::new();
    for object in vm.tuple_items(&args[0]) {
        all.extend(cycle::referents(&object));
    }
    Ok(vm.new_list(all))
}

fn get_referrers(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let targets = vm.tuple_items(&args[0]);
    let mut all = cycle::referrers(vm, &targets);
    all.retain(|object| !object.is(&args[0]));
    Ok(vm.new_list(all))
}

fn get_stats(vm: &mut Vm, _: Args<'_>) -> Result<Value> {
    let mut rows = Vec::new();
    for statistics in vm.state().collector.statistics {
        let row = vm.new_dict();
        let figures = [("collections", statistics.collections), ("collected", statistics.collected), ("uncollectable", statistics.uncollectable)];
        for (key, figure) in figures {
            vm.dict_set_str(&row, key, Value::small(figure))?;
        }
        rows.push(row.into_value());
    }
    Ok(vm.new_list(rows))
}
