//! AWS::Lambda::EventSourceMapping

use serde_json::{Value, json};

use super::property::Property;
use super::work::{Work, gone, is_present, member, some, text};
use super::{Change, Made, Properties, Type};

const SETTINGS: &[&str] = &[
    "FunctionName",
    "Enabled",
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "FunctionResponseTypes",
    "ScalingConfig",
    "FilterCriteria",
    "ProvisionedPollerConfig",
];

pub(super) const TYPE: Type = Type {
    kind: "AWS::Lambda::EventSourceMapping",
    properties: &[
        Property::text("EventSourceArn").required().replaces(),
        Property::text("FunctionName").required(),
        Property::bool("Enabled"),
        Property::int("BatchSize"),
        Property::int("MaximumBatchingWindowInSeconds"),
        Property::texts("FunctionResponseTypes"),
        Property::ints("ScalingConfig"),
        Property::any("FilterCriteria"),
        Property::ints("ProvisionedPollerConfig"),
        Property::refused("StartingPosition", "streams are not served"),
        Property::refused("StartingPositionTimestamp", "streams are not served"),
        Property::refused("ParallelizationFactor", "streams are not served"),
        Property::refused("BisectBatchOnFunctionError", "streams are not served"),
        Property::refused("MaximumRecordAgeInSeconds", "streams are not served"),
        Property::refused("MaximumRetryAttempts", "streams are not served"),
        Property::refused("TumblingWindowInSeconds", "streams are not served"),
        Property::refused("DestinationConfig", "streams are not served"),
        Property::refused("Queues", "message brokers are not served"),
        Property::refused("Topics", "message brokers are not served"),
        Property::refused("SelfManagedEventSource", "message brokers are not served"),
        Property::refused("SourceAccessConfigurations", "message brokers are not served"),
        Property::unhonoured("KmsKeyArn"),
        Property::unhonoured("MetricsConfig"),
        Property::unhonoured("LoggingConfig"),
        Property::tags(),
    ],
    attributes: &["Id", "EventSourceMappingArn"],
    name: None,
    create: |work, properties| Box::pin(create(work, properties)),
    update: |work, made, change| Box::pin(update(work, made, change)),
    delete: |work, made, _| Box::pin(delete(work, made)),
};

async fn create(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let mut input = some(properties, SETTINGS);
    let source = json!(text(properties, "EventSourceArn"));
    input.insert("EventSourceArn".to_owned(), source.clone());
    match work.call("lambda", "CreateEventSourceMapping", Value::Object(input)).await {
        Ok(answer) => Ok(made(&answer)),
        Err(error) if work.adopt && is_present(&error) => {
            let function = text(properties, "FunctionName");
            let input = json!({ "EventSourceArn": source, "FunctionName": function });
            let answer = work.call("lambda", "ListEventSourceMappings", input).await?;
            let found = made(&answer["EventSourceMappings"][0]);
            set(work, &found.id, properties).await?;
            Ok(found)
        }
        Err(error) => Err(error),
    }
}

fn made(answer: &Value) -> Made {
    let id = member(answer, "UUID");
    let arn = member(answer, "EventSourceMappingArn");
    Made::new(&id, [("Id", id.clone()), ("EventSourceMappingArn", arn)])
}

async fn update(work: &Work<'_>, made: &Made, change: Change<'_>) -> Result<Made, kit::Error> {
    set(work, &made.id, change.new).await?;
    Ok(made.clone())
}

async fn set(work: &Work<'_>, id: &str, properties: &Properties) -> Result<(), kit::Error> {
    let mut input = some(properties, SETTINGS);
    input.insert("UUID".to_owned(), json!(id));
    // What the template no longer says goes back to what it is without it.
    for (name, default) in [
        ("Enabled", json!(true)),
        ("BatchSize", json!(10)),
        ("MaximumBatchingWindowInSeconds", json!(0)),
        ("FunctionResponseTypes", json!([])),
        ("ScalingConfig", json!({})),
        ("FilterCriteria", json!({})),
        ("ProvisionedPollerConfig", json!({})),
    ] {
        input.entry(name).or_insert(default);
    }
    work.call("lambda", "UpdateEventSourceMapping", Value::Object(input)).await?;
    Ok(())
}

async fn delete(work: &Work<'_>, made: &Made) -> Result<(), kit::Error> {
    gone(work.call("lambda", "DeleteEventSourceMapping", json!({ "UUID": made.id })).await)
}
