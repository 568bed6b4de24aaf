//! Streams of tables as event sources of functions.

use std::sync::Arc;

use base::{Arn, BoxFuture, Sequence};
use kit::streams::{self, About, Numbered, Page, Wake};
use kit::{Ctx, Kit};
use serde_json::{Value, json};
use store::{Dir, Watch};

use crate::api::stream::Record;
use crate::data::Tables;
use crate::data::stream::{KEPT, Stream, horizon, shard_key, streams_key};
use crate::error::Error;
use crate::ops::stream::{self, Ask, Found, find, no_shard, no_stream};
use crate::rules::stream::{shard_id, shard_of};

/// The streams of all tables.
pub(crate) struct Changes(Ctx);

impl Changes {
    pub(crate) fn new(kit: &Kit, tables: &Arc<Tables>) -> Changes {
        let state = Arc::new(Arc::clone(tables));
        Changes(Ctx::internal(kit, "dynamodbstreams", "read", state))
    }

    async fn read(&self, from: &Arn, ask: streams::Ask<'_>) -> Result<Page, Error> {
        let ctx = &self.0;
        let stream = find(ctx, &from.to_string()).await?;
        let shard = shard(&stream, ask.shard)?;
        let trimmed = ask.from != 0 && ask.from < horizon(ctx.now());
        let ask = Ask {
            shard,
            from: ask.from,
            records: ask.records_max,
            bytes: ask.bytes_max,
            lane: ask.lane,
        };
        let Found { records, next, whole, ended } = stream::read(ctx, &stream, &ask).await?;
        let numbered = |(number, record): (u64, Record)| Numbered {
            number,
            sequence: record.dynamodb.sequence_number.clone(),
            at: Sequence::time_of(number),
            record: event(from, number, &record),
        };
        let records = records.into_iter().map(numbered).collect();
        Ok(Page { records, next, whole, ended, trimmed })
    }

    async fn watch(&self, from: &Arn, shard_id: Option<&str>) -> Result<Change, Error> {
        let ctx = &self.0;
        let text = from.to_string();
        let (table, _) = stream::parts(ctx, &text).ok_or_else(|| no_stream(&text))?;
        let streams = streams_key(&ctx.account, &ctx.region).str(table);
        let changes = match shard_id {
            Some(id) => {
                let stream = find(ctx, &text).await?;
                shard_key(&ctx.account, stream.number, shard(&stream, id)?)
            }
            None => streams.clone(),
        };
        Ok(Change {
            changes: ctx.store().watch(changes),
            streams: ctx.store().watch(streams),
            // What was written just before may be behind such numbers, too.
            settling: true,
            ctx: ctx.clone(),
        })
    }

    async fn successor(&self, from: &Arn) -> Result<Option<Arn>, Error> {
        let ctx = &self.0;
        let text = from.to_string();
        let (table, label) = stream::parts(ctx, &text).ok_or_else(|| no_stream(&text))?;
        let of_table = streams_key(&ctx.account, &ctx.region).str(table);
        let range = of_table.prefix().after(&of_table.str(label));
        // The oldest that has come after: each of those in between has changes of its own.
        let found = ctx.store().scan(range, Dir::Forward, 1).await?;
        let Some((key, record)) = found.first() else { return Ok(None) };
        let next: Stream = store::decode(key, record)?;
        Ok(stream::arn(ctx, &next).parse().ok())
    }
}

impl streams::Stream for Changes {
    fn about<'a>(&'a self, from: &'a Arn) -> BoxFuture<'a, Result<About, kit::Error>> {
        Box::pin(async move {
            let ctx = &self.0;
            let stream = find(ctx, &from.to_string()).await?;
            let shards = (0..stream.shards).map(|shard| shard_id(&stream, shard)).collect();
            let latest = ctx.state::<Arc<Tables>>().pending.decided(&ctx.kit);
            Ok(About { shards, latest, kept: KEPT })
        })
    }

    fn read<'a>(
        &'a self,
        from: &'a Arn,
        ask: streams::Ask<'a>,
    ) -> BoxFuture<'a, Result<Page, kit::Error>> {
        Box::pin(async move { Ok(self.read(from, ask).await?) })
    }

    fn watch<'a>(
        &'a self,
        from: &'a Arn,
        shard: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Box<dyn Wake>, kit::Error>> {
        Box::pin(async move {
            let change: Box<dyn Wake> = Box::new(self.watch(from, shard).await?);
            Ok(change)
        })
    }

    fn successor<'a>(&'a self, from: &'a Arn) -> BoxFuture<'a, Result<Option<Arn>, kit::Error>> {
        Box::pin(async move { Ok(self.successor(from).await?) })
    }
}

/// Wakes on the changes of a shard, and on those of the streams of its table.
struct Change {
    changes: Watch,
    streams: Watch,
    /// Woken, and not yet told: whoever waits may turn to something else meanwhile.
    settling: bool,
    ctx: Ctx,
}

impl Wake for Change {
    fn changed(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if !self.settling {
                tokio::select! {
                    () = self.changes.changed() => {}
                    () = self.streams.changed() => {}
                }
            }
            self.settling = true;
            // What woke us is behind the numbers that others hold undecided.
            self.ctx.state::<Arc<Tables>>().pending.settled(&self.ctx.kit).await;
            self.settling = false;
        })
    }
}

fn shard(stream: &Stream, id: &str) -> Result<u8, Error> {
    shard_of(stream, id).ok_or_else(|| no_shard(stream, id))
}

/// A record as Lambda shows it: that of GetRecords but for the source, a time in whole seconds and
/// who has made the change.
fn event(from: &Arn, number: u64, record: &Record) -> Value {
    let about = &record.dynamodb;
    let mut event = json!({
        "eventID": record.event_id,
        "eventName": record.event_name,
        "eventVersion": record.event_version,
        "eventSource": record.event_source,
        "awsRegion": record.aws_region,
        "dynamodb": {
            "ApproximateCreationDateTime": Sequence::time_of(number).as_secs(),
            "Keys": about.keys,
            "SequenceNumber": about.sequence_number,
            "SizeBytes": about.size_bytes,
            "StreamViewType": about.stream_view_type,
        },
        "eventSourceARN": from,
    });
    if let Some(new) = &about.new_image {
        event["dynamodb"]["NewImage"] = json!(new);
    }
    if let Some(old) = &about.old_image {
        event["dynamodb"]["OldImage"] = json!(old);
    }
    if let Some(who) = &record.user_identity {
        event["userIdentity"] = json!({ "principalId": who.principal_id, "type": who.kind });
    }
    event
}
