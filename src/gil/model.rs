//! The scheduler under a model checker: its source compiled a second time, over shuttle's locks and atomics, so that every order in which threads can
//! meet at them is a candidate. `cargo test --features model gil::model` runs it. Waits without a deadline are waits (one that nobody ends is a
//! deadlock that the checker reports); a wait with a deadline ends at once, as it does when the clock is fast.

#[path = "attached.rs"]
#[allow(dead_code, reason = "not everything is modelled")]
mod attached;
#[path = "breaker.rs"]
#[allow(dead_code, reason = "as above")]
mod breaker;
#[path = "limits.rs"]
#[allow(dead_code, reason = "as above")]
mod limits;
#[path = "scheduler.rs"]
#[allow(dead_code, reason = "as above")]
mod scheduler;
#[path = "stats.rs"]
#[allow(dead_code, reason = "as above")]
mod stats;
mod sync;
#[path = "wait.rs"]
#[allow(dead_code, reason = "as above")]
mod wait;

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use shuttle::rand::Rng;
use shuttle::sync::atomic::{AtomicBool, AtomicUsize};
use shuttle::thread;

use self::attached::{Attached, Away};
use self::limits::{Limits, StopReason};
use self::scheduler::{Shared, ThreadHandle};
use self::wait::{Activity, Reason, Waiter};

/// Runs `body` under so many orders of each kind.
fn explore(body: fn()) {
    shuttle::check_random(body, 300);
    shuttle::check_pct(body, 300, 3);
}

/// As `explore`, more often, for what goes wrong only when several things meet.
fn explore_more(body: fn()) {
    shuttle::check_random(body, 2000);
    shuttle::check_pct(body, 1000, 3);
}

fn shared() -> Arc<Shared> {
    sync::reset_clock();
    Shared::new(Limits { memory: Some(1 << 30), ..Limits::default() })
}

/// Notes that the thread has the GIL, and that no other has.
fn inside(count: &AtomicUsize, work: impl FnOnce()) {
    assert_eq!(count.fetch_add(1, SeqCst), 0, "two threads have the GIL");
    work();
    count.fetch_sub(1, SeqCst);
}

#[test]
fn the_gil_is_handed_over_and_nobody_is_left_behind() {
    explore(|| {
        let (shared, count) = (shared(), Arc::new(AtomicUsize::new(0)));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (shared, count) = (shared.clone(), count.clone());
                thread::spawn(move || {
                    let handle = shared.register_thread();
                    for _ in 0..2 {
                        shared.attach(&handle);
                        inside(&count, || {});
                        shared.yield_now(&handle);
                        inside(&count, || {});
                        shared.detach(&handle);
                    }
                    shared.forget_thread(&handle);
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("it ends");
        }
        assert!(shared.is_free());
        assert_eq!(shared.n_threads(), 0);
    });
}

#[test]
fn a_thread_that_runs_is_asked_to_let_go_when_others_wait() {
    explore(|| {
        let (shared, done) = (shared(), Arc::new(AtomicBool::new(false)));
        let spinner = {
            let (shared, done) = (shared.clone(), done.clone());
            thread::spawn(move || {
                let handle = shared.register_thread();
                shared.attach(&handle);
                // It never lets go by itself: only a deadline that somebody armed ends its slice.
                while !done.load(SeqCst) {
                    if shared.breaker.is_set() {
                        shared.yield_now(&handle);
                    }
                    thread::yield_now();
                }
                shared.detach(&handle);
            })
        };
        let others: Vec<_> = (0..2)
            .map(|_| {
                let shared = shared.clone();
                thread::spawn(move || {
                    let handle = shared.register_thread();
                    for _ in 0..2 {
                        shared.attach(&handle);
                        shared.detach(&handle);
                    }
                })
            })
            .collect();
        for other in others {
            other.join().expect("it gets its turn");
        }
        done.store(true, SeqCst);
        spinner.join().expect("it ends");
        assert!(shared.is_free());
    });
}

/// Waits as the VM does: what would end the wait already is looked at after it has begun.
fn wait(shared: &Shared, handle: &ThreadHandle, list: &shuttle::sync::Mutex<Vec<Waiter>>, is_there: &AtomicBool) -> Reason {
    loop {
        let ticket = handle.wait.begin(Activity::Sleep);
        list.lock().expect("no panic").push(Waiter::new(handle.clone(), ticket));
        if is_there.load(SeqCst) {
            handle.wait.cancel(ticket);
            return Reason::Granted;
        }
        if shared.is_closing() || shared.must_stop(handle) {
            return handle.wait.cancel(ticket).unwrap_or(if shared.is_closing() { Reason::Closed } else { Reason::Stopped });
        }
        match shared.block(handle, ticket, None) {
            Reason::Granted => {}
            other => return other,
        }
    }
}

#[test]
fn no_wake_is_lost() {
    explore(|| {
        let shared = shared();
        let (list, is_there) = (Arc::new(shuttle::sync::Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let (shared, list, is_there) = (shared.clone(), list.clone(), is_there.clone());
                thread::spawn(move || {
                    let handle = shared.register_thread();
                    shared.attach(&handle);
                    let reason = wait(&shared, &handle, &list, &is_there);
                    shared.detach(&handle);
                    assert_eq!(reason, Reason::Granted);
                })
            })
            .collect();
        let handle = shared.register_thread();
        shared.attach(&handle);
        is_there.store(true, SeqCst);
        for waiter in list.lock().expect("no panic").drain(..) {
            waiter.grant();
        }
        shared.detach(&handle);
        for waiter in waiters {
            waiter.join().expect("it is woken");
        }
        assert!(shared.is_free());
    });
}

#[test]
fn a_stop_reaches_who_waits_and_who_is_about_to() {
    explore(|| {
        let shared = shared();
        let list = Arc::new(shuttle::sync::Mutex::new(Vec::new()));
        let handle = shared.register_thread();
        shared.begin_run(&handle);
        let waiter = {
            let (shared, list, handle) = (shared.clone(), list.clone(), handle.clone());
            thread::spawn(move || {
                shared.attach(&handle);
                let reason = wait(&shared, &handle, &list, &AtomicBool::new(false));
                shared.detach(&handle);
                reason
            })
        };
        // From a thread that never attaches.
        shared.request_stop(StopReason::Host(String::new()));
        assert_eq!(waiter.join().expect("it ends"), Reason::Stopped);
    });
}

#[test]
fn closing_reaches_every_thread() {
    explore(|| {
        let (shared, count) = (shared(), Arc::new(AtomicUsize::new(0)));
        let main = shared.register_thread();
        shared.attach(&main);
        let threads: Vec<_> = (0..2)
            .map(|number| {
                let (shared, count) = (shared.clone(), count.clone());
                thread::spawn(move || {
                    let Some(handle) = shared.register_unless_closing() else { return };
                    shared.attach(&handle);
                    inside(&count, || {});
                    if number == 0 {
                        let reason = wait(&shared, &handle, &shuttle::sync::Mutex::new(Vec::new()), &AtomicBool::new(false));
                        assert_eq!(reason, Reason::Closed);
                    } else {
                        while !shared.is_closing() {
                            if shared.breaker.is_set() {
                                shared.yield_now(&handle);
                            }
                            thread::yield_now();
                        }
                    }
                    shared.detach(&handle);
                    shared.forget_thread(&handle);
                })
            })
            .collect();
        inside(&count, || {});
        shared.detach(&main);
        shared.start_closing();
        for thread in threads {
            thread.join().expect("it leaves");
        }
        shared.attach(&main);
        assert_eq!(shared.n_threads(), 1);
        shared.close();
        shared.detach(&main);
        shared.attach(&main);
    });
}

#[test]
fn host_threads_that_only_try_never_get_in_the_way() {
    explore(|| {
        let (shared, count) = (shared(), Arc::new(AtomicUsize::new(0)));
        let trier = {
            let (shared, count) = (shared.clone(), count.clone());
            thread::spawn(move || {
                let handle = shared.register_thread();
                for _ in 0..3 {
                    if shared.try_attach() {
                        inside(&count, || {});
                        shared.detach(&handle);
                    }
                }
            })
        };
        let others: Vec<_> = (0..2)
            .map(|_| {
                let (shared, count) = (shared.clone(), count.clone());
                thread::spawn(move || {
                    let handle = shared.register_thread();
                    shared.attach(&handle);
                    inside(&count, || {});
                    shared.detach(&handle);
                })
            })
            .collect();
        for thread in others.into_iter().chain([trier]) {
            thread.join().expect("it ends");
        }
        assert!(shared.is_free());
    });
}

#[test]
fn who_comes_back_from_a_wait_goes_before_who_computes() {
    explore(|| {
        let (shared, order) = (shared(), Arc::new(shuttle::sync::Mutex::new(Vec::new())));
        let holder = shared.register_thread();
        shared.attach(&holder);
        let threads: Vec<_> = [false, true]
            .into_iter()
            .map(|is_boosted| {
                let (shared, order) = (shared.clone(), order.clone());
                thread::spawn(move || {
                    let handle = shared.register_thread();
                    handle.set_boost(is_boosted);
                    shared.attach(&handle);
                    order.lock().expect("no panic").push(is_boosted);
                    shared.detach(&handle);
                })
            })
            .collect();
        // Once both wait, in whatever order they came, the boosted one's deadline is armed.
        while shared.n_ready() < 2 || !shared.breaker.is_set() {
            thread::yield_now();
        }
        shared.yield_now(&holder);
        shared.detach(&holder);
        for thread in threads {
            thread.join().expect("it ends");
        }
        assert_eq!(*order.lock().expect("no panic"), [true, false]);
    });
}

#[test]
fn threads_that_always_come_back_from_waits_do_not_keep_the_others_out() {
    explore(|| {
        let (shared, done) = (shared(), Arc::new(AtomicBool::new(false)));
        let boosted: Vec<_> = (0..2)
            .map(|_| {
                let (shared, done) = (shared.clone(), done.clone());
                thread::spawn(move || {
                    let handle = shared.register_thread();
                    // They end only when the other has had its turn.
                    while !done.load(SeqCst) {
                        handle.set_boost(true);
                        shared.attach(&handle);
                        thread::yield_now();
                        shared.detach(&handle);
                        thread::yield_now();
                    }
                })
            })
            .collect();
        let handle = shared.register_thread();
        handle.set_boost(false);
        shared.attach(&handle);
        done.store(true, SeqCst);
        shared.detach(&handle);
        for thread in boosted {
            thread.join().expect("it ends");
        }
        assert!(shared.is_free());
    });
}

/// Calls that are brief, or not quite: neither do two threads ever have the GIL, nor is anybody left behind.
fn brief_calls_of(n_calls: usize, lengths: &'static [usize], is_boosted: fn(usize) -> bool) {
    let (shared, count) = (shared(), Arc::new(AtomicUsize::new(0)));
    let threads: Vec<_> = (0..lengths.len())
        .map(|number| {
            let (shared, count) = (shared.clone(), count.clone());
            thread::spawn(move || {
                let handle = shared.register_thread();
                handle.set_boost(is_boosted(number));
                shared.attach(&handle);
                for _ in 0..n_calls {
                    inside(&count, || {});
                    // However long the last ones took.
                    handle.set_brief();
                    shared.briefly(&handle, || (0..lengths[number]).for_each(|_| thread::yield_now()));
                    inside(&count, || {});
                    if shared.breaker.is_set() {
                        shared.yield_now(&handle);
                    }
                }
                inside(&count, || {});
                shared.detach(&handle);
                shared.forget_thread(&handle);
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("it ends");
    }
    assert!(shared.is_free());
    assert_eq!(shared.n_threads(), 0);
}

#[test]
fn brief_calls_keep_the_gil_or_lose_it_to_one() {
    explore(|| brief_calls_of(4, &[1, 1], |_| false));
    explore(|| brief_calls_of(3, &[1, 1, 1], |number| number > 0));
    explore_more(|| brief_calls_of(2, &[200, 60, 60], |_| false));
    explore(|| brief_calls_of(2, &[60, 60, 60], |number| number > 0));
}

/// What the holder does before its call that is not brief.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing: nobody looks for offers yet.
    Nothing,
    /// Brief calls: somebody does.
    Calls,
    /// Brief calls, and nothing for so long that nobody looks for offers any more.
    Rest,
    /// Brief calls, and nothing for so long that somebody may be about to look no more.
    Pause,
}

/// The holder's call, which was to be brief, ends only when others have had the GIL. No slice ends of itself, so that somebody has to look for the offer.
fn an_offer_is_taken_by(boosts: &'static [bool], before: Before) {
    let (shared, count, turns) = (shared(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    shared.set_switch_interval(sync::FAR);
    let holder = shared.register_thread();
    shared.attach(&holder);
    let threads: Vec<_> = boosts
        .iter()
        .map(|&is_boosted| {
            let (shared, count, turns) = (shared.clone(), count.clone(), turns.clone());
            thread::spawn(move || {
                let handle = shared.register_thread();
                handle.set_boost(is_boosted);
                shared.attach(&handle);
                inside(&count, || {});
                turns.fetch_add(1, SeqCst);
                shared.detach(&handle);
            })
        })
        .collect();
    if before != Before::Nothing {
        while shared.n_ready() == 0 {
            thread::yield_now();
        }
        for _ in 0..3 {
            shared.briefly(&holder, || {});
        }
    }
    if before == Before::Rest {
        while shared.offers_are_watched() && shared.n_ready() > 0 {
            thread::yield_now();
        }
    }
    if before == Before::Pause {
        for _ in 0..shuttle::rand::thread_rng().gen_range(0..150) {
            thread::yield_now();
        }
    }
    holder.set_brief();
    shared.briefly(&holder, || {
        while turns.load(SeqCst) < boosts.len() {
            thread::yield_now();
        }
    });
    inside(&count, || {});
    shared.detach(&holder);
    for thread in threads {
        thread.join().expect("it has had its turn");
    }
    assert!(shared.is_free());
}

#[test]
fn an_offer_is_taken_when_the_call_is_not_brief() {
    explore(|| an_offer_is_taken_by(&[false], Before::Nothing));
    explore(|| an_offer_is_taken_by(&[true], Before::Nothing));
    explore(|| an_offer_is_taken_by(&[false, true], Before::Nothing));
    explore(|| an_offer_is_taken_by(&[false, false], Before::Nothing));
}

#[test]
fn an_offer_is_taken_while_offers_are_watched() {
    explore(|| an_offer_is_taken_by(&[false], Before::Calls));
    explore_more(|| an_offer_is_taken_by(&[true], Before::Calls));
    explore(|| an_offer_is_taken_by(&[false, true], Before::Calls));
}

#[test]
fn an_offer_is_taken_after_offers_were_watched_no_more() {
    explore(|| an_offer_is_taken_by(&[false], Before::Rest));
    explore(|| an_offer_is_taken_by(&[false, true], Before::Rest));
    explore_more(|| an_offer_is_taken_by(&[false], Before::Pause));
}

#[test]
fn closing_and_brief_calls_do_not_meet() {
    explore(|| {
        let (shared, count) = (shared(), Arc::new(AtomicUsize::new(0)));
        let main = shared.register_thread();
        shared.attach(&main);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (shared, count) = (shared.clone(), count.clone());
                thread::spawn(move || {
                    let Some(handle) = shared.register_unless_closing() else { return };
                    shared.attach(&handle);
                    while !shared.is_closing() {
                        inside(&count, || {});
                        shared.briefly(&handle, thread::yield_now);
                        if shared.breaker.is_set() {
                            shared.yield_now(&handle);
                        }
                    }
                    shared.detach(&handle);
                    shared.forget_thread(&handle);
                })
            })
            .collect();
        for _ in 0..2 {
            inside(&count, || {});
            shared.briefly(&main, thread::yield_now);
        }
        inside(&count, || {});
        shared.detach(&main);
        shared.start_closing();
        for thread in threads {
            thread.join().expect("it leaves");
        }
        shared.attach(&main);
        assert_eq!(shared.n_threads(), 1);
        shared.close();
        shared.briefly(&main, || {});
    });
}

#[test]
fn host_threads_attach_nested_and_crosswise_and_give_the_gil_away() {
    explore(|| {
        let interpreters = [shared(), shared()];
        let counts: [Arc<AtomicUsize>; 2] = Default::default();
        let threads: Vec<_> = [0, 1]
            .into_iter()
            .map(|first| {
                let (interpreters, counts) = (interpreters.clone(), counts.clone());
                thread::spawn(move || {
                    let second = 1 - first;
                    let attach = |number: usize| Attached::new(&interpreters[number], || interpreters[number].register_thread());
                    let outer = attach(first);
                    inside(&counts[first], || {});
                    {
                        // The first one's GIL is free meanwhile: the other thread may be on its way from there to here.
                        let inner = attach(second);
                        inside(&counts[second], || {});
                        let back = attach(first);
                        assert!(back.thread().id == outer.thread().id && !back.is_nested);
                        inside(&counts[first], || {});
                        drop(back);
                        assert!(attach(second).is_nested);
                        inside(&counts[second], || {});
                        drop(inner);
                    }
                    inside(&counts[first], || {});
                    {
                        let away = Away::new(&interpreters[first]).expect("it is attached");
                        assert!(Away::new(&interpreters[first]).is_none());
                        let again = attach(first);
                        inside(&counts[first], || {});
                        drop(again);
                        drop(away);
                    }
                    inside(&counts[first], || {});
                    drop(outer);
                    assert!(Away::new(&interpreters[first]).is_none());
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("it ends");
        }
        for interpreter in &interpreters {
            assert!(interpreter.is_free());
            // The main thread stays known.
            assert_eq!(interpreter.n_threads(), 1);
        }
    });
}
