//! Wire shapes, nothing else. Members of AWS that we do not serve are held as raw values, so that
//! `unserved` can refuse them by name instead of ignoring them.

pub(crate) mod alias;
pub(crate) mod concurrency;
pub(crate) mod event_config;
pub(crate) mod layer;
pub(crate) mod mapping;
pub(crate) mod settings;
pub(crate) mod url;
pub(crate) mod version;

use std::collections::BTreeMap;

use kit::unserved::{Member, Unserved};
use serde::{Deserialize, Serialize};
use wire::Blob;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateFunctionInput {
    pub(crate) function_name: String,
    pub(crate) code: FunctionCode,
    #[serde(flatten)]
    pub(crate) config: ConfigInput,
    pub(crate) architectures: Option<Vec<String>>,
    pub(crate) tags: Option<BTreeMap<String, String>>,
    package_type: Option<String>,
    pub(crate) publish: Option<bool>,
    code_signing_config_arn: Unserved,
    publish_to: Unserved,
    tenancy_config: Unserved,
}

impl CreateFunctionInput {
    pub(crate) fn package_type(&self) -> Option<&str> {
        self.package_type.as_deref()
    }

    pub(crate) fn unserved(&self) -> [Member<'_>; 9] {
        let code = &self.code;
        [
            ("CodeSigningConfigArn", &self.code_signing_config_arn),
            ("PublishTo", &self.publish_to),
            ("TenancyConfig", &self.tenancy_config),
            ("Code.S3Bucket", &code.s3_bucket),
            ("Code.S3Key", &code.s3_key),
            ("Code.S3ObjectVersion", &code.s3_object_version),
            ("Code.S3ObjectStorageMode", &code.s3_object_storage_mode),
            ("Code.ImageUri", &code.image_uri),
            ("Code.SourceKMSKeyArn", &code.source_kms_key_arn),
        ]
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FunctionCode {
    pub(crate) zip_file: Option<Blob>,
    s3_bucket: Unserved,
    s3_key: Unserved,
    s3_object_version: Unserved,
    s3_object_storage_mode: Unserved,
    image_uri: Unserved,
    #[serde(rename = "SourceKMSKeyArn")]
    source_kms_key_arn: Unserved,
}

/// What CreateFunction and UpdateFunctionConfiguration have in common.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ConfigInput {
    pub(crate) runtime: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) handler: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) timeout: Option<i64>,
    pub(crate) memory_size: Option<i64>,
    pub(crate) environment: Option<Environment>,
    pub(crate) dead_letter_config: Option<DeadLetterConfig>,
    pub(crate) tracing_config: Option<TracingConfig>,
    pub(crate) ephemeral_storage: Option<EphemeralStorage>,
    pub(crate) snap_start: Option<SnapStart>,
    pub(crate) logging_config: Option<LoggingConfig>,
    vpc_config: Unserved,
    #[serde(rename = "KMSKeyArn")]
    kms_key_arn: Unserved,
    pub(crate) layers: Option<Vec<String>>,
    file_system_configs: Unserved,
    image_config: Unserved,
    capacity_provider_config: Unserved,
    durable_config: Unserved,
    runtime_config: Unserved,
    accelerator_config: Unserved,
}

impl ConfigInput {
    pub(crate) fn unserved(&self) -> [Member<'_>; 8] {
        [
            ("VpcConfig", &self.vpc_config),
            ("KMSKeyArn", &self.kms_key_arn),
            ("FileSystemConfigs", &self.file_system_configs),
            ("ImageConfig", &self.image_config),
            ("CapacityProviderConfig", &self.capacity_provider_config),
            ("DurableConfig", &self.durable_config),
            ("RuntimeConfig", &self.runtime_config),
            ("AcceleratorConfig", &self.accelerator_config),
        ]
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Environment {
    pub(crate) variables: Option<BTreeMap<String, String>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DeadLetterConfig {
    pub(crate) target_arn: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TracingConfig {
    pub(crate) mode: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct EphemeralStorage {
    pub(crate) size: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SnapStart {
    pub(crate) apply_on: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct LoggingConfig {
    pub(crate) log_format: Option<String>,
    pub(crate) log_group: Option<String>,
    pub(crate) application_log_level: Unserved,
    pub(crate) system_log_level: Unserved,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UpdateCodeInput {
    pub(crate) function_name: String,
    pub(crate) architectures: Option<Vec<String>>,
    pub(crate) dry_run: Option<bool>,
    pub(crate) revision_id: Option<String>,
    #[serde(flatten)]
    pub(crate) code: FunctionCode,
    pub(crate) publish: Option<bool>,
    publish_to: Unserved,
}

impl UpdateCodeInput {
    pub(crate) fn unserved(&self) -> [Member<'_>; 7] {
        let code = &self.code;
        [
            ("PublishTo", &self.publish_to),
            ("S3Bucket", &code.s3_bucket),
            ("S3Key", &code.s3_key),
            ("S3ObjectVersion", &code.s3_object_version),
            ("S3ObjectStorageMode", &code.s3_object_storage_mode),
            ("ImageUri", &code.image_uri),
            ("SourceKMSKeyArn", &code.source_kms_key_arn),
        ]
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UpdateConfigurationInput {
    pub(crate) function_name: String,
    pub(crate) revision_id: Option<String>,
    #[serde(flatten)]
    pub(crate) config: ConfigInput,
}

/// GetFunction, GetFunctionConfiguration, DeleteFunction, GetPolicy.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FunctionInput {
    pub(crate) function_name: String,
    pub(crate) qualifier: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListFunctionsInput {
    pub(crate) marker: Option<String>,
    pub(crate) max_items: Option<u32>,
    pub(crate) function_version: Option<String>,
    master_region: Unserved,
}

impl ListFunctionsInput {
    pub(crate) fn unserved(&self) -> [Member<'_>; 1] {
        [("MasterRegion", &self.master_region)]
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListFunctionsOutput {
    pub(crate) functions: Vec<FunctionConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FunctionOutput {
    pub(crate) configuration: FunctionConfiguration,
    pub(crate) code: CodeLocation,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) concurrency: Option<concurrency::Concurrency>,
}

/// Where the package can be fetched.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CodeLocation {
    pub(crate) repository_type: &'static str,
    pub(crate) location: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FunctionConfiguration {
    pub(crate) function_name: String,
    pub(crate) function_arn: String,
    pub(crate) runtime: String,
    pub(crate) role: String,
    pub(crate) handler: String,
    pub(crate) code_size: u64,
    pub(crate) description: String,
    pub(crate) timeout: u32,
    pub(crate) memory_size: u32,
    pub(crate) last_modified: String,
    pub(crate) code_sha256: String,
    pub(crate) version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dead_letter_config: Option<DeadLetterConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) environment: Option<Environment>,
    pub(crate) tracing_config: TracingConfig,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) layers: Vec<LayerUsed>,
    pub(crate) revision_id: String,
    pub(crate) state: &'static str,
    pub(crate) last_update_status: &'static str,
    pub(crate) package_type: &'static str,
    pub(crate) architectures: Vec<String>,
    pub(crate) ephemeral_storage: EphemeralStorage,
    pub(crate) snap_start: SnapStartOutput,
    pub(crate) logging_config: LoggingConfigOutput,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct LayerUsed {
    pub(crate) arn: String,
    pub(crate) code_size: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SnapStartOutput {
    pub(crate) apply_on: &'static str,
    pub(crate) optimization_status: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct LoggingConfigOutput {
    pub(crate) log_format: &'static str,
    pub(crate) log_group: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AddPermissionInput {
    pub(crate) function_name: String,
    pub(crate) statement_id: String,
    pub(crate) action: String,
    pub(crate) principal: String,
    pub(crate) source_arn: Option<String>,
    pub(crate) source_account: Option<String>,
    pub(crate) qualifier: Option<String>,
    pub(crate) revision_id: Option<String>,
    pub(crate) event_source_token: Option<String>,
    #[serde(rename = "PrincipalOrgID")]
    pub(crate) principal_org_id: Option<String>,
    pub(crate) function_url_auth_type: Option<String>,
    pub(crate) invoked_via_function_url: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AddPermissionOutput {
    pub(crate) statement: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RemovePermissionInput {
    pub(crate) function_name: String,
    pub(crate) statement_id: String,
    pub(crate) qualifier: Option<String>,
    pub(crate) revision_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PolicyOutput {
    pub(crate) policy: String,
    pub(crate) revision_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListTagsInput {
    pub(crate) resource: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListTagsOutput {
    pub(crate) tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TagInput {
    pub(crate) resource: String,
    pub(crate) tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UntagInput {
    pub(crate) resource: String,
    #[serde(rename = "tagKeys", alias = "TagKeys")]
    pub(crate) tag_keys: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct NoInput {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AccountSettingsOutput {
    pub(crate) account_limit: AccountLimit,
    pub(crate) account_usage: AccountUsage,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AccountLimit {
    pub(crate) total_code_size: u64,
    pub(crate) code_size_unzipped: u64,
    pub(crate) code_size_zipped: u64,
    pub(crate) concurrent_executions: u32,
    pub(crate) unreserved_concurrent_executions: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AccountUsage {
    pub(crate) total_code_size: u64,
    pub(crate) function_count: u64,
}

/// The output of operations that have none.
#[derive(Serialize)]
pub(crate) struct Nothing {}
