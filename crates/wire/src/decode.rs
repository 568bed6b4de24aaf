use bytes::Bytes;
use http::HeaderMap;
use serde::de::value::{Error, MapDeserializer};
use serde::de::{self, DeserializeOwned, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use crate::leaf::Leaf;
use crate::typed::Typed;
use crate::{Names, Protocol, form};

/// What an operation's input is read from.
#[derive(Debug, Clone)]
pub struct Input {
    pub protocol: Protocol,
    pub body: Bytes,
    /// Variables of the path, decoded.
    pub labels: Vec<(String, String)>,
    /// The query string, decoded.
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
}

/// An input that is not what its shape demands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(String);

impl From<serde_json::Error> for DecodeError {
    fn from(error: serde_json::Error) -> DecodeError {
        DecodeError(error.to_string())
    }
}

impl From<Error> for DecodeError {
    fn from(error: Error) -> DecodeError {
        DecodeError(error.to_string())
    }
}

impl Input {
    /// An input that is only a JSON body.
    pub fn json10(body: Bytes) -> Input {
        Input {
            protocol: Protocol::Json10,
            body,
            labels: Vec::new(),
            query: Vec::new(),
            headers: HeaderMap::new(),
        }
    }

    /// Reads the shape of an operation.
    pub fn decode<I: DeserializeOwned>(&self, names: &Names) -> Result<I, DecodeError> {
        match self.protocol {
            Protocol::Json10 | Protocol::Json11 => {
                let body = self.json_body();
                // serde reads a list as a structure, too; AWS does not.
                match body.trim_ascii_start().first() {
                    Some(b'[') => Err(DecodeError("expected a structure, found a list".into())),
                    _ if names.json_namespace.is_empty() => Ok(serde_json::from_slice(body)?),
                    _ => typed(&self.body, names.json_namespace),
                }
            }
            Protocol::Query => {
                let query = self.query.iter().map(|(k, v)| (k.as_str().into(), v.as_str().into()));
                let params = query.chain(form_urlencoded::parse(&self.body));
                Ok(I::deserialize(&form::tree(params, names)?)?)
            }
            Protocol::RestJson => Ok(I::deserialize(self.merged()?)?),
        }
    }

    /// An empty body is an empty structure.
    fn json_body(&self) -> &[u8] {
        if self.body.is_empty() { b"{}" } else { &self.body }
    }

    /// The members of a REST request: body, query string and path, the last one stronger.
    fn merged(&self) -> Result<MapDeserializer<'_, Members, Error>, DecodeError> {
        let body: Map<String, Value> = serde_json::from_slice(self.json_body())?;
        let mut members: Vec<(String, Member)> =
            body.into_iter().map(|(name, value)| (name, Member::Json(value))).collect();
        for (name, text) in &self.query {
            match members.iter_mut().find(|(known, _)| known == name) {
                Some((_, Member::Texts(texts))) => texts.push(text.clone()),
                Some((_, member)) => *member = Member::Texts(vec![text.clone()]),
                None => members.push((name.clone(), Member::Texts(vec![text.clone()]))),
            }
        }
        for (name, text) in &self.labels {
            members.retain(|(known, _)| known != name);
            members.push((name.clone(), Member::Texts(vec![text.clone()])));
        }
        Ok(MapDeserializer::new(members.into_iter()))
    }
}

/// Reads JSON, and tells in AWS's words what is of the wrong type.
fn typed<I: DeserializeOwned>(body: &[u8], namespace: &str) -> Result<I, DecodeError> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let namespace = namespace.trim_end_matches('#');
    let read = I::deserialize(Typed::new(&mut json, namespace));
    read.and_then(|read| json.end().map(|()| read)).map_err(|error| {
        // AWS says nothing about what is not JSON, and of the rest not where it is.
        if !error.is_data() {
            return DecodeError(String::new());
        }
        let at = format!(" at line {} column {}", error.line(), error.column());
        let text = error.to_string();
        DecodeError(text.strip_suffix(&at).unwrap_or(&text).to_owned())
    })
}

type Members = std::vec::IntoIter<(String, Member)>;

/// A member of a REST request: from the body, or text from the path or the query string, where a
/// repeated name makes a list.
enum Member {
    Json(Value),
    Texts(Vec<String>),
}

impl IntoDeserializer<'_, Error> for Member {
    type Deserializer = Member;
    fn into_deserializer(self) -> Member {
        self
    }
}

macro_rules! members {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self {
                Member::Json(value) => value.$method(visitor).map_err(Error::custom),
                Member::Texts(texts) => {
                    Leaf(texts.last().map_or("", String::as_str)).$method(visitor)
                }
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Member {
    type Error = Error;

    members! {
        deserialize_any deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32
        deserialize_f64 deserialize_bool deserialize_str deserialize_string deserialize_map
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Member::Json(Value::Null) => visitor.visit_none(),
            given => visitor.visit_some(given),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Member::Json(value) => value.deserialize_seq(visitor).map_err(Error::custom),
            Member::Texts(texts) => {
                let texts = texts.into_iter().map(String::into_deserializer);
                visitor.visit_seq(serde::de::value::SeqDeserializer::new(texts))
            }
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Member::Json(value) => {
                value.deserialize_struct(name, fields, visitor).map_err(Error::custom)
            }
            Member::Texts(_) => Err(Error::custom("expected a structure")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Member::Json(value) => {
                value.deserialize_enum(name, variants, visitor).map_err(Error::custom)
            }
            Member::Texts(texts) => Leaf(texts.last().map_or("", String::as_str))
                .deserialize_enum(name, variants, visitor),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::{Plural, Style};

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Shape {
        name: Option<String>,
        max: Option<u32>,
        flag: Option<bool>,
        #[serde(default)]
        keys: Vec<String>,
        #[serde(default)]
        attributes: BTreeMap<String, String>,
        #[serde(default)]
        entries: Vec<Entry>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Entry {
        id: String,
    }

    const NAMES: Names = Names {
        plurals: &[
            Plural {
                member: "Attributes",
                element: "Attribute",
                style: Style::Map { key: "Name", value: "Value" },
            },
            Plural { member: "Entries", element: "*BatchRequestEntry", style: Style::List },
        ],
        ..Names::PLAIN
    };

    fn check(form: &str, expected: &str) {
        let input = Input {
            protocol: Protocol::Query,
            body: Bytes::copy_from_slice(form.as_bytes()),
            ..Input::json10(Bytes::new())
        };
        let expected: Shape = serde_json::from_str(expected).unwrap();
        assert_eq!(input.decode::<Shape>(&NAMES).unwrap(), expected, "{form}");
    }

    #[test]
    fn form_parameters_make_the_same_shape_as_json() {
        check(
            "Action=X&Version=1&Name=a%20b+c&Max=7&Flag=true",
            r#"{"Name":"a b c","Max":7,"Flag":true}"#,
        );
        check("Keys.member.2=b&Keys.member.1=a", r#"{"Keys":["a","b"]}"#);
        check("Keys.10=j&Keys.9=i&Keys.4000000000=z", r#"{"Keys":["i","j","z"]}"#);
        check("Attributes.entry.1.key=k&Attributes.entry.1.value=v", r#"{"Attributes":{"k":"v"}}"#);
        check("Attribute.1.Name=k&Attribute.1.Value=v", r#"{"Attributes":{"k":"v"}}"#);
        check("SendBatchRequestEntry.1.Id=x", r#"{"Entries":[{"Id":"x"}]}"#);
    }

    #[test]
    fn rest_members_come_from_body_query_and_path() {
        let text = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        let input = Input {
            protocol: Protocol::RestJson,
            body: Bytes::from_static(br#"{"Flag":true,"Name":"body"}"#),
            labels: vec![text("Name", "path")],
            query: vec![text("Max", "9"), text("Keys", "a"), text("Keys", "b")],
            headers: HeaderMap::new(),
        };
        let shape: Shape = input.decode(&NAMES).unwrap();
        let expected = r#"{"Name":"path","Max":9,"Flag":true,"Keys":["a","b"]}"#;
        assert_eq!(shape, serde_json::from_str(expected).unwrap());
    }

    proptest! {
        #[test]
        fn no_input_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            for protocol in [Protocol::Json10, Protocol::Query, Protocol::RestJson] {
                let input = Input { protocol, ..Input::json10(body.clone().into()) };
                let _either = input.decode::<Shape>(&NAMES);
            }
        }

        #[test]
        fn no_form_panics(form in "[A-Za-z.0-9=&%]{0,80}") {
            let body = form.into_bytes().into();
            let input = Input { protocol: Protocol::Query, ..Input::json10(body) };
            let _either = input.decode::<Shape>(&NAMES);
        }
    }
}
