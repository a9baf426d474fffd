//! Failures of the operating system as exceptions: the class follows from the error number.

use crate::object::types::bytes::Bytes;
use crate::object::types::codec::encode_os;
use crate::object::types::str::Str;
use crate::object::types::str_methods::text;
use crate::object::value::Value;
use crate::vm::{ExceptionKind, Raised, Result, Vm};

/// `OSError(errno, text, filename)`, as the subclass that belongs to the number.
pub(crate) fn raise(vm: &mut Vm, error: std::io::Error, filename: Option<&Value>) -> Raised {
    raise_two(vm, error, filename, None)
}

/// As `raise`, with a second file name.
pub(crate) fn raise_two(vm: &mut Vm, error: std::io::Error, first: Option<&Value>, second: Option<&Value>) -> Raised {
    let number = error.raw_os_error().unwrap_or(libc_einval());
    let class = vm.state().exception(ExceptionKind::OSError).clone().into_value();
    let mut arguments = vec![Value::small(i64::from(number)), vm.new_str(crate::os::file::error_text(number))];
    if let Some(first) = first {
        arguments.push(first.clone());
    }
    if let Some(second) = second {
        arguments.extend([Value::NONE, second.clone()]);
    }
    match vm.call(&class, &arguments) {
        Ok(exception) => vm.raise_value(exception),
        Err(raised) => raised,
    }
}

/// What an error without a number is taken for.
fn libc_einval() -> i32 {
    22
}

/// Runs a system call with the GIL given away, again when a signal cut it short.
pub(crate) fn blocking<T: Send>(vm: &mut Vm, mut call: impl FnMut() -> std::io::Result<T> + Send) -> Result<std::io::Result<T>> {
    vm.detached_call(&mut call)
}

/// As `blocking`, for a call that is brief as a rule, such as one that looks at a file or changes a folder.
pub(crate) fn brief<T: Send>(vm: &mut Vm, mut call: impl FnMut() -> std::io::Result<T> + Send) -> Result<std::io::Result<T>> {
    vm.brief_call(&mut call)
}

/// A path argument: its bytes, and whether it was given as `bytes`. `__fspath__` is asked.
pub(crate) fn path_argument(vm: &mut Vm, value: &Value, function: &str) -> Result<(Vec<u8>, bool)> {
    let path = fs_path(vm, value, function)?;
    let (bytes, is_bytes) = if path.holds::<Str>() { (path_bytes(vm, &path)?, false) } else { (vm.bytes_vec(&path)?, true) };
    if bytes.contains(&0) {
        return Err(vm.value_error(match function.split_once(": ") {
            Some((function, argument)) => format!("{function}: embedded null character in {argument}"),
            None => "embedded null byte".to_owned(),
        }));
    }
    Ok((bytes, is_bytes))
}

/// The bytes of a `str` as the system takes paths.
pub(crate) fn path_bytes(vm: &mut Vm, path: &Value) -> Result<Vec<u8>> {
    match encode_os(text(vm, path)) {
        Some(bytes) => Ok(bytes),
        None => {
            let made = crate::object::types::codec::encode(vm, path, "utf-8", "surrogateescape")?;
            vm.bytes_vec(&made)
        }
    }
}

/// Bytes that the system gave for a path as `str`.
pub(crate) fn path_value(vm: &mut Vm, bytes: &[u8]) -> Value {
    vm.new_str(crate::object::types::codec::decode_os(bytes))
}

/// A `str` or `bytes` of a path-like object, in the words of `function`.
fn fs_path(vm: &mut Vm, value: &Value, function: &str) -> Result<Value> {
    if value.holds::<Str>() || value.holds::<Bytes>() {
        return Ok(value.clone());
    }
    let Some(method) = vm.find_special(value, "__fspath__")? else {
        let name = vm.type_name(value);
        return Err(vm.type_error(format!("{function} should be string, bytes or os.PathLike, not {name}")));
    };
    let path = vm.call(&method, &[])?;
    if path.holds::<Str>() || path.holds::<Bytes>() {
        return Ok(path);
    }
    let (own, made) = (vm.type_name(value), vm.type_name(&path));
    Err(vm.type_error(format!("expected {own}.__fspath__() to return str or bytes, not {made}")))
}

/// `os.fspath`.
pub(crate) fn os_fspath(vm: &mut Vm, value: &Value) -> Result<Value> {
    if value.holds::<Str>() || value.holds::<Bytes>() {
        return Ok(value.clone());
    }
    let Some(method) = vm.find_special(value, "__fspath__")? else {
        let name = vm.type_name(value);
        return Err(vm.type_error(format!("expected str, bytes or os.PathLike object, not {name}")));
    };
    let path = vm.call(&method, &[])?;
    if path.holds::<Str>() || path.holds::<Bytes>() {
        return Ok(path);
    }
    let (own, made) = (vm.type_name(value), vm.type_name(&path));
    Err(vm.type_error(format!("expected {own}.__fspath__() to return str or bytes, not {made}")))
}
