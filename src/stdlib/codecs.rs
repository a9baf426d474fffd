//! `_codecs`: the registry of codecs and error handlers, and the encodings that are native.

use crate::object::native::{Args, Native, NativeModule, native};
use crate::object::types::buffer::buffer;
use crate::object::types::bytes::Bytes;
use crate::object::types::codec::{decode_known, encode_known, look_up, look_up_error, registry, run};
use crate::object::types::numeric::int_of;
use crate::object::types::str::Str;
use crate::object::types::str_methods::{string_argument, text};
use crate::object::value::Value;
use crate::text::codec::{Encoding, Order};
use crate::text::{Text, TextBuilder, character, repr};
use crate::vm::{ExceptionKind, Raised, Result, Vm};

macro_rules! pairs {
    ($($encode:literal, $decode:literal, $encoding:expr;)*) => {
        [$(
            native($encode, |vm, args| encode_pair(vm, args, $encoding)),
            native($decode, |vm, args| decode_pair(vm, args, $encoding)),
        )*]
    };
}

const PAIRS: [Native; 22] = pairs! {
    "utf_8_encode(str: str, errors: str | None=None, /)", "utf_8_decode(data, errors=None, final=False, /)", Encoding::Utf8;
    "utf_16_encode(str: str, errors: str | None=None, byteorder=0, /)", "utf_16_decode(data, errors=None, final=False, /)", Encoding::Utf16(None);
    "utf_16_le_encode(str: str, errors: str | None=None, /)", "utf_16_le_decode(data, errors=None, final=False, /)", Encoding::Utf16(Some(Order::Little));
    "utf_16_be_encode(str: str, errors: str | None=None, /)", "utf_16_be_decode(data, errors=None, final=False, /)", Encoding::Utf16(Some(Order::Big));
    "utf_32_encode(str: str, errors: str | None=None, byteorder=0, /)", "utf_32_decode(data, errors=None, final=False, /)", Encoding::Utf32(None);
    "utf_32_le_encode(str: str, errors: str | None=None, /)", "utf_32_le_decode(data, errors=None, final=False, /)", Encoding::Utf32(Some(Order::Little));
    "utf_32_be_encode(str: str, errors: str | None=None, /)", "utf_32_be_decode(data, errors=None, final=False, /)", Encoding::Utf32(Some(Order::Big));
    "latin_1_encode(str: str, errors: str | None=None, /)", "latin_1_decode(data, errors=None, /)", Encoding::Latin1;
    "ascii_encode(str: str, errors: str | None=None, /)", "ascii_decode(data, errors=None, /)", Encoding::Ascii;
    "unicode_escape_encode(str: str, errors: str | None=None, /)", "unicode_escape_decode(data, errors=None, final=True, /)", Encoding::UnicodeEscape;
    "raw_unicode_escape_encode(str: str, errors: str | None=None, /)", "raw_unicode_escape_decode(data, errors=None, final=True, /)", Encoding::RawUnicodeEscape;
};

const OTHERS: [Native; 17] = [
    native("register(search_function, /)", register),
    native("unregister(search_function, /)", unregister),
    native("lookup(encoding, /)", |vm, args| {
        let encoding = vm.expect_string(&args[0], "lookup() argument")?;
        look_up(vm, &encoding)
    }),
    native("encode(obj, encoding: str='utf-8', errors: str='strict')", |vm, args| by_name(vm, args, 0)),
    native("decode(obj, encoding: str='utf-8', errors: str='strict')", |vm, args| by_name(vm, args, 1)),
    native("register_error(errors, handler, /)", register_error),
    native("lookup_error(name, /)", |vm, args| {
        let name = vm.expect_string(&args[0], "lookup_error() argument")?;
        look_up_error(vm, &name)
    }),
    native("escape_encode(data, errors=None, /)", escape_encode),
    native("escape_decode(data, errors=None, /)", escape_decode),
    native("charmap_encode(str: str, errors: str | None=None, mapping=None, /)", charmap_encode),
    native("charmap_decode(data, errors=None, mapping=None, /)", charmap_decode),
    native("charmap_build(map, /)", charmap_build),
    native("utf_16_ex_decode(data, errors=None, byteorder=0, final=False, /)", |vm, args| decode_ordered(vm, args, 2)),
    native("utf_32_ex_decode(data, errors=None, byteorder=0, final=False, /)", |vm, args| decode_ordered(vm, args, 4)),
    native("utf_7_encode(str: str, errors: str | None=None, /)", utf_7_encode),
    native("utf_7_decode(data, errors=None, final=False, /)", utf_7_decode),
    native("readbuffer_encode(data, errors=None, /)", |vm, args| {
        let bytes = if args[0].holds::<Str>() { encode_known(vm, &args[0], Encoding::Utf8, "strict")? } else { buffer(vm, &args[0])? };
        pair(vm, bytes.len(), |vm| vm.new_bytes(bytes))
    }),
];

const fn joined() -> [Native; 39] {
    let mut all = [OTHERS[0]; 39];
    let mut place = 0;
    while place < OTHERS.len() {
        all[place] = OTHERS[place];
        place += 1;
    }
    while place < 39 {
        all[place] = PAIRS[place - OTHERS.len()];
        place += 1;
    }
    all
}

static FUNCTIONS: [Native; 39] = joined();

pub(crate) const MODULE: NativeModule = NativeModule { name: "_codecs", doc: "", functions: &FUNCTIONS, types: &[], init: Some(init) };

/// The functions that stand for the built-in error handlers.
static HANDLERS: [Native; 8] = [
    native("strict_errors(exc, /)", |vm, args| {
        exception_parts(vm, &args[0])?;
        Err(vm.raise_value(args[0].clone()))
    }),
    native("ignore_errors(exc, /)", |vm, args| handled(vm, args, |_, _, _| Some(Text::new()))),
    native("replace_errors(exc, /)", |vm, args| {
        handled(vm, args, |kind, _, count| {
            Some(match kind {
                Kind::Encode => Text::from("?".repeat(count)),
                Kind::Decode => Text::from("\u{FFFD}"),
                Kind::Translate => Text::from("\u{FFFD}".repeat(count)),
            })
        })
    }),
    native("xmlcharrefreplace_errors(exc, /)", |vm, args| {
        handled(vm, args, |kind, codes, _| {
            (kind == Kind::Encode).then(|| Text::from(codes.iter().map(|code| format!("&#{code};")).collect::<String>()))
        })
    }),
    native("backslashreplace_errors(exc, /)", |vm, args| {
        handled(vm, args, |_, codes, _| {
            let mut out = TextBuilder::new();
            for &code in codes {
                repr::push_escape(&mut out, code);
            }
            Some(out.finish())
        })
    }),
    native("namereplace_errors(exc, /)", |vm, args| {
        handled(vm, args, |kind, codes, _| {
            let mut out = TextBuilder::new();
            for &code in codes {
                match character::name(code) {
                    Some(name) => out.push_str(&format!("\\N{{{name}}}")),
                    None => repr::push_escape(&mut out, code),
                }
            }
            (kind == Kind::Encode).then(|| out.finish())
        })
    }),
    native("surrogateescape(exc, /)", surrogate_escape),
    native("surrogatepass(exc, /)", surrogate_pass),
];

fn init(vm: &mut Vm, module: &Value) -> Result<()> {
    let path = vm.new_list(Vec::new());
    vm.set_attr_str(module, "_search_path", &path)?;
    let cache = vm.new_dict();
    vm.set_attr_str(module, "_search_cache", &cache)?;
    let handlers = vm.new_dict();
    let names = ["strict", "ignore", "replace", "xmlcharrefreplace", "backslashreplace", "namereplace", "surrogateescape", "surrogatepass"];
    for (name, handler) in names.into_iter().zip(&HANDLERS) {
        let owner = vm.intern("_codecs");
        let function = vm.new_native(handler, owner);
        vm.dict_set_str(&handlers, name, function)?;
    }
    vm.set_attr_str(module, "_error_handlers", &handlers)
}

fn pair(vm: &mut Vm, length: usize, made: impl FnOnce(&mut Vm) -> Value) -> Result<Value> {
    let made = made(vm);
    Ok(vm.new_tuple(vec![made, Value::small(length as i64)]))
}

fn errors_argument(vm: &mut Vm, value: Option<&Value>) -> Result<String> {
    Ok(string_argument(vm, value.filter(|value| !value.is_none()), "argument 'errors'")?.unwrap_or_else(|| "strict".to_owned()))
}

fn encode_pair(vm: &mut Vm, args: Args<'_>, encoding: Encoding) -> Result<Value> {
    let errors = errors_argument(vm, args.given(1))?;
    vm.expect_str(&args[0], "argument 1")?;
    let order = match args.given(2) {
        Some(order) => vm.index_i64(order)?,
        None => 0,
    };
    let order = match order {
        ..0 => Some(Order::Little),
        0 => None,
        1.. => Some(Order::Big),
    };
    let encoding = match encoding {
        Encoding::Utf16(None) => Encoding::Utf16(order),
        Encoding::Utf32(None) => Encoding::Utf32(order),
        other => other,
    };
    let bytes = encode_known(vm, &args[0], encoding, &errors)?;
    let length = text(vm, &args[0]).len();
    pair(vm, length, |vm| vm.new_bytes(bytes))
}

fn decode_pair(vm: &mut Vm, args: Args<'_>, encoding: Encoding) -> Result<Value> {
    let bytes = if args[0].holds::<Str>() && matches!(encoding, Encoding::UnicodeEscape | Encoding::RawUnicodeEscape) {
        encode_known(vm, &args[0], Encoding::Utf8, "strict")?
    } else {
        buffer(vm, &args[0])?
    };
    let errors = errors_argument(vm, args.given(1))?;
    let single = matches!(encoding, Encoding::Latin1 | Encoding::Ascii | Encoding::UnicodeEscape | Encoding::RawUnicodeEscape);
    let last = match args.given(2) {
        Some(last) => vm.is_true(last)?,
        None => single,
    };
    let decoded = decode_known(vm, &bytes, encoding, &errors, last)?;
    pair(vm, decoded.consumed, |vm| vm.new_str(decoded.text))
}

/// Decodes text that may begin with a byte-order mark; the third item says which order it is in.
fn decode_ordered(vm: &mut Vm, args: Args<'_>, width: usize) -> Result<Value> {
    let bytes = buffer(vm, &args[0])?;
    let errors = errors_argument(vm, args.given(1))?;
    let mut order = match args.given(2) {
        Some(order) => vm.index_i64(order)?.signum(),
        None => 0,
    };
    let last = match args.given(3) {
        Some(last) => vm.is_true(last)?,
        None => false,
    };
    let marks: [&[u8]; 2] = if width == 2 { [&[0xFF, 0xFE], &[0xFE, 0xFF]] } else { [&[0xFF, 0xFE, 0, 0], &[0, 0, 0xFE, 0xFF]] };
    let mut skipped = 0;
    if order == 0 && bytes.len() >= width {
        for (mark, found) in marks.into_iter().zip([-1, 1]) {
            if bytes.starts_with(mark) {
                order = found;
                skipped = width;
            }
        }
    }
    let kept = if order > 0 { Order::Big } else { Order::Little };
    let encoding = if width == 2 { Encoding::Utf16(Some(kept)) } else { Encoding::Utf32(Some(kept)) };
    let decoded = decode_known(vm, &bytes[skipped..], encoding, &errors, last)?;
    let consumed = Value::small((decoded.consumed + skipped) as i64);
    let text = vm.new_str(decoded.text);
    Ok(vm.new_tuple(vec![text, consumed, Value::small(order)]))
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// UTF-7 (RFC 2152).
fn utf_7_encode(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    vm.expect_str(&args[0], "utf_7_encode() argument 1")?;
    let source = text(vm, &args[0]).clone();
    let direct =
        |code: u32| u8::try_from(code).is_ok_and(|byte| byte.is_ascii_alphanumeric() || b" \t\r\n'(),-./:?!\"#$%&*;<=>@[]^_`{|}".contains(&byte));
    let mut out = Vec::new();
    let (mut bits, mut n_bits, mut shifted) = (0_u32, 0, false);
    for code in source.codes() {
        if direct(code) {
            if shifted {
                if n_bits > 0 {
                    out.push(BASE64[(bits << (6 - n_bits) & 63) as usize]);
                }
                (bits, n_bits, shifted) = (0, 0, false);
                let byte = code as u8;
                if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-') {
                    out.push(b'-');
                }
            }
            out.push(code as u8);
            continue;
        }
        if !shifted && code == u32::from('+') {
            out.extend(b"+-");
            continue;
        }
        if !shifted {
            out.push(b'+');
            shifted = true;
        }
        let units: &[u32] = if code >= 0x1_0000 {
            let rest = code - 0x1_0000;
            &[0xD800 | rest >> 10, 0xDC00 | rest & 0x3FF]
        } else {
            &[code]
        };
        for &unit in units {
            bits = bits << 16 | unit;
            n_bits += 16;
            while n_bits >= 6 {
                n_bits -= 6;
                out.push(BASE64[(bits >> n_bits & 63) as usize]);
            }
            bits &= (1 << n_bits) - 1;
        }
    }
    if shifted {
        if n_bits > 0 {
            out.push(BASE64[(bits << (6 - n_bits) & 63) as usize]);
        }
        out.push(b'-');
    }
    pair(vm, source.len(), |vm| vm.new_bytes(out))
}

fn utf_7_decode(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let bytes = buffer(vm, &args[0])?;
    let mut out: Vec<u32> = Vec::new();
    let (mut at, mut high) = (0, None::<u32>);
    let mut wrong = None;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte >= 0x80 {
            wrong = Some((at, "unexpected special character"));
            break;
        }
        at += 1;
        if byte != b'+' {
            out.push(u32::from(byte));
            continue;
        }
        if bytes.get(at) == Some(&b'-') {
            out.push(u32::from('+'));
            at += 1;
            continue;
        }
        let (mut bits, mut n_bits) = (0_u32, 0);
        while let Some(value) = bytes.get(at).and_then(|byte| BASE64.iter().position(|letter| letter == byte)) {
            at += 1;
            bits = bits << 6 | value as u32;
            n_bits += 6;
            if n_bits >= 16 {
                n_bits -= 16;
                let unit = bits >> n_bits & 0xFFFF;
                bits &= (1 << n_bits) - 1;
                match (high.take(), unit) {
                    (Some(first), 0xDC00..0xE000) => out.push(0x1_0000 + ((first & 0x3FF) << 10 | unit & 0x3FF)),
                    (first, 0xD800..0xDC00) => {
                        out.extend(first);
                        high = Some(unit);
                    }
                    (first, _) => {
                        out.extend(first);
                        out.push(unit);
                    }
                }
            }
        }
        out.extend(high.take());
        if bytes.get(at) == Some(&b'-') {
            at += 1;
        }
    }
    if let Some((start, reason)) = wrong {
        let object = vm.new_bytes(bytes);
        let arguments = vec![vm.new_str("utf7"), object, Value::small(start as i64), Value::small(start as i64 + 1), vm.new_str(reason)];
        return Err(vm.raise_new(ExceptionKind::UnicodeDecodeError, arguments));
    }
    pair(vm, bytes.len(), |vm| vm.new_str(Text::from_code_points(out)))
}

fn register(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if vm.type_of(&args[0]).get(vm).slots.call.is_none() {
        return Err(vm.type_error("argument must be callable"));
    }
    let path = registry(vm, "_search_path")?;
    vm.call_method(&path, "append", &[args[0].clone()])?;
    Ok(Value::NONE)
}

fn unregister(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let path = registry(vm, "_search_path")?;
    if vm.contains(&path, &args[0])? {
        vm.call_method(&path, "remove", &[args[0].clone()])?;
        let cache = registry(vm, "_search_cache")?;
        vm.call_method(&cache, "clear", &[])?;
    }
    Ok(Value::NONE)
}

fn register_error(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    vm.expect_str(&args[0], "register_error() argument 1")?;
    if vm.type_of(&args[1]).get(vm).slots.call.is_none() {
        return Err(vm.type_error("handler must be callable"));
    }
    let handlers = registry(vm, "_error_handlers")?;
    vm.set_item(&handlers, &args[0], &args[1])?;
    Ok(Value::NONE)
}

fn by_name(vm: &mut Vm, args: Args<'_>, place: i64) -> Result<Value> {
    let encoding = string_argument(vm, args.given(1), "argument 'encoding'")?.unwrap_or_else(|| "utf-8".to_owned());
    let errors = errors_argument(vm, args.given(2))?;
    if let Some(known) = Encoding::from_name(&encoding) {
        if place == 0 && args[0].holds::<Str>() {
            let bytes = encode_known(vm, &args[0], known, &errors)?;
            return Ok(vm.new_bytes(bytes));
        }
        if place == 1 && vm.is_bytes_like(&args[0]) {
            let bytes = buffer(vm, &args[0])?;
            let decoded = decode_known(vm, &bytes, known, &errors, true)?;
            return Ok(vm.new_str(decoded.text));
        }
    }
    let info = look_up(vm, &encoding)?;
    let function = vm.get_item(&info, &Value::small(place))?;
    run(vm, &function, &args[0], &errors, if place == 0 { "encoder" } else { "decoder" }, &encoding)
}

// ---- error handlers as functions

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Encode,
    Decode,
    Translate,
}

struct Parts {
    kind: Kind,
    object: Value,
    start: usize,
    end: usize,
    encoding: String,
}

fn exception_parts(vm: &mut Vm, exception: &Value) -> Result<Parts> {
    let kind = if vm.is_exception(exception, ExceptionKind::UnicodeEncodeError) {
        Kind::Encode
    } else if vm.is_exception(exception, ExceptionKind::UnicodeDecodeError) {
        Kind::Decode
    } else if vm.is_exception(exception, ExceptionKind::UnicodeTranslateError) {
        Kind::Translate
    } else {
        return Err(wrong_exception(vm, exception));
    };
    let object = vm.get_attr_str(exception, "object")?;
    let length = vm.len(&object)? as i64;
    let start = vm.get_attr_str(exception, "start")?;
    let start = vm.index_i64(&start)?.clamp(0, length.max(1) - 1) as usize;
    let end = vm.get_attr_str(exception, "end")?;
    let end = vm.index_i64(&end)?.clamp(length.min(1), length).max(start as i64) as usize;
    let encoding = match kind {
        Kind::Translate => String::new(),
        _ => {
            let encoding = vm.get_attr_str(exception, "encoding")?;
            vm.expect_string(&encoding, "encoding")?
        }
    };
    Ok(Parts { kind, object, start, end, encoding })
}

fn wrong_exception(vm: &mut Vm, exception: &Value) -> Raised {
    if vm.is_exception(exception, ExceptionKind::BaseException) {
        let name = vm.type_name(exception);
        return vm.type_error(format!("don't know how to handle {name} in error callback"));
    }
    vm.type_error("codec must pass exception instance")
}

fn codes_of(vm: &mut Vm, parts: &Parts) -> Result<Vec<u32>> {
    if parts.object.holds::<Str>() {
        return Ok(text(vm, &parts.object).view().slice(parts.start, parts.end).codes().collect());
    }
    let bytes = buffer(vm, &parts.object)?;
    Ok(bytes[parts.start..parts.end].iter().map(|&byte| u32::from(byte)).collect())
}

fn handled(vm: &mut Vm, args: Args<'_>, replace: impl FnOnce(Kind, &[u32], usize) -> Option<Text>) -> Result<Value> {
    let parts = exception_parts(vm, &args[0])?;
    let codes = codes_of(vm, &parts)?;
    match replace(parts.kind, &codes, codes.len()) {
        Some(text) => pair(vm, parts.end, |vm| vm.new_str(text)),
        None => Err(wrong_exception(vm, &args[0])),
    }
}

fn surrogate_escape(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let parts = exception_parts(vm, &args[0])?;
    let codes = codes_of(vm, &parts)?;
    match parts.kind {
        Kind::Encode if codes.iter().all(|code| (0xDC80..=0xDCFF).contains(code)) => {
            let bytes: Vec<u8> = codes.iter().map(|code| (code & 0xff) as u8).collect();
            pair(vm, parts.end, |vm| vm.new_bytes(bytes))
        }
        Kind::Decode => {
            let codes: Vec<u32> = codes.into_iter().take(4).take_while(|&code| code >= 0x80).map(|code| 0xDC00 + code).collect();
            if codes.is_empty() {
                return Err(vm.raise_value(args[0].clone()));
            }
            pair(vm, parts.start + codes.len(), |vm| vm.new_str(Text::from_code_points(codes)))
        }
        Kind::Encode => Err(vm.raise_value(args[0].clone())),
        Kind::Translate => Err(wrong_exception(vm, &args[0])),
    }
}

fn surrogate_pass(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let parts = exception_parts(vm, &args[0])?;
    let Some(encoding) = Encoding::from_name(&parts.encoding) else { return Err(vm.raise_value(args[0].clone())) };
    match parts.kind {
        Kind::Encode => {
            let bad = text(vm, &parts.object).slice(parts.start, parts.end);
            let bad = vm.new_str(bad);
            let bytes = encode_known(vm, &bad, encoding, "surrogatepass")?;
            pair(vm, parts.end, |vm| vm.new_bytes(bytes))
        }
        Kind::Decode => {
            let bytes = buffer(vm, &parts.object)?;
            let length = match encoding {
                Encoding::Utf16(_) => 2,
                Encoding::Utf32(_) => 4,
                _ => 3,
            };
            let bad = bytes.get(parts.start..parts.start + length).unwrap_or_default().to_vec();
            match decode_known(vm, &bad, encoding, "surrogatepass", true) {
                Ok(decoded) if !bad.is_empty() => pair(vm, parts.start + length, |vm| vm.new_str(decoded.text)),
                _ => Err(vm.raise_value(args[0].clone())),
            }
        }
        Kind::Translate => Err(wrong_exception(vm, &args[0])),
    }
}

// ---- escapes of bytes

fn escape_encode(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let Some(bytes) = args[0].downcast::<Bytes>() else {
        let name = vm.type_name(&args[0]);
        return Err(vm.type_error(format!("escape_encode() argument 1 must be bytes, not {name}")));
    };
    let bytes = bytes.get(vm).data.to_vec();
    let mut out = Vec::new();
    for &byte in &bytes {
        match byte {
            b'\\' | b'\'' => out.extend([b'\\', byte]),
            b'\t' => out.extend(b"\\t"),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    pair(vm, bytes.len(), |vm| vm.new_bytes(out))
}

fn escape_decode(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let source = if args[0].holds::<Str>() { encode_known(vm, &args[0], Encoding::Utf8, "strict")? } else { buffer(vm, &args[0])? };
    let errors = errors_argument(vm, args.given(1))?;
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(&byte) = source.get(at) {
        at += 1;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some(&letter) = source.get(at) else { return Err(vm.value_error("Trailing \\ in string")) };
        at += 1;
        match letter {
            b'\n' => {}
            b'\\' | b'\'' | b'"' => out.push(letter),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b't' => out.push(b'\t'),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b'v' => out.push(11),
            b'a' => out.push(7),
            b'0'..=b'7' => {
                let mut value = u32::from(letter - b'0');
                for _ in 0..2 {
                    if let Some(digit @ b'0'..=b'7') = source.get(at) {
                        value = value * 8 + u32::from(digit - b'0');
                        at += 1;
                    }
                }
                out.push(value as u8);
            }
            b'x' => {
                let digit = |at: usize| source.get(at).and_then(|&byte| char::from(byte).to_digit(16));
                match (digit(at), digit(at + 1)) {
                    (Some(high), Some(low)) => {
                        out.push((high << 4 | low) as u8);
                        at += 2;
                    }
                    (first, _) => {
                        match errors.as_str() {
                            "strict" => {
                                let position = at - 2;
                                return Err(vm.value_error(format!("invalid \\x escape at position {position}")));
                            }
                            "replace" => out.push(b'?'),
                            "ignore" => {}
                            other => {
                                return Err(vm.value_error(format!("decoding error; unknown error handling code: {other}")));
                            }
                        }
                        at += usize::from(first.is_some());
                    }
                }
            }
            _ => out.extend([b'\\', letter]),
        }
    }
    pair(vm, source.len(), |vm| vm.new_bytes(out))
}

// ---- character maps

/// What a map says of a key: `None` when it has no entry.
fn mapped(vm: &mut Vm, mapping: &Value, key: i64) -> Result<Option<Value>> {
    match vm.get_item(mapping, &Value::small(key)) {
        Ok(value) if value.is_none() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(_) if vm.clear_if(ExceptionKind::LookupError) => Ok(None),
        Err(raised) => Err(raised),
    }
}

fn encoded_by(vm: &mut Vm, mapping: &Value, code: u32) -> Result<Option<Vec<u8>>> {
    let Some(value) = mapped(vm, mapping, i64::from(code))? else { return Ok(None) };
    if let Some(bytes) = value.downcast::<Bytes>() {
        return Ok(Some(bytes.get(vm).data.to_vec()));
    }
    match int_of(vm, &value).map(|int| int.as_ref().to_i64()) {
        Some(Some(byte @ 0..=255)) => Ok(Some(vec![byte as u8])),
        Some(_) => Err(vm.type_error("character mapping must be in range(256)")),
        None => {
            let name = vm.type_name(&value);
            Err(vm.type_error(format!("character mapping must return integer, bytes or None, not {name}")))
        }
    }
}

fn charmap_encode(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let errors = errors_argument(vm, args.given(1))?;
    vm.expect_str(&args[0], "charmap_encode() argument 1")?;
    let source = text(vm, &args[0]).clone();
    let Some(mapping) = args.given_some(2) else {
        let bytes = encode_known(vm, &args[0], Encoding::Latin1, &errors)?;
        return pair(vm, source.len(), |vm| vm.new_bytes(bytes));
    };
    let (mut out, mut at) = (Vec::new(), 0);
    while at < source.len() {
        if let Some(bytes) = encoded_by(vm, mapping, source.get(at))? {
            out.extend(bytes);
            at += 1;
            continue;
        }
        let mut end = at + 1;
        while end < source.len() && encoded_by(vm, mapping, source.get(end))?.is_none() {
            end += 1;
        }
        let arguments = vec![
            vm.new_str("charmap"),
            args[0].clone(),
            Value::small(at as i64),
            Value::small(end as i64),
            vm.new_str("character maps to <undefined>"),
        ];
        let raised = vm.raise_new(ExceptionKind::UnicodeEncodeError, arguments);
        if errors == "strict" {
            return Err(raised);
        }
        let exception = vm.take_raised();
        let handler = look_up_error(vm, &errors)?;
        let answer = vm.call(&handler, std::slice::from_ref(&exception))?;
        let items = vm.tuple_items(&answer);
        let [replacement, position] = items.as_slice() else {
            return Err(vm.type_error("encoding error handler must return (str/bytes, int) tuple"));
        };
        if let Some(bytes) = replacement.downcast::<Bytes>() {
            out.extend_from_slice(&bytes.get(vm).data);
        } else {
            vm.expect_str(replacement, "replacement")?;
            let replacement = text(vm, replacement).clone();
            for code in replacement.codes() {
                match encoded_by(vm, mapping, code)? {
                    Some(bytes) => out.extend(bytes),
                    None => return Err(vm.raise_value(exception)),
                }
            }
        }
        let position = vm.index_i64(position)?;
        let length = source.len() as i64;
        at = (if position < 0 { position + length } else { position }).clamp(0, length) as usize;
    }
    pair(vm, source.len(), |vm| vm.new_bytes(out))
}

fn charmap_decode(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let bytes = buffer(vm, &args[0])?;
    let errors = errors_argument(vm, args.given(1))?;
    let Some(mapping) = args.given_some(2) else {
        let decoded = decode_known(vm, &bytes, Encoding::Latin1, &errors, true)?;
        return pair(vm, bytes.len(), |vm| vm.new_str(decoded.text));
    };
    let table = mapping.holds::<Str>().then(|| text(vm, mapping).clone());
    let (mut out, mut at) = (TextBuilder::new(), 0);
    while at < bytes.len() {
        let byte = bytes[at];
        let found = match &table {
            Some(table) => table.view().get(usize::from(byte)).filter(|&code| code != 0xFFFE).map(Text::from_code),
            None => match mapped(vm, mapping, i64::from(byte))? {
                None => None,
                Some(value) if value.holds::<Str>() => Some(text(vm, &value).clone()).filter(|text| *text != "\u{FFFE}"),
                Some(value) => match int_of(vm, &value).map(|int| int.as_ref().to_i64()) {
                    Some(Some(0xFFFE)) => None,
                    Some(Some(code @ 0..=0x10_FFFF)) => Some(Text::from_code(code as u32)),
                    Some(_) => return Err(vm.type_error("character mapping must be in range(0x110000)")),
                    None => return Err(vm.type_error("character mapping must return integer, None or str")),
                },
            },
        };
        if let Some(found) = found {
            out.push_text(&found);
            at += 1;
            continue;
        }
        let arguments = vec![
            vm.new_str("charmap"),
            vm.new_bytes(bytes.clone()),
            Value::small(at as i64),
            Value::small(at as i64 + 1),
            vm.new_str("character maps to <undefined>"),
        ];
        let raised = vm.raise_new(ExceptionKind::UnicodeDecodeError, arguments);
        if errors == "strict" {
            return Err(raised);
        }
        let exception = vm.take_raised();
        let handler = look_up_error(vm, &errors)?;
        let answer = vm.call(&handler, &[exception])?;
        let items = vm.tuple_items(&answer);
        let [replacement, position] = items.as_slice() else {
            return Err(vm.type_error("decoding error handler must return (str, int) tuple"));
        };
        vm.expect_str(replacement, "replacement")?;
        out.push_text(text(vm, replacement));
        let position = vm.index_i64(position)?;
        let length = bytes.len() as i64;
        at = (if position < 0 { position + length } else { position }).clamp(0, length) as usize;
    }
    pair(vm, bytes.len(), |vm| vm.new_str(out.finish()))
}

fn charmap_build(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    vm.expect_str(&args[0], "charmap_build() argument")?;
    let table = text(vm, &args[0]).clone();
    let map = vm.new_dict();
    for (byte, code) in table.codes().take(256).enumerate() {
        if code != 0xFFFE {
            vm.dict_set(&map, &Value::small(i64::from(code)), Value::small(byte as i64))?;
        }
    }
    Ok(map.into_value())
}
