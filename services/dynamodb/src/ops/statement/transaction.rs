//! ExecuteTransaction: statements that are done together, or not at all.

use std::sync::Arc;

use base::Arn;
use kit::Ctx;

use crate::api::statement::{ExecuteTransactionInput, ParameterizedStatement};
use crate::api::transact::TransactionOutput;
use crate::data::Table;
use crate::error::Error;
use crate::ops::find;
use crate::ops::statement::{check, columns_of, key_of, parameters, touches, write_of};
use crate::ops::transact::commit::commit;
use crate::ops::transact::get::{Wanted, read};
use crate::ops::transact::token::{self, Asked, Token};
use crate::ops::transact::write::used;
use crate::ops::transact::{ITEMS_MAX, all_or_canceled, check_distinct};
use crate::ops::write::Write;
use crate::partiql::{Fault, Select, Statement};
use crate::rules::Violations;
use crate::value::{Item, Value};

const API: &str = "ExecuteTransaction";

/// A statement, and whether its failure tells the item.
type Parsed = (Statement, bool);

pub(crate) fn touched_by(ctx: &Ctx, input: &ExecuteTransactionInput) -> Vec<Arn> {
    let all = input.transact_statements.iter().flatten();
    all.flat_map(|each| touches(ctx, each.statement.as_ref())).collect()
}

pub(crate) async fn execute(
    ctx: &Ctx,
    input: ExecuteTransactionInput,
) -> Result<TransactionOutput, Error> {
    check_input(&input)?;
    let capacity = input.return_consumed_capacity.as_ref();
    let mut asked = Asked::new(API);
    let mut statements = Vec::new();
    for (index, given) in input.transact_statements.unwrap_or_default().into_iter().enumerate() {
        statements.push(parse(index, given, &mut asked)?);
    }
    let reads = statements.iter().filter(|(statement, _)| statement.reads()).count();
    if reads > 0 && reads < statements.len() {
        return Err(Error::validation(format!(
            "{API} API does not support both read and write operations in the same request."
        )));
    }
    let mut tables = Vec::new();
    for (statement, _) in &statements {
        tables.push(find(ctx, Some(statement.table())).await?);
    }
    if reads > 0 {
        return select(ctx, tables, statements, capacity).await;
    }
    let token = input.client_request_token.map(|token| Token::new(ctx, &token, asked));
    change(ctx, &tables, statements, token.as_ref(), capacity).await
}

/// The constraints of the API's model.
fn check_input(input: &ExecuteTransactionInput) -> Result<(), Error> {
    let mut violations = Violations::default();
    token::check(&mut violations, input.client_request_token.as_ref());
    violations.return_consumed_capacity(input.return_consumed_capacity.as_ref());
    violations.list("transactStatements", input.transact_statements.as_ref(), ITEMS_MAX);
    for (index, each) in input.transact_statements.iter().flatten().enumerate() {
        let at = format!("transactStatements.{}.member.", index + 1);
        let on_failure = each.return_values_on_condition_check_failure.as_ref();
        let parameters = each.parameters.as_ref();
        check(&mut violations, &at, each.statement.as_ref(), parameters, on_failure);
    }
    violations.finish()
}

/// Says which statement cannot be part of a transaction.
fn failed(index: usize, why: impl std::fmt::Display) -> Error {
    Error::validation(format!("Validation failed in TransactStatements[{index}]: {why}"))
}

/// Reads one statement, and takes it into what the request asks for.
fn parse(index: usize, given: ParameterizedStatement, asked: &mut Asked) -> Result<Parsed, Error> {
    let text = given.statement.unwrap_or_default();
    let parameters = parameters(given.parameters)?;
    let on_failure = given.return_values_on_condition_check_failure;
    asked.text(&text);
    asked.item(&Item::from([("parameters".to_owned(), Value::L(parameters.clone()))]));
    asked.option(on_failure.as_deref());
    let statement = Statement::parse(&text, &parameters).map_err(|why| failed(index, why))?;
    if statement.has_returning() {
        return Err(failed(index, Fault::ReturningInTransaction));
    }
    Ok((statement, on_failure.as_deref() == Some("ALL_OLD")))
}

async fn select(
    ctx: &Ctx,
    tables: Vec<Arc<Table>>,
    statements: Vec<Parsed>,
    capacity: Option<&String>,
) -> Result<TransactionOutput, Error> {
    let selects = statements.into_iter().filter_map(|(statement, _)| match statement {
        Statement::Select(select) => Some(select),
        _ => None,
    });
    let selects: Vec<Select> = selects.collect();
    let mut wanted = Vec::new();
    for (index, (table, select)) in tables.into_iter().zip(&selects).enumerate() {
        let key = key_of(&table, select, API).map_err(|why| failed(index, why))?;
        wanted.push(Wanted { table, key, projection: None });
    }
    let mut output = read(ctx, &wanted, capacity).await?;
    for (response, select) in output.responses.iter_mut().zip(&selects) {
        let item = response.item.take();
        response.item = item.map(|item| columns_of(select.columns.as_ref(), item));
    }
    Ok(output)
}

async fn change(
    ctx: &Ctx,
    tables: &[Arc<Table>],
    statements: Vec<Parsed>,
    token: Option<&Token>,
    capacity: Option<&String>,
) -> Result<TransactionOutput, Error> {
    let inserts: Vec<bool> =
        statements.iter().map(|(each, _)| matches!(each, Statement::Insert { .. })).collect();
    let mut writes = Vec::new();
    for (index, (table, (statement, tells_item))) in tables.iter().zip(statements).enumerate() {
        writes.push(match write_of(table, statement, tells_item) {
            Err(Error::Statement(why)) => return Err(failed(index, why)),
            write => write,
        });
    }
    let writes: Vec<Write<'_>> = all_or_canceled(writes)?;
    check_distinct(writes.iter().map(|write| (write.table, &write.key)))?;
    let looks = capacity.is_some_and(|wanted| wanted != "NONE");
    let done = commit(ctx, &writes, token, looks).await;
    let done = done.map_err(|error| told(error, &inserts))?;
    let consumed_capacity = used(capacity, tables, &done);
    Ok(TransactionOutput { responses: Vec::new(), consumed_capacity })
}

/// Says of an INSERT whose item is there what is wrong with it.
fn told(error: Error, inserts: &[bool]) -> Error {
    let Error::Canceled(mut reasons) = error else { return error };
    for (reason, _) in reasons.iter_mut().zip(inserts).filter(|(_, inserts)| **inserts) {
        reason.name_duplicate();
    }
    Error::Canceled(reasons)
}
