//! Fires rules that are due: in one transaction the event goes to every target and the next
//! firing is planned. A crash before the commit fires again, one after it has fired already.

use std::sync::Arc;

use base::{Arn, BoxFuture, Time};
use delivery::{Due, Handler, Line};
use kit::Kit;
use kit::targets::Event;
use store::Tx;

use crate::data::{self, Firing, Rule, Target};
use crate::error::Error;
use crate::rules::{Schedule, scheduled_event};

/// The status of what is not served: it will not be the next time either.
const NOT_SERVED: u16 = 501;

/// Replaces the rule's place in the line by one for its next due time.
///
/// A rule that was due while we were away fires once, late, and is then planned from now on: once
/// for all misses, and back on its grid.
pub(crate) fn plan(
    tx: &Tx,
    line: &Line,
    arn: &Arn,
    rule: &mut Rule,
    now: Time,
) -> Result<(), Error> {
    if let Some(ticket) = rule.ticket.take() {
        line.cancel(tx, ticket);
    }
    if rule.enabled {
        let next = Schedule::parse(&rule.schedule_expression)?.next(rule.anchor, now);
        let firing = Firing { rule: arn.clone() };
        rule.ticket = next.map(|due| line.schedule(tx, due, &firing)).transpose()?;
    }
    Ok(())
}

/// The worker of the line `events.schedule`.
pub(crate) struct Fire {
    pub(crate) kit: Kit,
    pub(crate) line: Line,
}

impl Handler for Fire {
    fn deliver<'a>(&'a self, batch: &'a [Due]) -> BoxFuture<'a, Result<(), kit::Error>> {
        Box::pin(async move {
            for due in batch {
                // One that fails is offered again, and must not hold up those behind it.
                if let Err(error) = self.fire(due).await {
                    tracing::warn!(ticket = ?due.ticket, %error, "rule could not be fired");
                }
            }
            Ok(())
        })
    }
}

impl Fire {
    async fn fire(&self, due: &Due) -> Result<(), Error> {
        let firing: Firing = due.work()?;
        let arn = &firing.rule;
        let (account, key) = (arn.account_id()?, &data::rule_key(arn)?);
        let id = &self.kit.uuid();
        self.kit
            .store
            .transact(&account, |tx| async move {
                if !due.done(&tx).await? {
                    return Ok(());
                }
                let found: Option<Rule> = tx.get_record(key).await?;
                // Deleted or planned anew since: the entry is no longer the rule's.
                let Some(mut rule) = found.filter(|rule| rule.ticket == Some(due.ticket)) else {
                    return Ok(());
                };
                for target in &rule.targets {
                    self.append(&tx, arn, target, id, due.ticket.due).await?;
                }
                rule.ticket = None;
                plan(&tx, &self.line, arn, &mut rule, self.kit.now())?;
                tx.put_record(key.clone(), &rule)?;
                Ok(())
            })
            .await
    }

    /// A target that refuses the event for good (it is gone, or asks for what is not served)
    /// misses this firing; the others do not wait for it.
    async fn append(
        &self,
        tx: &Tx,
        arn: &Arn,
        target: &Target,
        id: &str,
        due: Time,
    ) -> Result<(), Error> {
        let event = Event {
            to: target.arn.clone(),
            from: arn.clone(),
            body: target.input.clone().unwrap_or_else(|| scheduled_event(id, arn, due)),
            attributes: std::collections::BTreeMap::new(),
            group_id: target.group_id.clone(),
            deduplication_id: target.group_id.as_ref().map(|_| id.to_owned()),
            trace: None,
        };
        match self.kit.targets.append(tx, &event).await {
            Err(error) if error.status < 500 || error.status == NOT_SERVED => {
                let to = &target.arn;
                tracing::warn!(rule = %arn, target = %to, %error, "target refused the event");
                Ok(())
            }
            other => Ok(other?),
        }
    }
}

/// The worker as `delivery` wants it.
pub(crate) fn handler(kit: &Kit, line: &Line) -> Arc<dyn Handler> {
    Arc::new(Fire { kit: kit.clone(), line: line.clone() })
}
