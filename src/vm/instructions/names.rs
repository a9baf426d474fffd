//! Variables: locals in cells, free variables, globals, the namespaces of classes and modules.

use crate::code::instruction::Opcode;
use crate::code::instruction::Word as Instruction;
use crate::object::types::TypeId;
use crate::object::types::dict::Dict;
use crate::object::types::exception::ExceptionKind;
use crate::object::types::function::CellPayload;
use crate::object::value::{Ref, Value};
use crate::vm::vm::{Raised, Result, Vm};
use crate::vm::window::Window;

impl Vm {
    /// The `UnboundLocalError` for a local (or, in a class or module, a variable of an inlined comprehension).
    #[cold]
    pub(crate) fn unbound_local(&mut self, window: Window, index: u16) -> Raised {
        let following =
            self.frames.records.last().and_then(|record| record.code().instructions.get(record.instruction() as usize + 1).map(std::cell::Cell::get));
        if following.is_some_and(|word| [Opcode::LoadSuperMethod as u8, Opcode::LoadSuperAttribute as u8].contains(&(word as u8))) && index == 0 {
            return self.runtime_error("super(): arg[0] deleted");
        }
        let name = window.code().unit.locals.get(usize::from(index)).map_or("", |name| name).to_owned();
        let value = self.intern(&name);
        self.name_error(
            ExceptionKind::UnboundLocalError,
            &value,
            format!("cannot access local variable '{name}' where it is not associated with a value"),
        )
    }

    /// The `NameError` for an empty cell of the closure.
    #[cold]
    pub(crate) fn unbound_free(&mut self, window: Window, index: u16) -> Raised {
        let name = window.code().unit.free.get(usize::from(index)).map_or("", |name| name).to_owned();
        let value = self.intern(&name);
        let message = format!("cannot access free variable '{name}' where it is not associated with a value in enclosing scope");
        self.name_error(ExceptionKind::NameError, &value, message)
    }

    #[cold]
    fn undefined_name(&mut self, name: &Value) -> Raised {
        let text = self.text_of(name).map(ToString::to_string).unwrap_or_default();
        self.name_error(ExceptionKind::NameError, name, format!("name '{text}' is not defined"))
    }

    fn local_cell(window: Window, index: u16) -> Ref<CellPayload> {
        let value = window.value(index);
        value.into_ref().expect("the compiler puts cells where it uses them")
    }

    fn free_cell(&self, window: Window, index: u16) -> Ref<CellPayload> {
        let cell = window.function().get(self).closure[usize::from(index)].clone();
        cell.into_ref().expect("a closure consists of cells")
    }

    fn set_cell(&mut self, cell: &Ref<CellPayload>, value: Value) {
        let old = std::mem::replace(&mut cell.get_mut(self).content, value);
        drop(old);
    }

    #[inline(never)]
    pub(crate) fn store_cell(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let cell = Self::local_cell(window, i.a());
        self.set_cell(&cell, value);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn delete_cell(&mut self, window: Window, i: Instruction) -> Result<()> {
        let cell = Self::local_cell(window, i.a());
        if cell.get(self).content.is_unbound() {
            return Err(self.unbound_local(window, i.a()));
        }
        self.set_cell(&cell, Value::UNBOUND);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn store_free(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let cell = self.free_cell(window, i.a());
        self.set_cell(&cell, value);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn delete_free(&mut self, window: Window, i: Instruction) -> Result<()> {
        let cell = self.free_cell(window, i.a());
        if cell.get(self).content.is_unbound() {
            return Err(self.unbound_free(window, i.a()));
        }
        self.set_cell(&cell, Value::UNBOUND);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn load_free_or_name(&mut self, window: Window, i: Instruction) -> Result<()> {
        let name = window.name(i.c());
        let namespace = self.namespace();
        let value = match self.find_in_namespace(&namespace, &name)? {
            Some(value) => value,
            None => {
                let cell = self.free_cell(window, i.b());
                let content = cell.get(self).content.clone();
                if content.is_unbound() {
                    return Err(self.unbound_free(window, i.b()));
                }
                content
            }
        };
        window.set(i.a(), value);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn load_cell_or_name(&mut self, window: Window, i: Instruction) -> Result<()> {
        let name = window.name(i.c());
        let namespace = self.namespace();
        let value = match self.find_in_namespace(&namespace, &name)? {
            Some(value) => value,
            None => {
                let content = Self::local_cell(window, i.b()).get(self).content.clone();
                if content.is_unbound() {
                    return Err(self.unbound_local(window, i.b()));
                }
                content
            }
        };
        window.set(i.a(), value);
        Ok(())
    }

    /// The namespace of the running frame: a class body's, a module's; the globals otherwise.
    pub(crate) fn namespace(&mut self) -> Value {
        let known = self.frames.records.last().and_then(|record| self.record_namespace(record));
        match known {
            Some(namespace) => namespace,
            None => self.current_globals().map_or(Value::NONE, Ref::into_value),
        }
    }

    pub(super) fn find_in_namespace(&mut self, namespace: &Value, name: &Value) -> Result<Option<Value>> {
        if let Some(dict) = namespace.downcast::<Dict>() {
            if self.is_exact(namespace, TypeId::Dict) {
                return self.dict_get(dict, name);
            }
        }
        match self.get_item(namespace, name) {
            Ok(value) => Ok(Some(value)),
            Err(raised) => {
                if self.clear_if(ExceptionKind::KeyError) {
                    Ok(None)
                } else {
                    Err(raised)
                }
            }
        }
    }

    fn find_global(&mut self, window: Window, name: &Value) -> Result<Option<Value>> {
        let (globals, builtins) = {
            let function = window.function().get(self);
            (function.globals.clone(), function.builtins.clone())
        };
        if let Some(value) = self.dict_get(&globals, name)? {
            return Ok(Some(value));
        }
        self.find_in_namespace(&builtins, name)
    }

    #[inline(never)]
    pub(crate) fn load_global(&mut self, window: Window, i: Instruction) -> Result<()> {
        let name = window.name(i.c());
        let hash = self.str_hash(&name);
        let (globals, builtins) = {
            let function = window.function().get(self);
            (function.globals.clone(), function.builtins.clone())
        };
        let place = globals.get(self).find_str(&name, hash);
        let found = match place {
            Some(place) => Some((place, false)),
            // A subclass of dict may look names up in its own way.
            None if self.is_exact(&builtins, TypeId::Dict) => builtins.get(self).find_str(&name, hash).map(|place| (place, true)),
            None => None,
        };
        if let Some((place, is_builtin)) = found {
            let version = self.dict_version(&globals);
            self.fill_cache(window, i.c(), u64::from(version) << 32 | (place as u64) << 1 | u64::from(is_builtin));
            self.quicken(Opcode::LoadGlobalCached);
            let dict = if is_builtin { &builtins } else { &globals };
            let value = dict.get(self).entries()[place].value.clone();
            window.set(i.a(), value);
            return Ok(());
        }
        match self.find_global(window, &name)? {
            Some(value) => {
                window.set(i.a(), value);
                Ok(())
            }
            None => Err(self.undefined_name(&name)),
        }
    }

    #[inline(never)]
    pub(crate) fn store_global(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.a())?;
        let name = window.name(i.c());
        let globals = window.function().get(self).globals.clone();
        self.dict_set(&globals, &name, value)
    }

    #[inline(never)]
    pub(crate) fn delete_global(&mut self, window: Window, i: Instruction) -> Result<()> {
        let name = window.name(i.c());
        let globals = window.function().get(self).globals.clone();
        match self.dict_remove(&globals, &name)? {
            Some(_) => Ok(()),
            None => Err(self.undefined_name(&name)),
        }
    }

    #[inline(never)]
    pub(crate) fn load_name(&mut self, window: Window, i: Instruction) -> Result<()> {
        let namespace = self.namespace();
        self.load_from_or_global(window, i, &namespace)
    }

    #[inline(never)]
    pub(crate) fn load_mapping_or_global(&mut self, window: Window, i: Instruction) -> Result<()> {
        let mapping = window.take_temporary(i.a());
        self.load_from_or_global(window, i, &mapping)
    }

    fn load_from_or_global(&mut self, window: Window, i: Instruction, namespace: &Value) -> Result<()> {
        let name = window.name(i.c());
        let value = match self.find_in_namespace(namespace, &name)? {
            Some(value) => Some(value),
            None => self.find_global(window, &name)?,
        };
        match value {
            Some(value) => {
                window.set(i.a(), value);
                Ok(())
            }
            None => Err(self.undefined_name(&name)),
        }
    }

    #[inline(never)]
    pub(crate) fn load_mapping_or_free(&mut self, window: Window, i: Instruction) -> Result<()> {
        let mapping = window.take_temporary(i.a());
        let name = window.name(i.c());
        let value = match self.find_in_namespace(&mapping, &name)? {
            Some(value) => value,
            None => {
                let content = self.free_cell(window, i.b()).get(self).content.clone();
                if content.is_unbound() {
                    return Err(self.unbound_free(window, i.b()));
                }
                content
            }
        };
        window.set(i.a(), value);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn store_name(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.a())?;
        let name = window.name(i.c());
        let namespace = self.namespace();
        if let Some(dict) = namespace.downcast::<Dict>() {
            if self.is_exact(&namespace, TypeId::Dict) {
                return self.dict_set(dict, &name, value);
            }
        }
        self.set_item(&namespace, &name, &value)
    }

    #[inline(never)]
    pub(crate) fn delete_name(&mut self, window: Window, i: Instruction) -> Result<()> {
        let name = window.name(i.c());
        let namespace = self.namespace();
        if let Some(dict) = namespace.downcast::<Dict>() {
            if self.is_exact(&namespace, TypeId::Dict) {
                return match self.dict_remove(dict, &name)? {
                    Some(_) => Ok(()),
                    None => Err(self.undefined_name(&name)),
                };
            }
        }
        match self.del_item(&namespace, &name) {
            Ok(()) => Ok(()),
            Err(raised) => Err(if self.clear_if(ExceptionKind::KeyError) { self.undefined_name(&name) } else { raised }),
        }
    }
}
