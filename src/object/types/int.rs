//! `int` (and `bool`): the payload of the integers that do not fit in a word, and of instances of subclasses; the methods are in `int_methods`.

use crate::number::Int;
use crate::object::account::block;
use crate::object::layout::{Layout, Payload};

/// An integer on the heap. For an exact `int` it is never one that fits in a word.
pub(crate) struct IntPayload {
    pub(crate) value: Int,
}

impl Payload for IntPayload {
    const LAYOUT: Layout = Layout::Int;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        block(self.value.heap_size())
    }
}
