//! The script half of the library, embedded: compiled and verified by the build script, which makes the table and the image from `stdlib/`; and as text, for
//! tracebacks and for whoever asks for sources.

use std::sync::{Arc, OnceLock};

use crate::code::marshal::{Library, read_library};
use crate::code::unit::Unit;
use crate::vm::import::library_file;

/// A module of the library.
struct Script {
    name: &'static str,
    source: &'static str,
    is_package: bool,
    /// Where its unit lies in the image, and its size in bytes.
    start: usize,
    size: usize,
}

/// Sorted by name.
static SCRIPTS: &[Script] = include!(concat!(env!("OUT_DIR"), "/scripts.rs"));

static LIBRARY: Library = Library {
    strings: include_str!(concat!(env!("OUT_DIR"), "/strings.txt")),
    starts: include_bytes!(concat!(env!("OUT_DIR"), "/starts.bin")),
    units: include_bytes!(concat!(env!("OUT_DIR"), "/units.bin")),
};

/// The modules' units since they were first imported: a unit never changes, so interpreters share it.
static UNITS: [OnceLock<Arc<Unit>>; SCRIPTS.len()] = [const { OnceLock::new() }; SCRIPTS.len()];

fn place(name: &str) -> Option<usize> {
    SCRIPTS.binary_search_by(|row| row.name.cmp(name)).ok()
}

/// The unit of a module of the library.
pub(crate) fn unit(name: &str) -> Option<Arc<Unit>> {
    let place = place(name)?;
    let script = &SCRIPTS[place];
    let read = || read_library(&LIBRARY, script.start, script.size, &library_file(name, script.is_package));
    Some(UNITS[place].get_or_init(read).clone())
}

/// The source of a module of the library, and whether it is a package.
pub(crate) fn find(name: &str) -> Option<(&'static str, bool)> {
    let place = place(name)?;
    Some((SCRIPTS[place].source, SCRIPTS[place].is_package))
}

/// The names of all modules.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SCRIPTS.iter().map(|row| row.name)
}
