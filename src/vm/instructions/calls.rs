//! Calls with spread arguments, functions made, and the code objects they run.
#![allow(unsafe_code, reason = "registers are raw words of the running frame's window (F1 to F3 in frame.rs)")]

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use crate::code::instruction::{Opcode, Word as Instruction};
use crate::code::symbol::Symbol;
use crate::code::unit::{Capture, Constant, Unit};
use crate::object::heap::release;
use crate::object::type_object::CallArgs;
use crate::object::types::TypeId;
use crate::object::types::code::Code;
use crate::object::types::dict::Dict;
use crate::object::types::function::{BoundMethod, Function};
use crate::object::types::str::Str;
use crate::object::types::tuple::Tuple;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::text::Text;
use crate::vm::call::Called;
use crate::vm::state::Name;
use crate::vm::vm::{Result, Vm};
use crate::vm::window::Window;

/// Whether an operation reads or writes the attribute that its site names.
fn is_attribute_access(opcode: u8) -> bool {
    const ACCESSES: [Opcode; 6] = [
        Opcode::LoadAttribute,
        Opcode::StoreAttribute,
        Opcode::DeleteAttribute,
        Opcode::LoadMethod,
        Opcode::LoadSuperAttribute,
        Opcode::LoadSuperMethod,
    ];
    ACCESSES.iter().any(|access| *access as u8 == opcode)
}

impl Vm {
    /// The code object of a unit, in this interpreter.
    pub(crate) fn make_code(&mut self, unit: Arc<Unit>) -> Ref<Code> {
        let is_waiting = unit.is_waiting();
        let payload = Code {
            instructions: Box::default(),
            constants: Box::default(),
            traced: std::cell::OnceCell::new(),
            caches: Box::default(),
            has_filled: Cell::new(false),
            names: Box::default(),
            functions: Box::default(),
            parameters: Box::default(),
            name: self.intern_symbol(&unit.name),
            qualname: OnceCell::new(),
            filename: self.intern_symbol(&unit.filename),
            n_arguments: 0,
            n_locals: 0,
            n_registers: 0,
            is_plain: false,
            is_simple: false,
            is_awaitable: false,
            is_complete: false,
            unit,
        };
        let code = self.alloc(TypeId::Code, payload);
        if !is_waiting {
            self.complete_code(&code);
        }
        code
    }

    /// Gives a code object what comes from its unit's body; to be called before its body runs or is looked at.
    #[inline]
    pub(crate) fn complete_code(&mut self, code: &Ref<Code>) {
        if !code.get(self).is_complete {
            self.fill_code(code);
        }
    }

    #[inline(never)]
    fn fill_code(&mut self, code: &Ref<Code>) {
        let unit = code.get(self).unit.clone();
        let flags = unit.flags;
        let body = unit.body();
        let mut constants = Vec::with_capacity(body.constants.len());
        body.constants.for_each(|constant| constants.push(self.make_constant(constant)));
        let mut names = Vec::with_capacity(body.sites.len());
        body.sites.for_each(|name| names.push(self.intern_symbol(name)));
        let mut instructions = Vec::with_capacity(body.code.len());
        body.code.for_each(|word| {
            if is_attribute_access(word.opcode_byte())
                && let Some(name) = names.get(word.c() as usize)
            {
                crate::object::intern::note_site_name(name);
            }
            instructions.push(Cell::new(word.0));
        });
        let parameters = body.locals[..usize::from(body.n_positional + body.n_keyword_only)].iter().map(|name| self.intern_symbol(name)).collect();
        let n_parameters = body.n_positional + body.n_keyword_only + u16::from(flags.has_varargs) + u16::from(flags.has_varkeywords);
        let is_plain = body.n_keyword_only == 0 && !flags.has_varargs && !flags.has_varkeywords;
        self.resize(code, |code| {
            code.instructions = instructions.into_boxed_slice();
            code.constants = constants.into_boxed_slice();
            code.caches = (0..names.len()).map(|_| Cell::new(0)).collect();
            code.names = names.into_boxed_slice();
            code.functions = (0..body.functions.len()).map(|_| OnceCell::new()).collect();
            code.parameters = parameters;
            code.n_arguments = n_parameters;
            code.n_locals = body.locals.len() as u16;
            code.n_registers = body.n_registers;
            code.is_plain = is_plain;
            code.is_simple = is_plain && !flags.is_resumable();
            code.is_complete = true;
        });
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
                if let Symbol::Library(number) = text
                    && let Some(known) = self.known_symbol(*number)
                {
                    return known;
                }
                if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') { self.intern_symbol(text) } else { self.new_str(&**text) }
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
        if let Some(dict) = named.as_ref().and_then(|named| named.downcast::<Dict>())
            && dict.get(self).items().any(|(key, _)| !key.holds::<Str>())
        {
            // Doubles were found before, when the mappings were merged.
            return Err(self.type_error("keywords must be strings"));
        }
        if let (Some(payload), Some(tuple)) = (function.downcast::<Function>(), positional.downcast::<Tuple>()) {
            let code = payload.get(self).code.get(self);
            if self.is_exact(&positional, TypeId::Tuple) && !code.unit.flags.is_resumable() {
                // SAFETY: the caller's promise; the callable's word moves.
                return unsafe { self.enter_spread(callable, None, tuple, named.as_ref()) };
            }
        }
        if let (Some(bound), Some(tuple)) = (function.downcast::<BoundMethod>(), positional.downcast::<Tuple>()) {
            let (method, receiver) = (bound.get(self).function.clone(), bound.get(self).receiver.clone());
            if let Some(payload) = method.downcast::<Function>() {
                let code = payload.get(self).code.get(self);
                if self.is_exact(&positional, TypeId::Tuple) && !code.unit.flags.is_resumable() {
                    // SAFETY: the caller's promise; the function takes the place of the method, which `function` keeps.
                    return unsafe {
                        let old = std::ptr::replace(callable, method.into_word());
                        release(old);
                        self.enter_spread(callable, Some(receiver), tuple, named.as_ref())
                    };
                }
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
        let result = self.call_args(&function, CallArgs { values: &values, names: &names });
        drop(function);
        // The callable goes first, then the tuple of arguments from its end, then the named ones.
        // SAFETY: the window owns the callable.
        unsafe { release(std::ptr::replace(callable, Word::UNBOUND)) };
        let named = values.split_off(values.len() - names.len());
        crate::object::sequence::release_backwards(values);
        drop(named);
        let result = result?.into_word();
        // SAFETY: the place is empty now.
        unsafe { callable.write(result) };
        Ok(Called::Done)
    }

    /// Enters a script function with spread arguments, after the receiver if it was bound to one: its frame stands at the stack's top, from where the
    /// result is fetched.
    ///
    /// # Safety
    /// As for `call_spread`, whose words these are.
    unsafe fn enter_spread(
        &mut self,
        callable: *mut Word,
        receiver: Option<Value>,
        positional: &Ref<Tuple>,
        named: Option<&Value>,
    ) -> Result<Called> {
        let top = self.stack_top();
        let dict = named.and_then(|named| named.downcast::<Dict>());
        let n_positional = usize::from(receiver.is_some()) + positional.get(self).items().len();
        let n_named = dict.map_or(0, |dict| dict.get(self).len());
        // SAFETY: the stack's top is free; what is written there is owned by it.
        unsafe { self.reserve_stack(top.add(n_positional + n_named + 4))? };
        let mut place = top.wrapping_add(1);
        for item in receiver.iter().chain(positional.get(self).items()) {
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
                        record.flags |= crate::vm::frame::FAR;
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
    pub(super) fn spread_items(&mut self, function: &Value, iterable: &Value) -> Result<Vec<Value>> {
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
                Capture::Local(register) => window.value(*register),
                Capture::Free(index) => window.function().get(self).closure[usize::from(*index)].clone(),
            })
            .collect();
        let (globals, builtins) = {
            let function = window.function().get(self);
            (function.globals.clone(), function.builtins.clone())
        };
        let module_name = self.name(Name::Name);
        let module = self.dict_get(&globals, &module_name)?.unwrap_or(Value::NONE);
        let (name, doc) = {
            let payload = code.get(self);
            // Unbound: to be taken from the code when somebody asks for it.
            let doc = match (payload.unit.flags.has_docstring, payload.is_complete) {
                (false, _) => Value::NONE,
                (true, false) => Value::UNBOUND,
                (true, true) => payload.constants[0].clone(),
            };
            (payload.name.clone(), doc)
        };
        let payload = Function {
            code,
            former_codes: None,
            globals,
            builtins,
            closure,
            defaults,
            keyword_defaults,
            name,
            qualname: Value::UNBOUND,
            module,
            doc,
            annotations,
            type_params: None,
        };
        let function = self.alloc(TypeId::Function, payload);
        window.set(i.a(), function.into_value());
        Ok(())
    }
}
