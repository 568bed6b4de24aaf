//! What may be asked of streams, and the texts that stand for places in them.

use std::time::Duration;

use base::{Sequence, Time};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::api::stream::StreamSpecification;
use crate::data::stream::{OfTable, SHARDS_MAX, Stream, View};
use crate::data::{Settings, Table};
use crate::error::Error;
use crate::rules::Violations;

/// How long an iterator can be used, in milliseconds.
const ITERATOR_MILLIS: u64 = 15 * 60 * 1000;
/// Numbers are this long, so that their texts are ordered as they are.
const NUMBER_DIGITS: usize = 20;
const SHARD_PREFIX: &str = "shardId-";

/// Notes what the API's model says against a stream of a table.
pub(crate) fn check(violations: &mut Violations, given: Option<&StreamSpecification>) {
    let Some(given) = given else { return };
    violations.required("streamSpecification.streamEnabled", given.stream_enabled.is_some());
    let names = View::NAMES.map(|(name, _)| name);
    let view = given.stream_view_type.as_deref();
    violations.one_of("streamSpecification.streamViewType", view, &names);
}

/// The view of a stream that is wanted; none if none is wanted.
pub(crate) fn wanted(given: &StreamSpecification) -> Result<Option<View>, Error> {
    let view = given.stream_view_type.as_deref();
    let view = View::NAMES.iter().find(|(name, _)| Some(*name) == view).map(|(_, view)| *view);
    match (given.stream_enabled == Some(true), view) {
        (true, None) => {
            Err(Error::invalid("If stream is being enabled then UpdateViewType is required"))
        }
        (false, Some(_)) => Err(Error::invalid(
            "If stream is being disabled, then UpdateViewType must not be specified",
        )),
        (_, view) => Ok(view),
    }
}

/// The stream a table has after a change, or a word of AWS's why not.
pub(crate) fn changed(
    table: &Table,
    given: &StreamSpecification,
    number: u64,
    now: Time,
) -> Result<OfTable, Error> {
    let name = &table.name;
    match (wanted(given)?, &table.stream) {
        (Some(_), Some(stream)) if stream.enabled => Err(Error::validation(format!(
            "Table already has an enabled stream: TableName: {name}"
        ))),
        (Some(view), last) => {
            let shards = shards(&table.settings);
            Ok(OfTable {
                number,
                label: label_after(last.as_ref(), now),
                view,
                enabled: true,
                shards,
            })
        }
        (None, Some(stream)) if stream.enabled => Ok(OfTable { enabled: false, ..stream.clone() }),
        (None, _) => {
            Err(Error::validation(format!("Table has no stream to disable: TableName: {name}")))
        }
    }
}

/// As many shards as AWS makes partitions for the capacity of a table: one for each 1,000 writes or
/// 3,000 reads a second, and four for a table on demand.
pub(crate) fn shards(settings: &Settings) -> u8 {
    let Some((read, write)) = settings.throughput else { return SHARDS_MAX };
    let partitions = read.saturating_add(write.saturating_mul(3)).div_ceil(3000);
    u8::try_from(partitions).unwrap_or(SHARDS_MAX).clamp(1, SHARDS_MAX)
}

/// A label is the time, and each of a table comes after the one before.
fn label_after(last: Option<&OfTable>, now: Time) -> String {
    match last.filter(|last| last.label >= label(now)) {
        None => label(now),
        Some(last) => match time_of(&last.label) {
            Some(time) => label(time + Duration::from_millis(1)),
            // After every time of this form.
            None => last.label.clone() + "0",
        },
    }
}

/// `2026-11-21T08:00:00.000`.
const LABEL: &str = "%Y-%m-%dT%H:%M:%S%.3f";

pub(crate) fn label(time: Time) -> String {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    time.strftime(LABEL).to_string()
}

fn time_of(label: &str) -> Option<Time> {
    let time = jiff::civil::DateTime::strptime(LABEL, label).ok()?;
    let millis = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond();
    Some(Time::from_millis(u64::try_from(millis).ok()?))
}

/// A number as clients have it.
pub(crate) fn sequence(number: u64) -> String {
    format!("1{number:0NUMBER_DIGITS$}")
}

/// The number a client means.
pub(crate) fn number_of(sequence: &str) -> Option<u64> {
    let digits = sequence.strip_prefix('1').filter(|digits| digits.len() == NUMBER_DIGITS)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

pub(crate) fn shard_id(stream: &Stream, shard: u8) -> String {
    let created = Sequence::time_of(stream.number).as_millis();
    format!("{SHARD_PREFIX}{created:020}-{shard:08}")
}

/// The shard of a stream that a text names.
pub(crate) fn shard_of(stream: &Stream, id: &str) -> Option<u8> {
    (0..stream.shards).find(|shard| shard_id(stream, *shard) == id)
}

/// A place in a shard, from which it is read on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Iterator {
    pub(crate) stream_arn: String,
    pub(crate) shard: u8,
    /// The first number that is to be read.
    pub(crate) from: u64,
    pub(crate) made: Time,
}

impl Iterator {
    pub(crate) fn text(&self) -> String {
        let Iterator { stream_arn, shard, from, made } = self;
        let place = format!("{shard} {from} {}", made.as_millis());
        format!("{stream_arn}|1|{}", BASE64.encode(place))
    }

    /// The place a text stands for.
    pub(crate) fn parse(text: &str) -> Option<Iterator> {
        let (stream_arn, place) = text.split_once("|1|")?;
        let place = String::from_utf8(BASE64.decode(place).ok()?).ok()?;
        let mut parts = place.split(' ');
        let shard = parts.next()?.parse().ok().filter(|shard| *shard < SHARDS_MAX)?;
        let from = parts.next()?.parse().ok()?;
        let made = Time::from_millis(parts.next()?.parse().ok()?);
        let whole = parts.next().is_none();
        whole.then(|| Iterator { stream_arn: stream_arn.to_owned(), shard, from, made })
    }

    pub(crate) fn is_expired(&self, now: Time) -> bool {
        now.as_millis().saturating_sub(self.made.as_millis()) > ITERATOR_MILLIS
    }
}
