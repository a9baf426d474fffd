//! `float`: its slots and methods. The arithmetic and the texts stand in `number::float`.

use super::TypeId;
use super::buffer;
use super::format_text;
use super::numeric::{checked, float_of, float_operand, int_ref};
use super::str_methods::{numeric_ascii, text};
use crate::code::instruction::Comparison;
use crate::number::Int;
use crate::number::complex::Complex;
use crate::number::float::{self, Power};
use crate::object::layout::Layout;
use crate::object::native::{Args, getter, native};
use crate::object::type_object::{BASE_TYPE, BinaryOperator, MATCH_SELF, Slots, Type, TypeSpec, binary, constructor};
use crate::object::types::float::FloatPayload;
use crate::object::types::str::Str;
use crate::object::value::Value;
use crate::vm::{Result, Vm};

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "float",
    doc: "float(x=0, /)\n\nA floating-point number of double precision, made of a number or of its text.",
    layout: Layout::Float,
    flags: BASE_TYPE | MATCH_SELF,
    new: constructor("float(x=0, /)", new),
    slots: Slots {
        repr: Some(repr),
        hash: Some(hash),
        compare: Some(compare),
        bool: Some(|vm, value| Ok(this(vm, value) != 0.0)),
        binary: binary(&[
            (BinaryOperator::Add, add),
            (BinaryOperator::Subtract, subtract),
            (BinaryOperator::Multiply, multiply),
            (BinaryOperator::TrueDivide, true_divide),
            (BinaryOperator::FloorDivide, floor_divide),
            (BinaryOperator::Modulo, modulo),
            (BinaryOperator::Power, power),
        ]),
        negative: Some(|vm, value| {
            let value = -this(vm, value);
            Ok(vm.new_float(value))
        }),
        positive: Some(exact_slot),
        absolute: Some(|vm, value| {
            let value = this(vm, value).abs();
            Ok(vm.new_float(value))
        }),
        int: Some(truncate),
        float: Some(exact_slot),
        ..Slots::NONE
    },
    methods: &[
        native("conjugate(self, /)", |vm, args| exact_slot(vm, &args[0])),
        native("__trunc__(self, /)", |vm, args| truncate(vm, &args[0])),
        native("__floor__(self, /)", |vm, args| whole(vm, &args[0], f64::floor)),
        native("__ceil__(self, /)", |vm, args| whole(vm, &args[0], f64::ceil)),
        native("__round__(self, ndigits=None, /)", round),
        native("as_integer_ratio(self, /)", as_integer_ratio),
        native("hex(self, /)", |vm, args| {
            let hex = float::to_hex(this(vm, &args[0]));
            Ok(vm.new_str(hex))
        }),
        native("is_integer(self, /)", |vm, args| Ok(Value::from_bool(float::is_integer(this(vm, &args[0]))))),
        native("__getnewargs__(self, /)", |vm, args| {
            let value = exact_slot(vm, &args[0])?;
            Ok(vm.new_tuple(vec![value]))
        }),
        native("__format__(self, format_spec, /)", |vm, args| format_text::format_number(vm, &args[0], &args[1])),
        native("__divmod__(self, value, /)", |vm, args| divmod(vm, &args[0], &args[1])).wrapper(),
        native("__rdivmod__(self, value, /)", |vm, args| divmod(vm, &args[1], &args[0])).wrapper(),
        native("__pow__(self, value, mod=None, /)", |vm, args| {
            refuse_modulus(vm, args)?;
            power(vm, &args[0], &args[1])
        })
        .wrapper(),
        native("__rpow__(self, value, mod=None, /)", |vm, args| {
            refuse_modulus(vm, args)?;
            power(vm, &args[1], &args[0])
        })
        .wrapper(),
    ],
    class_methods: &[native("fromhex(cls, string, /)", from_hex), native("__getformat__(cls, typestr, /)", get_format)],
    getset: &[getter("real", exact_slot), getter("imag", |vm, _| Ok(vm.new_float(0.0)))],
    ..TypeSpec::DEFAULT
};

fn this(vm: &Vm, value: &Value) -> f64 {
    float_of(vm, value).expect("the receiver is a float")
}

fn exact_slot(vm: &mut Vm, value: &Value) -> Result<Value> {
    if vm.is_exact(value, TypeId::Float) {
        return Ok(value.clone());
    }
    let value = this(vm, value);
    Ok(vm.new_float(value))
}

fn new(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("the class");
    let value = match args.given(1) {
        None => 0.0,
        Some(object) => from_object(vm, object)?,
    };
    if class.is(vm.state().builtin(TypeId::Float)) {
        return Ok(vm.new_float(value));
    }
    Ok(vm.alloc_for(class, FloatPayload { value }).into())
}

/// `float(object)`.
pub(crate) fn from_object(vm: &mut Vm, object: &Value) -> Result<f64> {
    if vm.is_exact(object, TypeId::Float) {
        return Ok(this(vm, object));
    }
    if !vm.is_exact(object, TypeId::Str)
        && let Some(value) = vm.float_by_slot(object)?
    {
        return Ok(value);
    }
    if object.holds::<Str>() {
        let plain = text(vm, object).as_ascii().filter(|ascii| ascii.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e')));
        if let Some(value) = plain.and_then(|ascii| float::parse(ascii.as_bytes())) {
            return Ok(value);
        }
        let ascii = numeric_ascii(text(vm, object));
        return match ascii.and_then(|ascii| float::parse(&ascii)) {
            Some(value) => Ok(value),
            None => Err(not_a_number(vm, object)?),
        };
    }
    let slots = vm.type_of(object).get(vm).slots;
    if slots.index.is_some() {
        return vm.float(object);
    }
    let Some(bytes) = buffer::bytes_of(vm, object)? else {
        let name = vm.type_name(object);
        return Err(vm.type_error(format!("float() argument must be a string or a real number, not '{name}'")));
    };
    match float::parse(bytes.trim_ascii()) {
        Some(value) => Ok(value),
        None => Err(not_a_number(vm, object)?),
    }
}

fn not_a_number(vm: &mut Vm, object: &Value) -> Result<crate::vm::Raised> {
    let shown = vm.repr_text(object)?;
    Ok(vm.value_error(format!("could not convert string to float: {shown}")))
}

fn repr(vm: &mut Vm, value: &Value) -> Result<Value> {
    let shown = float::repr(this(vm, value));
    Ok(vm.new_str(shown))
}

fn hash(vm: &mut Vm, value: &Value) -> Result<i64> {
    match float::hash(this(vm, value)) {
        Some(hash) => Ok(hash),
        None => Ok(identity_hash(value)),
    }
}

/// What a NaN hashes to: its identity.
pub(crate) fn identity_hash(value: &Value) -> i64 {
    value.address().rotate_right(4) as i64
}

fn compare(vm: &mut Vm, left: &Value, right: &Value, how: Comparison) -> Result<Value> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let order = match (float_of(vm, left), float_of(vm, right)) {
        (Some(left), Some(right)) => left.partial_cmp(&right),
        (Some(left), None) => match int_ref(vm, right) {
            Some(right) => right.cmp_f64(left).map(std::cmp::Ordering::reverse),
            None => return Ok(Value::NOT_IMPLEMENTED),
        },
        (None, Some(right)) => match int_ref(vm, left) {
            Some(left) => left.cmp_f64(right),
            None => return Ok(Value::NOT_IMPLEMENTED),
        },
        (None, None) => return Ok(Value::NOT_IMPLEMENTED),
    };
    Ok(Value::from_bool(match how {
        Comparison::Equal => order == Some(Equal),
        Comparison::NotEqual => order != Some(Equal),
        Comparison::Less => order == Some(Less),
        Comparison::LessEqual => matches!(order, Some(Less | Equal)),
        Comparison::Greater => order == Some(Greater),
        Comparison::GreaterEqual => matches!(order, Some(Greater | Equal)),
        Comparison::Is | Comparison::IsNot | Comparison::In | Comparison::NotIn => return Ok(Value::NOT_IMPLEMENTED),
    }))
}

fn operands(vm: &mut Vm, left: &Value, right: &Value) -> Result<Option<(f64, f64)>> {
    let Some(left) = float_operand(vm, left)? else { return Ok(None) };
    Ok(float_operand(vm, right)?.map(|right| (left, right)))
}

fn add(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let Some((left, right)) = operands(vm, left, right)? else { return Ok(Value::NOT_IMPLEMENTED) };
    Ok(vm.new_float(left + right))
}

fn subtract(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let Some((left, right)) = operands(vm, left, right)? else { return Ok(Value::NOT_IMPLEMENTED) };
    Ok(vm.new_float(left - right))
}

fn multiply(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let Some((left, right)) = operands(vm, left, right)? else { return Ok(Value::NOT_IMPLEMENTED) };
    Ok(vm.new_float(left * right))
}

fn true_divide(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let Some((left, right)) = operands(vm, left, right)? else { return Ok(Value::NOT_IMPLEMENTED) };
    let result = checked(vm, float::truediv(left, right))?;
    Ok(vm.new_float(result))
}

fn floor_divide(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let Some((left, right)) = operands(vm, left, right)? else { return Ok(Value::NOT_IMPLEMENTED) };
    let result = checked(vm, float::floordiv(left, right))?;
    Ok(vm.new_float(result))
}

fn modulo(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let Some((left, right)) = operands(vm, left, right)? else { return Ok(Value::NOT_IMPLEMENTED) };
    let result = checked(vm, float::modulo(left, right))?;
    Ok(vm.new_float(result))
}

/// `divmod(left, right)`.
pub(crate) fn divmod(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let Some((left, right)) = operands(vm, left, right)? else { return Ok(Value::NOT_IMPLEMENTED) };
    let (quotient, remainder) = checked(vm, float::divmod(left, right))?;
    let pair = vec![vm.new_float(quotient), vm.new_float(remainder)];
    Ok(vm.new_tuple(pair))
}

fn power(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let Some((left, right)) = operands(vm, left, right)? else { return Ok(Value::NOT_IMPLEMENTED) };
    float_power(vm, left, right)
}

/// `base ** exponent` of floats; complex for a negative base and a broken exponent.
pub(crate) fn float_power(vm: &mut Vm, base: f64, exponent: f64) -> Result<Value> {
    match checked(vm, float::pow(base, exponent))? {
        Power::Real(value) => Ok(vm.new_float(value)),
        Power::Complex => {
            let result = checked(vm, Complex::new(base, 0.0).pow(Complex::new(exponent, 0.0)))?;
            Ok(vm.new_complex(result.re, result.im))
        }
    }
}

fn refuse_modulus(vm: &mut Vm, args: Args<'_>) -> Result<()> {
    if args.given_some(2).is_some() {
        return Err(vm.type_error("pow() 3rd argument not allowed unless all arguments are integers"));
    }
    Ok(())
}

fn truncate(vm: &mut Vm, value: &Value) -> Result<Value> {
    let int = Int::from_f64(this(vm, value));
    let int = checked(vm, int)?;
    Ok(vm.new_big(int))
}

fn whole(vm: &mut Vm, value: &Value, to_whole: fn(f64) -> f64) -> Result<Value> {
    let int = Int::from_f64(to_whole(this(vm, value)));
    let int = checked(vm, int)?;
    Ok(vm.new_big(int))
}

fn round(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let value = this(vm, &args[0]);
    match args.given_some(1) {
        None => {
            let int = checked(vm, float::round_to_int(value))?;
            Ok(vm.new_big(int))
        }
        Some(digits) => {
            let digits = vm.index(digits)?.as_ref().to_i64_saturating();
            let rounded = checked(vm, float::round(value, digits))?;
            Ok(vm.new_float(rounded))
        }
    }
}

fn as_integer_ratio(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let ratio = float::as_integer_ratio(this(vm, &args[0]));
    let (numerator, denominator) = checked(vm, ratio)?;
    let pair = vec![vm.new_big(numerator), vm.new_big(denominator)];
    Ok(vm.new_tuple(pair))
}

fn from_hex(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if !args[1].holds::<Str>() {
        return Err(vm.type_error("bad argument type for built-in operation"));
    }
    let ascii = text(vm, &args[1]).as_ascii().map(|ascii| ascii.trim().as_bytes().to_vec());
    let value = match ascii {
        Some(ascii) => float::from_hex(&ascii),
        None => Err(crate::number::Error::HexInvalid),
    };
    let value = checked(vm, value)?;
    let value = vm.new_float(value);
    let class = args[0].downcast::<Type>().expect("a class method");
    if class.is(vm.state().builtin(TypeId::Float)) { Ok(value) } else { vm.call(&args[0], &[value]) }
}

fn get_format(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    match vm.text_of(&args[1]).and_then(|text| text.as_ascii()) {
        Some("double" | "float") => Ok(vm.new_str(if cfg!(target_endian = "little") { "IEEE, little-endian" } else { "IEEE, big-endian" })),
        Some(_) => Err(vm.value_error("__getformat__() argument 1 must be 'double' or 'float'")),
        None => {
            let name = vm.type_name(&args[1]);
            Err(vm.type_error(format!("__getformat__() argument must be str, not {name}")))
        }
    }
}
