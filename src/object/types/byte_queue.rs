//! The bytes of a bytearray: a vector whose front can be taken away without moving what follows, as a program does that parses what it received.

use std::ops::{Deref, DerefMut};

use crate::object::account::vec_bytes;

/// Bytes that begin at a place of their vector.
#[derive(Default)]
pub(crate) struct ByteQueue {
    bytes: Vec<u8>,
    /// What stands before this place is gone. Never more than half of the vector, so that moving the rest costs no more than what was taken away.
    start: usize,
}

impl From<Vec<u8>> for ByteQueue {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, start: 0 }
    }
}

impl Deref for ByteQueue {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

impl DerefMut for ByteQueue {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }
}

impl ByteQueue {
    /// How many bytes there is room for, what is gone at the front included.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// The bytes that the vector takes from the allocator.
    pub(crate) fn owned_bytes(&self) -> usize {
        vec_bytes(&self.bytes)
    }

    /// Whether one byte more needs more memory.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() == self.bytes.capacity()
    }

    /// The bytes alone in their vector, for changes in their middle.
    pub(crate) fn vec(&mut self) -> &mut Vec<u8> {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        &mut self.bytes
    }

    /// Appends one byte.
    #[inline]
    pub(crate) fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Appends bytes.
    pub(crate) fn extend_from_slice(&mut self, more: &[u8]) {
        self.bytes.extend_from_slice(more);
    }

    /// Takes the byte at `at`, which is there, out.
    pub(crate) fn remove(&mut self, at: usize) -> u8 {
        let byte = self[at];
        self.remove_span(at, 1);
        byte
    }

    /// Takes `count` bytes from `at` on out; they are there.
    pub(crate) fn remove_span(&mut self, at: usize, count: usize) {
        if at > 0 {
            let at = self.start + at;
            self.bytes.drain(at..at + count);
            return;
        }
        self.start += count;
        if self.start * 2 > self.bytes.len() {
            self.vec();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_goes_without_the_rest_being_moved_each_time() {
        let mut queue = ByteQueue::from((0..100).collect::<Vec<u8>>());
        queue.remove_span(0, 10);
        assert_eq!((queue.len(), queue[0], queue.start), (90, 10, 10));
        queue.push(7);
        queue.remove_span(89, 1);
        assert_eq!((queue.len(), queue[88], queue[89]), (90, 98, 7));
        assert_eq!(queue.remove(0), 10);
        queue.remove_span(0, 60);
        assert_eq!((queue.len(), queue[0], queue.start), (29, 71, 0));
        queue.remove_span(0, 29);
        assert!(queue.is_empty());
        queue.extend_from_slice(b"ab");
        queue.vec().insert(1, b'-');
        assert_eq!(&*queue, b"a-b");
    }
}
