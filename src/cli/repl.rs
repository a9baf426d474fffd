//! The prompt: lines with history, editing and completion, inputs of several lines.

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::run::{Outcome, report, write_stderr};
use crate::{Error, Interpreter};

/// What the tab key inserts where a line has only spaces before it.
const INDENTATION: &str = "    ";

/// Reads and runs inputs until the end of input or `exit()`.
pub(super) fn run(interpreter: &Interpreter, is_quiet: bool) -> Result<(), Error> {
    if !is_quiet {
        write_stderr(&format!(
            "Scrip {} (Python 3.13 syntax)\nTab completes and indents, Ctrl-C interrupts, exit() or Ctrl-D ends.\n",
            env!("CARGO_PKG_VERSION")
        ));
    }
    let config = Config::builder().auto_add_history(true).completion_type(CompletionType::List).build();
    let Ok(mut editor) = Editor::<Names, DefaultHistory>::with_config(config) else {
        write_stderr("scrip: cannot use this terminal\n");
        return Ok(());
    };
    editor.set_helper(Some(Names { interpreter: interpreter.clone() }));
    let history = std::env::var_os("HOME").map(|home| std::path::Path::new(&home).join(".scrip_history"));
    if let Some(history) = &history {
        // A first start has no history.
        let _ = editor.load_history(history);
    }
    let result = read_and_run(interpreter, &mut editor);
    if let Some(history) = &history {
        // A read-only home costs the history, nothing else.
        let _ = editor.save_history(history);
    }
    result
}

fn read_and_run(interpreter: &Interpreter, editor: &mut Editor<Names, DefaultHistory>) -> Result<(), Error> {
    let mut input = String::new();
    // Each input has a name of its own, so that tracebacks show the lines of the right one.
    let mut n_inputs = 0_usize;
    loop {
        let prompt = if input.is_empty() { ">>> " } else { "... " };
        match editor.readline(prompt) {
            Ok(line) => {
                input.push_str(&line);
                input.push('\n');
                if input.trim().is_empty() {
                    input.clear();
                    continue;
                }
                match interpreter.interact(&input, &format!("<input-{n_inputs}>")) {
                    Ok(None) => continue,
                    Ok(Some(())) => {}
                    Err(error) if error.raised().is_some_and(|raised| raised.exit_code().is_some()) => return Err(error),
                    Err(error) => {
                        if let Outcome::Interrupted = report(interpreter, Err(error)) {
                            write_stderr("\n");
                        }
                    }
                }
                input.clear();
                n_inputs += 1;
            }
            Err(ReadlineError::Interrupted) => {
                input.clear();
                write_stderr("KeyboardInterrupt\n");
            }
            Err(_) => return Ok(()),
        }
    }
}

/// Completes names from what the interpreter knows.
struct Names {
    interpreter: Interpreter,
}

impl Completer for Names {
    type Candidate = String;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let before = &line[..position];
        if before.rsplit('\n').next().unwrap_or("").trim().is_empty() {
            return Ok((position, vec![INDENTATION.to_owned()]));
        }
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let start = before.char_indices().rev().take_while(|(_, c)| is_part(*c)).last().map_or(position, |(index, _)| index);
        // Only letters, digits, underscores and dots: nothing that could end the string.
        let word = &before[start..];
        if word.is_empty() {
            return Ok((position, Vec::new()));
        }
        // What cannot be looked up has no completions.
        let found = self.interpreter.eval(&format!("__import__('rlcompleter').matches('{word}', globals())"));
        Ok((start, found.unwrap_or_default()))
    }
}

impl Hinter for Names {
    type Hint = String;
}
impl Highlighter for Names {}
impl Validator for Names {}
impl Helper for Names {}
