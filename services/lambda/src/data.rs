//! What is stored: functions with their versions, policies, credentials and event source mappings.

mod alias;
mod layer;
mod mapping;
mod settings;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base::{AccountId, Arn, Region, Time};
use serde::{Deserialize, Serialize};
use store::{Body, Key, Record, Space};

use crate::code::Sha;
use crate::error::Error;

pub(crate) use alias::Alias;
pub(crate) use layer::{Layer, LayerUse, LayerVersion};
pub(crate) use mapping::{Checkpoint, Mapping, Pollers, Reading, Window};
pub(crate) use settings::{
    EventConfig, Provisioned, Recursion, Reserved, RuntimeUpdates, Url, UrlCors, UrlName,
};

/// The version that changes.
pub(crate) const LATEST: &str = "$LATEST";

/// Key kinds of this service. Numbers are never reused.
const FUNCTION: u8 = 1;
const POLICY: u8 = 2;
const CREDENTIAL: u8 = 3;
const MAPPING: u8 = 4;
const EVENT: u8 = 5;
const VERSION: u8 = 6;
const ALIAS: u8 = 7;
const QUALIFIED_POLICY: u8 = 8;
const LAYER: u8 = 9;
const LAYER_VERSION: u8 = 10;
const RESERVED: u8 = 11;
const PROVISIONED: u8 = 12;
const EVENT_CONFIG: u8 = 13;
const URL: u8 = 14;
const URL_NAME: u8 = 15;
const RECURSION: u8 = 16;
const RUNTIME_UPDATES: u8 = 17;
const CHECKPOINT: u8 = 18;

/// A function, or a version of it: its configuration and what its code is. Key: region, name, and
/// the number of the version where it is one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) config: Config,
    pub(crate) code: Code,
    pub(crate) credentials: Credentials,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) modified: Time,
    /// Changes with everything that changes how the function runs.
    pub(crate) revision: String,
    /// The revision as clients know it, once it has changed without one of those changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) permitted: Option<String>,
    /// What this is: the function itself, or one of its versions, which do not change.
    #[serde(default, skip_serializing_if = "Version::is_latest")]
    pub(crate) version: Version,
    /// Of a function: the number of its last version, which is not given again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) version_last: u64,
    /// Of a version: the revision of the function it was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form serde asks for")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Function {
    /// The revision as clients know it.
    pub(crate) fn revision_id(&self) -> &str {
        self.permitted.as_ref().unwrap_or(&self.revision)
    }

    /// Gives it a revision that nothing has run yet.
    pub(crate) fn renew(&mut self, revision: String) {
        self.revision = revision;
        self.permitted = None;
    }
}

impl Record for Function {
    const VERSION: u8 = 1;
}

/// A version of a function. Stored as a number, 0 for the one that changes.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(from = "u64", into = "u64")]
pub(crate) enum Version {
    #[default]
    Latest,
    Number(u64),
}

impl Version {
    fn is_latest(&self) -> bool {
        *self == Version::Latest
    }
}

impl From<u64> for Version {
    fn from(number: u64) -> Version {
        if number == 0 { Version::Latest } else { Version::Number(number) }
    }
}

impl From<Version> for u64 {
    fn from(version: Version) -> u64 {
        match version {
            Version::Latest => 0,
            Version::Number(number) => number,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Version::Latest => f.write_str(LATEST),
            Version::Number(number) => number.fmt(f),
        }
    }
}

impl FromStr for Version {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Version, Self::Err> {
        if text == LATEST { Ok(Version::Latest) } else { text.parse().map(Version::Number) }
    }
}

/// What a user sets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Config {
    pub(crate) runtime: String,
    pub(crate) handler: String,
    pub(crate) role: Arn,
    pub(crate) description: String,
    pub(crate) timeout_secs: u32,
    pub(crate) memory_mb: u32,
    pub(crate) ephemeral_mb: u32,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) architecture: String,
    /// Where asynchronous events go whose attempts have come to their end.
    pub(crate) dead_letter: Option<Arn>,
    pub(crate) log_group: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) layers: Vec<LayerUse>,
}

impl Config {
    /// Where the function's log lines go.
    pub(crate) fn log_group(&self, name: &str) -> String {
        self.log_group.clone().unwrap_or_else(|| format!("/aws/lambda/{name}"))
    }
}

/// A deployment package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Code {
    /// Of the zip; the tree it is unpacked to is named by it.
    pub(crate) sha256: Sha,
    pub(crate) size: u64,
    /// The zip itself, held by the function's record.
    pub(crate) zip: Body,
}

/// What a function signs its own requests with. They last as long as the function.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Credentials {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) session_token: String,
}

/// Secrets do not appear in logs.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.access_key)
    }
}

/// Whose an access key is. Key: the access key.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Credential {
    pub(crate) function: Arn,
}

impl Record for Credential {
    const VERSION: u8 = 1;
}

/// A function's resource policy. Key: region, function name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) revision: String,
    /// Statements by their id, as JSON text.
    pub(crate) statements: BTreeMap<String, String>,
}

impl Record for Policy {
    const VERSION: u8 = 1;
}

impl Policy {
    /// The policy as IAM writes it.
    pub(crate) fn document(&self) -> String {
        let statements = self.statements.values().cloned().collect::<Vec<_>>().join(",");
        format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{statements}]}}"#)
    }
}

/// An asynchronous invocation: an entry of the delivery line `lambda.async`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AsyncInvoke {
    pub(crate) function: Arn,
    pub(crate) payload: Body,
    pub(crate) request_id: String,
    pub(crate) client_context: Option<String>,
    /// The trace of whoever sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<String>,
    pub(crate) created: Time,
    /// How often the function ran and failed.
    pub(crate) failures: u32,
    /// How often it could not be run.
    pub(crate) throttles: u32,
}

impl Record for AsyncInvoke {
    const VERSION: u8 = 1;
}

/// A function's place: where it is stored and what it is called outside.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) name: String,
}

impl Place {
    pub(crate) fn arn(&self) -> Arn {
        let resource = format!("function:{}", self.name);
        Arn::new("lambda", &self.region, &self.account, resource)
    }

    /// The ARN of a version.
    pub(crate) fn arn_of(&self, version: Version) -> Arn {
        match version {
            Version::Latest => self.arn(),
            Version::Number(_) => self.qualified(&version.to_string()),
        }
    }

    pub(crate) fn qualified(&self, qualifier: &str) -> Arn {
        let mut arn = self.arn();
        arn.resource.push(':');
        arn.resource.push_str(qualifier);
        arn
    }

    /// The error that there is no function here.
    pub(crate) fn missing(&self) -> Error {
        Error::NoFunction(Box::new(self.arn()))
    }

    pub(crate) fn key(&self) -> Key {
        functions_key(&self.account, &self.region).str(&self.name)
    }

    /// Where a version is stored.
    pub(crate) fn version_key(&self, version: Version) -> Key {
        match version {
            Version::Latest => self.key(),
            Version::Number(number) => self.versions_key().u64(number),
        }
    }

    /// The prefix of all versions with a number.
    pub(crate) fn versions_key(&self) -> Key {
        self.kind_key(VERSION)
    }

    /// The prefix of all aliases.
    pub(crate) fn aliases_key(&self) -> Key {
        self.kind_key(ALIAS)
    }

    /// Where the policy of the function is, or that of a version or alias.
    pub(crate) fn policy_key(&self, qualifier: Option<&Qualifier>) -> Key {
        match qualifier {
            None | Some(Qualifier::Version(Version::Latest)) => self.kind_key(POLICY),
            Some(qualifier) => self.kind_key(QUALIFIED_POLICY).str(&qualifier.to_string()),
        }
    }

    /// Where its reserved concurrency is.
    pub(crate) fn reserved_key(&self) -> Key {
        self.kind_key(RESERVED)
    }

    /// The prefix of the provisioned concurrency of its versions and aliases.
    pub(crate) fn provisioned_key(&self) -> Key {
        self.kind_key(PROVISIONED)
    }

    /// The prefix of what becomes of its asynchronous events.
    pub(crate) fn event_configs_key(&self) -> Key {
        self.kind_key(EVENT_CONFIG)
    }

    /// The prefix of its URLs.
    pub(crate) fn urls_key(&self) -> Key {
        self.kind_key(URL)
    }

    /// Where it is said what is to happen when it invokes itself.
    pub(crate) fn recursion_key(&self) -> Key {
        self.kind_key(RECURSION)
    }

    /// The prefix of when its versions get a newer runtime.
    pub(crate) fn runtime_updates_key(&self) -> Key {
        self.kind_key(RUNTIME_UPDATES)
    }

    fn kind_key(&self, kind: u8) -> Key {
        let space = Space::new(&self.account, "lambda");
        space.key(kind).str(self.region.as_str()).str(&self.name)
    }

    /// The prefixes of all that goes with a function, apart from itself, its versions and its URLs.
    pub(crate) fn belongings(&self) -> Vec<Key> {
        let kinds = [
            POLICY,
            ALIAS,
            QUALIFIED_POLICY,
            RESERVED,
            PROVISIONED,
            EVENT_CONFIG,
            RECURSION,
            RUNTIME_UPDATES,
        ];
        kinds.into_iter().map(|kind| self.kind_key(kind)).collect()
    }

    /// The prefixes of all that goes with a version or an alias.
    pub(crate) fn belongings_of(&self, qualifier: &str) -> Vec<Key> {
        let kinds = [QUALIFIED_POLICY, PROVISIONED, EVENT_CONFIG, RUNTIME_UPDATES];
        kinds.into_iter().map(|kind| self.kind_key(kind).str(qualifier)).collect()
    }
}

/// What of a function is meant by a name behind its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Qualifier {
    Version(Version),
    Alias(String),
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Qualifier::Version(version) => version.fmt(f),
            Qualifier::Alias(name) => f.write_str(name),
        }
    }
}

/// A function, and what of it is meant: the function itself if nothing is said.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    pub(crate) place: Place,
    pub(crate) qualifier: Option<Qualifier>,
}

impl Target {
    /// What settings of a version or an alias are stored by.
    pub(crate) fn qualifier_text(&self) -> String {
        self.qualifier.as_ref().map_or_else(|| LATEST.to_owned(), Qualifier::to_string)
    }

    pub(crate) fn arn(&self) -> Arn {
        match &self.qualifier {
            None => self.place.arn(),
            Some(qualifier) => self.place.qualified(&qualifier.to_string()),
        }
    }

    /// The error that there is no such function, version or alias.
    pub(crate) fn missing(&self) -> Error {
        Error::NoFunction(Box::new(self.arn()))
    }
}

/// The prefix of all functions of an account and region.
pub(crate) fn functions_key(account: &AccountId, region: &Region) -> Key {
    Space::new(account, "lambda").key(FUNCTION).str(region.as_str())
}

/// The prefix of all functions of an account.
pub(crate) fn all_functions_key(account: &AccountId) -> Key {
    Space::new(account, "lambda").key(FUNCTION)
}

/// The prefix of all versions of an account and region.
pub(crate) fn versions_key(account: &AccountId, region: &Region) -> Key {
    all_versions_key(account).str(region.as_str())
}

/// The prefix of all versions of an account.
pub(crate) fn all_versions_key(account: &AccountId) -> Key {
    Space::new(account, "lambda").key(VERSION)
}

/// The prefix of what all functions of an account have reserved.
pub(crate) fn reserved_key(account: &AccountId) -> Key {
    Space::new(account, "lambda").key(RESERVED)
}

/// The prefix of what is provisioned for all functions of an account.
pub(crate) fn provisioned_key(account: &AccountId) -> Key {
    Space::new(account, "lambda").key(PROVISIONED)
}

/// The prefix of all layers of an account and region.
pub(crate) fn layers_key(account: &AccountId, region: &Region) -> Key {
    Space::new(account, "lambda").key(LAYER).str(region.as_str())
}

/// The prefix of all versions of layers of an account and region.
pub(crate) fn layer_versions_key(account: &AccountId, region: &Region) -> Key {
    Space::new(account, "lambda").key(LAYER_VERSION).str(region.as_str())
}

/// The prefix of all versions of layers of an account.
pub(crate) fn all_layer_versions_key(account: &AccountId) -> Key {
    Space::new(account, "lambda").key(LAYER_VERSION)
}

/// The prefix of all event source mappings of an account and region.
pub(crate) fn mappings_key(account: &AccountId, region: &Region) -> Key {
    Space::new(account, "lambda").key(MAPPING).str(region.as_str())
}

/// The prefix of all event source mappings of an account.
pub(crate) fn all_mappings_key(account: &AccountId) -> Key {
    Space::new(account, "lambda").key(MAPPING)
}

/// The prefix of how far a mapping has come.
pub(crate) fn checkpoints_key(account: &AccountId, region: &Region, uuid: &str) -> Key {
    Space::new(account, "lambda").key(CHECKPOINT).str(region.as_str()).str(uuid)
}

pub(crate) fn credential_key(account: &AccountId, access_key: &str) -> Key {
    Space::new(account, "lambda").key(CREDENTIAL).str(access_key)
}

/// Where it is said whose a URL is.
pub(crate) fn url_name_key(account: &AccountId, id: &str) -> Key {
    Space::new(account, "lambda").key(URL_NAME).str(id)
}

/// Holds the payload of an asynchronous invocation; nothing is stored under it but that.
pub(crate) fn event_key(account: &AccountId, request_id: &str) -> Key {
    Space::new(account, "lambda").key(EVENT).str(request_id)
}

#[cfg(test)]
mod tests;
