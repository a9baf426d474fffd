//! Lists the library's scripts, to be embedded in the program.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn scripts_below(folder: &Path, found: &mut Vec<PathBuf>) {
    println!("cargo::rerun-if-changed={}", folder.display());
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            scripts_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "scr") {
            found.push(path);
        }
    }
}

fn main() {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("stdlib");
    let mut scripts = Vec::new();
    scripts_below(&root, &mut scripts);
    let mut rows: Vec<(String, PathBuf, bool)> = scripts
        .into_iter()
        .map(|path| {
            let relative = path.strip_prefix(&root).expect("it was found below").with_extension("");
            let parts: Vec<String> = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            let is_package = parts.last().is_some_and(|last| last == "__init__");
            let name = parts[..parts.len() - usize::from(is_package)].join(".");
            (name, path, is_package)
        })
        .collect();
    rows.sort();
    let mut table = String::from("&[\n");
    for (name, path, is_package) in rows {
        writeln!(table, "    ({name:?}, include_str!({:?}), {is_package}),", path.display().to_string()).expect("a string grows");
    }
    table.push_str("]\n");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it")).join("scripts.rs");
    std::fs::write(out, table).expect("the output folder can be written");
}
