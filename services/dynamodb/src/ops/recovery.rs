//! UpdateContinuousBackups and DescribeContinuousBackups: point-in-time recovery on and off.

use std::sync::Arc;
use std::time::Duration;

use base::Time;
use kit::Ctx;
use wire::Epoch;

use crate::api::backup::{
    ContinuousBackupsDescription, ContinuousBackupsOutput, RecoveryDescription,
    UpdateContinuousBackupsInput,
};
use crate::api::table::TableNameInput;
use crate::data::{self, Recovery, Table, Tables, history};
use crate::error::Error;
use crate::ops::name;
use crate::rules::Violations;

const DAYS_MAX: i64 = 35;
const DAYS_DEFAULT: u64 = 35;
const TABLE_CHARS_MAX: usize = 1_024;

pub(crate) async fn update(
    ctx: &Ctx,
    input: UpdateContinuousBackupsInput,
) -> Result<ContinuousBackupsOutput, Error> {
    let mut violations = Violations::default();
    let at = "pointInTimeRecoverySpecification";
    let wanted = input.point_in_time_recovery_specification;
    violations.required(at, wanted.is_some());
    let wanted = wanted.unwrap_or_default();
    let (enabled, days) = (wanted.point_in_time_recovery_enabled, wanted.recovery_period_in_days);
    if input.table_name.is_some() {
        violations.required(&format!("{at}.pointInTimeRecoveryEnabled"), enabled.is_some());
    }
    violations.range(&format!("{at}.recoveryPeriodInDays"), days, 1, DAYS_MAX);
    let given = named(&mut violations, input.table_name.as_ref())?;
    violations.finish()?;
    if enabled != Some(true) && days.is_some() {
        return Err(Error::validation(
            "Invalid Request: Cannot specify RecoveryPeriodInDays when disabling point-in-time \
             recovery.",
        ));
    }
    let found = find(ctx, given).await?;
    let (key, found) = (&data::table_key(&ctx.account, &ctx.region, &found.name), &found);
    let table = ctx
        .store()
        .transact(&ctx.account, |tx| async move {
            let table: Option<Table> = tx.get_record(key).await?;
            let table = table.filter(|table| table.number == found.number);
            let mut table = table.ok_or_else(|| Error::NoSuchTable(found.name.clone()))?;
            let before = table.recovery;
            table.recovery = (enabled == Some(true)).then(|| Recovery {
                since: before.map_or_else(|| ctx.now(), |before| before.since),
                days: match (days, before) {
                    (Some(days), _) => days.unsigned_abs(),
                    (None, Some(before)) => before.days,
                    (None, None) => DAYS_DEFAULT,
                },
            });
            if table.recovery.is_some() {
                history::begin(&tx, &ctx.region, &table)?;
            }
            ctx.state::<Arc<Tables>>().changed(&tx, key);
            tx.put_record(key.clone(), &table)?;
            Ok::<_, Error>(table)
        })
        .await?;
    Ok(output(ctx, &table))
}

pub(crate) async fn describe(
    ctx: &Ctx,
    input: TableNameInput,
) -> Result<ContinuousBackupsOutput, Error> {
    let mut violations = Violations::default();
    let given = named(&mut violations, input.table_name.as_ref())?;
    violations.finish()?;
    let table = find(ctx, given).await?;
    Ok(output(ctx, &table))
}

/// The first and the last moment a table can be restored to.
pub(crate) fn bounds(recovery: Recovery, now: Time) -> (Time, Time) {
    let period = Duration::from_secs(recovery.days * 24 * 60 * 60);
    (recovery.since.max(now - period), now)
}

fn output(ctx: &Ctx, table: &Table) -> ContinuousBackupsOutput {
    let bounds = table.recovery.map(|recovery| bounds(recovery, ctx.now()));
    ContinuousBackupsOutput {
        continuous_backups_description: ContinuousBackupsDescription {
            continuous_backups_status: "ENABLED",
            point_in_time_recovery_description: RecoveryDescription {
                point_in_time_recovery_status: match bounds {
                    Some(_) => "ENABLED",
                    None => "DISABLED",
                },
                recovery_period_in_days: table.recovery.map(|recovery| recovery.days),
                earliest_restorable_date_time: bounds.map(|(earliest, _)| Epoch(earliest)),
                latest_restorable_date_time: bounds.map(|(_, latest)| Epoch(latest)),
            },
        },
    }
}

/// The table that a request on backups names.
pub(crate) fn named<'a>(
    violations: &mut Violations,
    given: Option<&'a String>,
) -> Result<&'a str, Error> {
    let given = given.ok_or_else(|| {
        Error::validation(
            "The parameter 'TableName' is required but was not present in the request",
        )
    })?;
    violations.length("tableName", Some(given), 1, TABLE_CHARS_MAX);
    Ok(given)
}

/// The table that is named; until its items are restored, there is none.
pub(crate) async fn find(ctx: &Ctx, given: &str) -> Result<Arc<Table>, Error> {
    let table = match name(ctx, given) {
        Some(name) => ctx.state::<Arc<Tables>>().get(ctx, name).await?,
        None => None,
    };
    table.filter(|table| !table.is_creating()).ok_or_else(|| Error::NoSuchTable(given.to_owned()))
}
