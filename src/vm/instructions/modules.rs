//! Imports, the bodies of classes, and what is rare.

use crate::code::instruction::{Intrinsic, Word as Instruction};
use crate::object::types::exception::ExceptionKind;
use crate::object::types::function::Function;
use crate::object::value::Value;
use crate::vm::state::Name;
use crate::vm::vm::{Result, Vm};
use crate::vm::window::Window;

impl Vm {
    #[inline(never)]
    pub(crate) fn import_name(&mut self, window: Window, i: Instruction) -> Result<()> {
        let level = window.take_temporary(i.b());
        let names = window.take_temporary(i.b() + 1);
        let name = window.name(i.c());
        let (globals, builtins) = {
            let function = window.function().get(self);
            (function.globals.clone(), function.builtins.clone())
        };
        let import_key = self.name(Name::Import);
        let Some(import) = self.dict_get(&builtins, &import_key)? else {
            return Err(self.raise(ExceptionKind::ImportError, "__import__ not found"));
        };
        let is_own = self.state().import_function.as_ref().is_some_and(|own| own.is(&import));
        let module = if is_own {
            let level = level.as_small().unwrap_or(0);
            crate::vm::import::import_name(self, &name, Some(&globals), &names, level)?
        } else {
            let namespace = self.namespace();
            self.call(&import, &[name, globals.into_value(), namespace, names, level])?
        };
        window.set(i.a(), module);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn import_from(&mut self, window: Window, i: Instruction) -> Result<()> {
        let module = window.keep(self, i.b())?;
        let name = window.name(i.c());
        let value = crate::vm::import::import_from(self, &module, &name)?;
        window.set(i.a(), value);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn import_star(&mut self, window: Window, i: Instruction) -> Result<()> {
        let module = window.take(self, i.a())?;
        let namespace = self.namespace();
        crate::vm::import::import_star(self, &module, &namespace)
    }

    #[inline(never)]
    pub(crate) fn load_build_class(&mut self, window: Window, i: Instruction) -> Result<()> {
        let builtins = window.function().get(self).builtins.clone();
        let name = self.name(Name::BuildClass);
        match self.dict_get(&builtins, &name)? {
            Some(value) => {
                window.set(i.a(), value);
                Ok(())
            }
            None => Err(self.raise(ExceptionKind::NameError, "__build_class__ not found")),
        }
    }

    #[inline(never)]
    pub(crate) fn load_locals(&mut self, window: Window, i: Instruction) -> Result<()> {
        let namespace = self.namespace();
        window.set(i.a(), namespace);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn setup_annotations(&mut self, window: Window) -> Result<()> {
        let _ = window;
        let namespace = self.namespace();
        let name = self.name(Name::Annotations);
        if self.find_in_namespace(&namespace, &name)?.is_none() {
            let dict = self.new_dict().into_value();
            self.set_item(&namespace, &name, &dict)?;
        }
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn intrinsic(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let result = match Intrinsic::ALL[usize::from(i.k())] {
            Intrinsic::PrintExpression => {
                let Some(hook) = self.sys_get("displayhook")? else {
                    return Err(self.runtime_error("lost sys.displayhook"));
                };
                self.call(&hook, &[value])?;
                Value::NONE
            }
            Intrinsic::TypeVar => self.call_typing("_make_typevar", &[value])?,
            Intrinsic::ParamSpec => self.call_typing("_make_paramspec", &[value])?,
            Intrinsic::TypeVarTuple => self.call_typing("_make_typevartuple", &[value])?,
            Intrinsic::SubscriptGeneric => self.call_typing("_make_generic_base", &[value])?,
            Intrinsic::TypeAlias => {
                let items = self.tuple_items(&value);
                self.call_typing("_make_type_alias", &items)?
            }
            Intrinsic::ToTuple => {
                let items = self.collect(&value)?;
                self.new_tuple(items)
            }
            Intrinsic::TypeVarWithBound | Intrinsic::TypeVarWithConstraints | Intrinsic::SetTypeParamDefault | Intrinsic::SetFunctionTypeParams => {
                value
            }
        };
        window.set(i.a(), result);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn intrinsic2(&mut self, window: Window, i: Instruction) -> Result<()> {
        let first = window.take_temporary(i.b());
        let second = window.take_temporary(i.b() + 1);
        let result = match Intrinsic::ALL[usize::from(i.k())] {
            Intrinsic::TypeVarWithBound => self.call_typing("_make_typevar_with_bound", &[first, second])?,
            Intrinsic::TypeVarWithConstraints => self.call_typing("_make_typevar_with_constraints", &[first, second])?,
            Intrinsic::SetTypeParamDefault => self.call_typing("_set_default", &[first, second])?,
            Intrinsic::SetFunctionTypeParams => {
                if let Some(function) = first.downcast::<Function>() {
                    function.get_mut(self).type_params = Some(second);
                }
                first
            }
            _ => first,
        };
        window.set(i.a(), result);
        Ok(())
    }

    /// PEP 695's objects are made by functions of `typing`.
    fn call_typing(&mut self, function: &str, arguments: &[Value]) -> Result<Value> {
        let typing = self.import("_typing")?;
        let function = self.get_attr_str(&typing, function)?;
        self.call(&function, arguments)
    }
}
