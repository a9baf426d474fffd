//! Calls: binding arguments to script functions, entering what else can be called, and running code for natives.
#![allow(unsafe_code, reason = "arguments are bound in place, in the register window the callee gets (F1 to F3 in frame.rs)")]

use smallvec::SmallVec;

use super::frame::{ENTRY, INIT, NAMESPACE, Record};
use super::state::Name;
use super::vm::{Raised, Result, Vm};
use crate::object::heap::release;
use crate::object::native::{Args, Arity, NativeCode, NativeFunction, NativeKind};
use crate::object::type_object::{ABSTRACT, CallArgs, Type};
use crate::object::types::TypeId;
use crate::object::types::code::Code;
use crate::object::types::dict::Dict;
use crate::object::types::function::{BoundMethod, Function};
use crate::object::types::generator::Generator;
use crate::object::types::module::Module;
use crate::object::types::tuple::Tuple;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;

/// What became of a call that the dispatch loop started.
pub(crate) enum Called {
    /// A frame was pushed: go on in it.
    Entered,
    /// It is done, and its result is in the callable's register.
    Done,
}

type Values = SmallVec<[Value; 6]>;

/// Moves `count` words out of a window, as values.
///
/// # Safety
/// The words are owned by the window; afterwards it holds no pointers there.
unsafe fn take_words(window: *mut Word, count: usize) -> Values {
    let mut values = Values::new();
    for index in 0..count {
        // SAFETY: the caller's promise.
        unsafe {
            let slot = window.add(index);
            values.push(Value::from_owned(slot.read()));
            slot.write(Word::UNBOUND);
        }
    }
    values
}

impl Vm {
    /// Starts the call of the callable in `*callable`, whose `argc` arguments follow it, the last of them named by `names`. All are consumed.
    ///
    /// # Safety
    /// `callable` points into the top frame's window (or to the stack's top), and the words are owned by it. `pc` of the top record is saved.
    #[inline(never)]
    pub(crate) unsafe fn start_call(&mut self, callable: *mut Word, argc: usize, names: Option<&Value>) -> Result<Called> {
        // SAFETY: as promised: the slot keeps the callable while it is called, unless it is replaced below.
        let target = unsafe { &*callable.cast::<Value>() };
        if let Some(native) = target.downcast::<NativeFunction>() {
            if names.is_none() {
                // SAFETY: as promised; natives do not touch their caller's window.
                return unsafe { self.call_direct(native, callable, argc) };
            }
        }
        let target = target.clone();
        if let Some(function) = target.downcast::<Function>() {
            // SAFETY: as promised.
            return unsafe { self.enter_function(function, callable, argc, names) };
        }
        if let Some(native) = target.downcast::<NativeFunction>() {
            // SAFETY: as promised; natives do not touch their caller's window.
            return unsafe {
                let result = self.call_native_window(native, callable.add(1), argc, names);
                self.finish_native(callable, argc, result)
            };
        }
        if let Some(bound) = target.downcast::<BoundMethod>() {
            let (function, receiver) = {
                let payload = bound.get(self);
                (payload.function.clone(), payload.receiver.clone())
            };
            if function.holds::<Function>() && self.stack_has_room(callable, argc) {
                // SAFETY: the words move up by one, into room that `stack_has_room` found free.
                unsafe {
                    std::ptr::copy(callable.add(1), callable.add(2), argc);
                    callable.add(1).write(receiver.into_word());
                    let old = callable.read();
                    callable.write(function.into_word());
                    release(old);
                    return self.start_call(callable, argc + 1, names);
                }
            }
            // SAFETY: as promised.
            return unsafe {
                let arguments = Value::borrow_slice(callable.add(1), argc);
                let mut values: Values = SmallVec::with_capacity(argc + 1);
                values.push(receiver);
                values.extend(arguments.iter().cloned());
                let list = self.name_list(names);
                let result = self.call_args(&function, CallArgs { values: &values, names: &list });
                self.finish_native(callable, argc, result)
            };
        }
        if let Some(class) = target.downcast::<Type>() {
            // SAFETY: as promised.
            if let Some(called) = unsafe { self.try_enter_constructor(class, callable, argc, names)? } {
                return Ok(called);
            }
        }
        // SAFETY: as promised.
        unsafe {
            let arguments = Value::borrow_slice(callable.add(1), argc);
            let list = self.name_list(names);
            let result = self.call_args(&target, CallArgs { values: arguments, names: &list });
            // An object with `__call__` may end here, before its arguments do.
            drop(target);
            release(std::ptr::replace(callable, Word::UNBOUND));
            self.finish_native(callable, argc, result)
        }
    }

    /// Calls a native function without named arguments: where its parameters allow it, with the arguments as they lie in the window.
    ///
    /// # Safety
    /// As for `start_call`; `native` is what `callable` holds.
    unsafe fn call_direct(&mut self, native: &Ref<NativeFunction>, callable: *mut Word, argc: usize) -> Result<Called> {
        // SAFETY: the callable's slot keeps the native alive during the call; its payload is only read, and has no references into it after this block.
        let payload = unsafe { &*native.as_ptr() };
        let arity = payload.arity.get();
        // SAFETY: as promised.
        let window = unsafe { callable.add(1) };
        let mut words = [Word::UNBOUND; Arity::MAX];
        let mut first = 0;
        if let (NativeKind::Bound, Some(receiver)) = (payload.kind, &payload.receiver) {
            words[0] = receiver.word();
            first = 1;
        }
        let given = argc + first;
        if given >= usize::from(arity.least) && given <= usize::from(arity.most) {
            let fits = match payload.kind {
                NativeKind::Function | NativeKind::Bound => true,
                NativeKind::Method => {
                    // SAFETY: the words are owned by the window, or by the native, and stay as they are during the call. Without arguments this is a
                    // word behind the callable, and is not looked at.
                    let receiver = unsafe { &*window.cast::<Value>() };
                    argc > 0 && payload.owner.downcast::<Type>().is_none_or(|owner| self.is_instance(receiver, owner))
                }
                NativeKind::SlotWrapper | NativeKind::ClassMethod | NativeKind::BoundSlotWrapper => false,
            };
            if let (true, NativeCode::Table(row, _)) = (fits, &payload.code) {
                let function = row.function;
                // SAFETY: as above; `words` has room for the most arguments there may be.
                return unsafe {
                    let result = if first == 0 && argc == usize::from(arity.most) {
                        function(self, Args(Value::borrow_slice(window, argc)))
                    } else {
                        std::ptr::copy_nonoverlapping(window, words.as_mut_ptr().add(first), argc);
                        function(self, Args(Value::borrow_slice(words.as_ptr(), usize::from(arity.most))))
                    };
                    self.finish_native(callable, argc, result)
                };
            }
        }
        if arity.most == 0 && arity.least != u8::MAX {
            // SAFETY: as promised.
            if let Some(called) = unsafe { self.call_resumption(arity, callable, argc)? } {
                return Ok(called);
            }
        }
        // SAFETY: as promised.
        unsafe {
            let native = native.clone();
            let result = self.call_native(&native, CallArgs { values: Value::borrow_slice(window, argc), names: &[] });
            self.finish_native(callable, argc, result)
        }
    }

    /// `generator.send(value)` and `next(generator)`, where the generator can be resumed: its frame is pushed, and its next item or its end is the call's.
    ///
    /// # Safety
    /// As for `start_call`.
    unsafe fn call_resumption(&mut self, arity: Arity, callable: *mut Word, argc: usize) -> Result<Option<Called>> {
        // SAFETY: the arguments stand behind the callable.
        let (receiver, argument) = unsafe {
            match (arity, argc) {
                (Arity::SEND, 2) => (callable.add(1), Some(callable.add(2))),
                (Arity::NEXT, 1) => (callable.add(1), None),
                _ => return Ok(None),
            }
        };
        // SAFETY: owned by the window.
        let receiver = unsafe { Value::from_borrowed(receiver.read()) };
        let Some(generator) = receiver.downcast::<Generator>() else { return Ok(None) };
        // SAFETY: as above.
        let is_none = argument.is_none_or(|argument| unsafe { argument.read() } == Word::NONE);
        if !self.can_resume(generator, is_none, arity == Arity::NEXT) {
            return Ok(None);
        }
        // SAFETY: the window owned the arguments, and gives them up; the callable's place gets the result.
        unsafe {
            let value = match argument {
                Some(argument) => Value::from_owned(std::ptr::replace(argument, Word::UNBOUND)),
                None => Value::NONE,
            };
            drop(Value::from_owned(std::ptr::replace(callable.add(1), Word::UNBOUND)));
            self.enter_resumable(generator, value)?;
        }
        Ok(Some(Called::Entered))
    }

    fn name_list(&self, names: Option<&Value>) -> Values {
        names.map(|names| names.downcast::<Tuple>().map(|tuple| Values::from(tuple.get(self).items())).unwrap_or_default()).unwrap_or_default()
    }

    /// Whether one more word behind the arguments is free: always so in the top frame of the thread's stack, whose window ends one word before the next.
    fn stack_has_room(&self, callable: *mut Word, argc: usize) -> bool {
        match self.frames.records.last() {
            Some(record) if record.generator().is_none() => {
                let window = record.base;
                let end = window.wrapping_add(usize::from(record.code().n_registers));
                callable >= window && callable.wrapping_add(argc) < end.wrapping_add(1)
            }
            _ => false,
        }
    }

    /// Releases the arguments, and puts the result in the callable's place.
    ///
    /// # Safety
    /// As for `start_call`.
    unsafe fn finish_native(&mut self, callable: *mut Word, argc: usize, result: Result<Value>) -> Result<Called> {
        // SAFETY: the window owns the words.
        unsafe {
            for index in 1..=argc {
                let slot = callable.add(index);
                let old = slot.read();
                slot.write(Word::UNBOUND);
                release(old);
            }
            let result = result?;
            let old = callable.read();
            callable.write(result.into_word());
            release(old);
        }
        Ok(Called::Done)
    }

    /// # Safety
    /// The `argc` words from `window` on are owned by it, and nothing changes them during the call.
    unsafe fn call_native_window(&mut self, native: &Ref<NativeFunction>, window: *mut Word, argc: usize, names: Option<&Value>) -> Result<Value> {
        // SAFETY: the words stay as they are during the call.
        let values = unsafe { Value::borrow_slice(window, argc) };
        let list = self.name_list(names);
        self.call_native(native, CallArgs { values, names: &list })
    }

    /// Calls a native function.
    #[inline]
    pub(crate) fn call_native(&mut self, native: &Ref<NativeFunction>, arguments: CallArgs<'_>) -> Result<Value> {
        let payload = native.get(self);
        match payload.kind {
            NativeKind::Bound | NativeKind::BoundSlotWrapper => {
                let mut values: Values = SmallVec::with_capacity(arguments.values.len() + 1);
                values.push(payload.receiver.clone().unwrap_or(Value::NONE));
                values.extend(arguments.values.iter().cloned());
                self.call_native_code(native, CallArgs { values: &values, names: arguments.names })
            }
            NativeKind::Method | NativeKind::SlotWrapper | NativeKind::ClassMethod => {
                self.check_receiver(native, arguments)?;
                self.call_native_code(native, arguments)
            }
            NativeKind::Function => self.call_native_code(native, arguments),
        }
    }

    fn call_native_code(&mut self, native: &Ref<NativeFunction>, arguments: CallArgs<'_>) -> Result<Value> {
        match &native.get(self).code {
            NativeCode::Table(row, signature) => {
                let (row, signature) = (*row, signature.clone());
                let is_function = native.get(self).kind == NativeKind::Function && !native.get(self).owner.holds::<Type>();
                let signature = signature.get_or_init(|| {
                    if is_function {
                        crate::object::signature::Signature::parse_function(row.signature)
                    } else {
                        crate::object::signature::Signature::parse(row.signature)
                    }
                });
                let owner = self.owner_for_messages(native);
                let arity = if crate::object::types::generator_methods::is_send(row) {
                    Arity::SEND
                } else if is_function && row.signature == "next(iterator, default=None, /)" {
                    Arity::NEXT
                } else {
                    signature.arity()
                };
                native.get(self).arity.set(arity);
                signature.call(self, row, &owner, arguments)
            }
            NativeCode::Slot(method) => {
                let method = *method;
                if method.name == "__new__" {
                    return self.call_native_new(native, arguments);
                }
                let slots = match native.get(self).owner.downcast::<Type>() {
                    Some(owner) => owner.get(self).slots,
                    None => Self::no_slots(),
                };
                if matches!(native.get(self).kind, NativeKind::Method | NativeKind::Bound)
                    && (arguments.values.len() != 2 || !arguments.names.is_empty())
                {
                    return Err(self.refuse_count_of_method(native, method.name, arguments));
                }
                method.invoke(self, &slots, arguments)
            }
            NativeCode::Host(host) => {
                let host = host.clone();
                (host.function)(self, arguments)
            }
        }
    }

    /// What a native function is named after: a bound method after what it is bound to, a method of a class after the class.
    fn owner_for_messages(&self, native: &Ref<NativeFunction>) -> Value {
        let payload = native.get(self);
        match &payload.receiver {
            Some(receiver) if !receiver.holds::<Type>() => self.type_of(receiver).into_value(),
            Some(class) => class.clone(),
            None => payload.owner.clone(),
        }
    }

    /// Of a slot's method that is offered as an ordinary method of one argument.
    #[cold]
    fn refuse_count_of_method(&mut self, native: &Ref<NativeFunction>, name: &str, arguments: CallArgs<'_>) -> Raised {
        let owner = self.owner_for_messages(native);
        let class = owner.downcast::<Type>().map(|class| self.class_name(class)).unwrap_or_default();
        let message = if arguments.names.is_empty() {
            format!("{class}.{name}() takes exactly one argument ({} given)", arguments.values.len() - 1)
        } else {
            format!("{class}.{name}() takes no keyword arguments")
        };
        self.type_error(message)
    }

    /// `Type.__new__(cls, …)`: `cls` has to be a subclass whose instances have `Type`'s layout.
    fn call_native_new(&mut self, native: &Ref<NativeFunction>, arguments: CallArgs<'_>) -> Result<Value> {
        let owner_value = native.get(self).owner.clone();
        let Some(owner) = owner_value.downcast::<Type>() else {
            return Err(self.type_error("__new__() has no class"));
        };
        let owner_name = self.class_full_name(owner);
        let Some(class_value) = arguments.unnamed().first() else {
            let message = format!("{owner_name}.__new__(): not enough arguments");
            return Err(self.type_error(message));
        };
        let Some(class) = class_value.downcast::<Type>() else {
            let message = format!("{owner_name}.__new__(X): X is not a type object ({})", self.type_name(class_value));
            return Err(self.type_error(message));
        };
        if !class.get(self).is_subtype_of(owner) {
            let class_name = self.class_name(class);
            let message = format!("{owner_name}.__new__({class_name}): {class_name} is not a subtype of {owner_name}");
            return Err(self.type_error(message));
        }
        let makes_bool = class.is(self.state().builtin(TypeId::Bool)) && !owner.is(class);
        if class.get(self).layout != owner.get(self).layout || makes_bool {
            let class_name = self.class_name(class);
            let name = self.name(Name::New);
            // The first class whose `__new__` is no script's.
            let mut solid = class.clone();
            while self.type_lookup(&solid, &name).is_some_and(|new| !new.holds::<NativeFunction>()) {
                let Some(base) = solid.get(self).base.clone() else { break };
                solid = base;
            }
            let solid_name = self.class_name(&solid);
            let message = format!("{owner_name}.__new__({class_name}) is not safe, use {solid_name}.__new__()");
            return Err(self.type_error(message));
        }
        let rest = CallArgs { values: &arguments.values[1..], names: arguments.names };
        match owner.get(self).slots.new {
            Some(new) => new(self, class, rest),
            None => {
                let message = format!("cannot create '{owner_name}' instances");
                Err(self.type_error(message))
            }
        }
    }

    /// A method of a native type takes an instance of it first.
    #[inline]
    fn check_receiver(&mut self, native: &Ref<NativeFunction>, arguments: CallArgs<'_>) -> Result<()> {
        let payload = native.get(self);
        let Some(owner) = payload.owner.downcast::<Type>() else { return Ok(()) };
        if let Some(receiver) = arguments.unnamed().first() {
            let fits = if payload.kind == NativeKind::ClassMethod {
                receiver.downcast::<Type>().is_some_and(|class| class.get(self).is_subtype_of(owner))
            } else {
                self.is_instance(receiver, owner)
            };
            if fits {
                return Ok(());
            }
        }
        Err(self.wrong_receiver(native, arguments))
    }

    #[cold]
    fn wrong_receiver(&mut self, native: &Ref<NativeFunction>, arguments: CallArgs<'_>) -> Raised {
        let payload = native.get(self);
        let (name, kind) = (payload.name().to_owned(), payload.kind);
        let owner = payload.owner.downcast::<Type>().map(|owner| self.class_name(owner)).unwrap_or_default();
        let message = match (arguments.unnamed().first(), kind) {
            (None, NativeKind::SlotWrapper) => {
                format!("descriptor '{name}' of '{owner}' object needs an argument")
            }
            (None, NativeKind::ClassMethod) => format!("descriptor '{name}' of '{owner}' object needs an argument"),
            (Some(receiver), NativeKind::ClassMethod) if !receiver.holds::<Type>() => {
                format!("descriptor '{name}' for type '{owner}' needs a type, not a '{}' as arg 2", self.type_name(receiver))
            }
            (None, _) => format!("unbound method {owner}.{name}() needs an argument"),
            (Some(receiver), NativeKind::SlotWrapper) => {
                format!("descriptor '{name}' requires a '{owner}' object but received a '{}'", self.type_name(receiver))
            }
            (Some(receiver), _) => format!("descriptor '{name}' for '{owner}' objects doesn't apply to a '{}' object", self.type_name(receiver)),
        };
        self.type_error(message)
    }

    /// For classes of scripts whose `__new__` is `object`'s and whose `__init__` is a script function: makes the instance and enters `__init__`.
    ///
    /// # Safety
    /// As for `start_call`; `*callable` holds the class.
    unsafe fn try_enter_constructor(&mut self, class: &Ref<Type>, callable: *mut Word, argc: usize, names: Option<&Value>) -> Result<Option<Called>> {
        let payload = class.get(self);
        let is_plain = self.type_ref(class).is(self.state().builtin(TypeId::Type))
            && payload.spec.is_none()
            && payload.layout == crate::object::layout::Layout::Instance
            && !payload.has(ABSTRACT)
            && payload.slots.new.is_some_and(|new| std::ptr::fn_addr_eq(new, crate::object::types::object::new as crate::object::type_object::NewFn));
        if !is_plain || !self.stack_has_room(callable, argc) {
            return Ok(None);
        }
        let name = self.name(Name::Init);
        let Some(init) = self.type_lookup(class, &name) else { return Ok(None) };
        let Some(function) = init.downcast::<Function>() else { return Ok(None) };
        if function.get(self).code.get(self).unit.flags.is_resumable() {
            return Ok(None);
        }
        let instance = self.alloc_instance(class);
        // SAFETY: the words move up by one, into free room; the class's word is replaced by the function's.
        unsafe {
            std::ptr::copy(callable.add(1), callable.add(2), argc);
            callable.add(1).write(instance.clone().into_word());
            let old = callable.read();
            callable.write(init.clone().into_word());
            release(old);
            match self.enter_function(function, callable, argc + 1, names)? {
                Called::Entered => {
                    if let Some(record) = self.frames.records.last_mut() {
                        record.flags |= INIT;
                        record.aux = instance.into_word();
                    }
                }
                Called::Done => unreachable!("a plain function is entered"),
            }
        }
        Ok(Some(Called::Entered))
    }

    /// Binds the arguments behind `callable` to the function's parameters and pushes its frame (or makes its generator).
    ///
    /// # Safety
    /// As for `start_call`; `*callable` holds the function.
    pub(crate) unsafe fn enter_function(
        &mut self,
        function: &Ref<Function>,
        callable: *mut Word,
        argc: usize,
        names: Option<&Value>,
    ) -> Result<Called> {
        let code = function.get(self).code.as_ptr().cast_const();
        // SAFETY: as below.
        if unsafe { !(*code).is_complete } {
            let code = function.get(self).code.clone();
            self.complete_code(&code);
        }
        // SAFETY: the function keeps its code alive, and the callable's slot the function.
        let payload = unsafe { &*code };
        // SAFETY: the first argument's place.
        let mut window = unsafe { callable.add(1) };
        let in_generator = self.frames.records.last().is_some_and(|record| record.flags & super::frame::GENERATOR != 0);
        let top = if in_generator { self.stack_top() } else { callable };
        let is_moved = top != callable;
        if is_moved {
            // The window of a generator has no room behind it: the callee's frame stands on the thread's stack.
            // SAFETY: the stack is made usable first; function and arguments move.
            unsafe {
                self.reserve_stack(top.add(argc + 2))?;
                let target = top;
                // A call from Rust has put them on the thread's stack already.
                if target != callable {
                    for index in 0..=argc {
                        target.add(index).write(callable.add(index).read());
                        callable.add(index).write(Word::UNBOUND);
                    }
                }
                window = target.add(1);
            }
        }
        // SAFETY: the window is on the stack's top.
        unsafe {
            self.reserve_stack(window.add(usize::from(payload.n_registers) + argc + 2))?;
            if !(payload.is_plain && names.is_none() && argc == usize::from(payload.n_arguments)) {
                if let Err(raised) = self.bind_arguments(function, payload, window, argc, names) {
                    if is_moved {
                        self.drop_arguments(window.sub(1), 1);
                    }
                    return Err(raised);
                }
            }
            if payload.unit.flags.is_resumable() {
                let generator = self.make_generator(function, payload, window);
                let place = window.sub(1);
                let old = place.read();
                place.write(Word::UNBOUND);
                callable.write(generator.into_word());
                release(old);
                return Ok(Called::Done);
            }
        }
        if self.frames.records.len() >= self.state().recursion_limit {
            // SAFETY: the bound arguments are in the window.
            unsafe {
                self.drop_arguments(window, usize::from(payload.n_arguments));
                if is_moved {
                    self.drop_arguments(window.sub(1), 1);
                }
            }
            return Err(self.too_deep());
        }
        // SAFETY: F1; locals start unbound.
        unsafe {
            for index in usize::from(payload.n_arguments)..usize::from(payload.n_locals) {
                window.add(index).write(Word::UNBOUND);
            }
        }
        self.frames.records.push(Record {
            pc: payload.instructions.as_ptr(),
            base: window,
            code,
            frame_object: Word::UNBOUND,
            aux: Word::UNBOUND,
            flags: 0,
        });
        Ok(Called::Entered)
    }

    /// # Safety
    /// The words are owned by the window; afterwards it holds no pointers there.
    unsafe fn drop_arguments(&mut self, window: *mut Word, count: usize) {
        // SAFETY: the window owns them.
        drop(unsafe { take_words(window, count) });
    }

    /// Puts the arguments in the places of the parameters: positional, keyword-only, `*args`, `**kwargs`.
    unsafe fn bind_arguments(&mut self, function: &Ref<Function>, code: &Code, window: *mut Word, argc: usize, names: Option<&Value>) -> Result<()> {
        let unit = &code.unit;
        let n_positional = usize::from(unit.n_positional);
        let n_keyword_only = usize::from(unit.n_keyword_only);
        let is_plain = n_keyword_only == 0 && !unit.flags.has_varargs && !unit.flags.has_varkeywords;
        // Only defaults are missing: they are copied into place.
        if names.is_none() && is_plain && argc <= n_positional {
            let defaults = function.get(self).defaults.clone();
            if let Some(defaults) = defaults.as_ref().and_then(|defaults| defaults.downcast::<Tuple>()) {
                let items = defaults.get(self).items();
                if argc + items.len() >= n_positional {
                    for place in argc..n_positional {
                        let value = items[items.len() - (n_positional - place)].clone();
                        // SAFETY: the place is free.
                        unsafe { window.add(place).write(value.into_word()) };
                    }
                    return Ok(());
                }
            }
        }
        // SAFETY: the window owns the arguments.
        if unsafe { self.bind_in_place(function, code, window, argc, names)? } {
            return Ok(());
        }
        // SAFETY: as above.
        let mut given = unsafe { take_words(window, argc) };
        let names = self.name_list(names);
        let named: Values = given.drain(argc - names.len()..).collect();
        let n_parameters = n_positional + n_keyword_only;
        let mut bound: SmallVec<[Value; 8]> = std::iter::repeat_n(Value::UNBOUND, n_parameters).collect();
        let mut rest: Vec<Value> = Vec::new();
        let n_given = given.len();
        for (place, value) in given.into_iter().enumerate() {
            if place < n_positional { bound[place] = value } else { rest.push(value) }
        }
        let mut keywords: Option<Ref<Dict>> = unit.flags.has_varkeywords.then(|| self.new_dict());
        let n_positional_only = usize::from(unit.n_positional_only);
        let mut misplaced: Vec<String> = Vec::new();
        for (name, value) in names.iter().zip(named) {
            let place = self.parameter_place(code, name, n_positional_only, n_parameters);
            match place {
                Some(place) => {
                    if !bound[place].is_unbound() {
                        let text = self.text_of(name).map(ToString::to_string).unwrap_or_default();
                        let message = format!("{}() got multiple values for argument '{text}'", self.function_label(function));
                        return Err(self.type_error(message));
                    }
                    bound[place] = value;
                }
                None => match &mut keywords {
                    Some(dict) => self.dict_set(&dict.clone(), name, value)?,
                    None => {
                        let text = self.text_of(name).map(ToString::to_string).unwrap_or_default();
                        if unit.locals[..n_positional_only].iter().any(|known| **known == *text) {
                            misplaced.push(text);
                            continue;
                        }
                        return Err(self.unexpected_keyword(function, code, &text, n_positional_only, n_parameters, &names));
                    }
                },
            }
        }
        if !misplaced.is_empty() {
            let message = format!(
                "{}() got some positional-only arguments passed as keyword arguments: '{}'",
                self.function_label(function),
                misplaced.join(", ")
            );
            return Err(self.type_error(message));
        }
        if !rest.is_empty() && !unit.flags.has_varargs {
            return Err(self.too_many_positional(function, code, n_given, &bound));
        }
        self.fill_defaults(function, code, &mut bound, n_positional)?;
        let mut place = 0;
        for value in bound {
            // SAFETY: the places are free.
            unsafe { window.add(place).write(value.into_word()) };
            place += 1;
        }
        if unit.flags.has_varargs {
            let value = self.new_tuple(rest);
            // SAFETY: as above.
            unsafe { window.add(place).write(value.into_word()) };
            place += 1;
        }
        if let Some(dict) = keywords {
            // SAFETY: as above.
            unsafe { window.add(place).write(dict.into_value().into_word()) };
        }
        Ok(())
    }

    /// Binds where the arguments lie, when everything fits; `false`, with nothing changed, leaves it (and the errors) to the general way.
    ///
    /// # Safety
    /// The `argc` words from `window` on are owned by it, and it has room for all of the code's parameters.
    unsafe fn bind_in_place(&mut self, function: &Ref<Function>, code: &Code, window: *mut Word, argc: usize, names: Option<&Value>) -> Result<bool> {
        const MOST: usize = 16;
        let unit = &code.unit;
        let n_positional = usize::from(unit.n_positional);
        let n_parameters = code.parameters.len();
        let name_items: &[Value] = match names.and_then(|names| names.downcast::<Tuple>()) {
            Some(tuple) => {
                // SAFETY: the tuple is the caller's, who keeps it during the call.
                unsafe { (*tuple.as_ptr()).items() }
            }
            None => &[],
        };
        if n_parameters > MOST || name_items.len() > MOST {
            return Ok(false);
        }
        let n_given = argc - name_items.len();
        if n_given > n_positional && !unit.flags.has_varargs {
            return Ok(false);
        }
        let mut bound = [Word::UNBOUND; MOST];
        let mut defaulted = 0_u32;
        let mut extra = 0_u32;
        for (place, slot) in bound.iter_mut().enumerate().take(n_given.min(n_positional)) {
            // SAFETY: an argument's place.
            *slot = unsafe { *window.add(place) };
        }
        for (index, name) in name_items.iter().enumerate() {
            let first = usize::from(unit.n_positional_only);
            match code.parameters[first..].iter().position(|parameter| parameter.is(name)) {
                Some(place) => {
                    if bound[first + place] != Word::UNBOUND {
                        return Ok(false);
                    }
                    // SAFETY: an argument's place.
                    bound[first + place] = unsafe { *window.add(n_given + index) };
                }
                None if unit.flags.has_varkeywords && crate::object::intern::is_interned(name) => extra |= 1 << index,
                None => return Ok(false),
            }
        }
        if bound[..n_positional].contains(&Word::UNBOUND) {
            let defaults = function.get(self).defaults.clone();
            let Some(defaults) = defaults.as_ref().and_then(|defaults| defaults.downcast::<Tuple>()) else {
                return Ok(false);
            };
            let items = defaults.get(self).items();
            let first = n_positional.saturating_sub(items.len());
            for (place, slot) in bound.iter_mut().enumerate().take(n_positional) {
                if *slot == Word::UNBOUND {
                    let Some(value) = place.checked_sub(first).and_then(|index| items.get(index)) else {
                        return Ok(false);
                    };
                    *slot = value.word();
                    defaulted |= 1 << place;
                }
            }
        }
        if bound[n_positional..n_parameters].contains(&Word::UNBOUND) {
            let defaults = function.get(self).keyword_defaults.clone();
            let Some(defaults) = defaults.as_ref().and_then(|defaults| defaults.downcast::<Dict>()) else {
                return Ok(false);
            };
            for (place, slot) in bound.iter_mut().enumerate().take(n_parameters).skip(n_positional) {
                if *slot == Word::UNBOUND {
                    let name = &code.parameters[place];
                    let hash = self.str_hash(name);
                    let dict = defaults.get(self);
                    let Some(found) = dict.find_str(name, hash) else { return Ok(false) };
                    *slot = dict.entries()[found].value.word();
                    defaulted |= 1 << place;
                }
            }
        }
        // Everything fits: from here on words move.
        let keywords = if unit.flags.has_varkeywords {
            let dict = self.new_dict();
            for (index, name) in name_items.iter().enumerate() {
                if extra & 1 << index != 0 {
                    let hash = self.str_hash(name);
                    // SAFETY: the argument moves into the dict.
                    let value = unsafe { Value::from_owned(*window.add(n_given + index)) };
                    self.resize(&dict, |dict| dict.push_new(name.clone(), hash, value));
                }
            }
            Some(dict)
        } else {
            None
        };
        let rest = if unit.flags.has_varargs {
            let items: SmallVec<[Value; 3]> = (n_positional..n_given.max(n_positional))
                // SAFETY: the argument moves into the tuple.
                .map(|place| unsafe { Value::from_owned(*window.add(place)) })
                .collect();
            Some(self.new_tuple(items))
        } else {
            None
        };
        // SAFETY: the parameters' places; what lies behind them has moved.
        unsafe {
            for (place, word) in bound.iter().enumerate().take(n_parameters) {
                if defaulted & 1 << place != 0 {
                    crate::object::heap::retain(*word);
                }
                window.add(place).write(*word);
            }
            let mut place = n_parameters;
            if let Some(rest) = rest {
                window.add(place).write(rest.into_word());
                place += 1;
            }
            if let Some(keywords) = keywords {
                window.add(place).write(keywords.into_value().into_word());
                place += 1;
            }
            for behind in place..argc {
                window.add(behind).write(Word::UNBOUND);
            }
        }
        Ok(true)
    }

    fn parameter_place(&self, code: &Code, name: &Value, first: usize, end: usize) -> Option<usize> {
        let text = self.text_of(name)?;
        let unit = &code.unit;
        match text.as_ascii() {
            Some(text) => (first..end).find(|place| &*unit.locals[*place] == text),
            None => {
                let text = text.to_string();
                (first..end).find(|place| *unit.locals[*place] == *text)
            }
        }
    }

    fn fill_defaults(&mut self, function: &Ref<Function>, code: &Code, bound: &mut [Value], n_positional: usize) -> Result<()> {
        if bound[..n_positional].iter().any(Value::is_unbound) {
            let defaults = function.get(self).defaults.clone();
            let items = defaults.map(|defaults| self.tuple_items(&defaults)).unwrap_or_default();
            let first = n_positional.saturating_sub(items.len());
            let mut missing = Vec::new();
            for (place, slot) in bound.iter_mut().enumerate().take(n_positional) {
                if slot.is_unbound() {
                    match place.checked_sub(first).and_then(|index| items.get(index)) {
                        Some(value) => *slot = value.clone(),
                        None => missing.push(code.unit.locals[place].to_string()),
                    }
                }
            }
            if !missing.is_empty() {
                return Err(self.missing_arguments(function, "positional", &missing));
            }
        }
        if bound[n_positional..].iter().any(Value::is_unbound) {
            let defaults = function.get(self).keyword_defaults.clone();
            let dict = defaults.and_then(|defaults| defaults.into_ref::<Dict>().ok());
            let mut missing = Vec::new();
            for (place, slot) in bound.iter_mut().enumerate().skip(n_positional) {
                if slot.is_unbound() {
                    let name = &code.unit.locals[place];
                    let value = match &dict {
                        Some(dict) => self.dict_get_str(dict, name)?,
                        None => None,
                    };
                    match value {
                        Some(value) => *slot = value,
                        None => missing.push(name.to_string()),
                    }
                }
            }
            if !missing.is_empty() {
                return Err(self.missing_arguments(function, "keyword-only", &missing));
            }
        }
        Ok(())
    }

    /// The function's qualified name, as messages about its arguments show it.
    pub(crate) fn function_label(&self, function: &Ref<Function>) -> String {
        self.text_of(&self.function_qualname(function)).map(ToString::to_string).unwrap_or_default()
    }

    #[cold]
    fn missing_arguments(&mut self, function: &Ref<Function>, kind: &str, missing: &[String]) -> Raised {
        let quoted: Vec<String> = missing.iter().map(|name| format!("'{name}'")).collect();
        let list = match quoted.as_slice() {
            [one] => one.clone(),
            [one, two] => format!("{one} and {two}"),
            [first @ .., last] => format!("{}, and {last}", first.join(", ")),
            [] => String::new(),
        };
        let label = self.function_label(function);
        let message = format!("{label}() missing {} required {kind} argument{}: {list}", missing.len(), if missing.len() == 1 { "" } else { "s" });
        self.type_error(message)
    }

    #[cold]
    fn too_many_positional(&mut self, function: &Ref<Function>, code: &Code, given: usize, bound: &[Value]) -> Raised {
        let unit = &code.unit;
        let n_positional = usize::from(unit.n_positional);
        let n_defaults = function.get(self).defaults.as_ref().map_or(0, |defaults| self.tuple_items(defaults).len());
        let keyword_given = bound[n_positional..].iter().filter(|value| !value.is_unbound()).count();
        let takes = if n_defaults > 0 { format!("from {} to {n_positional}", n_positional - n_defaults) } else { n_positional.to_string() };
        let plural = if n_defaults > 0 || n_positional != 1 { "s" } else { "" };
        let given_text = if keyword_given > 0 {
            format!(
                "{given} positional argument{} (and {keyword_given} keyword-only argument{})",
                if given == 1 { "" } else { "s" },
                if keyword_given == 1 { "" } else { "s" }
            )
        } else {
            given.to_string()
        };
        let verb = if given == 1 && keyword_given == 0 { "was" } else { "were" };
        let label = self.function_label(function);
        self.type_error(format!("{label}() takes {takes} positional argument{plural} but {given_text} {verb} given"))
    }

    #[cold]
    fn unexpected_keyword(&mut self, function: &Ref<Function>, code: &Code, name: &str, first: usize, end: usize, given: &[Value]) -> Raised {
        let label = self.function_label(function);
        let only: Vec<String> = given
            .iter()
            .filter_map(|given| self.text_of(given).map(ToString::to_string))
            .filter(|given| code.unit.locals[..first].iter().any(|known| **known == **given))
            .collect();
        if !only.is_empty() {
            return self.type_error(format!("{label}() got some positional-only arguments passed as keyword arguments: '{}'", only.join(", ")));
        }
        let known = code.unit.locals[first..end].iter().map(|name| &**name);
        let suggestion = crate::text::similar::closest(name, known).map_or_else(String::new, |close| format!(". Did you mean '{close}'?"));
        self.type_error(format!("{label}() got an unexpected keyword argument '{name}'{suggestion}"))
    }

    // ---- calls from natives

    /// `function(*positional, **named)` from Rust: what a native with `*args, **kwargs` in its signature passes on. `named` is the dict it was given.
    pub(crate) fn call_forwarded(&mut self, function: &Value, positional: Vec<Value>, named: &Value) -> Result<Value> {
        let (mut values, mut names) = (positional, Vec::new());
        if let Some(named) = named.downcast::<Dict>() {
            for (name, value) in named.get(self).items() {
                names.push(name.clone());
                values.push(value.clone());
            }
        }
        self.call_args(function, CallArgs { values: &values, names: &names })
    }

    /// `function(…)` from Rust: script functions run in a nested dispatch loop.
    pub(crate) fn call_args(&mut self, function: &Value, arguments: CallArgs<'_>) -> Result<Value> {
        if let Some(native) = function.downcast::<NativeFunction>() {
            self.enter_native()?;
            return self.call_native(native, arguments);
        }
        if function.holds::<Function>() {
            return self.run_function(function, arguments);
        }
        if let Some(bound) = function.downcast::<BoundMethod>() {
            let (target, receiver) = {
                let payload = bound.get(self);
                (payload.function.clone(), payload.receiver.clone())
            };
            self.enter_native()?;
            let mut values: Values = SmallVec::with_capacity(arguments.values.len() + 1);
            values.push(receiver);
            values.extend(arguments.values.iter().cloned());
            return self.call_args(&target, CallArgs { values: &values, names: arguments.names });
        }
        match self.type_payload(function).slots.call {
            Some(call) => {
                self.enter_native()?;
                call(self, function, arguments)
            }
            None => {
                let mut message = format!("'{}' object is not callable", self.type_name(function));
                // A module that holds something callable of its own name was meant for that.
                if let Some(name) = self.own_callable(function)? {
                    message = format!("{message}. Did you mean: '{name}.{name}(...)'?");
                }
                Err(self.type_error(message))
            }
        }
    }

    /// The name of a module that holds something callable of this name.
    #[cold]
    fn own_callable(&mut self, module: &Value) -> Result<Option<String>> {
        let Some(payload) = module.downcast::<Module>() else { return Ok(None) };
        let dict = payload.get(self).dict.clone();
        let Some(name) = self.dict_get_str(&dict, "__name__")? else { return Ok(None) };
        let Some(text) = self.text_of(&name).map(ToString::to_string) else { return Ok(None) };
        Ok(self.dict_get(&dict, &name)?.filter(|value| self.type_payload(value).slots.call.is_some()).map(|_| text))
    }

    fn run_function(&mut self, function: &Value, arguments: CallArgs<'_>) -> Result<Value> {
        self.enter_native()?;
        let top = self.stack_top();
        let argc = arguments.values.len();
        let names = (!arguments.names.is_empty()).then(|| self.new_tuple(arguments.names.to_vec()));
        // SAFETY: the stack's top is free; the words written are owned by it.
        unsafe {
            self.reserve_stack(top.add(argc + 4))?;
            top.write(function.clone().into_word());
            for (index, value) in arguments.values.iter().enumerate() {
                top.add(index + 1).write(value.clone().into_word());
            }
            let entered = match function.downcast::<Function>() {
                Some(payload) => self.enter_function(payload, top, argc, names.as_ref()),
                None => Ok(Called::Done),
            };
            self.finish_entry(top, argc, entered)
        }
    }

    /// Runs the frame that was entered from Rust, and takes the result from the callable's place.
    ///
    /// # Safety
    /// `callable` and the `argc` words behind it were written by the caller, and `entered` is what the call of them gave.
    unsafe fn finish_entry(&mut self, callable: *mut Word, argc: usize, entered: Result<Called>) -> Result<Value> {
        // SAFETY: the caller wrote the words; what is left of them is released here.
        unsafe {
            let outcome = match entered {
                Ok(Called::Done) => Ok(()),
                Ok(Called::Entered) => {
                    if let Some(record) = self.frames.records.last_mut() {
                        record.flags |= ENTRY;
                    }
                    let base = self.frames.records.last().map_or(callable, |record| record.base);
                    let result = self.run();
                    if base != callable.add(1) && result.is_ok() {
                        // The frame stood elsewhere (called from a generator): so does its result.
                        let place = base.sub(1);
                        callable.write(place.read());
                        place.write(Word::UNBOUND);
                    }
                    result
                }
                Err(raised) => Err(raised),
            };
            match outcome {
                Ok(()) => {
                    let word = callable.read();
                    callable.write(Word::UNBOUND);
                    Ok(Value::from_owned(word))
                }
                Err(raised) => {
                    drop(take_words(callable, argc + 1));
                    Err(raised)
                }
            }
        }
    }

    /// Runs a unit's code with these globals, names living in `namespace` (a mapping): a module's body, `exec`, a class body.
    pub(crate) fn run_code(&mut self, function: &Value, namespace: &Value) -> Result<Value> {
        self.enter_native()?;
        let top = self.stack_top();
        // SAFETY: as in `run_function`.
        unsafe {
            self.reserve_stack(top.add(4))?;
            top.write(function.clone().into_word());
            let entered = match function.downcast::<Function>() {
                Some(payload) => self.enter_function(payload, top, 0, None),
                None => Ok(Called::Done),
            };
            match entered {
                Ok(Called::Entered) => {
                    if let Some(record) = self.frames.records.last_mut() {
                        record.flags |= NAMESPACE;
                        record.aux = namespace.clone().into_word();
                    }
                }
                Ok(Called::Done) => {
                    // A coroutine: a body that awaits.
                    let coroutine = Value::from_borrowed(top.read());
                    if let Some(generator) = coroutine.downcast::<crate::object::types::generator::Generator>() {
                        let (name, qualname) = {
                            let code = &generator.get(self).code;
                            (code.get(self).name.clone(), self.code_qualname(code))
                        };
                        generator.get_mut(self).rare_mut(name, qualname).namespace = namespace.clone();
                    }
                }
                Err(_) => {}
            }
            self.finish_entry(top, 0, entered)
        }
    }

    /// A function without parameters that runs `code` with these globals.
    pub(crate) fn new_function(&mut self, code: Ref<Code>, globals: Ref<Dict>) -> Result<Value> {
        let builtins = self.builtins_for(&globals)?;
        let name = code.get(self).name.clone();
        let module_name = self.name(Name::Name);
        let module = self.dict_get(&globals, &module_name)?.unwrap_or(Value::NONE);
        let payload = Function {
            former_codes: None,
            code,
            globals,
            builtins,
            closure: Box::default(),
            defaults: None,
            keyword_defaults: None,
            name,
            qualname: Value::UNBOUND,
            module,
            doc: Value::NONE,
            annotations: None,
            type_params: None,
        };
        Ok(self.alloc(TypeId::Function, payload).into_value())
    }

    /// The namespace of built-ins that code with these globals uses: their `__builtins__`, a module or dict, set when it is missing.
    pub(crate) fn builtins_for(&mut self, globals: &Ref<Dict>) -> Result<Ref<Dict>> {
        use crate::object::types::module::Module;
        let name = self.name(Name::Builtins);
        if let Some(known) = self.dict_get(globals, &name)? {
            if let Some(module) = known.downcast::<Module>() {
                return Ok(module.get(self).dict.clone());
            }
            if known.holds::<Dict>() {
                return Ok(known.into_ref::<Dict>().unwrap_or_else(|_| globals.clone()));
            }
            // What another mapping has now.
            if self.type_payload(&known).slots.get_item.is_none() {
                let message = format!("'{}' object is not subscriptable", self.type_name(&known));
                return Err(self.type_error(message));
            }
            let copy = self.new_dict();
            for key in self.mapping_keys(&known)? {
                let item = self.get_item(&known, &key)?;
                self.dict_set(&copy, &key, item)?;
            }
            return Ok(copy);
        }
        let builtins = self.state().builtins.clone();
        let modules = self.state().modules.clone();
        if let Some(module) = self.dict_get_str(&modules, "builtins")? {
            self.dict_set(globals, &name, module)?;
        }
        Ok(builtins)
    }
}
