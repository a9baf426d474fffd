//! Which interpreters the calling thread is attached to: a host function that calls the interpreter it was called by is attached already, and who
//! attaches to a second interpreter gives away the first one's GIL meanwhile, so that two threads cannot wait for each other's.

use std::cell::RefCell;
use std::sync::Arc;

use super::scheduler::{Shared, ThreadHandle};

/// An attach of the calling thread that is not over.
#[derive(Clone)]
struct Entry {
    shared: Arc<Shared>,
    thread: ThreadHandle,
    /// The host has given the GIL away for a while.
    is_away: bool,
}

thread_local! {
    /// The innermost last; it alone may hold its GIL.
    static ATTACHED: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

/// The innermost entry, if its GIL is held.
fn held() -> Option<Entry> {
    ATTACHED.with_borrow(|attached| attached.last().filter(|entry| !entry.is_away).cloned())
}

/// The calling thread's place in an interpreter's scheduler, if it is attached further out: it is the same thread that comes back.
fn known(shared: &Arc<Shared>) -> Option<ThreadHandle> {
    ATTACHED.with_borrow(|attached| attached.iter().find(|entry| Arc::ptr_eq(&entry.shared, shared)).map(|entry| entry.thread.clone()))
}

/// The calling thread is attached while this lives. Dropped by a panic too: nobody else must wait for this thread for ever.
pub(crate) struct Attached {
    shared: Arc<Shared>,
    thread: ThreadHandle,
    pub(crate) is_nested: bool,
    /// Another interpreter's GIL that was given away.
    outer: Option<Entry>,
    /// The thread is not forgotten when it detaches.
    stays_known: bool,
}

impl Attached {
    /// Attaches as the thread that `make_thread` gives, unless the thread is attached to that interpreter already.
    pub(crate) fn new(shared: &Arc<Shared>, make_thread: impl FnOnce() -> ThreadHandle) -> Self {
        let outer = held();
        if let Some(entry) = &outer
            && Arc::ptr_eq(&entry.shared, shared)
        {
            return Self { shared: shared.clone(), thread: entry.thread.clone(), is_nested: true, outer: None, stays_known: true };
        }
        let known = known(shared);
        let stays_known = known.is_some();
        let thread = known.unwrap_or_else(make_thread);
        if let Some(outer) = &outer {
            outer.shared.detach(&outer.thread);
        }
        shared.attach(&thread);
        Self::enter(shared, thread, outer, stays_known)
    }

    /// Attaches if that needs no waiting.
    pub(crate) fn try_new(shared: &Arc<Shared>, make_thread: impl FnOnce() -> ThreadHandle) -> Option<Self> {
        if held().is_some_and(|entry| Arc::ptr_eq(&entry.shared, shared)) {
            return Some(Self::new(shared, make_thread));
        }
        // Giving another interpreter's GIL away may mean to wait for it afterwards.
        if held().is_some() || known(shared).is_some() || !shared.is_free() {
            return None;
        }
        let thread = make_thread();
        if shared.try_attach() {
            return Some(Self::enter(shared, thread, None, false));
        }
        if !thread.is_main() {
            shared.forget_thread(&thread);
        }
        None
    }

    fn enter(shared: &Arc<Shared>, thread: ThreadHandle, outer: Option<Entry>, stays_known: bool) -> Self {
        let entry = Entry { shared: shared.clone(), thread: thread.clone(), is_away: false };
        ATTACHED.with_borrow_mut(|attached| attached.push(entry));
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
        if let Some(outer) = &self.outer {
            outer.shared.attach(&outer.thread);
        }
    }
}

/// The calling thread has given the GIL away while this lives; a panic gives it back too.
pub(crate) struct Away(());

impl Away {
    /// Gives the interpreter's GIL away; `None` when the calling thread does not hold it.
    pub(crate) fn new(shared: &Arc<Shared>) -> Option<Self> {
        ATTACHED.with_borrow_mut(|attached| {
            let entry = attached.last_mut().filter(|entry| !entry.is_away && Arc::ptr_eq(&entry.shared, shared))?;
            entry.is_away = true;
            entry.shared.detach(&entry.thread);
            Some(Self(()))
        })
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        // Attaches that were made meanwhile are over, so the entry is the last one again.
        ATTACHED.with_borrow_mut(|attached| {
            if let Some(entry) = attached.last_mut() {
                entry.shared.attach(&entry.thread);
                entry.is_away = false;
            }
        });
    }
}
