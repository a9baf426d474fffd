//! Arithmetic and comparison of registers beyond the dispatch loop's fast paths: mixed numbers, big ones, strings, and everything else by the slots.
#![allow(unsafe_code, reason = "the in-place append takes a string out of its local and puts it back")]

use super::vm::{Result, Vm};
use super::window::Window;
use crate::code::instruction::{Comparison, Word as Instruction};
use crate::object::heap::reference_count;
use crate::object::type_object::BinaryOperator;
use crate::object::types::TypeId;
use crate::object::types::str::Str;
use crate::object::value::Value;

impl Vm {
    /// `dst = left OP right` for two registers.
    #[inline(never)]
    pub(crate) fn arithmetic(&mut self, window: Window, i: Instruction, operator: BinaryOperator) -> Result<()> {
        if operator == BinaryOperator::Add && i.a() == i.b() && self.append_in_place(window, i)? {
            return Ok(());
        }
        if operator == BinaryOperator::Add {
            // SAFETY: nothing runs a script while these are used.
            let (left, right) = unsafe { (window.borrow(i.b()), window.borrow(i.d())) };
            if let Some(whole) = self.quick_concat(left, right)? {
                window.consume(i.b());
                window.consume(i.d());
                window.set(i.a(), whole);
                return Ok(());
            }
        }
        let left = window.take(self, i.b())?;
        let right = window.take(self, i.d())?;
        let result = self.binary_fast(operator, &left, &right, i.k() & 1 != 0);
        drop(left);
        drop(right);
        window.set(i.a(), result?);
        Ok(())
    }

    /// The two strings one after the other; `None` for anything but plain strings.
    #[inline(always)]
    fn quick_concat(&mut self, left: &Value, right: &Value) -> Result<Option<Value>> {
        let (Some(first), Some(second)) = (left.downcast::<Str>(), right.downcast::<Str>()) else { return Ok(None) };
        if !self.is_exact(left, TypeId::Str) || !self.is_exact(right, TypeId::Str) {
            return Ok(None);
        }
        let size = {
            let (first, second) = (&first.get(self).text, &second.get(self).text);
            if second.is_empty() {
                return Ok(Some(left.clone()));
            }
            if first.is_empty() {
                return Ok(Some(right.clone()));
            }
            (first.len() + second.len()).saturating_mul(first.width().max(second.width()))
        };
        self.charge(size)?;
        match first.get(self).text.concat(&second.get(self).text) {
            Ok(whole) => Ok(Some(self.new_str(whole))),
            Err(_) => Err(self.memory_error()),
        }
    }

    /// `s += t` for a string that only this register holds: grows it where it is.
    fn append_in_place(&mut self, window: Window, i: Instruction) -> Result<bool> {
        let (left, right) = (window.peek(i.b()), window.peek(i.d()));
        if i.b() == i.d() {
            return Ok(false);
        }
        // SAFETY: registers of the running frame, alive while they are looked at.
        let (left, right) = unsafe { (Value::from_borrowed(left), Value::from_borrowed(right)) };
        let (Some(string), Some(more)) = (left.downcast::<Str>(), right.downcast::<Str>()) else {
            return Ok(false);
        };
        // One count is the register's, one is `left`'s.
        let is_ours = reference_count(&left) == 2
            && self.is_exact(&left, TypeId::Str)
            && self.is_exact(&right, TypeId::Str)
            && !crate::object::intern::is_interned(&left);
        if !is_ours || more.get(self).text.is_empty() {
            return Ok(false);
        }
        let more = more.clone();
        let size = {
            let (own, more) = (&string.get(self).text, &more.get(self).text);
            let size = (own.len() + more.len()).saturating_mul(own.width().max(more.width()));
            // What has room already costs nothing; else the buffer doubles.
            if size > own.heap_size() { size.saturating_mul(2) } else { 0 }
        };
        self.charge(size)?;
        let string = string.clone();
        let more_text: *const crate::text::Text = &raw const more.get(self).text;
        // SAFETY: another string's text: `left` and `right` are different objects, since `left` has no other owner.
        let done = self.resize(&string, |string| string.text_mut().try_push_view(unsafe { (*more_text).view() }).is_ok());
        drop(string);
        if !done {
            return Err(self.memory_error());
        }
        drop(left);
        drop(right);
        drop(window.take(self, i.d())?);
        Ok(true)
    }

    /// A binary operation, numbers first.
    pub(crate) fn binary_fast(&mut self, operator: BinaryOperator, left: &Value, right: &Value, augmented: bool) -> Result<Value> {
        if let Some(result) = self.float_arithmetic(operator, left, right) {
            return result;
        }
        if augmented { self.in_place(operator, left, right) } else { self.binary(operator, left, right) }
    }

    /// Float arithmetic where at least one operand is a `float` word and the other a `float` or small `int` word.
    fn float_arithmetic(&mut self, operator: BinaryOperator, left: &Value, right: &Value) -> Option<Result<Value>> {
        let (l, r) = match (left.word().as_float(), right.word().as_float()) {
            (Some(l), Some(r)) => (l, r),
            (Some(l), None) => (l, exact_float(right.as_small()?)?),
            (None, Some(r)) => (exact_float(left.as_small()?)?, r),
            (None, None) => return None,
        };
        let result = match operator {
            BinaryOperator::Add => l + r,
            BinaryOperator::Subtract => l - r,
            BinaryOperator::Multiply => l * r,
            BinaryOperator::TrueDivide if r != 0.0 => l / r,
            _ => return None,
        };
        Some(Ok(self.new_float(result)))
    }

    /// `dst = left OP constant`.
    #[inline(never)]
    pub(crate) fn arithmetic_immediate(&mut self, window: Window, i: Instruction, operator: BinaryOperator) -> Result<()> {
        let left = window.take(self, i.b())?;
        let right = Value::small(i64::from(i.d() as i16));
        let result = self.binary_fast(operator, &left, &right, i.k() & 1 != 0)?;
        drop(left);
        window.set(i.a(), result);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn negate_register(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let result = self.negative(&value)?;
        drop(value);
        window.set(i.a(), result);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn plus_register(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let result = self.positive(&value)?;
        drop(value);
        window.set(i.a(), result);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn invert_register(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let result = self.invert(&value)?;
        drop(value);
        window.set(i.a(), result);
        Ok(())
    }

    /// The truth of a comparison of two registers, which are consumed.
    #[inline(never)]
    pub(crate) fn compare_registers(&mut self, window: Window, left: u16, right: u16, comparison: Comparison) -> Result<bool> {
        {
            // SAFETY: nothing runs a script while these are used.
            let (l, r) = unsafe { (window.borrow(left), window.borrow(right)) };
            if let Some(truth) = self.quick_compare(l, r, comparison) {
                window.consume(left);
                window.consume(right);
                return Ok(truth);
            }
        }
        let left = window.take(self, left)?;
        let right = window.take(self, right)?;
        let truth = self.compare_bool(&left, &right, comparison);
        drop(left);
        drop(right);
        truth
    }

    /// The truth of a comparison of two strings, or of a float and an integer; `None` for all others.
    #[inline(always)]
    fn quick_compare(&self, left: &Value, right: &Value, comparison: Comparison) -> Option<bool> {
        if let (Some(l), Some(r)) = (left.downcast::<Str>(), right.downcast::<Str>()) {
            if !self.is_exact(left, TypeId::Str) || !self.is_exact(right, TypeId::Str) {
                return None;
            }
            let (l, r) = (&l.get(self).text, &r.get(self).text);
            return Some(match comparison {
                Comparison::Equal => left.is(right) || l == r,
                Comparison::NotEqual => !left.is(right) && l != r,
                Comparison::Less => l < r,
                Comparison::LessEqual => l <= r,
                Comparison::Greater => l > r,
                _ => l >= r,
            });
        }
        let (l, r) = match (left.word().as_float(), right.word().as_float()) {
            (Some(l), None) => (l, exact_float(right.as_small()?)?),
            (None, Some(r)) => (exact_float(left.as_small()?)?, r),
            _ => return None,
        };
        Some(match comparison {
            Comparison::Equal => l == r,
            Comparison::NotEqual => l != r,
            Comparison::Less => l < r,
            Comparison::LessEqual => l <= r,
            Comparison::Greater => l > r,
            _ => l >= r,
        })
    }

    /// The truth of a comparison of a register, which is consumed, with a small constant.
    #[inline(never)]
    pub(crate) fn compare_immediate(&mut self, window: Window, left: u16, right: i64, comparison: Comparison) -> Result<bool> {
        let left = window.take(self, left)?;
        let right = Value::small(right);
        match self.quick_compare(&left, &right, comparison) {
            Some(truth) => Ok(truth),
            None => self.compare_bool(&left, &right, comparison),
        }
    }

    /// `Compare`.
    #[inline(never)]
    pub(crate) fn compare_to(&mut self, window: Window, i: Instruction) -> Result<()> {
        {
            // SAFETY: nothing runs a script while these are used.
            let (left, right) = unsafe { (window.borrow(i.b()), window.borrow(i.d())) };
            let truth = match Comparison::ALL[usize::from(i.k())] {
                Comparison::Is | Comparison::IsNot => None,
                Comparison::In => self.quick_contains(right, left),
                Comparison::NotIn => self.quick_contains(right, left).map(|found| !found),
                comparison => self.quick_compare(left, right, comparison),
            };
            if let Some(truth) = truth {
                window.consume(i.b());
                window.consume(i.d());
                window.set(i.a(), Value::from_bool(truth));
                return Ok(());
            }
        }
        let left = window.take(self, i.b())?;
        let right = window.take(self, i.d())?;
        let comparison = Comparison::ALL[usize::from(i.k())];
        let result = match comparison {
            Comparison::Is => Ok(Value::from_bool(left.is(&right))),
            Comparison::IsNot => Ok(Value::from_bool(!left.is(&right))),
            Comparison::In => self.contains(&right, &left).map(Value::from_bool),
            Comparison::NotIn => self.contains(&right, &left).map(|found| Value::from_bool(!found)),
            _ if left.word().both_small(right.word()) => Ok(Value::from_bool(self.compare_small(&left, &right, comparison))),
            _ => self.compare(&left, &right, comparison),
        };
        drop(left);
        drop(right);
        window.set(i.a(), result?);
        Ok(())
    }

    fn compare_small(&self, left: &Value, right: &Value, comparison: Comparison) -> bool {
        let (l, r) = (left.as_small(), right.as_small());
        match comparison {
            Comparison::Equal => l == r,
            Comparison::NotEqual => l != r,
            Comparison::Less => l < r,
            Comparison::LessEqual => l <= r,
            Comparison::Greater => l > r,
            _ => l >= r,
        }
    }
}

/// An integer as a float, when that loses nothing.
fn exact_float(value: i64) -> Option<f64> {
    (value.unsigned_abs() <= 1 << 53).then_some(value as f64)
}
