//! `BufferedReader`, `BufferedWriter`, `BufferedRandom` and `BufferedRWPair`: bytes kept between a script and a raw stream.
//!
//! Bytes are taken out of the payload before anything that gives the GIL away or calls a script, and put back after it, so that a payload is whole
//! whenever somebody else looks.

use super::base::{self, BUFFERED_IO_BASE, STREAM, call_read_into, initialize, size_argument};
use super::{DEFAULT_BUFFER_SIZE, closed_error, file, unsupported};
use crate::object::account::vec_bytes;
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, GetSetSpec, Native, getter, native};
use crate::object::type_object::{Slots, Type, TypeSpec, constructor};
use crate::object::types::buffer::{buffer, writable_length, write_into};
use crate::object::types::bytes::Bytes;
use crate::object::types::memoryview;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::vm::{ExceptionKind, Raised, Result, Vm};

/// A buffer in front of a raw stream.
pub(crate) struct Buffered {
    /// Unset before `__init__` and after `detach`.
    raw: Option<Value>,
    detached: bool,
    reads: bool,
    writes: bool,
    size: usize,
    /// What was read ahead, from `start` on.
    ahead: Vec<u8>,
    start: usize,
    /// What was not written yet.
    pending: Vec<u8>,
    /// The last write met an error, which was raised.
    failed: bool,
}

impl Payload for Buffered {
    const LAYOUT: Layout = Layout::Buffered;
    const IS_CONTAINER: bool = true;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        vec_bytes(&self.ahead) + vec_bytes(&self.pending)
    }
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        if let Some(raw) = &self.raw {
            visit(raw.word());
        }
    }
}

const fn spec(name: &'static str, doc: &'static str, init: crate::object::type_object::Slots) -> TypeSpec {
    TypeSpec {
        name,
        doc,
        base: Some(&BUFFERED_IO_BASE),
        layout: Layout::Buffered,
        flags: STREAM,
        new: constructor("Buffered(*args, **kwargs)", |vm, args| {
            let class = args[0].downcast::<Type>().expect("the class").clone();
            let payload = Buffered {
                raw: None,
                detached: false,
                reads: false,
                writes: false,
                size: DEFAULT_BUFFER_SIZE,
                ahead: Vec::new(),
                start: 0,
                pending: Vec::new(),
                failed: false,
            };
            Ok(vm.alloc_for(&class, payload).into_value())
        }),
        slots: init,
        getset: GETTERS,
        ..TypeSpec::DEFAULT
    }
}

const GETTERS: &[GetSetSpec] = &[
    getter("_finalizing", |_, _| Ok(Value::FALSE)),
    getter("raw", |vm, value| Ok(this(value).get(vm).raw.clone().unwrap_or(Value::NONE))),
    getter("closed", |vm, value| {
        let raw = raw(vm, value)?;
        Ok(Value::from_bool(file::is_closed(vm, &raw)?))
    }),
    getter("name", |vm, value| {
        let raw = raw(vm, value)?;
        vm.get_attr_str(&raw, "name")
    }),
    getter("mode", |vm, value| {
        let raw = raw(vm, value)?;
        vm.get_attr_str(&raw, "mode")
    }),
];

const SLOTS: Slots = Slots { repr: Some(repr), iter: Some(iterate), next: Some(next_line), ..Slots::NONE };

macro_rules! common {
    ($($more:expr),* $(,)?) => {
        &[
            native("close(self, /)", |vm, args| close(vm, &args[0])),
            native("detach(self, /)", |vm, args| {
                let raw = raw(vm, &args[0])?;
                vm.call_method(&args[0], "flush", &[])?;
                let this = this(&args[0]).get_mut(vm);
                this.raw = None;
                this.detached = true;
                Ok(raw)
            }),
            native("flush(self, /)", |vm, args| {
                let raw = raw(vm, &args[0])?;
                if file::is_closed(vm, &raw)? {
                    return Err(vm.value_error("flush of closed file"));
                }
                flush_and_rewind(vm, &args[0])?;
                Ok(Value::NONE)
            }),
            native("seekable(self, /)", |vm, args| ask(vm, &args[0], "seekable")),
            native("fileno(self, /)", |vm, args| ask(vm, &args[0], "fileno")),
            native("isatty(self, /)", |vm, args| ask(vm, &args[0], "isatty")),
            native("seek(self, target, whence=0, /)", seek),
            native("tell(self, /)", |vm, args| {
                let place = tell(vm, &args[0])?;
                Ok(vm.new_int(place))
            }),
            native("truncate(self, pos=None, /)", truncate),
            native("__del__(self, /)", |vm, args| {
                if let Some(raw) = this(&args[0]).get(vm).raw.clone()
                    && !base::is_closed(vm, &args[0])?
                {
                    base::warn_unclosed(vm, &raw, &args[0]);
                    base::close_at_end(vm, &args[0]);
                }
                Ok(Value::NONE)
            }),
            native("_dealloc_warn(self, source, /)", |vm, args| {
                if let Some(raw) = this(&args[0]).get(vm).raw.clone() {
                    base::warn_unclosed(vm, &raw, &args[1]);
                }
                Ok(Value::NONE)
            }),
            $($more),*
        ]
    };
}

pub(crate) static READER: TypeSpec = TypeSpec {
    methods: common![
        native("readable(self, /)", |vm, args| ask(vm, &args[0], "readable")),
        native("read(self, size=-1, /)", read),
        native("read1(self, size=-1, /)", read1),
        native("peek(self, size=0, /)", peek),
        native("readinto(self, buffer, /)", |vm, args| read_into(vm, args, true)),
        native("readinto1(self, buffer, /)", |vm, args| read_into(vm, args, false)),
        native("readline(self, size=-1, /)", |vm, args| {
            let limit = size_argument(vm, args.given(1))?;
            let line = take_line(vm, &args[0], limit)?;
            Ok(vm.new_bytes(line))
        }),
    ],
    ..spec(
        "_io.BufferedReader",
        "A buffer behind a raw stream that is read from.",
        Slots { init: Some(|vm, this, args| initialize(vm, this, args, &READER_INIT)), ..SLOTS },
    )
};

pub(crate) static WRITER: TypeSpec = TypeSpec {
    methods: common![native("writable(self, /)", |vm, args| ask(vm, &args[0], "writable")), native("write(self, buffer, /)", write),],
    ..spec(
        "_io.BufferedWriter",
        "A buffer in front of a raw stream that is written to.",
        Slots { init: Some(|vm, this, args| initialize(vm, this, args, &WRITER_INIT)), ..SLOTS },
    )
};

pub(crate) static RANDOM: TypeSpec = TypeSpec {
    methods: common![
        native("readable(self, /)", |vm, args| ask(vm, &args[0], "readable")),
        native("writable(self, /)", |vm, args| ask(vm, &args[0], "writable")),
        native("read(self, size=-1, /)", read),
        native("read1(self, size=-1, /)", read1),
        native("peek(self, size=0, /)", peek),
        native("readinto(self, buffer, /)", |vm, args| read_into(vm, args, true)),
        native("readinto1(self, buffer, /)", |vm, args| read_into(vm, args, false)),
        native("readline(self, size=-1, /)", |vm, args| {
            let limit = size_argument(vm, args.given(1))?;
            let line = take_line(vm, &args[0], limit)?;
            Ok(vm.new_bytes(line))
        }),
        native("write(self, buffer, /)", write),
    ],
    ..spec(
        "_io.BufferedRandom",
        "A buffer around a raw stream that is read and written anywhere.",
        Slots { init: Some(|vm, this, args| initialize(vm, this, args, &RANDOM_INIT)), ..SLOTS },
    )
};

static READER_INIT: Native = native("BufferedReader(raw, buffer_size=8192)", |vm, args| init(vm, args, true, false));
static WRITER_INIT: Native = native("BufferedWriter(raw, buffer_size=8192)", |vm, args| init(vm, args, false, true));
static RANDOM_INIT: Native = native("BufferedRandom(raw, buffer_size=8192)", |vm, args| init(vm, args, true, true));

fn init(vm: &mut Vm, args: Args<'_>, reads: bool, writes: bool) -> Result<Value> {
    let size = match args.given(2) {
        Some(size) => vm.index_i64(size)?,
        None => DEFAULT_BUFFER_SIZE as i64,
    };
    for (wanted, method, message) in [
        (reads, "readable", "File or stream is not readable."),
        (writes, "writable", "File or stream is not writable."),
        (reads && writes, "seekable", "File or stream is not seekable."),
    ] {
        if wanted {
            let able = vm.call_method(&args[1], method, &[])?;
            if !vm.is_true(&able)? {
                return Err(unsupported(vm, message));
            }
        }
    }
    if size <= 0 {
        return Err(vm.value_error("buffer size must be strictly positive"));
    }
    let this = this(&args[0]).get_mut(vm);
    *this = Buffered {
        raw: Some(args[1].clone()),
        detached: false,
        reads,
        writes,
        size: size as usize,
        ahead: Vec::new(),
        start: 0,
        pending: Vec::new(),
        failed: false,
    };
    Ok(Value::NONE)
}

fn this(value: &Value) -> &Ref<Buffered> {
    value.downcast::<Buffered>().expect("the receiver is a buffered stream")
}

/// The raw stream.
fn raw(vm: &mut Vm, value: &Value) -> Result<Value> {
    let payload = this(value).get(vm);
    match &payload.raw {
        Some(raw) => Ok(raw.clone()),
        None if payload.detached => Err(vm.value_error("raw stream has been detached")),
        None => Err(vm.value_error("I/O operation on uninitialized object")),
    }
}

/// The raw stream, unless it is closed.
fn open(vm: &mut Vm, value: &Value) -> Result<Value> {
    let raw = raw(vm, value)?;
    if file::is_closed(vm, &raw)? { Err(closed_error(vm)) } else { Ok(raw) }
}

fn ask(vm: &mut Vm, value: &Value, method: &str) -> Result<Value> {
    let raw = raw(vm, value)?;
    vm.call_method(&raw, method, &[])
}

fn repr(vm: &mut Vm, value: &Value) -> Result<Value> {
    let kind = vm.type_name(value);
    let name = match vm.find_attr_str(value, "name") {
        Ok(name) => name,
        Err(raised) => {
            if !vm.clear_if(ExceptionKind::ValueError) {
                return Err(raised);
            }
            None
        }
    };
    match name {
        Some(name) => {
            if !vm.enter_repr(value)? {
                return Err(vm.runtime_error(format!("reentrant call inside {kind}.__repr__")));
            }
            let shown = vm.repr_text(&name);
            vm.leave_repr(value);
            Ok(vm.new_str(format!("<{kind} name={}>", shown?)))
        }
        None => Ok(vm.new_str(format!("<{kind}>"))),
    }
}

/// Bytes of the raw stream; `None` when it would have to wait.
fn raw_read(vm: &mut Vm, raw: &Value, size: usize) -> Result<Option<Vec<u8>>> {
    match file::plain(vm, raw) {
        Some(fd) => file::read(vm, fd, size),
        None => call_read_into(vm, raw, size),
    }
}

/// Writes to the raw stream; how much. `None` when it would have to wait.
fn raw_write(vm: &mut Vm, raw: &Value, bytes: &[u8]) -> Result<Option<usize>> {
    if let Some(fd) = file::plain(vm, raw) {
        return file::write(vm, fd, bytes);
    }
    let source = vm.new_bytes(bytes.to_vec());
    let view = memoryview::make(vm, &source)?;
    let count = vm.call_method(raw, "write", &[view])?;
    if count.is_none() {
        return Ok(None);
    }
    let count = vm.index_i64(&count)?;
    match usize::try_from(count).ok().filter(|&count| count <= bytes.len()) {
        Some(count) => Ok(Some(count)),
        None => Err(
            vm.raise(ExceptionKind::OSError, format!("raw write() returned invalid length {count} (should have been between 0 and {})", bytes.len()))
        ),
    }
}

fn raw_seek(vm: &mut Vm, raw: &Value, place: i64, whence: i32) -> Result<i64> {
    if let Some(fd) = file::plain(vm, raw) {
        return file::seek(vm, fd, place, whence);
    }
    let place = vm.new_int(place);
    let place = vm.call_method(raw, "seek", &[place, Value::small(i64::from(whence))])?;
    let place = vm.index_i64(&place)?;
    if place < 0 {
        return Err(vm.raise(ExceptionKind::OSError, format!("Raw stream returned invalid position {place}")));
    }
    Ok(place)
}

fn raw_tell(vm: &mut Vm, raw: &Value) -> Result<i64> {
    if let Some(fd) = file::plain(vm, raw) {
        return file::seek(vm, fd, 0, 1);
    }
    let place = vm.call_method(raw, "tell", &[])?;
    let place = vm.index_i64(&place)?;
    if place < 0 {
        return Err(vm.raise(ExceptionKind::OSError, format!("Raw stream returned invalid position {place}")));
    }
    Ok(place)
}

/// The error of a stream that could take only so many bytes without waiting.
fn would_block(vm: &mut Vm, taken: usize) -> Raised {
    let class = vm.state().exception(ExceptionKind::BlockingIOError).clone().into_value();
    let arguments = [Value::small(11), vm.new_str("write could not complete without blocking"), Value::small(taken as i64)];
    match vm.call(&class, &arguments) {
        Ok(exception) => vm.raise_value(exception),
        Err(raised) => raised,
    }
}

/// Writes what is pending.
pub(crate) fn flush_pending(vm: &mut Vm, value: &Value) -> Result<()> {
    loop {
        let bytes = std::mem::take(&mut this(value).get_mut(vm).pending);
        if bytes.is_empty() {
            return Ok(());
        }
        let raw = open(vm, value)?;
        let outcome = raw_write(vm, &raw, &bytes);
        this(value).get_mut(vm).failed = outcome.is_err();
        let (count, failure) = match outcome {
            Ok(Some(count)) => (count, None),
            Ok(None) => (0, Some(None)),
            Err(raised) => (0, Some(Some(raised))),
        };
        if count < bytes.len() {
            // What another thread wrote meanwhile comes after what is left of these.
            let mut rest = bytes[count..].to_vec();
            let payload = this(value).get_mut(vm);
            rest.append(&mut payload.pending);
            payload.pending = rest;
        }
        match failure {
            None => {}
            Some(Some(raised)) => return Err(raised),
            Some(None) => return Err(would_block(vm, 0)),
        }
    }
}

/// Forgets what was read ahead, and moves the raw stream back over it.
fn rewind(vm: &mut Vm, value: &Value) -> Result<()> {
    let payload = this(value).get_mut(vm);
    let left = payload.ahead.len() - payload.start;
    payload.ahead.clear();
    payload.start = 0;
    if left > 0 {
        let raw = raw(vm, value)?;
        raw_seek(vm, &raw, -(left as i64), 1)?;
    }
    Ok(())
}

fn flush_and_rewind(vm: &mut Vm, value: &Value) -> Result<()> {
    flush_pending(vm, value)?;
    let payload = this(value).get(vm);
    if payload.reads && payload.writes {
        rewind(vm, value)?;
    }
    Ok(())
}

fn close(vm: &mut Vm, value: &Value) -> Result<Value> {
    let raw = raw(vm, value)?;
    if file::is_closed(vm, &raw)? {
        return Ok(Value::NONE);
    }
    let flushed = vm.call_method(value, "flush", &[]);
    let first = if flushed.is_err() { Some(vm.take_raised()) } else { None };
    let closed = vm.call_method(&raw, "close", &[]);
    let payload = this(value).get_mut(vm);
    payload.pending = Vec::new();
    payload.ahead = Vec::new();
    payload.start = 0;
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

/// The stream is about to be read: what is pending goes first.
fn prepare_read(vm: &mut Vm, value: &Value) -> Result<Value> {
    let raw = open(vm, value)?;
    if !this(value).get(vm).pending.is_empty() {
        flush_pending(vm, value)?;
    }
    Ok(raw)
}

/// Reads more ahead: false at the end, `None` when it would have to wait.
fn fill(vm: &mut Vm, value: &Value, raw: &Value) -> Result<Option<bool>> {
    let size = this(value).get(vm).size;
    let Some(piece) = raw_read(vm, raw, size)? else { return Ok(None) };
    let payload = this(value).get_mut(vm);
    if payload.start == payload.ahead.len() {
        payload.ahead.clear();
        payload.start = 0;
    }
    let got = !piece.is_empty();
    if payload.ahead.is_empty() {
        payload.ahead = piece;
    } else {
        payload.ahead.extend_from_slice(&piece);
    }
    Ok(Some(got))
}

/// Takes at most `size` of what was read ahead.
fn take_ahead(vm: &mut Vm, value: &Value, size: usize) -> Vec<u8> {
    let payload = this(value).get_mut(vm);
    let end = payload.ahead.len().min(payload.start.saturating_add(size));
    let taken = if payload.start == 0 && end == payload.ahead.len() {
        std::mem::take(&mut payload.ahead)
    } else {
        payload.ahead[payload.start..end].to_vec()
    };
    payload.start = if payload.ahead.is_empty() { 0 } else { end };
    taken
}

fn read(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let size = match args.given_some(1) {
        None => None,
        Some(size) => match vm.index_i64(size)? {
            -1 => None,
            size => match usize::try_from(size) {
                Ok(size) => Some(size),
                Err(_) => return Err(vm.value_error("read length must be non-negative or -1")),
            },
        },
    };
    Ok(match take(vm, &args[0], size)? {
        Some(bytes) => vm.new_bytes(bytes),
        None => Value::NONE,
    })
}

/// Reads so many bytes, or all; `None` when there are none without waiting.
pub(crate) fn take(vm: &mut Vm, value: &Value, size: Option<usize>) -> Result<Option<Vec<u8>>> {
    let raw = prepare_read(vm, value)?;
    let Some(size) = size else {
        let mut all = take_ahead(vm, value, usize::MAX);
        let rest = match file::plain(vm, &raw) {
            Some(fd) => file::read_all(vm, fd)?,
            None => match vm.find_attr_str(&raw, "readall")? {
                Some(method) => {
                    let rest = vm.call(&method, &[])?;
                    match rest.downcast::<Bytes>() {
                        Some(bytes) => Some(bytes.get(vm).data.to_vec()),
                        None if rest.is_none() => None,
                        None => return Err(vm.type_error("readall() should return bytes")),
                    }
                }
                None => {
                    let mut rest = Vec::new();
                    loop {
                        let piece = vm.call_method(&raw, "read", &[])?;
                        let Some(bytes) = piece.downcast::<Bytes>() else { break };
                        if bytes.get(vm).data.is_empty() {
                            break;
                        }
                        let bytes = bytes.get(vm).data.to_vec();
                        vm.append(&mut rest, &bytes)?;
                    }
                    Some(rest)
                }
            },
        };
        return Ok(match rest {
            None if all.is_empty() => None,
            None => Some(all),
            Some(rest) if all.is_empty() => Some(rest),
            Some(rest) => {
                vm.append(&mut all, &rest)?;
                Some(all)
            }
        });
    };
    vm.charge(size)?;
    let mut taken = take_ahead(vm, value, size);
    while taken.len() < size {
        let missing = size - taken.len();
        let buffer_size = this(value).get(vm).size;
        if missing >= buffer_size && file::plain(vm, &raw).is_some() {
            // Large pieces go past the buffer.
            match raw_read(vm, &raw, missing - missing % buffer_size)? {
                None if taken.is_empty() => return Ok(None),
                Some(piece) if !piece.is_empty() => {
                    vm.append(&mut taken, &piece)?;
                    continue;
                }
                _ => break,
            }
        }
        match fill(vm, value, &raw)? {
            None if taken.is_empty() => return Ok(None),
            None | Some(false) => break,
            Some(true) => {
                let piece = take_ahead(vm, value, missing);
                vm.append(&mut taken, &piece)?;
            }
        }
    }
    Ok(Some(taken))
}

fn read1(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let size = match args.given(1) {
        Some(size) => vm.index_i64(size)?,
        None => -1,
    };
    let bytes = take_some(vm, &args[0], usize::try_from(size).ok())?;
    Ok(vm.new_bytes(bytes))
}

/// What one read of the raw stream gives, at most `size`.
pub(crate) fn take_some(vm: &mut Vm, value: &Value, size: Option<usize>) -> Result<Vec<u8>> {
    let raw = prepare_read(vm, value)?;
    let size = size.unwrap_or_else(|| this(value).get(vm).size);
    if size == 0 {
        return Ok(Vec::new());
    }
    let payload = this(value).get(vm);
    if payload.start == payload.ahead.len() {
        return Ok(raw_read(vm, &raw, size)?.unwrap_or_default());
    }
    Ok(take_ahead(vm, value, size))
}

fn peek(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let raw = prepare_read(vm, &args[0])?;
    let payload = this(&args[0]).get(vm);
    if payload.start == payload.ahead.len() {
        fill(vm, &args[0], &raw)?;
    }
    let payload = this(&args[0]).get(vm);
    let ahead = payload.ahead[payload.start..].to_vec();
    Ok(vm.new_bytes(ahead))
}

fn read_into(vm: &mut Vm, args: Args<'_>, full: bool) -> Result<Value> {
    let size = writable_length(vm, &args[1], if full { "readinto() argument" } else { "readinto1() argument" })?;
    let bytes = if full { take(vm, &args[0], Some(size))? } else { Some(take_some(vm, &args[0], Some(size))?) };
    match bytes {
        Some(bytes) => {
            write_into(vm, &args[1], 0, &bytes)?;
            Ok(Value::small(bytes.len() as i64))
        }
        None => Ok(Value::NONE),
    }
}

fn take_line(vm: &mut Vm, value: &Value, limit: Option<usize>) -> Result<Vec<u8>> {
    let raw = prepare_read(vm, value)?;
    let mut line = Vec::new();
    loop {
        let limit = limit.unwrap_or(usize::MAX) - line.len();
        let payload = this(value).get(vm);
        let ahead = &payload.ahead[payload.start..];
        let within = ahead.len().min(limit);
        if let Some(at) = memchr::memchr(b'\n', &ahead[..within]) {
            let end = take_ahead(vm, value, at + 1);
            if line.is_empty() {
                return Ok(end);
            }
            vm.append(&mut line, &end)?;
            return Ok(line);
        }
        let piece = take_ahead(vm, value, within);
        vm.append(&mut line, &piece)?;
        if within == limit || !matches!(fill(vm, value, &raw)?, Some(true)) {
            return Ok(line);
        }
    }
}

fn iterate(vm: &mut Vm, value: &Value) -> Result<Value> {
    open(vm, value)?;
    Ok(value.clone())
}

fn next_line(vm: &mut Vm, value: &Value) -> Result<Option<Value>> {
    if !this(value).get(vm).reads {
        return Err(unsupported(vm, "read"));
    }
    let line = take_line(vm, value, None)?;
    Ok(if line.is_empty() { None } else { Some(vm.new_bytes(line)) })
}

// ---- writing

fn write(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let bytes = buffer(vm, &args[1])?;
    put(vm, &args[0], &bytes)?;
    Ok(Value::small(bytes.len() as i64))
}

/// Writes, into the buffer as long as it has room.
pub(crate) fn put(vm: &mut Vm, value: &Value, bytes: &[u8]) -> Result<()> {
    let raw = raw(vm, value)?;
    if file::is_closed(vm, &raw)? {
        return Err(vm.value_error("write to closed file"));
    }
    let payload = this(value).get(vm);
    if payload.start < payload.ahead.len() || !payload.ahead.is_empty() {
        rewind(vm, value)?;
    }
    let payload = this(value).get(vm);
    let size = payload.size;
    if payload.pending.len() + bytes.len() > size {
        let mut begun = 0;
        let mut done = flush_pending(vm, value);
        if done.is_ok() && bytes.len() > size {
            begun = bytes.len();
            this(value).get_mut(vm).pending = bytes.to_vec();
            done = flush_pending(vm, value);
            if done.is_ok() {
                return Ok(());
            }
        }
        if let Err(raised) = done {
            if !vm.raised_is(ExceptionKind::BlockingIOError) {
                return Err(raised);
            }
            // The file would have to be waited for: the buffer takes what it has room for, and the caller is told how much that was.
            let pending = &mut this(value).get_mut(vm).pending;
            pending.extend_from_slice(&bytes[begun..]);
            let excess = pending.len().saturating_sub(size).min(bytes.len());
            pending.truncate(pending.len() - excess);
            drop(vm.take_raised());
            return if excess == 0 { Ok(()) } else { Err(would_block(vm, bytes.len() - excess)) };
        }
    }
    this(value).get_mut(vm).pending.extend_from_slice(bytes);
    Ok(())
}

// ---- places

fn tell(vm: &mut Vm, value: &Value) -> Result<i64> {
    let raw = raw(vm, value)?;
    let place = raw_tell(vm, &raw)?;
    let payload = this(value).get(vm);
    Ok(place - (payload.ahead.len() - payload.start) as i64 + payload.pending.len() as i64)
}

fn seek(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let whence = match args.given(2) {
        Some(whence) => vm.c_int(whence)?,
        None => 0,
    };
    if !(0..=2).contains(&whence) {
        return Err(vm.value_error(format!("whence value {whence} unsupported")));
    }
    let raw = raw(vm, &args[0])?;
    if file::is_closed(vm, &raw)? {
        return Err(vm.value_error("seek of closed file"));
    }
    let able = vm.call_method(&raw, "seekable", &[])?;
    if !vm.is_true(&able)? {
        return Err(unsupported(vm, "File or stream is not seekable."));
    }
    let mut place = vm.index_i64(&args[1])?;
    flush_pending(vm, &args[0])?;
    let payload = this(&args[0]).get_mut(vm);
    if whence == 1 {
        place -= (payload.ahead.len() - payload.start) as i64;
    }
    payload.ahead.clear();
    payload.start = 0;
    let place = raw_seek(vm, &raw, place, whence)?;
    Ok(vm.new_int(place))
}

fn truncate(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let raw = raw(vm, &args[0])?;
    if file::is_closed(vm, &raw)? {
        return Err(vm.value_error("truncate of closed file"));
    }
    if !this(&args[0]).get(vm).writes {
        return Err(unsupported(vm, "truncate"));
    }
    let place = tell(vm, &args[0])?;
    flush_and_rewind(vm, &args[0])?;
    let size = match args.given_some(1) {
        Some(size) => size.clone(),
        None => vm.new_int(place),
    };
    vm.call_method(&raw, "truncate", &[size])
}

/// A buffered stream for reading and one for writing.
pub(crate) struct Pair {
    reader: Option<Value>,
    writer: Option<Value>,
}

impl Payload for Pair {
    const LAYOUT: Layout = Layout::BufferedPair;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        for stream in [&self.reader, &self.writer].into_iter().flatten() {
            visit(stream.word());
        }
    }
}

pub(crate) static PAIR: TypeSpec = TypeSpec {
    name: "_io.BufferedRWPair",
    doc: "A stream to read from and another to write to, such as the ends of two pipes, as one.",
    base: Some(&BUFFERED_IO_BASE),
    layout: Layout::BufferedPair,
    flags: STREAM,
    new: constructor("BufferedRWPair(*args, **kwargs)", |vm, args| {
        let class = args[0].downcast::<Type>().expect("the class").clone();
        Ok(vm.alloc_for(&class, Pair { reader: None, writer: None }).into_value())
    }),
    slots: Slots { init: Some(|vm, this, args| initialize(vm, this, args, &PAIR_INIT)), ..Slots::NONE },
    methods: &[
        native("read(self, /, *args)", |vm, args| forward(vm, args, true, "read")),
        native("read1(self, /, *args)", |vm, args| forward(vm, args, true, "read1")),
        native("peek(self, /, *args)", |vm, args| forward(vm, args, true, "peek")),
        native("readinto(self, /, *args)", |vm, args| forward(vm, args, true, "readinto")),
        native("readinto1(self, /, *args)", |vm, args| forward(vm, args, true, "readinto1")),
        native("readline(self, /, *args)", |vm, args| forward(vm, args, true, "readline")).shown("(self, size=-1, /)"),
        native("readable(self, /, *args)", |vm, args| forward(vm, args, true, "readable")),
        native("write(self, /, *args)", |vm, args| forward(vm, args, false, "write")),
        native("flush(self, /, *args)", |vm, args| forward(vm, args, false, "flush")),
        native("writable(self, /, *args)", |vm, args| forward(vm, args, false, "writable")),
        native("isatty(self, /)", |vm, args| {
            for reads in [false, true] {
                let stream = side(vm, &args[0], reads)?;
                let answer = vm.call_method(&stream, "isatty", &[])?;
                if vm.is_true(&answer)? {
                    return Ok(Value::TRUE);
                }
            }
            Ok(Value::FALSE)
        }),
        native("close(self, /)", |vm, args| {
            let writer = side(vm, &args[0], false)?;
            let first = if vm.call_method(&writer, "close", &[]).is_err() { Some(vm.take_raised()) } else { None };
            let reader = side(vm, &args[0], true)?;
            let second = vm.call_method(&reader, "close", &[]);
            match first {
                Some(first) => Err(vm.reraise(first)),
                None => second,
            }
        }),
    ],
    getset: &[getter("closed", |vm, value| {
        let writer = side(vm, value, false)?;
        vm.get_attr_str(&writer, "closed")
    })],
    ..TypeSpec::DEFAULT
};

static PAIR_INIT: Native = native("BufferedRWPair(reader, writer, buffer_size=8192, /)", |vm, args| {
    let size = args.given(3).cloned().unwrap_or(Value::small(DEFAULT_BUFFER_SIZE as i64));
    let (reader_class, writer_class) = (vm.native_type(&READER).into_value(), vm.native_type(&WRITER).into_value());
    let reader = vm.call(&reader_class, &[args[1].clone(), size.clone()])?;
    let writer = vm.call(&writer_class, &[args[2].clone(), size])?;
    let pair = args[0].downcast::<Pair>().expect("the receiver is a pair").get_mut(vm);
    pair.reader = Some(reader);
    pair.writer = Some(writer);
    Ok(Value::NONE)
});

fn side(vm: &mut Vm, value: &Value, reads: bool) -> Result<Value> {
    let pair = value.downcast::<Pair>().expect("the receiver is a pair").get(vm);
    match if reads { pair.reader.clone() } else { pair.writer.clone() } {
        Some(stream) => Ok(stream),
        None => Err(vm.value_error("I/O operation on uninitialized object")),
    }
}

fn forward(vm: &mut Vm, args: Args<'_>, reads: bool, method: &str) -> Result<Value> {
    let stream = side(vm, &args[0], reads)?;
    let arguments = vm.tuple_items(&args[1]);
    vm.call_method(&stream, method, &arguments)
}

/// Whether a value is an exact buffered stream of this module, whose functions may be called directly.
pub(crate) fn is_plain(vm: &mut Vm, value: &Value) -> bool {
    if !value.holds::<Buffered>() {
        return false;
    }
    let class = vm.type_of(value);
    [&READER, &WRITER, &RANDOM].into_iter().any(|spec| vm.native_type(spec).is(&class))
}

/// Whether writing to the stream met an error the last time.
pub(super) fn has_failed(vm: &Vm, stream: &Value) -> bool {
    stream.downcast::<Buffered>().is_some_and(|stream| stream.get(vm).failed)
}
