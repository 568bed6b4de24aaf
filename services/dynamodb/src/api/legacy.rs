//! Shapes of the parameters that are older than expressions.

use serde::Deserialize;

use crate::value::{Given, Value};

/// What an attribute is compared with: in `KeyConditions`, `QueryFilter` and `ScanFilter`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Condition {
    pub(crate) attribute_value_list: Option<Vec<Given<Value>>>,
    pub(crate) comparison_operator: Option<String>,
}

/// What an attribute must be for a write to be done: in `Expected`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ExpectedAttributeValue {
    pub(crate) value: Option<Given<Value>>,
    pub(crate) exists: Option<bool>,
    pub(crate) comparison_operator: Option<String>,
    pub(crate) attribute_value_list: Option<Vec<Given<Value>>>,
}

/// What is done to an attribute: in `AttributeUpdates`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct AttributeValueUpdate {
    pub(crate) value: Option<Given<Value>>,
    pub(crate) action: Option<String>,
}
