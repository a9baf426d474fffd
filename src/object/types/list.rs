//! `list`: the payload; the methods are in `list_methods`.

use crate::object::account::vec_bytes;
use crate::object::heap::{are_many, release_many};
use crate::object::layout::{Layout, Payload};
use crate::object::sequence::release_backwards;
use crate::object::value::Value;
use crate::object::word::Word;

/// A list.
pub(crate) struct List {
    pub(crate) items: Vec<Value>,
}

impl Payload for List {
    const LAYOUT: Layout = Layout::List;
    const IS_CONTAINER: bool = true;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        vec_bytes(&self.items)
    }
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        for item in &self.items {
            visit(item.word());
        }
    }
    fn clear(&mut self) {
        release_backwards(std::mem::take(&mut self.items));
    }
}

impl Drop for List {
    /// The last item goes first, as a script's finalisers can see.
    fn drop(&mut self) {
        if are_many(self.items.len()) {
            return release_many(std::mem::take(&mut self.items), true);
        }
        while self.items.pop().is_some() {}
    }
}
