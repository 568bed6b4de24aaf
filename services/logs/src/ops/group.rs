//! Groups: made, deleted, described.

use base::Arn;
use kit::{Ctx, unserved};
use telemetry::{Group, GroupName, LogStore};

use crate::api;
use crate::error::{Error, Result};
use crate::rules::name;

/// Groups or streams in one answer, and the most a client may ask for.
const DESCRIBE_MAX: i64 = 50;

pub(crate) async fn create(ctx: &Ctx, input: api::CreateLogGroupInput) -> Result<api::Nothing> {
    unserved::refuse(
        ctx,
        &[
            ("kmsKeyId", &input.kms_key_id),
            ("tags", &input.tags),
            ("deletionProtectionEnabled", &input.deletion_protection_enabled),
        ],
    )?;
    if let Some(class) = input.log_group_class.filter(|class| class != "STANDARD") {
        return Err(Error::not_served(format_args!("log group class {class}")));
    }
    let logs: &LogStore = ctx.state();
    let name = named(ctx, name::group("logGroupName", input.log_group_name.as_deref())?);
    if logs.create_group(&name).await? { Ok(api::Nothing {}) } else { Err(Error::GroupExists) }
}

pub(crate) async fn delete(ctx: &Ctx, input: api::DeleteLogGroupInput) -> Result<api::Nothing> {
    let logs: &LogStore = ctx.state();
    let name = named(ctx, name::group("logGroupName", input.log_group_name.as_deref())?);
    if logs.delete_group(&name).await? { Ok(api::Nothing {}) } else { Err(Error::NoGroup) }
}

pub(crate) async fn describe(
    ctx: &Ctx,
    input: api::DescribeLogGroupsInput,
) -> Result<api::DescribeLogGroupsOutput> {
    unserved::refuse(
        ctx,
        &[
            ("accountIdentifiers", &input.account_identifiers),
            ("includeLinkedAccounts", &input.include_linked_accounts),
            ("logGroupClass", &input.log_group_class),
            ("logGroupIdentifiers", &input.log_group_identifiers),
        ],
    )?;
    let logs: &LogStore = ctx.state();
    let limit = limit(input.limit)?;
    let (prefix, pattern) = (input.log_group_name_prefix, input.log_group_name_pattern);
    if prefix.is_some() && pattern.is_some() {
        let why =
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.";
        return Err(Error::InvalidParameter(why.to_owned()));
    }
    if pattern.is_some() {
        return Err(Error::not_served("logs.DescribeLogGroups with logGroupNamePattern"));
    }
    let prefix = prefix.unwrap_or_default();
    let after = input.next_token.as_deref();
    let mut found = logs.groups(&ctx.account, &ctx.region, &prefix, after, limit + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next_token = found.last().filter(|_| more).map(|(name, _)| name.clone());
    let log_groups = found.into_iter().map(|(name, group)| show(ctx, name, &group)).collect();
    Ok(api::DescribeLogGroupsOutput { log_groups, next_token })
}

fn show(ctx: &Ctx, name: String, group: &Group) -> api::LogGroup {
    let arn = arn(ctx, &name).to_string();
    api::LogGroup {
        arn: format!("{arn}:*"),
        log_group_arn: arn,
        log_group_name: name,
        creation_time: group.created.as_millis(),
        metric_filter_count: 0,
        log_group_class: "STANDARD",
        stored_bytes: group.bytes,
    }
}

/// The ARN of a group.
pub(crate) fn arn(ctx: &Ctx, name: &str) -> Arn {
    ctx.arn("logs", format!("log-group:{name}"))
}

/// A group of the request's account and region.
pub(crate) fn named(ctx: &Ctx, name: String) -> GroupName {
    GroupName { account: ctx.account.clone(), region: ctx.region.clone(), name }
}

/// The group a request names by one of two members, which must exist.
pub(crate) async fn existing(
    ctx: &Ctx,
    group_name: Option<&str>,
    identifier: Option<&str>,
) -> Result<GroupName> {
    let name = match (group_name, identifier) {
        (Some(_), Some(_)) => {
            let why = "LogGroup name and LogGroup ARN are mutually exclusive parameters.";
            return Err(Error::InvalidParameter(why.to_owned()));
        }
        (None, Some(identifier)) => {
            name::group("logGroupIdentifier", Some(name::of_identifier(identifier)))?
        }
        (name, None) => name::group("logGroupName", name)?,
    };
    let name = named(ctx, name);
    let found = ctx.state::<LogStore>().group(&name).await?;
    found.map(|_| name).ok_or(Error::NoGroup)
}

/// How many groups or streams to give.
pub(crate) fn limit(asked: Option<i64>) -> Result<usize> {
    let limit = asked.unwrap_or(DESCRIBE_MAX);
    if limit > DESCRIBE_MAX {
        let must = "Member must have value less than or equal to 50";
        return Err(Error::constraint("limit", limit, must));
    }
    let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0);
    let must = "Member must have value greater than or equal to 1";
    limit.ok_or_else(|| Error::constraint("limit", asked.unwrap_or_default(), must))
}
