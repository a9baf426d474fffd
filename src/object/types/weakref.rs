//! Weak references and proxies: the payload; the methods are in `weakref_methods`, the table of who refers to whom is [`crate::object::weak`].

use std::cell::Cell;

use crate::object::layout::{Layout, Payload};
use crate::object::value::Value;
use crate::object::weak;
use crate::object::word::Word;

/// `weakref.ref`, `weakref.proxy`.
pub(crate) struct WeakRef {
    /// The object, not counted; `None` once it is gone. Set only by [`crate::object::weak`].
    pub(crate) target: Cell<Option<Word>>,
    /// Where the table has it, in the target's row. Set only by [`crate::object::weak`].
    pub(crate) place: Cell<usize>,
    /// Called with the reference when the object goes.
    pub(crate) callback: Option<Value>,
    /// The object's hash, once it was asked for.
    pub(crate) hash: Option<i64>,
}

impl Payload for WeakRef {
    const LAYOUT: Layout = Layout::WeakRef;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        if let Some(callback) = &self.callback {
            visit(callback.word());
        }
    }
    fn clear(&mut self) {
        weak::unregister(self);
        self.callback = None;
    }
}

impl Drop for WeakRef {
    fn drop(&mut self) {
        weak::unregister(self);
    }
}
