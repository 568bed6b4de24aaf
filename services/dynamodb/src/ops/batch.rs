//! BatchGetItem and BatchWriteItem.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::repeat;
use std::sync::Arc;

use base::Arn;
use kit::Ctx;
use store::{Key, Tx};

use crate::api::{
    BatchGetItemInput, BatchGetItemOutput, BatchWriteItemInput, BatchWriteItemOutput,
    KeysAndAttributes, UnprocessedKeys, WriteRequest,
};
use crate::data::{self, Fresh, Schema, Table};
use crate::error::Error;
use crate::expression::{Kind, Placeholders, Projection, legacy};
use crate::ops::write::{Change, Guard, Returns, Write, current, perform_in};
use crate::ops::{
    Units, Usage, check_capacity, collection, consumed, find, needs_capacity, take_capacity,
    touched,
};
use crate::rules::{self, PrimaryKey, Violations};
use crate::value::{Item, size};

/// How many items a batch may read, and how many bytes it answers with.
const GET_ITEMS_MAX: usize = 100;
const GET_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How many items a batch may write.
const WRITE_ITEMS_MAX: usize = 25;
/// How many bytes one of its transactions writes at most; the store takes 8 MB.
const TRANSACTION_BYTES_MAX: usize = 6 * 1024 * 1024;
const WRITE_REQUESTS: &str = "Map value must satisfy constraint: [Member must have length less \
     than or equal to 25, Member must have length greater than or equal to 1]";

/// The tables of a batch: each is authorized.
pub(crate) fn touched_by<T>(ctx: &Ctx, tables: Option<&BTreeMap<String, T>>) -> Vec<Arn> {
    tables
        .into_iter()
        .flat_map(|all| all.keys())
        .flat_map(|name| touched(ctx, Some(name)))
        .collect()
}

/// The part of a batch that reads from one table, before the table is known.
struct Wanted {
    /// The table as the request writes it: the reply uses the same.
    name: String,
    keys: Vec<Item>,
    projection: Option<Projection>,
    consistent: Option<bool>,
    // As given, because what is left unprocessed is given back.
    projection_text: Option<String>,
    names: Option<BTreeMap<String, String>>,
    attributes: Option<Vec<String>>,
}

pub(crate) async fn get(ctx: &Ctx, input: BatchGetItemInput) -> Result<BatchGetItemOutput, Error> {
    let capacity = input.return_consumed_capacity.as_ref();
    let wanted = check_get(input.request_items, capacity)?;
    let mut reads = Vec::new();
    for part in wanted {
        let (table, keys) = resolve(ctx, &part).await?;
        reads.push((part, table, keys));
    }
    let mut output = BatchGetItemOutput {
        responses: BTreeMap::new(),
        unprocessed_keys: BTreeMap::new(),
        consumed_capacity: capacity.filter(|wanted| *wanted != "NONE").map(|_| Vec::new()),
    };
    let (mut bytes, mut is_begun, mut throttled) = (0, false, None);
    for (mut part, table, keys) in reads {
        let least = Units::from(rules::read_units(0, false));
        let bytes_left = match check_capacity(ctx, &table, Usage::Read, &least) {
            Ok(()) => GET_BYTES_MAX,
            Err(error) => {
                throttled = Some(error);
                0
            }
        };
        let (mut found, mut units, mut left) = (Vec::new(), 0.0, Vec::new());
        let (consistent, bytes_max) =
            (part.consistent == Some(true), rules::batch_bytes_max(&table.settings));
        let mut table_bytes = 0;
        for (key, given) in keys.iter().zip(std::mem::take(&mut part.keys)) {
            if bytes >= bytes_left {
                left.push(given);
                continue;
            }
            let item = data::get(ctx.store(), key).await?;
            let item_bytes = item.as_ref().map_or(0, size);
            if bytes_max.is_some_and(|max| table_bytes + item_bytes > max) {
                // AWS counts the attempt.
                units += rules::read_units(0, consistent);
                left.push(given);
                continue;
            }
            units += rules::read_units(item_bytes, consistent);
            found.extend(item.map(|item| match &part.projection {
                Some(projection) => projection.of(&item),
                None => item,
            }));
            bytes += item_bytes;
            table_bytes += item_bytes;
        }
        let units = Units::from(units);
        take_capacity(ctx, &table, Usage::Read, &units);
        is_begun |= left.len() < keys.len();
        if !left.is_empty() {
            let unprocessed = UnprocessedKeys {
                keys: left,
                consistent_read: part.consistent,
                projection_expression: part.projection_text,
                expression_attribute_names: part.names,
                attributes_to_get: part.attributes,
            };
            output.unprocessed_keys.insert(part.name.clone(), unprocessed);
        }
        if let Some(all) = &mut output.consumed_capacity {
            all.extend(consumed(capacity, &table, units));
        }
        output.responses.insert(part.name, found);
    }
    match throttled {
        Some(error) if !is_begun => Err(error),
        _ => Ok(output),
    }
}

/// What a batch asks for, as far as it can be checked without the tables.
fn check_get(
    tables: Option<BTreeMap<String, KeysAndAttributes>>,
    capacity: Option<&String>,
) -> Result<Vec<Wanted>, Error> {
    let mut violations = Violations::default();
    violations.return_consumed_capacity(capacity);
    check_tables(&mut violations, tables.as_ref());
    let tables = tables.unwrap_or_default();
    for (name, table) in &tables {
        let at = format!("requestItems.{name}.member.attributesToGet");
        let attributes = table.attributes_to_get.as_deref();
        legacy::check_attributes(&mut violations, &at, attributes);
        let at = format!("requestItems.{name}.member.keys");
        violations.required(&at, table.keys.is_some());
        let count = table.keys.as_ref().map_or(1, Vec::len);
        if count == 0 {
            violations.note("'[]'", &at, "have length greater than or equal to 1");
        }
        if count > GET_ITEMS_MAX {
            let must = format!("have length less than or equal to {GET_ITEMS_MAX}");
            violations.note("'[...]'", &at, must);
        }
    }
    violations.finish()?;
    let count: usize = tables.values().filter_map(|t| t.keys.as_ref()).map(Vec::len).sum();
    if count > GET_ITEMS_MAX {
        return Err(Error::validation("Too many items requested for the BatchGetItem call"));
    }
    tables.into_iter().map(|(name, table)| check_reads(name, table)).collect()
}

fn check_reads(name: String, table: KeysAndAttributes) -> Result<Wanted, Error> {
    let text = table.projection_expression;
    let names = table.expression_attribute_names;
    let attributes = table.attributes_to_get;
    let given = [(Kind::Projection, text.is_some())];
    legacy::not_mixed(&[("AttributesToGet", attributes.is_some())], &given)?;
    Placeholders::check(names.is_some(), false, &given)?;
    let keys = table.keys.unwrap_or_default().into_iter().map(|key| key.checked());
    let keys = keys.collect::<Result<Vec<Item>, _>>()?;
    let mut placeholders = Placeholders::new(names.clone(), None, &given)?;
    let parse = |text: &String| Projection::parse(text, &mut placeholders);
    let projection = text.as_ref().map(parse).transpose()?;
    let projection = projection.or(legacy::projection(attributes.as_ref())?);
    placeholders.all_used()?;
    for (index, key) in keys.iter().enumerate() {
        if keys[..index].contains(key) {
            return Err(duplicates());
        }
    }
    Ok(Wanted {
        name,
        keys,
        projection,
        consistent: table.consistent_read,
        projection_text: text,
        names,
        attributes,
    })
}

/// Finds the table and the keys in it.
async fn resolve(ctx: &Ctx, part: &Wanted) -> Result<(Arc<Table>, Vec<Key>), Error> {
    let table = find(ctx, Some(&part.name)).await?;
    let key = |key: &Item| {
        let key = rules::key_of_request(&table.schema, key)?;
        Ok(data::item_key(&ctx.account, table.number, &key))
    };
    let keys = part.keys.iter().map(key).collect::<Result<Vec<Key>, Error>>()?;
    if let Some(projection) = &part.projection {
        rules::check_key_paths(&table, projection.paths())?;
    }
    Ok((table, keys))
}

/// The part of a batch that writes to one table, each write with what it puts.
struct Writes<'a> {
    table: &'a Table,
    writes: Vec<(Write<'a>, Option<Fresh>)>,
}

/// A batch is one transaction, more than AWS promises, as long as one can hold it: that of large
/// items with many indexes is several. So nothing is ever left unprocessed.
pub(crate) async fn write(
    ctx: &Ctx,
    input: BatchWriteItemInput,
) -> Result<BatchWriteItemOutput, Error> {
    let capacity = input.return_consumed_capacity.as_ref();
    let metrics = input.return_item_collection_metrics.as_ref();
    let changes = check_write(input.request_items, capacity, metrics)?;
    let mut keyed = Vec::new();
    for (name, changes) in changes {
        let table = find(ctx, Some(&name)).await?;
        let changes = with_keys(&table.schema, changes)?;
        keyed.push((table, changes));
    }
    let mut prepared = Vec::new();
    for (table, changes) in &mut keyed {
        let changes = std::mem::take(changes);
        changes.iter().try_for_each(|(_, change)| change.check(table))?;
        prepared.push(prepare(ctx, table, changes).await?);
    }
    let parts = &prepared;
    let wants_capacity = capacity.is_some_and(|wanted| wanted != "NONE");
    let looks = parts.iter().any(|part| needs_capacity(ctx, capacity, part.table));
    let mut units: Vec<Units> = parts.iter().map(|_| Units::default()).collect();
    for (run, is_first) in runs(parts).iter().zip(std::iter::once(true).chain(repeat(false))) {
        let used = ctx
            .store()
            .transact(&ctx.account, |tx| async move {
                let used = perform(ctx, &tx, run, looks).await?;
                // A batch is throttled as a whole, before any of it is done.
                for (at, units) in used.iter().filter(|_| is_first) {
                    check_capacity(ctx, parts[*at].table, Usage::Write, units)?;
                }
                Ok::<_, Error>(used)
            })
            .await?;
        for (at, used) in used {
            take_capacity(ctx, parts[at].table, Usage::Write, &used);
            units[at].add(used);
        }
    }
    let writes: Vec<&Write<'_>> =
        parts.iter().flat_map(|part| &part.writes).map(|(write, _)| write).collect();
    let collections = collection::all(ctx, metrics, &writes).await?;
    let used = parts.iter().zip(units);
    let used = used.filter_map(|(part, units)| consumed(capacity, part.table, units));
    Ok(BatchWriteItemOutput {
        unprocessed_items: BTreeMap::new(),
        consumed_capacity: wants_capacity.then(|| used.collect()),
        item_collection_metrics: collections,
    })
}

/// Some writes of one transaction: which part of the batch they are of, and its table.
struct Run<'a> {
    at: usize,
    table: &'a Table,
    writes: Vec<&'a (Write<'a>, Option<Fresh>)>,
}

/// Shares the writes among transactions, as few as can hold them.
fn runs<'a>(parts: &'a [Writes<'a>]) -> Vec<Vec<Run<'a>>> {
    let mut runs: Vec<Vec<Run<'_>>> = vec![Vec::new()];
    let mut bytes = 0;
    for (at, part) in parts.iter().enumerate() {
        for write in &part.writes {
            let more = write.0.bytes_max();
            if bytes > 0 && bytes + more > TRANSACTION_BYTES_MAX {
                runs.push(Vec::new());
                bytes = 0;
            }
            bytes += more;
            let Some(run) = runs.last_mut() else { continue };
            match run.last_mut().filter(|last| last.at == at) {
                Some(last) => last.writes.push(write),
                None => run.push(Run { at, table: part.table, writes: vec![write] }),
            }
        }
    }
    runs
}

/// Does all writes of one transaction, and gives the capacity they have used.
async fn perform(
    ctx: &Ctx,
    tx: &Tx,
    runs: &[Run<'_>],
    wants_capacity: bool,
) -> Result<Vec<(usize, Units)>, Error> {
    let mut all = Vec::new();
    for run in runs {
        let table = current(ctx, tx, run.table).await?;
        let mut units = Units::default();
        for (write, fresh) in &run.writes {
            let fresh = fresh.as_ref();
            let outcome = perform_in(ctx, tx, &table, write, fresh, wants_capacity).await?;
            units.add(outcome.units());
        }
        all.push((run.at, units));
    }
    Ok(all)
}

/// What a batch writes, as far as it can be checked without the tables.
fn check_write(
    tables: Option<BTreeMap<String, Vec<WriteRequest>>>,
    capacity: Option<&String>,
    metrics: Option<&String>,
) -> Result<Vec<(String, Vec<Asked>)>, Error> {
    let mut violations = Violations::default();
    violations.return_consumed_capacity(capacity);
    violations.return_item_collection_metrics(metrics);
    check_tables(&mut violations, tables.as_ref());
    let tables = tables.unwrap_or_default();
    if tables.values().any(|all| all.is_empty() || all.len() > WRITE_ITEMS_MAX) {
        violations.note_members("requestItems", tables.keys(), WRITE_REQUESTS);
    }
    for (name, requests) in &tables {
        for (index, request) in requests.iter().enumerate() {
            let at = format!("requestItems.{name}.member.{}.member", index + 1);
            if let Some(delete) = &request.delete_request {
                violations.required(&format!("{at}.deleteRequest.key"), delete.key.is_some());
            }
            if let Some(put) = &request.put_request {
                violations.required(&format!("{at}.putRequest.item"), put.item.is_some());
            }
        }
    }
    violations.finish()?;
    if tables.values().map(Vec::len).sum::<usize>() > WRITE_ITEMS_MAX {
        return Err(Error::validation("Too many items requested for the BatchWriteItem call"));
    }
    let mut checked = Vec::new();
    for (name, requests) in tables {
        let changes = requests.into_iter().map(change).collect::<Result<Vec<_>, Error>>()?;
        checked.push((name, changes));
    }
    Ok(checked)
}

/// One write of a batch, before the table is known.
enum Asked {
    Put(Item),
    Delete(Item),
}

fn change(request: WriteRequest) -> Result<Asked, Error> {
    let put = request.put_request.and_then(|put| put.item);
    let delete = request.delete_request.and_then(|delete| delete.key);
    match (put, delete) {
        (Some(item), None) => {
            let item = item.checked()?;
            rules::check_size(&item)?;
            Ok(Asked::Put(item))
        }
        (None, Some(key)) => Ok(Asked::Delete(key.checked()?)),
        // AWS says this of a request that is neither or both.
        _ => Err(crate::value::Fault::Several.into()),
    }
}

/// The keys of what is written, of which none may come twice.
fn with_keys(schema: &Schema, asked: Vec<Asked>) -> Result<Vec<(PrimaryKey, Change)>, Error> {
    let mut seen = BTreeSet::new();
    let mut keyed = Vec::new();
    for asked in asked {
        let (attributes, change) = match asked {
            Asked::Put(item) => (rules::key_attributes(schema, &item), Change::Put(item)),
            Asked::Delete(key) => (key.clone(), Change::Delete(key)),
        };
        let key = rules::key_of_request(schema, &attributes)?;
        if !seen.insert(key.clone()) {
            return Err(duplicates());
        }
        keyed.push((key, change));
    }
    Ok(keyed)
}

/// Prepares what is to be written to a table.
async fn prepare<'a>(
    ctx: &Ctx,
    table: &'a Table,
    changes: Vec<(PrimaryKey, Change)>,
) -> Result<Writes<'a>, Error> {
    let mut writes = Vec::new();
    for (key, change) in changes {
        let guard = Guard { condition: None, tells_item: false };
        let write = Write { table, key, change, guard, returns: Returns::Nothing };
        let fresh = write.stage(ctx).await?;
        writes.push((write, fresh));
    }
    Ok(Writes { table, writes })
}

/// Notes what is wrong with the names of a batch's tables.
fn check_tables<T>(violations: &mut Violations, tables: Option<&BTreeMap<String, T>>) {
    violations.required("requestItems", tables.is_some());
    let Some(tables) = tables else { return };
    if tables.is_empty() {
        violations.note("'{}'", "requestItems", "have length greater than or equal to 1");
    }
    if tables.keys().any(|name| !rules::is_table(name)) {
        violations.note_members("requestItems", tables.keys(), rules::TABLE_NAMES);
    }
}

fn duplicates() -> Error {
    Error::validation("Provided list of item keys contains duplicates")
}
