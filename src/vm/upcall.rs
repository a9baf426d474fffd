//! What natives ask of the VM besides operations: calls, guards against recursion, charging, checks in long loops, imports.

use super::vm::{Result, Vm};
use crate::object::native::NativeModule;
use crate::object::type_object::CallArgs;
use crate::object::types::exception::ExceptionKind;
use crate::object::types::module::Module;
use crate::object::value::Value;

/// What a poll stands for in instructions.
const POLL_STEPS: usize = 1000;

/// Tells long work in the pure layers, which know no `Vm`, whether to stop. The caller then looks with `poll`, and tries again when that raised nothing; a
/// retry is broken off by Ctrl-C, a stop or a limit only, else a timer that is faster than the work would keep it from ever ending.
pub(crate) struct PollHook {
    shared: std::sync::Arc<crate::gil::Shared>,
    thread: crate::gil::ThreadHandle,
    is_main: bool,
    is_retry: bool,
    /// The GIL may be handed over while the work goes on.
    is_sharing: bool,
    /// Instructions that are left to all of the interpreter.
    left: i64,
    n_polls: usize,
}

impl PollHook {
    /// To be called every thousand steps or so; whether to stop.
    pub(crate) fn poll(&mut self) -> bool {
        self.n_polls += 1;
        if (self.n_polls.saturating_mul(POLL_STEPS)) as i64 > self.left {
            return true;
        }
        if !self.shared.breaker.is_set() {
            return false;
        }
        if self.is_sharing && self.shared.breaker.has(crate::gil::DROP) {
            self.shared.yield_now(&self.thread);
        }
        if self.shared.breaker.has(crate::gil::STOP) && self.shared.must_stop(&self.thread) {
            return true;
        }
        let is_wanted = !self.is_retry || crate::os::signal::is_pending(crate::os::signal::INTERRUPT);
        if self.is_main { self.shared.breaker.wants_interrupt() && is_wanted } else { self.shared.is_closing() }
    }
}

impl Vm {
    /// `function(*arguments)`.
    #[inline]
    pub(crate) fn call(&mut self, function: &Value, arguments: &[Value]) -> Result<Value> {
        self.call_args(function, CallArgs::positional(arguments))
    }

    /// `function(*positional, **named)`; the names are strings.
    pub(crate) fn call_named(&mut self, function: &Value, positional: &[Value], named: &[(&str, Value)]) -> Result<Value> {
        let mut values = positional.to_vec();
        let mut names = Vec::new();
        for (name, value) in named {
            names.push(self.intern(name));
            values.push(value.clone());
        }
        self.call_args(function, CallArgs { values: &values, names: &names })
    }

    /// `object.name(*arguments)`.
    pub(crate) fn call_method(&mut self, object: &Value, name: &str, arguments: &[Value]) -> Result<Value> {
        let name = self.intern(name);
        let (function, is_method) = self.get_method(object, &name)?;
        if !is_method {
            return self.call(&function, arguments);
        }
        let mut all: smallvec::SmallVec<[Value; 4]> = smallvec::smallvec![object.clone()];
        all.extend(arguments.iter().cloned());
        self.call(&function, &all)
    }

    /// Whether the `repr` of `object` may start: `false` when it is being computed already. Pairs with `leave_repr`.
    pub(crate) fn enter_repr(&mut self, object: &Value) -> Result<bool> {
        self.enter_native()?;
        let address = object.address();
        if self.in_repr.contains(&address) {
            return Ok(false);
        }
        self.in_repr.push(address);
        Ok(true)
    }

    /// The `repr` of `object` is done.
    pub(crate) fn leave_repr(&mut self, object: &Value) {
        let address = object.address();
        if let Some(place) = self.in_repr.iter().rposition(|known| *known == address) {
            self.in_repr.remove(place);
        }
    }

    /// Refuses to go deeper when the native stack is nearly used up.
    #[inline]
    pub(crate) fn enter_native(&mut self) -> Result<()> {
        let here = 0_u8;
        let address = std::ptr::from_ref(&here) as usize;
        if address < self.stack_limit {
            return Err(self.too_deep());
        }
        Ok(())
    }

    /// `enter_native` for a native whose `RecursionError` says what was being done.
    pub(crate) fn enter_native_while(&mut self, doing: &str) -> Result<()> {
        let here = 0_u8;
        if (std::ptr::from_ref(&here) as usize) < self.stack_limit {
            return Err(self.raise(ExceptionKind::RecursionError, format!("maximum recursion depth exceeded{doing}")));
        }
        Ok(())
    }

    /// Bytes of native stack that are left.
    pub(crate) fn native_room(&self) -> usize {
        let here = 0_u8;
        (std::ptr::from_ref(&here) as usize).saturating_sub(self.stack_limit)
    }

    /// The `RecursionError`.
    #[cold]
    pub(crate) fn too_deep(&mut self) -> super::vm::Raised {
        self.raise(ExceptionKind::RecursionError, "maximum recursion depth exceeded")
    }

    /// Charges output about to be written to a descriptor; the end of the run when it is more than the host allows.
    pub(crate) fn charge_output(&mut self, descriptor: i32, bytes: usize) -> Result<()> {
        let is_standard = descriptor == 1 || descriptor == 2;
        let shared = self.state().shared.clone();
        if is_standard && !shared.charge_output(bytes) {
            return Err(self.stop_all(crate::gil::StopReason::Output(shared.limits().output.unwrap_or(0))));
        }
        Ok(())
    }

    /// What long native loops call every thousand steps or so: signals, hand-over of the GIL, stops, limits.
    #[inline]
    pub(crate) fn poll(&mut self) -> Result<()> {
        self.poll_after(POLL_STEPS)
    }

    /// `poll` after so many steps, each about as long as an instruction.
    #[inline]
    pub(crate) fn poll_after(&mut self, steps: usize) -> Result<()> {
        self.spend(steps);
        if (self.budget < 0) | self.is_broken() {
            return self.handle_breaker();
        }
        Ok(())
    }

    /// `poll` for long native loops in the middle of which no other thread may run, since it could see or change what is half done. It looks only for what
    /// ends the loop: Ctrl-C, a stop, a limit.
    #[inline]
    pub(crate) fn poll_alone(&mut self) -> Result<()> {
        self.spend(POLL_STEPS);
        if (self.budget < 0) | self.is_broken() {
            return self.handle_breaker_alone();
        }
        Ok(())
    }

    /// Subtracts native work from the countdown; the next check looks whether it was too much.
    #[inline]
    pub(crate) fn spend(&mut self, steps: usize) {
        self.budget = self.budget.saturating_sub(steps as i64);
    }

    /// Tells the collector, whose work nobody is charged for, whether to abandon it.
    pub(crate) fn patience(&self, is_retry: bool) -> impl FnMut() -> bool + 'static {
        let mut hook = PollHook { left: i64::MAX, ..self.poll_hook(is_retry) };
        move || hook.poll()
    }

    /// A poll callback for the pure layers.
    pub(crate) fn poll_hook(&self, is_retry: bool) -> PollHook {
        PollHook {
            shared: self.state().shared.clone(),
            thread: self.thread.clone(),
            is_main: self.is_main,
            is_retry,
            is_sharing: false,
            left: if self.is_stopping() { self.budget } else { self.budget.saturating_add(self.state().shared.instructions_left()) },
            n_polls: 0,
        }
    }

    /// Runs `work` of the layer of texts, whose time grows with `size`, so that Ctrl-C, stops and, where it can be, other threads need not wait for its end:
    /// it is broken off and begun again. `operands`: whose text or bytes it may borrow; who does not change keeps them through a hand-over of the GIL.
    /// The work runs no scripts and changes nothing.
    #[inline]
    pub(crate) fn paced<R>(&mut self, size: usize, operands: &[Value], work: impl Fn(&Vm) -> R) -> Result<R> {
        if size <= crate::text::pace::PIECE { Ok(work(self)) } else { self.paced_pieces(operands, work) }
    }

    /// `paced` for work over so many items that goes on in [`crate::text::pace::runs`] of them. What it borrows may be anything, so no other thread runs
    /// meanwhile.
    #[inline]
    pub(crate) fn paced_items<R>(&mut self, count: usize, work: impl Fn(&Vm) -> R) -> Result<R> {
        if count <= crate::text::pace::MANY { Ok(work(self)) } else { self.paced_whole(false, work) }
    }

    #[cold]
    #[inline(never)]
    fn paced_pieces<R>(&mut self, operands: &[Value], work: impl Fn(&Vm) -> R) -> Result<R> {
        use crate::object::types::{bytes::Bytes, str::Str};
        // What is borrowed of these lies still as long as somebody holds them, and the caller does.
        let lies_still = |operand: &Value| {
            operand.holds::<Str>() || operand.holds::<Bytes>() || operand.as_small().is_some() || operand.is_none() || operand.is_unbound()
        };
        let is_sharing = operands.iter().all(lies_still);
        self.paced_whole(is_sharing, work)
    }

    #[inline(never)]
    fn paced_whole<R>(&mut self, is_sharing: bool, work: impl Fn(&Vm) -> R) -> Result<R> {
        let mut is_retry = false;
        loop {
            let hook = std::rc::Rc::new(std::cell::RefCell::new(PollHook { is_sharing, ..self.poll_hook(is_retry) }));
            let asked = hook.clone();
            let result = crate::text::pace::watched(move || !asked.borrow_mut().poll(), || work(self));
            self.settle(&hook.borrow());
            if let Some(result) = result {
                return Ok(result);
            }
            self.poll()?;
            is_retry = true;
        }
    }

    /// Counts the work that was done under the hook.
    pub(crate) fn settle(&mut self, hook: &PollHook) {
        self.spend(hook.n_polls.saturating_mul(POLL_STEPS));
    }

    /// Runs `work` with the GIL given away. It must touch no values.
    pub(crate) fn detached<R: Send>(&mut self, work: impl FnOnce() -> R + Send) -> R {
        let shared = self.state().shared.clone();
        self.note_hold();
        shared.detach(&self.thread);
        let result = work();
        shared.attach(&self.thread);
        result
    }

    /// `import name`: the module of that full name.
    pub(crate) fn import(&mut self, name: &str) -> Result<Value> {
        let name = self.intern(name);
        super::import::import_module(self, &name)
    }

    /// An entry of the `sys` module.
    pub(crate) fn sys_get(&mut self, name: &str) -> Result<Option<Value>> {
        if let Some(known) = self.sys_peek(name)? {
            return Ok(Some(known));
        }
        let modules = self.state().modules.clone();
        let sys = self.state().sys.clone();
        let module = self.dict_get_str(&modules, "sys")?.and_then(|module| module.into_ref::<Module>().ok());
        match module.filter(|module| module.get(self).dict.is(&sys)) {
            Some(module) => {
                let name = self.intern(name);
                self.lazy_attribute(&module, &name)
            }
            None => Ok(None),
        }
    }

    /// An entry of the `sys` module, if it has been made.
    pub(crate) fn sys_peek(&mut self, name: &str) -> Result<Option<Value>> {
        let sys = self.state().sys.clone();
        self.dict_get_str(&sys, name)
    }

    /// A native module as a module object.
    pub(crate) fn make_native_module(&mut self, native: &'static NativeModule) -> Result<Value> {
        let module = self.new_module(native.name, Value::NONE)?.into_value();
        self.fill_native_module(native, &module)?;
        Ok(module)
    }

    /// Puts a native module's functions, types and constants into a module.
    pub(crate) fn fill_native_module(&mut self, native: &'static NativeModule, module: &Value) -> Result<()> {
        let Some(payload) = module.downcast::<Module>() else {
            return Ok(());
        };
        let dict = payload.get(self).dict.clone();
        let (name, owner) = (self.intern(native.name), self.intern(super::import::home_of(native.name)));
        let doc = if native.doc.is_empty() { Value::NONE } else { self.new_str(native.doc) };
        self.dict_set_str(&dict, "__name__", name)?;
        self.dict_set_str(&dict, "__doc__", doc)?;
        for function in native.functions {
            let value = self.new_native(function, owner.clone());
            self.dict_set_str(&dict, function.name(), value)?;
        }
        for spec in native.types {
            let class = self.native_type(spec);
            let name = spec.name.rsplit('.').next().unwrap_or(spec.name);
            self.dict_set_str(&dict, name, class.into_value())?;
        }
        match native.init {
            Some(init) => init(self, module),
            None => Ok(()),
        }
    }
}
