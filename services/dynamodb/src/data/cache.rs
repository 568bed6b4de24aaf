//! What the service has in memory.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use delivery::Line;
use kit::Ctx;
use store::{Key, Tx};

use crate::data::stream::Pending;
use crate::data::{Table, table_key};
use crate::error::Error;
use crate::throttle::Throttle;
use crate::work::count::Counts;

/// How many table records are kept in memory.
const TABLES_CACHED_MAX: usize = 10_000;

/// Table records in memory, so that reading an item is one look-up in the engine.
///
/// A record is forgotten when a commit changes it, before that commit is acknowledged. A reader
/// that fetched it meanwhile sees that `changes` has moved on and does not keep what it has.
pub(crate) struct Tables {
    cache: RwLock<Cache>,
    /// What has been counted, in memory only: it is counted again after a start.
    pub(crate) counts: Counts,
    pub(crate) pending: Arc<Pending>,
    /// Tokens of transactions, by the time they are forgotten.
    pub(crate) tokens: Line,
    pub(crate) throttle: Throttle,
}

#[derive(Debug, Default)]
struct Cache {
    tables: HashMap<Key, Arc<Table>>,
    changes: u64,
}

impl Tables {
    /// With no table in memory yet.
    pub(crate) fn new(tokens: Line, throttle: Throttle) -> Tables {
        Tables {
            cache: RwLock::default(),
            counts: Counts::default(),
            pending: Arc::default(),
            tokens,
            throttle,
        }
    }

    /// The table of this name in the request's account and region.
    pub(crate) async fn get(&self, ctx: &Ctx, name: &str) -> Result<Option<Arc<Table>>, Error> {
        let key = table_key(&ctx.account, &ctx.region, name);
        let changes = {
            let cache = self.cache.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(table) = cache.tables.get(&key) {
                return Ok(Some(Arc::clone(table)));
            }
            cache.changes
        };
        let Some(table) = ctx.store().get_record::<Table>(&key).await? else { return Ok(None) };
        let table = Arc::new(table);
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        if cache.changes == changes && cache.tables.len() < TABLES_CACHED_MAX {
            cache.tables.insert(key, Arc::clone(&table));
        }
        Ok(Some(table))
    }

    /// The same as a transaction sees it, which commits only if it is still so then.
    pub(crate) async fn current(
        &self,
        ctx: &Ctx,
        tx: &Tx,
        name: &str,
    ) -> Result<Option<Arc<Table>>, Error> {
        let key = table_key(&ctx.account, &ctx.region, name);
        if tx.relies_on(&key)? {
            let cache = self.cache.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(table) = cache.tables.get(&key) {
                return Ok(Some(Arc::clone(table)));
            }
        }
        Ok(tx.get_record(&key).await?.map(Arc::new))
    }

    /// Forgets a table once a transaction that changes its record is committed.
    pub(crate) fn changed(self: &Arc<Self>, tx: &Tx, key: &Key) {
        let (tables, key) = (Arc::clone(self), key.clone());
        tx.on_commit(move || {
            let mut cache = tables.cache.write().unwrap_or_else(PoisonError::into_inner);
            cache.changes += 1;
            cache.tables.remove(&key);
        });
    }
}
