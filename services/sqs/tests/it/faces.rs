//! What other services use: queues as targets of events and as sources of functions.

use std::collections::BTreeMap;
use std::time::Duration;

use base::Arn;
use kit::Error;
use kit::targets::{Attribute, AttributeValue, Event};
use serde_json::json;

use crate::{Server, settle};

fn arn(name: &str) -> Arn {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}").parse().unwrap()
}

fn event(to: &str, body: &str) -> Event {
    Event {
        to: arn(to),
        from: "arn:aws:sns:us-east-1:000000000000:topic".parse().unwrap(),
        body: body.to_owned(),
        attributes: BTreeMap::from([(
            "raw".to_owned(),
            Attribute {
                data_type: "Binary".to_owned(),
                value: AttributeValue::Binary(vec![0, 255]),
            },
        )]),
        group_id: None,
        deduplication_id: None,
        trace: None,
    }
}

#[tokio::test]
async fn an_event_becomes_a_message_with_its_transaction_or_not_at_all() {
    let server = Server::start().await;
    let url = server.queue("q", json!({})).await;
    let kit = &server.kit;
    let append = |fail: bool| {
        kit.store.transact(&kit.account, move |tx| async move {
            kit.targets.append(&tx, &event("q", "hello")).await?;
            if fail { Err(Error::sender("No", "on purpose")) } else { Ok(()) }
        })
    };
    append(true).await.unwrap_err();
    assert_eq!(server.counts(&url).await, "0/0/0");
    append(false).await.unwrap();
    let received = server.receive(&url).await;
    assert_eq!(received[0]["Body"], "hello");
    assert_eq!(received[0]["MessageAttributes"]["raw"]["DataType"], "Binary");
    let missing = kit.store.transact(&kit.account, |tx| async move {
        kit.targets.append(&tx, &event("none", "x")).await
    });
    assert_eq!(missing.await.unwrap_err().code, "QueueDoesNotExist");
}

#[tokio::test]
async fn an_event_for_a_thousand_queues_is_one_commit() {
    let server = Server::start().await;
    let mut urls = Vec::new();
    for n in 0..1000 {
        urls.push(server.queue(&format!("q{n}"), json!({})).await);
    }
    let kit = &server.kit;
    let tries = std::sync::atomic::AtomicUsize::new(0);
    let (server_ref, urls_ref, tries_ref) = (&server, &urls, &tries);
    kit.store
        .transact(&kit.account, |tx| async move {
            for n in 0..1000 {
                kit.targets.append(&tx, &event(&format!("q{n}"), "all")).await?;
            }
            // One of the queues changes under the first try, which must then count for nothing.
            if tries_ref.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
                let input = json!({
                    "QueueUrl": urls_ref[500], "Attributes": {"DelaySeconds": "1"},
                });
                server_ref.ok("SetQueueAttributes", input).await;
            }
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
    assert_eq!(tries.into_inner(), 2);
    for (n, url) in urls.iter().enumerate() {
        let expected = if n == 500 { "0/0/1" } else { "1/0/0" };
        assert_eq!(server.counts(url).await, expected, "{url}");
    }
}

#[tokio::test]
async fn a_function_sees_the_record_that_lambda_gives_it() {
    let server = Server::start().await;
    let url = server.queue("q", json!({})).await;
    let input = json!({"QueueUrl": url, "MessageBody": "hi", "MessageAttributes": {
        "n": {"DataType": "Number", "StringValue": "1"},
        "b": {"DataType": "Binary", "BinaryValue": "AP8="},
    }});
    let sent = server.ok("SendMessage", input).await;
    let source = server.kit.sources.get(&arn("q")).unwrap();
    let terms = source.terms(&arn("q")).await.unwrap();
    assert_eq!((terms.lease, terms.receives_max), (Duration::from_secs(30), None));
    let error = source.terms(&arn("none")).await.unwrap_err();
    assert_eq!(error.code, "QueueDoesNotExist");
    let received = source.receive(&arn("q"), 10, Duration::from_secs(20)).await.unwrap();
    assert_eq!(received[0].id, sent["MessageId"]);
    assert_eq!(
        received[0].record,
        json!({
            "messageId": sent["MessageId"],
            "receiptHandle": received[0].handle,
            "body": "hi",
            "attributes": {
                "ApproximateFirstReceiveTimestamp": "1700000000000",
                "ApproximateReceiveCount": "1",
                "SenderId": "000000000000",
                "SentTimestamp": "1700000000000",
            },
            "messageAttributes": {
                "n": {
                    "stringValue": "1", "stringListValues": [], "binaryListValues": [],
                    "dataType": "Number",
                },
                "b": {
                    "binaryValue": "AP8=", "stringListValues": [], "binaryListValues": [],
                    "dataType": "Binary",
                },
            },
            "md5OfBody": "49f68a5c8493ec2c0bf489821c21fc3b",
            "md5OfMessageAttributes": sent["MD5OfMessageAttributes"],
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:q",
            "awsRegion": "us-east-1",
        })
    );
    source.acknowledge(&arn("q"), vec![received[0].handle.clone()]).await.unwrap();
    settle().await;
    assert_eq!(server.counts(&url).await, "0/0/0");
}
