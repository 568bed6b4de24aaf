//! Messages of `application/vnd.amazon.eventstream`, as a service sends them.
//!
//! ```text
//! length u32 | length of headers u32 | CRC-32 of both | headers | payload | CRC-32 of all before
//! header: length of name u8 | name | 7, for text | length of value u16 | value
//! ```
//!
//! Numbers are big-endian. It is written here because all of it fits on a page, and the crate for
//! it (`aws-smithy-eventstream`) brings a dozen others.

use bytes::{BufMut as _, Bytes, BytesMut};

/// What a response of this kind has as its content type.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";
/// The largest payload that every SDK takes.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

const PRELUDE_BYTES: usize = 12;
const CRC_BYTES: usize = 4;
/// The type of a header's value.
const TEXT: u8 = 7;

/// One event: its name, the type of its payload where it has one, and the payload.
///
/// # Panics
/// If the payload is larger than [`PAYLOAD_BYTES_MAX`].
pub fn event(name: &str, content_type: Option<&str>, payload: &[u8]) -> Bytes {
    assert!(payload.len() <= PAYLOAD_BYTES_MAX, "the caller splits what is larger");
    let mut headers = BytesMut::new();
    let content_type = content_type.map(|value| (":content-type", value));
    for (name, value) in
        [(":message-type", "event"), (":event-type", name)].into_iter().chain(content_type)
    {
        headers.put_u8(u8::try_from(name.len()).expect("names are those above"));
        headers.put_slice(name.as_bytes());
        headers.put_u8(TEXT);
        headers.put_u16(u16::try_from(value.len()).expect("values are written in the source"));
        headers.put_slice(value.as_bytes());
    }
    let bytes = PRELUDE_BYTES + headers.len() + payload.len() + CRC_BYTES;
    let number = |length: usize| u32::try_from(length).expect("far below 4 GB, as asserted");
    let mut message = BytesMut::with_capacity(bytes);
    message.put_u32(number(bytes));
    message.put_u32(number(headers.len()));
    message.put_u32(crc32fast::hash(&message));
    message.put_slice(&headers);
    message.put_slice(payload);
    message.put_u32(crc32fast::hash(&message));
    message.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As botocore's decoder checks it byte by byte; the SDKs' own tests are in `tests/sdk`.
    #[test]
    fn an_event_is_laid_out_as_the_picture_says() {
        let message = event("A", Some("b"), b"{}");
        let (prelude, rest) = message.split_at(PRELUDE_BYTES);
        let (rest, crc) = rest.split_at(rest.len() - CRC_BYTES);
        assert_eq!(prelude[..4], u32::try_from(message.len()).unwrap().to_be_bytes());
        assert_eq!(prelude[8..], crc32fast::hash(&prelude[..8]).to_be_bytes());
        assert_eq!(crc, crc32fast::hash(&message[..message.len() - CRC_BYTES]).to_be_bytes());
        let (headers, payload) = rest.split_at(rest.len() - 2);
        assert_eq!(prelude[4..8], u32::try_from(headers.len()).unwrap().to_be_bytes());
        assert_eq!(
            headers,
            b"\x0d:message-type\x07\0\x05event\x0b:event-type\x07\0\x01A\x0d:content-type\x07\0\x01b"
        );
        assert_eq!(payload, b"{}");
    }
}
