//! PartiQL: ExecuteStatement, BatchExecuteStatement, ExecuteTransaction. A statement ends in the
//! same writes and reads as the other operations.

pub(crate) mod batch;
pub(crate) mod execute;
mod select;
pub(crate) mod transaction;

use base::Arn;
use kit::Ctx;

use crate::data::Table;
use crate::error::Error;
use crate::expression::{Condition, Path};
use crate::ops::item::{ON_FAILURE, check_updated_keys};
use crate::ops::touched;
use crate::ops::write::{Change, Guard, Returns, Write};
use crate::partiql::{self, Column, Fault, Select, Statement};
use crate::rules::{self, PrimaryKey, Violations};
use crate::value::{Given, Item, Value};

/// How long a statement may be.
const STATEMENT_CHARS_MAX: usize = 8_192;

/// The table a statement is about: it is authorized. Where none is found, the statement is none.
fn touches(ctx: &Ctx, text: Option<&String>) -> Vec<Arn> {
    let table = text.and_then(|text| partiql::table(text));
    touched(ctx, table.as_ref())
}

/// The constraints of the API's model that all statements share. `at` is where it stands.
fn check(
    violations: &mut Violations,
    at: &str,
    statement: Option<&String>,
    parameters: Option<&Vec<Given<Value>>>,
    on_failure: Option<&String>,
) {
    let statement_at = format!("{at}statement");
    violations.required(&statement_at, statement.is_some());
    let statement = statement.map(String::as_str);
    violations.length(&statement_at, statement, 1, STATEMENT_CHARS_MAX);
    if parameters.is_some_and(Vec::is_empty) {
        let must = "have length greater than or equal to 1";
        violations.note("'[]'", &format!("{at}parameters"), must);
    }
    let failure_at = format!("{at}returnValuesOnConditionCheckFailure");
    violations.one_of(&failure_at, on_failure.map(String::as_str), ON_FAILURE);
}

/// What the question marks of a statement stand for.
fn parameters(given: Option<Vec<Given<Value>>>) -> Result<Vec<Value>, Error> {
    let all = given.unwrap_or_default().into_iter().map(|each| each.checked());
    Ok(all.collect::<Result<Vec<Value>, _>>()?)
}

/// What a statement does to its item. A SELECT does nothing.
fn write_of(table: &Table, statement: Statement, tells_item: bool) -> Result<Write<'_>, Error> {
    let schema = &table.schema;
    let partition = || Path::new(schema.partition.name.clone());
    let (key, change, conditions, returns) = match statement {
        Statement::Insert { item, .. } => {
            rules::check_size(&item)?;
            let key = rules::key_of_item(schema, &item)?;
            // An item that is there is a fault of its own: see `duplicate`.
            let conditions = vec![Condition::NotExists(partition())];
            (key, Change::Put(item), conditions, Returns::Nothing)
        }
        Statement::Update { update, condition, returns, .. } => {
            let (key, mut conditions) = partiql::split_key(schema, condition)?;
            let primary = rules::key_of_request(schema, &key)?;
            check_updated_keys(&key, &update)?;
            rules::check_key_paths(table, update.all_paths())?;
            // Unlike UpdateItem it makes no item.
            conditions.insert(0, Condition::Exists(partition()));
            (primary, Change::Update { key, update: Some(update) }, conditions, returns)
        }
        Statement::Delete { condition, returns, .. } => {
            let (key, conditions) = partiql::split_key(schema, condition)?;
            let primary = rules::key_of_request(schema, &key)?;
            // Where there is no item, no condition is looked at.
            let none = Condition::NotExists(partition());
            let conditions = match conditions.is_empty() {
                true => Vec::new(),
                false => vec![Condition::Or(vec![none, Condition::And(conditions)])],
            };
            (primary, Change::Delete(key), conditions, returns)
        }
        Statement::Exists(Select { condition, source, .. })
        | Statement::Select(Select { condition, source, .. }) => {
            let split = partiql::split_key(schema, condition);
            let (key, mut conditions) = split.map_err(|_| Fault::Exists)?;
            if conditions.is_empty() || source.index.is_some() {
                return Err(Fault::Exists.into());
            }
            let primary = rules::key_of_request(schema, &key)?;
            conditions.insert(0, Condition::Exists(partition()));
            (primary, Change::Check, conditions, Returns::Nothing)
        }
    };
    let condition = (!conditions.is_empty()).then_some(Condition::And(conditions));
    let paths = condition.as_ref().map(Condition::paths).unwrap_or_default();
    rules::check_key_paths(table, paths)?;
    Ok(Write { table, key, change, guard: Guard { condition, tells_item }, returns })
}

/// The key of the one item a SELECT wants; `api` is where no other may stand.
fn key_of(table: &Table, select: &Select, api: &str) -> Result<PrimaryKey, Error> {
    let Select { condition, source, orders, .. } = select;
    let split = partiql::split_key(&table.schema, condition.clone());
    match split {
        Ok((key, rest)) if rest.is_empty() && source.index.is_none() && orders.is_empty() => {
            rules::key_of_request(&table.schema, &key)
        }
        _ => Err(Error::validation(format!(
            "Select statements within {api} must specify the primary key in the where clause."
        ))),
    }
}

/// What the reply has of an item.
fn columns_of(columns: Option<&Vec<Column>>, item: Item) -> Item {
    let Some(columns) = columns else { return item };
    let found = columns.iter();
    found.filter_map(|each| Some((each.name.clone(), each.path.get(&item)?.clone()))).collect()
}

/// The fault of an INSERT whose item is there.
fn duplicate(error: Error) -> Error {
    match error {
        Error::ConditionFailed(_) => Error::Duplicate,
        other => other,
    }
}
