//! The instructions that are more than a fast path, by what they are about.

mod attributes;
mod building;
mod calls;
mod exceptions;
mod items;
mod matching;
mod modules;
mod names;
