use std::collections::BTreeSet;
use std::sync::Arc;

use base::{Time, VirtualClock};
use serde_json::{Value, json};

use crate::Server;

#[tokio::test]
async fn a_queue_is_made_once_found_listed_and_deleted() {
    let server = Server::start().await;
    let url = server.queue("orders", json!({"VisibilityTimeout": "7"})).await;
    assert_eq!(url, "http://localhost:4566/000000000000/orders");
    assert_eq!(server.queue("orders", json!({"VisibilityTimeout": "7"})).await, url);
    assert_eq!(server.queue("orders", json!({})).await, url);
    let error = server
        .call(
            "CreateQueue",
            json!({"QueueName": "orders", "Attributes": {"VisibilityTimeout": "8"}}),
        )
        .await;
    assert_eq!(
        error.unwrap_err(),
        "QueueNameExists: A queue already exists with the same name and a different value for \
         attribute VisibilityTimeout"
    );
    let found = server.ok("GetQueueUrl", json!({"QueueName": "orders"})).await;
    assert_eq!(found, json!({"QueueUrl": url}));
    // Another host names the same queue.
    let elsewhere = "https://sqs.us-east-1.amazonaws.com/000000000000/orders";
    server.send(elsewhere, "x").await;
    assert_eq!(server.counts(&url).await, "1/0/0");
    server.ok("DeleteQueue", json!({"QueueUrl": url})).await;
    let error = server.call("GetQueueUrl", json!({"QueueName": "orders"})).await;
    assert_eq!(error.unwrap_err(), "QueueDoesNotExist: The specified queue does not exist.");
}

#[tokio::test]
async fn a_queue_made_again_knows_nothing_of_the_old_one() {
    let server = Server::start().await;
    let url = server.queue("q", json!({})).await;
    server.send(&url, "old").await;
    server
        .ok("SendMessage", json!({"QueueUrl": url, "MessageBody": "late", "DelaySeconds": 5}))
        .await;
    server.send(&url, "held").await;
    server.ok("DeleteQueue", json!({"QueueUrl": url})).await;
    server.queue("q", json!({})).await;
    server.pass(60).await;
    assert_eq!(server.counts(&url).await, "0/0/0");
    assert!(server.receive(&url).await.is_empty());
    server.tick("sweep").await;
    assert_eq!(server.keys().await, 1, "only the record of the queue is left");
}

#[tokio::test]
async fn queues_are_listed_in_pages_by_name() {
    let server = Server::start().await;
    for name in ["b-2", "a", "b-1", "b-3"] {
        server.queue(name, json!({})).await;
    }
    let names = |answer: &serde_json::Value| -> Vec<String> {
        let urls = answer["QueueUrls"].as_array().unwrap();
        urls.iter().map(|url| url.as_str().unwrap().rsplit('/').next().unwrap().into()).collect()
    };
    let all = server.ok("ListQueues", json!({})).await;
    assert_eq!(names(&all), ["a", "b-1", "b-2", "b-3"]);
    let first = server.ok("ListQueues", json!({"QueueNamePrefix": "b-", "MaxResults": 2})).await;
    assert_eq!(names(&first), ["b-1", "b-2"]);
    let more = json!({"QueueNamePrefix": "b-", "MaxResults": 2, "NextToken": first["NextToken"]});
    let rest = server.ok("ListQueues", more).await;
    assert_eq!(names(&rest), ["b-3"]);
    assert_eq!(rest.get("NextToken"), None);
    assert_eq!(server.ok("ListQueues", json!({"QueueNamePrefix": "c"})).await, json!({}));
}

#[tokio::test]
async fn a_purge_throws_away_all_and_rests_a_minute() {
    let server = Server::start().await;
    let url = server.queue("q", json!({})).await;
    for body in ["a", "b", "c"] {
        server.send(&url, body).await;
    }
    let taken = server.receive_with(&url, json!({"MaxNumberOfMessages": 1})).await;
    server.ok("PurgeQueue", json!({"QueueUrl": url})).await;
    assert_eq!(server.counts(&url).await, "0/0/0");
    server.delete(&url, &taken[0]).await;
    server.send(&url, "new").await;
    let error = server.call("PurgeQueue", json!({"QueueUrl": url})).await.unwrap_err();
    assert!(error.starts_with("PurgeQueueInProgress: Only one PurgeQueue operation on q"));
    server.pass(60).await;
    assert_eq!(server.counts(&url).await, "1/0/0");
    server.tick("sweep").await;
    assert_eq!(server.keys().await, 3, "the queue, the new message and its place");
    server.ok("PurgeQueue", json!({"QueueUrl": url})).await;
}

#[tokio::test]
async fn counters_survive_a_restart() {
    let server = Server::start().await;
    let url = server.queue("q", json!({})).await;
    for n in 0..5 {
        server.send(&url, &n.to_string()).await;
    }
    server
        .ok("SendMessage", json!({"QueueUrl": url, "MessageBody": "x", "DelaySeconds": 60}))
        .await;
    let taken = server.receive_with(&url, json!({"MaxNumberOfMessages": 2})).await;
    server.delete(&url, &taken[0]).await;
    assert_eq!(server.counts(&url).await, "3/1/1");
    let server = server.restart().await;
    assert_eq!(server.counts(&url).await, "3/1/1");
    // What was in flight comes back when its time is up, and its handle is still good.
    server.pass(31).await;
    assert_eq!(server.counts(&url).await, "4/0/1");
    server.delete(&url, &taken[1]).await;
    server.pass(30).await;
    assert_eq!(server.counts(&url).await, "4/0/0");
    assert_eq!(server.receive(&url).await.len(), 4);
}

#[tokio::test]
async fn messages_end_with_their_retention() {
    let server = Server::start().await;
    let url = server.queue("q", json!({"MessageRetentionPeriod": "60"})).await;
    server.send(&url, "one").await;
    server.send(&url, "two").await;
    let taken = server.receive_with(&url, json!({"MaxNumberOfMessages": 1})).await;
    assert_eq!(taken.len(), 1);
    server.pass(59).await;
    server.send(&url, "young").await;
    server.pass(1).await;
    assert_eq!(server.counts(&url).await, "3/0/0");
    server.tick("expire").await;
    assert_eq!(server.counts(&url).await, "1/0/0");
    server.pass(58).await;
    // Also without the worker nothing is received after its time.
    assert_eq!(server.receive_with(&url, json!({"VisibilityTimeout": 0})).await.len(), 1);
    server.pass(1).await;
    assert!(server.receive(&url).await.is_empty());
    assert_eq!(server.counts(&url).await, "0/0/0");
    assert_eq!(server.keys().await, 1);
}

#[tokio::test]
async fn tags_and_attributes_are_kept() {
    let server = Server::start().await;
    let dead = server.queue("dead", json!({})).await;
    let arn = "arn:aws:sqs:us-east-1:000000000000:dead";
    let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": 2}).to_string();
    let url = server.queue("q", json!({"RedrivePolicy": policy, "Policy": "{}"})).await;
    server.ok("TagQueue", json!({"QueueUrl": url, "Tags": {"a": "1", "b": "2"}})).await;
    server.ok("UntagQueue", json!({"QueueUrl": url, "TagKeys": ["a"]})).await;
    let tags = server.ok("ListQueueTags", json!({"QueueUrl": url})).await;
    assert_eq!(tags, json!({"Tags": {"b": "2"}}));
    let ask = json!({"QueueUrl": url, "AttributeNames": ["RedrivePolicy", "QueueArn"]});
    assert_eq!(
        server.ok("GetQueueAttributes", ask).await,
        json!({"Attributes": {
            "QueueArn": "arn:aws:sqs:us-east-1:000000000000:q", "RedrivePolicy": policy,
        }})
    );
    let sources = server.ok("ListDeadLetterSourceQueues", json!({"QueueUrl": dead})).await;
    assert_eq!(sources, json!({"queueUrls": [url]}));
    server
        .ok("SetQueueAttributes", json!({"QueueUrl": url, "Attributes": {"RedrivePolicy": ""}}))
        .await;
    let sources = server.ok("ListDeadLetterSourceQueues", json!({"QueueUrl": dead})).await;
    assert_eq!(sources, json!({"queueUrls": []}));
}

#[tokio::test]
async fn one_look_removes_all_that_has_expired() {
    let server = Server::start().await;
    let retention = json!({"MessageRetentionPeriod": "60"});
    let url = server.queue("q", retention.clone()).await;
    let ordered = crate::fifo::fifo(&server, "q.fifo", retention).await;
    let all: Vec<usize> = (0..1210).collect();
    for ten in all.chunks(10) {
        let entries: Vec<Value> = ten
            .iter()
            .map(|at| json!({"Id": at.to_string(), "MessageBody": at.to_string()}))
            .collect();
        server.ok("SendMessageBatch", json!({"QueueUrl": url, "Entries": entries})).await;
    }
    for ten in all[..310].chunks(10) {
        let entry = |at: &usize| {
            let id = at.to_string();
            json!({"Id": id, "MessageBody": id, "MessageDeduplicationId": id,
                   "MessageGroupId": (at % 7).to_string()})
        };
        let entries: Vec<Value> = ten.iter().map(entry).collect();
        server.ok("SendMessageBatch", json!({"QueueUrl": ordered, "Entries": entries})).await;
    }
    server.pass(61).await;
    server.tick("expire").await;
    assert_eq!(server.counts(&url).await, "0/0/0");
    assert_eq!(server.counts(&ordered).await, "0/0/0");
}

#[tokio::test]
async fn no_message_takes_the_place_of_another_when_the_clock_was_set_back() {
    let beginning = Time::from_millis(1_700_000_000_000);
    let mut server = Server::start().await;
    let url = server.queue("q", json!({})).await;
    for run in 0..3 {
        for message in 0..3 {
            server.send(&url, &format!("{run}.{message}")).await;
        }
        server = server.restart_by(Arc::new(VirtualClock::new(beginning))).await;
    }
    assert_eq!(server.counts(&url).await, "9/0/0");
    let bodies: BTreeSet<_> =
        server.receive(&url).await.iter().map(|m| m["Body"].to_string()).collect();
    assert_eq!(bodies.len(), 9);
}
