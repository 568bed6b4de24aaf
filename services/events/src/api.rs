//! Wire shapes, nothing else. Members of AWS that we do not serve are held as raw values, so that
//! `unserved` can refuse them by name instead of ignoring them.

use kit::unserved::{Member, Unserved};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PutRuleInput {
    pub(crate) name: String,
    pub(crate) schedule_expression: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) role_arn: Option<String>,
    pub(crate) event_bus_name: Option<String>,
    tags: Unserved,
    event_pattern: Unserved,
}

impl PutRuleInput {
    pub(crate) fn unserved(&self) -> [Member<'_>; 2] {
        [("EventPattern", &self.event_pattern), ("Tags", &self.tags)]
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PutRuleOutput {
    pub(crate) rule_arn: String,
}

/// DescribeRule, EnableRule and DisableRule name a rule and nothing else.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RuleInput {
    pub(crate) name: String,
    pub(crate) event_bus_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DeleteRuleInput {
    pub(crate) name: String,
    pub(crate) event_bus_name: Option<String>,
    /// Matters for rules managed by AWS services only, of which there are none here.
    #[serde(rename = "Force")]
    _force: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RuleOutput {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) schedule_expression: String,
    pub(crate) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role_arn: Option<String>,
    pub(crate) event_bus_name: &'static str,
    /// Part of DescribeRule, not of the entries of ListRules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created_by: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListRulesInput {
    pub(crate) name_prefix: Option<String>,
    pub(crate) event_bus_name: Option<String>,
    pub(crate) next_token: Option<String>,
    pub(crate) limit: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListRulesOutput {
    pub(crate) rules: Vec<RuleOutput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PutTargetsInput {
    pub(crate) rule: String,
    pub(crate) event_bus_name: Option<String>,
    pub(crate) targets: Vec<TargetInput>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TargetInput {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) role_arn: Option<String>,
    pub(crate) input: Option<String>,
    pub(crate) sqs_parameters: Option<SqsParameters>,
    input_path: Unserved,
    input_transformer: Unserved,
    kinesis_parameters: Unserved,
    run_command_parameters: Unserved,
    ecs_parameters: Unserved,
    batch_parameters: Unserved,
    http_parameters: Unserved,
    redshift_data_parameters: Unserved,
    sage_maker_pipeline_parameters: Unserved,
    dead_letter_config: Unserved,
    retry_policy: Unserved,
    app_sync_parameters: Unserved,
}

impl TargetInput {
    pub(crate) fn unserved(&self) -> [Member<'_>; 12] {
        [
            ("InputPath", &self.input_path),
            ("InputTransformer", &self.input_transformer),
            ("KinesisParameters", &self.kinesis_parameters),
            ("RunCommandParameters", &self.run_command_parameters),
            ("EcsParameters", &self.ecs_parameters),
            ("BatchParameters", &self.batch_parameters),
            ("HttpParameters", &self.http_parameters),
            ("RedshiftDataParameters", &self.redshift_data_parameters),
            ("SageMakerPipelineParameters", &self.sage_maker_pipeline_parameters),
            ("DeadLetterConfig", &self.dead_letter_config),
            ("RetryPolicy", &self.retry_policy),
            ("AppSyncParameters", &self.app_sync_parameters),
        ]
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SqsParameters {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message_group_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RemoveTargetsInput {
    pub(crate) rule: String,
    pub(crate) event_bus_name: Option<String>,
    pub(crate) ids: Vec<String>,
    /// As in DeleteRule.
    #[serde(rename = "Force")]
    _force: Option<bool>,
}

/// PutTargets and RemoveTargets answer alike.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FailedEntriesOutput {
    pub(crate) failed_entry_count: u32,
    pub(crate) failed_entries: Vec<FailedEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FailedEntry {
    pub(crate) target_id: String,
    pub(crate) error_code: &'static str,
    pub(crate) error_message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListTargetsInput {
    pub(crate) rule: String,
    pub(crate) event_bus_name: Option<String>,
    pub(crate) next_token: Option<String>,
    pub(crate) limit: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListTargetsOutput {
    pub(crate) targets: Vec<TargetOutput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TargetOutput {
    pub(crate) id: String,
    pub(crate) arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sqs_parameters: Option<SqsParameters>,
}

/// The output of operations that have none.
#[derive(Serialize)]
pub(crate) struct Nothing {}
