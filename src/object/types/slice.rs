//! `slice`: the payload; the methods are in `slice_methods`.

use crate::object::layout::{Layout, Payload};
use crate::object::value::Value;
use crate::object::word::Word;

/// A slice.
pub(crate) struct Slice {
    pub(crate) start: Value,
    pub(crate) stop: Value,
    pub(crate) step: Value,
}

impl Payload for Slice {
    const LAYOUT: Layout = Layout::Slice;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.start.word());
        visit(self.stop.word());
        visit(self.step.word());
    }
}
