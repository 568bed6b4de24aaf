//! Values as XML needs them: unlike JSON it tells maps from structures. This is a serde format
//! that keeps the difference.

use serde::ser::{self, Error as _, Serialize};

use crate::EncodeError;
use crate::values::EPOCH;

/// A value on its way to XML.
#[derive(Debug, PartialEq)]
pub(crate) enum Tree {
    Nothing,
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
    Structure(Vec<(String, Tree)>),
}

/// Turns any serializable value into a tree.
pub(crate) fn of<T: Serialize + ?Sized>(value: &T) -> Result<Tree, EncodeError> {
    value.serialize(Builder)
}

struct Builder;

macro_rules! texts {
    ($($method:ident $type:ty)*) => {$(
        fn $method(self, value: $type) -> Result<Tree, EncodeError> {
            Ok(Tree::Text(value.to_string()))
        }
    )*};
}

impl ser::Serializer for Builder {
    type Ok = Tree;
    type Error = EncodeError;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = ser::Impossible<Tree, EncodeError>;
    type SerializeMap = Pairs;
    type SerializeStruct = Members;
    type SerializeStructVariant = ser::Impossible<Tree, EncodeError>;

    texts! {
        serialize_bool bool serialize_i8 i8 serialize_i16 i16 serialize_i32 i32 serialize_i64 i64
        serialize_u8 u8 serialize_u16 u16 serialize_u32 u32 serialize_u64 u64 serialize_f32 f32
        serialize_f64 f64 serialize_char char serialize_str &str
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<Tree, EncodeError> {
        Err(EncodeError::custom("bytes are written as wire::Blob"))
    }
    fn serialize_none(self) -> Result<Tree, EncodeError> {
        Ok(Tree::Nothing)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Tree, EncodeError> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<Tree, EncodeError> {
        Ok(Tree::Nothing)
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<Tree, EncodeError> {
        Ok(Tree::Nothing)
    }
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Tree, EncodeError> {
        Ok(Tree::Text(variant.to_owned()))
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Tree, EncodeError> {
        match value.serialize(self)? {
            Tree::Text(seconds) if name == EPOCH => Ok(Tree::Text(iso_8601(&seconds))),
            tree => Ok(tree),
        }
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Tree, EncodeError> {
        Ok(Tree::Structure(vec![(variant.to_owned(), of(value)?)]))
    }
    fn serialize_seq(self, len: Option<usize>) -> Result<Items, EncodeError> {
        Ok(Items(Vec::with_capacity(len.unwrap_or(0))))
    }
    fn serialize_tuple(self, len: usize) -> Result<Items, EncodeError> {
        self.serialize_seq(Some(len))
    }
    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Items, EncodeError> {
        self.serialize_seq(Some(len))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, EncodeError> {
        Err(EncodeError::custom("no shape of AWS has such a value"))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Pairs, EncodeError> {
        Ok(Pairs { pairs: Vec::new(), key: None })
    }
    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Members, EncodeError> {
        Ok(Members(Vec::with_capacity(len)))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, EncodeError> {
        Err(EncodeError::custom("no shape of AWS has such a value"))
    }
}

/// Seconds with a fraction as `2026-11-21T08:00:00.000Z`.
fn iso_8601(seconds: &str) -> String {
    let millis = seconds.parse::<f64>().unwrap_or_default() * 1000.0;
    // Ours are Times: whole milliseconds, far inside the range of i64.
    #[expect(clippy::cast_possible_truncation, reason = "a Time in milliseconds")]
    let time = jiff::Timestamp::from_millisecond(millis.round() as i64).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

pub(crate) struct Items(Vec<Tree>);
impl ser::SerializeSeq for Items {
    type Ok = Tree;
    type Error = EncodeError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.0.push(of(value)?);
        Ok(())
    }
    fn end(self) -> Result<Tree, EncodeError> {
        Ok(Tree::List(self.0))
    }
}
impl ser::SerializeTuple for Items {
    type Ok = Tree;
    type Error = EncodeError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        ser::SerializeSeq::serialize_element(self, value)
    }
    fn end(self) -> Result<Tree, EncodeError> {
        ser::SerializeSeq::end(self)
    }
}
impl ser::SerializeTupleStruct for Items {
    type Ok = Tree;
    type Error = EncodeError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        ser::SerializeSeq::serialize_element(self, value)
    }
    fn end(self) -> Result<Tree, EncodeError> {
        ser::SerializeSeq::end(self)
    }
}

pub(crate) struct Pairs {
    pairs: Vec<(String, Tree)>,
    key: Option<String>,
}
impl ser::SerializeMap for Pairs {
    type Ok = Tree;
    type Error = EncodeError;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        match of(key)? {
            Tree::Text(key) => self.key = Some(key),
            _ => return Err(EncodeError::custom("keys are text")),
        }
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        let key = self.key.take().ok_or_else(|| EncodeError::custom("a value before its key"))?;
        self.pairs.push((key, of(value)?));
        Ok(())
    }
    fn end(self) -> Result<Tree, EncodeError> {
        Ok(Tree::Map(self.pairs))
    }
}

pub(crate) struct Members(Vec<(String, Tree)>);
impl ser::SerializeStruct for Members {
    type Ok = Tree;
    type Error = EncodeError;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        self.0.push((name.to_owned(), of(value)?));
        Ok(())
    }
    fn end(self) -> Result<Tree, EncodeError> {
        Ok(Tree::Structure(self.0))
    }
}
