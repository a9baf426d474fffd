//! Stops: how a thread is ended by its host or by a limit.
//!
//! A stop travels as an exception, but no `except` clause gets to see it. `finally` clauses and exit methods run, all of a thread's together under
//! one small budget, in which every wait fails at once; whatever they return or raise, the stop goes on. When the budget is used up, or
//! something in it fails, no more script code runs. What natives do with a stop that they take for an ordinary exception does not matter: the next
//! check raises it again.

use std::time::{Duration, Instant};

use super::vm::{Raised, Result, Vm};
use crate::gil::{CleanUp, MEMORY, QUIT, STOP, StopReason};
use crate::object::types::exception::{Exception, ExceptionKind};
use crate::object::value::Value;

/// Instructions that a thread's `finally` clauses and exit methods have together.
const CLEAN_UP_INSTRUCTIONS: i64 = 100_000;
/// How long they may take, where time decides anyway.
const CLEAN_UP_TIME: Duration = Duration::from_millis(50);

/// So far back is looked for the stop among the exceptions in whose handling another was raised.
const MAX_CONTEXTS: usize = 100;

/// A thread on its way out.
pub(crate) struct Stopping {
    exception: Value,
    reason: StopReason,
    /// No script code runs any more.
    is_over: bool,
    /// The next check raises the stop again: something swallowed it.
    is_swallowed: bool,
    /// When the time for cleaning up is over; absent where only instructions count, so that the same script ends the same way.
    deadline: Option<Instant>,
}

impl Vm {
    /// Whether this thread is being stopped.
    #[inline]
    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.is_some()
    }

    /// Whether the pending exception is the stop.
    pub(super) fn raised_is_stop(&self) -> bool {
        match (&self.stop, &self.raised) {
            (Some(stop), Some(raised)) => stop.exception.is(raised),
            _ => false,
        }
    }

    /// Whether unwinding stops at no handler: the thread leaves a closing interpreter, or its time for cleaning up is over.
    pub(super) fn skips_all_handlers(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.is_over) || self.is_quitting()
    }

    /// Asks for the end of everything that runs in the interpreter, and starts with this thread.
    #[cold]
    pub(crate) fn stop_all(&mut self, reason: StopReason) -> Raised {
        if self.stop.is_some() {
            return self.end_clean_up();
        }
        self.state().shared.clone().request_stop(reason);
        self.start_stop()
    }

    /// Follows the request to stop.
    #[cold]
    pub(super) fn start_stop(&mut self) -> Raised {
        let reason = self.state().shared.stop_reason();
        let message = self.new_str(reason.to_string());
        let class = self.state().exception(ExceptionKind::BaseException).clone();
        let exception = self.new_exception(&class, ExceptionKind::BaseException, vec![message]);
        let deadline = match reason {
            StopReason::Host(_) | StopReason::WallTime(_) => Instant::now().checked_add(CLEAN_UP_TIME),
            _ => None,
        };
        let shared = self.state().shared.clone();
        let left = shared.begin_clean_up(&self.thread, CleanUp { instructions: CLEAN_UP_INSTRUCTIONS, deadline });
        let stop = Stopping { exception, reason, is_over: false, is_swallowed: false, deadline: left.deadline };
        self.stop = Some(Box::new(stop));
        shared.give_back_instructions(self.budget);
        self.budget = left.instructions;
        self.leave_clean_up_some_memory();
        self.raise_stop()
    }

    /// The stop goes on.
    #[cold]
    pub(crate) fn raise_stop(&mut self) -> Raised {
        let Some(stop) = &mut self.stop else { return self.quit() };
        stop.is_swallowed = false;
        let exception = stop.exception.clone();
        self.reraise(exception)
    }

    /// No more script code runs in this thread.
    #[cold]
    pub(crate) fn end_clean_up(&mut self) -> Raised {
        if let Some(stop) = &mut self.stop {
            stop.is_over = true;
        }
        self.raise_stop()
    }

    /// The slow path of a check in a thread that is being stopped.
    #[cold]
    pub(super) fn check_clean_up(&mut self) -> Result<()> {
        let shared = self.state().shared.clone();
        if shared.breaker.is_set() {
            shared.yield_now(&self.thread);
        }
        if !self.is_main && shared.breaker.has(QUIT) {
            return Err(self.quit());
        }
        let budget = self.budget;
        let Some(stop) = &mut self.stop else { return Ok(()) };
        if budget < 0 || shared.breaker.take(MEMORY) || stop.deadline.is_some_and(|deadline| Instant::now() > deadline) {
            stop.is_over = true;
        }
        if stop.is_over || stop.is_swallowed {
            return Err(self.raise_stop());
        }
        Ok(())
    }

    /// Something that handles any exception got the pending one; whether it was the stop, which is raised again soon.
    pub(super) fn swallows_stop(&mut self) -> bool {
        if !self.raised_is_stop() {
            return false;
        }
        if let Some(stop) = &mut self.stop {
            stop.is_swallowed = true;
        }
        self.raised = None;
        true
    }

    /// What follows when the handler of `handled` is left: where that is the stop, it goes on whatever the handler did.
    #[inline]
    pub(super) fn leaves_stop_handler(&self, handled: &Value) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.exception.is(handled))
    }

    /// Whether the handler of a stop, which was entered by it, is left by this exception, raised in there: the stop is among what it was raised in the
    /// handling of, and not among what is handled now.
    pub(super) fn leaves_stop_by(&self, exception: &Value) -> bool {
        let Some(stop) = &self.stop else { return false };
        let is_in_stop = |exception: &Value| {
            let mut next = Some(exception.clone());
            // A script may have made a ring of them.
            for _ in 0..MAX_CONTEXTS {
                let Some(exception) = next else { return false };
                if exception.is(&stop.exception) {
                    return true;
                }
                next = exception.downcast::<Exception>().map(|exception| exception.get(self).context.clone());
            }
            false
        };
        is_in_stop(exception) && !is_in_stop(&self.handled)
    }

    /// Whether a request to stop is there that this thread has not followed yet.
    pub(super) fn must_stop(&self) -> bool {
        let shared = &self.state().shared;
        shared.breaker.has(STOP) && self.stop.is_none() && shared.must_stop(&self.thread)
    }

    /// The countdown is used up: takes more instructions, or ends the run when there are none left.
    pub(super) fn refill(&mut self) -> Result<()> {
        let shared = self.state().shared.clone();
        shared.give_back_instructions(self.budget);
        self.budget = 0;
        let slice = shared.take_instructions();
        if slice == 0 {
            let limit = shared.limits().instructions.unwrap_or(0);
            return Err(self.stop_all(StopReason::Instructions(limit)));
        }
        self.budget = slice;
        Ok(())
    }

    /// Ends the stop of this host call, once it has left all its frames: why, and the traceback as text.
    pub(crate) fn take_stop(&mut self) -> Option<(StopReason, String)> {
        self.end_clean_up_if_stopping();
        let exception = self.stop.as_ref()?.exception.clone();
        let report = super::traceback::report(self, &exception);
        let stop = self.stop.take()?;
        self.state().shared.end_clean_up(&self.thread, self.budget);
        // Nothing of this call runs any more, and its slice was given back.
        self.budget = 0;
        self.raised = None;
        if let Some(payload) = exception.downcast::<Exception>() {
            let traceback = std::mem::replace(&mut payload.get_mut(self).traceback, Value::NONE);
            drop(traceback);
        }
        let frames = report.strip_suffix('\n').and_then(|report| report.rsplit_once('\n')).map_or("", |(frames, _)| frames);
        let text = if frames.is_empty() { format!("{}\n", stop.reason) } else { format!("{frames}\n{}\n", stop.reason) };
        Some((stop.reason, text))
    }

    fn end_clean_up_if_stopping(&mut self) {
        if let Some(stop) = &mut self.stop {
            stop.is_over = true;
        }
    }
}
