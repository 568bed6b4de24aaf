use serde_json::json;

use crate::Server;

const ARN: &str = "arn:aws:sns:us-east-1:000000000000:orders";

#[tokio::test]
async fn a_topic_is_made_once_changed_and_deleted() {
    let server = Server::start().await;
    assert_eq!(server.topic("orders").await, ARN);
    assert_eq!(server.topic("orders").await, ARN);
    let set = json!({"TopicArn": ARN, "AttributeName": "DisplayName", "AttributeValue": "Orders"});
    server.ok("SetTopicAttributes", set).await;
    let again = json!({"Name": "orders", "Attributes": {"DisplayName": "Others"}});
    assert_eq!(
        server.call("CreateTopic", again).await.unwrap_err(),
        "InvalidParameter: Invalid parameter: Attributes Reason: Topic already exists with \
         different attributes"
    );
    server.subscribe(ARN, "q", json!({})).await;
    let found = server.ok("GetTopicAttributes", json!({"TopicArn": ARN})).await;
    let attributes = &found["Attributes"];
    assert_eq!(attributes["TopicArn"], ARN);
    assert_eq!(attributes["DisplayName"], "Orders");
    assert_eq!(attributes["SubscriptionsConfirmed"], "1");
    assert_eq!(attributes["Owner"], "000000000000");
    assert!(attributes["Policy"].as_str().unwrap().contains("__default_policy_ID"));
    server.ok("DeleteTopic", json!({"TopicArn": ARN})).await;
    server.ok("DeleteTopic", json!({"TopicArn": ARN})).await;
    let error = server.call("Publish", json!({"TopicArn": ARN, "Message": "x"})).await;
    assert_eq!(error.unwrap_err(), "NotFound: Topic does not exist");
    // A topic made again has none of the old one's subscriptions.
    server.topic("orders").await;
    server.publish(ARN, "x").await;
    assert!(server.got("q").await.is_empty());
}

#[tokio::test]
async fn topics_are_listed_in_pages() {
    let server = Server::start().await;
    for n in 0..150 {
        server.topic(&format!("t{n:03}")).await;
    }
    let first = server.ok("ListTopics", json!({})).await;
    assert_eq!(first["Topics"].as_array().unwrap().len(), 100);
    let rest = server.ok("ListTopics", json!({"NextToken": first["NextToken"]})).await;
    assert_eq!(rest["Topics"].as_array().unwrap().len(), 50);
    assert_eq!(rest.get("NextToken"), None);
    assert_eq!(rest["Topics"][0]["TopicArn"], "arn:aws:sns:us-east-1:000000000000:t100");
}

#[tokio::test]
async fn tags_are_kept() {
    let server = Server::start().await;
    let tags = json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]);
    server.ok("CreateTopic", json!({"Name": "orders", "Tags": tags})).await;
    server.ok("UntagResource", json!({"ResourceArn": ARN, "TagKeys": ["a"]})).await;
    let more = json!([{"Key": "c", "Value": "3"}]);
    server.ok("TagResource", json!({"ResourceArn": ARN, "Tags": more})).await;
    let found = server.ok("ListTagsForResource", json!({"ResourceArn": ARN})).await;
    let expected = json!([{"Key": "b", "Value": "2"}, {"Key": "c", "Value": "3"}]);
    assert_eq!(found, json!({"Tags": expected}));
    let other = json!({"ResourceArn": "arn:aws:sns:us-east-1:000000000000:none"});
    let error = server.call("ListTagsForResource", other).await.unwrap_err();
    assert_eq!(error, "ResourceNotFound: Resource does not exist");
}
