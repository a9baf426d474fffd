//! `property`, `classmethod`, `staticmethod`, `super` and `mappingproxy`: their methods.

use super::descriptor::{ClassMethod, MappingProxy, Property, StaticMethod, Super};
use super::list::List;
use super::tuple::Tuple;
use super::{TypeId, generic_alias_methods};
use crate::code::instruction::Comparison;
use crate::object::layout::Layout;
use crate::object::native::{Args, GetSetSpec, Native, getter, native};
use crate::object::sequence;
use crate::object::type_object::{BASE_TYPE, BinaryOperator, CallArgs, HAS_DICT, MATCH_MAPPING, Slots, Type, TypeSpec, binary, constructor};
use crate::object::types::exception::ExceptionKind;
use crate::object::value::{Ref, Value};
use crate::vm::{Raised, Result, Vm};

// ---- property

pub(crate) static PROPERTY: TypeSpec = TypeSpec {
    name: "property",
    doc: "An attribute whose reading, setting and deleting are function calls.\n\nfget, fset and fdel are called with the instance; one that is None makes the operation an\nAttributeError. doc is the docstring, by default fget's. As a decorator:\n\n    class Circle:\n        @property\n        def area(self):\n            return 3.14159 * self.radius ** 2\n        @area.setter\n        def area(self, value):\n            self.radius = (value / 3.14159) ** 0.5",
    layout: Layout::Property,
    flags: BASE_TYPE,
    new: constructor("property(*args, **kwargs)", property_new),
    slots: Slots { init: Some(property_init), descriptor_get: Some(property_get), descriptor_set: Some(property_set), ..Slots::NONE },
    methods: &[
        native("getter(self, object, /)", property_getter),
        native("setter(self, object, /)", property_setter),
        native("deleter(self, object, /)", property_deleter),
        native("__set_name__(self, *args)", property_set_name).shown("(self, owner, name, /)").unpacked(),
    ],
    getset: &[
        getter("fget", |vm, this| Ok(property_of(this).get(vm).get.clone())),
        getter("fset", |vm, this| Ok(property_of(this).get(vm).set.clone())),
        getter("fdel", |vm, this| Ok(property_of(this).get(vm).delete.clone())),
        GetSetSpec { name: "__doc__", get: |vm, this| Ok(property_of(this).get(vm).doc.clone()), set: Some(property_set_doc) },
        GetSetSpec { name: "__name__", get: property_name, set: Some(property_set_its_name) },
        getter("__isabstractmethod__", property_is_abstract),
    ],
    ..TypeSpec::DEFAULT
};

fn property_of(value: &Value) -> &Ref<Property> {
    value.downcast::<Property>().expect("the slot or method was found on a property")
}

fn property_new(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("a constructor gets its class");
    let empty = Property { get: Value::NONE, set: Value::NONE, delete: Value::NONE, doc: Value::NONE, name: None, doc_from_getter: false };
    Ok(vm.alloc_for(class, empty).into_value())
}

/// Binds arguments to parameters that may all be left out.
fn bind<const N: usize>(vm: &mut Vm, function: &str, parameters: [&str; N], args: CallArgs<'_>) -> Result<[Option<Value>; N]> {
    let mut bound = [const { None }; N];
    let given = args.values.len();
    if args.unnamed().len() > N {
        return Err(vm.type_error(format!("{function}() takes at most {N} arguments ({given} given)")));
    }
    for (place, value) in bound.iter_mut().zip(args.unnamed()) {
        *place = Some(value.clone());
    }
    for (name, value) in args.named() {
        let name = sequence::text(vm, name).unwrap_or_default();
        let Some(place) = parameters.iter().position(|parameter| name == **parameter) else {
            return Err(vm.type_error(format!("{function}() got an unexpected keyword argument '{name}'")));
        };
        if bound[place].is_some() {
            return Err(vm.type_error(format!("argument for {function}() given by name ('{name}') and position ({})", place + 1)));
        }
        bound[place] = Some(value.clone());
    }
    Ok(bound)
}

fn property_init(vm: &mut Vm, this: &Value, args: CallArgs<'_>) -> Result<()> {
    let [get, set, delete, doc] = bind(vm, "property", ["fget", "fset", "fdel", "doc"], args)?.map(|value| value.unwrap_or(Value::NONE));
    let mut documentation = doc.clone();
    let mut from_getter = false;
    if doc.is_none() && !get.is_none() {
        if let Some(found) = vm.find_attr_str(&get, "__doc__")? {
            if !found.is_none() {
                documentation = found;
                from_getter = true;
            }
        }
    }
    let is_plain = vm.is_exact(this, TypeId::Property);
    let own = if is_plain { documentation.clone() } else { Value::NONE };
    let property = property_of(this).get_mut(vm);
    let old = std::mem::replace(property, Property { get, set, delete, doc: own, name: None, doc_from_getter: from_getter });
    drop(old);
    if !is_plain {
        // A subclass's own `__doc__` hides the attribute of `property`, so each instance gets one.
        if let Err(raised) = vm.set_attr_str(this, "__doc__", &documentation) {
            // What a getter is documented by must not get lost silently, what was given may.
            if from_getter || !vm.clear_if(ExceptionKind::AttributeError) {
                return Err(raised);
            }
        }
    }
    Ok(())
}

/// The name a property was given, or its getter's.
fn property_its_name(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    let property = property_of(this).get(vm);
    if let Some(name) = &property.name {
        return Ok(Some(name.clone()));
    }
    let get = property.get.clone();
    if get.is_none() { Ok(None) } else { vm.find_attr_str(&get, "__name__") }
}

fn property_refusal(vm: &mut Vm, this: &Value, object: &Value, what: &str) -> Raised {
    let class = vm.type_of(object);
    let qualname = class.get(vm).qualname.clone();
    let texts = vm.repr_text(&qualname).and_then(|class| match property_its_name(vm, this)? {
        Some(name) => Ok((class, Some(vm.repr_text(&name)?))),
        None => Ok((class, None)),
    });
    match texts {
        Ok((class, Some(name))) => vm.raise(ExceptionKind::AttributeError, format!("property {name} of {class} object has no {what}")),
        Ok((class, None)) => vm.raise(ExceptionKind::AttributeError, format!("property of {class} object has no {what}")),
        Err(raised) => raised,
    }
}

fn property_get(vm: &mut Vm, this: &Value, object: Option<&Value>, _: &Value) -> Result<Value> {
    let Some(object) = object else { return Ok(this.clone()) };
    let get = property_of(this).get(vm).get.clone();
    if get.is_none() {
        return Err(property_refusal(vm, this, object, "getter"));
    }
    vm.call(&get, std::slice::from_ref(object))
}

fn property_set(vm: &mut Vm, this: &Value, object: &Value, value: Option<&Value>) -> Result<()> {
    let property = property_of(this).get(vm);
    let function = if value.is_some() { property.set.clone() } else { property.delete.clone() };
    if function.is_none() {
        return Err(property_refusal(vm, this, object, if value.is_some() { "setter" } else { "deleter" }));
    }
    match value {
        Some(value) => vm.call(&function, &[object.clone(), value.clone()])?,
        None => vm.call(&function, std::slice::from_ref(object))?,
    };
    Ok(())
}

/// A property like this one with one function replaced.
fn property_copy(vm: &mut Vm, this: &Value, replaced: usize, function: &Value) -> Result<Value> {
    let property = property_of(this).get(vm);
    let mut parts = [property.get.clone(), property.set.clone(), property.delete.clone(), property.doc.clone()];
    let name = property.name.clone();
    if !function.is_none() {
        parts[replaced] = function.clone();
    }
    if property.doc_from_getter && !parts[0].is_none() {
        parts[3] = Value::NONE;
    }
    let class = vm.type_of(this).into_value();
    let copy = vm.call(&class, &parts)?;
    if let Some(copied) = copy.downcast::<Property>() {
        copied.get_mut(vm).name = name;
    }
    Ok(copy)
}

fn property_getter(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    property_copy(vm, &args[0], 0, &args[1])
}
fn property_setter(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    property_copy(vm, &args[0], 1, &args[1])
}
fn property_deleter(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    property_copy(vm, &args[0], 2, &args[1])
}

fn property_set_name(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let given = vm.tuple_items(&args[1]);
    let [_, name] = given.as_slice() else {
        let count = given.len();
        return Err(vm.type_error(format!("__set_name__() takes 2 positional arguments but {count} were given")));
    };
    let old = property_of(&args[0]).get_mut(vm).name.replace(name.clone());
    drop(old);
    Ok(Value::NONE)
}

fn property_set_doc(vm: &mut Vm, this: &Value, value: Option<&Value>) -> Result<()> {
    let old = std::mem::replace(&mut property_of(this).get_mut(vm).doc, value.cloned().unwrap_or(Value::NONE));
    drop(old);
    Ok(())
}

fn property_name(vm: &mut Vm, this: &Value) -> Result<Value> {
    let property = property_of(this).get(vm);
    if let Some(name) = &property.name {
        return Ok(name.clone());
    }
    let get = property.get.clone();
    if !get.is_none() {
        if let Some(name) = vm.find_attr_str(&get, "__name__")? {
            return Ok(name);
        }
    }
    let name = vm.intern("__name__");
    let class = vm.type_name(this);
    Err(vm.attribute_error(this, &name, format!("'{class}' object has no attribute '__name__'")))
}

fn property_set_its_name(vm: &mut Vm, this: &Value, value: Option<&Value>) -> Result<()> {
    let old = std::mem::replace(&mut property_of(this).get_mut(vm).name, value.cloned());
    drop(old);
    Ok(())
}

/// Whether a function is marked as abstract.
fn is_abstract(vm: &mut Vm, function: &Value) -> Result<bool> {
    if function.is_none() {
        return Ok(false);
    }
    match vm.find_attr_str(function, "__isabstractmethod__")? {
        Some(mark) => vm.is_true(&mark),
        None => Ok(false),
    }
}

fn property_is_abstract(vm: &mut Vm, this: &Value) -> Result<Value> {
    let property = property_of(this).get(vm);
    for function in [property.get.clone(), property.set.clone(), property.delete.clone()] {
        if is_abstract(vm, &function)? {
            return Ok(Value::TRUE);
        }
    }
    Ok(Value::FALSE)
}

// ---- classmethod and staticmethod

pub(crate) static CLASS_METHOD: TypeSpec = TypeSpec {
    name: "classmethod",
    doc: "A function in a class that gets the class as its first argument, whether it is called through the class\nor through an instance. In a subclass it gets the subclass.\n\n    class Point:\n        @classmethod\n        def origin(cls):\n            return cls(0, 0)",
    layout: Layout::ClassMethod,
    flags: BASE_TYPE | HAS_DICT,
    new: constructor("classmethod(*args, **kwargs)", class_method_new),
    slots: Slots { init: Some(class_method_init), repr: Some(class_method_repr), descriptor_get: Some(class_method_get), ..Slots::NONE },
    getset: &[
        crate::object::types::type_methods::DICT,
        getter("__func__", wrapped_of_class_method),
        getter("__wrapped__", wrapped_of_class_method),
        getter("__isabstractmethod__", |vm, this| {
            let function = wrapped_of_class_method(vm, this)?;
            Ok(Value::from_bool(is_abstract(vm, &function)?))
        }),
    ],
    ..TypeSpec::DEFAULT
};

pub(crate) static STATIC_METHOD: TypeSpec = TypeSpec {
    name: "staticmethod",
    doc: "A function in a class that gets neither the instance nor the class when it is called through them.\n\nUsually written as a decorator:\n\n    class Shape:\n        @staticmethod\n        def area(width, height):\n            return width * height",
    layout: Layout::StaticMethod,
    flags: BASE_TYPE | HAS_DICT,
    new: constructor("staticmethod(*args, **kwargs)", static_method_new),
    slots: Slots {
        init: Some(static_method_init),
        repr: Some(static_method_repr),
        call: Some(static_method_call),
        descriptor_get: Some(static_method_get),
        ..Slots::NONE
    },
    getset: &[
        crate::object::types::type_methods::DICT,
        getter("__func__", wrapped_of_static_method),
        getter("__wrapped__", wrapped_of_static_method),
        getter("__isabstractmethod__", |vm, this| {
            let function = wrapped_of_static_method(vm, this)?;
            Ok(Value::from_bool(is_abstract(vm, &function)?))
        }),
    ],
    ..TypeSpec::DEFAULT
};

fn class_method(value: &Value) -> &Ref<ClassMethod> {
    value.downcast::<ClassMethod>().expect("the slot or method was found on a classmethod")
}

fn static_method(value: &Value) -> &Ref<StaticMethod> {
    value.downcast::<StaticMethod>().expect("the slot or method was found on a staticmethod")
}

fn wrapped_of_class_method(vm: &mut Vm, this: &Value) -> Result<Value> {
    Ok(class_method(this).get(vm).function.clone())
}

fn wrapped_of_static_method(vm: &mut Vm, this: &Value) -> Result<Value> {
    Ok(static_method(this).get(vm).function.clone())
}

fn class_method_new(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("a constructor gets its class");
    Ok(vm.alloc_for(class, ClassMethod { function: Value::NONE }).into_value())
}

fn static_method_new(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("a constructor gets its class");
    Ok(vm.alloc_for(class, StaticMethod { function: Value::NONE }).into_value())
}

fn only_function<'a>(vm: &mut Vm, name: &str, args: CallArgs<'a>) -> Result<&'a Value> {
    sequence::no_names(vm, name, args)?;
    sequence::positional(vm, name, args, 1, 1)?;
    Ok(&args.values[0])
}

fn class_method_init(vm: &mut Vm, this: &Value, args: CallArgs<'_>) -> Result<()> {
    let function = only_function(vm, "classmethod", args)?;
    let old = std::mem::replace(&mut class_method(this).get_mut(vm).function, function.clone());
    drop(old);
    copy_names(vm, this, function)
}

fn static_method_init(vm: &mut Vm, this: &Value, args: CallArgs<'_>) -> Result<()> {
    let function = only_function(vm, "staticmethod", args)?;
    let old = std::mem::replace(&mut static_method(this).get_mut(vm).function, function.clone());
    drop(old);
    copy_names(vm, this, function)
}

/// Copies what describes the function to the wrapper.
fn copy_names(vm: &mut Vm, wrapper: &Value, function: &Value) -> Result<()> {
    for name in ["__module__", "__name__", "__qualname__", "__doc__", "__annotations__"] {
        if let Some(value) = vm.find_attr_str(function, name)? {
            vm.set_attr_str(wrapper, name, &value)?;
        }
    }
    Ok(())
}

/// `classmethod(function)`, without copying its names.
pub(crate) fn new_classmethod(vm: &mut Vm, function: Value) -> Value {
    let class = vm.builtin(TypeId::ClassMethod);
    vm.alloc_for(&class, ClassMethod { function }).into_value()
}

/// `staticmethod(function)`, without copying its names.
pub(crate) fn new_staticmethod(vm: &mut Vm, function: Value) -> Value {
    let class = vm.builtin(TypeId::StaticMethod);
    vm.alloc_for(&class, StaticMethod { function }).into_value()
}

fn class_method_repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let function = wrapped_of_class_method(vm, this)?;
    let function = vm.repr_text(&function)?;
    Ok(vm.new_str(format!("<classmethod({function})>")))
}

fn static_method_repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let function = wrapped_of_static_method(vm, this)?;
    let function = vm.repr_text(&function)?;
    Ok(vm.new_str(format!("<staticmethod({function})>")))
}

fn class_method_get(vm: &mut Vm, this: &Value, _: Option<&Value>, class: &Value) -> Result<Value> {
    let function = wrapped_of_class_method(vm, this)?;
    Ok(vm.new_bound_method(function, class.clone()))
}

fn static_method_get(vm: &mut Vm, this: &Value, _: Option<&Value>, _: &Value) -> Result<Value> {
    wrapped_of_static_method(vm, this)
}

fn static_method_call(vm: &mut Vm, this: &Value, args: CallArgs<'_>) -> Result<Value> {
    let function = wrapped_of_static_method(vm, this)?;
    vm.call_args(&function, args)
}

// ---- super

pub(crate) static SUPER: TypeSpec = TypeSpec {
    name: "super",
    doc: "super() -> super(the class around the method, its first argument)\nsuper(type) -> a proxy that binds when it is read through an instance\nsuper(type, obj) -> the attributes of obj that come after type in its class's order\nsuper(type, type2) -> the same for a subclass\n\nA method calls the one it overrides:\n\n    class Loud(Voice):\n        def say(self, text):\n            return super().say(text.upper())",
    layout: Layout::Super,
    flags: BASE_TYPE,
    new: constructor("super(*args, **kwargs)", super_new),
    slots: Slots {
        init: Some(super_init),
        repr: Some(super_repr),
        get_attribute: Some(super_get_attribute),
        descriptor_get: Some(super_get),
        ..Slots::NONE
    },
    getset: &[
        getter("__thisclass__", |vm, this| Ok(super_of(this).get(vm).class.clone().map_or(Value::NONE, Ref::into_value))),
        getter("__self__", |vm, this| Ok(super_of(this).get(vm).object.clone().unwrap_or(Value::NONE))),
        getter("__self_class__", |vm, this| Ok(super_of(this).get(vm).object_type.clone().map_or(Value::NONE, Ref::into_value))),
    ],
    ..TypeSpec::DEFAULT
};

fn super_of(value: &Value) -> &Ref<Super> {
    value.downcast::<Super>().expect("the slot or method was found on a super object")
}

fn super_new(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("a constructor gets its class");
    Ok(vm.alloc_for(class, Super { class: None, object: None, object_type: None }).into_value())
}

fn super_init(vm: &mut Vm, this: &Value, args: CallArgs<'_>) -> Result<()> {
    sequence::no_names(vm, "super", args)?;
    let (class, object) = match args.values {
        [] => {
            let (class, object) = vm.implicit_super()?;
            (class, Some(object))
        }
        [class] => (class.clone(), None),
        [class, object] => (class.clone(), Some(object.clone()).filter(|object| !object.is_none())),
        more => {
            let count = more.len();
            return Err(vm.type_error(format!("super() expected at most 2 arguments, got {count}")));
        }
    };
    let Some(class) = class.downcast::<Type>().cloned() else {
        let name = vm.type_name(&class);
        return Err(vm.type_error(format!("super() argument 1 must be a type, not {name}")));
    };
    let object_type = match &object {
        Some(object) => Some(super_check(vm, &class, object)?),
        None => None,
    };
    let old = std::mem::replace(super_of(this).get_mut(vm), Super { class: Some(class), object, object_type });
    drop(old);
    Ok(())
}

/// The class whose MRO is walked for `object`.
pub(crate) fn super_check(vm: &mut Vm, class: &Ref<Type>, object: &Value) -> Result<Ref<Type>> {
    if let Some(derived) = object.downcast::<Type>() {
        if derived.get(vm).is_subtype_of(class) {
            return Ok(derived.clone());
        }
    }
    let own = vm.type_of(object);
    if own.get(vm).is_subtype_of(class) {
        return Ok(own);
    }
    if let Some(claimed) = vm.find_attr_str(object, "__class__")? {
        if let Some(claimed) = claimed.downcast::<Type>() {
            if !claimed.is(&own) && claimed.get(vm).is_subtype_of(class) {
                return Ok(claimed.clone());
            }
        }
    }
    let what = if object.holds::<Type>() { "type" } else { "instance of" };
    let name = match object.downcast::<Type>() {
        Some(class) => vm.class_full_name(class),
        None => vm.type_name(object),
    };
    let class = vm.class_full_name(class);
    let class = class.rsplit('.').next().unwrap_or(&class);
    let name = name.rsplit('.').next().unwrap_or(&name);
    Err(vm.type_error(format!("super(type, obj): obj ({what} {name}) is not an instance or subtype of type ({class}).")))
}

/// What the MRO has under `name` behind `class`, not bound.
fn super_lookup(vm: &mut Vm, class: &Value, object_type: &Ref<Type>, name: &Value) -> Result<Option<Value>> {
    let hash = vm.str_hash(name);
    let mro = &object_type.get(vm).mro;
    let Some(place) = mro.iter().position(|base| base.is(class)) else { return Ok(None) };
    let rest: smallvec::SmallVec<[Ref<Type>; 8]> = mro[place + 1..].iter().cloned().collect();
    for base in rest {
        let dict = vm.class_dict(&base);
        if let Some(found) = vm.dict_place(&dict, name, hash)? {
            return Ok(Some(dict.get(vm).entries()[found].value.clone()));
        }
    }
    Ok(None)
}

/// The attribute that `super(class, object)` finds in the MRO of `object_type`, bound.
pub(crate) fn super_find(vm: &mut Vm, class: &Value, object: &Value, object_type: &Ref<Type>, name: &Value) -> Result<Option<Value>> {
    let Some(attribute) = super_lookup(vm, class, object_type, name)? else { return Ok(None) };
    let instance = if object.is(object_type) { None } else { Some(object) };
    vm.bind(&attribute, instance, object_type).map(Some)
}

fn super_get_attribute(vm: &mut Vm, this: &Value, name: &Value) -> Result<Value> {
    let parts = super_of(this).get(vm);
    let is_class = vm.text_of(name).is_some_and(|name| *name == "__class__");
    if let (Some(class), Some(object), Some(object_type)) = (parts.class.clone(), parts.object.clone(), parts.object_type.clone()) {
        if !is_class {
            if let Some(found) = super_find(vm, &class, &object, &object_type, name)? {
                return Ok(found);
            }
        }
    }
    vm.generic_get_attr(this, name)
}

fn super_repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let parts = super_of(this).get(vm);
    let class = parts.class.as_ref().map_or("NULL".to_owned(), |class| vm.class_name(class));
    let object = parts.object_type.as_ref().map(|class| vm.class_name(class));
    Ok(vm.new_str(match object {
        Some(object) => format!("<super: <class '{class}'>, <{object} object>>"),
        None => format!("<super: <class '{class}'>, NULL>"),
    }))
}

fn super_get(vm: &mut Vm, this: &Value, object: Option<&Value>, _: &Value) -> Result<Value> {
    let parts = super_of(this).get(vm);
    let (Some(object), None, Some(class)) = (object.filter(|object| !object.is_none()), &parts.object, parts.class.clone()) else {
        return Ok(this.clone());
    };
    let own_class = vm.type_of(this);
    if !own_class.is(&vm.builtin(TypeId::Super)) {
        return vm.call(&own_class, &[class.into_value(), object.clone()]);
    }
    let object_type = super_check(vm, &class, object)?;
    let bound = Super { class: Some(class), object: Some(object.clone()), object_type: Some(object_type) };
    Ok(vm.alloc(TypeId::Super, bound).into_value())
}

// ---- mappingproxy

pub(crate) static MAPPING_PROXY: TypeSpec = TypeSpec {
    name: "mappingproxy",
    doc: "A view of a mapping through which it cannot be changed.",
    layout: Layout::MappingProxy,
    flags: MATCH_MAPPING,
    new: constructor("mappingproxy(mapping)", proxy_new),
    slots: Slots {
        repr: Some(proxy_repr),
        str: Some(|vm, this| {
            let mapping = mapping_of(vm, this);
            vm.str(&mapping)
        }),
        compare: Some(proxy_compare),
        hash: Some(|vm, this| {
            let mapping = mapping_of(vm, this);
            vm.hash(&mapping)
        }),
        iter: Some(|vm, this| {
            let mapping = mapping_of(vm, this);
            vm.iter(&mapping)
        }),
        len: Some(|vm, this| {
            let mapping = mapping_of(vm, this);
            vm.len(&mapping)
        }),
        get_item: Some(|vm, this, key| {
            let mapping = mapping_of(vm, this);
            vm.get_item(&mapping, key)
        }),
        contains: Some(|vm, this, key| {
            let mapping = mapping_of(vm, this);
            vm.contains(&mapping, key)
        }),
        binary: binary(&[(BinaryOperator::Or, proxy_or)]),
        in_place: binary(&[(BinaryOperator::Or, proxy_in_place_or)]),
        ..Slots::NONE
    },
    methods: PROXY_METHODS,
    class_methods: &[native("__class_getitem__(cls, object, /)", generic_alias_methods::class_get_item)],
    ..TypeSpec::DEFAULT
};

const PROXY_METHODS: &[Native] = &[
    native("get(self, key, default=None, /)", |vm, args| {
        let mapping = mapping_of(vm, &args[0]);
        vm.call_method(&mapping, "get", &[args[1].clone(), args.or_none(2)])
    }),
    native("keys(self, /)", |vm, args| forward(vm, &args, "keys")),
    native("values(self, /)", |vm, args| forward(vm, &args, "values")),
    native("items(self, /)", |vm, args| forward(vm, &args, "items")),
    native("copy(self, /)", |vm, args| forward(vm, &args, "copy")),
    native("__reversed__(self, /)", |vm, args| forward(vm, &args, "__reversed__")),
];

fn forward(vm: &mut Vm, args: &Args<'_>, name: &str) -> Result<Value> {
    let mapping = mapping_of(vm, &args[0]);
    vm.call_method(&mapping, name, &[])
}

fn mapping_of(vm: &Vm, proxy: &Value) -> Value {
    match proxy.downcast::<MappingProxy>() {
        Some(proxy) => proxy.get(vm).mapping.clone(),
        None => proxy.clone(),
    }
}

fn proxy_new(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let mapping = &args[1];
    if vm.type_payload(mapping).slots.get_item.is_none() || mapping.holds::<List>() || mapping.holds::<Tuple>() {
        let name = vm.type_name(mapping);
        return Err(vm.type_error(format!("mappingproxy() argument must be a mapping, not {name}")));
    }
    let class = args[0].downcast::<Type>().expect("a constructor gets its class");
    Ok(vm.alloc_for(class, MappingProxy { mapping: mapping.clone() }).into_value())
}

fn proxy_repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let mapping = mapping_of(vm, this);
    let mapping = vm.repr_text(&mapping)?;
    Ok(vm.new_str(format!("mappingproxy({mapping})")))
}

fn proxy_compare(vm: &mut Vm, this: &Value, other: &Value, operation: Comparison) -> Result<Value> {
    let mapping = mapping_of(vm, this);
    vm.compare(&mapping, other, operation)
}

fn proxy_or(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let (left, right) = (mapping_of(vm, left), mapping_of(vm, right));
    vm.binary(BinaryOperator::Or, &left, &right)
}

fn proxy_in_place_or(vm: &mut Vm, this: &Value, _: &Value) -> Result<Value> {
    let name = vm.type_name(this);
    Err(vm.type_error(format!("'|=' is not supported by {name}; use '|' instead")))
}
