//! What is stored: functions, their policies, credentials and event source mappings.

use std::collections::BTreeMap;

use base::{AccountId, Arn, Region, Time};
use serde::{Deserialize, Serialize};
use store::{Body, Key, Record, Space};

use crate::code::Sha;
use crate::error::Error;

/// Key kinds of this service. Numbers are never reused.
const FUNCTION: u8 = 1;
const POLICY: u8 = 2;
const CREDENTIAL: u8 = 3;
const MAPPING: u8 = 4;
const EVENT: u8 = 5;

/// A function: its configuration and what its code is. Key: region, name.
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
}

impl Record for Function {
    const VERSION: u8 = 1;
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
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
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

/// A queue read by a function. Key: region, uuid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mapping {
    pub(crate) uuid: String,
    pub(crate) source: Arn,
    pub(crate) function: Arn,
    pub(crate) enabled: bool,
    pub(crate) batch_size: u32,
    pub(crate) window_secs: u32,
    pub(crate) report_failures: bool,
    pub(crate) concurrency_max: Option<u32>,
    pub(crate) modified: Time,
}

impl Record for Mapping {
    const VERSION: u8 = 1;
}

/// An asynchronous invocation: an entry of the delivery line `lambda.async`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AsyncInvoke {
    pub(crate) function: Arn,
    pub(crate) payload: Body,
    pub(crate) request_id: String,
    pub(crate) client_context: Option<String>,
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

    /// The error that there is no function here.
    pub(crate) fn missing(&self) -> Error {
        Error::NoFunction(Box::new(self.arn()))
    }

    pub(crate) fn key(&self) -> Key {
        functions_key(&self.account, &self.region).str(&self.name)
    }

    pub(crate) fn policy_key(&self) -> Key {
        let space = Space::new(&self.account, "lambda");
        space.key(POLICY).str(self.region.as_str()).str(&self.name)
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

/// The prefix of all event source mappings of an account and region.
pub(crate) fn mappings_key(account: &AccountId, region: &Region) -> Key {
    Space::new(account, "lambda").key(MAPPING).str(region.as_str())
}

/// The prefix of all event source mappings of an account.
pub(crate) fn all_mappings_key(account: &AccountId) -> Key {
    Space::new(account, "lambda").key(MAPPING)
}

pub(crate) fn credential_key(account: &AccountId, access_key: &str) -> Key {
    Space::new(account, "lambda").key(CREDENTIAL).str(access_key)
}

/// Holds the payload of an asynchronous invocation; nothing is stored under it but that.
pub(crate) fn event_key(account: &AccountId, request_id: &str) -> Key {
    Space::new(account, "lambda").key(EVENT).str(request_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes once written are read for ever, and the same value is still written as the same bytes.
    fn check<R: Record + PartialEq + std::fmt::Debug>(record: &R, stored: &[u8]) {
        let key = Key::from_bytes("fixture");
        assert_eq!(store::decode::<R>(&key, stored).unwrap(), *record);
        assert_eq!(store::encode(record).unwrap(), stored);
    }

    fn arn(resource: &str) -> Arn {
        format!("arn:aws:lambda:us-east-1:000000000000:{resource}").parse().unwrap()
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let credentials = Credentials {
            access_key: "ASIAX".into(),
            secret_key: "secret".into(),
            session_token: "token".into(),
        };
        let config = Config {
            runtime: "nodejs20.x".into(),
            handler: "index.handler".into(),
            role: "arn:aws:iam::000000000000:role/r".parse().unwrap(),
            description: String::new(),
            timeout_secs: 3,
            memory_mb: 128,
            ephemeral_mb: 512,
            environment: BTreeMap::from([("AB".into(), "1".into())]),
            architecture: "x86_64".into(),
            dead_letter: None,
            log_group: Some("/g".into()),
        };
        let function = Function {
            name: "pay".into(),
            config,
            code: Code { sha256: [7; 32], size: 3, zip: Body::Inline("zip".into()) },
            credentials,
            tags: BTreeMap::from([("k".into(), "v".into())]),
            modified: Time::from_millis(1_793_491_200_000),
            revision: "r1".into(),
        };
        check(&function, include_bytes!("../tests/fixtures/function.v1"));
        let credential = Credential { function: arn("function:pay") };
        check(&credential, include_bytes!("../tests/fixtures/credential.v1"));
        let policy = Policy {
            revision: "r1".into(),
            statements: BTreeMap::from([("s".into(), r#"{"Sid":"s"}"#.into())]),
        };
        check(&policy, include_bytes!("../tests/fixtures/policy.v1"));
        let mapping = Mapping {
            uuid: "u".into(),
            source: "arn:aws:sqs:us-east-1:000000000000:q".parse().unwrap(),
            function: arn("function:pay"),
            enabled: true,
            batch_size: 10,
            window_secs: 5,
            report_failures: true,
            concurrency_max: Some(2),
            modified: Time::from_millis(1_793_491_200_000),
        };
        check(&mapping, include_bytes!("../tests/fixtures/mapping.v1"));
        let event = AsyncInvoke {
            function: arn("function:pay"),
            payload: Body::Inline("{}".into()),
            request_id: "id".into(),
            client_context: None,
            created: Time::from_millis(1_793_491_200_000),
            failures: 1,
            throttles: 2,
        };
        check(&event, include_bytes!("../tests/fixtures/event.v1"));
    }
}
