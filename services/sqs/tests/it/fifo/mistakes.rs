//! What is refused about FIFO queues and their messages.

use serde_json::{Value, json};

use super::fifo;
use crate::Server;

async fn refused(server: &Server, operation: &str, input: Value, expected: &str) {
    let error = server.call(operation, input.clone()).await.unwrap_err();
    assert!(error.starts_with(expected), "{operation} {input}: {error}");
}

#[tokio::test]
async fn each_mistake_about_a_queue_is_told_in_the_words_of_aws() {
    let server = &Server::start().await;
    let url = &fifo(server, "q.fifo", json!({})).await;
    let standard = &server.queue("standard", json!({})).await;
    let is_fifo = json!({ "FifoQueue": "true" });
    let name = "InvalidParameterValueException: The name of a FIFO queue can only include \
                alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and \
                be 1 to 80 in length";
    let no_name = "InvalidParameterValueException: Can only include alphanumeric";
    let long = format!("{}.fifo", "x".repeat(76));
    for (queue, attributes, expected) in [
        ("a", is_fifo.clone(), name),
        (&long, is_fifo.clone(), name),
        (".fifo", is_fifo.clone(), name),
        ("a.fifo", json!({}), no_name),
        ("a.fifo", json!({ "FifoQueue": "false" }), no_name),
        (
            "a",
            json!({ "ContentBasedDeduplication": "true" }),
            "InvalidAttributeName: Unknown Attribute ContentBasedDeduplication.",
        ),
        (
            "a.fifo",
            json!({ "FifoQueue": "true", "DeduplicationScope": "x" }),
            "InvalidAttributeValue: Invalid value for the parameter DeduplicationScope.",
        ),
        (
            "q.fifo",
            json!({ "FifoQueue": "true", "ContentBasedDeduplication": "true" }),
            "QueueNameExists: A queue already exists with the same name and a different value for \
             attribute ContentBasedDeduplication",
        ),
    ] {
        let input = json!({ "QueueName": queue, "Attributes": attributes });
        refused(server, "CreateQueue", input, expected).await;
    }
    let another = "InvalidAttributeValue: Invalid value for the parameter FifoQueue. Reason: \
                   Modifying queue type is not supported.";
    let limit = "InvalidAttributeValue: Invalid value for the parameter FifoThroughputLimit.";
    for (url, attributes, expected) in [
        (url, json!({ "FifoQueue": "false" }), another),
        (standard, is_fifo, another),
        (url, json!({ "FifoThroughputLimit": "perMessageGroupId" }), limit),
    ] {
        let input = json!({ "QueueUrl": url, "Attributes": attributes });
        refused(server, "SetQueueAttributes", input, expected).await;
    }
    assert_eq!(fifo(server, "q.fifo", json!({})).await, *url);
    let input = json!({ "QueueUrl": url, "AttributeNames": ["All"] });
    let shown = &server.ok("GetQueueAttributes", input).await["Attributes"];
    assert_eq!(
        (&shown["FifoQueue"], &shown["DeduplicationScope"]),
        (&json!("true"), &json!("queue"))
    );
    assert_eq!(shown["FifoThroughputLimit"], "perQueue");
}

#[tokio::test]
async fn each_mistake_about_a_message_is_told_in_the_words_of_aws() {
    let server = &Server::start().await;
    let url = &fifo(server, "q.fifo", json!({})).await;
    let standard = server.queue("standard", json!({})).await;
    let value = "InvalidParameterValueException: ";
    let long = "x".repeat(129);
    for (more, expected) in [
        (
            json!({}),
            "MissingRequiredParameterException: The request must contain the parameter \
             MessageGroupId."
                .to_owned(),
        ),
        (
            json!({ "MessageGroupId": "g" }),
            format!(
                "{value}The queue should either have ContentBasedDeduplication enabled or \
                 MessageDeduplicationId provided explicitly"
            ),
        ),
        (
            json!({ "MessageGroupId": "a b" }),
            format!(
                "{value}Value a b for parameter MessageGroupId is invalid. Reason: MessageGroupId \
                 can only include alphanumeric and punctuation characters. 1 to 128 in length."
            ),
        ),
        (
            json!({ "MessageGroupId": "g", "MessageDeduplicationId": long }),
            format!("{value}Value {long} for parameter MessageDeduplicationId is invalid."),
        ),
    ] {
        let mut input = json!({ "QueueUrl": url, "MessageBody": "x" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        refused(server, "SendMessage", input, &expected).await;
    }
    let attempt = json!({ "QueueUrl": standard, "ReceiveRequestAttemptId": "x" });
    let expected = format!(
        "{value}The request include parameter ReceiveRequestAttemptId which is not valid for this \
         queue type"
    );
    refused(server, "ReceiveMessage", attempt, &expected).await;
}
