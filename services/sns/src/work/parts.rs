//! Delivers notifications that are too large for one transaction, a part of the subscribers in
//! each. Where it stands is in the work itself, so each subscriber gets the message once.

use base::BoxFuture;
use delivery::{Due, Handler, Limits};
use store::Tx;

use crate::data::{self, Notification, Part, Pending};
use crate::error::Result;
use crate::fanout;
use crate::rules::name::{SubscriptionId, TopicId};
use crate::topics::Topics;

pub(crate) const LIMITS: Limits = Limits { batch_max: 1, concurrent_max: 4 };

/// The handler of the line.
pub(crate) struct Parts(pub(crate) Topics);

impl Handler for Parts {
    fn deliver<'a>(
        &'a self,
        batch: &'a [Due],
    ) -> BoxFuture<'a, std::result::Result<(), kit::Error>> {
        Box::pin(async move {
            let topics = &self.0;
            for due in batch {
                topics.transact(|tx| async move { step(topics, &tx, due).await }).await?;
            }
            Ok(())
        })
    }
}

async fn step(topics: &Topics, tx: &Tx, due: &Due) -> Result<()> {
    let Part { id, after } = due.work()?;
    let key = data::pending(topics.account(), &id);
    let Some(pending) = tx.get_record::<Pending>(&key).await? else {
        due.done(tx).await?;
        return Ok(());
    };
    let content = pending.content.load(topics.store()).await?;
    let notification: Notification = store::decode(&key, &content)?;
    let topic = TopicId::from_arn(&notification.topic);
    let topic = topic.ok_or_else(|| kit::Error::internal("a topic without a name"))?;
    let last = SubscriptionId { topic: topic.clone(), id: after.unwrap_or_default() };
    let range = data::subscriptions_of(topics.account(), &topic).prefix();
    // The empty id comes before all others.
    let range = range.after(&data::subscription(topics.account(), &last));
    let limit = fanout::subscribers_max(topics, &notification, &last);
    let subscribers = topics.subscriptions(tx, &topic, range, limit).await?;
    for (id, subscription) in &subscribers {
        if fanout::wants(subscription, &notification) {
            fanout::deliver(topics, tx, &notification, id, subscription).await?;
        }
    }
    match subscribers.last() {
        Some((last, _)) if subscribers.len() == limit => {
            let part = Part { id, after: Some(last.id.clone()) };
            due.again(tx, topics.kit.now(), &part).await?;
        }
        _ => {
            due.done(tx).await?;
            pending.content.unlink(tx, &key).await?;
            tx.delete(key);
        }
    }
    Ok(())
}
