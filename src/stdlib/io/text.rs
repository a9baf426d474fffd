//! `TextIOWrapper`: text over a stream of bytes.

use super::base::{self, STREAM, TEXT_IO_BASE, initialize, size_argument};
use super::buffered;
use super::newline::{LineEnds, line_end, seen_value, to_universal};
use super::unsupported;
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, GetSetSpec, Native, getter, native};
use crate::object::type_object::{Slots, Type, TypeSpec, constructor};
use crate::object::types::bytes::Bytes;
use crate::object::types::codec;
use crate::object::types::str::Str;
use crate::object::types::str_methods::text;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::text::codec::{Encoding, Order};
use crate::text::{Text, TextBuilder};
use crate::vm::{ExceptionKind, Result, Vm};

/// How much is read at once, and how much is kept before it is written.
const CHUNK: usize = 8192;

/// Text over bytes.
pub(crate) struct TextStream {
    /// Unset before `__init__` and after `detach`.
    buffer: Option<Value>,
    detached: bool,
    encoding_name: String,
    /// The encoding, when it is one that `text` knows; in the order the first bytes showed, for reading.
    known: Option<Encoding>,
    reading: Option<Encoding>,
    /// The incremental decoder of another one, made at the first read.
    decoder: Option<Value>,
    errors: String,
    ends: LineEnds,
    line_buffering: bool,
    write_through: bool,
    /// Encoded text that the buffer has not got yet.
    pending: Vec<u8>,
    /// Whether something was written, so that no byte-order mark follows.
    started: bool,
    /// Text that was read ahead, from `start` on.
    ahead: Text,
    start: usize,
    /// The bytes that `ahead` was made of; those at the end were not decoded yet.
    chunk: Vec<u8>,
    undecoded: usize,
    /// A `\r` at the end of the last piece waits for what follows.
    pending_return: bool,
    seen: u8,
    /// `next()` was used: places are not known meanwhile.
    iterating: bool,
    /// What the buffer says it can do.
    readable: bool,
    writable: bool,
    movable: bool,
}

impl Payload for TextStream {
    const LAYOUT: Layout = Layout::TextStream;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        for value in [&self.buffer, &self.decoder].into_iter().flatten() {
            visit(value.word());
        }
    }
}

fn empty() -> TextStream {
    TextStream {
        buffer: None,
        detached: false,
        encoding_name: String::new(),
        known: None,
        reading: None,
        decoder: None,
        errors: "strict".to_owned(),
        ends: LineEnds { universal: true, translate: true, read: "\n", written: None },
        line_buffering: false,
        write_through: false,
        pending: Vec::new(),
        started: false,
        ahead: Text::new(),
        start: 0,
        chunk: Vec::new(),
        undecoded: 0,
        pending_return: false,
        seen: 0,
        iterating: false,
        readable: false,
        writable: false,
        movable: false,
    }
}

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "_io.TextIOWrapper",
    doc: "Text over a buffered stream of bytes: encodes, decodes and translates line breaks.",
    base: Some(&TEXT_IO_BASE),
    layout: Layout::TextStream,
    flags: STREAM,
    new: constructor("TextIOWrapper(*args, **kwargs)", |vm, args| {
        let class = args[0].downcast::<Type>().expect("the class").clone();
        Ok(vm.alloc_for(&class, empty()).into_value())
    }),
    slots: Slots {
        repr: Some(repr),
        init: Some(|vm, this, args| initialize(vm, this, args, &INIT)),
        iter: Some(|vm, value| {
            open(vm, value)?;
            Ok(value.clone())
        }),
        next: Some(next_line),
        ..Slots::NONE
    },
    methods: &[
        native("write(self, text, /)", |vm, args| {
            if !args[1].holds::<Str>() {
                let name = vm.type_name(&args[1]);
                return Err(vm.type_error(format!("write() argument must be str, not {name}")));
            }
            put(vm, &args[0], &args[1])?;
            Ok(Value::small(text(vm, &args[1]).len() as i64))
        }),
        native("read(self, size=-1, /)", read),
        native("readline(self, size=-1, /)", |vm, args| {
            open(vm, &args[0])?;
            let limit = match args.given(1) {
                Some(limit) => usize::try_from(vm.index_i64(limit)?).ok(),
                None => None,
            };
            let line = take_line(vm, &args[0], limit)?;
            Ok(vm.new_str(line))
        }),
        native("flush(self, /)", |vm, args| {
            let buffer = open(vm, &args[0])?;
            this(&args[0]).get_mut(vm).iterating = false;
            write_pending(vm, &args[0])?;
            vm.call_method(&buffer, "flush", &[])
        }),
        native("close(self, /)", close),
        native("detach(self, /)", |vm, args| {
            vm.call_method(&args[0], "flush", &[])?;
            let buffer = buffer(vm, &args[0])?;
            let this = this(&args[0]).get_mut(vm);
            this.buffer = None;
            this.detached = true;
            Ok(buffer)
        }),
        native("seek(self, cookie, whence=0, /)", seek),
        native("tell(self, /)", tell),
        native("truncate(self, pos=None, /)", |vm, args| {
            vm.call_method(&args[0], "flush", &[])?;
            let buffer = open(vm, &args[0])?;
            vm.call_method(&buffer, "truncate", &[args.or_none(1)])
        }),
        native(
            "reconfigure(self, /, *, encoding: str | None=None, errors: str | None=None, newline=None, line_buffering=None, write_through=None)",
            reconfigure,
        ),
        native("fileno(self, /)", |vm, args| ask(vm, &args[0], "fileno")),
        native("seekable(self, /)", |vm, args| ask(vm, &args[0], "seekable")),
        native("readable(self, /)", |vm, args| ask(vm, &args[0], "readable")),
        native("writable(self, /)", |vm, args| ask(vm, &args[0], "writable")),
        native("isatty(self, /)", |vm, args| ask(vm, &args[0], "isatty")),
        native("__del__(self, /)", |vm, args| {
            if let Some(buffer) = this(&args[0]).get(vm).buffer.clone()
                && !base::is_closed(vm, &args[0])?
            {
                base::warn_unclosed(vm, &buffer, &args[0]);
                base::close_at_end(vm, &args[0]);
            }
            Ok(Value::NONE)
        }),
    ],
    getset: &[
        getter("_finalizing", |_, _| Ok(Value::FALSE)),
        getter("encoding", |vm, value| {
            let name = this(value).get(vm).encoding_name.clone();
            Ok(vm.new_str(name))
        }),
        getter("errors", |vm, value| {
            let errors = this(value).get(vm).errors.clone();
            Ok(vm.new_str(errors))
        }),
        getter("newlines", |vm, value| {
            let seen = this(value).get(vm).seen;
            Ok(seen_value(vm, seen))
        }),
        getter("line_buffering", |vm, value| Ok(Value::from_bool(this(value).get(vm).line_buffering))),
        getter("write_through", |vm, value| Ok(Value::from_bool(this(value).get(vm).write_through))),
        getter("buffer", |vm, value| {
            let payload = this(value).get(vm);
            Ok(payload.buffer.clone().unwrap_or(Value::NONE))
        }),
        getter("name", |vm, value| {
            let buffer = buffer(vm, value)?;
            vm.get_attr_str(&buffer, "name")
        }),
        getter("closed", |vm, value| {
            let buffer = buffer(vm, value)?;
            vm.get_attr_str(&buffer, "closed")
        }),
        GetSetSpec { name: "_CHUNK_SIZE", get: |_, _| Ok(Value::small(CHUNK as i64)), set: Some(|_, _, _| Ok(())) },
    ],
    ..TypeSpec::DEFAULT
};

static INIT: Native = native("TextIOWrapper(buffer, encoding=None, errors=None, newline=None, line_buffering=False, write_through=False)", init);

fn this(value: &Value) -> &Ref<TextStream> {
    value.downcast::<TextStream>().expect("the receiver is a TextIOWrapper")
}

/// The buffer under it.
fn buffer(vm: &mut Vm, value: &Value) -> Result<Value> {
    let payload = this(value).get(vm);
    match &payload.buffer {
        Some(buffer) => Ok(buffer.clone()),
        None if payload.detached => Err(vm.value_error("underlying buffer has been detached")),
        None => Err(vm.value_error("I/O operation on uninitialized object")),
    }
}

/// The buffer, unless it is closed.
fn open(vm: &mut Vm, value: &Value) -> Result<Value> {
    let buffer = buffer(vm, value)?;
    if base::is_closed(vm, &buffer)? {
        return Err(vm.value_error("I/O operation on closed file."));
    }
    Ok(buffer)
}

fn ask(vm: &mut Vm, value: &Value, method: &str) -> Result<Value> {
    let buffer = buffer(vm, value)?;
    vm.call_method(&buffer, method, &[])
}

fn init(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let name = match args.given_some(2) {
        None => "UTF-8".to_owned(),
        Some(encoding) => {
            if !encoding.holds::<Str>() {
                let name = vm.type_name(encoding);
                return Err(vm.type_error(format!("TextIOWrapper() argument 'encoding' must be str or None, not {name}")));
            }
            let name = vm.expect_string(encoding, "encoding")?;
            if name == "locale" { "UTF-8".to_owned() } else { name }
        }
    };
    let known = encoding_of(vm, &name)?;
    let errors = match args.given_some(3) {
        None => "strict".to_owned(),
        Some(errors) => {
            if !errors.holds::<Str>() {
                let name = vm.type_name(errors);
                return Err(vm.type_error(format!("TextIOWrapper() argument 'errors' must be str or None, not {name}")));
            }
            vm.expect_string(errors, "errors")?
        }
    };
    let ends = LineEnds::parse(vm, args.given(4), false)?;
    let flag = |vm: &mut Vm, value: Option<&Value>| match value {
        Some(value) => vm.is_true(value),
        None => Ok(false),
    };
    let line_buffering = flag(vm, args.given(5))?;
    let write_through = flag(vm, args.given(6))?;
    let able = |vm: &mut Vm, method: &str| {
        let able = vm.call_method(&args[1], method, &[])?;
        vm.is_true(&able)
    };
    let (readable, writable) = (able(vm, "readable")?, able(vm, "writable")?);
    let movable = able(vm, "seekable")?;
    let mut made = empty();
    made.readable = readable;
    made.writable = writable;
    made.movable = movable;
    made.buffer = Some(args[1].clone());
    made.encoding_name = name;
    made.known = known;
    made.reading = known;
    made.errors = errors;
    made.ends = ends;
    made.line_buffering = line_buffering;
    made.write_through = write_through;
    *this(&args[0]).get_mut(vm) = made;
    // Appending to text that has its mark already must not write another one.
    if matches!(known, Some(Encoding::Utf8Sig | Encoding::Utf16(None) | Encoding::Utf32(None))) {
        if writable && movable {
            let place = vm.call_method(&args[1], "tell", &[])?;
            this(&args[0]).get_mut(vm).started = place.as_small() != Some(0);
        }
    }
    Ok(Value::NONE)
}

fn encoding_of(vm: &mut Vm, name: &str) -> Result<Option<Encoding>> {
    if let Some(known) = Encoding::from_name(name) {
        return Ok(Some(known));
    }
    let info = codec::look_up(vm, name)?;
    if let Some(flag) = vm.find_attr_str(&info, "_is_text_encoding")?
        && !vm.is_true(&flag)?
    {
        return Err(vm.raise(ExceptionKind::LookupError, format!("'{name}' is not a text encoding; use codecs.open() to handle arbitrary codecs")));
    }
    Ok(None)
}

fn reconfigure(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let payload = this(&args[0]).get(vm);
    if payload.start < payload.ahead.len() && (args.given_some(1).is_some() || args.given_some(2).is_some() || args.given(3).is_some()) {
        return Err(unsupported(vm, "It is not possible to set the encoding or newline of stream after the first read"));
    }
    vm.call_method(&args[0], "flush", &[])?;
    if let Some(encoding) = args.given_some(1) {
        let name = vm.expect_string(encoding, "reconfigure() argument 'encoding'")?;
        let known = encoding_of(vm, &name)?;
        let this = this(&args[0]).get_mut(vm);
        this.encoding_name = name;
        this.known = known;
        this.reading = known;
        this.decoder = None;
        if args.given_some(2).is_none() {
            this.errors = "strict".to_owned();
        }
    }
    if let Some(errors) = args.given_some(2) {
        let errors = vm.expect_string(errors, "reconfigure() argument 'errors'")?;
        this(&args[0]).get_mut(vm).errors = errors;
    }
    if let Some(newline) = args.given(3) {
        let ends = LineEnds::parse(vm, Some(newline), false)?;
        this(&args[0]).get_mut(vm).ends = ends;
    }
    if let Some(flag) = args.given_some(4) {
        let flag = vm.is_true(flag)?;
        this(&args[0]).get_mut(vm).line_buffering = flag;
    }
    if let Some(flag) = args.given_some(5) {
        let flag = vm.is_true(flag)?;
        this(&args[0]).get_mut(vm).write_through = flag;
    }
    Ok(Value::NONE)
}

fn repr(vm: &mut Vm, value: &Value) -> Result<Value> {
    if !vm.enter_repr(value)? {
        let kind = vm.type_name(value);
        return Err(vm.runtime_error(format!("reentrant call inside {kind}.__repr__")));
    }
    let result = show(vm, value);
    vm.leave_repr(value);
    result
}

fn show(vm: &mut Vm, value: &Value) -> Result<Value> {
    let mut shown = format!("<{}", vm.type_name(value));
    for attribute in ["name", "mode"] {
        match vm.find_attr_str(value, attribute) {
            Ok(Some(found)) => {
                let found = vm.repr_text(&found)?;
                shown.push_str(&format!(" {attribute}={found}"));
            }
            Ok(None) => {}
            Err(raised) => {
                if !vm.clear_if(ExceptionKind::ValueError) {
                    return Err(raised);
                }
            }
        }
    }
    let encoding = this(value).get(vm).encoding_name.clone();
    shown.push_str(&format!(" encoding='{encoding}'>"));
    Ok(vm.new_str(shown))
}

// ---- writing

/// Writes a string.
pub(crate) fn put(vm: &mut Vm, value: &Value, string: &Value) -> Result<()> {
    let buffer = open(vm, value)?;
    if !this(value).get(vm).writable {
        return Err(unsupported(vm, "not writable"));
    }
    let source = text(vm, string);
    let has_line = source.codes().any(|code| code == 10);
    let has_return = !has_line && source.codes().any(|code| code == 13);
    let payload = this(value).get(vm);
    let known = payload.known;
    let flush = payload.line_buffering && (has_line || has_return);
    let translated = match payload.ends.written {
        Some(end) if has_line => {
            let mut out = TextBuilder::new();
            for code in source.codes() {
                if code == 10 { out.push_str(end) } else { out.push_code(code) }
            }
            Some(out.finish())
        }
        _ => None,
    };
    // ASCII needs no encoding in most encodings, and that is most text.
    let plain = matches!(known, Some(Encoding::Utf8 | Encoding::Ascii | Encoding::Latin1 | Encoding::Cp1252 | Encoding::Latin9));
    let ascii = translated.as_ref().unwrap_or(source).as_ascii().filter(|_| plain).map(|ascii| ascii.as_bytes().to_vec());
    let bytes = match ascii {
        Some(ascii) => ascii,
        None => {
            let string = match translated {
                Some(translated) => vm.new_str(translated),
                None => string.clone(),
            };
            encode(vm, value, &string)?
        }
    };
    let payload = this(value).get_mut(vm);
    // What was read ahead of a file is read again behind what is written. A connection's two ways have nothing to do with each other.
    let had_ahead = payload.movable && (!payload.ahead.is_empty() || !payload.chunk.is_empty());
    payload.started = true;
    payload.pending.extend_from_slice(&bytes);
    if had_ahead {
        forget_ahead(payload);
    }
    let full = payload.pending.len() > CHUNK || payload.write_through || flush;
    if full {
        write_pending(vm, value)?;
    }
    if flush {
        vm.call_method(&buffer, "flush", &[])?;
    }
    Ok(())
}

fn encode(vm: &mut Vm, value: &Value, string: &Value) -> Result<Vec<u8>> {
    let payload = this(value).get(vm);
    let (known, errors, started, name) = (payload.known, payload.errors.clone(), payload.started, payload.encoding_name.clone());
    match known {
        Some(known) => {
            let known = match known {
                Encoding::Utf8Sig if started => Encoding::Utf8,
                Encoding::Utf16(None) if started => Encoding::Utf16(Some(Order::Little)),
                Encoding::Utf32(None) if started => Encoding::Utf32(Some(Order::Little)),
                other => other,
            };
            codec::encode_known(vm, string, known, &errors)
        }
        None => {
            let made = codec::encode(vm, string, &name, &errors)?;
            vm.bytes_vec(&made)
        }
    }
}

/// Gives what is pending to the buffer.
fn write_pending(vm: &mut Vm, value: &Value) -> Result<()> {
    let bytes = std::mem::take(&mut this(value).get_mut(vm).pending);
    if bytes.is_empty() {
        return Ok(());
    }
    let buffer = buffer(vm, value)?;
    if buffered::is_plain(vm, &buffer) {
        return buffered::put(vm, &buffer, &bytes);
    }
    let bytes = vm.new_bytes(bytes);
    vm.call_method(&buffer, "write", &[bytes])?;
    Ok(())
}

fn close(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let buffer = buffer(vm, &args[0])?;
    if base::is_closed(vm, &buffer)? {
        return Ok(Value::NONE);
    }
    let flushed = vm.call_method(&args[0], "flush", &[]);
    let first = if flushed.is_err() { Some(vm.take_raised()) } else { None };
    let closed = vm.call_method(&buffer, "close", &[]);
    match (first, closed) {
        (None, closed) => closed,
        (Some(first), Ok(_)) => Err(vm.reraise(first)),
        (Some(first), Err(_)) => {
            let second = vm.take_raised();
            vm.set_context(&second, first);
            Err(vm.reraise(second))
        }
    }
}

// ---- reading

fn forget_ahead(payload: &mut TextStream) {
    payload.ahead = Text::new();
    payload.start = 0;
    payload.chunk.clear();
    payload.undecoded = 0;
    payload.pending_return = false;
}

/// Reads a chunk of the buffer and decodes it; false at the end.
fn fill(vm: &mut Vm, value: &Value) -> Result<bool> {
    let buffer = buffer(vm, value)?;
    let bytes = if buffered::is_plain(vm, &buffer) {
        buffered::take_some(vm, &buffer, Some(CHUNK))?
    } else {
        let method = if vm.find_attr_str(&buffer, "read1")?.is_some() { "read1" } else { "read" };
        let piece = vm.call_method(&buffer, method, &[Value::small(CHUNK as i64)])?;
        match piece.downcast::<Bytes>() {
            Some(bytes) => bytes.get(vm).data.to_vec(),
            None if vm.is_bytes_like(&piece) => vm.bytes_vec(&piece)?,
            None => {
                let name = vm.type_name(&piece);
                return Err(vm.type_error(format!("underlying {method}() should have returned a bytes-like object, not '{name}'")));
            }
        }
    };
    let last = bytes.is_empty();
    // A line may never end.
    let ahead = this(value).get(vm).ahead.len();
    vm.charge(ahead + bytes.len())?;
    vm.poll()?;
    decode_more(vm, value, &bytes, last)?;
    Ok(!last)
}

/// Decodes more bytes behind what is left of the last chunk.
fn decode_more(vm: &mut Vm, value: &Value, bytes: &[u8], last: bool) -> Result<()> {
    let payload = this(value).get_mut(vm);
    let kept = payload.chunk.len() - payload.undecoded;
    let mut source: Vec<u8> = payload.chunk[kept..].to_vec();
    source.extend_from_slice(bytes);
    let (reading, errors) = (payload.reading, payload.errors.clone());
    let (decoded, left) = match reading {
        Some(reading) => {
            let decoded = codec::decode_known(vm, &source, reading, &errors, last)?;
            let left = source.len() - decoded.consumed;
            let next = settled(reading, &source, decoded.consumed);
            this(value).get_mut(vm).reading = Some(next);
            (decoded.text, left)
        }
        None => {
            let decoder = incremental_decoder(vm, value)?;
            let source = vm.new_bytes(bytes.to_vec());
            let made = vm.call_method(&decoder, "decode", &[source, Value::from_bool(last)])?;
            if !made.holds::<Str>() {
                let name = vm.type_name(&made);
                return Err(vm.type_error(format!("decoder should return a string result, not '{name}'")));
            }
            (text(vm, &made).clone(), 0)
        }
    };
    let payload = this(value).get_mut(vm);
    let mut decoded = decoded;
    if payload.ends.universal {
        if payload.pending_return {
            let mut whole = Text::from("\r");
            whole.push_text(&decoded);
            decoded = whole;
            payload.pending_return = false;
        }
        if !last && decoded.len() > 0 && decoded.get(decoded.len() - 1) == 13 {
            decoded = decoded.slice(0, decoded.len() - 1);
            payload.pending_return = true;
        }
        let (translated, seen) = to_universal(decoded.view());
        payload.seen |= seen;
        if payload.ends.translate
            && let Some(translated) = translated
        {
            decoded = translated;
        }
    }
    // What was read before and is not used up stays in front, and so do its bytes.
    if payload.start >= payload.ahead.len() {
        payload.ahead = decoded;
        payload.start = 0;
        payload.chunk = source;
    } else {
        if payload.ahead.try_push_view(decoded.view()).is_err() {
            return Err(vm.memory_error());
        }
        let kept = payload.chunk.len() - payload.undecoded;
        payload.chunk.truncate(kept);
        payload.chunk.extend_from_slice(&source);
    }
    payload.undecoded = left;
    Ok(())
}

/// The encoding for what follows, once a byte-order mark was or was not seen.
fn settled(encoding: Encoding, source: &[u8], consumed: usize) -> Encoding {
    if consumed == 0 {
        return encoding;
    }
    match encoding {
        Encoding::Utf8Sig => Encoding::Utf8,
        Encoding::Utf16(None) => Encoding::Utf16(Some(if source.starts_with(&[0xFE, 0xFF]) { Order::Big } else { Order::Little })),
        Encoding::Utf32(None) => Encoding::Utf32(Some(if source.starts_with(&[0, 0, 0xFE, 0xFF]) { Order::Big } else { Order::Little })),
        other => other,
    }
}

fn incremental_decoder(vm: &mut Vm, value: &Value) -> Result<Value> {
    if let Some(decoder) = this(value).get(vm).decoder.clone() {
        return Ok(decoder);
    }
    let payload = this(value).get(vm);
    let (name, errors) = (payload.encoding_name.clone(), payload.errors.clone());
    let info = codec::look_up(vm, &name)?;
    let errors = vm.new_str(errors);
    let decoder = vm.call_method(&info, "incrementaldecoder", &[errors])?;
    this(value).get_mut(vm).decoder = Some(decoder.clone());
    Ok(decoder)
}

fn prepare_read(vm: &mut Vm, value: &Value) -> Result<()> {
    open(vm, value)?;
    if !this(value).get(vm).readable {
        return Err(unsupported(vm, "not readable"));
    }
    write_pending(vm, value)
}

fn take_ahead(vm: &mut Vm, value: &Value, size: usize) -> Text {
    let payload = this(value).get_mut(vm);
    let end = payload.ahead.len().min(payload.start.saturating_add(size));
    let taken = payload.ahead.slice(payload.start, end);
    payload.start = end;
    taken
}

fn read(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let size = size_argument(vm, args.given(1))?;
    prepare_read(vm, &args[0])?;
    let Some(size) = size else {
        let mut out = TextBuilder::new();
        out.push_text(&take_ahead(vm, &args[0], usize::MAX));
        let buffer = buffer(vm, &args[0])?;
        let rest = vm.call_method(&buffer, "read", &[])?;
        let bytes = if rest.is_none() { Vec::new() } else { vm.bytes_vec(&rest)? };
        decode_more(vm, &args[0], &bytes, true)?;
        let rest = take_ahead(vm, &args[0], usize::MAX);
        this(&args[0]).get_mut(vm).iterating = false;
        if out.is_empty() {
            return Ok(vm.new_str(rest));
        }
        out.push_text(&rest);
        return Ok(vm.new_str(out.finish()));
    };
    let mut out = TextBuilder::new();
    while out.len() < size {
        let missing = size - out.len();
        let piece = take_ahead(vm, &args[0], missing);
        if !piece.is_empty() {
            out.push_text(&piece);
            continue;
        }
        if !fill(vm, &args[0])? {
            out.push_text(&take_ahead(vm, &args[0], missing));
            break;
        }
    }
    Ok(vm.new_str(out.finish()))
}

fn take_line(vm: &mut Vm, value: &Value, limit: Option<usize>) -> Result<Text> {
    prepare_read(vm, value)?;
    let limit = limit.unwrap_or(usize::MAX);
    // Where in what was read ahead no line end was found yet.
    let mut searched = 0;
    loop {
        let payload = this(value).get(vm);
        let view = payload.ahead.view().slice(payload.start, payload.ahead.len());
        let from = searched.min(view.len());
        if let Some(at) = line_end(view.slice(from, view.len()), &payload.ends) {
            // A `\r` that ends what is there may be the first half of `\r\n`, but then `pending_return` holds it back.
            return Ok(take_ahead(vm, value, (from + at).min(limit)));
        }
        if view.len() >= limit {
            return Ok(take_ahead(vm, value, limit));
        }
        searched = view.len().saturating_sub(1);
        if !fill(vm, value)? {
            let payload = this(value).get(vm);
            let view = payload.ahead.view().slice(payload.start, payload.ahead.len());
            let end = line_end(view, &payload.ends).unwrap_or(usize::MAX).min(limit);
            return Ok(take_ahead(vm, value, end));
        }
    }
}

fn next_line(vm: &mut Vm, value: &Value) -> Result<Option<Value>> {
    this(value).get_mut(vm).iterating = true;
    let line = take_line(vm, value, None)?;
    if line.is_empty() {
        this(value).get_mut(vm).iterating = false;
        return Ok(None);
    }
    Ok(Some(vm.new_str(line)))
}

// ---- places

fn movable(vm: &mut Vm, value: &Value) -> Result<Value> {
    let buffer = open(vm, value)?;
    let able = vm.call_method(&buffer, "seekable", &[])?;
    if vm.is_true(&able)? { Ok(buffer) } else { Err(unsupported(vm, "underlying stream is not seekable")) }
}

fn tell(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let buffer = movable(vm, &args[0])?;
    if this(&args[0]).get(vm).iterating {
        return Err(vm.raise(ExceptionKind::OSError, "telling position disabled by next() call"));
    }
    write_pending(vm, &args[0])?;
    vm.call_method(&buffer, "flush", &[])?;
    let place = vm.call_method(&buffer, "tell", &[])?;
    let place = vm.index_i64(&place)?;
    let payload = this(&args[0]).get(vm);
    if payload.chunk.is_empty() {
        return Ok(vm.new_int(place));
    }
    let used = if payload.start >= payload.ahead.len() && !payload.pending_return {
        payload.chunk.len() - payload.undecoded
    } else {
        bytes_of_prefix(payload)
    };
    let place = place - (payload.chunk.len() - used) as i64;
    Ok(vm.new_int(place))
}

/// How many bytes of the chunk made the characters that were taken.
fn bytes_of_prefix(payload: &TextStream) -> usize {
    let bytes = &payload.chunk;
    let width = |at: usize| match payload.reading {
        Some(Encoding::Utf8 | Encoding::Utf8Sig) => match bytes[at] {
            0..0xC0 => 1,
            0xC0..0xE0 => 2,
            0xE0..0xF0 => 3,
            _ => 4,
        },
        Some(Encoding::Utf16(order)) => {
            let high = bytes.get(at + usize::from(order != Some(Order::Big))).copied().unwrap_or(0);
            if (0xD8..0xDC).contains(&high) { 4 } else { 2 }
        }
        Some(Encoding::Utf32(_)) => 4,
        _ => 1,
    };
    let unit_at = |at: usize| -> Option<u32> {
        match payload.reading {
            Some(Encoding::Utf16(_)) => Some(u32::from(*bytes.get(at)?) | u32::from(*bytes.get(at + 1)?)),
            Some(Encoding::Utf32(_)) => Some(bytes.get(at..at + 4)?.iter().map(|&byte| u32::from(byte)).sum()),
            _ => bytes.get(at).map(|&byte| u32::from(byte)),
        }
    };
    let mut at = match payload.known {
        Some(Encoding::Utf8Sig) if bytes.starts_with(&[0xEF, 0xBB, 0xBF]) => 3,
        Some(Encoding::Utf16(None)) if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) => 2,
        Some(Encoding::Utf32(None)) if bytes.starts_with(&[0xFF, 0xFE, 0, 0]) || bytes.starts_with(&[0, 0, 0xFE, 0xFF]) => 4,
        _ => 0,
    };
    for _ in 0..payload.start {
        if at >= bytes.len() {
            break;
        }
        let step = width(at);
        if payload.ends.translate && unit_at(at) == Some(13) && unit_at(at + step) == Some(10) {
            at += step;
        }
        at += step;
    }
    at.min(bytes.len())
}

fn seek(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let buffer = movable(vm, &args[0])?;
    let whence = match args.given(2) {
        Some(whence) => vm.c_int(whence)?,
        None => 0,
    };
    let target = vm.index(&args[1])?;
    let is_zero = target.as_ref().is_zero();
    match whence {
        1 if !is_zero => return Err(unsupported(vm, "can't do nonzero cur-relative seeks")),
        2 if !is_zero => return Err(unsupported(vm, "can't do nonzero end-relative seeks")),
        1 => {
            vm.call_method(&args[0], "flush", &[])?;
            let place = vm.call_method(&args[0], "tell", &[])?;
            return seek_to(vm, &args[0], &buffer, &place);
        }
        2 => {
            vm.call_method(&args[0], "flush", &[])?;
            forget_ahead(this(&args[0]).get_mut(vm));
            let place = vm.call_method(&buffer, "seek", &[Value::small(0), Value::small(2)])?;
            let this = this(&args[0]).get_mut(vm);
            this.iterating = false;
            this.started = place.as_small() != Some(0);
            return Ok(place);
        }
        0 => {}
        _ => return Err(vm.value_error(format!("invalid whence ({whence}, should be 0, 1 or 2)"))),
    }
    if target.as_ref().is_negative() {
        let shown = vm.repr_text(&args[1])?;
        return Err(vm.value_error(format!("negative seek position {shown}")));
    }
    vm.call_method(&args[0], "flush", &[])?;
    let place = vm.new_big(target);
    seek_to(vm, &args[0], &buffer, &place)
}

fn seek_to(vm: &mut Vm, value: &Value, buffer: &Value, place: &Value) -> Result<Value> {
    vm.call_method(buffer, "seek", std::slice::from_ref(place))?;
    let at_start = place.as_small() == Some(0);
    let decoder = {
        let payload = this(value).get_mut(vm);
        forget_ahead(payload);
        payload.iterating = false;
        payload.started = !at_start;
        if at_start {
            payload.reading = payload.known;
        }
        payload.decoder.clone()
    };
    if let Some(decoder) = decoder {
        vm.call_method(&decoder, "reset", &[])?;
    }
    Ok(place.clone())
}

/// Whether writing to the stream, or to the buffer under it, met an error the last time.
pub(crate) fn has_failed(vm: &Vm, stream: &Value) -> bool {
    match stream.downcast::<TextStream>() {
        Some(text) => text.get(vm).buffer.as_ref().is_some_and(|buffer| buffered::has_failed(vm, buffer)),
        None => buffered::has_failed(vm, stream),
    }
}
