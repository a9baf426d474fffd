//! The text of a Scrip program.
