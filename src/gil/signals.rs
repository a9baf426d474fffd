//! The process's signals and the scheduler: they set the breaker and end the main thread's waits.

use std::sync::Arc;

use super::breaker::SIGNAL;
use super::scheduler::Shared;

impl Shared {
    /// Has the process's signals come to this interpreter, from its main thread; for the program, not for embedders.
    pub(crate) fn install_signals(self: &Arc<Self>) -> std::io::Result<()> {
        crate::os::signal::install(self, |shared| shared.breaker.word(), SIGNAL, Self::interrupt_main)?;
        self.note_signals();
        Ok(())
    }

    /// As if a signal had come: `_thread.interrupt_main`.
    pub(crate) fn pretend_signal(&self, number: i32) {
        crate::os::signal::note_pending(number);
        self.breaker.set(SIGNAL);
        self.interrupt_main();
    }
}
