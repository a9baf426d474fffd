//! `_library`: what the script half of `importlib` asks of the import system: the sources in the program, and loaders for modules that are made natively.

use crate::object::native::{NativeModule, native};
use crate::object::value::Value;
use crate::vm::Vm;
use crate::vm::import::{LOADER_MAKER, library_file};

pub(crate) static MODULE: NativeModule = NativeModule {
    name: "_library",
    doc: "What importlib asks of the import system.",
    functions: &[
        // The source, the file's name as tracebacks show it, and whether it is a package; None for what is no module in script of the library.
        native("source(name: str, /)", |vm, args| {
            let name = vm.expect_string(&args[0], "a module's name")?;
            Ok(match super::scripts::find(&name) {
                Some((source, is_package)) => {
                    let parts = vec![vm.new_str(source), vm.new_str(library_file(&name, is_package)), Value::from_bool(is_package)];
                    vm.new_tuple(parts)
                }
                None => Value::NONE,
            })
        }),
        // From now on modules get `function(name, kind, file)` as their loader, where `kind` is "native", "library", "file" or "namespace".
        native("set_loader_maker(function, /)", |vm, args| {
            vm.state_mut().module_state.insert(LOADER_MAKER, args[0].clone());
            Ok(Value::NONE)
        }),
        native("names()", |vm: &mut Vm, _| {
            let names: Vec<Value> = super::scripts::names().map(|name| vm.new_str(name)).collect();
            Ok(vm.new_tuple(names))
        }),
    ],
    types: &[],
    init: None,
};
