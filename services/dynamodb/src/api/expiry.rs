//! Time to live.

use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct UpdateTimeToLiveInput {
    pub(crate) table_name: Option<String>,
    pub(crate) time_to_live_specification: Option<TimeToLiveSpecification>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TimeToLiveSpecification {
    pub(crate) enabled: Option<bool>,
    pub(crate) attribute_name: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UpdateTimeToLiveOutput {
    pub(crate) time_to_live_specification: TimeToLiveSpecification,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DescribeTimeToLiveOutput {
    pub(crate) time_to_live_description: TimeToLiveDescription,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TimeToLiveDescription {
    pub(crate) time_to_live_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attribute_name: Option<String>,
}
