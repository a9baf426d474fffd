//! `_weakref`: what `weakref` is made of.

use crate::object::native::{Args, NativeModule, native};
use crate::object::types::dict::Dict;
use crate::object::types::weakref::WeakRef;
use crate::object::types::weakref_methods::{self, CALLABLE_PROXY, PROXY, REFERENCE};
use crate::object::value::{Ref, Value};
use crate::object::weak;
use crate::vm::{Result, Vm};

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "_weakref",
    doc: "References that keep nothing alive.",
    functions: &[
        native("proxy(object, callback=None, /)", |vm, args| weakref_methods::new_proxy(vm, &args[0], args.given_some(1).cloned())),
        native("getweakrefcount(object, /)", |_, args| Ok(Value::small(weak::references(&args[0]).len() as i64))),
        native("getweakrefs(object, /)", get_weak_refs),
        native("_remove_dead_weakref(dct, key, /)", remove_dead),
    ],
    types: &[&REFERENCE, &PROXY, &CALLABLE_PROXY],
    init: Some(|vm, module| {
        let class = vm.native_type(&REFERENCE).into_value();
        vm.set_attr_str(module, "ref", &class)
    }),
};

fn get_weak_refs(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let mut references = weak::references(&args[0]);
    // Shared references without a callback come first, then those with one, the newest first.
    references.sort_by_key(|reference| reference.get(vm).callback.is_some());
    let shared = references.iter().take_while(|reference| reference.get(vm).callback.is_none()).count();
    references[shared..].reverse();
    Ok(vm.new_list(references.into_iter().map(Ref::into_value).collect()))
}

/// Removes `dct[key]` if it is a weak reference to an object that is gone.
fn remove_dead(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let Some(dict) = args[0].downcast::<Dict>() else { return Err(vm.type_error("argument 1 must be dict")) };
    let Some(value) = vm.dict_get(dict, &args[1])? else { return Ok(Value::NONE) };
    if value.downcast::<WeakRef>().is_some_and(|reference| weak::target(reference.get(vm)).is_none()) {
        let old = vm.dict_remove(dict, &args[1])?;
        drop(old);
    }
    Ok(Value::NONE)
}
