//! Wire shapes of streams.

use serde::{Deserialize, Serialize};
use wire::Epoch;

use crate::api::table::KeySchemaElement;
use crate::value::Item;

/// Whether a table has a stream, and what is in it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct StreamSpecification {
    pub(crate) stream_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stream_view_type: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ListStreamsInput {
    pub(crate) table_name: Option<String>,
    pub(crate) limit: Option<i64>,
    pub(crate) exclusive_start_stream_arn: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListStreamsOutput {
    pub(crate) streams: Vec<ListedStream>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_evaluated_stream_arn: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListedStream {
    pub(crate) stream_arn: String,
    pub(crate) table_name: String,
    pub(crate) stream_label: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DescribeStreamInput {
    pub(crate) stream_arn: Option<String>,
    pub(crate) limit: Option<i64>,
    pub(crate) exclusive_start_shard_id: Option<String>,
    pub(crate) shard_filter: Option<ShardFilter>,
}

/// Asks for the children of a shard.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ShardFilter {
    #[serde(rename = "Type")]
    pub(crate) kind: Option<String>,
    pub(crate) shard_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DescribeStreamOutput {
    pub(crate) stream_description: StreamDescription,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StreamDescription {
    pub(crate) stream_arn: String,
    pub(crate) stream_label: String,
    pub(crate) stream_status: &'static str,
    pub(crate) stream_view_type: &'static str,
    pub(crate) creation_request_date_time: Epoch,
    pub(crate) table_name: String,
    pub(crate) key_schema: Vec<KeySchemaElement>,
    pub(crate) shards: Vec<Shard>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_evaluated_shard_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Shard {
    pub(crate) shard_id: String,
    pub(crate) sequence_number_range: SequenceNumberRange,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SequenceNumberRange {
    pub(crate) starting_sequence_number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ending_sequence_number: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct GetShardIteratorInput {
    pub(crate) stream_arn: Option<String>,
    pub(crate) shard_id: Option<String>,
    pub(crate) shard_iterator_type: Option<String>,
    pub(crate) sequence_number: Option<String>,
    /// Seconds since 1970, with a fraction.
    pub(crate) timestamp: Option<f64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetShardIteratorOutput {
    pub(crate) shard_iterator: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct GetRecordsInput {
    pub(crate) shard_iterator: Option<String>,
    pub(crate) limit: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetRecordsOutput {
    pub(crate) records: Vec<Record>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_shard_iterator: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    #[serde(rename = "eventID")]
    pub(crate) event_id: String,
    pub(crate) event_name: &'static str,
    pub(crate) event_version: &'static str,
    pub(crate) event_source: &'static str,
    pub(crate) aws_region: String,
    pub(crate) dynamodb: StreamRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_identity: Option<Identity>,
}

/// Who made a change, where it was not a user.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Identity {
    pub(crate) principal_id: &'static str,
    #[serde(rename = "Type")]
    pub(crate) kind: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StreamRecord {
    pub(crate) approximate_creation_date_time: Epoch,
    pub(crate) keys: Item,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) new_image: Option<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) old_image: Option<Item>,
    pub(crate) sequence_number: String,
    pub(crate) size_bytes: usize,
    pub(crate) stream_view_type: &'static str,
}
