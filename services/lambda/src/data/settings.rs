//! What is set for a function, a version or an alias beside its configuration.

use std::time::Duration;

use base::{Arn, Time};
use serde::{Deserialize, Serialize};
use store::Record;

use crate::rules::EVENT_AGE_MAX;

/// How many invocations of a function may run at once, and always can. Key: region, name.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reserved {
    pub(crate) function: Arn,
    pub(crate) count: u32,
}

impl Record for Reserved {
    const VERSION: u8 = 1;
}

/// How many environments of a version are ready before there are events. Key: region, name,
/// version or alias.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Provisioned {
    /// The version or the alias.
    pub(crate) target: Arn,
    pub(crate) count: u32,
    pub(crate) modified: Time,
}

impl Record for Provisioned {
    const VERSION: u8 = 1;
}

/// What becomes of asynchronous events. Key: region, name, version or alias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct EventConfig {
    /// The version or the alias; of the function itself, `$LATEST`.
    pub(crate) target: Arn,
    pub(crate) retries: Option<u32>,
    pub(crate) age_secs: Option<u32>,
    pub(crate) on_success: Option<Arn>,
    pub(crate) on_failure: Option<Arn>,
    pub(crate) modified: Time,
}

impl Record for EventConfig {
    const VERSION: u8 = 1;
}

impl EventConfig {
    /// How old an event may get.
    pub(crate) fn age(config: Option<&EventConfig>) -> Duration {
        let secs = config.and_then(|config| config.age_secs);
        secs.map_or(EVENT_AGE_MAX, |secs| Duration::from_secs(secs.into()))
    }
}

/// An address of its own, at which a function answers HTTP. Key: region, name, alias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Url {
    /// The first part of its host name.
    pub(crate) id: String,
    /// The function, or the alias.
    pub(crate) target: Arn,
    /// Whether requests must be signed.
    pub(crate) signed: bool,
    /// Whether responses are passed on as they are produced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) streams: bool,
    pub(crate) cors: Option<UrlCors>,
    pub(crate) created: Time,
    pub(crate) modified: Time,
}

impl Record for Url {
    const VERSION: u8 = 1;
}

/// Cross-origin rules of a URL. What is not set is not shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct UrlCors {
    pub(crate) credentials: Option<bool>,
    pub(crate) headers: Option<Vec<String>>,
    pub(crate) methods: Option<Vec<String>>,
    pub(crate) origins: Option<Vec<String>>,
    pub(crate) expose: Option<Vec<String>>,
    pub(crate) max_age: Option<u32>,
}

/// Whose a URL is. Key: its id.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct UrlName {
    pub(crate) target: Arn,
}

impl Record for UrlName {
    const VERSION: u8 = 1;
}

/// What is to happen when a function invokes itself again and again. Key: region, name.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recursion {
    pub(crate) allowed: bool,
}

impl Record for Recursion {
    const VERSION: u8 = 1;
}

/// When a version gets a newer runtime. Key: region, name, version.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RuntimeUpdates {
    /// `Auto`, `FunctionUpdate` or `Manual`.
    pub(crate) mode: String,
    pub(crate) runtime_version: Option<String>,
}

impl Record for RuntimeUpdates {
    const VERSION: u8 = 1;
}
