//! What is done with an input, one file per subject. Each body takes arbitrary bytes and panics where Scrip does what it must not: an exception that has
//! no business there, a result that contradicts another, an interpreter that is unusable afterwards. All goes through the public API.
//!
//! Two crates include this folder: the fuzzers themselves (`tests/fuzz/src`) and the ordinary tests (`tests/it/fuzz_corpus.rs`), which run the kept inputs.
//! Each of them has a `QUIET` beside it, which says whether what scripts print is to be thrown away.

mod cache;
mod format;
mod harness;
mod json;
mod pickle;
mod regex;
mod script;
mod structs;
mod syntax;

/// A subject's name, which is its corpus's folder too, and what is done with an input.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// Every subject.
pub(crate) const TARGETS: [Target; 8] = [
    ("cache", cache::run),
    ("format", format::run),
    ("json", json::run),
    ("pickle", pickle::run),
    ("re", regex::run),
    ("script", script::run),
    ("struct", structs::run),
    ("syntax", syntax::run),
];
