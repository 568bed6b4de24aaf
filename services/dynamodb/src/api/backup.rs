//! Backups, point-in-time recovery, and tables restored from either.

use kit::unserved::Unserved;
use serde::{Deserialize, Serialize};
use wire::Epoch;

use crate::api::expiry::TimeToLiveDescription;
use crate::api::table::{
    KeySchemaElement, ProvisionedThroughput, SseDescription, SseSpecification,
};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct CreateBackupInput {
    pub(crate) table_name: Option<String>,
    pub(crate) backup_name: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateBackupOutput {
    pub(crate) backup_details: BackupDetails,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct BackupArnInput {
    pub(crate) backup_arn: Option<String>,
}

/// The reply of the operations on one backup that is there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BackupOutput {
    pub(crate) backup_description: BackupDescription,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BackupDescription {
    pub(crate) backup_details: BackupDetails,
    pub(crate) source_table_details: SourceTableDetails,
    pub(crate) source_table_feature_details: SourceTableFeatureDetails,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BackupDetails {
    pub(crate) backup_arn: String,
    pub(crate) backup_name: String,
    pub(crate) backup_size_bytes: u64,
    pub(crate) backup_status: &'static str,
    pub(crate) backup_type: &'static str,
    pub(crate) backup_creation_date_time: Epoch,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SourceTableDetails {
    pub(crate) table_name: String,
    pub(crate) table_id: String,
    pub(crate) table_arn: String,
    pub(crate) table_size_bytes: u64,
    pub(crate) key_schema: Vec<KeySchemaElement>,
    pub(crate) table_creation_date_time: Epoch,
    pub(crate) provisioned_throughput: SourceThroughput,
    pub(crate) item_count: u64,
    pub(crate) billing_mode: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SourceThroughput {
    pub(crate) read_capacity_units: u64,
    pub(crate) write_capacity_units: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SourceTableFeatureDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time_to_live_description: Option<TimeToLiveDescription>,
    #[serde(rename = "SSEDescription", skip_serializing_if = "Option::is_none")]
    pub(crate) sse_description: Option<SseDescription>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ListBackupsInput {
    pub(crate) table_name: Option<String>,
    pub(crate) limit: Option<i64>,
    pub(crate) time_range_lower_bound: Option<f64>,
    pub(crate) time_range_upper_bound: Option<f64>,
    pub(crate) exclusive_start_backup_arn: Option<String>,
    pub(crate) backup_type: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListBackupsOutput {
    pub(crate) backup_summaries: Vec<BackupSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_evaluated_backup_arn: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BackupSummary {
    pub(crate) table_name: String,
    pub(crate) table_id: String,
    pub(crate) table_arn: String,
    #[serde(flatten)]
    pub(crate) details: BackupDetails,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RestoreTableFromBackupInput {
    pub(crate) target_table_name: Option<String>,
    pub(crate) backup_arn: Option<String>,
    pub(crate) billing_mode_override: Option<String>,
    pub(crate) provisioned_throughput_override: Option<ProvisionedThroughput>,
    #[serde(rename = "SSESpecificationOverride")]
    pub(crate) sse_specification_override: Option<SseSpecification>,
    pub(crate) on_demand_throughput_override: Unserved,
    pub(crate) global_secondary_index_override: Unserved,
    pub(crate) local_secondary_index_override: Unserved,
    pub(crate) vector_index_override: Unserved,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RestoreTableToPointInTimeInput {
    pub(crate) source_table_arn: Option<String>,
    pub(crate) source_table_name: Option<String>,
    pub(crate) target_table_name: Option<String>,
    pub(crate) use_latest_restorable_time: Option<bool>,
    pub(crate) restore_date_time: Option<f64>,
    pub(crate) billing_mode_override: Option<String>,
    pub(crate) provisioned_throughput_override: Option<ProvisionedThroughput>,
    #[serde(rename = "SSESpecificationOverride")]
    pub(crate) sse_specification_override: Option<SseSpecification>,
    pub(crate) on_demand_throughput_override: Unserved,
    pub(crate) global_secondary_index_override: Unserved,
    pub(crate) local_secondary_index_override: Unserved,
    pub(crate) vector_index_override: Unserved,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RestoreSummary {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_backup_arn: Option<String>,
    pub(crate) source_table_arn: String,
    pub(crate) restore_date_time: Epoch,
    pub(crate) restore_in_progress: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct UpdateContinuousBackupsInput {
    pub(crate) table_name: Option<String>,
    pub(crate) point_in_time_recovery_specification: Option<RecoverySpecification>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RecoverySpecification {
    pub(crate) point_in_time_recovery_enabled: Option<bool>,
    pub(crate) recovery_period_in_days: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ContinuousBackupsOutput {
    pub(crate) continuous_backups_description: ContinuousBackupsDescription,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ContinuousBackupsDescription {
    pub(crate) continuous_backups_status: &'static str,
    pub(crate) point_in_time_recovery_description: RecoveryDescription,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RecoveryDescription {
    pub(crate) point_in_time_recovery_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recovery_period_in_days: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) earliest_restorable_date_time: Option<Epoch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latest_restorable_date_time: Option<Epoch>,
}
