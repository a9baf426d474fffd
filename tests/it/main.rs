//! The tests that are not scripts, in one binary.

mod cache;
mod cli;
mod fuzz_corpus;
mod layers;
mod limits;
mod memory;
mod prompt;
mod signals;
mod threads;
