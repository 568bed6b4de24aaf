//! Finding lines, in memory and stored.

use std::sync::Arc;

use base::{Sequence, Time};
use bytes::Bytes;
use store::{Dir, Error, Limit, Result, decode};

use crate::GroupName;
use crate::block;
use crate::buffer::Line;
use crate::data::{self, Part};
use crate::logs::LogStore;

/// What one page may hold in text.
const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Blocks looked at for one page; a search that finds little ends its page there.
const BLOCKS_MAX: usize = 256;
/// Stored values read from the engine at once.
const SCAN_ITEMS: usize = 16;

/// Which lines are wanted.
pub struct Query<'a> {
    pub group: &'a GroupName,
    pub streams: Streams<'a>,
    /// Not before.
    pub from: Option<Time>,
    /// Not after.
    pub until: Option<Time>,
    /// Those whose text it likes.
    pub wanted: &'a (dyn Fn(&str) -> bool + Sync),
    pub dir: Dir,
    /// Lines with this number or, in the direction of the query, behind it.
    pub position: Option<u64>,
    pub limit: usize,
}

/// Of which streams.
pub enum Streams<'a> {
    All,
    Prefix(&'a str),
    Named(&'a [String]),
}

/// A line that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Grows with time, and is unique among all lines.
    pub number: u64,
    pub time: Time,
    pub stream: Arc<str>,
    pub request_id: Option<Arc<str>>,
    pub text: String,
}

/// Lines in the order of the query.
#[derive(Debug, Default)]
pub struct Page {
    pub lines: Vec<Found>,
    /// The position to go on at, where the page was cut. A page may be cut before it has a line.
    pub next: Option<u64>,
}

impl LogStore {
    /// Lines of a group, whether stored or still in memory.
    ///
    /// # Errors
    /// If the engine fails or what it holds is damaged.
    pub async fn read(&self, query: &Query<'_>) -> Result<Page> {
        let (low, high) = bounds(query);
        if low > high {
            return Ok(Page::default());
        }
        // Memory first: a line on its way to the engine is then seen twice, never missed.
        let fresh = self.fresh(query.group, low, high);
        let mut search = Search { query, low, high, page: Page::default(), bytes: 0 };
        match query.dir {
            Dir::Forward => {
                let newest = fresh.first().map_or(high, |line| line.number.saturating_sub(1));
                if self.stored(&mut search, newest).await? {
                    search.take(fresh);
                }
            }
            Dir::Backward => {
                let newest = fresh.first().map_or(high, |line| line.number.saturating_sub(1));
                if search.take(fresh) {
                    self.stored(&mut search, newest).await?;
                }
            }
        }
        Ok(search.page)
    }

    fn fresh(&self, group: &GroupName, low: u64, high: u64) -> Vec<Line> {
        let buffer = self.0.buffer();
        let lines = buffer.groups.get(group).map_or(&[][..], |pending| &pending.lines);
        let from = lines.partition_point(|line| line.number < low);
        lines[from..].iter().take_while(|line| line.number <= high).cloned().collect()
    }

    /// Searches stored blocks for lines up to `newest`; `false` if the page ended.
    async fn stored(&self, search: &mut Search<'_>, newest: u64) -> Result<bool> {
        let blocks = data::blocks_key(search.query.group);
        let dir = search.query.dir;
        // A block is named by its first line: the one before the range may reach into it.
        let before = blocks.prefix().through(&blocks.clone().u64(search.low));
        let first = self.0.engine.scan(before, Dir::Backward, Limit::items(1)).await?;
        let start = match first.entries.first() {
            Some((key, _)) => key.after(&blocks)?.u64()?,
            None => search.low,
        };
        let newest = newest.min(search.high);
        let all = blocks.prefix().from(blocks.clone().u64(start));
        let mut range = all.through(&blocks.clone().u64(newest));
        let mut looked_at = 0;
        let mut gathered = Gathered::default();
        loop {
            let page = self.0.engine.scan(range.clone(), dir, Limit::items(SCAN_ITEMS)).await?;
            let last = page.entries.last().map(|(key, _)| key.clone());
            for (key, value) in page.entries {
                let number = key.after(&blocks)?.u64()?;
                let Some(bytes) = gathered.add(number, decode(&key, &value)?, dir)? else {
                    continue;
                };
                let mut lines = block::decode(&bytes)?;
                lines.retain(|line| line.number <= newest);
                let next = match dir {
                    Dir::Forward => lines.last().map(|line| line.number + 1),
                    Dir::Backward => number.checked_sub(1),
                };
                if !search.take(lines) {
                    return Ok(false);
                }
                looked_at += 1;
                if looked_at >= BLOCKS_MAX {
                    search.page.next = next;
                    return Ok(false);
                }
            }
            match last {
                Some(last) if page.more => {
                    range = match dir {
                        Dir::Forward => range.after(&last),
                        Dir::Backward => range.before(last),
                    }
                }
                _ => return Ok(true),
            }
        }
    }
}

/// The numbers a query is about: the first and the last.
fn bounds(query: &Query<'_>) -> (u64, u64) {
    let mut low = query.from.map_or(0, Sequence::first_at);
    let after = |until: Time| Sequence::first_at(until + std::time::Duration::from_millis(1));
    let mut high = query.until.map_or(u64::MAX - 1, |until| after(until).saturating_sub(1));
    match (query.position, query.dir) {
        (Some(at), Dir::Forward) => low = low.max(at),
        (Some(at), Dir::Backward) => high = high.min(at),
        (None, _) => {}
    }
    (low, high)
}

/// A page in the making.
struct Search<'a> {
    query: &'a Query<'a>,
    low: u64,
    high: u64,
    page: Page,
    bytes: usize,
}

impl Search<'_> {
    /// Adds those of the lines, given oldest first, that are wanted; `false` if the page ended.
    fn take(&mut self, mut lines: Vec<Line>) -> bool {
        if self.query.dir == Dir::Backward {
            lines.reverse();
        }
        for line in lines {
            if !self.wants(&line) {
                continue;
            }
            let full = self.bytes + line.bytes() > PAGE_BYTES_MAX && !self.page.lines.is_empty();
            if full || self.page.lines.len() >= self.query.limit {
                self.page.next = Some(line.number);
                return false;
            }
            self.bytes += line.bytes();
            let Line { number, time, stream, request_id, text } = line;
            self.page.lines.push(Found { number, time, stream, request_id, text });
        }
        true
    }

    fn wants(&self, line: &Line) -> bool {
        let stream = match &self.query.streams {
            Streams::All => true,
            Streams::Prefix(prefix) => line.stream.starts_with(prefix),
            Streams::Named(names) => names.iter().any(|name| **name == *line.stream),
        };
        (self.low..=self.high).contains(&line.number) && stream && (self.query.wanted)(&line.text)
    }
}

/// The parts of a block, until all of them are there.
#[derive(Default)]
struct Gathered {
    number: u64,
    parts: Vec<Bytes>,
}

impl Gathered {
    fn add(&mut self, number: u64, part: Part, dir: Dir) -> Result<Option<Vec<u8>>> {
        if self.number != number {
            *self = Gathered { number, parts: Vec::new() };
        }
        self.parts.push(part.bytes);
        if self.parts.len() > usize::from(part.parts) {
            return Err(Error::corrupt("block of log lines", "it has too many parts"));
        }
        if self.parts.len() < usize::from(part.parts) {
            return Ok(None);
        }
        let mut parts = std::mem::take(&mut self.parts);
        if dir == Dir::Backward {
            parts.reverse();
        }
        Ok(Some(parts.concat()))
    }
}
