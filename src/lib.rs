//! Scrip: an embeddable interpreter.

pub mod code;
mod text;
