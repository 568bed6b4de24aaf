//! The background tasks, a file each.

pub(crate) mod deduplication;
pub(crate) mod expire;
pub(crate) mod sweep;
pub(crate) mod visibility;
