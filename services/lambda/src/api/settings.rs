//! Shapes of what is set for functions one by one.

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PutRecursionInput {
    pub(crate) function_name: String,
    pub(crate) recursive_loop: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RecursionOutput {
    pub(crate) recursive_loop: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PutRuntimeManagementInput {
    pub(crate) function_name: String,
    pub(crate) qualifier: Option<String>,
    pub(crate) update_runtime_on: String,
    pub(crate) runtime_version_arn: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RuntimeManagementOutput {
    pub(crate) update_runtime_on: String,
    pub(crate) function_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) runtime_version_arn: Option<String>,
}
