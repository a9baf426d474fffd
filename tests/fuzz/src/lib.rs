//! What the fuzzers share: the bodies of the targets.

#[path = "../targets/mod.rs"]
mod targets;

/// What scripts print goes where the fuzzer sends it.
const QUIET: bool = false;

/// Does with an input what is done for the subject of this name.
///
/// # Panics
/// Where Scrip does what it must not; and for a name that is no subject's.
pub fn run(subject: &str, input: &[u8]) {
    let (_, run) = targets::TARGETS.iter().find(|(name, _)| *name == subject).expect("there is such a subject");
    run(input);
}
