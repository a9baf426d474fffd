//! `range` and its iterators: the payloads; the methods are in `range_methods`.

use crate::number::Int;
use crate::object::layout::{Layout, Payload};
use crate::object::value::Value;
use crate::object::word::Word;

/// A range; its three numbers are `int`s of any size.
pub(crate) struct Range {
    pub(crate) start: Value,
    pub(crate) stop: Value,
    pub(crate) step: Value,
    /// How many numbers it has.
    pub(crate) length: Value,
}

impl Payload for Range {
    const LAYOUT: Layout = Layout::Range;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.start.word());
    }
}

/// An iterator over a range of small numbers.
pub(crate) struct RangeIterator {
    /// The next number.
    pub(crate) next: i64,
    pub(crate) step: i64,
    /// How many are left.
    pub(crate) left: i64,
}

impl Payload for RangeIterator {
    const LAYOUT: Layout = Layout::RangeIterator;
}

/// An iterator over a range of any size.
pub(crate) struct LongRangeIterator {
    pub(crate) next: Int,
    pub(crate) step: Int,
    pub(crate) left: Int,
}

impl Payload for LongRangeIterator {
    const LAYOUT: Layout = Layout::LongRangeIterator;
}
