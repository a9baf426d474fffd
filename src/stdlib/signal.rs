//! `_signal`: handlers for the process's signals. They run in the main thread, between two instructions or when a wait is interrupted.

use crate::gil::Activity;
use crate::object::native::{Args, NativeModule, native};
use crate::object::type_object::{Slots, TypeSpec, constructor};
use crate::object::types::exception::ExceptionKind;
use crate::object::types::list::List;
use crate::object::types::structseq::{self, Fields, item};
use crate::object::value::{Ref, Value};
use crate::os::file;
use crate::os::poll::Polled;
use crate::os::signal::{self, Action};
use crate::vm::breaker::SIGNAL_HANDLERS;
use crate::vm::{Result, Vm};

pub(crate) static MODULE: NativeModule = NativeModule {
    name: "_signal",
    doc: "Handlers for the signals that the operating system sends.",
    functions: &[
        native("signal(signalnum, handler, /)", set_handler),
        native("getsignal(signalnum, /)", get_handler),
        native("default_int_handler(*args)", default_interrupt_handler),
        native("raise_signal(signalnum, /)", raise_signal),
        native("strsignal(signalnum, /)", describe),
        native("alarm(seconds, /)", |vm, args| {
            let seconds = vm.c_int(&args[0])?;
            Ok(Value::small(i64::from(signal::alarm(seconds as u32))))
        }),
        native("setitimer(which, seconds, interval=0.0, /)", set_timer),
        native("getitimer(which, /)", get_timer),
        native("pause()", pause),
        native("pthread_kill(thread_id, signalnum, /)", kill_thread),
        native("pthread_sigmask(how, mask, /)", set_mask),
        native("sigpending()", |vm, _| number_set(vm, signal::held_back())),
        native("sigwait(sigset, /)", wait_for),
        native("sigwaitinfo(sigset, /)", wait_for_details),
        native("sigtimedwait(sigset, timeout, /)", wait_with_timeout),
        native("pidfd_send_signal(pidfd, signalnum, siginfo=None, flags=0, /)", kill_by_descriptor),
        native("valid_signals()", |vm, _| number_set(vm, signal::valid())),
        native("siginterrupt(signalnum, flag, /)", |vm, args| {
            vm.c_int(&args[0])?;
            vm.c_int(&args[1])?;
            Ok(Value::NONE)
        }),
        native("set_wakeup_fd(fd, /, *, warn_on_full_buffer=True)", set_wakeup),
    ],
    types: &[&DETAILS],
    init: Some(|vm, module| {
        for &(name, number) in signal::NAMES {
            vm.set_attr_str(module, name, &Value::small(i64::from(number)))?;
        }
        let error = vm.state().exception(ExceptionKind::OSError).clone();
        let (name, bases, namespace) = (vm.intern("itimer_error"), vm.new_tuple(vec![error.into_value()]), vm.new_dict());
        let module_name = vm.new_str("signal");
        vm.dict_set_str(&namespace, "__module__", module_name)?;
        let metaclass = vm.builtin(crate::object::types::TypeId::Type).into_value();
        let timer_error = vm.call(&metaclass, &[name, bases, namespace.into_value()])?;
        vm.set_attr_str(module, "ItimerError", &timer_error)?;
        vm.state_mut().module_state.insert(TIMER_ERROR, timer_error);
        let default_interrupt = vm.get_attr_str(module, "default_int_handler")?;
        let mut handlers = vec![Value::NONE; signal::COUNT as usize];
        for number in 1..signal::COUNT {
            handlers[number as usize] = match signal::action(number) {
                Ok(Action::Default | Action::ShowStacks) => Value::small(0),
                Ok(Action::Ignore) => Value::small(1),
                Ok(Action::Note) if number == signal::INTERRUPT => default_interrupt.clone(),
                _ => Value::NONE,
            };
        }
        let handlers = vm.new_list(handlers);
        vm.state_mut().module_state.insert(SIGNAL_HANDLERS, handlers);
        Ok(())
    }),
};

const TIMER_ERROR: &str = "itimer error";

fn handlers(vm: &mut Vm) -> Result<Ref<List>> {
    let known = vm.state().module_state.get(SIGNAL_HANDLERS).and_then(|list| list.downcast::<List>()).cloned();
    known.ok_or_else(|| vm.runtime_error("the module _signal has not been made"))
}

fn number(vm: &mut Vm, value: &Value) -> Result<i32> {
    let number = vm.c_int(value)?;
    if !signal::is_number(number.into()) {
        return Err(vm.value_error("signal number out of range"));
    }
    Ok(number)
}

fn os_error(vm: &mut Vm, error: std::io::Error) -> crate::vm::Raised {
    super::os_error::raise(vm, error, None)
}

fn set_handler(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let number = vm.c_int(&args[0])?;
    if !vm.is_main || !vm.state().shared.handles_signals() {
        return Err(vm.value_error("signal only works in main thread of the main interpreter"));
    }
    if !signal::is_number(number.into()) {
        return Err(vm.value_error("signal number out of range"));
    }
    let handler = &args[1];
    let action = match vm.int_value(handler).and_then(|handler| handler.as_ref().to_i64()) {
        Some(0) => Some(Action::Default),
        Some(1) => Some(Action::Ignore),
        _ if !vm.is_int(handler) && vm.type_payload(handler).slots.call.is_some() => Some(Action::Note),
        _ => None,
    };
    let Some(action) = action else {
        return Err(vm.type_error("signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object"));
    };
    // What came before goes to the handler that was set then.
    vm.run_signal_handlers()?;
    signal::set_action(number, action).map_err(|error| os_error(vm, error))?;
    let list = handlers(vm)?;
    let old = std::mem::replace(&mut list.get_mut(vm).items[number as usize], handler.clone());
    Ok(old)
}

fn get_handler(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let number = number(vm, &args[0])?;
    let list = handlers(vm)?;
    Ok(list.get(vm).items[number as usize].clone())
}

fn default_interrupt_handler(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let n_given = vm.tuple_items(&args[0]).len();
    if n_given != 2 {
        return Err(vm.type_error(format!("default_int_handler expected 2 arguments, got {n_given}")));
    }
    Err(vm.raise_new(ExceptionKind::KeyboardInterrupt, Vec::new()))
}

fn raise_signal(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let number = vm.c_int(&args[0])?;
    let shared = vm.state().shared.clone();
    if vm.is_main {
        signal::raise(number).map_err(|error| os_error(vm, error))?;
    } else if signal::action(number).map_err(|error| os_error(vm, error))? == Action::Note && shared.handles_signals() {
        // The other threads hold signals back, and handlers run in the main one anyhow.
        shared.pretend_signal(number);
    } else {
        crate::os::process::kill(crate::os::process::id(), number).map_err(|error| os_error(vm, error))?;
    }
    vm.poll()?;
    Ok(Value::NONE)
}

fn describe(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let number = number(vm, &args[0])?;
    Ok(signal::description(number).map_or(Value::NONE, |text| vm.new_str(text)))
}

fn timer_seconds(vm: &mut Vm, value: &Value) -> Result<f64> {
    let nanoseconds = crate::thread::timeout::nanoseconds(vm, value)?;
    Ok(nanoseconds as f64 / 1e9)
}

fn timer_result(vm: &mut Vm, result: std::io::Result<(f64, f64)>) -> Result<Value> {
    match result {
        Ok((value, interval)) => {
            let items = vec![vm.new_float(value), vm.new_float(interval)];
            Ok(vm.new_tuple(items))
        }
        Err(error) => {
            let code = error.raw_os_error().unwrap_or(0);
            let text = crate::os::file::error_text(code);
            let class = vm.state().module_state.get(TIMER_ERROR).cloned().unwrap_or(Value::NONE);
            let text = vm.new_str(text);
            let error = vm.call(&class, &[Value::small(i64::from(code)), text])?;
            Err(vm.raise_value(error))
        }
    }
}

fn set_timer(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let which = vm.c_int(&args[0])?;
    let seconds = timer_seconds(vm, &args[1])?;
    let interval = match args.given(2) {
        Some(interval) => timer_seconds(vm, interval)?,
        None => 0.0,
    };
    let result = signal::interval_timer(which, Some((seconds, interval)));
    timer_result(vm, result)
}

fn get_timer(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let which = vm.c_int(&args[0])?;
    let result = signal::interval_timer(which, None);
    timer_result(vm, result)
}

/// Waits until a handler has run.
fn pause(vm: &mut Vm, _: Args<'_>) -> Result<Value> {
    let ticket = vm.thread.wait.begin(Activity::Signal);
    vm.wait(ticket, None)?;
    Ok(Value::NONE)
}

fn kill_thread(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let thread = vm.index_i64(&args[0])?;
    let number = vm.c_int(&args[1])?;
    if !(0..signal::COUNT).contains(&number) {
        return Err(vm.value_error("signal number out of range"));
    }
    let shared = vm.state().shared.clone();
    if number != 0 && shared.handles_signals() && signal::action(number).is_ok_and(|action| action == Action::Note) {
        // Handlers run in the main thread anyhow, and the other threads hold signals back.
        shared.pretend_signal(number);
    } else {
        signal::kill_thread(thread as u64, number).map_err(|error| os_error(vm, error))?;
    }
    vm.poll()?;
    Ok(Value::NONE)
}

fn numbers(vm: &mut Vm, values: &Value) -> Result<Vec<i32>> {
    let mut all = Vec::new();
    for value in vm.collect(values)? {
        // What is larger than any C type is told as -1.
        let number = vm.index(&value)?.as_ref().to_i64().unwrap_or(-1);
        if !signal::is_number(number) {
            return Err(vm.value_error(format!("signal number {number} out of range [1; {}]", signal::COUNT - 1)));
        }
        all.push(number as i32);
    }
    Ok(all)
}

fn number_set(vm: &mut Vm, numbers: Vec<i32>) -> Result<Value> {
    let set = vm.builtin(crate::object::types::TypeId::Set).into_value();
    let items = vm.new_list(numbers.into_iter().map(|number| Value::small(i64::from(number))).collect());
    vm.call(&set, &[items])
}

fn set_mask(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let how = vm.c_int(&args[0])?;
    let numbers = numbers(vm, &args[1])?;
    let old = signal::set_mask(how, &numbers).map_err(|error| os_error(vm, error))?;
    vm.poll()?;
    number_set(vm, old)
}

fn wait_for(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let numbers = numbers(vm, &args[0])?;
    let details = wait_until(vm, &numbers, None)?.unwrap_or_default();
    Ok(Value::small(details[0]))
}

/// Waits for one of the signals, which are held back, until a deadline; what came.
fn wait_until(vm: &mut Vm, numbers: &[i32], deadline: Option<std::time::Instant>) -> Result<Option<signal::Details>> {
    let descriptor = signal::descriptor(numbers).map_err(|error| os_error(vm, error))?;
    let waited = loop {
        match signal::take_from(descriptor) {
            Ok(details) => break Ok(Some(details)),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => break Err(os_error(vm, error)),
        }
        match vm.wait_on(Activity::Signal, &mut [Polled::new(descriptor, crate::os::poll::READ)], deadline) {
            Ok(true) => {}
            Ok(false) => break Ok(None),
            Err(raised) => break Err(raised),
        }
    };
    let _ = crate::os::file::close(descriptor);
    waited
}

const DETAILS_FIELDS: Fields = Fields { items: &["si_signo", "si_code", "si_errno", "si_pid", "si_uid", "si_status", "si_band"], hidden: &[] };

static DETAILS: TypeSpec = structseq::spec(
    "signal.struct_siginfo",
    "What comes with a signal.",
    constructor("struct_siginfo(iterable=(), /)", |vm, args| structseq::construct(vm, args, &DETAILS_FIELDS, "signal.struct_siginfo")),
    &DETAILS_FIELDS,
    &[
        item::<0>("si_signo"),
        item::<1>("si_code"),
        item::<2>("si_errno"),
        item::<3>("si_pid"),
        item::<4>("si_uid"),
        item::<5>("si_status"),
        item::<6>("si_band"),
    ],
    Slots { repr: Some(|vm, this| structseq::show(vm, this, "signal.struct_siginfo", &DETAILS_FIELDS)), ..Slots::NONE },
);

fn details_value(vm: &mut Vm, details: Option<signal::Details>) -> Result<Value> {
    let Some(details) = details else { return Ok(Value::NONE) };
    let values = details.iter().map(|&number| vm.new_int(number)).collect();
    structseq::make(vm, &DETAILS, &DETAILS_FIELDS, values)
}

fn wait_for_details(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let numbers = numbers(vm, &args[0])?;
    let details = wait_until(vm, &numbers, None)?;
    details_value(vm, details)
}

fn wait_with_timeout(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let numbers = numbers(vm, &args[0])?;
    let nanoseconds = crate::thread::timeout::nanoseconds(vm, &args[1])?;
    if nanoseconds < 0 {
        return Err(vm.value_error("timeout must be non-negative"));
    }
    let details = wait_until(vm, &numbers, crate::thread::timeout::deadline(nanoseconds))?;
    details_value(vm, details)
}

fn kill_by_descriptor(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (descriptor, number) = (vm.c_int(&args[0])?, vm.c_int(&args[1])?);
    if args.given_some(2).is_some() {
        return Err(vm.type_error("siginfo must be None"));
    }
    let flags = args.given(3).map_or(Ok(0), |flags| vm.index_i64(flags))? as u32;
    signal::kill_by_descriptor(descriptor, number, flags).map_err(|error| os_error(vm, error))?;
    vm.poll()?;
    Ok(Value::NONE)
}

fn set_wakeup(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let descriptor = vm.c_int(&args[0])?;
    if !vm.is_main || !vm.state().shared.handles_signals() {
        return Err(vm.value_error("set_wakeup_fd only works in main thread of the main interpreter"));
    }
    if descriptor != -1 {
        file::is_inheritable(descriptor).map_err(|error| os_error(vm, error))?;
        if file::is_blocking(descriptor).map_err(|error| os_error(vm, error))? {
            return Err(vm.value_error(format!("the fd {descriptor} must be in non-blocking mode")));
        }
    }
    Ok(Value::small(i64::from(signal::set_wakeup(descriptor))))
}
