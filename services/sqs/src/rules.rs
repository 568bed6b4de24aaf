//! Pure decisions: no store, no clock.

pub(crate) mod attributes;
pub(crate) mod batch;
pub(crate) mod digest;
pub(crate) mod handle;
pub(crate) mod name;
pub(crate) mod order;
pub(crate) mod settings;
