//! AWS::Lambda::Function

use base::AccountId;
use serde_json::{Value, json};

use super::property::{GRANTS_NOTHING, Property};
use super::work::{Work, gone, is_present, member, some, tag_map};
use super::{Change, Made, Properties, Type};
use crate::report::Report;
use crate::template::Resource;
use crate::yaml::Node;

/// The properties that UpdateFunctionConfiguration takes under the same name.
const CONFIGURATION: &[&str] = &[
    "Description",
    "Handler",
    "MemorySize",
    "Role",
    "Runtime",
    "Timeout",
    "DeadLetterConfig",
    "Environment",
    "EphemeralStorage",
    "Layers",
];

/// Properties that have operations of their own.
const APART: &[&str] = &["ReservedConcurrentExecutions", "RecursiveLoop"];

const NAME_CHARS_MAX: usize = 64;

pub(super) const TYPE: Type = Type {
    kind: "AWS::Lambda::Function",
    properties: &[
        Property::any("Code").required(),
        Property::text("FunctionName").replaces(),
        Property::text("Handler"),
        Property::text("Runtime"),
        Property::text("Role").required().but(GRANTS_NOTHING),
        Property::text("Description"),
        Property::int("MemorySize"),
        Property::int("Timeout"),
        Property::variables("Environment"),
        Property::any("DeadLetterConfig"),
        Property::ints("EphemeralStorage"),
        Property::texts("Layers"),
        Property::int("ReservedConcurrentExecutions"),
        Property::text("RecursiveLoop"),
        Property::any("Tags"),
        Property::refused("ImageConfig", "container images are not served"),
        Property::unhonoured("Architectures"),
        Property::unhonoured("CodeSigningConfigArn"),
        Property::unhonoured("FileSystemConfigs"),
        Property::unhonoured("KmsKeyArn"),
        Property::unhonoured("LoggingConfig"),
        Property::unhonoured("PackageType"),
        Property::unhonoured("RuntimeManagementConfig"),
        Property::unhonoured("SnapStart"),
        Property::unhonoured("TracingConfig"),
        Property::unhonoured("VpcConfig"),
    ],
    attributes: &["Arn"],
    name: Some("FunctionName"),
    create: |work, properties| Box::pin(create(work, properties)),
    update: |work, made, change| Box::pin(update(work, made, change)),
    delete: |work, made, _| Box::pin(delete(work, made)),
};

async fn create(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let name = work.name(properties.get("FunctionName"), NAME_CHARS_MAX);
    let mut input = configuration(work, properties);
    input.insert("FunctionName".to_owned(), json!(name));
    input.insert("Code".to_owned(), json!({ "ZipFile": work.zip(properties.get("Code"))? }));
    input.insert("Tags".to_owned(), json!(tag_map(properties.get("Tags"))));
    let answer = match work.call("lambda", "CreateFunction", Value::Object(input)).await {
        Ok(answer) => answer,
        Err(error) if work.adopt && is_present(&error) => {
            set_configuration(work, &name, properties).await?;
            set_code(work, &name, properties).await?
        }
        Err(error) => return Err(error),
    };
    for property in
        APART.iter().filter(|property| work.adopt || properties.contains_key(**property))
    {
        set_apart(work, &name, property, properties.get(*property)).await?;
    }
    Ok(Made::new(&name, [("Arn", member(&answer, "FunctionArn"))]))
}

/// Configuration first: new code may need a new handler, old code does not mind it for the moment
/// between the two.
async fn update(work: &Work<'_>, made: &Made, change: Change<'_>) -> Result<Made, kit::Error> {
    if change.touches(CONFIGURATION) {
        set_configuration(work, &made.id, change.new).await?;
    }
    if change.touches(&["Code"]) {
        set_code(work, &made.id, change.new).await?;
    }
    for property in APART.iter().filter(|property| change.touches(&[**property])) {
        set_apart(work, &made.id, property, change.new.get(*property)).await?;
    }
    if change.touches(&["Tags"]) {
        set_tags(work, &made.attributes["Arn"], change).await?;
    }
    Ok(made.clone())
}

async fn delete(work: &Work<'_>, made: &Made) -> Result<(), kit::Error> {
    gone(work.call("lambda", "DeleteFunction", json!({ "FunctionName": made.id })).await)
}

/// Names the layers that a function goes without. Those that are put together are not known yet.
pub(crate) fn check_layers(resource: &Resource, account: &AccountId, report: &mut Report) {
    if resource.kind != TYPE.kind {
        return;
    }
    let layers = resource.properties.get("Layers").and_then(Node::as_list).unwrap_or_default();
    for layer in
        layers.iter().filter(|layer| layer.as_str().is_some_and(|l| is_foreign(l, account)))
    {
        let what = "are not honoured: this one is another account's, whose layers are not here";
        report.unhonoured(&layer.at, &format!("{}.Layers", resource.id), what);
    }
}

fn is_foreign(layer: &str, account: &AccountId) -> bool {
    layer.starts_with("arn:") && layer.split(':').nth(4).is_some_and(|of| of != account.as_str())
}

fn configuration(work: &Work<'_>, properties: &Properties) -> Properties {
    let mut input = some(properties, CONFIGURATION);
    if let Some(Value::Array(layers)) = input.get_mut("Layers") {
        layers.retain(|layer| !layer.as_str().is_some_and(|l| is_foreign(l, work.account)));
    }
    input
}

async fn set_configuration(
    work: &Work<'_>,
    name: &str,
    properties: &Properties,
) -> Result<Value, kit::Error> {
    let mut input = configuration(work, properties);
    // What the template no longer says goes back to what it is without it.
    for (key, default) in [
        ("Description", json!("")),
        ("MemorySize", json!(128)),
        ("Timeout", json!(3)),
        ("Environment", json!({ "Variables": {} })),
        ("DeadLetterConfig", json!({ "TargetArn": "" })),
        ("EphemeralStorage", json!({ "Size": 512 })),
        ("Layers", json!([])),
    ] {
        input.entry(key).or_insert(default);
    }
    input.insert("FunctionName".to_owned(), json!(name));
    work.call("lambda", "UpdateFunctionConfiguration", Value::Object(input)).await
}

async fn set_code(
    work: &Work<'_>,
    name: &str,
    properties: &Properties,
) -> Result<Value, kit::Error> {
    let input = json!({ "FunctionName": name, "ZipFile": work.zip(properties.get("Code"))? });
    work.call("lambda", "UpdateFunctionCode", input).await
}

/// Sets one of [`APART`], or puts it back to what it is when nothing is said.
async fn set_apart(
    work: &Work<'_>,
    name: &str,
    property: &str,
    value: Option<&Value>,
) -> Result<(), kit::Error> {
    let mut input = json!({ "FunctionName": name });
    let operation = match (property, value) {
        ("RecursiveLoop", value) => {
            input[property] = value.cloned().unwrap_or_else(|| json!("Terminate"));
            "PutFunctionRecursionConfig"
        }
        (_, Some(value)) => {
            input[property] = value.clone();
            "PutFunctionConcurrency"
        }
        (_, None) => "DeleteFunctionConcurrency",
    };
    work.call("lambda", operation, input).await.map(drop)
}

async fn set_tags(work: &Work<'_>, arn: &str, change: Change<'_>) -> Result<(), kit::Error> {
    let (old, new) = (tag_map(change.old.get("Tags")), tag_map(change.new.get("Tags")));
    let removed: Vec<&String> = old.keys().filter(|key| !new.contains_key(*key)).collect();
    if !removed.is_empty() {
        let input = json!({ "Resource": arn, "TagKeys": removed });
        work.call("lambda", "UntagResource", input).await?;
    }
    if !new.is_empty() {
        work.call("lambda", "TagResource", json!({ "Resource": arn, "Tags": new })).await?;
    }
    Ok(())
}
