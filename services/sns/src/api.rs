//! The shapes on the wire. Members that AWS requires are optional here, because a missing one has
//! its own error.

use std::collections::BTreeMap;

use kit::unserved::Unserved;
use serde::{Deserialize, Serialize};
use wire::Blob;

/// Attributes of topics and subscriptions: text by name.
pub(crate) type Texts = BTreeMap<String, String>;

/// The answer of an operation that has nothing to say.
#[derive(Debug, Serialize)]
pub(crate) struct Nothing {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateTopicInput {
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) attributes: Texts,
    #[serde(default)]
    pub(crate) tags: Vec<Tag>,
    pub(crate) data_protection_policy: Unserved,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateTopicOutput {
    pub(crate) topic_arn: String,
}

/// DeleteTopic and GetTopicAttributes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TopicInput {
    pub(crate) topic_arn: Option<String>,
}

/// ListTopics and ListSubscriptions.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListInput {
    pub(crate) next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListTopicsOutput {
    pub(crate) topics: Vec<TopicEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TopicEntry {
    pub(crate) topic_arn: String,
}

/// The attributes of a topic or of a subscription.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AttributesOutput {
    pub(crate) attributes: Texts,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SetTopicAttributesInput {
    pub(crate) topic_arn: Option<String>,
    pub(crate) attribute_name: Option<String>,
    pub(crate) attribute_value: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SubscribeInput {
    pub(crate) topic_arn: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) endpoint: Option<String>,
    #[serde(default)]
    pub(crate) attributes: Texts,
    /// Matters where a subscription waits for its confirmation, which none does here.
    #[serde(rename = "ReturnSubscriptionArn")]
    _return_subscription_arn: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SubscribeOutput {
    pub(crate) subscription_arn: String,
}

/// Unsubscribe and GetSubscriptionAttributes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SubscriptionInput {
    pub(crate) subscription_arn: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SetSubscriptionAttributesInput {
    pub(crate) subscription_arn: Option<String>,
    pub(crate) attribute_name: Option<String>,
    pub(crate) attribute_value: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListSubscriptionsByTopicInput {
    pub(crate) topic_arn: Option<String>,
    pub(crate) next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListSubscriptionsOutput {
    pub(crate) subscriptions: Vec<SubscriptionEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SubscriptionEntry {
    pub(crate) subscription_arn: String,
    pub(crate) owner: String,
    pub(crate) protocol: String,
    pub(crate) endpoint: String,
    pub(crate) topic_arn: String,
}

/// The value of a message attribute.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AttributeValue {
    pub(crate) data_type: Option<String>,
    pub(crate) string_value: Option<String>,
    pub(crate) binary_value: Option<Blob>,
}

/// Message attributes by name.
pub(crate) type Attributes = BTreeMap<String, AttributeValue>;

/// Publish, addressed to a topic, and an entry of its batch, named by `Id`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PublishInput {
    pub(crate) topic_arn: Option<String>,
    pub(crate) target_arn: Option<String>,
    pub(crate) phone_number: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) message_structure: Option<String>,
    #[serde(default)]
    pub(crate) message_attributes: Attributes,
    pub(crate) message_deduplication_id: Option<String>,
    pub(crate) message_group_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PublishOutput {
    pub(crate) message_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PublishBatchInput {
    pub(crate) topic_arn: Option<String>,
    #[serde(default)]
    pub(crate) publish_batch_request_entries: Vec<PublishInput>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PublishBatchOutput {
    pub(crate) successful: Vec<BatchSuccess>,
    pub(crate) failed: Vec<BatchFailure>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BatchSuccess {
    pub(crate) id: String,
    pub(crate) message_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BatchFailure {
    pub(crate) id: String,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) sender_fault: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TagResourceInput {
    pub(crate) resource_arn: Option<String>,
    #[serde(default)]
    pub(crate) tags: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UntagResourceInput {
    pub(crate) resource_arn: Option<String>,
    #[serde(default)]
    pub(crate) tag_keys: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListTagsForResourceInput {
    pub(crate) resource_arn: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListTagsForResourceOutput {
    pub(crate) tags: Vec<Tag>,
}
