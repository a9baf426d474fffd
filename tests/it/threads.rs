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
