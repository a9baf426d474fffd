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
}

impl Attached {
    /// Attaches as the thread that `make_thread` gives, unless the thread is attached to that interpreter already.
    pub(crate) fn new(shared: &Arc<Shared>, make_thread: impl FnOnce() -> ThreadHandle) -> Self {
        let outer = ATTACHED.with_borrow(|attached| attached.last().cloned());
        if let Some((known, thread)) = &outer
            && Arc::ptr_eq(known, shared)
        {
            return Self { shared: shared.clone(), thread: thread.clone(), is_nested: true, outer: None };
        }
        let thread = make_thread();
        if let Some((other, thread)) = &outer {
            other.detach(thread);
        }
        shared.attach(&thread);
        ATTACHED.with_borrow_mut(|attached| attached.push((shared.clone(), thread.clone())));
        Self { shared: shared.clone(), thread, is_nested: false, outer }
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
        if !self.thread.is_main() {
            self.shared.forget_thread(&self.thread);
        }
        if let Some((other, thread)) = &self.outer {
            other.attach(thread);
        }
    }
}
