//! `bytes`: the payload; the methods, shared with `bytearray`, are in `bytes_methods`.

use crate::object::account::block;
use crate::object::layout::{Layout, Payload};

/// A `bytes`.
pub(crate) struct Bytes {
    pub(crate) data: Box<[u8]>,
}

impl Payload for Bytes {
    const LAYOUT: Layout = Layout::Bytes;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        block(self.data.len())
    }
}
