//! Groups and streams by name.

use std::collections::BTreeMap;

use base::{AccountId, Region};
use store::{Batch, Dir, Limit, Result, decode, encode};

use crate::data::{self, Group, Stream};
use crate::logs::LogStore;
use crate::{GroupName, StreamName};

/// Records read from the engine at once.
const SCAN_ITEMS: usize = 1024;

impl LogStore {
    /// Makes a group; `false` if it is there already.
    ///
    /// # Errors
    /// If the engine fails.
    pub async fn create_group(&self, name: &GroupName) -> Result<bool> {
        let _writer = self.0.writer.lock().await;
        if self.group(name).await?.is_some() {
            return Ok(false);
        }
        let group = Group { created: self.0.clock.now(), bytes: 0 };
        let mut batch = Batch::default();
        batch.write(data::group_key(name), Some(encode(&group)?));
        self.0.commit(batch).await.map(|()| true)
    }

    /// Makes a stream in a group that exists; `false` if it is there already.
    ///
    /// # Errors
    /// If the engine fails.
    pub async fn create_stream(&self, name: &StreamName) -> Result<bool> {
        let _writer = self.0.writer.lock().await;
        if self.stream(name).await?.is_some() {
            return Ok(false);
        }
        let stream = Stream { created: self.0.clock.now(), lines: None };
        let mut batch = Batch::default();
        batch.write(data::stream_key(name), Some(encode(&stream)?));
        self.0.commit(batch).await.map(|()| true)
    }

    /// Deletes a group with its streams and lines; `false` if there is none.
    ///
    /// # Errors
    /// If the engine fails.
    pub async fn delete_group(&self, name: &GroupName) -> Result<bool> {
        let mut writer = self.0.writer.lock().await;
        let found = self.group(name).await?.is_some();
        self.0.buffer().forget(name);
        writer.forget_streams();
        self.0.delete_blocks(&mut writer, name).await?;
        loop {
            let range = data::streams_key(name).prefix();
            let page = self.0.engine.scan(range, Dir::Forward, Limit::items(SCAN_ITEMS)).await?;
            let mut batch = Batch::default();
            for (key, _) in page.entries {
                batch.write(key, None);
            }
            // The group goes with the last of its streams: until then it can be deleted again.
            if !page.more {
                batch.write(data::group_key(name), None);
            }
            self.0.commit(batch).await?;
            if !page.more {
                return Ok(found);
            }
        }
    }

    /// A group, whether its lines are stored or still in memory.
    ///
    /// # Errors
    /// If the engine fails.
    pub async fn group(&self, name: &GroupName) -> Result<Option<Group>> {
        let fresh = {
            let buffer = self.0.buffer();
            let first = buffer.groups.get(name).and_then(|pending| pending.lines.first());
            first.map(|line| Group { created: line.time, bytes: 0 })
        };
        Ok(self.0.get(&data::group_key(name)).await?.or(fresh))
    }

    /// A stream, whether its lines are stored or still in memory.
    ///
    /// # Errors
    /// If the engine fails.
    pub async fn stream(&self, name: &StreamName) -> Result<Option<Stream>> {
        let fresh = self.fresh_streams(&name.group).remove(&name.name);
        let stored = self.0.get(&data::stream_key(name)).await?;
        Ok(merged(stored, fresh))
    }

    /// Groups of an account and region by name, those that begin with `prefix` and come after
    /// `after`; up to `limit`.
    ///
    /// # Errors
    /// If the engine fails.
    pub async fn groups(
        &self,
        account: &AccountId,
        region: &Region,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Group)>> {
        let wanted =
            |name: &str| name.starts_with(prefix) && after.is_none_or(|after| name > after);
        let mut found = BTreeMap::new();
        for (name, pending) in &self.0.buffer().groups {
            let here = name.account == *account && name.region == *region;
            if let Some(line) = pending.lines.first().filter(|_| here && wanted(&name.name)) {
                found.insert(name.name.clone(), Group { created: line.time, bytes: 0 });
            }
        }
        let names = data::groups_key(account, region);
        let mut range = names.prefix().from(names.clone().str(prefix.max(after.unwrap_or(""))));
        let mut stored = 0;
        loop {
            let page = self.0.engine.scan(range.clone(), Dir::Forward, Limit::items(64)).await?;
            let Some(last) = page.entries.last().map(|(key, _)| key.clone()) else { break };
            for (key, value) in page.entries {
                let name = key.after(&names)?.str()?;
                if wanted(&name) {
                    found.insert(name, decode(&key, &value)?);
                    stored += 1;
                }
            }
            if !page.more || stored >= limit {
                break;
            }
            range = range.after(&last);
        }
        Ok(found.into_iter().take(limit).collect())
    }

    /// All streams of a group by name, those that begin with `prefix`.
    ///
    /// # Errors
    /// If the engine fails.
    pub async fn streams(
        &self,
        name: &GroupName,
        prefix: &str,
    ) -> Result<BTreeMap<String, Stream>> {
        let mut found: BTreeMap<String, Stream> = BTreeMap::new();
        let mut fresh = self.fresh_streams(name);
        let names = data::streams_key(name);
        let mut range = names.prefix().from(names.clone().str(prefix));
        loop {
            let limit = Limit::items(SCAN_ITEMS);
            let page = self.0.engine.scan(range.clone(), Dir::Forward, limit).await?;
            let Some(last) = page.entries.last().map(|(key, _)| key.clone()) else { break };
            for (key, value) in page.entries {
                let name = key.after(&names)?.str()?;
                let both = merged(Some(decode(&key, &value)?), fresh.remove(&name));
                found.extend(both.map(|stream| (name, stream)));
            }
            if !page.more {
                break;
            }
            range = range.after(&last);
        }
        found.extend(fresh);
        found.retain(|name, _| name.starts_with(prefix));
        Ok(found)
    }

    fn fresh_streams(&self, name: &GroupName) -> BTreeMap<String, Stream> {
        let mut found: BTreeMap<String, Stream> = BTreeMap::new();
        let buffer = self.0.buffer();
        for line in buffer.groups.get(name).map_or(&[][..], |pending| &pending.lines) {
            match found.get_mut(&*line.stream) {
                Some(stream) => stream.lines = stream.lines.map(|(first, _)| (first, line.time)),
                None => {
                    let lines = Some((line.time, line.time));
                    found.insert(line.stream.to_string(), Stream { created: line.time, lines });
                }
            }
        }
        found
    }
}

/// What is stored of a stream, with what is not stored yet.
fn merged(stored: Option<Stream>, fresh: Option<Stream>) -> Option<Stream> {
    match (stored, fresh) {
        (Some(stored), Some(fresh)) => {
            let lines = match (stored.lines, fresh.lines) {
                (Some((first, _)), Some((_, last))) => Some((first, last)),
                (one, other) => one.or(other),
            };
            Some(Stream { lines, ..stored })
        }
        (stored, fresh) => stored.or(fresh),
    }
}
