//! TransactWriteItems: the shapes of requests around [`commit`].

use std::sync::Arc;

use base::Arn;
use kit::Ctx;

use crate::api::ConsumedCapacity;
use crate::api::transact::{
    TransactAction, TransactWriteItem, TransactWriteItemsInput, TransactWriteItemsOutput,
};
use crate::data::Table;
use crate::error::Error;
use crate::expression::{Condition, Kind, Placeholders, Update};
use crate::ops::item::{ON_FAILURE, check_updated_keys, parse_condition};
use crate::ops::transact::commit::{Done, commit};
use crate::ops::transact::token::{self, Asked, Token};
use crate::ops::transact::{ITEMS_MAX, all_or_canceled, check_distinct, consumed};
use crate::ops::write::{Change, Guard, Returns, Write};
use crate::ops::{Usage, collection, find, touched};
use crate::rules::{self, PrimaryKey, Violations};
use crate::value::Item;

/// What an action does to its item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Check,
    Put,
    Delete,
    Update,
}

impl Verb {
    /// The member of the request that says it.
    fn member(self) -> &'static str {
        match self {
            Verb::Check => "conditionCheck",
            Verb::Put => "put",
            Verb::Delete => "delete",
            Verb::Update => "update",
        }
    }
}

/// An action, as far as it can be checked without its table.
struct Action {
    table: String,
    /// The item that is put, or the key.
    attributes: Item,
    change: Change,
    guard: Guard,
}

/// The tables of a transaction: each is authorized.
pub(crate) fn touched_by(ctx: &Ctx, input: &TransactWriteItemsInput) -> Vec<Arn> {
    let items = input.transact_items.iter().flatten();
    let tables = items.flat_map(verbs).map(|(_, action)| action.table_name.as_ref());
    tables.flat_map(|table| touched(ctx, table)).collect()
}

fn verbs(item: &TransactWriteItem) -> impl Iterator<Item = (Verb, &TransactAction)> {
    let all = [
        (Verb::Check, &item.condition_check),
        (Verb::Put, &item.put),
        (Verb::Delete, &item.delete),
        (Verb::Update, &item.update),
    ];
    all.into_iter().filter_map(|(verb, action)| Some((verb, action.as_ref()?)))
}

pub(crate) async fn write(
    ctx: &Ctx,
    input: TransactWriteItemsInput,
) -> Result<TransactWriteItemsOutput, Error> {
    check(&input)?;
    let mut asked = Asked::new("TransactWriteItems");
    let items = input.transact_items.unwrap_or_default();
    let given = items.into_iter().map(only).collect::<Result<Vec<_>, Error>>()?;
    let actions = given.into_iter().map(|given| parse(given, &mut asked));
    let actions = actions.collect::<Result<Vec<Action>, Error>>()?;
    let token = input.client_request_token.map(|token| Token::new(ctx, &token, asked));

    let mut tables = Vec::new();
    for action in &actions {
        tables.push(find(ctx, Some(&action.table)).await?);
    }
    let writes = resolve(&tables, actions)?;
    let capacity = input.return_consumed_capacity.as_ref();
    let looks = capacity.is_some_and(|wanted| wanted != "NONE");
    let done = commit(ctx, &writes, token.as_ref(), looks).await?;
    let written: Vec<&Write<'_>> = writes.iter().collect();
    let metrics = input.return_item_collection_metrics.as_ref();
    Ok(TransactWriteItemsOutput {
        consumed_capacity: used(capacity, &tables, &done),
        item_collection_metrics: collection::all(ctx, metrics, &written).await?,
    })
}

/// The capacity used: of writing, or where all was done before, of looking at it again.
pub(crate) fn used(
    capacity: Option<&String>,
    tables: &[Arc<Table>],
    done: &Done,
) -> Option<Vec<ConsumedCapacity>> {
    let usage = match done {
        Done::Now(_) => Usage::Write,
        Done::Before(_) => Usage::Read,
    };
    let units = tables.iter().enumerate().map(|(at, table)| (table, done.used(at).1));
    consumed(capacity, usage, units)
}

/// The constraints of the API's model.
fn check(input: &TransactWriteItemsInput) -> Result<(), Error> {
    let mut violations = Violations::default();
    token::check(&mut violations, input.client_request_token.as_ref());
    violations.return_consumed_capacity(input.return_consumed_capacity.as_ref());
    violations.return_item_collection_metrics(input.return_item_collection_metrics.as_ref());
    violations.list("transactItems", input.transact_items.as_ref(), ITEMS_MAX);
    for (index, item) in input.transact_items.iter().flatten().enumerate() {
        for (verb, action) in verbs(item) {
            let member = verb.member();
            let at = |name: &str| format!("transactItems.{}.member.{member}.{name}", index + 1);
            check_action(&mut violations, verb, action, at);
        }
    }
    violations.finish()
}

/// The one action of an item.
fn only(item: TransactWriteItem) -> Result<(Verb, TransactAction), Error> {
    let all = [
        (Verb::Check, item.condition_check),
        (Verb::Put, item.put),
        (Verb::Delete, item.delete),
        (Verb::Update, item.update),
    ];
    let mut given = all.into_iter().filter_map(|(verb, action)| Some((verb, action?)));
    match (given.next(), given.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Error::validation(
            "Invalid Request: TransactWriteRequest should contain Delete or Put or Update request",
        )),
        (Some(_), Some(_)) => Err(Error::validation(
            "TransactItems can only contain one of Check, Put, Update or Delete",
        )),
    }
}

fn check_action(
    violations: &mut Violations,
    verb: Verb,
    action: &TransactAction,
    at: impl Fn(&str) -> String,
) {
    violations.required(&at("tableName"), action.table_name.is_some());
    violations.name(&at("tableName"), action.table_name.as_deref());
    match verb {
        Verb::Put => violations.required(&at("item"), action.item.is_some()),
        _ => violations.required(&at("key"), action.key.is_some()),
    }
    if verb == Verb::Update {
        violations.required(&at("updateExpression"), action.update_expression.is_some());
    }
    if verb == Verb::Check {
        violations.required(&at("conditionExpression"), action.condition_expression.is_some());
    }
    let on_failure = action.return_values_on_condition_check_failure.as_deref();
    violations.one_of(&at("returnValuesOnConditionCheckFailure"), on_failure, ON_FAILURE);
}

/// Reads one action, and takes it into what the request asks for.
fn parse((verb, action): (Verb, TransactAction), asked: &mut Asked) -> Result<Action, Error> {
    let update = action.update_expression.as_deref().filter(|_| verb == Verb::Update);
    let condition = action.condition_expression.as_deref();
    let given = [(Kind::Update, update.is_some()), (Kind::Condition, condition.is_some())];
    // Only an update is told that it could have had an expression of its own.
    let given = if verb == Verb::Update { &given[..] } else { &given[1..] };
    let (names, values) = (action.expression_attribute_names, action.expression_attribute_values);
    Placeholders::check(names.is_some(), values.is_some(), given)?;
    let attributes = if verb == Verb::Put { action.item } else { action.key };
    let attributes = attributes.map(|given| given.checked()).transpose()?.unwrap_or_default();
    if verb == Verb::Put {
        rules::check_size(&attributes)?;
    }
    let table = action.table_name.unwrap_or_default();
    let on_failure = action.return_values_on_condition_check_failure;
    for text in [verb.member(), &table] {
        asked.text(text);
    }
    asked.item(&attributes);
    asked.option(update);
    asked.option(condition);
    asked.names(names.as_ref());
    let mut placeholders = Placeholders::new(names, values, given)?;
    asked.item(&placeholders.all_values());
    asked.option(on_failure.as_deref());
    let update = update.map(|text| Update::parse(text, &mut placeholders)).transpose()?;
    let condition = parse_condition(condition, &mut placeholders)?;
    placeholders.all_used()?;
    let change = match verb {
        Verb::Check => Change::Check,
        Verb::Put => Change::Put(attributes.clone()),
        Verb::Delete => Change::Delete(attributes.clone()),
        Verb::Update => Change::Update { key: attributes.clone(), update },
    };
    let tells_item = on_failure.as_deref() == Some("ALL_OLD");
    Ok(Action { table, attributes, change, guard: Guard { condition, tells_item } })
}

/// Finds the items that the actions are about, each in the table with its index.
fn resolve(tables: &[Arc<Table>], actions: Vec<Action>) -> Result<Vec<Write<'_>>, Error> {
    for (table, action) in tables.iter().zip(&actions) {
        rules::check_keys_not_empty(&table.schema, &action.attributes)?;
    }
    let keys = tables.iter().zip(&actions).map(|(table, action)| key(table, action));
    let keys = all_or_canceled(keys.collect())?;
    check_distinct(tables.iter().map(|table| &**table).zip(&keys))?;
    let writes = tables.iter().zip(keys).zip(actions).map(|((table, key), action)| Write {
        table,
        key,
        change: action.change,
        guard: action.guard,
        returns: Returns::Nothing,
    });
    Ok(writes.collect())
}

/// The key of an action's item, if the action fits the table.
fn key(table: &Table, action: &Action) -> Result<PrimaryKey, Error> {
    let schema = &table.schema;
    let key = match &action.change {
        Change::Put(item) => rules::key_of_item(schema, item)?,
        _ => rules::key_of_request(schema, &action.attributes)?,
    };
    if let Change::Update { key, update: Some(update) } = &action.change {
        check_updated_keys(key, update)?;
        rules::check_key_paths(table, update.all_paths())?;
    }
    let paths = action.guard.condition.as_ref().map(Condition::paths).unwrap_or_default();
    rules::check_key_paths(table, paths)?;
    Ok(key)
}
