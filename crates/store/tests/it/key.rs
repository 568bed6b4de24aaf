//! The order of keys is the order of tuples.

use base::AccountId;
use proptest::prelude::*;
use store::{KEY_BYTES_MAX, Key, Space};

use crate::prefix;

/// Bytes that meet the escapes often.
fn element() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(
        prop_oneof![Just(0u8), Just(1), Just(0xFE), Just(0xFF), any::<u8>()],
        0..6,
    )
}

fn tuple() -> impl Strategy<Value = (Vec<u8>, u64, String)> {
    (element(), prop_oneof![0..3u64, Just(u64::MAX), any::<u64>()], "[\0-\u{1}a-b]{0,3}")
}

fn encode((bytes, number, text): &(Vec<u8>, u64, String)) -> Key {
    prefix().bytes(bytes).u64(*number).str(text)
}

proptest! {
    #[test]
    fn encoding_keeps_the_order_of_tuples(one in tuple(), two in tuple()) {
        prop_assert_eq!(encode(&one).cmp(&encode(&two)), one.cmp(&two));
    }

    #[test]
    fn elements_are_read_back(tuple in tuple()) {
        let mut elements = encode(&tuple).after(&prefix()).unwrap();
        let read = (elements.bytes().unwrap(), elements.u64().unwrap(), elements.str().unwrap());
        prop_assert_eq!(read, tuple);
    }

    #[test]
    fn a_prefix_covers_exactly_the_keys_that_go_on_from_it(one in tuple(), two in tuple()) {
        let range = prefix().bytes(&one.0).prefix();
        prop_assert_eq!(range.contains(&encode(&two)), one.0 == two.0);
    }

    #[test]
    fn nothing_lies_between_a_key_and_its_successor(one in tuple(), two in tuple()) {
        let (one, two) = (encode(&one), encode(&two));
        prop_assert_eq!(two > one, two >= one.successor());
    }

    #[test]
    fn long_elements_fit_stay_unique_and_stay_prefixes(
        len in 900usize..3000, other in 900usize..3000, tail in "[a-z]{0,30}"
    ) {
        let key = |len: usize| prefix().str(&"x".repeat(len));
        let whole = key(len).str(&tail).u64(1);
        prop_assert!(whole.len() <= KEY_BYTES_MAX);
        prop_assert!(key(len).prefix().contains(&whole));
        prop_assert_eq!(key(len) == key(other), len == other);
    }
}

#[test]
fn several_long_elements_fit() {
    let long = "y".repeat(2048);
    let key = prefix().str(&long).str(&long).str(&long).u64(1);
    assert!(key.len() <= KEY_BYTES_MAX, "{}", key.len());
}

#[test]
fn ranges_are_cut_by_keys() {
    let range = prefix().prefix();
    let (ten, twenty) = (prefix().u64(10), prefix().u64(20));
    let contains = |range: store::KeyRange| {
        [ten.clone(), ten.clone().str("x"), twenty.clone()].map(|key| range.contains(&key))
    };
    assert_eq!(contains(range.clone().from(ten.clone())), [true, true, true]);
    assert_eq!(contains(range.clone().after(&ten)), [false, true, true]);
    assert_eq!(contains(range.clone().before(twenty.clone())), [true, true, false]);
    assert_eq!(contains(range.clone().through(&ten)), [true, true, false]);
    let last = Key::from_bytes(vec![1, 0xFF, 0xFF]).prefix();
    assert_eq!(last.end, Key::from_bytes(vec![2]));
}

#[test]
fn accounts_and_services_do_not_overlap() {
    let account = |text: &str| text.parse::<AccountId>().unwrap();
    let one = Space::new(&account("000000000001"), "sqs").key(1);
    let two = Space::new(&account("000000000002"), "sqs").key(1);
    assert!(one.belongs_to(&account("000000000001")) && !two.belongs_to(&account("000000000001")));
    let longer = Space::new(&account("000000000001"), "sqsx").key(1);
    assert!(!one.prefix().contains(&longer));
    assert_eq!(one.to_string(), "record of sqs kind 1 in account 000000000001");
}
