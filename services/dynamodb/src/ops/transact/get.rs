//! TransactGetItems: items as they were at one moment.

use std::sync::Arc;

use base::Arn;
use kit::Ctx;

use crate::api::transact::{
    Get, ItemResponse, TransactGetItem, TransactGetItemsInput, TransactionOutput,
};
use crate::data::{self, Stored, Table};
use crate::error::Error;
use crate::expression::{Kind, Placeholders, Projection};
use crate::ops::transact::{
    ITEMS_MAX, UNITS_FACTOR, all_or_canceled, check_bytes, check_distinct, consumed,
};
use crate::ops::write::current;
use crate::ops::{Units, Usage, check_capacity, find, take_capacity, touched};
use crate::rules::{self, PrimaryKey, Violations};
use crate::value::{Item, size};

/// An item that is asked for.
pub(crate) struct Wanted {
    pub(crate) table: Arc<Table>,
    pub(crate) key: PrimaryKey,
    pub(crate) projection: Option<Projection>,
}

/// The tables of a transaction: each is authorized.
pub(crate) fn touched_by(ctx: &Ctx, input: &TransactGetItemsInput) -> Vec<Arn> {
    let gets = input.transact_items.iter().flatten().filter_map(|item| item.get.as_ref());
    gets.flat_map(|get| touched(ctx, get.table_name.as_ref())).collect()
}

pub(crate) async fn get(
    ctx: &Ctx,
    input: TransactGetItemsInput,
) -> Result<TransactionOutput, Error> {
    check(&input)?;
    let items = input.transact_items.unwrap_or_default();
    let parsed = items.into_iter().map(parse).collect::<Result<Vec<_>, Error>>()?;
    let mut tables = Vec::new();
    for (table, ..) in &parsed {
        tables.push(find(ctx, Some(table)).await?);
    }
    for (table, (_, key, _)) in tables.iter().zip(&parsed) {
        rules::check_keys_not_empty(&table.schema, key)?;
    }
    let wanted = tables.into_iter().zip(parsed).map(|(table, (_, key, projection))| {
        let key = rules::key_of_request(&table.schema, &key)?;
        let paths = projection.iter().flat_map(Projection::paths);
        rules::check_key_paths(&table, paths)?;
        Ok(Wanted { table, key, projection })
    });
    let wanted = all_or_canceled(wanted.collect())?;
    read(ctx, &wanted, input.return_consumed_capacity.as_ref()).await
}

/// Reads all items in one transaction: so as they were between two writes, not during one.
pub(crate) async fn read(
    ctx: &Ctx,
    wanted: &[Wanted],
    capacity: Option<&String>,
) -> Result<TransactionOutput, Error> {
    check_distinct(wanted.iter().map(|wanted| (&*wanted.table, &wanted.key)))?;
    let least = Units::from(rules::read_units(0, true));
    let left = wanted.iter().map(|of| check_capacity(ctx, &of.table, Usage::Read, &least));
    all_or_canceled(left.collect())?;
    let items = ctx
        .store()
        .transact(&ctx.account, |tx| async move {
            let (mut items, mut bytes) = (Vec::new(), 0);
            for Wanted { table, key, .. } in wanted {
                let table = current(ctx, &tx, table).await?;
                let key = data::item_key(&ctx.account, table.number, key);
                let item = match tx.get_record::<Stored>(&key).await? {
                    Some(stored) => Some(data::load(ctx.store(), &stored).await?),
                    None => None,
                };
                bytes += item.as_ref().map_or(0, size);
                check_bytes(bytes)?;
                items.push(item);
            }
            Ok::<Vec<Option<Item>>, Error>(items)
        })
        .await?;
    let bytes = items.iter().map(|item| item.as_ref().map_or(0, size));
    let units: Vec<Units> =
        bytes.map(|bytes| Units::from(rules::read_units(bytes, true))).collect();
    for (wanted, units) in wanted.iter().zip(&units) {
        let units = units.clone().times(UNITS_FACTOR);
        take_capacity(ctx, &wanted.table, Usage::Read, &units);
    }
    let tables = wanted.iter().map(|wanted| &wanted.table);
    let consumed_capacity = consumed(capacity, Usage::Read, tables.zip(units));
    let responses = wanted.iter().zip(items).map(|(wanted, item)| ItemResponse {
        item: item.map(|item| match &wanted.projection {
            Some(projection) => projection.of(&item),
            None => item,
        }),
    });
    Ok(TransactionOutput { responses: responses.collect(), consumed_capacity })
}

/// The constraints of the API's model.
fn check(input: &TransactGetItemsInput) -> Result<(), Error> {
    let mut violations = Violations::default();
    violations.return_consumed_capacity(input.return_consumed_capacity.as_ref());
    violations.list("transactItems", input.transact_items.as_ref(), ITEMS_MAX);
    for (index, item) in input.transact_items.iter().flatten().enumerate() {
        let at = |name: &str| format!("transactItems.{}.member.get{name}", index + 1);
        violations.required(&at(""), item.get.is_some());
        let Some(get) = &item.get else { continue };
        violations.required(&at(".tableName"), get.table_name.is_some());
        violations.name(&at(".tableName"), get.table_name.as_deref());
        violations.required(&at(".key"), get.key.is_some());
    }
    violations.finish()
}

/// One item that is asked for, as far as it can be checked without its table.
fn parse(item: TransactGetItem) -> Result<(String, Item, Option<Projection>), Error> {
    let Get { table_name, key, projection_expression, expression_attribute_names: names } =
        item.get.unwrap_or_default();
    let text = projection_expression.as_deref();
    let given = [(Kind::Projection, text.is_some())];
    Placeholders::check(names.is_some(), false, &given)?;
    let key = key.map(|key| key.checked()).transpose()?.unwrap_or_default();
    let mut placeholders = Placeholders::new(names, None, &given)?;
    let projection = text.map(|text| Projection::parse(text, &mut placeholders)).transpose()?;
    placeholders.all_used()?;
    Ok((table_name.unwrap_or_default(), key, projection))
}
