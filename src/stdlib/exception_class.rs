//! Exception classes of native modules (`struct.error`, `binascii.Error`): made at the first use, one for each interpreter.

use crate::object::type_object::Type;
use crate::object::types::TypeId;
use crate::object::value::{Ref, Value};
use crate::vm::{ExceptionKind, Raised, Result, Vm};

/// The class of this dotted name.
pub(crate) fn class(vm: &mut Vm, name: &'static str, bases: &[ExceptionKind]) -> Result<Value> {
    if let Some(class) = vm.state().module_state.get(name) {
        return Ok(class.clone());
    }
    let (module, short) = name.rsplit_once('.').unwrap_or(("builtins", name));
    let namespace = vm.new_dict();
    let module = vm.new_str(module);
    vm.dict_set_str(&namespace, "__module__", module)?;
    let bases: Vec<Value> = bases.iter().map(|&base| vm.state().exception(base).clone().into_value()).collect();
    let bases = vm.new_tuple(bases);
    let metaclass: Ref<Type> = vm.builtin(TypeId::Type);
    let short = vm.intern(short);
    let class = vm.call(&metaclass, &[short, bases, namespace.into()])?;
    vm.state_mut().module_state.insert(name, class.clone());
    Ok(class)
}

/// Raises one with a message.
pub(crate) fn raise(vm: &mut Vm, name: &'static str, bases: &[ExceptionKind], message: impl Into<String>) -> Raised {
    let made = class(vm, name, bases).and_then(|class| {
        let message = vm.new_str(message.into());
        vm.call(&class, &[message])
    });
    match made {
        Ok(exception) => vm.raise_value(exception),
        Err(raised) => raised,
    }
}
