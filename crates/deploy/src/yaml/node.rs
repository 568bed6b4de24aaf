//! A document as a tree in which every value and every key knows its place.

use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::diagnostic::{Diagnostic, Place};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub at: Place,
    pub value: Value,
}

/// What a node holds: JSON, but with places.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    List(Vec<Node>),
    Map(Map),
}

/// Keys and values in the order they were written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Map(pub Vec<Pair>);

/// One key with its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    pub key: String,
    /// The place of the key.
    pub at: Place,
    pub node: Node,
}

impl Map {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.pair(key).map(|pair| &pair.node)
    }

    /// A key with its place and value.
    pub fn pair(&self, key: &str) -> Option<&Pair> {
        self.0.iter().find(|pair| pair.key == key)
    }

    /// Sets a key; an existing one keeps its position in the order.
    pub fn set(&mut self, key: &str, node: Node) {
        match self.0.iter_mut().find(|pair| pair.key == key) {
            Some(pair) => pair.node = node,
            None => self.0.push(Pair { key: key.to_owned(), at: node.at.clone(), node }),
        }
    }

    /// Sets a key if there is something to set it to.
    pub fn set_some(&mut self, key: &str, node: Option<&Node>) {
        if let Some(node) = node {
            self.set(key, node.clone());
        }
    }
}

impl Node {
    /// The value of a key, where this is a map that has it and it is not null.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key).filter(|node| !node.is_null())
    }

    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// The items of a list, or the one value that stands where a list may.
    pub fn one_or_many(&self) -> &[Node] {
        self.as_list().unwrap_or_else(|| std::slice::from_ref(self))
    }

    pub fn as_bool(&self) -> Option<bool> {
        match &self.value {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The text of a scalar as CloudFormation turns it into a string: `5` becomes `"5"`.
    pub fn scalar_text(&self) -> Option<String> {
        match &self.value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }

    /// The name and argument where this is an intrinsic function: `{ Ref: x }`, `{ Fn::Sub: … }`.
    pub fn intrinsic(&self) -> Option<(&str, &Node)> {
        let [pair] = self.as_map()?.0.as_slice() else { return None };
        let is_intrinsic =
            pair.key == "Ref" || pair.key == "Condition" || pair.key.starts_with("Fn::");
        is_intrinsic.then_some((pair.key.as_str(), &pair.node))
    }

    /// What this is, for a sentence.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "empty",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// A string, or a diagnostic that says what `what` must be.
    pub fn expect_str(&self, what: &str) -> Result<&str, Diagnostic> {
        self.as_str().ok_or_else(|| self.unexpected(what, "a string"))
    }

    pub fn expect_map(&self, what: &str) -> Result<&Map, Diagnostic> {
        self.as_map().ok_or_else(|| self.unexpected(what, "a map"))
    }

    pub fn expect_list(&self, what: &str) -> Result<&[Node], Diagnostic> {
        self.as_list().ok_or_else(|| self.unexpected(what, "a list"))
    }

    pub fn expect_bool(&self, what: &str) -> Result<bool, Diagnostic> {
        self.as_bool().ok_or_else(|| self.unexpected(what, "true or false"))
    }

    pub(crate) fn unexpected(&self, what: &str, wanted: &str) -> Diagnostic {
        Diagnostic::new(&self.at, format!("{what} must be {wanted}, but is {}", self.kind()))
    }

    /// The same value without places.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(number) => number.clone().into(),
            Value::String(text) => text.as_str().into(),
            Value::List(list) => list.iter().map(Node::to_json).collect(),
            Value::Map(map) => serde_json::Value::Object(
                map.0.iter().map(|pair| (pair.key.clone(), pair.node.to_json())).collect(),
            ),
        }
    }

    /// How many nodes the tree has.
    pub(crate) fn count(&self) -> usize {
        1 + match &self.value {
            Value::List(list) => list.iter().map(Node::count).sum(),
            Value::Map(map) => map.0.iter().map(|pair| pair.node.count()).sum(),
            _ => 0,
        }
    }
}

/// Values made by us stand at the place of what they were made from.
impl Place {
    pub fn node(&self, value: Value) -> Node {
        Node { at: self.clone(), value }
    }

    pub fn string(&self, text: impl Into<String>) -> Node {
        self.node(Value::String(text.into()))
    }

    pub fn list(&self, list: impl IntoIterator<Item = Node>) -> Node {
        self.node(Value::List(list.into_iter().collect()))
    }

    pub fn map<'k>(&self, pairs: impl IntoIterator<Item = (&'k str, Node)>) -> Node {
        let pair = |(key, node): (&str, Node)| Pair { key: key.to_owned(), at: self.clone(), node };
        self.node(Value::Map(Map(pairs.into_iter().map(pair).collect())))
    }

    /// `{ Ref: logical id }`
    pub fn reference(&self, id: &str) -> Node {
        self.map([("Ref", self.string(id))])
    }

    /// `{ Fn::GetAtt: [logical id, attribute] }`
    pub fn get_att(&self, id: &str, attribute: &str) -> Node {
        self.map([("Fn::GetAtt", self.list([self.string(id), self.string(attribute)]))])
    }

    /// `{ Fn::Sub: text }`
    pub fn sub(&self, text: impl Into<String>) -> Node {
        self.map([("Fn::Sub", self.string(text))])
    }

    pub fn json(&self, json: serde_json::Value) -> Node {
        let value = match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(value),
            serde_json::Value::Number(number) => Value::Number(number),
            serde_json::Value::String(text) => Value::String(text),
            serde_json::Value::Array(list) => {
                Value::List(list.into_iter().map(|item| self.json(item)).collect())
            }
            serde_json::Value::Object(map) => {
                let pair = |(key, value)| Pair { key, at: self.clone(), node: self.json(value) };
                Value::Map(Map(map.into_iter().map(pair).collect()))
            }
        };
        self.node(value)
    }
}
