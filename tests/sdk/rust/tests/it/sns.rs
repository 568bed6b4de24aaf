//! Topics: one message to the queues that want it, as it is or in its envelope.

use aws_sdk_sns::error::ProvideErrorMetadata;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry, Subscription};
use aws_sdk_sqs::types::{Message, QueueAttributeName};

use crate::{aws, name, refused};

/// A queue, as a subscriber sees it.
struct Queue {
    sqs: aws_sdk_sqs::Client,
    url: String,
    arn: String,
}

async fn queue(sqs: &aws_sdk_sqs::Client) -> Queue {
    let url = sqs.create_queue().queue_name(name()).send().await.unwrap().queue_url.unwrap();
    let arn = QueueAttributeName::QueueArn;
    let asked = sqs.get_queue_attributes().queue_url(&url).attribute_names(arn.clone());
    let arn = asked.send().await.unwrap().attributes.unwrap()[&arn].clone();
    Queue { sqs: sqs.clone(), url, arn }
}

impl Queue {
    async fn receive(&self) -> Vec<Message> {
        let poll = self.sqs.receive_message().queue_url(&self.url).max_number_of_messages(10);
        let poll = poll.message_attribute_names("All").wait_time_seconds(5);
        poll.send().await.unwrap().messages.unwrap_or_default()
    }
}

fn kind(value: &str) -> MessageAttributeValue {
    let attribute = MessageAttributeValue::builder().data_type("String");
    attribute.string_value(value).build().unwrap()
}

#[tokio::test]
async fn a_message_arrives_raw_and_in_its_envelope_where_the_filter_lets_it() {
    let config = aws().await;
    let sns = aws_sdk_sns::Client::new(&config);
    let sqs = aws_sdk_sqs::Client::new(&config);
    let topic = sns.create_topic().name(name()).send().await.unwrap().topic_arn.unwrap();
    let queues = [queue(&sqs).await, queue(&sqs).await];
    for (queue, raw) in queues.iter().zip(["true", "false"]) {
        let subscribed = sns
            .subscribe()
            .topic_arn(&topic)
            .protocol("sqs")
            .endpoint(&queue.arn)
            .attributes("RawMessageDelivery", raw)
            .attributes("FilterPolicy", r#"{"kind":["a"]}"#)
            .return_subscription_arn(true)
            .send()
            .await
            .unwrap();
        assert!(subscribed.subscription_arn().unwrap().starts_with(&format!("{topic}:")));
    }
    let pages = sns.list_subscriptions_by_topic().topic_arn(&topic).into_paginator();
    let found = pages.items().send().collect::<Result<Vec<Subscription>, _>>().await.unwrap();
    assert_eq!(found.len(), 2);

    let publish = sns.publish().topic_arn(&topic).subject("s");
    let sent = publish.clone().message("kind ä").message_attributes("kind", kind("a")).send().await;
    let sent = sent.unwrap();
    publish.message("kind b").message_attributes("kind", kind("b")).send().await.unwrap();

    let raw = queues[0].receive().await;
    assert_eq!(raw.len(), 1, "{raw:?}");
    assert_eq!(raw[0].body(), Some("kind ä"));
    assert_eq!(raw[0].message_attributes().unwrap()["kind"].string_value(), Some("a"));

    let wrapped = queues[1].receive().await;
    assert_eq!(wrapped.len(), 1, "{wrapped:?}");
    let envelope: serde_json::Value = serde_json::from_str(wrapped[0].body().unwrap()).unwrap();
    assert_eq!(envelope["Type"], "Notification");
    assert_eq!(envelope["Message"], "kind ä");
    assert_eq!(envelope["Subject"], "s");
    assert_eq!(envelope["TopicArn"], topic);
    assert_eq!(Some(envelope["MessageId"].as_str().unwrap()), sent.message_id());
    assert_eq!(envelope["MessageAttributes"]["kind"]["Value"], "a");
}

#[tokio::test]
async fn a_batch_is_published_and_an_unsubscribed_queue_gets_nothing() {
    let config = aws().await;
    let sns = aws_sdk_sns::Client::new(&config);
    let sqs = aws_sdk_sqs::Client::new(&config);
    let topic = sns.create_topic().name(name()).send().await.unwrap().topic_arn.unwrap();
    let (stays, leaves) = (queue(&sqs).await, queue(&sqs).await);
    for queue in [&stays, &leaves] {
        let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(&queue.arn);
        let made = subscribe.attributes("RawMessageDelivery", "true").send().await.unwrap();
        if queue.url == leaves.url {
            let arn = made.subscription_arn().unwrap();
            sns.unsubscribe().subscription_arn(arn).send().await.unwrap();
        }
    }
    let entries = (0..3).map(|id| {
        let entry = PublishBatchRequestEntry::builder().id(format!("e{id}"));
        entry.message(format!("<&> {id}")).build().unwrap()
    });
    let batch = sns.publish_batch().topic_arn(&topic);
    let reply = batch.set_publish_batch_request_entries(Some(entries.collect())).send();
    let reply = reply.await.unwrap();
    assert_eq!((reply.successful().len(), reply.failed().len()), (3, 0));

    let messages = stays.receive().await;
    let mut bodies: Vec<_> = messages.iter().map(|message| message.body().unwrap()).collect();
    bodies.sort_unstable();
    assert_eq!(bodies, ["<&> 0", "<&> 1", "<&> 2"]);
    let poll = sqs.receive_message().queue_url(&leaves.url).send().await.unwrap();
    assert_eq!(poll.messages, None);
}

#[tokio::test]
async fn what_cannot_be_is_a_typed_error() {
    let sns = aws_sdk_sns::Client::new(&aws().await);
    let topic = sns.create_topic().name(name()).send().await.unwrap().topic_arn.unwrap();
    let listed = sns.list_topics().into_paginator().items().send();
    let listed = listed.collect::<Result<Vec<_>, _>>().await.unwrap();
    assert!(listed.iter().any(|each| each.topic_arn() == Some(&topic)));

    sns.delete_topic().topic_arn(&topic).send().await.unwrap();
    let (error, status) = refused(sns.publish().topic_arn(&topic).message("x").send().await);
    assert!(error.is_not_found_exception() && status == 404, "{error:?}");
    assert_eq!(error.message(), Some("Topic does not exist"));
    let (error, status) = refused(sns.create_topic().name("not a name").send().await);
    assert!(error.is_invalid_parameter_exception() && status == 400, "{error:?}");
}
