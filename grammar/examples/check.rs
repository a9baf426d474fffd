//! Parses and checks programs and says what is wrong with them.
//!
//! `check FILE…` checks files. `check -` reads sources from its input, each a line with its length in
//! bytes and then the source, and prints a line for each: kind, line, offset, end line, end offset,
//! message and warnings, separated by tabs; `ok` instead of the kind where nothing is wrong.

use std::io::{BufRead, Read, Write};
use std::time::Instant;

use scrip_grammar::{Mode, Options, SyntaxError, parse_bytes};

fn main() -> std::io::Result<()> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if files == ["-"] {
        let mut input = std::io::stdin().lock();
        let mut line = String::new();
        while input.read_line(&mut line)? > 0 {
            let mut source = vec![0; line.trim().parse().unwrap_or(0)];
            input.read_exact(&mut source)?;
            line.clear();
            match parse_bytes(&source, Mode::Module, Options::default()) {
                Ok(parsed) => {
                    let warnings = parsed.warnings.iter();
                    let warnings: Vec<_> = warnings.map(|w| format!("{}:{}", w.error.line, w.error.message)).collect();
                    writeln!(out, "ok\t0\t0\t0\t0\t\t{}", warnings.join("\t"))?;
                }
                Err(error) => {
                    let SyntaxError { kind, message, line, offset, end_line, end_offset, .. } = error;
                    let kind = kind.name();
                    let message = message.replace(['\t', '\n'], " ");
                    writeln!(out, "{kind}\t{line}\t{offset}\t{end_line}\t{end_offset}\t{message}\t")?;
                }
            }
        }
        return out.flush();
    }
    let mut total = 0;
    let mut time = std::time::Duration::ZERO;
    for file in files {
        let bytes = std::fs::read(&file)?;
        let start = Instant::now();
        let result = parse_bytes(&bytes, Mode::Module, Options::default());
        time += start.elapsed();
        total += bytes.len();
        if let Err(error) = result {
            let SyntaxError { kind, message, line, offset, .. } = error;
            writeln!(out, "{file}:{line}:{offset}: {}: {message}", kind.name())?;
        }
    }
    let speed = total as f64 / 1e6 / time.as_secs_f64().max(1e-9);
    writeln!(out, "{total} bytes, {:.3} s, {speed:.1} MB/s", time.as_secs_f64())?;
    out.flush()
}
