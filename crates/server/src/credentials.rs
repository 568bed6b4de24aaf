//! Who the access keys belong to: the root of the account, made at the first start, and the
//! functions deployed in it.

use base::{AccountId, BoxFuture, Random, hex};
use gateway::{Credentials, Identity};
use kit::{Caller, Kit};
use serde::{Deserialize, Serialize};
use store::{Record, Space, Store};

/// Key kind: account, `credentials`, 1 → the root's access key. Persisted, never reused.
const KIND_ROOT: u8 = 1;

/// The root's access key. There is no built-in default anywhere.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RootKey {
    pub access_key: String,
    pub secret: String,
}

impl Record for RootKey {
    const VERSION: u8 = 1;
}

impl RootKey {
    /// The stored key, or a fresh one; the second value says whether it was made just now.
    pub(crate) async fn open(
        store: &Store,
        account: &AccountId,
        random: &dyn Random,
    ) -> store::Result<(RootKey, bool)> {
        let key = &Space::new(account, "credentials").key(KIND_ROOT);
        let fresh = &RootKey {
            access_key: format!("AKIA{}", hex(random, 8).to_ascii_uppercase()),
            secret: hex(random, 20),
        };
        store
            .transact(account, |tx| async move {
                if let Some(stored) = tx.get_record::<RootKey>(key).await? {
                    return Ok((stored, false));
                }
                tx.put_record(key.clone(), fresh)?;
                Ok::<_, store::Error>((fresh.clone(), true))
            })
            .await
    }
}

/// All access keys of the account.
pub(crate) struct Keyring {
    pub(crate) kit: Kit,
    pub(crate) root: RootKey,
}

impl Credentials for Keyring {
    fn find<'a>(&'a self, access_key: &'a str) -> BoxFuture<'a, Option<Identity>> {
        Box::pin(async move {
            if access_key == self.root.access_key {
                return Some(Identity {
                    caller: Caller::root(&self.kit.account),
                    secret: self.root.secret.clone(),
                    session_token: None,
                });
            }
            let found = service_lambda::credentials::lookup(&self.kit, access_key).await;
            let signer = found.inspect_err(|error| {
                tracing::error!(%error, "an access key cannot be looked up");
            });
            let signer = signer.ok().flatten()?;
            Some(Identity {
                caller: signer.caller,
                secret: signer.secret_key,
                session_token: Some(signer.session_token),
            })
        })
    }
}
