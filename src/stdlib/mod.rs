//! The library: the native half, one file a module, and the table of them; the embedded script half; what is set up when an interpreter starts, and what runs when it ends.

pub(crate) mod abc;
pub(crate) mod array;
pub(crate) mod ast;
pub(crate) mod ast_tree;
pub(crate) mod atexit;
pub(crate) mod binascii;
pub(crate) mod bisect;
#[cfg(feature = "hashes")]
pub(crate) mod blake2;
pub(crate) mod builtins;
pub(crate) mod cmath;
pub(crate) mod codecs;
pub(crate) mod collections;
pub(crate) mod errno;
pub(crate) mod exception_class;
pub(crate) mod faulthandler;
pub(crate) mod functools;
pub(crate) mod gc;
pub(crate) mod hashes;
pub(crate) mod heapq;
pub(crate) mod io;
pub(crate) mod itertools;
pub(crate) mod itertools_state;
pub(crate) mod json;
pub(crate) mod library;
pub(crate) mod math;
pub(crate) mod operator;
pub(crate) mod os;
pub(crate) mod os_error;
pub(crate) mod posix;
pub(crate) mod random;
pub(crate) mod scripts;
pub(crate) mod select;
pub(crate) mod signal;
pub(crate) mod socket;
pub(crate) mod sre;
pub(crate) mod streams;
pub(crate) mod string_parser;
pub(crate) mod structs;
pub(crate) mod sys;
pub(crate) mod thread;
pub(crate) mod time;
pub(crate) mod traceback;
pub(crate) mod unicodedata;
pub(crate) mod weakref;
#[cfg(feature = "compression")]
pub(crate) mod zlib;

use crate::object::native::{NativeFunction, NativeModule};
use crate::object::types::TypeId;
use crate::object::types::function::Function;
use crate::object::types::module::Module;
use crate::object::value::Value;
use crate::vm::import::make_spec;
use crate::vm::{ExceptionKind, Result, Vm};

/// The native modules. A test compares the rows with the files.
pub(crate) static NATIVE_MODULES: &[&NativeModule] = &[
    &abc::MODULE,
    &array::MODULE,
    &ast::MODULE,
    &atexit::MODULE,
    &binascii::MODULE,
    &bisect::MODULE,
    #[cfg(feature = "hashes")]
    &blake2::MODULE,
    &builtins::MODULE,
    &cmath::MODULE,
    &codecs::MODULE,
    &collections::MODULE,
    &errno::MODULE,
    &faulthandler::MODULE,
    &functools::MODULE,
    &gc::MODULE,
    &hashes::MODULE,
    &heapq::MODULE,
    &io::MODULE,
    &itertools::MODULE,
    &json::MODULE,
    &library::MODULE,
    &math::MODULE,
    &operator::MODULE,
    &os::MODULE,
    &random::MODULE,
    &select::MODULE,
    &signal::MODULE,
    &socket::MODULE,
    &sre::MODULE,
    &string_parser::MODULE,
    &structs::MODULE,
    &sys::MODULE,
    &thread::MODULE,
    &time::MODULE,
    &traceback::MODULE,
    &unicodedata::MODULE,
    &weakref::MODULE,
    #[cfg(feature = "compression")]
    &zlib::MODULE,
];

/// Makes the modules that are always there: `builtins`, `sys` and an empty `__main__`.
pub(crate) fn initialize(vm: &mut Vm) -> Result<()> {
    let modules = vm.state().modules.clone();
    let rows: [(&'static NativeModule, _); 2] = [(&builtins::MODULE, vm.state().builtins.clone()), (&sys::MODULE, vm.state().sys.clone())];
    for (native, dict) in rows {
        let module = vm.alloc(TypeId::Module, Module::new(dict.clone())).into_value();
        vm.fill_native_module(native, &module)?;
        let name = vm.intern(native.name);
        let origin = vm.new_str("built-in");
        let spec = make_spec(vm, &name, Some(origin), None, false)?;
        let package = vm.empty_str();
        for (key, value) in [("__spec__", spec), ("__package__", package), ("__loader__", Value::NONE)] {
            vm.dict_set_str(&dict, key, value)?;
        }
        vm.dict_set(&modules, &name, module)?;
    }
    let builtins = vm.state().builtins.clone();
    let import = vm.dict_get_str(&builtins, "__import__")?;
    vm.state_mut().import_function = import;
    let main = vm.new_module("__main__", Value::NONE)?;
    let main_dict = main.get(vm).dict.clone();
    if let Some(module) = vm.dict_get_str(&modules, "builtins")? {
        vm.dict_set_str(&main_dict, "__builtins__", module)?;
    }
    let annotations = vm.new_dict().into_value();
    vm.dict_set_str(&main_dict, "__annotations__", annotations)?;
    vm.dict_set_str(&modules, "__main__", main.into_value())
}

/// Writes a text to `sys.stderr`; to the process's own when there is none.
pub(crate) fn write_stderr(vm: &mut Vm, text: &str) {
    streams::write_stderr(vm, text);
}

/// Shows the exception that ended the program, whose report is `text`: by `sys.excepthook` if the script has put one there.
pub(crate) fn show_uncaught(vm: &mut Vm, text: &str) {
    let exception = vm.state_mut().module_state.remove("last_uncaught");
    match exception {
        Some(exception) if crate::vm::traceback::has_own_hook(vm) => crate::vm::traceback::print_uncaught(vm, &exception),
        _ => streams::write_stderr(vm, text),
    }
}

/// Waits for the threads that are no daemons, calls what `atexit` has, flushes the standard streams. An error has been shown already.
pub(crate) fn finish(vm: &mut Vm) -> Result<bool> {
    let modules = vm.state().modules.clone();
    if let Some(module) = vm.dict_get_str(&modules, "threading")?
        && let Some(function) = vm.find_attr_str(&module, "_shutdown")?
        && vm.call(&function, &[]).is_err()
    {
        vm.write_unraisable("", &function);
    }
    // They are the interpreter's own, whatever has become of the module.
    atexit::run(vm);
    streams::flush(vm)
}

/// Whether nothing would be seen of the objects' end; the standard streams are flushed in any case.
fn goes_silently(vm: &mut Vm) -> bool {
    let mut streams = Vec::new();
    for name in ["stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__"] {
        let mut layer = vm.sys_peek(name).ok().flatten();
        for inner in ["buffer", "raw", ""] {
            let Some(stream) = layer else { break };
            // A script may have put something else there.
            if vm.type_payload(&stream).has(crate::object::type_object::HEAP_TYPE) {
                break;
            }
            layer = if inner.is_empty() { None } else { vm.find_attr_str(&stream, inner).ok().flatten() };
            streams.push(stream);
        }
    }
    vm.clear_if(ExceptionKind::BaseException);
    crate::object::cycle::goes_silently(vm, &streams, only_keeps_books)
}

/// Whether a callback of a weak reference is the library's own, which only forgets what has gone.
fn only_keeps_books(vm: &Vm, callback: &Value) -> bool {
    if let Some(native) = callback.downcast::<NativeFunction>() {
        // Of the registries of abstract classes.
        return native.get(vm).name() == "discard";
    }
    let Some(function) = callback.downcast::<Function>() else { return false };
    let file = &function.get(vm).code.get(vm).filename;
    vm.text_of(file).and_then(|file| file.as_ascii()).is_some_and(|file| file.starts_with(crate::vm::import::LIBRARY))
}

/// Empties the modules, `__main__` first, so that objects go in an order scripts can rely on.
pub(crate) fn tear_down(vm: &mut Vm) {
    vm.state_mut().module_state.insert("finalizing", Value::TRUE);
    if vm.state().options.ends_process && goes_silently(vm) {
        // The memory is the system's to take back.
        if streams::flush(vm).is_err() {
            vm.take_raised();
        }
        return;
    }
    let modules = vm.state().modules.clone();
    let names: Vec<Value> = modules.get(vm).keys().cloned().collect();
    let is_always_there = |vm: &Vm, name: &Value| vm.text_of(name).is_some_and(|name| *name == *"sys" || *name == *"builtins");
    vm.state_mut().module_state.remove("last_uncaught");
    vm.handled = Value::NONE;
    let mut addresses: Vec<u64> = Vec::new();
    for name in names {
        if !is_always_there(vm, &name) {
            let removed = vm.dict_remove(&modules, &name);
            addresses.extend(removed.iter().flatten().map(|(_, module)| module.address()));
            drop(removed);
            vm.drain_if_dead();
        }
    }
    vm.heap().release_set_aside();
    // What only the modules held goes now, with their namespaces still whole for finalisers.
    let n_collected = crate::object::cycle::collect(vm, 2);
    let left = crate::object::cycle::objects_of::<Module>(vm);
    // Those that live are emptied, the one that was imported last first.
    let in_order = addresses.iter().rev().filter_map(|address| left.iter().find(|module| module.address() == *address));
    let dicts: Vec<_> = in_order.map(|module| module.get(vm).dict.clone()).collect();
    drop(left);
    // Else there is nothing that a second collection could find.
    let collects_again = n_collected > 0 || !dicts.is_empty();
    if let Ok(Some(_)) = vm.dict_get_str(&modules, "builtins") {
        modules.get_mut(vm).take_all();
    }
    for dict in dicts {
        for underscored in [true, false] {
            let names: Vec<Value> = dict.get(vm).keys().cloned().collect();
            for name in names {
                let is_builtins = vm.text_of(&name).is_some_and(|name| *name == *"__builtins__");
                let is_private =
                    vm.text_of(&name).is_some_and(|name| name.len() > 1 && name.get(0) == u32::from('_') && name.get(1) != u32::from('_'));
                if is_builtins || (underscored && !is_private) {
                    continue;
                }
                // Finalisers that come too late find `None`, as in CPython.
                if vm.dict_set(&dict, &name, Value::NONE).is_ok() {
                    vm.drain_if_dead();
                }
            }
        }
    }
    if collects_again {
        crate::object::cycle::collect(vm, 2);
    }
    if streams::flush(vm).is_err() {
        vm.take_raised();
    }
    if vm.clear_if(ExceptionKind::BaseException) {
        // Nobody is left to tell.
    }
}

/// Runs the coroutine that a program with `await` outside functions is.
pub(crate) fn run_coroutine(vm: &mut Vm, coroutine: Value) -> Result<Value> {
    let asyncio = vm.import("asyncio")?;
    vm.call_method(&asyncio, "run", &[coroutine])
}
