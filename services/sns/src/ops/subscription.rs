//! Subscriptions: made, found, listed, changed and ended.

use base::Arn;
use kit::Ctx;

use crate::api;
use crate::data::{self, Protocol, Settings, Subscription};
use crate::error::{Error, Result};
use crate::ops::page;
use crate::rules::name::{SubscriptionId, TopicId};
use crate::topics::{SUBSCRIPTIONS_MAX, Topics};

/// Protocols that AWS has and we do not.
const NOT_SERVED: [&str; 7] =
    ["application", "email", "email-json", "firehose", "http", "https", "sms"];
/// What stands before the sentence about a wrong attribute at Subscribe.
const IN_SUBSCRIBE: &str = "Attributes Reason: ";

pub(crate) async fn subscribe(
    ctx: &Ctx,
    input: api::SubscribeInput,
) -> Result<api::SubscribeOutput> {
    let topics: &Topics = ctx.state();
    let topic = &TopicId::from_text(ctx, "TopicArn", input.topic_arn.as_deref())?;
    let protocol = protocol(&input.protocol.unwrap_or_default())?;
    let endpoint = &endpoint(protocol, &input.endpoint.unwrap_or_default())?;
    let given = &input.attributes;
    let settings = &Settings::default().apply(protocol, given, IN_SUBSCRIBE)?;
    let fresh = &SubscriptionId { topic: topic.clone(), id: ctx.kit.uuid() };
    let id = topics
        .transact(|tx| async move {
            topics.find(&tx, topic).await?;
            let all = topics.all_subscriptions(&tx, topic).await?;
            let there = all
                .iter()
                .find(|(_, known)| known.protocol == protocol && known.endpoint == *endpoint);
            if let Some((id, known)) = there {
                // Subscribing again is fine, with the same attributes or without any.
                if known.settings.apply(protocol, given, IN_SUBSCRIBE)? != known.settings {
                    return Err(Error::parameter(
                        "Attributes Reason: Subscription already exists with different attributes",
                    ));
                }
                return Ok(id.clone());
            }
            if all.len() >= SUBSCRIPTIONS_MAX {
                return Err(Error::SubscriptionLimit(all.len()));
            }
            let (endpoint, settings) = (endpoint.clone(), settings.clone());
            let subscription = Subscription { protocol, endpoint, settings };
            tx.put_record(data::subscription(topics.account(), fresh), &subscription)?;
            Ok(fresh.clone())
        })
        .await?;
    Ok(api::SubscribeOutput { subscription_arn: id.arn(&ctx.account).to_string() })
}

fn protocol(name: &str) -> Result<Protocol> {
    match name {
        "sqs" => Ok(Protocol::Sqs),
        "lambda" => Ok(Protocol::Lambda),
        _ if NOT_SERVED.contains(&name) => {
            Err(Error::not_served(format_args!("sns.Subscribe with protocol {name}")))
        }
        _ => Err(Error::parameter(format!(
            "Amazon SNS does not support this protocol string: {name}"
        ))),
    }
}

/// A queue or a function by its ARN. It need not exist yet.
fn endpoint(protocol: Protocol, text: &str) -> Result<Arn> {
    let (kind, service) = match protocol {
        Protocol::Sqs => ("SQS endpoint ARN", "sqs"),
        Protocol::Lambda => ("Lambda endpoint ARN", "lambda"),
    };
    let arn: Arn = text.parse().map_err(|_| Error::parameter(kind))?;
    if arn.service != service {
        return Err(Error::parameter(kind));
    }
    if protocol == Protocol::Sqs && arn.resource.ends_with(".fifo") {
        return Err(Error::parameter(
            "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to \
             standard SNS topics",
        ));
    }
    Ok(arn)
}

/// To end what has ended is no error.
pub(crate) async fn unsubscribe(ctx: &Ctx, input: api::SubscriptionInput) -> Result<api::Nothing> {
    let topics: &Topics = ctx.state();
    let id = &SubscriptionId::from_text(ctx, input.subscription_arn.as_deref())?;
    topics
        .transact(|tx| async move {
            tx.delete(data::subscription(topics.account(), id));
            Ok(())
        })
        .await?;
    Ok(api::Nothing {})
}

pub(crate) async fn get(ctx: &Ctx, input: api::SubscriptionInput) -> Result<api::AttributesOutput> {
    let topics: &Topics = ctx.state();
    let id = SubscriptionId::from_text(ctx, input.subscription_arn.as_deref())?;
    let key = data::subscription(topics.account(), &id);
    let found: Option<Subscription> = topics.store().get_record(&key).await?;
    let found = found.ok_or(Error::NoSubscription)?;
    Ok(api::AttributesOutput { attributes: found.show(topics.account(), &id) })
}

pub(crate) async fn set(
    ctx: &Ctx,
    input: api::SetSubscriptionAttributesInput,
) -> Result<api::Nothing> {
    let topics: &Topics = ctx.state();
    let id = &SubscriptionId::from_text(ctx, input.subscription_arn.as_deref())?;
    let name = input.attribute_name.ok_or_else(|| Error::parameter("AttributeName"))?;
    let given = &[(name, input.attribute_value.unwrap_or_default())].into();
    topics
        .transact(|tx| async move {
            let found = topics.find_subscription(&tx, id).await?;
            let settings = found.settings.apply(found.protocol, given, "")?;
            let key = data::subscription(topics.account(), id);
            Ok(tx.put_record(key, &Subscription { settings, ..found })?)
        })
        .await?;
    Ok(api::Nothing {})
}

pub(crate) async fn list(ctx: &Ctx, input: api::ListInput) -> Result<api::ListSubscriptionsOutput> {
    let topics: &Topics = ctx.state();
    let prefix = data::subscriptions(topics.account(), &ctx.region);
    let (entries, next_token) = page(topics, &prefix, input.next_token.as_deref()).await?;
    let mut subscriptions = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let mut elements = key.after(&prefix)?;
        let topic = TopicId { region: ctx.region.clone(), name: elements.str()? };
        let id = SubscriptionId { topic, id: elements.str()? };
        subscriptions.push(entry(ctx, &id, &store::decode(&key, &value)?));
    }
    Ok(api::ListSubscriptionsOutput { subscriptions, next_token })
}

pub(crate) async fn list_by_topic(
    ctx: &Ctx,
    input: api::ListSubscriptionsByTopicInput,
) -> Result<api::ListSubscriptionsOutput> {
    let topics: &Topics = ctx.state();
    let topic = TopicId::from_text(ctx, "TopicArn", input.topic_arn.as_deref())?;
    if topics.store().get(&data::topic(topics.account(), &topic)).await?.is_none() {
        return Err(Error::NoTopic);
    }
    let prefix = data::subscriptions_of(topics.account(), &topic);
    let (entries, next_token) = page(topics, &prefix, input.next_token.as_deref()).await?;
    let mut subscriptions = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let id = SubscriptionId { topic: topic.clone(), id: key.after(&prefix)?.str()? };
        subscriptions.push(entry(ctx, &id, &store::decode(&key, &value)?));
    }
    Ok(api::ListSubscriptionsOutput { subscriptions, next_token })
}

fn entry(ctx: &Ctx, id: &SubscriptionId, subscription: &Subscription) -> api::SubscriptionEntry {
    api::SubscriptionEntry {
        subscription_arn: id.arn(&ctx.account).to_string(),
        owner: ctx.account.to_string(),
        protocol: subscription.protocol.name().to_owned(),
        endpoint: subscription.endpoint.to_string(),
        topic_arn: id.topic.arn(&ctx.account).to_string(),
    }
}
