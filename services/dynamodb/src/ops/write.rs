//! Writing one item: the transaction behind PutItem, DeleteItem and UpdateItem.

use std::sync::Arc;

use kit::Ctx;
use store::{BODY_INLINE_BYTES_MAX, Key, Tx};

use crate::api::{ItemCollectionMetrics, WriteItemOutput};
use crate::data::{self, Fresh, Stored, Table, Tables, expiry, history};
use crate::error::Error;
use crate::expression::{Condition, Update, UpdateFault};
use crate::item::ITEM_BYTES_MAX;
use crate::ops::{
    Units, Usage, capture, check_capacity, collection, consumed, index, needs_capacity,
    take_capacity,
};
use crate::rules::{self, PrimaryKey};
use crate::value::{Item, check_depth, size};

/// What a record takes besides its body: two keys, for a new entry and for an old one.
const RECORD_BYTES_MAX: usize = 4 * 1024;

/// One write, checked and ready.
pub(crate) struct Write<'a> {
    pub(crate) table: &'a Table,
    pub(crate) key: PrimaryKey,
    pub(crate) change: Change,
    pub(crate) guard: Guard,
    pub(crate) returns: Returns,
}

pub(crate) enum Change {
    Put(Item),
    /// Deletes the item with this key.
    Delete(Item),
    /// Changes the item with this key, or makes one of the key.
    Update {
        key: Item,
        update: Option<Update>,
    },
    /// Leaves the item as it is: within a transaction, its condition alone counts.
    Check,
}

/// What must be true of the item before it is written.
pub(crate) struct Guard {
    pub(crate) condition: Option<Condition>,
    /// The error carries the item that failed.
    pub(crate) tells_item: bool,
}

/// Which attributes the reply carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Returns {
    Nothing,
    AllOld,
    AllNew,
    UpdatedOld,
    UpdatedNew,
}

/// The item before and after a write.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) old: Option<Item>,
    pub(crate) new: Option<Item>,
    /// What its entries in indexes have used.
    entries: Units,
}

impl Outcome {
    /// Write capacity units it has used.
    pub(crate) fn units(&self) -> Units {
        let bytes = |item: &Option<Item>| item.as_ref().map_or(0, size);
        let table = rules::write_units(bytes(&self.old).max(bytes(&self.new)));
        Units { table, ..self.entries.clone() }
    }
}

/// Writes an item and answers as the request wants it.
pub(crate) async fn write(
    ctx: &Ctx,
    write: Write<'_>,
    (capacity, metrics): (Option<&String>, Option<&String>),
) -> Result<WriteItemOutput, Error> {
    // Staged before the transaction, which may run several times.
    let staged = write.stage(ctx).await?;
    let looks = needs_capacity(ctx, capacity, write.table);
    let (staged, request) = (staged.as_ref(), &write);
    let outcome = ctx
        .store()
        .transact(&ctx.account, |tx| async move {
            let outcome = perform(ctx, &tx, request, staged, looks).await?;
            check_capacity(ctx, request.table, Usage::Write, &outcome.units())?;
            Ok::<_, Error>(outcome)
        })
        .await?;
    let units = outcome.units();
    take_capacity(ctx, write.table, Usage::Write, &units);
    Ok(WriteItemOutput {
        attributes: write.returned(outcome),
        consumed_capacity: consumed(capacity, write.table, units),
        item_collection_metrics: write.metrics(ctx, metrics).await?,
    })
}

/// Does one write within a transaction, which may have others. `looks` says whether the item that
/// was there must be known even where the write does not depend on it.
pub(crate) async fn perform(
    ctx: &Ctx,
    tx: &Tx,
    write: &Write<'_>,
    staged: Option<&Fresh>,
    looks: bool,
) -> Result<Outcome, Error> {
    let table = current(ctx, tx, write.table).await?;
    perform_in(ctx, tx, &table, write, staged, looks).await
}

/// The same where the transaction has read the table's record already.
pub(crate) async fn perform_in(
    ctx: &Ctx,
    tx: &Tx,
    table: &Table,
    write: &Write<'_>,
    staged: Option<&Fresh>,
    looks: bool,
) -> Result<Outcome, Error> {
    perform_as(ctx, tx, table, write, staged, looks, false).await
}

/// The same for an item that may be removed because its time has come.
pub(crate) async fn perform_as(
    ctx: &Ctx,
    tx: &Tx,
    table: &Table,
    write: &Write<'_>,
    staged: Option<&Fresh>,
    looks: bool,
    expired: bool,
) -> Result<Outcome, Error> {
    let key = &data::item_key(&ctx.account, table.number, &write.key);
    if write.is_blind() && !looks && !table.needs_old() {
        put_blindly(ctx, tx, table, key, staged).await?;
        return Ok(Outcome::default());
    }
    write.change.check(table)?;
    let stored = tx.get_record::<Stored>(key).await?;
    let old = match &stored {
        Some(stored) => Some(data::load(ctx.store(), stored).await?),
        None => None,
    };
    write.guard.check(old.as_ref())?;
    let new = write.change.apply(old.as_ref())?;
    if matches!(write.change, Change::Check) || (stored.is_none() && new.is_none()) {
        return Ok(Outcome { old, new, ..Outcome::default() });
    }
    let fresh = match (&new, &write.change) {
        (Some(item), Change::Update { .. }) => {
            rules::entry::check_updated(table, old.as_ref(), item)?;
            Some(data::stage(ctx, item).await?)
        }
        _ => None,
    };
    let staged = fresh.as_ref().or(staged);
    mark_large(ctx, tx, table, staged)?;
    expiry::moved(tx, table, key, old.as_ref(), new.as_ref());
    if table.is_recorded() {
        history::keep(tx, table, key, stored.as_ref(), ctx.kit.next_number())?;
    }
    data::replace(tx, key, stored.as_ref(), staged).await?;
    let both = (old.as_ref(), new.as_ref());
    let entries = index::follow(ctx, tx, table, both, staged).await?;
    capture::capture(ctx, tx, table, &write.key, both, expired).await?;
    Ok(Outcome { old, new, entries })
}

/// The table's record as the transaction sees it. Reading it makes the transaction conflict with
/// one that deletes the table.
pub(crate) async fn current(ctx: &Ctx, tx: &Tx, table: &Table) -> Result<Arc<Table>, Error> {
    let current = ctx.state::<Arc<Tables>>().current(ctx, tx, &table.name).await?;
    current.filter(|current| current.number == table.number).ok_or(Error::NoTable)
}

/// Writes or deletes without a look at what was there, so that it conflicts with no other write.
async fn put_blindly(
    ctx: &Ctx,
    tx: &Tx,
    table: &Table,
    key: &Key,
    staged: Option<&Fresh>,
) -> Result<(), Error> {
    mark_large(ctx, tx, table, staged)?;
    data::replace(tx, key, None, staged).await
}

/// Notes in the table's record that it has an item whose content is a blob, so that from now on
/// no write leaves one behind.
pub(crate) fn mark_large(
    ctx: &Ctx,
    tx: &Tx,
    table: &Table,
    staged: Option<&Fresh>,
) -> Result<(), Error> {
    if table.large || staged.is_none_or(|staged| !staged.large) {
        return Ok(());
    }
    let key = data::table_key(&ctx.account, &ctx.region, &table.name);
    ctx.state::<Arc<Tables>>().changed(tx, &key);
    tx.put_record(key, &Table { large: true, ..table.clone() })?;
    Ok(())
}

impl Write<'_> {
    /// Prepares the item that is put, if one is.
    pub(crate) async fn stage(&self, ctx: &Ctx) -> Result<Option<Fresh>, Error> {
        match &self.change {
            Change::Put(item) => Ok(Some(data::stage(ctx, item).await?)),
            Change::Delete(_) | Change::Update { .. } | Change::Check => Ok(None),
        }
    }

    /// How many bytes a put or delete adds to a transaction at most, with what follows from it.
    pub(crate) fn bytes_max(&self) -> usize {
        let Some(item) = self.change.attributes() else { return 0 };
        // An item's bytes are a little more than its size, and behind some size a blob.
        let record = RECORD_BYTES_MAX + (2 * size(item)).min(BODY_INLINE_BYTES_MAX);
        // What it replaces may be larger, where it is told or kept.
        let tells = usize::from(self.table.open_stream().is_some());
        let followers = tells + usize::from(self.table.is_recorded());
        let told = followers * (RECORD_BYTES_MAX + BODY_INLINE_BYTES_MAX);
        record * (1 + self.table.indexes.len()) + told
    }

    /// The item collection that was written to, if the request wants to know.
    pub(crate) async fn metrics(
        &self,
        ctx: &Ctx,
        wanted: Option<&String>,
    ) -> Result<Option<ItemCollectionMetrics>, Error> {
        let Some(item) = self.change.attributes() else { return Ok(None) };
        let value = item.get(&self.table.schema.partition.name);
        collection::metrics(ctx, wanted, self.table, &self.key, value).await
    }

    /// Whether the item that is there does not matter.
    fn is_blind(&self) -> bool {
        let looks = matches!(self.change, Change::Update { .. } | Change::Check);
        !looks && self.guard.condition.is_none() && self.returns == Returns::Nothing
    }

    fn returned(&self, outcome: Outcome) -> Option<Item> {
        let updated = |item: Option<Item>| match &self.change {
            Change::Update { update: Some(update), .. } => {
                item.map(|item| update.touched(&item)).filter(|item| !item.is_empty())
            }
            _ => None,
        };
        match self.returns {
            Returns::Nothing => None,
            Returns::AllOld => outcome.old,
            Returns::AllNew => outcome.new,
            Returns::UpdatedOld => updated(outcome.old),
            Returns::UpdatedNew => updated(outcome.new),
        }
    }
}

impl Guard {
    pub(crate) fn check(&self, old: Option<&Item>) -> Result<(), Error> {
        let Some(condition) = &self.condition else { return Ok(()) };
        if old.map_or_else(|| condition.holds(&Item::new()), |old| condition.holds(old)) {
            return Ok(());
        }
        Err(Error::ConditionFailed(old.filter(|_| self.tells_item).cloned()))
    }
}

impl Change {
    /// The item that is put, or the key of the one that is changed.
    fn attributes(&self) -> Option<&Item> {
        match self {
            Change::Put(item) | Change::Delete(item) | Change::Update { key: item, .. } => {
                Some(item)
            }
            Change::Check => None,
        }
    }

    /// Whether what the request gives can be in the table's indexes.
    pub(crate) fn check(&self, table: &Table) -> Result<(), Error> {
        match self {
            Change::Put(item) => rules::entry::check_item(table, item),
            Change::Update { update: Some(update), .. } => {
                rules::entry::check_set(table, |attribute| update.kind_of(attribute))
            }
            Change::Delete(_) | Change::Update { update: None, .. } | Change::Check => Ok(()),
        }
    }

    /// The item after the change, if there is one.
    fn apply(&self, old: Option<&Item>) -> Result<Option<Item>, Error> {
        match self {
            Change::Put(item) => Ok(Some(item.clone())),
            Change::Delete(_) => Ok(None),
            Change::Check => Ok(old.cloned()),
            Change::Update { key, update: None } => Ok(Some(old.unwrap_or(key).clone())),
            Change::Update { key, update: Some(update) } => {
                let new = update.apply(old.unwrap_or(key))?;
                check_depth(&new)?;
                if size(&new) > ITEM_BYTES_MAX {
                    return Err(UpdateFault::Size.into());
                }
                Ok((old.is_some() || update.creates()).then_some(new))
            }
        }
    }
}
