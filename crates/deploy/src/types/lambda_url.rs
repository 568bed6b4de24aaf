//! AWS::Lambda::Url

use serde_json::{Value, json};

use super::property::Property;
use super::work::{Work, gone, is_present, member, some};
use super::{Made, Properties, Type};

pub(super) const TYPE: Type = Type {
    kind: "AWS::Lambda::Url",
    properties: &[
        Property::text("TargetFunctionArn").required().replaces(),
        Property::text("Qualifier").replaces(),
        Property::text("AuthType").required(),
        Property::any("Cors"),
        Property::text("InvokeMode"),
    ],
    attributes: &["FunctionArn", "FunctionUrl"],
    name: None,
    create: |work, properties| Box::pin(create(work, properties)),
    update: |work, _, change| Box::pin(set(work, change.new)),
    delete: |work, _, properties| Box::pin(delete(work, properties)),
};

async fn create(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let mut input = target(properties);
    input.append(&mut some(properties, &["AuthType", "Cors", "InvokeMode"]));
    match work.call("lambda", "CreateFunctionUrlConfig", Value::Object(input)).await {
        Ok(answer) => Ok(made(&answer)),
        Err(error) if work.adopt && is_present(&error) => set(work, properties).await,
        Err(error) => Err(error),
    }
}

async fn set(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let mut input = target(properties);
    input.append(&mut some(properties, &["AuthType", "Cors", "InvokeMode"]));
    // What the template no longer says goes back to what it is without it.
    input.entry("Cors").or_insert(json!({}));
    input.entry("InvokeMode").or_insert(json!("BUFFERED"));
    let answer = work.call("lambda", "UpdateFunctionUrlConfig", Value::Object(input)).await?;
    Ok(made(&answer))
}

async fn delete(work: &Work<'_>, properties: &Properties) -> Result<(), kit::Error> {
    let input = Value::Object(target(properties));
    gone(work.call("lambda", "DeleteFunctionUrlConfig", input).await)
}

fn target(properties: &Properties) -> Properties {
    let mut input = some(properties, &["Qualifier"]);
    let function = properties.get("TargetFunctionArn").cloned().unwrap_or_default();
    input.insert("FunctionName".to_owned(), function);
    input
}

fn made(answer: &Value) -> Made {
    let (arn, url) = (member(answer, "FunctionArn"), member(answer, "FunctionUrl"));
    Made::new(&arn, [("FunctionArn", arn.clone()), ("FunctionUrl", url)])
}
