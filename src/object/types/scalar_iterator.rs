//! Iterators over `str`, `bytes`, `bytearray` and `memoryview`: one payload, a type each.

use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, Native, native};
use crate::object::type_object::{Slots, TypeSpec};
use crate::object::types::bytearray::ByteArray;
use crate::object::types::bytes::Bytes;
use crate::object::types::str::Str;
use crate::object::value::Value;
use crate::object::word::Word;
use crate::vm::{Result, Vm};

/// An iterator; `sequence` goes when it is exhausted.
pub(crate) struct ScalarIterator {
    pub(crate) sequence: Option<Value>,
    /// The next position.
    pub(crate) index: usize,
}

impl Payload for ScalarIterator {
    const LAYOUT: Layout = Layout::ScalarIterator;
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

const METHODS: &[Native] =
    &[native("__length_hint__(self, /)", length_hint), native("__reduce__(self, /)", reduce), native("__setstate__(self, object, /)", set_state)];

const fn spec(name: &'static str) -> TypeSpec {
    TypeSpec {
        name,
        layout: Layout::ScalarIterator,
        slots: Slots { iter: Some(same), next: Some(next), ..Slots::NONE },
        methods: METHODS,
        ..TypeSpec::DEFAULT
    }
}

static STR: TypeSpec = spec("str_iterator");
static ASCII: TypeSpec = spec("str_ascii_iterator");
static BYTES: TypeSpec = spec("bytes_iterator");
static BYTEARRAY: TypeSpec = spec("bytearray_iterator");
static MEMORY: TypeSpec = spec("memory_iterator");

/// `iter(sequence)` for the four types.
pub(crate) fn iterate(vm: &mut Vm, sequence: &Value) -> Result<Value> {
    let spec = if let Some(str) = sequence.downcast::<Str>() {
        if str.get(vm).text.is_ascii() { &ASCII } else { &STR }
    } else if sequence.holds::<Bytes>() {
        &BYTES
    } else if sequence.holds::<ByteArray>() {
        &BYTEARRAY
    } else {
        &MEMORY
    };
    let class = vm.native_type(spec);
    Ok(vm.alloc_for(&class, ScalarIterator { sequence: Some(sequence.clone()), index: 0 }).into())
}

/// The next character of an iterator over a plain string, unless it is at the end.
#[inline]
pub(crate) fn quick_next(vm: &mut Vm, this: &Value) -> Option<Value> {
    let iterator = this.downcast::<ScalarIterator>()?;
    let state = iterator.get(vm);
    let text = &state.sequence.as_ref()?.downcast::<Str>()?.get(vm).text;
    let index = state.index;
    if index >= text.len() {
        return None;
    }
    let item = vm.new_char(text.get(index));
    iterator.get_mut(vm).index = index + 1;
    Some(item)
}

fn same(_: &mut Vm, this: &Value) -> Result<Value> {
    Ok(this.clone())
}

fn next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    let this = this.downcast::<ScalarIterator>().expect("the slot's own type");
    let iterator = this.get(vm);
    let index = iterator.index;
    let Some(sequence) = &iterator.sequence else { return Ok(None) };
    let item = if let Some(str) = sequence.downcast::<Str>() {
        str.get(vm).text.view().get(index).map(Item::Code)
    } else if let Some(bytes) = sequence.downcast::<Bytes>() {
        bytes.get(vm).data.get(index).map(|&byte| Item::Byte(byte))
    } else if let Some(array) = sequence.downcast::<ByteArray>() {
        array.get(vm).data.get(index).map(|&byte| Item::Byte(byte))
    } else {
        let sequence = sequence.clone();
        let length = vm.len(&sequence)?;
        if index < length { Some(Item::Of(sequence)) } else { None }
    };
    let item = match item {
        None => {
            let ended = this.get_mut(vm).sequence.take();
            drop(ended);
            return Ok(None);
        }
        Some(Item::Code(code)) => vm.new_char(code),
        Some(Item::Byte(byte)) => Value::small(i64::from(byte)),
        Some(Item::Of(sequence)) => vm.get_item(&sequence, &Value::small(index as i64))?,
    };
    this.get_mut(vm).index = index + 1;
    Ok(Some(item))
}

enum Item {
    Code(u32),
    Byte(u8),
    Of(Value),
}

fn length_hint(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let this = args[0].downcast::<ScalarIterator>().expect("the method's own type").get(vm);
    let index = this.index;
    let Some(sequence) = this.sequence.clone() else { return Ok(Value::small(0)) };
    let length = vm.len(&sequence)?;
    Ok(Value::small(length.saturating_sub(index) as i64))
}

fn reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let this = args[0].downcast::<ScalarIterator>().expect("the method's own type").get(vm);
    let (sequence, index) = (this.sequence.clone(), this.index);
    let builtins = vm.import("builtins")?;
    let iter = vm.get_attr_str(&builtins, "iter")?;
    match sequence {
        Some(sequence) => {
            let arguments = vm.new_tuple(vec![sequence]);
            Ok(vm.new_tuple(vec![iter, arguments, vm.new_int(index as i64)]))
        }
        None => {
            let empty = vm.empty_tuple();
            let arguments = vm.new_tuple(vec![empty]);
            Ok(vm.new_tuple(vec![iter, arguments]))
        }
    }
}

fn set_state(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let state = super::iterator_methods::place_of_state(vm, &args[1])?;
    let this = args[0].downcast::<ScalarIterator>().expect("the method's own type").clone();
    let Some(sequence) = this.get(vm).sequence.clone() else { return Ok(Value::NONE) };
    let length = vm.len(&sequence)?;
    this.get_mut(vm).index = (state.max(0) as usize).min(length);
    Ok(Value::NONE)
}
