//! The `%` operator of `str`, `bytes` and `bytearray`: formats, which `text::percent` reads, are filled with values.

use super::buffer;
use super::format_text::float_format;
use super::int_methods::{decimal_of, from_object};
use super::numeric::{float_of, int_of, is_int};
use super::str_methods::{same_or_new, text};
use crate::number::float;
use crate::object::types::bytearray::ByteArray;
use crate::object::types::bytes::Bytes;
use crate::object::types::str::Str;
use crate::object::types::tuple::Tuple;
use crate::object::value::Value;
use crate::text::format_spec::NumberParts;
use crate::text::percent::{Count, Field, Piece, Pieces, Size};
use crate::text::{Text, TextBuilder, TextTooLarge, TextView, bytes::to_latin1_text, repr};
use crate::vm::{ExceptionKind, Raised, Result, Vm};

/// `format % arguments` of a `str`.
pub(crate) fn format_text(vm: &mut Vm, format: &Value, arguments: &Value) -> Result<Value> {
    let whole = format;
    let format = text(vm, format).clone();
    let mut filling = Filling::new(vm, arguments, false);
    let mut out = TextBuilder::new();
    for piece in Pieces::new(format.view()) {
        vm.poll_after(1)?;
        match piece.map_err(|error| vm.value_error(error.to_string()))? {
            Piece::Literal(range) => out.push_view(format.view().slice(range.start, range.end)),
            Piece::Percent => out.push_char('%'),
            Piece::Field(field) => {
                let key = field.key.clone().map(|range| vm.new_str(format.slice(range.start, range.end)));
                filling.field(vm, &mut out, &field, key)?;
            }
        }
    }
    filling.finish(vm, "not all arguments converted during string formatting")?;
    let known = match filling.positional.as_slice() {
        [] => Some(whole),
        [only] => Some(only),
        _ => None,
    };
    Ok(same_or_new(vm, known, out.finish()))
}

/// `format % arguments` of bytes.
pub(crate) fn format_bytes(vm: &mut Vm, format: &[u8], arguments: &Value) -> Result<Vec<u8>> {
    let mut filling = Filling::new(vm, arguments, true);
    let mut out = Vec::new();
    for piece in Pieces::new(TextView::Ascii(format)) {
        vm.poll_after(1)?;
        match piece.map_err(|error| vm.value_error(error.to_string()))? {
            Piece::Literal(range) => out.extend_from_slice(&format[range]),
            Piece::Percent => out.push(b'%'),
            Piece::Field(field) => {
                let key = field.key.clone().map(|range| vm.new_bytes(format[range].to_vec()));
                let mut laid_out = TextBuilder::new();
                filling.field(vm, &mut laid_out, &field, key)?;
                // Bytes went in as the code points of the same number.
                out.extend(laid_out.finish().codes().map(|code| code as u8));
            }
        }
    }
    filling.finish(vm, "not all arguments converted during bytes formatting")?;
    Ok(out)
}

/// The arguments, and how far they are used.
struct Filling {
    /// All of them, for a tuple; otherwise the one.
    positional: Vec<Value>,
    next: usize,
    /// What keys are looked up in, if it can be.
    mapping: Option<Value>,
    keys_used: bool,
    of_bytes: bool,
}

impl Filling {
    fn new(vm: &mut Vm, arguments: &Value, of_bytes: bool) -> Self {
        let has_items = vm.type_of(arguments).get(vm).slots.get_item.is_some();
        let is_text = if of_bytes {
            arguments.holds::<Bytes>() || arguments.holds::<ByteArray>() || arguments.holds::<Str>()
        } else {
            arguments.holds::<Str>()
        };
        let positional = match arguments.downcast::<Tuple>() {
            Some(tuple) => tuple.get(vm).items().to_vec(),
            None => vec![arguments.clone()],
        };
        let is_mapping = has_items && !is_text && !arguments.holds::<Tuple>();
        Self { positional, next: 0, mapping: is_mapping.then(|| arguments.clone()), keys_used: false, of_bytes }
    }

    fn argument(&mut self, vm: &mut Vm) -> Result<Value> {
        match self.positional.get(self.next) {
            Some(value) if !self.keys_used => {
                self.next += 1;
                Ok(value.clone())
            }
            _ => Err(vm.type_error("not enough arguments for format string")),
        }
    }

    fn count(&mut self, vm: &mut Vm, count: Count) -> Result<Option<isize>> {
        Ok(match count {
            Count::None => None,
            Count::Fixed(count) => Some(count as isize),
            Count::Argument => {
                let value = self.argument(vm)?;
                let Some(count) = int_of(vm, &value) else { return Err(vm.type_error("* wants int")) };
                match count.as_ref().to_i64() {
                    Some(count) => Some(count as isize),
                    None => {
                        return Err(vm.overflow_error("Python int too large to convert to C ssize_t"));
                    }
                }
            }
        })
    }

    fn field(&mut self, vm: &mut Vm, out: &mut TextBuilder, field: &Field, key: Option<Value>) -> Result<()> {
        let keyed = match key {
            None => None,
            Some(key) => {
                let Some(mapping) = self.mapping.clone() else {
                    return Err(vm.type_error("format requires a mapping"));
                };
                self.keys_used = true;
                Some(vm.get_item(&mapping, &key)?)
            }
        };
        if let Some(value) = &keyed {
            // A `*` after a key takes from the value itself, as a single argument.
            self.positional = vec![value.clone()];
            self.next = 0;
            self.keys_used = false;
        }
        let width = self.count(vm, field.width)?;
        let precision = self.count(vm, field.precision)?;
        if precision.is_some_and(|precision| i32::try_from(precision).is_err()) {
            return Err(vm.overflow_error("Python int too large to convert to C int"));
        }
        let size = Size::new(width, precision);
        let value = self.argument(vm)?;
        if keyed.is_some() {
            self.keys_used = true;
        }
        vm.charge(size.width.saturating_add(size.precision.unwrap_or(0)))?;
        let laid_out = match char::from_u32(field.conversion) {
            Some('d' | 'i' | 'u' | 'x' | 'X' | 'o') => self.integer(vm, out, field, size, &value)?,
            Some('e' | 'E' | 'f' | 'F' | 'g' | 'G') => real(vm, out, field, size, &value, self.of_bytes)?,
            Some('c') => {
                let char = if self.of_bytes { byte_argument(vm, &value)? } else { char_argument(vm, &value)? };
                field.text(out, Text::from_code(char).view(), size)
            }
            Some(letter @ ('s' | 'r' | 'a' | 'b')) if letter != 'b' || self.of_bytes => {
                let shown = self.shown(vm, letter, &value)?;
                field.text(out, shown.view(), size)
            }
            _ => {
                let message = field.unsupported();
                return Err(vm.value_error(message.to_utf8_lossy()));
            }
        };
        laid_out.map_err(|TextTooLarge| vm.memory_error())
    }

    /// What `%s`, `%r`, `%a` and `%b` show.
    fn shown(&self, vm: &mut Vm, letter: char, value: &Value) -> Result<Text> {
        if self.of_bytes {
            if matches!(letter, 's' | 'b') {
                return Ok(to_latin1_text(&bytes_argument(vm, value)?));
            }
            let shown = vm.repr_text(value)?;
            return Ok(ascii_only(&shown));
        }
        match letter {
            's' => vm.str_text(value),
            'r' => vm.repr_text(value),
            _ => {
                let shown = vm.repr_text(value)?;
                Ok(ascii_only(&shown))
            }
        }
    }

    fn integer(&self, vm: &mut Vm, out: &mut TextBuilder, field: &Field, size: Size, value: &Value) -> Result<std::result::Result<(), TextTooLarge>> {
        let letter = char::from_u32(field.conversion).unwrap_or('d');
        let decimal = matches!(letter, 'd' | 'i' | 'u');
        let number = if is_int(value) { Ok(value.clone()) } else { self.to_integer(vm, value, decimal, letter) }?;
        let int = int_of(vm, &number).expect("just made an int");
        let digits = match letter {
            'o' => int.as_ref().to_power_of_two_base(8),
            'x' => int.as_ref().to_power_of_two_base(16),
            'X' => int.as_ref().to_power_of_two_base(16).to_uppercase(),
            _ => decimal_of(vm, &int)?,
        };
        let (negative, digits) = match digits.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, digits.as_str()),
        };
        let prefix = match letter {
            'o' if field.alternate => "0o",
            'x' if field.alternate => "0x",
            'X' if field.alternate => "0X",
            _ => "",
        };
        Ok(field.number(out, NumberParts { negative, prefix, digits, rest: "" }, size, true))
    }

    fn to_integer(&self, vm: &mut Vm, value: &Value, decimal: bool, letter: char) -> Result<Value> {
        let slots = vm.type_of(value).get(vm).slots;
        let made = if decimal && (slots.int.is_some() || slots.index.is_some()) {
            from_object(vm, value)
        } else if !decimal && slots.index.is_some() {
            vm.index(value).map(|int| vm.new_big(int))
        } else {
            return Err(self.not_a_number(vm, value, decimal, letter));
        };
        match made {
            Err(_) if vm.clear_if(ExceptionKind::TypeError) => Err(self.not_a_number(vm, value, decimal, letter)),
            made => made,
        }
    }

    fn not_a_number(&self, vm: &mut Vm, value: &Value, decimal: bool, letter: char) -> Raised {
        let name = vm.type_name(value);
        let wanted = if decimal { "a real number" } else { "an integer" };
        vm.type_error(format!("%{letter} format: {wanted} is required, not {name}"))
    }

    fn finish(&self, vm: &mut Vm, message: &str) -> Result<()> {
        if self.mapping.is_none() && self.next < self.positional.len() {
            return Err(vm.type_error(message));
        }
        Ok(())
    }
}

fn ascii_only(shown: &Text) -> Text {
    if shown.is_ascii() {
        return shown.clone();
    }
    let mut out = TextBuilder::new();
    for code in shown.codes() {
        if code < 0x80 { out.push_code(code) } else { repr::push_escape(&mut out, code) }
    }
    out.finish()
}

fn real(
    vm: &mut Vm,
    out: &mut TextBuilder,
    field: &Field,
    size: Size,
    value: &Value,
    of_bytes: bool,
) -> Result<std::result::Result<(), TextTooLarge>> {
    let number = match float_of(vm, value) {
        Some(number) => number,
        None => match vm.float(value) {
            Ok(number) => number,
            Err(raised) if of_bytes && vm.clear_if(ExceptionKind::TypeError) => {
                let _ = raised;
                let name = vm.type_name(value);
                return Err(vm.type_error(format!("float argument required, not {name}")));
            }
            Err(raised) => return Err(raised),
        },
    };
    let precision = Some(size.precision.unwrap_or(6));
    let format = float_format(field.conversion as u8, precision, field.alternate, false);
    let shown = float::format(number, &format).to_text();
    Ok(field.number(out, NumberParts::of_float(&shown), size, false))
}

fn char_argument(vm: &mut Vm, value: &Value) -> Result<u32> {
    if value.holds::<Str>() {
        let text = text(vm, value);
        if text.len() == 1 {
            return Ok(text.get(0));
        }
        return Err(vm.type_error("%c requires int or char"));
    }
    if !super::index::is_index(vm, value) {
        return Err(vm.type_error("%c requires int or char"));
    }
    match vm.index(value)?.as_ref().to_i64() {
        Some(code @ 0..=0x10_FFFF) => Ok(code as u32),
        _ => Err(vm.overflow_error("%c arg not in range(0x110000)")),
    }
}

fn byte_argument(vm: &mut Vm, value: &Value) -> Result<u32> {
    if value.holds::<Bytes>() || value.holds::<ByteArray>() {
        let bytes = buffer::buffer(vm, value)?;
        if let [byte] = bytes.as_slice() {
            return Ok(u32::from(*byte));
        }
        return Err(vm.type_error("%c requires an integer in range(256) or a single byte"));
    }
    if !super::index::is_index(vm, value) {
        return Err(vm.type_error("%c requires an integer in range(256) or a single byte"));
    }
    match vm.index(value)?.as_ref().to_i64() {
        Some(byte @ 0..=255) => Ok(byte as u32),
        _ => Err(vm.overflow_error("%c arg not in range(256)")),
    }
}

/// What `%b` takes: bytes-like objects, and those with `__bytes__`.
fn bytes_argument(vm: &mut Vm, value: &Value) -> Result<Vec<u8>> {
    if let Some(bytes) = buffer::bytes_of(vm, value)? {
        return Ok(bytes);
    }
    if let Some(hook) = vm.find_special(value, "__bytes__")? {
        let made = vm.call(&hook, &[])?;
        return match made.downcast::<Bytes>() {
            Some(bytes) => Ok(bytes.get(vm).data.to_vec()),
            None => {
                let name = vm.type_name(&made);
                Err(vm.type_error(format!("__bytes__ returned non-bytes (type {name})")))
            }
        };
    }
    let name = vm.type_name(value);
    Err(vm.type_error(format!("%b requires a bytes-like object, or an object that implements __bytes__, not '{name}'")))
}
