//! `operator`: the operators as functions, and callables that fetch items, attributes and method results.

use std::ops::ControlFlow;

use crate::code::instruction::Comparison;
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, Native, NativeModule, native};
use crate::object::sequence;
use crate::object::type_object::{BinaryOperator, CallArgs, Slots, Type, TypeSpec};
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::text::{Text, TextBuilder};
use crate::vm::{Result, Vm};

macro_rules! two {
    ($signature:literal, $vm:ident, $a:ident, $b:ident => $body:expr) => {
        native($signature, |$vm, args| {
            let ($a, $b) = (&args[0], &args[1]);
            $body
        })
    };
}

macro_rules! binary_operator {
    ($signature:literal, $operator:ident) => {
        native($signature, |vm, args| vm.binary(BinaryOperator::$operator, &args[0], &args[1]))
    };
}

macro_rules! in_place_operator {
    ($signature:literal, $operator:ident) => {
        native($signature, |vm, args| vm.in_place(BinaryOperator::$operator, &args[0], &args[1]))
    };
}

macro_rules! comparison {
    ($signature:literal, $comparison:ident) => {
        native($signature, |vm, args| vm.compare(&args[0], &args[1], Comparison::$comparison))
    };
}

const FUNCTIONS: &[Native] = &[
    comparison!("lt(a, b, /)", Less),
    comparison!("le(a, b, /)", LessEqual),
    comparison!("eq(a, b, /)", Equal),
    comparison!("ne(a, b, /)", NotEqual),
    comparison!("ge(a, b, /)", GreaterEqual),
    comparison!("gt(a, b, /)", Greater),
    native("not_(a, /)", |vm, args| Ok(Value::from_bool(!vm.is_true(&args[0])?))),
    native("truth(a, /)", |vm, args| Ok(Value::from_bool(vm.is_true(&args[0])?))),
    two!("is_(a, b, /)", _vm, a, b => Ok(Value::from_bool(a.is(b)))),
    two!("is_not(a, b, /)", _vm, a, b => Ok(Value::from_bool(!a.is(b)))),
    native("abs(a, /)", |vm, args| vm.absolute(&args[0])),
    binary_operator!("add(a, b, /)", Add),
    binary_operator!("and_(a, b, /)", And),
    binary_operator!("floordiv(a, b, /)", FloorDivide),
    native("index(a, /)", |vm, args| sequence::exact_int(vm, &args[0])),
    native("inv(a, /)", |vm, args| vm.invert(&args[0])),
    native("invert(a, /)", |vm, args| vm.invert(&args[0])),
    binary_operator!("lshift(a, b, /)", ShiftLeft),
    binary_operator!("mod(a, b, /)", Modulo),
    binary_operator!("mul(a, b, /)", Multiply),
    binary_operator!("matmul(a, b, /)", MatrixMultiply),
    native("neg(a, /)", |vm, args| vm.negative(&args[0])),
    binary_operator!("or_(a, b, /)", Or),
    native("pos(a, /)", |vm, args| vm.positive(&args[0])),
    binary_operator!("pow(a, b, /)", Power),
    binary_operator!("rshift(a, b, /)", ShiftRight),
    binary_operator!("sub(a, b, /)", Subtract),
    binary_operator!("truediv(a, b, /)", TrueDivide),
    binary_operator!("xor(a, b, /)", Xor),
    native("concat(a, b, /)", concat),
    two!("contains(a, b, /)", vm, a, b => Ok(Value::from_bool(vm.contains(a, b)?))),
    native("countOf(a, b, /)", count_of),
    native("delitem(a, b, /)", |vm, args| {
        vm.del_item(&args[0], &args[1])?;
        Ok(Value::NONE)
    }),
    two!("getitem(a, b, /)", vm, a, b => vm.get_item(a, b)),
    native("indexOf(a, b, /)", index_of),
    native("setitem(a, b, c, /)", |vm, args| {
        vm.set_item(&args[0], &args[1], &args[2])?;
        Ok(Value::NONE)
    }),
    native("length_hint(obj, default=0, /)", length_hint),
    native("call(obj, /, *args, **kwargs)", call).unpacked(),
    in_place_operator!("iadd(a, b, /)", Add),
    in_place_operator!("iand(a, b, /)", And),
    native("iconcat(a, b, /)", iconcat),
    in_place_operator!("ifloordiv(a, b, /)", FloorDivide),
    in_place_operator!("ilshift(a, b, /)", ShiftLeft),
    in_place_operator!("imod(a, b, /)", Modulo),
    in_place_operator!("imul(a, b, /)", Multiply),
    in_place_operator!("imatmul(a, b, /)", MatrixMultiply),
    in_place_operator!("ior(a, b, /)", Or),
    in_place_operator!("ipow(a, b, /)", Power),
    in_place_operator!("irshift(a, b, /)", ShiftRight),
    in_place_operator!("isub(a, b, /)", Subtract),
    in_place_operator!("itruediv(a, b, /)", TrueDivide),
    in_place_operator!("ixor(a, b, /)", Xor),
];

/// Functions that also have a special method's name: `operator.__add__ is operator.add`.
const SPECIAL: &[&str] = &[
    "lt",
    "le",
    "eq",
    "ne",
    "ge",
    "gt",
    "not_",
    "abs",
    "add",
    "and_",
    "call",
    "floordiv",
    "index",
    "inv",
    "invert",
    "lshift",
    "mod",
    "mul",
    "matmul",
    "neg",
    "or_",
    "pos",
    "pow",
    "rshift",
    "sub",
    "truediv",
    "xor",
    "concat",
    "contains",
    "delitem",
    "getitem",
    "setitem",
    "iadd",
    "iand",
    "iconcat",
    "ifloordiv",
    "ilshift",
    "imod",
    "imul",
    "imatmul",
    "ior",
    "ipow",
    "irshift",
    "isub",
    "itruediv",
    "ixor",
];

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "operator",
    doc: "The operators as functions: add(x, y) is x + y.",
    functions: FUNCTIONS,
    types: &[&ITEM_GETTER, &ATTRIBUTE_GETTER, &METHOD_CALLER],
    init: Some(init),
};

fn init(vm: &mut Vm, module: &Value) -> Result<()> {
    for name in SPECIAL {
        let function = vm.get_attr_str(module, name)?;
        vm.set_attr_str(module, &format!("__{}__", name.trim_end_matches('_')), &function)?;
    }
    let mut names: Vec<&str> = FUNCTIONS.iter().map(Native::name).chain(["attrgetter", "itemgetter", "methodcaller"]).collect();
    names.sort_unstable();
    let names = names.into_iter().map(|name| vm.intern(name)).collect();
    let names = vm.new_list(names);
    vm.set_attr_str(module, "__all__", &names)
}

fn is_sequence(vm: &Vm, value: &Value) -> bool {
    vm.type_payload(value).slots.get_item.is_some() && !value.holds::<crate::object::types::dict::Dict>()
}

fn concat(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if !is_sequence(vm, &args[0]) {
        let name = vm.type_name(&args[0]);
        return Err(vm.type_error(format!("'{name}' object can't be concatenated")));
    }
    vm.binary(BinaryOperator::Add, &args[0], &args[1])
}

fn iconcat(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if !is_sequence(vm, &args[0]) {
        let name = vm.type_name(&args[0]);
        return Err(vm.type_error(format!("'{name}' object can't be concatenated")));
    }
    vm.in_place(BinaryOperator::Add, &args[0], &args[1])
}

fn count_of(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    must_iterate(vm, &args[0])?;
    let mut count = 0;
    vm.iterate(&args[0], |vm, item| {
        count += i64::from(vm.equal(&item, &args[1])?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(Value::small(count))
}

/// Raises `TypeError`, in the words of `in`, for what cannot be iterated over.
fn must_iterate(vm: &mut Vm, value: &Value) -> Result<()> {
    if sequence::is_iterable(vm, value) {
        return Ok(());
    }
    let name = vm.type_name(value);
    Err(vm.type_error(format!("argument of type '{name}' is not iterable")))
}

fn index_of(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    must_iterate(vm, &args[0])?;
    let (mut index, mut found) = (0, false);
    vm.iterate(&args[0], |vm, item| {
        found = vm.equal(&item, &args[1])?;
        if found {
            return Ok(ControlFlow::Break(()));
        }
        index += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    if found { Ok(Value::small(index)) } else { Err(vm.value_error("sequence.index(x): x not in sequence")) }
}

fn length_hint(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let default = match args.given(1) {
        Some(default) if !vm.is_int(default) => {
            let name = vm.type_name(default);
            return Err(vm.type_error(format!("'{name}' object cannot be interpreted as an integer")));
        }
        Some(default) => vm.index_i64(default)?,
        None => 0,
    };
    let hint = vm.length_hint(&args[0], usize::MAX)?;
    Ok(if hint == usize::MAX { vm.new_int(default) } else { vm.new_int(hint as i64) })
}

fn call(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let positional = vm.tuple_items(&args[1]);
    vm.call_forwarded(&args[0], positional, &args[2])
}

// ---- itemgetter and attrgetter

/// `itemgetter` (keys) and `attrgetter` (names, split at their dots).
pub(crate) struct Getter {
    /// What was given.
    items: Vec<Value>,
    /// For attributes: the parts of each name, interned.
    paths: Vec<Vec<Value>>,
}

impl Payload for Getter {
    const LAYOUT: Layout = Layout::OperatorGetter;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        self.items.iter().chain(self.paths.iter().flatten()).for_each(|item| visit(item.word()));
    }
    fn clear(&mut self) {
        drop(std::mem::take(&mut self.items));
    }
}

pub(crate) static ITEM_GETTER: TypeSpec = TypeSpec {
    name: "operator.itemgetter",
    doc: "A function that takes items out of what it is called with: itemgetter(2)(row) is row[2], itemgetter(2, 5)(row) is (row[2], row[5]).",
    layout: Layout::OperatorGetter,
    slots: Slots {
        new: Some(|vm, class, args| {
            sequence::no_names(vm, "itemgetter", args)?;
            if args.values.is_empty() {
                return Err(vm.type_error("itemgetter expected 1 argument, got 0"));
            }
            Ok(vm.alloc_for(class, Getter { items: args.values.to_vec(), paths: Vec::new() }).into_value())
        }),
        repr: Some(getter_repr),
        call: Some(|vm, this, args| {
            let object = operand(vm, "itemgetter", args)?;
            let items = getter(this).get(vm).items.clone();
            if let [only] = items.as_slice() {
                return vm.get_item(object, only);
            }
            let mut found = Vec::with_capacity(items.len());
            for item in &items {
                found.push(vm.get_item(object, item)?);
            }
            Ok(vm.new_tuple(found))
        }),
        ..Slots::NONE
    },
    methods: &[native("__reduce__(self, /)", getter_reduce)],
    ..TypeSpec::DEFAULT
};

pub(crate) static ATTRIBUTE_GETTER: TypeSpec = TypeSpec {
    name: "operator.attrgetter",
    doc: "A function that takes attributes of what it is called with: attrgetter('a.b')(x) is x.a.b, attrgetter('a', 'c')(x) is (x.a, x.c).",
    layout: Layout::OperatorGetter,
    slots: Slots {
        new: Some(attribute_getter_new),
        repr: Some(getter_repr),
        call: Some(|vm, this, args| {
            let object = operand(vm, "attrgetter", args)?;
            let paths = getter(this).get(vm).paths.clone();
            let mut found = Vec::with_capacity(paths.len());
            for path in &paths {
                let mut value = object.clone();
                for name in path {
                    value = vm.get_attr(&value, name)?;
                }
                found.push(value);
            }
            Ok(if found.len() == 1 { found.remove(0) } else { vm.new_tuple(found) })
        }),
        ..Slots::NONE
    },
    methods: &[native("__reduce__(self, /)", getter_reduce)],
    ..TypeSpec::DEFAULT
};

fn getter(value: &Value) -> &Ref<Getter> {
    value.downcast::<Getter>().expect("the slot or method was found on a getter")
}

fn operand<'a>(vm: &mut Vm, name: &str, args: CallArgs<'a>) -> Result<&'a Value> {
    sequence::no_names(vm, name, args)?;
    match args.values {
        [object] => Ok(object),
        more => {
            let count = more.len();
            Err(vm.type_error(format!("{name} expected 1 argument, got {count}")))
        }
    }
}

fn attribute_getter_new(vm: &mut Vm, class: &Ref<Type>, args: CallArgs<'_>) -> Result<Value> {
    sequence::no_names(vm, "attrgetter", args)?;
    if args.values.is_empty() {
        return Err(vm.type_error("attrgetter expected 1 argument, got 0"));
    }
    let mut paths = Vec::with_capacity(args.values.len());
    for name in args.values {
        let Some(text) = sequence::text(vm, name) else { return Err(vm.type_error("attribute name must be a string")) };
        let codes: Vec<u32> = text.codes().collect();
        let path = codes.split(|&code| code == u32::from('.')).map(|part| vm.intern_text(Text::from_code_points(part.iter().copied()))).collect();
        paths.push(path);
    }
    Ok(vm.alloc_for(class, Getter { items: args.values.to_vec(), paths }).into_value())
}

fn getter_repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let class = vm.type_of(this);
    let name = vm.class_full_name(&class);
    let items = getter(this).get(vm).items.clone();
    sequence::repr(vm, this, &format!("{name}("), ")", &format!("{name}(...)"), |_, index| items.get(index).cloned())
}

fn getter_reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let items = getter(&args[0]).get(vm).items.clone();
    let items = vm.new_tuple(items);
    let class = vm.type_of(&args[0]).into_value();
    Ok(vm.new_tuple(vec![class, items]))
}

// ---- methodcaller

/// `methodcaller`.
pub(crate) struct MethodCaller {
    name: Value,
    /// Positional arguments, then named ones.
    values: Vec<Value>,
    names: Vec<Value>,
}

impl Payload for MethodCaller {
    const LAYOUT: Layout = Layout::MethodCaller;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.name.word());
        self.values.iter().chain(&self.names).for_each(|value| visit(value.word()));
    }
    fn clear(&mut self) {
        drop(std::mem::take(&mut self.values));
        drop(std::mem::take(&mut self.names));
    }
}

pub(crate) static METHOD_CALLER: TypeSpec = TypeSpec {
    name: "operator.methodcaller",
    doc: "A function that calls a method of what it is called with: methodcaller('name', 1, k=2)(x) is x.name(1, k=2).",
    layout: Layout::MethodCaller,
    slots: Slots {
        new: Some(|vm, class, args| {
            let Some(name) = args.unnamed().first() else {
                return Err(vm.type_error("methodcaller needs at least one argument, the method name"));
            };
            let Some(text) = sequence::text(vm, name) else { return Err(vm.type_error("method name must be a string")) };
            let name = vm.intern_text(text);
            let payload = MethodCaller { name, values: args.values[1..].to_vec(), names: args.names.to_vec() };
            Ok(vm.alloc_for(class, payload).into_value())
        }),
        repr: Some(caller_repr),
        call: Some(|vm, this, args| {
            let object = operand(vm, "methodcaller", args)?;
            let caller = caller(this).get(vm);
            let (name, values, names) = (caller.name.clone(), caller.values.clone(), caller.names.clone());
            let method = vm.get_attr(object, &name)?;
            vm.call_args(&method, CallArgs { values: &values, names: &names })
        }),
        ..Slots::NONE
    },
    methods: &[native("__reduce__(self, /)", caller_reduce)],
    ..TypeSpec::DEFAULT
};

fn caller(value: &Value) -> &Ref<MethodCaller> {
    value.downcast::<MethodCaller>().expect("the slot or method was found on a methodcaller")
}

fn caller_repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let class = vm.type_of(this);
    let class_name = vm.class_full_name(&class);
    if !vm.enter_repr(this)? {
        return Ok(vm.new_str(format!("{class_name}(...)")));
    }
    let result = caller_text(vm, this);
    vm.leave_repr(this);
    let inside = result?;
    let mut text = TextBuilder::default();
    text.push_str(&class_name);
    text.push_str("(");
    text.push_text(&inside.finish());
    text.push_str(")");
    Ok(vm.new_str(text.finish()))
}

fn caller_text(vm: &mut Vm, this: &Value) -> Result<TextBuilder> {
    let parts = caller(this).get(vm);
    let (name, values, names) = (parts.name.clone(), parts.values.clone(), parts.names.clone());
    let mut text = TextBuilder::default();
    let name = vm.repr_text(&name)?;
    text.push_text(&name);
    let positional = values.len() - names.len();
    for (index, value) in values.iter().enumerate() {
        text.push_str(", ");
        if index >= positional {
            let name = vm.str_text(&names[index - positional])?;
            text.push_text(&name);
            text.push_str("=");
        }
        let value = vm.repr_text(value)?;
        text.push_text(&value);
    }
    Ok(text)
}

fn caller_reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let parts = caller(&args[0]).get(vm);
    let (name, values, names) = (parts.name.clone(), parts.values.clone(), parts.names.clone());
    let class = vm.type_of(&args[0]).into_value();
    let positional = values.len() - names.len();
    if names.is_empty() {
        let mut all = vec![name];
        all.extend(values);
        let all = vm.new_tuple(all);
        return Ok(vm.new_tuple(vec![class, all]));
    }
    let partial = vm.native_type(&crate::stdlib::functools::PARTIAL).into_value();
    let mut bound = vec![class, name];
    bound.extend_from_slice(&values[positional..]);
    let factory = vm.call_args(&partial, CallArgs { values: &bound, names: &names })?;
    let rest = vm.new_tuple(values[..positional].to_vec());
    Ok(vm.new_tuple(vec![factory, rest]))
}
