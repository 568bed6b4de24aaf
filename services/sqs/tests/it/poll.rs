use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{Server, settle};

/// A receive that waits, running beside the test.
fn wait(server: &Arc<Server>, url: &str, secs: u32) -> JoinHandle<Vec<String>> {
    let (server, url) = (Arc::clone(server), url.to_owned());
    tokio::task::spawn_local(async move {
        let more = json!({"WaitTimeSeconds": secs, "MaxNumberOfMessages": 1});
        let messages = server.receive_with(&url, more).await;
        messages.iter().map(|message| message["Body"].as_str().unwrap().to_owned()).collect()
    })
}

async fn local(test: impl Future<Output = ()>) {
    tokio::task::LocalSet::new().run_until(test).await;
}

async fn poll(attributes: Value, setup: &[(&str, u32)]) -> (Arc<Server>, String) {
    let server = Server::start().await;
    let url = server.queue("q", attributes).await;
    for (body, delay) in setup {
        let input = json!({"QueueUrl": url, "MessageBody": body, "DelaySeconds": delay});
        server.ok("SendMessage", input).await;
    }
    (Arc::new(server), url)
}

#[tokio::test]
async fn a_poll_ends_with_a_send() {
    local(async {
        let (server, url) = poll(json!({}), &[]).await;
        let waiting = wait(&server, &url, 20);
        settle().await;
        assert!(!waiting.is_finished());
        server.send(&url, "here").await;
        assert_eq!(waiting.await.unwrap(), ["here"]);
    })
    .await;
}

#[tokio::test]
async fn a_poll_ends_with_the_end_of_a_delay_or_of_an_invisibility() {
    local(async {
        let (server, url) = poll(json!({"VisibilityTimeout": "7"}), &[("late", 5)]).await;
        let waiting = wait(&server, &url, 20);
        settle().await;
        server.pass(4).await;
        assert!(!waiting.is_finished());
        server.pass(1).await;
        assert_eq!(waiting.await.unwrap(), ["late"]);
        let waiting = wait(&server, &url, 20);
        settle().await;
        server.pass(6).await;
        assert!(!waiting.is_finished());
        server.pass(1).await;
        assert_eq!(waiting.await.unwrap(), ["late"]);
    })
    .await;
}

#[tokio::test]
async fn a_poll_ends_by_itself_and_at_the_end_of_the_server() {
    local(async {
        let (server, url) = poll(json!({"ReceiveMessageWaitTimeSeconds": "3"}), &[]).await;
        let queues_own = {
            let (server, url) = (Arc::clone(&server), url.clone());
            tokio::task::spawn_local(async move { server.receive(&url).await })
        };
        settle().await;
        server.clock.advance(Duration::from_millis(2999));
        settle().await;
        assert!(!queues_own.is_finished());
        server.pass(1).await;
        assert!(queues_own.await.unwrap().is_empty());
        let waiting = wait(&server, &url, 20);
        settle().await;
        server.kit.close();
        assert!(waiting.await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn each_message_ends_one_poll() {
    local(async {
        let (server, url) = poll(json!({}), &[]).await;
        let waiting: Vec<_> = (0..50).map(|_| wait(&server, &url, 20)).collect();
        settle().await;
        for n in 0..50 {
            server.send(&url, &n.to_string()).await;
        }
        let mut bodies = Vec::new();
        for poll in waiting {
            bodies.extend(poll.await.unwrap());
        }
        bodies.sort_by_key(|body| body.parse::<u32>().unwrap());
        let expected: Vec<String> = (0..50).map(|n| n.to_string()).collect();
        assert_eq!(bodies, expected);
        assert_eq!(server.counts(&url).await, "0/50/0");
    })
    .await;
}

#[tokio::test]
async fn a_poll_goes_on_over_a_purge_and_fails_with_the_end_of_its_queue() {
    local(async {
        let (server, url) = poll(json!({}), &[]).await;
        let waiting = wait(&server, &url, 20);
        settle().await;
        server.ok("PurgeQueue", json!({"QueueUrl": url})).await;
        settle().await;
        server.send(&url, "after").await;
        assert_eq!(waiting.await.unwrap(), ["after"]);
        let (server2, url2) = (Arc::clone(&server), url.clone());
        let failing = tokio::task::spawn_local(async move {
            server2.call("ReceiveMessage", json!({"QueueUrl": url2, "WaitTimeSeconds": 20})).await
        });
        settle().await;
        server.ok("DeleteQueue", json!({"QueueUrl": url})).await;
        assert!(failing.await.unwrap().unwrap_err().starts_with("QueueDoesNotExist"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_clients_at_once_lose_and_double_nothing() {
    const CLIENTS: usize = 32;
    const EACH: usize = 30;
    let server = Arc::new(Server::start().await);
    let url = server.queue("q", json!({})).await;
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let (server, url) = (Arc::clone(&server), url.clone());
        clients.spawn(async move {
            let mut got = Vec::new();
            for n in 0..EACH {
                server.send(&url, &format!("{client}-{n}")).await;
                for message in server.receive_with(&url, json!({"MaxNumberOfMessages": 1})).await {
                    server.delete(&url, &message).await;
                    got.push(message["Body"].as_str().unwrap().to_owned());
                }
            }
            got
        });
    }
    let mut got: Vec<String> = clients.join_all().await.concat();
    loop {
        let rest = server.receive(&url).await;
        if rest.is_empty() {
            break;
        }
        for message in &rest {
            server.delete(&url, message).await;
        }
        got.extend(crate::bodies(&rest).into_iter().map(str::to_owned));
    }
    assert_eq!(got.len(), CLIENTS * EACH);
    got.sort_unstable();
    got.dedup();
    assert_eq!(got.len(), CLIENTS * EACH);
    assert_eq!(server.counts(&url).await, "0/0/0");
    assert_eq!(server.keys().await, 1);
}
