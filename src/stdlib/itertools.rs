//! `itertools`: iterators made from iterators. All types share one payload, whose variant says which it is.

use smallvec::SmallVec;

use super::itertools_state::{REDUCE, SET_STATE, new_grouper, new_tee_block};
use crate::object::account::vec_bytes;
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, NativeModule, native};
use crate::object::sequence;
use crate::object::type_object::{BASE_TYPE, BinaryOperator, CallArgs, Slots, Type, TypeSpec, constructor};
use crate::object::types::TypeId;
use crate::object::types::generic_alias_methods::class_get_item;
use crate::object::types::list::List;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::vm::{Result, Vm};

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "itertools",
    doc: "Iterators made of iterators.",
    functions: &[native("tee(iterable, n=2, /)", tee)],
    types: &[
        &ACCUMULATE,
        &BATCHED,
        &CHAIN,
        &COMBINATIONS,
        &COMBINATIONS_WITH_REPLACEMENT,
        &COMPRESS,
        &COUNT,
        &CYCLE,
        &DROP_WHILE,
        &FILTER_FALSE,
        &GROUP_BY,
        &ISLICE,
        &PAIRWISE,
        &PERMUTATIONS,
        &PRODUCT,
        &REPEAT,
        &STAR_MAP,
        &TAKE_WHILE,
        &ZIP_LONGEST,
        &GROUPER,
        &TEE,
        &TEE_BLOCK,
    ],
    init: None,
};

/// What an iterator of this module holds.
pub(crate) enum Itertool {
    Accumulate {
        iterator: Value,
        function: Value,
        total: Option<Value>,
        initial: Option<Value>,
    },
    Batched {
        iterator: Option<Value>,
        size: usize,
        strict: bool,
    },
    Chain {
        source: Option<Value>,
        active: Option<Value>,
    },
    /// `indices` is empty-handed until the first item; `replacement` lets an index repeat.
    Combinations {
        pool: Vec<Value>,
        indices: Vec<usize>,
        started: bool,
        stopped: bool,
        replacement: bool,
        r: usize,
    },
    Compress {
        data: Value,
        selectors: Value,
    },
    Count {
        next: Value,
        step: Value,
    },
    Cycle {
        iterator: Option<Value>,
        /// A list, which copies of the iterator share.
        saved: Value,
        index: usize,
        /// The values are saved already (a pickle was taken), and `iterator` gives the rest of one turn.
        first_pass: bool,
    },
    DropWhile {
        predicate: Value,
        iterator: Value,
        started: bool,
    },
    FilterFalse {
        predicate: Value,
        iterator: Value,
    },
    GroupBy {
        iterator: Value,
        key: Value,
        target: Option<Value>,
        current_key: Option<Value>,
        current: Option<Value>,
        group: u64,
    },
    Grouper {
        parent: Value,
        target: Value,
        group: u64,
    },
    Islice {
        iterator: Option<Value>,
        next: usize,
        stop: Option<usize>,
        step: usize,
        seen: usize,
    },
    Pairwise {
        iterator: Option<Value>,
        old: Option<Value>,
    },
    Permutations {
        pool: Vec<Value>,
        indices: Vec<usize>,
        cycles: Vec<usize>,
        started: bool,
        stopped: bool,
        r: usize,
    },
    Product {
        pools: Vec<Vec<Value>>,
        indices: Vec<usize>,
        started: bool,
        stopped: bool,
    },
    Repeat {
        value: Value,
        left: Option<i64>,
    },
    StarMap {
        function: Value,
        iterator: Value,
    },
    TakeWhile {
        predicate: Value,
        iterator: Value,
        stopped: bool,
    },
    Tee {
        block: Value,
        index: usize,
    },
    /// Values that some of the iterators of a `tee` have read already, and the block behind them.
    TeeBlock {
        iterator: Value,
        values: Vec<Value>,
        next: Option<Value>,
        running: bool,
    },
    ZipLongest {
        iterators: Vec<Option<Value>>,
        fill: Value,
        active: usize,
    },
    /// Taken apart by the collector.
    Cleared,
}

impl Payload for Itertool {
    const LAYOUT: Layout = Layout::Itertool;
    const IS_CONTAINER: bool = true;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        match self {
            Self::Combinations { pool, indices, .. } => vec_bytes(pool) + vec_bytes(indices),
            _ => 0,
        }
    }
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        let (values, options, lists): (&[&Value], &[&Option<Value>], &[&Vec<Value>]) = match self {
            Self::Accumulate { iterator, function, total, initial } => (&[iterator, function], &[total, initial], &[]),
            Self::Batched { iterator, .. } | Self::Islice { iterator, .. } => (&[], &[iterator], &[]),
            Self::Chain { source, active } => (&[], &[source, active], &[]),
            Self::Combinations { pool, .. } | Self::Permutations { pool, .. } => (&[], &[], &[pool]),
            Self::Compress { data, selectors } => (&[data, selectors], &[], &[]),
            Self::Count { next, step } => (&[next, step], &[], &[]),
            Self::Cycle { iterator, saved, .. } => (&[saved], &[iterator], &[]),
            Self::DropWhile { predicate, iterator, .. } | Self::FilterFalse { predicate, iterator } | Self::TakeWhile { predicate, iterator, .. } => {
                (&[predicate, iterator], &[], &[])
            }
            Self::GroupBy { iterator, key, target, current_key, current, .. } => (&[iterator, key], &[target, current_key, current], &[]),
            Self::Grouper { parent, target, .. } => (&[parent, target], &[], &[]),
            Self::Pairwise { iterator, old } => (&[], &[iterator, old], &[]),
            Self::Product { pools, .. } => {
                pools.iter().flatten().for_each(|value| visit(value.word()));
                (&[], &[], &[])
            }
            Self::Repeat { value, .. } => (&[value], &[], &[]),
            Self::StarMap { function, iterator } => (&[function, iterator], &[], &[]),
            Self::Tee { block, .. } => (&[block], &[], &[]),
            Self::TeeBlock { iterator, values, next, .. } => (&[iterator], &[next], &[values]),
            Self::ZipLongest { iterators, fill, .. } => {
                iterators.iter().flatten().for_each(|value| visit(value.word()));
                (&[fill], &[], &[])
            }
            Self::Cleared => (&[], &[], &[]),
        };
        for value in values {
            visit(value.word());
        }
        options.iter().filter_map(|value| value.as_ref()).for_each(|value| visit(value.word()));
        lists.iter().flat_map(|list| list.iter()).for_each(|value| visit(value.word()));
    }
    fn clear(&mut self) {
        drop(std::mem::replace(self, Self::Cleared));
    }
}

/// How many values a block of a `tee` holds.
const BLOCK: usize = 57;

pub(super) fn of(value: &Value) -> &Ref<Itertool> {
    value.downcast::<Itertool>().expect("the slot or method was found on an iterator of itertools")
}

/// The fields of a variant, to be changed; whoever finds another variant has nothing more to give.
macro_rules! fields {
    ($vm:ident, $this:expr, $variant:ident { $($field:ident),* }) => {
        let Itertool::$variant { $($field,)* .. } = of($this).get_mut($vm) else { return Ok(None) };
    };
}

type Next = fn(&mut Vm, &Value) -> Result<Option<Value>>;
type New = fn(&mut Vm, &Ref<Type>, CallArgs<'_>) -> Result<Value>;

const fn spec(name: &'static str, doc: &'static str, next: Next) -> TypeSpec {
    TypeSpec {
        name,
        doc,
        layout: Layout::Itertool,
        flags: BASE_TYPE,
        slots: Slots { iter: Some(sequence::iter_self), next: Some(next), ..Slots::NONE },
        ..TypeSpec::DEFAULT
    }
}

/// A spec whose constructor takes its arguments unbound.
const fn raw(name: &'static str, doc: &'static str, new: New, next: Next) -> TypeSpec {
    TypeSpec { slots: Slots { new: Some(new), iter: Some(sequence::iter_self), next: Some(next), ..Slots::NONE }, ..spec(name, doc, next) }
}

fn made(vm: &mut Vm, args: &Args<'_>, payload: Itertool) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("a constructor gets its class");
    Ok(vm.alloc_for(class, payload).into_value())
}

// ---- accumulate

static ACCUMULATE: TypeSpec = TypeSpec {
    methods: &[REDUCE, SET_STATE],
    new: constructor("accumulate(iterable, func=None, *, initial=None)", |vm, args| {
        let iterator = vm.iter(&args[1])?;
        let payload = Itertool::Accumulate { iterator, function: args.or_none(2), total: None, initial: args.given_some(3).cloned() };
        made(vm, &args, payload)
    }),
    ..spec("itertools.accumulate", "The sum of the first item, of the first two, and so on; or what another function makes of them.", accumulate_next)
};

fn accumulate_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    fields!(vm, this, Accumulate { iterator, function, total, initial });
    if let Some(initial) = initial.take() {
        *total = Some(initial.clone());
        return Ok(Some(initial));
    }
    let (iterator, function) = (iterator.clone(), function.clone());
    let Some(value) = vm.next(&iterator)? else { return Ok(None) };
    fields!(vm, this, Accumulate { total });
    let new = match total.clone() {
        None => value,
        Some(old) if function.is_none() => vm.binary(BinaryOperator::Add, &old, &value)?,
        Some(old) => vm.call(&function, &[old, value])?,
    };
    fields!(vm, this, Accumulate { total });
    let old = total.replace(new.clone());
    drop(old);
    Ok(Some(new))
}

// ---- batched

static BATCHED: TypeSpec = TypeSpec {
    new: constructor("batched(iterable, n, *, strict=False)", |vm, args| {
        let size = vm.index_i64(&args[2])?;
        let strict = match args.given(3) {
            Some(strict) => vm.is_true(strict)?,
            None => false,
        };
        if size < 1 {
            return Err(vm.value_error("n must be at least one"));
        }
        let iterator = Some(vm.iter(&args[1])?);
        made(vm, &args, Itertool::Batched { iterator, size: size as usize, strict })
    }),
    ..spec(
        "itertools.batched",
        "The items in tuples of n, the last of which may be shorter (an error with strict=True).\n\nNo more items are taken than the next tuple needs.\n\n    >>> list(batched('ABCDE', 2))\n    [('A', 'B'), ('C', 'D'), ('E',)]",
        batched_next,
    )
};

fn batched_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    fields!(vm, this, Batched { iterator, size, strict });
    let (size, strict) = (*size, *strict);
    let Some(source) = iterator.clone() else { return Ok(None) };
    let mut items = Vec::new();
    while items.len() < size {
        if items.len() == items.capacity() {
            vm.check_room(items.len() * 16)?;
        }
        match vm.next(&source)? {
            Some(item) => items.push(item),
            None => break,
        }
        if items.len() % 1024 == 0 {
            vm.poll()?;
        }
    }
    if items.len() < size {
        fields!(vm, this, Batched { iterator });
        let exhausted = iterator.take();
        drop(exhausted);
        if items.is_empty() {
            return Ok(None);
        }
        if strict {
            return Err(vm.value_error("batched(): incomplete batch"));
        }
    }
    Ok(Some(vm.new_tuple(items)))
}

// ---- chain

static CHAIN: TypeSpec = TypeSpec {
    methods: &[REDUCE, SET_STATE],
    class_methods: &[native("from_iterable(cls, iterable, /)", chain_from_iterable), native("__class_getitem__(cls, object, /)", class_get_item)],
    ..raw(
        "itertools.chain",
        "The items of the first iterable, then those of the next one, to the end of the last.",
        |vm, class, args| {
            let args = sequence::names_for_init(vm, class, "chain", args)?;
            let all = vm.new_tuple(args.values.to_vec());
            let source = Some(vm.iter(&all)?);
            Ok(vm.alloc_for(class, Itertool::Chain { source, active: None }).into_value())
        },
        chain_next,
    )
};

fn chain_from_iterable(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let source = Some(vm.iter(&args[1])?);
    made(vm, &args, Itertool::Chain { source, active: None })
}

fn chain_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    loop {
        fields!(vm, this, Chain { source, active });
        let iterator = match (active.clone(), source.clone()) {
            (_, None) => return Ok(None),
            (Some(active), _) => active,
            (None, Some(outer)) => {
                let next = vm.next(&outer).and_then(|iterable| iterable.map(|iterable| vm.iter(&iterable)).transpose());
                fields!(vm, this, Chain { source, active });
                match next {
                    Ok(Some(iterator)) => {
                        *active = Some(iterator.clone());
                        iterator
                    }
                    Ok(None) => {
                        let exhausted = source.take();
                        drop(exhausted);
                        return Ok(None);
                    }
                    Err(raised) => {
                        let exhausted = source.take();
                        drop(exhausted);
                        return Err(raised);
                    }
                }
            }
        };
        if let Some(item) = vm.next(&iterator)? {
            return Ok(Some(item));
        }
        fields!(vm, this, Chain { active });
        let exhausted = active.take();
        drop(exhausted);
        drop(iterator);
    }
}

// ---- combinations, permutations, product

static COMBINATIONS: TypeSpec = TypeSpec {
    methods: &[REDUCE, SET_STATE],
    new: constructor("combinations(iterable, r)", |vm, args| combinations_new(vm, &args, false)),
    ..spec(
        "itertools.combinations",
        "Every choice of r items, in the order of the items, none twice.\n\ncombinations('ABC', 2) --> AB, AC, BC",
        combinations_next,
    )
};

static COMBINATIONS_WITH_REPLACEMENT: TypeSpec = TypeSpec {
    methods: &[REDUCE, SET_STATE],
    new: constructor("combinations_with_replacement(iterable, r)", |vm, args| combinations_new(vm, &args, true)),
    ..spec(
        "itertools.combinations_with_replacement",
        "Every choice of r items, in the order of the items, each as often as one likes.\n\ncombinations_with_replacement('AB', 2) --> AA, AB, BB",
        combinations_next,
    )
};

fn combinations_new(vm: &mut Vm, args: &Args<'_>, replacement: bool) -> Result<Value> {
    let r = vm.index_i64(&args[2])?;
    let pool = vm.collect(&args[1])?;
    if r < 0 {
        return Err(vm.value_error("r must be non-negative"));
    }
    let r = r as usize;
    let stopped = if replacement { pool.is_empty() && r > 0 } else { r > pool.len() };
    if !stopped {
        vm.charge(r.saturating_mul(16))?;
    }
    let indices = match (stopped, replacement) {
        (true, _) => Vec::new(),
        (false, true) => vec![0; r],
        (false, false) => (0..r).collect(),
    };
    made(vm, args, Itertool::Combinations { pool, indices, started: false, stopped, replacement, r })
}

/// The items of a pool at these indices.
fn picked(pool: &[Value], indices: &[usize]) -> SmallVec<[Value; 3]> {
    indices.iter().map(|&index| pool[index].clone()).collect()
}

fn combinations_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    fields!(vm, this, Combinations { pool, indices, started, stopped, replacement });
    if *stopped {
        return Ok(None);
    }
    if *started {
        let (n, r) = (pool.len(), indices.len());
        let at = if *replacement { (0..r).rev().find(|&at| indices[at] != n - 1) } else { (0..r).rev().find(|&at| indices[at] != at + n - r) };
        let Some(at) = at else {
            *stopped = true;
            return Ok(None);
        };
        let first = indices[at] + 1;
        for (offset, index) in indices[at..].iter_mut().enumerate() {
            *index = if *replacement { first } else { first + offset };
        }
    }
    *started = true;
    let items = picked(pool, indices);
    Ok(Some(vm.new_tuple(items)))
}

static PERMUTATIONS: TypeSpec = TypeSpec {
    methods: &[REDUCE, SET_STATE],
    new: constructor("permutations(iterable, r=None)", |vm, args| {
        let pool = vm.collect(&args[1])?;
        let r = match args.given_some(2) {
            None => pool.len() as i64,
            Some(r) => {
                if !vm.is_int(r) {
                    return Err(vm.type_error("Expected int as r"));
                }
                vm.index_i64(r)?
            }
        };
        if r < 0 {
            return Err(vm.value_error("r must be non-negative"));
        }
        let (n, r) = (pool.len(), r as usize);
        let stopped = r > n;
        let cycles = if stopped { Vec::new() } else { (0..r).map(|at| n - at).collect() };
        made(vm, &args, Itertool::Permutations { pool, indices: (0..n).collect(), cycles, started: false, stopped, r })
    }),
    ..spec(
        "itertools.permutations",
        "Every choice of r items in every order (all the items if r is not given).\n\npermutations('ABC', 2) --> AB, AC, BA, BC, CA, CB",
        permutations_next,
    )
};

fn permutations_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    fields!(vm, this, Permutations { pool, indices, cycles, started, stopped });
    if *stopped {
        return Ok(None);
    }
    let (n, r) = (pool.len(), cycles.len());
    if *started {
        let mut moved = false;
        for at in (0..r).rev() {
            cycles[at] -= 1;
            if cycles[at] == 0 {
                indices[at..].rotate_left(1);
                cycles[at] = n - at;
            } else {
                indices.swap(at, n - cycles[at]);
                moved = true;
                break;
            }
        }
        if !moved {
            *stopped = true;
            return Ok(None);
        }
    }
    *started = true;
    let items = picked(pool, &indices[..r]);
    Ok(Some(vm.new_tuple(items)))
}

static PRODUCT: TypeSpec = TypeSpec {
    methods: &[REDUCE, SET_STATE],
    ..raw(
        "itertools.product",
        "Every tuple that takes one item of each iterable; the last place changes fastest.\n\nproduct('AB', repeat=2) takes two of the same: AA, AB, BA, BB",
        product_new,
        product_next,
    )
};

fn product_new(vm: &mut Vm, class: &Ref<Type>, args: CallArgs<'_>) -> Result<Value> {
    let mut repeat = 1;
    if args.names.len() > 1 {
        return Err(vm.type_error(format!("product() takes at most 1 keyword argument ({} given)", args.names.len())));
    }
    for (name, value) in args.named() {
        let name = sequence::text(vm, name).unwrap_or_default();
        if name != "repeat" {
            return Err(vm.type_error(format!("product() got an unexpected keyword argument '{name}'")));
        }
        repeat = vm.index_i64(value)?;
        if repeat < 0 {
            return Err(vm.value_error("repeat argument cannot be negative"));
        }
    }
    let given = args.unnamed();
    let repeat = repeat as usize;
    if given.len().checked_mul(repeat).is_none_or(|total| total > isize::MAX as usize / 64) {
        return Err(vm.overflow_error("repeat argument too large"));
    }
    vm.charge(given.len() * repeat * 32)?;
    let mut once = Vec::with_capacity(given.len());
    if repeat > 0 {
        for iterable in given {
            once.push(vm.collect(iterable)?);
        }
    }
    let mut pools = Vec::with_capacity(once.len() * repeat);
    for _ in 0..repeat {
        pools.extend(once.iter().cloned());
    }
    let stopped = pools.iter().any(Vec::is_empty);
    let indices = vec![0; pools.len()];
    Ok(vm.alloc_for(class, Itertool::Product { pools, indices, started: false, stopped }).into_value())
}

fn product_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    fields!(vm, this, Product { pools, indices, started, stopped });
    if *stopped {
        *started = true;
        return Ok(None);
    }
    if *started {
        let mut at = indices.len();
        loop {
            if at == 0 {
                *stopped = true;
                return Ok(None);
            }
            at -= 1;
            indices[at] += 1;
            if indices[at] < pools[at].len() {
                break;
            }
            indices[at] = 0;
        }
    }
    *started = true;
    let items: SmallVec<[Value; 3]> = pools.iter().zip(indices.iter()).map(|(pool, &index)| pool[index].clone()).collect();
    Ok(Some(vm.new_tuple(items)))
}

// ---- compress, count, cycle

static COMPRESS: TypeSpec = TypeSpec {
    methods: &[REDUCE],
    new: constructor("compress(data, selectors)", |vm, args| {
        let data = vm.iter(&args[1])?;
        let selectors = vm.iter(&args[2])?;
        made(vm, &args, Itertool::Compress { data, selectors })
    }),
    ..spec("itertools.compress", "The items of data for which the selector at the same place is true.", |vm, this| {
        fields!(vm, this, Compress { data, selectors });
        let (data, selectors) = (data.clone(), selectors.clone());
        loop {
            let Some(item) = vm.next(&data)? else { return Ok(None) };
            let Some(selector) = vm.next(&selectors)? else { return Ok(None) };
            if vm.is_true(&selector)? {
                return Ok(Some(item));
            }
            vm.poll_after(1)?;
        }
    })
};

static COUNT: TypeSpec = TypeSpec {
    methods: &[REDUCE],
    new: constructor("count(start=0, step=1)", |vm, args| {
        let mut numbers = [Value::small(0), Value::small(1)];
        for (place, number) in numbers.iter_mut().enumerate() {
            if let Some(given) = args.given(place + 1) {
                if !is_number(vm, given) {
                    return Err(vm.type_error("a number is required"));
                }
                *number = given.clone();
            }
        }
        let [next, step] = numbers;
        made(vm, &args, Itertool::Count { next, step })
    }),
    slots: Slots { repr: Some(count_repr), iter: Some(sequence::iter_self), next: Some(count_next), ..Slots::NONE },
    ..spec("itertools.count", "start, start + step, start + 2 * step ... without end.", count_next)
};

fn is_number(vm: &Vm, value: &Value) -> bool {
    let slots = &vm.type_payload(value).slots;
    slots.index.is_some() || slots.int.is_some() || slots.float.is_some() || vm.is_kind(value, TypeId::Complex)
}

fn count_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    fields!(vm, this, Count { next, step });
    let (number, step) = (next.clone(), step.clone());
    let following = match (number.as_small(), step.as_small()) {
        (Some(number), Some(step)) => vm.new_int(number + step),
        _ => vm.binary(BinaryOperator::Add, &number, &step)?,
    };
    fields!(vm, this, Count { next });
    let old = std::mem::replace(next, following);
    drop(old);
    Ok(Some(number))
}

fn count_repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let Itertool::Count { next, step } = of(this).get(vm) else { return Ok(vm.new_str("count()")) };
    let (next, step) = (next.clone(), step.clone());
    let first = vm.repr_text(&next)?;
    if step.as_small() == Some(1) {
        return Ok(vm.new_str(format!("count({first})")));
    }
    let step = vm.repr_text(&step)?;
    Ok(vm.new_str(format!("count({first}, {step})")))
}

static CYCLE: TypeSpec = TypeSpec {
    methods: &[REDUCE, SET_STATE],
    new: constructor("cycle(iterable, /)", |vm, args| {
        let iterator = Some(vm.iter(&args[1])?);
        let saved = vm.new_list(Vec::new());
        made(vm, &args, Itertool::Cycle { iterator, saved, index: 0, first_pass: false })
    }),
    ..spec("itertools.cycle", "The items again and again; they are kept during the first round.", cycle_next)
};

fn cycle_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    fields!(vm, this, Cycle { iterator });
    if let Some(source) = iterator.clone() {
        let item = vm.next(&source)?;
        fields!(vm, this, Cycle { saved, first_pass });
        if let Some(item) = item {
            let saved = saved.clone();
            if !*first_pass && let Some(saved) = saved.downcast::<List>() {
                crate::object::types::list_methods::push(vm, saved, item.clone())?;
            }
            return Ok(Some(item));
        }
        fields!(vm, this, Cycle { iterator });
        let exhausted = iterator.take();
        drop(exhausted);
    }
    fields!(vm, this, Cycle { saved, index });
    let (saved, place) = (saved.clone(), *index);
    let Some(saved) = saved.downcast::<List>() else { return Ok(None) };
    let items = &saved.get(vm).items;
    let (item, count) = (items.get(place).cloned(), items.len());
    fields!(vm, this, Cycle { index });
    *index = if place + 1 >= count { 0 } else { place + 1 };
    Ok(item)
}

// ---- dropwhile, takewhile, filterfalse, starmap

static DROP_WHILE: TypeSpec = TypeSpec {
    methods: &[REDUCE, SET_STATE],
    new: constructor("dropwhile(predicate, iterable, /)", |vm, args| {
        let iterator = vm.iter(&args[2])?;
        made(vm, &args, Itertool::DropWhile { predicate: args[1].clone(), iterator, started: false })
    }),
    ..spec("itertools.dropwhile", "What comes from the first item on for which the predicate is false.", |vm, this| {
        fields!(vm, this, DropWhile { predicate, iterator, started });
        let (predicate, iterator, begun) = (predicate.clone(), iterator.clone(), *started);
        loop {
            let Some(item) = vm.next(&iterator)? else { return Ok(None) };
            if begun {
                return Ok(Some(item));
            }
            let answer = vm.call(&predicate, std::slice::from_ref(&item))?;
            if !vm.is_true(&answer)? {
                fields!(vm, this, DropWhile { started });
                *started = true;
                return Ok(Some(item));
            }
            vm.poll_after(1)?;
        }
    })
};

static TAKE_WHILE: TypeSpec = TypeSpec {
    methods: &[REDUCE, SET_STATE],
    new: constructor("takewhile(predicate, iterable, /)", |vm, args| {
        let iterator = vm.iter(&args[2])?;
        made(vm, &args, Itertool::TakeWhile { predicate: args[1].clone(), iterator, stopped: false })
    }),
    ..spec("itertools.takewhile", "The items before the first for which the predicate is false.", |vm, this| {
        fields!(vm, this, TakeWhile { predicate, iterator, stopped });
        if *stopped {
            return Ok(None);
        }
        let (predicate, iterator) = (predicate.clone(), iterator.clone());
        let Some(item) = vm.next(&iterator)? else { return Ok(None) };
        let answer = vm.call(&predicate, std::slice::from_ref(&item))?;
        if vm.is_true(&answer)? {
            return Ok(Some(item));
        }
        fields!(vm, this, TakeWhile { stopped });
        *stopped = true;
        Ok(None)
    })
};

static FILTER_FALSE: TypeSpec = TypeSpec {
    methods: &[REDUCE],
    new: constructor("filterfalse(function, iterable, /)", |vm, args| {
        let iterator = vm.iter(&args[2])?;
        made(vm, &args, Itertool::FilterFalse { predicate: args[1].clone(), iterator })
    }),
    ..spec(
        "itertools.filterfalse",
        "The items for which the function's result is false; with None for the function, the items\nthat are false themselves.",
        |vm, this| {
            fields!(vm, this, FilterFalse { predicate, iterator });
            let (predicate, iterator) = (predicate.clone(), iterator.clone());
            let plain = predicate.is_none() || predicate.is(&vm.builtin(TypeId::Bool));
            loop {
                let Some(item) = vm.next(&iterator)? else { return Ok(None) };
                let drop = if plain {
                    vm.is_true(&item)?
                } else {
                    let answer = vm.call(&predicate, std::slice::from_ref(&item))?;
                    vm.is_true(&answer)?
                };
                if !drop {
                    return Ok(Some(item));
                }
                vm.poll_after(1)?;
            }
        },
    )
};

static STAR_MAP: TypeSpec = TypeSpec {
    methods: &[REDUCE],
    new: constructor("starmap(function, iterable, /)", |vm, args| {
        let iterator = vm.iter(&args[2])?;
        made(vm, &args, Itertool::StarMap { function: args[1].clone(), iterator })
    }),
    ..spec("itertools.starmap", "The function's results, each tuple of the iterable being its arguments.", |vm, this| {
        fields!(vm, this, StarMap { function, iterator });
        let (function, iterator) = (function.clone(), iterator.clone());
        let Some(arguments) = vm.next(&iterator)? else { return Ok(None) };
        let arguments = vm.collect(&arguments)?;
        vm.call(&function, &arguments).map(Some)
    })
};

// ---- groupby

static GROUP_BY: TypeSpec = TypeSpec {
    methods: &[REDUCE, SET_STATE],
    new: constructor("groupby(iterable, key=None)", |vm, args| {
        let iterator = vm.iter(&args[1])?;
        let payload = Itertool::GroupBy { iterator, key: args.or_none(2), target: None, current_key: None, current: None, group: 0 };
        made(vm, &args, payload)
    }),
    ..spec(
        "itertools.groupby",
        "Runs of items with equal keys, as pairs of the key and an iterator over the run\n\n  iterable\n    What the items come from.\n  key\n    Makes an item's key; None takes the item itself.",
        group_by_next,
    )
};

pub(super) static GROUPER: TypeSpec = TypeSpec {
    flags: 0,
    new: constructor("_grouper(parent, tgtkey, /)", new_grouper),
    methods: &[REDUCE],
    ..spec("itertools._grouper", "", grouper_next)
};

/// Reads the next element and its key; false at the end.
fn group_step(vm: &mut Vm, this: &Value) -> Result<bool> {
    let Itertool::GroupBy { iterator, key, .. } = of(this).get(vm) else { return Ok(false) };
    let (iterator, key) = (iterator.clone(), key.clone());
    let Some(value) = vm.next(&iterator)? else { return Ok(false) };
    let value_key = if key.is_none() { value.clone() } else { vm.call(&key, std::slice::from_ref(&value))? };
    let Itertool::GroupBy { current_key, current, .. } = of(this).get_mut(vm) else { return Ok(false) };
    let old = (current_key.replace(value_key), current.replace(value));
    drop(old);
    Ok(true)
}

fn group_by_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    fields!(vm, this, GroupBy { group });
    *group += 1;
    loop {
        fields!(vm, this, GroupBy { target, current_key });
        match (target.clone(), current_key.clone()) {
            (_, None) => {}
            (None, Some(_)) => break,
            (Some(target), Some(key)) => {
                if !vm.equal(&target, &key)? {
                    break;
                }
            }
        }
        if !group_step(vm, this)? {
            return Ok(None);
        }
        vm.poll_after(1)?;
    }
    fields!(vm, this, GroupBy { target, current_key, group });
    let Some(key) = current_key.clone() else { return Ok(None) };
    let group = *group;
    let old = target.replace(key.clone());
    drop(old);
    let grouper = sequence::make(vm, &GROUPER, Itertool::Grouper { parent: this.clone(), target: key.clone(), group });
    Ok(Some(vm.new_pair(key, grouper)))
}

fn grouper_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    fields!(vm, this, Grouper { parent, target, group });
    let (parent, target, own) = (parent.clone(), target.clone(), *group);
    fields!(vm, &parent, GroupBy { current, group });
    if *group != own {
        return Ok(None);
    }
    if current.is_none() && !group_step(vm, &parent)? {
        return Ok(None);
    }
    fields!(vm, &parent, GroupBy { current_key });
    let Some(key) = current_key.clone() else { return Ok(None) };
    if !vm.equal(&target, &key)? {
        return Ok(None);
    }
    fields!(vm, &parent, GroupBy { current, current_key });
    let old = current_key.take();
    let item = current.take();
    drop(old);
    Ok(item)
}

// ---- islice

static ISLICE: TypeSpec = TypeSpec {
    methods: &[REDUCE, SET_STATE],
    ..raw(
        "itertools.islice",
        "islice(iterable, stop) --> an iterator\nislice(iterable, start, stop[, step]) --> an iterator\n\nWhat a slice of the same numbers would have, none of which may be negative, taken from any\niterable: the items before start are read and dropped.",
        islice_new,
        islice_next,
    )
};

const STOP: &str = "Stop argument for islice() must be None or an integer: 0 <= x <= sys.maxsize.";
const INDICES: &str = "Indices for islice() must be None or an integer: 0 <= x <= sys.maxsize.";

/// A number of `islice`: `None` for `None`; an error for what is neither that nor a number in range.
fn islice_number(vm: &mut Vm, value: &Value, least: i64, message: &str) -> Result<Option<usize>> {
    if value.is_none() {
        return Ok(None);
    }
    match vm.index_i64(value) {
        Ok(number) if number >= least => Ok(Some(number as usize)),
        // A stop of -1 is CPython's sign of what is no number; below that it is a number out of range.
        Ok(..-1) if message == STOP => Err(vm.value_error(INDICES)),
        Ok(_) => Err(vm.value_error(message)),
        Err(_) => {
            let _ = vm.take_raised();
            Err(vm.value_error(message))
        }
    }
}

fn islice_new(vm: &mut Vm, class: &Ref<Type>, args: CallArgs<'_>) -> Result<Value> {
    const STEP: &str = "Step for islice() must be a positive integer or None.";
    let args = sequence::names_for_init(vm, class, "islice", args)?;
    sequence::positional(vm, "islice", args, 2, 4)?;
    let (start, stop) = match args.values {
        [_, stop] => (0, islice_number(vm, stop, 0, STOP)?),
        [_, start, stop, ..] => {
            let stop = islice_number(vm, stop, 0, STOP)?;
            (islice_number(vm, start, 0, INDICES)?.unwrap_or(0), stop)
        }
        _ => (0, None),
    };
    let step = match args.values.get(3) {
        Some(step) => islice_number(vm, step, 1, STEP)?.unwrap_or(1),
        None => 1,
    };
    let iterator = Some(vm.iter(&args.values[0])?);
    Ok(vm.alloc_for(class, Itertool::Islice { iterator, next: start, stop, step, seen: 0 }).into_value())
}

fn islice_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    fields!(vm, this, Islice { iterator });
    let Some(source) = iterator.clone() else { return Ok(None) };
    let found = loop {
        fields!(vm, this, Islice { next, stop, seen });
        let wanted = *seen >= *next;
        if wanted && stop.is_some_and(|stop| *seen >= stop) {
            break None;
        }
        let Some(item) = vm.next(&source)? else { break None };
        fields!(vm, this, Islice { seen });
        *seen += 1;
        if wanted {
            break Some(item);
        }
        vm.poll_after(1)?;
    };
    fields!(vm, this, Islice { iterator, next, stop, step });
    if found.is_some() {
        let following = next.saturating_add(*step);
        *next = stop.map_or(following, |stop| following.min(stop));
    } else {
        let exhausted = iterator.take();
        drop(exhausted);
    }
    Ok(found)
}

// ---- pairwise, repeat

static PAIRWISE: TypeSpec = TypeSpec {
    new: constructor("pairwise(iterable, /)", |vm, args| {
        let iterator = Some(vm.iter(&args[1])?);
        made(vm, &args, Itertool::Pairwise { iterator, old: None })
    }),
    ..spec("itertools.pairwise", "Each item with its successor.\n\n    'ABCD' -> AB, BC, CD", pairwise_next)
};

fn pairwise_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    fields!(vm, this, Pairwise { iterator, old });
    let Some(source) = iterator.clone() else { return Ok(None) };
    if old.is_none() {
        let first = vm.next(&source)?;
        fields!(vm, this, Pairwise { old });
        let ended = first.is_none();
        let previous = std::mem::replace(old, first);
        drop(previous);
        fields!(vm, this, Pairwise { iterator, old });
        if ended || iterator.is_none() {
            let rest = (iterator.take(), old.take());
            drop(rest);
            return Ok(None);
        }
    }
    fields!(vm, this, Pairwise { old });
    let before = old.clone();
    let new = vm.next(&source)?;
    fields!(vm, this, Pairwise { iterator, old });
    let (Some(before), Some(new)) = (before, new) else {
        let rest = (iterator.take(), old.take());
        drop(rest);
        return Ok(None);
    };
    let previous = old.replace(new.clone());
    drop(previous);
    Ok(Some(vm.new_pair(before, new)))
}

static REPEAT: TypeSpec = TypeSpec {
    new: constructor("repeat(object, times=None)", |vm, args| {
        let left = match args.given(2) {
            Some(times) => Some(vm.index_i64(times)?.max(0)),
            None => None,
        };
        made(vm, &args, Itertool::Repeat { value: args[1].clone(), left })
    }),
    slots: Slots { repr: Some(repeat_repr), iter: Some(sequence::iter_self), next: Some(repeat_next), ..Slots::NONE },
    methods: &[native("__length_hint__(self, /)", repeat_length_hint), REDUCE],
    ..spec("itertools.repeat", "repeat(object [,times]) -> the same object so many times, or without end.", repeat_next)
};

fn repeat_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    fields!(vm, this, Repeat { value, left });
    match left {
        Some(0) => return Ok(None),
        Some(left) => *left -= 1,
        None => {}
    }
    Ok(Some(value.clone()))
}

fn repeat_repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let Itertool::Repeat { value, left } = of(this).get(vm) else { return Ok(vm.new_str("repeat()")) };
    let (value, left) = (value.clone(), *left);
    let value = vm.repr_text(&value)?;
    Ok(vm.new_str(match left {
        Some(left) => format!("repeat({value}, {left})"),
        None => format!("repeat({value})"),
    }))
}

fn repeat_length_hint(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    match of(&args[0]).get(vm) {
        Itertool::Repeat { left: Some(left), .. } => Ok(vm.new_int(*left)),
        _ => Err(vm.type_error("len() of unsized object")),
    }
}

// ---- tee

static TEE: TypeSpec = TypeSpec {
    new: constructor("_tee(iterable, /)", |vm, args| {
        let iterator = vm.iter(&args[1])?;
        Ok(first_tee(vm, iterator))
    }),
    methods: &[native("__copy__(self, /)", tee_copy), REDUCE, SET_STATE],
    ..spec("itertools._tee", "One of several iterators over the same items.", tee_next)
};

pub(super) static TEE_BLOCK: TypeSpec = TypeSpec {
    flags: 0,
    new: constructor("_tee_dataobject(it, values, next, /)", new_tee_block),
    methods: &[REDUCE],
    ..spec("itertools._tee_dataobject", "Values that some iterators of a tee have read already.", |_, _| Ok(None))
};

fn new_block(vm: &mut Vm, iterator: Value) -> Value {
    sequence::make(vm, &TEE_BLOCK, Itertool::TeeBlock { iterator, values: Vec::new(), next: None, running: false })
}

fn first_tee(vm: &mut Vm, iterator: Value) -> Value {
    let block = new_block(vm, iterator);
    sequence::make(vm, &TEE, Itertool::Tee { block, index: 0 })
}

fn tee_copy(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let Itertool::Tee { block, index } = of(&args[0]).get(vm) else { return Ok(args[0].clone()) };
    let copy = Itertool::Tee { block: block.clone(), index: *index };
    Ok(sequence::make(vm, &TEE, copy))
}

fn tee_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    fields!(vm, this, Tee { block, index });
    let (mut current, mut at) = (block.clone(), *index);
    if at >= BLOCK {
        fields!(vm, &current, TeeBlock { iterator, next });
        let (iterator, known) = (iterator.clone(), next.clone());
        let following = match known {
            Some(next) => next,
            None => {
                let made = new_block(vm, iterator);
                fields!(vm, &current, TeeBlock { next });
                *next = Some(made.clone());
                made
            }
        };
        current = following;
        at = 0;
        fields!(vm, this, Tee { block, index });
        let old = std::mem::replace(block, current.clone());
        *index = 0;
        drop(old);
    }
    fields!(vm, &current, TeeBlock { iterator, values, running });
    let item = match values.get(at) {
        Some(item) => item.clone(),
        None => {
            if *running {
                return Err(vm.runtime_error("cannot re-enter the tee iterator"));
            }
            *running = true;
            let iterator = iterator.clone();
            let next = vm.next(&iterator);
            fields!(vm, &current, TeeBlock { values, running });
            *running = false;
            let Some(item) = next? else { return Ok(None) };
            values.push(item.clone());
            item
        }
    };
    fields!(vm, this, Tee { index });
    *index = at + 1;
    Ok(Some(item))
}

fn tee(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let n = match args.given(1) {
        Some(n) => vm.index_i64(n)?,
        None => 2,
    };
    if n < 0 {
        return Err(vm.value_error("n must be >= 0"));
    }
    vm.charge((n as usize).saturating_mul(64))?;
    if n == 0 {
        return Ok(vm.empty_tuple());
    }
    let iterator = vm.iter(&args[0])?;
    let copyable = vm.find_attr_str(&iterator, "__copy__")?.is_some();
    let first = if copyable { iterator } else { first_tee(vm, iterator) };
    let mut all = vec![first.clone()];
    for _ in 1..n {
        all.push(vm.call_method(&first, "__copy__", &[])?);
    }
    Ok(vm.new_tuple(all))
}

// ---- zip_longest

static ZIP_LONGEST: TypeSpec = TypeSpec {
    methods: &[REDUCE, SET_STATE],
    ..raw(
        "itertools.zip_longest",
        "Tuples of the first items of the iterables, of the second ones, and so on, as far as the longest goes;\nfillvalue (None if not given) stands for what the shorter ones lack.",
        |vm, class, args| {
            let mut fill = Value::NONE;
            for (name, value) in args.named() {
                if sequence::text(vm, name).is_none_or(|name| name != "fillvalue") {
                    return Err(vm.type_error("zip_longest() got an unexpected keyword argument"));
                }
                fill = value.clone();
            }
            let mut iterators = Vec::with_capacity(args.unnamed().len());
            for iterable in args.unnamed() {
                iterators.push(Some(vm.iter(iterable)?));
            }
            let active = iterators.len();
            Ok(vm.alloc_for(class, Itertool::ZipLongest { iterators, fill, active }).into_value())
        },
        zip_longest_next,
    )
};

fn zip_longest_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    fields!(vm, this, ZipLongest { iterators, fill, active });
    if *active == 0 {
        return Ok(None);
    }
    let (count, fill) = (iterators.len(), fill.clone());
    let mut items = SmallVec::<[Value; 3]>::with_capacity(count);
    for place in 0..count {
        fields!(vm, this, ZipLongest { iterators });
        let Some(iterator) = iterators[place].clone() else {
            items.push(fill.clone());
            continue;
        };
        let next = vm.next(&iterator);
        fields!(vm, this, ZipLongest { iterators, active });
        match next {
            Ok(Some(item)) => items.push(item),
            Ok(None) => {
                if *active <= 1 {
                    // The last one stays where it is, as a pickle shows.
                    *active = 0;
                    return Ok(None);
                }
                let exhausted = iterators[place].take();
                *active -= usize::from(exhausted.is_some());
                drop(exhausted);
                items.push(fill.clone());
            }
            Err(raised) => {
                *active = 0;
                return Err(raised);
            }
        }
    }
    Ok(Some(vm.new_tuple(items)))
}
