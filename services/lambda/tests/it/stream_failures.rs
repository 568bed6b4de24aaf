//! What becomes of a batch on which the function fails.

use host::HostError;
use serde_json::{Value, json};

use crate::machine::{Machine, answer, failure, settle};
use crate::river::STREAM;
use crate::stream::{batches, fail_on, machine, values};
use crate::{MINUTE, SECOND};

const LETTERS: &str = "arn:aws:sqs:us-east-1:000000000000:letters";

fn on_failure() -> Value {
    json!({ "OnFailure": { "Destination": LETTERS } })
}

/// What the destination was told.
fn letters(m: &Machine) -> Vec<Value> {
    let letters = std::mem::take(&mut *m.letters.0.lock().unwrap());
    letters
        .into_iter()
        .map(|letter| {
            assert_eq!(letter.to.to_string(), LETTERS);
            serde_json::from_str(&letter.body).unwrap()
        })
        .collect()
}

/// Has a function report these values as failed, as far as its batch has them.
fn report(machine: &Machine, bad: &'static [&'static str]) {
    machine.script.play(move |_, call| {
        let event: Value = serde_json::from_slice(&call.payload).unwrap();
        let records = event["Records"].as_array().unwrap().iter();
        let failed = records.filter(|record| {
            let value = record["dynamodb"]["NewImage"]["v"]["S"].as_str().unwrap();
            bad.contains(&value)
        });
        // Told from the last to the first: the order of what is told says nothing.
        let failed: Vec<Value> = failed
            .map(|record| json!({ "itemIdentifier": record["dynamodb"]["SequenceNumber"] }))
            .rev()
            .collect();
        Ok(answer(json!({ "batchItemFailures": failed }).to_string().as_bytes()))
    });
}

fn reports(more: Value) -> Value {
    let mut settings = json!({ "FunctionResponseTypes": ["ReportBatchItemFailures"] });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

#[tokio::test]
async fn a_failure_blocks_its_shard_until_it_succeeds() {
    let m = &machine().await;
    fail_on(m, &["b"]);
    let uuid = m.stream_mapping("pay", json!({ "BatchSize": 2 })).await;
    m.river.write(&["k0=a", "k0=b", "k0=c"]);
    m.pass(SECOND * 7).await;
    m.river.write(&["k1=d"]);
    settle().await;
    // Longer rests each time, for the one shard; the other is not concerned.
    assert_eq!(batches(m), ["0: a b", "1: a b", "3: a b", "7: a b", "7: d"]);
    m.pass(MINUTE * 5).await;
    let rests: Vec<String> = batches(m);
    assert_eq!(rests[..4], ["15: a b", "31: a b", "63: a b", "123: a b"]);
    assert_eq!(rests[4..], ["183: a b", "243: a b", "303: a b"]);
    let got = m.call("GetEventSourceMapping", json!({ "UUID": uuid })).await.unwrap();
    assert_eq!(got["LastProcessingResult"], "PROBLEM: Function call failed");
    fail_on(m, &[]);
    m.pass(MINUTE).await;
    assert_eq!(batches(m), ["363: a b", "363: c"]);
}

#[tokio::test]
async fn what_was_retried_in_vain_is_told_and_passed_over() {
    let m = &machine().await;
    fail_on(m, &["b"]);
    let settings = json!({ "MaximumRetryAttempts": 2, "DestinationConfig": on_failure() });
    m.stream_mapping("pay", settings).await;
    m.river.write(&["k0=a", "k0=b"]);
    m.pass(SECOND * 2).await;
    m.river.write(&["k0=c"]);
    m.pass(SECOND * 8).await;
    assert_eq!(batches(m), ["0: a b", "1: a b", "3: a b", "3: c"]);
    let [letter] = &letters(m)[..] else { panic!("one letter") };
    let id = &letter["requestContext"]["requestId"];
    assert!(id.as_str().is_some_and(|id| id.len() == 36));
    let expected = json!({
        "requestContext": {
            "requestId": id,
            "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:pay",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 3,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": "2026-11-01T00:00:03.000Z",
        "DDBStreamBatchInfo": {
            "shardId": "2026-11-01T00:00:00.000-0",
            "startSequenceNumber": m.river.sequence_of("a"),
            "endSequenceNumber": m.river.sequence_of("b"),
            "approximateArrivalOfFirstRecord": "2026-11-01T00:00:00Z",
            "approximateArrivalOfLastRecord": "2026-11-01T00:00:00Z",
            "batchSize": 2,
            "streamArn": STREAM,
        },
    });
    assert_eq!(*letter, expected);
}

#[tokio::test]
async fn no_retry_is_one_attempt() {
    let m = &machine().await;
    fail_on(m, &["b"]);
    m.stream_mapping("pay", json!({ "MaximumRetryAttempts": 0, "BatchSize": 1 })).await;
    m.river.write(&["k0=a", "k0=b", "k0=c"]);
    m.pass(MINUTE).await;
    assert_eq!(batches(m), ["0: a", "0: b", "0: c"]);
}

#[tokio::test]
async fn a_batch_is_split_until_the_bad_record_is_alone() {
    let m = &machine().await;
    fail_on(m, &["d"]);
    let settings = json!({
        "BisectBatchOnFunctionError": true,
        "MaximumRetryAttempts": 1,
        "DestinationConfig": on_failure(),
    });
    m.stream_mapping("pay", settings).await;
    m.river.write(&["k0=a", "k0=b", "k0=c", "k0=d", "k0=e", "k0=f", "k0=g", "k0=h"]);
    m.pass(MINUTE).await;
    let expected = [
        "0: a b c d e f g h",
        "0: a b c d",
        "0: a b",
        "0: c d",
        "0: c",
        // Only now do retries count.
        "0: d",
        "1: d",
        "1: e f g h",
    ];
    assert_eq!(batches(m), expected);
    let [letter] = &letters(m)[..] else { panic!("one letter") };
    assert_eq!(letter["DDBStreamBatchInfo"]["startSequenceNumber"], m.river.sequence_of("d"));
    assert_eq!(letter["DDBStreamBatchInfo"]["batchSize"], 1);
}

#[tokio::test]
async fn what_stands_before_the_first_reported_record_is_done() {
    let m = &machine().await;
    report(m, &["b", "d"]);
    let settings = json!({ "MaximumRetryAttempts": 2, "DestinationConfig": on_failure() });
    let uuid = m.stream_mapping("pay", reports(settings)).await;
    m.river.write(&["k0=a", "k0=b", "k0=c", "k0=d"]);
    m.pass(SECOND / 2).await;
    let got = m.call("GetEventSourceMapping", json!({ "UUID": uuid })).await.unwrap();
    assert_eq!(got["LastProcessingResult"], "PROBLEM: Function call failed");
    // It is durable, too: a mapping that begins anew begins there.
    for on in [false, true] {
        let change = json!({ "UUID": uuid, "Enabled": on });
        m.call("UpdateEventSourceMapping", change).await.unwrap();
    }
    m.pass(MINUTE).await;
    assert_eq!(batches(m)[..3], ["0: a b c d", "0: b c d", "1: b c d"]);
    let [letter] = &letters(m)[..] else { panic!("one letter") };
    assert_eq!(letter["DDBStreamBatchInfo"]["startSequenceNumber"], m.river.sequence_of("b"));
    assert_eq!(letter["DDBStreamBatchInfo"]["endSequenceNumber"], m.river.sequence_of("d"));
    // The function did not fail: it has told.
    assert_eq!(
        letter["responseContext"],
        json!({ "statusCode": 200, "executedVersion": "$LATEST" })
    );
}

#[tokio::test]
async fn a_reported_record_is_given_as_often_as_retries_say() {
    let m = &machine().await;
    report(m, &["b"]);
    let settings = json!({ "MaximumRetryAttempts": 2, "DestinationConfig": on_failure() });
    m.stream_mapping("pay", reports(settings)).await;
    m.river.write(&["k0=a", "k0=b", "k0=c"]);
    m.pass(MINUTE).await;
    assert_eq!(batches(m), ["0: a b c", "1: b c", "3: b c"]);
    assert_eq!(letters(m)[0]["requestContext"]["approximateInvokeCount"], 3);
}

#[tokio::test]
async fn a_batch_is_split_where_the_first_failure_was_reported() {
    let m = &machine().await;
    report(m, &["c"]);
    let settings = json!({ "BisectBatchOnFunctionError": true, "MaximumRetryAttempts": 1 });
    m.stream_mapping("pay", reports(settings)).await;
    m.river.write(&["k0=a", "k0=b", "k0=c", "k0=d", "k0=e"]);
    m.pass(MINUTE).await;
    assert_eq!(batches(m), ["0: a b c d e", "0: c d e", "0: c", "1: c", "1: d e"]);
}

#[tokio::test]
async fn an_answer_that_names_others_fails_the_batch_and_an_empty_one_does_not() {
    let identifier = |id: Value| json!({ "batchItemFailures": [{ "itemIdentifier": id }] });
    for (answered, attempts) in [
        (json!(null), 1),
        (json!({}), 1),
        (json!({ "batchItemFailures": [] }), 1),
        (json!({ "batchItemFailures": null }), 1),
        (identifier(json!("1")), 2),
        (identifier(json!("")), 2),
        (identifier(json!(null)), 2),
        (json!("text"), 2),
    ] {
        let m = &machine().await;
        let text = answered.to_string();
        m.script.play(move |_, _| Ok(answer(text.as_bytes())));
        m.stream_mapping("pay", reports(json!({ "MaximumRetryAttempts": 1 }))).await;
        m.river.write(&["k0=a", "k0=b"]);
        m.pass(MINUTE).await;
        assert_eq!(batches(m).len(), attempts, "{answered}");
    }
}

#[tokio::test]
async fn failures_are_not_looked_for_unless_they_are_to_be_reported() {
    let m = &machine().await;
    report(m, &["a"]);
    m.stream_mapping("pay", json!({})).await;
    m.river.write(&["k0=a"]);
    m.pass(MINUTE).await;
    assert_eq!(batches(m), ["0: a"]);
}

#[tokio::test]
async fn what_has_become_too_old_is_given_up() {
    let m = &machine().await;
    fail_on(m, &["a"]);
    let settings = json!({ "MaximumRecordAgeInSeconds": 60, "DestinationConfig": on_failure() });
    let uuid = m.stream_mapping("pay", settings).await;
    m.river.write(&["k0=a"]);
    m.pass(SECOND * 30).await;
    m.river.write(&["k0=b"]);
    m.pass(SECOND * 32).await;
    let given = batches(m);
    // Not at the end of a rest, but when its time is over.
    assert_eq!(given[given.len() - 2..], ["31: a", "60: b"], "{given:?}");
    let [letter] = &letters(m)[..] else { panic!("one letter") };
    assert_eq!(letter["requestContext"]["condition"], "RecordAgeExceeded");
    assert_eq!(letter["DDBStreamBatchInfo"]["batchSize"], 1);
    // What is too old when it is first read never reaches the function.
    let switch = |on: bool| json!({ "UUID": uuid, "Enabled": on });
    m.call("UpdateEventSourceMapping", switch(false)).await.unwrap();
    m.river.write(&["k0=c", "k0=d"]);
    m.pass(SECOND * 61).await;
    m.river.write(&["k0=e"]);
    m.call("UpdateEventSourceMapping", switch(true)).await.unwrap();
    settle().await;
    let given = batches(m);
    assert!(given.len() == 1 && given[0].ends_with(": e"), "{given:?}");
    let [letter] = &letters(m)[..] else { panic!("one letter") };
    assert_eq!(letter["requestContext"]["approximateInvokeCount"], 0);
    assert_eq!(letter["responseContext"], Value::Null);
    assert_eq!(letter["DDBStreamBatchInfo"]["batchSize"], 2);
}

#[tokio::test]
async fn without_a_limit_records_are_retried_as_long_as_they_are_kept() {
    let m = &machine().await;
    m.script.play(|_, _| Err(HostError::Throttled { reason: "no room" }));
    m.stream_mapping("pay", json!({ "DestinationConfig": on_failure() })).await;
    m.river.write(&["k0=a"]);
    m.pass(MINUTE * 60 * 24 - SECOND).await;
    assert_eq!(letters(m), [] as [Value; 0]);
    m.pass(SECOND * 2).await;
    assert_eq!(letters(m)[0]["requestContext"]["condition"], "RecordAgeExceeded");
    m.script.play(|_, _| Ok(answer(b"null")));
    m.script.taken();
    m.river.write(&["k0=b"]);
    settle().await;
    assert_eq!(batches(m).len(), 1);
}

#[tokio::test]
async fn a_function_that_comes_back_gets_what_it_has_missed() {
    let m = &machine().await;
    m.stream_mapping("pay", json!({})).await;
    m.call("DeleteFunction", json!({ "FunctionName": "pay" })).await.unwrap();
    m.river.write(&["k0=a"]);
    m.pass(MINUTE).await;
    m.script.taken();
    m.function("pay", json!({})).await;
    m.pass(MINUTE).await;
    let given: Vec<String> =
        m.script.taken().into_iter().filter(|line| line.contains("Records")).collect();
    let (_, event) = given[0].split_once(" pay ").unwrap();
    assert_eq!(values(&serde_json::from_str(event).unwrap()), "a");
    assert_eq!(given.len(), 1);
}

#[tokio::test]
async fn an_exception_is_no_report() {
    let m = &machine().await;
    m.script.play(|_, _| Ok(failure("thrown")));
    m.stream_mapping("pay", reports(json!({ "MaximumRetryAttempts": 1 }))).await;
    m.river.write(&["k0=a", "k0=b"]);
    m.pass(MINUTE).await;
    assert_eq!(batches(m), ["0: a b", "1: a b"]);
}
