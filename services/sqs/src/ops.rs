//! The operations, a file per noun.

pub(crate) mod attribute;
pub(crate) mod message;
pub(crate) mod queue;
pub(crate) mod receipt;
pub(crate) mod receive;
pub(crate) mod tag;
