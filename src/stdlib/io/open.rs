//! `open()`: a raw file, its buffer and its text, as the mode asks; and the three standard streams.

use super::{DEFAULT_BUFFER_SIZE, buffered, file, text};
use crate::object::native::Args;
use crate::object::types::str::Str;
use crate::object::value::Value;
use crate::vm::{ExceptionKind, Result, Vm};

/// `open(file, mode, buffering, encoding, errors, newline, closefd, opener)`.
pub(crate) fn open(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let mode_value = match args.given(1) {
        Some(mode) if mode.holds::<Str>() => mode.clone(),
        Some(mode) => {
            let name = vm.type_name(mode);
            return Err(vm.type_error(format!("open() argument 'mode' must be str, not {name}")));
        }
        None => vm.new_str("r"),
    };
    let mode = vm.expect_string(&mode_value, "open() argument 'mode'")?;
    for (place, argument) in [("encoding", args.given_some(3)), ("errors", args.given_some(4)), ("newline", args.given_some(5))] {
        if let Some(argument) = argument
            && !argument.holds::<Str>()
        {
            let name = vm.type_name(argument);
            return Err(vm.type_error(format!("open() argument '{place}' must be str or None, not {name}")));
        }
    }
    let buffering = match args.given(2) {
        Some(buffering) => vm.c_int(buffering)?.into(),
        None => -1,
    };
    let mut counts = [0_u32; 128];
    for char in mode.chars() {
        let known = u8::try_from(char).ok().filter(|byte| b"xrwabt+".contains(byte));
        match known {
            Some(byte) if counts[usize::from(byte)] == 0 => counts[usize::from(byte)] += 1,
            _ => return Err(vm.value_error(format!("invalid mode: '{mode}'"))),
        }
    }
    let has = |letter: u8| counts[usize::from(letter)] > 0;
    let (binary, is_text) = (has(b'b'), has(b't'));
    if binary && is_text {
        return Err(vm.value_error("can't have text and binary mode at once"));
    }
    if b"xrwa".iter().filter(|&&letter| has(letter)).count() > 1 {
        return Err(vm.value_error("must have exactly one of create/read/write/append mode"));
    }
    if binary {
        for (place, argument) in [("encoding", args.given_some(3)), ("errors", args.given_some(4))] {
            if argument.is_some() {
                return Err(vm.value_error(format!("binary mode doesn't take an {place} argument")));
            }
        }
        if args.given_some(5).is_some() {
            return Err(vm.value_error("binary mode doesn't take a newline argument"));
        }
    }
    let raw_mode: String = mode.chars().filter(|char| !matches!(char, 'b' | 't')).collect();
    let raw_mode = vm.new_str(raw_mode);
    if binary && buffering == 1 {
        let message = "line buffering (buffering=1) isn't supported in binary mode, the default buffer size will be used";
        vm.warn(ExceptionKind::RuntimeWarning, message)?;
    }
    let file_class = vm.native_type(&file::TYPE).into_value();
    let closefd = args.given(6).cloned().unwrap_or(Value::TRUE);
    let path = if vm.is_int(&args[0]) { args[0].clone() } else { super::super::os_error::os_fspath(vm, &args[0])? };
    let raw = vm.call(&file_class, &[path, raw_mode, closefd, args.or_none(7)])?;
    let result = layered(vm, args, &raw, (binary, has(b'+'), has(b'r')), buffering, &mode_value);
    if result.is_err() {
        let exception = vm.take_raised();
        if vm.call_method(&raw, "close", &[]).is_err() {
            vm.take_raised();
        }
        return Err(vm.reraise(exception));
    }
    result
}

/// The buffer over the raw file, and the text over the buffer.
fn layered(vm: &mut Vm, args: Args<'_>, raw: &Value, (binary, updating, reading): (bool, bool, bool), buffering: i64, mode: &Value) -> Result<Value> {
    let terminal = vm.call_method(raw, "isatty", &[])?;
    let terminal = vm.is_true(&terminal)?;
    let line_buffering = buffering == 1 || (buffering < 0 && terminal);
    let size = if buffering < 0 || buffering == 1 {
        let size = vm.get_attr_str(raw, "_blksize")?;
        vm.index_i64(&size)?.max(DEFAULT_BUFFER_SIZE as i64)
    } else {
        buffering
    };
    if buffering == 0 {
        if binary {
            return Ok(raw.clone());
        }
        return Err(vm.value_error("can't have unbuffered text I/O"));
    }
    let spec = if updating {
        &buffered::RANDOM
    } else if reading {
        &buffered::READER
    } else {
        &buffered::WRITER
    };
    let class = vm.native_type(spec).into_value();
    let buffer = vm.call(&class, &[raw.clone(), Value::small(size)])?;
    if binary {
        return Ok(buffer);
    }
    let class = vm.native_type(&text::TYPE).into_value();
    let stream = vm.call(&class, &[buffer, args.or_none(3), args.or_none(4), args.or_none(5), Value::from_bool(line_buffering)])?;
    vm.set_attr_str(&stream, "mode", mode)?;
    Ok(stream)
}

/// `open_code(path)`.
pub(crate) fn open_code(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let mode = vm.new_str("rb");
    let unbound = || Value::UNBOUND;
    open(vm, Args(&[args[0].clone(), mode, unbound(), unbound(), unbound(), unbound(), unbound(), unbound()]))
}

/// `text_encoding(encoding, stacklevel)`.
pub(crate) fn text_encoding(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    Ok(if args[0].is_none() { vm.intern("locale") } else { args[0].clone() })
}
