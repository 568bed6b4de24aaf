//! CloudFormation's functions: what they refer to, and what they come to.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Place};
use crate::template::Template;
use crate::types::Made;
use crate::yaml::{Map, Node, Pair, Value};

/// How deep conditions may refer to conditions.
const CONDITION_DEPTH_MAX: usize = 20;

/// Functions that exist on AWS and cannot be evaluated here, with the reason.
const UNSERVED: &[(&str, &str)] = &[
    ("Fn::ImportValue", "stacks export nothing yet"),
    ("Fn::Transform", "macros are not run"),
    ("Fn::GetAZs", "there are no availability zones"),
    ("Fn::Cidr", "there are no networks"),
    ("Fn::ForEach", "macros are not run"),
];

/// A thing that a value refers to.
#[derive(Debug, PartialEq)]
pub(crate) enum Reference<'t> {
    /// A resource, a parameter or a pseudo parameter.
    Name(&'t str),
    /// An attribute of a resource.
    Attribute(&'t str, &'t str),
    Condition(&'t str),
}

/// All references of a tree, with their places. Functions that cannot be evaluated and arguments
/// that have the wrong form are refused here, before anything is done.
pub(crate) fn references<'t>(
    node: &'t Node,
    found: &mut Vec<(Reference<'t>, &'t Place)>,
) -> Result<(), Diagnostic> {
    match &node.value {
        Value::List(list) => list.iter().try_for_each(|item| references(item, found)),
        Value::Map(map) => match node.intrinsic() {
            Some((name, argument)) if !is_plain_key(name, argument) => {
                of_intrinsic(name, argument, found)
            }
            _ => map.0.iter().try_for_each(|pair| references(&pair.node, found)),
        },
        _ => Ok(()),
    }
}

/// `Condition` is also an ordinary key: in a policy statement it holds a map.
fn is_plain_key(name: &str, argument: &Node) -> bool {
    name == "Condition" && argument.as_str().is_none()
}

fn of_intrinsic<'t>(
    name: &str,
    argument: &'t Node,
    found: &mut Vec<(Reference<'t>, &'t Place)>,
) -> Result<(), Diagnostic> {
    let at = &argument.at;
    if let Some((_, why)) = UNSERVED.iter().find(|(unserved, _)| *unserved == name) {
        return Err(Diagnostic::new(at, format!("{name} is not served: {why}"))
            .help("write the value itself"));
    }
    match name {
        "Ref" => found.push((Reference::Name(argument.expect_str("Ref")?), at)),
        "Condition" => found.push((Reference::Condition(argument.expect_str("Condition")?), at)),
        "Fn::GetAtt" => {
            let (id, attribute) = attribute_of(argument)?;
            found.push((Reference::Attribute(id, attribute), at));
        }
        "Fn::Sub" => {
            let (text, variables) = sub_arguments(argument)?;
            for name in placeholders(text) {
                if variables.is_some_and(|map| map.get(name).is_some()) {
                    continue;
                }
                found.push(match name.split_once('.') {
                    Some((id, attribute)) => (Reference::Attribute(id, attribute), at),
                    None => (Reference::Name(name), at),
                });
            }
            for pair in variables.into_iter().flat_map(|map| &map.0) {
                references(&pair.node, found)?;
            }
        }
        "Fn::If" => {
            let [condition, yes, no] = arguments(name, argument)?;
            found.push((Reference::Condition(condition.expect_str("Fn::If")?), &condition.at));
            references(yes, found)?;
            references(no, found)?;
        }
        "Fn::Join" | "Fn::Select" | "Fn::Split" | "Fn::FindInMap" | "Fn::Base64" | "Fn::Equals"
        | "Fn::And" | "Fn::Or" | "Fn::Not" | "Fn::Length" | "Fn::ToJsonString" => {
            references(argument, found)?;
        }
        _ => {
            return Err(Diagnostic::new(at, format!("{name} is not a function of CloudFormation"))
                .help("check its spelling"));
        }
    }
    Ok(())
}

fn arguments<'n, const N: usize>(name: &str, node: &'n Node) -> Result<&'n [Node; N], Diagnostic> {
    let list = node.as_list().and_then(|list| <&[Node; N]>::try_from(list).ok());
    list.ok_or_else(|| node.unexpected(name, &format!("a list of {N}")))
}

fn attribute_of(argument: &Node) -> Result<(&str, &str), Diagnostic> {
    let wrong =
        || argument.unexpected("Fn::GetAtt", "[LogicalId, Attribute] or LogicalId.Attribute");
    match argument.as_str() {
        Some(text) => text.split_once('.').ok_or_else(wrong),
        None => {
            let [id, attribute] = arguments("Fn::GetAtt", argument)?;
            Ok((id.as_str().ok_or_else(wrong)?, attribute.as_str().ok_or_else(wrong)?))
        }
    }
}

fn sub_arguments(argument: &Node) -> Result<(&str, Option<&Map>), Diagnostic> {
    if let Some(text) = argument.as_str() {
        return Ok((text, None));
    }
    let [text, variables] = arguments("Fn::Sub", argument)?;
    Ok((text.expect_str("Fn::Sub")?, Some(variables.expect_map("the variables of Fn::Sub")?)))
}

/// The names between `${` and `}`; `${!x}` is a literal.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split("${").skip(1).filter_map(|part| {
        let name = part.split_once('}')?.0.trim();
        (!name.starts_with('!')).then_some(name)
    })
}

/// What is known when a value is evaluated.
pub(crate) struct Scope<'a> {
    pub(crate) template: &'a Template,
    /// `AWS::Region` and its like, and parameters.
    pub(crate) parameters: BTreeMap<String, Node>,
    /// The resources made so far.
    pub(crate) made: BTreeMap<String, Made>,
}

impl Scope<'_> {
    /// The value of a tree; `None` where it is `AWS::NoValue`.
    pub(crate) fn value(&self, node: &Node) -> Result<Option<Node>, Diagnostic> {
        let at = &node.at;
        let value = match &node.value {
            Value::List(list) => {
                let values = list.iter().map(|item| self.value(item));
                Value::List(values.filter_map(Result::transpose).collect::<Result<_, _>>()?)
            }
            Value::Map(map) => match node.intrinsic() {
                Some((name, argument)) if !is_plain_key(name, argument) => {
                    return self.call(name, argument, at);
                }
                _ => Value::Map(self.map(map)?),
            },
            scalar => scalar.clone(),
        };
        Ok(Some(at.node(value)))
    }

    /// A map with all its values evaluated.
    pub(crate) fn map(&self, map: &Map) -> Result<Map, Diagnostic> {
        let mut pairs = Vec::with_capacity(map.0.len());
        for pair in &map.0 {
            if let Some(node) = self.value(&pair.node)? {
                pairs.push(Pair { key: pair.key.clone(), at: pair.at.clone(), node });
            }
        }
        Ok(Map(pairs))
    }

    /// A value that must be there.
    fn some(&self, node: &Node) -> Result<Node, Diagnostic> {
        self.value(node)?.ok_or_else(|| Diagnostic::new(&node.at, "AWS::NoValue cannot stand here"))
    }

    fn text(&self, node: &Node, what: &str) -> Result<String, Diagnostic> {
        let node = self.some(node)?;
        node.scalar_text().ok_or_else(|| node.unexpected(what, "a string"))
    }

    fn call(&self, name: &str, argument: &Node, at: &Place) -> Result<Option<Node>, Diagnostic> {
        let node = match name {
            "Ref" => {
                let name = argument.expect_str("Ref")?;
                if name == "AWS::NoValue" {
                    return Ok(None);
                }
                self.named(name, at)?
            }
            "Fn::GetAtt" => {
                let (id, attribute) = attribute_of(argument)?;
                at.string(self.attribute(id, attribute, at)?)
            }
            "Fn::If" => {
                let [condition, yes, no] = arguments(name, argument)?;
                let holds = self.condition(condition.expect_str(name)?, &condition.at)?;
                return self.value(if holds { yes } else { no });
            }
            "Fn::Sub" => at.string(self.sub(argument, at)?),
            "Fn::Join" => at.string(self.join(argument)?),
            "Fn::Select" => self.select(argument)?,
            "Fn::Split" => {
                let [delimiter, text] = arguments(name, argument)?;
                let (delimiter, text) = (self.text(delimiter, name)?, self.text(text, name)?);
                at.list(text.split(&delimiter).map(|part| at.string(part)))
            }
            "Fn::FindInMap" => self.find_in_map(argument)?,
            "Fn::Base64" => {
                use base64::Engine as _;
                let text = self.text(argument, name)?;
                at.string(base64::engine::general_purpose::STANDARD.encode(text))
            }
            "Fn::Length" => {
                let list = self.some(argument)?;
                let length = list.expect_list(name)?.len();
                at.node(Value::Number(length.into()))
            }
            "Fn::ToJsonString" => at.string(self.some(argument)?.to_json().to_string()),
            _ => at.node(Value::Bool(self.test(name, argument, 0)?)),
        };
        Ok(Some(node))
    }

    fn named(&self, name: &str, at: &Place) -> Result<Node, Diagnostic> {
        if let Some(value) = self.parameters.get(name) {
            return Ok(value.clone());
        }
        match self.made.get(name) {
            Some(made) => Ok(at.string(&made.id)),
            None => Err(self.missing(name, at)),
        }
    }

    fn attribute(&self, id: &str, attribute: &str, at: &Place) -> Result<&str, Diagnostic> {
        let made = self.made.get(id).ok_or_else(|| self.missing(id, at))?;
        made.attributes.get(attribute).map(String::as_str).ok_or_else(|| {
            let names: Vec<&str> = made.attributes.keys().map(String::as_str).collect();
            Diagnostic::new(at, format!("{id} has no attribute {attribute}"))
                .help(format!("its attributes are {}", names.join(", ")))
        })
    }

    fn missing(&self, id: &str, at: &Place) -> Diagnostic {
        match self.template.resource(id) {
            Some(resource) if resource.condition.is_some() => Diagnostic::new(
                at,
                format!("{id} is not made, because its condition does not hold"),
            )
            .help("refer to it within an Fn::If of the same condition"),
            _ => Diagnostic::new(at, format!("there is no resource or parameter {id}"))
                .help("check its spelling"),
        }
    }

    fn sub(&self, argument: &Node, at: &Place) -> Result<String, Diagnostic> {
        let (text, variables) = sub_arguments(argument)?;
        let mut whole = String::with_capacity(text.len());
        let mut parts = text.split("${");
        whole.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let Some((name, rest)) = part.split_once('}') else {
                return Err(Diagnostic::new(at, "a ${ of Fn::Sub is not closed"));
            };
            let name = name.trim();
            if let Some(literal) = name.strip_prefix('!') {
                whole.push_str(&format!("${{{literal}}}"));
            } else if let Some(node) = variables.and_then(|map| map.get(name)) {
                whole.push_str(&self.text(node, "a variable of Fn::Sub")?);
            } else if let Some((id, attribute)) = name.split_once('.') {
                whole.push_str(self.attribute(id, attribute, at)?);
            } else {
                let value = self.named(name, at)?;
                let text = value.scalar_text();
                whole.push_str(&text.ok_or_else(|| value.unexpected(name, "a string"))?);
            }
            whole.push_str(rest);
        }
        Ok(whole)
    }

    fn join(&self, argument: &Node) -> Result<String, Diagnostic> {
        let [delimiter, list] = arguments("Fn::Join", argument)?;
        let delimiter = self.text(delimiter, "Fn::Join")?;
        let list = self.some(list)?;
        let text = |node: &Node| {
            node.scalar_text().ok_or_else(|| node.unexpected("an item of Fn::Join", "a string"))
        };
        let parts: Result<Vec<String>, _> =
            list.expect_list("Fn::Join")?.iter().map(text).collect();
        Ok(parts?.join(&delimiter))
    }

    fn select(&self, argument: &Node) -> Result<Node, Diagnostic> {
        let [index, list] = arguments("Fn::Select", argument)?;
        let (position, list) = (self.text(index, "Fn::Select")?, self.some(list)?);
        let items = list.expect_list("Fn::Select")?;
        let found = position.parse::<usize>().ok().and_then(|position| items.get(position));
        found.cloned().ok_or_else(|| {
            let message = format!("Fn::Select asks for item {position} of {}", items.len());
            Diagnostic::new(&index.at, message).help("the first item is 0")
        })
    }

    fn find_in_map(&self, argument: &Node) -> Result<Node, Diagnostic> {
        let [map, first, second] = arguments("Fn::FindInMap", argument)?;
        let name = self.text(map, "Fn::FindInMap")?;
        let (first, second) = (self.text(first, &name)?, self.text(second, &name)?);
        let found = self
            .template
            .mappings
            .get(&name)
            .and_then(|map| map.get(&first))
            .and_then(|map| map.get(&second));
        found.cloned().ok_or_else(|| {
            Diagnostic::new(&argument.at, format!("Mappings has no {name}.{first}.{second}"))
                .help("add it to Mappings")
        })
    }

    /// Whether a condition of the template holds.
    pub(crate) fn condition(&self, name: &str, at: &Place) -> Result<bool, Diagnostic> {
        self.condition_within(name, at, 0)
    }

    fn condition_within(&self, name: &str, at: &Place, depth: usize) -> Result<bool, Diagnostic> {
        if depth > CONDITION_DEPTH_MAX {
            let message = format!("the condition {name} refers to itself, or nests too deep");
            return Err(Diagnostic::new(at, message));
        }
        let Some(expression) = self.template.conditions.get(name) else {
            return Err(Diagnostic::new(at, format!("there is no condition {name}"))
                .help("add it to Conditions"));
        };
        self.holds(expression, depth + 1)
    }

    fn holds(&self, node: &Node, depth: usize) -> Result<bool, Diagnostic> {
        match node.intrinsic() {
            Some((name, argument)) => self.test(name, argument, depth),
            None => Err(node.unexpected("a condition", "a function such as Fn::Equals")),
        }
    }

    fn test(&self, name: &str, argument: &Node, depth: usize) -> Result<bool, Diagnostic> {
        let all = || {
            let list = argument.expect_list(name)?;
            list.iter().map(|item| self.holds(item, depth)).collect::<Result<Vec<bool>, _>>()
        };
        match name {
            "Condition" => self.condition_within(argument.expect_str(name)?, &argument.at, depth),
            "Fn::Equals" => {
                let [one, other] = arguments(name, argument)?;
                let (one, other) = (self.some(one)?, self.some(other)?);
                Ok(match (one.scalar_text(), other.scalar_text()) {
                    (Some(one), Some(other)) => one == other,
                    _ => one.to_json() == other.to_json(),
                })
            }
            "Fn::And" => Ok(all()?.into_iter().all(|holds| holds)),
            "Fn::Or" => Ok(all()?.into_iter().any(|holds| holds)),
            "Fn::Not" => {
                let [one] = arguments(name, argument)?;
                Ok(!self.holds(one, depth)?)
            }
            _ => Err(Diagnostic::new(&argument.at, format!("{name} is not a condition"))
                .help("use Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition")),
        }
    }
}
