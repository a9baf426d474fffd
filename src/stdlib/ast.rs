//! `_ast`: the parser as `ast` uses it. The script half makes its nodes from the text of the tree.

use scrip_grammar::{Mode, Options};

use crate::object::native::{NativeModule, native};
use crate::object::types::str::Str;
use crate::vm::Vm;

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "_ast",
    doc: "The parser behind `ast`.",
    functions: &[native("dump(source, mode, filename, /)", |vm, args| {
        let mode = vm.expect_string(&args[1], "dump() argument 2")?;
        let mode = match mode.as_str() {
            "eval" => Mode::Expression,
            "single" => Mode::Interactive,
            _ => Mode::Module,
        };
        let filename = vm.expect_string(&args[2], "dump() argument 3")?;
        let source = if args[0].holds::<Str>() { vm.expect_string(&args[0], "dump() argument 1")?.into_bytes() } else { vm.bytes_vec(&args[0])? };
        let text = dump(vm, &source, mode, &filename)?;
        Ok(vm.new_str(text))
    })],
    types: &[],
    init: None,
};

fn dump(vm: &mut Vm, source: &[u8], mode: Mode, filename: &str) -> crate::vm::Result<String> {
    let stack_bytes = vm.native_room().max(1);
    match scrip_grammar::parse_bytes(source, mode, Options { tree_only: true, stack_bytes, ..Options::default() }) {
        Ok(parsed) => scrip_grammar::dump::dump(&parsed, stack_bytes).ok_or_else(|| vm.too_deep()),
        Err(error) => Err(vm.raise_syntax_error(&error, filename)),
    }
}
