use serde_json::json;

use crate::{Server, bodies};

#[tokio::test]
async fn a_message_in_flight_is_nobodys_until_its_time_is_up() {
    let server = Server::start().await;
    let url = server.queue("q", json!({"VisibilityTimeout": "10"})).await;
    let sent = server.send(&url, "x").await;
    let first = server.receive(&url).await;
    assert_eq!(first[0]["MessageId"], sent["MessageId"]);
    assert_eq!(first[0]["Attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(first[0]["Attributes"]["SentTimestamp"], "1700000000000");
    server.pass(9).await;
    assert!(server.receive(&url).await.is_empty());
    assert_eq!(server.counts(&url).await, "0/1/0");
    server.pass(1).await;
    assert_eq!(server.counts(&url).await, "1/0/0");
    let second = server.receive(&url).await;
    assert_eq!(second[0]["Attributes"]["ApproximateReceiveCount"], "2");
    assert_eq!(second[0]["Attributes"]["ApproximateFirstReceiveTimestamp"], "1700000000000");
    assert_ne!(second[0]["ReceiptHandle"], first[0]["ReceiptHandle"]);
    // The handle of the receive before is no error and has no effect.
    server.delete(&url, &first[0]).await;
    assert_eq!(server.counts(&url).await, "0/1/0");
    server.delete(&url, &second[0]).await;
    assert_eq!(server.counts(&url).await, "0/0/0");
    server.delete(&url, &second[0]).await;
    server.pass(60).await;
    assert_eq!(server.counts(&url).await, "0/0/0");
    assert_eq!(server.keys().await, 1);
}

#[tokio::test]
async fn a_handle_is_good_after_its_time_as_long_as_nobody_else_received() {
    let server = Server::start().await;
    let url = server.queue("q", json!({})).await;
    server.send(&url, "x").await;
    let taken = server.receive(&url).await;
    server.pass(31).await;
    assert_eq!(server.counts(&url).await, "1/0/0");
    server.delete(&url, &taken[0]).await;
    assert_eq!(server.counts(&url).await, "0/0/0");
    assert!(server.receive(&url).await.is_empty());
}

#[tokio::test]
async fn visibility_is_changed_from_the_call_on() {
    let server = Server::start().await;
    let url = server.queue("q", json!({"VisibilityTimeout": "10"})).await;
    server.send(&url, "x").await;
    let taken = server.receive(&url).await;
    let handle = &taken[0]["ReceiptHandle"];
    let change = |secs: u32| {
        let input = json!({"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": secs});
        server.call("ChangeMessageVisibility", input)
    };
    server.pass(5).await;
    change(20).await.unwrap();
    server.pass(19).await;
    assert_eq!(server.counts(&url).await, "0/1/0");
    server.pass(1).await;
    assert_eq!(server.counts(&url).await, "1/0/0");
    let error = change(5).await.unwrap_err();
    assert_eq!(error, "MessageNotInflight: The specified message isn't in flight.");
    change(0).await.unwrap();

    let taken = server.receive(&url).await;
    assert!(change(0).await.unwrap_err().contains("not available for visibility timeout change"));
    let handle = &taken[0]["ReceiptHandle"];
    let input =
        |secs: u32| json!({"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": secs});
    server.pass(1).await;
    let error = server.call("ChangeMessageVisibility", input(43_200)).await.unwrap_err();
    assert!(error.contains("beyond the limit [43200 seconds]"), "{error}");
    server.ok("ChangeMessageVisibility", input(0)).await;
    assert_eq!(server.counts(&url).await, "1/0/0");
    server.pass(100).await;
    assert_eq!(bodies(&server.receive(&url).await), ["x"]);
}

#[tokio::test]
async fn received_for_no_time_it_stays_ready() {
    let server = Server::start().await;
    let url = server.queue("q", json!({})).await;
    server.send(&url, "x").await;
    for count in ["1", "2", "3"] {
        let taken = server.receive_with(&url, json!({"VisibilityTimeout": 0})).await;
        assert_eq!(taken[0]["Attributes"]["ApproximateReceiveCount"], count);
        assert_eq!(server.counts(&url).await, "1/0/0");
    }
    let taken = server.receive(&url).await;
    server.delete(&url, &taken[0]).await;
    assert_eq!(server.keys().await, 1);
}

#[tokio::test]
async fn a_delay_is_the_messages_own_or_that_of_its_queue() {
    let server = Server::start().await;
    let url = server.queue("q", json!({"DelaySeconds": "10"})).await;
    server.send(&url, "ten").await;
    for (body, secs) in [("five", 5), ("now", 0)] {
        let input = json!({"QueueUrl": url, "MessageBody": body, "DelaySeconds": secs});
        server.ok("SendMessage", input).await;
    }
    assert_eq!(server.counts(&url).await, "1/0/2");
    assert_eq!(bodies(&server.receive(&url).await), ["now"]);
    server.pass(5).await;
    assert_eq!(bodies(&server.receive(&url).await), ["five"]);
    server.pass(5).await;
    assert_eq!(bodies(&server.receive(&url).await), ["ten"]);
}
