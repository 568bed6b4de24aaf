use std::collections::BTreeMap;
use std::sync::Arc;

use engine_memory::Memory;
use host::HostError;
use http::Method;
use kit::targets::Event;
use serde_json::{Value, json};
use store::Blobs;

use crate::machine::{Machine, QUEUE, answer, failure, settle};
use crate::{MINUTE, SECOND, START};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function";

async fn machine() -> Machine {
    let m = Machine::new().await;
    m.function("pay", json!({ "Publish": true })).await;
    m.function("told", json!({})).await;
    m.script.taken();
    m
}

fn config(more: Value) -> Value {
    let mut input = json!({ "FunctionName": "pay" });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

fn destinations(success: &str, failure: &str) -> Value {
    json!({ "OnSuccess": { "Destination": success }, "OnFailure": { "Destination": failure } })
}

async fn put(m: &Machine, more: Value) -> Value {
    m.call("PutFunctionEventInvokeConfig", config(more)).await.unwrap()
}

async fn send(m: &Machine, name: &str, body: &str) {
    let path = format!("/2015-03-31/functions/{name}/invocations");
    let event = [("x-amz-invocation-type", "Event")];
    assert_eq!(m.http(Method::POST, &path, &event, body).await.unwrap().status, 202);
}

fn letters(m: &Machine) -> Vec<Event> {
    std::mem::take(&mut *m.letters.0.lock().unwrap())
}

fn record(m: &Machine) -> Value {
    let letters = letters(m);
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((letter.to.to_string().as_str(), &letter.attributes), (QUEUE, &BTreeMap::new()));
    serde_json::from_str(&letter.body).unwrap()
}

#[tokio::test]
async fn a_configuration_is_put_updated_listed_and_deleted() {
    let m = &machine().await;
    let made = put(m, json!({ "MaximumRetryAttempts": 0, "Qualifier": "1" })).await;
    let expected = json!({
        "LastModified": 1_793_491_200.0,
        "FunctionArn": format!("{ARN}:pay:1"),
        "MaximumRetryAttempts": 0,
        "DestinationConfig": { "OnSuccess": {}, "OnFailure": {} },
    });
    assert_eq!(made, expected);
    let both = destinations(&format!("{ARN}:told"), QUEUE);
    put(m, json!({ "MaximumEventAgeInSeconds": 60, "DestinationConfig": both })).await;
    // An update leaves what it does not name; a put does not.
    let update = config(json!({
        "MaximumRetryAttempts": 1, "DestinationConfig": { "OnSuccess": {} },
    }));
    let updated = m.call("UpdateFunctionEventInvokeConfig", update).await.unwrap();
    assert_eq!(updated["FunctionArn"], format!("{ARN}:pay:$LATEST"));
    assert_eq!(
        (&updated["MaximumRetryAttempts"], &updated["MaximumEventAgeInSeconds"]),
        (&json!(1), &json!(60))
    );
    let left = json!({ "OnSuccess": {}, "OnFailure": { "Destination": QUEUE } });
    assert_eq!(updated["DestinationConfig"], left);
    let get = async |more: Value| m.call("GetFunctionEventInvokeConfig", config(more)).await;
    assert_eq!(get(json!({})).await.unwrap(), updated);
    assert_eq!(get(json!({ "Qualifier": "1" })).await.unwrap(), expected);
    let list = m.call("ListFunctionEventInvokeConfigs", config(json!({}))).await.unwrap();
    assert_eq!(list, json!({ "FunctionEventInvokeConfigs": [updated, expected] }));

    let delete = async || m.call("DeleteFunctionEventInvokeConfig", config(json!({}))).await;
    delete().await.unwrap();
    let none = format!(
        "ResourceNotFoundException: The function {ARN}:pay:$LATEST doesn't have an \
         EventInvokeConfig"
    );
    assert_eq!(delete().await.unwrap_err(), none);
    assert_eq!(get(json!({})).await.unwrap_err(), none);
    let update = config(json!({ "MaximumRetryAttempts": 1 }));
    assert_eq!(m.call("UpdateFunctionEventInvokeConfig", update).await.unwrap_err(), none);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let m = &machine().await;
    let check = async |more: Value, expected: &str| {
        let error = m.call("PutFunctionEventInvokeConfig", config(more)).await.unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    };
    let parameter = "InvalidParameterValueException: ";
    check(json!({}), &format!("{parameter}You must specify at least one")).await;
    check(json!({ "MaximumRetryAttempts": 3 }), "ValidationException").await;
    check(json!({ "MaximumEventAgeInSeconds": 59 }), "ValidationException").await;
    let to = |arn: &str| json!({ "DestinationConfig": destinations(arn, "") });
    check(to("queue"), "ValidationException").await;
    check(to(&format!("{ARN}:pay")), &format!("{parameter}You can't specify the function")).await;
    check(to(&format!("{ARN}:none")), &format!("{parameter}The destination ARN")).await;
    check(to(&format!("{QUEUE}.fifo")), &format!("{parameter}The destination ARN")).await;
    check(to("arn:aws:s3:::b"), "NotImplemented: lambda: s3 as a destination").await;
    let nobody = "ResourceNotFoundException: The function doesn't exist.";
    check(json!({ "MaximumRetryAttempts": 1, "Qualifier": "9" }), nobody).await;
    check(json!({ "MaximumRetryAttempts": 1, "FunctionName": "none" }), nobody).await;
}

#[tokio::test]
async fn a_success_is_told_with_its_answer() {
    let m = &machine().await;
    let to = json!({ "DestinationConfig": destinations(QUEUE, ""), "Qualifier": "1" });
    put(m, to).await;
    m.script.play(|_, _| Ok(answer(br#"{"big":12345678901234567890123}"#)));
    // Only the version is asked to tell.
    send(m, "pay", "1").await;
    settle().await;
    assert!(letters(m).is_empty());
    send(m, "pay:1", r#"{"n":1}"#).await;
    settle().await;
    let letter = letters(m).remove(0);
    assert!(letter.body.contains("12345678901234567890123"), "{}", letter.body);
    let told: Value = serde_json::from_str(&letter.body).unwrap();
    assert_eq!(told["requestContext"]["functionArn"], format!("{ARN}:pay:1"));
    assert_eq!(told["requestContext"]["condition"], "Success");
    assert_eq!(told["responseContext"], json!({ "statusCode": 200, "executedVersion": "1" }));
}

#[tokio::test]
async fn a_failure_is_told_after_the_last_retry() {
    let m = &machine().await;
    let to = destinations(&format!("{ARN}:told"), QUEUE);
    put(m, json!({ "MaximumRetryAttempts": 1, "DestinationConfig": to })).await;
    m.script.play(|spec, call| match spec.name.as_str() {
        "pay" if &call.payload[..] != b"2" => Ok(failure("no")),
        _ => Ok(answer(b"7")),
    });
    send(m, "pay", r#"{"n":1}"#).await;
    m.pass(MINUTE * 10).await;
    assert_eq!(m.script.taken(), [r#"0 pay {"n":1}"#, r#"60 pay {"n":1}"#]);
    let expected = json!({
        "version": "1.0",
        "timestamp": "2026-11-01T00:01:00.000Z",
        "requestContext": {
            "requestId": "request-1",
            "functionArn": format!("{ARN}:pay:$LATEST"),
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 2,
        },
        "requestPayload": { "n": 1 },
        "responseContext": {
            "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled",
        },
        "responsePayload": { "errorType": "Error", "errorMessage": "no" },
    });
    assert_eq!(record(m), expected);
    // A function is told, too.
    send(m, "pay", "2").await;
    settle().await;
    let log = m.script.taken();
    assert_eq!((log.len(), log[0].as_str()), (2, "600 pay 2"));
    let told: Value = serde_json::from_str(log[1].strip_prefix("600 told ").unwrap()).unwrap();
    assert_eq!(
        (&told["requestContext"]["condition"], &told["responsePayload"]),
        (&json!("Success"), &json!(7))
    );
}

#[tokio::test]
async fn an_event_grows_too_old() {
    let m = &machine().await;
    let to = destinations("", QUEUE);
    put(m, json!({ "MaximumEventAgeInSeconds": 60, "DestinationConfig": to })).await;
    m.script.play(|_, _| Err(HostError::Throttled { reason: "x" }));
    send(m, "pay", "1").await;
    m.pass(MINUTE * 5).await;
    // After 1, 2, 4, 8 and 16 seconds; the next would be too late.
    assert_eq!(m.script.taken().len(), 6);
    let told = record(m);
    assert_eq!(told["requestContext"]["condition"], "EventAgeExceeded");
    assert_eq!(told["requestContext"]["approximateInvokeCount"], 0);
    assert_eq!((&told["responseContext"], &told["requestPayload"]), (&Value::Null, &json!(1)));
    // A retry that would come too late ends it as well.
    put(
        m,
        json!({ "MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 2,
        "DestinationConfig": destinations("", QUEUE) }),
    )
    .await;
    m.script.play(|_, _| Ok(failure("no")));
    *m.script.takes.lock().unwrap() = SECOND;
    send(m, "pay", "1").await;
    m.pass(MINUTE * 5).await;
    let told = record(m);
    assert_eq!(told["requestContext"]["condition"], "EventAgeExceeded");
    assert_eq!(told["responseContext"]["functionError"], "Unhandled");
}

#[tokio::test]
async fn an_event_that_waited_out_a_downtime_is_not_run_when_it_is_too_old() {
    // Of the six hours that nobody has set, and of those that somebody has.
    for age in [None, Some(21_600)] {
        let (engine, blobs) = (Arc::new(Memory::new()), Blobs::memory());
        let before = &Machine::on(engine.clone(), blobs.clone(), START).await;
        before.function("pay", json!({})).await;
        let to = destinations("", QUEUE);
        put(before, json!({ "MaximumEventAgeInSeconds": age, "DestinationConfig": to })).await;
        before.script.play(|_, _| Err(HostError::Throttled { reason: "x" }));
        send(before, "pay", "1").await;
        settle().await;
        before.kit.close();

        let after = &Machine::on(engine, blobs, START + MINUTE * 361).await;
        // The code is unpacked by another thread, which no virtual clock waits for.
        while after.letters.0.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(record(after)["requestContext"]["condition"], "EventAgeExceeded");
        assert!(after.script.taken().is_empty());
    }
}

#[tokio::test]
async fn the_old_form_of_an_asynchronous_invocation_is_served() {
    let m = &machine().await;
    let path = "/2014-11-13/functions/pay/invoke-async";
    let reply = m.http(Method::POST, path, &[], r#"{"n":1}"#).await.unwrap();
    assert_eq!(reply.status, 202);
    settle().await;
    assert_eq!(m.script.taken(), [r#"0 pay {"n":1}"#]);
    let error = m.http(Method::POST, path, &[], "{").await.err().unwrap();
    assert_eq!(error.code, "InvalidRequestContentException");
    let none = "/2014-11-13/functions/none/invoke-async";
    assert_eq!(m.http(Method::POST, none, &[], "1").await.err().unwrap().status, 404);
}
