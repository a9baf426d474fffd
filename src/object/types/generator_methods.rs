//! The methods of generators, coroutines and asynchronous generators, and the awaitables that the latter's methods return (PEP 342, 492, 525).

use crate::object::layout::Layout;
use crate::object::native::{Args, GetSetSpec, getter, native};
use crate::object::type_object::{HAS_WEAKREFS, NO_NEW, Slots, TypeSpec};
use crate::object::types::TypeId;
use crate::object::types::exception::{Exception, ExceptionKind};
use crate::object::types::generator::{Awaiter, AwaiterKind, AwaiterState, Generator, GeneratorKind, GeneratorState, Rare};
use crate::object::value::{Ref, Value};
use crate::vm::suspend::{Resumed, generator_noun};
use crate::vm::{Raised, Result, Vm};

pub(crate) static GENERATOR: TypeSpec = TypeSpec {
    name: "generator",
    layout: Layout::Generator,
    flags: NO_NEW | HAS_WEAKREFS,
    slots: Slots { repr: Some(repr), iter: Some(itself), next: Some(next), ..Slots::NONE },
    methods: &[
        native("send(self, object, /)", send),
        native("throw(self, typ, val=None, tb=None, /)", throw),
        native("close(self, /)", close),
        native("__del__(self, /)", finish).wrapper(),
    ],
    getset: &[
        NAME,
        QUALNAME,
        getter("gi_running", is_running),
        getter("gi_suspended", is_suspended),
        getter("gi_frame", frame),
        getter("gi_code", code),
        getter("gi_yieldfrom", delegate),
    ],
    class_methods: &[native("__class_getitem__(cls, object, /)", class_get_item)],
    ..TypeSpec::DEFAULT
};

pub(crate) static COROUTINE: TypeSpec = TypeSpec {
    name: "coroutine",
    layout: Layout::Generator,
    flags: NO_NEW | HAS_WEAKREFS,
    slots: Slots { repr: Some(repr), await_: Some(await_coroutine), ..Slots::NONE },
    methods: &[
        native("send(self, object, /)", send),
        native("throw(self, typ, val=None, tb=None, /)", throw),
        native("close(self, /)", close),
        native("__del__(self, /)", finish).wrapper(),
    ],
    getset: &[
        NAME,
        QUALNAME,
        getter("cr_running", is_running),
        getter("cr_suspended", is_suspended),
        getter("cr_frame", frame),
        getter("cr_code", code),
        getter("cr_await", delegate),
        getter("cr_origin", origin),
    ],
    class_methods: &[native("__class_getitem__(cls, object, /)", class_get_item)],
    ..TypeSpec::DEFAULT
};

pub(crate) static ASYNC_GENERATOR: TypeSpec = TypeSpec {
    name: "async_generator",
    layout: Layout::Generator,
    flags: NO_NEW | HAS_WEAKREFS,
    slots: Slots { repr: Some(repr), aiter: Some(itself), anext: Some(async_next), ..Slots::NONE },
    methods: &[
        native("asend(self, object, /)", async_send),
        native("athrow(self, typ, val=None, tb=None, /)", async_throw).unpacked(),
        native("aclose(self, /)", async_close),
        native("__del__(self, /)", finish).wrapper(),
    ],
    getset: &[
        NAME,
        QUALNAME,
        getter("ag_running", is_async_running),
        getter("ag_suspended", is_suspended),
        getter("ag_frame", frame),
        getter("ag_code", code),
        getter("ag_await", delegate),
    ],
    class_methods: &[native("__class_getitem__(cls, object, /)", class_get_item)],
    ..TypeSpec::DEFAULT
};

const AWAITER_METHODS: &[crate::object::native::Native] = &[
    native("send(self, object, /)", awaiter_send_method),
    native("throw(self, typ, val=None, tb=None, /)", awaiter_throw),
    native("close(self, /)", awaiter_close),
];

const fn awaiter(name: &'static str) -> TypeSpec {
    TypeSpec {
        name,
        layout: Layout::Awaiter,
        flags: NO_NEW,
        slots: Slots { iter: Some(itself), next: Some(awaiter_next), await_: Some(itself), ..Slots::NONE },
        methods: AWAITER_METHODS,
        ..TypeSpec::DEFAULT
    }
}

pub(crate) static ASYNC_GENERATOR_VALUE: TypeSpec =
    TypeSpec { name: "async_generator_wrapped_value", layout: Layout::Awaiter, flags: NO_NEW, ..TypeSpec::DEFAULT };
pub(crate) static COROUTINE_WRAPPER: TypeSpec = awaiter("coroutine_wrapper");
pub(crate) static ASYNC_GENERATOR_SEND: TypeSpec = awaiter("async_generator_asend");
pub(crate) static ASYNC_GENERATOR_THROW: TypeSpec = awaiter("async_generator_athrow");
pub(crate) static ANEXT_AWAITABLE: TypeSpec = awaiter("anext_awaitable");

const NAME: GetSetSpec = GetSetSpec {
    name: "__name__",
    get: |vm, value| {
        let payload = this(value).get(vm);
        Ok(payload.rare().map_or_else(|| payload.code.get(vm).name.clone(), |rare| rare.name.clone()))
    },
    set: Some(|vm, value, name| {
        let name = name_argument(vm, name, "__name__")?;
        set_rare(vm, value, |rare| rare.name = name);
        Ok(())
    }),
};
const QUALNAME: GetSetSpec = GetSetSpec {
    name: "__qualname__",
    get: |vm, value| Ok(qualname(vm, value)),
    set: Some(|vm, value, name| {
        let name = name_argument(vm, name, "__qualname__")?;
        set_rare(vm, value, |rare| rare.qualname = name);
        Ok(())
    }),
};

/// The qualified name a generator has now.
fn qualname(vm: &Vm, value: &Value) -> Value {
    let payload = this(value).get(vm);
    payload.rare().map_or_else(|| vm.code_qualname(&payload.code), |rare| rare.qualname.clone())
}

/// Changes what few generators have.
fn set_rare(vm: &mut Vm, value: &Value, change: impl FnOnce(&mut Rare)) {
    let generator = this(value);
    let (name, qualname) = {
        let code = &generator.get(vm).code;
        (code.get(vm).name.clone(), vm.code_qualname(code))
    };
    change(generator.get_mut(vm).rare_mut(name, qualname));
}

fn name_argument(vm: &mut Vm, name: Option<&Value>, what: &str) -> Result<Value> {
    match name {
        Some(name) if vm.is_kind(name, TypeId::Str) => Ok(name.clone()),
        _ => Err(vm.type_error(format!("{what} must be set to a string object"))),
    }
}

fn this(value: &Value) -> &Ref<Generator> {
    value.downcast().expect("the method's receiver was checked")
}

fn itself(_: &mut Vm, value: &Value) -> Result<Value> {
    Ok(value.clone())
}

fn class_get_item(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    super::generic_alias::new_alias(vm, &args[0], &args[1])
}

fn repr(vm: &mut Vm, value: &Value) -> Result<Value> {
    let payload = this(value).get(vm);
    let noun = match payload.kind {
        GeneratorKind::AsyncGenerator => "async_generator",
        kind => generator_noun(kind),
    };
    let name = vm.text_of(&qualname(vm, value)).map(ToString::to_string).unwrap_or_default();
    Ok(vm.new_str(format!("<{noun} object {name} at {:#x}>", value.address())))
}

fn next(vm: &mut Vm, value: &Value) -> Result<Option<Value>> {
    let generator = this(value).clone();
    match vm.resume(&generator, Value::NONE, false)? {
        Resumed::Yielded(item) => Ok(Some(item)),
        Resumed::Returned(result) => {
            if result.is_none() {
                Ok(None)
            } else {
                Err(vm.stop_iteration(Some(result)))
            }
        }
    }
}

/// Whether a row is `send` of generators and coroutines.
pub(crate) fn is_send(row: &crate::object::native::Native) -> bool {
    std::ptr::fn_addr_eq(row.function, send as crate::object::native::NativeFn)
}

fn send(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let generator = this(&args[0]).clone();
    vm.generator_send(&generator, args[1].clone())
}

/// The exception that `throw(type, value, traceback)` means.
fn thrown(vm: &mut Vm, args: &[Value]) -> Result<Value> {
    let arguments = Args(args);
    let (kind, value, traceback) = (&args[0], arguments.or_none(1), arguments.or_none(2));
    if arguments.given(1).is_some() || arguments.given(2).is_some() {
        vm.warn(ExceptionKind::DeprecationWarning, "the (type, exc, tb) signature of throw() is deprecated, use the single-arg signature instead.")?;
    }
    if !traceback.is_none() && !traceback.holds::<super::frame::Traceback>() {
        return Err(vm.type_error("throw() third argument must be a traceback object"));
    }
    let exception = if vm.is_exception_class(kind) {
        if value.is_none() {
            match vm.instantiate_exception(kind) {
                Ok(exception) => exception,
                // What goes wrong with making it is thrown instead.
                Err(_) => vm.take_raised(),
            }
        } else if vm.object_isinstance(&value, kind)? {
            value
        } else if let Some(tuple) = value.downcast::<super::tuple::Tuple>() {
            let items = tuple.get(vm).items().to_vec();
            vm.call(kind, &items)?
        } else {
            vm.call(kind, &[value])?
        }
    } else if kind.holds::<Exception>() {
        if !value.is_none() {
            return Err(vm.type_error("instance exception may not have a separate value"));
        }
        kind.clone()
    } else {
        let message = format!("exceptions must be classes or instances deriving from BaseException, not {}", vm.type_name(kind));
        return Err(vm.type_error(message));
    };
    if !traceback.is_none() {
        if let Some(payload) = exception.downcast::<Exception>() {
            payload.get_mut(vm).traceback = traceback;
        }
    }
    Ok(exception)
}

fn throw(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let generator = this(&args[0]).clone();
    let exception = thrown(vm, &args[1..])?;
    let given: Vec<Value> = (1..=3).map_while(|place| args.given(place).cloned()).collect();
    match vm.generator_throw_as(&generator, exception, &given)? {
        Resumed::Yielded(value) => Ok(value),
        Resumed::Returned(value) => Err(vm.stop_generator(&generator, value)),
    }
}

fn close(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let generator = this(&args[0]).clone();
    vm.generator_close(&generator)
}

/// `__del__`: what the end of a generator does, which for a suspended one is `close()`; what that raises is only shown.
fn finish(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let generator = this(&args[0]).clone();
    if generator.get(vm).state == GeneratorState::Suspended && vm.generator_close(&generator).is_err() {
        vm.write_unraisable("", &args[0]);
    }
    Ok(Value::NONE)
}

fn is_running(vm: &mut Vm, value: &Value) -> Result<Value> {
    Ok(Value::from_bool(this(value).get(vm).state == GeneratorState::Running))
}

fn is_async_running(vm: &mut Vm, value: &Value) -> Result<Value> {
    Ok(Value::from_bool(this(value).get(vm).is_awaited))
}

fn is_suspended(vm: &mut Vm, value: &Value) -> Result<Value> {
    Ok(Value::from_bool(this(value).get(vm).state == GeneratorState::Suspended))
}

fn code(vm: &mut Vm, value: &Value) -> Result<Value> {
    Ok((*this(value).get(vm).code).clone())
}

fn delegate(vm: &mut Vm, value: &Value) -> Result<Value> {
    Ok(vm.generator_delegate(this(value)).unwrap_or(Value::NONE))
}

fn origin(vm: &mut Vm, value: &Value) -> Result<Value> {
    Ok(this(value).get(vm).rare().map_or(Value::NONE, |rare| rare.origin.clone()))
}

fn frame(vm: &mut Vm, value: &Value) -> Result<Value> {
    Ok(vm.generator_frame(this(value)).map_or(Value::NONE, Ref::into_value))
}

fn await_coroutine(vm: &mut Vm, value: &Value) -> Result<Value> {
    Ok(new_awaiter(vm, TypeId::CoroutineWrapper, AwaiterKind::CoroutineWrapper, value.clone(), Value::NONE))
}

// ---- asynchronous generators

fn new_awaiter(vm: &mut Vm, id: TypeId, kind: AwaiterKind, target: Value, value: Value) -> Value {
    let payload = Awaiter { kind, state: AwaiterState::Fresh, target, value, extra: (Value::NONE, Value::NONE) };
    vm.alloc(id, payload).into_value()
}

/// The first iteration tells the thread's hooks (`sys.set_asyncgen_hooks`).
fn init_hooks(vm: &mut Vm, generator: &Ref<Generator>) -> Result<()> {
    if generator.get(vm).hooks_done {
        return Ok(());
    }
    let (first, finalizer) = vm.async_hooks.clone();
    generator.get_mut(vm).hooks_done = true;
    if !finalizer.is_none() {
        set_rare(vm, generator, |rare| rare.finalizer = finalizer);
    }
    if !first.is_none() {
        let argument: Value = (**generator).clone();
        vm.call(&first, &[argument])?;
    }
    Ok(())
}

fn async_next(vm: &mut Vm, value: &Value) -> Result<Value> {
    init_hooks(vm, this(value))?;
    Ok(new_awaiter(vm, TypeId::AsyncGeneratorSend, AwaiterKind::AsyncSend, value.clone(), Value::NONE))
}

fn async_send(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    init_hooks(vm, this(&args[0]))?;
    Ok(new_awaiter(vm, TypeId::AsyncGeneratorSend, AwaiterKind::AsyncSend, args[0].clone(), args[1].clone()))
}

fn async_throw(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    init_hooks(vm, this(&args[0]))?;
    let awaiter = new_awaiter(vm, TypeId::AsyncGeneratorThrow, AwaiterKind::AsyncThrow, args[0].clone(), args[1].clone());
    if let Some(payload) = awaiter.downcast::<Awaiter>() {
        let extra = (args.given(2).cloned().unwrap_or(Value::UNBOUND), args.given(3).cloned().unwrap_or(Value::UNBOUND));
        payload.get_mut(vm).extra = extra;
    }
    Ok(awaiter)
}

fn async_close(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    init_hooks(vm, this(&args[0]))?;
    Ok(new_awaiter(vm, TypeId::AsyncGeneratorThrow, AwaiterKind::AsyncClose, args[0].clone(), Value::NONE))
}

fn this_awaiter(value: &Value) -> &Ref<Awaiter> {
    value.downcast().expect("the method's receiver was checked")
}

fn awaiter_next(vm: &mut Vm, value: &Value) -> Result<Option<Value>> {
    let awaiter = this_awaiter(value).clone();
    match awaiter_send(vm, &awaiter, Value::NONE)? {
        Resumed::Yielded(item) => Ok(Some(item)),
        Resumed::Returned(result) => Err(vm.stop_iteration(Some(result).filter(|result| !result.is_none()))),
    }
}

fn awaiter_send_method(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let awaiter = this_awaiter(&args[0]).clone();
    match awaiter_send(vm, &awaiter, args[1].clone())? {
        Resumed::Yielded(item) => Ok(item),
        Resumed::Returned(result) => Err(vm.stop_iteration(Some(result).filter(|result| !result.is_none()))),
    }
}

/// Which method an awaitable stands for, as messages name it.
fn method_name(kind: AwaiterKind) -> &'static str {
    match kind {
        AwaiterKind::AsyncThrow => "athrow()",
        AwaiterKind::AsyncClose => "aclose()",
        _ => "anext()/asend()",
    }
}

/// Drives an awaitable by one step.
pub(crate) fn awaiter_send(vm: &mut Vm, awaiter: &Ref<Awaiter>, value: Value) -> Result<Resumed> {
    let (kind, state, target) = {
        let payload = awaiter.get(vm);
        (payload.kind, payload.state, payload.target.clone())
    };
    match kind {
        AwaiterKind::CoroutineWrapper => {
            let generator = this(&target).clone();
            vm.resume(&generator, value, false)
        }
        AwaiterKind::AnextDefault => {
            let driver = anext_driver(vm, awaiter)?;
            let outcome = vm.send_to(&driver, value);
            catch_default(vm, awaiter, outcome)
        }
        AwaiterKind::WrappedValue => Ok(Resumed::Returned(Value::NONE)),
        AwaiterKind::AsyncSend | AwaiterKind::AsyncThrow | AwaiterKind::AsyncClose => {
            if state == AwaiterState::Closed {
                let name = if kind == AwaiterKind::AsyncSend { "__anext__()/asend()" } else { "aclose()/athrow()" };
                return Err(vm.runtime_error(format!("cannot reuse already awaited {name}")));
            }
            let generator = this(&target).clone();
            if state == AwaiterState::Fresh {
                start_awaiter(vm, awaiter, &generator, kind, value)
            } else {
                let outcome = vm.resume(&generator, value, false);
                finish_step(vm, awaiter, &generator, kind, outcome)
            }
        }
    }
}

fn start_awaiter(vm: &mut Vm, awaiter: &Ref<Awaiter>, generator: &Ref<Generator>, kind: AwaiterKind, value: Value) -> Result<Resumed> {
    if generator.get(vm).is_awaited {
        awaiter.get_mut(vm).state = AwaiterState::Closed;
        let message = match kind {
            AwaiterKind::AsyncClose => "aclose(): asynchronous generator is already running",
            AwaiterKind::AsyncThrow => "athrow(): asynchronous generator is already running",
            _ => "anext(): asynchronous generator is already running",
        };
        return Err(vm.runtime_error(message));
    }
    if kind == AwaiterKind::AsyncSend {
        let sent = if value.is_none() { awaiter.get(vm).value.clone() } else { value };
        awaiter.get_mut(vm).state = AwaiterState::Started;
        generator.get_mut(vm).is_awaited = true;
        let outcome = vm.resume(generator, sent, false);
        return finish_step(vm, awaiter, generator, kind, outcome);
    }
    if generator.get(vm).is_closed || generator.get(vm).state == GeneratorState::Finished {
        awaiter.get_mut(vm).state = AwaiterState::Closed;
        if kind == AwaiterKind::AsyncClose {
            return Ok(Resumed::Returned(Value::NONE));
        }
        return Err(vm.raise_new(ExceptionKind::StopAsyncIteration, Vec::new()));
    }
    if !value.is_none() {
        return Err(vm.runtime_error("can't send non-None value to a just-started coroutine"));
    }
    awaiter.get_mut(vm).state = AwaiterState::Started;
    generator.get_mut(vm).is_awaited = true;
    let outcome = if kind == AwaiterKind::AsyncClose {
        generator.get_mut(vm).is_closed = true;
        if generator.get(vm).state == GeneratorState::Created {
            vm.generator_close(generator).map(Resumed::Returned)
        } else {
            let class = vm.state().exception(ExceptionKind::GeneratorExit).clone();
            let exit = vm.new_exception(&class, ExceptionKind::GeneratorExit, Vec::new());
            vm.generator_throw(generator, exit)
        }
    } else {
        let arguments = {
            let payload = awaiter.get(vm);
            [payload.value.clone(), payload.extra.0.clone(), payload.extra.1.clone()]
        };
        match thrown(vm, &arguments) {
            Ok(exception) => vm.generator_throw(generator, exception),
            Err(raised) => Err(raised),
        }
    };
    finish_step(vm, awaiter, generator, kind, outcome)
}

/// What one step of the generator means for who awaits: a wrapped value is the await's result.
fn finish_step(vm: &mut Vm, awaiter: &Ref<Awaiter>, generator: &Ref<Generator>, kind: AwaiterKind, outcome: Result<Resumed>) -> Result<Resumed> {
    let closing = kind == AwaiterKind::AsyncClose;
    match outcome {
        Ok(Resumed::Yielded(item)) => {
            let wrapped = item.downcast::<Awaiter>().filter(|inner| inner.get(vm).kind == AwaiterKind::WrappedValue);
            let Some(wrapped) = wrapped else { return Ok(Resumed::Yielded(item)) };
            let value = wrapped.get(vm).value.clone();
            end_await(vm, awaiter, generator);
            if closing {
                return Err(vm.runtime_error("async generator ignored GeneratorExit"));
            }
            Ok(Resumed::Returned(value))
        }
        Ok(Resumed::Returned(_)) => {
            end_await(vm, awaiter, generator);
            generator.get_mut(vm).is_closed = true;
            if closing {
                return Ok(Resumed::Returned(Value::NONE));
            }
            Err(vm.raise_new(ExceptionKind::StopAsyncIteration, Vec::new()))
        }
        Err(raised) => {
            end_await(vm, awaiter, generator);
            if vm.raised_is(ExceptionKind::StopAsyncIteration) || vm.raised_is(ExceptionKind::GeneratorExit) {
                generator.get_mut(vm).is_closed = true;
                if closing {
                    vm.take_raised();
                    return Ok(Resumed::Returned(Value::NONE));
                }
            }
            Err(raised)
        }
    }
}

fn end_await(vm: &mut Vm, awaiter: &Ref<Awaiter>, generator: &Ref<Generator>) {
    awaiter.get_mut(vm).state = AwaiterState::Closed;
    generator.get_mut(vm).is_awaited = false;
}

/// What an `anext` with a default drives, found at its first step.
fn anext_driver(vm: &mut Vm, awaiter: &Ref<Awaiter>) -> Result<Value> {
    if awaiter.get(vm).state == AwaiterState::Fresh {
        let awaitable = awaiter.get(vm).target.clone();
        let driver = vm.awaitable_iterator(&awaitable, 0)?;
        let driver = match driver.downcast::<Generator>() {
            Some(generator) if generator.get(vm).kind == GeneratorKind::Coroutine => await_coroutine(vm, &driver)?,
            _ => driver,
        };
        let payload = awaiter.get_mut(vm);
        payload.target = driver;
        payload.state = AwaiterState::Started;
    }
    Ok(awaiter.get(vm).target.clone())
}

fn catch_default(vm: &mut Vm, awaiter: &Ref<Awaiter>, outcome: Result<Resumed>) -> Result<Resumed> {
    match outcome {
        Err(raised) => {
            if vm.clear_if(ExceptionKind::StopAsyncIteration) {
                return Ok(Resumed::Returned(awaiter.get(vm).value.clone()));
            }
            Err(raised)
        }
        outcome => outcome,
    }
}

fn awaiter_throw(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let awaiter = this_awaiter(&args[0]).clone();
    let exception = thrown(vm, &args[1..])?;
    match throw_into_awaiter(vm, &awaiter, exception)? {
        Resumed::Yielded(item) => Ok(item),
        Resumed::Returned(result) => Err(vm.stop_iteration(Some(result).filter(|result| !result.is_none()))),
    }
}

fn throw_into_awaiter(vm: &mut Vm, awaiter: &Ref<Awaiter>, exception: Value) -> Result<Resumed> {
    let (kind, state, target) = {
        let payload = awaiter.get(vm);
        (payload.kind, payload.state, payload.target.clone())
    };
    match kind {
        AwaiterKind::CoroutineWrapper => {
            let generator = this(&target).clone();
            vm.generator_throw(&generator, exception)
        }
        AwaiterKind::AnextDefault => {
            let driver = anext_driver(vm, awaiter)?;
            let outcome = vm.call_method(&driver, "throw", &[exception]).map(Resumed::Yielded);
            catch_default(vm, awaiter, outcome)
        }
        AwaiterKind::WrappedValue => Err(vm.raise_value(exception)),
        _ => {
            if state == AwaiterState::Closed {
                let name = if kind == AwaiterKind::AsyncSend { "__anext__()/asend()" } else { "aclose()/athrow()" };
                return Err(vm.runtime_error(format!("cannot reuse already awaited {name}")));
            }
            let generator = this(&target).clone();
            if state == AwaiterState::Fresh {
                if generator.get(vm).is_awaited {
                    awaiter.get_mut(vm).state = AwaiterState::Closed;
                    return Err(already_running(vm, kind));
                }
                awaiter.get_mut(vm).state = AwaiterState::Started;
                generator.get_mut(vm).is_awaited = true;
            }
            let outcome = vm.generator_throw(&generator, exception);
            finish_step(vm, awaiter, &generator, kind, outcome)
        }
    }
}

fn already_running(vm: &mut Vm, kind: AwaiterKind) -> Raised {
    let name = method_name(kind).split("()").next().unwrap_or_default().to_owned();
    vm.runtime_error(format!("{name}(): asynchronous generator is already running"))
}

fn awaiter_close(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let awaiter = this_awaiter(&args[0]).clone();
    let (kind, state, target) = {
        let payload = awaiter.get(vm);
        (payload.kind, payload.state, payload.target.clone())
    };
    match kind {
        AwaiterKind::CoroutineWrapper => {
            let generator = this(&target).clone();
            vm.generator_close(&generator)
        }
        AwaiterKind::AsyncSend | AwaiterKind::AsyncThrow | AwaiterKind::AsyncClose if state == AwaiterState::Started => {
            let class = vm.state().exception(ExceptionKind::GeneratorExit).clone();
            let exit = vm.new_exception(&class, ExceptionKind::GeneratorExit, Vec::new());
            match throw_into_awaiter(vm, &awaiter, exit) {
                Ok(Resumed::Yielded(_)) => Err(vm.runtime_error("coroutine ignored GeneratorExit")),
                Ok(Resumed::Returned(_)) => Ok(Value::NONE),
                Err(raised) => {
                    let is_end = vm.clear_if(ExceptionKind::GeneratorExit)
                        || vm.clear_if(ExceptionKind::StopAsyncIteration)
                        || vm.clear_if(ExceptionKind::StopIteration);
                    if is_end { Ok(Value::NONE) } else { Err(raised) }
                }
            }
        }
        _ => {
            awaiter.get_mut(vm).state = AwaiterState::Closed;
            Ok(Value::NONE)
        }
    }
}
