//! Shapes of tables.

use kit::unserved::Unserved;
use serde::{Deserialize, Deserializer, Serialize};
use wire::Epoch;

use crate::api::backup::RestoreSummary;
use crate::api::stream::StreamSpecification;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct CreateTableInput {
    pub(crate) table_name: Option<String>,
    pub(crate) attribute_definitions: Option<Vec<AttributeDefinition>>,
    pub(crate) key_schema: Option<Vec<KeySchemaElement>>,
    pub(crate) billing_mode: Option<String>,
    pub(crate) provisioned_throughput: Option<ProvisionedThroughput>,
    pub(crate) deletion_protection_enabled: Option<bool>,
    #[serde(rename = "SSESpecification")]
    pub(crate) sse_specification: Option<SseSpecification>,
    pub(crate) table_class: Option<String>,
    pub(crate) tags: Option<Vec<Tag>>,
    #[serde(deserialize_with = "local_indexes")]
    pub(crate) local_secondary_indexes: Option<Vec<SecondaryIndex>>,
    pub(crate) global_secondary_indexes: Option<Vec<SecondaryIndex>>,
    pub(crate) vector_indexes: Unserved,
    pub(crate) stream_specification: Option<StreamSpecification>,
    pub(crate) on_demand_throughput: Option<OnDemandThroughput>,
    pub(crate) warm_throughput: Option<WarmThroughput>,
    pub(crate) resource_policy: Option<String>,
    pub(crate) global_table_source_arn: Unserved,
    pub(crate) global_table_settings_replication_mode: Unserved,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct UpdateTableInput {
    pub(crate) table_name: Option<String>,
    pub(crate) attribute_definitions: Option<Vec<AttributeDefinition>>,
    pub(crate) billing_mode: Option<String>,
    pub(crate) provisioned_throughput: Option<ProvisionedThroughput>,
    pub(crate) deletion_protection_enabled: Option<bool>,
    #[serde(rename = "SSESpecification")]
    pub(crate) sse_specification: Option<SseSpecification>,
    pub(crate) table_class: Option<String>,
    pub(crate) global_secondary_index_updates: Option<Vec<SecondaryIndexUpdate>>,
    pub(crate) vector_index_updates: Unserved,
    pub(crate) disassociation_protection_enabled: Unserved,
    pub(crate) stream_specification: Option<StreamSpecification>,
    pub(crate) replica_updates: Unserved,
    pub(crate) on_demand_throughput: Option<OnDemandThroughput>,
    pub(crate) warm_throughput: Option<WarmThroughput>,
    pub(crate) multi_region_consistency: Unserved,
    pub(crate) global_table_witness_updates: Unserved,
    pub(crate) global_table_settings_replication_mode: Unserved,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct AttributeDefinition {
    pub(crate) attribute_name: Option<String>,
    pub(crate) attribute_type: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct KeySchemaElement {
    pub(crate) attribute_name: Option<String>,
    pub(crate) key_type: Option<String>,
}

/// An index to be made. A local one has no throughput of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(rename = "GlobalSecondaryIndex", rename_all = "PascalCase", default)]
pub(crate) struct SecondaryIndex {
    pub(crate) index_name: Option<String>,
    pub(crate) key_schema: Option<Vec<KeySchemaElement>>,
    pub(crate) projection: Option<Projection>,
    pub(crate) provisioned_throughput: Option<ProvisionedThroughput>,
    pub(crate) on_demand_throughput: Unserved,
    pub(crate) warm_throughput: Unserved,
}

/// The same shape under another name, which stands in messages about it.
macro_rules! named_secondary_index {
    ($name:ident, $($member:ident: $type:ty),*) => {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "PascalCase", default)]
        struct $name { $($member: $type),* }

        impl From<$name> for SecondaryIndex {
            fn from(given: $name) -> SecondaryIndex {
                #[allow(clippy::needless_update, reason = "one of the shapes has all members")]
                SecondaryIndex { $($member: given.$member,)* ..SecondaryIndex::default() }
            }
        }
    };
}

named_secondary_index!(
    LocalSecondaryIndex,
    index_name: Option<String>,
    key_schema: Option<Vec<KeySchemaElement>>,
    projection: Option<Projection>
);
named_secondary_index!(
    CreateGlobalSecondaryIndexAction,
    index_name: Option<String>,
    key_schema: Option<Vec<KeySchemaElement>>,
    projection: Option<Projection>,
    provisioned_throughput: Option<ProvisionedThroughput>,
    on_demand_throughput: Unserved,
    warm_throughput: Unserved
);

fn local_indexes<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<SecondaryIndex>>, D::Error> {
    let given = Option::<Vec<LocalSecondaryIndex>>::deserialize(deserializer)?;
    Ok(given.map(|given| given.into_iter().map(SecondaryIndex::from).collect()))
}

fn new_index<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SecondaryIndex>, D::Error> {
    let given = Option::<CreateGlobalSecondaryIndexAction>::deserialize(deserializer)?;
    Ok(given.map(SecondaryIndex::from))
}

/// Which attributes an index has besides keys.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Projection {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) projection_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) non_key_attributes: Option<Vec<String>>,
}

/// One of three changes.
#[derive(Debug, Default, Deserialize)]
#[serde(rename = "GlobalSecondaryIndexUpdate", rename_all = "PascalCase", default)]
pub(crate) struct SecondaryIndexUpdate {
    #[serde(deserialize_with = "new_index")]
    pub(crate) create: Option<SecondaryIndex>,
    pub(crate) update: Option<UpdateSecondaryIndex>,
    pub(crate) delete: Option<DeleteSecondaryIndex>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename = "UpdateGlobalSecondaryIndexAction", rename_all = "PascalCase", default)]
pub(crate) struct UpdateSecondaryIndex {
    pub(crate) index_name: Option<String>,
    pub(crate) provisioned_throughput: Option<ProvisionedThroughput>,
    pub(crate) on_demand_throughput: Unserved,
    pub(crate) warm_throughput: Unserved,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename = "DeleteGlobalSecondaryIndexAction", rename_all = "PascalCase", default)]
pub(crate) struct DeleteSecondaryIndex {
    pub(crate) index_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ProvisionedThroughput {
    pub(crate) read_capacity_units: Option<i64>,
    pub(crate) write_capacity_units: Option<i64>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct OnDemandThroughput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_read_request_units: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_write_request_units: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct WarmThroughput {
    pub(crate) read_units_per_second: Option<i64>,
    pub(crate) write_units_per_second: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct WarmThroughputDescription {
    pub(crate) read_units_per_second: u64,
    pub(crate) write_units_per_second: u64,
    pub(crate) status: &'static str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct SseSpecification {
    pub(crate) enabled: Option<bool>,
    #[serde(rename = "SSEType")]
    pub(crate) sse_type: Option<String>,
    #[serde(rename = "KMSMasterKeyId")]
    pub(crate) kms_master_key_id: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Tag {
    pub(crate) key: Option<String>,
    pub(crate) value: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TableNameInput {
    pub(crate) table_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ListTablesInput {
    pub(crate) exclusive_start_table_name: Option<String>,
    pub(crate) limit: Option<i32>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListTablesOutput {
    pub(crate) table_names: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_evaluated_table_name: Option<String>,
}

/// The reply of DescribeTable.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DescribeTableOutput {
    pub(crate) table: TableDescription,
}

/// The reply of the operations that change a table.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ChangeTableOutput {
    pub(crate) table_description: TableDescription,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TableDescription {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) attribute_definitions: Vec<AttributeDefinition>,
    pub(crate) table_name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) key_schema: Vec<KeySchemaElement>,
    pub(crate) table_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) creation_date_time: Option<Epoch>,
    pub(crate) provisioned_throughput: ThroughputDescription,
    pub(crate) table_size_bytes: u64,
    pub(crate) item_count: u64,
    pub(crate) table_arn: String,
    pub(crate) table_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) local_secondary_indexes: Vec<IndexDescription>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) global_secondary_indexes: Vec<IndexDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stream_specification: Option<StreamSpecification>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latest_stream_label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latest_stream_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) billing_mode_summary: Option<BillingModeSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) table_throughput_mode_summary: Option<ThroughputModeSummary>,
    #[serde(rename = "SSEDescription", skip_serializing_if = "Option::is_none")]
    pub(crate) sse_description: Option<SseDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) table_class_summary: Option<TableClassSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) on_demand_throughput: Option<OnDemandThroughput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) warm_throughput: Option<WarmThroughputDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) restore_summary: Option<RestoreSummary>,
    pub(crate) deletion_protection_enabled: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct IndexDescription {
    pub(crate) index_name: String,
    pub(crate) key_schema: Vec<KeySchemaElement>,
    pub(crate) projection: Projection,
    /// Local indexes have no status of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) index_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backfilling: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provisioned_throughput: Option<ThroughputDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) warm_throughput: Option<WarmThroughputDescription>,
    pub(crate) index_size_bytes: u64,
    pub(crate) item_count: u64,
    pub(crate) index_arn: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ThroughputDescription {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_increase_date_time: Option<Epoch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_decrease_date_time: Option<Epoch>,
    pub(crate) number_of_decreases_today: u64,
    pub(crate) read_capacity_units: u64,
    pub(crate) write_capacity_units: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BillingModeSummary {
    pub(crate) billing_mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_update_to_pay_per_request_date_time: Option<Epoch>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ThroughputModeSummary {
    pub(crate) table_throughput_mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_update_to_pay_per_request_date_time: Option<Epoch>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SseDescription {
    pub(crate) status: &'static str,
    #[serde(rename = "SSEType")]
    pub(crate) sse_type: &'static str,
    #[serde(rename = "KMSMasterKeyArn", skip_serializing_if = "Option::is_none")]
    pub(crate) kms_master_key_arn: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TableClassSummary {
    pub(crate) table_class: String,
}
