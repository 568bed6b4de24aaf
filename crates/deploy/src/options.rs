use std::collections::BTreeMap;

use base::AccountId;
use serde::{Deserialize, Serialize};

/// What the command line says about a deploy, as far as reading the template depends on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// `--stage`
    pub stage: Option<String>,
    /// `--region`
    pub region: Option<String>,
    /// `--param name=value`
    pub params: BTreeMap<String, String>,
    /// The environment, for `${env:NAME}`.
    pub env: BTreeMap<String, String>,
    /// The account deployed to.
    pub account: AccountId,
    /// A name for this run, for `${sls:instanceId}`.
    pub instance: String,
}

impl Options {
    /// No options, no environment.
    pub fn new(account: AccountId) -> Options {
        Options {
            stage: None,
            region: None,
            params: BTreeMap::new(),
            env: BTreeMap::new(),
            account,
            instance: "local".to_owned(),
        }
    }
}
