//! The cycle collector: finds what only refers to itself, finalises it in PEP 442's order and lets it go.
//!
//! Trial deletion: from every container's count the references that other containers hold are subtracted; what has counts left is
//! referred to from outside (a frame, the interpreter's state, a native), and whatever that reaches lives. The rest is garbage.
//!
//! - **C1** Between the numbering of cells and the last use of the table nothing is allocated or freed on the heap, so a cell keeps its number.
//! - **C2** A payload's `traverse` names each word it owns a count of, and nothing else. (A word it forgets keeps the target alive; one it
//!   names without owning it would free what is in use, which the stress build checks.)
//! - **C3** Garbage is kept by a count of ours from the moment it is found until it was cleared, so clearing one object frees no other
//!   object of the same garbage.
//! - **C4** Clearing drops values, which runs no scripts (H5 in heap.rs).
#![allow(unsafe_code, reason = "walks headers and payloads of all objects; see C1 to C4")]

use std::ptr::NonNull;

use rustc_hash::FxHashMap;

use super::heap::{Header, Heap, Object, cell_number, flag, release, release_many};
use super::instance::Instance;
use super::layout::{LAYOUTS, Layout, Payload};
use super::type_object::{HAS_DEL, HEAP_TYPE};
use super::types::dict::Dict;
use super::types::list::List;
use super::types::tuple::Tuple;
use super::types::weakref::WeakRef;
use super::value::{Ref, Value};
use super::weak;
use super::word::Word;
use crate::vm::Vm;

/// Keep what is found in `gc.garbage` instead of freeing it.
pub(crate) const DEBUG_SAVEALL: i64 = 32;

/// No container, or not to be looked at.
const UNTRACKED: i32 = i32::MIN;
/// Lives.
const REACHED: i32 = i32::MIN + 1;
/// Lives, and what it refers to is still to be marked.
const NOT_FOLLOWED: i32 = i32::MIN + 2;
/// The least growth between two collections that were not asked for, while the script has not set a threshold. Imports make thousands of functions and
/// classes, none of them garbage, and a collection looks at all of them.
const BASE_THRESHOLD: i64 = 32_000;

/// The growth between two collections in the stress build.
const STRESS_THRESHOLD: i64 = 50;

/// What a generation has seen.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Statistics {
    pub(crate) collections: i64,
    pub(crate) collected: i64,
    pub(crate) uncollectable: i64,
}

/// The collector's settings and figures.
pub(crate) struct Collector {
    pub(crate) is_enabled: bool,
    is_collecting: bool,
    /// The last collection that was not asked for was abandoned: the next one is by less, else it might never come to an end.
    was_abandoned: bool,
    pub(crate) debug: i64,
    pub(crate) thresholds: [i64; 3],
    thresholds_were_set: bool,
    pub(crate) statistics: [Statistics; 3],
    /// How many containers lived after the last collection.
    live: i64,
    /// How many containers `freeze` set aside.
    pub(crate) frozen: usize,
    /// `gc.garbage`
    pub(crate) garbage: Value,
    /// `gc.callbacks`
    pub(crate) callbacks: Value,
}

impl Default for Collector {
    fn default() -> Self {
        Self {
            is_enabled: true,
            is_collecting: false,
            was_abandoned: false,
            debug: 0,
            thresholds: [2000, 10, 10],
            thresholds_were_set: false,
            statistics: [Statistics::default(); 3],
            live: 0,
            frozen: 0,
            garbage: Value::NONE,
            callbacks: Value::NONE,
        }
    }
}

/// Calls `visit` with every word that the object at `header` owns a count of.
///
/// # Safety
/// The object is intact and nothing changes it meanwhile.
unsafe fn traverse(header: NonNull<Header>, visit: &mut dyn FnMut(Word)) {
    let header = header.as_ptr();
    // SAFETY: intact; the layout names the payload, and the words behind it are as many as the type says (heap.rs).
    unsafe {
        let info = &LAYOUTS[usize::from((*header).layout_id())];
        (info.traverse)(header, visit);
        let class = (*header).type_pointer();
        let words = header.cast::<u8>().add(info.size).cast::<Word>();
        for index in 0..(*class).payload.extra_words() {
            visit(*words.add(index));
        }
        if (*class).payload.flags() & HEAP_TYPE != 0
            && let Some(class) = NonNull::new(class.cast())
        {
            visit(Word::from_pointer(class));
        }
    }
}

fn is_container(header: NonNull<Header>) -> bool {
    // SAFETY: a header of the heap, which is intact while its layout is not `Free`.
    unsafe { LAYOUTS[usize::from(header.as_ref().layout_id())].is_container && header.as_ref().count() > 0 }
}

/// How many steps the collector goes between two looks at the breaker.
const STEPS: u32 = 1 << 14;

/// How long the collector goes on. A stop, or Ctrl-C, ends a collection: as long as it only looks, it has changed nothing but numbers of its own, so that
/// counts and flags are what they were; and when it clears, what it has not come to is garbage still, whose finalisers have run. The next collection finds
/// it in either case.
struct Patience {
    /// Whether to give up, which is asked now and then.
    is_to_end: Option<Box<dyn FnMut() -> bool>>,
    steps: u32,
    is_over: bool,
}

impl Patience {
    /// One more step; whether to go on.
    #[inline(always)]
    fn step(&mut self) -> bool {
        self.steps = self.steps.wrapping_add(1);
        if self.steps.is_multiple_of(STEPS) {
            self.ask();
        }
        !self.is_over
    }

    #[cold]
    #[inline(never)]
    fn ask(&mut self) {
        self.is_over = self.is_over || self.is_to_end.as_mut().is_some_and(|is_to_end| is_to_end());
    }
}

/// What a pass over the heap found.
struct Found {
    /// Each kept by a count of ours (C3). Not all of it where there was no memory to note it: the next pass finds the rest, of which this one may free
    /// some, as any other release does.
    garbage: Vec<Value>,
    n_garbage: usize,
    /// Containers in all.
    n_containers: usize,
    /// By cell number (C1).
    counts: Vec<i32>,
}

impl Found {
    fn is_garbage(&self, header: NonNull<Header>) -> bool {
        self.counts.get(cell_number(header)).is_some_and(|&count| count == 0)
    }
}

/// The way from what is referred to from outside to all that lives.
struct Reached {
    /// By cell number (C1).
    counts: Vec<i32>,
    /// What was reached and is still to be followed.
    pending: Vec<NonNull<Header>>,
    /// There was no memory to note something that is still to be followed.
    is_short: bool,
}

impl Reached {
    /// Marks a container and all that it leads to. What there is no memory for is marked as not followed, to be found by another walk over the heap.
    fn follow(&mut self, header: NonNull<Header>, patience: &mut Patience) {
        self.counts[cell_number(header)] = REACHED;
        let mut next = Some(header);
        while let Some(header) = next {
            // SAFETY: intact (C1).
            unsafe {
                traverse(header, &mut |word| {
                    let Some(target) = word.pointer().and_then(NonNull::new) else { return };
                    let count = &mut self.counts[cell_number(target)];
                    if !patience.step() || matches!(*count, UNTRACKED | REACHED | NOT_FOLLOWED) {
                        return;
                    }
                    if self.pending.len() < self.pending.capacity() || self.pending.try_reserve(1).is_ok() {
                        *count = REACHED;
                        self.pending.push(target);
                    } else {
                        *count = NOT_FOLLOWED;
                        self.is_short = true;
                    }
                });
            }
            next = if patience.is_over { None } else { self.pending.pop() };
        }
    }
}

/// Finds the containers that nothing outside refers to but `caches`, which must let go of them. `None` when there is no memory, or no patience, to look for
/// them.
fn find_garbage(heap: &Heap, caches: &[Value], patience: &mut Patience) -> Option<Found> {
    let n_cells = heap.number_cells();
    let mut counts = Vec::new();
    counts.try_reserve_exact(n_cells).ok()?;
    counts.resize(n_cells, UNTRACKED);
    let mut n_containers = 0;
    heap.for_each_while(|header| {
        if is_container(header) {
            n_containers += 1;
            // SAFETY: intact (C1).
            let count = unsafe { header.as_ref().count() };
            counts[cell_number(header)] = i32::try_from(count).unwrap_or(i32::MAX);
        }
        patience.step()
    });
    heap.for_each_while(|header| {
        if counts[cell_number(header)] == UNTRACKED {
            return patience.step();
        }
        // SAFETY: intact (C1).
        unsafe {
            traverse(header, &mut |word| {
                if let Some(target) = word.pointer().and_then(NonNull::new)
                    && patience.step()
                {
                    let count = &mut counts[cell_number(target)];
                    if *count != UNTRACKED {
                        *count -= 1;
                        debug_assert!(*count >= 0, "{} names what it does not own", LAYOUTS[usize::from(header.as_ref().layout_id())].name);
                    }
                }
            });
        }
        patience.step()
    });
    if patience.is_over {
        return None;
    }
    for value in caches {
        if let Some(target) = value.word().pointer().and_then(NonNull::new)
            && counts[cell_number(target)] != UNTRACKED
        {
            counts[cell_number(target)] -= 1;
        }
    }
    let mut reached = Reached { counts, pending: Vec::new(), is_short: false };
    heap.for_each_while(|header| {
        if !matches!(reached.counts[cell_number(header)], UNTRACKED | REACHED | NOT_FOLLOWED | 0) {
            reached.follow(header, patience);
        }
        patience.step()
    });
    while std::mem::take(&mut reached.is_short) {
        heap.for_each_while(|header| {
            if reached.counts[cell_number(header)] == NOT_FOLLOWED {
                reached.follow(header, patience);
            }
            patience.step()
        });
    }
    if patience.is_over {
        return None;
    }
    let Reached { counts, pending, .. } = reached;
    // What it took is given back before more is asked for.
    drop(pending);
    let n_garbage = counts.iter().filter(|&&count| count == 0).count();
    let mut garbage: Vec<Value> = Vec::new();
    let mut n_noted = n_garbage;
    while garbage.try_reserve_exact(n_noted).is_err() {
        n_noted /= 2;
    }
    heap.for_each_while(|header| {
        if counts[cell_number(header)] == 0 && garbage.len() < n_noted {
            // SAFETY: it lives: another of them, or a cache, refers to it.
            garbage.push(unsafe { Value::from_borrowed(Word::from_pointer(header)) });
        }
        patience.step()
    });
    if patience.is_over {
        release_many(garbage, false);
        return None;
    }
    sort_by_age(heap, &mut garbage);
    Some(Found { garbage, n_garbage, n_containers, counts })
}

/// Whether the object's finaliser is still to run.
fn needs_finalizer(header: NonNull<Header>) -> bool {
    // SAFETY: garbage that we keep (C3).
    unsafe {
        let flags = header.as_ref().flags();
        let class_flags = (*header.as_ref().type_pointer()).payload.flags();
        flags & flag::FINALIZED == 0 && (flags & flag::NEEDS_FINALIZER != 0 || class_flags & HAS_DEL != 0)
    }
}

fn header_of(value: &Value) -> NonNull<Header> {
    value.word().pointer().and_then(NonNull::new).expect("garbage is made of heap objects")
}

/// Drops from `garbage` what finalisers and callbacks have made reachable again. `None` when there is no memory to look for it.
fn drop_resurrected(garbage: &mut Vec<Value>) -> Option<()> {
    let mut places: FxHashMap<u64, usize> = FxHashMap::default();
    let (mut counts, mut lives, mut pending): (Vec<i64>, Vec<bool>, Vec<usize>) = (Vec::new(), Vec::new(), Vec::new());
    places.try_reserve(garbage.len()).ok()?;
    counts.try_reserve_exact(garbage.len()).ok()?;
    lives.try_reserve_exact(garbage.len()).ok()?;
    // Each place is put here once.
    pending.try_reserve_exact(garbage.len()).ok()?;
    places.extend(garbage.iter().enumerate().map(|(place, value)| (value.address(), place)));
    counts.extend(garbage.iter().map(|value| i64::from(super::heap::reference_count(value)) - 1));
    for value in garbage.iter() {
        // SAFETY: kept by `garbage` (C3); nothing runs meanwhile.
        unsafe {
            traverse(header_of(value), &mut |word| {
                if let Some(&place) = places.get(&word.bits()) {
                    counts[place] -= 1;
                }
            });
        }
    }
    pending.extend((0..counts.len()).filter(|&place| counts[place] != 0));
    if pending.is_empty() {
        return Some(());
    }
    lives.extend(counts.iter().map(|&count| count != 0));
    while let Some(place) = pending.pop() {
        // SAFETY: as above.
        unsafe {
            traverse(header_of(&garbage[place]), &mut |word| {
                if let Some(&place) = places.get(&word.bits())
                    && !lives[place]
                {
                    lives[place] = true;
                    pending.push(place);
                }
            });
        }
    }
    let mut place = 0;
    garbage.retain(|_| {
        place += 1;
        !lives[place - 1]
    });
    Some(())
}

/// Lets go of what an object of the garbage owns.
fn clear(value: &Value) {
    let header = header_of(value).as_ptr();
    // SAFETY: kept by the caller (C3); nobody holds a reference into the payload, since the collector has the `Vm` to itself.
    unsafe {
        let info = &LAYOUTS[usize::from((*header).layout_id())];
        (info.clear)(header);
        let words = header.cast::<u8>().add(info.size).cast::<Word>();
        for index in 0..(*(*header).type_pointer()).payload.extra_words() {
            let word = words.add(index).replace(Word::UNBOUND);
            release(word);
        }
    }
}

/// The order in which things were made, the oldest first, as far as objects remember it; otherwise that of their cells. Takes no memory.
fn sort_by_age(heap: &Heap, garbage: &mut [Value]) {
    let now = heap.serial();
    garbage.sort_unstable_by_key(|value| {
        let header = header_of(value);
        // SAFETY: intact (C1); the layout has been checked.
        let age = unsafe {
            if header.as_ref().layout_id() == Layout::Instance as u16 {
                let instance = header.as_ptr().add(1).cast::<Instance>();
                // A wrapping counter: the larger the distance the older.
                u16::MAX - now.wrapping_sub((*instance).serial())
            } else {
                u16::MAX
            }
        };
        (age, cell_number(header))
    });
}

/// The breaker asked for a collection.
#[cold]
pub(crate) fn collect_automatically(vm: &mut Vm) {
    let collector = &vm.state().collector;
    if !collector.is_enabled || collector.is_collecting || collector.thresholds[0] == 0 {
        return;
    }
    let is_retry = collector.was_abandoned;
    let is_done = collect_patiently(vm, 2, is_retry).is_some();
    if !is_done {
        // Due again as soon as something is made.
        update_threshold(vm);
    }
    vm.state_mut().collector.was_abandoned = !is_done;
}

/// Collects, whatever comes; how many objects were found unreachable. The generation is only counted.
pub(crate) fn collect(vm: &mut Vm, generation: usize) -> usize {
    let patience = Patience { is_to_end: None, steps: 0, is_over: false };
    collect_with(vm, generation, patience).unwrap_or(0)
}

/// `collect`, abandoned (`None`) when a signal or a stop comes, a retry by Ctrl-C or a stop only: the next check will see to what came.
pub(crate) fn collect_patiently(vm: &mut Vm, generation: usize, is_retry: bool) -> Option<usize> {
    let patience = Patience { is_to_end: Some(Box::new(vm.patience(is_retry))), steps: 0, is_over: false };
    collect_with(vm, generation, patience)
}

fn collect_with(vm: &mut Vm, generation: usize, mut patience: Patience) -> Option<usize> {
    if vm.state().collector.is_collecting {
        return Some(0);
    }
    vm.heap().release_set_aside();
    vm.state_mut().collector.is_collecting = true;
    call_callbacks(vm, "start", generation, 0, 0);
    let (collected, uncollectable) = run(vm, &mut patience);
    if patience.is_over {
        // No callback: what came would be raised in it, and lost.
        vm.state_mut().collector.is_collecting = false;
        return None;
    }
    let state = vm.state_mut();
    let statistics = &mut state.collector.statistics[generation.min(2)];
    statistics.collections += 1;
    statistics.collected += collected as i64;
    statistics.uncollectable += uncollectable as i64;
    call_callbacks(vm, "stop", generation, collected, uncollectable);
    vm.state_mut().collector.is_collecting = false;
    if vm.heap().has_dead() {
        vm.drain_dead();
    }
    Some(collected + uncollectable)
}

fn run(vm: &mut Vm, patience: &mut Patience) -> (usize, usize) {
    let Some(mut found) = find_garbage(vm.heap(), &vm.state().method_table, patience) else { return (0, 0) };
    let mut garbage = std::mem::take(&mut found.garbage);
    vm.heap().growth.set(0);
    vm.state_mut().collector.live = (found.n_containers - found.n_garbage) as i64;
    update_threshold(vm);
    if garbage.is_empty() {
        return (0, 0);
    }

    vm.forget_methods(|function| found.is_garbage(header_of(function)));

    // Weak references first: afterwards nothing can reach the garbage through one.
    let mut to_call: Vec<Ref<WeakRef>> = Vec::new();
    for value in &garbage {
        let header = header_of(value);
        // SAFETY: kept (C3).
        if unsafe { header.as_ref().flags() } & flag::HAS_WEAKREFS != 0 {
            for reference in weak::take_all(header) {
                // Without memory to note it, a callback is lost.
                if !found.is_garbage(header_of(&reference)) && to_call.try_reserve(1).is_ok() {
                    to_call.push(reference);
                }
            }
        }
    }
    let mut ran_script = false;
    for reference in to_call {
        let callback = reference.get_mut(vm).callback.take();
        if let Some(callback) = callback {
            ran_script = true;
            let argument: Value = (*reference).clone();
            if vm.call(&callback, &[argument]).is_err() {
                vm.write_unraisable("Exception ignored in: ", &callback);
            }
        }
    }
    drop(found);

    for object in &garbage {
        if needs_finalizer(header_of(object)) {
            ran_script = true;
            vm.finalize(object);
        }
    }
    if ran_script && drop_resurrected(&mut garbage).is_none() {
        // Their finalisers have run, so the next pass need not look for what they have made reachable.
        return (0, 0);
    }

    let n_collected = garbage.len();
    if vm.state().collector.debug & DEBUG_SAVEALL != 0 {
        let list = garbage_list(vm);
        let items = &mut list.get_mut(vm).items;
        if items.try_reserve(n_collected).is_ok() {
            items.append(&mut garbage);
        }
        return (0, n_collected);
    }
    for value in &garbage {
        if !patience.step() {
            break;
        }
        clear(value);
    }
    release_many(garbage, false);
    vm.free_dead_shapes();
    vm.forget_dead_locals();
    (n_collected, 0)
}

/// Sets when the next collection is due: when as many containers have been made as lived after the last one.
pub(crate) fn update_threshold(vm: &mut Vm) {
    let collector = &vm.state().collector;
    let base = if collector.thresholds_were_set { collector.thresholds[0] } else { BASE_THRESHOLD };
    let threshold = if !collector.is_enabled || collector.thresholds[0] == 0 {
        i64::MAX
    } else if cfg!(feature = "stress") {
        STRESS_THRESHOLD
    } else {
        base.max(collector.live)
    };
    vm.heap().threshold.set(threshold);
}

/// `gc.set_threshold`
pub(crate) fn set_thresholds(vm: &mut Vm, thresholds: [i64; 3]) {
    let collector = &mut vm.state_mut().collector;
    collector.thresholds = thresholds;
    collector.thresholds_were_set = true;
    update_threshold(vm);
}

/// `gc.enable`, `gc.disable`
pub(crate) fn set_enabled(vm: &mut Vm, on: bool) {
    vm.state_mut().collector.is_enabled = on;
    update_threshold(vm);
}

/// `gc.garbage`
pub(crate) fn garbage_list(vm: &mut Vm) -> Ref<List> {
    let known = vm.state().collector.garbage.clone();
    list_or_new(vm, known, |collector| &mut collector.garbage)
}

/// `gc.callbacks`
pub(crate) fn callback_list(vm: &mut Vm) -> Ref<List> {
    let known = vm.state().collector.callbacks.clone();
    list_or_new(vm, known, |collector| &mut collector.callbacks)
}

fn list_or_new(vm: &mut Vm, known: Value, place: fn(&mut Collector) -> &mut Value) -> Ref<List> {
    if let Ok(list) = known.into_ref::<List>() {
        return list;
    }
    let list = vm.new_list(Vec::new());
    *place(&mut vm.state_mut().collector) = list.clone();
    list.into_ref().expect("a list was made")
}

fn call_callbacks(vm: &mut Vm, phase: &str, generation: usize, collected: usize, uncollectable: usize) {
    let Some(list) = vm.state().collector.callbacks.downcast::<List>().cloned() else { return };
    let callbacks = list.get(vm).items.clone();
    if callbacks.is_empty() {
        return;
    }
    let raised = vm.take_raised();
    for callback in callbacks {
        let info = vm.new_dict();
        let figures = [("generation", generation), ("collected", collected), ("uncollectable", uncollectable)];
        let filled = figures.iter().all(|(name, figure)| vm.dict_set_str(&info, name, Value::small(*figure as i64)).is_ok());
        let phase = vm.new_str(phase);
        if !filled || vm.call(&callback, &[phase, info.into_value()]).is_err() {
            vm.write_unraisable("Exception ignored in: ", &callback);
        }
    }
    if !raised.is_none() {
        let _ = vm.raise_value(raised);
    }
}

/// Whether the collector would look at the object: a container that can be part of a cycle.
pub(crate) fn is_tracked(vm: &Vm, value: &Value) -> bool {
    let Some(header) = value.word().pointer().and_then(NonNull::new) else { return false };
    if !is_container(header) {
        return false;
    }
    if vm.is_exact(value, super::types::TypeId::Dict)
        && let Some(dict) = value.downcast::<Dict>()
    {
        return dict.get(vm).items().any(|(key, item)| may_refer(vm, key, MAX_NESTING) || may_refer(vm, item, MAX_NESTING));
    }
    if vm.is_exact(value, super::types::TypeId::Tuple)
        && let Some(tuple) = value.downcast::<Tuple>()
    {
        return tuple.get(vm).items().iter().any(|item| may_refer(vm, item, MAX_NESTING));
    }
    !matches!(LAYOUTS[usize::from(value.layout_id().unwrap_or(0))].name, "Code" | "NativeFunction" | "Member" | "GetSet")
}

/// How deep tuples in tuples are looked into; what lies deeper may refer to anything.
const MAX_NESTING: usize = 20;

/// Whether an item can take part in a cycle, as far as CPython's collector would track it: not a plain object, a built-in type, or a tuple of such.
fn may_refer(vm: &Vm, value: &Value, nesting: usize) -> bool {
    if !value.word().pointer().and_then(NonNull::new).is_some_and(is_container) || vm.is_exact(value, super::types::TypeId::Object) {
        return false;
    }
    if let Some(class) = value.downcast::<super::type_object::Type>() {
        return class.get(vm).has(HEAP_TYPE);
    }
    match value.downcast::<Tuple>().filter(|_| nesting > 0 && vm.is_exact(value, super::types::TypeId::Tuple)) {
        Some(tuple) => tuple.get(vm).items().iter().any(|item| may_refer(vm, item, nesting - 1)),
        None => true,
    }
}

/// Whether the finaliser of the object has run.
pub(crate) fn is_finalized(value: &Value) -> bool {
    // SAFETY: lives (H1).
    value.word().pointer().is_some_and(|header| unsafe { (*header).flags() } & flag::FINALIZED != 0)
}

/// All containers.
pub(crate) fn objects(vm: &Vm) -> Vec<Value> {
    let mut headers = Vec::new();
    vm.heap().for_each(|header| {
        if is_container(header) {
            headers.push(header);
        }
    });
    // SAFETY: they live, being counted.
    let values: Vec<Value> = headers.into_iter().map(|header| unsafe { Value::from_borrowed(Word::from_pointer(header)) }).collect();
    values.into_iter().filter(|value| is_tracked(vm, value)).collect()
}

/// Whether nobody would notice when all objects went: none of them has a finaliser to run, but those in `known`, and no script of the program waits for
/// one to go: `is_harmless` says it of a weak reference's callback.
pub(crate) fn goes_silently(vm: &Vm, known: &[Value], is_harmless: fn(&Vm, &Value) -> bool) -> bool {
    let collector = &vm.state().collector;
    if collector.debug != 0 || collector.callbacks.downcast::<List>().is_some_and(|callbacks| !callbacks.get(vm).items.is_empty()) {
        return false;
    }
    let mut is_silent = true;
    let mut callbacks: Vec<Value> = Vec::new();
    vm.heap().for_each(|header| {
        // SAFETY: a header of the heap, which is intact while its layout is not `Free`.
        let object = unsafe { header.as_ref() };
        if object.count() == 0 {
            return;
        }
        if needs_finalizer(header) {
            is_silent &= known.iter().any(|value| value.address() == header.as_ptr() as u64);
        }
        if object.layout_id() == Layout::WeakRef as u16 {
            // SAFETY: of that layout, alive.
            let reference = unsafe { &(*header.as_ptr().cast::<Object<WeakRef>>()).payload };
            callbacks.extend(reference.callback.clone().filter(|_| reference.target.get().is_some()));
        }
    });
    is_silent && callbacks.iter().all(|callback| is_harmless(vm, callback))
}

/// All objects of one payload.
pub(crate) fn objects_of<T: Payload>(vm: &Vm) -> Vec<Ref<T>> {
    let mut headers = Vec::new();
    vm.heap().for_each(|header| {
        // SAFETY: a header of the heap, which is intact while its layout is not `Free`.
        if unsafe { header.as_ref().layout_id() == T::LAYOUT as u16 && header.as_ref().count() > 0 } {
            headers.push(header);
        }
    });
    // SAFETY: they live, being counted.
    headers.into_iter().filter_map(|header| unsafe { Value::from_borrowed(Word::from_pointer(header)) }.into_ref().ok()).collect()
}

/// The containers that refer to one of `targets`.
pub(crate) fn referrers(vm: &Vm, targets: &[Value]) -> Vec<Value> {
    let mut found = Vec::new();
    vm.heap().for_each(|header| {
        if is_container(header) {
            let mut refers = false;
            // SAFETY: lives; nothing runs meanwhile.
            unsafe { traverse(header, &mut |word| refers |= targets.iter().any(|target| target.word() == word)) };
            if refers {
                found.push(header);
            }
        }
    });
    // SAFETY: they live, being counted.
    found.into_iter().map(|header| unsafe { Value::from_borrowed(Word::from_pointer(header)) }).collect()
}

/// What the object refers to directly.
pub(crate) fn referents(value: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    if let Some(header) = value.word().pointer().and_then(NonNull::new)
        && is_container(header)
    {
        // SAFETY: lives; what it owns lives too.
        unsafe {
            traverse(header, &mut |word| {
                if word != Word::UNBOUND {
                    found.push(Value::from_borrowed(word));
                }
            });
        }
    }
    found
}
