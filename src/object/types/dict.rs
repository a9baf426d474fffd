//! `dict`: the table. Entries stand in insertion order; beside them lies an index by hash, absent while there are few entries. The methods are in `dict_methods`.
//!
//! Whatever needs a script's `__eq__` is asked by the VM between two looks at the table ([`Dict::probe`] says when), which starts again if the
//! table changed meanwhile.
#![allow(unsafe_code, reason = "two strings are compared through raw payload pointers while the dict itself is borrowed")]

use std::cell::Cell;

use crate::object::account::vec_bytes;
use crate::object::heap::{Owner, are_many, release_many};
use crate::object::layout::{Layout, Payload};
use crate::object::types::str::Str;
use crate::object::types::tuple::Tuple;
use crate::object::value::Value;
use crate::object::word::Word;
use crate::text::pace;
use crate::vm::{Result, Vm};

use super::super::value::Ref;

/// A key and its value; the key is unbound once it has been removed.
pub(crate) struct Entry {
    pub(crate) hash: i64,
    pub(crate) key: Value,
    pub(crate) value: Value,
}

impl Owner for Entry {
    fn word(&self) -> Word {
        // Keys are often what lies in the word itself.
        if self.value.word().pointer().is_some() { self.value.word() } else { self.key.word() }
    }
}

/// A dict.
#[derive(Default)]
pub(crate) struct Dict {
    entries: Vec<Entry>,
    /// Slots by hash: 0 for a free one, else one more than the place of an entry. Empty while there are at most `SMALL` entries.
    index: Vec<u32>,
    /// Entries that have not been removed.
    used: usize,
    /// All entries before this place have been removed.
    first: u32,
    /// Slots of the index that hold `LOST`.
    lost: u32,
    /// `defaultdict`'s factory; nothing else has one.
    pub(crate) default_factory: Option<Value>,
    /// Changes with the set of keys; never goes back.
    changes: u32,
    /// A number for the present set of keys, unique in the interpreter, that inline caches compare; 0 when nobody asked for one.
    version: Cell<u32>,
}

/// Up to this many entries are found by looking at each.
const SMALL: usize = 8;

/// In the index: what stood here was taken off the end of the entries.
const LOST: u32 = u32::MAX;

/// Where a look-up stands.
pub(crate) struct Cursor {
    at: usize,
    perturb: u64,
    started: bool,
}

/// What a look-up found out so far.
pub(crate) enum Probe {
    /// The key is at this place.
    Found(usize),
    /// The key is not there.
    Absent,
    /// Whether the key at this place is equal has to be asked.
    Ask(usize),
}

/// Whether two keys with the same hash are equal, when that can be told without running code of a script.
#[inline]
pub(crate) fn same(left: &Value, right: &Value) -> Option<bool> {
    if left.is(right) {
        return Some(true);
    }
    if let (Some(left), Some(right)) = (left.downcast::<Str>(), right.downcast::<Str>()) {
        // SAFETY: both live, and their payloads are only read here; a subclass of `str` with an `__eq__` of its own is told apart by the caller's flag below.
        let (left_text, right_text) = unsafe { (&(*left.as_ptr()).text, &(*right.as_ptr()).text) };
        if is_exact(left) && is_exact(right) {
            return Some(left_text == right_text);
        }
        return None;
    }
    if left.word().is_small() && right.word().is_small() {
        return Some(false);
    }
    same_tuples(left, right, 4)
}

/// `same` for tuples of plain items, nested at most `depth` deep.
fn same_tuples(left: &Value, right: &Value, depth: u32) -> Option<bool> {
    let (left, right) = (left.downcast::<Tuple>()?, right.downcast::<Tuple>()?);
    if depth == 0 || !is_exact(left) || !is_exact(right) {
        return None;
    }
    // SAFETY: both live, and their payloads are only read here.
    let (left, right) = unsafe { ((*left.as_ptr()).items(), (*right.as_ptr()).items()) };
    for (left, right) in left.iter().zip(right) {
        let equal = if left.is(right) {
            true
        } else if left.holds::<Tuple>() {
            same_tuples(left, right, depth - 1)?
        } else {
            same(left, right)?
        };
        if !equal {
            return Some(false);
        }
    }
    Some(left.len() == right.len())
}

#[inline]
fn is_exact(value: &Value) -> bool {
    // SAFETY: alive; types outlive their instances.
    value.word().pointer().is_some_and(|header| unsafe {
        let class = (*header).type_pointer();
        (*class).payload.flags() & crate::object::type_object::HEAP_TYPE == 0
    })
}

impl Dict {
    /// How many keys there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.used
    }
    /// All entries in order, removed ones included (their key is unbound).
    #[inline]
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }
    /// The entry at `place`, to change its value.
    #[inline]
    pub(crate) fn entry_mut(&mut self, place: usize) -> &mut Entry {
        &mut self.entries[place]
    }
    /// Changes with the set of keys.
    #[inline]
    pub(crate) fn changes(&self) -> u32 {
        self.changes
    }
    /// The number that caches compare; 0 for none.
    #[inline(always)]
    pub(crate) fn version(&self) -> u32 {
        self.version.get()
    }
    /// Gives the present set of keys a number.
    pub(crate) fn set_version(&self, version: u32) {
        self.version.set(version);
    }
    /// The keys in order.
    pub(crate) fn keys(&self) -> impl DoubleEndedIterator<Item = &Value> {
        self.entries.iter().map(|entry| &entry.key).filter(|key| !key.is_unbound())
    }
    /// Keys and values in order.
    pub(crate) fn items(&self) -> impl DoubleEndedIterator<Item = (&Value, &Value)> {
        self.entries.iter().filter(|entry| !entry.key.is_unbound()).map(|entry| (&entry.key, &entry.value))
    }
    /// The first entry at or after `place` that is there, and its place: for iterators.
    #[inline]
    pub(crate) fn next_entry(&self, place: usize) -> Option<(usize, &Entry)> {
        let mut place = place.max(self.first as usize);
        while let Some(entry) = self.entries.get(place) {
            if !entry.key.is_unbound() {
                return Some((place, entry));
            }
            place += 1;
        }
        None
    }

    #[inline]
    fn touch(&mut self) {
        self.changes = self.changes.wrapping_add(1);
        self.version.set(0);
    }

    /// Starts a look-up.
    #[inline]
    pub(crate) fn cursor(hash: i64) -> Cursor {
        Cursor { at: 0, perturb: hash as u64, started: false }
    }

    /// Goes on with a look-up until the key is found, is known to be absent, or an equality has to be asked.
    #[inline]
    pub(crate) fn probe(&self, key: &Value, hash: i64, cursor: &mut Cursor) -> Probe {
        if self.index.is_empty() {
            while let Some(entry) = self.entries.get(cursor.at) {
                cursor.at += 1;
                if entry.hash == hash && !entry.key.is_unbound() {
                    match same(&entry.key, key) {
                        Some(true) => return Probe::Found(cursor.at - 1),
                        Some(false) => {}
                        None => return Probe::Ask(cursor.at - 1),
                    }
                }
            }
            return Probe::Absent;
        }
        let mask = self.index.len() - 1;
        if !cursor.started {
            cursor.started = true;
            cursor.at = hash as usize & mask;
        }
        loop {
            let slot = self.index[cursor.at & mask];
            cursor.perturb >>= 5;
            cursor.at = (cursor.at * 5 + cursor.perturb as usize + 1) & mask;
            if slot == 0 {
                return Probe::Absent;
            }
            if slot == LOST {
                continue;
            }
            let place = slot as usize - 1;
            let entry = &self.entries[place];
            if entry.hash == hash && !entry.key.is_unbound() {
                match same(&entry.key, key) {
                    Some(true) => return Probe::Found(place),
                    Some(false) => {}
                    None => return Probe::Ask(place),
                }
            }
        }
    }

    /// A look-up that needs no script's equality: as `probe` from the start, where `Ask` says that one is needed, wherever that is.
    #[inline]
    pub(crate) fn find(&self, key: &Value, hash: i64) -> Probe {
        let word = key.word();
        if self.index.is_empty() {
            for (place, entry) in self.entries.iter().enumerate() {
                if entry.hash == hash && !entry.key.is_unbound() {
                    if entry.key.word() == word {
                        return Probe::Found(place);
                    }
                    match same(&entry.key, key) {
                        Some(true) => return Probe::Found(place),
                        Some(false) => {}
                        None => return Probe::Ask(place),
                    }
                }
            }
            return Probe::Absent;
        }
        let mask = self.index.len() - 1;
        let mut at = hash as usize & mask;
        let mut perturb = hash as u64;
        while let Some(&slot) = self.index.get(at) {
            if slot == 0 {
                return Probe::Absent;
            }
            // `LOST` is beyond all entries.
            if let Some(entry) = self.entries.get(slot as usize - 1) {
                if entry.key.word() == word {
                    return Probe::Found(slot as usize - 1);
                }
                if entry.hash == hash && !entry.key.is_unbound() {
                    match same(&entry.key, key) {
                        Some(true) => return Probe::Found(slot as usize - 1),
                        Some(false) => {}
                        None => return Probe::Ask(slot as usize - 1),
                    }
                }
            }
            perturb >>= 5;
            at = (at * 5 + perturb as usize + 1) & mask;
        }
        Probe::Absent
    }

    /// The place of a key that is an exact `str`, in a dict whose keys are too; `None` also when that cannot be told without a script.
    #[inline]
    pub(crate) fn find_str(&self, key: &Value, hash: i64) -> Option<usize> {
        match self.find(key, hash) {
            Probe::Found(place) => Some(place),
            Probe::Absent | Probe::Ask(_) => None,
        }
    }

    /// Adds a key that is not there yet.
    pub(crate) fn push_new(&mut self, key: Value, hash: i64, value: Value) {
        self.touch();
        let place = self.entries.len();
        if place >= SMALL && (place + 1 + self.lost as usize) * 3 > self.index.len() * 2 {
            self.grow();
            return self.push_after_growth(key, hash, value);
        }
        self.entries.push(Entry { hash, key, value });
        self.used += 1;
        if !self.index.is_empty() {
            self.link(place, hash);
        }
    }

    /// Whether `push_new` has to allocate.
    #[inline]
    fn is_full(&self) -> bool {
        let place = self.entries.len();
        place == self.entries.capacity() || place >= SMALL && (place + 1 + self.lost as usize) * 3 > self.index.len() * 2
    }

    /// Whether one more key gives the keys that are there other places, because removed ones are squeezed out.
    pub(crate) fn moves_when_grown(&self) -> bool {
        let place = self.entries.len();
        self.used < place && place >= SMALL && (place + 1 + self.lost as usize) * 3 > self.index.len() * 2
    }

    fn push_after_growth(&mut self, key: Value, hash: i64, value: Value) {
        let place = self.entries.len();
        self.entries.push(Entry { hash, key, value });
        self.used += 1;
        if !self.index.is_empty() {
            self.link(place, hash);
        }
    }

    /// Makes room for more entries: squeezes removed ones out and makes the index larger.
    fn grow(&mut self) {
        self.entries.retain(|entry| !entry.key.is_unbound());
        self.first = 0;
        let wanted = ((self.used + 1) * 3).next_power_of_two().max(16);
        self.rebuild(wanted);
    }

    fn rebuild(&mut self, slots: usize) {
        self.index.clear();
        self.index.resize(slots, 0);
        self.lost = 0;
        for place in 0..self.entries.len() {
            // What was removed needs no slot.
            if !self.entries[place].key.is_unbound() {
                let hash = self.entries[place].hash;
                self.link(place, hash);
            }
        }
    }

    #[inline]
    fn link(&mut self, place: usize, hash: i64) {
        let mask = self.index.len() - 1;
        let mut at = hash as usize & mask;
        let mut perturb = hash as u64;
        while self.index[at] != 0 {
            perturb >>= 5;
            at = (at * 5 + perturb as usize + 1) & mask;
        }
        self.index[at] = place as u32 + 1;
    }

    /// Removes the entry at `place`; what it held is the caller's to drop.
    pub(crate) fn remove_at(&mut self, place: usize) -> (Value, Value) {
        self.touch();
        self.used -= 1;
        let entry = &mut self.entries[place];
        let key = std::mem::replace(&mut entry.key, Value::UNBOUND);
        let value = std::mem::replace(&mut entry.value, Value::UNBOUND);
        if self.used == 0 {
            self.entries.clear();
            self.index.clear();
            self.first = 0;
            self.lost = 0;
        } else if place == self.first as usize {
            while self.entries.get(self.first as usize).is_some_and(|entry| entry.key.is_unbound()) {
                self.first += 1;
            }
        }
        (key, value)
    }

    /// The place of the last entry that is there.
    pub(crate) fn last_place(&self) -> Option<usize> {
        self.entries.iter().rposition(|entry| !entry.key.is_unbound())
    }

    /// Removes the first entry.
    pub(crate) fn pop_first(&mut self) -> Option<(Value, Value)> {
        let (place, _) = self.next_entry(0)?;
        Some(self.remove_at(place))
    }

    /// Removes the last entry, and the removed ones behind it, so that taking off the end again and again costs no search.
    pub(crate) fn pop_last(&mut self) -> Option<(Value, Value)> {
        let place = self.last_place()?;
        while self.entries.len() > place + 1 {
            self.unlink_last();
        }
        let hash = self.entries[place].hash;
        let taken = self.remove_at(place);
        if self.entries.len() == place + 1 {
            self.entries[place].hash = hash;
            self.unlink_last();
        }
        Some(taken)
    }

    /// Puts an entry, whose key is not there yet, before all others. Room in front is made for as many as there are, so that this costs no
    /// walk again and again.
    pub(crate) fn push_front(&mut self, key: Value, hash: i64, value: Value) {
        let is_gone = |entry: &Entry| entry.key.is_unbound();
        if self.index.is_empty() {
            let mut entries = self.take_all();
            entries.retain(|entry| !is_gone(entry));
            entries.insert(0, Entry { hash, key, value });
            return self.set_all(entries);
        }
        self.touch();
        if self.first == 0 {
            let room = self.used.max(SMALL);
            let mut entries = Vec::with_capacity(room + self.used);
            entries.resize_with(room, || Entry { hash: 0, key: Value::UNBOUND, value: Value::UNBOUND });
            entries.extend(self.entries.drain(..).filter(|entry| !is_gone(entry)));
            self.entries = entries;
            self.first = room as u32;
            self.rebuild(((self.entries.len() + 1) * 3).next_power_of_two());
        }
        let place = self.first as usize - 1;
        self.unlink(place as u32 + 1, self.entries[place].hash);
        self.entries[place] = Entry { hash, key, value };
        self.first -= 1;
        self.used += 1;
        self.link(place, hash);
    }

    /// Takes the last entry, a removed one, out of entries and index.
    fn unlink_last(&mut self) {
        let Some(entry) = self.entries.pop() else { return };
        let wanted = self.entries.len() as u32 + 1;
        self.first = self.first.min(self.entries.len() as u32);
        self.unlink(wanted, entry.hash);
    }

    /// Gives up the slot that holds `wanted`, the place of a removed entry and one more, if there is one.
    fn unlink(&mut self, wanted: u32, hash: i64) {
        if self.index.is_empty() {
            return;
        }
        let mask = self.index.len() - 1;
        let mut at = hash as usize & mask;
        let mut perturb = hash as u64;
        while self.index[at] != wanted {
            if self.index[at] == 0 {
                return;
            }
            perturb >>= 5;
            at = (at * 5 + perturb as usize + 1) & mask;
        }
        self.index[at] = LOST;
        self.lost += 1;
    }

    /// Takes everything out; what it held is the caller's to drop.
    pub(crate) fn take_all(&mut self) -> Vec<Entry> {
        self.touch();
        self.used = 0;
        self.first = 0;
        self.lost = 0;
        self.index = Vec::new();
        std::mem::take(&mut self.entries)
    }

    /// Replaces everything by these entries, whose keys are different from each other.
    pub(crate) fn set_all(&mut self, entries: Vec<Entry>) {
        self.touch();
        self.used = entries.len();
        self.first = 0;
        self.lost = 0;
        self.entries = entries;
        self.index = Vec::new();
        if self.used > SMALL {
            self.rebuild(((self.used + 1) * 3).next_power_of_two().max(16));
        }
    }

    /// A copy of the table; something to be dropped, where whoever watches (`pace`) broke it off.
    pub(crate) fn copy(&self) -> Dict {
        let mut copy = Dict::default();
        copy.entries.reserve_exact(self.used);
        for run in pace::runs(&self.entries) {
            let present = run.iter().filter(|entry| !entry.key.is_unbound());
            copy.entries.extend(present.map(|entry| Entry { hash: entry.hash, key: entry.key.clone(), value: entry.value.clone() }));
        }
        if copy.entries.len() == self.entries.len() {
            // They stand where they stood, so what finds them is the same.
            copy.used = self.used;
            copy.lost = self.lost;
            copy.index = self.index.clone();
        } else if copy.entries.len() == self.used {
            let entries = std::mem::take(&mut copy.entries);
            copy.set_all(entries);
        }
        copy
    }

    /// Replaces everything by what another table holds.
    pub(crate) fn take_over(&mut self, mut other: Dict) {
        self.touch();
        self.used = other.used;
        self.first = other.first;
        self.lost = other.lost;
        self.entries = std::mem::take(&mut other.entries);
        self.index = std::mem::take(&mut other.index);
    }

    /// Bytes the table takes beside the object.
    pub(crate) fn heap_size(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.index.capacity() * 4
    }
}

impl Payload for Dict {
    const LAYOUT: Layout = Layout::Dict;
    const IS_CONTAINER: bool = true;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        vec_bytes(&self.entries) + vec_bytes(&self.index)
    }
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        for entry in &self.entries {
            visit(entry.key.word());
            visit(entry.value.word());
        }
        if let Some(factory) = &self.default_factory {
            visit(factory.word());
        }
    }
    fn clear(&mut self) {
        self.default_factory = None;
        release_entries(self.take_all());
    }
}

impl Drop for Dict {
    fn drop(&mut self) {
        if are_many(self.entries.len()) {
            release_many(std::mem::take(&mut self.entries), false);
        }
    }
}

/// Lets go of what was taken out of a dict.
pub(crate) fn release_entries(entries: Vec<Entry>) {
    if are_many(entries.len()) {
        release_many(entries, false);
    }
}

impl Vm {
    /// The place of `key`, asking scripts for equality where it must.
    #[inline]
    pub(crate) fn dict_place(&mut self, dict: &Ref<Dict>, key: &Value, hash: i64) -> Result<Option<usize>> {
        match dict.get(self).find(key, hash) {
            Probe::Found(place) => Ok(Some(place)),
            Probe::Absent => Ok(None),
            Probe::Ask(_) => self.dict_place_asking(dict, key, hash),
        }
    }

    #[inline(never)]
    fn dict_place_asking(&mut self, dict: &Ref<Dict>, key: &Value, hash: i64) -> Result<Option<usize>> {
        'again: loop {
            let mut cursor = Dict::cursor(hash);
            loop {
                match dict.get(self).probe(key, hash, &mut cursor) {
                    Probe::Found(place) => return Ok(Some(place)),
                    Probe::Absent => return Ok(None),
                    Probe::Ask(place) => {
                        let table = dict.get(self);
                        let (changes, candidate) = (table.changes(), table.entries()[place].key.clone());
                        let equal = self.equal(&candidate, key)?;
                        let table = dict.get(self);
                        if table.changes() != changes || !table.entries()[place].key.is(&candidate) {
                            continue 'again;
                        }
                        if equal {
                            return Ok(Some(place));
                        }
                    }
                }
            }
        }
    }

    /// `dict.get(key)`.
    #[inline]
    pub(crate) fn dict_get(&mut self, dict: &Ref<Dict>, key: &Value) -> Result<Option<Value>> {
        let hash = self.hash(key)?;
        let place = self.dict_place(dict, key, hash)?;
        Ok(place.map(|place| dict.get(self).entries()[place].value.clone()))
    }

    /// `dict[key] = value`.
    #[inline]
    pub(crate) fn dict_set(&mut self, dict: &Ref<Dict>, key: &Value, value: Value) -> Result<()> {
        let hash = self.hash(key)?;
        self.dict_set_hashed(dict, key, hash, value)
    }

    /// `dict[key] = value`, with the key's hash known.
    pub(crate) fn dict_set_hashed(&mut self, dict: &Ref<Dict>, key: &Value, hash: i64, value: Value) -> Result<()> {
        if let Some(place) = self.dict_place(dict, key, hash)? {
            let old = std::mem::replace(&mut dict.get_mut(self).entry_mut(place).value, value);
            drop(old);
        } else {
            self.dict_push(dict, key.clone(), hash, value)?;
        }
        Ok(())
    }

    /// Adds a key that is not there yet, charged.
    #[inline]
    pub(crate) fn dict_push(&mut self, dict: &Ref<Dict>, key: Value, hash: i64, value: Value) -> Result<()> {
        if dict.get(self).is_full() {
            return self.dict_push_growing(dict, key, hash, value);
        }
        dict.get_mut(self).push_new(key, hash, value);
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn dict_push_growing(&mut self, dict: &Ref<Dict>, key: Value, hash: i64, value: Value) -> Result<()> {
        // Entries and index double at most.
        let bytes = dict.get(self).heap_size();
        self.charge(bytes)?;
        self.resize(dict, |dict| dict.push_new(key, hash, value));
        Ok(())
    }

    /// Removes a key: key and value as they were, if it was there.
    pub(crate) fn dict_remove(&mut self, dict: &Ref<Dict>, key: &Value) -> Result<Option<(Value, Value)>> {
        let hash = self.hash(key)?;
        let place = self.dict_place(dict, key, hash)?;
        Ok(place.map(|place| dict.get_mut(self).remove_at(place)))
    }

    /// The value of a name, in a namespace.
    pub(crate) fn dict_get_str(&mut self, dict: &Ref<Dict>, name: &str) -> Result<Option<Value>> {
        let name = self.intern(name);
        self.dict_get(dict, &name)
    }

    /// Sets a name in a namespace.
    pub(crate) fn dict_set_str(&mut self, dict: &Ref<Dict>, name: &str, value: Value) -> Result<()> {
        let name = self.intern(name);
        self.dict_set(dict, &name, value)
    }
}
