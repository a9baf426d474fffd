//! Runs every script under `tests/scripts` and `examples` and compares what it printed with the files beside it.
//!
//! Beside `NAME.scr` stand `NAME.out` (stdout), `NAME.err` (stderr, when there is any) and `NAME.code` (the exit code,
//! when it is not 0), all written by CPython 3.13. Comments in a script's first lines may say more:
//! `# args: …` and `# stdin: …` (with `\n`) are handed to it, `# differs: REASON` marks output that is Scrip's own.
//!
//! - `cargo test --test scripts -- PART …` runs the scripts whose path contains a PART.
//! - `SCRIP_REFERENCE=python3.13` runs each script there too and compares with that instead of the files.
//! - `SCRIP_BLESS=1` rewrites the files (from the reference when there is one, else from Scrip itself) for review.
//! - `SCRIP_BINARY=PATH` runs another build of the program.
#![allow(clippy::print_stdout, reason = "a test runner reports on stdout")]

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

/// A script that runs longer is killed and has failed: no script takes a tenth of it on a machine that has nothing else to do.
const TIME_CAP: Duration = Duration::from_secs(180);
/// The most lines of one difference that are shown.
const SHOWN_LINES: usize = 40;

fn main() -> ExitCode {
    let filters: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let options = Options::from_environment();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut scripts = Vec::new();
    find_scripts(&root.join("tests/scripts"), &mut scripts);
    find_scripts(&root.join("examples"), &mut scripts);
    scripts.sort();
    scripts.retain(|script| filters.is_empty() || filters.iter().any(|part| script.to_string_lossy().contains(part)));

    let queue: Mutex<VecDeque<PathBuf>> = Mutex::new(scripts.into());
    let failures: Mutex<Vec<(PathBuf, String)>> = Mutex::new(Vec::new());
    let n_passed = Mutex::new(0_usize);
    let n_workers = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..n_workers {
            scope.spawn(|| {
                loop {
                    let Some(script) = queue.lock().unwrap().pop_front() else { break };
                    match check(&script, &options) {
                        Ok(()) => *n_passed.lock().unwrap() += 1,
                        Err(report) => failures.lock().unwrap().push((script, report)),
                    }
                }
            });
        }
    });

    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    for (script, report) in &failures {
        println!("FAILED {}\n{report}", script.strip_prefix(root).unwrap_or(script).display());
    }
    println!("{} passed, {} failed", n_passed.into_inner().unwrap(), failures.len());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the environment asks for.
struct Options {
    binary: PathBuf,
    /// The interpreter to compare with, and the folder of its library.
    reference: Option<(PathBuf, String)>,
    bless: bool,
}

impl Options {
    fn from_environment() -> Self {
        let reference = std::env::var_os("SCRIP_REFERENCE").map(|python| {
            let library = Command::new(&python)
                .args(["-c", "import os; print(os.path.dirname(os.__file__))"])
                .output()
                .expect("SCRIP_REFERENCE names a Python that runs");
            (PathBuf::from(python), String::from_utf8_lossy(&library.stdout).trim().to_owned())
        });
        let binary = std::env::var_os("SCRIP_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_scrip").into(), PathBuf::from);
        Self { binary, reference, bless: std::env::var_os("SCRIP_BLESS").is_some_and(|value| value == "1") }
    }
}

fn find_scripts(folder: &Path, scripts: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            find_scripts(&path, scripts);
        } else if path.extension().is_some_and(|extension| extension == "scr") {
            scripts.push(path);
        }
    }
}

/// What a run of a script printed, shortened so that it does not depend on where the repository stands.
#[derive(PartialEq, Eq)]
struct Printed {
    out: String,
    err: String,
    code: String,
}

/// Runs `script` and compares; the error is the report.
fn check(script: &Path, options: &Options) -> Result<(), String> {
    let directives = Directives::of(script);
    let printed = run(&options.binary, &["-B"], script, &directives, "<stdlib>")?;
    let reference = match &options.reference {
        Some((python, library)) if !directives.differs => Some(run(python, &["-B"], script, &directives, library)?),
        _ => None,
    };
    if options.bless {
        bless(script, reference.as_ref().unwrap_or(&printed));
        return Ok(());
    }
    let expected = reference.unwrap_or_else(|| kept(script));
    if printed == expected {
        return Ok(());
    }
    let mut report = String::new();
    for (what, expected, printed) in
        [("stdout", &expected.out, &printed.out), ("stderr", &expected.err, &printed.err), ("exit code", &expected.code, &printed.code)]
    {
        if expected != printed {
            write_difference(&mut report, what, expected, printed);
        }
    }
    Err(report)
}

/// The expectation files beside `script`.
fn kept(script: &Path) -> Printed {
    let read = |extension| fs::read_to_string(script.with_extension(extension)).ok();
    let code = read("code").map_or_else(|| "0".to_owned(), |text| text.trim().to_owned());
    Printed { out: read("out").unwrap_or_default(), err: read("err").unwrap_or_default(), code }
}

fn bless(script: &Path, printed: &Printed) {
    let write = |extension, text: &str, wanted: bool| {
        let path = script.with_extension(extension);
        if wanted {
            fs::write(path, text).expect("expectation files can be written");
        } else {
            // It is usually not there.
            let _ = fs::remove_file(path);
        }
    };
    write("out", &printed.out, true);
    write("err", &printed.err, !printed.err.is_empty() || printed.code != "0");
    write("code", &format!("{}\n", printed.code), printed.code != "0");
}

/// What a script's first lines ask of its runner.
#[derive(Default)]
struct Directives {
    args: Vec<String>,
    stdin: String,
    differs: bool,
}

impl Directives {
    fn of(script: &Path) -> Self {
        let mut directives = Self::default();
        let source = fs::read(script).unwrap_or_default();
        for line in String::from_utf8_lossy(&source).lines().take(4) {
            if let Some(args) = line.strip_prefix("# args: ") {
                directives.args = args.split_whitespace().map(str::to_owned).collect();
            } else if let Some(stdin) = line.strip_prefix("# stdin: ") {
                directives.stdin = stdin.replace("\\n", "\n");
            } else if line.starts_with("# differs: ") {
                directives.differs = true;
            }
        }
        directives
    }
}

fn run(program: &Path, options: &[&str], script: &Path, directives: &Directives, library: &str) -> Result<Printed, String> {
    let folder = script.parent().expect("a script stands in a folder");
    let mut child = Command::new(program)
        .args(options)
        .arg(script.file_name().expect("a script has a name"))
        .args(&directives.args)
        .current_dir(folder)
        .env("PYTHONIOENCODING", "utf-8")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    // A script that does not read its input may close the pipe first.
    let _ = stdin.write_all(directives.stdin.as_bytes());
    drop(stdin);
    let (out, err) = read_all(&mut child)?;
    let status = child.wait().map_err(|error| error.to_string())?;
    let shorten = |text: Vec<u8>| String::from_utf8_lossy(&text).replace(&format!("{}/", folder.display()), "");
    let err = without_library_places(&without_library_frames(&shorten(err), library), library);
    Ok(Printed { out: shorten(out), err, code: exit_code(status) })
}

/// The exit code as the kept files write it: negative when a signal ended the script.
fn exit_code(status: std::process::ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("-{signal}");
    }
    status.code().unwrap_or(-1).to_string()
}

/// Reads both streams to their ends; kills the child when it takes too long.
fn read_all(child: &mut Child) -> Result<(Vec<u8>, Vec<u8>), String> {
    let (sender, receiver) = mpsc::channel();
    let streams: [Box<dyn Read + Send>; 2] =
        [Box::new(child.stdout.take().expect("stdout is piped")), Box::new(child.stderr.take().expect("stderr is piped"))];
    for (index, mut stream) in streams.into_iter().enumerate() {
        let sender = sender.clone();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stream.read_to_end(&mut bytes);
            let _ = sender.send((index, bytes));
        });
    }
    let mut read = [Vec::new(), Vec::new()];
    for _ in 0..2 {
        let Ok((index, bytes)) = receiver.recv_timeout(TIME_CAP) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("  still running after {} s, killed\n", TIME_CAP.as_secs()));
        };
        read[index] = bytes;
    }
    let [out, err] = read;
    Ok((out, err))
}

/// `text` without the traceback entries (and their source lines) of files in the folder `library`.
fn without_library_frames(text: &str, library: &str) -> String {
    let mut kept = Vec::new();
    let mut dropping: Option<usize> = None;
    for line in text.split('\n') {
        if let Some((indent, file)) = frame_file(line) {
            let in_library = [library, "<frozen ", "<stdlib>"].iter().any(|prefix| file.starts_with(prefix));
            dropping = in_library.then_some(indent);
        } else if let Some(indent) = dropping {
            let is_source = line.get(indent.saturating_sub(2)..).is_some_and(|rest| rest.starts_with("    "));
            if !is_source {
                dropping = None;
            }
        }
        if dropping.is_none() {
            kept.push(line);
        }
    }
    kept.join("\n")
}

/// `text` with every place of a library module written as `(library)` and every address as `0x...`.
fn without_library_places(text: &str, library: &str) -> String {
    let mut shortened = String::new();
    let mut rest = text;
    while let Some(found) = rest.find(['(', '0']) {
        shortened.push_str(&rest[..found]);
        rest = &rest[found..];
        let in_place = [library, "<stdlib>", "unknown location"].iter().any(|prefix| rest[1..].starts_with(prefix));
        let n_digits = rest.strip_prefix("0x").map_or(0, |hex| hex.bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).count());
        if rest.starts_with('(') && in_place && rest.contains(')') {
            shortened.push_str("(library)");
            rest = &rest[rest.find(')').map_or(rest.len(), |end| end + 1)..];
        } else if n_digits >= 6 {
            shortened.push_str("0x...");
            rest = &rest[2 + n_digits..];
        } else {
            shortened.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    shortened + rest
}

/// The indentation and the file of a line `File "…", line …`.
fn frame_file(line: &str) -> Option<(usize, &str)> {
    let rest = line.trim_start_matches([' ', '|']);
    let file = rest.strip_prefix("File \"")?;
    let end = file.find("\", line ")?;
    Some((line.len() - rest.len(), &file[..end]))
}

/// Writes the lines in which two texts differ, with what stands before and after them.
fn write_difference(report: &mut String, what: &str, expected: &str, printed: &str) {
    let expected: Vec<&str> = expected.split('\n').collect();
    let printed: Vec<&str> = printed.split('\n').collect();
    let n_same = expected.iter().zip(&printed).take_while(|(left, right)| left == right).count();
    let n_same_at_end = expected[n_same..].iter().rev().zip(printed[n_same..].iter().rev()).take_while(|(left, right)| left == right).count();
    let _ = writeln!(report, "  --- {what} expected\n  +++ {what} printed\n  @@ line {} @@", n_same + 1);
    let shown_before = n_same.saturating_sub(3);
    let lines = (expected[shown_before..n_same].iter().map(|line| (' ', line)))
        .chain(expected[n_same..expected.len() - n_same_at_end].iter().map(|line| ('-', line)).take(SHOWN_LINES))
        .chain(printed[n_same..printed.len() - n_same_at_end].iter().map(|line| ('+', line)).take(SHOWN_LINES))
        .chain(expected[expected.len() - n_same_at_end..].iter().map(|line| (' ', line)).take(2));
    for (sign, line) in lines {
        let _ = writeln!(report, "  {sign}{line}");
    }
}
