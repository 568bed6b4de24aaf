//! The background tasks, a file each.

pub(crate) mod expire;
pub(crate) mod sweep;
pub(crate) mod visibility;
