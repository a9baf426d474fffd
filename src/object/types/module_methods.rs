//! `module`: the type of modules.

use crate::object::layout::Layout;
use crate::object::native::{Args, GetSetSpec, native};
use crate::object::type_object::{BASE_TYPE, CallArgs, HAS_DICT, HAS_WEAKREFS, Slots, Type, TypeSpec};
use crate::object::types::dict::Dict;
use crate::object::types::function_methods::read_only;
use crate::object::types::module::Module;
use crate::object::types::object::{plain, receiver};
use crate::object::types::str::Str;
use crate::object::value::{Ref, Value};
use crate::vm::state::Name;
use crate::vm::{Result, Vm};

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "module",
    doc: "A module: a namespace with a name.\n\nThe name is a string; the docstring may be anything.",
    layout: Layout::Module,
    flags: BASE_TYPE | HAS_DICT | HAS_WEAKREFS,
    slots: Slots { repr: Some(repr), get_attribute: Some(Vm::module_get_attr), new: Some(new), init: Some(init), ..Slots::NONE },
    methods: &[native("__dir__(self, /)", dir)],
    getset: &[
        GetSetSpec { name: "__dict__", get: |vm, module| Ok(dict_of(vm, module)?.into_value()), set: Some(read_only) },
        GetSetSpec { name: "__annotations__", get: get_annotations, set: Some(set_annotations) },
    ],
    ..TypeSpec::DEFAULT
};

/// A module without a name; `__init__` gives it one.
fn new(vm: &mut Vm, class: &Ref<Type>, _: CallArgs<'_>) -> Result<Value> {
    let dict = vm.new_dict();
    Ok(vm.alloc_for(class, Module::new(dict)).into_value())
}

fn init(vm: &mut Vm, module: &Value, arguments: CallArgs<'_>) -> Result<()> {
    let (mut name, mut doc) = (arguments.unnamed().first().cloned(), arguments.unnamed().get(1).cloned());
    if arguments.unnamed().len() > 2 {
        let message = format!("module() takes at most 2 arguments ({} given)", arguments.values.len());
        return Err(vm.type_error(message));
    }
    for (key, value) in arguments.named() {
        match plain(vm, key).as_str() {
            "name" if name.is_none() => name = Some(value.clone()),
            "doc" if doc.is_none() => doc = Some(value.clone()),
            other => {
                let message = format!("module() got an unexpected keyword argument '{other}'");
                return Err(vm.type_error(message));
            }
        }
    }
    let Some(name) = name else { return Err(vm.type_error("module() missing required argument 'name' (pos 1)")) };
    if !name.holds::<Str>() {
        let message = format!("module() argument 'name' must be str, not {}", vm.argument_kind(&name));
        return Err(vm.type_error(message));
    }
    let dict = dict_of(vm, module)?;
    let rows = [
        (Name::Name, name),
        (Name::Doc, doc.unwrap_or(Value::NONE)),
        (Name::Package, Value::NONE),
        (Name::Loader, Value::NONE),
        (Name::Spec, Value::NONE),
    ];
    for (key, value) in rows {
        let key = vm.name(key);
        vm.dict_set(&dict, &key, value)?;
    }
    Ok(())
}

fn dict_of(vm: &mut Vm, module: &Value) -> Result<Ref<Dict>> {
    let module = receiver::<Module>(vm, module)?.clone();
    vm.complete_module(&module)?;
    Ok(module.get(vm).dict.clone())
}

fn text_entry(vm: &mut Vm, dict: &Ref<Dict>, name: &str) -> Result<Option<Value>> {
    Ok(vm.dict_get_str(dict, name)?.filter(|value| value.holds::<Str>()))
}

fn repr(vm: &mut Vm, module: &Value) -> Result<Value> {
    let dict = dict_of(vm, module)?;
    let spec = vm.dict_get_str(&dict, "__spec__")?.filter(|spec| !spec.is_none());
    if let Some(spec) = spec {
        let name = vm.find_attr_str(&spec, "name")?.filter(|name| name.holds::<Str>());
        let name = name.map_or_else(|| "?".to_owned(), |name| plain(vm, &name));
        let origin = vm.find_attr_str(&spec, "origin")?.filter(|origin| !origin.is_none());
        let text = match origin {
            Some(origin) => {
                let has_location = match vm.find_attr_str(&spec, "has_location")? {
                    Some(flag) => vm.is_true(&flag)?,
                    None => false,
                };
                if has_location {
                    let origin = vm.repr_text(&origin)?;
                    format!("<module '{name}' from {origin}>")
                } else {
                    let origin = vm.str_text(&origin)?;
                    format!("<module '{name}' ({origin})>")
                }
            }
            None => {
                let loader = vm.find_attr_str(&spec, "loader")?.filter(|loader| !loader.is_none());
                match loader {
                    Some(loader) => {
                        let loader = vm.repr_text(&loader)?;
                        format!("<module '{name}' ({loader})>")
                    }
                    None => {
                        let locations = vm.find_attr_str(&spec, "submodule_search_locations")?.filter(|locations| !locations.is_none());
                        if locations.is_some() { format!("<module '{name}' (namespace)>") } else { format!("<module '{name}'>") }
                    }
                }
            }
        };
        return Ok(vm.new_str(text));
    }
    let name = match text_entry(vm, &dict, "__name__")? {
        Some(name) => vm.repr_text(&name)?.to_string(),
        None => "'?'".to_owned(),
    };
    let text = match vm.dict_get_str(&dict, "__file__")? {
        Some(file) => {
            let file = vm.repr_text(&file)?;
            format!("<module {name} from {file}>")
        }
        None => match vm.dict_get_str(&dict, "__loader__")?.filter(|loader| !loader.is_none()) {
            Some(loader) => {
                let loader = vm.repr_text(&loader)?;
                format!("<module {name} ({loader})>")
            }
            None => format!("<module {name}>"),
        },
    };
    Ok(vm.new_str(text))
}

fn dir(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let dict = vm.get_attr_str(&args[0], "__dict__")?;
    let Some(dict) = dict.downcast::<Dict>() else {
        return Err(vm.type_error("<module>.__dict__ is not a dictionary"));
    };
    let dict = dict.clone();
    if let Some(function) = vm.dict_get_str(&dict, "__dir__")? {
        return vm.call(&function, &[]);
    }
    let keys = dict.get(vm).keys().cloned().collect();
    Ok(vm.new_list(keys))
}

fn get_annotations(vm: &mut Vm, module: &Value) -> Result<Value> {
    let dict = dict_of(vm, module)?;
    let name = vm.name(Name::Annotations);
    if let Some(known) = vm.dict_get(&dict, &name)? {
        return Ok(known);
    }
    let fresh = vm.new_dict().into_value();
    vm.dict_set(&dict, &name, fresh.clone())?;
    Ok(fresh)
}

fn set_annotations(vm: &mut Vm, module: &Value, value: Option<&Value>) -> Result<()> {
    let dict = dict_of(vm, module)?;
    let name = vm.name(Name::Annotations);
    match value {
        Some(value) => vm.dict_set(&dict, &name, value.clone()),
        None => match vm.dict_remove(&dict, &name)? {
            Some(_) => Ok(()),
            None => Err(vm.attribute_error(module, &name, "__annotations__")),
        },
    }
}
