//! The packing language of Python's `struct`: formats as text, and values to and from bytes.

use std::ffi::{c_int, c_long, c_longlong, c_short};

use thiserror::Error;

use super::float;
use super::int::{Int, IntRef};

/// What is wrong with a format or a value, in CPython's words. All are `struct.error` but [`FloatTooLarge`](Self::FloatTooLarge).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum StructError {
    /// A letter that no type has, or none in this byte order.
    #[error("bad char in struct format")]
    BadChar,
    /// A number at the end of the format.
    #[error("repeat count given without format specifier")]
    CountWithoutType,
    /// A zero byte in the format.
    #[error("embedded null character")]
    NullCharacter,
    /// More than an address space holds.
    #[error("total struct size too long")]
    TooLong,
    /// An integer was needed.
    #[error("required argument is not an integer")]
    NotInt,
    /// A float was needed.
    #[error("required argument is not a float")]
    NotFloat,
    /// `c` needs one byte.
    #[error("char format requires a bytes object of length 1")]
    NotChar,
    /// `s` and `p` need bytes.
    #[error("argument for '{0}' must be a bytes object")]
    NotBytes(char),
    /// An integer does not fit its type.
    #[error("'{letter}' format requires {min} <= number <= {max}")]
    IntRange {
        /// The type's letter.
        letter: char,
        /// The smallest number it holds.
        min: i64,
        /// The largest number it holds.
        max: u64,
    },
    /// A pointer's number does not fit.
    #[error("int too large to convert")]
    PointerRange,
    /// `OverflowError`: a float is past the largest of its type.
    #[error("float too large to pack with {0} format")]
    FloatTooLarge(char),
    /// The number of values differs from the format's.
    #[error("{function} expected {expected} items for packing (got {given})")]
    ItemCount {
        /// `pack` or `pack_into`.
        function: &'static str,
        /// How many the format has.
        expected: usize,
        /// How many were given.
        given: usize,
    },
    /// The buffer has not the format's size.
    #[error("unpack requires a buffer of {0} bytes")]
    BufferSize(usize),
    /// The buffer is no whole number of the format's sizes.
    #[error("iterative unpacking requires a buffer of a multiple of {0} bytes")]
    BufferMultiple(usize),
    /// An empty format has no end.
    #[error("cannot iteratively unpack with a struct of length 0")]
    EmptyIteration,
    /// A negative offset that reaches before the buffer.
    #[error("offset {offset} out of range for {length}-byte buffer")]
    OffsetRange {
        /// The offset.
        offset: i64,
        /// The buffer's length.
        length: usize,
    },
    /// A negative offset too close to the end to read.
    #[error("not enough data to unpack {size} bytes at offset {offset}")]
    NotEnoughData {
        /// The format's size.
        size: usize,
        /// The offset.
        offset: i64,
    },
    /// A negative offset too close to the end to write.
    #[error("no space to pack {size} bytes at offset {offset}")]
    NoSpace {
        /// The format's size.
        size: usize,
        /// The offset.
        offset: i64,
    },
    /// The buffer ends before the format does.
    #[error(
        "{function} requires a buffer of at least {needed} bytes for {verb} {size} bytes at offset {offset} \
         (actual buffer size is {length})"
    )]
    BufferTooSmall {
        /// `unpack_from` or `pack_into`.
        function: &'static str,
        /// `unpacking` or `packing`.
        verb: &'static str,
        /// Bytes needed from the buffer's start.
        needed: u64,
        /// The format's size.
        size: usize,
        /// The offset.
        offset: i64,
        /// The buffer's length.
        length: usize,
    },
}

/// What a value's bytes mean, and so what kind of value is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `c`: one byte.
    Char,
    /// `?`: the truth of any value.
    Bool,
    /// A signed integer.
    Signed,
    /// An unsigned integer.
    Unsigned,
    /// `P`: an unsigned integer that also takes negative ones.
    Pointer,
    /// `e`, `f`, `d`.
    Float,
    /// `s`: bytes cut or filled with zeros.
    Bytes,
    /// `p`: bytes behind their length.
    Pascal,
}

/// Some values of one type in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    kind: Kind,
    letter: u8,
    /// Bytes from the struct's start.
    offset: usize,
    /// Bytes of one value.
    size: usize,
    /// Values in a row.
    count: usize,
}

/// A format, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Format {
    fields: Vec<Field>,
    size: usize,
    n_values: usize,
    little: bool,
    native: bool,
}

/// The place of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// What its bytes mean.
    pub(crate) kind: Kind,
    letter: u8,
    offset: usize,
    size: usize,
    little: bool,
    native: bool,
}

/// A value to pack: what the slot's [`Kind`] asks for.
#[derive(Clone, Copy)]
pub(crate) enum Packed<'a> {
    /// For integers and pointers.
    Int(IntRef<'a>),
    /// For floats.
    Float(f64),
    /// For `?`.
    Bool(bool),
    /// For `c`, `s` and `p`.
    Bytes(&'a [u8]),
}

/// An unpacked value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Unpacked<'a> {
    /// From integers and pointers.
    Int(Int),
    /// From floats.
    Float(f64),
    /// From `?`.
    Bool(bool),
    /// From `c`, `s` and `p`.
    Bytes(&'a [u8]),
}

impl Format {
    /// Reads a format.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, StructError> {
        if text.contains(&0) {
            return Err(StructError::NullCharacter);
        }
        let machine = cfg!(target_endian = "little");
        let (native, little, text) = match text {
            [b'=', rest @ ..] => (false, machine, rest),
            [b'<', rest @ ..] => (false, true, rest),
            [b'>' | b'!', rest @ ..] => (false, false, rest),
            [b'@', rest @ ..] | rest => (true, machine, rest),
        };
        let mut format = Self { fields: Vec::new(), size: 0, n_values: 0, little, native };
        let mut letters = text.iter().copied().peekable();
        while let Some(byte) = letters.next() {
            if matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c) {
                continue;
            }
            let (letter, count) = if byte.is_ascii_digit() {
                let mut count = usize::from(byte - b'0');
                while let Some(digit) = letters.next_if(u8::is_ascii_digit) {
                    count = count
                        .checked_mul(10)
                        .and_then(|count| count.checked_add(usize::from(digit - b'0')))
                        .filter(|&count| isize::try_from(count).is_ok())
                        .ok_or(StructError::TooLong)?;
                }
                (letters.next().ok_or(StructError::CountWithoutType)?, count)
            } else {
                (byte, 1)
            };
            format.push(letter, count)?;
        }
        Ok(format)
    }

    fn push(&mut self, letter: u8, count: usize) -> Result<(), StructError> {
        let grown = |size: usize, by: usize| size.checked_add(by).filter(|&size| isize::try_from(size).is_ok()).ok_or(StructError::TooLong);
        let (kind, standard, native) = match letter {
            b'x' => {
                self.size = grown(self.size, count)?;
                return Ok(());
            }
            b's' | b'p' => {
                let kind = if letter == b's' { Kind::Bytes } else { Kind::Pascal };
                self.fields.push(Field { kind, letter, offset: self.size, size: count, count: 1 });
                self.size = grown(self.size, count)?;
                self.n_values += 1;
                return Ok(());
            }
            b'c' => (Kind::Char, 1, 1),
            b'?' => (Kind::Bool, 1, 1),
            b'b' => (Kind::Signed, 1, 1),
            b'B' => (Kind::Unsigned, 1, 1),
            b'h' => (Kind::Signed, 2, size_of::<c_short>()),
            b'H' => (Kind::Unsigned, 2, size_of::<c_short>()),
            b'i' => (Kind::Signed, 4, size_of::<c_int>()),
            b'I' => (Kind::Unsigned, 4, size_of::<c_int>()),
            b'l' => (Kind::Signed, 4, size_of::<c_long>()),
            b'L' => (Kind::Unsigned, 4, size_of::<c_long>()),
            b'q' => (Kind::Signed, 8, size_of::<c_longlong>()),
            b'Q' => (Kind::Unsigned, 8, size_of::<c_longlong>()),
            b'n' if self.native => (Kind::Signed, 0, size_of::<isize>()),
            b'N' if self.native => (Kind::Unsigned, 0, size_of::<usize>()),
            b'P' if self.native => (Kind::Pointer, 0, size_of::<usize>()),
            b'e' => (Kind::Float, 2, 2),
            b'f' => (Kind::Float, 4, 4),
            b'd' => (Kind::Float, 8, 8),
            _ => return Err(StructError::BadChar),
        };
        let size = if self.native { native } else { standard };
        if self.native {
            // Every native type is aligned to its size.
            let padding = self.size.next_multiple_of(size) - self.size;
            self.size = grown(self.size, padding)?;
        }
        if count > 0 {
            self.fields.push(Field { kind, letter, offset: self.size, size, count });
        }
        self.size = grown(self.size, count.checked_mul(size).ok_or(StructError::TooLong)?)?;
        self.n_values += count;
        Ok(())
    }

    /// Bytes of the whole.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The places of its values in order.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        self.fields.iter().flat_map(|field| {
            (0..field.count).map(|index| Slot {
                kind: field.kind,
                letter: field.letter,
                offset: field.offset + index * field.size,
                size: field.size,
                little: self.little,
                native: self.native,
            })
        })
    }

    /// Fails unless `given` values fit the format; `function` is `pack` or `pack_into`.
    pub(crate) fn check_count(&self, function: &'static str, given: usize) -> Result<(), StructError> {
        if given == self.n_values {
            return Ok(());
        }
        Err(StructError::ItemCount { function, expected: self.n_values, given })
    }

    /// Where in a buffer of `length` bytes an `offset` (counted from the end when negative) leaves room for the whole.
    pub(crate) fn start(&self, offset: i64, length: usize, packing: bool) -> Result<usize, StructError> {
        let size = self.size;
        let start = if offset < 0 {
            let from_end = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
            if from_end < size {
                return Err(if packing { StructError::NoSpace { size, offset } } else { StructError::NotEnoughData { size, offset } });
            }
            length.checked_sub(from_end).ok_or(StructError::OffsetRange { offset, length })?
        } else {
            usize::try_from(offset).unwrap_or(usize::MAX)
        };
        if length.checked_sub(start).is_none_or(|rest| rest < size) {
            let (function, verb) = if packing { ("pack_into", "packing") } else { ("unpack_from", "unpacking") };
            let needed = (size as u64).saturating_add(start as u64);
            return Err(StructError::BufferTooSmall { function, verb, needed, size, offset: start as i64, length });
        }
        Ok(start)
    }
}

impl Slot {
    /// Writes a value; `bytes` are the whole struct's, zero where nothing was written.
    pub(crate) fn pack(&self, value: Packed<'_>, bytes: &mut [u8]) -> Result<(), StructError> {
        let target = &mut bytes[self.offset..][..self.size];
        match (self.kind, value) {
            (Kind::Signed | Kind::Unsigned | Kind::Pointer, Packed::Int(value)) => self.pack_int(value, target),
            (Kind::Float, Packed::Float(value)) => self.pack_float(value, target),
            (Kind::Bool, Packed::Bool(value)) => {
                target[0] = u8::from(value);
                Ok(())
            }
            (Kind::Char, Packed::Bytes(&[byte])) => {
                target[0] = byte;
                Ok(())
            }
            (Kind::Bytes, Packed::Bytes(value)) => {
                let length = value.len().min(self.size);
                target[..length].copy_from_slice(&value[..length]);
                target[length..].fill(0);
                Ok(())
            }
            (Kind::Pascal, Packed::Bytes(value)) => {
                if let Some((first, rest)) = target.split_first_mut() {
                    let length = value.len().min(rest.len());
                    *first = length.min(255) as u8;
                    rest[..length].copy_from_slice(&value[..length]);
                    rest[length..].fill(0);
                }
                Ok(())
            }
            _ => Err(self.wrong_type()),
        }
    }

    /// The error for a value of another kind.
    pub(crate) fn wrong_type(&self) -> StructError {
        match self.kind {
            Kind::Char => StructError::NotChar,
            Kind::Bool | Kind::Signed | Kind::Unsigned | Kind::Pointer => StructError::NotInt,
            Kind::Float => StructError::NotFloat,
            Kind::Bytes | Kind::Pascal => StructError::NotBytes(char::from(self.letter)),
        }
    }

    fn pack_int(&self, value: IntRef<'_>, target: &mut [u8]) -> Result<(), StructError> {
        let bits = 8 * self.size as u32;
        let letter = char::from(self.letter);
        let raw = match self.kind {
            Kind::Signed => {
                let (min, max) = (i64::MIN >> (64 - bits), i64::MAX >> (64 - bits));
                let value = value.to_i64().filter(|value| (min..=max).contains(value));
                value.ok_or(StructError::IntRange { letter, min, max: max as u64 })? as u64
            }
            Kind::Unsigned => {
                let max = u64::MAX >> (64 - bits);
                let value = value.to_u64().filter(|&value| value <= max);
                value.ok_or(StructError::IntRange { letter, min: 0, max })?
            }
            _ => value.to_u64().or_else(|| value.to_i64().map(|value| value as u64)).ok_or(StructError::PointerRange)?,
        };
        self.put(raw, target);
        Ok(())
    }

    fn pack_float(&self, value: f64, target: &mut [u8]) -> Result<(), StructError> {
        let raw = match self.size {
            2 => u64::from(half_from_f64(value).ok_or(StructError::FloatTooLarge('e'))?),
            4 => {
                let single = value as f32;
                if single.is_infinite() && value.is_finite() && !self.native {
                    return Err(StructError::FloatTooLarge('f'));
                }
                u64::from(single.to_bits())
            }
            _ => value.to_bits(),
        };
        self.put(raw, target);
        Ok(())
    }

    fn put(&self, raw: u64, target: &mut [u8]) {
        let bytes = raw.to_le_bytes();
        target.copy_from_slice(&bytes[..self.size]);
        if !self.little {
            target.reverse();
        }
    }

    /// Reads the value; `bytes` are the whole struct's.
    pub(crate) fn unpack<'a>(&self, bytes: &'a [u8]) -> Unpacked<'a> {
        let source = &bytes[self.offset..][..self.size];
        match self.kind {
            Kind::Char | Kind::Bytes => Unpacked::Bytes(source),
            Kind::Bool => Unpacked::Bool(source[0] != 0),
            Kind::Pascal => Unpacked::Bytes(match source {
                [] => &[],
                [length, rest @ ..] => &rest[..usize::from(*length).min(rest.len())],
            }),
            Kind::Signed => {
                let unused = 64 - 8 * self.size as u32;
                Unpacked::Int(Int::from(((self.get(source) << unused) as i64) >> unused))
            }
            Kind::Unsigned | Kind::Pointer => Unpacked::Int(Int::from(self.get(source))),
            Kind::Float => Unpacked::Float(match self.size {
                2 => half_to_f64(self.get(source) as u16),
                4 => f64::from(f32::from_bits(self.get(source) as u32)),
                _ => f64::from_bits(self.get(source)),
            }),
        }
    }

    fn get(&self, source: &[u8]) -> u64 {
        let push = |raw: u64, &byte: &u8| raw << 8 | u64::from(byte);
        if self.little { source.iter().rev().fold(0, push) } else { source.iter().fold(0, push) }
    }
}

/// The bits of the nearest IEEE 754 half float, ties to even. `None` past the largest.
fn half_from_f64(value: f64) -> Option<u16> {
    let sign = u16::from(value.is_sign_negative()) << 15;
    if value.is_nan() {
        return Some(sign | 0x7e00);
    }
    if value.is_infinite() {
        return Some(sign | 0x7c00);
    }
    let (mantissa, exponent) = float::decompose(value);
    let bits = 64 - i64::from(mantissa.leading_zeros());
    let lowest = (bits + exponent - 11).max(-24);
    let shift = lowest - exponent;
    if lowest > 5 {
        return None;
    }
    // A half has fewer bits than any float's mantissa has above its lowest, so `shift` is positive.
    let rounded = if mantissa == 0 || shift > 63 {
        0
    } else {
        let (whole, rest, half) = (mantissa >> shift, mantissa & ((1 << shift) - 1), 1_u64 << (shift - 1));
        whole + u64::from(rest > half || (rest == half && whole & 1 == 1))
    };
    let biased = if rounded >> 10 == 0 { 0 } else { (lowest + 24) as u64 };
    let magnitude = (biased << 10) + rounded;
    (magnitude < 0x7c00).then_some(sign | magnitude as u16)
}

fn half_to_f64(bits: u16) -> f64 {
    let (exponent, fraction) = (i64::from(bits >> 10 & 0x1f), u64::from(bits & 0x3ff));
    let negative = bits >> 15 == 1;
    match exponent {
        31 if fraction == 0 => f64::INFINITY.copysign(if negative { -1.0 } else { 1.0 }),
        31 => f64::NAN.copysign(if negative { -1.0 } else { 1.0 }),
        0 => float::compose(negative, fraction, -24, false).expect("a half is a float"),
        _ => float::compose(negative, fraction | 1 << 10, exponent - 25, false).expect("a half is a float"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(format: &str, values: &[Packed<'_>]) -> Result<Vec<u8>, StructError> {
        let format = Format::parse(format.as_bytes())?;
        format.check_count("pack", values.len())?;
        let mut bytes = vec![0; format.size()];
        for (slot, value) in format.slots().zip(values) {
            slot.pack(*value, &mut bytes)?;
        }
        Ok(bytes)
    }

    fn int(value: i64) -> Packed<'static> {
        Packed::Int(IntRef::Small(value))
    }

    #[test]
    fn native_values_are_aligned_and_standard_ones_packed() {
        for (format, size) in [("@bq", 16), ("=bq", 9), ("bxh", 4), ("b0i", 4), ("bi0q", 8), ("3s2x0p", 5), ("i i\n", 8)] {
            assert_eq!(Format::parse(format.as_bytes()).map(|format| format.size()), Ok(size), "{format}");
        }
    }

    #[test]
    fn values_go_to_bytes_in_the_format_s_order() {
        assert_eq!(pack(">hB", &[int(-2), int(200)]), Ok(vec![0xff, 0xfe, 200]));
        assert_eq!(pack("<I", &[int(0x0102_0304)]), Ok(vec![4, 3, 2, 1]));
        assert_eq!(pack("3p", &[Packed::Bytes(b"abcdef")]), Ok(b"\x02ab".to_vec()));
        assert_eq!(pack("4s", &[Packed::Bytes(b"ab")]), Ok(b"ab\0\0".to_vec()));
        assert_eq!(pack("<e", &[Packed::Float(65519.9)]), Ok(vec![0xff, 0x7b]));
        assert_eq!(pack("<e", &[Packed::Float(-0.0)]), Ok(vec![0, 0x80]));
        let format = Format::parse(b"<e").expect("the format is right");
        let half = |bytes: &[u8]| format.slots().next().map(|slot| slot.unpack(bytes) == Unpacked::Float(2.0_f64.powi(-24)));
        assert_eq!(half(&[1, 0]), Some(true));
    }

    #[test]
    fn errors_say_what_python_says() {
        let text = |result: Result<Vec<u8>, StructError>| result.expect_err("it is wrong").to_string();
        assert_eq!(text(pack("<n", &[])), "bad char in struct format");
        assert_eq!(text(pack("3", &[])), "repeat count given without format specifier");
        assert_eq!(text(pack("99999999999999999999i", &[])), "total struct size too long");
        assert_eq!(text(pack("ii", &[int(1)])), "pack expected 2 items for packing (got 1)");
        assert_eq!(text(pack("b", &[int(128)])), "'b' format requires -128 <= number <= 127");
        assert_eq!(text(pack("<L", &[int(-1)])), "'L' format requires 0 <= number <= 4294967295");
        assert_eq!(text(pack("i", &[Packed::Float(1.0)])), "required argument is not an integer");
        assert_eq!(text(pack("<f", &[Packed::Float(1e40)])), "float too large to pack with f format");
        let start = |offset, length, packing| Format::parse(b"ii").expect("right").start(offset, length, packing);
        assert_eq!(start(-8, 9, false), Ok(1));
        assert_eq!(
            start(100, 7, true).expect_err("too small").to_string(),
            "pack_into requires a buffer of at least 108 bytes for packing 8 bytes at offset 100 (actual buffer size is 7)"
        );
        assert_eq!(start(-3, 7, false).expect_err("too small").to_string(), "not enough data to unpack 8 bytes at offset -3");
    }
}
