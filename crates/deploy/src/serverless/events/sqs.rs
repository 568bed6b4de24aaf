//! `- sqs:` → AWS::Lambda::EventSourceMapping.

use crate::diagnostic::Diagnostic;
use crate::yaml::{Map, Node, Value};

use super::super::compile::Compile;
use super::super::keys::Keys;
use super::super::naming;
use super::Event;

const KEYS: Keys = Keys {
    honoured: &[
        "arn",
        "batchSize",
        "maximumBatchingWindow",
        "functionResponseType",
        "enabled",
        "filterPatterns",
        "maximumConcurrency",
    ],
    unhonoured: &[],
};

const BATCH_SIZE: u64 = 10;

pub(super) fn compile(compile: &mut Compile<'_>, event: &Event<'_>) -> Result<(), Diagnostic> {
    let at = event.at;
    let mut properties = Map::default();
    let arn = match &event.node.value {
        Value::String(_) => event.node,
        Value::Map(_) if event.node.intrinsic().is_some() => event.node,
        _ => {
            KEYS.check(event.node, &event.path, compile.report)?;
            event.node.get("arn").ok_or_else(|| {
                event.mistake("there is no arn").help("add arn: !GetAtt Queue.Arn")
            })?
        }
    };
    let name = queue_name(arn).ok_or_else(|| {
        event.mistake("the arn names no queue").help("use !GetAtt Queue.Arn, or the ARN in full")
    })?;
    let option = |key: &str| (event.node != arn).then(|| event.node.get(key)).flatten();
    let default_size = at.node(Value::Number(BATCH_SIZE.into()));
    properties.set("BatchSize", option("batchSize").cloned().unwrap_or(default_size));
    properties.set_some("MaximumBatchingWindowInSeconds", option("maximumBatchingWindow"));
    properties.set("EventSourceArn", arn.clone());
    properties.set("FunctionName", event.function_arn());
    let enabled = option("enabled").cloned().unwrap_or_else(|| at.node(Value::Bool(true)));
    properties.set("Enabled", enabled);
    if let Some(kind) = option("functionResponseType") {
        properties.set("FunctionResponseTypes", kind.at.list([kind.clone()]));
    }
    if let Some(patterns) = option("filterPatterns") {
        properties.set("FilterCriteria", filters(event, patterns)?);
    }
    if let Some(most) = option("maximumConcurrency") {
        properties.set("ScalingConfig", most.at.map([("MaximumConcurrency", most.clone())]));
    }
    let id = format!(
        "{}EventSourceMappingSQS{}",
        naming::function(event.function),
        naming::resource(&name)
    );
    let resource = at.map([
        ("Type", at.string("AWS::Lambda::EventSourceMapping")),
        ("Properties", at.node(Value::Map(properties))),
    ]);
    compile.resource(&id, resource)
}

/// Patterns are objects here, and texts in a template.
pub(super) fn filters(event: &Event<'_>, patterns: &Node) -> Result<Node, Diagnostic> {
    let filter = |pattern: &Node| {
        let text = pattern.to_json().to_string();
        pattern.at.map([("Pattern", pattern.at.string(text))])
    };
    let list = patterns.expect_list(&format!("{}.filterPatterns", event.path))?;
    let filters = patterns.at.list(list.iter().map(filter));
    Ok(patterns.at.map([("Filters", filters)]))
}

/// What the framework names the mapping after.
fn queue_name(arn: &Node) -> Option<String> {
    let last = |text: &str| text.rsplit(':').next().map(str::to_owned);
    match arn.intrinsic() {
        None => arn.as_str().and_then(last),
        Some(("Fn::GetAtt", argument)) => match &argument.value {
            Value::List(list) => list.first()?.as_str().map(str::to_owned),
            Value::String(dotted) => dotted.split('.').next().map(str::to_owned),
            _ => None,
        },
        Some(("Fn::ImportValue" | "Ref", argument)) => argument.as_str().map(str::to_owned),
        Some(("Fn::Sub", argument)) => argument.as_str().and_then(last),
        Some(("Fn::Join", argument)) => {
            argument.as_list()?.get(1)?.as_list()?.last()?.as_str().and_then(last)
        }
        Some(_) => None,
    }
}
