//! `select`: waiting for several descriptors at once: `select`, `poll` and `epoll`. All of them wait through the one mechanism in `vm/outside.rs`.

use std::time::Instant;

use crate::gil::Activity;
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, NativeModule, getter, native};
use crate::object::type_object::{HAS_DEL, NO_NEW, TypeSpec, constructor};
use crate::object::value::{Ref, Value};
use crate::os::poll::{self, Polled, epoll};
use crate::os::{errno, file};
use crate::stdlib::os_error;
use crate::thread::timeout;
use crate::vm::{ExceptionKind, Result, Vm};

pub(crate) static MODULE: NativeModule = NativeModule {
    name: "select",
    doc: "Waiting until descriptors are ready.",
    functions: &[
        native("select(rlist, wlist, xlist, timeout=None, /)", select),
        native("poll()", |vm, _| {
            let class = vm.native_type(&POLL);
            Ok(vm.alloc_for(&class, Poll::default()).into_value())
        }),
    ],
    types: &[&EPOLL],
    init: Some(|vm, module| {
        for &(name, number) in poll::NAMED {
            vm.set_attr_str(module, name, &Value::small(i64::from(number)))?;
        }
        for &(name, number) in epoll::NAMED {
            vm.set_attr_str(module, name, &Value::small(number))?;
        }
        vm.set_attr_str(module, "PIPE_BUF", &Value::small(4096))?;
        let error = vm.state().exception(ExceptionKind::OSError).clone().into_value();
        vm.set_attr_str(module, "error", &error)
    }),
};

/// `select` takes descriptors below this number.
const SELECTABLE: i32 = 1024;

/// The descriptor of an int, or of an object that says its own.
fn descriptor(vm: &mut Vm, value: &Value) -> Result<i32> {
    let number = if vm.is_int(value) {
        vm.c_int(value)?
    } else {
        let Some(method) = vm.find_attr_str(value, "fileno")? else {
            return Err(vm.type_error("argument must be an int, or have a fileno() method."));
        };
        let number = vm.call(&method, &[])?;
        if !vm.is_int(&number) {
            return Err(vm.type_error("fileno() returned a non-integer"));
        }
        vm.c_int(&number)?
    };
    if number < 0 {
        return Err(vm.value_error(format!("file descriptor cannot be a negative integer ({number})")));
    }
    Ok(number)
}

/// Waits until one is ready; `deadline` is `None` for ever. Whether one is.
fn wait(vm: &mut Vm, polled: &mut [Polled], is_immediate: bool, deadline: Option<Instant>) -> Result<bool> {
    match poll::poll(polled, None, Some(std::time::Duration::ZERO)) {
        Ok(0) if is_immediate => {
            vm.poll()?;
            Ok(false)
        }
        Ok(0) => {
            let count = polled.len();
            vm.wait_on(Activity::Select(count), polled, deadline)
        }
        Ok(_) => Ok(true),
        Err(error) => Err(os_error::raise(vm, error, None)),
    }
}

fn select(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (is_immediate, deadline) = match args.given_some(3) {
        None => (false, None),
        Some(given) => {
            if !vm.is_int(given) && vm.float_value(given).is_none() {
                return Err(vm.type_error("timeout must be a float or None"));
            }
            let nanoseconds = timeout::nanoseconds(vm, given)?;
            if nanoseconds < 0 {
                return Err(vm.value_error("timeout must be non-negative"));
            }
            (nanoseconds == 0, timeout::deadline(nanoseconds))
        }
    };
    const WANTED: [i16; 3] = [poll::READ, poll::WRITE, poll::URGENT];
    const READY: [i16; 3] = [poll::READ | poll::HANG_UP | poll::ERROR, poll::WRITE | poll::ERROR, poll::URGENT];
    let mut objects: [Vec<(Value, i32)>; 3] = [const { Vec::new() }; 3];
    let mut polled: Vec<Polled> = Vec::new();
    for (index, objects) in objects.iter_mut().enumerate() {
        if vm.type_payload(&args[index]).slots.iter.is_none() {
            return Err(vm.type_error("arguments 1-3 must be sequences"));
        }
        for object in vm.collect(&args[index])? {
            let fd = descriptor(vm, &object)?;
            if fd >= SELECTABLE {
                return Err(vm.value_error("filedescriptor out of range in select()"));
            }
            match polled.iter_mut().find(|polled| polled.fd == fd) {
                Some(polled) => polled.events |= WANTED[index],
                None => polled.push(Polled::new(fd, WANTED[index])),
            }
            objects.push((object, fd));
        }
    }
    wait(vm, &mut polled, is_immediate, deadline)?;
    if polled.iter().any(|polled| polled.ready & poll::INVALID != 0) {
        return Err(os_error::raise(vm, std::io::Error::from_raw_os_error(errno::BAD_DESCRIPTOR), None));
    }
    let mut lists = Vec::with_capacity(3);
    for (objects, ready) in objects.into_iter().zip(READY) {
        let is_ready = |fd| polled.iter().any(|polled| polled.fd == fd && polled.ready & ready != 0);
        let chosen = objects.into_iter().filter(|&(_, fd)| is_ready(fd)).map(|(object, _)| object).collect();
        lists.push(vm.new_list(chosen));
    }
    Ok(vm.new_tuple(lists))
}

// ---- poll

/// `select.poll()`: descriptors with what each is waited for, in the order they were registered.
#[derive(Default)]
pub(crate) struct Poll {
    registered: Vec<(i32, i16)>,
    is_polling: bool,
}

impl Payload for Poll {
    const LAYOUT: Layout = Layout::Poll;
}

static POLL: TypeSpec = TypeSpec {
    name: "select.poll",
    doc: "Descriptors that are waited for together.",
    layout: Layout::Poll,
    flags: NO_NEW,
    methods: &[
        native("register(self, fd, eventmask=POLLIN|POLLPRI|POLLOUT, /)", |vm, args| {
            let fd = descriptor(vm, &args[1])?;
            let events = match args.given(2) {
                Some(events) => event_mask(vm, events)?,
                None => poll::READ | poll::URGENT | poll::WRITE,
            };
            let registered = &mut poll_of(args).get_mut(vm).registered;
            match registered.iter_mut().find(|(known, _)| *known == fd) {
                Some(entry) => entry.1 = events,
                None => registered.push((fd, events)),
            }
            Ok(Value::NONE)
        }),
        native("modify(self, fd, eventmask, /)", |vm, args| {
            let fd = descriptor(vm, &args[1])?;
            let events = event_mask(vm, &args[2])?;
            match poll_of(args).get_mut(vm).registered.iter_mut().find(|(known, _)| *known == fd) {
                Some(entry) => entry.1 = events,
                None => return Err(os_error::raise(vm, std::io::Error::from_raw_os_error(errno::NOT_FOUND), None)),
            }
            Ok(Value::NONE)
        }),
        native("unregister(self, fd, /)", |vm, args| {
            let fd = descriptor(vm, &args[1])?;
            let registered = &mut poll_of(args).get_mut(vm).registered;
            match registered.iter().position(|(known, _)| *known == fd) {
                Some(place) => drop(registered.remove(place)),
                None => return Err(vm.raise_new(ExceptionKind::KeyError, vec![Value::small(i64::from(fd))])),
            }
            Ok(Value::NONE)
        }),
        native("poll(self, timeout=None, /)", run_poll),
    ],
    ..TypeSpec::DEFAULT
};

fn poll_of<'a>(args: Args<'a>) -> &'a Ref<Poll> {
    args.all()[0].downcast::<Poll>().expect("a method of the type")
}

fn event_mask(vm: &mut Vm, value: &Value) -> Result<i16> {
    let events = vm.index(value)?;
    let Some(events) = events.as_ref().to_i64() else {
        return Err(vm.overflow_error("Python int too large to convert to C unsigned long"));
    };
    if events < 0 {
        return Err(vm.value_error("value must be positive"));
    }
    u16::try_from(events).map(|events| events as i16).map_err(|_| vm.overflow_error("Python int too large for C unsigned short"))
}

/// Milliseconds as `poll` takes them, in nanoseconds; `None` for ever.
fn milliseconds(vm: &mut Vm, value: Option<&Value>) -> Result<Option<i64>> {
    let Some(value) = value else { return Ok(None) };
    let milliseconds = match vm.float_value(value) {
        Some(float) => float.ceil(),
        None if vm.is_int(value) => vm.index_i64(value)? as f64,
        None => return Err(vm.type_error("timeout must be an integer or None")),
    };
    if milliseconds.is_nan() {
        return Err(vm.value_error("Invalid value NaN (not a number)"));
    }
    if milliseconds > f64::from(i32::MAX) {
        return Err(vm.overflow_error("timeout is too large"));
    }
    Ok((milliseconds >= 0.0).then_some((milliseconds * 1e6) as i64))
}

fn run_poll(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let timeout = milliseconds(vm, args.given_some(1))?;
    let this = poll_of(args).get_mut(vm);
    if this.is_polling {
        return Err(vm.runtime_error("concurrent poll() invocation"));
    }
    let mut polled: Vec<Polled> = this.registered.iter().map(|&(fd, events)| Polled::new(fd, events)).collect();
    this.is_polling = true;
    let done = wait(vm, &mut polled, timeout == Some(0), timeout.and_then(timeout::deadline));
    poll_of(args).get_mut(vm).is_polling = false;
    done?;
    let mut rows = Vec::new();
    for polled in polled {
        if polled.ready != 0 {
            rows.push(vm.new_tuple(vec![Value::small(i64::from(polled.fd)), Value::small(i64::from(polled.ready as u16))]));
        }
    }
    Ok(vm.new_list(rows))
}

// ---- epoll

/// `select.epoll`: descriptors that the system remembers. Its own descriptor is -1 when it is closed.
pub(crate) struct Epoll {
    fd: i32,
}

impl Payload for Epoll {
    const LAYOUT: Layout = Layout::Epoll;
}

static EPOLL: TypeSpec = TypeSpec {
    name: "select.epoll",
    doc: "epoll(sizehint=-1, flags=0)\n\nDescriptors that the system remembers and that are waited for together.",
    layout: Layout::Epoll,
    flags: HAS_DEL,
    new: constructor("epoll(sizehint=-1, flags=0)", |vm, args| {
        let size = args.given(1).map_or(Ok(-1), |size| vm.c_int(size))?;
        if size != -1 && size <= 0 {
            return Err(vm.value_error("negative sizehint"));
        }
        let flags = args.given(2).map_or(Ok(0), |flags| vm.c_int(flags))?;
        if flags != 0 && flags != CLOSE_ON_EXEC {
            return Err(vm.raise(ExceptionKind::OSError, "invalid flags"));
        }
        let fd = epoll::create().map_err(|error| os_error::raise(vm, error, None))?;
        make_epoll(vm, &args[0], fd)
    }),
    class_methods: &[native("fromfd(cls, fd, /)", |vm, args| {
        let fd = vm.c_int(&args[1])?;
        make_epoll(vm, &args[0], fd)
    })],
    methods: &[
        native("close(self, /)", |vm, args| {
            let fd = std::mem::replace(&mut epoll_of(args).get_mut(vm).fd, -1);
            if fd >= 0 {
                file::close(fd).map_err(|error| os_error::raise(vm, error, None))?;
            }
            Ok(Value::NONE)
        }),
        native("fileno(self, /)", |vm, args| open_epoll(vm, args).map(|fd| Value::small(i64::from(fd)))),
        native("register(self, fd, eventmask=EPOLLIN|EPOLLPRI|EPOLLOUT)", |vm, args| {
            let events = match args.given(2) {
                Some(events) => vm.masked_u32(events)?,
                None => (poll::READ | poll::URGENT | poll::WRITE) as u32,
            };
            change(vm, args, epoll::Change::Add, events)
        }),
        native("modify(self, fd, eventmask)", |vm, args| {
            let events = vm.masked_u32(&args[2])?;
            change(vm, args, epoll::Change::Modify, events)
        }),
        native("unregister(self, fd)", |vm, args| change(vm, args, epoll::Change::Remove, 0)),
        native("poll(self, timeout=None, maxevents=-1)", run_epoll),
        native("__enter__(self, /)", |vm, args| {
            open_epoll(vm, args)?;
            Ok(args[0].clone())
        }),
        native("__exit__(self, exc_type=None, exc_value=None, exc_tb=None, /)", |vm, args| vm.call_method(&args[0], "close", &[])),
        native("__del__(self, /)", |vm, args| {
            let fd = std::mem::replace(&mut epoll_of(args).get_mut(vm).fd, -1);
            if fd >= 0 {
                let _ = file::close(fd);
            }
            Ok(Value::NONE)
        }),
    ],
    getset: &[getter("closed", |vm, this| {
        let fd = this.downcast::<Epoll>().expect("an attribute of the type").get(vm).fd;
        Ok(Value::from_bool(fd < 0))
    })],
    ..TypeSpec::DEFAULT
};

/// `EPOLL_CLOEXEC`, the one flag there is, and always set.
const CLOSE_ON_EXEC: i32 = 0x8_0000;

fn make_epoll(vm: &mut Vm, class: &Value, fd: i32) -> Result<Value> {
    let class = class.downcast::<crate::object::type_object::Type>().expect("the class").clone();
    Ok(vm.alloc_for(&class, Epoll { fd }).into_value())
}

fn epoll_of<'a>(args: Args<'a>) -> &'a Ref<Epoll> {
    args.all()[0].downcast::<Epoll>().expect("a method of the type")
}

fn open_epoll(vm: &mut Vm, args: Args<'_>) -> Result<i32> {
    match epoll_of(args).get(vm).fd {
        fd if fd >= 0 => Ok(fd),
        _ => Err(vm.value_error("I/O operation on closed epoll object")),
    }
}

fn change(vm: &mut Vm, args: Args<'_>, change: epoll::Change, events: u32) -> Result<Value> {
    let own = open_epoll(vm, args)?;
    let fd = descriptor(vm, &args[1])?;
    match epoll::change(own, change, fd, events) {
        Ok(()) => Ok(Value::NONE),
        Err(error) => Err(os_error::raise(vm, error, None)),
    }
}

fn run_epoll(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let own = open_epoll(vm, args)?;
    let timeout = match args.given_some(1) {
        None => None,
        Some(given) => {
            if !vm.is_int(given) && vm.float_value(given).is_none() {
                return Err(vm.type_error("timeout must be an integer or None"));
            }
            Some(timeout::nanoseconds(vm, given)?).filter(|&nanoseconds| nanoseconds >= 0)
        }
    };
    let max = args.given(2).map_or(Ok(-1), |max| vm.c_int(max))?;
    let max = match max {
        -1 => 1023,
        1.. => usize::try_from(max).unwrap_or(usize::MAX),
        _ => return Err(vm.value_error(format!("maxevents must be greater than 0, got {max}"))),
    };
    let deadline = timeout.and_then(timeout::deadline);
    loop {
        let found = match epoll::ready(own, max) {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Vec::new(),
            Err(error) => return Err(os_error::raise(vm, error, None)),
        };
        if found.is_empty() && timeout != Some(0) {
            // An epoll's own descriptor is readable when one of those it remembers is ready.
            if vm.wait_on(Activity::Select(1), &mut [Polled::new(own, poll::READ)], deadline)? {
                continue;
            }
        } else if found.is_empty() {
            vm.poll()?;
        }
        let mut rows = Vec::with_capacity(found.len());
        for (fd, events) in found {
            rows.push(vm.new_tuple(vec![Value::small(i64::from(fd)), Value::small(i64::from(events))]));
        }
        return Ok(vm.new_list(rows));
    }
}
