//! ExecuteStatement.

use base::Arn;
use kit::Ctx;

use crate::api::WriteItemOutput;
use crate::api::statement::{ExecuteStatementInput, ExecuteStatementOutput};
use crate::error::Error;
use crate::ops::statement::select::{self, Token};
use crate::ops::statement::{check, duplicate, parameters, touches, write_of};
use crate::ops::write::write;
use crate::ops::{find, page};
use crate::partiql::{Fault, Statement};
use crate::rules::Violations;

const TOKEN_CHARS_MAX: usize = 32_768;

pub(crate) fn touched_by(ctx: &Ctx, input: &ExecuteStatementInput) -> Vec<Arn> {
    touches(ctx, input.statement.as_ref())
}

pub(crate) async fn execute(
    ctx: &Ctx,
    input: ExecuteStatementInput,
) -> Result<ExecuteStatementOutput, Error> {
    let on_failure = input.return_values_on_condition_check_failure.as_ref();
    let capacity = input.return_consumed_capacity.as_ref();
    let mut violations = Violations::default();
    check(&mut violations, "", input.statement.as_ref(), input.parameters.as_ref(), on_failure);
    violations.length("nextToken", input.next_token.as_deref(), 1, TOKEN_CHARS_MAX);
    violations.range("limit", input.limit.map(i64::from), 1, i64::from(i32::MAX));
    violations.return_consumed_capacity(capacity);
    violations.finish()?;
    let text = input.statement.unwrap_or_default();
    let parameters = parameters(input.parameters)?;
    let statement = Statement::parse(&text, &parameters)?;
    let token = Token::new(&text, &parameters);
    let tells_item = on_failure.is_some_and(|wanted| wanted == "ALL_OLD");
    match statement {
        Statement::Select(select) => {
            let start = input.next_token.map(|given| token.read(&given)).transpose()?;
            let table = find(ctx, Some(&select.source.table)).await?;
            let page = select::Page {
                limit: page::limit(input.limit),
                consistent: input.consistent_read == Some(true),
                start,
            };
            let read = select::read(ctx, &table, &select, page, capacity).await?;
            Ok(ExecuteStatementOutput {
                items: read.items,
                next_token: read.last.as_ref().map(|last| token.write(last)),
                last_evaluated_key: read.last,
                consumed_capacity: read.capacity,
            })
        }
        Statement::Exists(_) => Err(Fault::ExistsOutside.into()),
        statement => {
            let table = find(ctx, Some(statement.table())).await?;
            let inserts = matches!(statement, Statement::Insert { .. });
            let request = write_of(&table, statement, tells_item)?;
            let written = write(ctx, request, (capacity, None)).await;
            let WriteItemOutput { attributes, consumed_capacity, .. } =
                written.map_err(|error| if inserts { duplicate(error) } else { error })?;
            Ok(ExecuteStatementOutput {
                items: attributes.into_iter().filter(|item| !item.is_empty()).collect(),
                consumed_capacity,
                ..ExecuteStatementOutput::default()
            })
        }
    }
}
