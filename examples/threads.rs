//! Figures of threads and interpreters: what attaching costs, how interpreters run in parallel, what making one costs.
//!
//! `cargo run --release --example threads`
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program that measures and prints")]

use std::thread;
use std::time::Instant;

use scrip::Interpreter;

const WORK: &str = "def work(n):\n    total = 0\n    for i in range(n):\n        total += i * i % 7\n    return total\n";

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn resident_kilobytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn main() -> Result<(), scrip::Error> {
    let interpreter = Interpreter::new()?;
    let count = 1_000_000;
    let time = seconds(|| {
        for _ in 0..count {
            interpreter.attach(|| {});
        }
    });
    println!("attach_with_a_call {:.1} ns", time / f64::from(count) * 1e9);
    interpreter.attach(|| {
        let time = seconds(|| {
            for _ in 0..count {
                interpreter.detach(|| {});
            }
        });
        println!("detach_and_attach_again {:.1} ns", time / f64::from(count) * 1e9);
    });

    // Two interpreters on two threads against one alone: twice the work in the same time is a speed of 1 for each.
    let alone = || -> Result<f64, scrip::Error> {
        let interpreter = Interpreter::new()?;
        interpreter.exec(WORK)?;
        interpreter.call::<i64>("work", 1_000_000)?;
        Ok(seconds(|| drop(interpreter.call::<i64>("work", 20_000_000))))
    };
    let one = alone()?;
    let both: Vec<_> = (0..2).map(|_| thread::spawn(alone)).collect();
    let mut slowest: f64 = 0.0;
    for thread in both {
        slowest = slowest.max(thread.join().unwrap_or(Ok(f64::NAN))?);
    }
    println!("two_in_parallel {:.3} of one alone", one / slowest);

    let time = seconds(|| (0..1000).for_each(|_| drop(Interpreter::new())));
    let before = resident_kilobytes();
    (0..9000).for_each(|_| drop(Interpreter::new()));
    println!("made_and_dropped {time:.3} ms");
    println!("resident_after_1000 {before} KiB, after_10000 {} KiB", resident_kilobytes());
    Ok(())
}
