//! Interned strings: one object for each text that is a name. The table owns no count; a string that dies takes itself out.
#![allow(unsafe_code, reason = "the table holds words it does not own; `forget` runs before an interned string is freed")]

use hashbrown::HashTable;

use super::heap::{Header, Heap, Object, flag};
use super::types::str::Str;
use super::value::Value;
use super::word::Word;
use crate::text::Text;

/// Interned strings by hash.
#[derive(Default)]
pub(crate) struct InternTable {
    table: HashTable<(u64, Word)>,
}

fn str_of(word: Word) -> *const Str {
    let object = word.bits() as *const Object<Str>;
    // SAFETY: words in the table are live strings; only the place is computed.
    unsafe { &raw const (*object).payload }
}

impl InternTable {
    /// The interned string of this text, if there is one.
    pub(crate) fn find(&self, hash: u64, text: &Text) -> Option<Value> {
        // SAFETY: words in the table are live strings (see `forget`).
        let found = self.table.find(hash, |(known, word)| *known == hash && unsafe { &(*str_of(*word)).text } == text)?;
        // SAFETY: as above.
        Some(unsafe { Value::from_borrowed(found.1) })
    }

    /// How many strings are interned.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Makes `string`, whose text is not interned yet, the interned one.
    pub(crate) fn insert(&mut self, hash: u64, string: &Value) {
        let Some(header) = string.word().pointer() else { return };
        // SAFETY: the value owns a count.
        unsafe { (*header).set_flag(flag::INTERNED) };
        self.table.insert_unique(hash, (hash, string.word()), |(hash, _)| *hash);
    }
}

/// Takes a dying interned string out of its table.
///
/// # Safety
/// `header` is an interned string of `heap`.
pub(super) unsafe fn forget(heap: &Heap, header: *mut Header) {
    let Some(pointer) = std::ptr::NonNull::new(header) else { return };
    let word = Word::from_pointer(pointer);
    let mut table = heap.interned.borrow_mut();
    // SAFETY: the string is intact; its hash was computed when it was interned.
    let hash = unsafe { (*str_of(word)).hash(0) } as u64;
    if let Ok(entry) = table.table.find_entry(hash, |(_, known)| *known == word) {
        entry.remove();
    }
}

/// Notes that code reads or writes an attribute of this name.
pub(crate) fn note_site_name(value: &Value) {
    if let Some(header) = value.word().pointer() {
        // SAFETY: the value keeps the string alive.
        unsafe { (*header).set_flag(flag::SITE_NAME) };
    }
}

/// Whether some code reads or writes an attribute of this name, or did.
pub(crate) fn is_site_name(value: &Value) -> bool {
    // SAFETY: as above.
    value.word().pointer().is_none_or(|header| unsafe { (*header).flags() & flag::SITE_NAME != 0 })
}

/// Whether `value` is an interned string.
#[inline]
pub(crate) fn is_interned(value: &Value) -> bool {
    // SAFETY: alive, since the value owns a count.
    value.word().pointer().is_some_and(|header| unsafe { (*header).flags() & flag::INTERNED != 0 })
}
