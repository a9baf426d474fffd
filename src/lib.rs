//! Scrip: an embeddable interpreter.

pub mod code;
mod number;
mod os;
mod text;
