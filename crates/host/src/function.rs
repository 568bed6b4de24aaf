use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::time::Duration;

use base::{AccountId, Arn, Region};

use crate::Limits;

/// One version of a function, with all that is needed to run it.
#[derive(Debug, Clone)]
pub struct FunctionSpec {
    /// The function's ARN without a qualifier.
    pub arn: Arn,
    pub name: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// Changes whenever code or configuration does. A slot serves one revision and no other.
    pub revision: String,
    /// `nodejs20.x`; a folder under `runtimes/` answers to it.
    pub runtime: String,
    /// `src/create.handler`.
    pub handler: String,
    /// The unpacked package. Not written to; it must stay as long as the revision may run.
    pub code: PathBuf,
    /// The unpacked layers, which appear merged at `/opt`: a later one lies over an earlier one.
    pub layers: Vec<PathBuf>,
    /// The user's environment, complete. Ours is added to it.
    pub env: BTreeMap<String, String>,
    pub memory_mb: u32,
    /// What `/tmp` holds.
    pub ephemeral_mb: u32,
    pub timeout: Duration,
    pub log_group: String,
    pub region: Region,
    pub account: AccountId,
    pub credentials: Credentials,
    /// Where the function's SDK calls go: `http://127.0.0.1:4566`.
    pub endpoint_url: String,
}

impl FunctionSpec {
    /// What one slot may use.
    pub(crate) fn limits(&self) -> Limits {
        let bytes = |mb| u64::from(mb) << 20;
        let (memory_bytes, tmp_bytes) = (bytes(self.memory_mb), bytes(self.ephemeral_mb));
        Limits { memory_bytes, tmp_bytes, ..Limits::default() }
    }
}

/// Two are the same where they are the same revision of the same function.
impl PartialEq for FunctionSpec {
    fn eq(&self, other: &FunctionSpec) -> bool {
        std::ptr::eq(self, other) || (self.revision == other.revision && self.arn == other.arn)
    }
}

impl Eq for FunctionSpec {}

/// A part of the revision is enough, because hardly two are alike, and this is on the path of
/// every event.
impl Hash for FunctionSpec {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let end = self.revision.as_bytes().last_chunk();
        state.write_u64(end.map_or(0, |end| u64::from_le_bytes(*end)));
    }
}

/// What a function signs its own requests with.
#[derive(Clone)]
pub struct Credentials {
    pub access_key: String,
    pub secret: String,
    pub token: String,
}

/// Secrets do not appear in logs.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.access_key)
    }
}
