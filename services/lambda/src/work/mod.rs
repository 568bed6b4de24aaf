//! Background work, one file per task.

pub(crate) mod destination;
pub(crate) mod event;
pub(crate) mod feed;
pub(crate) mod mappings;
pub(crate) mod poll;
pub(crate) mod provision;
pub(crate) mod slots;
pub(crate) mod sweep;
