//! A SELECT of ExecuteStatement: queries of the partitions its condition names, or a scan.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use kit::Ctx;
use sha2::{Digest as _, Sha256};
use store::{Dir, KeyRange};

use crate::api::ConsumedCapacity;
use crate::data::index::{self, Index};
use crate::data::{self, Schema, Table};
use crate::error::Error;
use crate::expression::Condition;
use crate::item;
use crate::item::packed::Answer;
use crate::ops::page::{self, Read};
use crate::ops::query::{entry_range, sort_range};
use crate::ops::statement::columns_of;
use crate::ops::{Units, charge, consumed};
use crate::partiql::{self, Select};
use crate::rules;
use crate::value::{Item, Value, size};

/// How much the partitions of one page give together; each alone has the limit of a query.
const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// How many bytes of a token say what statement it belongs to.
const TOKEN_DIGEST_BYTES: usize = 8;

/// What is asked for besides the statement.
pub(crate) struct Page {
    pub(crate) limit: Option<usize>,
    pub(crate) consistent: bool,
    /// The key of the item behind which to begin.
    pub(crate) start: Option<Item>,
}

/// What was found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) items: Vec<Item>,
    /// The key of the last item that was looked at, if there may be more.
    pub(crate) last: Option<Item>,
    pub(crate) capacity: Option<ConsumedCapacity>,
}

/// Ranges of items to be read one after the other.
struct Plan {
    /// The partitions, or none for all items.
    partitions: Option<Vec<Arc<Value>>>,
    dir: Dir,
}

pub(crate) async fn read(
    ctx: &Ctx,
    table: &Arc<Table>,
    select: &Select,
    page: Page,
    capacity: Option<&String>,
) -> Result<Found, Error> {
    let index = page::index(table, select.source.index.as_ref(), page.consistent)?;
    let schema = index.map_or(&table.schema, |index| &index.schema);
    let columns = select.columns.iter().flatten().map(|column| &column.path);
    rules::check_key_paths(table, columns.clone())?;
    let paths = select.condition.as_ref().map(Condition::paths).unwrap_or_default();
    rules::check_key_paths(table, paths)?;
    let plan = plan(schema, select)?;
    let fetches = page::fetches(table, index, None, columns)?;
    let ranges = ranges(ctx, (table, index), select, &plan, page.start.as_ref())?;
    let (mut found, mut units) = (Found::default(), Units::default());
    let (mut left, mut bytes) = (page.limit, 0);
    for (at, range) in ranges.iter().enumerate() {
        let read = Read {
            table,
            index,
            range: range.clone(),
            dir: plan.dir,
            limit: left,
            filter: select.condition.clone(),
            projection: None,
            counts: false,
            fetches,
            consistent: page.consistent,
        };
        let (part, used) = page::part(ctx, read).await?;
        units.add(used);
        let items = part.items.unwrap_or_default().into_iter().map(Answer::into_item);
        let items = items.collect::<Result<Vec<_>, _>>()?;
        bytes += items.iter().map(size).sum::<usize>();
        let last = items.last().map(|item| page::last_key(table, index, item));
        found.items.extend(items.into_iter().map(|i| columns_of(select.columns.as_ref(), i)));
        left = left.map(|left| left - part.scanned_count.min(left));
        if part.last_evaluated_key.is_some() {
            found.last = part.last_evaluated_key;
            break;
        }
        if bytes >= PAGE_BYTES_MAX && at + 1 < ranges.len() {
            found.last = last;
            break;
        }
    }
    charge(ctx, table, &units)?;
    found.capacity = consumed(capacity, table, units);
    Ok(found)
}

/// Which partitions can have what is wanted, and in what order.
fn plan(schema: &Schema, select: &Select) -> Result<Plan, Error> {
    let condition = select.condition.as_ref();
    let partitions = condition.and_then(|all| partiql::partitions(&schema.partition, all));
    if partitions.iter().flatten().any(|value| value.kind() != schema.partition.kind) {
        return Err(Error::invalid("Condition parameter type does not match schema type"));
    }
    let mut plan = Plan { partitions, dir: Dir::Forward };
    if select.orders.is_empty() {
        return Ok(plan);
    }
    if condition.is_none() {
        return Err(Error::validation(
            "Must have WHERE clause in the statement when using ORDER BY clause.",
        ));
    }
    let Some(partitions) = &mut plan.partitions else {
        return Err(Error::validation(
            "Must have at least one non-optional hash key condition in WHERE clause when using \
             ORDER BY clause.",
        ));
    };
    let mut ordered = partitions.len() < 2;
    for order in &select.orders {
        let name = &order.attribute;
        if *name == schema.partition.name {
            partitions.sort_by(|a, b| a.order(b).unwrap_or(std::cmp::Ordering::Equal));
            if order.descending {
                partitions.reverse();
            }
            ordered = true;
        } else if schema.sort.as_ref().is_some_and(|sort| sort.name == *name) {
            if !ordered {
                // Would need all partitions at once.
                return Err(Error::validation(format!(
                    "ORDER BY {name} must follow {} where several partitions are read",
                    schema.partition.name
                )));
            }
            plan.dir = if order.descending { Dir::Backward } else { Dir::Forward };
        } else {
            return Err(Error::validation(format!(
                "Variable reference {name} in ORDER BY clause must be part of the primary key"
            )));
        }
    }
    Ok(plan)
}

/// The ranges to be read, of the table or an index, from where the last page ended.
fn ranges(
    ctx: &Ctx,
    (table, index): (&Table, Option<&Index>),
    select: &Select,
    plan: &Plan,
    start: Option<&Item>,
) -> Result<Vec<KeyRange>, Error> {
    let schema = index.map_or(&table.schema, |index| &index.schema);
    let start_key = start.map(|start| match index {
        Some(index) => page::start_entry(ctx, table, index, start),
        None => {
            let key = rules::key_of_request(schema, start)?;
            Ok(data::item_key(&ctx.account, table.number, &key))
        }
    });
    let start_key = start_key.transpose()?;
    let Some(partitions) = &plan.partitions else {
        let range = match index {
            Some(index) => index::entries_key(&ctx.account, table.number, index).prefix(),
            None => data::items_key(&ctx.account, table.number).prefix(),
        };
        return Ok(vec![match start_key {
            Some(key) => range.after(&key),
            None => range,
        }]);
    };
    let condition = select.condition.as_ref();
    let test = schema.sort.as_ref().and_then(|sort| partiql::sort_test(sort, condition?));
    let begun = start.and_then(|start| start.get(&schema.partition.name));
    let skipped = begun.and_then(|value| partitions.iter().position(|each| **each == *value));
    let left = partitions.iter().skip(skipped.unwrap_or(0)).enumerate();
    let range = |(at, value): (usize, &Arc<Value>)| {
        let bytes = rules::key_bytes(value);
        let (account, number) = (&ctx.account, table.number);
        let range = match index {
            Some(index) => {
                let partition = index::partition_key(account, number, index, &bytes);
                entry_range(&partition, test.as_ref())
            }
            None => sort_range(&data::partition_key(account, number, &bytes), test.as_ref()),
        };
        match &start_key {
            Some(key) if at == 0 => page::remaining(range, plan.dir, key),
            _ => range,
        }
    };
    Ok(left.map(range).collect())
}

/// Writes and reads `NextToken`, which is good for one statement and its parameters.
pub(crate) struct Token([u8; TOKEN_DIGEST_BYTES]);

impl Token {
    pub(crate) fn new(text: &str, parameters: &[Value]) -> Token {
        let parameters = parameters.iter().cloned().enumerate();
        let parameters: Item = parameters.map(|(at, value)| (at.to_string(), value)).collect();
        let digest = Sha256::new().chain_update(text).chain_update(item::encode(&parameters));
        let mut short = [0; TOKEN_DIGEST_BYTES];
        short.copy_from_slice(&digest.finalize()[..TOKEN_DIGEST_BYTES]);
        Token(short)
    }

    pub(crate) fn write(&self, last: &Item) -> String {
        BASE64.encode([&self.0[..], &item::encode(last)].concat())
    }

    pub(crate) fn read(&self, token: &str) -> Result<Item, Error> {
        let bytes = BASE64.decode(token).ok();
        let key = bytes.as_deref().and_then(|bytes| bytes.strip_prefix(&self.0[..]));
        let key = key.and_then(|key| item::decode(key).ok());
        key.ok_or_else(|| Error::validation("The NextToken provided is invalid"))
    }
}
