//! `FileIO`: a descriptor as a stream of bytes, without a buffer.

use super::base::{self, RAW_IO_BASE, STREAM, initialize, size_argument};
use super::{DEFAULT_BUFFER_SIZE, unsupported};
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, Native, getter, native};
use crate::object::type_object::{Slots, Type, TypeSpec, constructor};
use crate::object::types::buffer::{buffer, writable_length, write_into};
use crate::object::types::numeric::int_of;
use crate::object::value::{Ref, Value};
use crate::os::file as os;
use crate::stdlib::os_error;
use crate::vm::{ExceptionKind, Raised, Result, Vm};

/// A descriptor; -1 when closed.
pub(crate) struct File {
    pub(crate) fd: i32,
    created: bool,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    appending: bool,
    seekable: Option<bool>,
    close_fd: bool,
    block_size: i64,
}

impl Payload for File {
    const LAYOUT: Layout = Layout::File;
}

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "_io.FileIO",
    doc: "Open a file.\n\nThe mode can be 'r' (default), 'w', 'x' or 'a' for reading, writing, exclusive creation or appending; a '+' in it allows both reading and writing.",
    base: Some(&RAW_IO_BASE),
    layout: Layout::File,
    flags: STREAM,
    new: constructor("FileIO(*args, **kwargs)", |vm, args| {
        let class = args[0].downcast::<Type>().expect("the class").clone();
        Ok(vm.alloc_for(&class, CLOSED).into_value())
    }),
    slots: Slots { repr: Some(repr), init: Some(|vm, this, args| initialize(vm, this, args, &INIT)), ..Slots::NONE },
    methods: &[
        native("read(self, size=-1, /)", |vm, args| {
            let size = size_argument(vm, args.given(1))?;
            let this = readable(vm, &args[0])?;
            let bytes = match size {
                None => read_all(vm, this.fd)?,
                Some(size) => read(vm, this.fd, size)?,
            };
            Ok(bytes.map_or(Value::NONE, |bytes| vm.new_bytes(bytes)))
        }),
        native("readall(self, /)", |vm, args| {
            let this = readable(vm, &args[0])?;
            let bytes = read_all(vm, this.fd)?;
            Ok(bytes.map_or(Value::NONE, |bytes| vm.new_bytes(bytes)))
        }),
        native("readinto(self, buffer, /)", |vm, args| {
            let this = readable(vm, &args[0])?;
            let size = writable_length(vm, &args[1], "readinto() argument")?;
            match read(vm, this.fd, size)? {
                Some(bytes) => Ok(Value::small(write_into(vm, &args[1], 0, &bytes)? as i64)),
                None => Ok(Value::NONE),
            }
        }),
        native("write(self, b, /)", |vm, args| {
            let this = open(vm, &args[0])?;
            if !this.writable {
                return Err(unsupported(vm, "File not open for writing"));
            }
            let bytes = buffer(vm, &args[1])?;
            Ok(write(vm, this.fd, &bytes)?.map_or(Value::NONE, |count| Value::small(count as i64)))
        }),
        native("seek(self, pos, whence=0, /)", |vm, args| {
            let this = open(vm, &args[0])?;
            let whence = match args.given(2) {
                Some(whence) => vm.c_int(whence)?,
                None => 0,
            };
            let place = vm.index_i64(&args[1])?;
            let place = seek(vm, this.fd, place, whence)?;
            Ok(vm.new_int(place))
        }),
        native("tell(self, /)", |vm, args| {
            let this = open(vm, &args[0])?;
            let place = seek(vm, this.fd, 0, 1)?;
            Ok(vm.new_int(place))
        }),
        native("truncate(self, size=None, /)", truncate),
        native("close(self, /)", |vm, args| close(vm, &args[0])),
        native("seekable(self, /)", |vm, args| {
            let this = open(vm, &args[0])?;
            if let Some(seekable) = this.seekable {
                return Ok(Value::from_bool(seekable));
            }
            let seekable = os::seek(this.fd, 0, 1).is_ok();
            file(&args[0]).get_mut(vm).seekable = Some(seekable);
            Ok(Value::from_bool(seekable))
        }),
        native("readable(self, /)", |vm, args| Ok(Value::from_bool(open(vm, &args[0])?.readable))),
        native("writable(self, /)", |vm, args| Ok(Value::from_bool(open(vm, &args[0])?.writable))),
        native("fileno(self, /)", |vm, args| Ok(Value::small(i64::from(open(vm, &args[0])?.fd)))),
        native("isatty(self, /)", |vm, args| Ok(Value::from_bool(os::is_terminal(open(vm, &args[0])?.fd)))),
        native("__del__(self, /)", |vm, args| {
            let this = file(&args[0]).get(vm);
            if this.fd >= 0 && this.close_fd {
                super::base::warn_unclosed(vm, &args[0], &args[0]);
                super::base::close_at_end(vm, &args[0]);
            }
            Ok(Value::NONE)
        }),
        native("_dealloc_warn(self, source, /)", |vm, args| {
            let this = file(&args[0]).get(vm);
            if this.fd >= 0 && this.close_fd {
                let shown = vm.repr_text(&args[1])?;
                vm.warn_of_resource(&format!("unclosed file {shown}"), &args[1])?;
            }
            Ok(Value::NONE)
        }),
    ],
    getset: &[
        getter("_finalizing", |_, _| Ok(Value::FALSE)),
        getter("closed", |vm, value| Ok(Value::from_bool(file(value).get(vm).fd < 0))),
        getter("closefd", |vm, value| Ok(Value::from_bool(file(value).get(vm).close_fd))),
        getter("mode", |vm, value| {
            let mode = mode_of(file(value).get(vm));
            Ok(vm.new_str(mode))
        }),
        getter("_blksize", |vm, value| Ok(Value::small(file(value).get(vm).block_size))),
    ],
    ..TypeSpec::DEFAULT
};

const CLOSED: File = File {
    fd: -1,
    created: false,
    readable: false,
    writable: false,
    appending: false,
    seekable: None,
    close_fd: true,
    block_size: DEFAULT_BUFFER_SIZE as i64,
};

static INIT: Native = native("FileIO(file, mode='r', closefd=True, opener=None)", init);

fn file(value: &Value) -> &Ref<File> {
    value.downcast::<File>().expect("the receiver is a FileIO")
}

/// What the methods need of an open file.
struct Open {
    fd: i32,
    readable: bool,
    writable: bool,
    seekable: Option<bool>,
}

fn open(vm: &mut Vm, value: &Value) -> Result<Open> {
    let this = file(value).get(vm);
    if this.fd < 0 {
        return Err(vm.value_error("I/O operation on closed file"));
    }
    Ok(Open { fd: this.fd, readable: this.readable, writable: this.writable, seekable: this.seekable })
}

fn readable(vm: &mut Vm, value: &Value) -> Result<Open> {
    let this = open(vm, value)?;
    if this.readable { Ok(this) } else { Err(unsupported(vm, "File not open for reading")) }
}

fn mode_of(file: &File) -> &'static str {
    match (file.created, file.appending, file.readable, file.writable) {
        (true, _, true, _) => "xb+",
        (true, ..) => "xb",
        (_, true, true, _) => "ab+",
        (_, true, ..) => "ab",
        (_, _, true, true) => "rb+",
        (_, _, true, _) => "rb",
        _ => "wb",
    }
}

fn repr(vm: &mut Vm, value: &Value) -> Result<Value> {
    let this = file(value).get(vm);
    let kind = vm.type_name(value);
    if this.fd < 0 {
        return Ok(vm.new_str(format!("<{kind} [closed]>")));
    }
    let (fd, mode, close_fd) = (this.fd, mode_of(this), if this.close_fd { "True" } else { "False" });
    let name = match vm.find_attr_str(value, "name")? {
        Some(name) => {
            if !vm.enter_repr(value)? {
                return Err(vm.runtime_error(format!("reentrant call inside {kind}.__repr__")));
            }
            let shown = vm.repr_text(&name);
            vm.leave_repr(value);
            format!("name={}", shown?)
        }
        None => format!("fd={fd}"),
    };
    Ok(vm.new_str(format!("<{kind} {name} mode='{mode}' closefd={close_fd}>")))
}

/// The flags of a mode, and what it says.
fn parse_mode(vm: &mut Vm, mode: &str) -> Result<(i32, File)> {
    let mut made = CLOSED;
    let (mut main, mut plus, mut flags) = (0, 0, 0);
    for char in mode.chars() {
        match char {
            'x' => {
                main += 1;
                made.created = true;
                made.writable = true;
                flags |= libc_flags::CREATE | libc_flags::EXCLUSIVE;
            }
            'r' => {
                main += 1;
                made.readable = true;
            }
            'w' => {
                main += 1;
                made.writable = true;
                flags |= libc_flags::CREATE | libc_flags::TRUNCATE;
            }
            'a' => {
                main += 1;
                made.writable = true;
                made.appending = true;
                flags |= libc_flags::CREATE | libc_flags::APPEND;
            }
            'b' => {}
            '+' => {
                plus += 1;
                made.readable = true;
                made.writable = true;
            }
            _ => return Err(vm.value_error(format!("invalid mode: {mode}"))),
        }
    }
    if main != 1 || plus > 1 {
        return Err(vm.value_error("Must have exactly one of create/read/write/append mode and at most one plus"));
    }
    flags |= match (made.readable, made.writable) {
        (true, true) => libc_flags::READ_WRITE,
        (false, true) => libc_flags::WRITE_ONLY,
        _ => 0,
    };
    Ok((flags, made))
}

use crate::os::file::flags as libc_flags;

fn init(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let this = &args[0];
    if file(this).get(vm).fd >= 0 {
        close(vm, this)?;
    }
    let mode = match args.given(2) {
        Some(mode) => vm.expect_string(mode, "FileIO() argument 'mode'")?,
        None => "r".to_owned(),
    };
    let close_fd = match args.given(3) {
        Some(close) => vm.is_true(close)?,
        None => true,
    };
    let target = &args[1];
    if target.as_bool().is_some() {
        vm.warn(ExceptionKind::RuntimeWarning, "bool is used as a file descriptor")?;
    }
    let given_fd = match int_of(vm, target) {
        Some(number) => match number.as_ref().to_i64().and_then(|number| i32::try_from(number).ok()) {
            Some(fd) if fd >= 0 => Some(fd),
            Some(_) => return Err(vm.value_error("negative file descriptor")),
            None => return Err(vm.type_error("expected str, bytes or os.PathLike object, not int")),
        },
        None => None,
    };
    let (flags, mut made) = parse_mode(vm, &mode)?;
    made.close_fd = close_fd;
    made.fd = match given_fd {
        Some(fd) => fd,
        None => {
            if !close_fd {
                return Err(vm.value_error("Cannot use closefd=False with file name"));
            }
            match args.given_some(4) {
                Some(opener) => {
                    let fd = vm.call(opener, &[target.clone(), Value::small(i64::from(flags | libc_flags::CLOSE_ON_EXEC))])?;
                    let Some(fd) = int_of(vm, &fd) else { return Err(vm.type_error("expected integer from opener")) };
                    match fd.as_ref().to_i64().and_then(|fd| i32::try_from(fd).ok()) {
                        Some(fd) if fd >= 0 => fd,
                        _ => {
                            let shown = fd.as_ref().to_i64_saturating();
                            return Err(vm.value_error(format!("opener returned {shown}")));
                        }
                    }
                }
                None => {
                    let (path, _) = os_error::path_argument(vm, target, "expected str, bytes or os.PathLike object")
                        .map_err(|raised| name_error(vm, raised, target))?;
                    let outcome = os_error::brief(vm, || os::open(&path, flags, 0o666))?;
                    outcome.map_err(|error| os_error::raise(vm, error, Some(target)))?
                }
            }
        }
    };
    let name = target.clone();
    match os::status_of(made.fd) {
        Ok(status) => {
            if status.is_dir() {
                if given_fd.is_none() {
                    let _ = os::close(made.fd);
                }
                return Err(os_error::raise(vm, std::io::Error::from_raw_os_error(libc_flags::IS_A_DIRECTORY), Some(&name)));
            }
            if status.block_size > 1 {
                made.block_size = status.block_size;
            }
        }
        Err(error) => {
            if given_fd.is_some() {
                return Err(os_error::raise(vm, error, None));
            }
        }
    }
    if made.appending && os::seek(made.fd, 0, 2).is_err() {
        made.seekable = Some(false);
    }
    *file(this).get_mut(vm) = made;
    vm.set_attr_str(this, "name", &name)?;
    Ok(Value::NONE)
}

/// The words of `open` for what is no path.
fn name_error(vm: &mut Vm, raised: Raised, target: &Value) -> Raised {
    if !vm.raised_is(ExceptionKind::TypeError) || vm.find_special(target, "__fspath__").is_ok_and(|method| method.is_some()) {
        return raised;
    }
    vm.take_raised();
    let name = vm.type_name(target);
    vm.type_error(format!("expected str, bytes or os.PathLike object, not {name}"))
}

fn close(vm: &mut Vm, value: &Value) -> Result<Value> {
    let this = file(value).get_mut(vm);
    let (fd, close_fd) = (this.fd, this.close_fd);
    this.fd = -1;
    // `_IOBase.close` calls `flush` of a subclass, and marks the stream as closed.
    let marked = vm.set_attr_str(value, "__IOBase_closed", &Value::TRUE);
    if fd >= 0 && close_fd {
        let outcome = os_error::brief(vm, || os::close(fd))?;
        if let Err(error) = outcome {
            return Err(os_error::raise(vm, error, None));
        }
    }
    marked?;
    Ok(Value::NONE)
}

fn would_block(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::WouldBlock
}

/// The most that is read at once.
const LARGEST_READ: usize = 1 << 30;
/// The most that is read at once from what tells no size: a signal or a stop is looked at after each.
const LARGEST_PIECE: usize = 1 << 22;

/// Reads at most `size` bytes; `None` when a non-blocking descriptor has none.
pub(crate) fn read(vm: &mut Vm, fd: i32, size: usize) -> Result<Option<Vec<u8>>> {
    vm.charge(size)?;
    let mut bytes = vm.zeroed(size.min(LARGEST_READ))?;
    match vm.read_outside(fd, &mut bytes)? {
        Ok(count) => {
            bytes.truncate(count);
            Ok(Some(bytes))
        }
        Err(error) if would_block(&error) => Ok(None),
        Err(error) => Err(os_error::raise(vm, error, None)),
    }
}

/// Reads to the end.
pub(crate) fn read_all(vm: &mut Vm, fd: i32) -> Result<Option<Vec<u8>>> {
    let rest = match (os::status_of(fd), os::seek(fd, 0, 1)) {
        (Ok(status), Ok(place)) => usize::try_from(status.size - place).unwrap_or(0),
        _ => 0,
    };
    let mut all: Vec<u8> = Vec::new();
    loop {
        let size = if all.is_empty() { (rest + 1).max(DEFAULT_BUFFER_SIZE) } else { all.len().clamp(DEFAULT_BUFFER_SIZE, LARGEST_PIECE) };
        match read(vm, fd, size)? {
            None if all.is_empty() => return Ok(None),
            None => return Ok(Some(all)),
            Some(piece) if piece.is_empty() => return Ok(Some(all)),
            Some(piece) if all.is_empty() => all = piece,
            Some(piece) => vm.append(&mut all, &piece)?,
        }
    }
}

/// Writes; how much of it. `None` when a non-blocking descriptor takes nothing.
pub(crate) fn write(vm: &mut Vm, fd: i32, bytes: &[u8]) -> Result<Option<usize>> {
    vm.charge_output(fd, bytes.len())?;
    match vm.write_outside(fd, bytes)? {
        Ok(count) => Ok(Some(count)),
        Err(error) if would_block(&error) => Ok(None),
        Err(error) => Err(os_error::raise(vm, error, None)),
    }
}

/// Moves.
pub(crate) fn seek(vm: &mut Vm, fd: i32, place: i64, whence: i32) -> Result<i64> {
    os::seek(fd, place, whence).map_err(|error| os_error::raise(vm, error, None))
}

fn truncate(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let this = open(vm, &args[0])?;
    if !this.writable {
        return Err(unsupported(vm, "File not open for writing"));
    }
    let size = match args.given_some(1) {
        Some(size) => vm.index_i64(size)?,
        None => seek(vm, this.fd, 0, 1)?,
    };
    let outcome = os_error::blocking(vm, || os::truncate(this.fd, size))?;
    match outcome {
        Ok(()) => Ok(vm.new_int(size)),
        Err(error) => Err(os_error::raise(vm, error, None)),
    }
}

/// The descriptor of an exact `FileIO`, so that buffers need not call its methods.
pub(crate) fn plain(vm: &mut Vm, value: &Value) -> Option<i32> {
    let class = vm.native_type(&TYPE);
    let file = value.downcast::<File>()?;
    (vm.type_of(value).is(&class)).then(|| file.get(vm).fd).filter(|&fd| fd >= 0)
}

/// Whether a stream is closed, by its own attribute.
pub(crate) fn is_closed(vm: &mut Vm, value: &Value) -> Result<bool> {
    match value.downcast::<File>() {
        Some(file) => Ok(file.get(vm).fd < 0),
        None => base::is_closed(vm, value),
    }
}
