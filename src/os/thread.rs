//! OS threads: starting one, who one is.
#![allow(unsafe_code, reason = "asks the C library who the thread is; nothing but numbers goes in and out")]

use std::io;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

type Work = Box<dyn FnOnce() + Send>;

extern "C" fn run(work: *mut libc::c_void) -> *mut libc::c_void {
    // SAFETY: `spawn` made it of a box, for this thread alone.
    let work = unsafe { Box::from_raw(work.cast::<Work>()) };
    // A panic has been reported by its hook, and must not leave a function that C calls.
    let _ = catch_unwind(AssertUnwindSafe(work));
    std::ptr::null_mut()
}

/// Starts a thread, which leaves the process's signals to the main one; its identity as scripts see it. Nobody joins it.
///
/// By the system's own call, since the standard library's aborts the process when memory maps run out, and makes an alternate signal stack for each
/// thread, which costs as much as all the rest.
pub(crate) fn spawn(stack_size: usize, work: impl FnOnce() + Send + 'static) -> io::Result<u64> {
    let work: *mut Work = Box::into_raw(Box::new(Box::new(work)));
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let mut thread: libc::pthread_t = 0;
    // SAFETY: the attributes are initialised by the first call and destroyed by the last; `run` takes the box over when the thread starts.
    let code = unsafe {
        libc::pthread_attr_init(attributes.as_mut_ptr());
        libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), stack_size.max(libc::PTHREAD_STACK_MIN).next_multiple_of(4096));
        libc::pthread_attr_setdetachstate(attributes.as_mut_ptr(), libc::PTHREAD_CREATE_DETACHED);
        // A new thread inherits the mask of its starter.
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        let code = libc::pthread_create(&raw mut thread, attributes.as_ptr(), run, work.cast());
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut());
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        code
    };
    if code != 0 {
        // SAFETY: no thread took it over.
        drop(unsafe { Box::from_raw(work) });
        return Err(io::Error::from_raw_os_error(code));
    }
    Ok(thread as u64)
}

/// The thread's identity as scripts see it (`threading.get_ident`).
pub(crate) fn ident() -> u64 {
    // SAFETY: touches no memory of ours.
    unsafe { libc::pthread_self() as u64 }
}

/// The system's number of the thread (`threading.get_native_id`).
#[cfg(target_os = "linux")]
pub(crate) fn native_id() -> i64 {
    // SAFETY: touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_gettid) }
}

/// The system's number of the thread (`threading.get_native_id`).
#[cfg(not(target_os = "linux"))]
pub(crate) fn native_id() -> i64 {
    ident() as i64
}
