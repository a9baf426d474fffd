//! One thread's state in an interpreter.
#![allow(unsafe_code, reason = "the state is shared by the interpreter's threads; who has a `Vm` holds its GIL, so it is used by one at a time")]

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::frame::FrameStack;
use super::state::State;
use crate::object::heap::Heap;
use crate::object::value::Value;

/// An exception was raised; it waits in the `Vm`. Made only by `Vm::raise_value` and what calls it.
#[derive(Debug)]
pub(crate) struct Raised(pub(super) ());

/// The way to the shared state for a new thread.
pub(crate) struct StatePointer(NonNull<State>);

// SAFETY: it is used only by `attached_vm`, in a thread that holds the GIL.
unsafe impl Send for StatePointer {}

impl StatePointer {
    pub(crate) fn new(vm: &Vm) -> Self {
        Self(vm.state)
    }

    /// The `Vm` of the calling thread, which has attached as `thread`. Not on the thread's stack, of which a thread that does little uses two
    /// pages, and hardly more.
    #[inline(never)]
    pub(crate) fn attached_vm(&self, thread: crate::gil::ThreadHandle, stack_limit: usize) -> Box<Vm> {
        Box::new(Vm::new(self.0, thread, false, stack_limit))
    }
}

/// What whatever may raise returns.
pub(crate) type Result<T> = std::result::Result<T, Raised>;

const _: () = assert!(size_of::<Result<Value>>() == 8);

/// The state of one thread. It exists, as `&mut Vm`, only while the thread holds the interpreter's GIL.
pub(crate) struct Vm {
    state: NonNull<State>,
    /// The heap in `state`: it is wanted so often that one way less counts.
    heap: NonNull<Heap>,
    /// The breaker's word, likewise.
    breaker: NonNull<AtomicU32>,
    pub(super) frames: FrameStack,
    /// The exception that was raised and not yet handled by anybody.
    pub(super) raised: Option<Value>,
    /// The exception that is being handled (`sys.exception()`), or `None`.
    pub(crate) handled: Value,
    /// Objects whose `repr` is being computed, by address.
    pub(super) in_repr: Vec<u64>,
    /// The countdown: instructions that are left of the thread's slice (see `gil/limits.rs`). Every check subtracts from it.
    pub(crate) budget: i64,
    /// Bytes of the register stack that were counted when they were taken into use.
    pub(super) stack_counted: usize,
    /// The stop that ends this thread.
    pub(super) stop: Option<Box<super::stop::Stopping>>,
    /// The lowest address the native stack may reach.
    pub(crate) stack_limit: usize,
    /// Where an item of a large list was set last: the step from there is likely to be repeated.
    pub(crate) last_place: i64,
    /// This thread's place in the scheduler.
    pub(crate) thread: crate::gil::ThreadHandle,
    /// Whether the dead list is being drained by this thread.
    pub(super) draining: bool,
    /// The next unwinding adds no traceback entry for the frame it starts in.
    pub(super) skip_traceback: bool,
    /// Counts what inline caches of attributes did not find.
    pub(super) shape_misses: u32,
    /// What a generator yielded or returned, on its way to a native resumer.
    pub(super) transfer: Value,
    /// Whether this is the interpreter's main thread.
    pub(crate) is_main: bool,
    /// The thread's `_thread._local` dicts and the like, by owner.
    pub(crate) locals: Vec<(u64, Value)>,
    /// The asynchronous generator hooks of this thread: first iteration and finaliser.
    pub(crate) async_hooks: (Value, Value),
    /// `sys.settrace` and `sys.setprofile`.
    pub(super) tracing: super::trace::Tracing,
}

impl Vm {
    /// The state of a thread that has just attached.
    pub(crate) fn new(state: NonNull<State>, thread: crate::gil::ThreadHandle, is_main: bool, stack_limit: usize) -> Self {
        // SAFETY: the interpreter keeps its state until the last `Vm` is gone; the heap and the shared part are boxed.
        let (heap, breaker) = unsafe { (NonNull::from(&*state.as_ref().heap), NonNull::from(state.as_ref().shared.breaker.word())) };
        // SAFETY: the caller has attached, so the state is this thread's alone.
        let stacks = &mut unsafe { &mut *state.as_ptr() }.spare_stacks;
        let spare = stacks.iter().position(|stack| stack.fits(is_main)).map(|place| stacks.swap_remove(place));
        let frames = spare.unwrap_or_else(|| FrameStack::new(is_main));
        Self {
            state,
            heap,
            breaker,
            frames,
            raised: None,
            handled: Value::NONE,
            in_repr: Vec::new(),
            budget: 0,
            stop: None,
            stack_counted: 0,
            stack_limit,
            last_place: 0,
            thread,
            draining: false,
            skip_traceback: false,
            shape_misses: 0,
            transfer: Value::NONE,
            is_main,
            locals: Vec::new(),
            async_hooks: (Value::NONE, Value::NONE),
            tracing: super::trace::Tracing::default(),
        }
    }

    /// What the interpreter's threads share.
    #[inline(always)]
    pub(crate) fn state(&self) -> &State {
        // SAFETY: the interpreter keeps its state until the last `Vm` is gone; the GIL makes this thread the only user.
        unsafe { self.state.as_ref() }
    }

    /// What the interpreter's threads share, to be changed.
    #[inline(always)]
    pub(crate) fn state_mut(&mut self) -> &mut State {
        // SAFETY: as in `state`, and `self` is borrowed exclusively.
        unsafe { self.state.as_mut() }
    }

    /// Gives what is left of the thread's slice back: it runs nothing for a while.
    pub(crate) fn give_back_budget(&mut self) {
        let rest = std::mem::take(&mut self.budget);
        if self.stop.is_none() {
            self.state().shared.give_back_instructions(rest);
        }
    }

    /// The heap.
    #[inline(always)]
    pub(crate) fn heap(&self) -> &Heap {
        // SAFETY: as in `state`.
        unsafe { self.heap.as_ref() }
    }

    /// Whether the breaker asks for anything.
    #[inline(always)]
    pub(super) fn is_broken(&self) -> bool {
        // SAFETY: as in `state`; the word is atomic.
        unsafe { self.breaker.as_ref() }.load(Relaxed) != 0
    }
}
