//! `_io`: streams. Raw files, memory, buffers and text, and the bases that scripts derive theirs from.

pub(crate) mod base;
pub(crate) mod buffered;
pub(crate) mod file;
pub(crate) mod memory;
pub(crate) mod newline;
pub(crate) mod open;
pub(crate) mod text;

use super::exception_class;
use crate::object::native::{NativeModule, native};
use crate::object::value::Value;
use crate::vm::{ExceptionKind, Raised, Vm};

/// How much is read or kept at once when nobody says.
pub(crate) const DEFAULT_BUFFER_SIZE: usize = 8192;

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "_io",
    doc: "Streams: raw files, buffers and text.",
    functions: &[native("open_code(path)", open::open_code), native("text_encoding(encoding, stacklevel=2, /)", open::text_encoding)],
    types: &[
        &base::IO_BASE,
        &base::RAW_IO_BASE,
        &base::BUFFERED_IO_BASE,
        &base::TEXT_IO_BASE,
        &file::TYPE,
        &memory::BYTES_IO,
        &memory::STRING_IO,
        &buffered::READER,
        &buffered::WRITER,
        &buffered::RANDOM,
        &buffered::PAIR,
        &text::TYPE,
        &newline::TYPE,
    ],
    init: Some(|vm, module| {
        // `open` is the built-in function itself.
        let builtins = vm.state().builtins.clone();
        if let Some(open) = vm.dict_get_str(&builtins, "open")? {
            vm.set_attr_str(module, "open", &open)?;
        }
        vm.set_attr_str(module, "DEFAULT_BUFFER_SIZE", &Value::small(DEFAULT_BUFFER_SIZE as i64))?;
        let unsupported = exception_class::class(vm, UNSUPPORTED, UNSUPPORTED_BASES)?;
        vm.set_attr_str(module, "UnsupportedOperation", &unsupported)?;
        let blocking = vm.state().exception(ExceptionKind::BlockingIOError).clone().into_value();
        vm.set_attr_str(module, "BlockingIOError", &blocking)
    }),
};

const UNSUPPORTED: &str = "io.UnsupportedOperation";
const UNSUPPORTED_BASES: &[ExceptionKind] = &[ExceptionKind::OSError, ExceptionKind::ValueError];

/// `io.UnsupportedOperation(message)`.
pub(crate) fn unsupported(vm: &mut Vm, message: &str) -> Raised {
    exception_class::raise(vm, UNSUPPORTED, UNSUPPORTED_BASES, message)
}

/// The error of every operation on a closed stream.
pub(crate) fn closed_error(vm: &mut Vm) -> Raised {
    vm.value_error("I/O operation on closed file.")
}
