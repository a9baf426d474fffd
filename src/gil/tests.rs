use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use super::wait::{Activity, Reason, Waiter};
use super::{Attached, Limits, Shared};

fn shared() -> Arc<Shared> {
    Shared::new(Limits { memory: Some(1 << 30), ..Limits::default() })
}

/// Runs `n` threads that count, attached, until each has had its turn, or until `time` has passed; how far each came.
fn count(shared: &Arc<Shared>, n: usize, time: Duration) -> Vec<u64> {
    let stop = Arc::new(AtomicBool::new(false));
    let inside = Arc::new(AtomicUsize::new(0));
    let counters: Vec<Arc<AtomicU64>> = (0..n).map(|_| Arc::default()).collect();
    let threads: Vec<_> = counters
        .iter()
        .map(|counter| {
            let (shared, stop, inside, counter) = (shared.clone(), stop.clone(), inside.clone(), counter.clone());
            thread::spawn(move || {
                let handle = shared.register_thread();
                shared.attach(&handle);
                assert_eq!(inside.fetch_add(1, SeqCst), 0, "two threads have the GIL");
                while !stop.load(SeqCst) {
                    counter.fetch_add(1, SeqCst);
                    if shared.breaker.is_set() {
                        inside.fetch_sub(1, SeqCst);
                        shared.yield_now(&handle);
                        assert_eq!(inside.fetch_add(1, SeqCst), 0, "two threads have the GIL");
                    }
                }
                inside.fetch_sub(1, SeqCst);
                shared.detach(&handle);
                shared.forget_thread(&handle);
            })
        })
        .collect();
    let deadline = Instant::now() + time;
    while counters.iter().any(|counter| counter.load(SeqCst) == 0) && Instant::now() < deadline {
        thread::park_timeout(Duration::from_millis(1));
    }
    stop.store(true, SeqCst);
    for thread in threads {
        thread.join().expect("no assertion failed");
    }
    counters.iter().map(|counter| counter.load(SeqCst)).collect()
}

#[test]
fn alone_a_thread_attaches_and_detaches_without_a_hand_over() {
    let shared = shared();
    let handle = shared.register_thread();
    for _ in 0..1000 {
        shared.attach(&handle);
        shared.detach(&handle);
    }
    assert_eq!(shared.hand_overs(), 0);
    assert!(!shared.breaker.is_set());
}

#[test]
fn threads_that_compute_take_turns() {
    let shared = shared();
    let counts = count(&shared, 4, Duration::from_secs(60));
    assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
    assert!(shared.hand_overs() >= 3);
    assert!(!shared.breaker.has(super::breaker::DROP));
}

#[test]
fn threads_that_come_and_go_never_meet_inside() {
    let shared = shared();
    let inside = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (shared, inside) = (shared.clone(), inside.clone());
            thread::spawn(move || {
                let handle = shared.register_thread();
                for round in 0..2000_u32 {
                    shared.attach(&handle);
                    assert_eq!(inside.fetch_add(1, SeqCst), 0, "two threads have the GIL");
                    inside.fetch_sub(1, SeqCst);
                    if round % 3 == 0 {
                        shared.yield_now(&handle);
                    }
                    shared.detach(&handle);
                }
                shared.forget_thread(&handle);
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no assertion failed");
    }
    assert_eq!(shared.n_threads(), 0);
}

#[test]
fn a_thread_back_from_a_wait_runs_before_those_that_compute() {
    let shared = shared();
    let holder = shared.register_thread();
    shared.attach(&holder);
    let order = Arc::new(parking_lot::Mutex::new(Vec::new()));
    // Two that computed queue up first, then one that comes back from a wait.
    let threads: Vec<_> = [false, false, true]
        .into_iter()
        .enumerate()
        .map(|(number, earned_boost)| {
            let (own, order) = (shared.clone(), order.clone());
            let thread = thread::spawn(move || {
                let handle = own.register_thread();
                handle.set_boost(earned_boost);
                own.attach(&handle);
                order.lock().push(number);
                own.detach(&handle);
            });
            while shared.n_ready() <= number {
                thread::yield_now();
            }
            thread
        })
        .collect();
    // It asks for the GIL as soon as the holder has had its least slice, and gets it when the holder looks.
    while !shared.breaker.has(super::breaker::DROP) {
        thread::yield_now();
    }
    shared.yield_now(&holder);
    shared.detach(&holder);
    for thread in threads {
        thread.join().expect("it ends");
    }
    assert_eq!(*order.lock(), [2, 0, 1]);
}

#[test]
fn a_wait_ends_once_for_the_first_reason() {
    let shared = shared();
    let handle = shared.register_thread();
    let ticket = handle.wait.begin(Activity::Nothing);
    let waiter = Waiter::new(handle.clone(), ticket);
    assert!(waiter.grant());
    assert!(!waiter.grant());
    handle.wait.wake_any(Reason::Interrupted);
    shared.attach(&handle);
    assert_eq!(shared.block(&handle, ticket, None), Reason::Granted);
    let next = handle.wait.begin(Activity::Nothing);
    assert!(!waiter.grant(), "a wake for the wait before must not end this one");
    assert_eq!(shared.block(&handle, next, Some(Instant::now())), Reason::Timeout);
    shared.detach(&handle);
}

#[test]
fn closing_ends_every_wait() {
    let shared = shared();
    let waiting = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let (shared, waiting) = (shared.clone(), waiting.clone());
            thread::spawn(move || {
                let handle = shared.register_thread();
                shared.attach(&handle);
                let ticket = handle.wait.begin(Activity::Nothing);
                waiting.fetch_add(1, SeqCst);
                let reason = if shared.is_closing() { Reason::Closed } else { shared.block(&handle, ticket, None) };
                shared.detach(&handle);
                reason
            })
        })
        .collect();
    while waiting.load(SeqCst) < 3 {
        thread::yield_now();
    }
    shared.start_closing();
    for thread in threads {
        assert_eq!(thread.join().expect("the thread ends"), Reason::Closed);
    }
}

#[test]
fn after_closing_the_main_thread_keeps_the_gil() {
    let shared = shared();
    let main = shared.register_thread();
    let other = shared.register_thread();
    shared.attach(&main);
    shared.close();
    shared.detach(&main);
    shared.attach(&main);
    let got_it = Arc::new(AtomicBool::new(false));
    {
        let (shared, got_it) = (shared.clone(), got_it.clone());
        // It sleeps for good, and ends with the process.
        thread::spawn(move || {
            shared.attach(&other);
            got_it.store(true, SeqCst);
        });
    }
    for _ in 0..100 {
        shared.detach(&main);
        shared.yield_now(&main);
        shared.attach(&main);
        thread::yield_now();
    }
    assert!(!got_it.load(SeqCst));
}

#[test]
fn a_nested_attach_is_no_second_one_and_another_interpreter_gives_the_first_away() {
    let (one, two) = (shared(), shared());
    let outer = Attached::new(&one, || one.register_thread());
    let inner = Attached::new(&one, || unreachable!("attached already"));
    assert!(inner.is_nested && !outer.is_nested);
    drop(inner);
    let other = Attached::new(&two, || two.register_thread());
    // Somebody else can run in the first one meanwhile.
    let shared_one = one.clone();
    thread::spawn(move || drop(Attached::new(&shared_one, || shared_one.register_thread()))).join().expect("it ends");
    drop(other);
    drop(outer);
    let again = Attached::new(&one, || one.register_thread());
    assert!(!again.is_nested);
}

/// Threads whose calls outside are brief, some of them not: exclusion holds, and both outcomes occur.
#[test]
fn brief_calls_keep_the_gil_while_they_are_brief() {
    let shared = shared();
    let (inside, start) = (Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(6)));
    let threads: Vec<_> = (0..6)
        .map(|number| {
            let (shared, inside, start) = (shared.clone(), inside.clone(), start.clone());
            thread::spawn(move || {
                let handle = shared.register_thread();
                start.wait();
                shared.attach(&handle);
                for turn in 0..2000 {
                    assert_eq!(inside.fetch_add(1, SeqCst), 0, "two threads have the GIL");
                    // Long enough for the others to come.
                    (0..500).for_each(|_| std::hint::spin_loop());
                    inside.fetch_sub(1, SeqCst);
                    shared.briefly(&handle, || {
                        if turn % 500 == number * 50 {
                            thread::sleep(Duration::from_millis(3));
                        }
                    });
                    if shared.breaker.is_set() {
                        shared.yield_now(&handle);
                    }
                }
                shared.detach(&handle);
                shared.forget_thread(&handle);
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no assertion failed");
    }
    let (offers, taken) = shared.offers();
    assert!(offers > taken && taken > 0, "{offers} offers, {taken} of them taken");
    assert!(shared.is_free());
}

/// Who waits gets the GIL while the holder's call, which was to be brief, goes on.
#[test]
fn a_slow_call_that_was_to_be_brief_keeps_nobody_waiting() {
    for is_boosted in [false, true] {
        let shared = shared();
        // The end of a slice is not what it waits for.
        shared.set_switch_interval(60_000_000_000);
        let holder = shared.register_thread();
        shared.attach(&holder);
        let waiter = {
            let shared = shared.clone();
            thread::spawn(move || {
                let handle = shared.register_thread();
                handle.set_boost(is_boosted);
                shared.attach(&handle);
                let got = Instant::now();
                shared.detach(&handle);
                got
            })
        };
        while shared.n_ready() == 0 {
            thread::yield_now();
        }
        let over = shared.briefly(&holder, || {
            thread::sleep(Duration::from_secs(1));
            Instant::now()
        });
        assert!(waiter.join().expect("it ends") < over);
        shared.detach(&holder);
    }
}
