//! The one wait type: every wait that a script can see (a lock, a join, a sleep, a descriptor) is a wait of its thread's `WaitCell`, so that
//! deadlines, interrupts, stops and the end of the interpreter reach it.
//!
//! A thread waits for one thing at a time, so it has one cell; a ticket tells one wait from the next, and a wake for a wait that is over
//! does nothing. The order that loses no wake: `WaitCell::begin`, then look at what could end the wait already, then `WaitCell::park`
//! (or `park_on`, when descriptors can end the wait too).

use std::fmt;
use std::sync::Arc;

use super::scheduler::ThreadHandle;
use super::sync::{Condvar, Instant, Mutex, MutexGuard};
use crate::os::poll::{self, Polled, Wake};

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// What was waited for came.
    Granted,
    /// The deadline passed.
    Timeout,
    /// A signal came.
    Interrupted,
    /// The host, or a limit, wants the script to end.
    Stopped,
    /// The interpreter closes.
    Closed,
}

/// What a thread waits for, as a thread dump says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Activity {
    #[default]
    Nothing,
    /// A `Lock`, by its address.
    Lock(u64),
    /// An `RLock`, by its address.
    RLock(u64),
    /// The end of the thread of that identity.
    Join(u64),
    Sleep,
    /// A module that another thread imports.
    Import,
    /// Something to read from a descriptor.
    Read(i32),
    /// Room to write to a descriptor.
    Write(i32),
    /// A connection to be made by, or accepted from, a descriptor.
    Connection(i32),
    /// One of several descriptors.
    Select(usize),
    /// The end of a child process; of any child when not positive.
    Child(i32),
    /// The address of a host's name.
    NameLookup,
    /// A program that is compiled.
    Compile,
    Signal,
    /// The end of other threads, at exit.
    OtherThreads,
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => write!(f, "nothing"),
            Self::Lock(address) => write!(f, "the lock at {address:#x}"),
            Self::RLock(address) => write!(f, "the RLock at {address:#x}"),
            Self::Join(ident) => write!(f, "the end of thread {ident:#x}"),
            Self::Sleep => write!(f, "time to pass"),
            Self::Import => write!(f, "a module that another thread imports"),
            Self::Read(fd) => write!(f, "something to read from descriptor {fd}"),
            Self::Write(fd) => write!(f, "room to write to descriptor {fd}"),
            Self::Connection(fd) => write!(f, "a connection on descriptor {fd}"),
            Self::Select(1) => write!(f, "one descriptor"),
            Self::Select(count) => write!(f, "one of {count} descriptors"),
            Self::Child(process) if *process > 0 => write!(f, "the end of process {process}"),
            Self::Child(_) => write!(f, "the end of a child process"),
            Self::NameLookup => write!(f, "the address of a host"),
            Self::Compile => write!(f, "a program to be compiled"),
            Self::Signal => write!(f, "a signal"),
            Self::OtherThreads => write!(f, "the end of other threads"),
        }
    }
}

/// One wait of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

#[derive(Default)]
struct State {
    ticket: u64,
    is_open: bool,
    reason: Option<Reason>,
    activity: Activity,
    /// The thread is in `poll`, or about to be: a wake must write to `wake` too.
    is_polling: bool,
    /// Made at the thread's first wait for descriptors.
    wake: Option<Arc<Wake>>,
}

impl State {
    /// The wait is over.
    fn close(&mut self) {
        self.is_open = false;
        self.activity = Activity::Nothing;
        if self.is_polling {
            self.is_polling = false;
            if let (Some(_), Some(wake)) = (self.reason, &self.wake) {
                wake.reset();
            }
        }
        self.reason = None;
    }
}

/// Where a thread waits.
#[derive(Default)]
pub(crate) struct WaitCell {
    state: Mutex<State>,
    woken: Condvar,
}

impl WaitCell {
    /// Starts a wait: from here on it can be woken.
    pub(crate) fn begin(&self, activity: Activity) -> Ticket {
        crate::os::signal::start_reader();
        let mut state = self.state.lock();
        state.ticket += 1;
        state.is_open = true;
        state.reason = None;
        state.activity = activity;
        Ticket(state.ticket)
    }

    /// What the thread is waiting for.
    pub(crate) fn activity(&self) -> Activity {
        self.state.lock().activity
    }

    /// Ends a wait without parking; why it had been woken already, if it had.
    pub(crate) fn cancel(&self, ticket: Ticket) -> Option<Reason> {
        let mut state = self.state.lock();
        if state.ticket != ticket.0 {
            return None;
        }
        let reason = state.reason;
        state.close();
        reason
    }

    /// Waits until woken or until `deadline`. Never with the GIL held.
    pub(crate) fn park(&self, ticket: Ticket, deadline: Option<Instant>) -> Reason {
        let mut state = self.state.lock();
        loop {
            if let Some(reason) = state.reason {
                state.close();
                return reason;
            }
            if state.ticket != ticket.0 {
                return Reason::Granted;
            }
            match deadline {
                None => self.woken.wait(&mut state),
                Some(deadline) => {
                    if self.woken.wait_until(&mut state, deadline).timed_out() && state.reason.is_none() {
                        state.close();
                        return Reason::Timeout;
                    }
                }
            }
        }
    }

    /// Waits until woken, until one of the descriptors is ready (`Granted`; which they are is noted in them) or until `deadline`.
    /// Never with the GIL held.
    pub(crate) fn park_on(&self, ticket: Ticket, polled: &mut [Polled], deadline: Option<std::time::Instant>) -> Reason {
        let wake = {
            let mut state = self.state.lock();
            if let Some(reason) = state.reason {
                state.close();
                return reason;
            }
            if state.ticket != ticket.0 {
                return Reason::Granted;
            }
            if state.wake.is_none() {
                state.wake = Wake::new().ok().map(Arc::new);
            }
            state.is_polling = true;
            state.wake.clone()
        };
        loop {
            let mut timeout = deadline.map(|deadline| deadline.saturating_duration_since(std::time::Instant::now()));
            if wake.is_none() {
                // No descriptor was left for waking: the thread has to look.
                timeout = Some(timeout.unwrap_or(UNWAKEABLE).min(UNWAKEABLE));
            }
            // What cannot be polled is left to the call that follows to complain about.
            let n_ready = match poll::poll(polled, wake.as_deref(), timeout) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => 0,
                Err(_) => 1,
                Ok(n_ready) => n_ready,
            };
            let mut state = self.state.lock();
            let reason = match state.reason {
                Some(reason) => reason,
                None if n_ready > 0 => Reason::Granted,
                None if deadline.is_some_and(|deadline| deadline <= std::time::Instant::now()) => Reason::Timeout,
                None => continue,
            };
            state.close();
            return reason;
        }
    }

    /// Wakes the wait that `ticket` stands for; whether it was still waiting.
    fn wake(&self, ticket: Ticket, reason: Reason) -> bool {
        let state = self.state.lock();
        if !state.is_open || state.ticket != ticket.0 || state.reason.is_some() {
            return false;
        }
        self.end(state, reason);
        true
    }

    /// Wakes whatever wait is under way.
    pub(crate) fn wake_any(&self, reason: Reason) {
        let state = self.state.lock();
        if state.is_open && state.reason.is_none() {
            self.end(state, reason);
        }
    }

    fn end(&self, mut state: MutexGuard<'_, State>, reason: Reason) {
        state.reason = Some(reason);
        if state.is_polling {
            // With the lock held, since who waits forgets the wake once it has seen the reason.
            if let Some(wake) = &state.wake {
                wake.wake();
            }
        } else {
            // Without it, since it is what the woken thread needs first.
            drop(state);
            self.woken.notify_one();
        }
    }
}

/// How long a thread that has no wake descriptor sleeps at a time.
const UNWAKEABLE: std::time::Duration = std::time::Duration::from_millis(10);

/// An entry of a wait list: who waits, in which of its waits.
#[derive(Clone)]
pub(crate) struct Waiter {
    thread: ThreadHandle,
    ticket: Ticket,
}

impl Waiter {
    pub(crate) fn new(thread: ThreadHandle, ticket: Ticket) -> Self {
        Self { thread, ticket }
    }

    /// Ends the wait with `Granted`; whether it was still waiting.
    pub(crate) fn grant(&self) -> bool {
        self.thread.wait.wake(self.ticket, Reason::Granted)
    }

    /// Whether it is a wait of the thread of that number.
    pub(crate) fn is_of(&self, thread: u64) -> bool {
        self.thread.id == thread
    }

    /// Whether this is that wait of that thread.
    pub(crate) fn is(&self, thread: &ThreadHandle, ticket: Ticket) -> bool {
        self.ticket == ticket && self.thread.id == thread.id
    }
}
