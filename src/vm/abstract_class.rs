//! Abstract base classes: the answers that `abc.ABCMeta` gave before are found again here, without calling its `__instancecheck__` and
//! `__subclasscheck__`. What they remember is in a class's `_abc_impl`: sets of the numbers of classes, and the count of registrations for
//! which the negative answers hold.

use super::state::Name;
use super::vm::Vm;
use crate::object::type_object::{PLAIN_GETATTR, Type};
use crate::object::types::TypeId;
use crate::object::types::set::Set;
use crate::object::value::{Ref, Value};

/// Where `ABCMeta.__instancecheck__` is kept.
const INSTANCE_CHECK: &str = "abc.instance_check";
/// Where `ABCMeta.__subclasscheck__` is kept.
const SUBCLASS_CHECK: &str = "abc.subclass_check";
/// Where the count of registrations is kept.
const REGISTRATIONS: &str = "abc.registrations";

impl Vm {
    /// How often any class was registered with an abstract one.
    pub(crate) fn registrations(&self) -> Value {
        self.state().module_state.get(REGISTRATIONS).cloned().unwrap_or(Value::small(0))
    }

    /// Counts a registration: negative answers given so far hold no more.
    pub(crate) fn note_registration(&mut self) {
        let count = self.registrations().as_small().unwrap_or(0) + 1;
        self.state_mut().module_state.insert(REGISTRATIONS, Value::small(count));
    }

    /// Tells which functions of `ABCMeta` may be answered for.
    pub(crate) fn take_over_checks(&mut self, instance_check: Value, subclass_check: Value) {
        self.state_mut().module_state.insert(INSTANCE_CHECK, instance_check);
        self.state_mut().module_state.insert(SUBCLASS_CHECK, subclass_check);
    }

    /// What `isinstance(value, class)` was found to be for the value's class, if `ABCMeta` decides that and remembers it.
    pub(super) fn known_isinstance(&mut self, value: &Value, class: &Value) -> Option<bool> {
        if !self.is_decided_by(class, Name::InstanceCheck, INSTANCE_CHECK) {
            return None;
        }
        if !self.has_usual_class(value) {
            return None;
        }
        let kind = self.type_of(value);
        self.remembered(class, &kind)
    }

    /// Whether `value.__class__` is the value's class: an object may claim to be of another class than it is.
    pub(super) fn has_usual_class(&mut self, value: &Value) -> bool {
        let kind = self.type_of(value);
        let payload = kind.get(self);
        if payload.slots.get_attribute.is_some() && !payload.has(PLAIN_GETATTR) {
            return false;
        }
        let (object, name) = (self.builtin(TypeId::Object), self.name(Name::Class));
        match (self.type_lookup(&kind, &name), self.type_lookup(&object, &name)) {
            (Some(own), Some(usual)) => own.is(&usual),
            _ => false,
        }
    }

    /// What `issubclass(derived, class)` was found to be, if `ABCMeta` decides that and remembers it.
    pub(super) fn known_issubclass(&mut self, derived: &Value, class: &Value) -> Option<bool> {
        let derived = derived.downcast::<Type>()?.clone();
        if !self.is_decided_by(class, Name::SubclassCheck, SUBCLASS_CHECK) {
            return None;
        }
        self.remembered(class, &derived)
    }

    /// Whether the class of `class` has under `name` what `ABCMeta` has.
    fn is_decided_by(&mut self, class: &Value, name: Name, known: &'static str) -> bool {
        if !class.holds::<Type>() {
            return false;
        }
        let (metaclass, name) = (self.type_of(class), self.name(name));
        let Some(check) = self.type_lookup(&metaclass, &name) else { return false };
        self.state().module_state.get(known).is_some_and(|known| known.is(&check))
    }

    fn remembered(&mut self, class: &Value, kind: &Ref<Type>) -> Option<bool> {
        // A metaclass below `ABCMeta` may have replaced the other of the two checks: then this one calls that.
        if !self.is_decided_by(class, Name::SubclassCheck, SUBCLASS_CHECK) {
            return None;
        }
        let name = self.name(Name::AbcImpl);
        let memory = self.type_lookup(class.downcast::<Type>()?, &name)?;
        let number = Value::small(i64::from(self.class_version(kind)));
        if self.remembers(&memory, Name::AbcYes, &number)? {
            return Some(true);
        }
        let name = self.name(Name::AbcVersion);
        let version = self.find_attr(&memory, &name).ok()??;
        (version.is(&self.registrations()) && self.remembers(&memory, Name::AbcNo, &number)?).then_some(false)
    }

    fn remembers(&mut self, memory: &Value, name: Name, number: &Value) -> Option<bool> {
        let name = self.name(name);
        let numbers = self.find_attr(memory, &name).ok()??;
        if numbers.holds::<Set>() { self.quick_contains(&numbers, number) } else { None }
    }
}
