//! `int`: its slots and methods. The arithmetic stands in `number`; here operands are found, sizes charged and results made.

use super::TypeId;
use super::buffer;
use super::bytes_methods;
use super::format_text;
use super::index::is_index;
use super::numeric::{checked, int_of, int_ref, is_int, number_error, polled};
use super::str_methods::{numeric_ascii, text};
use crate::code::instruction::Comparison;
use crate::number::int::ParseError;
use crate::number::{self, Int, IntRef};
use crate::object::layout::Layout;
use crate::object::native::{Args, getter, native};
use crate::object::type_object::{BASE_TYPE, BinaryOperator, MATCH_SELF, Slots, Type, TypeSpec, binary, constructor};
use crate::object::types::bytearray::ByteArray;
use crate::object::types::bytes::Bytes;
use crate::object::types::int::IntPayload;
use crate::object::types::str::Str;
use crate::object::value::Value;
use crate::vm::{ExceptionKind, Result, Vm};

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "int",
    doc: "int([x]) -> integer\nint(x, base=10) -> integer\n\nA whole number of any size. A text is read in the given base, from 2 to 36; base 0 reads the prefix of a literal.",
    layout: Layout::Int,
    flags: BASE_TYPE | MATCH_SELF,
    new: constructor("int(x=0, /, base=10)", new),
    slots: Slots {
        repr: Some(repr),
        hash: Some(hash),
        compare: Some(compare),
        bool: Some(is_true),
        binary: binary(&[
            (BinaryOperator::Add, add),
            (BinaryOperator::Subtract, subtract),
            (BinaryOperator::Multiply, multiply),
            (BinaryOperator::TrueDivide, true_divide),
            (BinaryOperator::FloorDivide, floor_divide),
            (BinaryOperator::Modulo, modulo),
            (BinaryOperator::And, and),
            (BinaryOperator::Or, or),
            (BinaryOperator::Xor, xor),
            (BinaryOperator::ShiftLeft, shift_left),
            (BinaryOperator::ShiftRight, shift_right),
            (BinaryOperator::Power, power),
        ]),
        negative: Some(negative),
        positive: Some(exact_slot),
        absolute: Some(absolute),
        invert: Some(invert),
        int: Some(exact_slot),
        float: Some(float),
        index: Some(exact_slot),
        ..Slots::NONE
    },
    methods: &[
        native("conjugate(self, /)", |vm, args| Ok(exact(vm, &args[0]))),
        native("bit_length(self, /)", |vm, args| Ok(Value::small(this(vm, &args[0]).bit_length() as i64))),
        native("bit_count(self, /)", |vm, args| Ok(Value::small(this(vm, &args[0]).bit_count() as i64))),
        native("to_bytes(self, /, length=1, byteorder='big', *, signed=False)", to_bytes),
        native("as_integer_ratio(self, /)", |vm, args| {
            let exact = exact(vm, &args[0]);
            Ok(vm.new_tuple(vec![exact, Value::small(1)]))
        }),
        native("is_integer(self, /)", |_, _| Ok(Value::TRUE)),
        native("__trunc__(self, /)", |vm, args| Ok(exact(vm, &args[0]))),
        native("__floor__(self, /)", |vm, args| Ok(exact(vm, &args[0]))),
        native("__ceil__(self, /)", |vm, args| Ok(exact(vm, &args[0]))),
        native("__round__(self, ndigits=None, /)", round),
        native("__getnewargs__(self, /)", |vm, args| {
            let exact = exact(vm, &args[0]);
            Ok(vm.new_tuple(vec![exact]))
        }),
        native("__format__(self, format_spec, /)", format),
        native("__sizeof__(self, /)", |vm, args| Ok(Value::small(24 + 4 * this(vm, &args[0]).bit_length().div_ceil(30).max(1) as i64))),
        native("__divmod__(self, value, /)", |vm, args| divmod(vm, &args[0], &args[1])).wrapper(),
        native("__rdivmod__(self, value, /)", |vm, args| divmod(vm, &args[1], &args[0])).wrapper(),
        native("__pow__(self, value, mod=None, /)", |vm, args| match args.given_some(2) {
            None => power(vm, &args[0], &args[1]),
            Some(modulus) => power_modulo(vm, &args[0], &args[1], modulus),
        })
        .wrapper(),
        native("__rpow__(self, value, mod=None, /)", |vm, args| match args.given_some(2) {
            None => power(vm, &args[1], &args[0]),
            Some(modulus) => power_modulo(vm, &args[1], &args[0], modulus),
        })
        .wrapper(),
    ],
    class_methods: &[native("from_bytes(cls, /, bytes, byteorder: str='big', *, signed=False)", from_bytes)],
    getset: &[
        getter("real", |vm, this| Ok(exact(vm, this))),
        getter("imag", |_, _| Ok(Value::small(0))),
        getter("numerator", |vm, this| Ok(exact(vm, this))),
        getter("denominator", |_, _| Ok(Value::small(1))),
    ],
    ..TypeSpec::DEFAULT
};

fn this<'a>(vm: &'a Vm, value: &'a Value) -> IntRef<'a> {
    int_ref(vm, value).expect("the receiver is an int")
}

/// The number as an exact `int`.
pub(crate) fn exact(vm: &mut Vm, value: &Value) -> Value {
    if value.as_small().is_some() {
        return value.clone();
    }
    if let Some(bool) = value.as_bool() {
        return Value::small(i64::from(bool));
    }
    if vm.is_exact(value, TypeId::Int) {
        return value.clone();
    }
    let copy = this(vm, value).to_int();
    vm.new_big(copy)
}

fn exact_slot(vm: &mut Vm, this: &Value) -> Result<Value> {
    Ok(exact(vm, this))
}

fn new(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("the class");
    let made = match (args.given(1), args.given(2)) {
        (None, None) => Value::small(0),
        (None, Some(_)) => return Err(vm.type_error("int() missing string argument")),
        (Some(object), None) => from_object(vm, object)?,
        (Some(object), Some(base)) => with_base(vm, object, base)?,
    };
    if class.is(vm.state().builtin(TypeId::Int)) {
        return Ok(made);
    }
    let value = this(vm, &made).to_int();
    Ok(vm.alloc_for(class, IntPayload { value }).into())
}

fn with_base(vm: &mut Vm, object: &Value, base: &Value) -> Result<Value> {
    let base = vm.index(base)?.as_ref().to_i64_saturating();
    if base != 0 && !(2..=36).contains(&base) {
        return Err(vm.value_error("int() base must be >= 2 and <= 36, or 0"));
    }
    parse(vm, object, base as u32)?.ok_or_else(|| vm.type_error("int() can't convert non-string with explicit base"))
}

/// `int(object)`.
pub(crate) fn from_object(vm: &mut Vm, object: &Value) -> Result<Value> {
    if object.as_small().is_some() || vm.is_exact(object, TypeId::Int) {
        return Ok(object.clone());
    }
    // A few digits and nothing else are what most texts are.
    if let Some(str) = object.downcast::<Str>()
        && let Some(ascii @ 1..=18) = str.get(vm).text.as_ascii().map(str::len)
    {
        let digits = str.get(vm).text.as_ascii().map(str::as_bytes).unwrap_or_default();
        let value = digits[..ascii].iter().try_fold(0_i64, |value, &byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')));
        if let Some(value) = value
            && vm.is_exact(object, TypeId::Str)
        {
            return Ok(vm.new_int(value));
        }
    }
    let slots = vm.type_of(object).get(vm).slots;
    if let Some(to_int) = slots.int {
        let made = to_int(vm, object)?;
        if !is_int(&made) {
            let name = vm.type_name(&made);
            return Err(vm.type_error(format!("__int__ returned non-int (type {name})")));
        }
        if !vm.is_exact(&made, TypeId::Int) {
            vm.warn_of_subclass("__int__ returned non-int", &made, "int")?;
        }
        return Ok(exact(vm, &made));
    }
    if slots.index.is_some() {
        let made = vm.index(object)?;
        return Ok(vm.new_big(made));
    }
    if let Some(truncate) = vm.find_special(object, "__trunc__")? {
        vm.warn(ExceptionKind::DeprecationWarning, "The delegation of int() to __trunc__ is deprecated.")?;
        let made = vm.call(&truncate, &[])?;
        if is_int(&made) || is_index(vm, &made) {
            let made = vm.index(&made)?;
            return Ok(vm.new_big(made));
        }
        let name = vm.type_name(&made);
        return Err(vm.type_error(format!("__trunc__ returned non-Integral (type {name})")));
    }
    match parse(vm, object, 10)? {
        Some(made) => Ok(made),
        None => {
            let name = vm.type_name(object);
            Err(vm.type_error(format!("int() argument must be a string, a bytes-like object or a real number, not '{name}'")))
        }
    }
}

/// The number that a `str` or bytes show; `None` when it is neither.
fn parse(vm: &mut Vm, object: &Value, base: u32) -> Result<Option<Value>> {
    let digits = if object.holds::<Str>() {
        numeric_ascii(text(vm, object))
    } else if object.holds::<Bytes>() || object.holds::<ByteArray>() || base == 10 {
        match buffer::bytes_of(vm, object)? {
            Some(bytes) => Some(bytes.trim_ascii().to_vec()),
            None => return Ok(None),
        }
    } else {
        return Ok(None);
    };
    let limit = vm.state().int_max_str_digits;
    let parsed = match &digits {
        None => Err(ParseError::Literal),
        Some(digits) => {
            vm.charge(digits.len())?;
            let mut raised = None;
            let parsed = Int::parse(digits, base, limit, &mut || match vm.poll() {
                Ok(()) => false,
                Err(stop) => {
                    raised = Some(stop);
                    true
                }
            });
            if let Some(stop) = raised {
                return Err(stop);
            }
            parsed
        }
    };
    match parsed {
        Ok(int) => Ok(Some(vm.new_big(int))),
        Err(ParseError::Base) => Err(vm.value_error("int() base must be >= 2 and <= 36, or 0")),
        Err(ParseError::TooManyDigits(found)) => Err(vm.value_error(format!(
            "Exceeds the limit ({limit} digits) for integer string conversion: value has {found} digits; use sys.set_int_max_str_digits() to increase the limit"
        ))),
        Err(ParseError::TooLarge | ParseError::Interrupted) => Err(vm.memory_error()),
        Err(ParseError::Literal) => {
            let shown = match &digits {
                // Other bytes-like objects are shown as bytes.
                Some(_) if !object.holds::<Str>() => {
                    let bytes = buffer::buffer(vm, object)?;
                    vm.new_bytes(bytes)
                }
                _ => object.clone(),
            };
            let shown = vm.repr_text(&shown)?;
            let shown = shown.slice(0, 200);
            let shown = shown.to_utf8_lossy().into_owned();
            Err(vm.value_error(format!("invalid literal for int() with base {base}: {shown}")))
        }
    }
}

/// The decimal digits as a string; `ValueError` past the limit on digits.
pub(crate) fn to_decimal(vm: &mut Vm, value: &Value) -> Result<String> {
    if let Some(small) = value.as_small() {
        return Ok(small.to_string());
    }
    let int = this(vm, value).to_int();
    decimal_of(vm, &int)
}

/// `to_decimal` of a number.
pub(crate) fn decimal_of(vm: &mut Vm, int: &Int) -> Result<String> {
    let limit = vm.state().int_max_str_digits;
    match polled(vm, |poll| int.as_ref().to_decimal(limit, poll))? {
        Some(digits) => Ok(digits),
        None => Err(vm.value_error(format!(
            "Exceeds the limit ({limit} digits) for integer string conversion; use sys.set_int_max_str_digits() to increase the limit"
        ))),
    }
}

fn repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let digits = to_decimal(vm, this)?;
    Ok(vm.new_str(digits))
}

fn hash(vm: &mut Vm, value: &Value) -> Result<i64> {
    Ok(this(vm, value).hash())
}

fn compare(vm: &mut Vm, left: &Value, right: &Value, how: Comparison) -> Result<Value> {
    let (Some(left), Some(right)) = (int_ref(vm, left), int_ref(vm, right)) else { return Ok(Value::NOT_IMPLEMENTED) };
    let order = left.cmp(right);
    Ok(Value::from_bool(match how {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterEqual => order.is_ge(),
        Comparison::Is | Comparison::IsNot | Comparison::In | Comparison::NotIn => return Ok(Value::NOT_IMPLEMENTED),
    }))
}

fn is_true(vm: &mut Vm, value: &Value) -> Result<bool> {
    Ok(!this(vm, value).is_zero())
}

/// Both operands, when both are integers.
fn operands(vm: &Vm, left: &Value, right: &Value) -> Option<(Int, Int)> {
    Some((int_of(vm, left)?, int_of(vm, right)?))
}

/// An operation that is linear in its operands.
fn linear(vm: &mut Vm, left: &Value, right: &Value, work: fn(IntRef<'_>, IntRef<'_>) -> Int) -> Result<Value> {
    let (Some(first), Some(second)) = (int_ref(vm, left), int_ref(vm, right)) else { return Ok(Value::NOT_IMPLEMENTED) };
    if let (IntRef::Small(_), IntRef::Small(_)) = (first, second) {
        let result = work(first, second);
        return Ok(vm.new_big(result));
    }
    let size = first.add_bytes(second);
    vm.charge(size)?;
    let result = work(this(vm, left), this(vm, right));
    Ok(vm.new_big(result))
}

fn add(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    linear(vm, left, right, |left, right| left.add(right))
}

fn subtract(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    linear(vm, left, right, |left, right| left.sub(right))
}

fn and(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    linear(vm, left, right, |left, right| left.bit_and(right))
}

fn or(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    linear(vm, left, right, |left, right| left.bit_or(right))
}

fn xor(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    linear(vm, left, right, |left, right| left.bit_xor(right))
}

fn multiply(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let Some((left, right)) = operands(vm, left, right) else { return Ok(Value::NOT_IMPLEMENTED) };
    vm.charge(left.as_ref().mul_bytes(right.as_ref()))?;
    let product = polled(vm, |poll| left.as_ref().mul(right.as_ref(), poll))?;
    Ok(vm.new_big(product))
}

fn true_divide(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let Some((left, right)) = operands(vm, left, right) else { return Ok(Value::NOT_IMPLEMENTED) };
    let quotient = polled(vm, |poll| left.as_ref().truediv(right.as_ref(), poll))?;
    Ok(vm.new_float(quotient))
}

fn floor_divide(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let Some((left, right)) = operands(vm, left, right) else { return Ok(Value::NOT_IMPLEMENTED) };
    let quotient = polled(vm, |poll| left.as_ref().floordiv(right.as_ref(), poll))?;
    Ok(vm.new_big(quotient))
}

fn modulo(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let Some((left, right)) = operands(vm, left, right) else { return Ok(Value::NOT_IMPLEMENTED) };
    let remainder = polled(vm, |poll| left.as_ref().modulo(right.as_ref(), poll))?;
    Ok(vm.new_big(remainder))
}

/// `divmod(left, right)`.
pub(crate) fn divmod(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let Some((left, right)) = operands(vm, left, right) else { return Ok(Value::NOT_IMPLEMENTED) };
    let (quotient, remainder) = polled(vm, |poll| left.as_ref().divmod(right.as_ref(), poll))?;
    let pair = vec![vm.new_big(quotient), vm.new_big(remainder)];
    Ok(vm.new_tuple(pair))
}

fn shift_left(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let Some((left, right)) = operands(vm, left, right) else { return Ok(Value::NOT_IMPLEMENTED) };
    if !right.as_ref().is_negative() && !left.as_ref().is_zero() {
        if right.as_ref().to_i64().is_none() {
            return Err(number_error(vm, number::Error::TooManyDigits));
        }
        vm.charge(left.as_ref().shl_bytes(right.as_ref()))?;
    }
    let shifted = left.as_ref().shl(right.as_ref());
    let shifted = checked(vm, shifted)?;
    Ok(vm.new_big(shifted))
}

fn shift_right(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let (Some(first), Some(second)) = (int_ref(vm, left), int_ref(vm, right)) else { return Ok(Value::NOT_IMPLEMENTED) };
    let shifted = first.shr(second);
    let shifted = checked(vm, shifted)?;
    Ok(vm.new_big(shifted))
}

fn power(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let Some((base, exponent)) = operands(vm, left, right) else { return Ok(Value::NOT_IMPLEMENTED) };
    if exponent.as_ref().is_negative() {
        let base = base.as_ref().to_f64();
        let base = checked(vm, base)?;
        let exponent = exponent.as_ref().to_f64();
        let exponent = checked(vm, exponent)?;
        return super::float_methods::float_power(vm, base, exponent);
    }
    vm.charge(base.as_ref().pow_bytes(exponent.as_ref()))?;
    let result = polled(vm, |poll| base.as_ref().pow(exponent.as_ref(), poll))?;
    Ok(vm.new_big(result))
}

/// `pow(base, exponent, modulus)`; `NotImplemented` when not all are integers.
pub(crate) fn power_modulo(vm: &mut Vm, base: &Value, exponent: &Value, modulus: &Value) -> Result<Value> {
    let Some((base, exponent)) = operands(vm, base, exponent) else { return Ok(Value::NOT_IMPLEMENTED) };
    let Some(modulus) = int_of(vm, modulus) else { return Ok(Value::NOT_IMPLEMENTED) };
    let result = polled(vm, |poll| base.as_ref().powmod(exponent.as_ref(), modulus.as_ref(), poll))?;
    Ok(vm.new_big(result))
}

fn negative(vm: &mut Vm, value: &Value) -> Result<Value> {
    let result = this(vm, value).neg();
    Ok(vm.new_big(result))
}

fn absolute(vm: &mut Vm, value: &Value) -> Result<Value> {
    let result = this(vm, value).abs();
    Ok(vm.new_big(result))
}

fn invert(vm: &mut Vm, value: &Value) -> Result<Value> {
    if value.as_bool().is_some() {
        vm.warn(
            ExceptionKind::DeprecationWarning,
            "Bitwise inversion '~' on bool is deprecated and will be removed in Python 3.16. This returns the bitwise inversion of the underlying int \
             object and is usually not what you expect from negating a bool. Use the 'not' operator for boolean negation or ~int(x) if you really want \
             the bitwise inversion of the underlying int.",
        )?;
    }
    let result = this(vm, value).invert();
    Ok(vm.new_big(result))
}

fn float(vm: &mut Vm, value: &Value) -> Result<Value> {
    let result = this(vm, value).to_f64();
    let result = checked(vm, result)?;
    Ok(vm.new_float(result))
}

fn round(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let Some(digits) = args.given_some(1) else { return Ok(exact(vm, &args[0])) };
    let digits = vm.index(digits)?;
    if !digits.as_ref().is_negative() {
        return Ok(exact(vm, &args[0]));
    }
    let int = this(vm, &args[0]).to_int();
    let rounded = polled(vm, |poll| int.as_ref().round(digits.as_ref(), poll))?;
    Ok(vm.new_big(rounded))
}

fn byte_order(vm: &mut Vm, value: Option<&Value>, function: &str) -> Result<bool> {
    let Some(value) = value else { return Ok(false) };
    if !value.holds::<Str>() {
        let name = vm.argument_kind(value);
        return Err(vm.type_error(format!("{function}() argument 'byteorder' must be str, not {name}")));
    }
    match text(vm, value).as_ascii() {
        Some("little") => Ok(true),
        Some("big") => Ok(false),
        _ => Err(vm.value_error("byteorder must be either 'little' or 'big'")),
    }
}

fn to_bytes(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let length = match args.given(1) {
        Some(length) => vm.index_i64(length)?,
        None => 1,
    };
    let little = byte_order(vm, args.given(2), "to_bytes")?;
    let signed = match args.given(3) {
        Some(signed) => vm.is_true(signed)?,
        None => false,
    };
    let Ok(length) = usize::try_from(length) else {
        return Err(vm.value_error("length argument must be non-negative"));
    };
    vm.charge(length)?;
    let bytes = this(vm, &args[0]).to_bytes(length, little, signed);
    let bytes = checked(vm, bytes)?;
    Ok(vm.new_bytes(bytes))
}

fn from_bytes(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let bytes = bytes_methods::from_iterable(vm, &args[1])?;
    let little = byte_order(vm, args.given(2), "from_bytes")?;
    let signed = match args.given(3) {
        Some(signed) => vm.is_true(signed)?,
        None => false,
    };
    let made = vm.new_big(Int::from_bytes(&bytes, little, signed));
    let class = args[0].downcast::<Type>().expect("a class method");
    if class.is(vm.state().builtin(TypeId::Int)) { Ok(made) } else { vm.call(&args[0], &[made]) }
}

fn format(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    format_text::format_number(vm, &args[0], &args[1])
}
