//! What comes from the operating system and its C library; the only folder that names them.

pub(crate) mod c_math;
