//! `__format__` of the built-in types: a specification and a value become text. The rules stand in `text::format_spec` and `number`.

use super::TypeId;
use super::complex_methods::complex_of;
use super::int_methods::decimal_of;
use super::numeric::{checked, float_of, int_of};
use super::str_methods::text;
use crate::number::Int;
use crate::number::complex::Complex;
use crate::number::float::{self, FloatFormat, FloatKind, FloatParts};
use crate::object::types::str::Str;
use crate::object::value::Value;
use crate::text::format_spec::{self, Align, FormatError, FormatSpec, IntFormat, NumberParts, Sign};
use crate::text::{Text, TextTooLarge};
use crate::vm::{Raised, Result, Vm};

/// The exception for a specification that does not fit.
pub(crate) fn format_error(vm: &mut Vm, error: FormatError) -> Raised {
    match error {
        FormatError::Value(message) => vm.value_error(message.to_utf8_lossy()),
        FormatError::Overflow(message) => vm.overflow_error(message),
        FormatError::TooLarge => vm.memory_error(),
    }
}

/// The specification's text; `TypeError` when it is no `str`.
fn spec_text(vm: &mut Vm, spec: &Value) -> Result<Text> {
    if spec.holds::<Str>() {
        return Ok(text(vm, spec).clone());
    }
    let name = vm.type_name(spec);
    Err(vm.type_error(format!("__format__() argument must be str, not {name}")))
}

fn parse(vm: &mut Vm, spec: &Text, kind: u8, align: Align, type_name: &str) -> Result<FormatSpec> {
    let parsed = match format_spec::parse(spec.view(), kind, align, type_name) {
        Ok(parsed) => parsed,
        Err(error) => return Err(format_error(vm, error)),
    };
    vm.charge(parsed.width.unwrap_or(0))?;
    Ok(parsed)
}

/// `str.__format__`.
pub(crate) fn format_str(vm: &mut Vm, value: &Value, spec: &Value) -> Result<Value> {
    let spec = spec_text(vm, spec)?;
    if spec.is_empty() {
        return if vm.is_exact(value, TypeId::Str) { Ok(value.clone()) } else { vm.str(value) };
    }
    let parsed = parse(vm, &spec, b's', Align::Left, "str")?;
    let source = text(vm, value).clone();
    match parsed.apply_str(source.view(), "str") {
        Ok(text) => Ok(vm.new_str(text)),
        Err(error) => Err(format_error(vm, error)),
    }
}

/// `__format__` of `int`, `float` and `complex`.
pub(crate) fn format_number(vm: &mut Vm, value: &Value, spec: &Value) -> Result<Value> {
    let spec = spec_text(vm, spec)?;
    if spec.is_empty() {
        return vm.str(value);
    }
    let made = if let Some(int) = int_of(vm, value) {
        let type_name = if value.as_bool().is_some() { "bool".to_owned() } else { vm.type_name(value) };
        let parsed = parse(vm, &spec, b'd', Align::Right, &type_name)?;
        int_text(vm, &int, &parsed, &type_name)?
    } else if let Some(float) = float_of(vm, value) {
        let type_name = vm.type_name(value);
        let parsed = parse(vm, &spec, 0, Align::Right, &type_name)?;
        float_text(vm, float, &parsed, &type_name)?
    } else {
        let complex = complex_of(vm, value).expect("one of the three");
        let parsed = parse(vm, &spec, 0, Align::Right, "complex")?;
        complex_text(vm, complex, &parsed)?
    };
    Ok(vm.new_str(made))
}

fn large(vm: &mut Vm, result: std::result::Result<Text, TextTooLarge>) -> Result<Text> {
    result.map_err(|TextTooLarge| vm.memory_error())
}

fn int_text(vm: &mut Vm, int: &Int, spec: &FormatSpec, type_name: &str) -> Result<Text> {
    let format = match spec.int_format(type_name) {
        Ok(format) => format,
        Err(error) => return Err(format_error(vm, error)),
    };
    match format {
        IntFormat::Float => {
            let float = checked(vm, int.as_ref().to_f64())?;
            float_text(vm, float, spec, type_name)
        }
        IntFormat::Char => {
            let code = int.as_ref().to_i64().and_then(|code| u32::try_from(code).ok());
            match spec.apply_char(code) {
                Ok(text) => Ok(text),
                Err(error) => Err(format_error(vm, error)),
            }
        }
        IntFormat::Digits { radix, upper } => {
            let digits = match radix {
                10 => decimal_of(vm, int)?,
                _ => int.as_ref().to_power_of_two_base(radix as u8),
            };
            let digits = if upper { digits.to_uppercase() } else { digits };
            let (negative, digits) = match digits.strip_prefix('-') {
                Some(digits) => (true, digits),
                None => (false, digits.as_str()),
            };
            let prefix = if spec.alternate { format.prefix() } else { "" };
            let made = spec.apply_number(NumberParts { negative, prefix, digits, rest: "" });
            large(vm, made)
        }
    }
}

/// How a type's letter shows a float.
pub(crate) fn float_format(kind: u8, precision: Option<usize>, alternate: bool, no_negative_zero: bool) -> FloatFormat {
    FloatFormat {
        kind: match kind {
            b'e' | b'E' => FloatKind::Exponent,
            b'f' | b'F' => FloatKind::Fixed,
            b'g' | b'G' | b'n' => FloatKind::General,
            b'%' => FloatKind::Percent,
            _ => FloatKind::Plain,
        },
        precision,
        alternate,
        upper: kind.is_ascii_uppercase(),
        no_negative_zero,
    }
}

fn checked_precision(vm: &mut Vm, spec: &FormatSpec) -> Result<()> {
    let precision = spec.precision.unwrap_or(0);
    if precision > i32::MAX as usize {
        return Err(vm.value_error("precision too big"));
    }
    vm.charge(precision)
}

fn float_text(vm: &mut Vm, float: f64, spec: &FormatSpec, type_name: &str) -> Result<Text> {
    let kind = match spec.float_kind(type_name) {
        Ok(kind) => kind,
        Err(error) => return Err(format_error(vm, error)),
    };
    checked_precision(vm, spec)?;
    let format = float_format(kind, spec.precision, spec.alternate, spec.no_negative_zero);
    let shown = float::format(float, &format).to_text();
    let made = spec.apply_number(NumberParts::of_float(&shown));
    large(vm, made)
}

fn complex_text(vm: &mut Vm, complex: Complex, spec: &FormatSpec) -> Result<Text> {
    let kind = match spec.complex_kind() {
        Ok(kind) => kind,
        Err(error) => return Err(format_error(vm, error)),
    };
    checked_precision(vm, spec)?;
    let format = float_format(kind, spec.precision, spec.alternate, spec.no_negative_zero);
    let parts = complex.format(&format);
    let bare = FormatSpec { width: None, align: Align::Right, fill: u32::from(' '), ..*spec };
    let mut whole = crate::text::TextBuilder::new();
    let mut push = |spec: FormatSpec, part: &FloatParts| -> std::result::Result<(), TextTooLarge> {
        let shown = part.to_text();
        whole.push_text(&spec.apply_number(NumberParts::of_float(&shown))?);
        Ok(())
    };
    let signed = FormatSpec { sign: Some(Sign::Plus), ..bare };
    let pushed = match &parts.re {
        Some(re) => push(bare, re).and_then(|()| push(signed, &parts.im)),
        None => push(bare, &parts.im),
    };
    if pushed.is_err() {
        return Err(vm.memory_error());
    }
    let body = whole.finish();
    let body = if parts.parentheses { Text::from(format!("({body}j)")) } else { Text::from(format!("{body}j")) };
    let made = spec.pad(body.view());
    large(vm, made)
}
