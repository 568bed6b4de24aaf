use serde_json::{Value, json};

use crate::{FUNCTION, QUEUE, Server};

/// Each input, completed with the topic, is refused with an error that begins as expected.
async fn check<const N: usize>(operation: &str, cases: [(Value, &str); N]) {
    let server = Server::start().await;
    let topic = server.topic("t").await;
    for (input, expected) in cases {
        let mut full = json!({"TopicArn": topic});
        full.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
        let error = server.call(operation, full).await.unwrap_err();
        assert!(error.starts_with(expected), "{operation}: {error}\nexpected {expected}");
    }
    let listed = server.ok("ListSubscriptions", json!({})).await;
    assert_eq!(listed["Subscriptions"], json!([]));
}

#[tokio::test]
async fn a_topic_that_cannot_be() {
    let encrypted = json!({"Name": "a", "Attributes": {"KmsMasterKeyId": "x"}});
    check(
        "CreateTopic",
        [
            (json!({"Name": "no spaces"}), "InvalidParameter: Invalid parameter: Topic Name"),
            (json!({"Name": "a.fifo"}), "NotImplemented"),
            (encrypted, "NotImplemented: sns topic attribute KmsMasterKeyId"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_topic_that_is_not_there() {
    let other = "arn:aws:sns:us-east-1:000000000000:none";
    for operation in ["GetTopicAttributes", "ListSubscriptionsByTopic"] {
        check(operation, [
            (json!({"TopicArn": other}), "NotFound: Topic does not exist"),
            (
                json!({"TopicArn": "x"}),
                "InvalidParameter: Invalid parameter: TopicArn Reason: An ARN must have at least \
                 6 elements, not 1",
            ),
        ])
        .await;
    }
}

#[tokio::test]
async fn a_message_that_is_none() {
    let attribute = |value: Value| json!({"Message": "x", "MessageAttributes": {"a": value}});
    let structured = |text: &str| json!({"Message": text, "MessageStructure": "json"});
    let text = |data_type: &str| attribute(json!({"DataType": data_type, "StringValue": "x"}));
    let long = json!({"Message": "x".repeat(262_145)});
    check(
        "Publish",
        [
            (json!({"Message": ""}), "InvalidParameter: Invalid parameter: Empty message"),
            (long, "InvalidParameter: Invalid parameter: Message too long"),
            (
                json!({"Message": "x", "Subject": ""}),
                "InvalidParameter: Invalid parameter: Subject",
            ),
            (json!({"Message": "x", "PhoneNumber": "+1"}), "NotImplemented"),
            (
                structured("x"),
                "InvalidParameter: Invalid parameter: Message Structure - JSON message body failed",
            ),
            (
                structured("{}"),
                "InvalidParameter: Invalid parameter: Message Structure - No default entry",
            ),
            (attribute(json!({"DataType": "String"})), "ParameterValueInvalid"),
            (text("Text"), "ParameterValueInvalid"),
            (text("Number"), "ParameterValueInvalid"),
            (text("Binary"), "ParameterValueInvalid"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_batch_that_is_none() {
    let entry = |id: &str, message: &str| json!({"Id": id, "Message": message});
    let batch = |entries: Value| json!({"PublishBatchRequestEntries": entries});
    let half = "x".repeat(200_000);
    check(
        "PublishBatch",
        [
            (batch(json!([])), "EmptyBatchRequest"),
            (batch(json!([entry("a", &half), entry("b", &half)])), "BatchRequestTooLong"),
            (batch(json!([entry("a", "x"), entry("a", "x")])), "BatchEntryIdsNotDistinct"),
            (batch(json!([entry("no!", "x")])), "InvalidBatchEntryId"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_subscription_that_cannot_be() {
    let to = |protocol: &str, endpoint: &str, attributes: Value| {
        let mut input = json!({"Protocol": protocol, "Endpoint": endpoint});
        input["Attributes"] = attributes;
        input
    };
    let (queue, function) = (format!("{QUEUE}:q"), format!("{FUNCTION}:f"));
    let redrive = json!({"deadLetterTargetArn": format!("{QUEUE}:dead.fifo")});
    check("Subscribe", [
        (
            to("pigeon", "x", json!({})),
            "InvalidParameter: Invalid parameter: Amazon SNS does not support this protocol \
             string: pigeon",
        ),
        (to("email", "x", json!({})), "NotImplemented"),
        (to("sqs", "x", json!({})), "InvalidParameter"),
        (to("sqs", &function, json!({})), "InvalidParameter"),
        (
            to("lambda", &function, json!({"RawMessageDelivery": "true"})),
            "InvalidParameter: Invalid parameter: Attributes Reason: Delivery protocol [lambda]",
        ),
        (
            to("sqs", &queue, json!({"Nonsense": "x"})),
            "InvalidParameter: Invalid parameter: AttributeName",
        ),
        (
            to("sqs", &queue, json!({"FilterPolicy": "{"})),
            "InvalidParameter: Invalid parameter: Attributes Reason: FilterPolicy: failed to \
             parse JSON.",
        ),
        (
            to("sqs", &queue, json!({"RedrivePolicy": redrive.to_string()})),
            "InvalidParameter: Invalid parameter: Attributes Reason: RedrivePolicy: must use a \
             standard queue",
        ),
    ])
    .await;
}
