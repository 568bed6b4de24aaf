//! A function that calls itself again and again is stopped.

use std::sync::{Arc, Mutex};

use http::Method;
use kit::targets::AttributeValue;
use serde_json::{Value, json};

use crate::MINUTE;
use crate::machine::{Machine, QUEUE, answer, settle};

/// A machine with a function whose traces are kept.
async fn machine() -> (Machine, Arc<Mutex<Vec<String>>>) {
    let machine = Machine::new().await;
    machine.function("pay", json!({ "DeadLetterConfig": { "TargetArn": QUEUE } })).await;
    let traces = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&traces);
    machine.script.play(move |_, call| {
        kept.lock().unwrap().push(call.trace_header.clone().unwrap());
        Ok(answer(b"1"))
    });
    machine.script.taken();
    (machine, traces)
}

/// Invokes with the trace that the function was given last, as an SDK within it does.
async fn again(
    machine: &Machine,
    traces: &Mutex<Vec<String>>,
    kind: &'static str,
) -> Result<u16, String> {
    let last = traces.lock().unwrap().last().cloned().unwrap_or_default();
    let headers = [("x-amz-invocation-type", kind), ("x-amzn-trace-id", last.as_str())];
    let path = "/2015-03-31/functions/pay/invocations";
    let reply = machine.http(Method::POST, path, &headers, "{}").await;
    settle().await;
    reply.map(|reply| reply.status.as_u16()).map_err(|error| format!("{} {error}", error.status))
}

async fn allow(machine: &Machine, how: &str) {
    let input = json!({ "FunctionName": "pay", "RecursiveLoop": how });
    machine.call("PutFunctionRecursionConfig", input).await.unwrap();
}

#[tokio::test]
async fn the_seventeenth_call_of_one_chain_is_refused() {
    let (m, traces) = &machine().await;
    for _ in 0..16 {
        assert_eq!(again(m, traces, "RequestResponse").await, Ok(200));
    }
    let refused = again(m, traces, "RequestResponse").await.unwrap_err();
    let expected = "400 RecursiveInvocationException: Lambda has detected your function being \
                    invoked in a recursive loop with other AWS resources and stopped your \
                    function's invocation.";
    assert_eq!(refused, expected);
    assert_eq!(traces.lock().unwrap().len(), 16);
    // What belongs to no chain is none of it.
    let path = "/2015-03-31/functions/pay/invocations";
    assert!(m.http(Method::POST, path, &[], "{}").await.is_ok());
}

#[tokio::test]
async fn a_function_may_be_allowed_to_and_no_longer() {
    let (m, traces) = &machine().await;
    allow(m, "Allow").await;
    for _ in 0..40 {
        assert_eq!(again(m, traces, "RequestResponse").await, Ok(200));
    }
    allow(m, "Terminate").await;
    assert!(again(m, traces, "RequestResponse").await.is_err());
}

#[tokio::test]
async fn an_asynchronous_loop_ends_as_a_dead_letter_and_a_record() {
    let (m, traces) = &machine().await;
    let failures = "arn:aws:sqs:us-east-1:000000000000:failures";
    let input = json!({
        "FunctionName": "pay", "DestinationConfig": { "OnFailure": { "Destination": failures } }
    });
    m.call("PutFunctionEventInvokeConfig", input).await.unwrap();
    for _ in 0..17 {
        assert_eq!(again(m, traces, "Event").await, Ok(202));
    }
    m.pass(MINUTE * 60 * 7).await;
    assert_eq!(traces.lock().unwrap().len(), 16, "not invoked, and not tried again");
    let letters = std::mem::take(&mut *m.letters.0.lock().unwrap());
    let [letter, told] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((letter.to.to_string().as_str(), letter.body.as_str()), (QUEUE, "{}"));
    let attribute = |name: &str| match &letter.attributes[name].value {
        AttributeValue::Text(text) => text.as_str(),
        AttributeValue::Binary(_) => panic!("binary"),
    };
    assert_eq!(attribute("ErrorCode"), "400");
    assert!(attribute("ErrorMessage").contains("recursive loop"));
    assert_eq!(told.to.to_string(), failures);
    let record: Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 0);
    assert_eq!(record["requestPayload"], json!({}));
    assert_eq!(record.get("responsePayload"), None);
    // Whatever reads the letter goes on with the chain.
    let last = told.trace.as_deref().unwrap();
    assert!(last.contains("Lineage=") && last.ends_with(":17"), "{last}");
}

/// A record that has passed the function so often.
fn traced(chain: &[String], body: &str, passes: usize) -> Value {
    let trace = passes.checked_sub(1).map(|at| chain[at].as_str());
    json!({ "messageId": body, "body": body, "attributes": { "AWSTraceHeader": trace } })
}

/// The bodies of each batch that was run.
fn batches(machine: &Machine) -> Vec<Vec<String>> {
    let mut run = Vec::new();
    for line in machine.script.taken() {
        let Some(event) = line.splitn(3, ' ').nth(2) else { continue };
        let Ok(event) = serde_json::from_str::<Value>(event) else { continue };
        let records = event["Records"].as_array().unwrap();
        run.push(records.iter().map(|r| r["body"].as_str().unwrap().to_owned()).collect());
    }
    run
}

#[tokio::test]
async fn a_batch_is_of_messages_that_have_come_as_far() {
    let (m, traces) = &machine().await;
    for _ in 0..16 {
        again(m, traces, "RequestResponse").await.unwrap();
    }
    m.script.taken();
    let chain = std::mem::take(&mut *traces.lock().unwrap());
    m.mapping("pay", json!({})).await;
    settle().await;
    let traced = |body: &str, passes: usize| traced(&chain, body, passes);
    m.queue.send_records(vec![
        traced("fresh", 0),
        traced("loop", 16),
        traced("last", 15),
        traced("young", 0),
        traced("loop too", 16),
    ]);
    settle().await;
    let mut run = batches(m);
    run.sort();
    assert_eq!(run, [vec!["fresh", "young"], vec!["last"]]);
    // Those of the loop are left to the queue, which counts their receives.
    let mut back = m.queue.time_out();
    back.sort();
    assert_eq!(back, ["loop", "loop too"]);
}

#[tokio::test]
async fn a_function_that_may_loop_has_its_messages_in_one_batch() {
    let (m, traces) = &machine().await;
    allow(m, "Allow").await;
    for _ in 0..20 {
        again(m, traces, "RequestResponse").await.unwrap();
    }
    m.script.taken();
    let chain = std::mem::take(&mut *traces.lock().unwrap());
    m.mapping("pay", json!({})).await;
    settle().await;
    let sent = [("a", 0), ("b", 16), ("c", 15), ("d", 20), ("e", 0)];
    let records = sent.map(|(body, passes)| traced(&chain, body, passes));
    m.queue.send_records(records.into());
    settle().await;
    assert_eq!(batches(m), [["a", "b", "c", "d", "e"]]);
}
