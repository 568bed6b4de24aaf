//! A stream of two shards, as a service would have it. Its records are of items `k0`, `k1` and so
//! on; an item is in the shard, and in the lane, that its number says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Arn, BoxFuture, Clock, Sequence, Time};
use kit::streams::{About, Ask, Numbered, Page, Stream, Wake};
use serde_json::{Value, json};
use tokio::sync::watch;

pub(crate) const STREAM: &str =
    "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-11-01T00:00:00.000";
pub(crate) const SECOND_STREAM: &str =
    "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-11-02T00:00:00.000";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) struct River {
    clock: Arc<dyn Clock>,
    numbers: Sequence,
    written: Mutex<Vec<Written>>,
    /// The streams that are closed, in the order in which they were.
    closed: Mutex<Vec<String>>,
    pub(crate) reads: Mutex<usize>,
    /// What reading fails with, as often as there are such.
    pub(crate) faults: Mutex<VecDeque<kit::Error>>,
    /// The first stream is gone, as closed ones are after a day.
    gone: Mutex<bool>,
    changes: watch::Sender<()>,
}

#[derive(Clone)]
struct Written {
    stream: String,
    number: u64,
    item: u64,
    record: Value,
}

impl River {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> River {
        River {
            clock: Arc::clone(clock),
            numbers: Sequence::default(),
            written: Mutex::default(),
            closed: Mutex::default(),
            reads: Mutex::default(),
            faults: Mutex::default(),
            gone: Mutex::default(),
            changes: watch::Sender::default(),
        }
    }

    /// Writes changes of items: `k0=a` or, larger than its text, with so many bytes more.
    pub(crate) fn write(&self, changes: &[&str]) {
        for change in changes {
            self.put(STREAM, change, 0);
        }
        self.changes.send_replace(());
    }

    pub(crate) fn write_to(&self, stream: &str, change: &str, bytes: usize) {
        self.put(stream, change, bytes);
        self.changes.send_replace(());
    }

    fn put(&self, stream: &str, change: &str, bytes: usize) {
        let (item, value) = change.split_once('=').unwrap();
        let number = self.numbers.next(self.clock.now());
        let record = json!({
            "eventID": number.to_string(),
            "eventName": if value.starts_with('-') { "REMOVE" } else { "INSERT" },
            "dynamodb": {
                "Keys": { "id": { "S": item } },
                "NewImage": { "v": { "S": value }, "more": { "S": "x".repeat(bytes) } },
                "SequenceNumber": sequence(number),
            },
            "eventSourceARN": stream,
        });
        let item = item[1..].parse().unwrap();
        let stream = stream.to_owned();
        self.written.lock().unwrap().push(Written { stream, number, item, record });
    }

    /// Has what another has, as after a restart.
    pub(crate) fn take_over(&self, other: &River) {
        self.written.lock().unwrap().clone_from(&other.written.lock().unwrap());
        self.numbers.raise(other.numbers.last());
        self.changes.send_replace(());
    }

    /// The sequence number of a change.
    pub(crate) fn sequence_of(&self, value: &str) -> String {
        let written = self.written.lock().unwrap();
        let found =
            written.iter().find(|one| one.record["dynamodb"]["NewImage"]["v"]["S"] == value);
        sequence(found.unwrap().number)
    }

    /// Closes the first stream; the second takes its place.
    pub(crate) fn close(&self) {
        self.closed.lock().unwrap().push(STREAM.to_owned());
        self.changes.send_replace(());
    }

    /// Nothing is known of the first stream any more but what comes after it.
    pub(crate) fn lose(&self) {
        self.closed.lock().unwrap().push(STREAM.to_owned());
        *self.gone.lock().unwrap() = true;
        self.changes.send_replace(());
    }

    fn known(&self, stream: &Arn) -> Result<String, kit::Error> {
        let text = stream.to_string();
        let is_gone = text == STREAM && *self.gone.lock().unwrap();
        match (text == STREAM || text == SECOND_STREAM) && !is_gone {
            true => Ok(text),
            false => Err(kit::Error::sender("ResourceNotFoundException", "no such stream")),
        }
    }

    fn horizon(&self) -> u64 {
        let now = self.clock.now().as_millis();
        Sequence::first_at(Time::from_millis(now - u64::try_from(DAY.as_millis()).unwrap()))
    }
}

fn sequence(number: u64) -> String {
    format!("1{number:020}")
}

impl Stream for River {
    fn about<'a>(&'a self, stream: &'a Arn) -> BoxFuture<'a, Result<About, kit::Error>> {
        Box::pin(async move {
            let stream = self.known(stream)?;
            let shards = (0..2).map(|shard| format!("{}-{shard}", &stream[stream.len() - 23..]));
            let latest = self.numbers.next(self.clock.now());
            Ok(About { shards: shards.collect(), latest, kept: DAY })
        })
    }

    fn read<'a>(
        &'a self,
        stream: &'a Arn,
        ask: Ask<'a>,
    ) -> BoxFuture<'a, Result<Page, kit::Error>> {
        Box::pin(async move {
            *self.reads.lock().unwrap() += 1;
            if let Some(fault) = self.faults.lock().unwrap().pop_front() {
                return Err(fault);
            }
            let stream = self.known(stream)?;
            let shard: u64 = ask.shard.rsplit('-').next().unwrap().parse().unwrap();
            let decided = self.numbers.next(self.clock.now());
            let from = ask.from.max(self.horizon());
            let mut page = Page { trimmed: ask.from != 0 && ask.from < from, ..Page::default() };
            let mut bytes = 0;
            let written = self.written.lock().unwrap();
            let of_shard = written
                .iter()
                .filter(|one| one.stream == stream && one.number >= from && one.item % 2 == shard);
            for one in of_shard {
                if page.records.len() >= ask.records_max || bytes >= ask.bytes_max {
                    return Ok(page);
                }
                page.next = one.number + 1;
                if one.item / 2 % ask.lane.1 != ask.lane.0 {
                    continue;
                }
                bytes += one.record.to_string().len();
                page.records.push(Numbered {
                    number: one.number,
                    sequence: sequence(one.number),
                    at: Sequence::time_of(one.number),
                    record: one.record.clone(),
                });
            }
            page.next = decided;
            page.whole = true;
            page.ended = self.closed.lock().unwrap().contains(&stream);
            Ok(page)
        })
    }

    fn watch<'a>(
        &'a self,
        stream: &'a Arn,
        shard: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Box<dyn Wake>, kit::Error>> {
        Box::pin(async move {
            if shard.is_some() {
                self.known(stream)?;
            }
            let wake: Box<dyn Wake> = Box::new(Change(self.changes.subscribe()));
            Ok(wake)
        })
    }

    fn successor<'a>(&'a self, stream: &'a Arn) -> BoxFuture<'a, Result<Option<Arn>, kit::Error>> {
        Box::pin(async move {
            let closed = self.closed.lock().unwrap().contains(&stream.to_string());
            Ok(closed.then(|| SECOND_STREAM.parse().unwrap()))
        })
    }
}

struct Change(watch::Receiver<()>);

impl Wake for Change {
    fn changed(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.0.changed().await.unwrap() })
    }
}
