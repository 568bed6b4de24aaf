//! AWS::Lambda::LayerVersion: any change publishes another version.

use serde_json::{Value, json};

use super::property::Property;
use super::work::{Work, gone, member, some};
use super::{Change, Made, Properties, Type};

const NAME_CHARS_MAX: usize = 140;

pub(super) const TYPE: Type = Type {
    kind: "AWS::Lambda::LayerVersion",
    properties: &[
        Property::any("Content").required().replaces(),
        Property::text("LayerName").replaces(),
        Property::text("Description").replaces(),
        Property::texts("CompatibleRuntimes").replaces(),
        Property::texts("CompatibleArchitectures").replaces(),
        Property::text("LicenseInfo").replaces(),
    ],
    attributes: &["LayerVersionArn"],
    // Versions of one name have numbers, so one does not stand in the way of the next.
    name: None,
    create: |work, properties| Box::pin(create(work, properties)),
    update: |_, made, change| Box::pin(update(made, change)),
    delete: |work, made, _| Box::pin(delete(work, made)),
};

async fn create(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let mut input = some(
        properties,
        &["Description", "CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo"],
    );
    let name = work.name(properties.get("LayerName"), NAME_CHARS_MAX);
    input.insert("LayerName".to_owned(), json!(name));
    let zip = work.zip(properties.get("Content"))?;
    input.insert("Content".to_owned(), json!({ "ZipFile": zip }));
    let answer = work.call("lambda", "PublishLayerVersion", Value::Object(input)).await?;
    let arn = member(&answer, "LayerVersionArn");
    Ok(Made::new(&arn, [("LayerVersionArn", arn.clone())]))
}

async fn update(made: &Made, _: Change<'_>) -> Result<Made, kit::Error> {
    Ok(made.clone())
}

async fn delete(work: &Work<'_>, made: &Made) -> Result<(), kit::Error> {
    gone(work.call("lambda", "DeleteLayerVersion", named(&made.id)).await)
}

/// A version's ARN as the members that operations name it by.
pub(super) fn named(arn: &str) -> Value {
    let (layer, number) = arn.rsplit_once(':').unwrap_or((arn, ""));
    json!({ "LayerName": layer, "VersionNumber": number.parse::<u64>().unwrap_or_default() })
}
