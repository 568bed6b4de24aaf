//! Tables: made, described, listed, changed and deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Arn;
use kit::{Ctx, unserved};
use store::Dir;
use wire::Epoch;

use crate::api::{
    AttributeDefinition, BillingModeSummary, ChangeTableOutput, CreateTableInput,
    DescribeTableOutput, KeySchemaElement, ListTablesInput, ListTablesOutput,
    ListTagsOfResourceInput, ListTagsOfResourceOutput, SseDescription, TableClassSummary,
    TableDescription, TableNameInput, Tag, ThroughputDescription, ThroughputModeSummary,
    UpdateTableInput,
};
use crate::data::{self, Attribute, Doomed, Schema, Settings, Table, Tables};
use crate::error::Error;
use crate::ops::name;
use crate::rules::{self, Violations};

const LIST_MAX: i64 = 100;
const TAGS_MAX: usize = 50;
const ON_DEMAND: &str = "PAY_PER_REQUEST";

pub(crate) async fn create(ctx: &Ctx, input: CreateTableInput) -> Result<ChangeTableOutput, Error> {
    refuse_create(ctx, &input)?;
    let given = rules::own_table_name(input.table_name.as_ref())?;
    rules::table::check_create(&input)?;
    let schema = rules::table::schema(&input)?;
    let settings = rules::table::settings(&input, ctx.now())?;
    let name = name(ctx, given).ok_or_else(|| Error::NoTableNamed(given.to_owned()))?;
    let table = Table {
        name: name.to_owned(),
        number: ctx.kit.next_number(),
        id: ctx.kit.uuid(),
        created: ctx.now(),
        schema,
        settings,
        tags: tags(input.tags)?,
        large: false,
    };
    let key = data::table_key(&ctx.account, &ctx.region, name);
    let (key, created) = (&key, &table);
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            if tx.get(key).await?.is_some() {
                return Err(Error::TableExists(created.name.clone()));
            }
            ctx.state::<Arc<Tables>>().changed(&tx, key);
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
            ("LocalSecondaryIndexes", &input.local_secondary_indexes),
            ("GlobalSecondaryIndexes", &input.global_secondary_indexes),
            ("VectorIndexes", &input.vector_indexes),
            ("StreamSpecification", &input.stream_specification),
            ("OnDemandThroughput", &input.on_demand_throughput),
            ("WarmThroughput", &input.warm_throughput),
            ("ResourcePolicy", &input.resource_policy),
            ("GlobalTableSourceArn", &input.global_table_source_arn),
            ("GlobalTableSettingsReplicationMode", replication),
        ],
    )?;
    Ok(())
}

fn tags(given: Option<Vec<Tag>>) -> Result<BTreeMap<String, String>, Error> {
    let given = given.unwrap_or_default();
    if given.len() > TAGS_MAX {
        return Err(Error::validation(format!("Too many tags: at most {TAGS_MAX} are allowed")));
    }
    Ok(given.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

pub(crate) async fn describe(
    ctx: &Ctx,
    input: TableNameInput,
) -> Result<DescribeTableOutput, Error> {
    let table = find(ctx, &input).await?;
    Ok(DescribeTableOutput { table: description(ctx, &table, "ACTIVE") })
}

pub(crate) async fn delete(ctx: &Ctx, input: TableNameInput) -> Result<ChangeTableOutput, Error> {
    let found = find(ctx, &input).await?;
    let key = data::table_key(&ctx.account, &ctx.region, &found.name);
    let (key, name) = (&key, &found.name);
    let table = ctx
        .store()
        .transact(&ctx.account, |tx| async move {
            let table = existing(tx.get_record(key).await?, name)?;
            if table.settings.deletion_protected {
                return Err(Error::validation(
                    "Resource cannot be deleted as it is currently protected against deletion. \
                     Disable deletion protection first.",
                ));
            }
            ctx.state::<Arc<Tables>>().changed(&tx, key);
            tx.delete(key.clone());
            let doomed = Doomed { name: name.clone() };
            tx.put_record(data::doomed_key(&ctx.account, table.number), &doomed)?;
            Ok(table)
        })
        .await?;
    Ok(ChangeTableOutput { table_description: description(ctx, &table, "DELETING") })
}

pub(crate) async fn update(ctx: &Ctx, input: UpdateTableInput) -> Result<ChangeTableOutput, Error> {
    let replication = &input.global_table_settings_replication_mode;
    unserved::refuse(
        ctx,
        &[
            ("GlobalSecondaryIndexUpdates", &input.global_secondary_index_updates),
            ("VectorIndexUpdates", &input.vector_index_updates),
            ("DisassociationProtectionEnabled", &input.disassociation_protection_enabled),
            ("StreamSpecification", &input.stream_specification),
            ("ReplicaUpdates", &input.replica_updates),
            ("OnDemandThroughput", &input.on_demand_throughput),
            ("WarmThroughput", &input.warm_throughput),
            ("MultiRegionConsistency", &input.multi_region_consistency),
            ("GlobalTableWitnessUpdates", &input.global_table_witness_updates),
            ("GlobalTableSettingsReplicationMode", replication),
        ],
    )?;
    rules::own_table_name(input.table_name.as_ref())?;
    rules::table::check_update(&input)?;
    let wanted = TableNameInput { table_name: input.table_name.clone() };
    let found = find(ctx, &wanted).await?;
    let key = data::table_key(&ctx.account, &ctx.region, &found.name);
    let (key, name, input, now) = (&key, &found.name, &input, ctx.now());
    let table = ctx
        .store()
        .transact(&ctx.account, |tx| async move {
            let mut table = existing(tx.get_record(key).await?, name)?;
            table.settings = rules::table::changed(table.settings, input, now)?;
            ctx.state::<Arc<Tables>>().changed(&tx, key);
            tx.put_record(key.clone(), &table)?;
            Ok::<_, Error>(table)
        })
        .await?;
    Ok(ChangeTableOutput { table_description: description(ctx, &table, "ACTIVE") })
}

pub(crate) async fn list(ctx: &Ctx, input: ListTablesInput) -> Result<ListTablesOutput, Error> {
    let mut violations = Violations::default();
    violations.name("exclusiveStartTableName", input.exclusive_start_table_name.as_deref());
    violations.range("limit", input.limit, 1, LIST_MAX);
    violations.finish()?;
    let limit = usize::try_from(input.limit.unwrap_or(LIST_MAX)).unwrap_or(0);
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

pub(crate) async fn list_tags(
    ctx: &Ctx,
    input: ListTagsOfResourceInput,
) -> Result<ListTagsOfResourceOutput, Error> {
    unserved::refuse(ctx, &[("NextToken", &input.next_token)])?;
    let mut violations = Violations::default();
    violations.required("resourceArn", input.resource_arn.is_some());
    violations.finish()?;
    let arn = input.resource_arn.unwrap_or_default();
    if arn.parse::<Arn>().is_err() {
        return Err(Error::validation(format!(
            "Invalid TableArn: Invalid ResourceArn provided as input {arn}"
        )));
    }
    let table = match name(ctx, &arn) {
        Some(name) => ctx.state::<Arc<Tables>>().get(ctx, name).await?,
        None => None,
    };
    let table = table.ok_or(Error::NoResource(arn))?;
    let tag = |(key, value): (&String, &String)| Tag { key: key.clone(), value: value.clone() };
    Ok(ListTagsOfResourceOutput { tags: table.tags.iter().map(tag).collect() })
}

/// The table an operation on tables is about.
async fn find(ctx: &Ctx, input: &TableNameInput) -> Result<Arc<Table>, Error> {
    let given = rules::own_table_name(input.table_name.as_ref())?;
    let mut violations = Violations::default();
    violations.name("tableName", Some(given));
    violations.finish()?;
    let table = match name(ctx, given) {
        Some(name) => ctx.state::<Arc<Tables>>().get(ctx, name).await?,
        None => None,
    };
    table.ok_or_else(|| Error::NoTableNamed(given.to_owned()))
}

fn existing(found: Option<Table>, name: &str) -> Result<Table, Error> {
    found.ok_or_else(|| Error::NoTableNamed(name.to_owned()))
}

fn description(ctx: &Ctx, table: &Table, status: &'static str) -> TableDescription {
    let Settings { throughput, on_demand_since, deletion_protected, class, encryption } =
        &table.settings;
    let (read, write) = throughput.unwrap_or_default();
    let definition = |attribute: &Attribute| AttributeDefinition {
        attribute_name: Some(attribute.name.clone()),
        attribute_type: Some(attribute.kind.clone()),
    };
    let mode = if throughput.is_none() { ON_DEMAND } else { "PROVISIONED" };
    let since = on_demand_since.map(Epoch);
    let has_mode = on_demand_since.is_some();
    TableDescription {
        attribute_definitions: table.schema.attributes().map(definition).collect(),
        table_name: table.name.clone(),
        key_schema: key_schema(&table.schema),
        table_status: status,
        creation_date_time: Epoch(table.created),
        provisioned_throughput: ThroughputDescription {
            number_of_decreases_today: 0,
            read_capacity_units: read,
            write_capacity_units: write,
        },
        table_size_bytes: 0,
        item_count: 0,
        table_arn: ctx.arn("dynamodb", format!("table/{}", table.name)).to_string(),
        table_id: table.id.clone(),
        billing_mode_summary: has_mode.then_some(BillingModeSummary {
            billing_mode: mode,
            last_update_to_pay_per_request_date_time: since.filter(|_| status == "ACTIVE"),
        }),
        table_throughput_mode_summary: has_mode.then_some(ThroughputModeSummary {
            table_throughput_mode: mode,
            last_update_to_pay_per_request_date_time: since.filter(|_| status == "ACTIVE"),
        }),
        sse_description: encryption.as_ref().map(|key| SseDescription {
            status: "ENABLED",
            sse_type: "KMS",
            kms_master_key_arn: key.clone(),
        }),
        table_class_summary: class
            .as_ref()
            .map(|class| TableClassSummary { table_class: class.clone() }),
        deletion_protection_enabled: deletion_protected.then_some(true),
    }
}

fn key_schema(schema: &Schema) -> Vec<KeySchemaElement> {
    let element = |(attribute, key_type): (&Attribute, &str)| KeySchemaElement {
        attribute_name: Some(attribute.name.clone()),
        key_type: Some(key_type.to_owned()),
    };
    schema.attributes().zip(["HASH", "RANGE"]).map(element).collect()
}
