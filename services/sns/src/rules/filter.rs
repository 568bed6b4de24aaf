//! Filter policies: which messages a subscription wants.
//!
//! A policy names keys and, for each, the values wanted: all keys must be met, each by one of its
//! values. It looks at message attributes, or into a body that is JSON.

mod network;
mod read;

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::data::{Attribute, Scope, Value};
use crate::rules::filter::network::Network;

/// A checked filter policy.
#[derive(Debug, PartialEq)]
pub(crate) struct Policy {
    scope: Scope,
    node: Node,
}

#[derive(Debug, PartialEq)]
enum Node {
    /// Each of these keys.
    All(Vec<(String, Node)>),
    /// Together with them, one of these.
    Or(Vec<Node>),
    /// The value here, by one of these.
    Any(Vec<Test>),
}

#[derive(Debug, PartialEq)]
enum Test {
    Equal(Literal),
    IgnoreCase(String),
    Prefix(String),
    Suffix(String),
    AnythingBut(Vec<Literal>),
    AnythingButPrefix(Vec<String>),
    AnythingButSuffix(Vec<String>),
    Numeric(Vec<(Compare, f64)>),
    Cidr(Network),
    Exists(bool),
}

#[derive(Debug, Clone, PartialEq)]
enum Literal {
    Text(String),
    Number(f64),
    Bool(bool),
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Compare {
    Equal,
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl Policy {
    /// Reads a policy, or says in AWS's words what is wrong with it.
    pub(crate) fn parse(text: &str, scope: Scope) -> Result<Policy, String> {
        Ok(Policy { scope, node: read::policy(text, scope)? })
    }

    /// Whether a message with these attributes and this body is wanted.
    pub(crate) fn wants(&self, attributes: &BTreeMap<String, Attribute>, body: &str) -> bool {
        match self.scope {
            Scope::MessageAttributes => {
                let found =
                    attributes.iter().filter_map(|(name, a)| Some((name.clone(), json(a)?)));
                self.node.meets(Some(&Json::Object(found.collect())))
            }
            // What is no JSON object has no key, and none is what a policy may ask for: no.
            Scope::MessageBody => match serde_json::from_str::<Map<String, Json>>(body) {
                Ok(body) => self.node.meets(Some(&Json::Object(body))),
                Err(_) => false,
            },
        }
    }
}

/// An attribute as the JSON value it stands for. Policies do not see binary ones.
fn json(attribute: &Attribute) -> Option<Json> {
    let Value::Text(text) = &attribute.value else { return None };
    match attribute.data_type.as_str() {
        "String.Array" => serde_json::from_str(text).ok().filter(Json::is_array),
        kind if kind.starts_with("Number") => {
            let number: f64 = text.trim().parse().ok()?;
            serde_json::Number::from_f64(number).map(Json::Number)
        }
        _ => Some(Json::String(text.clone())),
    }
}

impl Node {
    fn meets(&self, value: Option<&Json>) -> bool {
        match (self, value) {
            // One element of an array must meet all keys at once.
            (Node::All(_) | Node::Or(_), Some(Json::Array(items))) => {
                items.iter().any(|item| self.meets(Some(item)))
            }
            (Node::All(keys), value) => {
                let members = value.and_then(Json::as_object);
                keys.iter().all(|(key, node)| match node {
                    // Alternatives stand beside the keys of their object, not below one.
                    Node::Or(_) => node.meets(value),
                    _ => node.meets(members.and_then(|members| members.get(key))),
                })
            }
            (Node::Or(nodes), value) => nodes.iter().any(|node| node.meets(value)),
            (Node::Any(tests), value) => tests.iter().any(|test| test.meets(value)),
        }
    }
}

impl Test {
    fn meets(&self, value: Option<&Json>) -> bool {
        if let Test::Exists(wanted) = self {
            return value.is_some() == *wanted;
        }
        match value {
            None => false,
            Some(Json::Array(items)) => items.iter().any(|item| self.meets(Some(item))),
            Some(value) => Literal::of(value).is_some_and(|literal| self.accepts(&literal)),
        }
    }

    fn accepts(&self, value: &Literal) -> bool {
        let text = match value {
            Literal::Text(text) => Some(text.as_str()),
            _ => None,
        };
        let is = |wanted: &dyn Fn(&str) -> bool| text.is_some_and(wanted);
        match self {
            Test::Equal(wanted) => value == wanted,
            Test::IgnoreCase(wanted) => is(&|text| text.to_lowercase() == wanted.to_lowercase()),
            Test::Prefix(prefix) => is(&|text| text.starts_with(prefix)),
            Test::Suffix(suffix) => is(&|text| text.ends_with(suffix)),
            Test::AnythingBut(unwanted) => !unwanted.contains(value),
            Test::AnythingButPrefix(unwanted) => {
                !unwanted.iter().any(|prefix| is(&|text| text.starts_with(prefix)))
            }
            Test::AnythingButSuffix(unwanted) => {
                !unwanted.iter().any(|suffix| is(&|text| text.ends_with(suffix)))
            }
            Test::Numeric(bounds) => match value {
                Literal::Number(number) => {
                    bounds.iter().all(|(by, bound)| by.holds(*number, *bound))
                }
                _ => false,
            },
            Test::Cidr(network) => is(&|text| network.contains(text)),
            Test::Exists(_) => true,
        }
    }
}

impl Literal {
    fn of(value: &Json) -> Option<Literal> {
        Some(match value {
            Json::String(text) => Literal::Text(text.clone()),
            Json::Number(number) => Literal::Number(number.as_f64()?),
            Json::Bool(flag) => Literal::Bool(*flag),
            Json::Null => Literal::Null,
            Json::Array(_) | Json::Object(_) => return None,
        })
    }
}

impl Compare {
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            // Both were read from text, in the same way: equal text is equal here.
            #[expect(clippy::float_cmp, reason = "the same decimal gives the same float")]
            Compare::Equal => number == bound,
            Compare::Below => number < bound,
            Compare::AtMost => number <= bound,
            Compare::Above => number > bound,
            Compare::AtLeast => number >= bound,
        }
    }
}

#[cfg(test)]
mod tests;
