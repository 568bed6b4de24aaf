use serde_json::{Value, json};

use crate::Server;

fn ids(entries: &Value) -> Vec<&str> {
    entries.as_array().map_or(vec![], |all| all.iter().map(|e| e["Id"].as_str().unwrap()).collect())
}

#[tokio::test]
async fn an_entry_that_is_wrong_fails_alone() {
    let server = Server::start().await;
    let url = server.queue("q", json!({"MaximumMessageSize": "1024"})).await;
    let entries = json!([
        {"Id": "good", "MessageBody": "a"},
        {"Id": "nul", "MessageBody": "\u{0}"},
        {"Id": "late", "MessageBody": "b", "DelaySeconds": 901},
        {"Id": "big", "MessageBody": "x".repeat(1025)},
        {"Id": "also", "MessageBody": "c", "DelaySeconds": 1},
    ]);
    let sent = server.ok("SendMessageBatch", json!({"QueueUrl": url, "Entries": entries})).await;
    assert_eq!(ids(&sent["Successful"]), ["good", "also"]);
    assert_eq!(sent["Successful"][0]["MD5OfMessageBody"], "0cc175b9c0f1b6a831c399e269772661");
    let failed: Vec<_> = sent["Failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["Id"].as_str().unwrap(), entry["Code"].as_str().unwrap()))
        .collect();
    assert_eq!(
        failed,
        [
            ("nul", "InvalidMessageContents"),
            ("late", "InvalidParameterValue"),
            ("big", "InvalidParameterValue")
        ]
    );
    assert_eq!(server.counts(&url).await, "1/0/1");
}

#[tokio::test]
async fn deletes_and_changes_name_what_failed() {
    let server = Server::start().await;
    let url = server.queue("q", json!({})).await;
    for n in 0..3 {
        server.send(&url, &n.to_string()).await;
    }
    let taken = server.receive(&url).await;
    let handle = |n: usize| &taken[n]["ReceiptHandle"];
    let entries = json!([
        {"Id": "a", "ReceiptHandle": handle(0), "VisibilityTimeout": 0},
        {"Id": "b", "ReceiptHandle": handle(1), "VisibilityTimeout": 100},
        {"Id": "c", "ReceiptHandle": "nonsense", "VisibilityTimeout": 0},
        {"Id": "d", "ReceiptHandle": handle(2), "VisibilityTimeout": 43201},
    ]);
    let input = json!({"QueueUrl": url, "Entries": entries});
    let changed = server.ok("ChangeMessageVisibilityBatch", input).await;
    assert_eq!(ids(&changed["Successful"]), ["a", "b"]);
    assert_eq!(ids(&changed["Failed"]), ["c", "d"]);
    assert_eq!(changed["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
    assert_eq!(server.counts(&url).await, "1/2/0");
    let entries = json!([
        {"Id": "a", "ReceiptHandle": handle(1)},
        {"Id": "b", "ReceiptHandle": handle(1)},
        {"Id": "c", "ReceiptHandle": "nonsense"},
    ]);
    let input = json!({"QueueUrl": url, "Entries": entries});
    let deleted = server.ok("DeleteMessageBatch", input).await;
    assert_eq!(ids(&deleted["Successful"]), ["a", "b"]);
    assert_eq!(ids(&deleted["Failed"]), ["c"]);
    assert_eq!(server.counts(&url).await, "1/1/0");
}

#[tokio::test]
async fn a_batch_has_its_own_mistakes() {
    let server = Server::start().await;
    let url = server.queue("q", json!({})).await;
    let many: Vec<_> = (0..11).map(|n| json!({"Id": n.to_string(), "MessageBody": "x"})).collect();
    let half = "x".repeat(600_000);
    for (entries, expected) in [
        (
            json!([]),
            "EmptyBatchRequest: There should be at least one SendMessageBatchRequestEntry in the \
             request.",
        ),
        (
            json!(many),
            "TooManyEntriesInBatchRequest: Maximum number of entries per request are 10. You have \
             sent 11.",
        ),
        (
            json!([{"Id": "a", "MessageBody": "x"}, {"Id": "a", "MessageBody": "x"}]),
            "BatchEntryIdsNotDistinct: Id a repeated.",
        ),
        (
            json!([{"Id": "no!", "MessageBody": "x"}]),
            "InvalidBatchEntryId: A batch entry id can only contain alphanumeric characters, \
             hyphens and underscores. It can be at most 80 letters long.",
        ),
        (
            json!([{"Id": "a", "MessageBody": half}, {"Id": "b", "MessageBody": half}]),
            "BatchRequestTooLong: Batch requests cannot be longer than 1048576 bytes. You have \
             sent 1200000 bytes.",
        ),
    ] {
        let input = json!({"QueueUrl": url, "Entries": entries});
        assert_eq!(server.call("SendMessageBatch", input).await.unwrap_err(), expected);
    }
    assert_eq!(server.counts(&url).await, "0/0/0");
}
