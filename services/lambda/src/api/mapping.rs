//! Shapes of event source mappings.

use std::collections::BTreeMap;

use kit::unserved::{Member, Unserved};
use serde::{Deserialize, Serialize};
use wire::Epoch;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateMappingInput {
    pub(crate) event_source_arn: Option<String>,
    pub(crate) function_name: String,
    #[serde(flatten)]
    pub(crate) settings: MappingSettings,
    pub(crate) tags: Option<BTreeMap<String, String>>,
    topics: Unserved,
    queues: Unserved,
    starting_position: Unserved,
    starting_position_timestamp: Unserved,
    self_managed_event_source: Unserved,
}

impl CreateMappingInput {
    pub(crate) fn unserved(&self) -> [Member<'_>; 3] {
        [
            ("Topics", &self.topics),
            ("Queues", &self.queues),
            ("SelfManagedEventSource", &self.self_managed_event_source),
        ]
    }

    /// What AWS refuses of a mapping of a queue.
    pub(crate) fn of_streams(&self) -> [Member<'_>; 2] {
        [
            ("StartingPosition", &self.starting_position),
            ("StartingPositionTimestamp", &self.starting_position_timestamp),
        ]
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UpdateMappingInput {
    #[serde(rename = "UUID")]
    pub(crate) uuid: String,
    pub(crate) function_name: Option<String>,
    #[serde(flatten)]
    pub(crate) settings: MappingSettings,
}

/// What creating and updating a mapping have in common.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct MappingSettings {
    pub(crate) enabled: Option<bool>,
    pub(crate) batch_size: Option<i64>,
    pub(crate) maximum_batching_window_in_seconds: Option<i64>,
    pub(crate) function_response_types: Option<Vec<String>>,
    pub(crate) scaling_config: Option<ScalingConfig>,
    pub(crate) filter_criteria: Option<FilterCriteria>,
    pub(crate) provisioned_poller_config: Option<PollerConfig>,
    parallelization_factor: Unserved,
    destination_config: Unserved,
    maximum_record_age_in_seconds: Unserved,
    bisect_batch_on_function_error: Unserved,
    maximum_retry_attempts: Unserved,
    tumbling_window_in_seconds: Unserved,
    source_access_configurations: Unserved,
    amazon_managed_kafka_event_source_config: Unserved,
    self_managed_kafka_event_source_config: Unserved,
    #[serde(rename = "DocumentDBEventSourceConfig")]
    document_db_event_source_config: Unserved,
    #[serde(rename = "KMSKeyArn")]
    kms_key_arn: Unserved,
    metrics_config: Unserved,
    logging_config: Unserved,
}

impl MappingSettings {
    pub(crate) fn unserved(&self) -> Vec<Member<'_>> {
        let mut members = vec![
            ("SourceAccessConfigurations", &self.source_access_configurations),
            ("AmazonManagedKafkaEventSourceConfig", &self.amazon_managed_kafka_event_source_config),
            ("SelfManagedKafkaEventSourceConfig", &self.self_managed_kafka_event_source_config),
            ("DocumentDBEventSourceConfig", &self.document_db_event_source_config),
            ("KMSKeyArn", &self.kms_key_arn),
            ("MetricsConfig", &self.metrics_config),
            ("LoggingConfig", &self.logging_config),
        ];
        if let Some(pollers) = &self.provisioned_poller_config {
            members.push(("ProvisionedPollerConfig.PollerGroupName", &pollers.poller_group_name));
        }
        members
    }

    /// What AWS refuses of a mapping of a queue.
    pub(crate) fn of_streams(&self) -> [Member<'_>; 6] {
        [
            ("ParallelizationFactor", &self.parallelization_factor),
            ("DestinationConfig", &self.destination_config),
            ("MaximumRecordAgeInSeconds", &self.maximum_record_age_in_seconds),
            ("BisectBatchOnFunctionError", &self.bisect_batch_on_function_error),
            ("MaximumRetryAttempts", &self.maximum_retry_attempts),
            ("TumblingWindowInSeconds", &self.tumbling_window_in_seconds),
        ]
    }
}

/// Which records reach the function.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FilterCriteria {
    pub(crate) filters: Option<Vec<Filter>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Filter {
    pub(crate) pattern: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PollerConfig {
    pub(crate) minimum_pollers: Option<i64>,
    pub(crate) maximum_pollers: Option<i64>,
    poller_group_name: Unserved,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ScalingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) maximum_concurrency: Option<i64>,
}

/// GetEventSourceMapping, DeleteEventSourceMapping.
#[derive(Deserialize)]
pub(crate) struct MappingInput {
    #[serde(rename = "UUID")]
    pub(crate) uuid: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListMappingsInput {
    pub(crate) event_source_arn: Option<String>,
    pub(crate) function_name: Option<String>,
    pub(crate) marker: Option<String>,
    pub(crate) max_items: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListMappingsOutput {
    pub(crate) event_source_mappings: Vec<MappingConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct MappingConfiguration {
    #[serde(rename = "UUID")]
    pub(crate) uuid: String,
    pub(crate) event_source_mapping_arn: String,
    pub(crate) event_source_arn: String,
    pub(crate) function_arn: String,
    pub(crate) batch_size: u32,
    pub(crate) maximum_batching_window_in_seconds: u32,
    pub(crate) function_response_types: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scaling_config: Option<ScalingConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) filter_criteria: Option<FilterCriteria>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provisioned_poller_config: Option<PollersShown>,
    pub(crate) last_modified: Epoch,
    pub(crate) state: &'static str,
    pub(crate) state_transition_reason: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PollersShown {
    pub(crate) minimum_pollers: u32,
    pub(crate) maximum_pollers: u32,
}
