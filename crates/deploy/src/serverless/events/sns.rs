//! `- sns:` → AWS::SNS::Topic, AWS::SNS::Subscription, AWS::Lambda::Permission.

use crate::diagnostic::Diagnostic;
use crate::yaml::{Map, Node, Value};

use super::super::compile::Compile;
use super::super::keys::Keys;
use super::super::naming;
use super::Event;

const KEYS: Keys = Keys {
    honoured: &[
        "arn",
        "topicName",
        "displayName",
        "filterPolicy",
        "filterPolicyScope",
        "redrivePolicy",
    ],
    unhonoured: &[],
};

pub(super) fn compile(compile: &mut Compile<'_>, event: &Event<'_>) -> Result<(), Diagnostic> {
    let at = event.at;
    let (arn, name) = topic(compile, event)?;
    let normalized = naming::resource(&name);
    let function = naming::function(event.function);
    let topic_arn = match arn {
        Some(arn) => arn,
        None => {
            let id = format!("SNSTopic{normalized}");
            let mut properties = Map::default();
            properties.set("TopicName", at.string(&name));
            properties.set_some("DisplayName", event.node.get("displayName"));
            compile.resource_once(
                &id,
                at.map([
                    ("Type", at.string("AWS::SNS::Topic")),
                    ("Properties", at.node(Value::Map(properties))),
                ]),
            );
            at.reference(&id)
        }
    };
    let mut subscription = Map::default();
    subscription.set("TopicArn", topic_arn.clone());
    subscription.set("Protocol", at.string("lambda"));
    subscription.set("Endpoint", event.function_arn());
    subscription.set_some("FilterPolicy", event.node.get("filterPolicy"));
    subscription.set_some("FilterPolicyScope", event.node.get("filterPolicyScope"));
    if let Some(policy) = event.node.get("redrivePolicy") {
        subscription.set("RedrivePolicy", redrive(event, policy)?);
    }
    compile.resource(
        &format!("{function}SnsSubscription{normalized}"),
        at.map([
            ("Type", at.string("AWS::SNS::Subscription")),
            ("Properties", at.node(Value::Map(subscription))),
        ]),
    )?;
    compile.resource(
        &format!("{function}LambdaPermission{normalized}SNS"),
        event.permission("sns.amazonaws.com", topic_arn),
    )
}

/// The topic's ARN, where it exists or is made elsewhere, and its name.
fn topic(
    compile: &mut Compile<'_>,
    event: &Event<'_>,
) -> Result<(Option<Node>, String), Diagnostic> {
    let last = |arn: &str| arn.rsplit(':').next().unwrap_or_default().to_owned();
    if let Some(text) = event.node.as_str() {
        return Ok(match text.starts_with("arn:") {
            true => (Some(event.node.clone()), last(text)),
            false => (None, text.to_owned()),
        });
    }
    KEYS.check(event.node, &event.path, compile.report)?;
    let given = match event.node.get("topicName") {
        Some(name) => Some(name.expect_str(&format!("{}.topicName", event.path))?.to_owned()),
        None => None,
    };
    let arn = event.node.get("arn").cloned();
    let name =
        given.or_else(|| arn.as_ref().and_then(Node::as_str).map(last)).ok_or_else(|| {
            event
                .mistake("the topic has no name")
                .help("add topicName: it is needed unless arn is written out in full")
        })?;
    Ok((arn, name))
}

fn redrive(event: &Event<'_>, policy: &Node) -> Result<Node, Diagnostic> {
    let at = &policy.at;
    let arn = match (policy.get("deadLetterTargetArn"), policy.get("deadLetterTargetRef")) {
        (Some(arn), _) => arn.clone(),
        (None, Some(id)) => at.get_att(id.expect_str("deadLetterTargetRef")?, "Arn"),
        (None, None) => {
            return Err(event
                .mistake("redrivePolicy names no queue")
                .help("add deadLetterTargetRef: Queue, or deadLetterTargetArn"));
        }
    };
    Ok(at.map([("deadLetterTargetArn", arn)]))
}
