//! Background work, one file per task.

pub(crate) mod fire;
