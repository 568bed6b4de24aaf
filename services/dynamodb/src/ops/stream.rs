//! The operations of streams: listed, described, read shard by shard.

use std::sync::Arc;

use base::{Arn, Sequence, Time};
use kit::Ctx;
use sha2::Digest as _;
use store::Dir;
use wire::Epoch;

use crate::api::stream::{
    DescribeStreamInput, DescribeStreamOutput, GetRecordsInput, GetRecordsOutput,
    GetShardIteratorInput, GetShardIteratorOutput, Identity, ListStreamsInput, ListStreamsOutput,
    ListedStream, Record, SequenceNumberRange, Shard, StreamDescription, StreamRecord,
};
use crate::data::Tables;
use crate::data::stream::{Change, Event, Stream, horizon, shard_key, stream_key, streams_key};
use crate::error::Error;
use crate::item;
use crate::ops::capture::{KEYS, NEW_IMAGE, OLD_IMAGE};
use crate::ops::name;
use crate::ops::table::key_schema;
use crate::rules::Violations;
use crate::rules::stream::{Iterator, number_of, sequence, shard_id, shard_of};
use crate::value::{Item, Value, size};

const LIST_MAX: i64 = 100;
const RECORDS_MAX: i64 = 1_000;
/// How much one reply carries, and how many changes are taken from the store at a time.
const REPLY_BYTES_MAX: usize = 1024 * 1024;
const STEP_ITEMS_MAX: usize = 64;
/// How many changes of other lanes one reading passes over.
const SEEN_MAX: usize = 10_000;
/// Where an iterator from the horizon begins, wherever that is when it is used.
const FIRST: u64 = 0;
const ITERATOR_TYPES: &[&str] =
    &["TRIM_HORIZON", "LATEST", "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER", "AT_TIMESTAMP"];

pub(crate) async fn list(ctx: &Ctx, input: ListStreamsInput) -> Result<ListStreamsOutput, Error> {
    let mut violations = Violations::default();
    violations.name("tableName", input.table_name.as_deref());
    violations.range("limit", input.limit, 1, LIST_MAX);
    violations.finish()?;
    let limit = usize::try_from(input.limit.unwrap_or(LIST_MAX)).unwrap_or(0);
    let mut below = streams_key(&ctx.account, &ctx.region);
    if let Some(table) = &input.table_name {
        let Some(name) = name(ctx, table) else {
            return Ok(ListStreamsOutput { streams: Vec::new(), last_evaluated_stream_arn: None });
        };
        below = below.str(name);
    }
    let mut range = below.prefix();
    if let Some(start) = &input.exclusive_start_stream_arn {
        let (table, label) = parts(ctx, start).ok_or_else(|| no_stream(start))?;
        range = range.after(&stream_key(&ctx.account, &ctx.region, table, label));
    }
    // One more than asked for tells whether there are more.
    let found = ctx.store().scan(range, Dir::Forward, limit + 1).await?;
    let streams = found.iter().map(|(key, record)| store::decode::<Stream>(key, record));
    let streams = streams.collect::<Result<Vec<Stream>, _>>()?;
    let listed = |stream: &Stream| ListedStream {
        stream_arn: arn(ctx, stream),
        table_name: stream.table.clone(),
        stream_label: stream.label.clone(),
    };
    let last = streams.get(limit.saturating_sub(1)).filter(|_| streams.len() > limit);
    Ok(ListStreamsOutput {
        streams: streams.iter().take(limit).map(listed).collect(),
        last_evaluated_stream_arn: last.map(|last| arn(ctx, last)),
    })
}

pub(crate) async fn describe(
    ctx: &Ctx,
    input: DescribeStreamInput,
) -> Result<DescribeStreamOutput, Error> {
    let mut violations = Violations::default();
    violations.required("streamArn", input.stream_arn.is_some());
    violations.range("limit", input.limit, 1, LIST_MAX);
    let filter = input.shard_filter.as_ref().and_then(|filter| filter.kind.as_deref());
    violations.one_of("shardFilter.type", filter, &["CHILD_SHARDS"]);
    violations.finish()?;
    let stream = find(ctx, input.stream_arn.as_deref().unwrap_or_default()).await?;
    let limit = usize::try_from(input.limit.unwrap_or(LIST_MAX)).unwrap_or(0);
    let start = input.exclusive_start_shard_id.unwrap_or_default();
    let parent = input.shard_filter.as_ref().and_then(|filter| filter.shard_id.as_ref());
    if let Some(parent) = parent {
        shard_of(&stream, parent).ok_or_else(|| no_shard(&stream, parent))?;
    }
    let shard = |shard| Shard {
        shard_id: shard_id(&stream, shard),
        sequence_number_range: SequenceNumberRange {
            starting_sequence_number: sequence(stream.number),
            ending_sequence_number: stream.end.map(sequence),
        },
    };
    // Shards are never split, so none has a child.
    let shards = if filter.is_some() { 0..0 } else { 0..stream.shards };
    let mut shards: Vec<Shard> = shards.map(shard).filter(|s| s.shard_id > start).collect();
    let more = shards.len() > limit;
    shards.truncate(limit);
    let last = shards.last().filter(|_| more).map(|shard| shard.shard_id.clone());
    Ok(DescribeStreamOutput {
        stream_description: StreamDescription {
            stream_arn: arn(ctx, &stream),
            stream_label: stream.label.clone(),
            stream_status: if stream.end.is_some() { "DISABLED" } else { "ENABLED" },
            stream_view_type: stream.view.name(),
            creation_request_date_time: Epoch(stream.created),
            table_name: stream.table.clone(),
            key_schema: key_schema(&stream.schema),
            shards,
            last_evaluated_shard_id: last,
        },
    })
}

pub(crate) async fn iterator(
    ctx: &Ctx,
    input: GetShardIteratorInput,
) -> Result<GetShardIteratorOutput, Error> {
    let kind = input.shard_iterator_type.as_deref();
    let mut violations = Violations::default();
    violations.required("streamArn", input.stream_arn.is_some());
    violations.required("shardId", input.shard_id.is_some());
    violations.required("shardIteratorType", kind.is_some());
    violations.one_of("shardIteratorType", kind, ITERATOR_TYPES);
    violations.finish()?;
    let stream = find(ctx, &input.stream_arn.unwrap_or_default()).await?;
    let id = input.shard_id.unwrap_or_default();
    let shard = shard_of(&stream, &id).ok_or_else(|| no_shard(&stream, &id))?;
    let given = || {
        let text = input.sequence_number.as_deref().ok_or_else(|| {
            Error::validation(format!(
                "SequenceNumber must be specified for ShardIteratorType {}",
                kind.unwrap_or_default()
            ))
        })?;
        let number = number_of(text)
            .ok_or_else(|| Error::validation(format!("Invalid SequenceNumber: {text}")))?;
        if number < horizon(ctx.now()) { Err(Error::Trimmed) } else { Ok(number) }
    };
    let from = match kind {
        Some("LATEST") => ctx.state::<Arc<Tables>>().pending.decided(&ctx.kit),
        Some("AT_SEQUENCE_NUMBER") => given()?,
        Some("AFTER_SEQUENCE_NUMBER") => given()?.saturating_add(1),
        Some("AT_TIMESTAMP") => {
            let at = input.timestamp.ok_or_else(|| {
                Error::validation("Timestamp must be specified for ShardIteratorType AT_TIMESTAMP")
            })?;
            let number = Sequence::first_at(time(at)?);
            if number < horizon(ctx.now()) { FIRST } else { number }
        }
        _ => FIRST,
    };
    let stream_arn = arn(ctx, &stream);
    let iterator = Iterator { stream_arn, shard, from, made: ctx.now() };
    Ok(GetShardIteratorOutput { shard_iterator: iterator.text() })
}

fn time(seconds: f64) -> Result<Time, Error> {
    let duration = std::time::Duration::try_from_secs_f64(seconds);
    let duration = duration.map_err(|_| Error::validation("Invalid Timestamp"))?;
    Ok(Time::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
}

pub(crate) async fn records(ctx: &Ctx, input: GetRecordsInput) -> Result<GetRecordsOutput, Error> {
    let mut violations = Violations::default();
    violations.required("shardIterator", input.shard_iterator.is_some());
    violations.range("limit", input.limit, 1, RECORDS_MAX);
    violations.finish()?;
    let text = input.shard_iterator.unwrap_or_default();
    let place = Iterator::parse(&text).ok_or_else(|| Error::validation("Invalid ShardIterator"))?;
    let now = ctx.now();
    if place.is_expired(now) {
        return Err(Error::IteratorExpired);
    }
    let stream = find(ctx, &place.stream_arn).await?;
    let horizon = horizon(now);
    if place.from != FIRST && place.from < horizon {
        return Err(Error::Trimmed);
    }
    let limit = usize::try_from(input.limit.unwrap_or(RECORDS_MAX)).unwrap_or(0);
    let ask = Ask {
        shard: place.shard,
        from: place.from,
        records: limit,
        bytes: REPLY_BYTES_MAX,
        lane: (0, 1),
    };
    let Found { records, next, ended, .. } = read(ctx, &stream, &ask).await?;
    let next = Iterator { from: next, made: now, ..place };
    Ok(GetRecordsOutput {
        records: records.into_iter().map(|(_, record)| record).collect(),
        // A shard that is closed and read to its end has no next place.
        next_shard_iterator: (!ended).then(|| next.text()),
    })
}

/// Which changes of a shard are wanted.
pub(crate) struct Ask {
    pub(crate) shard: u8,
    pub(crate) from: u64,
    pub(crate) records: usize,
    pub(crate) bytes: usize,
    /// Only those of items in this lane of so many.
    pub(crate) lane: (u64, u64),
}

/// Changes of a shard, and where to read on.
pub(crate) struct Found {
    pub(crate) records: Vec<(u64, Record)>,
    pub(crate) next: u64,
    /// Whether there is nothing more now.
    pub(crate) whole: bool,
    /// Whether there never will be.
    pub(crate) ended: bool,
}

/// Reads changes in their order, as far as they are decided.
pub(crate) async fn read(ctx: &Ctx, stream: &Stream, ask: &Ask) -> Result<Found, Error> {
    let pending = &ctx.state::<Arc<Tables>>().pending;
    if stream.end.is_some() {
        // A write from before the end may have taken a later number and be held as undecided yet.
        pending.settled(&ctx.kit).await;
    }
    let decided = pending.decided(&ctx.kit);
    let from = ask.from.max(horizon(ctx.now()));
    let shard = shard_key(&ctx.account, stream.number, ask.shard);
    let mut range = shard.prefix().from(shard.clone().u64(from)).before(shard.clone().u64(decided));
    let (mut records, mut bytes, mut next, mut seen) = (Vec::new(), 0, from, 0);
    let whole = loop {
        let step = STEP_ITEMS_MAX.min(ask.records - records.len());
        let found = ctx.store().scan(range.clone(), Dir::Forward, step).await?;
        let last = found.len() < step;
        seen += found.len();
        for (key, change) in found {
            let number = key.after(&shard)?.u64()?;
            range = range.after(&key);
            next = number + 1;
            let change: Change = store::decode(&key, &change)?;
            let body = match change.body.load(ctx.store()).await {
                Ok(body) => body,
                // The blob of one that is trimmed meanwhile is gone, and so is the change.
                Err(_) if ctx.store().get_record::<Change>(&key).await?.is_none() => continue,
                Err(error) => return Err(error.into()),
            };
            let body = item::decode(&body)?;
            if !is_in_lane(&body, ask.lane) {
                continue;
            }
            let record = record(ctx, stream, number, &change, &body);
            bytes += record.dynamodb.size_bytes;
            records.push((number, record));
            if bytes >= ask.bytes {
                break;
            }
        }
        if last || records.len() >= ask.records || bytes >= ask.bytes || seen >= SEEN_MAX {
            break last && bytes < ask.bytes;
        }
    };
    if whole {
        // So that an iterator on which nothing comes for a day does not fall behind the horizon.
        next = next.max(decided);
    }
    let ended = stream.end.is_some_and(|end| whole && end < decided);
    Ok(Found { records, next, whole, ended })
}

/// Whether a change is of an item in a lane. Readers keep their place in each lane, so it must
/// stay as it is.
fn is_in_lane(body: &Item, (lane, lanes): (u64, u64)) -> bool {
    let Some(Value::M(keys)) = body.get(KEYS).filter(|_| lanes > 1) else { return true };
    let digest = sha2::Sha256::digest(item::encode(keys));
    let number = digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
    number % lanes == lane
}

fn record(ctx: &Ctx, stream: &Stream, number: u64, change: &Change, body: &Item) -> Record {
    let part = |name: &str| match body.get(name) {
        Some(Value::M(part)) => Some(part.clone()),
        _ => None,
    };
    let sequence = sequence(number);
    let id = format!("{:016x}{number:016x}", stream.number);
    Record {
        event_id: id,
        event_name: match change.event {
            Event::Insert => "INSERT",
            Event::Modify => "MODIFY",
            Event::Remove => "REMOVE",
        },
        event_version: "1.1",
        event_source: "aws:dynamodb",
        aws_region: ctx.region.to_string(),
        dynamodb: StreamRecord {
            approximate_creation_date_time: Epoch(Sequence::time_of(number)),
            keys: part(KEYS).unwrap_or_default(),
            size_bytes: [KEYS, NEW_IMAGE, OLD_IMAGE]
                .iter()
                .filter_map(|name| part(name))
                .map(|part| size(&part))
                .sum(),
            new_image: part(NEW_IMAGE),
            old_image: part(OLD_IMAGE),
            sequence_number: sequence,
            stream_view_type: stream.view.name(),
        },
        user_identity: change
            .expired
            .then_some(Identity { principal_id: "dynamodb.amazonaws.com", kind: "Service" }),
    }
}

/// The stream of an ARN.
pub(crate) async fn find(ctx: &Ctx, given: &str) -> Result<Stream, Error> {
    let (table, label) = parts(ctx, given).ok_or_else(|| no_stream(given))?;
    let key = stream_key(&ctx.account, &ctx.region, table, label);
    let stream = ctx.store().get_record::<Stream>(&key).await?;
    stream.ok_or_else(|| no_stream(given))
}

/// The table and the label in the ARN of a stream of ours.
pub(crate) fn parts<'a>(ctx: &Ctx, given: &'a str) -> Option<(&'a str, &'a str)> {
    let (table, label) = given.split_once(":table/")?.1.split_once("/stream/")?;
    let own = ctx.arn("dynamodb", format!("table/{table}/stream/{label}"));
    (given.parse::<Arn>().ok()? == own).then_some((table, label))
}

pub(crate) fn arn(ctx: &Ctx, stream: &Stream) -> String {
    ctx.arn("dynamodb", format!("table/{}/stream/{}", stream.table, stream.label)).to_string()
}

/// What `authorize` looks at: the stream an iterator is of.
pub(crate) fn touched_by_iterator(ctx: &Ctx, iterator: Option<&String>) -> Vec<Arn> {
    let place = iterator.and_then(|text| Iterator::parse(text));
    touched(ctx, place.map(|place| place.stream_arn).as_ref())
}

/// What `authorize` looks at: a stream by its ARN.
pub(crate) fn touched(_: &Ctx, stream: Option<&String>) -> Vec<Arn> {
    stream.and_then(|stream| stream.parse().ok()).into_iter().collect()
}

pub(crate) fn no_stream(arn: &str) -> Error {
    Error::NoStream(arn.to_owned())
}

pub(crate) fn no_shard(stream: &Stream, id: &str) -> Error {
    Error::NoShard(id.to_owned(), format!("table/{}/stream/{}", stream.table, stream.label))
}
