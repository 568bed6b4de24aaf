//! What calls a function: one file per kind of event.

mod http;
mod http_api;
mod schedule;
mod sns;
mod sqs;
mod stream;

pub(super) use http::RestRoute;
pub(super) use http_api::HttpRoute;

use crate::diagnostic::{Diagnostic, Place};
use crate::yaml::{Map, Node, Pair, Value};

use super::compile::Compile;

/// The kinds served, for the list in the refusal of others.
const SERVED: &str = "http, httpApi, sns, sqs, stream and schedule";

/// One event of one function.
pub(super) struct Event<'a> {
    pub(super) function: &'a str,
    /// The ARN of the function, or of the alias that stands for it.
    pub(super) arn: Node,
    /// Where the kind's name stands.
    pub(super) at: &'a Place,
    pub(super) node: &'a Node,
    /// `functions.pay.events.sqs`, for messages.
    pub(super) path: String,
}

impl Event<'_> {
    /// The ARN of the function the event is for.
    fn function_arn(&self) -> Node {
        self.arn.clone()
    }

    fn mistake(&self, message: impl std::fmt::Display) -> Diagnostic {
        let kind = self.path.rsplit('.').next().unwrap_or_default();
        let function = self.function;
        Diagnostic::new(self.at, format!("event '{kind}' of function '{function}': {message}"))
    }

    /// The permission that lets a service call the function.
    fn permission(&self, principal: &str, source: Node) -> Node {
        let at = self.at;
        at.map([
            ("Type", at.string("AWS::Lambda::Permission")),
            (
                "Properties",
                at.map([
                    ("FunctionName", self.function_arn()),
                    ("Action", at.string("lambda:InvokeFunction")),
                    ("Principal", at.string(principal)),
                    ("SourceArn", source),
                ]),
            ),
        ])
    }
}

/// Adds the APIs, which all functions share.
pub(super) fn finish(compile: &mut Compile<'_>) -> Result<(), Diagnostic> {
    http_api::finish(compile)?;
    http::finish(compile)
}

/// Reads one item of a function's `events`.
pub(super) fn compile(
    compile: &mut Compile<'_>,
    function: &str,
    item: &Node,
) -> Result<(), Diagnostic> {
    let pair = match &item.value {
        Value::Map(Map(pairs)) if pairs.len() == 1 => &pairs[0],
        // `- httpApi` with nothing behind it.
        Value::String(kind) => {
            &Pair { key: kind.clone(), at: item.at.clone(), node: item.at.node(Value::Null) }
        }
        Value::Map(Map(pairs)) if pairs.len() > 1 => {
            let message = format!("an event of function '{function}' has {} kinds", pairs.len());
            return Err(Diagnostic::new(&pairs[1].at, message).help(format!(
                "begin each event with a dash of its own, and indent what belongs to '{}' below it",
                pairs[0].key
            )));
        }
        _ => return Err(item.unexpected(&format!("an event of function '{function}'"), "a map")),
    };
    let path = format!("functions.{function}.events.{}", pair.key);
    let arn = compile.function_arn(&pair.at, function);
    let event = Event { function, arn, at: &pair.at, node: &pair.node, path };
    match pair.key.as_str() {
        "http" => http::compile(compile, &event),
        "httpApi" => http_api::compile(compile, &event),
        "schedule" => schedule::compile(compile, &event),
        "sns" => sns::compile(compile, &event),
        "sqs" => sqs::compile(compile, &event),
        "stream" => stream::compile(compile, &event),
        other => {
            let message = format!("event '{other}' of function '{function}' is not served");
            Err(Diagnostic::new(&pair.at, message)
                .help(format!("remove it or comment it out; served are {SERVED}")))
        }
    }
}
