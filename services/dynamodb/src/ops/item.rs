//! GetItem, PutItem, DeleteItem, UpdateItem: the shapes of requests around [`write`].

use kit::Ctx;

use crate::api::{
    DeleteItemInput, GetItemInput, GetItemOutput, PutItemInput, UpdateItemInput, WriteItemOutput,
};
use crate::data::{self, Table};
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
        rules::check_key_paths(&table, projection.paths())?;
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

/// What the three operations that write are asked besides the write itself.
struct Asked<'a> {
    table: Option<&'a String>,
    returns: Option<&'a str>,
    on_failure: Option<&'a str>,
    capacity: Option<&'a String>,
    metrics: Option<&'a String>,
}

impl Asked<'_> {
    /// The constraints of the API's model. `subject` is the member that says what is written.
    fn check(&self, subject: &str, given: bool) -> Result<(), Error> {
        let mut violations = Violations::default();
        violations.table_name(self.table);
        violations.required(subject, given);
        violations.one_of("returnValues", self.returns, RETURN_VALUES);
        violations.one_of("returnValuesOnConditionCheckFailure", self.on_failure, ON_FAILURE);
        violations.return_consumed_capacity(self.capacity);
        violations.return_item_collection_metrics(self.metrics);
        violations.finish()
    }

    fn old_or_none(&self) -> Result<Returns, Error> {
        match self.returns {
            None | Some("NONE") => Ok(Returns::Nothing),
            Some("ALL_OLD") => Ok(Returns::AllOld),
            Some(_) => Err(Error::validation("ReturnValues can only be ALL_OLD or NONE")),
        }
    }

    fn guard(&self, table: &Table, condition: Option<Condition>) -> Result<Guard, Error> {
        if let Some(condition) = &condition {
            rules::check_key_paths(table, condition.paths())?;
        }
        Ok(Guard { condition, tells_item: self.on_failure == Some("ALL_OLD") })
    }
}

pub(crate) async fn put(ctx: &Ctx, input: PutItemInput) -> Result<WriteItemOutput, Error> {
    refuse_legacy(
        ctx,
        &[("Expected", &input.expected), ("ConditionalOperator", &input.conditional_operator)],
    )?;
    let asked = Asked {
        table: input.table_name.as_ref(),
        returns: input.return_values.as_deref(),
        on_failure: input.return_values_on_condition_check_failure.as_deref(),
        capacity: input.return_consumed_capacity.as_ref(),
        metrics: input.return_item_collection_metrics.as_ref(),
    };
    asked.check("item", input.item.is_some())?;
    let text = input.condition_expression.as_deref();
    check_expressions_given(
        input.expression_attribute_names.is_some(),
        input.expression_attribute_values.is_some(),
        &[(Kind::Condition, text.is_some())],
    )?;
    let item = input.item.map(|item| item.checked()).transpose()?.unwrap_or_default();
    rules::check_size(&item)?;
    let returns = asked.old_or_none()?;
    let mut placeholders = Placeholders::new(
        input.expression_attribute_names,
        input.expression_attribute_values,
        &[(Kind::Condition, text.is_some())],
    )?;
    let condition = parse_condition(text, &mut placeholders)?;
    placeholders.all_used()?;

    let table = find(ctx, asked.table).await?;
    let key = rules::key_of_item(&table.schema, &item)?;
    let guard = asked.guard(&table, condition)?;
    let change = Change::Put(item);
    let request = Write { table: &table, key, change, guard, returns };
    write(ctx, request, (asked.capacity, asked.metrics)).await
}

pub(crate) async fn delete(ctx: &Ctx, input: DeleteItemInput) -> Result<WriteItemOutput, Error> {
    refuse_legacy(
        ctx,
        &[("Expected", &input.expected), ("ConditionalOperator", &input.conditional_operator)],
    )?;
    let asked = Asked {
        table: input.table_name.as_ref(),
        returns: input.return_values.as_deref(),
        on_failure: input.return_values_on_condition_check_failure.as_deref(),
        capacity: input.return_consumed_capacity.as_ref(),
        metrics: input.return_item_collection_metrics.as_ref(),
    };
    asked.check("key", input.key.is_some())?;
    let text = input.condition_expression.as_deref();
    check_expressions_given(
        input.expression_attribute_names.is_some(),
        input.expression_attribute_values.is_some(),
        &[(Kind::Condition, text.is_some())],
    )?;
    let key = input.key.map(|key| key.checked()).transpose()?.unwrap_or_default();
    let returns = asked.old_or_none()?;
    let mut placeholders = Placeholders::new(
        input.expression_attribute_names,
        input.expression_attribute_values,
        &[(Kind::Condition, text.is_some())],
    )?;
    let condition = parse_condition(text, &mut placeholders)?;
    placeholders.all_used()?;

    let table = find(ctx, asked.table).await?;
    let primary = rules::key_of_request(&table.schema, &key)?;
    let guard = asked.guard(&table, condition)?;
    let change = Change::Delete(key);
    let request = Write { table: &table, key: primary, change, guard, returns };
    write(ctx, request, (asked.capacity, asked.metrics)).await
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
    let asked = Asked {
        table: input.table_name.as_ref(),
        returns: input.return_values.as_deref(),
        on_failure: input.return_values_on_condition_check_failure.as_deref(),
        capacity: input.return_consumed_capacity.as_ref(),
        metrics: input.return_item_collection_metrics.as_ref(),
    };
    asked.check("key", input.key.is_some())?;
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

    let table = find(ctx, asked.table).await?;
    let primary = rules::key_of_request(&table.schema, &key)?;
    for path in update.iter().flat_map(Update::paths) {
        if key.contains_key(path.head()) {
            let head = path.head();
            return Err(Error::invalid(format_args!(
                "Cannot update attribute {head}. This attribute is part of the key"
            )));
        }
    }
    rules::check_key_paths(&table, update.iter().flat_map(Update::paths))?;
    let guard = asked.guard(&table, condition)?;
    let returns = match asked.returns {
        Some("ALL_OLD") => Returns::AllOld,
        Some("ALL_NEW") => Returns::AllNew,
        Some("UPDATED_OLD") => Returns::UpdatedOld,
        Some("UPDATED_NEW") => Returns::UpdatedNew,
        _ => Returns::Nothing,
    };
    let change = Change::Update { key, update };
    let request = Write { table: &table, key: primary, change, guard, returns };
    write(ctx, request, (asked.capacity, asked.metrics)).await
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

fn parse_condition(
    text: Option<&str>,
    placeholders: &mut Placeholders,
) -> Result<Option<Condition>, Error> {
    let parse = |text| Condition::parse(Kind::Condition, text, placeholders);
    Ok(text.map(parse).transpose()?)
}
