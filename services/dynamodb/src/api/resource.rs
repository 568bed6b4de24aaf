//! Tags, policies, and what else is asked about a table from outside it.

use kit::unserved::Unserved;
use serde::{Deserialize, Serialize};

use crate::api::table::Tag;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TagResourceInput {
    pub(crate) resource_arn: Option<String>,
    pub(crate) tags: Option<Vec<Tag>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct UntagResourceInput {
    pub(crate) resource_arn: Option<String>,
    pub(crate) tag_keys: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ListTagsOfResourceInput {
    pub(crate) resource_arn: Option<String>,
    pub(crate) next_token: Unserved,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListTagsOfResourceOutput {
    pub(crate) tags: Vec<Tag>,
}

/// A reply that says nothing.
#[derive(Debug, Serialize)]
pub(crate) struct Nothing {}

/// A request that says nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NothingAsked {}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PutResourcePolicyInput {
    pub(crate) resource_arn: Option<String>,
    pub(crate) policy: Option<String>,
    pub(crate) expected_revision_id: Option<String>,
    pub(crate) confirm_remove_self_resource_access: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct GetResourcePolicyInput {
    pub(crate) resource_arn: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DeleteResourcePolicyInput {
    pub(crate) resource_arn: Option<String>,
    pub(crate) expected_revision_id: Option<String>,
}

/// The reply of the operations that change a policy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RevisionOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) revision_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetResourcePolicyOutput {
    pub(crate) policy: String,
    pub(crate) revision_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DescribeLimitsOutput {
    pub(crate) account_max_read_capacity_units: u64,
    pub(crate) account_max_write_capacity_units: u64,
    pub(crate) table_max_read_capacity_units: u64,
    pub(crate) table_max_write_capacity_units: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DescribeEndpointsOutput {
    pub(crate) endpoints: Vec<Endpoint>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Endpoint {
    pub(crate) address: String,
    pub(crate) cache_period_in_minutes: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DescribeContributorInsightsInput {
    pub(crate) table_name: Option<String>,
    pub(crate) index_name: Unserved,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct UpdateContributorInsightsInput {
    pub(crate) table_name: Option<String>,
    pub(crate) index_name: Unserved,
    pub(crate) contributor_insights_action: Option<String>,
    pub(crate) contributor_insights_mode: Unserved,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ContributorInsightsOutput {
    pub(crate) table_name: String,
    pub(crate) contributor_insights_status: &'static str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ListContributorInsightsInput {
    pub(crate) table_name: Option<String>,
    pub(crate) next_token: Unserved,
    pub(crate) max_results: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListContributorInsightsOutput {
    pub(crate) contributor_insights_summaries: [(); 0],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DescribeKinesisStreamingDestinationOutput {
    pub(crate) table_name: String,
    pub(crate) kinesis_data_stream_destinations: [(); 0],
}
