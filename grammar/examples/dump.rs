//! Prints the trees of programs as CPython's `ast.dump(tree, include_attributes=True)` does.
//!
//! `dump FILE…` prints one line per file; `dump -` reads names of files from its input instead.
//! A file that is no program gets a line with the error.

use std::io::{BufRead, Write};

use scrip_grammar::{Mode, Options};

fn main() -> std::io::Result<()> {
    let mut files: Vec<String> = std::env::args().skip(1).collect();
    if files == ["-"] {
        files = std::io::stdin().lock().lines().collect::<Result<_, _>>()?;
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for file in files {
        let bytes = std::fs::read(&file)?;
        match scrip_grammar::parse_bytes(&bytes, Mode::Module, Options::default()) {
            Ok(parsed) => writeln!(out, "{}", scrip_grammar::dump::dump(&parsed, 0).unwrap_or_default())?,
            Err(error) => writeln!(out, "{}: {} ({}:{})", error.kind.name(), error.message, error.line, error.offset)?,
        }
    }
    out.flush()
}
