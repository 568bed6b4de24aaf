//! Operations, one file per noun.

pub(crate) mod definition;
