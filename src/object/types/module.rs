//! Modules: the payload; the type is in `module_methods`.

use std::cell::Cell;

use crate::object::layout::{Layout, Payload};
use crate::object::types::dict::Dict;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::vm::{Result, Vm};

/// An attribute of a native module that is made when somebody asks for it, so that an interpreter starts without it.
pub(crate) struct LazyRow {
    pub(crate) name: &'static str,
    pub(crate) make: fn(&mut Vm) -> Result<Value>,
}

/// A module: its namespace.
pub(crate) struct Module {
    pub(crate) dict: Ref<Dict>,
    /// What the namespace gets when it is asked for, or when somebody looks at the whole of it; empty for most modules and from then on.
    pub(crate) rest: Cell<&'static [LazyRow]>,
}

impl Module {
    /// A module with this namespace, which is complete.
    pub(crate) fn new(dict: Ref<Dict>) -> Self {
        Self { dict, rest: Cell::new(&[]) }
    }
}

impl Vm {
    /// The lazy attribute of a module, made now; `None` when it has none of this name, or has them all already.
    pub(crate) fn lazy_attribute(&mut self, module: &Ref<Module>, name: &Value) -> Result<Option<Value>> {
        let rest = module.get(self).rest.get();
        if rest.is_empty() {
            return Ok(None);
        }
        let Some(row) = self.text_of(name).and_then(|text| rest.iter().find(|row| *text == *row.name)) else { return Ok(None) };
        let value = (row.make)(self)?;
        let dict = module.get(self).dict.clone();
        self.dict_set(&dict, name, value.clone())?;
        Ok(Some(value))
    }

    /// Makes all lazy attributes of a module, before somebody looks at its whole namespace or changes it.
    pub(crate) fn complete_module(&mut self, module: &Ref<Module>) -> Result<()> {
        let rest = module.get(self).rest.get();
        let dict = module.get(self).dict.clone();
        for row in rest {
            let name = self.intern(row.name);
            if self.dict_get(&dict, &name)?.is_none() {
                self.lazy_attribute(module, &name)?;
            }
        }
        module.get(self).rest.set(&[]);
        Ok(())
    }
}

impl Payload for Module {
    const LAYOUT: Layout = Layout::Module;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.dict.word());
    }
}
