//! AWS::SQS::QueuePolicy: an attribute of the queues it names. Kept by them, and enforced once
//! access control is.

use serde_json::{Value, json};

use super::property::{GRANTS_NOTHING, Property};
use super::work::{Work, gone};
use super::{Change, Made, Properties, Type};

pub(super) const TYPE: Type = Type {
    kind: "AWS::SQS::QueuePolicy",
    properties: &[
        Property::texts("Queues").required(),
        Property::any("PolicyDocument").but(GRANTS_NOTHING).required(),
    ],
    attributes: &["Id"],
    name: None,
    create: |work, properties| Box::pin(create(work, properties)),
    update: |work, made, change| Box::pin(update(work, made, change)),
    delete: |work, _, properties| Box::pin(delete(work, properties)),
};

async fn create(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let policy = properties.get("PolicyDocument").map(Value::to_string).unwrap_or_default();
    for url in queues(properties) {
        set(work, url, &policy).await?;
    }
    Ok(Made::new(work.fresh_name, [("Id", work.fresh_name.to_owned())]))
}

async fn update(work: &Work<'_>, made: &Made, change: Change<'_>) -> Result<Made, kit::Error> {
    for url in queues(change.old).filter(|url| !queues(change.new).any(|kept| kept == *url)) {
        gone(set(work, url, "").await)?;
    }
    create(work, change.new).await?;
    Ok(made.clone())
}

async fn delete(work: &Work<'_>, properties: &Properties) -> Result<(), kit::Error> {
    for url in queues(properties) {
        gone(set(work, url, "").await)?;
    }
    Ok(())
}

async fn set(work: &Work<'_>, url: &str, policy: &str) -> Result<Value, kit::Error> {
    let input = json!({ "QueueUrl": url, "Attributes": { "Policy": policy } });
    work.call("sqs", "SetQueueAttributes", input).await
}

fn queues(properties: &Properties) -> impl Iterator<Item = &str> {
    let list = properties.get("Queues").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}
