//! Event source mappings: made, described, listed, changed, deleted. What feeds functions of them
//! is `work::mappings`.

use base::Arn;
use kit::sources::Terms;
use kit::{Ctx, unserved};
use store::{Dir, Key, Tx};
use tracing::warn;
use wire::Epoch;

use crate::api::event_config::{Destination, DestinationConfig};
use crate::api::mapping::{
    CreateMappingInput, Filter, FilterCriteria, ListMappingsInput, ListMappingsOutput,
    MappingConfiguration, MappingInput, MappingSettings, PollersShown, ScalingConfig, StreamShown,
    UpdateMappingInput,
};
use crate::data::{self, Function, Mapping, Reading, checkpoints_key};
use crate::error::Error;
use crate::functions::Lambda;
use crate::ops::event_config::destination_arn;
use crate::ops::{existing_version, page_len, tag, target};
use crate::rules::{self, mapping as rule};
use crate::work::feed::checkpoint;

const BATCH_SIZE_DEFAULT: u32 = 10;

const BATCH_SIZE_DEFAULT_OF_STREAMS: u32 = 100;

pub(crate) async fn create(
    ctx: &Ctx,
    input: CreateMappingInput,
) -> Result<MappingConfiguration, Error> {
    unserved::refuse(ctx, &input.unserved())?;
    unserved::refuse(ctx, &input.settings.unserved())?;
    let Some(source) = &input.event_source_arn else {
        return Err(Error::parameter("EventSourceArn is required for this event source."));
    };
    let source = rules::parse_arn(source)?;
    let (terms, reading) = &source_of(ctx, &source, &input).await?;
    let tags = input.tags.unwrap_or_default();
    tag::check(&tags)?;
    let target = &target(ctx, &input.function_name, None)?;
    let mut mapping = Mapping {
        uuid: ctx.kit.uuid(),
        source,
        function: target.arn(),
        enabled: true,
        batch_size: match reading {
            Some(_) => BATCH_SIZE_DEFAULT_OF_STREAMS,
            None => BATCH_SIZE_DEFAULT,
        },
        window_secs: 0,
        report_failures: false,
        concurrency_max: None,
        modified: ctx.now(),
        filters: Vec::new(),
        pollers: None,
        tags,
        reading: reading.clone(),
    };
    set(ctx, &mut mapping, &input.settings)?;
    let (mapping, key) = (&mapping, &key(ctx, &mapping.uuid));
    let made = ctx.store().transact(&ctx.account, |tx| async move {
        let function = existing_version(&tx, target).await?;
        if let Some(terms) = terms {
            rule::check_lease(terms, function.config.timeout_secs)?;
        }
        let given_up = claim(ctx, &tx, mapping).await?;
        tx.put_record(key.clone(), mapping)?;
        Ok::<_, Error>((function, given_up))
    });
    let (function, given_up) = made.await?;
    if let Some(terms) = terms {
        advise(terms, mapping, &function);
    }
    sync_all(ctx, given_up).await?;
    sync(ctx, mapping, key).await?;
    configuration(ctx, mapping.clone(), "Creating").await
}

/// What the source of a new mapping promises, if it is a queue, and how it is read, if it is a
/// stream.
async fn source_of(
    ctx: &Ctx,
    source: &Arn,
    input: &CreateMappingInput,
) -> Result<(Option<Terms>, Option<Reading>), Error> {
    let Some(stream) = ctx.kit.streams.get(source) else {
        let terms = terms(ctx, source).await?;
        if input.starting_position.as_ref().is_some_and(|position| !position.is_empty()) {
            let text = "StartingPosition is not valid for SQS event sources.";
            return Err(Error::parameter(text));
        }
        return match input.starts_at_time() {
            true => Err(rule::unsupported("StartingPositionTimestamp")),
            false => Ok((Some(terms), None)),
        };
    };
    let latest = rule::stream::starts_at_latest(source, input.starting_position.as_deref())?;
    if input.starts_at_time() {
        return Err(rule::unsupported("StartingPositionTimestamp"));
    }
    check_here(ctx, source)?;
    let about = stream.about(source).await.map_err(|error| {
        let text = format!("Stream not found: {source}");
        if error.status < 500 { Error::parameter(text) } else { error.into() }
    })?;
    let start = if latest { about.latest } else { 0 };
    Ok((None, Some(Reading { start, ..Reading::default() })))
}

/// Puts the settings given into a mapping.
fn set(ctx: &Ctx, mapping: &mut Mapping, settings: &MappingSettings) -> Result<(), Error> {
    rule::set(mapping, settings)?;
    let (Some(reading), Some(config)) = (&mut mapping.reading, &settings.destination_config) else {
        return Ok(());
    };
    if let Some(given) = rule::stream::on_failure(config)? {
        reading.on_failure = given.map(|text| destination(ctx, text)).transpose()?;
    }
    Ok(())
}

/// Who is to be told of records that were given up: a queue or a topic.
fn destination(ctx: &Ctx, text: &str) -> Result<Arn, Error> {
    let arn = destination_arn("destinationConfig.onFailure.destination", text)?;
    match arn.service.as_str() {
        "sqs" | "sns" if arn.resource.ends_with(".fifo") => {}
        "sqs" | "sns" if ctx.kit.targets.takes(&arn) => return Ok(arn),
        "lambda" | "events" => {}
        other => {
            let text = format!("lambda: {other} as a destination of an event source mapping");
            return Err(kit::Error::not_served(text).into());
        }
    }
    Err(Error::parameter(format!("The destination ARN {arn} is invalid.")))
}

pub(crate) async fn get(ctx: &Ctx, input: MappingInput) -> Result<MappingConfiguration, Error> {
    let found = ctx.store().get_record(&key(ctx, &input.uuid)).await?;
    let mapping: Mapping = found.ok_or(Error::NoResource)?;
    let state = state(&mapping);
    configuration(ctx, mapping, state).await
}

pub(crate) async fn list(ctx: &Ctx, input: ListMappingsInput) -> Result<ListMappingsOutput, Error> {
    let limit = page_len(input.max_items)?;
    let source = input.event_source_arn.as_deref().map(rules::parse_arn).transpose()?;
    let function = input.function_name.as_deref();
    let function = function.map(|name| target(ctx, name, None)).transpose()?.map(|t| t.arn());
    let all = data::mappings_key(&ctx.account, &ctx.region);
    // The marker is the last UUID of the page before.
    let start = input.marker.map_or_else(|| all.clone(), |last| all.clone().str(&last).successor());
    let mut found = Vec::new();
    let entries = ctx.store().scan(all.prefix().from(start), Dir::Forward, usize::MAX).await?;
    for (key, value) in entries {
        let mapping: Mapping = store::decode(&key, &value)?;
        let wanted = source.as_ref().is_none_or(|arn| *arn == mapping.source)
            && function.as_ref().is_none_or(|arn| *arn == mapping.function);
        if wanted {
            let state = state(&mapping);
            found.push(configuration(ctx, mapping, state).await?);
        }
        if found.len() > limit {
            break;
        }
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let next_marker = found.last().filter(|_| more).map(|last| last.uuid.clone());
    Ok(ListMappingsOutput { event_source_mappings: found, next_marker })
}

pub(crate) async fn update(
    ctx: &Ctx,
    input: UpdateMappingInput,
) -> Result<MappingConfiguration, Error> {
    unserved::refuse(ctx, &input.settings.unserved())?;
    let key = &key(ctx, &input.uuid);
    let function =
        input.function_name.as_deref().map(|name| target(ctx, name, None)).transpose()?;
    let before: Mapping = ctx.store().get_record(key).await?.ok_or(Error::NoResource)?;
    // A mapping whose queue is gone can still be changed: to stop it, for one.
    let terms = &terms(ctx, &before.source).await.ok();
    let (function, settings) = (&function, &input.settings);
    let changed = ctx.store().transact(&ctx.account, |tx| async move {
        let mut mapping = stored(&tx, key).await?;
        let mut given_up = Vec::new();
        if let Some(target) = function {
            mapping.function = target.arn();
            given_up = claim(ctx, &tx, &mapping).await?;
        }
        let enabled_before = mapping.enabled;
        set(ctx, &mut mapping, settings)?;
        let state = match (enabled_before, mapping.enabled) {
            (false, true) => "Enabling",
            (true, false) => "Disabling",
            _ => "Updating",
        };
        mapping.modified = ctx.now();
        let runs = match existing_version(&tx, &data::Target::of(&mapping.function)?).await {
            Ok(runs) => Some(runs),
            // Nor need the function be there that the mapping has had.
            Err(_) if function.is_none() => None,
            Err(error) => return Err(error),
        };
        if let (true, Some(terms), Some(runs)) = (mapping.enabled, terms, &runs) {
            rule::check_lease(terms, runs.config.timeout_secs)?;
        }
        tx.put_record(key.clone(), &mapping)?;
        Ok::<_, Error>((mapping, runs, state, given_up))
    });
    let (mapping, runs, state, given_up) = changed.await?;
    if let (Some(terms), Some(runs)) = (terms, &runs) {
        advise(terms, &mapping, runs);
    }
    sync_all(ctx, given_up).await?;
    sync(ctx, &mapping, key).await?;
    configuration(ctx, mapping, state).await
}

pub(crate) async fn delete(ctx: &Ctx, input: MappingInput) -> Result<MappingConfiguration, Error> {
    let key = &key(ctx, &input.uuid);
    let mapping = ctx.store().transact(&ctx.account, |tx| async move {
        let mapping = stored(&tx, key).await?;
        tx.delete(key.clone());
        checkpoint::forget(&tx, &checkpoints_key(&ctx.account, &ctx.region, &mapping.uuid)).await?;
        Ok::<_, Error>(mapping)
    });
    let mapping = mapping.await?;
    sync(ctx, &mapping, key).await?;
    configuration(ctx, mapping, "Deleting").await
}

/// The mapping an operation touches.
pub(crate) fn touched(ctx: &Ctx, uuid: &str) -> Vec<Arn> {
    vec![ctx.arn("lambda", format!("event-source-mapping:{uuid}"))]
}

async fn sync(ctx: &Ctx, mapping: &Mapping, key: &Key) -> Result<(), Error> {
    let lambda = Lambda::of(ctx);
    lambda.pollers.sync(lambda, &mapping.uuid, key).await
}

/// Where a mapping is.
pub(crate) fn key(ctx: &Ctx, uuid: &str) -> Key {
    data::mappings_key(&ctx.account, &ctx.region).str(uuid)
}

pub(crate) async fn stored(tx: &Tx, key: &Key) -> Result<Mapping, Error> {
    tx.get_record(key).await?.ok_or(Error::NoResource)
}

/// Says in the log what is allowed and yet not wise.
fn advise(terms: &Terms, mapping: &Mapping, function: &Function) {
    let Mapping { uuid, source, function: to, .. } = mapping;
    for advice in rule::advice(terms, mapping, function.config.timeout_secs) {
        warn!(mapping = uuid, %source, function = %to, "{advice}");
    }
}

/// What the source promises. It must exist, here, and be readable.
async fn terms(ctx: &Ctx, source: &Arn) -> Result<Terms, Error> {
    check_here(ctx, source)?;
    let terms = ctx.kit.sources.get(source)?.terms(source).await;
    terms.map_err(|error| {
        let text = format!(
            "Error occurred while ReceiveMessage. SQS Error Code: {}. SQS Error Message: {}",
            error.code, error.message
        );
        if error.status < 500 { Error::parameter(text) } else { error.into() }
    })
}

fn check_here(ctx: &Ctx, source: &Arn) -> Result<(), Error> {
    if source.account != ctx.account.as_str() || source.region != ctx.region.as_str() {
        let text = "an event source in another account or region";
        return Err(kit::Error::not_served(text).into());
    }
    Ok(())
}

/// A source feeds a function through one mapping at most. One that has only followed its own
/// stream to this one gives it up; the UUIDs of those.
async fn claim(ctx: &Ctx, tx: &Tx, mapping: &Mapping) -> Result<Vec<String>, Error> {
    let all = data::mappings_key(&ctx.account, &ctx.region).prefix();
    let mut given_up = Vec::new();
    for (key, value) in tx.scan(all, Dir::Forward, usize::MAX).await? {
        let mut other: Mapping = store::decode(&key, &value)?;
        if other.function != mapping.function || other.uuid == mapping.uuid {
            continue;
        }
        if other.source == mapping.source || other.source == *mapping.read_from() {
            return Err(exists(other));
        }
        if let Some(reading) = other.reading.as_mut().filter(|_| mapping.reading.is_some())
            && reading.followed.as_ref() == Some(&mapping.source)
        {
            (reading.followed, reading.superseded) = (None, true);
            tx.put_record(key, &other)?;
            given_up.push(other.uuid);
        }
    }
    Ok(given_up)
}

fn exists(other: Mapping) -> Error {
    let name = other.function.resource_after("function:").unwrap_or_default();
    let (source, function, uuid) = (other.source.to_string(), name.to_owned(), other.uuid);
    match other.reading {
        Some(_) => Error::StreamMappingExists { stream: source, function, uuid },
        None => Error::MappingExists { queue: source, function, uuid },
    }
}

async fn sync_all(ctx: &Ctx, uuids: Vec<String>) -> Result<(), Error> {
    let lambda = Lambda::of(ctx);
    for uuid in uuids {
        lambda.pollers.sync(lambda, &uuid, &key(ctx, &uuid)).await?;
    }
    Ok(())
}

fn state(mapping: &Mapping) -> &'static str {
    if mapping.enabled { "Enabled" } else { "Disabled" }
}

async fn configuration(
    ctx: &Ctx,
    mapping: Mapping,
    state: &'static str,
) -> Result<MappingConfiguration, Error> {
    let max = mapping.concurrency_max;
    let arn = ctx.arn("lambda", format!("event-source-mapping:{}", mapping.uuid));
    let is_stream = mapping.reading.is_some();
    let stream = match &mapping.reading {
        Some(reading) => {
            let result = Lambda::of(ctx).pollers.result(ctx, &mapping.uuid).await?;
            Some(stream_shown(reading, result))
        }
        None => None,
    };
    Ok(MappingConfiguration {
        event_source_mapping_arn: arn.to_string(),
        uuid: mapping.uuid,
        event_source_arn: mapping.source.to_string(),
        function_arn: mapping.function.to_string(),
        stream,
        batch_size: mapping.batch_size,
        maximum_batching_window_in_seconds: mapping.window_secs,
        function_response_types: if mapping.report_failures {
            vec!["ReportBatchItemFailures"]
        } else {
            Vec::new()
        },
        scaling_config: max.map(|max| ScalingConfig { maximum_concurrency: Some(max.into()) }),
        filter_criteria: filters(mapping.filters),
        provisioned_poller_config: mapping.pollers.map(|pollers| PollersShown {
            minimum_pollers: pollers.min,
            maximum_pollers: pollers.max,
        }),
        last_modified: Epoch(mapping.modified),
        state,
        // AWS spells it differently for streams.
        state_transition_reason: if is_stream { "User action" } else { "USER_INITIATED" },
    })
}

fn stream_shown(reading: &Reading, last_processing_result: &'static str) -> StreamShown {
    let destination = reading.on_failure.as_ref().map(Arn::to_string);
    StreamShown {
        starting_position: match reading.start {
            0 => rule::stream::TRIM_HORIZON,
            _ => rule::stream::LATEST,
        },
        parallelization_factor: reading.lanes,
        destination_config: DestinationConfig {
            on_success: None,
            on_failure: Some(Destination { destination }),
        },
        maximum_record_age_in_seconds: rule::stream::shown(reading.age_secs_max),
        bisect_batch_on_function_error: reading.bisect,
        maximum_retry_attempts: rule::stream::shown(reading.retries_max),
        tumbling_window_in_seconds: reading.tumbling_secs,
        last_processing_result,
    }
}

fn filters(patterns: Vec<String>) -> Option<FilterCriteria> {
    let filter = |pattern| Filter { pattern: Some(pattern) };
    let filters = (!patterns.is_empty()).then(|| patterns.into_iter().map(filter).collect());
    filters.map(|filters| FilterCriteria { filters: Some(filters) })
}
