//! Seconds as scripts give them, deadlines, and the wait that ends with a deadline, a wake or a signal's handler.

use std::time::{Duration, Instant};

use crate::gil::{Activity, Reason, Ticket};
use crate::object::value::Value;
use crate::vm::{Result, Vm};

/// Nanoseconds from a number of seconds; a fraction of a nanosecond counts as one.
pub(crate) fn nanoseconds(vm: &mut Vm, value: &Value) -> Result<i64> {
    if let Some(seconds) = vm.float_value(value) {
        if seconds.is_nan() {
            return Err(vm.value_error("Invalid value NaN (not a number)"));
        }
        let nanoseconds = seconds * 1e9;
        let rounded = if nanoseconds >= 0.0 { nanoseconds.ceil() } else { nanoseconds.floor() };
        if !(-9.223_372_036_854_775e18..=9.223_372_036_854_775e18).contains(&rounded) {
            return Err(vm.overflow_error("timestamp out of range for platform time_t"));
        }
        return Ok(rounded as i64);
    }
    let seconds = vm.index_value(value)?;
    let seconds = vm.int_ref(&seconds).and_then(|seconds| seconds.to_i64());
    let nanoseconds = seconds.and_then(|seconds| seconds.checked_mul(1_000_000_000));
    nanoseconds.ok_or_else(|| vm.overflow_error("timestamp too large to convert to C PyTime_t"))
}

/// When so many nanoseconds from now have passed.
pub(crate) fn deadline(nanoseconds: i64) -> Option<Instant> {
    Instant::now().checked_add(Duration::from_nanos(nanoseconds.max(0) as u64))
}

/// How a wait ended, as far as the waiting primitive has to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Look whether what was waited for is there.
    Look,
    Timeout,
}

impl Vm {
    /// Waits in the wait that `ticket` began. After a signal its handlers run, and unless one raises the caller looks, and waits again.
    /// The caller's entry in a wait list is stale when this returns anything but `Look` after a grant: grants to stale entries have no effect.
    pub(crate) fn wait(&mut self, ticket: Ticket, deadline: Option<Instant>) -> Result<Woken> {
        match self.block(ticket, deadline) {
            Reason::Granted => Ok(Woken::Look),
            Reason::Timeout => Ok(Woken::Timeout),
            Reason::Interrupted | Reason::Stopped => {
                self.after_interrupt()?;
                Ok(Woken::Look)
            }
            Reason::Closed => Err(self.quit()),
        }
    }
}

/// `time.sleep`
pub(crate) fn sleep(vm: &mut Vm, seconds: &Value) -> Result<Value> {
    let nanoseconds = nanoseconds(vm, seconds)?;
    if nanoseconds < 0 {
        return Err(vm.value_error("sleep length must be non-negative"));
    }
    if nanoseconds == 0 {
        let shared = vm.state().shared.clone();
        shared.yield_now(&vm.thread);
        vm.poll()?;
        return Ok(Value::NONE);
    }
    let deadline = deadline(nanoseconds);
    loop {
        let ticket = vm.thread.wait.begin(Activity::Sleep);
        if vm.wait(ticket, deadline)? == Woken::Timeout {
            return Ok(Value::NONE);
        }
    }
}
