//! What is set for functions one by one: loops, newer runtimes, signed code.

use kit::Ctx;
use store::Tx;

use crate::api::concurrency::NameInput;
use crate::api::settings::{
    PutRecursionInput, PutRuntimeManagementInput, RecursionOutput, RuntimeManagementOutput,
};
use crate::api::{FunctionInput, Nothing};
use crate::data::{Qualifier, Recursion, RuntimeUpdates, Target};
use crate::error::Error;
use crate::functions::Lambda;
use crate::ops::{existing, existing_version, place, target};

pub(crate) async fn put_recursion(
    ctx: &Ctx,
    input: PutRecursionInput,
) -> Result<RecursionOutput, Error> {
    let place = &place(ctx, &input.function_name)?;
    let allowed = match input.recursive_loop.as_str() {
        "Allow" => true,
        "Terminate" => false,
        other => {
            let must = "Member must satisfy enum value set: [Terminate, Allow]";
            return Err(Error::constraint("recursiveLoop", other, must));
        }
    };
    let (lambda, recursion) = (Lambda::of(ctx), &Recursion { allowed });
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            existing(&tx, place).await?;
            tx.put_record(place.recursion_key(), recursion)?;
            lambda.forget_on_commit(&tx, place);
            Ok(output(recursion))
        })
        .await
}

pub(crate) async fn get_recursion(ctx: &Ctx, input: NameInput) -> Result<RecursionOutput, Error> {
    let place = place(ctx, &input.function_name)?;
    if ctx.store().get(&place.key()).await?.is_none() {
        return Err(place.missing());
    }
    let found: Option<Recursion> = ctx.store().get_record(&place.recursion_key()).await?;
    Ok(output(&found.unwrap_or(Recursion { allowed: false })))
}

fn output(recursion: &Recursion) -> RecursionOutput {
    RecursionOutput { recursive_loop: if recursion.allowed { "Allow" } else { "Terminate" } }
}

pub(crate) async fn put_runtime_management(
    ctx: &Ctx,
    input: PutRuntimeManagementInput,
) -> Result<RuntimeManagementOutput, Error> {
    let target = &version(ctx, &input.function_name, input.qualifier.as_deref())?;
    let (mode, runtime_version) = (input.update_runtime_on, input.runtime_version_arn);
    match (mode.as_str(), &runtime_version) {
        ("Manual", Some(_)) | ("Auto" | "FunctionUpdate", None) => {}
        ("Manual", None) => {
            let text = "RuntimeVersionArn is required when UpdateRuntimeOn is Manual.";
            return Err(Error::parameter(text));
        }
        ("Auto" | "FunctionUpdate", Some(_)) => {
            let text = "RuntimeVersionArn is supported only when UpdateRuntimeOn is Manual.";
            return Err(Error::parameter(text));
        }
        (other, _) => {
            let must = "Member must satisfy enum value set: [Auto, Manual, FunctionUpdate]";
            return Err(Error::constraint("updateRuntimeOn", other, must));
        }
    }
    let updates = &RuntimeUpdates { mode, runtime_version };
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            existing_version(&tx, target).await?;
            let key = target.place.runtime_updates_key().str(&target.qualifier_text());
            tx.put_record(key, updates)?;
            Ok::<_, Error>(())
        })
        .await?;
    let RuntimeUpdates { mode, runtime_version } = updates;
    Ok(RuntimeManagementOutput {
        update_runtime_on: mode.clone(),
        function_arn: target.arn().to_string(),
        runtime_version_arn: runtime_version.clone(),
    })
}

pub(crate) async fn get_runtime_management(
    ctx: &Ctx,
    input: FunctionInput,
) -> Result<RuntimeManagementOutput, Error> {
    let target = &version(ctx, &input.function_name, input.qualifier.as_deref())?;
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            existing_version(&tx, target).await?;
            let key = target.place.runtime_updates_key().str(&target.qualifier_text());
            let found: Option<RuntimeUpdates> = tx.get_record(&key).await?;
            let auto = || RuntimeUpdates { mode: "Auto".into(), runtime_version: None };
            let RuntimeUpdates { mode, runtime_version } = found.unwrap_or_else(auto);
            Ok(RuntimeManagementOutput {
                update_runtime_on: mode,
                function_arn: target.arn().to_string(),
                runtime_version_arn: runtime_version,
            })
        })
        .await
}

/// A function or one of its versions: an alias has no runtime.
fn version(ctx: &Ctx, name: &str, qualifier: Option<&str>) -> Result<Target, Error> {
    let target = target(ctx, name, qualifier)?;
    match target.qualifier {
        Some(Qualifier::Alias(_)) => Err(target.missing()),
        _ => Ok(target),
    }
}

/// No function has a code signing configuration. AWS answers for such functions with nothing.
pub(crate) async fn get_code_signing(ctx: &Ctx, input: NameInput) -> Result<Nothing, Error> {
    let place = &place(ctx, &input.function_name)?;
    let read = |tx: Tx| async move { existing(&tx, place).await };
    ctx.store().transact(&ctx.account, read).await.map(|_| Nothing {})
}
