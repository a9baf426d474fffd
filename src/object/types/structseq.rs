//! Named tuples that Rust makes (`time.struct_time`, `os.stat_result`): a tuple whose first items have names, and further attributes that are no items.

use crate::object::layout::Layout;
use crate::object::native::{Args, GetSetSpec, Native, getter, native};
use crate::object::type_object::{HAS_DICT, Slots, Type, TypeSpec};
use crate::object::types::dict::Dict;
use crate::object::types::tuple::Tuple;
use crate::object::types::tuple_methods;
use crate::object::value::Value;
use crate::vm::{Result, Vm};

/// What a type's instances are made of.
pub(crate) struct Fields {
    /// The names of the items; `None` for one without.
    pub(crate) items: &'static [&'static str],
    /// The names of the attributes that are no items.
    pub(crate) hidden: &'static [&'static str],
}

const METHODS: &[Native] = &[native("__reduce__(self, /)", reduce), native("__replace__(self, /, **changes)", replace)];

/// The spec of such a type. `getset` comes from [`item`].
pub(crate) const fn spec(
    name: &'static str,
    doc: &'static str,
    new: Option<Native>,
    fields: &'static Fields,
    getset: &'static [GetSetSpec],
    repr: Slots,
) -> TypeSpec {
    TypeSpec {
        name,
        doc,
        base: Some(&tuple_methods::TYPE),
        layout: Layout::Tuple,
        flags: HAS_DICT,
        new,
        slots: repr,
        methods: METHODS,
        getset,
        fields: Some(fields),
        ..TypeSpec::DEFAULT
    }
}

/// The getter of the item at a place.
pub(crate) const fn item<const PLACE: usize>(name: &'static str) -> GetSetSpec {
    getter(name, |vm, value| {
        let tuple = value.downcast::<Tuple>().expect("the receiver is a tuple");
        Ok(tuple.get(vm).items().get(PLACE).cloned().unwrap_or(Value::NONE))
    })
}

/// A new instance: the items, then the values of the hidden attributes.
pub(crate) fn make(vm: &mut Vm, spec: &'static TypeSpec, fields: &Fields, mut values: Vec<Value>) -> Result<Value> {
    let class = vm.native_type(spec);
    let hidden = values.split_off(fields.items.len().min(values.len()));
    let made = vm.alloc_for(&class, Tuple::new(values)).into_value();
    if !hidden.is_empty()
        && let Some(dict) = vm.instance_dict(&made)?
    {
        for (name, value) in fields.hidden.iter().zip(hidden) {
            vm.dict_set_str(&dict, name, value)?;
        }
    }
    Ok(made)
}

/// What the class of such tuples says of its fields.
pub(crate) fn class_attributes(vm: &mut Vm, fields: &Fields) -> [(&'static str, Value); 4] {
    let visible = fields.items.len() as i64;
    let names: Vec<Value> = fields.items.iter().map(|name| vm.intern(name)).collect();
    let names = vm.new_tuple(names);
    [
        ("n_sequence_fields", Value::small(visible)),
        ("n_fields", Value::small(visible + fields.hidden.len() as i64)),
        ("n_unnamed_fields", Value::small(unnamed(fields) as i64)),
        ("__match_args__", names),
    ]
}

/// `cls(sequence, dict)`: for the constructors of the types.
pub(crate) fn construct(vm: &mut Vm, args: Args<'_>, fields: &Fields, name: &str) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("the class").clone();
    let Some(mut values) = super::index::iterable_items(vm, &args[1])? else {
        return Err(vm.type_error("constructor requires a sequence"));
    };
    let (least, most) = (fields.items.len(), fields.items.len() + fields.hidden.len());
    let given = values.len();
    if least == most && given != least {
        return Err(vm.type_error(format!("{name}() takes a {least}-sequence ({given}-sequence given)")));
    }
    if given < least {
        return Err(vm.type_error(format!("{name}() takes an at least {least}-sequence ({given}-sequence given)")));
    }
    if given > most {
        return Err(vm.type_error(format!("{name}() takes an at most {most}-sequence ({given}-sequence given)")));
    }
    let named = match args.given_some(2) {
        Some(named) => match named.clone().into_ref::<Dict>() {
            Ok(named) => Some(named),
            Err(_) => return Err(vm.type_error(format!("{name}() takes a dict as second arg, if any"))),
        },
        None => None,
    };
    let hidden = values.split_off(least);
    let made = vm.alloc_for(&class, Tuple::new(values)).into_value();
    if let Some(dict) = vm.instance_dict(&made)? {
        for (place, field) in fields.hidden.iter().enumerate() {
            let value = match (hidden.get(place), &named) {
                (Some(value), _) => value.clone(),
                (None, Some(named)) => vm.dict_get_str(named, field)?.unwrap_or(Value::NONE),
                (None, None) => Value::NONE,
            };
            vm.dict_set_str(&dict, field, value)?;
        }
    }
    Ok(made)
}

/// `name(field=value, …)` with the items.
pub(crate) fn show(vm: &mut Vm, value: &Value, name: &str, fields: &Fields) -> Result<Value> {
    let items = vm.tuple_items(value);
    let mut shown = format!("{name}(");
    for (place, (field, item)) in fields.items.iter().zip(&items).enumerate() {
        if place > 0 {
            shown.push_str(", ");
        }
        let item = vm.repr_text(item)?;
        shown.push_str(&format!("{field}={item}"));
    }
    shown.push(')');
    Ok(vm.new_str(shown))
}

/// How many items have no name, because a further attribute has taken it (`st_atime` of a status is a float, its item an integer).
fn unnamed(fields: &Fields) -> usize {
    fields.items.iter().filter(|name| fields.hidden.contains(name)).count()
}

/// `copy.replace(value, field=…)`.
fn replace(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let mut items = vm.tuple_items(&args[0]);
    let class = vm.type_of(&args[0]);
    let unnamed = vm.get_attr_str(&class, "n_unnamed_fields")?;
    if vm.is_true(&unnamed)? {
        let name = vm.class_full_name(&class);
        return Err(vm.type_error(format!("__replace__() is not supported for {name} because it has unnamed field(s)")));
    }
    let names = vm.get_attr_str(&class, "__match_args__")?;
    let names = vm.tuple_items(&names);
    let hidden = vm.new_dict();
    if let Some(dict) = vm.existing_dict(&args[0]) {
        let pairs: Vec<(Value, Value)> = dict.get(vm).items().map(|(key, value)| (key.clone(), value.clone())).collect();
        for (key, value) in pairs {
            vm.dict_set(&hidden, &key, value)?;
        }
    }
    let changes = args[1].downcast::<Dict>().expect("collected by the signature");
    let changes: Vec<(Value, Value)> = changes.get(vm).items().map(|(key, value)| (key.clone(), value.clone())).collect();
    for (key, value) in changes {
        let mut place = None;
        for (index, name) in names.iter().enumerate() {
            if vm.equal(name, &key)? {
                place = Some(index);
            }
        }
        match place {
            Some(place) if place < items.len() => items[place] = value,
            _ if vm.dict_get(&hidden, &key)?.is_some() => vm.dict_set(&hidden, &key, value)?,
            _ => {
                let key = vm.repr_text(&key)?;
                return Err(vm.type_error(format!("Got unexpected field name(s): [{key}]")));
            }
        }
    }
    let items = vm.new_tuple(items);
    vm.call(&class, &[items, hidden.into_value()])
}

/// An attribute that is no item, for a type's `getset`.
pub(crate) fn hidden(vm: &mut Vm, value: &Value, name: &str) -> Result<Value> {
    match vm.existing_dict(value) {
        Some(dict) => Ok(vm.dict_get_str(&dict, name)?.unwrap_or(Value::NONE)),
        None => Ok(Value::NONE),
    }
}

fn reduce(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let items = vm.tuple_items(&args[0]);
    let items = vm.new_tuple(items);
    let dict = match vm.existing_dict(&args[0]) {
        Some(dict) => dict.into_value(),
        None => vm.new_dict().into_value(),
    };
    let class = vm.type_of(&args[0]).into_value();
    let arguments = vm.new_tuple(vec![items, dict]);
    Ok(vm.new_tuple(vec![class, arguments]))
}
