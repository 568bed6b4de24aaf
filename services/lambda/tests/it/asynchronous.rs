use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use engine_memory::Memory;
use host::HostError;
use http::Method;
use kit::targets::{AttributeValue, Event};
use serde_json::{Value, json};
use store::{Blobs, Dir, Space};

use crate::machine::{Machine, QUEUE, answer, failure, settle};
use crate::{MINUTE, SECOND, START};

async fn machine(more: Value) -> Machine {
    let machine = Machine::new().await;
    machine.function("pay", more).await;
    machine.script.taken();
    machine
}

async fn send(machine: &Machine, body: &str) {
    let path = "/2015-03-31/functions/pay/invocations";
    let event = [("x-amz-invocation-type", "Event")];
    let reply = machine.http(Method::POST, path, &event, body).await.unwrap();
    assert_eq!((reply.status.as_u16(), reply.body.len()), (202, 0));
}

/// What was run: seconds after the start, function, payload.
fn check(machine: &Machine, expected: &[&str]) {
    assert_eq!(machine.script.taken(), expected);
}

fn with_dead_letters() -> Value {
    json!({ "DeadLetterConfig": { "TargetArn": QUEUE } })
}

#[tokio::test]
async fn an_event_is_taken_now_and_run_once() {
    let m = &machine(json!({})).await;
    send(m, "1").await;
    m.pass(MINUTE * 60).await;
    check(m, &["0 pay 1"]);
}

#[tokio::test]
async fn a_failure_is_tried_again_after_one_and_two_minutes_and_is_then_a_dead_letter() {
    let m = &machine(with_dead_letters()).await;
    m.script.play(|_, _| Ok(failure("no\u{1} good")));
    send(m, r#"{"n":1}"#).await;
    m.pass(MINUTE * 60).await;
    check(m, &[r#"0 pay {"n":1}"#, r#"60 pay {"n":1}"#, r#"180 pay {"n":1}"#]);
    let letters = std::mem::take(&mut *m.letters.0.lock().unwrap());
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((letter.to.to_string().as_str(), letter.body.as_str()), (QUEUE, r#"{"n":1}"#));
    let attribute = |name: &str| match &letter.attributes[name].value {
        AttributeValue::Text(text) => text.as_str(),
        AttributeValue::Binary(_) => panic!("binary"),
    };
    assert_eq!(attribute("RequestID"), "request-1");
    assert_eq!(attribute("ErrorCode"), "200");
    assert_eq!(attribute("ErrorMessage"), "no  good");
}

#[tokio::test]
async fn a_second_try_may_succeed() {
    let m = &machine(with_dead_letters()).await;
    m.script.play(|_, _| Ok(failure("no")));
    send(m, "1").await;
    settle().await;
    m.script.play(|_, _| Ok(answer(b"1")));
    m.pass(MINUTE * 60).await;
    check(m, &["0 pay 1", "60 pay 1"]);
    assert!(m.letters.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_throttled_event_backs_off_until_it_is_six_hours_old() {
    let m = &machine(with_dead_letters()).await;
    m.script.play(|_, _| Err(HostError::Throttled { reason: "ConcurrentInvocationLimitExceeded" }));
    send(m, "1").await;
    m.pass(Duration::from_secs(1200)).await;
    let seconds = |log: Vec<String>| -> Vec<u64> {
        log.iter().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect()
    };
    let tries = seconds(m.script.taken());
    assert_eq!(tries, [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 811, 1111]);
    assert!(m.letters.0.lock().unwrap().is_empty());
    m.pass(MINUTE * 60 * 7).await;
    let tries = seconds(m.script.taken());
    assert!(tries.windows(2).all(|pair| pair[1] - pair[0] == 300), "{tries:?}");
    assert!((21_300..=21_600).contains(tries.last().unwrap()), "{tries:?}");
    let letters = m.letters.0.lock().unwrap();
    assert!(matches!(&letters[0].attributes["ErrorCode"].value,
        AttributeValue::Text(code) if code == "429"));
}

#[tokio::test]
async fn one_that_cannot_run_delays_no_other() {
    let m = &machine(json!({})).await;
    m.function("slow", json!({})).await;
    m.script.taken();
    m.script.play(|spec, _| match spec.name.as_str() {
        "pay" => Err(HostError::Throttled { reason: "x" }),
        _ => Ok(answer(b"1")),
    });
    send(m, "1").await;
    let path = "/2015-03-31/functions/slow/invocations";
    let event = [("x-amz-invocation-type", "Event")];
    m.http(Method::POST, path, &event, "2").await.unwrap();
    settle().await;
    check(m, &["0 pay 1", "0 slow 2"]);
}

#[tokio::test]
async fn a_restart_forgets_no_event() {
    let engine = Arc::new(Memory::new());
    let blobs = Blobs::memory();
    let before = Machine::on(engine.clone(), blobs.clone(), START).await;
    before.function("pay", json!({})).await;
    *before.script.takes.lock().unwrap() = MINUTE;
    let large = json!("x".repeat(100_000)).to_string();
    send(&before, &large).await;
    settle().await;
    // It runs, and the machine dies before it has ended.
    assert_eq!(before.script.taken().len(), 2);
    let after = Machine::on(engine, blobs, START + SECOND).await;
    // Another thread unpacks the code, and no virtual clock waits for it.
    while after.script.log.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    after.pass(MINUTE * 10).await;
    let log = after.script.taken();
    assert_eq!(log.len(), 1);
    assert!(log[0].ends_with(&format!(" pay {large}")));
}

#[tokio::test]
async fn events_of_a_deleted_function_end() {
    let m = &machine(json!({})).await;
    m.script.play(|_, _| Ok(failure("no")));
    send(m, "1").await;
    settle().await;
    m.call("DeleteFunction", json!({ "FunctionName": "pay" })).await.unwrap();
    m.pass(MINUTE * 60).await;
    check(m, &["0 pay 1", "retire function:pay keep none"]);
    let left = Space::new(&m.kit.account, "delivery").key(1).prefix();
    assert!(m.kit.store.scan(left, Dir::Forward, 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn topics_and_rules_reach_a_function_within_their_transaction() {
    let m = &machine(json!({})).await;
    let event = |to: &str, body: String| Event {
        to: format!("arn:aws:lambda:us-east-1:000000000000:function:{to}").parse().unwrap(),
        from: QUEUE.parse().unwrap(),
        body,
        attributes: BTreeMap::new(),
        group_id: None,
        deduplication_id: None,
        trace: None,
    };
    let append = async |event: &Event, fail: bool| {
        let kit = &m.kit;
        kit.store
            .transact(&kit.account, |tx| async move {
                kit.targets.append(&tx, event).await?;
                if fail { Err(kit::Error::internal("undone")) } else { Ok(()) }
            })
            .await
    };
    let large = json!("x".repeat(200_000)).to_string();
    append(&event("pay", "1".into()), true).await.unwrap_err();
    append(&event("pay", "2".into()), false).await.unwrap();
    append(&event("pay", large.clone()), false).await.unwrap();
    let gone = append(&event("gone", "4".into()), false).await.unwrap_err();
    assert_eq!(gone.status, 404);
    m.pass(MINUTE).await;
    let mut log = m.script.taken();
    log.sort();
    assert_eq!(log, [format!("0 pay {large}"), "0 pay 2".to_owned()]);
}
