//! The resource policy of a function: who may invoke it. Stored as IAM has it.

use kit::{Ctx, unserved};
use serde_json::{Map, Value, json};

use crate::api::{
    AddPermissionInput, AddPermissionOutput, FunctionInput, Nothing, PolicyOutput,
    RemovePermissionInput,
};
use crate::data::Policy;
use crate::error::Error;
use crate::ops::{existing, place};

const POLICY_BYTES_MAX: usize = 20_480;

pub(crate) async fn add(
    ctx: &Ctx,
    input: AddPermissionInput,
) -> Result<AddPermissionOutput, Error> {
    unserved::refuse(ctx, &input.unserved())?;
    let place = &place(ctx, &input.function_name, input.qualifier.as_deref())?;
    check(&input)?;
    let statement = statement(&input, &place.arn().to_string());
    let (input, statement_text) = (&input, &statement);
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            existing(&tx, place).await?;
            let found: Option<Policy> = tx.get_record(&place.policy_key()).await?;
            let mut policy = found.unwrap_or_default();
            check_revision(&policy, input.revision_id.as_deref())?;
            if policy.statements.contains_key(&input.statement_id) {
                return Err(Error::StatementExists(input.statement_id.clone()));
            }
            policy.statements.insert(input.statement_id.clone(), statement_text.clone());
            policy.revision = ctx.kit.uuid();
            let bytes = policy.document().len();
            if bytes > POLICY_BYTES_MAX {
                return Err(Error::PolicyLength(bytes));
            }
            tx.put_record(place.policy_key(), &policy)?;
            Ok(())
        })
        .await?;
    Ok(AddPermissionOutput { statement })
}

pub(crate) async fn remove(ctx: &Ctx, input: RemovePermissionInput) -> Result<Nothing, Error> {
    let place = &place(ctx, &input.function_name, input.qualifier.as_deref())?;
    let input = &input;
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            existing(&tx, place).await?;
            let found: Option<Policy> = tx.get_record(&place.policy_key()).await?;
            let mut policy = found.unwrap_or_default();
            check_revision(&policy, input.revision_id.as_deref())?;
            if policy.statements.remove(&input.statement_id).is_none() {
                return Err(Error::NoStatement(input.statement_id.clone()));
            }
            policy.revision = ctx.kit.uuid();
            if policy.statements.is_empty() {
                tx.delete(place.policy_key());
            } else {
                tx.put_record(place.policy_key(), &policy)?;
            }
            Ok(Nothing {})
        })
        .await
}

pub(crate) async fn get(ctx: &Ctx, input: FunctionInput) -> Result<PolicyOutput, Error> {
    let place = place(ctx, &input.function_name, input.qualifier.as_deref())?;
    let found: Option<Policy> = ctx.store().get_record(&place.policy_key()).await?;
    let policy = found.ok_or(Error::NoResource)?;
    Ok(PolicyOutput { policy: policy.document(), revision_id: policy.revision })
}

fn check_revision(policy: &Policy, given: Option<&str>) -> Result<(), Error> {
    if given.is_none_or(|given| given == policy.revision) {
        return Ok(());
    }
    Err(Error::Revision("GetPolicy"))
}

fn check(input: &AddPermissionInput) -> Result<(), Error> {
    let id = &input.statement_id;
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    if id.is_empty() || id.len() > 100 || !id.bytes().all(legal) {
        let must = "Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)";
        return Err(Error::constraint("statementId", id, must));
    }
    let action = input.action.strip_prefix("lambda:").unwrap_or(&input.action);
    let word = !action.is_empty() && action.bytes().all(|b| b.is_ascii_alphabetic());
    if action != "*" && !(word && input.action.starts_with("lambda:")) {
        let must =
            "Member must satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])";
        return Err(Error::constraint("action", &input.action, must));
    }
    let principal = &input.principal;
    if principal.is_empty() || principal.contains(char::is_whitespace) {
        return Err(Error::parameter(
            "The provided principal was invalid. Please check the principal and try again.",
        ));
    }
    Ok(())
}

fn statement(input: &AddPermissionInput, function: &str) -> String {
    let given = input.principal.as_str();
    let principal = if given == "*" {
        json!("*")
    } else if given.len() == 12 && given.bytes().all(|b| b.is_ascii_digit()) {
        json!({ "AWS": format!("arn:aws:iam::{given}:root") })
    } else if given.starts_with("arn:") {
        json!({ "AWS": given })
    } else {
        json!({ "Service": given })
    };
    let mut condition = Map::new();
    if let Some(account) = &input.source_account {
        condition.insert("StringEquals".into(), json!({ "AWS:SourceAccount": account }));
    }
    if let Some(arn) = &input.source_arn {
        condition.insert("ArnLike".into(), json!({ "AWS:SourceArn": arn }));
    }
    let mut statement = json!({
        "Sid": input.statement_id,
        "Effect": "Allow",
        "Principal": principal,
        "Action": input.action,
        "Resource": function,
    });
    if !condition.is_empty() {
        statement["Condition"] = Value::Object(condition);
    }
    statement.to_string()
}
