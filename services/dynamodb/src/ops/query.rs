//! Query and Scan.

use kit::Ctx;
use store::{Dir, Key, KeyRange};

use crate::api::{PageOutput, QueryInput, ScanInput};
use crate::data::index::{self, Index};
use crate::data::{self, Attribute, Schema, Table};
use crate::error::Error;
use crate::expression::{Condition, KeyCondition, KeyTest, Kind, Placeholders};
use crate::ops::page::{self, Read};
use crate::ops::{find, refuse_legacy};
use crate::rules::{self, Violations};
use crate::value::{Item, Value};

/// How many segments a scan may have.
const SEGMENTS_MAX: i64 = 1_000_000;

pub(crate) async fn query(ctx: &Ctx, mut input: QueryInput) -> Result<PageOutput, Error> {
    refuse_legacy(
        ctx,
        &[
            ("KeyConditions", &input.key_conditions),
            ("QueryFilter", &input.query_filter),
            ("ConditionalOperator", &input.conditional_operator),
            ("AttributesToGet", &input.attributes_to_get),
        ],
    )?;
    let (table, index) = (input.table_name.as_ref(), input.index_name.as_ref());
    let (select, capacity) = (input.select.as_deref(), input.return_consumed_capacity.as_ref());
    let mut violations = Violations::default();
    page::check(&mut violations, table, index, select, input.limit, capacity);
    violations.finish()?;
    let (filter, projection) =
        (input.filter_expression.as_deref(), input.projection_expression.as_deref());
    let Some(text) = input.key_condition_expression.as_deref() else {
        return Err(Error::validation(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in \
             the request.",
        ));
    };
    let start = page::start_key(input.exclusive_start_key.take())?;
    let given = [
        (Kind::KeyCondition, true),
        (Kind::Filter, filter.is_some()),
        (Kind::Projection, projection.is_some()),
    ];
    let mut placeholders = Placeholders::new(
        input.expression_attribute_names.take(),
        input.expression_attribute_values.take(),
        &given,
    )?;
    let condition = Condition::parse(Kind::KeyCondition, text, &mut placeholders)?;
    let (filter, projection) = page::filter_and_projection(filter, projection, &mut placeholders)?;
    placeholders.all_used()?;
    let condition = KeyCondition::of(&condition)?;
    let counts = page::counts(select, projection.is_some(), index)?;

    let table = find(ctx, table).await?;
    let consistent = input.consistent_read == Some(true);
    let index = page::index(&table, index, consistent)?;
    let dir = if input.scan_index_forward == Some(false) { Dir::Backward } else { Dir::Forward };
    let range = query_range(ctx, (&table, index), &condition, start.as_ref(), dir)?;
    let paths = projection.iter().flat_map(|projection| projection.paths());
    rules::check_key_paths(&table, paths)?;
    check_filter(&table, index, filter.as_ref())?;
    let fetches = page::fetches(&table, index, select, projection.as_ref())?;
    let read = Read {
        table: &table,
        index,
        range,
        dir,
        limit: page::limit(input.limit),
        filter,
        projection,
        counts,
        fetches,
        consistent,
    };
    page::read(ctx, read, capacity).await
}

/// The part of a table or an index that a query reads, from its start key on.
fn query_range(
    ctx: &Ctx,
    (table, index): (&Table, Option<&Index>),
    condition: &KeyCondition,
    start: Option<&Item>,
    dir: Dir,
) -> Result<KeyRange, Error> {
    let schema = index.map_or(&table.schema, |index| &index.schema);
    if let (Some(index), Some(start)) = (index, start) {
        page::check_start(table, index, start)?;
    }
    let own_start = start.map(|start| match index {
        Some(_) => rules::key_attributes(schema, start),
        None => start.clone(),
    });
    let (partition, sort) = tests(schema, condition, own_start.as_ref())?;
    let partition = rules::key_bytes(partition);
    let range = match index {
        Some(index) => {
            let number = table.number;
            entry_range(&index::partition_key(&ctx.account, number, index, &partition), sort)
        }
        None => sort_range(&data::partition_key(&ctx.account, table.number, &partition), sort),
    };
    let (Some(start), Some(own)) = (start, &own_start) else { return Ok(range) };
    let key = match index {
        Some(index) => {
            let key = page::start_entry(ctx, table, index, start)?;
            start_within(schema, condition, own)?;
            key
        }
        None => {
            let key = start_within(schema, condition, own)?;
            data::item_key(&ctx.account, table.number, &key)
        }
    };
    Ok(page::remaining(range, dir, &key))
}

/// The partition key's value and the test of the sort key, in the order in which AWS finds faults.
fn tests<'a>(
    schema: &Schema,
    condition: &'a KeyCondition,
    start: Option<&Item>,
) -> Result<(&'a Value, Option<&'a KeyTest>), Error> {
    let invalid = || Error::validation("The provided starting key is invalid");
    let unsupported = || Error::validation("Query key condition not supported");
    if start.is_some_and(|start| start.len() != schema.attributes().count()) {
        return Err(invalid());
    }
    let check = |attribute: &Attribute, required: bool| {
        let Attribute { name, kind } = attribute;
        if let Some(start) = start {
            let given = start.get(name).ok_or_else(invalid)?;
            if given.kind() != kind {
                return Err(Error::validation(
                    "The provided key element does not match the schema",
                ));
            }
        }
        if schema.sort.is_none() && condition.len() > 1 {
            return Err(unsupported());
        }
        let Some(test) = condition.test(name) else {
            if required {
                return Err(Error::validation(format!(
                    "Query condition missed key schema element: {name}"
                )));
            }
            return Ok(None);
        };
        if test.values().any(|value| value.kind() != kind) {
            return Err(Error::invalid("Condition parameter type does not match schema type"));
        }
        Ok(Some(test))
    };
    let partition = match check(&schema.partition, true)? {
        Some(KeyTest::Equal(value)) => value,
        _ => return Err(unsupported()),
    };
    let sort = match &schema.sort {
        Some(attribute) => check(attribute, condition.len() > 1)?,
        None => None,
    };
    for value in std::iter::once(&**partition).chain(sort.into_iter().flat_map(KeyTest::values)) {
        check_not_empty(schema, value)?;
    }
    Ok((partition, sort))
}

/// No item has an empty key, so asking for one is a mistake.
fn check_not_empty(schema: &Schema, value: &Value) -> Result<(), Error> {
    let empty = match value {
        Value::S(text) => text.is_empty(),
        Value::B(bytes) => bytes.is_empty(),
        _ => false,
    };
    if !empty {
        return Ok(());
    }
    let what = if value.kind() == "S" { "string" } else { "binary" };
    Err(Error::validation(format!(
        "One or more parameter values are not valid. The AttributeValue for a key attribute \
         cannot contain an empty {what} value. Key: {}",
        schema.partition.name
    )))
}

/// The keys in a partition whose sort key passes a test.
fn sort_range(partition: &Key, test: Option<&KeyTest>) -> KeyRange {
    let all = partition.prefix();
    let at = |value: &Value| data::with_sort(partition, &rules::key_bytes(value));
    match test {
        None => all,
        Some(KeyTest::Equal(value)) => all.from(at(value)).before(at(value).successor()),
        Some(KeyTest::Less(value)) => all.before(at(value)),
        Some(KeyTest::LessOrEqual(value)) => all.before(at(value).successor()),
        Some(KeyTest::Greater(value)) => all.after(&at(value)),
        Some(KeyTest::GreaterOrEqual(value)) => all.from(at(value)),
        Some(KeyTest::Between(low, high)) => all.from(at(low)).before(at(high).successor()),
        Some(KeyTest::BeginsWith(start)) => at(start).prefix(),
    }
}

/// The entries of an index's partition whose sort key passes a test.
fn entry_range(partition: &Key, test: Option<&KeyTest>) -> KeyRange {
    let all = partition.prefix();
    let at = |value: &Value| index::with_sort(partition, &rules::key_bytes(value));
    match test {
        None => all,
        Some(KeyTest::Equal(value)) => at(value).prefix(),
        Some(KeyTest::Less(value)) => all.before(at(value)),
        Some(KeyTest::LessOrEqual(value)) => all.through(&at(value)),
        Some(KeyTest::Greater(value)) => all.from(at(value).prefix().end),
        Some(KeyTest::GreaterOrEqual(value)) => all.from(at(value)),
        Some(KeyTest::Between(low, high)) => all.from(at(low)).through(&at(high)),
        Some(KeyTest::BeginsWith(start)) => index::beginning(partition, &rules::key_bytes(start)),
    }
}

/// The start key of a query, which must be a key the query could have come to.
fn start_within(
    schema: &Schema,
    condition: &KeyCondition,
    start: &Item,
) -> Result<rules::PrimaryKey, Error> {
    let key = rules::key_of_request(schema, start).map_err(page::invalid_start)?;
    let passes = |attribute: &Attribute| {
        let (value, test) = (start.get(&attribute.name), condition.test(&attribute.name));
        test.is_none_or(|test| value.is_some_and(|value| test.passes(value)))
    };
    let tested_sort = schema.sort.as_ref().filter(|sort| condition.test(&sort.name).is_some());
    if tested_sort.is_some_and(|sort| !passes(sort)) {
        return Err(Error::validation(
            "The provided starting key does not match the range key predicate",
        ));
    }
    if !passes(&schema.partition) {
        return Err(Error::validation(
            "The provided starting key is outside query boundaries based on provided conditions",
        ));
    }
    Ok(key)
}

/// A query's filter may not ask for what its key condition is there for.
fn check_filter(
    table: &Table,
    index: Option<&Index>,
    filter: Option<&Condition>,
) -> Result<(), Error> {
    let schema = index.map_or(&table.schema, |index| &index.schema);
    let paths = filter.map(Condition::paths).unwrap_or_default();
    for Attribute { name, .. } in schema.attributes() {
        if paths.iter().any(|path| path.head() == name) {
            return Err(Error::validation(format!(
                "Filter Expression can only contain non-primary key attributes: Primary key \
                 attribute: {name}"
            )));
        }
    }
    rules::check_key_paths(table, paths)
}

pub(crate) async fn scan(ctx: &Ctx, mut input: ScanInput) -> Result<PageOutput, Error> {
    refuse_legacy(
        ctx,
        &[
            ("ScanFilter", &input.scan_filter),
            ("ConditionalOperator", &input.conditional_operator),
            ("AttributesToGet", &input.attributes_to_get),
        ],
    )?;
    let (table, index) = (input.table_name.as_ref(), input.index_name.as_ref());
    let (select, capacity) = (input.select.as_deref(), input.return_consumed_capacity.as_ref());
    let mut violations = Violations::default();
    page::check(&mut violations, table, index, select, input.limit, capacity);
    violations.range("totalSegments", input.total_segments, 1, SEGMENTS_MAX);
    violations.range("segment", input.segment, 0, SEGMENTS_MAX - 1);
    violations.finish()?;
    let (filter, projection) =
        (input.filter_expression.as_deref(), input.projection_expression.as_deref());
    let given = [(Kind::Filter, filter.is_some()), (Kind::Projection, projection.is_some())];
    if given.iter().all(|(_, given)| !given) {
        // Refused before the start key is looked at.
        Placeholders::new(
            input.expression_attribute_names.clone(),
            input.expression_attribute_values.clone(),
            &given,
        )?;
    }
    let start = page::start_key(input.exclusive_start_key.take())?;
    let segment = segments(input.segment, input.total_segments)?;
    let mut placeholders = Placeholders::new(
        input.expression_attribute_names.take(),
        input.expression_attribute_values.take(),
        &given,
    )?;
    let (filter, projection) = page::filter_and_projection(filter, projection, &mut placeholders)?;
    placeholders.all_used()?;
    let counts = page::counts(select, projection.is_some(), index)?;

    let table = find(ctx, table).await?;
    let consistent = input.consistent_read == Some(true);
    let index = page::index(&table, index, consistent)?;
    if let (Some(index), Some(start)) = (index, &start) {
        page::check_start(&table, index, start)?;
    }
    let fetches = page::fetches(&table, index, select, projection.as_ref())?;
    let range = scan_range(ctx, &table, index, segment, start.as_ref())?;
    let paths = projection.iter().flat_map(|projection| projection.paths());
    rules::check_key_paths(&table, paths)?;
    let paths = filter.as_ref().map(Condition::paths).unwrap_or_default();
    rules::check_key_paths(&table, paths)?;
    let read = Read {
        table: &table,
        index,
        range,
        dir: Dir::Forward,
        limit: page::limit(input.limit),
        filter,
        projection,
        counts,
        fetches,
        consistent,
    };
    page::read(ctx, read, capacity).await
}

/// Which segment of how many is wanted; the only one of one if the request does not say.
fn segments(segment: Option<i64>, total: Option<i64>) -> Result<(u64, u64), Error> {
    let (segment, total) = match (segment, total) {
        (None, None) => (0, 1),
        (Some(_), None) => {
            return Err(Error::validation(
                "The TotalSegments parameter is required but was not present in the request when \
                 Segment parameter is present",
            ));
        }
        (None, Some(_)) => {
            return Err(Error::validation(
                "The Segment parameter is required but was not present in the request when \
                 parameter TotalSegments is present",
            ));
        }
        (Some(segment), Some(total)) => (segment, total),
    };
    if segment >= total {
        return Err(Error::validation(format!(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: \
             Segment: {segment} is not less than TotalSegments: {total}"
        )));
    }
    Ok((segment.unsigned_abs(), total.unsigned_abs()))
}

fn scan_range(
    ctx: &Ctx,
    table: &Table,
    index: Option<&Index>,
    (segment, total): (u64, u64),
    start: Option<&Item>,
) -> Result<KeyRange, Error> {
    let all = match index {
        Some(index) => index::entries_key(&ctx.account, table.number, index),
        None => data::items_key(&ctx.account, table.number),
    };
    let range = data::segment(&all, segment, total);
    let Some(start) = start else { return Ok(range) };
    let key = match index {
        Some(index) => page::start_entry(ctx, table, index, start)?,
        None => {
            let key = rules::key_of_request(&table.schema, start).map_err(page::invalid_start)?;
            data::item_key(&ctx.account, table.number, &key)
        }
    };
    if !range.contains(&key) {
        return Err(page::invalid_start(format_args!(
            "Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. \
             TotalSegments: {total} Segment: {segment}"
        )));
    }
    Ok(range.after(&key))
}
