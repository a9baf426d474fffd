//! `_thread.lock` and `_thread.RLock`. A release lets the lock be taken at once and wakes one waiter, which takes it if it is still free; a waiter that
//! came too late several times is the lock's heir, for whom it is kept. (Always handing the lock itself over would make a convoy.)

use std::collections::VecDeque;
use std::time::Instant;

use super::timeout::{self, Woken};
use crate::gil::{Activity, Waiter};
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, Native, native};
use crate::object::type_object::{BASE_TYPE, CallArgs, HAS_WEAKREFS, Slots, Type, TypeSpec};
use crate::object::types::tuple::Tuple;
use crate::object::value::{Ref, Value};
use crate::vm::{ExceptionKind, Result, Vm};

/// The longest timeout in seconds.
pub(crate) const TIMEOUT_MAX: f64 = 9_223_372_036.0;
/// How often a waiter may find the lock taken again before it is kept for it.
const MAX_MISSES: u32 = 8;

/// A lock. `_thread.lock` counts to one and has no owner.
#[derive(Default)]
pub(crate) struct Lock {
    count: usize,
    /// The scheduler's number of the thread that holds an `RLock`.
    owner: u64,
    /// What `get_ident` says of that thread.
    owner_ident: u64,
    waiters: VecDeque<Waiter>,
    /// The thread it is kept for; zero for none.
    heir: u64,
}

impl Payload for Lock {
    const LAYOUT: Layout = Layout::Lock;
}

impl Lock {
    /// The lock is free: wakes who may take it.
    fn wake_one(&mut self) {
        if self.heir != 0 {
            // Nobody else could take it. Where the heir waits no more it is on its way here, and takes the lock or lets others.
            while let Some(place) = self.waiters.iter().position(|waiter| waiter.is_of(self.heir)) {
                if self.waiters.remove(place).is_some_and(|waiter| waiter.grant()) {
                    return;
                }
            }
            return;
        }
        while let Some(waiter) = self.waiters.pop_front() {
            if waiter.grant() {
                return;
            }
        }
    }
}

const METHODS: &[Native] = &[
    native("acquire(self, /, blocking=True, timeout=-1)", acquire_lock),
    native("acquire_lock(self, /, blocking=True, timeout=-1)", acquire_lock),
    native("release(self, /)", release_lock),
    native("release_lock(self, /)", release_lock),
    native("locked(self, /)", is_locked),
    native("locked_lock(self, /)", is_locked),
    native("__enter__(self, /)", acquire_lock),
    native("__exit__(self, exc_type=None, exc_value=None, exc_tb=None, /)", release_lock).unpacked(),
    native("_at_fork_reinit(self, /)", reset),
];

pub(crate) static LOCK: TypeSpec = TypeSpec {
    name: "_thread.lock",
    doc: "A lock: held by one thread at a time, released by any.",
    layout: Layout::Lock,
    flags: HAS_WEAKREFS,
    slots: Slots { new: Some(new_lock), repr: Some(repr_lock), ..Slots::NONE },
    methods: METHODS,
    ..TypeSpec::DEFAULT
};

pub(crate) static RLOCK: TypeSpec = TypeSpec {
    name: "_thread.RLock",
    doc: "A lock that the thread that holds it can take again.",
    layout: Layout::Lock,
    flags: BASE_TYPE | HAS_WEAKREFS,
    slots: Slots { new: Some(new_rlock), repr: Some(repr_rlock), ..Slots::NONE },
    methods: &[
        native("acquire(self, /, blocking=True, timeout=-1)", acquire_rlock),
        native("release(self, /)", release_rlock),
        native("__enter__(self, /)", acquire_rlock),
        native("__exit__(self, exc_type=None, exc_value=None, exc_tb=None, /)", release_rlock).unpacked(),
        native("_is_owned(self, /)", |vm, args| {
            let lock = lock_of(args).get(vm);
            Ok(Value::from_bool(lock.count > 0 && lock.owner == vm.thread.id))
        }),
        native("_recursion_count(self, /)", |vm, args| {
            let lock = lock_of(args).get(vm);
            Ok(Value::small(if lock.owner == vm.thread.id { lock.count as i64 } else { 0 }))
        }),
        native("_release_save(self, /)", release_save),
        native("_acquire_restore(self, state, /)", acquire_restore),
        native("_at_fork_reinit(self, /)", reset),
    ],
    ..TypeSpec::DEFAULT
};

fn new_lock(vm: &mut Vm, class: &Ref<Type>, args: CallArgs<'_>) -> Result<Value> {
    if !args.is_empty() {
        return Err(vm.type_error(format!("lock expected 0 arguments, got {}", args.values.len())));
    }
    Ok(vm.alloc_for(class, Lock::default()).into_value())
}

fn new_rlock(vm: &mut Vm, class: &Ref<Type>, _: CallArgs<'_>) -> Result<Value> {
    Ok(vm.alloc_for(class, Lock::default()).into_value())
}

/// `_thread.allocate_lock()`
pub(crate) fn allocate(vm: &mut Vm) -> Value {
    let class = vm.native_type(&LOCK);
    vm.alloc_for(&class, Lock::default()).into_value()
}

fn lock_of<'a>(args: Args<'a>) -> &'a Ref<Lock> {
    args.all()[0].downcast::<Lock>().expect("a method of a lock's type")
}

/// What `acquire(blocking, timeout)` asks for: whether to wait, and until when.
fn wait_until(vm: &mut Vm, args: Args<'_>) -> Result<(bool, Option<Instant>)> {
    let is_blocking = match args.given(1) {
        Some(blocking) => vm.is_true(blocking)?,
        None => true,
    };
    let Some(timeout) = args.given(2) else { return Ok((is_blocking, None)) };
    let nanoseconds = timeout::nanoseconds(vm, timeout)?;
    let is_unset = nanoseconds == -1_000_000_000;
    if !is_blocking && !is_unset {
        return Err(vm.value_error("can't specify a timeout for a non-blocking call"));
    }
    if nanoseconds < 0 && !is_unset {
        return Err(vm.value_error("timeout value must be a non-negative number"));
    }
    if nanoseconds as f64 > TIMEOUT_MAX * 1e9 {
        return Err(vm.overflow_error("timeout value is too large"));
    }
    if is_unset { Ok((is_blocking, None)) } else { Ok((nanoseconds > 0, timeout::deadline(nanoseconds))) }
}

/// Takes the lock `count` times over, waiting for it; whether it was got.
fn acquire(vm: &mut Vm, lock: &Ref<Lock>, count: usize, is_blocking: bool, deadline: Option<Instant>) -> Result<bool> {
    let me = vm.thread.id;
    let mut misses = 0;
    loop {
        let payload = lock.get_mut(vm);
        if payload.count == 0 && (payload.heir == 0 || payload.heir == me) {
            payload.count = count;
            payload.owner = me;
            payload.heir = 0;
            payload.owner_ident = 0;
            return Ok(true);
        }
        if !is_blocking {
            return Ok(false);
        }
        if misses >= MAX_MISSES && payload.heir == 0 {
            payload.heir = me;
        }
        let thread = vm.thread.clone();
        let activity = if vm.type_payload(lock).spec.is_some_and(|spec| std::ptr::eq(spec, &raw const RLOCK)) {
            Activity::RLock(lock.address())
        } else {
            Activity::Lock(lock.address())
        };
        let ticket = thread.wait.begin(activity);
        let waiter = Waiter::new(thread.clone(), ticket);
        let payload = lock.get_mut(vm);
        if misses == 0 {
            payload.waiters.push_back(waiter);
        } else {
            payload.waiters.push_front(waiter);
        }
        let since = vm.state().shared.is_observed().then(Instant::now);
        let woken = vm.wait(ticket, deadline);
        if let Some(since) = since {
            let place = vm.place();
            vm.state().shared.note_contention(place, since.elapsed());
        }
        misses += 1;
        let payload = lock.get_mut(vm);
        if !matches!(woken, Ok(Woken::Look)) {
            payload.waiters.retain(|waiter| !waiter.is(&thread, ticket));
            if payload.heir == me {
                payload.heir = 0;
                if payload.count == 0 {
                    payload.wake_one();
                }
            }
        }
        if woken? == Woken::Timeout {
            let payload = lock.get_mut(vm);
            if payload.count != 0 || payload.heir != 0 {
                return Ok(false);
            }
        }
    }
}

/// Lets the lock go once, and wakes one waiter when it is free.
fn release(vm: &mut Vm, lock: &Ref<Lock>) {
    let payload = lock.get_mut(vm);
    payload.count -= 1;
    if payload.count == 0 {
        payload.owner = 0;
        if !payload.waiters.is_empty() {
            payload.wake_one();
        }
    }
}

fn acquire_lock(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let lock = lock_of(args);
    if args.len() == 1 || (args.given(1).is_none() && args.given(2).is_none()) {
        let me = vm.thread.id;
        let payload = lock.get_mut(vm);
        if payload.count == 0 && payload.heir == 0 {
            payload.count = 1;
            payload.owner = me;
            return Ok(Value::TRUE);
        }
    }
    let (is_blocking, deadline) = wait_until(vm, args)?;
    Ok(Value::from_bool(acquire(vm, lock, 1, is_blocking, deadline)?))
}

fn release_lock(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let lock = lock_of(args);
    if lock.get(vm).count == 0 {
        return Err(vm.runtime_error("release unlocked lock"));
    }
    release(vm, lock);
    Ok(Value::NONE)
}

fn is_locked(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    Ok(Value::from_bool(lock_of(args).get(vm).count > 0))
}

fn reset(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    *lock_of(args).get_mut(vm) = Lock::default();
    Ok(Value::NONE)
}

fn acquire_rlock(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let lock = lock_of(args);
    // `__enter__` has no further parameters.
    let (is_blocking, deadline) = if args.len() > 1 { wait_until(vm, args)? } else { (true, None) };
    let me = vm.thread.id;
    let payload = lock.get_mut(vm);
    if payload.count > 0 && payload.owner == me {
        payload.count += 1;
        return Ok(Value::TRUE);
    }
    let got = acquire(vm, lock, 1, is_blocking, deadline)?;
    if got {
        lock.get_mut(vm).owner_ident = crate::os::thread::ident();
    }
    Ok(Value::from_bool(got))
}

fn check_owned(vm: &mut Vm, lock: &Ref<Lock>) -> Result<()> {
    let payload = lock.get(vm);
    if payload.count == 0 || payload.owner != vm.thread.id {
        return Err(vm.raise(ExceptionKind::RuntimeError, "cannot release un-acquired lock"));
    }
    Ok(())
}

fn release_rlock(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let lock = lock_of(args);
    check_owned(vm, lock)?;
    release(vm, lock);
    Ok(Value::NONE)
}

fn release_save(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let lock = lock_of(args);
    check_owned(vm, lock)?;
    let payload = lock.get_mut(vm);
    let (count, ident) = (payload.count, payload.owner_ident);
    payload.count = 1;
    release(vm, lock);
    let (count, ident) = (Value::small(count as i64), vm.new_int(ident as i64));
    Ok(vm.new_tuple(vec![count, ident]))
}

fn acquire_restore(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let lock = lock_of(args);
    if args[1].downcast::<Tuple>().is_none() {
        let name = vm.type_name(&args[1]);
        return Err(vm.type_error(format!("_acquire_restore() argument 1 must be 2-item sequence, not {name}")));
    }
    let items = vm.tuple_items(&args[1]);
    let [count, ident] = items.as_slice() else {
        return Err(vm.type_error(format!("_acquire_restore() argument 1 must be 2-item sequence, not {}", items.len())));
    };
    let (count, ident) = (vm.index_i64(count)?, vm.index_i64(ident)?);
    acquire(vm, lock, usize::try_from(count).unwrap_or(1).max(1), true, None)?;
    lock.get_mut(vm).owner_ident = ident as u64;
    Ok(Value::NONE)
}

fn state_word(lock: &Lock) -> &'static str {
    if lock.count > 0 { "locked" } else { "unlocked" }
}

fn repr_lock(vm: &mut Vm, this: &Value) -> Result<Value> {
    let lock = this.downcast::<Lock>().expect("a lock's slot");
    let state = state_word(lock.get(vm));
    let class = vm.type_of(this);
    let name = vm.class_full_name(&class);
    Ok(vm.new_str(format!("<{state} {name} object at {:#x}>", this.address())))
}

fn repr_rlock(vm: &mut Vm, this: &Value) -> Result<Value> {
    let lock = this.downcast::<Lock>().expect("a lock's slot");
    let payload = lock.get(vm);
    let (state, owner, count) = (state_word(payload), if payload.count > 0 { payload.owner_ident } else { 0 }, payload.count);
    let class = vm.type_of(this);
    let name = vm.class_full_name(&class);
    Ok(vm.new_str(format!("<{state} {name} object owner={owner} count={count} at {:#x}>", this.address())))
}
