//! `unicodedata`: what the Unicode database (15.1) says about a character, names and normal forms.

use crate::object::native::{Args, NativeModule, native};
use crate::object::types::buffer::buffer;
use crate::object::types::str::Str;
use crate::object::types::str_methods::text;
use crate::object::value::Value;
use crate::text::character::{self, Form};
use crate::text::{Text, TextBuilder, unicode};
use crate::vm::{Result, Vm};

/// The longest name there is; what is longer is refused at once.
const LONGEST_NAME: usize = 256;

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "unicodedata",
    doc: "What the Unicode Character Database, version 15.1.0, says about characters.",
    functions: &[
        native("category(chr, /)", |vm, args| word_about(vm, &args, "category() argument", character::category)),
        native("bidirectional(chr, /)", |vm, args| word_about(vm, &args, "bidirectional() argument", character::bidirectional)),
        native("east_asian_width(chr, /)", |vm, args| word_about(vm, &args, "east_asian_width() argument", character::east_asian_width)),
        native("combining(chr, /)", |vm, args| Ok(Value::small(character::combining(one(vm, &args[0], "combining() argument")?).into()))),
        native("mirrored(chr, /)", |vm, args| Ok(Value::small(character::is_mirrored(one(vm, &args[0], "mirrored() argument")?).into()))),
        native("decomposition(chr, /)", |vm, args| {
            let code = one(vm, &args[0], "decomposition() argument")?;
            Ok(vm.new_str(character::decomposition(code)))
        }),
        native("decimal(chr, default=None, /)", |vm, args| {
            let code = one(vm, &args[0], "decimal() argument 1")?;
            let value = unicode::decimal_value(code).map(|value| Value::small(value.into()));
            value_or(vm, &args, value, "not a decimal")
        }),
        native("digit(chr, default=None, /)", |vm, args| {
            let code = one(vm, &args[0], "digit() argument 1")?;
            let value = unicode::digit_value(code).map(|value| Value::small(value.into()));
            value_or(vm, &args, value, "not a digit")
        }),
        native("numeric(chr, default=None, /)", |vm, args| {
            let code = one(vm, &args[0], "numeric() argument 1")?;
            let value = character::numeric(code).map(|(numerator, denominator)| vm.new_float(numerator as f64 / f64::from(denominator)));
            value_or(vm, &args, value, "not a numeric character")
        }),
        native("name(chr, default=None, /)", |vm, args| {
            let code = one(vm, &args[0], "name() argument 1")?;
            let value = character::name(code).map(|name| vm.new_str(name));
            value_or(vm, &args, value, "no such name")
        }),
        native("lookup(name, /)", lookup),
        native("normalize(form, unistr, /)", |vm, args| {
            let form = form(vm, &args, "normalize")?;
            if text(vm, &args[1]).is_ascii() {
                return Ok(args[1].clone());
            }
            let normal = normal(vm, &args[1], form)?;
            Ok(vm.new_str(normal))
        }),
        native("is_normalized(form, unistr, /)", |vm, args| {
            let form = form(vm, &args, "is_normalized")?;
            if text(vm, &args[1]).is_ascii() {
                return Ok(Value::TRUE);
            }
            let normal = normal(vm, &args[1], form)?;
            Ok(Value::from_bool(*text(vm, &args[1]) == normal))
        }),
    ],
    types: &[],
    init: Some(|vm, module| {
        let version = vm.new_str("15.1.0");
        vm.set_attr_str(module, "unidata_version", &version)
    }),
};

/// The code point of a string of one character; `what` names the argument in the `TypeError` for anything else.
fn one(vm: &mut Vm, value: &Value, what: &str) -> Result<u32> {
    if value.holds::<Str>() {
        let text = text(vm, value);
        if text.len() == 1 {
            return Ok(text.get(0));
        }
    }
    let name = vm.type_name(value);
    Err(vm.type_error(format!("{what} must be a unicode character, not {name}")))
}

fn word_about(vm: &mut Vm, args: &Args<'_>, what: &str, about: fn(u32) -> &'static str) -> Result<Value> {
    let code = one(vm, &args[0], what)?;
    Ok(vm.new_str(about(code)))
}

/// The value; else the default that was given, else a `ValueError`.
fn value_or(vm: &mut Vm, args: &Args<'_>, value: Option<Value>, message: &str) -> Result<Value> {
    match value.or_else(|| args.given(1).cloned()) {
        Some(value) => Ok(value),
        None => Err(vm.value_error(message)),
    }
}

fn lookup(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    // Raises what encoding raises for lone surrogates.
    let bytes = if args[0].holds::<Str>() { vm.call_method(&args[0], "encode", &[])? } else { args[0].clone() };
    let bytes = buffer(vm, &bytes)?;
    let name = String::from_utf8_lossy(&bytes);
    if name.len() > LONGEST_NAME {
        let message = vm.new_str("name too long");
        return Err(vm.key_error(&message));
    }
    if let Some(character) = character::by_name(&name) {
        return Ok(vm.new_char(character.into()));
    }
    if let Some(sequence) = character::sequence_by_name(&name) {
        return Ok(vm.new_str(Text::from_code_points(sequence.iter().copied())));
    }
    let message = vm.new_str(format!("undefined character name '{name}'"));
    Err(vm.key_error(&message))
}

/// The form that the first argument names; the second is checked to be a string.
fn form(vm: &mut Vm, args: &Args<'_>, function: &str) -> Result<Form> {
    for (index, argument) in args.iter().enumerate() {
        if !argument.holds::<Str>() {
            let name = vm.type_name(argument);
            return Err(vm.type_error(format!("{function}() argument {} must be str, not {name}", index + 1)));
        }
    }
    match text(vm, &args[0]).as_ascii().and_then(Form::by_name) {
        Some(form) => Ok(form),
        None => Err(vm.value_error("invalid normalization form")),
    }
}

/// The normal form of a string.
fn normal(vm: &mut Vm, value: &Value, form: Form) -> Result<Text> {
    let mut is_retry = false;
    let length = text(vm, value).len();
    vm.check_room(length.saturating_mul(8))?;
    loop {
        let mut hook = vm.poll_hook(is_retry);
        let source = text(vm, value);
        let mut out = TextBuilder::with_capacity(source.len());
        let is_done = character::normalize(source, form, &mut out, || !hook.poll());
        vm.settle(&hook);
        if is_done {
            return Ok(out.finish());
        }
        vm.poll()?;
        is_retry = true;
    }
}
