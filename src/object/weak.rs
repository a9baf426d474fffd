//! Who refers weakly to whom: the heap's table from an object's address to its weak references.
//!
//! - **W1** A `WeakRef` whose `target` is set is in the table of the target's heap, and the target's header has `HAS_WEAKREFS`.
//! - **W2** A target with `HAS_WEAKREFS` is never freed before [`take_all`] emptied its row, so a set `target` points to an intact object,
//!   which is dead already when its count is zero.
#![allow(unsafe_code, reason = "targets are pointers without a count; see W1 and W2")]

use std::collections::HashMap;
use std::ptr::NonNull;

use super::heap::{Header, Object, flag, heap_of};
use super::types::weakref::WeakRef;
use super::value::{Ref, Value};
use super::word::Word;

/// Weak references by the address of what they refer to, the oldest first. Neither side is counted.
#[derive(Default)]
pub(crate) struct WeakTable {
    rows: HashMap<usize, Row, foldhash::fast::FixedState>,
}

/// The weak references to one object. Each knows its place, so that it goes without a search.
#[derive(Default)]
struct Row {
    entries: Vec<Option<NonNull<Header>>>,
    n_living: usize,
}

impl Row {
    /// # Safety
    /// What is in the row is intact.
    unsafe fn push(&mut self, entry: NonNull<Header>) {
        if self.entries.len() == self.entries.capacity() && self.n_living * 2 <= self.entries.len() {
            self.entries.retain(Option::is_some);
            for (place, entry) in self.entries.iter().enumerate() {
                // SAFETY: the caller's promise.
                entry.iter().for_each(|entry| unsafe { (*entry.as_ptr().cast::<Object<WeakRef>>()).payload.place.set(place) });
            }
        }
        // SAFETY: the caller's promise.
        unsafe { (*entry.as_ptr().cast::<Object<WeakRef>>()).payload.place.set(self.entries.len()) };
        self.entries.push(Some(entry));
        self.n_living += 1;
    }
}

/// Enters `reference` for `target`, which lives; its heap tells the target's end through [`take_all`].
pub(crate) fn register(reference: &Ref<WeakRef>, target: &Value) {
    let (Some(header), Some(own)) = (target.word().pointer(), reference.word().pointer()) else { return };
    // SAFETY: both live, since there are values of them.
    unsafe {
        (*reference.as_ptr()).target.set(Some(target.word()));
        (*header).set_flag(flag::HAS_WEAKREFS);
        (*heap_of(header)).weak.borrow_mut().rows.entry(header as usize).or_default().push(NonNull::new_unchecked(own));
    }
}

/// Takes a reference that goes, or lets go, out of the table.
pub(crate) fn unregister(reference: &WeakRef) {
    let Some(target) = reference.target.take() else { return };
    let Some(header) = target.pointer() else { return };
    // SAFETY: the target is intact (W2).
    unsafe {
        let mut table = (*heap_of(header)).weak.borrow_mut();
        if let Some(row) = table.rows.get_mut(&(header as usize)) {
            row.entries[reference.place.get()] = None;
            row.n_living -= 1;
            if row.n_living == 0 {
                table.rows.remove(&(header as usize));
                (*header).clear_flag(flag::HAS_WEAKREFS);
            }
        }
    }
}

/// Clears all weak references to `header`; gives those that live, the newest first: their callbacks are to be called in this order.
pub(crate) fn take_all(header: NonNull<Header>) -> Vec<Ref<WeakRef>> {
    // SAFETY: the caller's object is intact.
    let row = unsafe {
        header.as_ref().clear_flag(flag::HAS_WEAKREFS);
        (*heap_of(header.as_ptr())).weak.borrow_mut().rows.remove(&(header.as_ptr() as usize))
    };
    let mut living = Vec::new();
    for entry in row.unwrap_or_default().entries.into_iter().rev().flatten() {
        // SAFETY: what is in the table is intact (it leaves the table when it goes); one with a count of zero must not be revived.
        unsafe {
            (*entry.as_ptr().cast::<Object<WeakRef>>()).payload.target.set(None);
            if entry.as_ref().count() > 0 {
                living.push(Ref::from_owned(Value::from_borrowed(Word::from_pointer(entry)).into_word()));
            }
        }
    }
    living
}

/// What `reference` refers to; `None` when it is gone, or about to go.
pub(crate) fn target(reference: &WeakRef) -> Option<Value> {
    let word = reference.target.get()?;
    let header = word.pointer()?;
    // SAFETY: intact (W2), and alive when counted.
    unsafe { if (*header).count() == 0 { None } else { Some(Value::from_borrowed(word)) } }
}

/// The living weak references to `target`, the oldest first.
pub(crate) fn references(target: &Value) -> Vec<Ref<WeakRef>> {
    let Some(header) = target.word().pointer() else { return Vec::new() };
    let mut living = Vec::new();
    // SAFETY: the target lives; entries are intact and retained only when counted.
    unsafe {
        for entry in (*heap_of(header)).weak.borrow().rows.get(&(header as usize)).into_iter().flat_map(|row| &row.entries).flatten() {
            if entry.as_ref().count() > 0 {
                living.push(Ref::from_owned(Value::from_borrowed(Word::from_pointer(*entry)).into_word()));
            }
        }
    }
    living
}
