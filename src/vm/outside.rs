//! Waiting outside: reading, writing and the like try without blocking while the GIL is held; only what would have to wait gives it away, and then
//! polls the descriptor together with the thread's wake descriptor, so that signals, stops and the end of the interpreter reach it.

use std::io;
use std::time::Instant;

use super::vm::{Result, Vm};
use crate::gil::{Activity, Reason, Waiter};
use crate::os::poll::{self, Polled};
use crate::os::{file, process};

/// More than this is not copied while the GIL is held: it takes about as long as a hand-over.
const COPIED_ATTACHED: usize = 256 * 1024;

impl Vm {
    /// Waits until one of the descriptors is ready, which is noted in them; `false` when `deadline` passed. Signals' handlers run meanwhile.
    pub(crate) fn wait_on(&mut self, activity: Activity, polled: &mut [Polled], deadline: Option<Instant>) -> Result<bool> {
        loop {
            let ticket = self.thread.wait.begin(activity);
            match self.block_on(ticket, polled, deadline) {
                Reason::Granted => return Ok(true),
                Reason::Timeout => return Ok(false),
                Reason::Interrupted | Reason::Stopped => self.after_interrupt()?,
                Reason::Closed => return Err(self.quit()),
            }
        }
    }

    /// Runs `work`, which cannot be woken, in a thread of its own that is left behind when the wait for it ends early. It must touch no values.
    pub(crate) fn wait_for_helper<R: Send + 'static>(
        &mut self,
        activity: Activity,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<io::Result<R>> {
        self.wait_for_helper_with(256 * 1024, activity, work)
    }

    /// `wait_for_helper` in a thread whose stack has so many bytes.
    pub(crate) fn wait_for_helper_with<R: Send + 'static>(
        &mut self,
        stack_bytes: usize,
        activity: Activity,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<io::Result<R>> {
        use std::sync::{Arc, Mutex, PoisonError};
        let thread = self.thread.clone();
        let mut ticket = thread.wait.begin(activity);
        // What came of it, and whom to wake: a signal's handler may have run, and another wait begun, since it started.
        let shared: Arc<Mutex<(Option<R>, Waiter)>> = Arc::new(Mutex::new((None, Waiter::new(thread.clone(), ticket))));
        let for_helper = shared.clone();
        let spawned = crate::os::thread::spawn(stack_bytes, move || {
            let result = work();
            let mut place = for_helper.lock().unwrap_or_else(PoisonError::into_inner);
            place.0 = Some(result);
            place.1.grant();
        });
        if let Err(error) = spawned {
            thread.wait.cancel(ticket);
            return Ok(Err(error));
        }
        loop {
            match self.block(ticket, None) {
                Reason::Interrupted | Reason::Stopped => self.after_interrupt()?,
                Reason::Closed => return Err(self.quit()),
                Reason::Granted | Reason::Timeout => {}
            }
            let mut place = shared.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(result) = place.0.take() {
                return Ok(Ok(result));
            }
            ticket = thread.wait.begin(activity);
            place.1 = Waiter::new(thread.clone(), ticket);
        }
    }

    /// Reads from a descriptor; waits when there is nothing yet, unless the descriptor is one that does not block.
    pub(crate) fn read_outside(&mut self, fd: i32, buffer: &mut [u8]) -> Result<io::Result<usize>> {
        let mut has_waited = false;
        loop {
            let tried = if buffer.len() <= COPIED_ATTACHED { file::read_now(fd, buffer) } else { self.detached(|| file::read_now(fd, buffer)) };
            match tried {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => self.poll()?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !file::is_blocking(fd).unwrap_or(true) {
                        return Ok(Err(error));
                    }
                    if has_waited && poll::is_ready(fd, poll::READ) {
                        // A file whose bytes are still on the disk: that wait is short.
                        return self.detached_call(|| file::read(fd, buffer));
                    }
                    has_waited = true;
                    self.wait_on(Activity::Read(fd), &mut [Polled::new(fd, poll::READ)], None)?;
                }
                Err(error) if file::is_unsupported(&error) => {
                    if file::is_blocking(fd).unwrap_or(false) && !poll::is_ready(fd, poll::READ) {
                        self.wait_on(Activity::Read(fd), &mut [Polled::new(fd, poll::READ)], None)?;
                    }
                    return self.brief_call(|| file::read(fd, buffer));
                }
                done => return Ok(done),
            }
        }
    }

    /// Writes to a descriptor; waits until all is written, unless the descriptor is one that does not block. How much was written: less than all
    /// only then, or when a signal's handler raised after a part was.
    pub(crate) fn write_outside(&mut self, fd: i32, bytes: &[u8]) -> Result<io::Result<usize>> {
        let mut written = 0;
        loop {
            let rest = &bytes[written..];
            let tried = if rest.len() <= COPIED_ATTACHED { file::write_now(fd, rest) } else { self.detached(|| file::write_now(fd, rest)) };
            match tried {
                Ok(count) => {
                    written += count;
                    if written == bytes.len() || count == 0 || !file::is_blocking(fd).unwrap_or(true) {
                        return Ok(Ok(written));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => self.poll()?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !file::is_blocking(fd).unwrap_or(true) {
                        return Ok(if written == 0 { Err(error) } else { Ok(written) });
                    }
                    let polled = &mut [Polled::new(fd, poll::WRITE)];
                    if written == 0 {
                        self.wait_on(Activity::Write(fd), polled, None)?;
                        continue;
                    }
                    // What was written must be told before a signal's handler can raise: it runs at the next check.
                    let ticket = self.thread.wait.begin(Activity::Write(fd));
                    match self.block_on(ticket, polled, None) {
                        Reason::Granted | Reason::Timeout => {}
                        Reason::Interrupted | Reason::Stopped => return Ok(Ok(written)),
                        Reason::Closed => return Err(self.quit()),
                    }
                }
                Err(error) if file::is_unsupported(&error) => {
                    if file::is_blocking(fd).unwrap_or(false) && !poll::is_ready(fd, poll::WRITE) {
                        self.wait_on(Activity::Write(fd), &mut [Polled::new(fd, poll::WRITE)], None)?;
                    }
                    return Ok(self.brief_call(|| file::write(fd, rest))?.map(|count| written + count));
                }
                Err(error) => return Ok(if written == 0 { Err(error) } else { Ok(written) }),
            }
        }
    }

    /// Runs a system call that is brief as a rule, as those that only look at files are, again when a signal cut it short. Others get the GIL meanwhile
    /// only when it takes long.
    pub(crate) fn brief_call<T: Send>(&mut self, mut call: impl FnMut() -> io::Result<T> + Send) -> Result<io::Result<T>> {
        let shared = self.state().shared.clone();
        loop {
            self.note_hold();
            match shared.briefly(&self.thread, &mut call) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => self.poll()?,
                result => return Ok(result),
            }
        }
    }

    /// Runs a system call with the GIL given away, again when a signal cut it short.
    pub(crate) fn detached_call<T: Send>(&mut self, mut call: impl FnMut() -> io::Result<T> + Send) -> Result<io::Result<T>> {
        loop {
            match self.detached(&mut call) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => self.poll()?,
                result => return Ok(result),
            }
        }
    }

    /// `waitpid(process, options)`: the child and its status.
    pub(crate) fn wait_for_child(&mut self, process: i32, options: i32) -> Result<io::Result<(i32, i32)>> {
        loop {
            match process::wait_for(process, options | process::NO_WAIT) {
                Ok((0, _)) if options & process::NO_WAIT == 0 => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    self.poll()?;
                    continue;
                }
                done => return Ok(done),
            }
            let activity = Activity::Child(process);
            let descriptor = if process > 0 && options == 0 { poll::process_descriptor(process).ok() } else { None };
            match descriptor {
                Some(fd) => {
                    let waited = self.wait_on(activity, &mut [Polled::new(fd, poll::READ)], None);
                    let _ = file::close(fd);
                    waited?;
                }
                // The helper leaves the child to be waited for.
                None => match self.wait_for_helper(activity, move || process::wait_until_changed(process, options))? {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) | Err(error) => return Ok(Err(error)),
                },
            }
        }
    }
}
