//! Event source mappings: made, described, listed, changed, deleted. Polling them is
//! `work::poll`.

use base::Arn;
use kit::sources::Terms;
use kit::unserved::Member;
use kit::{Ctx, unserved};
use store::{Dir, Key, Tx};
use tracing::warn;
use wire::Epoch;

use crate::api::mapping::{
    CreateMappingInput, Filter, FilterCriteria, ListMappingsInput, ListMappingsOutput,
    MappingConfiguration, MappingInput, PollersShown, ScalingConfig, UpdateMappingInput,
};
use crate::data::{self, Function, Mapping};
use crate::error::Error;
use crate::functions::Lambda;
use crate::ops::{existing_version, page_len, tag, target};
use crate::rules::{self, mapping as rule};

const BATCH_SIZE_DEFAULT: u32 = 10;

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
    let terms = &terms(ctx, &source).await?;
    refuse_of_streams(&input.of_streams())?;
    refuse_of_streams(&input.settings.of_streams())?;
    let tags = input.tags.unwrap_or_default();
    tag::check(&tags)?;
    let target = &target(ctx, &input.function_name, None)?;
    let mut mapping = Mapping {
        uuid: ctx.kit.uuid(),
        source,
        function: target.arn(),
        enabled: true,
        batch_size: BATCH_SIZE_DEFAULT,
        window_secs: 0,
        report_failures: false,
        concurrency_max: None,
        modified: ctx.now(),
        filters: Vec::new(),
        pollers: None,
        tags,
    };
    rule::set(&mut mapping, &input.settings)?;
    let (mapping, key) = (&mapping, &key(ctx, &mapping.uuid));
    let function = ctx.store().transact(&ctx.account, |tx| async move {
        let function = existing_version(&tx, target).await?;
        rule::check_lease(terms, function.config.timeout_secs)?;
        check_unique(ctx, &tx, mapping).await?;
        tx.put_record(key.clone(), mapping)?;
        Ok::<_, Error>(function)
    });
    advise(terms, mapping, &function.await?);
    sync(ctx, mapping, key).await?;
    Ok(configuration(ctx, mapping.clone(), "Creating"))
}

pub(crate) async fn get(ctx: &Ctx, input: MappingInput) -> Result<MappingConfiguration, Error> {
    let found = ctx.store().get_record(&key(ctx, &input.uuid)).await?;
    let mapping: Mapping = found.ok_or(Error::NoResource)?;
    let state = state(&mapping);
    Ok(configuration(ctx, mapping, state))
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
            found.push(configuration(ctx, mapping, state));
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
    refuse_of_streams(&input.settings.of_streams())?;
    let key = &key(ctx, &input.uuid);
    let function =
        input.function_name.as_deref().map(|name| target(ctx, name, None)).transpose()?;
    let before: Mapping = ctx.store().get_record(key).await?.ok_or(Error::NoResource)?;
    // A mapping whose queue is gone can still be changed: to stop it, for one.
    let terms = &terms(ctx, &before.source).await.ok();
    let (function, settings) = (&function, &input.settings);
    let changed = ctx.store().transact(&ctx.account, |tx| async move {
        let mut mapping = stored(&tx, key).await?;
        if let Some(target) = function {
            mapping.function = target.arn();
            check_unique(ctx, &tx, &mapping).await?;
        }
        let enabled_before = mapping.enabled;
        rule::set(&mut mapping, settings)?;
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
        Ok::<_, Error>((mapping, runs, state))
    });
    let (mapping, runs, state) = changed.await?;
    if let (Some(terms), Some(runs)) = (terms, &runs) {
        advise(terms, &mapping, runs);
    }
    sync(ctx, &mapping, key).await?;
    Ok(configuration(ctx, mapping, state))
}

pub(crate) async fn delete(ctx: &Ctx, input: MappingInput) -> Result<MappingConfiguration, Error> {
    let key = &key(ctx, &input.uuid);
    let mapping = ctx.store().transact(&ctx.account, |tx| async move {
        let mapping = stored(&tx, key).await?;
        tx.delete(key.clone());
        Ok::<_, Error>(mapping)
    });
    let mapping = mapping.await?;
    sync(ctx, &mapping, key).await?;
    Ok(configuration(ctx, mapping, "Deleting"))
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

/// Refuses what AWS knows of streams, and of queues not.
fn refuse_of_streams(members: &[Member]) -> Result<(), Error> {
    let given = members.iter().find(|(_, member)| member.says_something());
    match given {
        None => Ok(()),
        Some(("StartingPosition", _)) => {
            Err(Error::parameter("StartingPosition is not valid for SQS event sources."))
        }
        Some((name, _)) => Err(Error::parameter(format!(
            "Unsupported {name} parameter for given event source mapping type."
        ))),
    }
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
    if source.account != ctx.account.as_str() || source.region != ctx.region.as_str() {
        let text = "an event source in another account or region";
        return Err(kit::Error::not_served(text).into());
    }
    let terms = ctx.kit.sources.get(source)?.terms(source).await;
    terms.map_err(|error| {
        let text = format!(
            "Error occurred while ReceiveMessage. SQS Error Code: {}. SQS Error Message: {}",
            error.code, error.message
        );
        if error.status < 500 { Error::parameter(text) } else { error.into() }
    })
}

/// A queue feeds a function through one mapping at most.
async fn check_unique(ctx: &Ctx, tx: &Tx, mapping: &Mapping) -> Result<(), Error> {
    let all = data::mappings_key(&ctx.account, &ctx.region).prefix();
    for (key, value) in tx.scan(all, Dir::Forward, usize::MAX).await? {
        let other: Mapping = store::decode(&key, &value)?;
        let same = other.source == mapping.source && other.function == mapping.function;
        if same && other.uuid != mapping.uuid {
            let name = mapping.function.resource_after("function:").unwrap_or_default();
            return Err(Error::MappingExists {
                queue: mapping.source.to_string(),
                function: name.to_owned(),
                uuid: other.uuid,
            });
        }
    }
    Ok(())
}

fn state(mapping: &Mapping) -> &'static str {
    if mapping.enabled { "Enabled" } else { "Disabled" }
}

fn configuration(ctx: &Ctx, mapping: Mapping, state: &'static str) -> MappingConfiguration {
    let max = mapping.concurrency_max;
    let arn = ctx.arn("lambda", format!("event-source-mapping:{}", mapping.uuid));
    MappingConfiguration {
        event_source_mapping_arn: arn.to_string(),
        uuid: mapping.uuid,
        event_source_arn: mapping.source.to_string(),
        function_arn: mapping.function.to_string(),
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
        state_transition_reason: "USER_INITIATED",
    }
}

fn filters(patterns: Vec<String>) -> Option<FilterCriteria> {
    let filter = |pattern| Filter { pattern: Some(pattern) };
    let filters = (!patterns.is_empty()).then(|| patterns.into_iter().map(filter).collect());
    filters.map(|filters| FilterCriteria { filters: Some(filters) })
}
