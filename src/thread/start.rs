//! Starting a thread, its life, and the end of all of them.

use std::time::{Duration, Instant};

use super::handle::{self, Stage, ThreadObject};
use crate::gil::{Activity, Attached, QUIT, Reason, ThreadHandle};
use crate::object::type_object::CallArgs;
use crate::object::types::dict::Dict;
use crate::object::types::list::List;
use crate::object::value::{Ref, Value};
use crate::vm::vm::StatePointer;
use crate::vm::{ExceptionKind, Result, Vm};

/// The stack of a thread when the script has not said another size. Only what is used of it costs memory.
const STACK_SIZE: usize = 8 << 20;
/// The smallest stack a script may ask for.
pub(crate) const MIN_STACK_SIZE: i64 = 32 * 1024;
/// What a thread needs at least to run scripts at all.
const USABLE_STACK_SIZE: usize = 1 << 20;
/// How long daemon threads have at the end.
const GRACE: Duration = Duration::from_millis(100);
/// More threads than this are refused: the standard library's thread start does not survive the system running out of memory maps.
const MAX_THREADS: usize = 12_000;

/// Where the handles of threads that are joined at exit are kept: a list.
const JOINED_AT_EXIT: &str = "threads joined at exit";
/// Where the stack size for new threads is kept.
const STACK_SIZE_KEY: &str = "thread stack size";

/// What a new thread is to do. It waits in the interpreter's state until the thread has attached.
pub(crate) struct Start {
    thread: u64,
    function: Value,
    args: Vec<Value>,
    names: Vec<Value>,
    handle: Option<Ref<ThreadObject>>,
}

/// The stack size for new threads, as it was set; zero for the default.
pub(crate) fn stack_size(vm: &Vm) -> i64 {
    vm.state().module_state.get(STACK_SIZE_KEY).and_then(Value::as_small).unwrap_or(0)
}

/// Sets the stack size for new threads.
pub(crate) fn set_stack_size(vm: &mut Vm, size: i64) {
    vm.state_mut().module_state.insert(STACK_SIZE_KEY, Value::small(size));
}

/// Starts a thread that calls `function(*args, **kwargs)`; what `get_ident` says in it.
pub(crate) fn start(vm: &mut Vm, function: Value, args: Vec<Value>, kwargs: Option<&Ref<Dict>>, handle: Option<Ref<ThreadObject>>) -> Result<u64> {
    let shared = vm.state().shared.clone();
    if shared.is_closing() {
        return Err(vm.raise(ExceptionKind::PythonFinalizationError, "can't create new thread at interpreter shutdown"));
    }
    if vm.is_stopping() {
        return Err(vm.raise_stop());
    }
    if shared.n_threads() >= shared.limits().threads.unwrap_or(MAX_THREADS).min(MAX_THREADS) {
        return Err(vm.runtime_error("can't start new thread"));
    }
    // Every thread that has not attached yet takes one.
    let n_starting = vm.state().starting.len() + 1;
    if !vm.reserve_stacks(n_starting) {
        return Err(vm.runtime_error("can't start new thread"));
    }
    let mut args = args;
    let mut names = Vec::new();
    if let Some(kwargs) = kwargs {
        for (name, value) in kwargs.get(vm).items() {
            names.push(name.clone());
            args.push(value.clone());
        }
    }
    let thread = shared.register_thread();
    shared.inherit_stop(&thread, &vm.thread);
    let id = thread.id;
    if let Some(handle) = &handle {
        let payload = handle.get_mut(vm);
        payload.stage = Stage::Starting;
        payload.thread = id;
    }
    vm.state_mut().starting.push(Start { thread: id, function, args, names, handle: handle.clone() });
    let state = StatePointer::new(vm);
    let size = match stack_size(vm) {
        0 => STACK_SIZE,
        size => (size as usize).max(USABLE_STACK_SIZE),
    };
    let spawned = {
        let shared = shared.clone();
        let thread = thread.clone();
        crate::os::thread::spawn(size, move || {
            let attached = Attached::new(&shared, || thread);
            live(&state, attached.thread());
        })
    };
    let Ok(ident) = spawned else {
        shared.forget_thread(&thread);
        let start = take_start(vm, id);
        drop(start);
        if let Some(handle) = &handle {
            handle.get_mut(vm).stage = Stage::NotStarted;
        }
        return Err(vm.runtime_error("can't start new thread"));
    };
    if let Some(handle) = &handle {
        let payload = handle.get_mut(vm);
        payload.ident = ident;
        payload.stage = Stage::Running;
    }
    Ok(ident)
}

fn take_start(vm: &mut Vm, thread: u64) -> Option<Start> {
    let starting = &mut vm.state_mut().starting;
    let place = starting.iter().position(|start| start.thread == thread)?;
    Some(starting.remove(place))
}

/// A thread's life, from its first attach to its last detach.
fn live(state: &StatePointer, thread: &ThreadHandle) {
    let mut vm = state.attached_vm(thread.clone(), crate::os::stack::limit());
    let vm = &mut *vm;
    vm.enter();
    let Some(Start { function, args, names, handle, .. }) = take_start(vm, thread.id) else { return };
    if !vm.is_quitting() {
        let result = vm.call_args(&function, CallArgs { values: &args, names: &names });
        drop(args);
        if result.is_err() {
            if vm.is_stopping() || vm.is_quitting() || vm.raised_is(ExceptionKind::SystemExit) {
                drop(vm.take_raised());
            } else {
                vm.write_unraisable_of("Exception ignored in thread started by", &function);
            }
        }
    }
    drop(function);
    vm.stop_tracing();
    vm.drain_if_dead();
    super::local::forget_thread(vm);
    vm.drain_if_dead();
    if let Some(handle) = handle {
        handle::mark_done(vm, &handle);
        forget_handle(vm, &handle);
    }
    vm.drain_if_dead();
    vm.give_back_budget();
    vm.uncount_stack();
}

/// The list of handles that `shutdown` joins.
fn joined_at_exit(vm: &mut Vm) -> Ref<List> {
    let known = vm.state().module_state.get(JOINED_AT_EXIT).and_then(|list| list.downcast::<List>()).cloned();
    known.unwrap_or_else(|| {
        let list = vm.new_list(Vec::new());
        vm.state_mut().module_state.insert(JOINED_AT_EXIT, list.clone());
        list.into_ref().expect("a list was made")
    })
}

/// Has the program wait for the thread at its end.
pub(crate) fn join_at_exit(vm: &mut Vm, handle: &Ref<ThreadObject>) {
    let list = joined_at_exit(vm);
    let handle: Value = (**handle).clone();
    list.get_mut(vm).items.push(handle);
}

/// The program does not wait for the thread any more.
pub(crate) fn forget_handle(vm: &mut Vm, handle: &Ref<ThreadObject>) {
    let list = joined_at_exit(vm);
    let place = list.get(vm).items.iter().position(|other| other.is(handle));
    if let Some(place) = place {
        let gone = list.get_mut(vm).items.swap_remove(place);
        drop(gone);
    }
}

/// Waits for every thread that is no daemon.
pub(crate) fn shutdown(vm: &mut Vm) -> Result<()> {
    loop {
        let list = joined_at_exit(vm);
        let next = list.get(vm).items.iter().find_map(|item| {
            let handle = item.downcast::<ThreadObject>()?;
            let payload = handle.get(vm);
            (!matches!(payload.stage, Stage::Done | Stage::NotStarted) && payload.thread != vm.thread.id).then(|| handle.clone())
        });
        let Some(handle) = next else { return Ok(()) };
        handle::wait_for(vm, &handle, None)?;
    }
}

/// The end of the interpreter: daemon threads leave at their next check or wait. Whether all have; those that have not (they are stuck outside)
/// never get the GIL again, and what they might use must stay.
pub(crate) fn end_daemons(vm: &mut Vm) -> bool {
    let shared = vm.state().shared.clone();
    shared.start_closing();
    let deadline = Instant::now() + GRACE;
    while shared.n_threads() > 1 && Instant::now() < deadline {
        let ticket = vm.thread.wait.begin(Activity::OtherThreads);
        let soon = Instant::now() + Duration::from_micros(500);
        let _: Reason = shared.block(&vm.thread, ticket, Some(soon));
    }
    let all_gone = shared.n_threads() <= 1;
    if all_gone {
        shared.breaker.clear(QUIT);
    } else {
        shared.close();
    }
    all_gone
}
