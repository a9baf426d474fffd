//! `str`: its slots and methods. What they compute stands in `text`; here arguments are checked and results made.

use super::codec;
use super::format_string;
use super::index::{Subscript, bounds, position, subscript};
use super::percent;
use super::scalar_iterator;
use crate::code::instruction::Comparison;
use crate::object::layout::Layout;
use crate::object::native::{Args, native};
use crate::object::type_object::{BASE_TYPE, BinaryOperator, MATCH_SELF, Slots, Type, TypeSpec, binary, constructor};
use crate::object::types::TypeId;
use crate::object::types::buffer;
use crate::object::types::dict::Dict;
use crate::object::types::exception::ExceptionKind;
use crate::object::types::list::List;
use crate::object::types::str::Str;
use crate::object::types::tuple::Tuple;
use crate::object::value::Value;
use crate::text::pad::{self, Justify};
use crate::text::split::{self, Ends};
use crate::text::{Text, TextTooLarge, TextView, case, repr, search, unicode};
use crate::vm::{Result, Vm};

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "str",
    doc: "str(object='') -> str\nstr(bytes_or_buffer[, encoding[, errors]]) -> str\n\nText: a sequence of Unicode code points. Without encoding and errors it is what str() of the object says; with one of them the bytes are decoded.",
    layout: Layout::Str,
    flags: BASE_TYPE | MATCH_SELF,
    new: constructor("str(object='', encoding='utf-8', errors='strict')", new),
    slots: Slots {
        repr: Some(repr_slot),
        str: Some(str_slot),
        hash: Some(hash),
        compare: Some(compare),
        iter: Some(scalar_iterator::iterate),
        len: Some(len),
        get_item: Some(get_item),
        contains: Some(contains),
        bool: Some(is_true),
        binary: binary(&[(BinaryOperator::Add, concat), (BinaryOperator::Multiply, multiply), (BinaryOperator::Modulo, modulo)]),
        ..Slots::NONE
    },
    methods: &[
        native("encode(self, /, encoding='utf-8', errors='strict')", encode),
        native("replace(self, old, new, /, count=-1)", replace),
        native("split(self, /, sep=None, maxsplit=-1)", split),
        native("rsplit(self, /, sep=None, maxsplit=-1)", rsplit),
        native("join(self, iterable, /)", join),
        native("capitalize(self, /)", capitalize),
        native("casefold(self, /)", casefold),
        native("title(self, /)", title),
        native("center(self, width, fillchar=' ', /)", center),
        native("count(self, sub, start=None, end=None, /)", count),
        native("expandtabs(self, /, tabsize=8)", expandtabs),
        native("find(self, sub, start=None, end=None, /)", find),
        native("partition(self, sep, /)", partition),
        native("index(self, sub, start=None, end=None, /)", index),
        native("ljust(self, width, fillchar=' ', /)", ljust),
        native("lower(self, /)", lower),
        native("lstrip(self, chars=None, /)", lstrip),
        native("rfind(self, sub, start=None, end=None, /)", rfind),
        native("rindex(self, sub, start=None, end=None, /)", rindex),
        native("rjust(self, width, fillchar=' ', /)", rjust),
        native("rstrip(self, chars=None, /)", rstrip),
        native("rpartition(self, sep, /)", rpartition),
        native("splitlines(self, /, keepends=False)", splitlines),
        native("strip(self, chars=None, /)", strip),
        native("swapcase(self, /)", swapcase),
        native("translate(self, table, /)", translate),
        native("upper(self, /)", upper),
        native("startswith(self, prefix, start=None, end=None, /)", startswith),
        native("endswith(self, suffix, start=None, end=None, /)", endswith),
        native("removeprefix(self, prefix, /)", removeprefix),
        native("removesuffix(self, suffix, /)", removesuffix),
        native("isascii(self, /)", |vm, args| Ok(Value::from_bool(text(vm, &args[0]).is_ascii()))),
        native("islower(self, /)", |vm, args| tested(vm, args, case::is_lower)),
        native("isupper(self, /)", |vm, args| tested(vm, args, case::is_upper)),
        native("istitle(self, /)", |vm, args| tested(vm, args, case::is_title)),
        native("isspace(self, /)", |vm, args| tested(vm, args, case::is_space)),
        native("isdecimal(self, /)", |vm, args| tested(vm, args, case::is_decimal)),
        native("isdigit(self, /)", |vm, args| tested(vm, args, case::is_digit)),
        native("isnumeric(self, /)", |vm, args| tested(vm, args, case::is_numeric)),
        native("isalpha(self, /)", |vm, args| tested(vm, args, case::is_alpha)),
        native("isalnum(self, /)", |vm, args| tested(vm, args, case::is_alnum)),
        native("isidentifier(self, /)", |vm, args| tested(vm, args, |view| case::is_identifier(view))),
        native("isprintable(self, /)", |vm, args| tested(vm, args, case::is_printable)),
        native("zfill(self, width, /)", zfill),
        native("format(self, /, *args, **kwargs)", format_method),
        native("format_map(self, mapping, /)", format_map),
        native("__format__(self, format_spec, /)", |vm, args| super::format_text::format_str(vm, &args[0], &args[1])),
        native("__getnewargs__(self, /)", |vm, args| {
            let copy = text(vm, &args[0]).clone();
            let copy = vm.new_str(copy);
            Ok(vm.new_tuple(vec![copy]))
        }),
        native("__sizeof__(self, /)", |vm, args| Ok(Value::small(text(vm, &args[0]).heap_size() as i64 + 48))),
    ],
    static_methods: &[native("maketrans(x, y: str=None, z: str=None, /)", maketrans)],
    ..TypeSpec::DEFAULT
};

/// The text of a `str` that has been checked to be one.
pub(crate) fn text<'a>(vm: &'a Vm, value: &'a Value) -> &'a Text {
    &value.downcast::<Str>().expect("checked to be a str").get(vm).text
}

fn view<'a>(vm: &'a Vm, value: &'a Value) -> TextView<'a> {
    text(vm, value).view()
}

/// The text, if the value is a `str`.
fn text_if<'a>(vm: &'a Vm, value: &'a Value) -> Option<&'a Text> {
    value.downcast::<Str>().map(|str| &str.get(vm).text)
}

/// The same string as an exact `str`.
pub(crate) fn exact(vm: &mut Vm, value: &Value) -> Value {
    if vm.is_exact(value, TypeId::Str) {
        return value.clone();
    }
    let copy = text(vm, value).clone();
    vm.new_str(copy)
}

/// A part of the string; the string itself when it is all of it.
fn part(vm: &mut Vm, this: &Value, start: usize, end: usize) -> Value {
    let text = text(vm, this);
    if start == 0 && end == text.len() {
        return exact(vm, this);
    }
    if start + 1 == end {
        return vm.new_char(text.get(start));
    }
    let slice = text.slice(start, end);
    vm.new_str(slice)
}

/// The result of a text operation that may be too large.
fn made(vm: &mut Vm, result: std::result::Result<Text, TextTooLarge>) -> Result<Value> {
    match result {
        Ok(text) => Ok(vm.new_str(text)),
        Err(TextTooLarge) => Err(vm.memory_error()),
    }
}

/// As `made`, for operations that say `None` when nothing changes.
fn changed(vm: &mut Vm, this: &Value, result: std::result::Result<Option<Text>, TextTooLarge>) -> Result<Value> {
    match result {
        Ok(Some(text)) => Ok(vm.new_str(text)),
        Ok(None) => Ok(exact(vm, this)),
        Err(TextTooLarge) => Err(vm.memory_error()),
    }
}

fn new(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("the class");
    let made = match args.given(1) {
        None => vm.empty_str(),
        Some(object) if args.given(2).is_none() && args.given(3).is_none() => vm.str(object)?,
        Some(object) => decode_object(vm, object, args)?,
    };
    if class.is(vm.state().builtin(TypeId::Str)) {
        return Ok(made);
    }
    let copy = text(vm, &made).clone();
    Ok(vm.alloc_for(class, Str::new(copy)).into())
}

fn decode_object(vm: &mut Vm, object: &Value, args: Args<'_>) -> Result<Value> {
    let encoding = string_argument(vm, args.given(2), "str() argument 'encoding'")?;
    let errors = string_argument(vm, args.given(3), "str() argument 'errors'")?;
    if object.holds::<Str>() {
        return Err(vm.type_error("decoding str is not supported"));
    }
    let Some(bytes) = buffer::bytes_of(vm, object)? else {
        let name = vm.type_name(object);
        return Err(vm.type_error(format!("decoding to str: need a bytes-like object, {name} found")));
    };
    codec::decode(vm, &bytes, encoding.as_deref().unwrap_or("utf-8"), errors.as_deref().unwrap_or("strict"))
}

/// An optional argument that must be a `str`, as Rust's string.
pub(crate) fn string_argument(vm: &mut Vm, value: Option<&Value>, what: &str) -> Result<Option<String>> {
    let Some(value) = value else { return Ok(None) };
    match text_if(vm, value) {
        Some(text) => Ok(Some(text.to_utf8_lossy().into_owned())),
        None => {
            let name = vm.argument_kind(value);
            Err(vm.type_error(format!("{what} must be str, not {name}")))
        }
    }
}

fn repr_slot(vm: &mut Vm, this: &Value) -> Result<Value> {
    let len = text(vm, this).len();
    vm.check_room(len.saturating_mul(2))?;
    let shown = vm.paced(len, std::slice::from_ref(this), |vm| repr::repr(view(vm, this)))?;
    Ok(vm.new_str(shown))
}

fn str_slot(vm: &mut Vm, this: &Value) -> Result<Value> {
    Ok(exact(vm, this))
}

fn hash(vm: &mut Vm, this: &Value) -> Result<i64> {
    let seed = vm.state().hash_seed;
    let len = text(vm, this).len();
    vm.paced(len, std::slice::from_ref(this), |vm| this.downcast::<Str>().expect("the slot's own type").get(vm).hash(seed))
}

fn compare(vm: &mut Vm, this: &Value, other: &Value, how: Comparison) -> Result<Value> {
    let (Some(left), Some(right)) = (text_if(vm, this), text_if(vm, other)) else { return Ok(Value::NOT_IMPLEMENTED) };
    Ok(Value::from_bool(match how {
        Comparison::Equal => left == right,
        Comparison::NotEqual => left != right,
        Comparison::Less => left < right,
        Comparison::LessEqual => left <= right,
        Comparison::Greater => left > right,
        Comparison::GreaterEqual => left >= right,
        Comparison::Is | Comparison::IsNot | Comparison::In | Comparison::NotIn => return Ok(Value::NOT_IMPLEMENTED),
    }))
}

fn len(vm: &mut Vm, this: &Value) -> Result<usize> {
    Ok(text(vm, this).len())
}

fn is_true(vm: &mut Vm, this: &Value) -> Result<bool> {
    Ok(!text(vm, this).is_empty())
}

fn get_item(vm: &mut Vm, this: &Value, key: &Value) -> Result<Value> {
    let at = subscript(vm, key, |vm| text(vm, this).len(), |name| format!("string indices must be integers, not '{name}'"))?;
    let text = text(vm, this);
    match at {
        Subscript::At(at) => match position(at, text.len()) {
            Some(at) => {
                let code = text.get(at);
                Ok(vm.new_char(code))
            }
            None => Err(vm.index_error("string index out of range")),
        },
        Subscript::Span(span) if span.count == 0 => Ok(vm.empty_str()),
        Subscript::Span(span) if span.step == 1 => Ok(part(vm, this, span.first(), span.first() + span.count)),
        Subscript::Span(span) => {
            let picked = text.slice_step(span.first(), span.step as isize, span.count);
            Ok(vm.new_str(picked))
        }
    }
}

fn contains(vm: &mut Vm, this: &Value, item: &Value) -> Result<bool> {
    match text_if(vm, item) {
        Some(_) => {
            let len = text(vm, this).len();
            vm.paced(len, &[this.clone(), item.clone()], |vm| search::find(view(vm, this), view(vm, item)).is_some())
        }
        None => {
            let name = vm.type_name(item);
            Err(vm.type_error(format!("'in <string>' requires string as left operand, not {name}")))
        }
    }
}

fn concat(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let Some(first) = text_if(vm, left) else { return Ok(Value::NOT_IMPLEMENTED) };
    // The other operand's `__radd__` comes first; `Vm::binary` words the refusal.
    let Some(second) = text_if(vm, right) else { return Ok(Value::NOT_IMPLEMENTED) };
    if second.is_empty() {
        return Ok(exact(vm, left));
    }
    if first.is_empty() {
        return Ok(exact(vm, right));
    }
    // One wide character makes all of them wide.
    let size = (first.len() + second.len()).saturating_mul(first.width().max(second.width()));
    vm.charge(size)?;
    let whole = text(vm, left).concat(text(vm, right));
    made(vm, whole)
}

fn multiply(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    let (this, count) = if left.holds::<Str>() { (left, right) } else { (right, left) };
    let Some(count) = repeat_count(vm, count)? else { return Ok(Value::NOT_IMPLEMENTED) };
    let text = text(vm, this);
    if count == 1 {
        return Ok(exact(vm, this));
    }
    let Some(bytes) = text.len().checked_mul(text.view().width()).and_then(|size| size.checked_mul(count)) else {
        return Err(vm.memory_error());
    };
    vm.charge(bytes)?;
    let repeated = self::text(vm, this).repeat(count);
    made(vm, repeated)
}

/// How often a sequence is to be repeated: `None` when the operand is no integer.
pub(crate) fn repeat_count(vm: &mut Vm, count: &Value) -> Result<Option<usize>> {
    if let Some(count) = count.as_small() {
        return Ok(Some(count.max(0) as usize));
    }
    if !super::index::is_index(vm, count) {
        return Ok(None);
    }
    let number = vm.index(count)?;
    match number.as_ref().to_i64() {
        Some(count) => Ok(Some(count.max(0) as usize)),
        None if number.as_ref().is_negative() => Ok(Some(0)),
        None => {
            let name = vm.type_name(count);
            Err(vm.overflow_error(format!("cannot fit '{name}' into an index-sized integer")))
        }
    }
}

fn modulo(vm: &mut Vm, left: &Value, right: &Value) -> Result<Value> {
    if !left.holds::<Str>() {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    percent::format_text(vm, left, right)
}

fn encode(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let encoding = string_argument(vm, args.given(1), "encode() argument 'encoding'")?;
    let errors = string_argument(vm, args.given(2), "encode() argument 'errors'")?;
    codec::encode(vm, &args[0], encoding.as_deref().unwrap_or("utf-8"), errors.as_deref().unwrap_or("strict"))
}

/// An argument that must be a `str`.
fn expect_text<'a>(vm: &'a mut Vm, value: &'a Value, message: impl FnOnce(&str) -> String) -> Result<&'a Text> {
    if !value.holds::<Str>() {
        let name = vm.argument_kind(value);
        let message = message(&name);
        // Where CPython's generated argument checks speak, None is no type's name.
        let message = if value.is_none() && message.contains("() argument") { message.replace("NoneType", "None") } else { message };
        return Err(vm.type_error(message));
    }
    Ok(text(vm, value))
}

fn replace(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    expect_text(vm, &args[1], |name| format!("replace() argument 1 must be str, not {name}"))?;
    expect_text(vm, &args[2], |name| format!("replace() argument 2 must be str, not {name}"))?;
    let max = max_argument(vm, args.given(3))?;
    let (this, old, new) = (text(vm, &args[0]), view(vm, &args[1]), view(vm, &args[2]));
    let len = this.len();
    // A bound on what replacing every single position could make; checked so that the charge comes first.
    if new.len() > old.len() {
        let (width, new_len) = (this.view().width().max(new.width()), new.len());
        let n_matches = if old.is_empty() { len + 1 } else { vm.paced(len, &args, |vm| search::count(view(vm, &args[0]), view(vm, &args[1])))? };
        match n_matches.min(max.unwrap_or(usize::MAX)).checked_mul(new_len).and_then(|size| size.checked_mul(width)) {
            Some(size) => vm.charge(size)?,
            None => return Err(vm.memory_error()),
        }
    }
    let replaced = vm.paced(len, &args, |vm| search::replace(view(vm, &args[0]), view(vm, &args[1]), view(vm, &args[2]), max))?;
    changed(vm, &args[0], replaced)
}

/// `maxsplit` and `count`: `None` for any number.
pub(crate) fn max_argument(vm: &mut Vm, value: Option<&Value>) -> Result<Option<usize>> {
    let Some(value) = value else { return Ok(None) };
    let max = vm.index_i64(value)?;
    Ok(usize::try_from(max).ok())
}

fn check_separator(vm: &mut Vm, value: Option<&Value>) -> Result<()> {
    let Some(value) = value else { return Ok(()) };
    if expect_text(vm, value, |name| format!("must be str or None, not {name}"))?.is_empty() {
        return Err(vm.value_error("empty separator"));
    }
    Ok(())
}

/// A part of the string; the string itself when it is all of an exact one.
fn shared_part(vm: &Vm, this: &Value, range: std::ops::Range<usize>) -> Value {
    let text = text(vm, this);
    if range.start == 0 && range.end == text.len() && vm.is_exact(this, TypeId::Str) {
        return this.clone();
    }
    if range.len() == 1 {
        return vm.new_char(text.get(range.start));
    }
    vm.new_str(text.slice(range.start, range.end))
}

/// The parts of a string so far.
#[derive(Default)]
struct Parts {
    items: Vec<Value>,
    /// There was no room for more; what was found before is let go, and the rest is not looked at.
    is_full: bool,
}

impl Parts {
    fn push(&mut self, vm: &Vm, whole: &Value, range: std::ops::Range<usize>) {
        if self.is_full {
            return;
        }
        if self.items.len() == self.items.capacity()
            && (!vm.has_room(self.items.len() * 16) || self.items.try_reserve(self.items.len().max(4)).is_err())
        {
            *self = Self { items: Vec::new(), is_full: true };
            return;
        }
        self.items.push(shared_part(vm, whole, range));
    }
}

/// The list of parts, or the `MemoryError` if there was no room for them.
fn list_of_parts(vm: &mut Vm, parts: Parts) -> Result<Value> {
    vm.spend(parts.items.len());
    if parts.is_full { Err(vm.memory_error()) } else { Ok(vm.new_list(parts.items)) }
}

fn split(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let max = max_argument(vm, args.given(2))?;
    check_separator(vm, args.given_some(1))?;
    let len = text(vm, &args[0]).len();
    let parts = vm.paced(len, &args, |vm| {
        let mut parts = Parts::default();
        split::split(view(vm, &args[0]), args.given_some(1).map(|sep| view(vm, sep)), max, |range| parts.push(vm, &args[0], range));
        parts
    })?;
    list_of_parts(vm, parts)
}

fn rsplit(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let max = max_argument(vm, args.given(2))?;
    check_separator(vm, args.given_some(1))?;
    let len = text(vm, &args[0]).len();
    let mut parts = vm.paced(len, &args, |vm| {
        let mut parts = Parts::default();
        split::rsplit(view(vm, &args[0]), args.given_some(1).map(|sep| view(vm, sep)), max, |range| parts.push(vm, &args[0], range));
        parts
    })?;
    parts.items.reverse();
    list_of_parts(vm, parts)
}

fn splitlines(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let keep = match args.given(1) {
        Some(keep) => vm.is_true(keep)?,
        None => false,
    };
    let len = text(vm, &args[0]).len();
    let parts = vm.paced(len, &args, |vm| {
        let mut parts = Parts::default();
        split::split_lines(view(vm, &args[0]), keep, |range| parts.push(vm, &args[0], range));
        parts
    })?;
    list_of_parts(vm, parts)
}

fn join(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    // The items of a list or tuple are read where they are; others are collected first.
    let collected;
    let source = if vm.is_exact(&args[1], TypeId::List) || vm.is_exact(&args[1], TypeId::Tuple) {
        &args[1]
    } else {
        let Some(items) = super::index::iterable_items(vm, &args[1])? else {
            return Err(vm.type_error("can only join an iterable"));
        };
        collected = vm.new_list(items);
        &collected
    };
    let n_items = items_of(vm, source).len();
    let own;
    let source = if n_items > JOINED_AT_ONCE && source.is(&args[1]) && source.holds::<List>() {
        // Other threads and handlers run in between: what they do to the list is not seen.
        let copy = items_of(vm, source).to_vec();
        own = vm.new_list(copy);
        &own
    } else {
        source
    };
    let (mut size, mut is_ascii) = (0_usize, true);
    let separator_len = text(vm, &args[0]).len();
    for index in 0..n_items {
        if index % JOINED_AT_ONCE == JOINED_AT_ONCE - 1 {
            vm.poll()?;
        }
        let item = &items_of(vm, source)[index];
        match text_if(vm, item) {
            Some(text) => {
                is_ascii &= text.is_ascii();
                size = size.saturating_add(text.len() * text.view().width());
            }
            None => {
                let name = vm.type_name(item);
                return Err(vm.type_error(format!("sequence item {index}: expected str instance, {name} found")));
            }
        }
    }
    if let [only] = items_of(vm, source) {
        let only = only.clone();
        return Ok(exact(vm, &only));
    }
    is_ascii &= text(vm, &args[0]).is_ascii();
    size = size.saturating_add(separator_len.saturating_mul(n_items));
    vm.charge(size)?;
    let (true, TextView::Ascii(_)) = (is_ascii, view(vm, &args[0])) else {
        let joined = vm.paced(n_items, &args[..1], |vm| search::join(view(vm, &args[0]), items_of(vm, source).iter().map(|item| view(vm, item))))?;
        return made(vm, joined);
    };
    let mut joined = vm.room_for(size)?;
    let mut start = 0;
    while start < n_items {
        if start > 0 {
            vm.poll()?;
        }
        let end = n_items.min(start + JOINED_AT_ONCE);
        let TextView::Ascii(separator) = view(vm, &args[0]) else { break };
        for (index, item) in items_of(vm, source)[start..end].iter().enumerate() {
            if start + index > 0 {
                joined.extend_from_slice(separator);
            }
            if let TextView::Ascii(units) = view(vm, item) {
                joined.extend_from_slice(units);
            }
        }
        start = end;
    }
    Ok(vm.new_str(String::from_utf8(joined).expect("all of it is ASCII")))
}

/// How many items `join` puts together without looking up.
const JOINED_AT_ONCE: usize = 1 << 16;

/// The items of a list or tuple.
fn items_of<'a>(vm: &'a Vm, value: &'a Value) -> &'a [Value] {
    match value.downcast::<List>() {
        Some(list) => &list.get(vm).items,
        None => value.downcast::<Tuple>().map(|tuple| tuple.get(vm).items()).unwrap_or_default(),
    }
}

/// A predicate of the whole text.
fn tested(vm: &mut Vm, args: Args<'_>, test: fn(TextView<'_>) -> bool) -> Result<Value> {
    let len = text(vm, &args[0]).len();
    Ok(Value::from_bool(vm.paced(len, &args, |vm| test(view(vm, &args[0])))?))
}

/// The text as a function of texts makes it.
fn mapped(vm: &mut Vm, args: Args<'_>, map: fn(TextView<'_>) -> Text) -> Result<Value> {
    let len = text(vm, &args[0]).len();
    vm.check_room(len.saturating_mul(if text(vm, &args[0]).is_ascii() { 1 } else { 6 }))?;
    let made = vm.paced(len, &args, |vm| map(view(vm, &args[0])))?;
    Ok(vm.new_str(made))
}

fn capitalize(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    mapped(vm, args, case::capitalize)
}

fn casefold(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    mapped(vm, args, case::casefold)
}

fn title(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    mapped(vm, args, case::title)
}

fn lower(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    mapped(vm, args, case::lower)
}

fn upper(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    mapped(vm, args, case::upper)
}

fn swapcase(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    mapped(vm, args, case::swapcase)
}

fn justified(vm: &mut Vm, args: Args<'_>, how: Justify) -> Result<Value> {
    let width = vm.index_i64(&args[1])?;
    let fill = match args.given(2) {
        None => u32::from(' '),
        Some(fill) => {
            let fill = expect_text(vm, fill, |name| format!("The fill character must be a unicode character, not {name}"))?;
            if fill.len() != 1 {
                return Err(vm.type_error("The fill character must be exactly one character long"));
            }
            fill.get(0)
        }
    };
    let width = width.max(0) as usize;
    if width > text(vm, &args[0]).len() {
        vm.charge(width.saturating_mul(4))?;
    }
    let result = pad::justify(view(vm, &args[0]), how, width, fill);
    changed(vm, &args[0], result)
}

fn center(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    justified(vm, args, Justify::Center)
}

fn ljust(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    justified(vm, args, Justify::Left)
}

fn rjust(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    justified(vm, args, Justify::Right)
}

fn zfill(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let width = vm.index_i64(&args[1])?.max(0) as usize;
    if width > text(vm, &args[0]).len() {
        vm.charge(width)?;
    }
    let result = pad::zfill(view(vm, &args[0]), width);
    changed(vm, &args[0], result)
}

/// A string with this text: `known` itself, where that is one.
pub(crate) fn same_or_new(vm: &mut Vm, known: Option<&Value>, made: Text) -> Value {
    match known.filter(|known| vm.is_exact(known, TypeId::Str) && *text(vm, known) == made) {
        Some(known) => known.clone(),
        None => vm.new_str(made),
    }
}

fn expandtabs(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let size = match args.given(1) {
        Some(size) => super::bytes_methods::tab_size(vm, size)?,
        None => 8,
    };
    let len = text(vm, &args[0]).len();
    let n_tabs = vm.paced(len, &args, |vm| search::count(view(vm, &args[0]), TextView::Ascii(b"\t")))?;
    if n_tabs == 0 && vm.is_exact(&args[0], TypeId::Str) {
        return Ok(args[0].clone());
    }
    vm.charge(n_tabs.saturating_mul(size))?;
    let result = vm.paced(len, &args, |vm| pad::expand_tabs(view(vm, &args[0]), size))?;
    made(vm, result)
}

/// What `find`, `rfind`, `index`, `rindex` and `count` have in common: the needle and where to look.
fn searched<T>(vm: &mut Vm, args: Args<'_>, name: &str, look: impl Fn(TextView<'_>, TextView<'_>, usize) -> T) -> Result<Option<T>> {
    expect_text(vm, &args[1], |found| format!("{name}() argument 1 must be str, not {found}"))?;
    let len = text(vm, &args[0]).len();
    let Some((start, end)) = bounds(vm, args.given(2), args.given(3), len)? else { return Ok(None) };
    vm.paced(end.saturating_sub(start), &args, |vm| look(view(vm, &args[0]).slice(start, end), view(vm, &args[1]), start)).map(Some)
}

fn found(at: Option<Option<usize>>) -> Option<Value> {
    at.flatten().map(|at| Value::small(at as i64))
}

fn find(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let at = searched(vm, args, "find", |view, needle, start| search::find(view, needle).map(|at| at + start))?;
    Ok(found(at).unwrap_or(Value::small(-1)))
}

fn rfind(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let at = searched(vm, args, "rfind", |view, needle, start| search::rfind(view, needle).map(|at| at + start))?;
    Ok(found(at).unwrap_or(Value::small(-1)))
}

fn index(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let at = searched(vm, args, "index", |view, needle, start| search::find(view, needle).map(|at| at + start))?;
    found(at).ok_or_else(|| vm.value_error("substring not found"))
}

fn rindex(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let at = searched(vm, args, "rindex", |view, needle, start| search::rfind(view, needle).map(|at| at + start))?;
    found(at).ok_or_else(|| vm.value_error("substring not found"))
}

fn count(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let count = searched(vm, args, "count", |view, needle, _| search::count(view, needle))?;
    Ok(Value::small(count.unwrap_or(0) as i64))
}

fn affix(vm: &mut Vm, args: Args<'_>, name: &str, fits: fn(TextView<'_>, TextView<'_>) -> bool) -> Result<Value> {
    let len = text(vm, &args[0]).len();
    let range = bounds(vm, args.given(2), args.given(3), len)?;
    if let (Some(affix), Some((start, end))) = (text_if(vm, &args[1]), range) {
        return Ok(Value::from_bool(fits(view(vm, &args[0]).slice(start, end), affix.view())));
    }
    let affixes = args[1].downcast::<Tuple>();
    let n_affixes = affixes.map_or(1, |affixes| affixes.get(vm).items().len());
    for index in 0..n_affixes {
        vm.poll_after(1)?;
        let affix = &affixes.map_or_else(|| args[1].clone(), |affixes| affixes.get(vm).items()[index].clone());
        let Some(affix) = text_if(vm, affix) else {
            let found = vm.type_name(affix);
            return Err(vm.type_error(if args[1].holds::<Tuple>() {
                format!("tuple for {name} must only contain str, not {found}")
            } else {
                format!("{name} first arg must be str or a tuple of str, not {found}")
            }));
        };
        if let Some((start, end)) = range
            && fits(view(vm, &args[0]).slice(start, end), affix.view())
        {
            return Ok(Value::TRUE);
        }
    }
    Ok(Value::FALSE)
}

fn startswith(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    affix(vm, args, "startswith", search::starts_with)
}

fn endswith(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    affix(vm, args, "endswith", search::ends_with)
}

fn removeprefix(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    expect_text(vm, &args[1], |name| format!("removeprefix() argument must be str, not {name}"))?;
    let (this, prefix) = (text(vm, &args[0]), text(vm, &args[1]));
    let (len, cut) = (this.len(), if search::starts_with(this.view(), prefix.view()) { prefix.len() } else { 0 });
    Ok(part(vm, &args[0], cut, len))
}

fn removesuffix(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    expect_text(vm, &args[1], |name| format!("removesuffix() argument must be str, not {name}"))?;
    let (this, suffix) = (text(vm, &args[0]), text(vm, &args[1]));
    let (len, cut) = (this.len(), if search::ends_with(this.view(), suffix.view()) { suffix.len() } else { 0 });
    Ok(part(vm, &args[0], 0, len - cut))
}

fn stripped(vm: &mut Vm, args: Args<'_>, ends: Ends, name: &str) -> Result<Value> {
    let chars = args.given_some(1);
    if let Some(chars) = chars {
        expect_text(vm, chars, |_| format!("{name} arg must be None or str"))?;
    }
    let len = text(vm, &args[0]).len();
    let range = vm.paced(len, &args, |vm| split::strip(view(vm, &args[0]), ends, chars.map(|chars| view(vm, chars))))?;
    Ok(part(vm, &args[0], range.start, range.end))
}

fn strip(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    stripped(vm, args, Ends::Both, "strip")
}

fn lstrip(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    stripped(vm, args, Ends::Left, "lstrip")
}

fn rstrip(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    stripped(vm, args, Ends::Right, "rstrip")
}

fn partition(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    partitioned(vm, args, false)
}

fn rpartition(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    partitioned(vm, args, true)
}

fn partitioned(vm: &mut Vm, args: Args<'_>, last: bool) -> Result<Value> {
    if expect_text(vm, &args[1], |name| format!("must be str, not {name}"))?.is_empty() {
        return Err(vm.value_error("empty separator"));
    }
    let (len, width) = (text(vm, &args[0]).len(), text(vm, &args[1]).len());
    let find = if last { search::rfind } else { search::find };
    let parts = match vm.paced(len, &args, |vm| find(view(vm, &args[0]), view(vm, &args[1])))? {
        Some(at) => vec![part(vm, &args[0], 0, at), exact(vm, &args[1]), part(vm, &args[0], at + width, len)],
        None => {
            let (whole, empty) = (exact(vm, &args[0]), vm.empty_str());
            if last { vec![empty.clone(), empty, whole] } else { vec![whole, empty.clone(), empty] }
        }
    };
    Ok(vm.new_tuple(parts))
}

fn translate(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let length = text(vm, &args[0]).len();
    let mut out = crate::text::TextBuilder::new();
    // Repeated characters are looked up once: ASCII's results are kept.
    let mut known: Vec<Option<Option<Text>>> = vec![None; 128];
    let mut checked = 0;
    for at in 0..length {
        if at % 1024 == 1023 {
            vm.poll()?;
        }
        if out.heap_size() > checked + 65536 {
            checked = out.heap_size();
            // The buffer doubles.
            vm.check_room(checked * 2)?;
        }
        let code = text(vm, &args[0]).get(at);
        if let Some(Some(known)) = known.get(code as usize) {
            if let Some(text) = known {
                out.push_text(text);
            }
            continue;
        }
        let replacement = translated(vm, &args[1], code)?;
        if let Some(text) = &replacement {
            out.push_text(text);
        }
        if let Some(slot) = known.get_mut(code as usize) {
            *slot = Some(replacement);
        }
    }
    Ok(vm.new_str(out.finish()))
}

fn translated(vm: &mut Vm, table: &Value, code: u32) -> Result<Option<Text>> {
    let item = match vm.get_item(table, &Value::small(i64::from(code))) {
        Ok(item) => item,
        Err(raised) => {
            return if vm.clear_if(ExceptionKind::LookupError) { Ok(Some(Text::from_code(code))) } else { Err(raised) };
        }
    };
    if item.is_none() {
        return Ok(None);
    }
    if let Some(text) = text_if(vm, &item) {
        return Ok(Some(text.clone()));
    }
    match super::numeric::int_of(vm, &item) {
        Some(number) => match number.as_ref().to_i64() {
            Some(code @ 0..=0x10_FFFF) => Ok(Some(Text::from_code(code as u32))),
            _ => Err(vm.value_error("character mapping must be in range(0x110000)")),
        },
        None => Err(vm.type_error("character mapping must return integer, None or str")),
    }
}

fn maketrans(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let table = vm.new_dict();
    let Some(to) = args.given(1) else {
        if !args[0].holds::<Dict>() {
            return Err(vm.type_error("if you give only one argument to maketrans it must be a dict"));
        }
        let items: Vec<(Value, Value)> =
            args[0].downcast::<Dict>().expect("looked at above").get(vm).items().map(|(key, value)| (key.clone(), value.clone())).collect();
        for (key, value) in items {
            let key = if let Some(text) = text_if(vm, &key) {
                if text.len() != 1 {
                    return Err(vm.value_error("string keys in translate table must be of length 1"));
                }
                Value::small(i64::from(text.get(0)))
            } else if super::numeric::is_int(&key) {
                key
            } else {
                return Err(vm.type_error("keys in translate table must be strings or integers"));
            };
            vm.set_item(&table, &key, &value)?;
        }
        return Ok(table.into());
    };
    expect_text(vm, &args[0], |_| "first maketrans argument must be a string if there is a second argument".to_owned())?;
    expect_text(vm, to, |name| format!("maketrans() argument 2 must be str, not {name}"))?;
    if let Some(deleted) = args.given(2) {
        expect_text(vm, deleted, |name| format!("maketrans() argument 3 must be str, not {name}"))?;
    }
    let (from, to) = (text(vm, &args[0]).clone(), text(vm, to).clone());
    if from.len() != to.len() {
        return Err(vm.value_error("the first two maketrans arguments must have equal length"));
    }
    for (from, to) in from.codes().zip(to.codes()) {
        vm.set_item(&table, &Value::small(i64::from(from)), &Value::small(i64::from(to)))?;
    }
    if let Some(deleted) = args.given(2) {
        let deleted = text(vm, deleted).clone();
        for code in deleted.codes() {
            vm.set_item(&table, &Value::small(i64::from(code)), &Value::NONE)?;
        }
    }
    Ok(table.into())
}

fn format_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let positional = args[1].downcast::<Tuple>().expect("collected by the signature").get(vm).items().to_vec();
    format_string::format(vm, &args[0], Some(&positional), &args[2])
}

fn format_map(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    format_string::format(vm, &args[0], None, &args[1])
}

/// The digits of a number's text in ASCII, white space at the ends stripped: what `int()`, `float()` and `complex()` read.
/// `None` when there is a character that is neither ASCII, a digit nor white space.
pub(crate) fn numeric_ascii(text: &Text) -> Option<Vec<u8>> {
    let range = split::strip(text.view(), Ends::Both, None);
    let view = text.view().slice(range.start, range.end);
    let mut out = Vec::with_capacity(view.len());
    for code in view.codes() {
        out.push(match code {
            0..0x80 => code as u8,
            _ if unicode::is_space(code) => b' ',
            _ => b'0' + unicode::decimal_value(code)?,
        });
    }
    Some(out)
}
