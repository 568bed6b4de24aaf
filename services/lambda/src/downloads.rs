//! Addresses at which packages can be fetched without credentials: for a while, by those who were
//! told. They are forgotten with the process.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base::{Random, Time};
use bytes::Bytes;
use kit::Kit;
use store::Key;

use crate::code::{Sha, sha256};
use crate::data::{Code, Function, LayerVersion};
use crate::error::Error;

/// Where the gateway finds them.
const PATH_PREFIX: &str = "/_aws/lambda-package/";
/// As long as AWS signs its addresses for.
const AGE_MAX: Duration = Duration::from_secs(600);
/// Addresses at once. The oldest go first.
const TOKENS_MAX: usize = 10_000;
const TOKEN_BYTES: usize = 24;

/// What was handed out, the oldest first.
#[derive(Default)]
pub(crate) struct Downloads(Mutex<VecDeque<Download>>);

struct Download {
    /// Its digest, so that the time a comparison takes tells nothing.
    token: Sha,
    until: Time,
    of: Package,
    /// Another package under the same name is not what was promised.
    sha256: Sha,
}

/// The record that holds a package.
#[derive(Clone)]
pub(crate) enum Package {
    Function(Key),
    Layer(Key),
}

impl Downloads {
    /// An address for a package, below the one given.
    pub(crate) fn offer(
        &self,
        base_url: &str,
        random: &dyn Random,
        now: Time,
        of: Package,
        code: &Code,
    ) -> String {
        let token = base::hex(random, TOKEN_BYTES);
        let address = format!("{}{PATH_PREFIX}{token}", base_url.trim_end_matches('/'));
        let token = sha256(token.as_bytes());
        let download = Download { token, until: now + AGE_MAX, of, sha256: code.sha256 };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while all.len() >= TOKENS_MAX || all.front().is_some_and(|oldest| oldest.until <= now) {
            all.pop_front();
        }
        all.push_back(download);
        address
    }

    /// The package that was offered by this token.
    pub(crate) async fn take(&self, kit: &Kit, token: &str) -> Result<Option<Bytes>, Error> {
        let (now, token) = (kit.now(), sha256(token.as_bytes()));
        let found = {
            let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let found = all.iter().find(|one| one.token == token && one.until > now);
            found.map(|one| (one.of.clone(), one.sha256))
        };
        let Some((of, sha256)) = found else { return Ok(None) };
        let code = match of {
            Package::Function(key) => {
                kit.store.get_record::<Function>(&key).await?.map(|function| function.code)
            }
            Package::Layer(key) => {
                let found: Option<LayerVersion> = kit.store.get_record(&key).await?;
                found.filter(|version| !version.deleted).map(|version| version.code)
            }
        };
        match code.filter(|code| code.sha256 == sha256) {
            Some(code) => Ok(Some(code.zip.load(&kit.store).await?)),
            None => Ok(None),
        }
    }
}
