//! Provisioned concurrency: environments of a version that are ready before there are events.

use kit::Ctx;
use store::{Dir, Tx};

use crate::api::Nothing;
use crate::api::concurrency::{
    ListInput, ListProvisionedOutput, ProvisionedInput, ProvisionedOutput, PutProvisionedInput,
};
use crate::data::{Alias, Place, Provisioned, Qualifier, Target, Version};
use crate::error::Error;
use crate::ops::concurrency::Taken;
use crate::ops::configuration::last_modified;
use crate::ops::{existing, existing_version, page_len, place, target};
use crate::usage::{ACCOUNT_MAX, UNRESERVED_MIN};
use crate::work::provision;

pub(crate) async fn put(ctx: &Ctx, input: PutProvisionedInput) -> Result<ProvisionedOutput, Error> {
    let given = input.provisioned_concurrent_executions;
    let Some(count) = u32::try_from(given).ok().filter(|count| *count > 0) else {
        let must = "Member must have value greater than or equal to 1";
        return Err(Error::constraint("provisionedConcurrentExecutions", given, must));
    };
    let target = &target(ctx, &input.function_name, Some(&input.qualifier))?;
    if target.qualifier == Some(Qualifier::Version(Version::Latest)) {
        let text =
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.";
        return Err(Error::parameter(text));
    }
    let made = &Provisioned { target: target.arn(), count, modified: ctx.now() };
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            check(ctx, &tx, target, made).await?;
            tx.put_record(target.place.provisioned_key().str(&target.qualifier_text()), made)?;
            Ok::<_, Error>(())
        })
        .await?;
    provision::tick(ctx).await?;
    // As on AWS, where it takes a while.
    Ok(ProvisionedOutput {
        available_provisioned_concurrent_executions: 0,
        allocated_provisioned_concurrent_executions: 0,
        status: "IN_PROGRESS",
        ..output(ctx, made, None).await?
    })
}

pub(crate) async fn get(ctx: &Ctx, input: ProvisionedInput) -> Result<ProvisionedOutput, Error> {
    let target = &published(ctx, &input)?;
    let found = ctx.store().transact(&ctx.account, |tx| async move {
        existing_version(&tx, target).await?;
        let key = target.place.provisioned_key().str(&target.qualifier_text());
        let found: Option<Provisioned> = tx.get_record(&key).await?;
        found.ok_or(Error::NoProvisioned)
    });
    output(ctx, &found.await?, None).await
}

pub(crate) async fn delete(ctx: &Ctx, input: ProvisionedInput) -> Result<Nothing, Error> {
    let target = &published(ctx, &input)?;
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            existing(&tx, &target.place).await?;
            tx.delete(target.place.provisioned_key().str(&target.qualifier_text()));
            Ok::<_, Error>(())
        })
        .await?;
    provision::tick(ctx).await?;
    Ok(Nothing {})
}

pub(crate) async fn list(ctx: &Ctx, input: ListInput) -> Result<ListProvisionedOutput, Error> {
    let place = place(ctx, &input.function_name)?;
    let limit = page_len(input.max_items)?;
    if ctx.store().get(&place.key()).await?.is_none() {
        return Err(place.missing());
    }
    let all = place.provisioned_key();
    // The marker is the last version or alias of the page before.
    let start = input.marker.map_or_else(|| all.clone(), |last| all.clone().str(&last).successor());
    let found = ctx.store().scan(all.prefix().from(start), Dir::Forward, limit + 1).await?;
    let more = found.len() > limit;
    let (mut configs, mut next_marker) = (Vec::new(), None);
    for (key, value) in found.into_iter().take(limit) {
        let found: Provisioned = store::decode(&key, &value)?;
        let arn = found.target.to_string();
        next_marker = arn.rsplit(':').next().filter(|_| more).map(str::to_owned);
        configs.push(output(ctx, &found, Some(arn)).await?);
    }
    Ok(ListProvisionedOutput { provisioned_concurrency_configs: configs, next_marker })
}

/// The version or alias a request means.
fn published(ctx: &Ctx, input: &ProvisionedInput) -> Result<Target, Error> {
    let target = target(ctx, &input.function_name, Some(&input.qualifier))?;
    if target.qualifier == Some(Qualifier::Version(Version::Latest)) {
        return Err(Error::parameter(
            "The function resource provided must be an alias or a published version.",
        ));
    }
    Ok(target)
}

/// Whether so much may be provisioned, and there.
async fn check(ctx: &Ctx, tx: &Tx, target: &Target, made: &Provisioned) -> Result<(), Error> {
    let place = &target.place;
    let version = existing_version(tx, target).await?.version;
    if version == Version::Latest {
        return Err(Error::parameter(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
        ));
    }
    let mut taken = Taken::read(ctx, tx).await?;
    let key = place.provisioned_key().str(&target.qualifier_text());
    let before: Option<Provisioned> = tx.get_record(&key).await?;
    let own = taken.functions.entry(place.name.clone()).or_default();
    own.provisioned += made.count;
    own.provisioned -= before.map_or(0, |before| before.count);
    if own.reserved.is_some_and(|reserved| reserved < own.provisioned) {
        return Err(Error::parameter(
            "Requested Provisioned Concurrency should not be greater than the \
             reservedConcurrentExecution for function",
        ));
    }
    if made.count > ACCOUNT_MAX {
        return Err(Error::parameter(format!(
            "Specified ConcurrentExecutions for function is greater than account's unreserved \
             concurrency [{ACCOUNT_MAX}]."
        )));
    }
    if taken.unreserved() < i64::from(UNRESERVED_MIN) {
        return Err(Error::parameter(format!(
            "Specified ConcurrentExecutions for function decreases account's \
             UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_MIN}]."
        )));
    }
    check_overlap(tx, place, target, version).await
}

/// A version is provisioned by itself or through an alias, not both.
async fn check_overlap(
    tx: &Tx,
    place: &Place,
    target: &Target,
    version: Version,
) -> Result<(), Error> {
    let all = place.provisioned_key();
    if matches!(target.qualifier, Some(Qualifier::Alias(_))) {
        if tx.get(&all.str(&version.to_string())).await?.is_some() {
            return Err(Error::Provisioned(
                "Alias can't be used for Provisioned Concurrency configuration on an already \
                 Provisioned version",
            ));
        }
        return Ok(());
    }
    let aliases = place.aliases_key().prefix();
    for (key, value) in tx.scan(aliases, Dir::Forward, usize::MAX).await? {
        let alias: Alias = store::decode(&key, &value)?;
        if alias.version == version && tx.get(&all.clone().str(&alias.name)).await?.is_some() {
            let text = "Version is pointed by a Provisioned Concurrency alias";
            return Err(Error::Provisioned(text));
        }
    }
    Ok(())
}

async fn output(
    ctx: &Ctx,
    found: &Provisioned,
    function_arn: Option<String>,
) -> Result<ProvisionedOutput, Error> {
    let up = provision::up(ctx, found).await?;
    let status = if up < found.count { "IN_PROGRESS" } else { "READY" };
    Ok(ProvisionedOutput {
        function_arn,
        requested_provisioned_concurrent_executions: found.count,
        available_provisioned_concurrent_executions: up,
        allocated_provisioned_concurrent_executions: up,
        status,
        last_modified: last_modified(found.modified),
    })
}
