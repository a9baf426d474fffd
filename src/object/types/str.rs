//! `str`: its payload; the methods are in `str_methods`.

use std::cell::Cell;

use crate::object::account::block;
use crate::object::layout::{Layout, Payload};
use crate::text::Text;

/// A string. Its text never changes while more than one reference can see it.
pub(crate) struct Str {
    pub(crate) text: Text,
    /// The hash; 0 while it is not known.
    hash: Cell<i64>,
}

impl Str {
    pub(crate) fn new(text: Text) -> Self {
        Self { text, hash: Cell::new(0) }
    }

    /// The hash under the interpreter's seed, computed once.
    #[inline]
    pub(crate) fn hash(&self, seed: u64) -> i64 {
        let known = self.hash.get();
        if known != 0 {
            return known;
        }
        let hash = self.text.hash(seed);
        self.hash.set(hash);
        hash
    }

    /// The text, to be grown in place by its only owner; forgets the hash.
    pub(crate) fn text_mut(&mut self) -> &mut Text {
        self.hash.set(0);
        &mut self.text
    }
}

impl Payload for Str {
    const LAYOUT: Layout = Layout::Str;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        block(self.text.heap_size())
    }
}
