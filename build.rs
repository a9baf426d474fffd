//! Lists the library's scripts, to be embedded in the program, says how the program is linked, and numbers the compiler.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn files_below(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    println!("cargo::rerun-if-changed={}", folder.display());
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files_below(&path, ending, found);
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
}

/// How the program is linked, where that is known to work; the library that others embed is not concerned.
///
/// It lies at a fixed address: otherwise the loader writes ten thousand addresses into 290 KB of tables at every start. And the functions that run at
/// every start lie side by side, so that the system brings a few hundred KB of code into memory instead of three MB.
fn link(package: &Path) {
    let order = package.join("src/cli/start.ld");
    println!("cargo::rerun-if-changed={}", order.display());
    let is = |key: &str, value: &str| std::env::var(key).is_ok_and(|known| known == value);
    if std::env::var_os("CARGO_FEATURE_CLI").is_none() || !is("CARGO_CFG_TARGET_OS", "linux") || !is("CARGO_CFG_TARGET_ENV", "gnu") {
        return;
    }
    println!("cargo::rustc-link-arg-bin=scrip=-no-pie");
    // Whoever has chosen a linker may have chosen one that reads no scripts.
    let has_own_linker =
        std::env::var_os("RUSTC_LINKER").is_some() || std::env::var("CARGO_ENCODED_RUSTFLAGS").is_ok_and(|flags| flags.contains("link"));
    if !has_own_linker && !is("OPT_LEVEL", "0") {
        println!("cargo::rustc-link-arg-bin=scrip=-T{}", order.display());
    }
}

/// A number that changes with the compiler: what an older one made of a source is not what this one would make.
fn fingerprint(root: &Path) {
    let mut files = Vec::new();
    for folder in ["src/compile", "src/code", "grammar/src"] {
        files_below(&root.join(folder), "rs", &mut files);
    }
    files.sort();
    // FNV-1a.
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for byte in files.iter().flat_map(|file| std::fs::read(file).unwrap_or_default()).chain(env!("CARGO_PKG_VERSION").bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    }
    println!("cargo::rustc-env=SCRIP_COMPILER={hash}");
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    link(&root);
    fingerprint(&root);
    let root = root.join("stdlib");
    let mut scripts = Vec::new();
    files_below(&root, "scr", &mut scripts);
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
