//! Shapes of PartiQL statements.

use serde::{Deserialize, Serialize};

use crate::api::ConsumedCapacity;
use crate::error::Reason;
use crate::value::{Given, Item, Value};

type Parameters = Option<Vec<Given<Value>>>;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ExecuteStatementInput {
    pub(crate) statement: Option<String>,
    pub(crate) parameters: Parameters,
    pub(crate) consistent_read: Option<bool>,
    pub(crate) next_token: Option<String>,
    pub(crate) return_consumed_capacity: Option<String>,
    pub(crate) limit: Option<i32>,
    pub(crate) return_values_on_condition_check_failure: Option<String>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ExecuteStatementOutput {
    pub(crate) items: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_evaluated_key: Option<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) consumed_capacity: Option<ConsumedCapacity>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct BatchExecuteStatementInput {
    pub(crate) statements: Option<Vec<BatchStatement>>,
    pub(crate) return_consumed_capacity: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct BatchStatement {
    pub(crate) statement: Option<String>,
    pub(crate) parameters: Parameters,
    pub(crate) consistent_read: Option<bool>,
    pub(crate) return_values_on_condition_check_failure: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BatchExecuteStatementOutput {
    pub(crate) responses: Vec<BatchResponse>,
    /// In the order of the statements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) consumed_capacity: Option<Vec<ConsumedCapacity>>,
}

/// What came of one statement: an error, or a table and perhaps an item.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BatchResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) table_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) item: Option<Item>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ExecuteTransactionInput {
    pub(crate) transact_statements: Option<Vec<ParameterizedStatement>>,
    pub(crate) client_request_token: Option<String>,
    pub(crate) return_consumed_capacity: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ParameterizedStatement {
    pub(crate) statement: Option<String>,
    pub(crate) parameters: Parameters,
    pub(crate) return_values_on_condition_check_failure: Option<String>,
}
