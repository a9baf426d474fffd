//! Pure text: how a `str` is stored, what its methods compute, encodings, formats and regular expressions.
//!
//! Absences: nothing here knows an object, a VM or an exception. What can go wrong is an error value that carries
//! CPython's words, and whoever stands above raises it.

pub(crate) mod builder;
#[expect(clippy::module_inception, reason = "the file holds the type `Text` and is named for it")]
pub(crate) mod text;
pub(crate) mod view;

#[rustfmt::skip]
mod database;
#[rustfmt::skip]
mod tables;
pub(crate) mod character;
pub(crate) mod unicode;

pub(crate) mod bytes;
pub(crate) mod case;
pub(crate) mod codec;
pub(crate) mod format_spec;
pub(crate) mod pace;
pub(crate) mod pad;
pub(crate) mod path;
pub(crate) mod percent;
pub(crate) mod regex;
pub(crate) mod repr;
pub(crate) mod search;
pub(crate) mod similar;
pub(crate) mod split;
pub(crate) mod str_format;

pub(crate) use builder::TextBuilder;
pub(crate) use case::is_identifier;
pub(crate) use repr::to_ascii_escaped;
pub(crate) use text::{Text, TextTooLarge, hash_bytes};
pub(crate) use view::TextView;
