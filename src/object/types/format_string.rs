//! `str.format`: the pieces of a format string, which `text::str_format` reads, are filled with values.

use super::TypeId;
use super::str_methods::{same_or_new, text};
use crate::object::value::Value;
use crate::text::str_format::{Accessor, First, FormatStringError, Numbering, Piece, Pieces, split_name, unknown_conversion};
use crate::text::{Text, TextBuilder};
use crate::vm::{Raised, Result, Vm};

struct Formatter<'a> {
    /// `None` for `format_map`.
    positional: Option<&'a [Value]>,
    named: &'a Value,
    numbering: Numbering,
}

/// The exception for a format string that is wrong.
pub(crate) fn format_string_error(vm: &mut Vm, error: FormatStringError) -> Raised {
    vm.value_error(error.to_string())
}

/// `format.format(*positional, **named)`; without `positional` it is `format_map(named)`.
pub(crate) fn format(vm: &mut Vm, format: &Value, positional: Option<&[Value]>, named: &Value) -> Result<Value> {
    let whole = format;
    let format = text(vm, format).clone();
    let mut formatter = Formatter { positional, named, numbering: Numbering::default() };
    let mut out = TextBuilder::new();
    formatter.expand(vm, &mut out, &format, 2)?;
    let known = match positional {
        Some([]) => Some(whole),
        Some([only]) => Some(only),
        _ => None,
    };
    Ok(same_or_new(vm, known, out.finish()))
}

impl Formatter<'_> {
    fn expand(&mut self, vm: &mut Vm, out: &mut TextBuilder, format: &Text, depth: u32) -> Result<()> {
        if depth == 0 {
            return Err(format_string_error(vm, FormatStringError::TooDeep));
        }
        for piece in Pieces::new(format.view()) {
            vm.poll_after(1)?;
            let piece = piece.map_err(|error| format_string_error(vm, error))?;
            let (name, conversion, spec, nested) = match piece {
                Piece::Literal(range) => {
                    out.push_view(format.view().slice(range.start, range.end));
                    continue;
                }
                Piece::Field { name, conversion, spec, nested } => (name, conversion, spec, nested),
            };
            let value = self.look_up(vm, &format.slice(name.start, name.end))?;
            let value = match conversion.map(|code| char::from_u32(code).unwrap_or('\0')) {
                None => value,
                Some('r') => vm.repr(&value)?,
                Some('s') => vm.str(&value)?,
                Some('a') => vm.ascii(&value)?,
                Some(_) => return Err(vm.value_error(unknown_conversion(conversion.unwrap_or(0)))),
            };
            let spec = format.slice(spec.start, spec.end);
            let spec = if nested {
                let mut expanded = TextBuilder::new();
                self.expand(vm, &mut expanded, &spec, depth - 1)?;
                expanded.finish()
            } else {
                spec
            };
            let formatted = if spec.is_empty() && vm.is_exact(&value, TypeId::Str) {
                value
            } else {
                let spec = vm.new_str(spec);
                vm.format(&value, &spec)?
            };
            let size = text(vm, &formatted).heap_size();
            vm.charge(size)?;
            out.push_text(text(vm, &formatted));
        }
        Ok(())
    }

    fn look_up(&mut self, vm: &mut Vm, name: &Text) -> Result<Value> {
        let (first, accessors) = split_name(name.view()).map_err(|error| format_string_error(vm, error))?;
        let first = self.numbering.number(first).map_err(|error| format_string_error(vm, error))?;
        let mut value = match first {
            First::Name(range) => {
                let key = vm.new_str(name.slice(range.start, range.end));
                vm.get_item(self.named, &key)?
            }
            First::Automatic => return Err(format_string_error(vm, FormatStringError::EmptyAttribute)),
            First::Index(index) => {
                let Some(positional) = self.positional else {
                    return Err(vm.value_error("Format string contains positional fields"));
                };
                match positional.get(index) {
                    Some(value) => value.clone(),
                    None => {
                        return Err(vm.index_error(format!("Replacement index {index} out of range for positional args tuple")));
                    }
                }
            }
        };
        for accessor in accessors {
            value = match accessor.map_err(|error| format_string_error(vm, error))? {
                Accessor::Attribute(range) => {
                    let attribute = vm.new_str(name.slice(range.start, range.end));
                    vm.get_attr(&value, &attribute)?
                }
                Accessor::Index(index) => {
                    let index = vm.new_int(index as i64);
                    vm.get_item(&value, &index)?
                }
                Accessor::Key(range) => {
                    let key = vm.new_str(name.slice(range.start, range.end));
                    vm.get_item(&value, &key)?
                }
            };
        }
        Ok(value)
    }
}
