//! What tags may be.

use std::collections::BTreeMap;

use crate::api::table::Tag;
use crate::error::Error;

pub(crate) const TAGS_MAX: usize = 50;
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;

/// The tags of a request, all of them or none.
pub(crate) fn tags(given: &[Tag]) -> Result<BTreeMap<String, String>, Error> {
    let mut tags = BTreeMap::new();
    for tag in given {
        let key = key(tag.key.as_deref())?;
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(Error::validation(format!(
                "Tag Key cannot be prefixed with aws:, Key: {key}"
            )));
        }
        let value = tag.value.as_deref();
        let fits = |value: &&str| value.chars().count() <= VALUE_CHARS_MAX && is_plain(value);
        let value = value.filter(fits).ok_or_else(|| {
            let value = value.unwrap_or("null");
            Error::validation(format!("The Tag Value provided is invalid, Value: {value}"))
        })?;
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(Error::validation(format!(
                "Duplicate Tag Keys provided as input: Duplicate Tag Key found {key}"
            )));
        }
    }
    check_count(tags.len())?;
    Ok(tags)
}

/// The key of a tag.
pub(crate) fn key(given: Option<&str>) -> Result<&str, Error> {
    let fits = |key: &&str| (1..=KEY_CHARS_MAX).contains(&key.chars().count()) && is_plain(key);
    given.filter(fits).ok_or_else(|| {
        let key = given.unwrap_or("null");
        Error::validation(format!("The Tag Key provided is invalid, Key: {key}"))
    })
}

/// Whether a resource may have so many tags.
pub(crate) fn check_count(count: usize) -> Result<(), Error> {
    if count > TAGS_MAX {
        return Err(Error::validation(
            "Number of Tags exceed the current limit for the provided ResourceArn",
        ));
    }
    Ok(())
}

fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "+-=._:/@".contains(c))
}
