//! Bytes-like objects: their bytes for whoever takes any of them, and single items by their `struct` letter.

use super::numeric::{float_of, int_of};
use crate::number::Int;
use crate::object::types::bytearray::ByteArray;
use crate::object::types::bytes::Bytes;
use crate::object::types::memoryview::{self, MemoryView};
use crate::object::value::Value;
use crate::stdlib::array::Array;
use crate::vm::{Result, Vm};

/// The bytes of an object that has them, borrowed: `bytes`, `bytearray`, `array`.
pub(crate) fn plain_bytes<'a>(vm: &'a Vm, value: &'a Value) -> Option<&'a [u8]> {
    if let Some(bytes) = value.downcast::<Bytes>() {
        return Some(&bytes.get(vm).data);
    }
    if let Some(array) = value.downcast::<ByteArray>() {
        return Some(&array.get(vm).data);
    }
    if let Some(array) = value.downcast::<Array>() {
        return Some(&array.get(vm).data);
    }
    None
}

/// The bytes of an object that has them, to be written to; `None` for what is read-only too.
pub(crate) fn plain_bytes_mut<'a>(vm: &'a mut Vm, value: &'a Value) -> Option<&'a mut [u8]> {
    if let Some(array) = value.downcast::<ByteArray>() {
        return Some(&mut array.get_mut(vm).data);
    }
    if let Some(array) = value.downcast::<Array>() {
        return Some(&mut array.get_mut(vm).data);
    }
    None
}

/// A copy of the bytes of a bytes-like object; `None` for what is none.
pub(crate) fn bytes_of(vm: &mut Vm, value: &Value) -> Result<Option<Vec<u8>>> {
    if let Some(bytes) = plain_bytes(vm, value) {
        return Ok(Some(bytes.to_vec()));
    }
    match value.downcast::<MemoryView>() {
        Some(view) => memoryview::to_bytes(vm, &view.clone()).map(Some),
        None => Ok(None),
    }
}

/// A copy of the bytes of a bytes-like object; `TypeError` for what is none.
pub(crate) fn buffer(vm: &mut Vm, value: &Value) -> Result<Vec<u8>> {
    match bytes_of(vm, value)? {
        Some(bytes) => Ok(bytes),
        None => {
            let name = vm.type_name(value);
            Err(vm.type_error(format!("a bytes-like object is required, not '{name}'")))
        }
    }
}

/// Writes into a writable bytes-like object from its start: as much as fits; how much that was.
pub(crate) fn write_into(vm: &mut Vm, value: &Value, offset: usize, bytes: &[u8]) -> Result<usize> {
    if let Some(target) = plain_bytes_mut(vm, value) {
        let target = target.get_mut(offset..).unwrap_or_default();
        let count = target.len().min(bytes.len());
        target[..count].copy_from_slice(&bytes[..count]);
        return Ok(count);
    }
    match value.downcast::<MemoryView>() {
        Some(view) => memoryview::write_into(vm, &view.clone(), offset, bytes),
        None => {
            let name = vm.type_name(value);
            Err(vm.type_error(format!("read-write bytes-like object expected, not {name}")))
        }
    }
}

/// How many bytes a writable bytes-like object has; `TypeError` (with these words) for what is none.
pub(crate) fn writable_length(vm: &mut Vm, value: &Value, function: &str) -> Result<usize> {
    if let Some(bytes) = plain_bytes_mut(vm, value) {
        return Ok(bytes.len());
    }
    if let Some(view) = value.downcast::<MemoryView>() {
        let view = view.get(vm);
        if !view.is_read_only() {
            return Ok(view.n_bytes());
        }
    }
    let name = vm.type_name(value);
    Err(vm.type_error(format!("{function} must be read-write bytes-like object, not {name}")))
}

/// Bytes of an item with this letter, in native order and size; `None` for an unknown letter.
pub(crate) fn item_size(letter: u8) -> Option<usize> {
    Some(match letter {
        b'b' | b'B' | b'c' | b'?' => 1,
        b'h' | b'H' | b'e' => 2,
        b'i' | b'I' | b'f' => 4,
        b'l' | b'L' => size_of::<std::ffi::c_long>(),
        b'q' | b'Q' | b'n' | b'N' | b'P' | b'd' => 8,
        _ => return None,
    })
}

/// An item's value. The bytes are as many as the letter's size says (in whatever mode it was asked for).
pub(crate) fn read_item(vm: &Vm, letter: u8, bytes: &[u8], little: bool) -> Value {
    match letter {
        b'c' => vm.new_bytes(bytes.to_vec()),
        b'?' => Value::from_bool(bytes.iter().any(|&byte| byte != 0)),
        b'e' | b'f' | b'd' => vm.new_float(read_float(bytes, little)),
        b'b' | b'h' | b'i' | b'l' | b'q' | b'n' => vm.new_big(Int::from_bytes(bytes, little, true)),
        _ => vm.new_big(Int::from_bytes(bytes, little, false)),
    }
}

/// A float of 2, 4 or 8 bytes.
pub(crate) fn read_float(bytes: &[u8], little: bool) -> f64 {
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(0..bytes.len()) {
        *to = bytes[if little { from } else { bytes.len() - 1 - from }];
    }
    let bits = u64::from_le_bytes(word);
    match bytes.len() {
        2 => half_to_float(bits as u16),
        4 => f64::from(f32::from_bits(bits as u32)),
        _ => f64::from_bits(bits),
    }
}

fn half_to_float(bits: u16) -> f64 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f64::from(bits & 0x3ff);
    sign * match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => return f64::NAN.copysign(sign),
        _ => (fraction + 1024.0) * 2_f64.powi(exponent - 25),
    }
}

/// The bits of the half-precision float nearest to `value`; `None` past the largest.
fn float_to_half(value: f64) -> Option<u16> {
    let sign = if value.is_sign_negative() { 0x8000 } else { 0 };
    let magnitude = value.abs();
    if value.is_nan() {
        return Some(sign | 0x7e00);
    }
    if magnitude.is_infinite() {
        return Some(sign | 0x7c00);
    }
    // The unit of the last place is 2 ** -24 for subnormals, and 2 ** (exponent - 10) above them.
    let exponent = if magnitude < 2_f64.powi(-14) { -14 } else { (magnitude.to_bits() >> 52) as i32 - 1023 };
    if exponent > 15 {
        return None;
    }
    let units = (magnitude / 2_f64.powi(exponent - 10)).round_ties_even() as u32;
    // A carry out of the fraction lands in the exponent, which is what it means.
    let bits = if exponent == -14 { units } else { ((exponent + 14) as u32) * 1024 + units };
    (bits < 0x7c00).then_some(sign | bits as u16)
}

/// Why a value is not written as an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ItemError {
    /// The value has the wrong type.
    Type,
    /// The value is out of the letter's range.
    Range,
}

/// A float's bytes; `None` past the largest of the size.
pub(crate) fn float_bytes(value: f64, size: usize, little: bool) -> Option<Vec<u8>> {
    let mut bytes = match size {
        2 => float_to_half(value)?.to_le_bytes().to_vec(),
        4 => {
            let single = value as f32;
            if single.is_infinite() && value.is_finite() {
                return None;
            }
            single.to_le_bytes().to_vec()
        }
        _ => value.to_le_bytes().to_vec(),
    };
    if !little {
        bytes.reverse();
    }
    Some(bytes)
}

/// The bytes of a value as an item of `size` bytes.
pub(crate) fn item_bytes(vm: &mut Vm, letter: u8, value: &Value, size: usize, little: bool) -> Result<std::result::Result<Vec<u8>, ItemError>> {
    Ok(match letter {
        b'?' => Ok(vec![u8::from(vm.is_true(value)?)]),
        b'c' => match value.downcast::<Bytes>().map(|bytes| bytes.get(vm).data.to_vec()) {
            Some(bytes) if bytes.len() == 1 => Ok(bytes),
            Some(_) => Err(ItemError::Range),
            None => Err(ItemError::Type),
        },
        b'e' | b'f' | b'd' => {
            let number = match float_of(vm, value) {
                Some(number) => number,
                None => {
                    let slots = vm.type_of(value).get(vm).slots;
                    if slots.float.is_none() && slots.index.is_none() {
                        return Ok(Err(ItemError::Type));
                    }
                    vm.float(value)?
                }
            };
            float_bytes(number, size, little).ok_or(ItemError::Range)
        }
        _ => {
            let int = match int_of(vm, value) {
                Some(int) => int,
                None if super::index::is_index(vm, value) => vm.index(value)?,
                None => return Ok(Err(ItemError::Type)),
            };
            let signed = matches!(letter, b'b' | b'h' | b'i' | b'l' | b'q' | b'n');
            int.as_ref().to_bytes(size, little, signed).map_err(|_| ItemError::Range)
        }
    })
}
