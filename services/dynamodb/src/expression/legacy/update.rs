use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::legacy::AttributeValueUpdate;
use crate::error::Error;
use crate::expression::Path;
use crate::expression::update::{Action, Expression, Update};
use crate::rules::Violations;
use crate::value::Value;

/// Notes actions that AWS does not have.
pub(crate) fn check_updates(
    violations: &mut Violations,
    given: Option<&BTreeMap<String, AttributeValueUpdate>>,
) {
    for (name, update) in given.into_iter().flatten() {
        let at = format!("attributeUpdates.{name}.member.action");
        violations.one_of(&at, update.action.as_deref(), &["ADD", "PUT", "DELETE"]);
    }
}

/// What `AttributeUpdates` do; nothing if they name no attribute.
pub(crate) fn updates(
    given: Option<BTreeMap<String, AttributeValueUpdate>>,
) -> Result<Option<Update>, Error> {
    let Some(given) = given.filter(|given| !given.is_empty()) else { return Ok(None) };
    let actions = given.into_iter().map(|(name, update)| action(name, update));
    Ok(Some(Update::of_attributes(actions.collect::<Result<Vec<_>, Error>>()?)))
}

fn action(name: String, given: AttributeValueUpdate) -> Result<Action, Error> {
    let path = Path::new(name);
    let value = given.value.map(|value| value.checked().map(Arc::new)).transpose()?;
    match (given.action.as_deref(), value) {
        (Some("DELETE"), None) => Ok(Action::Remove(path)),
        (_, None) => Err(Error::invalid(
            "Only DELETE action is allowed when no attribute value is specified",
        )),
        (Some("DELETE"), Some(value)) => match &*value {
            Value::Ss(_) | Value::Ns(_) | Value::Bs(_) => Ok(Action::Delete(path, value)),
            other => Err(Error::invalid(format_args!(
                "DELETE action with value is not supported for the type {}",
                other.kind()
            ))),
        },
        (Some("ADD"), Some(value)) => match &*value {
            Value::N(_) | Value::Ss(_) | Value::Ns(_) | Value::Bs(_) => {
                Ok(Action::Add(path, value))
            }
            Value::L(_) => Ok(append(path, value)),
            other => Err(Error::invalid(format_args!(
                "ADD action is not supported for the type {}",
                other.kind()
            ))),
        },
        (_, Some(value)) => Ok(Action::Set(path, Expression::Value(value))),
    }
}

/// Adding a list puts its elements behind those that are there, which no ADD of an expression
/// does.
fn append(path: Path, value: Arc<Value>) -> Action {
    let none = Box::new(Expression::Value(Arc::new(Value::L(Vec::new()))));
    let before = Box::new(Expression::IfNotExists(path.clone(), none));
    Action::Set(path, Expression::ListAppend(before, Box::new(Expression::Value(value))))
}
