//! Making objects.
#![allow(unsafe_code, reason = "turns freshly allocated cells into owned references")]

use std::ptr::NonNull;

use smallvec::SmallVec;

use super::state::{INTERN_CACHE, Name, SYMBOLS_PER_ROW};
use super::vm::{Result, Vm};
use crate::code::symbol::Symbol;
use crate::number::Int;
use crate::object::heap::{Header, Object, allocate_instance};
use crate::object::layout::Payload;
use crate::object::native::{Native, NativeCode, NativeFunction, NativeKind};
use crate::object::type_object::{HAS_DICT, HEAP_TYPE, Type};
use crate::object::types::TypeId;
use crate::object::types::bytes::Bytes;
use crate::object::types::complex::ComplexPayload;
use crate::object::types::dict::Dict;
use crate::object::types::float::FloatPayload;
use crate::object::types::function::{BoundMethod, CellPayload};
use crate::object::types::int::IntPayload;
use crate::object::types::list::List;
use crate::object::types::module::Module;
use crate::object::types::set::Set;
use crate::object::types::slice::Slice;
use crate::object::types::str::Str;
use crate::object::types::tuple::Tuple;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::text::Text;

#[inline(always)]
fn adopt<T: Payload>(header: NonNull<Header>) -> Ref<T> {
    // SAFETY: fresh from the allocator, with a count of one that is ours and the layout of `T`.
    unsafe { Ref::from_owned(Word::from_pointer(header)) }
}

/// Where the interned string of a text of the library is kept: the row, and the place in it.
fn symbol_place(number: u32) -> (usize, usize) {
    (number as usize / SYMBOLS_PER_ROW, number as usize % SYMBOLS_PER_ROW)
}

impl Vm {
    /// An instance of a built-in type.
    #[inline]
    pub(crate) fn alloc<T: Payload>(&self, kind: TypeId, payload: T) -> Ref<T> {
        let class = self.state().builtin(kind);
        let extra = class.get(self).extra_words();
        adopt(self.heap().allocate(class.word().bits() as *mut Object<Type>, payload, extra))
    }

    /// `alloc` for the types made most often, whose instances have no words behind the payload: in the caller's code.
    #[inline(always)]
    fn alloc_here<T: Payload>(&self, kind: TypeId, payload: T) -> Ref<T> {
        let class = self.state().builtin(kind);
        debug_assert_eq!(class.get(self).extra_words(), 0);
        adopt(self.heap().allocate_here(class.word().bits() as *mut Object<Type>, payload, 0))
    }

    /// An instance of `class`, whose payload is `T`: of a built-in type, an exception class or a subclass.
    pub(crate) fn alloc_for<T: Payload>(&self, class: &Ref<Type>, payload: T) -> Ref<T> {
        let extra = class.get(self).extra_words();
        let pointer = class.word().bits() as *mut Object<Type>;
        if class.get(self).has(HEAP_TYPE) {
            std::mem::forget(class.clone());
        }
        adopt(self.heap().allocate(pointer, payload, extra))
    }

    /// A plain instance of `class` without attributes.
    #[inline]
    pub(crate) fn alloc_instance(&mut self, class: &Ref<Type>) -> Value {
        let payload = class.get(self);
        let capacity = payload.instance_capacity.get();
        let shape = payload.root_shape;
        let shape = if shape == 0 && (payload.has(HAS_DICT) || payload.fixed_slots != 0) { self.make_root_shape(class) } else { shape };
        let pointer = class.word().bits() as *mut Object<Type>;
        let header = allocate_instance(self.heap(), pointer, shape, capacity);
        // SAFETY: fresh, with a count of one that is ours.
        unsafe { Value::from_owned(Word::from_pointer(header)) }
    }

    #[cold]
    fn make_root_shape(&mut self, class: &Ref<Type>) -> u32 {
        let fixed = class.get(self).fixed_slots;
        let shape = self.state_mut().shapes.new_root(fixed);
        class.get_mut(self).root_shape = shape;
        shape
    }

    /// An integer of 64 bits.
    #[inline]
    pub(crate) fn new_int(&self, value: i64) -> Value {
        match Value::from_small(value) {
            Some(small) => small,
            None => self.alloc(TypeId::Int, IntPayload { value: Int::from(value) }).into_value(),
        }
    }

    /// An integer of any size.
    #[inline]
    pub(crate) fn new_big(&self, value: Int) -> Value {
        if let Int::Small(small) = value {
            return self.new_int(small);
        }
        self.alloc(TypeId::Int, IntPayload { value }).into_value()
    }

    /// A float.
    #[inline]
    pub(crate) fn new_float(&self, value: f64) -> Value {
        match Word::from_float(value) {
            // SAFETY: not a pointer.
            Some(word) => unsafe { Value::from_owned(word) },
            None => self.alloc(TypeId::Float, FloatPayload { value }).into_value(),
        }
    }

    /// A complex number.
    pub(crate) fn new_complex(&self, real: f64, imag: f64) -> Value {
        self.alloc(TypeId::Complex, ComplexPayload { real, imag }).into_value()
    }

    /// A string.
    #[inline]
    pub(crate) fn new_str(&self, text: impl Into<Text>) -> Value {
        let text = text.into();
        match text.len() {
            0 => self.state().empty_str.clone(),
            1 if text.is_ascii() => self.new_char(text.get(0)),
            _ => self.alloc_here(TypeId::Str, Str::new(text)).into_value(),
        }
    }

    /// The string of one code point.
    #[inline]
    pub(crate) fn new_char(&self, code: u32) -> Value {
        match self.state().characters.get(code as usize) {
            Some(known) => known.get_or_init(|| self.intern_text(Text::from_code(code))).clone(),
            None => self.alloc(TypeId::Str, Str::new(Text::from_code(code))).into_value(),
        }
    }

    /// A small integer in decimal digits.
    pub(crate) fn small_str(&self, value: i64) -> Value {
        if (0..10).contains(&value) {
            return self.new_char(u32::from(b'0') + value as u32);
        }
        self.alloc_here(TypeId::Str, Str::new(Text::from_decimal(value))).into_value()
    }

    /// The interned string of this text.
    pub(crate) fn intern(&self, text: &str) -> Value {
        // Most texts are the program's own, so the address tells which one it is; the characters tell whether it still is that.
        let place = (text.as_ptr() as usize ^ text.as_ptr() as usize >> 8 ^ text.len() << 3) % INTERN_CACHE;
        if let Some(known) = self.state().intern_cache.borrow().get(place) {
            if self.text_of(known).and_then(Text::as_ascii).is_some_and(|known| known == text) {
                return known.clone();
            }
        }
        let string = self.intern_text(Text::from(text));
        let old = self.state().intern_cache.borrow_mut().get_mut(place).map(|entry| std::mem::replace(entry, string.clone()));
        drop(old);
        string
    }

    /// The interned string of a unit's text. Those of the library are kept by their numbers: a module has few that no other one has.
    pub(crate) fn intern_symbol(&self, symbol: &Symbol) -> Value {
        let Symbol::Library(number) = *symbol else { return self.intern(symbol) };
        if let Some(known) = self.known_symbol(number) {
            return known;
        }
        let string = self.intern_text(Text::from(&**symbol));
        let (row, place) = symbol_place(number);
        let mut rows = self.state().library_names.borrow_mut();
        if rows.len() <= row {
            rows.resize_with(row + 1, || None);
        }
        rows[row].get_or_insert_with(|| Box::new([const { Value::UNBOUND }; SYMBOLS_PER_ROW]))[place] = string.clone();
        string
    }

    /// The interned string of a text of the library, if there is one already.
    #[inline]
    pub(crate) fn known_symbol(&self, number: u32) -> Option<Value> {
        let (row, place) = symbol_place(number);
        let rows = self.state().library_names.borrow();
        let known = &rows.get(row)?.as_ref()?[place];
        (!known.is_unbound()).then(|| known.clone())
    }

    /// The interned string of this text.
    pub(crate) fn intern_text(&self, text: Text) -> Value {
        let hash = text.hash(self.state().hash_seed) as u64;
        if let Some(known) = self.heap().interned.borrow().find(hash, &text) {
            return known;
        }
        let string = self.alloc(TypeId::Str, Str::new(text));
        string.get(self).hash(self.state().hash_seed);
        self.heap().interned.borrow_mut().insert(hash, &string);
        string.into_value()
    }

    /// The interned string equal to an exact `str`; other values as they are.
    pub(crate) fn intern_value(&self, value: &Value) -> Value {
        if crate::object::intern::is_interned(value) {
            return value.clone();
        }
        let Some(string) = value.downcast::<Str>() else { return value.clone() };
        if !self.is_exact(value, TypeId::Str) {
            return value.clone();
        }
        let hash = string.get(self).hash(self.state().hash_seed) as u64;
        if let Some(known) = self.heap().interned.borrow().find(hash, &string.get(self).text) {
            return known;
        }
        self.heap().interned.borrow_mut().insert(hash, value);
        value.clone()
    }

    /// One of the names the VM knows.
    #[inline(always)]
    pub(crate) fn name(&self, name: Name) -> Value {
        self.state().name(name).clone()
    }

    /// A `bytes`.
    pub(crate) fn new_bytes(&self, data: impl Into<Box<[u8]>>) -> Value {
        let data = data.into();
        if data.is_empty() {
            return self.state().empty_bytes.clone();
        }
        self.alloc(TypeId::Bytes, Bytes { data }).into_value()
    }

    /// A `bytearray`.
    pub(crate) fn new_bytearray(&self, data: Vec<u8>) -> Value {
        self.alloc(TypeId::ByteArray, crate::object::types::bytearray::ByteArray { data: data.into(), exports: std::rc::Rc::default() }).into_value()
    }

    /// A list.
    #[inline]
    pub(crate) fn new_list(&self, items: Vec<Value>) -> Value {
        self.alloc(TypeId::List, List { items }).into_value()
    }

    /// A tuple.
    #[inline]
    pub(crate) fn new_tuple(&self, items: impl Into<SmallVec<[Value; 3]>>) -> Value {
        let items = items.into();
        if items.is_empty() {
            return self.state().empty_tuple.clone();
        }
        self.alloc_here(TypeId::Tuple, Tuple::new(items)).into_value()
    }

    /// A tuple of two items.
    #[inline]
    pub(crate) fn new_pair(&self, first: Value, second: Value) -> Value {
        let items: SmallVec<[Value; 3]> = smallvec::smallvec![first, second];
        self.new_tuple(items)
    }

    /// The empty tuple.
    pub(crate) fn empty_tuple(&self) -> Value {
        self.state().empty_tuple.clone()
    }

    /// The empty string.
    pub(crate) fn empty_str(&self) -> Value {
        self.state().empty_str.clone()
    }

    /// An empty dict.
    #[inline]
    pub(crate) fn new_dict(&self) -> Ref<Dict> {
        self.alloc(TypeId::Dict, Dict::default())
    }

    /// An empty set.
    pub(crate) fn new_set(&self) -> Ref<Set> {
        self.alloc(TypeId::Set, Set::new())
    }

    /// An empty frozenset, to be filled before anybody sees it.
    pub(crate) fn new_frozenset(&self) -> Ref<Set> {
        self.alloc(TypeId::FrozenSet, Set::new())
    }

    /// A slice.
    pub(crate) fn new_slice(&self, start: Value, stop: Value, step: Value) -> Value {
        self.alloc(TypeId::Slice, Slice { start, stop, step }).into_value()
    }

    /// A cell.
    #[inline]
    pub(crate) fn new_cell(&self, content: Value) -> Value {
        self.alloc(TypeId::Cell, CellPayload { content }).into_value()
    }

    /// A method bound to `receiver`.
    #[inline]
    pub(crate) fn new_bound_method(&self, function: Value, receiver: Value) -> Value {
        self.alloc(TypeId::Method, BoundMethod { function, receiver }).into_value()
    }

    /// A native function as an object; `owner` is the module's name.
    pub(crate) fn new_native(&self, native: &'static Native, owner: Value) -> Value {
        let code = NativeCode::Table(native, std::rc::Rc::default());
        self.alloc(TypeId::BuiltinFunction, NativeFunction::new(NativeKind::Function, code, None, owner)).into_value()
    }

    /// An empty module of this name.
    pub(crate) fn new_module(&mut self, name: &str, doc: Value) -> Result<Ref<Module>> {
        let dict = self.new_dict();
        let name = self.intern(name);
        for (key, value) in
            [(Name::Name, name), (Name::Doc, doc), (Name::Package, Value::NONE), (Name::Loader, Value::NONE), (Name::Spec, Value::NONE)]
        {
            let key = self.name(key);
            self.dict_set(&dict, &key, value)?;
        }
        Ok(self.alloc(TypeId::Module, Module::new(dict)))
    }

    /// The `TypeId`'s type.
    #[inline]
    pub(crate) fn builtin(&self, kind: TypeId) -> Ref<Type> {
        self.state().builtin(kind).clone()
    }

    /// The type of a value, borrowed.
    #[inline]
    pub(crate) fn type_ref<'a>(&'a self, value: &'a Value) -> &'a Ref<Type> {
        let word = value.word();
        if let Some(header) = word.pointer() {
            // SAFETY: alive; a type outlives its instances, and the slot in the header is as good as a `Ref` to be borrowed from.
            return unsafe { &*std::ptr::from_ref(&*header).cast::<u8>().add(8).cast::<Ref<Type>>() };
        }
        let kind = if word.is_small() {
            TypeId::Int
        } else if word.is_float() {
            TypeId::Float
        } else {
            match word {
                Word::NONE => TypeId::NoneType,
                Word::TRUE | Word::FALSE => TypeId::Bool,
                Word::NOT_IMPLEMENTED => TypeId::NotImplementedType,
                Word::ELLIPSIS => TypeId::EllipsisType,
                _ => TypeId::Object,
            }
        };
        self.state().builtin(kind)
    }

    /// The type of a value.
    #[inline]
    pub(crate) fn type_of(&self, value: &Value) -> Ref<Type> {
        self.type_ref(value).clone()
    }

    /// The type's payload.
    #[inline]
    pub(crate) fn type_payload<'a>(&'a self, value: &'a Value) -> &'a Type {
        self.type_ref(value).get(self)
    }

    /// The name of a value's type, as messages show it.
    pub(crate) fn type_name(&self, value: &Value) -> String {
        self.class_message_name(self.type_ref(value))
    }

    /// The name of a class as `TypeError`s show it: with the module for the types of Rust's modules.
    pub(crate) fn class_message_name(&self, class: &Ref<Type>) -> String {
        match class.get(self).spec {
            Some(spec) => spec.name.to_owned(),
            None => self.class_name(class),
        }
    }

    /// The name of a class, as messages show it.
    pub(crate) fn class_name(&self, class: &Ref<Type>) -> String {
        self.text_of(&class.get(self).name).map(ToString::to_string).unwrap_or_default()
    }

    /// Whether the value's type is exactly this built-in one.
    #[inline]
    pub(crate) fn is_exact(&self, value: &Value, kind: TypeId) -> bool {
        self.type_ref(value).is(self.state().builtin(kind))
    }

    /// Whether the value is an instance of `class` or of a subclass: by its real type, without hooks.
    #[inline]
    pub(crate) fn is_instance(&self, value: &Value, class: &Ref<Type>) -> bool {
        let own = self.type_ref(value);
        own.is(class) || own.get(self).is_subtype_of(class)
    }

    /// Whether the value is an instance of this built-in type or of a subclass.
    pub(crate) fn is_kind(&self, value: &Value, kind: TypeId) -> bool {
        self.is_instance(value, self.state().builtin(kind))
    }

    /// The text of a `str`.
    #[inline]
    pub(crate) fn text_of<'a>(&'a self, value: &'a Value) -> Option<&'a Text> {
        value.downcast::<Str>().map(|string| &string.get(self).text)
    }

    /// The items of a tuple, cloned.
    pub(crate) fn tuple_items(&self, value: &Value) -> Vec<Value> {
        value.downcast::<Tuple>().map(|tuple| tuple.get(self).items().to_vec()).unwrap_or_default()
    }

    /// A number for caches that compare versions, never used before.
    pub(crate) fn fresh_version(&mut self) -> u32 {
        let state = self.state_mut();
        state.next_version = state.next_version.wrapping_add(1).max(1);
        state.next_version
    }
}
