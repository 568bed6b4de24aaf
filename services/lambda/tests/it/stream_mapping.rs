//! Mappings of streams as resources: their settings, and what is refused of them.

use serde_json::{Value, json};

use crate::machine::{Machine, QUEUE, settle};
use crate::river::STREAM;
use crate::stream::machine;

/// A mapping that sets nothing of its own, as it is described.
fn described(uuid: &str) -> Value {
    json!({
        "UUID": uuid,
        "EventSourceMappingArn":
            format!("arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{uuid}"),
        "EventSourceArn": STREAM,
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:pay",
        "StartingPosition": "TRIM_HORIZON",
        "ParallelizationFactor": 1,
        "DestinationConfig": { "OnFailure": {} },
        "MaximumRecordAgeInSeconds": -1,
        "BisectBatchOnFunctionError": false,
        "MaximumRetryAttempts": -1,
        "TumblingWindowInSeconds": 0,
        "LastProcessingResult": "No records processed",
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
        "LastModified": 1_793_491_200.0,
        "State": "Enabled",
        "StateTransitionReason": "User action",
    })
}

#[tokio::test]
async fn a_mapping_is_made_described_and_listed() {
    let m = &machine().await;
    let uuid = m.stream_mapping("pay", json!({})).await;
    let one = json!({ "UUID": uuid });
    let expected = described(&uuid);
    assert_eq!(m.call("GetEventSourceMapping", one).await.unwrap(), expected);
    let by_stream = json!({ "EventSourceArn": STREAM });
    let listed = m.call("ListEventSourceMappings", by_stream).await.unwrap();
    assert_eq!(listed, json!({ "EventSourceMappings": [expected] }));
    let by_queue = json!({ "EventSourceArn": QUEUE });
    let listed = m.call("ListEventSourceMappings", by_queue).await.unwrap();
    assert_eq!(listed, json!({ "EventSourceMappings": [] }));

    let twice = json!({
        "FunctionName": "pay", "EventSourceArn": STREAM, "StartingPosition": "LATEST",
    });
    let twice = m.call("CreateEventSourceMapping", twice).await.unwrap_err();
    let text = format!(
        "ResourceConflictException: The event source arn (\" {STREAM} \") and function (\" pay \") \
         provided mapping already exists. Please update or delete the existing mapping with UUID \
         {uuid}"
    );
    assert_eq!(twice, text);
}

#[tokio::test]
async fn every_setting_changes_and_goes_back() {
    let m = &machine().await;
    let uuid = m.stream_mapping("pay", json!({})).await;
    let one = json!({ "UUID": uuid });
    let queue = "arn:aws:sqs:us-east-1:000000000000:letters";
    let settings = json!({
        "BatchSize": 10_000,
        "MaximumBatchingWindowInSeconds": 300,
        "ParallelizationFactor": 10,
        "DestinationConfig": { "OnFailure": { "Destination": queue } },
        "MaximumRecordAgeInSeconds": 604_800,
        "BisectBatchOnFunctionError": true,
        "MaximumRetryAttempts": 10_000,
        "TumblingWindowInSeconds": 900,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "FilterCriteria": { "Filters": [{ "Pattern": "{\"eventName\":[\"INSERT\"]}" }] },
    });
    let with = |base: &Value, more: &Value| {
        let mut all = base.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let mut expected = with(&described(&uuid), &settings);
    expected["State"] = "Updating".into();
    let changed = m.call("UpdateEventSourceMapping", with(&one, &settings)).await.unwrap();
    assert_eq!(changed, expected);
    let back = json!({
        "UUID": uuid,
        "Enabled": false,
        "DestinationConfig": { "OnFailure": { "Destination": "" } },
        "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1,
        "TumblingWindowInSeconds": 0,
    });
    let changed = m.call("UpdateEventSourceMapping", back).await.unwrap();
    assert_eq!(changed["State"], "Disabling");
    assert_eq!(changed["DestinationConfig"], json!({ "OnFailure": {} }));
    assert_eq!(changed["MaximumRecordAgeInSeconds"], -1);
    assert_eq!(changed["TumblingWindowInSeconds"], 0);
    let got = m.call("GetEventSourceMapping", one.clone()).await.unwrap();
    assert_eq!(got["State"], "Disabled");
    let gone = m.call("DeleteEventSourceMapping", one.clone()).await.unwrap();
    assert_eq!(gone["State"], "Deleting");
    m.call("GetEventSourceMapping", one).await.unwrap_err();
}

#[tokio::test]
async fn a_deleted_mapping_leaves_nothing_behind() {
    let m = &machine().await;
    m.script.takes.lock().unwrap().clone_from(&crate::SECOND);
    let uuid = m.stream_mapping("pay", json!({ "TumblingWindowInSeconds": 30 })).await;
    m.river.write(&["k0=a", "k1=b"]);
    settle().await;
    // Its batches run at the time.
    m.call("DeleteEventSourceMapping", json!({ "UUID": uuid })).await.unwrap();
    m.pass(crate::MINUTE).await;
    let all = store::Space::new(&m.kit.account, "lambda").key(18).prefix();
    let left = m.kit.store.scan(all, store::Dir::Forward, 9).await.unwrap();
    assert_eq!(left.len(), 0);
}

const LETTERS: &str = "arn:aws:sqs:us-east-1:000000000000:letters";

async fn refused(m: &Machine, source: &str, more: Value, expected: &str) {
    let mut input = json!({ "FunctionName": "pay", "EventSourceArn": source });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let error = m.call("CreateEventSourceMapping", input).await.unwrap_err();
    assert_eq!(error, expected, "{more}");
}

/// Settings of a mapping that begins with what is written from now on.
fn at(more: Value) -> Value {
    let mut input = json!({ "StartingPosition": "LATEST" });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

fn unsupported(name: &str) -> String {
    format!(
        "InvalidParameterValueException: Unsupported {name} parameter for given event source \
         mapping type."
    )
}

fn destination(arn: &str) -> Value {
    json!({ "OnFailure": { "Destination": arn } })
}

#[tokio::test]
async fn what_is_of_queues_is_refused_of_streams() {
    let m = &machine().await;
    refused(
        m,
        STREAM,
        json!({}),
        "InvalidParameterValueException: 1 validation error detected: Value null at \
         'startingPosition' failed to satisfy constraint: Member must not be null.",
    )
    .await;
    refused(
        m,
        STREAM,
        json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1 }),
        &format!(
            "InvalidParameterValueException: Unsupported starting position for arn type: {STREAM}"
        ),
    )
    .await;
    for (name, value) in [
        ("ScalingConfig", json!({ "MaximumConcurrency": 2 })),
        ("ProvisionedPollerConfig", json!({ "MinimumPollers": 2 })),
        ("StartingPositionTimestamp", json!(1)),
        ("DestinationConfig", json!({ "OnSuccess": { "Destination": LETTERS } })),
    ] {
        refused(m, STREAM, at(json!({ name: value })), &unsupported(name)).await;
    }
}

#[tokio::test]
async fn what_is_of_streams_is_refused_of_queues() {
    let m = &machine().await;
    refused(
        m,
        QUEUE,
        at(json!({})),
        "InvalidParameterValueException: StartingPosition is not valid for SQS event sources.",
    )
    .await;
    for (name, value) in [
        ("ParallelizationFactor", json!(1)),
        ("DestinationConfig", destination(LETTERS)),
        ("MaximumRecordAgeInSeconds", json!(60)),
        ("BisectBatchOnFunctionError", json!(true)),
        ("MaximumRetryAttempts", json!(0)),
        ("TumblingWindowInSeconds", json!(30)),
        ("StartingPositionTimestamp", json!(1)),
    ] {
        refused(m, QUEUE, json!({ name: value }), &unsupported(name)).await;
    }
}

#[tokio::test]
async fn streams_and_destinations_must_be_there() {
    let m = &machine().await;
    let gone = "arn:aws:dynamodb:us-east-1:000000000000:table/t";
    let none = format!("InvalidParameterValueException: Stream not found: {gone}");
    refused(m, gone, at(json!({})), &none).await;
    let fifo = "arn:aws:sqs:us-east-1:000000000000:letters.fifo";
    for wrong in [fifo, "arn:aws:lambda:us-east-1:000000000000:function:other"] {
        let invalid =
            format!("InvalidParameterValueException: The destination ARN {wrong} is invalid.");
        refused(m, STREAM, at(json!({ "DestinationConfig": destination(wrong) })), &invalid).await;
    }
    refused(
        m,
        STREAM,
        at(json!({ "DestinationConfig": destination("arn:aws:s3:::bucket") })),
        "NotImplemented: lambda: s3 as a destination of an event source mapping is not served",
    )
    .await;
    let error = json!({ "DestinationConfig": destination("letters") });
    let mut input = at(error);
    input["FunctionName"] = "pay".into();
    input["EventSourceArn"] = STREAM.into();
    let error = m.call("CreateEventSourceMapping", input).await.unwrap_err();
    assert!(error.contains("at 'destinationConfig.onFailure.destination'"), "{error}");
}
