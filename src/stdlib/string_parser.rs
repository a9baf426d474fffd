//! `_string`: the parser of format strings, for `string.Formatter`.

use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, NativeModule, native};
use crate::object::type_object::{Slots, TypeSpec};
use crate::object::types::format_string::format_string_error;
use crate::object::types::str::Str;
use crate::object::types::str_methods::text;
use crate::object::value::Value;
use crate::object::word::Word;
use crate::text::str_format::{Accessor, First, Piece, Pieces, split_name};
use crate::vm::{Result, Vm};

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "_string",
    doc: "string helper module",
    functions: &[native("formatter_parser(string, /)", formatter_parser), native("formatter_field_name_split(string, /)", field_name_split)],
    types: &[],
    init: None,
};

/// The payload of the two iterators: the answers, computed at once.
pub(crate) struct Answers {
    rows: std::vec::IntoIter<Value>,
    /// What is wrong after them.
    failure: Option<crate::text::str_format::FormatStringError>,
}

impl Payload for Answers {
    const LAYOUT: Layout = Layout::FormatAnswers;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        for row in self.rows.as_slice() {
            visit(row.word());
        }
    }
    fn clear(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        drop(rows);
    }
}

static PARSER: TypeSpec = TypeSpec {
    name: "formatteriterator",
    layout: Layout::FormatAnswers,
    slots: Slots { iter: Some(|_, value| Ok(value.clone())), next: Some(next), ..Slots::NONE },
    ..TypeSpec::DEFAULT
};

static NAME_PARTS: TypeSpec = TypeSpec {
    name: "fieldnameiterator",
    layout: Layout::FormatAnswers,
    slots: Slots { iter: Some(|_, value| Ok(value.clone())), next: Some(next), ..Slots::NONE },
    ..TypeSpec::DEFAULT
};

fn next(vm: &mut Vm, value: &Value) -> Result<Option<Value>> {
    let answers = value.downcast::<Answers>().expect("the slot's own type").get_mut(vm);
    match answers.rows.next() {
        Some(row) => Ok(Some(row)),
        None => match answers.failure.take() {
            Some(error) => Err(format_string_error(vm, error)),
            None => Ok(None),
        },
    }
}

fn answers(vm: &mut Vm, spec: &'static TypeSpec, rows: Vec<Value>, failure: Option<crate::text::str_format::FormatStringError>) -> Value {
    let class = vm.native_type(spec);
    vm.alloc_for(&class, Answers { rows: rows.into_iter(), failure }).into_value()
}

fn string_argument(vm: &mut Vm, value: &Value) -> Result<crate::text::Text> {
    if !value.holds::<Str>() {
        let name = vm.type_name(value);
        return Err(vm.type_error(format!("expected str, got {name}")));
    }
    Ok(text(vm, value).clone())
}

fn formatter_parser(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let format = string_argument(vm, &args[0])?;
    let mut rows = Vec::new();
    let mut failure = None;
    // A literal and the field after it make one row; a literal alone has no field.
    let mut pending: Option<Value> = None;
    for piece in Pieces::new(format.view()) {
        match piece {
            Ok(Piece::Literal(range)) => {
                if let Some(literal) = pending.take() {
                    rows.push(vm.new_tuple(vec![literal, Value::NONE, Value::NONE, Value::NONE]));
                }
                let ends_escaped = format.view().get(range.end).is_some_and(|code| code == 0x7B || code == 0x7D)
                    && format.view().get(range.end.wrapping_sub(1)) == format.view().get(range.end);
                let literal = vm.new_str(format.slice(range.start, range.end));
                if ends_escaped {
                    rows.push(vm.new_tuple(vec![literal, Value::NONE, Value::NONE, Value::NONE]));
                } else {
                    pending = Some(literal);
                }
            }
            Ok(Piece::Field { name, conversion, spec, .. }) => {
                let literal = pending.take().unwrap_or_else(|| vm.empty_str());
                let conversion = conversion.map_or(Value::NONE, |code| vm.new_char(code));
                let (name, spec) = (format.slice(name.start, name.end), format.slice(spec.start, spec.end));
                let row = vec![literal, vm.new_str(name), vm.new_str(spec), conversion];
                rows.push(vm.new_tuple(row));
            }
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    if let Some(literal) = pending.take() {
        rows.push(vm.new_tuple(vec![literal, Value::NONE, Value::NONE, Value::NONE]));
    }
    Ok(answers(vm, &PARSER, rows, failure))
}

fn field_name_split(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let name = string_argument(vm, &args[0])?;
    let (first, accessors) = match split_name(name.view()) {
        Ok(parts) => parts,
        Err(error) => return Err(format_string_error(vm, error)),
    };
    let first = match first {
        First::Index(index) => vm.new_int(index as i64),
        First::Automatic => vm.empty_str(),
        First::Name(range) => vm.new_str(name.slice(range.start, range.end)),
    };
    let (mut rows, mut failure) = (Vec::new(), None);
    for accessor in accessors {
        let (is_attribute, key) = match accessor {
            Ok(Accessor::Attribute(range)) => (true, vm.new_str(name.slice(range.start, range.end))),
            Ok(Accessor::Index(index)) => (false, vm.new_int(index as i64)),
            Ok(Accessor::Key(range)) => (false, vm.new_str(name.slice(range.start, range.end))),
            Err(error) => {
                failure = Some(error);
                break;
            }
        };
        rows.push(vm.new_tuple(vec![Value::from_bool(is_attribute), key]));
    }
    let rest = answers(vm, &NAME_PARTS, rows, failure);
    Ok(vm.new_tuple(vec![first, rest]))
}
