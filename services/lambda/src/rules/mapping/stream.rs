//! What a mapping of a stream may be set to besides.

use base::Arn;

use crate::api::event_config::{Destination, DestinationConfig};
use crate::api::mapping::MappingSettings;
use crate::data::Reading;
use crate::error::Error;
use crate::rules::within;

const LANES: (i64, i64) = (1, 10);
const RETRIES: (i64, i64) = (-1, 10_000);
const AGE_SECS: (i64, i64) = (-1, 604_800);
const AGE_SECS_MIN: u32 = 60;
const TUMBLING_SECS: (i64, i64) = (0, 900);
/// Stands for: until the records are no longer kept.
const FOREVER: i64 = -1;

pub(crate) const TRIM_HORIZON: &str = "TRIM_HORIZON";
pub(crate) const LATEST: &str = "LATEST";

/// Whether a mapping of a table's stream is to begin with what is written from now on, rather than
/// with the oldest there is.
pub(crate) fn starts_at_latest(source: &Arn, position: Option<&str>) -> Result<bool, Error> {
    match position {
        Some(TRIM_HORIZON) => Ok(false),
        Some(LATEST) => Ok(true),
        Some("AT_TIMESTAMP") => {
            Err(Error::parameter(format!("Unsupported starting position for arn type: {source}")))
        }
        None | Some("") => Err(Error::parameter(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy \
             constraint: Member must not be null.",
        )),
        Some(other) => {
            let must = "Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]";
            Err(Error::constraint("startingPosition", other, must))
        }
    }
}

/// Puts the settings given into how a stream is read, but for the destination.
pub(super) fn set(reading: &mut Reading, settings: &MappingSettings) -> Result<(), Error> {
    if let Some(name) = settings.of_queues() {
        return Err(super::unsupported(name));
    }
    if let Some(lanes) = settings.parallelization_factor {
        reading.lanes = within("parallelizationFactor", lanes, LANES)?;
    }
    if let Some(retries) = settings.maximum_retry_attempts {
        reading.retries_max = limit("maximumRetryAttempts", retries, RETRIES)?;
    }
    if let Some(age) = settings.maximum_record_age_in_seconds {
        let age = limit("maximumRecordAgeInSeconds", age, AGE_SECS)?;
        if age.is_some_and(|age| age < AGE_SECS_MIN) {
            return Err(Error::parameter(
                "MaximumRecordAgeInSeconds must be -1, or between 60 and 604800.",
            ));
        }
        reading.age_secs_max = age;
    }
    if let Some(bisect) = settings.bisect_batch_on_function_error {
        reading.bisect = bisect;
    }
    if let Some(secs) = settings.tumbling_window_in_seconds {
        reading.tumbling_secs = within("tumblingWindowInSeconds", secs, TUMBLING_SECS)?;
    }
    Ok(())
}

fn limit(member: &str, value: i64, bounds: (i64, i64)) -> Result<Option<u32>, Error> {
    if value == FOREVER { Ok(None) } else { within(member, value, bounds).map(Some) }
}

/// A limit as clients have it.
pub(crate) fn shown(limit: Option<u32>) -> i64 {
    limit.map_or(FOREVER, i64::from)
}

/// Who is to be told of records that were given up. Outside: whether anything is said about it;
/// inside: whether it is somebody.
pub(crate) fn on_failure(config: &DestinationConfig) -> Result<Option<Option<&str>>, Error> {
    let named = |one: &Option<Destination>| {
        one.as_ref().is_some_and(|one| one.destination.as_ref().is_some_and(|to| !to.is_empty()))
    };
    if named(&config.on_success) {
        return Err(super::unsupported("DestinationConfig"));
    }
    let given = config.on_failure.as_ref();
    Ok(given.map(|one| one.destination.as_deref().filter(|to| !to.is_empty())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_has_settings_of_its_own() {
        let check = |json: &str, expected: Result<&str, &str>| {
            let settings: MappingSettings = serde_json::from_str(json).unwrap();
            let mut reading = Reading::default();
            let done = set(&mut reading, &settings).map_err(|error| error.to_string());
            match expected {
                Ok(text) => {
                    done.unwrap();
                    let Reading { lanes, retries_max, age_secs_max, bisect, tumbling_secs, .. } =
                        reading;
                    let shown = (lanes, shown(retries_max), shown(age_secs_max), bisect);
                    assert_eq!(format!("{shown:?} {tumbling_secs}"), text, "{json}");
                }
                Err(text) => assert!(done.as_ref().unwrap_err().contains(text), "{done:?}"),
            }
        };
        check("{}", Ok("(1, -1, -1, false) 0"));
        check(
            r#"{"ParallelizationFactor":10,"MaximumRetryAttempts":0,"BisectBatchOnFunctionError":true}"#,
            Ok("(10, 0, -1, true) 0"),
        );
        check(
            r#"{"MaximumRetryAttempts":10000,"MaximumRecordAgeInSeconds":60,"TumblingWindowInSeconds":900}"#,
            Ok("(1, 10000, 60, false) 900"),
        );
        check(r#"{"MaximumRecordAgeInSeconds":604800}"#, Ok("(1, -1, 604800, false) 0"));
        check(r#"{"MaximumRetryAttempts":-1,"MaximumRecordAgeInSeconds":-1}"#, {
            Ok("(1, -1, -1, false) 0")
        });
        check(r#"{"ParallelizationFactor":0}"#, Err("at 'parallelizationFactor'"));
        check(r#"{"ParallelizationFactor":11}"#, Err("less than or equal to 10"));
        check(r#"{"MaximumRetryAttempts":-2}"#, Err("greater than or equal to -1"));
        check(r#"{"MaximumRetryAttempts":10001}"#, Err("less than or equal to 10000"));
        check(r#"{"MaximumRecordAgeInSeconds":59}"#, Err("between 60 and 604800"));
        check(r#"{"MaximumRecordAgeInSeconds":604801}"#, Err("less than or equal to 604800"));
        check(r#"{"TumblingWindowInSeconds":901}"#, Err("less than or equal to 900"));
        check(r#"{"ScalingConfig":{"MaximumConcurrency":2}}"#, Err("ScalingConfig parameter"));
        check(
            r#"{"ProvisionedPollerConfig":{"MinimumPollers":2}}"#,
            Err("ProvisionedPollerConfig"),
        );
        check(r#"{"ScalingConfig":{},"ProvisionedPollerConfig":{}}"#, Ok("(1, -1, -1, false) 0"));
    }

    #[test]
    fn a_table_s_stream_is_read_from_its_horizon_or_from_now() {
        let source: Arn =
            "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/1".parse().unwrap();
        let check = |position: Option<&str>, expected: Result<bool, &str>| {
            let read = starts_at_latest(&source, position).map_err(|error| error.to_string());
            match expected {
                Ok(latest) => assert_eq!(read, Ok(latest)),
                Err(text) => assert!(read.as_ref().unwrap_err().contains(text), "{read:?}"),
            }
        };
        check(Some("TRIM_HORIZON"), Ok(false));
        check(Some("LATEST"), Ok(true));
        check(None, Err("Value null at 'startingPosition'"));
        check(
            Some("AT_TIMESTAMP"),
            Err("Unsupported starting position for arn type: arn:aws:dynamodb:us-east-1:"),
        );
        check(Some("FIRST"), Err("enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]"));
    }
}
