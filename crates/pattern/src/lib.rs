//! Patterns of events: which ones somebody wants.
//!
//! A pattern names keys and, for each, the values wanted: all keys must be met, each by one of its
//! values. Filter policies of topics and filter criteria of mappings are both of this kind; what
//! they do not have in common is their [`Dialect`].

mod network;
mod read;

use serde_json::{Map, Value as Json};

use crate::network::Network;

/// What whoever asks allows in a pattern.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// The largest number, and below zero the smallest.
    pub number_max: f64,
    /// Where patterns are flat: what is said of an object below a key.
    pub flat: Option<&'static str>,
}

/// A checked pattern.
#[derive(Debug, PartialEq)]
pub struct Pattern(Node);

impl Pattern {
    /// Reads a pattern, or says in AWS's words what is wrong with it.
    ///
    /// # Errors
    /// If it is none, with the complaint.
    pub fn read(members: &Map<String, Json>, dialect: &Dialect) -> Result<Pattern, String> {
        read::object(members, dialect).map(Pattern)
    }

    /// Whether an event is wanted.
    pub fn wants(&self, event: &Json) -> bool {
        self.0.meets(Some(event))
    }

    /// How many keys with values it has. Alternatives count as the largest of them.
    pub fn keys(&self) -> usize {
        self.0.keys()
    }

    /// The product of the numbers of values, each times the depth of its key.
    pub fn combinations(&self) -> usize {
        self.0.combinations(1)
    }
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

    fn keys(&self) -> usize {
        match self {
            Node::All(keys) => keys.iter().map(|(_, node)| node.keys()).sum(),
            Node::Or(nodes) => nodes.iter().map(Node::keys).max().unwrap_or(0),
            Node::Any(_) => 1,
        }
    }

    fn combinations(&self, depth: usize) -> usize {
        match self {
            Node::All(keys) => keys
                .iter()
                .map(|(_, node)| match node {
                    Node::All(_) => node.combinations(depth + 1),
                    Node::Or(_) | Node::Any(_) => node.combinations(depth),
                })
                .fold(1, usize::saturating_mul),
            Node::Or(nodes) => {
                nodes.iter().map(|node| node.combinations(depth)).fold(0, usize::saturating_add)
            }
            Node::Any(tests) => tests.len() * depth,
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
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_have_the_bounds_of_the_dialect() {
        let read = |number: f64| {
            let pattern = json!({ "a": [number] });
            let dialect = Dialect { number_max: 5e9, flat: None };
            Pattern::read(pattern.as_object().unwrap(), &dialect)
        };
        assert!(read(5e9).unwrap().wants(&json!({ "a": 5_000_000_000_u64 })));
        let fault = read(-5.5e9).unwrap_err();
        assert_eq!(fault, "Value -5500000000 must be between -5.0e9 and 5.0e9");
    }
}
