//! TransactWriteItems and TransactGetItems: many items, in one transaction of the store.
//!
//! The store repeats a transaction that has lost to another, so of AWS's faults of concurrency
//! none comes up: no `TransactionConflict`, neither for a transaction nor for a single write that
//! meets one, and no `TransactionInProgressException` for a token whose first request still runs.

pub(crate) mod commit;
pub(crate) mod get;
pub(crate) mod token;
pub(crate) mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::ConsumedCapacity;
use crate::data::Table;
use crate::error::{Error, Reason};
use crate::ops::{Units, Usage, consumed_as};
use crate::rules::PrimaryKey;

/// How many items a transaction may have, and how many bytes these may have together.
pub(crate) const ITEMS_MAX: usize = 100;
pub(crate) const BYTES_MAX: usize = 4 * 1024 * 1024;
/// How many times more than alone an operation costs in a transaction.
pub(crate) const UNITS_FACTOR: f64 = 2.0;

/// The capacity a transaction has used, table by table, if it wants to know.
pub(crate) fn consumed<'a>(
    wanted: Option<&String>,
    usage: Usage,
    used: impl IntoIterator<Item = (&'a Arc<Table>, Units)>,
) -> Option<Vec<ConsumedCapacity>> {
    let wanted = wanted.filter(|wanted| *wanted != "NONE")?;
    let mut tables: BTreeMap<&str, (&Table, Units)> = BTreeMap::new();
    for (table, units) in used {
        let (_, sum) = tables.entry(&table.name).or_insert_with(|| (table, Units::default()));
        sum.add(units.times(UNITS_FACTOR));
    }
    let with_indexes = wanted == "INDEXES";
    let all = tables.into_values();
    Some(all.map(|(table, units)| consumed_as(Some(usage), with_indexes, table, units)).collect())
}

/// What all parts have come to, or the transaction is canceled for those that have failed.
pub(crate) fn all_or_canceled<T>(parts: Vec<Result<T, Error>>) -> Result<Vec<T>, Error> {
    if parts.iter().all(Result::is_ok) {
        return parts.into_iter().collect();
    }
    let reason = |part: Result<T, Error>| part.map_or_else(Reason::of, |_| Ok(Reason::NONE));
    Err(Error::Canceled(parts.into_iter().map(reason).collect::<Result<_, Error>>()?))
}

/// Fails if a transaction names an item twice.
pub(crate) fn check_distinct<'a>(
    items: impl IntoIterator<Item = (&'a Table, &'a PrimaryKey)>,
) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for (table, key) in items {
        if !seen.insert((table.number, key)) {
            return Err(Error::validation(
                "Transaction request cannot include multiple operations on one item",
            ));
        }
    }
    Ok(())
}

/// Fails if the items of a transaction are too large together.
pub(crate) fn check_bytes(bytes: usize) -> Result<(), Error> {
    if bytes > BYTES_MAX {
        return Err(Error::validation(
            "The aggregate size of the items in the transaction exceeds 4 MB",
        ));
    }
    Ok(())
}
