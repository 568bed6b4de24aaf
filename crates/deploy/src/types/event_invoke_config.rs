//! AWS::Lambda::EventInvokeConfig: what becomes of a function's asynchronous events.

use serde_json::Value;

use super::property::Property;
use super::work::{Work, gone, some, text};
use super::{Change, Made, Properties, Type};

const TARGET: &[&str] = &["FunctionName", "Qualifier"];
const SETTINGS: &[&str] = &[
    "FunctionName",
    "Qualifier",
    "DestinationConfig",
    "MaximumEventAgeInSeconds",
    "MaximumRetryAttempts",
];

pub(super) const TYPE: Type = Type {
    kind: "AWS::Lambda::EventInvokeConfig",
    properties: &[
        Property::text("FunctionName").required().replaces(),
        Property::text("Qualifier").required().replaces(),
        Property::any("DestinationConfig"),
        Property::int("MaximumEventAgeInSeconds"),
        Property::int("MaximumRetryAttempts"),
    ],
    attributes: &[],
    name: None,
    create: |work, properties| Box::pin(put(work, properties)),
    update: |work, _, change: Change<'_>| Box::pin(put(work, change.new)),
    delete: |work, _, properties| Box::pin(delete(work, properties)),
};

/// The operation makes or replaces all of it, so what the template no longer says is gone.
async fn put(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let input = Value::Object(some(properties, SETTINGS));
    work.call("lambda", "PutFunctionEventInvokeConfig", input).await?;
    let id = format!("{}|{}", text(properties, "FunctionName"), text(properties, "Qualifier"));
    Ok(Made::new(&id, []))
}

async fn delete(work: &Work<'_>, properties: &Properties) -> Result<(), kit::Error> {
    let input = Value::Object(some(properties, TARGET));
    gone(work.call("lambda", "DeleteFunctionEventInvokeConfig", input).await)
}
