//! What the compiler makes and the VM runs: instructions and the units they form. Knows no objects and no tree.

pub mod disassemble;
pub mod instruction;
pub mod marshal;
pub mod reference;
pub mod unit;
pub mod verify;
