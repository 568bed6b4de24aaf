use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A name that does not have the form its kind demands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{value}' is not a valid {kind}")]
pub struct InvalidName {
    /// What it should have been: "account id", "region", "ARN".
    pub kind: &'static str,
    /// What was given.
    pub value: String,
}

fn invalid(kind: &'static str, value: &str) -> InvalidName {
    InvalidName { kind, value: value.to_owned() }
}

macro_rules! string_name {
    ($type:ident, $valid:expr, $kind:literal) => {
        impl FromStr for $type {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                if $valid(text) { Ok(Self(text.into())) } else { Err(invalid($kind, text)) }
            }
        }
        impl TryFrom<String> for $type {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0.to_string()
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

/// An account: twelve digits. An account is one shard of the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(Arc<str>);
string_name!(
    AccountId,
    |t: &str| t.len() == 12 && t.bytes().all(|b| b.is_ascii_digit()),
    "account id"
);

/// A region such as `eu-central-1`. Any name of that form is one; we run them all.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(Arc<str>);
string_name!(Region, is_region, "region");

fn is_region(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// `arn:partition:service:region:account:resource`. The resource may contain colons.
/// Region and account are empty for global resources.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Arn {
    pub partition: String,
    pub service: String,
    pub region: String,
    pub account: String,
    pub resource: String,
}

impl Arn {
    /// An ARN in the `aws` partition.
    pub fn new(
        service: &str,
        region: &Region,
        account: &AccountId,
        resource: impl Into<String>,
    ) -> Arn {
        Arn {
            partition: "aws".into(),
            service: service.into(),
            region: region.to_string(),
            account: account.to_string(),
            resource: resource.into(),
        }
    }

    /// The resource behind a fixed prefix: `function:` of `function:resize` gives `resize`.
    pub fn resource_after(&self, prefix: &str) -> Option<&str> {
        self.resource.strip_prefix(prefix)
    }

    /// The account that owns the resource, where the ARN names one.
    pub fn account_id(&self) -> Result<AccountId, InvalidName> {
        self.account.parse()
    }
}

impl FromStr for Arn {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().map(str::to_owned);
        let found = (next(), next(), next(), next(), next(), next());
        let (
            Some(scheme),
            Some(partition),
            Some(service),
            Some(region),
            Some(account),
            Some(resource),
        ) = found
        else {
            return Err(invalid("ARN", text));
        };
        if scheme != "arn" || partition.is_empty() || service.is_empty() || resource.is_empty() {
            return Err(invalid("ARN", text));
        }
        Ok(Arn { partition, service, region, account, resource })
    }
}

impl TryFrom<String> for Arn {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Arn> for String {
    fn from(arn: Arn) -> String {
        arn.to_string()
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Arn { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_survives_the_round_trip() {
        for text in [
            "arn:aws:sqs:us-east-1:000000000000:orders",
            "arn:aws:lambda:eu-west-1:123456789012:function:pay:live",
            "arn:aws:s3:::bucket/key",
        ] {
            assert_eq!(text.parse::<Arn>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_a_name_is_refused() {
        for text in ["", "arn", "arn:aws:sqs:r:a", "arn:aws:sqs:r:a:", "nra:aws:sqs:r:a:x"] {
            assert!(text.parse::<Arn>().is_err(), "{text}");
        }
        for text in ["", "12345678901", "1234567890123", "12345678901x"] {
            assert!(text.parse::<AccountId>().is_err(), "{text}");
        }
        for text in ["", "US", "a b", &"x".repeat(33)] {
            assert!(text.parse::<Region>().is_err(), "{text}");
        }
    }
}
