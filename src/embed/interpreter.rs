//! The interpreter as a host holds it: a handle to an isolated whole with its own modules, heap and GIL.
#![allow(
    unsafe_code,
    reason = "the state is handed to a `Vm` per attach; it is used only while that thread holds the GIL, and freed when the last handle goes"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::Arc;

use scrip_grammar::Mode;

use super::convert::{self, Context, FromScript, IntoScript, Slot};
use super::error::{Error, Raised as RaisedError, Stopped};
use super::limits::{Limits, Stopper};
use crate::gil::{Attached, Shared};
use crate::object::native::{HostFunction, NativeCode, NativeFunction, NativeKind};
use crate::object::type_object::CallArgs;
use crate::object::types::TypeId;
use crate::object::types::exception::{Exception, ExceptionKind};
use crate::object::value::{Ref, Value};
use crate::vm::source::SourceOptions;
use crate::vm::state::{Library, Options, State};
use crate::vm::{Result as VmResult, Vm, bootstrap};

/// An isolated interpreter: its modules, its objects and its GIL. A handle: clones mean the same interpreter, which ends with the last of them.
///
/// Any thread may use it; script code runs in one thread at a time.
///
/// ```
/// let interpreter = scrip::Interpreter::new()?;
/// let n: i64 = interpreter.eval("6 * 7")?;
/// assert_eq!(n, 42);
/// # Ok::<(), scrip::Error>(())
/// ```
///
/// # Errors
/// What runs a script gives [`Error::Syntax`] for a text that is no program, [`Error::Raised`] for an exception that nothing in the script handled,
/// [`Error::Stopped`] when a [`Stopper`] or a limit ended it, [`Error::Io`] when its file cannot be read, and [`Error::Conversion`] when its value is
/// none of the type asked for. After each of them the interpreter can be used as before.
///
/// ```
/// let interpreter = scrip::Interpreter::new()?;
/// let error = interpreter.exec("{}['key']").unwrap_err();
/// assert_eq!(error.kind(), scrip::ErrorKind::Raised);
/// assert!(error.is("KeyError") && error.is("LookupError"));
/// assert_eq!(error.to_string(), "KeyError: 'key'");
/// assert!(error.pretty().starts_with("Traceback (most recent call last):\n"));
/// assert!(matches!(interpreter.eval::<u8>("300"), Err(scrip::Error::Conversion { .. })));
/// # Ok::<(), scrip::Error>(())
/// ```
///
/// # Panics
/// Every method attaches the calling thread; one whose thread-local values are being destroyed cannot be attached. (Handles may be dropped there.)
#[derive(Clone)]
pub struct Interpreter {
    inner: Arc<Inner>,
    /// Shared by the handles that keep the interpreter open; absent in one that a [`WeakInterpreter`] lends out.
    owner: Option<Arc<Owner>>,
}

/// Lives as long as somebody owns the interpreter.
struct Owner;

struct Inner {
    state: NonNull<State>,
    shared: Arc<Shared>,
    main: crate::gil::ThreadHandle,
    mailbox: Arc<crate::object::mailbox::Mailbox>,
    /// Whether some thread is attached as the main one.
    main_is_busy: std::sync::atomic::AtomicBool,
}

// SAFETY: the state is reached only through a `Vm`, which exists only while its thread is attached to `shared`: one at a time.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

/// A program's own body may await.
const AWAITING: SourceOptions = SourceOptions { top_level_await: true, ..SourceOptions::MODULE };

const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Interpreter>();
    is_send_and_sync::<Error>();
    is_send_and_sync::<Compiled>();
};

/// How an interpreter is made.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    options: Options,
    hash_seed: Option<u64>,
    limits: Limits,
    handles_signals: bool,
    observes_threads: bool,
}

impl Builder {
    /// `sys.argv`. What is not UTF-8 in it reaches the script as `os.fsdecode` would give it.
    #[must_use]
    pub fn arguments(mut self, arguments: impl IntoIterator<Item = impl Into<std::ffi::OsString>>) -> Self {
        self.options.arguments = arguments.into_iter().map(Into::into).collect();
        self
    }
    /// What becomes of warnings (`sys.warnoptions`): filters such as `error` or `ignore:message:DeprecationWarning`, the last that fits first.
    #[must_use]
    pub fn warning_filters(mut self, filters: impl IntoIterator<Item = String>) -> Self {
        self.options.warning_filters = filters.into_iter().collect();
        self
    }
    /// Folders that `import` looks in, first to last (`sys.path`).
    #[must_use]
    pub fn search_path(mut self, folders: impl IntoIterator<Item = String>) -> Self {
        self.options.search_path = folders.into_iter().collect();
        self
    }
    /// The seed of strings' hashes, which decides the order of strings in sets; random by default.
    #[must_use]
    pub fn hash_seed(mut self, seed: u64) -> Self {
        self.hash_seed = Some(seed);
        self
    }
    /// `sys.executable`.
    #[must_use]
    pub fn executable(mut self, path: String) -> Self {
        self.options.executable = path;
        self
    }
    /// Whether the compiled form of an imported file is kept beside it, as `__scrcache__/NAME.scrc`, and read from there the next time; by default
    /// nothing is written. (A file that is there is read in any case.)
    #[must_use]
    pub fn write_cache(mut self, yes: bool) -> Self {
        self.options.write_cache = yes;
        self
    }
    /// Whether the process ends when the interpreter does. Finalisers run all the same, but what is left of the memory is not given back piece by piece.
    #[must_use]
    pub fn ends_process(mut self, yes: bool) -> Self {
        self.options.ends_process = yes;
        self
    }
    /// `sys._xoptions`: names, and values where they have any.
    #[must_use]
    pub fn x_options(mut self, options: Vec<(String, Option<String>)>) -> Self {
        self.options.x_options = options;
        self
    }
    /// What `sys.flags` says of how the program was started; it is the host that does what they promise.
    #[must_use]
    pub fn start_flags(mut self, flags: StartFlags) -> Self {
        self.options.ignores_environment = flags.ignores_environment;
        self.options.is_safe_path = flags.is_safe_path;
        self.options.is_isolated = flags.is_isolated;
        self.options.is_unbuffered = flags.is_unbuffered;
        self.options.is_quiet = flags.is_quiet;
        self
    }
    /// The program is a prompt (`sys.flags.interactive`).
    #[must_use]
    pub fn interactive(mut self, is_interactive: bool) -> Self {
        self.options.is_interactive = is_interactive;
        self
    }
    /// What scripts may use.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
    /// Ctrl-C and other signals of the process are this interpreter's (for programs that are an interpreter).
    #[must_use]
    pub fn handle_signals(mut self, yes: bool) -> Self {
        self.handles_signals = yes;
        self
    }

    /// What the threads do is noted, at some cost for each hand-over of the GIL, for [`Interpreter::thread_report`].
    #[must_use]
    pub fn observe_threads(mut self, yes: bool) -> Self {
        self.observes_threads = yes;
        self
    }

    /// Makes the interpreter.
    ///
    /// # Errors
    /// [`Error::Io`] when signals were asked for and the system refuses, [`Error::Raised`] when the memory limit is too small to begin with or a filter of
    /// warnings is wrong.
    pub fn build(self) -> Result<Interpreter, Error> {
        let shared = Shared::new(self.limits.limits);
        let seed = self.hash_seed.unwrap_or_else(crate::os::random::seed);
        let library =
            Library { natives: crate::stdlib::NATIVE_MODULES, find_script: crate::stdlib::scripts::find, script_unit: crate::stdlib::scripts::unit };
        let has_filters = !self.options.warning_filters.is_empty();
        if self.observes_threads {
            shared.observe();
        }
        let main = shared.register_thread();
        main.set_name("MainThread".to_owned());
        if self.handles_signals {
            shared.install_signals().map_err(|error| io_error("signals", &error))?;
        }
        let state = bootstrap::into_pointer(bootstrap::new_state(shared.clone(), seed, self.options, library));
        // SAFETY: just made, and nobody else has it yet.
        let mailbox = unsafe { state.as_ref() }.mailbox.clone();
        let interpreter = Interpreter {
            owner: Some(Arc::new(Owner)),
            inner: Arc::new(Inner { state, shared, main, mailbox, main_is_busy: std::sync::atomic::AtomicBool::new(false) }),
        };
        interpreter.with(|vm| {
            let done = bootstrap::complete(vm).and_then(|()| crate::stdlib::initialize(vm)).and_then(|()| {
                // What is wrong with a filter is told at once.
                if has_filters { vm.import("warnings").map(drop) } else { Ok(()) }
            });
            done.map_err(|_| interpreter_error(vm))
        })?;
        Ok(interpreter)
    }
}

/// How a program was started, as `sys.flags` tells it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StartFlags {
    /// `-E`: environment variables are not looked at.
    pub ignores_environment: bool,
    /// `-P`: the script's folder is not in `sys.path`.
    pub is_safe_path: bool,
    /// `-I`: both of these.
    pub is_isolated: bool,
    /// `-u`: stdout and stderr are written at once.
    pub is_unbuffered: bool,
    /// `-q`: the prompt begins without a greeting.
    pub is_quiet: bool,
}

/// A program that has been compiled, to be run more than once, by any interpreters at the same time: it is shared, not copied.
#[derive(Clone)]
pub struct Compiled {
    unit: Arc<crate::code::unit::Unit>,
}

impl Compiled {
    /// The instructions as text.
    pub fn disassemble(&self) -> String {
        crate::code::disassemble::disassemble(&self.unit)
    }
}

/// A script's value that a host keeps. It may be dropped anywhere, and keeps its interpreter from ending.
///
/// ```
/// let interpreter = scrip::Interpreter::new()?;
/// interpreter.exec("def counter(start, count=[0]):\n    count[0] += 1\n    return start + count[0]")?;
/// let counter = interpreter.handle("counter")?;
/// assert_eq!(counter.call::<i64>(10)?, 11);
/// assert_eq!(counter.call::<i64>((10,))?, 12);
/// assert_eq!(interpreter.handle("[1, 2]")?.get::<Vec<i64>>()?, [1, 2]);
/// # Ok::<(), scrip::Error>(())
/// ```
pub struct Handle {
    interpreter: Interpreter,
    value: std::mem::ManuallyDrop<Value>,
}

// SAFETY: the value is touched only attached.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// The value as Rust has it.
    ///
    /// # Errors
    /// [`Error::Conversion`] when it is of another type.
    pub fn get<T: FromScript>(&self) -> Result<T, Error> {
        self.interpreter.request(|vm| convert_out(vm, Value::clone(&self.value)))
    }

    /// Calls the value. The arguments are a tuple; anything else is one argument.
    ///
    /// # Errors
    /// What the call raises; [`Error::Conversion`] when its result is of another type; [`Error::Stopped`].
    pub fn call<T: FromScript>(&self, arguments: impl IntoScript) -> Result<T, Error> {
        self.interpreter.request(|vm| {
            let Slot(arguments) = arguments.into_script(&mut Context(vm));
            let arguments = convert::arguments(vm, &arguments);
            let value = vm.call(&self.value, &arguments).map_err(|_| interpreter_error(vm))?;
            convert_out(vm, value)
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: taken once, here.
        let value = unsafe { std::mem::ManuallyDrop::take(&mut self.value) };
        let inner = &self.interpreter.inner;
        inner.mailbox.post(value);
        inner.shared.breaker.set(crate::gil::MAILBOX);
        // Where somebody runs scripts, that thread takes it at its next check: the host's need not wait for it.
        self.interpreter.try_with(Vm::drain_mailbox);
    }
}

impl Interpreter {
    /// An interpreter with everything as it is by default.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// To choose how the interpreter is made.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Attaches the calling thread, and runs `work` with its `Vm`.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Vm) -> R) -> R {
        // Declared before `attached`, so dropped after it.
        let mut leaves_main = None;
        let attached = Attached::new(&self.inner.shared, || self.inner.take_place(&mut leaves_main));
        self.with_attached(&attached, |vm, _| work(vm))
    }

    /// As `with`, if that needs no waiting for the GIL.
    fn try_with<R>(&self, work: impl FnOnce(&mut Vm) -> R) -> Option<R> {
        let mut leaves_main = None;
        let attached = Attached::try_new(&self.inner.shared, || self.inner.take_place(&mut leaves_main))?;
        Some(self.with_attached(&attached, |vm, _| work(vm)))
    }

    /// `work` is told whether it is part of another host call of the same thread.
    fn with_attached<R>(&self, attached: &Attached, work: impl FnOnce(&mut Vm, bool) -> R) -> R {
        let inner = &self.inner;
        let is_main = attached.thread().is_main();
        let mut vm = Vm::new(inner.state, attached.thread().clone(), is_main, crate::os::stack::limit());
        if !attached.is_nested {
            // Before the call's limits count.
            vm.heap().release_set_aside();
        }
        // A call from inside a call is part of it.
        let is_within = attached.is_within();
        let run = if is_within { None } else { Some(Run::new(&inner.shared, attached.thread())) };
        if run.is_some() {
            vm.grant_memory();
        }
        vm.enter();
        if inner.shared.breaker.take(crate::gil::MAILBOX) {
            vm.drain_mailbox();
        }
        let result = work(&mut vm, is_within);
        vm.drain_if_dead();
        vm.give_back_budget();
        vm.uncount_stack();
        drop(run);
        result
    }

    /// `with` for what runs scripts: a stop is its error, whatever became of it on the way here.
    fn request<R>(&self, work: impl FnOnce(&mut Vm) -> Result<R, Error>) -> Result<R, Error> {
        let mut leaves_main = None;
        let attached = Attached::new(&self.inner.shared, || self.inner.take_place(&mut leaves_main));
        self.with_attached(&attached, |vm, is_within| {
            let result = work(vm);
            let Some((reason, traceback)) = vm.take_stop() else { return result };
            let error = Error::Stopped(Box::new(Stopped { reason, traceback }));
            // A call from inside another one leaves the stop to be followed by that, too: a script that called the host does not survive it.
            if !is_within {
                wait_for_stop(vm);
            }
            vm.drain_if_dead();
            Err(error)
        })
    }

    /// Keeps the calling thread attached while `work` runs, so that all calls to the interpreter in it happen without another thread's in between
    /// (but for those that scripts let run). Attaching nests; attaching to a second interpreter gives away the first one's GIL meanwhile.
    ///
    /// ```
    /// let interpreter = scrip::Interpreter::new()?;
    /// interpreter.set("n", 1)?;
    /// let n: i64 = interpreter.attach(|| {
    ///     interpreter.exec("n += 1")?;
    ///     interpreter.get("n")
    /// })?;
    /// assert_eq!(n, 2);
    /// # Ok::<(), scrip::Error>(())
    /// ```
    pub fn attach<R>(&self, work: impl FnOnce() -> R) -> R {
        self.with(|_| work())
    }

    /// Gives the GIL away while `work` runs: for host functions that take long or wait, so that other threads' scripts run meanwhile. `work` may attach
    /// again. A thread that is not attached just runs it.
    ///
    /// ```
    /// let interpreter = scrip::Interpreter::new()?;
    /// let own = interpreter.downgrade();
    /// interpreter.register("wait", move |(): ()| {
    ///     if let Some(interpreter) = own.upgrade() {
    ///         interpreter.detach(|| std::thread::yield_now());
    ///     }
    ///     Ok::<_, std::convert::Infallible>(())
    /// })?;
    /// interpreter.exec("wait()")?;
    /// # Ok::<(), scrip::Error>(())
    /// ```
    #[inline]
    pub fn detach<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        let _away = crate::gil::Away::new(&self.inner.shared);
        work()
    }

    /// A handle that does not keep the interpreter from ending: for host threads that outlive it.
    pub fn downgrade(&self) -> WeakInterpreter {
        let owner = self.owner.as_ref().map_or_else(std::sync::Weak::new, Arc::downgrade);
        WeakInterpreter { inner: Arc::downgrade(&self.inner), owner }
    }

    /// A handle that stops what the interpreter runs.
    pub fn stopper(&self) -> Stopper {
        Stopper::new(self.inner.shared.clone())
    }

    /// Bytes that the interpreter's objects take, as [`Limits::memory`] counts them.
    pub fn memory_used(&self) -> usize {
        self.with(|vm| {
            vm.heap().recount();
            vm.memory_used()
        })
    }

    /// How many instructions were counted since the last run began, as [`Limits::instructions`] counts them; exact when nothing runs.
    ///
    /// ```
    /// let interpreter = scrip::Interpreter::builder().hash_seed(1).build()?;
    /// let mut count = || {
    ///     interpreter.exec("sum(i * i for i in range(1000))")?;
    ///     Ok::<u64, scrip::Error>(interpreter.instructions_used())
    /// };
    /// assert_eq!(count()?, count()?);
    /// # Ok::<(), scrip::Error>(())
    /// ```
    pub fn instructions_used(&self) -> u64 {
        self.inner.shared.instructions_used()
    }

    /// The value of an expression, in the namespace of `__main__`.
    pub fn eval<T: FromScript>(&self, expression: &str) -> Result<T, Error> {
        self.request(|vm| {
            let code = vm.compile_text(expression, "<string>", SourceOptions::EXPRESSION).map_err(|_| interpreter_error(vm))?;
            let value = run_in_main(vm, code).map_err(|_| interpreter_error(vm))?;
            convert_out(vm, value)
        })
    }

    /// Runs statements in the namespace of `__main__`.
    pub fn exec(&self, source: &str) -> Result<(), Error> {
        self.with(|vm| crate::vm::traceback::register_source(vm, "<string>", source));
        self.exec_named(source.as_bytes(), "<string>")
    }

    /// Runs a program given as bytes in the namespace of `__main__`; `name` is its file's name in tracebacks.
    pub fn exec_named(&self, source: &[u8], name: &str) -> Result<(), Error> {
        self.request(|vm| {
            let code = vm.compile_bytes(source, name, AWAITING).map_err(|_| interpreter_error(vm))?;
            run_in_main(vm, code).map_err(|_| interpreter_error(vm)).map(|_| ())
        })
    }

    /// Runs one input of a prompt: values of expressions are printed. `None`: more lines are needed. `name` is what tracebacks call the input,
    /// whose lines they show; several statements, as they come when text is pasted, are run in turn.
    pub fn interact(&self, source: &str, name: &str) -> Result<Option<()>, Error> {
        let options = scrip_grammar::Options { top_level_await: true, ..Default::default() };
        // An empty line, which ends a block, shows as a second line break.
        let typed = source.strip_suffix('\n').unwrap_or(source).trim_end_matches([' ', '\t']);
        if scrip_grammar::is_incomplete(typed, options) {
            return Ok(None);
        }
        let pieces = match scrip_grammar::parse(source, Mode::Interactive, options) {
            Ok(_) => vec![source.to_owned()],
            Err(_) => statements(source, options).unwrap_or_else(|| vec![source.to_owned()]),
        };
        self.request(|vm| {
            crate::vm::traceback::register_source(vm, name, source);
            for piece in &pieces {
                let code = vm.compile_text(piece, name, SourceOptions { mode: Mode::Interactive, ..AWAITING });
                code.and_then(|code| run_in_main(vm, code)).map_err(|_| interpreter_error(vm))?;
            }
            Ok(Some(()))
        })
    }

    /// Runs a file as `__main__`; its folder comes first in `sys.path`.
    pub fn run_file(&self, path: &str) -> Result<(), Error> {
        let source = std::fs::read(path).map_err(|error| io_error(path, &error))?;
        let name = std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| path.to_string_lossy().into_owned());
        self.with(|vm| {
            let value = vm.new_str(name.as_str());
            let done = set_main(vm, "__file__", value).and_then(|()| set_main(vm, "__cached__", Value::NONE));
            done.map_err(|_| interpreter_error(vm))
        })?;
        self.request(|vm| {
            let code = vm.compile_file(&source, &name).map_err(|_| interpreter_error(vm))?;
            run_in_main(vm, code).map_err(|_| interpreter_error(vm)).map(|_| ())
        })
    }

    /// Runs a module or package's `__main__` by its name, as `-m` does.
    pub fn run_module(&self, name: &str) -> Result<(), Error> {
        self.request(|vm| crate::vm::import::run_module(vm, name).map_err(|_| interpreter_error(vm)))
    }

    /// Runs the `__main__` module in a folder, which should come first in `sys.path`; `false` when there is none.
    pub fn run_folder(&self, folder: &str) -> Result<bool, Error> {
        self.request(|vm| crate::vm::import::run_folder(vm, folder).map_err(|_| interpreter_error(vm)))
    }

    /// Compiles a program without running it.
    pub fn compile(&self, source: &[u8], name: &str) -> Result<Compiled, Error> {
        self.with(|vm| {
            let code = vm.compile_bytes(source, name, AWAITING).map_err(|_| interpreter_error(vm))?;
            Ok(Compiled { unit: code.get(vm).unit.clone() })
        })
    }

    /// Runs a compiled program in the namespace of `__main__`. Which interpreter has compiled it does not matter.
    ///
    /// ```
    /// use scrip::Interpreter;
    /// let program = Interpreter::new()?.compile(b"total = sum(range(limit))", "total.scr")?;
    /// std::thread::scope(|scope| {
    ///     let run = |limit: i64| {
    ///         let interpreter = Interpreter::new()?;
    ///         interpreter.set("limit", limit)?;
    ///         interpreter.run(&program)?;
    ///         interpreter.get::<i64>("total")
    ///     };
    ///     let threads = [10, 100].map(|limit| scope.spawn(move || run(limit)));
    ///     let totals = threads.map(|thread| thread.join().expect("no panic"));
    ///     assert!(matches!(totals, [Ok(45), Ok(4950)]));
    /// });
    /// # Ok::<(), scrip::Error>(())
    /// ```
    pub fn run(&self, program: &Compiled) -> Result<(), Error> {
        self.request(|vm| {
            let code = vm.make_code(program.unit.clone());
            run_in_main(vm, code).map_err(|_| interpreter_error(vm)).map(|_| ())
        })
    }

    /// Checks programs without running them: the report for a program that is none.
    pub fn check(&self, source: &[u8], name: &str) -> Result<(), Error> {
        match scrip_grammar::parse_bytes(source, Mode::Module, scrip_grammar::Options { top_level_await: true, ..Default::default() }) {
            Ok(_) => Ok(()),
            Err(error) => self.with(|vm| {
                let _ = vm.raise_syntax_error(&error, name);
                Err(interpreter_error(vm))
            }),
        }
    }

    /// Calls a function of `__main__` by its name. The arguments are a tuple; anything else is one argument.
    ///
    /// ```
    /// let interpreter = scrip::Interpreter::new()?;
    /// interpreter.exec("def greet(name, times): return f'hello {name}! ' * times")?;
    /// let text: String = interpreter.call("greet", ("Ann", 2))?;
    /// assert_eq!(text, "hello Ann! hello Ann! ");
    /// # Ok::<(), scrip::Error>(())
    /// ```
    pub fn call<T: FromScript>(&self, function: &str, arguments: impl IntoScript) -> Result<T, Error> {
        self.request(|vm| {
            let Slot(arguments) = arguments.into_script(&mut Context(vm));
            let arguments = convert::arguments(vm, &arguments);
            let called = main_dict(vm).and_then(|main| {
                let found = vm.dict_get_str(&main, function)?;
                match found {
                    Some(found) => vm.call(&found, &arguments),
                    None => {
                        let name = vm.intern(function);
                        Err(vm.name_error(ExceptionKind::NameError, &name, format!("name '{function}' is not defined")))
                    }
                }
            });
            let value = called.map_err(|_| interpreter_error(vm))?;
            convert_out(vm, value)
        })
    }

    /// Sets a name of `__main__`.
    pub fn set(&self, name: &str, value: impl IntoScript) -> Result<(), Error> {
        self.request(|vm| {
            let Slot(value) = value.into_script(&mut Context(vm));
            set_main(vm, name, value).map_err(|_| interpreter_error(vm))
        })
    }

    /// The value of a name of `__main__`.
    pub fn get<T: FromScript>(&self, name: &str) -> Result<T, Error> {
        self.eval(name)
    }

    /// Offers a Rust function to scripts, as a name of `__main__`. It takes `()`, one argument, or a tuple of up to six; keyword arguments, another
    /// number of arguments and other types are a `TypeError` in the script. An error it returns is raised as a `RuntimeError`, and so is a panic, which
    /// goes no further. The interpreter keeps the function until it ends: one that needs the interpreter holds what [`Interpreter::downgrade`] gives,
    /// since with a clone in its hands the interpreter would never end.
    ///
    /// The function runs attached, in whatever thread calls it. When it calls the interpreter and is stopped there, the script that called it is
    /// stopped, too, whatever it makes of that error.
    ///
    /// # Errors
    /// When `__main__` is gone.
    ///
    /// ```
    /// let interpreter = scrip::Interpreter::new()?;
    /// interpreter.register("shout", |text: String| Ok::<_, std::convert::Infallible>(text.to_uppercase()))?;
    /// let text: String = interpreter.eval("shout('hello')")?;
    /// assert_eq!(text, "HELLO");
    ///
    /// interpreter.register("repeat", |(text, times): (String, usize)| Ok::<_, std::convert::Infallible>(text.repeat(times)))?;
    /// let text: String = interpreter.eval("repeat('ab', 3)")?;
    /// assert_eq!(text, "ababab");
    /// assert!(interpreter.exec("repeat('ab')").is_err_and(|error| error.is("TypeError")));
    /// # Ok::<(), scrip::Error>(())
    /// ```
    pub fn register<A, R, E, F>(&self, name: &str, function: F) -> Result<(), Error>
    where
        A: FromScript,
        R: IntoScript,
        E: std::fmt::Display,
        F: Fn(A) -> Result<R, E> + Send + Sync + 'static,
    {
        let label = name.to_owned();
        let host = move |vm: &mut Vm, arguments: CallArgs<'_>| -> VmResult<Value> {
            let argument = convert::host_argument::<A>(vm, &label, &arguments)?;
            // A panic must not unwind through the script's frames.
            let called = catch_unwind(AssertUnwindSafe(|| function(argument).map_err(|error| error.to_string())));
            // What the function's own calls of the interpreter were stopped by ends this script before it sees anything of it.
            vm.poll()?;
            match called {
                Ok(Ok(result)) => Ok(result.into_script(&mut Context(vm)).0),
                Ok(Err(message)) => Err(vm.runtime_error(message)),
                Err(panic) => Err(vm.runtime_error(format!("{label}() panicked: {}", panic_message(&*panic)))),
            }
        };
        let host = HostFunction { name: name.to_owned(), function: Box::new(host) };
        self.with(|vm| {
            let owner = vm.intern("__main__");
            let payload = NativeFunction::new(NativeKind::Function, NativeCode::Host(std::rc::Rc::new(host)), None, owner);
            let value = vm.alloc(TypeId::BuiltinFunction, payload).into_value();
            set_main(vm, name, value).map_err(|_| interpreter_error(vm))
        })
    }

    /// A handle to the value of a name of `__main__`.
    pub fn handle(&self, name: &str) -> Result<Handle, Error> {
        self.request(|vm| {
            let code = vm.compile_text(name, "<string>", SourceOptions::EXPRESSION).map_err(|_| interpreter_error(vm))?;
            let value = run_in_main(vm, code).map_err(|_| interpreter_error(vm))?;
            Ok(Handle { interpreter: self.clone(), value: std::mem::ManuallyDrop::new(value) })
        })
    }

    /// Runs what is due at the end of a program: non-daemon threads are joined, `atexit` functions called, output flushed. Whether all went well;
    /// an error when a limit or a stop ended it.
    pub fn finish(&self) -> Result<bool, Error> {
        self.request(|vm| Ok(crate::stdlib::finish(vm).unwrap_or(false)))
    }

    /// What the threads have done so far, as text: how long each ran, waited for the GIL, was blocked and was outside; why the GIL was handed over;
    /// the longest hold, and the locks that were waited for most. Empty of figures unless [`Builder::observe_threads`] was asked for.
    pub fn thread_report(&self) -> String {
        self.inner.shared.report()
    }

    /// Writes a text to `sys.stderr`, after what stands there already.
    pub fn write_error(&self, text: &str) {
        self.with(|vm| crate::stdlib::streams::write_stderr(vm, text));
    }

    /// Shows an exception by `sys.excepthook`.
    pub fn show(&self, error: &Error) {
        if let Some(raised) = error.raised() {
            self.with(|vm| crate::stdlib::show_uncaught(vm, raised.traceback()));
        }
    }
}

/// The statements of a text, each with empty lines before it, so that it keeps its place; those that share a line stay together.
/// `None` when the text is not right as a whole.
fn statements(source: &str, options: scrip_grammar::Options) -> Option<Vec<String>> {
    let parsed = scrip_grammar::parse(source, Mode::Module, options).ok()?;
    let scrip_grammar::ast::Root::Module { body } = parsed.root else { return None };
    let lines = &parsed.lines;
    let mut pieces = Vec::new();
    let (mut start, mut last) = (1, 1);
    for &statement in parsed.ast.list(body) {
        let span = parsed.ast.stmt(statement).span;
        if lines.line(span.start) > last {
            pieces.push((start, last));
            start = last + 1;
        }
        last = lines.line(span.end);
    }
    pieces.push((start, last));
    let text = |(first, last): (u32, u32)| {
        let lines: Vec<&str> = (first..=last).map(|line| lines.text(&parsed.source, line)).collect();
        "\n".repeat(first as usize - 1) + &lines.join("\n") + "\n"
    };
    Some(pieces.into_iter().map(text).filter(|piece| !piece.trim().is_empty()).collect())
}

/// What a panic says.
fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "something that is no text",
    }
}

/// How long a stopped call waits for the script's other threads to end.
const STOP_GRACE: std::time::Duration = std::time::Duration::from_millis(100);

/// Waits for the other threads that a stop ends, but not for what is stuck outside.
fn wait_for_stop(vm: &mut Vm) {
    let shared = vm.state().shared.clone();
    shared.inherit_newest_stop(&vm.thread);
    let deadline = std::time::Instant::now() + STOP_GRACE;
    while !shared.stop_is_settled() && std::time::Instant::now() < deadline {
        let ticket = vm.thread.wait.begin(crate::gil::Activity::OtherThreads);
        let soon = std::time::Instant::now() + std::time::Duration::from_micros(200);
        let _: crate::gil::Reason = shared.block(&vm.thread, ticket, Some(soon));
    }
}

/// A host call under way.
struct Run<'a> {
    shared: &'a Arc<Shared>,
    thread: crate::gil::ThreadHandle,
}

impl<'a> Run<'a> {
    fn new(shared: &'a Arc<Shared>, thread: &crate::gil::ThreadHandle) -> Self {
        shared.begin_run(thread);
        Self { shared, thread: thread.clone() }
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.shared.end_run(&self.thread);
    }
}

/// A handle to an interpreter that may end meanwhile.
///
/// ```
/// let interpreter = scrip::Interpreter::new()?;
/// let weak = interpreter.downgrade();
/// assert_eq!(weak.attach(|interpreter| interpreter.eval::<i64>("6 * 7"))??, 42);
/// drop(interpreter);
/// assert!(matches!(weak.attach(|_| ()), Err(scrip::Error::Closed)));
/// # Ok::<(), scrip::Error>(())
/// ```
#[derive(Clone)]
pub struct WeakInterpreter {
    inner: std::sync::Weak<Inner>,
    owner: std::sync::Weak<Owner>,
}

impl WeakInterpreter {
    /// The interpreter, which does not end while the result lives; `None` once it closes.
    pub fn upgrade(&self) -> Option<Interpreter> {
        let owner = Some(self.owner.upgrade()?);
        Some(Interpreter { inner: self.inner.upgrade()?, owner })
    }

    /// Keeps the calling thread attached while `work` runs; [`Error::Closed`] once the interpreter closes.
    pub fn attach<R>(&self, work: impl FnOnce(&Interpreter) -> R) -> Result<R, Error> {
        // Not as an owner: threads that attach again and again must not keep the interpreter from closing.
        if self.owner.strong_count() == 0 {
            return Err(Error::Closed);
        }
        let interpreter = Interpreter { inner: self.inner.upgrade().ok_or(Error::Closed)?, owner: None };
        Ok(interpreter.attach(|| work(&interpreter)))
    }
}

impl Inner {
    /// The calling thread's place in the scheduler: the main one unless another thread has that.
    fn take_place<'a>(&'a self, leaves_main: &mut Option<LeavesMain<'a>>) -> crate::gil::ThreadHandle {
        if self.main_is_busy.swap(true, std::sync::atomic::Ordering::Acquire) {
            return self.shared.register_thread();
        }
        *leaves_main = Some(LeavesMain(self));
        self.main.clone()
    }
}

/// The next thread that attaches is the main one again.
struct LeavesMain<'a>(&'a Inner);

impl Drop for LeavesMain<'_> {
    fn drop(&mut self) {
        self.0.main_is_busy.store(false, std::sync::atomic::Ordering::Release);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let closing = Closing { state: self.state, shared: self.shared.clone(), main: self.main.clone() };
        if crate::gil::is_attached(&self.shared) {
            // One of the interpreter's own threads had the last handle, in a host function: it has to leave its frames before they can go. Where no
            // thread can be started, the interpreter stays.
            let _ = std::thread::Builder::new().spawn(move || closing.end());
        } else {
            closing.end();
        }
    }
}

/// An interpreter without handles, on its way to its end.
struct Closing {
    state: NonNull<State>,
    shared: Arc<Shared>,
    main: crate::gil::ThreadHandle,
}

// SAFETY: as for `Inner`, whose parts these are.
unsafe impl Send for Closing {}

impl Closing {
    fn end(self) {
        // Another interpreter's GIL is given away while this one's is waited for.
        let attached = Attached::closing(&self.shared, &self.main);
        let mut vm = Vm::new(self.state, self.main.clone(), true, crate::os::stack::limit());
        vm.enter();
        vm.drain_mailbox();
        let all_gone = crate::thread::start::end_daemons(&mut vm);
        crate::stdlib::tear_down(&mut vm);
        vm.drain_if_dead();
        let ends_process = vm.state().options.ends_process;
        drop(vm);
        self.shared.end_timer();
        if ends_process {
            return;
        }
        if !all_gone {
            // Daemons that are stuck outside may come back to find the GIL closed; what they refer to stays.
            return;
        }
        drop(attached);
        // SAFETY: this was the last handle, so nobody can attach any more.
        unsafe { bootstrap::free(self.state) };
    }
}

fn io_error(path: &str, error: &std::io::Error) -> Error {
    let message = crate::os::file::error_text(error.raw_os_error().unwrap_or(0));
    Error::Io { path: path.to_owned(), message, errno: error.raw_os_error().unwrap_or(0) }
}

/// The namespace of `__main__`.
fn main_dict(vm: &mut Vm) -> VmResult<Ref<crate::object::types::dict::Dict>> {
    let modules = vm.state().modules.clone();
    let main = vm.dict_get_str(&modules, "__main__")?;
    match main.as_ref().and_then(|main| main.downcast::<crate::object::types::module::Module>()) {
        Some(module) => Ok(module.get(vm).dict.clone()),
        None => Err(vm.runtime_error("there is no module __main__")),
    }
}

fn set_main(vm: &mut Vm, name: &str, value: Value) -> VmResult<()> {
    let main = main_dict(vm)?;
    vm.dict_set_str(&main, name, value)
}

fn run_in_main(vm: &mut Vm, code: Ref<crate::object::types::code::Code>) -> VmResult<Value> {
    let main = main_dict(vm)?;
    let function = vm.new_function(code, main.clone())?;
    let result = vm.run_code(&function, &main)?;
    if result.holds::<crate::object::types::generator::Generator>() && function.holds::<crate::object::types::function::Function>() {
        return crate::stdlib::run_coroutine(vm, result);
    }
    Ok(result)
}

fn convert_out<T: FromScript>(vm: &mut Vm, value: Value) -> Result<T, Error> {
    let from = vm.type_name(&value);
    T::from_script(&mut Context(vm), &Slot(value)).ok_or(Error::Conversion { from, to: T::NAME })
}

/// The pending exception as a host sees it.
fn interpreter_error(vm: &mut Vm) -> Error {
    let exception = vm.take_raised();
    let class = vm.type_of(&exception);
    let class_names: Vec<String> = class.get(vm).mro.clone().iter().map(|class| vm.class_name(class)).collect();
    let exit = vm.is_exception(&exception, ExceptionKind::SystemExit).then(|| exit_code(vm, &exception));
    let message = match vm.str_text(&exception) {
        Ok(text) => text.to_utf8_lossy().into_owned(),
        Err(_) => {
            vm.take_raised();
            String::new()
        }
    };
    let traceback = if exit.is_some() { String::new() } else { crate::vm::traceback::report(vm, &exception) };
    if exit.is_none() {
        // For a hook of the script's, should the program show the error.
        vm.state_mut().module_state.insert("last_uncaught", exception.clone());
    }
    let is_syntax = vm.is_exception(&exception, ExceptionKind::SyntaxError) && vm.traceback_of(&exception).is_none();
    let raised = Box::new(RaisedError { class_names, message, traceback, exit });
    if is_syntax { Error::Syntax(raised) } else { Error::Raised(raised) }
}

/// What a `SystemExit` asks for: a text for stderr, and the exit code.
fn exit_code(vm: &mut Vm, exception: &Value) -> (Option<String>, i32) {
    let code = exception.downcast::<Exception>().and_then(|payload| payload.get(vm).fields.first().cloned()).unwrap_or(Value::NONE);
    if code.is_none() {
        return (None, 0);
    }
    if let Some(number) = vm.int_ref(&code) {
        return (None, number.to_i64().map_or(-1, |number| number as i32));
    }
    let text = match vm.str_text(&code) {
        Ok(text) => text.to_utf8_lossy().into_owned(),
        Err(_) => {
            vm.take_raised();
            String::new()
        }
    };
    (Some(text), 1)
}
