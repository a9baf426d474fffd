//! Charging memory: before it is allocated, and what happens when there is none left.
//!
//! `Vm::charge` asks whether so many bytes more may be allocated, `Vm::resize` counts what a payload gained or lost; objects are counted by the heap (see
//! `object/account.rs`). What is refused is a `MemoryError`, as any other. Small objects cannot be refused where they are made: there the account's alarm sets the
//! breaker, and the next check raises the `MemoryError`. A script that goes on allocating in spite of it gets a few more of them, and is stopped when an eighth of
//! the limit was used beyond it.

use super::vm::{Result, Vm};
use crate::gil::{MEMORY, StopReason};
use crate::object::layout::Payload;
use crate::object::types::weakref::WeakRef;
use crate::object::value::Ref;
use crate::object::weak;

/// How much memory is written in the time of an instruction.
const BYTES_PER_STEP: usize = 64;

impl Vm {
    /// Lets go of the references to thread-local objects that are no more.
    pub(crate) fn forget_dead_locals(&mut self) {
        let mut locals = std::mem::take(&mut self.locals);
        locals.retain(|(_, reference)| reference.downcast::<WeakRef>().is_some_and(|reference| weak::target(reference.get(self)).is_some()));
        self.locals = locals;
    }

    /// Charges memory about to be allocated; a `MemoryError` when it is more than there can be.
    #[inline]
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<()> {
        // Whoever allocates writes too.
        self.spend(bytes / BYTES_PER_STEP);
        self.check_room(bytes)
    }

    /// An empty vector with room for `count` items, which have been charged; `MemoryError` where the system has none.
    #[inline]
    pub(crate) fn room_for<T>(&mut self, count: usize) -> Result<Vec<T>> {
        let mut items = Vec::new();
        if items.try_reserve_exact(count).is_err() {
            return Err(self.memory_error());
        }
        Ok(items)
    }

    /// Whether so many bytes, which nobody has counted yet, have room: for buffers that grow, which ask for all of theirs again and again.
    #[inline]
    pub(crate) fn check_room(&mut self, bytes: usize) -> Result<()> {
        let limit = self.state().shared.memory_limit();
        let used = self.heap().account.used().max(0) as usize;
        if !cfg!(feature = "unmetered") && used.saturating_add(bytes) > limit {
            return self.charge_when_full(bytes);
        }
        Ok(())
    }

    /// `charge` where the account says that there is no room: it is looked at again.
    #[cold]
    #[inline(never)]
    fn charge_when_full(&mut self, bytes: usize) -> Result<()> {
        let limit = self.state().shared.memory_limit();
        if bytes <= limit {
            let heap = self.heap();
            heap.recount();
            heap.release_empty_pages();
            if (heap.account.used().max(0) as usize).saturating_add(bytes) <= limit {
                return Ok(());
            }
            // Garbage in cycles goes at the next check: here no script may run.
            self.state().shared.breaker.set(crate::gil::COLLECT);
        }
        Err(self.memory_error())
    }

    /// Appends to bytes that no object owns yet, such as those of a file being read: a `MemoryError` where there is no room. Polls.
    pub(crate) fn append(&mut self, bytes: &mut Vec<u8>, more: &[u8]) -> Result<()> {
        if bytes.capacity() - bytes.len() < more.len() {
            self.check_room(bytes.len() * 2 + more.len())?;
            if bytes.try_reserve(more.len()).is_err() {
                return Err(self.memory_error());
            }
        }
        bytes.extend_from_slice(more);
        self.poll_after(more.len() / BYTES_PER_STEP)
    }

    /// So many zero bytes; a `MemoryError` where there is no room.
    pub(crate) fn zeroed(&mut self, size: usize) -> Result<Vec<u8>> {
        self.charge(size)?;
        let mut bytes = Vec::new();
        if bytes.try_reserve_exact(size).is_err() {
            return Err(self.memory_error());
        }
        bytes.resize(size, 0);
        Ok(bytes)
    }

    /// Changes a payload that may become larger or smaller, and counts it.
    #[inline]
    pub(crate) fn resize<T: Payload, R>(&mut self, object: &Ref<T>, change: impl FnOnce(&mut T) -> R) -> R {
        let payload = object.get_mut(self);
        let before = payload.owned_bytes();
        let result = change(payload);
        let after = payload.owned_bytes();
        if after > before {
            self.heap().count_bytes(after - before);
        } else if after < before {
            self.heap().account.subtract(before - after);
        }
        result
    }

    /// The account's alarm: more is in use than the limit, or was at the last look.
    #[cold]
    pub(super) fn answer_memory_alarm(&mut self) -> Result<()> {
        let shared = self.state().shared.clone();
        shared.breaker.take(MEMORY);
        // Without a host's limit, what the process may have is one; nothing is stopped for its sake.
        let given = shared.limits().memory;
        let limit = given.unwrap_or_else(|| shared.memory_limit());
        if crate::object::cycle::collect_patiently(self, 2, true).is_none() && !self.is_stopping() {
            // The next check sees first to what came, then to this.
            shared.breaker.set(MEMORY);
            return Ok(());
        }
        if self.is_stopping() {
            return Err(self.raise_stop());
        }
        let heap = self.heap();
        heap.release_empty_pages();
        heap.recount();
        let (used, limit) = (heap.account.used(), i64::try_from(limit).unwrap_or(i64::MAX / 4));
        let allowed = i64::try_from(shared.memory_limit()).unwrap_or(i64::MAX / 4);
        let reserve = (limit / 8).max(64 * 1024);
        // So much may be allocated before the next look, which takes a walk over the heap.
        let step = (reserve / 4).max(64 * 1024);
        if used <= allowed {
            heap.account.set_alarm(allowed.max(used + step / 2));
            return Ok(());
        }
        heap.account.set_alarm(used + step);
        if given.is_some() && used > (limit + reserve).max(allowed + step) {
            return Err(self.stop_all(StopReason::Memory(limit as usize)));
        }
        Err(self.memory_error())
    }

    /// A thread that is being stopped may use a little memory beyond what there is.
    pub(super) fn leave_clean_up_some_memory(&mut self) {
        if let Some(limit) = self.state().shared.limits().memory {
            let account = &self.heap().account;
            account.set_alarm(account.used().saturating_add((limit as i64 / 16).max(64 * 1024)));
        }
    }

    /// A host's call begins. Where a script before has left the memory full, this one gets a little more, so that what is kept can be let go.
    pub(crate) fn grant_memory(&mut self) {
        let shared = self.state().shared.clone();
        let Some(limit) = shared.limits().memory else { return };
        let heap = self.heap();
        let (limit, reserve) = (i64::try_from(limit).unwrap_or(i64::MAX / 4), limit as i64 / 8);
        if heap.account.used() > limit - reserve {
            heap.recount();
        }
        let allowed = (heap.account.used() + reserve / 2).clamp(limit, limit + reserve / 2 * 3);
        heap.account.set_alarm(allowed);
        shared.set_memory_limit(allowed as usize);
    }

    /// Whether so many bytes, which nobody has counted yet, have room; for where nothing can be raised.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        cfg!(feature = "unmetered") || (self.heap().account.used().max(0) as usize).saturating_add(bytes) <= self.state().shared.memory_limit()
    }

    /// Bytes in use.
    pub(crate) fn memory_used(&self) -> usize {
        self.heap().account.used().max(0) as usize
    }
}
