//! `types.GenericAlias` and `types.UnionType`: making, printing, comparing and substituting in them.

use super::generic_alias::{GenericAlias, Union};
use super::list::List;
use super::tuple::Tuple;
use super::{TypeId, set_methods};
use crate::code::instruction::Comparison;
use crate::object::layout::Layout;
use crate::object::native::{Args, getter, native};
use crate::object::sequence;
use crate::object::type_object::{BASE_TYPE, BinaryOperator, CallArgs, HAS_WEAKREFS, NO_NEW, Slots, Type, TypeSpec, binary};
use crate::object::types::exception::ExceptionKind;
use crate::object::types::iterator::SequenceIterator;
use crate::object::value::{Ref, Value};
use crate::text::TextBuilder;
use crate::vm::{Result, Vm};

pub(crate) static ALIAS: TypeSpec = TypeSpec {
    name: "types.GenericAlias",
    doc: "A generic type with its arguments (PEP 585)\n\nlist[int] has the __origin__ list and the __args__ (int,).",
    layout: Layout::GenericAlias,
    flags: BASE_TYPE | HAS_WEAKREFS,
    slots: Slots {
        new: Some(alias_new),
        repr: Some(alias_repr),
        hash: Some(alias_hash),
        compare: Some(alias_compare),
        call: Some(alias_call),
        get_attribute: Some(alias_get_attribute),
        get_item: Some(alias_get_item),
        iter: Some(alias_iter),
        binary: binary(&[(BinaryOperator::Or, type_or)]),
        ..Slots::NONE
    },
    methods: &[
        native("__mro_entries__(self, object, /)", alias_mro_entries),
        native("__instancecheck__(self, object, /)", |vm, _| Err(vm.type_error("isinstance() argument 2 cannot be a parameterized generic"))),
        native("__subclasscheck__(self, object, /)", |vm, _| Err(vm.type_error("issubclass() argument 2 cannot be a parameterized generic"))),
        native("__reduce__(self, /)", alias_reduce),
        native("__dir__(self, /)", alias_dir),
    ],
    getset: &[
        getter("__origin__", |vm, this| Ok(alias_of(this).get(vm).origin.clone())),
        getter("__args__", |vm, this| Ok(alias_of(this).get(vm).args.clone())),
        getter("__parameters__", alias_parameters),
        getter("__unpacked__", |vm, this| Ok(Value::from_bool(alias_of(this).get(vm).starred))),
        getter("__typing_unpacked_tuple_args__", |vm, this| {
            let alias = alias_of(this).get(vm);
            let unpacked = alias.starred && alias.origin.is(&vm.builtin(TypeId::Tuple));
            Ok(if unpacked { alias.args.clone() } else { Value::NONE })
        }),
    ],
    ..TypeSpec::DEFAULT
};

pub(crate) static UNION: TypeSpec = TypeSpec {
    name: "types.UnionType",
    doc: "A choice of types (PEP 604)\n\nsuch as int | str",
    layout: Layout::Union,
    flags: NO_NEW,
    slots: Slots {
        repr: Some(union_repr),
        hash: Some(union_hash),
        compare: Some(union_compare),
        get_item: Some(union_get_item),
        binary: binary(&[(BinaryOperator::Or, type_or)]),
        ..Slots::NONE
    },
    methods: &[
        native("__instancecheck__(self, object, /)", |vm, args| union_check(vm, &args, false)),
        native("__subclasscheck__(self, object, /)", |vm, args| union_check(vm, &args, true)),
    ],
    getset: &[getter("__args__", |vm, this| Ok(union_of(this).get(vm).args.clone())), getter("__parameters__", union_parameters)],
    ..TypeSpec::DEFAULT
};

/// Iterates once, over the starred form of an alias.
pub(crate) static ALIAS_ITERATOR: TypeSpec = TypeSpec {
    name: "generic_alias_iterator",
    layout: Layout::SequenceIterator,
    flags: NO_NEW,
    slots: Slots { iter: Some(sequence::iter_self), next: Some(alias_next), ..Slots::NONE },
    ..TypeSpec::DEFAULT
};

fn alias_of(value: &Value) -> &Ref<GenericAlias> {
    value.downcast::<GenericAlias>().expect("the slot or method was found on a generic alias")
}

fn union_of(value: &Value) -> &Ref<Union> {
    value.downcast::<Union>().expect("the slot or method was found on a union")
}

/// `cls.__class_getitem__(item)` of generic types.
pub(crate) fn class_get_item(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    new_alias(vm, &args[0], &args[1])
}

/// `origin[item]`.
pub(crate) fn new_alias(vm: &mut Vm, origin: &Value, item: &Value) -> Result<Value> {
    let args = if vm.is_kind(item, TypeId::Tuple) { item.clone() } else { vm.new_tuple(vec![item.clone()]) };
    Ok(make(vm, origin.clone(), args, false))
}

fn make(vm: &mut Vm, origin: Value, args: Value, starred: bool) -> Value {
    sequence::make(vm, &ALIAS, GenericAlias { origin, args, parameters: None, starred })
}

fn alias_new(vm: &mut Vm, class: &Ref<Type>, args: CallArgs<'_>) -> Result<Value> {
    sequence::no_names(vm, "GenericAlias", args)?;
    sequence::positional(vm, "GenericAlias", args, 2, 2)?;
    let item = &args.values[1];
    let parts = if vm.is_kind(item, TypeId::Tuple) { item.clone() } else { vm.new_tuple(vec![item.clone()]) };
    Ok(vm.alloc_for(class, GenericAlias { origin: args.values[0].clone(), args: parts, parameters: None, starred: false }).into_value())
}

/// Appends how a type argument prints: classes by their qualified name.
fn push_argument(vm: &mut Vm, text: &mut TextBuilder, value: &Value) -> Result<()> {
    if value.is(&Value::ELLIPSIS) {
        text.push_str("...");
        return Ok(());
    }
    if vm.builtin(TypeId::NoneType).is(value) {
        text.push_str("None");
        return Ok(());
    }
    let generic = vm.find_attr_str(value, "__origin__")?.is_some() && vm.find_attr_str(value, "__args__")?.is_some();
    if !generic {
        let qualname = vm.find_attr_str(value, "__qualname__")?;
        let module = vm.find_attr_str(value, "__module__")?;
        if let (Some(qualname), Some(module)) = (qualname, module) {
            if !module.is_none() {
                let (qualname, module) = (vm.str_text(&qualname)?, vm.str_text(&module)?);
                if module != "builtins" {
                    text.push_text(&module);
                    text.push_str(".");
                }
                text.push_text(&qualname);
                return Ok(());
            }
        }
    }
    let repr = vm.repr_text(value)?;
    text.push_text(&repr);
    Ok(())
}

fn push_items(vm: &mut Vm, text: &mut TextBuilder, items: &[Value]) -> Result<()> {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        if let Some(list) = item.downcast::<List>() {
            let inside = list.get(vm).items.clone();
            text.push_str("[");
            push_items(vm, text, &inside)?;
            text.push_str("]");
        } else {
            push_argument(vm, text, item)?;
        }
    }
    Ok(())
}

fn alias_repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    vm.enter_native()?;
    let alias = alias_of(this).get(vm);
    let (origin, args, starred) = (alias.origin.clone(), alias.args.clone(), alias.starred);
    let mut text = TextBuilder::default();
    if starred {
        text.push_str("*");
    }
    push_argument(vm, &mut text, &origin)?;
    text.push_str("[");
    let items = vm.tuple_items(&args);
    if items.is_empty() {
        text.push_str("()");
    }
    push_items(vm, &mut text, &items)?;
    text.push_str("]");
    Ok(vm.new_str(text.finish()))
}

fn alias_hash(vm: &mut Vm, this: &Value) -> Result<i64> {
    let alias = alias_of(this).get(vm);
    let (origin, args) = (alias.origin.clone(), alias.args.clone());
    let hash = vm.hash(&origin)? ^ vm.hash(&args)?;
    Ok(if hash == -1 { -2 } else { hash })
}

fn alias_compare(vm: &mut Vm, left: &Value, right: &Value, operation: Comparison) -> Result<Value> {
    let (Some(a), Some(b)) = (left.downcast::<GenericAlias>(), right.downcast::<GenericAlias>()) else { return Ok(Value::NOT_IMPLEMENTED) };
    if !matches!(operation, Comparison::Equal | Comparison::NotEqual) {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    let (a, b) = (a.get(vm), b.get(vm));
    let starred = a.starred == b.starred;
    let (origins, args) = ([a.origin.clone(), b.origin.clone()], [a.args.clone(), b.args.clone()]);
    let equal = starred && vm.equal(&origins[0], &origins[1])? && vm.equal(&args[0], &args[1])?;
    Ok(Value::from_bool(equal == (operation == Comparison::Equal)))
}

fn alias_call(vm: &mut Vm, this: &Value, args: CallArgs<'_>) -> Result<Value> {
    let origin = alias_of(this).get(vm).origin.clone();
    let made = vm.call_args(&origin, args)?;
    if let Err(raised) = vm.set_attr_str(&made, "__orig_class__", this) {
        // Most objects have no room for the note.
        if !vm.clear_if(ExceptionKind::AttributeError) && !vm.clear_if(ExceptionKind::TypeError) {
            return Err(raised);
        }
    }
    Ok(made)
}

/// The alias's own attributes; all others are its origin's.
const OWN: &[&str] = &[
    "__class__",
    "__origin__",
    "__args__",
    "__unpacked__",
    "__parameters__",
    "__typing_unpacked_tuple_args__",
    "__mro_entries__",
    "__reduce_ex__",
    "__reduce__",
    "__bases__",
    "__copy__",
    "__deepcopy__",
];

fn alias_get_attribute(vm: &mut Vm, this: &Value, name: &Value) -> Result<Value> {
    let own = vm.text_of(name).and_then(|name| name.as_ascii()).is_none_or(|name| OWN.contains(&name));
    if own {
        return vm.generic_get_attr(this, name);
    }
    let origin = alias_of(this).get(vm).origin.clone();
    vm.get_attr(&origin, name)
}

fn alias_mro_entries(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let origin = alias_of(&args[0]).get(vm).origin.clone();
    Ok(vm.new_tuple(vec![origin]))
}

fn alias_reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let alias = alias_of(&args[0]).get(vm);
    let (origin, parts, starred) = (alias.origin.clone(), alias.args.clone(), alias.starred);
    let class = vm.type_of(&args[0]).into_value();
    let arguments = vm.new_tuple(vec![origin.clone(), parts.clone()]);
    if starred {
        let next = sequence::builtin_function(vm, "next")?;
        let plain = make(vm, origin, parts, false);
        let iterator = alias_iter(vm, &plain)?;
        let iterator = vm.new_tuple(vec![iterator]);
        return Ok(vm.new_tuple(vec![next, iterator]));
    }
    Ok(vm.new_tuple(vec![class, arguments]))
}

fn alias_dir(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let origin = alias_of(&args[0]).get(vm).origin.clone();
    let dir = sequence::builtin_function(vm, "dir")?;
    let names = vm.call(&dir, &[origin])?;
    let mut names = vm.collect(&names)?;
    for own in OWN {
        let own = vm.intern(own);
        let mut known = false;
        for name in &names {
            known = known || vm.equal(name, &own)?;
        }
        if !known {
            names.push(own);
        }
    }
    Ok(vm.new_list(names))
}

fn alias_iter(vm: &mut Vm, this: &Value) -> Result<Value> {
    let alias = alias_of(this).get(vm);
    let (origin, args) = (alias.origin.clone(), alias.args.clone());
    let starred = make(vm, origin, args, true);
    Ok(sequence::make(vm, &ALIAS_ITERATOR, SequenceIterator { sequence: Some(starred), index: 0 }))
}

fn alias_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    let Some(iterator) = this.downcast::<SequenceIterator>() else { return Ok(None) };
    Ok(iterator.get_mut(vm).sequence.take())
}

fn alias_parameters(vm: &mut Vm, this: &Value) -> Result<Value> {
    let alias = alias_of(this).get(vm);
    if let Some(known) = &alias.parameters {
        return Ok(known.clone());
    }
    let args = alias.args.clone();
    let found = parameters_of(vm, &args)?;
    let found = vm.new_tuple(found);
    alias_of(this).get_mut(vm).parameters = Some(found.clone());
    Ok(found)
}

fn union_parameters(vm: &mut Vm, this: &Value) -> Result<Value> {
    let union = union_of(this).get(vm);
    if let Some(known) = &union.parameters {
        return Ok(known.clone());
    }
    let args = union.args.clone();
    let found = parameters_of(vm, &args)?;
    let found = vm.new_tuple(found);
    union_of(this).get_mut(vm).parameters = Some(found.clone());
    Ok(found)
}

/// The type variables in a tuple of arguments, in order of their first appearance.
fn parameters_of(vm: &mut Vm, args: &Value) -> Result<Vec<Value>> {
    let mut found: Vec<Value> = Vec::new();
    let mut note = |value: Value| {
        if !found.iter().any(|known| known.is(&value)) {
            found.push(value);
        }
    };
    for argument in vm.collect(args)? {
        if argument.holds::<Type>() {
            continue;
        }
        if argument.holds::<Tuple>() || argument.holds::<List>() {
            parameters_of(vm, &argument)?.into_iter().for_each(&mut note);
        } else if vm.find_attr_str(&argument, "__typing_subst__")?.is_some() {
            note(argument);
        } else if let Some(inner) = vm.find_attr_str(&argument, "__parameters__")? {
            if inner.holds::<Tuple>() {
                vm.tuple_items(&inner).into_iter().for_each(&mut note);
            }
        }
    }
    Ok(found)
}

/// The items given for parameters, with unpacked tuples spread.
fn unpacked_items(vm: &mut Vm, item: &Value) -> Result<Value> {
    let items = if item.holds::<Tuple>() { vm.tuple_items(item) } else { vec![item.clone()] };
    let mut spread = Vec::new();
    for item in items {
        let inner = if item.holds::<Type>() { None } else { vm.find_attr_str(&item, "__typing_unpacked_tuple_args__")? };
        match inner {
            Some(inner) if inner.holds::<Tuple>() => {
                let inner = vm.tuple_items(&inner);
                if inner.last().is_some_and(|last| last.is(&Value::ELLIPSIS)) { spread.push(item) } else { spread.extend(inner) }
            }
            _ => spread.push(item),
        }
    }
    Ok(vm.new_tuple(spread))
}

/// The arguments of `this` with its type variables replaced by `item`.
fn substituted(vm: &mut Vm, this: &Value, args: &Value, parameters: &Value, item: &Value) -> Result<Value> {
    let parameters = vm.tuple_items(parameters);
    if parameters.is_empty() {
        let text = vm.repr_text(this)?;
        return Err(vm.type_error(format!("{text} is not a generic class")));
    }
    let mut item = unpacked_items(vm, item)?;
    for parameter in &parameters {
        if let Some(prepare) = vm.find_attr_str(parameter, "__typing_prepare_subst__")? {
            if !prepare.is_none() {
                let given = if item.holds::<Tuple>() { item } else { vm.new_tuple(vec![item]) };
                item = vm.call(&prepare, &[this.clone(), given])?;
            }
        }
    }
    let items = if item.holds::<Tuple>() { vm.tuple_items(&item) } else { vec![item] };
    if items.len() != parameters.len() {
        let many = if items.len() > parameters.len() { "many" } else { "few" };
        let text = vm.repr_text(this)?;
        return Err(vm.type_error(format!("Too {many} arguments for {text}; actual {}, expected {}", items.len(), parameters.len())));
    }
    let new = replace_in(vm, args, &parameters, &items)?;
    Ok(vm.new_tuple(new))
}

fn replace_in(vm: &mut Vm, args: &Value, parameters: &[Value], items: &[Value]) -> Result<Vec<Value>> {
    let mut new = Vec::new();
    for argument in vm.collect(args)? {
        if argument.holds::<Type>() {
            new.push(argument);
            continue;
        }
        if argument.holds::<Tuple>() || argument.holds::<List>() {
            let inside = replace_in(vm, &argument, parameters, items)?;
            new.push(if argument.holds::<List>() { vm.new_list(inside) } else { vm.new_tuple(inside) });
            continue;
        }
        let spread = match vm.find_attr_str(&argument, "__typing_is_unpacked_typevartuple__")? {
            Some(mark) => vm.is_true(&mark)?,
            None => false,
        };
        let replaced = match vm.find_attr_str(&argument, "__typing_subst__")? {
            Some(substitute) if !substitute.is_none() => {
                let place = parameters.iter().position(|parameter| parameter.is(&argument)).unwrap_or(0);
                vm.call(&substitute, std::slice::from_ref(&items[place]))?
            }
            _ => replace_inner(vm, &argument, parameters, items)?,
        };
        if spread && replaced.holds::<Tuple>() {
            new.extend(vm.tuple_items(&replaced));
        } else {
            new.push(replaced);
        }
    }
    Ok(new)
}

/// An argument that is generic itself, with the same replacements.
fn replace_inner(vm: &mut Vm, argument: &Value, parameters: &[Value], items: &[Value]) -> Result<Value> {
    let Some(inner) = vm.find_attr_str(argument, "__parameters__")? else { return Ok(argument.clone()) };
    let inner = vm.tuple_items(&inner);
    if inner.is_empty() {
        return Ok(argument.clone());
    }
    let mut given = Vec::new();
    for parameter in inner {
        match parameters.iter().position(|known| known.is(&parameter)) {
            Some(place) => {
                // Only a TypeVarTuple can be spread.
                let spread = items[place].holds::<Tuple>() && vm.type_payload(&parameter).slots.iter.is_some();
                if spread { given.extend(vm.tuple_items(&items[place])) } else { given.push(items[place].clone()) }
            }
            None => given.push(parameter),
        }
    }
    let given = vm.new_tuple(given);
    vm.get_item(argument, &given)
}

fn alias_get_item(vm: &mut Vm, this: &Value, item: &Value) -> Result<Value> {
    let parameters = alias_parameters(vm, this)?;
    let alias = alias_of(this).get(vm);
    let (origin, args, starred) = (alias.origin.clone(), alias.args.clone(), alias.starred);
    let args = substituted(vm, this, &args, &parameters, item)?;
    Ok(make(vm, origin, args, starred))
}

// ---- unions

/// Whether a value may stand in `left | right` of types.
fn is_unionable(vm: &Vm, value: &Value) -> bool {
    value.is_none()
        || value.holds::<Type>()
        || value.holds::<GenericAlias>()
        || value.holds::<Union>()
        || vm.type_name(value) == "typing.TypeAliasType"
}

/// `left | right` of types; `NotImplemented` for anything else.
pub(crate) fn type_or(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    if !is_unionable(vm, left) || !is_unionable(vm, right) {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    new_union(vm, &[left.clone(), right.clone()])
}

/// The union of these types, flat and without duplicates; the type itself when only one is left.
pub(crate) fn new_union(vm: &mut Vm, types: &[Value]) -> Result<Value> {
    let mut flat: Vec<Value> = Vec::new();
    for value in types {
        let members = match value.downcast::<Union>() {
            Some(union) => {
                let args = union.get(vm).args.clone();
                vm.tuple_items(&args)
            }
            None if value.is_none() => vec![vm.builtin(TypeId::NoneType).into_value()],
            None => vec![value.clone()],
        };
        for member in members {
            let mut known = false;
            for other in &flat {
                known =
                    known || other.is(&member) || (other.holds::<GenericAlias>() && member.holds::<GenericAlias>() && vm.equal(other, &member)?);
            }
            if !known {
                flat.push(member);
            }
        }
    }
    if flat.len() == 1 {
        return Ok(flat.remove(0));
    }
    let args = vm.new_tuple(flat);
    Ok(sequence::make(vm, &UNION, Union { args, parameters: None }))
}

fn union_repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let args = union_of(this).get(vm).args.clone();
    let mut text = TextBuilder::default();
    for (index, item) in vm.tuple_items(&args).iter().enumerate() {
        if index > 0 {
            text.push_str(" | ");
        }
        push_argument(vm, &mut text, item)?;
    }
    Ok(vm.new_str(text.finish()))
}

/// The members as a frozenset: their order does not matter.
fn member_set(vm: &mut Vm, union: &Value) -> Result<Value> {
    let args = union_of(union).get(vm).args.clone();
    let set = vm.new_frozenset();
    set_methods::update(vm, &set, &args)?;
    Ok(set.into_value())
}

fn union_hash(vm: &mut Vm, this: &Value) -> Result<i64> {
    let members = member_set(vm, this)?;
    vm.hash(&members)
}

fn union_compare(vm: &mut Vm, left: &Value, right: &Value, operation: Comparison) -> Result<Value> {
    if !left.holds::<Union>() || !right.holds::<Union>() || !matches!(operation, Comparison::Equal | Comparison::NotEqual) {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    let (left, right) = (member_set(vm, left)?, member_set(vm, right)?);
    let equal = vm.equal(&left, &right)?;
    Ok(Value::from_bool(equal == (operation == Comparison::Equal)))
}

fn union_get_item(vm: &mut Vm, this: &Value, item: &Value) -> Result<Value> {
    let parameters = union_parameters(vm, this)?;
    let args = union_of(this).get(vm).args.clone();
    let args = substituted(vm, this, &args, &parameters, item)?;
    let members = vm.tuple_items(&args);
    let mut result = members[0].clone();
    for member in &members[1..] {
        result = vm.binary(BinaryOperator::Or, &result, member)?;
    }
    Ok(result)
}

/// `isinstance(object, union)` and `issubclass(class, union)`.
fn union_check(vm: &mut Vm, args: &Args<'_>, subclass: bool) -> Result<Value> {
    let members = union_of(&args[0]).get(vm).args.clone();
    let members = vm.tuple_items(&members);
    for member in &members {
        if member.holds::<GenericAlias>() {
            let function = if subclass { "issubclass" } else { "isinstance" };
            return Err(vm.type_error(format!("{function}() argument 2 cannot be a parameterized generic")));
        }
        let holds = if subclass { vm.object_issubclass(&args[1], member)? } else { vm.object_isinstance(&args[1], member)? };
        if holds {
            return Ok(Value::TRUE);
        }
    }
    Ok(Value::FALSE)
}
