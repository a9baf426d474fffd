//! `cmath`: functions of complex numbers. The inverse ones follow W. Kahan, "Branch cuts for complex elementary functions" (1987).

use crate::number::complex::Complex;
use crate::object::native::{Args, NativeModule, native};
use crate::object::types::complex_methods::of_number;
use crate::object::value::Value;
use crate::vm::{Result, Vm};

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "cmath",
    doc: "Mathematical functions of complex numbers.",
    functions: &[
        native("acos(z, /)", |vm, args| unary(vm, args, acos)),
        native("acosh(z, /)", |vm, args| unary(vm, args, acosh)),
        native("asin(z, /)", |vm, args| unary(vm, args, asin)),
        native("asinh(z, /)", |vm, args| unary(vm, args, asinh)),
        native("atan(z, /)", |vm, args| unary(vm, args, atan)),
        native("atanh(z, /)", |vm, args| unary(vm, args, atanh)),
        native("cos(z, /)", |vm, args| unary(vm, args, cos)),
        native("cosh(z, /)", |vm, args| unary(vm, args, cosh)),
        native("exp(z, /)", |vm, args| unary(vm, args, exp)),
        native("isclose(a, b, *, rel_tol=1e-09, abs_tol=0.0)", isclose),
        native("isfinite(z, /)", |vm, args| tested(vm, args, |z| z.re.is_finite() && z.im.is_finite())),
        native("isinf(z, /)", |vm, args| tested(vm, args, |z| z.re.is_infinite() || z.im.is_infinite())),
        native("isnan(z, /)", |vm, args| tested(vm, args, |z| z.re.is_nan() || z.im.is_nan())),
        native("log(z, base=None, /)", log_with_base),
        native("log10(z, /)", log10),
        native("phase(z, /)", phase),
        native("polar(z, /)", polar),
        native("rect(r, phi, /)", rect),
        native("sin(z, /)", |vm, args| unary(vm, args, sin)),
        native("sinh(z, /)", |vm, args| unary(vm, args, sinh)),
        native("sqrt(z, /)", |vm, args| unary(vm, args, sqrt)),
        native("tan(z, /)", |vm, args| unary(vm, args, tan)),
        native("tanh(z, /)", |vm, args| unary(vm, args, tanh)),
    ],
    types: &[],
    init: Some(init),
};

fn init(vm: &mut Vm, module: &Value) -> Result<()> {
    super::math::set_constants(vm, module)?;
    for (name, imaginary) in [("infj", f64::INFINITY), ("nanj", f64::NAN)] {
        let value = vm.new_complex(0.0, imaginary);
        vm.set_attr_str(module, name, &value)?;
    }
    Ok(())
}

/// Why a function has no value.
enum Trouble {
    Domain,
}

type Outcome = std::result::Result<Complex, Trouble>;

fn argument(vm: &mut Vm, value: &Value) -> Result<Complex> {
    match of_number(vm, value)? {
        Some(number) => Ok(number),
        None => {
            let name = vm.type_name(value);
            Err(vm.type_error(format!("must be real number, not {name}")))
        }
    }
}

fn finished(vm: &mut Vm, z: Complex, outcome: Outcome) -> Result<Complex> {
    let finite = z.re.is_finite() && z.im.is_finite();
    match outcome {
        Ok(result) if finite && (result.re.is_infinite() || result.im.is_infinite()) => Err(vm.overflow_error("math range error")),
        Ok(result) => Ok(result),
        Err(Trouble::Domain) => Err(vm.value_error("math domain error")),
    }
}

fn unary(vm: &mut Vm, args: Args<'_>, function: fn(Complex) -> Outcome) -> Result<Value> {
    let z = argument(vm, &args[0])?;
    let result = finished(vm, z, function(z))?;
    Ok(vm.new_complex(result.re, result.im))
}

fn tested(vm: &mut Vm, args: Args<'_>, test: fn(Complex) -> bool) -> Result<Value> {
    let z = argument(vm, &args[0])?;
    Ok(Value::from_bool(test(z)))
}

/// Multiplies by `i`.
fn times_i(z: Complex) -> Complex {
    Complex::new(-z.im, z.re)
}

/// Divides by `i`.
fn over_i(z: Complex) -> Complex {
    Complex::new(z.im, -z.re)
}

fn sqrt(z: Complex) -> Outcome {
    let (re, im) = (z.re, z.im);
    if re == 0.0 && im == 0.0 {
        return Ok(Complex::new(0.0, im));
    }
    if im.is_infinite() {
        return Ok(Complex::new(f64::INFINITY, im));
    }
    if re.is_infinite() {
        let other = if im.is_nan() { f64::NAN } else { 0.0_f64.copysign(im) };
        return Ok(if re > 0.0 {
            Complex::new(re, other)
        } else {
            Complex::new(if im.is_nan() { f64::NAN } else { 0.0 }, f64::INFINITY.copysign(im))
        });
    }
    // Scaled so that neither the smallest nor the largest numbers lose their value in the square.
    let (a, b) = (re.abs(), im.abs());
    let half = if a < f64::MIN_POSITIVE && b < f64::MIN_POSITIVE && (a > 0.0 || b > 0.0) {
        let scaled = a * 2_f64.powi(54);
        (scaled + scaled.hypot(b * 2_f64.powi(54))).sqrt() * 2_f64.powi(-28) * std::f64::consts::SQRT_2
    } else {
        let eighth = a / 8.0;
        2.0 * (eighth + eighth.hypot(b / 8.0)).sqrt()
    };
    let other = b / (2.0 * half);
    Ok(if re >= 0.0 { Complex::new(half, other.copysign(im)) } else { Complex::new(other, half.copysign(im)) })
}

fn exp(z: Complex) -> Outcome {
    if !z.im.is_finite() {
        if z.re == f64::NEG_INFINITY {
            return Ok(Complex::new(0.0, 0.0));
        }
        if z.im.is_infinite() && z.re != f64::INFINITY && !z.re.is_nan() {
            return Err(Trouble::Domain);
        }
        if z.im.is_infinite() && z.re == f64::INFINITY {
            return Err(Trouble::Domain);
        }
    }
    if z.im == 0.0 {
        return Ok(Complex::new(z.re.exp(), z.im));
    }
    let (sin, cos) = z.im.sin_cos();
    if z.re > 708.0 && z.re.is_finite() {
        let scale = (z.re - 1.0).exp();
        return Ok(Complex::new(scale * cos * std::f64::consts::E, scale * sin * std::f64::consts::E));
    }
    let scale = z.re.exp();
    Ok(Complex::new(scale * cos, scale * sin))
}

fn log(z: Complex) -> Outcome {
    let (a, b) = (z.re.abs(), z.im.abs());
    let real = if z.re == 0.0 && z.im == 0.0 {
        return Err(Trouble::Domain);
    } else if a > f64::MAX / 4.0 || b > f64::MAX / 4.0 {
        (a / 2.0).hypot(b / 2.0).ln() + std::f64::consts::LN_2
    } else if a < f64::MIN_POSITIVE && b < f64::MIN_POSITIVE {
        (a * 2_f64.powi(53)).hypot(b * 2_f64.powi(53)).ln() - 53.0 * std::f64::consts::LN_2
    } else {
        let length = a.hypot(b);
        if (0.71..=1.73).contains(&length) {
            let (large, small) = if a > b { (a, b) } else { (b, a) };
            ((large - 1.0) * (large + 1.0) + small * small).ln_1p() / 2.0
        } else {
            length.ln()
        }
    };
    Ok(Complex::new(real, z.im.atan2(z.re)))
}

fn log_with_base(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let z = argument(vm, &args[0])?;
    let mut result = finished(vm, z, log(z))?;
    if let Some(base) = args.given(1) {
        let base = argument(vm, base)?;
        let base = finished(vm, base, log(base))?;
        result = crate::object::types::numeric::checked(vm, result.div(base))?;
    }
    Ok(vm.new_complex(result.re, result.im))
}

fn log10(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let z = argument(vm, &args[0])?;
    let result = finished(vm, z, log(z))?;
    Ok(vm.new_complex(result.re / std::f64::consts::LN_10, result.im / std::f64::consts::LN_10))
}

fn sinh(z: Complex) -> Outcome {
    if z.im.is_infinite() && !z.re.is_nan() && (z.re.is_finite() || z.re.is_infinite()) {
        return Err(Trouble::Domain);
    }
    if z.re.is_infinite() && z.im == 0.0 {
        return Ok(z);
    }
    let (sin, cos) = z.im.sin_cos();
    if z.re.abs() > 708.0 && z.re.is_finite() {
        let shifted = z.re - 1.0_f64.copysign(z.re);
        return Ok(Complex::new(cos * shifted.sinh() * std::f64::consts::E, sin * shifted.cosh() * std::f64::consts::E));
    }
    Ok(Complex::new(cos * z.re.sinh(), sin * z.re.cosh()))
}

fn cosh(z: Complex) -> Outcome {
    if z.im.is_infinite() && !z.re.is_nan() {
        return Err(Trouble::Domain);
    }
    if z.re.is_infinite() && z.im == 0.0 {
        return Ok(Complex::new(f64::INFINITY, z.im.copysign(z.re * z.im.signum())));
    }
    let (sin, cos) = z.im.sin_cos();
    if z.re.abs() > 708.0 && z.re.is_finite() {
        let shifted = z.re - 1.0_f64.copysign(z.re);
        return Ok(Complex::new(cos * shifted.cosh() * std::f64::consts::E, sin * shifted.sinh() * std::f64::consts::E));
    }
    Ok(Complex::new(cos * z.re.cosh(), sin * z.re.sinh()))
}

fn tanh(z: Complex) -> Outcome {
    if z.im.is_infinite() && z.re.is_finite() {
        return Err(Trouble::Domain);
    }
    if z.re.abs() > 354.0 {
        let im = if z.im.is_finite() { 4.0 * z.im.sin() * z.im.cos() * (-2.0 * z.re.abs()).exp() } else { 0.0 };
        return Ok(Complex::new(1.0_f64.copysign(z.re), im));
    }
    let (tx, ty) = (z.re.tanh(), z.im.tan());
    let cx = 1.0 / z.re.cosh();
    let txty = tx * ty;
    let denominator = 1.0 + txty * txty;
    Ok(Complex::new(tx * (1.0 + ty * ty) / denominator, ((ty / denominator) * cx) * cx))
}

fn sin(z: Complex) -> Outcome {
    Ok(over_i(sinh(times_i(z))?))
}

fn cos(z: Complex) -> Outcome {
    cosh(times_i(z))
}

fn tan(z: Complex) -> Outcome {
    Ok(over_i(tanh(times_i(z))?))
}

const LARGE: f64 = f64::MAX / 4.0;

fn acos(z: Complex) -> Outcome {
    if z.re.abs() > LARGE || z.im.abs() > LARGE {
        let real = z.im.abs().atan2(z.re);
        let imaginary = (z.re / 2.0).hypot(z.im / 2.0).ln() + 2.0 * std::f64::consts::LN_2;
        return Ok(Complex::new(real, -imaginary.copysign(z.im)));
    }
    let s1 = sqrt(Complex::new(1.0 - z.re, -z.im))?;
    let s2 = sqrt(Complex::new(1.0 + z.re, z.im))?;
    Ok(Complex::new(2.0 * s1.re.atan2(s2.re), (s2.re * s1.im - s2.im * s1.re).asinh()))
}

fn acosh(z: Complex) -> Outcome {
    if z.re.abs() > LARGE || z.im.abs() > LARGE {
        let real = (z.re / 2.0).hypot(z.im / 2.0).ln() + 2.0 * std::f64::consts::LN_2;
        return Ok(Complex::new(real, z.im.atan2(z.re)));
    }
    let s1 = sqrt(Complex::new(z.re - 1.0, z.im))?;
    let s2 = sqrt(Complex::new(z.re + 1.0, z.im))?;
    Ok(Complex::new((s1.re * s2.re + s1.im * s2.im).asinh(), 2.0 * s1.im.atan2(s2.re)))
}

fn asinh(z: Complex) -> Outcome {
    if z.re.abs() > LARGE || z.im.abs() > LARGE {
        let real = ((z.re / 2.0).hypot(z.im / 2.0).ln() + 2.0 * std::f64::consts::LN_2).copysign(z.re);
        return Ok(Complex::new(real, z.im.atan2(z.re.abs())));
    }
    let s1 = sqrt(Complex::new(1.0 + z.im, -z.re))?;
    let s2 = sqrt(Complex::new(1.0 - z.im, z.re))?;
    Ok(Complex::new((s1.re * s2.im - s2.re * s1.im).asinh(), z.im.atan2(s1.re * s2.re - s1.im * s2.im)))
}

fn asin(z: Complex) -> Outcome {
    Ok(over_i(asinh(times_i(z))?))
}

fn atanh(z: Complex) -> Outcome {
    if z.re < 0.0 || (z.re == 0.0 && z.re.is_sign_negative()) {
        return Ok(atanh(z.neg())?.neg());
    }
    let ay = z.im.abs();
    if z.re > LARGE.sqrt() || ay > LARGE.sqrt() {
        let length = (z.re / 2.0).hypot(z.im / 2.0);
        let imaginary = -(std::f64::consts::FRAC_PI_2.copysign(-z.im));
        return Ok(Complex::new(z.re / 4.0 / length / length, imaginary));
    }
    if z.re == 1.0 && ay < f64::MIN_POSITIVE.sqrt() {
        if ay == 0.0 {
            return Err(Trouble::Domain);
        }
        let real = -(ay.sqrt() / ay.hypot(2.0).sqrt()).ln();
        return Ok(Complex::new(real, 2.0_f64.atan2(-ay).copysign(z.im) / 2.0));
    }
    let rest = 1.0 - z.re;
    Ok(Complex::new((4.0 * z.re / (rest * rest + ay * ay)).ln_1p() / 4.0, -(-2.0 * z.im).atan2(rest * (1.0 + z.re) - ay * ay) / 2.0))
}

fn atan(z: Complex) -> Outcome {
    Ok(over_i(atanh(times_i(z))?))
}

fn phase(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let z = argument(vm, &args[0])?;
    Ok(vm.new_float(z.im.atan2(z.re)))
}

fn polar(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let z = argument(vm, &args[0])?;
    let length = z.re.hypot(z.im);
    if length.is_infinite() && z.re.is_finite() && z.im.is_finite() {
        return Err(vm.overflow_error("math range error"));
    }
    let pair = vec![vm.new_float(length), vm.new_float(z.im.atan2(z.re))];
    Ok(vm.new_tuple(pair))
}

fn rect(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (length, angle) = (vm.float(&args[0])?, vm.float(&args[1])?);
    if angle.is_infinite() && length != 0.0 && !length.is_nan() {
        return Err(vm.value_error("math domain error"));
    }
    if length == 0.0 {
        return Ok(vm.new_complex(0.0, 0.0));
    }
    if angle == 0.0 {
        return Ok(vm.new_complex(length, length * angle));
    }
    let (sin, cos) = angle.sin_cos();
    Ok(vm.new_complex(length * cos, length * sin))
}

fn isclose(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (a, b) = (argument(vm, &args[0])?, argument(vm, &args[1])?);
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
    let infinite = |z: Complex| z.re.is_infinite() || z.im.is_infinite();
    let close = if a == b {
        true
    } else if infinite(a) || infinite(b) {
        false
    } else {
        let length = |z: Complex| z.re.hypot(z.im);
        let difference = length(a.sub(b));
        difference <= relative * length(b) || difference <= relative * length(a) || difference <= absolute
    };
    Ok(Value::from_bool(close))
}
