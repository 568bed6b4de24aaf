//! Tumbling windows: time in pieces of one length, through each of which a function carries a
//! state from batch to batch.

use std::time::Duration;

use base::{Arn, Time};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ops::configuration::whole_seconds;

/// A larger state ends its window early.
pub(super) const STATE_BYTES_MAX: usize = 1024 * 1024;
const NO_STATE: &[u8] = b"{}";

/// A window that has begun.
pub(super) struct Open {
    /// Seconds since 1970.
    pub(super) start: u64,
    pub(super) secs: u32,
    /// JSON.
    pub(super) state: Bytes,
    /// Whether the state is durable.
    pub(super) stored: bool,
}

impl Open {
    /// The window that a record of some time falls into.
    pub(super) fn around(at: Time, secs: u32) -> Open {
        let start = at.as_secs() - at.as_secs() % u64::from(secs);
        Open { start, secs, state: Bytes::from_static(NO_STATE), stored: false }
    }

    /// When it is over.
    pub(super) fn end(&self) -> Time {
        Time::from_millis(self.start.saturating_mul(1000)) + self.length()
    }

    fn length(&self) -> Duration {
        Duration::from_secs(self.secs.into())
    }

    /// What a function is told of it, behind the records of its event.
    pub(super) fn tell(&self, event: &mut Vec<u8>, shard: &str, source: &Arn, ends: Option<Ends>) {
        let start = whole_seconds(self.end() - self.length());
        let end = whole_seconds(self.end());
        let (shard, source) = (serde_json::json!(shard), serde_json::json!(source));
        event.extend_from_slice(
            format!(r#","window":{{"start":"{start}","end":"{end}"}},"state":"#).as_bytes(),
        );
        event.extend_from_slice(&self.state);
        let last = ends.is_some();
        let early = ends == Some(Ends::Early);
        event.extend_from_slice(
            format!(
                r#","shardId":{shard},"eventSourceARN":{source},"isFinalInvokeForWindow":{last},"isWindowTerminatedEarly":{early}"#
            )
            .as_bytes(),
        );
    }
}

/// Why a window is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    InTime,
    /// Its state had become too large.
    Early,
}

/// The state in a function's answer, as it stands there: read and written again, numbers would
/// change.
pub(super) fn state(answer: &[u8]) -> Option<Bytes> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        state: Option<&'a RawValue>,
    }
    let answer: Answer = serde_json::from_slice(answer).ok()?;
    let state = answer.state?.get();
    Some(Bytes::copy_from_slice(state.as_bytes()))
}
