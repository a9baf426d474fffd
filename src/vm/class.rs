//! Making classes: native ones from their specs, and those of scripts (`type(name, bases, namespace)`), with C3 linearisation.

use std::rc::Rc;

use super::state::Name;
use super::vm::{Result, Vm};
use crate::object::layout::Layout;
use crate::object::native::{Args, Arity, Family, GetSet, Member, Native, NativeCode, NativeFunction, NativeKind};
use crate::object::signature::Signature;
use crate::object::slot_wrapper;
use crate::object::type_object::{
    BASE_TYPE, CallArgs, HAS_DICT, HAS_WEAKREFS, HEAP_TYPE, IMMUTABLE, IS_METACLASS, MATCH_MAPPING, MATCH_SELF, MATCH_SEQUENCE, NO_NEW,
    PLAIN_GETATTR, PLAIN_SETATTR, Slots, Type, TypeParts, TypeSpec, UNFILLED,
};
use crate::object::types::TypeId;
use crate::object::types::dict::Dict;
use crate::object::types::exception::ExceptionKind;
use crate::object::types::function::{CellPayload, Function};
use crate::object::types::str::Str;
use crate::object::types::tuple::Tuple;
use crate::object::value::{Ref, Value};

/// The most `__slots__` that the instances of a class have, those of its bases included: what a cell of the heap has room for.
const MOST_SLOTS: usize = 900;

/// `cls(…)` for native types: binds the arguments by the constructor's signature.
fn native_new(vm: &mut Vm, class: &Ref<Type>, arguments: CallArgs<'_>) -> Result<Value> {
    let (native, signature) = match class.get(vm).constructor.get() {
        Some((native, signature)) => (*native, signature.clone()),
        None => {
            let native = class.get(vm).mro.iter().find_map(|base| base.get(vm).spec.and_then(|spec| spec.new.as_ref()));
            let Some(native) = native else {
                let message = format!("cannot create '{}' instances", vm.class_full_name(class));
                return Err(vm.type_error(message));
            };
            let signature = vm.constructor_signature(native);
            if class.get(vm).spec.is_some() {
                let _ = class.get(vm).constructor.set((native, signature.clone()));
            }
            (native, signature)
        }
    };
    let arity = signature.arity();
    let given = arguments.values.len() + 1;
    if arguments.names.is_empty() && given >= usize::from(arity.least) && given <= usize::from(arity.most) {
        let mut values = [Value::UNBOUND; Arity::MAX];
        values[0] = (**class).clone();
        values[1..given].clone_from_slice(arguments.values);
        return (native.function)(vm, Args(&values[..usize::from(arity.most)]));
    }
    let mut values: smallvec::SmallVec<[Value; 6]> = smallvec::smallvec![(**class).clone()];
    values.extend(arguments.values.iter().cloned());
    signature.call(vm, native, &Value::NONE, CallArgs { values: &values, names: arguments.names })
}

/// What a class adds to what its bases' instances have.
struct DeclaredSlots {
    /// The names of its `__slots__`, in the order of their places.
    members: Vec<Value>,
    wants_dict: bool,
    wants_weakrefs: bool,
}

impl Vm {
    fn constructor_signature(&mut self, native: &'static Native) -> Rc<Signature> {
        let key = std::ptr::from_ref(native) as usize;
        if let Some(known) = self.state().constructor_signatures.get(&key) {
            return known.clone();
        }
        let signature = Rc::new(Signature::parse_constructor(native.signature));
        self.state_mut().constructor_signatures.insert(key, signature.clone());
        signature
    }

    /// The type of a spec, made at the first call.
    pub(crate) fn native_type(&mut self, spec: &'static TypeSpec) -> Ref<Type> {
        if let Some(known) = self.state().known_type(spec) {
            return known.clone();
        }
        let base = match spec.base {
            Some(base) => self.native_type(base),
            None => self.builtin(TypeId::Object),
        };
        let class = self.make_native_type(spec, Some(base));
        self.link_native_type(&class);
        class
    }

    /// A native type without its attributes.
    pub(crate) fn make_native_type(&mut self, spec: &'static TypeSpec, base: Option<Ref<Type>>) -> Ref<Type> {
        let short = spec.name.rsplit('.').next().unwrap_or(spec.name);
        let name = self.intern(short);
        let dict = self.new_dict();
        let mut flags = spec.flags | IMMUTABLE | UNFILLED;
        let mut extra_words = 0;
        if let Some(base) = &base {
            let payload = base.get(self);
            extra_words = payload.extra_words() as u16;
            flags |= payload.flags() & (HAS_DICT | MATCH_SEQUENCE | MATCH_MAPPING | MATCH_SELF);
        }
        if keeps_dict_behind(flags, spec.layout) {
            extra_words = extra_words.max(1);
        }
        let bases: Vec<Value> = base.iter().map(|base| (**base).clone()).collect();
        let bases = self.new_tuple(bases);
        let parts = TypeParts {
            flags,
            extra_words,
            layout: spec.layout,
            name: name.clone(),
            qualname: name,
            base,
            bases,
            dict,
            fixed_slots: 0,
            spec: Some(spec),
        };
        let class: Ref<Type> = self.alloc(TypeId::Type, Type::new(parts));
        self.state_mut().native_types.insert(std::ptr::from_ref(spec) as usize, class.clone());
        class
    }

    /// The slots and MRO of a native type whose bases are complete. Its attributes are made when somebody looks: [`Vm::namespace`].
    pub(crate) fn link_native_type(&mut self, class: &Ref<Type>) {
        let Some(spec) = class.get(self).spec else { return };
        let base = class.get(self).base.clone();
        let mut mro = Vec::with_capacity(1 + base.as_ref().map_or(0, |base| base.get(self).mro.len()));
        mro.push(class.clone());
        if let Some(base) = &base {
            mro.extend(base.get(self).mro.iter().cloned());
        }
        let payload = class.get_mut(self);
        payload.mro = mro;
        payload.slots = own_slots(spec);
        if let Some(base) = base {
            self.inherit_slots(class, &base);
            self.add_subclass(&base, class);
        }
        let payload = class.get(self);
        payload.set_flag(PLAIN_GETATTR, payload.slots.get_attribute.is_none());
        payload.set_flag(PLAIN_SETATTR, payload.slots.set_attribute.is_none());
    }

    /// A class's namespace. A native type's is filled here, at the first look: most programs look at few of them.
    #[inline]
    pub(crate) fn class_dict(&mut self, class: &Ref<Type>) -> Ref<Dict> {
        if class.get(self).has(UNFILLED) {
            self.fill_native_type(class);
        }
        class.get(self).dict_as_is().clone()
    }

    /// Makes sure that the namespaces of a class and its bases are filled.
    #[inline]
    pub(crate) fn fill_bases(&mut self, class: &Ref<Type>) {
        while let Some(unfilled) = class.get(self).mro.iter().find(|base| base.get(self).has(UNFILLED)).cloned() {
            self.fill_native_type(&unfilled);
        }
    }

    /// The attributes of a native type.
    #[cold]
    fn fill_native_type(&mut self, class: &Ref<Type>) {
        let Some(spec) = class.get(self).spec else { return };
        class.get(self).set_flag(UNFILLED, false);
        let slots = own_slots(spec);
        let dict = class.get(self).dict_as_is().clone();
        let owner: Value = (**class).clone();
        let is_object = class.get(self).base.is_none();
        for row in slot_wrapper::all() {
            let is_own = (row.is_present)(&slots) || (is_object && matches!(row.name, "__getattribute__" | "__setattr__" | "__delattr__"));
            // What has a length is true when it is not empty: CPython's sized types have no `__bool__` but for ranges.
            let is_implied = slots.len.is_some() && row.name == "__bool__" && spec.name != "range" && !spec.name.ends_with("ProxyType");
            if is_own && !is_implied && !(row.name == "__hash__" && slots.hash.is_none()) {
                // CPython's containers offer their most used special methods as ordinary ones, which are faster there.
                let is_method = matches!((spec.name, row.name), ("list" | "dict", "__getitem__") | ("dict" | "set" | "frozenset", "__contains__"));
                let (kind, id) =
                    if is_method { (NativeKind::Method, TypeId::MethodDescriptor) } else { (NativeKind::SlotWrapper, TypeId::SlotWrapper) };
                let function = NativeFunction::new(kind, NativeCode::Slot(row), None, owner.clone());
                let value = self.alloc(id, function).into_value();
                self.set_in(&dict, row.name, value);
            }
        }
        if slots.compare.is_some() && slots.hash.is_none() && !is_object {
            self.set_in(&dict, "__hash__", Value::NONE);
        }
        if slots.new.is_some() {
            let function = NativeFunction::new(NativeKind::Function, NativeCode::Slot(&slot_wrapper::NEW), None, owner.clone());
            let value = self.alloc(TypeId::BuiltinFunction, function).into_value();
            self.set_in(&dict, "__new__", value);
        }
        for (rows, kind, id) in [
            (spec.methods, NativeKind::Method, TypeId::MethodDescriptor),
            (spec.class_methods, NativeKind::ClassMethod, TypeId::ClassMethodDescriptor),
        ] {
            for native in rows {
                let is_wrapper = native.family == Family::Wrapper;
                let (kind, id) = if is_wrapper { (NativeKind::SlotWrapper, TypeId::SlotWrapper) } else { (kind, id) };
                let function = NativeFunction::new(kind, NativeCode::Table(native, Rc::default()), None, owner.clone());
                let value = self.alloc(id, function).into_value();
                self.set_in(&dict, native.name(), value);
            }
        }
        for native in spec.static_methods {
            let function = NativeFunction::new(NativeKind::Function, NativeCode::Table(native, Rc::default()), None, owner.clone());
            let value = self.alloc(TypeId::BuiltinFunction, function).into_value();
            let value = crate::object::types::descriptor::new_staticmethod(self, value);
            self.set_in(&dict, native.name(), value);
        }
        for row in spec.getset {
            let value = self.alloc(TypeId::GetSetDescriptor, GetSet { spec: *row, owner: owner.clone() }).into_value();
            self.set_in(&dict, row.name, value);
        }
        let inherits_dict = class.get(self).base.as_ref().is_some_and(|base| base.get(self).has(HAS_DICT));
        let has_dict = spec.flags & HAS_DICT != 0 && !inherits_dict && !matches!(spec.layout, Layout::Module | Layout::Type | Layout::Tuple);
        if has_dict && !spec.getset.iter().any(|row| row.name == "__dict__") {
            let descriptor = self.dict_descriptor(&owner);
            self.set_in(&dict, "__dict__", descriptor);
        }
        if spec.name == "ExceptionGroup" {
            // As classes of scripts, it adds what its bases lack.
            let descriptor = self.weakref_descriptor(&owner);
            self.set_in(&dict, "__weakref__", descriptor);
        }
        let module = spec.name.rsplit_once('.').map_or("builtins", |(module, _)| module);
        if module != "builtins" {
            let module = self.intern(module);
            self.set_in(&dict, "__module__", module);
        }
        // Where instances have documentation of their own, the type's is in its spec.
        if spec.getset.iter().all(|row| row.name != "__doc__") {
            let doc = if spec.doc.is_empty() { Value::NONE } else { self.new_str(spec.doc) };
            self.set_in(&dict, "__doc__", doc);
        }
        if let Some(fields) = spec.fields {
            for (name, value) in crate::object::types::structseq::class_attributes(self, fields) {
                self.set_in(&dict, name, value);
            }
        }
    }

    fn set_in(&mut self, dict: &Ref<Dict>, name: &str, value: Value) {
        let key = self.intern(name);
        let hash = self.str_hash(&key);
        match dict.get(self).find_str(&key, hash) {
            Some(place) => {
                let old = std::mem::replace(&mut dict.get_mut(self).entry_mut(place).value, value);
                drop(old);
            }
            None => self.resize(dict, |dict| dict.push_new(key, hash, value)),
        }
    }

    fn inherit_slots(&mut self, class: &Ref<Type>, base: &Ref<Type>) {
        let from = base.get(self).slots;
        let own = class.get(self).slots;
        let mut slots = own;
        macro_rules! inherit {
            ($($field:ident),+) => { $(slots.$field = slots.$field.or(from.$field);)+ };
        }
        inherit!(
            repr,
            str,
            call,
            get_attribute,
            set_attribute,
            iter,
            next,
            len,
            get_item,
            set_item,
            contains,
            bool,
            negative,
            positive,
            absolute,
            invert
        );
        inherit!(int, float, index, descriptor_get, descriptor_set, await_, aiter, anext, new, init);
        if own.compare.is_none() {
            slots.compare = from.compare;
            slots.hash = own.hash.or(from.hash);
        }
        for place in 0..13 {
            slots.binary[place] = own.binary[place].or(from.binary[place]);
            slots.in_place[place] = own.in_place[place].or(from.in_place[place]);
        }
        if class.get(self).has(NO_NEW) {
            slots.new = None;
        }
        class.get_mut(self).slots = slots;
    }

    // ---- classes of scripts

    /// The most derived metaclass of the bases and `metaclass`.
    pub(crate) fn derive_metaclass(&mut self, metaclass: Ref<Type>, bases: &[Value]) -> Result<Ref<Type>> {
        let mut winner = metaclass;
        for base in bases {
            let candidate = self.type_of(base);
            if winner.get(self).is_subtype_of(&candidate) {
                continue;
            }
            if candidate.get(self).is_subtype_of(&winner) {
                winner = candidate;
                continue;
            }
            return Err(self.type_error(
                "metaclass conflict: the metaclass of a derived class must be a (non-strict) subclass of the metaclasses of all its bases",
            ));
        }
        Ok(winner)
    }

    /// The base whose layout instances of a class with these bases have.
    fn best_base(&mut self, bases: &[Value]) -> Result<Ref<Type>> {
        let mut winner: Option<(Ref<Type>, Ref<Type>)> = None;
        for base in bases {
            let Some(class) = base.downcast::<Type>() else {
                return Err(self.type_error("bases must be types"));
            };
            if !class.get(self).has(BASE_TYPE) {
                let message = format!("type '{}' is not an acceptable base type", self.class_full_name(class));
                return Err(self.type_error(message));
            }
            let solid = self.solid_base(class);
            winner = match winner {
                None => Some((class.clone(), solid)),
                Some((best, best_solid)) => {
                    if best_solid.get(self).is_subtype_of(&solid) {
                        Some((best, best_solid))
                    } else if solid.get(self).is_subtype_of(&best_solid) {
                        Some((class.clone(), solid))
                    } else {
                        return Err(self.type_error("multiple bases have instance lay-out conflict"));
                    }
                }
            };
        }
        Ok(winner.map_or_else(|| self.builtin(TypeId::Object), |(best, _)| best))
    }

    /// The class that gave the layout its present form: by its payload or by its slots.
    fn solid_base(&self, class: &Ref<Type>) -> Ref<Type> {
        let mut current = class.clone();
        loop {
            let payload = current.get(self);
            let Some(base) = payload.base.clone() else { return current };
            let base_payload = base.get(self);
            let base_slots = base_payload.extra_words().saturating_sub(usize::from(base_payload.has(HAS_DICT)));
            let slots = payload.extra_words().saturating_sub(usize::from(payload.has(HAS_DICT)));
            if payload.layout != base_payload.layout || payload.fixed_slots != base_payload.fixed_slots || slots != base_slots {
                return current;
            }
            current = base;
        }
    }

    /// C3 linearisation (Barrett et al. 1996, as PEP 253 and Python 2.3's MRO describe).
    pub(crate) fn linearize(&mut self, class: &Ref<Type>, bases: &[Value]) -> Result<Vec<Ref<Type>>> {
        let mut lists: Vec<Vec<Ref<Type>>> = Vec::new();
        for base in bases {
            if let Some(base) = base.downcast::<Type>() {
                lists.push(base.get(self).mro.clone());
            }
        }
        let direct: Vec<Ref<Type>> = bases.iter().filter_map(|base| base.downcast::<Type>().cloned()).collect();
        for (place, base) in direct.iter().enumerate() {
            if direct[..place].iter().any(|other| other.is(base)) {
                let message = format!("duplicate base class {}", self.class_name(base));
                return Err(self.type_error(message));
            }
        }
        lists.push(direct);
        let mut result = vec![class.clone()];
        loop {
            lists.retain(|list| !list.is_empty());
            if lists.is_empty() {
                return Ok(result);
            }
            let candidate = lists.iter().map(|list| &list[0]).find(|head| !lists.iter().any(|list| list[1..].iter().any(|other| other.is(head))));
            let Some(candidate) = candidate.cloned() else {
                let mut names: Vec<String> = Vec::new();
                for list in &lists {
                    let name = self.class_name(&list[0]);
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
                let message = format!("Cannot create a consistent method resolution order (MRO) for bases {}", names.join(", "));
                return Err(self.type_error(message));
            };
            for list in &mut lists {
                if list[0].is(&candidate) {
                    list.remove(0);
                }
            }
            result.push(candidate);
        }
    }

    /// `type.__new__(metaclass, name, bases, namespace, **keywords)`.
    pub(crate) fn type_new(
        &mut self,
        metaclass: &Ref<Type>,
        name: &Value,
        bases: &Value,
        namespace: &Value,
        keywords: CallArgs<'_>,
    ) -> Result<Value> {
        let mut base_values = self.tuple_items(bases);
        let winner = self.derive_metaclass(metaclass.clone(), &base_values)?;
        if !winner.is(metaclass) {
            let new = winner.get(self).slots.new;
            let own = metaclass.get(self).slots.new;
            if let (Some(new), Some(own)) = (new, own) {
                if !std::ptr::fn_addr_eq(new, own) {
                    let mut values = vec![name.clone(), bases.clone(), namespace.clone()];
                    values.extend(keywords.values.iter().cloned());
                    return new(self, &winner, CallArgs { values: &values, names: keywords.names });
                }
            }
        }
        let metaclass = winner;
        if base_values.is_empty() {
            base_values.push(self.builtin(TypeId::Object).into_value());
        }
        let base = self.best_base(&base_values)?;
        let Some(namespace) = namespace.downcast::<Dict>() else {
            return Err(self.type_error("type.__new__() argument 3 must be dict"));
        };
        let dict = {
            let copy = namespace.get(self).copy();
            let dict = self.new_dict();
            *dict.get_mut(self) = copy;
            dict
        };
        if dict.get(self).keys().any(|key| !key.holds::<Str>()) {
            let name = self.str_text(name)?;
            self.warn(ExceptionKind::RuntimeWarning, &format!("non-string key in the __dict__ of class {name}"))?;
        }
        let bases = self.new_tuple(base_values.clone());
        let any_dict = base_values.iter().any(|base| base.downcast::<Type>().is_some_and(|base| base.get(self).has(HAS_DICT)));
        let DeclaredSlots { members, wants_dict, mut wants_weakrefs } = self.declared_slots(name, &base, &base_values, any_dict, &dict)?;
        let base_payload = base.get(self);
        let layout = base_payload.layout;
        let base_fixed = base_payload.fixed_slots;
        let base_extra = base_payload.extra_words() as u16;
        let mut flags = HEAP_TYPE | BASE_TYPE | base_payload.flags() & IS_METACLASS;
        for class in &base_values {
            if let Some(class) = class.downcast::<Type>() {
                flags |= class.get(self).flags() & (HAS_DICT | HAS_WEAKREFS | MATCH_SELF);
            }
        }
        if wants_dict {
            flags |= HAS_DICT;
        }
        // As in CPython, instances of a size that varies have no room for weak references.
        wants_weakrefs = wants_weakrefs && !matches!(layout, Layout::Int | Layout::Tuple | Layout::Bytes);
        if wants_weakrefs {
            flags |= HAS_WEAKREFS;
        }
        if usize::from(base_fixed.max(base_extra)) + members.len() > MOST_SLOTS {
            return Err(self.type_error(format!("too many __slots__: an instance has room for {MOST_SLOTS}")));
        }
        let (mut fixed_slots, mut extra_words) = (base_fixed, base_extra);
        let first_member = if layout == Layout::Instance {
            fixed_slots += members.len() as u16;
            base_fixed
        } else {
            if !own_namespace(layout) {
                // The first extra word is the dict's, whether there is one or not, so that members have fixed places.
                extra_words = extra_words.max(1);
            }
            let first = extra_words.max(1);
            if !members.is_empty() || flags & HAS_DICT != 0 && !own_namespace(layout) {
                extra_words = first + members.len() as u16;
            }
            first
        };
        let qualname_name = self.name(Name::Qualname);
        let qualname = match self.dict_remove(&dict, &qualname_name)? {
            Some((_, qualname)) => {
                if !qualname.holds::<Str>() {
                    let message = format!("type __qualname__ must be a str, not {}", self.type_name(&qualname));
                    return Err(self.type_error(message));
                }
                qualname
            }
            None => name.clone(),
        };
        let parts = TypeParts {
            flags,
            extra_words,
            layout,
            name: name.clone(),
            qualname,
            base: Some(base.clone()),
            bases,
            dict: dict.clone(),
            fixed_slots,
            spec: None,
        };
        let class: Ref<Type> = self.alloc_for(&metaclass, Type::new(parts));
        let class_value: Value = (*class).clone();

        let cell_name = self.name(Name::ClassCell);
        let cell = self.dict_remove(&dict, &cell_name)?.map(|(_, cell)| cell);
        self.complete_functions(&dict)?;
        for (place, member) in members.iter().enumerate() {
            let descriptor = Member { name: member.clone(), owner: class_value.clone(), index: first_member + place as u16 };
            let descriptor = self.alloc(TypeId::MemberDescriptor, descriptor).into_value();
            self.dict_set(&dict, member, descriptor)?;
        }
        if wants_dict && !any_dict {
            let descriptor = self.dict_descriptor(&class_value);
            self.set_unless_there(&dict, "__dict__", descriptor)?;
        }
        if wants_weakrefs && !self.any_base_has_weakrefs(&base_values) {
            let descriptor = self.weakref_descriptor(&class_value);
            self.set_unless_there(&dict, "__weakref__", descriptor)?;
        }
        self.complete_doc_and_hash(&dict)?;
        if let Some(cell) = cell {
            self.fill_class_cell(&cell, &class_value)?;
        }

        // The MRO, by the metaclass's own `mro` if it has one.
        class.get_mut(self).mro = vec![class.clone()];
        let mro = self.compute_mro(&class, &metaclass, &base_values)?;
        // What patterns take instances for is said by the first base that says it.
        let kinds = mro.iter().skip(1).map(|base| base.get(self).flags() & (MATCH_SEQUENCE | MATCH_MAPPING)).find(|kinds| *kinds != 0).unwrap_or(0);
        let payload = class.get_mut(self);
        payload.mro = mro;
        payload.set_flag(kinds, true);
        self.class_changed(&class);
        slot_wrapper::update_slots(self, &class);
        self.size_instances(&class)?;
        for base in &base_values {
            if let Some(base) = base.downcast::<Type>() {
                let base = base.clone();
                self.add_subclass(&base, &class);
            }
        }
        self.call_set_names(&class)?;
        self.call_init_subclass(&class, keywords)?;
        Ok(class_value)
    }

    /// What a class's `__slots__` ask for, beside `bases`, of which `base` says how instances are laid out; without `__slots__`, a `__dict__` and weak
    /// references. `any_dict`: some base's instances have a `__dict__`.
    fn declared_slots(&mut self, name: &Value, base: &Ref<Type>, bases: &[Value], any_dict: bool, dict: &Ref<Dict>) -> Result<DeclaredSlots> {
        let slots_name = self.name(Name::Slots);
        let own_slots = self.dict_get(dict, &slots_name)?;
        let (mut wants_dict, mut wants_weakrefs) = (own_slots.is_none(), own_slots.is_none());
        if base.get(self).has(IS_METACLASS) {
            // Classes have a `__dict__` and weak references of their own kind.
            (wants_dict, wants_weakrefs) = (false, false);
        }
        let mut members: Vec<Value> = Vec::new();
        if let Some(slots) = &own_slots {
            let names = if slots.holds::<Str>() { vec![slots.clone()] } else { self.collect(slots)? };
            if !names.is_empty() && matches!(base.get(self).layout, Layout::Int | Layout::Tuple | Layout::Bytes | Layout::Type) {
                let message = format!("nonempty __slots__ not supported for subtype of '{}'", self.class_name(base));
                return Err(self.type_error(message));
            }
            for slot in names {
                let Some(text) = self.text_of(&slot).map(ToString::to_string) else {
                    let message = format!("__slots__ items must be strings, not '{}'", self.type_name(&slot));
                    return Err(self.type_error(message));
                };
                if !crate::text::is_identifier(&crate::text::Text::from(text.as_str())) {
                    return Err(self.type_error("__slots__ must be identifiers"));
                }
                match text.as_str() {
                    "__dict__" if wants_dict || any_dict => {
                        return Err(self.type_error("__dict__ slot disallowed: we already got one"));
                    }
                    "__dict__" => wants_dict = true,
                    "__weakref__" if wants_weakrefs || self.any_base_has_weakrefs(bases) => {
                        return Err(self.type_error("__weakref__ slot disallowed: we already got one"));
                    }
                    "__weakref__" => wants_weakrefs = true,
                    _ => {
                        let class_name = self.text_of(name).map(ToString::to_string).unwrap_or_default();
                        let slot = self.intern(&mangle(&class_name, &text));
                        // These two entries are taken out of the namespace below.
                        let is_taken = matches!(text.as_str(), "__qualname__" | "__classcell__");
                        if !is_taken && self.dict_get(dict, &slot)?.is_some() {
                            let message = format!("'{text}' in __slots__ conflicts with class variable");
                            return Err(self.value_error(message));
                        }
                        members.push(slot);
                    }
                }
            }
        }
        // Classes with the same slots have the same layout, whatever their order.
        members.sort_by_key(|slot| self.text_of(slot).map(ToString::to_string));
        Ok(DeclaredSlots { members, wants_dict, wants_weakrefs })
    }

    /// A class's `__module__`, and the functions in its namespace that are methods of the class without saying so.
    fn complete_functions(&mut self, dict: &Ref<Dict>) -> Result<()> {
        let module_name = self.name(Name::Module);
        if self.dict_get(dict, &module_name)?.is_none() {
            if let Some(module) = self.caller_module_name()? {
                self.dict_set(dict, &module_name, module)?;
            }
        }
        let new_name = self.name(Name::New);
        if let Some(function) = self.dict_get(dict, &new_name)? {
            if function.holds::<Function>() {
                let function = crate::object::types::descriptor::new_staticmethod(self, function);
                self.dict_set(dict, &new_name, function)?;
            }
        }
        for special in [Name::InitSubclass, Name::ClassGetItem] {
            let special = self.name(special);
            if let Some(function) = self.dict_get(dict, &special)? {
                if function.holds::<Function>() {
                    let function = crate::object::types::descriptor::new_classmethod(self, function);
                    self.dict_set(dict, &special, function)?;
                }
            }
        }
        Ok(())
    }

    /// Classes have a `__doc__` always, and no `__hash__` when they have an `__eq__` alone.
    fn complete_doc_and_hash(&mut self, dict: &Ref<Dict>) -> Result<()> {
        let doc = self.name(Name::Doc);
        match self.dict_get(dict, &doc)? {
            None => self.dict_set(dict, &doc, Value::NONE)?,
            Some(text) if text.holds::<Str>() => drop(self.expect_string(&text, "__doc__")?),
            Some(_) => {}
        }
        let eq_name = self.name(Name::Eq);
        if self.dict_get(dict, &eq_name)?.is_some() {
            self.set_unless_there(dict, "__hash__", Value::NONE)?;
        }
        Ok(())
    }

    /// `__class__` of the class's methods, from now on.
    fn fill_class_cell(&mut self, cell: &Value, class: &Value) -> Result<()> {
        match cell.downcast::<CellPayload>() {
            Some(cell) => {
                let old = std::mem::replace(&mut cell.get_mut(self).content, class.clone());
                drop(old);
            }
            None => {
                let message = format!("type.__new__(): __classcell__ must be a nonlocal cell, not <class '{}'>", self.type_name(&cell));
                return Err(self.type_error(message));
            }
        }
        Ok(())
    }

    /// An entry of a class's namespace that the class statement may have made itself.
    fn set_unless_there(&mut self, dict: &Ref<Dict>, name: &str, value: Value) -> Result<()> {
        let name = self.intern(name);
        if self.dict_get(dict, &name)?.is_none() {
            self.dict_set(dict, &name, value)?;
        }
        Ok(())
    }

    fn any_base_has_weakrefs(&self, bases: &[Value]) -> bool {
        bases.iter().any(|base| base.downcast::<Type>().is_some_and(|base| base.get(self).has(HAS_WEAKREFS)))
    }

    /// The MRO that the metaclass gives, which may have a `mro` of its own.
    pub(crate) fn compute_mro(&mut self, class: &Ref<Type>, metaclass: &Ref<Type>, bases: &[Value]) -> Result<Vec<Ref<Type>>> {
        if !metaclass.is(self.state().builtin(TypeId::Type)) {
            let name = self.name(Name::Mro);
            let own = self.type_lookup(metaclass, &name);
            let native = self.builtin(TypeId::Type);
            let default = self.type_lookup(&native, &name);
            let is_own = match (&own, &default) {
                (Some(own), Some(default)) => !own.is(default),
                _ => false,
            };
            if is_own {
                if let Some(result) = self.call_special_value(class, &name, &[])? {
                    let mut mro = Vec::new();
                    for item in self.collect(&result)? {
                        match item.into_ref::<Type>() {
                            Ok(item) if self.fits_below(class, &item) => mro.push(item),
                            Ok(item) => {
                                let message = format!("mro() returned base with unsuitable layout ('{}')", self.class_name(&item));
                                return Err(self.type_error(message));
                            }
                            Err(item) => {
                                let message = format!("mro() returned a non-class ('{}')", self.type_name(&item));
                                return Err(self.type_error(message));
                            }
                        }
                    }
                    return Ok(mro);
                }
            }
        }
        self.linearize(class, bases)
    }

    /// Whether instances of `class` are laid out as the methods of `base` expect.
    fn fits_below(&self, class: &Ref<Type>, base: &Ref<Type>) -> bool {
        let (own, other) = (class.get(self), base.get(self));
        if other.layout != Layout::Instance {
            return own.layout == other.layout;
        }
        // The class that gave `base` its slots has to be on the way from `class` to `object`.
        let mut solid = base.clone();
        while let Some(next) = solid.get(self).base.clone().filter(|next| next.get(self).fixed_slots == other.fixed_slots) {
            solid = next;
        }
        let mut next = Some(class.clone());
        while let Some(class) = next {
            if other.fixed_slots == 0 || class.is(&solid) {
                return true;
            }
            next = class.get(self).base.clone();
        }
        false
    }

    /// The slots that the class and its bases have, by their places.
    fn slot_names(&self, class: &Ref<Type>) -> Vec<(u16, Value)> {
        let mut names = Vec::new();
        let mut next = Some(class.clone());
        while let Some(class) = next {
            for (_, item) in class.get(self).dict_as_is().get(self).items() {
                if let Some(member) = item.downcast::<Member>().filter(|member| member.get(self).owner.is(&class)) {
                    names.push((member.get(self).index, member.get(self).name.clone()));
                }
            }
            next = class.get(self).base.clone();
        }
        names.sort_by_key(|(place, _)| *place);
        names
    }

    /// How many slots a fresh instance gets: as many as the class and its bases assign to `self`.
    fn size_instances(&mut self, class: &Ref<Type>) -> Result<()> {
        if class.get(self).layout != Layout::Instance {
            return Ok(());
        }
        let name = self.name(Name::StaticAttributes);
        let mut names: Vec<Value> = Vec::new();
        if class.get(self).has(HAS_DICT) {
            for base in class.get(self).mro.clone() {
                let dict = self.class_dict(&base);
                if let Some(attributes) = self.dict_get(&dict, &name)? {
                    for attribute in self.tuple_items(&attributes) {
                        if !names.iter().any(|known| known.is(&attribute)) {
                            names.push(attribute);
                        }
                    }
                }
            }
        }
        let payload = class.get(self);
        let capacity = payload.fixed_slots + (names.len() as u16).min(30);
        payload.instance_capacity.set(capacity);
        Ok(())
    }

    fn call_set_names(&mut self, class: &Ref<Type>) -> Result<()> {
        let dict = self.class_dict(class);
        let items: Vec<(Value, Value)> = dict.get(self).items().map(|(key, value)| (key.clone(), value.clone())).collect();
        let set_name = self.name(Name::SetName);
        for (key, value) in items {
            let value_type = self.type_of(&value);
            if self.type_lookup(&value_type, &set_name).is_none() {
                continue;
            }
            if let Err(raised) = self.call_special_value(&value, &set_name, &[(**class).clone(), key.clone()]) {
                let key = self.repr_text(&key)?;
                let note = format!("Error calling __set_name__ on '{}' instance {key} in '{}'", self.type_name(&value), self.class_name(class));
                self.add_note_to_raised(&note);
                return Err(raised);
            }
        }
        Ok(())
    }

    /// Adds a note to the exception that was raised.
    pub(crate) fn add_note_to_raised(&mut self, note: &str) {
        if let Some(exception) = self.raised.take() {
            let note = self.new_str(note);
            let _ = self.call_method(&exception, "add_note", &[note]);
            self.raised = Some(exception);
        }
    }

    fn call_init_subclass(&mut self, class: &Ref<Type>, keywords: CallArgs<'_>) -> Result<()> {
        let class_value: Value = (**class).clone();
        let name = self.name(Name::InitSubclass);
        crate::object::types::descriptor_methods::super_check(self, class, &class_value)?;
        let found = crate::object::types::descriptor_methods::super_find(self, &class_value, &class_value, class, &name)?;
        let function = match found {
            Some(function) => function,
            // A metaclass's `mro` may leave nothing behind the class.
            None => {
                let object = self.builtin(TypeId::Object).into_value();
                self.get_attr(&object, &name)?
            }
        };
        self.call_args(&function, keywords)?;
        Ok(())
    }

    /// After a special method of a class changed: its slots, and those of its subclasses.
    pub(crate) fn update_slots_below(&mut self, class: &Ref<Type>) {
        if class.get(self).has(HEAP_TYPE) {
            slot_wrapper::update_slots(self, class);
        }
        for subclass in self.live_subclasses(class) {
            self.update_slots_below(&subclass);
        }
    }

    /// The direct subclasses that still exist.
    pub(crate) fn live_subclasses(&mut self, class: &Ref<Type>) -> Vec<Ref<Type>> {
        let known = class.get(self).subclasses.clone();
        let mut seen = rustc_hash::FxHashSet::default();
        let mut live = Vec::new();
        // From the end: where a class has the address of one that is gone, the later entry is its own.
        for header in known.iter().rev().filter_map(|word| word.pointer().and_then(std::ptr::NonNull::new)) {
            if seen.insert(header)
                && let Some(subclass) = crate::object::heap::live_type(header)
                && subclass.get(self).bases.downcast::<Tuple>().is_some_and(|bases| bases.get(self).items().iter().any(|base| base.is(class)))
            {
                live.push(subclass);
            }
        }
        live.reverse();
        class.get_mut(self).subclasses = live.iter().map(|subclass| subclass.word()).collect();
        live
    }

    /// Notes that `class` has `base` among its bases. Those that are gone are forgotten now and then.
    pub(crate) fn add_subclass(&mut self, base: &Ref<Type>, class: &Ref<Type>) {
        let n_known = base.get(self).subclasses.len();
        if n_known >= 64 && n_known.is_power_of_two() {
            self.live_subclasses(base);
        }
        base.get_mut(self).subclasses.push(class.word());
    }

    /// Whether an object's class may become `class`: both plain and of one layout.
    pub(crate) fn same_layout(&self, old: &Ref<Type>, new: &Ref<Type>) -> bool {
        let (old_slots, new_slots) = (self.slot_names(old), self.slot_names(new));
        let same_names = |(old, new): (&(u16, Value), &(u16, Value))| old.0 == new.0 && old.1.is(&new.1);
        if old_slots.len() != new_slots.len() || !old_slots.iter().zip(&new_slots).all(same_names) {
            return false;
        }
        let (old, new) = (old.get(self), new.get(self));
        old.layout == new.layout
            && old.fixed_slots == new.fixed_slots
            && old.extra_words() == new.extra_words()
            && old.flags() & (HAS_DICT | HAS_WEAKREFS) == new.flags() & (HAS_DICT | HAS_WEAKREFS)
    }

    /// Changes an object's class, after `same_layout`.
    pub(crate) fn change_class(&mut self, object: &Value, class: &Ref<Type>) -> Result<()> {
        if let Some(instance) = object.downcast::<crate::object::instance::Instance>() {
            // The shape belongs to the old class.
            self.instance_dict(object)?;
            instance.get_mut(self).shape = crate::object::instance::DICT_MODE;
        }
        crate::object::heap::set_type(object, class);
        Ok(())
    }

    /// An empty table of slots, for types that are filled later.
    pub(crate) fn no_slots() -> Slots {
        Slots::NONE
    }
}

/// The slots that the type's own spec gives it.
fn own_slots(spec: &'static TypeSpec) -> Slots {
    let mut slots = spec.slots;
    if spec.new.is_some() {
        slots.new = Some(native_new);
    }
    slots
}

/// Whether instances of a native type keep their dict in the word behind their payload.
pub(super) fn keeps_dict_behind(flags: u32, layout: Layout) -> bool {
    flags & HAS_DICT != 0 && layout != Layout::Instance && !own_namespace(layout)
}

/// Payloads that carry their namespace themselves.
fn own_namespace(layout: Layout) -> bool {
    matches!(layout, Layout::Module | Layout::Type)
}

/// `__name` inside `class Class` is `_Class__name`.
pub(crate) fn mangle(class: &str, name: &str) -> String {
    let stripped = class.trim_start_matches('_');
    if !name.starts_with("__") || name.ends_with("__") || name.contains('.') || stripped.is_empty() {
        return name.to_owned();
    }
    format!("_{stripped}{name}")
}
