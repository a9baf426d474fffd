//! The scheduler: direct hand-over of the GIL in FIFO order, a boost for threads that come back from a wait, one timed waiter.
//!
//! - **G1** `WAITERS` is set exactly while the queue is not empty, and changes only under the queue's lock.
//! - **G2** With waiters the word is never free: who lets go hands over to exactly one thread, which is woken. So nobody barges in and no wake is lost.
//! - **G3** Whenever the GIL is granted, the new head of the queue has an armed deadline, or is woken to arm one.
//! - **G4** A thread's scheduling fields are touched only under the queue's lock; the hand-over orders what the threads did (or the word's
//!   acquire and release do, when nobody waits).
//! - **G5** A thread in a call outside that is brief as a rule offers the GIL: it has it still, but whoever waits may take it, and must have a deadline
//!   to look whether to. The word names the thread that offers, so it takes back its own offer and no later one. Who asks for the GIL (`DROP`)
//!   looks for an offer afterwards, and who offers looks afterwards whether somebody has asked, and whether the offer is watched: one of two sees the other.
//!
//! Alone, a thread attaches and detaches by one compare-and-swap each, and no clock is read.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{Ordering::Acquire, Ordering::Relaxed, Ordering::Release, Ordering::SeqCst};
use std::time::Duration;

use super::breaker::{Breaker, DROP, QUIT, STOP};
use super::limits::{CleanUp, IDLE, Limits, Meter};
use super::stats::{Cause, Phase, ThreadTimes, Totals};
use super::sync::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Condvar, Instant, Mutex, MutexGuard};
use super::wait::{Reason, Ticket, WaitCell};
use crate::os::poll::Polled;

/// The main thread's number: it is registered first.
const MAIN: u64 = 1;
const LOCKED: u64 = 1;
const WAITERS: u64 = 2;
/// Set for good by `close`: the main thread has the GIL and keeps it.
const CLOSED: u64 = 4;
/// Set for good by `observe`: every attach and detach goes the slow way, where what the threads do is noted.
const OBSERVED: u64 = 8;
/// Who has the GIL is in a brief call outside, and whoever waits may take it (G5). Never without `LOCKED` and `WAITERS`.
const OFFERED: u64 = 16;
/// From this bit on the word holds the number of the thread that offers the GIL; zero when none does.
const OFFERER: u32 = 8;
const FLAGS: u64 = (1 << OFFERER) - 1;

/// An interpreter has no more memory than this, in bytes: a count of references has 32 bits, and 2^32 references are 32 GiB of words, some of
/// which natives hold for a moment without being charged for them.
const MOST_MEMORY: usize = 24 << 30;

/// The slice that a thread has for sure before a thread that comes back from a wait may preempt it. In nanoseconds.
const MIN_SLICE: u64 = 100_000;
/// The slice when nobody says otherwise, CPython's.
const DEFAULT_INTERVAL: u64 = 5_000_000;
/// No slice is shorter, whatever the script asks for: a switch costs about a tenth of this.
const INTERVAL_FLOOR: u64 = 100_000;

/// So long is a brief call at most, in nanoseconds: an offer that is older is taken. A hand-over, with the return from it, costs about as much.
const BRIEF: u64 = 50_000;
/// How often an offer is looked for while there are any, in nanoseconds.
const TICK: u64 = 100_000;
/// When no offer was seen for so long, nobody looks for one any more, in nanoseconds.
const QUIET: u64 = 300_000;
/// So many brief calls in turn make up for one that was not.
const BRIEF_CALLS: u32 = 4;

/// A thread as the scheduler knows it.
pub(crate) struct Thread {
    /// Its number in the interpreter; the main thread's is 1.
    pub(crate) id: u64,
    /// Where its waits for anything but the GIL happen.
    pub(crate) wait: WaitCell,
    /// Paired with the queue's lock.
    granted_or_poked: Condvar,
    granted: AtomicBool,
    is_timer: AtomicBool,
    is_urgent: AtomicBool,
    /// It has asked for the GIL and waits without a deadline; a grant to somebody else must wake it to ask again.
    has_asked: AtomicBool,
    /// It used little of its last slice, so it comes back with priority.
    earned_boost: AtomicBool,
    /// How many of its calls that were to be brief were so in turn, up to `BRIEF_CALLS`; with fewer it offers nothing.
    brief_calls: AtomicU32,
    /// What is left of its slice, when it was preempted by an urgent thread; else zero.
    slice_left: AtomicU64,
    /// The last stop that there was when it started to run: a later one ends it. `IDLE` while it runs nothing.
    pub(super) stop_number: AtomicU64,
    /// What cleaning up after a stop, given by its number, may still take: host calls inside of each other share it.
    pub(super) clean_up: Mutex<Option<(u64, CleanUp)>>,
    /// The detach that comes next is for a wait, not for going outside.
    will_block: AtomicBool,
    /// Made when something is noted.
    times: Mutex<Option<Box<ThreadTimes>>>,
    name: Mutex<Box<str>>,
}

impl Thread {
    /// Whether it is the interpreter's main thread.
    pub(crate) fn is_main(&self) -> bool {
        self.id == MAIN
    }

    /// Whether it comes back with priority the next time.
    #[cfg(test)]
    pub(crate) fn set_boost(&self, earned: bool) {
        self.earned_boost.store(earned, Relaxed);
    }

    /// The thread's calls are taken for brief from now on.
    #[cfg(all(test, feature = "model"))]
    pub(crate) fn set_brief(&self) {
        self.brief_calls.store(BRIEF_CALLS, Relaxed);
    }

    /// What scripts call it.
    pub(crate) fn name(&self) -> String {
        self.name.lock().to_string()
    }

    /// Sets what scripts call it.
    pub(crate) fn set_name(&self, name: String) {
        *self.name.lock() = name.into_boxed_str();
    }
}

/// One per OS thread in the interpreter.
#[derive(Clone)]
pub(crate) struct ThreadHandle(Arc<Thread>);

impl Deref for ThreadHandle {
    type Target = Thread;
    fn deref(&self) -> &Thread {
        &self.0
    }
}

#[derive(Default)]
struct Queue {
    urgent: VecDeque<ThreadHandle>,
    ordinary: VecDeque<ThreadHandle>,
    has_timer: bool,
    /// The holder's slice; meaningful while `start` is known.
    slice: u64,
    /// The least the holder gets before an urgent thread may preempt it.
    protected: u64,
    /// Since when ordinary threads wait while urgent ones run; zero when they do not.
    starved_since: u64,
    /// The number of the last offer that was seen, and when it was seen first.
    seen_offer: (u64, u64),
    /// No thread gets the GIL any more, but the main one.
    is_closed: bool,
    threads: Vec<ThreadHandle>,
    next_id: u64,
    hand_overs: u64,
    totals: Totals,
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.ordinary.is_empty()
    }
}

/// The word on a cache line of its own.
#[repr(align(128))]
struct GilWord {
    word: AtomicU64,
    /// How many offers there have been.
    offers: AtomicU64,
    /// A waiter looks for offers every `TICK`, or has been woken to. Set under the queue's lock.
    is_watched: AtomicBool,
    /// When the holder's slice started; zero when nobody has needed to know.
    start: AtomicU64,
}

/// What the threads of an interpreter share besides objects: the GIL, the breaker, limits.
pub(crate) struct Shared {
    pub(crate) breaker: Breaker,
    gil: GilWord,
    queue: Mutex<Queue>,
    base: Instant,
    interval: AtomicU64,
    memory_limit: AtomicUsize,
    pub(super) meter: Meter,
    /// Whether this interpreter gets the process's signals.
    handles_signals: AtomicBool,
    is_closing: AtomicBool,
}

impl Shared {
    /// A scheduler without threads.
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        let memory_limit = limits.memory.unwrap_or_else(crate::os::memory::total).min(MOST_MEMORY);
        Arc::new(Self {
            breaker: Breaker::new(),
            gil: GilWord { word: AtomicU64::new(0), offers: AtomicU64::new(0), is_watched: AtomicBool::new(false), start: AtomicU64::new(0) },
            queue: Mutex::default(),
            base: Instant::now(),
            interval: AtomicU64::new(DEFAULT_INTERVAL),
            memory_limit: AtomicUsize::new(memory_limit),
            meter: Meter::new(limits),
            handles_signals: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
        })
    }

    /// The most bytes that may be in use, what is asked for included.
    #[inline]
    pub(crate) fn memory_limit(&self) -> usize {
        self.memory_limit.load(Relaxed)
    }

    /// Sets the most bytes that may be in use, for the host's call that begins.
    pub(crate) fn set_memory_limit(&self, bytes: usize) {
        self.memory_limit.store(bytes, Relaxed);
    }

    /// A place in the scheduler for one more thread, which does not hold the GIL yet.
    pub(crate) fn register_thread(&self) -> ThreadHandle {
        let mut queue = self.queue.lock();
        queue.next_id += 1;
        let handle = ThreadHandle(Arc::new(Thread {
            id: queue.next_id,
            wait: WaitCell::default(),
            granted_or_poked: Condvar::new(),
            granted: AtomicBool::new(false),
            is_timer: AtomicBool::new(false),
            is_urgent: AtomicBool::new(false),
            has_asked: AtomicBool::new(false),
            // One that starts has used nothing yet.
            earned_boost: AtomicBool::new(true),
            brief_calls: AtomicU32::new(BRIEF_CALLS),
            slice_left: AtomicU64::new(0),
            stop_number: AtomicU64::new(IDLE),
            clean_up: Mutex::default(),
            will_block: AtomicBool::new(false),
            times: Mutex::default(),
            name: Mutex::default(),
        }));
        queue.threads.push(handle.clone());
        handle
    }

    /// As `register_thread`; `None` once the interpreter closes.
    pub(crate) fn register_unless_closing(&self) -> Option<ThreadHandle> {
        // A thread that is registered before `start_closing` is waited for; `is_closing` is set before that looks at the threads.
        let handle = self.register_thread();
        if self.is_closing() {
            self.forget_thread(&handle);
            return None;
        }
        Some(handle)
    }

    /// From now on what the threads do is noted; before any thread has attached.
    pub(crate) fn observe(&self) {
        self.gil.word.store(OBSERVED, Relaxed);
    }

    /// Whether what the threads do is noted.
    #[inline]
    pub(crate) fn is_observed(&self) -> bool {
        self.gil.word.load(Relaxed) & OBSERVED != 0
    }

    /// What the threads have done so far, as text.
    pub(crate) fn report(&self) -> String {
        let queue = self.queue.lock();
        let now = self.now();
        let living = queue.threads.iter().map(|thread| {
            let mut times = thread.times.lock();
            let times = times.get_or_insert_default();
            let phase = times.phase;
            times.change(phase, now);
            (thread.id, thread.name(), (**times).clone())
        });
        let living = living.collect();
        queue.totals.report(living)
    }

    /// The thread, which holds the GIL, is about to let it go: where the script is, when that ends its longest hold so far.
    pub(crate) fn note_place(&self, thread: &ThreadHandle, place: impl FnOnce() -> String) {
        if thread.times.lock().get_or_insert_default().is_longest(self.now()) {
            let place = place();
            thread.times.lock().get_or_insert_default().set_place(place);
        }
    }

    /// A thread has waited for a lock.
    pub(crate) fn note_contention(&self, place: String, waited: Duration) {
        let nanoseconds = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        self.queue.lock().totals.note_contention(place, nanoseconds);
    }

    /// Under the queue's lock: the thread does something else from now on.
    fn change(&self, thread: &Thread, phase: Phase, now: u64) {
        if self.is_observed() {
            thread.times.lock().get_or_insert_default().change(phase, now);
        }
    }

    /// The thread is over; it has detached.
    pub(crate) fn forget_thread(&self, thread: &ThreadHandle) {
        let mut queue = self.queue.lock();
        queue.threads.retain(|other| other.id != thread.id);
        self.settle_stop(&queue);
        if self.is_observed() {
            let times = thread.times.lock().take().unwrap_or_default();
            queue.totals.ended.push((thread.id, thread.name(), *times));
        }
    }

    /// A new stop: threads that look will find that they are older, and those that wait are woken.
    pub(super) fn raise_stop_number(&self) {
        let queue = self.queue.lock();
        self.meter.stop_number.fetch_add(1, Release);
        self.breaker.set(STOP);
        for thread in &queue.threads {
            thread.wait.wake_any(Reason::Stopped);
        }
    }

    /// Takes the breaker's bit back when no thread is left that has to stop.
    fn settle_stop(&self, queue: &Queue) {
        if self.breaker.has(STOP) && queue.threads.iter().all(|thread| !self.must_stop(thread)) {
            self.breaker.clear(STOP);
        }
    }

    /// Looks whether a stop is done with; whether no thread has to stop any more.
    pub(crate) fn stop_is_settled(&self) -> bool {
        self.settle_stop(&self.queue.lock());
        !self.breaker.has(STOP)
    }

    /// Whether no thread runs anything.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.lock().threads.iter().all(|thread| thread.stop_number.load(Relaxed) == IDLE)
    }

    /// How many threads there are.
    pub(crate) fn n_threads(&self) -> usize {
        self.queue.lock().threads.len()
    }

    /// How often the GIL went directly from one thread to another.
    #[cfg(test)]
    pub(crate) fn hand_overs(&self) -> u64 {
        self.queue.lock().hand_overs
    }

    /// Whether somebody looks for offers of the GIL.
    #[cfg(all(test, feature = "model"))]
    pub(crate) fn offers_are_watched(&self) -> bool {
        self.gil.is_watched.load(Relaxed)
    }

    /// How many brief calls kept the GIL from those who waited, by the count of offers, and how many lost it.
    #[cfg(test)]
    pub(crate) fn offers(&self) -> (u64, u64) {
        (self.gil.offers.load(Relaxed), self.queue.lock().totals.taken)
    }

    /// How many threads wait for the GIL.
    #[cfg(test)]
    pub(crate) fn n_ready(&self) -> usize {
        let queue = self.queue.lock();
        queue.urgent.len() + queue.ordinary.len()
    }

    /// The switch interval in nanoseconds, as it was set.
    pub(crate) fn switch_interval(&self) -> u64 {
        self.interval.load(Relaxed)
    }

    /// Sets the switch interval in nanoseconds.
    pub(crate) fn set_switch_interval(&self, nanoseconds: u64) {
        self.interval.store(nanoseconds, Relaxed);
    }

    /// Whether signals of the process come to this interpreter.
    pub(crate) fn handles_signals(&self) -> bool {
        self.handles_signals.load(Relaxed)
    }

    /// Signals of the process come to this interpreter from now on.
    pub(super) fn note_signals(&self) {
        self.handles_signals.store(true, Relaxed);
    }

    /// Whether [`Shared::start_closing`] was called.
    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.load(Acquire)
    }

    /// Threads other than the main one are to leave: every wait of theirs ends, and the breaker stays set.
    pub(crate) fn start_closing(&self) {
        self.is_closing.store(true, Release);
        self.breaker.set(QUIT);
        for thread in &self.queue.lock().threads {
            thread.wait.wake_any(Reason::Closed);
        }
    }

    /// Nobody but the main thread, which has it, gets the GIL from now on; a thread that asks for it sleeps for good.
    pub(crate) fn close(&self) {
        let mut queue = self.queue.lock();
        queue.is_closed = true;
        queue.urgent.clear();
        queue.ordinary.clear();
        self.gil.word.fetch_or(LOCKED | CLOSED, Relaxed);
        self.breaker.clear(DROP);
    }

    /// Ends whatever wait the main thread is in: a signal came.
    pub(crate) fn interrupt_main(&self) {
        let main = self.queue.lock().threads.iter().find(|thread| thread.id == MAIN).cloned();
        if let Some(main) = main {
            main.wait.wake_any(Reason::Interrupted);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.base.elapsed().as_nanos()).unwrap_or(u64::MAX).saturating_add(1)
    }

    fn at(&self, nanoseconds: u64) -> Instant {
        self.base + Duration::from_nanos(nanoseconds)
    }

    fn interval(&self) -> u64 {
        self.interval.load(Relaxed).max(INTERVAL_FLOOR)
    }

    /// Takes the GIL, waiting for it in the queue when somebody has it.
    #[inline]
    pub(crate) fn attach(&self, thread: &ThreadHandle) {
        if self.gil.word.compare_exchange(0, LOCKED, Acquire, Relaxed).is_ok() {
            self.gil.start.store(0, Relaxed);
            return;
        }
        self.attach_slow(thread);
    }

    /// Takes the GIL if nobody has it and nobody waits for it.
    #[inline]
    pub(crate) fn try_attach(&self) -> bool {
        let taken = self.gil.word.compare_exchange(0, LOCKED, Acquire, Relaxed).is_ok();
        if taken {
            self.gil.start.store(0, Relaxed);
        }
        taken
    }

    /// Whether nobody has the GIL, as far as one can tell without taking it.
    pub(crate) fn is_free(&self) -> bool {
        self.gil.word.load(Relaxed) == 0
    }

    #[cold]
    fn attach_slow(&self, thread: &ThreadHandle) {
        let mut queue = self.queue.lock();
        while queue.is_closed {
            if thread.id == MAIN {
                return;
            }
            thread.granted_or_poked.wait(&mut queue);
        }
        let mut word = self.gil.word.load(Relaxed);
        loop {
            if word & LOCKED == 0 {
                match self.gil.word.compare_exchange(word, word | LOCKED, Acquire, Relaxed) {
                    Ok(_) => {
                        self.gil.start.store(0, Relaxed);
                        if word & OBSERVED != 0 {
                            self.change(thread, Phase::Running, self.now());
                        }
                        return;
                    }
                    Err(now) => word = now,
                }
            } else if word & WAITERS == 0 {
                match self.gil.word.compare_exchange(word, word | WAITERS, Relaxed, Relaxed) {
                    Ok(_) => break,
                    Err(now) => word = now,
                }
            } else {
                break;
            }
        }
        if word & OBSERVED != 0 {
            self.change(thread, Phase::Ready, self.now());
        }
        let urgent = thread.earned_boost.swap(false, Relaxed);
        thread.is_urgent.store(urgent, Relaxed);
        if self.gil.start.load(Relaxed) == 0 && !urgent {
            self.gil.start.store(self.now(), Relaxed);
            queue.slice = self.interval();
            queue.protected = MIN_SLICE;
        }
        if urgent {
            queue.urgent.push_back(thread.clone());
        } else {
            queue.ordinary.push_back(thread.clone());
        }
        self.wait(queue, thread);
    }

    /// Lets the GIL go if nobody waits for it. The thread's boost is not noted: see [`Shared::attach_again`].
    #[inline]
    pub(crate) fn try_detach(&self) -> bool {
        self.gil.word.compare_exchange(LOCKED, 0, Release, Relaxed).is_ok()
    }

    /// As `attach`, of a thread that has let the GIL go by `try_detach` if `was_alone`, else by `detach`.
    pub(crate) fn attach_again(&self, thread: &ThreadHandle, was_alone: bool) {
        if was_alone {
            thread.earned_boost.store(true, Relaxed);
        }
        self.attach(thread);
    }

    /// Lets the GIL go before something that may take long.
    #[inline]
    pub(crate) fn detach(&self, thread: &ThreadHandle) {
        if self.try_detach() {
            // Nobody waited, so whatever it used hurt nobody.
            thread.earned_boost.store(true, Relaxed);
            return;
        }
        self.detach_slow(thread);
    }

    #[cold]
    fn detach_slow(&self, thread: &ThreadHandle) {
        let mut queue = self.queue.lock();
        if queue.is_closed {
            return;
        }
        let start = self.gil.start.load(Relaxed);
        let used = if start == 0 { 0 } else { self.now().saturating_sub(start) };
        thread.earned_boost.store(used < self.interval() / 2, Relaxed);
        thread.slice_left.store(0, Relaxed);
        let observed = self.gil.word.load(Relaxed) & OBSERVED;
        let will_block = thread.will_block.swap(false, Relaxed);
        if observed != 0 {
            self.change(thread, if will_block { Phase::Blocked } else { Phase::Outside }, self.now());
        }
        if queue.is_empty() {
            self.gil.word.store(observed, Release);
            return;
        }
        let heir = self.grant(&mut queue, if will_block { Cause::Blocked } else { Cause::Outside });
        drop(queue);
        if let Some(heir) = heir {
            heir.granted_or_poked.notify_one();
        }
    }

    /// Runs `call`, which goes outside and is brief as a rule, with the GIL let go if nobody waits for it, else offered: nobody takes it for as long as the call
    /// is brief, which saves two hand-overs. Where the thread's last calls took long, they are made with the GIL given away.
    #[inline]
    pub(crate) fn briefly<R>(&self, thread: &ThreadHandle, call: impl FnOnce() -> R) -> R {
        if self.try_detach() {
            let result = call();
            self.attach_again(thread, true);
            return result;
        }
        if thread.brief_calls.load(Relaxed) >= BRIEF_CALLS
            && let Some(offered) = self.offer(thread)
        {
            let result = call();
            self.take_back(thread, offered);
            return result;
        }
        self.detach(thread);
        let start = Instant::now();
        let result = call();
        let is_brief = start.elapsed() < Duration::from_nanos(BRIEF);
        let brief_calls = if is_brief { thread.brief_calls.load(Relaxed) + 1 } else { 0 };
        thread.brief_calls.store(brief_calls.min(BRIEF_CALLS), Relaxed);
        self.attach(thread);
        result
    }

    /// Offers the GIL to who waits for it: the word to be taken back. `None`: it is to be handed over, since somebody has asked for it.
    fn offer(&self, thread: &ThreadHandle) -> Option<u64> {
        let word = self.gil.word.load(Relaxed);
        if word & !OBSERVED != LOCKED | WAITERS || self.breaker.has(DROP) {
            return None;
        }
        if word & OBSERVED != 0 {
            let _queue = self.queue.lock();
            self.change(thread, Phase::Outside, self.now());
        }
        // Only who has the GIL counts.
        self.gil.offers.store(self.gil.offers.load(Relaxed).wrapping_add(1), Relaxed);
        let offered = word | OFFERED | (thread.id << OFFERER);
        // Nobody but who has the GIL changes a word with waiters.
        if self.gil.word.compare_exchange(word, offered, SeqCst, Relaxed).is_err() {
            return None;
        }
        if self.breaker.has_now(DROP) && self.gil.word.compare_exchange(offered, word, SeqCst, Relaxed).is_ok() {
            return None;
        }
        if !self.gil.is_watched.load(SeqCst) {
            self.watch_offers();
        }
        Some(offered)
    }

    /// Wakes who has a deadline already, so that it looks for offers before that.
    #[cold]
    fn watch_offers(&self) {
        let queue = self.queue.lock();
        self.gil.is_watched.store(true, SeqCst);
        let timer = queue.ordinary.iter().find(|thread| thread.is_timer.load(Relaxed));
        let woken: [Option<ThreadHandle>; 2] = [queue.urgent.front().cloned(), timer.cloned()];
        drop(queue);
        for thread in woken.into_iter().flatten() {
            thread.granted_or_poked.notify_one();
        }
    }

    /// Takes the GIL back after an offer; waits for it if it was taken.
    #[inline]
    fn take_back(&self, thread: &ThreadHandle, offered: u64) {
        if self.gil.word.compare_exchange(offered, offered & FLAGS & !OFFERED, Acquire, Relaxed).is_err() {
            self.attach(thread);
        } else if offered & OBSERVED != 0 {
            let mut queue = self.queue.lock();
            queue.totals.kept += 1;
            self.change(thread, Phase::Running, self.now());
        }
    }

    /// A waiter takes the GIL that is offered, if it is, for the head of the queue, which need not be itself.
    fn take_offer(&self, queue: &mut MutexGuard<'_, Queue>) -> bool {
        let word = self.gil.word.load(SeqCst);
        if word & OFFERED == 0 || self.gil.word.compare_exchange(word, word & FLAGS & !OFFERED, Acquire, Relaxed).is_err() {
            return false;
        }
        let start = self.gil.start.load(Relaxed);
        let used = if start == 0 { 0 } else { self.now().saturating_sub(start) };
        if let Some(offerer) = queue.threads.iter().find(|thread| thread.id == word >> OFFERER) {
            offerer.earned_boost.store(used < self.interval() / 2, Relaxed);
            offerer.brief_calls.store(0, Relaxed);
        }
        queue.totals.taken += 1;
        let heir = self.grant(queue, Cause::Outside);
        MutexGuard::unlocked(queue, || {
            if let Some(heir) = heir {
                heir.granted_or_poked.notify_one();
            }
        });
        true
    }

    /// What a waiter does while offers are watched: takes one that is no longer brief; whether it did. Without any for a while, they are watched no more.
    fn look_for_offer(&self, queue: &mut MutexGuard<'_, Queue>, now: u64) -> bool {
        let offers = self.gil.offers.load(Relaxed);
        if queue.seen_offer.0 != offers {
            queue.seen_offer = (offers, now);
            return false;
        }
        let age = now.saturating_sub(queue.seen_offer.1);
        let is_offered = self.gil.word.load(SeqCst) & OFFERED != 0;
        if is_offered {
            return age >= BRIEF && self.take_offer(queue);
        }
        if age >= QUIET {
            self.gil.is_watched.store(false, SeqCst);
            if self.gil.word.load(SeqCst) & OFFERED != 0 {
                self.gil.is_watched.store(true, SeqCst);
            }
        }
        false
    }

    /// Until when a waiter sleeps that has something to do at `deadline`: not as long while offers are watched.
    fn next_look(&self, now: u64, deadline: u64) -> Instant {
        self.at(if self.gil.is_watched.load(SeqCst) { deadline.min(now + TICK) } else { deadline })
    }

    /// Hands the GIL over if somebody waits for it, and queues up again.
    #[cold]
    pub(crate) fn yield_now(&self, thread: &ThreadHandle) {
        let mut queue = self.queue.lock();
        self.breaker.clear(DROP);
        if queue.is_empty() || queue.is_closed {
            return;
        }
        let start = self.gil.start.load(Relaxed);
        let used = if start == 0 { 0 } else { self.now().saturating_sub(start) };
        let left = queue.slice.saturating_sub(used);
        thread.is_urgent.store(false, Relaxed);
        if self.is_observed() {
            self.change(thread, Phase::Ready, self.now());
        }
        let cause = if queue.urgent.is_empty() { Cause::Slice } else { Cause::Boost };
        if !queue.urgent.is_empty() && start != 0 && left > MIN_SLICE {
            thread.slice_left.store(left, Relaxed);
            queue.ordinary.push_front(thread.clone());
        } else {
            thread.slice_left.store(0, Relaxed);
            queue.ordinary.push_back(thread.clone());
        }
        let heir = self.grant(&mut queue, cause);
        MutexGuard::unlocked(&mut queue, || {
            if let Some(heir) = heir {
                heir.granted_or_poked.notify_one();
            }
        });
        self.wait(queue, thread);
    }

    /// Hands the GIL to the head of the queue, which is not empty. The word stays locked throughout (G2). The result is to be notified once the
    /// queue's lock is free, which is what it needs first.
    #[must_use]
    fn grant(&self, queue: &mut MutexGuard<'_, Queue>, cause: Cause) -> Option<ThreadHandle> {
        let now = self.now();
        // Threads that do nothing but wake each other would keep the others out for ever.
        let is_starved = !queue.ordinary.is_empty() && queue.starved_since != 0 && now - queue.starved_since >= self.interval();
        let head = if is_starved { None } else { queue.urgent.pop_front() };
        let was_urgent = head.is_some();
        let head = head.or_else(|| queue.ordinary.pop_front())?;
        if was_urgent && !queue.ordinary.is_empty() {
            if queue.starved_since == 0 {
                queue.starved_since = now;
            }
        } else {
            queue.starved_since = 0;
        }
        head.granted.store(true, Relaxed);
        head.has_asked.store(false, Relaxed);
        if head.is_timer.swap(false, Relaxed) {
            queue.has_timer = false;
        }
        queue.hand_overs += 1;
        queue.totals.hand_overs[cause as usize] += 1;
        self.change(&head, Phase::Running, now);
        self.breaker.clear(DROP);
        self.gil.start.store(now, Relaxed);
        let left = head.slice_left.swap(0, Relaxed);
        queue.slice = if left == 0 { self.interval() } else { left };
        let was_protected = queue.protected;
        queue.protected = if is_starved { queue.slice } else { MIN_SLICE };
        if queue.is_empty() {
            self.gil.word.fetch_and(!WAITERS, Relaxed);
        } else {
            // G3: an urgent head that has asked already must ask again; without one, somebody has to take the timer's role.
            match queue.urgent.front() {
                // One that sleeps until the end of a longer protection would come too late.
                Some(urgent) if urgent.has_asked.swap(false, Relaxed) || was_protected > queue.protected => {
                    urgent.granted_or_poked.notify_one();
                }
                _ => {}
            }
            let is_voluntary = matches!(cause, Cause::Blocked | Cause::Outside);
            if is_voluntary && !queue.has_timer {
                if let Some(ordinary) = queue.ordinary.front() {
                    ordinary.granted_or_poked.notify_one();
                }
            }
        }
        Some(head)
    }

    /// Sleeps until the GIL is granted, arming deadlines meanwhile.
    fn wait(&self, mut queue: MutexGuard<'_, Queue>, thread: &ThreadHandle) {
        loop {
            if thread.granted.swap(false, Relaxed) {
                return;
            }
            if queue.is_closed {
                thread.granted_or_poked.wait(&mut queue);
                continue;
            }
            let now = self.now();
            let has_deadline = thread.is_urgent.load(Relaxed) || thread.is_timer.load(Relaxed) || !queue.has_timer;
            if has_deadline && self.gil.is_watched.load(Relaxed) && self.look_for_offer(&mut queue, now) {
                continue;
            }
            let start = self.gil.start.load(Relaxed);
            if thread.is_urgent.load(Relaxed) {
                let deadline = if start == 0 { 0 } else { start + queue.protected };
                if now >= deadline {
                    self.breaker.set(DROP);
                    if self.take_offer(&mut queue) {
                        continue;
                    }
                    thread.has_asked.store(true, Relaxed);
                    thread.granted_or_poked.wait(&mut queue);
                } else {
                    let look = self.next_look(now, deadline);
                    thread.granted_or_poked.wait_until(&mut queue, look);
                }
            } else if thread.is_timer.load(Relaxed) || !queue.has_timer {
                queue.has_timer = true;
                thread.is_timer.store(true, Relaxed);
                if start == 0 {
                    self.gil.start.store(now, Relaxed);
                    queue.slice = self.interval();
                    queue.protected = MIN_SLICE;
                }
                let mut deadline = self.gil.start.load(Relaxed) + queue.slice;
                if now >= deadline {
                    self.breaker.set(DROP);
                    if self.take_offer(&mut queue) {
                        continue;
                    }
                    deadline = now + self.interval();
                }
                let look = self.next_look(now, deadline);
                thread.granted_or_poked.wait_until(&mut queue, look);
            } else {
                thread.granted_or_poked.wait(&mut queue);
            }
        }
    }

    /// Waits, with the GIL given away, until somebody wakes this wait of the thread or its deadline passes.
    pub(crate) fn block(&self, thread: &ThreadHandle, ticket: Ticket, deadline: Option<Instant>) -> Reason {
        thread.will_block.store(true, Relaxed);
        self.detach(thread);
        let reason = thread.wait.park(ticket, deadline);
        self.attach(thread);
        reason
    }

    /// As `block`; the wait ends (as granted) also when one of the descriptors is ready.
    pub(crate) fn block_on(&self, thread: &ThreadHandle, ticket: Ticket, polled: &mut [Polled], deadline: Option<std::time::Instant>) -> Reason {
        self.detach(thread);
        let reason = thread.wait.park_on(ticket, polled, deadline);
        self.attach(thread);
        reason
    }
}
