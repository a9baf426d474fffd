//! Starting programs: a child process with given descriptors, folder and environment.
#![allow(unsafe_code, reason = "calls libc; after `fork` only functions that are safe in signal handlers")]

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;

/// What a child is to be.
pub(crate) struct Child<'a> {
    /// The paths that are tried one after the other.
    pub(crate) programs: &'a [Vec<u8>],
    /// The arguments, the program's name included.
    pub(crate) arguments: &'a [Vec<u8>],
    /// `NAME=value` items; `None`: ours.
    pub(crate) environment: Option<&'a [Vec<u8>]>,
    /// The folder it begins in; `None`: ours.
    pub(crate) folder: Option<&'a [u8]>,
    /// What becomes its descriptors 0, 1 and 2; -1: ours.
    pub(crate) streams: [i32; 3],
    /// Descriptors that it has too, under their numbers.
    pub(crate) passed: &'a [i32],
    /// Whether all others are closed, also inheritable ones.
    pub(crate) close_others: bool,
    /// Whether signals that we ignore are as usual again.
    pub(crate) restore_signals: bool,
    /// Whether it leads a session of its own.
    pub(crate) new_session: bool,
    /// The process group it joins, 0 for one of its own; -1: ours.
    pub(crate) group: i32,
    /// The rights that its new files do not get; -1: ours.
    pub(crate) mask: i32,
}

/// Where starting failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// Before there was a child, or in its preparation.
    Start,
    /// Its folder.
    Folder,
    /// Its program.
    Program,
}

/// Starts the child; its number.
///
/// # Errors
/// What the system says, and at which stage.
pub(crate) fn spawn(child: &Child<'_>) -> Result<i32, (Stage, io::Error)> {
    let invalid = || (Stage::Start, io::Error::from_raw_os_error(libc::EINVAL));
    // All that needs memory happens before the fork.
    let strings = |items: &[Vec<u8>]| items.iter().map(|item| CString::new(item.as_slice())).collect::<Result<Vec<_>, _>>();
    let (Ok(programs), Ok(arguments)) = (strings(child.programs), strings(child.arguments)) else { return Err(invalid()) };
    let environment = match child.environment {
        None => None,
        Some(items) => match strings(items) {
            Ok(items) => Some(items),
            Err(_) => return Err(invalid()),
        },
    };
    let folder = match child.folder.map(CString::new) {
        None => None,
        Some(Ok(folder)) => Some(folder),
        Some(Err(_)) => return Err(invalid()),
    };
    let pointers = |items: &[CString]| items.iter().map(|item| item.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>();
    let argument_pointers = pointers(&arguments);
    let environment_pointers = environment.as_deref().map(pointers);
    let mut report = [0_i32; 2];
    // SAFETY: the array is ours.
    if unsafe { libc::pipe2(report.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err((Stage::Start, io::Error::last_os_error()));
    }
    let plan = Plan { child, programs: &programs, arguments: &argument_pointers, environment: environment_pointers.as_deref(), folder };
    let mut all = MaybeUninit::<libc::sigset_t>::zeroed();
    let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the sets are ours. With all signals blocked no handler of ours runs in the child.
    let number = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        let number = libc::fork();
        if number == 0 {
            plan.become_child(report[1], before.as_ptr());
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut());
        number
    };
    let fork_error = io::Error::last_os_error();
    // SAFETY: the descriptor is ours and not used again.
    unsafe { libc::close(report[1]) };
    if number < 0 {
        // SAFETY: as above.
        unsafe { libc::close(report[0]) };
        return Err((Stage::Start, fork_error));
    }
    let outcome = read_report(report[0]);
    // SAFETY: as above.
    unsafe { libc::close(report[0]) };
    match outcome {
        None => Ok(number),
        Some((stage, code)) => {
            let mut status = 0;
            // SAFETY: the status is ours; the child has ended or is about to.
            while unsafe { libc::waitpid(number, &raw mut status, 0) } < 0 && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted {}
            Err((stage, io::Error::from_raw_os_error(code)))
        }
    }
}

/// What the child wrote before it ended; `None` when its program runs, which has closed the pipe.
fn read_report(descriptor: i32) -> Option<(Stage, i32)> {
    let mut message = [0_u8; 5];
    let mut got = 0;
    while got < message.len() {
        // SAFETY: the rest of the array is ours and as long as said.
        let count = unsafe { libc::read(descriptor, message[got..].as_mut_ptr().cast(), message.len() - got) };
        match count {
            1.. => got += count as usize,
            0 => return None,
            _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            _ => return None,
        }
    }
    let stage = match message[0] {
        1 => Stage::Folder,
        2 => Stage::Program,
        _ => Stage::Start,
    };
    Some((stage, i32::from_ne_bytes([message[1], message[2], message[3], message[4]])))
}

/// Everything the child needs, ready before the fork.
struct Plan<'a> {
    child: &'a Child<'a>,
    programs: &'a [CString],
    arguments: &'a [*const libc::c_char],
    environment: Option<&'a [*const libc::c_char]>,
    folder: Option<CString>,
}

impl Plan<'_> {
    /// In the child: becomes the program, or reports why not and ends.
    ///
    /// # Safety
    /// Called right after `fork`, in the child; `mask` is a valid set.
    unsafe fn become_child(&self, report: i32, mask: *const libc::sigset_t) -> ! {
        // SAFETY: only calls that are safe in signal handlers; all pointers were made before the fork and live on.
        unsafe {
            let report = if report < 3 { libc::fcntl(report, libc::F_DUPFD_CLOEXEC, 3) } else { report };
            let (stage, code) = match self.prepare() {
                Err(stage) => (stage, errno()),
                Ok(()) => {
                    libc::pthread_sigmask(libc::SIG_SETMASK, mask, std::ptr::null_mut());
                    let mut telling = libc::ENOENT;
                    for program in self.programs {
                        match self.environment {
                            Some(environment) => libc::execve(program.as_ptr(), self.arguments.as_ptr(), environment.as_ptr()),
                            None => libc::execv(program.as_ptr(), self.arguments.as_ptr()),
                        };
                        let code = errno();
                        if code != libc::ENOENT && code != libc::ENOTDIR {
                            telling = code;
                        }
                    }
                    (Stage::Program, telling)
                }
            };
            let number = match stage {
                Stage::Start => 0_u8,
                Stage::Folder => 1,
                Stage::Program => 2,
            };
            let code = code.to_ne_bytes();
            let message = [number, code[0], code[1], code[2], code[3]];
            libc::write(report, message.as_ptr().cast(), message.len());
            libc::_exit(255)
        }
    }

    /// Descriptors, folder, session and signals.
    ///
    /// # Safety
    /// As for `become_child`.
    unsafe fn prepare(&self) -> Result<(), Stage> {
        let child = self.child;
        let check = |result: i32, stage: Stage| if result < 0 { Err(stage) } else { Ok(result) };
        // SAFETY: as in `become_child`.
        unsafe {
            let mut streams = child.streams;
            // One that stands where another goes moves away first.
            for (place, stream) in streams.iter_mut().enumerate() {
                if (0..3).contains(stream) && *stream != place as i32 {
                    *stream = check(libc::fcntl(*stream, libc::F_DUPFD_CLOEXEC, 3), Stage::Start)?;
                }
            }
            for (place, &stream) in streams.iter().enumerate() {
                if stream == place as i32 {
                    check(libc::fcntl(stream, libc::F_SETFD, 0), Stage::Start)?;
                } else if stream >= 0 {
                    check(libc::dup2(stream, place as i32), Stage::Start)?;
                }
            }
            if let Some(folder) = &self.folder {
                check(libc::chdir(folder.as_ptr()), Stage::Folder)?;
            }
            if child.mask >= 0 {
                libc::umask(child.mask as libc::mode_t);
            }
            if child.restore_signals {
                // Rust's run time ignores it, as CPython does.
                libc::signal(libc::SIGPIPE, libc::SIG_DFL);
                libc::signal(libc::SIGXFSZ, libc::SIG_DFL);
            }
            if child.new_session {
                check(libc::setsid(), Stage::Start)?;
            }
            if child.group >= 0 {
                check(libc::setpgid(0, child.group), Stage::Start)?;
            }
            if child.close_others {
                const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
                if libc::syscall(libc::SYS_close_range, 3 as libc::c_uint, libc::c_uint::MAX, CLOSE_RANGE_CLOEXEC) != 0 {
                    for descriptor in 3..1024 {
                        libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
                    }
                }
            }
            for &descriptor in child.passed {
                check(libc::fcntl(descriptor, libc::F_SETFD, 0), Stage::Start)?;
            }
        }
        Ok(())
    }
}

/// The last error's number; allocates nothing.
fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}
