//! The command line.

use crate::Limits;

/// What the command line asks for.
#[derive(Debug, Clone)]
pub(super) struct Arguments {
    pub(super) action: Action,
    /// `sys.argv`.
    pub(super) argv: Vec<String>,
    pub(super) hash_seed: Option<u64>,
    /// Compiled modules are kept beside their sources.
    pub(super) writes_cache: bool,
    pub(super) limits: Limits,
    /// What the threads did is printed at the end.
    pub(super) gil_stats: bool,
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
  --gil-stats      print at the end what the threads did: who held the GIL, who waited for what
  -V, --version    print the version
  -h, --help       print this text

SCRIPPATH is a list of folders, separated by colons, that import looks in.
Exit codes: 0; 1 after an uncaught exception; 2 for a wrong command line; 3 when a limit
ended the script; what sys.exit says.
";

/// What is wrong with a command line.
pub(super) fn parse(arguments: impl IntoIterator<Item = String>, seed: Option<String>) -> Result<Arguments, String> {
    let mut rest = arguments.into_iter().peekable();
    let mut hash_seed = match seed {
        Some(text) if !text.is_empty() && text != "random" => Some(parse_seed("SCRIPHASHSEED", &text)?),
        _ => None,
    };
    let mut writes_cache = true;
    let mut limits = Limits::new();
    let mut action = None;
    let mut gil_stats = false;
    let mut argv = Vec::new();
    while let Some(argument) = rest.next() {
        let (option, inline) = match argument.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option.to_owned(), Some(value.to_owned())),
            _ => (argument.clone(), None),
        };
        let mut value = |what: &str| inline.clone().or_else(|| rest.next()).ok_or(format!("argument expected for the {what} option"));
        match option.as_str() {
            "-c" => {
                action = Some(Action::Code(value("-c")?));
                argv.push("-c".to_owned());
                break;
            }
            "-m" => {
                action = Some(Action::Module(value("-m")?));
                argv.push("-m".to_owned());
                break;
            }
            "-" => {
                action = Some(Action::Input);
                argv.push("-".to_owned());
                break;
            }
            "--check" => {
                let mut files: Vec<String> = inline.into_iter().collect();
                files.extend(rest.by_ref());
                if files.is_empty() {
                    return Err("argument expected for the --check option".to_owned());
                }
                action = Some(Action::Check(files));
            }
            "--ast" => action = Some(Action::Ast(value("--ast")?)),
            "--dis" => action = Some(Action::Disassemble(value("--dis")?)),
            "--hash-seed" => hash_seed = Some(parse_seed("--hash-seed", &value("--hash-seed")?)?),
            "--max-instructions" => limits = limits.instructions(parse_number(&option, &value(&option)?)?),
            "--max-memory" => limits = limits.memory(parse_size(&option, &value(&option)?)? as usize),
            "--max-output" => limits = limits.output(parse_size(&option, &value(&option)?)?),
            "--max-depth" => limits = limits.depth(parse_number(&option, &value(&option)?)? as usize),
            "--max-threads" => limits = limits.threads(parse_number(&option, &value(&option)?)? as usize),
            "--timeout" => limits = limits.wall_time(parse_seconds(&option, &value(&option)?)?),
            "-B" => writes_cache = false,
            "--gil-stats" => gil_stats = true,
            "-V" | "--version" => action = Some(Action::Version),
            "-h" | "--help" => action = Some(Action::Help),
            _ if option.starts_with("-c") && !option.starts_with("--") => {
                action = Some(Action::Code(argument[2..].to_owned()));
                argv.push("-c".to_owned());
                break;
            }
            _ if option.starts_with("-m") && !option.starts_with("--") => {
                action = Some(Action::Module(argument[2..].to_owned()));
                argv.push("-m".to_owned());
                break;
            }
            _ if option.starts_with('-') => return Err(format!("unknown option {option}")),
            _ => {
                action = Some(Action::File(argument.clone()));
                argv.push(argument);
                break;
            }
        }
    }
    argv.extend(rest);
    if argv.is_empty() {
        argv.push(String::new());
    }
    Ok(Arguments { action: action.unwrap_or(Action::Input), argv, hash_seed, writes_cache, limits, gil_stats })
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
