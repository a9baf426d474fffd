//! Interpreters that come and go leave nothing behind.

use std::process::Command;
use std::time::Instant;

use scrip::Interpreter;

/// Uses a bit of everything: classes, cycles, modules in script and in Rust, exceptions, generators, threads that end.
const PROGRAM: &str = "
import collections, functools, json, re, threading

class Node:
    def __init__(self, parent=None):
        self.parent, self.children = parent, []
        self.me = self
    def __del__(self):
        pass

root = Node()
root.children = [Node(root) for _ in range(10)]
Point = collections.namedtuple('Point', 'x y')
numbers = (n * n for n in range(10))
next(numbers)
try:
    {}['key']
except KeyError as error:
    kept = error
text = json.dumps({'a': [1, 2.5, None], 'b': re.sub('[aeiou]', '*', 'interpreter')})
thread = threading.Thread(target=functools.partial(root.children.append, 1))
thread.start()
thread.join()
big = 3 ** 1000
";

/// Bytes of memory that the process has in use.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").expect("Linux tells what a process uses");
    let pages: usize = status.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("the second number");
    pages * 4096
}

/// Makes and drops `count` interpreters that run `program`; by how many bytes the process has grown, and how long one took in milliseconds.
fn make_and_drop(count: usize, program: &str) -> (usize, f64) {
    let (before, start) = (resident(), Instant::now());
    for _ in 0..count {
        let interpreter = Interpreter::new().expect("an interpreter");
        interpreter.exec(program).expect("a program without mistakes");
    }
    let milliseconds = start.elapsed().as_secs_f64() * 1e3 / count as f64;
    (resident().saturating_sub(before), milliseconds)
}

#[test]
#[ignore = "needs a process of its own: `interpreters_leave_nothing_behind` runs it in one"]
fn alone() {
    for (count, program) in [(200, ""), (30, PROGRAM)] {
        // What an interpreter leaves behind shows in every round. A single round may grow for another reason: a thread that has told that it ends but
        // has not left its stack yet, so that the next one gets a new one.
        let rounds: Vec<usize> = (0..6)
            .map(|_| {
                let (growth, milliseconds) = make_and_drop(count, program);
                eprintln!("{count} interpreters: {milliseconds:.3} ms each, {growth} bytes more");
                growth
            })
            .collect();
        let least = rounds.iter().min().copied().unwrap_or_default();
        assert!(least < 400 * count, "every {count} interpreters leave at least {least} bytes: {rounds:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn interpreters_leave_nothing_behind() {
    let program = std::env::current_exe().expect("the test knows its program");
    let done = Command::new(program).args(["--exact", "memory::alone", "--ignored", "--nocapture"]).output().expect("it runs");
    let output = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{output}\n{}", String::from_utf8_lossy(&done.stderr));
    assert!(output.contains("1 passed"), "{output}");
}
