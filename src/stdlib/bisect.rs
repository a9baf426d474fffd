//! `_bisect`: where an item belongs in a sorted sequence.

use crate::code::instruction::Comparison;
use crate::object::native::{Args, NativeModule, native};
use crate::object::types::TypeId;
use crate::object::types::list::List;
use crate::object::value::Value;
use crate::vm::{Result, Vm};

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "_bisect",
    doc: "Places in sorted lists, found by halving: where something is or would be, and putting it there.",
    functions: &[
        native("bisect_right(a, x, lo=0, hi=None, *, key=None)", |vm, args| place(vm, &args, true)),
        native("bisect(a, x, lo=0, hi=None, *, key=None)", |vm, args| place(vm, &args, true)),
        native("bisect_left(a, x, lo=0, hi=None, *, key=None)", |vm, args| place(vm, &args, false)),
        native("insort_right(a, x, lo=0, hi=None, *, key=None)", |vm, args| insert(vm, &args, true)),
        native("insort(a, x, lo=0, hi=None, *, key=None)", |vm, args| insert(vm, &args, true)),
        native("insort_left(a, x, lo=0, hi=None, *, key=None)", |vm, args| insert(vm, &args, false)),
    ],
    types: &[],
    init: None,
};

fn place(vm: &mut Vm, args: &Args<'_>, right: bool) -> Result<Value> {
    let found = search(vm, args, &args[1], right)?;
    Ok(vm.new_int(found))
}

/// The place of `wanted`, which is a key already when there is a key function.
fn search(vm: &mut Vm, args: &Args<'_>, wanted: &Value, right: bool) -> Result<i64> {
    let mut low = match args.given(2) {
        Some(low) => vm.index_i64(low)?,
        None => 0,
    };
    if low < 0 {
        return Err(vm.value_error("lo must be non-negative"));
    }
    let mut high = match args.given_some(3) {
        Some(high) => vm.index_i64(high)?,
        None => vm.len(&args[0])? as i64,
    };
    let key = args.given_some(4);
    while low < high {
        let middle = low + (high - low) / 2;
        let item = match args[0].downcast::<List>() {
            Some(list) if vm.is_exact(&args[0], TypeId::List) => list.get(vm).items.get(middle as usize).cloned(),
            _ => None,
        };
        let item = match item {
            Some(item) => item,
            None => {
                let index = vm.new_int(middle);
                vm.get_item(&args[0], &index)?
            }
        };
        let item = match key {
            Some(key) => vm.call(key, &[item])?,
            None => item,
        };
        if right {
            if vm.compare_bool(wanted, &item, Comparison::Less)? { high = middle } else { low = middle + 1 }
        } else if vm.compare_bool(&item, wanted, Comparison::Less)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn insert(vm: &mut Vm, args: &Args<'_>, right: bool) -> Result<Value> {
    let wanted = match args.given_some(4) {
        Some(key) => vm.call(key, std::slice::from_ref(&args[1]))?,
        None => args[1].clone(),
    };
    let found = search(vm, args, &wanted, right)?;
    let index = vm.new_int(found);
    vm.call_method(&args[0], "insert", &[index, args[1].clone()])?;
    Ok(Value::NONE)
}
