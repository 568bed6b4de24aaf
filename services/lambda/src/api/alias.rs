//! Shapes of aliases.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateAliasInput {
    pub(crate) function_name: String,
    pub(crate) name: String,
    pub(crate) function_version: String,
    pub(crate) description: Option<String>,
    pub(crate) routing_config: Option<RoutingConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UpdateAliasInput {
    pub(crate) function_name: String,
    pub(crate) name: String,
    pub(crate) function_version: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) routing_config: Option<RoutingConfig>,
    pub(crate) revision_id: Option<String>,
}

/// GetAlias, DeleteAlias.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AliasInput {
    pub(crate) function_name: String,
    pub(crate) name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListAliasesInput {
    pub(crate) function_name: String,
    pub(crate) function_version: Option<String>,
    pub(crate) marker: Option<String>,
    pub(crate) max_items: Option<u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RoutingConfig {
    pub(crate) additional_version_weights: Option<BTreeMap<String, f64>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AliasConfiguration {
    pub(crate) alias_arn: String,
    pub(crate) name: String,
    pub(crate) function_version: String,
    pub(crate) description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) routing_config: Option<RoutingConfig>,
    pub(crate) revision_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListAliasesOutput {
    pub(crate) aliases: Vec<AliasConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_marker: Option<String>,
}
