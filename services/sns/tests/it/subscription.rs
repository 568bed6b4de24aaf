use serde_json::json;

use crate::{QUEUE, Server};

#[tokio::test]
async fn a_subscription_is_made_once_changed_and_ended() {
    let server = Server::start().await;
    let topic = server.topic("orders").await;
    let raw = json!({"RawMessageDelivery": "true"});
    let arn = server.subscribe(&topic, "q", raw.clone()).await;
    assert!(arn.starts_with(&format!("{topic}:")));
    assert_eq!(server.subscribe(&topic, "q", raw).await, arn);
    assert_eq!(server.subscribe(&topic, "q", json!({})).await, arn);
    let differing = json!({
        "TopicArn": topic, "Protocol": "sqs", "Endpoint": format!("{QUEUE}:q"),
        "Attributes": {"RawMessageDelivery": "false"},
    });
    assert_eq!(
        server.call("Subscribe", differing).await.unwrap_err(),
        "InvalidParameter: Invalid parameter: Attributes Reason: Subscription already exists with \
         different attributes"
    );
    for (name, value) in [
        ("RawMessageDelivery", "false"),
        ("FilterPolicyScope", "MessageBody"),
        ("FilterPolicy", r#"{"a":{"b":[1]}}"#),
        ("RedrivePolicy", r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead"}"#),
    ] {
        let input = json!({"SubscriptionArn": arn, "AttributeName": name, "AttributeValue": value});
        server.ok("SetSubscriptionAttributes", input).await;
    }
    let found = server.ok("GetSubscriptionAttributes", json!({"SubscriptionArn": arn})).await;
    assert_eq!(
        found["Attributes"],
        json!({
            "SubscriptionArn": arn,
            "TopicArn": topic,
            "Owner": "000000000000",
            "Protocol": "sqs",
            "Endpoint": format!("{QUEUE}:q"),
            "RawMessageDelivery": "false",
            "PendingConfirmation": "false",
            "ConfirmationWasAuthenticated": "true",
            "SubscriptionPrincipal": "arn:aws:iam::000000000000:root",
            "FilterPolicy": r#"{"a":{"b":[1]}}"#,
            "FilterPolicyScope": "MessageBody",
            "RedrivePolicy": r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead"}"#,
        })
    );
    // The policy that is there does not fit the other scope.
    let input = json!({
        "SubscriptionArn": arn, "AttributeName": "FilterPolicyScope",
        "AttributeValue": "MessageAttributes",
    });
    let error = server.call("SetSubscriptionAttributes", input).await.unwrap_err();
    assert!(error.contains("does not support nested filter policy"), "{error}");
    server.ok("Unsubscribe", json!({"SubscriptionArn": arn})).await;
    server.ok("Unsubscribe", json!({"SubscriptionArn": arn})).await;
    let error = server.call("GetSubscriptionAttributes", json!({"SubscriptionArn": arn})).await;
    assert_eq!(error.unwrap_err(), "NotFound: Subscription does not exist");
}

#[tokio::test]
async fn subscriptions_are_listed_in_pages_and_by_topic() {
    let server = Server::start().await;
    let (one, two) = (server.topic("one").await, server.topic("two").await);
    server.subscribe(&one, "q", json!({})).await;
    for n in 0..120 {
        server.subscribe(&two, &format!("function:f{n}"), json!({})).await;
    }
    let mine = server.ok("ListSubscriptionsByTopic", json!({"TopicArn": one})).await;
    assert_eq!(mine["Subscriptions"].as_array().unwrap().len(), 1);
    assert_eq!(mine["Subscriptions"][0]["Endpoint"], format!("{QUEUE}:q"));
    let mut seen = std::collections::HashSet::new();
    let mut token = json!(null);
    loop {
        let page = server.ok("ListSubscriptions", json!({"NextToken": token})).await;
        for entry in page["Subscriptions"].as_array().unwrap() {
            assert!(seen.insert(entry["SubscriptionArn"].as_str().unwrap().to_owned()));
        }
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(seen.len(), 121);
}
