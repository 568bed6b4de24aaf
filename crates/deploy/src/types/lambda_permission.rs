//! AWS::Lambda::Permission

use serde_json::{Value, json};

use super::property::Property;
use super::work::{Work, gone, is_present, text};
use super::{Change, Made, Properties, Type};

const NAME_CHARS_MAX: usize = 100;

pub(super) const TYPE: Type = Type {
    kind: "AWS::Lambda::Permission",
    properties: &[
        Property::text("FunctionName").required().replaces(),
        Property::text("Action").required().replaces(),
        Property::text("Principal").required().replaces(),
        Property::text("SourceArn").replaces(),
        Property::text("SourceAccount").replaces(),
        Property::text("EventSourceToken").replaces(),
        Property::text("FunctionUrlAuthType").replaces(),
        Property::text("PrincipalOrgID").replaces(),
        Property::bool("InvokedViaFunctionUrl").replaces(),
    ],
    attributes: &["Id"],
    name: None,
    create: |work, properties| Box::pin(create(work, properties)),
    update: |_, made, change| Box::pin(update(made, change)),
    delete: |work, made, properties| Box::pin(delete(work, made, properties)),
};

async fn create(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let id = work.name(None, NAME_CHARS_MAX);
    let mut input = properties.clone();
    input.insert("StatementId".to_owned(), json!(id));
    match work.call("lambda", "AddPermission", Value::Object(input)).await {
        Ok(_) => {}
        Err(error) if work.adopt && is_present(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(Made::new(&id, [("Id", id.clone())]))
}

async fn update(made: &Made, _: Change<'_>) -> Result<Made, kit::Error> {
    Ok(made.clone())
}

async fn delete(work: &Work<'_>, made: &Made, properties: &Properties) -> Result<(), kit::Error> {
    let input = json!({
        "FunctionName": text(properties, "FunctionName"),
        "StatementId": made.id,
    });
    gone(work.call("lambda", "RemovePermission", input).await)
}
