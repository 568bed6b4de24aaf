//! What the destination of a mapping is told of records that were given up: where they are to be
//! found, as long as the stream keeps them.

use std::collections::BTreeMap;

use base::Arn;
use kit::targets::Event;
use serde_json::json;

use super::attempt::{Condition, Part};
use super::lane::Lane;
use crate::ops::configuration::{iso8601, whole_seconds};

impl Lane {
    /// The record about a part that was given up, version 1.0.
    pub(super) fn letter(&self, to: &Arn, part: &Part, condition: Condition) -> Event {
        let (feed, kit) = (&self.feed.0, &self.feed.0.lambda.kit);
        let id =
            part.answer.as_ref().map_or_else(|| kit.uuid(), |answer| answer.request_id.clone());
        let mut batch = json!({
            "shardId": self.shard,
            "batchSize": part.records.len(),
            "streamArn": feed.from,
        });
        if let (Some(first), Some(last)) = (part.records.first(), part.records.last()) {
            batch["startSequenceNumber"] = json!(first.sequence);
            batch["endSequenceNumber"] = json!(last.sequence);
            batch["approximateArrivalOfFirstRecord"] = json!(whole_seconds(first.at));
            batch["approximateArrivalOfLastRecord"] = json!(whole_seconds(last.at));
        }
        let mut body = json!({
            "requestContext": {
                "requestId": id,
                "functionArn": feed.mapping.function,
                "condition": condition,
                "approximateInvokeCount": part.invokes,
            },
            "version": "1.0",
            "timestamp": iso8601(kit.now()),
            "DDBStreamBatchInfo": batch,
        });
        if let Some(answer) = &part.answer {
            let mut context = json!({ "statusCode": 200, "executedVersion": answer.version });
            if let Some(error) = answer.error {
                context["functionError"] = error.into();
            }
            body["responseContext"] = context;
        }
        Event {
            to: to.clone(),
            from: feed.mapping.function.clone(),
            body: body.to_string(),
            attributes: BTreeMap::new(),
            group_id: None,
            deduplication_id: None,
            trace: None,
        }
    }
}
