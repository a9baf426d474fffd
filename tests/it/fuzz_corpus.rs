//! The inputs that the fuzzers kept (tests/fuzz/corpus), each run once more: what found new ways through Scrip, and what once was a fault.

use std::fs;
use std::path::Path;

#[path = "../fuzz/targets/mod.rs"]
mod targets;

/// What scripts print is thrown away.
const QUIET: bool = true;

/// Runs a subject's inputs.
fn run_all(subject: &str) {
    let (_, run) = targets::TARGETS.iter().find(|(name, _)| *name == subject).expect("there is such a subject");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(subject);
    let mut paths: Vec<_> = fs::read_dir(folder).expect("the corpus is there").map(|entry| entry.expect("the folder can be read").path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let input = fs::read(&path).expect("an input can be read");
        if let Err(panic) = std::panic::catch_unwind(|| run(&input)) {
            eprintln!("this was {}", path.display());
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn every_subject_has_a_test() {
    let tested = ["cache", "format", "json", "pickle", "re", "script", "struct", "syntax"];
    assert_eq!(targets::TARGETS.map(|(name, _)| name), tested);
}

#[test]
fn cache() {
    run_all("cache");
}

#[test]
fn format() {
    run_all("format");
}

#[test]
fn json() {
    run_all("json");
}

#[test]
fn pickle() {
    run_all("pickle");
}

#[test]
fn re() {
    run_all("re");
}

#[test]
fn script() {
    run_all("script");
}

#[test]
fn structs() {
    run_all("struct");
}

#[test]
fn syntax() {
    run_all("syntax");
}
