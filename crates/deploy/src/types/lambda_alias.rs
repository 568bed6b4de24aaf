//! AWS::Lambda::Alias

use serde_json::{Map, Value, json};

use super::property::Property;
use super::provisioned::{self, HELD};
use super::work::{Work, gone, is_present, member, some, text};
use super::{Change, Made, Properties, Type};

const SETTINGS: &[&str] = &["FunctionName", "Name", "FunctionVersion", "Description"];

pub(super) const TYPE: Type = Type {
    kind: "AWS::Lambda::Alias",
    properties: &[
        Property::text("FunctionName").required().replaces(),
        Property::text("Name").required().replaces(),
        Property::text("FunctionVersion").required(),
        Property::text("Description"),
        Property::any("RoutingConfig"),
        Property::ints(HELD),
    ],
    attributes: &["AliasArn"],
    name: None,
    create: |work, properties| Box::pin(create(work, properties)),
    update: |work, made, change| Box::pin(update(work, made, change)),
    delete: |work, _, properties| Box::pin(delete(work, properties)),
};

async fn create(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let mut input = some(properties, SETTINGS);
    if let Some(routing) = properties.get("RoutingConfig") {
        input.insert("RoutingConfig".to_owned(), weights(routing));
    }
    let answer = match work.call("lambda", "CreateAlias", Value::Object(input)).await {
        Ok(answer) => answer,
        Err(error) if work.adopt && is_present(&error) => set(work, properties).await?,
        Err(error) => return Err(error),
    };
    if properties.contains_key(HELD) {
        set_provisioned(work, properties).await?;
    }
    let arn = member(&answer, "AliasArn");
    Ok(Made::new(&arn, [("AliasArn", arn.clone())]))
}

async fn update(work: &Work<'_>, made: &Made, change: Change<'_>) -> Result<Made, kit::Error> {
    if change.touches(&["FunctionVersion", "Description", "RoutingConfig"]) {
        set(work, change.new).await?;
    }
    if change.touches(&[HELD]) {
        set_provisioned(work, change.new).await?;
    }
    Ok(made.clone())
}

async fn set(work: &Work<'_>, properties: &Properties) -> Result<Value, kit::Error> {
    let mut input = some(properties, SETTINGS);
    // What the template no longer says goes back to what it is without it.
    input.entry("Description").or_insert(json!(""));
    let routing = properties.get("RoutingConfig").unwrap_or(&Value::Null);
    input.insert("RoutingConfig".to_owned(), weights(routing));
    work.call("lambda", "UpdateAlias", Value::Object(input)).await
}

async fn set_provisioned(work: &Work<'_>, properties: &Properties) -> Result<(), kit::Error> {
    let (function, name) = (text(properties, "FunctionName"), text(properties, "Name"));
    provisioned::set(work, function, name, properties.get(HELD)).await
}

async fn delete(work: &Work<'_>, properties: &Properties) -> Result<(), kit::Error> {
    let input = Value::Object(some(properties, &["FunctionName", "Name"]));
    gone(work.call("lambda", "DeleteAlias", input).await)
}

/// A list of versions with their weights as the map that the operation takes.
fn weights(routing: &Value) -> Value {
    let list = routing["AdditionalVersionWeights"].as_array().into_iter().flatten();
    let weight = |item: &Value| {
        let number = match &item["FunctionWeight"] {
            Value::String(text) => json!(text.parse::<f64>().ok()?),
            other => other.clone(),
        };
        Some((item["FunctionVersion"].as_str()?.to_owned(), number))
    };
    json!({ "AdditionalVersionWeights": list.filter_map(weight).collect::<Map<_, _>>() })
}
