//! Wire shapes. The REST-JSON of this service writes members in camelCase; the body of an import
//! is the OpenAPI document itself, so its members stand beside those of the path and the query.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[derive(Deserialize)]
pub(crate) struct ImportRestApiInput {
    /// `import`; without it the request is CreateRestApi.
    pub(crate) mode: Option<String>,
    #[serde(flatten)]
    pub(crate) body: Map<String, Value>,
}

#[derive(Deserialize)]
pub(crate) struct PutRestApiInput {
    pub(crate) restapi_id: String,
    /// `merge` (AWS's default) or `overwrite`.
    pub(crate) mode: Option<String>,
    #[serde(flatten)]
    pub(crate) body: Map<String, Value>,
}

#[derive(Deserialize)]
pub(crate) struct CreateDeploymentInput {
    pub(crate) restapi_id: String,
    #[serde(rename = "stageName")]
    pub(crate) stage_name: String,
}

#[derive(Deserialize)]
pub(crate) struct GetRestApiInput {
    pub(crate) restapi_id: String,
}

#[derive(Deserialize)]
pub(crate) struct DeleteRestApiInput {
    pub(crate) restapi_id: String,
}

#[derive(Deserialize)]
pub(crate) struct GetRestApisInput {}

/// What every operation on one API answers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RestApiOutput {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created_date: u64,
}

#[derive(Serialize)]
pub(crate) struct GetRestApisOutput {
    pub(crate) item: Vec<RestApiOutput>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateDeploymentOutput {
    pub(crate) id: String,
    pub(crate) created_date: u64,
}

#[derive(Serialize)]
pub(crate) struct DeleteRestApiOutput {}
