//! Where events go: a service that can take one registers a [`Target`]; a service that has one
//! names an ARN. The append joins the sender's transaction, so an event and all its deliveries
//! are committed together or not at all.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use base::{Arn, BoxFuture};
use store::Tx;

use crate::Error;

/// An event on its way to one target.
#[derive(Debug, Clone)]
pub struct Event {
    /// The queue, function or bus that gets it.
    pub to: Arn,
    /// The resource it comes from: a topic, a rule.
    pub from: Arn,
    /// The event itself: a message body, or the payload of a function.
    pub body: String,
    /// Message attributes, where the target has such.
    pub attributes: BTreeMap<String, Attribute>,
    /// Ordering group and deduplication id, for FIFO targets.
    pub group_id: Option<String>,
    pub deduplication_id: Option<String>,
    /// The trace of the request that caused it; see [`crate::Ctx::trace`].
    pub trace: Option<String>,
}

/// A message attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// `String`, `Number`, `Binary`, with an optional `.label`.
    pub data_type: String,
    pub value: AttributeValue,
}

/// The two forms an attribute's value has on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    Text(String),
    Binary(Vec<u8>),
}

/// Something that takes events.
pub trait Target: Send + Sync + 'static {
    /// Appends the event within the transaction. The closure around it may run again after a
    /// conflict, so nothing but the transaction may be touched.
    fn append<'a>(&'a self, tx: &'a Tx, event: &'a Event) -> BoxFuture<'a, Result<(), Error>>;
}

/// The targets of a machine, by the service part of their ARN.
#[derive(Default)]
pub struct Targets(RwLock<HashMap<&'static str, Arc<dyn Target>>>);

impl Targets {
    /// Makes a service's resources reachable as targets.
    pub fn register(&self, service: &'static str, target: Arc<dyn Target>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(service, target);
    }

    /// Whether events can be sent to this ARN's service.
    pub fn takes(&self, to: &Arn) -> bool {
        self.find(to).is_some()
    }

    fn find(&self, to: &Arn) -> Option<Arc<dyn Target>> {
        let targets = self.0.read().unwrap_or_else(PoisonError::into_inner);
        targets.get(to.service.as_str()).cloned()
    }

    /// Appends an event to the transaction, at the target its ARN names.
    ///
    /// # Errors
    /// The target's own (it does not exist, the message is too large), or that the ARN's service
    /// takes no events.
    pub async fn append(&self, tx: &Tx, event: &Event) -> Result<(), Error> {
        let target = self.find(&event.to).ok_or_else(|| {
            Error::not_served(format_args!("{} as a target of events", event.to.service))
        })?;
        target.append(tx, event).await
    }
}
