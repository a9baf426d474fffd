//! The texts of units: names, and constants that are strings.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use super::marshal::library_text;

/// A text that units share.
#[derive(Clone)]
pub(crate) enum Symbol {
    /// Of a program.
    Shared(Arc<str>),
    /// Of the library that is in the program: its number in the image.
    Library(u32),
}

// Units have many.
const _: () = assert!(size_of::<Symbol>() == size_of::<Arc<str>>());

impl Deref for Symbol {
    type Target = str;
    #[inline]
    fn deref(&self) -> &str {
        match self {
            Self::Shared(text) => text,
            Self::Library(number) => library_text(*number),
        }
    }
}

impl Borrow<str> for Symbol {
    fn borrow(&self) -> &str {
        self
    }
}

impl From<&str> for Symbol {
    fn from(text: &str) -> Self {
        Self::Shared(text.into())
    }
}

impl From<String> for Symbol {
    fn from(text: String) -> Self {
        Self::Shared(text.into())
    }
}

impl From<Box<str>> for Symbol {
    fn from(text: Box<str>) -> Self {
        Self::Shared(text.into())
    }
}

impl From<Arc<str>> for Symbol {
    fn from(text: Arc<str>) -> Self {
        Self::Shared(text)
    }
}

impl PartialEq for Symbol {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Library(own), Self::Library(other)) => own == other,
            _ => **self == **other,
        }
    }
}

impl Eq for Symbol {}

impl PartialOrd for Symbol {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Symbol {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl Hash for Symbol {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl std::fmt::Debug for Symbol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

impl std::fmt::Display for Symbol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self)
    }
}
