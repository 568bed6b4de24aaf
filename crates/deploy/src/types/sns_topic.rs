//! AWS::SNS::Topic

use serde_json::{Value, json};

use super::property::Property;
use super::work::{Work, attribute, gone, member};
use super::{Change, Made, Properties, Type};

const ATTRIBUTES: &[&str] = &["DisplayName", "FifoTopic", "ContentBasedDeduplication"];
const NAME_CHARS_MAX: usize = 256;

pub(super) const TYPE: Type = Type {
    kind: "AWS::SNS::Topic",
    properties: &[
        Property::text("TopicName").replaces(),
        Property::text("DisplayName"),
        Property::bool("FifoTopic").replaces(),
        Property::bool("ContentBasedDeduplication"),
        Property::any("Subscription"),
        Property::unhonoured("KmsMasterKeyId"),
        Property::unhonoured("SignatureVersion"),
        Property::unhonoured("TracingConfig"),
        Property::unhonoured("ArchivePolicy"),
        Property::unhonoured("DataProtectionPolicy"),
        Property::unhonoured("DeliveryStatusLogging"),
        Property::unhonoured("FifoThroughputScope"),
        Property::tags(),
    ],
    attributes: &["TopicArn", "TopicName"],
    name: Some("TopicName"),
    create: |work, properties| Box::pin(create(work, properties)),
    update: |work, made, change| Box::pin(update(work, made, change)),
    delete: |work, made, _| Box::pin(delete(work, made)),
};

async fn create(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let mut name = work.name(properties.get("TopicName"), NAME_CHARS_MAX);
    let is_fifo = properties.get("FifoTopic") == Some(&Value::Bool(true));
    if is_fifo && !name.ends_with(".fifo") {
        name.push_str(".fifo");
    }
    let set = ATTRIBUTES.iter().filter_map(|key| {
        let value = properties.get(*key).filter(|value| **value != Value::Bool(false))?;
        Some(((*key).to_owned(), attribute(value)))
    });
    let attributes: Properties = set.collect();
    // Making a topic that is there gives its ARN, so there is nothing to adopt.
    let input = json!({ "Name": name, "Attributes": attributes });
    let arn = member(&work.call("sns", "CreateTopic", input).await?, "TopicArn");
    for subscription in subscriptions(properties) {
        subscribe(work, &arn, subscription).await?;
    }
    Ok(Made::new(&arn, [("TopicArn", arn.clone()), ("TopicName", name)]))
}

async fn update(work: &Work<'_>, made: &Made, change: Change<'_>) -> Result<Made, kit::Error> {
    for key in ["DisplayName", "ContentBasedDeduplication"] {
        if change.touches(&[key]) {
            let value = change.new.get(key).map_or_else(|| json!(""), attribute);
            let input =
                json!({ "TopicArn": made.id, "AttributeName": key, "AttributeValue": value });
            work.call("sns", "SetTopicAttributes", input).await?;
        }
    }
    let old: Vec<&Value> = subscriptions(change.old).collect();
    let new: Vec<&Value> = subscriptions(change.new).collect();
    for subscription in old.iter().filter(|subscription| !new.contains(subscription)) {
        // Subscribing again is how SNS tells the ARN of a subscription that is there.
        let arn = subscribe(work, &made.id, subscription).await?;
        let input = json!({ "SubscriptionArn": arn });
        gone(work.call("sns", "Unsubscribe", input).await)?;
    }
    for subscription in new.iter().filter(|subscription| !old.contains(subscription)) {
        subscribe(work, &made.id, subscription).await?;
    }
    Ok(made.clone())
}

async fn delete(work: &Work<'_>, made: &Made) -> Result<(), kit::Error> {
    gone(work.call("sns", "DeleteTopic", json!({ "TopicArn": made.id })).await)
}

fn subscriptions(properties: &Properties) -> impl Iterator<Item = &Value> {
    properties.get("Subscription").and_then(Value::as_array).into_iter().flatten()
}

async fn subscribe(
    work: &Work<'_>,
    topic: &str,
    subscription: &Value,
) -> Result<String, kit::Error> {
    let input = json!({
        "TopicArn": topic,
        "Protocol": subscription["Protocol"],
        "Endpoint": subscription["Endpoint"],
        "ReturnSubscriptionArn": true,
    });
    Ok(member(&work.call("sns", "Subscribe", input).await?, "SubscriptionArn"))
}
