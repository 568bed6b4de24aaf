//! CloudFormation's short forms: `!Sub x` is `{ Fn::Sub: x }`.

use super::{Node, Value};
use crate::diagnostic::Diagnostic;

/// The functions that have a short form. Those the engine cannot evaluate are refused there, by
/// name, so that both forms get the same answer.
const SHORT_FORMS: &[&str] = &[
    "And",
    "Base64",
    "Cidr",
    "Condition",
    "Equals",
    "FindInMap",
    "ForEach",
    "GetAZs",
    "GetAtt",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "Ref",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
];

/// The long form of a node that carries the tag `!name`.
pub(crate) fn long_form(name: &str, node: Node) -> Result<Node, Diagnostic> {
    if !SHORT_FORMS.contains(&name) {
        return Err(Diagnostic::new(&node.at, format!("the tag !{name} is not known"))
            .help(format!("use one of CloudFormation's: !{}", SHORT_FORMS.join(", !"))));
    }
    let at = node.at.clone();
    let argument = match (name, node.as_str()) {
        ("GetAtt", Some(dotted)) => {
            let Some((id, attribute)) = dotted.split_once('.') else {
                let message = format!("!GetAtt {dotted} names no attribute");
                return Err(Diagnostic::new(&at, message)
                    .help(format!("write !GetAtt {dotted}.Arn, or whichever attribute you need")));
            };
            at.list([at.string(id), at.string(attribute)])
        }
        // `!Sub 5` and the like: the argument of a function is text, whatever it looks like.
        ("Ref" | "Condition" | "Sub" | "ImportValue", None) if node.scalar_text().is_some() => {
            at.string(node.scalar_text().unwrap_or_default())
        }
        _ => node,
    };
    let key = match name {
        "Ref" | "Condition" => name.to_owned(),
        _ => format!("Fn::{name}"),
    };
    Ok(at.map([(key.as_str(), argument)]))
}

/// A scalar under one of YAML's own tags, `!!str 5`.
pub(crate) fn core(suffix: &str, text: &str) -> Option<Value> {
    match suffix {
        "str" => Some(Value::String(text.to_owned())),
        "int" | "float" | "bool" | "null" => Some(super::scalar::plain(text)),
        _ => None,
    }
}
