//! AWS::Events::Rule

use serde_json::{Value, json};

use super::property::Property;
use super::work::{Work, gone, member, some};
use super::{Change, Made, Properties, Type};

const RULE: &[&str] = &["ScheduleExpression", "State", "Description", "RoleArn", "EventBusName"];
const NAME_CHARS_MAX: usize = 64;

pub(super) const TYPE: Type = Type {
    kind: "AWS::Events::Rule",
    properties: &[
        Property::text("Name").replaces(),
        Property::text("ScheduleExpression"),
        Property::text("State"),
        Property::text("Description"),
        Property::text("RoleArn"),
        Property::text("EventBusName").replaces(),
        Property::any("Targets"),
        Property::refused("EventPattern", "buses deliver schedules only, for now"),
        Property::tags(),
    ],
    attributes: &["Arn"],
    name: Some("Name"),
    create: |work, properties| Box::pin(create(work, properties)),
    update: |work, made, change| Box::pin(update(work, made, change)),
    delete: |work, made, properties| Box::pin(delete(work, made, properties)),
};

async fn create(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let name = work.name(properties.get("Name"), NAME_CHARS_MAX);
    let arn = put_rule(work, &name, properties).await?;
    put_targets(work, &name, properties).await?;
    Ok(Made::new(&name, [("Arn", arn)]))
}

/// PutRule makes or changes, so an earlier attempt is no hindrance.
async fn put_rule(
    work: &Work<'_>,
    name: &str,
    properties: &Properties,
) -> Result<String, kit::Error> {
    let mut input = some(properties, RULE);
    input.insert("Name".to_owned(), json!(name));
    Ok(member(&work.call("events", "PutRule", Value::Object(input)).await?, "RuleArn"))
}

async fn put_targets(
    work: &Work<'_>,
    name: &str,
    properties: &Properties,
) -> Result<(), kit::Error> {
    let targets = targets(properties);
    if !targets.is_empty() {
        let input = json!({ "Rule": name, "Targets": targets });
        work.call("events", "PutTargets", on_bus(input, properties)).await?;
    }
    Ok(())
}

async fn update(work: &Work<'_>, made: &Made, change: Change<'_>) -> Result<Made, kit::Error> {
    if change.touches(RULE) {
        put_rule(work, &made.id, change.new).await?;
    }
    if change.touches(&["Targets"]) {
        let kept = ids(change.new);
        let removed: Vec<&str> =
            ids(change.old).into_iter().filter(|id| !kept.contains(id)).collect();
        remove_targets(work, &made.id, &removed, change.old).await?;
        put_targets(work, &made.id, change.new).await?;
    }
    Ok(made.clone())
}

async fn delete(work: &Work<'_>, made: &Made, properties: &Properties) -> Result<(), kit::Error> {
    // A rule that has targets cannot be deleted.
    remove_targets(work, &made.id, &ids(properties), properties).await?;
    let input = on_bus(json!({ "Name": made.id }), properties);
    gone(work.call("events", "DeleteRule", input).await)
}

async fn remove_targets(
    work: &Work<'_>,
    name: &str,
    ids: &[&str],
    properties: &Properties,
) -> Result<(), kit::Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let input = on_bus(json!({ "Rule": name, "Ids": ids }), properties);
    gone(work.call("events", "RemoveTargets", input).await)
}

fn targets(properties: &Properties) -> &[Value] {
    properties.get("Targets").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn ids(properties: &Properties) -> Vec<&str> {
    targets(properties).iter().filter_map(|target| target["Id"].as_str()).collect()
}

fn on_bus(mut input: Value, properties: &Properties) -> Value {
    if let Some(bus) = properties.get("EventBusName") {
        input["EventBusName"] = bus.clone();
    }
    input
}
