//! The program `scrip` as a shell sees it: arguments, streams, exit codes, signals, bad input.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Longer than any of these runs may take, even on a busy machine.
const TIME_CAP: Duration = Duration::from_secs(60);

struct Run {
    out: String,
    err: String,
    status: ExitStatus,
}

impl Run {
    fn code(&self) -> Option<i32> {
        self.status.code()
    }

    #[track_caller]
    fn check(&self, out: &str, err: &str, code: i32) {
        assert_eq!((self.out.as_str(), self.err.as_str(), self.code()), (out, err, Some(code)));
    }

    /// Neither a panic nor a signal ended the program.
    #[track_caller]
    fn is_orderly(&self) {
        assert!(!self.err.contains("panicked at"), "{}", self.err);
        assert!(matches!(self.code(), Some(0 | 1)), "{:?}\n{}", self.status, self.err);
    }
}

fn scrip(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrip"));
    command.args(arguments).env("LC_ALL", "C.UTF-8").env_remove("SCRIPPATH").env_remove("SCRIPHASHSEED");
    command
}

fn run(arguments: &[&str]) -> Run {
    run_with_input(arguments, b"")
}

fn run_with_input(arguments: &[&str], input: &[u8]) -> Run {
    let mut child = scrip(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    // A program that does not read its input may have closed it.
    let _ = stdin.write_all(input);
    drop(stdin);
    finish(child)
}

/// Reads both streams and waits for the end; a run that hangs is killed and fails the test.
fn finish(mut child: Child) -> Run {
    let (sender, receiver) = mpsc::channel();
    let streams: [Box<dyn Read + Send>; 2] = [
        child.stdout.take().map_or_else(|| Box::new(std::io::empty()) as _, |pipe| Box::new(pipe) as _),
        child.stderr.take().map_or_else(|| Box::new(std::io::empty()) as _, |pipe| Box::new(pipe) as _),
    ];
    for (index, mut stream) in streams.into_iter().enumerate() {
        let sender = sender.clone();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stream.read_to_end(&mut bytes);
            let _ = sender.send((index, bytes));
        });
    }
    let mut texts = [String::new(), String::new()];
    for _ in 0..2 {
        let Ok((index, bytes)) = receiver.recv_timeout(TIME_CAP) else {
            let _ = child.kill();
            panic!("the program hangs");
        };
        texts[index] = String::from_utf8_lossy(&bytes).into_owned();
    }
    let status = child.wait().expect("the program ends");
    let [out, err] = texts;
    Run { out, err, status }
}

/// A folder of its own for one test, emptied first.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("the test's folder can be made");
    path
}

fn file(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("the test's file can be written");
    path.to_string_lossy().into_owned()
}

#[test]
fn version_and_help_go_to_stdout() {
    for option in ["--version", "-V"] {
        let shown = run(&[option]);
        assert!(shown.out.starts_with("Scrip ") && shown.out.ends_with('\n'), "{}", shown.out);
        assert!(shown.out.contains(env!("CARGO_PKG_VERSION")), "{}", shown.out);
        assert_eq!((shown.err.as_str(), shown.code()), ("", Some(0)));
    }
    for option in ["--help", "-h"] {
        let help = run(&[option]);
        assert_eq!((help.err.as_str(), help.code()), ("", Some(0)));
        for word in ["FILE", "-c", "-m", "--check", "--ast", "--dis", "--hash-seed", "--version", "--help"] {
            assert!(help.out.contains(word), "the help does not name {word}:\n{}", help.out);
        }
    }
}

#[test]
fn wrong_usage_ends_with_2_and_says_why_on_stderr() {
    for arguments in [&["--no-such-option"][..], &["-c"], &["-m"], &["--check"], &["-Q"], &["--hash-seed", "x", "-c", "1"]] {
        let refused = run(arguments);
        assert_eq!((refused.out.as_str(), refused.code()), ("", Some(2)), "{arguments:?}: {}", refused.err);
        assert!(!refused.err.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_file_that_is_not_there_ends_with_2() {
    let refused = run(&["/no/such/file.scr"]);
    assert_eq!(refused.code(), Some(2));
    assert!(refused.err.contains("/no/such/file.scr") && refused.err.contains("No such file"), "{}", refused.err);
    assert_eq!(refused.out, "");
}

#[test]
fn code_on_the_command_line_sees_its_arguments() {
    run(&["-c", "import sys; print(sys.argv)", "a", "-b"]).check("['-c', 'a', '-b']\n", "", 0);
    run(&["-c", "print(__name__)\nprint(1 + 1)"]).check("__main__\n2\n", "", 0);
}

#[test]
fn arguments_need_not_be_unicode() {
    use std::os::unix::ffi::OsStrExt;
    let strange = std::ffi::OsStr::from_bytes(b"a\xff");
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_scrip")).args(["-c", "import sys; print(ascii(sys.argv))"]).arg(strange).output();
    assert_eq!(String::from_utf8_lossy(&done.expect("it runs").stdout), "['-c', 'a\\udcff']\n");
}

#[test]
fn warnings_can_be_errors() {
    run(&["-W", "error", "-c", "'\\d'"]).check(
        "",
        "  File \"<string>\", line 1\n    '\\d'\n    ^^^^\nSyntaxError: invalid escape sequence '\\d'\n",
        1,
    );
    run(&["-Wignore", "-c", "import sys, warnings; warnings.warn('x'); print(sys.warnoptions)"]).check("['ignore']\n", "", 0);
    run(&["-W", "nonsense", "-c", "print(1)"]).check("1\n", "Invalid -W option ignored: invalid action: 'nonsense'\n", 0);
}

#[test]
fn an_error_in_code_on_the_command_line_names_a_string() {
    let failed = run(&["-c", "def f():\n    1 / 0\nf()"]);
    assert_eq!(
        failed.err,
        "Traceback (most recent call last):\n  File \"<string>\", line 3, in <module>\n    f()\n    ~^^\n  \
         File \"<string>\", line 2, in f\n    1 / 0\n    ~~^~~\nZeroDivisionError: division by zero\n"
    );
    assert_eq!(failed.code(), Some(1));
    let failed = run(&["-c", "x = = 1"]);
    assert_eq!(failed.err, "  File \"<string>\", line 1\n    x = = 1\n        ^\nSyntaxError: invalid syntax\n");
}

#[test]
fn a_script_can_come_through_a_pipe() {
    run_with_input(&["-"], b"import sys\nprint('piped', sys.argv)\n").check("piped ['-']\n", "", 0);
    run_with_input(&["-", "x"], b"import sys\nprint(sys.argv)\n").check("['-', 'x']\n", "", 0);
    run_with_input(&[], b"print('no arguments')\n").check("no arguments\n", "", 0);
    let failed = run_with_input(&["-"], b"print(1)\n1 / 0\n");
    assert_eq!(failed.out, "1\n");
    assert!(failed.err.contains("  File \"<stdin>\", line 2, in <module>\n"), "{}", failed.err);
    assert_eq!(failed.code(), Some(1));
}

#[test]
fn a_module_is_run_by_its_name() {
    let folder = folder("module_by_name");
    file(&folder, "tool.scr", "import sys\nprint(__name__, sys.argv[1:], __spec__.name)\n");
    fs::create_dir_all(folder.join("package")).expect("the package can be made");
    file(&folder, "package/__init__.scr", "");
    file(&folder, "package/__main__.scr", "print('main of the package', __package__)\n");
    let run_module = |arguments: &[&str]| {
        let child = scrip(arguments).current_dir(&folder).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        finish(child.expect("the program starts"))
    };
    run_module(&["-m", "tool", "a"]).check("__main__ ['a'] tool\n", "", 0);
    run_module(&["-m", "package"]).check("main of the package package\n", "", 0);
    let missing = run_module(&["-m", "no_such_module"]);
    assert_eq!(missing.code(), Some(1));
    assert_eq!(missing.err, "scrip: No module named no_such_module\n");
    fs::create_dir_all(folder.join("bare")).expect("the package can be made");
    file(&folder, "bare/__init__.scr", "");
    for (module, message) in [
        ("package.none", "No module named package.none"),
        ("none.x", "Error while finding module specification for 'none.x' (ModuleNotFoundError: No module named 'none')"),
        ("bare", "No module named bare.__main__; 'bare' is a package and cannot be directly executed"),
    ] {
        run_module(&["-m", module]).check("", &format!("scrip: {message}\n"), 1);
    }
    run_module(&["package", "a"]).check("main of the package \n", "", 0);
    let nothing = folder.join("bare");
    run_module(&["bare"]).check("", &format!("scrip: can't find '__main__' module in '{}'\n", nothing.display()), 1);
    run_module(&["-X", "a=b", "-X", "dev", "-c", "import sys; print(sys._xoptions, sys.flags.dev_mode)"]).check(
        "{'a': 'b', 'dev': True} True\n",
        "",
        0,
    );
}

#[test]
fn check_parses_without_running() {
    let folder = folder("check");
    let good = file(&folder, "good.scr", "print('not run')\n");
    let bad = file(&folder, "bad.scr", "def f(:\n    pass\n");
    let worse = file(&folder, "worse.scr", "return 1\n");
    run(&["--check", &good]).check("", "", 0);
    let refused = run(&["--check", &good, &bad, &worse]);
    assert_eq!((refused.out.as_str(), refused.code()), ("", Some(1)));
    assert!(refused.err.contains(&format!("  File \"{bad}\", line 1\n    def f(:\n          ^\n")), "{}", refused.err);
    assert!(refused.err.contains("SyntaxError: 'return' outside function\n"), "{}", refused.err);
}

#[test]
fn the_tree_is_printed_as_ast_dump_prints_it() {
    let folder = folder("ast");
    let script = file(&folder, "one.scr", "x = 1\n");
    run(&["--ast", &script]).check(
        "Module(body=[Assign(targets=[Name(id='x', ctx=Store(), lineno=1, col_offset=0, end_lineno=1, end_col_offset=1)], \
         value=Constant(value=1, lineno=1, col_offset=4, end_lineno=1, end_col_offset=5), lineno=1, col_offset=0, \
         end_lineno=1, end_col_offset=5)])\n",
        "",
        0,
    );
}

#[test]
fn the_instructions_are_printed() {
    let folder = folder("dis");
    let script = file(&folder, "one.scr", "def f(x):\n    return x + 1\nprint(f(1))\n");
    let shown = run(&["--dis", &script]);
    assert_eq!((shown.err.as_str(), shown.code()), ("", Some(0)));
    assert!(shown.out.contains('f') && shown.out.contains("Call"), "{}", shown.out);
}

#[test]
fn exit_codes_are_those_of_system_exit() {
    for (code, expected, err) in [
        ("pass", 0, ""),
        ("import sys; sys.exit()", 0, ""),
        ("import sys; sys.exit(None)", 0, ""),
        ("import sys; sys.exit(0)", 0, ""),
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit(True)", 1, ""),
        ("import sys; sys.exit(256 + 7)", 7, ""),
        ("import sys; sys.exit(-1)", 255, ""),
        ("import sys; sys.exit('message')", 1, "message\n"),
        ("import sys; sys.exit([1, 2])", 1, "[1, 2]\n"),
        ("import sys; sys.exit(1.5)", 1, "1.5\n"),
        ("raise SystemExit(4)", 4, ""),
        ("raise SystemExit", 0, ""),
        ("import os; os._exit(9)", 9, ""),
        ("def f():\n  try:\n    raise SystemExit(5)\n  finally:\n    pass\nf()", 5, ""),
    ] {
        let ended = run(&["-c", code]);
        assert_eq!((ended.code(), ended.err.as_str()), (Some(expected), err), "{code}");
    }
}

#[test]
fn an_uncaught_exception_ends_with_1() {
    let failed = run(&["-c", "raise ValueError('x')"]);
    assert_eq!(failed.code(), Some(1));
    assert!(failed.err.ends_with("ValueError: x\n"), "{}", failed.err);
}

#[cfg(unix)]
#[test]
fn an_uncaught_keyboard_interrupt_ends_it_by_sigint() {
    use std::os::unix::process::ExitStatusExt;
    let ended = run(&["-c", "raise KeyboardInterrupt"]);
    assert_eq!(ended.status.signal(), Some(2), "{:?}", ended.status);
    assert!(ended.err.ends_with("KeyboardInterrupt\n"), "{}", ended.err);
}

/// Starts `code`, sends SIGINT once it has printed `ready`, and waits for its end.
#[cfg(unix)]
fn interrupted(code: &str) -> Run {
    let mut child = scrip(&["-c", code]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut out = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let mut line = String::new();
    out.read_line(&mut line).expect("the script prints a line");
    assert_eq!(line, "ready\n");
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut rest = String::new();
        let _ = out.read_to_string(&mut rest);
        let _ = sender.send(rest);
    });
    let rest = receiver.recv_timeout(TIME_CAP);
    if rest.is_err() {
        let _ = child.kill();
    }
    let mut ended = finish(child);
    ended.out = rest.expect("the program ends after Ctrl-C");
    ended
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_loop_a_sleep_a_lock_wait_and_a_long_native_call() {
    use std::os::unix::process::ExitStatusExt;
    for code in [
        "while True:\n    pass",
        "def f(n):\n    while n:\n        n += 1\nf(1)",
        "import time\ntime.sleep(1000)",
        "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()",
        "import threading\nthreading.Event().wait()",
        "import threading\nc = threading.Condition()\nwith c:\n    c.wait()",
        "sum(iter(int, 1))",
        "10 ** 10 ** 8",
        "import itertools\nsum(itertools.repeat(1))",
        "x = [n for n in iter(int, 1)]",
    ] {
        let ended = interrupted(&format!("print('ready', flush=True)\n{code}"));
        assert_eq!(ended.status.signal(), Some(2), "{code}: {:?} {}", ended.status, ended.err);
        assert!(ended.err.ends_with("KeyboardInterrupt\n"), "{code}: {}", ended.err);
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_every_wait_outside() {
    use std::os::unix::process::ExitStatusExt;
    for code in [
        "import os\nos.read(os.pipe()[0], 1)",
        "import os\nos.write(os.pipe()[1], b'x' * 1000000)",
        "import os\nopen(os.pipe()[0], 'rb').read()",
        "import socket\nsocket.create_server(('127.0.0.1', 0)).accept()",
        "import socket\na, b = socket.socketpair()\na.recv(1)",
        "import socket\na, b = socket.socketpair()\na.sendall(b'x' * 10000000)",
        "import select\nselect.select([], [], [])",
        "import select\nselect.poll().poll()",
        "import select\nselect.epoll().poll()",
        "import selectors, os\ns = selectors.DefaultSelector()\ns.register(os.pipe()[0], 1)\ns.select()",
        "import signal\nsignal.pause()",
        "import signal\nsignal.sigwait([signal.SIGUSR1])",
        "import threading, time\nt = threading.Thread(target=time.sleep, args=(1000,), daemon=True)\nt.start()\nt.join()",
        "import threading\ndef spin():\n    while True: pass\nt = threading.Thread(target=spin, daemon=True)\nt.start()\nt.join()",
        "import queue\nqueue.Queue().get()",
        "import threading\nthreading.Barrier(2).wait()",
        "import threading\nthreading.Semaphore(0).acquire()",
        "import threading\nc = threading.Condition()\nwith c:\n    c.wait(1000)",
        "import threading\nlock = threading.RLock()\nt = threading.Thread(target=lock.acquire)\nt.start()\nt.join()\nlock.acquire(timeout=1000)",
        "import queue\nqueue.SimpleQueue().get()",
        "import concurrent.futures\nconcurrent.futures.Future().result()",
        "import concurrent.futures\nconcurrent.futures.wait([concurrent.futures.Future()])",
        "import asyncio\nasyncio.run(asyncio.sleep(1000))",
        "import os, sys\nr, w = os.pipe()\nos.dup2(r, 0)\ninput()",
        "import subprocess\nsubprocess.Popen(['cat'], stdin=subprocess.PIPE).wait()",
        "import subprocess\nsubprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE).stdout.read()",
        "import os, subprocess\np = subprocess.Popen(['cat'], stdin=subprocess.PIPE)\nos.wait()",
        "import os, tempfile\npath = tempfile.mktemp()\nos.mkfifo(path)\ntry:\n    open(path)\nfinally:\n    os.unlink(path)",
        "import socket\ns = socket.create_server(('127.0.0.1', 0))\na = socket.create_connection(s.getsockname())\na.makefile().readline()",
    ] {
        let ended = interrupted(&format!("print('ready', flush=True)\n{code}"));
        assert_eq!(ended.status.signal(), Some(2), "{code}: {:?} {}", ended.status, ended.err);
        assert!(ended.err.ends_with("KeyboardInterrupt\n"), "{code}: {}", ended.err);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn more_threads_than_there_is_memory_for_are_an_exception() {
    let code = "import threading\n\
                done = threading.Event()\n\
                threads = []\n\
                try:\n\
                \x20   while True:\n\
                \x20       thread = threading.Thread(target=done.wait)\n\
                \x20       thread.start()\n\
                \x20       threads.append(thread)\n\
                except RuntimeError as error:\n\
                \x20   print(error, len(threads) > 10)\n\
                done.set()\n\
                for thread in threads: thread.join()\n\
                print('goes on', threading.active_count())\n";
    let command = format!("ulimit -v 1500000; exec {} -c \"$0\"", env!("CARGO_BIN_EXE_scrip"));
    let child = Command::new("sh").args(["-c", &command, code]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the shell starts");
    finish(child).check("can't start new thread True\ngoes on 1\n", "", 0);
}

#[cfg(target_os = "linux")]
#[test]
fn standard_streams_that_are_closed_are_none() {
    let shell = |line: &str| {
        let ended = Command::new("sh").args(["-c", line, env!("CARGO_BIN_EXE_scrip")]).output().expect("the shell starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&ended.stdout), text(&ended.stderr), ended.status.code())
    };
    let ended = |out: &str, err: &str, code: i32| (out.to_owned(), err.to_owned(), Some(code));
    let input = "try: input()\nexcept RuntimeError as error: print(error)";
    assert_eq!(
        shell(&format!("\"$0\" -c 'import sys; print(sys.stdin, sys.__stdin__)\n{input}' <&-")),
        ended("None None\ninput(): lost sys.stdin\n", "", 0)
    );
    assert_eq!(shell("\"$0\" -c 'import sys; print(1); sys.stderr.write(repr(sys.stdout))' >&-"), ended("", "None", 0));
    assert_eq!(shell("\"$0\" -c 'import sys; print(sys.stderr); 1/0' 2>&-"), ended("None\n", "", 1));
    let lost = "Exception ignored on flushing sys.stdout:\nOSError: [Errno 9] Bad file descriptor\n";
    assert_eq!(shell("\"$0\" -c 'import os; os.close(1); print(1)'"), ended("", lost, 120));
    assert_eq!(shell("\"$0\" -c 'import os; os.closerange(1, 2**31 - 1)'"), ended("", "", 0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_that_fills_the_memory_it_may_have_ends_well() {
    // Millions of containers are left for the collector, which has no memory for lists of them.
    for program in ["x = []\nwhile True: x.append(lambda: 0)", "x = []\nwhile True: x = [x]", "(chr(233) * 10**8).encode(\"utf-32\")"] {
        let command = format!("ulimit -v 250000; exec {} -c '{program}'", env!("CARGO_BIN_EXE_scrip"));
        let ended = Command::new("sh").args(["-c", &command]).output().expect("the shell starts");
        assert_eq!(ended.status.code(), Some(1), "{program}");
        let err = String::from_utf8_lossy(&ended.stderr);
        assert!(err.starts_with("Traceback") && err.ends_with("MemoryError\n"), "{err}");
    }
}

#[cfg(unix)]
#[test]
fn sigquit_shows_all_stacks_and_what_they_wait_for() {
    let code = "import faulthandler, os, signal, tempfile, threading, time\n\
                lock = threading.Lock()\n\
                lock.acquire()\n\
                def worker():\n\
                \x20   with lock: pass\n\
                thread = threading.Thread(target=worker, name='worker')\n\
                thread.start()\n\
                with tempfile.TemporaryFile() as file:\n\
                \x20   while b'waits for the lock' not in file.read():\n\
                \x20       time.sleep(0.001)\n\
                \x20       faulthandler.dump_traceback(file)\n\
                \x20       file.seek(0)\n\
                os.kill(os.getpid(), signal.SIGQUIT)\n\
                lock.release()\n\
                thread.join()\n\
                print('goes on')\n";
    let ended = run(&["-c", code]);
    assert_eq!(ended.out, "goes on\n");
    assert!(ended.status.success());
    for part in ["[worker]", "waits for the lock at 0x", "in worker", "Current thread 0x", "[MainThread]", "line 13 in <module>"] {
        assert!(ended.err.contains(part), "{part} is missing in:\n{}", ended.err);
    }
}

#[test]
fn what_the_threads_did_is_printed_at_the_end() {
    // Neither of the two ends before both have had the lock, in which they sleep.
    let code = "import threading, time\n\
                lock = threading.Lock()\n\
                counts = [0, 0]\n\
                def want(me):\n\
                \x20   while min(counts) < 20:\n\
                \x20       with lock:\n\
                \x20           counts[me] += 1\n\
                \x20           time.sleep(0.0001)\n\
                threads = [threading.Thread(target=want, args=(n,), name='wanting') for n in (0, 1)]\n\
                threads.append(threading.Thread(target=sum, args=(range(100000),), name='adder'))\n\
                for t in threads: t.start()\n\
                for t in threads: t.join()\n\
                print('done')";
    let ended = run(&["--gil-stats", "-c", code]);
    assert_eq!(ended.out, "done\n");
    let header = ["running", "waiting", "blocked", "outside", "holds"];
    let causes = ["at the end of a slice", "to a thread back from a wait", "by waiting", "by going outside"];
    let others = ["MainThread", "adder", "wanting", "hand-overs: ", "longest hold: ", ", until <", "locks waited for most:", "<string>:6 in want: "];
    for part in header.into_iter().chain(causes).chain(others) {
        assert!(ended.err.contains(part), "{part} is missing in:\n{}", ended.err);
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_can_be_caught() {
    let ended = interrupted("try:\n    print('ready', flush=True)\n    while True:\n        pass\nexcept KeyboardInterrupt:\n    print('caught')");
    ended.check("caught\n", "", 0);
}

#[cfg(unix)]
#[test]
fn output_to_a_closed_pipe_is_an_exception() {
    let mut child = scrip(&["-c", "import sys\nfor n in range(100000):\n    print('a line of some length', n)\n"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut out = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let mut line = String::new();
    out.read_line(&mut line).expect("the first line arrives");
    drop(out);
    let ended = finish(child);
    assert!(ended.err.contains("BrokenPipeError: [Errno 32] Broken pipe"), "{}", ended.err);
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
    assert!(matches!(ended.code(), Some(1 | 120)), "{:?}", ended.status);
}

#[test]
fn streams_are_written_in_order_and_flushed_at_the_end() {
    run(&["-c", "import sys\nprint('out', end='')\nsys.stdout.write(' more')"]).check("out more", "", 0);
    run(&["-c", "import sys\nprint('to stderr', file=sys.stderr)"]).check("", "to stderr\n", 0);
    run(&["-c", "import sys\nprint('before', end='')\nsys.exit(2)"]).check("before", "", 2);
    let failed = run(&["-c", "print('before', end='')\n1 / 0"]);
    assert_eq!(failed.out, "before");
}

#[test]
fn random_bytes_are_refused_in_order() {
    let folder = folder("random_bytes");
    // A small generator of our own, so that a failure can be repeated.
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let pieces: &[&[u8]] = &[
        b"def ",
        b"f",
        b"(",
        b")",
        b":",
        b"\n",
        b"    ",
        b"\t",
        b"if ",
        b"x",
        b" = ",
        b"1",
        b"\"",
        b"'",
        b"f\"{",
        b"}\"",
        b"[",
        b"]",
        b"{",
        b"}",
        b"#",
        b"\\",
        b"\0",
        b"\xff",
        b"\xc3",
        b"\xe2\x82\xac",
        b"lambda",
        b"*",
        b"**",
        b"@",
        b"0x",
        b"1e",
        b"\r",
        b"\x0c",
        b"await ",
        b"match ",
        b"case ",
        b":=",
        b"...",
        b"!",
        b"\"\"\"",
        b"\xef\xbb\xbf",
        b"# coding: latin-1\n",
    ];
    for number in 0..150 {
        let mut bytes = Vec::new();
        for _ in 0..next() % 60 {
            if number % 3 == 0 {
                bytes.push((next() >> 24) as u8);
            } else {
                bytes.extend_from_slice(pieces[(next() >> 20) as usize % pieces.len()]);
            }
        }
        let script = file(&folder, "random.scr", &bytes);
        let checked = run(&["--check", &script]);
        assert!(matches!(checked.code(), Some(0 | 1)) && !checked.err.contains("panicked"), "{:?} for {bytes:?}\n{}", checked.status, checked.err);
    }
}

#[test]
fn deep_nesting_is_an_error_and_no_crash() {
    let folder = folder("deep_nesting");
    for (opening, middle, closing) in [
        ("(", "", ")"),
        ("[", "", "]"),
        ("{", "", "}"),
        ("-", "1", ""),
        ("not ", "1", ""),
        ("lambda: ", "1", ""),
        ("f(", "", ")"),
        ("x[", "0", "]"),
        ("1 if 1 else ", "1", ""),
        ("1 + (", "1", ")"),
        ("[x for x in ", "y", "]"),
        ("f'{", "1", "}'"),
        ("x.", "y", ""),
        ("1 **", "1", ""),
    ] {
        for depth in [150, 100_000] {
            let text = [opening.repeat(depth).as_str(), middle, closing.repeat(depth).as_str(), "\n"].concat();
            let script = file(&folder, "deep.scr", text);
            run(&["--check", &script]).is_orderly();
        }
    }
    for depth in [90, 150, 5000] {
        let mut text = String::new();
        for level in 0..depth {
            text += &" ".repeat(level);
            text += "if 1:\n";
        }
        text += &(" ".repeat(depth) + "pass\n");
        let script = file(&folder, "deep_blocks.scr", text);
        run(&["--check", &script]).is_orderly();
    }
}

#[test]
fn endless_recursion_is_an_exception() {
    for code in [
        "def f(): f()\nf()",
        "class C:\n    def __repr__(self): return repr(self)\nrepr(C())",
        "class C:\n    def __eq__(self, other): return self == other\nC() == 1",
        "class C:\n    def __getattr__(self, name): return self.x\nC().x",
        "class C:\n    def __hash__(self): return hash(self)\nhash(C())",
        "def key(x): return sorted([x], key=key)\nkey(1)",
        "f = lambda x: list(map(f, [x]))\nf(1)",
        "x = []\nfor _ in range(100000): x = [x]\nprint(x)",
        "class C:\n    def __init__(self): C()\nC()",
        "import functools\ndef f(*a): return functools.reduce(f, [1, 2])\nf()",
    ] {
        let failed = run(&["-c", code]);
        assert_eq!(failed.code(), Some(1), "{code}: {:?}\n{}", failed.status, failed.err);
        assert!(failed.err.contains("RecursionError: maximum recursion depth exceeded"), "{code}\n{}", failed.err);
    }
}

#[test]
fn absurd_sizes_are_refused_at_once() {
    for code in [
        "'x' * 10 ** 12",
        "b'x' * 10 ** 12",
        "[0] * 10 ** 12",
        "'x' * 10 ** 30",
        "1 << 10 ** 13",
        "list(range(10 ** 30))",
        "len(range(10 ** 30))",
        "bytearray(10 ** 14)",
        "'a'.ljust(10 ** 13)",
        "'%*d' % (10 ** 30, 1)",
        "(0,) * 10 ** 13",
    ] {
        let failed = run(&["-c", code]);
        assert_eq!(failed.code(), Some(1), "{code}: {:?}", failed.status);
        assert!(failed.err.contains("MemoryError") || failed.err.contains("OverflowError"), "{code}: {}", failed.err);
    }
}

#[test]
fn memory_errors_can_be_caught() {
    run(&["-c", "try:\n    'x' * 10 ** 12\nexcept MemoryError:\n    print('caught')"]).check("caught\n", "", 0);
}

#[test]
fn equal_hash_seeds_give_equal_orders() {
    let code = "print(set('abcdefghijklmnop'), hash('text'))";
    let first = run(&["--hash-seed", "5", "-c", code]);
    let second = run(&["--hash-seed", "5", "-c", code]);
    let other = run(&["--hash-seed", "6", "-c", code]);
    assert_eq!((first.code(), &first.out), (Some(0), &second.out));
    assert_ne!(first.out, other.out);
}

#[test]
fn compiled_modules_are_cached_and_stale_or_damaged_ones_ignored() {
    let folder = folder("cache");
    let script = file(&folder, "main.scr", "import part\nprint(part.VALUE)\n");
    file(&folder, "part.scr", "VALUE = 'first'\n");
    run(&[&script]).check("first\n", "", 0);
    run(&[&script]).check("first\n", "", 0);
    let cached: Vec<PathBuf> =
        fs::read_dir(folder.join("__scrcache__")).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
    for path in &cached {
        fs::write(path, b"damaged").expect("the cached file can be damaged");
    }
    run(&[&script]).check("first\n", "", 0);
    file(&folder, "part.scr", "VALUE = 'second, longer'\n");
    run(&[&script]).check("second, longer\n", "", 0);
    let _ = fs::remove_dir_all(folder.join("__scrcache__"));
    run(&["-B", &script]).check("second, longer\n", "", 0);
    assert!(!folder.join("__scrcache__").exists());
}

#[test]
fn modules_are_found_beside_the_script_and_in_scrippath() {
    let folder = folder("search_path");
    fs::create_dir_all(folder.join("library")).expect("the folder can be made");
    fs::create_dir_all(folder.join("scripts")).expect("the folder can be made");
    file(&folder, "library/far.scr", "WHERE = 'in SCRIPPATH'\n");
    file(&folder, "scripts/near.scr", "WHERE = 'beside the script'\n");
    let script = file(&folder, "scripts/main.scr", "import near, far\nprint(near.WHERE, far.WHERE)\n");
    let child = scrip(&[&script]).env("SCRIPPATH", folder.join("library")).current_dir("/").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    finish(child.expect("the program starts")).check("beside the script in SCRIPPATH\n", "", 0);
}

#[test]
#[cfg(target_os = "linux")]
fn an_error_of_stdout_is_told_once() {
    let run_into_full = |code: &str| {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has /dev/full");
        finish(scrip(&["-c", code]).stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).spawn().expect("the program starts"))
    };
    run_into_full("print('x')").check("", "Exception ignored on flushing sys.stdout:\nOSError: [Errno 28] No space left on device\n", 120);
    let told = run_into_full("for i in range(100000): print(i)");
    assert_eq!((told.code(), told.err.matches("OSError").count()), (Some(1), 1), "{}", told.err);
    run_into_full("try:\n    for i in range(100000): print(i)\nexcept OSError: pass").check("", "", 0);
}

#[test]
fn unbuffered_output_is_there_at_once() {
    let mut child = scrip(&["-u", "-c", "print('now', end='')\ninput()"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut said = [0; 3];
    // The program waits for its input meanwhile.
    child.stdout.take().expect("a pipe").read_exact(&mut said).expect("it says something");
    assert_eq!(&said, b"now");
    drop(child.stdin.take());
    child.wait().expect("it ends");
}

#[test]
fn a_limit_of_digits_that_is_none_is_refused() {
    for value in ["5", "x", "-1", ""] {
        let run = run(&["-X", &format!("int_max_str_digits={value}"), "-c", "print(1)"]);
        assert!(run.err.starts_with(&format!("-X int_max_str_digits must be 0 or at least 640, not '{value}'\n")), "{}", run.err);
        assert_eq!((run.out.as_str(), run.code()), ("", Some(2)));
    }
    run(&["-X", "int_max_str_digits=640", "-c", "import sys; print(sys.get_int_max_str_digits())"]).check("640\n", "", 0);
}
