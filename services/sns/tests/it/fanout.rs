use serde_json::{Value, json};

use crate::{Server, settle};

#[tokio::test]
async fn a_message_reaches_queues_and_functions_each_in_its_form() {
    let server = Server::start().await;
    let topic = server.topic("orders").await;
    let enveloped = server.subscribe(&topic, "q", json!({})).await;
    server.subscribe(&topic, "raw", json!({"RawMessageDelivery": "true"})).await;
    server.subscribe(&topic, "function:f", json!({})).await;
    let sent = server
        .ok(
            "Publish",
            json!({
                "TopicArn": topic, "Message": "hello", "Subject": "hi",
                "MessageAttributes": {"a": {"DataType": "String", "StringValue": "1"}},
            }),
        )
        .await;
    let body: Value = serde_json::from_str(&server.bodies("q").await[0]).unwrap();
    assert_eq!(body["Message"], "hello");
    assert_eq!(body["MessageId"], sent["MessageId"]);
    assert!(body["UnsubscribeURL"].as_str().unwrap().contains("Action=Unsubscribe"));
    assert_eq!(server.got("q").await[0]["attributes"], json!({}));
    assert!(enveloped.starts_with(&topic));
    let raw = &server.got("raw").await[0];
    assert_eq!(*raw, json!({"body": "hello", "attributes": {"a": ["String", "1"]}}));
    let event: Value = serde_json::from_str(&server.bodies("f").await[0]).unwrap();
    assert_eq!(event["Records"][0]["Sns"]["Message"], "hello");
    assert_eq!(event["Records"][0]["Sns"]["MessageAttributes"]["a"]["Value"], "1");
}

#[tokio::test]
async fn what_is_told_to_a_topic_is_published_to_it() {
    let server = Server::start().await;
    let topic = server.topic("t").await;
    server.subscribe(&topic, "raw", json!({"RawMessageDelivery": "true"})).await;
    server.subscribe(&topic, "q", json!({})).await;
    let tell = async |to: &str, body: String| {
        let attribute = kit::targets::Attribute {
            data_type: "String".into(),
            value: kit::targets::AttributeValue::Text("1".into()),
        };
        let event = &kit::targets::Event {
            to: to.parse().unwrap(),
            from: topic.parse().unwrap(),
            body,
            attributes: [("a".to_owned(), attribute)].into(),
            group_id: None,
            deduplication_id: None,
            trace: None,
        };
        let kit = &server.kit;
        let told = kit
            .store
            .transact(&kit.account, |tx| async move { kit.targets.append(&tx, event).await });
        told.await.map_err(|error| error.to_string())
    };
    tell(&topic, "hello".into()).await.unwrap();
    let raw = &server.got("raw").await[0];
    assert_eq!(*raw, json!({"body": "hello", "attributes": {"a": ["String", "1"]}}));
    let body: Value = serde_json::from_str(&server.bodies("q").await[0]).unwrap();
    assert_eq!(body["Message"], "hello");
    let gone = tell(&format!("{topic}-gone"), "hello".into()).await.unwrap_err();
    assert_eq!(gone, "NotFound: Topic does not exist");
    let long = tell(&topic, "x".repeat(256 * 1024)).await.unwrap_err();
    assert_eq!(long, "InvalidParameter: Invalid parameter: Message too long");
}

#[tokio::test]
async fn a_message_may_have_a_text_for_each_protocol() {
    let server = Server::start().await;
    let topic = server.topic("t").await;
    server.subscribe(&topic, "raw", json!({"RawMessageDelivery": "true"})).await;
    server.subscribe(&topic, "function:f", json!({})).await;
    let texts = json!({"default": "all", "sqs": "queues", "http": "none"}).to_string();
    let input = json!({"TopicArn": topic, "Message": texts, "MessageStructure": "json"});
    server.ok("Publish", input).await;
    assert_eq!(server.bodies("raw").await, ["queues"]);
    assert!(server.bodies("f").await[0].contains(r#""Message":"all""#));
}

#[tokio::test]
async fn filters_let_through_what_they_ask_for() {
    let server = Server::start().await;
    let topic = server.topic("t").await;
    let filter = |policy: Value, scope: &str| {
        json!({
            "RawMessageDelivery": "true", "FilterPolicy": policy.to_string(),
            "FilterPolicyScope": scope,
        })
    };
    let by_attribute = filter(json!({"kind": ["paid"]}), "MessageAttributes");
    let arn = server.subscribe(&topic, "attribute", by_attribute).await;
    let by_body = filter(json!({"total": [{"numeric": [">", 100]}]}), "MessageBody");
    server.subscribe(&topic, "body", by_body).await;
    for (kind, total) in [("paid", 50), ("failed", 150), ("paid", 200)] {
        let input = json!({
            "TopicArn": topic, "Message": json!({"total": total}).to_string(),
            "MessageAttributes": {"kind": {"DataType": "String", "StringValue": kind}},
        });
        server.ok("Publish", input).await;
    }
    assert_eq!(server.bodies("attribute").await, [r#"{"total":50}"#, r#"{"total":200}"#]);
    assert_eq!(server.bodies("body").await, [r#"{"total":150}"#, r#"{"total":200}"#]);
    // A changed policy counts from the next message on.
    let clear =
        json!({"SubscriptionArn": arn, "AttributeName": "FilterPolicy", "AttributeValue": "{}"});
    server.ok("SetSubscriptionAttributes", clear).await;
    server.publish(&topic, "anything").await;
    assert_eq!(server.bodies("attribute").await.len(), 3);
    assert_eq!(server.bodies("body").await.len(), 2);
}

#[tokio::test]
async fn a_subscriber_that_is_gone_fails_no_other() {
    let server = Server::start().await;
    let topic = server.topic("t").await;
    server.subscribe(&topic, "gone", json!({})).await;
    let redrive = json!({"deadLetterTargetArn": format!("{}:dead", crate::QUEUE)}).to_string();
    server.subscribe(&topic, "function:gone", json!({"RedrivePolicy": redrive})).await;
    server.subscribe(&topic, "q", json!({"RawMessageDelivery": "true"})).await;
    let id = server.publish(&topic, "x").await;
    assert_eq!(server.bodies("q").await, ["x"]);
    let dead = server.got("dead").await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0]["attributes"]["ErrorCode"], json!(["String", "QueueDoesNotExist"]));
    assert_eq!(dead[0]["attributes"]["RequestID"], json!(["String", id]));
    let envelope: Value = serde_json::from_str(dead[0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(envelope["Message"], "x");
}

#[tokio::test]
async fn a_batch_is_published_but_for_what_is_wrong() {
    let server = Server::start().await;
    let topic = server.topic("t").await;
    server.subscribe(&topic, "q", json!({"RawMessageDelivery": "true"})).await;
    let entries = json!([
        {"Id": "a", "Message": "one"}, {"Id": "b", "Message": ""}, {"Id": "c", "Message": "two"},
    ]);
    let input = json!({"TopicArn": topic, "PublishBatchRequestEntries": entries});
    let sent = server.ok("PublishBatch", input).await;
    let ids = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap();
        list.iter().map(|entry| entry["Id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&sent["Successful"]), ["a", "c"]);
    assert_eq!(ids(&sent["Failed"]), ["b"]);
    assert_eq!(sent["Failed"][0]["Code"], "InvalidParameter");
    assert_eq!(server.bodies("q").await, ["one", "two"]);
}

#[tokio::test]
async fn a_thousand_subscribers_get_it_in_one_transaction() {
    let server = Server::start().await;
    let topic = server.topic("t").await;
    for n in 0..1000 {
        server.subscribe(&topic, &format!("q{n}"), json!({})).await;
    }
    let before = server.keys().await;
    server.publish(&topic, "all").await;
    // Nothing had to be put off, so all of it was there when the publish was acknowledged.
    assert_eq!(server.keys().await, before);
    for n in 0..1000 {
        assert_eq!(server.got(&format!("q{n}")).await.len(), 1);
    }
}

#[tokio::test]
async fn what_is_too_large_for_one_transaction_goes_out_in_parts_and_once_to_each() {
    let server = Server::start().await;
    let topic = server.topic("t").await;
    for n in 0..200 {
        server.subscribe(&topic, &format!("q{n}"), json!({"RawMessageDelivery": "true"})).await;
    }
    let before = server.keys().await;
    let message = "x".repeat(60_000);
    server.publish(&topic, &message).await;
    settle().await;
    server.pass(1).await;
    for n in 0..200 {
        assert_eq!(server.bodies(&format!("q{n}")).await, [message.as_str()], "q{n}");
    }
    assert_eq!(server.keys().await, before, "nothing is left of the work");
}
