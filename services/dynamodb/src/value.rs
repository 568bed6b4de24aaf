//! Attribute values: the ten types, their JSON form, their size and their order.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::number::{self, Number};

/// How deep maps and lists may stand in each other.
const DEPTH_MAX: usize = 32;
/// What a map or a list counts in an item's size besides its members, and for each of them.
const DOCUMENT_BYTES: usize = 3;
const MEMBER_BYTES: usize = 1;

/// The value of an attribute. Sets are kept ordered, so equal values are equal field by field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    S(String),
    N(Number),
    B(Vec<u8>),
    Bool(bool),
    Null,
    M(Item),
    L(Vec<Value>),
    Ss(BTreeSet<String>),
    Ns(BTreeSet<Number>),
    Bs(BTreeSet<Vec<u8>>),
}

/// Attributes by name: an item, a key, or a map within an item.
pub(crate) type Item = BTreeMap<String, Value>;

/// Why something is not an attribute value. The messages are AWS's, blanks included.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error(
        "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
    )]
    Empty,
    #[error(
        "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the \
         supported datatypes"
    )]
    Several,
    #[error(transparent)]
    Number(#[from] number::Invalid),
    #[error("Input collection contains duplicates")]
    DuplicateNumbers,
    #[error("One or more parameter values were invalid: An number set  may not be empty")]
    EmptyNumberSet,
    #[error("One or more parameter values were invalid: {0}")]
    Invalid(String),
    #[error("Nesting Levels have exceeded supported limits")]
    Depth,
}

impl Fault {
    fn invalid(why: impl Into<String>) -> Fault {
        Fault::Invalid(why.into())
    }
}

impl Value {
    /// The name of the type in JSON and in messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::S(_) => "S",
            Value::N(_) => "N",
            Value::B(_) => "B",
            Value::Bool(_) => "BOOL",
            Value::Null => "NULL",
            Value::M(_) => "M",
            Value::L(_) => "L",
            Value::Ss(_) => "SS",
            Value::Ns(_) => "NS",
            Value::Bs(_) => "BS",
        }
    }

    /// The bytes it counts in an item's size, as AWS defines it.
    pub(crate) fn size(&self) -> usize {
        match self {
            Value::S(text) => text.len(),
            Value::N(number) => number.size(),
            Value::B(bytes) => bytes.len(),
            Value::Bool(_) | Value::Null => 1,
            Value::M(map) => document_bytes(map.len()) + size(map),
            Value::L(list) => {
                document_bytes(list.len()) + list.iter().map(Value::size).sum::<usize>()
            }
            Value::Ss(set) => set.iter().map(String::len).sum(),
            Value::Ns(set) => set.iter().map(Number::size).sum(),
            Value::Bs(set) => set.iter().map(Vec::len).sum(),
        }
    }

    /// The order of two values of the same ordered type: text, numbers or bytes.
    pub(crate) fn order(&self, other: &Value) -> Option<Ordering> {
        match (self, other) {
            (Value::S(a), Value::S(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Value::N(a), Value::N(b)) => Some(a.cmp(b)),
            (Value::B(a), Value::B(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    fn depth(&self) -> usize {
        match self {
            Value::M(map) => 1 + map.values().map(Value::depth).max().unwrap_or(0),
            Value::L(list) => 1 + list.iter().map(Value::depth).max().unwrap_or(0),
            _ => 0,
        }
    }
}

/// What a map or a list of so many members counts besides them.
pub(crate) fn document_bytes(members: usize) -> usize {
    DOCUMENT_BYTES + MEMBER_BYTES * members
}

/// The bytes attributes count in an item's size: names and values.
pub(crate) fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value.size()).sum()
}

/// Fails if maps and lists stand too deep in each other.
pub(crate) fn check_depth(item: &Item) -> Result<(), Fault> {
    if item.values().any(|value| value.depth() > DEPTH_MAX) { Err(Fault::Depth) } else { Ok(()) }
}

/// As it stands in AWS's messages: `{S:text}`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::S(text) => write!(f, "{{S:{text}}}"),
            Value::N(number) => write!(f, "{{N:{number}}}"),
            Value::B(bytes) => write!(f, "{{B:{}}}", BASE64.encode(bytes)),
            other => write!(f, "{{{}}}", other.kind()),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_key(self.kind())?;
        match self {
            Value::S(text) => map.serialize_value(text)?,
            Value::N(number) => map.serialize_value(&number.to_string())?,
            Value::B(bytes) => map.serialize_value(&BASE64.encode(bytes))?,
            Value::Bool(is) => map.serialize_value(is)?,
            Value::Null => map.serialize_value(&true)?,
            Value::M(members) => map.serialize_value(members)?,
            Value::L(members) => map.serialize_value(members)?,
            Value::Ss(set) => map.serialize_value(set)?,
            Value::Ns(set) => map.serialize_value(&texts(set, Number::to_string))?,
            Value::Bs(set) => map.serialize_value(&texts(set, |bytes| BASE64.encode(bytes)))?,
        }
        map.end()
    }
}

fn texts<T>(set: &BTreeSet<T>, text: impl Fn(&T) -> String) -> Vec<String> {
    set.iter().map(text).collect()
}

/// Something a request gives, read in one pass, that may turn out to be invalid. The fault waits
/// until the operation asks, because AWS finds other faults of a request first.
#[derive(Debug, Clone)]
pub(crate) struct Given<T>(pub(crate) Result<T, Fault>);

impl Given<Item> {
    /// The attributes, if all of them are valid.
    pub(crate) fn checked(self) -> Result<Item, Fault> {
        let item = self.0?;
        check_depth(&item)?;
        Ok(item)
    }
}

impl Given<Value> {
    /// The value, if it is valid.
    pub(crate) fn checked(self) -> Result<Value, Fault> {
        let value = self.0?;
        if value.depth() > DEPTH_MAX { Err(Fault::Depth) } else { Ok(value) }
    }
}

impl<'de> Deserialize<'de> for Given<Value> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("AttributeValue", TYPES, ValueVisitor).map(Given)
    }
}

const TYPES: &[&str] = &["S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"];

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Result<Value, Fault>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an attribute value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found: Result<Value, Fault> = Err(Fault::Empty);
        while let Some(kind) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            let Some(next) = typed(&kind, &mut map)? else { continue };
            found = match (found, next) {
                (Err(Fault::Empty), next) => next,
                // Numbers are read before types are counted.
                (Err(Fault::Number(first)), _) => Err(Fault::Number(first)),
                (_, Err(Fault::Number(second))) => Err(Fault::Number(second)),
                _ => Err(Fault::Several),
            };
        }
        Ok(found)
    }
}

/// The value of one type name; `None` where it says nothing: an unknown name, or `null`.
fn typed<'de, A: MapAccess<'de>>(
    kind: &str,
    map: &mut A,
) -> Result<Option<Result<Value, Fault>>, A::Error> {
    Ok(match kind {
        "S" => map.next_value::<Option<String>>()?.map(|text| Ok(Value::S(text))),
        "N" => map.next_value::<Option<String>>()?.map(|text| Ok(Value::N(text.parse()?))),
        "B" => map.next_value::<Option<Base64>>()?.map(|bytes| Ok(Value::B(bytes.0))),
        "BOOL" => map.next_value::<Option<bool>>()?.map(|is| Ok(Value::Bool(is))),
        "NULL" => map.next_value::<Option<bool>>()?.map(|is| match is {
            true => Ok(Value::Null),
            false => Err(Fault::invalid("Null attribute value types must have the value of true")),
        }),
        "M" => map.next_value::<Option<Given<Item>>>()?.map(|item| item.0.map(Value::M)),
        "L" => map.next_value::<Option<Given<Vec<Value>>>>()?.map(|list| list.0.map(Value::L)),
        "SS" => map.next_value::<Option<Vec<String>>>()?.map(strings),
        "NS" => map.next_value::<Option<Vec<String>>>()?.map(numbers),
        "BS" => map.next_value::<Option<Vec<Base64>>>()?.map(binaries),
        _ => {
            let IgnoredAny = map.next_value()?;
            None
        }
    })
}

fn strings(members: Vec<String>) -> Result<Value, Fault> {
    if members.is_empty() {
        return Err(Fault::invalid("An string set  may not be empty"));
    }
    let set: BTreeSet<String> = members.iter().cloned().collect();
    if set.len() < members.len() {
        let members = members.join(", ");
        return Err(Fault::invalid(format!("Input collection [{members}] contains duplicates.")));
    }
    Ok(Value::Ss(set))
}

fn numbers(members: Vec<String>) -> Result<Value, Fault> {
    if members.is_empty() {
        return Err(Fault::EmptyNumberSet);
    }
    let set = members.iter().map(|text| text.parse()).collect::<Result<BTreeSet<Number>, _>>()?;
    if set.len() < members.len() { Err(Fault::DuplicateNumbers) } else { Ok(Value::Ns(set)) }
}

fn binaries(members: Vec<Base64>) -> Result<Value, Fault> {
    if members.is_empty() {
        return Err(Fault::invalid("Binary sets should not be empty"));
    }
    let count = members.len();
    let texts: Vec<String> = members.iter().map(|bytes| BASE64.encode(&bytes.0)).collect();
    let set: BTreeSet<Vec<u8>> = members.into_iter().map(|bytes| bytes.0).collect();
    if set.len() < count {
        let members = texts.join(", ");
        return Err(Fault::invalid(format!(
            "Input collection [{members}]of type BS contains duplicates."
        )));
    }
    Ok(Value::Bs(set))
}

impl<'de> Deserialize<'de> for Given<Item> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ItemVisitor).map(Given)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Result<Item, Fault>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("attributes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut item = Ok(Item::new());
        while let Some((name, value)) = map.next_entry::<String, Given<Value>>()? {
            item = item.and_then(|mut item| {
                item.insert(name, value.0?);
                Ok(item)
            });
        }
        Ok(item)
    }
}

impl<'de> Deserialize<'de> for Given<Vec<Value>> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor).map(Given)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = Result<Vec<Value>, Fault>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of attribute values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Ok(Vec::new());
        while let Some(value) = seq.next_element::<Given<Value>>()? {
            list = list.and_then(|mut list| {
                list.push(value.0?);
                Ok(list)
            });
        }
        Ok(list)
    }
}

/// Bytes in base64.
struct Base64(Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(Base64Visitor)
    }
}

struct Base64Visitor;

impl Visitor<'_> for Base64Visitor {
    type Value = Base64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes in base64")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Base64, E> {
        if !text.len().is_multiple_of(4) {
            return Err(E::custom(format_args!(
                "Base64 encoded length is expected a multiple of 4 bytes but found: {}",
                text.len()
            )));
        }
        let invalid = |_| E::custom("Invalid last non-pad Base64 character dectected");
        BASE64.decode(text).map(Base64).map_err(invalid)
    }

    fn visit_bytes<E: de::Error>(self, text: &[u8]) -> Result<Base64, E> {
        match std::str::from_utf8(text) {
            Ok(text) => self.visit_str(text),
            Err(error) => Err(E::custom(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, wanted: &str) {
        let got = match serde_json::from_str::<Given<Value>>(json).map(Given::<Value>::checked) {
            Ok(Ok(value)) => serde_json::to_string(&value).unwrap(),
            Ok(Err(fault)) => fault.to_string(),
            Err(error) => format!("not JSON: {error}"),
        };
        assert_eq!(got, wanted, "{json}");
    }

    #[test]
    fn every_type_comes_back() {
        for json in [
            r#"{"S":"grüße \" 🛒"}"#,
            r#"{"S":""}"#,
            r#"{"N":"-1.5"}"#,
            r#"{"B":"AP8="}"#,
            r#"{"BOOL":false}"#,
            r#"{"NULL":true}"#,
            r#"{"M":{"a":{"L":[{"M":{}},{"S":"x"}]}}}"#,
            r#"{"SS":["a","b"]}"#,
            r#"{"NS":["-1","2"]}"#,
            r#"{"BS":["AQ==","Ag=="]}"#,
        ] {
            check(json, json);
        }
        check(r#"{"N":"1.0","S":null,"whatever":{"x":[]}}"#, r#"{"N":"1"}"#);
    }

    #[test]
    fn faults_have_the_words_of_aws() {
        let empty =
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes";
        for json in ["{}", r#"{"a":""}"#, r#"{"M":{"a":{}}}"#, r#"{"L":[{}]}"#, r#"{"S":null}"#] {
            check(json, empty);
        }
        let numeric = "The parameter cannot be converted to a numeric value";
        check(r#"{"S":"a","N":""}"#, numeric);
        check(r#"{"N":"b","S":"a"}"#, &format!("{numeric}: b"));
        check(r#"{"NS":["1","b"]}"#, &format!("{numeric}: b"));
        check(r#"{"NS":["1","1.0"]}"#, "Input collection contains duplicates");
        check(
            r#"{"S":"a","N":"1"}"#,
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one \
             of the supported datatypes",
        );
        let invalid = |why: &str| format!("One or more parameter values were invalid: {why}");
        for (json, why) in [
            (r#"{"NULL":false}"#, "Null attribute value types must have the value of true"),
            (r#"{"SS":[]}"#, "An string set  may not be empty"),
            (r#"{"NS":[]}"#, "An number set  may not be empty"),
            (r#"{"BS":[]}"#, "Binary sets should not be empty"),
            (r#"{"SS":["a","a"]}"#, "Input collection [a, a] contains duplicates."),
            (
                r#"{"BS":["Yg==","Yg=="]}"#,
                "Input collection [Yg==, Yg==]of type BS contains duplicates.",
            ),
        ] {
            check(json, &invalid(why));
        }
        let deep = |levels: usize| {
            format!("{}{}{}", r#"{"L":["#.repeat(levels), r#"{"S":""}"#, "]}".repeat(levels))
        };
        check(&deep(32), &deep(32));
        check(&deep(33), "Nesting Levels have exceeded supported limits");
    }

    #[test]
    fn sizes_are_those_of_aws() {
        for (json, wanted) in [
            (r#"{"S":"grüße"}"#, 7),
            (r#"{"N":"123"}"#, 3),
            (r#"{"B":"AP8="}"#, 2),
            (r#"{"BOOL":false}"#, 1),
            (r#"{"L":[]}"#, 3),
            (r#"{"L":[{"S":"ab"},{"NULL":true}]}"#, 3 + 1 + 2 + 1 + 1),
            (r#"{"M":{"abc":{"S":"de"}}}"#, 3 + 1 + 3 + 2),
            (r#"{"SS":["a","bc"]}"#, 3),
        ] {
            let value = serde_json::from_str::<Given<Value>>(json).unwrap().checked().unwrap();
            assert_eq!(value.size(), wanted, "{json}");
        }
    }
}
