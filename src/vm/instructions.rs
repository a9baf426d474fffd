//! The instructions that are more than a fast path: names, attributes, items, building, calls with spreads, imports, patterns.
#![allow(unsafe_code, reason = "registers are raw words of the running frame's window (F1 to F3 in frame.rs)")]

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use super::call::Called;
use super::state::Name;
use super::vm::{Raised, Result, Vm};
use crate::code::instruction::Opcode;
use crate::code::instruction::{Conversion, Intrinsic, Word as Instruction};
use crate::code::unit::{Capture, Constant, Unit};
use crate::object::heap::release;
use crate::object::native::{NativeFunction, NativeKind};
use crate::object::type_object::{CallArgs, MATCH_MAPPING, MATCH_SELF, MATCH_SEQUENCE, Type};
use crate::object::types::TypeId;
use crate::object::types::code::Code;
use crate::object::types::descriptor::Super;
use crate::object::types::dict::{Dict, Probe};
use crate::object::types::exception::{Exception, ExceptionKind};
use crate::object::types::function::{CellPayload, Function};
use crate::object::types::list::List;
use crate::object::types::set::{Found, Set};
use crate::object::types::slice::Slice;
use crate::object::types::str::Str;
use crate::object::types::tuple::Tuple;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::text::Text;

/// The window of the running frame.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    base: *mut Word,
    code: *const Code,
}

impl Window {
    /// The window at `base` of a frame that runs `code`.
    #[inline(always)]
    pub(crate) fn new(base: *mut Word, code: *const Code) -> Self {
        Self { base, code }
    }

    #[inline(always)]
    pub(crate) fn code<'a>(self) -> &'a Code {
        // SAFETY: the frame's function keeps its code while the frame runs (F2), and instructions end before the frame does.
        unsafe { &*self.code }
    }

    /// A register's place.
    #[inline(always)]
    pub(crate) fn register(self, index: u16) -> *mut Word {
        // SAFETY: operands are inside the window.
        unsafe { self.base.add(usize::from(index)) }
    }

    /// What a register holds, unowned.
    #[inline(always)]
    pub(crate) fn peek(self, index: u16) -> Word {
        // SAFETY: registers are initialised (F1).
        unsafe { *self.register(index) }
    }

    #[inline(always)]
    fn is_local(self, index: u16) -> bool {
        index < self.code().n_locals
    }

    /// Reads an operand: a local is cloned, a temporary consumed.
    #[inline(always)]
    pub(crate) fn take(self, vm: &mut Vm, index: u16) -> Result<Value> {
        let word = self.peek(index);
        if self.is_local(index) {
            if word == Word::UNBOUND {
                return Err(vm.unbound_local(self, index));
            }
            // SAFETY: the window owns it.
            return Ok(unsafe { Value::from_borrowed(word) });
        }
        // SAFETY: the window owned it, and gives it up.
        unsafe {
            *self.register(index) = Word::UNBOUND;
            Ok(Value::from_owned(word))
        }
    }

    /// Reads an operand without consuming it.
    #[inline(always)]
    pub(crate) fn keep(self, vm: &mut Vm, index: u16) -> Result<Value> {
        let word = self.peek(index);
        if word == Word::UNBOUND && self.is_local(index) {
            return Err(vm.unbound_local(self, index));
        }
        // SAFETY: the window owns it.
        Ok(unsafe { Value::from_borrowed(word) })
    }

    /// What a register holds, borrowed.
    ///
    /// # Safety
    /// No script runs, and the register is not written, while it is used.
    #[inline(always)]
    pub(crate) unsafe fn borrow<'a>(self, index: u16) -> &'a Value {
        // SAFETY: registers are initialised (F1), and `Value` is a transparent `Word`.
        unsafe { &*self.register(index).cast::<Value>() }
    }

    /// Ends an operand's use: a temporary is released.
    #[inline(always)]
    pub(crate) fn consume(self, index: u16) {
        if !self.is_local(index) {
            drop(self.take_temporary(index));
        }
    }

    /// Takes a temporary's value, whatever it is.
    #[inline(always)]
    pub(crate) fn take_temporary(self, index: u16) -> Value {
        // SAFETY: the window owned it, and gives it up.
        unsafe {
            let word = self.peek(index);
            *self.register(index) = Word::UNBOUND;
            Value::from_owned(word)
        }
    }

    /// Takes `count` temporaries.
    pub(crate) fn take_range(self, base: u16, count: u16) -> Vec<Value> {
        let count = usize::from(count);
        let mut values = Vec::with_capacity(count);
        // SAFETY: the window owned the temporaries, which move; there is room for them.
        unsafe {
            self.move_range(base, count, values.as_mut_ptr());
            values.set_len(count);
        }
        values
    }

    /// Moves `count` temporaries from `base` on to `target`.
    ///
    /// # Safety
    /// `target` has room for them; what stood there is not dropped.
    #[inline(always)]
    unsafe fn move_range(self, base: u16, count: usize, target: *mut Value) {
        let source = self.register(base);
        // SAFETY: the caller's promise; `Value` is a transparent `Word`.
        unsafe {
            std::ptr::copy_nonoverlapping(source.cast::<Value>(), target, count);
            for index in 0..count {
                source.add(index).write(Word::UNBOUND);
            }
        }
    }

    /// Writes a register; what a local held is released.
    #[inline(always)]
    pub(crate) fn set(self, index: u16, value: Value) {
        // SAFETY: the window owns what it held, and the new value from now on.
        let old = unsafe {
            let place = self.register(index);
            let old = *place;
            *place = value.into_word();
            Value::from_owned(old)
        };
        drop(old);
    }

    /// The operation of the running instruction, as it was compiled or rewritten.
    pub(super) fn opcode(self, vm: &Vm) -> Option<Opcode> {
        let record = vm.frames.records.last()?;
        let original = *self.code().unit.code.get(record.instruction() as usize)?;
        // SAFETY: units hold known operations only.
        Some(unsafe { std::mem::transmute::<u8, Opcode>(original.opcode_byte()) })
    }

    pub(super) fn name(self, site: u32) -> Value {
        self.code().names[site as usize].clone()
    }

    pub(super) fn function<'a>(self) -> &'a Ref<Function> {
        // SAFETY: F2: the slot below the window holds the running function.
        let value = unsafe { &*self.base.sub(1).cast::<Value>() };
        value.downcast::<Function>().expect("a frame runs a function (F2)")
    }

    pub(super) fn cache(self, site: u32) -> &'static Cell<u64> {
        let cache = &self.code().caches[site as usize];
        // SAFETY: used before the frame ends, while its code lives.
        unsafe { &*std::ptr::from_ref(cache) }
    }
}

impl Vm {
    /// Rewrites the instruction that is running to another operation with the same operands.
    pub(super) fn quicken(&self, opcode: Opcode) {
        if let Some(record) = self.frames.records.last() {
            // SAFETY: `pc` stands behind the running instruction.
            let cell = unsafe { &*record.pc.sub(1) };
            if cell.get() as u8 == Opcode::Traced as u8 {
                return self.rewrite_original(opcode);
            }
            cell.set(cell.get() & !0xFF | opcode as u64);
        }
    }

    // ---- code objects

    /// The code object of a unit, in this interpreter.
    pub(crate) fn make_code(&mut self, unit: Arc<Unit>) -> Ref<Code> {
        let constants: Box<[Value]> = unit.constants.iter().map(|constant| self.make_constant(constant)).collect();
        let names: Box<[Value]> = unit.sites.iter().map(|name| self.intern(name)).collect();
        let flags = unit.flags;
        let n_parameters = unit.n_positional + unit.n_keyword_only + u16::from(flags.has_varargs) + u16::from(flags.has_varkeywords);
        let payload = Code {
            instructions: unit.code.iter().map(|word| Cell::new(word.0)).collect(),
            constants,
            traced: std::cell::OnceCell::new(),
            caches: (0..names.len()).map(|_| Cell::new(0)).collect(),
            names,
            functions: (0..unit.functions.len()).map(|_| OnceCell::new()).collect(),
            parameters: unit.locals[..usize::from(unit.n_positional + unit.n_keyword_only)].iter().map(|name| self.intern(name)).collect(),
            name: self.intern(&unit.name),
            qualname: self.intern(&unit.qualname),
            filename: self.intern(&unit.filename),
            n_arguments: n_parameters,
            n_locals: unit.locals.len() as u16,
            n_registers: unit.n_registers,
            is_plain: unit.n_keyword_only == 0 && !flags.has_varargs && !flags.has_varkeywords,
            is_simple: unit.n_keyword_only == 0 && !flags.has_varargs && !flags.has_varkeywords && !flags.is_resumable(),
            is_awaitable: false,
            unit,
        };
        self.alloc(TypeId::Code, payload)
    }

    /// A constant as a value.
    pub(crate) fn make_constant(&mut self, constant: &Constant) -> Value {
        match constant {
            Constant::None => Value::NONE,
            Constant::Ellipsis => Value::ELLIPSIS,
            Constant::Bool(flag) => Value::from_bool(*flag),
            Constant::Int(value) => self.new_int(*value),
            Constant::BigInt(digits) => self.big_constant(digits),
            Constant::Float(value) => self.new_float(*value),
            Constant::Complex(real, imag) => self.new_complex(*real, *imag),
            Constant::Str(text) => {
                if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                    self.intern(text)
                } else {
                    self.new_str(&**text)
                }
            }
            Constant::CodePoints(points) => self.new_str(Text::from_code_points(points.iter().copied())),
            Constant::Bytes(data) => self.new_bytes(data.clone()),
            Constant::Tuple(items) => {
                let items: Vec<Value> = items.iter().map(|item| self.make_constant(item)).collect();
                self.new_tuple(items)
            }
            Constant::FrozenSet(items) => {
                let items: Vec<Value> = items.iter().map(|item| self.make_constant(item)).collect();
                let set = self.new_frozenset();
                for item in items {
                    // Constants hash and compare without scripts.
                    let _ = crate::object::types::set_methods::add(self, &set, item);
                }
                set.into_value()
            }
        }
    }

    fn big_constant(&mut self, digits: &str) -> Value {
        let (negative, digits) = digits.strip_prefix('-').map_or((false, digits), |rest| (true, rest));
        let (base, digits) = digits.strip_prefix("0x").map_or((10, digits), |rest| (16, rest));
        let parsed = crate::number::Int::parse(digits.as_bytes(), base, 0, &mut crate::number::never());
        let value = parsed.unwrap_or(crate::number::Int::Small(0));
        self.new_big(if negative { value.as_ref().neg() } else { value })
    }

    // ---- unbound variables

    /// The `UnboundLocalError` for a local (or, in a class or module, a variable of an inlined comprehension).
    #[cold]
    pub(crate) fn unbound_local(&mut self, window: Window, index: u16) -> Raised {
        let following =
            self.frames.records.last().and_then(|record| record.code().instructions.get(record.instruction() as usize + 1).map(std::cell::Cell::get));
        if following.is_some_and(|word| [Opcode::LoadSuperMethod as u8, Opcode::LoadSuperAttribute as u8].contains(&(word as u8))) && index == 0 {
            return self.runtime_error("super(): arg[0] deleted");
        }
        let name = window.code().unit.locals.get(usize::from(index)).map_or("", |name| name).to_owned();
        let value = self.intern(&name);
        self.name_error(
            ExceptionKind::UnboundLocalError,
            &value,
            format!("cannot access local variable '{name}' where it is not associated with a value"),
        )
    }

    /// The `NameError` for an empty cell of the closure.
    #[cold]
    pub(crate) fn unbound_free(&mut self, window: Window, index: u16) -> Raised {
        let name = window.code().unit.free.get(usize::from(index)).map_or("", |name| name).to_owned();
        let value = self.intern(&name);
        let message = format!("cannot access free variable '{name}' where it is not associated with a value in enclosing scope");
        self.name_error(ExceptionKind::NameError, &value, message)
    }

    #[cold]
    fn undefined_name(&mut self, name: &Value) -> Raised {
        let text = self.text_of(name).map(ToString::to_string).unwrap_or_default();
        self.name_error(ExceptionKind::NameError, name, format!("name '{text}' is not defined"))
    }

    // ---- cells

    fn local_cell(window: Window, index: u16) -> Ref<CellPayload> {
        // SAFETY: the window owns it.
        let value = unsafe { Value::from_borrowed(window.peek(index)) };
        value.into_ref().expect("the compiler puts cells where it uses them")
    }

    fn free_cell(&self, window: Window, index: u16) -> Ref<CellPayload> {
        let cell = window.function().get(self).closure[usize::from(index)].clone();
        cell.into_ref().expect("a closure consists of cells")
    }

    fn set_cell(&mut self, cell: &Ref<CellPayload>, value: Value) {
        let old = std::mem::replace(&mut cell.get_mut(self).content, value);
        drop(old);
    }

    #[inline(never)]
    pub(crate) fn store_cell(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let cell = Self::local_cell(window, i.a());
        self.set_cell(&cell, value);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn delete_cell(&mut self, window: Window, i: Instruction) -> Result<()> {
        let cell = Self::local_cell(window, i.a());
        if cell.get(self).content.is_unbound() {
            return Err(self.unbound_local(window, i.a()));
        }
        self.set_cell(&cell, Value::UNBOUND);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn store_free(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let cell = self.free_cell(window, i.a());
        self.set_cell(&cell, value);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn delete_free(&mut self, window: Window, i: Instruction) -> Result<()> {
        let cell = self.free_cell(window, i.a());
        if cell.get(self).content.is_unbound() {
            return Err(self.unbound_free(window, i.a()));
        }
        self.set_cell(&cell, Value::UNBOUND);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn load_free_or_name(&mut self, window: Window, i: Instruction) -> Result<()> {
        let name = window.name(i.c());
        let namespace = self.namespace();
        let value = match self.find_in_namespace(&namespace, &name)? {
            Some(value) => value,
            None => {
                let cell = self.free_cell(window, i.b());
                let content = cell.get(self).content.clone();
                if content.is_unbound() {
                    return Err(self.unbound_free(window, i.b()));
                }
                content
            }
        };
        window.set(i.a(), value);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn load_cell_or_name(&mut self, window: Window, i: Instruction) -> Result<()> {
        let name = window.name(i.c());
        let namespace = self.namespace();
        let value = match self.find_in_namespace(&namespace, &name)? {
            Some(value) => value,
            None => {
                let content = Self::local_cell(window, i.b()).get(self).content.clone();
                if content.is_unbound() {
                    return Err(self.unbound_local(window, i.b()));
                }
                content
            }
        };
        window.set(i.a(), value);
        Ok(())
    }

    // ---- names

    /// The namespace of the running frame: a class body's, a module's; the globals otherwise.
    pub(crate) fn namespace(&mut self) -> Value {
        let known = self.frames.records.last().and_then(|record| self.record_namespace(record));
        match known {
            Some(namespace) => namespace,
            None => self.current_globals().map_or(Value::NONE, Ref::into_value),
        }
    }

    fn find_in_namespace(&mut self, namespace: &Value, name: &Value) -> Result<Option<Value>> {
        if let Some(dict) = namespace.downcast::<Dict>() {
            if self.is_exact(namespace, TypeId::Dict) {
                return self.dict_get(dict, name);
            }
        }
        match self.get_item(namespace, name) {
            Ok(value) => Ok(Some(value)),
            Err(raised) => {
                if self.clear_if(ExceptionKind::KeyError) {
                    Ok(None)
                } else {
                    Err(raised)
                }
            }
        }
    }

    fn find_global(&mut self, window: Window, name: &Value) -> Result<Option<Value>> {
        let (globals, builtins) = {
            let function = window.function().get(self);
            (function.globals.clone(), function.builtins.clone())
        };
        if let Some(value) = self.dict_get(&globals, name)? {
            return Ok(Some(value));
        }
        self.find_in_namespace(&builtins, name)
    }

    #[inline(never)]
    pub(crate) fn load_global(&mut self, window: Window, i: Instruction) -> Result<()> {
        let name = window.name(i.c());
        let hash = self.str_hash(&name);
        let (globals, builtins) = {
            let function = window.function().get(self);
            (function.globals.clone(), function.builtins.clone())
        };
        let place = globals.get(self).find_str(&name, hash);
        let found = match place {
            Some(place) => Some((place, false)),
            // A subclass of dict may look names up in its own way.
            None if self.is_exact(&builtins, TypeId::Dict) => builtins.get(self).find_str(&name, hash).map(|place| (place, true)),
            None => None,
        };
        if let Some((place, is_builtin)) = found {
            let version = self.dict_version(&globals);
            window.cache(i.c()).set(u64::from(version) << 32 | (place as u64) << 1 | u64::from(is_builtin));
            self.quicken(Opcode::LoadGlobalCached);
            let dict = if is_builtin { &builtins } else { &globals };
            let value = dict.get(self).entries()[place].value.clone();
            window.set(i.a(), value);
            return Ok(());
        }
        match self.find_global(window, &name)? {
            Some(value) => {
                window.set(i.a(), value);
                Ok(())
            }
            None => Err(self.undefined_name(&name)),
        }
    }

    #[inline(never)]
    pub(crate) fn store_global(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.a())?;
        let name = window.name(i.c());
        let globals = window.function().get(self).globals.clone();
        self.dict_set(&globals, &name, value)
    }

    #[inline(never)]
    pub(crate) fn delete_global(&mut self, window: Window, i: Instruction) -> Result<()> {
        let name = window.name(i.c());
        let globals = window.function().get(self).globals.clone();
        match self.dict_remove(&globals, &name)? {
            Some(_) => Ok(()),
            None => Err(self.undefined_name(&name)),
        }
    }

    #[inline(never)]
    pub(crate) fn load_name(&mut self, window: Window, i: Instruction) -> Result<()> {
        let name = window.name(i.c());
        let namespace = self.namespace();
        let value = match self.find_in_namespace(&namespace, &name)? {
            Some(value) => Some(value),
            None => self.find_global(window, &name)?,
        };
        match value {
            Some(value) => {
                window.set(i.a(), value);
                Ok(())
            }
            None => Err(self.undefined_name(&name)),
        }
    }

    #[inline(never)]
    pub(crate) fn load_mapping_or_global(&mut self, window: Window, i: Instruction) -> Result<()> {
        let mapping = window.take_temporary(i.a());
        let name = window.name(i.c());
        let value = match self.find_in_namespace(&mapping, &name)? {
            Some(value) => Some(value),
            None => self.find_global(window, &name)?,
        };
        match value {
            Some(value) => {
                window.set(i.a(), value);
                Ok(())
            }
            None => Err(self.undefined_name(&name)),
        }
    }

    #[inline(never)]
    pub(crate) fn load_mapping_or_free(&mut self, window: Window, i: Instruction) -> Result<()> {
        let mapping = window.take_temporary(i.a());
        let name = window.name(i.c());
        let value = match self.find_in_namespace(&mapping, &name)? {
            Some(value) => value,
            None => {
                let content = self.free_cell(window, i.b()).get(self).content.clone();
                if content.is_unbound() {
                    return Err(self.unbound_free(window, i.b()));
                }
                content
            }
        };
        window.set(i.a(), value);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn store_name(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.a())?;
        let name = window.name(i.c());
        let namespace = self.namespace();
        if let Some(dict) = namespace.downcast::<Dict>() {
            if self.is_exact(&namespace, TypeId::Dict) {
                return self.dict_set(dict, &name, value);
            }
        }
        self.set_item(&namespace, &name, &value)
    }

    #[inline(never)]
    pub(crate) fn delete_name(&mut self, window: Window, i: Instruction) -> Result<()> {
        let name = window.name(i.c());
        let namespace = self.namespace();
        if let Some(dict) = namespace.downcast::<Dict>() {
            if self.is_exact(&namespace, TypeId::Dict) {
                return match self.dict_remove(dict, &name)? {
                    Some(_) => Ok(()),
                    None => Err(self.undefined_name(&name)),
                };
            }
        }
        match self.del_item(&namespace, &name) {
            Ok(()) => Ok(()),
            Err(raised) => Err(if self.clear_if(ExceptionKind::KeyError) { self.undefined_name(&name) } else { raised }),
        }
    }

    // ---- attributes

    #[inline(never)]
    pub(crate) fn delete_attribute(&mut self, window: Window, i: Instruction) -> Result<()> {
        let object = window.take(self, i.a())?;
        let name = window.name(i.c());
        self.del_attr(&object, &name)
    }

    #[inline(never)]
    pub(crate) fn load_super(&mut self, window: Window, i: Instruction, for_call: bool) -> Result<()> {
        let base = i.a();
        let callable = window.take_temporary(base);
        let class = window.take_temporary(base + 1);
        let object = window.take_temporary(base + 2);
        let name = window.name(i.c());
        if callable.is(self.state().builtin(TypeId::Super)) {
            let proxy = self.new_super(&class, &object)?;
            if for_call {
                if let Some(function) = self.super_method(&proxy, &object, &name) {
                    window.set(base, function);
                    window.set(base + 1, object);
                    return Ok(());
                }
            }
            let value = self.get_attr(&proxy, &name)?;
            window.set(base, value);
        } else {
            let proxy = if i.b() == 1 { self.call(&callable, &[])? } else { self.call(&callable, &[class, object])? };
            let value = self.get_attr(&proxy, &name)?;
            window.set(base, value);
        }
        if for_call {
            window.set(base + 1, Value::UNBOUND);
        }
        Ok(())
    }

    /// `super(class, object)`, as an object.
    fn new_super(&mut self, class: &Value, object: &Value) -> Result<Value> {
        let Some(class_ref) = class.downcast::<Type>() else {
            let message = format!("super() argument 1 must be a type, not {}", self.type_name(class));
            return Err(self.type_error(message));
        };
        let object_type = crate::object::types::descriptor_methods::super_check(self, class_ref, object)?;
        let payload = Super { class: Some(class_ref.clone()), object: Some(object.clone()), object_type: Some(object_type) };
        Ok(self.alloc(TypeId::Super, payload).into_value())
    }

    /// What `super()` without arguments takes in the running function: its class cell and first argument.
    pub(crate) fn implicit_super(&mut self) -> Result<(Value, Value)> {
        let Some(record) = self.frames.records.last() else {
            return Err(self.runtime_error("super(): no current frame"));
        };
        let (base, code, function) = (record.base, record.code, record.function());
        // SAFETY: the record's code lives (F2).
        let unit = unsafe { (*code).unit.clone() };
        if unit.n_positional == 0 {
            return Err(self.runtime_error("super(): no arguments"));
        }
        // SAFETY: the first local, in the window.
        let first = unsafe { Value::from_borrowed(*base) };
        let object = match first.downcast::<CellPayload>() {
            Some(cell) if unit.is_cell.first() == Some(&true) => cell.get(self).content.clone(),
            _ => first,
        };
        if object.is_unbound() {
            return Err(self.runtime_error("super(): arg[0] deleted"));
        }
        let place = unit.free.iter().position(|name| &**name == "__class__");
        let cell = place.and_then(|place| function.downcast::<Function>().and_then(|function| function.get(self).closure.get(place).cloned()));
        match cell.as_ref().and_then(|cell| cell.downcast::<CellPayload>()).map(|cell| cell.get(self).content.clone()) {
            Some(class) if !class.is_unbound() => Ok((class, object)),
            Some(_) => Err(self.runtime_error("super(): empty __class__ cell")),
            None => Err(self.runtime_error("super(): __class__ cell not found")),
        }
    }

    /// A plain function that `super()` would bind to the object itself.
    fn super_method(&mut self, proxy: &Value, object: &Value, name: &Value) -> Option<Value> {
        let (class, object_type) = {
            let payload = proxy.downcast::<Super>()?.get(self);
            (payload.class.clone(), payload.object_type.clone())
        };
        if object.holds::<Type>() || object_type.as_ref().is_none_or(|object_type| !self.type_ref(object).is(object_type)) {
            return None;
        }
        let hash = self.str_hash(name);
        let object_type = object_type?;
        self.fill_bases(&object_type);
        let mro = &object_type.get(self).mro;
        let class = class?;
        let place = mro.iter().position(|base| base.is(&class))?;
        for base in &mro[place + 1..] {
            let dict = base.get(self).dict_as_is().get(self);
            if let Some(found) = dict.find_str(name, hash) {
                let value = dict.entries()[found].value.clone();
                return value.holds::<Function>().then_some(value);
            }
        }
        None
    }

    // ---- items

    /// The value that a dict has for a key, both in registers, where that can be told without running a script; unowned. The first
    /// `None` leaves it to the general way, the second says that the key is not there.
    #[inline(always)]
    fn quick_dict_get(&self, dict: &Value, key: &Value) -> Option<Option<Word>> {
        let table = dict.downcast::<Dict>()?;
        if !self.is_exact(dict, TypeId::Dict) {
            return None;
        }
        let hash = self.quick_hash(key)?;
        let table = table.get(self);
        match table.find(key, hash) {
            Probe::Found(place) => Some(Some(table.entries()[place].value.word())),
            Probe::Absent => Some(None),
            Probe::Ask(_) => None,
        }
    }

    #[inline(never)]
    pub(crate) fn get_item_registers(&mut self, window: Window, i: Instruction) -> Result<()> {
        {
            // SAFETY: nothing below runs a script while these are used.
            let (object, key) = unsafe { (window.borrow(i.b()), window.borrow(i.d())) };
            let found = if let (Some(string), Some(index)) = (object.downcast::<Str>(), key.as_small()) {
                let text = &string.get(self).text;
                let length = text.len() as i64;
                let place = if index < 0 { index + length } else { index };
                if (0..length).contains(&place) && self.is_exact(object, TypeId::Str) { Some(self.new_char(text.get(place as usize))) } else { None }
            } else {
                // SAFETY: the dict owns it.
                self.quick_dict_get(object, key).flatten().map(|word| unsafe { Value::from_borrowed(word) })
            };
            if let Some(value) = found {
                window.consume(i.b());
                window.consume(i.d());
                window.set(i.a(), value);
                return Ok(());
            }
        }
        let object = window.take(self, i.b())?;
        let key = window.take(self, i.d())?;
        let value = if let (Some(dict), true) = (object.downcast::<Dict>(), self.is_exact(&object, TypeId::Dict)) {
            match self.dict_get(dict, &key) {
                Ok(Some(value)) => Ok(value),
                Ok(None) => Err(self.key_error(&key)),
                Err(raised) => Err(raised),
            }
        } else {
            self.get_item(&object, &key)
        };
        drop(object);
        drop(key);
        window.set(i.a(), value?);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn get_item_immediate(&mut self, window: Window, i: Instruction) -> Result<()> {
        let object = window.take(self, i.b())?;
        let index = i64::from(i.d() as i16);
        if let (Some(string), true) = (object.downcast::<Str>(), self.is_exact(&object, TypeId::Str)) {
            let text = &string.get(self).text;
            let length = text.len() as i64;
            let place = if index < 0 { index + length } else { index };
            if (0..length).contains(&place) {
                let character = self.new_char(text.get(place as usize));
                drop(object);
                window.set(i.a(), character);
                return Ok(());
            }
        }
        let key = Value::small(index);
        let value = self.get_item(&object, &key)?;
        drop(object);
        window.set(i.a(), value);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn get_slice(&mut self, window: Window, i: Instruction) -> Result<()> {
        let object = window.take(self, i.b())?;
        let start = window.take_temporary(i.d());
        let stop = window.take_temporary(i.d() + 1);
        let place = |bound: &Value, missing: i64| if bound.is_none() { Some(missing) } else { bound.as_small() };
        if let (Some(string), Some(start), Some(stop), true) =
            (object.downcast::<Str>(), place(&start, 0), place(&stop, i64::MAX), self.is_exact(&object, TypeId::Str))
        {
            let text = &string.get(self).text;
            let length = text.len() as i64;
            let inside = |place: i64| (if place < 0 { place.saturating_add(length) } else { place }).clamp(0, length);
            let (start, stop) = (inside(start), inside(stop));
            let value = if start >= stop {
                self.empty_str()
            } else if stop - start == length {
                object.clone()
            } else {
                self.new_str(text.slice(start as usize, stop as usize))
            };
            drop(object);
            window.set(i.a(), value);
            return Ok(());
        }
        let slice = self.new_slice(start, stop, Value::NONE);
        let value = self.get_item(&object, &slice);
        // The bounds go first.
        drop(slice);
        drop(object);
        window.set(i.a(), value?);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn set_item_registers(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.d())?;
        let object = window.take(self, i.a())?;
        let key = window.take(self, i.b())?;
        if let (Some(dict), true) = (object.downcast::<Dict>(), self.is_exact(&object, TypeId::Dict)) {
            return self.dict_set(dict, &key, value);
        }
        let done = self.set_item(&object, &key, &value);
        if key.holds::<Slice>() {
            // The bounds go first.
            drop(key);
            drop(value);
            drop(object);
        } else {
            drop(value);
            drop(object);
            drop(key);
        }
        done
    }

    #[inline(never)]
    pub(crate) fn delete_item_registers(&mut self, window: Window, i: Instruction) -> Result<()> {
        let object = window.take(self, i.a())?;
        let key = window.take(self, i.b())?;
        let done = self.del_item(&object, &key);
        drop(object);
        drop(key);
        done
    }

    // ---- truth and identity

    /// The truth of an operand, which is consumed.
    #[inline(never)]
    pub(crate) fn truth_of(&mut self, window: Window, index: u16) -> Result<bool> {
        let value = window.take(self, index)?;
        self.is_true(&value)
    }

    /// The truth of a temporary, which stays.
    #[inline(never)]
    pub(crate) fn truth_kept(&mut self, window: Window, index: u16) -> Result<bool> {
        let value = window.keep(self, index)?;
        self.is_true(&value)
    }

    /// Whether the operands `a` and `b` are the same object; they are consumed.
    #[inline(never)]
    pub(crate) fn is_same(&mut self, window: Window, i: Instruction) -> Result<bool> {
        let left = window.take(self, i.a())?;
        let right = window.take(self, i.b())?;
        let is_same = left.is(&right);
        drop(left);
        drop(right);
        Ok(is_same)
    }

    /// Whether an item is in a `dict`, a `set`, a `frozenset` or a `str`, where that can be told without running a script.
    #[inline(always)]
    pub(crate) fn quick_contains(&self, container: &Value, item: &Value) -> Option<bool> {
        if let Some(text) = container.downcast::<Str>() {
            let item = item.downcast::<Str>()?;
            if !self.is_exact(container, TypeId::Str) {
                return None;
            }
            let (text, item) = (&text.get(self).text, &item.get(self).text);
            return Some(match (text.as_ascii(), item.as_ascii()) {
                (Some(text), Some(item)) if item.len() == 1 => text.as_bytes().contains(&item.as_bytes()[0]),
                _ => crate::text::search::find(text.view(), item.view()).is_some(),
            });
        }
        if let Some(set) = container.downcast::<Set>() {
            if !self.is_exact(container, TypeId::Set) && !self.is_exact(container, TypeId::FrozenSet) {
                return None;
            }
            let hash = self.quick_hash(item)?;
            let set = set.get(self);
            return match set.probe(&mut Set::start(hash), item, hash, crate::object::types::dict::same) {
                Found::Same(_) => Some(true),
                Found::Free(_) => Some(false),
                Found::Candidate(_) => None,
            };
        }
        self.quick_dict_get(container, item).map(|found| found.is_some())
    }

    /// Whether operand `a` is in operand `b`; they are consumed.
    #[inline(never)]
    pub(crate) fn contains_registers(&mut self, window: Window, i: Instruction) -> Result<bool> {
        {
            // SAFETY: nothing below runs a script while these are used.
            let (item, container) = unsafe { (window.borrow(i.a()), window.borrow(i.b())) };
            if let Some(found) = self.quick_contains(container, item) {
                window.consume(i.a());
                window.consume(i.b());
                return Ok(found);
            }
        }
        let item = window.take(self, i.a())?;
        let container = window.take(self, i.b())?;
        if let (Some(dict), true) = (container.downcast::<Dict>(), self.is_exact(&container, TypeId::Dict)) {
            return Ok(self.dict_get(dict, &item)?.is_some());
        }
        let found = self.contains(&container, &item);
        drop(item);
        drop(container);
        found
    }

    // ---- loops

    #[inline(never)]
    pub(crate) fn get_iterator(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let iterator = self.iter(&value)?;
        drop(value);
        window.set(i.a(), iterator);
        Ok(())
    }

    /// The next item of the iterator in a register.
    #[inline(never)]
    pub(crate) fn next_word(&mut self, iterator: Word) -> Result<Option<Value>> {
        // SAFETY: a temporary of the window, which owns it and which no script can reach, so it stays while it is asked.
        let iterator = std::mem::ManuallyDrop::new(unsafe { Value::from_owned(iterator) });
        if let Some(item) = crate::object::types::scalar_iterator::quick_next(self, &iterator) {
            return Ok(Some(item));
        }
        self.next(&iterator)
    }

    #[inline(never)]
    pub(crate) fn range_start(&mut self, window: Window, i: Instruction) -> Result<()> {
        let (base, argc) = (i.a(), i.b());
        let callable = window.take_temporary(base);
        let arguments = window.take_range(base + 1, argc);
        if callable.is(self.state().builtin(TypeId::Range)) {
            let numbers: Option<Vec<i64>> = arguments.iter().map(Value::as_small).collect();
            if let Some(numbers) = numbers {
                let (start, stop, step) = match numbers.as_slice() {
                    [stop] => (0, *stop, 1),
                    [start, stop] => (*start, *stop, 1),
                    [start, stop, step] => (*start, *stop, *step),
                    _ => (0, 0, 0),
                };
                let count = range_length(start, stop, step);
                let fits = |number: i64| Word::from_small(number).is_some();
                if step != 0 && count.is_some_and(fits) && stop.checked_add(step).is_some_and(fits) {
                    window.set(base, Value::small(start));
                    window.set(base + 1, Value::small(count.unwrap_or(0)));
                    window.set(base + 2, Value::small(step));
                    return Ok(());
                }
            }
        }
        let iterable = self.call(&callable, &arguments)?;
        let iterator = self.iter(&iterable)?;
        window.set(base, iterator);
        window.set(base + 1, Value::UNBOUND);
        Ok(())
    }

    // ---- calls

    /// `f(*args, **names)`.
    ///
    /// # Safety
    /// `callable` and the one or two places after it are owned temporaries of the running frame.
    #[inline(never)]
    pub(crate) unsafe fn call_spread(&mut self, callable: *mut Word, has_names: bool) -> Result<Called> {
        // SAFETY: the caller's promise.
        let (function, positional, named) = unsafe {
            let function = Value::from_borrowed(callable.read());
            let positional = Value::from_owned(std::ptr::replace(callable.add(1), Word::UNBOUND));
            let named = if has_names { Some(Value::from_owned(std::ptr::replace(callable.add(2), Word::UNBOUND))) } else { None };
            (function, positional, named)
        };
        if let (Some(payload), Some(tuple)) = (function.downcast::<Function>(), positional.downcast::<Tuple>()) {
            let code = payload.get(self).code.get(self);
            if self.is_exact(&positional, TypeId::Tuple) && !code.unit.flags.is_resumable() {
                // SAFETY: the caller's promise; the callable's word moves.
                return unsafe { self.enter_spread(callable, tuple, named.as_ref()) };
            }
        }
        let mut values: Vec<Value> = match positional.downcast::<Tuple>() {
            Some(tuple) if self.is_exact(&positional, TypeId::Tuple) => tuple.get(self).items().to_vec(),
            _ => self.spread_items(&function, &positional)?,
        };
        let mut names: Vec<Value> = Vec::new();
        if let Some(dict) = named.as_ref().and_then(|named| named.downcast::<Dict>()) {
            for (key, value) in dict.get(self).items() {
                names.push(key.clone());
                values.push(value.clone());
            }
        }
        drop(positional);
        drop(named);
        let result = self.call_args(&function, CallArgs { values: &values, names: &names })?;
        drop(function);
        // SAFETY: the window owns the callable.
        unsafe {
            let old = callable.read();
            callable.write(result.into_word());
            release(old);
        }
        Ok(Called::Done)
    }

    /// Enters a script function with spread arguments: its frame stands at the stack's top, from where the result is fetched.
    unsafe fn enter_spread(&mut self, callable: *mut Word, positional: &Ref<Tuple>, named: Option<&Value>) -> Result<Called> {
        let top = self.stack_top();
        let dict = named.and_then(|named| named.downcast::<Dict>());
        let n_positional = positional.get(self).items().len();
        let n_named = dict.map_or(0, |dict| dict.get(self).len());
        // SAFETY: the stack's top is free; what is written there is owned by it.
        unsafe { self.reserve_stack(top.add(n_positional + n_named + 4))? };
        let mut place = top.wrapping_add(1);
        for item in positional.get(self).items() {
            // SAFETY: as above.
            unsafe { place.write(item.clone().into_word()) };
            place = place.wrapping_add(1);
        }
        let mut names: smallvec::SmallVec<[Value; 3]> = smallvec::SmallVec::new();
        if let Some(dict) = dict {
            for (key, value) in dict.get(self).items() {
                names.push(key.clone());
                // SAFETY: as above.
                unsafe { place.write(value.clone().into_word()) };
                place = place.wrapping_add(1);
            }
        }
        let names = (!names.is_empty()).then(|| self.new_tuple(names));
        // SAFETY: the callable's word moves to the stack's top.
        unsafe {
            top.write(std::ptr::replace(callable, Word::UNBOUND));
            let function = &*top.cast::<Value>();
            let entered = match function.downcast::<Function>() {
                Some(payload) => {
                    let payload = payload.clone();
                    self.enter_function(&payload, top, n_positional + n_named, names.as_ref())
                }
                None => Ok(Called::Done),
            };
            match entered {
                Ok(called) => {
                    if let Some(record) = self.frames.records.last_mut() {
                        record.flags |= super::frame::FAR;
                    }
                    Ok(called)
                }
                Err(raised) => {
                    let function = std::ptr::replace(top, Word::UNBOUND);
                    release(function);
                    Err(raised)
                }
            }
        }
    }

    /// The items of `*iterable` in a call.
    fn spread_items(&mut self, function: &Value, iterable: &Value) -> Result<Vec<Value>> {
        if self.type_payload(iterable).slots.iter.is_none() && self.type_payload(iterable).slots.get_item.is_none() {
            let label = self.callable_label(function)?;
            let message = format!("{label} argument after * must be an iterable, not {}", self.type_name(iterable));
            return Err(self.type_error(message));
        }
        self.collect(iterable)
    }

    /// How messages about a call's spread arguments name the callable: with module, qualified name and `()`.
    pub(crate) fn callable_label(&mut self, function: &Value) -> Result<String> {
        let Some(qualname) = self.find_attr_str(function, "__qualname__")? else {
            let text = self.str_text(function)?;
            return Ok(text.to_string());
        };
        let module = self.find_attr_str(function, "__module__")?;
        let qualname = self.str_text(&qualname)?;
        match module {
            Some(module) if !module.is_none() => {
                let module = self.str_text(&module)?.to_string();
                if module == "builtins" { Ok(format!("{qualname}()")) } else { Ok(format!("{module}.{qualname}()")) }
            }
            _ => Ok(format!("{qualname}()")),
        }
    }

    #[inline(never)]
    pub(crate) fn make_function(&mut self, window: Window, i: Instruction) -> Result<()> {
        let code_payload = window.code();
        let site = &code_payload.unit.functions[i.c() as usize];
        let code = match code_payload.functions[i.c() as usize].get() {
            Some(code) => code.clone(),
            None => {
                let code = self.make_code(site.unit.clone());
                let _ = code_payload.functions[i.c() as usize].set(code.clone());
                code
            }
        };
        let mut place = i.b();
        let mut next = |wanted: bool| {
            wanted.then(|| {
                place += 1;
                window.take_temporary(place - 1)
            })
        };
        let defaults = next(site.has_defaults);
        let keyword_defaults = next(site.has_keyword_defaults);
        let annotations = next(site.has_annotations);
        let closure: Box<[Value]> = site
            .captures
            .iter()
            .map(|capture| match capture {
                // SAFETY: the window owns its cells.
                Capture::Local(register) => unsafe { Value::from_borrowed(window.peek(*register)) },
                Capture::Free(index) => window.function().get(self).closure[usize::from(*index)].clone(),
            })
            .collect();
        let (globals, builtins) = {
            let function = window.function().get(self);
            (function.globals.clone(), function.builtins.clone())
        };
        let module_name = self.name(Name::Name);
        let module = self.dict_get(&globals, &module_name)?.unwrap_or(Value::NONE);
        let (name, qualname, doc) = {
            let payload = code.get(self);
            let doc = if payload.unit.flags.has_docstring { payload.constants[0].clone() } else { Value::NONE };
            (payload.name.clone(), payload.qualname.clone(), doc)
        };
        let payload =
            Function { code, globals, builtins, closure, defaults, keyword_defaults, name, qualname, module, doc, annotations, type_params: None };
        let function = self.alloc(TypeId::Function, payload);
        window.set(i.a(), function.into_value());
        Ok(())
    }

    // ---- building

    #[inline(never)]
    pub(crate) fn build_tuple(&mut self, window: Window, i: Instruction) -> Result<()> {
        let count = usize::from(i.d());
        let mut items: smallvec::SmallVec<[Value; 3]> = smallvec::SmallVec::with_capacity(count);
        // SAFETY: the window owned the temporaries, which move; there is room for them.
        unsafe {
            window.move_range(i.b(), count, items.as_mut_ptr());
            items.set_len(count);
        }
        let tuple = self.new_tuple(items);
        window.set(i.a(), tuple);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn build_list(&mut self, window: Window, i: Instruction) -> Result<()> {
        let items = window.take_range(i.b(), i.d());
        let list = self.new_list(items);
        window.set(i.a(), list);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn build_set(&mut self, window: Window, i: Instruction) -> Result<()> {
        let items = window.take_range(i.b(), i.d());
        let set = self.new_set();
        for item in &items {
            crate::object::types::set_methods::add(self, &set, item.clone())?;
        }
        drop(items);
        window.set(i.a(), set.into_value());
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn build_dict(&mut self, window: Window, i: Instruction) -> Result<()> {
        let mut items = window.take_range(i.b(), i.d() * 2).into_iter();
        let dict = self.new_dict();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            self.dict_set(&dict, &key, value)?;
        }
        window.set(i.a(), dict.into_value());
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn build_string(&mut self, window: Window, i: Instruction) -> Result<()> {
        let parts = i.b()..i.b() + i.d();
        // SAFETY: temporaries; nothing below runs a script.
        let texts = parts.clone().filter_map(|place| self.text_of(unsafe { window.borrow(place) }));
        let size = texts.clone().map(crate::text::Text::heap_size).sum::<usize>();
        if size > 4096 {
            self.charge(size)?;
        }
        // SAFETY: as above.
        let texts = parts.clone().filter_map(|place| self.text_of(unsafe { window.borrow(place) }));
        let Ok(text) = Text::concat_all(texts) else { return Err(self.memory_error()) };
        for place in parts {
            drop(window.take_temporary(place));
        }
        let value = self.new_str(text);
        window.set(i.a(), value);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn build_slice(&mut self, window: Window, i: Instruction) -> Result<()> {
        let start = window.take_temporary(i.b());
        let stop = window.take_temporary(i.b() + 1);
        let step = window.take_temporary(i.b() + 2);
        let slice = self.new_slice(start, stop, step);
        window.set(i.a(), slice);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn list_append(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        // SAFETY: the window owns it.
        let list = unsafe { Value::from_borrowed(window.peek(i.a())) };
        if let Some(list) = list.downcast::<List>() {
            crate::object::types::list_methods::push(self, list, value)?;
        }
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn set_add_register(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let set = window.keep(self, i.a())?;
        match set.downcast::<Set>() {
            Some(set) => crate::object::types::set_methods::add(self, set, value).map(|_| ()),
            None => Ok(()),
        }
    }

    #[inline(never)]
    pub(crate) fn dict_set_register(&mut self, window: Window, i: Instruction) -> Result<()> {
        let key = window.take(self, i.b())?;
        let value = window.take(self, i.d())?;
        let dict = window.keep(self, i.a())?;
        match dict.downcast::<Dict>() {
            Some(dict) => self.dict_set(dict, &key, value),
            None => Ok(()),
        }
    }

    #[inline(never)]
    pub(crate) fn list_extend(&mut self, window: Window, i: Instruction) -> Result<()> {
        let iterable = window.take(self, i.b())?;
        let list = window.keep(self, i.a())?;
        let items = if i.k() == 1 {
            let function = window.keep(self, i.a() - 1)?;
            self.spread_items(&function, &iterable)?
        } else {
            if self.type_payload(&iterable).slots.iter.is_none() && self.type_payload(&iterable).slots.get_item.is_none() {
                let message = format!("Value after * must be an iterable, not {}", self.type_name(&iterable));
                return Err(self.type_error(message));
            }
            self.collect(&iterable)?
        };
        if let Some(list) = list.downcast::<List>() {
            crate::object::types::list_methods::reserve(self, list, items.len())?;
            list.get_mut(self).items.extend(items);
        }
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn set_update(&mut self, window: Window, i: Instruction) -> Result<()> {
        let iterable = window.take(self, i.b())?;
        let set = window.keep(self, i.a())?;
        let Some(set) = set.downcast::<Set>() else { return Ok(()) };
        crate::object::types::set_methods::update(self, set, &iterable)
    }

    #[inline(never)]
    pub(crate) fn dict_update(&mut self, window: Window, i: Instruction) -> Result<()> {
        let mapping = window.take(self, i.b())?;
        let dict = window.keep(self, i.a())?;
        let Some(dict) = dict.downcast::<Dict>() else { return Ok(()) };
        if !self.is_kind(&mapping, TypeId::Dict) && self.find_attr_str(&mapping, "keys")?.is_none() {
            let message = format!("'{}' object is not a mapping", self.type_name(&mapping));
            return Err(self.type_error(message));
        }
        crate::object::types::dict_methods::merge(self, dict, &mapping)
    }

    #[inline(never)]
    pub(crate) fn dict_merge(&mut self, window: Window, i: Instruction) -> Result<()> {
        let mapping = window.take(self, i.b())?;
        let dict = window.keep(self, i.a())?;
        let callable = window.keep(self, i.d())?;
        let Some(dict) = dict.downcast::<Dict>() else { return Ok(()) };
        if !self.is_kind(&mapping, TypeId::Dict) && self.find_attr_str(&mapping, "keys")?.is_none() {
            let label = self.callable_label(&callable)?;
            let message = format!("{label} argument after ** must be a mapping, not {}", self.type_name(&mapping));
            return Err(self.type_error(message));
        }
        for key in self.mapping_keys(&mapping)? {
            if !key.holds::<Str>() {
                return Err(self.type_error("keywords must be strings"));
            }
            if self.dict_get(dict, &key)?.is_some() {
                let label = self.callable_label(&callable)?;
                let name = self.str_text(&key)?;
                return Err(self.type_error(format!("{label} got multiple values for keyword argument '{name}'")));
            }
            let value = self.get_item(&mapping, &key)?;
            self.dict_set(dict, &key, value)?;
        }
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn list_to_tuple(&mut self, window: Window, i: Instruction) -> Result<()> {
        let list = window.take(self, i.b())?;
        let items = list.downcast::<List>().map(|list| std::mem::take(&mut list.get_mut(self).items)).unwrap_or_default();
        let tuple = self.new_tuple(items);
        window.set(i.a(), tuple);
        Ok(())
    }

    fn convert_for_format(&mut self, value: Value, conversion: u8) -> Result<Value> {
        match conversion {
            c if c == Conversion::Str as u8 => self.str(&value),
            c if c == Conversion::Repr as u8 => self.repr(&value),
            c if c == Conversion::Ascii as u8 => self.ascii(&value),
            _ => Ok(value),
        }
    }

    #[inline(never)]
    pub(crate) fn format_simple(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let value = self.convert_for_format(value, i.k())?;
        let result = if self.is_exact(&value, TypeId::Str) {
            value
        } else if let Some(small) = value.as_small() {
            self.small_str(small)
        } else {
            let empty = self.empty_str();
            self.format(&value, &empty)?
        };
        window.set(i.a(), result);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn format_with_spec(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let spec = window.take(self, i.d())?;
        let value = self.convert_for_format(value, i.k())?;
        let result = self.format(&value, &spec)?;
        drop(value);
        window.set(i.a(), result);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn unpack_sequence(&mut self, window: Window, i: Instruction) -> Result<()> {
        let source = window.take(self, i.b())?;
        let count = usize::from(i.d());
        let items = self.unpack_exact(&source, count)?;
        drop(source);
        for (offset, item) in items.into_iter().enumerate() {
            window.set(i.a() + offset as u16, item);
        }
        Ok(())
    }

    fn unpack_exact(&mut self, source: &Value, count: usize) -> Result<Vec<Value>> {
        let known = if let (Some(tuple), true) = (source.downcast::<Tuple>(), self.is_exact(source, TypeId::Tuple)) {
            Some(tuple.get(self).items().to_vec())
        } else if let (Some(list), true) = (source.downcast::<List>(), self.is_exact(source, TypeId::List)) {
            Some(list.get(self).items.clone())
        } else {
            None
        };
        if let Some(items) = known {
            if items.len() > count {
                return Err(self.value_error(format!("too many values to unpack (expected {count})")));
            }
            if items.len() < count {
                return Err(self.value_error(format!("not enough values to unpack (expected {count}, got {})", items.len())));
            }
            return Ok(items);
        }
        let Some(iterator) = self.try_iter(source)? else {
            let message = format!("cannot unpack non-iterable {} object", self.type_name(source));
            return Err(self.type_error(message));
        };
        let mut items = Vec::with_capacity(count);
        while items.len() < count {
            match self.next(&iterator)? {
                Some(item) => items.push(item),
                None => {
                    let message = format!("not enough values to unpack (expected {count}, got {})", items.len());
                    return Err(self.value_error(message));
                }
            }
        }
        if self.next(&iterator)?.is_some() {
            return Err(self.value_error(format!("too many values to unpack (expected {count})")));
        }
        Ok(items)
    }

    #[inline(never)]
    pub(crate) fn unpack_starred(&mut self, window: Window, i: Instruction) -> Result<()> {
        let source = window.take(self, i.b())?;
        let (before, after) = (usize::from(i.d()), usize::from(i.k()));
        if self.try_iter(&source)?.is_none() {
            let message = format!("cannot unpack non-iterable {} object", self.type_name(&source));
            return Err(self.type_error(message));
        }
        let mut items = self.collect(&source)?;
        drop(source);
        if items.len() < before + after {
            let least = before + after;
            let message = format!("not enough values to unpack (expected at least {least}, got {})", items.len());
            return Err(self.value_error(message));
        }
        let tail = items.split_off(items.len() - after);
        let middle = items.split_off(before);
        let mut place = i.a();
        for item in items {
            window.set(place, item);
            place += 1;
        }
        let middle = self.new_list(middle);
        window.set(place, middle);
        place += 1;
        for item in tail {
            window.set(place, item);
            place += 1;
        }
        Ok(())
    }

    // ---- exceptions

    #[inline(never)]
    pub(crate) fn raise_instruction(&mut self, window: Window, i: Instruction) -> Raised {
        if i.b() == 0 {
            let handled = self.handled.clone();
            if handled.is_none() {
                return self.runtime_error("No active exception to reraise");
            }
            // This frame adds nothing to the traceback, as in CPython: `except*` tells by it what was only raised again.
            self.skip_traceback = true;
            return self.reraise(handled);
        }
        let exception = window.take_temporary(i.a());
        let cause = (i.b() == 2).then(|| window.take_temporary(i.a() + 1));
        let exception = match self.instantiate_exception(&exception) {
            Ok(exception) => exception,
            Err(raised) => return raised,
        };
        if let Some(cause) = cause {
            let cause = if cause.is_none() {
                cause
            } else if self.is_exception_class(&cause) {
                match self.instantiate_exception(&cause) {
                    Ok(cause) => cause,
                    Err(raised) => return raised,
                }
            } else if cause.holds::<Exception>() {
                cause
            } else {
                return self.type_error("exception causes must derive from BaseException");
            };
            if let Some(payload) = exception.downcast::<Exception>() {
                let payload = payload.get_mut(self);
                payload.suppress_context = true;
                let old = std::mem::replace(&mut payload.cause, cause);
                drop(old);
            }
        }
        self.raise_value(exception)
    }

    #[inline(never)]
    pub(crate) fn exception_matches(&mut self, window: Window, i: Instruction) -> Result<bool> {
        let exception = window.keep(self, i.a())?;
        let class = window.take(self, i.b())?;
        if self.is_exception_class(&class) {
            return Ok(class.downcast::<Type>().is_some_and(|class| self.is_instance(&exception, class)));
        }
        if let Some(tuple) = class.downcast::<Tuple>() {
            let items = tuple.get(self).items().to_vec();
            if items.iter().all(|item| self.is_exception_class(item)) {
                return Ok(items.iter().any(|item| item.downcast::<Type>().is_some_and(|class| self.is_instance(&exception, class))));
            }
        }
        Err(self.type_error("catching classes that do not inherit from BaseException is not allowed"))
    }

    #[inline(never)]
    pub(crate) fn match_group(&mut self, window: Window, i: Instruction) -> Result<()> {
        let class = window.take(self, i.d())?;
        let exception = window.keep(self, i.b())?;
        let (matched, rest) = if exception.is_none() { (Value::NONE, Value::NONE) } else { self.group_match(&exception, &class)? };
        if matched.is_none() {
            window.set(i.a(), matched);
            return Ok(());
        }
        window.set(i.b(), rest);
        // The clause handles its part of the group: a bare `raise` raises that, and what it raises has it as its context.
        let old = std::mem::replace(&mut self.handled, matched.clone());
        drop(old);
        window.set(i.a(), matched);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn group_rest(&mut self, window: Window, i: Instruction) -> Result<()> {
        let raised = window.take(self, i.d())?;
        let original = window.keep(self, i.b())?;
        let result = self.group_rest_of(&original, &raised)?;
        window.set(i.a(), result);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn load_assertion_error(&mut self, window: Window, i: Instruction) -> Result<()> {
        let class = self.state().exception(ExceptionKind::AssertionError).clone();
        window.set(i.a(), class.into_value());
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn setup_with(&mut self, window: Window, i: Instruction) -> Result<()> {
        let manager = window.take(self, i.b())?;
        let is_async = i.k() == 1;
        let (enter_name, exit_name) = if is_async { (Name::AsyncEnter, Name::AsyncExit) } else { (Name::Enter, Name::Exit) };
        let class = self.type_of(&manager);
        let (enter_key, exit_key) = (self.name(enter_name), self.name(exit_name));
        let protocol = if is_async { "asynchronous context manager" } else { "context manager" };
        let Some(enter) = self.type_lookup(&class, &enter_key) else {
            let message = format!("'{}' object does not support the {protocol} protocol", self.type_name(&manager));
            return Err(self.type_error(message));
        };
        let Some(exit) = self.type_lookup(&class, &exit_key) else {
            let missed = if is_async { "__aexit__" } else { "__exit__" };
            let message = format!("'{}' object does not support the {protocol} protocol (missed {missed} method)", self.type_name(&manager));
            return Err(self.type_error(message));
        };
        for (attribute, place) in [(enter, i.a() + 2), (exit, i.a())] {
            let is_native_method = attribute.downcast::<NativeFunction>().is_some_and(|native| native.get(self).kind == NativeKind::Method);
            if is_native_method || attribute.holds::<Function>() {
                window.set(place, attribute);
                window.set(place + 1, manager.clone());
            } else {
                let bound = self.bind(&attribute, Some(&manager), &class)?;
                window.set(place, bound);
                window.set(place + 1, Value::UNBOUND);
            }
        }
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn load_exception_triple(&mut self, window: Window, i: Instruction) -> Result<()> {
        let exception = window.keep(self, i.b())?;
        let class = self.type_of(&exception).into_value();
        let traceback = exception.downcast::<Exception>().map_or(Value::NONE, |payload| payload.get(self).traceback.clone());
        window.set(i.a(), class);
        window.set(i.a() + 1, exception);
        window.set(i.a() + 2, traceback);
        Ok(())
    }

    // ---- pattern matching

    #[inline(never)]
    pub(crate) fn match_sequence(&mut self, window: Window, i: Instruction) -> Result<()> {
        let subject = window.keep(self, i.b())?;
        let matches = self.type_payload(&subject).has(MATCH_SEQUENCE);
        window.set(i.a(), Value::from_bool(matches));
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn match_mapping(&mut self, window: Window, i: Instruction) -> Result<()> {
        let subject = window.keep(self, i.b())?;
        let matches = self.type_payload(&subject).has(MATCH_MAPPING);
        window.set(i.a(), Value::from_bool(matches));
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn match_keys(&mut self, window: Window, i: Instruction) -> Result<()> {
        let keys = window.take(self, i.d())?;
        let subject = window.keep(self, i.b())?;
        let keys = self.tuple_items(&keys);
        for (place, key) in keys.iter().enumerate() {
            for other in &keys[..place] {
                if self.equal(other, key)? {
                    let text = self.repr_text(key)?;
                    return Err(self.value_error(format!("mapping pattern checks duplicate key ({text})")));
                }
            }
        }
        let is_dict = self.is_exact(&subject, TypeId::Dict);
        let mut values = Vec::with_capacity(keys.len());
        let missing = self.call_plain_object()?;
        for key in &keys {
            let found = match subject.downcast::<Dict>() {
                Some(dict) if is_dict => self.dict_get(dict, key)?,
                _ => {
                    let found = self.call_method(&subject, "get", &[key.clone(), missing.clone()])?;
                    Some(found).filter(|found| !found.is(&missing))
                }
            };
            match found {
                Some(value) => values.push(value),
                None => {
                    window.set(i.a(), Value::NONE);
                    return Ok(());
                }
            }
        }
        let tuple = self.new_tuple(values);
        window.set(i.a(), tuple);
        Ok(())
    }

    /// A fresh `object()`: a value nobody else has.
    fn call_plain_object(&mut self) -> Result<Value> {
        let class = self.builtin(TypeId::Object);
        Ok(self.alloc_instance(&class))
    }

    #[inline(never)]
    pub(crate) fn match_class(&mut self, window: Window, i: Instruction) -> Result<()> {
        let class = window.take_temporary(i.d());
        let n_positional = window.take_temporary(i.d() + 1).as_small().unwrap_or(0) as usize;
        let names = window.take_temporary(i.d() + 2);
        let subject = window.keep(self, i.b())?;
        let result = self.match_class_attributes(&subject, &class, n_positional, &names)?;
        window.set(i.a(), result);
        Ok(())
    }

    fn match_class_attributes(&mut self, subject: &Value, class: &Value, n_positional: usize, names: &Value) -> Result<Value> {
        let Some(class_ref) = class.downcast::<Type>() else {
            return Err(self.type_error("called match pattern must be a class"));
        };
        if !self.object_isinstance(subject, class)? {
            return Ok(Value::NONE);
        }
        let mut seen: Vec<Value> = Vec::new();
        let mut values = Vec::new();
        if n_positional > 0 {
            let name = self.name(Name::MatchArgs);
            let class_name = self.class_name(class_ref);
            let (attributes, match_self) = match self.find_attr(class, &name)? {
                Some(attributes) => {
                    if !attributes.holds::<Tuple>() {
                        let message = format!("{class_name}.__match_args__ must be a tuple (got {})", self.type_name(&attributes));
                        return Err(self.type_error(message));
                    }
                    (self.tuple_items(&attributes), false)
                }
                None => (Vec::new(), class_ref.get(self).has(MATCH_SELF)),
            };
            let allowed = if match_self { 1 } else { attributes.len() };
            if allowed < n_positional {
                let plural = if allowed == 1 { "" } else { "s" };
                let message = format!("{class_name}() accepts {allowed} positional sub-pattern{plural} ({n_positional} given)");
                return Err(self.type_error(message));
            }
            if match_self {
                values.push(subject.clone());
            } else {
                for attribute in attributes.into_iter().take(n_positional) {
                    if !attribute.holds::<Str>() {
                        let message = format!("__match_args__ elements must be strings (got {})", self.type_name(&attribute));
                        return Err(self.type_error(message));
                    }
                    match self.match_attribute(subject, &class_name, &attribute, &mut seen)? {
                        Some(value) => values.push(value),
                        None => return Ok(Value::NONE),
                    }
                }
            }
        }
        for attribute in self.tuple_items(names) {
            let class_name = self.class_name(class_ref);
            match self.match_attribute(subject, &class_name, &attribute, &mut seen)? {
                Some(value) => values.push(value),
                None => return Ok(Value::NONE),
            }
        }
        Ok(self.new_tuple(values))
    }

    fn match_attribute(&mut self, subject: &Value, class_name: &str, attribute: &Value, seen: &mut Vec<Value>) -> Result<Option<Value>> {
        for known in seen.iter() {
            if self.equal(known, attribute)? {
                let text = self.repr_text(attribute)?;
                return Err(self.type_error(format!("{class_name}() got multiple sub-patterns for attribute {text}")));
            }
        }
        seen.push(attribute.clone());
        self.find_attr(subject, attribute)
    }

    #[inline(never)]
    pub(crate) fn get_len(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.keep(self, i.b())?;
        let len = self.len(&value)?;
        window.set(i.a(), Value::small(len as i64));
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn match_rest(&mut self, window: Window, i: Instruction) -> Result<()> {
        let keys = window.take(self, i.d())?;
        let source = window.keep(self, i.b())?;
        let rest = self.new_dict();
        for key in self.mapping_keys(&source)? {
            let value = self.get_item(&source, &key)?;
            self.dict_set(&rest, &key, value)?;
        }
        for key in self.tuple_items(&keys) {
            self.dict_remove(&rest, &key)?;
        }
        window.set(i.a(), rest.into_value());
        Ok(())
    }

    // ---- modules, classes and the rest

    #[inline(never)]
    pub(crate) fn import_name(&mut self, window: Window, i: Instruction) -> Result<()> {
        let level = window.take_temporary(i.b());
        let names = window.take_temporary(i.b() + 1);
        let name = window.name(i.c());
        let (globals, builtins) = {
            let function = window.function().get(self);
            (function.globals.clone(), function.builtins.clone())
        };
        let import_key = self.name(Name::Import);
        let Some(import) = self.dict_get(&builtins, &import_key)? else {
            return Err(self.raise(ExceptionKind::ImportError, "__import__ not found"));
        };
        let is_own = self.state().import_function.as_ref().is_some_and(|own| own.is(&import));
        let module = if is_own {
            let level = level.as_small().unwrap_or(0);
            super::import::import_name(self, &name, Some(&globals), &names, level)?
        } else {
            let namespace = self.namespace();
            self.call(&import, &[name, globals.into_value(), namespace, names, level])?
        };
        window.set(i.a(), module);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn import_from(&mut self, window: Window, i: Instruction) -> Result<()> {
        let module = window.keep(self, i.b())?;
        let name = window.name(i.c());
        let value = super::import::import_from(self, &module, &name)?;
        window.set(i.a(), value);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn import_star(&mut self, window: Window, i: Instruction) -> Result<()> {
        let module = window.take(self, i.a())?;
        let namespace = self.namespace();
        super::import::import_star(self, &module, &namespace)
    }

    #[inline(never)]
    pub(crate) fn load_build_class(&mut self, window: Window, i: Instruction) -> Result<()> {
        let builtins = window.function().get(self).builtins.clone();
        let name = self.name(Name::BuildClass);
        match self.dict_get(&builtins, &name)? {
            Some(value) => {
                window.set(i.a(), value);
                Ok(())
            }
            None => Err(self.raise(ExceptionKind::NameError, "__build_class__ not found")),
        }
    }

    #[inline(never)]
    pub(crate) fn load_locals(&mut self, window: Window, i: Instruction) -> Result<()> {
        let namespace = self.namespace();
        window.set(i.a(), namespace);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn setup_annotations(&mut self, window: Window) -> Result<()> {
        let _ = window;
        let namespace = self.namespace();
        let name = self.name(Name::Annotations);
        if self.find_in_namespace(&namespace, &name)?.is_none() {
            let dict = self.new_dict().into_value();
            self.set_item(&namespace, &name, &dict)?;
        }
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn intrinsic(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let result = match Intrinsic::ALL[usize::from(i.k())] {
            Intrinsic::PrintExpression => {
                let Some(hook) = self.sys_get("displayhook")? else {
                    return Err(self.runtime_error("lost sys.displayhook"));
                };
                self.call(&hook, &[value])?;
                Value::NONE
            }
            Intrinsic::TypeVar => self.call_typing("_make_typevar", &[value])?,
            Intrinsic::ParamSpec => self.call_typing("_make_paramspec", &[value])?,
            Intrinsic::TypeVarTuple => self.call_typing("_make_typevartuple", &[value])?,
            Intrinsic::SubscriptGeneric => self.call_typing("_make_generic_base", &[value])?,
            Intrinsic::TypeAlias => {
                let items = self.tuple_items(&value);
                self.call_typing("_make_type_alias", &items)?
            }
            Intrinsic::ToTuple => {
                let items = self.collect(&value)?;
                self.new_tuple(items)
            }
            Intrinsic::TypeVarWithBound | Intrinsic::TypeVarWithConstraints | Intrinsic::SetTypeParamDefault | Intrinsic::SetFunctionTypeParams => {
                value
            }
        };
        window.set(i.a(), result);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn intrinsic2(&mut self, window: Window, i: Instruction) -> Result<()> {
        let first = window.take_temporary(i.b());
        let second = window.take_temporary(i.b() + 1);
        let result = match Intrinsic::ALL[usize::from(i.k())] {
            Intrinsic::TypeVarWithBound => self.call_typing("_make_typevar_with_bound", &[first, second])?,
            Intrinsic::TypeVarWithConstraints => self.call_typing("_make_typevar_with_constraints", &[first, second])?,
            Intrinsic::SetTypeParamDefault => self.call_typing("_set_default", &[first, second])?,
            Intrinsic::SetFunctionTypeParams => {
                if let Some(function) = first.downcast::<Function>() {
                    function.get_mut(self).type_params = Some(second);
                }
                first
            }
            _ => first,
        };
        window.set(i.a(), result);
        Ok(())
    }

    /// PEP 695's objects are made by functions of `typing`.
    fn call_typing(&mut self, function: &str, arguments: &[Value]) -> Result<Value> {
        let typing = self.import("_typing")?;
        let function = self.get_attr_str(&typing, function)?;
        self.call(&function, arguments)
    }
}

/// How many numbers `range(start, stop, step)` has.
fn range_length(start: i64, stop: i64, step: i64) -> Option<i64> {
    match step.signum() {
        1 if start >= stop => Some(0),
        1 => Some((stop - start - 1) / step + 1),
        -1 if start <= stop => Some(0),
        -1 => Some((start - stop - 1) / step.checked_neg()? + 1),
        _ => None,
    }
}
