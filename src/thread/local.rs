//! `_thread._local`: attributes that each thread has its own of. The object's dict is changed for the running thread's before any access.

use crate::object::layout::{Layout, Payload};
use crate::object::type_object::{BASE_TYPE, CallArgs, HAS_DICT, HAS_WEAKREFS, Slots, Type, TypeSpec};
use crate::object::types::dict::Dict;
use crate::object::types::weakref::WeakRef;
use crate::object::types::weakref_methods;
use crate::object::value::{Ref, Value};
use crate::object::weak;
use crate::object::word::Word;
use crate::vm::{Result, Vm};

/// Data of each thread's own.
pub(crate) struct Local {
    /// The arguments of the constructor, with which each thread calls `__init__`: values, then names.
    args: Vec<Value>,
    names: Vec<Value>,
    /// By thread.
    dicts: Vec<(u64, Ref<Dict>)>,
    /// The thread whose dict the object has now.
    current: u64,
}

impl Payload for Local {
    const LAYOUT: Layout = Layout::ThreadLocal;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        for value in self.args.iter().chain(&self.names) {
            visit(value.word());
        }
        for (_, dict) in &self.dicts {
            visit(dict.word());
        }
    }
    fn clear(&mut self) {
        drop(std::mem::take(&mut self.args));
        drop(std::mem::take(&mut self.names));
        drop(std::mem::take(&mut self.dicts));
    }
}

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "_thread._local",
    doc: "Thread-local data",
    layout: Layout::ThreadLocal,
    flags: BASE_TYPE | HAS_DICT | HAS_WEAKREFS,
    getset: &[crate::object::types::type_methods::DICT],
    slots: Slots { new: Some(new), get_attribute: Some(get_attribute), set_attribute: Some(set_attribute), ..Slots::NONE },
    ..TypeSpec::DEFAULT
};

fn new(vm: &mut Vm, class: &Ref<Type>, args: CallArgs<'_>) -> Result<Value> {
    if !args.is_empty() {
        let init = vm.intern("__init__");
        let own = vm.type_lookup(class, &init);
        let object = vm.builtin(crate::object::types::TypeId::Object);
        let plain = vm.type_lookup(&object, &init);
        let is_plain = matches!((&own, &plain), (Some(own), Some(plain)) if own.is(plain));
        if is_plain {
            return Err(vm.type_error("Initialization arguments are not supported"));
        }
    }
    let payload = Local { args: args.values.to_vec(), names: args.names.to_vec(), dicts: Vec::new(), current: 0 };
    let local = vm.alloc_for(class, payload);
    let value = local.into_value();
    // The thread that makes it gets its `__init__` called by the class's call.
    let local = value.downcast::<Local>().expect("just made");
    add_dict(vm, local)?;
    Ok(value)
}

fn add_dict(vm: &mut Vm, local: &Ref<Local>) -> Result<()> {
    let me = vm.thread.id;
    let dict = vm.new_dict();
    local.get_mut(vm).dicts.push((me, dict.clone()));
    local.get_mut(vm).current = me;
    vm.replace_dict(local, dict)?;
    let reference = weakref_methods::new_reference(vm, local)?;
    if vm.locals.len() == vm.locals.capacity() {
        // At most half of the room is in use afterwards, so this is rare.
        vm.forget_dead_locals();
        vm.locals.reserve(vm.locals.len().max(16));
    }
    vm.locals.push((local.address(), reference));
    Ok(())
}

/// Has the object show the running thread's attributes.
fn enter(vm: &mut Vm, this: &Value) -> Result<()> {
    let Some(local) = this.downcast::<Local>() else { return Ok(()) };
    let me = vm.thread.id;
    let payload = local.get(vm);
    if payload.current == me {
        return Ok(());
    }
    let known = payload.dicts.iter().find(|(thread, _)| *thread == me).map(|(_, dict)| dict.clone());
    if let Some(dict) = known {
        local.get_mut(vm).current = me;
        return vm.replace_dict(this, dict);
    }
    add_dict(vm, local)?;
    let payload = local.get(vm);
    let (args, names) = (payload.args.clone(), payload.names.clone());
    let init = vm.intern("__init__");
    let class = vm.type_of(this);
    if let Some(init) = vm.type_lookup(&class, &init) {
        let bound = vm.bind(&init, Some(this), &class)?;
        let result = vm.call_args(&bound, CallArgs { values: &args, names: &names });
        if let Err(raised) = result {
            // The next access tries again.
            let payload = local.get_mut(vm);
            payload.dicts.retain(|(thread, _)| *thread != me);
            payload.current = 0;
            return Err(raised);
        }
        // `__init__` may have let other threads run.
        return enter(vm, this);
    }
    Ok(())
}

fn get_attribute(vm: &mut Vm, this: &Value, name: &Value) -> Result<Value> {
    enter(vm, this)?;
    vm.generic_get_attr(this, name)
}

fn set_attribute(vm: &mut Vm, this: &Value, name: &Value, value: Option<&Value>) -> Result<()> {
    enter(vm, this)?;
    if vm.text_of(name).is_some_and(|name| *name == *"__dict__") {
        let class = vm.type_name(this);
        let message = format!("'{class}' object attribute '__dict__' is read-only");
        return Err(vm.attribute_error(this, name, message));
    }
    vm.generic_set_attr(this, name, value)
}

/// The thread ends: its data goes.
pub(crate) fn forget_thread(vm: &mut Vm) {
    let me = vm.thread.id;
    for (_, reference) in std::mem::take(&mut vm.locals) {
        let target = reference.downcast::<WeakRef>().and_then(|reference| weak::target(reference.get(vm)));
        if let Some(local) = target.as_ref().and_then(|target| target.downcast::<Local>()) {
            let payload = local.get_mut(vm);
            let gone: Vec<(u64, Ref<Dict>)> = payload.dicts.extract_if(.., |(thread, _)| *thread == me).collect();
            if payload.current == me {
                payload.current = 0;
                // The object itself must not keep the dict either.
                let empty = vm.new_dict();
                let _ = vm.replace_dict(local, empty);
            }
            drop(gone);
        }
    }
}
