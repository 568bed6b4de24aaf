//! Tables: made, described, listed, changed and deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::Time;
use kit::unserved::Unserved;
use kit::{Ctx, unserved};
use store::{Dir, Tx};
use wire::Epoch;

use crate::api::backup::RestoreSummary;
use crate::api::stream::StreamSpecification;
use crate::api::table::{
    AttributeDefinition, BillingModeSummary, ChangeTableOutput, CreateTableInput,
    DescribeTableOutput, IndexDescription, KeySchemaElement, ListTablesInput, ListTablesOutput,
    OnDemandThroughput, Projection, SecondaryIndex, SecondaryIndexUpdate, SseDescription,
    TableClassSummary, TableDescription, TableNameInput, ThroughputDescription,
    ThroughputModeSummary, UpdateSecondaryIndex, UpdateTableInput, WarmThroughputDescription,
};
use crate::data::index::{Index, Phase, Projected, Scope, Work, work_key};
use crate::data::policy::{Policy, policy_key};
use crate::data::stream::{OfTable, Stream, stream_key};
use crate::data::{self, Attribute, Doomed, Maximum, Schema, Settings, Table, Tables};
use crate::error::Error;
use crate::ops::name;
use crate::rules::policy::canonical;
use crate::rules::{self, Violations};

const LIST_MAX: i64 = 100;
const ON_DEMAND: &str = "PAY_PER_REQUEST";

pub(crate) async fn create(ctx: &Ctx, input: CreateTableInput) -> Result<ChangeTableOutput, Error> {
    refuse_create(ctx, &input)?;
    let given = rules::own_table_name(input.table_name.as_ref())?;
    rules::table::check_create(&input)?;
    let schema = rules::table::schema(&input)?;
    let indexes = rules::index::made(&input, &schema, || ctx.kit.next_number())?;
    let definitions = input.attribute_definitions.as_deref().unwrap_or_default();
    rules::index::check_all_used(definitions, &schema, &indexes)?;
    let settings = rules::table::settings(&input, ctx.now())?;
    let name = name(ctx, given).ok_or_else(|| Error::NoTableNamed(given.to_owned()))?;
    let view =
        input.stream_specification.as_ref().map(rules::stream::wanted).transpose()?.flatten();
    let label = rules::stream::label(ctx.now());
    let shards = rules::stream::shards(&settings);
    let number = || ctx.kit.next_number();
    let stream = view.map(|view| OfTable { number: number(), label, view, enabled: true, shards });
    let table = Table {
        name: name.to_owned(),
        number: ctx.kit.next_number(),
        id: ctx.kit.uuid(),
        created: ctx.now(),
        schema,
        settings,
        tags: rules::tag::tags(&input.tags.unwrap_or_default())?,
        large: false,
        indexes,
        stream,
        expiry: None,
        expiry_changed: None,
        recovery: None,
        copies: BTreeMap::new(),
        restored: None,
    };
    let policy = input.resource_policy.as_deref().map(canonical).transpose()?;
    let policy = policy.map(|document| Policy { document, changed: ctx.now() });
    let key = data::table_key(&ctx.account, &ctx.region, name);
    let (key, created, policy) = (&key, &table, policy.as_ref());
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            if let Some(table) = tx.get_record::<Table>(key).await? {
                return Err(match table.is_creating() {
                    true => Error::InUse(format!("Table is being used: {}", table.name)),
                    false => Error::TableExists(table.name),
                });
            }
            if let Some(policy) = policy {
                tx.put_record(policy_key(&ctx.account, created.number), policy)?;
            }
            ctx.state::<Arc<Tables>>().changed(&tx, key);
            settle_stream(ctx, &tx, created).await?;
            Ok(tx.put_record(key.clone(), created)?)
        })
        .await?;
    // It can be used at once, but callers are used to being told to wait.
    Ok(ChangeTableOutput { table_description: description(ctx, &table, "CREATING") })
}

fn refuse_create(ctx: &Ctx, input: &CreateTableInput) -> Result<(), Error> {
    let replication = &input.global_table_settings_replication_mode;
    unserved::refuse(
        ctx,
        &[
            ("VectorIndexes", &input.vector_indexes),
            ("GlobalTableSourceArn", &input.global_table_source_arn),
            ("GlobalTableSettingsReplicationMode", replication),
        ],
    )?;
    input.global_secondary_indexes.iter().flatten().try_for_each(|index| refuse_index(ctx, index))
}

fn refuse_index(ctx: &Ctx, index: &SecondaryIndex) -> Result<(), Error> {
    let SecondaryIndex { on_demand_throughput, warm_throughput, .. } = index;
    refuse_throughput(ctx, on_demand_throughput, warm_throughput)
}

fn refuse_throughput(ctx: &Ctx, on_demand: &Unserved, warm: &Unserved) -> Result<(), Error> {
    unserved::refuse(ctx, &[("OnDemandThroughput", on_demand), ("WarmThroughput", warm)])?;
    Ok(())
}

pub(crate) async fn describe(
    ctx: &Ctx,
    input: TableNameInput,
) -> Result<DescribeTableOutput, Error> {
    let table = find_any(ctx, input.table_name.as_ref()).await?;
    let status = if table.is_creating() { "CREATING" } else { "ACTIVE" };
    Ok(DescribeTableOutput { table: description(ctx, &table, status) })
}

pub(crate) async fn delete(ctx: &Ctx, input: TableNameInput) -> Result<ChangeTableOutput, Error> {
    let found = find_any(ctx, input.table_name.as_ref()).await?;
    let key = data::table_key(&ctx.account, &ctx.region, &found.name);
    let (key, name) = (&key, &found.name);
    let table = ctx
        .store()
        .transact(&ctx.account, |tx| async move {
            let table = existing(tx.get_record(key).await?, name)?;
            if table.is_creating() {
                return Err(Error::InUse(format!("Table is being created: {name}")));
            }
            if !table.copies.is_empty() {
                return Err(Error::InUse(format!("Table is being used: {name}")));
            }
            if table.settings.deletion_protected {
                return Err(Error::validation(
                    "Resource cannot be deleted as it is currently protected against deletion. \
                     Disable deletion protection first.",
                ));
            }
            if table.indexes.iter().any(|index| index.phase != Phase::Active) {
                return Err(Error::InUse(
                    "Cannot delete table while indexes are being created, updated, or deleted."
                        .to_owned(),
                ));
            }
            if let Some(stream) = table.open_stream() {
                let stream = OfTable { enabled: false, ..stream.clone() };
                settle_stream(ctx, &tx, &Table { stream: Some(stream), ..table.clone() }).await?;
            }
            ctx.state::<Arc<Tables>>().changed(&tx, key);
            tx.delete(key.clone());
            let doomed = Doomed { name: name.clone() };
            tx.delete(policy_key(&ctx.account, table.number));
            tx.put_record(data::doomed_key(&ctx.account, table.number), &doomed)?;
            Ok(table)
        })
        .await?;
    Ok(ChangeTableOutput { table_description: farewell(ctx, &table) })
}

pub(crate) async fn update(ctx: &Ctx, input: UpdateTableInput) -> Result<ChangeTableOutput, Error> {
    let replication = &input.global_table_settings_replication_mode;
    unserved::refuse(
        ctx,
        &[
            ("VectorIndexUpdates", &input.vector_index_updates),
            ("DisassociationProtectionEnabled", &input.disassociation_protection_enabled),
            ("ReplicaUpdates", &input.replica_updates),
            ("MultiRegionConsistency", &input.multi_region_consistency),
            ("GlobalTableWitnessUpdates", &input.global_table_witness_updates),
            ("GlobalTableSettingsReplicationMode", replication),
        ],
    )?;
    let updates = input.global_secondary_index_updates.iter().flatten();
    updates.clone().try_for_each(|update| refuse_update(ctx, update))?;
    rules::own_table_name(input.table_name.as_ref())?;
    rules::table::check_update(&input)?;
    let found = find(ctx, input.table_name.as_ref()).await?;
    let key = data::table_key(&ctx.account, &ctx.region, &found.name);
    let (key, name, input, now) = (&key, &found.name, &input, ctx.now());
    let number = ctx.kit.next_number();
    let (before, table, work) = ctx
        .store()
        .transact(&ctx.account, |tx| async move {
            let table = existing(tx.get_record(key).await?, name)?;
            let before = table.settings.clone();
            let (mut table, work) = rules::table::changed(table, input, now, number)?;
            if let Some(given) = &input.stream_specification {
                let stream = ctx.kit.next_number();
                table.stream = Some(rules::stream::changed(&table, given, stream, now)?);
                settle_stream(ctx, &tx, &table).await?;
            }
            ctx.state::<Arc<Tables>>().changed(&tx, key);
            tx.put_record(key.clone(), &table)?;
            if let Some(index) = work {
                let (region, name) = (ctx.region.to_string(), name.clone());
                let work = Work { region, table: name, done: None };
                tx.put_record(work_key(&ctx.account, table.number, index), &work)?;
            }
            Ok::<_, Error>((before, table, work))
        })
        .await?;
    let moves = table.settings.throughput != before.throughput;
    let status = if moves || work.is_some() { "UPDATING" } else { "ACTIVE" };
    // It is done, but callers are used to being told to wait.
    let table = Table { settings: updating(table.settings, &before, now), ..table };
    Ok(ChangeTableOutput { table_description: description(ctx, &table, status) })
}

/// What is told of a change of capacity before it is done.
fn updating(after: Settings, before: &Settings, now: Time) -> Settings {
    let told = |after: Option<Time>, before: Option<Time>| match after == before {
        true => before,
        false => Some(now),
    };
    let stays = before.throughput.is_some() && after.throughput.is_some();
    Settings {
        throughput: if stays { before.throughput } else { after.throughput },
        increased: told(after.increased, before.increased),
        decreased: told(after.decreased, before.decreased),
        decreases: rules::throughput::decreases_today(before, now),
        ..after
    }
}

/// Writes the record of a table's stream as the table has it: open, or at its end.
async fn settle_stream(ctx: &Ctx, tx: &Tx, table: &Table) -> Result<(), Error> {
    let Some(of_table) = &table.stream else { return Ok(()) };
    let key = stream_key(&ctx.account, &ctx.region, &table.name, &of_table.label);
    let OfTable { number, label, view, enabled, shards } = of_table.clone();
    let known: Option<Stream> = tx.get_record(&key).await?;
    let created = known.map_or_else(|| ctx.now(), |known| known.created);
    let end = (!enabled).then(|| ctx.kit.next_number());
    let (table, schema) = (table.name.clone(), table.schema.clone());
    tx.put_record(key, &Stream { number, table, label, view, schema, created, end, shards })?;
    Ok(())
}

fn refuse_update(ctx: &Ctx, given: &SecondaryIndexUpdate) -> Result<(), Error> {
    if let Some(create) = &given.create {
        refuse_index(ctx, create)?;
    }
    match &given.update {
        Some(UpdateSecondaryIndex { on_demand_throughput, warm_throughput, .. }) => {
            refuse_throughput(ctx, on_demand_throughput, warm_throughput)
        }
        None => Ok(()),
    }
}

pub(crate) async fn list(ctx: &Ctx, input: ListTablesInput) -> Result<ListTablesOutput, Error> {
    let mut violations = Violations::default();
    violations.name("exclusiveStartTableName", input.exclusive_start_table_name.as_deref());
    let limit = input.limit.map(i64::from);
    violations.range("limit", limit, 1, LIST_MAX);
    violations.finish()?;
    let limit = usize::try_from(limit.unwrap_or(LIST_MAX)).unwrap_or(0);
    let mut range = data::tables_key(&ctx.account, &ctx.region).prefix();
    if let Some(start) = &input.exclusive_start_table_name {
        range = range.after(&data::table_key(&ctx.account, &ctx.region, start));
    }
    // One more than asked for tells whether there are more.
    let found = ctx.store().scan(range, Dir::Forward, limit + 1).await?;
    let names = found.iter().map(|(key, record)| Ok(store::decode::<Table>(key, record)?.name));
    let mut names = names.collect::<Result<Vec<String>, Error>>()?;
    let more = names.len() > limit;
    names.truncate(limit);
    let last = names.last().filter(|_| more).cloned();
    Ok(ListTablesOutput { table_names: names, last_evaluated_table_name: last })
}

/// The table an operation is about, once its items are there.
pub(crate) async fn find(ctx: &Ctx, given: Option<&String>) -> Result<Arc<Table>, Error> {
    let table = find_any(ctx, given).await?;
    match table.is_creating() {
        true => Err(Error::NoTableNamed(table.name.clone())),
        false => Ok(table),
    }
}

/// The table an operation is about, even while its items are being restored.
async fn find_any(ctx: &Ctx, table: Option<&String>) -> Result<Arc<Table>, Error> {
    let given = rules::own_table_name(table)?;
    let mut violations = Violations::default();
    violations.name("tableName", Some(given));
    violations.finish()?;
    let table = match name(ctx, given) {
        Some(name) => ctx.state::<Arc<Tables>>().get(ctx, name).await?,
        None => None,
    };
    table.ok_or_else(|| Error::NoTableNamed(given.to_owned()))
}

pub(crate) fn existing(found: Option<Table>, name: &str) -> Result<Table, Error> {
    found.ok_or_else(|| Error::NoTableNamed(name.to_owned()))
}

pub(crate) fn description(ctx: &Ctx, table: &Table, status: &'static str) -> TableDescription {
    let Settings { on_demand_since, class, maximum, .. } = &table.settings;
    let definition = |attribute: &Attribute| AttributeDefinition {
        attribute_name: Some(attribute.name.clone()),
        attribute_type: Some(attribute.kind.clone()),
    };
    let mode = billing_mode(&table.settings);
    let since = on_demand_since.map(Epoch);
    let has_mode = on_demand_since.is_some();
    let count = ctx.state::<Arc<Tables>>().counts.of(table.number, None);
    let indexes = |scope| {
        let of = table.indexes.iter().filter(|index| index.scope == scope);
        of.map(|index| index_description(ctx, table, index, status)).collect()
    };
    TableDescription {
        attribute_definitions: attributes(table).map(definition).collect(),
        table_name: table.name.clone(),
        key_schema: key_schema(&table.schema),
        table_status: status,
        creation_date_time: Some(Epoch(table.created)),
        provisioned_throughput: provisioned(ctx, &table.settings),
        table_size_bytes: count.bytes,
        item_count: count.items,
        table_arn: ctx.arn("dynamodb", format!("table/{}", table.name)).to_string(),
        table_id: table.id.clone(),
        local_secondary_indexes: indexes(Scope::Local),
        global_secondary_indexes: indexes(Scope::Global),
        stream_specification: table.open_stream().map(|stream| StreamSpecification {
            stream_enabled: Some(true),
            stream_view_type: Some(stream.view.name().to_owned()),
        }),
        latest_stream_label: table.stream.as_ref().map(|stream| stream.label.clone()),
        latest_stream_arn: table.stream.as_ref().map(|stream| {
            let resource = format!("table/{}/stream/{}", table.name, stream.label);
            ctx.arn("dynamodb", resource).to_string()
        }),
        billing_mode_summary: has_mode.then_some(BillingModeSummary {
            billing_mode: mode,
            last_update_to_pay_per_request_date_time: since.filter(|_| status == "ACTIVE"),
        }),
        table_throughput_mode_summary: has_mode.then_some(ThroughputModeSummary {
            table_throughput_mode: mode,
            last_update_to_pay_per_request_date_time: since.filter(|_| status == "ACTIVE"),
        }),
        sse_description: encryption(&table.settings),
        on_demand_throughput: maximum.map(|Maximum { read, write }| OnDemandThroughput {
            max_read_request_units: read.map(|units| i64::try_from(units).unwrap_or(i64::MAX)),
            max_write_request_units: write.map(|units| i64::try_from(units).unwrap_or(i64::MAX)),
        }),
        warm_throughput: warm(&table.settings, status),
        restore_summary: table.restored.as_ref().map(|restored| RestoreSummary {
            source_backup_arn: restored.backup_arn.clone(),
            source_table_arn: restored.table_arn.clone(),
            restore_date_time: Epoch(restored.at),
            restore_in_progress: true,
        }),
        table_class_summary: class
            .as_ref()
            .map(|class| TableClassSummary { table_class: class.clone() }),
        deletion_protection_enabled: table.settings.deletion_protected,
    }
}

/// What is told of a table that goes: no more of what it was made of.
fn farewell(ctx: &Ctx, table: &Table) -> TableDescription {
    TableDescription {
        attribute_definitions: Vec::new(),
        key_schema: Vec::new(),
        creation_date_time: None,
        local_secondary_indexes: Vec::new(),
        global_secondary_indexes: Vec::new(),
        ..description(ctx, table, "DELETING")
    }
}

/// What a table is ready for. It is told once it is, and before where it was asked for.
fn warm(settings: &Settings, status: &str) -> Option<WarmThroughputDescription> {
    let told = match status {
        "ACTIVE" => "ACTIVE",
        "CREATING" | "UPDATING" if settings.warm.is_some() => "UPDATING",
        _ => return None,
    };
    Some(warm_description(rules::throughput::warmth(settings.warm, settings.throughput), told))
}

fn warm_description((read, write): (u64, u64), status: &'static str) -> WarmThroughputDescription {
    WarmThroughputDescription { read_units_per_second: read, write_units_per_second: write, status }
}

/// The capacity provisioned, and how it came to it.
fn provisioned(ctx: &Ctx, settings: &Settings) -> ThroughputDescription {
    ThroughputDescription {
        last_increase_date_time: settings.increased.map(Epoch),
        last_decrease_date_time: settings.decreased.map(Epoch),
        number_of_decreases_today: rules::throughput::decreases_today(settings, ctx.now()),
        ..throughput_description(settings.throughput)
    }
}

/// The key attributes of a table and its indexes, each once.
fn attributes(table: &Table) -> impl Iterator<Item = &Attribute> {
    let schemas = table.indexes.iter().map(|index| &index.schema);
    let mut seen = BTreeSet::new();
    let all = std::iter::once(&table.schema).chain(schemas).flat_map(Schema::attributes);
    all.filter(move |attribute| seen.insert(&attribute.name))
}

fn index_description(
    ctx: &Ctx,
    table: &Table,
    index: &Index,
    status: &'static str,
) -> IndexDescription {
    let (kind, more) = match &index.projection {
        Projected::KeysOnly => ("KEYS_ONLY", None),
        Projected::Include(more) => ("INCLUDE", Some(more.clone())),
        Projected::All => ("ALL", None),
    };
    let index_status = match index.phase {
        Phase::Creating => "CREATING",
        Phase::Deleting => "DELETING",
        // An index that is made or goes with its table.
        Phase::Active if status != "UPDATING" => status,
        Phase::Active => "ACTIVE",
    };
    let arn = ctx.arn("dynamodb", format!("table/{}/index/{}", table.name, index.name));
    let throughput = || throughput_description(index.throughput);
    let ready = index.is_global() && index_status == "ACTIVE";
    let warm = || warm_description(rules::throughput::warmth(None, index.throughput), "ACTIVE");
    let count = ctx.state::<Arc<Tables>>().counts.of(table.number, Some(index.number));
    IndexDescription {
        index_name: index.name.clone(),
        key_schema: key_schema(&index.schema),
        projection: Projection { projection_type: Some(kind.to_owned()), non_key_attributes: more },
        index_status: index.is_global().then_some(index_status),
        backfilling: (index.phase == Phase::Creating).then_some(true),
        provisioned_throughput: index.is_global().then(throughput),
        warm_throughput: ready.then(warm),
        index_size_bytes: count.bytes,
        item_count: count.items,
        index_arn: arn.to_string(),
    }
}

fn throughput_description(units: Option<(u64, u64)>) -> ThroughputDescription {
    let (read, write) = units.unwrap_or_default();
    ThroughputDescription {
        last_increase_date_time: None,
        last_decrease_date_time: None,
        number_of_decreases_today: 0,
        read_capacity_units: read,
        write_capacity_units: write,
    }
}

pub(crate) fn billing_mode(settings: &Settings) -> &'static str {
    if settings.throughput.is_none() { ON_DEMAND } else { "PROVISIONED" }
}

pub(crate) fn encryption(settings: &Settings) -> Option<SseDescription> {
    settings.encryption.as_ref().map(|key| SseDescription {
        status: "ENABLED",
        sse_type: "KMS",
        kms_master_key_arn: key.clone(),
    })
}

pub(crate) fn key_schema(schema: &Schema) -> Vec<KeySchemaElement> {
    let element = |(attribute, key_type): (&Attribute, &str)| KeySchemaElement {
        attribute_name: Some(attribute.name.clone()),
        key_type: Some(key_type.to_owned()),
    };
    schema.attributes().zip(["HASH", "RANGE"]).map(element).collect()
}
