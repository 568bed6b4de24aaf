//! Tumbling windows.

use std::sync::Arc;

use engine_memory::Memory;
use serde_json::{Value, json};
use store::Blobs;

use crate::machine::{Machine, answer, failure, settle};
use crate::river::STREAM;
use crate::stream::{events, machine, values};
use crate::{SECOND, START};

/// Has a function put the values it has seen in a window into its state.
fn collect(machine: &Machine) {
    machine.script.play(|_, call| {
        let event: Value = serde_json::from_slice(&call.payload).unwrap();
        let mut seen = event["state"]["seen"].as_str().unwrap_or_default().to_owned();
        seen.push_str(&values(&event));
        Ok(answer(json!({ "state": { "seen": seen } }).to_string().as_bytes()))
    });
}

/// What the function was told: the second, its records, its state, and whether the window ends.
fn told(machine: &Machine) -> Vec<String> {
    let line = |(second, event): &(String, Value)| {
        let ends = match (&event["isFinalInvokeForWindow"], &event["isWindowTerminatedEarly"]) {
            (Value::Bool(false), Value::Bool(false)) => "",
            (Value::Bool(true), Value::Bool(false)) => " ends",
            (Value::Bool(true), Value::Bool(true)) => " ends early",
            other => panic!("{other:?}"),
        };
        format!("{second}: [{}] {}{ends}", values(event), event["state"])
    };
    events(machine).iter().map(line).collect()
}

#[tokio::test]
async fn a_state_goes_through_the_batches_of_a_window() {
    let m = &machine().await;
    collect(m);
    m.stream_mapping("pay", json!({ "TumblingWindowInSeconds": 30, "BatchSize": 2 })).await;
    m.pass(SECOND * 10).await;
    m.river.write(&["k0=a", "k0=b", "k0=c"]);
    m.pass(SECOND * 15).await;
    m.river.write(&["k0=d"]);
    m.pass(SECOND * 10).await;
    m.river.write(&["k0=e"]);
    settle().await;
    let expected = [
        r#"10: [a b] {}"#,
        r#"10: [c] {"seen":"a b"}"#,
        r#"25: [d] {"seen":"a bc"}"#,
        r#"30: [] {"seen":"a bcd"} ends"#,
        r#"35: [e] {}"#,
    ];
    assert_eq!(told(m), expected);
    m.pass(SECOND * 60).await;
    assert_eq!(told(m), [r#"60: [] {"seen":"e"} ends"#]);
}

#[tokio::test]
async fn an_event_says_which_window_it_is_of() {
    let m = &machine().await;
    collect(m);
    m.stream_mapping("pay", json!({ "TumblingWindowInSeconds": 300 })).await;
    m.river.write(&["k1=a"]);
    settle().await;
    let (_, mut event) = events(m).remove(0);
    event["Records"].take();
    let expected = json!({
        "Records": null,
        "window": { "start": "2026-11-01T00:00:00Z", "end": "2026-11-01T00:05:00Z" },
        "state": {},
        "shardId": "2026-11-01T00:00:00.000-1",
        "eventSourceARN": STREAM,
        "isFinalInvokeForWindow": false,
        "isWindowTerminatedEarly": false,
    });
    assert_eq!(event, expected);
}

#[tokio::test]
async fn records_of_two_windows_are_never_in_one_batch() {
    let m = &machine().await;
    collect(m);
    m.river.write(&["k0=a"]);
    m.pass(SECOND * 31).await;
    m.river.write(&["k0=b"]);
    m.pass(SECOND * 100).await;
    m.stream_mapping("pay", json!({ "TumblingWindowInSeconds": 30 })).await;
    settle().await;
    let expected = [
        r#"131: [a] {}"#,
        r#"131: [] {"seen":"a"} ends"#,
        r#"131: [b] {}"#,
        r#"131: [] {"seen":"b"} ends"#,
    ];
    assert_eq!(told(m), expected);
}

#[tokio::test]
async fn an_answer_without_a_state_has_failed() {
    let m = &machine().await;
    m.script.play(|_, _| Ok(answer(b"{}")));
    let settings = json!({ "TumblingWindowInSeconds": 30, "MaximumRetryAttempts": 1 });
    m.stream_mapping("pay", settings).await;
    m.river.write(&["k0=a"]);
    m.pass(SECOND * 5).await;
    assert_eq!(told(m), ["0: [a] {}", "1: [a] {}"]);
    // It is gone, but its window is not.
    m.pass(SECOND * 30).await;
    assert_eq!(told(m), ["30: [] {} ends"]);
}

#[tokio::test]
async fn a_final_event_is_retried_and_given_up_as_others() {
    let m = &machine().await;
    m.script.play(|_, call| {
        let event: Value = serde_json::from_slice(&call.payload).unwrap();
        let last = event["isFinalInvokeForWindow"] == json!(true);
        Ok(if last { failure("bad") } else { answer(br#"{"state":{"n":1.50}}"#) })
    });
    let to = "arn:aws:sqs:us-east-1:000000000000:letters";
    let settings = json!({
        "TumblingWindowInSeconds": 10,
        "MaximumRetryAttempts": 1,
        "DestinationConfig": { "OnFailure": { "Destination": to } },
    });
    m.stream_mapping("pay", settings).await;
    m.river.write(&["k0=a"]);
    m.pass(SECOND * 9).await;
    let raw = m.script.taken();
    assert_eq!(raw.len(), 1);
    m.pass(SECOND * 20).await;
    let raw = m.script.taken();
    assert_eq!(raw.len(), 2);
    // The state is given as it was answered.
    assert!(raw[0].starts_with("10 ") && raw[0].contains(r#""state":{"n":1.50}"#), "{raw:?}");
    let letter: Value = serde_json::from_str(&m.letters.0.lock().unwrap()[0].body).unwrap();
    assert_eq!(letter["DDBStreamBatchInfo"]["batchSize"], 0);
    assert_eq!(letter["requestContext"]["condition"], "RetryAttemptsExhausted");
}

#[tokio::test]
async fn a_state_that_is_too_large_ends_its_window_early() {
    let m = &machine().await;
    m.script.play(|_, call| {
        let event: Value = serde_json::from_slice(&call.payload).unwrap();
        let bytes = match values(&event).as_str() {
            "large" => 1024 * 1024,
            _ => 100_000,
        };
        let state = json!({ "seen": "x".repeat(bytes) });
        Ok(answer(json!({ "state": state }).to_string().as_bytes()))
    });
    m.stream_mapping("pay", json!({ "TumblingWindowInSeconds": 30, "BatchSize": 1 })).await;
    m.river.write(&["k0=a", "k0=large", "k0=b"]);
    m.pass(SECOND * 31).await;
    let told: Vec<(String, usize)> = told(m)
        .into_iter()
        .map(|line| {
            let xs = line.bytes().filter(|byte| *byte == b'x').count();
            (line.replace('x', ""), xs)
        })
        .collect();
    let expected = [
        ("0: [a] {}", 0),
        (r#"0: [large] {"seen":""}"#, 100_000),
        (r#"0: [] {"seen":""} ends early"#, 1024 * 1024),
        ("0: [b] {}", 0),
        (r#"30: [] {"seen":""} ends"#, 100_000),
    ];
    assert_eq!(told, expected.map(|(line, xs)| (line.to_owned(), xs)));
}

#[tokio::test]
async fn a_state_survives_a_restart() {
    let engine = Arc::new(Memory::new());
    let blobs = Blobs::memory();
    let m = Machine::on(engine.clone(), blobs.clone(), START).await;
    m.function("pay", json!({})).await;
    collect(&m);
    m.stream_mapping("pay", json!({ "TumblingWindowInSeconds": 30 })).await;
    m.river.write(&["k0=a"]);
    settle().await;
    let again = Machine::on(engine, blobs, START + SECOND).await;
    collect(&again);
    again.river.take_over(&m.river);
    drop(m);
    again.pass(SECOND * 30).await;
    again.await_event().await;
    let told = told(&again);
    assert!(told.len() == 1 && told[0].ends_with(r#": [] {"seen":"a"} ends"#), "{told:?}");
}

#[tokio::test]
async fn with_a_report_the_state_is_of_what_was_done() {
    let m = &machine().await;
    let first = std::sync::atomic::AtomicBool::new(true);
    m.script.play(move |_, call| {
        let event: Value = serde_json::from_slice(&call.payload).unwrap();
        let mut reply = json!({ "state": { "last": values(&event) } });
        if first.swap(false, std::sync::atomic::Ordering::Relaxed) {
            let id = &event["Records"][1]["dynamodb"]["SequenceNumber"];
            reply["batchItemFailures"] = json!([{ "itemIdentifier": id }]);
        }
        Ok(answer(reply.to_string().as_bytes()))
    });
    let settings = json!({
        "TumblingWindowInSeconds": 30,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    });
    m.stream_mapping("pay", settings).await;
    m.river.write(&["k0=a", "k0=b"]);
    m.pass(SECOND * 5).await;
    assert_eq!(told(m), ["0: [a b] {}", r#"1: [b] {"last":"a b"}"#]);
}
