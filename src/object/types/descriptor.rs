//! `property`, `classmethod`, `staticmethod`, `super` and `mappingproxy`: the payloads; the methods are in `descriptor_methods`.

pub(crate) use super::descriptor_methods::{new_classmethod, new_staticmethod};
use crate::object::layout::{Layout, Payload};
use crate::object::type_object::Type;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;

/// `property(fget, fset, fdel, doc)`. The four are `None` where they are absent.
pub(crate) struct Property {
    pub(crate) get: Value,
    pub(crate) set: Value,
    pub(crate) delete: Value,
    pub(crate) doc: Value,
    /// The name it was given in a class's body, or by assignment to `__name__`.
    pub(crate) name: Option<Value>,
    /// `doc` came from the getter, and a new getter's doc replaces it.
    pub(crate) doc_from_getter: bool,
}

impl Payload for Property {
    const LAYOUT: Layout = Layout::Property;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.get.word());
        visit(self.set.word());
        visit(self.delete.word());
        visit(self.doc.word());
        if let Some(name) = &self.name {
            visit(name.word());
        }
    }
    fn clear(&mut self) {
        self.get = Value::NONE;
        self.set = Value::NONE;
        self.delete = Value::NONE;
        self.doc = Value::NONE;
    }
}

/// `classmethod(function)`.
pub(crate) struct ClassMethod {
    pub(crate) function: Value,
}

impl Payload for ClassMethod {
    const LAYOUT: Layout = Layout::ClassMethod;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.function.word());
    }
    fn clear(&mut self) {
        self.function = Value::NONE;
    }
}

/// `staticmethod(function)`.
pub(crate) struct StaticMethod {
    pub(crate) function: Value,
}

impl Payload for StaticMethod {
    const LAYOUT: Layout = Layout::StaticMethod;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.function.word());
    }
    fn clear(&mut self) {
        self.function = Value::NONE;
    }
}

/// `super(class, object_or_class)`.
pub(crate) struct Super {
    /// Attributes are looked up behind this class.
    pub(crate) class: Option<Ref<Type>>,
    /// What methods are bound to; `None` while unbound.
    pub(crate) object: Option<Value>,
    /// The class whose MRO is walked.
    pub(crate) object_type: Option<Ref<Type>>,
}

impl Payload for Super {
    const LAYOUT: Layout = Layout::Super;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        if let Some(class) = &self.class {
            visit(class.word());
        }
        if let Some(object) = &self.object {
            visit(object.word());
        }
        if let Some(class) = &self.object_type {
            visit(class.word());
        }
    }
    fn clear(&mut self) {
        self.class = None;
        self.object = None;
        self.object_type = None;
    }
}

/// A mapping that cannot be changed through this object: a class's `__dict__`.
pub(crate) struct MappingProxy {
    pub(crate) mapping: Value,
}

impl Payload for MappingProxy {
    const LAYOUT: Layout = Layout::MappingProxy;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.mapping.word());
    }
    fn clear(&mut self) {
        self.mapping = Value::NONE;
    }
}
