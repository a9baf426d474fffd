//! `faulthandler`: the stacks of all threads, now, after some time, or when a signal comes.
//!
//! Faults of the process itself (`SIGSEGV` and its kin) are not caught: scripts can cause none. `enable` is remembered and does nothing.

use crate::gil::{Activity, Attached, Reason, Waiter};
use crate::object::native::{Args, NativeModule, native};
use crate::object::types::list::List;
use crate::object::value::Value;
use crate::os::file;
use crate::thread::timeout;
use crate::vm::vm::StatePointer;
use crate::vm::{ExceptionKind, Result, Vm};

pub(crate) static MODULE: NativeModule = NativeModule {
    name: "faulthandler",
    doc: "Shows where the threads of a program are.",
    functions: &[
        native("enable(file=sys.stderr, all_threads=True)", |vm, args| {
            descriptor(vm, args.given(0))?;
            vm.state_mut().module_state.insert(ENABLED, Value::TRUE);
            Ok(Value::NONE)
        }),
        native("disable()", |vm, _| {
            let was = vm.state_mut().module_state.remove(ENABLED);
            Ok(Value::from_bool(was.is_some()))
        }),
        native("is_enabled()", |vm, _| Ok(Value::from_bool(vm.state().module_state.contains_key(ENABLED)))),
        native("dump_traceback(file=sys.stderr, all_threads=True)", |vm, args| {
            let fd = descriptor(vm, args.given(0))?;
            let all = args.given(1).map_or(Ok(true), |all| vm.is_true(all))?;
            dump(vm, fd, all);
            Ok(Value::NONE)
        }),
        native("dump_traceback_later(timeout, repeat=False, file=sys.stderr, exit=False)", dump_later),
        native("cancel_dump_traceback_later()", |vm, _| {
            cancel(vm);
            Ok(Value::NONE)
        }),
        native("register(signum, file=sys.stderr, all_threads=True, chain=False)", register),
        native("unregister(signum, /)", unregister),
        native("_on_signal(signum, frame, /)", |vm, args| {
            let number = vm.index_i64(&args[0])?;
            for entry in registered(vm) {
                let [known, fd, all, chained] = entry.as_slice() else { continue };
                if vm.index_i64(known)? != number {
                    continue;
                }
                let (fd, all) = (vm.index_i64(fd)? as i32, vm.is_true(all)?);
                dump(vm, fd, all);
                if vm.type_payload(chained).slots.call.is_some() && !vm.is_int(chained) {
                    vm.call(chained, &[args[0].clone(), args[1].clone()])?;
                }
            }
            Ok(Value::NONE)
        }),
    ],
    types: &[],
    init: None,
};

const ENABLED: &str = "faulthandler is enabled";
/// The rows of `register`: a list of tuples.
const REGISTERED: &str = "faulthandler signals";

/// Where the stacks are written: a descriptor, or the one of a file.
fn descriptor(vm: &mut Vm, given: Option<&Value>) -> Result<i32> {
    let file = match given {
        Some(file) if !file.is_none() => file.clone(),
        _ => match vm.sys_get("stderr")? {
            Some(file) if !file.is_none() => file,
            Some(_) => return Err(vm.runtime_error("sys.stderr is None")),
            None => return Err(vm.runtime_error("unable to get sys.stderr")),
        },
    };
    if vm.is_int(&file) {
        let fd = vm.index_i64(&file)?;
        return i32::try_from(fd).ok().filter(|&fd| fd >= 0).ok_or_else(|| vm.value_error("file is not a valid file descriptor"));
    }
    let number = vm.call_method(&file, "fileno", &[])?;
    if !vm.is_int(&number) {
        return Err(vm.runtime_error("file.fileno() is not a valid file descriptor"));
    }
    let fd = vm.index_i64(&number)?;
    let Some(fd) = i32::try_from(fd).ok().filter(|&fd| fd >= 0) else {
        return Err(vm.runtime_error("file.fileno() is not a valid file descriptor"));
    };
    if vm.call_method(&file, "flush", &[]).is_err() {
        vm.take_raised();
    }
    Ok(fd)
}

fn dump(vm: &mut Vm, fd: i32, all: bool) {
    let text = if all { vm.all_stacks() } else { vm.own_stack() };
    write(fd, &text);
}

fn write(fd: i32, text: &str) {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        match file::write(fd, rest) {
            Ok(count) if count > 0 => rest = &rest[count..],
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // There is nobody to tell.
            _ => return,
        }
    }
}

// ---- later

/// Ends the wait of the thread that would write later.
fn cancel(vm: &mut Vm) {
    if let Some(waiter) = vm.state_mut().watchdog.take() {
        waiter.grant();
    }
}

fn dump_later(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let nanoseconds = timeout::nanoseconds(vm, &args[0])?;
    if nanoseconds <= 0 {
        return Err(vm.value_error("timeout must be greater than 0"));
    }
    let repeats = args.given(1).map_or(Ok(false), |repeat| vm.is_true(repeat))?;
    let fd = descriptor(vm, args.given(2))?;
    let exits = args.given(3).map_or(Ok(false), |exit| vm.is_true(exit))?;
    cancel(vm);
    let shared = vm.state().shared.clone();
    let Some(thread) = shared.register_unless_closing() else { return Ok(Value::NONE) };
    thread.set_name("faulthandler".to_owned());
    let state = StatePointer::new(vm);
    let mut ticket = thread.wait.begin(Activity::Sleep);
    vm.state_mut().watchdog = Some(Waiter::new(thread.clone(), ticket));
    let seconds = nanoseconds / 1_000_000_000;
    let fraction = if nanoseconds % 1_000_000_000 == 0 { String::new() } else { format!(".{:06}", nanoseconds % 1_000_000_000 / 1000) };
    let header = format!("Timeout ({}:{:02}:{:02}{fraction})!\n", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let watched = thread.clone();
    let for_thread = shared.clone();
    let spawned = crate::os::thread::spawn(1 << 20, move || {
        loop {
            let deadline = timeout::deadline(nanoseconds);
            if watched.wait.park(ticket, deadline) != Reason::Timeout {
                break;
            }
            let attached = Attached::new(&for_thread, || watched.clone());
            let mut vm = state.attached_vm(watched.clone(), crate::os::stack::limit());
            write(fd, &header);
            // This thread runs no script: the others' stacks are what is wanted.
            let stacks = vm.all_stacks();
            write(fd, stacks.rsplit_once("Current thread").map_or(&stacks, |(others, _)| others));
            if exits {
                crate::os::process::exit_now(1);
            }
            // Without a script's frames there is nothing to come back to: the next wait begins before the GIL is let go.
            let again = repeats && vm.state().watchdog.is_some();
            if again {
                ticket = watched.wait.begin(Activity::Sleep);
                vm.state_mut().watchdog = Some(Waiter::new(watched.clone(), ticket));
            } else {
                vm.state_mut().watchdog = None;
            }
            drop(vm);
            attached.leave();
            if !again || for_thread.is_closing() {
                break;
            }
        }
        for_thread.forget_thread(&watched);
    });
    if spawned.is_err() {
        shared.forget_thread(&thread);
        vm.state_mut().watchdog = None;
        return Err(vm.runtime_error("unable to start watchdog thread"));
    }
    Ok(Value::NONE)
}

// ---- when a signal comes

fn registered(vm: &mut Vm) -> Vec<Vec<Value>> {
    let rows = vm.state().module_state.get(REGISTERED).and_then(|list| list.downcast::<List>()).map(|list| list.get(vm).items.to_vec());
    rows.unwrap_or_default().iter().map(|row| vm.tuple_items(row)).collect()
}

fn keep(vm: &mut Vm, rows: Vec<Vec<Value>>) {
    let rows = rows.into_iter().map(|row| vm.new_tuple(row)).collect();
    let list = vm.new_list(rows);
    vm.state_mut().module_state.insert(REGISTERED, list);
}

fn register(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let number = signal_number(vm, &args[0])?;
    let fd = descriptor(vm, args.given(1))?;
    let all = args.given(2).map_or(Ok(true), |all| vm.is_true(all))?;
    let chains = args.given(3).map_or(Ok(false), |chain| vm.is_true(chain))?;
    let signals = vm.import("_signal")?;
    let own = vm.import("faulthandler")?;
    let handler = vm.get_attr_str(&own, "_on_signal")?;
    let number = Value::small(number);
    let before = vm.call_method(&signals, "signal", &[number.clone(), handler])?;
    let mut rows = registered(vm);
    let known = rows.iter().position(|row| row[0].as_small() == number.as_small());
    let before = match known {
        Some(place) => rows.remove(place).swap_remove(3),
        None => before,
    };
    let kept = if chains { before } else { Value::NONE };
    rows.push(vec![number, Value::small(i64::from(fd)), Value::from_bool(all), kept]);
    keep(vm, rows);
    Ok(Value::NONE)
}

fn unregister(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let number = signal_number(vm, &args[0])?;
    let mut rows = registered(vm);
    let Some(place) = rows.iter().position(|row| row[0].as_small() == Some(number)) else { return Ok(Value::FALSE) };
    rows.remove(place);
    keep(vm, rows);
    let signals = vm.import("_signal")?;
    vm.call_method(&signals, "signal", &[Value::small(number), Value::small(0)])?;
    Ok(Value::TRUE)
}

fn signal_number(vm: &mut Vm, value: &Value) -> Result<i64> {
    let number = vm.index_i64(value)?;
    if !crate::os::signal::is_number(number) {
        return Err(vm.value_error("signal number out of range"));
    }
    if crate::os::signal::is_fatal(number as i32) {
        return Err(vm.raise(ExceptionKind::RuntimeError, format!("signal {number} cannot be registered, use enable() instead")));
    }
    Ok(number)
}
