//! The properties of a type: their form, and whether they are honoured.

use serde_json::{Number, Value as Json, json};

use super::{Properties, Type};
use crate::diagnostic::Diagnostic;
use crate::report::Report;
use crate::template::Resource;
use crate::yaml::{Map, Node, Pair, Value};

/// What becomes of a role or a policy until there is access control.
pub(super) const GRANTS_NOTHING: &str = "neither grants nor denies anything";

/// One property of a resource type.
pub(crate) struct Property {
    pub(crate) name: &'static str,
    form: Form,
    support: Support,
    required: bool,
    /// Whether a change of it, from one value to another, needs a new resource.
    pub(crate) replaces: fn(&Json, &Json) -> bool,
}

/// CloudFormation takes `"5"` for 5 and `true` for `"true"`; operations do not.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Int,
    Bool,
    Texts,
    /// `{ Variables: … }`, whose values are strings.
    Variables,
    /// A map whose values are whole numbers.
    Ints,
    /// As it is.
    Any,
}

#[derive(Clone, Copy)]
enum Support {
    Honoured,
    /// Its author expects more of it than is done. Reported, with what becomes of it.
    Short(&'static str),
    /// To read past it would change what the application does, so it is an error.
    Refused(&'static str),
}

impl Property {
    const fn new(name: &'static str, form: Form) -> Property {
        Property { name, form, support: Support::Honoured, required: false, replaces: |_, _| false }
    }

    pub(crate) const fn text(name: &'static str) -> Property {
        Property::new(name, Form::Text)
    }

    pub(crate) const fn int(name: &'static str) -> Property {
        Property::new(name, Form::Int)
    }

    pub(crate) const fn bool(name: &'static str) -> Property {
        Property::new(name, Form::Bool)
    }

    pub(crate) const fn texts(name: &'static str) -> Property {
        Property::new(name, Form::Texts)
    }

    pub(crate) const fn variables(name: &'static str) -> Property {
        Property::new(name, Form::Variables)
    }

    pub(crate) const fn ints(name: &'static str) -> Property {
        Property::new(name, Form::Ints)
    }

    pub(crate) const fn any(name: &'static str) -> Property {
        Property::new(name, Form::Any)
    }

    /// A property from which nothing follows.
    pub(crate) const fn unhonoured(name: &'static str) -> Property {
        Property::any(name).but("is not honoured")
    }

    /// The tags of a resource whose deploys do not pass them on.
    pub(crate) const fn tags() -> Property {
        Property::any("Tags").but("are not kept")
    }

    /// A property of which this is all that becomes, `limits nothing`.
    pub(crate) const fn but(self, what: &'static str) -> Property {
        Property { support: Support::Short(what), ..self }
    }

    /// A property without which the application would do something else.
    pub(crate) const fn refused(name: &'static str, why: &'static str) -> Property {
        Property { support: Support::Refused(why), ..Property::any(name) }
    }

    pub(crate) const fn required(self) -> Property {
        Property { required: true, ..self }
    }

    pub(crate) const fn replaces(self) -> Property {
        self.replaces_if(|_, _| true)
    }

    /// A property of which only some changes need a new resource.
    pub(crate) const fn replaces_if(self, replaces: fn(&Json, &Json) -> bool) -> Property {
        Property { replaces, ..self }
    }

    fn coerce(&self, node: &Node, path: &str) -> Result<Json, Diagnostic> {
        match self.form {
            Form::Any => Ok(node.to_json()),
            Form::Text => text(node, path),
            Form::Int => int(node, path),
            Form::Bool => match &node.value {
                Value::Bool(value) => Ok(Json::Bool(*value)),
                Value::String(text) if text == "true" => Ok(Json::Bool(true)),
                Value::String(text) if text == "false" => Ok(Json::Bool(false)),
                _ => Err(node.unexpected(path, "true or false")),
            },
            Form::Texts => node.expect_list(path)?.iter().map(|item| text(item, path)).collect(),
            Form::Ints => each(node, path, int),
            Form::Variables => match node.get("Variables") {
                Some(variables) => {
                    let texts = each(variables, &format!("{path}.Variables"), text)?;
                    Ok(json!({ "Variables": texts }))
                }
                None => Ok(json!({})),
            },
        }
    }
}

/// A map with every value in one form.
fn each(
    node: &Node,
    path: &str,
    form: fn(&Node, &str) -> Result<Json, Diagnostic>,
) -> Result<Json, Diagnostic> {
    let pairs = node.expect_map(path)?.0.iter();
    let values = pairs
        .map(|Pair { key, node, .. }| Ok((key.clone(), form(node, &format!("{path}.{key}"))?)));
    Ok(Json::Object(values.collect::<Result<_, Diagnostic>>()?))
}

fn text(node: &Node, path: &str) -> Result<Json, Diagnostic> {
    node.scalar_text().map(Json::String).ok_or_else(|| node.unexpected(path, "a string"))
}

fn int(node: &Node, path: &str) -> Result<Json, Diagnostic> {
    let number = match &node.value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match number {
        Some(number) => Ok(Json::Number(Number::from(number))),
        None => Err(node.unexpected(path, "a whole number")),
    }
}

/// Checks a resource's properties as far as they are written out, before anything is resolved,
/// and reports those that are not honoured.
pub(crate) fn check(
    kind: &Type,
    resource: &Resource,
    report: &mut Report,
) -> Result<(), Diagnostic> {
    for pair in resource.properties.0.iter().filter(|pair| !pair.node.is_null()) {
        let path = format!("{}.{}", resource.id, pair.key);
        let property = known(kind, pair)?;
        if let Support::Refused(why) = property.support {
            let message = format!("{path} is not served: {why}");
            return Err(Diagnostic::new(&pair.at, message).help("remove it"));
        }
        if let Some(written) = written(&pair.node) {
            property.coerce(&written, &path)?;
        }
        // What stands where the resource does was put there by the reader: a default.
        if let Support::Short(what) = property.support
            && pair.at != resource.at
        {
            report.unhonoured(&pair.at, &path, what);
        }
    }
    for property in kind.properties.iter().filter(|property| property.required) {
        if resource.properties.get(property.name).is_none_or(Node::is_null) {
            let message = format!("{} has no {}", resource.id, property.name);
            return Err(Diagnostic::new(&resource.at, message)
                .help(format!("{} needs the property {}", kind.kind, property.name)));
        }
    }
    Ok(())
}

/// The part of a value that is not left to functions.
fn written(node: &Node) -> Option<Node> {
    let value = match &node.value {
        Value::List(list) => Value::List(list.iter().filter_map(written).collect()),
        Value::Map(_) if node.intrinsic().is_some() => return None,
        Value::Map(map) => Value::Map(Map(map
            .0
            .iter()
            .filter_map(|pair| Some(Pair { node: written(&pair.node)?, ..pair.clone() }))
            .collect())),
        scalar => scalar.clone(),
    };
    Some(node.at.node(value))
}

fn known<'t>(kind: &'t Type, pair: &Pair) -> Result<&'t Property, Diagnostic> {
    kind.properties.iter().find(|property| property.name == pair.key).ok_or_else(|| {
        let names: Vec<&str> = kind.properties.iter().map(|property| property.name).collect();
        Diagnostic::new(&pair.at, format!("{} has no property {}", kind.kind, pair.key))
            .help(format!("its properties are {}", names.join(", ")))
    })
}

/// Resolved properties in the form the operations take.
pub(crate) fn typed(kind: &Type, id: &str, map: &Map) -> Result<Properties, Diagnostic> {
    let mut properties = Properties::new();
    for pair in map.0.iter().filter(|pair| !pair.node.is_null()) {
        let path = format!("{id}.{}", pair.key);
        let value = known(kind, pair)?.coerce(&pair.node, &path)?;
        properties.insert(pair.key.clone(), value);
    }
    Ok(properties)
}
