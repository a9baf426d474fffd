//! Modules: the payload; the type is in `module_methods`.

use crate::object::layout::{Layout, Payload};
use crate::object::types::dict::Dict;
use crate::object::value::Ref;
use crate::object::word::Word;

/// A module: its namespace.
pub(crate) struct Module {
    pub(crate) dict: Ref<Dict>,
}

impl Payload for Module {
    const LAYOUT: Layout = Layout::Module;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.dict.word());
    }
}
