//! What a host gets when a script fails.

use std::fmt;

use super::limits::Limit;
use crate::gil::StopReason;

/// Why running a script failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is no program: a `SyntaxError`.
    #[error("{0}")]
    Syntax(Box<Raised>),
    /// An exception was raised and not handled.
    #[error("{0}")]
    Raised(Box<Raised>),
    /// The script was ended by a limit, or by a [`Stopper`](crate::Stopper).
    #[error("{0}")]
    Stopped(Box<Stopped>),
    /// A value has no counterpart of the type that was asked for.
    #[error("cannot convert a value of type '{from}' to {to}")]
    Conversion {
        /// The script's type.
        from: String,
        /// The Rust type.
        to: &'static str,
    },
    /// The interpreter is closing.
    #[error("the interpreter is closing")]
    Closed,
    /// A file could not be read.
    #[error("can't open file '{path}': {message}")]
    Io {
        /// The file.
        path: String,
        /// The system's words.
        message: String,
        /// The system's number.
        errno: i32,
    },
}

/// The kinds of [`Error`], to be matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// [`Error::Syntax`]
    Syntax,
    /// [`Error::Raised`]
    Raised,
    /// [`Error::Stopped`]
    Stopped,
    /// [`Error::Conversion`]
    Conversion,
    /// [`Error::Closed`]
    Closed,
    /// [`Error::Io`]
    Io,
}

impl Error {
    /// Which kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Syntax(_) => ErrorKind::Syntax,
            Self::Raised(_) => ErrorKind::Raised,
            Self::Stopped(_) => ErrorKind::Stopped,
            Self::Conversion { .. } => ErrorKind::Conversion,
            Self::Closed => ErrorKind::Closed,
            Self::Io { .. } => ErrorKind::Io,
        }
    }

    /// The exception, if a script raised one.
    pub fn raised(&self) -> Option<&Raised> {
        match self {
            Self::Syntax(raised) | Self::Raised(raised) => Some(raised),
            _ => None,
        }
    }

    /// Whether a script raised an exception of the class of this name, or of a class derived from it.
    pub fn is(&self, class: &str) -> bool {
        self.raised().is_some_and(|raised| raised.is(class))
    }

    /// The limit that was reached, if that is what it was: the script was ended by it, or the exception that stands for it left the script
    /// (`MemoryError`, `RecursionError`).
    pub fn limit(&self) -> Option<Limit> {
        match self {
            Self::Stopped(stopped) => stopped.limit(),
            _ if self.is("MemoryError") => Some(Limit::Memory),
            _ if self.is("RecursionError") => Some(Limit::Depth),
            _ => None,
        }
    }

    /// The whole report, as the program would print it: for an exception its traceback.
    pub fn pretty(&self) -> String {
        match self {
            Self::Stopped(stopped) => stopped.traceback.clone(),
            _ => self.raised().map_or_else(|| format!("{self}\n"), |raised| raised.traceback.clone()),
        }
    }
}

/// How a script was ended.
#[derive(Debug, Clone)]
pub struct Stopped {
    pub(crate) reason: StopReason,
    pub(crate) traceback: String,
}

impl Stopped {
    /// The limit that ended it; `None` when the host asked for it.
    pub fn limit(&self) -> Option<Limit> {
        match self.reason {
            StopReason::Host(_) => None,
            StopReason::Instructions(_) => Some(Limit::Instructions),
            StopReason::Memory(_) => Some(Limit::Memory),
            StopReason::WallTime(_) => Some(Limit::WallTime),
            StopReason::Output(_) => Some(Limit::Output),
        }
    }
    /// Where the script was, as a traceback; the last line says why it was ended.
    pub fn traceback(&self) -> &str {
        &self.traceback
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

/// An exception that left a script.
#[derive(Debug, Clone)]
pub struct Raised {
    pub(crate) class_names: Vec<String>,
    pub(crate) message: String,
    pub(crate) traceback: String,
    /// `SystemExit`'s code, once it is known: what to print, and the exit code.
    pub(crate) exit: Option<(Option<String>, i32)>,
}

impl Raised {
    /// The name of the exception's class.
    pub fn class_name(&self) -> &str {
        self.class_names.first().map_or("", String::as_str)
    }
    /// Whether the exception's class or one of its bases has this name.
    pub fn is(&self, class: &str) -> bool {
        self.class_names.iter().any(|name| name == class)
    }
    /// `str(exception)`.
    pub fn message(&self) -> &str {
        &self.message
    }
    /// The traceback as the program would print it, with a newline at its end.
    pub fn traceback(&self) -> &str {
        &self.traceback
    }
    /// For a `SystemExit`: what should be printed to stderr, if anything, and the exit code.
    pub fn exit_code(&self) -> Option<(Option<&str>, i32)> {
        self.exit.as_ref().map(|(text, code)| (text.as_deref(), *code))
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.message.is_empty() { f.write_str(self.class_name()) } else { write!(f, "{}: {}", self.class_name(), self.message) }
    }
}
