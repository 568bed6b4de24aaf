//! What may be asked of a table's capacity, and what UpdateTable may do at once.

use std::time::Duration;

use base::Time;

use crate::api::table::{
    OnDemandThroughput, ProvisionedThroughput, UpdateTableInput, WarmThroughput,
};
use crate::data::{Maximum, Settings};
use crate::error::Error;

const UNITS_MAX: i64 = 1_000_000_000_000;
/// How often in a UTC day capacity may be taken away, before each further time has to wait.
const DECREASES_FREE: u64 = 4;
const DECREASE_AGAIN: Duration = Duration::from_secs(60 * 60);
const DAY_SECS: u64 = 24 * 60 * 60;
/// What a table on demand has from its beginning.
const WARM: Warm = (12_000, 4_000);

/// Read and write units per second.
pub(crate) type Warm = (u64, u64);

/// What a change of a table asks for, as far as it can be judged without the table.
pub(crate) fn check_update(input: &UpdateTableInput, of_indexes: bool) -> Result<(), Error> {
    let mode = input.billing_mode.is_some();
    let units = input.provisioned_throughput.is_some();
    let on_demand = input.on_demand_throughput.is_some();
    let warm = input.warm_throughput.is_some();
    let class = input.table_class.is_some();
    let protection = input.deletion_protection_enabled.is_some();
    let encryption = input.sse_specification.is_some();
    let stream = input.stream_specification.is_some();
    let all = [mode, units, on_demand, warm, class, protection, encryption, stream, of_indexes];
    let count = all.into_iter().filter(|given| *given).count();
    if count == 0 {
        return Err(Error::validation(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, \
             GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required",
        ));
    }
    for (given, what) in [
        (encryption, "Server-Side Encryption modification must be the only operation"),
        (class, "TableClass modification must be the only operation"),
        (protection, "DeletionProtection modification must be the only operation"),
        (warm, "WarmThroughput must be the only operation"),
    ] {
        if given && count > 1 {
            return Err(Error::invalid(format_args!("{what} in the request")));
        }
    }
    if on_demand && count > 1 + usize::from(mode) {
        return Err(Error::invalid(
            "OnDemandThroughput can only be combined with BillingMode in an UpdateTable request",
        ));
    }
    if input.billing_mode.as_deref() == Some("PROVISIONED") && !units {
        return Err(Error::invalid(
            "ProvisionedThroughput must be specified when BillingMode is PROVISIONED",
        ));
    }
    input.provisioned_throughput.as_ref().map(bounded).transpose().map(drop)
}

/// The capacity of a table after a change of it.
pub(crate) fn change(
    settings: &mut Settings,
    input: &UpdateTableInput,
    now: Time,
) -> Result<(), Error> {
    let given = input.provisioned_throughput.as_ref().map(bounded).transpose()?;
    let before = settings.throughput;
    match input.billing_mode.as_deref() {
        Some("PAY_PER_REQUEST") if given.is_some() => return Err(on_demand()),
        Some("PAY_PER_REQUEST") => {
            settings.throughput = None;
            settings.on_demand_since = Some(now);
        }
        None if given.is_some() && before.is_none() => return Err(on_demand()),
        _ => settings.throughput = given.or(before),
    }
    if let (Some(before), Some(after)) = (before, given) {
        check_differs(before, after)?;
        move_units(settings, before, after, now)?;
    }
    if settings.throughput.is_some() && before.is_none() {
        settings.maximum = None;
    }
    if let Some(given) = &input.on_demand_throughput {
        settings.maximum = maximum(given, settings, true)?;
    }
    if let Some(given) = &input.warm_throughput {
        let before = warmth(settings.warm, settings.throughput);
        settings.warm = Some(warmer(given, before)?);
    }
    Ok(())
}

fn check_differs(before: (u64, u64), after: (u64, u64)) -> Result<(), Error> {
    if before != after {
        return Ok(());
    }
    let (read, write) = after;
    Err(Error::validation(format!(
        "The provisioned throughput for the table will not change. The requested value equals the \
         current value. Current ReadCapacityUnits provisioned for the table: {read}. Requested \
         ReadCapacityUnits: {read}. Current WriteCapacityUnits provisioned for the table: {write}. \
         Requested WriteCapacityUnits: {write}. Refer to the Amazon DynamoDB Developer Guide for \
         current limits and how to request higher limits."
    )))
}

/// Notes when capacity was given and taken. A change is done a moment after it was asked for.
fn move_units(
    settings: &mut Settings,
    before: (u64, u64),
    after: (u64, u64),
    now: Time,
) -> Result<(), Error> {
    let done = now + Duration::from_millis(1);
    if after.0 < before.0 || after.1 < before.1 {
        let today = decreases_today(settings, now);
        let last = settings.decreased.unwrap_or_default();
        if today >= DECREASES_FREE && now.since(last) < DECREASE_AGAIN {
            return Err(Error::Limit(format!(
                "Subscriber limit exceeded: Provisioned throughput decreases are limited within a \
                 given UTC day. After the first {DECREASES_FREE} decreases, each subsequent \
                 decrease in the same UTC day can be performed at most once every {} seconds. \
                 Number of decreases today: {today}. Last decrease at {}. Next decrease can be \
                 made at {}",
                DECREASE_AGAIN.as_secs(),
                long(last),
                long(last + DECREASE_AGAIN)
            )));
        }
        settings.decreases = today + 1;
        settings.decreased = Some(done);
    }
    if after.0 > before.0 || after.1 > before.1 {
        settings.increased = Some(done);
    }
    Ok(())
}

/// How often capacity was taken away since midnight UTC.
pub(crate) fn decreases_today(settings: &Settings, now: Time) -> u64 {
    let day = |time: Time| time.as_secs() / DAY_SECS;
    let is_today = settings.decreased.is_some_and(|at| day(at) == day(now));
    if is_today { settings.decreases } else { 0 }
}

/// `Wednesday, July 25, 2018 1:00:54 PM UTC`
fn long(time: Time) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    at.strftime("%A, %B %-d, %Y %-I:%M:%S %p UTC").to_string()
}

/// The most that a table on demand may use. In a change, -1 lifts a maximum.
pub(crate) fn maximum(
    given: &OnDemandThroughput,
    settings: &Settings,
    lifts: bool,
) -> Result<Option<Maximum>, Error> {
    let before = settings.maximum.unwrap_or_default();
    let units = |name: &str, given: Option<i64>, before: Option<u64>| {
        if settings.throughput.is_some() && given.is_some() {
            return Err(Error::invalid(format_args!(
                "{name} for OnDemandThroughput cannot be specified when the table BillingMode is \
                 PROVISIONED"
            )));
        }
        match given {
            None => Ok(before),
            Some(-1) if lifts => Ok(None),
            Some(units @ 1..=UNITS_MAX) => Ok(Some(units.unsigned_abs())),
            Some(_) => Err(Error::invalid(format_args!(
                "Requested {name} for OnDemandThroughput for table is outside of valid range"
            ))),
        }
    };
    let read = units("MaxReadRequestUnits", given.max_read_request_units, before.read)?;
    let write = units("MaxWriteRequestUnits", given.max_write_request_units, before.write)?;
    Ok((read.is_some() || write.is_some()).then_some(Maximum { read, write }))
}

/// The warm throughput a table is made with.
pub(crate) fn warm(given: &WarmThroughput, throughput: Option<(u64, u64)>) -> Result<Warm, Error> {
    let (least, than) = match throughput {
        None => (
            WARM,
            ["initial throughput for OnDemand. See: https://docs.aws.amazon.com/\
                 amazondynamodb/latest/developerguide/warm-throughput.html"; 2],
        ),
        Some(units) => (
            units,
            [
                "ReadCapacityUnits of ProvisionedThroughput",
                "WriteCapacityUnits of ProvisionedThroughput",
            ],
        ),
    };
    let units = |name: &str, given: Option<i64>, least: u64, than: &str| match given {
        None => Ok(least),
        Some(units) => u64::try_from(units).ok().filter(|units| *units >= least).ok_or_else(|| {
            Error::invalid(format_args!(
                "Requested {name} for WarmThroughput for table is lower than {than}"
            ))
        }),
    };
    Ok((
        units("ReadUnitsPerSecond", given.read_units_per_second, least.0, than[0])?,
        units("WriteUnitsPerSecond", given.write_units_per_second, least.1, than[1])?,
    ))
}

/// What a table or an index is ready for: what was asked for, but not less than its capacity.
pub(crate) fn warmth(asked: Option<Warm>, throughput: Option<(u64, u64)>) -> Warm {
    let least = throughput.unwrap_or(WARM);
    let asked = asked.unwrap_or(least);
    (asked.0.max(least.0), asked.1.max(least.1))
}

fn warmer(given: &WarmThroughput, before: Warm) -> Result<Warm, Error> {
    let units = |name: &str, given: Option<i64>, before: u64| match given {
        None => Ok(before),
        Some(units) => {
            u64::try_from(units).ok().filter(|units| *units >= before).ok_or_else(|| {
                Error::invalid(format_args!(
                    "Requested {name} for WarmThroughput for table is lower than current \
                 WarmThroughput, decreasing WarmThroughput is not supported"
                ))
            })
        }
    };
    Ok((
        units("ReadUnitsPerSecond", given.read_units_per_second, before.0)?,
        units("WriteUnitsPerSecond", given.write_units_per_second, before.1)?,
    ))
}

pub(crate) fn on_demand() -> Error {
    Error::invalid(
        "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is \
         PAY_PER_REQUEST",
    )
}

pub(crate) fn bounded(given: &ProvisionedThroughput) -> Result<(u64, u64), Error> {
    let units = |name: &str, given: Option<i64>| {
        let units = given.unwrap_or_default();
        if units > UNITS_MAX {
            return Err(Error::validation(format!(
                "Given value {units} for {name} is out of bounds"
            )));
        }
        Ok(units.unsigned_abs())
    };
    Ok((
        units("ReadCapacityUnits", given.read_capacity_units)?,
        units("WriteCapacityUnits", given.write_capacity_units)?,
    ))
}
