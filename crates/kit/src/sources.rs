//! Where event source mappings read: a service that has records registers a [`Source`].

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base::{Arn, BoxFuture};
use serde_json::Value;

use crate::Error;

/// One record taken from a source, leased until its visibility ends.
#[derive(Debug, Clone)]
pub struct Received {
    /// What a partial failure report names it by: a message id.
    pub id: String,
    /// What acknowledges it: a receipt handle.
    pub handle: String,
    /// The record as it stands in the function's event.
    pub record: Value,
}

/// What a source promises of its records.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// How long a record is leased to whoever has received it.
    pub lease: Duration,
    /// How often a record is received before it becomes a dead letter, where it ever does.
    pub receives_max: Option<u32>,
}

/// Something that has records to be read by functions.
pub trait Source: Send + Sync + 'static {
    /// Takes up to `max` records, waiting up to `wait` for the first.
    fn receive<'a>(
        &'a self,
        from: &'a Arn,
        max: usize,
        wait: Duration,
    ) -> BoxFuture<'a, Result<Vec<Received>, Error>>;

    /// Acknowledges records: they are gone. A record whose lease has ended in the meantime stays.
    fn acknowledge<'a>(
        &'a self,
        from: &'a Arn,
        handles: Vec<String>,
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// Gives records back that were received in vain: they can be received again at once, and the
    /// receive does not count. One whose lease has ended in the meantime stays as it is.
    fn release<'a>(
        &'a self,
        from: &'a Arn,
        handles: Vec<String>,
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// What the source promises. Fails where it does not exist, with the source's own error.
    fn terms<'a>(&'a self, from: &'a Arn) -> BoxFuture<'a, Result<Terms, Error>>;
}

/// The sources of a machine, by the service part of their ARN.
#[derive(Default)]
pub struct Sources(RwLock<HashMap<&'static str, Arc<dyn Source>>>);

impl Sources {
    /// Makes a service's resources readable.
    pub fn register(&self, service: &'static str, source: Arc<dyn Source>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(service, source);
    }

    /// The source behind an ARN.
    ///
    /// # Errors
    /// If the ARN's service cannot be read from.
    pub fn get(&self, from: &Arn) -> Result<Arc<dyn Source>, Error> {
        let sources = self.0.read().unwrap_or_else(PoisonError::into_inner);
        sources
            .get(from.service.as_str())
            .cloned()
            .ok_or_else(|| Error::not_served(format_args!("{} as an event source", from.service)))
    }
}
