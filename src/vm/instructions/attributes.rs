//! Attributes that are deleted, and those that `super()` finds.
#![allow(unsafe_code, reason = "registers are raw words of the running frame's window (F1 to F3 in frame.rs)")]

use crate::code::instruction::Word as Instruction;
use crate::object::type_object::Type;
use crate::object::types::TypeId;
use crate::object::types::descriptor::Super;
use crate::object::types::function::{CellPayload, Function};
use crate::object::value::Value;
use crate::vm::vm::{Result, Vm};
use crate::vm::window::Window;

impl Vm {
    #[inline(never)]
    pub(crate) fn delete_attribute(&mut self, window: Window, i: Instruction) -> Result<()> {
        let object = window.take(self, i.a())?;
        let name = window.name(i.c());
        self.del_attr(&object, &name)
    }

    #[inline(never)]
    pub(crate) fn load_super(&mut self, window: Window, i: Instruction, for_call: bool) -> Result<()> {
        let base = i.a();
        let callable = window.take_temporary(base);
        let class = window.take_temporary(base + 1);
        let object = window.take_temporary(base + 2);
        let name = window.name(i.c());
        if callable.is(self.state().builtin(TypeId::Super)) {
            let proxy = self.new_super(&class, &object)?;
            if for_call {
                if let Some(function) = self.super_method(&proxy, &object, &name) {
                    window.set(base, function);
                    window.set(base + 1, object);
                    return Ok(());
                }
            }
            let value = self.get_attr(&proxy, &name)?;
            window.set(base, value);
        } else {
            let proxy = if i.b() == 1 { self.call(&callable, &[])? } else { self.call(&callable, &[class, object])? };
            let value = self.get_attr(&proxy, &name)?;
            window.set(base, value);
        }
        if for_call {
            window.set(base + 1, Value::UNBOUND);
        }
        Ok(())
    }

    /// `super(class, object)`, as an object.
    fn new_super(&mut self, class: &Value, object: &Value) -> Result<Value> {
        let Some(class_ref) = class.downcast::<Type>() else {
            let message = format!("super() argument 1 must be a type, not {}", self.type_name(class));
            return Err(self.type_error(message));
        };
        let object_type = crate::object::types::descriptor_methods::super_check(self, class_ref, object)?;
        let payload = Super { class: Some(class_ref.clone()), object: Some(object.clone()), object_type: Some(object_type) };
        Ok(self.alloc(TypeId::Super, payload).into_value())
    }

    /// What `super()` without arguments takes in the running function: its class cell and first argument.
    pub(crate) fn implicit_super(&mut self) -> Result<(Value, Value)> {
        let Some(record) = self.frames.records.last() else {
            return Err(self.runtime_error("super(): no current frame"));
        };
        let (base, code, function) = (record.base, record.code, record.function());
        // SAFETY: the record's code lives (F2).
        let unit = unsafe { (*code).unit.clone() };
        if unit.n_positional == 0 {
            return Err(self.runtime_error("super(): no arguments"));
        }
        // SAFETY: the first local, in the window.
        let first = unsafe { Value::from_borrowed(*base) };
        let object = match first.downcast::<CellPayload>() {
            Some(cell) if unit.is_cell.first() == Some(&true) => cell.get(self).content.clone(),
            _ => first,
        };
        if object.is_unbound() {
            return Err(self.runtime_error("super(): arg[0] deleted"));
        }
        let place = unit.free.iter().position(|name| &**name == "__class__");
        let cell = place.and_then(|place| function.downcast::<Function>().and_then(|function| function.get(self).closure.get(place).cloned()));
        match cell.as_ref().and_then(|cell| cell.downcast::<CellPayload>()).map(|cell| cell.get(self).content.clone()) {
            Some(class) if !class.is_unbound() => Ok((class, object)),
            Some(_) => Err(self.runtime_error("super(): empty __class__ cell")),
            None => Err(self.runtime_error("super(): __class__ cell not found")),
        }
    }

    /// A plain function that `super()` would bind to the object itself.
    fn super_method(&mut self, proxy: &Value, object: &Value, name: &Value) -> Option<Value> {
        let (class, object_type) = {
            let payload = proxy.downcast::<Super>()?.get(self);
            (payload.class.clone(), payload.object_type.clone())
        };
        if object.holds::<Type>() || object_type.as_ref().is_none_or(|object_type| !self.type_ref(object).is(object_type)) {
            return None;
        }
        let hash = self.str_hash(name);
        let object_type = object_type?;
        self.fill_bases(&object_type);
        let mro = &object_type.get(self).mro;
        let class = class?;
        let place = mro.iter().position(|base| base.is(&class))?;
        for base in &mro[place + 1..] {
            let dict = base.get(self).dict_as_is().get(self);
            if let Some(found) = dict.find_str(name, hash) {
                let value = dict.entries()[found].value.clone();
                return value.holds::<Function>().then_some(value);
            }
        }
        None
    }
}
