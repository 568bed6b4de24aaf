//! Streams: made and described.

use kit::Ctx;
use telemetry::{GroupName, LogStore, Stream, StreamName};

use crate::api;
use crate::error::{Error, Result};
use crate::ops::group;
use crate::rules::{name, token};

pub(crate) async fn create(ctx: &Ctx, input: api::CreateLogStreamInput) -> Result<api::Nothing> {
    let logs: &LogStore = ctx.state();
    let name = name::stream(input.log_stream_name.as_deref())?;
    let group = group::existing(ctx, input.log_group_name.as_deref(), None).await?;
    let made = logs.create_stream(&StreamName { group, name }).await?;
    if made { Ok(api::Nothing {}) } else { Err(Error::StreamExists) }
}

pub(crate) async fn describe(
    ctx: &Ctx,
    input: api::DescribeLogStreamsInput,
) -> Result<api::DescribeLogStreamsOutput> {
    let logs: &LogStore = ctx.state();
    let limit = group::limit(input.limit)?;
    let prefix = input.log_stream_name_prefix.unwrap_or_default();
    let by_time = match input.order_by.as_deref() {
        None | Some("LogStreamName") => false,
        Some("LastEventTime") if prefix.is_empty() => true,
        Some("LastEventTime") => {
            let why = "Cannot order by LastEventTime with a logStreamNamePrefix.";
            return Err(Error::InvalidParameter(why.to_owned()));
        }
        Some(other) => {
            let must = "Member must satisfy enum value set: [LogStreamName, LastEventTime]";
            return Err(Error::constraint("orderBy", other, must));
        }
    };
    let (name, id) = (input.log_group_name.as_deref(), input.log_group_identifier.as_deref());
    let group = group::existing(ctx, name, id).await?;
    let streams = logs.streams(&group, &prefix).await?;
    let mut streams: Vec<(String, Stream)> = streams.into_iter().collect();
    if by_time {
        streams.sort_by_key(|(_, stream)| stream.lines.map(|(_, last)| last));
    }
    if input.descending {
        streams.reverse();
    }
    let from = input.next_token.as_deref().map_or(Ok(0), token::parse)?;
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(streams.len());
    let rest = streams.split_off(from);
    let next_token = (rest.len() > limit).then(|| (from + limit).to_string());
    let show = |(name, stream)| show(ctx, &group, name, &stream);
    let log_streams = rest.into_iter().take(limit).map(show).collect();
    Ok(api::DescribeLogStreamsOutput { log_streams, next_token })
}

fn show(ctx: &Ctx, group: &GroupName, name: String, stream: &Stream) -> api::LogStream {
    let (first, last) = stream.lines.unzip();
    let last = last.map(|last| last.as_millis());
    api::LogStream {
        arn: format!("{}:log-stream:{name}", group::arn(ctx, &group.name)),
        log_stream_name: name,
        creation_time: stream.created.as_millis(),
        first_event_timestamp: first.map(|first| first.as_millis()),
        last_event_timestamp: last,
        last_ingestion_time: last,
        stored_bytes: 0,
    }
}
