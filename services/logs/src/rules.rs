//! Pure decisions: names, tokens, filter patterns.

pub(crate) mod name;
pub(crate) mod pattern;
pub(crate) mod token;
