//! `list[int]` (`types.GenericAlias`) and `int | str` (`types.UnionType`): the payloads; the methods are in `generic_alias_methods`.

pub(crate) use super::generic_alias_methods::new_alias;
use crate::object::layout::{Layout, Payload};
use crate::object::value::Value;
use crate::object::word::Word;

/// `origin[args]`.
pub(crate) struct GenericAlias {
    pub(crate) origin: Value,
    /// A tuple.
    pub(crate) args: Value,
    /// The type variables in `args`, a tuple; computed when first asked for.
    pub(crate) parameters: Option<Value>,
    /// `*origin[args]`.
    pub(crate) starred: bool,
}

impl Payload for GenericAlias {
    const LAYOUT: Layout = Layout::GenericAlias;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.origin.word());
        visit(self.args.word());
        if let Some(parameters) = &self.parameters {
            visit(parameters.word());
        }
    }
    fn clear(&mut self) {
        self.origin = Value::NONE;
        self.parameters = None;
    }
}

/// `left | right` of types.
pub(crate) struct Union {
    /// A tuple without duplicates.
    pub(crate) args: Value,
    /// The type variables in `args`, a tuple; computed when first asked for.
    pub(crate) parameters: Option<Value>,
}

impl Payload for Union {
    const LAYOUT: Layout = Layout::Union;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.args.word());
        if let Some(parameters) = &self.parameters {
            visit(parameters.word());
        }
    }
    fn clear(&mut self) {
        self.parameters = None;
    }
}
