//! The standard streams: made of `_io`'s classes at the start, flushed at the end.

use std::io::Write;

use crate::object::value::Value;
use crate::vm::{Result, Vm};

/// Sets `sys.stdin`, `sys.stdout` and `sys.stderr`; `None` for a descriptor that is closed.
pub(crate) fn initialize(vm: &mut Vm) -> Result<()> {
    let io = vm.import("_io")?;
    for (name, descriptor, mode) in [("stdin", 0, "rb"), ("stdout", 1, "wb"), ("stderr", 2, "wb")] {
        let stream = match make(vm, &io, name, descriptor, mode) {
            Ok(stream) => stream,
            Err(_) => {
                vm.take_raised();
                Value::NONE
            }
        };
        let sys = vm.state().sys.clone();
        vm.dict_set_str(&sys, name, stream.clone())?;
        vm.dict_set_str(&sys, &format!("__{name}__"), stream)?;
    }
    Ok(())
}

fn make(vm: &mut Vm, io: &Value, name: &str, descriptor: i64, mode: &str) -> Result<Value> {
    let file_io = vm.get_attr_str(io, "FileIO")?;
    let mode_text = vm.new_str(mode);
    let raw = vm.call_named(&file_io, &[Value::small(descriptor), mode_text], &[("closefd", Value::FALSE)])?;
    let shown = vm.new_str(format!("<{name}>"));
    vm.set_attr_str(&raw, "name", &shown)?;
    let is_terminal = vm.call_method(&raw, "isatty", &[])?;
    let buffered = vm.get_attr_str(io, if mode == "rb" { "BufferedReader" } else { "BufferedWriter" })?;
    let buffer = vm.call(&buffered, &[raw])?;
    let wrapper = vm.get_attr_str(io, "TextIOWrapper")?;
    let encoding = vm.new_str("utf-8");
    let errors = vm.new_str(if name == "stderr" { "backslashreplace" } else { "strict" });
    let newline = if mode == "rb" { Value::NONE } else { vm.new_str("\n") };
    let line_buffering = if name == "stderr" { Value::TRUE } else { is_terminal };
    let named = [("encoding", encoding), ("errors", errors), ("newline", newline), ("line_buffering", line_buffering)];
    let stream = vm.call_named(&wrapper, &[buffer], &named)?;
    let mode = vm.new_str(&mode[..1]);
    vm.set_attr_str(&stream, "mode", &mode)?;
    Ok(stream)
}

/// Flushes stdout and stderr.
pub(crate) fn flush(vm: &mut Vm) -> Result<()> {
    for name in ["stdout", "stderr"] {
        let Some(stream) = vm.sys_get(name)?.filter(|stream| !stream.is_none()) else { continue };
        let is_closed = match vm.find_attr_str(&stream, "closed")? {
            Some(flag) => vm.is_true(&flag)?,
            None => false,
        };
        if !is_closed {
            let flushed = vm.call_method(&stream, "flush", &[]);
            if name == "stdout" {
                if let Err(raised) = flushed {
                    vm.write_unraisable("", &stream);
                    return Err(raised);
                }
            } else if flushed.is_err() {
                vm.take_raised();
            }
        }
    }
    Ok(())
}

/// Writes a text to `sys.stderr`; to the process's own stderr when there is none or it fails.
pub(crate) fn write_stderr(vm: &mut Vm, text: &str) {
    for name in ["stdout", "stderr"] {
        if let Ok(Some(stream)) = vm.sys_get(name) {
            if stream.is_none() {
                continue;
            }
            let done = if name == "stdout" {
                vm.call_method(&stream, "flush", &[])
            } else {
                let text = vm.new_str(text);
                vm.call_method(&stream, "write", &[text]).and_then(|_| vm.call_method(&stream, "flush", &[]))
            };
            if done.is_err() {
                vm.take_raised();
            } else if name == "stderr" {
                return;
            }
        }
    }
    let mut stderr = std::io::stderr();
    // There is nobody to tell that stderr is gone.
    let _ = stderr.write_all(text.as_bytes());
}
