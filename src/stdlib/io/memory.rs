//! `BytesIO` and `StringIO`: streams over memory.

use super::base::{BUFFERED_IO_BASE, STREAM, TEXT_IO_BASE, initialize, size_argument};
use super::closed_error;
use super::newline::{LineEnds, line_end, to_universal};
use crate::object::account::block;
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, Native, getter, native};
use crate::object::type_object::{HAS_DEL, Slots, Type, TypeSpec, constructor};
use crate::object::types::buffer::{buffer, writable_length, write_into};
use crate::object::types::bytearray::ByteArray;
use crate::object::types::memoryview;
use crate::object::types::str::Str;
use crate::object::types::str_methods::text;
use crate::object::types::tuple::Tuple;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::text::{Text, TextBuilder};
use crate::vm::{ExceptionKind, Result, Vm};

/// Bytes, and where in them the next read or write is. The bytes are a `bytearray`, so that `getbuffer` can show them; it goes when the stream
/// is closed.
pub(crate) struct BytesStream {
    bytes: Option<Ref<ByteArray>>,
    position: usize,
}

impl Payload for BytesStream {
    const LAYOUT: Layout = Layout::BytesStream;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        if let Some(bytes) = &self.bytes {
            visit(bytes.word());
        }
    }
}

pub(crate) static BYTES_IO: TypeSpec = TypeSpec {
    name: "_io.BytesIO",
    doc: "A file of bytes in memory.",
    base: Some(&BUFFERED_IO_BASE),
    layout: Layout::BytesStream,
    flags: STREAM & !HAS_DEL,
    new: constructor("BytesIO(*args, **kwargs)", |vm, args| {
        let class = args[0].downcast::<Type>().expect("the class").clone();
        let bytes = vm.new_bytearray(Vec::new()).into_ref().ok();
        Ok(vm.alloc_for(&class, BytesStream { bytes, position: 0 }).into_value())
    }),
    slots: Slots {
        init: Some(|vm, this, args| initialize(vm, this, args, &BYTES_INIT)),
        iter: Some(|vm, value| {
            open(vm, value)?;
            Ok(value.clone())
        }),
        next: Some(|vm, value| {
            let line = take_line(vm, value, None)?;
            Ok(if line.is_empty() { None } else { Some(vm.new_bytes(line)) })
        }),
        ..Slots::NONE
    },
    methods: &[
        native("read(self, size=-1, /)", read),
        native("read1(self, size=-1, /)", read),
        native("readline(self, size=-1, /)", |vm, args| {
            let limit = size_argument(vm, args.given(1))?;
            let line = take_line(vm, &args[0], limit)?;
            Ok(vm.new_bytes(line))
        }),
        native("readlines(self, size=None, /)", |vm, args| {
            if let Some(size) = args.given_some(1)
                && !vm.is_int(size)
            {
                let name = vm.type_name(size);
                return Err(vm.type_error(format!("integer argument expected, got '{name}'")));
            }
            let hint = size_argument(vm, args.given(1))?.filter(|&hint| hint > 0);
            let (mut lines, mut length) = (Vec::new(), 0);
            loop {
                let line = take_line(vm, &args[0], None)?;
                if line.is_empty() {
                    break;
                }
                length += line.len();
                lines.push(vm.new_bytes(line));
                if lines.len() % 1024 == 0 {
                    vm.poll()?;
                    vm.check_room(lines.len() * 16)?;
                }
                if hint.is_some_and(|hint| length >= hint) {
                    break;
                }
            }
            Ok(vm.new_list(lines))
        }),
        native("readinto(self, buffer, /)", |vm, args| read_into(vm, args, "readinto() argument")),
        native("readinto1(self, buffer, /)", |vm, args| read_into(vm, args, "readinto1() argument")),
        native("write(self, b, /)", |vm, args| {
            let bytes = buffer(vm, &args[1])?;
            let count = bytes.len();
            write_bytes(vm, &args[0], &bytes)?;
            Ok(Value::small(count as i64))
        }),
        native("writelines(self, lines, /)", |vm, args| {
            open(vm, &args[0])?;
            let iterator = vm.iter(&args[1])?;
            while let Some(line) = vm.next(&iterator)? {
                let bytes = buffer(vm, &line)?;
                write_bytes(vm, &args[0], &bytes)?;
            }
            Ok(Value::NONE)
        }),
        native("seek(self, pos, whence=0, /)", seek),
        native("tell(self, /)", |vm, args| {
            open(vm, &args[0])?;
            Ok(vm.new_int(stream(&args[0]).get(vm).position as i64))
        }),
        native("truncate(self, size=None, /)", truncate),
        native("getvalue(self, /)", |vm, args| {
            let bytes = open(vm, &args[0])?.get(vm).data.to_vec();
            Ok(vm.new_bytes(bytes))
        }),
        native("getbuffer(self, /)", |vm, args| {
            let bytes = open(vm, &args[0])?;
            memoryview::make(vm, &bytes)
        }),
        native("close(self, /)", |vm, args| {
            if let Some(bytes) = stream(&args[0]).get(vm).bytes.clone() {
                refuse_exported(vm, &bytes)?;
            }
            stream(&args[0]).get_mut(vm).bytes = None;
            Ok(Value::NONE)
        }),
        native("flush(self, /)", |vm, args| {
            open(vm, &args[0])?;
            Ok(Value::NONE)
        }),
        native("isatty(self, /)", |vm, args| {
            open(vm, &args[0])?;
            Ok(Value::FALSE)
        }),
        native("seekable(self, /)", able),
        native("readable(self, /)", able),
        native("writable(self, /)", able),
        native("__getstate__(self, /)", |vm, args| {
            let bytes = open(vm, &args[0])?.get(vm).data.to_vec();
            let position = stream(&args[0]).get(vm).position;
            let dict = vm.existing_dict(&args[0]).map_or(Value::NONE, Into::into);
            let bytes = vm.new_bytes(bytes);
            Ok(vm.new_tuple(vec![bytes, vm.new_int(position as i64), dict]))
        }),
        native("__setstate__(self, object, /)", |vm, args| {
            let items = vm.tuple_items(&args[1]);
            let [bytes, position, dict] = items.as_slice() else {
                let given = vm.type_name(&args[1]);
                return Err(vm.type_error(format!("_io.BytesIO.__setstate__ argument should be 3-tuple, got {given}")));
            };
            let bytes = buffer(vm, bytes)?;
            let position = vm.index_i64(position)?;
            let target = open(vm, &args[0])?;
            vm.resize(&target, |target| target.data = bytes.into());
            stream(&args[0]).get_mut(vm).position = position.max(0) as usize;
            set_attributes(vm, &args[0], dict)?;
            Ok(Value::NONE)
        }),
    ],
    getset: &[getter("closed", |vm, value| Ok(Value::from_bool(stream(value).get(vm).bytes.is_none())))],
    ..TypeSpec::DEFAULT
};

static BYTES_INIT: Native = native("BytesIO(initial_bytes=b'')", |vm, args| {
    let bytes = match args.given_some(1) {
        Some(initial) => buffer(vm, initial)?,
        None => Vec::new(),
    };
    let bytes = vm.new_bytearray(bytes).into_ref().ok();
    let this = stream(&args[0]).get_mut(vm);
    this.bytes = bytes;
    this.position = 0;
    Ok(Value::NONE)
});

fn set_attributes(vm: &mut Vm, this: &Value, attributes: &Value) -> Result<()> {
    if attributes.is_none() {
        return Ok(());
    }
    for name in vm.mapping_keys(attributes)? {
        let value = vm.get_item(attributes, &name)?;
        vm.set_attr(this, &name, &value)?;
    }
    Ok(())
}

fn stream(value: &Value) -> &Ref<BytesStream> {
    value.downcast::<BytesStream>().expect("the receiver is a BytesIO")
}

/// The bytes of a stream that is open.
fn open(vm: &mut Vm, value: &Value) -> Result<Ref<ByteArray>> {
    match stream(value).get(vm).bytes.clone() {
        Some(bytes) => Ok(bytes),
        None => Err(closed_error(vm)),
    }
}

fn able(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    open(vm, &args[0])?;
    Ok(Value::TRUE)
}

fn refuse_exported(vm: &mut Vm, bytes: &Ref<ByteArray>) -> Result<()> {
    if bytes.get(vm).exports.get() > 0 {
        return Err(vm.raise(ExceptionKind::BufferError, "Existing exports of data: object cannot be re-sized"));
    }
    Ok(())
}

/// The next bytes, at most `size`.
fn take(vm: &mut Vm, value: &Value, size: Option<usize>) -> Result<Vec<u8>> {
    let bytes = open(vm, value)?;
    let start = stream(value).get(vm).position;
    let data = &bytes.get(vm).data;
    let rest = data.get(start..).unwrap_or_default();
    let taken = rest[..rest.len().min(size.unwrap_or(usize::MAX))].to_vec();
    stream(value).get_mut(vm).position = start + taken.len();
    Ok(taken)
}

fn take_line(vm: &mut Vm, value: &Value, limit: Option<usize>) -> Result<Vec<u8>> {
    let bytes = open(vm, value)?;
    let start = stream(value).get(vm).position;
    let rest = bytes.get(vm).data.get(start..).unwrap_or_default();
    let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
    take(vm, value, Some(end.min(limit.unwrap_or(usize::MAX))))
}

fn read(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let size = size_argument(vm, args.given(1))?;
    let taken = take(vm, &args[0], size)?;
    Ok(vm.new_bytes(taken))
}

fn read_into(vm: &mut Vm, args: Args<'_>, what: &str) -> Result<Value> {
    let size = writable_length(vm, &args[1], what)?;
    let taken = take(vm, &args[0], Some(size))?;
    write_into(vm, &args[1], 0, &taken)?;
    Ok(Value::small(taken.len() as i64))
}

fn write_bytes(vm: &mut Vm, value: &Value, bytes: &[u8]) -> Result<()> {
    let target = open(vm, value)?;
    refuse_exported(vm, &target)?;
    if bytes.is_empty() {
        return Ok(());
    }
    let start = stream(value).get(vm).position;
    let end = start + bytes.len();
    let length = target.get(vm).data.len();
    vm.charge(end.saturating_sub(length))?;
    let capacity = target.get(vm).data.capacity();
    if end > capacity {
        // The buffer doubles.
        vm.check_room(capacity.max(end - length))?;
    }
    vm.resize(&target, |target| {
        let data = &mut target.data;
        if start == length {
            data.extend_from_slice(bytes);
        } else {
            if length < end {
                data.vec().resize(end, 0);
            }
            data[start..end].copy_from_slice(bytes);
        }
    });
    stream(value).get_mut(vm).position = end;
    Ok(())
}

fn seek(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    // Numbers come first: an `__index__` may close the stream.
    let place = vm.index_i64(&args[1])?;
    let whence = match args.given(2) {
        Some(whence) => vm.c_int(whence)?,
        None => 0,
    };
    let bytes = open(vm, &args[0])?;
    let base = match whence {
        0 if place < 0 => return Err(vm.value_error(format!("negative seek value {place}"))),
        0 => 0,
        1 => stream(&args[0]).get(vm).position as i64,
        2 => bytes.get(vm).data.len() as i64,
        _ => return Err(vm.value_error(format!("invalid whence ({whence}, should be 0, 1 or 2)"))),
    };
    let Some(place) = base.checked_add(place).map(|place| place.max(0)) else {
        return Err(vm.raise(ExceptionKind::OverflowError, "new position too large"));
    };
    stream(&args[0]).get_mut(vm).position = place as usize;
    Ok(vm.new_int(place))
}

fn truncate(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let size = match args.given_some(1) {
        Some(size) => Some(vm.index_i64(size)?),
        None => None,
    };
    let bytes = open(vm, &args[0])?;
    refuse_exported(vm, &bytes)?;
    let size = size.unwrap_or(stream(&args[0]).get(vm).position as i64);
    if size < 0 {
        return Err(vm.value_error(format!("negative size value {size}")));
    }
    bytes.get_mut(vm).data.vec().truncate(size as usize);
    Ok(Value::small(size))
}

/// Text, and where in it the next read or write is.
pub(crate) struct StringStream {
    /// Text that only grows while the position is at its end; `None` when closed.
    text: Option<TextBuilder>,
    position: usize,
    ends: LineEnds,
    /// Which line ends were seen, for `newlines`.
    seen: u8,
}

impl Payload for StringStream {
    const LAYOUT: Layout = Layout::StringStream;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        self.text.as_ref().map_or(0, |text| block(text.heap_size()))
    }
}

pub(crate) static STRING_IO: TypeSpec = TypeSpec {
    name: "_io.StringIO",
    doc: "A file of text in memory.",
    base: Some(&TEXT_IO_BASE),
    layout: Layout::StringStream,
    flags: STREAM & !HAS_DEL,
    new: constructor("StringIO(*args, **kwargs)", |vm, args| {
        let class = args[0].downcast::<Type>().expect("the class").clone();
        let payload = StringStream { text: Some(TextBuilder::new()), position: 0, ends: LineEnds::default_of_memory(), seen: 0 };
        Ok(vm.alloc_for(&class, payload).into_value())
    }),
    slots: Slots {
        init: Some(|vm, this, args| initialize(vm, this, args, &STRING_INIT)),
        iter: Some(|vm, value| {
            open_text(vm, value)?;
            Ok(value.clone())
        }),
        next: Some(|vm, value| {
            let line = text_line(vm, value, None)?;
            Ok(if line.is_empty() { None } else { Some(vm.new_str(line)) })
        }),
        ..Slots::NONE
    },
    methods: &[
        native("read(self, size=-1, /)", |vm, args| {
            let size = size_argument(vm, args.given(1))?;
            open_text(vm, &args[0])?;
            let this = string_stream(&args[0]).get_mut(vm);
            let view = this.text.as_ref().map(TextBuilder::view);
            let taken = view.map_or_else(Text::new, |view| {
                let end = this.position.saturating_add(size.unwrap_or(usize::MAX)).min(view.len());
                view.slice(this.position, end.max(this.position)).to_text()
            });
            this.position += taken.len();
            Ok(vm.new_str(taken))
        }),
        native("readline(self, size=-1, /)", |vm, args| {
            let limit = size_argument(vm, args.given(1))?;
            let line = text_line(vm, &args[0], limit)?;
            Ok(vm.new_str(line))
        }),
        native("write(self, s, /)", |vm, args| {
            if !args[1].holds::<Str>() {
                let name = vm.type_name(&args[1]);
                return Err(vm.type_error(format!("string argument expected, got '{name}'")));
            }
            open_text(vm, &args[0])?;
            let added = text(vm, &args[1]).clone();
            let length = added.len();
            write_text(vm, &args[0], &added)?;
            Ok(Value::small(length as i64))
        }),
        native("seek(self, pos, whence=0, /)", seek_text),
        native("tell(self, /)", |vm, args| {
            open_text(vm, &args[0])?;
            Ok(vm.new_int(string_stream(&args[0]).get(vm).position as i64))
        }),
        native("truncate(self, pos=None, /)", truncate_text),
        native("getvalue(self, /)", |vm, args| {
            open_text(vm, &args[0])?;
            let made = string_stream(&args[0]).get(vm).text.as_ref().map_or_else(Text::new, |text| text.view().to_text());
            Ok(vm.new_str(made))
        }),
        native("close(self, /)", |vm, args| {
            string_stream(&args[0]).get_mut(vm).text = None;
            Ok(Value::NONE)
        }),
        native("seekable(self, /)", able_text),
        native("readable(self, /)", able_text),
        native("writable(self, /)", able_text),
        native("__getstate__(self, /)", |vm, args| {
            open_text(vm, &args[0])?;
            let this = string_stream(&args[0]).get(vm);
            let (text, position) = (this.text.as_ref().map_or_else(Text::new, |text| text.view().to_text()), this.position);
            let newline = this.ends.argument();
            let newline = newline.map_or(Value::NONE, |newline| vm.new_str(newline));
            let dict = vm.existing_dict(&args[0]).map_or(Value::NONE, Into::into);
            let text = vm.new_str(text);
            Ok(vm.new_tuple(vec![text, newline, vm.new_int(position as i64), dict]))
        }),
        native("__setstate__(self, object, /)", |vm, args| {
            let Some(items) = args[1].downcast::<Tuple>().map(|tuple| tuple.get(vm).items().to_vec()) else {
                let given = vm.type_name(&args[1]);
                return Err(vm.type_error(format!("_io.StringIO.__setstate__ argument should be 4-tuple, got {given}")));
            };
            let [initial, newline, position, dict] = items.as_slice() else {
                return Err(vm.type_error("__setstate__ argument should be 4-tuple"));
            };
            vm.expect_str(initial, "initial value")?;
            let mut builder = TextBuilder::new();
            builder.push_text(text(vm, initial));
            let position = vm.index_i64(position)?.max(0) as usize;
            let ends = LineEnds::parse(vm, Some(newline), true)?;
            let this = string_stream(&args[0]).get_mut(vm);
            this.text = Some(builder);
            this.position = position;
            this.ends = ends;
            set_attributes(vm, &args[0], dict)?;
            Ok(Value::NONE)
        }),
    ],
    getset: &[
        getter("closed", |vm, value| Ok(Value::from_bool(string_stream(value).get(vm).text.is_none()))),
        getter("newlines", |vm, value| {
            open_text(vm, value)?;
            let seen = string_stream(value).get(vm).seen;
            Ok(super::newline::seen_value(vm, seen))
        }),
        getter("line_buffering", |vm, value| {
            open_text(vm, value)?;
            Ok(Value::FALSE)
        }),
    ],
    ..TypeSpec::DEFAULT
};

static STRING_INIT: Native = native("StringIO(initial_value='', newline='\\n')", init_text);

fn init_text(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let ends = match args.given(2) {
        Some(newline) => LineEnds::parse(vm, Some(newline), true)?,
        None => LineEnds::default_of_memory(),
    };
    let this = string_stream(&args[0]).get_mut(vm);
    this.text = Some(TextBuilder::new());
    this.position = 0;
    this.ends = ends;
    this.seen = 0;
    if let Some(initial) = args.given_some(1) {
        if !initial.holds::<Str>() {
            let name = vm.type_name(initial);
            return Err(vm.type_error(format!("initial_value must be str or None, not {name}")));
        }
        let initial = text(vm, initial).clone();
        write_text(vm, &args[0], &initial)?;
        string_stream(&args[0]).get_mut(vm).position = 0;
    }
    Ok(Value::NONE)
}

fn string_stream(value: &Value) -> &Ref<StringStream> {
    value.downcast::<StringStream>().expect("the receiver is a StringIO")
}

fn open_text(vm: &mut Vm, value: &Value) -> Result<()> {
    if string_stream(value).get(vm).text.is_none() { Err(vm.value_error("I/O operation on closed file")) } else { Ok(()) }
}

fn able_text(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    open_text(vm, &args[0])?;
    Ok(Value::TRUE)
}

fn text_line(vm: &mut Vm, value: &Value, limit: Option<usize>) -> Result<Text> {
    open_text(vm, value)?;
    let this = string_stream(value).get_mut(vm);
    let Some(builder) = &this.text else { return Ok(Text::new()) };
    let view = builder.view();
    let rest = view.slice(this.position.min(view.len()), view.len());
    let end = line_end(rest, &this.ends).unwrap_or(rest.len()).min(limit.unwrap_or(usize::MAX));
    let line = rest.slice(0, end).to_text();
    this.position += line.len();
    Ok(line)
}

fn write_text(vm: &mut Vm, value: &Value, added: &Text) -> Result<()> {
    let stream = string_stream(value).clone();
    let this = stream.get(vm);
    let known = this.text.as_ref().map_or((0, 0), |text| (text.len(), text.heap_size()));
    // Behind the end, what is between is filled; before it, the text is copied.
    let more = match this.position.cmp(&known.0) {
        std::cmp::Ordering::Greater => (this.position - known.0).saturating_mul(4),
        std::cmp::Ordering::Less => known.1,
        std::cmp::Ordering::Equal => 0,
    };
    vm.charge(added.heap_size().saturating_add(more))?;
    if (known.0 + added.len()) > known.1 / 4 {
        // The buffer may double.
        vm.check_room(known.1.saturating_add(more))?;
    }
    vm.resize(&stream, |this| write_into_stream(this, added));
    Ok(())
}

fn write_into_stream(this: &mut StringStream, added: &Text) {
    let mut added = added.clone();
    if this.ends.universal && this.ends.translate {
        let (translated, seen) = to_universal(added.view());
        this.seen |= seen;
        if let Some(translated) = translated {
            added = translated;
        }
    }
    if let Some(end) = this.ends.written
        && added.codes().any(|code| code == 10)
    {
        let mut out = TextBuilder::new();
        for code in added.codes() {
            if code == 10 { out.push_str(end) } else { out.push_code(code) }
        }
        added = out.finish();
    }
    let Some(builder) = &mut this.text else { return };
    let (length, start) = (builder.len(), this.position);
    this.position = start + added.len();
    if added.is_empty() {
        return;
    }
    if start == length {
        builder.push_text(&added);
        return;
    }
    let mut whole = TextBuilder::new();
    let view = builder.view();
    whole.push_view(view.slice(0, start));
    if start > length {
        whole.push_repeated(0, start - length);
    }
    whole.push_text(&added);
    whole.push_view(view.slice(start + added.len(), length));
    *builder = whole;
}

fn seek_text(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let place = vm.index_i64(&args[1])?;
    let whence = match args.given(2) {
        Some(whence) => vm.c_int(whence)?,
        None => 0,
    };
    open_text(vm, &args[0])?;
    let this = string_stream(&args[0]).get(vm);
    let place = match whence {
        0 if place < 0 => return Err(vm.value_error(format!("Negative seek position {place}"))),
        0 => place as usize,
        1 | 2 if place != 0 => return Err(vm.raise(ExceptionKind::OSError, "Can't do nonzero cur-relative seeks")),
        1 => this.position,
        2 => this.text.as_ref().map_or(0, TextBuilder::len),
        _ => return Err(vm.value_error(format!("Invalid whence ({whence}, should be 0, 1 or 2)"))),
    };
    string_stream(&args[0]).get_mut(vm).position = place;
    Ok(vm.new_int(place as i64))
}

fn truncate_text(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let size = match args.given_some(1) {
        Some(size) => Some(vm.index_i64(size)?),
        None => None,
    };
    open_text(vm, &args[0])?;
    let size = size.unwrap_or(string_stream(&args[0]).get(vm).position as i64);
    let Ok(size) = usize::try_from(size) else { return Err(vm.value_error(format!("Negative size value {size}"))) };
    let this = string_stream(&args[0]).get_mut(vm);
    if let Some(builder) = &mut this.text
        && size < builder.len()
    {
        let mut cut = TextBuilder::new();
        cut.push_view(builder.view().slice(0, size));
        *builder = cut;
    }
    Ok(Value::small(size as i64))
}
