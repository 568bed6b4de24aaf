//! AWS::DynamoDB::Table

use serde_json::{Value, json};

use super::property::{GRANTS_NOTHING, Property};
use super::table_indexes::{self, indexes, retypes};
use super::work::{Work, gone, is_absent, is_present, member, some, tag_map};
use super::{Change, Made, Properties, Type};

const CREATED_WITH: &[&str] = &[
    "AttributeDefinitions",
    "KeySchema",
    "DeletionProtectionEnabled",
    "TableClass",
    "OnDemandThroughput",
    "WarmThroughput",
    "Tags",
];

/// What can change while the table stays, each list in a request of its own, as DynamoDB wants it;
/// and what those become that have a default and are given no longer.
const CHANGEABLE: &[&[&str]] = &[
    &["BillingMode", "ProvisionedThroughput"],
    &["OnDemandThroughput"],
    &["WarmThroughput"],
    &["TableClass"],
    &["DeletionProtectionEnabled"],
];

const NAME_CHARS_MAX: usize = 255;
const UPDATES: &str = "GlobalSecondaryIndexUpdates";

pub(super) const TYPE: Type = Type {
    kind: "AWS::DynamoDB::Table",
    properties: &[
        Property::text("TableName").replaces(),
        Property::any("KeySchema").required().replaces(),
        Property::any("AttributeDefinitions").replaces_if(retypes),
        Property::text("BillingMode"),
        Property::ints("ProvisionedThroughput")
            .but("limits only where the server throttles tables"),
        Property::bool("DeletionProtectionEnabled"),
        Property::any("GlobalSecondaryIndexes"),
        Property::any("LocalSecondaryIndexes").replaces(),
        Property::any("StreamSpecification"),
        Property::refused("KinesisStreamSpecification", "there are no data streams"),
        Property::refused("ImportSourceSpecification", "there is no import"),
        Property::any("TimeToLiveSpecification"),
        Property::any("PointInTimeRecoverySpecification"),
        Property::any("SSESpecification").but("is described and encrypts nothing"),
        Property::unhonoured("ContributorInsightsSpecification"),
        Property::ints("OnDemandThroughput").but("limits only where the server throttles tables"),
        Property::any("ResourcePolicy").but(GRANTS_NOTHING),
        Property::text("TableClass"),
        Property::ints("WarmThroughput").but("is described and changes nothing"),
        Property::any("Tags"),
    ],
    attributes: &["Arn", "StreamArn"],
    name: Some("TableName"),
    create: |work, properties| Box::pin(create(work, properties)),
    update: |work, made, change| Box::pin(update(work, made, change)),
    delete: |work, made, _| Box::pin(delete(work, made)),
};

async fn create(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let name = work.name(properties.get("TableName"), NAME_CHARS_MAX);
    let mut input = some(properties, CREATED_WITH);
    input.extend(some(properties, CHANGEABLE[0]));
    input.insert("TableName".to_owned(), json!(name));
    if let Some(encryption) = properties.get("SSESpecification") {
        input.insert("SSESpecification".to_owned(), encryption_input(encryption));
    }
    if let Some(document) = policy(properties) {
        input.insert("ResourcePolicy".to_owned(), json!(document));
    }
    for name in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        input.extend(indexes(properties.get(name)).map(|list| (name.to_owned(), list)));
    }
    if let Some(view) = view(properties)? {
        input.insert("StreamSpecification".to_owned(), stream(Some(view)));
    }
    match work.call("dynamodb", "CreateTable", Value::Object(input)).await {
        Ok(_) => {}
        Err(error) if work.adopt && is_present(&error) => {}
        Err(error) => return Err(error),
    }
    if let Some(attribute) = expiring(properties) {
        set_expiry(work, &name, true, attribute).await?;
    }
    if let Some(recovery) = recovery(properties) {
        set_recovery(work, &name, recovery).await?;
    }
    made(work, &name, properties).await
}

/// What others may refer to. The stream has its name from the time it was made at.
async fn made(work: &Work<'_>, name: &str, properties: &Properties) -> Result<Made, kit::Error> {
    let mut made = Made::new(name, [("Arn", arn(work, name))]);
    if view(properties)?.is_some() {
        let input = json!({ "TableName": name });
        let answer = work.call("dynamodb", "DescribeTable", input).await?;
        made.attributes.insert("StreamArn".to_owned(), member(&answer["Table"], "LatestStreamArn"));
    }
    Ok(made)
}

/// The view of the stream that is wanted.
fn view(properties: &Properties) -> Result<Option<&str>, kit::Error> {
    let Some(specification) = properties.get("StreamSpecification") else { return Ok(None) };
    if specification.get("ResourcePolicy").is_some() {
        let text = "ResourcePolicy of a StreamSpecification";
        return Err(kit::Error::not_served(text));
    }
    let view = specification["StreamViewType"].as_str();
    let required = || {
        let text = "StreamSpecification needs a StreamViewType";
        kit::Error::sender("ValidationException", text)
    };
    view.map(Some).ok_or_else(required)
}

fn stream(view: Option<&str>) -> Value {
    match view {
        Some(view) => json!({ "StreamEnabled": true, "StreamViewType": view }),
        None => json!({ "StreamEnabled": false }),
    }
}

/// Another view needs another stream, and a table has one at a time.
async fn update_stream(work: &Work<'_>, table: &str, change: Change<'_>) -> Result<(), kit::Error> {
    let (old, new) = (view(change.old)?, view(change.new)?);
    if old == new {
        return Ok(());
    }
    let set = async |view| {
        let input = json!({ "TableName": table, "StreamSpecification": stream(view) });
        work.call("dynamodb", "UpdateTable", input).await
    };
    if old.is_some() {
        match set(None).await {
            // An earlier attempt may have come as far as this.
            Err(error) if !error.message.starts_with("Table has no stream to disable") => {
                return Err(error);
            }
            _ => {}
        }
    }
    if new.is_some() {
        set(new).await?;
    }
    Ok(())
}

async fn update(work: &Work<'_>, made: &Made, change: Change<'_>) -> Result<Made, kit::Error> {
    let indexes = table_indexes::changes(change)?;
    for group in CHANGEABLE {
        let changed: Vec<&str> = group.iter().copied().filter(|n| change.touches(&[n])).collect();
        let mut input = some(change.new, &changed);
        for (name, default) in [
            ("BillingMode", json!("PROVISIONED")),
            ("DeletionProtectionEnabled", json!(false)),
            ("TableClass", json!("STANDARD")),
            (
                "OnDemandThroughput",
                json!({ "MaxReadRequestUnits": -1, "MaxWriteRequestUnits": -1 }),
            ),
        ] {
            if changed.contains(&name) {
                input.entry(name).or_insert(default);
            }
        }
        if group == &CHANGEABLE[0] && !indexes.capacities.is_empty() {
            input.insert(UPDATES.to_owned(), json!(indexes.capacities));
        }
        if !input.is_empty() {
            update_table(work, made, input).await?;
        }
    }
    if let Some(one) = indexes.one {
        let mut input = some(change.new, &["AttributeDefinitions"]);
        input.insert(UPDATES.to_owned(), json!([one]));
        update_table(work, made, input).await?;
    }
    if change.touches(&["SSESpecification"]) {
        let none = json!({ "SSEEnabled": false });
        let encryption = change.new.get("SSESpecification").unwrap_or(&none);
        let mut input = Properties::new();
        input.insert("SSESpecification".to_owned(), encryption_input(encryption));
        update_table(work, made, input).await?;
    }
    update_expiry(work, made, change).await?;
    let (before, after) = (recovery(change.old), recovery(change.new));
    if before != after {
        let off = json!({ "PointInTimeRecoveryEnabled": false });
        set_recovery(work, &made.id, after.unwrap_or(off)).await?;
    }
    update_tags(work, made, change).await?;
    update_policy(work, made, change).await?;
    update_stream(work, &made.id, change).await?;
    self::made(work, &made.id, change.new).await
}

async fn delete(work: &Work<'_>, made: &Made) -> Result<(), kit::Error> {
    gone(work.call("dynamodb", "DeleteTable", json!({ "TableName": made.id })).await)
}

async fn update_table(
    work: &Work<'_>,
    made: &Made,
    mut input: Properties,
) -> Result<(), kit::Error> {
    input.insert("TableName".to_owned(), json!(made.id));
    work.call("dynamodb", "UpdateTable", Value::Object(input)).await.map(drop)
}

/// What was on under another name must go off first, and DynamoDB has an hour pass in between: it
/// says so itself.
async fn update_expiry(work: &Work<'_>, made: &Made, change: Change<'_>) -> Result<(), kit::Error> {
    match (expiring(change.old), expiring(change.new)) {
        (old, new) if old == new => Ok(()),
        (_, Some(new)) => set_expiry(work, &made.id, true, new).await,
        (Some(old), None) => set_expiry(work, &made.id, false, old).await,
        (None, None) => Ok(()),
    }
}

/// An earlier attempt may have come as far as this.
async fn set_expiry(
    work: &Work<'_>,
    table: &str,
    enabled: bool,
    attribute: &str,
) -> Result<(), kit::Error> {
    let specification = json!({ "Enabled": enabled, "AttributeName": attribute });
    let input = json!({ "TableName": table, "TimeToLiveSpecification": specification });
    match work.call("dynamodb", "UpdateTimeToLive", input).await {
        Err(error) if !error.message.starts_with("TimeToLive is already ") => Err(error),
        _ => Ok(()),
    }
}

async fn set_recovery(work: &Work<'_>, table: &str, recovery: Value) -> Result<(), kit::Error> {
    let input = json!({ "TableName": table, "PointInTimeRecoverySpecification": recovery });
    work.call("dynamodb", "UpdateContinuousBackups", input).await.map(drop)
}

async fn update_tags(work: &Work<'_>, made: &Made, change: Change<'_>) -> Result<(), kit::Error> {
    let (old, new) = (tag_map(change.old.get("Tags")), tag_map(change.new.get("Tags")));
    let arn = arn(work, &made.id);
    let gone: Vec<&String> = old.keys().filter(|key| !new.contains_key(*key)).collect();
    if !gone.is_empty() {
        let input = json!({ "ResourceArn": arn, "TagKeys": gone });
        work.call("dynamodb", "UntagResource", input).await?;
    }
    let set = new.iter().filter(|(key, value)| old.get(*key) != Some(*value));
    let set: Vec<Value> = set.map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    if !set.is_empty() {
        let input = json!({ "ResourceArn": arn, "Tags": set });
        work.call("dynamodb", "TagResource", input).await?;
    }
    Ok(())
}

async fn update_policy(work: &Work<'_>, made: &Made, change: Change<'_>) -> Result<(), kit::Error> {
    let arn = arn(work, &made.id);
    match (policy(change.old), policy(change.new)) {
        (old, new) if old == new => Ok(()),
        (_, Some(document)) => {
            let input = json!({ "ResourceArn": arn, "Policy": document });
            work.call("dynamodb", "PutResourcePolicy", input).await.map(drop)
        }
        (_, None) => {
            let input = json!({ "ResourceArn": arn });
            match work.call("dynamodb", "DeleteResourcePolicy", input).await {
                Err(error) if !is_absent(&error) => Err(error),
                _ => Ok(()),
            }
        }
    }
}

fn arn(work: &Work<'_>, table: &str) -> String {
    work.arn("dynamodb", &format!("table/{table}"))
}

/// The attribute by which items expire, where they do.
fn expiring(properties: &Properties) -> Option<&str> {
    let specification = properties.get("TimeToLiveSpecification")?;
    specification["AttributeName"].as_str().filter(|_| is_true(&specification["Enabled"]))
}

/// The point-in-time recovery that is wanted, as the operation takes it; none where it is off.
fn recovery(properties: &Properties) -> Option<Value> {
    let specification = properties.get("PointInTimeRecoverySpecification")?;
    if !is_true(&specification["PointInTimeRecoveryEnabled"]) {
        return None;
    }
    let mut input = json!({ "PointInTimeRecoveryEnabled": true });
    let days = &specification["RecoveryPeriodInDays"];
    let days = days.as_i64().or_else(|| days.as_str()?.parse().ok());
    if let Some(days) = days {
        input["RecoveryPeriodInDays"] = json!(days);
    }
    Some(input)
}

/// CloudFormation has another name for one member.
fn encryption_input(specification: &Value) -> Value {
    let mut input = json!({ "Enabled": is_true(&specification["SSEEnabled"]) });
    for name in ["SSEType", "KMSMasterKeyId"] {
        if !specification[name].is_null() {
            input[name] = specification[name].clone();
        }
    }
    input
}

/// The policy's document, as text.
fn policy(properties: &Properties) -> Option<String> {
    match &properties.get("ResourcePolicy")?["PolicyDocument"] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        document => Some(document.to_string()),
    }
}

fn is_true(value: &Value) -> bool {
    *value == Value::Bool(true) || value.as_str() == Some("true")
}
