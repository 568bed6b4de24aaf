//! What becomes of one resource. Pure.

use crate::state::Entry;
use crate::types::{Properties, Property, Type};

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Keep,
    Update,
    /// The new one is made, then the old one is deleted.
    Replace,
}

/// A change that needs a new resource under the name of the old one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NameTaken {
    /// The property that has changed.
    pub(crate) changed: &'static str,
    /// The property that names it.
    pub(crate) name: &'static str,
}

/// Compares a resource as it is wanted with what is known of it.
pub(crate) fn decide(
    kind: &Type,
    known: Option<&Entry>,
    new: &Properties,
) -> Result<Action, NameTaken> {
    let Some(known) = known else { return Ok(Action::Create) };
    if known.kind != kind.kind {
        return Ok(Action::Replace);
    }
    // It is not certain that it was made.
    if !known.ready {
        return Ok(Action::Create);
    }
    if known.properties == *new {
        return Ok(Action::Keep);
    }
    let differs = |name: &str| known.properties.get(name) != new.get(name);
    let value = |of: &Properties, name: &str| of.get(name).cloned().unwrap_or_default();
    let replacing = kind.properties.iter().find(|Property { name, replaces, .. }| {
        differs(name) && replaces(&value(&known.properties, name), &value(new, name))
    });
    match (replacing, kind.name) {
        (None, _) => Ok(Action::Update),
        (Some(changed), Some(name)) if new.get(name).is_some() && !differs(name) => {
            Err(NameTaken { changed: changed.name, name })
        }
        (Some(_), _) => Ok(Action::Replace),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::types::{self, Made};

    fn properties(json: Value) -> Properties {
        json.as_object().cloned().unwrap()
    }

    fn check(kind: &str, known: Option<(bool, Value)>, new: Value, expected: &str) {
        let known = known.map(|(ready, old)| Entry {
            kind: kind.to_owned(),
            made: Made::default(),
            properties: properties(old),
            ready,
            position: 0,
            generation: 0,
            retain: false,
        });
        let kind = types::find(kind).unwrap();
        let found = match decide(kind, known.as_ref(), &properties(new)) {
            Ok(action) => format!("{action:?}"),
            Err(taken) => format!("{} of named {}", taken.changed, taken.name),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn actions() {
        let queue = "AWS::SQS::Queue";
        let named = |seconds: u64| json!({ "QueueName": "q", "VisibilityTimeout": seconds });
        check(queue, None, named(1), "Create");
        check(queue, Some((true, named(1))), named(1), "Keep");
        check(queue, Some((true, named(1))), named(2), "Update");
        check(queue, Some((false, named(1))), named(1), "Create");
        check(queue, Some((true, named(1))), json!({ "QueueName": "r" }), "Replace");
        let table = "AWS::DynamoDB::Table";
        let keys = |key: &str| json!({ "KeySchema": [key] });
        check(table, Some((true, keys("a"))), keys("b"), "Replace");
        let named = |key: &str| json!({ "TableName": "t", "KeySchema": [key] });
        check(table, Some((true, named("a"))), named("b"), "KeySchema of named TableName");
        let permission = "AWS::Lambda::Permission";
        check(
            permission,
            Some((true, json!({ "Action": "a" }))),
            json!({ "Action": "b" }),
            "Replace",
        );
    }
}
