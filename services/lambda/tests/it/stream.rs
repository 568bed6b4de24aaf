//! Streams feed functions: in order, from where they are told to, durably.

use std::sync::Arc;
use std::time::Duration;

use engine_memory::Memory;
use host::HostError;
use serde_json::{Value, json};
use store::Blobs;

use crate::machine::{Machine, answer, failure, settle};
use crate::river::{SECOND_STREAM, STREAM};
use crate::{MINUTE, SECOND, START};

const HOUR: Duration = Duration::from_secs(60 * 60);

pub(crate) async fn machine() -> Machine {
    let machine = Machine::new().await;
    machine.function("pay", json!({})).await;
    settle().await;
    machine.script.taken();
    machine
}

/// What the function was given, with the second: the values of each batch.
pub(crate) fn batches(machine: &Machine) -> Vec<String> {
    events(machine).iter().map(|(second, event)| format!("{second}: {}", values(event))).collect()
}

/// The same without the second.
fn given(machine: &Machine) -> Vec<String> {
    events(machine).iter().map(|(_, event)| values(event)).collect()
}

pub(crate) fn events(machine: &Machine) -> Vec<(String, Value)> {
    let event = |line: String| {
        let (second, payload) = line.split_once(" pay ").unwrap();
        (second.to_owned(), serde_json::from_str(payload).unwrap())
    };
    machine.script.taken().into_iter().map(event).collect()
}

pub(crate) fn values(event: &Value) -> String {
    let records = event["Records"].as_array().unwrap().iter();
    let value =
        |record: &Value| record["dynamodb"]["NewImage"]["v"]["S"].as_str().unwrap().to_owned();
    records.map(value).collect::<Vec<_>>().join(" ")
}

/// Lets a function fail as long as its batch has one of these values.
pub(crate) fn fail_on(machine: &Machine, bad: &'static [&'static str]) {
    machine.script.play(move |_, call| {
        let event: Value = serde_json::from_slice(&call.payload).unwrap();
        let is_bad = values(&event).split(' ').any(|value| bad.contains(&value));
        Ok(if is_bad { failure("bad") } else { answer(b"null") })
    });
}

#[tokio::test]
async fn a_record_is_given_at_once_and_the_rest_in_batches() {
    let m = &machine().await;
    m.stream_mapping("pay", json!({ "BatchSize": 3 })).await;
    settle().await;
    m.river.write(&["k0=a"]);
    settle().await;
    assert_eq!(batches(m), ["0: a"]);
    m.script.takes.lock().unwrap().clone_from(&SECOND);
    m.river.write(&["k0=b"]);
    settle().await;
    // While a batch runs, the shard waits.
    m.river.write(&["k0=c", "k2=d", "k0=e", "k4=f"]);
    m.pass(SECOND * 3).await;
    assert_eq!(batches(m), ["0: b", "1: c d e", "2: f"]);
    assert_eq!(*m.script.ages.lock().unwrap(), [0, 0, 1, 2].map(Duration::from_secs));
    assert_eq!(m.script.most_at_once.lock().unwrap().1, 1);
}

#[tokio::test]
async fn shards_are_fed_side_by_side() {
    let m = &machine().await;
    m.script.takes.lock().unwrap().clone_from(&SECOND);
    m.stream_mapping("pay", json!({})).await;
    m.river.write(&["k0=a", "k1=b"]);
    m.pass(SECOND).await;
    let mut both = batches(m);
    both.sort();
    assert_eq!(both, ["0: a", "0: b"]);
    assert_eq!(m.script.most_at_once.lock().unwrap().1, 2);
}

#[tokio::test]
async fn an_idle_mapping_reads_nothing_and_a_batch_is_one_read() {
    let m = &machine().await;
    m.stream_mapping("pay", json!({})).await;
    settle().await;
    *m.river.reads.lock().unwrap() = 0;
    m.pass(HOUR * 5).await;
    assert_eq!(*m.river.reads.lock().unwrap(), 0);
    m.river.write(&["k0=a", "k0=b"]);
    settle().await;
    assert_eq!(batches(m), ["18000: a b"]);
    // Both shards are woken, as the test's stream tells no difference; the one that has run its
    // batch looks once more.
    assert_eq!(*m.river.reads.lock().unwrap(), 3);
}

#[tokio::test]
async fn reading_begins_at_the_horizon_or_with_what_comes() {
    let m = &machine().await;
    m.function("late", json!({})).await;
    m.river.write(&["k0=a"]);
    m.stream_mapping("pay", json!({ "StartingPosition": "TRIM_HORIZON" })).await;
    let late = m.stream_mapping("late", json!({ "StartingPosition": "LATEST" })).await;
    // Also while it is not polled: its place is that of its making.
    let change = |enabled: bool| json!({ "UUID": late, "Enabled": enabled });
    m.call("UpdateEventSourceMapping", change(false)).await.unwrap();
    m.river.write(&["k0=b"]);
    m.call("UpdateEventSourceMapping", change(true)).await.unwrap();
    settle().await;
    let log = m.script.taken();
    let given = |name: &str| {
        let marker = format!(" {name} ");
        let of = log.iter().filter_map(|line| line.split_once(&marker));
        of.map(|(_, event)| values(&serde_json::from_str(event).unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(given("pay").join(" "), "a b");
    assert_eq!(given("late"), ["b"]);
}

#[tokio::test]
async fn a_window_collects_until_it_closes_or_the_batch_is_full() {
    let m = &machine().await;
    m.stream_mapping("pay", json!({ "BatchSize": 3, "MaximumBatchingWindowInSeconds": 300 })).await;
    m.pass(SECOND).await;
    m.river.write(&["k0=a"]);
    m.pass(SECOND * 299).await;
    m.river.write(&["k0=b"]);
    m.pass(SECOND * 5).await;
    assert_eq!(batches(m), ["301: a b"]);
    m.river.write(&["k0=c", "k0=d", "k0=e", "k0=f"]);
    settle().await;
    assert_eq!(batches(m), ["305: c d e"]);
    m.pass(SECOND * 300).await;
    assert_eq!(batches(m), ["605: f"]);
}

#[tokio::test]
async fn a_batch_closes_before_six_megabytes() {
    let m = &machine().await;
    m.script.play(|_, call| {
        assert!(call.payload.len() <= 6 * 1024 * 1024);
        Ok(answer(b"null"))
    });
    for i in 0..20 {
        m.river.write_to(STREAM, &format!("k0={i}"), 700_000);
    }
    m.stream_mapping("pay", json!({})).await;
    settle().await;
    let expected = ["0: 0 1 2 3 4 5 6 7", "0: 8 9 10 11 12 13 14 15", "0: 16 17 18 19"];
    assert_eq!(batches(m), expected);
}

#[tokio::test]
async fn a_batch_has_a_hundred_records_if_nothing_else_is_said() {
    let m = &machine().await;
    let many: Vec<String> = (0..250).map(|i| format!("k0={i}")).collect();
    m.river.write(&many.iter().map(String::as_str).collect::<Vec<_>>());
    m.stream_mapping("pay", json!({})).await;
    settle().await;
    let sizes: Vec<usize> = batches(m).iter().map(|b| b.split(' ').count() - 1).collect();
    assert_eq!(sizes, [100, 100, 50]);
}

#[tokio::test]
async fn lanes_run_at_once_and_keep_the_order_of_each_item() {
    let m = &machine().await;
    m.script.takes.lock().unwrap().clone_from(&SECOND);
    let changes: Vec<String> = (0..60).map(|i| format!("k{}={i}", 2 * (i % 6))).collect();
    m.river.write(&changes.iter().map(String::as_str).collect::<Vec<_>>());
    m.stream_mapping("pay", json!({ "ParallelizationFactor": 3, "BatchSize": 4 })).await;
    m.pass(MINUTE).await;
    assert_eq!(m.script.most_at_once.lock().unwrap().1, 3);
    let given: Vec<u32> = batches(m)
        .iter()
        .flat_map(|batch| batch.split_once(": ").unwrap().1.split(' '))
        .map(|value| value.parse().unwrap())
        .collect();
    assert_eq!(given.len(), 60);
    for item in 0..6 {
        let of_item: Vec<u32> = given.iter().copied().filter(|value| value % 6 == item).collect();
        assert!(of_item.is_sorted(), "{of_item:?}");
    }
    assert!(!given.is_sorted());
}

#[tokio::test]
async fn a_lane_that_fails_does_not_block_the_others() {
    let m = &machine().await;
    fail_on(m, &["bad"]);
    m.stream_mapping("pay", json!({ "ParallelizationFactor": 2 })).await;
    m.river.write(&["k0=bad"]);
    m.pass(SECOND * 10).await;
    m.script.taken();
    m.river.write(&["k2=a", "k0=b", "k2=c"]);
    settle().await;
    assert_eq!(batches(m), ["10: a c"]);
}

#[tokio::test]
async fn another_number_of_lanes_passes_nothing_over() {
    let m = &machine().await;
    fail_on(m, &["bad"]);
    let uuid = m.stream_mapping("pay", json!({ "ParallelizationFactor": 2 })).await;
    m.river.write(&["k0=a", "k2=b"]);
    settle().await;
    m.river.write(&["k0=bad", "k2=c"]);
    m.pass(SECOND).await;
    m.script.taken();
    m.script.play(|_, _| Ok(answer(b"null")));
    for (lanes, expected) in [(3, "bad c"), (1, "")] {
        let change = json!({ "UUID": uuid, "ParallelizationFactor": lanes });
        m.call("UpdateEventSourceMapping", change).await.unwrap();
        m.pass(SECOND).await;
        let given = batches(m);
        let mut given: Vec<&str> =
            given.iter().flat_map(|batch| batch.split_once(": ").unwrap().1.split(' ')).collect();
        given.sort_unstable();
        // What the lane had done that was ahead comes again.
        assert_eq!(given.join(" "), expected, "{lanes}");
    }
}

#[tokio::test]
async fn what_no_filter_wants_is_passed_over_for_good() {
    let engine = Arc::new(Memory::new());
    let blobs = Blobs::memory();
    let m = Machine::on(engine.clone(), blobs.clone(), START).await;
    m.function("pay", json!({})).await;
    let filter = |pattern: &str| json!({ "Filters": [{ "Pattern": pattern }] });
    let inserts =
        filter(r#"{"eventName":["INSERT"],"dynamodb":{"NewImage":{"v":{"S":[{"prefix":"a"}]}}}}"#);
    let uuid = m.stream_mapping("pay", json!({ "FilterCriteria": inserts })).await;
    m.pass(SECOND).await;
    m.script.taken();
    m.river.write(&["k0=a1", "k0=b", "k0=-a", "k0=a2", "k0=c"]);
    settle().await;
    assert_eq!(batches(&m), ["1: a1 a2"]);
    m.river.write(&["k0=d"]);
    m.pass(SECOND * 2).await;
    // Also for one that would want it now.
    let all = json!({ "UUID": uuid, "FilterCriteria": {} });
    m.call("UpdateEventSourceMapping", all).await.unwrap();
    m.river.write(&["k0=e"]);
    settle().await;
    assert_eq!(batches(&m), ["3: e"]);
}

#[tokio::test]
async fn a_mapping_goes_on_where_it_was() {
    let engine = Arc::new(Memory::new());
    let blobs = Blobs::memory();
    let m = Machine::on(engine.clone(), blobs.clone(), START).await;
    m.function("pay", json!({})).await;
    m.stream_mapping("pay", json!({})).await;
    m.river.write(&["k0=a"]);
    settle().await;
    m.script.takes.lock().unwrap().clone_from(&MINUTE);
    m.river.write(&["k0=b"]);
    settle().await;
    // The machine ends while `b` runs: nobody knows whether it was done.
    let again = Machine::on(engine, blobs, START + SECOND).await;
    again.river.take_over(&m.river);
    drop(m);
    again.await_event().await;
    again.pass(MINUTE).await;
    assert_eq!(batches(&again), ["1: b"]);
}

#[tokio::test]
async fn a_change_waits_for_the_batch_that_runs() {
    let m = &machine().await;
    m.script.takes.lock().unwrap().clone_from(&(SECOND * 10));
    let uuid = m.stream_mapping("pay", json!({ "BatchSize": 1 })).await;
    m.river.write(&["k0=a", "k0=b", "k0=c"]);
    m.pass(SECOND).await;
    let change = json!({ "UUID": uuid, "BatchSize": 2 });
    m.call("UpdateEventSourceMapping", change).await.unwrap();
    m.pass(SECOND * 20).await;
    assert_eq!(batches(m), ["0: a", "10: b c"]);
    let off = json!({ "UUID": uuid, "Enabled": false });
    m.call("UpdateEventSourceMapping", off).await.unwrap();
    m.river.write(&["k0=d"]);
    m.pass(SECOND * 20).await;
    assert_eq!(batches(m), [] as [&str; 0]);
    let on = json!({ "UUID": uuid, "Enabled": true });
    m.call("UpdateEventSourceMapping", on).await.unwrap();
    settle().await;
    assert_eq!(batches(m), ["41: d"]);
}

#[tokio::test]
async fn a_throttled_function_loses_nothing_and_uses_up_no_retries() {
    let m = &machine().await;
    m.script.play(|_, _| Err(HostError::Throttled { reason: "no room" }));
    m.stream_mapping("pay", json!({ "MaximumRetryAttempts": 0 })).await;
    m.river.write(&["k0=a"]);
    m.pass(SECOND * 8).await;
    assert_eq!(batches(m), ["0: a", "1: a", "3: a", "7: a"]);
    m.script.play(|_, _| Ok(answer(b"null")));
    m.pass(SECOND * 8).await;
    assert_eq!(batches(m), ["15: a"]);
}

#[tokio::test]
async fn faults_of_the_stream_end_nothing() {
    let m = &machine().await;
    let uuid = m.stream_mapping("pay", json!({})).await;
    settle().await;
    let expired = || kit::Error::sender("ExpiredIteratorException", "The iterator has expired.");
    m.river.faults.lock().unwrap().extend([expired(), expired()]);
    m.river.write(&["k0=a"]);
    settle().await;
    let got = m.call("GetEventSourceMapping", json!({ "UUID": uuid })).await.unwrap();
    assert_eq!(got["LastProcessingResult"], "PROBLEM: Stream could not be read");
    m.pass(SECOND * 2).await;
    assert_eq!(batches(m), ["1: a"]);
}

#[tokio::test]
async fn a_mapping_that_was_away_for_too_long_goes_on_with_the_oldest() {
    let m = &machine().await;
    let uuid = m.stream_mapping("pay", json!({})).await;
    m.river.write(&["k0=a"]);
    settle().await;
    m.script.taken();
    let switch = |on: bool| json!({ "UUID": uuid, "Enabled": on });
    m.call("UpdateEventSourceMapping", switch(false)).await.unwrap();
    m.river.write(&["k0=lost"]);
    m.pass(HOUR * 23).await;
    m.river.write(&["k0=b"]);
    m.pass(HOUR * 2).await;
    assert_eq!(*m.script.reopened.lock().unwrap(), 0);
    m.call("UpdateEventSourceMapping", switch(true)).await.unwrap();
    settle().await;
    assert_eq!(batches(m), ["90000: b"]);
    // The lane of the other shard has been away as long.
    assert_eq!(*m.script.reopened.lock().unwrap(), 2);
}

#[tokio::test]
async fn days_without_records_are_no_absence() {
    let m = &machine().await;
    let uuid = m.stream_mapping("pay", json!({})).await;
    m.river.write(&["k0=a"]);
    m.pass(HOUR * 72).await;
    m.script.taken();
    for on in [false, true] {
        let switch = json!({ "UUID": uuid, "Enabled": on });
        m.call("UpdateEventSourceMapping", switch).await.unwrap();
    }
    m.river.write(&["k0=b"]);
    settle().await;
    assert_eq!(batches(m).len(), 1);
    assert_eq!(*m.script.reopened.lock().unwrap(), 0);
}

#[tokio::test]
async fn a_mapping_follows_its_table_to_its_next_stream() {
    let m = &machine().await;
    let uuid = m.stream_mapping("pay", json!({ "StartingPosition": "LATEST" })).await;
    m.river.write(&["k0=a"]);
    settle().await;
    m.river.write_to(SECOND_STREAM, "k0=c", 0);
    m.river.write(&["k0=b"]);
    m.river.close();
    m.pass(SECOND).await;
    assert_eq!(batches(m), ["0: a", "0: b", "0: c"]);
    m.river.write_to(SECOND_STREAM, "k1=d", 0);
    m.pass(MINUTE * 2).await;
    m.river.write_to(SECOND_STREAM, "k1=e", 0);
    settle().await;
    assert_eq!(batches(m), ["1: d", "121: e"]);
    assert_eq!(*m.script.reopened.lock().unwrap(), 1);
    let got = m.call("GetEventSourceMapping", json!({ "UUID": uuid })).await.unwrap();
    assert_eq!(got["EventSourceArn"], STREAM);
    // A mapping made for the second stream takes it over.
    let own = json!({ "EventSourceArn": SECOND_STREAM, "StartingPosition": "LATEST" });
    let own = m.stream_mapping("pay", own).await;
    m.river.write_to(SECOND_STREAM, "k1=f", 0);
    m.pass(MINUTE * 2).await;
    assert_eq!(batches(m), ["121: f"]);
    // When that ends, the first does not come back to it.
    m.call("DeleteEventSourceMapping", json!({ "UUID": own })).await.unwrap();
    m.river.write_to(SECOND_STREAM, "k1=g", 0);
    m.pass(MINUTE * 2).await;
    assert_eq!(batches(m), Vec::<String>::new());
}

/// Nobody read while the stream was closed, and a day later it is gone with all it had.
#[tokio::test]
async fn a_mapping_follows_its_table_though_its_stream_is_gone() {
    let m = &machine().await;
    let uuid = m.stream_mapping("pay", json!({ "StartingPosition": "LATEST" })).await;
    m.river.write(&["k0=a"]);
    settle().await;
    assert_eq!(batches(m).len(), 1);
    let switch = |on| json!({ "UUID": uuid, "Enabled": on });
    m.call("UpdateEventSourceMapping", switch(false)).await.unwrap();
    settle().await;
    m.river.lose();
    m.river.write_to(SECOND_STREAM, "k0=b", 0);
    m.call("UpdateEventSourceMapping", switch(true)).await.unwrap();
    m.pass(SECOND).await;
    assert_eq!(given(m), ["b"]);
}

/// A lane that rests while its stream goes does not keep the mapping from following.
#[tokio::test]
async fn a_lane_ends_with_its_stream() {
    let m = &machine().await;
    m.stream_mapping("pay", json!({ "StartingPosition": "LATEST" })).await;
    settle().await;
    m.river.lose();
    m.river.write_to(SECOND_STREAM, "k0=b", 0);
    m.pass(SECOND).await;
    assert_eq!(given(m), ["b"]);
}
