//! `object`: what every value can do.

use crate::code::instruction::Comparison;
use crate::object::layout::{LAYOUTS, Layout, Payload};
use crate::object::native::{Args, GetSetSpec, native};
use crate::object::type_object::{ABSTRACT, BASE_TYPE, CallArgs, IMMUTABLE, NewFn, Slots, Type, TypeSpec};
use crate::object::types::TypeId;
use crate::object::types::dict::Dict;
use crate::object::value::{Ref, Value};
use crate::vm::{Result, Vm};

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "object",
    doc: "What every class comes from.\n\nIts own instances have no attributes and take none; they are good for being told apart.\n",
    layout: Layout::Instance,
    flags: BASE_TYPE,
    slots: Slots { repr: Some(repr), str: Some(str), hash: Some(hash), compare: Some(compare), new: Some(new), init: Some(init), ..Slots::NONE },
    methods: &[
        native("__format__(self, format_spec, /)", format),
        native("__dir__(self, /)", dir),
        native("__sizeof__(self, /)", size_of_object),
        native("__reduce__(self, /)", reduce),
        native("__reduce_ex__(self, protocol, /)", reduce_ex),
        native("__getstate__(self, /)", get_state),
    ],
    class_methods: &[
        native("__init_subclass__(cls, /)", |_, _| Ok(Value::NONE)),
        native("__subclasshook__(cls, object, /)", |_, _| Ok(Value::NOT_IMPLEMENTED)),
    ],
    getset: &[GetSetSpec { name: "__class__", get: get_class, set: Some(set_class) }],
    ..TypeSpec::DEFAULT
};

/// The payload of a method's receiver, which the descriptor has checked already unless it was called in a roundabout way.
pub(crate) fn receiver<'a, T: Payload>(vm: &mut Vm, value: &'a Value) -> Result<&'a Ref<T>> {
    match value.downcast::<T>() {
        Some(found) => Ok(found),
        None => {
            let message = format!("descriptor requires a '{}' object but received a '{}'", LAYOUTS[T::LAYOUT as usize].name, vm.type_name(value));
            Err(vm.type_error(message))
        }
    }
}

/// The text of a `str`, for messages.
pub(crate) fn plain(vm: &Vm, value: &Value) -> String {
    vm.text_of(value).map(ToString::to_string).unwrap_or_default()
}

fn is_new(class: &Type) -> bool {
    class.slots.new.is_some_and(|slot| std::ptr::fn_addr_eq(slot, new as NewFn))
}

fn is_init(class: &Type) -> bool {
    class.slots.init.is_some_and(|slot| std::ptr::fn_addr_eq(slot, init as fn(&mut Vm, &Value, CallArgs<'_>) -> Result<()>))
}

/// `object.__new__(cls, …)`: arguments are refused unless `__init__` takes them.
pub(crate) fn new(vm: &mut Vm, class: &Ref<Type>, arguments: CallArgs<'_>) -> Result<Value> {
    let payload = class.get(vm);
    if !arguments.is_empty() {
        if !is_new(payload) {
            return Err(vm.type_error("object.__new__() takes exactly one argument (the type to instantiate)"));
        }
        if is_init(payload) {
            let message = format!("{}() takes no arguments", vm.class_name(class));
            return Err(vm.type_error(message));
        }
    }
    if class.get(vm).has(ABSTRACT) {
        return Err(abstract_error(vm, class)?);
    }
    if class.get(vm).layout != Layout::Instance {
        let message = format!("cannot create '{}' instances", vm.class_full_name(class));
        return Err(vm.type_error(message));
    }
    Ok(vm.alloc_instance(class))
}

fn abstract_error(vm: &mut Vm, class: &Ref<Type>) -> Result<crate::vm::Raised> {
    let names = vm.get_attr_str(class, "__abstractmethods__")?;
    let mut texts = Vec::new();
    for name in vm.collect(&names)? {
        texts.push(vm.str_text(&name)?.to_string());
    }
    texts.sort();
    let plural = if texts.len() == 1 { "" } else { "s" };
    let message = format!(
        "Can't instantiate abstract class {} without an implementation for abstract method{plural} '{}'",
        vm.class_name(class),
        texts.join("', '")
    );
    Ok(vm.type_error(message))
}

/// `object.__init__(self, …)`: arguments are refused unless `__new__` took them.
pub(crate) fn init(vm: &mut Vm, object: &Value, arguments: CallArgs<'_>) -> Result<()> {
    if arguments.is_empty() {
        return Ok(());
    }
    let class = vm.type_payload(object);
    if !is_init(class) {
        return Err(vm.type_error("object.__init__() takes exactly one argument (the instance to initialize)"));
    }
    if is_new(class) {
        let message = format!("{}.__init__() takes exactly one argument (the instance to initialize)", vm.type_name(object));
        return Err(vm.type_error(message));
    }
    Ok(())
}

fn repr(vm: &mut Vm, object: &Value) -> Result<Value> {
    let text = vm.default_repr(object);
    Ok(vm.new_str(text))
}

fn str(vm: &mut Vm, object: &Value) -> Result<Value> {
    vm.repr(object)
}

fn hash(vm: &mut Vm, object: &Value) -> Result<i64> {
    Ok(vm.identity_hash(object))
}

fn compare(vm: &mut Vm, left: &Value, right: &Value, comparison: Comparison) -> Result<Value> {
    match comparison {
        Comparison::Equal if left.is(right) => Ok(Value::TRUE),
        Comparison::NotEqual => {
            // The opposite of what the type's own `__eq__` says.
            let Some(own) = vm.type_payload(left).slots.compare else { return Ok(Value::NOT_IMPLEMENTED) };
            let equal = own(vm, left, right, Comparison::Equal)?;
            if equal.is_not_implemented() {
                return Ok(equal);
            }
            Ok(Value::from_bool(!vm.is_true(&equal)?))
        }
        _ => Ok(Value::NOT_IMPLEMENTED),
    }
}

fn format(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let Some(spec) = vm.text_of(&args[1]) else {
        let message = format!("__format__() argument must be str, not {}", vm.argument_kind(&args[1]));
        return Err(vm.type_error(message));
    };
    if !spec.is_empty() {
        let message = format!("unsupported format string passed to {}.__format__", vm.type_name(&args[0]));
        return Err(vm.type_error(message));
    }
    vm.str(&args[0])
}

/// Adds the names of a class and its bases, for `dir`.
pub(crate) fn merge_class_names(vm: &mut Vm, names: &Ref<Dict>, class: &Value) -> Result<()> {
    if let Some(class) = class.downcast::<Type>() {
        for base in class.get(vm).mro.clone().into_iter().rev() {
            let dict = vm.class_dict(&base);
            let keys: Vec<Value> = dict.get(vm).keys().cloned().collect();
            for key in keys {
                vm.dict_set(names, &key, Value::NONE)?;
            }
        }
    }
    Ok(())
}

fn dir(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let names = vm.new_dict();
    if let Some(dict) = vm.find_attr_str(&args[0], "__dict__")? {
        if dict.holds::<Dict>() {
            for key in vm.mapping_keys(&dict)? {
                vm.dict_set(&names, &key, Value::NONE)?;
            }
        }
    }
    if let Some(class) = vm.find_attr_str(&args[0], "__class__")? {
        merge_class_names(vm, &names, &class)?;
    }
    let keys = names.get(vm).keys().cloned().collect();
    Ok(vm.new_list(keys))
}

fn size_of_object(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let layout = args[0].layout_id().unwrap_or(0);
    let extra = vm.type_payload(&args[0]).extra_words();
    Ok(Value::small((LAYOUTS[usize::from(layout)].size.max(16) + extra * 8) as i64))
}

fn get_class(vm: &mut Vm, object: &Value) -> Result<Value> {
    Ok(vm.type_of(object).into_value())
}

fn set_class(vm: &mut Vm, object: &Value, value: Option<&Value>) -> Result<()> {
    let Some(value) = value else { return Err(vm.type_error("can't delete __class__ attribute")) };
    let Some(class) = value.downcast::<Type>() else {
        let message = format!("__class__ must be set to a class, not '{}' object", vm.type_name(value));
        return Err(vm.type_error(message));
    };
    let old = vm.type_of(object);
    let module = vm.builtin(TypeId::Module);
    let are_modules = class.get(vm).is_subtype_of(&module) && old.get(vm).is_subtype_of(&module);
    if !are_modules && (class.get(vm).has(IMMUTABLE) || old.get(vm).has(IMMUTABLE)) {
        return Err(vm.type_error("__class__ assignment only supported for mutable types or ModuleType subclasses"));
    }
    if !vm.same_layout(&old, class) {
        let message = format!("__class__ assignment: '{}' object layout differs from '{}'", vm.class_name(class), vm.class_name(&old));
        return Err(vm.type_error(message));
    }
    vm.change_class(object, class)
}

// ---- copying and pickling

/// `object.__getstate__()`; `required` refuses objects whose state is Rust's.
fn state_of(vm: &mut Vm, object: &Value, required: bool) -> Result<Value> {
    let layout = object.layout_id().unwrap_or(0);
    if required && layout != Layout::Instance as u16 {
        let message = format!("cannot pickle '{}' object", vm.type_name(object));
        return Err(vm.type_error(message));
    }
    let state = match vm.find_attr_str(object, "__dict__")? {
        Some(dict) => match dict.downcast::<Dict>() {
            Some(dict) if dict.get(vm).len() > 0 => {
                let copy = dict.get(vm).copy();
                let fresh = vm.new_dict();
                *fresh.get_mut(vm) = copy;
                fresh.into_value()
            }
            _ => Value::NONE,
        },
        None => Value::NONE,
    };
    let class = vm.type_of(object);
    let copyreg = vm.import("copyreg")?;
    let slot_names = vm.call_method(&copyreg, "_slotnames", &[class.into_value()])?;
    if slot_names.is_none() {
        return Ok(state);
    }
    let slots = vm.new_dict();
    for name in vm.collect(&slot_names)? {
        if let Some(value) = vm.find_attr(object, &name)? {
            vm.dict_set(&slots, &name, value)?;
        }
    }
    if slots.get(vm).len() == 0 {
        return Ok(state);
    }
    Ok(vm.new_tuple(vec![state, slots.into_value()]))
}

fn get_state(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    state_of(vm, &args[0], false)
}

fn reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    common_reduce(vm, &args[0], 0)
}

fn common_reduce(vm: &mut Vm, object: &Value, protocol: i64) -> Result<Value> {
    if protocol >= 2 {
        return reduce_new_object(vm, object);
    }
    let copyreg = vm.import("copyreg")?;
    vm.call_method(&copyreg, "_reduce_ex", &[object.clone(), Value::small(protocol)])
}

fn reduce_ex(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let protocol = vm.index_i64(&args[1])?;
    let class = vm.type_of(&args[0]);
    let name = vm.intern("__reduce__");
    let own = vm.type_lookup(&class, &name);
    let object_class = vm.builtin(TypeId::Object);
    let default = vm.type_lookup(&object_class, &name);
    let is_overridden = match (&own, &default) {
        (Some(own), Some(default)) => !own.is(default),
        _ => false,
    };
    if is_overridden {
        return vm.call_method(&args[0], "__reduce__", &[]);
    }
    common_reduce(vm, &args[0], protocol)
}

fn reduce_new_object(vm: &mut Vm, object: &Value) -> Result<Value> {
    let class = vm.type_of(object);
    if class.get(vm).slots.new.is_none() {
        let message = format!("cannot pickle '{}' object", vm.class_message_name(&class));
        return Err(vm.type_error(message));
    }
    let copyreg = vm.import("copyreg")?;
    let (mut has_arguments, mut positional, mut named) = (false, Vec::new(), None);
    if let Some(both) = vm.call_special(object, "__getnewargs_ex__", &[])? {
        if !vm.is_kind(&both, TypeId::Tuple) {
            let message = format!("__getnewargs_ex__ should return a tuple, not '{}'", vm.type_name(&both));
            return Err(vm.type_error(message));
        }
        let items = vm.tuple_items(&both);
        if items.len() != 2 {
            let message = format!("__getnewargs_ex__ should return a tuple of length 2, not {}", items.len());
            return Err(vm.value_error(message));
        }
        for (item, kind, place, wanted) in [(&items[0], TypeId::Tuple, "first", "tuple"), (&items[1], TypeId::Dict, "second", "dict")] {
            if !vm.is_kind(item, kind) {
                let found = vm.type_name(item);
                let message = format!("{place} item of the tuple returned by __getnewargs_ex__ must be a {wanted}, not '{found}'");
                return Err(vm.type_error(message));
            }
        }
        positional = vm.tuple_items(&items[0]);
        named = Some(items[1].clone());
        has_arguments = true;
    } else if let Some(result) = vm.call_special(object, "__getnewargs__", &[])? {
        if !vm.is_kind(&result, TypeId::Tuple) {
            let message = format!("__getnewargs__ should return a tuple, not '{}'", vm.type_name(&result));
            return Err(vm.type_error(message));
        }
        positional = vm.tuple_items(&result);
        has_arguments = true;
    }
    let named_count = match &named {
        Some(named) => vm.len(named)?,
        None => 0,
    };
    let (function, arguments) = if let (Some(named), true) = (named, named_count > 0) {
        let function = vm.get_attr_str(&copyreg, "__newobj_ex__")?;
        let positional = vm.new_tuple(positional);
        (function, vm.new_tuple(vec![(*class).clone(), positional, named]))
    } else {
        let function = vm.get_attr_str(&copyreg, "__newobj__")?;
        let mut all = vec![(*class).clone()];
        all.extend(positional);
        (function, vm.new_tuple(all))
    };
    let is_list = vm.is_kind(object, TypeId::List);
    let is_dict = vm.is_kind(object, TypeId::Dict);
    let required = !has_arguments && !is_list && !is_dict;
    let name = vm.intern("__getstate__");
    let own = vm.type_lookup(&class, &name);
    let object_class = vm.builtin(TypeId::Object);
    let default = vm.type_lookup(&object_class, &name);
    let state = match (&own, &default) {
        (Some(own), Some(default)) if own.is(default) => state_of(vm, object, required)?,
        _ => vm.call_method(object, "__getstate__", &[])?,
    };
    let list_items = if is_list { vm.iter(object)? } else { Value::NONE };
    let dict_items = if is_dict {
        let items = vm.call_method(object, "items", &[])?;
        vm.iter(&items)?
    } else {
        Value::NONE
    };
    Ok(vm.new_tuple(vec![function, arguments, state, list_items, dict_items]))
}
