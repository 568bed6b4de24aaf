//! Ends delays and invisibilities: what is due becomes ready to be received. Many in one
//! transaction.

use base::BoxFuture;
use delivery::{Due, Handler, Limits};
use store::Tx;

use crate::data::{Return, State};
use crate::error::Result;
use crate::messages;
use crate::queues::Queues;

pub(crate) const LIMITS: Limits = Limits { batch_max: 500, concurrent_max: 4 };

/// The handler of the line.
pub(crate) struct Returns(pub(crate) Queues);

impl Handler for Returns {
    fn deliver<'a>(
        &'a self,
        batch: &'a [Due],
    ) -> BoxFuture<'a, std::result::Result<(), kit::Error>> {
        Box::pin(async move {
            let queues = &self.0;
            let work = |tx: Tx| async move {
                for due in batch {
                    if due.done(&tx).await? {
                        end(queues, &tx, due).await?;
                    }
                }
                Ok(())
            };
            Ok(queues.transact(work).await?)
        })
    }
}

async fn end(queues: &Queues, tx: &Tx, due: &Due) -> Result<()> {
    let Return { messages, seq, group } = due.work()?;
    let mut found: Option<State> = tx.get_record(&queues.keys.away(messages, seq)).await?;
    // A delayed message of a FIFO queue waits in its group.
    if let (None, Some(group)) = (&found, &group) {
        found = tx.get_record(&queues.keys.waiting(messages, group, seq)).await?;
    }
    let Some(state) = found.filter(|state| state.ticket == Some(due.ticket)) else { return Ok(()) };
    // Messages that no queue has any more are the sweeper's.
    if tx.get(&queues.keys.garbage(messages)).await?.is_some() {
        return Ok(());
    }
    let live = queues.live(messages, group.is_some()).await?;
    messages::put_back(queues, tx, &live, seq, &state).await
}
