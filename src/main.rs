//! The `scrip` program.
fn main() {}
