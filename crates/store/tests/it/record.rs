//! Records survive the round trip, the years, and damage.

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use store::{Body, Error, Record, Result, decode, encode};

use crate::key;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Order {
    id: String,
    total: u64,
    note: Option<String>,
    body: Body,
}

impl Record for Order {
    const VERSION: u8 = 2;
    fn migrate(version: u8, payload: &[u8]) -> Result<Order> {
        #[derive(Deserialize)]
        struct V1 {
            id: String,
        }
        let corrupt = |e: String| Error::corrupt("order", e);
        match version {
            1 => {
                let V1 { id } =
                    rmp_serde::from_slice(payload).map_err(|e| corrupt(e.to_string()))?;
                Ok(Order { id, total: 0, note: None, body: Body::Inline(Default::default()) })
            }
            other => Err(corrupt(format!("version {other} is unknown"))),
        }
    }
}

/// `{"id": "order-7"}` as version 1 wrote it.
const OLD: &[u8] = b"\x01\xc2\xbc\xfd\x5b\x81\xa2id\xa7order-7";
/// An order of version 2 with every field.
const PRESENT: &[u8] = b"\x02U\"\x1f\x8c\x84\xa2id\xa7order-8\xa5total\xcd\x10h\xa4note\xa4soon\
    \xa4body\x81\xa6Inline\xc4\x03\x00\x01\xff";

fn order() -> Order {
    let body = Body::Inline(vec![0, 1, 255].into());
    Order { id: "order-8".into(), total: 4200, note: Some("soon".into()), body }
}

#[test]
fn old_bytes_are_read() {
    let read: Order = decode(&key(1), OLD).unwrap();
    assert_eq!((read.id.as_str(), read.total), ("order-7", 0));
}

#[test]
fn present_bytes_do_not_change() {
    assert_eq!(
        encode(&order()).unwrap().escape_ascii().to_string(),
        PRESENT.escape_ascii().to_string()
    );
    assert_eq!(decode::<Order>(&key(1), PRESENT).unwrap(), order());
}

#[test]
fn a_version_of_the_future_is_refused_by_number() {
    #[derive(Serialize, Deserialize)]
    struct Later;
    impl Record for Later {
        const VERSION: u8 = 9;
    }
    let bytes = encode(&Later).unwrap();
    let message = decode::<Order>(&key(1), &bytes).unwrap_err().to_string();
    assert!(message.contains("test kind 1") && message.contains("version 9"), "{message}");
}

#[test]
fn bytes_that_are_no_record_are_corrupt() {
    for bytes in [&b""[..], b"\x02", b"\x02\0\0\0\0", b"\x02\0\0\0\0junk"] {
        assert!(matches!(decode::<Order>(&key(1), bytes), Err(Error::Corrupt { .. })));
    }
}

proptest! {
    #[test]
    fn records_survive_the_round_trip(
        id in ".*", total: u64, note: Option<String>, body: Vec<u8>
    ) {
        let order = Order { id, total, note, body: Body::Inline(body.into()) };
        let read: Order = decode(&key(1), &encode(&order).unwrap()).unwrap();
        prop_assert_eq!(read, order);
    }
}
