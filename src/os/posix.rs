//! The rest of the system's own functions: sessions and groups of processes, schedulers, extended attributes, timers and events as descriptors,
//! and the names the system has for its limits. Results are the system's numbers; a failure is the error it left.
#![allow(unsafe_code, reason = "calls libc; buffers and structures are passed by references that outlive the call")]

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;

use libc::{c_char, c_int, c_long, c_void};

/// Numbers that scripts know by name, as Linux has them.
pub(crate) const NAMED: &[(&str, i64)] = &[
    ("CLD_CONTINUED", 6),
    ("CLD_DUMPED", 3),
    ("CLD_EXITED", 1),
    ("CLD_KILLED", 2),
    ("CLD_STOPPED", 5),
    ("CLD_TRAPPED", 4),
    ("CLONE_FILES", 1024),
    ("CLONE_FS", 512),
    ("CLONE_NEWCGROUP", 33554432),
    ("CLONE_NEWIPC", 134217728),
    ("CLONE_NEWNET", 1073741824),
    ("CLONE_NEWNS", 131072),
    ("CLONE_NEWPID", 536870912),
    ("CLONE_NEWTIME", 128),
    ("CLONE_NEWUSER", 268435456),
    ("CLONE_NEWUTS", 67108864),
    ("CLONE_SIGHAND", 2048),
    ("CLONE_SYSVSEM", 262144),
    ("CLONE_THREAD", 65536),
    ("CLONE_VM", 256),
    ("EFD_CLOEXEC", 524288),
    ("EFD_NONBLOCK", 2048),
    ("EFD_SEMAPHORE", 1),
    ("F_LOCK", 1),
    ("F_TEST", 3),
    ("F_TLOCK", 2),
    ("F_ULOCK", 0),
    ("MFD_ALLOW_SEALING", 2),
    ("MFD_CLOEXEC", 1),
    ("MFD_HUGETLB", 4),
    ("MFD_HUGE_16GB", 2281701376),
    ("MFD_HUGE_16MB", 1610612736),
    ("MFD_HUGE_1GB", 2013265920),
    ("MFD_HUGE_1MB", 1342177280),
    ("MFD_HUGE_256MB", 1879048192),
    ("MFD_HUGE_2GB", 2080374784),
    ("MFD_HUGE_2MB", 1409286144),
    ("MFD_HUGE_32MB", 1677721600),
    ("MFD_HUGE_512KB", 1275068416),
    ("MFD_HUGE_512MB", 1946157056),
    ("MFD_HUGE_64KB", 1073741824),
    ("MFD_HUGE_8MB", 1543503872),
    ("MFD_HUGE_MASK", 63),
    ("MFD_HUGE_SHIFT", 26),
    ("O_FSYNC", 1052672),
    ("POSIX_FADV_DONTNEED", 4),
    ("POSIX_FADV_NOREUSE", 5),
    ("POSIX_FADV_NORMAL", 0),
    ("POSIX_FADV_RANDOM", 1),
    ("POSIX_FADV_SEQUENTIAL", 2),
    ("POSIX_FADV_WILLNEED", 3),
    ("POSIX_SPAWN_CLOSE", 1),
    ("POSIX_SPAWN_CLOSEFROM", 3),
    ("POSIX_SPAWN_DUP2", 2),
    ("POSIX_SPAWN_OPEN", 0),
    ("PRIO_PGRP", 1),
    ("PRIO_PROCESS", 0),
    ("PRIO_USER", 2),
    ("P_ALL", 0),
    ("P_PGID", 2),
    ("P_PID", 1),
    ("P_PIDFD", 3),
    ("RTLD_DEEPBIND", 8),
    ("RTLD_GLOBAL", 256),
    ("RTLD_LAZY", 1),
    ("RTLD_LOCAL", 0),
    ("RTLD_NODELETE", 4096),
    ("RTLD_NOLOAD", 4),
    ("RTLD_NOW", 2),
    ("RWF_APPEND", 16),
    ("RWF_DSYNC", 2),
    ("RWF_HIPRI", 1),
    ("RWF_NOWAIT", 8),
    ("RWF_SYNC", 4),
    ("SCHED_BATCH", 3),
    ("SCHED_FIFO", 1),
    ("SCHED_IDLE", 5),
    ("SCHED_OTHER", 0),
    ("SCHED_RESET_ON_FORK", 1073741824),
    ("SCHED_RR", 2),
    ("SPLICE_F_MORE", 4),
    ("SPLICE_F_MOVE", 1),
    ("SPLICE_F_NONBLOCK", 2),
    ("ST_APPEND", 256),
    ("ST_MANDLOCK", 64),
    ("ST_NOATIME", 1024),
    ("ST_NODEV", 4),
    ("ST_NODIRATIME", 2048),
    ("ST_NOEXEC", 8),
    ("ST_RELATIME", 4096),
    ("ST_SYNCHRONOUS", 16),
    ("ST_WRITE", 128),
    ("TFD_CLOEXEC", 524288),
    ("TFD_NONBLOCK", 2048),
    ("TFD_TIMER_ABSTIME", 1),
    ("TFD_TIMER_CANCEL_ON_SET", 2),
    ("WEXITED", 4),
    ("WNOWAIT", 16777216),
    ("WSTOPPED", 2),
    ("XATTR_CREATE", 1),
    ("XATTR_REPLACE", 2),
    ("XATTR_SIZE_MAX", 65536),
];

/// Texts of the configuration, for `confstr`.
pub(crate) const TEXTS: &[(&str, i64)] = &[
    ("CS_GNU_LIBC_VERSION", 2),
    ("CS_GNU_LIBPTHREAD_VERSION", 3),
    ("CS_LFS64_CFLAGS", 1004),
    ("CS_LFS64_LDFLAGS", 1005),
    ("CS_LFS64_LIBS", 1006),
    ("CS_LFS64_LINTFLAGS", 1007),
    ("CS_LFS_CFLAGS", 1000),
    ("CS_LFS_LDFLAGS", 1001),
    ("CS_LFS_LIBS", 1002),
    ("CS_LFS_LINTFLAGS", 1003),
    ("CS_PATH", 0),
    ("CS_XBS5_ILP32_OFF32_CFLAGS", 1100),
    ("CS_XBS5_ILP32_OFF32_LDFLAGS", 1101),
    ("CS_XBS5_ILP32_OFF32_LIBS", 1102),
    ("CS_XBS5_ILP32_OFF32_LINTFLAGS", 1103),
    ("CS_XBS5_ILP32_OFFBIG_CFLAGS", 1104),
    ("CS_XBS5_ILP32_OFFBIG_LDFLAGS", 1105),
    ("CS_XBS5_ILP32_OFFBIG_LIBS", 1106),
    ("CS_XBS5_ILP32_OFFBIG_LINTFLAGS", 1107),
    ("CS_XBS5_LP64_OFF64_CFLAGS", 1108),
    ("CS_XBS5_LP64_OFF64_LDFLAGS", 1109),
    ("CS_XBS5_LP64_OFF64_LIBS", 1110),
    ("CS_XBS5_LP64_OFF64_LINTFLAGS", 1111),
    ("CS_XBS5_LPBIG_OFFBIG_CFLAGS", 1112),
    ("CS_XBS5_LPBIG_OFFBIG_LDFLAGS", 1113),
    ("CS_XBS5_LPBIG_OFFBIG_LIBS", 1114),
    ("CS_XBS5_LPBIG_OFFBIG_LINTFLAGS", 1115),
];

/// Limits of a file or folder, for `pathconf`.
pub(crate) const PATH_LIMITS: &[(&str, i64)] = &[
    ("PC_ALLOC_SIZE_MIN", 18),
    ("PC_ASYNC_IO", 10),
    ("PC_CHOWN_RESTRICTED", 6),
    ("PC_FILESIZEBITS", 13),
    ("PC_LINK_MAX", 0),
    ("PC_MAX_CANON", 1),
    ("PC_MAX_INPUT", 2),
    ("PC_NAME_MAX", 3),
    ("PC_NO_TRUNC", 7),
    ("PC_PATH_MAX", 4),
    ("PC_PIPE_BUF", 5),
    ("PC_PRIO_IO", 11),
    ("PC_REC_INCR_XFER_SIZE", 14),
    ("PC_REC_MAX_XFER_SIZE", 15),
    ("PC_REC_MIN_XFER_SIZE", 16),
    ("PC_REC_XFER_ALIGN", 17),
    ("PC_SOCK_MAXBUF", 12),
    ("PC_SYMLINK_MAX", 19),
    ("PC_SYNC_IO", 9),
    ("PC_VDISABLE", 8),
];

/// Limits of the system, for `sysconf`.
pub(crate) const LIMITS: &[(&str, i64)] = &[
    ("SC_2_CHAR_TERM", 95),
    ("SC_2_C_BIND", 47),
    ("SC_2_C_DEV", 48),
    ("SC_2_C_VERSION", 96),
    ("SC_2_FORT_DEV", 49),
    ("SC_2_FORT_RUN", 50),
    ("SC_2_LOCALEDEF", 52),
    ("SC_2_SW_DEV", 51),
    ("SC_2_UPE", 97),
    ("SC_2_VERSION", 46),
    ("SC_AIO_LISTIO_MAX", 23),
    ("SC_AIO_MAX", 24),
    ("SC_AIO_PRIO_DELTA_MAX", 25),
    ("SC_ARG_MAX", 0),
    ("SC_ASYNCHRONOUS_IO", 12),
    ("SC_ATEXIT_MAX", 87),
    ("SC_AVPHYS_PAGES", 86),
    ("SC_BC_BASE_MAX", 36),
    ("SC_BC_DIM_MAX", 37),
    ("SC_BC_SCALE_MAX", 38),
    ("SC_BC_STRING_MAX", 39),
    ("SC_CHARCLASS_NAME_MAX", 45),
    ("SC_CHAR_BIT", 101),
    ("SC_CHAR_MAX", 102),
    ("SC_CHAR_MIN", 103),
    ("SC_CHILD_MAX", 1),
    ("SC_CLK_TCK", 2),
    ("SC_COLL_WEIGHTS_MAX", 40),
    ("SC_DELAYTIMER_MAX", 26),
    ("SC_EQUIV_CLASS_MAX", 41),
    ("SC_EXPR_NEST_MAX", 42),
    ("SC_FSYNC", 15),
    ("SC_GETGR_R_SIZE_MAX", 69),
    ("SC_GETPW_R_SIZE_MAX", 70),
    ("SC_INT_MAX", 104),
    ("SC_INT_MIN", 105),
    ("SC_IOV_MAX", 60),
    ("SC_JOB_CONTROL", 7),
    ("SC_LINE_MAX", 43),
    ("SC_LOGIN_NAME_MAX", 71),
    ("SC_LONG_BIT", 106),
    ("SC_MAPPED_FILES", 16),
    ("SC_MB_LEN_MAX", 108),
    ("SC_MEMLOCK", 17),
    ("SC_MEMLOCK_RANGE", 18),
    ("SC_MEMORY_PROTECTION", 19),
    ("SC_MESSAGE_PASSING", 20),
    ("SC_MINSIGSTKSZ", 249),
    ("SC_MQ_OPEN_MAX", 27),
    ("SC_MQ_PRIO_MAX", 28),
    ("SC_NGROUPS_MAX", 3),
    ("SC_NL_ARGMAX", 119),
    ("SC_NL_LANGMAX", 120),
    ("SC_NL_MSGMAX", 121),
    ("SC_NL_NMAX", 122),
    ("SC_NL_SETMAX", 123),
    ("SC_NL_TEXTMAX", 124),
    ("SC_NPROCESSORS_CONF", 83),
    ("SC_NPROCESSORS_ONLN", 84),
    ("SC_NZERO", 109),
    ("SC_OPEN_MAX", 4),
    ("SC_PAGESIZE", 30),
    ("SC_PAGE_SIZE", 30),
    ("SC_PASS_MAX", 88),
    ("SC_PHYS_PAGES", 85),
    ("SC_PII", 53),
    ("SC_PII_INTERNET", 56),
    ("SC_PII_INTERNET_DGRAM", 62),
    ("SC_PII_INTERNET_STREAM", 61),
    ("SC_PII_OSI", 57),
    ("SC_PII_OSI_CLTS", 64),
    ("SC_PII_OSI_COTS", 63),
    ("SC_PII_OSI_M", 65),
    ("SC_PII_SOCKET", 55),
    ("SC_PII_XTI", 54),
    ("SC_POLL", 58),
    ("SC_PRIORITIZED_IO", 13),
    ("SC_PRIORITY_SCHEDULING", 10),
    ("SC_REALTIME_SIGNALS", 9),
    ("SC_RE_DUP_MAX", 44),
    ("SC_RTSIG_MAX", 31),
    ("SC_SAVED_IDS", 8),
    ("SC_SCHAR_MAX", 111),
    ("SC_SCHAR_MIN", 112),
    ("SC_SELECT", 59),
    ("SC_SEMAPHORES", 21),
    ("SC_SEM_NSEMS_MAX", 32),
    ("SC_SEM_VALUE_MAX", 33),
    ("SC_SHARED_MEMORY_OBJECTS", 22),
    ("SC_SHRT_MAX", 113),
    ("SC_SHRT_MIN", 114),
    ("SC_SIGQUEUE_MAX", 34),
    ("SC_SSIZE_MAX", 110),
    ("SC_STREAM_MAX", 5),
    ("SC_SYNCHRONIZED_IO", 14),
    ("SC_THREADS", 67),
    ("SC_THREAD_ATTR_STACKADDR", 77),
    ("SC_THREAD_ATTR_STACKSIZE", 78),
    ("SC_THREAD_DESTRUCTOR_ITERATIONS", 73),
    ("SC_THREAD_KEYS_MAX", 74),
    ("SC_THREAD_PRIORITY_SCHEDULING", 79),
    ("SC_THREAD_PRIO_INHERIT", 80),
    ("SC_THREAD_PRIO_PROTECT", 81),
    ("SC_THREAD_PROCESS_SHARED", 82),
    ("SC_THREAD_SAFE_FUNCTIONS", 68),
    ("SC_THREAD_STACK_MIN", 75),
    ("SC_THREAD_THREADS_MAX", 76),
    ("SC_TIMERS", 11),
    ("SC_TIMER_MAX", 35),
    ("SC_TTY_NAME_MAX", 72),
    ("SC_TZNAME_MAX", 6),
    ("SC_T_IOV_MAX", 66),
    ("SC_UCHAR_MAX", 115),
    ("SC_UINT_MAX", 116),
    ("SC_UIO_MAXIOV", 60),
    ("SC_ULONG_MAX", 117),
    ("SC_USHRT_MAX", 118),
    ("SC_VERSION", 29),
    ("SC_WORD_BIT", 107),
    ("SC_XBS5_ILP32_OFF32", 125),
    ("SC_XBS5_ILP32_OFFBIG", 126),
    ("SC_XBS5_LP64_OFF64", 127),
    ("SC_XBS5_LPBIG_OFFBIG", 128),
    ("SC_XOPEN_CRYPT", 92),
    ("SC_XOPEN_ENH_I18N", 93),
    ("SC_XOPEN_LEGACY", 129),
    ("SC_XOPEN_REALTIME", 130),
    ("SC_XOPEN_REALTIME_THREADS", 131),
    ("SC_XOPEN_SHM", 94),
    ("SC_XOPEN_UNIX", 91),
    ("SC_XOPEN_VERSION", 89),
    ("SC_XOPEN_XCU_VERSION", 90),
    ("SC_XOPEN_XPG2", 98),
    ("SC_XOPEN_XPG3", 99),
    ("SC_XOPEN_XPG4", 100),
];

fn checked(result: impl Into<i64>) -> io::Result<i64> {
    let result = result.into();
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn done(result: impl Into<i64>) -> io::Result<()> {
    checked(result).map(|_| ())
}

fn c_path(path: &[u8]) -> io::Result<CString> {
    CString::new(path).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

/// Functions of numbers that give a number.
macro_rules! number_calls {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $kind:ty),*);)+) => {
        $($(#[$doc])*
        pub(crate) fn $name($($argument: $kind),*) -> io::Result<i64> {
            // SAFETY: only numbers go in and out.
            checked(i64::from(unsafe { libc::$name($($argument),*) }))
        })+
    };
}

number_calls! {
    /// The group of a process.
    getpgid(process: c_int);
    /// The session of a process.
    getsid(process: c_int);
    /// Puts a process into a group.
    setpgid(process: c_int, group: c_int);
    /// Makes the process the leader of a session.
    setsid();
    /// Sends a signal to a group.
    killpg(group: c_int, signal: c_int);
    /// Sets the user.
    setuid(user: u32);
    /// Sets the effective user.
    seteuid(user: u32);
    /// Sets the group.
    setgid(group: u32);
    /// Sets the effective group.
    setegid(group: u32);
    /// Sets real and effective user.
    setreuid(real: u32, effective: u32);
    /// Sets real and effective group.
    setregid(real: u32, effective: u32);
    /// Sets real, effective and saved user.
    setresuid(real: u32, effective: u32, saved: u32);
    /// Sets real, effective and saved group.
    setresgid(real: u32, effective: u32, saved: u32);
    /// Changes to an open folder.
    fchdir(fd: c_int);
    /// Sets the owner of an open file.
    fchown(fd: c_int, user: u32, group: u32);
    /// The group in a terminal's foreground.
    tcgetpgrp(fd: c_int);
    /// Puts a group into a terminal's foreground.
    tcsetpgrp(fd: c_int, group: c_int);
    /// Makes a pseudo terminal's other end usable.
    grantpt(fd: c_int);
    /// Unlocks a pseudo terminal's other end.
    unlockpt(fd: c_int);
    /// A new pseudo terminal.
    posix_openpt(flags: c_int);
    /// Moves the process into a namespace.
    setns(fd: c_int, kind: c_int);
    /// Takes the process out of shared namespaces.
    unshare(flags: c_int);
    /// Locks a part of a file.
    lockf(fd: c_int, command: c_int, length: i64);
    /// The highest priority of a scheduling policy.
    sched_get_priority_max(policy: c_int);
    /// The lowest priority of a scheduling policy.
    sched_get_priority_min(policy: c_int);
    /// The scheduling policy of a process.
    sched_getscheduler(process: c_int);
    /// A descriptor that counts events.
    eventfd(initial: u32, flags: c_int);
    /// A descriptor that tells when a timer is up.
    timerfd_create(clock: c_int, flags: c_int);
}

/// The group of this process.
pub(crate) fn own_group() -> i64 {
    // SAFETY: touches no memory of ours.
    i64::from(unsafe { libc::getpgrp() })
}

/// Writes everything that is still to be written.
pub(crate) fn sync_all() {
    // SAFETY: touches no memory of ours.
    unsafe { libc::sync() }
}

/// The priority of a process, group or user. -1 may be one: the error number says whether it is.
pub(crate) fn priority(which: c_int, who: u32) -> io::Result<i64> {
    // SAFETY: the error number is this thread's own.
    unsafe { *libc::__errno_location() = 0 };
    // SAFETY: touches no memory of ours.
    let priority = i64::from(unsafe { libc::getpriority(which as _, who) });
    let error = io::Error::last_os_error();
    if priority == -1 && error.raw_os_error() != Some(0) { Err(error) } else { Ok(priority) }
}

/// Sets a priority.
pub(crate) fn set_priority(which: c_int, who: u32, priority: c_int) -> io::Result<()> {
    // SAFETY: touches no memory of ours.
    done(unsafe { libc::setpriority(which as _, who, priority) })
}

/// Adds to the process's niceness; the new one.
pub(crate) fn nice(increment: c_int) -> io::Result<i64> {
    // SAFETY: the error number is this thread's own.
    unsafe { *libc::__errno_location() = 0 };
    // SAFETY: touches no memory of ours.
    let nice = i64::from(unsafe { libc::nice(increment) });
    let error = io::Error::last_os_error();
    if nice == -1 && error.raw_os_error() != Some(0) { Err(error) } else { Ok(nice) }
}

/// The further groups of the process.
pub(crate) fn groups() -> io::Result<Vec<u32>> {
    // SAFETY: a length of none asks for the count.
    let count = checked(unsafe { libc::getgroups(0, std::ptr::null_mut()) })?;
    let mut groups = vec![0; count as usize];
    // SAFETY: the buffer is as long as we say.
    let count = checked(unsafe { libc::getgroups(groups.len() as c_int, groups.as_mut_ptr()) })?;
    groups.truncate(count as usize);
    Ok(groups)
}

/// Sets the further groups of the process.
pub(crate) fn set_groups(groups: &[u32]) -> io::Result<()> {
    // SAFETY: the buffer is as long as we say.
    done(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) })
}

/// The groups a user belongs to, with one more.
pub(crate) fn groups_of(user: &[u8], group: u32) -> io::Result<Vec<u32>> {
    let user = c_path(user)?;
    let mut count: c_int = 64;
    loop {
        let mut groups = vec![0; count as usize];
        let asked = count;
        // SAFETY: the buffer is as long as we say.
        let found = unsafe { libc::getgrouplist(user.as_ptr(), group, groups.as_mut_ptr(), &raw mut count) };
        if found >= 0 {
            groups.truncate(count as usize);
            return Ok(groups);
        }
        count = count.max(asked * 2);
    }
}

/// Takes over the groups of a user.
pub(crate) fn init_groups(user: &[u8], group: u32) -> io::Result<()> {
    let user = c_path(user)?;
    // SAFETY: the name ends with a zero.
    done(unsafe { libc::initgroups(user.as_ptr(), group) })
}

/// Real, effective and saved user.
pub(crate) fn users() -> io::Result<[u32; 3]> {
    let mut users = [0; 3];
    let [real, effective, saved] = &mut users;
    // SAFETY: three numbers of ours.
    done(unsafe { libc::getresuid(real, effective, saved) })?;
    Ok(users)
}

/// Real, effective and saved group.
pub(crate) fn group_identities() -> io::Result<[u32; 3]> {
    let mut groups = [0; 3];
    let [real, effective, saved] = &mut groups;
    // SAFETY: three numbers of ours.
    done(unsafe { libc::getresgid(real, effective, saved) })?;
    Ok(groups)
}

/// Makes a folder the root of the process.
pub(crate) fn change_root(path: &[u8]) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: the path ends with a zero.
    done(unsafe { libc::chroot(path.as_ptr()) })
}

/// Makes a file of any kind.
pub(crate) fn make_node(path: &[u8], mode: u32, device: u64) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: the path ends with a zero.
    done(unsafe { libc::mknod(path.as_ptr(), mode, device) })
}

/// A text of the configuration.
pub(crate) fn configured_text(name: c_int) -> io::Result<Option<String>> {
    let mut buffer = vec![0_u8; 1024];
    // SAFETY: the buffer is as long as we say; the error number is this thread's own.
    let length = unsafe {
        *libc::__errno_location() = 0;
        libc::confstr(name, buffer.as_mut_ptr().cast(), buffer.len())
    };
    if length == 0 {
        let error = io::Error::last_os_error();
        return if error.raw_os_error() == Some(0) { Ok(None) } else { Err(error) };
    }
    buffer.truncate(length.min(buffer.len()).saturating_sub(1));
    Ok(Some(String::from_utf8_lossy(&buffer).into_owned()))
}

/// A limit of the system. -1 may be an answer: the error number says whether it is.
pub(crate) fn limit(name: c_int) -> io::Result<i64> {
    // SAFETY: the error number is this thread's own; the call touches no memory of ours.
    let limit = unsafe {
        *libc::__errno_location() = 0;
        libc::sysconf(name)
    };
    let error = io::Error::last_os_error();
    if limit == -1 && error.raw_os_error() != Some(0) { Err(error) } else { Ok(limit) }
}

/// A limit of a file or folder, by path or by descriptor.
pub(crate) fn path_limit(path: Result<&[u8], c_int>, name: c_int) -> io::Result<i64> {
    let path = path.map(c_path);
    // SAFETY: the error number is this thread's own; the path ends with a zero.
    let limit = unsafe {
        *libc::__errno_location() = 0;
        match path {
            Ok(path) => libc::pathconf(path?.as_ptr(), name),
            Err(fd) => libc::fpathconf(fd, name),
        }
    };
    let error = io::Error::last_os_error();
    if limit == -1 && error.raw_os_error() != Some(0) { Err(error) } else { Ok(limit) }
}

/// The name of the terminal behind a descriptor.
pub(crate) fn terminal_name(fd: c_int) -> io::Result<Vec<u8>> {
    let mut buffer = [0_u8; 512];
    // SAFETY: the buffer is as long as we say.
    match unsafe { libc::ttyname_r(fd, buffer.as_mut_ptr().cast(), buffer.len()) } {
        0 => Ok(until_zero(&buffer)),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// The name of a pseudo terminal's other end.
pub(crate) fn other_end_name(fd: c_int) -> io::Result<Vec<u8>> {
    let mut buffer = [0_u8; 512];
    // SAFETY: the buffer is as long as we say.
    match unsafe { libc::ptsname_r(fd, buffer.as_mut_ptr().cast(), buffer.len()) } {
        0 => Ok(until_zero(&buffer)),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

fn until_zero(buffer: &[u8]) -> Vec<u8> {
    CStr::from_bytes_until_nul(buffer).map(|text| text.to_bytes().to_vec()).unwrap_or_default()
}

/// Both ends of a new pseudo terminal, closed at `exec`.
pub(crate) fn open_terminal() -> io::Result<(c_int, c_int)> {
    let (mut master, mut slave) = (0, 0);
    let nothing = std::ptr::null_mut();
    // SAFETY: two numbers of ours; the rest is left out.
    done(unsafe { libc::openpty(&raw mut master, &raw mut slave, nothing, std::ptr::null_mut(), std::ptr::null_mut()) })?;
    for fd in [master, slave] {
        // SAFETY: only numbers.
        done(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    }
    Ok((master, slave))
}

/// Makes a terminal the process's own.
pub(crate) fn login_terminal(fd: c_int) -> io::Result<()> {
    // SAFETY: only a number.
    done(unsafe { libc::login_tty(fd) })
}

/// A file that lives in memory only.
pub(crate) fn memory_file(name: &[u8], flags: u32) -> io::Result<i64> {
    let name = c_path(name)?;
    // SAFETY: the name ends with a zero.
    checked(unsafe { libc::memfd_create(name.as_ptr(), flags) })
}

/// A descriptor of a process.
pub(crate) fn process_descriptor(process: c_int, flags: u32) -> io::Result<i64> {
    // SAFETY: only numbers.
    checked(unsafe { libc::syscall(libc::SYS_pidfd_open, process, flags) })
}

/// Tells how a file will be used. The call gives its error as result.
pub(crate) fn advise(fd: c_int, offset: i64, length: i64, advice: c_int) -> io::Result<()> {
    // SAFETY: only numbers.
    match unsafe { libc::posix_fadvise(fd, offset, length, advice) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Makes sure a file has room. The call gives its error as result.
pub(crate) fn allocate(fd: c_int, offset: i64, length: i64) -> io::Result<()> {
    // SAFETY: only numbers.
    match unsafe { libc::posix_fallocate(fd, offset, length) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Copies between files inside the system; how many bytes.
pub(crate) fn copy_range(from: c_int, to: c_int, count: usize, from_place: Option<i64>, to_place: Option<i64>) -> io::Result<i64> {
    let (mut from_place, mut to_place) = (from_place, to_place);
    let (from_pointer, to_pointer) = (place(&mut from_place), place(&mut to_place));
    // SAFETY: the places are ours, or absent.
    checked(unsafe { libc::copy_file_range(from, from_pointer, to, to_pointer, count, 0) } as i64)
}

/// Moves between pipes and files inside the system; how many bytes.
pub(crate) fn splice(from: c_int, to: c_int, count: usize, from_place: Option<i64>, to_place: Option<i64>, flags: u32) -> io::Result<i64> {
    let (mut from_place, mut to_place) = (from_place, to_place);
    let (from_pointer, to_pointer) = (place(&mut from_place), place(&mut to_place));
    // SAFETY: the places are ours, or absent.
    checked(unsafe { libc::splice(from, from_pointer, to, to_pointer, count, flags) } as i64)
}

fn place(offset: &mut Option<i64>) -> *mut i64 {
    offset.as_mut().map_or(std::ptr::null_mut(), std::ptr::from_mut)
}

/// Sends a part of a file; how many bytes.
pub(crate) fn send_file(to: c_int, from: c_int, offset: Option<i64>, count: usize) -> io::Result<i64> {
    let mut offset = offset;
    let pointer = place(&mut offset);
    // SAFETY: the place is ours, or absent.
    checked(unsafe { libc::sendfile(to, from, pointer, count) } as i64)
}

/// Reads into several buffers, at an offset if there is one.
pub(crate) fn read_vectors(fd: c_int, sizes: &[usize], offset: Option<i64>, flags: c_int) -> io::Result<(usize, Vec<Vec<u8>>)> {
    let mut buffers: Vec<Vec<u8>> = sizes.iter().map(|&size| vec![0; size]).collect();
    let vectors: Vec<libc::iovec> =
        buffers.iter_mut().map(|buffer| libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() }).collect();
    let count = vectors.len() as c_int;
    // SAFETY: each vector names a buffer of ours with its length.
    let read = unsafe {
        match offset {
            None => libc::readv(fd, vectors.as_ptr(), count),
            Some(offset) if flags == 0 => libc::preadv(fd, vectors.as_ptr(), count, offset),
            Some(offset) => libc::preadv2(fd, vectors.as_ptr(), count, offset, flags),
        }
    };
    Ok((checked(read as i64)? as usize, buffers))
}

/// Writes several buffers, at an offset if there is one.
pub(crate) fn write_vectors(fd: c_int, buffers: &[Vec<u8>], offset: Option<i64>, flags: c_int) -> io::Result<i64> {
    let vectors: Vec<libc::iovec> =
        buffers.iter().map(|buffer| libc::iovec { iov_base: buffer.as_ptr().cast_mut().cast::<c_void>(), iov_len: buffer.len() }).collect();
    let count = vectors.len() as c_int;
    // SAFETY: each vector names a buffer with its length; the system only reads them.
    let written = unsafe {
        match offset {
            None => libc::writev(fd, vectors.as_ptr(), count),
            Some(offset) if flags == 0 => libc::pwritev(fd, vectors.as_ptr(), count, offset),
            Some(offset) => libc::pwritev2(fd, vectors.as_ptr(), count, offset, flags),
        }
    };
    checked(written as i64)
}

/// Of which file an extended attribute is asked.
#[derive(Clone, Copy)]
pub(crate) enum Target<'a> {
    Path(&'a [u8], bool),
    Descriptor(c_int),
}

/// An extended attribute.
pub(crate) fn attribute(target: Target<'_>, name: &[u8]) -> io::Result<Vec<u8>> {
    let name = c_path(name)?;
    // The longest value Linux keeps.
    let mut buffer = vec![0_u8; 65536];
    let (start, size) = (buffer.as_mut_ptr().cast::<c_void>(), buffer.len());
    // SAFETY: names end with a zero; the buffer is as long as we say.
    let length = unsafe {
        match target {
            Target::Descriptor(fd) => libc::fgetxattr(fd, name.as_ptr(), start, size),
            Target::Path(path, true) => libc::getxattr(c_path(path)?.as_ptr(), name.as_ptr(), start, size),
            Target::Path(path, false) => libc::lgetxattr(c_path(path)?.as_ptr(), name.as_ptr(), start, size),
        }
    };
    buffer.truncate(checked(length as i64)? as usize);
    Ok(buffer)
}

/// Sets an extended attribute.
pub(crate) fn set_attribute(target: Target<'_>, name: &[u8], value: &[u8], flags: c_int) -> io::Result<()> {
    let name = c_path(name)?;
    let (start, size) = (value.as_ptr().cast::<c_void>(), value.len());
    // SAFETY: names end with a zero; the value is as long as we say.
    done(unsafe {
        match target {
            Target::Descriptor(fd) => libc::fsetxattr(fd, name.as_ptr(), start, size, flags),
            Target::Path(path, true) => libc::setxattr(c_path(path)?.as_ptr(), name.as_ptr(), start, size, flags),
            Target::Path(path, false) => libc::lsetxattr(c_path(path)?.as_ptr(), name.as_ptr(), start, size, flags),
        }
    })
}

/// Removes an extended attribute.
pub(crate) fn remove_attribute(target: Target<'_>, name: &[u8]) -> io::Result<()> {
    let name = c_path(name)?;
    // SAFETY: names end with a zero.
    done(unsafe {
        match target {
            Target::Descriptor(fd) => libc::fremovexattr(fd, name.as_ptr()),
            Target::Path(path, true) => libc::removexattr(c_path(path)?.as_ptr(), name.as_ptr()),
            Target::Path(path, false) => libc::lremovexattr(c_path(path)?.as_ptr(), name.as_ptr()),
        }
    })
}

/// The names of a file's extended attributes.
pub(crate) fn attributes(target: Target<'_>) -> io::Result<Vec<Vec<u8>>> {
    let mut buffer = vec![0_u8; 65536];
    let (start, size) = (buffer.as_mut_ptr().cast::<c_char>(), buffer.len());
    // SAFETY: the path ends with a zero; the buffer is as long as we say.
    let length = unsafe {
        match target {
            Target::Descriptor(fd) => libc::flistxattr(fd, start, size),
            Target::Path(path, true) => libc::listxattr(c_path(path)?.as_ptr(), start, size),
            Target::Path(path, false) => libc::llistxattr(c_path(path)?.as_ptr(), start, size),
        }
    };
    buffer.truncate(checked(length as i64)? as usize);
    Ok(buffer.split(|&byte| byte == 0).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect())
}

/// On which processors a process may run.
pub(crate) fn processors_of(process: c_int) -> io::Result<Vec<usize>> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: the set is ours.
    done(unsafe { libc::sched_getaffinity(process, size_of::<libc::cpu_set_t>(), set.as_mut_ptr()) })?;
    // SAFETY: zeroed and filled.
    let set = unsafe { set.assume_init() };
    // SAFETY: the numbers are below the set's size.
    Ok((0..libc::CPU_SETSIZE as usize).filter(|&processor| unsafe { libc::CPU_ISSET(processor, &set) }).collect())
}

/// Sets on which processors a process may run.
pub(crate) fn set_processors_of(process: c_int, processors: &[usize]) -> io::Result<()> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    for &processor in processors.iter().filter(|&&processor| processor < libc::CPU_SETSIZE as usize) {
        // SAFETY: the number is below the set's size; all zeroes are an empty set.
        unsafe { libc::CPU_SET(processor, &mut *set.as_mut_ptr()) };
    }
    // SAFETY: the set is ours.
    done(unsafe { libc::sched_setaffinity(process, size_of::<libc::cpu_set_t>(), set.as_ptr()) })
}

/// The priority of a process in its scheduling policy.
pub(crate) fn scheduling_priority(process: c_int) -> io::Result<c_int> {
    let mut parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the structure is ours.
    done(unsafe { libc::sched_getparam(process, &raw mut parameters) })?;
    Ok(parameters.sched_priority)
}

/// Sets the scheduling policy, if one is given, and the priority of a process.
pub(crate) fn set_scheduling(process: c_int, policy: Option<c_int>, priority: c_int) -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: the structure is ours.
    done(unsafe {
        match policy {
            Some(policy) => libc::sched_setscheduler(process, policy, &raw const parameters),
            None => libc::sched_setparam(process, &raw const parameters),
        }
    })
}

/// How long a process's turn is, in seconds.
pub(crate) fn scheduling_interval(process: c_int) -> io::Result<f64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is ours.
    done(unsafe { libc::sched_rr_get_interval(process, &raw mut time) })?;
    Ok(time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9)
}

fn split(nanoseconds: i64) -> libc::timespec {
    libc::timespec { tv_sec: nanoseconds.div_euclid(1_000_000_000), tv_nsec: nanoseconds.rem_euclid(1_000_000_000) as c_long }
}

fn joined(time: libc::timespec) -> i64 {
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Sets a timer's descriptor: when it is up first, and how often then, in nanoseconds; what was set before, the same way.
pub(crate) fn set_timer(fd: c_int, flags: c_int, first: i64, interval: i64) -> io::Result<(i64, i64)> {
    let new = libc::itimerspec { it_interval: split(interval), it_value: split(first) };
    let mut old = libc::itimerspec { it_interval: split(0), it_value: split(0) };
    // SAFETY: the structures are ours.
    done(unsafe { libc::timerfd_settime(fd, flags, &raw const new, &raw mut old) })?;
    Ok((joined(old.it_value), joined(old.it_interval)))
}

/// When a timer's descriptor is up next, and how often then, in nanoseconds.
pub(crate) fn timer(fd: c_int) -> io::Result<(i64, i64)> {
    let mut now = libc::itimerspec { it_interval: split(0), it_value: split(0) };
    // SAFETY: the structure is ours.
    done(unsafe { libc::timerfd_gettime(fd, &raw mut now) })?;
    Ok((joined(now.it_value), joined(now.it_interval)))
}

/// What a child used: user and system time in seconds, then the fourteen counters of `getrusage`.
pub(crate) type Usage = ([f64; 2], [i64; 14]);

/// Waits for a child (or any) and tells what it used: the child, its status, the usage.
pub(crate) fn wait_with_usage(process: c_int, options: c_int) -> io::Result<(c_int, c_int, Usage)> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the number and the structure are ours.
    let child = checked(unsafe { libc::wait4(process, &raw mut status, options, usage.as_mut_ptr()) })?;
    // SAFETY: zeroed, and filled when a child was found.
    let usage = unsafe { usage.assume_init() };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 * 1e-6;
    let counters = [
        usage.ru_maxrss,
        usage.ru_ixrss,
        usage.ru_idrss,
        usage.ru_isrss,
        usage.ru_minflt,
        usage.ru_majflt,
        usage.ru_nswap,
        usage.ru_inblock,
        usage.ru_oublock,
        usage.ru_msgsnd,
        usage.ru_msgrcv,
        usage.ru_nsignals,
        usage.ru_nvcsw,
        usage.ru_nivcsw,
    ];
    Ok((child as c_int, status, ([seconds(usage.ru_utime), seconds(usage.ru_stime)], counters)))
}

/// Waits for a change of a child: its number, user, signal, status and what happened; `None` when there is none yet.
pub(crate) fn wait_for_change(kind: u32, id: u32, options: c_int) -> io::Result<Option<[i64; 5]>> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: the structure is ours.
    done(unsafe { libc::waitid(kind as _, id, info.as_mut_ptr(), options) })?;
    // SAFETY: zeroed and filled.
    let info = unsafe { info.assume_init() };
    // SAFETY: these are the fields of a child's signal.
    let (process, user, status) = unsafe { (info.si_pid(), info.si_uid(), info.si_status()) };
    if process == 0 {
        return Ok(None);
    }
    Ok(Some([process.into(), user.into(), info.si_signo.into(), status.into(), info.si_code.into()]))
}

/// What a new process does with a descriptor before it starts.
pub(crate) enum FileAction {
    Open(c_int, Vec<u8>, c_int, u32),
    Close(c_int),
    Duplicate(c_int, c_int),
    CloseFrom(c_int),
}

/// How a new process starts, beside its program.
#[derive(Default)]
pub(crate) struct SpawnOptions {
    pub(crate) actions: Vec<FileAction>,
    pub(crate) group: Option<c_int>,
    pub(crate) reset_ids: bool,
    pub(crate) new_session: bool,
    pub(crate) mask: Option<Vec<c_int>>,
    pub(crate) defaults: Option<Vec<c_int>>,
    pub(crate) scheduler: Option<(Option<c_int>, c_int)>,
}

fn signal_set(signals: &[c_int]) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the set is ours; wrong numbers are refused by the call.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for &signal in signals {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}

/// Starts a process; its number. `search`: the program is looked for in `PATH`.
pub(crate) fn spawn(program: &[u8], arguments: &[Vec<u8>], environment: &[Vec<u8>], options: &SpawnOptions, search: bool) -> io::Result<c_int> {
    let program = c_path(program)?;
    let owned = |texts: &[Vec<u8>]| texts.iter().map(|text| c_path(text)).collect::<io::Result<Vec<CString>>>();
    let (arguments, environment) = (owned(arguments)?, owned(environment)?);
    let pointers =
        |texts: &[CString]| -> Vec<*mut c_char> { texts.iter().map(|text| text.as_ptr().cast_mut()).chain([std::ptr::null_mut()]).collect() };
    let (argument_pointers, environment_pointers) = (pointers(&arguments), pointers(&environment));
    let mut actions = MaybeUninit::<libc::posix_spawn_file_actions_t>::zeroed();
    let mut attributes = MaybeUninit::<libc::posix_spawnattr_t>::zeroed();
    let mut child = 0;
    let mut paths = Vec::new();
    // SAFETY: both structures are initialised first and destroyed at the end; all texts outlive the call.
    let error = unsafe {
        libc::posix_spawn_file_actions_init(actions.as_mut_ptr());
        libc::posix_spawnattr_init(attributes.as_mut_ptr());
        for action in &options.actions {
            match action {
                FileAction::Open(fd, path, flags, mode) => {
                    let path = c_path(path)?;
                    libc::posix_spawn_file_actions_addopen(actions.as_mut_ptr(), *fd, path.as_ptr(), *flags, *mode);
                    paths.push(path);
                }
                FileAction::Close(fd) => {
                    libc::posix_spawn_file_actions_addclose(actions.as_mut_ptr(), *fd);
                }
                FileAction::Duplicate(from, to) => {
                    libc::posix_spawn_file_actions_adddup2(actions.as_mut_ptr(), *from, *to);
                }
                FileAction::CloseFrom(fd) => {
                    for open in *fd..1024 {
                        if libc::fcntl(open, libc::F_GETFD) != -1 {
                            libc::posix_spawn_file_actions_addclose(actions.as_mut_ptr(), open);
                        }
                    }
                }
            }
        }
        let mut flags: c_int = 0;
        if let Some(group) = options.group {
            libc::posix_spawnattr_setpgroup(attributes.as_mut_ptr(), group);
            flags |= libc::POSIX_SPAWN_SETPGROUP;
        }
        if options.reset_ids {
            flags |= libc::POSIX_SPAWN_RESETIDS;
        }
        if options.new_session {
            // POSIX_SPAWN_SETSID, which the C library has since 2.26.
            flags |= 0x80;
        }
        if let Some(mask) = &options.mask {
            libc::posix_spawnattr_setsigmask(attributes.as_mut_ptr(), &signal_set(mask));
            flags |= libc::POSIX_SPAWN_SETSIGMASK;
        }
        if let Some(defaults) = &options.defaults {
            libc::posix_spawnattr_setsigdefault(attributes.as_mut_ptr(), &signal_set(defaults));
            flags |= libc::POSIX_SPAWN_SETSIGDEF;
        }
        if let Some((policy, priority)) = options.scheduler {
            if let Some(policy) = policy {
                libc::posix_spawnattr_setschedpolicy(attributes.as_mut_ptr(), policy);
                flags |= libc::POSIX_SPAWN_SETSCHEDULER;
            }
            let parameters = libc::sched_param { sched_priority: priority };
            libc::posix_spawnattr_setschedparam(attributes.as_mut_ptr(), &raw const parameters);
            flags |= libc::POSIX_SPAWN_SETSCHEDPARAM;
        }
        libc::posix_spawnattr_setflags(attributes.as_mut_ptr(), flags as libc::c_short);
        let start = if search { libc::posix_spawnp } else { libc::posix_spawn };
        let error =
            start(&raw mut child, program.as_ptr(), actions.as_ptr(), attributes.as_ptr(), argument_pointers.as_ptr(), environment_pointers.as_ptr());
        libc::posix_spawn_file_actions_destroy(actions.as_mut_ptr());
        libc::posix_spawnattr_destroy(attributes.as_mut_ptr());
        error
    };
    drop(paths);
    if error == 0 { Ok(child) } else { Err(io::Error::from_raw_os_error(error)) }
}
