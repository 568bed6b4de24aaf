//! From text to a policy, with the limits and the complaints of AWS.

use serde_json::{Map, Value as Json};

use super::network::Network;
use super::{Compare, Literal, Node, Test};
use crate::data::Scope;

/// Keys at the ends of a policy.
const KEYS_MAX: usize = 5;
/// The product of the numbers of values, each times the depth of its key.
const COMBINATIONS_MAX: usize = 150;
const POLICY_BYTES_MAX: usize = 256 * 1024;
const NUMBER_MAX: f64 = 1e9;

type Result<T> = std::result::Result<T, String>;

pub(super) fn policy(text: &str, scope: Scope) -> Result<Node> {
    if text.len() > POLICY_BYTES_MAX {
        return Err("Filter policy is too large".into());
    }
    let members: Map<String, Json> =
        serde_json::from_str(text).map_err(|_| "failed to parse JSON.".to_owned())?;
    let node = object(&members, scope, false)?;
    if keys(&node) > KEYS_MAX {
        return Err(format!("Filter policy can not have more than {KEYS_MAX} keys"));
    }
    if combinations(&node, 1) > COMBINATIONS_MAX {
        return Err("Filter policy is too complex".into());
    }
    Ok(node)
}

fn object(members: &Map<String, Json>, scope: Scope, nested: bool) -> Result<Node> {
    let read = |(key, value): (&String, &Json)| {
        let node = match value {
            Json::Array(items) if key == "$or" && is_alternatives(items) => {
                alternatives(items, scope, nested)?
            }
            Json::Array(tests) => values(tests)?,
            Json::Object(_) if scope == Scope::MessageAttributes => {
                return Err(
                    "Filter policy scope MessageAttributes does not support nested filter \
                            policy"
                        .to_owned(),
                );
            }
            Json::Object(members) if members.is_empty() => {
                return Err("Empty objects are not allowed".to_owned());
            }
            Json::Object(members) => object(members, scope, true)?,
            _ => return Err(format!("\"{key}\" must be an object or an array")),
        };
        Ok((key.clone(), node))
    };
    Ok(Node::All(members.iter().map(read).collect::<Result<_>>()?))
}

/// A key that happens to be called `$or` has values; alternatives are at least two objects that
/// are no values.
fn is_alternatives(items: &[Json]) -> bool {
    let is_one = |item: &Json| {
        item.as_object().is_some_and(|members| {
            !members.is_empty() && !members.keys().any(|key| OPERATORS.contains(&key.as_str()))
        })
    };
    items.len() >= 2 && items.iter().all(is_one)
}

fn alternatives(items: &[Json], scope: Scope, nested: bool) -> Result<Node> {
    let objects = items.iter().filter_map(Json::as_object);
    Ok(Node::Or(objects.map(|members| object(members, scope, nested)).collect::<Result<_>>()?))
}

const OPERATORS: [&str; 7] =
    ["anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix"];

fn values(items: &[Json]) -> Result<Node> {
    if items.is_empty() {
        return Err("Empty arrays are not allowed".into());
    }
    Ok(Node::Any(items.iter().map(value).collect::<Result<_>>()?))
}

fn value(item: &Json) -> Result<Test> {
    let Json::Object(members) = item else { return literal(item).map(Test::Equal) };
    let mut members = members.iter();
    let (Some((operator, wanted)), None) = (members.next(), members.next()) else {
        return Err("Only one key allowed in match expression".into());
    };
    let text = || match wanted {
        Json::String(text) => Ok(text.clone()),
        _ => Err(format!("{operator} match pattern must be a string")),
    };
    match operator.as_str() {
        "anything-but" => anything_but(wanted),
        "cidr" => {
            let network = Network::parse(&text()?);
            network.map(Test::Cidr).ok_or_else(|| "Malformed CIDR, one '/' required".to_owned())
        }
        "equals-ignore-case" => text().map(Test::IgnoreCase),
        "exists" => match wanted {
            Json::Bool(wanted) => Ok(Test::Exists(*wanted)),
            _ => Err("exists match pattern must be either true or false.".into()),
        },
        "numeric" => numeric(wanted),
        "prefix" => text().map(Test::Prefix),
        "suffix" => text().map(Test::Suffix),
        _ => Err(format!("Unrecognized match type {operator}")),
    }
}

fn literal(item: &Json) -> Result<Literal> {
    let literal = Literal::of(item)
        .ok_or_else(|| "Match value must be String, number, true, false, or null".to_owned())?;
    if let Literal::Number(number) = literal {
        check_number(number)?;
    }
    Ok(literal)
}

fn check_number(number: f64) -> Result<()> {
    if (-NUMBER_MAX..=NUMBER_MAX).contains(&number) {
        return Ok(());
    }
    Err(format!("Value {number} must be between -1.0e9 and 1.0e9"))
}

fn anything_but(unwanted: &Json) -> Result<Test> {
    if let Json::Object(members) = unwanted {
        let mut members = members.iter();
        let (Some((operator, affix)), None) = (members.next(), members.next()) else {
            return Err("Only one key allowed in match expression".into());
        };
        return match operator.as_str() {
            "prefix" => texts(operator, affix).map(Test::AnythingButPrefix),
            "suffix" => texts(operator, affix).map(Test::AnythingButSuffix),
            _ => Err(format!("Unsupported anything-but pattern: {operator}")),
        };
    }
    let items = match unwanted {
        Json::Array(items) if items.is_empty() => {
            return Err("Empty arrays are not allowed".into());
        }
        Json::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    Ok(Test::AnythingBut(items.iter().map(literal).collect::<Result<_>>()?))
}

/// One text or several.
fn texts(operator: &str, given: &Json) -> Result<Vec<String>> {
    let items = match given {
        Json::Array(items) if !items.is_empty() => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let texts: Option<Vec<String>> =
        items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
    texts.ok_or_else(|| format!("{operator} match pattern must be a string"))
}

/// `["=", 5]`, `[">", 0]`, or a range `[">=", 0, "<", 100]`.
fn numeric(wanted: &Json) -> Result<Test> {
    let Json::Array(items) = wanted else {
        return Err("Value of numeric must be an array.".into());
    };
    if !matches!(items.len(), 2 | 4) {
        return Err(if items.is_empty() {
            "Invalid member in numeric match: ]".to_owned()
        } else {
            "Too many elements in numeric expression".to_owned()
        });
    }
    let mut bounds = Vec::with_capacity(2);
    for pair in items.chunks_exact(2) {
        let compare = match pair[0].as_str() {
            Some("=") => Compare::Equal,
            Some("<") => Compare::Below,
            Some("<=") => Compare::AtMost,
            Some(">") => Compare::Above,
            Some(">=") => Compare::AtLeast,
            Some(other) => return Err(format!("Unrecognized numeric range operator: {other}")),
            None => return Err(format!("Invalid member in numeric match: {}", pair[0])),
        };
        let Some(bound) = pair[1].as_f64() else {
            let operator = pair[0].as_str().unwrap_or_default();
            return Err(format!("Value of {operator} must be numeric"));
        };
        check_number(bound)?;
        bounds.push((compare, bound));
    }
    if let [(low, bottom), (high, top)] = bounds[..] {
        let from = matches!(low, Compare::Above | Compare::AtLeast);
        let to = matches!(high, Compare::Below | Compare::AtMost);
        if !from || !to {
            return Err("Bad numeric range operator".into());
        }
        if bottom >= top {
            return Err("Bottom must be less than top".into());
        }
    }
    Ok(Test::Numeric(bounds))
}

/// How many keys with values a policy has. Alternatives count as the largest of them.
fn keys(node: &Node) -> usize {
    match node {
        Node::All(keys_here) => keys_here.iter().map(|(_, node)| keys(node)).sum(),
        Node::Or(nodes) => nodes.iter().map(keys).max().unwrap_or(0),
        Node::Any(_) => 1,
    }
}

fn combinations(node: &Node, depth: usize) -> usize {
    match node {
        Node::All(keys) => keys
            .iter()
            .map(|(_, node)| match node {
                Node::All(_) => combinations(node, depth + 1),
                Node::Or(_) | Node::Any(_) => combinations(node, depth),
            })
            .fold(1, usize::saturating_mul),
        Node::Or(nodes) => {
            nodes.iter().map(|node| combinations(node, depth)).fold(0, usize::saturating_add)
        }
        Node::Any(tests) => tests.len() * depth,
    }
}
