//! What every batch must be.

use std::collections::HashSet;

use crate::api::Entry;
use crate::error::{Error, Result};

const ENTRIES_MAX: usize = 10;
const ID_CHARS_MAX: usize = 80;

/// The entries of a batch with their ids, which are well formed and distinct.
pub(crate) fn check<T: Entry>(entries: Vec<T>) -> Result<Vec<(String, T)>> {
    if entries.is_empty() {
        return Err(Error::EmptyBatchRequest(T::KIND));
    }
    if entries.len() > ENTRIES_MAX {
        return Err(Error::TooManyEntries { max: ENTRIES_MAX, sent: entries.len() });
    }
    let mut seen = HashSet::new();
    let mut named = Vec::with_capacity(entries.len());
    for entry in entries {
        let id = entry.id().ok_or(Error::MissingParameter("Id"))?.to_owned();
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if id.is_empty() || id.len() > ID_CHARS_MAX || !id.chars().all(allowed) {
            return Err(Error::InvalidBatchEntryId);
        }
        if !seen.insert(id.clone()) {
            return Err(Error::IdsNotDistinct(id));
        }
        named.push((id, entry));
    }
    Ok(named)
}
