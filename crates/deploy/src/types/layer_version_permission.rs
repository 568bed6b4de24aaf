//! AWS::Lambda::LayerVersionPermission

use serde_json::{Value, json};

use super::layer_version::named;
use super::property::Property;
use super::work::{Work, gone, is_present, text};
use super::{Change, Made, Properties, Type};

const NAME_CHARS_MAX: usize = 100;

pub(super) const TYPE: Type = Type {
    kind: "AWS::Lambda::LayerVersionPermission",
    properties: &[
        Property::text("LayerVersionArn").required().replaces(),
        Property::text("Action").required().replaces(),
        Property::text("Principal").required().replaces(),
        Property::text("OrganizationId").replaces(),
    ],
    attributes: &["Id"],
    name: None,
    create: |work, properties| Box::pin(create(work, properties)),
    update: |_, made, change| Box::pin(update(made, change)),
    delete: |work, made, properties| Box::pin(delete(work, made, properties)),
};

async fn create(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let arn = text(properties, "LayerVersionArn");
    let statement = work.name(None, NAME_CHARS_MAX);
    let mut input = statement_of(arn, &statement);
    for member in ["Action", "Principal", "OrganizationId"] {
        if let Some(value) = properties.get(member) {
            input[member] = value.clone();
        }
    }
    match work.call("lambda", "AddLayerVersionPermission", input).await {
        Ok(_) => {}
        Err(error) if work.adopt && is_present(&error) => {}
        Err(error) => return Err(error),
    }
    let id = format!("{arn}#{statement}");
    Ok(Made::new(&id, [("Id", id.clone())]))
}

async fn update(made: &Made, _: Change<'_>) -> Result<Made, kit::Error> {
    Ok(made.clone())
}

async fn delete(work: &Work<'_>, made: &Made, properties: &Properties) -> Result<(), kit::Error> {
    let arn = text(properties, "LayerVersionArn");
    let statement = made.id.rsplit_once('#').map_or("", |(_, statement)| statement);
    let input = statement_of(arn, statement);
    gone(work.call("lambda", "RemoveLayerVersionPermission", input).await)
}

fn statement_of(arn: &str, statement: &str) -> Value {
    let mut input = named(arn);
    input["StatementId"] = json!(statement);
    input
}
