//! Frames and tracebacks as scripts see them, and the mapping that `f_locals` gives (PEP 667).

use crate::code::instruction::Comparison;
use crate::code::symbol::Symbol;
use crate::code::unit::{Position, Unit};
use crate::object::layout::Layout;
use crate::object::native::{Args, GetSetSpec, getter, native};
use crate::object::type_object::{BinaryOperator, MATCH_MAPPING, NO_NEW, Slots, Type, TypeSpec, binary, constructor};
use crate::object::types::code_methods::BYTES_PER_INSTRUCTION;
use crate::object::types::descriptor::MappingProxy;
use crate::object::types::dict::Dict;
use crate::object::types::exception::ExceptionKind;
use crate::object::types::frame::{Frame, Traceback};
use crate::object::types::function::{CellPayload, Function};
use crate::object::types::object::{plain, receiver};
use crate::object::types::str::Str;
use crate::object::value::{Ref, Value};
use crate::vm::{Result, Vm};

// ---- frames

pub(crate) static FRAME: TypeSpec = TypeSpec {
    name: "frame",
    layout: Layout::Frame,
    flags: NO_NEW,
    slots: Slots { repr: Some(frame_repr), ..Slots::NONE },
    methods: &[native("clear(self, /)", clear)],
    getset: &[
        getter("f_back", get_back),
        getter("f_code", |vm, frame| Ok(receiver::<Frame>(vm, frame)?.get(vm).code.clone().into_value())),
        getter("f_globals", |vm, frame| Ok(receiver::<Frame>(vm, frame)?.get(vm).globals.clone().into_value())),
        getter("f_builtins", |vm, frame| Ok(receiver::<Frame>(vm, frame)?.get(vm).builtins.clone().into_value())),
        getter("f_locals", get_locals),
        getter("f_lasti", |vm, frame| {
            let frame = receiver::<Frame>(vm, frame)?;
            Ok(Value::small(i64::from(vm.frame_instruction(frame)) * BYTES_PER_INSTRUCTION))
        }),
        getter("f_lineno", |vm, frame| {
            let frame = receiver::<Frame>(vm, frame)?.clone();
            let line = frame_line(vm, &frame);
            Ok(if line == 0 { Value::NONE } else { Value::small(i64::from(line)) })
        }),
        GetSetSpec {
            name: "f_trace",
            get: |vm, frame| Ok(receiver::<Frame>(vm, frame)?.get(vm).trace.clone()),
            set: Some(|vm, frame, value| {
                let value = value.cloned().unwrap_or(Value::NONE);
                let frame = receiver::<Frame>(vm, frame)?;
                let old = std::mem::replace(&mut frame.get_mut(vm).trace, value);
                drop(old);
                if !frame.get(vm).trace.is_none() {
                    vm.trace_frame(frame);
                }
                Ok(())
            }),
        },
        GetSetSpec {
            name: "f_trace_lines",
            get: |vm, frame| Ok(Value::from_bool(receiver::<Frame>(vm, frame)?.get(vm).trace_lines)),
            set: Some(|vm, frame, value| {
                let flag = flag(vm, value)?;
                receiver::<Frame>(vm, frame)?.get_mut(vm).trace_lines = flag;
                Ok(())
            }),
        },
        GetSetSpec {
            name: "f_trace_opcodes",
            get: |vm, frame| Ok(Value::from_bool(receiver::<Frame>(vm, frame)?.get(vm).trace_opcodes)),
            set: Some(|vm, frame, value| {
                let flag = flag(vm, value)?;
                receiver::<Frame>(vm, frame)?.get_mut(vm).trace_opcodes = flag;
                Ok(())
            }),
        },
    ],
    ..TypeSpec::DEFAULT
};

/// The value of `f_trace_lines` and its like, which has to be a bool.
fn flag(vm: &mut Vm, value: Option<&Value>) -> Result<bool> {
    match value {
        None => Err(vm.type_error("cannot delete numeric/char attribute")),
        Some(value) => match value.as_bool() {
            Some(flag) => Ok(flag),
            None => Err(vm.type_error("attribute value type must be bool")),
        },
    }
}

/// The line a frame stands at; 0 when there is none.
pub(crate) fn frame_line(vm: &mut Vm, frame: &Ref<Frame>) -> u32 {
    let payload = frame.get(vm);
    let unit = &payload.code.get(vm).unit;
    if payload.silent_line != 0 {
        return payload.silent_line;
    }
    if vm.is_at_start(frame) {
        return unit.first_line;
    }
    let place = vm.frame_instruction(frame);
    match unit.positions.position(place).line {
        // What the compiler added stands at the line that was told last, if lines are told.
        0 if payload.last_line != 0 => payload.last_line,
        0 => match unit.positions.line(place) {
            0 => unit.first_line,
            line => line,
        },
        line => line,
    }
}

fn frame_repr(vm: &mut Vm, value: &Value) -> Result<Value> {
    let frame = receiver::<Frame>(vm, value)?.clone();
    let line = frame_line(vm, &frame);
    let code = frame.get(vm).code.get(vm);
    let file = crate::text::repr::repr(vm.text_of(&code.filename).cloned().unwrap_or_default().view());
    let text = format!("<frame at {:#x}, file {file}, line {line}, code {}>", value.address(), plain(vm, &code.name));
    Ok(vm.new_str(text))
}

fn get_back(vm: &mut Vm, frame: &Value) -> Result<Value> {
    let frame = receiver::<Frame>(vm, frame)?;
    if let Some(index) = vm.record_of(frame) {
        return Ok(match index.checked_sub(1) {
            Some(below) => vm.frame_object(below).into_value(),
            None => Value::NONE,
        });
    }
    if frame.get(vm).is_live() {
        let window = frame.get(vm).window;
        if let Some(back) = vm.back_elsewhere(window) {
            return Ok(back);
        }
    }
    Ok(frame.get(vm).back.clone().map_or(Value::NONE, Ref::into_value))
}

fn clear(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let frame = receiver::<Frame>(vm, &args[0])?;
    if vm.record_of(frame).is_some() {
        return Err(vm.runtime_error("cannot clear an executing frame"));
    }
    if frame.get(vm).is_live() {
        return Err(vm.runtime_error("cannot clear a suspended frame"));
    }
    let payload = frame.get_mut(vm);
    let (locals, extra) = (std::mem::take(&mut payload.locals), payload.extra_locals.take());
    drop((locals, extra));
    Ok(Value::NONE)
}

// ---- locals

/// A variable of a frame: a register, or a cell of the function's closure.
#[derive(Clone, Copy)]
enum Variable {
    Local(usize),
    Free(usize),
}

/// The variables of a unit that have names, in order.
fn variables(unit: &Unit) -> Vec<(Symbol, Variable)> {
    let locals = unit.locals.iter().enumerate().map(|(place, name)| (name.clone(), Variable::Local(place)));
    let free = unit.free.iter().enumerate().map(|(place, name)| (name.clone(), Variable::Free(place)));
    locals.chain(free).filter(|(name, _)| !name.starts_with('.')).collect()
}

fn free_cell(vm: &Vm, frame: &Ref<Frame>, place: usize) -> Option<Ref<CellPayload>> {
    let function = frame.get(vm).function.downcast::<Function>()?;
    function.get(vm).closure.get(place).and_then(|cell| cell.downcast::<CellPayload>().cloned())
}

fn variable_value(vm: &Vm, frame: &Ref<Frame>, variable: Variable) -> Option<Value> {
    match variable {
        Variable::Local(place) => {
            let value = vm.frame_local(frame, place)?;
            let is_cell = frame.get(vm).code.get(vm).unit.is_cell.get(place).copied().unwrap_or(false);
            match value.downcast::<CellPayload>() {
                Some(cell) if is_cell => Some(cell.get(vm).content.clone()).filter(|content| !content.is_unbound()),
                _ => Some(value),
            }
        }
        Variable::Free(place) => free_cell(vm, frame, place).map(|cell| cell.get(vm).content.clone()).filter(|content| !content.is_unbound()),
    }
}

fn set_variable(vm: &mut Vm, frame: &Ref<Frame>, variable: Variable, value: Value) {
    let cell = match variable {
        Variable::Local(place) => {
            let is_cell = frame.get(vm).code.get(vm).unit.is_cell.get(place).copied().unwrap_or(false);
            let cell = if is_cell { vm.frame_local(frame, place).and_then(|value| value.into_ref::<CellPayload>().ok()) } else { None };
            if cell.is_none() {
                vm.set_frame_local(frame, place, value);
                return;
            }
            cell
        }
        Variable::Free(place) => free_cell(vm, frame, place),
    };
    if let Some(cell) = cell {
        let old = std::mem::replace(&mut cell.get_mut(vm).content, value);
        drop(old);
    }
}

/// Names and values of a function's frame, those added through `f_locals` last.
fn frame_items(vm: &mut Vm, frame: &Ref<Frame>) -> Vec<(Value, Value)> {
    let unit = frame.get(vm).code.get(vm).unit.clone();
    let mut items: Vec<(Value, Value)> = Vec::new();
    for (name, variable) in variables(&unit) {
        if let Some(value) = variable_value(vm, frame, variable) {
            let name = vm.intern(&name);
            if !items.iter().any(|(known, _)| known.is(&name)) {
                items.push((name, value));
            }
        }
    }
    let extra = frame.get(vm).extra_locals.clone();
    if let Some(extra) = extra.as_ref().and_then(|extra| extra.downcast::<Dict>()) {
        items.extend(extra.get(vm).items().map(|(key, value)| (key.clone(), value.clone())));
    }
    items
}

/// The variables of comprehensions that are running in a module's or class's body, where only they have registers; `None` when none runs.
fn comprehension_locals(vm: &mut Vm, frame: &Ref<Frame>) -> Result<Option<Value>> {
    let unit = frame.get(vm).code.get(vm).unit.clone();
    if unit.flags.is_function || unit.locals.is_empty() {
        return Ok(None);
    }
    let dict = vm.new_dict();
    for (place, name) in unit.locals.iter().enumerate() {
        let is_cell = unit.is_cell.get(place).copied().unwrap_or(false);
        if is_cell && unit.flags.is_class_body || name.starts_with('.') {
            continue;
        }
        if let Some(value) = variable_value(vm, frame, Variable::Local(place)) {
            vm.dict_set_str(&dict, name, value)?;
        }
    }
    Ok(if dict.get(vm).len() == 0 { None } else { Some(dict.into_value()) })
}

/// What `locals()` gives in a frame: the namespace of a module or class body, a new dict of a function's variables.
pub(crate) fn locals_of(vm: &mut Vm, frame: &Ref<Frame>) -> Result<Value> {
    if let Some(hidden) = comprehension_locals(vm, frame)? {
        return Ok(hidden);
    }
    let payload = frame.get(vm);
    if !payload.namespace.is_unbound() {
        return Ok(payload.namespace.clone());
    }
    let is_function = payload.code.get(vm).unit.flags.is_function;
    if !is_function {
        return Ok(payload.globals.clone().into_value());
    }
    let dict = vm.new_dict();
    for (name, value) in frame_items(vm, frame) {
        vm.dict_set(&dict, &name, value)?;
    }
    Ok(dict.into_value())
}

fn get_locals(vm: &mut Vm, frame: &Value) -> Result<Value> {
    let frame = receiver::<Frame>(vm, frame)?.clone();
    let payload = frame.get(vm);
    if !payload.namespace.is_unbound() || !payload.code.get(vm).unit.flags.is_function {
        return locals_of(vm, &frame);
    }
    let class = vm.native_type(&LOCALS_PROXY);
    Ok(vm.alloc_for(&class, MappingProxy { mapping: frame.into_value() }).into_value())
}

// ---- the mapping that f_locals gives

pub(crate) static LOCALS_PROXY: TypeSpec = TypeSpec {
    name: "FrameLocalsProxy",
    layout: Layout::MappingProxy,
    flags: NO_NEW | MATCH_MAPPING,
    slots: Slots {
        repr: Some(proxy_repr),
        compare: Some(compare_proxies),
        len: Some(|vm, proxy| Ok(proxy_items(vm, proxy)?.len())),
        iter: Some(|vm, proxy| {
            let keys = proxy_keys(vm, proxy)?;
            vm.iter(&keys)
        }),
        contains: Some(|vm, proxy, key| Ok(proxy_find(vm, proxy, key)?.is_some())),
        get_item: Some(|vm, proxy, key| match proxy_find(vm, proxy, key)? {
            Some(value) => Ok(value),
            None => {
                let key = vm.repr_text(key)?;
                let message = vm.new_str(format!("local variable {key} is not defined"));
                Err(vm.raise_new(ExceptionKind::KeyError, vec![message]))
            }
        }),
        set_item: Some(proxy_set),
        binary: binary(&[(BinaryOperator::Or, proxy_or)]),
        in_place: binary(&[(BinaryOperator::Or, proxy_update_in_place)]),
        ..Slots::NONE
    },
    methods: &[
        native("keys(self, /)", |vm, args| proxy_keys(vm, &args[0])),
        native("values(self, /)", |vm, args| {
            let values = proxy_items(vm, &args[0])?.into_iter().map(|(_, value)| value).collect();
            Ok(vm.new_list(values))
        }),
        native("items(self, /)", |vm, args| {
            let items = proxy_items(vm, &args[0])?;
            let items = items.into_iter().map(|(key, value)| vm.new_tuple(vec![key, value])).collect();
            Ok(vm.new_list(items))
        }),
        native("get(self, key, default=None, /)", |vm, args| Ok(proxy_find(vm, &args[0], &args[1])?.unwrap_or_else(|| args.or_none(2)))),
        native("setdefault(self, key, default=None, /)", |vm, args| {
            if let Some(value) = proxy_find(vm, &args[0], &args[1])? {
                return Ok(value);
            }
            let value = args.or_none(2);
            proxy_set(vm, &args[0], &args[1], Some(&value))?;
            Ok(value)
        }),
        native("update(self, other, /)", |vm, args| {
            proxy_update(vm, &args[0], &args[1])?;
            Ok(Value::NONE)
        }),
        native("copy(self, /)", |vm, args| proxy_copy(vm, &args[0])),
        native("pop(self, key, default=None, /)", proxy_pop),
        native("__reversed__(self, /)", |vm, args| {
            let mut keys: Vec<Value> = proxy_items(vm, &args[0])?.into_iter().map(|(key, _)| key).collect();
            keys.reverse();
            let keys = vm.new_list(keys);
            vm.iter(&keys)
        }),
    ],
    ..TypeSpec::DEFAULT
};

fn proxy_frame(vm: &mut Vm, proxy: &Value) -> Result<Ref<Frame>> {
    let frame = receiver::<MappingProxy>(vm, proxy)?.get(vm).mapping.clone();
    Ok(receiver::<Frame>(vm, &frame)?.clone())
}

fn proxy_items(vm: &mut Vm, proxy: &Value) -> Result<Vec<(Value, Value)>> {
    let frame = proxy_frame(vm, proxy)?;
    Ok(frame_items(vm, &frame))
}

fn proxy_keys(vm: &mut Vm, proxy: &Value) -> Result<Value> {
    let keys = proxy_items(vm, proxy)?.into_iter().map(|(key, _)| key).collect();
    Ok(vm.new_list(keys))
}

fn proxy_copy(vm: &mut Vm, proxy: &Value) -> Result<Value> {
    let dict = vm.new_dict();
    for (key, value) in proxy_items(vm, proxy)? {
        vm.dict_set(&dict, &key, value)?;
    }
    Ok(dict.into_value())
}

/// The variable that a key names; `None` when the frame's code has none of that name.
fn variable_of(vm: &mut Vm, frame: &Ref<Frame>, key: &Value) -> Option<Variable> {
    if !key.holds::<Str>() {
        return None;
    }
    let text = plain(vm, key);
    let unit = frame.get(vm).code.get(vm).unit.clone();
    let all: Vec<Variable> = variables(&unit).into_iter().filter(|(name, _)| **name == *text).map(|(_, variable)| variable).collect();
    all.iter().copied().find(|variable| variable_value(vm, frame, *variable).is_some()).or_else(|| all.first().copied())
}

fn proxy_find(vm: &mut Vm, proxy: &Value, key: &Value) -> Result<Option<Value>> {
    let frame = proxy_frame(vm, proxy)?;
    if let Some(variable) = variable_of(vm, &frame, key) {
        return Ok(variable_value(vm, &frame, variable));
    }
    let extra = frame.get(vm).extra_locals.clone();
    match extra.as_ref().and_then(|extra| extra.downcast::<Dict>()) {
        Some(extra) => vm.dict_get(extra, key),
        None => {
            vm.hash(key)?;
            Ok(None)
        }
    }
}

fn proxy_set(vm: &mut Vm, proxy: &Value, key: &Value, value: Option<&Value>) -> Result<()> {
    let frame = proxy_frame(vm, proxy)?;
    let variable = variable_of(vm, &frame, key);
    let Some(value) = value else {
        if variable.is_some() {
            return Err(vm.value_error("cannot remove local variables from FrameLocalsProxy"));
        }
        let extra = frame.get(vm).extra_locals.clone();
        if let Some(extra) = extra.as_ref().and_then(|extra| extra.downcast::<Dict>()) {
            if vm.dict_remove(extra, key)?.is_some() {
                return Ok(());
            }
        }
        return Err(vm.key_error(key));
    };
    if let Some(variable) = variable {
        set_variable(vm, &frame, variable, value.clone());
        return Ok(());
    }
    if !key.holds::<Str>() {
        vm.hash(key)?;
    }
    let extra = match frame.get(vm).extra_locals.clone() {
        Some(extra) => extra,
        None => {
            let extra = vm.new_dict().into_value();
            frame.get_mut(vm).extra_locals = Some(extra.clone());
            extra
        }
    };
    match extra.downcast::<Dict>() {
        Some(extra) => vm.dict_set(extra, key, value.clone()),
        None => Ok(()),
    }
}

fn proxy_update(vm: &mut Vm, proxy: &Value, other: &Value) -> Result<()> {
    for key in vm.mapping_keys(other)? {
        let value = vm.get_item(other, &key)?;
        proxy_set(vm, proxy, &key, Some(&value))?;
    }
    Ok(())
}

fn proxy_pop(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let frame = proxy_frame(vm, &args[0])?;
    if variable_of(vm, &frame, &args[1]).is_some() {
        return Err(vm.value_error("cannot remove local variables from FrameLocalsProxy"));
    }
    let extra = frame.get(vm).extra_locals.clone();
    if let Some(extra) = extra.as_ref().and_then(|extra| extra.downcast::<Dict>()) {
        if let Some((_, value)) = vm.dict_remove(extra, &args[1])? {
            return Ok(value);
        }
    }
    match args.given(2) {
        Some(default) => Ok(default.clone()),
        None => Err(vm.key_error(&args[1])),
    }
}

fn proxy_repr(vm: &mut Vm, proxy: &Value) -> Result<Value> {
    if !vm.enter_repr(proxy)? {
        return Ok(vm.new_str("{...}"));
    }
    let copy = proxy_copy(vm, proxy);
    let result = copy.and_then(|copy| vm.repr(&copy));
    vm.leave_repr(proxy);
    result
}

fn is_proxy(vm: &mut Vm, value: &Value) -> bool {
    let class = vm.native_type(&LOCALS_PROXY);
    vm.is_instance(value, &class)
}

fn compare_proxies(vm: &mut Vm, left: &Value, right: &Value, comparison: Comparison) -> Result<Value> {
    let equal = if is_proxy(vm, right) {
        let (left, right) = (proxy_frame(vm, left)?, proxy_frame(vm, right)?);
        left.is(&right)
    } else if right.holds::<Dict>() {
        let left = proxy_copy(vm, left)?;
        vm.equal(&left, right)?
    } else {
        return Ok(Value::NOT_IMPLEMENTED);
    };
    match comparison {
        Comparison::Equal => Ok(Value::from_bool(equal)),
        Comparison::NotEqual => Ok(Value::from_bool(!equal)),
        _ => Ok(Value::NOT_IMPLEMENTED),
    }
}

fn proxy_or(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    for side in [left, right] {
        if !side.holds::<Dict>() && !is_proxy(vm, side) {
            return Ok(Value::NOT_IMPLEMENTED);
        }
    }
    let result = vm.new_dict();
    for side in [left, right] {
        for key in vm.mapping_keys(side)? {
            let value = vm.get_item(side, &key)?;
            vm.dict_set(&result, &key, value)?;
        }
    }
    Ok(result.into_value())
}

fn proxy_update_in_place(vm: &mut Vm, proxy: &Value, other: &Value) -> Result<Value> {
    if !other.holds::<Dict>() && !is_proxy(vm, other) {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    proxy_update(vm, proxy, other)?;
    Ok(proxy.clone())
}

// ---- tracebacks

pub(crate) static TRACEBACK: TypeSpec = TypeSpec {
    name: "traceback",
    doc: "One entry of a traceback: the frame and line, and the entry that tb_next names.",
    layout: Layout::Traceback,
    new: constructor("traceback(tb_next, tb_frame, tb_lasti, tb_lineno)", new_traceback),
    methods: &[native("__dir__(self, /)", |vm, _| {
        let names = ["tb_frame", "tb_next", "tb_lasti", "tb_lineno"].into_iter().map(|name| vm.intern(name)).collect();
        Ok(vm.new_list(names))
    })],
    getset: &[
        GetSetSpec {
            name: "tb_next",
            get: |vm, tb| Ok(receiver::<Traceback>(vm, tb)?.get(vm).next.clone().map_or(Value::NONE, Ref::into_value)),
            set: Some(set_next),
        },
        getter("tb_frame", |vm, tb| Ok(receiver::<Traceback>(vm, tb)?.get(vm).frame.clone().into_value())),
        getter("tb_lineno", |vm, tb| {
            let line = receiver::<Traceback>(vm, tb)?.get(vm).line;
            Ok(if line == 0 { Value::NONE } else { Value::small(i64::from(line)) })
        }),
        getter("tb_lasti", |vm, tb| Ok(Value::small(i64::from(receiver::<Traceback>(vm, tb)?.get(vm).instruction) * BYTES_PER_INSTRUCTION))),
    ],
    ..TypeSpec::DEFAULT
};

fn expect_traceback(vm: &mut Vm, value: &Value) -> Result<Option<Ref<Traceback>>> {
    if value.is_none() {
        return Ok(None);
    }
    match value.downcast::<Traceback>() {
        Some(traceback) => Ok(Some(traceback.clone())),
        None => {
            let message = format!("expected traceback object or None, got '{}'", vm.type_name(value));
            Err(vm.type_error(message))
        }
    }
}

fn new_traceback(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let Some(class) = args[0].downcast::<Type>() else { return Err(vm.type_error("traceback() needs a class")) };
    let next = expect_traceback(vm, &args[1])?;
    let Some(frame) = args[2].downcast::<Frame>().cloned() else {
        let message = format!("traceback() argument 'tb_frame' must be frame, not {}", vm.argument_kind(&args[2]));
        return Err(vm.type_error(message));
    };
    let instruction = (vm.index_i64(&args[3])?.max(0) / BYTES_PER_INSTRUCTION) as u32;
    let line = vm.index_i64(&args[4])?.max(0) as u32;
    let class = class.clone();
    Ok(vm.alloc_for(&class, Traceback { frame, next, instruction, line }).into_value())
}

fn set_next(vm: &mut Vm, traceback: &Value, value: Option<&Value>) -> Result<()> {
    let Some(value) = value else { return Err(vm.type_error("can't delete tb_next attribute")) };
    let next = expect_traceback(vm, value)?;
    let mut cursor = next.clone();
    while let Some(current) = cursor {
        if current.is(traceback) {
            return Err(vm.value_error("traceback loop detected"));
        }
        cursor = current.get(vm).next.clone();
    }
    let old = std::mem::replace(&mut receiver::<Traceback>(vm, traceback)?.get_mut(vm).next, next);
    drop(old);
    Ok(())
}

/// Where the instruction of a traceback entry stands in its source.
pub(crate) fn traceback_position(vm: &Vm, traceback: &Ref<Traceback>) -> Position {
    let payload = traceback.get(vm);
    payload.frame.get(vm).code.get(vm).unit.positions.position(payload.instruction)
}
