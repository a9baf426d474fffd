//! Raising exceptions from Rust, and looking at the one that was raised.

use super::vm::{Raised, Result, Vm};
use crate::object::type_object::Type;
use crate::object::types::exception::{Exception, ExceptionKind};
use crate::object::types::frame::Traceback;
use crate::object::value::{Ref, Value};

impl Vm {
    /// Raises an exception object: the handled exception becomes its context.
    #[cold]
    pub(crate) fn raise_value(&mut self, exception: Value) -> Raised {
        if !self.handled.is_none() && !self.handled.is(&exception) {
            let handled = self.handled.clone();
            self.set_context(&exception, handled);
        }
        self.raised = Some(exception);
        Raised(())
    }

    /// Makes `context` the context of `exception`, without making a ring.
    pub(crate) fn set_context(&mut self, exception: &Value, context: Value) {
        let Some(raised) = exception.downcast::<Exception>() else { return };
        let mut link = context.clone();
        let (mut slow, mut step) = (context.clone(), false);
        while let Some(current) = link.downcast::<Exception>() {
            let next = current.get(self).context.clone();
            if next.is(exception) {
                current.clone().get_mut(self).context = Value::NONE;
                break;
            }
            link = next;
            if step {
                let next = slow.downcast::<Exception>().map_or(Value::NONE, |slow| slow.get(self).context.clone());
                slow = next;
                if slow.is(&link) {
                    break;
                }
            }
            step = !step;
        }
        raised.get_mut(self).context = context;
    }

    /// Goes on with an exception as it is: no context is added.
    #[cold]
    pub(crate) fn reraise(&mut self, exception: Value) -> Raised {
        self.raised = Some(exception);
        Raised(())
    }

    /// Raises a new exception of a built-in class with these arguments.
    #[cold]
    pub(crate) fn raise_new(&mut self, kind: ExceptionKind, arguments: Vec<Value>) -> Raised {
        let class = self.state().exception(kind).clone();
        let exception = self.new_exception(&class, kind, arguments);
        self.raise_value(exception)
    }

    /// A new exception of a built-in class, without calling anything.
    pub(crate) fn new_exception(&mut self, class: &Ref<Type>, kind: ExceptionKind, arguments: Vec<Value>) -> Value {
        let count = kind.fields().len();
        let mut fields: Vec<Value> = std::iter::repeat_n(Value::NONE, count).collect();
        match kind {
            ExceptionKind::StopIteration | ExceptionKind::SystemExit => fields[0] = arguments.first().cloned().unwrap_or(Value::NONE),
            _ if kind.is_a(ExceptionKind::ImportError) => fields[0] = arguments.first().cloned().unwrap_or(Value::NONE),
            _ if kind.is_a(ExceptionKind::SyntaxError) => fields[0] = arguments.first().cloned().unwrap_or(Value::NONE),
            // A message alone is no error number.
            _ if kind.is_a(ExceptionKind::OSError) && arguments.len() < 2 => {}
            _ if kind.is_a(ExceptionKind::UnicodeError) || kind.is_a(ExceptionKind::OSError) => {
                for (field, argument) in fields.iter_mut().zip(&arguments) {
                    *field = argument.clone();
                }
            }
            _ => {}
        }
        let args = self.new_tuple(arguments);
        let payload = Exception {
            args,
            traceback: Value::NONE,
            context: Value::NONE,
            cause: Value::NONE,
            suppress_context: false,
            fields: fields.into_boxed_slice(),
        };
        self.alloc_for(class, payload).into_value()
    }

    /// Raises an exception of a built-in class with a message.
    #[cold]
    pub(crate) fn raise(&mut self, kind: ExceptionKind, message: impl Into<String>) -> Raised {
        let message = self.new_str(message.into());
        self.raise_new(kind, vec![message])
    }

    #[cold]
    pub(crate) fn type_error(&mut self, message: impl Into<String>) -> Raised {
        self.raise(ExceptionKind::TypeError, message)
    }
    #[cold]
    pub(crate) fn value_error(&mut self, message: impl Into<String>) -> Raised {
        self.raise(ExceptionKind::ValueError, message)
    }
    #[cold]
    pub(crate) fn index_error(&mut self, message: impl Into<String>) -> Raised {
        self.raise(ExceptionKind::IndexError, message)
    }
    #[cold]
    pub(crate) fn overflow_error(&mut self, message: impl Into<String>) -> Raised {
        self.raise(ExceptionKind::OverflowError, message)
    }
    #[cold]
    pub(crate) fn runtime_error(&mut self, message: impl Into<String>) -> Raised {
        self.raise(ExceptionKind::RuntimeError, message)
    }
    /// `MemoryError`, without a message.
    #[cold]
    pub(crate) fn memory_error(&mut self) -> Raised {
        self.raise_new(ExceptionKind::MemoryError, Vec::new())
    }
    /// `KeyError(key)`.
    #[cold]
    pub(crate) fn key_error(&mut self, key: &Value) -> Raised {
        self.raise_new(ExceptionKind::KeyError, vec![key.clone()])
    }
    /// `StopIteration`, with a value if there is one.
    #[cold]
    pub(crate) fn stop_iteration(&mut self, value: Option<Value>) -> Raised {
        self.raise_new(ExceptionKind::StopIteration, value.into_iter().collect())
    }
    /// `AttributeError` with `name` and `obj`, which suggestions need.
    #[cold]
    pub(crate) fn attribute_error(&mut self, object: &Value, name: &Value, message: impl Into<String>) -> Raised {
        let raised = self.raise(ExceptionKind::AttributeError, message);
        self.set_raised_fields(&[(0, name), (1, object)]);
        raised
    }
    /// Fills `name` and `obj` of a raised `AttributeError` that has neither.
    #[cold]
    pub(crate) fn say_what_was_asked(&mut self, object: &Value, name: &Value) {
        let Some(exception) = self.raised.as_ref().and_then(|raised| raised.downcast::<Exception>()).cloned() else { return };
        let is_silent = exception.get(self).fields.iter().take(2).all(|field| field.is_none() || field.is_unbound());
        if self.raised_is(ExceptionKind::AttributeError) && is_silent {
            self.set_raised_fields(&[(0, name), (1, object)]);
        }
    }

    /// `NameError` with `name`.
    #[cold]
    pub(crate) fn name_error(&mut self, kind: ExceptionKind, name: &Value, message: impl Into<String>) -> Raised {
        let raised = self.raise(kind, message);
        if kind == ExceptionKind::NameError {
            self.set_raised_fields(&[(0, name)]);
        }
        raised
    }

    fn set_raised_fields(&mut self, fields: &[(usize, &Value)]) {
        let Some(exception) = self.raised.clone().and_then(|raised| raised.into_ref::<Exception>().ok()) else {
            return;
        };
        let payload = exception.get_mut(self);
        for (place, value) in fields {
            if let Some(field) = payload.fields.get_mut(*place) {
                *field = (*value).clone();
            }
        }
    }

    /// What arithmetic refused, as the exception CPython raises.
    #[cold]
    pub(crate) fn number_error(&mut self, error: crate::number::Error) -> Raised {
        use crate::number::ErrorKind;
        let kind = match error.kind() {
            ErrorKind::ZeroDivision => ExceptionKind::ZeroDivisionError,
            ErrorKind::Overflow => ExceptionKind::OverflowError,
            ErrorKind::Value => ExceptionKind::ValueError,
            ErrorKind::Memory => return self.memory_error(),
            ErrorKind::Interrupted => return self.interrupted(),
        };
        self.raise(kind, error.to_string())
    }

    /// The pending exception of a native loop that the breaker ended.
    #[cold]
    pub(crate) fn interrupted(&mut self) -> Raised {
        match self.poll() {
            Err(raised) => raised,
            Ok(()) => self.raise_new(ExceptionKind::KeyboardInterrupt, Vec::new()),
        }
    }

    /// Takes the exception that was raised; none is pending any more.
    pub(crate) fn take_raised(&mut self) -> Value {
        self.raised.take().unwrap_or(Value::NONE)
    }

    /// Whether the exception that was raised is of this built-in class.
    pub(crate) fn raised_is(&self, kind: ExceptionKind) -> bool {
        self.raised.as_ref().is_some_and(|raised| self.is_exception(raised, kind))
    }

    /// Whether a value is an exception of this built-in class.
    pub(crate) fn is_exception(&self, value: &Value, kind: ExceptionKind) -> bool {
        self.is_instance(value, self.state().exception(kind))
    }

    /// Forgets the exception that was raised if it is of this class; whether it was.
    pub(crate) fn clear_if(&mut self, kind: ExceptionKind) -> bool {
        let matches = self.raised_is(kind);
        if matches {
            self.raised = None;
        }
        matches
    }

    /// Whether a value is a class derived from `BaseException`.
    pub(crate) fn is_exception_class(&self, value: &Value) -> bool {
        value.downcast::<Type>().is_some_and(|class| class.get(self).is_subtype_of(self.state().exception(ExceptionKind::BaseException)))
    }

    /// The traceback of an exception, if it has one.
    pub(crate) fn traceback_of(&self, exception: &Value) -> Option<Ref<Traceback>> {
        exception.downcast::<Exception>().and_then(|exception| exception.get(self).traceback.downcast::<Traceback>().cloned())
    }

    /// An instance of what `raise` got: a class is called, an instance is taken as it is.
    pub(crate) fn instantiate_exception(&mut self, value: &Value) -> Result<Value> {
        if self.is_exception_class(value) {
            let exception = self.call(value, &[])?;
            if exception.downcast::<Exception>().is_none() {
                let class = self.repr_text(value)?;
                let got = self.type_of(&exception);
                let got = self.repr_text(&got)?;
                return Err(self.type_error(format!("calling {class} should have returned an instance of BaseException, not {got}")));
            }
            return Ok(exception);
        }
        if value.downcast::<Exception>().is_some() {
            return Ok(value.clone());
        }
        Err(self.type_error("exceptions must derive from BaseException"))
    }

    /// As [`Self::write_unraisable`], of a function that `what` names: `Exception ignored in thread started by <function …>:`.
    pub(crate) fn write_unraisable_of(&mut self, what: &str, function: &Value) {
        let exception = self.take_raised();
        let shown = match self.repr_text(function) {
            Ok(shown) => shown.to_utf8_lossy().into_owned(),
            Err(_) => {
                self.take_raised();
                "<object repr() failed>".to_owned()
            }
        };
        self.raised = Some(exception);
        self.write_unraisable(&format!("{what} {shown}"), &Value::NONE);
    }

    /// Shows an exception that nobody can handle (in `__del__`, a callback): `sys.unraisablehook`'s words on stderr.
    pub(crate) fn write_unraisable(&mut self, what: &str, object: &Value) {
        if self.swallows_stop() {
            return;
        }
        self.begin_traceback();
        let exception = self.take_raised();
        let handled = std::mem::replace(&mut self.handled, Value::NONE);
        let _ = super::traceback::show_unraisable(self, &exception, what, object);
        self.raised = None;
        self.handled = handled;
    }
}
