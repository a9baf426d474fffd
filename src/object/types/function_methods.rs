//! The types of what can be called and of what stands in a class's namespace: functions, cells, methods, native functions and descriptors.

use crate::code::instruction::Comparison;
use crate::object::instance::Instance;
use crate::object::layout::Layout;
use crate::object::native::{Args, GetSet, GetSetSpec, Member, NativeCode, NativeFunction, NativeKind, getter, native};
use crate::object::type_object::{CallArgs, HAS_DICT, HAS_WEAKREFS, HEAP_TYPE, NO_NEW, Slots, Type, TypeSpec, constructor};
use crate::object::types::TypeId;
use crate::object::types::code::Code;
use crate::object::types::dict::Dict;
use crate::object::types::exception::ExceptionKind;
use crate::object::types::function::{BoundMethod, CellPayload, Function};
use crate::object::types::module::Module;
use crate::object::types::object::{plain, receiver};
use crate::object::types::str::Str;
use crate::object::types::tuple::Tuple;
use crate::object::types::type_methods::DICT;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::vm::state::Name;
use crate::vm::{Result, Vm};

// ---- functions

pub(crate) static FUNCTION: TypeSpec = TypeSpec {
    name: "function",
    doc: "Create a function object.",
    layout: Layout::Function,
    flags: HAS_DICT | HAS_WEAKREFS,
    new: constructor("function(code, globals, name=None, argdefs=None, closure=None, kwdefaults=None)", new_function),
    slots: Slots { repr: Some(function_repr), call: Some(call_function), descriptor_get: Some(function_get), ..Slots::NONE },
    getset: &[
        GetSetSpec { name: "__code__", get: |vm, f| Ok(function(vm, f)?.code.clone().into_value()), set: Some(set_code) },
        GetSetSpec { name: "__defaults__", get: |vm, f| Ok(function(vm, f)?.defaults.clone().unwrap_or(Value::NONE)), set: Some(set_defaults) },
        GetSetSpec {
            name: "__kwdefaults__",
            get: |vm, f| Ok(function(vm, f)?.keyword_defaults.clone().unwrap_or(Value::NONE)),
            set: Some(set_keyword_defaults),
        },
        GetSetSpec { name: "__annotations__", get: get_annotations, set: Some(set_annotations) },
        GetSetSpec { name: "__type_params__", get: get_type_params, set: Some(set_type_params) },
        GetSetSpec { name: "__name__", get: |vm, f| Ok(function(vm, f)?.name.clone()), set: Some(set_function_name) },
        GetSetSpec {
            name: "__qualname__",
            get: |vm, f| {
                let function = receiver::<Function>(vm, f)?;
                Ok(vm.function_qualname(function))
            },
            set: Some(set_function_qualname),
        },
        GetSetSpec {
            name: "__doc__",
            get: |vm, f| {
                settle_doc(vm, f)?;
                Ok(function(vm, f)?.doc.clone())
            },
            set: Some(|vm, f, value| {
                let value = value.cloned().unwrap_or(Value::NONE);
                let old = std::mem::replace(&mut receiver::<Function>(vm, f)?.get_mut(vm).doc, value);
                drop(old);
                Ok(())
            }),
        },
        GetSetSpec {
            name: "__module__",
            get: |vm, f| Ok(function(vm, f)?.module.clone()),
            set: Some(|vm, f, value| {
                let value = value.cloned().unwrap_or(Value::NONE);
                let old = std::mem::replace(&mut receiver::<Function>(vm, f)?.get_mut(vm).module, value);
                drop(old);
                Ok(())
            }),
        },
        GetSetSpec { name: "__globals__", get: |vm, f| Ok(function(vm, f)?.globals.clone().into_value()), set: Some(read_only) },
        GetSetSpec { name: "__builtins__", get: |vm, f| Ok(function(vm, f)?.builtins.clone().into_value()), set: Some(read_only) },
        GetSetSpec { name: "__closure__", get: get_closure, set: Some(read_only) },
        DICT,
    ],
    ..TypeSpec::DEFAULT
};

/// The payload of a function, for one look.
fn function<'a>(vm: &'a mut Vm, value: &'a Value) -> Result<&'a Function> {
    let function = receiver::<Function>(vm, value)?;
    Ok(function.get(vm))
}

/// Assignment to an attribute that CPython calls read-only in these words.
pub(crate) fn read_only(vm: &mut Vm, object: &Value, _: Option<&Value>) -> Result<()> {
    let name = vm.empty_str();
    Err(vm.attribute_error(object, &name, "readonly attribute"))
}

fn new_function(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let Some(class) = args[0].downcast::<Type>() else { return Err(vm.type_error("function() needs a class")) };
    let Some(code) = args[1].downcast::<Code>().cloned() else {
        let message = format!("function() argument 'code' must be code, not {}", vm.argument_kind(&args[1]));
        return Err(vm.type_error(message));
    };
    let Some(globals) = args[2].downcast::<Dict>().cloned() else {
        let message = format!("function() argument 'globals' must be dict, not {}", vm.argument_kind(&args[2]));
        return Err(vm.type_error(message));
    };
    let name = args.given_some(3).cloned();
    if name.as_ref().is_some_and(|name| !name.holds::<Str>()) {
        return Err(vm.type_error("arg 3 (name) must be None or string"));
    }
    let defaults = args.given_some(4).cloned();
    if defaults.as_ref().is_some_and(|defaults| !defaults.holds::<Tuple>()) {
        return Err(vm.type_error("arg 4 (defaults) must be None or tuple"));
    }
    let n_free = code.get(vm).unit.free.len();
    let closure = args.given_some(5).cloned();
    if closure.as_ref().is_some_and(|closure| !closure.holds::<Tuple>()) || (closure.is_none() && n_free > 0) {
        return Err(vm.type_error(if n_free > 0 { "arg 5 (closure) must be tuple" } else { "arg 5 (closure) must be None or tuple" }));
    }
    let cells = closure.map(|closure| vm.tuple_items(&closure)).unwrap_or_default();
    let code_name = code.get(vm).name.clone();
    if cells.len() != n_free {
        let message = format!("{} requires closure of length {n_free}, not {}", plain(vm, &code_name), cells.len());
        return Err(vm.value_error(message));
    }
    if let Some(cell) = cells.iter().find(|cell| !cell.holds::<CellPayload>()) {
        let message = format!("arg 5 (closure) expected cell, found {}", vm.type_name(cell));
        return Err(vm.type_error(message));
    }
    let keyword_defaults = args.given_some(6).cloned();
    if keyword_defaults.as_ref().is_some_and(|defaults| !defaults.holds::<Dict>()) {
        return Err(vm.type_error("arg 6 (kwdefaults) must be None or dict"));
    }
    let builtins = vm.builtins_for(&globals)?;
    let module_name = vm.name(Name::Name);
    let module = vm.dict_get(&globals, &module_name)?.unwrap_or(Value::NONE);
    vm.complete_code(&code);
    let payload = code.get(vm);
    let doc = if payload.unit.flags.has_docstring { payload.constants.first().cloned().unwrap_or(Value::NONE) } else { Value::NONE };
    let payload = Function {
        former_codes: None,
        code,
        globals,
        builtins,
        closure: cells.into_boxed_slice(),
        defaults,
        keyword_defaults,
        name: name.unwrap_or(code_name),
        qualname: Value::UNBOUND,
        module,
        doc,
        annotations: None,
        type_params: None,
    };
    Ok(vm.alloc_for(class, payload).into_value())
}

fn function_repr(vm: &mut Vm, value: &Value) -> Result<Value> {
    let name = {
        let function = receiver::<Function>(vm, value)?;
        vm.function_qualname(function)
    };
    let text = format!("<function {} at {:#x}>", plain(vm, &name), value.address());
    Ok(vm.new_str(text))
}

fn call_function(vm: &mut Vm, value: &Value, arguments: CallArgs<'_>) -> Result<Value> {
    vm.call_args(value, arguments)
}

fn function_get(vm: &mut Vm, value: &Value, instance: Option<&Value>, _: &Value) -> Result<Value> {
    Ok(match instance {
        Some(instance) => vm.new_bound_method(value.clone(), instance.clone()),
        None => value.clone(),
    })
}

/// Takes the docstring of a function of the library from its code, if that has not been done yet.
fn settle_doc(vm: &mut Vm, value: &Value) -> Result<()> {
    let function = receiver::<Function>(vm, value)?.clone();
    if function.get(vm).doc.is_unbound() {
        let code = function.get(vm).code.clone();
        vm.complete_code(&code);
        let doc = code.get(vm).constants.first().cloned().unwrap_or(Value::NONE);
        function.get_mut(vm).doc = doc;
    }
    Ok(())
}

fn set_code(vm: &mut Vm, value: &Value, code: Option<&Value>) -> Result<()> {
    settle_doc(vm, value)?;
    let function = receiver::<Function>(vm, value)?;
    let Some(code) = code.and_then(|code| code.downcast::<Code>()) else { return Err(vm.type_error("__code__ must be set to a code object")) };
    let (has, needs) = (function.get(vm).closure.len(), code.get(vm).unit.free.len());
    if has != needs {
        let name = function.get(vm).name.clone();
        let message = format!("{}() requires a code object with {has} free vars, not {needs}", plain(vm, &name));
        return Err(vm.value_error(message));
    }
    let kind = |code: &Code| (code.unit.flags.is_generator, code.unit.flags.is_coroutine, code.unit.flags.is_async_generator);
    if kind(function.get(vm).code.get(vm)) != kind(code.get(vm)) {
        let message = "Assigning a code object of non-matching type is deprecated (e.g., from a generator to a plain function)";
        vm.warn(ExceptionKind::DeprecationWarning, message)?;
    }
    let is_running = vm.is_running(value);
    let qualname = vm.function_qualname(function);
    let payload = function.get_mut(vm);
    let old_qualname = std::mem::replace(&mut payload.qualname, qualname);
    let old = std::mem::replace(&mut payload.code, code.clone());
    let mut codes = payload.former_codes.take().unwrap_or_default();
    codes.push(old);
    if is_running {
        function.get_mut(vm).former_codes = Some(codes);
    }
    drop(old_qualname);
    vm.flush_inline_caches();
    Ok(())
}

fn set_defaults(vm: &mut Vm, value: &Value, defaults: Option<&Value>) -> Result<()> {
    let function = receiver::<Function>(vm, value)?;
    let defaults = defaults.filter(|defaults| !defaults.is_none()).cloned();
    if defaults.as_ref().is_some_and(|defaults| !defaults.holds::<Tuple>()) {
        return Err(vm.type_error("__defaults__ must be set to a tuple object"));
    }
    let old = std::mem::replace(&mut function.get_mut(vm).defaults, defaults);
    drop(old);
    Ok(())
}

fn set_keyword_defaults(vm: &mut Vm, value: &Value, defaults: Option<&Value>) -> Result<()> {
    let function = receiver::<Function>(vm, value)?;
    let defaults = defaults.filter(|defaults| !defaults.is_none()).cloned();
    if defaults.as_ref().is_some_and(|defaults| !defaults.holds::<Dict>()) {
        return Err(vm.type_error("__kwdefaults__ must be set to a dict object"));
    }
    let old = std::mem::replace(&mut function.get_mut(vm).keyword_defaults, defaults);
    drop(old);
    Ok(())
}

fn get_annotations(vm: &mut Vm, value: &Value) -> Result<Value> {
    let function = receiver::<Function>(vm, value)?;
    match function.get(vm).annotations.clone() {
        // The compiler may leave a flat tuple of names and values.
        Some(flat) if flat.holds::<Tuple>() => {
            let dict = vm.new_dict();
            for pair in vm.tuple_items(&flat).chunks_exact(2) {
                vm.dict_set(&dict, &pair[0], pair[1].clone())?;
            }
            let dict = dict.into_value();
            function.get_mut(vm).annotations = Some(dict.clone());
            Ok(dict)
        }
        Some(annotations) => Ok(annotations),
        None => {
            let dict = vm.new_dict().into_value();
            function.get_mut(vm).annotations = Some(dict.clone());
            Ok(dict)
        }
    }
}

fn set_annotations(vm: &mut Vm, value: &Value, annotations: Option<&Value>) -> Result<()> {
    let function = receiver::<Function>(vm, value)?;
    let annotations = annotations.filter(|annotations| !annotations.is_none()).cloned();
    if annotations.as_ref().is_some_and(|annotations| !annotations.holds::<Dict>()) {
        return Err(vm.type_error("__annotations__ must be set to a dict object"));
    }
    let old = std::mem::replace(&mut function.get_mut(vm).annotations, annotations);
    drop(old);
    Ok(())
}

fn get_type_params(vm: &mut Vm, value: &Value) -> Result<Value> {
    match function(vm, value)?.type_params.clone() {
        Some(params) => Ok(params),
        None => Ok(vm.empty_tuple()),
    }
}

fn set_type_params(vm: &mut Vm, value: &Value, params: Option<&Value>) -> Result<()> {
    let function = receiver::<Function>(vm, value)?;
    let Some(params) = params.filter(|params| params.holds::<Tuple>()) else { return Err(vm.type_error("__type_params__ must be set to a tuple")) };
    function.get_mut(vm).type_params = Some(params.clone());
    Ok(())
}

fn set_function_name(vm: &mut Vm, value: &Value, name: Option<&Value>) -> Result<()> {
    let function = receiver::<Function>(vm, value)?;
    let Some(name) = name.filter(|name| name.holds::<Str>()) else { return Err(vm.type_error("__name__ must be set to a string object")) };
    let old = std::mem::replace(&mut function.get_mut(vm).name, name.clone());
    drop(old);
    Ok(())
}

fn set_function_qualname(vm: &mut Vm, value: &Value, name: Option<&Value>) -> Result<()> {
    let function = receiver::<Function>(vm, value)?;
    let Some(name) = name.filter(|name| name.holds::<Str>()) else { return Err(vm.type_error("__qualname__ must be set to a string object")) };
    let old = std::mem::replace(&mut function.get_mut(vm).qualname, name.clone());
    drop(old);
    Ok(())
}

fn get_closure(vm: &mut Vm, value: &Value) -> Result<Value> {
    let cells = function(vm, value)?.closure.to_vec();
    Ok(if cells.is_empty() { Value::NONE } else { vm.new_tuple(cells) })
}

// ---- cells

pub(crate) static CELL: TypeSpec = TypeSpec {
    name: "cell",
    doc: "Create a new cell object.",
    layout: Layout::Cell,
    new: constructor("cell(contents=None, /)", new_cell),
    slots: Slots { repr: Some(cell_repr), compare: Some(compare_cells), ..Slots::NONE },
    getset: &[GetSetSpec {
        name: "cell_contents",
        get: |vm, cell| {
            let content = receiver::<CellPayload>(vm, cell)?.get(vm).content.clone();
            if content.is_unbound() { Err(vm.value_error("Cell is empty")) } else { Ok(content) }
        },
        set: Some(|vm, cell, value| {
            let value = value.cloned().unwrap_or(Value::UNBOUND);
            let old = std::mem::replace(&mut receiver::<CellPayload>(vm, cell)?.get_mut(vm).content, value);
            drop(old);
            Ok(())
        }),
    }],
    ..TypeSpec::DEFAULT
};

fn new_cell(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let content = args.given(1).cloned().unwrap_or(Value::UNBOUND);
    Ok(vm.new_cell(content))
}

fn cell_repr(vm: &mut Vm, value: &Value) -> Result<Value> {
    let content = receiver::<CellPayload>(vm, value)?.get(vm).content.clone();
    let text = if content.is_unbound() {
        format!("<cell at {:#x}: empty>", value.address())
    } else {
        format!("<cell at {:#x}: {} object at {:#x}>", value.address(), vm.type_name(&content), content.address())
    };
    Ok(vm.new_str(text))
}

fn compare_cells(vm: &mut Vm, left: &Value, right: &Value, comparison: Comparison) -> Result<Value> {
    let (Some(left), Some(right)) = (left.downcast::<CellPayload>(), right.downcast::<CellPayload>()) else { return Ok(Value::NOT_IMPLEMENTED) };
    let (left, right) = (left.get(vm).content.clone(), right.get(vm).content.clone());
    if left.is_unbound() || right.is_unbound() {
        let (left, right) = (!left.is_unbound(), !right.is_unbound());
        return Ok(Value::from_bool(match comparison {
            Comparison::Less => left < right,
            Comparison::LessEqual => left <= right,
            Comparison::Equal => left == right,
            Comparison::NotEqual => left != right,
            Comparison::Greater => left > right,
            _ => left >= right,
        }));
    }
    vm.compare(&left, &right, comparison)
}

// ---- bound methods

pub(crate) static METHOD: TypeSpec = TypeSpec {
    name: "method",
    doc: "A function bound to the object that is its first argument.",
    layout: Layout::BoundMethod,
    flags: HAS_WEAKREFS,
    new: constructor("method(function, instance, /)", new_method),
    slots: Slots {
        repr: Some(method_repr),
        hash: Some(method_hash),
        compare: Some(compare_methods),
        call: Some(call_function),
        get_attribute: Some(method_attribute),
        descriptor_get: Some(|_, method, _, _| Ok(method.clone())),
        ..Slots::NONE
    },
    methods: &[native("__reduce__(self, /)", reduce_method)],
    getset: &[
        GetSetSpec { name: "__func__", get: |vm, m| Ok(receiver::<BoundMethod>(vm, m)?.get(vm).function.clone()), set: Some(read_only) },
        GetSetSpec { name: "__self__", get: |vm, m| Ok(receiver::<BoundMethod>(vm, m)?.get(vm).receiver.clone()), set: Some(read_only) },
        getter("__doc__", |vm, m| {
            let function = receiver::<BoundMethod>(vm, m)?.get(vm).function.clone();
            vm.get_attr_str(&function, "__doc__")
        }),
    ],
    ..TypeSpec::DEFAULT
};

fn new_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if vm.type_payload(&args[1]).slots.call.is_none() {
        return Err(vm.type_error("first argument must be callable"));
    }
    if args[2].is_none() {
        return Err(vm.type_error("instance must not be None"));
    }
    Ok(vm.new_bound_method(args[1].clone(), args[2].clone()))
}

fn method_attribute(vm: &mut Vm, object: &Value, name: &Value) -> Result<Value> {
    let name = &vm.intern_value(name);
    let class = vm.type_of(object);
    if let Some(attribute) = vm.type_lookup(&class, name) {
        return vm.bind(&attribute, Some(object), &class);
    }
    let function = receiver::<BoundMethod>(vm, object)?.get(vm).function.clone();
    vm.get_attr(&function, name)
}

fn method_repr(vm: &mut Vm, value: &Value) -> Result<Value> {
    let payload = receiver::<BoundMethod>(vm, value)?.get(vm);
    let (function, instance) = (payload.function.clone(), payload.receiver.clone());
    let mut name = vm.find_attr_str(&function, "__qualname__")?;
    if name.is_none() {
        name = vm.find_attr_str(&function, "__name__")?;
    }
    let name = match name {
        Some(name) if name.holds::<Str>() => plain(vm, &name),
        _ => "?".to_owned(),
    };
    let mut text = crate::text::TextBuilder::new();
    text.push_str(&format!("<bound method {name} of "));
    text.push_text(&vm.repr_text(&instance)?);
    text.push_str(">");
    Ok(vm.new_str(text.finish()))
}

fn method_hash(vm: &mut Vm, value: &Value) -> Result<i64> {
    let payload = receiver::<BoundMethod>(vm, value)?.get(vm);
    let (function, instance) = (payload.function.clone(), payload.receiver.clone());
    let hash = vm.identity_hash(&instance) ^ vm.hash(&function)?;
    Ok(if hash == -1 { -2 } else { hash })
}

fn compare_methods(vm: &mut Vm, left: &Value, right: &Value, comparison: Comparison) -> Result<Value> {
    let (Some(left), Some(right)) = (left.downcast::<BoundMethod>(), right.downcast::<BoundMethod>()) else { return Ok(Value::NOT_IMPLEMENTED) };
    if !matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    let (left, right) = (left.get(vm), right.get(vm));
    let same_receiver = left.receiver.is(&right.receiver);
    let (left, right) = (left.function.clone(), right.function.clone());
    let equal = same_receiver && vm.equal(&left, &right)?;
    Ok(Value::from_bool(equal == (comparison == Comparison::Equal)))
}

fn reduce_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let payload = receiver::<BoundMethod>(vm, &args[0])?.get(vm);
    let (function, instance) = (payload.function.clone(), payload.receiver.clone());
    let name = vm.get_attr_str(&function, "__name__")?;
    reduce_to_attribute(vm, instance, name)
}

/// `(getattr, (object, name))`
fn reduce_to_attribute(vm: &mut Vm, object: Value, name: Value) -> Result<Value> {
    let builtins = vm.state().builtins.clone();
    let getattr = vm.dict_get_str(&builtins, "getattr")?.unwrap_or(Value::NONE);
    let arguments = vm.new_tuple(vec![object, name]);
    Ok(vm.new_tuple(vec![getattr, arguments]))
}

// ---- native functions

pub(crate) static BUILTIN_FUNCTION: TypeSpec = TypeSpec {
    name: "builtin_function_or_method",
    layout: Layout::NativeFunction,
    flags: NO_NEW | HAS_WEAKREFS,
    slots: Slots { repr: Some(native_repr), hash: Some(native_hash), compare: Some(compare_natives), call: Some(call_function), ..Slots::NONE },
    methods: &[native("__reduce__(self, /)", reduce_native)],
    getset: &[
        getter("__name__", native_name),
        getter("__qualname__", native_qualname),
        getter("__self__", native_self),
        getter("__module__", native_module),
        getter("__doc__", native_doc),
        getter("__text_signature__", native_text_signature),
    ],
    ..TypeSpec::DEFAULT
};

pub(crate) static METHOD_DESCRIPTOR: TypeSpec = TypeSpec {
    name: "method_descriptor",
    layout: Layout::NativeFunction,
    flags: NO_NEW | HAS_WEAKREFS,
    slots: Slots { repr: Some(native_repr), call: Some(call_function), descriptor_get: Some(native_get), ..Slots::NONE },
    methods: &[native("__reduce__(self, /)", reduce_native)],
    getset: DESCRIPTOR_ATTRIBUTES,
    ..TypeSpec::DEFAULT
};

pub(crate) static CLASS_METHOD_DESCRIPTOR: TypeSpec = TypeSpec {
    name: "classmethod_descriptor",
    layout: Layout::NativeFunction,
    flags: NO_NEW,
    slots: Slots { repr: Some(native_repr), call: Some(call_function), descriptor_get: Some(native_get), ..Slots::NONE },
    methods: &[native("__reduce__(self, /)", reduce_native)],
    getset: DESCRIPTOR_ATTRIBUTES,
    ..TypeSpec::DEFAULT
};

pub(crate) static SLOT_WRAPPER: TypeSpec = TypeSpec {
    name: "wrapper_descriptor",
    layout: Layout::NativeFunction,
    flags: NO_NEW,
    slots: Slots { repr: Some(native_repr), call: Some(call_function), descriptor_get: Some(native_get), ..Slots::NONE },
    methods: &[native("__reduce__(self, /)", reduce_native)],
    getset: DESCRIPTOR_ATTRIBUTES,
    ..TypeSpec::DEFAULT
};

pub(crate) static METHOD_WRAPPER: TypeSpec = TypeSpec {
    name: "method-wrapper",
    layout: Layout::NativeFunction,
    flags: NO_NEW,
    slots: Slots { repr: Some(native_repr), hash: Some(native_hash), compare: Some(compare_natives), call: Some(call_function), ..Slots::NONE },
    methods: &[native("__reduce__(self, /)", reduce_native)],
    getset: &[
        getter("__name__", native_name),
        getter("__qualname__", native_qualname),
        getter("__self__", native_self),
        getter("__objclass__", native_owner),
        getter("__doc__", native_doc),
        getter("__text_signature__", native_text_signature),
    ],
    ..TypeSpec::DEFAULT
};

const DESCRIPTOR_ATTRIBUTES: &[GetSetSpec] = &[
    getter("__name__", native_name),
    getter("__qualname__", native_qualname),
    getter("__objclass__", native_owner),
    getter("__doc__", native_doc),
    getter("__text_signature__", native_text_signature),
];

fn native_payload<'a>(vm: &'a mut Vm, value: &'a Value) -> Result<&'a NativeFunction> {
    let function = receiver::<NativeFunction>(vm, value)?;
    Ok(function.get(vm))
}

/// The type a native function belongs to, if it does.
fn owner_of(vm: &mut Vm, value: &Value) -> Result<Option<Ref<Type>>> {
    Ok(native_payload(vm, value)?.owner.downcast::<Type>().cloned())
}

/// What a native function was looked up on: the receiver, or the class of a `__new__` or static method.
fn bound_to(vm: &mut Vm, value: &Value) -> Result<Option<Value>> {
    let payload = native_payload(vm, value)?;
    if let Some(receiver) = &payload.receiver {
        return Ok(Some(receiver.clone()));
    }
    let is_new = matches!(payload.code, NativeCode::Slot(_)) && payload.kind == NativeKind::Function;
    Ok(is_new.then(|| payload.owner.clone()))
}

fn native_name(vm: &mut Vm, value: &Value) -> Result<Value> {
    let name = native_payload(vm, value)?.name().to_owned();
    Ok(vm.intern(&name))
}

fn native_qualname(vm: &mut Vm, value: &Value) -> Result<Value> {
    let name = native_payload(vm, value)?.name().to_owned();
    let kind = native_payload(vm, value)?.kind;
    let bound = bound_to(vm, value)?;
    let class = match (kind, bound) {
        (NativeKind::Function, None) => None,
        (NativeKind::Bound | NativeKind::Function, Some(receiver)) => match receiver.into_ref::<Type>() {
            Ok(class) => Some(class),
            Err(receiver) => Some(vm.type_of(&receiver)),
        },
        _ => owner_of(vm, value)?,
    };
    let text = match class {
        Some(class) => {
            let qualname = class.get(vm).qualname.clone();
            format!("{}.{name}", plain(vm, &qualname))
        }
        None => name,
    };
    Ok(vm.new_str(text))
}

fn native_self(vm: &mut Vm, value: &Value) -> Result<Value> {
    if let Some(bound) = bound_to(vm, value)? {
        return Ok(bound);
    }
    let owner = native_payload(vm, value)?.owner.clone();
    let Some(home) = vm.text_of(&owner).map(ToString::to_string) else { return Ok(Value::NONE) };
    let modules = vm.state().modules.clone();
    for name in [home.as_str(), Vm::module_of(&home)] {
        if let Some(module) = vm.dict_get_str(&modules, name)? {
            return Ok(module);
        }
    }
    Ok(Value::NONE)
}

fn native_module(vm: &mut Vm, value: &Value) -> Result<Value> {
    let owner = native_payload(vm, value)?.owner.clone();
    Ok(if owner.holds::<Str>() { owner } else { Value::NONE })
}

fn native_owner(vm: &mut Vm, value: &Value) -> Result<Value> {
    Ok(native_payload(vm, value)?.owner.clone())
}

fn native_doc(vm: &mut Vm, value: &Value) -> Result<Value> {
    let payload = native_payload(vm, value)?;
    let (name, owner) = (payload.name().to_owned(), payload.owner.clone());
    let owner = match owner.downcast::<Type>() {
        Some(class) => vm.class_name(class),
        None => vm.text_of(&owner).map(ToString::to_string).unwrap_or_default(),
    };
    Ok(doc_of(&owner, &name).map_or(Value::NONE, |doc| vm.new_str(doc)))
}

/// What the table says of a native: of the one of that type or module, or of methods of that name in general.
fn doc_of(owner: &str, name: &str) -> Option<&'static str> {
    const DOCS: &str = include_str!("../native_docs.txt");
    let find = |owner: &str| {
        DOCS.lines().find_map(|line| {
            let rest = line.strip_prefix(owner)?;
            let rest = if owner.is_empty() && !line.starts_with('.') { rest } else { rest.strip_prefix('.')? };
            rest.strip_prefix(name)?.strip_prefix(": ")
        })
    };
    let is_general = !owner.is_empty() && owner != "builtins";
    if is_general {
        find(owner).or_else(|| DOCS.lines().find_map(|line| line.strip_prefix('.')?.strip_prefix(name)?.strip_prefix(": ")))
    } else {
        find("")
    }
}

fn native_text_signature(vm: &mut Vm, value: &Value) -> Result<Value> {
    let payload = native_payload(vm, value)?;
    let kind = payload.kind;
    let is_static = kind == NativeKind::Function && payload.owner.holds::<Type>();
    let text = match &payload.code {
        NativeCode::Table(row, _) => {
            let parameters = row.parameters();
            if parameters.is_empty() {
                return Ok(Value::NONE);
            }
            if let Some(rest) = parameters.strip_prefix("(self") {
                format!("($self{rest}")
            } else if let Some(rest) = parameters.strip_prefix("(cls").filter(|_| kind != NativeKind::Function) {
                format!("($type{rest}")
            } else if is_static {
                parameters.into_owned()
            } else if parameters == "()" {
                "($module)".to_owned()
            } else {
                format!("($module, {}", &parameters[1..])
            }
        }
        NativeCode::Slot(method) if kind != NativeKind::SlotWrapper && kind != NativeKind::BoundSlotWrapper && !is_static => {
            // Offered as an ordinary method, whose parameter has a name of the type's own.
            let (owner, parameters) = (payload.owner.downcast::<Type>().cloned(), method.parameters);
            match owner.map(|owner| vm.class_name(&owner)).as_deref() {
                Some("list") => "($self, index, /)".to_owned(),
                Some("set" | "frozenset") => "($self, object, /)".to_owned(),
                _ => parameters.to_owned(),
            }
        }
        NativeCode::Slot(method) if method.name == "__pow__" || method.name == "__rpow__" => "($self, value, mod=None, /)".to_owned(),
        NativeCode::Slot(method) => method.parameters.to_owned(),
        NativeCode::Host(_) => return Ok(Value::NONE),
    };
    Ok(vm.new_str(text))
}

fn native_repr(vm: &mut Vm, value: &Value) -> Result<Value> {
    let payload = native_payload(vm, value)?;
    let (name, kind) = (payload.name().to_owned(), payload.kind);
    let owner = owner_of(vm, value)?.map(|owner| vm.class_name(&owner)).unwrap_or_default();
    let text = match kind {
        NativeKind::Method | NativeKind::ClassMethod => format!("<method '{name}' of '{owner}' objects>"),
        NativeKind::SlotWrapper => format!("<slot wrapper '{name}' of '{owner}' objects>"),
        NativeKind::BoundSlotWrapper => {
            let bound = bound_to(vm, value)?.unwrap_or(Value::NONE);
            format!("<method-wrapper '{name}' of {} object at {:#x}>", vm.type_name(&bound), bound.address())
        }
        NativeKind::Function | NativeKind::Bound => match bound_to(vm, value)? {
            Some(bound) if !bound.holds::<Module>() => {
                format!("<built-in method {name} of {} object at {:#x}>", vm.type_name(&bound), bound.address())
            }
            _ => format!("<built-in function {name}>"),
        },
    };
    Ok(vm.new_str(text))
}

/// What two native functions have to share to be the same one.
fn native_identity(payload: &NativeFunction) -> (u64, usize) {
    let code = match &payload.code {
        NativeCode::Table(row, _) => std::ptr::from_ref::<crate::object::native::Native>(row) as usize,
        NativeCode::Slot(method) => std::ptr::from_ref::<crate::object::slot_wrapper::SpecialMethod>(method) as usize,
        NativeCode::Host(host) => std::rc::Rc::as_ptr(host) as usize,
    };
    (payload.owner.address(), code)
}

fn native_hash(vm: &mut Vm, value: &Value) -> Result<i64> {
    let payload = native_payload(vm, value)?;
    let (owner, code) = native_identity(payload);
    let receiver = payload.receiver.as_ref().map_or(0, Value::address);
    let hash = (owner.rotate_right(4) ^ receiver.rotate_right(4) ^ (code as u64).rotate_right(7)) as i64;
    Ok(if hash == -1 { -2 } else { hash })
}

fn compare_natives(vm: &mut Vm, left: &Value, right: &Value, comparison: Comparison) -> Result<Value> {
    let (Some(left), Some(right)) = (left.downcast::<NativeFunction>(), right.downcast::<NativeFunction>()) else {
        return Ok(Value::NOT_IMPLEMENTED);
    };
    let (left, right) = (left.get(vm), right.get(vm));
    let same_receiver = match (&left.receiver, &right.receiver) {
        (Some(left), Some(right)) => left.is(right),
        (None, None) => true,
        _ => false,
    };
    let equal = same_receiver && left.kind == right.kind && native_identity(left) == native_identity(right);
    match comparison {
        Comparison::Equal => Ok(Value::from_bool(equal)),
        Comparison::NotEqual => Ok(Value::from_bool(!equal)),
        _ => Ok(Value::NOT_IMPLEMENTED),
    }
}

fn reduce_native(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let name = native_name(vm, &args[0])?;
    match native_payload(vm, &args[0])?.kind {
        NativeKind::Method | NativeKind::ClassMethod | NativeKind::SlotWrapper => {
            let owner = native_owner(vm, &args[0])?;
            reduce_to_attribute(vm, owner, name)
        }
        _ => match bound_to(vm, &args[0])? {
            Some(bound) if !bound.holds::<Module>() => reduce_to_attribute(vm, bound, name),
            _ => Ok(name),
        },
    }
}

/// A method of a native type bound to its receiver.
pub(crate) fn bind_native(vm: &mut Vm, function: &Ref<NativeFunction>, instance: Value) -> Value {
    let payload = function.get(vm);
    let (kind, id) = match payload.kind {
        NativeKind::SlotWrapper => (NativeKind::BoundSlotWrapper, TypeId::MethodWrapper),
        _ => (NativeKind::Bound, TypeId::BuiltinFunction),
    };
    let bound =
        NativeFunction { arity: payload.arity.clone(), ..NativeFunction::new(kind, payload.code.clone(), Some(instance), payload.owner.clone()) };
    vm.alloc(id, bound).into_value()
}

fn native_get(vm: &mut Vm, value: &Value, instance: Option<&Value>, class: &Value) -> Result<Value> {
    let function = receiver::<NativeFunction>(vm, value)?;
    let (kind, name) = (function.get(vm).kind, function.get(vm).name());
    if kind == NativeKind::ClassMethod {
        let name = name.to_owned();
        let Some(owner) = owner_of(vm, value)? else { return Ok(value.clone()) };
        match class.downcast::<Type>() {
            Some(class) if class.get(vm).is_subtype_of(&owner) => return Ok(bind_native(vm, function, (**class).clone())),
            Some(class) => {
                let message =
                    format!("descriptor '{name}' requires a subtype of '{}' but received '{}'", vm.class_name(&owner), vm.class_name(class));
                return Err(vm.type_error(message));
            }
            None => {
                let message =
                    format!("descriptor '{name}' for type '{}' needs a type, not a '{}' as arg 2", vm.class_name(&owner), vm.type_name(class));
                return Err(vm.type_error(message));
            }
        }
    }
    let Some(instance) = instance else { return Ok(value.clone()) };
    if let Some(owner) = function.get(vm).owner.downcast::<Type>() {
        if !vm.is_instance(instance, owner) {
            let message =
                format!("descriptor '{name}' for '{}' objects doesn't apply to a '{}' object", vm.class_name(owner), vm.type_name(instance));
            return Err(vm.type_error(message));
        }
    }
    Ok(bind_native(vm, function, instance.clone()))
}

// ---- attributes that Rust computes, and those of __slots__

pub(crate) static GETSET_DESCRIPTOR: TypeSpec = TypeSpec {
    name: "getset_descriptor",
    layout: Layout::GetSet,
    flags: NO_NEW,
    slots: Slots { repr: Some(getset_repr), descriptor_get: Some(getset_get), descriptor_set: Some(getset_set), ..Slots::NONE },
    getset: &[
        getter("__name__", |vm, d| {
            let name = receiver::<GetSet>(vm, d)?.get(vm).spec.name;
            Ok(vm.intern(name))
        }),
        getter("__qualname__", |vm, d| {
            let payload = receiver::<GetSet>(vm, d)?.get(vm);
            let (name, owner) = (payload.spec.name, payload.owner.clone());
            let owner = vm.qualname_text(&owner)?.unwrap_or_default();
            Ok(vm.new_str(format!("{owner}.{name}")))
        }),
        getter("__objclass__", |vm, d| Ok(receiver::<GetSet>(vm, d)?.get(vm).owner.clone())),
        getter("__doc__", |vm, d| {
            let payload = receiver::<GetSet>(vm, d)?.get(vm);
            let is_of_script = payload.owner.downcast::<Type>().is_some_and(|owner| owner.get(vm).has(HEAP_TYPE));
            Ok(match payload.spec.name {
                "__dict__" if is_of_script => vm.new_str("dictionary for instance variables"),
                "__weakref__" if is_of_script => vm.new_str("list of weak references to the object"),
                _ => Value::NONE,
            })
        }),
    ],
    ..TypeSpec::DEFAULT
};

pub(crate) static MEMBER_DESCRIPTOR: TypeSpec = TypeSpec {
    name: "member_descriptor",
    layout: Layout::Member,
    flags: NO_NEW,
    slots: Slots { repr: Some(member_repr), descriptor_get: Some(member_get), descriptor_set: Some(member_set), ..Slots::NONE },
    methods: &[native("__reduce__(self, /)", |vm, args| {
        let payload = receiver::<Member>(vm, &args[0])?.get(vm);
        let (name, owner) = (payload.name.clone(), payload.owner.clone());
        reduce_to_attribute(vm, owner, name)
    })],
    getset: &[
        getter("__name__", |vm, d| Ok(receiver::<Member>(vm, d)?.get(vm).name.clone())),
        getter("__qualname__", |vm, d| {
            let payload = receiver::<Member>(vm, d)?.get(vm);
            let (name, owner) = (payload.name.clone(), payload.owner.clone());
            let owner = vm.qualname_text(&owner)?.unwrap_or_default();
            let name = plain(vm, &name);
            Ok(vm.new_str(format!("{owner}.{name}")))
        }),
        getter("__objclass__", |vm, d| Ok(receiver::<Member>(vm, d)?.get(vm).owner.clone())),
        getter("__doc__", |_, _| Ok(Value::NONE)),
    ],
    ..TypeSpec::DEFAULT
};

/// Refuses an instance that is none of the descriptor's class.
fn check_owner(vm: &mut Vm, owner: &Value, name: &str, instance: &Value) -> Result<()> {
    let Some(owner) = owner.downcast::<Type>() else { return Ok(()) };
    if vm.is_instance(instance, owner) {
        return Ok(());
    }
    let message = format!("descriptor '{name}' for '{}' objects doesn't apply to a '{}' object", vm.class_name(owner), vm.type_name(instance));
    Err(vm.type_error(message))
}

fn owner_name(vm: &Vm, owner: &Value) -> String {
    owner.downcast::<Type>().map(|owner| vm.class_message_name(owner)).unwrap_or_default()
}

fn getset_repr(vm: &mut Vm, value: &Value) -> Result<Value> {
    let payload = receiver::<GetSet>(vm, value)?.get(vm);
    let text = format!("<attribute '{}' of '{}' objects>", payload.spec.name, owner_name(vm, &payload.owner));
    Ok(vm.new_str(text))
}

fn getset_get(vm: &mut Vm, value: &Value, instance: Option<&Value>, _: &Value) -> Result<Value> {
    let Some(instance) = instance else { return Ok(value.clone()) };
    let payload = receiver::<GetSet>(vm, value)?.get(vm);
    let (spec, owner) = (payload.spec, payload.owner.clone());
    check_owner(vm, &owner, spec.name, instance)?;
    (spec.get)(vm, instance)
}

fn getset_set(vm: &mut Vm, value: &Value, instance: &Value, new: Option<&Value>) -> Result<()> {
    let payload = receiver::<GetSet>(vm, value)?.get(vm);
    let (spec, owner) = (payload.spec, payload.owner.clone());
    check_owner(vm, &owner, spec.name, instance)?;
    match spec.set {
        Some(set) => set(vm, instance, new),
        None => {
            let name = vm.intern(spec.name);
            let message = format!("attribute '{}' of '{}' objects is not writable", spec.name, owner_name(vm, &owner));
            Err(vm.attribute_error(instance, &name, message))
        }
    }
}

fn member_repr(vm: &mut Vm, value: &Value) -> Result<Value> {
    let payload = receiver::<Member>(vm, value)?.get(vm);
    let text = format!("<member '{}' of '{}' objects>", plain(vm, &payload.name), owner_name(vm, &payload.owner));
    Ok(vm.new_str(text))
}

/// What a slot holds.
fn slot_value(vm: &Vm, instance: &Value, index: usize) -> Option<Value> {
    match instance.downcast::<Instance>() {
        Some(plain) => {
            let word = *plain.get(vm).slots().get(index)?;
            // SAFETY-free: `borrowed` takes a count of what the live instance's slot owns.
            (word != Word::UNBOUND).then(|| borrowed(word))
        }
        None => vm.get_extra_word(instance, index),
    }
}

#[allow(unsafe_code, reason = "a slot's word, owned by the instance that is borrowed meanwhile")]
fn borrowed(word: Word) -> Value {
    // SAFETY: the caller holds the instance, which owns the word.
    unsafe { Value::from_borrowed(word) }
}

#[allow(unsafe_code, reason = "a slot's word, which the instance gave up")]
fn owned(word: Word) -> Value {
    // SAFETY: the word was just taken out of its slot.
    unsafe { Value::from_owned(word) }
}

/// `check_owner`, which makes a text of the name only for its message.
fn check_member(vm: &mut Vm, owner: &Value, name: &Value, instance: &Value) -> Result<()> {
    if vm.type_payload(instance).is_subtype_of(owner) {
        return Ok(());
    }
    let text = plain(vm, name);
    check_owner(vm, owner, &text, instance)
}

fn member_get(vm: &mut Vm, value: &Value, instance: Option<&Value>, _: &Value) -> Result<Value> {
    let Some(instance) = instance else { return Ok(value.clone()) };
    let payload = receiver::<Member>(vm, value)?.get(vm);
    let (name, owner, index) = (payload.name.clone(), payload.owner.clone(), usize::from(payload.index));
    check_member(vm, &owner, &name, instance)?;
    match slot_value(vm, instance, index) {
        Some(value) => Ok(value),
        None => {
            let class = vm.type_of(instance);
            let (class, text) = (vm.class_full_name(&class), plain(vm, &name));
            let message = format!("'{}' object has no attribute '{text}'", class.strip_prefix("__main__.").unwrap_or(&class));
            Err(vm.attribute_error(instance, &name, message))
        }
    }
}

fn member_set(vm: &mut Vm, value: &Value, instance: &Value, new: Option<&Value>) -> Result<()> {
    let payload = receiver::<Member>(vm, value)?.get(vm);
    let (name, owner, index) = (payload.name.clone(), payload.owner.clone(), usize::from(payload.index));
    check_member(vm, &owner, &name, instance)?;
    if new.is_none() && slot_value(vm, instance, index).is_none() {
        let text = plain(vm, &name);
        return Err(vm.attribute_error(instance, &name, text));
    }
    let new = new.cloned().unwrap_or(Value::UNBOUND);
    match instance.downcast::<Instance>() {
        Some(plain) => {
            if let Some(slot) = plain.get_mut(vm).slots_mut().get_mut(index) {
                let old = std::mem::replace(slot, new.into_word());
                drop(owned(old));
            }
        }
        None => vm.set_extra_word(instance, index, new),
    }
    Ok(())
}
