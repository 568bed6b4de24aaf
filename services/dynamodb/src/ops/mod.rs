//! The operations, one file per noun, and what they share: finding the table a request names.

pub(crate) mod batch;
pub(crate) mod item;
pub(crate) mod page;
pub(crate) mod query;
pub(crate) mod table;
pub(crate) mod write;

use std::sync::Arc;

use base::Arn;
use kit::Ctx;
use kit::unserved::Unserved;
use serde_json::Value;

use crate::api::{Capacity, ConsumedCapacity};
use crate::data::{Table, Tables};
use crate::error::Error;

/// The table a request is about, by name or ARN: what `authorize` looks at.
pub(crate) fn touched(ctx: &Ctx, table: Option<&String>) -> Vec<Arn> {
    table.map(|table| arn(ctx, table)).into_iter().collect()
}

/// The ARN of a table that is named or is an ARN already.
pub(crate) fn arn(ctx: &Ctx, table: &str) -> Arn {
    table.parse().unwrap_or_else(|_| ctx.arn("dynamodb", format!("table/{table}")))
}

/// The name of a table that is named or is an ARN. `None` for an ARN of something else, or of
/// another account or region, where we have no tables.
fn name<'a>(ctx: &Ctx, table: &'a str) -> Option<&'a str> {
    let Ok(arn) = table.parse::<Arn>() else { return Some(table) };
    let (_, name) = table.rsplit_once('/')?;
    (arn == ctx.arn("dynamodb", format!("table/{name}"))).then_some(name)
}

/// The table whose items a request is about.
async fn find(ctx: &Ctx, table: Option<&String>) -> Result<Arc<Table>, Error> {
    let name = table.and_then(|table| name(ctx, table)).ok_or(Error::NoTable)?;
    ctx.state::<Arc<Tables>>().get(ctx, name).await?.ok_or(Error::NoTable)
}

/// Refuses parameters of the language before expressions, by name. Unlike members that ask for
/// more, these say something in every form but an empty one: `Exists: false` is a condition.
fn refuse_legacy(ctx: &Ctx, members: &[(&str, &Unserved)]) -> Result<(), Error> {
    let is_empty = |value: &Value| match value {
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
        other => other.is_null(),
    };
    for (name, member) in members {
        if member.given().is_some_and(|value| !is_empty(value)) {
            let what = format_args!("{}.{} with {name}", ctx.service, ctx.operation);
            return Err(kit::Error::not_served(what).into());
        }
    }
    Ok(())
}

/// The capacity a request has used, if it wants to know.
fn consumed(wanted: Option<&String>, table: &Table, units: f64) -> Option<ConsumedCapacity> {
    let wanted = wanted.filter(|wanted| *wanted != "NONE")?;
    let capacity = (wanted == "INDEXES").then_some(Capacity { capacity_units: units });
    Some(ConsumedCapacity {
        table_name: table.name.clone(),
        capacity_units: units,
        table: capacity,
    })
}
