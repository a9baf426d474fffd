//! Finding, compiling and running modules; `import` in its forms.
//!
//! A module comes from, in this order: `sys.modules`; the natives; the entries of `sys.path` (or of a package's `__path__`), where a directory with an
//! `__init__` file is a package; the library that is embedded in the program, whose files show as `<stdlib>/NAME.scr`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cache;
use super::source::SourceOptions;
use super::state::Name;
use super::vm::{Raised, Result, Vm};
use crate::code::instruction::Comparison;
use crate::code::marshal::Stamp;
use crate::code::unit::Unit;
use crate::gil::{Activity, Reason, Waiter};
use crate::object::layout::Layout;
use crate::object::type_object::{BASE_TYPE, HAS_DICT, HAS_WEAKREFS, Slots, TypeSpec};
use crate::object::types::dict::Dict;
use crate::object::types::exception::ExceptionKind;
use crate::object::types::module::Module;
use crate::object::types::object::plain;
use crate::object::types::str::Str;
use crate::object::value::{Ref, Value};
use crate::text::TextBuilder;

/// The start of the file names of the embedded library.
pub(crate) const LIBRARY: &str = "<stdlib>";

// ---- locks

/// Who is importing what: a module is run by one thread, and others that import it wait.
#[derive(Default)]
pub(crate) struct ImportLocks {
    held: Vec<Held>,
    /// Threads that wait, for which module, and in which of their waits.
    waiting: Vec<(usize, Value, Waiter)>,
}

struct Held {
    name: Value,
    thread: usize,
    depth: u32,
}

impl ImportLocks {
    fn holder(&self, name: &Value) -> Option<usize> {
        self.held.iter().find(|held| held.name.is(name)).map(|held| held.thread)
    }

    /// Whether waiting for `name` would close a ring of waiting threads.
    fn would_deadlock(&self, name: &Value, own: usize) -> bool {
        let mut name = name.clone();
        for _ in 0..=self.waiting.len() {
            let Some(holder) = self.holder(&name) else { return false };
            if holder == own {
                return true;
            }
            match self.waiting.iter().find(|(thread, ..)| *thread == holder) {
                Some((_, next, _)) => name = next.clone(),
                None => return false,
            }
        }
        true
    }
}

impl Vm {
    fn thread_key(&self) -> usize {
        self.thread.id as usize
    }

    /// Waits until this thread may run the module; `false` when waiting would never end, so that the module is used as far as it is made.
    fn lock_import(&mut self, name: &Value) -> Result<bool> {
        let own = self.thread_key();
        loop {
            let locks = &mut self.state_mut().import_locks;
            match locks.holder(name) {
                None => {
                    locks.held.push(Held { name: name.clone(), thread: own, depth: 1 });
                    return Ok(true);
                }
                Some(holder) if holder == own => {
                    if let Some(held) = locks.held.iter_mut().find(|held| held.name.is(name)) {
                        held.depth += 1;
                    }
                    return Ok(true);
                }
                Some(_) if locks.would_deadlock(name, own) => return Ok(false),
                Some(_) => {}
            }
            let ticket = self.thread.wait.begin(Activity::Import);
            let waiter = Waiter::new(self.thread.clone(), ticket);
            self.state_mut().import_locks.waiting.push((own, name.clone(), waiter));
            let reason = self.block(ticket, None);
            self.state_mut().import_locks.waiting.retain(|(thread, ..)| *thread != own);
            match reason {
                Reason::Granted | Reason::Timeout => {}
                Reason::Interrupted | Reason::Stopped => self.after_interrupt()?,
                Reason::Closed => return Err(self.quit()),
            }
        }
    }

    fn unlock_import(&mut self, name: &Value) {
        let own = self.thread_key();
        let locks = &mut self.state_mut().import_locks;
        if let Some(place) = locks.held.iter().position(|held| held.name.is(name) && held.thread == own) {
            locks.held[place].depth -= 1;
            if locks.held[place].depth == 0 {
                locks.held.remove(place);
                for (_, module, waiter) in &locks.waiting {
                    if module.is(name) {
                        waiter.grant();
                    }
                }
            }
        }
    }
}

// ---- import statements

/// `import name`: the module of that full name itself, not the package it starts with.
pub(crate) fn import_module(vm: &mut Vm, name: &Value) -> Result<Value> {
    let name = &vm.intern_value(name);
    let modules = vm.state().modules.clone();
    if let Some(known) = vm.dict_get(&modules, name)? {
        if known.is_none() {
            let text = plain(vm, name);
            return Err(import_error(
                vm,
                ExceptionKind::ModuleNotFoundError,
                format!("import of {text} halted; None in sys.modules"),
                Some(name),
                None,
                None,
            ));
        }
        if vm.state().import_locks.holder(name).is_some_and(|holder| holder != vm.thread_key()) && vm.lock_import(name)? {
            vm.unlock_import(name);
            if let Some(known) = vm.dict_get(&modules, name)? {
                return Ok(known);
            }
        } else {
            return Ok(known);
        }
    }
    vm.enter_native()?;
    let locked = vm.lock_import(name)?;
    let result = find_and_load(vm, name, &modules);
    if locked {
        vm.unlock_import(name);
    }
    result
}

/// `__import__(name, globals, …, fromlist, level)`.
pub(crate) fn import_name(vm: &mut Vm, name: &Value, globals: Option<&Ref<Dict>>, from_list: &Value, level: i64) -> Result<Value> {
    let text = plain(vm, name);
    let full = if level > 0 {
        let package = calling_package(vm, globals)?;
        let mut base = package.as_str();
        for _ in 1..level {
            match base.rsplit_once('.') {
                Some((outer, _)) => base = outer,
                None => {
                    return Err(vm.raise(ExceptionKind::ImportError, "attempted relative import beyond top-level package"));
                }
            }
        }
        let full = if text.is_empty() { base.to_owned() } else { format!("{base}.{text}") };
        vm.intern(&full)
    } else {
        if level < 0 {
            return Err(vm.value_error("level must be >= 0"));
        }
        if text.is_empty() {
            return Err(vm.value_error("Empty module name"));
        }
        name.clone()
    };
    let module = import_module(vm, &full)?;
    let wants_names = !from_list.is_none() && vm.is_true(from_list)?;
    if wants_names {
        let path_name = vm.name(Name::Path);
        if vm.find_attr(&module, &path_name)?.is_some() {
            import_listed(vm, &module, from_list, false)?;
        }
        return Ok(module);
    }
    let Some((head, _)) = text.split_once('.') else { return Ok(module) };
    if level == 0 {
        let head = vm.intern(head);
        return import_module(vm, &head);
    }
    // `__import__("a.b", …, level=1)` gives the module of `.a`.
    let full = plain(vm, &full);
    let cut = full.len() - (text.len() - head.len());
    let head = vm.intern(&full[..cut]);
    let modules = vm.state().modules.clone();
    match vm.dict_get(&modules, &head)? {
        Some(module) => Ok(module),
        None => {
            let text = plain(vm, &head);
            let message = vm.new_str(format!("'{text}' not in sys.modules as expected"));
            Err(vm.raise_new(ExceptionKind::KeyError, vec![message]))
        }
    }
}

/// Imports those names of a `from` list that are submodules of a package.
fn import_listed(vm: &mut Vm, module: &Value, from_list: &Value, is_all: bool) -> Result<()> {
    let module_name = vm.get_attr_str(module, "__name__")?;
    let module_text = plain(vm, &module_name);
    for item in vm.collect(from_list)? {
        let Some(text) = vm.text_of(&item).map(ToString::to_string) else {
            let place = if is_all { format!("{module_text}.__all__") } else { "``from list''".to_owned() };
            let message = format!("Item in {place} must be str, not {}", vm.type_name(&item));
            return Err(vm.type_error(message));
        };
        if text == "*" {
            if !is_all {
                if let Some(all) = vm.find_attr_str(module, "__all__")? {
                    import_listed(vm, module, &all, true)?;
                }
            }
            continue;
        }
        if vm.find_attr(module, &item)?.is_some() {
            continue;
        }
        let full = vm.intern(&format!("{module_text}.{text}"));
        if let Err(raised) = import_module(vm, &full) {
            // That there is no such submodule is told by whoever looks the name up.
            let missing = vm.raised_is(ExceptionKind::ModuleNotFoundError) && {
                let exception = vm.take_raised();
                let name = vm.find_attr_str(&exception, "name")?;
                let is_it = match &name {
                    Some(name) => vm.equal(name, &full)?,
                    None => false,
                };
                if !is_it {
                    return Err(vm.reraise(exception));
                }
                is_it
            };
            if !missing {
                return Err(raised);
            }
        }
    }
    Ok(())
}

/// The package that a relative import starts from.
fn calling_package(vm: &mut Vm, globals: Option<&Ref<Dict>>) -> Result<String> {
    let no_parent = "attempted relative import with no known parent package";
    let Some(globals) = globals else {
        let message = vm.new_str("'__name__' not in globals");
        return Err(vm.raise_new(ExceptionKind::KeyError, vec![message]));
    };
    let package_name = vm.name(Name::Package);
    if let Some(package) = vm.dict_get(globals, &package_name)?.filter(|package| !package.is_none()) {
        if !package.holds::<Str>() {
            return Err(vm.type_error("package must be a string"));
        }
        let text = plain(vm, &package);
        if text.is_empty() {
            return Err(vm.raise(ExceptionKind::ImportError, no_parent));
        }
        return Ok(text);
    }
    let spec_name = vm.name(Name::Spec);
    if let Some(spec) = vm.dict_get(globals, &spec_name)?.filter(|spec| !spec.is_none()) {
        let parent = vm.get_attr_str(&spec, "parent")?;
        let text = plain(vm, &parent);
        if text.is_empty() {
            return Err(vm.raise(ExceptionKind::ImportError, no_parent));
        }
        return Ok(text);
    }
    vm.warn(ExceptionKind::ImportWarning, "can't resolve package from __spec__ or __package__, falling back on __name__ and __path__")?;
    let name = vm.name(Name::Name);
    let Some(name) = vm.dict_get(globals, &name)? else {
        let message = vm.new_str("'__name__' not in globals");
        return Err(vm.raise_new(ExceptionKind::KeyError, vec![message]));
    };
    let text = plain(vm, &name);
    let path = vm.name(Name::Path);
    if vm.dict_get(globals, &path)?.is_some() {
        return Ok(text);
    }
    match text.rsplit_once('.') {
        Some((package, _)) => Ok(package.to_owned()),
        None => Err(vm.raise(ExceptionKind::ImportError, no_parent)),
    }
}

/// An `ImportError` with its attributes.
fn import_error(vm: &mut Vm, kind: ExceptionKind, message: String, name: Option<&Value>, path: Option<&Value>, name_from: Option<&Value>) -> Raised {
    let class = vm.state().exception(kind).clone();
    let message = vm.new_str(message);
    let mut named = Vec::new();
    for (key, value) in [("name", name), ("path", path), ("name_from", name_from)] {
        if let Some(value) = value {
            named.push((key, value.clone()));
        }
    }
    match vm.call_named(&class, &[message], &named) {
        Ok(exception) => vm.raise_value(exception),
        Err(raised) => raised,
    }
}

/// Where a module's file is, by its `__spec__` or `__file__`.
fn origin_of(vm: &mut Vm, module: &Value) -> Result<Option<Value>> {
    if let Some(spec) = entry_of(vm, module, "__spec__")?.filter(|spec| !spec.is_none()) {
        let has_location = match vm.find_attr_str(&spec, "has_location")? {
            Some(flag) => vm.is_true(&flag)?,
            None => false,
        };
        if has_location {
            if let Some(origin) = vm.find_attr_str(&spec, "origin")?.filter(|origin| origin.holds::<Str>()) {
                return Ok(Some(origin));
            }
        }
    }
    Ok(entry_of(vm, module, "__file__")?.filter(|file| file.holds::<Str>()))
}

/// What a module's namespace has under a name, without asking its `__getattr__`; the attribute of anything else.
fn entry_of(vm: &mut Vm, module: &Value, name: &str) -> Result<Option<Value>> {
    match module.downcast::<Module>().map(|module| module.get(vm).dict.clone()) {
        Some(dict) => vm.dict_get_str(&dict, name),
        None => vm.find_attr_str(module, name),
    }
}

/// Whether a module is still being run.
pub(crate) fn is_initializing(vm: &mut Vm, module: &Value) -> Result<bool> {
    let Some(spec) = entry_of(vm, module, "__spec__")?.filter(|spec| !spec.is_none()) else {
        return Ok(false);
    };
    match vm.find_attr_str(&spec, "_initializing")? {
        Some(flag) => vm.is_true(&flag),
        None => Ok(false),
    }
}

/// Whether a module's file is in the first directory of the search path, where it may hide a module it was not meant to.
fn is_in_first_folder(vm: &mut Vm, origin: &str) -> Result<bool> {
    if origin.starts_with(LIBRARY) {
        return Ok(false);
    }
    let Some(path) = vm.sys_get("path")? else { return Ok(false) };
    let Some(first) = vm.collect(&path)?.into_iter().next() else { return Ok(false) };
    let first = tidy(Path::new(&plain(vm, &first)));
    let file = Path::new(origin);
    let folder = if file.file_stem().is_some_and(|stem| stem == "__init__") { file.parent().and_then(Path::parent) } else { file.parent() };
    Ok(folder.is_some_and(|folder| folder == first || folder.components().eq(first.components())))
}

/// Whether a module of this name belongs to the library.
pub(crate) fn is_library_name(vm: &Vm, name: &str) -> bool {
    let library = vm.state().library;
    library.natives.iter().any(|native| native.name == name) || (library.find_script)(name).is_some()
}

/// What is wrong with a module's attribute that is not there.
pub(crate) fn missing_attribute(vm: &mut Vm, module: &Value, dict: &Ref<Dict>, name: &Value) -> Result<String> {
    let text = plain(vm, name);
    let name_key = vm.name(Name::Name);
    let known = vm.dict_get(dict, &name_key)?.filter(|known| known.holds::<Str>());
    let Some(known) = known.map(|known| plain(vm, &known)) else {
        return Ok(format!("module has no attribute '{text}'"));
    };
    let plain_message = format!("module '{known}' has no attribute '{text}'");
    let spec_key = vm.name(Name::Spec);
    if vm.dict_get(dict, &spec_key)?.is_none_or(|spec| spec.is_none()) {
        return Ok(plain_message);
    }
    let origin = origin_of(vm, module)?.map(|origin| plain(vm, &origin));
    let is_near = match &origin {
        Some(origin) => is_in_first_folder(vm, origin)?,
        None => false,
    };
    if let Some(origin) = &origin {
        if is_near && is_library_name(vm, &known) {
            return Ok(format!(
                "{plain_message} (consider renaming '{origin}' since it has the same name as the standard library module named '{known}' and the import system gives it precedence)"
            ));
        }
    }
    if is_initializing(vm, module)? {
        return Ok(match origin {
            Some(origin) if is_near => {
                format!("{plain_message} (consider renaming '{origin}' if it has the same name as a third-party module you intended to import)")
            }
            Some(origin) => {
                format!("partially initialized module '{known}' from '{origin}' has no attribute '{text}' (most likely due to a circular import)")
            }
            None => format!("partially initialized module '{known}' has no attribute '{text}' (most likely due to a circular import)"),
        });
    }
    let full = vm.intern(&format!("{known}.{text}"));
    let modules = vm.state().modules.clone();
    if let Some(submodule) = vm.dict_get(&modules, &full)? {
        if is_initializing(vm, &submodule)? {
            return Ok(format!("cannot access submodule '{text}' of module '{known}' (most likely due to a circular import)"));
        }
    }
    Ok(plain_message)
}

/// `from module import name`.
pub(crate) fn import_from(vm: &mut Vm, module: &Value, name: &Value) -> Result<Value> {
    if let Some(value) = vm.find_attr(module, name)? {
        return Ok(value);
    }
    let module_name = vm.find_attr_str(module, "__name__")?.filter(|name| name.holds::<Str>());
    let name_text = plain(vm, name);
    let Some(module_name) = module_name else {
        let message = format!("cannot import name '{name_text}' from '<unknown module name>' (unknown location)");
        return Err(import_error(vm, ExceptionKind::ImportError, message, None, None, Some(name)));
    };
    let module_text = plain(vm, &module_name);
    let full = vm.intern(&format!("{module_text}.{name_text}"));
    let modules = vm.state().modules.clone();
    if let Some(submodule) = vm.dict_get(&modules, &full)? {
        return Ok(submodule);
    }
    let origin = origin_of(vm, module)?;
    let initializing = is_initializing(vm, module)?;
    let message = match &origin {
        Some(origin) => {
            let origin = plain(vm, origin);
            if initializing {
                format!(
                    "cannot import name '{name_text}' from partially initialized module '{module_text}' (most likely due to a circular import) ({origin})"
                )
            } else {
                format!("cannot import name '{name_text}' from '{module_text}' ({origin})")
            }
        }
        None => format!("cannot import name '{name_text}' from '{module_text}' (unknown location)"),
    };
    Err(import_error(vm, ExceptionKind::ImportError, message, Some(&module_name), origin.as_ref(), Some(name)))
}

/// `from module import *` into a namespace.
pub(crate) fn import_star(vm: &mut Vm, module: &Value, namespace: &Value) -> Result<()> {
    let all_name = vm.name(Name::All);
    let (names, from_all) = match vm.find_attr(module, &all_name)? {
        Some(all) => (vm.collect(&all)?, true),
        None => {
            let dict_name = vm.name(Name::Dict);
            let Some(dict) = vm.find_attr(module, &dict_name)? else {
                return Err(vm.raise(ExceptionKind::ImportError, "from-import-* object has no __dict__ and no __all__"));
            };
            (vm.mapping_keys(&dict)?, false)
        }
    };
    for name in names {
        let Some(text) = vm.text_of(&name).cloned() else {
            let module_name = vm.get_attr_str(module, "__name__")?;
            let module_name = plain(vm, &module_name);
            let place = if from_all { "Item in " } else { "Key in " };
            let list = if from_all { "__all__" } else { "__dict__" };
            let message = format!("{place}{module_name}.{list} must be str, not {}", vm.type_name(&name));
            return Err(vm.type_error(message));
        };
        if !from_all && text.len() > 0 && text.get(0) == u32::from('_') {
            continue;
        }
        let value = vm.get_attr(module, &name)?;
        match namespace.downcast::<Dict>() {
            Some(dict) => vm.dict_set(dict, &name, value)?,
            None => vm.set_item(namespace, &name, &value)?,
        }
    }
    Ok(())
}

// ---- finding

/// Where a module's code is.
enum Found {
    Native(&'static crate::object::native::NativeModule),
    /// A file of the library: what it was compiled to, and its name.
    Library(Arc<Unit>, String, bool),
    File(PathBuf, bool),
    /// A directory without an `__init__` file.
    Namespace(Vec<Value>),
}

fn find_and_load(vm: &mut Vm, name: &Value, modules: &Ref<Dict>) -> Result<Value> {
    let text = plain(vm, name);
    let (parent, tail) = match text.rsplit_once('.') {
        Some((parent, tail)) if !parent.is_empty() => (Some(parent.to_owned()), tail.to_owned()),
        _ => (None, text.clone()),
    };
    let mut search: Option<Vec<Value>> = None;
    let mut parent_module = None;
    if let Some(parent) = &parent {
        let parent_name = vm.intern(parent);
        let module = import_module(vm, &parent_name)?;
        // The parent's code may have imported it.
        if let Some(known) = vm.dict_get(modules, name)? {
            return Ok(known);
        }
        let path_name = vm.name(Name::Path);
        let Some(path) = vm.find_attr(&module, &path_name)? else {
            let message = format!("No module named '{text}'; '{parent}' is not a package");
            return Err(import_error(vm, ExceptionKind::ModuleNotFoundError, message, Some(name), None, None));
        };
        search = Some(vm.collect(&path)?);
        parent_module = Some(module);
    } else if let Some(known) = vm.dict_get(modules, name)? {
        return Ok(known);
    }
    if let Some(module) = ask_finders(vm, name, search.as_deref())? {
        return bind_in_parent(vm, parent_module, &tail, module);
    }
    let Some(found) = find(vm, &text, &tail, search.clone())? else {
        if let Some(module) = ask_path_hooks(vm, name, search)? {
            return bind_in_parent(vm, parent_module, &tail, module);
        }
        let shown = vm.repr_text(name)?;
        let message = format!("No module named {shown}");
        return Err(import_error(vm, ExceptionKind::ModuleNotFoundError, message, Some(name), None, None));
    };
    let module = load(vm, name, &text, found, modules)?;
    bind_in_parent(vm, parent_module, &tail, module)
}

/// Makes a submodule an attribute of its package.
fn bind_in_parent(vm: &mut Vm, parent: Option<Value>, tail: &str, module: Value) -> Result<Value> {
    if let Some(parent) = parent {
        let tail = vm.intern(tail);
        if let Err(raised) = vm.set_attr(&parent, &tail, &module) {
            if !vm.clear_if(ExceptionKind::AttributeError) {
                return Err(raised);
            }
        }
    }
    Ok(module)
}

/// The module that a finder in `sys.meta_path` knows, loaded; nothing is asked while that list is empty. The finders stand before the native search.
fn ask_finders(vm: &mut Vm, name: &Value, search: Option<&[Value]>) -> Result<Option<Value>> {
    let Some(finders) = vm.sys_peek("meta_path")? else { return Ok(None) };
    if finders.downcast::<crate::object::types::list::List>().is_none_or(|list| list.get(vm).items.is_empty()) {
        return Ok(None);
    }
    if vm.text_of(name).is_some_and(|name| name.to_string().starts_with("importlib.")) {
        // What loads the modules that finders find is not asked for itself.
        return Ok(None);
    }
    let path = search.map_or(Value::NONE, |entries| vm.new_list(entries.to_vec()));
    for finder in vm.collect(&finders)? {
        let Some(find_spec) = vm.find_attr_str(&finder, "find_spec")? else { continue };
        let spec = vm.call(&find_spec, &[name.clone(), path.clone(), Value::NONE])?;
        if !spec.is_none() {
            return load_spec(vm, &spec).map(Some);
        }
    }
    Ok(None)
}

/// The module that is found by what is in `sys.path_hooks`, or in a zip archive; asked when nothing else has been found.
fn ask_path_hooks(vm: &mut Vm, name: &Value, search: Option<Vec<Value>>) -> Result<Option<Value>> {
    let entries = match search {
        Some(entries) => entries,
        None => match vm.sys_get("path")? {
            Some(path) => vm.collect(&path)?,
            None => return Ok(None),
        },
    };
    let has_hooks = match vm.sys_peek("path_hooks")? {
        Some(hooks) => vm.is_true(&hooks)?,
        None => false,
    };
    let is_in_file = |vm: &Vm, entry: &Value| {
        let text = vm.text_of(entry).map(ToString::to_string).unwrap_or_default();
        // `archive.zip/folder` leads into an archive, too.
        !text.starts_with(LIBRARY) && !text.is_empty() && Path::new(&text).ancestors().any(Path::is_file)
    };
    if !has_hooks && !entries.iter().any(|entry| is_in_file(vm, entry)) {
        return Ok(None);
    }
    let machinery = vm.import("importlib.machinery")?;
    let finder = vm.get_attr_str(&machinery, "PathFinder")?;
    let path = vm.new_list(entries);
    let spec = vm.call_method(&finder, "find_spec", &[name.clone(), path])?;
    if spec.is_none() { Ok(None) } else { load_spec(vm, &spec).map(Some) }
}

/// Makes and runs the module of a spec that a script's finder made.
fn load_spec(vm: &mut Vm, spec: &Value) -> Result<Value> {
    let util = vm.import("importlib._bootstrap")?;
    let function = vm.get_attr_str(&util, "_load")?;
    vm.call(&function, std::slice::from_ref(spec))
}

/// Where `importlib.machinery`, once imported, keeps the function that makes loaders (see `_library`).
pub(crate) const LOADER_MAKER: &str = "import.loader_maker";

/// Gives a module that was found natively its loader, if somebody is interested in loaders at all.
fn set_loader(vm: &mut Vm, dict: &Ref<Dict>, spec: &Value, name: &Value, kind: &str, file: Option<&Value>) -> Result<()> {
    let Some(maker) = vm.state().module_state.get(LOADER_MAKER).cloned() else { return Ok(()) };
    let kind = vm.new_str(kind);
    let loader = vm.call(&maker, &[name.clone(), kind, file.cloned().unwrap_or(Value::NONE)])?;
    vm.set_attr_str(spec, "loader", &loader)?;
    let key = vm.name(Name::Loader);
    vm.dict_set(dict, &key, loader)
}

/// Modules whose functions name another one as theirs, as CPython's do that are made in C: both can be imported.
const HOMES: [(&str, &str); 3] = [("_os", "posix"), ("operator", "_operator"), ("struct", "_struct")];

/// `__module__` of the functions of a native module.
pub(crate) fn home_of(module: &'static str) -> &'static str {
    HOMES.iter().find(|row| row.0 == module).map_or(module, |row| row.1)
}

impl Vm {
    /// The native module whose functions name `home` as theirs.
    pub(crate) fn module_of(home: &str) -> &str {
        HOMES.iter().find(|row| row.1 == home).map_or(home, |row| row.0)
    }
}

fn find(vm: &mut Vm, full: &str, tail: &str, search: Option<Vec<Value>>) -> Result<Option<Found>> {
    let full = Vm::module_of(full);
    if let Some(native) = vm.state().library.natives.iter().find(|native| native.name == full) {
        return Ok(Some(Found::Native(native)));
    }
    let entries = match search {
        Some(entries) => entries,
        None => match vm.sys_get("path")? {
            Some(path) => vm.collect(&path)?,
            None => Vec::new(),
        },
    };
    // A name is no path: it does not lead out of the folders that are looked in.
    let is_file_name = !tail.is_empty() && !tail.contains(['/', '.', '\0']);
    let entries = if is_file_name { entries } else { Vec::new() };
    let mut portions = Vec::new();
    for entry in entries {
        let Some(entry_text) = vm.text_of(&entry).map(ToString::to_string) else { continue };
        if entry_text.starts_with(LIBRARY) {
            continue;
        }
        let folder = if entry_text.is_empty() { PathBuf::from(".") } else { PathBuf::from(&entry_text) };
        let package = folder.join(tail);
        let is_folder = package.is_dir();
        for file in ["__init__.scr", "__init__.py"].into_iter().filter(|_| is_folder) {
            let candidate = package.join(file);
            if candidate.is_file() {
                return Ok(Some(Found::File(tidy(&candidate), true)));
            }
        }
        for extension in ["scr", "py"] {
            let candidate = folder.join(format!("{tail}.{extension}"));
            if candidate.is_file() {
                return Ok(Some(Found::File(tidy(&candidate), false)));
            }
        }
        if is_folder {
            portions.push(vm.new_str(package.to_string_lossy().into_owned()));
        }
    }
    let library = vm.state().library;
    if let (Some((_, is_package)), Some(unit)) = ((library.find_script)(full), (library.script_unit)(full)) {
        return Ok(Some(Found::Library(unit, library_file(full, is_package), is_package)));
    }
    Ok(if portions.is_empty() { None } else { Some(Found::Namespace(portions)) })
}

/// The path without a leading `./`, absolute where the working directory is known.
fn tidy(path: &Path) -> PathBuf {
    let path = path.strip_prefix(".").unwrap_or(path);
    if path.is_absolute() {
        return path.to_owned();
    }
    std::env::current_dir().map_or_else(|_| path.to_owned(), |folder| folder.join(path))
}

/// How a file of the library is called in tracebacks.
pub(crate) fn library_file(name: &str, is_package: bool) -> String {
    let path = name.replace('.', "/");
    if is_package { format!("{LIBRARY}/{path}/__init__.scr") } else { format!("{LIBRARY}/{path}.scr") }
}

// ---- loading

/// The `__path__` of a package without an `__init__` file.
static NAMESPACE_PATH: TypeSpec = TypeSpec {
    name: "_frozen_importlib_external._NamespacePath",
    base: Some(&crate::object::types::list_methods::TYPE),
    layout: Layout::List,
    ..TypeSpec::DEFAULT
};

/// `importlib`'s description of a module, as far as it is used.
pub(crate) static MODULE_SPEC: TypeSpec = TypeSpec {
    name: "importlib._bootstrap.ModuleSpec",
    layout: Layout::Instance,
    flags: BASE_TYPE | HAS_DICT | HAS_WEAKREFS,
    slots: Slots { repr: Some(spec_repr), init: Some(spec_init), compare: Some(compare_specs), ..Slots::NONE },
    ..TypeSpec::DEFAULT
};

fn spec_init(vm: &mut Vm, spec: &Value, arguments: crate::object::type_object::CallArgs<'_>) -> Result<()> {
    let mut values = [None, None, None, None, None];
    let names = ["name", "loader", "origin", "loader_state", "is_package"];
    let places = [0, 1, 2, 3, 4];
    for (place, value) in places.into_iter().zip(arguments.unnamed()) {
        values[place] = Some(value.clone());
    }
    for (key, value) in arguments.named() {
        let key = plain(vm, key);
        match names.iter().position(|known| **known == key) {
            Some(place) => values[place] = Some(value.clone()),
            None => {
                return Err(vm.type_error(format!("ModuleSpec.__init__() got an unexpected keyword argument '{key}'")));
            }
        }
    }
    let [name, loader, origin, loader_state, is_package] = values;
    let Some(name) = name else {
        return Err(vm.type_error("ModuleSpec.__init__() missing 1 required positional argument: 'name'"));
    };
    let is_package = match is_package {
        Some(flag) => vm.is_true(&flag)?,
        None => false,
    };
    fill_spec(vm, spec, &name, origin, is_package.then(Vec::new), false)?;
    vm.set_attr_str(spec, "loader", &loader.unwrap_or(Value::NONE))?;
    vm.set_attr_str(spec, "loader_state", &loader_state.unwrap_or(Value::NONE))
}

fn spec_repr(vm: &mut Vm, spec: &Value) -> Result<Value> {
    let mut builder = TextBuilder::new();
    builder.push_str("ModuleSpec(name=");
    let name = vm.get_attr_str(spec, "name")?;
    builder.push_text(&vm.repr_text(&name)?);
    let loader = vm.get_attr_str(spec, "loader")?;
    builder.push_str(", loader=");
    builder.push_text(&vm.repr_text(&loader)?);
    for key in ["origin", "submodule_search_locations"] {
        let value = vm.get_attr_str(spec, key)?;
        if !value.is_none() {
            builder.push_str(&format!(", {key}="));
            builder.push_text(&vm.repr_text(&value)?);
        }
    }
    builder.push_str(")");
    Ok(vm.new_str(builder.finish()))
}

/// Specs are equal that say the same of a module.
fn compare_specs(vm: &mut Vm, left: &Value, right: &Value, comparison: Comparison) -> Result<Value> {
    let class = vm.native_type(&MODULE_SPEC);
    if !matches!(comparison, Comparison::Equal | Comparison::NotEqual) || !vm.type_of(right).get(vm).is_subtype_of(&class) {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    let mut equal = true;
    for name in ["name", "loader", "origin", "submodule_search_locations", "cached", "has_location"] {
        let (ours, theirs) = (vm.get_attr_str(left, name)?, vm.get_attr_str(right, name)?);
        equal = equal && vm.equal(&ours, &theirs)?;
    }
    Ok(Value::from_bool(equal == (comparison == Comparison::Equal)))
}

fn fill_spec(vm: &mut Vm, spec: &Value, name: &Value, origin: Option<Value>, locations: Option<Vec<Value>>, has_location: bool) -> Result<()> {
    let text = plain(vm, name);
    let parent = if locations.is_some() { text.as_str() } else { text.rsplit_once('.').map_or("", |(parent, _)| parent) };
    let parent = vm.new_str(parent);
    let locations = match locations {
        Some(locations) => vm.new_list(locations),
        None => Value::NONE,
    };
    let rows = [
        ("name", name.clone()),
        ("loader", Value::NONE),
        ("origin", origin.unwrap_or(Value::NONE)),
        ("submodule_search_locations", locations),
        ("cached", Value::NONE),
        ("parent", parent),
        ("has_location", Value::from_bool(has_location)),
        ("loader_state", Value::NONE),
        ("_initializing", Value::FALSE),
    ];
    for (key, value) in rows {
        vm.set_attr_str(spec, key, &value)?;
    }
    Ok(())
}

/// A module's `__spec__`.
pub(crate) fn make_spec(vm: &mut Vm, name: &Value, origin: Option<Value>, locations: Option<Vec<Value>>, has_location: bool) -> Result<Value> {
    let class = vm.native_type(&MODULE_SPEC);
    let spec = vm.alloc_instance(&class);
    fill_spec(vm, &spec, name, origin, locations, has_location)?;
    Ok(spec)
}

/// Sets a module's import-related attributes.
fn set_module_attributes(vm: &mut Vm, dict: &Ref<Dict>, spec: &Value, package: &str, file: Option<Value>, path: Option<Value>) -> Result<()> {
    let package = vm.new_str(package);
    let mut rows = vec![(Name::Spec, spec.clone()), (Name::Loader, Value::NONE), (Name::Package, package)];
    if let Some(path) = path {
        rows.push((Name::Path, path));
    }
    if let Some(file) = file {
        rows.push((Name::File, file));
        rows.push((Name::Cached, Value::NONE));
    }
    for (key, value) in rows {
        let key = vm.name(key);
        vm.dict_set(dict, &key, value)?;
    }
    Ok(())
}

fn load(vm: &mut Vm, name: &Value, text: &str, found: Found, modules: &Ref<Dict>) -> Result<Value> {
    let parent = text.rsplit_once('.').map_or("", |(parent, _)| parent);
    let (program, file, is_package) = match found {
        Found::Native(native) if native.name != text => {
            let own = vm.import(native.name)?;
            vm.dict_set(modules, name, own.clone())?;
            return Ok(own);
        }
        Found::Native(native) => {
            let module = vm.make_native_module(native)?;
            let origin = vm.new_str("built-in");
            let spec = make_spec(vm, name, Some(origin), None, false)?;
            if let Some(dict) = module.downcast::<Module>().map(|module| module.get(vm).dict.clone()) {
                set_module_attributes(vm, &dict, &spec, parent, None, None)?;
                set_loader(vm, &dict, &spec, name, "native", None)?;
            }
            vm.dict_set(modules, name, module.clone())?;
            return Ok(module);
        }
        Found::Namespace(portions) => {
            let module = vm.new_module(text, Value::NONE)?;
            let spec = make_spec(vm, name, None, Some(portions.clone()), false)?;
            let dict = module.get(vm).dict.clone();
            let class = vm.native_type(&NAMESPACE_PATH);
            let path = vm.alloc_for(&class, crate::object::types::list::List { items: portions }).into_value();
            set_module_attributes(vm, &dict, &spec, text, None, Some(path.clone()))?;
            set_loader(vm, &dict, &spec, name, "namespace", Some(&path))?;
            let module = module.into_value();
            vm.dict_set(modules, name, module.clone())?;
            return Ok(module);
        }
        Found::Library(unit, file, is_package) => (Program::Library(unit), file, is_package),
        Found::File(path, is_package) => (read_program(vm, &path)?, path.to_string_lossy().into_owned(), is_package),
    };
    let module = vm.new_module(text, Value::NONE)?;
    let dict = module.get(vm).dict.clone();
    let file_value = vm.new_str(file.as_str());
    let path = if is_package {
        let folder = file.rsplit_once('/').map_or(file.as_str(), |(folder, _)| folder);
        Some(vm.new_str(folder))
    } else {
        None
    };
    let spec = make_spec(vm, name, Some(file_value.clone()), path.clone().map(|path| vec![path]), true)?;
    let path_list = path.map(|path| vm.new_list(vec![path]));
    set_module_attributes(vm, &dict, &spec, if is_package { text } else { parent }, Some(file_value.clone()), path_list)?;
    let kind = if matches!(program, Program::Library(..)) { "library" } else { "file" };
    set_loader(vm, &dict, &spec, name, kind, Some(&file_value))?;
    if !matches!(program, Program::Library(..))
        && let Some(place) = cache::place_of(Path::new(&file))
    {
        let place = vm.new_str(&*place.to_string_lossy());
        vm.set_attr_str(&spec, "cached", &place)?;
        let key = vm.name(Name::Cached);
        vm.dict_set(&dict, &key, place)?;
    }
    vm.set_attr_str(&spec, "_initializing", &Value::TRUE)?;
    let module = module.into_value();
    vm.dict_set(modules, name, module.clone())?;
    let result = run_program(vm, program, &file, &dict);
    match result {
        Ok(()) => {
            vm.set_attr_str(&spec, "_initializing", &Value::FALSE)?;
            // The module may have put something else in its place.
            match vm.dict_get(modules, name)? {
                Some(module) => Ok(module),
                None => Err(vm.key_error(name)),
            }
        }
        Err(raised) => {
            let exception = vm.take_raised();
            vm.set_attr_str(&spec, "_initializing", &Value::FALSE)?;
            vm.dict_remove(modules, name)?;
            let _ = raised;
            Err(vm.reraise(exception))
        }
    }
}

/// A module's text, or what was made of it.
enum Program {
    Library(Arc<Unit>),
    File { bytes: Vec<u8>, stamp: Option<Stamp> },
    Compiled(Arc<Unit>),
}

/// Reads a module's file, or what is kept of it.
fn read_program(vm: &mut Vm, path: &Path) -> Result<Program> {
    let read = vm.detached(|| {
        let stamp = cache::stamp_of(path);
        match stamp.and_then(|stamp| cache::load(path, stamp)) {
            Some(unit) => Ok(Program::Compiled(unit)),
            None => std::fs::read(path).map(|bytes| Program::File { bytes, stamp }),
        }
    });
    match read {
        Ok(program) => Ok(program),
        Err(error) => {
            let number = vm.new_int(i64::from(error.raw_os_error().unwrap_or(5)));
            let reason = error.to_string();
            let reason = vm.new_str(reason.split(" (os error").next().unwrap_or_default());
            let file = vm.new_str(&*path.to_string_lossy());
            let class = vm.state().exception(ExceptionKind::OSError).clone();
            let exception = vm.call(&class, &[number, reason, file])?;
            Err(vm.raise_value(exception))
        }
    }
}

fn run_program(vm: &mut Vm, program: Program, file: &str, dict: &Ref<Dict>) -> Result<()> {
    let code = match program {
        Program::Compiled(unit) | Program::Library(unit) => vm.make_code(unit),
        Program::File { bytes, stamp } => {
            let code = vm.compile_bytes(&bytes, file, SourceOptions::MODULE)?;
            if let Some(stamp) = stamp
                && writes_cache(vm)?
            {
                let unit = code.get(vm).unit.clone();
                vm.detached(|| cache::store(Path::new(file), stamp, &unit));
            }
            code
        }
    };
    let function = vm.new_function(code, dict.clone())?;
    vm.run_code(&function, dict)?;
    Ok(())
}

/// Whether compiled modules are to be kept: `not sys.dont_write_bytecode`.
fn writes_cache(vm: &mut Vm) -> Result<bool> {
    if !vm.state().options.write_cache {
        return Ok(false);
    }
    let modules = vm.state().modules.clone();
    let Some(sys) = vm.dict_get_str(&modules, "sys")? else { return Ok(true) };
    match vm.find_attr_str(&sys, "dont_write_bytecode")? {
        Some(keeps_none) => Ok(!vm.is_true(&keeps_none)?),
        None => Ok(true),
    }
}

/// Runs a module by its name as `__main__`, a package by its `__main__` submodule: what `-m` does. What cannot be found is an `ImportError` without a traceback.
pub(crate) fn run_module(vm: &mut Vm, name: &str) -> Result<()> {
    let mut full = name.to_owned();
    loop {
        let tail = full.rsplit('.').next().unwrap_or_default().to_owned();
        let search = match full.rsplit_once('.') {
            Some((parent, _)) => {
                let parent_name = vm.intern(parent);
                let module = import_module(vm, &parent_name).or_else(|raised| not_importable(vm, &full, parent, raised))?;
                let path = vm.name(Name::Path);
                match vm.find_attr(&module, &path)? {
                    Some(path) => Some(vm.collect(&path)?),
                    None => {
                        let reason = format!("ModuleNotFoundError: __path__ attribute not found on '{parent}' while trying to find '{full}'");
                        return Err(no_specification(vm, &full, &reason));
                    }
                }
            }
            None => None,
        };
        let found = find(vm, &full, &tail, search)?;
        let (program, file) = match found {
            Some(Found::Library(_, _, true) | Found::File(_, true) | Found::Namespace(_)) if full.ends_with(".__main__") => {
                let message = format!("Cannot use package as __main__ module; '{full}' is a package and cannot be directly executed");
                return Err(vm.raise(ExceptionKind::ImportError, message));
            }
            Some(Found::Library(_, _, true) | Found::File(_, true) | Found::Namespace(_)) => {
                full.push_str(".__main__");
                continue;
            }
            Some(Found::Library(unit, file, false)) => (Program::Library(unit), file),
            Some(Found::File(path, false)) => (read_program(vm, &path)?, path.to_string_lossy().into_owned()),
            Some(Found::Native(_)) => {
                let message = format!("No code object available for {full}");
                return Err(vm.raise(ExceptionKind::ImportError, message));
            }
            None => {
                let package = full.strip_suffix(".__main__").filter(|_| full != name);
                let hint = package.map_or_else(String::new, |package| format!("; '{package}' is a package and cannot be directly executed"));
                return Err(vm.raise(ExceptionKind::ImportError, format!("No module named {full}{hint}")));
            }
        };
        if let Some(argv) = vm.sys_get("argv")? {
            if vm.len(&argv)? > 0 {
                let file_value = vm.new_str(file.as_str());
                vm.set_item(&argv, &Value::small(0), &file_value)?;
            }
        }
        return run_as_main(vm, &full, program, &file);
    }
}

/// Runs the `__main__` module of the folder that comes first in `sys.path`; `false` when there is none.
pub(crate) fn run_folder(vm: &mut Vm, folder: &str) -> Result<bool> {
    let search = vec![vm.new_str(folder)];
    let Some(Found::File(path, false)) = find(vm, "__main__", "__main__", Some(search))? else { return Ok(false) };
    let program = read_program(vm, &path)?;
    let file = path.to_string_lossy().into_owned();
    run_as_main(vm, "__main__", program, &file)?;
    Ok(true)
}

fn run_as_main(vm: &mut Vm, full: &str, program: Program, file: &str) -> Result<()> {
    let modules = vm.state().modules.clone();
    let main = vm.dict_get_str(&modules, "__main__")?;
    let Some(dict) = main.as_ref().and_then(|main| main.downcast::<Module>()).map(|main| main.get(vm).dict.clone()) else {
        return Err(vm.runtime_error("there is no module __main__"));
    };
    let name_value = vm.intern(full);
    let file_value = vm.new_str(file);
    let spec = make_spec(vm, &name_value, Some(file_value.clone()), None, true)?;
    let package = full.rsplit_once('.').map_or("", |(package, _)| package).to_owned();
    set_module_attributes(vm, &dict, &spec, &package, Some(file_value), None)?;
    run_program(vm, program, file, &dict)
}

/// A package of a module to run that cannot be imported because it, or one above it, is not there.
fn not_importable(vm: &mut Vm, full: &str, parent: &str, raised: Raised) -> Result<Value> {
    if !vm.raised_is(ExceptionKind::ModuleNotFoundError) {
        return Err(raised);
    }
    let exception = vm.take_raised();
    let missing = vm.find_attr_str(&exception, "name")?.map(|name| plain(vm, &name)).unwrap_or_default();
    if missing != parent && !parent.starts_with(&format!("{missing}.")) {
        return Err(vm.reraise(exception));
    }
    let reason = vm.str_text(&exception)?;
    Err(no_specification(vm, full, &format!("ModuleNotFoundError: {reason}")))
}

fn no_specification(vm: &mut Vm, full: &str, reason: &str) -> Raised {
    vm.raise(ExceptionKind::ImportError, format!("Error while finding module specification for '{full}' ({reason})"))
}
