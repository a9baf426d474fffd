//! Doing what the command line asks for.

use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;

use super::arguments::{Action, Arguments, HELP, parse};
use crate::{Error, Interpreter};

/// The program: its exit code.
pub fn main() -> ExitCode {
    match parse(std::env::args_os().skip(1), std::env::var("SCRIPHASHSEED").ok()) {
        Ok(arguments) => run(arguments),
        Err(message) => usage(&message),
    }
}

fn usage(message: &str) -> ExitCode {
    write_stderr(&format!(
        "{message}\nusage: scrip [option] ... [-c CODE | -m MODULE | FILE | -] [ARG] ...\nTry `scrip --help' for more information.\n"
    ));
    ExitCode::from(2)
}

pub(super) fn write_stderr(text: &str) {
    // Nothing can be done about a closed stderr.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Writes to stdout; `false` when it is closed.
fn write_stdout(text: &str) -> bool {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_ok()
}

fn run(mut arguments: Arguments) -> ExitCode {
    if let Action::File(file) = &mut arguments.action {
        // Tracebacks and `__file__` name the script by its whole path.
        if let Ok(path) = std::path::absolute(&*file) {
            *file = path.to_string_lossy().into_owned();
        }
    }
    match &arguments.action {
        Action::Help => return code(write_stdout(HELP)),
        Action::Version => return code(write_stdout(&format!("Scrip {} (Python 3.13)\n", env!("CARGO_PKG_VERSION")))),
        Action::Ast(file) => return print_ast(file),
        Action::Check(files) => return check(files),
        _ => {}
    }
    let folder = match &arguments.action {
        Action::File(file) => {
            let file = std::path::Path::new(file);
            let file = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
            let folder = if file.is_dir() { Some(file.as_path()) } else { file.parent() };
            folder.map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default()
        }
        Action::Module(_) => std::env::current_dir().map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default(),
        _ => String::new(),
    };
    let flags = arguments.flags;
    let mut search_path = if flags.is_safe_path { Vec::new() } else { vec![folder.clone()] };
    if let Some(folders) = std::env::var("SCRIPPATH").ok().filter(|_| !flags.ignores_environment) {
        search_path.extend(folders.split(':').filter(|folder| !folder.is_empty()).map(str::to_owned));
    }
    let is_prompt = arguments.action == Action::Input && std::io::stdin().is_terminal();
    let executable = std::env::current_exe().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    let mut builder = Interpreter::builder()
        .arguments(arguments.argv)
        .warning_filters(arguments.warnings)
        .search_path(search_path)
        .executable(executable)
        .interactive(is_prompt)
        .write_cache(arguments.writes_cache)
        .x_options(arguments.x_options)
        .start_flags(flags)
        .ends_process(true)
        .handle_signals(true)
        .limits(arguments.limits);
    if arguments.gil_stats {
        builder = builder.observe_threads(true);
    }
    if let Some(seed) = arguments.hash_seed {
        builder = builder.hash_seed(seed);
    }
    let interpreter = match builder.build() {
        Ok(interpreter) => interpreter,
        Err(error) => {
            write_stderr(&error.pretty());
            return ExitCode::FAILURE;
        }
    };
    let result = match &arguments.action {
        Action::File(file) if std::path::Path::new(file).is_dir() => match interpreter.run_folder(&folder) {
            Ok(true) => Ok(()),
            Ok(false) => {
                write_stderr(&format!("scrip: can't find '__main__' module in '{file}'\n"));
                return ExitCode::FAILURE;
            }
            Err(error) => Err(error),
        },
        Action::File(file) => interpreter.run_file(file),
        Action::Code(text) => interpreter.exec(&format!("{text}\n")),
        Action::Module(name) => match interpreter.run_module(name) {
            Err(error) if is_not_found(&error) => {
                write_stderr(&format!("scrip: {}\n", error.raised().map(crate::Raised::message).unwrap_or_default()));
                return ExitCode::FAILURE;
            }
            result => result,
        },
        Action::Disassemble(file) => return disassemble(&interpreter, file),
        Action::Input if is_prompt => super::repl::run(&interpreter, flags.is_quiet),
        _ => {
            let mut source = Vec::new();
            match std::io::stdin().read_to_end(&mut source) {
                Ok(_) => interpreter.exec_named(&source, "<stdin>"),
                Err(error) => {
                    write_stderr(&format!("scrip: can't read standard input: {error}\n"));
                    return ExitCode::FAILURE;
                }
            }
        }
    };
    let outcome = report(&interpreter, result);
    let finished = interpreter.finish();
    let flushed = !matches!(finished, Ok(false));
    let outcome = match (outcome, finished) {
        (Outcome::Code(0), Err(error)) => report(&interpreter, Err(error)),
        (outcome, _) => outcome,
    };
    if arguments.gil_stats {
        write_stderr(&interpreter.thread_report());
    }
    match outcome {
        Outcome::Interrupted => {
            crate::die_by_interrupt();
            ExitCode::from(130)
        }
        Outcome::Code(_) if !flushed => ExitCode::from(120),
        Outcome::Code(code) => ExitCode::from(code),
    }
}

/// Whether there is no such module to run, which is told in one line: nothing has run that a traceback could show.
fn is_not_found(error: &Error) -> bool {
    error.is("ImportError") && error.raised().is_some_and(|raised| !raised.traceback().starts_with("Traceback"))
}

fn code(written: bool) -> ExitCode {
    if written { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The exit code of a script that a limit ended.
const STOPPED: u8 = 3;

/// How a run ended.
pub(super) enum Outcome {
    Code(u8),
    /// By an uncaught `KeyboardInterrupt`.
    Interrupted,
}

/// Shows an uncaught exception; how the program is to end.
pub(super) fn report(interpreter: &Interpreter, result: Result<(), Error>) -> Outcome {
    let error = match result {
        Ok(()) => return Outcome::Code(0),
        Err(error) => error,
    };
    if let Error::Io { path, message, errno } = &error {
        write_stderr(&format!("scrip: can't open file '{path}': [Errno {errno}] {message}\n"));
        return Outcome::Code(2);
    }
    if let Error::Stopped(stopped) = &error {
        write_stderr(stopped.traceback());
        return Outcome::Code(STOPPED);
    }
    if let Some((text, code)) = error.raised().and_then(crate::Raised::exit_code) {
        if let Some(text) = text {
            interpreter.write_error(&format!("{text}\n"));
        }
        return Outcome::Code(code as u8);
    }
    interpreter.show(&error);
    if error.raised().is_none() {
        write_stderr(&error.pretty());
    }
    if error.is("KeyboardInterrupt") { Outcome::Interrupted } else { Outcome::Code(1) }
}

fn read(file: &str) -> Result<Vec<u8>, ExitCode> {
    std::fs::read(file).map_err(|error| {
        let text = error.to_string();
        // Worded as where a file is run, without Rust's addition.
        let shown = match (error.raw_os_error(), text.split_once(" (os error")) {
            (Some(errno), Some((text, _))) => format!("[Errno {errno}] {text}"),
            _ => text,
        };
        write_stderr(&format!("scrip: can't open file '{file}': {shown}\n"));
        ExitCode::from(2)
    })
}

fn print_ast(file: &str) -> ExitCode {
    let source = match read(file) {
        Ok(source) => source,
        Err(code) => return code,
    };
    match crate::dump_ast(&source) {
        Ok(text) => code(write_stdout(&(text + "\n"))),
        Err(_) => check(&[file.to_owned()]),
    }
}

fn check(files: &[String]) -> ExitCode {
    let mut failed = false;
    let mut interpreter: Option<Interpreter> = None;
    for file in files {
        let Ok(source) = read(file) else {
            failed = true;
            continue;
        };
        if crate::is_program(&source) {
            continue;
        }
        failed = true;
        if interpreter.is_none() {
            interpreter = Interpreter::new().ok();
        }
        if let Some(Err(error)) = interpreter.as_ref().map(|interpreter| interpreter.check(&source, file)) {
            write_stderr(&error.pretty());
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn disassemble(interpreter: &Interpreter, file: &str) -> ExitCode {
    let source = match read(file) {
        Ok(source) => source,
        Err(code) => return code,
    };
    match interpreter.compile(&source, file) {
        Ok(compiled) => code(write_stdout(&compiled.disassemble())),
        Err(error) => {
            write_stderr(&error.pretty());
            ExitCode::FAILURE
        }
    }
}
