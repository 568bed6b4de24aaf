//! Receives from FIFO queues: tried again, too late, given back, or never made.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{fifo, receive, send};
use crate::{Server, bodies};

#[tokio::test]
async fn a_receive_tried_again_gives_the_same() {
    let server = &Server::start().await;
    let url = &fifo(server, "q.fifo", json!({})).await;
    for body in ["1", "2", "3"] {
        send(server, url, "g", body).await;
    }
    send(server, url, "h", "4").await;
    let attempt = |max: u32| json!({ "MaxNumberOfMessages": max, "ReceiveRequestAttemptId": "t" });
    let first = server.receive_with(url, attempt(2)).await;
    server.pass(20).await;
    assert_eq!(server.receive_with(url, attempt(2)).await, first);
    // Its time begins anew.
    server.pass(20).await;
    assert_eq!(server.receive_with(url, attempt(2)).await, first);
    assert_eq!(bodies(&receive(server, url, 10).await), ["4"]);
    server.delete(url, &first[0]).await;
    assert!(server.receive_with(url, attempt(2)).await.is_empty());
    server.pass(31).await;
    assert_eq!(bodies(&server.receive_with(url, attempt(2)).await), ["2", "3"]);
    // After five minutes it is an attempt like any other.
    let input = json!({ "MaxNumberOfMessages": 1, "ReceiveRequestAttemptId": "u" });
    let long = json!({ "VisibilityTimeout": "600" });
    server.ok("SetQueueAttributes", json!({ "QueueUrl": url, "Attributes": long })).await;
    assert_eq!(bodies(&server.receive_with(url, input.clone()).await), ["4"]);
    server.pass(301).await;
    assert_eq!(bodies(&server.receive_with(url, input).await), ["2"]);
}

#[tokio::test]
async fn an_expired_handle_deletes_nothing_and_that_is_an_error() {
    let server = &Server::start().await;
    let url = &fifo(server, "q.fifo", json!({})).await;
    send(server, url, "g", "x").await;
    let taken = &receive(server, url, 1).await[0];
    let handle = taken["ReceiptHandle"].as_str().unwrap();
    let input = json!({ "QueueUrl": url, "ReceiptHandle": handle });
    let expected = format!(
        "InvalidParameterValueException: Value {handle} for parameter ReceiptHandle is invalid. \
         Reason: The receipt handle has expired."
    );
    server.pass(31).await;
    assert_eq!(server.call("DeleteMessage", input.clone()).await.unwrap_err(), expected);
    let again = &receive(server, url, 1).await[0];
    assert_eq!(server.call("DeleteMessage", input).await.unwrap_err(), expected);
    let entries = json!([
        { "Id": "old", "ReceiptHandle": handle },
        { "Id": "new", "ReceiptHandle": again["ReceiptHandle"] },
    ]);
    let answer =
        server.ok("DeleteMessageBatch", json!({ "QueueUrl": url, "Entries": entries })).await;
    assert_eq!(answer["Successful"], json!([{ "Id": "new" }]));
    assert_eq!(answer["Failed"][0]["Code"], "InvalidParameterValue");
    // What is deleted is deleted, once or twice.
    server.delete(url, again).await;
    assert_eq!(server.counts(url).await, "0/0/0");
}

#[tokio::test]
async fn a_receive_given_back_does_not_count_and_keeps_the_order() {
    let server = &Server::start().await;
    for name in ["q.fifo", "q"] {
        let dead = format!("dead-{name}");
        let policy = json!({ "deadLetterTargetArn": format!("arn:aws:sqs:us-east-1:000000000000:{dead}"),
                             "maxReceiveCount": 1 });
        let policy = json!({ "RedrivePolicy": policy.to_string() });
        let url = &match name {
            "q" => {
                server.queue(&dead, json!({})).await;
                server.queue(name, policy).await
            }
            _ => {
                fifo(server, &dead, json!({})).await;
                fifo(server, name, policy).await
            }
        };
        for body in ["1", "2", "3"] {
            match name {
                "q" => server.send(url, body).await,
                _ => send(server, url, "g", body).await,
            };
        }
        let from = &format!("arn:aws:sqs:us-east-1:000000000000:{name}").parse().unwrap();
        let source = server.kit.sources.get(from).unwrap();
        for _ in 0..3 {
            let taken = source.receive(from, 10, Duration::ZERO).await.unwrap();
            let count = |at: usize| &taken[at].record["attributes"]["ApproximateReceiveCount"];
            assert_eq!((taken.len(), count(0), count(2)), (3, &json!("1"), &json!("1")));
            let handles = taken.into_iter().map(|one| one.handle).collect();
            source.release(from, handles).await.unwrap();
            assert_eq!(server.counts(url).await, "3/0/0");
        }
        let last = server.receive(url).await;
        assert_eq!(bodies(&last), ["1", "2", "3"]);
        // What another has received since, or nobody any more, stays.
        let taken = source.receive(from, 10, Duration::ZERO).await.unwrap();
        assert!(taken.is_empty());
        server.delete(url, &last[0]).await;
        let old = last.iter().map(|one| one["ReceiptHandle"].as_str().unwrap().to_owned());
        let old: Vec<String> = old.collect();
        server.pass(31).await;
        source.release(from, old).await.unwrap();
        assert_eq!(server.counts(url).await, "2/0/0");
        assert!(server.receive(url).await.is_empty(), "dead letters: their receive counted");
    }
}

/// A handle like another, but of no receive, and of the message with this number.
fn made_up(like: &Value, queue: &str, number: &str) -> String {
    let mut bytes = BASE64_STANDARD.decode(like.as_str().unwrap()).unwrap();
    bytes[8..16].copy_from_slice(&number.parse::<u64>().unwrap().to_be_bytes());
    bytes[16..24].fill(0);
    let sum = crc32c::crc32c_append(crc32c::crc32c(queue.as_bytes()), &bytes[..24]);
    bytes[24..].copy_from_slice(&sum.to_be_bytes());
    BASE64_STANDARD.encode(bytes)
}

#[tokio::test]
async fn a_handle_of_no_receive_is_refused() {
    let server = &Server::start().await;
    let url = &fifo(server, "q.fifo", json!({})).await;
    send(server, url, "g", "1").await;
    let handle = &receive(server, url, 1).await[0]["ReceiptHandle"];
    let delay = json!({ "DelaySeconds": "10" });
    server.ok("SetQueueAttributes", json!({ "QueueUrl": url, "Attributes": delay })).await;
    let delayed = send(server, url, "h", "2").await;
    let number = delayed["SequenceNumber"].as_str().unwrap();
    let handle = made_up(handle, "arn:aws:sqs:us-east-1:000000000000:q.fifo", number);
    let input = json!({ "QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 60 });
    for operation in ["ChangeMessageVisibility", "DeleteMessage"] {
        let error = server.call(operation, input.clone()).await.unwrap_err();
        assert!(error.starts_with("ReceiptHandleIsInvalid"), "{operation}: {error}");
    }
    assert_eq!(server.counts(url).await, "0/1/1");
    server.pass(11).await;
    assert_eq!(bodies(&receive(server, url, 10).await), ["2"]);
}
