//! `builtins`: the functions that are there without an import. The types among the built-ins are put beside them at start-up.

use crate::code::instruction::Comparison;
use crate::number::Int;
use crate::object::native::{Args, NativeModule, native};
use crate::object::type_object::{BinaryOperator, CallArgs, HAS_DICT, Slots, Type, TypeSpec};
use crate::object::types::TypeId;
use crate::object::types::code::Code;
use crate::object::types::dict::Dict;
use crate::object::types::exception::ExceptionKind;
use crate::object::types::frame_methods::locals_of;
use crate::object::types::function::{CellPayload, Function};
use crate::object::types::iterator::CallIterator;
use crate::object::types::module::Module;
use crate::object::types::numeric::polled;
use crate::object::types::object::plain;
use crate::object::types::str::Str;
use crate::object::types::tuple::Tuple;
use crate::object::value::{Ref, Value};
use crate::text::TextBuilder;
use crate::vm::source::SourceOptions;
use crate::vm::state::Name;
use crate::vm::{Raised, Result, Vm};

pub(crate) static MODULE: NativeModule = NativeModule {
    name: "builtins",
    doc: "What every program finds without importing: functions, types and exceptions.",
    functions: &[
        native("__build_class__(func, name, /, *bases, **kwds)", build_class),
        native("__import__(name, globals=None, locals=None, fromlist=(), level=0)", import),
        native("abs(x, /)", |vm, args| vm.absolute(&args[0])),
        native("aiter(async_iterable, /)", aiter),
        native("all(iterable, /)", all),
        native("anext(aiterator, default=None, /)", anext),
        native("any(iterable, /)", any),
        native("ascii(obj, /)", |vm, args| vm.ascii(&args[0])),
        native("bin(number, /)", |vm, args| in_base(vm, &args[0], 2, "0b")),
        native("breakpoint(*args, **kws)", breakpoint),
        native("callable(obj, /)", |vm, args| Ok(Value::from_bool(vm.type_payload(&args[0]).slots.call.is_some()))),
        native("chr(i, /)", chr),
        native("compile(source, filename, mode, flags=0, dont_inherit=False, optimize=-1, *, _feature_version=-1)", compile),
        native("delattr(obj, name, /)", delattr),
        native("dir(object=None, /)", dir),
        native("divmod(x, y, /)", |vm, args| divmod(vm, &args[0], &args[1])),
        native("eval(source, /, globals=None, locals=None)", eval),
        native("exec(source, /, globals=None, locals=None, *, closure=None)", exec),
        native("format(value, format_spec='', /)", format),
        native("getattr(object, name, default=None, /)", getattr),
        native("globals()", globals),
        native("hasattr(obj, name, /)", hasattr),
        native("hash(obj, /)", |vm, args| {
            let hash = vm.hash(&args[0])?;
            Ok(vm.new_int(hash))
        }),
        native("hex(number, /)", |vm, args| in_base(vm, &args[0], 16, "0x")),
        native("id(obj, /)", |vm, args| Ok(vm.new_big(Int::from(args[0].address())))),
        native("input(prompt='', /)", input),
        native("isinstance(obj, class_or_tuple, /)", |vm, args| vm.object_isinstance(&args[0], &args[1]).map(Value::from_bool)),
        native("issubclass(cls, class_or_tuple, /)", |vm, args| vm.object_issubclass(&args[0], &args[1]).map(Value::from_bool)),
        native("iter(object, sentinel=None, /)", iter),
        native("len(obj, /)", |vm, args| {
            let len = vm.len(&args[0])?;
            Ok(vm.new_int(len as i64))
        }),
        native("locals()", locals),
        native("max(*args, default=None, key=None)", |vm, args| extreme(vm, args, Comparison::Greater, "max")).unpacked(),
        native("min(*args, default=None, key=None)", |vm, args| extreme(vm, args, Comparison::Less, "min")).unpacked(),
        native("next(iterator, default=None, /)", next),
        native("oct(number, /)", |vm, args| in_base(vm, &args[0], 8, "0o")),
        native("open(file, mode='r', buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None)", super::io::open::open),
        native("ord(c, /)", ord),
        native("pow(base, exp, mod=None)", power),
        native("print(*args, sep=' ', end='\\n', file=None, flush=False)", print),
        native("repr(obj, /)", |vm, args| vm.repr(&args[0])),
        native("round(number, ndigits=None)", round),
        native("setattr(obj, name, value, /)", setattr),
        native("sorted(*args, **kwargs)", sorted).shown("(iterable, /, *, key=None, reverse=False)"),
        native("sum(iterable, /, start=0)", sum),
        native("vars(object=None, /)", vars),
    ],
    types: &[],
    init: Some(init),
};

/// The types among the built-ins.
const TYPES: &[(&str, TypeId)] = &[
    ("bool", TypeId::Bool),
    ("bytearray", TypeId::ByteArray),
    ("bytes", TypeId::Bytes),
    ("classmethod", TypeId::ClassMethod),
    ("complex", TypeId::Complex),
    ("dict", TypeId::Dict),
    ("enumerate", TypeId::Enumerate),
    ("filter", TypeId::Filter),
    ("float", TypeId::Float),
    ("frozenset", TypeId::FrozenSet),
    ("int", TypeId::Int),
    ("list", TypeId::List),
    ("map", TypeId::Map),
    ("memoryview", TypeId::MemoryView),
    ("object", TypeId::Object),
    ("property", TypeId::Property),
    ("range", TypeId::Range),
    ("reversed", TypeId::Reversed),
    ("set", TypeId::Set),
    ("slice", TypeId::Slice),
    ("staticmethod", TypeId::StaticMethod),
    ("str", TypeId::Str),
    ("super", TypeId::Super),
    ("tuple", TypeId::Tuple),
    ("type", TypeId::Type),
    ("zip", TypeId::Zip),
];

fn init(vm: &mut Vm, module: &Value) -> Result<()> {
    let mut rows: Vec<(&str, Value)> = vec![
        ("None", Value::NONE),
        ("True", Value::TRUE),
        ("False", Value::FALSE),
        ("Ellipsis", Value::ELLIPSIS),
        ("NotImplemented", Value::NOT_IMPLEMENTED),
        ("__debug__", Value::TRUE),
    ];
    for (name, kind) in TYPES {
        rows.push((name, vm.builtin(*kind).into_value()));
    }
    for kind in ExceptionKind::ALL {
        rows.push((kind.name(), vm.state().exception(*kind).clone().into_value()));
    }
    for (alias, kind) in [("EnvironmentError", ExceptionKind::OSError), ("IOError", ExceptionKind::OSError)] {
        rows.push((alias, vm.state().exception(kind).clone().into_value()));
    }
    let class = vm.native_type(&QUITTER);
    for name in ["exit", "quit"] {
        let quitter = vm.alloc_instance(&class);
        let text = vm.new_str(name);
        vm.set_attr_str(&quitter, "name", &text)?;
        rows.push((name, quitter));
    }
    if let Some(group) = vm.state().exception_group.clone() {
        rows.push(("ExceptionGroup", group.into_value()));
    }
    let Some(dict) = module.downcast::<Module>().map(|module| module.get(vm).dict.clone()) else { return Ok(()) };
    for (name, value) in rows {
        vm.dict_set_str(&dict, name, value)?;
    }
    Ok(())
}

/// The type of `exit` and `quit`.
static QUITTER: TypeSpec = TypeSpec {
    name: "_sitebuiltins.Quitter",
    flags: HAS_DICT,
    slots: Slots {
        repr: Some(|vm, quitter| {
            let name = vm.get_attr_str(quitter, "name")?;
            let text = format!("Use {}() or Ctrl-D (i.e. EOF) to exit", plain(vm, &name));
            Ok(vm.new_str(text))
        }),
        call: Some(|vm, _, arguments| {
            let code = arguments.values.first().cloned().unwrap_or(Value::NONE);
            let class = vm.state().exception(ExceptionKind::SystemExit).clone();
            let exception = vm.call(&class, &[code])?;
            Err(vm.raise_value(exception))
        }),
        ..Slots::NONE
    },
    ..TypeSpec::DEFAULT
};

// ---- classes

/// What `__build_class__` and `types.new_class` do with bases that are no classes: `__mro_entries__`.
fn resolve_bases(vm: &mut Vm, bases: &[Value]) -> Result<Option<Vec<Value>>> {
    if bases.iter().all(|base| base.holds::<Type>()) {
        return Ok(None);
    }
    let original = vm.new_tuple(bases.to_vec());
    let (mut resolved, mut changed) = (Vec::new(), false);
    for base in bases {
        if base.holds::<Type>() {
            resolved.push(base.clone());
            continue;
        }
        match vm.find_attr_str(base, "__mro_entries__")? {
            Some(entries) => {
                let entries = vm.call(&entries, std::slice::from_ref(&original))?;
                if !entries.holds::<Tuple>() {
                    return Err(vm.type_error("__mro_entries__ must return a tuple"));
                }
                resolved.extend(vm.tuple_items(&entries));
                changed = true;
            }
            None => resolved.push(base.clone()),
        }
    }
    Ok(changed.then_some(resolved))
}

fn build_class(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (function, name) = (&args[0], &args[1]);
    if !function.holds::<Function>() {
        return Err(vm.type_error("__build_class__: func must be a function"));
    }
    if !name.holds::<Str>() {
        return Err(vm.type_error("__build_class__: name is not a string"));
    }
    let original = vm.tuple_items(&args[2]);
    let resolved = resolve_bases(vm, &original)?;
    let is_resolved = resolved.is_some();
    let bases = resolved.unwrap_or(original);
    let (mut names, mut values, mut metaclass) = (Vec::new(), Vec::new(), None);
    if let Some(named) = args[3].downcast::<Dict>() {
        let named: Vec<(Value, Value)> = named.get(vm).items().map(|(key, value)| (key.clone(), value.clone())).collect();
        for (key, value) in named {
            if vm.text_of(&key).is_some_and(|key| *key == *"metaclass") {
                metaclass = Some(value);
            } else {
                names.push(key);
                values.push(value);
            }
        }
    }
    let given = metaclass.is_some();
    let metaclass = match metaclass {
        Some(metaclass) => metaclass,
        None => match bases.first() {
            Some(base) => vm.type_of(base).into_value(),
            None => vm.builtin(TypeId::Type).into_value(),
        },
    };
    let metaclass = match metaclass.into_ref::<Type>() {
        Ok(class) => vm.derive_metaclass(class, &bases)?.into_value(),
        Err(callable) => callable,
    };
    let base_tuple = vm.new_tuple(bases);
    let prepare_name = vm.name(Name::Prepare);
    let namespace = match vm.find_attr(&metaclass, &prepare_name)? {
        Some(prepare) => {
            let mut all = vec![name.clone(), base_tuple.clone()];
            all.extend(values.iter().cloned());
            vm.call_args(&prepare, CallArgs { values: &all, names: &names })?
        }
        None => vm.new_dict().into_value(),
    };
    if vm.type_payload(&namespace).slots.set_item.is_none() || vm.type_payload(&namespace).slots.get_item.is_none() {
        let metaclass_name = match metaclass.downcast::<Type>() {
            Some(class) => vm.class_name(class),
            None => "<metaclass>".to_owned(),
        };
        let message = format!("{metaclass_name}.__prepare__() must return a mapping, not {}", vm.type_name(&namespace));
        return Err(vm.type_error(message));
    }
    let cell = vm.run_code(function, &namespace)?;
    if is_resolved {
        let original = args[2].clone();
        let key = vm.name(Name::OrigBases);
        vm.set_item(&namespace, &key, &original)?;
    }
    let _ = given;
    let mut all = vec![name.clone(), base_tuple, namespace];
    all.extend(values);
    let class = vm.call_args(&metaclass, CallArgs { values: &all, names: &names })?;
    if class.holds::<Type>() {
        if let Some(cell) = cell.downcast::<CellPayload>() {
            let content = cell.get(vm).content.clone();
            let name = plain(vm, name);
            if content.is_unbound() {
                let class = vm.repr_text(&class)?;
                let message = format!("__class__ not set defining '{name}' as {class}. Was __classcell__ propagated to type.__new__?");
                return Err(vm.runtime_error(message));
            }
            if !content.is(&class) {
                let (content, class) = (vm.repr_text(&content)?, vm.repr_text(&class)?);
                return Err(vm.type_error(format!("__class__ set to {content} defining '{name}' as {class}")));
            }
        }
    }
    Ok(class)
}

fn import(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if !args[0].holds::<Str>() {
        return Err(vm.type_error("module name must be a string"));
    }
    let level = match args.given(4) {
        Some(level) => vm.index_i64(level)?,
        None => 0,
    };
    let globals = args.given_some(1).cloned();
    let globals = match globals {
        Some(globals) => match globals.into_ref::<Dict>() {
            Ok(globals) => Some(globals),
            Err(_) if level > 0 => return Err(vm.type_error("globals must be a dict")),
            Err(_) => None,
        },
        None => None,
    };
    let from_list = args.or_none(3);
    crate::vm::import::import_name(vm, &args[0], globals.as_ref(), &from_list, level)
}

// ---- iteration

fn all(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let iterator = vm.iter(&args[0])?;
    while let Some(item) = vm.next(&iterator)? {
        if !vm.is_true(&item)? {
            return Ok(Value::FALSE);
        }
        vm.poll_after(1)?;
    }
    Ok(Value::TRUE)
}

fn any(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let iterator = vm.iter(&args[0])?;
    while let Some(item) = vm.next(&iterator)? {
        if vm.is_true(&item)? {
            return Ok(Value::TRUE);
        }
        vm.poll_after(1)?;
    }
    Ok(Value::FALSE)
}

fn iter(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let Some(sentinel) = args.given(1) else { return vm.iter(&args[0]) };
    if vm.type_payload(&args[0]).slots.call.is_none() {
        return Err(vm.type_error("iter(v, w): v must be callable"));
    }
    let payload = CallIterator { callable: Some(args[0].clone()), sentinel: sentinel.clone() };
    let class = vm.native_type(&crate::object::types::iterator_methods::CALL_ITERATOR);
    Ok(vm.alloc_for(&class, payload).into_value())
}

fn next(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    match vm.next_or_stop(&args[0]) {
        Ok(Some(item)) => Ok(item),
        Ok(None) => match args.given(1) {
            Some(default) => Ok(default.clone()),
            None => Err(vm.stop_iteration(None)),
        },
        Err(raised) => match args.given(1) {
            Some(default) if vm.clear_if(ExceptionKind::StopIteration) => Ok(default.clone()),
            _ => Err(raised),
        },
    }
}

fn aiter(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let Some(aiter) = vm.type_payload(&args[0]).slots.aiter else {
        let message = format!("'{}' object is not an async iterable", vm.type_name(&args[0]));
        return Err(vm.type_error(message));
    };
    let iterator = aiter(vm, &args[0])?;
    if vm.type_payload(&iterator).slots.anext.is_none() {
        let message = format!("aiter() returned not an async iterator of type '{}'", vm.type_name(&iterator));
        return Err(vm.type_error(message));
    }
    Ok(iterator)
}

fn anext(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let Some(anext) = vm.type_payload(&args[0]).slots.anext else {
        let message = format!("'{}' object is not an async iterator", vm.type_name(&args[0]));
        return Err(vm.type_error(message));
    };
    let awaitable = anext(vm, &args[0])?;
    match args.given(1) {
        None => Ok(awaitable),
        Some(default) => {
            use crate::object::types::generator::{Awaiter, AwaiterKind, AwaiterState};
            let payload = Awaiter {
                kind: AwaiterKind::AnextDefault,
                state: AwaiterState::Fresh,
                target: awaitable,
                value: default.clone(),
                extra: (Value::NONE, Value::NONE),
            };
            Ok(vm.alloc(TypeId::AnextAwaitable, payload).into_value())
        }
    }
}

fn sorted(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    // The options are `list.sort`'s to check, as are the words for what is wrong with them.
    let positional = vm.tuple_items(&args[0]);
    let [iterable] = positional.as_slice() else {
        let message = format!("sorted expected 1 argument, got {}", positional.len());
        return Err(vm.type_error(message));
    };
    let items = vm.collect(iterable)?;
    let list = vm.new_list(items);
    let sort = vm.get_attr_str(&list, "sort")?;
    vm.call_forwarded(&sort, Vec::new(), &args[1])?;
    Ok(list)
}

fn breakpoint(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let Some(hook) = vm.sys_get("breakpointhook")? else { return Err(lost(vm, "breakpointhook")) };
    let positional = vm.tuple_items(&args[0]);
    vm.call_forwarded(&hook, positional, &args[1])
}

fn extreme(vm: &mut Vm, args: Args<'_>, comparison: Comparison, name: &str) -> Result<Value> {
    let positional = vm.tuple_items(&args[0]);
    let (default, key) = (args.given(1), args.given_some(2));
    let items = match positional.as_slice() {
        [] => return Err(vm.type_error(format!("{name} expected at least 1 argument, got 0"))),
        [iterable] => iterable.clone(),
        _ => {
            if default.is_some() {
                return Err(vm.type_error(format!("Cannot specify a default for {name}() with multiple positional arguments")));
            }
            args[0].clone()
        }
    };
    let iterator = vm.iter(&items)?;
    let mut best: Option<(Value, Value)> = None;
    while let Some(item) = vm.next(&iterator)? {
        let measure = match key {
            Some(key) => vm.call(key, std::slice::from_ref(&item))?,
            None => item.clone(),
        };
        let better = match &best {
            None => true,
            Some((_, known)) => vm.compare_bool(&measure, known, comparison)?,
        };
        if better {
            best = Some((item, measure));
        }
        vm.poll_after(1)?;
    }
    match (best, default) {
        (Some((item, _)), _) => Ok(item),
        (None, Some(default)) => Ok(default.clone()),
        (None, None) => Err(vm.value_error(format!("{name}() iterable argument is empty"))),
    }
}

/// Integers and floats are summed apart while there is nothing else; floats with Neumaier's compensation, as CPython does since 3.12.
fn sum(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let iterator = vm.iter(&args[0])?;
    let mut total = args.given(1).cloned().unwrap_or(Value::small(0));
    for (kind, message) in [
        (TypeId::Str, "sum() can't sum strings [use ''.join(seq) instead]"),
        (TypeId::Bytes, "sum() can't sum bytes [use b''.join(seq) instead]"),
        (TypeId::ByteArray, "sum() can't sum bytearray [use b''.join(seq) instead]"),
    ] {
        if vm.is_kind(&total, kind) {
            return Err(vm.type_error(message));
        }
    }
    let mut pending: Option<Value> = None;
    if vm.is_exact(&total, TypeId::Int) {
        let mut small = total.as_small();
        while let Some(mut value) = small {
            let Some(item) = vm.next(&iterator)? else { return Ok(vm.new_int(value)) };
            match item.as_small().and_then(|item| value.checked_add(item)) {
                Some(next) => {
                    value = next;
                    small = Some(value);
                    total = Value::NONE;
                }
                None => {
                    total = vm.new_int(value);
                    pending = Some(item);
                    small = None;
                }
            }
            vm.poll_after(1)?;
        }
        if total.is_none() {
            total = Value::small(0);
        }
        if let Some(item) = pending.take() {
            let is_float = vm.is_exact(&item, TypeId::Float);
            if is_float && vm.is_exact(&total, TypeId::Int) {
                let start = vm.float(&total)?;
                total = vm.new_float(start);
            }
            pending = Some(item);
        }
    }
    if vm.is_exact(&total, TypeId::Float) {
        let mut high = vm.float(&total)?;
        let mut low = 0.0_f64;
        loop {
            let item = match pending.take() {
                Some(item) => item,
                None => match vm.next(&iterator)? {
                    Some(item) => item,
                    None => return Ok(vm.new_float(compensated(high, low))),
                },
            };
            vm.poll_after(1)?;
            if vm.is_exact(&item, TypeId::Float) {
                let value = match item.word().as_float() {
                    Some(value) => value,
                    None => vm.float(&item)?,
                };
                let sum = high + value;
                low += if high.abs() >= value.abs() { (high - sum) + value } else { (value - sum) + high };
                high = sum;
                continue;
            }
            if let Some(number) = vm.int_ref(&item).filter(|_| vm.is_exact(&item, TypeId::Int)) {
                if let Some(small) = number.to_i64() {
                    high += small as f64;
                    continue;
                }
            }
            total = vm.new_float(compensated(high, low));
            pending = Some(item);
            break;
        }
    }
    loop {
        let item = match pending.take() {
            Some(item) => item,
            None => match vm.next(&iterator)? {
                Some(item) => item,
                None => return Ok(total),
            },
        };
        total = vm.binary(BinaryOperator::Add, &total, &item)?;
        vm.poll_after(1)?;
    }
}

fn compensated(high: f64, low: f64) -> f64 {
    if low != 0.0 && low.is_finite() { high + low } else { high }
}

// ---- numbers

fn in_base(vm: &mut Vm, value: &Value, base: u8, prefix: &str) -> Result<Value> {
    let number = vm.index(value)?;
    let digits = number.as_ref().to_power_of_two_base(base);
    let text = match digits.strip_prefix('-') {
        Some(digits) => format!("-{prefix}{digits}"),
        None => format!("{prefix}{digits}"),
    };
    Ok(vm.new_str(text))
}

fn chr(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let code = vm.index(&args[0])?;
    match code.as_ref().to_i64() {
        Some(code) if (0..=0x10_ffff).contains(&code) => Ok(vm.new_char(code as u32)),
        _ => Err(vm.value_error("chr() arg not in range(0x110000)")),
    }
}

fn ord(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let length = if let Some(text) = vm.text_of(&args[0]) {
        if text.len() == 1 {
            return Ok(Value::small(i64::from(text.get(0))));
        }
        text.len()
    } else if vm.is_kind(&args[0], TypeId::Bytes) || vm.is_kind(&args[0], TypeId::ByteArray) {
        let bytes = vm.bytes_vec(&args[0])?;
        if let [byte] = bytes.as_slice() {
            return Ok(Value::small(i64::from(*byte)));
        }
        bytes.len()
    } else {
        let message = format!("ord() expected string of length 1, but {} found", vm.type_name(&args[0]));
        return Err(vm.type_error(message));
    };
    Err(vm.type_error(format!("ord() expected a character, but string of length {length} found")))
}

/// `divmod(left, right)`
pub(crate) fn divmod(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    if vm.is_exact(left, TypeId::Int) && vm.is_exact(right, TypeId::Int) {
        if let (Some(one), Some(other)) = (vm.int_value(left), vm.int_value(right)) {
            let (quotient, remainder) = polled(vm, |poll| one.as_ref().divmod(other.as_ref(), poll))?;
            let (quotient, remainder) = (vm.new_big(quotient), vm.new_big(remainder));
            return Ok(vm.new_tuple(vec![quotient, remainder]));
        }
    }
    let (left_type, right_type) = (vm.type_of(left), vm.type_of(right));
    let reflected_first = !left_type.is(&right_type) && right_type.get(vm).is_subtype_of(&left_type);
    if reflected_first {
        if let Some(result) = vm.call_special(right, "__rdivmod__", std::slice::from_ref(left))?.filter(|result| !result.is_not_implemented()) {
            return Ok(result);
        }
    }
    if let Some(result) = vm.call_special(left, "__divmod__", std::slice::from_ref(right))?.filter(|result| !result.is_not_implemented()) {
        return Ok(result);
    }
    if !reflected_first && !left_type.is(&right_type) {
        if let Some(result) = vm.call_special(right, "__rdivmod__", std::slice::from_ref(left))?.filter(|result| !result.is_not_implemented()) {
            return Ok(result);
        }
    }
    let message = format!("unsupported operand type(s) for divmod(): '{}' and '{}'", vm.type_name(left), vm.type_name(right));
    Err(vm.type_error(message))
}

fn power(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    match args.given_some(2) {
        None => vm.binary(BinaryOperator::Power, &args[0], &args[1]),
        Some(modulus) => power_modulo(vm, &args[0], &args[1], modulus),
    }
}

/// `pow(base, exponent, modulus)`
pub(crate) fn power_modulo(vm: &mut Vm, base: &Value, exponent: &Value, modulus: &Value) -> Result<Value> {
    if vm.type_payload(base).spec.is_none() {
        let name = vm.intern("__pow__");
        let class = vm.type_of(base);
        if vm.type_lookup(&class, &name).is_some_and(|method| !method.holds::<crate::object::native::NativeFunction>()) {
            let result = vm.call_special_value(base, &name, &[exponent.clone(), modulus.clone()])?;
            if let Some(result) = result.filter(|result| !result.is_not_implemented()) {
                return Ok(result);
            }
        }
    }
    if let (Some(base), Some(exponent), Some(modulus)) = (vm.int_value(base), vm.int_value(exponent), vm.int_value(modulus)) {
        let result = polled(vm, |poll| base.as_ref().powmod(exponent.as_ref(), modulus.as_ref(), poll))?;
        return Ok(vm.new_big(result));
    }
    // Each operand's type is asked in turn: floats refuse three operands whatever they are, complex numbers when two are numbers.
    let is_number = |vm: &Vm, value: &Value| vm.is_int(value) || vm.is_kind(value, TypeId::Float) || vm.is_kind(value, TypeId::Complex);
    let operands_are_numbers = is_number(vm, base) && is_number(vm, exponent);
    for operand in [base, exponent, modulus] {
        if vm.is_kind(operand, TypeId::Float) {
            return Err(vm.type_error("pow() 3rd argument not allowed unless all arguments are integers"));
        }
        if vm.is_kind(operand, TypeId::Complex) && operands_are_numbers {
            return Err(vm.value_error("complex modulo"));
        }
    }
    let message =
        format!("unsupported operand type(s) for ** or pow(): '{}', '{}', '{}'", vm.type_name(base), vm.type_name(exponent), vm.type_name(modulus));
    Err(vm.type_error(message))
}

fn round(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let name = vm.name(Name::Round);
    let arguments: Vec<Value> = args.given_some(1).cloned().into_iter().collect();
    match vm.call_special_value(&args[0], &name, &arguments)? {
        Some(result) => Ok(result),
        None => {
            let message = format!("type {} doesn't define __round__ method", vm.type_name(&args[0]));
            Err(vm.type_error(message))
        }
    }
}

// ---- attributes and namespaces

fn expect_name(vm: &mut Vm, name: &Value) -> Result<()> {
    if name.holds::<Str>() {
        return Ok(());
    }
    let message = format!("attribute name must be string, not '{}'", vm.type_name(name));
    Err(vm.type_error(message))
}

/// The name to look up: namespaces know plain strings, so one of a subclass is asked for by its text.
fn name_to_find(vm: &mut Vm, name: &Value) -> Result<Value> {
    expect_name(vm, name)?;
    match name.downcast::<Str>() {
        Some(string) if !vm.is_exact(name, TypeId::Str) => {
            let text = string.get(vm).text.clone();
            Ok(vm.intern_text(text))
        }
        _ => Ok(name.clone()),
    }
}

fn getattr(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let name = name_to_find(vm, &args[1])?;
    match args.given(2) {
        None => vm.get_attr(&args[0], &name),
        Some(default) => Ok(vm.find_attr(&args[0], &name)?.unwrap_or_else(|| default.clone())),
    }
}

fn hasattr(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let name = name_to_find(vm, &args[1])?;
    Ok(Value::from_bool(vm.find_attr(&args[0], &name)?.is_some()))
}

fn setattr(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    expect_name(vm, &args[1])?;
    vm.set_attr(&args[0], &args[1], &args[2])?;
    Ok(Value::NONE)
}

fn delattr(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    expect_name(vm, &args[1])?;
    vm.del_attr(&args[0], &args[1])?;
    Ok(Value::NONE)
}

/// The namespace of the code that called a native.
fn caller_locals(vm: &mut Vm) -> Result<Value> {
    match vm.frame_at(0) {
        Some(frame) => locals_of(vm, &frame),
        None => Err(vm.raise(ExceptionKind::SystemError, "frame does not exist")),
    }
}

fn caller_globals(vm: &mut Vm) -> Result<Ref<Dict>> {
    match vm.current_globals() {
        Some(globals) => Ok(globals),
        None => Err(vm.raise(ExceptionKind::SystemError, "globals and locals cannot be NULL")),
    }
}

fn globals(vm: &mut Vm, _: Args<'_>) -> Result<Value> {
    Ok(caller_globals(vm)?.into_value())
}

fn locals(vm: &mut Vm, _: Args<'_>) -> Result<Value> {
    caller_locals(vm)
}

fn vars(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let Some(object) = args.given(0) else { return caller_locals(vm) };
    match vm.find_attr_str(object, "__dict__")? {
        Some(dict) => Ok(dict),
        None => Err(vm.type_error("vars() argument must have __dict__ attribute")),
    }
}

/// The names of `dir(object)`, sorted.
pub(crate) fn dir_names(vm: &mut Vm, object: &Value) -> Result<Value> {
    let Some(names) = vm.call_special(object, "__dir__", &[])? else {
        return Err(vm.type_error("object does not provide __dir__"));
    };
    let names = vm.collect(&names)?;
    let list = vm.new_list(names);
    vm.call_method(&list, "sort", &[])?;
    Ok(list)
}

fn dir(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    match args.given(0) {
        Some(object) => dir_names(vm, object),
        None => {
            let locals = caller_locals(vm)?;
            let keys = vm.mapping_keys(&locals)?;
            let list = vm.new_list(keys);
            vm.call_method(&list, "sort", &[])?;
            Ok(list)
        }
    }
}

fn format(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let spec = args.given(1).cloned().unwrap_or_else(|| vm.empty_str());
    if !spec.holds::<Str>() {
        let message = format!("format() argument 2 must be str, not {}", vm.argument_kind(&spec));
        return Err(vm.type_error(message));
    }
    vm.format(&args[0], &spec)
}

// ---- compile, eval, exec

const ONLY_AST: i64 = 0x400;
const TOP_LEVEL_AWAIT: i64 = 0x2000;
const FUTURE_ANNOTATIONS: i64 = 0x0100_0000;
/// Flags that are understood, or that mean nothing any more.
const KNOWN_FLAGS: i64 = ONLY_AST | TOP_LEVEL_AWAIT | FUTURE_ANNOTATIONS | 0x200 | 0x4000 | 0x1000 | 0x00fe_0000 | 0x10;

/// The text of a source argument, and whether it is bytes.
fn source_bytes(vm: &mut Vm, source: &Value, function: &str, what: &str) -> Result<(Vec<u8>, bool)> {
    let (bytes, is_text) = if let Some(text) = vm.text_of(source) {
        match text.to_utf8() {
            Ok(text) => (text.into_owned().into_bytes(), true),
            Err(_) => (vm.expect_string(source, "source")?.into_bytes(), true),
        }
    } else if vm.is_bytes_like(source) {
        (vm.bytes_vec(source)?, false)
    } else {
        return Err(vm.type_error(format!("{function}() arg 1 must be a {what}")));
    };
    if bytes.contains(&0) {
        return Err(vm.raise(ExceptionKind::SyntaxError, "source code string cannot contain null bytes"));
    }
    Ok((bytes, is_text))
}

/// What a compilation inherits from the code that asks for it.
fn inherited(vm: &mut Vm, mode: SourceOptions) -> SourceOptions {
    let future = vm.frame_at(0).is_some_and(|frame| frame.get(vm).code.get(vm).unit.flags.future_annotations);
    SourceOptions { future_annotations: future, ..mode }
}

fn compile_source(vm: &mut Vm, source: &(Vec<u8>, bool), filename: &str, options: SourceOptions) -> Result<Ref<Code>> {
    match std::str::from_utf8(&source.0) {
        // A text's own coding comment says nothing.
        Ok(text) if source.1 => vm.compile_text(text, filename, SourceOptions { is_decoded: true, ..options }),
        _ => vm.compile_bytes(&source.0, filename, options),
    }
}

fn compile(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let filename = if vm.is_kind(&args[1], TypeId::Bytes) {
        String::from_utf8_lossy(&vm.bytes_vec(&args[1])?).into_owned()
    } else if args[1].holds::<Str>() {
        plain(vm, &args[1])
    } else {
        match vm.call_special(&args[1], "__fspath__", &[])? {
            Some(path) => plain(vm, &path),
            None => {
                let message = format!("expected str, bytes or os.PathLike object, not {}", vm.type_name(&args[1]));
                return Err(vm.type_error(message));
            }
        }
    };
    if !args[2].holds::<Str>() {
        let message = format!("compile() argument 'mode' must be str, not {}", vm.argument_kind(&args[2]));
        return Err(vm.type_error(message));
    }
    let flags = match args.given(3) {
        Some(flags) => vm.index_i64(flags)?,
        None => 0,
    };
    if flags & !KNOWN_FLAGS != 0 {
        return Err(vm.value_error("compile(): unrecognised flags"));
    }
    let inherits = match args.given(4) {
        Some(flag) => !vm.is_true(flag)?,
        None => true,
    };
    let optimize = match args.given(5) {
        Some(level) => vm.index_i64(level)?,
        None => -1,
    };
    if !(-1..=2).contains(&optimize) {
        return Err(vm.value_error("compile(): invalid optimize value"));
    }
    let mode = match plain(vm, &args[2]).as_str() {
        "exec" => SourceOptions::MODULE,
        "eval" => SourceOptions::EXPRESSION,
        "single" => SourceOptions::INTERACTIVE,
        "func_type" if flags & ONLY_AST == 0 => {
            return Err(vm.value_error("compile() mode 'func_type' requires flag PyCF_ONLY_AST"));
        }
        _ if flags & ONLY_AST == 0 => return Err(vm.value_error("compile() mode must be 'exec', 'eval' or 'single'")),
        _ => return Err(vm.value_error("compile() mode must be 'exec', 'eval', 'single' or 'func_type'")),
    };
    let is_tree = super::ast_tree::is_node(vm, &args[0])?;
    if flags & ONLY_AST != 0 {
        if is_tree {
            return Ok(args[0].clone());
        }
        let ast = vm.import("ast")?;
        return vm.call_method(&ast, "parse", &[args[0].clone(), args[1].clone(), args[2].clone()]);
    }
    let mut compile_flags = if inherits { inherited(vm, mode) } else { mode };
    compile_flags.future_annotations |= flags & FUTURE_ANNOTATIONS != 0;
    compile_flags.top_level_await = flags & TOP_LEVEL_AWAIT != 0;
    compile_flags.optimize = optimize.max(0) as u8;
    if args[0].holds::<Code>() {
        return Ok(args[0].clone());
    }
    if is_tree {
        let wanted = match compile_flags.mode {
            scrip_grammar::Mode::Module => "Module",
            scrip_grammar::Mode::Expression => "Expression",
            scrip_grammar::Mode::Interactive => "Interactive",
        };
        let stack_bytes = vm.native_room().max(1);
        let options = scrip_grammar::Options { top_level_await: compile_flags.top_level_await, stack_bytes, max_depth: 6000, ..Default::default() };
        let check = vm.import("_ast_check")?;
        vm.call_method(&check, "check", std::slice::from_ref(&args[0]))?;
        let parsed = super::ast_tree::parsed(vm, &args[0], wanted, options, &filename)?;
        return Ok(vm.compile_parsed(parsed, &filename, compile_flags)?.into_value());
    }
    let source = source_bytes(vm, &args[0], "compile", "string, bytes or AST object")?;
    Ok(compile_source(vm, &source, &filename, compile_flags)?.into_value())
}

/// The namespaces that `eval` and `exec` run in.
fn namespaces(vm: &mut Vm, args: Args<'_>, function: &str) -> Result<(Ref<Dict>, Value)> {
    let locals = args.given_some(2).cloned();
    if let Some(locals) = &locals {
        let is_mapping = vm.type_payload(locals).slots.get_item.is_some();
        if !is_mapping {
            let message = match function {
                "eval" => "locals must be a mapping".to_owned(),
                _ => format!("locals must be a mapping or None, not {}", vm.type_name(locals)),
            };
            return Err(vm.type_error(message));
        }
    }
    match args.given_some(1) {
        Some(given) => {
            let Some(globals) = given.downcast::<Dict>().cloned() else {
                let message = if function == "eval" {
                    if vm.type_payload(given).slots.get_item.is_some() {
                        "globals must be a real dict; try eval(code, {}, mapping)".to_owned()
                    } else {
                        "globals must be a dict".to_owned()
                    }
                } else {
                    format!("{function}() globals must be a dict, not {}", vm.type_name(given))
                };
                return Err(vm.type_error(message));
            };
            let locals = locals.unwrap_or_else(|| (*globals).clone());
            Ok((globals, locals))
        }
        None => {
            let globals = caller_globals(vm)?;
            let locals = match locals {
                Some(locals) => locals,
                None => caller_locals(vm)?,
            };
            Ok((globals, locals))
        }
    }
}

fn run_in(vm: &mut Vm, code: Ref<Code>, globals: Ref<Dict>, locals: &Value, closure: Vec<Value>) -> Result<Value> {
    let function = vm.new_function(code, globals)?;
    if let Some(function) = function.downcast::<Function>() {
        function.get_mut(vm).closure = closure.into_boxed_slice();
    }
    vm.run_code(&function, locals)
}

fn eval(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (globals, locals) = namespaces(vm, args, "eval")?;
    if let Some(code) = args[0].downcast::<Code>() {
        if !code.get(vm).unit.free.is_empty() {
            return Err(vm.type_error("code object passed to eval() may not contain free variables"));
        }
        return run_in(vm, code.clone(), globals, &locals, Vec::new());
    }
    let (bytes, is_text) = source_bytes(vm, &args[0], "eval", "string, bytes or code object")?;
    let start = bytes.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(bytes.len());
    let options = inherited(vm, SourceOptions::EXPRESSION);
    let code = compile_source(vm, &(bytes[start..].to_vec(), is_text), "<string>", options)?;
    run_in(vm, code, globals, &locals, Vec::new())
}

fn exec(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (globals, locals) = namespaces(vm, args, "exec")?;
    let closure = args.given_some(3).cloned();
    if let Some(code) = args[0].downcast::<Code>().cloned() {
        let n_free = code.get(vm).unit.free.len();
        let cells = match closure {
            None if n_free == 0 => Vec::new(),
            Some(_) if n_free == 0 => return Err(vm.type_error("cannot use a closure with this code object")),
            given => {
                let cells = given.filter(|given| vm.is_exact(given, TypeId::Tuple)).map(|given| vm.tuple_items(&given));
                match cells {
                    Some(cells) if cells.len() == n_free && cells.iter().all(|cell| cell.holds::<CellPayload>()) => cells,
                    _ => return Err(vm.type_error(format!("code object requires a closure of exactly length {n_free}"))),
                }
            }
        };
        run_in(vm, code, globals, &locals, cells)?;
        return Ok(Value::NONE);
    }
    if closure.is_some() {
        return Err(vm.type_error("closure can only be used when source is a code object"));
    }
    let source = source_bytes(vm, &args[0], "exec", "string, bytes or code object")?;
    let options = inherited(vm, SourceOptions::MODULE);
    let code = compile_source(vm, &source, "<string>", options)?;
    run_in(vm, code, globals, &locals, Vec::new())?;
    Ok(Value::NONE)
}

// ---- input and output

fn lost(vm: &mut Vm, name: &str) -> Raised {
    vm.runtime_error(format!("lost sys.{name}"))
}

/// A separator or ending of `print`: the text, or `None` for the default.
fn print_option(vm: &mut Vm, value: Option<&Value>, name: &str) -> Result<Option<Value>> {
    let Some(value) = value.filter(|value| !value.is_none()) else { return Ok(None) };
    if value.holds::<Str>() {
        return Ok(Some(value.clone()));
    }
    let message = format!("{name} must be None or a string, not {}", vm.type_name(value));
    Err(vm.type_error(message))
}

fn print(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let file = match args.given_some(3) {
        Some(file) => file.clone(),
        None => match vm.sys_get("stdout")? {
            Some(file) if file.is_none() => return Ok(Value::NONE),
            Some(file) => file,
            None => return Err(lost(vm, "stdout")),
        },
    };
    let separator = print_option(vm, args.given(1), "sep")?;
    let ending = print_option(vm, args.given(2), "end")?;
    let items: Vec<Value> = vm.tuple_items(&args[0]);
    let is_native = vm.type_payload(&file).spec.is_some();
    if is_native {
        // One write for the whole line, so that lines of several threads do not mix.
        let mut line = TextBuilder::new();
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                match separator.as_ref().and_then(|separator| vm.text_of(separator)) {
                    Some(separator) => line.push_text(separator),
                    None => line.push_str(" "),
                }
            }
            let text = vm.str(item)?;
            if let Some(text) = vm.text_of(&text) {
                line.push_text(text);
            }
        }
        match ending.as_ref().and_then(|ending| vm.text_of(ending)) {
            Some(ending) => line.push_text(ending),
            None => line.push_str("\n"),
        }
        let line = vm.new_str(line.finish());
        vm.call_method(&file, "write", &[line])?;
    } else {
        let separator = separator.unwrap_or_else(|| vm.new_str(" "));
        let ending = ending.unwrap_or_else(|| vm.new_str("\n"));
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                vm.call_method(&file, "write", std::slice::from_ref(&separator))?;
            }
            let text = vm.str(item)?;
            vm.call_method(&file, "write", &[text])?;
        }
        vm.call_method(&file, "write", &[ending])?;
    }
    if let Some(flush) = args.given(4) {
        if vm.is_true(flush)? {
            vm.call_method(&file, "flush", &[])?;
        }
    }
    Ok(Value::NONE)
}

fn input(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let mut streams = Vec::new();
    for name in ["stdin", "stdout", "stderr"] {
        match vm.sys_get(name)?.filter(|stream| !stream.is_none()) {
            Some(stream) => streams.push(stream),
            None => return Err(vm.runtime_error(format!("input(): lost sys.{name}"))),
        }
    }
    if let Err(raised) = vm.call_method(&streams[2], "flush", &[]) {
        if !vm.clear_if(ExceptionKind::Exception) {
            return Err(raised);
        }
    }
    if let Some(prompt) = args.given(0) {
        let prompt = vm.str(prompt)?;
        vm.call_method(&streams[1], "write", &[prompt])?;
    }
    if let Err(raised) = vm.call_method(&streams[1], "flush", &[]) {
        if !vm.clear_if(ExceptionKind::Exception) {
            return Err(raised);
        }
    }
    let line = vm.call_method(&streams[0], "readline", &[])?;
    let Some(text) = vm.text_of(&line).cloned() else { return Err(vm.type_error("object.readline() returned non-string")) };
    if text.is_empty() {
        return Err(vm.raise(ExceptionKind::EOFError, "EOF when reading a line"));
    }
    let length = text.len();
    if text.get(length - 1) == u32::from('\n') {
        return Ok(vm.new_str(text.slice(0, length - 1)));
    }
    Ok(line)
}
