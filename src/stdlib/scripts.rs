//! The script half of the library, embedded; the build script makes the table from `stdlib/`.

use std::sync::{Arc, OnceLock};

use crate::code::unit::Unit;

/// Name, source and whether it is a package, sorted by name.
static SCRIPTS: &[(&str, &str, bool)] = include!(concat!(env!("OUT_DIR"), "/scripts.rs"));

/// What became of them when the first interpreter imported them: a unit never changes, so later ones share it.
static UNITS: [OnceLock<Arc<Unit>>; SCRIPTS.len()] = [const { OnceLock::new() }; SCRIPTS.len()];

fn place(name: &str) -> Option<usize> {
    SCRIPTS.binary_search_by(|row| row.0.cmp(name)).ok()
}

/// Where the unit of a module of the library is kept once it has been compiled.
pub(crate) fn unit(name: &str) -> Option<&'static OnceLock<Arc<Unit>>> {
    place(name).map(|place| &UNITS[place])
}

/// The source of a module of the library, and whether it is a package.
pub(crate) fn find(name: &str) -> Option<(&'static str, bool)> {
    let place = place(name)?;
    Some((SCRIPTS[place].1, SCRIPTS[place].2))
}

/// The names of all modules.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SCRIPTS.iter().map(|row| row.0)
}
