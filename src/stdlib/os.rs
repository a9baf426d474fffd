//! `_os`: the system calls behind `os`: files by path and by descriptor, folders, the process and its environment.
//!
//! What can wait runs with the GIL given away (`os_error::blocking`), what is brief as a rule with the GIL offered (`os_error::brief`). `os.scr` shows these functions under their own names.

use super::os_error::{blocking, brief, os_fspath, path_argument, raise, raise_two};
use crate::object::native::{Args, Native, NativeModule, getter, native};
use crate::object::type_object::{Slots, TypeSpec};
use crate::object::types::buffer::buffer;
use crate::object::types::codec::{decode_os, encode_os};
use crate::object::types::numeric::{float_of, is_int};
use crate::object::types::str::Str;
use crate::object::types::str_methods::text;
use crate::object::types::structseq::{self, Fields, item};
use crate::object::value::Value;
use crate::os::file::{self, EntryKind, Status};
use crate::os::{process, random, spawn};
use crate::text::Text;
use crate::text::path::normalized;
use crate::vm::{ExceptionKind, Result, Vm};

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "_os",
    doc: "The operating system's own functions.",
    functions: &FUNCTIONS,
    types: &[&STAT_RESULT, &TERMINAL_SIZE, &TIMES_RESULT, &UNAME_RESULT, &STATVFS_RESULT],
    init: Some(init),
};

const FUNCTIONS: [Native; 91] = [
    // files by path
    native("stat(path, *, dir_fd=None, follow_symlinks=True)", |vm, args| {
        let follow = flag(vm, args, 2, true)?;
        stat(vm, &args[0], args.given_some(1), follow, "stat")
    }),
    native("lstat(path, *, dir_fd=None)", |vm, args| stat(vm, &args[0], args.given_some(1), false, "lstat")),
    native("access(path, mode, *, dir_fd=None, effective_ids=False, follow_symlinks=True)", |vm, args| {
        let (path, _) = path_argument(vm, &args[0], "access: path")?;
        let mode = int(vm, &args[1])?;
        let path = in_folder(vm, args, 2, path)?;
        let (effective, follow) = (flag(vm, args, 3, false)?, flag(vm, args, 4, true)?);
        let allowed = brief(vm, || file::access(&path, mode, follow, effective))?;
        Ok(Value::from_bool(allowed.unwrap_or(false)))
    }),
    native("open(path, flags, mode=0o777, *, dir_fd=None)", |vm, args| {
        let (path, _) = path_argument(vm, &args[0], "open: path")?;
        let flags = int(vm, &args[1])?;
        let mode = args.given(2).map_or(Ok(0o777), |mode| int(vm, mode))?;
        let path = in_folder(vm, args, 3, path)?;
        let fd = brief(vm, || file::open(&path, flags, mode as u32))?;
        raise_for_path(vm, fd, &args[0]).map(small)
    }),
    native("mkdir(path, mode=0o777, *, dir_fd=None)", |vm, args| {
        let (path, _) = path_argument(vm, &args[0], "mkdir: path")?;
        let mode = args.given(1).map_or(Ok(0o777), |mode| int(vm, mode))?;
        let path = in_folder(vm, args, 2, path)?;
        let done = brief(vm, || file::make_folder(&path, mode as u32))?;
        raise_for_path(vm, done, &args[0]).map(none)
    }),
    native("rmdir(path, *, dir_fd=None)", |vm, args| on_path(vm, args, "rmdir", 1, file::remove_folder)),
    native("unlink(path, *, dir_fd=None)", |vm, args| on_path(vm, args, "unlink", 1, file::unlink)),
    native("remove(path, *, dir_fd=None)", |vm, args| on_path(vm, args, "remove", 1, file::unlink)),
    native("chdir(path)", |vm, args| {
        let (path, _) = path_or_number(vm, &args[0], "chdir", "string, bytes, os.PathLike or integer")?;
        let done = brief(vm, || file::change_folder(&path))?;
        raise_for_path(vm, done, &args[0]).map(none)
    }),
    native("rename(src, dst, *, src_dir_fd=None, dst_dir_fd=None)", |vm, args| rename(vm, args, "rename")),
    native("replace(src, dst, *, src_dir_fd=None, dst_dir_fd=None)", |vm, args| rename(vm, args, "replace")),
    native("link(src, dst, *, src_dir_fd=None, dst_dir_fd=None, follow_symlinks=True)", |vm, args| {
        let (from, _) = path_argument(vm, &args[0], "link: src")?;
        let (to, _) = path_argument(vm, &args[1], "link: dst")?;
        let (from, to) = (in_folder(vm, args, 2, from)?, in_folder(vm, args, 3, to)?);
        let follow = flag(vm, args, 4, true)?;
        let done = brief(vm, || file::link(&from, &to, follow))?;
        with_paths(vm, done, &args[0], &args[1])
    }),
    native("symlink(src, dst, target_is_directory=False, *, dir_fd=None)", |vm, args| {
        let (from, _) = path_argument(vm, &args[0], "symlink: src")?;
        let (to, _) = path_argument(vm, &args[1], "symlink: dst")?;
        let to = in_folder(vm, args, 3, to)?;
        let done = brief(vm, || file::symlink(&from, &to))?;
        with_paths(vm, done, &args[0], &args[1])
    }),
    native("readlink(path, *, dir_fd=None)", |vm, args| {
        let (path, is_bytes) = path_argument(vm, &args[0], "readlink: path")?;
        let path = in_folder(vm, args, 1, path)?;
        let target = brief(vm, || file::read_link(&path))?;
        let target = raise_for_path(vm, target, &args[0])?;
        Ok(path_value(vm, &target, is_bytes))
    }),
    native("chmod(path, mode, *, dir_fd=None, follow_symlinks=True)", |vm, args| {
        let mode = int(vm, &args[1])? as u32;
        if !flag(vm, args, 3, true)? {
            return Err(vm.raise(ExceptionKind::NotImplementedError, "chmod: follow_symlinks unavailable on this platform"));
        }
        if is_int(&args[0]) {
            let fd = int(vm, &args[0])?;
            return descriptor_done(vm, file::change_mode_of(fd, mode));
        }
        let (path, _) = path_or_number(vm, &args[0], "chmod", "string, bytes, os.PathLike or integer")?;
        let path = in_folder(vm, args, 2, path)?;
        let done = brief(vm, || file::change_mode(&path, mode))?;
        raise_for_path(vm, done, &args[0]).map(none)
    }),
    native("fchmod(fd, mode)", |vm, args| {
        let (fd, mode) = (int(vm, &args[0])?, int(vm, &args[1])? as u32);
        descriptor_done(vm, file::change_mode_of(fd, mode))
    }),
    native("chown(path, uid, gid, *, dir_fd=None, follow_symlinks=True)", |vm, args| {
        let follow = flag(vm, args, 4, true)?;
        chown(vm, args, "chown", follow)
    }),
    native("lchown(path, uid, gid)", |vm, args| chown(vm, args, "lchown", false)),
    native("utime(path, times=None, *, ns=None, dir_fd=None, follow_symlinks=True)", utime),
    native("truncate(path, length)", |vm, args| {
        let length = vm.index_i64(&args[1])?;
        if is_int(&args[0]) {
            let fd = int(vm, &args[0])?;
            return descriptor_done(vm, file::truncate(fd, length));
        }
        let (path, _) = path_or_number(vm, &args[0], "truncate", "string, bytes, os.PathLike or integer")?;
        let done = blocking(vm, || file::truncate_path(&path, length))?;
        raise_for_path(vm, done, &args[0]).map(none)
    }),
    native("mkfifo(path, mode=0o666, *, dir_fd=None)", |vm, args| {
        let (path, _) = path_argument(vm, &args[0], "mkfifo: path")?;
        let mode = args.given(1).map_or(Ok(0o666), |mode| int(vm, mode))? as u32;
        let path = in_folder(vm, args, 2, path)?;
        let done = brief(vm, || file::make_fifo(&path, mode))?;
        raise_for_path(vm, done, &args[0]).map(none)
    }),
    native("statvfs(path)", |vm, args| {
        let (path, _) = path_or_number(vm, &args[0], "statvfs", "string, bytes, os.PathLike or integer")?;
        let numbers = brief(vm, || file::file_system(&path))?;
        let numbers = raise_for_path(vm, numbers, &args[0])?;
        let values = numbers.iter().map(|&number| vm.new_int(number)).collect();
        structseq::make(vm, &STATVFS_RESULT, &STATVFS_FIELDS, values)
    }),
    // folders
    native("listdir(path=None)", |vm, args| {
        let (entries, is_bytes) = entries(vm, args.given_some(0), "listdir")?;
        let names = entries.iter().map(|entry| path_value(vm, &entry.name, is_bytes)).collect();
        Ok(vm.new_list(names))
    }),
    native("_scan(path=None)", |vm, args| {
        let (entries, is_bytes) = entries(vm, args.given_some(0), "scandir")?;
        let mut rows = Vec::with_capacity(entries.len());
        for entry in entries {
            let name = path_value(vm, &entry.name, is_bytes);
            let kind = match entry.kind {
                Some(EntryKind::Folder) => vm.new_char(u32::from('d')),
                Some(EntryKind::File) => vm.new_char(u32::from('f')),
                Some(EntryKind::Link) => vm.new_char(u32::from('l')),
                Some(EntryKind::Other) => vm.new_char(u32::from('o')),
                None => Value::NONE,
            };
            let inode = vm.new_int(entry.inode as i64);
            rows.push(vm.new_tuple(vec![name, inode, kind]));
        }
        Ok(vm.new_list(rows))
    }),
    native("getcwd()", |vm, _| {
        let folder = file::current_folder().map_err(|error| raise(vm, error, None))?;
        Ok(path_value(vm, &folder, false))
    }),
    native("getcwdb()", |vm, _| {
        let folder = file::current_folder().map_err(|error| raise(vm, error, None))?;
        Ok(path_value(vm, &folder, true))
    }),
    native("fspath(path)", |vm, args| os_fspath(vm, &args[0])),
    native("_normpath(path)", normalize_path),
    // descriptors
    native("close(fd)", |vm, args| {
        let fd = int(vm, &args[0])?;
        super::streams::make_before_close(vm, i64::from(fd)..i64::from(fd) + 1)?;
        let done = brief(vm, || file::close(fd))?;
        descriptor_done(vm, done)
    }),
    native("closerange(fd_low, fd_high, /)", |vm, args| {
        let (low, high) = (int(vm, &args[0])?, int(vm, &args[1])?);
        super::streams::make_before_close(vm, i64::from(low)..i64::from(high))?;
        file::close_range(low, high);
        Ok(Value::NONE)
    }),
    native("read(fd, length, /)", |vm, args| {
        let (fd, length) = (int(vm, &args[0])?, vm.index_i64(&args[1])?);
        let Ok(length) = usize::try_from(length) else {
            return Err(raise(vm, std::io::Error::from_raw_os_error(crate::os::errno::INVALID_ARGUMENT), None));
        };
        vm.charge(length)?;
        let mut buffer = vec![0; length];
        let count = vm.read_outside(fd, &mut buffer)?;
        let count = descriptor(vm, count)?;
        buffer.truncate(count);
        Ok(vm.new_bytes(buffer))
    }),
    native("pread(fd, length, offset, /)", |vm, args| {
        let (fd, length, offset) = (int(vm, &args[0])?, vm.index_i64(&args[1])?, vm.index_i64(&args[2])?);
        let length = usize::try_from(length).unwrap_or(0);
        vm.charge(length)?;
        let mut buffer = vec![0; length];
        let count = brief(vm, || file::read_at(fd, &mut buffer, offset))?;
        let count = descriptor(vm, count)?;
        buffer.truncate(count);
        Ok(vm.new_bytes(buffer))
    }),
    native("write(fd, data, /)", |vm, args| {
        let fd = int(vm, &args[0])?;
        let bytes = buffer(vm, &args[1])?;
        vm.charge_output(fd, bytes.len())?;
        let count = vm.write_outside(fd, &bytes)?;
        // A handler that is due runs before the count is seen, as in CPython.
        vm.poll()?;
        descriptor(vm, count).map(|count| Value::small(count as i64))
    }),
    native("pwrite(fd, buffer, offset, /)", |vm, args| {
        let (fd, offset) = (int(vm, &args[0])?, vm.index_i64(&args[2])?);
        let bytes = buffer(vm, &args[1])?;
        vm.charge_output(fd, bytes.len())?;
        let count = brief(vm, || file::write_at(fd, &bytes, offset))?;
        descriptor(vm, count).map(|count| Value::small(count as i64))
    }),
    native("lseek(fd, position, whence, /)", |vm, args| {
        let (fd, place, whence) = (int(vm, &args[0])?, vm.index_i64(&args[1])?, int(vm, &args[2])?);
        let place = descriptor(vm, file::seek(fd, place, whence))?;
        Ok(vm.new_int(place))
    }),
    native("fstat(fd)", |vm, args| {
        let fd = int(vm, &args[0])?;
        let status = brief(vm, || file::status_of(fd))?;
        let status = descriptor(vm, status)?;
        stat_result(vm, &status)
    }),
    native("fstatvfs(fd, /)", |vm, args| {
        let fd = fd_of(vm, &args[0])?;
        let numbers = brief(vm, || file::file_system(format!("/proc/self/fd/{fd}").as_bytes()))?;
        // No such entry is no such descriptor.
        let numbers =
            numbers.map_err(|error| if error.kind() == std::io::ErrorKind::NotFound { std::io::Error::from_raw_os_error(9) } else { error });
        let numbers = descriptor(vm, numbers)?;
        let values = numbers.iter().map(|&number| vm.new_int(number)).collect();
        structseq::make(vm, &STATVFS_RESULT, &STATVFS_FIELDS, values)
    }),
    native("ftruncate(fd, length, /)", |vm, args| {
        let (fd, length) = (int(vm, &args[0])?, vm.index_i64(&args[1])?);
        let done = blocking(vm, || file::truncate(fd, length))?;
        descriptor_done(vm, done)
    }),
    native("fsync(fd)", |vm, args| {
        let fd = fd_of(vm, &args[0])?;
        let done = blocking(vm, || file::sync(fd))?;
        descriptor_done(vm, done)
    }),
    native("fdatasync(fd)", |vm, args| {
        let fd = fd_of(vm, &args[0])?;
        let done = blocking(vm, || file::sync(fd))?;
        descriptor_done(vm, done)
    }),
    native("dup(fd, /)", |vm, args| {
        let fd = int(vm, &args[0])?;
        descriptor(vm, file::duplicate(fd)).map(small)
    }),
    native("dup2(fd, fd2, inheritable=True)", |vm, args| {
        let (from, to, inheritable) = (int(vm, &args[0])?, int(vm, &args[1])?, flag(vm, args, 2, true)?);
        descriptor(vm, file::duplicate_to(from, to, inheritable)).map(small)
    }),
    native("pipe()", |vm, _| pipe(vm, file::CLOSE_ON_EXEC)),
    native("pipe2(flags, /)", |vm, args| {
        let flags = int(vm, &args[0])?;
        pipe(vm, flags)
    }),
    native("isatty(fd, /)", |vm, args| Ok(Value::from_bool(file::is_terminal(int(vm, &args[0])?)))),
    native("get_inheritable(fd, /)", |vm, args| {
        let fd = int(vm, &args[0])?;
        descriptor(vm, file::is_inheritable(fd)).map(Value::from_bool)
    }),
    native("set_inheritable(fd, inheritable, /)", |vm, args| {
        let (fd, inheritable) = (int(vm, &args[0])?, vm.is_true(&args[1])?);
        descriptor_done(vm, file::set_inheritable(fd, inheritable))
    }),
    native("get_blocking(fd, /)", |vm, args| {
        let fd = int(vm, &args[0])?;
        descriptor(vm, file::is_blocking(fd)).map(Value::from_bool)
    }),
    native("set_blocking(fd, blocking, /)", |vm, args| {
        let (fd, blocking) = (int(vm, &args[0])?, vm.is_true(&args[1])?);
        descriptor_done(vm, file::set_blocking(fd, blocking))
    }),
    native("get_terminal_size(fd=None, /)", |vm, args| {
        let fd = args.given_some(0).map_or(Ok(1), |fd| int(vm, fd))?;
        let (columns, lines) = descriptor(vm, file::terminal_size(fd))?;
        let values = vec![Value::small(i64::from(columns)), Value::small(i64::from(lines))];
        structseq::make(vm, &TERMINAL_SIZE, &TERMINAL_FIELDS, values)
    }),
    // the process
    native("getpid()", |_, _| Ok(small(process::id()))),
    native("getppid()", |_, _| Ok(small(process::parent_id()))),
    native("getuid()", |_, _| Ok(Value::small(process::identities().0.into()))),
    native("geteuid()", |_, _| Ok(Value::small(process::identities().1.into()))),
    native("getgid()", |_, _| Ok(Value::small(process::identities().2.into()))),
    native("getegid()", |_, _| Ok(Value::small(process::identities().3.into()))),
    native("getlogin()", |vm, _| {
        let name = descriptor(vm, process::login_name())?;
        Ok(vm.new_str(name))
    }),
    native("umask(mask, /)", |vm, args| Ok(Value::small(process::set_mask(int(vm, &args[0])? as u32).into()))),
    native("kill(pid, signal, /)", |vm, args| {
        let (process, signal) = (vm.parsed_int(&args[0])?, vm.index_i64(&args[1])?);
        let signal = i32::try_from(signal).unwrap_or(-1);
        descriptor(vm, process::kill(process, signal))?;
        vm.poll()?;
        Ok(Value::NONE)
    }),
    native("_exit(status)", |vm, args| {
        let status = int(vm, &args[0])?;
        process::exit_now(status)
    }),
    native("abort()", |_, _| process::abort()),
    native("cpu_count()", |_, _| Ok(process::processors().map_or(Value::NONE, Value::small))),
    native("_usable_cpu_count()", |_, _| Ok(process::usable_processors().map_or(Value::NONE, Value::small))),
    native("getloadavg()", |vm, _| {
        let Some(load) = process::load() else {
            return Err(vm.raise(ExceptionKind::OSError, "Load averages are unobtainable"));
        };
        let load = load.map(|value| vm.new_float(value));
        Ok(vm.new_tuple(load.to_vec()))
    }),
    native("times()", |vm, _| {
        let values = process::times().iter().map(|&time| vm.new_float(time)).collect();
        structseq::make(vm, &TIMES_RESULT, &TIMES_FIELDS, values)
    }),
    native("uname()", |vm, _| {
        let names = descriptor(vm, process::system_names())?;
        let values = names.iter().map(|name| vm.new_str(name.as_str())).collect();
        structseq::make(vm, &UNAME_RESULT, &UNAME_FIELDS, values)
    }),
    native("system(command)", |vm, args| {
        let (command, _) = path_argument(vm, &args[0], "system: command")?;
        let status = blocking(vm, || process::system(&command))?;
        descriptor(vm, status).map(small)
    }),
    native("waitpid(pid, options, /)", |vm, args| {
        let (process, options) = (vm.parsed_int(&args[0])?, vm.parsed_int(&args[1])?);
        wait(vm, process, options)
    })
    .stacked(),
    native("wait()", |vm, _| wait(vm, -1, 0)),
    native("waitstatus_to_exitcode(status)", |vm, args| {
        let status = int(vm, &args[0])?;
        match process::exit_code(status) {
            Some(code) => Ok(small(code)),
            None => Err(vm.value_error(format!("invalid wait status: {status}"))),
        }
    }),
    native("WIFEXITED(status)", |vm, args| Ok(Value::from_bool(int(vm, &args[0])? & 0x7f == 0))),
    native("WEXITSTATUS(status)", |vm, args| Ok(small(int(vm, &args[0])? >> 8 & 0xff))),
    native("WIFSIGNALED(status)", |vm, args| Ok(Value::from_bool(((int(vm, &args[0])? & 0x7f) + 1) as i8 >> 1 > 0))),
    native("WTERMSIG(status)", |vm, args| Ok(small(int(vm, &args[0])? & 0x7f))),
    native("WIFSTOPPED(status)", |vm, args| Ok(Value::from_bool(int(vm, &args[0])? & 0xff == 0x7f))),
    native("WSTOPSIG(status)", |vm, args| Ok(small(int(vm, &args[0])? >> 8 & 0xff))),
    native("WIFCONTINUED(status)", |vm, args| Ok(Value::from_bool(int(vm, &args[0])? == 0xffff))),
    native("WCOREDUMP(status, /)", |vm, args| Ok(Value::from_bool(int(vm, &args[0])? & 0x80 != 0))),
    native("execv(path, argv, /)", |vm, args| execute(vm, &args[0], &args[1], None, "execv")),
    native("execve(path, argv, env)", |vm, args| execute(vm, &args[0], &args[1], Some(&args[2]), "execve")),
    native("_spawn(programs, argv, env, cwd, streams, pass_fds, close_fds, restore_signals, start_new_session, process_group, umask)", spawn_process),
    native("sched_yield()", |vm, _| {
        vm.detached(process::give_way);
        Ok(Value::NONE)
    }),
    // the environment
    native("putenv(name, value, /)", |vm, args| {
        let name = variable(vm, &args[0])?;
        let value = variable(vm, &args[1])?;
        if name.contains(&b'=') || name.is_empty() {
            return Err(vm.value_error("illegal environment variable name"));
        }
        process::set_variable(&name, &value);
        Ok(Value::NONE)
    }),
    native("unsetenv(name, /)", |vm, args| {
        let name = variable(vm, &args[0])?;
        if name.contains(&b'=') || name.is_empty() {
            return Err(raise(vm, std::io::Error::from_raw_os_error(crate::os::errno::INVALID_ARGUMENT), None));
        }
        process::remove_variable(&name);
        Ok(Value::NONE)
    }),
    // the rest
    native("urandom(size, /)", |vm, args| {
        let size = vm.index_i64(&args[0])?;
        let Ok(size) = usize::try_from(size) else { return Err(vm.value_error("negative argument not allowed")) };
        random_bytes(vm, size)
    }),
    native("getrandom(size, flags=0)", |vm, args| {
        let size = vm.index_i64(&args[0])?;
        if let Some(flags) = args.given(1) {
            int(vm, flags)?;
        }
        let Ok(size) = usize::try_from(size) else { return Err(vm.value_error("negative argument not allowed")) };
        random_bytes(vm, size)
    }),
    native("strerror(code, /)", |vm, args| {
        let code = int(vm, &args[0])?;
        Ok(vm.new_str(file::error_text(code)))
    }),
    native("device_encoding(fd)", |vm, args| {
        let fd = int(vm, &args[0])?;
        Ok(if file::is_terminal(fd) { vm.new_str("UTF-8") } else { Value::NONE })
    }),
    native("major(device, /)", |vm, args| {
        let device = device(vm, &args[0])?;
        Ok(vm.new_int(((device >> 8 & 0xfff) | (device >> 32 & !0xfff)) as i64))
    }),
    native("minor(device, /)", |vm, args| {
        let device = device(vm, &args[0])?;
        Ok(vm.new_int(((device & 0xff) | (device >> 12 & !0xff)) as i64))
    }),
    native("makedev(major, minor, /)", |vm, args| {
        let (major, minor) = (device(vm, &args[0])?, device(vm, &args[1])?);
        Ok(vm.new_int(((major & 0xfff) << 8 | (major & !0xfff) << 32 | minor & 0xff | (minor & !0xff) << 12) as i64))
    }),
];

// ---- named tuples

const STAT_FIELDS: Fields = Fields {
    items: &["st_mode", "st_ino", "st_dev", "st_nlink", "st_uid", "st_gid", "st_size", "st_atime", "st_mtime", "st_ctime"],
    hidden: &["st_atime", "st_mtime", "st_ctime", "st_atime_ns", "st_mtime_ns", "st_ctime_ns", "st_blksize", "st_blocks", "st_rdev"],
};
const TERMINAL_FIELDS: Fields = Fields { items: &["columns", "lines"], hidden: &[] };
const TIMES_FIELDS: Fields = Fields { items: &["user", "system", "children_user", "children_system", "elapsed"], hidden: &[] };
const UNAME_FIELDS: Fields = Fields { items: &["sysname", "nodename", "release", "version", "machine"], hidden: &[] };
const STATVFS_FIELDS: Fields = Fields {
    items: &["f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_favail", "f_flag", "f_namemax"],
    hidden: &["f_fsid"],
};

const USAGE_FIELDS: Fields = Fields {
    items: &[
        "ru_utime",
        "ru_stime",
        "ru_maxrss",
        "ru_ixrss",
        "ru_idrss",
        "ru_isrss",
        "ru_minflt",
        "ru_majflt",
        "ru_nswap",
        "ru_inblock",
        "ru_oublock",
        "ru_msgsnd",
        "ru_msgrcv",
        "ru_nsignals",
        "ru_nvcsw",
        "ru_nivcsw",
    ],
    hidden: &[],
};

static USAGE: TypeSpec = structseq::spec(
    "resource.struct_rusage",
    "What a process used.",
    None,
    &USAGE_FIELDS,
    &[
        item::<0>("ru_utime"),
        item::<1>("ru_stime"),
        item::<2>("ru_maxrss"),
        item::<3>("ru_ixrss"),
        item::<4>("ru_idrss"),
        item::<5>("ru_isrss"),
        item::<6>("ru_minflt"),
        item::<7>("ru_majflt"),
        item::<8>("ru_nswap"),
        item::<9>("ru_inblock"),
        item::<10>("ru_oublock"),
        item::<11>("ru_msgsnd"),
        item::<12>("ru_msgrcv"),
        item::<13>("ru_nsignals"),
        item::<14>("ru_nvcsw"),
        item::<15>("ru_nivcsw"),
    ],
    Slots { repr: Some(|vm, value| structseq::show(vm, value, "resource.struct_rusage", &USAGE_FIELDS)), ..Slots::NONE },
);

static STAT_RESULT: TypeSpec = structseq::spec(
    "os.stat_result",
    "What the system says of a file.",
    Some(
        native("stat_result(sequence, dict=None)", |vm, args| structseq::construct(vm, args, &STAT_FIELDS, "os.stat_result"))
            .shown("(iterable=(), /)"),
    ),
    &STAT_FIELDS,
    &[
        item::<0>("st_mode"),
        item::<1>("st_ino"),
        item::<2>("st_dev"),
        item::<3>("st_nlink"),
        item::<4>("st_uid"),
        item::<5>("st_gid"),
        item::<6>("st_size"),
        getter("st_atime", |vm, value| structseq::hidden(vm, value, "st_atime")),
        getter("st_mtime", |vm, value| structseq::hidden(vm, value, "st_mtime")),
        getter("st_ctime", |vm, value| structseq::hidden(vm, value, "st_ctime")),
        getter("st_atime_ns", |vm, value| structseq::hidden(vm, value, "st_atime_ns")),
        getter("st_mtime_ns", |vm, value| structseq::hidden(vm, value, "st_mtime_ns")),
        getter("st_ctime_ns", |vm, value| structseq::hidden(vm, value, "st_ctime_ns")),
        getter("st_blksize", |vm, value| structseq::hidden(vm, value, "st_blksize")),
        getter("st_blocks", |vm, value| structseq::hidden(vm, value, "st_blocks")),
        getter("st_rdev", |vm, value| structseq::hidden(vm, value, "st_rdev")),
    ],
    Slots { repr: Some(|vm, value| structseq::show(vm, value, "os.stat_result", &STAT_FIELDS)), ..Slots::NONE },
);

static TERMINAL_SIZE: TypeSpec = structseq::spec(
    "os.terminal_size",
    "The size of a terminal.",
    Some(
        native("terminal_size(sequence, dict=None)", |vm, args| structseq::construct(vm, args, &TERMINAL_FIELDS, "os.terminal_size"))
            .shown("(iterable=(), /)"),
    ),
    &TERMINAL_FIELDS,
    &[item::<0>("columns"), item::<1>("lines")],
    Slots { repr: Some(|vm, value| structseq::show(vm, value, "os.terminal_size", &TERMINAL_FIELDS)), ..Slots::NONE },
);

static TIMES_RESULT: TypeSpec = structseq::spec(
    "posix.times_result",
    "How long the process has run.",
    Some(
        native("times_result(sequence, dict=None)", |vm, args| structseq::construct(vm, args, &TIMES_FIELDS, "posix.times_result"))
            .shown("(iterable=(), /)"),
    ),
    &TIMES_FIELDS,
    &[item::<0>("user"), item::<1>("system"), item::<2>("children_user"), item::<3>("children_system"), item::<4>("elapsed")],
    Slots { repr: Some(|vm, value| structseq::show(vm, value, "posix.times_result", &TIMES_FIELDS)), ..Slots::NONE },
);

static UNAME_RESULT: TypeSpec = structseq::spec(
    "posix.uname_result",
    "The names of the system.",
    Some(
        native("uname_result(sequence, dict=None)", |vm, args| structseq::construct(vm, args, &UNAME_FIELDS, "posix.uname_result"))
            .shown("(iterable=(), /)"),
    ),
    &UNAME_FIELDS,
    &[item::<0>("sysname"), item::<1>("nodename"), item::<2>("release"), item::<3>("version"), item::<4>("machine")],
    Slots { repr: Some(|vm, value| structseq::show(vm, value, "posix.uname_result", &UNAME_FIELDS)), ..Slots::NONE },
);

static STATVFS_RESULT: TypeSpec = structseq::spec(
    "os.statvfs_result",
    "What the system says of a file system.",
    Some(
        native("statvfs_result(sequence, dict=None)", |vm, args| structseq::construct(vm, args, &STATVFS_FIELDS, "os.statvfs_result"))
            .shown("(iterable=(), /)"),
    ),
    &STATVFS_FIELDS,
    &[
        item::<0>("f_bsize"),
        item::<1>("f_frsize"),
        item::<2>("f_blocks"),
        item::<3>("f_bfree"),
        item::<4>("f_bavail"),
        item::<5>("f_files"),
        item::<6>("f_ffree"),
        item::<7>("f_favail"),
        item::<8>("f_flag"),
        item::<9>("f_namemax"),
        getter("f_fsid", |vm, value| structseq::hidden(vm, value, "f_fsid")),
    ],
    Slots { repr: Some(|vm, value| structseq::show(vm, value, "os.statvfs_result", &STATVFS_FIELDS)), ..Slots::NONE },
);

fn init(vm: &mut Vm, module: &Value) -> Result<()> {
    for spec in [&STAT_RESULT, &TERMINAL_SIZE, &TIMES_RESULT, &UNAME_RESULT, &STATVFS_RESULT] {
        vm.native_type(spec);
    }
    for &(name, value) in file::flags::NAMED.iter().chain(process::NAMED) {
        vm.set_attr_str(module, name, &Value::small(value.into()))?;
    }
    for (name, value) in [("F_OK", 0), ("R_OK", 4), ("W_OK", 2), ("X_OK", 1)] {
        vm.set_attr_str(module, name, &Value::small(value))?;
    }
    super::posix::fill(vm, module)?;
    let environment = vm.new_dict();
    for (name, value) in process::environment() {
        let name = path_value(vm, &name, false);
        let value = path_value(vm, &value, false);
        vm.dict_set(&environment, &name, value)?;
    }
    vm.set_attr_str(module, "environ", &environment.into_value())
}

// ---- arguments and results

fn small(value: i32) -> Value {
    Value::small(value.into())
}

fn none((): ()) -> Value {
    Value::NONE
}

pub(super) fn int(vm: &mut Vm, value: &Value) -> Result<i32> {
    vm.c_int(value)
}

fn flag(vm: &mut Vm, args: Args<'_>, index: usize, default: bool) -> Result<bool> {
    args.given(index).map_or(Ok(default), |value| vm.is_true(value))
}

/// A `dir_fd` argument.
fn folder_fd(vm: &mut Vm, folder: &Value) -> Result<i32> {
    if vm.index(folder).is_err() {
        vm.take_raised();
        let message = format!("argument should be integer or None, not {}", vm.type_name(folder));
        return Err(vm.type_error(message));
    }
    int(vm, folder)
}

/// The path as seen from the folder that a `dir_fd` argument names.
pub(super) fn in_folder(vm: &mut Vm, args: Args<'_>, index: usize, path: Vec<u8>) -> Result<Vec<u8>> {
    let Some(folder) = args.given_some(index) else { return Ok(path) };
    let folder = folder_fd(vm, folder)?;
    if path.first() == Some(&b'/') {
        return Ok(path);
    }
    // The system shows every descriptor's folder under this name, so each call on paths takes a folder.
    let mut whole = format!("/proc/self/fd/{folder}/").into_bytes();
    whole.extend(path);
    Ok(whole)
}

/// The number of a device.
fn device(vm: &mut Vm, value: &Value) -> Result<u64> {
    if !is_int(value) {
        return Err(vm.type_error("an integer is required"));
    }
    Ok(vm.index_i64(value)? as u64)
}

/// The descriptor of a number, or of what has `fileno()`.
pub(super) fn fd_of(vm: &mut Vm, value: &Value) -> Result<i32> {
    let fd = if is_int(value) {
        int(vm, value)?
    } else {
        let Some(method) = vm.find_attr_str(value, "fileno")? else {
            return Err(vm.type_error("argument must be an int, or have a fileno() method."));
        };
        let fd = vm.call(&method, &[])?;
        if !is_int(&fd) {
            return Err(vm.type_error("fileno() returned a non-integer"));
        }
        int(vm, &fd)?
    };
    if fd < 0 {
        return Err(vm.value_error(format!("file descriptor cannot be a negative integer ({fd})")));
    }
    Ok(fd)
}

/// What `wait3` tells: `resource.struct_rusage` where there is such a module, otherwise its items.
pub(super) fn children_usage(vm: &mut Vm, values: Vec<Value>) -> Result<Value> {
    structseq::make(vm, &USAGE, &USAGE_FIELDS, values)
}

/// `_normpath(path)`: `os.path.normpath`.
fn normalize_path(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let path = os_fspath(vm, &args[0])?;
    if let Some(text) = vm.text_of(&path) {
        let text = match text.as_ascii() {
            Some(ascii) => Text::from_ascii(&normalized(ascii.as_bytes(), b'/', b'.')),
            None => {
                let codes: Vec<u32> = text.codes().collect();
                Text::from_ucs4(&normalized(&codes, u32::from('/'), u32::from('.')))
            }
        };
        return Ok(vm.new_str(text));
    }
    let bytes = vm.bytes_vec(&path)?;
    Ok(vm.new_bytes(normalized(&bytes, b'/', b'.')))
}

/// A path as scripts see it: `bytes` when they asked with `bytes`.
pub(super) fn path_value(vm: &Vm, path: &[u8], is_bytes: bool) -> Value {
    if is_bytes { vm.new_bytes(path) } else { vm.new_str(decode_os(path)) }
}

pub(super) fn raise_for_path<T>(vm: &mut Vm, result: std::io::Result<T>, path: &Value) -> Result<T> {
    result.map_err(|error| {
        let shown = shown_path(vm, path);
        raise(vm, error, Some(&shown))
    })
}

/// A path as errors show it: what a path-like object stands for.
fn shown_path(vm: &mut Vm, path: &Value) -> Value {
    match os_fspath(vm, path) {
        Ok(path) => path,
        Err(_) => {
            vm.take_raised();
            path.clone()
        }
    }
}

/// The failure of a call on two paths.
fn with_paths(vm: &mut Vm, result: std::io::Result<()>, from: &Value, to: &Value) -> Result<Value> {
    result.map(none).map_err(|error| {
        let (from, to) = (shown_path(vm, from), shown_path(vm, to));
        raise_two(vm, error, Some(&from), Some(&to))
    })
}

/// So many bytes of the system's randomness, in pieces.
fn random_bytes(vm: &mut Vm, size: usize) -> Result<Value> {
    const PIECE: usize = 1 << 20;
    vm.charge(size)?;
    let mut bytes: Vec<u8> = vm.room_for(size)?;
    while bytes.len() < size {
        let more = size.min(bytes.len() + PIECE) - bytes.len();
        let more = blocking(vm, || random::bytes(more))?;
        bytes.extend(descriptor(vm, more)?);
        vm.poll()?;
    }
    Ok(vm.new_bytes(bytes))
}

pub(super) fn descriptor<T>(vm: &mut Vm, result: std::io::Result<T>) -> Result<T> {
    result.map_err(|error| raise(vm, error, None))
}

pub(super) fn descriptor_done(vm: &mut Vm, result: std::io::Result<()>) -> Result<Value> {
    descriptor(vm, result).map(none)
}

/// A call on one path that gives nothing; `folder` is the place of its `dir_fd`.
fn on_path(vm: &mut Vm, args: Args<'_>, name: &str, folder: usize, call: fn(&[u8]) -> std::io::Result<()>) -> Result<Value> {
    let (path, _) = path_argument(vm, &args[0], &format!("{name}: path"))?;
    let path = in_folder(vm, args, folder, path)?;
    let done = brief(vm, || call(&path))?;
    raise_for_path(vm, done, &args[0]).map(none)
}

fn rename(vm: &mut Vm, args: Args<'_>, name: &str) -> Result<Value> {
    let (from, _) = path_argument(vm, &args[0], &format!("{name}: src"))?;
    let (to, _) = path_argument(vm, &args[1], &format!("{name}: dst"))?;
    let (from, to) = (in_folder(vm, args, 2, from)?, in_folder(vm, args, 3, to)?);
    let done = brief(vm, || file::rename(&from, &to))?;
    with_paths(vm, done, &args[0], &args[1])
}

/// A user or group; -1 leaves it as it is.
fn owner(vm: &mut Vm, value: &Value, kind: &str) -> Result<u32> {
    let number = vm.index(value)?;
    match number.as_ref().to_i64() {
        Some(-1) => Ok(u32::MAX),
        Some(number @ 0..=0xffff_fffe) => Ok(number as u32),
        // As CPython words it, which looks at the lowest bits first.
        Some(_) => Err(vm.overflow_error(format!("{kind} is less than minimum"))),
        None if number.as_ref().is_negative() => Err(vm.overflow_error(format!("{kind} is less than minimum"))),
        None => Err(vm.overflow_error(format!("{kind} is greater than maximum"))),
    }
}

fn chown(vm: &mut Vm, args: Args<'_>, name: &str, follow: bool) -> Result<Value> {
    let (path, _) = if name == "chown" {
        path_or_number(vm, &args[0], name, "string, bytes, os.PathLike or integer")?
    } else {
        path_argument(vm, &args[0], &format!("{name}: path"))?
    };
    let path = if name == "chown" { in_folder(vm, args, 3, path)? } else { path };
    let (user, group) = (owner(vm, &args[1], "uid")?, owner(vm, &args[2], "gid")?);
    let done = brief(vm, || file::change_owner(&path, user, group, follow))?;
    raise_for_path(vm, done, &args[0]).map(none)
}

fn stat(vm: &mut Vm, path: &Value, folder: Option<&Value>, follow: bool, name: &str) -> Result<Value> {
    if is_int(path) && name == "stat" {
        let fd = int(vm, path)?;
        let status = brief(vm, || file::status_of(fd))?;
        let status = descriptor(vm, status)?;
        return stat_result(vm, &status);
    }
    let folder = folder.map(|folder| folder_fd(vm, folder)).transpose()?;
    let (bytes, _) = if name == "stat" {
        path_or_number(vm, path, name, "string, bytes, os.PathLike or integer")?
    } else {
        path_argument(vm, path, &format!("{name}: path"))?
    };
    let status = brief(vm, || file::status_at(folder, &bytes, follow))?;
    let status = raise_for_path(vm, status, path)?;
    stat_result(vm, &status)
}

/// The path of a folder or file that may be given by its descriptor; `kinds` are what the complaint names.
pub(super) fn path_or_number(vm: &mut Vm, path: &Value, name: &str, kinds: &str) -> Result<(Vec<u8>, bool)> {
    if is_int(path) {
        let fd = int(vm, path)?;
        return Ok((format!("/proc/self/fd/{fd}").into_bytes(), false));
    }
    path_argument(vm, path, &format!("{name}: path")).map_err(|raised| {
        if path.holds::<Str>() || !vm.raised_is(ExceptionKind::TypeError) {
            return raised;
        }
        // What `__fspath__` gives is told of by itself.
        let raised = vm.take_raised();
        if matches!(vm.find_special(path, "__fspath__"), Ok(Some(method)) if !method.is_none()) {
            return vm.raise_value(raised);
        }
        let given = vm.type_name(path);
        vm.type_error(format!("{name}: path should be {kinds}, not {given}"))
    })
}

fn stat_result(vm: &mut Vm, status: &Status) -> Result<Value> {
    let whole = |time: i128| time.div_euclid(1_000_000_000) as i64;
    let mut values: Vec<Value> = [
        i64::from(status.mode),
        status.inode as i64,
        status.device as i64,
        status.n_links as i64,
        i64::from(status.user),
        i64::from(status.group),
        status.size,
        whole(status.accessed),
        whole(status.modified),
        whole(status.changed),
    ]
    .into_iter()
    .map(|number| vm.new_int(number))
    .collect();
    let times = [status.accessed, status.modified, status.changed];
    values.extend(times.map(|time| vm.new_float(whole(time) as f64 + time.rem_euclid(1_000_000_000) as f64 * 1e-9)));
    values.extend(times.map(|time| vm.new_int(time as i64)));
    values.extend([status.block_size, status.n_blocks, status.special_device as i64].map(|number| vm.new_int(number)));
    structseq::make(vm, &STAT_RESULT, &STAT_FIELDS, values)
}

fn utime(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (path, _) = path_or_number(vm, &args[0], "utime", "string, bytes, os.PathLike or integer")?;
    let path = in_folder(vm, args, 3, path)?;
    let follow = flag(vm, args, 4, true)?;
    let times = match (args.given_some(1), args.given(2).filter(|value| !value.is_none())) {
        (Some(_), Some(_)) => {
            return Err(vm.value_error("utime: you may specify either 'times' or 'ns' but not both"));
        }
        (None, None) => None,
        (Some(times), None) => {
            let pair = pair(vm, times, "utime: 'times' must be either a tuple of two ints or None")?;
            let mut nanoseconds = [0; 2];
            for (place, value) in pair.iter().enumerate() {
                nanoseconds[place] = match float_of(vm, value) {
                    Some(seconds) => (seconds.floor() as i128) * 1_000_000_000 + ((seconds - seconds.floor()) * 1e9) as i128,
                    None => i128::from(vm.index_i64(value)?) * 1_000_000_000,
                };
            }
            Some((nanoseconds[0], nanoseconds[1]))
        }
        (None, Some(times)) => {
            let pair = pair(vm, times, "utime: 'ns' must be a tuple of two ints")?;
            Some((i128::from(vm.index_i64(&pair[0])?), i128::from(vm.index_i64(&pair[1])?)))
        }
    };
    let done = brief(vm, || file::set_times(&path, times, follow))?;
    raise_for_path(vm, done, &args[0]).map(none)
}

fn pair(vm: &mut Vm, value: &Value, complaint: &str) -> Result<Vec<Value>> {
    let is_tuple = value.holds::<crate::object::types::tuple::Tuple>();
    let items = if is_tuple { vm.tuple_items(value) } else { Vec::new() };
    if items.len() == 2 { Ok(items) } else { Err(vm.type_error(complaint)) }
}

/// The entries of a folder (the current one without a path), and whether names are to be `bytes`.
fn entries(vm: &mut Vm, path: Option<&Value>, name: &str) -> Result<(Vec<file::FolderEntry>, bool)> {
    let (bytes, is_bytes) = match path {
        Some(path) => path_or_number(vm, path, name, "string, bytes, os.PathLike, integer or None")?,
        None => (b".".to_vec(), false),
    };
    let listed = brief(vm, || file::list(&bytes))?;
    let listed = listed.map_err(|error| {
        let shown = match path {
            Some(path) => shown_path(vm, path),
            None => vm.new_str("."),
        };
        raise(vm, error, Some(&shown))
    })?;
    Ok((listed, is_bytes))
}

fn pipe(vm: &mut Vm, flags: i32) -> Result<Value> {
    let (reader, writer) = descriptor(vm, file::pipe(flags))?;
    Ok(vm.new_tuple(vec![small(reader), small(writer)]))
}

fn wait(vm: &mut Vm, process: i32, options: i32) -> Result<Value> {
    let waited = vm.wait_for_child(process, options)?;
    let (child, status) = descriptor(vm, waited)?;
    Ok(vm.new_tuple(vec![small(child), small(status)]))
}

/// A name or value of the environment.
fn variable(vm: &mut Vm, value: &Value) -> Result<Vec<u8>> {
    let bytes = if value.holds::<Str>() {
        match encode_os(text(vm, value)) {
            Some(bytes) => bytes,
            None => return Err(vm.value_error("surrogates not allowed")),
        }
    } else {
        buffer(vm, value)?
    };
    if bytes.contains(&0) {
        return Err(vm.value_error("embedded null byte"));
    }
    Ok(bytes)
}

/// The `NAME=value` texts of a mapping.
pub(super) fn variables(vm: &mut Vm, environment: &Value) -> Result<Vec<Vec<u8>>> {
    let keys = vm.call_method(environment, "keys", &[])?;
    let mut pairs = Vec::new();
    for key in vm.collect(&keys)? {
        let value = vm.get_item(environment, &key)?;
        let mut pair = variable(vm, &key)?;
        if pair.is_empty() || pair[1..].contains(&b'=') {
            return Err(vm.value_error("illegal environment variable name"));
        }
        pair.push(b'=');
        pair.extend(variable(vm, &value)?);
        pairs.push(pair);
    }
    Ok(pairs)
}

/// A list of paths or arguments as bytes.
fn byte_strings(vm: &mut Vm, list: &Value, what: &str) -> Result<Vec<Vec<u8>>> {
    let mut strings = Vec::new();
    for item in &vm.collect(list)? {
        strings.push(path_argument(vm, item, what)?.0);
    }
    Ok(strings)
}

/// `_spawn`: starts a program. Gives (process, 0, ""), or (-1, errno, stage) with the stage "start", "cwd" or "exec".
fn spawn_process(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let programs = byte_strings(vm, &args[0], "_spawn: program")?;
    let arguments = byte_strings(vm, &args[1], "_spawn: argument")?;
    let environment = if args[2].is_none() { None } else { Some(byte_strings(vm, &args[2], "_spawn: environment")?) };
    let folder = if args[3].is_none() { None } else { Some(path_argument(vm, &args[3], "_spawn: cwd")?.0) };
    let mut streams = [-1; 3];
    for (place, item) in vm.collect(&args[4])?.iter().take(3).enumerate() {
        streams[place] = int(vm, item)?;
    }
    let mut passed = Vec::new();
    for item in &vm.collect(&args[5])? {
        passed.push(int(vm, item)?);
    }
    let (close_others, restore_signals, new_session) = (flag(vm, args, 6, true)?, flag(vm, args, 7, true)?, flag(vm, args, 8, false)?);
    let (group, mask) = (int(vm, &args[9])?, int(vm, &args[10])?);
    let child = spawn::Child {
        programs: &programs,
        arguments: &arguments,
        environment: environment.as_deref(),
        folder: folder.as_deref(),
        streams,
        passed: &passed,
        close_others,
        restore_signals,
        new_session,
        group,
        mask,
    };
    let (process, code, stage) = match spawn::spawn(&child) {
        Ok(process) => (process, 0, ""),
        Err((stage, error)) => {
            let stage = match stage {
                spawn::Stage::Start => "start",
                spawn::Stage::Folder => "cwd",
                spawn::Stage::Program => "exec",
            };
            (-1, error.raw_os_error().unwrap_or(0), stage)
        }
    };
    let stage = vm.new_str(stage);
    Ok(vm.new_tuple(vec![small(process), small(code), stage]))
}

fn execute(vm: &mut Vm, path: &Value, arguments: &Value, environment: Option<&Value>, name: &str) -> Result<Value> {
    let (program, _) = path_argument(vm, path, &format!("{name}: path"))?;
    let items = vm.collect(arguments)?;
    if items.is_empty() {
        return Err(vm.value_error(format!("{name}() arg 2 must not be empty")));
    }
    if vm.len(&items[0]).is_ok_and(|length| length == 0) {
        return Err(vm.value_error(format!("{name}() arg 2 first element cannot be empty")));
    }
    let mut strings = Vec::with_capacity(items.len());
    for item in &items {
        strings.push(path_argument(vm, item, &format!("{name}: argument"))?.0);
    }
    let variables = match environment {
        None => None,
        Some(environment) => Some(variables(vm, environment)?),
    };
    let error = process::execute(&program, &strings, variables.as_deref());
    Err(raise(vm, error, Some(path)))
}
