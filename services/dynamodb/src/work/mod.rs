//! Background work.

pub(crate) mod copy;
pub(crate) mod count;
pub(crate) mod expire;
pub(crate) mod forget;
pub(crate) mod index;
pub(crate) mod reap;
pub(crate) mod retain;
pub(crate) mod trim;
