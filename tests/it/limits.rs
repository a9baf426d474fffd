//! Limits and stops through the public API: what ends a script, what the script can do about it, and that the interpreter can be used afterwards.

use std::time::{Duration, Instant};

use scrip::{Error, Interpreter, Limit, Limits};

fn limited(limits: Limits) -> Interpreter {
    Interpreter::builder().limits(limits).hash_seed(1).build().expect("an interpreter is made")
}

/// The error of a script that must not end well.
fn error_of(interpreter: &Interpreter, source: &str) -> Error {
    interpreter.exec(source).expect_err("the script is ended")
}

fn still_works(interpreter: &Interpreter) {
    assert_eq!(interpreter.eval::<i64>("sum(range(10))").expect("the interpreter can be used"), 45);
}

/// Runs a script and stops it as soon as it says `ready()`; how long it took from there to the end.
fn stop_when_ready(source: &str) -> Duration {
    let interpreter = Interpreter::new().expect("an interpreter is made");
    let (sender, receiver) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let ready = move |()| sender.lock().map_err(|_| "poisoned")?.send(Instant::now()).map_err(|_| "nobody listens");
    interpreter.register("ready", ready).expect("a function is registered");
    let stopper = interpreter.stopper();
    let other = std::thread::spawn(move || {
        receiver.recv().expect("the script gets ready");
        std::thread::sleep(Duration::from_millis(20));
        let start = Instant::now();
        stopper.stop_because("enough");
        start
    });
    let error = error_of(&interpreter, source);
    let end = Instant::now();
    assert_eq!(error.to_string(), "stopped by the host: enough", "{source}");
    assert_eq!(error.limit(), None);
    still_works(&interpreter);
    end - other.join().expect("the stopper ran")
}

#[test]
fn a_stop_ends_a_script_in_any_state() {
    let states = [
        "while True: pass",
        "def f():\n  while True:\n    try: f2()\n    except: pass\ndef f2(): return 1\nf()",
        "sum(range(10**15))",
        "list(map(abs, iter(int, 1)))",
        "import itertools\nany(itertools.repeat(0))",
        "sorted(range(10**6), key=lambda n: sum(range(100)))",
        "import re\nre.match('(a*)*b', 'a' * 40)",
        "import re\nre.match('(x+x+)+y', 'x' * 40)",
        "pow(3, 10**7)",
        "import time\ntime.sleep(100)",
        "import threading\nl = threading.Lock()\nl.acquire()\nl.acquire()",
        "import threading\nl = threading.Lock()\nl.acquire()\nl.acquire(timeout=100)",
        "import threading, time\nt = threading.Thread(target=time.sleep, args=(100,))\nt.start()\nt.join()",
        "import threading\nc = threading.Condition()\nwith c: c.wait()",
        "import threading\nthreading.Event().wait()",
        "def g():\n  while True: yield 1\nfor x in g(): pass",
        "class C:\n  def __del__(self):\n    while True: pass\nC()",
        "while True:\n  try: raise ValueError\n  except ValueError: pass",
    ];
    for state in states {
        let took = stop_when_ready(&format!("ready()\n{state}"));
        // Long before the state itself would end; `benches/gil.rs` measures how soon.
        assert!(took < Duration::from_secs(60), "{took:?} for {state}");
    }
}

/// What natives do for long with many objects is broken off in the middle, and nothing is left half done.
#[test]
fn a_stop_breaks_off_work_on_many_objects() {
    let prepare = "
import gc, sys, collections, weakref
gc.disable()
class Node: pass
def make_garbage():
    for _ in range(500):
        node = Node()
        node.me = node
items = [[i] for i in range(50_000)]
table = {str(i): item for i, item in enumerate(items)}
keys = set(table)
queue = collections.deque(items)
def counts():
    return [sys.getrefcount(item) for item in items[::997]] + [sys.getrefcount(key) for key in list(table)[::997]]
";
    let states = [
        "while True: gc.collect()",
        "while True:\n  c = []\n  c.append([c, items])\n  del c\n  gc.collect()",
        "while True: dict(table)",
        "while True: table | {1: 2}",
        "while True: dict.fromkeys(keys)",
        "while True: table == dict(table)",
        "while True: set(keys)",
        "while True: keys & set(table)",
        "while True: items + items[1:]",
        "while True: tuple(items)",
        "while True: queue.copy()",
        "while True: [].extend(iter(items))",
    ];
    for state in states {
        let interpreter = Interpreter::new().expect("an interpreter is made");
        interpreter.exec(prepare).expect("it runs");
        let before = interpreter.eval::<Vec<i64>>("counts()").expect("it runs");
        interpreter.exec("gc.collect()\nmake_garbage()").expect("it runs");
        let stopper = interpreter.stopper();
        for turn in 0..8 {
            let stopper = stopper.clone();
            let (sender, receiver) = std::sync::mpsc::channel();
            let sender = std::sync::Mutex::new(sender);
            let ready = move |()| sender.lock().map_err(|_| "poisoned")?.send(()).map_err(|_| "nobody listens");
            interpreter.register("ready", ready).expect("a function is registered");
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    receiver.recv().expect("the script gets ready");
                    std::thread::sleep(Duration::from_millis(turn * 7));
                    stopper.stop();
                });
                let error = error_of(&interpreter, &format!("ready()\n{state}"));
                assert!(matches!(error, Error::Stopped(_)), "{error:?}");
            });
        }
        assert_eq!(interpreter.eval::<Vec<i64>>("counts()").expect("it runs"), before, "{state}");
        if !state.contains("collect") {
            // What the stops were raised with may be among it.
            assert!(interpreter.eval::<i64>("gc.collect()").expect("it runs") >= 500, "{state}");
        }
        interpreter.exec("make_garbage()").expect("it runs");
        assert!(interpreter.eval::<i64>("gc.collect()").expect("it runs") >= 500, "{state}");
        assert_eq!(interpreter.eval::<i64>("sum(type(o) is Node for o in gc.get_objects())").expect("it runs"), 0, "{state}");
    }
}

/// A stop does not wait until many objects are freed: the next call begins with that.
#[test]
fn what_a_stop_sets_aside_is_freed_by_the_next_call() {
    let interpreter = limited(Limits::new().instructions(20_000_000));
    let prepare = "
import weakref
log = []
class C:
    def __del__(self): log.append(1)
class Plain: pass
def f():
    items = [C() for _ in range(10_000)]
    table = {i: C() for i in range(10_000)}
    keys = {C() for i in range(10_000)}
    row = tuple(C() for i in range(10_000))
    chain = last = Plain()
    for _ in range(20_000): chain = (chain,)
    refs.append(weakref.ref(last))
    del last
    while True: pass
refs = []
";
    interpreter.exec(prepare).expect("it runs");
    error_of(&interpreter, "f()");
    interpreter.exec("pass").expect("it runs");
    assert_eq!(interpreter.eval::<i64>("len(log)").expect("it runs"), 40_000);
    assert!(interpreter.eval::<bool>("refs[0]() is None").expect("it runs"));
    // Where there is no next call, the end of the interpreter frees it.
    error_of(&interpreter, "f()");
}

#[test]
fn a_stop_is_not_caught_but_runs_what_cleans_up() {
    let interpreter = limited(Limits::new().instructions(200_000));
    interpreter.exec("log = []").expect("it runs");
    let source = "
import contextlib
class Manager:
    def __enter__(self): return self
    def __exit__(self, *exception):
        log.append('exit')
        return True
@contextlib.contextmanager
def generator():
    try:
        yield
    except BaseException:
        log.append('caught in the generator')
    finally:
        log.append('generator')
def inner():
    with Manager(), generator():
        try:
            while True: pass
        except BaseException: log.append('caught')
        except: log.append('caught too')
        finally: log.append('finally')
    log.append('after with')
def outer():
    try: inner()
    finally: return 1
try:
    outer()
    log.append('after outer')
except BaseException: log.append('caught by all')
finally:
    try: raise KeyError
    except KeyError: log.append('own exceptions are handled')
    raise ValueError
";
    let error = error_of(&interpreter, source);
    assert_eq!(error.limit(), Some(Limit::Instructions));
    let log: String = interpreter.eval("' '.join(log)").expect("it runs");
    assert_eq!(log, "finally generator exit own exceptions are handled");
    still_works(&interpreter);
}

#[test]
fn what_is_raised_while_cleaning_up_does_not_take_the_place_of_a_stop() {
    let interpreter = limited(Limits::new().instructions(20_000));
    let source = "
import threading
log = []
class Failing:
    def __enter__(self): return self
    def __exit__(self, *_): raise ValueError('exit')
def fail(): raise ValueError('fail')
def nested():
    try: fail()
    except KeyError: log.append('wrong')
def clean_up():
    # What is raised and handled inside is no matter of the stop.
    try: nested()
    except ValueError:
        try: nested()
        except ValueError: log.append('handled')
        try: raise KeyError
        except KeyError:
            try: nested()
            except ValueError: log.append('again')
def inner():
    try:
        with Failing():
            try:
                while True: pass
            finally:
                clean_up()
                log.append('first')
                raise ValueError('finally')
    finally:
        log.append('second')
        fail()
def work():
    try: inner()
    except BaseException as error: log.append(repr(error))
    log.append('after')
";
    interpreter.exec(source).expect("it runs");
    assert_eq!(error_of(&interpreter, "work()").limit(), Some(Limit::Instructions));
    assert_eq!(interpreter.eval::<String>("' '.join(log)").expect("it runs"), "handled again first second");
    still_works(&interpreter);
}

#[test]
fn what_cleans_up_ends_too_and_waits_for_nothing() {
    let interpreter = limited(Limits::new().instructions(200_000));
    interpreter.exec("import threading, time\nlog = []\nlock = threading.Lock()\nlock.acquire()").expect("it runs");
    let waits = ["time.sleep(100)", "lock.acquire()", "threading.Event().wait()", "threading.Thread(target=print).start()"];
    let loops = ["while True: pass", "sum(iter(int, 1))", "f()", "pow(7, 10**8)"];
    for last in waits.iter().chain(&loops) {
        let source = format!("def f():\n  try:\n    while True: pass\n  finally:\n    log.append(1)\n    {last}\n    log.append(2)\nf()");
        interpreter.exec("log.clear()").expect("it runs");
        let start = Instant::now();
        assert_eq!(error_of(&interpreter, &source).limit(), Some(Limit::Instructions), "{last}");
        // Nothing was waited for, however slow the machine is.
        assert!(start.elapsed() < Duration::from_secs(90), "{last}");
        assert!(!interpreter.eval::<bool>("2 in log").expect("it runs"), "{last}");
        still_works(&interpreter);
    }
}

#[test]
fn all_threads_of_a_script_end() {
    let interpreter = limited(Limits::new().wall_time(Duration::from_secs(1)));
    let source = "
import threading, time
def work():
    while True:
        try: time.sleep(0.001)
        except: pass
        finally:
            try: threading.Thread(target=work).start()
            except RuntimeError: pass
def spin():
    while True: pass
for target in (work, spin, time.sleep, threading.Event().wait):
    threading.Thread(target=target, args=(100,) if target is time.sleep else ()).start()
spin()
";
    let error = error_of(&interpreter, source);
    assert_eq!(error.limit(), Some(Limit::WallTime));
    let alive = "__import__('threading').active_count()";
    let deadline = Instant::now() + Duration::from_secs(10);
    while interpreter.eval::<i64>(alive).expect("the interpreter can be used") > 1 {
        assert!(Instant::now() < deadline, "threads are left");
    }
    still_works(&interpreter);
}

#[test]
fn instructions_are_counted_the_same_way_every_time() {
    let source = "
d = {}
for i in range(300):
    d[str(i)] = sorted([j * 7919 % 101 for j in range(50)], key=lambda n: -n)
def g():
    for i in range(100): yield i ** 20
total = sum(g()) % 10**9 + len(','.join(d))
";
    let counts: Vec<u64> = (0..3)
        .map(|_| {
            let interpreter = limited(Limits::new());
            interpreter.exec(source).expect("it runs");
            interpreter.instructions_used()
        })
        .collect();
    assert!(counts[0] > 10_000, "{counts:?}");
    assert_eq!(counts[0], counts[1]);
    assert_eq!(counts[0], counts[2]);
    // A limit is reached exactly where the count says.
    let fits = limited(Limits::new().instructions(counts[0]));
    fits.exec(source).expect("the count is enough");
    let interpreter = limited(Limits::new().instructions(counts[0] - 200));
    assert_eq!(error_of(&interpreter, source).limit(), Some(Limit::Instructions));
}

#[test]
fn each_call_has_all_instructions() {
    let interpreter = limited(Limits::new().instructions(100_000));
    for _ in 0..10 {
        interpreter.exec("for i in range(5000): pass").expect("this call's own instructions are enough");
    }
}

#[test]
fn time_ends_waits_and_loops() {
    for source in ["while True: pass", "import time; time.sleep(100)", "import re; re.match('(a*)*b', 'a' * 40)", "pow(3, 10**8)"] {
        let interpreter = limited(Limits::new().wall_time(Duration::from_secs(1)));
        let start = Instant::now();
        assert_eq!(error_of(&interpreter, source).limit(), Some(Limit::WallTime), "{source}");
        // Less than the sleep's; `benches/gil.rs` measures how soon.
        assert!(start.elapsed() < Duration::from_secs(90), "{:?} for {source}", start.elapsed());
        still_works(&interpreter);
        interpreter.exec("import time; time.sleep(0.1)").expect("each call has all the time");
    }
}

#[test]
fn too_much_memory_is_a_memory_error_first() {
    let interpreter = limited(Limits::new().memory(16 << 20));
    let large = error_of(&interpreter, "text = 'x' * 10**8");
    assert!(large.is("MemoryError"));
    assert_eq!(large.limit(), Some(Limit::Memory));
    let source = "
caught = 0
try:
    kept = []
    while True: kept.append([None])
except MemoryError:
    kept = None
    caught += 1
again = [[None] for _ in range(1000)]
";
    interpreter.exec(source).expect("a MemoryError can be caught");
    assert_eq!(interpreter.get::<i64>("caught").expect("it runs"), 1);
    still_works(&interpreter);
}

#[test]
fn who_goes_on_without_memory_is_stopped() {
    let interpreter = limited(Limits::new().memory(16 << 20));
    let error = error_of(&interpreter, "kept = []\nwhile True:\n  try: kept.append([None])\n  except: pass");
    assert_eq!(error.limit(), Some(Limit::Memory));
    interpreter.exec("del kept").expect("there is enough to let go of what is kept");
    still_works(&interpreter);
    interpreter.exec("kept = [[None] for _ in range(50_000)]").expect("the memory can be used again");
}

#[test]
fn memory_that_is_freed_is_given_back() {
    let interpreter = limited(Limits::new().memory(32 << 20));
    let before = interpreter.memory_used();
    let source = "
for turn in range(5):
    kept = [object() for _ in range(200_000)]
    del kept
    text = 'x' * 20_000_000
    del text
    table = {n: str(n) for n in range(30_000)}
    del table
    a = []
    for _ in range(30_000):
        a = [a]
        a.append(a)
    del a
";
    interpreter.exec(source).expect("there is enough memory for each turn");
    interpreter.exec("import gc; gc.collect()").expect("it runs");
    let after = interpreter.memory_used();
    assert!(after < before + (24 << 20), "{before} bytes before, {after} after");
}

#[test]
fn depth_is_limited_whatever_the_script_sets() {
    let interpreter = limited(Limits::new().depth(50));
    let source = "
import sys
sys.setrecursionlimit(10**6)
def deepest(n):
    try: return deepest(n + 1)
    except RecursionError: return n
";
    interpreter.exec(source).expect("it runs");
    assert!(interpreter.eval::<i64>("deepest(0)").expect("it runs") < 50);
    assert_eq!(error_of(&interpreter, "def f(): f()\nf()").limit(), Some(Limit::Depth));
}

#[test]
fn threads_are_limited() {
    let interpreter = limited(Limits::new().threads(4));
    let source = "
import threading
event = threading.Event()
started = 0
try:
    while True:
        threading.Thread(target=event.wait).start()
        started += 1
except RuntimeError as error:
    message = str(error)
event.set()
";
    interpreter.exec(source).expect("it runs");
    assert_eq!(interpreter.get::<i64>("started").expect("it runs"), 3);
    assert_eq!(interpreter.get::<String>("message").expect("it runs"), "can't start new thread");
}

#[test]
fn a_stopper_does_nothing_where_nothing_runs() {
    let interpreter = Interpreter::new().expect("an interpreter is made");
    let stopper = interpreter.stopper();
    assert!(!stopper.is_running());
    stopper.stop();
    still_works(&interpreter);
    drop(interpreter);
    stopper.stop();
}

#[test]
fn a_host_function_that_calls_back_is_part_of_the_call() {
    let interpreter = limited(Limits::new().instructions(100_000));
    let inner = interpreter.clone();
    let call_back = move |()| inner.exec("while True: pass").map_err(|error| error.to_string());
    interpreter.register("call_back", call_back).expect("a function is registered");
    let error = error_of(&interpreter, "while True:\n  try: call_back()\n  except RuntimeError: pass");
    assert_eq!(error.limit(), Some(Limit::Instructions));
    still_works(&interpreter);
}
