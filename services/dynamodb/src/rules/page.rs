//! What an item counts against the limit of a page.
//!
//! AWS documents 1 MB, and means the bytes of its own storage: names count one byte however long
//! they are, values carry their lengths, and every 3 KB of an item repeat its sort key.

/// An item stands in pieces of this many bytes, each with a head and the sort key.
const PIECE_BYTES: usize = 3_072;
const PIECE_HEAD_BYTES: usize = 18;
const ITEM_HEAD_BYTES: usize = 2;
/// Where the length of a text takes a second byte, and a third.
const SHORT_TEXT_BYTES: usize = 128;
const LONG_TEXT_BYTES: usize = 16_384;

/// The bytes an item counts whose attributes besides the sort key have so many;
/// [`crate::item::packed`] adds those up.
pub(crate) fn in_pieces(bytes: usize, sort_bytes: usize) -> usize {
    let pieces = 1 + (1 + bytes) / PIECE_BYTES;
    ITEM_HEAD_BYTES + bytes + pieces * (PIECE_HEAD_BYTES + sort_bytes)
}

/// What a text of so many bytes counts.
pub(crate) fn text_bytes(len: usize) -> usize {
    1 + len + usize::from(len >= SHORT_TEXT_BYTES) + usize::from(len >= LONG_TEXT_BYTES)
}

#[cfg(test)]
mod tests {
    use crate::item::encode;
    use crate::item::packed::Packed;
    use crate::value::{Given, Item};

    fn check(json: &str, sort: Option<&str>, wanted: usize) {
        let item = serde_json::from_str::<Given<Item>>(json).unwrap().checked().unwrap();
        let packed = Packed::new(encode(&item).into(), sort).unwrap();
        assert_eq!(packed.page_bytes, wanted, "{json}");
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
