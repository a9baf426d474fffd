//! `_socket`: the system's sockets. `socket.scr` is what scripts use.
//!
//! Every operation tries without waiting while the GIL is held. One that would wait gives it away and polls, unless the socket's timeout is zero.

mod address;
mod lookup;

use std::io;
use std::time::Instant;

use self::address::{plain_error, show};
use super::os_error;
use crate::gil::Activity;
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, Native, NativeModule, getter, native};
use crate::object::type_object::{BASE_TYPE, CallArgs, HAS_DEL, Slots, Type, TypeSpec};
use crate::object::types::buffer::{buffer, writable_length, write_into};
use crate::object::types::bytes::Bytes;
use crate::object::value::{Ref, Value};
use crate::os::poll::Polled;
use crate::os::socket::{self as os, Address};
use crate::os::{file, poll::READ, poll::WRITE};
use crate::thread::timeout;
use crate::vm::{ExceptionKind, Raised, Result, Vm};

pub(crate) static MODULE: NativeModule = NativeModule {
    name: "_socket",
    doc: "The operating system's sockets.",
    functions: &[
        native("socketpair(family=AF_UNIX, type=SOCK_STREAM, proto=0, /)", socket_pair),
        native("close(integer, /)", |vm, args| {
            let fd = socket_number(vm, &args[0])?;
            file::close(fd).map(|()| Value::NONE).map_err(|error| os_error::raise(vm, error, None))
        }),
        native("dup(integer, /)", |vm, args| {
            let fd = socket_number(vm, &args[0])?;
            let made = file::duplicate(fd).map_err(|error| os_error::raise(vm, error, None))?;
            Ok(Value::small(i64::from(made)))
        }),
        native("getdefaulttimeout()", |vm, _| {
            let timeout = default_timeout(vm);
            Ok(timeout_value(vm, timeout))
        }),
        native("setdefaulttimeout(timeout, /)", |vm, args| {
            let timeout = parse_timeout(vm, &args[0])?;
            let kept = timeout.map_or(Value::NONE, |timeout| vm.new_int(timeout));
            vm.state_mut().module_state.insert(DEFAULT_TIMEOUT, kept);
            Ok(Value::NONE)
        }),
        native("gethostname()", |vm, _| match os::host_name() {
            Ok(name) => Ok(vm.new_str(name)),
            Err(error) => Err(os_error::raise(vm, error, None)),
        }),
        native("getaddrinfo(host, port, family=0, type=0, proto=0, flags=0)", lookup::get_address_info),
        native("getnameinfo(sockaddr, flags, /)", lookup::get_name_info),
        native("gethostbyname(hostname, /)", lookup::get_host_by_name),
        native("gethostbyname_ex(hostname, /)", lookup::get_host_by_name_too),
        native("gethostbyaddr(host, /)", lookup::get_host_by_address),
        native("getservbyname(servicename, protocolname=None, /)", lookup::get_service_by_name),
        native("getservbyport(port, protocolname=None, /)", lookup::get_service_by_port),
        native("getprotobyname(name, /)", lookup::get_protocol),
        native("inet_aton(ip_addr, /)", lookup::inet_aton),
        native("inet_ntoa(packed_ip, /)", lookup::inet_ntoa),
        native("inet_pton(af, ip, /)", lookup::inet_pton),
        native("inet_ntop(af, packed_ip, /)", lookup::inet_ntop),
        native("if_nameindex()", lookup::interfaces),
        native("if_nametoindex(name, /)", lookup::interface_number),
        native("if_indextoname(index, /)", lookup::interface_name),
        native("htons(x, /)", |vm, args| swap_short(vm, args, "htons")),
        native("ntohs(x, /)", |vm, args| swap_short(vm, args, "ntohs")),
        native("htonl(x, /)", swap_long),
        native("ntohl(x, /)", swap_long),
        native("CMSG_LEN(length, /)", |vm, args| control_length(vm, args, "CMSG_LEN", false)),
        native("CMSG_SPACE(length, /)", |vm, args| control_length(vm, args, "CMSG_SPACE", true)),
    ],
    types: &[&TYPE],
    init: Some(|vm, module| {
        let class = vm.native_type(&TYPE).into_value();
        vm.set_attr_str(module, "SocketType", &class)?;
        for &(name, number) in os::NAMED.iter().chain(os::NAMED_TOO) {
            let number = vm.new_int(number);
            vm.set_attr_str(module, name, &number)?;
        }
        vm.set_attr_str(module, "has_ipv6", &Value::TRUE)?;
        for (name, key) in [("gaierror", lookup::LOOKUP_ERROR), ("herror", lookup::HOST_ERROR)] {
            let class = lookup::error_class(vm, key)?;
            vm.set_attr_str(module, name, &class)?;
        }
        for (name, kind) in [("error", ExceptionKind::OSError), ("timeout", ExceptionKind::TimeoutError)] {
            let class = vm.state().exception(kind).clone().into_value();
            vm.set_attr_str(module, name, &class)?;
        }
        Ok(())
    }),
};

/// Where the timeout of new sockets is kept, in nanoseconds.
const DEFAULT_TIMEOUT: &str = "socket default timeout";

/// A socket. Its descriptor is -1 when it is closed.
pub(crate) struct Socket {
    fd: i32,
    family: i32,
    kind: i32,
    protocol: i32,
    /// How long an operation may wait, in nanoseconds; `None` for ever. The descriptor is one that blocks exactly when it is `None`.
    timeout: Option<i64>,
    /// Operations that have begun to wait.
    n_waiting: usize,
    /// Descriptors that were closed while operations waited: as with a system call that waits, what they stand for lives until the last of those is over.
    closed: Vec<i32>,
}

impl Socket {
    fn new(fd: i32, family: i32, kind: i32, protocol: i32, timeout: Option<i64>) -> Self {
        Self { fd, family, kind: kind & !os::KIND_FLAGS, protocol, timeout, n_waiting: 0, closed: Vec::new() }
    }

    /// Closes the descriptor; at once, unless an operation waits.
    fn close(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.fd, -1) {
            ..0 => Ok(()),
            fd if self.n_waiting == 0 => file::close(fd),
            fd => {
                self.closed.push(fd);
                Ok(())
            }
        }
    }

    /// An operation that has waited is over.
    fn end_wait(&mut self) {
        self.n_waiting -= 1;
        if self.n_waiting == 0 {
            for fd in self.closed.drain(..) {
                let _ = file::close(fd);
            }
        }
    }
}

impl Payload for Socket {
    const LAYOUT: Layout = Layout::Socket;
}

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "_socket.socket",
    doc: "socket(family=AF_INET, type=SOCK_STREAM, proto=0, fileno=None)\n\nOne end of a connection, or a place where connections or messages arrive.",
    layout: Layout::Socket,
    flags: BASE_TYPE | HAS_DEL,
    slots: Slots { new: Some(new), init: Some(|vm, this, args| super::io::base::initialize(vm, this, args, &INIT)), repr: Some(repr), ..Slots::NONE },
    methods: &[
        native("_accept(self, /)", accept),
        native("bind(self, address, /)", |vm, args| {
            let socket = socket(args);
            let address = parse_address(vm, socket, &args[1], "bind")?;
            let fd = socket.get(vm).fd;
            done(vm, os::bind(fd, &address))
        }),
        native("connect(self, address, /)", |vm, args| match connect(vm, socket(args), &args[1], "connect")? {
            Ok(()) => Ok(Value::NONE),
            Err(error) => Err(os_error::raise(vm, error, None)),
        }),
        native("connect_ex(self, address, /)", |vm, args| {
            let code = match connect(vm, socket(args), &args[1], "connect_ex") {
                Ok(Ok(())) => 0,
                Ok(Err(error)) => error.raw_os_error().unwrap_or(0),
                // The time was over: the attempt goes on.
                Err(_) if vm.clear_if(ExceptionKind::TimeoutError) => crate::os::errno::TRY_AGAIN,
                Err(raised) => return Err(raised),
            };
            Ok(Value::small(i64::from(code)))
        }),
        native("listen(self, backlog=128, /)", |vm, args| {
            let backlog = args.given(1).map_or(Ok(128), |backlog| vm.parsed_int(backlog))?.max(0);
            let fd = socket(args).get(vm).fd;
            done(vm, os::listen(fd, backlog))
        }),
        native("close(self, /)", |vm, args| close(vm, socket(args))),
        native("detach(self, /)", |vm, args| {
            let fd = std::mem::replace(&mut socket(args).get_mut(vm).fd, -1);
            Ok(Value::small(i64::from(fd)))
        }),
        native("fileno(self, /)", |vm, args| Ok(Value::small(i64::from(socket(args).get(vm).fd)))),
        native("getsockname(self, /)", |vm, args| {
            let name = os::name(socket(args).get(vm).fd);
            shown_address(vm, name)
        }),
        native("getpeername(self, /)", |vm, args| {
            let peer = os::peer(socket(args).get(vm).fd);
            shown_address(vm, peer)
        }),
        native("getsockopt(self, level, option, buflen=0, /)", get_option),
        native("setsockopt(self, level, option, value=None, optlen=None, /)", set_option),
        native("getblocking(self, /)", |vm, args| Ok(Value::from_bool(socket(args).get(vm).timeout != Some(0)))),
        native("setblocking(self, flag, /)", |vm, args| {
            let timeout = if vm.is_true(&args[1])? { None } else { Some(0) };
            set_timeout(vm, socket(args), timeout)
        }),
        native("gettimeout(self, /)", |vm, args| {
            let timeout = socket(args).get(vm).timeout;
            Ok(timeout_value(vm, timeout))
        }),
        native("settimeout(self, timeout, /)", |vm, args| {
            let timeout = parse_timeout(vm, &args[1])?;
            set_timeout(vm, socket(args), timeout)
        }),
        native("recv(self, buffersize, flags=0, /)", |vm, args| {
            let size = size_argument(vm, &args[1], "recv")?;
            let flags = flags_argument(vm, args, 2)?;
            let bytes = receive(vm, socket(args), size, flags)?;
            Ok(vm.new_bytes(bytes))
        }),
        native("recv_into(self, buffer, nbytes=0, flags=0)", |vm, args| {
            let size = into_size(vm, args, "recv_into")?;
            let flags = flags_argument(vm, args, 3)?;
            let bytes = receive(vm, socket(args), size, flags)?;
            Ok(Value::small(write_into(vm, &args[1], 0, &bytes)? as i64))
        }),
        native("recvfrom(self, buffersize, flags=0, /)", |vm, args| {
            let size = size_argument(vm, &args[1], "recvfrom")?;
            let flags = flags_argument(vm, args, 2)?;
            let (bytes, address) = receive_from(vm, socket(args), size, flags)?;
            let items = vec![vm.new_bytes(bytes), show(vm, address.as_ref())];
            Ok(vm.new_tuple(items))
        }),
        native("recvfrom_into(self, buffer, nbytes=0, flags=0)", |vm, args| {
            let size = into_size(vm, args, "recvfrom_into")?;
            let flags = flags_argument(vm, args, 3)?;
            let (bytes, address) = receive_from(vm, socket(args), size, flags)?;
            let count = write_into(vm, &args[1], 0, &bytes)?;
            let address = show(vm, address.as_ref());
            Ok(vm.new_tuple(vec![Value::small(count as i64), address]))
        }),
        native("recvmsg(self, bufsize, ancbufsize=0, flags=0, /)", |vm, args| {
            let size = size_argument(vm, &args[1], "recvmsg")?;
            let message = receive_message(vm, args, size, 2)?;
            let bytes = vm.new_bytes(message.bytes.clone());
            message_value(vm, bytes, &message)
        }),
        native("recvmsg_into(self, buffers, ancbufsize=0, flags=0, /)", receive_message_into),
        native("send(self, data, flags=0, /)", |vm, args| {
            let bytes = next_bytes(vm, socket(args), &args[1], 0)?;
            let flags = flags_argument(vm, args, 2)?;
            let sent = operate(vm, socket(args), WRITE, |fd| os::send(fd, &bytes, flags))?;
            Ok(Value::small(sent as i64))
        }),
        native("sendall(self, data, flags=0, /)", send_all),
        native("sendto(self, data, flags=None, address=None, /)", send_to),
        native("sendmsg(self, buffers, ancdata=(), flags=0, address=None, /)", send_message),
        native("shutdown(self, how, /)", |vm, args| {
            let how = vm.c_int(&args[1])?;
            let fd = socket(args).get(vm).fd;
            done(vm, os::shutdown(fd, how))
        }),
        native("__del__(self, /)", |vm, args| {
            if socket(args).get(vm).fd >= 0 {
                let warned = vm.repr_text(&args[0]).and_then(|shown| vm.warn_of_resource(&format!("unclosed {shown}"), &args[0]));
                if warned.is_err() {
                    vm.write_unraisable("Exception ignored in: ", &args[0]);
                }
            }
            close(vm, socket(args))
        }),
    ],
    getset: &[
        getter("family", |vm, this| Ok(Value::small(i64::from(of(this).get(vm).family)))),
        getter("type", |vm, this| Ok(Value::small(i64::from(of(this).get(vm).kind)))),
        getter("proto", |vm, this| Ok(Value::small(i64::from(of(this).get(vm).protocol)))),
        getter("timeout", |vm, this| {
            let timeout = of(this).get(vm).timeout;
            Ok(timeout_value(vm, timeout))
        }),
    ],
    ..TypeSpec::DEFAULT
};

static INIT: Native = native("socket(family=-1, type=-1, proto=-1, fileno=None)", init);

fn of(this: &Value) -> &Ref<Socket> {
    this.downcast::<Socket>().expect("an attribute of the type")
}

/// A descriptor as `close` and `dup` take it: the system says what is wrong with one that is too large.
fn socket_number(vm: &mut Vm, value: &Value) -> Result<i32> {
    match vm.index(value)?.as_ref().to_i64() {
        Some(number) => Ok(i32::try_from(number).unwrap_or(-1)),
        None => Err(vm.overflow_error("Python int too large to convert to C long")),
    }
}

fn socket<'a>(args: Args<'a>) -> &'a Ref<Socket> {
    args.all()[0].downcast::<Socket>().expect("a method of the type")
}

fn new(vm: &mut Vm, class: &Ref<Type>, _: CallArgs<'_>) -> Result<Value> {
    Ok(vm.alloc_for(class, Socket::new(-1, 0, 0, 0, None)).into_value())
}

fn init(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let mut numbers = [-1; 3];
    for (index, number) in numbers.iter_mut().enumerate() {
        if let Some(given) = args.given(index + 1) {
            *number = vm.c_int(given)?;
        }
    }
    let [family, kind, protocol] = numbers;
    let made = match args.given_some(4) {
        Some(given) => {
            let fd = vm.index_i64(given)?;
            let Some(fd) = i32::try_from(fd).ok().filter(|&fd| fd >= 0) else {
                return Err(vm.value_error("negative file descriptor"));
            };
            adopt(fd, family, kind, protocol)
        }
        None => {
            let family = if family == -1 { os::INET } else { family };
            let kind = if kind == -1 { os::STREAM } else { kind };
            let protocol = if protocol == -1 { 0 } else { protocol };
            os::create(family, kind, protocol).map(|fd| (fd, family, kind, protocol))
        }
    };
    let (fd, family, kind, protocol) = made.map_err(|error| os_error::raise(vm, error, None))?;
    let timeout = if kind & os::NON_BLOCKING != 0 { Some(0) } else { default_timeout(vm) };
    if timeout.is_some_and(|timeout| timeout > 0 || kind & os::NON_BLOCKING == 0) {
        file::set_blocking(fd, false).map_err(|error| os_error::raise(vm, error, None))?;
    }
    let this = socket(args);
    close(vm, this)?;
    let payload = this.get_mut(vm);
    let waiting = (payload.n_waiting, std::mem::take(&mut payload.closed));
    *payload = Socket::new(fd, family, kind, protocol, timeout);
    (payload.n_waiting, payload.closed) = waiting;
    Ok(Value::NONE)
}

/// What a descriptor that somebody else made is.
fn adopt(fd: i32, family: i32, kind: i32, protocol: i32) -> io::Result<(i32, i32, i32, i32)> {
    let name = os::name(fd)?;
    let family = if family == -1 { name.as_ref().map_or(os::ANY_FAMILY, Address::family) } else { family };
    let (own_kind, own_protocol) = os::kind_and_protocol(fd)?;
    Ok((fd, family, if kind == -1 { own_kind } else { kind }, if protocol == -1 { own_protocol } else { protocol }))
}

fn close(vm: &mut Vm, socket: &Ref<Socket>) -> Result<Value> {
    // The other side may have gone already: the descriptor is closed all the same.
    let _ = socket.get_mut(vm).close();
    Ok(Value::NONE)
}

fn repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let Socket { fd, family, kind, protocol, .. } = *of(this).get(vm);
    Ok(vm.new_str(format!("<socket object, fd={fd}, family={family}, type={kind}, proto={protocol}>")))
}

fn socket_pair(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let mut numbers = [os::UNIX, os::STREAM, 0];
    for (index, number) in numbers.iter_mut().enumerate() {
        if let Some(given) = args.given(index) {
            *number = vm.parsed_int(given)?;
        }
    }
    let [family, kind, protocol] = numbers;
    let (one, two) = os::pair(family, kind, protocol).map_err(|error| os_error::raise(vm, error, None))?;
    let timeout = default_timeout(vm);
    let class = vm.native_type(&TYPE);
    let mut ends = Vec::new();
    for fd in [one, two] {
        if timeout.is_some() {
            file::set_blocking(fd, false).map_err(|error| os_error::raise(vm, error, None))?;
        }
        let payload = Socket::new(fd, family, kind, protocol, timeout);
        ends.push(vm.alloc_for(&class, payload).into_value());
    }
    Ok(vm.new_tuple(ends))
}

// ---- waiting

/// Runs an operation that does not wait, again whenever the socket is ready for `event`, as long as its timeout allows.
fn operate<T>(vm: &mut Vm, socket: &Ref<Socket>, event: i16, call: impl FnMut(i32) -> io::Result<T>) -> Result<T> {
    let deadline = deadline_of(vm, socket);
    operate_until(vm, socket, event, deadline, call)
}

/// Until when an operation of the socket's that begins now may wait.
fn deadline_of(vm: &Vm, socket: &Ref<Socket>) -> Option<Instant> {
    socket.get(vm).timeout.filter(|&timeout| timeout > 0).and_then(timeout::deadline)
}

fn operate_until<T>(vm: &mut Vm, socket: &Ref<Socket>, event: i16, deadline: Option<Instant>, call: impl FnMut(i32) -> io::Result<T>) -> Result<T> {
    let activity = if event == READ { Activity::Read } else { Activity::Write };
    repeat(vm, socket, activity, event, deadline, call)
}

fn repeat<T>(
    vm: &mut Vm,
    socket: &Ref<Socket>,
    activity: fn(i32) -> Activity,
    event: i16,
    deadline: Option<Instant>,
    mut call: impl FnMut(i32) -> io::Result<T>,
) -> Result<T> {
    // It may be closed while this thread waits: a system call that waits would go on, and one that follows a wait with a timeout would fail.
    let Socket { fd: first, timeout, .. } = *socket.get(vm);
    let keeps_open = timeout.is_none();
    let mut has_waited = false;
    let result = loop {
        let fd = if keeps_open { first } else { socket.get(vm).fd };
        let goes_on = match call(fd) {
            Ok(result) => break Ok(result),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => vm.poll(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && socket.get(vm).timeout != Some(0) => {
                if keeps_open && !has_waited {
                    has_waited = true;
                    socket.get_mut(vm).n_waiting += 1;
                }
                wait(vm, activity(fd), fd, event, deadline)
            }
            Err(error) => break Err(os_error::raise(vm, error, None)),
        };
        if let Err(raised) = goes_on {
            break Err(raised);
        }
    };
    if has_waited {
        socket.get_mut(vm).end_wait();
    }
    result
}

fn wait(vm: &mut Vm, activity: Activity, fd: i32, event: i16, deadline: Option<Instant>) -> Result<()> {
    if vm.wait_on(activity, &mut [Polled::new(fd, event)], deadline)? { Ok(()) } else { Err(timed_out(vm)) }
}

fn timed_out(vm: &mut Vm) -> Raised {
    vm.raise(ExceptionKind::TimeoutError, "timed out")
}

fn connect(vm: &mut Vm, socket: &Ref<Socket>, address: &Value, function: &str) -> Result<io::Result<()>> {
    let address = parse_address(vm, socket, address, function)?;
    let Socket { fd, timeout, .. } = *socket.get(vm);
    let deadline = timeout.filter(|&timeout| timeout > 0).and_then(timeout::deadline);
    let error = match os::connect(fd, &address, timeout.is_none()) {
        Ok(()) => return Ok(Ok(())),
        Err(error) => error,
    };
    let goes_on = error.raw_os_error() == Some(os::IN_PROGRESS) || error.kind() == io::ErrorKind::Interrupted;
    // A Unix socket's listener has no room: that attempt did not start, and is made again.
    let is_full = error.kind() == io::ErrorKind::WouldBlock && address.family() == os::UNIX;
    if timeout == Some(0) || !(goes_on || is_full) {
        return Ok(Err(error));
    }
    if is_full {
        return connect_when_there_is_room(vm, socket, &address, deadline);
    }
    socket.get_mut(vm).n_waiting += 1;
    let waited = wait(vm, Activity::Connection(fd), fd, WRITE, deadline);
    let ended = waited.map(|()| connection_result(fd, &address, timeout.is_none()));
    socket.get_mut(vm).end_wait();
    ended
}

/// What became of an attempt to connect that is over.
fn connection_result(fd: i32, address: &Address, is_blocking: bool) -> io::Result<()> {
    if is_blocking {
        // Asking to connect again tells how it ended, and leaves a socket that can be tried again, as after a call that waits.
        return match os::connect(fd, address, true) {
            Err(error) if error.raw_os_error() == Some(os::IS_CONNECTED) => Ok(()),
            ended => ended,
        };
    }
    match os::pending_error(fd) {
        Ok(0 | os::IS_CONNECTED) => Ok(()),
        Ok(code) => Err(io::Error::from_raw_os_error(code)),
        Err(error) => Err(error),
    }
}

/// No event tells when a Unix socket's listener has room for another connection, so this looks again and again.
fn connect_when_there_is_room(vm: &mut Vm, socket: &Ref<Socket>, address: &Address, deadline: Option<Instant>) -> Result<io::Result<()>> {
    loop {
        let pause = timeout::deadline(1_000_000);
        if deadline.is_some_and(|deadline| pause.is_some_and(|pause| pause > deadline)) {
            return Err(timed_out(vm));
        }
        let Socket { fd, timeout, .. } = *socket.get(vm);
        vm.wait_on(Activity::Connection(fd), &mut [], pause)?;
        match os::connect(fd, address, timeout.is_none()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return Ok(done),
        }
    }
}

fn accept(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let socket = socket(args);
    let is_blocking = socket.get(vm).timeout.is_none();
    let deadline = deadline_of(vm, socket);
    let (accepted, address) = repeat(vm, socket, Activity::Connection, READ, deadline, |fd| os::accept(fd, is_blocking))?;
    let address = show(vm, address.as_ref());
    Ok(vm.new_tuple(vec![Value::small(i64::from(accepted)), address]))
}

// ---- receiving and sending

fn size_argument(vm: &mut Vm, value: &Value, function: &str) -> Result<usize> {
    let size = vm.index_i64(value)?;
    let Ok(size) = usize::try_from(size) else { return Err(vm.value_error(format!("negative buffersize in {function}"))) };
    vm.charge(size)?;
    Ok(size)
}

fn flags_argument(vm: &mut Vm, args: Args<'_>, index: usize) -> Result<i32> {
    args.given(index).map_or(Ok(0), |flags| vm.parsed_int(flags))
}

/// How much is received into the buffer that is the first argument.
fn into_size(vm: &mut Vm, args: Args<'_>, function: &str) -> Result<usize> {
    let room = writable_length(vm, &args[1], &format!("{function}() argument 1"))?;
    let size = args.given(2).map_or(Ok(0), |size| vm.index_i64(size))?;
    let Ok(size) = usize::try_from(size) else { return Err(vm.value_error(format!("negative buffersize in {function}"))) };
    if size > room {
        return Err(vm.value_error("buffer too small for requested bytes"));
    }
    Ok(if size == 0 { room } else { size })
}

fn receive(vm: &mut Vm, socket: &Ref<Socket>, size: usize, flags: i32) -> Result<Vec<u8>> {
    if size == 0 {
        return Ok(Vec::new());
    }
    operate(vm, socket, READ, |fd| os::receive(fd, size, flags))
}

fn receive_from(vm: &mut Vm, socket: &Ref<Socket>, size: usize, flags: i32) -> Result<(Vec<u8>, Option<Address>)> {
    operate(vm, socket, READ, |fd| os::receive_from(fd, size, flags))
}

/// Receives a message; the size for control messages is the argument at `index`, the flags follow it.
fn receive_message(vm: &mut Vm, args: Args<'_>, size: usize, index: usize) -> Result<os::Message> {
    let control = args.given(index).map_or(Ok(0), |size| vm.index_i64(size))?;
    let Ok(control) = usize::try_from(control) else { return Err(vm.value_error("invalid ancillary data buffer length")) };
    vm.charge(control)?;
    let flags = flags_argument(vm, args, index + 1)?;
    operate(vm, socket(args), READ, |fd| os::receive_message(fd, size, control, flags))
}

fn message_value(vm: &mut Vm, first: Value, message: &os::Message) -> Result<Value> {
    let mut control = Vec::with_capacity(message.control.len());
    for (level, kind, data) in &message.control {
        let data = vm.new_bytes(data.clone());
        control.push(vm.new_tuple(vec![Value::small(i64::from(*level)), Value::small(i64::from(*kind)), data]));
    }
    let control = vm.new_list(control);
    let address = show(vm, message.address.as_ref());
    // The flag is the one this call adds for every caller.
    let flags = message.flags & !os::CLOSE_ON_EXEC_FLAG;
    Ok(vm.new_tuple(vec![first, control, Value::small(i64::from(flags)), address]))
}

fn receive_message_into(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let buffers = vm.collect(&args[1])?;
    let mut sizes = Vec::with_capacity(buffers.len());
    for buffer in &buffers {
        sizes.push(writable_length(vm, buffer, "recvmsg_into() argument 1")?);
    }
    let message = receive_message(vm, args, sizes.iter().sum(), 2)?;
    let mut rest = message.bytes.as_slice();
    for (buffer, size) in buffers.iter().zip(sizes) {
        let (part, after) = rest.split_at(size.min(rest.len()));
        write_into(vm, buffer, 0, part)?;
        rest = after;
    }
    let count = Value::small(message.bytes.len() as i64);
    message_value(vm, count, &message)
}

/// At most this much of what is to be sent is copied at a time: more has no room in a socket.
const SENT_AT_ONCE: usize = 1 << 20;

/// The bytes to send from a place on: all of them; or where they go into a stream, and are those of an object that cannot change until there is need
/// for more, the next ones.
fn next_bytes(vm: &mut Vm, socket: &Ref<Socket>, data: &Value, from: usize) -> Result<Vec<u8>> {
    match data.downcast::<Bytes>() {
        Some(bytes) if socket.get(vm).kind == os::STREAM => {
            let rest = bytes.get(vm).data.get(from..).unwrap_or_default();
            Ok(rest[..rest.len().min(SENT_AT_ONCE)].to_vec())
        }
        _ => buffer(vm, data),
    }
}

fn send_all(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (socket, data) = (socket(args), &args[1]);
    let length = data.downcast::<Bytes>().map(|bytes| bytes.get(vm).data.len());
    let mut bytes = next_bytes(vm, socket, data, 0)?;
    let length = length.unwrap_or(bytes.len());
    let flags = flags_argument(vm, args, 2)?;
    // The timeout is for all of it.
    let deadline = deadline_of(vm, socket);
    let (mut sent, mut start) = (0, 0);
    loop {
        if sent == start + bytes.len() && sent < length {
            start = sent;
            bytes = next_bytes(vm, socket, data, start)?;
        }
        sent += operate_until(vm, socket, WRITE, deadline, |fd| os::send(fd, &bytes[sent - start..], flags))?;
        if sent >= length {
            return Ok(Value::NONE);
        }
        vm.poll()?;
    }
}

fn send_to(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    // Without flags the address is the second argument.
    let (flags, address) = match (args.given(2), args.given(3)) {
        (Some(flags), Some(address)) => (vm.parsed_int(flags)?, address),
        (Some(address), None) => (0, address),
        _ => return Err(vm.type_error("sendto() takes 2 or 3 arguments (1 given)")),
    };
    let bytes = buffer(vm, &args[1])?;
    let socket = socket(args);
    let address = parse_address(vm, socket, address, "sendto")?;
    let sent = operate(vm, socket, WRITE, |fd| os::send_to(fd, &bytes, flags, &address))?;
    Ok(Value::small(sent as i64))
}

fn send_message(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let mut bytes = Vec::new();
    for part in vm.collect(&args[1])? {
        let part = buffer(vm, &part)?;
        vm.charge(bytes.len() + part.len())?;
        bytes.extend_from_slice(&part);
    }
    let mut control = Vec::new();
    if let Some(given) = args.given_some(2) {
        for item in vm.collect(given)? {
            let fields = vm.collect(&item)?;
            let [level, kind, data] = fields.as_slice() else {
                return Err(vm.type_error("[sendmsg() ancillary data items] must be a tuple of 3 items"));
            };
            let (level, kind) = (vm.parsed_int(level)?, vm.parsed_int(kind)?);
            control.push((level, kind, buffer(vm, data)?));
        }
    }
    let flags = flags_argument(vm, args, 3)?;
    let socket = socket(args);
    let address = match args.given_some(4) {
        Some(address) => Some(parse_address(vm, socket, address, "sendmsg")?),
        None => None,
    };
    let sent = operate(vm, socket, WRITE, |fd| os::send_message(fd, &bytes, &control, flags, address.as_ref()))?;
    Ok(Value::small(sent as i64))
}

// ---- options, timeouts, addresses

fn done(vm: &mut Vm, result: io::Result<()>) -> Result<Value> {
    result.map(|()| Value::NONE).map_err(|error| os_error::raise(vm, error, None))
}

fn parse_address(vm: &mut Vm, socket: &Ref<Socket>, address: &Value, function: &str) -> Result<Address> {
    let family = socket.get(vm).family;
    address::parse(vm, address, family, function)
}

fn shown_address(vm: &mut Vm, address: io::Result<Option<Address>>) -> Result<Value> {
    match address {
        Ok(address) => Ok(show(vm, address.as_ref())),
        Err(error) => Err(os_error::raise(vm, error, None)),
    }
}

fn default_timeout(vm: &Vm) -> Option<i64> {
    vm.state().module_state.get(DEFAULT_TIMEOUT).and_then(Value::as_small)
}

fn timeout_value(vm: &mut Vm, timeout: Option<i64>) -> Value {
    timeout.map_or(Value::NONE, |timeout| vm.new_float(timeout as f64 / 1e9))
}

fn parse_timeout(vm: &mut Vm, value: &Value) -> Result<Option<i64>> {
    if value.is_none() {
        return Ok(None);
    }
    let nanoseconds = timeout::nanoseconds(vm, value)?;
    if nanoseconds < 0 {
        return Err(vm.value_error("Timeout value out of range"));
    }
    Ok(Some(nanoseconds))
}

fn set_timeout(vm: &mut Vm, socket: &Ref<Socket>, timeout: Option<i64>) -> Result<Value> {
    let this = socket.get_mut(vm);
    this.timeout = timeout;
    let fd = this.fd;
    done(vm, file::set_blocking(fd, timeout.is_none()))
}

fn get_option(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (level, option) = (vm.parsed_int(&args[1])?, vm.parsed_int(&args[2])?);
    let size = args.given(3).map_or(Ok(0), |size| vm.parsed_int(size))?;
    let fd = socket(args).get(vm).fd;
    if size == 0 {
        let value = os::option(fd, level, option).map_err(|error| os_error::raise(vm, error, None))?;
        return Ok(Value::small(i64::from(value)));
    }
    if !(0..=1024).contains(&size) {
        return Err(plain_error(vm, "getsockopt buflen out of range"));
    }
    match os::option_bytes(fd, level, option, size as usize) {
        Ok(bytes) => Ok(vm.new_bytes(bytes)),
        Err(error) => Err(os_error::raise(vm, error, None)),
    }
}

fn set_option(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (level, option) = (vm.parsed_int(&args[1])?, vm.parsed_int(&args[2])?);
    let fd = socket(args).get(vm).fd;
    let Some(value) = args.given(3) else {
        return Err(vm.type_error("setsockopt() takes exactly 3 arguments (2 given)"));
    };
    if let Some(length) = args.given(4) {
        if !value.is_none() {
            let name = vm.type_name(value);
            return Err(vm.type_error(format!("setsockopt() argument 3 must be None, not {name}")));
        }
        let length = vm.masked_u32(length)?;
        return done(vm, os::set_option_null(fd, level, option, length));
    }
    let bytes = if crate::object::types::numeric::is_int(value) {
        match vm.parsed_int(value) {
            Ok(number) => number.to_ne_bytes().to_vec(),
            // What is no C int is asked for its bytes.
            Err(_) if vm.clear_if(ExceptionKind::OverflowError) => buffer(vm, value)?,
            Err(raised) => return Err(raised),
        }
    } else {
        buffer(vm, value)?
    };
    done(vm, os::set_option(fd, level, option, &bytes))
}

// ---- byte order

fn swap_short(vm: &mut Vm, args: Args<'_>, function: &str) -> Result<Value> {
    let number = vm.c_int(&args[0])?;
    if number < 0 {
        return Err(vm.overflow_error(format!("{function}: can't convert negative Python int to C 16-bit unsigned integer")));
    }
    match u16::try_from(number) {
        Ok(number) => Ok(Value::small(i64::from(number.to_be()))),
        Err(_) => Err(vm.overflow_error(format!("{function}: Python int too large to convert to C 16-bit unsigned integer"))),
    }
}

fn swap_long(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let number = vm.index_i64(&args[0])?;
    if number < 0 {
        return Err(vm.overflow_error("can't convert negative value to unsigned int"));
    }
    match u32::try_from(number) {
        Ok(number) => Ok(vm.new_int(i64::from(number.to_be()))),
        Err(_) => Err(vm.overflow_error("int larger than 32 bits")),
    }
}

fn control_length(vm: &mut Vm, args: Args<'_>, function: &str, padded: bool) -> Result<Value> {
    let length = vm.index_i64(&args[0])?;
    match u32::try_from(length).ok().filter(|&length| length < i32::MAX as u32 - 64) {
        Some(length) => Ok(Value::small(os::control_length(length, padded) as i64)),
        None => Err(vm.overflow_error(format!("{function}() argument out of range"))),
    }
}
