//! Running code: one thread's state, the dispatch loop, calls, unwinding, suspension, imports and tracebacks.

pub(crate) mod abstract_class;
pub(crate) mod arithmetic;
pub(crate) mod attribute;
pub(crate) mod bootstrap;
pub(crate) mod breaker;
pub(crate) mod cache;
pub(crate) mod call;
pub(crate) mod class;
pub(crate) mod convert;
pub(crate) mod dispatch;
pub(crate) mod finalize;
pub(crate) mod frame;
pub(crate) mod import;
pub(crate) mod inline_cache;
mod instructions;
pub(crate) mod make;
pub(crate) mod memory;
pub(crate) mod operation;
pub(crate) mod outside;
pub(crate) mod raise;
pub(crate) mod source;
pub(crate) mod stacks;
pub(crate) mod state;
pub(crate) mod stop;
pub(crate) mod suspend;
pub(crate) mod trace;
pub(crate) mod traceback;
pub(crate) mod unwind;
pub(crate) mod upcall;
pub(crate) mod vm;
mod window;

pub(crate) use vm::{Raised, Result, Vm};

pub(crate) use crate::object::types::exception::ExceptionKind;
