//! Events: the lines of one stream in order, or those of a group that match a pattern.

use base::Time;
use kit::{Ctx, unserved};
use store::Dir;
use telemetry::{Found, LogStore, Query, StreamName, Streams};

use crate::api;
use crate::error::{Error, Result};
use crate::ops::group;
use crate::rules::pattern::Pattern;
use crate::rules::{name, token};

/// Events in one answer, and the most a client may ask for.
const EVENTS_MAX: i64 = 10_000;
/// Streams one search may name.
const STREAMS_MAX: usize = 100;

/// A page of one stream. Its tokens lead on in both directions; at an end the same token comes
/// back, and gives what is written later.
pub(crate) async fn get(
    ctx: &Ctx,
    input: api::GetLogEventsInput,
) -> Result<api::GetLogEventsOutput> {
    unserved::refuse(ctx, &[("unmask", &input.unmask)])?;
    let logs: &LogStore = ctx.state();
    let name = name::stream(input.log_stream_name.as_deref())?;
    let limit = limit(input.limit)?;
    let token = input.next_token.as_deref().map(token::parse_of_stream).transpose()?;
    let default = if input.start_from_head { Dir::Forward } else { Dir::Backward };
    let (dir, position) = token.map_or((default, None), |(dir, at)| (dir, Some(at)));
    let (group, id) = (input.log_group_name.as_deref(), input.log_group_identifier.as_deref());
    let group = group::existing(ctx, group, id).await?;
    let of = StreamName { group: group.clone(), name: name.clone() };
    logs.stream(&of).await?.ok_or(Error::NoStream)?;
    // The end is not part of the span here; in FilterLogEvents it is.
    let until = input.end_time.map(|end| end.saturating_sub(1));
    let page = logs
        .read(&Query {
            group: &group,
            streams: Streams::Named(&[name]),
            from: input.start_time.map(time),
            until: until.map(time),
            wanted: &|_| true,
            dir,
            position,
            limit,
        })
        .await?;
    let mut lines = page.lines;
    if dir == Dir::Backward {
        lines.reverse();
    }
    let ends = lines.first().zip(lines.last()).map(|(first, last)| (first.number, last.number));
    let (forward, backward) = around(ends, dir, position, page.next);
    Ok(api::GetLogEventsOutput {
        events: lines.into_iter().map(show).collect(),
        next_forward_token: token::of_stream(Dir::Forward, forward),
        next_backward_token: token::of_stream(Dir::Backward, backward),
    })
}

/// The positions behind and before a page that has these first and last numbers.
fn around(
    ends: Option<(u64, u64)>,
    dir: Dir,
    position: Option<u64>,
    next: Option<u64>,
) -> (u64, u64) {
    match (ends, dir) {
        (Some((first, last)), _) => (last + 1, first.saturating_sub(1)),
        // An empty page: where it was cut, or where it began.
        (None, Dir::Forward) => {
            let at = next.or(position).unwrap_or(0);
            (at, at.saturating_sub(1))
        }
        (None, Dir::Backward) => {
            let at = next.or(position).unwrap_or(0);
            (if position.is_some() { at + 1 } else { 0 }, at)
        }
    }
}

fn show(line: Found) -> api::OutputLogEvent {
    let timestamp = line.time.as_millis();
    api::OutputLogEvent { timestamp, message: line.text, ingestion_time: timestamp }
}

/// The lines of a group that match a pattern.
pub(crate) async fn filter(
    ctx: &Ctx,
    input: api::FilterLogEventsInput,
) -> Result<api::FilterLogEventsOutput> {
    unserved::refuse(ctx, &[("unmask", &input.unmask)])?;
    if input.start_from_head == Some(false) {
        return Err(Error::not_served("logs.FilterLogEvents with startFromHead false"));
    }
    let logs: &LogStore = ctx.state();
    let pattern = Pattern::parse(input.filter_pattern.as_deref().unwrap_or_default())?;
    let limit = limit(input.limit)?;
    let position = input.next_token.as_deref().map(token::parse).transpose()?;
    let streams = match (&input.log_stream_names, &input.log_stream_name_prefix) {
        (Some(_), Some(_)) => {
            let why = "logStreamNames and logStreamNamePrefix are mutually exclusive parameters.";
            return Err(Error::InvalidParameter(why.to_owned()));
        }
        (Some(names), None) if names.is_empty() || names.len() > STREAMS_MAX => {
            let must = "Member must have length between 1 and 100";
            return Err(Error::constraint("logStreamNames", names.len(), must));
        }
        (Some(names), None) => Streams::Named(names),
        (None, Some(prefix)) => Streams::Prefix(prefix),
        (None, None) => Streams::All,
    };
    let (name, id) = (input.log_group_name.as_deref(), input.log_group_identifier.as_deref());
    let group = group::existing(ctx, name, id).await?;
    let page = logs
        .read(&Query {
            group: &group,
            streams,
            from: input.start_time.map(time),
            until: input.end_time.map(time),
            wanted: &|text| pattern.matches(text),
            dir: Dir::Forward,
            position,
            limit,
        })
        .await?;
    let show = |line: Found| api::FilteredLogEvent {
        log_stream_name: line.stream.to_string(),
        timestamp: line.time.as_millis(),
        ingestion_time: line.time.as_millis(),
        event_id: token::event_id(line.number),
        message: line.text,
    };
    Ok(api::FilterLogEventsOutput {
        events: page.lines.into_iter().map(show).collect(),
        searched_log_streams: [],
        next_token: page.next.map(|next| next.to_string()),
    })
}

fn limit(asked: Option<i64>) -> Result<usize> {
    let limit = asked.unwrap_or(EVENTS_MAX);
    if !(1..=EVENTS_MAX).contains(&limit) {
        let must = "Member must have value between 1 and 10000";
        return Err(Error::constraint("limit", limit, must));
    }
    Ok(usize::try_from(limit).unwrap_or(1))
}

/// Milliseconds as AWS takes them; before 1970 there are no lines.
fn time(millis: i64) -> Time {
    Time::from_millis(u64::try_from(millis).unwrap_or(0))
}
