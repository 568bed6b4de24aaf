//! What is remembered of transactions that were done under a `ClientRequestToken`.

use base::{AccountId, Region, Time};
use bytes::Bytes;
use delivery::Ticket;
use serde::{Deserialize, Serialize};
use store::{Key, Record};

use crate::data::space;

const KIND_TOKEN: u8 = 20;

/// A transaction that was done under a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Token {
    /// SHA-256 of what the request asked for.
    pub(crate) digest: [u8; 32],
    pub(crate) done: Time,
    /// Takes the record away.
    pub(crate) forget: Ticket,
}

impl Record for Token {
    const VERSION: u8 = 1;
}

/// The due work of a token: to be forgotten.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Forget {
    /// Where the token's record is.
    pub(crate) key: Bytes,
}

impl Record for Forget {
    const VERSION: u8 = 1;
}

pub(crate) fn token_key(account: &AccountId, region: &Region, token: &str) -> Key {
    space(account).key(KIND_TOKEN).str(region.as_str()).str(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What version 1 wrote. These bytes are on disks, so they must stay readable.
    const OLD_TOKEN: &str = "017bb5a7f183a6646967657374dc0020010101010101010101010101010101010101010\
        1010101010101010101010101a4646f6e65cd03e8a6666f7267657482a3647565ce00092ba8a66e756d62657207";
    const OLD_FORGET: &str = "01306fd7e281a36b6579c4036b6579";

    fn check<R: Record + PartialEq + std::fmt::Debug>(record: &R, old: &str) {
        let bytes = store::encode(record).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, old);
        let key = token_key(&"000000000000".parse().unwrap(), &"r".parse().unwrap(), "t");
        let bytes: Vec<u8> = (0..old.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&old[at..at + 2], 16).unwrap())
            .collect();
        assert_eq!(store::decode::<R>(&key, &bytes).unwrap(), *record);
    }

    #[test]
    fn old_records_are_read() {
        let forget = Ticket { due: Time::from_millis(601_000), number: 7 };
        check(&Token { digest: [1; 32], done: Time::from_millis(1_000), forget }, OLD_TOKEN);
        check(&Forget { key: Bytes::from_static(b"key") }, OLD_FORGET);
    }
}
