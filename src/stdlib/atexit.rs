//! `atexit`: functions that are called at the end of the program, the last one first.

use crate::object::native::{Args, NativeModule, native};
use crate::object::type_object::CallArgs;
use crate::object::types::dict::Dict;
use crate::object::types::list::List;
use crate::object::value::{Ref, Value};
use crate::vm::{Result, Vm};

pub(crate) static MODULE: NativeModule = NativeModule {
    name: "atexit",
    doc: "Functions to be called when the program ends normally.",
    functions: &[
        native("register(func, /, *args, **kwargs)", register).parsed(),
        native("unregister(func, /)", unregister),
        native("_clear()", |vm, _| {
            let list = functions(vm);
            let gone = std::mem::take(&mut list.get_mut(vm).items);
            drop(gone);
            Ok(Value::NONE)
        }),
        native("_run_exitfuncs()", |vm, _| {
            run(vm);
            Ok(Value::NONE)
        }),
        native("_ncallbacks()", |vm, _| {
            let list = functions(vm);
            Ok(Value::small(list.get(vm).items.len() as i64))
        }),
    ],
    types: &[],
    init: None,
};

/// Where they are kept: a list of `(function, args, kwargs)`.
const FUNCTIONS: &str = "atexit";

fn functions(vm: &mut Vm) -> Ref<List> {
    let known = vm.state().module_state.get(FUNCTIONS).and_then(|list| list.downcast::<List>()).cloned();
    known.unwrap_or_else(|| {
        let list = vm.new_list(Vec::new());
        vm.state_mut().module_state.insert(FUNCTIONS, list.clone());
        list.into_ref().expect("a list was made")
    })
}

fn register(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if vm.type_payload(&args[0]).slots.call.is_none() {
        return Err(vm.type_error("the first argument must be callable"));
    }
    let entry = vm.new_tuple(vec![args[0].clone(), args[1].clone(), args[2].clone()]);
    let list = functions(vm);
    list.get_mut(vm).items.push(entry);
    Ok(args[0].clone())
}

fn unregister(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let list = functions(vm);
    let mut place = 0;
    while let Some(entry) = list.get(vm).items.get(place).cloned() {
        let function = vm.tuple_items(&entry).swap_remove(0);
        if !vm.equal(&function, &args[0])? {
            place += 1;
        } else if list.get(vm).items.get(place).is_some_and(|now| now.is(&entry)) {
            let gone = list.get_mut(vm).items.remove(place);
            drop(gone);
        }
    }
    Ok(Value::NONE)
}

/// Calls them all, also those that are registered meanwhile; what one raises is shown and the others go on.
pub(crate) fn run(vm: &mut Vm) {
    let list = functions(vm);
    while let Some(entry) = list.get_mut(vm).items.pop() {
        let items = vm.tuple_items(&entry);
        drop(entry);
        let [function, args, kwargs] = items.as_slice() else { continue };
        let mut values = vm.tuple_items(args);
        let mut names = Vec::new();
        if let Some(kwargs) = kwargs.downcast::<Dict>() {
            for (name, value) in kwargs.get(vm).items() {
                names.push(name.clone());
                values.push(value.clone());
            }
        }
        if vm.call_args(function, CallArgs { values: &values, names: &names }).is_err() {
            vm.write_unraisable_of("Exception ignored in atexit callback", function);
        }
    }
}
