//! `_ast`: the parser as `ast` uses it. The script half makes its nodes from the text of the tree.

use scrip_grammar::Mode;

use crate::object::native::{NativeModule, native};
use crate::object::types::str::Str;
use crate::vm::source::SourceOptions;

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "_ast",
    doc: "The parser behind `ast`.",
    functions: &[native("nodes(source, mode, filename, /)", |vm, args| {
        let mode = vm.expect_string(&args[1], "nodes() argument 2")?;
        let mode = match mode.as_str() {
            "eval" => Mode::Expression,
            "single" => Mode::Interactive,
            _ => Mode::Module,
        };
        let filename = vm.expect_string(&args[2], "nodes() argument 3")?;
        let source = if args[0].holds::<Str>() { vm.expect_string(&args[0], "nodes() argument 1")?.into_bytes() } else { vm.bytes_vec(&args[0])? };
        let text = vm.dump_source(&source, mode, &filename)?;
        let options = SourceOptions { is_dump: true, ..SourceOptions::EXPRESSION };
        Ok(vm.compile_text(&text, "<ast>", options)?.into_value())
    })],
    types: &[],
    init: None,
};
