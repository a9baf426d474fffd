//! Limits as a host sets them, and the handle that stops an interpreter.

use std::sync::Arc;
use std::time::Duration;

use crate::gil::{self, Shared};

/// What scripts may use. Nothing is limited by default but what the machine limits.
///
/// Instructions, time and output count from the moment a host's call enters an interpreter in which no other host's call is under way; so each call has all
/// of them, and the interpreter stays usable after one was ended by a limit.
///
/// ```
/// use scrip::{Interpreter, Limit, Limits};
/// let limits = Limits::new().instructions(1_000_000).memory(64 << 20);
/// let interpreter = Interpreter::builder().limits(limits).build()?;
/// let error = interpreter.exec("while True:\n  try: pass\n  except: pass").unwrap_err();
/// assert_eq!(error.limit(), Some(Limit::Instructions));
/// assert_eq!(interpreter.eval::<i64>("6 * 7")?, 42);
/// # Ok::<(), scrip::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[must_use]
pub struct Limits {
    pub(super) limits: gil::Limits,
}

impl Limits {
    /// No limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many instructions a run may take, all its threads together. A call counts the instructions of the function's body, a turn of a loop
    /// those of the loop's; long work inside one instruction counts for about as many as would take as long. The same script with the same input, hash
    /// seed and limits ends at the same place every time, as long as it has one thread.
    ///
    /// ```
    /// use scrip::{Interpreter, Limits};
    /// let interpreter = Interpreter::builder().limits(Limits::new().instructions(10_000)).build()?;
    /// assert!(interpreter.exec("sum(range(10**12))").is_err());
    /// # Ok::<(), scrip::Error>(())
    /// ```
    pub fn instructions(mut self, count: u64) -> Self {
        self.limits.instructions = Some(count);
        self
    }

    /// How many bytes the interpreter's objects may take together, those it starts with (about two megabytes) included. What goes over it raises
    /// `MemoryError`, as where the machine has no more; a script that goes on in spite of it is ended a little above the limit.
    /// Without a limit it is the machine's memory, and never more than 24 GiB.
    ///
    /// ```
    /// use scrip::{Interpreter, Limit, Limits};
    /// let interpreter = Interpreter::builder().limits(Limits::new().memory(16 << 20)).build()?;
    /// let error = interpreter.exec("text = 'x' * 10**8").unwrap_err();
    /// assert!(error.is("MemoryError"));
    /// assert_eq!(error.limit(), Some(Limit::Memory));
    /// # Ok::<(), scrip::Error>(())
    /// ```
    pub fn memory(mut self, bytes: usize) -> Self {
        self.limits.memory = Some(bytes);
        self
    }

    /// How long a run may take, waits included.
    ///
    /// ```
    /// use scrip::{Interpreter, Limit, Limits};
    /// let limits = Limits::new().wall_time(std::time::Duration::from_millis(20));
    /// let interpreter = Interpreter::builder().limits(limits).build()?;
    /// let error = interpreter.exec("import time; time.sleep(100)").unwrap_err();
    /// assert_eq!(error.limit(), Some(Limit::WallTime));
    /// # Ok::<(), scrip::Error>(())
    /// ```
    pub fn wall_time(mut self, time: Duration) -> Self {
        self.limits.wall_time = Some(time);
        self
    }

    /// How deep calls of script functions may nest in a thread. What goes deeper raises `RecursionError`; `sys.setrecursionlimit` sets no higher limit than this.
    ///
    /// ```
    /// use scrip::{Interpreter, Limit, Limits};
    /// let interpreter = Interpreter::builder().limits(Limits::new().depth(100)).build()?;
    /// let error = interpreter.exec("def f(): f()\nf()").unwrap_err();
    /// assert_eq!(error.limit(), Some(Limit::Depth));
    /// # Ok::<(), scrip::Error>(())
    /// ```
    pub fn depth(mut self, calls: usize) -> Self {
        self.limits.depth = Some(calls.max(1));
        self
    }

    /// How many threads there may be at a time, the calling one included. A script that starts more gets `RuntimeError: can't start new thread`.
    ///
    /// ```
    /// use scrip::{Interpreter, Limits};
    /// let interpreter = Interpreter::builder().limits(Limits::new().threads(1)).build()?;
    /// let error = interpreter.exec("import threading\nthreading.Thread(target=print).start()").unwrap_err();
    /// assert!(error.is("RuntimeError"));
    /// # Ok::<(), scrip::Error>(())
    /// ```
    pub fn threads(mut self, count: usize) -> Self {
        self.limits.threads = Some(count.max(1));
        self
    }

    /// How many bytes a run may write to standard output and standard error together. A write that would go over it writes nothing.
    ///
    /// ```
    /// use scrip::{Interpreter, Limit, Limits};
    /// let interpreter = Interpreter::builder().limits(Limits::new().output(1000)).build()?;
    /// let error = interpreter.exec("while True: print('spam', flush=True)").unwrap_err();
    /// assert_eq!(error.limit(), Some(Limit::Output));
    /// # Ok::<(), scrip::Error>(())
    /// ```
    pub fn output(mut self, bytes: u64) -> Self {
        self.limits.output = Some(bytes);
        self
    }
}

/// Which limit a script reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::instructions`]
    Instructions,
    /// [`Limits::memory`], or the machine's memory: the script was ended, or a `MemoryError` left it.
    Memory,
    /// [`Limits::wall_time`]
    WallTime,
    /// [`Limits::depth`], or the language's own limit: a `RecursionError` left the script.
    Depth,
    /// [`Limits::output`]
    Output,
}

/// Stops what an interpreter runs, from any thread.
///
/// Whatever state a script is in, it ends at once: no `except` clause sees it; `finally` clauses and exit methods get a moment to clean up. All of its
/// threads end. The host's call returns [`Error::Stopped`](crate::Error::Stopped), and the interpreter can be used again.
///
/// ```
/// let interpreter = scrip::Interpreter::new()?;
/// let stopper = interpreter.stopper();
/// let other = std::thread::spawn(move || {
///     while !stopper.is_running() {
///         std::thread::yield_now();
///     }
///     stopper.stop_because("enough");
/// });
/// let error = interpreter.exec("while True: pass").unwrap_err();
/// assert_eq!(error.to_string(), "stopped by the host: enough");
/// # other.join().unwrap();
/// # Ok::<(), scrip::Error>(())
/// ```
#[derive(Clone)]
pub struct Stopper {
    shared: Arc<Shared>,
}

const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Stopper>();
};

impl Stopper {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Ends what runs now. Nothing happens where nothing runs.
    pub fn stop(&self) {
        self.stop_because("");
    }

    /// `stop`, with words for the error that the host gets.
    pub fn stop_because(&self, words: &str) {
        self.shared.request_stop(gil::StopReason::Host(words.to_owned()));
    }

    /// Whether a script runs, in any thread.
    pub fn is_running(&self) -> bool {
        !self.shared.is_idle()
    }
}
