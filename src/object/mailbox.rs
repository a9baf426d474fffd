//! Values that hosts' threads let go of without holding the GIL: they wait here until a thread that holds it takes them.
#![allow(
    unsafe_code,
    reason = "a word goes from the thread that posts it to the one that takes it, and is touched by neither before that one has attached"
)]

use parking_lot::Mutex;

use super::value::Value;
use super::word::Word;

/// A word on its way; it owns a count.
struct Mailed(Word);

// SAFETY: whoever takes it holds the GIL, and nobody looks at it before.
unsafe impl Send for Mailed {}

/// The values that wait.
#[derive(Default)]
pub(crate) struct Mailbox(Mutex<Vec<Mailed>>);

impl Mailbox {
    /// Leaves a value to be dropped; the thread need not be attached.
    pub(crate) fn post(&self, value: Value) {
        self.0.lock().push(Mailed(value.into_word()));
    }

    /// Takes what waits. Only attached, and the caller drops it attached.
    pub(crate) fn take(&self) -> Vec<Value> {
        let mailed = std::mem::take(&mut *self.0.lock());
        // SAFETY: `post` gave up the counts.
        mailed.into_iter().map(|mailed| unsafe { Value::from_owned(mailed.0) }).collect()
    }
}
