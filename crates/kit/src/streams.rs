//! What event source mappings read in order: a service that keeps records in shards registers a
//! [`Stream`].

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base::{Arn, BoxFuture, Time};
use serde_json::Value;

use crate::Error;

/// What a stream is like.
#[derive(Debug, Clone)]
pub struct About {
    /// The names of its shards.
    pub shards: Vec<String>,
    /// The first number of what is written from now on.
    pub latest: u64,
    /// How long a record can be read.
    pub kept: Duration,
}

/// Which records are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    pub shard: &'a str,
    /// The first number to be read; 0 is the oldest there is.
    pub from: u64,
    pub records_max: usize,
    /// A page ends with the record that exceeds it, which is one of it.
    pub bytes_max: usize,
    /// Only those whose key falls into this lane of so many.
    pub lane: (u64, u64),
}

/// Some records of a shard, in order.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub records: Vec<Numbered>,
    /// The first number that was not looked at. What it stands for may come later.
    pub next: u64,
    /// Whether there was nothing more.
    pub whole: bool,
    /// Whether there will never be more.
    pub ended: bool,
    /// Whether numbers before those that are kept were asked for: their records may be lost.
    pub trimmed: bool,
}

/// A record of a stream. Its number is one of [`base::Sequence`], so it tells its time.
#[derive(Debug, Clone)]
pub struct Numbered {
    pub number: u64,
    /// The number as clients have it.
    pub sequence: String,
    pub at: Time,
    /// The record as it stands in the function's event.
    pub record: Value,
}

/// Something that has records in order.
pub trait Stream: Send + Sync + 'static {
    /// What the stream is like. Fails where it does not exist, or does not any more, with the
    /// service's `ResourceNotFoundException`; reading and watching a shard do so, too.
    fn about<'a>(&'a self, stream: &'a Arn) -> BoxFuture<'a, Result<About, Error>>;

    /// Records of a shard.
    fn read<'a>(&'a self, stream: &'a Arn, ask: Ask<'a>) -> BoxFuture<'a, Result<Page, Error>>;

    /// Wakes when there may be more to read in a shard, or when the stream has changed itself or
    /// another has taken its place. Without a shard, only the latter, and of streams, too, that are
    /// gone.
    fn watch<'a>(
        &'a self,
        stream: &'a Arn,
        shard: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Box<dyn Wake>, Error>>;

    /// The stream that has taken the place of this one, which is closed.
    fn successor<'a>(&'a self, stream: &'a Arn) -> BoxFuture<'a, Result<Option<Arn>, Error>>;
}

/// See [`Stream::watch`]. Make it, then read, then wait: what comes in between is not missed.
pub trait Wake: Send {
    /// Resolves once there was a change since the last time, or since it was made, and all that
    /// was written up to it can be read.
    fn changed(&mut self) -> BoxFuture<'_, ()>;
}

/// The streams of a machine, by the service part of their ARN.
#[derive(Default)]
pub struct Streams(RwLock<HashMap<&'static str, Arc<dyn Stream>>>);

impl Streams {
    /// Makes a service's streams readable.
    pub fn register(&self, service: &'static str, stream: Arc<dyn Stream>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(service, stream);
    }

    /// What reads the stream of an ARN, if its service has streams.
    pub fn get(&self, from: &Arn) -> Option<Arc<dyn Stream>> {
        let streams = self.0.read().unwrap_or_else(PoisonError::into_inner);
        streams.get(from.service.as_str()).cloned()
    }
}
