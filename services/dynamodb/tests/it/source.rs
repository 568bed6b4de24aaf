//! Streams as those read them who feed functions.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Arn;
use kit::streams::{Ask, Page, Stream};
use serde_json::{Value, json};

use crate::Machine;
use crate::stream::{item, key, machine};

const BYTES_MAX: usize = 6 * 1024 * 1024;

struct Source {
    stream: Arc<dyn Stream>,
    arn: Arn,
    shards: Vec<String>,
}

impl Source {
    async fn of(machine: &Machine, arn: &Value) -> Source {
        let arn: Arn = arn.as_str().unwrap().parse().unwrap();
        let stream = machine.kit.streams.get(&arn).unwrap();
        let shards = stream.about(&arn).await.unwrap().shards;
        Source { stream, arn, shards }
    }

    async fn read(&self, shard: &str, from: u64, lane: (u64, u64)) -> Page {
        let ask = Ask { shard, from, records_max: 100, bytes_max: BYTES_MAX, lane };
        self.stream.read(&self.arn, ask).await.unwrap()
    }
}

fn value(record: &Value) -> i32 {
    record["dynamodb"]["NewImage"]["n"]["N"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_record_is_as_lambda_shows_it() {
    let (machine, arn) = machine("NEW_AND_OLD_IMAGES").await;
    let source = Source::of(&machine, &arn).await;
    machine.put("abc", item("p", 1)).await;
    let mut found = Vec::new();
    for shard in &source.shards {
        found.extend(source.read(shard, 0, (0, 1)).await.records);
    }
    let [one] = &found[..] else { panic!("one record") };
    let expected = json!({
        "eventID": one.record["eventID"],
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_700_000_000,
            "Keys": key("p"),
            "SequenceNumber": one.sequence,
            "SizeBytes": 11,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            "NewImage": item("p", 1),
        },
        "eventSourceARN": arn,
    });
    assert_eq!(one.record, expected);
    assert_eq!(one.at.as_secs(), 1_700_000_000);
    // It is the one that clients find by its number.
    let all = crate::stream::all(&machine, &arn).await;
    assert_eq!(all[0]["dynamodb"]["SequenceNumber"], one.sequence);
}

#[tokio::test]
async fn lanes_have_each_item_once_and_in_order() {
    let (machine, arn) = machine("NEW_IMAGE").await;
    let source = Source::of(&machine, &arn).await;
    for n in 0..60 {
        machine.put("abc", item(&format!("p{}", n % 20), n)).await;
    }
    let mut seen: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    let mut lanes_used = 0;
    for shard in &source.shards {
        for lane in 0..3 {
            let page = source.read(shard, 0, (lane, 3)).await;
            assert!(page.whole);
            lanes_used += usize::from(!page.records.is_empty());
            let mut in_lane: BTreeMap<String, Vec<i32>> = BTreeMap::new();
            for one in &page.records {
                let keys = one.record["dynamodb"]["Keys"].to_string();
                in_lane.entry(keys).or_default().push(value(&one.record));
            }
            for (keys, values) in in_lane {
                assert!(seen.insert(keys, values).is_none(), "an item in two lanes");
            }
            // From its end there is nothing, whatever other lanes have.
            assert_eq!(source.read(shard, page.next, (lane, 3)).await.records.len(), 0);
        }
    }
    assert_eq!(seen.len(), 20);
    assert!(seen.values().all(|values| values.len() == 3 && values.is_sorted()), "{seen:?}");
    assert!(lanes_used > 6, "{lanes_used}");
}

#[tokio::test]
async fn whoever_waits_is_woken_and_sees_what_woke_him() {
    let (machine, arn) = machine("NEW_IMAGE").await;
    let source = Source::of(&machine, &arn).await;
    let mut readers = Vec::new();
    for shard in &source.shards {
        let wake = source.stream.watch(&source.arn, Some(shard)).await.unwrap();
        readers.push((shard, wake, 0));
    }
    for n in 0..200 {
        // Others are undecided while this one is written.
        let others = (0..4).map(|other| {
            base::task::spawn("writer", machine.put_owned("abc", item(&format!("o{other}"), n)))
        });
        let others: Vec<_> = others.collect();
        machine.put("abc", item("p", n)).await;
        let mut found = false;
        for (shard, wake, place) in &mut readers {
            // Those whose shard was not written to are not.
            tokio::select! {
                biased;
                () = wake.changed() => {}
                () = async { for _ in 0..20 { tokio::task::yield_now().await } } => continue,
            }
            let page = source.read(shard, *place, (0, 1)).await;
            *place = page.next;
            let is_it =
                |record: &Value| record["dynamodb"]["Keys"] == key("p") && value(record) == n;
            found |= page.records.iter().any(|one| is_it(&one.record));
        }
        assert!(found, "{n}");
        for other in others {
            other.await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_closed_ends_and_has_a_successor() {
    let (machine, arn) = machine("NEW_IMAGE").await;
    let source = Source::of(&machine, &arn).await;
    machine.put("abc", item("p", 1)).await;
    let mut wake = source.stream.watch(&source.arn, Some(&source.shards[0])).await.unwrap();
    let specify = async |specification: Value| {
        let input = json!({ "TableName": "abc", "StreamSpecification": specification });
        machine.call("UpdateTable", input).await.unwrap()
    };
    specify(json!({ "StreamEnabled": false })).await;
    wake.changed().await;
    let mut records = 0;
    for shard in &source.shards {
        let page = source.read(shard, 0, (0, 1)).await;
        assert!(page.ended);
        records += page.records.len();
    }
    assert_eq!(records, 1);
    assert_eq!(source.stream.successor(&source.arn).await.unwrap(), None);
    let view = json!({ "StreamEnabled": true, "StreamViewType": "KEYS_ONLY" });
    let table = specify(view).await;
    wake.changed().await;
    let next = source.stream.successor(&source.arn).await.unwrap().unwrap();
    assert_eq!(table["TableDescription"]["LatestStreamArn"], next.to_string());
    assert_eq!(source.stream.successor(&next).await.unwrap(), None);
}

#[tokio::test]
async fn who_comes_too_late_is_told_and_gets_the_oldest() {
    let (machine, arn) = machine("NEW_IMAGE").await;
    let source = Source::of(&machine, &arn).await;
    let from = source.stream.about(&source.arn).await.unwrap().latest;
    machine.put("abc", item("p", 1)).await;
    machine.advance(24 * 60 * 60 + 1);
    machine.put("abc", item("p", 2)).await;
    let (mut values, mut from_first) = (Vec::new(), 0);
    for shard in &source.shards {
        let page = source.read(shard, from, (0, 1)).await;
        assert!(page.trimmed);
        values.extend(page.records.iter().map(|one| value(&one.record)));
        let page = source.read(shard, 0, (0, 1)).await;
        assert!(!page.trimmed);
        from_first += page.records.len();
    }
    assert_eq!((values, from_first), (vec![2], 1));
}
