//! The bases of all streams: what they do by the methods of whoever derives from them.

use super::{closed_error, unsupported};
use crate::object::native::{Args, Native, getter, native};
use crate::object::signature::Signature;
use crate::object::type_object::{BASE_TYPE, CallArgs, HAS_DEL, HAS_DICT, HAS_WEAKREFS, Slots, Type, TypeSpec, constructor};
use crate::object::types::buffer::{buffer, writable_length, write_into};
use crate::object::types::bytearray::ByteArray;
use crate::object::types::bytes::Bytes;
use crate::object::types::exception::ExceptionKind;
use crate::object::types::memoryview;
use crate::object::value::Value;
use crate::vm::{Result, Vm};

/// What every stream type's flags are.
pub(crate) const STREAM: u32 = BASE_TYPE | HAS_DICT | HAS_WEAKREFS | HAS_DEL;

const fn new() -> Option<Native> {
    constructor("_IOBase(*args, **kwargs)", |vm, args| {
        let class = args[0].downcast::<Type>().expect("the class").clone();
        Ok(vm.alloc_instance(&class))
    })
}

pub(crate) static IO_BASE: TypeSpec = TypeSpec {
    name: "_io._IOBase",
    doc: "The base of all streams: what does not depend on their kind.",
    flags: STREAM,
    new: new(),
    slots: Slots { iter: Some(iterate), next: Some(next_line), ..Slots::NONE },
    methods: &[
        native("seek(self, offset, whence=0, /)", |vm, _| Err(unsupported(vm, "seek"))),
        native("tell(self, /)", |vm, args| vm.call_method(&args[0], "seek", &[Value::small(0), Value::small(1)])),
        native("truncate(self, size=None, /)", |vm, _| Err(unsupported(vm, "truncate"))),
        native("flush(self, /)", |vm, args| {
            if is_marked_closed(vm, &args[0])? {
                return Err(closed_error(vm));
            }
            Ok(Value::NONE)
        }),
        native("close(self, /)", close),
        native("seekable(self, /)", |_, _| Ok(Value::FALSE)),
        native("readable(self, /)", |_, _| Ok(Value::FALSE)),
        native("writable(self, /)", |_, _| Ok(Value::FALSE)),
        native("_checkClosed(self, /)", |vm, args| {
            check_open(vm, &args[0])?;
            Ok(Value::NONE)
        }),
        native("_checkSeekable(self, /)", |vm, args| demand(vm, &args[0], "seekable", "File or stream is not seekable.")),
        native("_checkReadable(self, /)", |vm, args| demand(vm, &args[0], "readable", "File or stream is not readable.")),
        native("_checkWritable(self, /)", |vm, args| demand(vm, &args[0], "writable", "File or stream is not writable.")),
        native("fileno(self, /)", |vm, _| Err(unsupported(vm, "fileno"))),
        native("isatty(self, /)", |vm, args| {
            check_open(vm, &args[0])?;
            Ok(Value::FALSE)
        }),
        native("readline(self, size=-1, /)", readline),
        native("readlines(self, hint=-1, /)", readlines),
        native("writelines(self, lines, /)", writelines),
        native("__enter__(self, /)", |vm, args| {
            check_open(vm, &args[0])?;
            Ok(args[0].clone())
        }),
        native("__exit__(self, /, *exc_info)", |vm, args| {
            vm.call_method(&args[0], "close", &[])?;
            Ok(Value::NONE)
        })
        .unpacked(),
        native("__del__(self, /)", |vm, args| {
            if !is_closed(vm, &args[0]).unwrap_or(true) {
                close_at_end(vm, &args[0]);
            }
            Ok(Value::NONE)
        }),
    ],
    getset: &[crate::object::types::type_methods::DICT, getter("closed", |vm, value| Ok(Value::from_bool(is_marked_closed(vm, value)?)))],
    ..TypeSpec::DEFAULT
};

pub(crate) static RAW_IO_BASE: TypeSpec = TypeSpec {
    name: "_io._RawIOBase",
    doc: "What streams of bytes without a buffer have in common.",
    base: Some(&IO_BASE),
    flags: STREAM,
    new: new(),
    methods: &[
        native("read(self, size=-1, /)", raw_read),
        native("readall(self, /)", read_all),
        native("readinto(self, buffer, /)", |vm, _| Err(vm.raise_new(crate::vm::ExceptionKind::NotImplementedError, Vec::new()))),
        native("write(self, b, /)", |vm, _| Err(vm.raise_new(crate::vm::ExceptionKind::NotImplementedError, Vec::new()))),
    ],
    ..TypeSpec::DEFAULT
};

pub(crate) static BUFFERED_IO_BASE: TypeSpec = TypeSpec {
    name: "_io._BufferedIOBase",
    doc: "What buffered streams of bytes have in common.",
    base: Some(&IO_BASE),
    flags: STREAM,
    new: new(),
    methods: &[
        native("detach(self, /)", |vm, _| Err(unsupported(vm, "detach"))),
        native("read(self, size=-1, /)", |vm, _| Err(unsupported(vm, "read"))),
        native("read1(self, size=-1, /)", |vm, _| Err(unsupported(vm, "read1"))),
        native("readinto(self, buffer, /)", |vm, args| read_into_by(vm, args, "read")),
        native("readinto1(self, buffer, /)", |vm, args| read_into_by(vm, args, "read1")),
        native("write(self, b, /)", |vm, _| Err(unsupported(vm, "write"))),
    ],
    ..TypeSpec::DEFAULT
};

pub(crate) static TEXT_IO_BASE: TypeSpec = TypeSpec {
    name: "_io._TextIOBase",
    doc: "Base class for text I/O.",
    base: Some(&IO_BASE),
    flags: STREAM,
    new: new(),
    methods: &[
        native("detach(self, /)", |vm, _| Err(unsupported(vm, "detach"))),
        native("read(self, size=-1, /)", |vm, _| Err(unsupported(vm, "read"))),
        native("readline(self, size=-1, /)", |vm, _| Err(unsupported(vm, "readline"))),
        native("write(self, s, /)", |vm, _| Err(unsupported(vm, "write"))),
    ],
    getset: &[getter("encoding", |_, _| Ok(Value::NONE)), getter("newlines", |_, _| Ok(Value::NONE)), getter("errors", |_, _| Ok(Value::NONE))],
    ..TypeSpec::DEFAULT
};

/// Binds an `__init__`'s arguments by a signature and runs it; the function gets the receiver first.
pub(crate) fn initialize(vm: &mut Vm, this: &Value, args: CallArgs<'_>, native: &'static Native) -> Result<()> {
    let mut values = vec![this.clone()];
    values.extend(args.values.iter().cloned());
    let signature = Signature::parse_constructor(native.signature);
    signature.call(vm, native, &Value::NONE, CallArgs { values: &values, names: args.names })?;
    Ok(())
}

/// The attribute by which `_IOBase.close` remembers that it ran.
const CLOSED: &str = "__IOBase_closed";

fn is_marked_closed(vm: &mut Vm, value: &Value) -> Result<bool> {
    match vm.existing_dict(value) {
        Some(dict) => Ok(vm.dict_get_str(&dict, CLOSED)?.is_some()),
        None => Ok(vm.find_attr_str(value, CLOSED)?.is_some()),
    }
}

/// `self.closed`.
pub(crate) fn is_closed(vm: &mut Vm, value: &Value) -> Result<bool> {
    let closed = vm.get_attr_str(value, "closed")?;
    vm.is_true(&closed)
}

/// `ValueError` when the stream is closed.
pub(crate) fn check_open(vm: &mut Vm, value: &Value) -> Result<()> {
    if is_closed(vm, value)? { Err(closed_error(vm)) } else { Ok(()) }
}

fn demand(vm: &mut Vm, value: &Value, ability: &str, message: &str) -> Result<Value> {
    let able = vm.call_method(value, ability, &[])?;
    if able.as_bool() == Some(true) { Ok(able) } else { Err(unsupported(vm, message)) }
}

fn close(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if is_marked_closed(vm, &args[0])? {
        return Ok(Value::NONE);
    }
    let flushed = vm.call_method(&args[0], "flush", &[]);
    let pending = if flushed.is_err() { Some(vm.take_raised()) } else { None };
    vm.set_attr_str(&args[0], CLOSED, &Value::TRUE)?;
    match pending {
        Some(exception) => Err(vm.reraise(exception)),
        None => Ok(Value::NONE),
    }
}

fn iterate(vm: &mut Vm, value: &Value) -> Result<Value> {
    check_open(vm, value)?;
    Ok(value.clone())
}

fn next_line(vm: &mut Vm, value: &Value) -> Result<Option<Value>> {
    let line = vm.call_method(value, "readline", &[])?;
    Ok(if vm.len(&line)? == 0 { None } else { Some(line) })
}

/// A size argument: `None` for all, as a negative one.
pub(crate) fn size_argument(vm: &mut Vm, value: Option<&Value>) -> Result<Option<usize>> {
    match value.filter(|value| !value.is_none()) {
        None => Ok(None),
        Some(value) => {
            if !crate::object::types::index::is_index(vm, value) {
                let name = vm.type_name(value);
                return Err(vm.type_error(format!("argument should be integer or None, not '{name}'")));
            }
            Ok(usize::try_from(vm.index_i64(value)?).ok())
        }
    }
}

fn readline(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let limit = size_argument(vm, args.given(1))?;
    let peek = vm.find_attr_str(&args[0], "peek")?;
    let mut line = Vec::new();
    while limit.is_none_or(|limit| line.len() < limit) {
        let mut count = 1;
        if let Some(peek) = &peek {
            let ahead = vm.call(peek, &[Value::small(1)])?;
            let Some(bytes) = ahead.downcast::<Bytes>() else {
                let name = vm.type_name(&ahead);
                return Err(vm.raise(crate::vm::ExceptionKind::OSError, format!("peek() should have returned a bytes object, not '{name}'")));
            };
            let ahead = &bytes.get(vm).data;
            if !ahead.is_empty() {
                let within = ahead.len().min(limit.map_or(usize::MAX, |limit| limit - line.len()));
                count = ahead[..within].iter().position(|&byte| byte == b'\n').map_or(within, |at| at + 1);
            }
        }
        let piece = vm.call_method(&args[0], "read", &[Value::small(count as i64)])?;
        let Some(bytes) = piece.downcast::<Bytes>() else {
            let name = vm.type_name(&piece);
            return Err(vm.raise(crate::vm::ExceptionKind::OSError, format!("read() should have returned a bytes object, not '{name}'")));
        };
        let piece = bytes.get(vm).data.to_vec();
        if piece.is_empty() {
            break;
        }
        line.extend_from_slice(&piece);
        if line.last() == Some(&b'\n') {
            break;
        }
    }
    Ok(vm.new_bytes(line))
}

fn readlines(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let hint = size_argument(vm, args.given(1))?.filter(|&hint| hint > 0);
    let mut lines = Vec::new();
    let mut length = 0;
    let iterator = vm.iter(&args[0])?;
    while let Some(line) = vm.next(&iterator)? {
        length += vm.len(&line)?;
        lines.push(line);
        if hint.is_some_and(|hint| length >= hint) {
            break;
        }
    }
    Ok(vm.new_list(lines))
}

fn writelines(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    check_open(vm, &args[0])?;
    let iterator = vm.iter(&args[1])?;
    while let Some(line) = vm.next(&iterator)? {
        vm.call_method(&args[0], "write", &[line])?;
    }
    Ok(Value::NONE)
}

fn raw_read(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let Some(size) = size_argument(vm, args.given(1))? else {
        return vm.call_method(&args[0], "readall", &[]);
    };
    vm.charge(size)?;
    let target = vm.new_bytearray(vec![0; size]);
    let count = vm.call_method(&args[0], "readinto", std::slice::from_ref(&target))?;
    if count.is_none() {
        return Ok(count);
    }
    let count = vm.index_i64(&count)?;
    if count < 0 || count > size as i64 {
        return Err(vm.value_error(format!("readinto returned {count} outside buffer size {size}")));
    }
    let bytes = buffer(vm, &target)?;
    Ok(vm.new_bytes(bytes[..count as usize].to_vec()))
}

fn read_all(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let mut all = Vec::new();
    loop {
        let piece = vm.call_method(&args[0], "read", &[Value::small(super::DEFAULT_BUFFER_SIZE as i64)])?;
        if piece.is_none() {
            return Ok(if all.is_empty() { piece } else { vm.new_bytes(all) });
        }
        let Some(bytes) = piece.downcast::<Bytes>() else { return Err(vm.type_error("read() should return bytes")) };
        let piece = bytes.get(vm).data.to_vec();
        if piece.is_empty() {
            return Ok(vm.new_bytes(all));
        }
        vm.charge(piece.len())?;
        all.extend_from_slice(&piece);
    }
}

fn read_into_by(vm: &mut Vm, args: Args<'_>, method: &str) -> Result<Value> {
    let size = writable_length(vm, &args[1], if method == "read1" { "readinto1() argument" } else { "readinto() argument" })?;
    let piece = vm.call_method(&args[0], method, &[Value::small(size as i64)])?;
    let Some(bytes) = piece.downcast::<Bytes>() else { return Err(vm.type_error("read() should return bytes")) };
    let bytes = bytes.get(vm).data.to_vec();
    if bytes.len() > size {
        return Err(vm.value_error(format!("read() returned too much data: {size} bytes requested, {} returned", bytes.len())));
    }
    write_into(vm, &args[1], 0, &bytes)?;
    Ok(Value::small(bytes.len() as i64))
}

/// Calls a stream's `readinto` with room for `size` bytes: what it read; `None` when it would have had to wait.
pub(crate) fn call_read_into(vm: &mut Vm, raw: &Value, size: usize) -> Result<Option<Vec<u8>>> {
    vm.charge(size)?;
    let target = vm.new_bytearray(vec![0; size]);
    let view = memoryview::make(vm, &target)?;
    let count = vm.call_method(raw, "readinto", std::slice::from_ref(&view))?;
    vm.call_method(&view, "release", &[])?;
    if count.is_none() {
        return Ok(None);
    }
    let count = vm.index_i64(&count)?;
    if count < 0 || count > size as i64 {
        return Err(vm.raise(
            crate::vm::ExceptionKind::OSError,
            format!("raw readinto() returned invalid length {count} (should have been between 0 and {size})"),
        ));
    }
    let target = target.downcast::<ByteArray>().expect("just made");
    Ok(Some(target.get(vm).data[..count as usize].to_vec()))
}

/// Warns of a stream that goes and was not closed, if the file under it is its own. Streams over others ask those.
pub(super) fn warn_unclosed(vm: &mut Vm, under: &Value, stream: &Value) {
    let name = vm.intern("_dealloc_warn");
    let warned = match vm.find_attr(under, &name) {
        Ok(Some(warn)) => vm.call(&warn, std::slice::from_ref(stream)).map(drop),
        Ok(None) => Ok(()),
        Err(raised) => Err(raised),
    };
    if warned.is_err() {
        if vm.raised_is(ExceptionKind::Warning) {
            vm.write_unraisable("Exception ignored in: ", stream);
        } else {
            drop(vm.take_raised());
        }
    }
}

/// What `__del__` of a stream does: closes it. An error is shown, unless writing met one before, which was told then.
pub(super) fn close_at_end(vm: &mut Vm, stream: &Value) {
    let was_told = super::text::has_failed(vm, stream);
    if vm.call_method(stream, "close", &[]).is_err() {
        if was_told {
            drop(vm.take_raised());
        } else {
            vm.write_unraisable("", stream);
        }
    }
}
