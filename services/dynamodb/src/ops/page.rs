//! Reading items in order, page by page: what Query and Scan have in common.

use std::collections::BTreeSet;

use kit::Ctx;
use store::{Dir, Key, KeyRange, Limit};

use crate::api::PageOutput;
use crate::data::index::{Index, Phase, Projected, entry_key};
use crate::data::{self, Stored, Table};
use crate::error::Error;
use crate::expression::{Condition, Kind, Path, Placeholders, Projection};
use crate::item::packed::{Answer, Packed};
use crate::ops::{Units, charge, consumed};
use crate::rules::{self, Violations};
use crate::value::{Given, Item, size};

/// How much a page reads, before the filter, of what [`rules::page`] counts.
const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// How much is taken from the store at a time. Entries of large items are small.
const STEP: Limit = Limit { items: 256, bytes: PAGE_BYTES_MAX };

pub(crate) const SELECTS: &[&str] =
    &["SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"];

/// What to read and what to answer of it.
pub(crate) struct Read<'a> {
    pub(crate) table: &'a Table,
    /// The index that is read in the table's place.
    pub(crate) index: Option<&'a Index>,
    pub(crate) range: KeyRange,
    pub(crate) dir: Dir,
    pub(crate) limit: Option<usize>,
    pub(crate) filter: Option<Condition>,
    pub(crate) projection: Option<Projection>,
    /// Only numbers are wanted, no items.
    pub(crate) counts: bool,
    /// The index lacks something that is wanted, so each item is fetched from the table.
    pub(crate) fetches: bool,
    pub(crate) consistent: bool,
}

/// What has been read of a page.
#[derive(Default)]
struct Page {
    items: Vec<Answer>,
    count: usize,
    scanned: usize,
    bytes: usize,
    /// What counts against the page's limit.
    counted: usize,
    last: Option<Item>,
    fetched: f64,
}

/// Reads one page.
pub(crate) async fn read(
    ctx: &Ctx,
    read: Read<'_>,
    capacity: Option<&String>,
) -> Result<PageOutput, Error> {
    let table = read.table;
    let (page, units) = part(ctx, read).await?;
    charge(ctx, table, &units)?;
    Ok(PageOutput { consumed_capacity: consumed(capacity, table, units), ..page })
}

/// Reads what may be a part of a page, and gives the capacity units it has used.
pub(crate) async fn part(ctx: &Ctx, mut read: Read<'_>) -> Result<(PageOutput, Units), Error> {
    let limit = read.limit.unwrap_or(usize::MAX);
    let mut page = Page::default();
    'page: loop {
        let step = Limit { items: STEP.items.min(limit - page.scanned), ..STEP };
        let store::Page { entries, more } =
            ctx.store().page(read.range.clone(), read.dir, step).await?;
        if let Some((last, _)) = entries.last() {
            read.range = remaining(read.range, read.dir, last);
        }
        for (key, stored) in entries {
            let stored: Stored = store::decode(&key, &stored)?;
            let schema = &read.table.schema;
            let Some(item) = data::packed(ctx.store(), &key, stored, schema).await? else {
                continue;
            };
            page.scanned += 1;
            page.bytes += item.size;
            page.counted += item.page_bytes;
            let full = page.scanned >= limit || page.counted >= PAGE_BYTES_MAX;
            if full {
                page.last = Some(last_key(read.table, read.index, &item.item()?));
            }
            if let Some(item) = read.wanted(ctx, &key, item, &mut page.fetched).await? {
                page.count += 1;
                if !read.counts {
                    page.items.push(item);
                }
            }
            if full {
                break 'page;
            }
        }
        if !more {
            break;
        }
    }
    let units = read.units(page.bytes, page.fetched);
    let output = PageOutput {
        items: (!read.counts).then_some(page.items),
        count: page.count,
        scanned_count: page.scanned,
        last_evaluated_key: page.last,
        consumed_capacity: None,
    };
    Ok((output, units))
}

impl Read<'_> {
    /// What the reply has of an item or an entry; nothing if the filter does not pass it.
    async fn wanted(
        &self,
        ctx: &Ctx,
        key: &Key,
        item: Packed,
        fetched: &mut f64,
    ) -> Result<Option<Answer>, Error> {
        if self.filter.is_none() && self.projection.is_none() && !self.fetches {
            return Ok(Some(Answer::Packed(item)));
        }
        let item = item.item()?;
        if self.filter.as_ref().is_some_and(|filter| !filter.holds(&item)) {
            return Ok(None);
        }
        let item = match self.index {
            Some(index) if self.fetches => {
                let found = self.fetch(ctx, index, key, &item).await?;
                let bytes = found.as_ref().map_or(0, size);
                *fetched += rules::read_units(bytes, self.consistent);
                match found {
                    Some(found) => found,
                    None => return Ok(None),
                }
            }
            _ => item,
        };
        Ok(Some(Answer::Item(match &self.projection {
            Some(projection) => projection.of(&item),
            None => item,
        })))
    }

    /// The item of an entry. None if it has meanwhile been deleted, or changed so that it stands
    /// elsewhere in the index.
    async fn fetch(
        &self,
        ctx: &Ctx,
        index: &Index,
        key: &Key,
        entry: &Item,
    ) -> Result<Option<Item>, Error> {
        let Some(primary) = rules::key_within(&self.table.schema, entry) else { return Ok(None) };
        let item_key = data::item_key(&ctx.account, self.table.number, &primary);
        let item = data::get(ctx.store(), &item_key).await?;
        Ok(item
            .filter(|item| entry_key(&ctx.account, self.table, index, item).as_ref() == Some(key)))
    }

    fn units(&self, bytes: usize, fetched: f64) -> Units {
        let read = rules::read_units(bytes, self.consistent);
        let mut units = Units::from(if self.index.is_some() { fetched } else { read });
        if let Some(index) = self.index {
            units.count(index, read);
        }
        units
    }
}

/// The key of an item or entry behind which the next page goes on.
pub(crate) fn last_key(table: &Table, index: Option<&Index>, item: &Item) -> Item {
    let mut key = rules::key_attributes(&table.schema, item);
    if let Some(index) = index {
        key.extend(rules::key_attributes(&index.schema, item));
    }
    key
}

/// What is left of a range behind a key.
pub(crate) fn remaining(range: KeyRange, dir: Dir, key: &Key) -> KeyRange {
    match dir {
        Dir::Forward => range.after(key),
        Dir::Backward => range.before(key.clone()),
    }
}

/// The number of items a page may read at most.
pub(crate) fn limit(given: Option<i32>) -> Option<usize> {
    given.and_then(|limit| usize::try_from(limit).ok())
}

/// Notes what no read of several items may say.
pub(crate) fn check(
    violations: &mut Violations,
    table: Option<&String>,
    index: Option<&String>,
    select: Option<&str>,
    limit: Option<i32>,
    capacity: Option<&String>,
) {
    violations.one_of("select", select, SELECTS);
    violations.name("indexName", index.map(String::as_str));
    violations.return_consumed_capacity(capacity);
    violations.table_name(table);
    violations.range("limit", limit.map(i64::from), 1, i64::from(i32::MAX));
}

/// The start key a request gives. AWS introduces most of its faults with a sentence of their own.
pub(crate) fn start_key(given: Option<Given<Item>>) -> Result<Option<Item>, Error> {
    use crate::value::Fault;
    let Some(given) = given else { return Ok(None) };
    match given.checked() {
        Ok(key) => Ok(Some(key)),
        Err(fault @ (Fault::Number(_) | Fault::DuplicateNumbers | Fault::EmptyNumberSet)) => {
            Err(fault.into())
        }
        Err(Fault::Invalid(why)) if why.contains("contains duplicates") => Err(Error::invalid(why)),
        Err(fault) => Err(invalid_start(fault)),
    }
}

pub(crate) fn invalid_start(why: impl std::fmt::Display) -> Error {
    Error::validation(format!("The provided starting key is invalid: {why}"))
}

/// Reads the expressions that queries and scans share.
pub(crate) fn filter_and_projection(
    filter: Option<&str>,
    projection: Option<&str>,
    placeholders: &mut Placeholders,
) -> Result<(Option<Condition>, Option<Projection>), Error> {
    let parse = |text| Condition::parse(Kind::Filter, text, &mut *placeholders);
    let filter = filter.map(parse).transpose()?;
    let parse = |text| Projection::parse(text, placeholders);
    Ok((filter, projection.map(parse).transpose()?))
}

/// The parameter that says which attributes are wanted, if one does.
pub(crate) fn wanted(expression: bool, attributes: bool) -> Option<&'static str> {
    match (expression, attributes) {
        (true, _) => Some("ProjectionExpression"),
        (false, true) => Some("AttributesToGet"),
        (false, false) => None,
    }
}

/// Whether only counts are wanted; fails where `Select` and the projection contradict each other.
pub(crate) fn counts(
    select: Option<&str>,
    wanted: Option<&str>,
    index: Option<&String>,
) -> Result<bool, Error> {
    let only = |what: &str, wanted: &str| {
        Error::validation(format!("Cannot specify the {wanted} when choosing to get {what}"))
    };
    match (select, wanted) {
        (Some("ALL_PROJECTED_ATTRIBUTES"), _) if index.is_none() => Err(Error::invalid(
            "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName",
        )),
        (Some("COUNT"), Some(wanted)) => Err(only("only the Count", wanted)),
        (Some(all @ ("ALL_ATTRIBUTES" | "ALL_PROJECTED_ATTRIBUTES")), Some(wanted)) => {
            Err(only(all, wanted))
        }
        (Some("SPECIFIC_ATTRIBUTES"), None) => Err(Error::validation(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get \
             SPECIFIC_ATTRIBUTES",
        )),
        (select, _) => Ok(select == Some("COUNT")),
    }
}

/// The index a request names, if it may be read as the request wants it.
pub(crate) fn index<'a>(
    table: &'a Table,
    name: Option<&String>,
    consistent: bool,
) -> Result<Option<&'a Index>, Error> {
    let Some(name) = name else { return Ok(None) };
    let found = table.index(name).filter(|index| index.is_kept());
    let index = found.ok_or_else(|| {
        Error::validation(format!("The table does not have the specified index: {name}"))
    })?;
    if index.phase == Phase::Creating {
        return Err(Error::validation(format!(
            "Cannot read from backfilling global secondary index: {name}"
        )));
    }
    if consistent && index.is_global() {
        return Err(Error::validation(
            "Consistent reads are not supported on global secondary indexes",
        ));
    }
    Ok(Some(index))
}

/// Whether what is wanted has to be fetched from the table, because the index lacks some of it.
/// AWS does that for local indexes only.
pub(crate) fn fetches<'a>(
    table: &Table,
    index: Option<&Index>,
    select: Option<&str>,
    paths: impl IntoIterator<Item = &'a Path>,
) -> Result<bool, Error> {
    let Some(index) = index else { return Ok(false) };
    let everything = select == Some("ALL_ATTRIBUTES") && index.projection != Projected::All;
    let heads = paths.into_iter().map(Path::head);
    let lacking: Vec<&str> = heads.filter(|head| !index.projects(&table.schema, head)).collect();
    let name = &index.name;
    if everything && index.is_global() {
        return Err(Error::invalid(format_args!(
            "Select type ALL_ATTRIBUTES is not supported for global secondary index {name} \
             because its projection type is not ALL"
        )));
    }
    if !lacking.is_empty() && index.is_global() {
        return Err(Error::invalid(format_args!(
            "Global secondary index {name} does not project [{}]",
            lacking.join(", ")
        )));
    }
    Ok(everything || !lacking.is_empty())
}

/// Whether a start key has as many attributes as the table's key and the index's together.
pub(crate) fn check_start_len(
    table: &Table,
    index: Option<&Index>,
    start: &Item,
) -> Result<(), Error> {
    let schemas = std::iter::once(&table.schema).chain(index.map(|index| &index.schema));
    let names: BTreeSet<&String> =
        schemas.flat_map(|schema| schema.attributes()).map(|a| &a.name).collect();
    if start.len() != names.len() {
        return Err(Error::validation("The provided starting key is invalid"));
    }
    Ok(())
}

/// Whether a start key has the attributes of the table's key and the index's, of their types.
pub(crate) fn check_start(table: &Table, index: &Index, start: &Item) -> Result<(), Error> {
    check_start_len(table, Some(index), start)?;
    let invalid = || Error::validation("The provided starting key is invalid");
    for attribute in index.schema.attributes() {
        let value = start.get(&attribute.name).ok_or_else(invalid)?;
        if value.kind() != attribute.kind {
            return Err(Error::validation("The provided key element does not match the schema"));
        }
    }
    Ok(())
}

/// Where an index is to be read on from.
pub(crate) fn start_entry(
    ctx: &Ctx,
    table: &Table,
    index: &Index,
    start: &Item,
) -> Result<Key, Error> {
    let primary = rules::key_attributes(&table.schema, start);
    rules::key_of_request(&table.schema, &primary).map_err(invalid_start)?;
    let own = rules::key_attributes(&index.schema, start);
    rules::key_of_request(&index.schema, &own).map_err(invalid_start)?;
    entry_key(&ctx.account, table, index, start)
        .ok_or_else(|| Error::validation("The provided starting key is invalid"))
}
