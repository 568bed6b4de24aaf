//! AWS::ApiGatewayV2::Api, given whole as an OpenAPI document.

use serde_json::{Value, json};

use super::property::Property;
use super::work::{Work, gone, member};
use super::{Change, Made, Properties, Type};

pub(super) const TYPE: Type = Type {
    kind: "AWS::ApiGatewayV2::Api",
    properties: &[
        Property::any("Body").required(),
        Property::refused("ProtocolType", "an API is given whole, as Body"),
        Property::refused("RouteKey", "an API is given whole, as Body"),
        Property::refused("Target", "an API is given whole, as Body"),
        Property::refused("BodyS3Location", "there are no buckets yet"),
        Property::unhonoured("CorsConfiguration"),
        Property::unhonoured("Description"),
        Property::unhonoured("DisableExecuteApiEndpoint"),
        Property::unhonoured("FailOnWarnings"),
        Property::unhonoured("Name"),
        Property::unhonoured("Version"),
        Property::tags(),
    ],
    attributes: &["ApiId", "ApiEndpoint"],
    name: None,
    create: |work, properties| Box::pin(create(work, properties)),
    update: |work, made, change| Box::pin(update(work, made, change)),
    delete: |work, made, _| Box::pin(delete(work, made)),
};

async fn create(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let input = json!({ "body": document(properties) });
    Ok(made(&work.call("apigatewayv2", "ImportApi", input).await?))
}

async fn update(work: &Work<'_>, old: &Made, change: Change<'_>) -> Result<Made, kit::Error> {
    let input = json!({ "apiId": old.id, "body": document(change.new) });
    Ok(made(&work.call("apigatewayv2", "ReimportApi", input).await?))
}

async fn delete(work: &Work<'_>, made: &Made) -> Result<(), kit::Error> {
    gone(work.call("apigatewayv2", "DeleteApi", json!({ "apiId": made.id })).await)
}

fn document(properties: &Properties) -> String {
    properties.get("Body").map(Value::to_string).unwrap_or_default()
}

fn made(answer: &Value) -> Made {
    let id = member(answer, "apiId");
    let endpoint = member(answer, "apiEndpoint");
    Made::new(&id, [("ApiId", id.clone()), ("ApiEndpoint", endpoint)])
}
