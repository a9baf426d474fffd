//! Scrip: an embeddable interpreter.
