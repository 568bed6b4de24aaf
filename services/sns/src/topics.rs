//! The state of the service, and what its operations share.

use base::AccountId;
use delivery::{Delivery, Line};
use kit::Kit;
use store::{Dir, KeyRange, Store, Tx};

use crate::data::{self, Subscription, Topic};
use crate::error::{Error, Result};
use crate::rules::name::{SubscriptionId, TopicId};

/// The line on which notifications go out that are too large for one transaction. Persisted.
const LINE: &str = "sns.fanout";
/// Subscriptions of one topic. They are all read by each publish.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 10_000;

/// All topics. A cheap handle.
#[derive(Clone)]
pub(crate) struct Topics {
    pub(crate) kit: Kit,
    pub(crate) line: Line,
}

impl Topics {
    pub(crate) fn open(kit: &Kit, delivery: &Delivery) -> Topics {
        Topics { kit: kit.clone(), line: delivery.line(LINE) }
    }

    pub(crate) fn account(&self) -> &AccountId {
        &self.kit.account
    }

    pub(crate) fn store(&self) -> &Store {
        &self.kit.store
    }

    /// Runs a transaction on the account's shard.
    pub(crate) async fn transact<T, Fut>(&self, f: impl Fn(Tx) -> Fut) -> Result<T>
    where
        Fut: Future<Output = Result<T>>,
    {
        self.store().transact(self.account(), f).await
    }

    pub(crate) async fn find(&self, tx: &Tx, id: &TopicId) -> Result<Topic> {
        let found = tx.get_record(&data::topic(self.account(), id)).await?;
        found.ok_or(Error::NoTopic)
    }

    pub(crate) async fn find_subscription(
        &self,
        tx: &Tx,
        id: &SubscriptionId,
    ) -> Result<Subscription> {
        let found = tx.get_record(&data::subscription(self.account(), id)).await?;
        found.ok_or(Error::NoSubscription)
    }

    /// The subscriptions of a topic in a part of their range, in the order of their ids.
    pub(crate) async fn subscriptions(
        &self,
        tx: &Tx,
        topic: &TopicId,
        range: KeyRange,
        limit: usize,
    ) -> Result<Vec<(SubscriptionId, Subscription)>> {
        let prefix = data::subscriptions_of(self.account(), topic);
        let entries = tx.scan(range, Dir::Forward, limit).await?;
        let read = |(key, value): &(store::Key, bytes::Bytes)| {
            let id = key.after(&prefix)?.str()?;
            let id = SubscriptionId { topic: topic.clone(), id };
            Ok((id, store::decode(key, value)?))
        };
        entries.iter().map(read).collect()
    }

    /// All subscriptions of a topic.
    pub(crate) async fn all_subscriptions(
        &self,
        tx: &Tx,
        topic: &TopicId,
    ) -> Result<Vec<(SubscriptionId, Subscription)>> {
        let range = data::subscriptions_of(self.account(), topic).prefix();
        self.subscriptions(tx, topic, range, SUBSCRIPTIONS_MAX).await
    }
}
