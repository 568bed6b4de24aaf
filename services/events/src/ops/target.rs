//! Targets of a rule: put, removed, listed.

use std::collections::BTreeSet;

use base::Arn;
use kit::{Ctx, unserved};

use crate::api::{
    FailedEntriesOutput, FailedEntry, ListTargetsInput, ListTargetsOutput, PutTargetsInput,
    RemoveTargetsInput, SqsParameters, TargetInput, TargetOutput,
};
use crate::data::{self, Target};
use crate::error::Error;
use crate::ops::{check_bus, existing, page_len, read, rule_arn};
use crate::rules::check_name;

/// Targets of one rule. Together with `INPUT_CHARS_MAX` it bounds the record of a rule.
const TARGETS_MAX: usize = 5;
const INPUT_CHARS_MAX: usize = 8192;

pub(crate) async fn put(ctx: &Ctx, input: PutTargetsInput) -> Result<FailedEntriesOutput, Error> {
    check_bus(input.event_bus_name.as_deref())?;
    let mut targets = Vec::with_capacity(input.targets.len());
    for target in input.targets {
        targets.push(parse(ctx, target)?);
    }
    let (arn, targets) = (&rule_arn(ctx, &input.rule), &targets);
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            let mut rule = existing(&tx, arn).await?;
            for target in targets {
                rule.targets.retain(|before| before.id != target.id);
                rule.targets.push(target.clone());
            }
            if rule.targets.len() > TARGETS_MAX {
                return Err(Error::Limit);
            }
            tx.put_record(data::rule_key(arn)?, &rule)?;
            Ok(())
        })
        .await?;
    Ok(FailedEntriesOutput { failed_entry_count: 0, failed_entries: Vec::new() })
}

/// A target as given, checked. What it cannot do here is refused now and not found out at night.
fn parse(ctx: &Ctx, input: TargetInput) -> Result<Target, Error> {
    unserved::refuse(ctx, &input.unserved())?;
    check_name("targets.id", &input.id)?;
    let arn: Arn = input.arn.parse()?;
    if arn.account != ctx.account.as_str() {
        return Err(kit::Error::not_served("a target in another account").into());
    }
    if !ctx.kit.targets.takes(&arn) {
        let what = format!("{} as a target of rules", arn.service);
        return Err(kit::Error::not_served(what).into());
    }
    if let Some(text) = &input.input {
        if text.chars().count() > INPUT_CHARS_MAX {
            let must = "Member must have length less than or equal to 8192";
            return Err(Error::constraint("targets.input", text, must));
        }
        if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
            let text = format!("JSON syntax error in input for target {}.", input.id);
            return Err(Error::Validation(text));
        }
    }
    let group_id = input.sqs_parameters.and_then(|sqs| sqs.message_group_id);
    let is_fifo = arn.service == "sqs" && arn.resource.ends_with(".fifo");
    if is_fifo && group_id.is_none() {
        let id = &input.id;
        let text = format!("Parameter(s) SqsParameters must be specified for target: {id}.");
        return Err(Error::Validation(text));
    }
    if !is_fifo && group_id.is_some() {
        return Err(kit::Error::not_served("SqsParameters of what is no FIFO queue").into());
    }
    Ok(Target { id: input.id, arn, role_arn: input.role_arn, input: input.input, group_id })
}

pub(crate) async fn remove(
    ctx: &Ctx,
    input: RemoveTargetsInput,
) -> Result<FailedEntriesOutput, Error> {
    check_bus(input.event_bus_name.as_deref())?;
    let (arn, ids) = (&rule_arn(ctx, &input.rule), &input.ids);
    let unknown = ctx.store().transact(&ctx.account, |tx| async move {
        let mut rule = existing(&tx, arn).await?;
        let mut unknown: BTreeSet<String> = ids.iter().cloned().collect();
        rule.targets.retain(|target| !ids.contains(&target.id) || !unknown.remove(&target.id));
        tx.put_record(data::rule_key(arn)?, &rule)?;
        Ok::<_, Error>(unknown)
    });
    let failed = |id: String| FailedEntry {
        error_message: format!("Target {id} does not exist on rule {}.", input.rule),
        target_id: id,
        error_code: "ResourceNotFoundException",
    };
    let failed_entries: Vec<FailedEntry> = unknown.await?.into_iter().map(failed).collect();
    let failed_entry_count = u32::try_from(failed_entries.len()).unwrap_or(u32::MAX);
    Ok(FailedEntriesOutput { failed_entry_count, failed_entries })
}

pub(crate) async fn list(ctx: &Ctx, input: ListTargetsInput) -> Result<ListTargetsOutput, Error> {
    check_bus(input.event_bus_name.as_deref())?;
    let limit = page_len(input.limit)?;
    let mut targets = read(ctx, &input.rule).await?.targets;
    targets.sort_by(|a, b| a.id.cmp(&b.id));
    // The token is the last id of the page before.
    targets.retain(|target| input.next_token.as_ref().is_none_or(|last| target.id > *last));
    let more = targets.len() > limit;
    targets.truncate(limit);
    let next_token = targets.last().filter(|_| more).map(|last| last.id.clone());
    Ok(ListTargetsOutput { targets: targets.into_iter().map(output).collect(), next_token })
}

fn output(target: Target) -> TargetOutput {
    let group_id = target.group_id;
    TargetOutput {
        id: target.id,
        arn: target.arn.to_string(),
        role_arn: target.role_arn,
        input: target.input,
        sqs_parameters: group_id.map(|id| SqsParameters { message_group_id: Some(id) }),
    }
}
