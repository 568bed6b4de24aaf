//! Query and Scan.

use std::collections::BTreeMap;

use kit::Ctx;
use store::{Dir, Key, KeyRange};

use crate::api::{PageOutput, QueryInput, ScanInput};
use crate::data::index::{self, Index};
use crate::data::{self, Attribute, Schema, Table};
use crate::error::Error;
use crate::expression::{Condition, KeyCondition, KeyTest, Kind, Placeholders, Projection, legacy};
use crate::ops::find;
use crate::ops::page::{self, Read};
use crate::rules::{self, Violations};
use crate::value::{Item, Value};

/// How many segments a scan may have.
const SEGMENTS_MAX: i64 = 1_000_000;

pub(crate) async fn query(ctx: &Ctx, mut input: QueryInput) -> Result<PageOutput, Error> {
    let asked = check_query(&mut input)?;
    let (table, index) = (input.table_name.as_ref(), input.index_name.as_ref());
    let (condition, start) = (asked.condition, asked.start);
    let (filter, projection) = (asked.filter, asked.projection);

    let table = find(ctx, table).await?;
    let consistent = input.consistent_read == Some(true);
    let index = page::index(&table, index, consistent)?;
    let dir = if input.scan_index_forward == Some(false) { Dir::Backward } else { Dir::Forward };
    let schema = index.map_or(&table.schema, |index| &index.schema);
    let range = query_range(ctx, (&table, index), &condition, start.as_ref(), dir)?;
    let paths = projection.iter().flat_map(|projection| projection.paths());
    rules::check_key_paths(&table, paths.clone())?;
    let select = input.select.as_deref();
    check_filter(schema, asked.filter_name, filter.as_ref())?;
    let fetches = page::fetches(&table, index, select, paths)?;
    let paths = filter.as_ref().map(Condition::paths).unwrap_or_default();
    rules::check_key_paths(&table, paths)?;
    let read = Read {
        table: &table,
        index,
        range,
        dir,
        limit: page::limit(input.limit),
        filter,
        projection,
        counts: asked.counts,
        fetches,
        consistent,
    };
    page::read(ctx, read, input.return_consumed_capacity.as_ref()).await
}

/// What a query asks for, as far as it can be checked without the table.
struct Asked {
    condition: KeyCondition,
    filter: Option<Condition>,
    /// The parameter that the filter was given as.
    filter_name: &'static str,
    projection: Option<Projection>,
    counts: bool,
    start: Option<Item>,
}

fn check_query(input: &mut QueryInput) -> Result<Asked, Error> {
    let (table, index) = (input.table_name.as_ref(), input.index_name.as_ref());
    let (select, capacity) = (input.select.as_deref(), input.return_consumed_capacity.as_ref());
    let operator = input.conditional_operator.as_deref();
    let (filter, attributes) = (input.query_filter.as_ref(), input.attributes_to_get.as_ref());
    let mut violations = Violations::default();
    page::check(&mut violations, table, index, select, input.limit, capacity);
    legacy::check_conditions(&mut violations, "queryFilter", filter);
    legacy::check_operator_name(&mut violations, operator);
    legacy::check_attributes(&mut violations, "attributesToGet", attributes.map(Vec::as_slice));
    legacy::check_conditions(&mut violations, "keyConditions", input.key_conditions.as_ref());
    violations.finish()?;
    let given = [
        (Kind::Projection, input.projection_expression.is_some()),
        (Kind::Filter, input.filter_expression.is_some()),
        (Kind::KeyCondition, input.key_condition_expression.is_some()),
    ];
    let of_both = input.key_conditions.is_some() && input.key_condition_expression.is_some();
    let old = [
        ("AttributesToGet", attributes.is_some()),
        ("QueryFilter", filter.is_some()),
        ("ConditionalOperator", operator.is_some()),
        ("KeyConditions", of_both),
    ];
    legacy::not_mixed(&old, &given)?;
    let (names, values) =
        (input.expression_attribute_names.take(), input.expression_attribute_values.take());
    Placeholders::check(names.is_some(), values.is_some(), &given)?;
    let (joined, filter_name) = match filter {
        Some(filter) => (Some(filter.len()), "QueryFilter"),
        None => (None, "Filter Expression"),
    };
    let old_filter = legacy::filter(input.query_filter.take(), operator)?;
    let old_projection = legacy::projection(attributes)?;
    legacy::check_operator(operator, joined)?;
    let start = page::start_key(input.exclusive_start_key.take())?;
    if input.key_conditions.is_none() && input.key_condition_expression.is_none() {
        return Err(Error::validation(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in \
             the request.",
        ));
    }
    let mut placeholders = Placeholders::new(names, values, &given)?;
    let parse = |text| Condition::parse(Kind::KeyCondition, text, &mut placeholders);
    let condition = input.key_condition_expression.as_deref().map(parse).transpose()?;
    let (filter, projection) = (&input.filter_expression, &input.projection_expression);
    let (filter, projection) =
        page::filter_and_projection(filter.as_deref(), projection.as_deref(), &mut placeholders)?;
    placeholders.all_used()?;
    let condition = match condition {
        Some(condition) => KeyCondition::of(&condition)?,
        None => legacy::key_condition(input.key_conditions.take().unwrap_or_default())?,
    };
    let wanted = page::wanted(projection.is_some(), old_projection.is_some());
    let counts = page::counts(select, wanted, index)?;
    let (filter, projection) = (filter.or(old_filter), projection.or(old_projection));
    Ok(Asked { condition, filter, filter_name, projection, counts, start })
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
    if let Some(start) = start {
        page::check_start_len(table, index, start)?;
    }
    let (partition, sort) = tests(schema, condition, start)?;
    let own_start = start.map(|start| rules::key_attributes(schema, start));
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
        if *test == KeyTest::NotIndexable {
            return Err(Error::validation(
                "Attempted conditional constraint is not an indexable operation",
            ));
        }
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
pub(crate) fn sort_range(partition: &Key, test: Option<&KeyTest>) -> KeyRange {
    let all = partition.prefix();
    let at = |value: &Value| data::with_sort(partition, &rules::key_bytes(value));
    match test {
        None | Some(KeyTest::NotIndexable) => all,
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
pub(crate) fn entry_range(partition: &Key, test: Option<&KeyTest>) -> KeyRange {
    let all = partition.prefix();
    let at = |value: &Value| index::with_sort(partition, &rules::key_bytes(value));
    match test {
        None | Some(KeyTest::NotIndexable) => all,
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
        return Err(Error::validation(match tested_sort {
            Some(_) => "The query can return at most one row and cannot be restarted",
            None => {
                "The provided starting key is outside query boundaries based on provided conditions"
            }
        }));
    }
    Ok(key)
}

/// A query's filter may not ask for what its key condition is there for.
fn check_filter(
    schema: &Schema,
    filter_name: &str,
    filter: Option<&Condition>,
) -> Result<(), Error> {
    let paths = filter.map(Condition::paths).unwrap_or_default();
    for Attribute { name, .. } in schema.attributes() {
        if paths.iter().any(|path| path.head() == name) {
            return Err(Error::validation(format!(
                "{filter_name} can only contain non-primary key attributes: Primary key attribute: \
                 {name}"
            )));
        }
    }
    Ok(())
}

pub(crate) async fn scan(ctx: &Ctx, mut input: ScanInput) -> Result<PageOutput, Error> {
    let (table, index) = (input.table_name.as_ref(), input.index_name.as_ref());
    let (select, capacity) = (input.select.as_deref(), input.return_consumed_capacity.as_ref());
    let operator = input.conditional_operator.as_deref();
    let (filter, attributes) = (input.scan_filter.as_ref(), input.attributes_to_get.as_ref());
    let (segment, segments) = (input.segment.map(i64::from), input.total_segments.map(i64::from));
    let mut violations = Violations::default();
    page::check(&mut violations, table, index, select, input.limit, capacity);
    legacy::check_conditions(&mut violations, "scanFilter", filter);
    legacy::check_operator_name(&mut violations, operator);
    violations.range("totalSegments", segments, 1, SEGMENTS_MAX);
    violations.range("segment", segment, 0, SEGMENTS_MAX - 1);
    legacy::check_attributes(&mut violations, "attributesToGet", attributes.map(Vec::as_slice));
    violations.finish()?;
    let given = [
        (Kind::Projection, input.projection_expression.is_some()),
        (Kind::Filter, input.filter_expression.is_some()),
    ];
    let old = [
        ("AttributesToGet", attributes.is_some()),
        ("ScanFilter", filter.is_some()),
        ("ConditionalOperator", operator.is_some()),
    ];
    legacy::not_mixed(&old, &given)?;
    let (names, values) =
        (input.expression_attribute_names.take(), input.expression_attribute_values.take());
    Placeholders::check(names.is_some(), values.is_some(), &given)?;
    let old_projection = legacy::projection(attributes)?;
    let joined = filter.map(BTreeMap::len);
    let old_filter = legacy::filter(input.scan_filter.take(), operator)?;
    legacy::check_operator(operator, joined)?;
    let start = page::start_key(input.exclusive_start_key.take())?;
    let segment = self::segments(segment, segments)?;
    let mut placeholders = Placeholders::new(names, values, &given)?;
    let (filter, projection) = (&input.filter_expression, &input.projection_expression);
    let (filter, projection) =
        page::filter_and_projection(filter.as_deref(), projection.as_deref(), &mut placeholders)?;
    placeholders.all_used()?;
    let wanted = page::wanted(projection.is_some(), old_projection.is_some());
    let counts = page::counts(select, wanted, index)?;
    let (filter, projection) = (filter.or(old_filter), projection.or(old_projection));

    let table = find(ctx, table).await?;
    let consistent = input.consistent_read == Some(true);
    let index = page::index(&table, index, consistent)?;
    if let (Some(index), Some(start)) = (index, &start) {
        page::check_start(&table, index, start)?;
    }
    let paths = projection.iter().flat_map(|projection| projection.paths());
    let fetches = page::fetches(&table, index, select, paths.clone())?;
    let range = scan_range(ctx, &table, index, segment, start.as_ref())?;
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
