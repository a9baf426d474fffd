//! What the scheduler costs and how fast it answers: the figures that no script can measure.
//!
//! `cargo bench --bench gil [-- NAME…]`, best as `chrt -r 1`, since other load hides the answer. Each line is `name value unit`.
//!
//! | name | what |
//! |---|---|
//! | `attach` | giving the GIL away and taking it back with nobody else there; beside it the way of a mutex and a condition variable, and the least there can be |
//! | `stop` | from [`Stopper::stop`] to the host's [`Error::Stopped`], in every state that a script can be in: median, 99th percentile, worst |
//! | `parallel` | two interpreters in two threads, against two processes with one each, at the same work |
//! | `make` | an interpreter made and dropped; the process's memory over many of them |
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Barrier, mpsc};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use scrip::{Error, Interpreter, Stopper};

type AnyResult<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> AnyResult<()> {
    let names: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    if names.first().is_some_and(|name| name == CHILD) {
        return child();
    }
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    if is_wanted("attach") {
        attach()?;
    }
    if is_wanted("make") {
        make()?;
    }
    if is_wanted("parallel") {
        parallel()?;
    }
    if is_wanted("stop") {
        let only = names.iter().find_map(|name| name.strip_prefix("state=")).unwrap_or_default();
        stop(only)?;
    }
    Ok(())
}

fn median<T: PartialOrd + Copy>(values: &mut [T]) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).expect("figures can be compared"));
    values[values.len() / 2]
}

// The pair of detach and attach.

/// Nanoseconds of one call, as the median of rounds.
fn nanoseconds(mut call: impl FnMut()) -> f64 {
    const TURNS: u32 = 1_000_000;
    let mut rounds: Vec<f64> = (0..9)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..TURNS {
                call();
            }
            start.elapsed().as_nanos() as f64 / f64::from(TURNS)
        })
        .collect();
    median(&mut rounds)
}

/// A lock of the kind that the figure for comparison comes from: a flag under a mutex, whose release always signals.
#[derive(Default)]
struct MutexGil {
    is_held: Mutex<bool>,
    freed: Condvar,
}

impl MutexGil {
    fn attach(&self) {
        let mut is_held = self.is_held.lock();
        while *is_held {
            self.freed.wait(&mut is_held);
        }
        *is_held = true;
    }

    fn detach(&self) {
        *self.is_held.lock() = false;
        self.freed.notify_one();
    }
}

fn attach() -> AnyResult<()> {
    let interpreter = Interpreter::new()?;
    let ours = interpreter.attach(|| nanoseconds(|| interpreter.detach(|| black_box(()))));
    println!("detach_and_attach {ours:.1} ns");
    let other = MutexGil::default();
    other.attach();
    let way = nanoseconds(|| {
        other.detach();
        black_box(&other);
        other.attach();
    });
    println!("detach_and_attach_by_mutex {way:.1} ns");
    let word = black_box(AtomicU32::new(1));
    let least = nanoseconds(|| {
        let _ = black_box(word.compare_exchange(1, 0, Release, Relaxed));
        let _ = black_box(word.compare_exchange(0, 1, Acquire, Relaxed));
    });
    println!("two_compare_exchanges {least:.1} ns");
    let outside = nanoseconds(|| interpreter.attach(|| black_box(())));
    println!("attach_from_outside {outside:.1} ns");
    Ok(())
}

// Interpreters made and dropped.

/// The process's memory in use, in KiB.
fn memory() -> AnyResult<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("the system tells nothing")?;
    Ok(line.split_whitespace().nth(1).ok_or("no figure")?.parse()?)
}

fn make() -> AnyResult<()> {
    let mut times = Vec::new();
    let mut memories = Vec::new();
    for turn in 0..10_000 {
        let start = Instant::now();
        let interpreter = Interpreter::new()?;
        black_box(&interpreter);
        drop(interpreter);
        times.push(start.elapsed().as_secs_f64() * 1e3);
        if turn % 1000 == 999 {
            memories.push(memory()?);
        }
    }
    println!("make_and_drop {:.3} ms", median(&mut times));
    for (thousands, memory) in memories.iter().enumerate() {
        println!("memory_after_{}000 {memory} KiB", thousands + 1);
    }
    Ok(())
}

// Two interpreters at once.

const CHILD: &str = "run-as-a-child";

/// Work of every kind, which allocates, calls, looks up and computes.
const WORK: &str = "
class Point:
    def __init__(self, x, y):
        self.x = x
        self.y = y
    def moved(self, dx):
        return Point(self.x + dx, self.y)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def squares(n):
    for i in range(n):
        yield i * i
def work():
    total = fib(20)
    for turn in range(20):
        p = Point(turn, 1)
        for i in range(1000):
            p = p.moved(i)
        total += p.x
        table = {}
        for i in range(2000):
            key = 'key' + str(i % 300)
            table[key] = table.get(key, 0) + i
        total += sum(table.values()) + len(','.join(sorted(table)))
        total += sum(squares(3000)) + len([i for i in range(3000) if i % 3])
        x = 0.5
        for i in range(3000):
            x = x * 1.0001 + 0.1
        total += int(x)
    return total
def run():
    for _ in range(30):
        work()
";

fn worker() -> AnyResult<Interpreter> {
    let interpreter = Interpreter::builder().hash_seed(1).build()?;
    interpreter.exec(WORK)?;
    interpreter.exec("work()")?;
    Ok(interpreter)
}

/// Seconds of the work, in an interpreter that is warm.
fn timed(interpreter: &Interpreter) -> AnyResult<f64> {
    let start = Instant::now();
    interpreter.exec("run()")?;
    Ok(start.elapsed().as_secs_f64())
}

/// A process with one interpreter: for each line it gets it does the work, and tells how long that took.
fn child() -> AnyResult<()> {
    let interpreter = worker()?;
    for line in std::io::stdin().lock().lines() {
        let _ = line?;
        println!("{}", timed(&interpreter)?);
        std::io::stdout().flush()?;
    }
    Ok(())
}

struct Peer {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Peer {
    fn start() -> AnyResult<Self> {
        let mut process = Command::new(std::env::current_exe()?).arg(CHILD).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let to = process.stdin.take().ok_or("stdin is piped")?;
        let from = BufReader::new(process.stdout.take().ok_or("stdout is piped")?);
        Ok(Self { process, to, from })
    }

    fn begin(&mut self) -> AnyResult<()> {
        Ok(self.to.write_all(b"go\n")?)
    }

    fn result(&mut self) -> AnyResult<f64> {
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        Ok(line.trim().parse()?)
    }
}

fn parallel() -> AnyResult<()> {
    let mut peers = [Peer::start()?, Peer::start()?];
    let interpreters = [worker()?, worker()?];
    let alone = timed(&interpreters[0])?;
    let (mut in_processes, mut in_threads, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..7 {
        for peer in &mut peers {
            peer.begin()?;
        }
        let [one, two] = &mut peers;
        let apart = one.result()?.max(two.result()?);
        let barrier = Barrier::new(2);
        let together = std::thread::scope(|scope| -> AnyResult<f64> {
            let threads: Vec<_> = interpreters
                .iter()
                .map(|interpreter| {
                    scope.spawn(|| {
                        barrier.wait();
                        timed(interpreter).map_err(|error| error.to_string())
                    })
                })
                .collect();
            let mut longest: f64 = 0.0;
            for thread in threads {
                longest = longest.max(thread.join().map_err(|_| "a worker panicked")??);
            }
            Ok(longest)
        })?;
        in_processes.push(apart);
        in_threads.push(together);
        ratios.push(apart / together);
    }
    for mut peer in peers {
        drop(peer.to);
        peer.process.wait()?;
    }
    println!("one_interpreter_alone {alone:.3} s");
    println!("two_processes {:.3} s", median(&mut in_processes));
    println!("two_interpreters {:.3} s", median(&mut in_threads));
    println!("interpreters_against_processes {:.3} ratio", median(&mut ratios));
    Ok(())
}

// Stops.

/// A state: its name, what is run once before, and what is in it until it is stopped. `in_state()` tells the host that it is about to begin.
type State = (&'static str, &'static str, &'static str);

const STATES: &[State] = &[
    ("bytecode_loop", "", "while True: pass"),
    ("bytecode_calls", "def f(n): return n + 1", "while True: f(1)"),
    ("bytecode_objects", "class C: pass", "while True: C().x = [1]"),
    ("generator", "def g():\n  while True: yield 1", "for _ in g(): pass"),
    ("native_sum", "", "sum(iter(int, 1))"),
    ("native_repeat", "import itertools", "max(itertools.repeat(1))"),
    ("native_count", "import itertools", "-1 in itertools.count()"),
    ("native_list_search", "items = list(range(3_000_000))", "while True: -1 in items"),
    ("native_copy", "items = list(range(1_000_000))", "while True: list(items)"),
    ("native_slice", "items = [[i] for i in range(1_000_000)]", "while True: items[1:] + items"),
    ("native_tuple", "items = [[i] for i in range(1_000_000)]", "while True: tuple(items)"),
    ("native_deque", "import collections\nitems = collections.deque([i] for i in range(1_000_000))", "while True: items.copy()"),
    ("native_dict", "table = dict.fromkeys(range(1_000_000))", "while True: dict(table)"),
    ("native_dict_objects", "table = {str(i): [i] for i in range(1_000_000)}", "while True: table.copy()"),
    ("native_dict_union", "table = {str(i): [i] for i in range(1_000_000)}\nother = dict.fromkeys(range(1_000_000))", "while True: table | other"),
    ("native_dict_from_keys", "table = {str(i): [i] for i in range(1_000_000)}", "while True: dict.fromkeys(table)"),
    ("native_dict_equal", "table = {str(i): [i] for i in range(1_000_000)}\nother = dict(table)", "while True: table == other"),
    ("native_dict_items", "table = {str(i): [i] for i in range(1_000_000)}", "while True: list(table.items())"),
    ("native_set", "items = {str(i) for i in range(1_000_000)}", "while True: set(items)"),
    ("native_set_from_dict", "table = {str(i): [i] for i in range(1_000_000)}", "while True: set(table)"),
    ("native_set_union", "items = {str(i) for i in range(1_000_000)}\nothers = set(range(1_000_000))", "while True: items | others"),
    ("native_set_intersection", "items = {str(i) for i in range(1_000_000)}\nothers = set(items)", "while True: items & others"),
    ("native_join", "words = ['word'] * 1_000_000", "while True: ''.join(words)"),
    ("native_split", "text = 'word ' * 1_000_000", "while True: text.split()"),
    ("native_replace", "text = 'word ' * 1_000_000", "while True: text.replace('o', 'oo')"),
    ("native_repr", "items = list(range(1_000_000))", "while True: repr(items)"),
    ("native_json", "import json\nitems = [{'a': [1, 2.5, 'x']}] * 200_000", "while True: json.loads(json.dumps(items))"),
    ("native_pickle", "import pickle\nitems = [[i] for i in range(300_000)]", "while True: pickle.loads(pickle.dumps(items))"),
    ("native_hash", "import hashlib\ndata = bytes(20_000_000)", "while True: hashlib.sha256(data)"),
    ("collector", "import gc\nitems = [[i] for i in range(1_000_000)]", "while True: gc.collect()"),
    ("collector_automatic", "items = [[i] for i in range(1_000_000)]\ndef f():\n  while True: more = [[i] for i in range(1_000_000)]", "f()"),
    ("collector_garbage", "import gc", "while True:\n  for i in range(300_000):\n    c = []\n    c.append(c)"),
    ("freeing", "", "while True: items = [[i] for i in range(300_000)]"),
    ("freeing_local", "def f():\n  items = [[i] for i in range(1_000_000)]\n  in_state()\n  while True: pass", "f() # in_state()"),
    ("freeing_dict", "def f():\n  items = {str(i): [i] for i in range(1_000_000)}\n  in_state()\n  while True: pass", "f() # in_state()"),
    (
        "freeing_chain",
        "def f():\n  items = None\n  for i in range(1_000_000): items = (items,)\n  in_state()\n  while True: pass",
        "f() # in_state()",
    ),
    ("compile", "source = 'x = 1\\n' * 50_000", "while True: compile(source, 'f', 'exec')"),
    (
        "sort_integers",
        "import random\nitems = [random.random() for _ in range(1_000_000)]\nitems = [int(x * 1e9) for x in items]",
        "while True: sorted(items)",
    ),
    ("sort_floats", "import random\nitems = [random.random() for _ in range(1_000_000)]", "while True: sorted(items)"),
    ("sort_strings", "import random\nitems = [str(random.random()) for _ in range(300_000)]", "while True: sorted(items)"),
    ("sort_tuples", "import random\nitems = [(1, random.random()) for _ in range(300_000)]", "while True: sorted(items)"),
    ("sort_by_key", "items = list(range(300_000))", "while True: sorted(items, key=lambda n: -n)"),
    ("regex_backtracking", "import re", "re.match('(a*)*b', 'a' * 60)"),
    ("regex_search", "import re\ntext = 'ab' * 2_000_000", "while True: re.search('a[^b]', text)"),
    ("regex_findall", "import re\ntext = 'word ' * 1_000_000", "while True: re.findall(r'\\w+', text)"),
    ("regex_sub", "import re\ntext = 'word ' * 1_000_000", "while True: re.sub('o', 'oo', text)"),
    ("number_power", "", "10 ** 10 ** 8"),
    ("number_product", "n = 7 ** 1_000_000", "while True: n * n"),
    ("number_large_product", "n = 1 << 80_000_000", "while True: n * (n - 1)"),
    ("number_quotient", "n = 7 ** 2_000_000\nm = 3 ** 1_000_000", "while True: n // m"),
    ("number_modular_power", "m = 7 ** 20_000", "while True: pow(3, m, m + 2)"),
    ("number_to_text", "import sys\nsys.set_int_max_str_digits(0)\nn = 7 ** 2_000_000", "while True: str(n)"),
    ("number_from_text", "import sys\nsys.set_int_max_str_digits(0)\ntext = '7' * 2_000_000", "while True: int(text)"),
    ("number_factorial", "import math", "while True: math.factorial(200_000)"),
    ("number_gcd", "import math\nn = 7 ** 300_000\nm = 3 ** 500_000", "while True: math.gcd(n, m)"),
    ("number_root", "import math\nn = 7 ** 1_000_000", "while True: math.isqrt(n)"),
    ("number_shift", "n = 7 ** 3_000_000", "while True: n << 1_000_001"),
    ("sleep", "import time", "time.sleep(1000)"),
    ("lock", "import threading\nlock = threading.Lock()\nlock.acquire()", "lock.acquire()"),
    ("rlock", "import threading\nlock = threading.RLock()\nt = threading.Thread(target=lock.acquire)\nt.start()\nt.join()", "lock.acquire()"),
    ("join", "import threading, time", "t = threading.Thread(target=time.sleep, args=(1000,))\nt.start()\nin_state()\nt.join()"),
    ("join_spinning", "import threading\ndef spin():\n  while True: pass", "t = threading.Thread(target=spin)\nt.start()\nin_state()\nt.join()"),
    ("condition", "import threading\nc = threading.Condition()", "with c: c.wait()"),
    ("event", "import threading\ne = threading.Event()", "e.wait()"),
    ("semaphore", "import threading\ns = threading.Semaphore(0)", "s.acquire()"),
    ("barrier", "import threading\nb = threading.Barrier(2)", "b.reset()\nb.wait()"),
    ("queue", "import queue\nq = queue.Queue()", "q.get()"),
    ("simple_queue", "import queue\nq = queue.SimpleQueue()", "q.get()"),
    ("future", "import concurrent.futures\nf = concurrent.futures.Future()", "f.result()"),
    ("asyncio", "import asyncio", "asyncio.run(asyncio.sleep(1000))"),
    ("socket_receive", "import socket\na, b = socket.socketpair()", "a.recv(1)"),
    ("socket_accept", "import socket\ns = socket.create_server(('127.0.0.1', 0))", "s.accept()"),
    ("socket_send", "import socket\na, b = socket.socketpair()\ndata = bytes(50_000_000)", "a.sendall(data)"),
    ("select", "import select", "select.select([], [], [])"),
    ("epoll", "import select\ne = select.epoll()", "e.poll()"),
    ("pipe_read", "import os\nr, w = os.pipe()", "os.read(r, 1)"),
    ("pipe_write", "import os\nr, w = os.pipe()", "os.write(w, bytes(10_000_000))"),
    ("child_process", "import subprocess", "subprocess.run(['sleep', '1000'])"),
    ("child_process_output", "import subprocess", "subprocess.run(['sleep', '1000'], capture_output=True)"),
    ("wait_for_any_child", "import subprocess, os", "p = subprocess.Popen(['sleep', '5'])\nin_state()\ntry: os.wait()\nfinally: p.kill()"),
];

const TURNS: usize = 100;

fn stop(only: &str) -> AnyResult<()> {
    let mut all = Vec::new();
    for (name, prepare, code) in STATES {
        if !name.starts_with(only) {
            continue;
        }
        let mut times = stop_in(name, prepare, code).map_err(|error| format!("{name}: {error}"))?;
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        println!("stop_{name} {:.3} {:.3} {:.3} ms (median, 99 %, worst)", at(0.5), at(0.99), at(1.0));
        all.extend(times);
    }
    all.sort_by(f64::total_cmp);
    println!("stop_all {:.3} {:.3} ms (median, 99 %)", median(&mut all.clone()), all[(all.len() - 1) * 99 / 100]);
    Ok(())
}

/// Milliseconds from the request to the end, of each turn.
fn stop_in(name: &str, prepare: &str, code: &str) -> AnyResult<Vec<f64>> {
    let interpreter = Interpreter::new()?;
    let (enter, entered) = mpsc::channel();
    interpreter.register("in_state", move |(): ()| enter.send(()).map_err(|error| error.to_string()))?;
    interpreter.exec(prepare)?;
    let code = if code.contains("in_state()") { code.to_owned() } else { format!("in_state()\n{code}") };
    let code = interpreter.compile(code.as_bytes(), name).map(|_| code)?;
    let stopper: Stopper = interpreter.stopper();
    let (request, requested) = mpsc::channel::<Instant>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for (turn, ()) in entered.iter().enumerate() {
                // Different moments of what the state does; the first of them when it has hardly begun.
                std::thread::sleep(Duration::from_micros(turn as u64 * 397 % 20_000));
                let now = Instant::now();
                stopper.stop();
                if request.send(now).is_err() {
                    return;
                }
            }
        });
        let turns = || -> AnyResult<Vec<f64>> {
            let mut times = Vec::new();
            for _ in 0..TURNS {
                // The system takes the processor from real-time threads (`chrt`) that use all of a second, for 50 milliseconds.
                std::thread::sleep(Duration::from_millis(3));
                let error = interpreter.exec(&code).err();
                let end = Instant::now();
                if !matches!(error, Some(Error::Stopped(_))) {
                    return Err(format!("ended by {error:?}").into());
                }
                times.push((end - requested.recv()?).as_secs_f64() * 1e3);
            }
            Ok(times)
        };
        let times = turns();
        // The function is the last to hold the channel; without it the other thread ends.
        interpreter.exec("del in_state")?;
        if interpreter.eval::<i64>("6 * 7")? != 42 {
            return Err("the interpreter cannot be used any more".into());
        }
        times
    })
}
