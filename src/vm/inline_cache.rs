//! Attributes by inline caches: the instructions that read and write attributes and look methods up, in full, and how they are rewritten to the
//! quick forms whose fast paths stand in `dispatch`. A cache word holds in its upper half what must be the same again: an instance's shape, the
//! version of a class, or that of a module's namespace; in its lower half where the thing stands.
#![allow(unsafe_code, reason = "registers are raw words of the running frame's window (F1 to F3 in frame.rs); instances own what their slots hold")]

use std::ptr::NonNull;

use super::call::Called;
use super::state::{SHAPE_CACHE, ShapeCacheEntry, ShapeUse};
use super::vm::{Result, Vm};
use super::window::Window;
use crate::code::instruction::{Opcode, Word as Instruction};
use crate::object::heap::{Header, Object, header_of_payload, layout_at, release};
use crate::object::instance::{DICT_MODE, Instance};
use crate::object::layout::Layout;
use crate::object::type_object::{CACHED, HAS_DICT, PLAIN_GETATTR, PLAIN_SETATTR, Type};
use crate::object::types::TypeId;
use crate::object::types::code::Code;
use crate::object::types::descriptor::{ClassMethod, Property, StaticMethod};
use crate::object::types::dict::Dict;
use crate::object::types::function::Function;
use crate::object::types::module::Module;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;

/// How many numbers of dead shapes and places of dead methods may wait for a flush: some hundred kilobytes.
const MOST_FORGOTTEN: usize = 4096;

impl Vm {
    /// Writes the running code's cache of a site.
    pub(super) fn fill_cache(&mut self, window: Window, site: u32, content: u64) {
        let code = window.code();
        code.caches[site as usize].set(content);
        if !code.has_filled.replace(true) {
            self.state_mut().cached.note(header_of_payload(code));
        }
    }

    /// Forgets everything inline caches know about classes: called when a class they rely on changed.
    pub(crate) fn flush_inline_caches(&mut self) {
        let mut cached = std::mem::take(&mut self.state_mut().cached);
        if cached.is_short() {
            let least = size_of::<Object<Code>>().min(size_of::<Object<Type>>());
            self.heap().for_each_in_cells(least, forget_cached);
        } else {
            cached.drain().filter(|header| layout_at(*header).is_some()).for_each(forget_cached);
            self.state_mut().cached = cached;
        }
        let state = self.state_mut();
        let functions = std::mem::take(&mut state.method_table);
        state.shapes.caches_were_flushed();
        for entry in &mut state.shape_cache {
            if entry.shape != 0 {
                *entry = ShapeCacheEntry::EMPTY;
            }
        }
        drop(functions);
    }

    /// Frees the shapes of classes that have died. What caches still know of them (numbers of shapes, places in the table of methods) is not used
    /// again before a flush, which is due when there is much of it. No instruction may be about to use a cache.
    pub(crate) fn free_dead_shapes(&mut self) {
        for root in self.heap().take_dead_roots() {
            self.state_mut().shapes.free(root);
        }
        let n_forgotten = self.state().method_table.iter().filter(|function| function.is_unbound()).count();
        if self.state().shapes.n_unusable() + n_forgotten > MOST_FORGOTTEN {
            self.flush_inline_caches();
        }
    }

    /// Takes those functions out of the table of methods that only caches knew and a class had that is garbage now.
    pub(crate) fn forget_methods(&mut self, is_garbage: impl Fn(&Value) -> bool) {
        for place in 0..self.state().method_table.len() {
            let function = &mut self.state_mut().method_table[place];
            if !function.is_unbound() && is_garbage(function) {
                drop(std::mem::replace(function, Value::UNBOUND));
            }
        }
    }

    #[inline(never)]
    pub(crate) fn load_attribute(&mut self, window: Window, i: Instruction) -> Result<()> {
        {
            // SAFETY: nothing below runs a script while it is used.
            let object = unsafe { window.borrow(i.b()) };
            if let Some(instance) = object.downcast::<Instance>() {
                let payload = instance.get(self);
                if let Some(slot) = self.known_attribute(payload.shape, &window.code().names[i.c() as usize], ShapeUse::Load) {
                    let word = payload.slots()[slot as usize];
                    if word != Word::UNBOUND {
                        // SAFETY: the instance owns it.
                        let value = unsafe { Value::from_borrowed(word) };
                        let cache = u64::from(payload.shape) << 32 | u64::from(slot);
                        self.adapt(window, i, [Opcode::LoadAttribute, Opcode::LoadAttributeSlot], cache);
                        window.consume(i.b());
                        window.set(i.a(), value);
                        return Ok(());
                    }
                }
            }
        }
        let object = window.take(self, i.b())?;
        let name = window.name(i.c());
        if let Some(instance) = object.downcast::<Instance>() {
            let shape = instance.get(self).shape;
            let class = self.type_of(&object);
            if shape != DICT_MODE && class.get(self).has(PLAIN_GETATTR) {
                let attribute = self.type_lookup(&class, &name);
                let hides = attribute.as_ref().is_some_and(|attribute| self.is_data_descriptor(attribute));
                let slot = if hides { self.member_slot(&class, attribute.as_ref()) } else { self.state().shapes.slot(shape, &name) };
                if let Some(slot) = slot {
                    let word = instance.get(self).slots()[slot];
                    if word != Word::UNBOUND {
                        self.note_cached(&class);
                        self.fill_cache(window, i.c(), u64::from(shape) << 32 | slot as u64);
                        self.quicken(Opcode::LoadAttributeSlot);
                        self.note_attribute(shape, &name, ShapeUse::Load, slot as u32);
                        // SAFETY: the instance owns it.
                        let value = unsafe { Value::from_borrowed(word) };
                        drop(object);
                        window.set(i.a(), value);
                        return Ok(());
                    }
                } else if let (Some(attribute), true) = (&attribute, hides) {
                    if self.plain_getter(attribute).is_some() {
                        if let Some(entry) = self.find_shared(&class, &name) {
                            self.note_cached(&class);
                            self.fill_cache(window, i.c(), u64::from(shape) << 32 | u64::from(entry));
                            self.quicken(Opcode::LoadAttributeProperty);
                        }
                    }
                } else if let (Some(attribute), false) = (attribute, hides) {
                    if self.type_payload(&attribute).slots.descriptor_get.is_none() {
                        if let Some(entry) = self.find_shared(&class, &name) {
                            self.note_cached(&class);
                            self.fill_cache(window, i.c(), u64::from(shape) << 32 | u64::from(entry));
                            self.quicken(Opcode::LoadAttributeShared);
                        }
                        drop(object);
                        window.set(i.a(), attribute);
                        return Ok(());
                    }
                }
            }
        } else {
            self.cache_attribute(window, i, &object, &name);
        }
        let value = self.get_attr(&object, &name)?;
        drop(object);
        window.set(i.a(), value);
        Ok(())
    }

    /// Prepares the next run of a `LoadAttribute` or `LoadMethod` for a module's or a class's attribute.
    pub(super) fn cache_attribute(&mut self, window: Window, i: Instruction, object: &Value, name: &Value) {
        let is_method = window.opcode(self) == Some(Opcode::LoadMethod);
        if let Some(module) = object.downcast::<Module>() {
            let class = self.builtin(TypeId::Module);
            if !self.type_ref(object).is(&class) || self.type_lookup(&class, name).is_some() {
                return;
            }
            let hash = self.str_hash(name);
            let dict = module.get(self).dict.clone();
            let Some(place) = dict.get(self).find_str(name, hash) else { return };
            let version = self.dict_version(&dict);
            self.fill_cache(window, i.c(), u64::from(version) << 32 | place as u64);
            self.quicken(if is_method { Opcode::LoadMethodModule } else { Opcode::LoadAttributeModule });
        } else if let Some(class) = object.downcast::<Type>() {
            let metaclass = self.type_of(object);
            let is_plain = metaclass
                .get(self)
                .slots
                .get_attribute
                .is_some_and(|get| std::ptr::fn_addr_eq(get, Vm::class_get_attr as crate::object::type_object::BinaryFn));
            if !is_plain || self.type_lookup(&metaclass, name).is_some() {
                return;
            }
            let Some(attribute) = self.type_lookup(class, name) else { return };
            let Some(entry) = self.find_shared(class, name) else { return };
            let fits = if is_method {
                attribute.holds::<Function>()
                    || self.type_payload(&attribute).slots.descriptor_get.is_none()
                    || self.is_exact(&attribute, TypeId::StaticMethod)
                    || self.is_exact(&attribute, TypeId::ClassMethod)
                        && attribute.downcast::<ClassMethod>().is_some_and(|method| method.get(self).function.holds::<Function>())
            } else {
                attribute.holds::<Function>() || self.type_payload(&attribute).slots.descriptor_get.is_none()
            };
            if !fits {
                return;
            }
            self.note_cached(&metaclass);
            self.note_cached(class);
            let version = self.class_version(class);
            self.fill_cache(window, i.c(), u64::from(version) << 32 | u64::from(entry));
            self.quicken(if is_method { Opcode::LoadMethodClass } else { Opcode::LoadAttributeClass });
        }
    }

    /// Where a class's attribute stands: the number of the class in the MRO in the upper 8 bits, the entry's place in the lower 24.
    pub(super) fn find_shared(&self, class: &Ref<Type>, name: &Value) -> Option<u32> {
        let hash = self.str_hash(name);
        for (number, base) in class.get(self).mro.iter().enumerate() {
            let dict = base.get(self).dict_as_is().get(self);
            if let Some(place) = dict.find_str(name, hash) {
                return (number < 1 << 8 && place < 1 << 24).then_some((number << 24 | place) as u32);
            }
        }
        None
    }

    /// The number of a dict's present set of keys.
    pub(super) fn dict_version(&mut self, dict: &Ref<Dict>) -> u32 {
        let mut version = dict.get(self).version();
        if version == 0 {
            version = self.fresh_version();
            dict.get(self).set_version(version);
        }
        version
    }

    /// The number of a class.
    pub(crate) fn class_version(&mut self, class: &Ref<Type>) -> u32 {
        let mut version = class.get(self).version.get();
        if version == 0 {
            version = self.fresh_version();
            class.get(self).version.set(version);
        }
        version
    }

    /// `LoadMethodClass`, where its cache holds: functions and static methods stand alone, class methods take the class first.
    #[inline(never)]
    pub(crate) fn load_method_class(&mut self, window: Window, i: Instruction, attribute: Word) -> Result<()> {
        // SAFETY: the class's namespace holds it.
        let attribute = unsafe { Value::from_borrowed(attribute) };
        let class = window.take(self, i.b())?;
        let (function, receiver) = if let Some(method) = attribute.downcast::<ClassMethod>() {
            (method.get(self).function.clone(), class)
        } else if let Some(method) = attribute.downcast::<StaticMethod>() {
            (method.get(self).function.clone(), Value::UNBOUND)
        } else {
            (attribute, Value::UNBOUND)
        };
        window.set(i.a(), function);
        window.set(i.a() + 1, receiver);
        Ok(())
    }

    /// The function that a property gets its value by, if a frame for it can be pushed with the instance as its only argument.
    pub(super) fn plain_getter(&mut self, attribute: &Value) -> Option<Value> {
        let property = attribute.downcast::<Property>().filter(|_| self.is_exact(attribute, TypeId::Property))?;
        let get = property.get(self).get.clone();
        let code = get.downcast::<Function>()?.get(self).code.clone();
        self.complete_code(&code);
        let code = code.get(self);
        (code.is_simple && code.n_arguments == 1).then_some(get)
    }

    /// `LoadAttributeProperty`; `property` is unbound where the cache does not hold.
    #[inline(never)]
    pub(crate) fn load_property(&mut self, window: Window, i: Instruction, property: Word) -> Result<Called> {
        // SAFETY: the class's namespace holds it.
        let property = unsafe { Value::from_borrowed(property) };
        let Some(get) = self.plain_getter(&property) else {
            self.load_attribute(window, i)?;
            return Ok(Called::Done);
        };
        let object = window.take(self, i.b())?;
        // SAFETY: the stack's top is free.
        unsafe { self.enter_far(get, object) }
    }

    /// Enters a plain script function with one argument: its frame stands at the stack's top, from where the result is fetched into operand `a`.
    ///
    /// # Safety
    /// The running instruction's operand `a` is a register to be written.
    unsafe fn enter_far(&mut self, function: Value, argument: Value) -> Result<Called> {
        let top = self.stack_top();
        // SAFETY: the stack's top is free; what is written there is owned by it.
        unsafe {
            self.reserve_stack(top.add(6))?;
            top.write(function.into_word());
            top.add(1).write(argument.into_word());
            let function = &*top.cast::<Value>();
            let entered = match function.downcast::<Function>() {
                Some(payload) => self.enter_function(&payload.clone(), top, 1, None),
                None => Ok(Called::Done),
            };
            match entered {
                Ok(called) => {
                    if let Some(record) = self.frames.records.last_mut() {
                        record.flags |= super::frame::FAR;
                    }
                    Ok(called)
                }
                Err(raised) => {
                    for place in [top, top.add(1)] {
                        let left = std::ptr::replace(place, Word::UNBOUND);
                        release(left);
                    }
                    Err(raised)
                }
            }
        }
    }

    /// The slot that a member descriptor stands for in instances of a plain class; it may be another class's descriptor.
    fn member_slot(&self, class: &Ref<Type>, attribute: Option<&Value>) -> Option<usize> {
        let member = attribute?.downcast::<crate::object::native::Member>()?.get(self);
        let owner = member.owner.downcast::<Type>()?;
        let is_own = owner.get(self).layout == Layout::Instance && class.get(self).is_subtype_of(&member.owner);
        is_own.then_some(usize::from(member.index))
    }

    #[inline(never)]
    pub(crate) fn store_attribute(&mut self, window: Window, i: Instruction) -> Result<()> {
        {
            // SAFETY: nothing below runs a script while it is used.
            let object = unsafe { window.borrow(i.a()) };
            if let (Some(instance), true) = (object.downcast::<Instance>(), window.peek(i.b()) != Word::UNBOUND) {
                let shape = instance.get(self).shape;
                let name = &window.code().names[i.c() as usize];
                let known = match self.known_attribute(shape, name, ShapeUse::Store) {
                    Some(slot) => Some((Opcode::StoreAttributeSlot, slot, slot as usize)),
                    None => self
                        .known_attribute(shape, name, ShapeUse::Add)
                        .map(|next| (Opcode::StoreAttributeAdd, next, self.state().shapes.used(shape))),
                };
                if let Some((quick, what, slot)) = known {
                    if slot < usize::from(instance.get(self).capacity()) {
                        self.adapt(window, i, [Opcode::StoreAttribute, quick], u64::from(shape) << 32 | u64::from(what));
                        let value = window.take(self, i.b())?;
                        let payload = instance.get_mut(self);
                        let old = std::mem::replace(&mut payload.slots_mut()[slot], value.into_word());
                        if quick == Opcode::StoreAttributeAdd {
                            payload.shape = what;
                        }
                        window.consume(i.a());
                        release(old);
                        return Ok(());
                    }
                }
            }
        }
        let value = window.take(self, i.b())?;
        let object = window.take(self, i.a())?;
        let name = window.name(i.c());
        if let Some(instance) = object.downcast::<Instance>() {
            let shape = instance.get(self).shape;
            let class = self.type_of(&object);
            if shape != DICT_MODE && class.get(self).has(PLAIN_SETATTR) {
                let attribute = self.type_lookup(&class, &name);
                let hides = attribute.as_ref().is_some_and(|attribute| self.is_data_descriptor(attribute));
                let slot = if hides { self.member_slot(&class, attribute.as_ref()) } else { self.state().shapes.slot(shape, &name) };
                if let Some(slot) = slot {
                    self.note_cached(&class);
                    self.fill_cache(window, i.c(), u64::from(shape) << 32 | slot as u64);
                    self.quicken(Opcode::StoreAttributeSlot);
                    self.note_attribute(shape, &name, ShapeUse::Store, slot as u32);
                    let old = std::mem::replace(&mut instance.get_mut(self).slots_mut()[slot], value.into_word());
                    release(old);
                    return Ok(());
                }
                if !hides {
                    let used = self.state().shapes.used(shape);
                    if used < usize::from(instance.get(self).capacity())
                        && class.get(self).has(crate::object::type_object::HAS_DICT)
                        && let Some(next) = self.state_mut().shapes.with(shape, &name)
                    {
                        self.note_cached(&class);
                        self.fill_cache(window, i.c(), u64::from(shape) << 32 | u64::from(next));
                        self.quicken(Opcode::StoreAttributeAdd);
                        self.note_attribute(shape, &name, ShapeUse::Add, next);
                        let payload = instance.get_mut(self);
                        payload.shape = next;
                        payload.slots_mut()[used] = value.into_word();
                        return Ok(());
                    }
                }
            }
        }
        self.set_attr(&object, &name, &value)
    }

    #[inline(never)]
    pub(crate) fn load_method(&mut self, window: Window, i: Instruction) -> Result<()> {
        {
            // SAFETY: nothing below runs a script while it is used.
            let object = unsafe { window.borrow(i.b()) };
            if let Some(instance) = object.downcast::<Instance>() {
                let shape = instance.get(self).shape;
                let known = self.known_attribute(shape, &window.code().names[i.c() as usize], ShapeUse::Method);
                if let Some(place) = known.filter(|&place| !self.state().method_table[place as usize].is_unbound()) {
                    self.adapt(window, i, [Opcode::LoadMethod, Opcode::LoadMethodCached], u64::from(shape) << 32 | u64::from(place));
                    let function = self.state().method_table[place as usize].clone();
                    let object = window.take(self, i.b())?;
                    window.set(i.a(), function);
                    window.set(i.a() + 1, object);
                    return Ok(());
                }
            }
        }
        let object = window.take(self, i.b())?;
        let name = window.name(i.c());
        if let Some(instance) = object.downcast::<Instance>() {
            let shape = instance.get(self).shape;
            let class = self.type_of(&object);
            if shape != DICT_MODE && class.get(self).has(PLAIN_GETATTR) && self.state().shapes.slot(shape, &name).is_none() {
                if let Some(attribute) = self.type_lookup(&class, &name) {
                    if attribute.holds::<Function>() {
                        self.note_cached(&class);
                        let place = self.method_place(&attribute);
                        self.fill_cache(window, i.c(), u64::from(shape) << 32 | u64::from(place));
                        self.quicken(Opcode::LoadMethodCached);
                        self.note_attribute(shape, &name, ShapeUse::Method, place);
                        window.set(i.a(), attribute);
                        window.set(i.a() + 1, object);
                        return Ok(());
                    }
                }
            }
        }
        if !object.holds::<Instance>() {
            self.cache_attribute(window, i, &object, &name);
        }
        let (function, is_method) = self.get_method(&object, &name)?;
        if is_method {
            let class = self.type_of(&object);
            if !class.get(self).has(HAS_DICT) {
                self.note_cached(&class);
                let version = self.class_version(&class);
                let place = self.method_place(&function);
                self.fill_cache(window, i.c(), u64::from(version) << 32 | u64::from(place));
                self.quicken(Opcode::LoadMethodType);
            }
        }
        window.set(i.a(), function);
        window.set(i.a() + 1, if is_method { object } else { Value::UNBOUND });
        Ok(())
    }

    /// What the shared cache knows about a use of an attribute of instances with a shape.
    #[inline(always)]
    pub(super) fn known_attribute(&self, shape: u32, name: &Value, use_: ShapeUse) -> Option<u32> {
        let entry = &self.state().shape_cache[shape_cache_place(shape, name, use_)];
        (entry.shape == shape && entry.use_ == use_ && entry.name.is(name) && shape != DICT_MODE).then_some(entry.what)
    }

    /// Rewrites an attribute's instruction to the quick form for what the shared cache knows: at once when it was never rewritten, and now and then
    /// when it was for another shape, since it may not see that shape again.
    pub(super) fn adapt(&mut self, window: Window, i: Instruction, [plain, quick]: [Opcode; 2], cache: u64) {
        self.shape_misses = self.shape_misses.wrapping_add(1);
        if i.opcode_byte() == plain as u8 || self.shape_misses.is_multiple_of(16) {
            self.fill_cache(window, i.c(), cache);
            self.quicken(quick);
        }
    }

    /// Lets the shared cache know about an attribute. The class has been noted as one that caches rely on.
    pub(super) fn note_attribute(&mut self, shape: u32, name: &Value, use_: ShapeUse, what: u32) {
        if shape == DICT_MODE {
            return;
        }
        let entry = ShapeCacheEntry { name: name.clone(), shape, use_, what };
        let old = std::mem::replace(&mut self.state_mut().shape_cache[shape_cache_place(shape, name, use_)], entry);
        drop(old);
    }

    pub(super) fn method_place(&mut self, function: &Value) -> u32 {
        let table = &mut self.state_mut().method_table;
        if let Some(place) = table.iter().rposition(|known| known.is(function)) {
            return place as u32;
        }
        table.push(function.clone());
        table.len() as u32 - 1
    }
}

/// Empties the caches of a code object, or notes that no cache relies on a class; other objects have nothing to do with it. The header is of an object.
fn forget_cached(header: NonNull<Header>) {
    // SAFETY: it is of an object, as the caller says; a payload is of its header's layout, and what is changed are cells.
    unsafe {
        let layout = header.as_ref().layout_id();
        if layout == Layout::Code as u16 {
            let code = &(*header.as_ptr().cast::<Object<Code>>()).payload;
            for cache in &code.caches {
                // No shape and no version has this number; 0 is the shape of instances that keep a dict.
                cache.set(u64::MAX);
            }
            code.has_filled.set(false);
        } else if layout == Layout::Type as u16 {
            (*header.as_ptr().cast::<Object<Type>>()).payload.set_flag(CACHED, false);
        }
    }
}

/// Where the shared cache keeps an attribute of a shape.
#[inline(always)]
fn shape_cache_place(shape: u32, name: &Value, use_: ShapeUse) -> usize {
    ((name.word().bits() >> 4) as usize ^ (shape as usize).wrapping_mul(37) ^ (use_ as usize * 129)) % SHAPE_CACHE
}
