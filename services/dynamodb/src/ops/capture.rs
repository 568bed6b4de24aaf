//! Telling a table's stream of a write, within the transaction of the write.

use std::sync::Arc;

use kit::Ctx;
use store::Tx;

use crate::data::stream::{Change, Event, shard_key};
use crate::data::{self, Table, Tables};
use crate::error::Error;
use crate::rules::{self, PrimaryKey};
use crate::value::{Item, Value};

/// Where a change keeps the key and the images of its item.
pub(crate) const KEYS: &str = "Keys";
pub(crate) const NEW_IMAGE: &str = "NewImage";
pub(crate) const OLD_IMAGE: &str = "OldImage";

/// Notes what a write has done, if the table has a stream and the item is another now. `expired`
/// says that it was removed because its time had come.
pub(crate) async fn capture(
    ctx: &Ctx,
    tx: &Tx,
    table: &Table,
    key: &PrimaryKey,
    (old, new): (Option<&Item>, Option<&Item>),
    expired: bool,
) -> Result<(), Error> {
    let Some(stream) = table.open_stream() else { return Ok(()) };
    let (event, item) = match (old, new) {
        (None, Some(new)) => (Event::Insert, new),
        (Some(old), Some(new)) if old != new => (Event::Modify, new),
        (Some(old), None) => (Event::Remove, old),
        _ => return Ok(()),
    };
    let mut body = Item::new();
    let mut put = |name: &str, item: Item| body.insert(name.to_owned(), Value::M(item));
    put(KEYS, rules::key_attributes(&table.schema, item));
    if let Some(old) = old.filter(|_| stream.view.has_old()) {
        put(OLD_IMAGE, old.clone());
    }
    if let Some(new) = new.filter(|_| stream.view.has_new()) {
        put(NEW_IMAGE, new.clone());
    }
    let fresh = data::stage(ctx, &body).await?;
    let number = ctx.state::<Arc<Tables>>().pending.take(&ctx.kit, tx);
    let key = shard_key(&ctx.account, stream.number, shard_of(key, stream.shards)).u64(number);
    let body = fresh.link(tx, &key);
    tx.put_record(key, &Change { event, expired, body })?;
    Ok(())
}

/// The shard of an item. The changes of earlier writes are found by it, so it must stay as it is.
fn shard_of(key: &PrimaryKey, shards: u8) -> u8 {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(&key.partition);
    digest.last().copied().unwrap_or_default() % shards.max(1)
}
