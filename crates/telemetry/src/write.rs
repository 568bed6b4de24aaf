//! From memory into the engine, and out of the engine when it is old.

use std::collections::HashMap;
use std::sync::Arc;

use base::{Sequence, Time};
use bytes::Bytes;
use store::{
    Batch, Dir, Engine, Error, Key, Limit, Record, Result, VALUE_BYTES_MAX, decode, encode,
};

use crate::block::{self, TEXT_BYTES_MAX};
use crate::buffer::Line;
use crate::data::{self, Aged, Group, Part, Stream};
use crate::logs::Inner;
use crate::{GroupName, StreamName};

/// A part of a block, with room for what a record adds.
const PART_BYTES_MAX: usize = VALUE_BYTES_MAX - 1024;
/// Streams whose record is known without asking the engine.
const STREAMS_KNOWN_MAX: usize = 1024;
/// Blocks forgotten in one go.
const FORGET_BLOCKS_MAX: usize = 256;

/// What only the one who changes what is stored may see.
pub(crate) struct Writer {
    /// Compressed bytes of all blocks.
    bytes: u64,
    streams: HashMap<Key, Stream>,
}

impl Writer {
    pub(crate) async fn open(engine: &dyn Engine) -> Result<Writer> {
        let mut writer = Writer { bytes: 0, streams: HashMap::new() };
        let mut range = data::ages_key().prefix();
        loop {
            let page = engine.scan(range.clone(), Dir::Forward, Limit::items(1024)).await?;
            for (key, value) in &page.entries {
                writer.bytes += decode::<Aged>(key, value)?.bytes;
            }
            match page.entries.last() {
                Some((last, _)) if page.more => range = range.after(last),
                _ => return Ok(writer),
            }
        }
    }

    /// What was known of streams may not be true any more.
    pub(crate) fn forget_streams(&mut self) {
        self.streams.clear();
    }
}

impl Inner {
    pub(crate) async fn get<R: Record>(&self, key: &Key) -> Result<Option<R>> {
        self.engine.get(key).await?.map(|bytes| decode(key, &bytes)).transpose()
    }

    pub(crate) async fn commit(&self, batch: Batch) -> Result<()> {
        batch.check()?;
        self.engine.commit(&data::shard(), self.epoch, Arc::new(batch)).await
    }

    /// Stores what is in memory, group by group, and forgets what is too old or too much.
    pub(crate) async fn flush(&self) -> Result<()> {
        let mut writer = self.writer.lock().await;
        let groups: Vec<GroupName> = self.buffer().groups.keys().cloned().collect();
        for group in groups {
            self.flush_group(&mut writer, &group).await?;
        }
        self.forget_old(&mut writer).await
    }

    async fn flush_group(&self, writer: &mut Writer, name: &GroupName) -> Result<()> {
        // One block at a time: its lines stay in memory, and readable there, until it is stored.
        while let Some(lines) = self.next_block(name) {
            let mut batch = Batch::default();
            let bytes = put_block(&mut batch, name, &lines)?;
            let group_key = data::group_key(name);
            let created = lines.first().map_or_else(Time::default, |line| line.time);
            let mut group = self.get(&group_key).await?.unwrap_or(Group { created, bytes: 0 });
            group.bytes += bytes;
            batch.write(group_key, Some(encode(&group)?));
            for (key, stream) in self.touched_streams(writer, name, &lines).await? {
                batch.write(key.clone(), Some(encode(&stream)?));
                writer.streams.insert(key, stream);
            }
            self.commit(batch).await?;
            writer.bytes += bytes;
            self.buffer().stored(name);
        }
        Ok(())
    }

    fn next_block(&self, name: &GroupName) -> Option<Vec<Line>> {
        let mut buffer = self.buffer();
        let pending = buffer.groups.get_mut(name)?;
        let mut bytes = 0;
        let fits = pending.lines.iter().take_while(|line| {
            let first = bytes == 0;
            bytes += line.bytes();
            first || bytes <= TEXT_BYTES_MAX
        });
        pending.writing = fits.count();
        let lines = pending.lines[..pending.writing].to_vec();
        (!lines.is_empty()).then_some(lines)
    }

    /// The records of the streams that wrote these lines, brought up to date.
    async fn touched_streams(
        &self,
        writer: &mut Writer,
        name: &GroupName,
        lines: &[Line],
    ) -> Result<HashMap<Key, Stream>> {
        if writer.streams.len() > STREAMS_KNOWN_MAX {
            writer.forget_streams();
        }
        let mut touched: HashMap<Key, Stream> = HashMap::new();
        for run in lines.chunk_by(|one, next| Arc::ptr_eq(&one.stream, &next.stream)) {
            let (Some(line), Some(last)) = (run.first(), run.last()) else { continue };
            let stream = StreamName { group: name.clone(), name: line.stream.to_string() };
            let key = data::stream_key(&stream);
            let record = match touched.get_mut(&key) {
                Some(record) => record,
                None => {
                    let known = match writer.streams.get(&key) {
                        Some(known) => Some(known.clone()),
                        None => self.get(&key).await?,
                    };
                    let fresh = Stream { created: line.time, lines: None };
                    touched.entry(key).or_insert_with(|| known.unwrap_or(fresh))
                }
            };
            let first = record.lines.map_or(line.time, |(first, _)| first);
            record.lines = Some((first, last.time));
        }
        Ok(touched)
    }

    /// Forgets the oldest blocks beyond the limits of age and size.
    async fn forget_old(&self, writer: &mut Writer) -> Result<()> {
        let horizon = Sequence::first_at(self.clock.now() - self.config.age_max);
        let ages = data::ages_key();
        loop {
            let limit = Limit::items(FORGET_BLOCKS_MAX);
            let page = self.engine.scan(ages.prefix(), Dir::Forward, limit).await?;
            let mut batch = Batch::default();
            let mut left = writer.bytes;
            let mut freed: HashMap<GroupName, u64> = HashMap::new();
            for (key, value) in page.entries {
                let number = key.after(&ages)?.u64()?;
                if number >= horizon && left <= self.config.bytes_max {
                    break;
                }
                let Aged { account, region, group, parts, bytes } = decode(&key, &value)?;
                let name = GroupName { account, region, name: group };
                delete_block(&mut batch, &name, number, parts);
                left = left.saturating_sub(bytes);
                *freed.entry(name).or_default() += bytes;
            }
            if batch.is_empty() {
                return Ok(());
            }
            for (name, bytes) in freed {
                let key = data::group_key(&name);
                if let Some(group) = self.get::<Group>(&key).await? {
                    let group = Group { bytes: group.bytes.saturating_sub(bytes), ..group };
                    batch.write(key, Some(encode(&group)?));
                }
            }
            self.commit(batch).await?;
            writer.bytes = left;
        }
    }

    /// Deletes every block of a group. Whoever deletes a group does it in this order, so that an
    /// interrupted deletion can be done again.
    pub(crate) async fn delete_blocks(&self, writer: &mut Writer, name: &GroupName) -> Result<()> {
        let blocks = data::blocks_key(name);
        loop {
            let limit = Limit::items(FORGET_BLOCKS_MAX);
            let page = self.engine.scan(blocks.prefix(), Dir::Forward, limit).await?;
            let mut batch = Batch::default();
            let mut freed = 0;
            for (key, _) in page.entries {
                let age = data::ages_key().u64(key.after(&blocks)?.u64()?);
                if batch.get(&age).is_none() {
                    freed += self.get::<Aged>(&age).await?.map_or(0, |aged| aged.bytes);
                    batch.write(age, None);
                }
                batch.write(key, None);
            }
            if batch.is_empty() {
                return Ok(());
            }
            self.commit(batch).await?;
            writer.bytes = writer.bytes.saturating_sub(freed);
        }
    }
}

fn put_block(batch: &mut Batch, name: &GroupName, lines: &[Line]) -> Result<u64> {
    let compressed = block::encode(lines)?;
    let number = lines.first().map_or(0, |line| line.number);
    let parts = u8::try_from(compressed.chunks(PART_BYTES_MAX).count())
        .map_err(|_| Error::corrupt("new block of log lines", "it has too many parts"))?;
    for (part, bytes) in (0..parts).zip(compressed.chunks(PART_BYTES_MAX)) {
        let value = encode(&Part { parts, bytes: Bytes::copy_from_slice(bytes) })?;
        batch.write(data::blocks_key(name).u64(number).u8(part), Some(value));
    }
    let bytes = compressed.len() as u64;
    let GroupName { account, region, name: group } = name.clone();
    let aged = Aged { account, region, group, parts, bytes };
    batch.write(data::ages_key().u64(number), Some(encode(&aged)?));
    Ok(bytes)
}

fn delete_block(batch: &mut Batch, name: &GroupName, number: u64, parts: u8) {
    for part in 0..parts {
        batch.write(data::blocks_key(name).u64(number).u8(part), None);
    }
    batch.write(data::ages_key().u64(number), None);
}
