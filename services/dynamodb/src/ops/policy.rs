//! Resource policies: kept and given back. They are not evaluated, as no policy is.

use std::sync::Arc;

use base::Arn;
use kit::Ctx;
use store::Tx;

use crate::api::resource::{
    DeleteResourcePolicyInput, GetResourcePolicyInput, GetResourcePolicyOutput,
    PutResourcePolicyInput, RevisionOutput,
};
use crate::data::policy::{Policy, policy_key};
use crate::data::{self, Table, Tables};
use crate::error::Error;
use crate::ops::name;
use crate::rules::Violations;
use crate::rules::policy::canonical;

/// What a request expects that expects no policy.
const NO_POLICY: &str = "NO_POLICY";
const ARN_CHARS_MAX: usize = 1_283;
const REVISION_CHARS_MAX: usize = 255;

pub(crate) async fn put(ctx: &Ctx, input: PutResourcePolicyInput) -> Result<RevisionOutput, Error> {
    let mut violations = Violations::default();
    check_arn(&mut violations, input.resource_arn.as_deref());
    violations.required("policy", input.policy.is_some());
    check_revision(&mut violations, input.expected_revision_id.as_deref());
    violations.finish()?;
    // It would guard against a policy by which its author locks himself out. None does that here.
    let _confirmed = input.confirm_remove_self_resource_access;
    let table = find(ctx, &input.resource_arn.unwrap_or_default()).await?;
    let document = &canonical(&input.policy.unwrap_or_default())?;
    let (table, expected) = (&*table, input.expected_revision_id.as_deref());
    let revision = ctx
        .store()
        .transact(&ctx.account, |tx| async move {
            let current = current(ctx, &tx, table, expected).await?;
            if let Some(same) = current.filter(|policy| policy.document == *document) {
                return Ok::<_, Error>(same.revision());
            }
            let policy = Policy { document: document.clone(), changed: ctx.now() };
            tx.put_record(policy_key(&ctx.account, table.number), &policy)?;
            Ok(policy.revision())
        })
        .await?;
    Ok(RevisionOutput { revision_id: Some(revision) })
}

pub(crate) async fn get(
    ctx: &Ctx,
    input: GetResourcePolicyInput,
) -> Result<GetResourcePolicyOutput, Error> {
    let mut violations = Violations::default();
    check_arn(&mut violations, input.resource_arn.as_deref());
    violations.finish()?;
    let arn = input.resource_arn.unwrap_or_default();
    let table = find(ctx, &arn).await?;
    let policy: Option<Policy> =
        ctx.store().get_record(&policy_key(&ctx.account, table.number)).await?;
    let policy = policy.ok_or(Error::NoPolicy(arn))?;
    let revision_id = policy.revision();
    Ok(GetResourcePolicyOutput { policy: policy.document, revision_id })
}

/// To delete what is not there is no mistake.
pub(crate) async fn delete(
    ctx: &Ctx,
    input: DeleteResourcePolicyInput,
) -> Result<RevisionOutput, Error> {
    let mut violations = Violations::default();
    check_arn(&mut violations, input.resource_arn.as_deref());
    check_revision(&mut violations, input.expected_revision_id.as_deref());
    violations.finish()?;
    let table = find(ctx, &input.resource_arn.unwrap_or_default()).await?;
    let (table, expected) = (&*table, input.expected_revision_id.as_deref());
    let revision_id = ctx
        .store()
        .transact(&ctx.account, |tx| async move {
            let policy = current(ctx, &tx, table, expected).await?;
            tx.delete(policy_key(&ctx.account, table.number));
            Ok::<_, Error>(policy.map(|_| ctx.now().as_millis().to_string()))
        })
        .await?;
    Ok(RevisionOutput { revision_id })
}

/// The policy of a table, if it is the one that is expected.
async fn current(
    ctx: &Ctx,
    tx: &Tx,
    table: &Table,
    expected: Option<&str>,
) -> Result<Option<Policy>, Error> {
    // Read, so that the transaction conflicts with one that deletes the table.
    let key = data::table_key(&ctx.account, &ctx.region, &table.name);
    let now: Option<Table> = tx.get_record(&key).await?;
    if now.is_none_or(|now| now.number != table.number) {
        return Err(Error::NoTableNamed(table.name.clone()));
    }
    let policy: Option<Policy> = tx.get_record(&policy_key(&ctx.account, table.number)).await?;
    let revision = policy.as_ref().map(Policy::revision);
    let name = &table.name;
    match (expected, revision) {
        (Some(NO_POLICY), Some(revision)) => Err(Error::NoPolicy(format!(
            "Requested policy update expecting none to be present for table {name}, but a policy \
             exists with revision id {revision}."
        ))),
        (None | Some(NO_POLICY), _) => Ok(policy),
        (Some(expected), Some(revision)) if expected == revision => Ok(policy),
        (Some(expected), Some(revision)) => Err(Error::NoPolicy(format!(
            "Requested update for policy with revision id {expected}, but the policy associated \
             to target table {name} has revision id {revision}."
        ))),
        (Some(_), None) => Err(Error::NoPolicy("Requested policy not found".to_owned())),
    }
}

fn check_arn(violations: &mut Violations, given: Option<&str>) {
    violations.required("resourceArn", given.is_some());
    violations.length("resourceArn", given, 1, ARN_CHARS_MAX);
}

fn check_revision(violations: &mut Violations, given: Option<&str>) {
    violations.length("expectedRevisionId", given, 1, REVISION_CHARS_MAX);
}

/// The table of an ARN.
async fn find(ctx: &Ctx, given: &str) -> Result<Arc<Table>, Error> {
    if !given.starts_with("arn:") {
        return Err(Error::invalid(format_args!("ARNs must start with 'arn:': {given}")));
    }
    let parsed: Option<Arn> = given.parse().ok().filter(|arn: &Arn| arn.service == "dynamodb");
    let arn = parsed.ok_or_else(|| {
        Error::invalid(format_args!("Provided Arn is not a DynamoDB resource arn: {given}"))
    })?;
    if arn.account != ctx.account.as_str() {
        return Err(Error::validation(
            "This action is only supported by accounts that match the resource owner’s account.",
        ));
    }
    let Some(table) = arn.resource.strip_prefix("table/") else {
        return Err(Error::invalid(format_args!(
            "Provided Arn is not a DynamoDB resource arn: {given}"
        )));
    };
    if table.contains("/stream/") {
        return Err(kit::Error::not_served("a resource policy of a stream").into());
    }
    if table.contains('/') {
        return Err(Error::invalid(format_args!(
            "Invalid resource arn provided, only table or stream is accepted. Provided resource \
             arn: {given}"
        )));
    }
    let named = name(ctx, given)
        .ok_or_else(|| Error::invalid(format_args!("Invalid resource Arn: {given}")))?;
    let found = ctx.state::<Arc<Tables>>().get(ctx, named).await?;
    found.filter(|table| !table.is_creating()).ok_or_else(|| Error::NoTableNamed(named.to_owned()))
}
