//! Refusing by name what AWS knows and we do not serve, so that nothing is silently ignored.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::{Ctx, Error};

/// By these words of a decoder's error [`crate::members`] knows a member to be refused.
pub(crate) const EXPECTED: &str = "a member that is not served";

/// What a request gave for a member that AWS knows and we do not serve. There is nothing to do
/// with it but to refuse it.
#[derive(Debug, Default)]
pub struct Unserved(Option<Value>);

impl Unserved {
    /// What the request gave.
    pub fn given(&self) -> Option<&Value> {
        self.0.as_ref()
    }

    /// Whether the request asks for anything with it.
    pub fn says_something(&self) -> bool {
        self.0.as_ref().is_some_and(says_something)
    }
}

impl<'de> Deserialize<'de> for Unserved {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Unserved, D::Error> {
        let given = Option::<Anything>::deserialize(deserializer)?;
        Ok(Unserved(given.map(|Anything(value)| value)))
    }
}

/// Any JSON, under a name of its own in errors.
struct Anything(Value);

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Anything, D::Error> {
        deserializer.deserialize_any(AnythingVisitor).map(Anything)
    }
}

struct AnythingVisitor;

macro_rules! visits {
    ($($method:ident $type:ty,)*) => {$(
        fn $method<E>(self, value: $type) -> Result<Value, E> {
            Ok(value.into())
        }
    )*};
}

impl<'de> Visitor<'de> for AnythingVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    visits! { visit_bool bool, visit_i64 i64, visit_u64 u64, visit_f64 f64, visit_str &str, }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<Value, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Value, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(members))
    }
}

/// A member known to AWS and not served here, with what the request gave for it.
pub type Member<'a> = (&'a str, &'a Unserved);

/// Refuses the first member that says something. One that says nothing (`null`, `false`, also as
/// the text that query strings and forms have, an empty text, list or object) asks for what
/// happens anyway.
pub fn refuse(ctx: &Ctx, members: &[Member]) -> Result<(), Error> {
    for (name, member) in members {
        if member.says_something() {
            return Err(refusal(ctx, name));
        }
    }
    Ok(())
}

/// Names the operation and what of its request is not served.
pub fn refusal(ctx: &Ctx, name: &str) -> Error {
    Error::not_served(format_args!("{}.{} with {name}", ctx.service, ctx.operation))
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) | Value::Number(_) => true,
        Value::String(text) => !matches!(text.as_str(), "" | "false"),
        Value::Array(items) => items.iter().any(says_something),
        Value::Object(members) => members.values().any(says_something),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_shell_says_nothing() {
        for text in [
            "null",
            "false",
            r#""""#,
            r#""false""#,
            "[]",
            "{}",
            r#"{"SubnetIds":[],"X":{"Y":null}}"#,
        ] {
            assert!(!says_something(&serde_json::from_str(text).unwrap()), "{text}");
        }
        for text in ["true", "0", r#""x""#, r#"{"SubnetIds":["subnet-1"]}"#] {
            assert!(says_something(&serde_json::from_str(text).unwrap()), "{text}");
        }
    }

    #[test]
    fn what_was_given_is_kept_as_it_is() {
        let text = r#"[true,-1,2,1.5,"x",null,{"a":[{}]}]"#;
        let given: Unserved = serde_json::from_str(text).unwrap();
        assert_eq!(given.given().unwrap().to_string(), text);
        let none: Unserved = serde_json::from_str("null").unwrap();
        assert!(none.given().is_none());
    }
}
