//! Pure decisions: names, configuration and retries.

pub(crate) mod filter;
pub(crate) mod layer;
pub(crate) mod lineage;
pub(crate) mod mapping;
pub(crate) mod name;
pub(crate) mod trace;

use std::collections::BTreeMap;
use std::time::Duration;

use base::Arn;
use delivery::Retry;

use crate::api::{ConfigInput, LoggingConfig};
use crate::data::Config;
use crate::error::Error;

const ROLE_PATTERN: &str = r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+";
const HANDLER_CHARS_MAX: usize = 128;
const DESCRIPTION_CHARS_MAX: usize = 256;
const TIMEOUT_SECS: (i64, i64) = (1, 900);
const MEMORY_MB: (i64, i64) = (128, 10_240);
const EPHEMERAL_MB: (i64, i64) = (512, 10_240);
const ENVIRONMENT_BYTES_MAX: usize = 4096;

/// Set by the platform for each function, so nobody else may.
const RESERVED_VARIABLES: [&str; 18] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

/// After a failure of the function: twice, one minute and two minutes later.
pub(crate) const RETRY_FAILURE: Retry = Retry {
    retries_max: 2,
    age_max: EVENT_AGE_MAX,
    first: Duration::from_secs(60),
    factor: 2,
    delay_max: Duration::from_secs(120),
};

/// When the function could not be run: for as long as the event is young enough.
pub(crate) const RETRY_THROTTLE: Retry = Retry {
    retries_max: u32::MAX,
    age_max: EVENT_AGE_MAX,
    first: Duration::from_secs(1),
    factor: 2,
    delay_max: Duration::from_secs(300),
};

pub(crate) const EVENT_AGE_MAX: Duration = Duration::from_secs(6 * 60 * 60);

/// The configuration of a new function.
pub(crate) fn new_config(
    input: &ConfigInput,
    architectures: Option<&[String]>,
) -> Result<Config, Error> {
    let (Some(runtime), Some(handler)) = (&input.runtime, &input.handler) else {
        return Err(Error::parameter(
            "Runtime and Handler are mandatory parameters for functions created with deployment \
             packages.",
        ));
    };
    let Some(role) = &input.role else {
        let text = "1 validation error detected: Value null at 'role' failed to satisfy \
                    constraint: Member must not be null";
        return Err(Error::Validation(text.into()));
    };
    let config = Config {
        runtime: runtime.clone(),
        handler: handler.clone(),
        role: check_role(role)?,
        description: String::new(),
        timeout_secs: 3,
        memory_mb: 128,
        ephemeral_mb: 512,
        environment: BTreeMap::new(),
        architecture: architecture(architectures)?.unwrap_or_else(|| "x86_64".to_owned()),
        dead_letter: None,
        log_group: None,
        layers: Vec::new(),
    };
    changed_config(config, input)
}

/// The configuration after an update: what is not given stays.
pub(crate) fn changed_config(before: Config, input: &ConfigInput) -> Result<Config, Error> {
    let mut config = before;
    if let Some(runtime) = &input.runtime {
        check_runtime(runtime)?;
        config.runtime.clone_from(runtime);
    }
    if let Some(handler) = &input.handler {
        check_handler(handler)?;
        config.handler.clone_from(handler);
    }
    if let Some(role) = &input.role {
        config.role = check_role(role)?;
    }
    if let Some(description) = &input.description {
        check_description(description)?;
        config.description.clone_from(description);
    }
    if let Some(timeout) = input.timeout {
        config.timeout_secs = within("timeout", timeout, TIMEOUT_SECS)?;
    }
    if let Some(memory) = input.memory_size {
        config.memory_mb = within("memorySize", memory, MEMORY_MB)?;
    }
    if let Some(storage) = &input.ephemeral_storage {
        config.ephemeral_mb = within("ephemeralStorage.size", storage.size, EPHEMERAL_MB)?;
    }
    if let Some(environment) = &input.environment {
        config.environment = environment.variables.clone().unwrap_or_default();
        check_environment(&config.environment)?;
    }
    if let Some(dead_letter) = &input.dead_letter_config {
        let arn = dead_letter.target_arn.as_deref().filter(|arn| !arn.is_empty());
        config.dead_letter = arn.map(parse_arn).transpose()?;
    }
    if let Some(logging) = &input.logging_config {
        config.log_group = log_group(logging)?;
    }
    if let Some(layers) = &input.layers {
        config.layers = layer::uses(layers)?;
    }
    if let Some(mode) = input.tracing_config.as_ref().and_then(|t| t.mode.as_deref()) {
        only_served("TracingConfig.Mode", mode, "PassThrough")?;
    }
    if let Some(apply) = input.snap_start.as_ref().and_then(|s| s.apply_on.as_deref()) {
        only_served("SnapStart.ApplyOn", apply, "None")?;
    }
    Ok(config)
}

/// The description of a function, a version, an alias or a layer.
pub(crate) fn check_description(description: &str) -> Result<(), Error> {
    if description.chars().count() > DESCRIPTION_CHARS_MAX {
        let must = "Member must have length less than or equal to 256";
        return Err(Error::constraint("description", description, must));
    }
    Ok(())
}

/// One of several values of which we serve one.
fn only_served(member: &str, given: &str, served: &str) -> Result<(), Error> {
    if given == served {
        return Ok(());
    }
    Err(kit::Error::not_served(format_args!("lambda: {member} {given}")).into())
}

/// The log group, where one is named.
fn log_group(logging: &LoggingConfig) -> Result<Option<String>, Error> {
    if let Some(format) = logging.log_format.as_deref() {
        only_served("LoggingConfig.LogFormat", format, "Text")?;
    }
    if logging.application_log_level.given().is_some() || logging.system_log_level.given().is_some()
    {
        return Err(kit::Error::not_served("lambda: log levels in LoggingConfig").into());
    }
    let Some(group) = logging.log_group.clone().filter(|group| !group.is_empty()) else {
        return Ok(None);
    };
    let legal = |b: u8| b.is_ascii_alphanumeric() || b".-_/#".contains(&b);
    if group.len() > 512 || !group.bytes().all(legal) {
        let must = r"Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+";
        return Err(Error::constraint("loggingConfig.logGroup", group, must));
    }
    Ok(Some(group))
}

pub(crate) fn within(member: &str, value: i64, (min, max): (i64, i64)) -> Result<u32, Error> {
    let must = if value < min {
        format!("Member must have value greater than or equal to {min}")
    } else if value > max {
        format!("Member must have value less than or equal to {max}")
    } else if let Ok(value) = u32::try_from(value) {
        return Ok(value);
    } else {
        format!("Member must have value less than or equal to {}", u32::MAX)
    };
    Err(Error::constraint(member, value, &must))
}

/// Names of AWS's form; whether anything here runs it is the host's to say.
fn check_runtime(runtime: &str) -> Result<(), Error> {
    if is_runtime(runtime) {
        return Ok(());
    }
    Err(Error::parameter(format!(
        "Value {runtime} at 'runtime' failed to satisfy constraint: {RUNTIMES} or be a valid ARN"
    )))
}

const RUNTIMES: &str = "Member must satisfy enum value set: [nodejs24.x, nodejs22.x, nodejs20.x, \
                        nodejs18.x, python3.14, python3.13, python3.12, python3.11, python3.10, \
                        provided.al2023, provided.al2]";

fn is_runtime(runtime: &str) -> bool {
    const FAMILIES: [&str; 7] = ["nodejs", "python", "java", "dotnet", "ruby", "provided", "go1.x"];
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.';
    FAMILIES.iter().any(|family| runtime.starts_with(family)) && runtime.bytes().all(legal)
}

fn check_handler(handler: &str) -> Result<(), Error> {
    let must = if handler.len() > HANDLER_CHARS_MAX {
        "Member must have length less than or equal to 128"
    } else if handler.is_empty() || handler.contains(char::is_whitespace) {
        r"Member must satisfy regular expression pattern: [^\s]+"
    } else {
        return Ok(());
    };
    Err(Error::constraint("handler", handler, must))
}

fn check_role(role: &str) -> Result<Arn, Error> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&b);
    let parsed = role.parse::<Arn>().ok().filter(|arn| {
        let name = arn.resource_after("role").unwrap_or_default();
        arn.service == "iam"
            && arn.region.is_empty()
            && arn.account_id().is_ok()
            && !name.trim_start_matches('/').is_empty()
            && name.bytes().all(legal)
    });
    let must = format!("Member must satisfy regular expression pattern: {ROLE_PATTERN}");
    parsed.ok_or_else(|| Error::constraint("role", role, &must))
}

/// An ARN given as a parameter.
pub(crate) fn parse_arn(text: &str) -> Result<Arn, Error> {
    text.parse().map_err(|_| Error::parameter(format!("Invalid ARN: {text}")))
}

/// The architecture asked for. Either is taken: code for an interpreter runs on both.
pub(crate) fn architecture(given: Option<&[String]>) -> Result<Option<String>, Error> {
    match given {
        None => Ok(None),
        Some([one]) if one == "x86_64" || one == "arm64" => Ok(Some(one.clone())),
        Some(other) => {
            let must = "Member must satisfy constraint: [Member must satisfy enum value set: \
                        [x86_64, arm64], Member must not be null]";
            Err(Error::constraint("architectures", format!("[{}]", other.join(", ")), must))
        }
    }
}

fn check_environment(variables: &BTreeMap<String, String>) -> Result<(), Error> {
    let refused = |why: &str| {
        Error::parameter(format!(
            "Lambda was unable to configure your environment variables because the environment \
             variables you have provided {why}"
        ))
    };
    for name in variables.keys() {
        let first = name.starts_with(|c: char| c.is_ascii_alphabetic());
        let rest = name.len() > 1 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let legal = (first && rest) || RESERVED_VARIABLES.contains(&name.as_str());
        if !legal {
            let must = "Map keys must satisfy constraint: [Member must satisfy regular expression \
                        pattern: [a-zA-Z]([a-zA-Z0-9_])+]";
            return Err(Error::constraint("environment.variables", name, must));
        }
    }
    let reserved: Vec<&str> =
        RESERVED_VARIABLES.into_iter().filter(|name| variables.contains_key(*name)).collect();
    if !reserved.is_empty() {
        return Err(refused(&format!(
            "contains reserved keys that are currently not supported for modification. Reserved \
             keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    // A value with a NUL byte could not be given to a process.
    if variables.values().any(|value| value.contains('\0')) {
        return Err(refused("contains a value with a null character."));
    }
    let bytes: usize = variables.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > ENVIRONMENT_BYTES_MAX {
        // AWS repeats the variables here. They may be secrets, and errors are logged.
        return Err(refused("exceeded the 4KB limit."));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
