//! A function, or a version of it, as clients see it.

use base::Arn;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::api::{
    DeadLetterConfig, Environment, EphemeralStorage, FunctionConfiguration, LayerUsed,
    LoggingConfigOutput, SnapStartOutput, TracingConfig,
};
use crate::code::Sha;
use crate::data::{Function, LayerUse};

/// The configuration of a function under the name it was asked for by.
pub(crate) fn of(arn: &Arn, function: Function) -> FunctionConfiguration {
    let revision_id = function.revision_id().to_owned();
    let Function { name, config, code, modified, version, .. } = function;
    let log_group = config.log_group(&name);
    let environment = (!config.environment.is_empty())
        .then_some(Environment { variables: Some(config.environment) });
    let dead_letter_config =
        config.dead_letter.map(|arn| DeadLetterConfig { target_arn: Some(arn.to_string()) });
    FunctionConfiguration {
        function_arn: arn.to_string(),
        function_name: name,
        runtime: config.runtime,
        role: config.role.to_string(),
        handler: config.handler,
        code_size: code.size,
        description: config.description,
        timeout: config.timeout_secs,
        memory_size: config.memory_mb,
        last_modified: last_modified(modified),
        code_sha256: base64_sha(&code.sha256),
        version: version.to_string(),
        dead_letter_config,
        environment,
        tracing_config: TracingConfig { mode: Some("PassThrough".into()) },
        layers: config.layers.into_iter().map(layer_used).collect(),
        revision_id,
        state: "Active",
        last_update_status: "Successful",
        package_type: "Zip",
        architectures: vec![config.architecture],
        ephemeral_storage: EphemeralStorage { size: config.ephemeral_mb.into() },
        snap_start: SnapStartOutput { apply_on: "None", optimization_status: "Off" },
        logging_config: LoggingConfigOutput { log_format: "Text", log_group },
    }
}

fn layer_used(layer: LayerUse) -> LayerUsed {
    LayerUsed { arn: layer.arn.to_string(), code_size: layer.size }
}

pub(crate) fn base64_sha(sha: &Sha) -> String {
    BASE64_STANDARD.encode(sha)
}

/// `2026-11-21T07:11:45.000+0000`, the form only Lambda has.
pub(crate) fn last_modified(time: base::Time) -> String {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let timestamp = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    timestamp.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string()
}

/// `2026-11-21T07:11:45.000Z`, the form all others have.
pub(crate) fn iso8601(time: base::Time) -> String {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let timestamp = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    timestamp.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// `2026-11-21T07:11:45Z`, the form of times in events.
pub(crate) fn whole_seconds(time: base::Time) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let timestamp = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    timestamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
