//! `_traceback`: what `traceback` shares with the tracebacks of uncaught exceptions.

use crate::object::native::{NativeModule, native};
use crate::object::types::str_methods::text;
use crate::object::value::Value;
use crate::text::unicode::is_wide;

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "_traceback",
    doc: "Where carets go.",
    functions: &[native("display_width(text, /)", |vm, args| {
        vm.expect_str(&args[0], "display_width() argument")?;
        let text = text(vm, &args[0]);
        let columns = (0..text.len()).map(|index| if is_wide(text.get(index)) { 2 } else { 1 });
        Ok(Value::small(columns.sum()))
    })],
    types: &[],
    init: None,
};
