//! Pure decisions: no store, no clock.

pub(crate) mod envelope;
pub(crate) mod filter;
pub(crate) mod message;
pub(crate) mod name;
pub(crate) mod settings;
