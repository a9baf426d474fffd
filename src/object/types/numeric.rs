//! What `int`, `float` and `complex` share: operands as numbers, and the errors of arithmetic as exceptions.

use crate::number::{self, Int, IntRef, Poll};
use crate::object::types::float::FloatPayload;
use crate::object::types::int::IntPayload;
use crate::object::value::Value;
use crate::vm::{ExceptionKind, Raised, Result, Vm};

/// The integer in an `int`, a `bool` or an instance of a subclass, borrowed.
#[inline]
pub(crate) fn int_ref<'a>(vm: &'a Vm, value: &'a Value) -> Option<IntRef<'a>> {
    if let Some(small) = value.as_small() {
        return Some(IntRef::Small(small));
    }
    if let Some(int) = value.downcast::<IntPayload>() {
        return Some(int.get(vm).value.as_ref());
    }
    value.as_bool().map(|bool| IntRef::Small(i64::from(bool)))
}

/// The integer, as a copy.
pub(crate) fn int_of(vm: &Vm, value: &Value) -> Option<Int> {
    int_ref(vm, value).map(IntRef::to_int)
}

/// Whether it is an `int`, a `bool` or an instance of a subclass.
pub(crate) fn is_int(value: &Value) -> bool {
    value.as_small().is_some() || value.holds::<IntPayload>() || value.as_bool().is_some()
}

/// The float in a `float` or an instance of a subclass.
#[inline]
pub(crate) fn float_of(vm: &Vm, value: &Value) -> Option<f64> {
    if let Some(float) = value.word().as_float() {
        return Some(float);
    }
    value.downcast::<FloatPayload>().map(|float| float.get(vm).value)
}

/// An operand of float arithmetic: a `float`, or an `int` made one (`OverflowError` past the largest). `None` for others.
pub(crate) fn float_operand(vm: &mut Vm, value: &Value) -> Result<Option<f64>> {
    if let Some(float) = float_of(vm, value) {
        return Ok(Some(float));
    }
    match int_ref(vm, value).map(IntRef::to_f64) {
        None => Ok(None),
        Some(Ok(float)) => Ok(Some(float)),
        Some(Err(error)) => Err(number_error(vm, error)),
    }
}

/// The exception for an error of arithmetic.
pub(crate) fn number_error(vm: &mut Vm, error: number::Error) -> Raised {
    if matches!(error, number::Error::FloatPowerOverflow) {
        let arguments = vec![Value::small(34), vm.new_str("Numerical result out of range")];
        return vm.raise_new(ExceptionKind::OverflowError, arguments);
    }
    vm.number_error(error)
}

/// The result of arithmetic, or its exception.
pub(crate) fn checked<T>(vm: &mut Vm, result: number::Result<T>) -> Result<T> {
    result.map_err(|error| number_error(vm, error))
}

/// What the piece of arithmetic between two polls stands for in instructions.
const PIECE: usize = 100;

/// Runs arithmetic that may take long: signals and stops reach it by the poll it is given.
pub(crate) fn polled<T>(vm: &mut Vm, work: impl FnOnce(&mut Poll<'_>) -> number::Result<T>) -> Result<T> {
    let mut raised = None;
    let result = work(&mut || match vm.poll_after(PIECE) {
        Ok(()) => false,
        Err(stop) => {
            raised = Some(stop);
            true
        }
    });
    match raised {
        Some(stop) => Err(stop),
        None => checked(vm, result),
    }
}
