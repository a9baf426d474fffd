//! Exceptions raised, matched and split; `with`.

use crate::code::instruction::Word as Instruction;
use crate::object::native::{NativeFunction, NativeKind};
use crate::object::type_object::Type;
use crate::object::types::exception::{Exception, ExceptionKind};
use crate::object::types::function::Function;
use crate::object::types::tuple::Tuple;
use crate::object::value::Value;
use crate::vm::state::Name;
use crate::vm::vm::{Raised, Result, Vm};
use crate::vm::window::Window;

impl Vm {
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
}
