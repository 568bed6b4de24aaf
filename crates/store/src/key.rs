use std::fmt;

use base::AccountId;
use bytes::{BufMut as _, Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

use crate::engine::KEY_BYTES_MAX;
use crate::{Error, Result};

/// Room kept behind a long element, so that what follows it still fits into a key.
const TAIL_BYTES: usize = 160;
const DIGEST_BYTES: usize = 32;
const ACCOUNT_BYTES: usize = 12;

/// Where one service keeps its keys within one account.
#[derive(Debug, Clone)]
pub struct Space(Bytes);

impl Space {
    /// The keys of a service. The account comes first: it is the shard.
    pub fn new(account: &AccountId, service: &str) -> Space {
        let mut bytes = BytesMut::with_capacity(64);
        bytes.put_slice(account.as_str().as_bytes());
        put_escaped(&mut bytes, service.as_bytes());
        Space(bytes.freeze())
    }

    /// Starts a key of one kind. Kinds are numbered per service and never reused.
    pub fn key(&self, kind: u8) -> Key {
        let mut bytes = BytesMut::with_capacity(self.0.len() + 96);
        bytes.put_slice(&self.0);
        bytes.put_u8(kind);
        Key(bytes.freeze())
    }
}

/// A tuple as bytes, whose order is the order of the tuples.
///
/// Layout: account (12 digits), service (text), kind (u8), then the elements. Text and bytes are
/// escaped (`00` → `00 FF`) and end with `00 00`; numbers are big-endian. Elements carry no type:
/// all keys of a kind have the same shape. A key whose elements stop early is the prefix of all
/// keys that go on from there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Bytes);

impl Key {
    /// Adds text.
    pub fn str(self, text: &str) -> Key {
        self.bytes(text.as_bytes())
    }

    /// Adds bytes, ordered as bytes are. An element that would leave less than 160 bytes of the
    /// key free is cut and ends with its SHA-256: still unique and still a prefix, but ordered
    /// among its like only by what was kept. Where one element may be that long and a later one
    /// must keep its order, use [`Key::digest`] for the first.
    pub fn bytes(self, element: &[u8]) -> Key {
        let mut bytes = BytesMut::from(self.0);
        let before = bytes.len();
        put_escaped(&mut bytes, element);
        let room = KEY_BYTES_MAX.saturating_sub(before + TAIL_BYTES);
        if bytes.len() - before > room {
            bytes.truncate(before + room.saturating_sub(DIGEST_BYTES));
            bytes.put_slice(&Sha256::digest(element));
        }
        Key(bytes.freeze())
    }

    /// Adds the SHA-256 of bytes: for elements that are only ever compared for equality.
    pub fn digest(self, element: &[u8]) -> Key {
        let mut bytes = BytesMut::from(self.0);
        bytes.put_slice(&Sha256::digest(element));
        Key(bytes.freeze())
    }

    /// Adds a number.
    pub fn u64(self, number: u64) -> Key {
        let mut bytes = BytesMut::from(self.0);
        bytes.put_u64(number);
        Key(bytes.freeze())
    }

    /// Adds one byte, such as a flag or a sub-kind.
    pub fn u8(self, number: u8) -> Key {
        let mut bytes = BytesMut::from(self.0);
        bytes.put_u8(number);
        Key(bytes.freeze())
    }

    /// The prefix of all keys of an account.
    pub(crate) fn of_account(account: &AccountId) -> Key {
        Key(Bytes::copy_from_slice(account.as_str().as_bytes()))
    }

    /// The account it belongs to.
    pub(crate) fn account(&self) -> Result<AccountId> {
        let digits = self.0.get(..ACCOUNT_BYTES).unwrap_or_default();
        let digits = String::from_utf8_lossy(digits);
        digits.parse().map_err(|error| Error::corrupt(self.to_string(), error))
    }

    /// All keys that begin with this one, itself included.
    pub fn prefix(&self) -> KeyRange {
        KeyRange { start: self.clone(), end: self.end() }
    }

    /// The first key that does not begin with this one.
    fn end(&self) -> Key {
        let mut bytes = BytesMut::from(&self.0[..]);
        while let Some(last) = bytes.last_mut() {
            if *last < u8::MAX {
                *last += 1;
                break;
            }
            bytes.truncate(bytes.len() - 1);
        }
        Key(bytes.freeze())
    }

    /// The smallest key larger than this one.
    pub fn successor(&self) -> Key {
        self.clone().u8(0)
    }

    /// Reads the elements that follow `prefix`; `Corrupt` if this key is not below it.
    pub fn after(&self, prefix: &Key) -> Result<Elements> {
        if !self.0.starts_with(&prefix.0) {
            return Err(Error::corrupt(self.to_string(), "not below the prefix it is read by"));
        }
        Ok(Elements { key: self.clone(), at: prefix.len() })
    }

    /// The bytes as stored.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// A key as an engine gives it back.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Key {
        Key(bytes.into())
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes, which no stored key has.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the key lies in the account's shard.
    pub fn belongs_to(&self, account: &AccountId) -> bool {
        self.0.starts_with(account.as_str().as_bytes())
    }
}

impl std::borrow::Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// Names the account, the service and the kind; the elements may be a user's secrets.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = self.0.get(..ACCOUNT_BYTES).unwrap_or_default();
        let rest = self.0.get(ACCOUNT_BYTES..).unwrap_or_default();
        let service = rest.split(|byte| *byte == 0).next().unwrap_or_default();
        let kind = rest.get(service.len() + 2).copied().unwrap_or_default();
        let text = String::from_utf8_lossy;
        write!(f, "record of {} kind {kind} in account {}", text(service), text(account))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.0.escape_ascii())
    }
}

/// Reads a key's elements, one after the other, in the order they were added.
pub struct Elements {
    key: Key,
    at: usize,
}

impl Elements {
    /// The next element, a number.
    pub fn u64(&mut self) -> Result<u64> {
        let array = self.take(8)?.first_chunk::<8>().copied().unwrap_or_default();
        Ok(u64::from_be_bytes(array))
    }

    /// The next element, one byte.
    pub fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }

    /// The next element, text.
    pub fn str(&mut self) -> Result<String> {
        let key = self.key.clone();
        String::from_utf8(self.bytes()?).map_err(|e| Error::corrupt(key.to_string(), e))
    }

    /// The next element, bytes. One that was cut for its length cannot be read back.
    pub fn bytes(&mut self) -> Result<Vec<u8>> {
        let mut element = Vec::new();
        loop {
            match self.take(1)?.first() {
                Some(0) => match self.take(1)?.first() {
                    Some(0xFF) => element.push(0),
                    Some(0) => return Ok(element),
                    _ => return Err(self.corrupt()),
                },
                Some(byte) => element.push(*byte),
                None => return Err(self.corrupt()),
            }
        }
    }

    fn take(&mut self, len: usize) -> Result<&[u8]> {
        let from = self.at;
        self.at += len;
        match self.key.0.get(from..self.at) {
            Some(bytes) => Ok(bytes),
            None => Err(Error::corrupt(self.key.to_string(), "key ends inside an element")),
        }
    }

    fn corrupt(&self) -> Error {
        Error::corrupt(self.key.to_string(), "key has a bad escape")
    }
}

/// Keys from `start` on, up to but without `end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    pub start: Key,
    pub end: Key,
}

impl KeyRange {
    /// Exactly from one key up to, without, another.
    pub fn new(start: Key, end: Key) -> KeyRange {
        KeyRange { start, end }
    }

    /// The part at and behind a key.
    pub fn from(self, key: Key) -> KeyRange {
        KeyRange { start: self.start.max(key), end: self.end }
    }

    /// The part behind a key: the next page of a forward scan.
    pub fn after(self, key: &Key) -> KeyRange {
        self.from(key.successor())
    }

    /// The part before a key: the next page of a backward scan.
    pub fn before(self, key: Key) -> KeyRange {
        KeyRange { start: self.start, end: self.end.min(key) }
    }

    /// The part up to and including a key and all keys that begin with it.
    pub fn through(self, key: &Key) -> KeyRange {
        self.before(key.end())
    }

    /// Whether no key can lie in it.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// Whether a key lies in it.
    pub fn contains(&self, key: &Key) -> bool {
        self.start <= *key && *key < self.end
    }
}

fn put_escaped(bytes: &mut BytesMut, element: &[u8]) {
    for byte in element {
        bytes.put_u8(*byte);
        if *byte == 0 {
            bytes.put_u8(0xFF);
        }
    }
    bytes.put_slice(&[0, 0]);
}
