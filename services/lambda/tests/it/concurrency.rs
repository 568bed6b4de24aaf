use http::Method;
use kit::functions::Invoke;
use serde_json::{Value, json};

use crate::machine::{Machine, answer, settle};
use crate::{MINUTE, SECOND};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:pay";
const PATH: &str = "/2015-03-31/functions/pay/invocations";

fn reserve(name: &str, count: i64) -> Value {
    json!({ "FunctionName": name, "ReservedConcurrentExecutions": count })
}

fn provision(qualifier: &str, count: i64) -> Value {
    json!({
        "FunctionName": "pay", "Qualifier": qualifier, "ProvisionedConcurrentExecutions": count,
    })
}

fn one() -> Value {
    json!({ "FunctionName": "pay" })
}

#[tokio::test]
async fn reserved_concurrency_is_kept_and_counted() {
    let m = &Machine::new().await;
    m.function("pay", json!({})).await;
    m.function("other", json!({})).await;
    assert_eq!(m.call("GetFunctionConcurrency", one()).await.unwrap(), json!({}));
    let own = json!({ "ReservedConcurrentExecutions": 400 });
    assert_eq!(m.call("PutFunctionConcurrency", reserve("pay", 400)).await.unwrap(), own);
    assert_eq!(m.call("GetFunctionConcurrency", one()).await.unwrap(), own);
    assert_eq!(m.call("GetFunction", one()).await.unwrap()["Concurrency"], own);
    let few = "InvalidParameterValueException: Specified ReservedConcurrentExecutions for function \
               decreases account's UnreservedConcurrentExecution below its minimum value of [100].";
    assert_eq!(m.call("PutFunctionConcurrency", reserve("other", 501)).await.unwrap_err(), few);
    m.call("PutFunctionConcurrency", reserve("other", 500)).await.unwrap();
    // What a function gives back in the same step counts.
    m.call("PutFunctionConcurrency", reserve("pay", 399)).await.unwrap();
    let settings = m.call("GetAccountSettings", json!({})).await.unwrap();
    assert_eq!(settings["AccountLimit"]["UnreservedConcurrentExecutions"], 101);
    m.call("DeleteFunctionConcurrency", one()).await.unwrap();
    assert_eq!(m.call("GetFunctionConcurrency", one()).await.unwrap(), json!({}));
    m.call("DeleteFunction", json!({ "FunctionName": "other" })).await.unwrap();
    let settings = m.call("GetAccountSettings", json!({})).await.unwrap();
    assert_eq!(settings["AccountLimit"]["UnreservedConcurrentExecutions"], 1000);

    let check = async |input: Value, expected: &str| {
        let error = m.call("PutFunctionConcurrency", input).await.unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    };
    check(reserve("pay", -1), "ValidationException").await;
    check(reserve("none", 1), "ResourceNotFoundException: Function not found").await;
    let whole = "InvalidParameterValueException: This operation is permitted on Lambda functions";
    check(reserve("pay:1", 1), whole).await;
}

#[tokio::test]
async fn more_than_is_reserved_does_not_run() {
    let engine = std::sync::Arc::new(engine_memory::Memory::new());
    let blobs = store::Blobs::memory();
    let before = Machine::on(engine.clone(), blobs.clone(), crate::START).await;
    before.function("pay", json!({ "Publish": true })).await;
    before.call("PutFunctionConcurrency", reserve("pay", 2)).await.unwrap();
    before.kit.close();
    // What was reserved is known after a restart, too.
    let m = &Machine::on(engine, blobs, crate::START).await;
    *m.script.takes.lock().unwrap() = MINUTE;
    let call = |name: &str| Invoke {
        function: format!("{ARN}{name}").parse().unwrap(),
        payload: "1".into(),
        request_id: None,
        client_context: None,
        trace: None,
        tail: false,
    };
    let mut running = Vec::new();
    for name in ["", ":1"] {
        let (functions, call) = (std::sync::Arc::clone(m.kit.functions().unwrap()), call(name));
        running.push(base::task::spawn("invoke", async move {
            functions.invoke(call).await.map(drop).unwrap()
        }));
    }
    // Another thread unpacks the code.
    while m.script.log.lock().unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    let error = m.http(Method::POST, PATH, &[], "2").await.err().unwrap();
    assert_eq!(
        (error.status, error.to_string().as_str()),
        (429, "TooManyRequestsException: Rate Exceeded.")
    );
    let reason = "ReservedFunctionConcurrentInvocationLimitExceeded";
    assert_eq!(error.extra.as_deref(), Some(&json!({ "Type": "User", "Reason": reason })));
    m.pass(MINUTE).await;
    for one in running {
        one.await.unwrap();
    }
    m.script.taken();
    *m.script.takes.lock().unwrap() = std::time::Duration::ZERO;
    assert!(m.http(Method::POST, PATH, &[], "3").await.is_ok());

    // Nothing runs of a function with no place at all, and its events wait.
    m.call("PutFunctionConcurrency", reserve("pay", 0)).await.unwrap();
    assert_eq!(m.http(Method::POST, PATH, &[], "4").await.err().unwrap().status, 429);
    let event = [("x-amz-invocation-type", "Event")];
    assert_eq!(m.http(Method::POST, PATH, &event, "5").await.unwrap().status, 202);
    m.pass(SECOND * 2).await;
    m.call("DeleteFunctionConcurrency", one()).await.unwrap();
    m.pass(SECOND * 2).await;
    settle().await;
    assert_eq!(m.script.taken(), ["60 pay 3", "63 pay 5"]);
}

#[tokio::test]
async fn provisioned_concurrency_is_of_a_version_or_an_alias() {
    let m = &Machine::new().await;
    m.function("pay", json!({ "Publish": true })).await;
    let update = json!({ "FunctionName": "pay", "Timeout": 9 });
    m.call("UpdateFunctionConfiguration", update).await.unwrap();
    m.call("PublishVersion", one()).await.unwrap();
    let alias = json!({ "FunctionName": "pay", "Name": "live", "FunctionVersion": "2" });
    m.call("CreateAlias", alias).await.unwrap();
    m.script.play(|_, _| Ok(answer(b"1")));

    let put = m.call("PutProvisionedConcurrencyConfig", provision("1", 3)).await.unwrap();
    let expected = json!({
        "RequestedProvisionedConcurrentExecutions": 3,
        "AvailableProvisionedConcurrentExecutions": 0,
        "AllocatedProvisionedConcurrentExecutions": 0,
        "Status": "IN_PROGRESS",
        "LastModified": "2026-11-01T00:00:00.000+0000",
    });
    assert_eq!(put, expected);
    let get = async |qualifier: &str| {
        let input = json!({ "FunctionName": "pay", "Qualifier": qualifier });
        m.call("GetProvisionedConcurrencyConfig", input).await
    };
    let got = get("1").await.unwrap();
    assert_eq!(
        (&got["Status"], &got["AllocatedProvisionedConcurrentExecutions"]),
        (&json!("READY"), &json!(3))
    );
    m.call("PutProvisionedConcurrencyConfig", provision("live", 5)).await.unwrap();
    assert_eq!(*m.script.provisioned.lock().unwrap(), ["pay:1 x3", "pay:2 x5"]);
    let path = "/2019-09-30/functions/pay/provisioned-concurrency?List=ALL&MaxItems=1";
    let page = m.http(Method::GET, path, &[], "").await.unwrap();
    let page: Value = serde_json::from_slice(&page.body).unwrap();
    let configs = &page["ProvisionedConcurrencyConfigs"];
    assert_eq!(
        (&configs[0]["FunctionArn"], &page["NextMarker"]),
        (&json!(format!("{ARN}:1")), &json!("1"))
    );

    let check = async |input: Value, expected: &str| {
        let error = m.call("PutProvisionedConcurrencyConfig", input).await.unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    check(provision("$LATEST", 1), "cannot be applied to unpublished function versions").await;
    check(provision("7", 1), "Function not found").await;
    check(provision("none", 1), "Cannot find alias arn").await;
    check(provision("1", 0), "ValidationException").await;
    check(provision("2", 1), "Version is pointed by a Provisioned Concurrency alias").await;
    check(provision("1", 1001), "greater than account's unreserved concurrency [1000]").await;
    check(provision("1", 900), "below its minimum value of [100]").await;
    let low = m.call("PutFunctionConcurrency", reserve("pay", 7)).await.unwrap_err();
    assert!(low.ends_with("total provisioned concurrency [8]."), "{low}");
    m.call("PutFunctionConcurrency", reserve("pay", 8)).await.unwrap();
    check(provision("1", 4), "should not be greater than the reservedConcurrentExecution").await;
    let settings = m.call("GetAccountSettings", json!({})).await.unwrap();
    assert_eq!(settings["AccountLimit"]["UnreservedConcurrentExecutions"], 992);

    // An alias that moves takes it along.
    let moved = json!({ "FunctionName": "pay", "Name": "live", "FunctionVersion": "1" });
    m.call("UpdateAlias", moved).await.unwrap();
    let delete = json!({ "FunctionName": "pay", "Qualifier": "1" });
    m.call("DeleteProvisionedConcurrencyConfig", delete).await.unwrap();
    assert_eq!(*m.script.provisioned.lock().unwrap(), ["pay:1 x5"]);
    let none = "ProvisionedConcurrencyConfigNotFoundException: No Provisioned Concurrency Config \
                found for this function";
    assert_eq!(get("1").await.unwrap_err(), none);
    m.call("DeleteAlias", json!({ "FunctionName": "pay", "Name": "live" })).await.unwrap();
    m.pass(MINUTE).await;
    assert!(m.script.provisioned.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_sent_while_nothing_is_reserved_waits() {
    let m = &Machine::new().await;
    m.function("pay", json!({})).await;
    m.mapping("pay", json!({})).await;
    m.script.taken();
    m.call("PutFunctionConcurrency", reserve("pay", 0)).await.unwrap();
    let refused = m.http(Method::POST, PATH, &[], "1").await.err().unwrap();
    assert_eq!((refused.code.as_ref(), refused.status), ("TooManyRequestsException", 429));
    let event = [("x-amz-invocation-type", "Event")];
    assert_eq!(m.http(Method::POST, PATH, &event, "2").await.unwrap().status, 202);
    m.queue.send(&["a"]);
    m.pass(MINUTE * 30).await;
    assert!(m.script.taken().is_empty());
    assert_eq!(m.queue.time_out(), ["a"]);
    m.call("DeleteFunctionConcurrency", one()).await.unwrap();
    m.pass(MINUTE * 6).await;
    assert_eq!(m.script.taken().len(), 2);
    assert_eq!(m.queue.acknowledged.lock().unwrap().len(), 1);
}
