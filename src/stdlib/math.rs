//! `math`: functions of real numbers. What they compute stands in `number::math`.

use crate::number::math::{self, ExactSum, Logarithm, ProductSum};
use crate::number::{self, Int, IntRef};
use crate::object::native::{Args, NativeModule, native};
use crate::object::type_object::BinaryOperator;
use crate::object::types::TypeId;
use crate::object::types::numeric::{checked, float_of, int_of, int_ref, polled};
use crate::object::value::Value;
use crate::vm::{Result, Vm};

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "math",
    doc: "Mathematical functions of real numbers, as the C standard defines them.",
    functions: &[
        native("acos(x, /)", |vm, args| unary(vm, args, math::acos)),
        native("acosh(x, /)", |vm, args| unary(vm, args, math::acosh)),
        native("asin(x, /)", |vm, args| unary(vm, args, math::asin)),
        native("asinh(x, /)", |vm, args| unary(vm, args, math::asinh)),
        native("atan(x, /)", |vm, args| unary(vm, args, math::atan)),
        native("atan2(y, x, /)", |vm, args| binary(vm, args, |y, x| Ok(math::atan2(y, x)))),
        native("atanh(x, /)", |vm, args| unary(vm, args, math::atanh)),
        native("cbrt(x, /)", |vm, args| unary(vm, args, math::cbrt)),
        native("ceil(x, /)", |vm, args| rounded(vm, args, "__ceil__", math::ceil)),
        native("comb(n, k, /)", comb),
        native("copysign(x, y, /)", |vm, args| binary(vm, args, |x, y| Ok(math::copysign(x, y)))),
        native("cos(x, /)", |vm, args| unary(vm, args, math::cos)),
        native("cosh(x, /)", |vm, args| unary(vm, args, math::cosh)),
        native("degrees(x, /)", |vm, args| unary(vm, args, |x| Ok(math::degrees(x)))),
        native("dist(p, q, /)", dist),
        native("erf(x, /)", |vm, args| unary(vm, args, math::erf)),
        native("erfc(x, /)", |vm, args| unary(vm, args, math::erfc)),
        native("exp(x, /)", |vm, args| unary(vm, args, math::exp)),
        native("exp2(x, /)", |vm, args| unary(vm, args, math::exp2)),
        native("expm1(x, /)", |vm, args| unary(vm, args, math::expm1)),
        native("fabs(x, /)", |vm, args| unary(vm, args, |x| Ok(math::fabs(x)))),
        native("factorial(n, /)", factorial),
        native("floor(x, /)", |vm, args| rounded(vm, args, "__floor__", math::floor)),
        native("fma(x, y, z, /)", fma),
        native("fmod(x, y, /)", |vm, args| binary(vm, args, math::fmod)),
        native("frexp(x, /)", frexp),
        native("fsum(seq, /)", fsum),
        native("gamma(x, /)", |vm, args| unary(vm, args, math::gamma)),
        native("gcd(*integers)", |vm, args| folded(vm, args, 0, |left, right, poll| left.gcd(right, poll))),
        native("hypot(*coordinates)", hypot),
        native("isclose(a, b, *, rel_tol=1e-09, abs_tol=0.0)", isclose),
        native("isfinite(x, /)", |vm, args| tested(vm, args, f64::is_finite)),
        native("isinf(x, /)", |vm, args| tested(vm, args, f64::is_infinite)),
        native("isnan(x, /)", |vm, args| tested(vm, args, f64::is_nan)),
        native("isqrt(n, /)", isqrt),
        native("lcm(*integers)", |vm, args| folded(vm, args, 1, |left, right, poll| left.lcm(right, poll))),
        native("ldexp(x, i, /)", ldexp),
        native("lgamma(x, /)", |vm, args| unary(vm, args, math::lgamma)),
        native("log(x, base=2.718281828459045, /)", log),
        native("log10(x, /)", |vm, args| logarithm(vm, &args[0], Logarithm::Decimal)),
        native("log1p(x, /)", |vm, args| unary(vm, args, math::log1p)),
        native("log2(x, /)", |vm, args| logarithm(vm, &args[0], Logarithm::Binary)),
        native("modf(x, /)", modf),
        native("nextafter(x, y, /, *, steps=None)", nextafter),
        native("perm(n, k=None, /)", perm),
        native("pow(x, y, /)", |vm, args| binary(vm, args, math::pow)),
        native("prod(iterable, /, *, start=1)", prod),
        native("radians(x, /)", |vm, args| unary(vm, args, |x| Ok(math::radians(x)))),
        native("remainder(x, y, /)", |vm, args| binary(vm, args, math::remainder)),
        native("sin(x, /)", |vm, args| unary(vm, args, math::sin)),
        native("sinh(x, /)", |vm, args| unary(vm, args, math::sinh)),
        native("sqrt(x, /)", |vm, args| unary(vm, args, math::sqrt)),
        native("sumprod(p, q, /)", sumprod),
        native("tan(x, /)", |vm, args| unary(vm, args, math::tan)),
        native("tanh(x, /)", |vm, args| unary(vm, args, math::tanh)),
        native("trunc(x, /)", trunc),
        native("ulp(x, /)", |vm, args| unary(vm, args, |x| Ok(math::ulp(x)))),
    ],
    types: &[],
    init: Some(init),
};

fn init(vm: &mut Vm, module: &Value) -> Result<()> {
    set_constants(vm, module)
}

/// The constants that `math` and `cmath` share.
pub(super) fn set_constants(vm: &mut Vm, module: &Value) -> Result<()> {
    for (name, value) in
        [("pi", std::f64::consts::PI), ("e", std::f64::consts::E), ("tau", std::f64::consts::TAU), ("inf", f64::INFINITY), ("nan", f64::NAN)]
    {
        let value = vm.new_float(value);
        vm.set_attr_str(module, name, &value)?;
    }
    Ok(())
}

fn unary(vm: &mut Vm, args: Args<'_>, function: fn(f64) -> number::Result<f64>) -> Result<Value> {
    let x = vm.float(&args[0])?;
    let result = checked(vm, function(x))?;
    Ok(vm.new_float(result))
}

fn binary(vm: &mut Vm, args: Args<'_>, function: fn(f64, f64) -> number::Result<f64>) -> Result<Value> {
    let (x, y) = (vm.float(&args[0])?, vm.float(&args[1])?);
    let result = checked(vm, function(x, y))?;
    Ok(vm.new_float(result))
}

fn tested(vm: &mut Vm, args: Args<'_>, test: fn(f64) -> bool) -> Result<Value> {
    Ok(Value::from_bool(test(vm.float(&args[0])?)))
}

/// `ceil` and `floor`: the value's own method, for all but exact floats.
fn rounded(vm: &mut Vm, args: Args<'_>, method: &str, function: fn(f64) -> number::Result<Int>) -> Result<Value> {
    if !vm.is_exact(&args[0], TypeId::Float)
        && let Some(method) = vm.find_special(&args[0], method)?
    {
        return vm.call(&method, &[]);
    }
    let x = vm.float(&args[0])?;
    let result = checked(vm, function(x))?;
    Ok(vm.new_big(result))
}

fn trunc(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    match vm.find_special(&args[0], "__trunc__")? {
        Some(method) => vm.call(&method, &[]),
        None => {
            let name = vm.type_name(&args[0]);
            Err(vm.type_error(format!("type {name} doesn't define __trunc__ method")))
        }
    }
}

fn logarithm(vm: &mut Vm, value: &Value, kind: Logarithm) -> Result<Value> {
    let result = if let Some(int) = int_ref(vm, value) {
        math::log_of_int(int, kind)
    } else {
        let slots = vm.type_of(value).get(vm).slots;
        if slots.float.is_none() && slots.index.is_some() {
            let int = vm.index(value)?;
            math::log_of_int(int.as_ref(), kind)
        } else {
            let x = vm.float(value)?;
            match kind {
                Logarithm::Natural => math::log(x),
                Logarithm::Binary => math::log2(x),
                Logarithm::Decimal => math::log10(x),
            }
        }
    };
    let result = checked(vm, result)?;
    Ok(vm.new_float(result))
}

fn log(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let value = logarithm(vm, &args[0], Logarithm::Natural)?;
    let Some(base) = args.given(1) else { return Ok(value) };
    let base = logarithm(vm, base, Logarithm::Natural)?;
    let (value, base) = (vm.float(&value)?, vm.float(&base)?);
    let result = checked(vm, number::float::truediv(value, base))?;
    Ok(vm.new_float(result))
}

fn fma(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (x, y, z) = (vm.float(&args[0])?, vm.float(&args[1])?, vm.float(&args[2])?);
    let result = checked(vm, math::fma(x, y, z))?;
    Ok(vm.new_float(result))
}

fn frexp(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (mantissa, exponent) = math::frexp(vm.float(&args[0])?);
    let pair = vec![vm.new_float(mantissa), Value::small(exponent)];
    Ok(vm.new_tuple(pair))
}

fn modf(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (fraction, whole) = math::modf(vm.float(&args[0])?);
    let pair = vec![vm.new_float(fraction), vm.new_float(whole)];
    Ok(vm.new_tuple(pair))
}

fn ldexp(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let x = vm.float(&args[0])?;
    let Some(exponent) = int_of(vm, &args[1]) else {
        return Err(vm.type_error("Expected an int as second argument to ldexp."));
    };
    let result = checked(vm, math::ldexp(x, exponent.as_ref()))?;
    Ok(vm.new_float(result))
}

fn nextafter(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (x, y) = (vm.float(&args[0])?, vm.float(&args[1])?);
    let steps = match args.given_some(2) {
        Some(steps) => Some(vm.index(steps)?),
        None => None,
    };
    let result = checked(vm, math::nextafter(x, y, steps.as_ref().map(Int::as_ref)))?;
    Ok(vm.new_float(result))
}

fn isclose(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (a, b) = (vm.float(&args[0])?, vm.float(&args[1])?);
    let relative = match args.given(2) {
        Some(value) => vm.float(value)?,
        None => 1e-9,
    };
    let absolute = match args.given(3) {
        Some(value) => vm.float(value)?,
        None => 0.0,
    };
    if relative < 0.0 || absolute < 0.0 {
        return Err(vm.value_error("tolerances must be non-negative"));
    }
    Ok(Value::from_bool(checked(vm, math::isclose(a, b, relative, absolute))?))
}

fn floats(vm: &mut Vm, values: &[Value]) -> Result<Vec<f64>> {
    values.iter().map(|value| vm.float(value)).collect()
}

fn hypot(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let coordinates = vm.tuple_items(&args[0]);
    let coordinates = floats(vm, &coordinates)?;
    Ok(vm.new_float(math::hypot(&coordinates)))
}

fn dist(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (p, q) = (vm.collect(&args[0])?, vm.collect(&args[1])?);
    let (p, q) = (floats(vm, &p)?, floats(vm, &q)?);
    let result = checked(vm, math::dist(&p, &q))?;
    Ok(vm.new_float(result))
}

fn fsum(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let mut sum = ExactSum::default();
    let mut failure = None;
    vm.iterate(&args[0], |vm, item| {
        let value = vm.float(&item)?;
        if let Err(error) = sum.add(value) {
            failure = Some(error);
            return Ok(std::ops::ControlFlow::Break(()));
        }
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    let result = match failure {
        Some(error) => Err(error),
        None => sum.finish(),
    };
    let result = checked(vm, result)?;
    Ok(vm.new_float(result))
}

fn prod(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let mut product = args.given(1).cloned().unwrap_or(Value::small(1));
    vm.iterate(&args[0], |vm, item| {
        product = vm.binary(BinaryOperator::Multiply, &product, &item)?;
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    Ok(product)
}

/// Integers first, while their products fit a machine word; then floats, in more than their precision; then whatever `+` and `*` give.
fn sumprod(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (p, q) = (vm.iter(&args[0])?, vm.iter(&args[1])?);
    let mut total = Value::small(0);
    let (mut whole, mut precise) = (Some(0_i64), Some(ProductSum::default()));
    let (mut has_whole, mut has_precise) = (false, false);
    loop {
        let pair = match (vm.next(&p)?, vm.next(&q)?) {
            (Some(p), Some(q)) => Some((p, q)),
            (None, None) => None,
            _ => return Err(vm.value_error("Inputs are not the same length")),
        };
        if let Some(sum) = whole {
            let product = pair.as_ref().and_then(|(p, q)| exact_integer(vm, p)?.checked_mul(exact_integer(vm, q)?)?.checked_add(sum));
            whole = product;
            if product.is_some() {
                has_whole = true;
                continue;
            }
            if has_whole {
                let sum = vm.new_int(sum);
                total = vm.binary(BinaryOperator::Add, &total, &sum)?;
            }
        }
        if let Some(sum) = precise {
            let product = pair.as_ref().and_then(|(p, q)| float_pair(vm, p, q)).and_then(|(p, q)| sum.add(p, q));
            precise = product;
            if product.is_some() {
                has_precise = true;
                continue;
            }
            if has_precise {
                let sum = vm.new_float(sum.total());
                total = vm.binary(BinaryOperator::Add, &total, &sum)?;
            }
        }
        let Some((p, q)) = pair else { return Ok(total) };
        let product = vm.binary(BinaryOperator::Multiply, &p, &q)?;
        total = vm.binary(BinaryOperator::Add, &total, &product)?;
    }
}

fn exact_integer(vm: &Vm, value: &Value) -> Option<i64> {
    if vm.is_exact(value, TypeId::Int) { int_ref(vm, value)?.to_i64() } else { None }
}

/// The operands of a product of which at least one is a float and none more than an integer.
fn float_pair(vm: &Vm, p: &Value, q: &Value) -> Option<(f64, f64)> {
    let is_float = |value: &Value| vm.is_exact(value, TypeId::Float);
    let number = |value: &Value| match is_float(value) {
        true => float_of(vm, value),
        false if vm.is_exact(value, TypeId::Int) || value.as_bool().is_some() => int_ref(vm, value)?.to_f64().ok(),
        false => None,
    };
    (is_float(p) || is_float(q)).then_some(())?;
    Some((number(p)?, number(q)?))
}

fn folded(
    vm: &mut Vm,
    args: Args<'_>,
    start: i64,
    function: for<'a, 'b, 'c, 'd> fn(IntRef<'a>, IntRef<'b>, &'c mut number::Poll<'d>) -> number::Result<Int>,
) -> Result<Value> {
    let values = vm.tuple_items(&args[0]);
    let mut result = Int::from(start);
    for (place, value) in values.iter().enumerate() {
        let value = vm.index(value)?;
        result = if place == 0 { value.as_ref().abs() } else { polled(vm, |poll| function(result.as_ref(), value.as_ref(), poll))? };
    }
    Ok(vm.new_big(result))
}

fn isqrt(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let n = vm.index(&args[0])?;
    let root = polled(vm, |poll| math::isqrt(n.as_ref(), poll))?;
    Ok(vm.new_big(root))
}

fn factorial(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let n = vm.index(&args[0])?;
    let result = polled(vm, |poll| math::factorial(n.as_ref(), poll))?;
    Ok(vm.new_big(result))
}

fn comb(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (n, k) = (vm.index(&args[0])?, vm.index(&args[1])?);
    let result = polled(vm, |poll| math::comb(n.as_ref(), k.as_ref(), poll))?;
    Ok(vm.new_big(result))
}

fn perm(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let n = vm.index(&args[0])?;
    let k = match args.given_some(1) {
        Some(k) => Some(vm.index(k)?),
        None => None,
    };
    let result = polled(vm, |poll| math::perm(n.as_ref(), k.as_ref().map(Int::as_ref), poll))?;
    Ok(vm.new_big(result))
}
