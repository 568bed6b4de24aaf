//! AWS::Logs::LogGroup

use serde_json::json;

use super::property::Property;
use super::work::{Work, gone, is_present};
use super::{Change, Made, Properties, Type};

const NAME_CHARS_MAX: usize = 512;

pub(super) const TYPE: Type = Type {
    kind: "AWS::Logs::LogGroup",
    properties: &[
        Property::text("LogGroupName").replaces(),
        Property::unhonoured("RetentionInDays"),
        Property::unhonoured("KmsKeyId"),
        Property::unhonoured("LogGroupClass"),
        Property::unhonoured("DataProtectionPolicy"),
        Property::tags(),
    ],
    attributes: &["Arn"],
    name: Some("LogGroupName"),
    create: |work, properties| Box::pin(create(work, properties)),
    update: |work, made, change| Box::pin(update(work, made, change)),
    delete: |work, made, _| Box::pin(delete(work, made)),
};

async fn create(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let name = work.name(properties.get("LogGroupName"), NAME_CHARS_MAX);
    match work.call("logs", "CreateLogGroup", json!({ "logGroupName": name })).await {
        Ok(_) => {}
        // A function that ran before its group was declared has made it, here as on AWS; there
        // the deploy fails for it, which helps nobody.
        Err(error) if is_present(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(Made::new(&name, [("Arn", work.arn("logs", &format!("log-group:{name}:*")))]))
}

async fn update(_: &Work<'_>, made: &Made, _: Change<'_>) -> Result<Made, kit::Error> {
    Ok(made.clone())
}

async fn delete(work: &Work<'_>, made: &Made) -> Result<(), kit::Error> {
    gone(work.call("logs", "DeleteLogGroup", json!({ "logGroupName": made.id })).await)
}
