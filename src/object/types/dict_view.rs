//! The views of a dict (`keys()`, `values()`, `items()`) and its iterators: the payloads; the methods are in `dict_view_methods`.

use super::dict::Dict;
use crate::object::layout::{Layout, Payload};
use crate::object::value::{Ref, Value};
use crate::object::word::Word;

/// What of a dict is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DictPart {
    /// Its keys.
    Keys,
    /// Its values.
    Values,
    /// Pairs of both.
    Items,
}

/// `dict_keys`, `dict_values`, `dict_items`.
pub(crate) struct DictView {
    pub(crate) dict: Option<Ref<Dict>>,
    pub(crate) part: DictPart,
}

impl Payload for DictView {
    const LAYOUT: Layout = Layout::DictView;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        if let Some(dict) = &self.dict {
            visit(dict.word());
        }
    }
    fn clear(&mut self) {
        self.dict = None;
    }
}

/// An iterator over a dict, in either direction.
pub(crate) struct DictIterator {
    /// `None` once it is exhausted.
    pub(crate) dict: Option<Ref<Dict>>,
    pub(crate) part: DictPart,
    pub(crate) reverse: bool,
    /// The entry to look at next; when going backwards, one past it.
    pub(crate) position: usize,
    /// How many entries the dict had at the start; `usize::MAX` once it was found changed.
    pub(crate) used: usize,
    /// How many are left.
    pub(crate) left: usize,
    /// The pair that `items()` gave first: filled again whenever nobody else has it.
    pub(crate) pair: Option<Value>,
}

impl Payload for DictIterator {
    const LAYOUT: Layout = Layout::DictIterator;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        if let Some(dict) = &self.dict {
            visit(dict.word());
        }
        if let Some(pair) = &self.pair {
            visit(pair.word());
        }
    }
    fn clear(&mut self) {
        self.dict = None;
        self.pair = None;
    }
}
