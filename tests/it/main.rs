//! The tests that are not scripts, in one binary.

mod cli;
mod layers;
mod limits;
mod prompt;
