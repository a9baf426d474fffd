//! `tuple`: the payload; the methods are in `tuple_methods`.

use smallvec::SmallVec;

use crate::object::account::block;
use crate::object::heap::{are_many, release_many};
use crate::object::layout::{Layout, Payload};
use crate::object::value::Value;
use crate::object::word::Word;

/// A tuple; up to three items lie in the object itself.
pub(crate) struct Tuple {
    items: SmallVec<[Value; 3]>,
}

impl Tuple {
    /// A tuple of these items.
    pub(crate) fn new(items: impl Into<SmallVec<[Value; 3]>>) -> Self {
        Self { items: items.into() }
    }
    /// Its items.
    #[inline(always)]
    pub(crate) fn items(&self) -> &[Value] {
        &self.items
    }
    /// Its items, for a tuple nobody else has seen yet.
    pub(crate) fn items_mut(&mut self) -> &mut SmallVec<[Value; 3]> {
        &mut self.items
    }
}

impl Payload for Tuple {
    const LAYOUT: Layout = Layout::Tuple;
    const IS_CONTAINER: bool = true;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        if self.items.spilled() { block(self.items.capacity() * size_of::<Value>()) } else { 0 }
    }
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        for item in &self.items {
            visit(item.word());
        }
    }
    fn clear(&mut self) {
        drop(std::mem::take(&mut self.items));
    }
}

impl Drop for Tuple {
    /// The last item goes first, as a script's finalisers can see.
    fn drop(&mut self) {
        if are_many(self.items.len()) {
            return release_many(std::mem::take(&mut self.items).into_vec(), true);
        }
        for item in self.items.iter_mut().rev() {
            drop(std::mem::replace(item, Value::UNBOUND));
        }
    }
}
