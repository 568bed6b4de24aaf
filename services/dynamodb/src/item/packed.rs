//! Items that go from the store into a reply as they are: measured and written as JSON without
//! making values of them.

use std::cell::Cell;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::ser::{Error as _, Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use crate::item::{
    DEPTH_MAX, Malformed, Reader, TAG_B, TAG_BS, TAG_FALSE, TAG_L, TAG_M, TAG_N, TAG_NS, TAG_NULL,
    TAG_S, TAG_SS, TAG_TRUE, decode,
};
use crate::rules::page::{in_pieces, text_bytes};
use crate::value::{Item, document_bytes};

/// An item's stored bytes, found to be whole.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Packed {
    bytes: Bytes,
    /// What it counts in capacity, as [`crate::value::size`] has it.
    pub(crate) size: usize,
    /// What it counts in a page.
    pub(crate) page_bytes: usize,
}

impl Packed {
    /// Measures an item. `sort` is the name of its table's sort key.
    pub(crate) fn new(bytes: Bytes, sort: Option<&str>) -> Result<Packed, Malformed> {
        let mut reader = Reader { bytes: &bytes };
        let (mut size, mut others, mut sort_bytes) = (0, 0, 0);
        for _ in 0..reader.len()? {
            let name = reader.content()?;
            let value = measure(&mut reader, 0)?;
            size += name.len() + value.size;
            if sort.is_some_and(|sort| sort.as_bytes() == name) {
                sort_bytes = value.size;
            } else {
                others += 1 + value.page_bytes;
            }
        }
        if !reader.bytes.is_empty() {
            return Err(Malformed);
        }
        Ok(Packed { bytes, size, page_bytes: in_pieces(others, sort_bytes) })
    }

    /// The item as values.
    pub(crate) fn item(&self) -> Result<Item, Malformed> {
        decode(&self.bytes)
    }
}

/// An item in a reply: as values where it was looked at, else as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Item(Item),
    Packed(Packed),
}

impl Answer {
    /// The item as values.
    pub(crate) fn into_item(self) -> Result<Item, Malformed> {
        match self {
            Answer::Item(item) => Ok(item),
            Answer::Packed(packed) => packed.item(),
        }
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Answer::Item(item) => item.serialize(serializer),
            Answer::Packed(packed) => packed.serialize(serializer),
        }
    }
}

impl Serialize for Packed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Members(&Cell::new(&self.bytes)).serialize(serializer)
    }
}

/// What a value counts.
#[derive(Default)]
struct Measure {
    size: usize,
    page_bytes: usize,
}

fn measure(reader: &mut Reader<'_>, depth: usize) -> Result<Measure, Malformed> {
    if depth > DEPTH_MAX {
        return Err(Malformed);
    }
    let of = |size, page_bytes| Measure { size, page_bytes };
    Ok(match reader.byte()? {
        TAG_S => {
            let len = reader.content()?.len();
            of(len, text_bytes(len))
        }
        TAG_N => {
            let size = reader.number()?.size();
            of(size, 1 + size)
        }
        TAG_B => {
            let len = reader.content()?.len();
            of(len, 1 + len)
        }
        TAG_FALSE | TAG_TRUE => of(1, 1),
        TAG_NULL => of(1, 0),
        TAG_M => members(reader, depth, 2, |reader| Ok(reader.content()?.len()))?,
        TAG_L => members(reader, depth, 1, |_| Ok(0))?,
        TAG_SS | TAG_BS => set(reader, |reader| Ok(reader.content()?.len()))?,
        TAG_NS => set(reader, |reader| Ok(reader.number()?.size()))?,
        _ => return Err(Malformed),
    })
}

/// What a map or a list counts, each member with so much of a page besides itself.
fn members(
    reader: &mut Reader<'_>,
    depth: usize,
    page_bytes_each: usize,
    name: impl Fn(&mut Reader<'_>) -> Result<usize, Malformed>,
) -> Result<Measure, Malformed> {
    let count = reader.len()?;
    let mut all = Measure { size: document_bytes(count), page_bytes: 3 };
    for _ in 0..count {
        all.size += name(reader)?;
        let member = measure(reader, depth + 1)?;
        all.size += member.size;
        all.page_bytes += page_bytes_each + member.page_bytes;
    }
    Ok(all)
}

fn set(
    reader: &mut Reader<'_>,
    member: impl Fn(&mut Reader<'_>) -> Result<usize, Malformed>,
) -> Result<Measure, Malformed> {
    let count = reader.len()?;
    let mut size = 0;
    for _ in 0..count {
        size += member(reader)?;
    }
    Ok(Measure { size, page_bytes: 1 + count + size })
}

/// Where the next value is read, by one writer after the other.
type Place<'a> = Cell<&'a [u8]>;

/// Reads on from a place.
fn read<'a, T, E: serde::ser::Error>(
    place: &Place<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<T, E> {
    let mut reader = Reader { bytes: place.get() };
    let found = read(&mut reader).map_err(E::custom)?;
    place.set(reader.bytes);
    Ok(found)
}

fn text<'a, E: serde::ser::Error>(place: &Place<'a>) -> Result<&'a str, E> {
    std::str::from_utf8(read(place, Reader::content)?).map_err(|_| E::custom(Malformed))
}

/// Attributes by name.
struct Members<'p, 'a>(&'p Place<'a>);

impl Serialize for Members<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let count = read(self.0, Reader::len)?;
        let mut map = serializer.serialize_map(Some(count))?;
        for _ in 0..count {
            map.serialize_key(text(self.0)?)?;
            map.serialize_value(&Next(self.0))?;
        }
        map.end()
    }
}

/// One value with its type.
struct Next<'p, 'a>(&'p Place<'a>);

impl Serialize for Next<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = self.0;
        let mut map = serializer.serialize_map(Some(1))?;
        match read(place, Reader::byte)? {
            TAG_S => map.serialize_entry("S", text(place)?)?,
            TAG_N => map.serialize_entry("N", &Number(place))?,
            TAG_B => map.serialize_entry("B", &Binary(place))?,
            TAG_FALSE => map.serialize_entry("BOOL", &false)?,
            TAG_TRUE => map.serialize_entry("BOOL", &true)?,
            TAG_NULL => map.serialize_entry("NULL", &true)?,
            TAG_M => map.serialize_entry("M", &Members(place))?,
            TAG_L => map.serialize_entry("L", &List(place, Next))?,
            TAG_SS => map.serialize_entry("SS", &List(place, Text))?,
            TAG_NS => map.serialize_entry("NS", &List(place, Number))?,
            TAG_BS => map.serialize_entry("BS", &List(place, Binary))?,
            _ => return Err(S::Error::custom(Malformed)),
        }
        map.end()
    }
}

/// Members that are each written by the same.
struct List<'p, 'a, T>(&'p Place<'a>, fn(&'p Place<'a>) -> T);

impl<T: Serialize> Serialize for List<'_, '_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let List(place, member) = self;
        let count = read(place, Reader::len)?;
        let mut list = serializer.serialize_seq(Some(count))?;
        for _ in 0..count {
            list.serialize_element(&member(place))?;
        }
        list.end()
    }
}

struct Text<'p, 'a>(&'p Place<'a>);

impl Serialize for Text<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text(self.0)?)
    }
}

struct Number<'p, 'a>(&'p Place<'a>);

impl Serialize for Number<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&read(self.0, Reader::number)?)
    }
}

struct Binary<'p, 'a>(&'p Place<'a>);

impl Serialize for Binary<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(read(self.0, Reader::content)?, &STANDARD))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::item::{encode, strategy};
    use crate::value::size;

    proptest! {
        #[test]
        fn it_is_measured_and_written_as_the_item_is(item in strategy::item()) {
            let packed = Packed::new(encode(&item).into(), None).unwrap();
            prop_assert_eq!(packed.size, size(&item));
            let json = serde_json::to_string(&packed).unwrap();
            prop_assert_eq!(json, serde_json::to_string(&item).unwrap());
            prop_assert_eq!(packed.item(), Ok(item));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(packed) = Packed::new(bytes.into(), None) {
                let _either = serde_json::to_string(&packed);
            }
        }

        #[test]
        fn a_cut_item_is_malformed(item in strategy::item(), cut in any::<prop::sample::Index>()) {
            let bytes = encode(&item);
            let cut = cut.index(bytes.len());
            prop_assert_eq!(Packed::new(bytes[..cut].to_vec().into(), None), Err(Malformed));
        }
    }
}
