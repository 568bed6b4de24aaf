//! What the functions of a resource type are given.

use base::{AccountId, Region};
use serde_json::{Value, json};

use super::Properties;
use crate::assets::Assets;
use crate::calls::Calls;

/// The resource at hand and the outside, for one step of a deploy.
pub(crate) struct Work<'a> {
    pub(crate) calls: &'a dyn Calls,
    pub(crate) account: &'a AccountId,
    pub(crate) region: &'a Region,
    pub(crate) assets: &'a Assets,
    /// A name for the resource if it has none of its own: `stack-LogicalId-1A2B3C4D5E6F`.
    pub(crate) fresh_name: &'a str,
    /// An earlier attempt may have made the resource without living to note it, so finding it
    /// there is no failure.
    pub(crate) adopt: bool,
}

impl Work<'_> {
    pub(crate) async fn call(
        &self,
        service: &str,
        operation: &str,
        input: Value,
    ) -> Result<Value, kit::Error> {
        self.calls.call(service, operation, input).await
    }

    /// The given name, or the fresh one, cut from its middle part to the length allowed.
    pub(crate) fn name(&self, given: Option<&Value>, chars_max: usize) -> String {
        match given.and_then(Value::as_str) {
            Some(name) => name.to_owned(),
            None => shortened(self.fresh_name, chars_max),
        }
    }

    /// The package that a property names, in base64, if it is the one that was meant.
    pub(crate) fn zip(&self, property: Option<&Value>) -> Result<String, kit::Error> {
        let package = property.unwrap_or(&Value::Null);
        match package["Asset"].as_str().and_then(|name| self.assets.get(name)) {
            Some(asset) if package["Sha256"] == asset.sha256 => Ok(asset.base64()),
            _ => {
                let message = "The package is no longer at hand";
                Err(kit::Error::sender("InvalidParameterValueException", message))
            }
        }
    }

    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account)
    }
}

/// Keeps the end, which is what makes the name unique.
fn shortened(name: &str, chars_max: usize) -> String {
    if name.len() <= chars_max {
        return name.to_owned();
    }
    let end = name.rfind('-').map_or(0, |dash| name.len() - dash);
    format!("{}{}", &name[..chars_max - end], &name[name.len() - end..])
}

/// Those of the properties that are set, for the input of an operation.
pub(crate) fn some(properties: &Properties, names: &[&str]) -> Properties {
    let set = names
        .iter()
        .filter_map(|name| properties.get(*name).map(|value| ((*name).to_owned(), value.clone())));
    set.collect()
}

/// A text property; empty where it is not set.
pub(crate) fn text<'p>(properties: &'p Properties, name: &str) -> &'p str {
    properties.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A value as the string maps of SQS and SNS hold it: text as it is, all else as JSON.
pub(crate) fn attribute(value: &Value) -> Value {
    match value {
        Value::String(_) => value.clone(),
        other => json!(other.to_string()),
    }
}

/// A list of `{ Key, Value }` as a map.
pub(crate) fn tag_map(tags: Option<&Value>) -> Properties {
    let list = tags.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let tag = |tag: &Value| {
        Some((tag["Key"].as_str()?.to_owned(), json!(tag["Value"].as_str().unwrap_or_default())))
    };
    list.iter().filter_map(tag).collect()
}

/// A string member of an answer.
pub(crate) fn member(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_default().to_owned()
}

/// Whether an operation failed because there is no such thing.
pub(crate) fn is_absent(error: &kit::Error) -> bool {
    error.status == 404
        || ["NotFound", "NonExistent", "DoesNotExist", "NoSuch"]
            .iter()
            .any(|part| error.code.contains(part))
}

/// Whether an operation failed because the thing is there already.
pub(crate) fn is_present(error: &kit::Error) -> bool {
    ["AlreadyExists", "ResourceConflict", "ResourceInUse", "QueueNameExists"]
        .iter()
        .any(|part| error.code.contains(part))
}

/// An end that is reached already is reached.
pub(crate) fn gone(result: Result<Value, kit::Error>) -> Result<(), kit::Error> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if is_absent(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_keeps_its_end() {
        let name = "a-stack-with-a-long-name-AResourceWithALongerName-1A2B3C4D5E6F";
        assert_eq!(shortened(name, 64), name);
        assert_eq!(shortened(name, 40), "a-stack-with-a-long-name-AR-1A2B3C4D5E6F");
    }
}
