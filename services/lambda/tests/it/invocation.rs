use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use host::HostError;
use http::{Method, StatusCode};
use kit::functions::Invoke;
use serde_json::json;

use crate::machine::{Machine, failure};

const PATH: &str = "/2015-03-31/functions/pay/invocations";

async fn machine() -> Machine {
    let machine = Machine::new().await;
    machine.function("pay", json!({})).await;
    machine.script.taken();
    machine
}

#[tokio::test]
async fn an_event_goes_in_and_an_answer_comes_out() {
    let m = &machine().await;
    let reply = m.http(Method::POST, PATH, &[], r#"{"n":1}"#).await.unwrap();
    assert_eq!((reply.status, &reply.body[..]), (StatusCode::OK, &br#"{"n":1}"#[..]));
    assert_eq!(reply.headers["x-amz-executed-version"], "$LATEST");
    assert_eq!(reply.headers["x-amzn-requestid"], "request-1");
    assert!(!reply.headers.contains_key("x-amz-function-error"));
    assert!(!reply.headers.contains_key("x-amz-log-result"));

    let context = BASE64_STANDARD.encode(r#"{"custom":{}}"#);
    m.script.play(|_, call| {
        assert_eq!(call.client_context.as_deref(), Some(r#"{"custom":{}}"#));
        let trace = call.trace_header.as_deref().unwrap();
        assert!(trace.starts_with("Root=1;Parent=p;Sampled=1;Lineage="), "{trace}");
        assert_eq!(call.request_id, "request-1");
        Ok(failure("no"))
    });
    let headers = [
        ("x-amz-log-type", "Tail"),
        ("x-amz-client-context", context.as_str()),
        ("x-amzn-trace-id", "Root=1;Parent=p;Sampled=1"),
    ];
    let reply = m.http(Method::POST, PATH, &headers, "").await.unwrap();
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.headers["x-amz-function-error"], "Unhandled");
    assert_eq!(reply.headers["x-amz-log-result"], BASE64_STANDARD.encode("START\nEND\n"));
    assert_eq!(&reply.body[..], br#"{"errorType":"Error","errorMessage":"no"}"#);
}

#[tokio::test]
async fn a_dry_run_runs_nothing() {
    let m = &machine().await;
    let dry = [("x-amz-invocation-type", "DryRun")];
    let reply = m.http(Method::POST, PATH, &dry, "{}").await.unwrap();
    assert_eq!(reply.status, StatusCode::NO_CONTENT);
    assert!(m.script.taken().is_empty());
    let other = "/2015-03-31/functions/none/invocations";
    assert_eq!(m.http(Method::POST, other, &dry, "{}").await.err().unwrap().status, 404);
}

#[tokio::test]
async fn what_lambda_refuses_is_refused() {
    let m = &machine().await;
    let check = async |path: &str, headers: &[(&'static str, &str)], body: &str, expected: &str| {
        let error = m.http(Method::POST, path, headers, body).await.err().unwrap();
        let text = format!("{} {error}", error.status);
        assert!(text.starts_with(expected), "{text}");
    };
    let big = format!("\"{}\"", "x".repeat(6 * 1024 * 1024));
    let large = "413 RequestTooLargeException: 6291458 byte payload is too large for the \
                 RequestResponse invocation type (limit 6291456 bytes)";
    check(PATH, &[], &big, large).await;
    let event = [("x-amz-invocation-type", "Event")];
    let big = format!("\"{}\"", "x".repeat(1024 * 1024));
    let large = "413 RequestTooLargeException: 1048578 byte payload is too large for the Event";
    check(PATH, &event, &big, large).await;
    for body in ["{", "{}x", "undefined", "{'a':1}", &"[".repeat(100_000)] {
        check(PATH, &[], body, "400 InvalidRequestContentException: Could not parse").await;
    }
    let odd = [("x-amz-invocation-type", "Later")];
    check(PATH, &odd, "{}", "400 ValidationException: 1 validation error").await;
    check(PATH, &[("x-amz-log-type", "Head")], "{}", "400 ValidationException").await;
    let context = [("x-amz-client-context", "no base64")];
    check(PATH, &context, "{}", "400 InvalidRequestContentException").await;
    check(PATH, &[("x-amz-tenant-id", "t")], "{}", "501 NotImplemented").await;
    let live = "404 ResourceNotFoundException: Function not found: \
                arn:aws:lambda:us-east-1:000000000000:function:pay:live";
    check(&format!("{PATH}?Qualifier=live"), &[], "{}", live).await;
    assert!(m.http(Method::POST, &format!("{PATH}?Qualifier=$LATEST"), &[], "").await.is_ok());
}

#[tokio::test]
async fn a_throttle_has_its_reason() {
    let m = &machine().await;
    let reason = "ConcurrentInvocationLimitExceeded";
    m.script.play(move |_, _| Err(HostError::Throttled { reason }));
    let error = m.http(Method::POST, PATH, &[], "").await.err().unwrap();
    assert_eq!((error.status, &*error.code), (429, "TooManyRequestsException"));
    let extra = json!({ "Type": "User", "Reason": reason });
    assert_eq!(error.extra.as_deref(), Some(&extra));
}

#[tokio::test]
async fn others_invoke_through_the_kit() {
    let m = &machine().await;
    let invoke = async |arn: &str| {
        let call = Invoke {
            function: arn.parse().unwrap(),
            payload: "7".into(),
            request_id: None,
            client_context: None,
            trace: None,
            tail: false,
        };
        m.kit.functions().unwrap().invoke(call).await
    };
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:pay";
    let answer = invoke(arn).await.unwrap();
    assert_eq!((&answer.payload[..], answer.version.as_str()), (&b"7"[..], "$LATEST"));
    assert_eq!(invoke(&format!("{arn}:$LATEST")).await.unwrap().payload, "7");
    for other in [format!("{arn}:1"), format!("{arn}x"), "arn:aws:sqs:us-east-1:1:q".into()] {
        let status = invoke(&other).await.unwrap_err().status;
        assert!(status == 404 || status == 400, "{other}: {status}");
    }
}
