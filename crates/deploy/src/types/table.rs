//! AWS::DynamoDB::Table

use serde_json::{Value, json};

use super::property::Property;
use super::work::{Work, gone, is_present, some};
use super::{Change, Made, Properties, Type};

const CREATED_WITH: &[&str] = &["AttributeDefinitions", "KeySchema"];

/// What can change while the table stays.
const CHANGEABLE: &[&str] = &["BillingMode", "ProvisionedThroughput", "DeletionProtectionEnabled"];

const NAME_CHARS_MAX: usize = 255;

pub(super) const TYPE: Type = Type {
    kind: "AWS::DynamoDB::Table",
    properties: &[
        Property::text("TableName").replaces(),
        Property::any("KeySchema").required().replaces(),
        Property::any("AttributeDefinitions").replaces(),
        Property::text("BillingMode"),
        Property::ints("ProvisionedThroughput").but("limits nothing"),
        Property::bool("DeletionProtectionEnabled"),
        Property::refused("GlobalSecondaryIndexes", "tables have no indexes yet"),
        Property::refused("LocalSecondaryIndexes", "tables have no indexes yet"),
        Property::refused("StreamSpecification", "tables have no streams yet"),
        Property::refused("KinesisStreamSpecification", "tables have no streams yet"),
        Property::refused("ImportSourceSpecification", "there is no import"),
        Property::unhonoured("TimeToLiveSpecification"),
        Property::unhonoured("PointInTimeRecoverySpecification"),
        Property::unhonoured("SSESpecification"),
        Property::unhonoured("ContributorInsightsSpecification"),
        Property::unhonoured("OnDemandThroughput"),
        Property::unhonoured("ResourcePolicy"),
        Property::unhonoured("TableClass"),
        Property::unhonoured("WarmThroughput"),
        Property::tags(),
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
    input.extend(some(properties, CHANGEABLE));
    input.insert("TableName".to_owned(), json!(name));
    match work.call("dynamodb", "CreateTable", Value::Object(input)).await {
        Ok(_) => {}
        Err(error) if work.adopt && is_present(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(Made::new(&name, [("Arn", work.arn("dynamodb", &format!("table/{name}")))]))
}

async fn update(work: &Work<'_>, made: &Made, change: Change<'_>) -> Result<Made, kit::Error> {
    let changed: Vec<&str> = CHANGEABLE.iter().copied().filter(|n| change.touches(&[n])).collect();
    let mut input = some(change.new, &changed);
    for (name, default) in
        [("BillingMode", json!("PROVISIONED")), ("DeletionProtectionEnabled", json!(false))]
    {
        if changed.contains(&name) {
            input.entry(name).or_insert(default);
        }
    }
    if !input.is_empty() {
        input.insert("TableName".to_owned(), json!(made.id));
        work.call("dynamodb", "UpdateTable", Value::Object(input)).await?;
    }
    Ok(made.clone())
}

async fn delete(work: &Work<'_>, made: &Made) -> Result<(), kit::Error> {
    gone(work.call("dynamodb", "DeleteTable", json!({ "TableName": made.id })).await)
}
