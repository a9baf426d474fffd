//! `_thread._ThreadHandle`: a thread as its starter sees it; what can be joined.

use super::timeout::{self, Woken};
use crate::gil::{Activity, Waiter};
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, getter, native};
use crate::object::type_object::{CallArgs, HAS_WEAKREFS, Slots, Type, TypeSpec};
use crate::object::value::{Ref, Value};
use crate::vm::{Result, Vm};

/// Where a thread is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    NotStarted,
    Starting,
    Running,
    Done,
}

/// A thread that can be joined.
pub(crate) struct ThreadObject {
    pub(crate) stage: Stage,
    /// What `get_ident` says in it.
    pub(crate) ident: u64,
    /// The scheduler's number of it; zero while it has none.
    pub(crate) thread: u64,
    joiners: Vec<Waiter>,
}

impl Payload for ThreadObject {
    const LAYOUT: Layout = Layout::ThreadObject;
}

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "_thread._ThreadHandle",
    doc: "A thread that can be joined.",
    layout: Layout::ThreadObject,
    flags: HAS_WEAKREFS,
    slots: Slots { new: Some(new), repr: Some(repr), ..Slots::NONE },
    methods: &[
        native("join(self, timeout=None, /)", join),
        native("is_done(self, /)", |vm, args| Ok(Value::from_bool(handle_of(args).get(vm).stage == Stage::Done))),
        native("_set_done(self, /)", set_done),
    ],
    getset: &[getter("ident", |vm, this| {
        let ident = this.downcast::<ThreadObject>().expect("an attribute of the type").get(vm).ident;
        Ok(vm.new_int(ident as i64))
    })],
    ..TypeSpec::DEFAULT
};

fn handle_of<'a>(args: Args<'a>) -> &'a Ref<ThreadObject> {
    args.all()[0].downcast::<ThreadObject>().expect("a method of the type")
}

fn new(vm: &mut Vm, class: &Ref<Type>, _: CallArgs<'_>) -> Result<Value> {
    let payload = ThreadObject { stage: Stage::NotStarted, ident: 0, thread: 0, joiners: Vec::new() };
    Ok(vm.alloc_for(class, payload).into_value())
}

/// A handle of a thread that has not been started.
pub(crate) fn make(vm: &mut Vm) -> Ref<ThreadObject> {
    let class = vm.native_type(&TYPE);
    vm.alloc_for(&class, ThreadObject { stage: Stage::NotStarted, ident: 0, thread: 0, joiners: Vec::new() })
}

/// A handle of a running thread that `_thread` did not start: the main one, or a host's.
pub(crate) fn make_for(vm: &mut Vm, ident: u64) -> Value {
    let class = vm.native_type(&TYPE);
    vm.alloc_for(&class, ThreadObject { stage: Stage::Running, ident, thread: 0, joiners: Vec::new() }).into_value()
}

fn repr(vm: &mut Vm, this: &Value) -> Result<Value> {
    let ident = this.downcast::<ThreadObject>().expect("the type's slot").get(vm).ident;
    Ok(vm.new_str(format!("<_thread._ThreadHandle object: ident={ident}>")))
}

/// The thread is over: everybody who joins it goes on.
pub(crate) fn mark_done(vm: &mut Vm, handle: &Ref<ThreadObject>) {
    let payload = handle.get_mut(vm);
    payload.stage = Stage::Done;
    for joiner in std::mem::take(&mut payload.joiners) {
        joiner.grant();
    }
}

fn set_done(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let handle = handle_of(args);
    if handle.get(vm).stage == Stage::NotStarted {
        return Err(vm.runtime_error("thread not started"));
    }
    mark_done(vm, handle);
    Ok(Value::NONE)
}

fn join(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let timeout = match args.given_some(1) {
        Some(timeout) => Some(timeout::nanoseconds(vm, timeout)?).filter(|&nanoseconds| nanoseconds >= 0),
        None => None,
    };
    wait_for(vm, handle_of(args), timeout)?;
    Ok(Value::NONE)
}

/// Waits until the thread is over, or for so many nanoseconds.
pub(crate) fn wait_for(vm: &mut Vm, handle: &Ref<ThreadObject>, timeout: Option<i64>) -> Result<()> {
    let deadline = timeout.and_then(timeout::deadline);
    loop {
        let payload = handle.get(vm);
        match payload.stage {
            Stage::Done => return Ok(()),
            Stage::NotStarted => return Err(vm.runtime_error("thread not started")),
            Stage::Starting | Stage::Running => {}
        }
        if payload.thread == vm.thread.id || (payload.thread == 0 && payload.ident == crate::os::thread::ident()) {
            return Err(vm.runtime_error("Cannot join current thread"));
        }
        let thread = vm.thread.clone();
        let activity = Activity::Join(handle.get(vm).ident);
        let ticket = thread.wait.begin(activity);
        handle.get_mut(vm).joiners.push(Waiter::new(thread.clone(), ticket));
        let woken = vm.wait(ticket, deadline);
        handle.get_mut(vm).joiners.retain(|waiter| !waiter.is(&thread, ticket));
        if woken? == Woken::Timeout {
            return Ok(());
        }
    }
}
