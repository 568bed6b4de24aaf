//! Functions: made, described, listed, changed, deleted.

use base::{AccountId, Region};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use kit::{Ctx, unserved};
use store::{Body, Dir, Tx};

use crate::api::{
    CodeLocation, CreateFunctionInput, DeadLetterConfig, Environment, EphemeralStorage,
    FunctionCode, FunctionConfiguration, FunctionInput, FunctionOutput, ListFunctionsInput,
    ListFunctionsOutput, LoggingConfigOutput, Nothing, SnapStartOutput, TracingConfig,
    UpdateCodeInput, UpdateConfigurationInput,
};
use crate::code::{Sha, ZIP_BYTES_MAX, sha256};
use crate::credentials;
use crate::data::{self, Code, Config, Credential, Function, Place};
use crate::error::Error;
use crate::functions::Lambda;
use crate::ops::{existing, page_len, place, tag};
use crate::rules::{self, LATEST};

pub(crate) async fn create(
    ctx: &Ctx,
    input: CreateFunctionInput,
) -> Result<FunctionConfiguration, Error> {
    unserved::refuse(ctx, &input.unserved())?;
    unserved::refuse(ctx, &input.config.unserved())?;
    if let Some(kind) = input.package_type().filter(|kind| *kind != "Zip") {
        return Err(kit::Error::not_served(format_args!("lambda: PackageType {kind}")).into());
    }
    let place = &place(ctx, &input.function_name, None)?;
    rules::check_new_name(&place.name)?;
    let config = rules::new_config(&input.config, input.architectures.as_deref())?;
    check_dead_letter(ctx, &config)?;
    let tags = input.tags.unwrap_or_default();
    tag::check(&tags)?;
    let zip = package(ctx, input.code)?;
    let lambda = Lambda::of(ctx);
    let (sha, size) = (sha256(&zip), zip.len() as u64);
    let tree = lambda.unpack(sha, zip.clone()).await?;
    let staged = &Body::stage(ctx.store(), &ctx.account, zip).await?;
    let function = &Function {
        name: place.name.clone(),
        config,
        code: Code { sha256: sha, size, zip: Body::Inline(Bytes::new()) },
        credentials: credentials::new(&*ctx.kit.random, &ctx.account),
        tags,
        modified: ctx.now(),
        revision: ctx.kit.uuid(),
    };
    lambda.warm(place, function.clone(), tree).await?;
    let function = ctx.store().transact(&ctx.account, |tx| async move {
        if tx.get(&place.key()).await?.is_some() {
            return Err(Error::FunctionExists(place.name.clone()));
        }
        let mut function = function.clone();
        function.code.zip = staged.link(&tx, &place.key());
        let credential = Credential { function: place.arn() };
        let access_key = &function.credentials.access_key;
        tx.put_record(data::credential_key(&ctx.account, access_key), &credential)?;
        put(ctx, &tx, place, &function)?;
        Ok(function)
    });
    Ok(configuration(&ctx.account, &ctx.region, function.await?))
}

pub(crate) async fn get(ctx: &Ctx, input: FunctionInput) -> Result<FunctionOutput, Error> {
    let mut function = read(ctx, &input).await?;
    let tags = std::mem::take(&mut function.tags);
    let configuration = configuration(&ctx.account, &ctx.region, function);
    Ok(FunctionOutput { configuration, code: CodeLocation { repository_type: "S3" }, tags })
}

pub(crate) async fn get_configuration(
    ctx: &Ctx,
    input: FunctionInput,
) -> Result<FunctionConfiguration, Error> {
    Ok(configuration(&ctx.account, &ctx.region, read(ctx, &input).await?))
}

async fn read(ctx: &Ctx, input: &FunctionInput) -> Result<Function, Error> {
    let place = place(ctx, &input.function_name, input.qualifier.as_deref())?;
    let found = ctx.store().get_record(&place.key()).await?;
    found.ok_or_else(|| place.missing())
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
    let all = data::functions_key(&ctx.account, &ctx.region);
    // The marker is the last name of the page before.
    let start = input.marker.map_or_else(|| all.clone(), |last| all.clone().str(&last).successor());
    let mut functions = Vec::new();
    let found = ctx.store().scan(all.prefix().from(start), Dir::Forward, limit + 1).await?;
    let more = found.len() > limit;
    for (key, value) in found.into_iter().take(limit) {
        let function = store::decode(&key, &value)?;
        functions.push(configuration(&ctx.account, &ctx.region, function));
    }
    let next_marker = functions.last().filter(|_| more).map(|last| last.function_name.clone());
    Ok(ListFunctionsOutput { functions, next_marker })
}

pub(crate) async fn update_code(
    ctx: &Ctx,
    input: UpdateCodeInput,
) -> Result<FunctionConfiguration, Error> {
    unserved::refuse(ctx, &input.unserved())?;
    let place = &place(ctx, &input.function_name, None)?;
    let architecture = &rules::architecture(input.architectures.as_deref())?;
    let zip = package(ctx, input.code)?;
    let (sha, size) = (sha256(&zip), zip.len() as u64);
    Lambda::of(ctx).unpack(sha, zip.clone()).await?;
    let staged = match input.dry_run {
        Some(true) => None,
        _ => Some(Body::stage(ctx.store(), &ctx.account, zip).await?),
    };
    let (staged, revision) = (&staged, input.revision_id.as_deref());
    let function = ctx.store().transact(&ctx.account, |tx| async move {
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
            function.revision = ctx.kit.uuid();
            put(ctx, &tx, place, &function)?;
        }
        Ok::<_, Error>(function)
    });
    Ok(configuration(&ctx.account, &ctx.region, function.await?))
}

pub(crate) async fn update_configuration(
    ctx: &Ctx,
    input: UpdateConfigurationInput,
) -> Result<FunctionConfiguration, Error> {
    unserved::refuse(ctx, &input.config.unserved())?;
    let place = &place(ctx, &input.function_name, None)?;
    let input = &input;
    let change = |mut function: Function| {
        check_revision(&function, input.revision_id.as_deref())?;
        function.config = rules::changed_config(function.config, &input.config)?;
        check_dead_letter(ctx, &function.config)?;
        Ok::<_, Error>(function)
    };
    // Tried on a copy first: another runtime is started, or refused, outside of the transaction.
    let found: Option<Function> = ctx.store().get_record(&place.key()).await?;
    let tried = change(found.ok_or_else(|| place.missing())?)?;
    let lambda = Lambda::of(ctx);
    let tree = lambda.tree(&tried).await?;
    lambda.warm(place, tried, tree).await?;
    let function = ctx.store().transact(&ctx.account, |tx| async move {
        let mut function = change(existing(&tx, place).await?)?;
        function.modified = ctx.now();
        function.revision = ctx.kit.uuid();
        put(ctx, &tx, place, &function)?;
        Ok::<_, Error>(function)
    });
    Ok(configuration(&ctx.account, &ctx.region, function.await?))
}

/// Writes a function that changed, from whose commit on its older revisions are not run.
fn put(ctx: &Ctx, tx: &Tx, place: &Place, function: &Function) -> Result<(), Error> {
    tx.put_record(place.key(), function)?;
    Lambda::of(ctx).forget_on_commit(tx, place, Some(&function.revision));
    Ok(())
}

pub(crate) async fn delete(ctx: &Ctx, input: FunctionInput) -> Result<Nothing, Error> {
    let place = &place(ctx, &input.function_name, input.qualifier.as_deref())?;
    let lambda = Lambda::of(ctx);
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            let function = existing(&tx, place).await?;
            function.code.zip.unlink(&tx, &place.key()).await?;
            tx.delete(data::credential_key(&ctx.account, &function.credentials.access_key));
            tx.delete(place.policy_key());
            tx.delete(place.key());
            lambda.forget_on_commit(&tx, place, None);
            Ok(Nothing {})
        })
        .await
}

fn check_revision(function: &Function, given: Option<&str>) -> Result<(), Error> {
    if given.is_none_or(|given| given == function.revision) {
        return Ok(());
    }
    Err(Error::Revision("GetFunction"))
}

fn check_dead_letter(ctx: &Ctx, config: &Config) -> Result<(), Error> {
    match &config.dead_letter {
        Some(target) if !ctx.kit.targets.takes(target) => {
            let text = format!("lambda: {} as a dead-letter target", target.service);
            Err(kit::Error::not_served(text).into())
        }
        _ => Ok(()),
    }
}

/// The zip of an upload.
fn package(ctx: &Ctx, code: FunctionCode) -> Result<Bytes, Error> {
    let zip = code.zip_file.map(|zip| zip.0).filter(|zip| !zip.is_empty());
    let zip = zip.ok_or_else(|| Error::parameter("Please provide a source for function code."))?;
    if zip.len() > ZIP_BYTES_MAX {
        // AWS counts the request, in which the package stands as base64.
        let max = ZIP_BYTES_MAX.div_ceil(3) * 4;
        return Err(Error::RequestTooLarge { max, operation: ctx.operation });
    }
    Ok(zip)
}

fn configuration(
    account: &AccountId,
    region: &Region,
    function: Function,
) -> FunctionConfiguration {
    let Function { name, config, code, modified, revision, .. } = function;
    let place = Place { account: account.clone(), region: region.clone(), name };
    let log_group = config.log_group(&place.name);
    let environment = (!config.environment.is_empty())
        .then_some(Environment { variables: Some(config.environment) });
    let dead_letter_config =
        config.dead_letter.map(|arn| DeadLetterConfig { target_arn: Some(arn.to_string()) });
    FunctionConfiguration {
        function_arn: place.arn().to_string(),
        function_name: place.name,
        runtime: config.runtime,
        role: config.role.to_string(),
        handler: config.handler,
        code_size: code.size,
        description: config.description,
        timeout: config.timeout_secs,
        memory_size: config.memory_mb,
        last_modified: last_modified(modified),
        code_sha256: base64_sha(&code.sha256),
        version: LATEST,
        dead_letter_config,
        environment,
        tracing_config: TracingConfig { mode: Some("PassThrough".into()) },
        revision_id: revision,
        state: "Active",
        last_update_status: "Successful",
        package_type: "Zip",
        architectures: vec![config.architecture],
        ephemeral_storage: EphemeralStorage { size: config.ephemeral_mb.into() },
        snap_start: SnapStartOutput { apply_on: "None", optimization_status: "Off" },
        logging_config: LoggingConfigOutput { log_format: "Text", log_group },
    }
}

fn base64_sha(sha: &Sha) -> String {
    BASE64_STANDARD.encode(sha)
}

/// `2026-11-21T07:11:45.000+0000`, the form only Lambda has.
fn last_modified(time: base::Time) -> String {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let timestamp = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    timestamp.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string()
}
