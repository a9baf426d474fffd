//! Scrip: an embeddable interpreter.

pub mod code;
mod compile;
mod number;
mod os;
mod text;
