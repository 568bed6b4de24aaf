//! AWS::Lambda::Version: what a function was when the resource was made.

use serde_json::{Value, json};

use super::property::Property;
use super::provisioned::{self, HELD};
use super::work::{Work, gone, member, some, text};
use super::{Change, Made, Properties, Type};

/// Ours: the logical id of a function. The version is made anew whenever that function changes,
/// where the framework gives it another logical id each time.
pub(crate) const OF: &str = "Cumulet::Of";

/// Pages of versions that are looked through for the last one.
const PAGES_MAX: usize = 1_000;

pub(super) const TYPE: Type = Type {
    kind: "AWS::Lambda::Version",
    properties: &[
        Property::text("FunctionName").required().replaces(),
        Property::text("Description").replaces(),
        Property::text("CodeSha256").replaces(),
        Property::ints(HELD),
        Property::unhonoured("RuntimePolicy").replaces(),
        Property::unhonoured("FunctionScalingConfig"),
        Property::text(OF).replaces(),
    ],
    attributes: &["FunctionArn", "Version"],
    name: None,
    create: |work, properties| Box::pin(create(work, properties)),
    update: |work, made, change| Box::pin(update(work, made, change)),
    delete: |work, made, properties| Box::pin(delete(work, made, properties)),
};

async fn create(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let function = text(properties, "FunctionName");
    // An earlier attempt may have published it, and whoever asks for one per change of the
    // function takes the one there is.
    let may_exist = work.adopt || properties.contains_key(OF);
    let last = if may_exist { String::new() } else { last(work, function).await? };
    let input = some(properties, &["FunctionName", "Description", "CodeSha256"]);
    let answer = work.call("lambda", "PublishVersion", Value::Object(input)).await?;
    let (arn, version) = (member(&answer, "FunctionArn"), member(&answer, "Version"));
    if version == last {
        let message = format!(
            "A version for this Lambda function exists ( {version} ). Modify the function to \
             create a new version."
        );
        return Err(kit::Error::sender("AlreadyExists", message));
    }
    let number = properties.get(HELD);
    if number.is_some() {
        provisioned::set(work, function, &version, number).await?;
    }
    Ok(Made::new(&arn, [("FunctionArn", arn.clone()), ("Version", version)]))
}

/// The number of the version published last; `$LATEST` where there is none.
async fn last(work: &Work<'_>, function: &str) -> Result<String, kit::Error> {
    let mut last = String::new();
    let mut input = json!({ "FunctionName": function });
    for _ in 0..PAGES_MAX {
        let answer = work.call("lambda", "ListVersionsByFunction", input.clone()).await?;
        if let Some(found) = answer["Versions"].as_array().and_then(|versions| versions.last()) {
            last = member(found, "Version");
        }
        match &answer["NextMarker"] {
            Value::String(marker) if !marker.is_empty() => input["Marker"] = json!(marker),
            _ => break,
        }
    }
    Ok(last)
}

async fn update(work: &Work<'_>, made: &Made, change: Change<'_>) -> Result<Made, kit::Error> {
    if change.touches(&[HELD]) {
        let function = text(change.new, "FunctionName");
        let number = change.new.get(HELD);
        provisioned::set(work, function, &made.attributes["Version"], number).await?;
    }
    Ok(made.clone())
}

async fn delete(work: &Work<'_>, made: &Made, properties: &Properties) -> Result<(), kit::Error> {
    let input = json!({
        "FunctionName": text(properties, "FunctionName"),
        "Qualifier": made.attributes["Version"],
    });
    gone(work.call("lambda", "DeleteFunction", input).await)
}
