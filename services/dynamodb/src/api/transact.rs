//! Shapes of transactions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::{ConsumedCapacity, ItemCollectionMetrics, Names, Values};
use crate::value::{Given, Item};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TransactWriteItemsInput {
    pub(crate) transact_items: Option<Vec<TransactWriteItem>>,
    pub(crate) return_consumed_capacity: Option<String>,
    pub(crate) return_item_collection_metrics: Option<String>,
    pub(crate) client_request_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TransactWriteItem {
    pub(crate) condition_check: Option<TransactAction>,
    pub(crate) put: Option<TransactAction>,
    pub(crate) delete: Option<TransactAction>,
    pub(crate) update: Option<TransactAction>,
}

/// What the four kinds of actions may say. A put has an item, the others a key, and only an
/// update has an expression.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TransactAction {
    pub(crate) table_name: Option<String>,
    pub(crate) item: Option<Given<Item>>,
    pub(crate) key: Option<Given<Item>>,
    pub(crate) update_expression: Option<String>,
    pub(crate) condition_expression: Option<String>,
    pub(crate) expression_attribute_names: Names,
    pub(crate) expression_attribute_values: Values,
    pub(crate) return_values_on_condition_check_failure: Option<String>,
}

/// The reply of TransactWriteItems.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TransactWriteItemsOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) consumed_capacity: Option<Vec<ConsumedCapacity>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) item_collection_metrics: Option<BTreeMap<String, Vec<ItemCollectionMetrics>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TransactGetItemsInput {
    pub(crate) transact_items: Option<Vec<TransactGetItem>>,
    pub(crate) return_consumed_capacity: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TransactGetItem {
    pub(crate) get: Option<Get>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Get {
    pub(crate) table_name: Option<String>,
    pub(crate) key: Option<Given<Item>>,
    pub(crate) projection_expression: Option<String>,
    pub(crate) expression_attribute_names: Names,
}

/// The reply of TransactGetItems and ExecuteTransaction.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TransactionOutput {
    pub(crate) responses: Vec<ItemResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) consumed_capacity: Option<Vec<ConsumedCapacity>>,
}

/// One of the items asked for, if there is one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ItemResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) item: Option<Item>,
}
