//! Reading items in order, page by page: what Query and Scan have in common.

use kit::Ctx;
use store::{Dir, Key, KeyRange};

use crate::api::PageOutput;
use crate::data::{self, Stored, Table};
use crate::error::Error;
use crate::expression::{Condition, Kind, Placeholders, Projection};
use crate::ops::consumed;
use crate::rules::{self, Violations};
use crate::value::{Given, Item, size};

/// How much a page reads, before the filter.
const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// How many entries are taken from the store at a time: at most 64 KB each.
const STEP_ITEMS_MAX: usize = 64;

pub(crate) const SELECTS: &[&str] =
    &["SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"];

/// What to read and what to answer of it.
pub(crate) struct Read<'a> {
    pub(crate) table: &'a Table,
    pub(crate) range: KeyRange,
    pub(crate) dir: Dir,
    pub(crate) limit: Option<usize>,
    pub(crate) filter: Option<Condition>,
    pub(crate) projection: Option<Projection>,
    /// Only numbers are wanted, no items.
    pub(crate) counts: bool,
    pub(crate) consistent: bool,
}

/// Reads one page.
pub(crate) async fn read(
    ctx: &Ctx,
    mut read: Read<'_>,
    capacity: Option<&String>,
) -> Result<PageOutput, Error> {
    let limit = read.limit.unwrap_or(usize::MAX);
    let (mut items, mut count, mut scanned, mut bytes) = (Vec::new(), 0, 0, 0);
    let mut last = None;
    'page: loop {
        let step = STEP_ITEMS_MAX.min(limit - scanned);
        let entries = ctx.store().scan(read.range.clone(), read.dir, step).await?;
        let more = entries.len() == step;
        for (key, stored) in entries {
            read.range = remaining(read.range, read.dir, &key);
            let stored: Stored = store::decode(&key, &stored)?;
            let Some(item) = data::load_committed(ctx.store(), &key, stored).await? else {
                continue;
            };
            scanned += 1;
            bytes += size(&item);
            let full = scanned >= limit || bytes >= PAGE_BYTES_MAX;
            if full {
                last = Some(rules::key_attributes(&read.table.schema, &item));
            }
            if read.filter.as_ref().is_none_or(|filter| filter.holds(&item)) {
                count += 1;
                if !read.counts {
                    items.push(match &read.projection {
                        Some(projection) => projection.of(&item),
                        None => item,
                    });
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
    let units = rules::read_units(bytes, read.consistent);
    Ok(PageOutput {
        items: (!read.counts).then_some(items),
        count,
        scanned_count: scanned,
        last_evaluated_key: last,
        consumed_capacity: consumed(capacity, read.table, units),
    })
}

/// What is left of a range behind a key.
pub(crate) fn remaining(range: KeyRange, dir: Dir, key: &Key) -> KeyRange {
    match dir {
        Dir::Forward => range.after(key),
        Dir::Backward => range.before(key.clone()),
    }
}

/// The number of items a page may read at most.
pub(crate) fn limit(given: Option<i64>) -> Option<usize> {
    given.and_then(|limit| usize::try_from(limit).ok())
}

/// Notes what no read of several items may say.
pub(crate) fn check(
    violations: &mut Violations,
    table: Option<&String>,
    index: Option<&String>,
    select: Option<&str>,
    limit: Option<i64>,
    capacity: Option<&String>,
) {
    violations.one_of("select", select, SELECTS);
    violations.name("indexName", index.map(String::as_str));
    violations.return_consumed_capacity(capacity);
    violations.table_name(table);
    violations.range("limit", limit, 1, i64::from(i32::MAX));
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

/// Whether only counts are wanted; fails where `Select` and the projection contradict each other.
pub(crate) fn counts(
    select: Option<&str>,
    projection: bool,
    index: Option<&String>,
) -> Result<bool, Error> {
    let only = "Cannot specify the ProjectionExpression when choosing to get";
    match select {
        Some("ALL_PROJECTED_ATTRIBUTES") if index.is_none() => Err(Error::invalid(
            "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName",
        )),
        Some("COUNT") if projection => Err(Error::validation(format!("{only} only the Count"))),
        Some(all @ ("ALL_ATTRIBUTES" | "ALL_PROJECTED_ATTRIBUTES")) if projection => {
            Err(Error::validation(format!("{only} {all}")))
        }
        Some("SPECIFIC_ATTRIBUTES") if !projection => Err(Error::validation(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get \
             SPECIFIC_ATTRIBUTES",
        )),
        other => Ok(other == Some("COUNT")),
    }
}

/// Tables have no indexes yet, so none has the one that is named.
pub(crate) fn no_index(index: Option<&String>) -> Result<(), Error> {
    match index {
        Some(index) => {
            Err(Error::validation(format!("The table does not have the specified index: {index}")))
        }
        None => Ok(()),
    }
}
