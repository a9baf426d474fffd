//! The less common half of `_os`: sessions and groups, schedulers, extended attributes, terminals, timers and events as descriptors, started processes.
//!
//! `os.rs` puts this table into the module too.

use super::os::{children_usage, descriptor, descriptor_done, fd_of, int, path_or_number, path_value, raise_for_path, variables};
use super::os_error::{blocking, path_argument};
use crate::object::native::{Args, Native, native};
use crate::object::type_object::{Slots, TypeSpec};
use crate::object::types::buffer::{buffer, writable_length, write_into};
use crate::object::types::numeric::{float_of, is_int};
use crate::object::types::str::Str;
use crate::object::types::structseq::{self, Fields, item};
use crate::object::types::tuple::Tuple;
use crate::object::value::Value;
use crate::os::posix::{self, FileAction, SpawnOptions, Target};
use crate::vm::{Result, Vm};

const WAITID_FIELDS: Fields = Fields { items: &["si_pid", "si_uid", "si_signo", "si_status", "si_code"], hidden: &[] };
const SCHEDULING_FIELDS: Fields = Fields { items: &["sched_priority"], hidden: &[] };

static WAITID_RESULT: TypeSpec = structseq::spec(
    "posix.waitid_result",
    "What `waitid` tells of a child.",
    Some(
        native("waitid_result(sequence, dict=None)", |vm, args| structseq::construct(vm, args, &WAITID_FIELDS, "posix.waitid_result"))
            .shown("(iterable=(), /)"),
    ),
    &WAITID_FIELDS,
    &[item::<0>("si_pid"), item::<1>("si_uid"), item::<2>("si_signo"), item::<3>("si_status"), item::<4>("si_code")],
    Slots { repr: Some(|vm, value| structseq::show(vm, value, "posix.waitid_result", &WAITID_FIELDS)), ..Slots::NONE },
);

static SCHEDULING: TypeSpec = structseq::spec(
    "posix.sched_param",
    "The priority of a process in its scheduling policy.",
    Some(native("sched_param(sched_priority)", |vm, args| {
        let items = vm.new_tuple(vec![args[1].clone()]);
        structseq::construct(vm, Args(&[args[0].clone(), items, Value::UNBOUND]), &SCHEDULING_FIELDS, "posix.sched_param")
    })),
    &SCHEDULING_FIELDS,
    &[item::<0>("sched_priority")],
    Slots { repr: Some(|vm, value| structseq::show(vm, value, "posix.sched_param", &SCHEDULING_FIELDS)), ..Slots::NONE },
);

/// Puts the constants, names and types of this file into the module.
pub(super) fn fill(vm: &mut Vm, module: &Value) -> Result<()> {
    for &(name, value) in posix::NAMED {
        vm.set_attr_str(module, name, &Value::small(value))?;
    }
    for (name, rows) in [("confstr_names", posix::TEXTS), ("pathconf_names", posix::PATH_LIMITS), ("sysconf_names", posix::LIMITS)] {
        let names = vm.new_dict();
        for (key, value) in rows {
            vm.dict_set_str(&names, key, Value::small(*value))?;
        }
        vm.set_attr_str(module, name, &names.into_value())?;
    }
    for spec in [&WAITID_RESULT, &SCHEDULING] {
        let class = vm.native_type(spec);
        let name = spec.name.rsplit('.').next().unwrap_or(spec.name);
        vm.set_attr_str(module, name, &class.into_value())?;
    }
    let owner = vm.intern("posix");
    for function in &FUNCTIONS {
        let value = vm.new_native(function, owner.clone());
        vm.set_attr_str(module, function.name(), &value)?;
    }
    Ok(())
}

/// A row whose arguments are all numbers and whose result is one.
macro_rules! number_row {
    ($signature:literal, $call:ident, $($place:literal $kind:ident),*) => {
        native($signature, |vm, args| {
            let result = posix::$call($(number_row!(@ $kind vm, &args[$place])),*);
            let number = descriptor(vm, result)?;
            Ok(vm.new_int(number))
        })
    };
    (@ int $vm:ident, $value:expr) => { int($vm, $value)? };
    (@ pid $vm:ident, $value:expr) => { $vm.parsed_int($value)? };
    (@ fd $vm:ident, $value:expr) => { fd_of($vm, $value)? };
    (@ user $vm:ident, $value:expr) => { identity($vm, $value, "uid")? };
    (@ group $vm:ident, $value:expr) => { identity($vm, $value, "gid")? };
}
/// A row whose arguments are all numbers and that gives nothing.
macro_rules! done_row {
    ($signature:literal, $call:ident, $($place:literal $kind:ident),*) => {
        native($signature, |vm, args| {
            let result = posix::$call($(number_row!(@ $kind vm, &args[$place])),*);
            descriptor(vm, result)?;
            Ok(Value::NONE)
        })
    };
}

const FUNCTIONS: [Native; 83] = [
    // who the process is
    number_row!("getpgid(pid)", getpgid, 0 pid),
    number_row!("getsid(pid, /)", getsid, 0 pid),
    native("getpgrp()", |vm, _| Ok(vm.new_int(posix::own_group()))),
    done_row!("setpgid(pid, pgrp, /)", setpgid, 0 pid, 1 pid).stacked(),
    native("setpgrp()", |vm, _| {
        let done = posix::setpgid(0, 0);
        descriptor(vm, done)?;
        Ok(Value::NONE)
    }),
    native("setsid()", |vm, _| {
        let done = posix::setsid();
        descriptor(vm, done)?;
        Ok(Value::NONE)
    }),
    done_row!("killpg(pgid, signal, /)", killpg, 0 pid, 1 pid).stacked(),
    done_row!("setuid(uid, /)", setuid, 0 user),
    done_row!("seteuid(euid, /)", seteuid, 0 user),
    done_row!("setgid(gid, /)", setgid, 0 group),
    done_row!("setegid(egid, /)", setegid, 0 group),
    done_row!("setreuid(ruid, euid, /)", setreuid, 0 user, 1 user),
    done_row!("setregid(rgid, egid, /)", setregid, 0 group, 1 group),
    done_row!("setresuid(ruid, euid, suid, /)", setresuid, 0 user, 1 user, 2 user),
    done_row!("setresgid(rgid, egid, sgid, /)", setresgid, 0 group, 1 group, 2 group),
    native("getgroups()", |vm, _| {
        let groups = posix::groups();
        let groups = descriptor(vm, groups)?.into_iter().map(|group| Value::small(group.into())).collect();
        Ok(vm.new_list(groups))
    }),
    native("setgroups(groups, /)", |vm, args| {
        let mut groups = Vec::new();
        for group in vm.collect(&args[0])? {
            groups.push(identity(vm, &group, "gid")?);
        }
        descriptor_done(vm, posix::set_groups(&groups))
    }),
    native("getgrouplist(user: str, group, /)", |vm, args| {
        let user = vm.expect_string(&args[0], "getgrouplist() argument 1")?;
        let group = identity(vm, &args[1], "gid")?;
        let groups = posix::groups_of(user.as_bytes(), group);
        let groups = descriptor(vm, groups)?.into_iter().map(|group| Value::small(group.into())).collect();
        Ok(vm.new_list(groups))
    }),
    native("initgroups(username, gid, /)", |vm, args| {
        let (user, _) = path_argument(vm, &args[0], "initgroups: username")?;
        let group = identity(vm, &args[1], "gid")?;
        descriptor_done(vm, posix::init_groups(&user, group))
    }),
    native("getresuid()", |vm, _| three(vm, posix::users())),
    native("getresgid()", |vm, _| three(vm, posix::group_identities())),
    native("getpriority(which, who)", |vm, args| {
        let (which, who) = (int(vm, &args[0])?, int(vm, &args[1])?);
        let priority = descriptor(vm, posix::priority(which, who as u32))?;
        Ok(vm.new_int(priority))
    }),
    native("setpriority(which, who, priority)", |vm, args| {
        let (which, who, priority) = (int(vm, &args[0])?, int(vm, &args[1])?, int(vm, &args[2])?);
        descriptor_done(vm, posix::set_priority(which, who as u32, priority))
    }),
    native("nice(increment, /)", |vm, args| {
        let increment = int(vm, &args[0])?;
        let nice = descriptor(vm, posix::nice(increment))?;
        Ok(vm.new_int(nice))
    }),
    // limits
    native("confstr(name, /)", |vm, args| {
        let name = named(vm, &args[0], posix::TEXTS)?;
        let text = descriptor(vm, posix::configured_text(name))?;
        Ok(text.map_or(Value::NONE, |text| vm.new_str(text)))
    }),
    native("sysconf(name, /)", |vm, args| {
        let name = named(vm, &args[0], posix::LIMITS)?;
        let limit = descriptor(vm, posix::limit(name))?;
        Ok(vm.new_int(limit))
    }),
    native("pathconf(path, name)", |vm, args| {
        let name = named(vm, &args[1], posix::PATH_LIMITS)?;
        let limit = if is_int(&args[0]) {
            let fd = int(vm, &args[0])?;
            posix::path_limit(Err(fd), name)
        } else {
            let (path, _) = path_or_number(vm, &args[0], "pathconf", "string, bytes, os.PathLike or integer")?;
            posix::path_limit(Ok(&path), name)
        };
        let limit = raise_for_path(vm, limit, &args[0])?;
        Ok(vm.new_int(limit))
    }),
    native("fpathconf(fd, name, /)", |vm, args| {
        let (fd, name) = (fd_of(vm, &args[0])?, named(vm, &args[1], posix::PATH_LIMITS)?);
        let limit = descriptor(vm, posix::path_limit(Err(fd), name))?;
        Ok(vm.new_int(limit))
    }),
    // files
    native("chroot(path)", |vm, args| {
        let (path, _) = path_argument(vm, &args[0], "chroot: path")?;
        let done = blocking(vm, || posix::change_root(&path))?;
        raise_for_path(vm, done, &args[0])?;
        Ok(Value::NONE)
    }),
    done_row!("fchdir(fd)", fchdir, 0 fd),
    done_row!("fchown(fd, uid, gid)", fchown, 0 fd, 1 user, 2 group),
    native("mknod(path, mode=0o600, device=0, *, dir_fd=None)", |vm, args| {
        let (path, _) = path_argument(vm, &args[0], "mknod: path")?;
        let path = super::os::in_folder(vm, args, 3, path)?;
        let mode = args.given(1).map_or(Ok(0o600), |mode| int(vm, mode))?;
        let device = args.given(2).map_or(Ok(0), |device| vm.index_i64(device))?;
        let done = blocking(vm, || posix::make_node(&path, mode as u32, device as u64))?;
        raise_for_path(vm, done, &args[0])?;
        Ok(Value::NONE)
    }),
    native("sync()", |vm, _| {
        vm.detached(posix::sync_all);
        Ok(Value::NONE)
    }),
    native("copy_file_range(src, dst, count, offset_src=None, offset_dst=None)", |vm, args| {
        let (from, to, count) = (int(vm, &args[0])?, int(vm, &args[1])?, size(vm, &args[2])?);
        let (from_place, to_place) = (offset(vm, args, 3)?, offset(vm, args, 4)?);
        let copied = blocking(vm, || posix::copy_range(from, to, count, from_place, to_place))?;
        let copied = descriptor(vm, copied)?;
        Ok(vm.new_int(copied))
    }),
    native("splice(src, dst, count, offset_src=None, offset_dst=None, flags=0)", |vm, args| {
        let (from, to, count) = (int(vm, &args[0])?, int(vm, &args[1])?, size(vm, &args[2])?);
        let (from_place, to_place) = (offset(vm, args, 3)?, offset(vm, args, 4)?);
        let flags = args.given(5).map_or(Ok(0), |flags| int(vm, flags))? as u32;
        let moved = blocking(vm, || posix::splice(from, to, count, from_place, to_place, flags))?;
        let moved = descriptor(vm, moved)?;
        Ok(vm.new_int(moved))
    }),
    native("sendfile(out_fd, in_fd, offset, count)", |vm, args| {
        let (to, from) = (int(vm, &args[0])?, int(vm, &args[1])?);
        let (place, count) = (offset(vm, args, 2)?, size(vm, &args[3])?);
        let sent = blocking(vm, || posix::send_file(to, from, place, count))?;
        let sent = descriptor(vm, sent)?;
        Ok(vm.new_int(sent))
    }),
    native("readv(fd, buffers, /)", |vm, args| read_vectors(vm, args, None, 0)),
    native("preadv(fd, buffers, offset, flags=0, /)", |vm, args| {
        let place = vm.index_i64(&args[2])?;
        let flags = args.given(3).map_or(Ok(0), |flags| int(vm, flags))?;
        read_vectors(vm, args, Some(place), flags)
    }),
    native("writev(fd, buffers, /)", |vm, args| write_vectors(vm, args, None, 0)),
    native("pwritev(fd, buffers, offset, flags=0, /)", |vm, args| {
        let place = vm.index_i64(&args[2])?;
        let flags = args.given(3).map_or(Ok(0), |flags| int(vm, flags))?;
        write_vectors(vm, args, Some(place), flags)
    }),
    native("posix_fadvise(fd, offset, length, advice, /)", |vm, args| {
        let (fd, place, length, advice) = (int(vm, &args[0])?, vm.index_i64(&args[1])?, vm.index_i64(&args[2])?, int(vm, &args[3])?);
        descriptor_done(vm, posix::advise(fd, place, length, advice))
    }),
    native("posix_fallocate(fd, offset, length, /)", |vm, args| {
        let (fd, place, length) = (int(vm, &args[0])?, vm.index_i64(&args[1])?, vm.index_i64(&args[2])?);
        let done = blocking(vm, || posix::allocate(fd, place, length))?;
        descriptor_done(vm, done)
    }),
    native("lockf(fd, command, length, /)", |vm, args| {
        let (fd, command, length) = (int(vm, &args[0])?, int(vm, &args[1])?, vm.index_i64(&args[2])?);
        let done = blocking(vm, || posix::lockf(fd, command, length))?;
        descriptor(vm, done)?;
        Ok(Value::NONE)
    }),
    native("memfd_create(name, flags=1)", |vm, args| {
        let (name, _) = path_argument(vm, &args[0], "memfd_create: name")?;
        let flags = args.given(1).map_or(Ok(1), |flags| vm.masked_u32(flags))?;
        let fd = descriptor(vm, posix::memory_file(&name, flags))?;
        Ok(vm.new_int(fd))
    }),
    native("getxattr(path, attribute, *, follow_symlinks=True)", |vm, args| {
        let name = path_argument(vm, &args[1], "getxattr: attribute")?.0;
        let value = on_target(vm, args, 2, "getxattr", |target| posix::attribute(target, &name))?;
        Ok(vm.new_bytes(value))
    }),
    native("setxattr(path, attribute, value, flags=0, *, follow_symlinks=True)", |vm, args| {
        let name = path_argument(vm, &args[1], "setxattr: attribute")?.0;
        let value = buffer(vm, &args[2])?;
        let flags = args.given(3).map_or(Ok(0), |flags| int(vm, flags))?;
        on_target(vm, args, 4, "setxattr", |target| posix::set_attribute(target, &name, &value, flags))?;
        Ok(Value::NONE)
    }),
    native("removexattr(path, attribute, *, follow_symlinks=True)", |vm, args| {
        let name = path_argument(vm, &args[1], "removexattr: attribute")?.0;
        on_target(vm, args, 2, "removexattr", |target| posix::remove_attribute(target, &name))?;
        Ok(Value::NONE)
    }),
    native("listxattr(path=None, *, follow_symlinks=True)", |vm, args| {
        let names = on_target(vm, args, 1, "listxattr", posix::attributes)?;
        let names = names.iter().map(|name| path_value(vm, name, false)).collect();
        Ok(vm.new_list(names))
    }),
    // terminals
    native("ctermid()", |vm, _| Ok(vm.new_str("/dev/tty"))),
    number_row!("tcgetpgrp(fd, /)", tcgetpgrp, 0 int),
    done_row!("tcsetpgrp(fd, pgid, /)", tcsetpgrp, 0 int, 1 int).stacked(),
    done_row!("grantpt(fd, /)", grantpt, 0 fd),
    done_row!("unlockpt(fd, /)", unlockpt, 0 fd),
    number_row!("posix_openpt(oflag, /)", posix_openpt, 0 int),
    native("ttyname(fd, /)", |vm, args| {
        let fd = int(vm, &args[0])?;
        let name = descriptor(vm, posix::terminal_name(fd))?;
        Ok(path_value(vm, &name, false))
    }),
    native("ptsname(fd, /)", |vm, args| {
        let fd = fd_of(vm, &args[0])?;
        let name = descriptor(vm, posix::other_end_name(fd))?;
        Ok(path_value(vm, &name, false))
    }),
    native("openpty()", |vm, _| {
        let (master, slave) = descriptor(vm, posix::open_terminal())?;
        Ok(vm.new_tuple(vec![Value::small(master.into()), Value::small(slave.into())]))
    }),
    native("login_tty(fd, /)", |vm, args| {
        let fd = fd_of(vm, &args[0])?;
        descriptor_done(vm, posix::login_terminal(fd))
    }),
    // namespaces
    native("setns(fd, nstype=0)", |vm, args| {
        let (fd, kind) = (fd_of(vm, &args[0])?, args.given(1).map_or(Ok(0), |kind| int(vm, kind))?);
        let done = posix::setns(fd, kind);
        descriptor(vm, done)?;
        Ok(Value::NONE)
    }),
    done_row!("unshare(flags)", unshare, 0 int),
    // schedulers
    number_row!("sched_get_priority_max(policy)", sched_get_priority_max, 0 int),
    number_row!("sched_get_priority_min(policy)", sched_get_priority_min, 0 int),
    number_row!("sched_getscheduler(pid, /)", sched_getscheduler, 0 int),
    native("sched_getaffinity(pid, /)", |vm, args| {
        let process = vm.parsed_int(&args[0])?;
        let processors = descriptor(vm, posix::processors_of(process))?;
        let set = vm.new_set();
        for processor in processors {
            vm.call_method(&set, "add", &[Value::small(processor as i64)])?;
        }
        Ok(set.into_value())
    }),
    native("sched_setaffinity(pid, mask, /)", |vm, args| {
        let process = vm.parsed_int(&args[0])?;
        let mut processors = Vec::new();
        for item in vm.collect(&args[1])? {
            let number = vm.index_i64(&item)?;
            match usize::try_from(number) {
                Ok(number) => processors.push(number),
                Err(_) => return Err(vm.value_error("negative CPU number")),
            }
        }
        descriptor_done(vm, posix::set_processors_of(process, &processors))
    }).stacked(),
    native("sched_getparam(pid, /)", |vm, args| {
        let process = vm.parsed_int(&args[0])?;
        let priority = descriptor(vm, posix::scheduling_priority(process))?;
        structseq::make(vm, &SCHEDULING, &SCHEDULING_FIELDS, vec![Value::small(priority.into())])
    }),
    native("sched_setparam(pid, param, /)", |vm, args| {
        let (process, priority) = (vm.parsed_int( &args[0])?, priority_of(vm, &args[1])?);
        descriptor_done(vm, posix::set_scheduling(process, None, priority))
    }).stacked(),
    native("sched_setscheduler(pid, policy, param, /)", |vm, args| {
        let (process, policy, priority) = (vm.parsed_int( &args[0])?, int(vm, &args[1])?, priority_of(vm, &args[2])?);
        descriptor_done(vm, posix::set_scheduling(process, Some(policy), priority))
    }).stacked(),
    native("sched_rr_get_interval(pid, /)", |vm, args| {
        let process = vm.parsed_int(&args[0])?;
        let seconds = descriptor(vm, posix::scheduling_interval(process))?;
        Ok(vm.new_float(seconds))
    }),
    // events and timers
    native("eventfd(initval, flags=0x80000)", |vm, args| {
        let initial = unsigned(vm, &args[0])?;
        let flags = args.given(1).map_or(Ok(0x80000), |flags| int(vm, flags))?;
        let fd = descriptor(vm, posix::eventfd(initial, flags))?;
        Ok(vm.new_int(fd))
    }),
    native("eventfd_read(fd)", |vm, args| {
        let fd = fd_of(vm, &args[0])?;
        let mut buffer = [0; 8];
        let read = blocking(vm, || crate::os::file::read(fd, &mut buffer))?;
        descriptor(vm, read)?;
        Ok(vm.new_big(u64::from_ne_bytes(buffer).into()))
    }),
    native("eventfd_write(fd, value)", |vm, args| {
        let fd = fd_of(vm, &args[0])?;
        let number = vm.index(&args[1])?;
        let Some(value) = number.as_ref().to_u64() else {
            return Err(vm.overflow_error("int too big to convert"));
        };
        let written = blocking(vm, || crate::os::file::write(fd, &value.to_ne_bytes()))?;
        descriptor(vm, written)?;
        Ok(Value::NONE)
    }),
    native("timerfd_create(clockid, /, *, flags=0x80000)", |vm, args| {
        let clock = int(vm, &args[0])?;
        let flags = args.given(1).map_or(Ok(0x80000), |flags| int(vm, flags))?;
        let fd = descriptor(vm, posix::timerfd_create(clock, flags))?;
        Ok(vm.new_int(fd))
    }),
    native("timerfd_settime(fd, /, *, flags=0, initial=0.0, interval=0.0)", |vm, args| set_timer(vm, args, false)),
    native("timerfd_settime_ns(fd, /, *, flags=0, initial=0, interval=0)", |vm, args| set_timer(vm, args, true)),
    native("timerfd_gettime(fd, /)", |vm, args| timer(vm, args, false)),
    native("timerfd_gettime_ns(fd, /)", |vm, args| timer(vm, args, true)),
    // processes
    native("pidfd_open(pid, flags=0)", |vm, args| {
        let (process, flags) = (vm.parsed_int(&args[0])?, args.given(1).map_or(Ok(0), |flags| unsigned(vm, flags))?);
        let fd = descriptor(vm, posix::process_descriptor(process, flags))?;
        Ok(vm.new_int(fd))
    }),
    native("wait3(options)", |vm, args| {
        let options = int(vm, &args[0])?;
        wait_with_usage(vm, -1, options)
    }),
    native("wait4(pid, options)", |vm, args| {
        let (process, options) = (vm.parsed_int(&args[0])?, vm.parsed_int(&args[1])?);
        wait_with_usage(vm, process, options)
    }),
    native("waitid(idtype, id, options, /)", |vm, args| {
        let (kind, id, options) = (int(vm, &args[0])? as u32, int(vm, &args[1])? as u32, int(vm, &args[2])?);
        let change = blocking(vm, || posix::wait_for_change(kind, id, options))?;
        match descriptor(vm, change)? {
            Some(numbers) => structseq::make(vm, &WAITID_RESULT, &WAITID_FIELDS, numbers.map(Value::small).to_vec()),
            None => Ok(Value::NONE),
        }
    }),
    native(
        "posix_spawn(path, argv, env, /, *, file_actions=(), setpgroup=None, resetids=False, setsid=False, setsigmask=(), setsigdef=(), scheduler=None)",
        |vm, args| spawn(vm, args, false, "posix_spawn"),
    )
    .shown(""),
    native(
        "posix_spawnp(path, argv, env, /, *, file_actions=(), setpgroup=None, resetids=False, setsid=False, setsigmask=(), setsigdef=(), scheduler=None)",
        |vm, args| spawn(vm, args, true, "posix_spawnp"),
    )
    .shown(""),
];

/// A C `unsigned int`.
fn unsigned(vm: &mut Vm, value: &Value) -> Result<u32> {
    match vm.index(value)?.as_ref().to_i64() {
        Some(..0) => Err(vm.value_error("value must be positive")),
        Some(number) => u32::try_from(number).map_err(|_| vm.overflow_error("Python int too large for C unsigned int")),
        None => Err(vm.overflow_error("Python int too large to convert to C unsigned long")),
    }
}

/// A user's or group's number; -1 says "leave it".
fn identity(vm: &mut Vm, value: &Value, what: &str) -> Result<u32> {
    let number = match vm.index(value) {
        Ok(number) => number.as_ref().to_i64(),
        Err(_) => {
            vm.take_raised();
            let message = format!("{what} should be integer, not {}", vm.type_name(value));
            return Err(vm.type_error(message));
        }
    };
    match number {
        Some(-1) => Ok(u32::MAX),
        Some(number) if number < 0 => Err(vm.overflow_error(format!("{what} is less than minimum"))),
        Some(number) if number < i64::from(u32::MAX) => Ok(number as u32),
        // As CPython words it, which looks at the lowest bits first.
        Some(_) => Err(vm.overflow_error(format!("{what} is less than minimum"))),
        None => Err(vm.overflow_error(format!("{what} is greater than maximum"))),
    }
}

fn three(vm: &mut Vm, numbers: std::io::Result<[u32; 3]>) -> Result<Value> {
    let numbers = descriptor(vm, numbers)?.map(|number| Value::small(number.into()));
    Ok(vm.new_tuple(numbers.to_vec()))
}

/// A limit by its name or number.
fn named(vm: &mut Vm, value: &Value, rows: &[(&str, i64)]) -> Result<i32> {
    if is_int(value) {
        return int(vm, value);
    }
    if !value.holds::<Str>() {
        return Err(vm.type_error("configuration names must be strings or integers"));
    }
    let name = vm.text_of(value).map(ToString::to_string).unwrap_or_default();
    match rows.iter().find(|row| row.0 == name) {
        Some(row) => Ok(row.1 as i32),
        None => Err(vm.value_error("unrecognized configuration name")),
    }
}

fn size(vm: &mut Vm, value: &Value) -> Result<usize> {
    let number = vm.index_i64(value)?;
    usize::try_from(number).map_err(|_| vm.value_error("negative value for 'count' not allowed"))
}

fn offset(vm: &mut Vm, args: Args<'_>, index: usize) -> Result<Option<i64>> {
    args.given_some(index).map(|value| vm.index_i64(value)).transpose()
}

fn read_vectors(vm: &mut Vm, args: Args<'_>, place: Option<i64>, flags: i32) -> Result<Value> {
    let fd = int(vm, &args[0])?;
    let buffers = vectors(vm, &args[1], "readv() arg 2 must be a sequence")?;
    let mut sizes = Vec::with_capacity(buffers.len());
    for buffer in &buffers {
        sizes.push(writable_length(vm, buffer, "readv")?);
    }
    let read = blocking(vm, || posix::read_vectors(fd, &sizes, place, flags))?;
    let (total, contents) = descriptor(vm, read)?;
    let mut left = total;
    for (buffer, bytes) in buffers.iter().zip(contents) {
        let count = left.min(bytes.len());
        write_into(vm, buffer, 0, &bytes[..count])?;
        left -= count;
    }
    Ok(vm.new_int(total as i64))
}

fn write_vectors(vm: &mut Vm, args: Args<'_>, place: Option<i64>, flags: i32) -> Result<Value> {
    let fd = int(vm, &args[0])?;
    let mut contents = Vec::new();
    for item in vectors(vm, &args[1], "writev() arg 2 must be a sequence")? {
        contents.push(buffer(vm, &item)?);
    }
    let written = blocking(vm, || posix::write_vectors(fd, &contents, place, flags))?;
    let written = descriptor(vm, written)?;
    Ok(vm.new_int(written))
}

fn vectors(vm: &mut Vm, value: &Value, complaint: &str) -> Result<Vec<Value>> {
    if vm.type_payload(value).slots.get_item.is_none() {
        return Err(vm.type_error(complaint));
    }
    vm.collect(value)
}

/// A call on a path or descriptor that may follow symbolic links.
fn on_target<T: Send>(
    vm: &mut Vm,
    args: Args<'_>,
    follow: usize,
    name: &str,
    call: impl Fn(Target<'_>) -> std::io::Result<T> + Send + Sync,
) -> Result<T> {
    let follow = args.given(follow).map_or(Ok(true), |value| vm.is_true(value))?;
    let (path, fd) = match args.given_some(0) {
        None => (b".".to_vec(), None),
        Some(value) if is_int(value) => (Vec::new(), Some(int(vm, value)?)),
        Some(value) => (path_or_number(vm, value, name, "string, bytes, os.PathLike or integer")?.0, None),
    };
    let found = blocking(vm, || match fd {
        Some(fd) => call(Target::Descriptor(fd)),
        None => call(Target::Path(&path, follow)),
    })?;
    match args.given_some(0) {
        Some(shown) => raise_for_path(vm, found, shown),
        None => descriptor(vm, found),
    }
}

fn priority_of(vm: &mut Vm, value: &Value) -> Result<i32> {
    let class = vm.native_type(&SCHEDULING);
    if !vm.is_instance(value, &class) {
        return Err(vm.type_error("must have a sched_param object"));
    }
    let items = vm.tuple_items(value);
    int(vm, &items[0])
}

/// Nanoseconds of a number of seconds, or of nanoseconds already.
fn nanoseconds(vm: &mut Vm, value: Option<&Value>, is_exact: bool) -> Result<i64> {
    let Some(value) = value else { return Ok(0) };
    if is_exact {
        return vm.index_i64(value);
    }
    match float_of(vm, value) {
        Some(seconds) => Ok((seconds * 1e9) as i64),
        None => Ok(vm.index_i64(value)?.saturating_mul(1_000_000_000)),
    }
}

fn timer_pair(vm: &mut Vm, times: (i64, i64), is_exact: bool) -> Value {
    let values = [times.0, times.1].map(|time| if is_exact { vm.new_int(time) } else { vm.new_float(time as f64 * 1e-9) });
    vm.new_tuple(values.to_vec())
}

fn set_timer(vm: &mut Vm, args: Args<'_>, is_exact: bool) -> Result<Value> {
    let fd = fd_of(vm, &args[0])?;
    let flags = args.given(1).map_or(Ok(0), |flags| int(vm, flags))?;
    let (first, interval) = (nanoseconds(vm, args.given(2), is_exact)?, nanoseconds(vm, args.given(3), is_exact)?);
    let old = descriptor(vm, posix::set_timer(fd, flags, first, interval))?;
    Ok(timer_pair(vm, old, is_exact))
}

fn timer(vm: &mut Vm, args: Args<'_>, is_exact: bool) -> Result<Value> {
    let fd = fd_of(vm, &args[0])?;
    let now = descriptor(vm, posix::timer(fd))?;
    Ok(timer_pair(vm, now, is_exact))
}

fn wait_with_usage(vm: &mut Vm, process: i32, options: i32) -> Result<Value> {
    let waited = blocking(vm, || posix::wait_with_usage(process, options))?;
    let (child, status, usage) = descriptor(vm, waited)?;
    let mut values = usage.0.map(|seconds| vm.new_float(seconds)).to_vec();
    values.extend(usage.1.map(|count| vm.new_int(count)));
    let usage = children_usage(vm, values)?;
    Ok(vm.new_tuple(vec![Value::small(child.into()), Value::small(status.into()), usage]))
}

fn numbers(vm: &mut Vm, value: &Value) -> Result<Vec<i32>> {
    let mut found = Vec::new();
    for item in vm.collect(value)? {
        let number = int(vm, &item)?;
        if !(1..65).contains(&number) {
            return Err(vm.value_error(format!("signal number {number} out of range [1; 64]")));
        }
        found.push(number);
    }
    Ok(found)
}

fn spawn(vm: &mut Vm, args: Args<'_>, search: bool, name: &str) -> Result<Value> {
    let (program, _) = path_argument(vm, &args[0], &format!("{name}: path"))?;
    let is_sequence = args[1].holds::<Tuple>() || args[1].holds::<crate::object::types::list::List>();
    if !is_sequence {
        return Err(vm.type_error(format!("{name}: argv must be a tuple or list")));
    }
    let mut arguments = Vec::new();
    for item in vm.collect(&args[1])? {
        arguments.push(path_argument(vm, &item, "expected str, bytes or os.PathLike object")?.0);
    }
    if arguments.is_empty() {
        return Err(vm.value_error(format!("{name}: argv must not be empty")));
    }
    if arguments[0].is_empty() {
        return Err(vm.value_error(format!("{name}: argv first element cannot be empty")));
    }
    let environment = if args[2].is_none() {
        crate::os::process::environment().into_iter().map(|(name, value)| [name, b"=".to_vec(), value].concat()).collect()
    } else {
        variables(vm, &args[2])?
    };
    let mut options = SpawnOptions::default();
    if let Some(actions) = args.given_some(3) {
        for action in vm.collect(actions)? {
            options.actions.push(file_action(vm, &action)?);
        }
    }
    if let Some(group) = args.given_some(4) {
        options.group = Some(int(vm, group)?);
    }
    options.reset_ids = args.given(5).map_or(Ok(false), |value| vm.is_true(value))?;
    options.new_session = args.given(6).map_or(Ok(false), |value| vm.is_true(value))?;
    if let Some(mask) = args.given(7) {
        options.mask = Some(numbers(vm, mask)?);
    }
    if let Some(defaults) = args.given(8) {
        options.defaults = Some(numbers(vm, defaults)?);
    }
    if let Some(scheduler) = args.given_some(9) {
        let parts = vm.collect(scheduler)?;
        let [policy, parameters] = parts.as_slice() else {
            return Err(vm.type_error("A scheduler must have (policy, param) or (None, param) tuple"));
        };
        let policy = if policy.is_none() { None } else { Some(int(vm, policy)?) };
        options.scheduler = Some((policy, priority_of(vm, parameters)?));
    }
    let child = vm.detached(|| posix::spawn(&program, &arguments, &environment, &options, search));
    let child = raise_for_path(vm, child, &args[0])?;
    Ok(Value::small(child.into()))
}

fn file_action(vm: &mut Vm, action: &Value) -> Result<FileAction> {
    let parts = if action.holds::<Tuple>() { vm.tuple_items(action) } else { Vec::new() };
    let Some((kind, rest)) = parts.split_first() else {
        return Err(vm.type_error("Each file_actions element must be a non-empty tuple"));
    };
    let kind = int(vm, kind)?;
    match (kind, rest) {
        (0, [fd, path, flags, mode]) => {
            let (fd, flags, mode) = (int(vm, fd)?, int(vm, flags)?, int(vm, mode)?);
            let path = path_argument(vm, path, "expected str, bytes or os.PathLike object")?.0;
            Ok(FileAction::Open(fd, path, flags, mode as u32))
        }
        (0, _) => Err(vm.type_error("A open file_action tuple must have 5 elements")),
        (1, [fd]) => Ok(FileAction::Close(int(vm, fd)?)),
        (1, _) => Err(vm.type_error("A close file_action tuple must have 2 elements")),
        (2, [from, to]) => Ok(FileAction::Duplicate(int(vm, from)?, int(vm, to)?)),
        (2, _) => Err(vm.type_error("A dup2 file_action tuple must have 3 elements")),
        (3, [fd]) => Ok(FileAction::CloseFrom(int(vm, fd)?)),
        (3, _) => Err(vm.type_error("A closefrom file_action tuple must have 2 elements")),
        _ => Err(vm.type_error("Unknown file_actions identifier")),
    }
}
