//! Versions: what a function was at a moment, under a number. They do not change any more.

use kit::{Ctx, unserved};
use store::{Dir, Tx};

use crate::api::version::{ListVersionsInput, ListVersionsOutput, PublishVersionInput};
use crate::api::{FunctionConfiguration, ListFunctionsOutput};
use crate::credentials;
use crate::data::{self, Alias, Credential, Function, LATEST, Place, Version};
use crate::error::Error;
use crate::functions::Lambda;
use crate::ops::function::check_revision;
use crate::ops::{configuration, delete_all, existing, page_len, place};
use crate::rules;

pub(crate) async fn publish(
    ctx: &Ctx,
    input: PublishVersionInput,
) -> Result<FunctionConfiguration, Error> {
    unserved::refuse(ctx, &input.unserved())?;
    let place = &place(ctx, &input.function_name)?;
    if let Some(description) = &input.description {
        rules::check_description(description)?;
    }
    let input = &input;
    let version = ctx.store().transact(&ctx.account, |tx| async move {
        let mut function = existing(&tx, place).await?;
        check_revision(&function, input.revision_id.as_deref())?;
        let current = configuration::base64_sha(&function.code.sha256);
        if let Some(given) = input.code_sha256.as_ref().filter(|given| **given != current) {
            return Err(Error::parameter(format!(
                "CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST \
                 ({current}). Please try again with the CodeSHA256 in $LATEST."
            )));
        }
        let version = add(ctx, &tx, place, &mut function, input.description.as_deref()).await?;
        tx.put_record(place.key(), &function)?;
        Ok(version)
    });
    let version = version.await?;
    Ok(configuration::of(&place.arn_of(version.version), version))
}

/// Publishes the function as it is, unless its last version is the same. The caller writes the
/// function, which counts its versions.
pub(crate) async fn add(
    ctx: &Ctx,
    tx: &Tx,
    place: &Place,
    function: &mut Function,
    description: Option<&str>,
) -> Result<Function, Error> {
    if function.version_last > 0 {
        let last = place.version_key(Version::Number(function.version_last));
        let last: Option<Function> = tx.get_record(&last).await?;
        if let Some(last) = last.filter(|last| is_same(last, function)) {
            return Ok(last);
        }
    }
    function.version_last += 1;
    let version = Version::Number(function.version_last);
    let key = place.version_key(version);
    let mut made = Function {
        credentials: credentials::new(&*ctx.kit.random, &ctx.account),
        tags: Default::default(),
        revision: ctx.kit.uuid(),
        permitted: None,
        version,
        version_last: 0,
        base: Some(function.revision.clone()),
        ..function.clone()
    };
    made.code.zip = function.code.zip.link(tx, &key);
    if let Some(description) = description {
        made.config.description = description.to_owned();
    }
    let credential = Credential { function: place.arn_of(version) };
    let access_key = &made.credentials.access_key;
    tx.put_record(data::credential_key(&ctx.account, access_key), &credential)?;
    tx.put_record(key, &made)?;
    Ok(made)
}

/// Whether the function is as it was when the version was made of it.
fn is_same(version: &Function, function: &Function) -> bool {
    version.base.as_ref() == Some(&function.revision)
        || version.config == function.config && version.code.sha256 == function.code.sha256
}

pub(crate) async fn list(ctx: &Ctx, input: ListVersionsInput) -> Result<ListVersionsOutput, Error> {
    let place = &place(ctx, &input.function_name)?;
    let limit = page_len(input.max_items)?;
    let function = ctx.store().get_record::<Function>(&place.key()).await?;
    let function = function.ok_or_else(|| place.missing())?;
    let all = place.versions_key();
    let mut versions = Vec::new();
    // The marker is the last version of the page before.
    let start = match input.marker.as_deref() {
        None => {
            versions.push(configuration::of(&place.qualified(LATEST), function));
            all.clone()
        }
        Some(marker) => {
            let last = rules::name::version("marker", marker)?;
            all.clone().u64(u64::from(last).saturating_add(1))
        }
    };
    let found = ctx.store().scan(all.prefix().from(start), Dir::Forward, limit + 1).await?;
    for (key, value) in found {
        let function: Function = store::decode(&key, &value)?;
        versions.push(configuration::of(&place.arn_of(function.version), function));
    }
    let more = versions.len() > limit;
    versions.truncate(limit);
    let next_marker = versions.last().filter(|_| more).map(|last| last.version.clone());
    Ok(ListVersionsOutput { versions, next_marker })
}

/// Lists functions, each followed by its versions.
pub(crate) async fn list_all(
    ctx: &Ctx,
    marker: Option<&str>,
    limit: usize,
) -> Result<ListFunctionsOutput, Error> {
    let all = data::functions_key(&ctx.account, &ctx.region);
    // The marker is the last name and version of the page before.
    let marker = marker.map(|marker| marker.split_once(':').unwrap_or((marker, LATEST)));
    let start = marker.map_or_else(|| all.clone(), |(name, _)| all.clone().str(name));
    let mut functions = Vec::new();
    // One more than fills the page, and the one of the marker, of which nothing may be left.
    let found = ctx.store().scan(all.prefix().from(start), Dir::Forward, limit + 2).await?;
    for (key, value) in found {
        let function: Function = store::decode(&key, &value)?;
        let place = Place::here(ctx, &function.name);
        let versions = place.versions_key();
        let mut start = versions.clone();
        match marker.filter(|(name, _)| *name == place.name) {
            Some((_, last)) => {
                let last = rules::name::version("marker", last)?;
                start = start.u64(u64::from(last).saturating_add(1));
            }
            None => functions.push(configuration::of(&place.qualified(LATEST), function)),
        }
        let range = versions.prefix().from(start);
        for (key, value) in ctx.store().scan(range, Dir::Forward, limit + 1).await? {
            let function: Function = store::decode(&key, &value)?;
            functions.push(configuration::of(&place.arn_of(function.version), function));
        }
        if functions.len() > limit {
            break;
        }
    }
    let more = functions.len() > limit;
    functions.truncate(limit);
    let last = functions.last().filter(|_| more);
    let next_marker = last.map(|last| format!("{}:{}", last.function_name, last.version));
    Ok(ListFunctionsOutput { functions, next_marker })
}

/// Deletes a version with a number, which no alias may stand for.
pub(crate) async fn delete(
    lambda: &std::sync::Arc<Lambda>,
    tx: &Tx,
    place: &Place,
    version: Version,
) -> Result<(), Error> {
    existing(tx, place).await?;
    let mut aliases = Vec::new();
    let all = place.aliases_key().prefix();
    for (key, value) in tx.scan(all, Dir::Forward, usize::MAX).await? {
        let alias: Alias = store::decode(&key, &value)?;
        if alias.version == version || alias.weights.contains_key(&version) {
            aliases.push(alias.name);
        }
    }
    if !aliases.is_empty() {
        return Err(Error::VersionUsed(aliases.join(", ")));
    }
    // As on AWS, one that is not there is deleted already.
    if let Some(found) = tx.get_record(&place.version_key(version)).await? {
        remove(lambda, tx, place, &found).await?;
    }
    Ok(())
}

/// Deletes what is stored of a version.
pub(crate) async fn remove(
    lambda: &std::sync::Arc<Lambda>,
    tx: &Tx,
    place: &Place,
    version: &Function,
) -> Result<(), Error> {
    let key = place.version_key(version.version);
    version.code.zip.unlink(tx, &key).await?;
    tx.delete(data::credential_key(&place.account, &version.credentials.access_key));
    tx.delete(key);
    for prefix in place.belongings_of(&version.version.to_string()) {
        delete_all(tx, &prefix).await?;
    }
    lambda.forget_on_commit(tx, place);
    lambda.retire_on_commit(tx, place.arn_of(version.version), None);
    Ok(())
}
