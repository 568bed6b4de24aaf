//! Items as stored bytes: small tagged fields, read back without a schema.
//!
//! Layout: the number of attributes, then each name and value. Counts and lengths are LEB128
//! integers; a value is a tag and its content. Tags persist, so they must never change meaning.

pub(crate) mod packed;

use std::collections::BTreeSet;

use crate::number::Number;
use crate::value::{Item, Value};

/// How large an item may be, names included.
pub(crate) const ITEM_BYTES_MAX: usize = 400 * 1024;

const TAG_S: u8 = 1;
const TAG_N: u8 = 2;
const TAG_B: u8 = 3;
const TAG_FALSE: u8 = 4;
const TAG_TRUE: u8 = 5;
const TAG_NULL: u8 = 6;
const TAG_M: u8 = 7;
const TAG_L: u8 = 8;
const TAG_SS: u8 = 9;
const TAG_NS: u8 = 10;
const TAG_BS: u8 = 11;

/// In a number's length byte: it is negative.
const NEGATIVE: u8 = 0x80;
/// Deeper than any item we have written: bytes that say so are not ours.
const DEPTH_MAX: usize = 40;

/// Bytes that are not an item.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("stored bytes are not an item")]
pub(crate) struct Malformed;

/// An item as bytes.
pub(crate) fn encode(item: &Item) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    put_item(&mut bytes, item);
    bytes
}

/// An item from bytes.
pub(crate) fn decode(bytes: &[u8]) -> Result<Item, Malformed> {
    let mut reader = Reader { bytes };
    let item = reader.item(0)?;
    if reader.bytes.is_empty() { Ok(item) } else { Err(Malformed) }
}

fn put_item(bytes: &mut Vec<u8>, item: &Item) {
    put_len(bytes, item.len());
    for (name, value) in item {
        put_bytes(bytes, name.as_bytes());
        put_value(bytes, value);
    }
}

fn put_value(bytes: &mut Vec<u8>, value: &Value) {
    match value {
        Value::S(text) => {
            bytes.push(TAG_S);
            put_bytes(bytes, text.as_bytes());
        }
        Value::N(number) => {
            bytes.push(TAG_N);
            put_number(bytes, number);
        }
        Value::B(content) => {
            bytes.push(TAG_B);
            put_bytes(bytes, content);
        }
        Value::Bool(false) => bytes.push(TAG_FALSE),
        Value::Bool(true) => bytes.push(TAG_TRUE),
        Value::Null => bytes.push(TAG_NULL),
        Value::M(map) => {
            bytes.push(TAG_M);
            put_item(bytes, map);
        }
        Value::L(list) => put_all(bytes, TAG_L, list, put_value),
        Value::Ss(set) => put_all(bytes, TAG_SS, set, |bytes, text| {
            put_bytes(bytes, text.as_bytes());
        }),
        Value::Ns(set) => put_all(bytes, TAG_NS, set, put_number),
        Value::Bs(set) => put_all(bytes, TAG_BS, set, |bytes, member| put_bytes(bytes, member)),
    }
}

fn put_all<'a, T: 'a, I>(bytes: &mut Vec<u8>, tag: u8, all: I, put: impl Fn(&mut Vec<u8>, &'a T))
where
    I: IntoIterator<Item = &'a T, IntoIter: ExactSizeIterator>,
{
    let all = all.into_iter();
    bytes.push(tag);
    put_len(bytes, all.len());
    all.for_each(|member| put(bytes, member));
}

/// Length and sign in one byte, the exponent zigzagged, the mantissa's bytes from the lowest on.
fn put_number(bytes: &mut Vec<u8>, number: &Number) {
    let (negative, mantissa, exponent) = number.parts();
    let content = mantissa.to_le_bytes();
    let used = content.len() - usize::try_from(mantissa.leading_zeros() / 8).unwrap_or(0);
    let len = u8::try_from(used).unwrap_or(u8::MAX);
    bytes.push(if negative { len | NEGATIVE } else { len });
    let zigzag = (exponent << 1) ^ (exponent >> 31);
    put_len(bytes, usize::try_from(zigzag.cast_unsigned()).unwrap_or(0));
    bytes.extend_from_slice(&content[..used]);
}

fn put_bytes(bytes: &mut Vec<u8>, content: &[u8]) {
    put_len(bytes, content.len());
    bytes.extend_from_slice(content);
}

fn put_len(bytes: &mut Vec<u8>, mut len: usize) {
    loop {
        let low = u8::try_from(len & 0x7F).unwrap_or(0);
        len >>= 7;
        if len == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn item(&mut self, depth: usize) -> Result<Item, Malformed> {
        let count = self.len()?;
        (0..count).map(|_| Ok((self.text()?, self.value(depth)?))).collect()
    }

    fn value(&mut self, depth: usize) -> Result<Value, Malformed> {
        if depth > DEPTH_MAX {
            return Err(Malformed);
        }
        Ok(match self.byte()? {
            TAG_S => Value::S(self.text()?),
            TAG_N => Value::N(self.number()?),
            TAG_B => Value::B(self.content()?.to_vec()),
            TAG_FALSE => Value::Bool(false),
            TAG_TRUE => Value::Bool(true),
            TAG_NULL => Value::Null,
            TAG_M => Value::M(self.item(depth + 1)?),
            TAG_L => {
                let count = self.len()?;
                Value::L((0..count).map(|_| self.value(depth + 1)).collect::<Result<_, _>>()?)
            }
            TAG_SS => Value::Ss(self.set(Reader::text)?),
            TAG_NS => Value::Ns(self.set(Reader::number)?),
            TAG_BS => Value::Bs(self.set(|reader| reader.content().map(<[u8]>::to_vec))?),
            _ => return Err(Malformed),
        })
    }

    fn set<T: Ord>(
        &mut self,
        read: impl Fn(&mut Reader<'a>) -> Result<T, Malformed>,
    ) -> Result<BTreeSet<T>, Malformed> {
        let count = self.len()?;
        (0..count).map(|_| read(self)).collect()
    }

    fn number(&mut self) -> Result<Number, Malformed> {
        let head = self.byte()?;
        let zigzag = u32::try_from(self.len()?).map_err(|_| Malformed)?;
        let exponent = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
        let content = self.take(usize::from(head & !NEGATIVE))?;
        let mut mantissa = [0; 16];
        mantissa.get_mut(..content.len()).ok_or(Malformed)?.copy_from_slice(content);
        let mantissa = u128::from_le_bytes(mantissa);
        Number::from_parts(head & NEGATIVE != 0, mantissa, exponent).ok_or(Malformed)
    }

    fn text(&mut self) -> Result<String, Malformed> {
        std::str::from_utf8(self.content()?).map(str::to_owned).map_err(|_| Malformed)
    }

    fn content(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.len()?;
        self.take(len)
    }

    fn len(&mut self) -> Result<usize, Malformed> {
        let mut len = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            len |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(len);
            }
        }
        Err(Malformed)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.bytes.split_first().ok_or(Malformed)?;
        self.bytes = rest;
        Ok(*first)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or(Malformed)?;
        self.bytes = rest;
        Ok(taken)
    }
}

/// Items for property tests, here and elsewhere in the crate.
#[cfg(test)]
pub(crate) mod strategy {
    use proptest::collection::{btree_map, btree_set, vec};
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn number() -> impl Strategy<Value = Number> {
        let digits = prop_oneof![0u128..300, any::<u128>().prop_map(|m| m % 10u128.pow(38))];
        (any::<bool>(), digits, -125i32..80).prop_filter_map("normal", |(minus, digits, e)| {
            let sign = if minus { "-" } else { "" };
            format!("{sign}{digits}e{e}").parse().ok()
        })
    }

    pub(crate) fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            ".{0,8}".prop_map(Value::S),
            number().prop_map(Value::N),
            vec(any::<u8>(), 0..8).prop_map(Value::B),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Null),
            btree_set(".{0,4}", 1..4).prop_map(Value::Ss),
            btree_set(number(), 1..4).prop_map(Value::Ns),
            btree_set(vec(any::<u8>(), 0..4), 1..4).prop_map(Value::Bs),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::L),
                btree_map("[a-d]{1,2}", inner, 0..4).prop_map(Value::M),
            ]
        })
    }

    pub(crate) fn item() -> impl Strategy<Value = Item> {
        btree_map("[a-d]{1,2}", value(), 0..6)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::Given;

    /// What version 1 wrote. These bytes are on disks, so they must stay readable.
    const OLD: &[u8] = b"\x06\
        \x01b\x03\x02\x00\xff\
        \x01l\x08\x02\x05\x06\
        \x01m\x07\x01\x01x\x04\
        \x01n\x02\x81\x01\x0f\
        \x01s\x01\x03abc\
        \x03set\x0a\x02\x81\x00\x01\x01\x04\x01";

    #[test]
    fn old_bytes_are_read_and_written() {
        let json = r#"{"b":{"B":"AP8="},"l":{"L":[{"BOOL":true},{"NULL":true}]},
            "m":{"M":{"x":{"BOOL":false}}},"n":{"N":"-1.5"},"s":{"S":"abc"},
            "set":{"NS":["-1","100"]}}"#;
        let item = serde_json::from_str::<Given<Item>>(json).unwrap().checked().unwrap();
        assert_eq!(decode(OLD), Ok(item.clone()));
        assert_eq!(encode(&item), OLD);
    }

    proptest! {
        #[test]
        fn items_come_back_from_bytes_and_from_json(item in strategy::item()) {
            prop_assert_eq!(decode(&encode(&item)), Ok(item.clone()));
            let json = serde_json::to_string(&item).unwrap();
            let read = serde_json::from_str::<Given<Item>>(&json).unwrap().checked();
            prop_assert_eq!(read, Ok(item));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _either = decode(&bytes);
        }

        #[test]
        fn a_cut_item_is_malformed(item in strategy::item(), cut in any::<prop::sample::Index>()) {
            let bytes = encode(&item);
            let cut = cut.index(bytes.len());
            prop_assert_eq!(decode(&bytes[..cut]), Err(Malformed));
        }
    }
}
