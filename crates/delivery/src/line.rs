use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base::Time;
use kit::Kit;
use serde::{Deserialize, Serialize};
use store::fifo::{Changes, Claim, Fifo};
use store::{Key, Record, Space, Tx};

/// Key kind: account, `delivery`, 1, line, due (ms), number → the work. Persisted, never reused.
const KIND_DUE: u8 = 1;

/// A named line of due work. A cheap handle.
#[derive(Clone)]
pub struct Line {
    pub(crate) name: &'static str,
    kit: Kit,
    prefix: Key,
    fifo: Fifo,
}

/// Names one entry of a line, to cancel it. Kept in the records of whoever scheduled it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    pub due: Time,
    pub number: u64,
}

impl Line {
    pub(crate) fn new(kit: &Kit, name: &'static str) -> Line {
        let prefix = Space::new(&kit.account, "delivery").key(KIND_DUE).str(name);
        let fifo = kit.store.fifo(prefix.clone());
        Line { name, kit: kit.clone(), prefix, fifo }
    }

    fn key(&self, ticket: Ticket) -> Key {
        self.prefix.clone().u64(ticket.due.as_millis()).u64(ticket.number)
    }

    /// Schedules work within the transaction. A time that has passed means at once.
    pub fn schedule<R: Record>(&self, tx: &Tx, due: Time, work: &R) -> store::Result<Ticket> {
        let ticket = Ticket { due, number: self.kit.next_number() };
        tx.put_record(self.key(ticket), work)?;
        Ok(ticket)
    }

    /// Removes work within the transaction, whether it is still there or not. Work that is being
    /// done at this moment ends with a conflict and finds out.
    pub fn cancel(&self, tx: &Tx, ticket: Ticket) {
        tx.delete(self.key(ticket));
    }

    /// Takes up to `max` entries that are due by `now`.
    pub(crate) async fn take(&self, max: usize, now: Time) -> store::Result<Vec<Due>> {
        let until = self.prefix.clone().u64(now.as_millis().saturating_add(1));
        let claims = self.fifo.claim(max, Some(&until)).await?;
        claims.into_iter().map(|claim| self.due(claim)).collect()
    }

    fn due(&self, claim: Claim) -> store::Result<Due> {
        let ticket = self.ticket(claim.key())?;
        Ok(Due { ticket, line: self.clone(), claim, settled: Arc::default() })
    }

    fn ticket(&self, key: &Key) -> store::Result<Ticket> {
        let mut elements = key.after(&self.prefix)?;
        Ok(Ticket { due: Time::from_millis(elements.u64()?), number: elements.u64()? })
    }

    /// When the next entry that nobody works on is due.
    pub(crate) async fn next_due(&self) -> store::Result<Option<Time>> {
        let first = self.fifo.first().await?;
        first.map(|key| Ok(self.ticket(&key)?.due)).transpose()
    }

    pub(crate) fn watch(&self) -> Changes {
        self.fifo.watch()
    }
}

/// Work that is due, leased to its holder. Dropped unsettled, it is offered again.
pub struct Due {
    pub ticket: Ticket,
    line: Line,
    claim: Claim,
    settled: Arc<AtomicBool>,
}

impl Due {
    /// What was scheduled.
    pub fn work<R: Record>(&self) -> store::Result<R> {
        store::decode(self.claim.key(), self.claim.value())
    }

    /// Ends the work with the transaction. False: it was cancelled meanwhile, and nothing may be
    /// done for it any more.
    pub async fn done(&self, tx: &Tx) -> store::Result<bool> {
        let found = self.claim.consume(tx).await?.is_some();
        let settled = Arc::clone(&self.settled);
        tx.on_commit(move || settled.store(true, Ordering::Release));
        Ok(found)
    }

    /// Ends the work with the transaction and schedules it anew: a retry. `None`: it was
    /// cancelled meanwhile.
    pub async fn again<R: Record>(
        &self,
        tx: &Tx,
        due: Time,
        work: &R,
    ) -> store::Result<Option<Ticket>> {
        match self.done(tx).await? {
            true => self.line.schedule(tx, due, work).map(Some),
            false => Ok(None),
        }
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }
}
