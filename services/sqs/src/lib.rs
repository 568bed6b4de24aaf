//! Queues: messages that are kept until a receiver has deleted them.
//!
//! A message is received under a lease (its visibility timeout) that ends by itself, so a
//! receiver that dies loses nothing. Sending writes and reads nothing that another sender writes;
//! receivers share out messages in memory ([`store::fifo`]) and never wait for each other's
//! transactions. On FIFO queues both go by message groups. Delays and leases end as entries of one
//! delivery line, many in a transaction.

mod api;
mod data;
mod error;
mod messages;
mod names;
mod ops;
mod ordered;
mod queues;
mod rules;
mod source;
mod target;
mod work;

use std::sync::Arc;

use base::Arn;
use delivery::Delivery;
use kit::{Api, Ctx, Every, Kit, Service};
use wire::Protocol;

use crate::ops::{attribute, message, queue, receipt, receive, tag};
use crate::queues::Queues;
use crate::rules::name::QueueId;
use crate::source::Outbox;
use crate::target::Inbox;
use crate::work::deduplication::Forgets;
use crate::work::visibility::Returns;
use crate::work::{deduplication, expire, sweep, visibility};

const API: Api = Api {
    id: "sqs",
    protocols: &[Protocol::Json10, Protocol::Query],
    target_prefix: "AmazonSQS",
    version: "2012-11-05",
    names: &names::NAMES,
};

/// The service, its queues as targets and sources, and its delivery line.
pub fn service(kit: &Kit, delivery: &Delivery) -> Service {
    let queues = Queues::open(kit, delivery);
    delivery.serve(&queues.line, visibility::LIMITS, Arc::new(Returns(queues.clone())));
    let forgets = Arc::new(Forgets(queues.clone()));
    delivery.serve(&queues.forgetting, deduplication::LIMITS, forgets);
    kit.targets.register("sqs", Arc::new(Inbox(queues.clone())));
    kit.sources.register("sqs", Arc::new(Outbox(queues.clone())));
    Service::new(API, queues)
        .op("CreateQueue", queue::create, |ctx, input: &api::CreateQueueInput| {
            named(ctx, &input.queue_name)
        })
        .op("GetQueueUrl", queue::get_url, |ctx, input: &api::GetQueueUrlInput| {
            named(ctx, &input.queue_name)
        })
        .op("ListQueues", queue::list, |_, _: &api::ListQueuesInput| vec![])
        .op("ListDeadLetterSourceQueues", queue::list_sources, |ctx, input| {
            let input: &api::ListDeadLetterSourceQueuesInput = input;
            at(ctx, &input.queue_url)
        })
        .op("DeleteQueue", queue::delete, |ctx, input: &api::QueueInput| at(ctx, &input.queue_url))
        .op("PurgeQueue", queue::purge, |ctx, input: &api::QueueInput| at(ctx, &input.queue_url))
        .op("GetQueueAttributes", attribute::get, |ctx, input: &api::GetQueueAttributesInput| {
            at(ctx, &input.queue_url)
        })
        .op("SetQueueAttributes", attribute::set, |ctx, input: &api::SetQueueAttributesInput| {
            at(ctx, &input.queue_url)
        })
        .op("TagQueue", tag::add, |ctx, input: &api::TagQueueInput| at(ctx, &input.queue_url))
        .op("UntagQueue", tag::remove, |ctx, input: &api::UntagQueueInput| {
            at(ctx, &input.queue_url)
        })
        .op("ListQueueTags", tag::list, |ctx, input: &api::QueueInput| at(ctx, &input.queue_url))
        .op("SendMessage", message::send, |ctx, input: &api::SendMessageInput| {
            at(ctx, &input.queue_url)
        })
        .op("SendMessageBatch", message::send_batch, batch::<api::SendMessageInput>)
        .action("SendMessageBatch", "sqs:SendMessage")
        .op("ReceiveMessage", receive::receive, |ctx, input: &api::ReceiveMessageInput| {
            at(ctx, &input.queue_url)
        })
        .op("DeleteMessage", receipt::delete, |ctx, input: &api::DeleteMessageInput| {
            at(ctx, &input.queue_url)
        })
        .op("DeleteMessageBatch", receipt::delete_batch, batch::<api::DeleteMessageInput>)
        .action("DeleteMessageBatch", "sqs:DeleteMessage")
        .op("ChangeMessageVisibility", receipt::change, |ctx, input| {
            let input: &api::ChangeMessageVisibilityInput = input;
            at(ctx, &input.queue_url)
        })
        .op(
            "ChangeMessageVisibilityBatch",
            receipt::change_batch,
            batch::<api::ChangeMessageVisibilityInput>,
        )
        .action("ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility")
        .worker("expire", Every::secs(10), expire::tick)
        .worker("sweep", Every::secs(1), sweep::tick)
}

/// The queue a URL names. A URL that names none fails in the operation.
fn at(ctx: &Ctx, url: &Option<String>) -> Vec<Arn> {
    let id = QueueId::from_url(ctx, url.as_deref());
    id.map(|id| id.arn(&ctx.account)).into_iter().collect()
}

fn named(ctx: &Ctx, name: &Option<String>) -> Vec<Arn> {
    name.iter().map(|name| QueueId::named(ctx, name).arn(&ctx.account)).collect()
}

fn batch<T>(ctx: &Ctx, input: &api::BatchInput<T>) -> Vec<Arn> {
    at(ctx, &input.queue_url)
}
