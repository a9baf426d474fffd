//! The standard streams: made of `_io`'s classes when they are asked for first, flushed at the end.

use std::io::Write;

use crate::object::value::Value;
use crate::vm::{Result, Vm};

/// Where `sys` has a standard stream: as itself, and once more for programs that put another in its place.
pub(crate) struct Standard {
    name: &'static str,
    kept: &'static str,
    descriptor: i64,
    mode: &'static str,
}

pub(crate) static STDIN: Standard = Standard { name: "stdin", kept: "__stdin__", descriptor: 0, mode: "rb" };
pub(crate) static STDOUT: Standard = Standard { name: "stdout", kept: "__stdout__", descriptor: 1, mode: "wb" };
pub(crate) static STDERR: Standard = Standard { name: "stderr", kept: "__stderr__", descriptor: 2, mode: "wb" };

/// The stream as the process got it; `None` for a descriptor that was closed when it started, or is. Under both its names it is one object: `sys` asks for both before
/// either can be changed.
pub(crate) fn standard(vm: &mut Vm, stream: &Standard) -> Result<Value> {
    for name in [stream.name, stream.kept] {
        if let Some(known) = vm.sys_peek(name)? {
            return Ok(known);
        }
    }
    if crate::os::standard::was_closed(stream.descriptor) {
        return Ok(Value::NONE);
    }
    let io = vm.import("_io")?;
    Ok(match make(vm, &io, stream.name, stream.descriptor, stream.mode) {
        Ok(stream) => stream,
        Err(_) => {
            vm.take_raised();
            Value::NONE
        }
    })
}

fn make(vm: &mut Vm, io: &Value, name: &str, descriptor: i64, mode: &str) -> Result<Value> {
    let file_io = vm.get_attr_str(io, "FileIO")?;
    let mode_text = vm.new_str(mode);
    let raw = vm.call_named(&file_io, &[Value::small(descriptor), mode_text], &[("closefd", Value::FALSE)])?;
    let shown = vm.new_str(format!("<{name}>"));
    vm.set_attr_str(&raw, "name", &shown)?;
    let is_terminal = vm.call_method(&raw, "isatty", &[])?;
    let is_unbuffered = vm.state().options.is_unbuffered && mode != "rb";
    let buffer = if is_unbuffered {
        raw
    } else {
        let buffered = vm.get_attr_str(io, if mode == "rb" { "BufferedReader" } else { "BufferedWriter" })?;
        vm.call(&buffered, &[raw])?
    };
    let wrapper = vm.get_attr_str(io, "TextIOWrapper")?;
    let encoding = vm.new_str("utf-8");
    let errors = vm.new_str(if name == "stderr" { "backslashreplace" } else { "strict" });
    let newline = if mode == "rb" { Value::NONE } else { vm.new_str("\n") };
    let line_buffering = if name == "stderr" { Value::TRUE } else { is_terminal };
    let write_through = Value::from_bool(is_unbuffered);
    let named =
        [("encoding", encoding), ("errors", errors), ("newline", newline), ("line_buffering", line_buffering), ("write_through", write_through)];
    let stream = vm.call_named(&wrapper, &[buffer], &named)?;
    let mode = vm.new_str(&mode[..1]);
    vm.set_attr_str(&stream, "mode", &mode)?;
    Ok(stream)
}

/// Makes those of the standard streams that use one of `descriptors` and have not been asked for: they are about to be closed, and what is written to
/// such a stream then must be told as lost.
pub(crate) fn make_before_close(vm: &mut Vm, descriptors: std::ops::Range<i64>) -> Result<()> {
    for stream in [&STDIN, &STDOUT, &STDERR] {
        if descriptors.contains(&stream.descriptor) {
            vm.sys_get(stream.name)?;
        }
    }
    Ok(())
}

/// Flushes stdout and stderr, as far as they were used. Whether all that was written to them has arrived.
pub(crate) fn flush(vm: &mut Vm) -> Result<bool> {
    let mut arrived = true;
    for name in ["stdout", "stderr"] {
        let Some(stream) = vm.sys_peek(name)?.filter(|stream| !stream.is_none()) else { continue };
        let is_closed = match vm.find_attr_str(&stream, "closed")? {
            Some(flag) => vm.is_true(&flag)?,
            None => false,
        };
        if !is_closed {
            let has_failed = super::io::text::has_failed(vm, &stream);
            let fails = vm.call_method(&stream, "flush", &[]).is_err();
            if name == "stderr" {
                arrived &= !has_failed && !fails;
            }
            if fails && name == "stdout" && !has_failed {
                arrived = false;
                vm.write_unraisable("Exception ignored on flushing sys.stdout", &Value::NONE);
            } else if fails {
                // A script that has met the error knows of it.
                vm.take_raised();
            }
        }
    }
    Ok(arrived)
}

/// Writes a text to `sys.stderr`; to the process's own stderr when there is none or it fails.
pub(crate) fn write_stderr(vm: &mut Vm, text: &str) {
    if let Ok(Some(stdout)) = vm.sys_peek("stdout")
        && !stdout.is_none()
        && vm.call_method(&stdout, "flush", &[]).is_err()
    {
        vm.take_raised();
    }
    match vm.sys_get("stderr") {
        // A script that has put None there wants no such texts.
        Ok(Some(stderr)) if stderr.is_none() => return,
        Ok(Some(stderr)) => {
            let text = vm.new_str(text);
            let written = vm.call_method(&stderr, "write", &[text]).is_ok();
            if !written || vm.call_method(&stderr, "flush", &[]).is_err() {
                vm.take_raised();
            }
            if written {
                return;
            }
        }
        Ok(None) => {}
        Err(_) => drop(vm.take_raised()),
    }
    let mut stderr = std::io::stderr();
    // There is nobody to tell that stderr is gone.
    let _ = stderr.write_all(text.as_bytes());
}
