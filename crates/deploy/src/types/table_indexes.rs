//! The indexes of a table, as AWS::DynamoDB::Table gives them.

use serde_json::{Value, json};

use super::{Change, Properties};

/// Whether an attribute has another type now: a table is made anew for that. Attributes may come
/// and go with the indexes they are keys of.
pub(super) fn retypes(old: &Value, new: &Value) -> bool {
    each(old).any(|was| {
        each(new).any(|is| {
            is["AttributeName"] == was["AttributeName"]
                && is["AttributeType"] != was["AttributeType"]
        })
    })
}

/// The indexes of a property, as CreateTable takes them.
pub(super) fn indexes(property: Option<&Value>) -> Option<Value> {
    let list = property?.as_array()?;
    (!list.is_empty()).then(|| list.iter().map(index).collect())
}

/// CloudFormation takes numbers as text, too.
fn index(given: &Value) -> Value {
    let mut index = given.clone();
    for group in ["ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput"] {
        for number in index.get_mut(group).and_then(Value::as_object_mut).into_iter().flatten() {
            if let Some(parsed) = number.1.as_str().and_then(|text| text.parse::<i64>().ok()) {
                *number.1 = json!(parsed);
            }
        }
    }
    index
}

/// What becomes of the global indexes of a table that stays.
#[derive(Default)]
pub(super) struct Changes {
    /// Capacities, in the form of `GlobalSecondaryIndexUpdates`.
    pub(super) capacities: Vec<Value>,
    /// The one index that comes or goes, in the same form.
    pub(super) one: Option<Value>,
}

/// Compares the global indexes, with CloudFormation's words for what it does not do either.
pub(super) fn changes(change: Change<'_>) -> Result<Changes, kit::Error> {
    let of = |properties: &Properties| -> Vec<Value> {
        let list = properties.get("GlobalSecondaryIndexes").map(each).into_iter().flatten();
        list.map(index).collect()
    };
    let (old, new) = (of(change.old), of(change.new));
    let known = |list: &[Value], one: &Value| {
        list.iter().find(|index| index["IndexName"] == one["IndexName"]).cloned()
    };
    let mut found = Changes::default();
    let mut moves = Vec::new();
    for gone in old.iter().filter(|index| known(&new, index).is_none()) {
        moves.push(json!({ "Delete": { "IndexName": gone["IndexName"] } }));
    }
    for index in new {
        let Some(before) = known(&old, &index) else {
            moves.push(json!({ "Create": index }));
            continue;
        };
        if ["KeySchema", "Projection"].iter().any(|part| before[part] != index[part]) {
            return Err(refused(
                "Cannot update GSI's properties other than Provisioned Throughput and Contributor \
                 Insights Specification. You can create a new GSI with a different name.",
            ));
        }
        let units = &index["ProvisionedThroughput"];
        if before["ProvisionedThroughput"] != *units && !units.is_null() {
            let name = &index["IndexName"];
            let update = json!({ "IndexName": name, "ProvisionedThroughput": units });
            found.capacities.push(json!({ "Update": update }));
        }
    }
    if moves.len() > 1 {
        return Err(refused(
            "Cannot perform more than one GSI creation or deletion in a single update",
        ));
    }
    found.one = moves.pop();
    Ok(found)
}

fn refused(message: &str) -> kit::Error {
    kit::Error::sender("ValidationException", message)
}

fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}
