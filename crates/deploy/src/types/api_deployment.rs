//! AWS::ApiGateway::Deployment: gives a REST API its stage. The API serves its present
//! definition on it, so a deployment is not made anew when the definition changes.

use serde_json::json;

use super::property::Property;
use super::work::{Work, member, text};
use super::{Change, Made, Properties, Type};

pub(super) const TYPE: Type = Type {
    kind: "AWS::ApiGateway::Deployment",
    properties: &[
        Property::text("RestApiId").required().replaces(),
        Property::text("StageName").required().replaces(),
        Property::unhonoured("Description"),
        Property::unhonoured("StageDescription"),
        Property::unhonoured("DeploymentCanarySettings"),
    ],
    attributes: &["DeploymentId"],
    name: None,
    create: |work, properties| Box::pin(create(work, properties)),
    update: |_, made, change| Box::pin(update(made, change)),
    // The stage ends with its API.
    delete: |_, _, _| Box::pin(async { Ok(()) }),
};

async fn create(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let input = json!({
        "restapi_id": text(properties, "RestApiId"),
        "stageName": text(properties, "StageName"),
    });
    let answer = work.call("apigateway", "CreateDeployment", input).await?;
    let id = member(&answer, "id");
    Ok(Made::new(&id, [("DeploymentId", id.clone())]))
}

async fn update(made: &Made, _: Change<'_>) -> Result<Made, kit::Error> {
    Ok(made.clone())
}
