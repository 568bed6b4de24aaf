use http::Method;
use serde_json::{Value, json};

use crate::machine::{Machine, answer, settle};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:pay";

/// A function with the versions 1, 2 and 3.
async fn machine() -> Machine {
    let m = Machine::new().await;
    m.function("pay", json!({ "Publish": true })).await;
    for timeout in [2, 3] {
        let change = json!({ "FunctionName": "pay", "Timeout": timeout });
        m.call("UpdateFunctionConfiguration", change).await.unwrap();
        m.call("PublishVersion", json!({ "FunctionName": "pay" })).await.unwrap();
    }
    m.script.play(|spec, _| Ok(answer(spec.version.as_bytes())));
    m
}

fn alias(name: &str, version: &str, more: Value) -> Value {
    let mut input = json!({ "FunctionName": "pay", "Name": name, "FunctionVersion": version });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

fn routed(version: &str, weight: f64) -> Value {
    json!({ "RoutingConfig": { "AdditionalVersionWeights": { version: weight } } })
}

async fn run(m: &Machine, qualifier: &str) -> String {
    let path = format!("/2015-03-31/functions/pay/invocations?Qualifier={qualifier}");
    let reply = m.http(Method::POST, &path, &[], "{}").await.unwrap();
    let executed = reply.headers["x-amz-executed-version"].to_str().unwrap();
    assert_eq!(executed.as_bytes(), &reply.body[..]);
    executed.to_owned()
}

#[tokio::test]
async fn an_alias_is_made_moved_listed_and_deleted() {
    let m = &machine().await;
    let made = m.call("CreateAlias", alias("live", "1", json!({}))).await.unwrap();
    let expected = json!({
        "AliasArn": format!("{ARN}:live"),
        "Name": "live",
        "FunctionVersion": "1",
        "Description": "",
        "RevisionId": made["RevisionId"],
    });
    assert_eq!(made, expected);
    let one = json!({ "FunctionName": "pay", "Name": "live" });
    assert_eq!(m.call("GetAlias", one.clone()).await.unwrap(), expected);
    assert_eq!(run(m, "live").await, "1");
    let got = m.call("GetFunction", json!({ "FunctionName": "pay:live" })).await.unwrap();
    let configuration = &got["Configuration"];
    assert_eq!(
        (&configuration["FunctionArn"], &configuration["Version"]),
        (&json!(format!("{ARN}:live")), &json!("1"))
    );
    let twice = m.call("CreateAlias", alias("live", "2", json!({}))).await.unwrap_err();
    assert_eq!(twice, format!("ResourceConflictException: Alias already exists: {ARN}:live"));

    let moved = alias("live", "2", json!({ "RevisionId": made["RevisionId"], "Description": "d" }));
    let updated = m.call("UpdateAlias", moved.clone()).await.unwrap();
    assert_eq!((&updated["FunctionVersion"], &updated["Description"]), (&json!("2"), &json!("d")));
    assert_eq!(run(m, "live").await, "2");
    let stale = "PreconditionFailedException: The Revision Id provided does not match the latest \
                 Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id";
    assert_eq!(m.call("UpdateAlias", moved).await.unwrap_err(), stale);

    m.call("CreateAlias", alias("all", "$LATEST", json!({}))).await.unwrap();
    assert_eq!(run(m, "all").await, "$LATEST");
    let list = async |more: Value| {
        let mut input = json!({ "FunctionName": "pay" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let page = m.call("ListAliases", input).await.unwrap();
        let names = page["Aliases"].as_array().unwrap().iter();
        let names: Vec<_> = names.map(|one| one["Name"].as_str().unwrap().to_owned()).collect();
        (names.join(" "), page["NextMarker"].clone())
    };
    assert_eq!(list(json!({})).await, ("all live".to_owned(), Value::Null));
    assert_eq!(list(json!({ "MaxItems": 1 })).await, ("all".to_owned(), json!("all")));
    assert_eq!(list(json!({ "Marker": "all" })).await, ("live".to_owned(), Value::Null));
    assert_eq!(list(json!({ "FunctionVersion": "2" })).await, ("live".to_owned(), Value::Null));

    for _ in 0..2 {
        m.call("DeleteAlias", one.clone()).await.unwrap();
    }
    let gone = format!("ResourceNotFoundException: Cannot find alias arn: {ARN}:live");
    assert_eq!(m.call("GetAlias", one).await.unwrap_err(), gone);
    let path = "/2015-03-31/functions/pay/invocations?Qualifier=live";
    let error = m.http(Method::POST, path, &[], "{}").await.err().unwrap();
    assert_eq!(error.message, format!("Function not found: {ARN}:live"));
    let update = m.call("UpdateAlias", alias("live", "1", json!({}))).await.unwrap_err();
    assert_eq!(update, format!("ResourceNotFoundException: Alias not found: {ARN}:live"));
}

#[tokio::test]
async fn weights_share_the_events_out() {
    let m = &machine().await;
    m.call("CreateAlias", alias("live", "1", routed("2", 0.25))).await.unwrap();
    let mut second = 0;
    for _ in 0..400 {
        second += usize::from(run(m, "live").await == "2");
    }
    assert!((60..140).contains(&second), "{second} of 400 went to the second version");
    // Each asynchronous event finds its version, too.
    m.script.taken();
    let path = "/2015-03-31/functions/pay:live/invocations";
    let event = [("x-amz-invocation-type", "Event")];
    assert_eq!(m.http(Method::POST, path, &event, "5").await.unwrap().status, 202);
    settle().await;
    assert_eq!(m.script.taken(), ["0 pay 5"]);

    let got = m.call("GetAlias", json!({ "FunctionName": "pay", "Name": "live" })).await.unwrap();
    assert_eq!(got["RoutingConfig"], routed("2", 0.25)["RoutingConfig"]);
    let clear = json!({ "FunctionName": "pay", "Name": "live", "RoutingConfig": {} });
    let cleared = m.call("UpdateAlias", clear).await.unwrap();
    assert_eq!(cleared["RoutingConfig"], Value::Null);
    for _ in 0..50 {
        assert_eq!(run(m, "live").await, "1");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let m = &machine().await;
    let check = async |input: Value, expected: &str| {
        let error = m.call("CreateAlias", input).await.unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    };
    let parameter = "InvalidParameterValueException: ";
    check(alias("7", "1", json!({})), "ValidationException").await;
    check(alias("live", "x", json!({})), "ValidationException").await;
    let missing = format!("ResourceNotFoundException: Function not found: {ARN}:9");
    check(alias("live", "9", json!({})), &missing).await;
    check(alias("live", "1", routed("9", 0.5)), &missing).await;
    let latest = format!("{parameter}$LATEST is not supported for an alias pointing to more");
    check(alias("live", "$LATEST", routed("1", 0.5)), &latest).await;
    let own = format!("{parameter}Invalid function version 1. Function version 1 is already");
    check(alias("live", "1", routed("1", 0.5)), &own).await;
    for weight in [-0.1, 1.1] {
        check(alias("live", "1", routed("2", weight)), "ValidationException").await;
    }
    check(alias("live", "1", routed("$LATEST", 0.5)), "ValidationException").await;
    let two = json!({ "RoutingConfig": { "AdditionalVersionWeights": { "2": 0.1, "3": 0.1 } } });
    check(alias("live", "1", two), &format!("{parameter}Number of items")).await;
    let mut nobody = alias("live", "1", json!({}));
    nobody["FunctionName"] = json!("none");
    check(nobody, "ResourceNotFoundException: Function not found").await;
}

#[tokio::test]
async fn a_restart_finds_aliases_and_versions() {
    let engine = std::sync::Arc::new(engine_memory::Memory::new());
    let blobs = store::Blobs::memory();
    let before = Machine::on(engine.clone(), blobs.clone(), crate::START).await;
    before.function("pay", json!({ "Publish": true })).await;
    let made = before.call("CreateAlias", alias("live", "1", json!({}))).await.unwrap();
    before.kit.close();
    let after = &Machine::on(engine, blobs, crate::START).await;
    let one = json!({ "FunctionName": "pay", "Name": "live" });
    assert_eq!(after.call("GetAlias", one).await.unwrap(), made);
    after.script.play(|spec, _| Ok(answer(spec.version.as_bytes())));
    assert_eq!(run(after, "live").await, "1");
}
