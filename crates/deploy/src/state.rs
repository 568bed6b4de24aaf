//! What a stack has made: one record for each resource, under `deploy` in the store.
//!
//! A record is written before its resource is made and again after, so that whatever a killed
//! deploy left behind is found by the next one.

use std::collections::BTreeMap;

use base::{AccountId, Region};
use serde::{Deserialize, Serialize};
use store::{Body, Dir, Key, Record, Space, Store, Tx};

use crate::types::{Made, Properties};

/// Key kinds of this crate. Numbers are never reused.
///
/// Region, stack, logical id → [`Row`].
const RESOURCE: u8 = 1;
/// Region, stack, logical id, generation → [`Row`]: replaced, not yet deleted.
const LEFTOVER: u8 = 2;

/// Stands in a record for the address of the platform, which may be another one next time.
const ENDPOINT: &str = "${endpoint}";
/// The same in the URL of a function, which begins with a name of its own.
const URL_END: &str = ".lambda-url.${endpoint}/";

/// Resources of one stack, with those waiting to be deleted.
const ROWS_MAX: usize = 2_000;

/// A resource as it was last applied.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) kind: String,
    pub(crate) made: Made,
    pub(crate) properties: Properties,
    /// False from before it is made until it is known to be.
    pub(crate) ready: bool,
    /// Grows with every change; what has a higher one may depend on what has a lower one.
    pub(crate) position: u64,
    /// How often it was replaced.
    pub(crate) generation: u64,
    /// Whether removal leaves it in place.
    pub(crate) retain: bool,
}

#[derive(Serialize, Deserialize)]
struct Row {
    kind: String,
    made: Made,
    /// JSON text; an API's definition may be too large for a record.
    properties: Body,
    ready: bool,
    position: u64,
    generation: u64,
    retain: bool,
}

impl Record for Row {
    const VERSION: u8 = 1;
}

/// The records of one stack.
pub(crate) struct State<'a> {
    pub(crate) store: &'a Store,
    pub(crate) account: &'a AccountId,
    pub(crate) region: &'a Region,
    pub(crate) stack: &'a str,
    /// The address of the platform, which physical ids may begin with.
    pub(crate) endpoint: &'a str,
}

impl State<'_> {
    /// What the URLs of functions end with here. A number has no names below it, so that of
    /// loopback is used.
    fn url_end(&self) -> String {
        let authority = self.endpoint.split_once("://").map_or(self.endpoint, |(_, rest)| rest);
        let authority = authority.trim_end_matches('/');
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, format!(":{port}")),
            _ => (authority, String::new()),
        };
        let number = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
        let host = if number { "localhost" } else { host };
        format!(".lambda-url.{}.{host}{port}/", self.region)
    }

    fn prefix(&self, kind: u8) -> Key {
        let space = Space::new(self.account, "deploy");
        space.key(kind).str(self.region.as_str()).str(self.stack)
    }

    fn resource(&self, id: &str) -> Key {
        self.prefix(RESOURCE).str(id)
    }

    fn leftover(&self, id: &str, generation: u64) -> Key {
        self.prefix(LEFTOVER).str(id).u64(generation)
    }

    /// The resources, by logical id.
    pub(crate) async fn resources(&self) -> store::Result<BTreeMap<String, Entry>> {
        let prefix = self.prefix(RESOURCE);
        let mut found = BTreeMap::new();
        for (key, bytes) in self.store.scan(prefix.prefix(), Dir::Forward, ROWS_MAX).await? {
            let id = key.after(&prefix)?.str()?;
            found.insert(id, self.entry(&key, &bytes).await?);
        }
        Ok(found)
    }

    /// What was replaced and waits to be deleted.
    pub(crate) async fn leftovers(&self) -> store::Result<Vec<(String, Entry)>> {
        let prefix = self.prefix(LEFTOVER);
        let mut found = Vec::new();
        for (key, bytes) in self.store.scan(prefix.prefix(), Dir::Forward, ROWS_MAX).await? {
            let id = key.after(&prefix)?.str()?;
            found.push((id, self.entry(&key, &bytes).await?));
        }
        Ok(found)
    }

    async fn entry(&self, key: &Key, bytes: &[u8]) -> store::Result<Entry> {
        let row: Row = store::decode(key, bytes)?;
        let text = row.properties.load(self.store).await?;
        let properties = serde_json::from_slice(&text)
            .map_err(|error| store::Error::corrupt(key.to_string(), error))?;
        Ok(Entry {
            kind: row.kind,
            made: row.made.replaced(URL_END, &self.url_end()).replaced(ENDPOINT, self.endpoint),
            properties,
            ready: row.ready,
            position: row.position,
            generation: row.generation,
            retain: row.retain,
        })
    }

    /// Notes a resource.
    pub(crate) async fn put(&self, id: &str, entry: &Entry) -> store::Result<()> {
        self.write(self.resource(id), Some(entry), None).await
    }

    /// Notes a resource in place of `old`, which from now on waits to be deleted.
    pub(crate) async fn replace(&self, id: &str, old: &Entry, new: &Entry) -> store::Result<()> {
        self.write(self.leftover(id, old.generation), Some(old), None).await?;
        self.put(id, new).await
    }

    /// Undoes [`State::replace`].
    pub(crate) async fn restore(&self, id: &str, old: &Entry) -> store::Result<()> {
        self.write(self.resource(id), Some(old), Some(self.leftover(id, old.generation))).await
    }

    pub(crate) async fn remove(&self, id: &str) -> store::Result<()> {
        self.write(self.resource(id), None, None).await
    }

    pub(crate) async fn remove_leftover(&self, id: &str, generation: u64) -> store::Result<()> {
        self.write(self.leftover(id, generation), None, None).await
    }

    /// Sets or clears one record and clears another, in one transaction.
    async fn write(
        &self,
        key: Key,
        entry: Option<&Entry>,
        cleared: Option<Key>,
    ) -> store::Result<()> {
        let staged = match entry {
            Some(entry) => {
                let text = serde_json::to_vec(&entry.properties)
                    .map_err(|error| store::Error::corrupt(key.to_string(), error))?;
                Some(Body::stage(self.store, self.account, text.into()).await?)
            }
            None => None,
        };
        let (endpoint, url_end) = (self.endpoint, &self.url_end());
        let (key, staged, cleared) = (&key, &staged, &cleared);
        self.store
            .transact(self.account, |tx| async move {
                clear(&tx, key).await?;
                if let Some(cleared) = cleared {
                    clear(&tx, cleared).await?;
                }
                if let (Some(entry), Some(staged)) = (entry, staged) {
                    let row = Row {
                        kind: entry.kind.clone(),
                        made: entry.made.replaced(url_end, URL_END).replaced(endpoint, ENDPOINT),
                        properties: staged.link(&tx, key),
                        ready: entry.ready,
                        position: entry.position,
                        generation: entry.generation,
                        retain: entry.retain,
                    };
                    tx.put_record(key.clone(), &row)?;
                }
                Ok(())
            })
            .await
    }
}

async fn clear(tx: &Tx, key: &Key) -> store::Result<()> {
    if let Some(row) = tx.get_record::<Row>(key).await? {
        row.properties.unlink(tx, key).await?;
        tx.delete(key.clone());
    }
    Ok(())
}
