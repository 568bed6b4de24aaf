//! Shapes of layers.

use kit::unserved::{Member, Unserved};
use serde::{Deserialize, Serialize};
use wire::Blob;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PublishLayerInput {
    pub(crate) layer_name: String,
    pub(crate) description: Option<String>,
    pub(crate) content: LayerContentInput,
    #[serde(default)]
    pub(crate) compatible_runtimes: Vec<String>,
    #[serde(default)]
    pub(crate) compatible_architectures: Vec<String>,
    pub(crate) license_info: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct LayerContentInput {
    pub(crate) zip_file: Option<Blob>,
    s3_bucket: Unserved,
    s3_key: Unserved,
    s3_object_version: Unserved,
    s3_object_storage_mode: Unserved,
}

impl LayerContentInput {
    pub(crate) fn unserved(&self) -> [Member<'_>; 4] {
        [
            ("Content.S3Bucket", &self.s3_bucket),
            ("Content.S3Key", &self.s3_key),
            ("Content.S3ObjectVersion", &self.s3_object_version),
            ("Content.S3ObjectStorageMode", &self.s3_object_storage_mode),
        ]
    }
}

/// GetLayerVersion, DeleteLayerVersion, GetLayerVersionPolicy.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct LayerVersionInput {
    pub(crate) layer_name: String,
    pub(crate) version_number: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct LayerByArnInput {
    pub(crate) arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListLayersInput {
    pub(crate) compatible_runtime: Option<String>,
    pub(crate) compatible_architecture: Option<String>,
    pub(crate) marker: Option<String>,
    pub(crate) max_items: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListLayerVersionsInput {
    pub(crate) layer_name: String,
    pub(crate) compatible_runtime: Option<String>,
    pub(crate) compatible_architecture: Option<String>,
    pub(crate) marker: Option<String>,
    pub(crate) max_items: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AddLayerPermissionInput {
    pub(crate) layer_name: String,
    pub(crate) version_number: i64,
    pub(crate) statement_id: String,
    pub(crate) action: String,
    pub(crate) principal: String,
    pub(crate) organization_id: Option<String>,
    pub(crate) revision_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RemoveLayerPermissionInput {
    pub(crate) layer_name: String,
    pub(crate) version_number: i64,
    pub(crate) statement_id: String,
    pub(crate) revision_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AddLayerPermissionOutput {
    pub(crate) statement: String,
    pub(crate) revision_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct LayerContent {
    pub(crate) location: String,
    pub(crate) code_sha256: String,
    pub(crate) code_size: u64,
}

/// PublishLayerVersion, GetLayerVersion, GetLayerVersionByArn.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct LayerVersionOutput {
    pub(crate) content: LayerContent,
    pub(crate) layer_arn: String,
    #[serde(flatten)]
    pub(crate) item: LayerVersionItem,
}

/// A version as lists have it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct LayerVersionItem {
    pub(crate) layer_version_arn: String,
    pub(crate) version: u64,
    pub(crate) description: String,
    pub(crate) created_date: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) compatible_runtimes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) compatible_architectures: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) license_info: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct LayerItem {
    pub(crate) layer_name: String,
    pub(crate) layer_arn: String,
    pub(crate) latest_matching_version: LayerVersionItem,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListLayersOutput {
    pub(crate) layers: Vec<LayerItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListLayerVersionsOutput {
    pub(crate) layer_versions: Vec<LayerVersionItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_marker: Option<String>,
}
