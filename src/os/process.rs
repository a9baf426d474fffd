//! The process: who it is, its environment, its limits and its end.
#![allow(unsafe_code, reason = "calls libc; structures are passed by references that outlive the call")]

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The variables of the environment.
pub(crate) fn environment() -> Vec<(Vec<u8>, Vec<u8>)> {
    std::env::vars_os().map(|(name, value)| (name.into_vec(), value.into_vec())).collect()
}

/// A variable of the environment, if it is there and is text.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Sets a variable.
pub(crate) fn set_variable(name: &[u8], value: &[u8]) {
    // SAFETY: Rust's own readers take the same lock; C code that reads the environment meanwhile is the hazard every
    // process with threads has that calls `putenv`.
    unsafe { std::env::set_var(OsStr::from_bytes(name), OsStr::from_bytes(value)) }
}

/// Removes a variable.
pub(crate) fn remove_variable(name: &[u8]) {
    // SAFETY: as above.
    unsafe { std::env::remove_var(OsStr::from_bytes(name)) }
}

/// Ends the process at once: nothing is flushed, nobody is told.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

/// The process's number.
pub(crate) fn id() -> i32 {
    std::process::id() as i32
}

/// The number of the parent.
pub(crate) fn parent_id() -> i32 {
    // SAFETY: touches no memory of ours.
    unsafe { libc::getppid() }
}

/// User, effective user, group, effective group.
pub(crate) fn identities() -> (u32, u32, u32, u32) {
    // SAFETY: these touch no memory of ours.
    unsafe { (libc::getuid(), libc::geteuid(), libc::getgid(), libc::getegid()) }
}

/// Sends a signal.
pub(crate) fn kill(process: i32, signal: i32) -> io::Result<()> {
    // SAFETY: touches no memory of ours.
    if unsafe { libc::kill(process, signal) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sets which rights new files do not get; the old ones.
pub(crate) fn set_mask(mask: u32) -> u32 {
    // SAFETY: touches no memory of ours.
    unsafe { libc::umask(mask) }
}

/// System, node, release, version, machine.
pub(crate) fn system_names() -> io::Result<[String; 5]> {
    let mut names = MaybeUninit::<libc::utsname>::zeroed();
    // SAFETY: the structure is ours.
    if unsafe { libc::uname(names.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: filled by the call.
    let names = unsafe { names.assume_init() };
    let text = |field: &[libc::c_char]| {
        let bytes: Vec<u8> = field.iter().take_while(|&&byte| byte != 0).map(|&byte| byte as u8).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok([text(&names.sysname), text(&names.nodename), text(&names.release), text(&names.version), text(&names.machine)])
}

/// Seconds of user and system time of the process and of its children, and since some moment.
pub(crate) fn times() -> [f64; 5] {
    let mut times = libc::tms { tms_utime: 0, tms_stime: 0, tms_cutime: 0, tms_cstime: 0 };
    // SAFETY: the structure is ours.
    let elapsed = unsafe { libc::times(&raw mut times) };
    // SAFETY: touches no memory of ours.
    let rate = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
    [times.tms_utime, times.tms_stime, times.tms_cutime, times.tms_cstime, elapsed].map(|ticks| ticks as f64 / rate)
}

/// How many processors the system has.
pub(crate) fn processors() -> Option<i64> {
    // SAFETY: touches no memory of ours.
    let count = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    (count > 0).then_some(count)
}

/// How many processors the process may use.
pub(crate) fn usable_processors() -> Option<i64> {
    std::thread::available_parallelism().ok().map(|count| count.get() as i64)
}

/// The name the user logged in by.
pub(crate) fn login_name() -> io::Result<String> {
    unsafe extern "C" {
        fn getlogin_r(name: *mut libc::c_char, size: libc::size_t) -> libc::c_int;
    }
    let mut buffer = [0_u8; 256];
    // SAFETY: the buffer is as long as we say.
    match unsafe { getlogin_r(buffer.as_mut_ptr().cast(), buffer.len()) } {
        0 => Ok(CStr::from_bytes_until_nul(&buffer).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Runs a command line by the shell; the status as `wait` gives it.
pub(crate) fn system(command: &[u8]) -> io::Result<i32> {
    let command = CString::new(command).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // SAFETY: the command ends with NUL.
    Ok(unsafe { libc::system(command.as_ptr()) })
}

/// Averages of the system's load.
pub(crate) fn load() -> Option<[f64; 3]> {
    let mut load = [0.0; 3];
    // SAFETY: the array has room for three.
    (unsafe { libc::getloadavg(load.as_mut_ptr(), 3) } == 3).then_some(load)
}

/// Waits for a child; its number and status.
pub(crate) fn wait_for(process: i32, options: i32) -> io::Result<(i32, i32)> {
    let mut status = 0;
    // SAFETY: the status is ours.
    let child = unsafe { libc::waitpid(process, &raw mut status, options) };
    if child < 0 { Err(io::Error::last_os_error()) } else { Ok((child, status)) }
}

/// Option of [`wait_for`]: give the answer at once, (0, 0) when there is none yet.
pub(crate) const NO_WAIT: i32 = libc::WNOHANG;

/// Waits until `waitpid(process, options)` would have an answer, which it leaves to be asked for.
pub(crate) fn wait_until_changed(process: i32, options: i32) -> io::Result<()> {
    let (kind, id) = match process {
        1.. => (libc::P_PID, process),
        -1 => (libc::P_ALL, 0),
        // SAFETY: touches no memory of ours.
        0 => (libc::P_PGID, unsafe { libc::getpgrp() }),
        _ => (libc::P_PGID, process.wrapping_neg()),
    };
    let mut what = libc::WEXITED | libc::WNOWAIT;
    if options & libc::WUNTRACED != 0 {
        what |= libc::WSTOPPED;
    }
    if options & libc::WCONTINUED != 0 {
        what |= libc::WCONTINUED;
    }
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: the structure is ours.
    if unsafe { libc::waitid(kind, id as libc::id_t, info.as_mut_ptr(), what) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The exit code in a status of `wait`: negative for a signal; `None` for a child that only stopped.
pub(crate) fn exit_code(status: i32) -> Option<i32> {
    if libc::WIFEXITED(status) {
        Some(libc::WEXITSTATUS(status))
    } else if libc::WIFSIGNALED(status) {
        Some(-libc::WTERMSIG(status))
    } else {
        None
    }
}

/// Writes to the process's standard error, past every buffer.
pub(crate) fn write_error(text: &str) {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        match super::file::write(2, rest) {
            Ok(count) if count > 0 => rest = &rest[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // There is nobody to tell.
            _ => return,
        }
    }
}

/// Ends the process by SIGABRT.
pub(crate) fn abort() -> ! {
    std::process::abort()
}

/// Lets another thread of the system run.
pub(crate) fn give_way() {
    std::thread::yield_now();
}

/// Replaces the process by a program; comes back only with an error. `environment` holds `NAME=value` items.
pub(crate) fn execute(program: &[u8], arguments: &[Vec<u8>], environment: Option<&[Vec<u8>]>) -> io::Error {
    let strings = |items: &[Vec<u8>]| items.iter().map(|item| CString::new(item.as_slice())).collect::<Result<Vec<_>, _>>();
    let (Ok(program), Ok(arguments)) = (CString::new(program), strings(arguments)) else {
        return io::Error::from_raw_os_error(libc::EINVAL);
    };
    let pointers = |items: &[CString]| items.iter().map(|item| item.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>();
    let argument_pointers = pointers(&arguments);
    match environment {
        None => {
            // SAFETY: the strings end with NUL, the array with a null pointer; all outlive the call.
            unsafe { libc::execv(program.as_ptr(), argument_pointers.as_ptr()) };
        }
        Some(environment) => {
            let Ok(environment) = strings(environment) else { return io::Error::from_raw_os_error(libc::EINVAL) };
            let environment_pointers = pointers(&environment);
            // SAFETY: as above.
            unsafe { libc::execve(program.as_ptr(), argument_pointers.as_ptr(), environment_pointers.as_ptr()) };
        }
    }
    io::Error::last_os_error()
}

/// Numbers that scripts see, by name.
pub(crate) const NAMED: &[(&str, i32)] = &[
    ("EX_OK", 0),
    ("EX_USAGE", 64),
    ("EX_DATAERR", 65),
    ("EX_NOINPUT", 66),
    ("EX_NOUSER", 67),
    ("EX_NOHOST", 68),
    ("EX_UNAVAILABLE", 69),
    ("EX_SOFTWARE", 70),
    ("EX_OSERR", 71),
    ("EX_OSFILE", 72),
    ("EX_CANTCREAT", 73),
    ("EX_IOERR", 74),
    ("EX_TEMPFAIL", 75),
    ("EX_PROTOCOL", 76),
    ("EX_NOPERM", 77),
    ("EX_CONFIG", 78),
    ("WNOHANG", libc::WNOHANG),
    ("WUNTRACED", libc::WUNTRACED),
    ("WCONTINUED", libc::WCONTINUED),
    ("ST_RDONLY", 1),
    ("ST_NOSUID", 2),
    ("SEEK_DATA", libc::SEEK_DATA),
    ("SEEK_HOLE", libc::SEEK_HOLE),
    ("NGROUPS_MAX", 65536),
    ("TMP_MAX", 238_328),
    ("GRND_NONBLOCK", 1),
    ("GRND_RANDOM", 2),
];
