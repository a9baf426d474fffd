//! The operations of Python's data model on any values: arithmetic, comparison, hashing, items, iteration, truth, text.

use std::ops::ControlFlow;

use super::state::Name;
use super::vm::{Result, Vm};
use crate::code::instruction::Comparison;
use crate::object::type_object::{BinaryOperator, Type};
use crate::object::types::TypeId;
use crate::object::types::dict::Dict;
use crate::object::types::exception::ExceptionKind;
use crate::object::types::iterator::SequenceIterator;
use crate::object::types::list::List;
use crate::object::types::str::Str;
use crate::object::types::tuple::Tuple;
use crate::object::types::{list_methods, tuple_methods};
use crate::object::value::{Ref, Value};
use crate::text::Text;

/// The operator's sign, its special method and the reflected one, and the augmented one.
pub(crate) const OPERATOR_NAMES: [(&str, &str, &str, &str); 13] = [
    ("+", "__add__", "__radd__", "__iadd__"),
    ("-", "__sub__", "__rsub__", "__isub__"),
    ("*", "__mul__", "__rmul__", "__imul__"),
    ("/", "__truediv__", "__rtruediv__", "__itruediv__"),
    ("//", "__floordiv__", "__rfloordiv__", "__ifloordiv__"),
    ("%", "__mod__", "__rmod__", "__imod__"),
    ("&", "__and__", "__rand__", "__iand__"),
    ("|", "__or__", "__ror__", "__ior__"),
    ("^", "__xor__", "__rxor__", "__ixor__"),
    ("<<", "__lshift__", "__rlshift__", "__ilshift__"),
    (">>", "__rshift__", "__rrshift__", "__irshift__"),
    ("** or pow()", "__pow__", "__rpow__", "__ipow__"),
    ("@", "__matmul__", "__rmatmul__", "__imatmul__"),
];

/// A comparison's sign and special method.
pub(crate) fn comparison_names(comparison: Comparison) -> (&'static str, &'static str) {
    match comparison {
        Comparison::Less => ("<", "__lt__"),
        Comparison::LessEqual => ("<=", "__le__"),
        Comparison::Equal => ("==", "__eq__"),
        Comparison::NotEqual => ("!=", "__ne__"),
        Comparison::Greater => (">", "__gt__"),
        Comparison::GreaterEqual => (">=", "__ge__"),
        Comparison::Is => ("is", ""),
        Comparison::IsNot => ("is not", ""),
        Comparison::In => ("in", ""),
        Comparison::NotIn => ("not in", ""),
    }
}

/// The comparison with its operands exchanged.
pub(crate) fn reflected(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Less => Comparison::Greater,
        Comparison::LessEqual => Comparison::GreaterEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterEqual => Comparison::LessEqual,
        other => other,
    }
}

/// What an item that a native takes from an iterator stands for in instructions.
const NEXT_STEPS: usize = 2;

impl Vm {
    // ---- arithmetic

    /// `left OP right` by the operands' slots; `NotImplemented` when neither knows how.
    pub(crate) fn binary_or_not_implemented(&mut self, operator: BinaryOperator, left: &Value, right: &Value) -> Result<Value> {
        self.enter_native()?;
        let place = operator as usize;
        let left_type = self.type_ref(left);
        let right_type = self.type_ref(right);
        let left_slot = left_type.get(self).slots.binary[place];
        let mut right_slot = if left_type.is(right_type) { None } else { right_type.get(self).slots.binary[place] };
        if let (Some(left_slot), Some(other)) = (left_slot, right_slot) {
            if std::ptr::fn_addr_eq(left_slot, other) {
                right_slot = None;
            } else if right_type.get(self).is_subtype_of(left_type) {
                let result = other(self, left, right)?;
                if !result.is_not_implemented() {
                    return Ok(result);
                }
                right_slot = None;
            }
        }
        if let Some(slot) = left_slot {
            let result = slot(self, left, right)?;
            if !result.is_not_implemented() {
                return Ok(result);
            }
        }
        if let Some(slot) = right_slot {
            return slot(self, left, right);
        }
        Ok(Value::NOT_IMPLEMENTED)
    }

    /// `left OP right`.
    pub(crate) fn binary(&mut self, operator: BinaryOperator, left: &Value, right: &Value) -> Result<Value> {
        let result = self.binary_or_not_implemented(operator, left, right)?;
        if result.is_not_implemented() {
            return Err(self.unsupported(OPERATOR_NAMES[operator as usize].0, operator, left, right));
        }
        Ok(result)
    }

    /// `left OP= right`: the result to be stored.
    pub(crate) fn in_place(&mut self, operator: BinaryOperator, left: &Value, right: &Value) -> Result<Value> {
        if let Some(slot) = self.type_payload(left).slots.in_place[operator as usize] {
            let result = slot(self, left, right)?;
            if !result.is_not_implemented() {
                return Ok(result);
            }
        }
        let result = self.binary_or_not_implemented(operator, left, right)?;
        if result.is_not_implemented() {
            let sign = OPERATOR_NAMES[operator as usize].0.split(' ').next().unwrap_or_default();
            return Err(self.unsupported(&format!("{sign}="), operator, left, right));
        }
        Ok(result)
    }

    /// What `__add__` and `__mul__` of a sequence, called by name, make of an operand they cannot take: an error, where
    /// numbers say `NotImplemented`.
    #[cold]
    pub(crate) fn refuse_operand(&mut self, operator: BinaryOperator, sequence: &Value, other: &Value) -> super::vm::Raised {
        match operator {
            BinaryOperator::Multiply => match self.index(other) {
                Err(raised) => raised,
                Ok(_) => self.unsupported("*", operator, sequence, other),
            },
            _ => self.unsupported("+", operator, sequence, other),
        }
    }

    #[cold]
    fn unsupported(&mut self, sign: &str, operator: BinaryOperator, left: &Value, right: &Value) -> super::vm::Raised {
        if sign == "+" || sign == "+=" {
            // Sequences word their own refusal.
            if left.holds::<Str>() && self.is_kind(left, TypeId::Str) {
                let message = format!("can only concatenate str (not \"{}\") to str", self.type_name(right));
                return self.type_error(message);
            }
            for (kind, name) in [(TypeId::List, "list"), (TypeId::Tuple, "tuple")] {
                if self.is_kind(left, kind) {
                    let message = format!("can only concatenate {name} (not \"{}\") to {name}", self.type_name(right));
                    return self.type_error(message);
                }
            }
            if self.is_kind(left, TypeId::Bytes) || self.is_kind(left, TypeId::ByteArray) {
                let message = format!("can't concat {} to {}", self.type_name(right), self.type_name(left));
                return self.type_error(message);
            }
        }
        if matches!(operator, BinaryOperator::Multiply) {
            for (sequence, other) in [(left, right), (right, left)] {
                let is_sequence =
                    [TypeId::Str, TypeId::List, TypeId::Tuple, TypeId::Bytes, TypeId::ByteArray].iter().any(|kind| self.is_kind(sequence, *kind));
                if is_sequence {
                    let message = format!("can't multiply sequence by non-int of type '{}'", self.type_name(other));
                    return self.type_error(message);
                }
            }
        }
        let mut message = format!("unsupported operand type(s) for {sign}: '{}' and '{}'", self.type_name(left), self.type_name(right));
        if sign == ">>" {
            use crate::object::native::NativeFunction;
            if left.downcast::<NativeFunction>().is_some_and(|native| native.get(self).name() == "print") {
                message.push_str(". Did you mean \"print(<message>, file=<output_stream>)\"?");
            }
        }
        self.type_error(message)
    }

    /// A unary operation by its slot.
    fn unary(&mut self, value: &Value, slot: Option<crate::object::type_object::UnaryFn>, sign: &str) -> Result<Value> {
        match slot {
            Some(slot) => slot(self, value),
            None => {
                let message = format!("bad operand type for {sign}: '{}'", self.type_name(value));
                Err(self.type_error(message))
            }
        }
    }

    /// `-value`
    pub(crate) fn negative(&mut self, value: &Value) -> Result<Value> {
        self.unary(value, self.type_payload(value).slots.negative, "unary -")
    }
    /// `+value`
    pub(crate) fn positive(&mut self, value: &Value) -> Result<Value> {
        self.unary(value, self.type_payload(value).slots.positive, "unary +")
    }
    /// `~value`
    pub(crate) fn invert(&mut self, value: &Value) -> Result<Value> {
        self.unary(value, self.type_payload(value).slots.invert, "unary ~")
    }
    /// `abs(value)`
    pub(crate) fn absolute(&mut self, value: &Value) -> Result<Value> {
        self.unary(value, self.type_payload(value).slots.absolute, "abs()")
    }

    // ---- comparison

    /// `left OP right` for the six comparisons.
    pub(crate) fn compare(&mut self, left: &Value, right: &Value, comparison: Comparison) -> Result<Value> {
        self.enter_native()?;
        let left_type = self.type_ref(left);
        let right_type = self.type_ref(right);
        let left_slot = left_type.get(self).slots.compare;
        let right_slot = right_type.get(self).slots.compare;
        let mut right_tried = false;
        if !left_type.is(right_type) && right_type.get(self).is_subtype_of(left_type) {
            if let Some(slot) = right_slot {
                right_tried = true;
                let result = slot(self, right, left, reflected(comparison))?;
                if !result.is_not_implemented() {
                    return Ok(result);
                }
            }
        }
        if let Some(slot) = left_slot {
            let result = slot(self, left, right, comparison)?;
            if !result.is_not_implemented() {
                return Ok(result);
            }
        }
        if !right_tried {
            if let Some(slot) = right_slot {
                let result = slot(self, right, left, reflected(comparison))?;
                if !result.is_not_implemented() {
                    return Ok(result);
                }
            }
        }
        match comparison {
            Comparison::Equal => Ok(Value::from_bool(left.is(right))),
            Comparison::NotEqual => Ok(Value::from_bool(!left.is(right))),
            _ => {
                let sign = comparison_names(comparison).0;
                let message = format!("'{sign}' not supported between instances of '{}' and '{}'", self.type_name(left), self.type_name(right));
                Err(self.type_error(message))
            }
        }
    }

    /// The truth of `compare`.
    pub(crate) fn compare_bool(&mut self, left: &Value, right: &Value, comparison: Comparison) -> Result<bool> {
        let result = self.compare(left, right, comparison)?;
        self.is_true(&result)
    }

    /// Whether two values are the same object or equal, as containers compare.
    #[inline]
    pub(crate) fn equal(&mut self, left: &Value, right: &Value) -> Result<bool> {
        if left.is(right) {
            return Ok(true);
        }
        if let (Some(left_string), Some(right_string)) = (left.downcast::<Str>(), right.downcast::<Str>()) {
            if self.is_exact(left, TypeId::Str) && self.is_exact(right, TypeId::Str) {
                return Ok(left_string.get(self).text == right_string.get(self).text);
            }
        }
        if left.word().both_small(right.word()) {
            return Ok(false);
        }
        self.compare_bool(left, right, Comparison::Equal)
    }

    /// `hash(value)`.
    #[inline]
    pub(crate) fn hash(&mut self, value: &Value) -> Result<i64> {
        if let Some(string) = value.downcast::<Str>() {
            if self.is_exact(value, TypeId::Str) {
                return Ok(string.get(self).hash(self.state().hash_seed));
            }
        }
        if let Some(small) = value.as_small() {
            return Ok(crate::number::IntRef::from(small).hash());
        }
        if let Some(hash) = self.quick_tuple_hash(value, 4) {
            return Ok(hash);
        }
        match self.type_payload(value).slots.hash {
            Some(hash) => {
                self.enter_native()?;
                hash(self, value)
            }
            None => {
                let message = format!("unhashable type: '{}'", self.type_name(value));
                Err(self.type_error(message))
            }
        }
    }

    /// The hash of a value that has one without running a script: a `str`, a small `int`, a `tuple` of such.
    #[inline(always)]
    pub(crate) fn quick_hash(&self, value: &Value) -> Option<i64> {
        if let Some(string) = value.downcast::<Str>() {
            return self.is_exact(value, TypeId::Str).then(|| string.get(self).hash(self.state().hash_seed));
        }
        if let Some(small) = value.as_small() {
            return Some(crate::number::IntRef::from(small).hash());
        }
        self.quick_tuple_hash(value, 4)
    }

    fn quick_tuple_hash(&self, value: &Value, depth: u32) -> Option<i64> {
        let tuple = value.downcast::<Tuple>()?;
        if depth == 0 || !self.is_exact(value, TypeId::Tuple) {
            return None;
        }
        let mut lanes = crate::object::types::tuple_methods::Lanes::new();
        let items = tuple.get(self).items();
        for item in items {
            lanes.add(match item.as_small() {
                Some(small) => crate::number::IntRef::from(small).hash(),
                None if item.holds::<Tuple>() => self.quick_tuple_hash(item, depth - 1)?,
                None => self.quick_hash(item)?,
            });
        }
        Some(lanes.finish(items.len()))
    }

    /// The hash of an object by identity.
    pub(crate) fn identity_hash(&self, value: &Value) -> i64 {
        let address = value.address();
        (address.rotate_right(4)) as i64
    }

    /// `bool(value)`.
    #[inline]
    pub(crate) fn is_true(&mut self, value: &Value) -> Result<bool> {
        if let Some(flag) = value.as_bool() {
            return Ok(flag);
        }
        if value.is_none() {
            return Ok(false);
        }
        if let Some(small) = value.as_small() {
            return Ok(small != 0);
        }
        if let Some(float) = value.word().as_float() {
            return Ok(float != 0.0);
        }
        let (truth, len) = (self.type_payload(value).slots.bool, self.type_payload(value).slots.len);
        self.enter_native()?;
        match (truth, len) {
            (Some(truth), _) => truth(self, value),
            (None, Some(len)) => Ok(len(self, value)? > 0),
            (None, None) => Ok(true),
        }
    }

    // ---- containers

    /// `len(value)`.
    pub(crate) fn len(&mut self, value: &Value) -> Result<usize> {
        match self.type_payload(value).slots.len {
            Some(len) => {
                self.enter_native()?;
                len(self, value)
            }
            None => {
                let message = format!("object of type '{}' has no len()", self.type_name(value));
                Err(self.type_error(message))
            }
        }
    }

    /// `operator.length_hint(value, default)`.
    pub(crate) fn length_hint(&mut self, value: &Value, default: usize) -> Result<usize> {
        if let Some(len) = self.type_payload(value).slots.len {
            match len(self, value) {
                Ok(len) => return Ok(len),
                Err(raised) => {
                    if !self.clear_if(ExceptionKind::TypeError) {
                        return Err(raised);
                    }
                }
            }
        }
        let name = self.name(Name::LengthHint);
        let hint = match self.call_special_value(value, &name, &[]) {
            Ok(hint) => hint,
            Err(raised) => {
                if self.clear_if(ExceptionKind::TypeError) {
                    return Ok(default);
                }
                return Err(raised);
            }
        };
        let Some(hint) = hint else { return Ok(default) };
        if hint.is_not_implemented() {
            return Ok(default);
        }
        let Some(number) = self.int_value(&hint) else {
            let message = format!("__length_hint__ must be an integer, not {}", self.type_name(&hint));
            return Err(self.type_error(message));
        };
        match number.as_ref().to_i64() {
            Some(number) if number >= 0 => Ok(number as usize),
            Some(_) => Err(self.value_error("__length_hint__() should return >= 0")),
            None => Err(self.overflow_error("Python int too large to convert to C ssize_t")),
        }
    }

    /// `object[key]`.
    #[inline]
    pub(crate) fn get_item(&mut self, object: &Value, key: &Value) -> Result<Value> {
        if let Some(get) = self.type_payload(object).slots.get_item {
            self.enter_native()?;
            return get(self, object, key);
        }
        if let Some(class) = object.downcast::<Type>() {
            if class.is(self.state().builtin(TypeId::Type)) {
                return crate::object::types::generic_alias::new_alias(self, object, key);
            }
            let name = self.name(Name::ClassGetItem);
            if let Some(function) = self.class_find_attr(class, &name)? {
                return self.call(&function, std::slice::from_ref(key));
            }
            let message = format!("type '{}' is not subscriptable", self.class_name(class));
            return Err(self.type_error(message));
        }
        let message = format!("'{}' object is not subscriptable", self.type_name(object));
        Err(self.type_error(message))
    }

    /// `object[key] = value`.
    pub(crate) fn set_item(&mut self, object: &Value, key: &Value, value: &Value) -> Result<()> {
        match self.type_payload(object).slots.set_item {
            Some(set) => {
                self.enter_native()?;
                set(self, object, key, Some(value))
            }
            None => {
                let message = format!("'{}' object does not support item assignment", self.type_name(object));
                Err(self.type_error(message))
            }
        }
    }

    /// `del object[key]`.
    pub(crate) fn del_item(&mut self, object: &Value, key: &Value) -> Result<()> {
        match self.type_payload(object).slots.set_item {
            Some(set) => set(self, object, key, None),
            None => {
                let payload = self.type_payload(object);
                let is_sequence =
                    payload.spec.is_none() || (payload.slots.get_item.is_some() && !object.holds::<crate::object::types::descriptor::MappingProxy>());
                let by_index = is_sequence && (self.int_ref(key).is_some() || self.type_payload(key).slots.index.is_some());
                let words = if by_index { "doesn't" } else { "does not" };
                let message = format!("'{}' object {words} support item deletion", self.type_name(object));
                Err(self.type_error(message))
            }
        }
    }

    /// `item in container`.
    pub(crate) fn contains(&mut self, container: &Value, item: &Value) -> Result<bool> {
        self.enter_native()?;
        if let Some(contains) = self.type_payload(container).slots.contains {
            return contains(self, container, item);
        }
        let Some(iterator) = self.try_iter(container)? else {
            let message = format!("argument of type '{}' is not iterable", self.type_name(container));
            return Err(self.type_error(message));
        };
        while let Some(candidate) = self.next(&iterator)? {
            if self.equal(&candidate, item)? {
                return Ok(true);
            }
            self.poll_after(1)?;
        }
        Ok(false)
    }

    // ---- iteration

    /// `iter(value)`; `None` when it is not iterable.
    pub(crate) fn try_iter(&mut self, value: &Value) -> Result<Option<Value>> {
        self.enter_native()?;
        let slots = &self.type_payload(value).slots;
        if let Some(iter) = slots.iter {
            let iterator = iter(self, value)?;
            if self.type_payload(&iterator).slots.next.is_none() {
                let message = format!("iter() returned non-iterator of type '{}'", self.type_name(&iterator));
                return Err(self.type_error(message));
            }
            return Ok(Some(iterator));
        }
        if slots.get_item.is_some() && !self.is_kind(value, TypeId::Dict) {
            return Ok(Some(crate::object::types::iterator::sequence_iterator(self, value.clone())));
        }
        Ok(None)
    }

    /// `iter(value)`.
    #[inline]
    pub(crate) fn iter(&mut self, value: &Value) -> Result<Value> {
        match self.try_iter(value)? {
            Some(iterator) => Ok(iterator),
            None => {
                let message = format!("'{}' object is not iterable", self.type_name(value));
                Err(self.type_error(message))
            }
        }
    }

    /// The next item; `None` at the end, with or without a `StopIteration`.
    /// Looks at the breaker, so that every native loop over an iterator ends when it should.
    #[inline]
    pub(crate) fn next(&mut self, iterator: &Value) -> Result<Option<Value>> {
        self.enter_native()?;
        self.poll_after(NEXT_STEPS)?;
        if let Some(item) = self.quick_next(iterator) {
            return Ok(Some(item));
        }
        self.general_next(iterator)
    }

    /// The next item of an iterator over a plain list or tuple, unless it is at the end.
    #[inline(always)]
    fn quick_next(&mut self, iterator: &Value) -> Option<Value> {
        let iterator = iterator.downcast::<SequenceIterator>()?;
        let state = iterator.get(self);
        let sequence = state.sequence.as_ref()?;
        let item = if let Some(list) = sequence.downcast::<List>() {
            if !self.is_exact(sequence, TypeId::List) {
                return None;
            }
            list.get(self).items.get(state.index)?.clone()
        } else {
            if !self.is_exact(sequence, TypeId::Tuple) {
                return None;
            }
            sequence.downcast::<Tuple>()?.get(self).items().get(state.index)?.clone()
        };
        iterator.get_mut(self).index += 1;
        Some(item)
    }

    #[inline(never)]
    fn general_next(&mut self, iterator: &Value) -> Result<Option<Value>> {
        let next = self.next_or_stop(iterator);
        if next.is_err() && self.clear_if(ExceptionKind::StopIteration) {
            return Ok(None);
        }
        next
    }

    /// `next`, but an end that carries a value is a pending `StopIteration`.
    #[inline]
    pub(crate) fn next_or_stop(&mut self, iterator: &Value) -> Result<Option<Value>> {
        match self.type_payload(iterator).slots.next {
            Some(next) => {
                self.enter_native()?;
                next(self, iterator)
            }
            None => {
                let message = format!("'{}' object is not an iterator", self.type_name(iterator));
                Err(self.type_error(message))
            }
        }
    }

    /// All items of an iterable.
    pub(crate) fn collect(&mut self, iterable: &Value) -> Result<Vec<Value>> {
        if self.is_exact(iterable, TypeId::List) {
            if let Some(list) = iterable.downcast::<List>() {
                let size = list.get(self).items.len() * 8;
                self.charge(size)?;
                return list_methods::cloned(self, list);
            }
        }
        if self.is_exact(iterable, TypeId::Tuple) {
            if let Some(tuple) = iterable.downcast::<Tuple>() {
                return tuple_methods::cloned(self, tuple);
            }
        }
        let iterator = self.iter(iterable)?;
        let hint = self.length_hint(iterable, 0)?;
        let mut items = Vec::new();
        if items.try_reserve(hint.min(1 << 20)).is_err() {
            return Err(self.memory_error());
        }
        crate::object::sequence::expect_use(&items);
        while let Some(item) = self.next(&iterator)? {
            if items.len() == items.capacity() {
                self.charge(items.len() * 8)?;
                if items.try_reserve(items.len().max(4)).is_err() {
                    return Err(self.memory_error());
                }
                crate::object::sequence::expect_use(&items);
            }
            items.push(item);
            if items.len() % 1024 == 0 {
                self.poll()?;
            }
        }
        Ok(items)
    }

    /// Calls `body` with each item until it breaks.
    pub(crate) fn iterate(&mut self, iterable: &Value, mut body: impl FnMut(&mut Vm, Value) -> Result<ControlFlow<()>>) -> Result<()> {
        let iterator = self.iter(iterable)?;
        let mut count = 0_u32;
        while let Some(item) = self.next(&iterator)? {
            if body(self, item)?.is_break() {
                break;
            }
            count = count.wrapping_add(1);
            if count.is_multiple_of(1024) {
                self.poll()?;
            }
        }
        Ok(())
    }

    // ---- text

    /// `repr(value)`.
    pub(crate) fn repr(&mut self, value: &Value) -> Result<Value> {
        self.enter_native()?;
        let result = match self.type_payload(value).slots.repr {
            Some(repr) => repr(self, value)?,
            None => {
                let text = self.default_repr(value);
                self.new_str(text)
            }
        };
        if result.holds::<Str>() {
            return Ok(result);
        }
        let message = format!("__repr__ returned non-string (type {})", self.type_name(&result));
        Err(self.type_error(message))
    }

    /// `<module.Class object at 0x…>`
    pub(crate) fn default_repr(&mut self, value: &Value) -> String {
        let class = self.type_of(value);
        let name = self.class_full_name(&class);
        format!("<{name} object at {:#x}>", value.address())
    }

    /// The class's name with its module, unless that is `builtins`.
    pub(crate) fn class_full_name(&mut self, class: &Ref<Type>) -> String {
        let qualname = self.text_of(&class.get(self).qualname).map(ToString::to_string).unwrap_or_default();
        let name = self.name(Name::Module);
        let module = self.type_lookup(class, &name);
        match module.as_ref().and_then(|module| self.text_of(module)).map(ToString::to_string) {
            Some(module) if module != "builtins" => format!("{module}.{qualname}"),
            _ => qualname,
        }
    }

    /// `str(value)`.
    pub(crate) fn str(&mut self, value: &Value) -> Result<Value> {
        if self.is_exact(value, TypeId::Str) {
            return Ok(value.clone());
        }
        if let Some(small) = value.as_small() {
            return Ok(self.small_str(small));
        }
        self.enter_native()?;
        let Some(str) = self.type_payload(value).slots.str else { return self.repr(value) };
        let result = str(self, value)?;
        if result.holds::<Str>() {
            return Ok(result);
        }
        let message = format!("__str__ returned non-string (type {})", self.type_name(&result));
        Err(self.type_error(message))
    }

    /// `ascii(value)`.
    pub(crate) fn ascii(&mut self, value: &Value) -> Result<Value> {
        let repr = self.repr(value)?;
        if self.text_of(&repr).is_some_and(|text| text.as_ascii().is_some()) {
            return Ok(repr);
        }
        let text = self.text_of(&repr).map(crate::text::to_ascii_escaped).unwrap_or_default();
        Ok(self.new_str(text))
    }

    /// The text of `repr(value)`.
    pub(crate) fn repr_text(&mut self, value: &Value) -> Result<Text> {
        let repr = self.repr(value)?;
        Ok(self.text_of(&repr).cloned().unwrap_or_default())
    }

    /// The text of `str(value)`.
    pub(crate) fn str_text(&mut self, value: &Value) -> Result<Text> {
        let text = self.str(value)?;
        Ok(self.text_of(&text).cloned().unwrap_or_default())
    }

    /// `format(value, spec)`; `spec` is a `str`.
    pub(crate) fn format(&mut self, value: &Value, spec: &Value) -> Result<Value> {
        if self.text_of(spec).is_some_and(Text::is_empty) {
            if self.is_exact(value, TypeId::Str) {
                return Ok(value.clone());
            }
            if let Some(small) = value.as_small() {
                return Ok(self.small_str(small));
            }
            if self.is_exact(value, TypeId::Int) {
                return self.str(value);
            }
        }
        let name = self.name(Name::Format);
        match self.call_special_value(value, &name, std::slice::from_ref(spec))? {
            Some(result) if result.holds::<Str>() => Ok(result),
            Some(result) => {
                let message = format!("__format__ must return a str, not {}", self.type_name(&result));
                Err(self.type_error(message))
            }
            None => {
                let message = format!("Type {} doesn't define __format__", self.type_name(value));
                Err(self.type_error(message))
            }
        }
    }

    // ---- classes

    /// `isinstance(value, class)`, with `__instancecheck__` and tuples and unions of classes.
    pub(crate) fn object_isinstance(&mut self, value: &Value, class: &Value) -> Result<bool> {
        if self.type_ref(value).is(class) {
            return Ok(true);
        }
        if self.is_exact(class, TypeId::Type) {
            return Ok(class.downcast::<Type>().is_some_and(|class| self.plain_isinstance(value, class)) || self.class_claims(value, class)?);
        }
        if let Some(tuple) = class.downcast::<Tuple>() {
            self.enter_native()?;
            let tuple = tuple.clone();
            let mut index = 0;
            while let Some(item) = tuple.get(self).items().get(index).cloned() {
                if self.object_isinstance(value, &item)? {
                    return Ok(true);
                }
                self.poll_after(1)?;
                index += 1;
            }
            return Ok(false);
        }
        if let Some(known) = self.known_isinstance(value, class) {
            return Ok(known);
        }
        let name = self.name(Name::InstanceCheck);
        if let Some(result) = self.call_special_value(class, &name, std::slice::from_ref(value))? {
            return self.is_true(&result);
        }
        self.recursive_isinstance(value, class)
    }

    fn plain_isinstance(&self, value: &Value, class: &Ref<Type>) -> bool {
        self.is_instance(value, class)
    }

    /// Whether `value.__class__`, where it differs from the real type, makes it an instance.
    fn class_claims(&mut self, value: &Value, class: &Value) -> Result<bool> {
        if self.has_usual_class(value) {
            return Ok(false);
        }
        let name = self.name(Name::Class);
        let Some(claimed) = self.find_attr(value, &name)? else { return Ok(false) };
        if claimed.is(self.type_ref(value)) {
            return Ok(false);
        }
        Ok(claimed.downcast::<Type>().is_some_and(|claimed| claimed.get(self).is_subtype_of(class)))
    }

    /// `type.__instancecheck__` and its like for objects that only look like classes.
    pub(crate) fn recursive_isinstance(&mut self, value: &Value, class: &Value) -> Result<bool> {
        if let Some(known) = class.downcast::<Type>() {
            if self.is_instance(value, known) {
                return Ok(true);
            }
            return self.class_claims(value, class);
        }
        let bases = self.find_attr_str(class, "__bases__")?;
        if bases.is_none_or(|bases| !bases.holds::<Tuple>()) {
            return Err(self.type_error("isinstance() arg 2 must be a type, a tuple of types, or a union"));
        }
        let name = self.name(Name::Class);
        match self.find_attr(value, &name)? {
            Some(claimed) => self.abstract_issubclass(&claimed, class),
            None => Ok(false),
        }
    }

    fn abstract_issubclass(&mut self, derived: &Value, class: &Value) -> Result<bool> {
        if derived.is(class) {
            return Ok(true);
        }
        self.enter_native()?;
        let Some(bases) = self.find_attr_str(derived, "__bases__")? else { return Ok(false) };
        for base in self.tuple_items(&bases) {
            if self.abstract_issubclass(&base, class)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// `issubclass(derived, class)`, with `__subclasscheck__`.
    pub(crate) fn object_issubclass(&mut self, derived: &Value, class: &Value) -> Result<bool> {
        if self.is_exact(class, TypeId::Type) {
            if derived.is(class) {
                return Ok(true);
            }
            return self.recursive_issubclass(derived, class);
        }
        if let Some(tuple) = class.downcast::<Tuple>() {
            self.enter_native()?;
            for item in tuple.get(self).items().to_vec() {
                if self.object_issubclass(derived, &item)? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        if let Some(known) = self.known_issubclass(derived, class) {
            return Ok(known);
        }
        let name = self.name(Name::SubclassCheck);
        if let Some(result) = self.call_special_value(class, &name, std::slice::from_ref(derived))? {
            return self.is_true(&result);
        }
        self.recursive_issubclass(derived, class)
    }

    /// `type.__subclasscheck__`.
    pub(crate) fn recursive_issubclass(&mut self, derived: &Value, class: &Value) -> Result<bool> {
        if let (Some(derived), Some(_)) = (derived.downcast::<Type>(), class.downcast::<Type>()) {
            return Ok(derived.get(self).is_subtype_of(class));
        }
        let derived_bases = self.find_attr_str(derived, "__bases__")?;
        if derived_bases.is_none_or(|bases| !bases.holds::<Tuple>()) {
            return Err(self.type_error("issubclass() arg 1 must be a class"));
        }
        let class_bases = self.find_attr_str(class, "__bases__")?;
        if class_bases.is_none_or(|bases| !bases.holds::<Tuple>()) {
            return Err(self.type_error("issubclass() arg 2 must be a class, a tuple of classes, or a union"));
        }
        self.abstract_issubclass(derived, class)
    }

    /// The keys of a mapping, by its `keys` method.
    pub(crate) fn mapping_keys(&mut self, mapping: &Value) -> Result<Vec<Value>> {
        if let Some(dict) = mapping.downcast::<Dict>() {
            if self.is_exact(mapping, TypeId::Dict) {
                return Ok(dict.get(self).keys().cloned().collect());
            }
        }
        let keys = self.call_method(mapping, "keys", &[])?;
        self.collect(&keys)
    }
}
