//! Background work.

pub(crate) mod index;
pub(crate) mod reap;
