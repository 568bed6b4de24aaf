//! The Query protocol's input: form parameters whose dotted names make a tree.

use std::collections::BTreeMap;

use serde::de::value::Error;
use serde::de::{
    self, DeserializeSeed, Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::Names;
use crate::leaf::Leaf;

/// Levels of a dotted name; no shape of AWS comes near.
const DEPTH_MAX: usize = 16;

/// A parameter or what stands below a common prefix. Holes in numbering cost nothing.
pub(crate) enum Node {
    Leaf(String),
    Branch(BTreeMap<String, Node>),
}

/// Makes the tree. The protocol's own parameters are left out; of two of one name the last counts.
pub(crate) fn tree<'a>(
    params: impl Iterator<Item = (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)>,
    names: &Names,
) -> Result<Node, Error> {
    let mut root = BTreeMap::new();
    for (name, value) in params {
        if matches!(name.as_ref(), "Action" | "Version") || name.starts_with("X-Amz-") {
            continue;
        }
        if name.split('.').count() > DEPTH_MAX {
            return Err(Error::custom(format_args!("parameter '{name}' is nested too deeply")));
        }
        let mut at = &mut root;
        let mut parts = name.split('.').peekable();
        while let Some(part) = parts.next() {
            let numbered = parts.peek().is_some();
            let member = names.of_element(part).filter(|_| numbered).unwrap_or(part);
            if !numbered {
                at.insert(member.to_owned(), Node::Leaf(value.clone().into_owned()));
                break;
            }
            let child =
                at.entry(member.to_owned()).or_insert_with(|| Node::Branch(BTreeMap::new()));
            match child {
                Node::Branch(below) => at = below,
                Node::Leaf(_) => {
                    let what = format_args!("parameter '{name}' contradicts another");
                    return Err(Error::custom(what));
                }
            }
        }
    }
    Ok(Node::Branch(root))
}

fn index(key: &str) -> Option<u32> {
    key.parse().ok()
}

impl Node {
    /// The items of a list in the order of their numbers: `X.1`, or `X.member.1`.
    fn items(&self) -> Result<Vec<&Node>, Error> {
        let Node::Branch(children) = self.unwrapped("member") else {
            return match self {
                Node::Leaf(text) if text.is_empty() => Ok(Vec::new()),
                _ => Err(Error::custom("expected a list")),
            };
        };
        let mut items = Vec::new();
        for (key, child) in children {
            let Some(index) = index(key) else {
                return Err(Error::custom(format_args!("'{key}' is not a position in a list")));
            };
            items.push((index, child));
        }
        items.sort_by_key(|(index, _)| *index);
        Ok(items.into_iter().map(|(_, child)| child).collect())
    }

    /// The pairs of a map: `X.entry.1.key` and `X.entry.1.value`, or the names SQS uses; else the
    /// members of a structure.
    fn pairs(&self) -> Result<Vec<(&str, &Node)>, Error> {
        let Node::Branch(children) = self.unwrapped("entry") else {
            return Err(Error::custom("expected a structure"));
        };
        if children.is_empty() || !children.keys().all(|key| index(key).is_some()) {
            return Ok(children.iter().map(|(key, child)| (key.as_str(), child)).collect());
        }
        let mut pairs = Vec::new();
        for pair in children.values() {
            let Node::Branch(pair) = pair else { return Err(Error::custom("expected a pair")) };
            let key = ["key", "Name", "Key"].iter().find_map(|name| pair.get(*name));
            let value = ["value", "Value"].iter().find_map(|name| pair.get(*name));
            match (key, value) {
                (Some(Node::Leaf(key)), Some(value)) => pairs.push((key.as_str(), value)),
                _ => return Err(Error::custom("expected a name and a value")),
            }
        }
        Ok(pairs)
    }

    fn unwrapped(&self, wrapper: &str) -> &Node {
        match self {
            Node::Branch(children) if children.len() == 1 => children.get(wrapper).unwrap_or(self),
            _ => self,
        }
    }
}

macro_rules! leaves {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.leaf()?.$method(visitor)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for &Node {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Node::Leaf(text) => visitor.visit_str(text),
            Node::Branch(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Items(self.items()?.into_iter()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Pairs { rest: self.pairs()?.into_iter(), value: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Node::Branch(children) = self else {
            return Err(Error::custom("expected a structure"));
        };
        let members: Vec<(&str, &Node)> =
            children.iter().map(|(key, child)| (key.as_str(), child)).collect();
        visitor.visit_map(Pairs { rest: members.into_iter(), value: None })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.leaf()?.deserialize_enum(name, variants, visitor)
    }

    leaves! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64
        deserialize_bool deserialize_str deserialize_string
    }

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

impl Node {
    fn leaf(&self) -> Result<Leaf<'_>, Error> {
        match self {
            Node::Leaf(text) => Ok(Leaf(text)),
            Node::Branch(_) => Err(Error::custom("expected a single value")),
        }
    }
}

struct Items<'a>(std::vec::IntoIter<&'a Node>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        self.0.next().map(|node| seed.deserialize(node)).transpose()
    }
}

struct Pairs<'a> {
    rest: std::vec::IntoIter<(&'a str, &'a Node)>,
    value: Option<&'a Node>,
}

impl<'de> MapAccess<'de> for Pairs<'_> {
    type Error = Error;
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(key.into_deserializer()).map(Some)
    }
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let value = self.value.take().ok_or_else(|| Error::custom("a value before its key"))?;
        seed.deserialize(value)
    }
}
