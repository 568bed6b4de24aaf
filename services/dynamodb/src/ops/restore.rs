//! RestoreTableFromBackup and RestoreTableToPointInTime: a new table, filled in the background.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base::{Arn, Sequence, Time};
use kit::{Ctx, unserved};
use store::Tx;

use crate::api::backup::{RestoreTableFromBackupInput, RestoreTableToPointInTimeInput};
use crate::api::table::{ChangeTableOutput, ProvisionedThroughput, SseSpecification};
use crate::data::copy::{Backup, Contents, Copy, Made, Progress, Source, backup_key, copy_key};
use crate::data::index::{Index, Phase};
use crate::data::{self, Restored, Settings, Table, Tables};
use crate::error::Error;
use crate::ops::backup::{check_arn, moment};
use crate::ops::recovery::{bounds, find};
use crate::ops::table::description;
use crate::rules::Violations;
use crate::rules::table::{BILLING_MODES, check_throughput, restored_settings, seconds};

/// What the two operations are asked alike.
struct Wanted {
    name: String,
    billing: Option<String>,
    throughput: Option<ProvisionedThroughput>,
    encryption: Option<SseSpecification>,
}

impl Wanted {
    /// The constraints of the API's model.
    fn check(&self, given: bool, mut violations: Violations) -> Result<(), Error> {
        violations.required("targetTableName", given);
        violations.name("targetTableName", Some(&self.name).filter(|_| given).map(String::as_str));
        violations.one_of("billingModeOverride", self.billing.as_deref(), BILLING_MODES);
        let at = "provisionedThroughputOverride";
        check_throughput(&mut violations, at, self.throughput.as_ref());
        violations.finish()
    }

    fn settings(&self, ctx: &Ctx, before: &Settings) -> Result<Settings, Error> {
        let Wanted { billing, throughput, encryption, .. } = self;
        let (throughput, encryption) = (throughput.as_ref(), encryption.as_ref());
        restored_settings(before, billing.as_deref(), throughput, encryption, ctx.now())
    }
}

pub(crate) async fn from_backup(
    ctx: &Ctx,
    input: RestoreTableFromBackupInput,
) -> Result<ChangeTableOutput, Error> {
    unserved::refuse(
        ctx,
        &[
            ("OnDemandThroughputOverride", &input.on_demand_throughput_override),
            ("GlobalSecondaryIndexOverride", &input.global_secondary_index_override),
            ("LocalSecondaryIndexOverride", &input.local_secondary_index_override),
            ("VectorIndexOverride", &input.vector_index_override),
        ],
    )?;
    let is_named = input.target_table_name.is_some();
    let wanted = Wanted {
        name: input.target_table_name.unwrap_or_default(),
        billing: input.billing_mode_override,
        throughput: input.provisioned_throughput_override,
        encryption: input.sse_specification_override,
    };
    wanted.check(is_named, Violations::default())?;
    let (arn, id) = check_arn(ctx, "backupArn", input.backup_arn)?;
    let (key, wanted, arn) = (&backup_key(&ctx.account, &ctx.region, &id), &wanted, &arn);
    let number = ctx.kit.next_number();
    let table = ctx
        .store()
        .transact(&ctx.account, |tx| async move {
            let backup: Option<Backup> = tx.get_record(key).await?;
            let mut backup = backup.ok_or_else(|| Error::NoBackup(arn.clone()))?;
            let settings = wanted.settings(ctx, &backup.table.settings)?;
            check_target(ctx, &tx, &wanted.name).await?;
            if !backup.readers.is_empty() {
                let why = format!("Backup is being used to restore another table: {arn}");
                return Err(Error::BackupInUse(why));
            }
            if backup.contents.is_none() {
                return Err(Error::BackupInUse(format!("Backup is being created: {arn}")));
            }
            backup.readers.push(number);
            tx.put_record(key.clone(), &backup)?;
            let restored = Restored {
                at: backup.created,
                table_arn: crate::ops::arn(ctx, &backup.table.name).to_string(),
                backup_arn: Some(arn.clone()),
            };
            let table = new_table(ctx, &wanted.name, &backup.table, settings, restored);
            let copy = Copy {
                region: ctx.region.clone(),
                from: backup.number,
                until: None,
                to: table.number,
                source: Source::Backup(backup.id),
                made: Made::Table(table.name.clone()),
                progress: Progress::Items(None),
                contents: Contents::default(),
            };
            begin(ctx, &tx, number, &copy, &table)?;
            Ok::<_, Error>(table)
        })
        .await?;
    Ok(ChangeTableOutput { table_description: description(ctx, &table, "CREATING") })
}

pub(crate) async fn to_point_in_time(
    ctx: &Ctx,
    input: RestoreTableToPointInTimeInput,
) -> Result<ChangeTableOutput, Error> {
    unserved::refuse(
        ctx,
        &[
            ("OnDemandThroughputOverride", &input.on_demand_throughput_override),
            ("GlobalSecondaryIndexOverride", &input.global_secondary_index_override),
            ("LocalSecondaryIndexOverride", &input.local_secondary_index_override),
            ("VectorIndexOverride", &input.vector_index_override),
        ],
    )?;
    let is_named = input.target_table_name.is_some();
    let wanted = Wanted {
        name: input.target_table_name.unwrap_or_default(),
        billing: input.billing_mode_override,
        throughput: input.provisioned_throughput_override,
        encryption: input.sse_specification_override,
    };
    wanted.check(is_named, Violations::default())?;
    let source = check_source(ctx, input.source_table_arn, input.source_table_name)?;
    let latest = input.use_latest_restorable_time == Some(true);
    let at = check_moment(input.restore_date_time, latest)?;
    let found = find(ctx, &source).await?;
    let key = data::table_key(&ctx.account, &ctx.region, &found.name);
    let (key, wanted, found, number) = (&key, &wanted, &found, ctx.kit.next_number());
    let table = ctx
        .store()
        .transact(&ctx.account, |tx| async move {
            let source: Option<Table> = tx.get_record(key).await?;
            let source = source.filter(|source| source.number == found.number);
            let mut source = source.ok_or_else(|| Error::NoSuchTable(found.name.clone()))?;
            let (at, until) = check_recoverable(ctx, &source, at)?;
            let settings = wanted.settings(ctx, &source.settings)?;
            check_target(ctx, &tx, &wanted.name).await?;
            source.copies.insert(number, until);
            ctx.state::<Arc<Tables>>().changed(&tx, key);
            tx.put_record(key.clone(), &source)?;
            let table_arn = crate::ops::arn(ctx, &source.name).to_string();
            let restored = Restored { at, table_arn, backup_arn: None };
            let table = new_table(ctx, &wanted.name, &source, settings, restored);
            let copy = Copy {
                region: ctx.region.clone(),
                from: source.number,
                until: Some(until),
                to: table.number,
                source: Source::Table(source.name),
                made: Made::Table(table.name.clone()),
                progress: Progress::Items(None),
                contents: Contents::default(),
            };
            begin(ctx, &tx, number, &copy, &table)?;
            Ok::<_, Error>(table)
        })
        .await?;
    Ok(ChangeTableOutput { table_description: description(ctx, &table, "CREATING") })
}

/// The table to be restored, by its name or its ARN.
fn check_source(ctx: &Ctx, arn: Option<String>, name: Option<String>) -> Result<String, Error> {
    match (arn, name) {
        (Some(_), Some(_)) => Err(Error::validation(
            "Invalid Request: Must provide exactly one of: sourceTableArn, sourceTableName",
        )),
        (None, None) => Err(Error::validation(
            "The parameter 'TableName' is required but was not present in the request",
        )),
        (None, Some(name)) => Ok(name),
        (Some(given), None) => {
            let arn: Option<Arn> = given.parse().ok();
            let arn = arn.filter(|arn| arn.service == "dynamodb");
            let arn = arn.ok_or_else(|| {
                Error::validation("Invalid Request: sourceTableArn is not a valid ARN")
            })?;
            if arn.account != ctx.account.as_str() {
                return Err(Error::validation(
                    "This action is only supported by accounts that match the resource owner’s \
                     account.",
                ));
            }
            Ok(given)
        }
    }
}

/// The moment that is asked for; none for the latest.
fn check_moment(given: Option<f64>, latest: bool) -> Result<Option<Time>, Error> {
    match given {
        Some(_) if latest => Err(Error::validation(
            "Invalid Request: Both RestoreDateTime and UseLatestRestorableTime cannot be set for \
             point-in-time restore request. Please set only one of the two.",
        )),
        None if !latest => Err(Error::validation(
            "Invalid Request: Either one of RestoreDateTime or UseLatestRestorableTime must be \
             specified, but not both",
        )),
        given => Ok(given.map(moment)),
    }
}

/// The moment to be shown, and the sequence number of the first write after it.
fn check_recoverable(ctx: &Ctx, source: &Table, at: Option<Time>) -> Result<(Time, u64), Error> {
    let recovery = source.recovery.ok_or_else(|| Error::NoRecovery(source.name.clone()))?;
    let (earliest, latest) = bounds(recovery, ctx.now());
    match at {
        // Every write from now on reads the table's record, and so gets a larger number.
        None => Ok((latest, ctx.kit.next_number())),
        Some(at) if (earliest..=latest).contains(&at) => {
            Ok((at, Sequence::first_at(at + Duration::from_millis(1))))
        }
        Some(at) => Err(Error::RestoreTime(format!(
            "RestoreDateTime '{}' must be within EarliestRestorableDateTime '{}' and \
             LatestRestorableDateTime '{}'",
            seconds(at),
            seconds(earliest),
            seconds(latest)
        ))),
    }
}

/// Fails if there is a table of the name already.
async fn check_target(ctx: &Ctx, tx: &Tx, name: &str) -> Result<(), Error> {
    let key = data::table_key(&ctx.account, &ctx.region, name);
    match tx.get_record::<Table>(&key).await? {
        None => Ok(()),
        Some(Table { restored: Some(Restored { backup_arn: Some(arn), .. }), .. }) => {
            Err(Error::RestoreInUse(format!(
                "Table: {name} is already being restored from backup: {arn}"
            )))
        }
        Some(table) if table.is_creating() => {
            Err(Error::RestoreInUse(format!("Table: {name} is already being restored")))
        }
        Some(_) => Err(Error::RestoreExists(name.to_owned())),
    }
}

/// The table to be: with the keys of another, and of its settings those that a copy keeps.
fn new_table(
    ctx: &Ctx,
    name: &str,
    source: &Table,
    settings: Settings,
    restored: Restored,
) -> Table {
    let kept = source.indexes.iter().filter(|index| index.is_kept()).cloned();
    // Each is filled once the items are there.
    let indexes = kept.map(|index| Index {
        phase: Phase::Creating,
        throughput: index.throughput.filter(|_| settings.throughput.is_some()),
        ..index
    });
    let indexes = indexes.collect();
    Table {
        name: name.to_owned(),
        number: ctx.kit.next_number(),
        id: ctx.kit.uuid(),
        created: ctx.now(),
        schema: source.schema.clone(),
        settings,
        tags: BTreeMap::new(),
        large: false,
        expiry: None,
        expiry_changed: None,
        recovery: None,
        copies: BTreeMap::new(),
        restored: Some(restored),
        indexes,
        stream: None,
    }
}

fn begin(ctx: &Ctx, tx: &Tx, number: u64, copy: &Copy, table: &Table) -> Result<(), Error> {
    let key = data::table_key(&ctx.account, &ctx.region, &table.name);
    ctx.state::<Arc<Tables>>().changed(tx, &key);
    tx.put_record(key, table)?;
    Ok(tx.put_record(copy_key(&ctx.account, number), copy)?)
}
