//! Rules: made, described, listed, switched, deleted.

use base::Arn;
use kit::{Ctx, unserved};
use store::{Dir, Key};

use crate::Schedules;
use crate::api::{
    DeleteRuleInput, ListRulesInput, ListRulesOutput, Nothing, PutRuleInput, PutRuleOutput,
    RuleInput, RuleOutput,
};
use crate::data::{self, Rule};
use crate::error::Error;
use crate::ops::{BUS, check_bus, existing, page_len, read, rule_arn};
use crate::rules::{Schedule, check_name};
use crate::work::fire;

const DESCRIPTION_CHARS_MAX: usize = 512;

pub(crate) async fn put(ctx: &Ctx, input: PutRuleInput) -> Result<PutRuleOutput, Error> {
    unserved::refuse(ctx, &input.unserved())?;
    check_bus(input.event_bus_name.as_deref())?;
    check_name("name", &input.name)?;
    let expression = input.schedule_expression.as_deref().ok_or_else(|| {
        let text = "Parameter(s) EventPattern or ScheduleExpression must be specified.";
        Error::Validation(text.to_owned())
    })?;
    Schedule::parse(expression)?;
    if let Some(text) = input.description.as_deref()
        && text.chars().count() > DESCRIPTION_CHARS_MAX
    {
        let must = "Member must have length less than or equal to 512";
        return Err(Error::constraint("description", text, must));
    }
    let enabled = match input.state.as_deref() {
        None | Some("ENABLED") => true,
        Some("DISABLED") => false,
        Some(other) => {
            let must = "Member must satisfy enum value set: [ENABLED, DISABLED]";
            return Err(Error::constraint("state", other, must));
        }
    };
    let arn = rule_arn(ctx, &input.name);
    let (input, arn) = (&input, &arn);
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            let key = data::rule_key(arn)?;
            let before: Option<Rule> = tx.get_record(&key).await?;
            // A rule put again as it was keeps its grid: a redeployment is not a firing less.
            let same = before.as_ref().filter(|b| b.enabled && b.schedule_expression == expression);
            let anchor = same.map_or_else(|| ctx.now(), |before| before.anchor);
            let (ticket, targets) = before.map(|b| (b.ticket, b.targets)).unwrap_or_default();
            let mut rule = Rule {
                name: input.name.clone(),
                description: input.description.clone(),
                role_arn: input.role_arn.clone(),
                schedule_expression: expression.to_owned(),
                enabled,
                anchor,
                ticket,
                targets,
            };
            fire::plan(&tx, &ctx.state::<Schedules>().line, arn, &mut rule, ctx.now())?;
            tx.put_record(key, &rule)?;
            Ok::<_, Error>(())
        })
        .await?;
    Ok(PutRuleOutput { rule_arn: arn.to_string() })
}

pub(crate) async fn describe(ctx: &Ctx, input: RuleInput) -> Result<RuleOutput, Error> {
    check_bus(input.event_bus_name.as_deref())?;
    let rule = read(ctx, &input.name).await?;
    Ok(RuleOutput { created_by: Some(ctx.account.to_string()), ..output(ctx, rule) })
}

pub(crate) async fn list(ctx: &Ctx, input: ListRulesInput) -> Result<ListRulesOutput, Error> {
    check_bus(input.event_bus_name.as_deref())?;
    let limit = page_len(input.limit)?;
    let rules = data::rules_key(&ctx.account, &ctx.region);
    let prefix = input.name_prefix.unwrap_or_default();
    // The token is the last name of the page before.
    let start = match &input.next_token {
        Some(last) => rules.clone().str(last).successor(),
        None => rules.clone(),
    };
    let range = rules.prefix().from(start);
    let mut found = Vec::new();
    for (key, value) in ctx.store().scan(range, Dir::Forward, usize::MAX).await? {
        let rule: Rule = store::decode(&key, &value)?;
        if rule.name.starts_with(&prefix) {
            found.push(output(ctx, rule));
        }
        if found.len() > limit {
            break;
        }
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let next_token = found.last().filter(|_| more).map(|last| last.name.clone());
    Ok(ListRulesOutput { rules: found, next_token })
}

pub(crate) async fn enable(ctx: &Ctx, input: RuleInput) -> Result<Nothing, Error> {
    switch(ctx, input, true).await
}

pub(crate) async fn disable(ctx: &Ctx, input: RuleInput) -> Result<Nothing, Error> {
    switch(ctx, input, false).await
}

async fn switch(ctx: &Ctx, input: RuleInput, enabled: bool) -> Result<Nothing, Error> {
    check_bus(input.event_bus_name.as_deref())?;
    let arn = &rule_arn(ctx, &input.name);
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            let mut rule = existing(&tx, arn).await?;
            if rule.enabled == enabled {
                return Ok(Nothing {});
            }
            rule.enabled = enabled;
            rule.anchor = ctx.now();
            fire::plan(&tx, &ctx.state::<Schedules>().line, arn, &mut rule, ctx.now())?;
            tx.put_record(data::rule_key(arn)?, &rule)?;
            Ok(Nothing {})
        })
        .await
}

/// Deleting a rule that does not exist succeeds, as on AWS.
pub(crate) async fn delete(ctx: &Ctx, input: DeleteRuleInput) -> Result<Nothing, Error> {
    check_bus(input.event_bus_name.as_deref())?;
    let key: &Key = &data::rule_key(&rule_arn(ctx, &input.name))?;
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            let Some(rule) = tx.get_record::<Rule>(key).await? else { return Ok(Nothing {}) };
            if !rule.targets.is_empty() {
                return Err(Error::HasTargets);
            }
            if let Some(ticket) = rule.ticket {
                ctx.state::<Schedules>().line.cancel(&tx, ticket);
            }
            tx.delete(key.clone());
            Ok(Nothing {})
        })
        .await
}

fn output(ctx: &Ctx, rule: Rule) -> RuleOutput {
    RuleOutput {
        arn: rule_arn(ctx, &rule.name).to_string(),
        name: rule.name,
        schedule_expression: rule.schedule_expression,
        state: if rule.enabled { "ENABLED" } else { "DISABLED" },
        description: rule.description,
        role_arn: rule.role_arn,
        event_bus_name: BUS,
        created_by: None,
    }
}

/// The rule an operation touches.
pub(crate) fn touched(ctx: &Ctx, name: &str) -> Vec<Arn> {
    vec![rule_arn(ctx, name)]
}
