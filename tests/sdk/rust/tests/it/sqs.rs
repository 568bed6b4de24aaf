//! Queues: messages with attributes, batches, long polls, visibility, and typed errors.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::operation::send_message::SendMessageError;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
    QueueAttributeName, SendMessageBatchRequestEntry,
};

use crate::{aws, name, refused};

async fn client() -> Client {
    Client::new(&aws().await)
}

async fn queue(sqs: &Client) -> String {
    let made = sqs.create_queue().queue_name(name()).send().await.unwrap();
    made.queue_url.unwrap()
}

async fn send(sqs: &Client, url: &str, body: &str) {
    sqs.send_message().queue_url(url).message_body(body).send().await.unwrap();
}

async fn receive(sqs: &Client, url: &str) -> Vec<Message> {
    let receive = sqs.receive_message().queue_url(url).max_number_of_messages(10);
    receive.wait_time_seconds(0).send().await.unwrap().messages.unwrap_or_default()
}

#[tokio::test]
async fn a_queue_is_made_found_listed_and_deleted() {
    let sqs = client().await;
    let name = name();
    let made = sqs
        .create_queue()
        .queue_name(&name)
        .attributes(QueueAttributeName::VisibilityTimeout, "7")
        .send()
        .await
        .unwrap();
    let url = made.queue_url.unwrap();
    let found = sqs.get_queue_url().queue_name(&name).send().await.unwrap();
    assert_eq!(found.queue_url(), Some(url.as_str()));

    let reply = sqs
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::All)
        .send()
        .await
        .unwrap();
    let attributes = reply.attributes().unwrap();
    let arn = format!("arn:aws:sqs:us-east-1:000000000000:{name}");
    assert_eq!(attributes[&QueueAttributeName::QueueArn], arn);
    assert_eq!(attributes[&QueueAttributeName::VisibilityTimeout], "7");
    assert_eq!(attributes[&QueueAttributeName::ApproximateNumberOfMessages], "0");

    for more in ["-b", "-c"] {
        sqs.create_queue().queue_name(format!("{name}{more}")).send().await.unwrap();
    }
    let pages = sqs.list_queues().queue_name_prefix(&name).into_paginator().page_size(1);
    let listed = pages.items().send().collect::<Result<Vec<String>, _>>().await.unwrap();
    assert_eq!(listed, [url.clone(), format!("{url}-b"), format!("{url}-c")]);

    sqs.delete_queue().queue_url(&url).send().await.unwrap();
    let (error, _) = refused(sqs.get_queue_url().queue_name(&name).send().await);
    assert!(error.is_queue_does_not_exist(), "{error:?}");
}

#[tokio::test]
async fn a_message_with_attributes_is_sent_received_and_deleted() {
    let sqs = client().await;
    let url = queue(&sqs).await;
    let attribute = |kind: &str| MessageAttributeValue::builder().data_type(kind);
    let text = attribute("String").string_value("ü").build().unwrap();
    let number = attribute("Number.int").string_value("7").build().unwrap();
    let bytes = attribute("Binary").binary_value(Blob::new(b"\x00\xff")).build().unwrap();
    let sent = sqs
        .send_message()
        .queue_url(&url)
        .message_body("hello")
        .message_attributes("text", text.clone())
        .message_attributes("number", number.clone())
        .message_attributes("bytes", bytes.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(sent.md5_of_message_body(), Some("5d41402abc4b2a76b9719d911017c592"));

    let received = sqs
        .receive_message()
        .queue_url(&url)
        .message_attribute_names("All")
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .send()
        .await
        .unwrap();
    let [message] = received.messages() else { panic!("{received:?}") };
    assert_eq!(message.body(), Some("hello"));
    assert_eq!(message.message_id(), sent.message_id());
    let attributes = message.message_attributes().unwrap();
    assert_eq!(attributes.len(), 3);
    assert_eq!(attributes["text"], text);
    assert_eq!(attributes["number"], number);
    assert_eq!(attributes["bytes"], bytes);
    let system = message.attributes().unwrap();
    assert_eq!(system[&MessageSystemAttributeName::ApproximateReceiveCount], "1");
    let sent_at: u64 = system[&MessageSystemAttributeName::SentTimestamp].parse().unwrap();
    assert!(sent_at > 1_700_000_000_000, "milliseconds: {sent_at}");

    let handle = message.receipt_handle().unwrap();
    sqs.change_message_visibility()
        .queue_url(&url)
        .receipt_handle(handle)
        .visibility_timeout(0)
        .send()
        .await
        .unwrap();
    let again = receive(&sqs, &url).await;
    assert_eq!(again.len(), 1);
    let handle = again[0].receipt_handle().unwrap();
    sqs.delete_message().queue_url(&url).receipt_handle(handle).send().await.unwrap();
    let counts = sqs
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
        .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
        .send()
        .await
        .unwrap();
    assert!(counts.attributes().unwrap().values().all(|count| count == "0"), "{counts:?}");
}

#[tokio::test]
async fn batches_say_what_succeeded_and_what_failed() {
    let sqs = client().await;
    let url = queue(&sqs).await;
    let entry = |id: usize, body: &str| {
        let entry = SendMessageBatchRequestEntry::builder();
        entry.id(format!("m{id}")).message_body(body).build().unwrap()
    };
    let mut entries: Vec<_> = (0..9).map(|id| entry(id, &format!("body {id}"))).collect();
    entries.push(entry(9, "a character that XML cannot have: \u{1}"));
    let batch = sqs.send_message_batch().queue_url(&url);
    let reply = batch.clone().set_entries(Some(entries)).send().await.unwrap();
    assert_eq!(reply.successful().len(), 9);
    let [failed] = reply.failed() else { panic!("{reply:?}") };
    assert_eq!((failed.id(), failed.sender_fault()), ("m9", true));
    assert_eq!(failed.code(), "InvalidMessageContents");

    let messages = receive(&sqs, &url).await;
    let bodies: BTreeSet<_> = messages.iter().map(|message| message.body().unwrap()).collect();
    assert_eq!((messages.len(), bodies.len()), (9, 9));
    let entries = messages.iter().map(|message| {
        DeleteMessageBatchRequestEntry::builder()
            .id(message.message_id().unwrap())
            .receipt_handle(message.receipt_handle().unwrap())
            .build()
            .unwrap()
    });
    let deleted = sqs
        .delete_message_batch()
        .queue_url(&url)
        .set_entries(Some(entries.collect()))
        .send()
        .await
        .unwrap();
    assert_eq!((deleted.successful().len(), deleted.failed().len()), (9, 0));

    let twice = vec![entry(0, "a"), entry(0, "b")];
    let (error, status) = refused(batch.clone().set_entries(Some(twice)).send().await);
    assert!(error.is_batch_entry_ids_not_distinct() && status == 400, "{error:?}");
    let (error, _) = refused(batch.set_entries(Some(vec![])).send().await);
    assert!(error.is_empty_batch_request(), "{error:?}");
}

#[tokio::test]
async fn a_long_poll_ends_with_the_message_or_with_its_time() {
    let sqs = client().await;
    let url = queue(&sqs).await;
    let start = Instant::now();
    let poll = sqs.receive_message().queue_url(&url).wait_time_seconds(1);
    let reply = poll.clone().send().await.unwrap();
    assert_eq!(reply.messages, None);
    assert!(start.elapsed() >= Duration::from_millis(950), "{:?}", start.elapsed());

    let start = Instant::now();
    let waits = poll.wait_time_seconds(15).send();
    let sends = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        send(&sqs, &url, "late").await;
    };
    let (reply, ()) = tokio::join!(waits, sends);
    assert_eq!(reply.unwrap().messages()[0].body(), Some("late"));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[tokio::test]
async fn what_cannot_be_is_a_typed_error() {
    let sqs = client().await;
    let url = queue(&sqs).await;
    let none = format!("{url}-none");
    let (error, status) =
        refused(sqs.send_message().queue_url(&none).message_body("x").send().await);
    assert_eq!(status, 400);
    // The name of before JSON is still the code, the variant is the name of today.
    assert_eq!(error.code(), Some("AWS.SimpleQueueService.NonExistentQueue"));
    assert_eq!(error.message(), Some("The specified queue does not exist."));
    assert!(matches!(error, SendMessageError::QueueDoesNotExist(_)), "{error:?}");
    let (error, _) = refused(sqs.receive_message().queue_url(&none).send().await);
    assert!(error.is_queue_does_not_exist(), "{error:?}");

    let delete = sqs.delete_message().queue_url(&url).receipt_handle("nonsense");
    let (error, _) = refused(delete.send().await);
    assert!(error.is_receipt_handle_is_invalid(), "{error:?}");

    send(&sqs, &url, "x").await;
    let handle = receive(&sqs, &url).await.remove(0).receipt_handle.unwrap();
    sqs.delete_message().queue_url(&url).receipt_handle(&handle).send().await.unwrap();
    let change = sqs.change_message_visibility().queue_url(&url).receipt_handle(&handle);
    let (error, status) = refused(change.visibility_timeout(1).send().await);
    // AWS says one or the other, as the message is remembered or not.
    let code = error.code().unwrap_or_default();
    assert!(
        code.contains("InvalidParameterValue") || code.contains("MessageNotInflight"),
        "{error:?}"
    );
    assert_eq!(status, 400);
}
