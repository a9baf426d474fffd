//! Signals of a host program that gives them to its interpreter: what Ctrl-C does when it cannot be delivered.
#![cfg(unix)]
#![allow(clippy::print_stdout, reason = "the test that is run as a program of its own tells the others by it where it is")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use scrip::Interpreter;

const INTERRUPT: i32 = 2;

/// The host program of the tests here: a script that calls a function in which no signal is looked at, until it can read a line.
#[test]
#[ignore = "run by the tests here, as a process of its own"]
fn a_host_that_looks_at_no_signal() {
    let interpreter = Interpreter::builder().handle_signals(true).build().expect("an interpreter is made");
    let hang = |(): ()| {
        println!("ready");
        std::io::stdin().read_line(&mut String::new()).map(|_| ())
    };
    interpreter.register("hang", hang).expect("a function is registered");
    let result = interpreter.exec("try:\n  hang()\n  while True: pass\nfinally:\n  cleaned_up = True");
    let cleaned_up: bool = interpreter.get("cleaned_up").expect("it is set");
    println!("ended by KeyboardInterrupt: {} {cleaned_up}", result.is_err_and(|error| error.is("KeyboardInterrupt")));
}

fn start() -> (Child, BufReader<ChildStdout>) {
    let name = "signals::a_host_that_looks_at_no_signal";
    let mut child = Command::new(std::env::current_exe().expect("the test has a file"))
        .args(["--exact", name, "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test can be started");
    let mut out = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let mut line = String::new();
    while !line.ends_with("ready\n") {
        line.clear();
        assert!(out.read_line(&mut line).expect("it writes") > 0, "it ends before it is ready");
    }
    (child, out)
}

fn interrupt(child: &Child, times: usize) {
    let id = child.id().to_string();
    let sent = Command::new("kill").arg("-INT").args(std::iter::repeat_n(&id, times)).status().expect("kill runs");
    assert!(sent.success());
}

#[test]
fn a_second_ctrl_c_at_once_ends_nothing() {
    let (mut child, mut out) = start();
    interrupt(&child, 2);
    child.stdin.take().expect("stdin is piped").write_all(b"go on\n").expect("it reads");
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("it writes");
    assert!(rest.contains("ended by KeyboardInterrupt: true true\n"), "{rest}");
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn a_second_ctrl_c_ends_a_program_that_the_first_could_not_reach_within_a_second() {
    let (mut child, _out) = start();
    let first = Instant::now();
    let deadline = first + Duration::from_secs(60);
    let mut n_sent = 0;
    let status = loop {
        if let Some(status) = child.try_wait().expect("it can be asked for") {
            break status;
        }
        assert!(Instant::now() < deadline, "{n_sent} times Ctrl-C ended nothing");
        interrupt(&child, 1);
        n_sent += 1;
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(status.signal(), Some(INTERRUPT), "{status:?}");
    assert!(n_sent > 1 && first.elapsed() >= Duration::from_secs(1), "the first one ended it already");
}
