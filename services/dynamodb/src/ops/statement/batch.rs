//! BatchExecuteStatement: statements that have nothing to do with each other.

use std::sync::Arc;

use base::Arn;
use kit::Ctx;

use crate::api::ConsumedCapacity;
use crate::api::statement::{
    BatchExecuteStatementInput, BatchExecuteStatementOutput, BatchResponse, BatchStatement,
};
use crate::data::{self, Table};
use crate::error::{Error, Reason};
use crate::ops::statement::{check, columns_of, duplicate, key_of, parameters, touches, write_of};
use crate::ops::write::write;
use crate::ops::{Units, charge, consumed, find};
use crate::partiql::{Fault, Select, Statement};
use crate::rules::{self, Violations};
use crate::value::{Item, size};

const STATEMENTS_MAX: usize = 25;
const API: &str = "BatchExecuteStatement";

pub(crate) fn touched_by(ctx: &Ctx, input: &BatchExecuteStatementInput) -> Vec<Arn> {
    let all = input.statements.iter().flatten();
    all.flat_map(|each| touches(ctx, each.statement.as_ref())).collect()
}

/// What came of a statement that was done.
struct Done {
    table: Arc<Table>,
    item: Option<Item>,
    capacity: Option<ConsumedCapacity>,
}

pub(crate) async fn execute(
    ctx: &Ctx,
    input: BatchExecuteStatementInput,
) -> Result<BatchExecuteStatementOutput, Error> {
    let capacity = input.return_consumed_capacity.as_ref();
    let mut violations = Violations::default();
    violations.return_consumed_capacity(capacity);
    violations.list("statements", input.statements.as_ref(), STATEMENTS_MAX);
    for (index, each) in input.statements.iter().flatten().enumerate() {
        let at = format!("statements.{}.member.", index + 1);
        let on_failure = each.return_values_on_condition_check_failure.as_ref();
        let parameters = each.parameters.as_ref();
        check(&mut violations, &at, each.statement.as_ref(), parameters, on_failure);
    }
    violations.finish()?;
    let parse = |given: BatchStatement| {
        let parameters = parameters(given.parameters);
        let text = given.statement.unwrap_or_default();
        let parsed = parameters.and_then(|all| Ok(Statement::parse(&text, &all)?));
        let consistent = given.consistent_read == Some(true);
        let on_failure = given.return_values_on_condition_check_failure;
        (parsed, consistent, on_failure.is_some_and(|wanted| wanted == "ALL_OLD"))
    };
    let parsed = input.statements.unwrap_or_default().into_iter().map(parse).collect::<Vec<_>>();
    check_kinds(parsed.iter().filter_map(|(parsed, ..)| parsed.as_ref().ok()))?;
    let (mut responses, mut used) = (Vec::new(), Vec::new());
    for (parsed, consistent, tells_item) in parsed {
        let done = match parsed {
            Ok(Statement::Select(select)) => get(ctx, &select, consistent, capacity).await,
            Ok(statement) => change(ctx, statement, tells_item, capacity).await,
            Err(error) => Err(error),
        };
        responses.push(match done {
            Ok(Done { table, item, capacity }) => {
                used.extend(capacity);
                BatchResponse { error: None, table_name: Some(table.name.clone()), item }
            }
            Err(error) => BatchResponse { error: Some(reason(error)), ..BatchResponse::default() },
        });
    }
    let wants_capacity = capacity.is_some_and(|wanted| wanted != "NONE");
    Ok(BatchExecuteStatementOutput { responses, consumed_capacity: wants_capacity.then_some(used) })
}

/// A batch reads or writes, not both.
fn check_kinds<'a>(mut all: impl Iterator<Item = &'a Statement>) -> Result<(), Error> {
    let Some(first) = all.next() else { return Ok(()) };
    if all.any(|each| each.reads() != first.reads()) {
        return Err(Error::validation(format!(
            "{API} API does not support both read and write operations in the same request."
        )));
    }
    Ok(())
}

async fn get(
    ctx: &Ctx,
    select: &Select,
    consistent: bool,
    capacity: Option<&String>,
) -> Result<Done, Error> {
    let table = find(ctx, Some(&select.source.table)).await?;
    let key = key_of(&table, select, API)?;
    let key = data::item_key(&ctx.account, table.number, &key);
    let item = data::get(ctx.store(), &key).await?;
    let units = Units::from(rules::read_units(item.as_ref().map_or(0, size), consistent));
    charge(ctx, &table, &units)?;
    let capacity = consumed(capacity, &table, units);
    let item = item.map(|item| columns_of(select.columns.as_ref(), item));
    Ok(Done { table, item, capacity })
}

async fn change(
    ctx: &Ctx,
    statement: Statement,
    tells_item: bool,
    capacity: Option<&String>,
) -> Result<Done, Error> {
    if matches!(statement, Statement::Exists(_)) {
        return Err(Fault::ExistsOutside.into());
    }
    let table = find(ctx, Some(statement.table())).await?;
    let inserts = matches!(statement, Statement::Insert { .. });
    let request = write_of(&table, statement, tells_item)?;
    let written = write(ctx, request, (capacity, None)).await;
    let written = written.map_err(|error| if inserts { duplicate(error) } else { error })?;
    let item = written.attributes.filter(|item| !item.is_empty());
    Ok(Done { table, item, capacity: written.consumed_capacity })
}

/// Why a statement was not done. Other statements are done all the same.
fn reason(error: Error) -> Reason {
    let code = match error {
        Error::NoTable => "ResourceNotFound",
        Error::OverProvisioned(_) => "ProvisionedThroughputExceeded",
        Error::OverMaximum => "ThrottlingError",
        _ => "InternalServerError",
    };
    Reason::of(error).unwrap_or_else(|other| Reason {
        code,
        message: Some(other.to_string()),
        item: None,
    })
}
