//! `array`: arrays of numbers or characters, stored as machine values.

use std::cell::Cell;
use std::rc::Rc;

use crate::code::instruction::Comparison;
use crate::number::Int;
use crate::object::account::vec_bytes;
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, NativeModule, getter, native};
use crate::object::sequence;
use crate::object::type_object::{BASE_TYPE, BinaryOperator, CallArgs, HAS_WEAKREFS, MATCH_SEQUENCE, NO_NEW, Slots, Type, TypeSpec, binary};
use crate::object::types::buffer::{bytes_of, float_bytes, item_size, read_item};
use crate::object::types::bytearray::ByteArray;
use crate::object::types::bytes::Bytes;
use crate::object::types::exception::ExceptionKind;
use crate::object::types::generic_alias_methods::class_get_item;
use crate::object::types::iterator::SequenceIterator;
use crate::object::types::list::List;
use crate::object::types::list_methods;
use crate::object::types::slice::Slice;
use crate::object::types::str::Str;
use crate::object::value::{Ref, Value};
use crate::text::{Text, TextBuilder};
use crate::vm::{Raised, Result, Vm};

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "array",
    doc: "Sequences of numbers, or of characters, of one machine type: as lists, but a few bytes an item.\n",
    functions: &[native("_array_reconstructor(arraytype, typecode, mformat_code, items, /)", reconstruct)],
    types: &[&ARRAY],
    init: Some(|vm, module| {
        let class = vm.native_type(&ARRAY).into_value();
        vm.set_attr_str(module, "ArrayType", &class)?;
        let abc = vm.import("collections.abc")?;
        let sequences = vm.get_attr_str(&abc, "MutableSequence")?;
        vm.call_method(&sequences, "register", &[class])?;
        let codes = vm.new_str(TYPE_CODES);
        vm.set_attr_str(module, "typecodes", &codes)
    }),
};

const TYPE_CODES: &str = "bBuwhHiIlLqQfd";
const LITTLE: bool = cfg!(target_endian = "little");

/// An `array.array`.
pub(crate) struct Array {
    code: u8,
    size: usize,
    pub(crate) data: Vec<u8>,
    /// How many memoryviews see it: its length is fixed meanwhile.
    pub(crate) exports: Rc<Cell<usize>>,
}

impl Array {
    fn len(&self) -> usize {
        self.data.len() / self.size
    }
    /// The `struct` letter of an item.
    pub(crate) fn format(&self) -> u8 {
        self.code
    }
    fn item(&self, place: usize) -> Option<&[u8]> {
        self.data.get(place * self.size..(place + 1) * self.size)
    }
}

impl Payload for Array {
    const LAYOUT: Layout = Layout::Array;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        32 + vec_bytes(&self.data)
    }
}

pub(crate) static ARRAY: TypeSpec = TypeSpec {
    name: "array.array",
    doc: "array(typecode [, initializer]) -> array\n\nA sequence of items of the type that typecode names, with the items of the initializer: an iterable of\nnumbers, a text for the types of characters, or bytes.",
    layout: Layout::Array,
    flags: BASE_TYPE | HAS_WEAKREFS | MATCH_SEQUENCE,
    slots: Slots {
        new: Some(new),
        repr: Some(repr),
        compare: Some(compare),
        iter: Some(|vm, this| Ok(sequence::make(vm, &ITERATOR, SequenceIterator { sequence: Some(this.clone()), index: 0 }))),
        len: Some(|vm, this| Ok(array_of(this).get(vm).len())),
        get_item: Some(get_item),
        set_item: Some(set_item),
        contains: Some(|vm, this, value| Ok(find(vm, array_of(this), value, 0, usize::MAX)?.is_some())),
        binary: binary(&[(BinaryOperator::Add, add), (BinaryOperator::Multiply, multiply)]),
        in_place: binary(&[(BinaryOperator::Add, in_place_add), (BinaryOperator::Multiply, in_place_multiply)]),
        ..Slots::NONE
    },
    methods: &[
        native("append(self, v, /)", |vm, args| {
            push(vm, array_of(&args[0]), &args[1])?;
            Ok(Value::NONE)
        }),
        native("buffer_info(self, /)", |vm, args| {
            let array = array_of(&args[0]).get(vm);
            let (address, len) = (array.data.as_ptr() as i64, array.len() as i64);
            let address = vm.new_int(address);
            Ok(vm.new_tuple(vec![address, Value::small(len)]))
        }),
        native("byteswap(self, /)", |vm, args| {
            let array = array_of(&args[0]).get_mut(vm);
            array.data.chunks_exact_mut(array.size).for_each(<[u8]>::reverse);
            Ok(Value::NONE)
        }),
        native("clear(self, /)", |vm, args| {
            may_resize(vm, array_of(&args[0]))?;
            array_of(&args[0]).get_mut(vm).data.clear();
            Ok(Value::NONE)
        }),
        native("count(self, v, /)", |vm, args| {
            let (mut total, mut next) = (0, 0);
            while let Some(place) = find(vm, array_of(&args[0]), &args[1], next, usize::MAX)? {
                total += 1;
                next = place + 1;
            }
            Ok(Value::small(total))
        }),
        native("extend(self, bb, /)", |vm, args| {
            extend(vm, array_of(&args[0]), &args[1])?;
            Ok(Value::NONE)
        }),
        native("frombytes(self, buffer, /)", |vm, args| {
            from_bytes(vm, array_of(&args[0]), &args[1])?;
            Ok(Value::NONE)
        }),
        native("fromfile(self, f, n, /)", from_file),
        native("fromlist(self, list, /)", from_list),
        native("fromunicode(self, ustr, /)", from_unicode),
        native("index(self, v, start=0, stop=9223372036854775807, /)", |vm, args| {
            let array = array_of(&args[0]);
            let (start, stop) = list_methods::search_bounds(vm, &args, |vm| array.get(vm).len())?;
            match find(vm, array, &args[1], start, stop)? {
                Some(place) => Ok(Value::small(place as i64)),
                None => Err(vm.value_error("array.index(x): x not in array")),
            }
        }),
        native("insert(self, i, v, /)", insert),
        native("pop(self, i=-1, /)", pop),
        native("remove(self, v, /)", |vm, args| {
            let array = array_of(&args[0]);
            let Some(place) = find(vm, array, &args[1], 0, usize::MAX)? else { return Err(vm.value_error("array.remove(x): x not in array")) };
            may_resize(vm, array)?;
            let array = array.get_mut(vm);
            array.data.drain(place * array.size..(place + 1) * array.size);
            Ok(Value::NONE)
        }),
        native("reverse(self, /)", |vm, args| {
            let array = array_of(&args[0]).get_mut(vm);
            array.data.reverse();
            array.data.chunks_exact_mut(array.size).for_each(<[u8]>::reverse);
            Ok(Value::NONE)
        }),
        native("tobytes(self, /)", |vm, args| {
            let data = array_of(&args[0]).get(vm).data.clone();
            Ok(vm.new_bytes(data))
        }),
        native("tofile(self, f, /)", |vm, args| {
            let data = array_of(&args[0]).get(vm).data.clone();
            for block in data.chunks(65_536) {
                let block = vm.new_bytes(block.to_vec());
                vm.call_method(&args[1], "write", &[block])?;
            }
            Ok(Value::NONE)
        }),
        native("tolist(self, /)", |vm, args| {
            let items = values(vm, array_of(&args[0]));
            Ok(vm.new_list(items))
        }),
        native("tounicode(self, /)", |vm, args| {
            if !is_text(array_of(&args[0]).get(vm).code) {
                return Err(vm.value_error("tounicode() may only be called on unicode type arrays ('u' or 'w')"));
            }
            let text = text_of(vm, array_of(&args[0]));
            Ok(vm.new_str(text))
        }),
        native("__buffer__(self, flags, /)", crate::object::types::memoryview::buffer_method).wrapper(),
        native("__release_buffer__(self, buffer, /)", crate::object::types::memoryview::release_buffer_method).wrapper(),
        native("__copy__(self, /)", |vm, args| Ok(copy(vm, array_of(&args[0])))),
        native("__deepcopy__(self, unused, /)", |vm, args| Ok(copy(vm, array_of(&args[0])))),
        native("__reduce_ex__(self, value, /)", reduce),
        native("__sizeof__(self, /)", |vm, args| Ok(Value::small(80 + array_of(&args[0]).get(vm).data.capacity() as i64))),
    ],
    class_methods: &[native("__class_getitem__(cls, object, /)", class_get_item)],
    getset: &[
        getter("typecode", |vm, this| Ok(vm.new_char(u32::from(array_of(this).get(vm).code)))),
        getter("itemsize", |vm, this| Ok(Value::small(array_of(this).get(vm).size as i64))),
    ],
    ..TypeSpec::DEFAULT
};

static ITERATOR: TypeSpec = TypeSpec {
    name: "array.arrayiterator",
    layout: Layout::SequenceIterator,
    flags: NO_NEW,
    slots: Slots { iter: Some(sequence::iter_self), next: Some(iterator_next), ..Slots::NONE },
    methods: &[
        native("__reduce__(self, /)", |vm, args| {
            let iter = sequence::builtin_function(vm, "iter")?;
            let state = iterator_of(&args[0]).get(vm);
            let (sequence, index) = (state.sequence.clone(), state.index as i64);
            let exhausted = sequence.is_none();
            let source = match sequence {
                Some(sequence) => sequence,
                None => vm.empty_tuple(),
            };
            let arguments = vm.new_tuple(vec![source]);
            Ok(if exhausted { vm.new_tuple(vec![iter, arguments]) } else { vm.new_tuple(vec![iter, arguments, vm.new_int(index)]) })
        }),
        native("__setstate__(self, object, /)", |vm, args| {
            let index = vm.index_i64(&args[1])?.max(0) as usize;
            let end = iterator_of(&args[0]).get(vm).sequence.as_ref().map_or(0, |array| array_of(array).get(vm).len());
            iterator_of(&args[0]).get_mut(vm).index = index.min(end);
            Ok(Value::NONE)
        }),
    ],
    ..TypeSpec::DEFAULT
};

fn array_of(value: &Value) -> &Ref<Array> {
    value.downcast::<Array>().expect("the slot or method was found on an array")
}

fn iterator_of(value: &Value) -> &Ref<SequenceIterator> {
    value.downcast::<SequenceIterator>().expect("the slot or method was found on an array's iterator")
}

fn is_text(code: u8) -> bool {
    matches!(code, b'u' | b'w')
}

fn iterator_next(vm: &mut Vm, this: &Value) -> Result<Option<Value>> {
    let iterator = iterator_of(this);
    let state = iterator.get(vm);
    let index = state.index;
    let Some(array) = state.sequence.as_ref().and_then(|sequence| sequence.downcast::<Array>()) else { return Ok(None) };
    let array = array.clone();
    if index < array.get(vm).len() {
        iterator.get_mut(vm).index = index + 1;
        return Ok(Some(value_at(vm, &array, index)));
    }
    let exhausted = iterator.get_mut(vm).sequence.take();
    drop(exhausted);
    Ok(None)
}

/// The item at a place that exists.
fn value_at(vm: &Vm, array: &Ref<Array>, place: usize) -> Value {
    let payload = array.get(vm);
    let Some(bytes) = payload.item(place) else { return Value::NONE };
    if is_text(payload.code) {
        let code = read_item(vm, b'I', bytes, LITTLE).as_small().unwrap_or(0);
        return vm.new_char(code as u32);
    }
    read_item(vm, payload.code, bytes, LITTLE)
}

fn values(vm: &Vm, array: &Ref<Array>) -> Vec<Value> {
    (0..array.get(vm).len()).map(|place| value_at(vm, array, place)).collect()
}

fn text_of(vm: &Vm, array: &Ref<Array>) -> Text {
    let codes = array.get(vm).data.chunks_exact(4).map(|unit| u32::from_ne_bytes([unit[0], unit[1], unit[2], unit[3]]));
    Text::from_code_points(codes.map(|code| code.min(0x0010_ffff)))
}

/// The largest and smallest numbers of a letter, and what they are called in messages.
fn limits(code: u8) -> (i128, i128, &'static str) {
    match code {
        b'b' => (-0x80, 0x7f, "signed char"),
        b'B' => (0, 0xff, "unsigned byte integer"),
        b'h' => (-0x8000, 0x7fff, "signed short integer"),
        b'H' => (0, 0xffff, "unsigned short"),
        b'i' => (-0x8000_0000, 0x7fff_ffff, "signed integer"),
        b'I' => (0, 0xffff_ffff, "unsigned int"),
        b'l' | b'q' => (i128::from(i64::MIN), i128::from(i64::MAX), ""),
        _ => (0, i128::from(u64::MAX), ""),
    }
}

/// The bytes of a value as an item.
fn encode(vm: &mut Vm, code: u8, value: &Value) -> Result<Vec<u8>> {
    let size = item_bytes_of(code);
    match code {
        b'u' | b'w' => {
            let code = value.downcast::<Str>().map(|string| &string.get(vm).text).filter(|text| text.len() == 1).map(|text| text.get(0));
            match code {
                Some(code) => Ok(code.to_ne_bytes().to_vec()),
                None => Err(vm.type_error("array item must be unicode character")),
            }
        }
        b'f' | b'd' => {
            let number = vm.float(value)?;
            // A float that is too large for four bytes becomes infinite.
            Ok(float_bytes(number, size, LITTLE).unwrap_or_else(|| (number as f32).to_ne_bytes().to_vec()))
        }
        _ => {
            let number = vm.index(value)?;
            match in_range(code, &number) {
                Some(number) => {
                    let bytes = number.to_le_bytes();
                    let mut bytes = bytes[..size].to_vec();
                    if !LITTLE {
                        bytes.reverse();
                    }
                    Ok(bytes)
                }
                None => Err(range_error(vm, code, &number)),
            }
        }
    }
}

fn in_range(code: u8, number: &Int) -> Option<i128> {
    let (low, high, _) = limits(code);
    let number = match number.as_ref().to_i64() {
        Some(number) => i128::from(number),
        None => i128::from(number.as_ref().to_u64()?),
    };
    (low..=high).contains(&number).then_some(number)
}

fn range_error(vm: &mut Vm, code: u8, number: &Int) -> Raised {
    let negative = number.as_ref().is_negative();
    let (low, _, name) = limits(code);
    let message = match code {
        b'I' | b'L' if negative => "can't convert negative value to unsigned int".to_owned(),
        b'Q' if negative => "can't convert negative int to unsigned".to_owned(),
        b'l' => "Python int too large to convert to C long".to_owned(),
        b'L' => "Python int too large to convert to C unsigned long".to_owned(),
        b'q' | b'Q' => "int too big to convert".to_owned(),
        b'I' if number.as_ref().to_u64().is_none() => "Python int too large to convert to C unsigned long".to_owned(),
        _ if number.as_ref().to_i64().is_none() => "Python int too large to convert to C long".to_owned(),
        _ => {
            let below = number.as_ref().to_i64().is_some_and(|number| i128::from(number) < low);
            format!("{name} is {} than {}", if below { "less" } else { "greater" }, if below { "minimum" } else { "maximum" })
        }
    };
    vm.overflow_error(message)
}

fn item_bytes_of(code: u8) -> usize {
    if is_text(code) { 4 } else { item_size(code).unwrap_or(1) }
}

fn make(vm: &mut Vm, code: u8, data: Vec<u8>) -> Value {
    sequence::make(vm, &ARRAY, Array { code, size: item_bytes_of(code), data, exports: Rc::default() })
}

fn copy(vm: &mut Vm, array: &Ref<Array>) -> Value {
    let payload = array.get(vm);
    let (code, data) = (payload.code, payload.data.clone());
    make(vm, code, data)
}

/// `BufferError` while a memoryview sees the array.
fn may_resize(vm: &mut Vm, array: &Ref<Array>) -> Result<()> {
    if array.get(vm).exports.get() > 0 {
        return Err(vm.raise(ExceptionKind::BufferError, "cannot resize an array that is exporting buffers"));
    }
    Ok(())
}

fn push(vm: &mut Vm, array: &Ref<Array>, value: &Value) -> Result<()> {
    let code = array.get(vm).code;
    let bytes = encode(vm, code, value)?;
    may_resize(vm, array)?;
    let data = &array.get(vm).data;
    if data.capacity() - data.len() < bytes.len() {
        let more = data.len();
        vm.charge(more)?;
        vm.resize(array, |array| array.data.extend_from_slice(&bytes));
        return Ok(());
    }
    array.get_mut(vm).data.extend_from_slice(&bytes);
    Ok(())
}

fn new(vm: &mut Vm, class: &Ref<Type>, args: CallArgs<'_>) -> Result<Value> {
    if class.is(&vm.native_type(&ARRAY)) {
        sequence::no_names(vm, "array.array", args)?;
    }
    let given = args.unnamed();
    if given.is_empty() || given.len() > 2 {
        let (word, limit, plural) = if given.is_empty() { ("least", 1, "") } else { ("most", 2, "s") };
        return Err(vm.type_error(format!("array() takes at {word} {limit} argument{plural} ({} given)", given.len())));
    }
    let code = vm.text_of(&given[0]).filter(|text| text.len() == 1).map(|text| text.get(0));
    let Some(code) = code else {
        let name = vm.type_name(&given[0]);
        return Err(vm.type_error(format!("array() argument 1 must be a unicode character, not {name}")));
    };
    let code = u8::try_from(code).unwrap_or(0);
    let initial = given.get(1);
    if let Some(initial) = initial {
        if initial.holds::<Str>() && !is_text(code) {
            let letter = code as char;
            return Err(vm.type_error(format!("cannot use a str to initialize an array with typecode '{letter}'")));
        }
        if let Some(other) = initial.downcast::<Array>() {
            let other_code = other.get(vm).code;
            if is_text(other_code) && !is_text(code) {
                let letter = code as char;
                return Err(vm.type_error(format!("cannot use a unicode array to initialize an array with typecode '{letter}'")));
            }
        }
    }
    if !TYPE_CODES.as_bytes().contains(&code) {
        return Err(vm.value_error("bad typecode (must be b, B, u, h, H, i, I, l, L, q, Q, f or d)"));
    }
    if code == b'u' {
        vm.warn(ExceptionKind::DeprecationWarning, "The 'u' type code is deprecated and will be removed in Python 3.16")?;
    }
    let array = vm.alloc_for(class, Array { code, size: item_bytes_of(code), data: Vec::new(), exports: Rc::default() });
    if let Some(initial) = initial {
        if initial.holds::<Str>() {
            push_text(vm, &array, initial);
        } else if initial.holds::<Bytes>() || initial.holds::<ByteArray>() {
            from_bytes(vm, &array, initial)?;
        } else if let Some(other) = initial.downcast::<Array>().filter(|other| other.get(vm).code == code) {
            let data = other.get(vm).data.clone();
            vm.resize(&array, |array| array.data = data);
        } else {
            sequence::for_each(vm, initial, |vm, value| push(vm, &array, &value))?;
        }
    }
    Ok(array.into_value())
}

fn push_text(vm: &mut Vm, array: &Ref<Array>, text: &Value) {
    let codes: Vec<u32> = vm.text_of(text).map(|text| text.codes().collect()).unwrap_or_default();
    vm.resize(array, |array| array.data.extend(codes.into_iter().flat_map(u32::to_ne_bytes)));
}

fn from_bytes(vm: &mut Vm, array: &Ref<Array>, source: &Value) -> Result<()> {
    let Some(bytes) = bytes_of(vm, source)? else {
        let name = vm.type_name(source);
        return Err(vm.type_error(format!("a bytes-like object is required, not '{name}'")));
    };
    if bytes.len() % array.get(vm).size != 0 {
        return Err(vm.value_error("bytes length not a multiple of item size"));
    }
    may_resize(vm, array)?;
    vm.charge(bytes.len())?;
    vm.resize(array, |array| array.data.extend_from_slice(&bytes));
    Ok(())
}

fn from_file(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let count = vm.index_i64(&args[2])?;
    if count < 0 {
        return Err(vm.value_error("negative count"));
    }
    let size = array_of(&args[0]).get(vm).size;
    let Some(wanted) = (count as usize).checked_mul(size) else { return Err(vm.memory_error()) };
    let wanted_value = vm.new_int(wanted as i64);
    let bytes = vm.call_method(&args[1], "read", &[wanted_value])?;
    let Some(read) = bytes.downcast::<Bytes>().map(|bytes| bytes.get(vm).data.len()) else {
        return Err(vm.type_error("read() didn't return bytes"));
    };
    from_bytes(vm, array_of(&args[0]), &bytes)?;
    if read == wanted { Ok(Value::NONE) } else { Err(vm.raise(ExceptionKind::EOFError, "read() didn't return enough bytes")) }
}

fn from_list(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let Some(list) = args[1].downcast::<List>() else { return Err(vm.type_error("arg must be list")) };
    let array = array_of(&args[0]);
    let before = array.get(vm).data.len();
    let size = list.get(vm).items.len();
    for index in 0..size {
        let value = list.get(vm).items.get(index).cloned();
        let outcome = match value {
            Some(value) => push(vm, array, &value),
            None => Err(vm.runtime_error("list changed size during iteration")),
        };
        if let Err(raised) = outcome {
            array.get_mut(vm).data.truncate(before);
            return Err(raised);
        }
    }
    Ok(Value::NONE)
}

fn from_unicode(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if !args[1].holds::<Str>() {
        let name = vm.type_name(&args[1]);
        return Err(vm.type_error(format!("fromunicode() argument must be str, not {name}")));
    }
    let array = array_of(&args[0]);
    if !is_text(array.get(vm).code) {
        return Err(vm.value_error("fromunicode() may only be called on unicode type arrays ('u' or 'w')"));
    }
    may_resize(vm, array)?;
    push_text(vm, array, &args[1]);
    Ok(Value::NONE)
}

fn extend(vm: &mut Vm, array: &Ref<Array>, other: &Value) -> Result<()> {
    if let Some(source) = other.downcast::<Array>() {
        if source.get(vm).code != array.get(vm).code {
            return Err(vm.type_error("can only extend with array of same kind"));
        }
        may_resize(vm, array)?;
        let data = source.get(vm).data.clone();
        vm.charge(data.len())?;
        vm.resize(array, |array| array.data.extend_from_slice(&data));
        return Ok(());
    }
    sequence::for_each(vm, other, |vm, value| push(vm, array, &value))
}

fn find(vm: &mut Vm, array: &Ref<Array>, value: &Value, start: usize, stop: usize) -> Result<Option<usize>> {
    let mut place = start;
    while place < stop && place < array.get(vm).len() {
        let item = value_at(vm, array, place);
        if vm.equal(&item, value)? {
            return Ok(Some(place));
        }
        place += 1;
    }
    Ok(None)
}

fn repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let array = array_of(this);
    let class = vm.type_of(this);
    let name = vm.class_name(&class);
    let name = name.rsplit('.').next().unwrap_or(&name).to_owned();
    let code = array.get(vm).code as char;
    if array.get(vm).data.is_empty() {
        return Ok(vm.new_str(format!("{name}('{code}')")));
    }
    let inside = if is_text(array.get(vm).code) {
        let text = text_of(vm, array);
        vm.new_str(text)
    } else {
        let items = values(vm, array);
        vm.new_list(items)
    };
    let inside = vm.repr_text(&inside)?;
    let mut text = TextBuilder::default();
    text.push_str(&format!("{name}('{code}', "));
    text.push_text(&inside);
    text.push_str(")");
    Ok(vm.new_str(text.finish()))
}

fn compare(vm: &mut Vm, left: &Value, right: &Value, operation: Comparison) -> Result<Value> {
    let (Some(a), Some(b)) = (left.downcast::<Array>(), right.downcast::<Array>()) else { return Ok(Value::NOT_IMPLEMENTED) };
    sequence::compare(
        vm,
        operation,
        |vm| (a.get(vm).len(), b.get(vm).len()),
        |vm, index| {
            let both = index < a.get(vm).len() && index < b.get(vm).len();
            both.then(|| (value_at(vm, a, index), value_at(vm, b, index)))
        },
    )
}

fn item_place(vm: &mut Vm, array: &Ref<Array>, key: &Value, message: &str) -> Result<usize> {
    if !sequence::is_indexable(vm, key) {
        return Err(vm.type_error("array indices must be integers"));
    }
    let index = sequence::index_number(vm, key)?;
    match sequence::place(index, array.get(vm).len()) {
        Some(place) => Ok(place),
        None => Err(vm.index_error(message)),
    }
}

fn get_item(vm: &mut Vm, this: &Value, key: &Value) -> Result<Value> {
    let array = array_of(this);
    if let Some(slice) = key.downcast::<Slice>() {
        let span = sequence::span(vm, slice, |vm| array.get(vm).len())?;
        let payload = array.get(vm);
        let data = span.places().filter_map(|place| payload.item(place)).flatten().copied().collect();
        let code = payload.code;
        return Ok(make(vm, code, data));
    }
    let place = item_place(vm, array, key, "array index out of range")?;
    Ok(value_at(vm, array, place))
}

fn set_item(vm: &mut Vm, this: &Value, key: &Value, value: Option<&Value>) -> Result<()> {
    let array = array_of(this);
    if let Some(slice) = key.downcast::<Slice>() {
        return set_slice(vm, array, slice, value);
    }
    let place = item_place(vm, array, key, "array assignment index out of range")?;
    let Some(value) = value else {
        may_resize(vm, array)?;
        let array = array.get_mut(vm);
        array.data.drain(place * array.size..(place + 1) * array.size);
        return Ok(());
    };
    let code = array.get(vm).code;
    let bytes = encode(vm, code, value)?;
    let array = array.get_mut(vm);
    let size = array.size;
    if let Some(target) = array.data.get_mut(place * size..(place + 1) * size) {
        target.copy_from_slice(&bytes);
    }
    Ok(())
}

fn set_slice(vm: &mut Vm, array: &Ref<Array>, slice: &Ref<Slice>, value: Option<&Value>) -> Result<()> {
    let span = sequence::span(vm, slice, |vm| array.get(vm).len())?;
    let new = match value {
        None => Vec::new(),
        Some(value) => {
            let Some(other) = value.downcast::<Array>() else {
                let name = vm.type_name(value);
                return Err(vm.type_error(format!("can only assign array (not \"{name}\") to array slice")));
            };
            if other.get(vm).code != array.get(vm).code {
                return Err(vm.type_error("bad argument type for built-in operation"));
            }
            other.get(vm).data.clone()
        }
    };
    let size = array.get(vm).size;
    if span.step == 1 {
        if new.len() != span.count * size {
            may_resize(vm, array)?;
        }
        let start = span.start as usize;
        vm.resize(array, |array| drop(array.data.splice(start * size..(start + span.count) * size, new)));
        return Ok(());
    }
    // An empty array deletes the places, whatever the step.
    if !new.is_empty() {
        if new.len() != span.count * size {
            let (given, wanted) = (new.len() / size, span.count);
            return Err(vm.value_error(format!("attempt to assign array of size {given} to extended slice of size {wanted}")));
        }
        let data = &mut array.get_mut(vm).data;
        for (place, item) in span.places().zip(new.chunks_exact(size)) {
            data[place * size..(place + 1) * size].copy_from_slice(item);
        }
        return Ok(());
    }
    may_resize(vm, array)?;
    let gone: Vec<usize> = span.places().collect();
    let data = &mut array.get_mut(vm).data;
    let mut gone_at = vec![false; data.len() / size];
    for place in gone {
        gone_at[place] = true;
    }
    *data = data.chunks_exact(size).zip(gone_at).filter(|(_, gone)| !gone).flat_map(|(item, _)| item.iter().copied()).collect();
    Ok(())
}

fn add(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let Some(a) = left.downcast::<Array>() else { return Ok(Value::NOT_IMPLEMENTED) };
    let Some(b) = right.downcast::<Array>() else {
        if right.holds::<crate::object::instance::Instance>() {
            return Ok(Value::NOT_IMPLEMENTED);
        }
        let name = vm.type_name(right);
        return Err(vm.type_error(format!("can only append array (not \"{name}\") to array")));
    };
    if a.get(vm).code != b.get(vm).code {
        return Err(vm.type_error("bad argument type for built-in operation"));
    }
    let data = [a.get(vm).data.as_slice(), b.get(vm).data.as_slice()].concat();
    let code = a.get(vm).code;
    Ok(make(vm, code, data))
}

fn repeated(vm: &mut Vm, array: &Ref<Array>, count: usize) -> Result<Vec<u8>> {
    let Some(total) = array.get(vm).data.len().checked_mul(count).filter(|&total| isize::try_from(total).is_ok()) else {
        return Err(vm.memory_error());
    };
    vm.charge(total)?;
    Ok(array.get(vm).data.repeat(count))
}

fn multiply(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let (this, number) = if left.holds::<Array>() { (left, right) } else { (right, left) };
    let Some(count) = sequence::repetitions(vm, number)? else {
        let name = vm.type_name(number);
        return Err(vm.type_error(format!("can't multiply sequence by non-int of type '{name}'")));
    };
    let data = repeated(vm, array_of(this), count)?;
    let code = array_of(this).get(vm).code;
    Ok(make(vm, code, data))
}

fn in_place_add(vm: &mut Vm, this: &Value, other: &Value) -> Result<Value> {
    if !other.holds::<Array>() {
        let name = vm.type_name(other);
        return Err(vm.type_error(format!("can only extend array with array (not \"{name}\")")));
    }
    extend(vm, array_of(this), other)?;
    Ok(this.clone())
}

fn in_place_multiply(vm: &mut Vm, this: &Value, number: &Value) -> Result<Value> {
    let Some(count) = sequence::repetitions(vm, number)? else { return Ok(Value::NOT_IMPLEMENTED) };
    let array = array_of(this);
    let data = repeated(vm, array, count)?;
    if data.len() != array.get(vm).data.len() {
        may_resize(vm, array)?;
    }
    vm.resize(array, |array| array.data = data);
    Ok(this.clone())
}

fn insert(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let index = vm.index_i64(&args[1])?;
    let array = array_of(&args[0]);
    let code = array.get(vm).code;
    let bytes = encode(vm, code, &args[2])?;
    may_resize(vm, array)?;
    vm.resize(array, |array| {
        let len = array.len() as i64;
        let place = if index < 0 { (index + len).max(0) } else { index.min(len) } as usize * array.size;
        array.data.splice(place..place, bytes);
    });
    Ok(Value::NONE)
}

fn pop(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let index = match args.given(1) {
        Some(index) => vm.index_i64(index)?,
        None => -1,
    };
    let array = array_of(&args[0]);
    let len = array.get(vm).len();
    if len == 0 {
        return Err(vm.index_error("pop from empty array"));
    }
    let Some(place) = sequence::place(index, len) else { return Err(vm.index_error("pop index out of range")) };
    may_resize(vm, array)?;
    let value = value_at(vm, array, place);
    let array = array.get_mut(vm);
    array.data.drain(place * array.size..(place + 1) * array.size);
    Ok(value)
}

/// The number that names a machine format when arrays are pickled: size, sign and byte order.
fn machine_format(code: u8) -> i64 {
    let big = i64::from(!LITTLE);
    match (code, item_bytes_of(code)) {
        (b'b', _) => 1,
        (b'B', _) => 0,
        (b'u' | b'w', _) => 20 + big,
        (b'f', _) => 14 + big,
        (b'd', _) => 16 + big,
        (b'H', _) => 2 + big,
        (b'h', _) => 4 + big,
        (b'I' | b'L' | b'Q', 4) => 6 + big,
        (b'i' | b'l' | b'q', 4) => 8 + big,
        (b'I' | b'L' | b'Q', _) => 10 + big,
        _ => 12 + big,
    }
}

fn reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let protocol = vm.index_i64(&args[1])?;
    let array = array_of(&args[0]);
    let class = vm.type_of(&args[0]).into_value();
    let code = array.get(vm).code;
    let letter = vm.new_char(u32::from(code));
    let state = match vm.instance_dict(&args[0])? {
        Some(dict) => dict.into_value(),
        None => Value::NONE,
    };
    if protocol < 3 {
        let items = values(vm, array);
        let items = vm.new_list(items);
        let arguments = vm.new_tuple(vec![letter, items]);
        return Ok(vm.new_tuple(vec![class, arguments, state]));
    }
    let module = vm.import("array")?;
    let function = vm.get_attr_str(&module, "_array_reconstructor")?;
    let data = array.get(vm).data.clone();
    let data = vm.new_bytes(data);
    let arguments = vm.new_tuple(vec![class, letter, Value::small(machine_format(code)), data]);
    Ok(vm.new_tuple(vec![function, arguments, state]))
}

fn reconstruct(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let Some(class) = args[0].downcast::<Type>() else {
        let name = vm.type_name(&args[0]);
        return Err(vm.type_error(format!("first argument must be a type object, not {name}")));
    };
    let array_class = vm.native_type(&ARRAY);
    if !class.get(vm).is_subtype_of(&array_class) {
        let name = vm.class_name(class);
        return Err(vm.type_error(format!("{name} is not a subtype of array.array")));
    }
    let code = vm.text_of(&args[1]).filter(|text| text.len() == 1).map(|text| text.get(0));
    let Some(code) = code.and_then(|code| u8::try_from(code).ok()).filter(|code| TYPE_CODES.as_bytes().contains(code)) else {
        return Err(vm.value_error("second argument must be a valid type code"));
    };
    let format = vm.index_i64(&args[2])?;
    if !(0..=21).contains(&format) {
        return Err(vm.value_error("third argument must be a valid machine format code."));
    }
    let Some(bytes) = args[3].downcast::<Bytes>().map(|bytes| bytes.get(vm).data.to_vec()) else {
        let name = vm.type_name(&args[3]);
        return Err(vm.type_error(format!("fourth argument should be bytes, not {name}")));
    };
    // (letter, size, big-endian) by format code; text formats are 16 or 32 bits wide.
    let (letter, size) = match format {
        0 => (b'B', 1),
        1 => (b'b', 1),
        2 | 3 => (b'H', 2),
        4 | 5 => (b'h', 2),
        6 | 7 => (b'I', 4),
        8 | 9 => (b'i', 4),
        10 | 11 => (b'Q', 8),
        12 | 13 => (b'q', 8),
        14 | 15 => (b'f', 4),
        16 | 17 => (b'd', 8),
        18 | 19 => (b'u', 2),
        _ => (b'w', 4),
    };
    let little = format % 2 == if format < 2 { format % 2 } else { 0 };
    if bytes.len() % size != 0 {
        return Err(vm.value_error("bytes length not a multiple of item size"));
    }
    let array = vm.alloc_for(class, Array { code, size: item_bytes_of(code), data: Vec::new(), exports: Rc::default() });
    for item in bytes.chunks_exact(size) {
        let value = if is_text(letter) {
            let unit = read_item(vm, if size == 2 { b'H' } else { b'I' }, item, little).as_small().unwrap_or(0);
            vm.new_char(unit as u32)
        } else {
            read_item(vm, letter, item, little)
        };
        push(vm, &array, &value)?;
    }
    Ok(array.into_value())
}
