//! The command line.

use std::ffi::OsString;

use lexopt::prelude::{Long, Short, Value, ValueExt};

use crate::{Limits, StartFlags};

/// What the command line asks for.
#[derive(Debug, Clone)]
pub(super) struct Arguments {
    pub(super) action: Action,
    /// `sys.argv`.
    pub(super) argv: Vec<OsString>,
    pub(super) hash_seed: Option<u64>,
    /// Compiled modules are kept beside their sources.
    pub(super) writes_cache: bool,
    /// `sys.warnoptions`.
    pub(super) warnings: Vec<String>,
    pub(super) limits: Limits,
    /// What the threads did is printed at the end.
    pub(super) gil_stats: bool,
    /// `-X`: names, and values where they have any.
    pub(super) x_options: Vec<(String, Option<String>)>,
    pub(super) flags: StartFlags,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    File(String),
    Code(String),
    Module(String),
    /// Standard input: a prompt when it is a terminal.
    Input,
    Check(Vec<String>),
    Ast(String),
    Disassemble(String),
    Version,
    Help,
}

/// The text of `--help`.
pub(super) const HELP: &str = "\
usage: scrip [option] ... [-c CODE | -m MODULE | FILE | -] [ARG] ...

Runs a script in Python 3's syntax, or starts a prompt.

  FILE             run the script in FILE
  -c CODE          run CODE
  -m MODULE        run a library module as a script
  -                read the script from standard input (the default; a prompt when that is a terminal)
  ARG ...          arguments for the script, in sys.argv[1:]

  --check FILE...  read and check scripts without running them
  --ast FILE       print a script's tree as Python's ast.dump(tree, include_attributes=True)
  --dis FILE       print a script's instructions
  --hash-seed N    fix the order of strings in sets (0 to 18446744073709551615; also SCRIPHASHSEED)
  --max-instructions N, --max-memory SIZE, --timeout SECONDS, --max-depth N, --max-threads N, --max-output SIZE
                   end the script when it uses more; a SIZE is in bytes, or has a K, M or G behind it
  -B               write no compiled files (__scrcache__) beside the sources
  -E, -P, -I       look at no environment variables; leave the script's folder out of sys.path; both
  -q, -u           no greeting at the prompt; write stdout and stderr at once
  -X NAME[=VALUE]  an entry of sys._xoptions; dev checks more, int_max_str_digits=N limits the digits of integers
  -W FILTER        what becomes of warnings: action:message:category:module:line, such as -W error
  --gil-stats      print at the end what the threads did: who held the GIL, who waited for what
  -V, --version    print the version
  -h, --help       print this text

SCRIPPATH is a list of folders, separated by colons, that import looks in.
Exit codes: 0; 1 after an uncaught exception; 2 for a wrong command line; 3 when a limit
ended the script; what sys.exit says.
";

/// Reads a command line (without the program's name) and the hash seed of the environment; the error says what is wrong with it.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>, seed: Option<String>) -> Result<Arguments, String> {
    let mut parsed = Arguments {
        action: Action::Input,
        argv: Vec::new(),
        hash_seed: match seed {
            Some(text) if !text.is_empty() && text != "random" => Some(parse_seed("SCRIPHASHSEED", &text)?),
            _ => None,
        },
        writes_cache: true,
        warnings: Vec::new(),
        limits: Limits::new(),
        gil_stats: false,
        x_options: Vec::new(),
        flags: StartFlags::default(),
    };
    let mut rest = lexopt::Parser::from_args(arguments);
    parsed.read(&mut rest).map_err(|error| match error {
        lexopt::Error::MissingValue { option: Some(option) } => format!("argument expected for the {option} option"),
        lexopt::Error::UnexpectedOption(option) => format!("unknown option {option}"),
        lexopt::Error::NonUnicodeValue(_) => "file names, code and options have to be valid UTF-8".to_owned(),
        other => other.to_string(),
    })?;
    if parsed.argv.is_empty() {
        parsed.argv.push(OsString::new());
    }
    Ok(parsed)
}

impl Arguments {
    /// Reads options up to what ends them: `-c`, `-m`, `-` or a file, behind which everything belongs to the script.
    fn read(&mut self, rest: &mut lexopt::Parser) -> Result<(), lexopt::Error> {
        while let Some(argument) = rest.next()? {
            match argument {
                Short('c') => {
                    self.action = Action::Code(rest.value()?.string()?);
                    return self.script_arguments("-c".into(), rest);
                }
                Short('m') => {
                    self.action = Action::Module(rest.value()?.string()?);
                    return self.script_arguments("-m".into(), rest);
                }
                Value(name) if name == "-" => return self.script_arguments(name, rest),
                Value(file) => {
                    self.action = Action::File(file.clone().string()?);
                    return self.script_arguments(file, rest);
                }
                Long("check") => {
                    let first = rest.value()?.string()?;
                    let others = rest.raw_args()?.map(ValueExt::string);
                    self.action = Action::Check(std::iter::once(Ok(first)).chain(others).collect::<Result<_, _>>()?);
                }
                Long("ast") => self.action = Action::Ast(rest.value()?.string()?),
                Long("dis") => self.action = Action::Disassemble(rest.value()?.string()?),
                Long("hash-seed") => self.hash_seed = Some(parse_seed("--hash-seed", &rest.value()?.string()?)?),
                Long("max-instructions") => {
                    self.limit(|limits, n| limits.instructions(n), parse_number("--max-instructions", &rest.value()?.string()?)?)
                }
                Long("max-memory") => self.limit(|limits, n| limits.memory(n as usize), parse_size("--max-memory", &rest.value()?.string()?)?),
                Long("max-output") => self.limit(|limits, n| limits.output(n), parse_size("--max-output", &rest.value()?.string()?)?),
                Long("max-depth") => self.limit(|limits, n| limits.depth(n as usize), parse_number("--max-depth", &rest.value()?.string()?)?),
                Long("max-threads") => self.limit(|limits, n| limits.threads(n as usize), parse_number("--max-threads", &rest.value()?.string()?)?),
                Long("timeout") => self.limits = self.limits.wall_time(parse_seconds("--timeout", &rest.value()?.string()?)?),
                Short('B') => self.writes_cache = false,
                Short('E') => self.flags.ignores_environment = true,
                Short('I') => (self.flags.is_isolated, self.flags.ignores_environment, self.flags.is_safe_path) = (true, true, true),
                Short('P') => self.flags.is_safe_path = true,
                Short('q') => self.flags.is_quiet = true,
                Short('u') => self.flags.is_unbuffered = true,
                // There is no `site` that these would keep out.
                Short('s' | 'S') => {}
                Short('X') => {
                    let option = parse_x_option(&rest.value()?.string()?)?;
                    if option.0 == "dev" {
                        self.warnings.insert(0, "default".to_owned());
                    }
                    self.x_options.push(option);
                }
                Short('W') => self.warnings.push(rest.value()?.string()?),
                Long("gil-stats") => self.gil_stats = true,
                Short('V') | Long("version") => self.action = Action::Version,
                Short('h') | Long("help") => self.action = Action::Help,
                _ => return Err(argument.unexpected()),
            }
        }
        Ok(())
    }

    fn script_arguments(&mut self, first: OsString, rest: &mut lexopt::Parser) -> Result<(), lexopt::Error> {
        self.argv.push(first);
        self.argv.extend(rest.raw_args()?);
        Ok(())
    }

    fn limit<T>(&mut self, set: impl FnOnce(Limits, T) -> Limits, value: T) {
        self.limits = set(self.limits, value);
    }
}

fn parse_x_option(text: &str) -> Result<(String, Option<String>), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    // The bounds are those of `sys.set_int_max_str_digits`.
    let is_limit = |value: &str| value.parse::<u32>().is_ok_and(|digits| digits == 0 || digits >= 640);
    if name == "int_max_str_digits" && !value.is_some_and(is_limit) {
        return Err(format!("-X int_max_str_digits must be 0 or at least 640, not '{}'", value.unwrap_or_default()));
    }
    Ok((name.to_owned(), value.map(str::to_owned)))
}

fn parse_number(what: &str, text: &str) -> Result<u64, String> {
    text.replace('_', "").parse().map_err(|_| format!("{what} must be a whole number, not '{text}'"))
}

/// Bytes; `K`, `M` and `G` stand for powers of 1024.
fn parse_size(what: &str, text: &str) -> Result<u64, String> {
    let upper = text.to_ascii_uppercase();
    let (digits, shift) = match upper.strip_suffix(['K', 'M', 'G']) {
        Some(digits) if upper.ends_with('K') => (digits, 10),
        Some(digits) if upper.ends_with('M') => (digits, 20),
        Some(digits) => (digits, 30),
        None => (upper.as_str(), 0),
    };
    let size = digits.parse::<u64>().ok().and_then(|size| size.checked_mul(1 << shift));
    size.ok_or_else(|| format!("{what} must be a size such as 1000000 or 64M, not '{text}'"))
}

fn parse_seconds(what: &str, text: &str) -> Result<std::time::Duration, String> {
    let seconds = text.parse::<f64>().ok().and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| format!("{what} must be a number of seconds, not '{text}'"))
}

fn parse_seed(what: &str, text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{what} must be a number from 0 to {}, not '{text}'", u64::MAX))
}
