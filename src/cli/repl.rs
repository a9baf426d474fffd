//! The prompt: lines with history and editing, inputs of several lines.

use rustyline::error::ReadlineError;
use rustyline::{Config, DefaultEditor};

use super::run::{Outcome, report, write_stderr};
use crate::{Error, Interpreter};

/// Reads and runs inputs until the end of input or `exit()`.
pub(super) fn run(interpreter: &Interpreter) -> Result<(), Error> {
    write_stderr(&format!("Scrip {} (Python 3.13 syntax). Ctrl-D ends, \"help\" is in the README.\n", env!("CARGO_PKG_VERSION")));
    let config = Config::builder().auto_add_history(true).build();
    let Ok(mut editor) = DefaultEditor::with_config(config) else {
        write_stderr("scrip: cannot use this terminal\n");
        return Ok(());
    };
    let history = std::env::var_os("HOME").map(|home| std::path::Path::new(&home).join(".scrip_history"));
    if let Some(history) = &history {
        // A first start has no history.
        let _ = editor.load_history(history);
    }
    let mut input = String::new();
    let result = loop {
        let prompt = if input.is_empty() { ">>> " } else { "... " };
        match editor.readline(prompt) {
            Ok(line) => {
                let ends_block = line.trim().is_empty();
                input.push_str(&line);
                input.push('\n');
                if input.trim().is_empty() {
                    input.clear();
                    continue;
                }
                match interpreter.interact(&input) {
                    Ok(None) if !ends_block || is_open(&input) => continue,
                    Ok(_) => {}
                    Err(error) => {
                        if error.raised().is_some_and(|raised| raised.exit_code().is_some()) {
                            break Err(error);
                        }
                        if let Outcome::Interrupted = report(interpreter, Err(error)) {
                            write_stderr("\n");
                        }
                    }
                }
                input.clear();
            }
            Err(ReadlineError::Interrupted) => {
                input.clear();
                write_stderr("KeyboardInterrupt\n");
            }
            Err(_) => break Ok(()),
        }
    };
    if let Some(history) = &history {
        // A read-only home costs the history, nothing else.
        let _ = editor.save_history(history);
    }
    result
}

/// Whether an input ends inside brackets or a string, where an empty line ends nothing.
fn is_open(input: &str) -> bool {
    !input.ends_with("\n\n")
}
