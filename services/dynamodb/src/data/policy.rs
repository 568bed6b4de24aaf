//! Resource policies.
//!
//! | kind | key                        | value          |
//! |------|----------------------------|----------------|
//! | 16   | table number               | [`Policy`]     |

use base::{AccountId, Time};
use serde::{Deserialize, Serialize};
use store::{Key, Record};

use crate::data::space;

const KIND_POLICY: u8 = 16;

/// The policy of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Policy {
    /// In the one form that equivalent documents have.
    pub(crate) document: String,
    pub(crate) changed: Time,
}

impl Record for Policy {
    const VERSION: u8 = 1;
}

impl Policy {
    /// `RevisionId`.
    pub(crate) fn revision(&self) -> String {
        self.changed.as_millis().to_string()
    }
}

pub(crate) fn policy_key(account: &AccountId, number: u64) -> Key {
    space(account).key(KIND_POLICY).u64(number)
}
