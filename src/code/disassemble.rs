//! A unit as text: what `scrip --dis` prints. Everything follows from the table of instructions.

use std::fmt::Write;

use super::instruction::{Comparison, Conversion, Instruction, Intrinsic, OperandKind};
use super::unit::{Capture, Constant, HandlerKind, Unit};

/// The unit's instructions and tables, then those of the functions made in it.
pub(crate) fn disassemble(unit: &Unit) -> String {
    let mut text = String::new();
    write_unit(unit, &mut text);
    text
}

/// The instructions alone, one a line, jumps as `-> number of the instruction`.
pub(crate) fn instructions(unit: &Unit) -> Vec<String> {
    (0..unit.code.len()).map(|pc| instruction(unit, pc)).collect()
}

fn write_unit(unit: &Unit, text: &mut String) {
    let kind = kind(unit);
    let _ = writeln!(text, "{kind} {} ({}:{}), {} registers", unit.qualname, unit.filename, unit.first_line, unit.n_registers);
    if !unit.locals.is_empty() {
        let locals = unit.locals.iter().zip(&unit.is_cell).enumerate();
        let locals = locals.map(|(index, (name, is_cell))| format!("r{index}={name}{}", if *is_cell { "*" } else { "" }));
        let _ = writeln!(text, "  locals: {}", locals.collect::<Vec<_>>().join(" "));
    }
    if !unit.free.is_empty() {
        let _ = writeln!(text, "  free: {}", unit.free.join(" "));
    }
    let mut last_line = 0;
    for (pc, instruction) in instructions(unit).into_iter().enumerate() {
        let line = unit.positions.position(pc as u32).line;
        let shown = if line != last_line && line != 0 { line.to_string() } else { String::new() };
        last_line = line;
        let _ = writeln!(text, "{shown:>6} {pc:>5}  {instruction}");
    }
    for handler in &unit.handlers {
        let kind = match handler.kind {
            HandlerKind::Except => "except",
            HandlerKind::Finally => "finally",
            HandlerKind::With => "with",
        };
        let _ = writeln!(text, "  {kind}: {}..{} -> {}, from r{}", handler.start, handler.end, handler.target, handler.depth);
    }
    for site in &unit.functions {
        let _ = writeln!(text);
        write_unit(&site.unit, text);
    }
}

fn kind(unit: &Unit) -> &'static str {
    let flags = unit.flags;
    match () {
        () if flags.is_class_body => "class",
        () if !flags.is_function => "module",
        () if flags.is_generator => "generator",
        () if flags.is_coroutine => "coroutine",
        () if flags.is_async_generator => "async generator",
        () => "function",
    }
}

fn instruction(unit: &Unit, pc: usize) -> String {
    let Some(decoded) = Instruction::decode(unit.code[pc]) else {
        return format!("{:#x}", unit.code[pc].0);
    };
    let (name, operands) = decoded.parts();
    let mut text = name.to_owned();
    for (index, (field, kind, value)) in operands.into_iter().enumerate() {
        let shown = match kind {
            OperandKind::Dst | OperandKind::Src | OperandKind::Keep | OperandKind::InOut | OperandKind::Base => {
                format!("r{value}")
            }
            OperandKind::Count | OperandKind::Imm => value.to_string(),
            OperandKind::Free => name_at(&unit.free, value),
            OperandKind::Site => name_at(&unit.sites, value),
            OperandKind::Const if field == "names" => match usize::try_from(value - 1) {
                Ok(index) => unit.constants.get(index).map_or("?".into(), constant),
                Err(_) => continue,
            },
            OperandKind::Const => usize::try_from(value).ok().and_then(|i| unit.constants.get(i)).map_or("?".into(), constant),
            OperandKind::Jump => format!("-> {}", pc as i64 + 1 + value),
            OperandKind::Kind => match form(name, value as usize) {
                Some(form) => form,
                None if value == 0 => continue,
                None => value.to_string(),
            },
            OperandKind::Function => match usize::try_from(value).ok().and_then(|index| unit.functions.get(index)) {
                Some(site) => {
                    let captures = site.captures.iter().map(|capture| match capture {
                        Capture::Local(register) => format!(" r{register}"),
                        Capture::Free(index) => {
                            format!(" {}", name_at(&unit.free, i64::from(*index)))
                        }
                    });
                    format!("{}{}", site.unit.name, captures.collect::<String>())
                }
                None => "?".into(),
            },
        };
        text.push_str(if index == 0 { " " } else { ", " });
        text.push_str(&shown);
    }
    text
}

fn form(instruction: &str, k: usize) -> Option<String> {
    match instruction {
        "Compare" => Comparison::ALL.get(k).map(|form| format!("{form:?}")),
        "FormatSimple" | "FormatWithSpec" => {
            [Conversion::None, Conversion::Str, Conversion::Repr, Conversion::Ascii].get(k).map(|form| format!("{form:?}"))
        }
        "Intrinsic" | "Intrinsic2" => Intrinsic::ALL.get(k).map(|form| format!("{form:?}")),
        _ => None,
    }
}

fn name_at(names: &[crate::code::symbol::Symbol], index: i64) -> String {
    usize::try_from(index).ok().and_then(|index| names.get(index)).map_or("?".into(), ToString::to_string)
}

/// A constant as text.
pub(crate) fn constant(constant: &Constant) -> String {
    let list = |items: &[Constant]| items.iter().map(self::constant).collect::<Vec<_>>().join(", ");
    match constant {
        Constant::None => "None".into(),
        Constant::Ellipsis => "...".into(),
        Constant::Bool(true) => "True".into(),
        Constant::Bool(false) => "False".into(),
        Constant::Int(value) => value.to_string(),
        Constant::BigInt(digits) => digits.to_string(),
        Constant::Float(value) => format!("{value:?}"),
        Constant::Complex(real, imaginary) => format!("({real:?}+{imaginary:?}j)"),
        Constant::Str(text) => format!("{text:?}"),
        Constant::CodePoints(points) => format!("{points:x?}"),
        Constant::Bytes(bytes) => format!("b\"{}\"", bytes.escape_ascii()),
        Constant::Tuple(items) if items.len() == 1 => format!("({},)", list(items)),
        Constant::Tuple(items) => format!("({})", list(items)),
        Constant::FrozenSet(items) => format!("{{{}}}", list(items)),
    }
}
