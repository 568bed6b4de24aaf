//! What an operation does with each member of its input, found by asking its type: the input is
//! decoded from a request that has just that member, with a value no type accepts.

use std::cell::Cell;
use std::fmt;

use serde::de::value::{MapDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, Expected, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};

use crate::unserved;

/// Members an input may require; a type that goes on asking is not one we can ask.
const REQUIRED_MAX: usize = 64;
/// A name that no member has: only an input that takes everything takes it.
const NOBODY: Step = Step::Member("\u{1}");
/// Bytes that are neither text nor anything else.
const POISON: &[u8] = &[0xff];

/// What becomes of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The input has it.
    Read,
    /// The input has it as [`unserved::Unserved`]: a request with it is refused by name.
    Refused,
    /// The input takes whatever there is, by any name.
    Taken,
    /// The input does not know it: it is accepted and ignored.
    Ignored,
}

/// A step from an input to one of its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// Into a structure, by the name on the wire.
    Member(&'a str),
    /// Into a list.
    Element,
    /// Into a map.
    Entry,
}

/// Decodes an input from a question: the generic shim before all that follows.
pub(crate) type Shape = fn(&Question) -> Result<(), Fault>;

pub(crate) fn shape<I: DeserializeOwned>(question: &Question) -> Result<(), Fault> {
    I::deserialize(Input(question)).map(drop)
}

/// What becomes of the member at the end of the path; `None` if the input demands what we cannot
/// make up.
pub(crate) fn fate(shape: Shape, path: &[Step]) -> Option<Fate> {
    let required = required(shape)?;
    match ask(shape, &required, path) {
        Answer::Fate(fate) => Some(fate),
        Answer::Captured => {
            let mut nobody = path.to_vec();
            *nobody.last_mut()? = NOBODY;
            Some(match ask(shape, &required, &nobody) {
                Answer::Captured => Fate::Taken,
                Answer::Fate(_) => Fate::Read,
            })
        }
    }
}

enum Answer {
    Fate(Fate),
    /// Read without asking for a type, as a flattened structure does, and one that takes all.
    Captured,
}

fn ask(shape: Shape, required: &[&'static str], path: &[Step]) -> Answer {
    let question = Question { path, required, asked: Cell::new(false) };
    match shape(&question) {
        Err(Fault::Refused) => Answer::Fate(Fate::Refused),
        // Another member is missing only after this one was found to be none of its business.
        Ok(()) | Err(Fault::Missing(_)) if !question.asked.get() => Answer::Fate(Fate::Ignored),
        Err(Fault::Wrong) if !question.asked.get() => Answer::Captured,
        Ok(()) | Err(Fault::Missing(_) | Fault::Wrong) => Answer::Fate(Fate::Read),
    }
}

/// The members without which there is no input, each given some value.
fn required(shape: Shape) -> Option<Vec<&'static str>> {
    let mut required = Vec::new();
    while required.len() < REQUIRED_MAX {
        let question = Question { path: &[], required: &required, asked: Cell::new(false) };
        match shape(&question) {
            Ok(()) => return Some(required),
            Err(Fault::Missing(name)) => required.push(name),
            Err(Fault::Refused | Fault::Wrong) => return None,
        }
    }
    None
}

/// A request with one member that no type accepts, and those without which there is no input.
pub(crate) struct Question<'a> {
    path: &'a [Step<'a>],
    required: &'a [&'static str],
    /// Whether the member was asked for by a type.
    asked: Cell<bool>,
}

/// Why an input could not be decoded, as far as it tells something about the member.
#[derive(Debug)]
pub(crate) enum Fault {
    Missing(&'static str),
    Refused,
    Wrong,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(_: T) -> Fault {
        Fault::Wrong
    }

    fn missing_field(name: &'static str) -> Fault {
        Fault::Missing(name)
    }

    fn invalid_type(_: de::Unexpected, expected: &dyn Expected) -> Fault {
        if expected.to_string() == unserved::EXPECTED { Fault::Refused } else { Fault::Wrong }
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Fault {
        Fault::Refused
    }
}

/// The whole request.
struct Input<'a>(&'a Question<'a>);

impl<'de> Deserializer<'de> for Input<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let question = self.0;
        let member = match question.path.split_first() {
            Some((Step::Member(name), rest)) => Some((*name, rest)),
            _ => None,
        };
        let required = question.required.iter();
        let required = required.filter(|name| member.is_none_or(|(given, _)| given != **name));
        let given = member.map(|(name, rest)| (name, Place::Path { question, rest }));
        let all = given.into_iter().chain(required.map(|name| (*name, Place::Made)));
        visitor.visit_map(MapDeserializer::new(all))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

/// A value in a request.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// On the way to the member asked about, or that member.
    Path { question: &'a Question<'a>, rest: &'a [Step<'a>] },
    /// A required member, with the simplest value its type takes.
    Made,
}

impl de::IntoDeserializer<'_, Fault> for Place<'_> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

/// What a type asks for, and what it gets in a place made up.
macro_rules! typed {
    ($($method:ident($($argument:ident: $type:ty),*) $visit:ident $value:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(
            self, $($argument: $type,)* visitor: V,
        ) -> Result<V::Value, Fault> {
            match self {
                Place::Made => visitor.$visit($value),
                Place::Path { .. } => self.typed().deserialize_any(visitor),
            }
        }
    )*};
}

fn nothing<'a>() -> MapDeserializer<'a, std::iter::Empty<(&'a str, Place<'a>)>, Fault> {
    MapDeserializer::new(std::iter::empty())
}

fn no_elements<'a>() -> de::value::SeqDeserializer<std::iter::Empty<Place<'a>>, Fault> {
    de::value::SeqDeserializer::new(std::iter::empty())
}

impl Place<'_> {
    /// The same, known to be asked for by a type.
    fn typed(self) -> Self {
        if let Place::Path { question, rest: [] } = self {
            question.asked.set(true);
        }
        self
    }
}

impl<'de> Deserializer<'de> for Place<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Place::Path { question, rest } = self else { return visitor.visit_unit() };
        let Some((step, rest)) = rest.split_first() else { return visitor.visit_bytes(POISON) };
        let inner = Place::Path { question, rest };
        match step {
            Step::Member(name) => {
                visitor.visit_map(MapDeserializer::new([(*name, inner)].into_iter()))
            }
            Step::Entry => visitor.visit_map(MapDeserializer::new([("name", inner)].into_iter())),
            Step::Element => {
                visitor.visit_seq(de::value::SeqDeserializer::new([inner].into_iter()))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Place::Made => visitor.visit_none(),
            Place::Path { .. } => visitor.visit_some(self.typed()),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    typed! {
        deserialize_bool() visit_bool false;
        deserialize_i8() visit_i8 0;
        deserialize_i16() visit_i16 0;
        deserialize_i32() visit_i32 0;
        deserialize_i64() visit_i64 0;
        deserialize_u8() visit_u8 0;
        deserialize_u16() visit_u16 0;
        deserialize_u32() visit_u32 0;
        deserialize_u64() visit_u64 0;
        deserialize_f32() visit_f32 0.0;
        deserialize_f64() visit_f64 0.0;
        deserialize_char() visit_char ' ';
        deserialize_str() visit_str "";
        deserialize_string() visit_str "";
        deserialize_bytes() visit_bytes b"";
        deserialize_byte_buf() visit_bytes b"";
        deserialize_identifier() visit_str "";
        deserialize_seq() visit_seq no_elements();
        deserialize_tuple(_len: usize) visit_seq no_elements();
        deserialize_tuple_struct(_name: &'static str, _len: usize) visit_seq no_elements();
        deserialize_map() visit_map nothing();
        deserialize_struct(_name: &'static str, _fields: &'static [&'static str])
            visit_map nothing();
        deserialize_enum(_name: &'static str, _variants: &'static [&'static str])
            visit_enum StrDeserializer::new("");
    }

    forward_to_deserialize_any! { i128 u128 unit unit_struct }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::{Map, Value};

    use super::*;
    use crate::unserved::Unserved;

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    #[expect(dead_code, reason = "only decoded")]
    struct Plain {
        name: String,
        size: Option<u32>,
        #[serde(default)]
        tags: BTreeMap<String, Vec<Inner>>,
        any: Option<Value>,
        refused: Unserved,
        #[serde(flatten)]
        flat: Flat,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    #[expect(dead_code, reason = "only decoded")]
    struct Flat {
        flat_text: Option<String>,
        flat_refused: Unserved,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    #[expect(dead_code, reason = "only decoded")]
    struct Inner {
        key: String,
        nested_refused: Unserved,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only decoded")]
    struct Greedy {
        mode: Option<String>,
        #[serde(flatten)]
        body: Map<String, Value>,
    }

    fn check<I: DeserializeOwned>(path: &[Step], expected: Fate) {
        assert_eq!(fate(shape::<I>, path), Some(expected), "{path:?}");
    }

    #[test]
    fn each_member_has_its_fate() {
        for (name, expected) in [
            ("Name", Fate::Read),
            ("Size", Fate::Read),
            ("Tags", Fate::Read),
            ("Any", Fate::Read),
            ("FlatText", Fate::Read),
            ("Refused", Fate::Refused),
            ("FlatRefused", Fate::Refused),
            ("size", Fate::Ignored),
            ("Flat", Fate::Ignored),
        ] {
            check::<Plain>(&[Step::Member(name)], expected);
        }
    }

    #[test]
    fn members_within_members_are_found() {
        let of = |name| [Step::Member("Tags"), Step::Entry, Step::Element, Step::Member(name)];
        check::<Plain>(&of("Key"), Fate::Read);
        check::<Plain>(&of("NestedRefused"), Fate::Refused);
        check::<Plain>(&of("Value"), Fate::Ignored);
        check::<Plain>(&[Step::Member("Any"), Step::Member("x")], Fate::Taken);
    }

    #[test]
    fn what_takes_everything_says_so() {
        check::<Greedy>(&[Step::Member("mode")], Fate::Read);
        check::<Greedy>(&[Step::Member("failonwarnings")], Fate::Taken);
    }
}
