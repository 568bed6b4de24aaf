use serde_json::{Value, json};

use crate::Server;

const VALUE: &str = "InvalidParameterValueException";
const MISSING: &str = "MissingRequiredParameterException";

#[tokio::test]
async fn each_mistake_has_the_code_of_aws() {
    let server = Server::start().await;
    let url = server.queue("q", json!({})).await;
    let other = server.queue("other", json!({})).await;
    server.send(&other, "x").await;
    let foreign = &server.receive(&other).await[0]["ReceiptHandle"];
    let attribute = |value: Value| json!({"MessageBody": "x", "MessageAttributes": {"a": value}});
    for (operation, input, code) in [
        ("CreateQueue", json!({"QueueName": "no spaces"}), VALUE),
        ("CreateQueue", json!({"QueueName": "x".repeat(81)}), VALUE),
        ("CreateQueue", json!({"QueueName": ""}), VALUE),
        ("CreateQueue", json!({}), MISSING),
        ("CreateQueue", json!({"QueueName": "a.fifo"}), VALUE),
        ("SendMessage", json!({}), MISSING),
        ("SendMessage", json!({"MessageBody": ""}), MISSING),
        ("SendMessage", json!({"MessageBody": "\u{0}"}), "InvalidMessageContents"),
        ("SendMessage", json!({"MessageBody": "\u{FFFF}"}), "InvalidMessageContents"),
        ("SendMessage", json!({"MessageBody": "x".repeat(1_048_577)}), VALUE),
        ("SendMessage", json!({"MessageBody": "x", "DelaySeconds": -1}), VALUE),
        ("SendMessage", json!({"MessageBody": "x", "MessageGroupId": "g"}), "NotImplemented"),
        ("SendMessage", attribute(json!({"DataType": "String"})), VALUE),
        ("SendMessage", attribute(json!({"StringValue": "x"})), VALUE),
        ("SendMessage", attribute(json!({"DataType": "Text", "StringValue": "x"})), VALUE),
        ("SendMessage", attribute(json!({"DataType": "Number", "StringValue": "x"})), VALUE),
        ("ReceiveMessage", json!({"MaxNumberOfMessages": 0}), VALUE),
        ("ReceiveMessage", json!({"MaxNumberOfMessages": 11}), VALUE),
        ("ReceiveMessage", json!({"WaitTimeSeconds": 21}), VALUE),
        ("ReceiveMessage", json!({"VisibilityTimeout": 43201}), VALUE),
        ("ReceiveMessage", json!({"AttributeNames": ["Nonsense"]}), "InvalidAttributeName"),
        ("DeleteMessage", json!({"ReceiptHandle": "nonsense"}), "ReceiptHandleIsInvalid"),
        ("DeleteMessage", json!({"ReceiptHandle": foreign}), "ReceiptHandleIsInvalid"),
        ("DeleteMessage", json!({}), MISSING),
        (
            "ChangeMessageVisibility",
            json!({"ReceiptHandle": "x", "VisibilityTimeout": 1}),
            "ReceiptHandleIsInvalid",
        ),
        ("GetQueueAttributes", json!({"AttributeNames": ["Nonsense"]}), "InvalidAttributeName"),
        (
            "SetQueueAttributes",
            json!({"Attributes": {"VisibilityTimeout": "43201"}}),
            "InvalidAttributeValue",
        ),
        (
            "SetQueueAttributes",
            json!({"Attributes": {"KmsMasterKeyId": "alias/x"}}),
            "NotImplemented",
        ),
    ] {
        let mut full = json!({"QueueUrl": url});
        full.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
        let error = server.call(operation, full).await.unwrap_err();
        assert_eq!(error.split(':').next(), Some(code), "{operation}: {error}");
    }
    for (url, code) in [
        ("http://localhost/000000000000/none", "QueueDoesNotExist"),
        ("http://localhost/111111111111/q", "QueueDoesNotExist"),
        ("nonsense", "InvalidAddress"),
    ] {
        let error = server.call("ReceiveMessage", json!({"QueueUrl": url})).await.unwrap_err();
        assert_eq!(error.split(':').next(), Some(code), "{error}");
    }
    assert_eq!(server.counts(&url).await, "0/0/0");
}

#[tokio::test]
async fn a_queue_for_dead_letters_must_be_there_and_another() {
    let server = Server::start().await;
    server.queue("q", json!({})).await;
    for (name, target, reason) in [
        ("q2", "arn:aws:sqs:us-east-1:000000000000:none", "does not exist"),
        ("q2", "arn:aws:sqs:us-east-1:000000000000:q2", "the queue itself"),
        ("q2", "arn:aws:sqs:eu-west-1:000000000000:q", "same account and region"),
        ("q2", "arn:aws:sns:us-east-1:000000000000:q", "same account and region"),
    ] {
        let policy = json!({"deadLetterTargetArn": target, "maxReceiveCount": 1}).to_string();
        let input = json!({"QueueName": name, "Attributes": {"RedrivePolicy": policy}});
        let error = server.call("CreateQueue", input).await.unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
}
