use serde_json::{Value, json};

use crate::{Server, bodies};

async fn pair(server: &Server, receives: u32) -> (String, String) {
    let dead = server.queue("dead", json!({})).await;
    let arn = "arn:aws:sqs:us-east-1:000000000000:dead";
    let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": receives}).to_string();
    (server.queue("q", json!({"RedrivePolicy": policy})).await, dead)
}

#[tokio::test]
async fn a_message_received_too_often_is_in_the_other_queue_and_only_there() {
    let server = Server::start().await;
    let (url, dead) = pair(&server, 2).await;
    let attributes = json!({"why": {"DataType": "String", "StringValue": "test"}});
    let input = json!({"QueueUrl": url, "MessageBody": "bad", "MessageAttributes": attributes});
    let sent = server.ok("SendMessage", input).await;
    for _ in 0..2 {
        assert_eq!(server.receive(&url).await.len(), 1);
        assert_eq!(server.counts(&dead).await, "0/0/0");
        server.pass(31).await;
    }
    server.send(&url, "good").await;
    // The receive that finds it out goes on to the next message.
    assert_eq!(bodies(&server.receive(&url).await), ["good"]);
    assert_eq!(
        (server.counts(&url).await, server.counts(&dead).await),
        ("0/1/0".into(), "1/0/0".into())
    );
    let moved: Vec<Value> = server.receive(&dead).await;
    assert_eq!(moved[0]["MessageId"], sent["MessageId"]);
    assert_eq!(moved[0]["MessageAttributes"], attributes);
    assert_eq!(moved[0]["Attributes"]["SentTimestamp"], "1700000000000");
    let source = "arn:aws:sqs:us-east-1:000000000000:q";
    assert_eq!(moved[0]["Attributes"]["DeadLetterQueueSourceArn"], source);
    server.delete(&dead, &moved[0]).await;
    assert_eq!(server.counts(&dead).await, "0/0/0");
}

#[tokio::test]
async fn a_large_message_moves_with_its_content() {
    let server = Server::start().await;
    let (url, dead) = pair(&server, 1).await;
    let body = "x".repeat(1_000_000);
    server.send(&url, &body).await;
    assert_eq!(server.receive(&url).await[0]["Body"], body);
    server.pass(31).await;
    assert!(server.receive(&url).await.is_empty());
    let server = server.restart().await;
    let moved = server.receive(&dead).await;
    assert_eq!(moved[0]["Body"], body);
    server.delete(&dead, &moved[0]).await;
    assert_eq!(server.keys().await, 2);
}

#[tokio::test]
async fn without_the_other_queue_a_message_stays() {
    let server = Server::start().await;
    let (url, dead) = pair(&server, 1).await;
    server.send(&url, "x").await;
    server.ok("DeleteQueue", json!({"QueueUrl": dead})).await;
    for _ in 0..3 {
        assert_eq!(server.receive(&url).await.len(), 1);
        server.pass(31).await;
    }
}

#[tokio::test]
async fn retention_counts_from_the_first_send_also_after_the_move() {
    let server = Server::start().await;
    let (url, dead) = pair(&server, 1).await;
    let day = 24 * 60 * 60;
    server.send(&url, "x").await;
    server.tick("expire").await;
    assert_eq!(server.receive(&url).await.len(), 1);
    server.pass(3 * day).await;
    server.tick("expire").await;
    assert!(server.receive(&url).await.is_empty());
    assert_eq!(server.counts(&dead).await, "1/0/0");
    server.pass(day).await;
    server.tick("expire").await;
    assert_eq!(server.counts(&dead).await, "0/0/0");
}
