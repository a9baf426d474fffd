//! Host threads: attaching and detaching from any of them, handles dropped anywhere, several interpreters, and how they close.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use scrip::{Error, Interpreter};

type TestResult = Result<(), Error>;

#[test]
fn host_threads_take_turns() -> TestResult {
    let interpreter = Interpreter::new()?;
    interpreter.exec("n = 0\ndef add():\n    global n\n    n += 1\n    return n\n")?;
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    interpreter.call::<i64>("add", ()).expect("the function returns");
                }
            });
        }
    });
    assert_eq!(interpreter.get::<i64>("n")?, 800);
    Ok(())
}

#[test]
fn attaching_nests_and_keeps_others_out() -> TestResult {
    let interpreter = Interpreter::new()?;
    interpreter.set("n", 0)?;
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    interpreter.attach(|| {
                        let n: i64 = interpreter.get("n").expect("there is n");
                        let n = interpreter.attach(|| n + 1);
                        interpreter.set("n", n).expect("n can be set");
                    });
                }
            });
        }
    });
    assert_eq!(interpreter.get::<i64>("n")?, 200);
    Ok(())
}

#[test]
fn a_host_function_that_detaches_lets_others_run_and_may_attach_again() -> TestResult {
    let interpreter = Interpreter::new()?;
    let (sender, receiver) = mpsc::channel::<i64>();
    let receiver = Mutex::new(receiver);
    let own = interpreter.downgrade();
    interpreter.register("wait", move |(): ()| {
        let own = own.upgrade().expect("it runs");
        let got = own.detach(|| {
            // Inside the detached part the same thread may call scripts.
            let seven: i64 = own.eval("3 + 4").expect("it computes");
            receiver.lock().expect("no panic").recv().expect("it is sent") + seven
        });
        Ok::<_, std::convert::Infallible>(got)
    })?;
    thread::scope(|scope| {
        let waiting = scope.spawn(|| interpreter.eval::<i64>("wait()"));
        // Only while the other is detached can this thread run anything.
        let sum: i64 = interpreter.eval("sum(range(10))").expect("it computes");
        sender.send(sum).expect("somebody receives");
        assert_eq!(waiting.join().expect("it ends").expect("it returns"), 52);
    });
    Ok(())
}

#[test]
fn a_panic_in_a_detached_part_gives_the_gil_back() -> TestResult {
    let interpreter = Interpreter::new()?;
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        interpreter.attach(|| interpreter.detach(|| std::panic::panic_any("on purpose")));
    }));
    assert!(caught.is_err());
    thread::scope(|scope| scope.spawn(|| interpreter.eval::<i64>("1")).join().expect("it ends"))?;
    assert_eq!(interpreter.eval::<i64>("2")?, 2);
    Ok(())
}

#[test]
fn a_callback_that_panics_is_an_error_of_the_script() -> TestResult {
    let interpreter = Interpreter::new()?;
    interpreter.register("fail", |words: String| -> Result<(), std::convert::Infallible> { std::panic::panic_any(words) })?;
    let source = "
import sys
def outer():
    here = ['kept']
    frames.append(sys._getframe())
    fail('no good')
frames = []
try:
    outer()
except RuntimeError as error:
    message = str(error)
";
    interpreter.exec(source)?;
    assert_eq!(interpreter.get::<String>("message")?, "fail() panicked: no good");
    // The frame that it went through is as any other that has ended.
    assert_eq!(interpreter.eval::<String>("frames[0].f_locals['here'][0]")?, "kept");
    // In a thread of the script, in a generator, and where nobody catches it.
    let source = "
import threading
def work():
    try: fail('in a thread')
    except RuntimeError: caught.append(1)
def generator():
    yield fail('in a generator')
caught = []
t = threading.Thread(target=work)
t.start()
t.join()
try: list(map(str, generator()))
except RuntimeError: caught.append(2)
sorted([1, 2], key=lambda n: fail('in a key'))
";
    let error = interpreter.exec(source).expect_err("the last one is not caught");
    assert!(error.to_string().contains("fail() panicked: in a key"), "{error}");
    assert_eq!(interpreter.eval::<i64>("sum(caught)")?, 3);
    Ok(())
}

#[test]
fn a_host_function_calls_its_own_interpreter_again() -> TestResult {
    let interpreter = Interpreter::new()?;
    let weak = interpreter.downgrade();
    interpreter
        .register("again", move |n: i64| weak.attach(|interpreter| interpreter.eval::<i64>(&format!("down({n})"))).and_then(|result| result))?;
    interpreter.exec("def down(n): return 0 if n == 0 else 1 + again(n - 1)")?;
    assert_eq!(interpreter.eval::<i64>("down(20)")?, 20);
    // As deep as the native stack allows, and not deeper.
    let error = interpreter.eval::<i64>("down(10**6)").expect_err("it is too deep");
    assert!(error.to_string().contains("RecursionError"), "{error}");
    assert_eq!(interpreter.eval::<i64>("down(20)")?, 20);
    Ok(())
}

#[test]
fn what_a_thread_keeps_may_be_dropped_at_its_end() -> TestResult {
    use std::cell::RefCell;
    thread_local! {
        static KEPT: RefCell<Option<scrip::Handle>> = const { RefCell::new(None) };
        static OWN: RefCell<Option<Interpreter>> = const { RefCell::new(None) };
    }
    let interpreter = Interpreter::new()?;
    interpreter.exec("gone = []\nclass Noisy:\n    def __del__(self):\n        gone.append(1)\nthings = [Noisy()]")?;
    thread::scope(|scope| {
        let kept = scope.spawn(|| {
            // Registered before anything of the interpreter's, so dropped after it.
            KEPT.set(None);
            OWN.set(None);
            OWN.set(Some(Interpreter::new()?));
            KEPT.set(Some(interpreter.handle("things.pop()")?));
            Ok::<(), Error>(())
        });
        kept.join().expect("the thread ends")
    })?;
    assert_eq!(interpreter.eval::<i64>("len(gone)")?, 1);
    Ok(())
}

#[test]
fn an_interpreter_is_dropped_inside_another_while_both_are_busy() -> TestResult {
    // The first one's daemon needs the second one's GIL to leave, and the second one's holder drops the first.
    let (one, two) = (Interpreter::new()?, Interpreter::new()?);
    let (entered, enter) = mpsc::channel();
    let inner = two.clone();
    one.register("ask", move |(): ()| {
        let _ = entered.send(());
        inner.eval::<i64>("1 + 1")
    })?;
    one.exec("import threading\ndef work():\n    while True: ask()\nthreading.Thread(target=work, daemon=True).start()")?;
    enter.recv().expect("the daemon runs");
    two.attach(|| drop(one));
    assert_eq!(two.eval::<i64>("2 + 2")?, 4);
    Ok(())
}

#[test]
fn a_closed_interpreter_cannot_be_attached_to() -> TestResult {
    let interpreter = Interpreter::new()?;
    let weak = interpreter.downgrade();
    let stop = Arc::new(AtomicBool::new(false));
    let n_done = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (weak, stop, n_done) = (weak.clone(), stop.clone(), n_done.clone());
            thread::spawn(move || {
                loop {
                    match weak.attach(|interpreter| interpreter.eval::<i64>("sum(range(100))")) {
                        Ok(result) => assert_eq!(result.expect("it computes"), 4950),
                        Err(error) => {
                            assert!(matches!(error, Error::Closed));
                            return;
                        }
                    }
                    n_done.fetch_add(1, SeqCst);
                    assert!(!stop.load(SeqCst), "the interpreter does not close");
                }
            })
        })
        .collect();
    while n_done.load(SeqCst) < 20 && threads.iter().all(|thread| !thread.is_finished()) {
        thread::yield_now();
    }
    drop(interpreter);
    for thread in threads {
        thread.join().expect("each ends by Closed");
    }
    stop.store(true, SeqCst);
    assert!(weak.upgrade().is_none());
    Ok(())
}

#[test]
fn handles_are_dropped_anywhere() -> TestResult {
    let interpreter = Interpreter::new()?;
    interpreter.exec("gone = []\nclass Noisy:\n    def __del__(self):\n        gone.append(1)\nthings = [Noisy() for _ in range(3)]")?;
    let handles = [interpreter.handle("things.pop()")?, interpreter.handle("things.pop()")?, interpreter.handle("things.pop()")?];
    let [one, two, three] = handles;
    // By the thread that made it, detached.
    drop(one);
    assert_eq!(interpreter.eval::<i64>("len(gone)")?, 1);
    // By a thread that never attached, while a script runs that ends only when it is gone: the drop does not wait for the GIL.
    let barrier = Arc::new(Barrier::new(2));
    let dropper = {
        let barrier = barrier.clone();
        thread::spawn(move || {
            barrier.wait();
            drop(two);
        })
    };
    interpreter.register("ready", {
        let barrier = barrier.clone();
        move |(): ()| {
            barrier.wait();
            Ok::<_, std::convert::Infallible>(())
        }
    })?;
    interpreter.exec("ready()\nwhile len(gone) < 2: pass")?;
    dropper.join().expect("it ends");
    // While attached to another interpreter.
    let other = Interpreter::new()?;
    other.attach(|| drop(three));
    assert_eq!(interpreter.eval::<i64>("len(gone)")?, 3);
    Ok(())
}

#[test]
fn a_handle_keeps_its_interpreter() -> TestResult {
    let interpreter = Interpreter::new()?;
    let handle = interpreter.handle("[1, 2]")?;
    let weak = interpreter.downgrade();
    drop(interpreter);
    assert_eq!(weak.attach(|interpreter| interpreter.eval::<i64>("1 + 1"))??, 2);
    drop(handle);
    assert!(weak.upgrade().is_none());
    Ok(())
}

#[test]
fn two_interpreters_in_one_thread_know_nothing_of_each_other() -> TestResult {
    let (one, two) = (Interpreter::new()?, Interpreter::new()?);
    one.set("x", 1)?;
    two.set("x", 2)?;
    let inner = two.clone();
    one.register("ask", move |(): ()| inner.eval::<i64>("x * 10"))?;
    let back = one.downgrade();
    two.register("ask_back", move |(): ()| back.attach(|one| one.eval::<i64>("x * 100"))?)?;
    assert_eq!(one.eval::<i64>("ask() + x")?, 21);
    // From one into the other and back into the first, in one thread.
    let inner = two.clone();
    one.register("ask_twice", move |(): ()| inner.eval::<i64>("ask_back() + x"))?;
    assert_eq!(one.eval::<i64>("ask_twice() + x")?, 103);
    // While one waits inside the other, its GIL is free.
    let inner = two.clone();
    let for_thread = one.downgrade();
    two.register("from_another_thread", move |(): ()| {
        let one = for_thread.clone();
        thread::spawn(move || one.attach(|one| one.eval::<i64>("x + 4"))).join().expect("it ends")?
    })?;
    one.register("wait_inside", move |(): ()| inner.eval::<i64>("from_another_thread()"))?;
    assert_eq!(one.eval::<i64>("wait_inside()")?, 5);
    Ok(())
}

#[test]
fn interpreters_run_in_parallel() -> TestResult {
    // Both must be inside a script at the same time for the barrier to open.
    let barrier = Arc::new(Barrier::new(2));
    let (sender, receiver) = mpsc::channel();
    for _ in 0..2 {
        let (barrier, sender) = (barrier.clone(), sender.clone());
        thread::spawn(move || {
            let run = || {
                let interpreter = Interpreter::new()?;
                interpreter.register("meet", move |(): ()| {
                    barrier.wait();
                    Ok::<_, std::convert::Infallible>(())
                })?;
                interpreter.exec("meet()\ntotal = sum(i * i for i in range(1000))\nmeet()")?;
                interpreter.get::<i64>("total")
            };
            sender.send(run())
        });
    }
    for _ in 0..2 {
        assert_eq!(receiver.recv_timeout(Duration::from_secs(60)).expect("the interpreters meet")?, 332_833_500);
    }
    Ok(())
}

#[test]
fn an_interpreter_with_daemons_can_be_dropped() -> TestResult {
    for _ in 0..5 {
        let interpreter = Interpreter::new()?;
        interpreter.exec(
            "import threading, time, os\n\
             r, w = os.pipe()\n\
             lock = threading.Lock()\n\
             lock.acquire()\n\
             def spin():\n\
             \x20   while True: pass\n\
             for work in (spin, lock.acquire, lambda: time.sleep(1000), lambda: os.read(r, 1)):\n\
             \x20   threading.Thread(target=work, daemon=True).start()\n",
        )?;
    }
    Ok(())
}

#[test]
fn what_the_threads_did_is_reported_when_asked_for() -> TestResult {
    let interpreter = Interpreter::builder().observe_threads(true).build()?;
    interpreter.exec("import threading\nt = threading.Thread(target=lambda: sum(range(100000)), name='worker')\nt.start()\nt.join()")?;
    let report = interpreter.thread_report();
    assert!(report.contains("MainThread") && report.contains("worker") && report.contains("hand-overs"), "{report}");
    Ok(())
}

/// A number that looks random; the same ones each time.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn a_stop_at_any_moment_leaves_the_interpreter_usable() -> TestResult {
    let interpreter = Interpreter::new()?;
    interpreter.exec(
        "
import os, queue, socket, threading, time
def work():
    q = queue.Queue(2)
    lock = threading.Lock()
    condition = threading.Condition()
    a, b = socket.socketpair()
    r, w = os.pipe()
    def put():
        while True: q.put(1)
    def get():
        while True:
            q.get()
            with condition: condition.notify_all()
    def wait():
        while True:
            with condition: condition.wait(0.001)
            with lock: sum(range(100))
    def talk():
        while True:
            try:
                b.send(b'x')
                a.recv(1)
            except: pass
            finally: os.write(w, b'y'); os.read(r, 1)
    def start():
        while True:
            t = threading.Thread(target=lock.acquire, args=(True, 0.001))
            t.start()
            t.join()
    try:
        for target in (put, get, wait, wait, talk, start):
            threading.Thread(target=target).start()
        while True:
            with lock: time.sleep(0.0001)
    finally:
        for s in (a, b): s.close()
        for f in (r, w): os.close(f)
",
    )?;
    let stopper = interpreter.stopper();
    let mut state = 88_172_645_463_325_252;
    for turn in 0..30 {
        let pause = Duration::from_micros(next(&mut state) % 10_000);
        let stopper = stopper.clone();
        let stopping = thread::spawn(move || {
            while !stopper.is_running() {
                thread::yield_now();
            }
            thread::sleep(pause);
            stopper.stop();
        });
        let error = interpreter.exec("work()").expect_err("it is stopped");
        assert!(matches!(error, Error::Stopped(_)), "{turn}: {error}");
        stopping.join().expect("it ends");
        // Descriptors were closed in some turns while threads used them; the threads ended all the same.
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while interpreter.eval::<i64>("threading.active_count()")? > 1 {
            assert!(std::time::Instant::now() < deadline, "threads are left after turn {turn}");
            thread::yield_now();
        }
    }
    Ok(())
}

#[test]
fn many_interpreters_on_many_threads_share_what_is_compiled() {
    let results: Vec<i64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|number: i64| {
                scope.spawn(move || {
                    let mut sum = 0;
                    for turn in 0..5 {
                        let interpreter = Interpreter::new().expect("one is made");
                        let source = "import json, re, collections, threading\nt = threading.Thread(target=lambda: None)\nt.start()\nt.join()";
                        interpreter.exec(source).expect("it imports");
                        let handle = interpreter.handle("collections.Counter('abca')").expect("there is one");
                        sum +=
                            interpreter.eval::<i64>(&format!("json.loads('{number}') + len(re.findall('a', 'abca')) + {turn}")).expect("it computes");
                        drop(interpreter);
                        drop(handle);
                    }
                    sum
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("it ends")).collect()
    });
    assert_eq!(results, (0..8).map(|number| 5 * number + 10 + 10).collect::<Vec<_>>());
}

#[test]
fn handles_are_dropped_while_scripts_run_and_the_interpreter_ends() -> TestResult {
    for _ in 0..5 {
        let interpreter = Interpreter::new()?;
        interpreter.exec("gone = []\nclass Noisy:\n    def __del__(self): gone.append(1)")?;
        let done = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..3 {
                let handles: Vec<_> = (0..100).map(|_| interpreter.handle("Noisy()").expect("one is made")).collect();
                let done = &done;
                scope.spawn(move || {
                    for handle in handles {
                        drop(handle);
                        done.fetch_add(1, SeqCst);
                    }
                });
            }
            while done.load(SeqCst) < 300 {
                interpreter.exec("for _ in range(1000): pass").expect("it runs");
            }
        });
        assert_eq!(interpreter.eval::<i64>("len(gone)")?, 300);
        // The last owner is a handle that another thread drops.
        let handle = interpreter.handle("Noisy()")?;
        drop(interpreter);
        thread::spawn(move || drop(handle)).join().expect("it ends");
    }
    Ok(())
}

#[test]
fn a_stop_inside_of_a_host_function_ends_the_script_around_it() -> TestResult {
    let limits = scrip::Limits::new().instructions(200_000);
    let interpreter = Interpreter::builder().limits(limits).build()?;
    let own = interpreter.downgrade();
    interpreter.register("inner", move |is_away: bool| {
        let own = own.upgrade().expect("it runs");
        let run = || own.exec("while True: pass").map_err(|error| error.to_string());
        if is_away { own.detach(run) } else { run() }
    })?;
    for is_away in ["False", "True"] {
        let source = format!(
            "caught, cleaned = 0, 0\nwhile True:\n    try:\n        inner({is_away})\n    except BaseException:\n        caught += 1\n    finally:\n        \
             cleaned += 1\n"
        );
        assert!(matches!(interpreter.exec(&source), Err(scrip::Error::Stopped(_))));
        assert_eq!((interpreter.get::<i64>("caught")?, interpreter.get::<i64>("cleaned")?), (0, 1));
    }
    Ok(())
}

#[test]
fn a_script_can_be_stopped_after_its_host_function_has_come_back() -> TestResult {
    let interpreter = Interpreter::new()?;
    let (own, stopper) = (interpreter.downgrade(), interpreter.stopper());
    interpreter.register("away_and_back", move |(): ()| {
        let own = own.upgrade().expect("it runs");
        own.detach(|| own.eval::<i64>("1 + 1")).map_err(|error| error.to_string())
    })?;
    interpreter.register("stop", move |(): ()| {
        stopper.stop();
        Ok::<_, std::convert::Infallible>(())
    })?;
    assert!(matches!(interpreter.exec("away_and_back()\nstop()\nwhile True: pass"), Err(scrip::Error::Stopped(_))));
    assert_eq!(interpreter.eval::<i64>("6 * 7")?, 42);
    Ok(())
}

#[test]
fn the_last_handle_may_be_dropped_by_a_script_thread_in_a_host_function() -> TestResult {
    let interpreter = Interpreter::new()?;
    let weak = interpreter.downgrade();
    let (entered, has_entered) = mpsc::channel();
    let (leave, may_leave) = mpsc::channel::<()>();
    let (gone, is_gone) = mpsc::channel();
    let may_leave = Mutex::new(may_leave);
    interpreter.register("hold", move |(): ()| {
        let own = weak.upgrade().expect("it runs");
        entered.send(()).expect("somebody receives");
        own.detach(|| may_leave.lock().expect("no panic").recv()).map_err(|error| error.to_string())
    })?;
    interpreter.register("tell", move |count: i64| gone.send(count).map_err(|error| error.to_string()))?;
    interpreter.exec(
        "import threading\nclass Noisy:\n    def __del__(self, tell=tell):\n        tell(7)\ndef run(noisy):\n    hold()\n\
         threading.Thread(target=run, args=(Noisy(),)).start()",
    )?;
    has_entered.recv().expect("it enters");
    drop(interpreter);
    leave.send(()).expect("it waits");
    assert_eq!(is_gone.recv_timeout(std::time::Duration::from_secs(30)), Ok(7));
    Ok(())
}

#[test]
fn a_host_function_says_what_it_takes() -> TestResult {
    let interpreter = Interpreter::new()?;
    interpreter.register("nothing", |(): ()| Ok::<_, std::convert::Infallible>(0))?;
    interpreter.register("number", |number: u64| Ok::<_, std::convert::Infallible>(number))?;
    interpreter.register("pair", |(text, numbers): (String, Vec<i64>)| Ok::<_, std::convert::Infallible>(format!("{text}{numbers:?}")))?;
    assert_eq!(interpreter.eval::<u64>("number(2**64 - 1)")?, u64::MAX);
    assert_eq!(interpreter.eval::<String>("pair('a', (1, 2))")?, "a[1, 2]");
    assert_eq!(interpreter.eval::<(String, f64, Option<bool>)>("['a', 1, None]")?, ("a".to_owned(), 1.0, None));
    for (call, message) in [
        ("nothing(1)", "nothing() takes 0 arguments (1 given)"),
        ("number(number=1)", "number() takes no keyword arguments"),
        ("number()", "number() cannot take nothing: it wants u64"),
        ("number(-1)", "number() cannot take int: it wants u64"),
        ("pair('a')", "pair() takes 2 arguments (1 given)"),
        ("pair('a', 'b')", "pair() cannot take str, str: it wants String, Vec<i64>"),
    ] {
        let error = interpreter.exec(call).expect_err("it is refused");
        assert!(error.is("TypeError"));
        assert_eq!(error.raised().map(scrip::Raised::message), Some(message));
    }
    Ok(())
}
