//! Topics: a message published to one is with all its subscribers.
//!
//! Publishing appends to the queues and functions subscribed within the transaction of the
//! publish itself, so there is no time at which some have a message and others have not, and no
//! retry: those targets take what is appended, or are gone. How a target works off what it got is
//! its own affair.

mod api;
mod data;
mod error;
mod fanout;
mod ops;
mod rules;
mod target;
mod topics;
mod work;

use std::sync::Arc;

use base::Arn;
use delivery::Delivery;
use kit::{Api, Kit, Service};
use wire::{Names, Protocol};

use crate::ops::{message, subscription, tag, topic};
use crate::topics::Topics;
use crate::work::parts::{self, Parts};

const API: Api = Api {
    id: "sns",
    protocols: &[Protocol::Query],
    target_prefix: "",
    version: "2010-03-31",
    names: &Names { xml_namespace: "http://sns.amazonaws.com/doc/2010-03-31/", ..Names::PLAIN },
};

/// The service and its delivery line.
pub fn service(kit: &Kit, delivery: &Delivery) -> Service {
    let topics = Topics::open(kit, delivery);
    delivery.serve(&topics.line, parts::LIMITS, Arc::new(Parts(topics.clone())));
    kit.targets.register("sns", Arc::new(target::Publish(topics.clone())));
    Service::new(API, topics)
        .op("CreateTopic", topic::create, |ctx, input: &api::CreateTopicInput| {
            input.name.iter().map(|name| ctx.arn("sns", name.as_str())).collect()
        })
        .op("DeleteTopic", topic::delete, |_, input: &api::TopicInput| arn(&input.topic_arn))
        .op("ListTopics", topic::list, |_, _: &api::ListInput| vec![])
        .op("GetTopicAttributes", topic::get, |_, input: &api::TopicInput| arn(&input.topic_arn))
        .op("SetTopicAttributes", topic::set, |_, input: &api::SetTopicAttributesInput| {
            arn(&input.topic_arn)
        })
        .op("Subscribe", subscription::subscribe, |_, input: &api::SubscribeInput| {
            arn(&input.topic_arn)
        })
        .op("Unsubscribe", subscription::unsubscribe, |_, input: &api::SubscriptionInput| {
            arn(&input.subscription_arn)
        })
        .op("ListSubscriptions", subscription::list, |_, _: &api::ListInput| vec![])
        .op("ListSubscriptionsByTopic", subscription::list_by_topic, |_, input| {
            let input: &api::ListSubscriptionsByTopicInput = input;
            arn(&input.topic_arn)
        })
        .op("GetSubscriptionAttributes", subscription::get, |_, input: &api::SubscriptionInput| {
            arn(&input.subscription_arn)
        })
        .op("SetSubscriptionAttributes", subscription::set, |_, input| {
            let input: &api::SetSubscriptionAttributesInput = input;
            arn(&input.subscription_arn)
        })
        .op("Publish", message::publish, |_, input: &api::PublishInput| {
            let topic = input.topic_arn.as_ref().or(input.target_arn.as_ref());
            arn(&topic.cloned())
        })
        .op("PublishBatch", message::publish_batch, |_, input: &api::PublishBatchInput| {
            arn(&input.topic_arn)
        })
        .action("PublishBatch", "sns:Publish")
        .op("TagResource", tag::add, |_, input: &api::TagResourceInput| arn(&input.resource_arn))
        .op("UntagResource", tag::remove, |_, input: &api::UntagResourceInput| {
            arn(&input.resource_arn)
        })
        .op("ListTagsForResource", tag::list, |_, input: &api::ListTagsForResourceInput| {
            arn(&input.resource_arn)
        })
}

/// What an ARN names. A text that is none fails in the operation.
fn arn(text: &Option<String>) -> Vec<Arn> {
    text.iter().filter_map(|text| text.parse().ok()).collect()
}
