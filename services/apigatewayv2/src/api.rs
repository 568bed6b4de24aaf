//! Wire shapes. The REST-JSON of this service writes members in camelCase.

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportApiInput {
    /// The OpenAPI document, as text.
    pub(crate) body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReimportApiInput {
    pub(crate) api_id: String,
    pub(crate) body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GetApiInput {
    pub(crate) api_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeleteApiInput {
    pub(crate) api_id: String,
}

#[derive(Deserialize)]
pub(crate) struct GetApisInput {}

/// What every operation on one API answers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApiOutput {
    pub(crate) api_endpoint: String,
    pub(crate) api_id: String,
    pub(crate) created_date: String,
    pub(crate) name: String,
    pub(crate) protocol_type: &'static str,
    pub(crate) route_selection_expression: &'static str,
}

#[derive(Serialize)]
pub(crate) struct GetApisOutput {
    pub(crate) items: Vec<ApiOutput>,
}

#[derive(Serialize)]
pub(crate) struct DeleteApiOutput {}
