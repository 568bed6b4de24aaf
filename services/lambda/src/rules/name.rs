//! The names of functions and of what belongs to them, in every form AWS knows.

use base::{AccountId, Region};

use crate::data::{LATEST, Place, Qualifier, Target, Version};
use crate::error::Error;

const NAME_CHARS_MAX: usize = 64;
const NAME_PATTERN: &str = "[a-zA-Z0-9-_]+";
const QUALIFIER_CHARS_MAX: usize = 128;
const QUALIFIER_PATTERN: &str = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+";
const ALIAS_PATTERN: &str = "(?!^[0-9]+$)([a-zA-Z0-9-_]+)";

/// The function a caller means: its name, part of its ARN, or all of it, with or without a
/// qualifier, which may also stand apart.
pub(crate) fn target(
    account: &AccountId,
    region: &Region,
    given: &str,
    qualifier: Option<&str>,
) -> Result<Target, Error> {
    let invalid = || {
        let must = format!("Member must satisfy regular expression pattern: {NAME_PATTERN}");
        Error::constraint("functionName", given, &must)
    };
    let parts: Vec<&str> = given.split(':').collect();
    let (owner, rest) = match parts.as_slice() {
        ["arn", _, "lambda", region, account, "function", rest @ ..] => {
            (Some((Some(*region), *account)), rest)
        }
        [account, "function", rest @ ..] => (Some((None, *account)), rest),
        ["function", rest @ ..] => (None, rest),
        rest => (None, rest),
    };
    let (name, own) = match rest {
        [name] => (*name, None),
        [name, qualifier] => (*name, Some(*qualifier)),
        _ => return Err(invalid()),
    };
    if !is_word(name) {
        return Err(invalid());
    }
    let place = Place { account: account.clone(), region: region.clone(), name: name.to_owned() };
    if let (Some(own), Some(given)) = (own, qualifier)
        && own != given
    {
        return Err(Error::parameter(
            "The derived qualifier from the function name does not match the specified qualifier.",
        ));
    }
    let mut arn = place.arn();
    let reachable = owner.is_none_or(|(owner_region, owner)| {
        let same_region = owner_region.is_none_or(|r| r == region.as_str());
        arn.region = owner_region.unwrap_or(region.as_str()).to_owned();
        arn.account = owner.to_owned();
        same_region && owner == account.as_str()
    });
    let Some(text) = own.or(qualifier) else {
        let target = Target { place, qualifier: None };
        return if reachable { Ok(target) } else { Err(Error::NoFunction(Box::new(arn))) };
    };
    let qualifier = parse_qualifier(text)?;
    arn.resource = format!("{}:{text}", arn.resource);
    let none = || Error::NoFunction(Box::new(arn));
    let qualifier = Some(qualifier.filter(|_| reachable).ok_or_else(none)?);
    Ok(Target { place, qualifier })
}

/// A qualifier; nothing if it names what cannot be.
fn parse_qualifier(text: &str) -> Result<Option<Qualifier>, Error> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-_$".contains(&b);
    if text.is_empty() || text.len() > QUALIFIER_CHARS_MAX || !text.bytes().all(legal) {
        let must = format!("Member must satisfy regular expression pattern: {QUALIFIER_PATTERN}");
        return Err(Error::constraint("qualifier", text, &must));
    }
    if text == LATEST {
        return Ok(Some(Qualifier::Version(Version::Latest)));
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        let number = text.parse().ok().filter(|_| !text.starts_with('0'));
        return Ok(number.map(|number| Qualifier::Version(Version::Number(number))));
    }
    Ok((!text.contains('$')).then(|| Qualifier::Alias(text.to_owned())))
}

/// A name that may be given to a new function.
pub(crate) fn check_new(name: &str) -> Result<(), Error> {
    if name.len() > NAME_CHARS_MAX {
        let must = format!("Member must have length less than or equal to {NAME_CHARS_MAX}");
        return Err(Error::constraint("functionName", name, &must));
    }
    Ok(())
}

/// A name that may be given to an alias.
pub(crate) fn check_alias(name: &str) -> Result<(), Error> {
    if name.len() > QUALIFIER_CHARS_MAX {
        let must = format!("Member must have length less than or equal to {QUALIFIER_CHARS_MAX}");
        return Err(Error::constraint("name", name, &must));
    }
    if !is_word(name) || name.bytes().all(|b| b.is_ascii_digit()) {
        let must = format!("Member must satisfy regular expression pattern: {ALIAS_PATTERN}");
        return Err(Error::constraint("name", name, &must));
    }
    Ok(())
}

/// `$LATEST` or a number, as a member of a request.
pub(crate) fn version(member: &str, text: &str) -> Result<Version, Error> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let canonical = digits && !text.starts_with('0') || text == LATEST;
    text.parse().ok().filter(|_| canonical).ok_or_else(|| {
        let must = r"Member must satisfy regular expression pattern: (\$LATEST|[0-9]+)";
        Error::constraint(member, text, must)
    })
}

/// Letters, digits, `-` and `_`.
pub(crate) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> AccountId {
        "000000000000".parse().unwrap()
    }

    fn region() -> Region {
        "us-east-1".parse().unwrap()
    }

    #[test]
    fn a_function_is_named_in_every_form_aws_knows() {
        for text in [
            "pay",
            "function:pay",
            "000000000000:function:pay",
            "arn:aws:lambda:us-east-1:000000000000:function:pay",
        ] {
            for qualifier in ["", ":$LATEST", ":7", ":live"] {
                let given = format!("{text}{qualifier}");
                let found = target(&account(), &region(), &given, None).unwrap();
                assert_eq!(found.place.name, "pay", "{given}");
                let own = found.qualifier.map(|own| format!(":{own}")).unwrap_or_default();
                assert_eq!(own, qualifier, "{given}");
            }
        }
        let apart = target(&account(), &region(), "pay:live", Some("live")).unwrap();
        assert_eq!(apart.arn().resource, "function:pay:live");
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        let check = |text: &str, qualifier: Option<&str>, expected: &str| {
            let error = target(&account(), &region(), text, qualifier).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        let pattern = "failed to satisfy constraint: Member must satisfy regular expression \
                       pattern: [a-zA-Z0-9-_]+";
        for text in ["", "a b", "a:b:c", "a/b", "é", "arn:aws:sqs:us-east-1:000000000000:pay"] {
            let value = format!("1 validation error detected: Value '{text}' at 'functionName'");
            check(text, None, &format!("{value} {pattern}"));
        }
        let arn = "Function not found: arn:aws:lambda";
        let elsewhere = "arn:aws:lambda:eu-west-1:000000000000:function:pay";
        check(elsewhere, None, &format!("{arn}:eu-west-1:000000000000:function:pay"));
        let other = "111111111111:function:pay:3";
        check(other, None, &format!("{arn}:us-east-1:111111111111:function:pay:3"));
        for odd in ["0", "007", "99999999999999999999", "$LATE"] {
            let own = format!("{arn}:us-east-1:000000000000:function:pay:{odd}");
            check("pay", Some(odd), &own);
        }
        let derived = "The derived qualifier from the function name does not match the specified \
                       qualifier.";
        check("pay:$LATEST", Some("live"), derived);
        let error = target(&account(), &region(), "pay", Some("a b")).unwrap_err();
        assert!(error.to_string().contains("Value 'a b' at 'qualifier'"), "{error}");
    }

    #[test]
    fn an_alias_is_not_a_number() {
        assert!(check_alias("live-2").is_ok());
        for name in ["7", "", "a b", "$LATEST", &"a".repeat(129)] {
            assert!(check_alias(name).is_err(), "{name}");
        }
        assert_eq!(version("v", "$LATEST").unwrap(), Version::Latest);
        assert_eq!(version("v", "3").unwrap(), Version::Number(3));
        for text in ["0", "+1", "live", ""] {
            assert!(version("v", text).is_err(), "{text}");
        }
    }
}
