//! The applications deployed here, and how they come and go.

use std::collections::BTreeMap;

use deploy::{Applied, Assets, Diagnostic, Endpoint, Machine, Place, Template};
use kit::Kit;
use serde::{Deserialize, Serialize};
use store::{Dir, Key, Record, Space};

/// Key kind: account, `stacks`, 1, name → what its last deploy came to. Persisted, never reused.
const KIND_STACK: u8 = 1;
/// Stacks shown at once; CloudFormation allows 2,000.
const STACKS_MAX: usize = 2_000;

/// A deploy as it is sent to a server.
#[derive(Debug, Serialize, Deserialize)]
pub struct Package {
    pub stack: String,
    /// The region the template was read for: its ARNs are written out already.
    pub region: String,
    pub template: Template,
    pub assets: Assets,
}

/// A deployed application.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stack {
    pub name: String,
    pub outputs: BTreeMap<String, String>,
    pub endpoints: Vec<Endpoint>,
}

impl Record for Stack {
    const VERSION: u8 = 1;
}

/// All stacks of a server. Deploys come one after the other.
pub(crate) struct Stacks {
    kit: Kit,
    one_at_a_time: tokio::sync::Mutex<()>,
}

impl Stacks {
    pub(crate) fn new(kit: &Kit) -> Stacks {
        Stacks { kit: kit.clone(), one_at_a_time: tokio::sync::Mutex::default() }
    }

    fn key(&self) -> Key {
        Space::new(&self.kit.account, "stacks").key(KIND_STACK)
    }

    fn machine(&self) -> Machine<'_> {
        Machine {
            calls: &self.kit,
            store: &self.kit.store,
            account: &self.kit.account,
            region: &self.kit.region,
            endpoint: self.kit.base_url(),
        }
    }

    pub(crate) async fn deploy(&self, package: &Package) -> Result<Applied, deploy::Error> {
        let _alone = self.one_at_a_time.lock().await;
        let Package { stack, region, template, assets } = package;
        self.check_region(region)?;
        let applied = deploy::apply(self.machine(), stack, template, assets).await?;
        let record = &Stack {
            name: stack.clone(),
            outputs: applied.outputs.iter().cloned().collect(),
            endpoints: applied.endpoints.clone(),
        };
        let key = &self.key().str(stack);
        let note = |tx: store::Tx| async move { tx.put_record(key.clone(), record) };
        self.kit.store.transact(&self.kit.account, note).await?;
        Ok(applied)
    }

    /// Work that no request causes is done in one region; a template for another would name
    /// resources that are not there.
    fn check_region(&self, region: &str) -> Result<(), Diagnostic> {
        let ours = &self.kit.region;
        if region == ours.as_str() {
            return Ok(());
        }
        let text = format!("this is for region {region}, and the platform runs in {ours}");
        let help = format!(
            "deploy with --region {ours}, or start the platform with `cumulet serve --region \
             {region}`"
        );
        Err(Diagnostic::new(&Place::file("the template"), text).help(help))
    }

    pub(crate) async fn remove(&self, stack: &str) -> Result<Applied, deploy::Error> {
        let _alone = self.one_at_a_time.lock().await;
        let key = &self.key().str(stack);
        let found = self.kit.store.get(key).await?;
        let applied = deploy::remove(self.machine(), stack).await?;
        if found.is_none() && applied.changes.is_empty() && applied.leftovers.is_empty() {
            return Err(deploy::Error::NoStack(stack.to_owned()));
        }
        // What is left is still the stack's, and removing it again finishes it.
        if !applied.leftovers.is_empty() {
            return Ok(applied);
        }
        let forget = |tx: store::Tx| async move {
            tx.delete(key.clone());
            Ok::<_, store::Error>(())
        };
        self.kit.store.transact(&self.kit.account, forget).await?;
        Ok(applied)
    }

    pub(crate) async fn list(&self) -> store::Result<Vec<Stack>> {
        let all = self.kit.store.scan(self.key().prefix(), Dir::Forward, STACKS_MAX).await?;
        all.iter().map(|(key, value)| store::decode(key, value)).collect()
    }
}
