//! `_functools`: partial application, reduction, old-style comparison keys and the LRU cache.

use crate::code::instruction::Comparison;
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, NativeModule, getter, native};
use crate::object::sequence;
use crate::object::type_object::{BASE_TYPE, CallArgs, HAS_DICT, HAS_WEAKREFS, Slots, Type, TypeSpec, constructor};
use crate::object::types::TypeId;
use crate::object::types::dict::Dict;
use crate::object::types::generic_alias_methods::class_get_item;
use crate::object::types::str::Str;
use crate::object::types::type_methods::DICT;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::text::TextBuilder;
use crate::vm::{Result, Vm};

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "_functools",
    doc: "The native parts of `functools`.",
    functions: &[native("reduce(function, iterable, initial=None, /)", reduce).unpacked(), native("cmp_to_key(mycmp)", cmp_to_key)],
    types: &[&PARTIAL, &LRU_CACHE],
    init: None,
};

// ---- partial

/// `functools.partial`.
pub(crate) struct Partial {
    function: Value,
    /// A tuple.
    args: Value,
    keywords: Value,
}

impl Payload for Partial {
    const LAYOUT: Layout = Layout::Partial;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.function.word());
        visit(self.args.word());
        visit(self.keywords.word());
    }
    fn clear(&mut self) {
        self.function = Value::NONE;
        self.keywords = Value::NONE;
    }
}

pub(crate) static PARTIAL: TypeSpec = TypeSpec {
    name: "functools.partial",
    doc: "A function with some of its arguments given already.",
    layout: Layout::Partial,
    flags: BASE_TYPE | HAS_DICT | HAS_WEAKREFS,
    slots: Slots { new: Some(partial_new), call: Some(partial_call), repr: Some(partial_repr), descriptor_get: Some(partial_get), ..Slots::NONE },
    methods: &[native("__reduce__(self, /)", partial_reduce), native("__setstate__(self, object, /)", partial_set_state)],
    class_methods: &[native("__class_getitem__(cls, object, /)", class_get_item)],
    getset: &[
        DICT,
        getter("func", |vm, this| Ok(partial_of(this).get(vm).function.clone())),
        getter("args", |vm, this| Ok(partial_of(this).get(vm).args.clone())),
        getter("keywords", |vm, this| Ok(partial_of(this).get(vm).keywords.clone())),
    ],
    ..TypeSpec::DEFAULT
};

fn partial_of(value: &Value) -> &Ref<Partial> {
    value.downcast::<Partial>().expect("the slot or method was found on a partial object")
}

fn partial_new(vm: &mut Vm, class: &Ref<Type>, args: CallArgs<'_>) -> Result<Value> {
    let Some((function, rest)) = args.unnamed().split_first() else { return Err(vm.type_error("type 'partial' takes at least one argument")) };
    let mut function = function.clone();
    let mut positional = Vec::new();
    let keywords = vm.new_dict();
    // A partial of a plain partial is one partial.
    if let Some(inner) = function.downcast::<Partial>().cloned() {
        let plain = match vm.existing_dict(&function) {
            Some(dict) => dict.get(vm).len() == 0,
            None => true,
        };
        if plain && vm.type_of(&function).is(&vm.native_type(&PARTIAL)) {
            let parts = inner.get(vm);
            let (inner_function, inner_args, inner_keywords) = (parts.function.clone(), parts.args.clone(), parts.keywords.clone());
            positional = vm.tuple_items(&inner_args);
            if let Some(inner_keywords) = inner_keywords.downcast::<Dict>() {
                let copy = inner_keywords.get(vm).copy().take_all();
                vm.resize(&keywords, |dict| dict.set_all(copy));
            }
            function = inner_function;
        }
    }
    if vm.type_payload(&function).slots.call.is_none() {
        return Err(vm.type_error("the first argument must be callable"));
    }
    positional.extend(rest.iter().cloned());
    for (name, value) in args.named() {
        vm.dict_set(&keywords, name, value.clone())?;
    }
    let args = vm.new_tuple(positional);
    Ok(vm.alloc_for(class, Partial { function, args, keywords: keywords.into_value() }).into_value())
}

fn partial_call(vm: &mut Vm, this: &Value, args: CallArgs<'_>) -> Result<Value> {
    let parts = partial_of(this).get(vm);
    let (function, bound, keywords) = (parts.function.clone(), parts.args.clone(), parts.keywords.clone());
    let mut values = vm.tuple_items(&bound);
    values.extend_from_slice(args.unnamed());
    let keywords = keywords.downcast::<Dict>();
    if keywords.is_none_or(|keywords| keywords.get(vm).len() == 0) {
        values.extend(args.named().map(|(_, value)| value.clone()));
        return vm.call_args(&function, CallArgs { values: &values, names: args.names });
    }
    let merged = vm.new_dict();
    if let Some(keywords) = keywords {
        let copy = keywords.get(vm).copy().take_all();
        vm.resize(&merged, |dict| dict.set_all(copy));
    }
    for (name, value) in args.named() {
        vm.dict_set(&merged, name, value.clone())?;
    }
    let mut names = Vec::new();
    for (name, value) in merged.get(vm).items() {
        names.push(name.clone());
        values.push(value.clone());
    }
    if names.iter().any(|name| !name.holds::<Str>()) {
        return Err(vm.type_error("keywords must be strings"));
    }
    vm.call_args(&function, CallArgs { values: &values, names: &names })
}

/// A partial object found in a class is not bound, but will be in later versions.
fn partial_get(vm: &mut Vm, this: &Value, object: Option<&Value>, _: &Value) -> Result<Value> {
    if object.is_some_and(|object| !object.is_none()) {
        let message = "functools.partial will be a method descriptor in future Python versions; wrap it in staticmethod() if you want to preserve the old behavior";
        vm.warn(crate::object::types::exception::ExceptionKind::FutureWarning, message)?;
    }
    Ok(this.clone())
}

fn partial_repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let class = vm.type_of(this);
    let name = vm.class_full_name(&class);
    if !vm.enter_repr(this)? {
        return Ok(vm.new_str("..."));
    }
    let result = partial_text(vm, this);
    vm.leave_repr(this);
    let inside = result?;
    let mut text = TextBuilder::default();
    text.push_str(&name);
    text.push_str("(");
    text.push_text(&inside.finish());
    text.push_str(")");
    Ok(vm.new_str(text.finish()))
}

fn partial_text(vm: &mut Vm, this: &Value) -> Result<TextBuilder> {
    let parts = partial_of(this).get(vm);
    let (function, bound, keywords) = (parts.function.clone(), parts.args.clone(), parts.keywords.clone());
    let mut text = TextBuilder::default();
    let function = vm.repr_text(&function)?;
    text.push_text(&function);
    for argument in vm.tuple_items(&bound) {
        text.push_str(", ");
        let argument = vm.repr_text(&argument)?;
        text.push_text(&argument);
    }
    let keywords: Vec<(Value, Value)> = match keywords.downcast::<Dict>() {
        Some(keywords) => keywords.get(vm).items().map(|(name, value)| (name.clone(), value.clone())).collect(),
        None => Vec::new(),
    };
    for (name, value) in keywords {
        text.push_str(", ");
        let (name, value) = (vm.str_text(&name)?, vm.repr_text(&value)?);
        text.push_text(&name);
        text.push_str("=");
        text.push_text(&value);
    }
    Ok(text)
}

fn partial_reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let parts = partial_of(&args[0]).get(vm);
    let (function, bound, keywords) = (parts.function.clone(), parts.args.clone(), parts.keywords.clone());
    let dict = match vm.instance_dict(&args[0])? {
        Some(dict) => dict.into_value(),
        None => Value::NONE,
    };
    let class = vm.type_of(&args[0]).into_value();
    let arguments = vm.new_tuple(vec![function.clone()]);
    let state = vm.new_tuple(vec![function, bound, keywords, dict]);
    Ok(vm.new_tuple(vec![class, arguments, state]))
}

fn partial_set_state(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let state = vm.tuple_items(&args[1]);
    let [function, bound, keywords, dict] = state.as_slice() else { return Err(vm.type_error("invalid partial state")) };
    let fits = vm.type_payload(function).slots.call.is_some() && vm.is_kind(bound, TypeId::Tuple) && (keywords.is_none() || keywords.holds::<Dict>());
    if !fits {
        return Err(vm.type_error("invalid partial state"));
    }
    let bound = if vm.is_exact(bound, TypeId::Tuple) {
        bound.clone()
    } else {
        let items = vm.tuple_items(bound);
        vm.new_tuple(items)
    };
    let keywords = if vm.is_exact(keywords, TypeId::Dict) {
        keywords.clone()
    } else {
        let copy = vm.new_dict();
        if let Some(keywords) = keywords.downcast::<Dict>() {
            let entries = keywords.get(vm).copy().take_all();
            vm.resize(&copy, |dict| dict.set_all(entries));
        }
        copy.into_value()
    };
    let old = std::mem::replace(partial_of(&args[0]).get_mut(vm), Partial { function: function.clone(), args: bound, keywords });
    drop(old);
    let dict = match dict.downcast::<Dict>() {
        Some(dict) => dict.clone(),
        None => vm.new_dict(),
    };
    vm.replace_dict(&args[0], dict)?;
    Ok(Value::NONE)
}

// ---- reduce and cmp_to_key

fn reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let Some(iterator) = vm.try_iter(&args[1])? else { return Err(vm.type_error("reduce() arg 2 must support iteration")) };
    let mut result = args.given(2).cloned();
    while let Some(item) = vm.next(&iterator)? {
        result = Some(match result {
            Some(result) => vm.call(&args[0], &[result, item])?,
            None => item,
        });
    }
    match result {
        Some(result) => Ok(result),
        None => Err(vm.type_error("reduce() of empty iterable with no initial value")),
    }
}

/// A key that compares by a function of two arguments.
pub(crate) struct CompareKey {
    compare: Value,
    /// `None` in the factory that `cmp_to_key` gives back.
    object: Option<Value>,
}

impl Payload for CompareKey {
    const LAYOUT: Layout = Layout::CompareKey;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.compare.word());
        if let Some(object) = &self.object {
            visit(object.word());
        }
    }
    fn clear(&mut self) {
        self.compare = Value::NONE;
        self.object = None;
    }
}

static COMPARE_KEY: TypeSpec = TypeSpec {
    name: "functools.KeyWrapper",
    layout: Layout::CompareKey,
    flags: crate::object::type_object::NO_NEW,
    slots: Slots { call: Some(compare_key_call), compare: Some(compare_key_compare), ..Slots::NONE },
    getset: &[crate::object::native::GetSetSpec {
        name: "obj",
        get: |vm, this| Ok(compare_key(this).get(vm).object.clone().unwrap_or(Value::NONE)),
        set: Some(|vm, this, value| {
            let old = std::mem::replace(&mut compare_key(this).get_mut(vm).object, value.cloned());
            drop(old);
            Ok(())
        }),
    }],
    ..TypeSpec::DEFAULT
};

fn compare_key(value: &Value) -> &Ref<CompareKey> {
    value.downcast::<CompareKey>().expect("the slot or method was found on a comparison key")
}

fn cmp_to_key(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    Ok(sequence::make(vm, &COMPARE_KEY, CompareKey { compare: args[0].clone(), object: None }))
}

fn compare_key_call(vm: &mut Vm, this: &Value, args: CallArgs<'_>) -> Result<Value> {
    let object = match (args.unnamed(), args.names) {
        ([object], []) => object.clone(),
        ([], [name]) if sequence::text(vm, name).is_some_and(|name| name == "obj") => args.values[0].clone(),
        _ => {
            let given = args.values.len();
            return Err(vm.type_error(if given == 0 {
                "K() missing required argument 'obj' (pos 1)".to_owned()
            } else {
                format!("K() takes at most 1 argument ({given} given)")
            }));
        }
    };
    let compare = compare_key(this).get(vm).compare.clone();
    Ok(sequence::make(vm, &COMPARE_KEY, CompareKey { compare, object: Some(object) }))
}

fn compare_key_compare(vm: &mut Vm, left: &Value, right: &Value, operation: Comparison) -> Result<Value> {
    let (Some(a), Some(b)) = (left.downcast::<CompareKey>(), right.downcast::<CompareKey>()) else {
        return Err(vm.type_error("other argument must be K instance"));
    };
    let (a, b) = (a.get(vm), b.get(vm));
    let (compare, x, y) = (a.compare.clone(), a.object.clone(), b.object.clone());
    let (Some(x), Some(y)) = (x, y) else { return Err(vm.raise(crate::object::types::exception::ExceptionKind::AttributeError, "object")) };
    let order = vm.call(&compare, &[x, y])?;
    vm.compare(&order, &Value::small(0), operation)
}

// ---- lru_cache

/// A function with a cache of its results.
pub(crate) struct LruCache {
    function: Value,
    /// How many results are kept; `None` for all.
    max_size: Option<usize>,
    typed: bool,
    /// Results by key, the least recently used first.
    cache: Ref<Dict>,
    hits: i64,
    misses: i64,
    info_type: Value,
}

impl Payload for LruCache {
    const LAYOUT: Layout = Layout::LruCache;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.function.word());
        visit(self.cache.word());
        visit(self.info_type.word());
    }
    fn clear(&mut self) {
        self.function = Value::NONE;
        self.info_type = Value::NONE;
    }
}

pub(crate) static LRU_CACHE: TypeSpec = TypeSpec {
    name: "functools._lru_cache_wrapper",
    doc: "A function whose results are kept.\n\nuser_function:      the function\n\nmaxsize:  how many results are kept, the ones used last; None keeps all, 0 none\n\ntyped:    whether arguments of different types are different, as 3 and 3.0\n\ncache_info_type:    the type of what cache_info() tells",
    layout: Layout::LruCache,
    flags: BASE_TYPE | HAS_DICT | HAS_WEAKREFS,
    new: constructor("_lru_cache_wrapper(user_function, maxsize, typed, cache_info_type)", lru_new),
    slots: Slots {
        call: Some(lru_call),
        descriptor_get: Some(|vm, this, object, _| match object {
            Some(object) if !object.is_none() => Ok(vm.new_bound_method(this.clone(), object.clone())),
            _ => Ok(this.clone()),
        }),
        ..Slots::NONE
    },
    methods: &[
        native("cache_info(self, /)", lru_info),
        native("cache_clear(self, /)", lru_clear),
        native("__copy__(self, /, *args)", |_, args| Ok(args[0].clone())).unpacked(),
        native("__deepcopy__(self, /, *args)", |_, args| Ok(args[0].clone())).unpacked(),
        native("__reduce__(self, /)", |vm, args| vm.get_attr_str(&args[0], "__qualname__")),
    ],
    getset: &[DICT],
    ..TypeSpec::DEFAULT
};

fn lru_of(value: &Value) -> &Ref<LruCache> {
    value.downcast::<LruCache>().expect("the slot or method was found on an lru_cache wrapper")
}

fn lru_new(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if vm.type_payload(&args[1]).slots.call.is_none() {
        return Err(vm.type_error("the first argument must be callable"));
    }
    let max_size = if args[2].is_none() {
        None
    } else if sequence::is_indexable(vm, &args[2]) {
        Some(vm.index_i64(&args[2])?.max(0) as usize)
    } else {
        return Err(vm.type_error("maxsize should be integer or None"));
    };
    let typed = vm.is_true(&args[3])?;
    let class = args[0].downcast::<Type>().expect("a constructor gets its class");
    let cache = vm.new_dict();
    let payload = LruCache { function: args[1].clone(), max_size, typed, cache, hits: 0, misses: 0, info_type: args[4].clone() };
    Ok(vm.alloc_for(class, payload).into_value())
}

/// What the results of calls with these arguments are kept under.
fn lru_key(vm: &mut Vm, args: CallArgs<'_>, typed: bool) -> Value {
    if !typed && args.names.is_empty() {
        if let [only] = args.values {
            if only.as_small().is_some() || vm.is_exact(only, TypeId::Int) || vm.is_exact(only, TypeId::Str) {
                return only.clone();
            }
        }
        return vm.new_tuple(args.values.to_vec());
    }
    let mut parts = args.unnamed().to_vec();
    if !args.names.is_empty() {
        // No argument is the wrapper's own type, so it parts the positional ones from the named ones.
        parts.push(vm.native_type(&LRU_CACHE).into_value());
        for (name, value) in args.named() {
            parts.push(name.clone());
            parts.push(value.clone());
        }
    }
    if typed {
        for value in args.unnamed() {
            parts.push(vm.type_of(value).into_value());
        }
        for (_, value) in args.named() {
            parts.push(vm.type_of(value).into_value());
        }
    }
    vm.new_tuple(parts)
}

fn lru_call(vm: &mut Vm, this: &Value, args: CallArgs<'_>) -> Result<Value> {
    let lru = lru_of(this);
    let state = lru.get(vm);
    let (function, max_size, typed, cache) = (state.function.clone(), state.max_size, state.typed, state.cache.clone());
    if max_size == Some(0) {
        lru.get_mut(vm).misses += 1;
        return vm.call_args(&function, args);
    }
    let key = lru_key(vm, args, typed);
    let hash = vm.hash(&key)?;
    if let Some(place) = vm.dict_place(&cache, &key, hash)? {
        lru.get_mut(vm).hits += 1;
        let value = cache.get(vm).entries()[place].value.clone();
        if max_size.is_some() && cache.get(vm).last_place() != Some(place) {
            let table = cache.get_mut(vm);
            let (key, value) = table.remove_at(place);
            table.push_new(key, hash, value);
        }
        return Ok(value);
    }
    lru.get_mut(vm).misses += 1;
    let value = vm.call_args(&function, args)?;
    // The call may have put it there already, or cleared the cache.
    let cache = lru.get(vm).cache.clone();
    if let Some(place) = vm.dict_place(&cache, &key, hash)? {
        if max_size.is_none() {
            let old = std::mem::replace(&mut cache.get_mut(vm).entry_mut(place).value, value.clone());
            drop(old);
        }
        return Ok(value);
    }
    let full = max_size.is_some_and(|max| cache.get(vm).len() >= max);
    let oldest = if full { cache.get_mut(vm).pop_first() } else { None };
    vm.dict_push(&cache, key, hash, value.clone())?;
    drop(oldest);
    Ok(value)
}

fn lru_info(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let state = lru_of(&args[0]).get(vm);
    let (hits, misses, info_type) = (state.hits, state.misses, state.info_type.clone());
    let max = state.max_size.map_or(Value::NONE, |max| vm.new_int(max as i64));
    let size = Value::small(state.cache.get(vm).len() as i64);
    vm.call(&info_type, &[Value::small(hits), Value::small(misses), max, size])
}

fn lru_clear(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let state = lru_of(&args[0]).get_mut(vm);
    state.hits = 0;
    state.misses = 0;
    let cache = state.cache.clone();
    let old = vm.resize(&cache, Dict::take_all);
    drop(old);
    Ok(Value::NONE)
}
