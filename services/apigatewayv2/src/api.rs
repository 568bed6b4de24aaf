//! Wire shapes. The REST-JSON of this service writes members in camelCase.

use kit::unserved::{Member, Unserved};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportApiInput {
    /// The OpenAPI document, as text.
    pub(crate) body: String,
    #[serde(flatten)]
    pub(crate) directions: Directions,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReimportApiInput {
    pub(crate) api_id: String,
    pub(crate) body: String,
    #[serde(flatten)]
    pub(crate) directions: Directions,
}

/// How AWS would import a definition.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Directions {
    basepath: Unserved,
    fail_on_warnings: Unserved,
}

impl Directions {
    pub(crate) fn unserved(&self) -> [Member<'_>; 2] {
        [("basepath", &self.basepath), ("failOnWarnings", &self.fail_on_warnings)]
    }
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
#[serde(rename_all = "camelCase")]
pub(crate) struct GetApisInput {
    pub(crate) max_results: Option<u32>,
    pub(crate) next_token: Option<String>,
}

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
#[serde(rename_all = "camelCase")]
pub(crate) struct GetApisOutput {
    pub(crate) items: Vec<ApiOutput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_token: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct DeleteApiOutput {}
