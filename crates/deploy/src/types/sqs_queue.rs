//! AWS::SQS::Queue

use serde_json::{Value, json};

use super::property::Property;
use super::work::{Work, attribute, gone, is_present, member};
use super::{Change, Made, Properties, Type};

/// The properties that are attributes of the queue under the same name.
const ATTRIBUTES: &[&str] = &[
    "VisibilityTimeout",
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "RedrivePolicy",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
];

/// What an attribute is when the template stops saying it.
const DEFAULTS: &[(&str, &str)] = &[
    ("VisibilityTimeout", "30"),
    ("DelaySeconds", "0"),
    ("MaximumMessageSize", "1048576"),
    ("MessageRetentionPeriod", "345600"),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    ("RedrivePolicy", ""),
    ("ContentBasedDeduplication", "false"),
    ("DeduplicationScope", "queue"),
    ("FifoThroughputLimit", "perQueue"),
];

const NAME_CHARS_MAX: usize = 80;

pub(super) const TYPE: Type = Type {
    kind: "AWS::SQS::Queue",
    properties: &[
        Property::text("QueueName").replaces(),
        Property::int("VisibilityTimeout"),
        Property::int("DelaySeconds"),
        Property::int("MaximumMessageSize"),
        Property::int("MessageRetentionPeriod"),
        Property::int("ReceiveMessageWaitTimeSeconds"),
        Property::any("RedrivePolicy"),
        Property::bool("FifoQueue").replaces(),
        Property::bool("ContentBasedDeduplication"),
        Property::text("DeduplicationScope"),
        Property::text("FifoThroughputLimit").but("is kept, but throughput is not limited"),
        Property::unhonoured("RedriveAllowPolicy"),
        Property::unhonoured("KmsMasterKeyId"),
        Property::unhonoured("KmsDataKeyReusePeriodSeconds"),
        Property::unhonoured("SqsManagedSseEnabled"),
        Property::tags(),
    ],
    attributes: &["Arn", "QueueName", "QueueUrl"],
    name: Some("QueueName"),
    create: |work, properties| Box::pin(create(work, properties)),
    update: |work, made, change| Box::pin(update(work, made, change)),
    delete: |work, made, _| Box::pin(delete(work, made)),
};

async fn create(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let is_fifo = properties.get("FifoQueue") == Some(&Value::Bool(true));
    let suffix = if is_fifo { ".fifo" } else { "" };
    let name = match properties.get("QueueName") {
        Some(given) => work.name(Some(given), NAME_CHARS_MAX),
        None => work.name(None, NAME_CHARS_MAX - suffix.len()) + suffix,
    };
    // A standard queue knows nothing of FIFO queues, not even as false.
    let says = |value: &&Value| is_fifo || **value != Value::Bool(false);
    let set = ATTRIBUTES.iter().chain(["FifoQueue"].iter()).filter_map(|key| {
        let value = properties.get(*key).filter(says)?;
        Some(((*key).to_owned(), attribute(value)))
    });
    let attributes: Properties = set.collect();
    let input = json!({ "QueueName": name, "Attributes": attributes });
    let url = match work.call("sqs", "CreateQueue", input).await {
        Ok(answer) => member(&answer, "QueueUrl"),
        Err(error) if work.adopt && is_present(&error) => {
            let answer = work.call("sqs", "GetQueueUrl", json!({ "QueueName": name })).await?;
            let url = member(&answer, "QueueUrl");
            let input = json!({ "QueueUrl": url, "Attributes": attributes });
            work.call("sqs", "SetQueueAttributes", input).await?;
            url
        }
        Err(error) => return Err(error),
    };
    let attributes =
        [("Arn", work.arn("sqs", &name)), ("QueueUrl", url.clone()), ("QueueName", name)];
    Ok(Made::new(&url, attributes))
}

async fn update(work: &Work<'_>, made: &Made, change: Change<'_>) -> Result<Made, kit::Error> {
    let mut attributes = Properties::new();
    for key in ATTRIBUTES.iter().filter(|key| change.touches(&[**key])) {
        let default = DEFAULTS.iter().find(|(name, _)| name == key).map(|(_, value)| json!(value));
        let Some(value) = change.new.get(*key).map(attribute).or(default) else { continue };
        attributes.insert((*key).to_owned(), value);
    }
    if !attributes.is_empty() {
        let input = json!({ "QueueUrl": made.id, "Attributes": attributes });
        work.call("sqs", "SetQueueAttributes", input).await?;
    }
    Ok(made.clone())
}

async fn delete(work: &Work<'_>, made: &Made) -> Result<(), kit::Error> {
    gone(work.call("sqs", "DeleteQueue", json!({ "QueueUrl": made.id })).await)
}
