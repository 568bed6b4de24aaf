//! Which messages reach the function of a mapping, and what else a mapping has.

use serde_json::{Value, json};

use crate::machine::{Machine, answer, settle};
use crate::{MINUTE, SECOND};

async fn machine() -> Machine {
    let machine = Machine::new().await;
    machine.function("pay", json!({})).await;
    machine.script.taken();
    machine
}

fn criteria(patterns: &[Value]) -> Value {
    let filters = patterns.iter().map(|pattern| json!({ "Pattern": pattern.to_string() }));
    json!({ "Filters": filters.collect::<Vec<_>>() })
}

fn acknowledged(m: &Machine) -> Vec<String> {
    std::mem::take(&mut *m.queue.acknowledged.lock().unwrap()).into_iter().collect()
}

#[tokio::test]
async fn what_no_filter_wants_is_deleted_and_the_function_does_not_see_it() {
    let m = &machine().await;
    let patterns =
        [json!({ "body": { "n": [{ "numeric": [">", 1] }] } }), json!({ "body": ["x"] })];
    let more =
        json!({ "FilterCriteria": criteria(&patterns), "MaximumBatchingWindowInSeconds": 2 });
    let uuid = m.mapping("pay", more).await;
    let one = json!({ "UUID": uuid });
    let got = m.call("GetEventSourceMapping", one.clone()).await.unwrap();
    assert_eq!(got["FilterCriteria"], criteria(&patterns));
    m.queue.send(&[r#"{"n":1}"#, "y", r#"{"n":"2"}"#]);
    m.pass(MINUTE).await;
    assert_eq!(m.script.taken(), [""; 0]);
    assert_eq!(acknowledged(m).len(), 3);
    m.script.play(|_, _| Err(host::HostError::Throttled { reason: "x" }));
    m.queue.send(&["y", r#"{"n":2}"#, "x"]);
    m.pass(SECOND * 3).await;
    // Those that are wanted stay until the function has succeeded with them.
    let [run] = &m.script.taken()[..] else { panic!() };
    let event: Value = serde_json::from_str(run.split_once(" pay ").unwrap().1).unwrap();
    let bodies: Vec<&Value> =
        event["Records"].as_array().unwrap().iter().map(|r| &r["body"]).collect();
    assert_eq!(bodies, [r#"{"n":2}"#, "x"]);
    assert_eq!(acknowledged(m), ["y"]);

    // Criteria that are empty take the filters away.
    m.script.play(|_, _| Ok(answer(b"null")));
    let change = json!({ "UUID": uuid, "FilterCriteria": {} });
    let changed = m.call("UpdateEventSourceMapping", change).await.unwrap();
    assert_eq!(changed.get("FilterCriteria"), None);
    m.queue.send(&["z"]);
    m.pass(MINUTE).await;
    assert_eq!(acknowledged(m), ["z"]);
    assert_eq!(m.script.taken().len(), 1);
}

#[tokio::test]
async fn a_batch_that_is_collected_when_its_mapping_stops_is_given_to_the_function() {
    let m = &machine().await;
    let uuid = m.mapping("pay", json!({ "MaximumBatchingWindowInSeconds": 300 })).await;
    settle().await;
    m.queue.send(&["a"]);
    m.pass(SECOND).await;
    assert_eq!(m.script.taken(), [""; 0]);
    m.call("DeleteEventSourceMapping", json!({ "UUID": uuid })).await.unwrap();
    m.queue.send(&["b"]);
    m.pass(SECOND).await;
    assert_eq!(acknowledged(m), ["a"]);
}

#[tokio::test]
async fn a_mapping_has_tags() {
    let m = &machine().await;
    *m.script.takes.lock().unwrap() = SECOND;
    let uuid = m.mapping("pay", json!({ "Tags": { "a": "1" } })).await;
    let made = m.call("GetEventSourceMapping", json!({ "UUID": uuid })).await.unwrap();
    let arn = made["EventSourceMappingArn"].as_str().unwrap();
    let tags = async || m.call("ListTags", json!({ "Resource": arn })).await;
    assert_eq!(tags().await.unwrap(), json!({ "Tags": { "a": "1" } }));
    let more = json!({ "Resource": arn, "Tags": { "b": "2" } });
    m.call("TagResource", more).await.unwrap();
    let fewer = json!({ "Resource": arn, "TagKeys": ["a"] });
    m.call("UntagResource", fewer).await.unwrap();
    assert_eq!(tags().await.unwrap(), json!({ "Tags": { "b": "2" } }));
    m.call("DeleteEventSourceMapping", json!({ "UUID": uuid })).await.unwrap();
    let none = tags().await.unwrap_err();
    assert!(none.starts_with("ResourceNotFoundException"), "{none}");
    let elsewhere = json!({ "Resource": arn.replace("us-east-1", "us-east-2") });
    let none = m.call("ListTags", elsewhere).await.unwrap_err();
    assert!(none.starts_with("ResourceNotFoundException"), "{none}");
}
