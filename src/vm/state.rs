//! What the threads of one interpreter share: its heap, types, modules and caches. Used by whoever holds the GIL.

use std::cell::OnceCell;
use std::ptr::NonNull;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::code::unit::Unit;
use crate::object::heap::{Header, Heap};
use crate::object::shape::ShapeTable;
use crate::object::type_object::{Type, TypeSpec};
use crate::object::types::TypeId;
use crate::object::types::dict::Dict;
use crate::object::types::exception::ExceptionKind;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;

macro_rules! names {
    ($($variant:ident = $text:literal,)+) => {
        /// Names the VM itself looks up, interned once.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Name { $($variant),+ }
        impl Name {
            pub(crate) const TEXTS: &'static [&'static str] = &[$($text),+];
        }
    };
}

names! {
    Init = "__init__",
    New = "__new__",
    Del = "__del__",
    Dict = "__dict__",
    Class = "__class__",
    Name = "__name__",
    Qualname = "__qualname__",
    Module = "__module__",
    Doc = "__doc__",
    Annotations = "__annotations__",
    Builtins = "__builtins__",
    Slots = "__slots__",
    Getattr = "__getattr__",
    Getattribute = "__getattribute__",
    Enter = "__enter__",
    Exit = "__exit__",
    AsyncEnter = "__aenter__",
    AsyncExit = "__aexit__",
    Next = "__next__",
    Call = "__call__",
    Eq = "__eq__",
    Hash = "__hash__",
    Prepare = "__prepare__",
    ClassCell = "__classcell__",
    SetName = "__set_name__",
    InitSubclass = "__init_subclass__",
    OrigBases = "__orig_bases__",
    InstanceCheck = "__instancecheck__",
    SubclassCheck = "__subclasscheck__",
    LengthHint = "__length_hint__",
    Format = "__format__",
    ClassGetItem = "__class_getitem__",
    Import = "__import__",
    BuildClass = "__build_class__",
    Path = "__path__",
    Spec = "__spec__",
    Loader = "__loader__",
    Package = "__package__",
    File = "__file__",
    Cached = "__cached__",
    All = "__all__",
    MatchArgs = "__match_args__",
    StaticAttributes = "__static_attributes__",
    AbstractMethods = "__abstractmethods__",
    Self_ = "self",
    Notes = "__notes__",
    Mro = "mro",
    Round = "__round__",
    AbcImpl = "_abc_impl",
    AbcYes = "yes",
    AbcNo = "no",
    AbcVersion = "version",
}

/// An entry of the cache of attribute look-ups in classes.
#[derive(Clone)]
pub(crate) struct TypeCacheEntry {
    pub(crate) epoch: u32,
    pub(crate) class: Word,
    pub(crate) name: Value,
    /// What was found, owned by the class's namespace; unbound when there is no such attribute.
    pub(crate) value: Word,
}

/// An entry of the cache of attributes of plain instances, which sites share that see more than one shape.
#[derive(Clone)]
pub(crate) struct ShapeCacheEntry {
    pub(crate) name: Value,
    pub(crate) shape: u32,
    pub(crate) use_: ShapeUse,
    /// A slot, a function's place in the method table, or a shape: as `use_` says.
    pub(crate) what: u32,
}

/// What is known of an attribute of the instances with a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShapeUse {
    /// Reading it reads a slot.
    Load,
    /// Assigning it writes a slot.
    Store,
    /// Assigning it writes the next free slot, and the instance then has another shape.
    Add,
    /// The class has a function of that name.
    Method,
}

impl ShapeCacheEntry {
    /// Nothing.
    pub(crate) const EMPTY: Self = Self { name: Value::UNBOUND, shape: 0, use_: ShapeUse::Load, what: 0 };
}

/// How many entries the cache of interned texts has.
pub(crate) const INTERN_CACHE: usize = 256;
/// How many of the library's texts, whose numbers follow one another, share a row.
pub(crate) const SYMBOLS_PER_ROW: usize = 64;
/// How many entries that cache has.
pub(crate) const SHAPE_CACHE: usize = 512;

/// How many entries the cache of look-ups in classes has.
pub(crate) const TYPE_CACHE: usize = 1024;

/// What emptying all inline caches has to look at: the code objects that have filled ones, and the classes that caches rely on, as addresses that are not
/// counted (`heap::layout_at` tells what is left there).
#[derive(Default)]
pub(crate) struct CachedList {
    headers: Vec<NonNull<Header>>,
    /// There were too many to note: all objects have to be looked at.
    is_short: bool,
}

/// How many objects are noted at most, in 512 KB.
const MOST_CACHED: usize = 65_536;

impl CachedList {
    /// Notes an object.
    pub(crate) fn note(&mut self, header: *mut Header) {
        match NonNull::new(header) {
            Some(header) if self.headers.len() < MOST_CACHED => self.headers.push(header),
            _ => self.is_short = true,
        }
    }

    /// Whether not all could be noted.
    pub(crate) fn is_short(&self) -> bool {
        self.is_short
    }

    /// All that were noted; none of them is any more.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = NonNull<Header>> {
        self.headers.drain(..)
    }
}

/// The shared state.
pub(crate) struct State {
    /// By `TypeId`.
    pub(crate) types: Vec<Ref<Type>>,
    pub(crate) exceptions: Vec<Ref<Type>>,
    pub(crate) exception_group: Option<Ref<Type>>,
    pub(crate) native_types: FxHashMap<usize, Ref<Type>>,
    /// Parsed signatures of constructors, by the address of their rows.
    pub(crate) constructor_signatures: FxHashMap<usize, std::rc::Rc<crate::object::signature::Signature>>,
    pub(crate) builtins: Ref<Dict>,
    pub(crate) modules: Ref<Dict>,
    pub(crate) sys: Ref<Dict>,
    pub(crate) names: Vec<Value>,
    pub(crate) empty_tuple: Value,
    pub(crate) empty_str: Value,
    pub(crate) empty_bytes: Value,
    /// The strings of one ASCII character, made when they are needed first.
    pub(crate) characters: [OnceCell<Value>; 128],
    pub(crate) shapes: ShapeTable,
    /// Functions that method caches refer to by index.
    pub(crate) method_table: Vec<Value>,
    pub(crate) type_cache: Vec<TypeCacheEntry>,
    /// Interned strings that Rust asked for by a text, by the text's address.
    pub(crate) intern_cache: std::cell::RefCell<Vec<Value>>,
    /// The interned strings of the library's texts by their numbers, in rows that are made when they are needed.
    pub(crate) library_names: std::cell::RefCell<Vec<Option<Box<[Value; SYMBOLS_PER_ROW]>>>>,
    pub(crate) cached: CachedList,
    /// Emptied with the inline caches.
    pub(crate) shape_cache: Vec<ShapeCacheEntry>,
    pub(crate) type_epoch: u32,
    pub(crate) next_version: u32,
    pub(crate) hash_seed: u64,
    /// How many threads trace.
    pub(crate) n_tracing: usize,
    pub(crate) recursion_limit: usize,
    pub(crate) shared: Arc<crate::gil::Shared>,
    /// The slots that plain subclasses of native types have, by the types' addresses.
    pub(crate) handed_down: FxHashMap<u64, crate::object::type_object::Slots>,
    /// Modules' caches of their own: natives keep things here by name.
    pub(crate) module_state: FxHashMap<&'static str, Value>,
    pub(crate) options: Options,
    pub(crate) library: Library,
    pub(crate) int_max_str_digits: usize,
    /// `builtins.__import__` as it was at the start.
    pub(crate) import_function: Option<Value>,
    /// Whether a collection is under way, and whether `gc` is enabled.
    pub(crate) collector: crate::object::cycle::Collector,
    /// Threads that have not attached yet, with what they are to do.
    pub(crate) starting: Vec<crate::thread::start::Start>,
    pub(crate) import_locks: super::import::ImportLocks,
    /// Register stacks of threads that have ended, for those that come.
    pub(crate) spare_stacks: Vec<super::frame::FrameStack>,
    /// The wait of the thread that shows the stacks later, if there is one.
    pub(crate) watchdog: Option<crate::gil::Waiter>,
    /// Values that hosts let go of without the GIL.
    pub(crate) mailbox: Arc<crate::object::mailbox::Mailbox>,
    /// The threads that are attached, or were and come back.
    pub(crate) live: Vec<super::stacks::Live>,
    /// Last, since fields are dropped in order: every value must be gone before.
    pub(crate) heap: Box<Heap>,
}

/// The library that `import` finds inside the program: the layers above tell the VM about it.
#[derive(Clone, Copy)]
pub(crate) struct Library {
    pub(crate) natives: &'static [&'static crate::object::native::NativeModule],
    /// The source of a module's script half, and whether it is a package.
    pub(crate) find_script: fn(&str) -> Option<(&'static str, bool)>,
    /// The unit of that half, which all interpreters of the process share.
    pub(crate) script_unit: fn(&str) -> Option<Arc<Unit>>,
}

/// How the interpreter was configured.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    pub(crate) arguments: Vec<std::ffi::OsString>,
    pub(crate) warning_filters: Vec<String>,
    pub(crate) search_path: Vec<String>,
    /// Compiled modules are kept beside their sources.
    pub(crate) write_cache: bool,
    pub(crate) executable: String,
    pub(crate) is_interactive: bool,
    /// The process ends with the interpreter: what is left of its memory is the system's to take back.
    pub(crate) ends_process: bool,
    /// `sys._xoptions`: names with their values, if they have any.
    pub(crate) x_options: Vec<(String, Option<String>)>,
    /// Environment variables for Scrip are not looked at.
    pub(crate) ignores_environment: bool,
    /// The script's folder is not in `sys.path`.
    pub(crate) is_safe_path: bool,
    /// As with the two above, and no folder of the user's is looked at.
    pub(crate) is_isolated: bool,
    /// stdout and stderr are written at once.
    pub(crate) is_unbuffered: bool,
    /// The prompt begins without a greeting.
    pub(crate) is_quiet: bool,
}

impl Options {
    /// More is checked than usual (`-X dev`).
    pub(crate) fn is_dev(&self) -> bool {
        self.x_options.iter().any(|(name, _)| name == "dev")
    }
}

impl State {
    #[inline(always)]
    pub(crate) fn builtin(&self, kind: TypeId) -> &Ref<Type> {
        &self.types[kind as usize]
    }
    #[inline(always)]
    pub(crate) fn exception(&self, kind: ExceptionKind) -> &Ref<Type> {
        &self.exceptions[kind as usize]
    }
    #[inline(always)]
    pub(crate) fn name(&self, name: Name) -> &Value {
        &self.names[name as usize]
    }
    /// The type of a spec that has been made already.
    pub(crate) fn known_type(&self, spec: &'static TypeSpec) -> Option<&Ref<Type>> {
        self.native_types.get(&(std::ptr::from_ref(spec) as usize))
    }
}
