//! The making of an interpreter's state: types before there are types, then names, exceptions and the first modules.
#![allow(unsafe_code, reason = "the first objects are made before their types, which are put into their headers afterwards")]

use std::cell::OnceCell;
use std::ptr::NonNull;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::state::{CachedList, INTERN_CACHE, Library, Name, Options, SHAPE_CACHE, ShapeCacheEntry, State, TYPE_CACHE, TypeCacheEntry};
use super::vm::{Result, Vm};
use crate::object::heap::{Heap, set_first_type};
use crate::object::layout::Payload;
use crate::object::shape::ShapeTable;
use crate::object::type_object::{IMMUTABLE, Type, TypeParts, UNFILLED};
use crate::object::types::dict::Dict;
use crate::object::types::{TYPES, TypeId};
use crate::object::value::{Ref, Value};
use crate::object::word::Word;

fn first<T: Payload>(heap: &Heap, payload: T) -> Ref<T> {
    let header = heap.allocate(std::ptr::null_mut(), payload, 0);
    // SAFETY: fresh, with a count of one that is ours; its type is set before anything looks at it.
    unsafe { Ref::from_owned(Word::from_pointer(header)) }
}

/// The state of a new interpreter; its types and modules are made by [`complete`].
pub(crate) fn new_state(shared: Arc<crate::gil::Shared>, hash_seed: u64, options: Options, library: Library) -> Box<State> {
    let heap = Heap::new(shared.clone());
    let (builtins, modules, sys) = (first(&heap, Dict::default()), first(&heap, Dict::default()), first(&heap, Dict::default()));
    let mut types: Vec<Ref<Type>> = Vec::new();
    let mut native_types = FxHashMap::default();
    for (_, spec) in TYPES {
        let parts = TypeParts {
            flags: spec.flags | IMMUTABLE | UNFILLED,
            extra_words: u16::from(super::class::keeps_dict_behind(spec.flags, spec.layout)),
            layout: spec.layout,
            name: Value::NONE,
            qualname: Value::NONE,
            base: None,
            bases: Value::NONE,
            dict: first(&heap, Dict::default()),
            fixed_slots: 0,
            spec: Some(spec),
        };
        let class = first(&heap, Type::new(parts));
        native_types.insert(std::ptr::from_ref::<crate::object::type_object::TypeSpec>(spec) as usize, class.clone());
        types.push(class);
    }
    let (type_type, dict_type) = (types[TypeId::Type as usize].clone(), types[TypeId::Dict as usize].clone());
    for class in &types {
        set_first_type(class, &type_type);
        // SAFETY: nothing else refers to the payload yet.
        let dict = unsafe { (*class.as_ptr()).dict_as_is().clone() };
        set_first_type(&dict, &dict_type);
    }
    for dict in [&builtins, &modules, &sys] {
        set_first_type(dict, &dict_type);
    }
    Box::new(State {
        types,
        exceptions: Vec::new(),
        exception_group: None,
        native_types,
        constructor_signatures: FxHashMap::default(),
        builtins,
        modules,
        sys,
        names: Vec::new(),
        empty_tuple: Value::NONE,
        empty_str: Value::NONE,
        empty_bytes: Value::NONE,
        characters: [const { OnceCell::new() }; 128],
        shapes: ShapeTable::default(),
        method_table: Vec::new(),
        intern_cache: std::cell::RefCell::new(vec![Value::NONE; INTERN_CACHE]),
        cached: CachedList::default(),
        library_names: std::cell::RefCell::default(),
        shape_cache: vec![ShapeCacheEntry::EMPTY; SHAPE_CACHE],
        type_cache: vec![TypeCacheEntry { epoch: 0, class: Word::NONE, name: Value::NONE, value: Word::UNBOUND }; TYPE_CACHE],
        type_epoch: 1,
        next_version: 0,
        hash_seed,
        n_tracing: 0,
        recursion_limit: shared.limits().depth.unwrap_or(usize::MAX).min(1000),
        shared,
        starting: Vec::new(),
        handed_down: FxHashMap::default(),
        module_state: FxHashMap::default(),
        options,
        library,
        int_max_str_digits: 4300,
        import_function: None,
        collector: crate::object::cycle::Collector::default(),
        live: Vec::new(),
        watchdog: None,
        mailbox: Arc::default(),
        spare_stacks: Vec::new(),
        import_locks: super::import::ImportLocks::default(),
        heap,
    })
}

/// Gives the state its strings, the types their attributes, and makes the modules that are always there.
pub(crate) fn complete(vm: &mut Vm) -> Result<()> {
    // The empty values stand for themselves in `new_tuple` and its like.
    let empty_tuple = vm.alloc(TypeId::Tuple, crate::object::types::tuple::Tuple::new(Vec::new())).into_value();
    let empty_str = vm.alloc(TypeId::Str, crate::object::types::str::Str::new(crate::text::Text::new())).into_value();
    let empty_bytes = vm.alloc(TypeId::Bytes, crate::object::types::bytes::Bytes { data: Box::default() }).into_value();
    let state = vm.state_mut();
    state.empty_tuple = empty_tuple;
    state.empty_str = empty_str;
    state.empty_bytes = empty_bytes;
    let names: Vec<Value> = Name::TEXTS.iter().map(|text| vm.intern(text)).collect();
    vm.state_mut().names = names;

    for (id, spec) in TYPES {
        let class = vm.builtin(*id);
        let name = vm.intern(spec.name.rsplit('.').next().unwrap_or(spec.name));
        let base = match spec.base {
            Some(base) => Some(vm.native_type(base)),
            None if *id == TypeId::Object => None,
            None => Some(vm.builtin(TypeId::Object)),
        };
        let bases: Vec<Value> = base.iter().map(|base| (**base).clone()).collect();
        let bases = vm.new_tuple(bases);
        let payload = class.get_mut(vm);
        payload.name = name.clone();
        payload.qualname = name;
        payload.base = base;
        payload.bases = bases;
        vm.link_native_type(&class);
    }
    crate::object::types::exception_methods::make_exception_types(vm);
    Ok(())
}

/// A state with nobody in it, to be used by `Vm`s.
pub(crate) fn into_pointer(state: Box<State>) -> NonNull<State> {
    NonNull::from(Box::leak(state))
}

/// Frees a state. Types go with the heap, since instances that are left refer to them without a count.
///
/// # Safety
/// `state` came from [`into_pointer`], and no `Vm` uses it any more.
pub(crate) unsafe fn free(state: NonNull<State>) {
    // SAFETY: the caller's promise.
    let mut state = unsafe { Box::from_raw(state.as_ptr()) };
    state.types.drain(..).chain(state.exceptions.drain(..)).chain(state.exception_group.take()).for_each(std::mem::forget);
    state.native_types.drain().for_each(std::mem::forget);
    drop(state);
}
