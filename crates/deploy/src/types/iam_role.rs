//! AWS::IAM::Role: a name to refer to. Its policies are kept, and enforced once access control is.

use super::property::Property;
use super::work::Work;
use super::{Change, Made, Properties, Type};

const NAME_CHARS_MAX: usize = 64;
const GRANT_NOTHING: &str = "neither grant nor deny anything";

pub(super) const TYPE: Type = Type {
    kind: "AWS::IAM::Role",
    properties: &[
        Property::any("AssumeRolePolicyDocument").required(),
        Property::text("RoleName").replaces(),
        Property::text("Path").replaces(),
        Property::text("Description"),
        Property::any("Policies").but(GRANT_NOTHING),
        Property::any("ManagedPolicyArns").but(GRANT_NOTHING),
        Property::unhonoured("PermissionsBoundary"),
        Property::unhonoured("MaxSessionDuration"),
        Property::tags(),
    ],
    attributes: &["Arn", "RoleId"],
    name: Some("RoleName"),
    create: |work, properties| Box::pin(create(work, properties)),
    update: |_, made, change| Box::pin(update(made, change)),
    delete: |_, _, _| Box::pin(async { Ok(()) }),
};

async fn create(work: &Work<'_>, properties: &Properties) -> Result<Made, kit::Error> {
    let name = work.name(properties.get("RoleName"), NAME_CHARS_MAX);
    let path = properties.get("Path").and_then(|path| path.as_str()).unwrap_or("/");
    let arn = format!("arn:aws:iam::{}:role{path}{name}", work.account);
    Ok(Made::new(&name, [("Arn", arn), ("RoleId", format!("AROA{name}"))]))
}

async fn update(made: &Made, _: Change<'_>) -> Result<Made, kit::Error> {
    Ok(made.clone())
}
