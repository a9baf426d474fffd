//! What values are, without running any code: words, the heap, classes as Rust declares them, the built-in types.

pub(crate) mod account;
pub(crate) mod cycle;
pub(crate) mod heap;
pub(crate) mod instance;
pub(crate) mod intern;
pub(crate) mod layout;
pub(crate) mod mailbox;
pub(crate) mod native;
pub(crate) mod sequence;
pub(crate) mod shape;
pub(crate) mod signature;
pub(crate) mod slot_wrapper;
pub(crate) mod sort;
pub(crate) mod type_object;
pub(crate) mod types;
pub(crate) mod value;
pub(crate) mod weak;
pub(crate) mod word;
