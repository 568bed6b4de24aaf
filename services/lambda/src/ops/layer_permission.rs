//! The policies of layers: which accounts may use a version.

use kit::Ctx;
use serde_json::json;

use crate::api::layer::{
    AddLayerPermissionInput, AddLayerPermissionOutput, LayerVersionInput,
    RemoveLayerPermissionInput,
};
use crate::api::{Nothing, PolicyOutput};
use crate::data::LayerVersion;
use crate::error::Error;
use crate::ops::layer::{key, named, version_arn};
use crate::ops::permission::{POLICY_BYTES_MAX, check_statement_id};

const ACTION: &str = "lambda:GetLayerVersion";

pub(crate) async fn add(
    ctx: &Ctx,
    input: AddLayerPermissionInput,
) -> Result<AddLayerPermissionOutput, Error> {
    let (name, number) = &named(ctx, &input.layer_name, input.version_number)?;
    check_statement_id(&input.statement_id)?;
    let statement = &statement(ctx, &input, name, *number)?;
    let (input, key) = (&input, &key(ctx, name, *number));
    let revision = ctx.store().transact(&ctx.account, |tx| async move {
        let found: Option<LayerVersion> = tx.get_record(key).await?;
        let mut version = present(ctx, found, name, *number)?;
        let policy = &mut version.policy;
        if policy.statements.contains_key(&input.statement_id) {
            return Err(Error::StatementExists(input.statement_id.clone()));
        }
        check_revision(&policy.revision, input.revision_id.as_deref())?;
        policy.statements.insert(input.statement_id.clone(), statement.clone());
        policy.revision = ctx.kit.uuid();
        let bytes = policy.document().len();
        if bytes > POLICY_BYTES_MAX {
            return Err(Error::PolicyLength(bytes));
        }
        tx.put_record(key.clone(), &version)?;
        Ok(version.policy.revision)
    });
    let revision_id = revision.await?;
    Ok(AddLayerPermissionOutput { statement: statement.clone(), revision_id })
}

pub(crate) async fn remove(ctx: &Ctx, input: RemoveLayerPermissionInput) -> Result<Nothing, Error> {
    let (name, number) = &named(ctx, &input.layer_name, input.version_number)?;
    let (input, key) = (&input, &key(ctx, name, *number));
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            let found: Option<LayerVersion> = tx.get_record(key).await?;
            let mut version = present(ctx, found, name, *number)?;
            let policy = &mut version.policy;
            check_revision(&policy.revision, input.revision_id.as_deref())?;
            if policy.statements.remove(&input.statement_id).is_none() {
                return Err(Error::NoStatement(input.statement_id.clone()));
            }
            policy.revision = ctx.kit.uuid();
            tx.put_record(key.clone(), &version)?;
            Ok(Nothing {})
        })
        .await
}

pub(crate) async fn get(ctx: &Ctx, input: LayerVersionInput) -> Result<PolicyOutput, Error> {
    let (name, number) = named(ctx, &input.layer_name, input.version_number)?;
    let found = ctx.store().get_record(&key(ctx, &name, number)).await?;
    let policy = present(ctx, found, &name, number)?.policy;
    if policy.statements.is_empty() {
        return Err(Error::NoPolicy);
    }
    Ok(PolicyOutput { policy: policy.document(), revision_id: policy.revision })
}

fn present(
    ctx: &Ctx,
    found: Option<LayerVersion>,
    name: &str,
    number: u64,
) -> Result<LayerVersion, Error> {
    let none = || Error::NoLayerVersion(Box::new(version_arn(ctx, name, number)));
    found.filter(|version| !version.deleted).ok_or_else(none)
}

fn check_revision(revision: &str, given: Option<&str>) -> Result<(), Error> {
    if given.is_none_or(|given| given == revision) {
        return Ok(());
    }
    Err(Error::Revision("GetLayerPolicy"))
}

fn statement(
    ctx: &Ctx,
    input: &AddLayerPermissionInput,
    name: &str,
    number: u64,
) -> Result<String, Error> {
    if input.action != ACTION {
        let must = format!("Member must satisfy regular expression pattern: {ACTION}");
        return Err(Error::constraint("action", &input.action, &must));
    }
    let given = input.principal.as_str();
    let is_account = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    let root = given.strip_prefix("arn:aws:iam::").and_then(|rest| rest.strip_suffix(":root"));
    let principal = match (given, root) {
        ("*", _) => json!("*"),
        (_, Some(account)) if is_account(account) => json!({ "AWS": given }),
        _ if is_account(given) => json!({ "AWS": format!("arn:aws:iam::{given}:root") }),
        _ => {
            let must = concat!(
                "Member must satisfy regular expression pattern: ",
                r"\d{12}|\*|arn:(aws[a-zA-Z-]*):iam::\d{12}:root",
            );
            return Err(Error::constraint("principal", given, must));
        }
    };
    let mut statement = json!({
        "Sid": input.statement_id,
        "Effect": "Allow",
        "Principal": principal,
        "Action": ACTION,
        "Resource": version_arn(ctx, name, number).to_string(),
    });
    if let Some(organization) = &input.organization_id {
        let legal = |text: &str| {
            (10..=32).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        if given != "*" || !organization.strip_prefix("o-").is_some_and(legal) {
            let must = "Member must satisfy regular expression pattern: o-[a-z0-9]{10,32}";
            return Err(Error::constraint("organizationId", organization, must));
        }
        statement["Condition"] = json!({ "StringEquals": { "aws:PrincipalOrgID": organization } });
    }
    Ok(statement.to_string())
}
