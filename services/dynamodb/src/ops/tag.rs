//! TagResource, UntagResource and ListTagsOfResource.

use std::sync::Arc;

use base::Arn;
use kit::{Ctx, unserved};

use crate::api::resource::{
    ListTagsOfResourceInput, ListTagsOfResourceOutput, Nothing, TagResourceInput,
    UntagResourceInput,
};
use crate::api::table::Tag;
use crate::data::{self, Table, Tables};
use crate::error::Error;
use crate::ops::name;
use crate::rules::tag::{TAGS_MAX, check_count, key, tags};
use crate::rules::{Violations, is_table};

pub(crate) async fn tag(ctx: &Ctx, input: TagResourceInput) -> Result<Nothing, Error> {
    let arn = check_form(ctx, input.resource_arn)?;
    let mut violations = Violations::default();
    violations.required("tags", input.tags.is_some());
    violations.finish()?;
    let table = check_table(&arn)?;
    let given = input.tags.unwrap_or_default();
    if given.is_empty() {
        return Err(Error::validation("Atleast one Tag needs to be provided as Input."));
    }
    let new = &tags(&given)?;
    let found = find(ctx, table).await?.ok_or(Error::NoResource(arn))?;
    change(ctx, &found, |mut table| {
        table.tags.extend(new.clone());
        check_count(table.tags.len())?;
        Ok(table)
    })
    .await
}

pub(crate) async fn untag(ctx: &Ctx, input: UntagResourceInput) -> Result<Nothing, Error> {
    let arn = check_form(ctx, input.resource_arn)?;
    let mut violations = Violations::default();
    violations.required("tagKeys", input.tag_keys.is_some());
    violations.finish()?;
    let table = check_table(&arn)?;
    let keys = &input.tag_keys.unwrap_or_default();
    if keys.is_empty() {
        return Err(Error::validation("Atleast one Tag Key needs to be provided as Input."));
    }
    for given in keys {
        key(Some(given))?;
    }
    if keys.len() > TAGS_MAX {
        check_count(keys.len())?;
    }
    let found = find(ctx, table).await?.ok_or(Error::NoTable)?;
    change(ctx, &found, |mut table| {
        table.tags.retain(|key, _| !keys.contains(key));
        Ok(table)
    })
    .await
}

pub(crate) async fn list(
    ctx: &Ctx,
    input: ListTagsOfResourceInput,
) -> Result<ListTagsOfResourceOutput, Error> {
    unserved::refuse(ctx, &[("NextToken", &input.next_token)])?;
    let arn = check_form(ctx, input.resource_arn)?;
    let table = check_table(&arn)?;
    let table = find(ctx, table).await?.ok_or(Error::NoResource(arn))?;
    let tag = |(key, value): (&String, &String)| Tag {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    Ok(ListTagsOfResourceOutput { tags: table.tags.iter().map(tag).collect() })
}

async fn change(
    ctx: &Ctx,
    found: &Table,
    change: impl Fn(Table) -> Result<Table, Error>,
) -> Result<Nothing, Error> {
    let (key, change) = (&data::table_key(&ctx.account, &ctx.region, &found.name), &change);
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            let table: Option<Table> = tx.get_record(key).await?;
            let table = table.filter(|table| table.number == found.number);
            let table = change(table.ok_or(Error::NoTable)?)?;
            ctx.state::<Arc<Tables>>().changed(&tx, key);
            Ok::<_, Error>(tx.put_record(key.clone(), &table)?)
        })
        .await?;
    Ok(Nothing {})
}

/// Who names nothing that could be a resource is told that he may not touch it.
fn check_form(ctx: &Ctx, given: Option<String>) -> Result<String, Error> {
    let arn = given.ok_or_else(|| Error::validation("Invalid TableArn"))?;
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ends = parts.last().and_then(|last| last.split_once('/'));
    let is_whole = parts.len() == 6
        && parts.iter().all(|part| !part.is_empty())
        && ends.is_some_and(|(kind, id)| !kind.is_empty() && !id.is_empty());
    if !is_whole {
        let resource = if arn.is_empty() { "*" } else { &arn };
        return Err(Error::AccessDenied(format!(
            "User: {} is not authorized to perform: {}:{} on resource: {resource}",
            ctx.caller.arn, ctx.service, ctx.operation
        )));
    }
    Ok(arn)
}

/// The ARN, if it is that of a table.
fn check_table(arn: &str) -> Result<Arn, Error> {
    let parsed = arn.parse::<Arn>().ok().filter(|arn| arn.service == "dynamodb");
    let named = |arn: &Arn| arn.resource.strip_prefix("table/").is_some_and(is_table);
    parsed.filter(named).ok_or_else(|| {
        let why = format!("Invalid TableArn: Invalid ResourceArn provided as input {arn}");
        Error::validation(why)
    })
}

/// The table of an ARN, once it is there for others.
async fn find(ctx: &Ctx, arn: Arn) -> Result<Option<Arc<Table>>, Error> {
    let table = match name(ctx, &arn.to_string()) {
        Some(name) => ctx.state::<Arc<Tables>>().get(ctx, name).await?,
        None => None,
    };
    Ok(table.filter(|table| !table.is_creating()))
}
