//! `_thread`: what `threading` is made of.

use crate::object::native::{Args, NativeModule, native};
use crate::object::type_object::{CallArgs, Slots, TypeSpec};
use crate::object::types::dict::Dict;
use crate::object::types::exception::ExceptionKind;
use crate::object::types::structseq::{self, Fields, item};
use crate::object::types::tuple::Tuple;
use crate::object::value::Value;
use crate::thread::handle::{self, Stage, ThreadObject};
use crate::thread::{local, lock, start};
use crate::vm::{Result, Vm};

pub(crate) static MODULE: NativeModule = NativeModule {
    name: "_thread",
    doc: "Threads and locks, as far as the interpreter itself provides them.",
    functions: &[
        native("start_new_thread(*args, **kwargs)", start_new_thread).shown("(function, args, kwargs={}, /)"),
        native("start_new(*args, **kwargs)", start_new_thread).shown("(function, args, kwargs={}, /)"),
        native("start_joinable_thread(function, handle=None, daemon=True)", start_joinable_thread),
        native("daemon_threads_allowed()", |_, _| Ok(Value::TRUE)),
        native("allocate_lock()", |vm, _| Ok(lock::allocate(vm))),
        native("allocate()", |vm, _| Ok(lock::allocate(vm))),
        native("exit()", exit),
        native("exit_thread()", exit),
        native("interrupt_main(signum=signal.SIGINT, /)", interrupt_main),
        native("get_ident()", |vm, _| Ok(vm.new_int(crate::os::thread::ident() as i64))),
        native("get_native_id()", |vm, _| Ok(vm.new_int(crate::os::thread::native_id()))),
        native("set_name(name)", |vm, args| {
            let name = vm.expect_string(&args[0], "set_name() argument 'name'")?;
            vm.thread.set_name(name);
            Ok(Value::NONE)
        }),
        native("_count()", |vm, _| {
            let n_threads = vm.state().shared.n_threads();
            Ok(Value::small(n_threads.saturating_sub(1) as i64))
        }),
        native("stack_size(size=0, /)", stack_size),
        native("_excepthook(exc_info, /)", except_hook),
        native("_is_main_interpreter()", |_, _| Ok(Value::TRUE)),
        native("_shutdown()", |vm, _| {
            start::shutdown(vm)?;
            Ok(Value::NONE)
        }),
        native("_make_thread_handle(ident, /)", make_thread_handle),
        native("_get_main_thread_ident()", |vm, _| {
            let ident = vm.state().module_state.get(MAIN_IDENT).cloned();
            Ok(ident.unwrap_or(Value::small(0)))
        }),
    ],
    types: &[&lock::LOCK, &lock::RLOCK, &handle::TYPE, &local::TYPE],
    init: Some(|vm, module| {
        let lock_type = vm.native_type(&lock::LOCK).into_value();
        vm.set_attr_str(module, "LockType", &lock_type)?;
        let error = vm.state().exception(ExceptionKind::RuntimeError).clone().into_value();
        vm.set_attr_str(module, "error", &error)?;
        let hook_args = vm.native_type(&HOOK_ARGS).into_value();
        vm.set_attr_str(module, "_ExceptHookArgs", &hook_args)?;
        let timeout_max = vm.new_float(lock::TIMEOUT_MAX);
        vm.set_attr_str(module, "TIMEOUT_MAX", &timeout_max)?;
        if vm.is_main {
            let ident = vm.new_int(crate::os::thread::ident() as i64);
            vm.state_mut().module_state.insert(MAIN_IDENT, ident);
        }
        Ok(())
    }),
};

/// Where the main thread's identity is kept.
const MAIN_IDENT: &str = "main thread";

const HOOK_FIELDS: Fields = Fields { items: &["exc_type", "exc_value", "exc_traceback", "thread"], hidden: &[] };

static HOOK_ARGS: TypeSpec = structseq::spec(
    "_thread._ExceptHookArgs",
    "ExceptHookArgs\n\nWhat threading.excepthook is called with.",
    Some(
        native("_ExceptHookArgs(sequence, dict=None)", |vm, args| structseq::construct(vm, args, &HOOK_FIELDS, "_thread._ExceptHookArgs"))
            .shown("(iterable=(), /)"),
    ),
    &HOOK_FIELDS,
    &[item::<0>("exc_type"), item::<1>("exc_value"), item::<2>("exc_traceback"), item::<3>("thread")],
    Slots { repr: Some(|vm, this| structseq::show(vm, this, "_thread._ExceptHookArgs", &HOOK_FIELDS)), ..Slots::NONE },
);

fn is_callable(vm: &Vm, value: &Value) -> bool {
    vm.type_payload(value).slots.call.is_some()
}

fn start_new_thread(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let given = vm.tuple_items(&args[0]);
    if args[1].downcast::<Dict>().is_some_and(|named| named.get(vm).len() > 0) {
        return Err(vm.type_error("_thread.start_new_thread() takes no keyword arguments"));
    }
    if given.len() < 2 {
        return Err(vm.type_error(format!("start_new_thread expected at least 2 arguments, got {}", given.len())));
    }
    if given.len() > 3 {
        return Err(vm.type_error(format!("start_new_thread expected at most 3 arguments, got {}", given.len())));
    }
    if !is_callable(vm, &given[0]) {
        return Err(vm.type_error("first arg must be callable"));
    }
    if given[1].downcast::<Tuple>().is_none() {
        return Err(vm.type_error("2nd arg must be a tuple"));
    }
    let kwargs = match given.get(2) {
        Some(kwargs) => match kwargs.downcast::<Dict>() {
            Some(kwargs) => Some(kwargs.clone()),
            None => return Err(vm.type_error("optional 3rd arg must be a dictionary")),
        },
        None => None,
    };
    let values = vm.tuple_items(&given[1]);
    let ident = start::start(vm, given[0].clone(), values, kwargs.as_ref(), None)?;
    Ok(vm.new_int(ident as i64))
}

fn start_joinable_thread(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if !is_callable(vm, &args[0]) {
        return Err(vm.type_error("thread function must be callable"));
    }
    let handle = match args.given_some(1) {
        Some(handle) => match handle.downcast::<ThreadObject>() {
            Some(handle) => handle.clone(),
            None => return Err(vm.type_error("'handle' must be a _ThreadHandle")),
        },
        None => handle::make(vm),
    };
    let is_daemon = match args.given(2) {
        Some(daemon) => vm.is_true(daemon)?,
        None => true,
    };
    if handle.get(vm).stage != Stage::NotStarted {
        return Err(vm.runtime_error("thread already started"));
    }
    if !is_daemon {
        start::join_at_exit(vm, &handle);
    }
    if let Err(raised) = start::start(vm, args[0].clone(), Vec::new(), None, Some(handle.clone())) {
        start::forget_handle(vm, &handle);
        return Err(raised);
    }
    Ok(handle.into_value())
}

fn exit(vm: &mut Vm, _: Args<'_>) -> Result<Value> {
    Err(vm.raise_new(ExceptionKind::SystemExit, Vec::new()))
}

fn interrupt_main(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let number = match args.given(0) {
        Some(number) => vm.index_i64(number)?,
        None => i64::from(crate::os::signal::INTERRUPT),
    };
    if !crate::os::signal::is_number(number) {
        return Err(vm.value_error("signal number out of range"));
    }
    let shared = vm.state().shared.clone();
    if shared.handles_signals() && crate::os::signal::action(number as i32).is_ok_and(|action| action == crate::os::signal::Action::Note) {
        shared.pretend_signal(number as i32);
    }
    // In the main thread itself the handler runs at once.
    vm.poll()?;
    Ok(Value::NONE)
}

fn stack_size(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let old = start::stack_size(vm);
    if let Some(size) = args.given(0) {
        let size = vm.index_i64(size)?;
        if size < 0 {
            return Err(vm.value_error("size must be 0 or a positive value"));
        }
        if size != 0 && size < start::MIN_STACK_SIZE {
            return Err(vm.value_error(format!("size not valid: {size} bytes")));
        }
        start::set_stack_size(vm, size);
    }
    Ok(Value::small(old))
}

fn make_thread_handle(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let ident = vm.index_i64(&args[0])?;
    Ok(handle::make_for(vm, ident as u64))
}

/// `threading.excepthook`: shows the exception that ended a thread.
fn except_hook(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = vm.native_type(&HOOK_ARGS);
    if !vm.is_instance(&args[0], &class) {
        return Err(vm.type_error("_thread.excepthook argument type must be ExceptHookArgs"));
    }
    let items = vm.tuple_items(&args[0]);
    let [kind, value, _, thread] = items.as_slice() else { return Ok(Value::NONE) };
    let system_exit = vm.state().exception(ExceptionKind::SystemExit).clone();
    if kind.is(&system_exit) {
        return Ok(Value::NONE);
    }
    let name = if thread.is_none() {
        crate::os::thread::ident().to_string()
    } else {
        match vm.find_attr_str(thread, "_name")? {
            Some(name) => vm.str_text(&name)?.to_string(),
            None => crate::os::thread::ident().to_string(),
        }
    };
    let value = if value.is_none() { vm.call_args(kind, CallArgs::positional(&[]))? } else { value.clone() };
    let text = format!("Exception in thread {name}:\n{}", crate::vm::traceback::report(vm, &value));
    let file = match vm.sys_get("stderr")?.filter(|file| !file.is_none()) {
        Some(file) => Some(file),
        // The one that the thread was made with.
        None if !thread.is_none() => vm.find_attr_str(thread, "_stderr")?,
        None => None,
    };
    let Some(file) = file.filter(|file| !file.is_none()) else { return Ok(Value::NONE) };
    let text = vm.new_str(text);
    vm.call_method(&file, "write", &[text])?;
    if vm.call_method(&file, "flush", &[]).is_err() {
        drop(vm.take_raised());
    }
    Ok(Value::NONE)
}
