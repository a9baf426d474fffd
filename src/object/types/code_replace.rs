//! `code.replace(…)`: a code object with some of its parts exchanged.

use std::cell::OnceCell;
use std::sync::Arc;

use super::code_methods::{AWAITABLE, cell_names, site_names, variable_names};
use crate::code::symbol::Symbol;
use crate::code::unit::{Position, Unit};
use crate::object::native::Args;
use crate::object::types::code::Code;
use crate::object::types::dict::Dict;
use crate::object::types::object::{plain, receiver};
use crate::object::types::str::Str;
use crate::object::types::tuple::Tuple;
use crate::object::value::{Ref, Value};
use crate::vm::{Result, Vm};

/// `code.replace(**changes)`. Instructions are this interpreter's own, so `co_code` and its tables have to stay as they are.
pub(super) fn replace(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let code = receiver::<Code>(vm, &args[0])?.clone();
    let changes: Vec<(String, Value)> = match args[1].downcast::<Dict>() {
        Some(changes) => {
            let pairs: Vec<(Value, Value)> = changes.get(vm).items().map(|(key, value)| (key.clone(), value.clone())).collect();
            pairs.into_iter().map(|(key, value)| (plain(vm, &key), value)).collect()
        }
        None => Vec::new(),
    };
    vm.complete_code(&code);
    let mut unit: Unit = (*code.get(vm).unit).clone();
    let mut texts = {
        let payload = code.get(vm);
        [payload.name.clone(), vm.code_qualname(&code), payload.filename.clone()]
    };
    let (mut constants, mut is_awaitable, mut n_locals) = (None, code.get(vm).is_awaitable, None);
    for (key, value) in &changes {
        match key.as_str() {
            "co_argcount" => unit.n_positional = count(vm, key, value)?,
            "co_posonlyargcount" => unit.n_positional_only = count(vm, key, value)?,
            "co_kwonlyargcount" => unit.n_keyword_only = count(vm, key, value)?,
            "co_nlocals" => n_locals = Some(count(vm, key, value)?),
            "co_stacksize" => {
                count(vm, key, value)?;
            }
            "co_flags" => {
                let bits = vm.index_i64(value)?;
                is_awaitable = bits & AWAITABLE != 0;
                let own = &mut unit.flags;
                own.has_varargs = bits & 0x4 != 0;
                own.has_varkeywords = bits & 0x8 != 0;
                own.is_nested = bits & 0x10 != 0;
                own.is_generator = bits & 0x20 != 0;
                own.is_coroutine = bits & 0x80 != 0;
                own.is_async_generator = bits & 0x200 != 0;
                own.future_annotations = bits & 0x0100_0000 != 0;
                own.has_docstring = bits & 0x0400_0000 != 0;
            }
            "co_firstlineno" => {
                let line = vm.index_i64(value)?;
                if line < 0 {
                    return Err(vm.value_error("code: firstlineno must be a positive integer"));
                }
                let moved = line - i64::from(unit.first_line);
                let shift = |line: u32| if line == 0 { 0 } else { u32::try_from(i64::from(line) + moved).unwrap_or(0) };
                unit.positions =
                    unit.positions.moved(|position| Position { line: shift(position.line), end_line: shift(position.end_line), ..position });
                unit.first_line = line as u32;
            }
            "co_name" | "co_qualname" | "co_filename" => {
                if !value.holds::<Str>() {
                    return Err(wrong_kind(vm, key, "str", value));
                }
                let place = ["co_name", "co_qualname", "co_filename"].iter().position(|name| name == key).unwrap_or(0);
                texts[place] = value.clone();
            }
            "co_names" => {
                let (old, new) = (site_names(&unit), names(vm, key, value)?);
                rename(vm, key, &mut unit.sites, &old, &new)?;
            }
            "co_varnames" => {
                let (old, new) = (variable_names(&unit), names(vm, key, value)?);
                rename(vm, key, &mut unit.locals, &old, &new)?;
            }
            "co_cellvars" => {
                let (old, new) = (cell_names(&unit), names(vm, key, value)?);
                rename(vm, key, &mut unit.locals, &old, &new)?;
            }
            "co_freevars" => {
                let (old, new) = (unit.free.clone(), names(vm, key, value)?);
                rename(vm, key, &mut unit.free, &old, &new)?;
            }
            "co_consts" => {
                if !value.holds::<Tuple>() {
                    return Err(wrong_kind(vm, key, "tuple", value));
                }
                constants = Some(vm.tuple_items(value));
            }
            "co_code" | "co_linetable" | "co_exceptiontable" => {
                let present = vm.get_attr_str(&code, key)?;
                if !vm.equal(&present, value)? {
                    return Err(vm.value_error(format!("code: {key} cannot be exchanged")));
                }
            }
            _ => return Err(vm.type_error(format!("replace() got an unexpected keyword argument '{key}'"))),
        }
    }
    if unit.n_positional < unit.n_positional_only {
        return Err(vm.value_error("code: argument counts are inconsistent"));
    }
    let parameters = unit.n_positional + unit.n_keyword_only + u16::from(unit.flags.has_varargs) + u16::from(unit.flags.has_varkeywords);
    if usize::from(parameters) > unit.locals.len() {
        return Err(vm.value_error("code: varnames is too small"));
    }
    if n_locals.is_some_and(|n_locals| usize::from(n_locals) != variable_names(&unit).len()) {
        return Err(vm.value_error("code: co_nlocals != len(co_varnames)"));
    }
    let fresh: Ref<Code> = vm.make_code(Arc::new(unit));
    vm.complete_code(&fresh);
    match constants {
        Some(constants) => exchange_constants(vm, &fresh, constants)?,
        None => keep_constants(vm, &code, &fresh),
    }
    let [name, qualname, filename] = texts;
    let payload = fresh.get_mut(vm);
    (payload.name, payload.qualname, payload.filename, payload.is_awaitable) = (name, OnceCell::from(qualname), filename, is_awaitable);
    Ok(fresh.into_value())
}

fn wrong_kind(vm: &mut Vm, key: &str, wanted: &str, value: &Value) -> crate::vm::Raised {
    let message = format!("replace() argument '{key}' must be {wanted}, not {}", vm.argument_kind(value));
    vm.type_error(message)
}

fn count(vm: &mut Vm, key: &str, value: &Value) -> Result<u16> {
    let number = vm.index_i64(value)?;
    if number < 0 {
        return Err(vm.value_error(format!("{key} must be a positive integer")));
    }
    u16::try_from(number).map_err(|_| vm.value_error("code: argument counts are inconsistent"))
}

fn names(vm: &mut Vm, key: &str, value: &Value) -> Result<Vec<Symbol>> {
    if !value.holds::<Tuple>() {
        return Err(wrong_kind(vm, key, "tuple", value));
    }
    let mut found = Vec::new();
    for item in vm.tuple_items(value) {
        match vm.text_of(&item).map(ToString::to_string) {
            Some(text) => found.push(text.into()),
            None => return Err(vm.raise(super::exception::ExceptionKind::SystemError, "non-string found in code slot")),
        }
    }
    Ok(found)
}

/// Gives what had the old names the new ones, place by place.
fn rename(vm: &mut Vm, key: &str, targets: &mut [Symbol], old: &[Symbol], new: &[Symbol]) -> Result<()> {
    if old.len() > new.len() || key != "co_names" && old.len() != new.len() {
        return Err(vm.value_error(format!("code: {} is too small", key.trim_start_matches("co_"))));
    }
    for target in targets {
        if let Some(place) = old.iter().position(|name| name == target) {
            *target = new[place].clone();
        }
    }
    Ok(())
}

/// The constants and inner code objects of the old code, some of which may have been exchanged before.
fn keep_constants(vm: &mut Vm, old: &Ref<Code>, fresh: &Ref<Code>) {
    let constants = old.get(vm).constants.to_vec();
    let functions: Vec<Option<Ref<Code>>> = old.get(vm).functions.iter().map(|cell| cell.get().cloned()).collect();
    let payload = fresh.get_mut(vm);
    payload.constants = constants.into_boxed_slice();
    for (cell, known) in payload.functions.iter_mut().zip(functions) {
        if let Some(known) = known {
            *cell = OnceCell::from(known);
        }
    }
}

/// Constants first, then the code objects of inner functions, as `co_consts` shows them.
fn exchange_constants(vm: &mut Vm, fresh: &Ref<Code>, constants: Vec<Value>) -> Result<()> {
    let (n_plain, n_functions) = (fresh.get(vm).constants.len(), fresh.get(vm).functions.len());
    if constants.len() < n_plain + n_functions {
        return Err(vm.value_error("code: constants tuple is too small"));
    }
    let mut functions = Vec::with_capacity(n_functions);
    for inner in &constants[n_plain..n_plain + n_functions] {
        match inner.downcast::<Code>() {
            Some(inner) => functions.push(OnceCell::from(inner.clone())),
            None => return Err(vm.type_error("code: an inner function's code has to be a code object")),
        }
    }
    let payload = fresh.get_mut(vm);
    payload.constants = constants[..n_plain].to_vec().into_boxed_slice();
    payload.functions = functions.into_boxed_slice();
    Ok(())
}
