use std::sync::Arc;

use engine_memory::Memory;
use host::HostError;
use kit::sources::Terms;
use serde_json::{Value, json};
use store::Blobs;

use crate::machine::{Machine, QUEUE, answer, failure, settle};
use crate::{MINUTE, SECOND, START};

async fn machine() -> Machine {
    let machine = Machine::new().await;
    machine.function("pay", json!({})).await;
    settle().await;
    machine.script.taken();
    machine
}

/// The bodies of each batch that was run, with the second.
fn batches(machine: &Machine) -> Vec<String> {
    let batch = |line: String| {
        let (when, payload) = line.split_once(" pay ").unwrap();
        let event: Value = serde_json::from_str(payload).unwrap();
        let records = event["Records"].as_array().unwrap().iter();
        let bodies: Vec<&str> = records.map(|record| record["body"].as_str().unwrap()).collect();
        format!("{when}: {}", bodies.join(" "))
    };
    machine.script.taken().into_iter().map(batch).collect()
}

fn acknowledged(machine: &Machine) -> String {
    let done = std::mem::take(&mut *machine.queue.acknowledged.lock().unwrap());
    done.into_iter().collect::<Vec<_>>().join(" ")
}

fn released(machine: &Machine) -> String {
    let back = std::mem::take(&mut *machine.queue.released.lock().unwrap());
    back.into_iter().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_mapping_is_made_described_changed_and_deleted() {
    let m = &machine().await;
    let uuid = m.mapping("pay", json!({ "BatchSize": 5 })).await;
    let one = json!({ "UUID": uuid });
    let mut expected = json!({
        "UUID": uuid,
        "EventSourceMappingArn":
            format!("arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{uuid}"),
        "EventSourceArn": QUEUE,
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:pay",
        "BatchSize": 5,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
        "LastModified": 1_793_491_200.0,
        "State": "Enabled",
        "StateTransitionReason": "USER_INITIATED",
    });
    assert_eq!(m.call("GetEventSourceMapping", one.clone()).await.unwrap(), expected);
    let by_queue = json!({ "EventSourceArn": QUEUE, "FunctionName": "pay" });
    let listed = m.call("ListEventSourceMappings", by_queue).await.unwrap();
    assert_eq!(listed, json!({ "EventSourceMappings": [expected] }));

    let twice = json!({ "FunctionName": "pay", "EventSourceArn": QUEUE });
    let twice = m.call("CreateEventSourceMapping", twice).await.unwrap_err();
    let text = format!(
        "ResourceConflictException: An event source mapping with SQS arn (\" {QUEUE} \") and \
         function (\" pay \") already exists. Please update or delete the existing mapping with \
         UUID {uuid}"
    );
    assert_eq!(twice, text);

    let change = json!({
        "UUID": uuid,
        "Enabled": false,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": { "MaximumConcurrency": 2 },
    });
    expected["State"] = "Disabling".into();
    expected["FunctionResponseTypes"] = json!(["ReportBatchItemFailures"]);
    expected["ScalingConfig"] = json!({ "MaximumConcurrency": 2 });
    assert_eq!(m.call("UpdateEventSourceMapping", change).await.unwrap(), expected);
    expected["State"] = "Disabled".into();
    let got = m.call("GetEventSourceMapping", one.clone()).await.unwrap();
    assert_eq!(got, expected);
    m.call("DeleteEventSourceMapping", one.clone()).await.unwrap();
    let none = "ResourceNotFoundException: The resource you requested does not exist.";
    for operation in ["Get", "Update", "Delete"] {
        let operation = format!("{operation}EventSourceMapping");
        assert_eq!(m.call(&operation, one.clone()).await.unwrap_err(), none);
    }
}

#[tokio::test]
async fn a_queue_feeds_a_function_in_batches() {
    let m = &machine().await;
    m.mapping("pay", json!({ "BatchSize": 3 })).await;
    m.queue.send(&["a", "b", "c", "d"]);
    settle().await;
    assert_eq!(batches(m), ["0: a b c", "0: d"]);
    assert_eq!(acknowledged(m), "a b c d");
    m.pass(MINUTE).await;
    m.queue.send(&["e"]);
    settle().await;
    assert_eq!(batches(m), ["60: e"]);
}

#[tokio::test]
async fn an_idle_mapping_asks_seldom() {
    let m = &machine().await;
    m.mapping("pay", json!({})).await;
    m.pass(MINUTE * 10).await;
    assert!(*m.queue.receives.lock().unwrap() <= 31);
}

#[tokio::test]
async fn a_window_collects_until_it_closes_or_the_batch_is_full() {
    let m = &machine().await;
    m.mapping("pay", json!({ "BatchSize": 20, "MaximumBatchingWindowInSeconds": 10 })).await;
    m.pass(SECOND).await;
    m.queue.send(&["a"]);
    m.pass(SECOND * 9).await;
    m.queue.send(&["b"]);
    m.pass(SECOND * 5).await;
    assert_eq!(batches(m), ["11: a b"]);
    let many: Vec<String> = (10..35).map(|i| i.to_string()).collect();
    m.queue.send(&many.iter().map(String::as_str).collect::<Vec<_>>());
    settle().await;
    assert_eq!(batches(m), [format!("15: {}", many[..20].join(" "))]);
    m.pass(SECOND * 10).await;
    assert_eq!(batches(m), [format!("25: {}", many[20..].join(" "))]);
}

#[tokio::test]
async fn a_batch_closes_before_six_megabytes() {
    let m = &machine().await;
    m.script.play(|_, call| {
        assert!(call.payload.len() <= 6 * 1024 * 1024);
        Ok(answer(b"null"))
    });
    m.mapping("pay", json!({ "BatchSize": 100, "MaximumBatchingWindowInSeconds": 5 })).await;
    let bodies: Vec<String> = ('a'..='e').map(|c| String::from(c).repeat(900_000)).collect();
    m.queue.send(&bodies.iter().map(String::as_str).collect::<Vec<_>>());
    m.pass(SECOND * 20).await;
    let sizes: Vec<usize> = batches(m).iter().map(|line| line.split(' ').count() - 1).collect();
    assert_eq!(sizes, [3, 2]);
    assert_eq!(m.queue.acknowledged.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn what_fails_comes_back() {
    let m = &machine().await;
    m.script.play(|_, _| Ok(failure("no")));
    m.mapping("pay", json!({})).await;
    m.queue.send(&["a", "b"]);
    settle().await;
    assert_eq!((batches(m), acknowledged(m)), (vec!["0: a b".to_owned()], String::new()));
    m.script.play(|_, _| Ok(answer(br#"{"batchItemFailures":[{"itemIdentifier":"a"}]}"#)));
    assert_eq!(m.queue.time_out(), ["a", "b"]);
    settle().await;
    // The mapping does not ask for reports, so the answer is none.
    assert_eq!((batches(m).len(), acknowledged(m).as_str()), (1, "a b"));
}

#[tokio::test]
async fn reported_items_alone_come_back() {
    let m = &machine().await;
    let check = async |answer_text: &'static str, done: &str, back: &[&str]| {
        m.script.play(move |_, _| Ok(answer(answer_text.as_bytes())));
        m.queue.send(&["a", "b", "c"]);
        settle().await;
        assert_eq!(acknowledged(m), done, "{answer_text}");
        m.script.play(|_, _| Ok(answer(b"null")));
        assert_eq!(m.queue.time_out(), back, "{answer_text}");
        settle().await;
        acknowledged(m);
    };
    m.mapping("pay", json!({ "FunctionResponseTypes": ["ReportBatchItemFailures"] })).await;
    let all = &["a", "b", "c"];
    check(r#"{"batchItemFailures":[]}"#, "a b c", &[]).await;
    check("null", "a b c", &[]).await;
    check(r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#, "a c", &["b"]).await;
    check(r#"{"batchItemFailures":[{"itemIdentifier":"x"}]}"#, "", all).await;
    check(r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#, "", all).await;
    check(r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#, "", all).await;
    check("\"fine\"", "", all).await;
}

#[tokio::test]
async fn no_more_batches_at_once_than_allowed() {
    for (more, most) in [
        // Five, and one more each fifth of a second until the queue is empty.
        (json!({ "BatchSize": 1 }), 15),
        (json!({ "BatchSize": 1, "ScalingConfig": { "MaximumConcurrency": 2 } }), 2),
        (json!({ "BatchSize": 1, "ScalingConfig": { "MaximumConcurrency": 7 } }), 7),
        (json!({ "BatchSize": 1, "ProvisionedPollerConfig": { "MaximumPollers": 2 } }), 20),
    ] {
        let m = &machine().await;
        *m.script.takes.lock().unwrap() = SECOND;
        m.mapping("pay", more).await;
        let many: Vec<String> = (10..40).map(|i| i.to_string()).collect();
        m.queue.send(&many.iter().map(String::as_str).collect::<Vec<_>>());
        m.pass(MINUTE).await;
        assert_eq!(m.queue.acknowledged.lock().unwrap().len(), 30);
        assert_eq!(m.script.most_at_once.lock().unwrap().1, most);
    }
}

#[tokio::test]
async fn a_throttled_function_is_asked_less_and_less() {
    let m = &machine().await;
    m.script.play(|_, _| Err(HostError::Throttled { reason: "x" }));
    let scaling = json!({ "MaximumConcurrency": 2 });
    m.mapping("pay", json!({ "BatchSize": 1, "ScalingConfig": scaling })).await;
    for _ in 0..600 {
        m.queue.time_out();
        m.queue.send(if m.queue.receives.lock().unwrap().eq(&1) { &["a", "b"] } else { &[] });
        m.pass(SECOND).await;
    }
    let tries = batches(m).len();
    assert!((10..40).contains(&tries), "{tries}");
    m.script.play(|_, _| Ok(answer(b"1")));
    m.pass(MINUTE).await;
    m.queue.time_out();
    m.pass(MINUTE).await;
    assert_eq!(acknowledged(m), "a b");
}

#[tokio::test]
async fn nothing_is_taken_for_a_function_that_is_gone() {
    let m = &machine().await;
    m.mapping("pay", json!({})).await;
    m.pass(MINUTE).await;
    m.call("DeleteFunction", json!({ "FunctionName": "pay" })).await.unwrap();
    m.pass(MINUTE).await;
    m.script.taken();
    m.queue.send(&["a"]);
    m.pass(MINUTE * 2).await;
    assert!(m.queue.time_out().is_empty());
    m.function("pay", json!({})).await;
    m.script.taken();
    m.pass(MINUTE * 2).await;
    assert_eq!(acknowledged(m), "a");
}

#[tokio::test]
async fn a_disabled_changed_or_deleted_mapping_stops_and_finishes_what_it_has() {
    let m = &machine().await;
    let uuid = m.mapping("pay", json!({})).await;
    *m.script.takes.lock().unwrap() = SECOND;
    m.queue.send(&["a"]);
    settle().await;
    let set = async |more: Value| {
        let mut input = json!({ "UUID": uuid });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        m.call("UpdateEventSourceMapping", input).await.unwrap();
    };
    set(json!({ "Enabled": false })).await;
    m.queue.send(&["b"]);
    m.pass(MINUTE * 5).await;
    // The batch that had been taken was finished, and no other was.
    assert_eq!((batches(m), acknowledged(m)), (vec!["0: a".to_owned()], "a".to_owned()));
    m.queue.send(&["c", "d"]);
    set(json!({ "Enabled": true, "BatchSize": 2 })).await;
    m.pass(MINUTE).await;
    assert_eq!(batches(m), ["300: b c", "300: d"]);
    m.call("DeleteEventSourceMapping", json!({ "UUID": uuid })).await.unwrap();
    m.queue.send(&["e"]);
    m.pass(MINUTE * 5).await;
    assert!(batches(m).is_empty());
}

#[tokio::test]
async fn a_restart_polls_again_and_closing_ends_it() {
    let engine = Arc::new(Memory::new());
    let blobs = Blobs::memory();
    let before = Machine::on(engine.clone(), blobs.clone(), START).await;
    before.function("pay", json!({})).await;
    before.mapping("pay", json!({})).await;
    before.kit.close();
    settle().await;
    before.queue.send(&["x"]);
    settle().await;
    assert!(before.queue.time_out().is_empty());

    let after = Machine::on(engine, blobs, START).await;
    settle().await;
    after.queue.send(&["a"]);
    // The code is unpacked by another thread, which no virtual clock waits for.
    while after.queue.acknowledged.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(batches(&after), ["0: a"]);
}

#[tokio::test]
async fn what_is_not_served_or_not_valid_is_refused() {
    let m = &machine().await;
    let check = async |more: Value, expected: &str| {
        let mut input = json!({ "FunctionName": "pay", "EventSourceArn": QUEUE });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let error = m.call("CreateEventSourceMapping", input).await.unwrap_err();
        assert!(error.starts_with(expected), "{more}: {error}");
    };
    let invalid = "InvalidParameterValueException: ";
    let check_invalid =
        async |more: Value, text: &str| check(more, &format!("{invalid}{text}")).await;
    for name in ["KMSKeyArn", "LoggingConfig", "MetricsConfig", "Queues", "Topics"] {
        let refused = format!("NotImplemented: lambda.CreateEventSourceMapping with {name}");
        check(json!({ name: ["x"] }), &refused).await;
    }
    let filters = |patterns: &[&str]| {
        let filters: Vec<Value> = patterns.iter().map(|p| json!({ "Pattern": p })).collect();
        json!({ "FilterCriteria": { "Filters": filters } })
    };
    for pattern in ["", "text", "{}", r#"{"body":"x"}"#, r#"{"body":[]}"#] {
        check_invalid(filters(&[pattern]), "Invalid filter pattern definition.").await;
    }
    check_invalid(filters(&["x"; 11]), "FilterCriteria cannot have more than 10").await;
    check(filters(&[&"x".repeat(4097)]), "ValidationException: 1 validation error").await;
    let pollers = |min, max| json!({ "ProvisionedPollerConfig": { "MinimumPollers": min, "MaximumPollers": max } });
    check(pollers(1, 2), "ValidationException: 1 validation error").await;
    check(pollers(2, 2001), "ValidationException: 1 validation error").await;
    check_invalid(pollers(9, 8), "MinimumPollers must be less").await;
    let mut both = pollers(2, 3);
    both["ScalingConfig"] = json!({ "MaximumConcurrency": 2 });
    check_invalid(both, "ScalingConfig.MaximumConcurrency and ProvisionedPollerConfig").await;
    check(json!({ "BatchSize": 11 }), "InvalidParameterValueException: Maximum batch window").await;
    check(json!({ "FunctionName": "none" }), "ResourceNotFoundException: Function not found").await;
    check(json!({ "EventSourceArn": null }), "InvalidParameterValueException").await;
    let arn = |rest: &str| json!({ "EventSourceArn": format!("arn:aws:{rest}") });
    let gone = "InvalidParameterValueException: Error occurred while ReceiveMessage. SQS Error \
                Code: QueueDoesNotExist.";
    check(arn("sqs:us-east-1:000000000000:none"), gone).await;
    check(arn("kinesis:us-east-1:000000000000:stream/s"), "NotImplemented: kinesis").await;
    check(arn("sqs:us-east-1:111111111111:q"), "NotImplemented: an event source in another").await;
}

#[tokio::test]
async fn a_queue_feeds_an_alias() {
    let m = &Machine::new().await;
    m.function("pay", json!({ "Publish": true })).await;
    let alias = json!({ "FunctionName": "pay", "Name": "live", "FunctionVersion": "1" });
    m.call("CreateAlias", alias).await.unwrap();
    let versions = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&versions);
    m.script.play(move |spec, _| {
        seen.lock().unwrap().push(spec.version.clone());
        Ok(answer(b"null"))
    });
    let uuid = m.mapping("pay:live", json!({})).await;
    let made = m.call("GetEventSourceMapping", json!({ "UUID": uuid })).await.unwrap();
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:pay:live";
    assert_eq!(made["FunctionArn"], arn);
    m.queue.send(&["a"]);
    m.pass(SECOND).await;
    assert_eq!(*versions.lock().unwrap(), ["1"]);
    assert_eq!(acknowledged(m), "a");
    let none = json!({ "FunctionName": "pay:none", "EventSourceArn": QUEUE });
    let none = m.call("CreateEventSourceMapping", none).await.unwrap_err();
    assert!(none.starts_with("ResourceNotFoundException"), "{none}");
}

#[tokio::test]
async fn what_is_too_much_of_a_fifo_queue_is_given_in_parts_until_one_fails() {
    let m = &machine().await;
    m.script.play(|_, call| {
        let payload = String::from_utf8_lossy(&call.payload);
        Ok(if payload.contains("bad") { failure("no") } else { answer(b"{}") })
    });
    let source = format!("{QUEUE}.fifo");
    m.mapping("pay", json!({ "EventSourceArn": source })).await;
    settle().await;
    m.script.taken();
    // Three megabytes each: two make an event.
    let record = |id: &str, group: &str| {
        let attributes = json!({ "MessageGroupId": group });
        let body = "x".repeat(2_900_000);
        json!({ "messageId": id, "body": body, "attributes": attributes })
    };
    m.queue.send_records(vec![
        record("a1", "a"),
        record("a2", "a"),
        record("b1 bad", "b"),
        record("c1", "c"),
        record("b2", "b"),
        record("a3", "a"),
        record("c2", "c"),
    ]);
    settle().await;
    let events: Vec<Vec<String>> = m
        .script
        .taken()
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line.splitn(3, ' ').nth(2)?).ok())
        .map(|event| {
            let ids = event["Records"].as_array().unwrap().iter();
            ids.map(|record| record["messageId"].as_str().unwrap().to_owned()).collect()
        })
        .collect();
    // What stood with the one that failed is blocked with it, the rest goes on.
    assert_eq!(events, [vec!["a1", "a2"], vec!["b1 bad", "c1"], vec!["a3"]]);
    assert_eq!(acknowledged(m), "a1 a2 a3");
    assert_eq!(m.script.most_at_once.lock().unwrap().1, 1);
    // Those blocked were never tried, so their receive does not count.
    assert_eq!(released(m), "b2 c2");
    assert_eq!(m.queue.time_out(), ["b1 bad", "c1"]);
}

/// Three records of a FIFO queue that are two events.
fn two_parts() -> Vec<Value> {
    let record = |id: &str, group: &str| {
        let attributes = json!({ "MessageGroupId": group });
        json!({ "messageId": id, "body": "x".repeat(2_900_000), "attributes": attributes })
    };
    vec![record("1", "g"), record("2", "g"), record("3", "h")]
}

#[tokio::test]
async fn a_part_that_its_lease_may_not_cover_is_given_back_as_not_received() {
    let m = &machine().await;
    *m.queue.terms.lock().unwrap() = Terms { lease: SECOND * 5, receives_max: Some(1) };
    m.mapping("pay", json!({ "EventSourceArn": format!("{QUEUE}.fifo") })).await;
    settle().await;
    m.queue.send_records(two_parts());
    settle().await;
    assert_eq!((acknowledged(m).as_str(), released(m).as_str()), ("1 2", "3"));
    assert!(m.queue.time_out().is_empty());
}

#[tokio::test]
async fn what_a_function_that_cannot_be_run_is_not_given_goes_back() {
    let m = &machine().await;
    m.mapping("pay", json!({ "EventSourceArn": format!("{QUEUE}.fifo") })).await;
    settle().await;
    m.script.play(|_, _| Err(HostError::Throttled { reason: "x" }));
    m.queue.send_records(two_parts());
    settle().await;
    assert_eq!((acknowledged(m).as_str(), released(m).as_str()), ("", "3"));
    assert_eq!(m.queue.time_out(), ["1", "2"]);
}
