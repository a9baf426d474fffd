//! `_json`: the scanner and the encoder under `json`.

use crate::number::{Int, float};
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, NativeModule, getter, native};
use crate::object::type_object::{CallArgs, Slots, Type, TypeSpec, constructor};
use crate::object::types::TypeId;
use crate::object::types::dict::Dict;
use crate::object::types::int_methods;
use crate::object::types::list::List;
use crate::object::types::numeric::{float_of, is_int};
use crate::object::types::str::Str;
use crate::object::types::str_methods::text;
use crate::object::types::tuple::Tuple;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::text::{Text, TextBuilder, TextView, pace};
use crate::vm::{Raised, Result, Vm};

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "_json",
    doc: "json speedups\n",
    functions: &[
        native("encode_basestring(string, /)", |vm, args| encode_string(vm, &args[0], false)),
        native("encode_basestring_ascii(string, /)", |vm, args| encode_string(vm, &args[0], true)),
        native("scanstring(string, end, strict=True, /)", scan_string_function).parsed(),
    ],
    types: &[&SCANNER, &ENCODER],
    init: Some(|vm, module| {
        for (own, shown) in [("Scanner", "make_scanner"), ("Encoder", "make_encoder")] {
            let class = vm.get_attr_str(module, own)?;
            vm.set_attr_str(module, shown, &class)?;
        }
        Ok(())
    }),
};

// ---- reading

/// The payload of a scanner.
pub(crate) struct Scanner {
    strict: bool,
    object_hook: Value,
    object_pairs_hook: Value,
    parse_float: Value,
    parse_int: Value,
    parse_constant: Value,
    /// Whether numbers go to `float` and `int` themselves, so that no call is needed.
    plain_float: bool,
    plain_int: bool,
}

impl Payload for Scanner {
    const LAYOUT: Layout = Layout::JsonScanner;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        for value in [&self.object_hook, &self.object_pairs_hook, &self.parse_float, &self.parse_int, &self.parse_constant] {
            visit(value.word());
        }
    }
}

static SCANNER: TypeSpec = TypeSpec {
    name: "_json.Scanner",
    doc: "JSON scanner object",
    layout: Layout::JsonScanner,
    new: constructor("make_scanner(context)", new_scanner),
    slots: Slots { call: Some(call_scanner), ..Slots::NONE },
    getset: &[
        getter("strict", |vm, value| Ok(Value::from_bool(scanner(value).get(vm).strict))),
        getter("object_hook", |vm, value| Ok(scanner(value).get(vm).object_hook.clone())),
        getter("object_pairs_hook", |vm, value| Ok(scanner(value).get(vm).object_pairs_hook.clone())),
        getter("parse_float", |vm, value| Ok(scanner(value).get(vm).parse_float.clone())),
        getter("parse_int", |vm, value| Ok(scanner(value).get(vm).parse_int.clone())),
        getter("parse_constant", |vm, value| Ok(scanner(value).get(vm).parse_constant.clone())),
    ],
    ..TypeSpec::DEFAULT
};

fn scanner(value: &Value) -> &Ref<Scanner> {
    value.downcast::<Scanner>().expect("the receiver is a scanner")
}

fn new_scanner(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("the class").clone();
    let context = &args[1];
    let strict = vm.get_attr_str(context, "strict")?;
    let strict = vm.is_true(&strict)?;
    let parse_float = vm.get_attr_str(context, "parse_float")?;
    let parse_int = vm.get_attr_str(context, "parse_int")?;
    let made = Scanner {
        strict,
        object_hook: vm.get_attr_str(context, "object_hook")?,
        object_pairs_hook: vm.get_attr_str(context, "object_pairs_hook")?,
        plain_float: parse_float.is(vm.state().builtin(TypeId::Float)),
        plain_int: parse_int.is(vm.state().builtin(TypeId::Int)),
        parse_float,
        parse_int,
        parse_constant: vm.get_attr_str(context, "parse_constant")?,
    };
    Ok(vm.alloc_for(&class, made).into_value())
}

fn call_scanner(vm: &mut Vm, this: &Value, args: CallArgs<'_>) -> Result<Value> {
    let [string, index] = args.values else {
        return Err(vm.type_error("scan_once() takes exactly 2 arguments"));
    };
    if !string.holds::<Str>() {
        let name = vm.type_name(string);
        return Err(vm.type_error(format!("first argument must be a string, not {name}")));
    }
    let index = vm.index_i64(index)?;
    let Ok(index) = usize::try_from(index) else { return Err(vm.value_error("idx cannot be negative")) };
    let settings = scanner(this).get(vm);
    let mut reading = Reading {
        string: string.clone(),
        source: text(vm, string).clone(),
        strict: settings.strict,
        object_hook: some(&settings.object_hook),
        object_pairs_hook: some(&settings.object_pairs_hook),
        parse_float: if settings.plain_float { None } else { Some(settings.parse_float.clone()) },
        parse_int: if settings.plain_int { None } else { Some(settings.parse_int.clone()) },
        parse_constant: settings.parse_constant.clone(),
        memo: Vec::new(),
    };
    let (value, end) = reading.value(vm, index)?;
    Ok(vm.new_tuple(vec![value, Value::small(end as i64)]))
}

fn some(value: &Value) -> Option<Value> {
    (!value.is_none()).then(|| value.clone())
}

/// One text that is being read.
struct Reading {
    string: Value,
    source: Text,
    strict: bool,
    object_hook: Option<Value>,
    object_pairs_hook: Option<Value>,
    parse_float: Option<Value>,
    parse_int: Option<Value>,
    parse_constant: Value,
    /// Keys seen before, so that equal keys are one string; by a few bits of their hash.
    memo: Vec<Option<Value>>,
}

/// `json.decoder.JSONDecodeError(message, document, position)`.
fn decode_error(vm: &mut Vm, message: &str, document: &Value, position: usize) -> Raised {
    let made = (|| {
        let module = vm.import("json.decoder")?;
        let class = vm.get_attr_str(&module, "JSONDecodeError")?;
        let message = vm.new_str(message);
        vm.call(&class, &[message, document.clone(), Value::small(position as i64)])
    })();
    match made {
        Ok(exception) => vm.raise_value(exception),
        Err(raised) => raised,
    }
}

impl Reading {
    fn at(&self, place: usize) -> Option<u32> {
        self.source.view().get(place)
    }

    fn skip_space(&self, mut place: usize) -> usize {
        while matches!(self.at(place), Some(0x20 | 0x09 | 0x0A | 0x0D)) {
            place += 1;
        }
        place
    }

    fn stop(&self, vm: &mut Vm, place: usize) -> Raised {
        vm.stop_iteration(Some(Value::small(place as i64)))
    }

    fn error(&self, vm: &mut Vm, message: &str, place: usize) -> Raised {
        decode_error(vm, message, &self.string, place)
    }

    fn starts_with(&self, place: usize, word: &str) -> bool {
        word.bytes().enumerate().all(|(offset, byte)| self.at(place + offset) == Some(u32::from(byte)))
    }

    fn value(&mut self, vm: &mut Vm, place: usize) -> Result<(Value, usize)> {
        let Some(first) = self.at(place) else { return Err(self.stop(vm, place)) };
        match char::from_u32(first).unwrap_or('\0') {
            '"' => {
                let (text, end) = self.string(vm, place + 1)?;
                Ok((vm.new_str(text), end))
            }
            '{' => {
                vm.enter_native_while(" while decoding a JSON object from a unicode string")?;
                self.object(vm, place + 1)
            }
            '[' => {
                vm.enter_native_while(" while decoding a JSON array from a unicode string")?;
                self.array(vm, place + 1)
            }
            'n' if self.starts_with(place, "null") => Ok((Value::NONE, place + 4)),
            't' if self.starts_with(place, "true") => Ok((Value::TRUE, place + 4)),
            'f' if self.starts_with(place, "false") => Ok((Value::FALSE, place + 5)),
            'N' if self.starts_with(place, "NaN") => self.constant(vm, "NaN", place),
            'I' if self.starts_with(place, "Infinity") => self.constant(vm, "Infinity", place),
            '-' if self.starts_with(place, "-Infinity") => self.constant(vm, "-Infinity", place),
            _ => self.number(vm, place),
        }
    }

    fn constant(&mut self, vm: &mut Vm, name: &str, place: usize) -> Result<(Value, usize)> {
        let argument = vm.intern(name);
        let value = vm.call(&self.parse_constant, &[argument])?;
        Ok((value, place + name.len()))
    }

    fn string(&self, vm: &mut Vm, place: usize) -> Result<(Text, usize)> {
        scan_string(self.source.view(), place, self.strict).map_err(|(message, position)| decode_error(vm, &message, &self.string, position))
    }

    fn number(&mut self, vm: &mut Vm, start: usize) -> Result<(Value, usize)> {
        let digit = |code: Option<u32>| matches!(code, Some(0x30..=0x39));
        let mut place = start;
        if self.at(place) == Some(u32::from('-')) {
            place += 1;
        }
        match self.at(place) {
            Some(0x31..=0x39) => {
                while digit(self.at(place)) {
                    place += 1;
                }
            }
            Some(0x30) => place += 1,
            _ => return Err(self.stop(vm, start)),
        }
        let mut is_float = false;
        if self.at(place) == Some(u32::from('.')) && digit(self.at(place + 1)) {
            is_float = true;
            place += 2;
            while digit(self.at(place)) {
                place += 1;
            }
        }
        if matches!(self.at(place), Some(0x45 | 0x65)) {
            let mut end = place + 1;
            if matches!(self.at(end), Some(0x2B | 0x2D)) {
                end += 1;
            }
            if digit(self.at(end)) {
                while digit(self.at(end)) {
                    end += 1;
                }
                is_float = true;
                place = end;
            }
        }
        let hook = if is_float { &self.parse_float } else { &self.parse_int };
        if let Some(hook) = hook {
            let digits = vm.new_str(self.source.slice(start, place));
            return Ok((vm.call(hook, &[digits])?, place));
        }
        let digits: Vec<u8> = self.source.view().slice(start, place).codes().map(|code| code as u8).collect();
        if is_float {
            let number = float::parse(&digits).unwrap_or(f64::NAN);
            return Ok((vm.new_float(number), place));
        }
        if digits.len() <= 18 {
            let number = digits.iter().filter(|&&byte| byte != b'-').fold(0_i64, |number, &byte| number * 10 + i64::from(byte - b'0'));
            return Ok((vm.new_int(if digits[0] == b'-' { -number } else { number }), place));
        }
        let digits = vm.new_str(self.source.slice(start, place));
        Ok((int_methods::from_object(vm, &digits)?, place))
    }

    fn array(&mut self, vm: &mut Vm, place: usize) -> Result<(Value, usize)> {
        let mut items = Vec::new();
        let mut place = self.skip_space(place);
        if self.at(place) == Some(u32::from(']')) {
            return Ok((vm.new_list(items), place + 1));
        }
        loop {
            let (item, end) = self.value(vm, place)?;
            items.push(item);
            if items.len() % 1024 == 0 {
                vm.check_room(items.len() * 16)?;
                vm.poll()?;
            }
            place = self.skip_space(end);
            match self.at(place) {
                Some(0x5D) => return Ok((vm.new_list(items), place + 1)),
                Some(0x2C) => {}
                _ => return Err(self.error(vm, "Expecting ',' delimiter", place)),
            }
            let comma = place;
            place = self.skip_space(place + 1);
            if self.at(place) == Some(0x5D) {
                return Err(self.error(vm, "Illegal trailing comma before end of array", comma));
            }
        }
    }

    fn object(&mut self, vm: &mut Vm, place: usize) -> Result<(Value, usize)> {
        let mut pairs: Vec<(Value, Value)> = Vec::new();
        let mut place = self.skip_space(place);
        if self.at(place) == Some(u32::from('}')) {
            return self.finish_object(vm, pairs, place + 1);
        }
        loop {
            if self.at(place) != Some(u32::from('"')) {
                return Err(self.error(vm, "Expecting property name enclosed in double quotes", place));
            }
            let (key, end) = self.string(vm, place + 1)?;
            let key = self.key(vm, key);
            place = self.skip_space(end);
            if self.at(place) != Some(u32::from(':')) {
                return Err(self.error(vm, "Expecting ':' delimiter", place));
            }
            place = self.skip_space(place + 1);
            let (value, end) = self.value(vm, place)?;
            pairs.push((key, value));
            if pairs.len().is_multiple_of(1024) {
                vm.check_room(pairs.len() * 48)?;
                vm.poll()?;
            }
            place = self.skip_space(end);
            match self.at(place) {
                Some(0x7D) => return self.finish_object(vm, pairs, place + 1),
                Some(0x2C) => {}
                _ => return Err(self.error(vm, "Expecting ',' delimiter", place)),
            }
            let comma = place;
            place = self.skip_space(place + 1);
            if self.at(place) == Some(0x7D) {
                return Err(self.error(vm, "Illegal trailing comma before end of object", comma));
            }
        }
    }

    /// The string of a key, the same object for the same key.
    fn key(&mut self, vm: &mut Vm, key: Text) -> Value {
        if self.memo.is_empty() {
            self.memo = vec![None; 256];
        }
        let slot = (key.hash(0) as usize) & 255;
        if let Some(known) = &self.memo[slot]
            && *text(vm, known) == key
        {
            return known.clone();
        }
        let made = vm.new_str(key);
        self.memo[slot] = Some(made.clone());
        made
    }

    fn finish_object(&mut self, vm: &mut Vm, pairs: Vec<(Value, Value)>, end: usize) -> Result<(Value, usize)> {
        if let Some(hook) = &self.object_pairs_hook {
            let pairs = pairs.into_iter().map(|(key, value)| vm.new_tuple(vec![key, value])).collect();
            let pairs = vm.new_list(pairs);
            return Ok((vm.call(hook, &[pairs])?, end));
        }
        let dict = vm.new_dict();
        for (key, value) in pairs {
            vm.dict_set(&dict, &key, value)?;
        }
        let dict = dict.into_value();
        match &self.object_hook {
            Some(hook) => Ok((vm.call(hook, &[dict])?, end)),
            None => Ok((dict, end)),
        }
    }
}

/// The text of a JSON string from behind its opening quote; where it ends. Errors have a message and a position.
fn scan_string(view: TextView<'_>, start: usize, strict: bool) -> std::result::Result<(Text, usize), (String, usize)> {
    let begin = start.wrapping_sub(1);
    let mut out: Option<TextBuilder> = None;
    let (mut place, mut run) = (start, start);
    loop {
        let Some(code) = view.get(place) else {
            return Err(("Unterminated string starting at".to_owned(), begin));
        };
        match code {
            0x22 => {
                let rest = view.slice(run, place);
                return Ok((
                    match out {
                        None => rest.to_text(),
                        Some(mut out) => {
                            out.push_view(rest);
                            out.finish()
                        }
                    },
                    place + 1,
                ));
            }
            0x5C => {}
            0..0x20 if strict => return Err(("Invalid control character at".to_owned(), place)),
            _ => {
                place += 1;
                continue;
            }
        }
        let out = out.get_or_insert_with(TextBuilder::new);
        out.push_view(view.slice(run, place));
        let Some(letter) = view.get(place + 1) else {
            return Err(("Unterminated string starting at".to_owned(), begin));
        };
        let (code, next) = match char::from_u32(letter).unwrap_or('\0') {
            char @ ('"' | '\\' | '/') => (u32::from(char), place + 2),
            'b' => (8, place + 2),
            'f' => (12, place + 2),
            'n' => (10, place + 2),
            'r' => (13, place + 2),
            't' => (9, place + 2),
            'u' => {
                let unit = |at: usize| {
                    (at..at + 4).try_fold(0, |value, at| {
                        let digit = view.get(at).and_then(char::from_u32).and_then(|char| char.to_digit(16))?;
                        Some(value << 4 | digit)
                    })
                };
                // As in CPython, an escape must be followed by something, if only the closing quote.
                let Some(high) = unit(place + 2).filter(|_| view.get(place + 6).is_some()) else {
                    return Err(("Invalid \\uXXXX escape".to_owned(), place + 1));
                };
                let low = match high {
                    0xD800..0xDC00 if view.get(place + 6) == Some(0x5C) && view.get(place + 7) == Some(0x75) => {
                        unit(place + 8).filter(|low| (0xDC00..0xE000).contains(low) && view.get(place + 12).is_some())
                    }
                    _ => None,
                };
                match low {
                    Some(low) => (0x10000 + ((high & 0x3FF) << 10 | low & 0x3FF), place + 12),
                    None => (high, place + 6),
                }
            }
            _ => return Err(("Invalid \\escape".to_owned(), place)),
        };
        out.push_code(code);
        place = next;
        run = next;
    }
}

fn scan_string_function(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if !args[0].holds::<Str>() {
        let name = vm.type_name(&args[0]);
        return Err(vm.type_error(format!("first argument must be a string, not {name}")));
    }
    let end = vm.index_i64(&args[1])?;
    let strict = match args.given(2) {
        Some(strict) => vm.is_true(strict)?,
        None => true,
    };
    let source = text(vm, &args[0]).clone();
    let Some(start) = usize::try_from(end).ok().filter(|&end| end <= source.len()) else {
        return Err(vm.value_error("end is out of bounds"));
    };
    match scan_string(source.view(), start, strict) {
        Ok((made, end)) => {
            let made = vm.new_str(made);
            Ok(vm.new_tuple(vec![made, Value::small(end as i64)]))
        }
        Err((message, position)) => Err(decode_error(vm, &message, &args[0], position)),
    }
}

// ---- writing

/// Appends a string as JSON.
fn push_string(out: &mut TextBuilder, view: TextView<'_>, ascii_only: bool) {
    out.push_char('"');
    if let TextView::Ascii(units) = view
        && units.iter().all(|&unit| !matches!(unit, 0..0x20 | b'"' | b'\\' | 0x7F))
    {
        out.push_view(view);
        out.push_char('"');
        return;
    }
    let mut counted = pace::Counted::default();
    for code in view.codes().take_while(|_| counted.go_on()) {
        match code {
            0x22 => out.push_str("\\\""),
            0x5C => out.push_str("\\\\"),
            0x08 => out.push_str("\\b"),
            0x09 => out.push_str("\\t"),
            0x0A => out.push_str("\\n"),
            0x0C => out.push_str("\\f"),
            0x0D => out.push_str("\\r"),
            0..0x20 => out.push_str(&format!("\\u{code:04x}")),
            0x20..0x7F => out.push_code(code),
            0x7F if ascii_only => out.push_str("\\u007f"),
            0x1_0000.. if ascii_only => {
                let rest = code - 0x1_0000;
                out.push_str(&format!("\\u{:04x}\\u{:04x}", 0xD800 | rest >> 10, 0xDC00 | rest & 0x3FF));
            }
            _ if ascii_only => out.push_str(&format!("\\u{code:04x}")),
            _ => out.push_code(code),
        }
    }
    out.push_char('"');
}

fn encode_string(vm: &mut Vm, value: &Value, ascii_only: bool) -> Result<Value> {
    if !value.holds::<Str>() {
        let name = vm.type_name(value);
        return Err(vm.type_error(format!("first argument must be a string, not {name}")));
    }
    let len = text(vm, value).len();
    let quoted = vm.paced(len, std::slice::from_ref(value), |vm| {
        let mut out = TextBuilder::new();
        push_string(&mut out, text(vm, value).view(), ascii_only);
        out.finish()
    })?;
    Ok(vm.new_str(quoted))
}

/// The payload of an encoder.
pub(crate) struct Encoder {
    markers: Value,
    default: Value,
    encoder: Value,
    indent: Value,
    key_separator: Value,
    item_separator: Value,
    sort_keys: bool,
    skip_keys: bool,
    allow_nan: bool,
    /// Whether strings are written by this module itself, and then whether in ASCII only.
    own_strings: Option<bool>,
}

impl Payload for Encoder {
    const LAYOUT: Layout = Layout::JsonEncoder;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        for value in [&self.markers, &self.default, &self.encoder, &self.indent] {
            visit(value.word());
        }
    }
}

static ENCODER: TypeSpec = TypeSpec {
    name: "_json.Encoder",
    doc: "Encoder(markers, default, encoder, indent, key_separator, item_separator, sort_keys, skipkeys, allow_nan)",
    layout: Layout::JsonEncoder,
    new: constructor("make_encoder(markers, default, encoder, indent, key_separator, item_separator, sort_keys, skipkeys, allow_nan)", new_encoder),
    slots: Slots { call: Some(call_encoder), ..Slots::NONE },
    getset: &[
        getter("markers", |vm, value| Ok(encoder(value).get(vm).markers.clone())),
        getter("default", |vm, value| Ok(encoder(value).get(vm).default.clone())),
        getter("encoder", |vm, value| Ok(encoder(value).get(vm).encoder.clone())),
        getter("indent", |vm, value| Ok(encoder(value).get(vm).indent.clone())),
        getter("key_separator", |vm, value| Ok(encoder(value).get(vm).key_separator.clone())),
        getter("item_separator", |vm, value| Ok(encoder(value).get(vm).item_separator.clone())),
        getter("sort_keys", |vm, value| Ok(Value::from_bool(encoder(value).get(vm).sort_keys))),
        getter("skipkeys", |vm, value| Ok(Value::from_bool(encoder(value).get(vm).skip_keys))),
    ],
    ..TypeSpec::DEFAULT
};

fn encoder(value: &Value) -> &Ref<Encoder> {
    value.downcast::<Encoder>().expect("the receiver is an encoder")
}

fn new_encoder(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("the class").clone();
    if !args[1].is_none() && !args[1].holds::<Dict>() {
        let name = vm.type_name(&args[1]);
        return Err(vm.type_error(format!("make_encoder() argument 1 must be dict or None, not {name}")));
    }
    for (place, argument) in [(5, &args[5]), (6, &args[6])] {
        if !argument.holds::<Str>() {
            let name = vm.type_name(argument);
            return Err(vm.type_error(format!("make_encoder() argument {place} must be str, not {name}")));
        }
    }
    let module = vm.import("_json")?;
    let plain = vm.get_attr_str(&module, "encode_basestring")?;
    let ascii = vm.get_attr_str(&module, "encode_basestring_ascii")?;
    let own_strings = if args[3].is(&ascii) {
        Some(true)
    } else if args[3].is(&plain) {
        Some(false)
    } else {
        None
    };
    let made = Encoder {
        markers: args[1].clone(),
        default: args[2].clone(),
        encoder: args[3].clone(),
        indent: args[4].clone(),
        key_separator: args[5].clone(),
        item_separator: args[6].clone(),
        sort_keys: vm.is_true(&args[7])?,
        skip_keys: vm.is_true(&args[8])?,
        allow_nan: vm.is_true(&args[9])?,
        own_strings,
    };
    Ok(vm.alloc_for(&class, made).into_value())
}

fn call_encoder(vm: &mut Vm, this: &Value, args: CallArgs<'_>) -> Result<Value> {
    let (object, level) = match args.values {
        [object, level] => (object.clone(), level.clone()),
        [object] => (object.clone(), Value::small(0)),
        _ => return Err(vm.type_error("Encoder() takes exactly 2 arguments")),
    };
    let level = vm.index_i64(&level)?;
    let settings = encoder(this).get(vm);
    let mut writing = Writing {
        markers: some(&settings.markers),
        default: settings.default.clone(),
        encoder: settings.encoder.clone(),
        key_separator: text(vm, &settings.key_separator).clone(),
        item_separator: text(vm, &settings.item_separator).clone(),
        indent: None,
        sort_keys: settings.sort_keys,
        skip_keys: settings.skip_keys,
        allow_nan: settings.allow_nan,
        own_strings: settings.own_strings,
        out: TextBuilder::new(),
        charged: 0,
    };
    let indent = settings.indent.clone();
    if !indent.is_none() {
        writing.indent = Some(if indent.holds::<Str>() {
            text(vm, &indent).clone()
        } else {
            let width = vm.index_i64(&indent)?.max(0) as usize;
            vm.charge(width)?;
            Text::from(" ".repeat(width))
        });
    }
    writing.value(vm, &object, level)?;
    let text = vm.new_str(writing.out.finish());
    Ok(vm.new_tuple(vec![text]))
}

/// One value that is being written.
struct Writing {
    markers: Option<Value>,
    default: Value,
    encoder: Value,
    key_separator: Text,
    item_separator: Text,
    indent: Option<Text>,
    sort_keys: bool,
    skip_keys: bool,
    allow_nan: bool,
    own_strings: Option<bool>,
    out: TextBuilder,
    charged: usize,
}

impl Writing {
    fn value(&mut self, vm: &mut Vm, object: &Value, level: i64) -> Result<()> {
        if self.out.len() > self.charged + 4096 {
            // All of it: nobody has counted it yet. The buffer doubles.
            vm.check_room(self.out.len() * 2)?;
            vm.poll()?;
            self.charged = self.out.len();
        }
        if object.is_none() {
            self.out.push_str("null");
        } else if let Some(bool) = object.as_bool() {
            self.out.push_str(if bool { "true" } else { "false" });
        } else if object.holds::<Str>() {
            self.string(vm, object)?;
        } else if is_int(object) {
            let digits = int_methods::to_decimal(vm, object)?;
            self.out.push_str(&digits);
        } else if let Some(float) = float_of(vm, object) {
            let shown = self.float(vm, float)?;
            self.out.push_str(&shown);
        } else if object.holds::<List>() || object.holds::<Tuple>() {
            vm.enter_native_while(" while encoding a JSON object")?;
            let marked = self.mark(vm, object)?;
            self.list(vm, object, level)?;
            self.unmark(vm, marked)?;
        } else if object.holds::<Dict>() {
            vm.enter_native_while(" while encoding a JSON object")?;
            let marked = self.mark(vm, object)?;
            self.dict(vm, object, level)?;
            self.unmark(vm, marked)?;
        } else {
            vm.enter_native_while(" while encoding a JSON object")?;
            let marked = self.mark(vm, object)?;
            let replaced = vm.call(&self.default.clone(), std::slice::from_ref(object))?;
            self.value(vm, &replaced, level)?;
            self.unmark(vm, marked)?;
        }
        Ok(())
    }

    fn mark(&mut self, vm: &mut Vm, object: &Value) -> Result<Option<Value>> {
        let Some(markers) = self.markers.clone() else { return Ok(None) };
        let key = vm.new_big(Int::from(object.address()));
        if vm.contains(&markers, &key)? {
            return Err(vm.value_error("Circular reference detected"));
        }
        vm.set_item(&markers, &key, object)?;
        Ok(Some(key))
    }

    fn unmark(&mut self, vm: &mut Vm, key: Option<Value>) -> Result<()> {
        if let (Some(key), Some(markers)) = (key, self.markers.clone()) {
            vm.del_item(&markers, &key)?;
        }
        Ok(())
    }

    fn string(&mut self, vm: &mut Vm, value: &Value) -> Result<()> {
        match self.own_strings {
            Some(ascii_only) => push_string(&mut self.out, text(vm, value).view(), ascii_only),
            None => {
                let made = vm.call(&self.encoder.clone(), std::slice::from_ref(value))?;
                if !made.holds::<Str>() {
                    let name = vm.type_name(&made);
                    return Err(vm.type_error(format!("encoder() must return a string, not {name}")));
                }
                self.out.push_text(text(vm, &made));
            }
        }
        Ok(())
    }

    fn float(&self, vm: &mut Vm, value: f64) -> Result<String> {
        if value.is_finite() {
            return Ok(float::repr(value));
        }
        if !self.allow_nan {
            let shown = float::repr(value);
            return Err(vm.value_error(format!("Out of range float values are not JSON compliant: {shown}")));
        }
        Ok(if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_owned())
    }

    fn new_line(&mut self, level: i64) {
        if let Some(indent) = &self.indent {
            self.out.push_char('\n');
            for _ in 0..level {
                self.out.push_text(indent);
            }
        }
    }

    fn list(&mut self, vm: &mut Vm, object: &Value, level: i64) -> Result<()> {
        let items = vm.collect(object)?;
        if items.is_empty() {
            self.out.push_str("[]");
            return Ok(());
        }
        self.out.push_char('[');
        self.new_line(level + 1);
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                self.out.push_text(&self.item_separator.clone());
                self.new_line(level + 1);
            }
            self.value(vm, item, level + 1)?;
        }
        self.new_line(level);
        self.out.push_char(']');
        Ok(())
    }

    fn dict(&mut self, vm: &mut Vm, object: &Value, level: i64) -> Result<()> {
        let exact = vm.is_exact(object, TypeId::Dict);
        let mut items: Vec<(Value, Value)> = if exact {
            let dict = object.downcast::<Dict>().expect("the caller looked");
            dict.get(vm).items().map(|(key, value)| (key.clone(), value.clone())).collect()
        } else {
            let pairs = vm.call_method(object, "items", &[])?;
            let pairs = vm.collect(&pairs)?;
            let mut items = Vec::with_capacity(pairs.len());
            for pair in pairs {
                let mut parts = vm.tuple_items(&pair).into_iter();
                match (parts.next(), parts.next(), parts.next()) {
                    (Some(key), Some(value), None) => items.push((key, value)),
                    _ => return Err(vm.value_error("items must return 2-tuples")),
                }
            }
            items
        };
        if items.is_empty() {
            self.out.push_str("{}");
            return Ok(());
        }
        if self.sort_keys {
            let pairs = items.into_iter().map(|(key, value)| vm.new_tuple(vec![key, value])).collect();
            let list = vm.new_list(pairs);
            vm.call_method(&list, "sort", &[])?;
            items = Vec::new();
            for pair in vm.collect(&list)? {
                let mut parts = vm.tuple_items(&pair).into_iter();
                if let (Some(key), Some(value)) = (parts.next(), parts.next()) {
                    items.push((key, value));
                }
            }
        }
        self.out.push_char('{');
        let mut first = true;
        for (key, value) in &items {
            let Some(key) = self.key(vm, key)? else { continue };
            if first {
                self.new_line(level + 1);
            } else {
                self.out.push_text(&self.item_separator.clone());
                self.new_line(level + 1);
            }
            first = false;
            self.string(vm, &key)?;
            self.out.push_text(&self.key_separator.clone());
            self.value(vm, value, level + 1)?;
        }
        if !first {
            self.new_line(level);
        }
        self.out.push_char('}');
        Ok(())
    }

    /// The string that stands for a key; `None` for one to leave out.
    fn key(&self, vm: &mut Vm, key: &Value) -> Result<Option<Value>> {
        if key.holds::<Str>() {
            return Ok(Some(key.clone()));
        }
        let shown = if key.is_none() {
            "null".to_owned()
        } else if let Some(bool) = key.as_bool() {
            bool.to_string()
        } else if is_int(key) {
            int_methods::to_decimal(vm, key)?
        } else if let Some(float) = float_of(vm, key) {
            self.float(vm, float)?
        } else if self.skip_keys {
            return Ok(None);
        } else {
            let name = vm.type_name(key);
            return Err(vm.type_error(format!("keys must be str, int, float, bool or None, not {name}")));
        };
        Ok(Some(vm.new_str(shown)))
    }
}
