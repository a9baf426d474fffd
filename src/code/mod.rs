//! What the compiler makes and the VM runs: instructions and the units they form. Knows no objects and no tree.

pub(crate) mod disassemble;
pub(crate) mod instruction;
pub(crate) mod marshal;
#[cfg(test)]
pub(crate) mod reference;
pub(crate) mod symbol;
pub(crate) mod unit;
pub(crate) mod verify;
