//! Shapes of event source mappings.

use std::collections::BTreeMap;

use kit::unserved::{Member, Unserved};
use serde::{Deserialize, Serialize};
use wire::Epoch;

use crate::api::event_config::DestinationConfig;

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
    pub(crate) starting_position: Option<String>,
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

    /// Whether there is a time to start at, which only data streams have.
    pub(crate) fn starts_at_time(&self) -> bool {
        self.starting_position_timestamp.says_something()
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
    pub(crate) parallelization_factor: Option<i64>,
    pub(crate) destination_config: Option<DestinationConfig>,
    pub(crate) maximum_record_age_in_seconds: Option<i64>,
    pub(crate) bisect_batch_on_function_error: Option<bool>,
    pub(crate) maximum_retry_attempts: Option<i64>,
    pub(crate) tumbling_window_in_seconds: Option<i64>,
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

    /// What AWS refuses of a mapping of a queue, as far as it says something.
    pub(crate) fn of_streams(&self) -> Option<&'static str> {
        let said = [
            ("ParallelizationFactor", self.parallelization_factor.is_some()),
            ("DestinationConfig", self.destination_config.as_ref().is_some_and(names_somebody)),
            ("MaximumRecordAgeInSeconds", self.maximum_record_age_in_seconds.is_some()),
            ("BisectBatchOnFunctionError", self.bisect_batch_on_function_error == Some(true)),
            ("MaximumRetryAttempts", self.maximum_retry_attempts.is_some()),
            ("TumblingWindowInSeconds", self.tumbling_window_in_seconds.is_some()),
        ];
        said.into_iter().find_map(|(name, said)| said.then_some(name))
    }

    /// What AWS refuses of a mapping of a stream, as far as it says something.
    pub(crate) fn of_queues(&self) -> Option<&'static str> {
        let scaling = self.scaling_config.as_ref();
        let pollers = self.provisioned_poller_config.as_ref();
        let said = [
            ("ScalingConfig", scaling.is_some_and(|config| config.maximum_concurrency.is_some())),
            (
                "ProvisionedPollerConfig",
                pollers.is_some_and(|config| {
                    config.minimum_pollers.is_some() || config.maximum_pollers.is_some()
                }),
            ),
        ];
        said.into_iter().find_map(|(name, said)| said.then_some(name))
    }
}

fn names_somebody(config: &DestinationConfig) -> bool {
    let both = [&config.on_success, &config.on_failure];
    let named = both.into_iter().flatten().filter_map(|one| one.destination.as_ref());
    named.into_iter().any(|arn| !arn.is_empty())
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
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) stream: Option<StreamShown>,
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

/// What only mappings of streams have.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StreamShown {
    pub(crate) starting_position: &'static str,
    pub(crate) parallelization_factor: u32,
    pub(crate) destination_config: DestinationConfig,
    pub(crate) maximum_record_age_in_seconds: i64,
    pub(crate) bisect_batch_on_function_error: bool,
    pub(crate) maximum_retry_attempts: i64,
    pub(crate) tumbling_window_in_seconds: u32,
    pub(crate) last_processing_result: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PollersShown {
    pub(crate) minimum_pollers: u32,
    pub(crate) maximum_pollers: u32,
}
