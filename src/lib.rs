//! Scrip: an embeddable interpreter.

pub mod code;
mod compile;
mod gil;
mod number;
mod os;
mod text;
