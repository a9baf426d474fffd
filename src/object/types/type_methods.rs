//! `type`: the methods and attributes of classes.

use crate::object::layout::{LAYOUTS, Layout};
use crate::object::native::{Args, GetSet, GetSetSpec, getter, native};
use crate::object::type_object::{
    ABSTRACT, BASE_TYPE, BinaryOperator, CallArgs, HAS_DICT, HAS_WEAKREFS, HEAP_TYPE, IMMUTABLE, IS_METACLASS, MATCH_MAPPING, MATCH_SEQUENCE, Slots,
    Type, TypeSpec, binary,
};
use crate::object::types::TypeId;
use crate::object::types::descriptor::MappingProxy;
use crate::object::types::dict::Dict;
use crate::object::types::object::{merge_class_names, plain, receiver};
use crate::object::types::str::Str;
use crate::object::types::tuple::Tuple;
use crate::object::value::{Ref, Value};
use crate::object::weak;
use crate::vm::state::Name;
use crate::vm::{Result, Vm};

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "type",
    doc: "type(object) -> the class of the object\ntype(name, bases, dict, **kwds) -> a class made of these",
    layout: Layout::Type,
    flags: BASE_TYPE | IS_METACLASS | HAS_WEAKREFS,
    slots: Slots {
        repr: Some(repr),
        call: Some(call),
        get_attribute: Some(Vm::class_get_attr),
        set_attribute: Some(Vm::class_set_attr),
        binary: binary(&[(BinaryOperator::Or, crate::object::types::generic_alias_methods::type_or)]),
        new: Some(new),
        init: Some(init),
        ..Slots::NONE
    },
    methods: &[
        native("mro(self, /)", mro),
        native("__subclasses__(self, /)", subclasses),
        native("__instancecheck__(self, instance, /)", instance_check),
        native("__subclasscheck__(self, subclass, /)", subclass_check),
        native("__dir__(self, /)", dir),
        native("__sizeof__(self, /)", size_of_class),
    ],
    class_methods: &[native("__prepare__(cls, /, *args, **kwargs)", prepare).shown("(cls, name, bases, /, **kwds)")],
    getset: &[
        GetSetSpec { name: "__name__", get: get_name, set: Some(set_name) },
        GetSetSpec { name: "__qualname__", get: get_qualname, set: Some(set_qualname) },
        GetSetSpec { name: "__module__", get: get_module, set: Some(set_module) },
        GetSetSpec { name: "__bases__", get: get_bases, set: Some(set_bases) },
        GetSetSpec { name: "__abstractmethods__", get: get_abstract_methods, set: Some(set_abstract_methods) },
        GetSetSpec { name: "__doc__", get: get_doc, set: Some(set_doc) },
        GetSetSpec { name: "__annotations__", get: get_annotations, set: Some(set_annotations) },
        GetSetSpec { name: "__type_params__", get: get_type_params, set: Some(set_type_params) },
        getter("__mro__", get_mro),
        getter("__base__", get_base),
        getter("__dict__", get_dict),
        getter("__text_signature__", get_text_signature),
        getter("__flags__", get_flags),
        getter("__basicsize__", get_basic_size),
        getter("__itemsize__", |_, _| Ok(Value::small(0))),
        getter("__dictoffset__", |vm, class| {
            let has = receiver::<Type>(vm, class)?.get(vm).has(HAS_DICT);
            Ok(Value::small(if has { -1 } else { 0 }))
        }),
        getter("__weakrefoffset__", |vm, class| {
            let has = receiver::<Type>(vm, class)?.get(vm).has(HAS_WEAKREFS);
            Ok(Value::small(if has { -32 } else { 0 }))
        }),
    ],
    ..TypeSpec::DEFAULT
};

/// `type.__new__(metaclass, name, bases, namespace, **keywords)`.
fn new(vm: &mut Vm, metaclass: &Ref<Type>, arguments: CallArgs<'_>) -> Result<Value> {
    let given = arguments.unnamed();
    let [name, bases, namespace] = given else {
        let message = format!("type.__new__() takes exactly 3 arguments ({} given)", given.len());
        return Err(vm.type_error(message));
    };
    for (place, (value, kind, wanted)) in
        [(name, TypeId::Str, "str"), (bases, TypeId::Tuple, "tuple"), (namespace, TypeId::Dict, "dict")].into_iter().enumerate()
    {
        if !vm.is_kind(value, kind) {
            let message = format!("type.__new__() argument {} must be {wanted}, not {}", place + 1, vm.argument_kind(value));
            return Err(vm.type_error(message));
        }
    }
    for base in vm.tuple_items(bases) {
        if base.holds::<Type>() {
            continue;
        }
        if vm.find_special(&base, "__mro_entries__")?.is_some() || vm.find_attr_str(&base, "__mro_entries__")?.is_some() {
            return Err(vm.type_error("type() doesn't support MRO entry resolution; use types.new_class()"));
        }
    }
    if vm.text_of(name).is_some_and(|name| name.codes().any(|code| code == 0)) {
        return Err(vm.value_error("type name must not contain null characters"));
    }
    vm.expect_string(name, "type name")?;
    let keywords = CallArgs { values: &arguments.values[3..], names: arguments.names };
    vm.type_new(metaclass, name, bases, namespace, keywords)
}

/// `type.__init__`: nothing is left to do.
fn init(vm: &mut Vm, _: &Value, arguments: CallArgs<'_>) -> Result<()> {
    match arguments.unnamed().len() {
        1 if !arguments.names.is_empty() => Err(vm.type_error("type.__init__() takes no keyword arguments")),
        1 | 3 => Ok(()),
        _ => Err(vm.type_error("type.__init__() takes 1 or 3 arguments")),
    }
}

/// `cls(…)`: makes an instance, and initialises it if it is one.
pub(crate) fn call(vm: &mut Vm, callable: &Value, arguments: CallArgs<'_>) -> Result<Value> {
    let class = receiver::<Type>(vm, callable)?;
    if class.is(vm.state().builtin(TypeId::Type)) {
        if arguments.names.is_empty() && arguments.values.len() == 1 {
            return Ok(vm.type_of(&arguments.values[0]).into_value());
        }
        if arguments.unnamed().len() != 3 {
            return Err(vm.type_error("type() takes 1 or 3 arguments"));
        }
    }
    let Some(new) = class.get(vm).slots.new else {
        let message = format!("cannot create '{}' instances", vm.class_full_name(class));
        return Err(vm.type_error(message));
    };
    let object = new(vm, class, arguments)?;
    if !vm.is_instance(&object, class) {
        return Ok(object);
    }
    if let Some(init) = vm.type_payload(&object).slots.init {
        init(vm, &object, arguments)?;
    }
    Ok(object)
}

fn repr(vm: &mut Vm, class: &Value) -> Result<Value> {
    let class = receiver::<Type>(vm, class)?;
    let name = vm.class_full_name(class);
    Ok(vm.new_str(format!("<class '{name}'>")))
}

fn mro(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = receiver::<Type>(vm, &args[0])?;
    let bases = class.get(vm).bases.clone();
    let bases = vm.tuple_items(&bases);
    let order = vm.linearize(class, &bases)?;
    let order = order.into_iter().map(Ref::into_value).collect();
    Ok(vm.new_list(order))
}

fn subclasses(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = receiver::<Type>(vm, &args[0])?;
    let live = vm.live_subclasses(class).into_iter().map(Ref::into_value).collect();
    Ok(vm.new_list(live))
}

fn instance_check(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    vm.recursive_isinstance(&args[1], &args[0]).map(Value::from_bool)
}

fn subclass_check(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    vm.recursive_issubclass(&args[1], &args[0]).map(Value::from_bool)
}

fn prepare(vm: &mut Vm, _: Args<'_>) -> Result<Value> {
    Ok(vm.new_dict().into_value())
}

fn dir(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let names = vm.new_dict();
    merge_class_names(vm, &names, &args[0])?;
    let keys = names.get(vm).keys().cloned().collect();
    Ok(vm.new_list(keys))
}

fn size_of_class(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = receiver::<Type>(vm, &args[0])?.clone();
    let dict = vm.class_dict(&class);
    Ok(Value::small((LAYOUTS[Layout::Type as usize].size + dict.get(vm).heap_size()) as i64))
}

// ---- attributes

/// Refuses the deletion of a class's attribute, and its change in an immutable class.
fn value_to_set<'a>(vm: &mut Vm, class: &Value, name: &str, value: Option<&'a Value>) -> Result<(Ref<Type>, &'a Value)> {
    let class = receiver::<Type>(vm, class)?.clone();
    let class_name = vm.class_message_name(&class);
    if class.get(vm).has(IMMUTABLE) {
        return Err(vm.type_error(format!("cannot set '{name}' attribute of immutable type '{class_name}'")));
    }
    match value {
        Some(value) => Ok((class, value)),
        None => Err(vm.type_error(format!("cannot delete '{name}' attribute of immutable type '{class_name}'"))),
    }
}

fn get_name(vm: &mut Vm, class: &Value) -> Result<Value> {
    Ok(receiver::<Type>(vm, class)?.get(vm).name.clone())
}

fn set_name(vm: &mut Vm, class: &Value, value: Option<&Value>) -> Result<()> {
    let (class, value) = value_to_set(vm, class, "__name__", value)?;
    let Some(text) = vm.text_of(value).cloned() else {
        let message = format!("can only assign string to {}.__name__, not '{}'", vm.class_name(&class), vm.type_name(value));
        return Err(vm.type_error(message));
    };
    if text.codes().any(|code| code == 0) {
        return Err(vm.value_error("type name must not contain null characters"));
    }
    vm.expect_string(value, "__name__")?;
    let old = std::mem::replace(&mut class.get_mut(vm).name, value.clone());
    drop(old);
    Ok(())
}

fn get_qualname(vm: &mut Vm, class: &Value) -> Result<Value> {
    Ok(receiver::<Type>(vm, class)?.get(vm).qualname.clone())
}

fn set_qualname(vm: &mut Vm, class: &Value, value: Option<&Value>) -> Result<()> {
    let (class, value) = value_to_set(vm, class, "__qualname__", value)?;
    if !value.holds::<Str>() {
        let message = format!("can only assign string to {}.__qualname__, not '{}'", vm.class_name(&class), vm.type_name(value));
        return Err(vm.type_error(message));
    }
    let old = std::mem::replace(&mut class.get_mut(vm).qualname, value.clone());
    drop(old);
    Ok(())
}

/// What the class's own namespace has under a name.
fn own(vm: &mut Vm, class: &Value, name: &str) -> Result<Option<Value>> {
    let class = receiver::<Type>(vm, class)?.clone();
    let dict = vm.class_dict(&class);
    vm.dict_get_str(&dict, name)
}

fn set_own(vm: &mut Vm, class: &Ref<Type>, name: &str, value: &Value) -> Result<()> {
    let dict = vm.class_dict(class);
    vm.class_changed(class);
    vm.dict_set_str(&dict, name, value.clone())
}

fn missing(vm: &mut Vm, class: &Value, name: &str) -> crate::vm::Raised {
    let name_value = vm.intern(name);
    let class_name = class.downcast::<Type>().map(|class| vm.class_message_name(class)).unwrap_or_default();
    vm.attribute_error(class, &name_value, format!("type object '{class_name}' has no attribute '{name}'"))
}

fn get_module(vm: &mut Vm, class: &Value) -> Result<Value> {
    let is_heap_type = receiver::<Type>(vm, class)?.get(vm).has(HEAP_TYPE);
    // In the namespace of `type` stands the descriptor that led here.
    if let Some(module) = own(vm, class, "__module__")?.filter(|module| is_heap_type || module.holds::<Str>()) {
        return Ok(module);
    }
    if is_heap_type {
        let name = vm.intern("__module__");
        return Err(vm.attribute_error(class, &name, "__module__"));
    }
    Ok(vm.intern("builtins"))
}

fn set_module(vm: &mut Vm, class: &Value, value: Option<&Value>) -> Result<()> {
    let (class, value) = value_to_set(vm, class, "__module__", value)?;
    set_own(vm, &class, "__module__", value)?;
    // The line is that of a statement in the module that the class had.
    let line = vm.intern("__firstlineno__");
    let dict = vm.class_dict(&class);
    if vm.dict_remove(&dict, &line)?.is_some() {
        vm.class_changed(&class);
    }
    Ok(())
}

fn get_bases(vm: &mut Vm, class: &Value) -> Result<Value> {
    Ok(receiver::<Type>(vm, class)?.get(vm).bases.clone())
}

fn set_bases(vm: &mut Vm, class: &Value, value: Option<&Value>) -> Result<()> {
    let (class, value) = value_to_set(vm, class, "__bases__", value)?;
    let name = vm.class_name(&class);
    if !value.holds::<Tuple>() {
        let message = format!("can only assign tuple to {name}.__bases__, not {}", vm.type_name(value));
        return Err(vm.type_error(message));
    }
    let bases = vm.tuple_items(value);
    if bases.is_empty() {
        return Err(vm.type_error(format!("can only assign non-empty tuple to {name}.__bases__, not ()")));
    }
    for base in &bases {
        let Some(base) = base.downcast::<Type>() else {
            let message = format!("{name}.__bases__ must be tuple of classes, not '{}'", vm.type_name(base));
            return Err(vm.type_error(message));
        };
        if base.get(vm).is_subtype_of(&class) || has_base(vm, base, &class) {
            return Err(vm.type_error("a __bases__ item causes an inheritance cycle"));
        }
    }
    let Some(new_base) = bases[0].downcast::<Type>().cloned() else { return Ok(()) };
    let object = vm.builtin(TypeId::Object);
    if let Some(old_base) = class.get(vm).base.clone().filter(|old_base| old_base.is(&object) != new_base.is(&object)) {
        let (new_name, old_name) = (vm.class_name(&new_base), vm.class_name(&old_base));
        return Err(vm.type_error(format!("__bases__ assignment: '{new_name}' deallocator differs from '{old_name}'")));
    }
    let (old_layout, old_fixed) = match &class.get(vm).base {
        Some(base) => (base.get(vm).layout, base.get(vm).fixed_slots),
        None => (Layout::Instance, 0),
    };
    let mut best: Option<Ref<Type>> = None;
    for base in &bases {
        let Some(base) = base.downcast::<Type>() else { continue };
        let payload = base.get(vm);
        // A class without fields of its own goes with any other.
        let adds_nothing = payload.layout == Layout::Instance && payload.fixed_slots == 0;
        let is_plain_object = adds_nothing && old_layout == Layout::Instance;
        let fits = payload.layout == old_layout && (payload.fixed_slots == old_fixed || is_plain_object);
        if fits && best.is_none() {
            best = Some(base.clone());
        }
        if !fits && !(adds_nothing && bases.len() > 1) {
            let old_base = class.get(vm).base.clone();
            let old_name = old_base.map(|base| vm.class_name(&base)).unwrap_or_default();
            let message = format!("__bases__ assignment: '{}' object layout differs from '{old_name}'", vm.class_name(base));
            return Err(vm.type_error(message));
        }
    }
    let new_base = best.unwrap_or(new_base);
    let old_bases = class.get(vm).bases.clone();
    let payload = class.get_mut(vm);
    payload.bases = value.clone();
    let old_base = payload.base.replace(new_base);
    let mut replaced = Vec::new();
    let outcome = renew_orders(vm, &class, &mut replaced);
    // A metaclass's `mro` may have set the bases again, to which this is to leave them.
    let is_current = class.get(vm).bases.is(value);
    if let Err(raised) = outcome {
        for (class, order) in replaced.into_iter().rev() {
            class.get_mut(vm).mro = order;
        }
        if is_current {
            let payload = class.get_mut(vm);
            payload.bases = old_bases;
            payload.base = old_base;
        }
        vm.class_changed(&class);
        return Err(raised);
    }
    if is_current {
        for base in vm.tuple_items(&old_bases) {
            if let Some(base) = base.downcast::<Type>() {
                base.get_mut(vm).subclasses.retain(|word| *word != class.word());
            }
        }
        for base in &bases {
            if let Some(base) = base.downcast::<Type>() {
                let base = base.clone();
                vm.add_subclass(&base, &class);
            }
        }
    }
    vm.class_changed(&class);
    vm.update_slots_below(&class);
    Ok(())
}

/// Whether `other` is on the way from the class to `object` by the bases that give layouts, which may be ahead of the MRO while that is made.
fn has_base(vm: &Vm, class: &Ref<Type>, other: &Ref<Type>) -> bool {
    let mut next = Some(class.clone());
    while let Some(class) = next {
        if class.is(other) {
            return true;
        }
        next = class.get(vm).base.clone();
    }
    false
}

/// Makes the MRO of a class anew, and those of its subclasses; `replaced` gets what they were.
fn renew_orders(vm: &mut Vm, class: &Ref<Type>, replaced: &mut Vec<(Ref<Type>, Vec<Ref<Type>>)>) -> Result<()> {
    let bases = class.get(vm).bases.clone();
    let bases = vm.tuple_items(&bases);
    let metaclass = vm.type_of(class);
    let before = class.get(vm).mro.as_ptr();
    let order = vm.compute_mro(class, &metaclass, &bases)?;
    if class.get(vm).mro.as_ptr() != before {
        // The metaclass's `mro` has done it already.
        return Ok(());
    }
    let old = std::mem::replace(&mut class.get_mut(vm).mro, order);
    replaced.push((class.clone(), old));
    vm.class_changed(class);
    for subclass in vm.live_subclasses(class) {
        renew_orders(vm, &subclass, replaced)?;
    }
    Ok(())
}

fn get_abstract_methods(vm: &mut Vm, class: &Value) -> Result<Value> {
    if !class.is(vm.state().builtin(TypeId::Type)) {
        if let Some(names) = own(vm, class, "__abstractmethods__")? {
            return Ok(names);
        }
    }
    Err(missing(vm, class, "__abstractmethods__"))
}

fn set_abstract_methods(vm: &mut Vm, class: &Value, value: Option<&Value>) -> Result<()> {
    let class = receiver::<Type>(vm, class)?.clone();
    let dict = vm.class_dict(&class);
    let name = vm.name(Name::AbstractMethods);
    vm.class_changed(&class);
    let is_abstract = match value {
        Some(value) => {
            let is_abstract = vm.is_true(value)?;
            vm.dict_set(&dict, &name, value.clone())?;
            is_abstract
        }
        None => {
            if vm.dict_remove(&dict, &name)?.is_none() {
                return Err(missing(vm, &class, "__abstractmethods__"));
            }
            false
        }
    };
    class.get(vm).set_flag(ABSTRACT, is_abstract);
    Ok(())
}

fn get_doc(vm: &mut Vm, class: &Value) -> Result<Value> {
    let spec = receiver::<Type>(vm, class)?.get(vm).spec;
    if let Some(spec) = spec.filter(|spec| !spec.doc.is_empty()) {
        return Ok(vm.new_str(spec.doc));
    }
    match own(vm, class, "__doc__")? {
        Some(doc) => {
            let class = receiver::<Type>(vm, class)?.clone();
            vm.bind(&doc, None, &class)
        }
        None => Ok(Value::NONE),
    }
}

fn set_doc(vm: &mut Vm, class: &Value, value: Option<&Value>) -> Result<()> {
    let (class, value) = value_to_set(vm, class, "__doc__", value)?;
    set_own(vm, &class, "__doc__", value)
}

fn get_annotations(vm: &mut Vm, class: &Value) -> Result<Value> {
    let payload = receiver::<Type>(vm, class)?.clone();
    if !payload.get(vm).has(HEAP_TYPE) {
        return Err(missing(vm, class, "__annotations__"));
    }
    if let Some(annotations) = own(vm, class, "__annotations__")? {
        return vm.bind(&annotations, None, &payload);
    }
    let fresh = vm.new_dict().into_value();
    set_own(vm, &payload, "__annotations__", &fresh)?;
    Ok(fresh)
}

fn set_annotations(vm: &mut Vm, class: &Value, value: Option<&Value>) -> Result<()> {
    let payload = receiver::<Type>(vm, class)?.clone();
    if payload.get(vm).has(IMMUTABLE) {
        let message = format!("cannot set '__annotations__' attribute of immutable type '{}'", vm.class_message_name(&payload));
        return Err(vm.type_error(message));
    }
    match value {
        Some(value) => set_own(vm, &payload, "__annotations__", value),
        None => {
            let dict = vm.class_dict(&payload);
            let name = vm.name(Name::Annotations);
            vm.class_changed(&payload);
            if vm.dict_remove(&dict, &name)?.is_none() {
                return Err(vm.attribute_error(class, &name, "__annotations__"));
            }
            Ok(())
        }
    }
}

fn get_type_params(vm: &mut Vm, class: &Value) -> Result<Value> {
    match own(vm, class, "__type_params__")? {
        // In the namespace of `type` stands the descriptor that led here.
        Some(params) if !params.holds::<GetSet>() => Ok(params),
        _ => Ok(vm.empty_tuple()),
    }
}

fn set_type_params(vm: &mut Vm, class: &Value, value: Option<&Value>) -> Result<()> {
    let (class, value) = value_to_set(vm, class, "__type_params__", value)?;
    set_own(vm, &class, "__type_params__", value)
}

fn get_mro(vm: &mut Vm, class: &Value) -> Result<Value> {
    let order: Vec<Value> = receiver::<Type>(vm, class)?.get(vm).mro.iter().map(|class| (**class).clone()).collect();
    Ok(vm.new_tuple(order))
}

fn get_base(vm: &mut Vm, class: &Value) -> Result<Value> {
    Ok(receiver::<Type>(vm, class)?.get(vm).base.clone().map_or(Value::NONE, Ref::into_value))
}

fn get_dict(vm: &mut Vm, class: &Value) -> Result<Value> {
    let class = receiver::<Type>(vm, class)?.clone();
    let mapping = vm.class_dict(&class).into_value();
    Ok(vm.alloc(TypeId::MappingProxy, MappingProxy { mapping }).into_value())
}

/// What the types take whose constructors bind their arguments by themselves.
const UNBOUND_CONSTRUCTORS: &[(&str, &str)] = &[
    ("classmethod", "(function, /)"),
    ("staticmethod", "(function, /)"),
    ("enumerate", "(iterable, start=0)"),
    ("filter", "(function, iterable, /)"),
    ("frozenset", "(iterable=(), /)"),
    ("list", "(iterable=(), /)"),
    ("map", "(function, iterable, /, *iterables)"),
    ("property", "(fget=None, fset=None, fdel=None, doc=None)"),
    ("reversed", "(sequence, /)"),
    ("set", "(iterable=(), /)"),
    ("zip", "(*iterables, strict=False)"),
    ("functools.partial", "(func, /, *args, **keywords)"),
    ("_io._IOBase", "()"),
    ("_io._RawIOBase", "()"),
    ("_io._BufferedIOBase", "()"),
    ("_io._TextIOBase", "()"),
    ("_io.BufferedRWPair", "(reader, writer, buffer_size=8192, /)"),
    ("_io.BufferedRandom", "(raw, buffer_size=8192)"),
    ("_io.BufferedReader", "(raw, buffer_size=8192)"),
    ("_io.BufferedWriter", "(raw, buffer_size=8192)"),
    ("_io.BytesIO", "(initial_bytes=b'')"),
    ("_io.FileIO", "(file, mode='r', closefd=True, opener=None)"),
    ("_io.IncrementalNewlineDecoder", "(decoder, translate, errors='strict')"),
    ("_io.StringIO", "(initial_value='', newline='\\n')"),
    ("_io.TextIOWrapper", "(buffer, encoding=None, errors=None, newline=None, line_buffering=False, write_through=False)"),
    ("itertools.chain", "(*iterables)"),
    ("itertools.product", "(*iterables, repeat=1)"),
    ("itertools.zip_longest", "(*iterables, fillvalue=None)"),
    ("operator.attrgetter", "(attr, /, *attrs)"),
    ("operator.itemgetter", "(item, /, *items)"),
    ("operator.methodcaller", "(name, /, *args, **kwargs)"),
    ("_thread.lock", "()"),
    ("_thread._local", "()"),
    ("ellipsis", "()"),
    ("NoneType", "()"),
    ("NotImplementedType", "()"),
    ("types.GenericAlias", "(origin, args, /)"),
    ("module", "(name, doc=None)"),
    ("types.SimpleNamespace", "(mapping_or_iterable=(), /, **kwargs)"),
    (
        "code",
        "(argcount, posonlyargcount, kwonlyargcount, nlocals, stacksize, flags, codestring, constants, names, varnames, filename, name, qualname, firstlineno, linetable, exceptiontable, freevars=(), cellvars=(), /)",
    ),
];

fn get_text_signature(vm: &mut Vm, class: &Value) -> Result<Value> {
    let spec = receiver::<Type>(vm, class)?.get(vm).spec;
    if let Some((_, shown)) = spec.and_then(|spec| UNBOUND_CONSTRUCTORS.iter().find(|row| row.0 == spec.name)) {
        return Ok(vm.new_str(*shown));
    }
    match spec.and_then(|spec| spec.new.as_ref()) {
        Some(native) => {
            let parameters = native.parameters();
            Ok(if parameters.is_empty() { Value::NONE } else { vm.new_str(parameters.into_owned()) })
        }
        None => Ok(Value::NONE),
    }
}

/// CPython's bits, as far as a script may want to know them.
fn get_flags(vm: &mut Vm, class: &Value) -> Result<Value> {
    let class = receiver::<Type>(vm, class)?.get(vm);
    let mut flags: i64 = 1 << 12;
    for (own, bit) in [(HEAP_TYPE, 9), (BASE_TYPE, 10), (IMMUTABLE, 8), (ABSTRACT, 20), (MATCH_SEQUENCE, 5), (MATCH_MAPPING, 6), (IS_METACLASS, 31)] {
        if class.has(own) {
            flags |= 1 << bit;
        }
    }
    let by_layout = match class.layout {
        Layout::Int => 24,
        Layout::List => 25,
        Layout::Tuple => 26,
        Layout::Bytes => 27,
        Layout::Str => 28,
        Layout::Dict => 29,
        Layout::Exception => 30,
        _ => 14,
    };
    Ok(Value::small(flags | 1 << by_layout))
}

fn get_basic_size(vm: &mut Vm, class: &Value) -> Result<Value> {
    let class = receiver::<Type>(vm, class)?.get(vm);
    let words = class.extra_words() + usize::from(class.fixed_slots);
    Ok(Value::small((LAYOUTS[class.layout as usize].size + words * 8) as i64))
}

// ---- __dict__ and __weakref__ of instances

/// `instance.__dict__`
pub(crate) fn get_instance_dict(vm: &mut Vm, object: &Value) -> Result<Value> {
    if object.holds::<Type>() {
        // A class of the metaclass's bases may have offered its own descriptor.
        return get_dict(vm, object);
    }
    match vm.instance_dict(object)? {
        Some(dict) => Ok(dict.into_value()),
        None => {
            let name = vm.name(Name::Dict);
            Err(vm.no_attribute(object, &name))
        }
    }
}

/// `instance.__dict__ = …`
pub(crate) fn set_instance_dict(vm: &mut Vm, object: &Value, value: Option<&Value>) -> Result<()> {
    if object.holds::<Type>() || object.holds::<crate::object::types::module::Module>() {
        let message = format!("this __dict__ descriptor does not support '{}' objects", vm.type_name(object));
        return Err(vm.type_error(message));
    }
    let Some(value) = value else {
        let is_of_script = |class: &Ref<Type>| class.get(vm).has(HEAP_TYPE) || !class.get(vm).has(HAS_DICT);
        if !vm.type_payload(object).mro.iter().all(is_of_script) {
            return Err(vm.type_error("cannot delete __dict__"));
        }
        let fresh = vm.new_dict();
        return vm.replace_dict(object, fresh);
    };
    match value.downcast::<Dict>() {
        Some(dict) => vm.replace_dict(object, dict.clone()),
        None => {
            let message = format!("__dict__ must be set to a dictionary, not a '{}'", vm.type_name(value));
            Err(vm.type_error(message))
        }
    }
}

/// The row that native types whose instances have a `__dict__` add to their attributes.
pub(crate) const DICT: GetSetSpec = GetSetSpec { name: "__dict__", get: get_instance_dict, set: Some(set_instance_dict) };

fn get_weakref(vm: &mut Vm, object: &Value) -> Result<Value> {
    let _ = vm;
    Ok(weak::references(object).into_iter().next().map_or(Value::NONE, Ref::into_value))
}

impl Vm {
    /// The descriptor `__dict__` of a class whose instances have one.
    pub(crate) fn dict_descriptor(&mut self, class: &Value) -> Value {
        self.alloc(TypeId::GetSetDescriptor, GetSet { spec: DICT, owner: class.clone() }).into_value()
    }

    /// The descriptor `__weakref__` of a class whose instances can be weakly referenced.
    pub(crate) fn weakref_descriptor(&mut self, class: &Value) -> Value {
        let spec = getter("__weakref__", get_weakref);
        self.alloc(TypeId::GetSetDescriptor, GetSet { spec, owner: class.clone() }).into_value()
    }

    /// The name of a class or function, for messages: `__qualname__` when it is a string.
    pub(crate) fn qualname_text(&mut self, object: &Value) -> Result<Option<String>> {
        let found = self.find_attr_str(object, "__qualname__")?;
        Ok(found.filter(|name| name.holds::<Str>()).map(|name| plain(self, &name)))
    }
}
