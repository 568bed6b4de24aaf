//! AWS::SNS::Subscription

use serde_json::json;

use super::property::Property;
use super::work::{Work, attribute, gone, member, text};
use super::{Change, Made, Properties, Type};

const ATTRIBUTES: &[&str] =
    &["FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy"];

pub(super) const TYPE: Type = Type {
    kind: "AWS::SNS::Subscription",
    properties: &[
        Property::text("TopicArn").required().replaces(),
        Property::text("Protocol").required().replaces(),
        Property::text("Endpoint").replaces(),
        Property::any("FilterPolicy"),
        Property::text("FilterPolicyScope"),
        Property::bool("RawMessageDelivery"),
        Property::any("RedrivePolicy"),
        Property::unhonoured("DeliveryPolicy"),
        Property::unhonoured("Region"),
        Property::unhonoured("ReplayPolicy"),
        Property::unhonoured("SubscriptionRoleArn"),
    ],
    attributes: &["Arn"],
    name: None,
    create: |work, properties| Box::pin(create(work, properties)),
    update: |work, made, change| Box::pin(update(work, made, change)),
    delete: |work, made, _| Box::pin(delete(work, made)),
};

async fn create(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let set = ATTRIBUTES
        .iter()
        .filter_map(|key| properties.get(*key).map(|value| ((*key).to_owned(), attribute(value))));
    let attributes: Properties = set.collect();
    let input = json!({
        "TopicArn": text(properties, "TopicArn"),
        "Protocol": text(properties, "Protocol"),
        "Endpoint": text(properties, "Endpoint"),
        "Attributes": attributes,
        "ReturnSubscriptionArn": true,
    });
    // Subscribing twice gives the ARN of the first, so there is nothing to adopt.
    let arn = member(&work.call("sns", "Subscribe", input).await?, "SubscriptionArn");
    Ok(Made::new(&arn, [("Arn", arn.clone())]))
}

async fn update(work: &Work<'_>, made: &Made, change: Change<'_>) -> Result<Made, kit::Error> {
    for key in ATTRIBUTES.iter().filter(|key| change.touches(&[**key])) {
        let value = match change.new.get(*key) {
            Some(value) => attribute(value),
            None => json!(match *key {
                "FilterPolicy" => "{}",
                "FilterPolicyScope" => "MessageAttributes",
                "RawMessageDelivery" => "false",
                _ => "",
            }),
        };
        let input =
            json!({ "SubscriptionArn": made.id, "AttributeName": key, "AttributeValue": value });
        work.call("sns", "SetSubscriptionAttributes", input).await?;
    }
    Ok(made.clone())
}

async fn delete(work: &Work<'_>, made: &Made) -> Result<(), kit::Error> {
    gone(work.call("sns", "Unsubscribe", json!({ "SubscriptionArn": made.id })).await)
}
