//! GetItem, PutItem, DeleteItem, UpdateItem: the shapes of requests around [`write`].

use std::collections::BTreeMap;

use kit::Ctx;

use crate::api::legacy::ExpectedAttributeValue;
use crate::api::{
    DeleteItemInput, GetItemInput, GetItemOutput, PutItemInput, UpdateItemInput, WriteItemOutput,
};
use crate::data::{self, Table};
use crate::error::Error;
use crate::expression::{Condition, Kind, Placeholders, Projection, Update, legacy};
use crate::item::packed::Answer;
use crate::ops::write::{Change, Guard, Returns, Write, write};
use crate::ops::{Units, charge, consumed, find};
use crate::rules::{self, Violations};
use crate::value::Item;

const RETURN_VALUES: &[&str] = &["ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"];
pub(crate) const ON_FAILURE: &[&str] = &["ALL_OLD", "NONE"];

pub(crate) async fn get(ctx: &Ctx, input: GetItemInput) -> Result<GetItemOutput, Error> {
    let mut violations = Violations::default();
    violations.table_name(input.table_name.as_ref());
    violations.required("key", input.key.is_some());
    violations.return_consumed_capacity(input.return_consumed_capacity.as_ref());
    let attributes = input.attributes_to_get.as_ref();
    legacy::check_attributes(&mut violations, "attributesToGet", attributes.map(Vec::as_slice));
    violations.finish()?;
    let text = input.projection_expression.as_deref();
    let given = [(Kind::Projection, text.is_some())];
    legacy::not_mixed(&[("AttributesToGet", attributes.is_some())], &given)?;
    Placeholders::check(input.expression_attribute_names.is_some(), false, &given)?;
    let key = input.key.map(|key| key.checked()).transpose()?.unwrap_or_default();
    let attributes = legacy::projection(attributes)?;
    let mut placeholders = Placeholders::new(input.expression_attribute_names, None, &given)?;
    let projection = text.map(|text| Projection::parse(text, &mut placeholders)).transpose()?;
    placeholders.all_used()?;
    let projection = projection.or(attributes);

    let table = find(ctx, input.table_name.as_ref()).await?;
    let key = rules::key_of_request(&table.schema, &key)?;
    if let Some(projection) = &projection {
        rules::check_key_paths(&table, projection.paths())?;
    }
    let key = data::item_key(&ctx.account, table.number, &key);
    let item = data::get_packed(ctx.store(), &key, &table.schema).await?;
    let bytes = item.as_ref().map_or(0, |item| item.size);
    let units = Units::from(rules::read_units(bytes, input.consistent_read == Some(true)));
    charge(ctx, &table, &units)?;
    let item = match (item, &projection) {
        (Some(item), Some(projection)) => Some(Answer::Item(projection.of(&item.item()?))),
        (item, _) => item.map(Answer::Packed),
    };
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
    expected: Option<&'a BTreeMap<String, ExpectedAttributeValue>>,
    operator: Option<&'a str>,
}

impl Asked<'_> {
    /// The constraints of the API's model. `subject` is the member that says what is written.
    fn check(
        &self,
        subject: &str,
        given: bool,
        note_more: impl FnOnce(&mut Violations),
    ) -> Result<(), Error> {
        let mut violations = Violations::default();
        violations.table_name(self.table);
        violations.required(subject, given);
        violations.one_of("returnValues", self.returns, RETURN_VALUES);
        violations.one_of("returnValuesOnConditionCheckFailure", self.on_failure, ON_FAILURE);
        violations.return_consumed_capacity(self.capacity);
        violations.return_item_collection_metrics(self.metrics);
        legacy::check_operator_name(&mut violations, self.operator);
        legacy::check_expected(&mut violations, self.expected);
        note_more(&mut violations);
        violations.finish()
    }

    /// Which parameters older than expressions there are, of those that all writes have.
    fn old_parameters(&self) -> [(&'static str, bool); 2] {
        [("Expected", self.expected.is_some()), ("ConditionalOperator", self.operator.is_some())]
    }

    /// What `Expected` demands.
    fn expected(&self) -> Result<Option<Condition>, Error> {
        let expected = legacy::expected(self.expected.cloned(), self.operator)?;
        legacy::check_operator(self.operator, self.expected.map(BTreeMap::len))?;
        Ok(expected)
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
    let asked = Asked {
        table: input.table_name.as_ref(),
        returns: input.return_values.as_deref(),
        on_failure: input.return_values_on_condition_check_failure.as_deref(),
        capacity: input.return_consumed_capacity.as_ref(),
        metrics: input.return_item_collection_metrics.as_ref(),
        expected: input.expected.as_ref(),
        operator: input.conditional_operator.as_deref(),
    };
    asked.check("item", input.item.is_some(), |_| ())?;
    let text = input.condition_expression.as_deref();
    let given = [(Kind::Condition, text.is_some())];
    legacy::not_mixed(&asked.old_parameters(), &given)?;
    Placeholders::check(
        input.expression_attribute_names.is_some(),
        input.expression_attribute_values.is_some(),
        &given,
    )?;
    let item = input.item.map(|item| item.checked()).transpose()?.unwrap_or_default();
    rules::check_size(&item)?;
    let returns = asked.old_or_none()?;
    let expected = asked.expected()?;
    let mut placeholders = Placeholders::new(
        input.expression_attribute_names,
        input.expression_attribute_values,
        &given,
    )?;
    let condition = parse_condition(text, &mut placeholders)?.or(expected);
    placeholders.all_used()?;

    let table = find(ctx, asked.table).await?;
    let key = rules::key_of_item(&table.schema, &item)?;
    let guard = asked.guard(&table, condition)?;
    let change = Change::Put(item);
    let request = Write { table: &table, key, change, guard, returns };
    write(ctx, request, (asked.capacity, asked.metrics)).await
}

pub(crate) async fn delete(ctx: &Ctx, input: DeleteItemInput) -> Result<WriteItemOutput, Error> {
    let asked = Asked {
        table: input.table_name.as_ref(),
        returns: input.return_values.as_deref(),
        on_failure: input.return_values_on_condition_check_failure.as_deref(),
        capacity: input.return_consumed_capacity.as_ref(),
        metrics: input.return_item_collection_metrics.as_ref(),
        expected: input.expected.as_ref(),
        operator: input.conditional_operator.as_deref(),
    };
    asked.check("key", input.key.is_some(), |_| ())?;
    let text = input.condition_expression.as_deref();
    let given = [(Kind::Condition, text.is_some())];
    legacy::not_mixed(&asked.old_parameters(), &given)?;
    Placeholders::check(
        input.expression_attribute_names.is_some(),
        input.expression_attribute_values.is_some(),
        &given,
    )?;
    let key = input.key.map(|key| key.checked()).transpose()?.unwrap_or_default();
    let returns = asked.old_or_none()?;
    let expected = asked.expected()?;
    let mut placeholders = Placeholders::new(
        input.expression_attribute_names,
        input.expression_attribute_values,
        &given,
    )?;
    let condition = parse_condition(text, &mut placeholders)?.or(expected);
    placeholders.all_used()?;

    let table = find(ctx, asked.table).await?;
    let primary = rules::key_of_request(&table.schema, &key)?;
    let guard = asked.guard(&table, condition)?;
    let change = Change::Delete(key);
    let request = Write { table: &table, key: primary, change, guard, returns };
    write(ctx, request, (asked.capacity, asked.metrics)).await
}

pub(crate) async fn update(ctx: &Ctx, input: UpdateItemInput) -> Result<WriteItemOutput, Error> {
    let asked = Asked {
        table: input.table_name.as_ref(),
        returns: input.return_values.as_deref(),
        on_failure: input.return_values_on_condition_check_failure.as_deref(),
        capacity: input.return_consumed_capacity.as_ref(),
        metrics: input.return_item_collection_metrics.as_ref(),
        expected: input.expected.as_ref(),
        operator: input.conditional_operator.as_deref(),
    };
    let updates = input.attribute_updates.as_ref();
    asked.check("key", input.key.is_some(), |v| legacy::check_updates(v, updates))?;
    let (text, condition) =
        (input.update_expression.as_deref(), input.condition_expression.as_deref());
    let given = [(Kind::Update, text.is_some()), (Kind::Condition, condition.is_some())];
    let old = [&[("AttributeUpdates", updates.is_some())], &asked.old_parameters()[..]].concat();
    legacy::not_mixed(&old, &given)?;
    Placeholders::check(
        input.expression_attribute_names.is_some(),
        input.expression_attribute_values.is_some(),
        &given,
    )?;
    let key = input.key.map(|key| key.checked()).transpose()?.unwrap_or_default();
    let (updates, expected) = (legacy::updates(input.attribute_updates)?, asked.expected()?);
    let mut placeholders = Placeholders::new(
        input.expression_attribute_names,
        input.expression_attribute_values,
        &given,
    )?;
    let update = text.map(|text| Update::parse(text, &mut placeholders)).transpose()?;
    let update = update.or(updates);
    let condition = parse_condition(condition, &mut placeholders)?.or(expected);
    placeholders.all_used()?;

    let table = find(ctx, asked.table).await?;
    let primary = rules::key_of_request(&table.schema, &key)?;
    if let Some(update) = &update {
        check_updated_keys(&key, update)?;
    }
    let change = Change::Update { key, update };
    change.check(&table)?;
    if let Change::Update { update: Some(update), .. } = &change {
        rules::check_key_paths(&table, update.all_paths())?;
    }
    let guard = asked.guard(&table, condition)?;
    let returns = match asked.returns {
        Some("ALL_OLD") => Returns::AllOld,
        Some("ALL_NEW") => Returns::AllNew,
        Some("UPDATED_OLD") => Returns::UpdatedOld,
        Some("UPDATED_NEW") => Returns::UpdatedNew,
        _ => Returns::Nothing,
    };
    let request = Write { table: &table, key: primary, change, guard, returns };
    write(ctx, request, (asked.capacity, asked.metrics)).await
}

/// An update may not change the key.
pub(crate) fn check_updated_keys(key: &Item, update: &Update) -> Result<(), Error> {
    for path in update.paths() {
        let head = path.head();
        if key.contains_key(head) {
            return Err(Error::invalid(format_args!(
                "Cannot update attribute {head}. This attribute is part of the key"
            )));
        }
    }
    Ok(())
}

pub(crate) fn parse_condition(
    text: Option<&str>,
    placeholders: &mut Placeholders,
) -> Result<Option<Condition>, Error> {
    let parse = |text| Condition::parse(Kind::Condition, text, placeholders);
    Ok(text.map(parse).transpose()?)
}
