//! Conversions between Rust's values and scripts'.

use crate::object::type_object::CallArgs;
use crate::object::types::TypeId;
use crate::object::types::dict::Dict;
use crate::object::types::list::List;
use crate::object::types::tuple::Tuple;
use crate::object::value::Value;
use crate::vm::{Result, Vm};

mod sealed {
    use crate::object::value::Value;
    use crate::vm::Vm;

    /// A value on its way into or out of an interpreter.
    pub struct Slot(pub(crate) Value);

    /// The attached interpreter.
    pub struct Context<'a>(pub(crate) &'a mut Vm);

    /// How many arguments a host function takes.
    pub enum ArgumentCount {
        /// One; or several, when a `Vec` takes them all.
        One,
        /// None, or one for each field of a tuple.
        Exactly(usize),
    }
}

pub(crate) use sealed::{ArgumentCount, Context, Slot};

/// A Rust type that scripts' values can be turned into: numbers, `bool`, `String`, `Option` (of what may be `None`), `Vec` (of a list or tuple),
/// `HashMap` (of a dict with strings for keys), tuples of up to six (of a tuple or list of that length), and `()`, which takes whatever it is.
pub trait FromScript: Sized {
    /// The type's name, for messages.
    const NAME: &'static str;
    /// How many arguments a host function takes that takes this.
    #[doc(hidden)]
    const COUNT: ArgumentCount = ArgumentCount::One;
    /// The type in full, for messages.
    #[doc(hidden)]
    fn describe() -> String {
        Self::NAME.to_owned()
    }
    #[doc(hidden)]
    fn from_script(context: &mut Context<'_>, slot: &Slot) -> Option<Self>;
}

/// A Rust type that can be turned into a script's value.
///
/// The other way round: what [`FromScript`] names, and `&str`.
pub trait IntoScript {
    #[doc(hidden)]
    fn into_script(self, context: &mut Context<'_>) -> Slot;
}

impl Slot {
    fn value(&self) -> &Value {
        &self.0
    }
}

macro_rules! integers {
    ($($type:ty),+) => {
        $(impl FromScript for $type {
            const NAME: &'static str = stringify!($type);
            fn from_script(context: &mut Context<'_>, slot: &Slot) -> Option<Self> {
                let number = context.0.int_ref(slot.value())?;
                match number.to_i64() {
                    Some(number) => number.try_into().ok(),
                    None => number.to_u64().and_then(|number| number.try_into().ok()),
                }
            }
        }
        impl IntoScript for $type {
            fn into_script(self, context: &mut Context<'_>) -> Slot {
                Slot(match i64::try_from(self) {
                    Ok(number) => context.0.new_int(number),
                    Err(_) => context.0.new_big(crate::number::Int::from(self as u64)),
                })
            }
        })+
    };
}
integers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

impl FromScript for f64 {
    const NAME: &'static str = "f64";
    fn from_script(context: &mut Context<'_>, slot: &Slot) -> Option<Self> {
        context.0.float_value(slot.value()).or_else(|| context.0.int_ref(slot.value())?.to_f64().ok())
    }
}
impl IntoScript for f64 {
    fn into_script(self, context: &mut Context<'_>) -> Slot {
        Slot(context.0.new_float(self))
    }
}

impl FromScript for bool {
    const NAME: &'static str = "bool";
    fn from_script(_: &mut Context<'_>, slot: &Slot) -> Option<Self> {
        slot.value().as_bool()
    }
}
impl IntoScript for bool {
    fn into_script(self, _: &mut Context<'_>) -> Slot {
        Slot(Value::from_bool(self))
    }
}

impl FromScript for () {
    const NAME: &'static str = "()";
    const COUNT: ArgumentCount = ArgumentCount::Exactly(0);
    fn from_script(_: &mut Context<'_>, _: &Slot) -> Option<Self> {
        Some(())
    }
}
impl IntoScript for () {
    fn into_script(self, _: &mut Context<'_>) -> Slot {
        Slot(Value::NONE)
    }
}

impl FromScript for String {
    const NAME: &'static str = "String";
    fn from_script(context: &mut Context<'_>, slot: &Slot) -> Option<Self> {
        context.0.text_of(slot.value())?.to_utf8().ok().map(std::borrow::Cow::into_owned)
    }
}
impl IntoScript for String {
    fn into_script(self, context: &mut Context<'_>) -> Slot {
        Slot(context.0.new_str(self))
    }
}
impl IntoScript for &str {
    fn into_script(self, context: &mut Context<'_>) -> Slot {
        Slot(context.0.new_str(self))
    }
}

impl<T: FromScript> FromScript for Option<T> {
    const NAME: &'static str = T::NAME;
    fn from_script(context: &mut Context<'_>, slot: &Slot) -> Option<Self> {
        if slot.value().is_none() { Some(None) } else { T::from_script(context, slot).map(Some) }
    }
}
impl<T: IntoScript> IntoScript for Option<T> {
    fn into_script(self, context: &mut Context<'_>) -> Slot {
        match self {
            Some(value) => value.into_script(context),
            None => Slot(Value::NONE),
        }
    }
}

impl<T: FromScript> FromScript for Vec<T> {
    const NAME: &'static str = "Vec";
    fn describe() -> String {
        format!("Vec<{}>", T::describe())
    }
    fn from_script(context: &mut Context<'_>, slot: &Slot) -> Option<Self> {
        let items = sequence(context, slot)?;
        items.into_iter().map(|item| T::from_script(context, &Slot(item))).collect()
    }
}
impl<T: IntoScript> IntoScript for Vec<T> {
    fn into_script(self, context: &mut Context<'_>) -> Slot {
        let items = self.into_iter().map(|item| item.into_script(context).0).collect();
        Slot(context.0.new_list(items))
    }
}

impl<T: FromScript> FromScript for std::collections::HashMap<String, T> {
    const NAME: &'static str = "HashMap";
    fn from_script(context: &mut Context<'_>, slot: &Slot) -> Option<Self> {
        let dict = slot.value().downcast::<Dict>()?;
        let items: Vec<(Value, Value)> = dict.get(context.0).items().map(|(key, value)| (key.clone(), value.clone())).collect();
        items.into_iter().map(|(key, value)| Some((String::from_script(context, &Slot(key))?, T::from_script(context, &Slot(value))?))).collect()
    }
}
impl<T: IntoScript> IntoScript for std::collections::HashMap<String, T> {
    fn into_script(self, context: &mut Context<'_>) -> Slot {
        let dict = context.0.new_dict();
        for (key, value) in self {
            let value = value.into_script(context).0;
            // String keys hash and compare without scripts.
            let _ = context.0.dict_set_str(&dict, &key, value);
        }
        Slot(dict.into_value())
    }
}

macro_rules! tuples {
    ($count:literal: $($name:ident),+) => {
        impl<$($name: FromScript),+> FromScript for ($($name,)+) {
            const NAME: &'static str = concat!("a tuple of ", $count);
            const COUNT: ArgumentCount = ArgumentCount::Exactly($count);
            fn describe() -> String {
                [$($name::describe()),+].join(", ")
            }
            fn from_script(context: &mut Context<'_>, slot: &Slot) -> Option<Self> {
                let items = sequence(context, slot)?;
                if items.len() != $count {
                    return None;
                }
                let mut items = items.into_iter();
                Some(($($name::from_script(context, &Slot(items.next()?))?,)+))
            }
        }
        impl<$($name: IntoScript),+> IntoScript for ($($name,)+) {
            #[allow(non_snake_case, reason = "the macro names values as their types")]
            fn into_script(self, context: &mut Context<'_>) -> Slot {
                let ($($name,)+) = self;
                let items = vec![$($name.into_script(context).0),+];
                Slot(context.0.new_tuple(items))
            }
        }
    };
}
tuples!(1: A);
tuples!(2: A, B);
tuples!(3: A, B, C);
tuples!(4: A, B, C, D);
tuples!(5: A, B, C, D, E);
tuples!(6: A, B, C, D, E, F);

/// The arguments a host gives: a tuple is spread, anything else is one argument.
pub(crate) fn arguments(vm: &mut Vm, value: &Value) -> Vec<Value> {
    if vm.is_exact(value, TypeId::Tuple) {
        vm.tuple_items(value)
    } else if value.is_none() {
        Vec::new()
    } else {
        vec![value.clone()]
    }
}

/// The items of a list or tuple.
fn sequence(context: &mut Context<'_>, slot: &Slot) -> Option<Vec<Value>> {
    let value = slot.value();
    if let Some(list) = value.downcast::<List>() {
        return Some(list.get(context.0).items.clone());
    }
    Some(value.downcast::<Tuple>()?.get(context.0).items().to_vec())
}

/// What a host function of that name is called with.
pub(crate) fn host_argument<A: FromScript>(vm: &mut Vm, name: &str, arguments: &CallArgs<'_>) -> Result<A> {
    if !arguments.names.is_empty() {
        return Err(vm.type_error(format!("{name}() takes no keyword arguments")));
    }
    let given = arguments.values.len();
    if let ArgumentCount::Exactly(count) = A::COUNT
        && count != given
    {
        let plural = if count == 1 { "" } else { "s" };
        return Err(vm.type_error(format!("{name}() takes {count} argument{plural} ({given} given)")));
    }
    let argument = match arguments.values {
        [] => Value::NONE,
        [one] if !matches!(A::COUNT, ArgumentCount::Exactly(_)) => one.clone(),
        many => vm.new_tuple(many.to_vec()),
    };
    if let Some(argument) = A::from_script(&mut Context(vm), &Slot(argument)) {
        return Ok(argument);
    }
    let types: Vec<String> = arguments.values.iter().map(|value| vm.type_name(value).to_string()).collect();
    let types = if types.is_empty() { "nothing".to_owned() } else { types.join(", ") };
    Err(vm.type_error(format!("{name}() cannot take {types}: it wants {}", A::describe())))
}
