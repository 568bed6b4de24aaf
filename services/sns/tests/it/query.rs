//! The Query protocol, which all SDKs speak to this service.

use serde_json::json;

use crate::{QUEUE, Server};

/// What stands in the first element of this name.
fn text<'a>(xml: &'a str, element: &str) -> &'a str {
    let start = xml.find(&format!("<{element}>")).unwrap() + element.len() + 2;
    &xml[start..start + xml[start..].find(&format!("</{element}>")).unwrap()]
}

#[tokio::test]
async fn a_message_is_published_in_forms_and_answered_in_xml() {
    let server = Server::start().await;
    let form = "Name=t&Attributes.entry.1.key=DisplayName&Attributes.entry.1.value=Orders\
                &Tags.member.1.Key=a&Tags.member.1.Value=1";
    let made = server.form("CreateTopic", form).await.unwrap();
    let topic = text(&made, "TopicArn");
    let found = server.form("GetTopicAttributes", &format!("TopicArn={topic}")).await.unwrap();
    assert!(
        found.contains("<entry><key>DisplayName</key><value>Orders</value></entry>"),
        "{found}"
    );
    let tags = server.form("ListTagsForResource", &format!("ResourceArn={topic}")).await.unwrap();
    assert_eq!(text(&tags, "member"), "<Key>a</Key><Value>1</Value>");

    let form = format!(
        "TopicArn={topic}&Protocol=sqs&Endpoint={QUEUE}:q&ReturnSubscriptionArn=true\
         &Attributes.entry.1.key=RawMessageDelivery&Attributes.entry.1.value=true"
    );
    let made = server.form("Subscribe", &form).await.unwrap();
    let listed = server.form("ListSubscriptions", "").await.unwrap();
    let entry = text(&listed, "member");
    assert_eq!(text(entry, "SubscriptionArn"), text(&made, "SubscriptionArn"));

    let form = format!(
        "TopicArn={topic}&Message=hello&MessageAttributes.entry.1.Name=a\
         &MessageAttributes.entry.1.Value.DataType=Binary\
         &MessageAttributes.entry.1.Value.BinaryValue=AP8%3D"
    );
    let sent = server.form("Publish", &form).await.unwrap();
    assert_eq!(text(&sent, "MessageId").len(), 36);
    let expected = json!({"body": "hello", "attributes": {"a": ["Binary", "[0, 255]"]}});
    assert_eq!(server.got("q").await, [expected]);

    let entry = "PublishBatchRequestEntries.member";
    let form = format!(
        "TopicArn={topic}&{entry}.1.Id=a&{entry}.1.Message=one&{entry}.2.Id=b&{entry}.2.Message="
    );
    let sent = server.form("PublishBatch", &form).await.unwrap();
    assert_eq!(text(text(text(&sent, "Successful"), "member"), "Id"), "a");
    assert_eq!(text(text(text(&sent, "Failed"), "member"), "Code"), "InvalidParameter");
}
