//! What is set for a function, a version or an alias beside its configuration.

use base::{Arn, Time};
use serde::{Deserialize, Serialize};
use store::Record;

/// How many invocations of a function may run at once, and always can. Key: region, name.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reserved {
    pub(crate) function: Arn,
    pub(crate) count: u32,
}

impl Record for Reserved {
    const VERSION: u8 = 1;
}

/// How many environments of a version are ready before there are events. Key: region, name,
/// version or alias.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Provisioned {
    /// The version or the alias.
    pub(crate) target: Arn,
    pub(crate) count: u32,
    pub(crate) modified: Time,
}

impl Record for Provisioned {
    const VERSION: u8 = 1;
}
