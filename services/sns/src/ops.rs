//! The operations, a file per noun.

pub(crate) mod message;
pub(crate) mod subscription;
pub(crate) mod tag;
pub(crate) mod topic;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use store::{Dir, Key};

use crate::error::{Error, Result};
use crate::topics::Topics;

/// Entries in one answer of a listing.
const PAGE: usize = 100;

/// One page of the entries below a prefix, and where to go on. The token is the last key given,
/// as far as it is below the prefix.
async fn page(
    topics: &Topics,
    prefix: &Key,
    token: Option<&str>,
) -> Result<(Vec<(Key, Bytes)>, Option<String>)> {
    let mut range = prefix.prefix();
    if let Some(token) = token.filter(|token| !token.is_empty()) {
        let tail = BASE64_URL_SAFE_NO_PAD.decode(token);
        let tail = tail.map_err(|_| Error::parameter("NextToken"))?;
        range = range.after(&Key::from_bytes([prefix.as_bytes().as_ref(), &tail].concat()));
    }
    let mut entries = topics.store().scan(range, Dir::Forward, PAGE + 1).await?;
    if entries.len() <= PAGE {
        return Ok((entries, None));
    }
    entries.truncate(PAGE);
    let last = entries.last().map(|(key, _)| &key.as_bytes()[prefix.len()..]);
    Ok((entries.clone(), last.map(|tail| BASE64_URL_SAFE_NO_PAD.encode(tail))))
}
