//! Forgets the tokens of transactions ten minutes after they were used, many in one transaction.

use base::BoxFuture;
use delivery::{Due, Handler, Limits};
use kit::Kit;
use store::{Key, Tx};

use crate::data::token::Forget;

/// The line's name, which is persisted.
pub(crate) const LINE: &str = "dynamodb.tokens";
pub(crate) const LIMITS: Limits = Limits { batch_max: 500, concurrent_max: 1 };

/// The handler of the line.
pub(crate) struct Forgets(pub(crate) Kit);

impl Handler for Forgets {
    fn deliver<'a>(&'a self, batch: &'a [Due]) -> BoxFuture<'a, Result<(), kit::Error>> {
        Box::pin(async move {
            let work = |tx: Tx| async move {
                for due in batch {
                    // A token used anew after its time has cancelled this work.
                    if due.done(&tx).await? {
                        tx.delete(Key::from_bytes(due.work::<Forget>()?.key));
                    }
                }
                Ok::<_, store::Error>(())
            };
            Ok(self.0.store.transact(&self.0.account, work).await?)
        })
    }
}
