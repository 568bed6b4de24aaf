//! AWS::ApiGateway::RestApi, given whole as an OpenAPI document.

use serde_json::{Value, json};

use super::property::Property;
use super::work::{Work, gone, member};
use super::{Change, Made, Properties, Type};

pub(super) const TYPE: Type = Type {
    kind: "AWS::ApiGateway::RestApi",
    properties: &[
        Property::any("Body").required(),
        Property::text("Name"),
        Property::refused("BodyS3Location", "there are no buckets yet"),
        Property::refused("CloneFrom", "an API is given whole, as Body"),
        Property::unhonoured("ApiKeySourceType"),
        Property::unhonoured("BinaryMediaTypes"),
        Property::unhonoured("Description"),
        Property::unhonoured("DisableExecuteApiEndpoint"),
        Property::unhonoured("EndpointConfiguration"),
        Property::unhonoured("FailOnWarnings"),
        Property::unhonoured("MinimumCompressionSize"),
        Property::unhonoured("Mode"),
        Property::unhonoured("Parameters"),
        Property::unhonoured("Policy"),
        Property::tags(),
    ],
    attributes: &["RestApiId"],
    name: None,
    create: |work, properties| Box::pin(create(work, properties)),
    update: |work, made, change| Box::pin(update(work, made, change)),
    delete: |work, made, _| Box::pin(delete(work, made)),
};

async fn create(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let mut input = document(properties);
    input["mode"] = json!("import");
    let answer = work.call("apigateway", "ImportRestApi", input).await?;
    let id = member(&answer, "id");
    Ok(Made::new(&id, [("RestApiId", id.clone())]))
}

async fn update(work: &Work<'_>, made: &Made, change: Change<'_>) -> Result<Made, kit::Error> {
    let mut input = document(change.new);
    input["mode"] = json!("overwrite");
    input["restapi_id"] = json!(made.id);
    work.call("apigateway", "PutRestApi", input).await?;
    Ok(made.clone())
}

async fn delete(work: &Work<'_>, made: &Made) -> Result<(), kit::Error> {
    gone(work.call("apigateway", "DeleteRestApi", json!({ "restapi_id": made.id })).await)
}

/// The members of the document stand beside those of the request.
fn document(properties: &Properties) -> Value {
    match properties.get("Body") {
        Some(body @ Value::Object(_)) => body.clone(),
        _ => json!({}),
    }
}
