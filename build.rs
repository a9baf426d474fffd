//! Compiles the library's scripts, to be embedded in the program, says how the program is linked, and numbers the compiler.
//!
//! The compiler is the program's own: the folders `code` and `compile`, which need nothing of the rest, are a part of this script, too.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[allow(dead_code, unreachable_pub, reason = "the program uses the rest of it")]
#[path = "src/code/mod.rs"]
mod code;
#[allow(dead_code, unreachable_pub, reason = "the program uses the rest of it")]
#[path = "src/compile/mod.rs"]
mod compile;

/// Room for the compiler, which this script's own profile may have left unoptimised.
const STACK_BYTES: usize = 256 << 20;

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

/// A module of the library.
struct Module {
    name: String,
    path: PathBuf,
    is_package: bool,
}

/// The library's modules, sorted by name.
fn modules(root: &Path) -> Vec<Module> {
    let mut scripts = Vec::new();
    files_below(root, "scr", &mut scripts);
    let module = |path: PathBuf| {
        let relative = path.strip_prefix(root).expect("it was found below").with_extension("");
        let parts: Vec<String> = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let is_package = parts.last().is_some_and(|last| last == "__init__");
        let name = parts[..parts.len() - usize::from(is_package)].join(".");
        Module { name, path, is_package }
    };
    let mut modules: Vec<Module> = scripts.into_iter().map(module).collect();
    modules.sort_by(|left, right| left.name.cmp(&right.name));
    modules
}

/// The checked unit of a module; what is wrong with its text ends the build.
fn compiled(module: &Module) -> Arc<code::unit::Unit> {
    let source = std::fs::read(&module.path).expect("a script of the library can be read");
    // The file names of the library do not matter: they are given when units are read.
    let grammar = scrip_grammar::Options { stack_bytes: STACK_BYTES / 2, ..Default::default() };
    let parsed = scrip_grammar::parse_bytes(&source, scrip_grammar::Mode::Module, grammar);
    let options = compile::Options { stack_bytes: STACK_BYTES / 2, ..compile::Options::default() };
    let unit = parsed.and_then(|parsed| compile::compile(&parsed, &module.name, &options));
    let unit = unit.unwrap_or_else(|error| panic!("{}:{}: {}", module.path.display(), error.line, error.message));
    check(&unit);
    unit
}

fn check(unit: &code::unit::Unit) {
    code::verify::verify(unit).unwrap_or_else(|problem| panic!("{}: {problem}", unit.qualname));
    for site in &unit.functions {
        check(&site.unit);
    }
}

/// Writes the table of the library's modules and the image of their units.
fn embed_library(root: &Path, out: &Path) {
    let mut writer = code::marshal::LibraryWriter::new();
    let mut table = String::from("&[\n");
    for module in modules(root) {
        let (start, size) = writer.add(&compiled(&module));
        let Module { name, path, is_package } = &module;
        let path = path.display().to_string();
        writeln!(table, "    Script {{ name: {name:?}, source: include_str!({path:?}), is_package: {is_package}, start: {start}, size: {size} }},")
            .expect("a string grows");
    }
    table.push_str("]\n");
    let (strings, starts, units) = writer.finish();
    for (file, content) in [("scripts.rs", table.as_bytes()), ("strings.txt", strings.as_bytes()), ("starts.bin", &starts), ("units.bin", &units)] {
        std::fs::write(out.join(file), content).expect("the output folder can be written");
    }
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = |variable: &str| PathBuf::from(std::env::var_os(variable).expect("cargo sets it"));
    let root = folder("CARGO_MANIFEST_DIR");
    link(&root);
    fingerprint(&root);
    let (library, out) = (root.join("stdlib"), folder("OUT_DIR"));
    let work = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || embed_library(&library, &out)).expect("a thread can be started");
    work.join().expect("the library is compiled");
}
