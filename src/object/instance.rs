//! Plain instances: objects of classes that derive from nothing but `object`. Their attributes live in slots that a shape names, or, once there
//! are too many or somebody looks at `__dict__`, in a dict.
#![allow(unsafe_code, reason = "the slots lie behind the payload: `slots` and `slots_mut` compute their place from the capacity fixed at allocation")]

use super::heap::{Header, Object, release};
use super::layout::{Layout, Payload};
use super::value::Value;
use super::word::Word;

/// The shape of an instance whose attributes are in a dict.
pub(crate) const DICT_MODE: u32 = 0;

/// What an instance holds before its slots.
#[repr(C)]
pub(crate) struct Instance {
    /// Which attribute is in which slot; [`DICT_MODE`] when they are in `dict`.
    pub(crate) shape: u32,
    capacity: u16,
    serial: u16,
    /// The attributes in dict mode, else unbound.
    pub(crate) dict: Option<Value>,
}

impl Instance {
    pub(super) fn new(shape: u32, capacity: u16, serial: u16) -> Self {
        Self { shape, capacity, serial, dict: None }
    }

    /// Counts on from instance to instance, and wraps around.
    pub(super) fn serial(&self) -> u16 {
        self.serial
    }

    /// How many slots there are.
    pub(crate) fn capacity(&self) -> u16 {
        self.capacity
    }

    /// The slots.
    #[inline(always)]
    pub(crate) fn slots(&self) -> &[Word] {
        // SAFETY: an `Instance` exists only inside an `Object<Instance>` with `capacity` words behind it.
        unsafe { std::slice::from_raw_parts(std::ptr::from_ref(self).add(1).cast::<Word>(), usize::from(self.capacity)) }
    }

    /// The slots; who replaces a word takes over its count.
    #[inline(always)]
    pub(crate) fn slots_mut(&mut self) -> &mut [Word] {
        // SAFETY: as above, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(std::ptr::from_mut(self).add(1).cast::<Word>(), usize::from(self.capacity)) }
    }
}

impl Payload for Instance {
    const LAYOUT: Layout = Layout::Instance;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        if let Some(dict) = &self.dict {
            visit(dict.word());
        }
        for word in self.slots() {
            visit(*word);
        }
    }
    fn clear(&mut self) {
        self.dict = None;
        for index in 0..usize::from(self.capacity) {
            let word = std::mem::replace(&mut self.slots_mut()[index], Word::UNBOUND);
            release(word);
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        for index in 0..usize::from(self.capacity) {
            let word = std::mem::replace(&mut self.slots_mut()[index], Word::UNBOUND);
            release(word);
        }
    }
}

const _: () = assert!(size_of::<Object<Instance>>() == size_of::<Header>() + 16);
