//! Shapes of what becomes of asynchronous events.

use serde::{Deserialize, Serialize};
use wire::Epoch;

/// PutFunctionEventInvokeConfig, UpdateFunctionEventInvokeConfig.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct EventConfigInput {
    pub(crate) function_name: String,
    pub(crate) qualifier: Option<String>,
    pub(crate) maximum_retry_attempts: Option<i64>,
    pub(crate) maximum_event_age_in_seconds: Option<i64>,
    pub(crate) destination_config: Option<DestinationConfig>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DestinationConfig {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) on_success: Option<Destination>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) on_failure: Option<Destination>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Destination {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) destination: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct EventConfigOutput {
    pub(crate) last_modified: Epoch,
    pub(crate) function_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) maximum_retry_attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) maximum_event_age_in_seconds: Option<u32>,
    pub(crate) destination_config: DestinationConfig,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListEventConfigsOutput {
    pub(crate) function_event_invoke_configs: Vec<EventConfigOutput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_marker: Option<String>,
}
