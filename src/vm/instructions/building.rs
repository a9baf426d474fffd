//! Containers and texts put together and taken apart, loops begun.
#![allow(unsafe_code, reason = "registers are raw words of the running frame's window (F1 to F3 in frame.rs)")]

use crate::code::instruction::{Conversion, Word as Instruction};
use crate::object::types::TypeId;
use crate::object::types::dict::Dict;
use crate::object::types::list::List;
use crate::object::types::set::Set;
use crate::object::types::tuple::Tuple;
use crate::object::value::Value;
use crate::object::word::Word;
use crate::text::Text;
use crate::vm::vm::{Result, Vm};
use crate::vm::window::Window;

impl Vm {
    #[inline(never)]
    pub(crate) fn get_iterator(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let iterator = self.iter(&value)?;
        drop(value);
        window.set(i.a(), iterator);
        Ok(())
    }

    /// The next item of the iterator in a register.
    #[inline(never)]
    pub(crate) fn next_word(&mut self, iterator: Word) -> Result<Option<Value>> {
        // SAFETY: a temporary of the window, which owns it and which no script can reach, so it stays while it is asked.
        let iterator = std::mem::ManuallyDrop::new(unsafe { Value::from_owned(iterator) });
        if let Some(item) = crate::object::types::scalar_iterator::quick_next(self, &iterator) {
            return Ok(Some(item));
        }
        self.next(&iterator)
    }

    #[inline(never)]
    pub(crate) fn range_start(&mut self, window: Window, i: Instruction) -> Result<()> {
        let (base, argc) = (i.a(), i.b());
        let callable = window.take_temporary(base);
        let arguments = window.take_range(base + 1, argc);
        if callable.is(self.state().builtin(TypeId::Range)) {
            let numbers: Option<Vec<i64>> = arguments.iter().map(Value::as_small).collect();
            if let Some(numbers) = numbers {
                let (start, stop, step) = match numbers.as_slice() {
                    [stop] => (0, *stop, 1),
                    [start, stop] => (*start, *stop, 1),
                    [start, stop, step] => (*start, *stop, *step),
                    _ => (0, 0, 0),
                };
                let count = range_length(start, stop, step);
                let fits = |number: i64| Word::from_small(number).is_some();
                if step != 0 && count.is_some_and(fits) && stop.checked_add(step).is_some_and(fits) {
                    window.set(base, Value::small(start));
                    window.set(base + 1, Value::small(count.unwrap_or(0)));
                    window.set(base + 2, Value::small(step));
                    return Ok(());
                }
            }
        }
        let iterable = self.call(&callable, &arguments)?;
        let iterator = self.iter(&iterable)?;
        window.set(base, iterator);
        window.set(base + 1, Value::UNBOUND);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn build_tuple(&mut self, window: Window, i: Instruction) -> Result<()> {
        let count = usize::from(i.d());
        let mut items: smallvec::SmallVec<[Value; 3]> = smallvec::SmallVec::with_capacity(count);
        // SAFETY: the window owned the temporaries, which move; there is room for them.
        unsafe {
            window.move_range(i.b(), count, items.as_mut_ptr());
            items.set_len(count);
        }
        let tuple = self.new_tuple(items);
        window.set(i.a(), tuple);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn build_list(&mut self, window: Window, i: Instruction) -> Result<()> {
        let items = window.take_range(i.b(), i.d());
        let list = self.new_list(items);
        window.set(i.a(), list);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn build_set(&mut self, window: Window, i: Instruction) -> Result<()> {
        let items = window.take_range(i.b(), i.d());
        let set = self.new_set();
        for item in &items {
            crate::object::types::set_methods::add(self, &set, item.clone())?;
        }
        drop(items);
        window.set(i.a(), set.into_value());
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn build_dict(&mut self, window: Window, i: Instruction) -> Result<()> {
        let mut items = window.take_range(i.b(), i.d() * 2).into_iter();
        let dict = self.new_dict();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            self.dict_set(&dict, &key, value)?;
        }
        window.set(i.a(), dict.into_value());
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn build_string(&mut self, window: Window, i: Instruction) -> Result<()> {
        let parts = i.b()..i.b() + i.d();
        // SAFETY: temporaries; nothing below runs a script.
        let texts = parts.clone().filter_map(|place| self.text_of(unsafe { window.borrow(place) }));
        let size = texts.clone().map(crate::text::Text::heap_size).sum::<usize>();
        if size > 4096 {
            self.charge(size)?;
        }
        // SAFETY: as above.
        let texts = parts.clone().filter_map(|place| self.text_of(unsafe { window.borrow(place) }));
        let Ok(text) = Text::concat_all(texts) else { return Err(self.memory_error()) };
        for place in parts {
            drop(window.take_temporary(place));
        }
        let value = self.new_str(text);
        window.set(i.a(), value);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn build_slice(&mut self, window: Window, i: Instruction) -> Result<()> {
        let start = window.take_temporary(i.b());
        let stop = window.take_temporary(i.b() + 1);
        let step = window.take_temporary(i.b() + 2);
        let slice = self.new_slice(start, stop, step);
        window.set(i.a(), slice);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn list_append(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let list = window.value(i.a());
        if let Some(list) = list.downcast::<List>() {
            crate::object::types::list_methods::push(self, list, value)?;
        }
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn set_add_register(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let set = window.keep(self, i.a())?;
        match set.downcast::<Set>() {
            Some(set) => crate::object::types::set_methods::add(self, set, value).map(|_| ()),
            None => Ok(()),
        }
    }

    #[inline(never)]
    pub(crate) fn dict_set_register(&mut self, window: Window, i: Instruction) -> Result<()> {
        let key = window.take(self, i.b())?;
        let value = window.take(self, i.d())?;
        let dict = window.keep(self, i.a())?;
        match dict.downcast::<Dict>() {
            Some(dict) => self.dict_set(dict, &key, value),
            None => Ok(()),
        }
    }

    #[inline(never)]
    pub(crate) fn list_extend(&mut self, window: Window, i: Instruction) -> Result<()> {
        let iterable = window.take(self, i.b())?;
        let list = window.keep(self, i.a())?;
        let items = if i.k() == 1 {
            let function = window.keep(self, i.a() - 1)?;
            self.spread_items(&function, &iterable)?
        } else {
            if self.type_payload(&iterable).slots.iter.is_none() && self.type_payload(&iterable).slots.get_item.is_none() {
                let message = format!("Value after * must be an iterable, not {}", self.type_name(&iterable));
                return Err(self.type_error(message));
            }
            self.collect(&iterable)?
        };
        if let Some(list) = list.downcast::<List>() {
            crate::object::types::list_methods::reserve(self, list, items.len())?;
            list.get_mut(self).items.extend(items);
        }
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn set_update(&mut self, window: Window, i: Instruction) -> Result<()> {
        let iterable = window.take(self, i.b())?;
        let set = window.keep(self, i.a())?;
        let Some(set) = set.downcast::<Set>() else { return Ok(()) };
        crate::object::types::set_methods::update(self, set, &iterable)
    }

    #[inline(never)]
    pub(crate) fn dict_update(&mut self, window: Window, i: Instruction) -> Result<()> {
        let mapping = window.take(self, i.b())?;
        let dict = window.keep(self, i.a())?;
        let Some(dict) = dict.downcast::<Dict>() else { return Ok(()) };
        if !self.is_kind(&mapping, TypeId::Dict) && self.find_attr_str(&mapping, "keys")?.is_none() {
            let message = format!("'{}' object is not a mapping", self.type_name(&mapping));
            return Err(self.type_error(message));
        }
        crate::object::types::dict_methods::merge(self, dict, &mapping)
    }

    #[inline(never)]
    pub(crate) fn dict_merge(&mut self, window: Window, i: Instruction) -> Result<()> {
        let mapping = window.take(self, i.b())?;
        let dict = window.keep(self, i.a())?;
        let callable = window.keep(self, i.d())?;
        let Some(dict) = dict.downcast::<Dict>() else { return Ok(()) };
        if !self.is_kind(&mapping, TypeId::Dict) && self.find_attr_str(&mapping, "keys")?.is_none() {
            let label = self.callable_label(&callable)?;
            let message = format!("{label} argument after ** must be a mapping, not {}", self.type_name(&mapping));
            return Err(self.type_error(message));
        }
        for key in self.mapping_keys(&mapping)? {
            if self.dict_get(dict, &key)?.is_some() {
                let label = self.callable_label(&callable)?;
                let name = self.str_text(&key)?;
                return Err(self.type_error(format!("{label} got multiple values for keyword argument '{name}'")));
            }
            let value = self.get_item(&mapping, &key)?;
            self.dict_set(dict, &key, value)?;
        }
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn list_to_tuple(&mut self, window: Window, i: Instruction) -> Result<()> {
        let list = window.take(self, i.b())?;
        let items = list.downcast::<List>().map(|list| std::mem::take(&mut list.get_mut(self).items)).unwrap_or_default();
        let tuple = self.new_tuple(items);
        window.set(i.a(), tuple);
        Ok(())
    }

    fn convert_for_format(&mut self, value: Value, conversion: u8) -> Result<Value> {
        match conversion {
            c if c == Conversion::Str as u8 => self.str(&value),
            c if c == Conversion::Repr as u8 => self.repr(&value),
            c if c == Conversion::Ascii as u8 => self.ascii(&value),
            _ => Ok(value),
        }
    }

    #[inline(never)]
    pub(crate) fn format_simple(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let value = self.convert_for_format(value, i.k())?;
        let result = if self.is_exact(&value, TypeId::Str) {
            value
        } else if let Some(small) = value.as_small() {
            self.small_str(small)
        } else {
            let empty = self.empty_str();
            self.format(&value, &empty)?
        };
        window.set(i.a(), result);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn format_with_spec(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.take(self, i.b())?;
        let spec = window.take(self, i.d())?;
        let value = self.convert_for_format(value, i.k())?;
        let result = self.format(&value, &spec)?;
        drop(value);
        window.set(i.a(), result);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn unpack_sequence(&mut self, window: Window, i: Instruction) -> Result<()> {
        let source = window.take(self, i.b())?;
        let count = usize::from(i.d());
        let items = self.unpack_exact(&source, count)?;
        drop(source);
        for (offset, item) in items.into_iter().enumerate() {
            window.set(i.a() + offset as u16, item);
        }
        Ok(())
    }

    fn unpack_exact(&mut self, source: &Value, count: usize) -> Result<Vec<Value>> {
        let known = if let (Some(tuple), true) = (source.downcast::<Tuple>(), self.is_exact(source, TypeId::Tuple)) {
            Some(tuple.get(self).items().to_vec())
        } else if let (Some(list), true) = (source.downcast::<List>(), self.is_exact(source, TypeId::List)) {
            Some(list.get(self).items.clone())
        } else {
            None
        };
        if let Some(items) = known {
            if items.len() > count {
                return Err(self.value_error(format!("too many values to unpack (expected {count})")));
            }
            if items.len() < count {
                return Err(self.value_error(format!("not enough values to unpack (expected {count}, got {})", items.len())));
            }
            return Ok(items);
        }
        let Some(iterator) = self.try_iter(source)? else {
            let message = format!("cannot unpack non-iterable {} object", self.type_name(source));
            return Err(self.type_error(message));
        };
        let mut items = Vec::with_capacity(count);
        while items.len() < count {
            match self.next(&iterator)? {
                Some(item) => items.push(item),
                None => {
                    let message = format!("not enough values to unpack (expected {count}, got {})", items.len());
                    return Err(self.value_error(message));
                }
            }
        }
        if self.next(&iterator)?.is_some() {
            return Err(self.value_error(format!("too many values to unpack (expected {count})")));
        }
        Ok(items)
    }

    #[inline(never)]
    pub(crate) fn unpack_starred(&mut self, window: Window, i: Instruction) -> Result<()> {
        let source = window.take(self, i.b())?;
        let (before, after) = (usize::from(i.d()), usize::from(i.k()));
        if self.try_iter(&source)?.is_none() {
            let message = format!("cannot unpack non-iterable {} object", self.type_name(&source));
            return Err(self.type_error(message));
        }
        let mut items = self.collect(&source)?;
        drop(source);
        if items.len() < before + after {
            let least = before + after;
            let message = format!("not enough values to unpack (expected at least {least}, got {})", items.len());
            return Err(self.value_error(message));
        }
        let tail = items.split_off(items.len() - after);
        let middle = items.split_off(before);
        let mut place = i.a();
        for item in items {
            window.set(place, item);
            place += 1;
        }
        let middle = self.new_list(middle);
        window.set(place, middle);
        place += 1;
        for item in tail {
            window.set(place, item);
            place += 1;
        }
        Ok(())
    }
}

/// How many numbers `range(start, stop, step)` has.
fn range_length(start: i64, stop: i64, step: i64) -> Option<i64> {
    match step.signum() {
        1 if start >= stop => Some(0),
        1 => Some((stop - start - 1) / step + 1),
        -1 if start <= stop => Some(0),
        -1 => Some((start - stop - 1) / step.checked_neg()? + 1),
        _ => None,
    }
}
