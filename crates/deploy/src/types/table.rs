//! AWS::DynamoDB::Table

use serde_json::{Value, json};

use super::property::Property;
use super::work::{Work, gone, is_present, some};
use super::{Change, Made, Properties, Type};

const CREATED_WITH: &[&str] = &[
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "ProvisionedThroughput",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
];

const NAME_CHARS_MAX: usize = 255;

pub(super) const TYPE: Type = Type {
    kind: "AWS::DynamoDB::Table",
    properties: &[
        Property::text("TableName").replaces(),
        Property::any("KeySchema").required().replaces(),
        Property::any("AttributeDefinitions").replaces(),
        Property::text("BillingMode"),
        Property::any("ProvisionedThroughput"),
        Property::any("GlobalSecondaryIndexes").replaces(),
        Property::any("LocalSecondaryIndexes").replaces(),
        Property::refused("StreamSpecification", "tables have no streams yet"),
        Property::refused("KinesisStreamSpecification", "tables have no streams yet"),
        Property::refused("ImportSourceSpecification", "there is no import"),
        Property::stored("TimeToLiveSpecification"),
        Property::stored("PointInTimeRecoverySpecification"),
        Property::stored("SSESpecification"),
        Property::stored("ContributorInsightsSpecification"),
        Property::stored("DeletionProtectionEnabled"),
        Property::stored("OnDemandThroughput"),
        Property::stored("ResourcePolicy"),
        Property::stored("TableClass"),
        Property::stored("WarmThroughput"),
        Property::stored("Tags"),
    ],
    attributes: &["Arn"],
    name: Some("TableName"),
    create: |work, properties| Box::pin(create(work, properties)),
    update: |work, made, change| Box::pin(update(work, made, change)),
    delete: |work, made, _| Box::pin(delete(work, made)),
};

async fn create(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let name = work.name(properties.get("TableName"), NAME_CHARS_MAX);
    let mut input = some(properties, CREATED_WITH);
    input.insert("TableName".to_owned(), json!(name));
    match work.call("dynamodb", "CreateTable", Value::Object(input)).await {
        Ok(_) => {}
        Err(error) if work.adopt && is_present(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(Made::new(&name, [("Arn", work.arn("dynamodb", &format!("table/{name}")))]))
}

/// Capacity costs nothing and limits nothing here, so a change of it is kept and nothing more.
async fn update(_: &Work<'_>, made: &Made, _: Change<'_>) -> Result<Made, kit::Error> {
    Ok(made.clone())
}

async fn delete(work: &Work<'_>, made: &Made) -> Result<(), kit::Error> {
    gone(work.call("dynamodb", "DeleteTable", json!({ "TableName": made.id })).await)
}
