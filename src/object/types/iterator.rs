//! The iterators that built-in functions and types hand out: the payloads; the methods are in `iterator_methods`.

use crate::object::layout::{Layout, Payload};
use crate::object::value::Value;
use crate::object::word::Word;
use crate::vm::Vm;

/// `iter(sequence)` for what has only `__getitem__`.
pub(crate) fn sequence_iterator(vm: &mut Vm, sequence: Value) -> Value {
    super::iterator_methods::over_any(vm, &sequence)
}

/// `list_iterator`, `tuple_iterator`, `str_iterator`, …: counts up through anything with `__getitem__`.
pub(crate) struct SequenceIterator {
    /// `None` once it is exhausted.
    pub(crate) sequence: Option<Value>,
    /// The index of the next item.
    pub(crate) index: usize,
}

impl Payload for SequenceIterator {
    const LAYOUT: Layout = Layout::SequenceIterator;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        if let Some(sequence) = &self.sequence {
            visit(sequence.word());
        }
    }
    fn clear(&mut self) {
        self.sequence = None;
    }
}

/// `iter(callable, sentinel)`.
pub(crate) struct CallIterator {
    /// `None` once it is exhausted.
    pub(crate) callable: Option<Value>,
    pub(crate) sentinel: Value,
}

impl Payload for CallIterator {
    const LAYOUT: Layout = Layout::CallIterator;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        if let Some(callable) = &self.callable {
            visit(callable.word());
        }
        visit(self.sentinel.word());
    }
    fn clear(&mut self) {
        self.callable = None;
        self.sentinel = Value::NONE;
    }
}

/// `enumerate(iterable, start)`.
pub(crate) struct Enumerate {
    pub(crate) iterator: Value,
    /// The next number, an `int` of any size.
    pub(crate) count: Value,
    /// The pair given first: filled again whenever nobody else has it.
    pub(crate) pair: Option<Value>,
}

impl Payload for Enumerate {
    const LAYOUT: Layout = Layout::Enumerate;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.iterator.word());
        visit(self.count.word());
        if let Some(pair) = &self.pair {
            visit(pair.word());
        }
    }
    fn clear(&mut self) {
        self.pair = None;
        self.iterator = Value::NONE;
    }
}

/// `zip(*iterables, strict=…)`.
pub(crate) struct Zip {
    pub(crate) iterators: Vec<Value>,
    pub(crate) strict: bool,
    /// The tuple given first: filled again whenever nobody else has it.
    pub(crate) tuple: Option<Value>,
}

impl Payload for Zip {
    const LAYOUT: Layout = Layout::Zip;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        for iterator in &self.iterators {
            visit(iterator.word());
        }
        if let Some(tuple) = &self.tuple {
            visit(tuple.word());
        }
    }
    fn clear(&mut self) {
        self.tuple = None;
        drop(std::mem::take(&mut self.iterators));
    }
}

/// `map(function, *iterables)`.
pub(crate) struct Map {
    pub(crate) function: Value,
    pub(crate) iterators: Vec<Value>,
}

impl Payload for Map {
    const LAYOUT: Layout = Layout::Map;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.function.word());
        for iterator in &self.iterators {
            visit(iterator.word());
        }
    }
    fn clear(&mut self) {
        self.function = Value::NONE;
        drop(std::mem::take(&mut self.iterators));
    }
}

/// `filter(function, iterable)`.
pub(crate) struct Filter {
    pub(crate) function: Value,
    pub(crate) iterator: Value,
}

impl Payload for Filter {
    const LAYOUT: Layout = Layout::Filter;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.function.word());
        visit(self.iterator.word());
    }
    fn clear(&mut self) {
        self.function = Value::NONE;
        self.iterator = Value::NONE;
    }
}

/// `reversed(sequence)`; also `list_reverseiterator`.
pub(crate) struct Reversed {
    /// `None` once it is exhausted.
    pub(crate) sequence: Option<Value>,
    /// The index of the next item; negative at the end.
    pub(crate) index: i64,
}

impl Payload for Reversed {
    const LAYOUT: Layout = Layout::Reversed;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        if let Some(sequence) = &self.sequence {
            visit(sequence.word());
        }
    }
    fn clear(&mut self) {
        self.sequence = None;
    }
}
