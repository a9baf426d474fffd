//! From values to Rust's numbers, texts and bytes, as natives want their arguments.

use super::vm::{Result, Vm};
use crate::number::{Int, IntRef};
use crate::object::types::TypeId;
use crate::object::types::bytearray::ByteArray;
use crate::object::types::bytes::Bytes;
use crate::object::types::exception::ExceptionKind;
use crate::object::types::float::FloatPayload;
use crate::object::types::int::IntPayload;
use crate::object::types::str::Str;
use crate::object::value::{Ref, Value};

impl Vm {
    /// The number of an `int`, `bool` or instance of a subclass, borrowed; no hooks.
    #[inline]
    pub(crate) fn int_ref<'a>(&'a self, value: &'a Value) -> Option<IntRef<'a>> {
        if let Some(small) = value.as_small() {
            return Some(IntRef::from(small));
        }
        if let Some(flag) = value.as_bool() {
            return Some(IntRef::from(i64::from(flag)));
        }
        value.downcast::<IntPayload>().map(|int| IntRef::from(&int.get(self).value))
    }

    /// The number of an `int`, `bool` or instance of a subclass; no hooks.
    pub(crate) fn int_value(&self, value: &Value) -> Option<Int> {
        self.int_ref(value).map(IntRef::to_int)
    }

    /// The number of a `float` or instance of a subclass; no hooks.
    #[inline]
    pub(crate) fn float_value(&self, value: &Value) -> Option<f64> {
        value.word().as_float().or_else(|| value.downcast::<FloatPayload>().map(|float| float.get(self).value))
    }

    /// `operator.index(value)`, as a value.
    pub(crate) fn index_value(&mut self, value: &Value) -> Result<Value> {
        if self.int_ref(value).is_some() {
            return Ok(value.clone());
        }
        let Some(index) = self.type_payload(value).slots.index else {
            let message = format!("'{}' object cannot be interpreted as an integer", self.type_name(value));
            return Err(self.type_error(message));
        };
        let result = index(self, value)?;
        if self.int_ref(&result).is_some() {
            if !self.is_exact(&result, TypeId::Int) {
                self.warn_of_subclass("__index__ returned non-int", &result, "int")?;
            }
            return Ok(result);
        }
        let message = format!("__index__ returned non-int (type {})", self.type_name(&result));
        Err(self.type_error(message))
    }

    /// `operator.index(value)`.
    pub(crate) fn index(&mut self, value: &Value) -> Result<Int> {
        let value = self.index_value(value)?;
        Ok(self.int_value(&value).unwrap_or(Int::Small(0)))
    }

    /// `operator.index(value)` in 64 bits; `OverflowError` beyond.
    #[inline]
    pub(crate) fn index_i64(&mut self, value: &Value) -> Result<i64> {
        if let Some(small) = value.as_small() {
            return Ok(small);
        }
        match self.index(value)?.as_ref().to_i64() {
            Some(number) => Ok(number),
            None => Err(self.overflow_error("Python int too large to convert to C ssize_t")),
        }
    }

    /// `operator.index(value)` as a C `int`, refused in the words of Argument Clinic's functions.
    pub(crate) fn c_int(&mut self, value: &Value) -> Result<i32> {
        match self.index(value)?.as_ref().to_i64().map(i32::try_from) {
            Some(Ok(number)) => Ok(number),
            _ => Err(self.overflow_error("Python int too large to convert to C int")),
        }
    }

    /// `operator.index(value)` as a C `int`, refused in the words of `PyArg_ParseTuple`'s `i`.
    pub(crate) fn parsed_int(&mut self, value: &Value) -> Result<i32> {
        let Some(number) = self.index(value)?.as_ref().to_i64() else {
            return Err(self.overflow_error("Python int too large to convert to C long"));
        };
        i32::try_from(number).map_err(|_| {
            let what = if number < 0 { "signed integer is less than minimum" } else { "signed integer is greater than maximum" };
            self.overflow_error(what)
        })
    }

    /// The lowest 32 bits of `operator.index(value)`.
    pub(crate) fn masked_u32(&mut self, value: &Value) -> Result<u32> {
        let number = self.index(value)?;
        let low = number.as_ref().bit_and(crate::number::int::Int::from(0xffff_ffff_i64).as_ref());
        Ok(low.as_ref().to_u64().unwrap_or(0) as u32)
    }

    /// `operator.index(value)`, clamped to 64 bits as slices do.
    pub(crate) fn index_clamped(&mut self, value: &Value) -> Result<i64> {
        if let Some(small) = value.as_small() {
            return Ok(small);
        }
        if self.int_ref(value).is_none() && self.type_payload(value).slots.index.is_none() {
            return Err(self.type_error("slice indices must be integers or None or have an __index__ method"));
        }
        Ok(self.index(value)?.as_ref().to_i64_saturating())
    }

    /// `float(value)` for a number: a float, or what has `__float__` or `__index__`.
    pub(crate) fn float(&mut self, value: &Value) -> Result<f64> {
        if let Some(float) = self.float_value(value) {
            return Ok(float);
        }
        if let Some(small) = value.as_small() {
            return Ok(small as f64);
        }
        if !self.is_exact(value, TypeId::Int)
            && let Some(float) = self.float_by_slot(value)?
        {
            return Ok(float);
        }
        if self.int_ref(value).is_some() || self.type_payload(value).slots.index.is_some() {
            let number = self.index(value)?;
            return number.as_ref().to_f64().map_err(|error| self.number_error(error));
        }
        let message = format!("must be real number, not {}", self.type_name(value));
        Err(self.type_error(message))
    }

    /// Warns that a conversion gave an instance of a subclass.
    #[cold]
    pub(crate) fn warn_of_subclass(&mut self, what: &str, result: &Value, class: &str) -> Result<()> {
        let message = format!(
            "{what} (type {}).  The ability to return an instance of a strict subclass of {class} is deprecated, and may be removed in a future \
             version of Python.",
            self.type_name(result)
        );
        self.warn(ExceptionKind::DeprecationWarning, &message)
    }

    /// What the value's own `__float__` says, for a type that has it.
    pub(crate) fn float_by_slot(&mut self, value: &Value) -> Result<Option<f64>> {
        let Some(float) = self.type_payload(value).slots.float else { return Ok(None) };
        let result = float(self, value)?;
        match self.float_value(&result) {
            Some(float) => {
                if !self.is_exact(&result, TypeId::Float) {
                    let what = format!("{}.__float__ returned non-float", self.type_name(value));
                    self.warn_of_subclass(&what, &result, "float")?;
                }
                Ok(Some(float))
            }
            None => {
                let message = format!("{}.__float__ returned non-float (type {})", self.type_name(value), self.type_name(&result));
                Err(self.type_error(message))
            }
        }
    }

    /// The name of an argument's type in words about its kind; `None` stands for its own.
    pub(crate) fn argument_kind(&self, value: &Value) -> String {
        if value.is_none() { "None".to_owned() } else { self.type_name(value) }
    }

    /// The value as a `str`, or a `TypeError` that names `what`: "what must be str, not int".
    pub(crate) fn expect_str<'a>(&mut self, value: &'a Value, what: &str) -> Result<&'a Ref<Str>> {
        match value.downcast::<Str>() {
            Some(string) => Ok(string),
            None => {
                let message = format!("{what} must be str, not {}", self.argument_kind(value));
                Err(self.type_error(message))
            }
        }
    }

    /// The text of a `str` in Rust's form; lone surrogates are an encoding error.
    pub(crate) fn expect_string(&mut self, value: &Value, what: &str) -> Result<String> {
        let text = self.expect_str(value, what)?.get(self).text.clone();
        match text.to_utf8() {
            Ok(string) => Ok(string.into_owned()),
            Err(position) => {
                let (encoding, reason) = (self.new_str("utf-8"), self.new_str("surrogates not allowed"));
                let (start, end) = (Value::small(position as i64), Value::small(position as i64 + 1));
                Err(self.raise_new(ExceptionKind::UnicodeEncodeError, vec![encoding, value.clone(), start, end, reason]))
            }
        }
    }

    /// Calls `read` with the bytes of a `bytes` or `bytearray`, or of what else offers its bytes; a `TypeError` otherwise.
    pub(crate) fn with_bytes<R>(&mut self, value: &Value, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        if let Some(bytes) = value.downcast::<Bytes>() {
            return Ok(read(&bytes.get(self).data));
        }
        if let Some(bytes) = value.downcast::<ByteArray>() {
            return Ok(read(&bytes.get(self).data));
        }
        if let Some(bytes) = crate::object::types::memoryview::bytes_of(self, value)? {
            return Ok(read(&bytes));
        }
        let message = format!("a bytes-like object is required, not '{}'", self.type_name(value));
        Err(self.type_error(message))
    }

    /// Whether `with_bytes` would accept the value.
    pub(crate) fn is_bytes_like(&self, value: &Value) -> bool {
        value.holds::<Bytes>() || value.holds::<ByteArray>() || crate::object::types::memoryview::offers_bytes(self, value)
    }

    /// A copy of a bytes-like value's bytes.
    pub(crate) fn bytes_vec(&mut self, value: &Value) -> Result<Vec<u8>> {
        self.with_bytes(value, <[u8]>::to_vec)
    }

    /// Whether the value is an `int` (or `bool`, or of a subclass).
    pub(crate) fn is_int(&self, value: &Value) -> bool {
        value.word().is_small() || self.is_kind(value, TypeId::Int)
    }
}
