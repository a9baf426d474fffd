//! `set` and `frozenset`: the table, which follows CPython's probing and growth so that sets are walked in the same order; the methods are in `set_methods`.

use crate::object::account::vec_bytes;
use crate::object::heap::{Owner, are_many, release_many};
use crate::object::layout::{Layout, Payload};
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::text::pace;

/// How many neighbours of a place are looked at before the probe jumps.
const LINEAR_PROBES: usize = 9;
/// By how many bits each jump uses up the hash.
const PERTURB_SHIFT: u32 = 5;
/// The smallest table.
const MIN_SIZE: usize = 8;
/// The hash of an entry whose key was removed; no key has it.
const REMOVED: i64 = -1;

/// A place of the table: empty (no key, hash 0), removed (no key, hash -1) or in use.
pub(crate) struct SetEntry {
    pub(crate) key: Value,
    pub(crate) hash: i64,
}

impl SetEntry {
    const EMPTY: Self = Self { key: Value::UNBOUND, hash: 0 };

    /// Whether it holds a key.
    #[inline(always)]
    pub(crate) fn is_used(&self) -> bool {
        !self.key.is_unbound()
    }
}

/// Where a look-up stands: [`Set::probe`] goes on from here.
#[derive(Clone, Copy)]
pub(crate) struct Probe {
    place: usize,
    perturb: u64,
    /// Neighbours still to be looked at.
    neighbours: usize,
    /// The place that is looked at.
    at: usize,
    started: bool,
    /// The last removed place that was passed: a new key goes there.
    removed: Option<usize>,
}

/// What a probe came upon.
pub(crate) enum Found {
    /// The key is not in the table; this place is free for it.
    Free(usize),
    /// The very key, or an equal string.
    Same(usize),
    /// A key with the same hash: to be compared.
    Candidate(usize),
}

/// A set. `frozenset` differs only in its type.
pub(crate) struct Set {
    /// Empty until the first key comes, else a power of two.
    table: Vec<SetEntry>,
    /// Places in use or removed.
    fill: usize,
    /// Keys.
    used: usize,
    /// Where `pop` looks first.
    finger: usize,
    /// Changes when the table is replaced.
    generation: u32,
    /// A frozenset's hash, once it was asked for.
    pub(crate) hash: Option<i64>,
}

impl Set {
    /// A set without keys.
    pub(crate) const fn new() -> Self {
        Self { table: Vec::new(), fill: 0, used: 0, finger: 0, generation: 0, hash: None }
    }

    /// How many keys there are.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    fn mask(&self) -> usize {
        self.table.len().max(MIN_SIZE) - 1
    }

    /// Bytes of the table.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.table.capacity() * size_of::<SetEntry>()
    }

    /// A number that is another one when the table was replaced.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// The entry at a place.
    #[inline(always)]
    pub(crate) fn entry(&self, place: usize) -> &SetEntry {
        &self.table[place]
    }

    /// The first entry in use at `place` or behind it, and its place.
    #[inline]
    pub(crate) fn next_from(&self, place: usize) -> Option<(usize, &SetEntry)> {
        let rest = self.table.get(place..)?;
        rest.iter().position(SetEntry::is_used).map(|offset| (place + offset, &rest[offset]))
    }

    /// The entries in use, in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &SetEntry> {
        self.table.iter().filter(|entry| entry.is_used())
    }

    /// The start of a look-up.
    #[inline]
    pub(crate) fn start(hash: i64) -> Probe {
        Probe { place: hash as usize, perturb: hash as u64, neighbours: 0, at: 0, started: false, removed: None }
    }

    /// Goes on with a look-up to the next place that decides something; `same` says what it can about equality without running a script. The table must not have changed since the probe started.
    #[inline]
    pub(crate) fn probe(&self, probe: &mut Probe, key: &Value, hash: i64, same: impl Fn(&Value, &Value) -> Option<bool>) -> Found {
        if self.table.is_empty() {
            return Found::Free(usize::MAX);
        }
        let mask = self.table.len() - 1;
        loop {
            if probe.started {
                if probe.neighbours > 0 {
                    probe.neighbours -= 1;
                    probe.at += 1;
                } else {
                    probe.perturb >>= PERTURB_SHIFT;
                    probe.place = probe.place.wrapping_mul(5).wrapping_add(1).wrapping_add(probe.perturb as usize) & mask;
                    probe.at = probe.place;
                    probe.neighbours = if probe.place + LINEAR_PROBES <= mask { LINEAR_PROBES } else { 0 };
                }
            } else {
                probe.started = true;
                probe.place &= mask;
                probe.at = probe.place;
                probe.neighbours = if probe.place + LINEAR_PROBES <= mask { LINEAR_PROBES } else { 0 };
            }
            let entry = &self.table[probe.at];
            if entry.hash == hash {
                if entry.is_used() {
                    match same(&entry.key, key) {
                        Some(true) => return Found::Same(probe.at),
                        Some(false) => continue,
                        None => return Found::Candidate(probe.at),
                    }
                }
                if hash == 0 {
                    return Found::Free(probe.removed.unwrap_or(probe.at));
                }
            } else if !entry.is_used() {
                if entry.hash == 0 {
                    return Found::Free(probe.removed.unwrap_or(probe.at));
                }
                probe.removed = Some(probe.at);
            }
        }
    }

    /// Puts a key into the place that a probe found free. Grows the table when it is three fifths full.
    pub(crate) fn insert_at(&mut self, place: usize, key: Value, hash: i64) {
        let place = if self.table.is_empty() {
            self.table = Self::empty_table(MIN_SIZE);
            hash as usize & (MIN_SIZE - 1)
        } else {
            place
        };
        let reused = self.table[place].hash == REMOVED;
        self.table[place] = SetEntry { key, hash };
        self.used += 1;
        if reused {
            return;
        }
        self.fill += 1;
        if self.fill * 5 >= self.mask() * 3 {
            self.resize(self.grown());
        }
    }

    /// Bytes that the next insertion may allocate.
    pub(crate) fn growth_bytes(&self) -> usize {
        if self.table.is_empty() || (self.fill + 1) * 5 >= self.mask() * 3 { Self::size_for(self.grown()) * size_of::<SetEntry>() } else { 0 }
    }

    fn grown(&self) -> usize {
        if self.used > 50_000 { self.used * 2 } else { self.used * 4 }
    }

    fn size_for(minimum: usize) -> usize {
        let mut size = MIN_SIZE;
        while size <= minimum {
            size <<= 1;
        }
        size
    }

    fn empty_table(size: usize) -> Vec<SetEntry> {
        let mut table = Vec::with_capacity(size);
        table.resize_with(size, || SetEntry::EMPTY);
        table
    }

    /// As `empty_table`; shorter, where whoever watches (`pace`) broke it off.
    fn paced_empty_table(size: usize) -> Vec<SetEntry> {
        let mut table = Vec::with_capacity(size);
        while table.len() < size && (table.is_empty() || pace::go_on()) {
            table.resize_with(size.min(table.len() + pace::MANY), || SetEntry::EMPTY);
        }
        table
    }

    /// Makes a table with more than `minimum` places, without removed ones.
    fn resize(&mut self, minimum: usize) {
        let size = Self::size_for(minimum);
        if size == MIN_SIZE && self.table.len() <= MIN_SIZE && self.fill == self.used {
            return;
        }
        let old = std::mem::replace(&mut self.table, Self::empty_table(size));
        self.generation = self.generation.wrapping_add(1);
        for entry in old {
            if entry.is_used() {
                self.insert_clean(entry);
            }
        }
        self.fill = self.used;
    }

    /// Puts an entry into a table that has neither removed places nor an equal key.
    fn insert_clean(&mut self, entry: SetEntry) {
        let mask = self.table.len() - 1;
        let mut perturb = entry.hash as u64;
        let mut place = entry.hash as usize & mask;
        loop {
            let last = if place + LINEAR_PROBES <= mask { place + LINEAR_PROBES } else { place };
            if let Some(free) = (place..=last).find(|&at| !self.table[at].is_used()) {
                self.table[free] = entry;
                return;
            }
            perturb >>= PERTURB_SHIFT;
            place = place.wrapping_mul(5).wrapping_add(1).wrapping_add(perturb as usize) & mask;
        }
    }

    /// Makes room for a merge with `more` keys.
    pub(crate) fn reserve_merge(&mut self, more: usize) {
        if (self.fill + more) * 5 >= self.mask() * 3 {
            self.resize((self.used + more) * 2);
        }
    }

    /// Bytes that `reserve_merge` would allocate.
    pub(crate) fn merge_bytes(&self, more: usize) -> usize {
        if (self.fill + more) * 5 >= self.mask() * 3 { Self::size_for((self.used + more) * 2) * size_of::<SetEntry>() } else { 0 }
    }

    /// How many places the table has, in use or not.
    pub(crate) fn size(&self) -> usize {
        self.table.len()
    }

    /// How many places the table has after `reserve_merge`.
    pub(crate) fn merge_size(&self, more: usize) -> usize {
        let size = if (self.fill + more) * 5 >= self.mask() * 3 { Self::size_for((self.used + more) * 2) } else { self.table.len() };
        size.max(MIN_SIZE)
    }

    /// Whether no key was put in since the table was made: then no key needs to be compared with what is merged in.
    pub(crate) fn is_untouched(&self) -> bool {
        self.fill == 0
    }

    /// A set of the same keys in a table of so many places; something to be dropped, where whoever watches (`pace`) broke it off.
    pub(crate) fn copy_of_size(&self, size: usize) -> Set {
        let mut copy = Set::new();
        if size == self.table.len() && self.fill == self.used {
            copy.table.reserve_exact(size);
            for run in pace::runs(&self.table) {
                copy.table.extend(run.iter().map(|entry| SetEntry { key: entry.key.clone(), hash: entry.hash }));
            }
        } else {
            copy.table = Self::paced_empty_table(size);
            if copy.table.len() == size {
                for entry in pace::runs(&self.table).flatten().filter(|entry| entry.is_used()) {
                    copy.insert_clean(SetEntry { key: entry.key.clone(), hash: entry.hash });
                }
            }
        }
        copy.used = self.used;
        copy.fill = self.used;
        copy
    }

    /// Takes over the keys of a copy; this set, which is untouched, keeps no table of its own.
    pub(crate) fn take_over(&mut self, mut copy: Set) {
        self.generation = self.generation.wrapping_add(1);
        self.table = std::mem::take(&mut copy.table);
        self.used = copy.used;
        self.fill = copy.fill;
    }

    /// Removes the key at a place and gives it back.
    pub(crate) fn remove_at(&mut self, place: usize) -> Value {
        self.used -= 1;
        std::mem::replace(&mut self.table[place], SetEntry { key: Value::UNBOUND, hash: REMOVED }).key
    }

    /// Removes some key.
    pub(crate) fn pop(&mut self) -> Option<Value> {
        if self.used == 0 {
            return None;
        }
        let from = self.finger & self.mask();
        let place = match self.next_from(from) {
            Some((place, _)) => place,
            None => self.next_from(0)?.0,
        };
        self.finger = place + 1;
        Some(self.remove_at(place))
    }

    /// Rebuilds the table when more than a quarter of it are removed places.
    pub(crate) fn shrink(&mut self) {
        if self.fill - self.used > self.mask() / 4 {
            self.resize(self.grown());
        }
    }

    /// Takes everything out; the entries are the caller's to drop.
    pub(crate) fn take(&mut self) -> Vec<SetEntry> {
        self.fill = 0;
        self.used = 0;
        self.generation = self.generation.wrapping_add(1);
        std::mem::take(&mut self.table)
    }

    /// Exchanges the keys with another set's.
    pub(crate) fn swap(&mut self, other: &mut Set) {
        std::mem::swap(&mut self.table, &mut other.table);
        std::mem::swap(&mut self.fill, &mut other.fill);
        std::mem::swap(&mut self.used, &mut other.used);
        self.generation = self.generation.wrapping_add(1);
        other.generation = other.generation.wrapping_add(1);
    }

    /// The hash of the keys, in whatever order.
    pub(crate) fn compute_hash(&self) -> i64 {
        const fn shuffle(hash: u64) -> u64 {
            ((hash ^ 89_869_747) ^ (hash << 16)).wrapping_mul(3_644_798_167)
        }
        let mut hash = self.entries().fold(0, |hash, entry| hash ^ shuffle(entry.hash as u64));
        hash ^= (self.used as u64 + 1).wrapping_mul(1_927_868_237);
        hash ^= (hash >> 11) ^ (hash >> 25);
        hash = hash.wrapping_mul(69_069).wrapping_add(907_133_923);
        if hash == u64::MAX { 590_923_713 } else { hash as i64 }
    }
}

impl Payload for Set {
    const LAYOUT: Layout = Layout::Set;
    const IS_CONTAINER: bool = true;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        vec_bytes(&self.table)
    }
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        for entry in self.entries() {
            visit(entry.key.word());
        }
    }
    fn clear(&mut self) {
        release_entries(self.take());
    }
}

impl Owner for SetEntry {
    fn word(&self) -> Word {
        self.key.word()
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        if are_many(self.table.len()) {
            release_many(std::mem::take(&mut self.table), false);
        }
    }
}

/// Lets go of what was taken out of a set.
pub(crate) fn release_entries(entries: Vec<SetEntry>) {
    if are_many(entries.len()) {
        release_many(entries, false);
    }
}

/// An iterator over a set.
pub(crate) struct SetIterator {
    /// `None` once it is exhausted.
    pub(crate) set: Option<Ref<Set>>,
    /// The place to look at next.
    pub(crate) position: usize,
    /// How many keys the set had at the start; `usize::MAX` once it was found changed.
    pub(crate) used: usize,
    /// How many are left.
    pub(crate) left: usize,
}

impl Payload for SetIterator {
    const LAYOUT: Layout = Layout::SetIterator;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        if let Some(set) = &self.set {
            visit(set.word());
        }
    }
    fn clear(&mut self) {
        self.set = None;
    }
}
