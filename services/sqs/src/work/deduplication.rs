//! Forgets what FIFO queues remember for five minutes: what was sent, and what receives gave. Many
//! in one transaction.

use base::BoxFuture;
use delivery::{Due, Handler, Limits};
use store::{Key, Tx};

use crate::data::Forget;
use crate::queues::Queues;

pub(crate) const LIMITS: Limits = Limits { batch_max: 500, concurrent_max: 2 };

/// The handler of the line.
pub(crate) struct Forgets(pub(crate) Queues);

impl Handler for Forgets {
    fn deliver<'a>(
        &'a self,
        batch: &'a [Due],
    ) -> BoxFuture<'a, std::result::Result<(), kit::Error>> {
        Box::pin(async move {
            let work = |tx: Tx| async move {
                for due in batch {
                    // What was written anew in its place has cancelled this work.
                    if due.done(&tx).await? {
                        tx.delete(Key::from_bytes(due.work::<Forget>()?.key));
                    }
                }
                Ok(())
            };
            Ok(self.0.transact(work).await?)
        })
    }
}
