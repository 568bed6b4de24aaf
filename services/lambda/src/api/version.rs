//! Shapes of versions.

use kit::unserved::{Member, Unserved};
use serde::{Deserialize, Serialize};

use crate::api::FunctionConfiguration;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PublishVersionInput {
    pub(crate) function_name: String,
    pub(crate) code_sha256: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) revision_id: Option<String>,
    publish_to: Unserved,
}

impl PublishVersionInput {
    pub(crate) fn unserved(&self) -> [Member<'_>; 1] {
        [("PublishTo", &self.publish_to)]
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListVersionsInput {
    pub(crate) function_name: String,
    pub(crate) marker: Option<String>,
    pub(crate) max_items: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListVersionsOutput {
    pub(crate) versions: Vec<FunctionConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_marker: Option<String>,
}
