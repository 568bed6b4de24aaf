//! Event source mappings.

use std::collections::BTreeMap;

use base::{Arn, Time};
use serde::{Deserialize, Serialize};
use store::Record;

/// A queue read by a function. Key: region, uuid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mapping {
    pub(crate) uuid: String,
    pub(crate) source: Arn,
    pub(crate) function: Arn,
    pub(crate) enabled: bool,
    pub(crate) batch_size: u32,
    pub(crate) window_secs: u32,
    pub(crate) report_failures: bool,
    pub(crate) concurrency_max: Option<u32>,
    pub(crate) modified: Time,
    /// Patterns, as they were given, of which a record meets one at least. None: all records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) filters: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pollers: Option<Pollers>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: BTreeMap<String, String>,
}

impl Record for Mapping {
    const VERSION: u8 = 1;
}

#[cfg(test)]
impl Mapping {
    /// A mapping of a queue of this name that sets nothing of its own.
    pub(crate) fn of_queue(name: &str) -> Mapping {
        Mapping {
            uuid: "u".into(),
            source: format!("arn:aws:sqs:us-east-1:000000000000:{name}").parse().unwrap(),
            function: "arn:aws:lambda:us-east-1:000000000000:function:pay".parse().unwrap(),
            enabled: true,
            batch_size: 10,
            window_secs: 0,
            report_failures: false,
            concurrency_max: None,
            modified: Time::default(),
            filters: Vec::new(),
            pollers: None,
            tags: BTreeMap::new(),
        }
    }
}

/// Between how many pollers a mapping has that pays for them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pollers {
    pub(crate) min: u32,
    pub(crate) max: u32,
}
