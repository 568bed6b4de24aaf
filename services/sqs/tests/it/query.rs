//! The Query protocol, as SDKs before 2023 speak it.

use crate::Server;

/// What stands in the first element of this name.
fn text<'a>(xml: &'a str, element: &str) -> &'a str {
    let start = xml.find(&format!("<{element}>")).unwrap() + element.len() + 2;
    &xml[start..start + xml[start..].find(&format!("</{element}>")).unwrap()]
}

#[tokio::test]
async fn a_message_goes_through_in_forms_and_xml() {
    let server = Server::start().await;
    let form = "QueueName=q&Attribute.1.Name=VisibilityTimeout&Attribute.1.Value=7\
                &Tag.1.Key=a&Tag.1.Value=1";
    let made = server.form("CreateQueue", form).await.unwrap();
    let url = text(&made, "QueueUrl");
    assert_eq!(url, "http://localhost:4566/000000000000/q");
    let form = format!("QueueUrl={url}&AttributeName.1=VisibilityTimeout");
    let found = server.form("GetQueueAttributes", &form).await.unwrap();
    assert_eq!(text(&found, "Attribute"), "<Name>VisibilityTimeout</Name><Value>7</Value>");
    let tags = server.form("ListQueueTags", &format!("QueueUrl={url}")).await.unwrap();
    assert_eq!(text(&tags, "Tag"), "<Key>a</Key><Value>1</Value>");
    let listed = server.form("ListQueues", "MaxResults=1").await.unwrap();
    assert_eq!(text(&listed, "QueueUrl"), url);

    let entry = "SendMessageBatchRequestEntry.1";
    let form = format!(
        "QueueUrl={url}&{entry}.Id=a&{entry}.MessageBody=%3C%C3%A9%3E&{entry}.DelaySeconds=0\
         &{entry}.MessageAttribute.1.Name=n&{entry}.MessageAttribute.1.Value.DataType=Number\
         &{entry}.MessageAttribute.1.Value.StringValue=1\
         &SendMessageBatchRequestEntry.2.Id=b&SendMessageBatchRequestEntry.2.MessageBody=%00"
    );
    let sent = server.form("SendMessageBatch", &form).await.unwrap();
    assert_eq!(text(text(&sent, "SendMessageBatchResultEntry"), "Id"), "a");
    assert_eq!(text(text(&sent, "BatchResultErrorEntry"), "Code"), "InvalidMessageContents");

    let form = format!("QueueUrl={url}&AttributeName.1=All&MessageAttributeName.1=All");
    let received = server.form("ReceiveMessage", &form).await.unwrap();
    let message = text(&received, "Message");
    assert_eq!(text(message, "Body"), "&lt;é&gt;");
    assert_eq!(text(text(message, "MessageAttribute"), "Name"), "n");
    assert_eq!(text(text(message, "MessageAttribute"), "StringValue"), "1");
    assert!(text(message, "Attribute").starts_with("<Name>ApproximateFirstReceiveTimestamp<"));

    let handle = text(message, "ReceiptHandle").replace('+', "%2B");
    let entry = "DeleteMessageBatchRequestEntry.1";
    let form = format!("QueueUrl={url}&{entry}.Id=a&{entry}.ReceiptHandle={handle}");
    let deleted = server.form("DeleteMessageBatch", &form).await.unwrap();
    assert_eq!(text(text(&deleted, "DeleteMessageBatchResultEntry"), "Id"), "a");
    assert_eq!(server.counts(url).await, "0/0/0");
}
