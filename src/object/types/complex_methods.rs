//! `complex`: its slots and methods. The arithmetic and the texts stand in `number::complex`.

use super::TypeId;
use super::float_methods::identity_hash;
use super::format_text;
use super::numeric::{checked, float_of, int_ref, number_error};
use super::str_methods::{numeric_ascii, text};
use crate::code::instruction::Comparison;
use crate::number::IntRef;
use crate::number::complex::Complex;
use crate::object::layout::Layout;
use crate::object::native::{Args, getter, native};
use crate::object::type_object::{BASE_TYPE, BinaryOperator, Slots, Type, TypeSpec, binary, constructor};
use crate::object::types::complex::ComplexPayload;
use crate::object::types::str::Str;
use crate::object::value::Value;
use crate::vm::{Result, Vm};

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "complex",
    doc: "complex(real=0, imag=0)\n\nA complex number, made of a real and an imaginary part or of its text.",
    layout: Layout::Complex,
    flags: BASE_TYPE,
    new: constructor("complex(real=0, imag=0)", new),
    slots: Slots {
        repr: Some(repr),
        hash: Some(hash),
        compare: Some(compare),
        bool: Some(|vm, value| {
            let this = this(vm, value);
            Ok(this.re != 0.0 || this.im != 0.0)
        }),
        binary: binary(&[
            (BinaryOperator::Add, |vm, left, right| arithmetic(vm, left, right, |left, right| Ok(left.add(right)))),
            (BinaryOperator::Subtract, |vm, left, right| arithmetic(vm, left, right, |left, right| Ok(left.sub(right)))),
            (BinaryOperator::Multiply, |vm, left, right| arithmetic(vm, left, right, |left, right| Ok(left.mul(right)))),
            (BinaryOperator::TrueDivide, |vm, left, right| arithmetic(vm, left, right, Complex::div)),
            (BinaryOperator::Power, |vm, left, right| arithmetic(vm, left, right, Complex::pow)),
        ]),
        negative: Some(|vm, value| {
            let result = this(vm, value).neg();
            Ok(made(vm, result))
        }),
        positive: Some(|vm, value| {
            let result = this(vm, value);
            Ok(made(vm, result))
        }),
        absolute: Some(|vm, value| {
            let result = checked(vm, this(vm, value).abs())?;
            Ok(vm.new_float(result))
        }),
        ..Slots::NONE
    },
    methods: &[
        native("conjugate(self, /)", |vm, args| {
            let result = this(vm, &args[0]).conjugate();
            Ok(made(vm, result))
        }),
        native("__complex__(self, /)", |vm, args| {
            let result = this(vm, &args[0]);
            Ok(made(vm, result))
        }),
        native("__format__(self, format_spec, /)", |vm, args| format_text::format_number(vm, &args[0], &args[1])),
        native("__getnewargs__(self, /)", |vm, args| {
            let this = this(vm, &args[0]);
            let parts = vec![vm.new_float(this.re), vm.new_float(this.im)];
            Ok(vm.new_tuple(parts))
        }),
        native("__pow__(self, value, mod=None, /)", |vm, args| power(vm, &args[0], &args[1], args)).wrapper(),
        native("__rpow__(self, value, mod=None, /)", |vm, args| power(vm, &args[1], &args[0], args)).wrapper(),
    ],
    getset: &[
        getter("real", |vm, value| {
            let part = this(vm, value).re;
            Ok(vm.new_float(part))
        }),
        getter("imag", |vm, value| {
            let part = this(vm, value).im;
            Ok(vm.new_float(part))
        }),
    ],
    ..TypeSpec::DEFAULT
};

/// The number in a `complex` or an instance of a subclass.
pub(crate) fn complex_of(vm: &Vm, value: &Value) -> Option<Complex> {
    value.downcast::<ComplexPayload>().map(|payload| {
        let payload = payload.get(vm);
        Complex::new(payload.real, payload.imag)
    })
}

fn this(vm: &Vm, value: &Value) -> Complex {
    complex_of(vm, value).expect("the receiver is a complex")
}

fn made(vm: &Vm, value: Complex) -> Value {
    vm.new_complex(value.re, value.im)
}

fn new(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("the class");
    if let (Some(given), None) = (args.given(1), args.given(2))
        && class.is(vm.state().builtin(TypeId::Complex))
        && vm.is_exact(given, TypeId::Complex)
    {
        return Ok(given.clone());
    }
    let value = match (args.given(1), args.given(2)) {
        (None, None) => Complex::new(0.0, 0.0),
        (Some(real), None) => of_one(vm, real)?,
        (real, Some(imag)) => of_two(vm, real, imag)?,
    };
    if class.is(vm.state().builtin(TypeId::Complex)) {
        return Ok(made(vm, value));
    }
    Ok(vm.alloc_for(class, ComplexPayload { real: value.re, imag: value.im }).into())
}

fn of_one(vm: &mut Vm, object: &Value) -> Result<Complex> {
    if object.holds::<Str>() {
        let ascii = numeric_ascii(text(vm, object));
        return match ascii.and_then(|ascii| Complex::parse(&ascii)) {
            Some(value) => Ok(value),
            None => Err(vm.value_error("complex() arg is a malformed string")),
        };
    }
    match of_number(vm, object)? {
        Some(value) => Ok(value),
        None => {
            let name = vm.type_name(object);
            Err(vm.type_error(format!("complex() first argument must be a string or a number, not '{name}'")))
        }
    }
}

fn of_two(vm: &mut Vm, real: Option<&Value>, imag: &Value) -> Result<Complex> {
    let imag_is_complex = complex_of(vm, imag).is_some();
    let real_is_complex = match real {
        Some(real) => float_of(vm, real).is_none() && int_ref(vm, real).is_none() && !real.holds::<Str>(),
        None => false,
    };
    let real = match real {
        None => Complex::new(0.0, 0.0),
        Some(real) if real.holds::<Str>() => {
            return Err(vm.type_error("complex() can't take second arg if first is a string"));
        }
        Some(real) => match of_number(vm, real)? {
            Some(real) => real,
            None => {
                let name = vm.type_name(real);
                return Err(vm.type_error(format!("complex() first argument must be a string or a number, not '{name}'")));
            }
        },
    };
    if imag.holds::<Str>() {
        return Err(vm.type_error("complex() second arg can't be a string"));
    }
    let Some(imag) = of_number_without_hook(vm, imag)? else {
        let name = vm.type_name(imag);
        return Err(vm.type_error(format!("complex() second argument must be a number, not '{name}'")));
    };
    // A part that is no complex number takes no part in the other's sum, so that signs of zeros stay.
    Ok(Complex::new(if imag_is_complex { real.re - imag.im } else { real.re }, if real_is_complex { real.im + imag.re } else { imag.re }))
}

/// The value of anything that is a number for `complex()`: `__complex__` first.
pub(crate) fn of_number(vm: &mut Vm, object: &Value) -> Result<Option<Complex>> {
    if vm.is_exact(object, TypeId::Complex) || float_of(vm, object).is_some() || object.as_small().is_some() {
        return of_number_without_hook(vm, object);
    }
    if let Some(hook) = vm.find_special(object, "__complex__")? {
        let result = vm.call(&hook, &[])?;
        return match complex_of(vm, &result) {
            Some(value) => {
                if !vm.is_exact(&result, TypeId::Complex) {
                    vm.warn_of_subclass("__complex__ returned non-complex", &result, "complex")?;
                }
                Ok(Some(value))
            }
            None => {
                let name = vm.type_name(&result);
                Err(vm.type_error(format!("__complex__ returned non-complex (type {name})")))
            }
        };
    }
    of_number_without_hook(vm, object)
}

fn of_number_without_hook(vm: &mut Vm, object: &Value) -> Result<Option<Complex>> {
    if let Some(value) = complex_of(vm, object) {
        return Ok(Some(value));
    }
    let slots = vm.type_of(object).get(vm).slots;
    if slots.float.is_none() && slots.index.is_none() {
        return Ok(None);
    }
    let real = vm.float(object)?;
    Ok(Some(Complex::new(real, 0.0)))
}

/// An operand of complex arithmetic.
fn operand(vm: &mut Vm, value: &Value) -> Result<Option<Complex>> {
    if let Some(value) = complex_of(vm, value) {
        return Ok(Some(value));
    }
    if let Some(value) = float_of(vm, value) {
        return Ok(Some(Complex::new(value, 0.0)));
    }
    match int_ref(vm, value).map(IntRef::to_f64) {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(Complex::new(value, 0.0))),
        Some(Err(error)) => Err(number_error(vm, error)),
    }
}

fn arithmetic(vm: &mut Vm, left: &Value, right: &Value, operation: fn(Complex, Complex) -> crate::number::Result<Complex>) -> Result<Value> {
    let Some(left) = operand(vm, left)? else { return Ok(Value::NOT_IMPLEMENTED) };
    let Some(right) = operand(vm, right)? else { return Ok(Value::NOT_IMPLEMENTED) };
    let result = checked(vm, operation(left, right))?;
    Ok(made(vm, result))
}

/// `__pow__` and `__rpow__` as methods, which take a third argument in order to refuse it.
fn power(vm: &mut Vm, left: &Value, right: &Value, args: Args<'_>) -> Result<Value> {
    if args.given_some(2).is_some() && operand(vm, left)?.is_some() && operand(vm, right)?.is_some() {
        return Err(vm.value_error("complex modulo"));
    }
    arithmetic(vm, left, right, Complex::pow)
}

fn repr(vm: &mut Vm, value: &Value) -> Result<Value> {
    let shown = this(vm, value).repr();
    Ok(vm.new_str(shown))
}

fn hash(vm: &mut Vm, value: &Value) -> Result<i64> {
    Ok(this(vm, value).hash().unwrap_or_else(|| identity_hash(value)))
}

fn compare(vm: &mut Vm, left: &Value, right: &Value, how: Comparison) -> Result<Value> {
    if !matches!(how, Comparison::Equal | Comparison::NotEqual) {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    let (this, other) = if left.holds::<ComplexPayload>() { (left, right) } else { (right, left) };
    let Some(this) = complex_of(vm, this) else { return Ok(Value::NOT_IMPLEMENTED) };
    let equal = if let Some(other) = complex_of(vm, other) {
        this == other
    } else if let Some(other) = float_of(vm, other) {
        this.im == 0.0 && this.re == other
    } else if let Some(other) = int_ref(vm, other) {
        this.im == 0.0 && other.cmp_f64(this.re) == Some(std::cmp::Ordering::Equal)
    } else {
        return Ok(Value::NOT_IMPLEMENTED);
    };
    Ok(Value::from_bool(equal == (how == Comparison::Equal)))
}
