//! `bytes`, and what `bytearray` shares with it: slots, methods, and making bytes of anything.

use super::TypeId;
use super::buffer::{buffer, bytes_of, plain_bytes};
use super::codec;
use super::index::{Subscript, bounds, is_index, position, subscript};
use super::percent;
use super::scalar_iterator;
use super::str_methods::{max_argument, repeat_count, string_argument, text};
use crate::code::instruction::Comparison;
use crate::object::layout::Layout;
use crate::object::native::{Args, native};
use crate::object::type_object::{BASE_TYPE, BinaryOperator, MATCH_SELF, Slots, Type, TypeSpec, binary, constructor};
use crate::object::types::bytearray::ByteArray;
use crate::object::types::bytes::Bytes;
use crate::object::types::memoryview::Export;
use crate::object::types::str::Str;
use crate::object::types::tuple::Tuple;
use crate::object::value::Value;
use crate::text::pad::{self, Justify};
use crate::text::split::{self, Ends};
use crate::text::{TextTooLarge, bytes as ascii, hash_bytes, repr, search};
use crate::vm::{ExceptionKind, Result, Vm};

/// The rows that both types have, followed by those given.
macro_rules! with_shared_methods {
    ($($more:expr),* $(,)?) => {{
        use $crate::object::types::bytes_methods as shared;
        &[
            native("capitalize(self, /)", |vm, args| shared::mapped(vm, args, $crate::text::bytes::capitalize)),
            native("center(self, width, fillchar=b' ', /)", |vm, args| shared::justified(vm, args, $crate::text::pad::Justify::Center)),
            native("count(self, sub, start=None, end=None, /)", shared::count),
            native("decode(self, /, encoding='utf-8', errors='strict')", shared::decode),
            native("endswith(self, suffix, start=None, end=None, /)", |vm, args| shared::affix(vm, args, "endswith", <[u8]>::ends_with)),
            native("expandtabs(self, /, tabsize=8)", shared::expandtabs),
            native("find(self, sub, start=None, end=None, /)", |vm, args| shared::find(vm, args, false)),
            native("hex(self, sep=None, bytes_per_sep: index=1)", shared::hex),
            native("index(self, sub, start=None, end=None, /)", |vm, args| shared::index(vm, args, false)),
            native("isalnum(self, /)", |vm, args| shared::tested(vm, args, $crate::text::bytes::is_alnum)),
            native("isalpha(self, /)", |vm, args| shared::tested(vm, args, $crate::text::bytes::is_alpha)),
            native("isascii(self, /)", |vm, args| shared::tested(vm, args, $crate::text::bytes::is_ascii)),
            native("isdigit(self, /)", |vm, args| shared::tested(vm, args, $crate::text::bytes::is_digit)),
            native("islower(self, /)", |vm, args| shared::tested(vm, args, $crate::text::bytes::is_lower)),
            native("isspace(self, /)", |vm, args| shared::tested(vm, args, $crate::text::bytes::is_space)),
            native("istitle(self, /)", |vm, args| shared::tested(vm, args, $crate::text::bytes::is_title)),
            native("isupper(self, /)", |vm, args| shared::tested(vm, args, $crate::text::bytes::is_upper)),
            native("join(self, iterable_of_bytes, /)", shared::join),
            native("ljust(self, width, fillchar=b' ', /)", |vm, args| shared::justified(vm, args, $crate::text::pad::Justify::Left)),
            native("lower(self, /)", |vm, args| shared::mapped(vm, args, $crate::text::bytes::lower)),
            native("lstrip(self, bytes=None, /)", |vm, args| shared::stripped(vm, args, $crate::text::split::Ends::Left)),
            native("partition(self, sep, /)", |vm, args| shared::partitioned(vm, args, false)),
            native("removeprefix(self, prefix, /)", shared::removeprefix),
            native("removesuffix(self, suffix, /)", shared::removesuffix),
            native("replace(self, old, new, count=-1, /)", shared::replace),
            native("rfind(self, sub, start=None, end=None, /)", |vm, args| shared::find(vm, args, true)),
            native("rindex(self, sub, start=None, end=None, /)", |vm, args| shared::index(vm, args, true)),
            native("rjust(self, width, fillchar=b' ', /)", |vm, args| shared::justified(vm, args, $crate::text::pad::Justify::Right)),
            native("rpartition(self, sep, /)", |vm, args| shared::partitioned(vm, args, true)),
            native("rsplit(self, /, sep=None, maxsplit=-1)", |vm, args| shared::split_at(vm, args, true)),
            native("rstrip(self, bytes=None, /)", |vm, args| shared::stripped(vm, args, $crate::text::split::Ends::Right)),
            native("split(self, /, sep=None, maxsplit=-1)", |vm, args| shared::split_at(vm, args, false)),
            native("splitlines(self, /, keepends=False)", shared::splitlines),
            native("startswith(self, prefix, start=None, end=None, /)", |vm, args| shared::affix(vm, args, "startswith", <[u8]>::starts_with)),
            native("strip(self, bytes=None, /)", |vm, args| shared::stripped(vm, args, $crate::text::split::Ends::Both)),
            native("swapcase(self, /)", |vm, args| shared::mapped(vm, args, $crate::text::bytes::swapcase)),
            native("title(self, /)", |vm, args| shared::mapped(vm, args, $crate::text::bytes::title)),
            native("translate(self, table, /, delete=b'')", shared::translate),
            native("upper(self, /)", |vm, args| shared::mapped(vm, args, $crate::text::bytes::upper)),
            native("zfill(self, width, /)", shared::zfill),
            $($more),*
        ]
    }};
}
pub(crate) use with_shared_methods;

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "bytes",
    doc: "bytes(iterable_of_ints) -> bytes\nbytes(string, encoding[, errors]) -> bytes\nbytes(bytes_or_buffer) -> immutable copy of bytes_or_buffer\nbytes(int) -> bytes object of size given by the parameter initialized with null bytes\nbytes() -> empty bytes object\n\nA sequence of numbers from 0 to 255 that never changes.",
    layout: Layout::Bytes,
    flags: BASE_TYPE | MATCH_SELF,
    new: constructor("bytes(source=b'', encoding='utf-8', errors='strict')", new),
    slots: Slots {
        repr: Some(shown),
        str: Some(shown),
        hash: Some(|vm, this| {
            let seed = vm.state().hash_seed;
            vm.paced(data(vm, this).len(), std::slice::from_ref(this), |vm| hash_bytes(data(vm, this), seed))
        }),
        compare: Some(compare),
        iter: Some(scalar_iterator::iterate),
        len: Some(|vm, this| Ok(data(vm, this).len())),
        get_item: Some(get_item),
        contains: Some(contains),
        binary: binary(&[(BinaryOperator::Add, concat), (BinaryOperator::Multiply, multiply), (BinaryOperator::Modulo, modulo)]),
        ..Slots::NONE
    },
    methods: with_shared_methods![
        native("__buffer__(self, flags, /)", super::memoryview::buffer_method).wrapper(),
        native("__getnewargs__(self, /)", |vm, args| {
            let copy = data(vm, &args[0]).to_vec();
            let copy = vm.new_bytes(copy);
            Ok(vm.new_tuple(vec![copy]))
        }),
        native("__bytes__(self, /)", |vm, args| Ok(whole(vm, &args[0]))),
        native("__sizeof__(self, /)", |vm, args| Ok(Value::small(data(vm, &args[0]).len() as i64 + 33))),
    ],
    class_methods: &[native("fromhex(cls, string, /)", fromhex)],
    static_methods: &[native("maketrans(frm, to, /)", maketrans)],
    ..TypeSpec::DEFAULT
};

/// The bytes of a receiver.
pub(crate) fn data<'a>(vm: &'a Vm, value: &'a Value) -> &'a [u8] {
    plain_bytes(vm, value).expect("the receiver is a bytes or a bytearray")
}

fn shown(vm: &mut Vm, this: &Value) -> Result<Value> {
    let shown = vm.paced(data(vm, this).len(), std::slice::from_ref(this), |vm| repr::repr_bytes(data(vm, this)))?;
    Ok(vm.new_str(shown))
}

/// Bytes of the receiver's own kind.
pub(crate) fn like(vm: &mut Vm, this: &Value, bytes: Vec<u8>) -> Value {
    if this.holds::<ByteArray>() { vm.new_bytearray(bytes) } else { vm.new_bytes(bytes) }
}

/// The receiver itself, when it is an exact `bytes`; otherwise a copy.
fn whole(vm: &mut Vm, this: &Value) -> Value {
    if vm.is_exact(this, TypeId::Bytes) {
        return this.clone();
    }
    let copy = data(vm, this).to_vec();
    like(vm, this, copy)
}

fn part(vm: &mut Vm, this: &Value, range: std::ops::Range<usize>) -> Value {
    if range == (0..data(vm, this).len()) {
        return whole(vm, this);
    }
    let copy = data(vm, this)[range].to_vec();
    like(vm, this, copy)
}

fn new(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("the class");
    let exact = class.is(vm.state().builtin(TypeId::Bytes));
    if let (Some(source), None, None) = (args.given(1), args.given(2), args.given(3))
        && !vm.is_exact(source, TypeId::Str)
    {
        if exact && vm.is_exact(source, TypeId::Bytes) {
            return Ok(source.clone());
        }
        if let Some(hook) = vm.find_special(source, "__bytes__")? {
            let made = vm.call(&hook, &[])?;
            let Some(bytes) = made.downcast::<Bytes>() else {
                let name = vm.type_name(&made);
                return Err(vm.type_error(format!("__bytes__ returned non-bytes (type {name})")));
            };
            if exact {
                return Ok(made);
            }
            let data = bytes.get(vm).data.clone();
            return Ok(vm.alloc_for(class, Bytes { data }).into());
        }
    }
    let bytes = from_arguments(vm, args.given(1), args.given(2), args.given(3), "bytes")?;
    if exact {
        return Ok(vm.new_bytes(bytes));
    }
    Ok(vm.alloc_for(class, Bytes { data: bytes.into() }).into())
}

/// What the constructors of `bytes` and `bytearray` make of their arguments.
pub(crate) fn from_arguments(
    vm: &mut Vm,
    source: Option<&Value>,
    encoding: Option<&Value>,
    errors: Option<&Value>,
    type_name: &str,
) -> Result<Vec<u8>> {
    if encoding.is_some() || errors.is_some() {
        string_argument(vm, encoding, &format!("{type_name}() argument 'encoding'"))?;
        string_argument(vm, errors, &format!("{type_name}() argument 'errors'"))?;
        let Some(source) = source.filter(|source| source.holds::<Str>()) else {
            return Err(vm.type_error(match encoding {
                Some(_) => "encoding without a string argument",
                None => "errors without a string argument",
            }));
        };
        if encoding.is_none() {
            return Err(vm.type_error("string argument without an encoding"));
        }
        let encoding = string_argument(vm, encoding, &format!("{type_name}() argument 'encoding'"))?;
        let errors = string_argument(vm, errors, &format!("{type_name}() argument 'errors'"))?;
        let made = codec::encode(vm, source, encoding.as_deref().unwrap_or("utf-8"), errors.as_deref().unwrap_or("strict"))?;
        return buffer(vm, &made);
    }
    let Some(source) = source else { return Ok(Vec::new()) };
    if source.holds::<Str>() {
        return Err(vm.type_error("string argument without an encoding"));
    }
    let count = if is_index(vm, source) {
        match vm.index(source) {
            Ok(count) => Some(count),
            // What has an `__index__` that refuses may still be bytes.
            Err(_) if vm.clear_if(ExceptionKind::TypeError) => None,
            Err(raised) => return Err(raised),
        }
    } else {
        None
    };
    if let Some(count) = count {
        let Some(count) = count.as_ref().to_i64() else {
            let name = vm.type_name(source);
            return Err(vm.overflow_error(format!("cannot fit '{name}' into an index-sized integer")));
        };
        let Ok(count) = usize::try_from(count) else { return Err(vm.value_error("negative count")) };
        vm.charge(count)?;
        return Ok(vec![0; count]);
    }
    from_object(vm, source, type_name)
}

/// The bytes of a bytes-like object, or of an iterable of numbers.
pub(crate) fn from_object(vm: &mut Vm, source: &Value, type_name: &str) -> Result<Vec<u8>> {
    if let Some(bytes) = bytes_of(vm, source)? {
        vm.charge(bytes.len())?;
        return Ok(bytes);
    }
    if vm.is_exact(source, TypeId::List)
        && let Some(list) = source.downcast::<crate::object::types::list::List>()
    {
        // An item's `__index__` may change the list.
        let mut bytes = Vec::new();
        while let Some(item) = list.get(vm).items.get(bytes.len()).cloned() {
            if bytes.len() == bytes.capacity() {
                vm.charge(bytes.len())?;
            }
            bytes.push(byte_value(vm, &item, "bytes must be in range(0, 256)")?);
        }
        return Ok(bytes);
    }
    let items = if source.holds::<Str>() { None } else { super::index::iterable_items(vm, source)? };
    let Some(items) = items else {
        let name = vm.type_name(source);
        return Err(vm.type_error(format!("cannot convert '{name}' object to {type_name}")));
    };
    vm.charge(items.len())?;
    let mut bytes = Vec::with_capacity(items.len());
    for item in &items {
        bytes.push(byte_value(vm, item, "bytes must be in range(0, 256)")?);
    }
    Ok(bytes)
}

/// The bytes that `int.from_bytes` takes.
pub(crate) fn from_iterable(vm: &mut Vm, source: &Value) -> Result<Vec<u8>> {
    if !source.holds::<Bytes>()
        && let Some(hook) = vm.find_special(source, "__bytes__")?
    {
        let made = vm.call(&hook, &[])?;
        return buffer(vm, &made);
    }
    from_object(vm, source, "bytes")
}

/// A number from 0 to 255.
pub(crate) fn byte_value(vm: &mut Vm, value: &Value, message: &str) -> Result<u8> {
    if let Some(number) = value.as_small() {
        return u8::try_from(number).map_err(|_| vm.value_error(message));
    }
    let number = vm.index(value)?;
    match number.as_ref().to_i64().map(u8::try_from) {
        Some(Ok(byte)) => Ok(byte),
        _ => Err(vm.value_error(message)),
    }
}

/// Comparison of `bytes` with `bytes` and `bytearray`, and of `bytearray` with anything bytes-like.
pub(crate) fn compare(vm: &mut Vm, left: &Value, right: &Value, how: Comparison) -> Result<Value> {
    if !(left.holds::<Bytes>() && right.holds::<Bytes>() || left.holds::<ByteArray>() || right.holds::<ByteArray>()) {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    let (Some(first), Some(second)) = (plain_bytes(vm, left), plain_bytes(vm, right)) else {
        if how == Comparison::Equal || how == Comparison::NotEqual {
            // A memoryview compares by its own rules, which know formats.
            return Ok(Value::NOT_IMPLEMENTED);
        }
        let (Some(first), Some(second)) = (bytes_of(vm, left)?, bytes_of(vm, right)?) else {
            return Ok(Value::NOT_IMPLEMENTED);
        };
        return Ok(ordered(&first, &second, how));
    };
    Ok(ordered(first, second, how))
}

fn ordered(left: &[u8], right: &[u8], how: Comparison) -> Value {
    Value::from_bool(match how {
        Comparison::Equal => left == right,
        Comparison::NotEqual => left != right,
        Comparison::Less => left < right,
        Comparison::LessEqual => left <= right,
        Comparison::Greater => left > right,
        Comparison::GreaterEqual => left >= right,
        Comparison::Is | Comparison::IsNot | Comparison::In | Comparison::NotIn => return Value::NOT_IMPLEMENTED,
    })
}

fn get_item(vm: &mut Vm, this: &Value, key: &Value) -> Result<Value> {
    let at = subscript(vm, key, |vm| data(vm, this).len(), |name| format!("byte indices must be integers or slices, not {name}"))?;
    match at {
        Subscript::At(at) => match position(at, data(vm, this).len()) {
            Some(at) => Ok(Value::small(i64::from(data(vm, this)[at]))),
            None => Err(vm.index_error("index out of range")),
        },
        Subscript::Span(span) if span.step == 1 || span.count == 0 => Ok(part(vm, this, span.first()..span.first() + span.count)),
        Subscript::Span(span) => {
            let bytes = data(vm, this);
            let picked = span.positions().map(|at| bytes[at]).collect();
            Ok(like(vm, this, picked))
        }
    }
}

/// `item in this`.
pub(crate) fn contains(vm: &mut Vm, this: &Value, item: &Value) -> Result<bool> {
    if is_index(vm, item) {
        let byte = byte_value(vm, item, "byte must be in range(0, 256)")?;
        return vm.paced(data(vm, this).len(), std::slice::from_ref(this), |vm| search::find_unit(data(vm, this), byte).is_some());
    }
    let needle = buffer(vm, item)?;
    vm.paced(data(vm, this).len(), std::slice::from_ref(this), |vm| search::find_units(data(vm, this), &needle).is_some())
}

/// `left + right`: of the left operand's kind.
pub(crate) fn concat(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let Some(first) = bytes_of(vm, left)? else { return Ok(Value::NOT_IMPLEMENTED) };
    vm.check_room(first.len() * 2)?;
    // The other operand's `__radd__` comes first; `Vm::binary` words the refusal.
    let Some(second) = bytes_of(vm, right)? else { return Ok(Value::NOT_IMPLEMENTED) };
    if !left.holds::<Bytes>() && !left.holds::<ByteArray>() {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    vm.charge((first.len() + second.len()) * 2)?;
    let mut both = first;
    both.extend_from_slice(&second);
    Ok(like(vm, left, both))
}

/// `this * count`.
pub(crate) fn multiply(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let is_bytes = left.holds::<Bytes>() || left.holds::<ByteArray>();
    let (this, count) = if is_bytes { (left, right) } else { (right, left) };
    let Some(count) = repeat_count(vm, count)? else { return Ok(Value::NOT_IMPLEMENTED) };
    if count == 1 {
        return Ok(whole(vm, this));
    }
    let repeated = repeated(vm, this, count)?;
    Ok(like(vm, this, repeated))
}

/// The bytes, this many times.
pub(crate) fn repeated(vm: &mut Vm, this: &Value, count: usize) -> Result<Vec<u8>> {
    match data(vm, this).len().checked_mul(count) {
        Some(size) => vm.charge(size)?,
        None => return Err(vm.memory_error()),
    }
    Ok(data(vm, this).repeat(count))
}

/// `this % arguments`.
pub(crate) fn modulo(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let Some(format) = plain_bytes(vm, left) else { return Ok(Value::NOT_IMPLEMENTED) };
    let format = format.to_vec();
    let made = percent::format_bytes(vm, &format, right)?;
    Ok(like(vm, left, made))
}

fn large<T>(vm: &mut Vm, result: std::result::Result<T, TextTooLarge>) -> Result<T> {
    result.map_err(|TextTooLarge| vm.memory_error())
}

pub(crate) fn mapped(vm: &mut Vm, args: Args<'_>, map: impl Fn(&[u8]) -> Vec<u8>) -> Result<Value> {
    let made = vm.paced(data(vm, &args[0]).len(), &args, |vm| map(data(vm, &args[0])))?;
    Ok(like(vm, &args[0], made))
}

pub(crate) fn tested(vm: &mut Vm, args: Args<'_>, test: impl Fn(&[u8]) -> bool) -> Result<Value> {
    Ok(Value::from_bool(vm.paced(data(vm, &args[0]).len(), &args, |vm| test(data(vm, &args[0])))?))
}

pub(crate) fn justified(vm: &mut Vm, args: Args<'_>, how: Justify) -> Result<Value> {
    let width = vm.index_i64(&args[1])?.max(0) as usize;
    let fill = match args.given(2) {
        None => b' ',
        Some(fill) => {
            let name = ["center", "ljust", "rjust"][match how {
                Justify::Center => 0,
                Justify::Left => 1,
                Justify::Right => 2,
            }];
            let bytes = if fill.holds::<Bytes>() || fill.holds::<ByteArray>() { bytes_of(vm, fill)? } else { None };
            match bytes.as_deref() {
                Some([byte]) => *byte,
                _ => {
                    let found = vm.type_name(fill);
                    return Err(vm.type_error(format!("{name}() argument 2 must be a byte string of length 1, not {found}")));
                }
            }
        }
    };
    if width > data(vm, &args[0]).len() {
        vm.charge(width)?;
    }
    let made = pad::justify_bytes(data(vm, &args[0]), how, width, fill);
    match large(vm, made)? {
        Some(made) => Ok(like(vm, &args[0], made)),
        None => Ok(whole(vm, &args[0])),
    }
}

pub(crate) fn zfill(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let width = vm.index_i64(&args[1])?.max(0) as usize;
    if width > data(vm, &args[0]).len() {
        vm.charge(width)?;
    }
    let made = pad::zfill_bytes(data(vm, &args[0]), width);
    match large(vm, made)? {
        Some(made) => Ok(like(vm, &args[0], made)),
        None => Ok(whole(vm, &args[0])),
    }
}

/// The argument of `expandtabs`: a C `int`; none below zero.
pub(crate) fn tab_size(vm: &mut Vm, size: &Value) -> Result<usize> {
    let size = vm.index_value(size)?;
    match vm.int_ref(&size).and_then(|size| size.to_i64()).map(i32::try_from) {
        Some(Ok(size)) => Ok(usize::try_from(size).unwrap_or(0)),
        _ => Err(vm.overflow_error("Python int too large to convert to C int")),
    }
}

pub(crate) fn expandtabs(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let size = match args.given(1) {
        Some(size) => tab_size(vm, size)?,
        None => 8,
    };
    let len = data(vm, &args[0]).len();
    let n_tabs = vm.paced(len, &args, |vm| search::count_units(data(vm, &args[0]), b"\t"))?;
    vm.charge(n_tabs.saturating_mul(size))?;
    let made = vm.paced(len, &args, |vm| pad::expand_tabs_bytes(data(vm, &args[0]), size))?;
    let made = large(vm, made)?;
    Ok(like(vm, &args[0], made))
}

/// What is searched for: bytes, or one byte given as a number.
fn needle(vm: &mut Vm, value: &Value) -> Result<Vec<u8>> {
    if let Some(bytes) = bytes_of(vm, value)? {
        return Ok(bytes);
    }
    if is_index(vm, value) {
        return Ok(vec![byte_value(vm, value, "byte must be in range(0, 256)")?]);
    }
    let name = vm.type_name(value);
    Err(vm.type_error(format!("argument should be integer or bytes-like object, not '{name}'")))
}

fn found(vm: &mut Vm, args: Args<'_>, last: bool) -> Result<Option<usize>> {
    let len = data(vm, &args[0]).len();
    let range = bounds(vm, args.given(2), args.given(3), len)?;
    let needle = needle(vm, &args[1])?;
    let Some((start, end)) = range else { return Ok(None) };
    let at = vm.paced(end.saturating_sub(start), &args, |vm| {
        let bytes = data(vm, &args[0]);
        let end = end.min(bytes.len());
        let bytes = &bytes[start.min(end)..end];
        if last { search::rfind_units(bytes, &needle) } else { search::find_units(bytes, &needle) }
    })?;
    Ok(at.map(|at| at + start))
}

pub(crate) fn find(vm: &mut Vm, args: Args<'_>, last: bool) -> Result<Value> {
    Ok(Value::small(found(vm, args, last)?.map_or(-1, |at| at as i64)))
}

pub(crate) fn index(vm: &mut Vm, args: Args<'_>, last: bool) -> Result<Value> {
    match found(vm, args, last)? {
        Some(at) => Ok(Value::small(at as i64)),
        None => Err(vm.value_error("subsection not found")),
    }
}

pub(crate) fn count(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let len = data(vm, &args[0]).len();
    let range = bounds(vm, args.given(2), args.given(3), len)?;
    let needle = needle(vm, &args[1])?;
    let Some((start, end)) = range else { return Ok(Value::small(0)) };
    let count = vm.paced(end.saturating_sub(start), &args, |vm| {
        let bytes = data(vm, &args[0]);
        let end = end.min(bytes.len());
        search::count_units(&bytes[start.min(end)..end], &needle)
    })?;
    Ok(Value::small(count as i64))
}

pub(crate) fn affix(vm: &mut Vm, args: Args<'_>, name: &str, fits: fn(&[u8], &[u8]) -> bool) -> Result<Value> {
    let len = data(vm, &args[0]).len();
    let range = bounds(vm, args.given(2), args.given(3), len)?;
    let affixes = args[1].downcast::<Tuple>();
    let n_affixes = affixes.map_or(1, |affixes| affixes.get(vm).items().len());
    for index in 0..n_affixes {
        vm.poll_after(1)?;
        let affix = &affixes.map_or_else(|| args[1].clone(), |affixes| affixes.get(vm).items()[index].clone());
        let Some(bytes) = bytes_of(vm, affix)? else {
            let found = vm.type_name(affix);
            return Err(vm.type_error(if args[1].holds::<Tuple>() {
                format!("a bytes-like object is required, not '{found}'")
            } else {
                format!("{name} first arg must be bytes or a tuple of bytes, not {found}")
            }));
        };
        if let Some((start, end)) = range {
            let this = data(vm, &args[0]);
            let end = end.min(this.len());
            if fits(&this[start.min(end)..end], &bytes) {
                return Ok(Value::TRUE);
            }
        }
    }
    Ok(Value::FALSE)
}

pub(crate) fn removeprefix(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let prefix = buffer(vm, &args[1])?;
    let bytes = data(vm, &args[0]);
    let (len, cut) = (bytes.len(), if bytes.starts_with(&prefix) { prefix.len() } else { 0 });
    Ok(part(vm, &args[0], cut..len))
}

pub(crate) fn removesuffix(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let suffix = buffer(vm, &args[1])?;
    let bytes = data(vm, &args[0]);
    let (len, cut) = (bytes.len(), if bytes.ends_with(&suffix) { suffix.len() } else { 0 });
    Ok(part(vm, &args[0], 0..len - cut))
}

pub(crate) fn stripped(vm: &mut Vm, args: Args<'_>, ends: Ends) -> Result<Value> {
    let range = match args.given_some(1) {
        None => {
            vm.paced(data(vm, &args[0]).len(), &args, |vm| split::strip_units(data(vm, &args[0]), ends, |byte| matches!(byte, b' ' | 0x09..=0x0d)))?
        }
        Some(chars) => {
            let chars = buffer(vm, chars)?;
            vm.paced(data(vm, &args[0]).len(), &args, |vm| split::strip_units(data(vm, &args[0]), ends, |byte| chars.contains(&byte)))?
        }
    };
    Ok(part(vm, &args[0], range))
}

pub(crate) fn partitioned(vm: &mut Vm, args: Args<'_>, last: bool) -> Result<Value> {
    let separator = buffer(vm, &args[1])?;
    if separator.is_empty() {
        return Err(vm.value_error("empty separator"));
    }
    let at = vm.paced(data(vm, &args[0]).len(), &args, |vm| {
        let bytes = data(vm, &args[0]);
        if last { search::rfind_units(bytes, &separator) } else { search::find_units(bytes, &separator) }
    })?;
    let len = data(vm, &args[0]).len();
    let parts = match at {
        Some(at) => {
            let width = separator.len();
            let middle = if args[0].holds::<Bytes>() && args[1].holds::<Bytes>() { args[1].clone() } else { like(vm, &args[0], separator) };
            vec![part(vm, &args[0], 0..at), middle, part(vm, &args[0], at + width..len)]
        }
        None => {
            let whole = whole(vm, &args[0]);
            let (first, second) = (like(vm, &args[0], Vec::new()), like(vm, &args[0], Vec::new()));
            if last { vec![first, second, whole] } else { vec![whole, first, second] }
        }
    };
    Ok(vm.new_tuple(parts))
}

/// Where the parts are; `None` where there is no room to note them.
type Ranges = Option<Vec<std::ops::Range<usize>>>;

/// Notes a part.
fn note(vm: &Vm, ranges: &mut Ranges, range: std::ops::Range<usize>) {
    let Some(noted) = ranges else { return };
    if noted.len() == noted.capacity() && (!vm.has_room(noted.len() * 32) || noted.try_reserve(noted.len().max(4)).is_err()) {
        *ranges = None;
        return;
    }
    noted.push(range);
}

/// The list of parts.
fn parts(vm: &mut Vm, this: &Value, ranges: Ranges) -> Result<Value> {
    let Some(ranges) = ranges else { return Err(vm.memory_error()) };
    vm.charge(ranges.len() * 8)?;
    let mut parts = vm.room_for(ranges.len())?;
    for (index, range) in ranges.into_iter().enumerate() {
        if index % 4096 == 4095 {
            vm.poll()?;
        }
        // A bytearray may have been changed meanwhile.
        let end = range.end.min(data(vm, this).len());
        parts.push(part(vm, this, range.start.min(end)..end));
    }
    Ok(vm.new_list(parts))
}

pub(crate) fn split_at(vm: &mut Vm, args: Args<'_>, from_right: bool) -> Result<Value> {
    let max = max_argument(vm, args.given(2))?.unwrap_or(usize::MAX);
    let separator = match args.given_some(1) {
        None => None,
        Some(separator) => {
            let separator = buffer(vm, separator)?;
            if separator.is_empty() {
                return Err(vm.value_error("empty separator"));
            }
            Some(separator)
        }
    };
    let mut ranges = vm.paced(data(vm, &args[0]).len(), &args, |vm| {
        let mut ranges = Some(Vec::new());
        let (bytes, each) = (data(vm, &args[0]), |range| note(vm, &mut ranges, range));
        match &separator {
            None if from_right => split::rsplit_space_units(bytes, split::Bytes, max, each),
            None => split::split_space_units(bytes, split::Bytes, max, each),
            Some(separator) if from_right => split::rsplit_units(bytes, separator, max, each),
            Some(separator) => split::split_units(bytes, separator, max, each),
        }
        ranges
    })?;
    if let Some(ranges) = &mut ranges
        && from_right
    {
        ranges.reverse();
    }
    parts(vm, &args[0], ranges)
}

pub(crate) fn splitlines(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let keep = match args.given(1) {
        Some(keep) => vm.is_true(keep)?,
        None => false,
    };
    let ranges = vm.paced(data(vm, &args[0]).len(), &args, |vm| {
        let mut ranges = Some(Vec::new());
        split::split_lines_units(data(vm, &args[0]), split::Bytes, keep, |range| note(vm, &mut ranges, range));
        ranges
    })?;
    parts(vm, &args[0], ranges)
}

pub(crate) fn replace(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (old, new) = (buffer(vm, &args[1])?, buffer(vm, &args[2])?);
    let max = max_argument(vm, args.given(3))?;
    if new.len() > old.len() {
        let len = data(vm, &args[0]).len();
        let n_matches = if old.is_empty() { len + 1 } else { vm.paced(len, &args, |vm| search::count_units(data(vm, &args[0]), &old))? };
        match n_matches.min(max.unwrap_or(usize::MAX)).checked_mul(new.len()) {
            Some(size) => vm.charge(size)?,
            None => return Err(vm.memory_error()),
        }
    }
    let made = vm.paced(data(vm, &args[0]).len(), &args, |vm| search::replace_units(data(vm, &args[0]), &old, &new, max))?;
    match large(vm, made)? {
        Some(made) => Ok(like(vm, &args[0], made)),
        None => Ok(whole(vm, &args[0])),
    }
}

pub(crate) fn join(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    // The separator keeps its length while the iterable runs.
    let export = args[0].downcast::<ByteArray>().map(|array| Export::new(&array.get(vm).exports));
    let Some(items) = super::index::iterable_items(vm, &args[1])? else {
        return Err(vm.type_error("can only join an iterable"));
    };
    drop(export);
    let separator = data(vm, &args[0]).to_vec();
    let mut out = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if index % 4096 == 4095 {
            vm.poll()?;
        }
        let Some(bytes) = bytes_of(vm, item)? else {
            let name = vm.type_name(item);
            return Err(vm.type_error(format!("sequence item {index}: expected a bytes-like object, {name} found")));
        };
        let more = bytes.len() + separator.len();
        if out.capacity() - out.len() < more {
            vm.check_room(out.len() * 2 + more)?;
        }
        if index > 0 {
            out.extend_from_slice(&separator);
        }
        out.extend_from_slice(&bytes);
    }
    Ok(like(vm, &args[0], out))
}

pub(crate) fn translate(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let table = match args.given_some(1) {
        None => None,
        Some(table) => {
            let table = buffer(vm, table)?;
            if table.len() != 256 {
                return Err(vm.value_error("translation table must be 256 characters long"));
            }
            Some(table)
        }
    };
    let delete = match args.given(2) {
        Some(delete) => buffer(vm, delete)?,
        None => Vec::new(),
    };
    let made = vm.paced(data(vm, &args[0]).len(), &args, |vm| ascii::translate(data(vm, &args[0]), table.as_deref(), &delete))?;
    Ok(like(vm, &args[0], made))
}

/// `maketrans` of both types.
pub(crate) fn maketrans(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (from, to) = (buffer(vm, &args[0])?, buffer(vm, &args[1])?);
    if from.len() != to.len() {
        return Err(vm.value_error("maketrans arguments must have same length"));
    }
    let mut table: Vec<u8> = (0..=255).collect();
    for (from, to) in from.iter().zip(&to) {
        table[usize::from(*from)] = *to;
    }
    Ok(vm.new_bytes(table))
}

pub(crate) fn hex(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let bytes = data(vm, &args[0]).to_vec();
    hex_of(vm, &bytes, args.given(1), args.given(2))
}

/// `hex` of any bytes.
pub(crate) fn hex_of(vm: &mut Vm, bytes: &[u8], separator: Option<&Value>, group: Option<&Value>) -> Result<Value> {
    let separator = match separator {
        None => None,
        Some(separator) => {
            if vm.len(separator)? != 1 {
                return Err(vm.value_error("sep must be length 1."));
            }
            let codes: Vec<u32> = if separator.holds::<Str>() {
                text(vm, separator).codes().collect()
            } else if separator.holds::<Bytes>() {
                data(vm, separator).iter().map(|&byte| u32::from(byte)).collect()
            } else {
                return Err(vm.type_error("sep must be str or bytes."));
            };
            match codes.as_slice() {
                [code @ 0..0x80] => Some(*code as u8),
                [_] => return Err(vm.value_error("sep must be ASCII.")),
                _ => return Err(vm.value_error("sep must be length 1.")),
            }
        }
    };
    let group = match group {
        Some(group) => vm.c_int(group)? as isize,
        None => 1,
    };
    vm.charge(bytes.len().saturating_mul(3))?;
    let made = vm.paced(bytes.len(), &[], |_| ascii::hex(bytes, separator, group))?;
    let made = large(vm, made)?;
    Ok(vm.new_str(made))
}

/// `fromhex` of both types.
pub(crate) fn fromhex(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if !args[1].holds::<Str>() {
        let name = vm.type_name(&args[1]);
        return Err(vm.type_error(format!("fromhex() argument must be str, not {name}")));
    }
    let bytes = match vm.paced(text(vm, &args[1]).len(), &args[1..2], |vm| ascii::from_hex(text(vm, &args[1]).view()))? {
        Ok(bytes) => bytes,
        Err(position) => {
            return Err(vm.value_error(format!("non-hexadecimal number found in fromhex() arg at position {position}")));
        }
    };
    let bytes = vm.new_bytes(bytes);
    if args[0].is(vm.state().builtin(TypeId::Bytes)) { Ok(bytes) } else { vm.call(&args[0], &[bytes]) }
}

pub(crate) fn decode(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let encoding = string_argument(vm, args.given(1), "decode() argument 'encoding'")?;
    let errors = string_argument(vm, args.given(2), "decode() argument 'errors'")?;
    let bytes = data(vm, &args[0]).to_vec();
    codec::decode(vm, &bytes, encoding.as_deref().unwrap_or("utf-8"), errors.as_deref().unwrap_or("strict"))
}
