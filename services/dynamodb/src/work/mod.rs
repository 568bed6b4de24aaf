//! Background work.

pub(crate) mod count;
pub(crate) mod index;
pub(crate) mod reap;
pub(crate) mod trim;
