use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Key, Result};

/// What is stored under a key: `[version u8][crc32c u32 little-endian][MessagePack, named fields]`.
///
/// Named fields let a record gain an optional field (`#[serde(default)]`) within a version. Any
/// other change is a new version, and `migrate` reads the old one.
pub trait Record: Serialize + DeserializeOwned {
    /// Grows with every incompatible change.
    const VERSION: u8;

    /// Reads the payload of an older version. The checksum has been verified.
    fn migrate(version: u8, payload: &[u8]) -> Result<Self> {
        let _unread = payload;
        Err(Error::corrupt("record", format!("version {version} is unknown to this program")))
    }
}

const HEADER_BYTES: usize = 5;

/// A record as bytes.
pub fn encode<R: Record>(record: &R) -> Result<Bytes> {
    let payload = rmp_serde::to_vec_named(record).map_err(|e| Error::corrupt("new record", e))?;
    let mut bytes = BytesMut::with_capacity(HEADER_BYTES + payload.len());
    bytes.put_u8(R::VERSION);
    bytes.put_u32_le(checksum(R::VERSION, &payload));
    bytes.put_slice(&payload);
    Ok(bytes.freeze())
}

/// A record from bytes. `key` is named in the error when they are not what was written.
pub fn decode<R: Record>(key: &Key, bytes: &[u8]) -> Result<R> {
    let corrupt = |why: String| Error::corrupt(key.to_string(), why);
    let Some(([version, crc @ ..], payload)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(corrupt(format!("{} bytes are too few", bytes.len())));
    };
    if u32::from_le_bytes(*crc) != checksum(*version, payload) {
        return Err(corrupt("its checksum does not match".into()));
    }
    if *version != R::VERSION {
        return R::migrate(*version, payload).map_err(|e| match e {
            Error::Corrupt { why, .. } => corrupt(why),
            other => other,
        });
    }
    rmp_serde::from_slice(payload).map_err(|e| corrupt(e.to_string()))
}

fn checksum(version: u8, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&[version]), payload)
}
