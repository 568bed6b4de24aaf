//! Shapes of reserved and provisioned concurrency.

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PutConcurrencyInput {
    pub(crate) function_name: String,
    pub(crate) reserved_concurrent_executions: i64,
}

/// The input of operations on a function that have no other member.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NameInput {
    pub(crate) function_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Concurrency {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reserved_concurrent_executions: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PutProvisionedInput {
    pub(crate) function_name: String,
    pub(crate) qualifier: String,
    pub(crate) provisioned_concurrent_executions: i64,
}

/// GetProvisionedConcurrencyConfig, DeleteProvisionedConcurrencyConfig.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ProvisionedInput {
    pub(crate) function_name: String,
    pub(crate) qualifier: String,
}

/// Lists of what belongs to a function.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListInput {
    pub(crate) function_name: String,
    pub(crate) marker: Option<String>,
    pub(crate) max_items: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ProvisionedOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) function_arn: Option<String>,
    pub(crate) requested_provisioned_concurrent_executions: u32,
    pub(crate) available_provisioned_concurrent_executions: u32,
    pub(crate) allocated_provisioned_concurrent_executions: u32,
    pub(crate) status: &'static str,
    pub(crate) last_modified: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListProvisionedOutput {
    pub(crate) provisioned_concurrency_configs: Vec<ProvisionedOutput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_marker: Option<String>,
}
