//! Names of groups and streams.

use crate::error::{Error, Result};

const NAME_CHARS_MAX: usize = 512;

/// A group's name, or an error that says what it may be.
pub(crate) fn group(member: &str, name: Option<&str>) -> Result<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-/.#".contains(c);
    checked(member, name, r"[\.\-_/#A-Za-z0-9]+", allowed)
}

/// A stream's name, or an error that says what it may be.
pub(crate) fn stream(name: Option<&str>) -> Result<String> {
    checked("logStreamName", name, "[^:*]*", |c| c != ':' && c != '*')
}

fn checked(
    member: &str,
    name: Option<&str>,
    pattern: &str,
    allowed: impl Fn(char) -> bool,
) -> Result<String> {
    let name = name.ok_or_else(|| Error::missing(member))?;
    if name.is_empty() {
        let must = "Member must have length greater than or equal to 1";
        return Err(Error::constraint(member, name, must));
    }
    if name.chars().count() > NAME_CHARS_MAX {
        let must = "Member must have length less than or equal to 512";
        return Err(Error::constraint(member, name, must));
    }
    if !name.chars().all(allowed) {
        let must = format!("Member must satisfy regular expression pattern: {pattern}");
        return Err(Error::constraint(member, name, &must));
    }
    Ok(name.to_owned())
}

/// The group's name in an identifier: a name, or an ARN with or without `:*`.
pub(crate) fn of_identifier(identifier: &str) -> &str {
    let after = identifier.split_once(":log-group:").map_or(identifier, |(_, name)| name);
    after.strip_suffix(":*").unwrap_or(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_a_name_or_an_arn() {
        for identifier in
            ["/a/b", "arn:aws:logs:r:0:log-group:/a/b", "arn:aws:logs:r:0:log-group:/a/b:*"]
        {
            assert_eq!(of_identifier(identifier), "/a/b");
        }
    }

    #[test]
    fn names_have_their_characters_and_length() {
        assert_eq!(group("x", Some("/aws/lambda/a-b_c.d#1")).unwrap(), "/aws/lambda/a-b_c.d#1");
        assert_eq!(stream(Some("2026/11/21/[$LATEST]ab")).unwrap(), "2026/11/21/[$LATEST]ab");
        for bad in ["", "a b", "a:b", "é", &"x".repeat(513)] {
            assert!(group("x", Some(bad)).is_err(), "{bad}");
        }
        assert!(stream(Some("a:b")).is_err());
        assert!(stream(None).is_err());
    }
}
