//! Which interpreters the calling thread is attached to: a host function that calls the interpreter it was called by is attached already, and who
//! attaches to a second interpreter gives away the first one's GIL meanwhile, so that two threads cannot wait for each other's.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::scheduler::{Shared, ThreadHandle};
use super::sync::thread_local;

/// An attach of the calling thread that is not over.
#[derive(Clone)]
struct Entry {
    shared: Arc<Shared>,
    thread: ThreadHandle,
}

thread_local! {
    /// The innermost last; it alone may hold its GIL.
    static ATTACHED: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
    /// Whose GIL the calling thread holds, that of the innermost attach, by the address; null when it holds none. It is only compared.
    static HELD: Cell<*const Shared> = const { Cell::new(std::ptr::null()) };
}

#[inline]
fn set_held(shared: *const Shared) {
    HELD.with(|held| held.set(shared));
}

/// What there is of attaches, if the calling thread is not ending: its thread-local values may be gone when some of the host's are dropped.
fn look<R>(find: impl FnOnce(&[Entry]) -> Option<R>) -> Option<R> {
    ATTACHED.try_with(|attached| find(&attached.borrow())).ok().flatten()
}

/// The innermost entry.
fn innermost() -> Option<Entry> {
    look(|attached| attached.last().cloned())
}

/// The innermost entry, if its GIL is held.
fn held() -> Option<Entry> {
    if HELD.with(Cell::get).is_null() { None } else { innermost() }
}

/// Whether the calling thread is attached to the interpreter, be it without the GIL.
pub(crate) fn is_attached(shared: &Arc<Shared>) -> bool {
    known(shared).is_some()
}

/// The calling thread's place in an interpreter's scheduler, if it is attached further out: it is the same thread that comes back.
fn known(shared: &Arc<Shared>) -> Option<ThreadHandle> {
    look(|attached| attached.iter().find(|entry| Arc::ptr_eq(&entry.shared, shared)).map(|entry| entry.thread.clone()))
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
        // A thread whose thread-local values are gone would not know itself when it attaches again: that panics here.
        ATTACHED.with(|_| ());
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
        // A thread whose thread-local values are gone attaches no more, and giving another interpreter's GIL away may mean to wait for it afterwards.
        if ATTACHED.try_with(|_| ()).is_err() || held().is_some() || known(shared).is_some() || !shared.is_free() {
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
        let entry = Entry { shared: shared.clone(), thread: thread.clone() };
        let _ = ATTACHED.try_with(|attached| attached.borrow_mut().push(entry));
        set_held(Arc::as_ptr(shared));
        Self { shared: shared.clone(), thread, is_nested: false, outer, stays_known }
    }

    /// Attaches as the main thread to an interpreter that nobody else can attach to any more; possible at a thread's end too.
    pub(crate) fn closing(shared: &Arc<Shared>, main: &ThreadHandle) -> Self {
        let outer = held();
        if let Some(outer) = &outer {
            outer.shared.detach(&outer.thread);
        }
        shared.attach(main);
        Self::enter(shared, main.clone(), outer, true)
    }

    /// Detaches a thread that comes back: the scheduler goes on knowing it.
    pub(crate) fn leave(mut self) {
        self.stays_known = true;
    }

    /// Whether this attach happens inside of another one to the same interpreter, which may have given the GIL away meanwhile.
    pub(crate) fn is_within(&self) -> bool {
        self.is_nested || self.stays_known
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
        set_held(std::ptr::null());
        let _ = ATTACHED.try_with(|attached| attached.borrow_mut().pop());
        self.shared.detach(&self.thread);
        if !self.thread.is_main() && !self.stays_known {
            self.shared.forget_thread(&self.thread);
        }
        if let Some(outer) = &self.outer {
            outer.shared.attach(&outer.thread);
            set_held(Arc::as_ptr(&outer.shared));
        }
    }
}

/// The calling thread has given the GIL away while this lives; a panic gives it back too.
pub(crate) struct Away<'a> {
    shared: &'a Arc<Shared>,
    /// Nobody waited for the GIL when it was given away.
    was_alone: bool,
}

impl<'a> Away<'a> {
    /// Gives the interpreter's GIL away; `None` when the calling thread does not hold it.
    #[inline]
    pub(crate) fn new(shared: &'a Arc<Shared>) -> Option<Self> {
        if HELD.with(Cell::get) != Arc::as_ptr(shared) {
            return None;
        }
        let was_alone = shared.try_detach();
        if !was_alone {
            detach_innermost();
        }
        set_held(std::ptr::null());
        Some(Self { shared, was_alone })
    }
}

#[cold]
fn detach_innermost() {
    if let Some(entry) = innermost() {
        entry.shared.detach(&entry.thread);
    }
}

#[cold]
fn attach_innermost(was_alone: bool) {
    // Attaches that were made meanwhile are over, so the entry is the last one again.
    if let Some(entry) = innermost() {
        entry.shared.attach_again(&entry.thread, was_alone);
    }
}

impl Drop for Away<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.shared.try_attach() {
            attach_innermost(self.was_alone);
        }
        set_held(Arc::as_ptr(self.shared));
    }
}
