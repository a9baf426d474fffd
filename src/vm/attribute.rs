//! Attributes: look-up along the MRO, descriptors, instance namespaces; getting, setting and deleting.
#![allow(unsafe_code, reason = "the class cache holds words owned by the classes' namespaces, guarded by an epoch; instance slots are words")]

use super::state::{Name, TYPE_CACHE, TypeCacheEntry};
use super::vm::{Raised, Result, Vm};
use crate::object::heap::extra_word;
use crate::object::instance::{DICT_MODE, Instance};
use crate::object::type_object::{CACHED, HAS_DICT, HEAP_TYPE, IMMUTABLE, PLAIN_GETATTR, Type};
use crate::object::types::dict::Dict;
use crate::object::types::exception::ExceptionKind;
use crate::object::types::function::Function;
use crate::object::types::module::Module;
use crate::object::types::str::Str;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;

impl Vm {
    /// What the MRO of `class` has under an interned name.
    #[inline]
    pub(crate) fn type_lookup(&mut self, class: &Ref<Type>, name: &Value) -> Option<Value> {
        let place = ((class.word().bits() >> 5) ^ (name.word().bits() >> 4)) as usize % TYPE_CACHE;
        let state = self.state();
        let entry = &state.type_cache[place];
        if entry.epoch == state.type_epoch && entry.class == class.word() && entry.name.is(name) {
            // SAFETY: the epoch says that no namespace of a class changed since, so the owner still holds it.
            return if entry.value == Word::UNBOUND { None } else { Some(unsafe { Value::from_borrowed(entry.value) }) };
        }
        self.type_lookup_slow(class, name, place)
    }

    fn type_lookup_slow(&mut self, class: &Ref<Type>, name: &Value, place: usize) -> Option<Value> {
        let hash = self.str_hash(name);
        self.fill_bases(class);
        let payload = class.get(self);
        let mut found = None;
        for base in &payload.mro {
            let dict = base.get(self).dict_as_is().get(self);
            if let Some(index) = dict.find_str(name, hash) {
                found = Some(dict.entries()[index].value.clone());
                break;
            }
        }
        if crate::object::intern::is_interned(name) {
            let epoch = self.state().type_epoch;
            let value = found.as_ref().map_or(Word::UNBOUND, Value::word);
            let entry = TypeCacheEntry { epoch, class: class.word(), name: name.clone(), value };
            let old = std::mem::replace(&mut self.state_mut().type_cache[place], entry);
            drop(old);
        }
        found
    }

    /// The hash of a string, which never fails.
    #[inline]
    pub(crate) fn str_hash(&self, name: &Value) -> i64 {
        name.downcast::<Str>().map_or(0, |string| string.get(self).hash(self.state().hash_seed))
    }

    /// The value of an attribute of some class changes, and nothing else that caches rely on.
    fn class_value_changed(&mut self) {
        let state = self.state_mut();
        state.type_epoch = state.type_epoch.wrapping_add(1);
    }

    /// A class's namespace is about to change, or has changed: nothing cached about classes holds any more.
    pub(crate) fn class_changed(&mut self, class: &Ref<Type>) {
        let state = self.state_mut();
        state.type_epoch = state.type_epoch.wrapping_add(1);
        if class.get(self).has(CACHED) {
            self.flush_inline_caches();
        }
    }

    /// Marks a class and its bases: changing any of them flushes the inline caches.
    pub(crate) fn note_cached(&mut self, class: &Ref<Type>) {
        if class.get(self).has(CACHED) {
            return;
        }
        for place in 0..class.get(self).mro.len() {
            let base = &class.get(self).mro[place];
            if !base.get(self).has(CACHED) {
                base.get(self).set_flag(CACHED, true);
                if let Some(header) = base.word().pointer() {
                    self.state_mut().cached.note(header);
                }
            }
        }
    }

    /// `find_special_name` for any name.
    pub(crate) fn find_special(&mut self, value: &Value, name: &str) -> Result<Option<Value>> {
        let name = self.intern(name);
        let class = self.type_of(value);
        let Some(attribute) = self.type_lookup(&class, &name) else { return Ok(None) };
        self.bind(&attribute, Some(value), &class).map(Some)
    }

    /// Calls a special method of the value's type, if it has it.
    pub(crate) fn call_special(&mut self, value: &Value, name: &str, arguments: &[Value]) -> Result<Option<Value>> {
        let name = self.intern(name);
        self.call_special_value(value, &name, arguments)
    }

    /// `call_special` with an interned name.
    pub(crate) fn call_special_value(&mut self, value: &Value, name: &Value, arguments: &[Value]) -> Result<Option<Value>> {
        let class = self.type_of(value);
        let Some(attribute) = self.type_lookup(&class, name) else { return Ok(None) };
        if attribute.holds::<Function>() {
            let mut all: smallvec::SmallVec<[Value; 4]> = smallvec::smallvec![value.clone()];
            all.extend(arguments.iter().cloned());
            return self.call(&attribute, &all).map(Some);
        }
        let bound = self.bind(&attribute, Some(value), &class)?;
        self.call(&bound, arguments).map(Some)
    }

    /// `attribute.__get__(instance, class)`, for what has it; else the attribute itself.
    pub(crate) fn bind(&mut self, attribute: &Value, instance: Option<&Value>, class: &Ref<Type>) -> Result<Value> {
        match self.type_payload(attribute).slots.descriptor_get {
            Some(get) => get(self, attribute, instance, class),
            None => Ok(attribute.clone()),
        }
    }

    /// Whether an attribute of a class is a data descriptor.
    #[inline]
    pub(crate) fn is_data_descriptor(&self, attribute: &Value) -> bool {
        self.type_payload(attribute).slots.descriptor_set.is_some()
    }

    // ---- the namespace of an instance

    /// What the instance itself has under a name.
    pub(crate) fn instance_get(&mut self, object: &Value, name: &Value) -> Result<Option<Value>> {
        if let Some(instance) = object.downcast::<Instance>() {
            let payload = instance.get(self);
            if payload.shape != DICT_MODE {
                let Some(slot) = self.state().shapes.slot(payload.shape, name) else {
                    if crate::object::intern::is_interned(name) {
                        return Ok(None);
                    }
                    let interned = match self.text_of(name) {
                        // An instance of a subclass of `str` names the attribute by its text.
                        Some(text) if !self.is_exact(name, crate::object::types::TypeId::Str) => self.intern_text(text.clone()),
                        _ => self.intern_value(name),
                    };
                    return if interned.is(name) { Ok(None) } else { self.instance_get(object, &interned) };
                };
                let word = instance.get(self).slots()[slot];
                // SAFETY: the instance owns what its slots hold.
                return Ok(if word == Word::UNBOUND { None } else { Some(unsafe { Value::from_borrowed(word) }) });
            }
        }
        let Some(dict) = self.existing_dict(object) else { return Ok(None) };
        match (self.dict_get(&dict, name)?, object.downcast::<Module>()) {
            (None, Some(module)) => self.lazy_attribute(module, name),
            (found, _) => Ok(found),
        }
    }

    /// The dict an object keeps its attributes in, if it has been made.
    pub(crate) fn existing_dict(&self, object: &Value) -> Option<Ref<Dict>> {
        if let Some(instance) = object.downcast::<Instance>() {
            return instance.get(self).dict.clone().and_then(|dict| dict.into_ref().ok());
        }
        if let Some(module) = object.downcast::<Module>() {
            return Some(module.get(self).dict.clone());
        }
        if !self.type_payload(object).has(HAS_DICT) {
            return None;
        }
        let word = extra_word(object, 0)?;
        // SAFETY: the first extra word is the object's dict, owned by it.
        let value = unsafe { Value::from_borrowed(word.read()) };
        value.into_ref().ok()
    }

    /// The `__dict__` of an object, made now if need be; `None` for objects without one. A plain instance keeps its attributes in it from now on.
    pub(crate) fn instance_dict(&mut self, object: &Value) -> Result<Option<Ref<Dict>>> {
        if let Some(module) = object.downcast::<Module>() {
            self.complete_module(module)?;
        }
        if let Some(dict) = self.existing_dict(object) {
            return Ok(Some(dict));
        }
        if !self.type_payload(object).has(HAS_DICT) {
            return Ok(None);
        }
        let dict = self.new_dict();
        if let Some(instance) = object.downcast::<Instance>() {
            let shape = instance.get(self).shape;
            if shape != DICT_MODE {
                for (name, slot) in self.state().shapes.names(shape) {
                    let word = std::mem::replace(&mut instance.get_mut(self).slots_mut()[slot], Word::UNBOUND);
                    if word != Word::UNBOUND {
                        // SAFETY: the slot owned it and is empty now.
                        let value = unsafe { Value::from_owned(word) };
                        self.dict_set(&dict, &name, value)?;
                    }
                }
            }
            let payload = instance.get_mut(self);
            payload.shape = DICT_MODE;
            payload.dict = Some(dict.clone().into_value());
        } else {
            self.set_extra_word(object, 0, dict.clone().into_value());
        }
        Ok(Some(dict))
    }

    /// Makes `dict` the object's `__dict__`.
    pub(crate) fn replace_dict(&mut self, object: &Value, dict: Ref<Dict>) -> Result<()> {
        if object.downcast::<Instance>().is_some() {
            self.instance_dict(object)?;
            if let Some(instance) = object.downcast::<Instance>() {
                let old = instance.get_mut(self).dict.replace(dict.into_value());
                drop(old);
            }
        } else {
            self.set_extra_word(object, 0, dict.into_value());
        }
        Ok(())
    }

    /// Puts a value into one of an object's extra words.
    pub(crate) fn set_extra_word(&mut self, object: &Value, index: usize, value: Value) {
        if let Some(place) = extra_word(object, index) {
            // SAFETY: the object owns its extra words.
            let old = unsafe {
                let old = place.read();
                place.write(value.into_word());
                Value::from_owned(old)
            };
            drop(old);
        }
    }

    /// One of an object's extra words.
    pub(crate) fn get_extra_word(&self, object: &Value, index: usize) -> Option<Value> {
        let word = extra_word(object, index)?;
        // SAFETY: the object owns its extra words.
        unsafe { (word.read() != Word::UNBOUND).then(|| Value::from_borrowed(word.read())) }
    }

    /// Sets an attribute of the instance itself. `false` when it can have none.
    pub(crate) fn instance_set(&mut self, object: &Value, name: &Value, value: Value) -> Result<bool> {
        if let Some(instance) = object.downcast::<Instance>() {
            let shape = instance.get(self).shape;
            if shape != DICT_MODE && self.type_payload(object).has(HAS_DICT) {
                let name = self.intern_value(name);
                if let Some(slot) = self.state().shapes.slot(shape, &name) {
                    let old = std::mem::replace(&mut instance.get_mut(self).slots_mut()[slot], value.into_word());
                    // SAFETY: the slot owned it.
                    drop(unsafe { Value::from_owned(old) });
                    return Ok(true);
                }
                let used = self.state().shapes.used(shape);
                if used < usize::from(instance.get(self).capacity())
                    && self.is_exact(&name, crate::object::types::TypeId::Str)
                    && let Some(next) = self.state_mut().shapes.with(shape, &name)
                {
                    let payload = instance.get_mut(self);
                    payload.shape = next;
                    payload.slots_mut()[used] = value.into_word();
                    return Ok(true);
                }
                let class = self.type_ref(object).get(self);
                if used < 30 && class.instance_capacity.get() <= used as u16 {
                    class.instance_capacity.set((used as u16 + 4).min(30));
                }
            }
        }
        let Some(dict) = self.instance_dict(object)? else { return Ok(false) };
        self.dict_set(&dict, name, value)?;
        Ok(true)
    }

    /// Deletes an attribute of the instance itself; whether it was there.
    pub(crate) fn instance_delete(&mut self, object: &Value, name: &Value) -> Result<bool> {
        let Some(dict) = self.instance_dict(object)? else { return Ok(false) };
        let removed = self.dict_remove(&dict, name)?;
        Ok(removed.is_some())
    }

    // ---- get, set, delete

    /// `object.name`, with `__getattribute__` and `__getattr__` as the type has them.
    #[inline]
    pub(crate) fn get_attr(&mut self, object: &Value, name: &Value) -> Result<Value> {
        match self.type_payload(object).slots.get_attribute {
            Some(get) => {
                self.enter_native()?;
                let found = get(self, object, name);
                if found.is_err() {
                    self.say_what_was_asked(object, name);
                }
                found
            }
            None => self.generic_get_attr(object, name),
        }
    }

    /// `object.name` for a name in Rust's text.
    pub(crate) fn get_attr_str(&mut self, object: &Value, name: &str) -> Result<Value> {
        let name = self.intern(name);
        self.get_attr(object, &name)
    }

    /// `object.name`, or `None` where that raises `AttributeError`.
    pub(crate) fn find_attr(&mut self, object: &Value, name: &Value) -> Result<Option<Value>> {
        let found = match self.type_payload(object).slots.get_attribute {
            None => self.generic_find_attr(object, name),
            Some(get) => self.enter_native().and_then(|()| get(self, object, name).map(Some)),
        };
        match found {
            Ok(found) => Ok(found),
            Err(raised) => {
                if self.clear_if(ExceptionKind::AttributeError) {
                    Ok(None)
                } else {
                    Err(raised)
                }
            }
        }
    }

    /// `find_attr` for a name in Rust's text.
    pub(crate) fn find_attr_str(&mut self, object: &Value, name: &str) -> Result<Option<Value>> {
        let name = self.intern(name);
        self.find_attr(object, &name)
    }

    /// `object.__getattribute__`'s own algorithm; `None` when there is no such attribute.
    pub(crate) fn generic_find_attr(&mut self, object: &Value, name: &Value) -> Result<Option<Value>> {
        let name = &self.intern_value(name);
        let class = self.type_of(object);
        let attribute = self.type_lookup(&class, name);
        if let Some(attribute) = &attribute {
            if self.is_data_descriptor(attribute) && self.type_payload(attribute).slots.descriptor_get.is_some() {
                return self.bind(attribute, Some(object), &class).map(Some);
            }
        }
        if let Some(value) = self.instance_get(object, name)? {
            return Ok(Some(value));
        }
        match attribute {
            Some(attribute) => self.bind(&attribute, Some(object), &class).map(Some),
            None => Ok(None),
        }
    }

    /// `object.__getattribute__(self, name)`.
    pub(crate) fn generic_get_attr(&mut self, object: &Value, name: &Value) -> Result<Value> {
        match self.generic_find_attr(object, name)? {
            Some(value) => Ok(value),
            None => Err(self.no_attribute(object, name)),
        }
    }

    /// The `AttributeError` for an attribute that is not there.
    #[cold]
    pub(crate) fn no_attribute(&mut self, object: &Value, name: &Value) -> Raised {
        let text = self.text_of(name).map(ToString::to_string).unwrap_or_default();
        let message = format!("'{}' object has no attribute '{text}'", self.type_name(object));
        self.attribute_error(object, name, message)
    }

    /// `object.name = value`.
    #[inline]
    pub(crate) fn set_attr(&mut self, object: &Value, name: &Value, value: &Value) -> Result<()> {
        match self.type_payload(object).slots.set_attribute {
            Some(set) => set(self, object, name, Some(value)),
            None => self.generic_set_attr(object, name, Some(value)),
        }
    }

    /// `object.name = value` for a name in Rust's text.
    pub(crate) fn set_attr_str(&mut self, object: &Value, name: &str, value: &Value) -> Result<()> {
        let name = self.intern(name);
        self.set_attr(object, &name, value)
    }

    /// `del object.name`.
    pub(crate) fn del_attr(&mut self, object: &Value, name: &Value) -> Result<()> {
        match self.type_payload(object).slots.set_attribute {
            Some(set) => set(self, object, name, None),
            None => self.generic_set_attr(object, name, None),
        }
    }

    /// `object.__setattr__` (`Some`) and `object.__delattr__` (`None`).
    pub(crate) fn generic_set_attr(&mut self, object: &Value, name: &Value, value: Option<&Value>) -> Result<()> {
        let name = &self.intern_value(name);
        let class = self.type_of(object);
        let attribute = self.type_lookup(&class, name);
        if let Some(attribute) = &attribute {
            if let Some(set) = self.type_payload(attribute).slots.descriptor_set {
                return set(self, attribute, object, value);
            }
        }
        let done = match value {
            Some(value) => self.instance_set(object, name, value.clone())?,
            None => self.instance_delete(object, name)?,
        };
        if done {
            return Ok(());
        }
        let text = self.text_of(name).map(ToString::to_string).unwrap_or_default();
        let class_name = self.type_name(object);
        if attribute.is_some() && (value.is_some() || !class.get(self).has(HAS_DICT)) {
            return Err(self.attribute_error(object, name, format!("'{class_name}' object attribute '{text}' is read-only")));
        }
        if !class.get(self).has(HAS_DICT) {
            let message = format!("'{class_name}' object has no attribute '{text}' and no __dict__ for setting new attributes");
            return Err(self.attribute_error(object, name, message));
        }
        Err(self.no_attribute(object, name))
    }

    // ---- attributes of classes

    /// `type.__getattribute__`; `None` when there is no such attribute.
    pub(crate) fn class_find_attr(&mut self, class: &Ref<Type>, name: &Value) -> Result<Option<Value>> {
        let name = &self.intern_value(name);
        let metaclass = self.type_of(class);
        let meta_attribute = self.type_lookup(&metaclass, name);
        if let Some(attribute) = &meta_attribute {
            if self.is_data_descriptor(attribute) && self.type_payload(attribute).slots.descriptor_get.is_some() {
                return self.bind(attribute, Some(class), &metaclass).map(Some);
            }
        }
        if let Some(attribute) = self.type_lookup(class, name) {
            return match self.type_payload(&attribute).slots.descriptor_get {
                Some(get) => get(self, &attribute, None, class).map(Some),
                None => Ok(Some(attribute)),
            };
        }
        match meta_attribute {
            Some(attribute) => self.bind(&attribute, Some(class), &metaclass).map(Some),
            None => Ok(None),
        }
    }

    /// `type.__getattribute__`.
    pub(crate) fn class_get_attr(&mut self, object: &Value, name: &Value) -> Result<Value> {
        let Some(class) = object.downcast::<Type>() else {
            return self.generic_get_attr(object, name);
        };
        match self.class_find_attr(class, name)? {
            Some(value) => Ok(value),
            None => {
                let text = self.text_of(name).map(ToString::to_string).unwrap_or_default();
                let message = format!("type object '{}' has no attribute '{text}'", self.class_message_name(class));
                Err(self.attribute_error(object, name, message))
            }
        }
    }

    /// `type.__setattr__` (`Some`) and `type.__delattr__` (`None`).
    pub(crate) fn class_set_attr(&mut self, object: &Value, name: &Value, value: Option<&Value>) -> Result<()> {
        let Some(class) = object.downcast::<Type>() else {
            return self.generic_set_attr(object, name, value);
        };
        let text = self.text_of(name).map(ToString::to_string).unwrap_or_default();
        if class.get(self).has(IMMUTABLE) {
            let message = format!("cannot set '{text}' attribute of immutable type '{}'", self.class_message_name(class));
            return Err(self.type_error(message));
        }
        // An instance of a subclass of `str` names the attribute by its text.
        let name = &match self.text_of(name) {
            Some(text) if !self.is_exact(name, crate::object::types::TypeId::Str) => self.intern_text(text.clone()),
            _ => self.intern_value(name),
        };
        let metaclass = self.type_of(class);
        if let Some(attribute) = self.type_lookup(&metaclass, name) {
            if let Some(set) = self.type_payload(&attribute).slots.descriptor_set {
                set(self, &attribute, object, value)?;
                self.class_changed(class);
                return Ok(());
            }
        }
        let dict = self.class_dict(class);
        // A name that no site has is in no inline cache; but a place for it may move the others.
        let is_unknown = !text.starts_with("__") && !crate::object::intern::is_site_name(name);
        let moves = value.is_some() && dict.get(self).moves_when_grown();
        if is_unknown && !moves || value.is_some_and(|value| self.is_quiet_change(class, name, value)) {
            self.class_value_changed();
        } else {
            self.class_changed(class);
            if text.starts_with("__") && ["__get__", "__set__", "__delete__"].iter().any(|special| *text == **special) {
                // Values of this class were no descriptors when caches were filled.
                self.flush_inline_caches();
            }
        }
        match value {
            Some(value) => {
                self.dict_set(&dict, name, value.clone())?;
            }
            None => {
                if self.dict_remove(&dict, name)?.is_none() {
                    let message = format!("type object '{}' has no attribute '{text}'", self.class_message_name(class));
                    return Err(self.attribute_error(object, name, message));
                }
            }
        }
        if crate::object::slot_wrapper::is_slot_name(&text) {
            self.update_slots_below(class);
        }
        Ok(())
    }

    /// Whether giving a class attribute this value changes nothing that inline caches rely on: they look the value up again, but remember where it
    /// stands and that it is no descriptor.
    fn is_quiet_change(&self, class: &Ref<Type>, name: &Value, value: &Value) -> bool {
        let is_plain = |value: &Value| {
            let class = self.type_payload(value);
            !class.has(HEAP_TYPE) && class.slots.descriptor_get.is_none() && class.slots.descriptor_set.is_none()
        };
        let dict = class.get(self).dict_as_is().get(self);
        let Some(place) = dict.find_str(name, self.str_hash(name)) else { return false };
        let is_special = self.text_of(name).and_then(|text| text.as_ascii()).is_none_or(|text| text.starts_with("__"));
        !is_special && is_plain(&dict.entries()[place].value) && is_plain(value)
    }

    /// The attribute of a module, with the module's own `__getattr__`.
    pub(crate) fn module_get_attr(&mut self, object: &Value, name: &Value) -> Result<Value> {
        if let Some(value) = self.generic_find_attr(object, name)? {
            return Ok(value);
        }
        let Some(module) = object.downcast::<Module>() else {
            return Err(self.no_attribute(object, name));
        };
        let dict = module.get(self).dict.clone();
        let getattr = self.name(Name::Getattr);
        if let Some(function) = self.dict_get(&dict, &getattr)? {
            return self.call(&function, std::slice::from_ref(name)).inspect_err(|_| self.say_what_was_asked(object, name));
        }
        let message = super::import::missing_attribute(self, object, &dict, name)?;
        Err(self.attribute_error(object, name, message))
    }

    /// For `LoadMethod`: the function and `true` when the attribute is a plain function or native method of the type that takes the object first, else the
    /// attribute's value and `false`.
    pub(crate) fn get_method(&mut self, object: &Value, name: &Value) -> Result<(Value, bool)> {
        let class = self.type_of(object);
        let payload = class.get(self);
        if payload.slots.get_attribute.is_some() && !payload.has(PLAIN_GETATTR) {
            return Ok((self.get_attr(object, name)?, false));
        }
        let Some(attribute) = self.type_lookup(&class, name) else {
            return match self.instance_get(object, name)? {
                Some(value) => Ok((value, false)),
                None => Ok((self.get_attr(object, name)?, false)),
            };
        };
        let is_method = attribute.holds::<Function>() || self.is_native_method(&attribute);
        if is_method {
            return match self.instance_get(object, name)? {
                Some(value) => Ok((value, false)),
                None => Ok((attribute, true)),
            };
        }
        Ok((self.get_attr(object, name)?, false))
    }

    fn is_native_method(&self, attribute: &Value) -> bool {
        use crate::object::native::{NativeFunction, NativeKind};
        attribute.downcast::<NativeFunction>().is_some_and(|native| matches!(native.get(self).kind, NativeKind::Method | NativeKind::SlotWrapper))
    }
}
