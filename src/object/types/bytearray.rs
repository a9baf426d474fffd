//! `bytearray`: its payload, slots and the methods that `bytes` does not have.

use std::cell::Cell;
use std::rc::Rc;

use super::buffer::bytes_of;
use super::byte_queue::ByteQueue;
use super::bytes_methods::{self, byte_value, contains, data, with_shared_methods};
use super::index::{Subscript, index_value, position, subscript};
use super::scalar_iterator;
use super::str_methods::repeat_count;
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, native};
use crate::object::type_object::{BASE_TYPE, BinaryOperator, CallArgs, MATCH_SELF, Slots, Type, TypeSpec, binary, constructor};
use crate::object::types::str::Str;
use crate::object::value::{Ref, Value};
use crate::text::{Text, TextView, repr, search};
use crate::vm::{ExceptionKind, Result, Vm};

/// A bytearray.
pub(crate) struct ByteArray {
    pub(crate) data: ByteQueue,
    /// How many memoryviews see it: its length is fixed meanwhile.
    pub(crate) exports: Rc<Cell<usize>>,
}

impl ByteArray {
    pub(crate) fn new(data: Vec<u8>) -> Self {
        Self { data: data.into(), exports: Rc::default() }
    }
}

impl Payload for ByteArray {
    const LAYOUT: Layout = Layout::ByteArray;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        32 + self.data.owned_bytes()
    }
}

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "bytearray",
    doc: "bytearray(iterable_of_ints) -> bytearray\nbytearray(string, encoding[, errors]) -> bytearray\nbytearray(bytes_or_buffer) -> mutable copy of bytes_or_buffer\nbytearray(int) -> bytes array of size given by the parameter initialized with null bytes\nbytearray() -> empty bytes array\n\nA sequence of numbers from 0 to 255 that can change.",
    layout: Layout::ByteArray,
    flags: BASE_TYPE | MATCH_SELF,
    new: constructor("bytearray(*args, **kwargs)", |vm, args| {
        let class = args[0].downcast::<Type>().expect("the class");
        Ok(vm.alloc_for(class, ByteArray::new(Vec::new())).into())
    }),
    slots: Slots {
        repr: Some(show),
        str: Some(show),
        compare: Some(bytes_methods::compare),
        iter: Some(scalar_iterator::iterate),
        len: Some(|vm, this| Ok(data(vm, this).len())),
        get_item: Some(get_item),
        set_item: Some(set_item),
        contains: Some(contains),
        binary: binary(&[
            (BinaryOperator::Add, bytes_methods::concat),
            (BinaryOperator::Multiply, bytes_methods::multiply),
            (BinaryOperator::Modulo, bytes_methods::modulo),
        ]),
        in_place: binary(&[(BinaryOperator::Add, extend_in_place), (BinaryOperator::Multiply, repeat_in_place)]),
        init: Some(init),
        ..Slots::NONE
    },
    methods: with_shared_methods![
        native("append(self, item, /)", append),
        native("clear(self, /)", clear),
        native("copy(self, /)", |vm, args| {
            let copy = data(vm, &args[0]).to_vec();
            Ok(vm.new_bytearray(copy))
        }),
        native("extend(self, iterable_of_ints, /)", extend),
        native("insert(self, index, item, /)", insert),
        native("pop(self, index=-1, /)", pop),
        native("remove(self, value, /)", remove),
        native("reverse(self, /)", |vm, args| {
            this(&args[0]).get_mut(vm).data.reverse();
            Ok(Value::NONE)
        }),
        native("__buffer__(self, flags, /)", super::memoryview::buffer_method).wrapper(),
        native("__release_buffer__(self, buffer, /)", super::memoryview::release_buffer_method).wrapper(),
        native("__alloc__(self, /)", |vm, args| Ok(Value::small(this(&args[0]).get(vm).data.capacity() as i64 + 1))),
        native("__sizeof__(self, /)", |vm, args| Ok(Value::small(this(&args[0]).get(vm).data.capacity() as i64 + 56))),
        native("__reduce__(self, /)", reduce),
        native("__reduce_ex__(self, proto=0, /)", reduce),
    ],
    class_methods: &[native("fromhex(cls, string, /)", bytes_methods::fromhex)],
    static_methods: &[native("maketrans(frm, to, /)", bytes_methods::maketrans)],
    ..TypeSpec::DEFAULT
};

fn this(value: &Value) -> &Ref<ByteArray> {
    value.downcast::<ByteArray>().expect("the receiver is a bytearray")
}

/// The receiver, when its length may change.
fn resizable<'a>(vm: &mut Vm, value: &'a Value) -> Result<&'a Ref<ByteArray>> {
    let array = this(value);
    if array.get(vm).exports.get() > 0 {
        return Err(vm.raise(ExceptionKind::BufferError, "Existing exports of data: object cannot be re-sized"));
    }
    Ok(array)
}

fn show(vm: &mut Vm, value: &Value) -> Result<Value> {
    let len = data(vm, value).len();
    let shown = vm.paced(len, std::slice::from_ref(value), |vm| repr::repr_bytes(data(vm, value)))?;
    // Unlike `bytes`, a single quote is escaped within double quotes, too.
    let shown = match shown.get(1) {
        0x22 => vm.paced(len, &[], |_| search::replace(shown.view(), TextView::Ascii(b"'"), TextView::Ascii(b"\\'"), None))?,
        _ => Ok(None),
    }
    .map_err(|_| vm.memory_error())?
    .unwrap_or(shown);
    let name = vm.type_name(value);
    let parts = [Text::from(name.to_string()), Text::from("("), shown, Text::from(")")];
    let whole = Text::concat_all(parts.iter()).map_err(|_| vm.memory_error())?;
    Ok(vm.new_str(whole))
}

fn init(vm: &mut Vm, value: &Value, args: CallArgs<'_>) -> Result<()> {
    let mut given: [Option<Value>; 3] = [None, None, None];
    let positional = args.unnamed();
    if args.values.len() > 3 {
        return Err(vm.type_error(format!("bytearray() takes at most 3 arguments ({} given)", args.values.len())));
    }
    for (slot, value) in given.iter_mut().zip(positional) {
        *slot = Some(value.clone());
    }
    for (name, value) in args.named() {
        let place = match vm.text_of(name).and_then(|name| name.as_ascii()) {
            Some("source") => 0,
            Some("encoding") => 1,
            Some("errors") => 2,
            _ => {
                let name = vm.str_text(name)?;
                return Err(vm.type_error(format!("bytearray() got an unexpected keyword argument '{name}'")));
            }
        };
        if given[place].is_some() {
            let name = vm.str_text(name)?;
            return Err(vm.type_error(format!("argument for bytearray() given by name ('{name}') and position ({})", place + 1)));
        }
        given[place] = Some(value.clone());
    }
    let [source, encoding, errors] = given;
    let bytes = bytes_methods::from_arguments(vm, source.as_ref(), encoding.as_ref(), errors.as_ref(), "bytearray")?;
    edit(vm, value, |data| *data = bytes.into())?;
    Ok(())
}

fn get_item(vm: &mut Vm, value: &Value, key: &Value) -> Result<Value> {
    let at = subscript(vm, key, |vm| data(vm, value).len(), |name| format!("bytearray indices must be integers or slices, not {name}"))?;
    let bytes = data(vm, value);
    match at {
        Subscript::At(at) => match position(at, bytes.len()) {
            Some(at) => Ok(Value::small(i64::from(bytes[at]))),
            None => Err(vm.index_error("bytearray index out of range")),
        },
        Subscript::Span(span) => {
            let picked = span.positions().map(|at| bytes[at]).collect();
            Ok(vm.new_bytearray(picked))
        }
    }
}

fn set_item(vm: &mut Vm, value: &Value, key: &Value, item: Option<&Value>) -> Result<()> {
    let bytes = match item {
        Some(item) if key.holds::<crate::object::types::slice::Slice>() => Some(assigned(vm, item)?),
        Some(item) => {
            // The index is looked at first, as its errors come first.
            let index = subscript(vm, key, |vm| data(vm, value).len(), |name| format!("bytearray indices must be integers or slices, not {name}"))?;
            let Subscript::At(index) = index else { return Ok(()) };
            if position(index, data(vm, value).len()).is_none() {
                return Err(vm.index_error("bytearray index out of range"));
            }
            let byte = byte_value(vm, item, "byte must be in range(0, 256)")?;
            return match position(index, data(vm, value).len()) {
                Some(at) => {
                    this(value).get_mut(vm).data[at] = byte;
                    Ok(())
                }
                None => Err(vm.index_error("bytearray index out of range")),
            };
        }
        None => None,
    };
    let at = subscript(vm, key, |vm| data(vm, value).len(), |name| format!("bytearray indices must be integers or slices, not {name}"))?;
    let len = data(vm, value).len();
    let span = match at {
        Subscript::At(at) => match position(at, len) {
            Some(at) => {
                edit(vm, value, |data| data.remove(at))?;
                return Ok(());
            }
            None => return Err(vm.index_error("bytearray index out of range")),
        },
        Subscript::Span(span) => span,
    };
    match bytes {
        Some(bytes) if span.step == 1 => {
            vm.charge(bytes.len())?;
            let target = if bytes.len() == span.count { this(value) } else { resizable(vm, value)? };
            let start = span.first();
            let target = target.clone();
            vm.resize(&target, |target| drop(target.data.vec().splice(start..start + span.count, bytes)));
        }
        Some(bytes) if bytes.is_empty() => return delete(vm, value, span),
        Some(bytes) => {
            if bytes.len() != span.count {
                return Err(vm.value_error(format!("attempt to assign bytes of size {} to extended slice of size {}", bytes.len(), span.count)));
            }
            let target = &mut this(value).get_mut(vm).data;
            for (at, byte) in span.positions().zip(bytes) {
                target[at] = byte;
            }
        }
        None => return delete(vm, value, span),
    }
    Ok(())
}

fn delete(vm: &mut Vm, value: &Value, span: super::index::Span) -> Result<()> {
    if span.count == 0 {
        return Ok(());
    }
    let target = &mut resizable(vm, value)?.get_mut(vm).data;
    if span.step == 1 {
        target.remove_span(span.first(), span.count);
        return Ok(());
    }
    let mut gone = vec![false; target.len()];
    span.positions().for_each(|at| gone[at] = true);
    let mut gone = gone.into_iter();
    target.vec().retain(|_| !gone.next().unwrap_or(false));
    Ok(())
}

/// What may be assigned to a slice.
fn assigned(vm: &mut Vm, item: &Value) -> Result<Vec<u8>> {
    if item.holds::<Str>() || super::index::is_index(vm, item) {
        return Err(vm.type_error("can assign only bytes, buffers, or iterables of ints in range(0, 256)"));
    }
    bytes_methods::from_object(vm, item, "bytearray")
}

fn extend_in_place(vm: &mut Vm, value: &Value, other: &Value) -> Result<Value> {
    let Some(more) = bytes_of(vm, other)? else {
        let (left, right) = (vm.type_name(value), vm.type_name(other));
        return Err(vm.type_error(format!("can't concat {right} to {left}")));
    };
    vm.charge(more.len())?;
    if !more.is_empty() {
        if value.is(other) {
            // CPython holds on to the operand's bytes meanwhile, which are the target's.
            return Err(vm.raise(ExceptionKind::BufferError, "Existing exports of data: object cannot be re-sized"));
        }
        edit(vm, value, |data| data.extend_from_slice(&more))?;
    }
    Ok(value.clone())
}

fn repeat_in_place(vm: &mut Vm, value: &Value, count: &Value) -> Result<Value> {
    let Some(count) = repeat_count(vm, count)? else { return Ok(Value::NOT_IMPLEMENTED) };
    let repeated = bytes_methods::repeated(vm, value, count)?;
    edit(vm, value, |data| *data = repeated.into())?;
    Ok(value.clone())
}

/// Changes the bytes of an array that may be resized.
fn edit<R>(vm: &mut Vm, value: &Value, change: impl FnOnce(&mut ByteQueue) -> R) -> Result<R> {
    let target = resizable(vm, value)?.clone();
    Ok(vm.resize(&target, |target| change(&mut target.data)))
}

/// Charges the room that one more byte may need.
fn charge_one(vm: &mut Vm, value: &Value) -> Result<()> {
    let bytes = &this(value).get(vm).data;
    if bytes.is_full() {
        let more = bytes.len();
        vm.charge(more)?;
    }
    Ok(())
}

fn append(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let byte = byte_value(vm, &args[1], "byte must be in range(0, 256)")?;
    charge_one(vm, &args[0])?;
    edit(vm, &args[0], |data| data.push(byte))?;
    Ok(Value::NONE)
}

fn clear(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    edit(vm, &args[0], |data| *data = ByteQueue::default())?;
    Ok(Value::NONE)
}

fn extend(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let more = match bytes_of(vm, &args[1])? {
        Some(more) => more,
        None if args[1].holds::<Str>() => {
            return Err(vm.type_error("expected iterable of integers; got: 'str'"));
        }
        None => match super::index::iterable_items(vm, &args[1])? {
            Some(items) => {
                let mut bytes = Vec::with_capacity(items.len());
                for item in &items {
                    bytes.push(byte_value(vm, item, "byte must be in range(0, 256)")?);
                }
                bytes
            }
            None => {
                let name = vm.type_name(&args[1]);
                return Err(vm.type_error(format!("can't extend bytearray with {name}")));
            }
        },
    };
    vm.charge(more.len())?;
    if !more.is_empty() {
        edit(vm, &args[0], |data| data.extend_from_slice(&more))?;
    }
    Ok(Value::NONE)
}

fn insert(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let index = vm.index_i64(&args[1])?;
    let byte = byte_value(vm, &args[2], "byte must be in range(0, 256)")?;
    charge_one(vm, &args[0])?;
    edit(vm, &args[0], |data| {
        let len = data.len() as i64;
        let at = if index < 0 { (index.saturating_add(len)).max(0) } else { index.min(len) };
        data.vec().insert(at as usize, byte);
    })?;
    Ok(Value::NONE)
}

fn pop(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let index = match args.given(1) {
        Some(index) => index_value(vm, index)?,
        None => -1,
    };
    if data(vm, &args[0]).is_empty() {
        return Err(vm.index_error("pop from empty bytearray"));
    }
    match position(index, data(vm, &args[0]).len()) {
        Some(at) => {
            let byte = edit(vm, &args[0], |data| data.remove(at))?;
            Ok(Value::small(i64::from(byte)))
        }
        None => Err(vm.index_error("pop index out of range")),
    }
}

fn remove(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let byte = byte_value(vm, &args[1], "byte must be in range(0, 256)")?;
    match data(vm, &args[0]).iter().position(|&other| other == byte) {
        Some(at) => {
            edit(vm, &args[0], |data| data.remove(at))?;
            Ok(Value::NONE)
        }
        None => Err(vm.value_error("value not found in bytearray")),
    }
}

fn reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let copy = data(vm, &args[0]).to_vec();
    let copy = vm.new_bytes(copy);
    let arguments = if vm.len(&copy)? == 0 { vm.empty_tuple() } else { vm.new_tuple(vec![copy]) };
    let class = vm.type_of(&args[0]).into_value();
    let state = vm.call_method(&args[0], "__getstate__", &[])?;
    Ok(vm.new_tuple(vec![class, arguments, state]))
}
