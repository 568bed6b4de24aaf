//! Receipt handles: which receive of which message. Opaque to clients; the checksum binds one to
//! its queue and lets us tell what we never gave out.

use base::Arn;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::error::{Error, Result};

/// One receive of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handle {
    pub(crate) messages: u64,
    pub(crate) seq: u64,
    pub(crate) receipt: u64,
}

const BYTES: usize = 3 * 8 + 4;

impl Handle {
    /// The handle as clients see it.
    pub(crate) fn write(&self, queue: &Arn) -> String {
        let mut bytes = [0; BYTES];
        let numbers = [self.messages, self.seq, self.receipt];
        for (to, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            to.copy_from_slice(&number.to_be_bytes());
        }
        let sum = checksum(queue, &bytes[..24]);
        bytes[24..].copy_from_slice(&sum.to_be_bytes());
        BASE64_STANDARD.encode(bytes)
    }

    /// Reads a handle that was given out for this queue.
    pub(crate) fn read(queue: &Arn, text: Option<&str>) -> Result<Handle> {
        let text = text.ok_or(Error::MissingParameter("ReceiptHandle"))?;
        let invalid = || Error::ReceiptHandleIsInvalid(text.to_owned());
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| invalid())?;
        let bytes: [u8; BYTES] = bytes.try_into().map_err(|_| invalid())?;
        if bytes[24..] != checksum(queue, &bytes[..24]).to_be_bytes() {
            return Err(invalid());
        }
        let number = |at: usize| {
            bytes[at..at + 8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        let handle = Handle { messages: number(0), seq: number(8), receipt: number(16) };
        // It stands for no receive at all, so none was given out.
        if handle.receipt == 0 {
            return Err(invalid());
        }
        Ok(handle)
    }
}

fn checksum(queue: &Arn, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(queue.to_string().as_bytes()), bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_good_for_its_queue_only() {
        let queue: Arn = "arn:aws:sqs:us-east-1:000000000000:a".parse().unwrap();
        let other: Arn = "arn:aws:sqs:us-east-1:000000000000:b".parse().unwrap();
        let handle = Handle { messages: 1, seq: u64::MAX, receipt: 1 << 40 };
        let text = handle.write(&queue);
        assert_eq!(Handle::read(&queue, Some(&text)).unwrap(), handle);
        for wrong in ["", "nonsense", "Zm9v", &text[1..]] {
            assert!(Handle::read(&queue, Some(wrong)).is_err(), "{wrong}");
        }
        assert!(Handle::read(&other, Some(&text)).is_err());
        let never_received = Handle { receipt: 0, ..handle }.write(&queue);
        assert!(Handle::read(&queue, Some(&never_received)).is_err());
    }
}
