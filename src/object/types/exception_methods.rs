//! The built-in exception classes: their specs, constructors, attributes and texts; and exception groups, with what `except*` needs.

use crate::object::layout::Layout;
use crate::object::native::{Args, GetSetSpec, native};
use crate::object::type_object::{BASE_TYPE, CallArgs, HAS_DICT, HAS_WEAKREFS, NewFn, Slots, Type, TypeSpec};
use crate::object::types::TypeId;
use crate::object::types::dict::Dict;
use crate::object::types::exception::{Exception, ExceptionKind};
use crate::object::types::frame::Traceback;
use crate::object::types::list::List;
use crate::object::types::object::{plain, receiver};
use crate::object::types::str::Str;
use crate::object::types::tuple::Tuple;
use crate::object::types::type_methods::DICT;
use crate::object::value::{Ref, Value};
use crate::text::{Text, TextBuilder};
use crate::vm::state::Name;
use crate::vm::{Result, Vm};

const N_KINDS: usize = ExceptionKind::ALL.len();

type InitFn = fn(&mut Vm, &Value, CallArgs<'_>) -> Result<()>;

// ---- the specs

const BASE_GETSET: &[GetSetSpec] = &[
    GetSetSpec { name: "args", get: |vm, e| Ok(receiver::<Exception>(vm, e)?.get(vm).args.clone()), set: Some(set_args) },
    GetSetSpec { name: "__traceback__", get: |vm, e| Ok(receiver::<Exception>(vm, e)?.get(vm).traceback.clone()), set: Some(set_traceback) },
    GetSetSpec { name: "__context__", get: |vm, e| Ok(receiver::<Exception>(vm, e)?.get(vm).context.clone()), set: Some(set_context) },
    GetSetSpec { name: "__cause__", get: |vm, e| Ok(receiver::<Exception>(vm, e)?.get(vm).cause.clone()), set: Some(set_cause) },
    GetSetSpec {
        name: "__suppress_context__",
        get: |vm, e| Ok(Value::from_bool(receiver::<Exception>(vm, e)?.get(vm).suppress_context)),
        set: Some(set_suppress_context),
    },
    DICT,
];

const BASE_METHODS: &[crate::object::native::Native] = &[
    native("with_traceback(self, object, /)", with_traceback),
    native("add_note(self, object, /)", add_note),
    native("__setstate__(self, object, /)", set_state),
    native("__reduce__(self, /)", reduce),
];

const GROUP_METHODS: &[crate::object::native::Native] =
    &[native("derive(self, object, /)", derive), native("split(self, object, /)", split), native("subgroup(self, object, /)", subgroup)];

/// A field's getter and setter, by its place.
const fn field<const PLACE: usize>(name: &'static str) -> GetSetSpec {
    GetSetSpec { name, get: get_field::<PLACE>, set: Some(set_field::<PLACE>) }
}

const fn constant_field<const PLACE: usize>(name: &'static str) -> GetSetSpec {
    GetSetSpec { name, get: get_field::<PLACE>, set: Some(crate::object::types::function_methods::read_only) }
}

const fn number_field<const PLACE: usize>(name: &'static str) -> GetSetSpec {
    GetSetSpec { name, get: get_field::<PLACE>, set: Some(set_number_field::<PLACE>) }
}

const NO_FIELDS: &[GetSetSpec] = &[];

const fn fields_of(kind: ExceptionKind) -> &'static [GetSetSpec] {
    match kind {
        ExceptionKind::BaseException => BASE_GETSET,
        ExceptionKind::BaseExceptionGroup => const { &[constant_field::<0>("message"), constant_field::<1>("exceptions")] },
        ExceptionKind::SystemExit => const { &[field::<0>("code")] },
        ExceptionKind::AttributeError => const { &[field::<0>("name"), field::<1>("obj")] },
        ExceptionKind::NameError => const { &[field::<0>("name")] },
        ExceptionKind::ImportError => const { &[field::<0>("msg"), field::<1>("name"), field::<2>("path"), field::<3>("name_from")] },
        ExceptionKind::StopIteration => const { &[field::<0>("value")] },
        ExceptionKind::OSError => {
            const {
                &[
                    field::<0>("errno"),
                    field::<1>("strerror"),
                    field::<2>("filename"),
                    field::<3>("filename2"),
                    GetSetSpec { name: "characters_written", get: get_characters_written, set: Some(set_characters_written) },
                ]
            }
        }
        ExceptionKind::SyntaxError => {
            const {
                &[
                    field::<0>("msg"),
                    field::<1>("filename"),
                    field::<2>("lineno"),
                    field::<3>("offset"),
                    field::<4>("text"),
                    field::<5>("print_file_and_line"),
                    field::<6>("end_lineno"),
                    field::<7>("end_offset"),
                ]
            }
        }
        ExceptionKind::UnicodeDecodeError | ExceptionKind::UnicodeEncodeError | ExceptionKind::UnicodeTranslateError => {
            const { &[field::<0>("encoding"), field::<1>("object"), number_field::<2>("start"), number_field::<3>("end"), field::<4>("reason")] }
        }
        _ => NO_FIELDS,
    }
}

const fn slots_of(kind: ExceptionKind) -> Slots {
    let mut slots = Slots::NONE;
    match kind {
        ExceptionKind::BaseException => {
            slots.new = Some(new as NewFn);
            slots.init = Some(init as InitFn);
            slots.repr = Some(repr);
            slots.str = Some(str);
        }
        ExceptionKind::BaseExceptionGroup => {
            slots.new = Some(new_group as NewFn);
            slots.str = Some(group_str);
        }
        ExceptionKind::SystemExit => slots.init = Some(init_system_exit as InitFn),
        ExceptionKind::StopIteration => slots.init = Some(init_stop_iteration as InitFn),
        ExceptionKind::ImportError => {
            slots.init = Some(init_import_error as InitFn);
            slots.str = Some(import_error_str);
        }
        ExceptionKind::NameError => slots.init = Some(init_name_error as InitFn),
        ExceptionKind::AttributeError => slots.init = Some(init_attribute_error as InitFn),
        ExceptionKind::SyntaxError => {
            slots.init = Some(init_syntax_error as InitFn);
            slots.str = Some(syntax_error_str);
        }
        ExceptionKind::OSError => {
            slots.new = Some(new_os_error as NewFn);
            slots.init = Some(init_os_error as InitFn);
            slots.str = Some(os_error_str);
        }
        ExceptionKind::KeyError => slots.str = Some(key_error_str),
        ExceptionKind::UnicodeDecodeError => {
            slots.init = Some(init_decode_error as InitFn);
            slots.str = Some(decode_error_str);
        }
        ExceptionKind::UnicodeEncodeError => {
            slots.init = Some(init_encode_error as InitFn);
            slots.str = Some(encode_error_str);
        }
        ExceptionKind::UnicodeTranslateError => {
            slots.init = Some(init_translate_error as InitFn);
            slots.str = Some(translate_error_str);
        }
        _ => {}
    }
    slots
}

const fn spec_of(kind: ExceptionKind) -> TypeSpec {
    let mut spec = TypeSpec::DEFAULT;
    spec.name = kind.name();
    spec.layout = Layout::Exception;
    spec.flags = BASE_TYPE | HAS_DICT;
    spec.slots = slots_of(kind);
    spec.getset = fields_of(kind);
    match kind {
        ExceptionKind::BaseException => spec.methods = BASE_METHODS,
        ExceptionKind::BaseExceptionGroup => {
            spec.methods = GROUP_METHODS;
            spec.class_methods =
                const { &[native("__class_getitem__(cls, object, /)", crate::object::types::generic_alias_methods::class_get_item)] };
        }
        ExceptionKind::ImportError => spec.methods = const { &[native("__reduce__(self, /)", reduce_import_error)] },
        ExceptionKind::OSError => spec.methods = const { &[native("__reduce__(self, /)", reduce_os_error)] },
        _ => {}
    }
    spec
}

#[allow(clippy::large_stack_arrays, reason = "computed when the program is compiled")]
const fn all_specs() -> [TypeSpec; N_KINDS] {
    let mut specs = [const { TypeSpec::DEFAULT }; N_KINDS];
    let mut place = 0;
    while place < N_KINDS {
        specs[place] = spec_of(ExceptionKind::ALL[place]);
        place += 1;
    }
    specs
}

/// The specs, by kind.
static SPECS: [TypeSpec; N_KINDS] = all_specs();

/// `ExceptionGroup`: it has two bases, which are put in place by hand.
static EXCEPTION_GROUP: TypeSpec =
    TypeSpec { name: "ExceptionGroup", layout: Layout::Exception, flags: BASE_TYPE | HAS_DICT | HAS_WEAKREFS, ..TypeSpec::DEFAULT };

/// Makes the exception classes, in the order of their kinds.
pub(crate) fn make_exception_types(vm: &mut Vm) {
    for (place, kind) in ExceptionKind::ALL.iter().enumerate() {
        let base = if kind.base() == *kind { vm.builtin(TypeId::Object) } else { vm.state().exception(kind.base()).clone() };
        let class = vm.make_native_type(&SPECS[place], Some(base));
        vm.link_native_type(&class);
        vm.state_mut().exceptions.push(class);
    }
    let group_base = vm.state().exception(ExceptionKind::BaseExceptionGroup).clone();
    let exception = vm.state().exception(ExceptionKind::Exception).clone();
    let class = vm.make_native_type(&EXCEPTION_GROUP, Some(group_base.clone()));
    vm.link_native_type(&class);
    let bases = vm.new_tuple(vec![(*group_base).clone(), (*exception).clone()]);
    let mut mro = vec![class.clone(), group_base];
    mro.extend(exception.get(vm).mro.iter().cloned());
    let payload = class.get_mut(vm);
    payload.bases = bases;
    payload.mro = mro;
    exception.get_mut(vm).subclasses.push(class.word());
    vm.state_mut().exception_group = Some(class);
}

/// The built-in class that an exception class is, or derives its constructor and attributes from.
pub(crate) fn kind_of(vm: &Vm, class: &Ref<Type>) -> ExceptionKind {
    let start = SPECS.as_ptr() as usize;
    for base in &class.get(vm).mro {
        let Some(spec) = base.get(vm).spec else { continue };
        let offset = (std::ptr::from_ref(spec) as usize).wrapping_sub(start);
        let place = offset / size_of::<TypeSpec>();
        if place < N_KINDS {
            return ExceptionKind::ALL[place];
        }
    }
    ExceptionKind::BaseException
}

// ---- making

fn payload(vm: &Vm, kind: ExceptionKind, args: Value) -> Exception {
    let _ = vm;
    let mut fields: Vec<Value> = Vec::new();
    fields.resize(kind.fields().len(), Value::NONE);
    Exception { args, traceback: Value::NONE, context: Value::NONE, cause: Value::NONE, suppress_context: false, fields: fields.into_boxed_slice() }
}

fn new(vm: &mut Vm, class: &Ref<Type>, arguments: CallArgs<'_>) -> Result<Value> {
    if class.get(vm).has(crate::object::type_object::ABSTRACT) {
        // Exceptions ignore abstract methods, as CPython's do.
    }
    let kind = kind_of(vm, class);
    let args = vm.new_tuple(arguments.unnamed().to_vec());
    let payload = payload(vm, kind, args);
    Ok(vm.alloc_for(class, payload).into_value())
}

fn no_keywords(vm: &mut Vm, exception: &Value, arguments: CallArgs<'_>) -> Result<()> {
    if arguments.names.is_empty() {
        return Ok(());
    }
    let message = format!("{}() takes no keyword arguments", vm.type_name(exception));
    Err(vm.type_error(message))
}

fn store_args(vm: &mut Vm, exception: &Value, values: &[Value]) -> Result<()> {
    let args = vm.new_tuple(values.to_vec());
    let old = std::mem::replace(&mut receiver::<Exception>(vm, exception)?.get_mut(vm).args, args);
    drop(old);
    Ok(())
}

fn init(vm: &mut Vm, exception: &Value, arguments: CallArgs<'_>) -> Result<()> {
    no_keywords(vm, exception, arguments)?;
    store_args(vm, exception, arguments.values)
}

fn put_field(vm: &mut Vm, exception: &Value, place: usize, value: Value) -> Result<()> {
    let payload = receiver::<Exception>(vm, exception)?.get_mut(vm);
    if let Some(field) = payload.fields.get_mut(place) {
        let old = std::mem::replace(field, value);
        drop(old);
    }
    Ok(())
}

fn field_value(vm: &mut Vm, exception: &Value, place: usize) -> Result<Value> {
    Ok(receiver::<Exception>(vm, exception)?.get(vm).fields.get(place).cloned().unwrap_or(Value::NONE))
}

fn reset_fields(vm: &mut Vm, exception: &Value, places: std::ops::Range<usize>) -> Result<()> {
    places.into_iter().try_for_each(|place| put_field(vm, exception, place, Value::NONE))
}

fn init_system_exit(vm: &mut Vm, exception: &Value, arguments: CallArgs<'_>) -> Result<()> {
    init(vm, exception, arguments)?;
    let code = match arguments.values {
        [] => return Ok(()),
        [code] => code.clone(),
        values => vm.new_tuple(values.to_vec()),
    };
    put_field(vm, exception, 0, code)
}

fn init_stop_iteration(vm: &mut Vm, exception: &Value, arguments: CallArgs<'_>) -> Result<()> {
    init(vm, exception, arguments)?;
    put_field(vm, exception, 0, arguments.values.first().cloned().unwrap_or(Value::NONE))
}

/// Puts named arguments into fields; others are refused.
fn named_fields(vm: &mut Vm, exception: &Value, arguments: CallArgs<'_>, function: &str, rows: &[(&str, usize)]) -> Result<()> {
    let (most, given) = (rows.len(), arguments.names.len());
    if given > most {
        let plural = if most == 1 { "" } else { "s" };
        return Err(vm.type_error(format!("{function}() takes at most {most} keyword argument{plural} ({given} given)")));
    }
    for (name, value) in arguments.named() {
        let text = plain(vm, name);
        let Some((_, place)) = rows.iter().find(|(known, _)| *known == text) else {
            let close = crate::text::similar::closest(&text, rows.iter().map(|(known, _)| *known));
            let hint = close.map_or_else(String::new, |close| format!(". Did you mean '{close}'?"));
            let message = format!("{function}() got an unexpected keyword argument '{text}'{hint}");
            return Err(vm.type_error(message));
        };
        put_field(vm, exception, *place, value.clone())?;
    }
    Ok(())
}

fn init_import_error(vm: &mut Vm, exception: &Value, arguments: CallArgs<'_>) -> Result<()> {
    store_args(vm, exception, arguments.unnamed())?;
    reset_fields(vm, exception, 1..4)?;
    named_fields(vm, exception, arguments, "ImportError", &[("name", 1), ("path", 2), ("name_from", 3)])?;
    let message = if let [message] = arguments.unnamed() { message.clone() } else { Value::NONE };
    put_field(vm, exception, 0, message)
}

fn init_name_error(vm: &mut Vm, exception: &Value, arguments: CallArgs<'_>) -> Result<()> {
    store_args(vm, exception, arguments.unnamed())?;
    reset_fields(vm, exception, 0..1)?;
    named_fields(vm, exception, arguments, "NameError", &[("name", 0)])
}

fn init_attribute_error(vm: &mut Vm, exception: &Value, arguments: CallArgs<'_>) -> Result<()> {
    store_args(vm, exception, arguments.unnamed())?;
    reset_fields(vm, exception, 0..2)?;
    named_fields(vm, exception, arguments, "AttributeError", &[("name", 0), ("obj", 1)])
}

fn init_syntax_error(vm: &mut Vm, exception: &Value, arguments: CallArgs<'_>) -> Result<()> {
    init(vm, exception, arguments)?;
    let values = arguments.values;
    if let Some(message) = values.first() {
        put_field(vm, exception, 0, message.clone())?;
    }
    if let [_, details] = values {
        let details = vm.collect(details)?;
        if details.len() < 4 || details.len() > 6 {
            let (bound, number) = if details.len() < 4 { ("least", 4) } else { ("most", 6) };
            let message = format!("function takes at {bound} {number} arguments ({} given)", details.len());
            return Err(vm.type_error(message));
        }
        for (place, value) in [1, 2, 3, 4, 6, 7].into_iter().zip(&details) {
            put_field(vm, exception, place, value.clone())?;
        }
        if details.len() == 5 {
            return Err(vm.type_error("end_offset must be provided when end_lineno is provided"));
        }
    }
    Ok(())
}

// ---- OSError

/// The classes that error numbers stand for.
const ERROR_CLASSES: &[(i64, ExceptionKind)] = &[
    (11, ExceptionKind::BlockingIOError),
    (114, ExceptionKind::BlockingIOError),
    (115, ExceptionKind::BlockingIOError),
    (32, ExceptionKind::BrokenPipeError),
    (108, ExceptionKind::BrokenPipeError),
    (10, ExceptionKind::ChildProcessError),
    (103, ExceptionKind::ConnectionAbortedError),
    (111, ExceptionKind::ConnectionRefusedError),
    (104, ExceptionKind::ConnectionResetError),
    (17, ExceptionKind::FileExistsError),
    (2, ExceptionKind::FileNotFoundError),
    (21, ExceptionKind::IsADirectoryError),
    (20, ExceptionKind::NotADirectoryError),
    (4, ExceptionKind::InterruptedError),
    (13, ExceptionKind::PermissionError),
    (1, ExceptionKind::PermissionError),
    (3, ExceptionKind::ProcessLookupError),
    (110, ExceptionKind::TimeoutError),
];

/// Whether `__init__` reads the arguments: when a subclass has an `__init__` of its own but no `__new__`.
fn os_error_in_init(class: &Type) -> bool {
    let own_init = !class.slots.init.is_some_and(|slot| std::ptr::fn_addr_eq(slot, init_os_error as InitFn));
    let plain_new = class.slots.new.is_some_and(|slot| std::ptr::fn_addr_eq(slot, new_os_error as NewFn));
    own_init && plain_new
}

fn new_os_error(vm: &mut Vm, class: &Ref<Type>, arguments: CallArgs<'_>) -> Result<Value> {
    let mut class = class.clone();
    if os_error_in_init(class.get(vm)) {
        let args = vm.empty_tuple();
        let payload = payload(vm, ExceptionKind::OSError, args);
        return Ok(vm.alloc_for(&class, payload).into_value());
    }
    if !arguments.names.is_empty() {
        let message = format!("{}() takes no keyword arguments", vm.class_name(&class));
        return Err(vm.type_error(message));
    }
    let values = arguments.values;
    if class.is(vm.state().exception(ExceptionKind::OSError)) && (2..=5).contains(&values.len()) {
        if let Some(number) = vm.int_ref(&values[0]).and_then(crate::number::IntRef::to_i64) {
            if let Some((_, kind)) = ERROR_CLASSES.iter().find(|(known, _)| *known == number) {
                class = vm.state().exception(*kind).clone();
            }
        }
    }
    let args = vm.new_tuple(values.to_vec());
    let payload = payload(vm, ExceptionKind::OSError, args);
    let exception = vm.alloc_for(&class, payload).into_value();
    fill_os_error(vm, &exception, values)?;
    Ok(exception)
}

fn init_os_error(vm: &mut Vm, exception: &Value, arguments: CallArgs<'_>) -> Result<()> {
    if !os_error_in_init(vm.type_payload(exception)) {
        return Ok(());
    }
    no_keywords(vm, exception, arguments)?;
    store_args(vm, exception, arguments.values)?;
    fill_os_error(vm, exception, arguments.values)
}

fn fill_os_error(vm: &mut Vm, exception: &Value, values: &[Value]) -> Result<()> {
    put_field(vm, exception, 4, Value::UNBOUND)?;
    if !(2..=5).contains(&values.len()) {
        return Ok(());
    }
    put_field(vm, exception, 0, values[0].clone())?;
    put_field(vm, exception, 1, values[1].clone())?;
    if let Some(filename) = values.get(2).filter(|filename| !filename.is_none()) {
        let is_blocking = vm.is_exception(exception, ExceptionKind::BlockingIOError);
        if is_blocking && vm.is_int(filename) {
            let written = vm.index_i64(filename)?;
            let written = vm.new_int(written);
            return put_field(vm, exception, 4, written);
        }
        put_field(vm, exception, 2, filename.clone())?;
        if let Some(second) = values.get(4).filter(|second| !second.is_none()) {
            put_field(vm, exception, 3, second.clone())?;
        }
        return store_args(vm, exception, &values[..2]);
    }
    Ok(())
}

fn get_characters_written(vm: &mut Vm, exception: &Value) -> Result<Value> {
    let value = field_value(vm, exception, 4)?;
    if value.is_unbound() {
        let name = vm.intern("characters_written");
        return Err(vm.attribute_error(exception, &name, "characters_written"));
    }
    Ok(value)
}

fn set_characters_written(vm: &mut Vm, exception: &Value, value: Option<&Value>) -> Result<()> {
    let value = match value {
        Some(value) => {
            let number = vm.index_i64(value)?;
            vm.new_int(number)
        }
        None => {
            get_characters_written(vm, exception)?;
            Value::UNBOUND
        }
    };
    put_field(vm, exception, 4, value)
}

// ---- UnicodeError

fn expect_unicode_arguments(vm: &mut Vm, exception: &Value, arguments: CallArgs<'_>, count: usize) -> Result<()> {
    init(vm, exception, arguments)?;
    let given = arguments.values.len();
    if given != count {
        return Err(vm.type_error(format!("function takes exactly {count} arguments ({given} given)")));
    }
    Ok(())
}

fn expect_kind(vm: &mut Vm, values: &[Value], place: usize, kind: TypeId, wanted: &str) -> Result<()> {
    if vm.is_kind(&values[place], kind) {
        return Ok(());
    }
    let message = if kind == TypeId::Int {
        format!("'{}' object cannot be interpreted as an integer", vm.type_name(&values[place]))
    } else {
        format!("argument {} must be {wanted}, not {}", place + 1, vm.type_name(&values[place]))
    };
    Err(vm.type_error(message))
}

fn init_decode_error(vm: &mut Vm, exception: &Value, arguments: CallArgs<'_>) -> Result<()> {
    expect_unicode_arguments(vm, exception, arguments, 5)?;
    let values = arguments.values;
    expect_kind(vm, values, 0, TypeId::Str, "str")?;
    expect_kind(vm, values, 2, TypeId::Int, "int")?;
    expect_kind(vm, values, 3, TypeId::Int, "int")?;
    expect_kind(vm, values, 4, TypeId::Str, "str")?;
    let object = if vm.is_kind(&values[1], TypeId::Bytes) {
        values[1].clone()
    } else {
        let bytes = vm.bytes_vec(&values[1])?;
        vm.new_bytes(bytes)
    };
    for (place, value) in [values[0].clone(), object, values[2].clone(), values[3].clone(), values[4].clone()].into_iter().enumerate() {
        put_field(vm, exception, place, value)?;
    }
    Ok(())
}

fn init_encode_error(vm: &mut Vm, exception: &Value, arguments: CallArgs<'_>) -> Result<()> {
    expect_unicode_arguments(vm, exception, arguments, 5)?;
    let values = arguments.values;
    for (place, kind, wanted) in
        [(0, TypeId::Str, "str"), (1, TypeId::Str, "str"), (2, TypeId::Int, "int"), (3, TypeId::Int, "int"), (4, TypeId::Str, "str")]
    {
        expect_kind(vm, values, place, kind, wanted)?;
    }
    for (place, value) in values.iter().enumerate() {
        put_field(vm, exception, place, value.clone())?;
    }
    Ok(())
}

fn init_translate_error(vm: &mut Vm, exception: &Value, arguments: CallArgs<'_>) -> Result<()> {
    expect_unicode_arguments(vm, exception, arguments, 4)?;
    let values = arguments.values;
    for (place, kind, wanted) in [(0, TypeId::Str, "str"), (1, TypeId::Int, "int"), (2, TypeId::Int, "int"), (3, TypeId::Str, "str")] {
        expect_kind(vm, values, place, kind, wanted)?;
    }
    for (place, value) in values.iter().enumerate() {
        put_field(vm, exception, place + 1, value.clone())?;
    }
    put_field(vm, exception, 0, Value::NONE)
}

fn unicode_parts(vm: &mut Vm, exception: &Value) -> Result<Option<(Text, Value, i64, i64, Text)>> {
    let object = field_value(vm, exception, 1)?;
    if object.is_none() {
        return Ok(None);
    }
    let encoding = field_value(vm, exception, 0)?;
    let encoding = vm.str_text(&encoding)?;
    let (start, end) = (field_value(vm, exception, 2)?, field_value(vm, exception, 3)?);
    let (start, end) = (vm.index_clamped(&start)?, vm.index_clamped(&end)?);
    let reason = field_value(vm, exception, 4)?;
    let reason = vm.str_text(&reason)?;
    Ok(Some((encoding, object, start, end, reason)))
}

fn decode_error_str(vm: &mut Vm, exception: &Value) -> Result<Value> {
    let Some((encoding, object, start, end, reason)) = unicode_parts(vm, exception)? else { return Ok(vm.empty_str()) };
    let byte = vm.with_bytes(&object, |bytes| usize::try_from(start).ok().and_then(|start| bytes.get(start).copied()))?;
    let text = match byte {
        Some(byte) if end == start + 1 => format!("'{encoding}' codec can't decode byte 0x{byte:02x} in position {start}: "),
        _ => format!("'{encoding}' codec can't decode bytes in position {start}-{}: ", end - 1),
    };
    Ok(with_reason(vm, &text, &reason))
}

fn with_reason(vm: &mut Vm, text: &str, reason: &Text) -> Value {
    let mut builder = TextBuilder::new();
    builder.push_str(text);
    builder.push_text(reason);
    vm.new_str(builder.finish())
}

/// A character as the messages show it.
fn escaped(code: u32) -> String {
    match code {
        0..=0xff => format!("\\x{code:02x}"),
        0x100..=0xffff => format!("\\u{code:04x}"),
        _ => format!("\\U{code:08x}"),
    }
}

fn character_at(vm: &Vm, object: &Value, start: i64) -> Option<u32> {
    let text = vm.text_of(object)?;
    let start = usize::try_from(start).ok()?;
    (start < text.len()).then(|| text.get(start))
}

fn encode_error_str(vm: &mut Vm, exception: &Value) -> Result<Value> {
    let Some((encoding, object, start, end, reason)) = unicode_parts(vm, exception)? else { return Ok(vm.empty_str()) };
    let text = match character_at(vm, &object, start) {
        Some(code) if end == start + 1 => format!("'{encoding}' codec can't encode character '{}' in position {start}: ", escaped(code)),
        _ => format!("'{encoding}' codec can't encode characters in position {start}-{}: ", end - 1),
    };
    Ok(with_reason(vm, &text, &reason))
}

fn translate_error_str(vm: &mut Vm, exception: &Value) -> Result<Value> {
    let Some((_, object, start, end, reason)) = unicode_parts(vm, exception)? else { return Ok(vm.empty_str()) };
    let text = match character_at(vm, &object, start) {
        Some(code) if end == start + 1 => format!("can't translate character '{}' in position {start}: ", escaped(code)),
        _ => format!("can't translate characters in position {start}-{}: ", end - 1),
    };
    Ok(with_reason(vm, &text, &reason))
}

// ---- attributes

fn get_field<const PLACE: usize>(vm: &mut Vm, exception: &Value) -> Result<Value> {
    let value = field_value(vm, exception, PLACE)?;
    Ok(if value.is_unbound() { Value::NONE } else { value })
}

fn set_field<const PLACE: usize>(vm: &mut Vm, exception: &Value, value: Option<&Value>) -> Result<()> {
    put_field(vm, exception, PLACE, value.cloned().unwrap_or(Value::NONE))
}

fn set_number_field<const PLACE: usize>(vm: &mut Vm, exception: &Value, value: Option<&Value>) -> Result<()> {
    let Some(value) = value else { return Err(vm.type_error("can't delete numeric/char attribute")) };
    let number = vm.index_i64(value)?;
    let number = vm.new_int(number);
    put_field(vm, exception, PLACE, number)
}

fn set_args(vm: &mut Vm, exception: &Value, value: Option<&Value>) -> Result<()> {
    let Some(value) = value else { return Err(vm.type_error("args may not be deleted")) };
    let items = vm.collect(value)?;
    store_args(vm, exception, &items)
}

fn set_traceback(vm: &mut Vm, exception: &Value, value: Option<&Value>) -> Result<()> {
    let Some(value) = value else { return Err(vm.type_error("__traceback__ may not be deleted")) };
    if !value.is_none() && !value.holds::<Traceback>() {
        return Err(vm.type_error("__traceback__ must be a traceback or None"));
    }
    let old = std::mem::replace(&mut receiver::<Exception>(vm, exception)?.get_mut(vm).traceback, value.clone());
    drop(old);
    Ok(())
}

fn set_context(vm: &mut Vm, exception: &Value, value: Option<&Value>) -> Result<()> {
    let Some(value) = value else { return Err(vm.type_error("__context__ may not be deleted")) };
    if !value.is_none() && !value.holds::<Exception>() {
        return Err(vm.type_error("exception context must be None or derive from BaseException"));
    }
    let old = std::mem::replace(&mut receiver::<Exception>(vm, exception)?.get_mut(vm).context, value.clone());
    drop(old);
    Ok(())
}

fn set_cause(vm: &mut Vm, exception: &Value, value: Option<&Value>) -> Result<()> {
    let Some(value) = value else { return Err(vm.type_error("__cause__ may not be deleted")) };
    if !value.is_none() && !value.holds::<Exception>() {
        return Err(vm.type_error("exception cause must be None or derive from BaseException"));
    }
    let payload = receiver::<Exception>(vm, exception)?.get_mut(vm);
    payload.suppress_context = true;
    let old = std::mem::replace(&mut payload.cause, value.clone());
    drop(old);
    Ok(())
}

fn set_suppress_context(vm: &mut Vm, exception: &Value, value: Option<&Value>) -> Result<()> {
    let Some(value) = value else { return Err(vm.type_error("can't delete numeric/char attribute")) };
    let Some(flag) = value.as_bool() else { return Err(vm.type_error("attribute value type must be bool")) };
    receiver::<Exception>(vm, exception)?.get_mut(vm).suppress_context = flag;
    Ok(())
}

// ---- methods

fn with_traceback(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    set_traceback(vm, &args[0], Some(&args[1]))?;
    Ok(args[0].clone())
}

fn add_note(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if !args[1].holds::<Str>() {
        let message = format!("note must be a str, not '{}'", vm.type_name(&args[1]));
        return Err(vm.type_error(message));
    }
    let name = vm.name(Name::Notes);
    let notes = match vm.find_attr(&args[0], &name)? {
        Some(notes) => notes,
        None => {
            let notes = vm.new_list(Vec::new());
            vm.set_attr(&args[0], &name, &notes)?;
            notes
        }
    };
    match notes.downcast::<List>() {
        Some(list) => {
            crate::object::types::list_methods::push(vm, list, args[1].clone())?;
            Ok(Value::NONE)
        }
        None => Err(vm.type_error("Cannot add note: __notes__ is not a list")),
    }
}

fn set_state(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if args[1].is_none() {
        return Ok(Value::NONE);
    }
    let Some(state) = args[1].downcast::<Dict>() else { return Err(vm.type_error("state is not a dictionary")) };
    let items: Vec<(Value, Value)> = state.get(vm).items().map(|(key, value)| (key.clone(), value.clone())).collect();
    for (key, value) in items {
        vm.set_attr(&args[0], &key, &value)?;
    }
    Ok(Value::NONE)
}

fn reduce_with(vm: &mut Vm, exception: &Value, args: Value, extra: Vec<(&str, Value)>) -> Result<Value> {
    let class = vm.type_of(exception).into_value();
    let dict = vm.existing_dict(exception).filter(|dict| dict.get(vm).len() > 0);
    if dict.is_none() && extra.is_empty() {
        return Ok(vm.new_tuple(vec![class, args]));
    }
    let state = vm.new_dict();
    if let Some(dict) = dict {
        let copy = dict.get(vm).copy();
        vm.resize(&state, |state| *state = copy);
    }
    for (name, value) in extra {
        vm.dict_set_str(&state, name, value)?;
    }
    Ok(vm.new_tuple(vec![class, args, state.into_value()]))
}

fn reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let own = receiver::<Exception>(vm, &args[0])?.get(vm).args.clone();
    reduce_with(vm, &args[0], own, Vec::new())
}

fn reduce_import_error(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let own = receiver::<Exception>(vm, &args[0])?.get(vm).args.clone();
    let mut extra = Vec::new();
    for (name, place) in [("name", 1), ("path", 2), ("name_from", 3)] {
        let value = field_value(vm, &args[0], place)?;
        if !value.is_none() {
            extra.push((name, value));
        }
    }
    reduce_with(vm, &args[0], own, extra)
}

fn reduce_os_error(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let own = receiver::<Exception>(vm, &args[0])?.get(vm).args.clone();
    let mut items = vm.tuple_items(&own);
    let (filename, second) = (field_value(vm, &args[0], 2)?, field_value(vm, &args[0], 3)?);
    if items.len() == 2 && !filename.is_none() {
        items.push(filename);
        if !second.is_none() {
            items.extend([Value::NONE, second]);
        }
    }
    let all = vm.new_tuple(items);
    reduce_with(vm, &args[0], all, Vec::new())
}

// ---- texts

fn repr(vm: &mut Vm, exception: &Value) -> Result<Value> {
    let args = receiver::<Exception>(vm, exception)?.get(vm).args.clone();
    let name = vm.type_name(exception);
    let mut builder = TextBuilder::new();
    builder.push_str(name.rsplit('.').next().unwrap_or_default());
    let items = vm.tuple_items(&args);
    if let [only] = items.as_slice() {
        builder.push_str("(");
        builder.push_text(&vm.repr_text(only)?);
        builder.push_str(")");
    } else {
        builder.push_text(&vm.repr_text(&args)?);
    }
    Ok(vm.new_str(builder.finish()))
}

fn str(vm: &mut Vm, exception: &Value) -> Result<Value> {
    let args = receiver::<Exception>(vm, exception)?.get(vm).args.clone();
    match vm.tuple_items(&args).as_slice() {
        [] => Ok(vm.empty_str()),
        [only] => vm.str(only),
        _ => vm.str(&args),
    }
}

fn key_error_str(vm: &mut Vm, exception: &Value) -> Result<Value> {
    let args = receiver::<Exception>(vm, exception)?.get(vm).args.clone();
    match vm.tuple_items(&args).as_slice() {
        [only] => vm.repr(only),
        _ => str(vm, exception),
    }
}

fn import_error_str(vm: &mut Vm, exception: &Value) -> Result<Value> {
    let message = field_value(vm, exception, 0)?;
    if vm.is_exact(&message, TypeId::Str) { Ok(message) } else { str(vm, exception) }
}

fn os_error_str(vm: &mut Vm, exception: &Value) -> Result<Value> {
    let fields = receiver::<Exception>(vm, exception)?.get(vm).fields.to_vec();
    let [errno, strerror, filename, second, ..] = fields.as_slice() else { return str(vm, exception) };
    let mut builder = TextBuilder::new();
    if !filename.is_none() || (!errno.is_none() && !strerror.is_none()) {
        builder.push_str("[Errno ");
        builder.push_text(&vm.str_text(errno)?);
        builder.push_str("] ");
        builder.push_text(&vm.str_text(strerror)?);
        if !filename.is_none() {
            builder.push_str(": ");
            builder.push_text(&vm.repr_text(filename)?);
            if !second.is_none() {
                builder.push_str(" -> ");
                builder.push_text(&vm.repr_text(second)?);
            }
        }
        return Ok(vm.new_str(builder.finish()));
    }
    str(vm, exception)
}

fn syntax_error_str(vm: &mut Vm, exception: &Value) -> Result<Value> {
    let (message, filename, line) = (field_value(vm, exception, 0)?, field_value(vm, exception, 1)?, field_value(vm, exception, 2)?);
    let message = vm.str_text(&message)?;
    let filename = vm.text_of(&filename).map(|name| name.to_string());
    let filename = filename.as_deref().map(|name| name.rsplit('/').next().unwrap_or_default());
    let line = if vm.is_exact(&line, TypeId::Int) { Some(vm.str_text(&line)?) } else { None };
    let tail = match (filename, line) {
        (Some(name), Some(line)) => format!(" ({name}, line {line})"),
        (Some(name), None) => format!(" ({name})"),
        (None, Some(line)) => format!(" (line {line})"),
        (None, None) => String::new(),
    };
    let mut builder = TextBuilder::new();
    builder.push_text(&message);
    builder.push_str(&tail);
    Ok(vm.new_str(builder.finish()))
}

// ---- groups

fn is_group(vm: &Vm, value: &Value) -> bool {
    vm.is_exception(value, ExceptionKind::BaseExceptionGroup)
}

/// The exceptions of a group.
pub(crate) fn group_members(vm: &Vm, group: &Value) -> Vec<Value> {
    let members = group.downcast::<Exception>().and_then(|group| group.get(vm).fields.get(1).cloned());
    members.map(|members| vm.tuple_items(&members)).unwrap_or_default()
}

fn new_group(vm: &mut Vm, class: &Ref<Type>, arguments: CallArgs<'_>) -> Result<Value> {
    if !arguments.names.is_empty() {
        let message = format!("{}() takes no keyword arguments", vm.class_name(class));
        return Err(vm.type_error(message));
    }
    let [message, sequence] = arguments.values else {
        let given = arguments.values.len();
        return Err(vm.type_error(format!("BaseExceptionGroup.__new__() takes exactly 2 arguments ({given} given)")));
    };
    if !message.holds::<Str>() {
        let message = format!("BaseExceptionGroup.__new__() argument 1 must be str, not {}", vm.argument_kind(message));
        return Err(vm.type_error(message));
    }
    let is_sequence =
        vm.type_payload(sequence).slots.get_item.is_some() && vm.type_payload(sequence).slots.len.is_some() && !vm.is_kind(sequence, TypeId::Dict);
    if !is_sequence {
        return Err(vm.type_error("second argument (exceptions) must be a sequence"));
    }
    let items = vm.collect(sequence)?;
    if items.is_empty() {
        return Err(vm.value_error("second argument (exceptions) must be a non-empty sequence"));
    }
    let mut nested_base = false;
    for (place, item) in items.iter().enumerate() {
        if !item.holds::<Exception>() {
            return Err(vm.value_error(format!("Item {place} of second argument (exceptions) is not an exception")));
        }
        nested_base |= !vm.is_exception(item, ExceptionKind::Exception);
    }
    let mut class = class.clone();
    if class.is(vm.state().exception(ExceptionKind::BaseExceptionGroup)) {
        if !nested_base {
            if let Some(group) = vm.state().exception_group.clone() {
                class = group;
            }
        }
    } else if nested_base {
        if vm.state().exception_group.as_ref().is_some_and(|group| group.is(&class)) {
            return Err(vm.type_error("Cannot nest BaseExceptions in an ExceptionGroup"));
        }
        if class.get(vm).is_subtype_of(vm.state().exception(ExceptionKind::Exception)) {
            let message = format!("Cannot nest BaseExceptions in '{}'", vm.class_name(&class));
            return Err(vm.type_error(message));
        }
    }
    let args = vm.new_tuple(arguments.values.to_vec());
    let payload = payload(vm, ExceptionKind::BaseExceptionGroup, args);
    let group = vm.alloc_for(&class, payload).into_value();
    let members = vm.new_tuple(items);
    put_field(vm, &group, 0, message.clone())?;
    put_field(vm, &group, 1, members)?;
    Ok(group)
}

fn group_str(vm: &mut Vm, group: &Value) -> Result<Value> {
    let message = field_value(vm, group, 0)?;
    let count = group_members(vm, group).len();
    let mut builder = TextBuilder::new();
    builder.push_text(&vm.str_text(&message)?);
    builder.push_str(&format!(" ({count} sub-exception{})", if count == 1 { "" } else { "s" }));
    Ok(vm.new_str(builder.finish()))
}

/// A new group of the plain class for these members.
fn make_group(vm: &mut Vm, message: Value, members: Vec<Value>) -> Result<Value> {
    let class = vm.state().exception(ExceptionKind::BaseExceptionGroup).clone();
    let members = vm.new_list(members);
    new_group(vm, &class, CallArgs::positional(&[message, members]))
}

fn derive(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let message = field_value(vm, &args[0], 0)?;
    let class = vm.state().exception(ExceptionKind::BaseExceptionGroup).clone();
    new_group(vm, &class, CallArgs::positional(&[message, args[1].clone()]))
}

/// A group of some of `group`'s members, made by its `derive`, with its notes, cause, context and traceback.
fn derived(vm: &mut Vm, group: &Value, members: Vec<Value>) -> Result<Value> {
    if members.is_empty() {
        return Ok(Value::NONE);
    }
    let members = vm.new_list(members);
    let made = vm.call_method(group, "derive", &[members])?;
    if !is_group(vm, &made) {
        return Err(vm.type_error("derive must return an instance of BaseExceptionGroup"));
    }
    let (traceback, context, cause) = {
        let payload = receiver::<Exception>(vm, group)?.get(vm);
        (payload.traceback.clone(), payload.context.clone(), payload.cause.clone())
    };
    set_traceback(vm, &made, Some(&traceback))?;
    set_context(vm, &made, Some(&context))?;
    set_cause(vm, &made, Some(&cause))?;
    let name = vm.name(Name::Notes);
    if let Some(notes) = vm.find_attr(group, &name)? {
        if vm.type_payload(&notes).slots.get_item.is_some() && !vm.is_kind(&notes, TypeId::Dict) {
            let copy = vm.collect(&notes)?;
            let copy = vm.new_list(copy);
            vm.set_attr(&made, &name, &copy)?;
        }
    }
    Ok(made)
}

/// What members of a group are split by.
enum Condition {
    Class(Value),
    Predicate(Value),
    /// The very exceptions of this list.
    Members(Vec<Value>),
}

fn condition(vm: &mut Vm, value: &Value) -> Result<Condition> {
    if vm.is_exception_class(value) {
        return Ok(Condition::Class(value.clone()));
    }
    if value.holds::<Tuple>() {
        let items = vm.tuple_items(value);
        if items.iter().all(|item| vm.is_exception_class(item)) {
            return Ok(Condition::Class(value.clone()));
        }
    } else if !value.holds::<Type>() && vm.type_payload(value).slots.call.is_some() {
        return Ok(Condition::Predicate(value.clone()));
    }
    Err(vm.type_error("expected an exception type, a tuple of exception types, or a callable (other than a class)"))
}

fn exception_matches(vm: &Vm, exception: &Value, class: &Value) -> bool {
    if let Some(class) = class.downcast::<Type>() {
        return vm.is_instance(exception, class);
    }
    vm.tuple_items(class).iter().any(|class| exception_matches(vm, exception, class))
}

fn matches(vm: &mut Vm, exception: &Value, condition: &Condition) -> Result<bool> {
    match condition {
        Condition::Class(class) => Ok(exception_matches(vm, exception, class)),
        Condition::Predicate(function) => {
            let result = vm.call(function, std::slice::from_ref(exception))?;
            vm.is_true(&result)
        }
        Condition::Members(members) => Ok(!is_group(vm, exception) && members.iter().any(|member| member.is(exception))),
    }
}

/// The part of an exception that matches, and the rest if it is asked for; `None` where there is nothing.
fn split_by(vm: &mut Vm, exception: &Value, condition: &Condition, with_rest: bool) -> Result<(Value, Value)> {
    if matches(vm, exception, condition)? {
        return Ok((exception.clone(), Value::NONE));
    }
    if !is_group(vm, exception) {
        return Ok((Value::NONE, if with_rest { exception.clone() } else { Value::NONE }));
    }
    vm.enter_native()?;
    let (mut matched, mut rest) = (Vec::new(), Vec::new());
    for member in group_members(vm, exception) {
        let (member_match, member_rest) = split_by(vm, &member, condition, with_rest)?;
        if !member_match.is_none() {
            matched.push(member_match);
        }
        if !member_rest.is_none() {
            rest.push(member_rest);
        }
    }
    let matched = derived(vm, exception, matched)?;
    let rest = derived(vm, exception, rest)?;
    Ok((matched, rest))
}

fn split(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let condition = condition(vm, &args[1])?;
    let (matched, rest) = split_by(vm, &args[0], &condition, true)?;
    Ok(vm.new_tuple(vec![matched, rest]))
}

fn subgroup(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let condition = condition(vm, &args[1])?;
    Ok(split_by(vm, &args[0], &condition, false)?.0)
}

impl Vm {
    /// For `except*`: the part of an exception that matches the class or tuple of classes, and the rest; each `None` when there is nothing.
    pub(crate) fn group_match(&mut self, exception: &Value, class: &Value) -> Result<(Value, Value)> {
        let classes = if class.holds::<Tuple>() { self.tuple_items(class) } else { vec![class.clone()] };
        for class in &classes {
            if !self.is_exception_class(class) {
                return Err(self.type_error("catching classes that do not inherit from BaseException is not allowed"));
            }
        }
        let group_class = self.state().exception(ExceptionKind::BaseExceptionGroup).clone();
        for class in &classes {
            if class.downcast::<Type>().is_some_and(|class| class.get(self).is_subtype_of(&group_class)) {
                return Err(self.type_error("catching ExceptionGroup with except* is not allowed. Use except instead."));
            }
        }
        if exception_matches(self, exception, class) {
            if is_group(self, exception) {
                return Ok((exception.clone(), Value::NONE));
            }
            let message = self.empty_str();
            let class = self.state().exception(ExceptionKind::BaseExceptionGroup).clone();
            let members = self.new_tuple(vec![exception.clone()]);
            let group = new_group(self, &class, CallArgs::positional(&[message, members]))?;
            return Ok((group, Value::NONE));
        }
        if !is_group(self, exception) {
            return Ok((Value::NONE, exception.clone()));
        }
        let pair = self.call_method(exception, "split", std::slice::from_ref(class))?;
        let class_name = self.type_name(exception);
        if !pair.holds::<Tuple>() {
            let message = format!("{class_name}.split must return a tuple, not {}", self.type_name(&pair));
            return Err(self.type_error(message));
        }
        match self.tuple_items(&pair).as_slice() {
            [matched, rest, ..] => Ok((matched.clone(), rest.clone())),
            items => {
                let message = format!("{class_name}.split must return a 2-tuple, got tuple of size {}", items.len());
                Err(self.type_error(message))
            }
        }
    }

    /// What is left to raise after the clauses of a `try … except*`: `raised` lists what the clauses raised, then what no clause matched.
    pub(crate) fn group_rest_of(&mut self, original: &Value, raised: &Value) -> Result<Value> {
        let all: Vec<Value> = self.collect(raised)?.into_iter().filter(|exception| !exception.is_none()).collect();
        if !is_group(self, original) {
            // A naked exception: at most one clause can have run.
            return Ok(all.into_iter().next().unwrap_or(Value::NONE));
        }
        let (mut fresh, mut again) = (Vec::new(), Vec::new());
        for exception in all {
            if self.same_metadata(&exception, original)? {
                again.push(exception);
            } else {
                fresh.push(exception);
            }
        }
        let rest = self.project(original, &again)?;
        if fresh.is_empty() {
            return Ok(rest);
        }
        if !rest.is_none() {
            fresh.push(rest);
        }
        if fresh.len() == 1 {
            return Ok(fresh.remove(0));
        }
        let message = self.empty_str();
        make_group(self, message, fresh)
    }

    /// Whether two exceptions stem from one: they share notes, traceback, cause and context.
    fn same_metadata(&mut self, left: &Value, right: &Value) -> Result<bool> {
        let (Some(one), Some(other)) = (left.downcast::<Exception>(), right.downcast::<Exception>()) else { return Ok(false) };
        let (one, other) = (one.get(self), other.get(self));
        if !one.traceback.is(&other.traceback) || !one.cause.is(&other.cause) || !one.context.is(&other.context) {
            return Ok(false);
        }
        let name = self.name(Name::Notes);
        let (one, other) = (self.instance_get(left, &name)?, self.instance_get(right, &name)?);
        match (one, other) {
            (None, None) => Ok(true),
            // Notes are copied when a group is split.
            (Some(one), Some(other)) => Ok(one.is(&other) || self.equal(&one, &other)?),
            _ => Ok(false),
        }
    }

    /// The group of those leaves of `group` that are in one of the groups of `keep`, with the nesting it has.
    fn project(&mut self, group: &Value, keep: &[Value]) -> Result<Value> {
        let mut leaves = Vec::new();
        let mut todo: Vec<Value> = keep.to_vec();
        while let Some(exception) = todo.pop() {
            if is_group(self, &exception) {
                todo.extend(group_members(self, &exception));
            } else {
                leaves.push(exception);
            }
        }
        if leaves.is_empty() {
            return Ok(Value::NONE);
        }
        Ok(split_by(self, group, &Condition::Members(leaves), false)?.0)
    }
}
