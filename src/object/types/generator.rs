//! Generators, coroutines and asynchronous generators: one payload, since all are frames that wait to be resumed.
#![allow(unsafe_code, reason = "the window's words are owned by the generator; they are released when it goes")]

use crate::object::account::block;
use crate::object::heap::release;
use crate::object::layout::{Layout, Payload};
use crate::object::types::code::Code;
use crate::object::types::frame::Frame;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;

/// Which of the three it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GeneratorKind {
    Generator,
    Coroutine,
    AsyncGenerator,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GeneratorState {
    /// Not resumed yet.
    Created,
    Suspended,
    Running,
    Finished,
}

/// A frame that can be resumed.
pub(crate) struct Generator {
    pub(crate) code: Ref<Code>,
    /// Where the register stack continues while it runs.
    pub(crate) stack_top: *mut Word,
    /// What its resumer was handling, while it runs.
    pub(crate) caller_handled: Value,
    /// The function, then its registers; they never move. Empty once it has finished.
    pub(crate) window: Box<[Word]>,
    /// The exception it was handling when it was suspended.
    pub(crate) handled: Value,
    /// Whether it is in an exception handler of its own, perhaps for the very exception that its resumer handles.
    pub(crate) is_handling: bool,
    pub(crate) frame: Option<Ref<Frame>>,
    /// What few have.
    rare: Option<Box<Rare>>,
    /// The next instruction.
    pub(crate) instruction: u32,
    /// Where the value that is sent goes, while suspended.
    pub(crate) receiver: u16,
    /// The register of the iterator it delegates to, while it is suspended in a `YieldFrom`.
    pub(crate) delegate: Option<u16>,
    pub(crate) kind: GeneratorKind,
    pub(crate) state: GeneratorState,
    /// An asynchronous generator: whether `athrow`, `asend` or `aclose` is under way, and its hooks.
    pub(crate) is_awaited: bool,
    pub(crate) is_closed: bool,
    pub(crate) hooks_done: bool,
}

/// What few generators have: every field but the names is `NONE` in most.
pub(crate) struct Rare {
    pub(crate) name: Value,
    pub(crate) qualname: Value,
    /// Where names live, for a module body that awaits; else unbound.
    pub(crate) namespace: Value,
    /// The hook that an asynchronous generator's end is told to.
    pub(crate) finalizer: Value,
    /// `cr_origin`
    pub(crate) origin: Value,
}

impl Generator {
    /// One that has not started, with this window.
    pub(crate) fn new(kind: GeneratorKind, code: Ref<Code>, window: Box<[Word]>) -> Self {
        Self {
            code,
            stack_top: std::ptr::null_mut(),
            caller_handled: Value::NONE,
            window,
            handled: Value::NONE,
            is_handling: false,
            frame: None,
            rare: None,
            instruction: 0,
            receiver: 0,
            delegate: None,
            kind,
            state: GeneratorState::Created,
            is_awaited: false,
            is_closed: false,
            hooks_done: false,
        }
    }

    /// Whether it is a coroutine that has not started.
    #[inline(always)]
    pub(crate) fn is_new_coroutine(&self) -> bool {
        self.kind == GeneratorKind::Coroutine && self.state == GeneratorState::Created
    }

    /// What few have, if it has it.
    pub(crate) fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    /// What few have, to be changed. The names are those of its code.
    pub(crate) fn rare_mut(&mut self, name: Value, qualname: Value) -> &mut Rare {
        self.rare.get_or_insert_with(|| Box::new(Rare { name, qualname, namespace: Value::UNBOUND, finalizer: Value::NONE, origin: Value::NONE }))
    }

    /// The namespace its names live in; else unbound.
    pub(crate) fn namespace(&self) -> Value {
        self.rare.as_ref().map_or(Value::UNBOUND, |rare| rare.namespace.clone())
    }

    /// The function whose frame it is; unbound once it has finished.
    pub(crate) fn function(&self) -> Value {
        // SAFETY: the window owns it.
        self.window.first().map_or(Value::UNBOUND, |word| unsafe { Value::from_borrowed(*word) })
    }

    /// Releases the window.
    pub(crate) fn clear_window(&mut self) {
        for word in std::mem::take(&mut self.window) {
            release(word);
        }
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        self.clear_window();
    }
}

impl Payload for Generator {
    const LAYOUT: Layout = Layout::Generator;
    const IS_CONTAINER: bool = true;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        block(self.window.len() * size_of::<Word>())
    }
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.code.word());
        visit(self.handled.word());
        visit(self.caller_handled.word());
        if let Some(rare) = &self.rare {
            for value in [&rare.name, &rare.qualname, &rare.namespace, &rare.finalizer, &rare.origin] {
                visit(value.word());
            }
        }
        if let Some(frame) = &self.frame {
            visit(frame.word());
        }
        for word in &self.window {
            visit(*word);
        }
    }
    fn clear(&mut self) {
        if self.state != GeneratorState::Running {
            self.state = GeneratorState::Finished;
            self.frame = None;
            self.clear_window();
        }
    }
}

/// What awaiting does: the objects that `coroutine.__await__`, `asend`, `athrow`, `aclose` and `anext` with a default return.
pub(crate) struct Awaiter {
    pub(crate) kind: AwaiterKind,
    pub(crate) state: AwaiterState,
    /// The generator or, for `AnextDefault`, the awaitable.
    pub(crate) target: Value,
    /// The value to send, or the exception's class, or the default.
    pub(crate) value: Value,
    /// The exception's value and traceback, for `athrow`.
    pub(crate) extra: (Value, Value),
}

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AwaiterKind {
    CoroutineWrapper,
    AsyncSend,
    AsyncThrow,
    AsyncClose,
    AnextDefault,
    /// What an asynchronous generator's `yield` wraps its value in.
    WrappedValue,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AwaiterState {
    Fresh,
    Started,
    Closed,
}

impl Payload for Awaiter {
    const LAYOUT: Layout = Layout::Awaiter;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.target.word());
        visit(self.value.word());
        visit(self.extra.0.word());
        visit(self.extra.1.word());
    }
    fn clear(&mut self) {
        self.target = Value::NONE;
        self.value = Value::NONE;
        self.extra = (Value::NONE, Value::NONE);
    }
}
