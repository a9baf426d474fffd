//! The script half of the library, embedded; the build script makes the table from `stdlib/`.

/// Name, source and whether it is a package, sorted by name.
static SCRIPTS: &[(&str, &str, bool)] = include!(concat!(env!("OUT_DIR"), "/scripts.rs"));

/// The source of a module of the library, and whether it is a package.
pub(crate) fn find(name: &str) -> Option<(&'static str, bool)> {
    let place = SCRIPTS.binary_search_by(|row| row.0.cmp(name)).ok()?;
    Some((SCRIPTS[place].1, SCRIPTS[place].2))
}

/// The names of all modules.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SCRIPTS.iter().map(|row| row.0)
}
