//! Items, slices, membership, identity and truth.
#![allow(unsafe_code, reason = "registers are raw words of the running frame's window (F1 to F3 in frame.rs)")]

use crate::code::instruction::Word as Instruction;
use crate::object::types::TypeId;
use crate::object::types::dict::{Dict, Probe};
use crate::object::types::set::{Found, Set};
use crate::object::types::slice::Slice;
use crate::object::types::str::Str;
use crate::object::value::Value;
use crate::object::word::Word;
use crate::vm::vm::{Result, Vm};
use crate::vm::window::Window;

impl Vm {
    /// The value that a dict has for a key, both in registers, where that can be told without running a script; unowned. The first
    /// `None` leaves it to the general way, the second says that the key is not there.
    #[inline(always)]
    fn quick_dict_get(&self, dict: &Value, key: &Value) -> Option<Option<Word>> {
        let table = dict.downcast::<Dict>()?;
        if !self.is_exact(dict, TypeId::Dict) {
            return None;
        }
        let hash = self.quick_hash(key)?;
        let table = table.get(self);
        match table.find(key, hash) {
            Probe::Found(place) => Some(Some(table.entries()[place].value.word())),
            Probe::Absent => Some(None),
            Probe::Ask(_) => None,
        }
    }

    #[inline(never)]
    pub(crate) fn get_item_registers(&mut self, window: Window, i: Instruction) -> Result<()> {
        {
            // SAFETY: nothing below runs a script while these are used.
            let (object, key) = unsafe { (window.borrow(i.b()), window.borrow(i.d())) };
            let found = if let (Some(string), Some(index)) = (object.downcast::<Str>(), key.as_small()) {
                let text = &string.get(self).text;
                let length = text.len() as i64;
                let place = if index < 0 { index + length } else { index };
                if (0..length).contains(&place) && self.is_exact(object, TypeId::Str) { Some(self.new_char(text.get(place as usize))) } else { None }
            } else {
                // SAFETY: the dict owns it.
                self.quick_dict_get(object, key).flatten().map(|word| unsafe { Value::from_borrowed(word) })
            };
            if let Some(value) = found {
                window.consume(i.b());
                window.consume(i.d());
                window.set(i.a(), value);
                return Ok(());
            }
        }
        let object = window.take(self, i.b())?;
        let key = window.take(self, i.d())?;
        let value = if let (Some(dict), true) = (object.downcast::<Dict>(), self.is_exact(&object, TypeId::Dict)) {
            match self.dict_get(dict, &key) {
                Ok(Some(value)) => Ok(value),
                Ok(None) => Err(self.key_error(&key)),
                Err(raised) => Err(raised),
            }
        } else {
            self.get_item(&object, &key)
        };
        drop(object);
        drop(key);
        window.set(i.a(), value?);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn get_item_immediate(&mut self, window: Window, i: Instruction) -> Result<()> {
        let object = window.take(self, i.b())?;
        let index = i64::from(i.d() as i16);
        if let (Some(string), true) = (object.downcast::<Str>(), self.is_exact(&object, TypeId::Str)) {
            let text = &string.get(self).text;
            let length = text.len() as i64;
            let place = if index < 0 { index + length } else { index };
            if (0..length).contains(&place) {
                let character = self.new_char(text.get(place as usize));
                drop(object);
                window.set(i.a(), character);
                return Ok(());
            }
        }
        let key = Value::small(index);
        let value = self.get_item(&object, &key)?;
        drop(object);
        window.set(i.a(), value);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn get_slice(&mut self, window: Window, i: Instruction) -> Result<()> {
        let object = window.take(self, i.b())?;
        let start = window.take_temporary(i.d());
        let stop = window.take_temporary(i.d() + 1);
        let place = |bound: &Value, missing: i64| if bound.is_none() { Some(missing) } else { bound.as_small() };
        if let (Some(string), Some(start), Some(stop), true) =
            (object.downcast::<Str>(), place(&start, 0), place(&stop, i64::MAX), self.is_exact(&object, TypeId::Str))
        {
            let text = &string.get(self).text;
            let length = text.len() as i64;
            let inside = |place: i64| (if place < 0 { place.saturating_add(length) } else { place }).clamp(0, length);
            let (start, stop) = (inside(start), inside(stop));
            let value = if start >= stop {
                self.empty_str()
            } else if stop - start == length {
                object.clone()
            } else {
                self.new_str(text.slice(start as usize, stop as usize))
            };
            drop(object);
            window.set(i.a(), value);
            return Ok(());
        }
        let slice = self.new_slice(start, stop, Value::NONE);
        let value = self.get_item(&object, &slice);
        // The bounds go first.
        drop(slice);
        drop(object);
        window.set(i.a(), value?);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn set_item_registers(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.d())?;
        let object = window.take(self, i.a())?;
        let key = window.take(self, i.b())?;
        if let (Some(dict), true) = (object.downcast::<Dict>(), self.is_exact(&object, TypeId::Dict)) {
            return self.dict_set(dict, &key, value);
        }
        let done = self.set_item(&object, &key, &value);
        if key.holds::<Slice>() {
            // The bounds go first.
            drop(key);
            drop(value);
            drop(object);
        } else {
            drop(value);
            drop(object);
            drop(key);
        }
        done
    }

    #[inline(never)]
    pub(crate) fn delete_item_registers(&mut self, window: Window, i: Instruction) -> Result<()> {
        let object = window.take(self, i.a())?;
        let key = window.take(self, i.b())?;
        let done = self.del_item(&object, &key);
        drop(object);
        drop(key);
        done
    }

    /// The truth of an operand, which is consumed.
    #[inline(never)]
    pub(crate) fn truth_of(&mut self, window: Window, index: u16) -> Result<bool> {
        let value = window.take(self, index)?;
        self.is_true(&value)
    }

    /// The truth of a temporary, which stays.
    #[inline(never)]
    pub(crate) fn truth_kept(&mut self, window: Window, index: u16) -> Result<bool> {
        let value = window.keep(self, index)?;
        self.is_true(&value)
    }

    /// Whether the operands `a` and `b` are the same object; they are consumed.
    #[inline(never)]
    pub(crate) fn is_same(&mut self, window: Window, i: Instruction) -> Result<bool> {
        let left = window.take(self, i.a())?;
        let right = window.take(self, i.b())?;
        let is_same = left.is(&right);
        drop(left);
        drop(right);
        Ok(is_same)
    }

    /// Whether an item is in a `dict`, a `set`, a `frozenset` or a `str`, where that can be told without running a script.
    #[inline(always)]
    pub(crate) fn quick_contains(&self, container: &Value, item: &Value) -> Option<bool> {
        if let Some(text) = container.downcast::<Str>() {
            let item = item.downcast::<Str>()?;
            if !self.is_exact(container, TypeId::Str) {
                return None;
            }
            let (text, item) = (&text.get(self).text, &item.get(self).text);
            if text.len() > crate::text::pace::PIECE {
                return None;
            }
            return Some(match (text.as_ascii(), item.as_ascii()) {
                (Some(text), Some(item)) if item.len() == 1 => text.as_bytes().contains(&item.as_bytes()[0]),
                _ => crate::text::search::find(text.view(), item.view()).is_some(),
            });
        }
        if let Some(set) = container.downcast::<Set>() {
            if !self.is_exact(container, TypeId::Set) && !self.is_exact(container, TypeId::FrozenSet) {
                return None;
            }
            let hash = self.quick_hash(item)?;
            let set = set.get(self);
            return match set.probe(&mut Set::start(hash), item, hash, crate::object::types::dict::same) {
                Found::Same(_) => Some(true),
                Found::Free(_) => Some(false),
                Found::Candidate(_) => None,
            };
        }
        self.quick_dict_get(container, item).map(|found| found.is_some())
    }

    /// Whether operand `a` is in operand `b`; they are consumed.
    #[inline(never)]
    pub(crate) fn contains_registers(&mut self, window: Window, i: Instruction) -> Result<bool> {
        {
            // SAFETY: nothing below runs a script while these are used.
            let (item, container) = unsafe { (window.borrow(i.a()), window.borrow(i.b())) };
            if let Some(found) = self.quick_contains(container, item) {
                window.consume(i.a());
                window.consume(i.b());
                return Ok(found);
            }
        }
        let item = window.take(self, i.a())?;
        let container = window.take(self, i.b())?;
        if let (Some(dict), true) = (container.downcast::<Dict>(), self.is_exact(&container, TypeId::Dict)) {
            return Ok(self.dict_get(dict, &item)?.is_some());
        }
        let found = self.contains(&container, &item);
        drop(item);
        drop(container);
        found
    }
}
