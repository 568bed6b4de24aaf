//! The shapes on the wire. Members that AWS requires are optional here, because a missing one has
//! its own error.

use kit::unserved::Unserved;
use serde::{Deserialize, Serialize};

/// The answer of an operation that has nothing to say.
#[derive(Serialize)]
pub(crate) struct Nothing {}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateLogGroupInput {
    pub(crate) log_group_name: Option<String>,
    pub(crate) kms_key_id: Unserved,
    pub(crate) tags: Unserved,
    pub(crate) deletion_protection_enabled: Unserved,
    pub(crate) log_group_class: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeleteLogGroupInput {
    pub(crate) log_group_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DescribeLogGroupsInput {
    pub(crate) log_group_name_prefix: Option<String>,
    pub(crate) log_group_name_pattern: Option<String>,
    pub(crate) next_token: Option<String>,
    pub(crate) limit: Option<i64>,
    pub(crate) account_identifiers: Unserved,
    pub(crate) include_linked_accounts: Unserved,
    pub(crate) log_group_class: Unserved,
    pub(crate) log_group_identifiers: Unserved,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DescribeLogGroupsOutput {
    pub(crate) log_groups: Vec<LogGroup>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogGroup {
    pub(crate) log_group_name: String,
    pub(crate) creation_time: u64,
    pub(crate) metric_filter_count: u32,
    /// With `:*` at its end, as policies name the streams.
    pub(crate) arn: String,
    pub(crate) log_group_arn: String,
    pub(crate) log_group_class: &'static str,
    pub(crate) stored_bytes: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateLogStreamInput {
    pub(crate) log_group_name: Option<String>,
    pub(crate) log_stream_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DescribeLogStreamsInput {
    pub(crate) log_group_name: Option<String>,
    pub(crate) log_group_identifier: Option<String>,
    pub(crate) log_stream_name_prefix: Option<String>,
    pub(crate) order_by: Option<String>,
    #[serde(default)]
    pub(crate) descending: bool,
    pub(crate) next_token: Option<String>,
    pub(crate) limit: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DescribeLogStreamsOutput {
    pub(crate) log_streams: Vec<LogStream>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogStream {
    pub(crate) log_stream_name: String,
    pub(crate) creation_time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_event_timestamp: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_event_timestamp: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_ingestion_time: Option<u64>,
    pub(crate) arn: String,
    /// AWS counts the bytes of groups alone since 2019.
    pub(crate) stored_bytes: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GetLogEventsInput {
    pub(crate) log_group_name: Option<String>,
    pub(crate) log_group_identifier: Option<String>,
    pub(crate) log_stream_name: Option<String>,
    pub(crate) start_time: Option<i64>,
    pub(crate) end_time: Option<i64>,
    pub(crate) next_token: Option<String>,
    pub(crate) limit: Option<i64>,
    #[serde(default)]
    pub(crate) start_from_head: bool,
    pub(crate) unmask: Unserved,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GetLogEventsOutput {
    pub(crate) events: Vec<OutputLogEvent>,
    pub(crate) next_forward_token: String,
    pub(crate) next_backward_token: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OutputLogEvent {
    pub(crate) timestamp: u64,
    pub(crate) message: String,
    pub(crate) ingestion_time: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FilterLogEventsInput {
    pub(crate) log_group_name: Option<String>,
    pub(crate) log_group_identifier: Option<String>,
    pub(crate) log_stream_names: Option<Vec<String>>,
    pub(crate) log_stream_name_prefix: Option<String>,
    pub(crate) start_time: Option<i64>,
    pub(crate) end_time: Option<i64>,
    pub(crate) filter_pattern: Option<String>,
    pub(crate) next_token: Option<String>,
    pub(crate) limit: Option<i64>,
    pub(crate) unmask: Unserved,
    pub(crate) start_from_head: Option<bool>,
    /// AWS ignores it since 2019, and events always come interleaved.
    #[serde(rename = "interleaved")]
    _interleaved: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FilterLogEventsOutput {
    pub(crate) events: Vec<FilteredLogEvent>,
    /// Always empty on AWS too, since 2020.
    pub(crate) searched_log_streams: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FilteredLogEvent {
    pub(crate) log_stream_name: String,
    pub(crate) timestamp: u64,
    pub(crate) message: String,
    pub(crate) ingestion_time: u64,
    pub(crate) event_id: String,
}
