//! `_ast`: the parser as `ast` uses it. The script half makes its nodes from the text of the tree.

use scrip_grammar::Mode;

use crate::object::native::{NativeModule, native};
use crate::object::type_object::Type;
use crate::object::types::exception::ExceptionKind;
use crate::object::types::str::Str;
use crate::object::value::Value;
use crate::vm::source::SourceOptions;

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "_ast",
    doc: "The parser behind `ast`.",
    functions: &[
        native("nodes(source, mode, filename, /)", |vm, args| {
            let mode = vm.expect_string(&args[1], "nodes() argument 2")?;
            let mode = match mode.as_str() {
                "eval" => Mode::Expression,
                "single" => Mode::Interactive,
                _ => Mode::Module,
            };
            let filename = vm.expect_string(&args[2], "nodes() argument 3")?;
            let source =
                if args[0].holds::<Str>() { vm.expect_string(&args[0], "nodes() argument 1")?.into_bytes() } else { vm.bytes_vec(&args[0])? };
            let text = vm.dump_source(&source, mode, &filename)?;
            let options = SourceOptions { is_dump: true, ..SourceOptions::EXPRESSION };
            Ok(vm.compile_text(&text, "<ast>", options)?.into_value())
        }),
        // The nodes' classes are made by the script half.
        native("__getattr__(name, /)", |vm, args| {
            let name = vm.expect_string(&args[0], "__getattr__() argument 1")?;
            let nodes = vm.import("ast")?;
            let base = vm.get_attr_str(&nodes, "AST")?;
            match vm.get_attr_str(&nodes, &name) {
                Ok(found) if found.downcast::<Type>().is_some_and(|class| class.get(vm).is_subtype_of(&base)) => Ok(found),
                Err(raised) if !vm.clear_if(ExceptionKind::AttributeError) => Err(raised),
                _ => Err(vm.raise(ExceptionKind::AttributeError, format!("module '_ast' has no attribute '{name}'"))),
            }
        }),
    ],
    types: &[],
    init: Some(|vm, module| {
        for (name, flag) in [("ONLY_AST", 0x400), ("OPTIMIZED_AST", 0x8400), ("TYPE_COMMENTS", 0x1000), ("ALLOW_TOP_LEVEL_AWAIT", 0x2000)] {
            vm.set_attr_str(module, &format!("PyCF_{name}"), &Value::small(flag))?;
        }
        Ok(())
    }),
};
