//! `code`: what a script can see of compiled code.

use std::sync::Arc;

use crate::code::instruction::Comparison;
use crate::code::symbol::Symbol;
use crate::code::unit::{Position, Unit};
use crate::object::layout::Layout;
use crate::object::native::{Args, getter, native};
use crate::object::type_object::{HAS_WEAKREFS, Slots, TypeSpec, constructor};
use crate::object::types::code::Code;
use crate::object::types::object::{plain, receiver};
use crate::object::value::Value;
use crate::vm::{Result, Vm};

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "code",
    doc: "Create a code object.  Not for mere mortals.",
    layout: Layout::Code,
    flags: HAS_WEAKREFS,
    new: constructor("code(*args)", |vm, args| {
        // Code objects come from `compile`; `replace` makes others of them.
        let given = vm.tuple_items(&args[1]).len();
        if given < 16 {
            return Err(vm.type_error(format!("code expected at least 16 arguments, got {given}")));
        }
        Err(vm.type_error("code objects are made by compile()"))
    }),
    slots: Slots { repr: Some(repr), hash: Some(hash), compare: Some(compare), ..Slots::NONE },
    methods: &[
        native("co_lines(self, /)", lines),
        native("co_positions(self, /)", positions),
        native("replace(self, /, **changes)", super::code_replace::replace),
        native("__replace__(self, /, **changes)", super::code_replace::replace),
        native("_varname_from_oparg(self, /, oparg)", |vm, args| {
            let place = vm.index_i64(&args[1])?;
            let unit = unit(vm, &args[0])?;
            match usize::try_from(place).ok().and_then(|place| unit.locals.get(place)) {
                Some(name) => Ok(vm.intern(name)),
                None => Err(vm.index_error("tuple index out of range")),
            }
        }),
        native("__sizeof__(self, /)", |vm, args| {
            let code = receiver::<Code>(vm, &args[0])?.get(vm);
            Ok(Value::small((size_of::<Code>() + code.instructions.len() * 8 + code.constants.len() * 8) as i64))
        }),
    ],
    getset: &[
        getter("co_name", |vm, code| Ok(receiver::<Code>(vm, code)?.get(vm).name.clone())),
        getter("co_qualname", |vm, code| {
            let code = receiver::<Code>(vm, code)?;
            Ok(vm.code_qualname(code))
        }),
        getter("co_filename", |vm, code| Ok(receiver::<Code>(vm, code)?.get(vm).filename.clone())),
        getter("co_firstlineno", |vm, code| Ok(Value::small(i64::from(unit(vm, code)?.first_line)))),
        getter("co_argcount", |vm, code| Ok(Value::small(i64::from(unit(vm, code)?.n_positional)))),
        getter("co_posonlyargcount", |vm, code| Ok(Value::small(i64::from(unit(vm, code)?.n_positional_only)))),
        getter("co_kwonlyargcount", |vm, code| Ok(Value::small(i64::from(unit(vm, code)?.n_keyword_only)))),
        getter("co_nlocals", |vm, code| {
            let unit = unit(vm, code)?;
            Ok(Value::small(variable_names(&unit).len() as i64))
        }),
        getter("co_stacksize", |vm, code| {
            let unit = unit(vm, code)?;
            Ok(Value::small(i64::from(unit.n_registers) - unit.locals.len() as i64))
        }),
        getter("co_flags", |vm, code| {
            let bits = flags(&*unit(vm, code)?);
            let awaitable = receiver::<Code>(vm, code)?.get(vm).is_awaitable;
            Ok(Value::small(if awaitable { bits | AWAITABLE } else { bits }))
        }),
        getter("co_varnames", |vm, code| {
            let unit = unit(vm, code)?;
            Ok(names_tuple(vm, variable_names(&unit)))
        }),
        getter("co_cellvars", |vm, code| {
            let unit = unit(vm, code)?;
            Ok(names_tuple(vm, cell_names(&unit)))
        }),
        getter("co_freevars", |vm, code| {
            let unit = unit(vm, code)?;
            Ok(names_tuple(vm, unit.free.clone()))
        }),
        getter("co_names", |vm, code| {
            let unit = unit(vm, code)?;
            Ok(names_tuple(vm, site_names(&unit)))
        }),
        getter("co_consts", constants),
        getter("co_code", |vm, code| {
            let bytes: Vec<u8> = receiver::<Code>(vm, code)?.get(vm).unit.code.iter().flat_map(|word| word.0.to_le_bytes()).collect();
            Ok(vm.new_bytes(bytes))
        }),
        getter("_co_code_adaptive", |vm, code| vm.get_attr_str(code, "co_code")),
        getter("co_lnotab", line_steps),
        getter("co_linetable", |vm, _| Ok(vm.new_bytes(Vec::new()))),
        getter("co_exceptiontable", |vm, _| Ok(vm.new_bytes(Vec::new()))),
    ],
    ..TypeSpec::DEFAULT
};

fn unit(vm: &mut Vm, code: &Value) -> Result<Arc<Unit>> {
    Ok(receiver::<Code>(vm, code)?.get(vm).unit.clone())
}

fn n_parameters(unit: &Unit) -> usize {
    usize::from(unit.n_positional + unit.n_keyword_only) + usize::from(unit.flags.has_varargs) + usize::from(unit.flags.has_varkeywords)
}

/// The names of sites, each once, as `co_names` has them.
pub(super) fn site_names(unit: &Unit) -> Vec<Symbol> {
    let mut names: Vec<Symbol> = Vec::new();
    for name in unit.sites.iter() {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// The locals that inner functions see, as `co_cellvars` has them.
pub(super) fn cell_names(unit: &Unit) -> Vec<Symbol> {
    unit.locals.iter().zip(&unit.is_cell).filter(|(_, is_cell)| **is_cell).map(|(name, _)| name.clone()).collect()
}

/// Parameters and plain locals, as `co_varnames` has them.
pub(super) fn variable_names(unit: &Unit) -> Vec<Symbol> {
    let parameters = n_parameters(unit);
    let mut names: Vec<Symbol> = Vec::new();
    for (place, name) in unit.locals.iter().enumerate() {
        let is_cell = unit.is_cell.get(place).copied().unwrap_or(false);
        if (place < parameters || !is_cell) && !names.contains(name) && !name.starts_with('.') | (place < parameters) {
            names.push(name.clone());
        }
    }
    names
}

fn names_tuple(vm: &mut Vm, names: Vec<Symbol>) -> Value {
    let names: Vec<Value> = names.iter().map(|name| vm.intern_symbol(name)).collect();
    vm.new_tuple(names)
}

/// The flag in `co_flags` of a generator function whose generators may be awaited.
pub(super) const AWAITABLE: i64 = 0x100;

/// CPython's `CO_*` bits.
pub(crate) fn flags(unit: &Unit) -> i64 {
    let own = &unit.flags;
    let rows = [
        (own.is_function, 0x1 | 0x2),
        (own.has_varargs, 0x4),
        (own.has_varkeywords, 0x8),
        (own.is_nested, 0x10),
        (own.is_generator, 0x20),
        (own.is_coroutine, 0x80),
        (own.is_async_generator, 0x200),
        (own.future_annotations, 0x0100_0000),
        (own.has_docstring && own.is_function, 0x0400_0000),
    ];
    rows.into_iter().filter(|(on, _)| *on).map(|(_, bits)| bits).sum()
}

fn constants(vm: &mut Vm, code: &Value) -> Result<Value> {
    let code = receiver::<Code>(vm, code)?.clone();
    vm.complete_code(&code);
    let mut values: Vec<Value> = code.get(vm).constants.to_vec();
    let units: Vec<Arc<Unit>> = code.get(vm).unit.functions.iter().map(|site| site.unit.clone()).collect();
    for (place, unit) in units.into_iter().enumerate() {
        let known = code.get(vm).functions.get(place).and_then(|cell| cell.get().cloned());
        let inner = match known {
            Some(known) => known,
            None => {
                let made = vm.make_code(unit);
                match code.get(vm).functions.get(place) {
                    Some(cell) => cell.get_or_init(|| made).clone(),
                    None => made,
                }
            }
        };
        values.push(inner.into_value());
    }
    Ok(vm.new_tuple(values))
}

fn repr(vm: &mut Vm, value: &Value) -> Result<Value> {
    let code = receiver::<Code>(vm, value)?.get(vm);
    let text = format!(
        "<code object {} at {:#x}, file \"{}\", line {}>",
        plain(vm, &code.name),
        value.address(),
        plain(vm, &code.filename),
        code.unit.first_line
    );
    Ok(vm.new_str(text))
}

fn hash(vm: &mut Vm, value: &Value) -> Result<i64> {
    let code = receiver::<Code>(vm, value)?.get(vm);
    let (name, first_line, n_words) = (code.name.clone(), i64::from(code.unit.first_line), code.unit.code.len() as i64);
    let hash = vm.hash(&name)? ^ (first_line << 20) ^ n_words;
    Ok(if hash == -1 { -2 } else { hash })
}

fn same_units(left: &Unit, right: &Unit) -> bool {
    std::ptr::eq(left, right)
        || (left.name == right.name
            && left.qualname == right.qualname
            && left.first_line == right.first_line
            && left.n_positional == right.n_positional
            && left.n_positional_only == right.n_positional_only
            && left.n_keyword_only == right.n_keyword_only
            && left.flags == right.flags
            && left.locals == right.locals
            && left.free == right.free
            && left.sites[..] == right.sites[..]
            && left.constants[..] == right.constants[..]
            && left.code.iter().map(|word| word.0).eq(right.code.iter().map(|word| word.0))
            && left.positions.rows() == right.positions.rows()
            && left.functions.len() == right.functions.len()
            && left.functions.iter().zip(&right.functions).all(|(left, right)| same_units(&left.unit, &right.unit)))
}

fn compare(vm: &mut Vm, left: &Value, right: &Value, comparison: Comparison) -> Result<Value> {
    let (Some(left), Some(right)) = (left.downcast::<Code>(), right.downcast::<Code>()) else {
        return Ok(Value::NOT_IMPLEMENTED);
    };
    let (left, right) = (left.get(vm), right.get(vm));
    let same_name = vm.text_of(&left.name) == vm.text_of(&right.name);
    let equal = same_name && same_units(&left.unit, &right.unit);
    match comparison {
        Comparison::Equal => Ok(Value::from_bool(equal)),
        Comparison::NotEqual => Ok(Value::from_bool(!equal)),
        _ => Ok(Value::NOT_IMPLEMENTED),
    }
}

/// A number of a position: `None` for 0, which means that there is none.
fn line_value(line: u32) -> Value {
    if line == 0 { Value::NONE } else { Value::small(i64::from(line)) }
}

fn lines(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let unit = unit(vm, &args[0])?;
    let rows = unit.positions.rows();
    let mut items: Vec<Value> = Vec::new();
    let mut start: Option<(u32, u32)> = None;
    for (pc, position) in rows {
        match start {
            Some((_, line)) if line == position.line => {}
            Some((from, line)) => {
                items.push(vm.new_tuple(vec![Value::small(i64::from(from) * 2), Value::small(i64::from(*pc) * 2), line_value(line)]));
                start = Some((*pc, position.line));
            }
            None => start = Some((*pc, position.line)),
        }
    }
    if let Some((from, line)) = start {
        items.push(vm.new_tuple(vec![Value::small(i64::from(from) * 2), Value::small(unit.code.len() as i64 * 2), line_value(line)]));
    }
    let list = vm.new_list(items);
    vm.iter(&list)
}

/// The four numbers of a position, as `co_positions` gives them.
pub(crate) fn position_tuple(vm: &mut Vm, position: Position) -> Value {
    let columns = position.line != 0 && (position.end_column, position.end_line) != (0, 0);
    let column = |number: u32| if columns { Value::small(i64::from(number)) } else { Value::NONE };
    vm.new_tuple(vec![line_value(position.line), line_value(position.end_line), column(position.column), column(position.end_column)])
}

fn positions(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let unit = unit(vm, &args[0])?;
    let mut items = Vec::with_capacity(unit.code.len());
    for pc in 0..unit.code.len() {
        items.push(position_tuple(vm, unit.positions.position(pc as u32)));
    }
    let list = vm.new_list(items);
    vm.iter(&list)
}

/// `co_lnotab`, the line table of old: pairs of a step in bytes and a step in lines.
fn line_steps(vm: &mut Vm, code: &Value) -> Result<Value> {
    vm.warn(super::exception::ExceptionKind::DeprecationWarning, "co_lnotab is deprecated, use co_lines instead.")?;
    let unit = unit(vm, code)?;
    let (mut bytes, mut place, mut line) = (Vec::new(), 0, i64::from(unit.first_line));
    for (pc, position) in unit.positions.rows() {
        let (mut ahead, mut lines) = (i64::from(*pc) * BYTES_PER_INSTRUCTION - place, i64::from(position.line) - line);
        if position.line == 0 || lines == 0 {
            continue;
        }
        (place, line) = (place + ahead, line + lines);
        while ahead > 255 {
            bytes.extend([255, 0]);
            ahead -= 255;
        }
        while !(-128..=127).contains(&lines) {
            let step = lines.clamp(-128, 127);
            bytes.extend([ahead as u8, step as i8 as u8]);
            (ahead, lines) = (0, lines - step);
        }
        bytes.extend([ahead as u8, lines as i8 as u8]);
    }
    Ok(vm.new_bytes(bytes))
}

/// How many bytes `tb_lasti` counts for an instruction.
pub(crate) const BYTES_PER_INSTRUCTION: i64 = 2;
