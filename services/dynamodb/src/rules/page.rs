//! What an item counts against the limit of a page.
//!
//! AWS documents 1 MB, and means the bytes of its own storage: names count one byte however long
//! they are, values carry their lengths, and every 3 KB of an item repeat its sort key.

use crate::data::Schema;
use crate::value::{Item, Value};

/// An item stands in pieces of this many bytes, each with a head and the sort key.
const PIECE_BYTES: usize = 3_072;
const PIECE_HEAD_BYTES: usize = 18;
const ITEM_HEAD_BYTES: usize = 2;
/// Where the length of a text takes a second byte, and a third.
const SHORT_TEXT_BYTES: usize = 128;
const LONG_TEXT_BYTES: usize = 16_384;

/// The bytes an item counts.
pub(crate) fn page_bytes(schema: &Schema, item: &Item) -> usize {
    let sort = schema.sort.as_ref().map(|sort| sort.name.as_str());
    let sort_bytes = sort.and_then(|name| item.get(name)).map_or(0, Value::size);
    let others = item.iter().filter(|(name, _)| Some(name.as_str()) != sort);
    let bytes: usize = others.map(|(_, value)| 1 + stored_bytes(value)).sum();
    let pieces = 1 + (1 + bytes) / PIECE_BYTES;
    ITEM_HEAD_BYTES + bytes + pieces * (PIECE_HEAD_BYTES + sort_bytes)
}

fn stored_bytes(value: &Value) -> usize {
    match value {
        Value::S(text) => {
            let longer = [SHORT_TEXT_BYTES, LONG_TEXT_BYTES].map(|bytes| text.len() >= bytes);
            1 + text.len() + longer.iter().filter(|is| **is).count()
        }
        Value::N(_) | Value::B(_) => 1 + value.size(),
        Value::Ss(set) => 1 + set.len() + value.size(),
        Value::Ns(set) => 1 + set.len() + value.size(),
        Value::Bs(set) => 1 + set.len() + value.size(),
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::L(list) => 3 + list.iter().map(|each| 1 + stored_bytes(each)).sum::<usize>(),
        Value::M(map) => 3 + map.values().map(|each| 2 + stored_bytes(each)).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Attribute;
    use crate::value::Given;

    fn check(json: &str, sort: Option<&str>, wanted: usize) {
        let attribute = |name: &str| Attribute { name: name.to_owned(), kind: "S".to_owned() };
        let schema = Schema { partition: attribute("a"), sort: sort.map(attribute) };
        let item = serde_json::from_str::<Given<Item>>(json).unwrap().checked().unwrap();
        assert_eq!(page_bytes(&schema, &item), wanted, "{json}");
    }

    #[test]
    fn names_are_short_and_lengths_count() {
        check(r#"{"a":{"S":"00"}}"#, None, 2 + (1 + 2 + 1) + 18);
        check(
            r#"{"a":{"S":"00"},"long":{"BOOL":true},"n":{"NULL":true}}"#,
            None,
            2 + 4 + 2 + 1 + 18,
        );
        check(r#"{"a":{"S":"00"},"b":{"S":"1234"}}"#, Some("b"), 2 + 4 + (18 + 4));
        let text = "x".repeat(3_072);
        check(&format!(r#"{{"a":{{"S":"{text}"}}}}"#), None, 2 + (1 + 3_072 + 2) + 2 * 18);
        let members = r#"{"a":{"M":{"k":{"L":[{"N":"1"}]},"l":{"SS":["x","yz"]}}}}"#;
        check(members, None, 2 + 1 + 3 + (2 + 3 + 1 + 1 + 2) + (2 + 1 + 2 + 3) + 18);
    }
}
