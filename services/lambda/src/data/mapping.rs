//! Event source mappings.

use std::collections::BTreeMap;

use base::{Arn, Time};
use serde::{Deserialize, Serialize};
use store::{Body, Record};

/// A queue or a stream read by a function. Key: region, uuid.
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
    /// How it reads, where the source is a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reading: Option<Reading>,
}

impl Record for Mapping {
    const VERSION: u8 = 1;
}

impl Mapping {
    /// What is read: the source, or the stream that has taken its place.
    pub(crate) fn read_from(&self) -> &Arn {
        let followed = self.reading.as_ref().and_then(|reading| reading.followed.as_ref());
        followed.unwrap_or(&self.source)
    }
}

/// How a stream is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reading {
    /// The first number to be read; 0 is the oldest there is.
    pub(crate) start: u64,
    /// Batches of one shard that run at once, each of other items.
    pub(crate) lanes: u32,
    /// None: until the records are no longer kept.
    pub(crate) retries_max: Option<u32>,
    pub(crate) age_secs_max: Option<u32>,
    /// Whether a batch that failed is tried again in two halves.
    pub(crate) bisect: bool,
    /// How long a window of time is in which a state is carried from batch to batch; 0 for none.
    pub(crate) tumbling_secs: u32,
    /// Who is told of records that were given up.
    pub(crate) on_failure: Option<Arn>,
    /// The stream that has taken the place of the source, once that was closed and read to its
    /// end.
    pub(crate) followed: Option<Arn>,
    /// Another mapping has been made for what follows: this one ends with its stream.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) superseded: bool,
}

impl Default for Reading {
    fn default() -> Reading {
        Reading {
            start: 0,
            lanes: 1,
            retries_max: None,
            age_secs_max: None,
            bisect: false,
            tumbling_secs: 0,
            on_failure: None,
            followed: None,
            superseded: false,
        }
    }
}

/// How far a mapping has come in a lane of a shard. Key: region, uuid, shard, lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    /// Everything before this number is done with.
    pub(crate) next: u64,
    /// How many lanes the shard is read in.
    pub(crate) lanes: u32,
    /// Whether a batch has ever succeeded.
    pub(crate) processed: bool,
    pub(crate) window: Option<Window>,
}

impl Record for Checkpoint {
    const VERSION: u8 = 1;
}

/// A window of time that is open, and what the function has made of it so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Window {
    /// Seconds since 1970.
    pub(crate) start: u64,
    pub(crate) secs: u32,
    /// JSON, held by the checkpoint.
    pub(crate) state: Body,
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
            reading: None,
        }
    }
}

/// Between how many pollers a mapping has that pays for them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pollers {
    pub(crate) min: u32,
    pub(crate) max: u32,
}
