//! `memoryview`: a window onto the bytes of another object, with a format, a shape and strides.

use std::cell::Cell;
use std::rc::Rc;

use super::buffer::{ItemError, item_bytes, item_size, plain_bytes, plain_bytes_mut, read_item};
use super::bytes_methods::hex_of;
use super::index::{Subscript, index_value, is_index, position, subscript};
use super::scalar_iterator;
use super::str_methods::text;
use crate::code::instruction::Comparison;
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, getter, native};
use crate::object::type_object::{HAS_WEAKREFS, MATCH_SEQUENCE, Slots, TypeSpec, constructor};
use crate::object::types::bytearray::ByteArray;
use crate::object::types::exception::ExceptionKind;
use crate::object::types::slice::Slice;
use crate::object::types::str::Str;
use crate::object::types::tuple::Tuple;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::stdlib::array::Array;
use crate::text::hash_bytes;
use crate::vm::{Raised, Result, Vm};

/// Keeps an object's length fixed while it lives.
pub(crate) struct Export(Rc<Cell<usize>>);

impl Export {
    pub(crate) fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(count.clone())
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Keeps the length of a bytes-like object fixed while scripts run that could change it.
pub(crate) fn hold(vm: &Vm, object: &Value) -> Option<Export> {
    if let Some(array) = object.downcast::<ByteArray>() {
        return Some(Export::new(&array.get(vm).exports));
    }
    if let Some(array) = object.downcast::<Array>() {
        return Some(Export::new(&array.get(vm).exports));
    }
    object.downcast::<MemoryView>().and_then(|view| hold(vm, view.get(vm).owner.as_ref()?))
}

/// A window; `owner` goes when it is released.
pub(crate) struct MemoryView {
    owner: Option<Value>,
    export: Option<Export>,
    read_only: bool,
    /// The letter of an item in native order.
    format: u8,
    item_size: usize,
    offset: isize,
    /// How many items in each dimension; none for a single item.
    shape: Vec<usize>,
    /// Bytes from one item to the next in each dimension.
    strides: Vec<isize>,
    hash: Option<i64>,
}

impl MemoryView {
    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only
    }
    /// Bytes of all items.
    pub(crate) fn n_bytes(&self) -> usize {
        self.n_items() * self.item_size
    }
    fn n_items(&self) -> usize {
        self.shape.iter().product()
    }
    fn is_contiguous(&self) -> bool {
        let mut expected = self.item_size as isize;
        for (&length, &stride) in self.shape.iter().zip(&self.strides).rev() {
            if length > 1 && stride != expected {
                return false;
            }
            expected *= length as isize;
        }
        true
    }
    fn is_fortran_contiguous(&self) -> bool {
        let mut expected = self.item_size as isize;
        for (&length, &stride) in self.shape.iter().zip(&self.strides) {
            if length > 1 && stride != expected {
                return false;
            }
            expected *= length as isize;
        }
        true
    }
    /// The places of all items in row-major order.
    fn offsets(&self) -> Vec<isize> {
        let mut offsets = vec![self.offset];
        for (&length, &stride) in self.shape.iter().zip(&self.strides) {
            offsets = offsets.into_iter().flat_map(|start| (0..length as isize).map(move |index| start + index * stride)).collect();
        }
        offsets
    }
    /// Another window onto the same object.
    fn window(&self, offset: isize, shape: Vec<usize>, strides: Vec<isize>) -> Self {
        Self {
            owner: self.owner.clone(),
            export: self.export.as_ref().map(|export| Export::new(&export.0)),
            read_only: self.read_only,
            format: self.format,
            item_size: self.item_size,
            offset,
            shape,
            strides,
            hash: None,
        }
    }
}

impl Payload for MemoryView {
    const LAYOUT: Layout = Layout::MemoryView;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        if let Some(owner) = &self.owner {
            visit(owner.word());
        }
    }
    fn clear(&mut self) {
        self.owner = None;
        self.export = None;
    }
}

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "memoryview",
    doc: "memoryview(object)\n\nA window onto the bytes of an object that supports the buffer protocol.",
    layout: Layout::MemoryView,
    flags: MATCH_SEQUENCE | HAS_WEAKREFS,
    new: constructor("memoryview(object)", |vm, args| make(vm, &args[1])),
    slots: Slots {
        repr: Some(repr),
        hash: Some(hash),
        compare: Some(compare),
        iter: Some(iterate),
        len: Some(len),
        get_item: Some(get_item),
        set_item: Some(set_item),
        ..Slots::NONE
    },
    methods: &[
        native("__buffer__(self, flags, /)", buffer_method).wrapper(),
        native("__release_buffer__(self, buffer, /)", release_buffer_method).wrapper(),
        native("release(self, /)", release),
        native("tobytes(self, /, order: str | None='C')", tobytes),
        native("hex(self, sep=None, bytes_per_sep: index=1)", hex),
        native("tolist(self, /)", tolist),
        native("cast(self, /, format, shape=None)", cast),
        native("toreadonly(self, /)", toreadonly),
        native("__enter__(self, /)", |vm, args| {
            this(vm, &args[0])?;
            Ok(args[0].clone())
        }),
        native("__exit__(self, /, *exc_info)", release).unpacked(),
    ],
    class_methods: &[native("_from_flags(cls, /, object, flags)", |vm, args| make(vm, &args[1]))],
    getset: &[
        getter("obj", |vm, value| {
            this(vm, value)?;
            Ok(view(value).get(vm).owner.clone().unwrap_or(Value::NONE))
        }),
        getter("nbytes", |vm, value| Ok(Value::small(this(vm, value)?.get(vm).n_bytes() as i64))),
        getter("readonly", |vm, value| Ok(Value::from_bool(this(vm, value)?.get(vm).read_only))),
        getter("itemsize", |vm, value| Ok(Value::small(this(vm, value)?.get(vm).item_size as i64))),
        getter("format", |vm, value| {
            let letter = this(vm, value)?.get(vm).format;
            Ok(vm.new_str(char::from(letter).to_string()))
        }),
        getter("ndim", |vm, value| Ok(Value::small(this(vm, value)?.get(vm).shape.len() as i64))),
        getter("shape", |vm, value| {
            let items: Vec<Value> = this(vm, value)?.get(vm).shape.iter().map(|&length| Value::small(length as i64)).collect();
            Ok(vm.new_tuple(items))
        }),
        getter("strides", |vm, value| {
            let items: Vec<Value> = this(vm, value)?.get(vm).strides.iter().map(|&stride| Value::small(stride as i64)).collect();
            Ok(vm.new_tuple(items))
        }),
        getter("suboffsets", |vm, value| {
            this(vm, value)?;
            Ok(vm.empty_tuple())
        }),
        getter("c_contiguous", |vm, value| Ok(Value::from_bool(this(vm, value)?.get(vm).is_contiguous()))),
        getter("f_contiguous", |vm, value| Ok(Value::from_bool(this(vm, value)?.get(vm).is_fortran_contiguous()))),
        getter("contiguous", |vm, value| {
            let view = this(vm, value)?.get(vm);
            Ok(Value::from_bool(view.is_contiguous() || view.is_fortran_contiguous()))
        }),
    ],
    ..TypeSpec::DEFAULT
};

fn view(value: &Value) -> &Ref<MemoryView> {
    value.downcast::<MemoryView>().expect("the receiver is a memoryview")
}

/// The receiver, unless it was released.
fn this<'a>(vm: &mut Vm, value: &'a Value) -> Result<&'a Ref<MemoryView>> {
    let view = view(value);
    if view.get(vm).owner.is_none() {
        return Err(vm.value_error("operation forbidden on released memoryview object"));
    }
    Ok(view)
}

fn new_view(vm: &mut Vm, view: MemoryView) -> Value {
    let class = vm.native_type(&TYPE);
    vm.alloc_for(&class, view).into_value()
}

/// `memoryview(object)`.
pub(crate) fn make(vm: &mut Vm, object: &Value) -> Result<Value> {
    if object.holds::<MemoryView>() {
        let other = this(vm, object)?.get(vm);
        let copy = other.window(other.offset, other.shape.clone(), other.strides.clone());
        return Ok(new_view(vm, copy));
    }
    let Some(length) = plain_bytes(vm, object).map(<[u8]>::len) else {
        let name = vm.type_name(object);
        return Err(vm.type_error(format!("memoryview: a bytes-like object is required, not '{name}'")));
    };
    let export = match (object.downcast::<ByteArray>(), object.downcast::<Array>()) {
        (Some(array), _) => Some(Export::new(&array.get(vm).exports)),
        (_, Some(array)) => Some(Export::new(&array.get(vm).exports)),
        _ => None,
    };
    let format = object.downcast::<Array>().map_or(b'B', |array| array.get(vm).format());
    let item_size = item_size(format).unwrap_or(1);
    let made = MemoryView {
        owner: Some(object.clone()),
        read_only: export.is_none(),
        export,
        format,
        item_size,
        offset: 0,
        shape: vec![length / item_size],
        strides: vec![item_size as isize],
        hash: None,
    };
    Ok(new_view(vm, made))
}

/// The bytes of all items in row-major order.
pub(crate) fn to_bytes(vm: &mut Vm, view: &Ref<MemoryView>) -> Result<Vec<u8>> {
    this(vm, view)?;
    let payload = view.get(vm);
    let bytes = owner_bytes(vm, payload);
    if payload.is_contiguous() {
        let start = payload.offset as usize;
        return Ok(bytes.get(start..start + payload.n_bytes()).unwrap_or_default().to_vec());
    }
    let mut out = Vec::with_capacity(payload.n_bytes());
    for offset in payload.offsets() {
        out.extend_from_slice(bytes.get(offset as usize..offset as usize + payload.item_size).unwrap_or_default());
    }
    Ok(out)
}

/// The bytes of a memoryview; `None` for what is none.
pub(crate) fn bytes_of(vm: &mut Vm, value: &Value) -> Result<Option<Vec<u8>>> {
    match value.downcast::<MemoryView>() {
        Some(view) => to_bytes(vm, &view.clone()).map(Some),
        None => Ok(None),
    }
}

/// Whether [`bytes_of`] would give bytes.
pub(crate) fn offers_bytes(vm: &Vm, value: &Value) -> bool {
    let _ = vm;
    value.holds::<MemoryView>()
}

fn owner_bytes<'a>(vm: &'a Vm, view: &'a MemoryView) -> &'a [u8] {
    view.owner.as_ref().and_then(|owner| plain_bytes(vm, owner)).unwrap_or_default()
}

/// Writes bytes over the items from byte `offset` of the window on; how many fitted.
pub(crate) fn write_into(vm: &mut Vm, view: &Ref<MemoryView>, offset: usize, bytes: &[u8]) -> Result<usize> {
    this(vm, view)?;
    let payload = view.get(vm);
    if payload.read_only {
        return Err(vm.type_error("cannot modify read-only memory"));
    }
    let size = payload.item_size;
    let places: Vec<usize> =
        payload.offsets().into_iter().flat_map(|start| (0..size).map(move |index| start as usize + index)).skip(offset).take(bytes.len()).collect();
    let owner = payload.owner.clone().expect("looked at above");
    if let Some(target) = plain_bytes_mut(vm, &owner) {
        for (&place, &byte) in places.iter().zip(bytes) {
            if let Some(slot) = target.get_mut(place) {
                *slot = byte;
            }
        }
    }
    Ok(places.len())
}

fn repr(vm: &mut Vm, value: &Value) -> Result<Value> {
    let released = if view(value).get(vm).owner.is_none() { "released " } else { "" };
    Ok(vm.new_str(format!("<{released}memory at {:#x}>", value.address())))
}

fn hash(vm: &mut Vm, value: &Value) -> Result<i64> {
    if let Some(hash) = view(value).get(vm).hash {
        return Ok(hash);
    }
    let payload = this(vm, value)?.get(vm);
    if !payload.read_only {
        return Err(vm.value_error("cannot hash writable memoryview object"));
    }
    if !matches!(payload.format, b'B' | b'b' | b'c') {
        return Err(vm.value_error("memoryview: hashing is restricted to formats 'B', 'b' or 'c'"));
    }
    let bytes = to_bytes(vm, view(value))?;
    let hash = hash_bytes(&bytes, vm.state().hash_seed);
    view(value).get_mut(vm).hash = Some(hash);
    Ok(hash)
}

fn compare(vm: &mut Vm, left: &Value, right: &Value, how: Comparison) -> Result<Value> {
    if how != Comparison::Equal && how != Comparison::NotEqual {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    let (one, other) = if left.holds::<MemoryView>() { (left, right) } else { (right, left) };
    let equal = if one.is(other) {
        true
    } else {
        let other = if other.holds::<MemoryView>() {
            other.clone()
        } else if plain_bytes(vm, other).is_some() {
            make(vm, other)?
        } else {
            return Ok(Value::NOT_IMPLEMENTED);
        };
        let (one, other) = (view(one), view(&other));
        let (first, second) = (one.get(vm), other.get(vm));
        if first.owner.is_none() || second.owner.is_none() || first.shape != second.shape {
            false
        } else if first.format == second.format && !matches!(first.format, b'f' | b'd' | b'e') {
            to_bytes(vm, one)? == to_bytes(vm, other)?
        } else {
            let mut equal = true;
            for (first, second) in first.offsets().into_iter().zip(second.offsets()) {
                let (first, second) = (item_at(vm, one.get(vm), first), item_at(vm, other.get(vm), second));
                equal = vm.equal(&first, &second)? && !is_nan(vm, &first);
                if !equal {
                    break;
                }
                vm.poll_after(1)?;
            }
            equal
        }
    };
    Ok(Value::from_bool(equal == (how == Comparison::Equal)))
}

fn is_nan(vm: &Vm, value: &Value) -> bool {
    super::numeric::float_of(vm, value).is_some_and(f64::is_nan)
}

/// All items in row-major order.
fn items(vm: &mut Vm, view: &Ref<MemoryView>) -> Vec<Value> {
    let payload = view.get(vm);
    payload.offsets().into_iter().map(|offset| item_at(vm, payload, offset)).collect()
}

fn item_at(vm: &Vm, view: &MemoryView, offset: isize) -> Value {
    let start = offset as usize;
    match owner_bytes(vm, view).get(start..start + view.item_size) {
        Some(bytes) => read_item(vm, view.format, bytes, cfg!(target_endian = "little")),
        None => Value::NONE,
    }
}

fn len(vm: &mut Vm, value: &Value) -> Result<usize> {
    match this(vm, value)?.get(vm).shape.first() {
        Some(&length) => Ok(length),
        None => Err(vm.type_error("0-dim memory has no length")),
    }
}

fn iterate(vm: &mut Vm, value: &Value) -> Result<Value> {
    match this(vm, value)?.get(vm).shape.len() {
        0 => Err(vm.type_error("invalid indexing of 0-dim memory")),
        1 => scalar_iterator::iterate(vm, value),
        _ => Err(refuse(vm, "multi-dimensional sub-views are not implemented")),
    }
}

/// What CPython 3.13 cannot do either, in its words.
fn refuse(vm: &mut Vm, words: &str) -> Raised {
    vm.raise(ExceptionKind::NotImplementedError, words)
}

/// A place in the window that a key names.
enum Place {
    Item(isize),
    Window(MemoryView),
}

fn place(vm: &mut Vm, value: &Value, key: &Value) -> Result<Place> {
    let this = this(vm, value)?.clone();
    let n_dimensions = this.get(vm).shape.len();
    if n_dimensions == 0 {
        let is_all = key.is(&Value::ELLIPSIS) || matches!(key.downcast::<Tuple>(), Some(tuple) if tuple.get(vm).items().is_empty());
        if is_all {
            return Ok(Place::Item(this.get(vm).offset));
        }
        return Err(vm.type_error("invalid indexing of 0-dim memory"));
    }
    if let Some(keys) = key.downcast::<Tuple>() {
        let keys = keys.get(vm).items().to_vec();
        return multiple(vm, &this, &keys);
    }
    let length = |vm: &Vm| this.get(vm).shape.first().copied().unwrap_or(0);
    match subscript(vm, key, length, |_| "memoryview: invalid slice key".to_owned())? {
        Subscript::At(index) => {
            let payload = this.get(vm);
            let (length, stride, offset) = (payload.shape[0], payload.strides[0], payload.offset);
            if n_dimensions > 1 {
                return Err(refuse(vm, "multi-dimensional sub-views are not implemented"));
            }
            match position(index, length) {
                Some(at) => Ok(Place::Item(offset + at as isize * stride)),
                None => Err(vm.index_error("index out of bounds on dimension 1")),
            }
        }
        Subscript::Span(span) => {
            let payload = this.get(vm);
            let (mut shape, mut strides) = (payload.shape.clone(), payload.strides.clone());
            let offset = payload.offset + span.first() as isize * strides[0];
            shape[0] = span.count;
            strides[0] *= span.step as isize;
            Ok(Place::Window(payload.window(offset, shape, strides)))
        }
    }
}

fn multiple(vm: &mut Vm, this: &Ref<MemoryView>, keys: &[Value]) -> Result<Place> {
    if !keys.iter().all(|key| is_index(vm, key)) {
        let are_slices = keys.iter().all(Value::holds::<Slice>);
        return Err(if are_slices {
            refuse(vm, "multi-dimensional slicing is not implemented")
        } else {
            vm.type_error("memoryview: invalid slice key")
        });
    }
    let n_dimensions = this.get(vm).shape.len();
    if keys.len() < n_dimensions {
        return Err(refuse(vm, "sub-views are not implemented"));
    }
    if keys.len() > n_dimensions {
        return Err(vm.type_error(format!("cannot index {n_dimensions}-dimension view with {}-element tuple", keys.len())));
    }
    let mut offset = this.get(vm).offset;
    for (dimension, key) in keys.iter().enumerate() {
        let index = index_value(vm, key)?;
        let payload = this.get(vm);
        let (length, stride) = (payload.shape[dimension], payload.strides[dimension]);
        match position(index, length) {
            Some(at) => offset += at as isize * stride,
            None => return Err(vm.index_error(format!("index out of bounds on dimension {}", dimension + 1))),
        }
    }
    Ok(Place::Item(offset))
}

fn get_item(vm: &mut Vm, value: &Value, key: &Value) -> Result<Value> {
    if key.is(&Value::ELLIPSIS) && this(vm, value)?.get(vm).shape.is_empty() {
        return Ok(value.clone());
    }
    match place(vm, value, key)? {
        Place::Item(offset) => {
            let payload = this(vm, value)?.get(vm);
            Ok(item_at(vm, payload, offset))
        }
        Place::Window(window) => Ok(new_view(vm, window)),
    }
}

fn set_item(vm: &mut Vm, value: &Value, key: &Value, item: Option<&Value>) -> Result<()> {
    if this(vm, value)?.get(vm).read_only {
        return Err(vm.type_error("cannot modify read-only memory"));
    }
    let Some(item) = item else { return Err(vm.type_error("cannot delete memory")) };
    if view(value).get(vm).shape.len() > 1 {
        let are_slices = |keys: &[Value]| keys.iter().all(Value::holds::<Slice>);
        if key.holds::<Slice>() || key.downcast::<Tuple>().is_some_and(|keys| are_slices(keys.get(vm).items())) {
            return Err(refuse(vm, "memoryview slice assignments are currently restricted to ndim = 1"));
        }
        if is_index(vm, key) {
            return Err(refuse(vm, "sub-views are not implemented"));
        }
    }
    match place(vm, value, key)? {
        Place::Item(offset) => {
            let (letter, size) = {
                let payload = view(value).get(vm);
                (payload.format, payload.item_size)
            };
            let bytes = match item_bytes(vm, letter, item, size, cfg!(target_endian = "little"))? {
                Ok(bytes) => bytes,
                Err(error) => {
                    let shown = char::from(letter);
                    return Err(match error {
                        ItemError::Type => vm.type_error(format!("memoryview: invalid type for format '{shown}'")),
                        ItemError::Range => vm.value_error(format!("memoryview: invalid value for format '{shown}'")),
                    });
                }
            };
            let owner = this(vm, value)?.get(vm).owner.clone().expect("looked at by `this`");
            if let Some(target) = plain_bytes_mut(vm, &owner)
                && let Some(target) = target.get_mut(offset as usize..offset as usize + size)
            {
                target.copy_from_slice(&bytes);
            }
            Ok(())
        }
        Place::Window(window) => {
            if !item.holds::<MemoryView>() && plain_bytes(vm, item).is_none() {
                let name = vm.type_name(item);
                return Err(vm.type_error(format!("a bytes-like object is required, not '{name}'")));
            }
            let source = make(vm, item)?;
            let same = {
                let source = view(&source).get(vm);
                source.format == window.format && source.shape == window.shape
            };
            if !same {
                return Err(vm.value_error("memoryview assignment: lvalue and rvalue have different structures"));
            }
            let bytes = to_bytes(vm, view(&source))?;
            let target = new_view(vm, window);
            write_into(vm, view(&target), 0, &bytes)?;
            Ok(())
        }
    }
}

fn release(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let payload = view(&args[0]).get_mut(vm);
    let gone = (payload.owner.take(), payload.export.take());
    drop(gone);
    Ok(Value::NONE)
}

fn tobytes(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if let Some(order) = args.given_some(1)
        && !matches!(vm.text_of(order).and_then(|order| order.as_ascii()), Some("C" | "F" | "A"))
    {
        return Err(vm.value_error("order must be 'C', 'F' or 'A'"));
    }
    let bytes = to_bytes(vm, view(&args[0]))?;
    Ok(vm.new_bytes(bytes))
}

fn hex(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let bytes = to_bytes(vm, view(&args[0]))?;
    hex_of(vm, &bytes, args.given(1), args.given(2))
}

fn tolist(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let this = this(vm, &args[0])?.clone();
    // Places, items and the list.
    let count: usize = this.get(vm).shape.iter().product();
    vm.check_room(count.saturating_mul(24))?;
    let mut flat = items(vm, &this).into_iter();
    let shape = this.get(vm).shape.clone();
    Ok(nested(vm, &shape, &mut flat))
}

fn nested(vm: &mut Vm, shape: &[usize], flat: &mut impl Iterator<Item = Value>) -> Value {
    match shape {
        [] => flat.next().unwrap_or(Value::NONE),
        [length, rest @ ..] => {
            let rows: Vec<Value> = (0..*length).map(|_| nested(vm, rest, flat)).collect();
            vm.new_list(rows)
        }
    }
}

fn toreadonly(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let payload = this(vm, &args[0])?.get(vm);
    let mut copy = payload.window(payload.offset, payload.shape.clone(), payload.strides.clone());
    copy.read_only = true;
    Ok(new_view(vm, copy))
}

fn cast(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let this = this(vm, &args[0])?.clone();
    if !args[1].holds::<Str>() {
        let name = vm.type_name(&args[1]);
        return Err(vm.type_error(format!("cast() argument 'format' must be str, not {name}")));
    }
    let letter = match text(vm, &args[1]).as_ascii().map(str::as_bytes) {
        Some([letter] | [b'@', letter]) => Some(*letter),
        _ => None,
    };
    let Some((letter, size)) = letter.and_then(|letter| Some((letter, item_size(letter)?))) else {
        return Err(vm.value_error("memoryview: destination format must be a native single character format prefixed with an optional '@'"));
    };
    let shape = match args.given_some(2) {
        None => None,
        Some(shape) => Some(cast_shape(vm, shape)?),
    };
    let payload = this.get(vm);
    if !payload.is_contiguous() {
        return Err(vm.type_error("memoryview: casts are restricted to C-contiguous views"));
    }
    if (shape.is_some() || payload.shape.len() != 1) && payload.shape.len() != 1 && shape.as_ref().is_some_and(|shape| shape.len() != 1) {
        return Err(vm.type_error("memoryview: cast must be 1D -> ND or ND -> 1D"));
    }
    let is_byte = |letter: u8| matches!(letter, b'B' | b'b' | b'c');
    if letter != payload.format && !is_byte(letter) && !is_byte(payload.format) {
        return Err(vm.type_error("memoryview: cannot cast between two non-byte formats"));
    }
    let n_bytes = payload.n_bytes();
    if !n_bytes.is_multiple_of(size) {
        return Err(vm.type_error("memoryview: length is not a multiple of itemsize"));
    }
    let shape = shape.unwrap_or_else(|| vec![n_bytes / size]);
    if shape.iter().try_fold(size, |all, &length| all.checked_mul(length)) != Some(n_bytes) {
        return Err(vm.type_error("memoryview: product(shape) * itemsize != buffer size"));
    }
    let mut strides = vec![0; shape.len()];
    let mut stride = size as isize;
    for (slot, &length) in strides.iter_mut().zip(&shape).rev() {
        *slot = stride;
        stride *= length as isize;
    }
    let mut window = payload.window(payload.offset, shape, strides);
    (window.format, window.item_size) = (letter, size);
    Ok(new_view(vm, window))
}

fn cast_shape(vm: &mut Vm, shape: &Value) -> Result<Vec<usize>> {
    if !shape.holds::<Tuple>() && !shape.holds::<crate::object::types::list::List>() {
        return Err(vm.type_error("shape must be a list or a tuple"));
    }
    let items = vm.collect(shape)?;
    if items.len() > 64 {
        return Err(vm.value_error("memoryview: number of dimensions must not exceed 64"));
    }
    let mut lengths = Vec::with_capacity(items.len());
    for item in &items {
        if !super::numeric::is_int(item) {
            return Err(vm.type_error("memoryview.cast(): elements of shape must be integers"));
        }
        let length = vm.index_i64(item)?;
        if length <= 0 {
            return Err(vm.value_error("memoryview.cast(): elements of shape must be integers > 0"));
        }
        lengths.push(length as usize);
    }
    Ok(lengths)
}

/// `object.__buffer__(flags)`: a view of what offers its bytes.
pub(crate) fn buffer_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    vm.index(&args[1])?;
    let class = vm.builtin(crate::object::types::TypeId::MemoryView);
    vm.call(&class, &args[..1])
}

/// `object.__release_buffer__(view)`
pub(crate) fn release_buffer_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if !vm.is_kind(&args[1], crate::object::types::TypeId::MemoryView) {
        return Err(vm.type_error("expected a memoryview object"));
    }
    vm.call_method(&args[1], "release", &[])
}
