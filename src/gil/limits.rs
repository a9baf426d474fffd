//! What an interpreter may use, and the request that ends what it runs.
//!
//! Instructions are counted down by each thread in a field of its own; here is the pool from which threads take slices, and to which they give
//! back what is left. A stop is a number: a thread whose own number is older ends. So a request reaches every thread there is, none that starts
//! later, and needs nobody to answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use super::scheduler::{Shared, ThreadHandle};
use super::sync::{AtomicU64, AtomicUsize, Condvar, Instant, Mutex};

/// What an interpreter may use. What is absent has no limit of the host's.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    /// Instructions of one run, as [`Meter`] counts them.
    pub(crate) instructions: Option<u64>,
    /// Bytes that the interpreter's objects may take together.
    pub(crate) memory: Option<usize>,
    /// How long a run may last.
    pub(crate) wall_time: Option<Duration>,
    /// How many calls may be under way in a thread.
    pub(crate) depth: Option<usize>,
    /// How many threads there may be, the one that called included.
    pub(crate) threads: Option<usize>,
    /// Bytes that a run may write to standard output and standard error together.
    pub(crate) output: Option<u64>,
}

/// Why a run was ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// The host asked for it, with these words.
    Host(String),
    /// The limit of instructions.
    Instructions(u64),
    /// The limit of memory, in bytes, and `MemoryError` did not help.
    Memory(usize),
    /// The limit of time.
    WallTime(Duration),
    /// The limit of output, in bytes.
    Output(u64),
}

impl std::fmt::Display for StopReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host(words) if words.is_empty() => f.write_str("stopped by the host"),
            Self::Host(words) => write!(f, "stopped by the host: {words}"),
            Self::Instructions(limit) => write!(f, "the limit of {limit} instructions was reached"),
            Self::Memory(limit) => write!(f, "the limit of {limit} bytes of memory was reached"),
            Self::WallTime(limit) => write!(f, "the time limit of {} seconds was reached", limit.as_secs_f64()),
            Self::Output(limit) => write!(f, "the limit of {limit} bytes of output was reached"),
        }
    }
}

/// The number of a thread that runs nothing.
pub(super) const IDLE: u64 = u64::MAX;

/// The slice a thread takes where nothing is limited: it never ends.
const ENDLESS: i64 = 1 << 60;
/// The largest slice of a limited pool: about a millisecond. What threads hold and do not use is missing to the others, so it shrinks with the pool.
const SLICE: i64 = 1 << 16;

/// The pool of instructions and output, the request to stop, and the timer.
pub(super) struct Meter {
    limits: Limits,
    /// Changed by who holds the GIL only.
    left: AtomicI64,
    /// What threads took and have not given back.
    taken: AtomicI64,
    output: AtomicU64,
    /// Host calls under way.
    runs: AtomicUsize,
    /// The number of the last stop. Changes under the queue's lock only.
    pub(super) stop_number: AtomicU64,
    reason: Mutex<StopReason>,
    timer: Arc<Timer>,
}

impl Meter {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            left: AtomicI64::new(pool(limits)),
            taken: AtomicI64::new(0),
            output: AtomicU64::new(0),
            runs: AtomicUsize::new(0),
            stop_number: AtomicU64::new(0),
            reason: Mutex::new(StopReason::Host(String::new())),
            timer: Arc::default(),
        }
    }
}

fn pool(limits: Limits) -> i64 {
    limits.instructions.map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX))
}

impl Shared {
    /// What the host allows.
    pub(crate) fn limits(&self) -> &Limits {
        &self.meter.limits
    }

    /// Instructions for a thread to use; zero when there are none left. With the GIL held.
    pub(crate) fn take_instructions(&self) -> i64 {
        let meter = &self.meter;
        let left = meter.left.load(Relaxed);
        let slice = if meter.limits.instructions.is_some() { (left / 64).clamp(1024, SLICE).min(left).max(0) } else { ENDLESS };
        meter.left.store(left.saturating_sub(slice), Relaxed);
        meter.taken.store(meter.taken.load(Relaxed).wrapping_add(slice), Relaxed);
        slice
    }

    /// What is left of a slice; less than nothing when more was used. With the GIL held.
    pub(crate) fn give_back_instructions(&self, rest: i64) {
        let meter = &self.meter;
        meter.left.store(meter.left.load(Relaxed).saturating_add(rest), Relaxed);
        meter.taken.store(meter.taken.load(Relaxed).wrapping_sub(rest), Relaxed);
    }

    /// Instructions that nobody has taken yet.
    pub(crate) fn instructions_left(&self) -> i64 {
        self.meter.left.load(Relaxed)
    }

    /// Instructions used since the last run began; exact when nothing runs.
    pub(crate) fn instructions_used(&self) -> u64 {
        self.meter.taken.load(Relaxed).max(0) as u64
    }

    /// Counts bytes before they are written to standard output or error; `false` when they are too many. With the GIL held.
    pub(crate) fn charge_output(&self, bytes: usize) -> bool {
        let Some(limit) = self.meter.limits.output else { return true };
        let sum = self.meter.output.load(Relaxed).saturating_add(bytes as u64);
        if sum > limit {
            return false;
        }
        self.meter.output.store(sum, Relaxed);
        true
    }

    /// A host call enters with the GIL held. The first one of several starts a run: what it may use is counted from here.
    /// Where the timer's thread cannot be started, the run is over at once.
    pub(crate) fn begin_run(self: &Arc<Self>, thread: &ThreadHandle) {
        let meter = &self.meter;
        thread.stop_number.store(meter.stop_number.load(Relaxed), Relaxed);
        let runs = meter.runs.load(Relaxed);
        meter.runs.store(runs + 1, Relaxed);
        if runs == 0 {
            meter.left.store(pool(meter.limits), Relaxed);
            meter.taken.store(0, Relaxed);
            meter.output.store(0, Relaxed);
            if let Some(limit) = meter.limits.wall_time {
                if Timer::arm(&meter.timer, self, Instant::now().checked_add(limit)).is_err() {
                    self.request_stop(StopReason::WallTime(limit));
                }
            }
        }
    }

    /// The host call that began is over. The timer runs on while the script's threads do.
    pub(crate) fn end_run(&self, thread: &ThreadHandle) {
        let meter = &self.meter;
        thread.stop_number.store(IDLE, Relaxed);
        let runs = meter.runs.load(Relaxed).saturating_sub(1);
        meter.runs.store(runs, Relaxed);
        if runs == 0 && meter.limits.wall_time.is_some() && self.is_idle() {
            meter.timer.disarm();
        }
    }

    /// Ends whatever runs in the interpreter now. From any thread.
    pub(crate) fn request_stop(&self, reason: StopReason) {
        *self.meter.reason.lock() = reason;
        self.raise_stop_number();
    }

    /// Why the last stop was asked for.
    pub(crate) fn stop_reason(&self) -> StopReason {
        self.meter.reason.lock().clone()
    }

    /// Whether a stop was asked for that this thread has to follow.
    #[inline]
    pub(crate) fn must_stop(&self, thread: &ThreadHandle) -> bool {
        let own = thread.stop_number.load(Relaxed);
        own != IDLE && own != self.meter.stop_number.load(Relaxed)
    }

    /// The new thread ends by the same stop as the one that starts it.
    pub(crate) fn inherit_stop(&self, thread: &ThreadHandle, from: &ThreadHandle) {
        thread.stop_number.store(from.stop_number.load(Relaxed), Relaxed);
    }

    /// The thread has followed every stop there was.
    pub(crate) fn inherit_newest_stop(&self, thread: &ThreadHandle) {
        thread.stop_number.store(self.meter.stop_number.load(Relaxed), Relaxed);
    }

    /// The thread begins to clean up after the newest stop. The stop ends a host call that was made inside of another one first, then that one:
    /// all of them have together what `whole` says.
    pub(crate) fn begin_clean_up(&self, thread: &ThreadHandle, whole: CleanUp) -> CleanUp {
        let number = self.meter.stop_number.load(Relaxed);
        match &mut *thread.clean_up.lock() {
            Some((of, left)) if *of == number => *left,
            other => {
                *other = Some((number, whole));
                whole
            }
        }
    }

    /// One of the thread's host calls has cleaned up, and has left so many instructions.
    pub(crate) fn end_clean_up(&self, thread: &ThreadHandle, instructions: i64) {
        if let Some((_, left)) = &mut *thread.clean_up.lock() {
            left.instructions = left.instructions.min(instructions);
        }
    }

    /// The interpreter is gone: the timer's thread ends.
    pub(crate) fn end_timer(&self) {
        self.meter.timer.close();
    }
}

/// What `finally` clauses and exit methods may take once a thread is stopped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CleanUp {
    pub(crate) instructions: i64,
    /// Absent where only instructions count, so that the same script ends the same way.
    pub(crate) deadline: Option<Instant>,
}

/// How long the timer's thread waits for another run before it ends.
const PATIENCE: Duration = Duration::from_secs(1);

/// Ends a run that takes too long. Its thread exists only while runs with a time limit follow one another.
#[derive(Default)]
struct Timer {
    state: Mutex<TimerState>,
    changed: Condvar,
}

#[derive(Default)]
struct TimerState {
    deadline: Option<Instant>,
    /// When the thread looks next by itself, if there is one.
    looks_at: Option<Instant>,
    is_closed: bool,
}

impl Timer {
    fn arm(timer: &Arc<Self>, shared: &Arc<Shared>, deadline: Option<Instant>) -> std::io::Result<()> {
        let mut state = timer.state.lock();
        state.deadline = deadline;
        let Some(deadline) = deadline else { return Ok(()) };
        match state.looks_at {
            Some(looks_at) if looks_at <= deadline => {}
            Some(_) => {
                timer.changed.notify_one();
            }
            None => {
                let (own, shared) = (timer.clone(), Arc::downgrade(shared));
                crate::os::thread::spawn(64 * 1024, move || own.watch(&shared))?;
                state.looks_at = Some(deadline);
            }
        }
        Ok(())
    }

    fn disarm(&self) {
        self.state.lock().deadline = None;
    }

    fn close(&self) {
        self.state.lock().is_closed = true;
        self.changed.notify_one();
    }

    fn watch(&self, shared: &std::sync::Weak<Shared>) {
        let mut state = self.state.lock();
        while !state.is_closed {
            let now = Instant::now();
            match state.deadline {
                Some(deadline) if deadline <= now => {
                    state.deadline = None;
                    drop(state);
                    let Some(shared) = shared.upgrade() else { return };
                    shared.request_stop(StopReason::WallTime(shared.limits().wall_time.unwrap_or_default()));
                    drop(shared);
                    state = self.state.lock();
                }
                Some(deadline) => {
                    state.looks_at = Some(deadline);
                    self.changed.wait_until(&mut state, deadline);
                }
                None => {
                    let until = now + PATIENCE;
                    state.looks_at = Some(until);
                    if self.changed.wait_until(&mut state, until).timed_out() && state.deadline.is_none() {
                        break;
                    }
                }
            }
        }
        state.looks_at = None;
    }
}
