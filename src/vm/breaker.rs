//! What happens when the breaker is set: the GIL goes to who waits for it, signal handlers run, garbage is collected, threads leave at the end.

use std::time::Instant;

use super::vm::{Raised, Result, Vm};
use crate::gil::{COLLECT, MAILBOX, MEMORY, QUIT, Reason, SIGNAL, Ticket};
use crate::object::types::exception::ExceptionKind;
use crate::object::value::Value;
use crate::os::poll::Polled;

/// Where `_signal` keeps the handlers: a list by signal number.
pub(crate) const SIGNAL_HANDLERS: &str = "signal handlers";

impl Vm {
    /// The slow path of a check: looks at the countdown and at every bit of the breaker.
    #[cold]
    #[inline(never)]
    pub(crate) fn handle_breaker(&mut self) -> Result<()> {
        if self.is_stopping() {
            return self.check_clean_up();
        }
        if self.budget < 0 {
            self.refill()?;
        }
        let shared = self.state().shared.clone();
        if !shared.breaker.is_set() {
            return Ok(());
        }
        self.note_hold();
        shared.yield_now(&self.thread);
        let breaker = &shared.breaker;
        if self.must_stop() {
            return Err(self.start_stop());
        }
        if !self.is_main && breaker.has(QUIT) {
            return Err(self.quit());
        }
        if breaker.has(SIGNAL) && shared.handles_signals() && crate::os::signal::stacks_are_wanted() {
            let stacks = self.all_stacks();
            crate::os::process::write_error(&stacks);
        }
        if breaker.take(MAILBOX) {
            self.drain_mailbox();
        }
        self.overwrite_restored();
        if breaker.has(SIGNAL) && self.is_main {
            self.run_signal_handlers()?;
        }
        if breaker.take(COLLECT) {
            crate::object::cycle::collect_automatically(self);
            if shared.limits().memory.is_some() {
                self.heap().recount();
            }
        }
        if breaker.has(MEMORY) {
            self.answer_memory_alarm()?;
        }
        Ok(())
    }

    /// The slow path of [`Vm::poll_alone`]: the GIL stays here unless the loop is to end.
    #[cold]
    #[inline(never)]
    pub(crate) fn handle_breaker_alone(&mut self) -> Result<()> {
        if self.is_stopping() {
            return self.check_clean_up();
        }
        if self.budget < 0 {
            self.refill()?;
        }
        let shared = &self.state().shared;
        let is_to_end = if self.is_main {
            shared.breaker.has(SIGNAL) && shared.handles_signals() && crate::os::signal::is_pending(crate::os::signal::INTERRUPT)
        } else {
            shared.breaker.has(QUIT)
        };
        if is_to_end || self.must_stop() { self.handle_breaker() } else { Ok(()) }
    }

    /// The thread is about to let the GIL go: notes where it is, if that is wanted.
    #[inline]
    pub(crate) fn note_hold(&self) {
        if self.state().shared.is_observed() {
            self.state().shared.note_place(&self.thread, || self.place());
        }
    }

    /// Drops what hosts let go of without the GIL.
    pub(crate) fn drain_mailbox(&mut self) {
        let mailed = self.state().mailbox.take();
        drop(mailed);
        self.drain_if_dead();
    }

    /// `handle_breaker` where a frame was entered or resumed, which is told to those who trace.
    #[cold]
    #[inline(never)]
    pub(crate) fn handle_breaker_at_entry(&mut self) -> Result<()> {
        self.handle_breaker()?;
        self.trace_entry()
    }

    /// Runs the handlers of the signals that came. In the main thread only.
    pub(crate) fn run_signal_handlers(&mut self) -> Result<()> {
        let shared = self.state().shared.clone();
        if !shared.breaker.take(SIGNAL) {
            return Ok(());
        }
        while shared.handles_signals() {
            let Some(number) = crate::os::signal::take_pending() else { break };
            if let Err(raised) = self.run_signal_handler(number) {
                // What else came waits for the next check.
                shared.breaker.set(SIGNAL);
                return Err(raised);
            }
        }
        Ok(())
    }

    fn run_signal_handler(&mut self, number: i32) -> Result<()> {
        let handlers = self.state().module_state.get(SIGNAL_HANDLERS).cloned();
        let handler = handlers.and_then(|handlers| {
            let list = handlers.downcast::<crate::object::types::list::List>()?;
            list.get(self).items.get(usize::try_from(number).ok()?).cloned()
        });
        match handler {
            // SIG_DFL and SIG_IGN are integers; the system does what they say.
            Some(handler) if !handler.is_none() && !self.is_int(&handler) => {
                let frame = match self.frames.records.len() {
                    0 => Value::NONE,
                    n_frames => self.frame_object(n_frames - 1).into_value(),
                };
                self.call(&handler, &[Value::small(i64::from(number)), frame])?;
                Ok(())
            }
            None if number == crate::os::signal::INTERRUPT => Err(self.raise_new(ExceptionKind::KeyboardInterrupt, Vec::new())),
            _ => Ok(()),
        }
    }

    /// The exception with which a thread leaves a closing interpreter. No handler of a script sees it.
    #[cold]
    pub(crate) fn quit(&mut self) -> Raised {
        self.raise_new(ExceptionKind::SystemExit, Vec::new())
    }

    /// Whether this thread is on its way out of a closing interpreter, so that unwinding stops at no handler.
    pub(crate) fn is_quitting(&self) -> bool {
        !self.is_main && self.state().shared.is_closing()
    }

    /// Waits with the GIL given away, in the wait that `ticket` began, until it is woken or `deadline` passes.
    /// After `Interrupted` the caller takes itself off its wait list and runs the handlers (`handle_breaker`) before it waits on.
    pub(crate) fn block(&mut self, ticket: Ticket, deadline: Option<Instant>) -> Reason {
        let shared = self.state().shared.clone();
        match self.ends_at_once(ticket) {
            Some(reason) => reason,
            None => {
                self.note_hold();
                shared.block(&self.thread, ticket, deadline)
            }
        }
    }

    /// As `block`, for descriptors: the wait ends as granted when one of them is ready.
    pub(crate) fn block_on(&mut self, ticket: Ticket, polled: &mut [Polled], deadline: Option<Instant>) -> Reason {
        let shared = self.state().shared.clone();
        match self.ends_at_once(ticket) {
            Some(reason) => reason,
            None => {
                self.note_hold();
                shared.block_on(&self.thread, ticket, polled, deadline)
            }
        }
    }

    /// What follows when a wait was interrupted or stopped: signals' handlers run. A thread that is being stopped waits for nothing more.
    pub(crate) fn after_interrupt(&mut self) -> Result<()> {
        self.handle_breaker()?;
        if self.is_stopping() { Err(self.raise_stop()) } else { Ok(()) }
    }

    /// Why a wait that has begun is not to be waited: what would end it has come already.
    fn ends_at_once(&self, ticket: Ticket) -> Option<Reason> {
        let shared = &self.state().shared;
        let reason = if !self.is_main && shared.is_closing() {
            Reason::Closed
        } else if self.is_stopping() || self.must_stop() {
            Reason::Stopped
        } else if self.is_main && shared.breaker.has(SIGNAL) {
            Reason::Interrupted
        } else {
            return None;
        };
        Some(self.thread.wait.cancel(ticket).unwrap_or(reason))
    }
}
