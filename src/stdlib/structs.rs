//! `struct`: values packed into bytes. Formats are read and applied in `number::struct_format`.

use super::exception_class;
use crate::number::struct_format::{Format, Kind, Packed, Slot, StructError, Unpacked};
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, NativeModule, getter, native};
use crate::object::type_object::{BASE_TYPE, Slots, Type, TypeSpec, constructor};
use crate::object::types::buffer::{buffer, bytes_of, writable_length, write_into};
use crate::object::types::bytearray::ByteArray;
use crate::object::types::bytes::Bytes;
use crate::object::types::memoryview;
use crate::object::types::numeric::{int_of, is_int};
use crate::object::types::str::Str;
use crate::object::types::str_methods::text;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::vm::{ExceptionKind, Raised, Result, Vm};

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "struct",
    doc: "Functions that pack values into bytes by a format, and unpack them.",
    functions: &[
        native("calcsize(format, /)", |vm, args| {
            let format = format_of(vm, &args[0])?;
            Ok(vm.new_int(format.size() as i64))
        }),
        native("pack(format, /, *values)", |vm, args| {
            let format = format_of(vm, &args[0])?;
            let values = vm.tuple_items(&args[1]);
            let bytes = packed(vm, &format, &values, "pack")?;
            Ok(vm.new_bytes(bytes))
        }),
        native("pack_into(format, buffer, offset, /, *values)", |vm, args| {
            let format = format_of(vm, &args[0])?;
            let values = vm.tuple_items(&args[3]);
            pack_into(vm, &format, &args[1], &args[2], &values)
        }),
        native("unpack(format, buffer, /)", |vm, args| {
            let format = format_of(vm, &args[0])?;
            unpack(vm, &format, &args[1])
        }),
        native("unpack_from(format, /, buffer, offset=0)", |vm, args| {
            let format = format_of(vm, &args[0])?;
            unpack_from(vm, &format, &args[1], args.given(2))
        }),
        native("iter_unpack(format, buffer, /)", |vm, args| {
            let format = format_of(vm, &args[0])?;
            iter_unpack(vm, format, &args[1])
        }),
        native("_clearcache()", |_, _| Ok(Value::NONE)),
    ],
    types: &[&TYPE],
    init: Some(|vm, module| {
        let class = exception_class::class(vm, "struct.error", &[ExceptionKind::Exception])?;
        vm.set_attr_str(module, "error", &class)
    }),
};

/// The payload of `struct.Struct`.
pub(crate) struct StructPayload {
    format: Format,
    text: Value,
}

impl Payload for StructPayload {
    const LAYOUT: Layout = Layout::Struct;
}

/// The payload of the iterator that `iter_unpack` gives.
pub(crate) struct UnpackIterator {
    format: Format,
    source: Option<Value>,
    offset: usize,
}

impl Payload for UnpackIterator {
    const LAYOUT: Layout = Layout::UnpackIterator;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        if let Some(source) = &self.source {
            visit(source.word());
        }
    }
    fn clear(&mut self) {
        self.source = None;
    }
}

static TYPE: TypeSpec = TypeSpec {
    name: "_struct.Struct",
    doc: "Struct(fmt) --> a format, read once",
    layout: Layout::Struct,
    flags: BASE_TYPE,
    new: constructor("Struct(format)", new),
    slots: Slots { repr: Some(repr), ..Slots::NONE },
    methods: &[
        native("pack(self, /, *values)", |vm, args| {
            let format = this(&args[0]).get(vm).format.clone();
            let values = vm.tuple_items(&args[1]);
            let bytes = packed(vm, &format, &values, "pack")?;
            Ok(vm.new_bytes(bytes))
        }),
        native("pack_into(self, buffer, offset, /, *values)", |vm, args| {
            let format = this(&args[0]).get(vm).format.clone();
            let values = vm.tuple_items(&args[3]);
            pack_into(vm, &format, &args[1], &args[2], &values)
        }),
        native("unpack(self, buffer, /)", |vm, args| {
            let format = this(&args[0]).get(vm).format.clone();
            unpack(vm, &format, &args[1])
        }),
        native("unpack_from(self, /, buffer, offset=0)", |vm, args| {
            let format = this(&args[0]).get(vm).format.clone();
            unpack_from(vm, &format, &args[1], args.given(2))
        }),
        native("iter_unpack(self, buffer, /)", |vm, args| {
            let format = this(&args[0]).get(vm).format.clone();
            iter_unpack(vm, format, &args[1])
        }),
    ],
    getset: &[
        getter("format", |vm, value| Ok(this(value).get(vm).text.clone())),
        getter("size", |vm, value| Ok(vm.new_int(this(value).get(vm).format.size() as i64))),
    ],
    ..TypeSpec::DEFAULT
};

static ITERATOR: TypeSpec = TypeSpec {
    name: "_struct.unpack_iterator",
    layout: Layout::UnpackIterator,
    slots: Slots { iter: Some(|_, value| Ok(value.clone())), next: Some(next), ..Slots::NONE },
    methods: &[native("__length_hint__(self, /)", |vm, args| {
        let iterator = args[0].downcast::<UnpackIterator>().expect("the receiver is one").clone();
        let Some(source) = iterator.get(vm).source.clone() else { return Ok(Value::small(0)) };
        let length = buffer(vm, &source)?.len();
        let iterator = iterator.get(vm);
        Ok(Value::small((length.saturating_sub(iterator.offset) / iterator.format.size()) as i64))
    })],
    ..TypeSpec::DEFAULT
};

fn this(value: &Value) -> &Ref<StructPayload> {
    value.downcast::<StructPayload>().expect("the receiver is a Struct")
}

fn raise(vm: &mut Vm, error: &StructError) -> Raised {
    let message = error.to_string();
    if matches!(error, StructError::FloatTooLarge(_)) {
        return vm.overflow_error(message);
    }
    exception_class::raise(vm, "struct.error", &[ExceptionKind::Exception], message)
}

fn new(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("the class").clone();
    let format = format_of(vm, &args[1])?;
    let shown = match args[1].downcast::<Bytes>() {
        Some(bytes) => {
            let text = crate::text::bytes::to_latin1_text(&bytes.get(vm).data);
            vm.new_str(text)
        }
        None => args[1].clone(),
    };
    Ok(vm.alloc_for(&class, StructPayload { format, text: shown }).into_value())
}

fn repr(vm: &mut Vm, value: &Value) -> Result<Value> {
    let format = this(value).get(vm).text.clone();
    let shown = vm.repr_text(&format)?;
    let class = vm.type_of(value);
    let name = vm.class_name(&class);
    Ok(vm.new_str(format!("{name}({shown})")))
}

fn format_of(vm: &mut Vm, value: &Value) -> Result<Format> {
    let bytes = if value.holds::<Str>() {
        match text(vm, value).as_ascii() {
            Some(ascii) => ascii.as_bytes().to_vec(),
            None => {
                let encoding = vm.new_str("ascii");
                let encoded = vm.call_method(value, "encode", &[encoding])?;
                vm.bytes_vec(&encoded)?
            }
        }
    } else if let Some(bytes) = value.downcast::<Bytes>() {
        bytes.get(vm).data.to_vec()
    } else {
        let name = vm.type_name(value);
        return Err(vm.type_error(format!("Struct() argument 1 must be a str or bytes object, not {name}")));
    };
    Format::parse(&bytes).map_err(|error| raise(vm, &error))
}

fn pack_one(vm: &mut Vm, slot: Slot, value: &Value, bytes: &mut [u8]) -> Result<()> {
    let outcome = match slot.kind {
        Kind::Bool => slot.pack(Packed::Bool(vm.is_true(value)?), bytes),
        Kind::Signed | Kind::Unsigned | Kind::Pointer => {
            let int = match int_of(vm, value) {
                Some(int) => int,
                None => {
                    if vm.type_of(value).get(vm).slots.index.is_none() {
                        return Err(raise(vm, &slot.wrong_type()));
                    }
                    vm.index(value)?
                }
            };
            slot.pack(Packed::Int(int.as_ref()), bytes)
        }
        Kind::Float => match vm.float(value) {
            Ok(number) => slot.pack(Packed::Float(number), bytes),
            Err(raised) => {
                if vm.clear_if(ExceptionKind::Exception) {
                    return Err(raise(vm, &slot.wrong_type()));
                }
                return Err(raised);
            }
        },
        Kind::Char | Kind::Bytes | Kind::Pascal => {
            if !value.holds::<Bytes>() && !(value.holds::<ByteArray>() && slot.kind != Kind::Char) {
                return Err(raise(vm, &slot.wrong_type()));
            }
            let source = bytes_of(vm, value)?.unwrap_or_default();
            slot.pack(Packed::Bytes(&source), bytes)
        }
    };
    outcome.map_err(|error| match error {
        StructError::FloatTooLarge(_) if is_int(value) => {
            exception_class::raise(vm, "struct.error", &[ExceptionKind::Exception], "int too large to convert")
        }
        error => raise(vm, &error),
    })
}

fn packed(vm: &mut Vm, format: &Format, values: &[Value], function: &'static str) -> Result<Vec<u8>> {
    if let Err(error) = format.check_count(function, values.len()) {
        return Err(raise(vm, &error));
    }
    vm.charge(format.size())?;
    let mut bytes = vec![0; format.size()];
    pack_all(vm, format, values, &mut bytes)?;
    Ok(bytes)
}

fn pack_all(vm: &mut Vm, format: &Format, values: &[Value], bytes: &mut [u8]) -> Result<()> {
    format.slots().zip(values).try_for_each(|(slot, value)| pack_one(vm, slot, value, bytes))
}

fn pack_into(vm: &mut Vm, format: &Format, target: &Value, offset: &Value, values: &[Value]) -> Result<Value> {
    if let Err(error) = format.check_count("pack_into", values.len()) {
        return Err(raise(vm, &error));
    }
    let length = writable_length(vm, target, "argument")?;
    // An `__index__` must not change the length meanwhile.
    let held = memoryview::hold(vm, target);
    let offset = vm.index_i64(offset)?;
    let start = match format.start(offset, length, true) {
        Ok(start) => start,
        Err(error) => return Err(raise(vm, &error)),
    };
    vm.charge(format.size())?;
    let mut bytes = vec![0; format.size()];
    let outcome = pack_all(vm, format, values, &mut bytes);
    // What stands before a value that cannot be packed is written.
    let written = write_into(vm, target, start, &bytes);
    drop(held);
    outcome?;
    written?;
    Ok(Value::NONE)
}

fn unpacked(vm: &mut Vm, format: &Format, bytes: &[u8]) -> Value {
    let values: Vec<Value> = format
        .slots()
        .map(|slot| match slot.unpack(bytes) {
            Unpacked::Int(int) => vm.new_big(int),
            Unpacked::Float(float) => vm.new_float(float),
            Unpacked::Bool(bool) => Value::from_bool(bool),
            Unpacked::Bytes(bytes) => vm.new_bytes(bytes.to_vec()),
        })
        .collect();
    vm.new_tuple(values)
}

fn unpack(vm: &mut Vm, format: &Format, source: &Value) -> Result<Value> {
    let bytes = buffer(vm, source)?;
    if bytes.len() != format.size() {
        return Err(raise(vm, &StructError::BufferSize(format.size())));
    }
    vm.check_room(bytes.len().saturating_mul(8))?;
    Ok(unpacked(vm, format, &bytes))
}

fn unpack_from(vm: &mut Vm, format: &Format, source: &Value, offset: Option<&Value>) -> Result<Value> {
    let bytes = buffer(vm, source)?;
    let held = memoryview::hold(vm, source);
    let offset = match offset {
        Some(offset) => vm.index_i64(offset)?,
        None => 0,
    };
    drop(held);
    match format.start(offset, bytes.len(), false) {
        Ok(start) => Ok(unpacked(vm, format, &bytes[start..start + format.size()])),
        Err(error) => Err(raise(vm, &error)),
    }
}

fn iter_unpack(vm: &mut Vm, format: Format, source: &Value) -> Result<Value> {
    let length = buffer(vm, source)?.len();
    if format.size() == 0 {
        return Err(raise(vm, &StructError::EmptyIteration));
    }
    if !length.is_multiple_of(format.size()) {
        return Err(raise(vm, &StructError::BufferMultiple(format.size())));
    }
    let class = vm.native_type(&ITERATOR);
    Ok(vm.alloc_for(&class, UnpackIterator { format, source: Some(source.clone()), offset: 0 }).into_value())
}

fn next(vm: &mut Vm, value: &Value) -> Result<Option<Value>> {
    let iterator = value.downcast::<UnpackIterator>().expect("the slot's own type").clone();
    let Some(source) = iterator.get(vm).source.clone() else { return Ok(None) };
    let bytes = buffer(vm, &source)?;
    let (format, offset) = (iterator.get(vm).format.clone(), iterator.get(vm).offset);
    match bytes.get(offset..offset + format.size()) {
        Some(bytes) => {
            iterator.get_mut(vm).offset = offset + format.size();
            Ok(Some(unpacked(vm, &format, bytes)))
        }
        None => {
            iterator.get_mut(vm).source = None;
            Ok(None)
        }
    }
}
