//! Values of the wrong JSON type, told in the words of AWS's framework.
//!
//! serde tells what it found and where; AWS tells what cannot be converted to what, and neither
//! takes a list for a structure nor refuses a number or a text that only looks different. So what
//! a type asks for is noted on its way down, and what is found is held against that.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

/// What AWS says about something that is no list, structure or map but stands for a list or map
/// within another list or map.
const CAST: &str = "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be \
     cast to class java.lang.Class (sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl \
     and java.lang.Class are in module java.base of loader 'bootstrap')";
const NOT_HERE: &str = "Start of structure or map found where not expected";

/// Where a value stands, on which the words depend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It is a member of a structure, or the whole.
    Member,
    /// It is an element of a list or a map.
    Element,
}

/// What a type asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// The type takes what it finds, or says itself what is wrong.
    Anything,
    Text,
    Boolean,
    /// `Integer` or `Long`.
    Whole(&'static str),
    Bytes,
    List,
    Map,
    Structure(&'static str),
}

/// A deserializer that knows AWS's words. `namespace` is what stands before a structure's name.
pub(crate) struct Typed<'n, D> {
    inner: D,
    namespace: &'n str,
    place: Place,
}

impl<'n, D> Typed<'n, D> {
    /// Of a whole request.
    pub(crate) fn new(inner: D, namespace: &'n str) -> Typed<'n, D> {
        Typed { inner, namespace, place: Place::Member }
    }
}

/// Asks the inner deserializer for whatever there is, and holds it against what is wanted.
macro_rules! wants {
    ($($method:ident($($argument:ident: $type:ty),*) $wanted:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(
            self, $($argument: $type,)* visitor: V,
        ) -> Result<V::Value, D::Error> {
            let Typed { inner, namespace, place } = self;
            inner.deserialize_any(Held { visitor, wanted: $wanted, namespace, place })
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Typed<'_, D> {
    type Error = D::Error;

    wants! {
        deserialize_any() Wanted::Anything;
        deserialize_bool() Wanted::Boolean;
        deserialize_i8() Wanted::Whole("Integer");
        deserialize_i16() Wanted::Whole("Integer");
        deserialize_i32() Wanted::Whole("Integer");
        deserialize_i64() Wanted::Whole("Long");
        deserialize_u8() Wanted::Whole("Integer");
        deserialize_u16() Wanted::Whole("Integer");
        deserialize_u32() Wanted::Whole("Integer");
        deserialize_u64() Wanted::Whole("Long");
        deserialize_f32() Wanted::Anything;
        deserialize_f64() Wanted::Anything;
        deserialize_char() Wanted::Text;
        deserialize_str() Wanted::Text;
        deserialize_string() Wanted::Text;
        deserialize_bytes() Wanted::Bytes;
        deserialize_byte_buf() Wanted::Bytes;
        deserialize_unit() Wanted::Anything;
        deserialize_unit_struct(_name: &'static str) Wanted::Anything;
        deserialize_seq() Wanted::List;
        deserialize_tuple(_len: usize) Wanted::List;
        deserialize_tuple_struct(_name: &'static str, _len: usize) Wanted::List;
        deserialize_map() Wanted::Map;
        deserialize_struct(name: &'static str, _fields: &'static [&'static str])
            Wanted::Structure(name);
        deserialize_identifier() Wanted::Text;
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let Typed { inner, namespace, place } = self;
        inner.deserialize_option(Held { visitor, wanted: Wanted::Anything, namespace, place })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let Typed { inner, namespace, place } = self;
        let held = Held { visitor, wanted: Wanted::Anything, namespace, place };
        inner.deserialize_newtype_struct(name, held)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_ignored_any(visitor)
    }
}

/// A type's visitor, with what the type has asked for.
struct Held<'n, V> {
    visitor: V,
    wanted: Wanted,
    namespace: &'n str,
    place: Place,
}

impl<V> Held<'_, V> {
    /// What is wrong with a number, a text or a boolean, if it is not wanted here. `found` is its
    /// kind as AWS calls it.
    fn scalar<E: Error>(&self, found: &str) -> Result<(), E> {
        let to = |kind: &str| E::custom(format_args!("{found} cannot be converted to {kind}"));
        match (self.wanted, found) {
            (Wanted::Anything, _)
            | (Wanted::Text | Wanted::Bytes, "STRING_VALUE")
            | (Wanted::Boolean, "TRUE_VALUE" | "FALSE_VALUE")
            | (Wanted::Whole(_), "NUMBER_VALUE" | "DECIMAL_VALUE") => Ok(()),
            (Wanted::Text, _) => Err(to("String")),
            (Wanted::Boolean, "STRING_VALUE") => {
                Err(E::custom("Unexpected token received from parser"))
            }
            (Wanted::Boolean, _) => Err(to("Boolean")),
            (Wanted::Whole(kind), _) => Err(to(kind)),
            (Wanted::Bytes, _) => {
                Err(E::custom("only base-64-encoded strings are convertible to bytes"))
            }
            (Wanted::Structure(_), _) if self.place == Place::Element => {
                Err(E::custom("Unexpected value type in payload"))
            }
            (Wanted::List | Wanted::Map, _) if self.place == Place::Element => Err(E::custom(CAST)),
            (Wanted::List | Wanted::Map | Wanted::Structure(_), _) => {
                Err(E::custom("Unexpected field type"))
            }
        }
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Held<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<V::Value, E> {
        self.scalar(if value { "TRUE_VALUE" } else { "FALSE_VALUE" })?;
        self.visitor.visit_bool(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<V::Value, E> {
        self.scalar("NUMBER_VALUE")?;
        self.visitor.visit_i64(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<V::Value, E> {
        self.scalar("NUMBER_VALUE")?;
        self.visitor.visit_u64(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<V::Value, E> {
        self.scalar("DECIMAL_VALUE")?;
        match self.wanted {
            #[expect(clippy::cast_possible_truncation, reason = "what does not fit is clamped")]
            Wanted::Whole(_) => self.visitor.visit_i64(value.floor() as i64),
            _ => self.visitor.visit_f64(value),
        }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<V::Value, E> {
        if self.wanted == Wanted::Boolean
            && let Some(value) = boolean(value)
        {
            return self.visitor.visit_bool(value);
        }
        self.scalar("STRING_VALUE")?;
        self.visitor.visit_str(value)
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<V::Value, E> {
        if self.wanted == Wanted::Boolean {
            return self.visit_str(value);
        }
        self.scalar("STRING_VALUE")?;
        self.visitor.visit_borrowed_str(value)
    }

    fn visit_string<E: Error>(self, value: String) -> Result<V::Value, E> {
        if self.wanted == Wanted::Boolean {
            return self.visit_str(&value);
        }
        self.scalar("STRING_VALUE")?;
        self.visitor.visit_string(value)
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let Held { visitor, namespace, place, .. } = self;
        visitor.visit_some(Typed { inner, namespace, place })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let Held { visitor, namespace, place, .. } = self;
        visitor.visit_newtype_struct(Typed { inner, namespace, place })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let kind = match self.wanted {
            Wanted::Anything | Wanted::List => {
                return self.visitor.visit_seq(Elements { inner, namespace: self.namespace });
            }
            Wanted::Text => "class java.lang.String".to_owned(),
            Wanted::Boolean => "class java.lang.Boolean".to_owned(),
            Wanted::Whole(kind) => format!("class java.lang.{kind}"),
            Wanted::Bytes => "class java.nio.ByteBuffer".to_owned(),
            Wanted::Structure(name) => format!("class {}.{name}", self.namespace),
            Wanted::Map => map_of(self.visitor, self.namespace),
        };
        Err(A::Error::custom(format_args!("Unrecognized collection type {kind}")))
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let place = match self.wanted {
            Wanted::Anything | Wanted::Structure(_) => Place::Member,
            Wanted::Map => Place::Element,
            _ => return Err(A::Error::custom(NOT_HERE)),
        };
        self.visitor.visit_map(Members { inner, namespace: self.namespace, place })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(inner)
    }
}

/// The texts that AWS takes for booleans.
fn boolean(text: &str) -> Option<bool> {
    let is = |all: [&str; 3]| all.iter().any(|each| text.eq_ignore_ascii_case(each));
    match text {
        _ if is(["true", "1", "yes"]) => Some(true),
        _ if is(["false", "0", "no"]) => Some(false),
        _ => None,
    }
}

struct Elements<'n, A> {
    inner: A,
    namespace: &'n str,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let (namespace, place) = (self.namespace, Place::Element);
        self.inner.next_element_seed(Seed { seed, namespace, place })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

struct Members<'n, A> {
    inner: A,
    namespace: &'n str,
    place: Place,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let (namespace, place) = (self.namespace, self.place);
        self.inner.next_value_seed(Seed { seed, namespace, place })
    }
}

struct Seed<'n, S> {
    seed: S,
    namespace: &'n str,
    place: Place,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Seed<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        let Seed { seed, namespace, place } = self;
        seed.deserialize(Typed { inner, namespace, place })
    }
}

/// The name of a map's type, as Java has it.
fn map_of<'de, V: Visitor<'de>>(visitor: V, namespace: &str) -> String {
    let element = visitor.visit_map(One { namespace, given: false }).err();
    let element = element.map(|Name(name)| name).unwrap_or_default();
    format!("java.util.Map<java.lang.String, {element}>")
}

/// A list or a map of one element, which is there to ask for its type.
struct One<'n> {
    namespace: &'n str,
    given: bool,
}

impl<'de> MapAccess<'de> for One<'_> {
    type Error = Name;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Name> {
        match std::mem::replace(&mut self.given, true) {
            false => seed.deserialize(StrDeserializer::new("")).map(Some),
            true => Ok(None),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Name> {
        seed.deserialize(Asked { namespace: self.namespace })
    }
}

impl<'de> SeqAccess<'de> for One<'_> {
    type Error = Name;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Name> {
        seed.deserialize(Asked { namespace: self.namespace }).map(Some)
    }
}

/// Answers what a type asks for with the name of that type.
struct Asked<'n> {
    namespace: &'n str,
}

/// The name of a type. It travels as an error, since there is no value.
#[derive(Debug)]
struct Name(String);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Name {}

impl Error for Name {
    fn custom<T: fmt::Display>(name: T) -> Name {
        Name(name.to_string())
    }
}

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = Name;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Name> {
        Err(Name("java.lang.Object".to_owned()))
    }

    fn deserialize_str<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Name> {
        Err(Name("java.lang.String".to_owned()))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Name> {
        self.deserialize_str(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Name> {
        Err(Name(format!("{}.{name}", self.namespace)))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Name> {
        let one = One { namespace: self.namespace, given: false };
        visitor.visit_seq(one).map_err(|Name(name)| Name(format!("java.util.List<{name}>")))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Name> {
        Err(Name(map_of(visitor, self.namespace)))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Name> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Name> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct
        tuple tuple_struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests;
