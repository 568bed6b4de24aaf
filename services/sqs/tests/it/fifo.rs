//! FIFO queues: order in a group, one receiver of it at a time, nothing twice.

mod mistakes;
mod receives;
mod restart;

use serde_json::{Value, json};

use crate::{Server, bodies};

pub(crate) async fn fifo(server: &Server, name: &str, more: Value) -> String {
    let mut attributes = json!({ "FifoQueue": "true" });
    attributes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    server.queue(name, attributes).await
}

/// Sends a message whose deduplication id is its body.
async fn send(server: &Server, url: &str, group: &str, body: &str) -> Value {
    server.ok("SendMessage", message(url, group, body)).await
}

fn message(url: &str, group: &str, body: &str) -> Value {
    json!({
        "QueueUrl": url, "MessageBody": body, "MessageGroupId": group,
        "MessageDeduplicationId": body,
    })
}

async fn receive(server: &Server, url: &str, max: u32) -> Vec<Value> {
    server.receive_with(url, json!({ "MaxNumberOfMessages": max })).await
}

#[tokio::test]
async fn a_group_is_received_in_order_and_by_one_at_a_time() {
    let server = &Server::start().await;
    let url = &fifo(server, "q.fifo", json!({})).await;
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3"), ("b", "b2")] {
        send(server, url, group, body).await;
    }
    let first = receive(server, url, 2).await;
    assert_eq!(bodies(&first), ["a1", "a2"]);
    let second = receive(server, url, 10).await;
    assert_eq!(bodies(&second), ["b1", "b2"]);
    // More for a blocked group does not free it.
    send(server, url, "a", "a4").await;
    assert!(receive(server, url, 10).await.is_empty());
    server.delete(url, &first[0]).await;
    assert!(receive(server, url, 10).await.is_empty());
    server.delete(url, &first[1]).await;
    assert_eq!(bodies(&receive(server, url, 10).await), ["a3", "a4"]);
    assert_eq!(server.counts(url).await, "0/4/0");
}

#[tokio::test]
async fn what_comes_back_comes_first() {
    let server = &Server::start().await;
    let url = &fifo(server, "q.fifo", json!({})).await;
    for body in ["1", "2", "3", "4"] {
        send(server, url, "g", body).await;
    }
    let taken = receive(server, url, 3).await;
    assert_eq!(bodies(&taken), ["1", "2", "3"]);
    server.delete(url, &taken[1]).await;
    // The first is back, and waits for the third.
    let input = |message: &Value| {
        let handle = &message["ReceiptHandle"];
        json!({ "QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 0 })
    };
    server.ok("ChangeMessageVisibility", input(&taken[0])).await;
    assert!(receive(server, url, 10).await.is_empty());
    server.pass(31).await;
    let again = receive(server, url, 10).await;
    assert_eq!(bodies(&again), ["1", "3", "4"]);
    assert_eq!(again[0]["Attributes"]["ApproximateReceiveCount"], "2");
}

#[tokio::test]
async fn a_message_shows_its_group_id_and_number() {
    let server = &Server::start().await;
    let url = &fifo(server, "q.fifo", json!({})).await;
    let sent = [send(server, url, "g", "1").await, send(server, url, "g", "2").await];
    let taken = receive(server, url, 10).await;
    for (sent, taken) in sent.iter().zip(&taken) {
        let attributes = &taken["Attributes"];
        assert_eq!(attributes["MessageGroupId"], "g");
        assert_eq!(attributes["MessageDeduplicationId"], taken["Body"]);
        assert_eq!(attributes["SequenceNumber"], sent["SequenceNumber"]);
        assert_eq!(taken["MessageId"], sent["MessageId"]);
    }
    let number = |at: usize| sent[at]["SequenceNumber"].as_str().unwrap();
    assert!(number(0) < number(1) && number(0).len() == 20);
    assert!(number(0).bytes().all(|byte| byte.is_ascii_digit()));
}

#[tokio::test]
async fn nothing_is_sent_twice_within_five_minutes_whatever_became_of_it() {
    let mut server = Server::start().await;
    let url = fifo(&server, "q.fifo", json!({})).await;
    let first = send(&server, &url, "g", "x").await;
    let again = |answer: &Value| {
        assert_eq!(answer["MessageId"], first["MessageId"]);
        assert_eq!(answer["SequenceNumber"], first["SequenceNumber"]);
    };
    again(&send(&server, &url, "another", "x").await);
    assert_eq!(server.counts(&url).await, "1/0/0");
    server.delete(&url, &receive(&server, &url, 1).await[0]).await;
    again(&send(&server, &url, "g", "x").await);
    server.ok("PurgeQueue", json!({ "QueueUrl": url })).await;
    again(&send(&server, &url, "g", "x").await);
    server.pass(200).await;
    server = server.restart().await;
    again(&send(&server, &url, "g", "x").await);
    assert_eq!(server.counts(&url).await, "0/0/0");
    // From the first send on, not from the last try.
    server.pass(101).await;
    let other = send(&server, &url, "g", "x").await;
    assert_ne!(other["MessageId"], first["MessageId"]);
    assert_eq!(bodies(&receive(&server, &url, 1).await), ["x"]);
    // A queue made again knows nothing of it.
    server.ok("DeleteQueue", json!({ "QueueUrl": url })).await;
    fifo(&server, "q.fifo", json!({})).await;
    assert_ne!(send(&server, &url, "g", "x").await["MessageId"], other["MessageId"]);
}

#[tokio::test]
async fn ids_are_of_the_body_and_of_the_group_where_the_queue_says_so() {
    let server = &Server::start().await;
    let url = &fifo(server, "q.fifo", json!({ "ContentBasedDeduplication": "true" })).await;
    let send = async |group: &str, body: &str| {
        let attribute = json!({ "DataType": "String", "StringValue": group });
        let input = json!({
            "QueueUrl": url, "MessageBody": body, "MessageGroupId": group,
            "MessageAttributes": { "a": attribute },
        });
        server.ok("SendMessage", input).await["MessageId"].clone()
    };
    let first = send("g", "x").await;
    assert_eq!(send("other", "x").await, first, "attributes do not count");
    assert_ne!(send("g", "y").await, first);
    let sum = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    let taken = receive(server, url, 1).await;
    assert_eq!(taken[0]["Attributes"]["MessageDeduplicationId"], sum);
    let by_group = json!({
        "ContentBasedDeduplication": "true", "DeduplicationScope": "messageGroup",
        "FifoThroughputLimit": "perMessageGroupId",
    });
    let url = &fifo(server, "by-group.fifo", by_group).await;
    let send = async |group: &str| {
        let input = json!({ "QueueUrl": url, "MessageBody": "x", "MessageGroupId": group });
        server.ok("SendMessage", input).await["MessageId"].clone()
    };
    let first = send("a").await;
    assert_ne!(send("b").await, first);
    assert_eq!(send("a").await, first);
}

#[tokio::test]
async fn dead_letters_keep_group_and_order_and_begin_anew() {
    let server = &Server::start().await;
    let dead = &fifo(server, "dead.fifo", json!({})).await;
    let arn = "arn:aws:sqs:us-east-1:000000000000:dead.fifo";
    let policy = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": 1 }).to_string();
    let url = &fifo(server, "q.fifo", json!({ "RedrivePolicy": policy })).await;
    let sent = send(server, url, "g", "1").await;
    send(server, url, "g", "2").await;
    assert_eq!(receive(server, url, 2).await.len(), 2);
    send(server, url, "g", "3").await;
    server.pass(31).await;
    assert_eq!(bodies(&receive(server, url, 10).await), ["3"]);
    assert_eq!(server.counts(url).await, "0/1/0");
    let moved = receive(server, dead, 10).await;
    assert_eq!(bodies(&moved), ["1", "2"]);
    let attributes = &moved[0]["Attributes"];
    assert_eq!(attributes["MessageGroupId"], "g");
    assert_eq!(attributes["MessageDeduplicationId"], "1");
    assert_eq!(attributes["ApproximateReceiveCount"], "1");
    assert_eq!(attributes["SentTimestamp"], "1700000031000");
    assert_eq!(moved[0]["MessageId"], sent["MessageId"]);
    let standard = "arn:aws:sqs:us-east-1:000000000000:standard";
    server.queue("standard", json!({})).await;
    let policy = json!({ "deadLetterTargetArn": standard, "maxReceiveCount": 1 }).to_string();
    let input = json!({ "QueueUrl": url, "Attributes": { "RedrivePolicy": policy } });
    let error = server.call("SetQueueAttributes", input).await.unwrap_err();
    assert!(error.ends_with("Reason: Dead-letter queue must be same type of queue as the source."));
}

#[tokio::test]
async fn a_delay_is_that_of_the_queue_and_holds_up_its_group() {
    let server = &Server::start().await;
    let url = &fifo(server, "q.fifo", json!({ "DelaySeconds": "10" })).await;
    send(server, url, "g", "1").await;
    server.pass(5).await;
    let none = json!({ "DelaySeconds": "0" });
    server.ok("SetQueueAttributes", json!({ "QueueUrl": url, "Attributes": none })).await;
    send(server, url, "g", "2").await;
    send(server, url, "h", "3").await;
    assert_eq!(server.counts(url).await, "2/0/1");
    assert_eq!(bodies(&receive(server, url, 10).await), ["3"]);
    let poll = json!({ "WaitTimeSeconds": 20 });
    let waiting = server.receive_with(url, poll);
    let (taken, ()) = tokio::join!(waiting, async {
        crate::settle().await;
        server.pass(6).await;
    });
    assert_eq!(bodies(&taken), ["1", "2"]);
    let own = json!({
        "QueueUrl": url, "MessageBody": "x", "MessageGroupId": "g", "DelaySeconds": 5,
        "MessageDeduplicationId": "x",
    });
    let error = server.call("SendMessage", own).await.unwrap_err();
    assert!(error.contains("DelaySeconds is invalid. Reason: The request include parameter"));
}

#[tokio::test]
async fn the_end_of_retention_frees_what_is_behind() {
    let server = &Server::start().await;
    let url = &fifo(server, "q.fifo", json!({ "MessageRetentionPeriod": "60" })).await;
    send(server, url, "g", "1").await;
    server.pass(50).await;
    send(server, url, "g", "2").await;
    server.pass(11).await;
    assert_eq!(bodies(&receive(server, url, 10).await), ["2"]);
    send(server, url, "h", "3").await;
    server.pass(61).await;
    server.tick("expire").await;
    assert_eq!(server.counts(url).await, "0/0/0");
    server.pass(301).await;
    assert_eq!(server.keys().await, 1, "the queue itself");
}

#[tokio::test]
async fn purged_and_drained_nothing_is_left_but_the_queue() {
    let mut server = Server::start().await;
    let url = fifo(&server, "q.fifo", json!({})).await;
    for n in 0..300 {
        send(&server, &url, &format!("g{}", n % 7), &n.to_string()).await;
    }
    let taken = receive(&server, &url, 10).await;
    for message in &taken[..5] {
        server.delete(&url, message).await;
    }
    server = server.restart().await;
    assert_eq!(server.counts(&url).await, "290/5/0");
    server.ok("PurgeQueue", json!({ "QueueUrl": url })).await;
    assert_eq!(server.counts(&url).await, "0/0/0");
    send(&server, &url, "g1", "after").await;
    let last = receive(&server, &url, 10).await;
    assert_eq!(bodies(&last), ["after"]);
    server.delete(&url, &last[0]).await;
    server.tick("sweep").await;
    server.pass(301).await;
    assert_eq!(server.keys().await, 1);
}

#[tokio::test]
async fn a_batch_keeps_its_order_and_each_entry_is_for_itself() {
    let server = &Server::start().await;
    let url = &fifo(server, "q.fifo", json!({})).await;
    let entry = |id: &str, body: &str| {
        json!({
            "Id": id, "MessageBody": body, "MessageGroupId": "g", "MessageDeduplicationId": body,
        })
    };
    let entries = json!([
        entry("a", "1"),
        { "Id": "b", "MessageBody": "x", "MessageDeduplicationId": "x" },
        entry("c", "2"),
        { "Id": "d", "MessageBody": "x", "MessageGroupId": "g" },
        entry("e", "1"),
    ]);
    let answer =
        server.ok("SendMessageBatch", json!({ "QueueUrl": url, "Entries": entries })).await;
    let good = answer["Successful"].as_array().unwrap();
    let ids: Vec<&Value> = good.iter().map(|one| &one["Id"]).collect();
    assert_eq!(ids, ["a", "c", "e"]);
    assert_eq!(good[0]["SequenceNumber"], good[2]["SequenceNumber"], "sent twice");
    let failed = answer["Failed"].as_array().unwrap();
    let codes: Vec<&Value> = failed.iter().map(|one| &one["Code"]).collect();
    assert_eq!(codes, ["MissingParameter", "InvalidParameterValue"]);
    assert_eq!(bodies(&receive(server, url, 10).await), ["1", "2"]);
}

#[tokio::test]
async fn forms_and_xml_know_it_too() {
    let server = &Server::start().await;
    let url = &fifo(server, "q.fifo", json!({})).await;
    let form = format!(
        "QueueUrl={url}&MessageBody=x&MessageGroupId=g&MessageDeduplicationId=d&Action=SendMessage"
    );
    let sent = server.form("SendMessage", &form).await.unwrap();
    assert!(sent.contains("<SequenceNumber>0"), "{sent}");
    let form = format!("QueueUrl={url}&AttributeName.1=All&Action=ReceiveMessage");
    let taken = server.form("ReceiveMessage", &form).await.unwrap();
    assert!(taken.contains("<Name>MessageGroupId</Name><Value>g</Value>"), "{taken}");
}

#[tokio::test]
async fn many_at_once_keep_the_order_of_each_group() {
    let server = std::sync::Arc::new(Server::start().await);
    let url = fifo(&server, "q.fifo", json!({})).await;
    let senders = (0..20).map(|sender| {
        let (server, url) = (std::sync::Arc::clone(&server), url.clone());
        base::task::spawn("sender", async move {
            for n in 0..20 {
                send(&server, &url, &format!("g{}", sender % 3), &format!("{sender}-{n}")).await;
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    let got = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let receivers = (0..5).map(|_| {
        let (server, url) = (std::sync::Arc::clone(&server), url.clone());
        let got = std::sync::Arc::clone(&got);
        base::task::spawn("receiver", async move {
            while server.counts(&url).await != "0/0/0" {
                let taken = receive(&server, &url, 7).await;
                for message in &taken {
                    got.lock().unwrap().push((
                        message["Attributes"]["SequenceNumber"].as_str().unwrap().to_owned(),
                        message["Body"].as_str().unwrap().to_owned(),
                    ));
                    server.delete(&url, message).await;
                }
                tokio::task::yield_now().await;
            }
        })
    });
    for receiver in receivers.collect::<Vec<_>>() {
        receiver.await.unwrap();
    }
    let mut all = std::mem::take(&mut *got.lock().unwrap());
    assert_eq!(all.len(), 400);
    all.sort();
    // Each sender waited for its answers, so its messages are numbered as it sent them.
    for sender in 0..20 {
        let own = all.iter().filter_map(|(_, body)| body.strip_prefix(&format!("{sender}-")));
        let expected: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        assert_eq!(own.collect::<Vec<_>>(), expected);
    }
}
