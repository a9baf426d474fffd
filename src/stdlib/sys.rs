//! `sys`: the interpreter as scripts see it.

use crate::object::native::{Args, Native, NativeModule, native};
use crate::object::type_object::{CallArgs, Slots, Type, TypeSpec};
use crate::object::types::TypeId;
use crate::object::types::exception::{Exception, ExceptionKind};
use crate::object::types::module::{LazyRow, Module};
use crate::object::types::object::plain;
use crate::object::types::str::Str;
use crate::object::types::structseq::{self, Fields, item};
use crate::object::types::tuple::Tuple;
use crate::object::value::Value;
use crate::stdlib::streams;
use crate::vm::{Result, Vm};

pub(crate) static MODULE: NativeModule = NativeModule {
    name: "sys",
    doc: "What the interpreter tells of itself, and lets a program change.",
    functions: &[
        native("exit(status=None, /)", exit),
        native("exc_info()", exc_info),
        native("exception()", |vm, _| Ok(vm.handled.clone())),
        native("excepthook(exctype, value, traceback, /)", except_hook),
        native("displayhook(object, /)", display_hook),
        native("unraisablehook(unraisable, /)", unraisable_hook),
        native("breakpointhook(*args, **kws)", breakpoint_hook),
        native("getrecursionlimit()", |vm, _| {
            let known = vm.state().module_state.get(RECURSION_LIMIT).cloned();
            Ok(known.unwrap_or_else(|| vm.new_int(vm.state().recursion_limit as i64)))
        }),
        native("setrecursionlimit(limit, /)", set_recursion_limit),
        native("getrefcount(object, /)", |_, args| Ok(Value::small(reference_count(&args[0])))),
        native("getsizeof(object, default=None)", get_size_of),
        native("intern(string, /)", intern),
        native("_is_interned(string, /)", |vm, args| {
            vm.expect_str(&args[0], "_is_interned() argument")?;
            Ok(Value::from_bool(crate::object::intern::is_interned(&args[0])))
        }),
        native("_getframe(depth=0, /)", get_frame),
        native("_getframemodulename(depth=0)", get_frame_module_name),
        native("_current_frames()", current_frames),
        native("_current_exceptions()", |vm, _| Ok(vm.new_dict().into_value())),
        native("_clear_type_cache()", |_, _| Ok(Value::NONE)),
        native("_is_gil_enabled()", |_, _| Ok(Value::TRUE)),
        native("getswitchinterval()", |vm, _| {
            let nanoseconds = vm.state().shared.switch_interval();
            Ok(vm.new_float(nanoseconds as f64 / 1e9))
        }),
        native("setswitchinterval(interval, /)", set_switch_interval),
        native("get_int_max_str_digits()", |vm, _| Ok(Value::small(vm.state().int_max_str_digits as i64))),
        native("set_int_max_str_digits(maxdigits)", set_int_max_str_digits),
        native("getdefaultencoding()", |vm, _| Ok(vm.intern("utf-8"))),
        native("getfilesystemencoding()", |vm, _| Ok(vm.intern("utf-8"))),
        native("getfilesystemencodeerrors()", |vm, _| Ok(vm.intern("surrogateescape"))),
        native("is_finalizing()", |vm, _| Ok(Value::from_bool(vm.state().module_state.contains_key("finalizing")))),
        native("get_asyncgen_hooks()", get_async_hooks),
        native("set_asyncgen_hooks(firstiter=None, finalizer=None)", set_async_hooks),
        native("get_coroutine_origin_tracking_depth()", |vm, _| Ok(vm.state().module_state.get("origin_depth").cloned().unwrap_or(Value::small(0)))),
        native("set_coroutine_origin_tracking_depth(depth)", |vm, args| {
            let depth = i64::from(vm.c_int(&args[0])?);
            if depth < 0 {
                return Err(vm.value_error("depth must be >= 0"));
            }
            vm.state_mut().module_state.insert("origin_depth", Value::small(depth));
            Ok(Value::NONE)
        }),
        native("audit(event, /, *args)", |_, _| Ok(Value::NONE)),
        native("addaudithook(hook)", |_, _| Ok(Value::NONE)),
        native("gettrace()", |vm, _| Ok(vm.tracer())),
        native("settrace(function, /)", |vm, args| {
            vm.set_tracer(Some(args[0].clone()).filter(|function| !function.is_none()));
            Ok(Value::NONE)
        }),
        native("getprofile()", |vm, _| Ok(vm.profiler())),
        native("setprofile(function, /)", |vm, args| {
            vm.set_profiler(Some(args[0].clone()).filter(|function| !function.is_none()));
            Ok(Value::NONE)
        }),
        native("getunicodeinternedsize(*, _only_immortal=False)", |vm, _| Ok(vm.new_int(vm.heap().interned.borrow().len() as i64))),
        native("getallocatedblocks()", |vm, _| Ok(vm.new_int(vm.heap().growth.get().max(0)))),
        native("call_tracing(func, args, /)", |vm, args| {
            let arguments = vm.tuple_items(&args[1]);
            vm.call(&args[0], &arguments)
        }),
    ],
    types: &[],
    init: Some(init),
};

/// The constructor of what there is one of.
const REFUSED: Option<Native> = Some(
    native("tuple(*args, **kwargs)", |vm, args| {
        let class = args[0].downcast::<Type>().expect("the class").clone();
        let message = format!("cannot create '{}' instances", vm.class_full_name(&class));
        Err(vm.type_error(message))
    })
    .shown(""),
);

macro_rules! named_tuple {
    ($spec:ident, $fields:ident, $name:literal, $new:expr, [$($place:literal $field:literal),+ $(,)?]) => {
        static $fields: Fields = Fields { items: &[$($field),+], hidden: &[] };
        static $spec: TypeSpec = structseq::spec(
            $name,
            "",
            $new,
            &$fields,
    &[$(item::<$place>($field)),+],
            Slots { repr: Some(|vm, value| structseq::show(vm, value, $name, &$fields)), ..Slots::NONE },
        );
    };
}

named_tuple!(VERSION_INFO, VERSION_FIELDS, "sys.version_info", REFUSED, [0 "major", 1 "minor", 2 "micro", 3 "releaselevel", 4 "serial"]);
named_tuple!(FLOAT_INFO, FLOAT_FIELDS, "sys.float_info", Some(native("float_info(sequence, dict=None)", |vm, args| structseq::construct(vm, args, &FLOAT_FIELDS, "sys.float_info")).shown("(iterable=(), /)")), [
    0 "max", 1 "max_exp", 2 "max_10_exp", 3 "min", 4 "min_exp", 5 "min_10_exp", 6 "dig", 7 "mant_dig", 8 "epsilon", 9 "radix", 10 "rounds",
]);
named_tuple!(INT_INFO, INT_FIELDS, "sys.int_info", Some(native("int_info(sequence, dict=None)", |vm, args| structseq::construct(vm, args, &INT_FIELDS, "sys.int_info")).shown("(iterable=(), /)")), [0 "bits_per_digit", 1 "sizeof_digit", 2 "default_max_str_digits", 3 "str_digits_check_threshold"]);
named_tuple!(HASH_INFO, HASH_FIELDS, "sys.hash_info", Some(native("hash_info(sequence, dict=None)", |vm, args| structseq::construct(vm, args, &HASH_FIELDS, "sys.hash_info")).shown("(iterable=(), /)")), [
    0 "width", 1 "modulus", 2 "inf", 3 "nan", 4 "imag", 5 "algorithm", 6 "hash_bits", 7 "seed_bits", 8 "cutoff",
]);
named_tuple!(THREAD_INFO, THREAD_FIELDS, "sys.thread_info", Some(native("thread_info(sequence, dict=None)", |vm, args| structseq::construct(vm, args, &THREAD_FIELDS, "sys.thread_info")).shown("(iterable=(), /)")), [0 "name", 1 "lock", 2 "version"]);
named_tuple!(FLAGS, FLAGS_FIELDS, "sys.flags", REFUSED, [
    0 "debug", 1 "inspect", 2 "interactive", 3 "optimize", 4 "dont_write_bytecode", 5 "no_user_site", 6 "no_site", 7 "ignore_environment", 8 "verbose",
    9 "bytes_warning", 10 "quiet", 11 "hash_randomization", 12 "isolated", 13 "dev_mode", 14 "utf8_mode", 15 "warn_default_encoding", 16 "safe_path",
    17 "int_max_str_digits",
]);
named_tuple!(ASYNC_HOOKS, ASYNC_HOOKS_FIELDS, "sys.asyncgen_hooks", Some(native("asyncgen_hooks(sequence, dict=None)", |vm, args| structseq::construct(vm, args, &ASYNC_HOOKS_FIELDS, "sys.asyncgen_hooks")).shown("(iterable=(), /)")), [0 "firstiter", 1 "finalizer"]);

fn init(vm: &mut Vm, module: &Value) -> Result<()> {
    let options = vm.state().options.clone();
    let version = vm.new_str("3.13.0 (Scrip)");
    let mut rows: Vec<(&str, Value)> = vec![("version", version)];
    rows.push(("hexversion", Value::small(0x030d_00f0)));
    rows.push(("api_version", Value::small(1013)));
    rows.push(("copyright", vm.new_str("")));
    rows.push((
        "platform",
        vm.new_str(if cfg!(target_os = "linux") {
            "linux"
        } else if cfg!(target_os = "macos") {
            "darwin"
        } else {
            "win32"
        }),
    ));
    rows.push(("maxsize", vm.new_int(i64::MAX)));
    rows.push(("maxunicode", Value::small(0x10_ffff)));
    rows.push(("byteorder", vm.new_str(if cfg!(target_endian = "little") { "little" } else { "big" })));
    rows.push(("float_repr_style", vm.new_str("short")));
    rows.push(("dont_write_bytecode", Value::from_bool(!options.write_cache)));
    let executable = vm.new_str(options.executable.as_str());
    rows.push(("executable", executable.clone()));
    rows.push(("_base_executable", executable.clone()));
    let prefix = vm.new_str("/usr/local");
    for name in ["prefix", "exec_prefix", "base_prefix", "base_exec_prefix"] {
        rows.push((name, prefix.clone()));
    }
    rows.push(("platlibdir", vm.new_str("lib")));
    rows.push(("pycache_prefix", Value::NONE));
    rows.push(("abiflags", vm.new_str("")));
    let arguments: Vec<Value> =
        options.arguments.iter().map(|argument| crate::stdlib::os_error::path_value(vm, argument.as_encoded_bytes())).collect();
    let arguments = if arguments.is_empty() { vec![vm.empty_str()] } else { arguments };
    rows.push(("argv", vm.new_list(arguments.clone())));
    let original: Vec<Value> = std::iter::once(executable).chain(arguments).collect();
    rows.push(("orig_argv", vm.new_list(original)));
    let mut path: Vec<Value> = options.search_path.iter().map(|folder| vm.new_str(folder.as_str())).collect();
    path.push(vm.new_str(crate::vm::import::LIBRARY));
    rows.push(("path", vm.new_list(path)));
    let filters = options.warning_filters.iter().map(|filter| vm.new_str(filter.as_str())).collect();
    rows.push(("warnoptions", vm.new_list(filters)));
    for name in ["meta_path", "path_hooks"] {
        rows.push((name, vm.new_list(Vec::new())));
    }
    rows.push(("path_importer_cache", vm.new_dict().into_value()));
    let x_options = vm.new_dict();
    for (name, value) in &options.x_options {
        let digits = value.as_ref().filter(|_| name == "int_max_str_digits").and_then(|value| value.parse().ok());
        if let Some(digits) = digits.filter(|&digits: &usize| digits == 0 || digits >= 640) {
            vm.state_mut().int_max_str_digits = digits;
        }
        let value = value.as_ref().map_or(Value::TRUE, |value| vm.new_str(value.as_str()));
        vm.dict_set_str(&x_options, name, value)?;
    }
    rows.push(("_xoptions", x_options.into_value()));
    rows.push(("modules", vm.state().modules.clone().into_value()));
    let dict = vm.state().sys.clone();
    for (hook, kept) in [
        ("excepthook", "__excepthook__"),
        ("displayhook", "__displayhook__"),
        ("unraisablehook", "__unraisablehook__"),
        ("breakpointhook", "__breakpointhook__"),
    ] {
        if let Some(hook) = vm.dict_get_str(&dict, hook)? {
            rows.push((kept, hook));
        }
    }
    for (name, value) in rows {
        vm.dict_set_str(&dict, name, value)?;
    }
    if let Some(module) = module.downcast::<Module>() {
        module.get(vm).rest.set(REST);
    }
    Ok(())
}

/// What most programs never ask for.
static REST: &[LazyRow] = &[
    LazyRow { name: "stdin", make: |vm| streams::standard(vm, &streams::STDIN) },
    LazyRow { name: "stdout", make: |vm| streams::standard(vm, &streams::STDOUT) },
    LazyRow { name: "stderr", make: |vm| streams::standard(vm, &streams::STDERR) },
    LazyRow { name: "__stdin__", make: |vm| streams::standard(vm, &streams::STDIN) },
    LazyRow { name: "__stdout__", make: |vm| streams::standard(vm, &streams::STDOUT) },
    LazyRow { name: "__stderr__", make: |vm| streams::standard(vm, &streams::STDERR) },
    LazyRow { name: "version_info", make: version_info },
    LazyRow { name: "implementation", make: implementation },
    LazyRow { name: "builtin_module_names", make: builtin_module_names },
    LazyRow { name: "stdlib_module_names", make: stdlib_module_names },
    LazyRow { name: "float_info", make: float_info },
    LazyRow { name: "int_info", make: |vm| structseq::make(vm, &INT_INFO, &INT_FIELDS, [30, 4, 4300, 640].map(Value::small).to_vec()) },
    LazyRow { name: "hash_info", make: hash_info },
    LazyRow {
        name: "thread_info",
        make: |vm| {
            let values = vec![vm.new_str("pthread"), vm.new_str("mutex+cond"), Value::NONE];
            structseq::make(vm, &THREAD_INFO, &THREAD_FIELDS, values)
        },
    },
    LazyRow { name: "flags", make: flags },
];

fn version_info(vm: &mut Vm) -> Result<Value> {
    let release = vm.new_str("final");
    let parts = vec![Value::small(3), Value::small(13), Value::small(0), release, Value::small(0)];
    structseq::make(vm, &VERSION_INFO, &VERSION_FIELDS, parts)
}

fn builtin_module_names(vm: &mut Vm) -> Result<Value> {
    let mut natives: Vec<&str> = vm.state().library.natives.iter().map(|native| native.name).collect();
    natives.sort_unstable();
    let names: Vec<Value> = natives.into_iter().map(|name| vm.intern(name)).collect();
    Ok(vm.new_tuple(names))
}

fn stdlib_module_names(vm: &mut Vm) -> Result<Value> {
    let mut library: Vec<&str> = STANDARD_MODULES.to_vec();
    library.extend(vm.state().library.natives.iter().map(|native| native.name));
    library.extend(super::scripts::names().filter(|name| !name.contains('.')));
    let set_class = vm.builtin(TypeId::FrozenSet);
    let names: Vec<Value> = library.into_iter().map(|name| vm.intern(name)).collect();
    let names = vm.new_list(names);
    vm.call(&set_class, &[names])
}

fn float_info(vm: &mut Vm) -> Result<Value> {
    let values = vec![
        vm.new_float(f64::MAX),
        Value::small(1024),
        Value::small(308),
        vm.new_float(f64::MIN_POSITIVE),
        Value::small(-1021),
        Value::small(-307),
        Value::small(15),
        Value::small(53),
        vm.new_float(f64::EPSILON),
        Value::small(2),
        Value::small(1),
    ];
    structseq::make(vm, &FLOAT_INFO, &FLOAT_FIELDS, values)
}

fn hash_info(vm: &mut Vm) -> Result<Value> {
    let values = vec![
        Value::small(64),
        vm.new_int((1 << 61) - 1),
        Value::small(314_159),
        Value::small(0),
        Value::small(1_000_003),
        vm.new_str("foldhash"),
        Value::small(64),
        Value::small(64),
        Value::small(0),
    ];
    structseq::make(vm, &HASH_INFO, &HASH_FIELDS, values)
}

fn flags(vm: &mut Vm) -> Result<Value> {
    let options = &vm.state().options;
    let mut flags = [0; 18].map(Value::small).to_vec();
    let has = |name: &str| options.x_options.iter().any(|(known, _)| known == name);
    flags[2] = Value::small(i64::from(options.is_interactive));
    flags[4] = Value::small(i64::from(!options.write_cache));
    flags[5] = Value::small(i64::from(options.is_isolated));
    flags[7] = Value::small(i64::from(options.ignores_environment));
    flags[10] = Value::small(i64::from(options.is_quiet));
    flags[11] = Value::small(1);
    flags[12] = Value::small(i64::from(options.is_isolated));
    flags[13] = Value::from_bool(has("dev"));
    flags[14] = Value::small(1);
    flags[15] = Value::small(i64::from(has("warn_default_encoding")));
    flags[16] = Value::from_bool(options.is_safe_path);
    flags[17] = Value::small(vm.state().int_max_str_digits as i64);
    structseq::make(vm, &FLAGS, &FLAGS_FIELDS, flags)
}

/// `types.SimpleNamespace`, as far as `sys.implementation` needs it; `types` takes its class from there.
pub(crate) static SIMPLE_NAMESPACE: TypeSpec = TypeSpec {
    name: "types.SimpleNamespace",
    doc: "An object with the attributes it is given.",
    flags: crate::object::type_object::BASE_TYPE | crate::object::type_object::HAS_DICT | crate::object::type_object::HAS_WEAKREFS,
    slots: Slots {
        repr: Some(namespace_repr),
        init: Some(namespace_init),
        compare: Some(compare_namespaces),
        new: Some(new_namespace),
        ..Slots::NONE
    },
    methods: &[
        native("__reduce__(self, /)", |vm, args| {
            let class = vm.type_of(&args[0]).into_value();
            let dict = vm.get_attr_str(&args[0], "__dict__")?;
            let empty = vm.empty_tuple();
            Ok(vm.new_tuple(vec![class, empty, dict]))
        }),
        native("__replace__(self, /, **changes)", |vm, args| {
            let class = vm.type_of(&args[0]).into_value();
            let copy = vm.call(&class, &[])?;
            for source in [vm.get_attr_str(&args[0], "__dict__")?, args[1].clone()] {
                for key in vm.mapping_keys(&source)? {
                    let value = vm.get_item(&source, &key)?;
                    vm.set_attr(&copy, &key, &value)?;
                }
            }
            Ok(copy)
        }),
    ],
    getset: &[crate::object::types::type_methods::DICT],
    ..TypeSpec::DEFAULT
};

fn new_namespace(vm: &mut Vm, class: &crate::object::value::Ref<crate::object::type_object::Type>, _: CallArgs<'_>) -> Result<Value> {
    Ok(vm.alloc_instance(class))
}

fn namespace_init(vm: &mut Vm, namespace: &Value, arguments: CallArgs<'_>) -> Result<()> {
    let given = arguments.unnamed();
    if given.len() > 1 {
        let class = vm.type_of(namespace);
        let message = format!("{} expected at most 1 argument, got {}", vm.class_name(&class), given.len());
        return Err(vm.type_error(message));
    }
    if let Some(mapping) = given.first() {
        let class = vm.builtin(TypeId::Dict);
        let dict = vm.call(&class, std::slice::from_ref(mapping))?;
        for key in vm.mapping_keys(&dict)? {
            if !key.holds::<Str>() {
                return Err(vm.type_error("keywords must be strings"));
            }
            let value = vm.get_item(&dict, &key)?;
            vm.set_attr(namespace, &key, &value)?;
        }
    }
    for (name, value) in arguments.named() {
        vm.set_attr(namespace, name, value)?;
    }
    Ok(())
}

fn namespace_repr(vm: &mut Vm, namespace: &Value) -> Result<Value> {
    let class = vm.type_of(namespace);
    let name = if class.is(&vm.native_type(&SIMPLE_NAMESPACE)) { "namespace".to_owned() } else { vm.class_name(&class) };
    if !vm.enter_repr(namespace)? {
        return Ok(vm.new_str(format!("{name}(...)")));
    }
    let mut builder = crate::text::TextBuilder::new();
    builder.push_str(&format!("{name}("));
    let mut result = Ok(());
    let dict = vm.get_attr_str(namespace, "__dict__")?;
    for (place, key) in vm.mapping_keys(&dict)?.into_iter().enumerate() {
        if place > 0 {
            builder.push_str(", ");
        }
        builder.push_str(&plain(vm, &key));
        builder.push_str("=");
        match vm.get_item(&dict, &key).and_then(|value| vm.repr_text(&value)) {
            Ok(text) => builder.push_text(&text),
            Err(raised) => {
                result = Err(raised);
                break;
            }
        }
    }
    vm.leave_repr(namespace);
    result?;
    builder.push_str(")");
    Ok(vm.new_str(builder.finish()))
}

fn compare_namespaces(vm: &mut Vm, left: &Value, right: &Value, comparison: crate::code::instruction::Comparison) -> Result<Value> {
    let class = vm.native_type(&SIMPLE_NAMESPACE);
    if !vm.is_instance(left, &class) || !vm.is_instance(right, &class) {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    let (left, right) = (vm.get_attr_str(left, "__dict__")?, vm.get_attr_str(right, "__dict__")?);
    vm.compare(&left, &right, comparison)
}

fn implementation(vm: &mut Vm) -> Result<Value> {
    let class = vm.native_type(&SIMPLE_NAMESPACE);
    let version = vm.sys_get("version_info")?.unwrap_or(Value::NONE);
    let rows = [
        ("name", vm.new_str("scrip")),
        ("cache_tag", Value::NONE),
        ("version", version),
        ("hexversion", Value::small(0x030d_00f0)),
        ("_multiarch", vm.new_str("")),
    ];
    vm.call_named(&class, &[], &rows)
}

// ---- exceptions

fn exit(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let arguments: Vec<Value> = match args.given_some(0) {
        None => Vec::new(),
        Some(status) if status.holds::<Tuple>() => vm.tuple_items(status),
        Some(status) => vec![status.clone()],
    };
    let class = vm.state().exception(ExceptionKind::SystemExit).clone();
    let exception = vm.call(&class, &arguments)?;
    Err(vm.raise_value(exception))
}

fn exc_info(vm: &mut Vm, _: Args<'_>) -> Result<Value> {
    let handled = vm.handled.clone();
    if handled.is_none() {
        return Ok(vm.new_tuple(vec![Value::NONE, Value::NONE, Value::NONE]));
    }
    let class = vm.type_of(&handled).into_value();
    let traceback = handled.downcast::<Exception>().map_or(Value::NONE, |exception| exception.get(vm).traceback.clone());
    Ok(vm.new_tuple(vec![class, handled, traceback]))
}

fn except_hook(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let text = crate::vm::traceback::report(vm, &args[1]);
    super::write_stderr(vm, &text);
    Ok(Value::NONE)
}

fn display_hook(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if args[0].is_none() {
        return Ok(Value::NONE);
    }
    let builtins = vm.state().builtins.clone();
    vm.dict_set_str(&builtins, "_", Value::NONE)?;
    let Some(stdout) = vm.sys_get("stdout")?.filter(|stdout| !stdout.is_none()) else { return Err(vm.runtime_error("lost sys.stdout")) };
    let text = vm.repr(&args[0])?;
    vm.call_method(&stdout, "write", &[text])?;
    let newline = vm.new_str("\n");
    vm.call_method(&stdout, "write", &[newline])?;
    vm.dict_set_str(&builtins, "_", args[0].clone())?;
    Ok(Value::NONE)
}

fn unraisable_hook(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let exception = vm.get_attr_str(&args[0], "exc_value")?;
    let message = vm.get_attr_str(&args[0], "err_msg")?;
    let message = plain(vm, &message);
    let object = vm.get_attr_str(&args[0], "object")?;
    let text = crate::vm::traceback::unraisable_text(vm, &exception, &message, &object)?;
    super::write_stderr(vm, &text);
    Ok(Value::NONE)
}

// ---- limits and sizes

/// Bytes that a level of recursion takes, at most, with what is made when an error leaves it.
const BYTES_PER_LEVEL: usize = 1024;

/// Where the limit is kept that a script has set, which may be more than there is room for.
const RECURSION_LIMIT: &str = "recursion limit";

fn set_recursion_limit(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let limit = i64::from(vm.c_int(&args[0])?);
    if limit < 1 {
        return Err(vm.value_error("recursion limit must be greater or equal than 1"));
    }
    let depth = vm.frame_count();
    if depth as i64 >= limit {
        let message = format!("cannot set the recursion limit to {limit} at the recursion depth {depth}: the limit is too low");
        return Err(vm.raise(ExceptionKind::RecursionError, message));
    }
    let allowed = vm.state().shared.limits().depth.unwrap_or(usize::MAX);
    // Each level takes memory, and as much once more when an error leaves it.
    let room = (vm.state().shared.memory_limit() / BYTES_PER_LEVEL).max(10_000);
    vm.state_mut().recursion_limit = (limit as usize).min(allowed).min(room);
    vm.state_mut().module_state.insert(RECURSION_LIMIT, Value::small(limit));
    Ok(Value::NONE)
}

fn get_size_of(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let result = vm.call_special(&args[0], "__sizeof__", &[]);
    let size = match result {
        Ok(Some(size)) => vm.index_i64(&size),
        Ok(None) => {
            let message = format!("Type {} doesn't define __sizeof__", vm.type_name(&args[0]));
            Err(vm.type_error(message))
        }
        Err(raised) => Err(raised),
    };
    match (size, args.given(1)) {
        (Ok(size), _) if size < 0 => Err(vm.value_error("__sizeof__() should return >= 0")),
        (Ok(size), _) => Ok(vm.new_int(size)),
        (Err(raised), Some(default)) => {
            if vm.clear_if(ExceptionKind::TypeError) {
                Ok(default.clone())
            } else {
                Err(raised)
            }
        }
        (Err(raised), None) => Err(raised),
    }
}

fn intern(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if vm.is_exact(&args[0], TypeId::Str) {
        return Ok(vm.intern_value(&args[0]));
    }
    let name = vm.type_name(&args[0]);
    let message = if args[0].holds::<Str>() { format!("can't intern {name}") } else { format!("intern() argument must be str, not {name}") };
    Err(vm.type_error(message))
}

fn set_switch_interval(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let interval = vm.float(&args[0])?;
    if interval.is_nan() || interval <= 0.0 {
        return Err(vm.value_error("switch interval must be strictly positive"));
    }
    vm.state().shared.set_switch_interval((interval * 1e9).max(1.0) as u64);
    Ok(Value::NONE)
}

fn set_int_max_str_digits(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let digits = vm.c_int(&args[0])?;
    if digits != 0 && digits < 640 {
        return Err(vm.value_error("maxdigits must be 0 or larger than 640"));
    }
    vm.state_mut().int_max_str_digits = digits as usize;
    Ok(Value::NONE)
}

// ---- frames

fn get_frame(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let depth = match args.given(0) {
        Some(depth) => vm.c_int(depth)?.max(0),
        None => 0,
    };
    match vm.frame_at(depth as usize) {
        Some(frame) => Ok(frame.into_value()),
        None => Err(vm.value_error("call stack is not deep enough")),
    }
}

fn get_frame_module_name(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let depth = match args.given(0) {
        Some(depth) => vm.c_int(depth)?.max(0),
        None => 0,
    };
    let Some(frame) = vm.frame_at(depth as usize) else { return Ok(Value::NONE) };
    let globals = frame.get(vm).globals.clone();
    Ok(vm.dict_get_str(&globals, "__name__")?.unwrap_or(Value::NONE))
}

fn current_frames(vm: &mut Vm, _: Args<'_>) -> Result<Value> {
    let frames = vm.new_dict();
    for (ident, frame) in vm.current_frames() {
        let ident = vm.new_int(ident as i64);
        vm.dict_set(&frames, &ident, frame)?;
    }
    Ok(frames.into_value())
}

// ---- asynchronous generators

fn get_async_hooks(vm: &mut Vm, _: Args<'_>) -> Result<Value> {
    let values = vec![vm.async_hooks.0.clone(), vm.async_hooks.1.clone()];
    structseq::make(vm, &ASYNC_HOOKS, &ASYNC_HOOKS_FIELDS, values)
}

fn set_async_hooks(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    for (place, name) in [(0, "firstiter"), (1, "finalizer")] {
        if let Some(hook) = args.given_some(place) {
            if vm.type_payload(hook).slots.call.is_none() {
                let message = format!("callable {name} expected, got {}", vm.type_name(hook));
                return Err(vm.type_error(message));
            }
        }
    }
    if let Some(hook) = args.given(0) {
        vm.async_hooks.0 = hook.clone();
    }
    if let Some(hook) = args.given(1) {
        vm.async_hooks.1 = hook.clone();
    }
    Ok(Value::NONE)
}

/// Modules of CPython's library, for `sys.stdlib_module_names`: what "did you forget to import" knows.
const STANDARD_MODULES: &[&str] = &[
    "__future__",
    "_thread",
    "abc",
    "argparse",
    "array",
    "ast",
    "asyncio",
    "atexit",
    "base64",
    "bdb",
    "binascii",
    "bisect",
    "builtins",
    "bz2",
    "calendar",
    "cmath",
    "cmd",
    "code",
    "codecs",
    "codeop",
    "collections",
    "colorsys",
    "compileall",
    "concurrent",
    "configparser",
    "contextlib",
    "contextvars",
    "copy",
    "copyreg",
    "cProfile",
    "csv",
    "ctypes",
    "curses",
    "dataclasses",
    "datetime",
    "dbm",
    "decimal",
    "difflib",
    "dis",
    "doctest",
    "email",
    "encodings",
    "ensurepip",
    "enum",
    "errno",
    "faulthandler",
    "fcntl",
    "filecmp",
    "fileinput",
    "fnmatch",
    "fractions",
    "ftplib",
    "functools",
    "gc",
    "genericpath",
    "getopt",
    "getpass",
    "gettext",
    "glob",
    "graphlib",
    "grp",
    "gzip",
    "hashlib",
    "heapq",
    "hmac",
    "html",
    "http",
    "idlelib",
    "imaplib",
    "importlib",
    "inspect",
    "io",
    "ipaddress",
    "itertools",
    "json",
    "keyword",
    "linecache",
    "locale",
    "logging",
    "lzma",
    "mailbox",
    "marshal",
    "math",
    "mimetypes",
    "mmap",
    "modulefinder",
    "multiprocessing",
    "netrc",
    "ntpath",
    "nturl2path",
    "numbers",
    "opcode",
    "operator",
    "optparse",
    "os",
    "pathlib",
    "pdb",
    "pickle",
    "pickletools",
    "pkgutil",
    "platform",
    "plistlib",
    "poplib",
    "posix",
    "posixpath",
    "pprint",
    "profile",
    "pstats",
    "pty",
    "pwd",
    "py_compile",
    "pyclbr",
    "pydoc",
    "pyexpat",
    "queue",
    "quopri",
    "random",
    "re",
    "readline",
    "reprlib",
    "resource",
    "rlcompleter",
    "runpy",
    "sched",
    "secrets",
    "select",
    "selectors",
    "shelve",
    "shlex",
    "shutil",
    "signal",
    "site",
    "smtplib",
    "socket",
    "socketserver",
    "sqlite3",
    "ssl",
    "stat",
    "statistics",
    "string",
    "stringprep",
    "struct",
    "subprocess",
    "symtable",
    "sys",
    "sysconfig",
    "syslog",
    "tabnanny",
    "tarfile",
    "tempfile",
    "termios",
    "textwrap",
    "this",
    "threading",
    "time",
    "timeit",
    "tkinter",
    "token",
    "tokenize",
    "tomllib",
    "trace",
    "traceback",
    "tracemalloc",
    "tty",
    "turtle",
    "types",
    "typing",
    "unicodedata",
    "unittest",
    "urllib",
    "uuid",
    "venv",
    "warnings",
    "wave",
    "weakref",
    "webbrowser",
    "wsgiref",
    "xml",
    "xmlrpc",
    "zipapp",
    "zipfile",
    "zipimport",
    "zlib",
    "zoneinfo",
];

/// What is never freed has the number that CPython gives to such: singletons, and the integers that it makes at its start.
fn reference_count(value: &Value) -> i64 {
    const NEVER_FREED: i64 = 0xFFFF_FFFF;
    match (crate::object::heap::reference_count(value), value.as_small()) {
        (0, Some(number)) if !(-5..=256).contains(&number) => 1,
        (0, _) => NEVER_FREED,
        (count, _) => i64::from(count),
    }
}

/// `sys.breakpointhook`: calls what `PYTHONBREAKPOINT` names, `pdb.set_trace` when it names nothing, and nothing for `0`.
fn breakpoint_hook(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let is_asked = !vm.state().options.ignores_environment;
    let named = crate::os::process::variable("PYTHONBREAKPOINT").filter(|named| is_asked && !named.is_empty());
    let named = named.unwrap_or_else(|| "pdb.set_trace".to_owned());
    if named == "0" {
        return Ok(Value::NONE);
    }
    let hook = match named.rsplit_once('.') {
        Some(("", _)) => None,
        split => {
            let (module, name) = split.unwrap_or(("builtins", named.as_str()));
            match vm.import(module) {
                Ok(module) => vm.find_attr_str(&module, name)?,
                Err(_) if vm.clear_if(ExceptionKind::ImportError) => None,
                Err(raised) => return Err(raised),
            }
        }
    };
    let Some(hook) = hook else {
        vm.warn(ExceptionKind::RuntimeWarning, &format!("Ignoring unimportable $PYTHONBREAKPOINT: \"{named}\""))?;
        return Ok(Value::NONE);
    };
    let positional = vm.tuple_items(&args[0]);
    vm.call_forwarded(&hook, positional, &args[1])
}
