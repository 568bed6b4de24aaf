//! How large item collections are: all items of a table with local indexes that share a partition
//! key, and their entries in those indexes.

use std::collections::{BTreeMap, BTreeSet};

use kit::Ctx;
use store::{Dir, Key};

use crate::api::ItemCollectionMetrics;
use crate::data::index::{self, Index};
use crate::data::{self, Stored, Table};
use crate::error::Error;
use crate::ops::page::remaining;
use crate::ops::write::Write;
use crate::rules::PrimaryKey;
use crate::value::{Item, Value};

/// How many items and entries are counted at most: a larger collection is estimated too low.
const COUNTED_MAX: usize = 100_000;
/// How many are taken from the store at a time: at most 64 KB each.
const STEP_ITEMS_MAX: usize = 64;
const GIGABYTE: u64 = 1024 * 1024 * 1024;

/// The collections that many writes were to, each once, by table, if the request wants to know.
pub(crate) async fn all(
    ctx: &Ctx,
    wanted: Option<&String>,
    writes: &[&Write<'_>],
) -> Result<Option<BTreeMap<String, Vec<ItemCollectionMetrics>>>, Error> {
    if wanted.is_none_or(|wanted| wanted != "SIZE") {
        return Ok(None);
    }
    let (mut all, mut seen) = (BTreeMap::<_, Vec<_>>::new(), BTreeSet::new());
    for write in writes {
        if !seen.insert((write.table.number, &write.key.partition)) {
            continue;
        }
        if let Some(metrics) = write.metrics(ctx, wanted).await? {
            all.entry(write.table.name.clone()).or_default().push(metrics);
        }
    }
    Ok(Some(all))
}

/// The collection of an item that was written, if the request wants to know and the table has
/// any. `value` is the item's partition key, and `key` the same as bytes.
pub(crate) async fn metrics(
    ctx: &Ctx,
    wanted: Option<&String>,
    table: &Table,
    key: &PrimaryKey,
    value: Option<&Value>,
) -> Result<Option<ItemCollectionMetrics>, Error> {
    let is_local = |index: &&Index| !index.is_global();
    let mut locals = table.indexes.iter().filter(is_local).peekable();
    let Some(value) = value.filter(|_| wanted.is_some_and(|wanted| wanted == "SIZE")) else {
        return Ok(None);
    };
    if locals.peek().is_none() {
        return Ok(None);
    }
    let PrimaryKey { partition, .. } = key;
    let mut left = COUNTED_MAX;
    let items = data::partition_key(&ctx.account, table.number, partition);
    let mut bytes = count(ctx, &items, &mut left).await?;
    for local in locals {
        let entries = index::partition_key(&ctx.account, table.number, local, partition);
        bytes += count(ctx, &entries, &mut left).await?;
    }
    let low = u32::try_from(bytes / GIGABYTE).unwrap_or(u32::MAX);
    let name = table.schema.partition.name.clone();
    Ok(Some(ItemCollectionMetrics {
        item_collection_key: Item::from([(name, value.clone())]),
        size_estimate_range_gb: [f64::from(low), f64::from(low) + 1.0],
    }))
}

/// The bytes of what stands below a key, of `left` items at most.
async fn count(ctx: &Ctx, below: &Key, left: &mut usize) -> Result<u64, Error> {
    let mut range = below.prefix();
    let mut bytes = 0;
    while *left > 0 {
        let step = STEP_ITEMS_MAX.min(*left);
        let found = ctx.store().scan(range.clone(), Dir::Forward, step).await?;
        for (key, stored) in &found {
            let stored: Stored = store::decode(key, stored)?;
            bytes += stored.body.len();
        }
        *left -= found.len();
        match found.last() {
            Some((last, _)) if found.len() == step => {
                range = remaining(range, Dir::Forward, last);
            }
            _ => break,
        }
    }
    Ok(bytes)
}
