//! The one wait type: every wait that a script can see (a lock, a join, a sleep) is a wait of its thread's `WaitCell`, so that deadlines,
//! interrupts and the end of the interpreter reach it.
//!
//! A thread waits for one thing at a time, so it has one cell; a ticket tells one wait from the next, and a wake for a wait that is over
//! does nothing. The order that loses no wake: `WaitCell::begin`, then look at what could end the wait already, then `WaitCell::park`.

use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use super::scheduler::ThreadHandle;

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// What was waited for came.
    Granted,
    /// The deadline passed.
    Timeout,
    /// A signal came, or a stop.
    Interrupted,
    /// The interpreter closes.
    Closed,
}

/// One wait of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

#[derive(Default)]
struct State {
    ticket: u64,
    is_open: bool,
    reason: Option<Reason>,
}

/// Where a thread waits.
#[derive(Default)]
pub(crate) struct WaitCell {
    state: Mutex<State>,
    woken: Condvar,
}

impl WaitCell {
    /// Starts a wait: from here on it can be woken.
    pub(crate) fn begin(&self) -> Ticket {
        let mut state = self.state.lock();
        state.ticket += 1;
        state.is_open = true;
        state.reason = None;
        Ticket(state.ticket)
    }

    /// Ends a wait without parking; why it had been woken already, if it had.
    pub(crate) fn cancel(&self, ticket: Ticket) -> Option<Reason> {
        let mut state = self.state.lock();
        if state.ticket != ticket.0 {
            return None;
        }
        state.is_open = false;
        state.reason.take()
    }

    /// Waits until woken or until `deadline`. Never with the GIL held.
    pub(crate) fn park(&self, ticket: Ticket, deadline: Option<Instant>) -> Reason {
        let mut state = self.state.lock();
        loop {
            if let Some(reason) = state.reason.take() {
                state.is_open = false;
                return reason;
            }
            if state.ticket != ticket.0 {
                return Reason::Granted;
            }
            match deadline {
                None => self.woken.wait(&mut state),
                Some(deadline) => {
                    if self.woken.wait_until(&mut state, deadline).timed_out() && state.reason.is_none() {
                        state.is_open = false;
                        return Reason::Timeout;
                    }
                }
            }
        }
    }

    /// Wakes the wait that `ticket` stands for; whether it was still waiting.
    fn wake(&self, ticket: Ticket, reason: Reason) -> bool {
        let mut state = self.state.lock();
        if !state.is_open || state.ticket != ticket.0 || state.reason.is_some() {
            return false;
        }
        state.reason = Some(reason);
        self.woken.notify_one();
        true
    }

    /// Wakes whatever wait is under way.
    pub(crate) fn wake_any(&self, reason: Reason) {
        let mut state = self.state.lock();
        if state.is_open && state.reason.is_none() {
            state.reason = Some(reason);
            self.woken.notify_one();
        }
    }
}

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

    /// Whether this is that wait of that thread.
    pub(crate) fn is(&self, thread: &ThreadHandle, ticket: Ticket) -> bool {
        self.ticket == ticket && self.thread.id == thread.id
    }
}
