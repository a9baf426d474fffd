//! Owned values. `Value` is what natives see: one word that owns a count; `Ref<T>` is one that is known to hold the payload `T`.
//!
//! Payloads are reached only through the `Vm`: a `&T` borrows it, so nothing that may run a script (which needs `&mut Vm`) can happen
//! while the reference lives, and a `&mut T` is the only payload reference there is.
#![allow(unsafe_code, reason = "payload access; the argument is H6 in heap.rs and the borrow of the Vm in every signature")]

use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;

use super::heap::{Object, release, retain};
use super::layout::Payload;
use super::word::Word;
use crate::vm::Vm;

/// An owned value. Neither `Send` nor `Sync`: only a thread that holds the interpreter's GIL has one.
#[repr(transparent)]
pub(crate) struct Value {
    word: Word,
    not_send: PhantomData<*mut ()>,
}

const _: () = assert!(size_of::<Option<Value>>() == 8);

impl Value {
    pub(crate) const UNBOUND: Self = Self::constant(Word::UNBOUND);
    pub(crate) const NONE: Self = Self::constant(Word::NONE);
    pub(crate) const TRUE: Self = Self::constant(Word::TRUE);
    pub(crate) const FALSE: Self = Self::constant(Word::FALSE);
    pub(crate) const NOT_IMPLEMENTED: Self = Self::constant(Word::NOT_IMPLEMENTED);
    pub(crate) const ELLIPSIS: Self = Self::constant(Word::ELLIPSIS);

    const fn constant(word: Word) -> Self {
        Self { word, not_send: PhantomData }
    }

    /// The value that owns the count the caller owned in `word`.
    ///
    /// # Safety
    /// The caller owns a count of the object in `word`, if it is one, and gives it up.
    #[inline(always)]
    pub(crate) unsafe fn from_owned(word: Word) -> Self {
        Self { word, not_send: PhantomData }
    }

    /// A new owner of what `word`, owned by somebody else, holds.
    ///
    /// # Safety
    /// The object in `word`, if it is one, lives.
    #[inline(always)]
    pub(crate) unsafe fn from_borrowed(word: Word) -> Self {
        retain(word);
        Self { word, not_send: PhantomData }
    }

    /// The words of a register window, or of a payload, as values that are borrowed from it.
    ///
    /// # Safety
    /// The owner of the words neither changes nor releases them while the slice is used.
    #[inline(always)]
    pub(crate) unsafe fn borrow_slice<'a>(words: *const Word, count: usize) -> &'a [Value] {
        // SAFETY: `Value` is a transparent `Word`; the caller's promise.
        unsafe { std::slice::from_raw_parts(words.cast::<Value>(), count) }
    }

    /// The word, still owned by `self`.
    #[inline(always)]
    pub(crate) fn word(&self) -> Word {
        self.word
    }

    /// The word; its count is the caller's from now on.
    #[inline(always)]
    pub(crate) fn into_word(self) -> Word {
        let word = self.word;
        std::mem::forget(self);
        word
    }

    #[inline(always)]
    pub(crate) fn from_bool(value: bool) -> Self {
        Self::constant(Word::from_bool(value))
    }

    /// A small integer; `None` when it needs the heap (see `Vm::new_int`).
    #[inline(always)]
    pub(crate) fn from_small(value: i64) -> Option<Self> {
        Word::from_small(value).map(Self::constant)
    }

    /// An integer that is known to fit in 63 bits: a length, an index, a character.
    #[inline(always)]
    pub(crate) fn small(value: i64) -> Self {
        Self::constant(Word::small(value))
    }

    #[inline(always)]
    pub(crate) fn is_none(&self) -> bool {
        self.word == Word::NONE
    }
    #[inline(always)]
    pub(crate) fn is_unbound(&self) -> bool {
        self.word == Word::UNBOUND
    }
    #[inline(always)]
    pub(crate) fn is_not_implemented(&self) -> bool {
        self.word == Word::NOT_IMPLEMENTED
    }
    /// Object identity.
    #[inline(always)]
    pub(crate) fn is(&self, other: &Value) -> bool {
        self.word == other.word
    }
    #[inline(always)]
    pub(crate) fn as_small(&self) -> Option<i64> {
        self.word.as_small()
    }
    /// `True` or `False`, as such.
    #[inline(always)]
    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self.word {
            Word::TRUE => Some(true),
            Word::FALSE => Some(false),
            _ => None,
        }
    }

    /// The layout of the heap object; `None` for what is inside the word.
    #[inline(always)]
    pub(crate) fn layout_id(&self) -> Option<u16> {
        // SAFETY: alive, since `self` owns a count (H1).
        self.word.pointer().map(|header| unsafe { (*header).layout_id() })
    }

    /// Whether it is a heap object with the payload `T` (an instance of a subclass included).
    #[inline(always)]
    pub(crate) fn holds<T: Payload>(&self) -> bool {
        self.layout_id() == Some(T::LAYOUT as u16)
    }

    /// As an object with the payload `T` (of a subclass too); `None` when it is none.
    #[inline(always)]
    pub(crate) fn downcast<T: Payload>(&self) -> Option<&Ref<T>> {
        if self.holds::<T>() {
            // SAFETY: `Ref<T>` is a transparent `Value` of which the layout has just been checked.
            Some(unsafe { &*std::ptr::from_ref(self).cast::<Ref<T>>() })
        } else {
            None
        }
    }

    /// `downcast` of an owned value; the value comes back when it is none.
    #[inline(always)]
    pub(crate) fn into_ref<T: Payload>(self) -> Result<Ref<T>, Value> {
        if self.holds::<T>() { Ok(Ref { value: self, payload: PhantomData }) } else { Err(self) }
    }

    /// The address, for `id()` and default `repr`s; for what is inside the word, the word.
    pub(crate) fn address(&self) -> u64 {
        self.word.bits()
    }
}

impl super::heap::Owner for Value {
    fn word(&self) -> Word {
        self.word
    }
}

impl Clone for Value {
    #[inline(always)]
    fn clone(&self) -> Self {
        retain(self.word);
        Self { word: self.word, not_send: PhantomData }
    }
}

impl Drop for Value {
    #[inline(always)]
    fn drop(&mut self) {
        release(self.word);
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.word.fmt(f)
    }
}

/// An owned value with the payload `T`.
#[repr(transparent)]
pub(crate) struct Ref<T: Payload> {
    value: Value,
    payload: PhantomData<*mut T>,
}

impl<T: Payload> Ref<T> {
    /// The object that holds a payload.
    ///
    /// # Safety
    /// `payload` is the payload of a heap object that is alive.
    pub(crate) unsafe fn of_payload(payload: *const T) -> Self {
        // SAFETY: the caller's promise: it stands in a live object of this layout.
        unsafe {
            let object = payload.byte_sub(std::mem::offset_of!(Object<T>, payload)).cast_mut();
            Self { value: Value::from_borrowed(Word::from_pointer(NonNull::new_unchecked(object.cast()))), payload: PhantomData }
        }
    }

    #[inline(always)]
    fn object(&self) -> *mut Object<T> {
        self.value.word.bits() as *mut Object<T>
    }

    /// The payload.
    #[inline(always)]
    pub(crate) fn get<'a>(&'a self, vm: &'a Vm) -> &'a T {
        let _ = vm;
        // SAFETY: alive (H1) and of this layout; no `&mut T` exists while `vm` is borrowed (H6).
        unsafe { &(*self.object()).payload }
    }

    /// The payload, to be changed.
    #[inline(always)]
    pub(crate) fn get_mut<'a>(&'a self, vm: &'a mut Vm) -> &'a mut T {
        let _ = vm;
        // SAFETY: alive (H1) and of this layout; `vm` is borrowed exclusively, so no other reference exists (H6).
        unsafe { &mut (*self.object()).payload }
    }

    /// The payloads of two objects, to be changed; `None` when they are the same object.
    pub(crate) fn get_pair<'a>(&'a self, other: &'a Ref<T>, vm: &'a mut Vm) -> Option<(&'a mut T, &'a mut T)> {
        let _ = vm;
        if self.value.is(&other.value) {
            return None;
        }
        // SAFETY: as in `get_mut`, for two different objects.
        unsafe { Some((&mut (*self.object()).payload, &mut (*other.object()).payload)) }
    }

    /// The payload by a pointer, for the VM core: it may be used only where no other reference to the payload exists.
    #[inline(always)]
    pub(crate) fn as_ptr(&self) -> *mut T {
        // SAFETY: no reference is made, only a place computed inside a live object.
        unsafe { &raw mut (*self.object()).payload }
    }

    /// The value as such.
    #[inline(always)]
    pub(crate) fn into_value(self) -> Value {
        self.value
    }

    /// # Safety
    /// The word is owned by the caller, who gives it up, and its layout is `T`'s.
    #[inline(always)]
    pub(crate) unsafe fn from_owned(word: Word) -> Self {
        // SAFETY: the caller's promise.
        Self { value: unsafe { Value::from_owned(word) }, payload: PhantomData }
    }
}

impl<T: Payload> Clone for Ref<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), payload: PhantomData }
    }
}

impl<T: Payload> Deref for Ref<T> {
    type Target = Value;
    #[inline(always)]
    fn deref(&self) -> &Value {
        &self.value
    }
}

impl<T: Payload> From<Ref<T>> for Value {
    #[inline(always)]
    fn from(reference: Ref<T>) -> Self {
        reference.value
    }
}

impl<T: Payload> std::fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.value.fmt(f)
    }
}
