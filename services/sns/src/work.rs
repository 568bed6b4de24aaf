//! The background tasks, a file each.

pub(crate) mod parts;
