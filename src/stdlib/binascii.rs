//! `binascii`: bytes as hexadecimal, base 64 and quoted-printable text, and checksums.

use super::exception_class;
use crate::object::native::{Args, NativeModule, native};
use crate::object::types::buffer::{buffer, bytes_of};
use crate::object::types::bytes_methods::hex_of;
use crate::object::types::str::Str;
use crate::object::types::str_methods::text;
use crate::object::value::Value;
use crate::vm::{ExceptionKind, Raised, Result, Vm};

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "binascii",
    doc: "Bytes as text of hexadecimal digits, base 64 or quoted-printable, and back",
    functions: &[
        native("hexlify(data, sep=None, bytes_per_sep=1)", hexlify),
        native("b2a_hex(data, sep=None, bytes_per_sep=1)", hexlify),
        native("unhexlify(hexstr, /)", unhexlify),
        native("a2b_hex(hexstr, /)", unhexlify),
        native("b2a_base64(data, /, *, newline=True)", b2a_base64),
        native("a2b_base64(data, /, *, strict_mode=False)", a2b_base64),
        native("crc32(data, crc=0, /)", crc32),
        native("crc_hqx(data, crc, /)", crc_hqx),
        native("b2a_qp(data, quotetabs=False, istext=True, header=False)", b2a_qp),
        native("a2b_qp(data, header=False)", a2b_qp),
        native("b2a_uu(data, /, *, backtick=False)", b2a_uu),
        native("a2b_uu(data, /)", a2b_uu),
    ],
    types: &[],
    init: Some(|vm, module| {
        let error = exception_class::class(vm, "binascii.Error", &[ExceptionKind::ValueError])?;
        vm.set_attr_str(module, "Error", &error)?;
        let incomplete = exception_class::class(vm, "binascii.Incomplete", &[ExceptionKind::Exception])?;
        vm.set_attr_str(module, "Incomplete", &incomplete)
    }),
};

fn error(vm: &mut Vm, message: impl Into<String>) -> Raised {
    exception_class::raise(vm, "binascii.Error", &[ExceptionKind::ValueError], message)
}

/// Bytes, or the ASCII of a string.
fn ascii_argument(vm: &mut Vm, value: &Value) -> Result<Vec<u8>> {
    if value.holds::<Str>() {
        return match text(vm, value).as_ascii() {
            Some(ascii) => Ok(ascii.as_bytes().to_vec()),
            None => Err(vm.value_error("string argument should contain only ASCII characters")),
        };
    }
    if let Some(bytes) = bytes_of(vm, value)? {
        return Ok(bytes);
    }
    let name = vm.type_name(value);
    Err(vm.type_error(format!("argument should be bytes, buffer or ASCII string, not '{name}'")))
}

fn truth(vm: &mut Vm, value: Option<&Value>, default: bool) -> Result<bool> {
    match value {
        Some(value) => vm.is_true(value),
        None => Ok(default),
    }
}

fn hexlify(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let bytes = buffer(vm, &args[0])?;
    let hex = hex_of(vm, &bytes, args.given(1), args.given(2))?;
    let ascii = text(vm, &hex).as_ascii().unwrap_or_default().as_bytes().to_vec();
    Ok(vm.new_bytes(ascii))
}

fn unhexlify(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let digits = ascii_argument(vm, &args[0])?;
    if digits.len() % 2 != 0 {
        return Err(error(vm, "Odd-length string"));
    }
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    for pair in digits.chunks_exact(2) {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        match (digit(pair[0]), digit(pair[1])) {
            (Some(high), Some(low)) => bytes.push((high << 4 | low) as u8),
            _ => return Err(error(vm, "Non-hexadecimal digit found")),
        }
    }
    Ok(vm.new_bytes(bytes))
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn b2a_base64(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let bytes = buffer(vm, &args[0])?;
    let newline = truth(vm, args.given(1), true)?;
    vm.charge(bytes.len() / 3 * 4)?;
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4 + 1);
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0_u32, |word, &byte| word << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            out.push(if place <= group.len() { BASE64[(word >> (18 - 6 * place) & 63) as usize] } else { b'=' });
        }
    }
    if newline {
        out.push(b'\n');
    }
    Ok(vm.new_bytes(out))
}

fn a2b_base64(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let source = ascii_argument(vm, &args[0])?;
    let strict = truth(vm, args.given(1), false)?;
    if strict && source.first() == Some(&b'=') {
        return Err(error(vm, "Leading padding not allowed"));
    }
    let (mut out, mut word, mut in_group, mut pads, mut padded) = (Vec::new(), 0_u32, 0, 0, false);
    for (place, &byte) in source.iter().enumerate() {
        if byte == b'=' {
            padded = true;
            if in_group >= 2 {
                pads += 1;
                if in_group + pads >= 4 {
                    if strict && place + 1 < source.len() {
                        return Err(error(vm, "Excess data after padding"));
                    }
                    in_group = 0;
                    break;
                }
                continue;
            }
            if strict {
                return Err(error(vm, if in_group == 0 && place > 0 { "Excess padding not allowed" } else { "Discontinuous padding not allowed" }));
            }
            continue;
        }
        let Some(value) = BASE64.iter().position(|&letter| letter == byte) else {
            if strict {
                return Err(error(vm, "Only base64 data is allowed"));
            }
            continue;
        };
        if strict && padded {
            return Err(error(vm, "Discontinuous padding not allowed"));
        }
        pads = 0;
        word = word << 6 | value as u32;
        in_group += 1;
        match in_group {
            2 => out.push((word >> 4) as u8),
            3 => out.push((word >> 2) as u8),
            4 => {
                out.push(word as u8);
                (word, in_group) = (0, 0);
            }
            _ => {}
        }
    }
    if in_group == 1 {
        let count = out.len() / 3 * 4 + 1;
        return Err(error(vm, format!("Invalid base64-encoded string: number of data characters ({count}) cannot be 1 more than a multiple of 4")));
    }
    if in_group != 0 {
        return Err(error(vm, "Incorrect padding"));
    }
    Ok(vm.new_bytes(out))
}

fn crc32(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let bytes = buffer(vm, &args[0])?;
    let start = match args.given(1) {
        Some(start) => vm.masked_u32(start)?,
        None => 0,
    };
    let mut table = [0_u32; 256];
    for (index, entry) in table.iter_mut().enumerate() {
        *entry = (0..8).fold(index as u32, |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 });
    }
    let crc = bytes.iter().fold(!start, |crc, &byte| crc >> 8 ^ table[((crc ^ u32::from(byte)) & 255) as usize]);
    Ok(Value::small(i64::from(!crc)))
}

fn crc_hqx(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let bytes = buffer(vm, &args[0])?;
    let start = vm.masked_u32(&args[1])? as u16;
    let crc = bytes
        .iter()
        .fold(start, |crc, &byte| (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| if crc & 0x8000 != 0 { crc << 1 ^ 0x1021 } else { crc << 1 }));
    Ok(Value::small(i64::from(crc)))
}

fn b2a_qp(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let bytes = buffer(vm, &args[0])?;
    let quote_tabs = truth(vm, args.given(1), false)?;
    let is_text = truth(vm, args.given(2), true)?;
    let header = truth(vm, args.given(3), false)?;
    let crlf = bytes.iter().position(|&byte| byte == b'\n').is_some_and(|at| at > 0 && bytes[at - 1] == b'\r');
    let line_end: &[u8] = if crlf { b"\r\n" } else { b"\n" };
    let (mut out, mut column) = (Vec::new(), 0);
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let next = bytes.get(at + 1).copied();
        let is_break = is_text && (byte == b'\n' || (byte == b'\r' && next == Some(b'\n')));
        if is_break {
            if matches!(out.last(), Some(b' ' | b'\t')) {
                let last = out.pop().unwrap_or(b' ');
                out.extend(format!("={last:02X}").bytes());
            }
            out.extend(line_end);
            column = 0;
            at += if byte == b'\r' { 2 } else { 1 };
            continue;
        }
        let at_end = next.is_none() || (is_text && next == Some(b'\n'));
        let quoted = byte > 126
            || byte == b'='
            || (header && byte == b'_')
            || (byte == b'.' && column == 0 && (at_end || matches!(next, Some(0 | b'\n' | b'\r'))))
            || (!is_text && (byte == b'\r' || byte == b'\n'))
            || (matches!(byte, b'\t' | b' ') && next.is_none())
            || (byte < 33 && byte != b'\r' && byte != b'\n' && (quote_tabs || !matches!(byte, b'\t' | b' ')));
        let width = if quoted { 3 } else { 1 };
        let limit = if at_end { 76 } else { 75 };
        if column + width > limit {
            out.push(b'=');
            out.extend(line_end);
            column = 0;
        }
        if quoted {
            out.extend(format!("={byte:02X}").bytes());
        } else if header && byte == b' ' {
            out.push(b'_');
        } else {
            out.push(byte);
        }
        column += width;
        at += 1;
    }
    Ok(vm.new_bytes(out))
}

fn a2b_qp(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let source = ascii_argument(vm, &args[0])?;
    let header = truth(vm, args.given(1), false)?;
    let digit = |byte: Option<&u8>| byte.and_then(|&byte| char::from(byte).to_digit(16));
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(&byte) = source.get(at) {
        at += 1;
        match byte {
            b'=' => match (source.get(at), digit(source.get(at)), digit(source.get(at + 1))) {
                (None, ..) => break,
                (Some(b'\n' | b'\r'), ..) => {
                    while source.get(at).is_some_and(|&byte| byte != b'\n') {
                        at += 1;
                    }
                    at += 1;
                }
                (Some(b'='), ..) => {
                    out.push(b'=');
                    at += 1;
                }
                (_, Some(high), Some(low)) => {
                    out.push((high << 4 | low) as u8);
                    at += 2;
                }
                _ => out.push(b'='),
            },
            b'_' if header => out.push(b' '),
            _ => out.push(byte),
        }
    }
    Ok(vm.new_bytes(out))
}

fn b2a_uu(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let bytes = buffer(vm, &args[0])?;
    let backtick = truth(vm, args.given(1), false)?;
    if bytes.len() > 45 {
        return Err(error(vm, "At most 45 bytes at once"));
    }
    let letter = |value: u32| if value == 0 && backtick { b'`' } else { b' ' + value as u8 };
    let mut out = vec![letter(bytes.len() as u32)];
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0_u32, |word, &byte| word << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        out.extend((0..4).map(|place| letter(word >> (18 - 6 * place) & 63)));
    }
    out.push(b'\n');
    Ok(vm.new_bytes(out))
}

fn a2b_uu(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let source = ascii_argument(vm, &args[0])?;
    let Some((&first, rest)) = source.split_first() else { return Ok(vm.new_bytes(Vec::new())) };
    let length = usize::from(first.wrapping_sub(b' ') & 63);
    let (mut out, mut word, mut bits) = (Vec::new(), 0_u32, 0);
    let mut rest = rest.iter();
    while out.len() < length {
        let byte = rest.next().copied().unwrap_or(b' ');
        let value = match byte {
            b'\n' | b'\r' => 0,
            b' '..=b'`' => u32::from(byte - b' ') & 63,
            _ => return Err(error(vm, "Illegal char")),
        };
        word = word << 6 | value;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits) as u8);
            word &= (1 << bits) - 1;
        }
    }
    if rest.any(|&byte| !matches!(byte, b' ' | b'`' | b'\n' | b'\r')) {
        return Err(error(vm, "Trailing garbage"));
    }
    Ok(vm.new_bytes(out))
}
