//! What the threads did with their time, for `--gil-stats`. Kept only when it was asked for: then the GIL's word carries a bit that makes every
//! attach and detach go the slow way, under the queue's lock, where the clock is read.

use std::fmt::Write;

/// What a thread is doing, as far as the GIL is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    /// Holds the GIL.
    Running,
    /// Waits for the GIL.
    Ready,
    /// Waits for another thread, or for time to pass.
    Blocked,
    /// In a system call, or not in the interpreter at all.
    #[default]
    Outside,
}

/// Why the GIL went from one thread to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The holder's slice was over.
    Slice,
    /// A thread came back from a wait.
    Boost,
    /// The holder began to wait.
    Blocked,
    /// The holder went outside, or ended.
    Outside,
}

/// One thread's times, in nanoseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct ThreadTimes {
    pub(crate) phase: Phase,
    since: u64,
    spent: [u64; 4],
    n_holds: u64,
    longest_hold: u64,
    /// Where the script was at the end of that.
    longest_place: String,
}

impl ThreadTimes {
    /// From now on the thread does something else.
    pub(super) fn change(&mut self, phase: Phase, now: u64) {
        let elapsed = now.saturating_sub(self.since);
        if self.since != 0 {
            self.spent[self.phase as usize] += elapsed;
            if self.phase == Phase::Running && phase != Phase::Running && elapsed > self.longest_hold {
                self.longest_hold = elapsed;
            }
        }
        if phase == Phase::Running {
            self.n_holds += 1;
        }
        self.phase = phase;
        self.since = now;
    }

    /// Whether the hold that ends now is the longest so far, so that its place is wanted.
    pub(super) fn is_longest(&self, now: u64) -> bool {
        self.phase == Phase::Running && now.saturating_sub(self.since) > self.longest_hold
    }

    /// The place of the hold that ends now.
    pub(super) fn set_place(&mut self, place: String) {
        self.longest_place = place;
    }
}

/// What is kept for all threads together.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// By `Cause`.
    pub(super) hand_overs: [u64; 4],
    /// Brief calls outside in which nobody took the GIL, though somebody waited for it.
    pub(super) kept: u64,
    /// Those in which somebody did, since they took long or a slice was over.
    pub(super) taken: u64,
    /// Waits for locks by the place of the wait: how many, and their nanoseconds.
    pub(super) contended: Vec<(String, u64, u64)>,
    /// Threads that have ended: number, name, times.
    pub(super) ended: Vec<(u64, String, ThreadTimes)>,
}

impl Totals {
    /// A thread waited for a lock at a place.
    pub(super) fn note_contention(&mut self, place: String, nanoseconds: u64) {
        match self.contended.iter_mut().find(|entry| entry.0 == place) {
            Some(entry) => {
                entry.1 += 1;
                entry.2 += nanoseconds;
            }
            None => self.contended.push((place, 1, nanoseconds)),
        }
    }

    /// The report, of these and of the threads that still live.
    pub(super) fn report(&self, living: Vec<(u64, String, ThreadTimes)>) -> String {
        let mut threads: Vec<_> = self.ended.iter().cloned().chain(living).collect();
        threads.sort_by_key(|(number, ..)| *number);
        let mut text = String::from("GIL: seconds of each thread\n");
        let _ = writeln!(text, "  {:<24}{:>10}{:>10}{:>10}{:>10}{:>10}", "thread", "running", "waiting", "blocked", "outside", "holds");
        for (number, name, times) in &threads {
            let name = if name.is_empty() { format!("thread {number}") } else { name.clone() };
            let [running, ready, blocked, outside] = times.spent.map(|nanoseconds| nanoseconds as f64 / 1e9);
            let _ = writeln!(text, "  {name:<24}{running:>10.3}{ready:>10.3}{blocked:>10.3}{outside:>10.3}{:>10}", times.n_holds);
        }
        let [slice, boost, blocked, outside] = self.hand_overs;
        let total: u64 = self.hand_overs.iter().sum();
        let _ = writeln!(
            text,
            "  hand-overs: {total} ({slice} at the end of a slice, {boost} to a thread back from a wait, {blocked} by waiting, {outside} by going outside)"
        );
        let (kept, taken) = (self.kept, self.taken);
        if kept + taken > 0 {
            let _ = writeln!(text, "  brief calls outside while others waited: {kept} kept the GIL, {taken} lost it");
        }
        if let Some((number, name, times)) = threads.iter().max_by_key(|(_, _, times)| times.longest_hold) {
            let name = if name.is_empty() { format!("thread {number}") } else { name.clone() };
            let place = if times.longest_place.is_empty() { String::new() } else { format!(", until {}", times.longest_place) };
            let _ = writeln!(text, "  longest hold: {:.3} ms by {name}{place}", times.longest_hold as f64 / 1e6);
        }
        let mut contended = self.contended.clone();
        contended.sort_by_key(|(_, _, nanoseconds)| std::cmp::Reverse(*nanoseconds));
        if !contended.is_empty() {
            text.push_str("  locks waited for most:\n");
        }
        for (place, count, nanoseconds) in contended.iter().take(10) {
            let _ = writeln!(text, "    {place}: {count} times, {:.3} s", *nanoseconds as f64 / 1e9);
        }
        text
    }
}
