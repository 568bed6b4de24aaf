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
    "ParallelizationFactor",
    "BisectBatchOnFunctionError",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "TumblingWindowInSeconds",
    "DestinationConfig",
];

type Default = (&'static str, fn() -> Value);

/// What a mapping has of which a template says nothing.
const WITHOUT: &[Default] = &[
    ("Enabled", || json!(true)),
    ("MaximumBatchingWindowInSeconds", || json!(0)),
    ("FunctionResponseTypes", || json!([])),
    ("FilterCriteria", || json!({})),
];
const OF_QUEUES: &[Default] = &[
    ("BatchSize", || json!(10)),
    ("ScalingConfig", || json!({})),
    ("ProvisionedPollerConfig", || json!({})),
];
const OF_STREAMS: &[Default] = &[
    ("BatchSize", || json!(100)),
    ("ParallelizationFactor", || json!(1)),
    ("BisectBatchOnFunctionError", || json!(false)),
    ("MaximumRecordAgeInSeconds", || json!(-1)),
    ("MaximumRetryAttempts", || json!(-1)),
    ("TumblingWindowInSeconds", || json!(0)),
    ("DestinationConfig", || json!({ "OnFailure": { "Destination": "" } })),
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
        Property::text("StartingPosition").replaces(),
        Property::refused("StartingPositionTimestamp", "no stream is read from a time on"),
        Property::int("ParallelizationFactor"),
        Property::bool("BisectBatchOnFunctionError"),
        Property::int("MaximumRecordAgeInSeconds"),
        Property::int("MaximumRetryAttempts"),
        Property::int("TumblingWindowInSeconds"),
        Property::any("DestinationConfig"),
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
    input.extend(some(properties, &["StartingPosition"]));
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
    let of_kind = if is_queue(properties) { OF_QUEUES } else { OF_STREAMS };
    for (name, default) in WITHOUT.iter().chain(of_kind) {
        input.entry(*name).or_insert_with(default);
    }
    work.call("lambda", "UpdateEventSourceMapping", Value::Object(input)).await?;
    Ok(())
}

fn is_queue(properties: &Properties) -> bool {
    text(properties, "EventSourceArn").split(':').nth(2) == Some("sqs")
}

async fn delete(work: &Work<'_>, made: &Made) -> Result<(), kit::Error> {
    gone(work.call("lambda", "DeleteEventSourceMapping", json!({ "UUID": made.id })).await)
}
