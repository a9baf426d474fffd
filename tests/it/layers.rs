//! The borders between the folders of `src/`, and which files may say `unsafe`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The folders of `src/`, bottom up: each may use only those above it in this list.
const LAYERS: &[&str] = &["os", "text", "number", "code", "compile", "gil", "object", "vm", "thread", "event_loop", "stdlib", "embed", "cli"];

/// What a folder may name of a higher one. Objects call scripts through the `Vm`, whose methods give `Result`s; special
/// methods have names that the interpreter knows by number, and generators are resumed by the VM.
const KNOTS: &[(&str, &str)] = &[
    ("object", "vm::Vm"),
    ("object", "vm::Result"),
    ("object", "vm::Raised"),
    ("object", "vm::ExceptionKind"),
    ("object", "vm::state::Name"),
    ("object", "vm::operation::OPERATOR_NAMES"),
    ("object", "vm::operation::comparison_names"),
    ("object", "vm::suspend::Resumed"),
    ("object", "vm::suspend::generator_noun"),
    // The one type with a buffer that a module provides.
    ("object", "stdlib::array::Array"),
    // How a thread begins is kept until it runs.
    ("vm", "thread::start::Start"),
];

/// The table of all payloads, which says how each is dropped and traversed, wherever it is defined.
const PAYLOAD_TABLE: &str = "object/layout.rs";

/// The files that may say `unsafe`; each states its invariants at its head.
const UNSAFE_FILES: &[&str] = &[
    "embed/interpreter.rs",
    "gil/gil.rs",
    "object/count.rs",
    "object/cycle.rs",
    "object/heap.rs",
    "object/instance.rs",
    "object/intern.rs",
    "object/layout.rs",
    "object/mailbox.rs",
    "object/types/dict.rs",
    "object/types/function_methods.rs",
    "object/types/generator.rs",
    "object/value.rs",
    "object/weak.rs",
    "object/word.rs",
    "text/text.rs",
    "vm/arithmetic.rs",
    "vm/attribute.rs",
    "vm/bootstrap.rs",
    "vm/call.rs",
    "vm/dispatch.rs",
    "vm/finalize.rs",
    "vm/frame.rs",
    "vm/inline_cache.rs",
    "vm/instructions/attributes.rs",
    "vm/instructions/building.rs",
    "vm/instructions/calls.rs",
    "vm/instructions/items.rs",
    "vm/make.rs",
    "vm/stacks.rs",
    "vm/suspend.rs",
    "vm/trace.rs",
    "vm/unwind.rs",
    "vm/vm.rs",
    "vm/window.rs",
];

/// A folder whose every file may say `unsafe`.
const UNSAFE_FOLDERS: &[&str] = &["os/"];

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every Rust file under `folder`, with its path relative to `src/`.
fn rust_files(folder: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of src/ can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file is UTF-8");
                let name = path.strip_prefix(source_folder()).expect("the file stands in src/");
                files.push((name.to_string_lossy().replace('\\', "/"), text));
            }
        }
    }
    files.sort();
    files
}

/// The line without its comment; strings that contain `//` do not matter here.
fn code_of(line: &str) -> &str {
    line.split("//").next().unwrap_or("")
}

/// The paths that stand after `crate::` in `text`, with their lines and with braces spread:
/// `crate::{a::B, c::{d, e}}` gives `a::B`, `c::d` and `c::e`.
fn crate_paths(text: &str) -> Vec<(usize, String)> {
    let code: String = text.lines().map(|line| code_of(line).to_owned() + "\n").collect();
    let mut paths = Vec::new();
    for (start, word) in code.match_indices("crate::") {
        let line = code[..start].matches('\n').count() + 1;
        let mut found = Vec::new();
        spread_path(&code[start + word.len()..], "", &mut found);
        paths.extend(found.into_iter().map(|path| (line, path)));
    }
    paths
}

/// Adds the paths that the start of `text` names to `paths`; gives how many bytes they take.
fn spread_path(text: &str, prefix: &str, paths: &mut Vec<String>) -> usize {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    let length = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let prefix = [prefix, &text[..length]].concat();
    if !text[length..].starts_with('{') {
        paths.push(prefix);
        return length;
    }
    let mut at = length + 1;
    loop {
        let rest = &text[at..];
        match rest.chars().next() {
            None => return at,
            Some('}') => return at + 1,
            Some(c) if is_part(c) => at += spread_path(rest, &prefix, paths),
            Some(c) => at += c.len_utf8(),
        }
    }
}

#[test]
fn every_folder_of_the_source_is_a_layer() {
    let folders: BTreeSet<String> = fs::read_dir(source_folder())
        .expect("src/ can be read")
        .flatten()
        .filter(|entry| entry.path().is_dir() && fs::read_dir(entry.path()).is_ok_and(|mut files| files.next().is_some()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let unknown: Vec<&String> = folders.iter().filter(|folder| !LAYERS.contains(&folder.as_str())).collect();
    assert!(unknown.is_empty(), "folders without a place in LAYERS: {unknown:?}");
}

#[test]
fn a_folder_uses_only_what_stands_below_it() {
    let mut offences = Vec::new();
    for (file, text) in rust_files(&source_folder()) {
        let Some((folder, _)) = file.split_once('/') else { continue };
        let Some(level) = LAYERS.iter().position(|layer| *layer == folder) else { continue };
        for (line, path) in crate_paths(&text) {
            let target = path.split("::").next().unwrap_or("");
            let is_higher = LAYERS.iter().position(|layer| *layer == target).is_some_and(|other| other > level);
            let is_knot = KNOTS.contains(&(folder, path.as_str()));
            if is_higher && !is_knot && file != PAYLOAD_TABLE {
                offences.push(format!("src/{file}:{line}: crate::{path}"));
            }
        }
    }
    assert!(offences.is_empty(), "these lines name a higher layer:\n{}", offences.join("\n"));
}

#[test]
fn paths_in_braces_are_spread() {
    let spread = |text| crate_paths(text).into_iter().map(|(_, path)| path).collect::<Vec<_>>().join(" ");
    assert_eq!(spread("use crate::a::B; // crate::hidden"), "a::B");
    assert_eq!(spread("use crate::{a::{B, C}, e};\ncrate::f::g()"), "a::B a::C e f::g");
}

#[test]
fn unsafe_stands_in_few_named_files() {
    let mut offences = Vec::new();
    for (file, text) in rust_files(&source_folder()) {
        let may = UNSAFE_FILES.contains(&file.as_str()) || UNSAFE_FOLDERS.iter().any(|folder| file.starts_with(folder));
        let says = text.lines().any(|line| {
            let code = code_of(line);
            ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "allow(unsafe_code"].iter().any(|word| code.contains(word))
        });
        if says && !may {
            offences.push(file.clone());
        }
        if says && may && !text.contains("reason = ") {
            offences.push(format!("{file} (allows unsafe_code without a reason)"));
        }
    }
    assert!(offences.is_empty(), "unsafe outside the files that are listed:\n{}", offences.join("\n"));
}

#[test]
fn only_the_command_line_reads_arguments_and_only_os_names_libc() {
    let mut offences = Vec::new();
    for (file, text) in rust_files(&source_folder()) {
        for (index, line) in text.lines().enumerate() {
            let code = code_of(line);
            let names_libc = code.contains("libc::") && !file.starts_with("os/");
            let reads_arguments = code.contains("env::args") && !file.starts_with("cli/") && file != "main.rs";
            if names_libc || reads_arguments {
                offences.push(format!("src/{file}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn the_command_line_uses_only_the_public_interface() {
    let inner: Vec<&str> = LAYERS.iter().copied().filter(|layer| !["embed", "cli"].contains(layer)).collect();
    let mut offences = Vec::new();
    for (file, text) in rust_files(&source_folder()) {
        if !file.starts_with("cli/") {
            continue;
        }
        for (line, path) in crate_paths(&text) {
            if inner.iter().any(|layer| path.starts_with(&format!("{layer}::"))) {
                offences.push(format!("src/{file}:{line}: crate::{path}"));
            }
        }
    }
    assert!(offences.is_empty(), "cli reaches behind the public interface:\n{}", offences.join("\n"));
}

#[test]
fn every_file_of_the_native_library_and_of_the_types_is_declared() {
    let mut offences = Vec::new();
    for folder in ["stdlib", "object/types"] {
        let path = source_folder().join(folder);
        let Ok(declarations) = fs::read_to_string(path.join("mod.rs")) else { continue };
        for entry in fs::read_dir(&path).expect("the folder of mod.rs can be read").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let stem = name.trim_end_matches(".rs");
            if stem != "mod" && !declarations.contains(&format!("mod {stem};")) {
                offences.push(format!("src/{folder}/{name} is not declared in mod.rs"));
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn no_old_plans_stand_in_the_source() {
    let words = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X:"].concat()];
    let macros = [["unimplemented", "!"].concat(), ["to", "do!("].concat()];
    let mut offences = Vec::new();
    for (file, text) in rust_files(&source_folder()) {
        for (index, line) in text.lines().enumerate() {
            if words.iter().chain(&macros).any(|word| line.contains(word.as_str())) {
                offences.push(format!("src/{file}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}
