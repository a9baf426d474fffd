//! `dict`: its methods and operators.

use super::dict::Dict;
use super::dict_view::{DictPart, DictView};
use super::list::List;
use super::tuple::Tuple;
use super::{TypeId, dict_view_methods, generic_alias_methods};
use crate::code::instruction::Comparison;
use crate::object::layout::Layout;
use crate::object::native::{Args, native};
use crate::object::sequence;
use crate::object::type_object::{BASE_TYPE, BinaryOperator, CallArgs, MATCH_MAPPING, MATCH_SELF, Slots, Type, TypeSpec, binary, constructor};
use crate::object::types::exception::ExceptionKind;
use crate::object::value::{Ref, Value};
use crate::text::TextBuilder;
use crate::vm::{Result, Vm};

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "dict",
    doc: "dict() -> an empty dictionary\ndict(mapping) -> the mapping's keys with their values\ndict(iterable) -> from pairs (key, value); of equal keys the last value counts\ndict(**names) -> from keyword arguments, also behind one of the others: dict(a=1, b=2)",
    layout: Layout::Dict,
    flags: BASE_TYPE | MATCH_MAPPING | MATCH_SELF,
    new: constructor("dict(*args, **kwargs)", new),
    slots: Slots {
        repr: Some(repr),
        compare: Some(compare),
        iter: Some(iter),
        len: Some(len),
        get_item: Some(get_item),
        set_item: Some(set_item),
        contains: Some(contains),
        init: Some(init),
        binary: binary(&[(BinaryOperator::Or, or)]),
        in_place: binary(&[(BinaryOperator::Or, in_place_or)]),
        ..Slots::NONE
    },
    methods: &[
        native("clear(self, /)", clear),
        native("copy(self, /)", copy),
        native("get(self, key, default=None, /)", get),
        native("items(self, /)", items),
        native("keys(self, /)", keys),
        native("pop(self, key, default=None, /)", pop),
        native("popitem(self, /)", pop_item),
        native("setdefault(self, key, default=None, /)", set_default),
        native("update(self, *args, **kwargs)", update_method),
        native("values(self, /)", values),
        native("__reversed__(self, /)", reversed),
        native("__sizeof__(self, /)", size_of),
    ],
    class_methods: &[
        native("fromkeys(cls, iterable, value=None, /)", from_keys),
        native("__class_getitem__(cls, object, /)", generic_alias_methods::class_get_item),
    ],
    ..TypeSpec::DEFAULT
};

pub(crate) fn dict_of(value: &Value) -> &Ref<Dict> {
    value.downcast::<Dict>().expect("the slot or method was found on a dict")
}

fn new(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("a constructor gets its class");
    Ok(vm.alloc_for(class, Dict::default()).into_value())
}

fn init(vm: &mut Vm, this: &Value, args: CallArgs<'_>) -> Result<()> {
    update(vm, this, "dict", args)
}

/// `dict.update(*args, **kwargs)` and `dict.__init__`.
pub(crate) fn update(vm: &mut Vm, this: &Value, name: &str, args: CallArgs<'_>) -> Result<()> {
    sequence::positional(vm, name, args, 0, 1)?;
    let dict = dict_of(this);
    if let Some(other) = args.unnamed().first() {
        update_from(vm, dict, other)?;
    }
    for (key, value) in args.named() {
        vm.dict_set(dict, key, value.clone())?;
    }
    Ok(())
}

/// Adds the items of a mapping, or the pairs of an iterable.
pub(crate) fn update_from(vm: &mut Vm, dict: &Ref<Dict>, other: &Value) -> Result<()> {
    if vm.is_exact(other, TypeId::Dict) || vm.find_attr_str(other, "keys")?.is_some() { merge(vm, dict, other) } else { merge_pairs(vm, dict, other) }
}

/// Adds the items of a mapping.
pub(crate) fn merge(vm: &mut Vm, dict: &Ref<Dict>, other: &Value) -> Result<()> {
    if let Some(source) = other.downcast::<Dict>() {
        let plain = vm.is_exact(other, TypeId::Dict)
            || vm.type_payload(other).slots.iter.is_some_and(|slot| std::ptr::fn_addr_eq(slot, iter as crate::object::type_object::UnaryFn));
        if plain {
            return merge_dict(vm, dict, source);
        }
    }
    let keys = vm.call_method(other, "keys", &[])?;
    sequence::for_each(vm, &keys, |vm, key| {
        let value = vm.get_item(other, &key)?;
        vm.dict_set(dict, &key, value)
    })
}

fn merge_dict(vm: &mut Vm, dict: &Ref<Dict>, source: &Ref<Dict>) -> Result<()> {
    let count = source.get(vm).len();
    if count == 0 || dict.is(source) {
        return Ok(());
    }
    if dict.get(vm).len() == 0 && dict.get(vm).entries().is_empty() {
        let copy = copied_table(vm, source)?;
        vm.resize(dict, |dict| dict.take_over(copy));
        return Ok(());
    }
    let mut position = 0;
    while let Some((place, entry)) = source.get(vm).next_entry(position) {
        let (key, hash, value) = (entry.key.clone(), entry.hash, entry.value.clone());
        position = place + 1;
        vm.dict_set_hashed(dict, &key, hash, value)?;
        if position.is_multiple_of(1024) {
            vm.poll_alone()?;
        }
        if source.get(vm).len() != count {
            return Err(vm.runtime_error("dict mutated during update"));
        }
    }
    Ok(())
}

fn merge_pairs(vm: &mut Vm, dict: &Ref<Dict>, pairs: &Value) -> Result<()> {
    let mut number = 0;
    sequence::for_each(vm, pairs, |vm, pair| {
        let items = match (pair.downcast::<Tuple>(), pair.downcast::<List>()) {
            (Some(tuple), _) => tuple.get(vm).items().to_vec(),
            (_, Some(list)) => list.get(vm).items.clone(),
            _ => match vm.collect(&pair) {
                Ok(items) => items,
                Err(raised) => {
                    if vm.clear_if(ExceptionKind::TypeError) {
                        return Err(vm.type_error(format!("cannot convert dictionary update sequence element #{number} to a sequence")));
                    }
                    return Err(raised);
                }
            },
        };
        let [key, value] = items.as_slice() else {
            let count = items.len();
            return Err(vm.value_error(format!("dictionary update sequence element #{number} has length {count}; 2 is required")));
        };
        vm.dict_set(dict, key, value.clone())?;
        number += 1;
        Ok(())
    })
}

/// An exact `dict` with the same items.
pub(crate) fn copied(vm: &mut Vm, dict: &Ref<Dict>) -> Result<Ref<Dict>> {
    let copy = copied_table(vm, dict)?;
    Ok(vm.alloc(TypeId::Dict, copy))
}

/// A copy of the table, charged.
pub(crate) fn copied_table(vm: &mut Vm, dict: &Ref<Dict>) -> Result<Dict> {
    vm.charge(dict.get(vm).heap_size())?;
    let count = dict.get(vm).entries().len();
    vm.paced_items(count, |vm| dict.get(vm).copy())
}

fn repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let dict = dict_of(this);
    if dict.get(vm).len() == 0 {
        return Ok(vm.new_str("{}"));
    }
    if !vm.enter_repr(this)? {
        return Ok(vm.new_str("{...}"));
    }
    let result = repr_items(vm, dict);
    vm.leave_repr(this);
    result
}

fn repr_items(vm: &mut Vm, dict: &Ref<Dict>) -> Result<Value> {
    let mut text = TextBuilder::default();
    text.push_str("{");
    let mut position = 0;
    while let Some((place, entry)) = dict.get(vm).next_entry(position) {
        let (key, value) = (entry.key.clone(), entry.value.clone());
        if position > 0 && text.len() > 1 {
            text.push_str(", ");
        }
        position = place + 1;
        if position.is_multiple_of(1024) {
            vm.poll_alone()?;
        }
        let key = vm.repr_text(&key)?;
        text.push_text(&key);
        text.push_str(": ");
        let value = vm.repr_text(&value)?;
        text.push_text(&value);
    }
    text.push_str("}");
    Ok(vm.new_str(text.finish()))
}

fn compare(vm: &mut Vm, left: &Value, right: &Value, operation: Comparison) -> Result<Value> {
    let (Some(a), Some(b)) = (left.downcast::<Dict>(), right.downcast::<Dict>()) else { return Ok(Value::NOT_IMPLEMENTED) };
    match operation {
        Comparison::Equal => Ok(Value::from_bool(equal(vm, a, b)?)),
        Comparison::NotEqual => Ok(Value::from_bool(!equal(vm, a, b)?)),
        _ => Ok(Value::NOT_IMPLEMENTED),
    }
}

fn equal(vm: &mut Vm, a: &Ref<Dict>, b: &Ref<Dict>) -> Result<bool> {
    if a.get(vm).len() != b.get(vm).len() {
        return Ok(false);
    }
    vm.enter_native()?;
    let mut position = 0;
    while let Some((place, entry)) = a.get(vm).next_entry(position) {
        let (key, hash, value) = (entry.key.clone(), entry.hash, entry.value.clone());
        position = place + 1;
        let Some(found) = vm.dict_place(b, &key, hash)? else { return Ok(false) };
        let other = b.get(vm).entries()[found].value.clone();
        if position.is_multiple_of(1024) {
            vm.poll_alone()?;
        }
        if !vm.equal(&other, &value)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn iter(vm: &mut Vm, this: &Value) -> Result<Value> {
    Ok(dict_view_methods::iterator(vm, dict_of(this), DictPart::Keys, false))
}

fn reversed(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    Ok(dict_view_methods::iterator(vm, dict_of(&args[0]), DictPart::Keys, true))
}

fn len(vm: &mut Vm, this: &Value) -> Result<usize> {
    Ok(dict_of(this).get(vm).len())
}

fn get_item(vm: &mut Vm, this: &Value, key: &Value) -> Result<Value> {
    if let Some(value) = vm.dict_get(dict_of(this), key)? {
        return Ok(value);
    }
    if !vm.is_exact(this, TypeId::Dict) {
        if let Some(missing) = vm.find_special(this, "__missing__")? {
            return vm.call(&missing, std::slice::from_ref(key));
        }
    }
    Err(vm.key_error(key))
}

fn set_item(vm: &mut Vm, this: &Value, key: &Value, value: Option<&Value>) -> Result<()> {
    match value {
        Some(value) => vm.dict_set(dict_of(this), key, value.clone()),
        None => match vm.dict_remove(dict_of(this), key)? {
            Some(old) => {
                drop(old);
                Ok(())
            }
            None => Err(vm.key_error(key)),
        },
    }
}

fn contains(vm: &mut Vm, this: &Value, key: &Value) -> Result<bool> {
    let hash = vm.hash(key)?;
    Ok(vm.dict_place(dict_of(this), key, hash)?.is_some())
}

fn or(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let (Some(dict), true) = (left.downcast::<Dict>(), right.holds::<Dict>()) else { return Ok(Value::NOT_IMPLEMENTED) };
    let result = copied(vm, dict)?;
    update_from(vm, &result, right)?;
    Ok(result.into_value())
}

fn in_place_or(vm: &mut Vm, this: &Value, other: &Value) -> Result<Value> {
    update_from(vm, dict_of(this), other)?;
    Ok(this.clone())
}

fn clear(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    super::dict::release_entries(vm.resize(dict_of(&args[0]), Dict::take_all));
    Ok(Value::NONE)
}

fn copy(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    Ok(copied(vm, dict_of(&args[0]))?.into_value())
}

fn get(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    match vm.dict_get(dict_of(&args[0]), &args[1])? {
        Some(value) => Ok(value),
        None => Ok(args.or_none(2)),
    }
}

fn view(vm: &mut Vm, this: &Value, part: DictPart) -> Result<Value> {
    let view = DictView { dict: Some(dict_of(this).clone()), part };
    Ok(vm.alloc(dict_view_methods::view_type(part), view).into_value())
}

fn items(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    view(vm, &args[0], DictPart::Items)
}

fn keys(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    view(vm, &args[0], DictPart::Keys)
}

fn values(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    view(vm, &args[0], DictPart::Values)
}

fn pop(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let dict = dict_of(&args[0]);
    // An empty dict does not look at the key, which may have no hash.
    let removed = if dict.get(vm).len() == 0 { None } else { vm.dict_remove(dict, &args[1])? };
    match removed {
        Some((_, value)) => Ok(value),
        None => match args.given(2) {
            Some(default) => Ok(default.clone()),
            None => Err(vm.key_error(&args[1])),
        },
    }
}

fn pop_item(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    match dict_of(&args[0]).get_mut(vm).pop_last() {
        Some((key, value)) => Ok(vm.new_tuple(vec![key, value])),
        None => {
            let message = vm.new_str("popitem(): dictionary is empty");
            Err(vm.key_error(&message))
        }
    }
}

fn set_default(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let dict = dict_of(&args[0]);
    let hash = vm.hash(&args[1])?;
    if let Some(place) = vm.dict_place(dict, &args[1], hash)? {
        return Ok(dict.get(vm).entries()[place].value.clone());
    }
    let default = args.or_none(2);
    vm.dict_push(dict, args[1].clone(), hash, default.clone())?;
    Ok(default)
}

fn update_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let dict = dict_of(&args[0]);
    let positional = vm.tuple_items(&args[1]);
    sequence::positional(vm, "update", CallArgs::positional(&positional), 0, 1)?;
    if let Some(other) = positional.first() {
        update_from(vm, dict, other)?;
    }
    if let Some(named) = args[2].downcast::<Dict>() {
        merge_dict(vm, dict, named)?;
    }
    Ok(Value::NONE)
}

fn size_of(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let bytes = dict_of(&args[0]).get(vm).heap_size();
    Ok(Value::small(64 + bytes as i64))
}

fn from_keys(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let value = args.or_none(2);
    let made = if args[0].is(&vm.builtin(TypeId::Dict)) { vm.new_dict().into_value() } else { vm.call(&args[0], &[])? };
    if vm.is_exact(&made, TypeId::Dict) {
        let dict = dict_of(&made).clone();
        // Keys of dicts and sets come with their hashes.
        if let Some(source) = args[1].downcast::<Dict>().filter(|_| vm.is_exact(&args[1], TypeId::Dict)).cloned() {
            super::set_methods::walk_dict(vm, &source, |vm, key, hash| vm.dict_set_hashed(&dict, &key, hash, value.clone()).map(|()| true))?;
            return Ok(made);
        }
        if let Some(source) =
            args[1].downcast::<super::set::Set>().filter(|_| vm.is_exact(&args[1], TypeId::Set) || vm.is_exact(&args[1], TypeId::FrozenSet)).cloned()
        {
            super::set_methods::walk(vm, &source, |vm, key, hash| vm.dict_set_hashed(&dict, &key, hash, value.clone()).map(|()| true))?;
            return Ok(made);
        }
        sequence::for_each(vm, &args[1], |vm, key| vm.dict_set(&dict, &key, value.clone()))?;
    } else {
        sequence::for_each(vm, &args[1], |vm, key| vm.set_item(&made, &key, &value))?;
    }
    Ok(made)
}
