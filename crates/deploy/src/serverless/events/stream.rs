//! `- stream:` → AWS::Lambda::EventSourceMapping.

use crate::diagnostic::Diagnostic;
use crate::yaml::{Map, Node, Value};

use super::super::compile::Compile;
use super::super::keys::Keys;
use super::super::naming;
use super::{Event, sqs};

const KEYS: Keys = Keys {
    honoured: &[
        "type",
        "arn",
        "batchSize",
        "batchWindow",
        "startingPosition",
        "enabled",
        "parallelizationFactor",
        "maximumRetryAttempts",
        "maximumRecordAgeInSeconds",
        "bisectBatchOnFunctionError",
        "functionResponseType",
        "tumblingWindowInSeconds",
        "filterPatterns",
        "destinations",
    ],
    unhonoured: &[],
};
const DESTINATION_KEYS: Keys = Keys { honoured: &["onFailure"], unhonoured: &[] };

/// What the framework gives a mapping of which nothing is said.
const BATCH_SIZE: u64 = 10;
const POSITION: &str = "TRIM_HORIZON";

/// Keys that are passed on as they are.
const SAME: [(&str, &str); 6] = [
    ("MaximumBatchingWindowInSeconds", "batchWindow"),
    ("ParallelizationFactor", "parallelizationFactor"),
    ("MaximumRetryAttempts", "maximumRetryAttempts"),
    ("MaximumRecordAgeInSeconds", "maximumRecordAgeInSeconds"),
    ("BisectBatchOnFunctionError", "bisectBatchOnFunctionError"),
    ("TumblingWindowInSeconds", "tumblingWindowInSeconds"),
];

pub(super) fn compile(compile: &mut Compile<'_>, event: &Event<'_>) -> Result<(), Diagnostic> {
    let at = event.at;
    let arn = match &event.node.value {
        Value::String(_) => event.node,
        _ => {
            KEYS.check(event.node, &event.path, compile.report)?;
            event.node.get("arn").ok_or_else(|| {
                event.mistake("there is no arn").help("add arn: !GetAtt Table.StreamArn")
            })?
        }
    };
    let option = |key: &str| (event.node != arn).then(|| event.node.get(key)).flatten();
    check_type(event, arn, option("type"))?;
    let name = stream_name(arn).ok_or_else(|| {
        event
            .mistake("the arn names no stream")
            .help("use !GetAtt Table.StreamArn, or the ARN in full")
    })?;
    let mut properties = Map::default();
    let or = |key: &str, default: Value| option(key).cloned().unwrap_or_else(|| at.node(default));
    properties.set("BatchSize", or("batchSize", Value::Number(BATCH_SIZE.into())));
    properties.set("EventSourceArn", arn.clone());
    properties.set("FunctionName", event.function_arn());
    properties.set("StartingPosition", or("startingPosition", Value::String(POSITION.into())));
    properties.set("Enabled", or("enabled", Value::Bool(true)));
    for (member, key) in SAME {
        properties.set_some(member, option(key));
    }
    if let Some(kind) = option("functionResponseType") {
        properties.set("FunctionResponseTypes", kind.at.list([kind.clone()]));
    }
    if let Some(patterns) = option("filterPatterns") {
        properties.set("FilterCriteria", sqs::filters(event, patterns)?);
    }
    if let Some(destinations) = option("destinations") {
        let path = format!("{}.destinations", event.path);
        let map = DESTINATION_KEYS.check(destinations, &path, compile.report)?;
        if let Some(target) = map.get("onFailure").filter(|target| !target.is_null()) {
            let target = destination(event, target)?;
            let config = target.at.map([("Destination", target.clone())]);
            properties.set("DestinationConfig", target.at.map([("OnFailure", config)]));
        }
    }
    let id = format!(
        "{}EventSourceMappingDynamodb{}",
        naming::function(event.function),
        naming::resource(&name)
    );
    let resource = at.map([
        ("Type", at.string("AWS::Lambda::EventSourceMapping")),
        ("Properties", at.node(Value::Map(properties))),
    ]);
    compile.resource(&id, resource)
}

/// Only tables have streams here.
fn check_type(event: &Event<'_>, arn: &Node, kind: Option<&Node>) -> Result<(), Diagnostic> {
    let of_arn = || arn.as_str().and_then(|arn| arn.split(':').nth(2)).map(str::to_owned);
    match kind.and_then(Node::as_str).map(str::to_owned).or_else(of_arn).as_deref() {
        Some("dynamodb") => Ok(()),
        Some(other) => {
            let message = format!("streams of the type '{other}' are not served");
            Err(event.mistake(message).help("remove it or comment it out"))
        }
        None => {
            let help = "add type: dynamodb";
            Err(event.mistake("there is no type of what the arn stands for").help(help))
        }
    }
}

/// Who is to be told of records that were given up: an ARN, or `{ type, arn }`.
fn destination(event: &Event<'_>, target: &Node) -> Result<Node, Diagnostic> {
    if target.intrinsic().is_some() || target.as_str().is_some() {
        return Ok(target.clone());
    }
    target.get("arn").cloned().ok_or_else(|| {
        let message = "destinations.onFailure has no arn";
        event.mistake(message).help("add arn: !GetAtt Queue.Arn")
    })
}

/// What the framework names the mapping after: the table, or what the ARN is taken from.
fn stream_name(arn: &Node) -> Option<String> {
    let table = |text: &str| text.split('/').nth(1).map(str::to_owned);
    match arn.intrinsic() {
        None => arn.as_str().and_then(table),
        Some(("Fn::GetAtt", argument)) => match &argument.value {
            Value::List(list) => list.first()?.as_str().map(str::to_owned),
            Value::String(dotted) => dotted.split('.').next().map(str::to_owned),
            _ => None,
        },
        Some(("Fn::ImportValue" | "Ref", argument)) => argument.as_str().map(str::to_owned),
        Some(("Fn::Sub", argument)) => argument.as_str().and_then(table),
        Some(("Fn::Join", argument)) => {
            let parts = argument.as_list()?.get(1)?.as_list()?;
            parts.iter().rev().find_map(|part| part.as_str()).map(str::to_owned)
        }
        Some(_) => None,
    }
}
