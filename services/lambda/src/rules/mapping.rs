//! What a mapping may be set to, and what the answer of its function means.

pub(crate) mod stream;

use std::collections::HashSet;
use std::time::Duration;

use kit::sources::Terms;
use serde::Deserialize;

use crate::api::mapping::{FilterCriteria, MappingSettings, PollerConfig};
use crate::data::{Mapping, Pollers};
use crate::error::Error;
use crate::rules::filter::Filters;
use crate::rules::within;

const BATCH_SIZE: (i64, i64) = (1, 10_000);
const WINDOW_SECS: (i64, i64) = (0, 300);
const CONCURRENCY: (i64, i64) = (2, 1000);
const POLLERS_MIN: (i64, i64) = (2, 200);
const POLLERS_MAX: (i64, i64) = (2, 2000);
const POLLERS: Pollers = Pollers { min: 2, max: 200 };

/// Largest batch of a mapping without a window, and of one of a FIFO queue.
const SMALL_BATCH_MAX: u32 = 10;
const PATTERNS_MAX: usize = 10;
const PATTERN_CHARS_MAX: usize = 4096;

/// So many times the timeout of the function a record should be leased, so that it does not come
/// back while its batch waits for a place or runs.
const TIMEOUTS_PER_LEASE: u32 = 6;
/// Fewer receives make dead letters of records that met nothing but a throttled function.
const RECEIVES_MIN: u32 = 5;

/// Puts the settings given into a mapping and checks that they agree.
pub(crate) fn set(mapping: &mut Mapping, settings: &MappingSettings) -> Result<(), Error> {
    if let Some(enabled) = settings.enabled {
        mapping.enabled = enabled;
    }
    if let Some(size) = settings.batch_size {
        mapping.batch_size = within("batchSize", size, BATCH_SIZE)?;
    }
    if let Some(window) = settings.maximum_batching_window_in_seconds {
        mapping.window_secs = within("maximumBatchingWindowInSeconds", window, WINDOW_SECS)?;
    }
    if let Some(types) = &settings.function_response_types {
        mapping.report_failures = reports_failures(types)?;
    }
    if let Some(scaling) = &settings.scaling_config {
        let max = scaling.maximum_concurrency;
        let member = "scalingConfig.maximumConcurrency";
        mapping.concurrency_max = max.map(|max| within(member, max, CONCURRENCY)).transpose()?;
    }
    if let Some(criteria) = &settings.filter_criteria {
        mapping.filters = patterns(criteria)?;
    }
    if let Some(config) = &settings.provisioned_poller_config {
        mapping.pollers = pollers(config)?;
    }
    if let Some(reading) = &mut mapping.reading {
        return stream::set(reading, settings);
    }
    match settings.of_streams() {
        Some(name) => Err(unsupported(name)),
        None => check(mapping),
    }
}

/// A setting of another kind of source.
pub(crate) fn unsupported(name: &str) -> Error {
    let text = format!("Unsupported {name} parameter for given event source mapping type.");
    Error::parameter(text)
}

fn check(mapping: &Mapping) -> Result<(), Error> {
    let fifo = mapping.source.resource.ends_with(".fifo");
    let large = mapping.batch_size > SMALL_BATCH_MAX;
    if fifo && mapping.window_secs > 0 {
        return Err(Error::parameter("Batching window is not supported for FIFO queues."));
    }
    if fifo && large {
        return Err(Error::parameter("Maximum batch size for FIFO queues is 10."));
    }
    if large && mapping.window_secs == 0 {
        return Err(Error::parameter(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is \
             greater than 10",
        ));
    }
    if mapping.concurrency_max.is_some() && mapping.pollers.is_some() {
        return Err(Error::parameter(
            "ScalingConfig.MaximumConcurrency and ProvisionedPollerConfig cannot be used together.",
        ));
    }
    Ok(())
}

fn reports_failures(types: &[String]) -> Result<bool, Error> {
    match types {
        [] => Ok(false),
        [one] if one == "ReportBatchItemFailures" => Ok(true),
        other => {
            let must = "Member must satisfy constraint: [Member must satisfy enum value set: \
                        [ReportBatchItemFailures]]";
            let given = format!("[{}]", other.join(", "));
            Err(Error::constraint("functionResponseTypes", given, must))
        }
    }
}

/// The patterns given, checked. None given takes away those there were.
fn patterns(criteria: &FilterCriteria) -> Result<Vec<String>, Error> {
    let given = criteria.filters.as_deref().unwrap_or_default();
    if given.len() > PATTERNS_MAX {
        let text = format!("FilterCriteria cannot have more than {PATTERNS_MAX} filters.");
        return Err(Error::parameter(text));
    }
    let mut patterns = Vec::with_capacity(given.len());
    for filter in given {
        let pattern = filter.pattern.clone().unwrap_or_default();
        if pattern.chars().count() > PATTERN_CHARS_MAX {
            let must = format!("Member must have length less than or equal to {PATTERN_CHARS_MAX}");
            return Err(Error::constraint("filterCriteria.filters.member.pattern", pattern, &must));
        }
        patterns.push(pattern);
    }
    Filters::read(&patterns)?;
    Ok(patterns)
}

/// A configuration that says nothing takes away the one there was.
fn pollers(config: &PollerConfig) -> Result<Option<Pollers>, Error> {
    let (min, max) = (config.minimum_pollers, config.maximum_pollers);
    if min.is_none() && max.is_none() {
        return Ok(None);
    }
    let member = |name: &str| format!("provisionedPollerConfig.{name}");
    let min = min.map(|min| within(&member("minimumPollers"), min, POLLERS_MIN)).transpose()?;
    let max = max.map(|max| within(&member("maximumPollers"), max, POLLERS_MAX)).transpose()?;
    // The one that is not given has its default, or what the other leaves of it.
    let pollers = Pollers {
        min: min.unwrap_or_else(|| POLLERS.min.min(max.unwrap_or(POLLERS.max))),
        max: max.unwrap_or_else(|| POLLERS.max.max(min.unwrap_or(POLLERS.min))),
    };
    if pollers.min > pollers.max {
        return Err(Error::parameter(
            "MinimumPollers must be less than or equal to MaximumPollers.",
        ));
    }
    Ok(Some(pollers))
}

/// Refuses a queue that would give a record to somebody else while the function still runs.
pub(crate) fn check_lease(terms: &Terms, timeout_secs: u32) -> Result<(), Error> {
    let lease = terms.lease.as_secs();
    if lease < timeout_secs.into() {
        return Err(Error::parameter(format!(
            "Queue visibility timeout: {lease} seconds is less than Function timeout: \
             {timeout_secs} seconds"
        )));
    }
    Ok(())
}

/// What is allowed and yet will lose or repeat records, as sentences for the log.
pub(crate) fn advice(terms: &Terms, mapping: &Mapping, timeout_secs: u32) -> Vec<&'static str> {
    let mut advice = Vec::new();
    let wanted = u64::from(timeout_secs * TIMEOUTS_PER_LEASE + mapping.window_secs);
    if terms.lease < Duration::from_secs(wanted) {
        advice.push(
            "the queue's visibility timeout should be six times the function's timeout and the \
             batching window: records may be given twice",
        );
    }
    if terms.receives_max.is_some_and(|receives| receives < RECEIVES_MIN) {
        advice.push(
            "the queue's maxReceiveCount should be 5 at least: records may become dead letters \
             while the function is throttled",
        );
    }
    advice
}

/// What a function's answer says about its batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failures<'a> {
    /// These come again; the rest is done. Empty: all is done.
    Some(HashSet<&'a str>),
    /// The answer cannot be trusted, so nothing is done.
    All,
}

/// Reads the answer of a function that reports which items failed.
pub(crate) fn batch_failures<'a>(answer: &[u8], ids: &[&'a str]) -> Failures<'a> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        batch_item_failures: Option<Vec<Item>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Item {
        item_identifier: String,
    }
    if answer.trim_ascii().is_empty() {
        return Failures::Some(HashSet::new());
    }
    let Ok(parsed) = serde_json::from_slice::<Option<Answer>>(answer) else {
        return Failures::All;
    };
    let known: HashSet<&str> = ids.iter().copied().collect();
    let mut failed = HashSet::new();
    for item in parsed.and_then(|answer| answer.batch_item_failures).unwrap_or_default() {
        // An unknown, empty or null identifier means the function is mistaken about its batch.
        let Some(id) = known.get(&*item.item_identifier) else {
            return Failures::All;
        };
        failed.insert(*id);
    }
    Failures::Some(failed)
}

#[cfg(test)]
mod tests;
