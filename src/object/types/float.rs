//! `float`: the payload of floats that do not fit in a word, and of instances of subclasses; the methods are in `float_methods`.

use crate::object::layout::{Layout, Payload};

/// A float on the heap. For an exact `float` it is never one that fits in a word.
pub(crate) struct FloatPayload {
    pub(crate) value: f64,
}

impl Payload for FloatPayload {
    const LAYOUT: Layout = Layout::Float;
}
