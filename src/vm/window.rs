//! The window of the running frame: its registers, as instructions take and set them.
#![allow(unsafe_code, reason = "registers are raw words of the running frame's window (F1 to F3 in frame.rs)")]

use crate::code::instruction::Opcode;
use crate::object::types::code::Code;
use crate::object::types::function::Function;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::vm::vm::{Result, Vm};

/// The window of the running frame.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    base: *mut Word,
    code: *const Code,
}

impl Window {
    /// The window at `base` of a frame that runs `code`.
    #[inline(always)]
    pub(crate) fn new(base: *mut Word, code: *const Code) -> Self {
        Self { base, code }
    }

    #[inline(always)]
    pub(crate) fn code<'a>(self) -> &'a Code {
        // SAFETY: the frame's function keeps its code while the frame runs (F2), and instructions end before the frame does.
        unsafe { &*self.code }
    }

    /// A register's place.
    #[inline(always)]
    pub(crate) fn register(self, index: u16) -> *mut Word {
        // SAFETY: operands are inside the window.
        unsafe { self.base.add(usize::from(index)) }
    }

    /// What a register holds, unowned.
    #[inline(always)]
    pub(crate) fn peek(self, index: u16) -> Word {
        // SAFETY: registers are initialised (F1).
        unsafe { *self.register(index) }
    }

    #[inline(always)]
    fn is_local(self, index: u16) -> bool {
        index < self.code().n_locals
    }

    /// Reads an operand: a local is cloned, a temporary consumed.
    #[inline(always)]
    pub(crate) fn take(self, vm: &mut Vm, index: u16) -> Result<Value> {
        let word = self.peek(index);
        if self.is_local(index) {
            if word == Word::UNBOUND {
                return Err(vm.unbound_local(self, index));
            }
            // SAFETY: the window owns it.
            return Ok(unsafe { Value::from_borrowed(word) });
        }
        // SAFETY: the window owned it, and gives it up.
        unsafe {
            *self.register(index) = Word::UNBOUND;
            Ok(Value::from_owned(word))
        }
    }

    /// Reads an operand without consuming it.
    #[inline(always)]
    pub(crate) fn keep(self, vm: &mut Vm, index: u16) -> Result<Value> {
        let word = self.peek(index);
        if word == Word::UNBOUND && self.is_local(index) {
            return Err(vm.unbound_local(self, index));
        }
        // SAFETY: the window owns it.
        Ok(unsafe { Value::from_borrowed(word) })
    }

    /// What a register holds, as a count of its own.
    #[inline(always)]
    pub(crate) fn value(self, index: u16) -> Value {
        // SAFETY: the window owns it, so it lives while it is counted.
        unsafe { Value::from_borrowed(self.peek(index)) }
    }

    /// What a register holds, borrowed.
    ///
    /// # Safety
    /// No script runs, and the register is not written, while it is used.
    #[inline(always)]
    pub(crate) unsafe fn borrow<'a>(self, index: u16) -> &'a Value {
        // SAFETY: registers are initialised (F1), and `Value` is a transparent `Word`.
        unsafe { &*self.register(index).cast::<Value>() }
    }

    /// Ends an operand's use: a temporary is released.
    #[inline(always)]
    pub(crate) fn consume(self, index: u16) {
        if !self.is_local(index) {
            drop(self.take_temporary(index));
        }
    }

    /// Takes a temporary's value, whatever it is.
    #[inline(always)]
    pub(crate) fn take_temporary(self, index: u16) -> Value {
        // SAFETY: the window owned it, and gives it up.
        unsafe {
            let word = self.peek(index);
            *self.register(index) = Word::UNBOUND;
            Value::from_owned(word)
        }
    }

    /// Takes `count` temporaries.
    pub(crate) fn take_range(self, base: u16, count: u16) -> Vec<Value> {
        let count = usize::from(count);
        let mut values = Vec::with_capacity(count);
        // SAFETY: the window owned the temporaries, which move; there is room for them.
        unsafe {
            self.move_range(base, count, values.as_mut_ptr());
            values.set_len(count);
        }
        values
    }

    /// Moves `count` temporaries from `base` on to `target`.
    ///
    /// # Safety
    /// `target` has room for them; what stood there is not dropped.
    #[inline(always)]
    pub(crate) unsafe fn move_range(self, base: u16, count: usize, target: *mut Value) {
        let source = self.register(base);
        // SAFETY: the caller's promise; `Value` is a transparent `Word`.
        unsafe {
            std::ptr::copy_nonoverlapping(source.cast::<Value>(), target, count);
            for index in 0..count {
                source.add(index).write(Word::UNBOUND);
            }
        }
    }

    /// Writes a register; what a local held is released.
    #[inline(always)]
    pub(crate) fn set(self, index: u16, value: Value) {
        // SAFETY: the window owns what it held, and the new value from now on.
        let old = unsafe {
            let place = self.register(index);
            let old = *place;
            *place = value.into_word();
            Value::from_owned(old)
        };
        drop(old);
    }

    /// The operation of the running instruction, as it was compiled or rewritten.
    pub(super) fn opcode(self, vm: &Vm) -> Option<Opcode> {
        let record = vm.frames.records.last()?;
        let original = self.code().unit.code.word(record.instruction() as usize)?;
        // SAFETY: units hold known operations only.
        Some(unsafe { std::mem::transmute::<u8, Opcode>(original.opcode_byte()) })
    }

    pub(super) fn name(self, site: u32) -> Value {
        self.code().names[site as usize].clone()
    }

    pub(super) fn function<'a>(self) -> &'a Ref<Function> {
        // SAFETY: F2: the slot below the window holds the running function.
        let value = unsafe { &*self.base.sub(1).cast::<Value>() };
        value.downcast::<Function>().expect("a frame runs a function (F2)")
    }
}

impl Vm {
    /// Rewrites the instruction that is running to another operation with the same operands.
    pub(super) fn quicken(&self, opcode: Opcode) {
        if let Some(record) = self.frames.records.last() {
            // SAFETY: `pc` stands behind the running instruction.
            let cell = unsafe { &*record.pc.sub(1) };
            if cell.get() as u8 == Opcode::Traced as u8 {
                return self.rewrite_original(opcode);
            }
            cell.set(cell.get() & !0xFF | opcode as u64);
        }
    }
}
