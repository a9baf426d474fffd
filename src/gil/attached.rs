//! Which interpreters the calling thread is attached to: a host function that calls the interpreter it was called by is attached already, and who
//! attaches to a second interpreter gives away the first one's GIL meanwhile, so that two threads cannot wait for each other's.

use std::cell::RefCell;
use std::sync::Arc;

use super::scheduler::{Shared, ThreadHandle};

thread_local! {
    /// The innermost last.
    static ATTACHED: RefCell<Vec<(Arc<Shared>, ThreadHandle)>> = const { RefCell::new(Vec::new()) };
}

/// The calling thread is attached while this lives. Dropped by a panic too: nobody else must wait for this thread for ever.
pub(crate) struct Attached {
    shared: Arc<Shared>,
    thread: ThreadHandle,
    /// The thread was attached before.
    pub(crate) is_nested: bool,
    outer: Option<(Arc<Shared>, ThreadHandle)>,
    /// The thread is not forgotten when it detaches.
    stays_known: bool,
}

impl Attached {
    /// Attaches as the thread that `make_thread` gives, unless the thread is attached to that interpreter already.
    pub(crate) fn new(shared: &Arc<Shared>, make_thread: impl FnOnce() -> ThreadHandle) -> Self {
        let outer = ATTACHED.with_borrow(|attached| attached.last().cloned());
        if let Some((known, thread)) = &outer
            && Arc::ptr_eq(known, shared)
        {
            return Self { shared: shared.clone(), thread: thread.clone(), is_nested: true, outer: None, stays_known: true };
        }
        // It may be attached to this interpreter further out: then it is the same thread that comes back.
        let known = ATTACHED.with_borrow(|attached| attached.iter().find(|(other, _)| Arc::ptr_eq(other, shared)).map(|(_, thread)| thread.clone()));
        let stays_known = known.is_some();
        let thread = known.unwrap_or_else(make_thread);
        if let Some((other, thread)) = &outer {
            other.detach(thread);
        }
        shared.attach(&thread);
        ATTACHED.with_borrow_mut(|attached| attached.push((shared.clone(), thread.clone())));
        Self { shared: shared.clone(), thread, is_nested: false, outer, stays_known }
    }

    /// Detaches a thread that comes back: the scheduler goes on knowing it.
    pub(crate) fn leave(mut self) {
        self.stays_known = true;
    }

    /// The thread's place in the scheduler.
    pub(crate) fn thread(&self) -> &ThreadHandle {
        &self.thread
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        if self.is_nested {
            return;
        }
        ATTACHED.with_borrow_mut(Vec::pop);
        self.shared.detach(&self.thread);
        if !self.thread.is_main() && !self.stays_known {
            self.shared.forget_thread(&self.thread);
        }
        if let Some((other, thread)) = &self.outer {
            other.attach(thread);
        }
    }
}
