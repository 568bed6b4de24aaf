//! Functions: made, described, listed, changed, deleted.

use std::sync::Arc;

use bytes::Bytes;
use kit::{Ctx, unserved};
use store::{Body, Dir, Tx};

use crate::api::concurrency::Concurrency;
use crate::api::{
    CodeLocation, CreateFunctionInput, FunctionConfiguration, FunctionInput, FunctionOutput,
    ListFunctionsInput, ListFunctionsOutput, Nothing, UpdateCodeInput, UpdateConfigurationInput,
};
use crate::code::sha256;
use crate::credentials;
use crate::data::{
    self, Code, Config, Credential, Function, Place, Qualifier, Reserved, Target, Version,
};
use crate::downloads::Package;
use crate::error::Error;
use crate::functions::{Lambda, Unpacked};
use crate::ops::{
    configuration, delete_all, existing, existing_version, layer, offer, package, page_len, place,
    tag, target, url, version,
};
use crate::rules::{self, name};

pub(crate) async fn create(
    ctx: &Ctx,
    input: CreateFunctionInput,
) -> Result<FunctionConfiguration, Error> {
    unserved::refuse(ctx, &input.unserved())?;
    unserved::refuse(ctx, &input.config.unserved())?;
    if let Some(kind) = input.package_type().filter(|kind| *kind != "Zip") {
        return Err(kit::Error::not_served(format_args!("lambda: PackageType {kind}")).into());
    }
    let place = &place(ctx, &input.function_name)?;
    name::check_new(&place.name)?;
    let config = rules::new_config(&input.config, input.architectures.as_deref())?;
    check_dead_letter(ctx, &config)?;
    let tags = input.tags.unwrap_or_default();
    tag::check(&tags)?;
    let zip = package(ctx, input.code.zip_file)?;
    let lambda = Lambda::of(ctx);
    let (sha, size) = (sha256(&zip), zip.len() as u64);
    lambda.unpack(sha, zip.clone()).await?;
    let staged = &Body::stage(ctx.store(), &ctx.account, zip).await?;
    let function = &mut Function {
        name: place.name.clone(),
        config,
        // Unpacked already; the transaction puts the zip in.
        code: Code { sha256: sha, size, zip: Body::Inline(Bytes::new()) },
        credentials: credentials::new(&*ctx.kit.random, &ctx.account),
        tags,
        modified: ctx.now(),
        revision: ctx.kit.uuid(),
        permitted: None,
        version: Version::Latest,
        version_last: 0,
        base: None,
    };
    let publish = input.publish == Some(true);
    let resolved = ctx.store().transact(&ctx.account, |tx| resolved(ctx, tx, &function.config));
    function.config = resolved.await?;
    lambda.try_out(place, function.clone()).await?;
    let function = &*function;
    let function = ctx.store().transact(&ctx.account, |tx| async move {
        if tx.get(&place.key()).await?.is_some() {
            return Err(Error::FunctionExists(place.name.clone()));
        }
        let mut function = function.clone();
        layer::resolve(ctx, &tx, &mut function.config).await?;
        function.code.zip = staged.link(&tx, &place.key());
        let credential = Credential { function: place.arn() };
        let access_key = &function.credentials.access_key;
        tx.put_record(data::credential_key(&ctx.account, access_key), &credential)?;
        let made = publish_if(ctx, &tx, place, &mut function, publish).await?;
        put(ctx, &tx, place, &function)?;
        Ok(made.unwrap_or(function))
    });
    // As on AWS, under its plain name even if it is a version.
    Ok(configuration::of(&place.arn(), function.await?))
}

pub(crate) async fn get(ctx: &Ctx, input: FunctionInput) -> Result<FunctionOutput, Error> {
    let target = target(ctx, &input.function_name, input.qualifier.as_deref())?;
    let mut function = read(ctx, &target).await?;
    let tags = std::mem::take(&mut function.tags);
    let package = Package::Function(target.place.version_key(function.version));
    let location = offer(ctx, package, &function.code);
    let configuration = configuration::of(&target.arn(), function);
    let reserved: Option<Reserved> = ctx.store().get_record(&target.place.reserved_key()).await?;
    let concurrency = reserved
        .map(|reserved| Concurrency { reserved_concurrent_executions: Some(reserved.count) });
    let code = CodeLocation { repository_type: "S3", location };
    Ok(FunctionOutput { configuration, code, tags, concurrency })
}

pub(crate) async fn get_configuration(
    ctx: &Ctx,
    input: FunctionInput,
) -> Result<FunctionConfiguration, Error> {
    let target = target(ctx, &input.function_name, input.qualifier.as_deref())?;
    Ok(configuration::of(&target.arn(), read(ctx, &target).await?))
}

async fn read(ctx: &Ctx, target: &Target) -> Result<Function, Error> {
    let read = |tx: Tx| async move { existing_version(&tx, target).await };
    ctx.store().transact(&ctx.account, read).await
}

pub(crate) async fn list(
    ctx: &Ctx,
    input: ListFunctionsInput,
) -> Result<ListFunctionsOutput, Error> {
    unserved::refuse(ctx, &input.unserved())?;
    if let Some(version) = input.function_version.as_deref().filter(|version| *version != "ALL") {
        let must = "Member must satisfy enum value set: [ALL]";
        return Err(Error::constraint("functionVersion", version, must));
    }
    let limit = page_len(input.max_items)?;
    if input.function_version.is_some() {
        return version::list_all(ctx, input.marker.as_deref(), limit).await;
    }
    let all = data::functions_key(&ctx.account, &ctx.region);
    // The marker is the last name of the page before.
    let start = input.marker.map_or_else(|| all.clone(), |last| all.clone().str(&last).successor());
    let mut functions = Vec::new();
    let found = ctx.store().scan(all.prefix().from(start), Dir::Forward, limit + 1).await?;
    let more = found.len() > limit;
    for (key, value) in found.into_iter().take(limit) {
        let function: Function = store::decode(&key, &value)?;
        functions.push(configuration::of(&Place::here(ctx, &function.name).arn(), function));
    }
    let next_marker = functions.last().filter(|_| more).map(|last| last.function_name.clone());
    Ok(ListFunctionsOutput { functions, next_marker })
}

pub(crate) async fn update_code(
    ctx: &Ctx,
    input: UpdateCodeInput,
) -> Result<FunctionConfiguration, Error> {
    unserved::refuse(ctx, &input.unserved())?;
    let place = &place(ctx, &input.function_name)?;
    let architecture = &rules::architecture(input.architectures.as_deref())?;
    let zip = package(ctx, input.code.zip_file)?;
    let (sha, size) = (sha256(&zip), zip.len() as u64);
    let code = Lambda::of(ctx).unpack(sha, zip.clone()).await?;
    let found: Option<Function> = ctx.store().get_record(&place.key()).await?;
    let before = found.ok_or_else(|| place.missing())?;
    let layers = Lambda::of(ctx).layers(&ctx.account, &before.config).await?;
    layer::check_size(&Unpacked { code, layers }).await?;
    let staged = match input.dry_run {
        Some(true) => None,
        _ => Some(Body::stage(ctx.store(), &ctx.account, zip).await?),
    };
    let (staged, revision) = (&staged, input.revision_id.as_deref());
    let publish = input.publish == Some(true);
    let changed = ctx.store().transact(&ctx.account, |tx| async move {
        let mut function = existing(&tx, place).await?;
        check_revision(&function, revision)?;
        if let Some(architecture) = architecture {
            function.config.architecture.clone_from(architecture);
        }
        function.code.sha256 = sha;
        function.code.size = size;
        if let Some(staged) = staged {
            function.code.zip.unlink(&tx, &place.key()).await?;
            function.code.zip = staged.link(&tx, &place.key());
            function.modified = ctx.now();
            function.renew(ctx.kit.uuid());
            let made = publish_if(ctx, &tx, place, &mut function, publish).await?;
            put(ctx, &tx, place, &function)?;
            return Ok((function, made));
        }
        Ok::<_, Error>((function, None))
    });
    let (function, made) = changed.await?;
    if staged.is_some() {
        // The runtime was there when it was made; if it is not any more, the next event says so.
        let _unavailable = Lambda::of(ctx).try_out(place, function.clone()).await;
    }
    let function = made.unwrap_or(function);
    Ok(configuration::of(&place.arn_of(function.version), function))
}

/// The configuration with what is known of its layers.
async fn resolved(ctx: &Ctx, tx: Tx, config: &Config) -> Result<Config, Error> {
    let mut config = config.clone();
    layer::resolve(ctx, &tx, &mut config).await?;
    Ok(config)
}

async fn publish_if(
    ctx: &Ctx,
    tx: &Tx,
    place: &Place,
    function: &mut Function,
    publish: bool,
) -> Result<Option<Function>, Error> {
    if !publish {
        return Ok(None);
    }
    version::add(ctx, tx, place, function, None).await.map(Some)
}

pub(crate) async fn update_configuration(
    ctx: &Ctx,
    input: UpdateConfigurationInput,
) -> Result<FunctionConfiguration, Error> {
    unserved::refuse(ctx, &input.config.unserved())?;
    let place = &place(ctx, &input.function_name)?;
    let input = &input;
    let change = |tx: Tx| async move {
        let mut function = existing(&tx, place).await?;
        check_revision(&function, input.revision_id.as_deref())?;
        function.config = rules::changed_config(function.config, &input.config)?;
        check_dead_letter(ctx, &function.config)?;
        if input.config.layers.is_some() {
            layer::resolve(ctx, &tx, &mut function.config).await?;
        }
        Ok::<_, Error>(function)
    };
    // Tried on a copy first: another runtime is started, or refused, outside of the transaction.
    let mut tried = ctx.store().transact(&ctx.account, change).await?;
    let revision = &ctx.kit.uuid();
    tried.renew(revision.clone());
    Lambda::of(ctx).try_out(place, tried).await?;
    let function = ctx.store().transact(&ctx.account, |tx| async move {
        let mut function = change(tx.clone()).await?;
        function.modified = ctx.now();
        function.renew(revision.clone());
        put(ctx, &tx, place, &function)?;
        Ok::<_, Error>(function)
    });
    Ok(configuration::of(&place.arn(), function.await?))
}

/// Writes a function that changed, from whose commit on its older revisions are not run.
fn put(ctx: &Ctx, tx: &Tx, place: &Place, function: &Function) -> Result<(), Error> {
    tx.put_record(place.key(), function)?;
    let lambda = Lambda::of(ctx);
    lambda.forget_on_commit(tx, place);
    lambda.retire_on_commit(tx, place.arn(), Some(function.revision.clone()));
    Ok(())
}

pub(crate) async fn delete(ctx: &Ctx, input: FunctionInput) -> Result<Nothing, Error> {
    let target = target(ctx, &input.function_name, input.qualifier.as_deref())?;
    let (place, lambda) = (&target.place, Lambda::of(ctx));
    let deleted = match target.qualifier {
        None => ctx.store().transact(&ctx.account, |tx| delete_whole(lambda, tx, place)).await,
        Some(Qualifier::Version(Version::Latest)) => Err(Error::parameter(
            "$LATEST version cannot be deleted without deleting the function.",
        )),
        Some(Qualifier::Version(version)) => {
            let delete = |tx: Tx| async move { version::delete(lambda, &tx, place, version).await };
            ctx.store().transact(&ctx.account, delete).await
        }
        Some(Qualifier::Alias(_)) => {
            Err(Error::parameter("Deletion of aliases is not currently supported."))
        }
    };
    deleted.map(|()| Nothing {})
}

/// Deletes a function with its versions and all that goes with it.
async fn delete_whole(lambda: &Arc<Lambda>, tx: Tx, place: &Place) -> Result<(), Error> {
    let function = existing(&tx, place).await?;
    function.code.zip.unlink(&tx, &place.key()).await?;
    tx.delete(data::credential_key(&place.account, &function.credentials.access_key));
    tx.delete(place.key());
    let versions = place.versions_key().prefix();
    for (key, value) in tx.scan(versions, Dir::Forward, usize::MAX).await? {
        let version: Function = store::decode(&key, &value)?;
        version::remove(lambda, &tx, place, &version).await?;
    }
    url::remove(&tx, &place.urls_key()).await?;
    for prefix in place.belongings() {
        delete_all(&tx, &prefix).await?;
    }
    lambda.forget_on_commit(&tx, place);
    lambda.reserve_on_commit(&tx, place, None);
    lambda.retire_on_commit(&tx, place.arn(), None);
    Ok(())
}

pub(crate) fn check_revision(function: &Function, given: Option<&str>) -> Result<(), Error> {
    if given.is_none_or(|given| given == function.revision_id()) {
        return Ok(());
    }
    Err(Error::Revision("GetFunction/GetAlias"))
}

fn check_dead_letter(ctx: &Ctx, config: &Config) -> Result<(), Error> {
    match &config.dead_letter {
        Some(target) if !ctx.kit.targets.takes(target) => {
            let text = format!("lambda: {} as a dead-letter target", target.service);
            Err(kit::Error::not_served(text).into())
        }
        // Nothing says which message group an event is of.
        Some(target) if target.resource.ends_with(".fifo") => {
            Err(Error::parameter(format!("The provided DLQ ARN {target} is invalid.")))
        }
        _ => Ok(()),
    }
}
