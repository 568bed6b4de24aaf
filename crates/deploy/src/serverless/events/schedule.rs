//! `- schedule:` → AWS::Events::Rule and AWS::Lambda::Permission.

use crate::diagnostic::Diagnostic;
use crate::yaml::{Map, Node, Value};

use super::super::compile::Compile;
use super::super::keys::Keys;
use super::super::naming;
use super::Event;

const KEYS: Keys = Keys {
    honoured: &[
        "rate",
        "enabled",
        "name",
        "description",
        "input",
        "inputPath",
        "inputTransformer",
        "method",
        "timezone",
    ],
    unhonoured: &[],
};

pub(super) fn compile(compile: &mut Compile<'_>, event: &Event<'_>) -> Result<(), Diagnostic> {
    if event.node.as_str().is_some() {
        return rule(compile, event, event.node, &Map::default());
    }
    let options = KEYS.check(event.node, &event.path, compile.report)?;
    let Some(rate) = event.node.get("rate") else {
        return Err(event.mistake("there is no rate").help("add rate: rate(5 minutes)"));
    };
    if event.node.get("method").and_then(Node::as_str) == Some("scheduler") {
        let message = "method: scheduler is not served";
        return Err(event.mistake(message).help("remove it: the rule is then one of EventBridge"));
    }
    if event.node.get("timezone").is_some() {
        let message = "a timezone needs method: scheduler, which is not served";
        return Err(event.mistake(message).help("write the expression in UTC"));
    }
    // Version 3 wants a list, the older forms had one string.
    let rates = rate.one_or_many();
    if rates.len() > 1 && event.node.get("name").is_some() {
        let message = "one name cannot stand for several rates";
        return Err(event.mistake(message).help("remove name, or give each rate its own event"));
    }
    rates.iter().try_for_each(|rate| rule(compile, event, rate, options))
}

fn rule(
    compile: &mut Compile<'_>,
    event: &Event<'_>,
    rate: &Node,
    options: &Map,
) -> Result<(), Diagnostic> {
    if let Some(text) = rate.as_str() {
        let call = |name: &str| {
            text.strip_prefix(name).is_some_and(|rest| rest.starts_with('(') && rest.ends_with(')'))
        };
        if !call("rate") && !call("cron") {
            let message = format!("'{text}' is not a schedule");
            return Err(Diagnostic::new(&rate.at, message)
                .help("write rate(5 minutes), or cron(0 12 * * ? *)"));
        }
    }
    let at = event.at;
    let mut target = Map::default();
    target.set("Arn", event.function_arn());
    target.set("Id", at.string(format!("{}Schedule", event.function)));
    if let Some(input) = options.get("input") {
        target.set("Input", input_text(input)?);
    }
    target.set_some("InputPath", options.get("inputPath"));
    if let Some(transformer) = options.get("inputTransformer") {
        let mut renamed = Map::default();
        renamed.set_some("InputPathsMap", transformer.get("inputPathsMap"));
        renamed.set_some("InputTemplate", transformer.get("inputTemplate"));
        target.set("InputTransformer", transformer.at.node(Value::Map(renamed)));
    }
    let enabled = options.get("enabled").map(|node| node.expect_bool("enabled")).transpose()?;
    let state = if enabled == Some(false) { "DISABLED" } else { "ENABLED" };
    let mut properties = Map::default();
    properties.set("ScheduleExpression", rate.clone());
    properties.set("State", at.string(state));
    properties.set_some("Name", options.get("name"));
    properties.set_some("Description", options.get("description"));
    properties.set("Targets", at.list([at.node(Value::Map(target))]));
    let function = naming::function(event.function);
    let number = compile.next_schedule(event.function);
    let id = format!("{function}EventsRuleSchedule{number}");
    compile.resource(
        &id,
        at.map([
            ("Type", at.string("AWS::Events::Rule")),
            ("Properties", at.node(Value::Map(properties))),
        ]),
    )?;
    compile.resource(
        &format!("{function}LambdaPermissionEventsRuleSchedule{number}"),
        event.permission("events.amazonaws.com", at.get_att(&id, "Arn")),
    )
}

/// The target's input is JSON text; `{ body: '…' }` holds more JSON, which is unwrapped once.
fn input_text(input: &Node) -> Result<Node, Diagnostic> {
    if input.as_str().is_some() {
        return Ok(input.clone());
    }
    let mut json = input.expect_map("input").map(|_| input.to_json())?;
    if let Some(body) = json.get("body").and_then(|body| body.as_str()).map(str::to_owned) {
        json["body"] = serde_json::from_str(&body).map_err(|error| {
            Diagnostic::new(&input.at, format!("body of input is not JSON: {error}"))
        })?;
    }
    Ok(input.at.string(json.to_string()))
}
