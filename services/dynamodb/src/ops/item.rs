//! GetItem, PutItem, DeleteItem, UpdateItem: the shapes of requests around [`write`].

use kit::Ctx;

use crate::api::{
    DeleteItemInput, GetItemInput, GetItemOutput, PutItemInput, UpdateItemInput, WriteItemOutput,
};
use crate::data::{self, Schema};
use crate::error::Error;
use crate::expression::{Condition, Kind, Placeholders, Projection, Update};
use crate::ops::write::{Change, Guard, Returns, Write, write};
use crate::ops::{consumed, find, refuse_legacy};
use crate::rules::{self, Violations};
use crate::value::size;

const RETURN_VALUES: &[&str] = &["ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"];
const ON_FAILURE: &[&str] = &["ALL_OLD", "NONE"];

pub(crate) async fn get(ctx: &Ctx, input: GetItemInput) -> Result<GetItemOutput, Error> {
    refuse_legacy(ctx, &[("AttributesToGet", &input.attributes_to_get)])?;
    let mut violations = Violations::default();
    violations.table_name(input.table_name.as_ref());
    violations.required("key", input.key.is_some());
    violations.return_consumed_capacity(input.return_consumed_capacity.as_ref());
    violations.finish()?;
    let text = input.projection_expression.as_deref();
    let given = [(Kind::Projection, text.is_some())];
    if input.expression_attribute_names.is_some() && text.is_none() {
        Placeholders::new(input.expression_attribute_names.clone(), None, &given)?;
    }
    let key = input.key.map(|key| key.checked()).transpose()?.unwrap_or_default();
    let mut placeholders = Placeholders::new(input.expression_attribute_names, None, &given)?;
    let projection = text.map(|text| Projection::parse(text, &mut placeholders)).transpose()?;
    placeholders.all_used()?;

    let table = find(ctx, input.table_name.as_ref()).await?;
    let key = rules::key_of_request(&table.schema, &key)?;
    if let Some(projection) = &projection {
        rules::check_key_paths(&table.schema, projection.paths())?;
    }
    let key = data::item_key(&ctx.account, table.number, &key);
    let item = data::get(ctx.store(), &key).await?;
    let bytes = item.as_ref().map_or(0, size);
    let units = rules::read_units(bytes, input.consistent_read == Some(true));
    let item = item.map(|item| match &projection {
        Some(projection) => projection.of(&item),
        None => item,
    });
    let capacity = consumed(input.return_consumed_capacity.as_ref(), &table, units);
    Ok(GetItemOutput { item, consumed_capacity: capacity })
}

pub(crate) async fn put(ctx: &Ctx, input: PutItemInput) -> Result<WriteItemOutput, Error> {
    refuse_legacy(
        ctx,
        &[("Expected", &input.expected), ("ConditionalOperator", &input.conditional_operator)],
    )?;
    let mut violations = Violations::default();
    violations.table_name(input.table_name.as_ref());
    violations.required("item", input.item.is_some());
    let returned = input.return_values.as_deref();
    let on_failure = input.return_values_on_condition_check_failure.as_deref();
    check_returns(&mut violations, returned, on_failure);
    violations.return_consumed_capacity(input.return_consumed_capacity.as_ref());
    violations.return_item_collection_metrics(input.return_item_collection_metrics.as_ref());
    violations.finish()?;
    let text = input.condition_expression.as_deref();
    check_expressions_given(
        input.expression_attribute_names.is_some(),
        input.expression_attribute_values.is_some(),
        &[(Kind::Condition, text.is_some())],
    )?;
    let item = input.item.map(|item| item.checked()).transpose()?.unwrap_or_default();
    rules::check_size(&item)?;
    let returns = old_or_none(returned)?;
    let mut placeholders = Placeholders::new(
        input.expression_attribute_names,
        input.expression_attribute_values,
        &[(Kind::Condition, text.is_some())],
    )?;
    let condition = parse_condition(text, &mut placeholders)?;
    placeholders.all_used()?;

    let table = find(ctx, input.table_name.as_ref()).await?;
    let key = rules::key_of_item(&table.schema, &item)?;
    let guard = guard(&table.schema, condition, on_failure)?;
    let change = Change::Put(item);
    let request = Write { table: &table, key, change, guard, returns };
    write(ctx, request, input.return_consumed_capacity.as_ref()).await
}

pub(crate) async fn delete(ctx: &Ctx, input: DeleteItemInput) -> Result<WriteItemOutput, Error> {
    refuse_legacy(
        ctx,
        &[("Expected", &input.expected), ("ConditionalOperator", &input.conditional_operator)],
    )?;
    let mut violations = Violations::default();
    violations.table_name(input.table_name.as_ref());
    violations.required("key", input.key.is_some());
    let returned = input.return_values.as_deref();
    let on_failure = input.return_values_on_condition_check_failure.as_deref();
    check_returns(&mut violations, returned, on_failure);
    violations.return_consumed_capacity(input.return_consumed_capacity.as_ref());
    violations.return_item_collection_metrics(input.return_item_collection_metrics.as_ref());
    violations.finish()?;
    let text = input.condition_expression.as_deref();
    check_expressions_given(
        input.expression_attribute_names.is_some(),
        input.expression_attribute_values.is_some(),
        &[(Kind::Condition, text.is_some())],
    )?;
    let key = input.key.map(|key| key.checked()).transpose()?.unwrap_or_default();
    let returns = old_or_none(returned)?;
    let mut placeholders = Placeholders::new(
        input.expression_attribute_names,
        input.expression_attribute_values,
        &[(Kind::Condition, text.is_some())],
    )?;
    let condition = parse_condition(text, &mut placeholders)?;
    placeholders.all_used()?;

    let table = find(ctx, input.table_name.as_ref()).await?;
    let key = rules::key_of_request(&table.schema, &key)?;
    let guard = guard(&table.schema, condition, on_failure)?;
    let request = Write { table: &table, key, change: Change::Delete, guard, returns };
    write(ctx, request, input.return_consumed_capacity.as_ref()).await
}

pub(crate) async fn update(ctx: &Ctx, input: UpdateItemInput) -> Result<WriteItemOutput, Error> {
    refuse_legacy(
        ctx,
        &[
            ("AttributeUpdates", &input.attribute_updates),
            ("Expected", &input.expected),
            ("ConditionalOperator", &input.conditional_operator),
        ],
    )?;
    let mut violations = Violations::default();
    violations.table_name(input.table_name.as_ref());
    violations.required("key", input.key.is_some());
    let returned = input.return_values.as_deref();
    let on_failure = input.return_values_on_condition_check_failure.as_deref();
    check_returns(&mut violations, returned, on_failure);
    violations.return_consumed_capacity(input.return_consumed_capacity.as_ref());
    violations.return_item_collection_metrics(input.return_item_collection_metrics.as_ref());
    violations.finish()?;
    let (text, condition) =
        (input.update_expression.as_deref(), input.condition_expression.as_deref());
    let given = [(Kind::Update, text.is_some()), (Kind::Condition, condition.is_some())];
    check_expressions_given(
        input.expression_attribute_names.is_some(),
        input.expression_attribute_values.is_some(),
        &given,
    )?;
    let key = input.key.map(|key| key.checked()).transpose()?.unwrap_or_default();
    let mut placeholders = Placeholders::new(
        input.expression_attribute_names,
        input.expression_attribute_values,
        &given,
    )?;
    let update = text.map(|text| Update::parse(text, &mut placeholders)).transpose()?;
    let condition = parse_condition(condition, &mut placeholders)?;
    placeholders.all_used()?;

    let table = find(ctx, input.table_name.as_ref()).await?;
    let primary = rules::key_of_request(&table.schema, &key)?;
    for path in update.iter().flat_map(Update::paths) {
        if key.contains_key(path.head()) {
            let head = path.head();
            return Err(Error::invalid(format_args!(
                "Cannot update attribute {head}. This attribute is part of the key"
            )));
        }
    }
    let guard = guard(&table.schema, condition, on_failure)?;
    let returns = match returned {
        Some("ALL_OLD") => Returns::AllOld,
        Some("ALL_NEW") => Returns::AllNew,
        Some("UPDATED_OLD") => Returns::UpdatedOld,
        Some("UPDATED_NEW") => Returns::UpdatedNew,
        _ => Returns::Nothing,
    };
    let change = Change::Update { key, update };
    let request = Write { table: &table, key: primary, change, guard, returns };
    write(ctx, request, input.return_consumed_capacity.as_ref()).await
}

fn check_returns(violations: &mut Violations, returned: Option<&str>, on_failure: Option<&str>) {
    violations.one_of("returnValues", returned, RETURN_VALUES);
    violations.one_of("returnValuesOnConditionCheckFailure", on_failure, ON_FAILURE);
}

/// Placeholders without any expression are refused before the values of the request are checked,
/// all other faults of placeholders after.
fn check_expressions_given(names: bool, values: bool, given: &[(Kind, bool)]) -> Result<(), Error> {
    if given.iter().any(|(_, given)| *given) {
        return Ok(());
    }
    let (names, values) = (names.then(Default::default), values.then(Default::default));
    Placeholders::new(names, values, given)?;
    Ok(())
}

fn old_or_none(returned: Option<&str>) -> Result<Returns, Error> {
    match returned {
        None | Some("NONE") => Ok(Returns::Nothing),
        Some("ALL_OLD") => Ok(Returns::AllOld),
        Some(_) => Err(Error::validation("ReturnValues can only be ALL_OLD or NONE")),
    }
}

fn parse_condition(
    text: Option<&str>,
    placeholders: &mut Placeholders,
) -> Result<Option<Condition>, Error> {
    let parse = |text| Condition::parse(Kind::Condition, text, placeholders);
    Ok(text.map(parse).transpose()?)
}

fn guard(
    schema: &Schema,
    condition: Option<Condition>,
    on_failure: Option<&str>,
) -> Result<Guard, Error> {
    if let Some(condition) = &condition {
        rules::check_key_paths(schema, condition.paths())?;
    }
    Ok(Guard { condition, tells_item: on_failure == Some("ALL_OLD") })
}
