//! CreateBackup, DescribeBackup, ListBackups and DeleteBackup.

use std::sync::Arc;

use base::{Arn, Time};
use kit::Ctx;
use store::Dir;
use wire::Epoch;

use crate::api::backup::{
    BackupArnInput, BackupDescription, BackupDetails, BackupOutput, BackupSummary,
    CreateBackupInput, CreateBackupOutput, ListBackupsInput, ListBackupsOutput, SourceTableDetails,
    SourceTableFeatureDetails, SourceThroughput,
};
use crate::api::expiry::TimeToLiveDescription;
use crate::data::copy::{Backup, Contents, Copy, Made, Progress, Source};
use crate::data::copy::{backup_key, backups_key, copy_key};
use crate::data::{self, Doomed, Table, Tables, history};
use crate::error::Error;
use crate::ops::recovery::{find, named};
use crate::ops::table::{billing_mode, encryption, key_schema};
use crate::rules::Violations;

const NAME_CHARS_MIN: usize = 3;
const NAME_CHARS_MAX: usize = 255;
const ARN_CHARS_MIN: usize = 37;
const ARN_CHARS_MAX: usize = 1_024;
const LIST_MAX: i64 = 100;
/// How many backups are read at once while those asked for are picked out.
const PAGE_BACKUPS: usize = 200;
const TYPES: &[&str] = &["USER", "SYSTEM", "AWS_BACKUP", "ALL"];

/// The backup shows the table as it is at this moment, whatever is written while it is made.
pub(crate) async fn create(
    ctx: &Ctx,
    input: CreateBackupInput,
) -> Result<CreateBackupOutput, Error> {
    let mut violations = Violations::default();
    let given = named(&mut violations, input.table_name.as_ref())?;
    let name = input.backup_name.as_deref();
    violations.required("backupName", name.is_some());
    violations.length("backupName", name, NAME_CHARS_MIN, NAME_CHARS_MAX);
    violations.plain("backupName", name);
    violations.finish()?;
    let found = find(ctx, given).await?;
    let key = data::table_key(&ctx.account, &ctx.region, &found.name);
    let uuid = ctx.kit.uuid();
    let id = format!("{:014}-{}", ctx.now().as_millis(), uuid.get(..8).unwrap_or_default());
    let (found, key, id, name) = (&found, &key, &id, name.unwrap_or_default());
    let (number, to) = (ctx.kit.next_number(), ctx.kit.next_number());
    let backup = ctx
        .store()
        .transact(&ctx.account, |tx| async move {
            let table: Option<Table> = tx.get_record(key).await?;
            let table = table.filter(|table| table.number == found.number);
            let mut table = table.ok_or_else(|| Error::NoSuchTable(found.name.clone()))?;
            let backup = Backup {
                id: id.clone(),
                name: name.to_owned(),
                created: ctx.now(),
                table: table.clone(),
                number: to,
                contents: None,
                readers: Vec::new(),
            };
            // Every write from now on reads the table's record, and so gets a larger number.
            let until = ctx.kit.next_number();
            table.copies.insert(number, until);
            history::begin(&tx, &ctx.region, &table)?;
            let copy = Copy {
                region: ctx.region.clone(),
                from: table.number,
                until: Some(until),
                to,
                source: Source::Table(table.name.clone()),
                made: Made::Backup(id.clone()),
                progress: Progress::Items(None),
                contents: Contents::default(),
            };
            tx.put_record(copy_key(&ctx.account, number), &copy)?;
            tx.put_record(backup_key(&ctx.account, &ctx.region, id), &backup)?;
            ctx.state::<Arc<Tables>>().changed(&tx, key);
            tx.put_record(key.clone(), &table)?;
            Ok::<_, Error>(backup)
        })
        .await?;
    Ok(CreateBackupOutput { backup_details: details(ctx, &backup, status(&backup)) })
}

pub(crate) async fn describe(ctx: &Ctx, input: BackupArnInput) -> Result<BackupOutput, Error> {
    let (arn, id) = check_arn(ctx, "backupArn", input.backup_arn)?;
    let backup = ctx.store().get_record(&backup_key(&ctx.account, &ctx.region, &id)).await?;
    let backup: Backup = backup.ok_or(Error::NoBackup(arn))?;
    Ok(BackupOutput { backup_description: description(ctx, &backup, status(&backup)) })
}

pub(crate) async fn delete(ctx: &Ctx, input: BackupArnInput) -> Result<BackupOutput, Error> {
    let (arn, id) = check_arn(ctx, "backupArn", input.backup_arn)?;
    let (key, arn) = (&backup_key(&ctx.account, &ctx.region, &id), &arn);
    let backup = ctx
        .store()
        .transact(&ctx.account, |tx| async move {
            let backup: Option<Backup> = tx.get_record(key).await?;
            let backup = backup.ok_or_else(|| Error::NoBackup(arn.clone()))?;
            if !backup.readers.is_empty() {
                let why = format!("Backup is being used to restore table: {arn}");
                return Err(Error::BackupInUse(why));
            }
            if backup.contents.is_none() {
                return Err(Error::BackupInUse(format!("Backup is being created: {arn}")));
            }
            tx.delete(key.clone());
            let doomed = Doomed { name: backup.name.clone() };
            tx.put_record(data::doomed_key(&ctx.account, backup.number), &doomed)?;
            Ok(backup)
        })
        .await?;
    Ok(BackupOutput { backup_description: description(ctx, &backup, "DELETED") })
}

pub(crate) async fn list(ctx: &Ctx, input: ListBackupsInput) -> Result<ListBackupsOutput, Error> {
    let mut violations = Violations::default();
    violations.length("tableName", input.table_name.as_deref(), 1, ARN_CHARS_MAX);
    violations.range("limit", input.limit, 1, LIST_MAX);
    violations.one_of("backupType", input.backup_type.as_deref(), TYPES);
    violations.finish()?;
    let (lower, upper) = (input.time_range_lower_bound, input.time_range_upper_bound);
    if let (Some(lower), Some(upper)) = (lower, upper)
        && lower > upper
    {
        return Err(Error::invalid(
            "Time range lower bound must be less than or equal to upper bound",
        ));
    }
    let mut range = backups_key(&ctx.account, &ctx.region).prefix();
    if input.exclusive_start_backup_arn.is_some() {
        let (_, id) = check_arn(ctx, "exclusiveStartBackupArn", input.exclusive_start_backup_arn)?;
        range = range.after(&backup_key(&ctx.account, &ctx.region, &id));
    }
    let table = input.table_name.as_deref();
    let table = table.map(|given| crate::ops::name(ctx, given).unwrap_or_default());
    let of_users = matches!(input.backup_type.as_deref(), None | Some("USER" | "ALL"));
    let is_wanted = |backup: &Backup| {
        let at = backup.created.as_secs_f64();
        let after = lower.is_none_or(|lower| at >= lower);
        let before = upper.is_none_or(|upper| at < upper);
        of_users && after && before && table.is_none_or(|table| backup.table.name == table)
    };
    let limit = usize::try_from(input.limit.unwrap_or(LIST_MAX)).unwrap_or(0);
    let mut found: Vec<Backup> = Vec::new();
    while found.len() <= limit {
        let page = ctx.store().scan(range.clone(), Dir::Forward, PAGE_BACKUPS).await?;
        for (key, record) in &page {
            found.extend(Some(store::decode(key, record)?).filter(&is_wanted));
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE_BACKUPS => range = range.after(last),
            _ => break,
        }
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more).map(|backup| arn(ctx, backup));
    let summary = |backup: &Backup| BackupSummary {
        table_name: backup.table.name.clone(),
        table_id: backup.table.id.clone(),
        table_arn: crate::ops::arn(ctx, &backup.table.name).to_string(),
        details: details(ctx, backup, status(backup)),
    };
    let backup_summaries = found.iter().map(summary).collect();
    Ok(ListBackupsOutput { backup_summaries, last_evaluated_backup_arn: last })
}

/// The ARN that a request gives, and the id at its end.
pub(crate) fn check_arn(
    ctx: &Ctx,
    at: &str,
    given: Option<String>,
) -> Result<(String, String), Error> {
    let mut violations = Violations::default();
    violations.required(at, given.is_some());
    violations.length(at, given.as_deref(), ARN_CHARS_MIN, ARN_CHARS_MAX);
    violations.finish()?;
    let text = given.unwrap_or_default();
    let invalid = || Error::validation("Invalid Backup ARN");
    let arn: Arn = text.parse().map_err(|_| invalid())?;
    if arn.service != "dynamodb" || arn.partition != "aws" {
        return Err(Error::validation("Invalid Request: BackupArn is not valid"));
    }
    if arn.account != ctx.account.as_str() {
        return Err(Error::AccessDenied("Access is denied".to_owned()));
    }
    let parts: Vec<&str> = arn.resource.split('/').collect();
    match parts[..] {
        ["table", table, "backup", id] if !table.is_empty() && !id.is_empty() => {
            if arn.region == ctx.region.as_str() {
                Ok((text.clone(), id.to_owned()))
            } else {
                Err(Error::NoBackup(text.clone()))
            }
        }
        _ => Err(invalid()),
    }
}

pub(crate) fn arn(ctx: &Ctx, backup: &Backup) -> String {
    let Backup { id, table, .. } = backup;
    ctx.arn("dynamodb", format!("table/{}/backup/{id}", table.name)).to_string()
}

/// A moment of a request, in seconds since 1970.
pub(crate) fn moment(seconds: f64) -> Time {
    let millis = std::time::Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default();
    Time::default() + millis
}

fn status(backup: &Backup) -> &'static str {
    if backup.contents.is_some() { "AVAILABLE" } else { "CREATING" }
}

fn details(ctx: &Ctx, backup: &Backup, status: &'static str) -> BackupDetails {
    BackupDetails {
        backup_arn: arn(ctx, backup),
        backup_name: backup.name.clone(),
        backup_size_bytes: backup.contents.unwrap_or_default().bytes,
        backup_status: status,
        backup_type: "USER",
        backup_creation_date_time: Epoch(backup.created),
    }
}

fn description(ctx: &Ctx, backup: &Backup, status: &'static str) -> BackupDescription {
    let Backup { table, contents, .. } = backup;
    let (read, write) = table.settings.throughput.unwrap_or_default();
    let Contents { items, bytes, .. } = contents.unwrap_or_default();
    BackupDescription {
        backup_details: details(ctx, backup, status),
        source_table_details: SourceTableDetails {
            table_name: table.name.clone(),
            table_id: table.id.clone(),
            table_arn: crate::ops::arn(ctx, &table.name).to_string(),
            table_size_bytes: bytes,
            key_schema: key_schema(&table.schema),
            table_creation_date_time: Epoch(table.created),
            provisioned_throughput: SourceThroughput {
                read_capacity_units: read,
                write_capacity_units: write,
            },
            item_count: items,
            billing_mode: billing_mode(&table.settings),
        },
        source_table_feature_details: SourceTableFeatureDetails {
            time_to_live_description: table.expiry.as_ref().map(|expiry| TimeToLiveDescription {
                time_to_live_status: "ENABLED",
                attribute_name: Some(expiry.attribute.clone()),
            }),
            sse_description: encryption(&table.settings),
        },
    }
}
