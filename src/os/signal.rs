//! The process's signals: a handler that only takes notes, a thread that wakes whoever waits, and the calls behind the `signal` module.
//!
//! A process has one table of handlers, so one interpreter gets the signals: the one that called [`install`] (the command line's).
//!
//! - **S1** The handler does only what is allowed in one: it stores to atomics and writes one byte to a pipe.
//! - **S2** `BREAKER` points to a word that is never freed: `install` leaks a reference to its interpreter's scheduler.
#![allow(unsafe_code, reason = "sigaction and its kin; see S1 and S2")]

use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};

/// Ctrl-C's number.
pub(crate) const INTERRUPT: i32 = libc::SIGINT;
/// Signals have numbers below this one.
pub(crate) const COUNT: i32 = 65;

static PENDING: [AtomicBool; COUNT as usize] = [const { AtomicBool::new(false) }; COUNT as usize];
static BREAKER: AtomicPtr<AtomicU32> = AtomicPtr::new(std::ptr::null_mut());
static BREAKER_BIT: AtomicU32 = AtomicU32::new(0);
static PIPE: AtomicI32 = AtomicI32::new(-1);
/// How to start the thread that wakes whoever waits; taken when somebody waits for the first time.
static READER: Mutex<Option<Reader>> = Mutex::new(None);
/// Whether `READER` is still to be started.
static READER_IS_DUE: AtomicBool = AtomicBool::new(false);
/// A descriptor that gets each signal's number as a byte, for event loops (`set_wakeup_fd`).
static WAKEUP: AtomicI32 = AtomicI32::new(-1);

/// A request that is to be heeded within [`PATIENCE`]: Ctrl-C, and `SIGQUIT` for the stacks of all threads.
struct Request {
    is_pending: AtomicBool,
    /// When it was made; meaningful while it is pending. In nanoseconds of the monotonic clock.
    since: AtomicU64,
}

/// How long a request may stay without effect before making it again ends the process. In nanoseconds.
const PATIENCE: u64 = 1_000_000_000;

static INTERRUPT_REQUEST: Request = Request::new();
static STACKS_REQUEST: Request = Request::new();

impl Request {
    const fn new() -> Self {
        Self { is_pending: AtomicBool::new(false), since: AtomicU64::new(0) }
    }

    /// The request is made, by the signal of this number whose handler runs: when it has stayed without effect for too long already, the
    /// process ends by that signal. For a handler: it does nothing but what is allowed in one (S1).
    fn make(&self, number: libc::c_int) {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the structure is ours.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
        let now = (time.tv_sec as u64).saturating_mul(1_000_000_000) + time.tv_nsec as u64;
        if !self.is_pending.swap(true, SeqCst) {
            self.since.store(now, Relaxed);
        } else if now.saturating_sub(self.since.load(Relaxed)) >= PATIENCE {
            let _ = set_action(number, Action::Default);
            // Held back until the handler returns.
            let _ = raise(number);
        }
    }

    /// The request has had its effect; whether there was one.
    fn take(&self) -> bool {
        self.is_pending.load(Relaxed) && self.is_pending.swap(false, AcqRel)
    }
}

/// `SIGQUIT` when no script handles it: the stacks of all threads are wanted.
extern "C" fn want_stacks(number: libc::c_int) {
    STACKS_REQUEST.make(number);
    tell(0);
}

/// Whether the stacks of all threads were asked for since this was called last.
pub(crate) fn stacks_are_wanted() -> bool {
    STACKS_REQUEST.take()
}

extern "C" fn note(number: libc::c_int) {
    if number == INTERRUPT {
        INTERRUPT_REQUEST.make(number);
    }
    if let Some(pending) = PENDING.get(number as usize) {
        pending.store(true, SeqCst);
    }
    tell(number);
}

/// Sets the breaker and writes to the pipes; in a handler.
fn tell(number: libc::c_int) {
    // SAFETY: errno is the thread's own and put back as it was (S1).
    let errno = unsafe { *libc::__errno_location() };
    let breaker = BREAKER.load(Acquire);
    if !breaker.is_null() {
        // SAFETY: S2.
        unsafe { &*breaker }.fetch_or(BREAKER_BIT.load(Relaxed), Release);
    }
    let byte = number as u8;
    for descriptor in [PIPE.load(SeqCst), WAKEUP.load(Relaxed)] {
        if descriptor >= 0 {
            // SAFETY: one byte of ours to a descriptor that does not block (S1).
            unsafe { libc::write(descriptor, (&raw const byte).cast(), 1) };
        }
    }
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

/// What the reading thread needs: it owns what `wake` refers to for good (S2).
type Reader = Box<dyn Fn() + Send>;

/// Directs the process's signals to one interpreter, Ctrl-C first of all: a signal sets `bit` in `word` at once, and while somebody waits (see
/// [`start_reader`]) a thread calls `wake`. Output to a closed pipe is an error from now on, no signal. `SIGQUIT` asks for the stacks of all threads.
/// A second Ctrl-C ends the process when the first had no effect for a second.
pub(crate) fn install<T: Send + Sync + 'static>(shared: &Arc<T>, word: fn(&T) -> &AtomicU32, bit: u32, wake: fn(&T)) -> io::Result<()> {
    BREAKER_BIT.store(bit, Relaxed);
    // Never given back (S2).
    BREAKER.store(std::ptr::from_ref(word(shared)).cast_mut(), Release);
    std::mem::forget(shared.clone());
    let shared = shared.clone();
    *READER.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(move || wake(&shared)));
    READER_IS_DUE.store(true, Release);
    set_action(libc::SIGPIPE, Action::Ignore)?;
    set_action(libc::SIGXFSZ, Action::Ignore)?;
    if action(libc::SIGINT)? == Action::Default {
        set_action(libc::SIGINT, Action::Note)?;
    }
    if action(libc::SIGQUIT)? == Action::Default {
        set_action(libc::SIGQUIT, Action::ShowStacks)?;
    }
    Ok(())
}

/// Starts the thread that ends the main thread's waits when a signal comes, unless it runs or nobody asked for signals. To be called before every
/// wait: a program that never waits needs no such thread, since the handler sets the breaker itself.
#[inline]
pub(crate) fn start_reader() {
    if READER_IS_DUE.load(Acquire) {
        start_reader_now();
    }
}

#[cold]
fn start_reader_now() {
    let mut reader = READER.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(wake) = reader.take() else { return };
    READER_IS_DUE.store(false, Release);
    let mut pipe = [0; 2];
    // SAFETY: room for two descriptors.
    if unsafe { libc::pipe2(pipe.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        // Without descriptors waits are as long as they are; signals are noted all the same.
        std::mem::forget(wake);
        return;
    }
    let [from, to] = pipe;
    // SAFETY: a descriptor of ours; the handler must never block on it.
    unsafe { libc::fcntl(to, libc::F_SETFL, libc::O_NONBLOCK) };
    // A failure to start leaves the pipe unread, which harms nobody.
    let _ = super::thread::spawn(64 * 1024, move || {
        let mut bytes = [0_u8; 64];
        loop {
            // SAFETY: the buffer is as long as we say.
            let n_read = unsafe { libc::read(from, bytes.as_mut_ptr().cast(), bytes.len()) };
            if n_read > 0 {
                wake();
            } else if n_read == 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                // The other end is never closed; should it be, the scheduler must outlive the handler all the same.
                std::mem::forget(wake);
                return;
            }
        }
    });
    PIPE.store(to, SeqCst);
    // What came before the handler knew the pipe ends the wait that is about to begin.
    if STACKS_REQUEST.is_pending.load(SeqCst) || (1..COUNT).any(|number| PENDING[number as usize].load(SeqCst)) {
        // SAFETY: one byte of ours to a descriptor that does not block.
        unsafe { libc::write(to, [0_u8].as_ptr().cast(), 1) };
    }
}

/// One signal that came and was not taken yet; the lowest number first.
pub(crate) fn take_pending() -> Option<i32> {
    let taken = (1..COUNT).find(|&number| PENDING[number as usize].load(Relaxed) && PENDING[number as usize].swap(false, AcqRel));
    if taken == Some(INTERRUPT) {
        INTERRUPT_REQUEST.take();
    }
    taken
}

/// Whether the signal came and was not taken yet.
pub(crate) fn is_pending(number: i32) -> bool {
    PENDING.get(number as usize).is_some_and(|pending| pending.load(Relaxed))
}

/// As if the signal had come; the caller wakes the interpreter.
pub(crate) fn note_pending(number: i32) {
    if let Some(pending) = PENDING.get(number as usize) {
        pending.store(true, Release);
    }
}

/// What happens when a signal comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Default,
    Ignore,
    /// It is noted for the script's handler.
    Note,
    /// The stacks of all threads are printed.
    ShowStacks,
    /// Somebody else's handler.
    Foreign,
}

/// What happens now when the signal comes.
pub(crate) fn action(number: i32) -> io::Result<Action> {
    let mut old = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the structure is ours.
    if unsafe { libc::sigaction(number, std::ptr::null(), old.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: filled by the call.
    let handler = unsafe { old.assume_init() }.sa_sigaction;
    Ok(if handler == libc::SIG_DFL {
        Action::Default
    } else if handler == libc::SIG_IGN {
        Action::Ignore
    } else if handler == note as extern "C" fn(libc::c_int) as usize {
        Action::Note
    } else if handler == want_stacks as extern "C" fn(libc::c_int) as usize {
        Action::ShowStacks
    } else {
        Action::Foreign
    })
}

/// Sets what happens when the signal comes.
pub(crate) fn set_action(number: i32, action: Action) -> io::Result<()> {
    let handler = match action {
        Action::Default => libc::SIG_DFL,
        Action::Ignore => libc::SIG_IGN,
        Action::Note => note as extern "C" fn(libc::c_int) as usize,
        Action::ShowStacks => want_stacks as extern "C" fn(libc::c_int) as usize,
        Action::Foreign => return Ok(()),
    };
    // SAFETY: all zeros is a valid structure: no flags, an empty mask. System calls are not restarted, so that waits can end.
    let mut new: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    new.sa_sigaction = handler;
    // SAFETY: the structure is ours, and the handler keeps to S1.
    if unsafe { libc::sigaction(number, &raw const new, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Sends a signal to this thread; its handler has run when this returns.
pub(crate) fn raise(number: i32) -> io::Result<()> {
    // SAFETY: touches no memory of ours.
    if unsafe { libc::raise(number) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sends a signal to a thread of this process.
pub(crate) fn kill_thread(thread: u64, number: i32) -> io::Result<()> {
    // SAFETY: touches no memory of ours.
    match unsafe { libc::pthread_kill(thread as libc::pthread_t, number) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Sends a signal to the process that a descriptor stands for.
pub(crate) fn kill_by_descriptor(descriptor: i32, number: i32, flags: u32) -> io::Result<()> {
    // SAFETY: no details are given.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, descriptor, number, std::ptr::null::<libc::siginfo_t>(), flags) };
    if sent == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Ends the process as the signal does when nobody handles it: what a shell expects after Ctrl-C.
pub(crate) fn die_by(number: i32) -> ! {
    let _ = set_action(number, Action::Default);
    let _ = raise(number);
    super::process::exit_now(128 + number)
}

/// Ends the process by SIGINT.
pub(crate) fn die_by_interrupt() -> ! {
    die_by(INTERRUPT)
}

/// The system's words for a signal.
pub(crate) fn description(number: i32) -> Option<String> {
    // SAFETY: gives null or a text that holds until the next call; nobody else calls it (the GIL is held).
    let text = unsafe { libc::strsignal(number) };
    if text.is_null() {
        return None;
    }
    // SAFETY: NUL-terminated.
    let text = unsafe { std::ffi::CStr::from_ptr(text) }.to_string_lossy().into_owned();
    (!text.starts_with("Unknown signal")).then_some(text)
}

/// Has `SIGALRM` sent after so many seconds; what was left of the alarm before.
pub(crate) fn alarm(seconds: u32) -> u32 {
    // SAFETY: touches no memory of ours.
    unsafe { libc::alarm(seconds) }
}

/// Sets an interval timer to (value, interval) in seconds; gives the old ones. `None` for the values reads only.
pub(crate) fn interval_timer(which: i32, new: Option<(f64, f64)>) -> io::Result<(f64, f64)> {
    let split = |seconds: f64| libc::timeval { tv_sec: seconds.trunc() as i64, tv_usec: (seconds.fract() * 1e6).round() as i64 };
    let mut old = MaybeUninit::<libc::itimerval>::zeroed();
    let result = match new {
        // SAFETY: both structures are ours.
        Some((value, interval)) => unsafe {
            let new = libc::itimerval { it_value: split(value), it_interval: split(interval) };
            libc::setitimer(which as _, &raw const new, old.as_mut_ptr())
        },
        // SAFETY: the structure is ours.
        None => unsafe { libc::getitimer(which as _, old.as_mut_ptr()) },
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: filled by the call.
    let old = unsafe { old.assume_init() };
    let join = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ok((join(old.it_value), join(old.it_interval)))
}

/// Whether the signal means that the process itself is broken.
pub(crate) fn is_fatal(number: i32) -> bool {
    matches!(number, libc::SIGSEGV | libc::SIGFPE | libc::SIGABRT | libc::SIGBUS | libc::SIGILL)
}

/// Whether a signal of this number can be sent.
pub(crate) fn is_number(number: i64) -> bool {
    (1..i64::from(COUNT)).contains(&number)
}

/// Changes which signals this thread holds back; those it held back before.
pub(crate) fn set_mask(how: i32, signals: &[i32]) -> io::Result<Vec<i32>> {
    let set = mask(signals);
    let mut old = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: both structures are ours.
    match unsafe { libc::pthread_sigmask(how, &raw const set, old.as_mut_ptr()) } {
        // SAFETY: filled by the call.
        0 => Ok(members(&unsafe { old.assume_init() })),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Signals that were sent and are held back.
pub(crate) fn held_back() -> Vec<i32> {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the structure is ours, and filled by the call.
    unsafe {
        libc::sigpending(set.as_mut_ptr());
        members(&set.assume_init())
    }
}

/// A descriptor that is readable while one of the signals, which are held back, waits for this thread; to be closed by the caller.
pub(crate) fn descriptor(signals: &[i32]) -> io::Result<i32> {
    let set = mask(signals);
    // SAFETY: the set is ours.
    let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(fd) }
}

/// Numbers that come with a signal: signal, code, error number, process, user, status, band.
pub(crate) type Details = [i64; 7];

/// Takes a signal from a descriptor that [`descriptor`] made; `WouldBlock` when there is none.
pub(crate) fn take_from(descriptor: i32) -> io::Result<Details> {
    let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
    // SAFETY: the structure is as large as we say.
    let n_read = unsafe { libc::read(descriptor, info.as_mut_ptr().cast(), size_of::<libc::signalfd_siginfo>()) };
    if n_read < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: filled by the call.
    let info = unsafe { info.assume_init() };
    let (signal, code, number) = (i64::from(info.ssi_signo), i64::from(info.ssi_code), i64::from(info.ssi_errno));
    Ok([signal, code, number, i64::from(info.ssi_pid), i64::from(info.ssi_uid), i64::from(info.ssi_status), i64::from(info.ssi_band)])
}

fn mask(signals: &[i32]) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the structure is ours, and filled by the call.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for &number in signals {
            libc::sigaddset(set.as_mut_ptr(), number);
        }
        set.assume_init()
    }
}

fn members(set: &libc::sigset_t) -> Vec<i32> {
    // SAFETY: a filled structure.
    (1..COUNT).filter(|&number| unsafe { libc::sigismember(set, number) } == 1).collect()
}

/// All signals there are; those the C library keeps to itself are not among them.
pub(crate) fn valid() -> Vec<i32> {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the structure is ours, and filled by the call.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        members(&set.assume_init())
    }
}

/// The descriptor that gets a byte for each signal; the one before.
pub(crate) fn set_wakeup(descriptor: i32) -> i32 {
    WAKEUP.swap(descriptor, Relaxed)
}

/// Names and numbers of the signals.
pub(crate) const NAMES: &[(&str, i32)] = &[
    ("SIGABRT", libc::SIGABRT),
    ("SIGALRM", libc::SIGALRM),
    ("SIGBUS", libc::SIGBUS),
    ("SIGCHLD", libc::SIGCHLD),
    ("SIGCLD", libc::SIGCHLD),
    ("SIGCONT", libc::SIGCONT),
    ("SIGFPE", libc::SIGFPE),
    ("SIGHUP", libc::SIGHUP),
    ("SIGILL", libc::SIGILL),
    ("SIGINT", libc::SIGINT),
    ("SIGIO", libc::SIGIO),
    ("SIGIOT", libc::SIGABRT),
    ("SIGKILL", libc::SIGKILL),
    ("SIGPIPE", libc::SIGPIPE),
    ("SIGPOLL", libc::SIGPOLL),
    ("SIGPROF", libc::SIGPROF),
    ("SIGPWR", libc::SIGPWR),
    ("SIGQUIT", libc::SIGQUIT),
    ("SIGRTMAX", 64),
    ("SIGRTMIN", 34),
    ("SIGSEGV", libc::SIGSEGV),
    ("SIGSTKFLT", libc::SIGSTKFLT),
    ("SIGSTOP", libc::SIGSTOP),
    ("SIGSYS", libc::SIGSYS),
    ("SIGTERM", libc::SIGTERM),
    ("SIGTRAP", libc::SIGTRAP),
    ("SIGTSTP", libc::SIGTSTP),
    ("SIGTTIN", libc::SIGTTIN),
    ("SIGTTOU", libc::SIGTTOU),
    ("SIGURG", libc::SIGURG),
    ("SIGUSR1", libc::SIGUSR1),
    ("SIGUSR2", libc::SIGUSR2),
    ("SIGVTALRM", libc::SIGVTALRM),
    ("SIGWINCH", libc::SIGWINCH),
    ("SIGXCPU", libc::SIGXCPU),
    ("SIGXFSZ", libc::SIGXFSZ),
    ("SIG_BLOCK", libc::SIG_BLOCK),
    ("SIG_UNBLOCK", libc::SIG_UNBLOCK),
    ("SIG_SETMASK", libc::SIG_SETMASK),
    ("ITIMER_REAL", 0),
    ("ITIMER_VIRTUAL", 1),
    ("ITIMER_PROF", 2),
    ("SIG_DFL", 0),
    ("SIG_IGN", 1),
    ("NSIG", COUNT),
];
