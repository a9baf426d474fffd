//! Exceptions: the payload, and the table of the built-in exception classes. Their methods are in `exception_methods`.

use crate::object::account::block;
use crate::object::layout::{Layout, Payload};
use crate::object::value::Value;
use crate::object::word::Word;

/// An exception.
pub(crate) struct Exception {
    /// `args`, a tuple.
    pub(crate) args: Value,
    /// `__traceback__`, or `None`.
    pub(crate) traceback: Value,
    /// `__context__`, or `None`.
    pub(crate) context: Value,
    /// `__cause__`, or `None`.
    pub(crate) cause: Value,
    pub(crate) suppress_context: bool,
    /// The attributes of its own that the built-in class has (`StopIteration.value`, `OSError.errno` …), by the class's list of fields.
    pub(crate) fields: Box<[Value]>,
}

impl Payload for Exception {
    const LAYOUT: Layout = Layout::Exception;
    const IS_CONTAINER: bool = true;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        block(self.fields.len() * size_of::<Value>())
    }
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        for value in [&self.args, &self.traceback, &self.context, &self.cause] {
            visit(value.word());
        }
        for field in &self.fields {
            visit(field.word());
        }
    }
    fn clear(&mut self) {
        self.args = Value::NONE;
        self.traceback = Value::NONE;
        self.context = Value::NONE;
        self.cause = Value::NONE;
        self.fields = Box::default();
    }
}

macro_rules! exceptions {
    ($($name:ident : $base:ident $([$($field:ident),*])?,)+) => {
        /// The built-in exception classes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        #[allow(clippy::enum_variant_names, reason = "the names are Python's")]
        pub(crate) enum ExceptionKind { $($name),+ }

        impl ExceptionKind {
            /// All, bases before what derives from them.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name),+];
            /// The class's name.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
            /// The class it derives from; `BaseException` for itself.
            pub(crate) const fn base(self) -> Self {
                match self { $(Self::$name => Self::$base),+ }
            }
            /// The attributes it adds; those of its bases stand before them.
            pub(crate) fn own_fields(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($(stringify!($field)),*)?]),+ }
            }
        }
    };
}

exceptions! {
    BaseException: BaseException,
    BaseExceptionGroup: BaseException [message, exceptions],
    GeneratorExit: BaseException,
    KeyboardInterrupt: BaseException,
    SystemExit: BaseException [code],
    Exception: BaseException,
    ArithmeticError: Exception,
    FloatingPointError: ArithmeticError,
    OverflowError: ArithmeticError,
    ZeroDivisionError: ArithmeticError,
    AssertionError: Exception,
    AttributeError: Exception [name, obj],
    BufferError: Exception,
    EOFError: Exception,
    ImportError: Exception [msg, name, path, name_from],
    ModuleNotFoundError: ImportError,
    LookupError: Exception,
    IndexError: LookupError,
    KeyError: LookupError,
    MemoryError: Exception,
    NameError: Exception [name],
    UnboundLocalError: NameError,
    OSError: Exception [errno, strerror, filename, filename2, characters_written],
    BlockingIOError: OSError,
    ChildProcessError: OSError,
    ConnectionError: OSError,
    BrokenPipeError: ConnectionError,
    ConnectionAbortedError: ConnectionError,
    ConnectionRefusedError: ConnectionError,
    ConnectionResetError: ConnectionError,
    FileExistsError: OSError,
    FileNotFoundError: OSError,
    InterruptedError: OSError,
    IsADirectoryError: OSError,
    NotADirectoryError: OSError,
    PermissionError: OSError,
    ProcessLookupError: OSError,
    TimeoutError: OSError,
    ReferenceError: Exception,
    RuntimeError: Exception,
    NotImplementedError: RuntimeError,
    PythonFinalizationError: RuntimeError,
    RecursionError: RuntimeError,
    StopAsyncIteration: Exception,
    StopIteration: Exception [value],
    SyntaxError: Exception [msg, filename, lineno, offset, text, print_file_and_line, end_lineno, end_offset],
    IndentationError: SyntaxError,
    TabError: IndentationError,
    SystemError: Exception,
    TypeError: Exception,
    ValueError: Exception,
    UnicodeError: ValueError,
    UnicodeDecodeError: UnicodeError [encoding, object, start, end, reason],
    UnicodeEncodeError: UnicodeError [encoding, object, start, end, reason],
    UnicodeTranslateError: UnicodeError [encoding, object, start, end, reason],
    Warning: Exception,
    BytesWarning: Warning,
    DeprecationWarning: Warning,
    EncodingWarning: Warning,
    FutureWarning: Warning,
    ImportWarning: Warning,
    PendingDeprecationWarning: Warning,
    ResourceWarning: Warning,
    RuntimeWarning: Warning,
    SyntaxWarning: Warning,
    UnicodeWarning: Warning,
    UserWarning: Warning,
}

impl ExceptionKind {
    /// Its attributes, the bases' first.
    pub(crate) fn fields(self) -> Vec<&'static str> {
        let mut fields = if self.base() == self { Vec::new() } else { self.base().fields() };
        fields.extend(self.own_fields());
        fields
    }

    /// Whether it is `other` or derives from it.
    pub(crate) fn is_a(self, other: Self) -> bool {
        self == other || (self.base() != self && self.base().is_a(other))
    }
}
