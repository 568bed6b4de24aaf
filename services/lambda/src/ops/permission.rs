//! The resource policy of a function: who may invoke it. Stored as IAM has it.

use kit::Ctx;
use serde_json::{Map, Value, json};
use store::{Key, Tx};

use crate::api::{
    AddPermissionInput, AddPermissionOutput, FunctionInput, Nothing, PolicyOutput,
    RemovePermissionInput,
};
use crate::data::{Alias, Function, Policy, Qualifier, Target, Version};
use crate::error::Error;
use crate::ops::{existing_alias, existing_version, target};
use crate::rules::name::is_word;

pub(crate) const POLICY_BYTES_MAX: usize = 20_480;

pub(crate) async fn add(
    ctx: &Ctx,
    input: AddPermissionInput,
) -> Result<AddPermissionOutput, Error> {
    let target = &target(ctx, &input.function_name, input.qualifier.as_deref())?;
    if target.qualifier == Some(Qualifier::Version(Version::Latest)) {
        let text = "We currently do not support adding policies for $LATEST.";
        return Err(Error::parameter(text));
    }
    check(&input)?;
    let statement = statement(&input, &target.arn().to_string());
    let (input, statement_text) = (&input, &statement);
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            let mut owner = Owner::read(&tx, target).await?;
            let key = target.policy_key();
            let found: Option<Policy> = tx.get_record(&key).await?;
            let mut policy = found.unwrap_or_default();
            owner.check(input.revision_id.as_deref(), "GetPolicy")?;
            if policy.statements.contains_key(&input.statement_id) {
                return Err(Error::StatementExists(input.statement_id.clone()));
            }
            policy.statements.insert(input.statement_id.clone(), statement_text.clone());
            let bytes = policy.document().len();
            if bytes > POLICY_BYTES_MAX {
                return Err(Error::PolicyLength(bytes));
            }
            policy.revision = owner.renew(&tx, target, ctx.kit.uuid())?;
            tx.put_record(key, &policy)?;
            Ok(())
        })
        .await?;
    Ok(AddPermissionOutput { statement })
}

pub(crate) async fn remove(ctx: &Ctx, input: RemovePermissionInput) -> Result<Nothing, Error> {
    let target = &target(ctx, &input.function_name, input.qualifier.as_deref())?;
    let input = &input;
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            let mut owner = Owner::read(&tx, target).await?;
            let key = target.policy_key();
            let found: Option<Policy> = tx.get_record(&key).await?;
            let mut policy = found.ok_or(Error::NoPolicy)?;
            if policy.statements.remove(&input.statement_id).is_none() {
                return Err(Error::NoStatement(input.statement_id.clone()));
            }
            owner.check(input.revision_id.as_deref(), "GetFunction/GetAlias")?;
            policy.revision = owner.renew(&tx, target, ctx.kit.uuid())?;
            if policy.statements.is_empty() {
                tx.delete(key);
            } else {
                tx.put_record(key, &policy)?;
            }
            Ok(Nothing {})
        })
        .await
}

pub(crate) async fn get(ctx: &Ctx, input: FunctionInput) -> Result<PolicyOutput, Error> {
    let target = &target(ctx, &input.function_name, input.qualifier.as_deref())?;
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            let owner = Owner::read(&tx, target).await?;
            let found: Option<Policy> = tx.get_record(&target.policy_key()).await?;
            let policy = found.ok_or(Error::NoResource)?;
            let revision_id = owner.revision_id().to_owned();
            Ok(PolicyOutput { policy: policy.document(), revision_id })
        })
        .await
}

/// What a policy belongs to: it has no revision of its own.
enum Owner {
    Function(Box<Function>),
    Alias(Alias),
}

impl Owner {
    async fn read(tx: &Tx, target: &Target) -> Result<Owner, Error> {
        Ok(match &target.qualifier {
            Some(Qualifier::Alias(name)) => {
                Owner::Alias(existing_alias(tx, &target.place, name).await?)
            }
            _ => Owner::Function(Box::new(existing_version(tx, target).await?)),
        })
    }

    fn revision_id(&self) -> &str {
        match self {
            Owner::Function(function) => function.revision_id(),
            Owner::Alias(alias) => &alias.revision,
        }
    }

    fn check(&self, given: Option<&str>, call: &'static str) -> Result<(), Error> {
        if given.is_none_or(|given| given == self.revision_id()) {
            return Ok(());
        }
        Err(Error::Revision(call))
    }

    /// Gives it a new revision. What runs stays, because it runs the same.
    fn renew(&mut self, tx: &Tx, target: &Target, revision: String) -> Result<String, Error> {
        match self {
            Owner::Function(function) => {
                function.permitted = Some(revision.clone());
                tx.put_record(target.place.version_key(function.version), &**function)?;
            }
            Owner::Alias(alias) => {
                alias.revision.clone_from(&revision);
                tx.put_record(target.place.aliases_key().str(&alias.name), alias)?;
            }
        }
        Ok(revision)
    }
}

impl Target {
    fn policy_key(&self) -> Key {
        self.place.policy_key(self.qualifier.as_ref())
    }
}

pub(crate) fn check_statement_id(id: &str) -> Result<(), Error> {
    if is_word(id) && id.len() <= 100 {
        return Ok(());
    }
    let must = "Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)";
    Err(Error::constraint("statementId", id, must))
}

fn check(input: &AddPermissionInput) -> Result<(), Error> {
    check_statement_id(&input.statement_id)?;
    let action = input.action.strip_prefix("lambda:").unwrap_or(&input.action);
    let word = !action.is_empty() && action.bytes().all(|b| b.is_ascii_alphabetic());
    if action != "*" && !(word && input.action.starts_with("lambda:")) {
        let must =
            "Member must satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])";
        return Err(Error::constraint("action", &input.action, must));
    }
    if let Some(auth) = &input.function_url_auth_type {
        if auth != "NONE" && auth != "AWS_IAM" {
            let must = "Member must satisfy enum value set: [AWS_IAM, NONE]";
            return Err(Error::constraint("functionUrlAuthType", auth, must));
        }
        if input.action != "lambda:InvokeFunctionUrl" {
            return Err(Error::parameter(
                "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action",
            ));
        }
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
    let equal = [
        ("AWS:SourceAccount", &input.source_account),
        ("aws:PrincipalOrgID", &input.principal_org_id),
        ("lambda:EventSourceToken", &input.event_source_token),
        ("lambda:FunctionUrlAuthType", &input.function_url_auth_type),
    ];
    let equal: Map<String, Value> = equal
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value.clone()?.into())))
        .collect();
    if !equal.is_empty() {
        condition.insert("StringEquals".into(), equal.into());
    }
    if let Some(by_url) = input.invoked_via_function_url {
        let by_url = by_url.to_string();
        condition.insert("Bool".into(), json!({ "lambda:InvokedViaFunctionUrl": by_url }));
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
