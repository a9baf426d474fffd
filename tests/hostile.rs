//! Hostile scripts: each must be ended by a limit, as its first line says, in bounded time and memory, and leave the interpreter usable.
//!
//! A process of its own, so that nothing else of the process uses memory meanwhile.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use scrip::{Error, Interpreter, Limit, Limits};

/// Without optimisation everything takes so much longer that limits are smaller.
const SLOW: bool = cfg!(debug_assertions);
const MEMORY: usize = if SLOW { 16 << 20 } else { 32 << 20 };

fn limits() -> Limits {
    let instructions = if SLOW { 1_000_000 } else { 50_000_000 };
    let wall_time = Duration::from_secs(if SLOW { 20 } else { 5 });
    Limits::new().instructions(instructions).memory(MEMORY).wall_time(wall_time).depth(500).threads(20).output(100_000)
}

/// The most memory the process had since the last call, in bytes; `None` where the system does not tell.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<usize>().ok().map(|kilobytes| kilobytes << 10)
}

fn name_of(error: &Error) -> &'static str {
    match error.limit() {
        Some(Limit::Instructions) => "Instructions",
        Some(Limit::Memory) => "Memory",
        Some(Limit::WallTime) => "WallTime",
        Some(Limit::Depth) => "Depth",
        Some(Limit::Output) => "Output",
        _ => "Raised",
    }
}

/// What is wrong with how a script ended; `None` when all is well.
fn problem(path: &std::path::Path) -> Option<String> {
    let source = std::fs::read_to_string(path).ok()?;
    let expected = source.lines().next()?.strip_prefix("# ends: ")?.to_owned();
    let interpreter = Interpreter::builder().limits(limits()).hash_seed(1).build().ok()?;
    let before = {
        peak();
        peak()
    };
    let start = Instant::now();
    let result = interpreter.exec(&source);
    let took = start.elapsed();
    let used = peak().zip(before).map(|(after, before)| after.saturating_sub(before));
    let error = match result {
        Ok(()) => return Some("ended well".to_owned()),
        Err(error) => error,
    };
    let got = name_of(&error);
    // Without optimisation scripts are so slow that instructions or time may end them first.
    let is_expected = expected.split(' ').any(|kind| kind == got) || SLOW && matches!(got, "Instructions" | "WallTime");
    if !is_expected {
        return Some(format!("ended by {got}: {error}"));
    }
    if took > Duration::from_secs(if SLOW { 40 } else { 8 }) {
        return Some(format!("took {took:?}"));
    }
    if used.is_some_and(|used| used > MEMORY / 10 * 13 + (4 << 20)) {
        return Some(format!("used {} MB", used.unwrap_or(0) >> 20));
    }
    // What the script keeps is still there, so there may be no memory for more until the host lets it go.
    if let Err(error) = interpreter.exec("for name in list(globals()):\n  if name[:2] != '__' and name != 'name': del globals()[name]\ndel name") {
        return Some(format!("cannot be cleared: {}", error.pretty()));
    }
    match interpreter.eval::<i64>("sum([len(str(n)) for n in range(1000)])") {
        Ok(2890) => None,
        other => Some(format!("cannot be used afterwards: {other:?}")),
    }
}

/// What the scripts print goes to the process's own output, past the test runner: they run in a process whose output is read and dropped.
#[test]
fn every_hostile_script_is_ended_by_its_limit() {
    let program = std::env::current_exe().expect("the test knows its program");
    let arguments = ["--exact", "without_output", "--ignored", "--nocapture"];
    let done = Command::new(program).args(arguments).stderr(Stdio::inherit()).output().expect("it runs");
    assert!(done.status.success(), "the scripts' process ended with {}", done.status);
    assert!(String::from_utf8_lossy(&done.stdout).contains("1 passed"), "no script ran");
}

#[test]
#[ignore = "run by the test above, as a process of its own"]
fn without_output() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hostile");
    let only = std::env::var("HOSTILE").unwrap_or_default();
    let mut paths: Vec<_> = std::fs::read_dir(folder).expect("the folder is there").filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "scr") && path.to_string_lossy().contains(&only));
    paths.sort();
    assert!(paths.len() >= 60 || !only.is_empty());
    let mut problems = Vec::new();
    for path in &paths {
        let start = Instant::now();
        let found = problem(path);
        if std::env::var_os("HOSTILE_TIMES").is_some() {
            eprintln!("{:?} {}", start.elapsed(), path.display());
        }
        if let Some(problem) = found {
            problems.push(format!("{}: {problem}", path.file_name().unwrap_or_default().to_string_lossy()));
        }
    }
    assert!(problems.is_empty(), "{} of {} scripts\n{}", problems.len(), paths.len(), problems.join("\n"));
}
