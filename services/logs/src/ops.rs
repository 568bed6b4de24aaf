//! The operations, one file per noun.

pub(crate) mod event;
pub(crate) mod group;
pub(crate) mod stream;
