use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use ::store::{Dir, Key, Space, Store};
use base::AccountId;
use kit::Kit;

use super::{Api, Definition, Kind};

/// Key kinds of `apis`. IDs persisted, so never reused.
const KIND_API: u8 = 1;
/// APIs of an account; AWS allows 600.
const APIS_MAX: usize = 600;

/// All APIs of the account, in memory for routing and in the store for good.
pub struct Apis {
    store: Store,
    account: AccountId,
    known: RwLock<HashMap<String, Arc<Api>>>,
}

/// Which part of a list is wanted.
#[derive(Debug, Default)]
pub struct Page {
    /// The id after which it begins.
    pub after: Option<String>,
    /// At most so many; without it all.
    pub limit: Option<u32>,
}

impl Apis {
    /// Reads what is stored.
    pub async fn open(store: Store, account: AccountId) -> ::store::Result<Apis> {
        let apis = Apis { store, account, known: RwLock::default() };
        let all = apis.space().key(KIND_API).prefix();
        let mut known = HashMap::new();
        for (key, value) in apis.store.scan(all, Dir::Forward, APIS_MAX).await? {
            let api: Api = ::store::decode(&key, &value)?;
            known.insert(api.id.clone(), Arc::new(api));
        }
        *apis.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(apis)
    }

    fn space(&self) -> Space {
        Space::new(&self.account, "apis")
    }

    fn key(&self, id: &str) -> Key {
        self.space().key(KIND_API).str(id)
    }

    /// The API with this id.
    pub fn get(&self, id: &str) -> Option<Arc<Api>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// A new API with an id of its own, not stored yet.
    pub fn fresh(kind: Kind, definition: Definition, kit: &Kit) -> Api {
        let Definition { name, routes, cors, binary_media_types } = definition;
        let stage = match kind {
            Kind::Http | Kind::Url => "$default".to_owned(),
            Kind::Rest => String::new(),
        };
        let (id, created) = (Apis::fresh_id(kit), kit.now());
        Api { id, name, kind, stage, routes, cors, binary_media_types, created }
    }

    /// Ten random lower-case letters and digits, as API Gateway names things.
    pub fn fresh_id(kit: &Kit) -> String {
        base::hex(&*kit.random, 5)
    }

    /// The APIs of a kind by id, and where the next page begins if that were not all.
    pub fn list(&self, kind: Kind, page: &Page) -> (Vec<Arc<Api>>, Option<String>) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let after = page.after.as_deref().unwrap_or_default();
        let wanted = |api: &&Arc<Api>| api.kind == kind && api.id.as_str() > after;
        let mut found: Vec<Arc<Api>> = known.values().filter(wanted).cloned().collect();
        found.sort_by(|a, b| a.id.cmp(&b.id));
        // Not AWS's 25: callers who name no limit seldom go on to a second page.
        let limit = page.limit.map_or(usize::MAX, |limit| limit.max(1) as usize);
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|last| last.id.clone());
        (found, next)
    }

    /// Makes or replaces an API; requests that come later see the new routes.
    pub async fn put(&self, api: Api) -> ::store::Result<()> {
        let key = &self.key(&api.id);
        let record = &api;
        self.store
            .transact(&self.account, |tx| async move {
                tx.put_record(key.clone(), record)?;
                Ok::<_, ::store::Error>(())
            })
            .await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(api.id.clone(), Arc::new(api));
        Ok(())
    }

    /// Removes an API. Tells whether there was one.
    pub async fn remove(&self, id: &str) -> ::store::Result<bool> {
        let key = &self.key(id);
        self.store
            .transact(&self.account, |tx| async move {
                tx.delete(key.clone());
                Ok::<_, ::store::Error>(())
            })
            .await?;
        Ok(self.known.write().unwrap_or_else(PoisonError::into_inner).remove(id).is_some())
    }
}
