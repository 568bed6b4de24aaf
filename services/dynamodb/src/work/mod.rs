//! Background work.

pub(crate) mod reap;
