//! Wire shapes, nothing else. Members that AWS knows and we do not serve are kept as
//! [`Unserved`](kit::unserved::Unserved) values, so that a request with one is refused by name.

pub(crate) mod backup;
pub(crate) mod expiry;
pub(crate) mod legacy;
pub(crate) mod resource;
pub(crate) mod statement;
pub(crate) mod stream;
pub(crate) mod table;
pub(crate) mod transact;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::legacy::{AttributeValueUpdate, Condition, ExpectedAttributeValue};
use crate::item::packed::Answer;
use crate::value::{Given, Item, Value};

type Names = Option<BTreeMap<String, String>>;
type Conditions = Option<BTreeMap<String, Condition>>;
type Values = Option<BTreeMap<String, Given<Value>>>;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PutItemInput {
    pub(crate) table_name: Option<String>,
    pub(crate) item: Option<Given<Item>>,
    pub(crate) condition_expression: Option<String>,
    pub(crate) expression_attribute_names: Names,
    pub(crate) expression_attribute_values: Values,
    pub(crate) return_values: Option<String>,
    pub(crate) return_values_on_condition_check_failure: Option<String>,
    pub(crate) return_consumed_capacity: Option<String>,
    pub(crate) return_item_collection_metrics: Option<String>,
    pub(crate) expected: Option<BTreeMap<String, ExpectedAttributeValue>>,
    pub(crate) conditional_operator: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DeleteItemInput {
    pub(crate) table_name: Option<String>,
    pub(crate) key: Option<Given<Item>>,
    pub(crate) condition_expression: Option<String>,
    pub(crate) expression_attribute_names: Names,
    pub(crate) expression_attribute_values: Values,
    pub(crate) return_values: Option<String>,
    pub(crate) return_values_on_condition_check_failure: Option<String>,
    pub(crate) return_consumed_capacity: Option<String>,
    pub(crate) return_item_collection_metrics: Option<String>,
    pub(crate) expected: Option<BTreeMap<String, ExpectedAttributeValue>>,
    pub(crate) conditional_operator: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct UpdateItemInput {
    pub(crate) table_name: Option<String>,
    pub(crate) key: Option<Given<Item>>,
    pub(crate) update_expression: Option<String>,
    pub(crate) condition_expression: Option<String>,
    pub(crate) expression_attribute_names: Names,
    pub(crate) expression_attribute_values: Values,
    pub(crate) return_values: Option<String>,
    pub(crate) return_values_on_condition_check_failure: Option<String>,
    pub(crate) return_consumed_capacity: Option<String>,
    pub(crate) return_item_collection_metrics: Option<String>,
    pub(crate) attribute_updates: Option<BTreeMap<String, AttributeValueUpdate>>,
    pub(crate) expected: Option<BTreeMap<String, ExpectedAttributeValue>>,
    pub(crate) conditional_operator: Option<String>,
}

/// The reply of the operations that write one item.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct WriteItemOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attributes: Option<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) consumed_capacity: Option<ConsumedCapacity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) item_collection_metrics: Option<ItemCollectionMetrics>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct GetItemInput {
    pub(crate) table_name: Option<String>,
    pub(crate) key: Option<Given<Item>>,
    pub(crate) consistent_read: Option<bool>,
    pub(crate) projection_expression: Option<String>,
    pub(crate) expression_attribute_names: Names,
    pub(crate) return_consumed_capacity: Option<String>,
    pub(crate) attributes_to_get: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetItemOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) item: Option<Answer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) consumed_capacity: Option<ConsumedCapacity>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct QueryInput {
    pub(crate) table_name: Option<String>,
    pub(crate) index_name: Option<String>,
    pub(crate) key_condition_expression: Option<String>,
    pub(crate) filter_expression: Option<String>,
    pub(crate) projection_expression: Option<String>,
    pub(crate) expression_attribute_names: Names,
    pub(crate) expression_attribute_values: Values,
    pub(crate) select: Option<String>,
    pub(crate) limit: Option<i32>,
    pub(crate) exclusive_start_key: Option<Given<Item>>,
    pub(crate) scan_index_forward: Option<bool>,
    pub(crate) consistent_read: Option<bool>,
    pub(crate) return_consumed_capacity: Option<String>,
    pub(crate) attributes_to_get: Option<Vec<String>>,
    pub(crate) key_conditions: Conditions,
    pub(crate) query_filter: Conditions,
    pub(crate) conditional_operator: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ScanInput {
    pub(crate) table_name: Option<String>,
    pub(crate) index_name: Option<String>,
    pub(crate) filter_expression: Option<String>,
    pub(crate) projection_expression: Option<String>,
    pub(crate) expression_attribute_names: Names,
    pub(crate) expression_attribute_values: Values,
    pub(crate) select: Option<String>,
    pub(crate) limit: Option<i32>,
    pub(crate) exclusive_start_key: Option<Given<Item>>,
    pub(crate) segment: Option<i32>,
    pub(crate) total_segments: Option<i32>,
    pub(crate) consistent_read: Option<bool>,
    pub(crate) return_consumed_capacity: Option<String>,
    pub(crate) attributes_to_get: Option<Vec<String>>,
    pub(crate) scan_filter: Conditions,
    pub(crate) conditional_operator: Option<String>,
}

/// The reply of Query and Scan.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PageOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) items: Option<Vec<Answer>>,
    pub(crate) count: usize,
    pub(crate) scanned_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_evaluated_key: Option<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) consumed_capacity: Option<ConsumedCapacity>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct BatchGetItemInput {
    pub(crate) request_items: Option<BTreeMap<String, KeysAndAttributes>>,
    pub(crate) return_consumed_capacity: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct KeysAndAttributes {
    pub(crate) keys: Option<Vec<Given<Item>>>,
    pub(crate) consistent_read: Option<bool>,
    pub(crate) projection_expression: Option<String>,
    pub(crate) expression_attribute_names: Names,
    pub(crate) attributes_to_get: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BatchGetItemOutput {
    pub(crate) responses: BTreeMap<String, Vec<Item>>,
    pub(crate) unprocessed_keys: BTreeMap<String, UnprocessedKeys>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) consumed_capacity: Option<Vec<ConsumedCapacity>>,
}

/// Keys to be asked for again, in the form they were asked for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UnprocessedKeys {
    pub(crate) keys: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) consistent_read: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) projection_expression: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expression_attribute_names: Names,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attributes_to_get: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct BatchWriteItemInput {
    pub(crate) request_items: Option<BTreeMap<String, Vec<WriteRequest>>>,
    pub(crate) return_consumed_capacity: Option<String>,
    pub(crate) return_item_collection_metrics: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct WriteRequest {
    pub(crate) put_request: Option<PutRequest>,
    pub(crate) delete_request: Option<DeleteRequest>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PutRequest {
    pub(crate) item: Option<Given<Item>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DeleteRequest {
    pub(crate) key: Option<Given<Item>>,
}

/// Nothing is ever left unprocessed: a batch is one transaction.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BatchWriteItemOutput {
    pub(crate) unprocessed_items: BTreeMap<String, ()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) consumed_capacity: Option<Vec<ConsumedCapacity>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) item_collection_metrics: Option<BTreeMap<String, Vec<ItemCollectionMetrics>>>,
}

/// How large the items and index entries with one partition key are, in gigabytes, from and to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ItemCollectionMetrics {
    pub(crate) item_collection_key: Item,
    #[serde(rename = "SizeEstimateRangeGB")]
    pub(crate) size_estimate_range_gb: [f64; 2],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ConsumedCapacity {
    pub(crate) table_name: String,
    pub(crate) capacity_units: f64,
    /// These two are told only of transactions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) read_capacity_units: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) write_capacity_units: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) table: Option<Capacity>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) local_secondary_indexes: BTreeMap<String, Capacity>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) global_secondary_indexes: BTreeMap<String, Capacity>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Capacity {
    pub(crate) capacity_units: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) read_capacity_units: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) write_capacity_units: Option<f64>,
}
