//! The dead list: `__del__`, suspended generators and weak references' callbacks, once nothing refers to an object any more (PEP 442).
#![allow(unsafe_code, reason = "objects of the dead list have a count of zero; `revive` gives them one")]

use super::state::Name;
use super::vm::Vm;
use crate::object::heap::{bury, flag, revive};
use crate::object::types::generator::Generator;
use crate::object::types::weakref::WeakRef;
use crate::object::value::{Ref, Value};

/// Bytes of native stack that must be left for a finaliser to start inside another one.
const ROOM_FOR_FINALIZERS: usize = 1 << 20;

impl Vm {
    /// Finalises everything on the dead list. A pending exception stays pending.
    #[cold]
    pub(crate) fn drain_dead(&mut self) {
        // Finalisers that make objects with finalisers nest; when the native stack runs short, the outer ones take over what is left.
        if self.draining || self.native_room() < ROOM_FOR_FINALIZERS {
            return;
        }
        self.draining = true;
        let raised = self.raised.take();
        let mut waiting = Vec::new();
        loop {
            self.heap().take_dead(&mut waiting);
            let Some(header) = waiting.pop() else { break };
            // SAFETY: from the dead list.
            let object = unsafe { revive(header) };
            self.draining = false;
            self.finalize(&object);
            self.draining = true;
            if crate::object::heap::reference_count(&object) == 1 {
                self.clear_weak_references(&object);
            }
            bury(object);
        }
        self.draining = false;
        self.raised = raised;
    }

    /// Runs an object's finaliser, once.
    pub(crate) fn finalize(&mut self, object: &Value) {
        let Some(header) = object.word().pointer() else { return };
        // SAFETY: alive.
        let header = unsafe { &*header };
        if header.flags() & flag::FINALIZED != 0 || self.is_quitting() {
            return;
        }
        if let Some(generator) = object.downcast::<Generator>() {
            header.set_flag(flag::FINALIZED);
            let generator = generator.clone();
            self.finalize_generator(&generator);
            return;
        }
        if !self.type_payload(object).has(crate::object::type_object::HAS_DEL) {
            return;
        }
        header.set_flag(flag::FINALIZED);
        let name = self.name(Name::Del);
        let class = self.type_of(object);
        let Some(method) = self.type_lookup(&class, &name) else { return };
        if self.call_special_value(object, &name, &[]).is_err() {
            self.write_unraisable("Exception ignored in: ", &method);
        }
    }

    /// Clears an object's weak references and calls their callbacks.
    pub(crate) fn clear_weak_references(&mut self, object: &Value) {
        let Some(header) = object.word().pointer() else { return };
        // SAFETY: alive.
        if unsafe { (*header).flags() } & flag::HAS_WEAKREFS == 0 {
            return;
        }
        let references: Vec<Ref<WeakRef>> = crate::object::weak::take_all(std::ptr::NonNull::new(header).expect("checked above"));
        for reference in references {
            let callback = reference.get_mut(self).callback.take();
            if let Some(callback) = callback.filter(|_| !self.is_quitting()) {
                let argument: Value = (*reference).clone();
                if self.call(&callback, &[argument]).is_err() {
                    self.write_unraisable("Exception ignored in: ", &callback);
                }
            }
        }
    }
}
