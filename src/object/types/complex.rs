//! `complex`: the payload; the methods are in `complex_methods`.

use crate::object::layout::{Layout, Payload};

/// A complex number.
pub(crate) struct ComplexPayload {
    pub(crate) real: f64,
    pub(crate) imag: f64,
}

impl Payload for ComplexPayload {
    const LAYOUT: Layout = Layout::Complex;
}
