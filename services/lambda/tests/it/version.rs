use http::Method;
use serde_json::{Value, json};

use crate::machine::{Machine, answer, package};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:pay";

async fn machine() -> Machine {
    let m = Machine::new().await;
    m.function("pay", json!({})).await;
    m.script.play(|spec, _| {
        let code = std::fs::read_to_string(spec.code.join("index.js")).unwrap();
        let text = format!("{} {} {code}", spec.version, spec.timeout.as_secs());
        Ok(answer(json!(text).to_string().as_bytes()))
    });
    m
}

async fn change(m: &Machine, code: &str, timeout: u32) {
    let code = json!({ "FunctionName": "pay", "ZipFile": package(code) });
    m.call("UpdateFunctionCode", code).await.unwrap();
    let timeout = json!({ "FunctionName": "pay", "Timeout": timeout });
    m.call("UpdateFunctionConfiguration", timeout).await.unwrap();
}

async fn publish(m: &Machine) -> Value {
    m.call("PublishVersion", json!({ "FunctionName": "pay" })).await.unwrap()
}

/// The answer of a function, under a name with or without a qualifier.
async fn run(m: &Machine, path: &str) -> String {
    let path = format!("/2015-03-31/functions/{path}");
    let reply = m.http(Method::POST, &path, &[], "{}").await.unwrap();
    let text: String = serde_json::from_slice(&reply.body).unwrap();
    format!("{}: {text}", reply.headers["x-amz-executed-version"].to_str().unwrap())
}

#[tokio::test]
async fn a_version_stays_what_it_was() {
    let m = &machine().await;
    change(m, "one", 1).await;
    let first = publish(m).await;
    assert_eq!(
        (first["Version"].as_str(), first["FunctionArn"].as_str().unwrap()),
        (Some("1"), format!("{ARN}:1").as_str())
    );
    change(m, "two", 2).await;
    assert_eq!(publish(m).await["Version"], "2");
    change(m, "three", 3).await;

    assert_eq!(run(m, "pay/invocations").await, "$LATEST: $LATEST 3 three");
    assert_eq!(run(m, "pay/invocations?Qualifier=$LATEST").await, "$LATEST: $LATEST 3 three");
    for path in ["pay/invocations?Qualifier=1", "pay:1/invocations"] {
        assert_eq!(run(m, path).await, "1: 1 1 one");
    }
    assert_eq!(run(m, &format!("{ARN}:2/invocations")).await, "2: 2 2 two");

    let get = async |qualifier: &str| {
        let input = json!({ "FunctionName": "pay", "Qualifier": qualifier });
        m.call("GetFunctionConfiguration", input).await
    };
    assert_eq!(get("1").await.unwrap(), first);
    assert_eq!(get("$LATEST").await.unwrap()["FunctionArn"], format!("{ARN}:$LATEST"));
    let none = format!("ResourceNotFoundException: Function not found: {ARN}:3");
    assert_eq!(get("3").await.unwrap_err(), none);
}

#[tokio::test]
async fn what_has_not_changed_is_not_published_twice() {
    let m = &machine().await;
    let first = publish(m).await;
    assert_eq!(publish(m).await, first);
    // The same code again is no change either.
    let same = package("exports.handler = async (event) => event");
    let code = json!({ "FunctionName": "pay", "ZipFile": same, "Publish": true });
    let updated = m.call("UpdateFunctionCode", code).await.unwrap();
    assert_eq!(
        (&updated["Version"], &updated["FunctionArn"]),
        (&json!("1"), &first["FunctionArn"])
    );
    change(m, "new", 9).await;
    let described = json!({ "FunctionName": "pay", "Description": "second" });
    let second = m.call("PublishVersion", described).await.unwrap();
    assert_eq!((&second["Version"], &second["Description"]), (&json!("2"), &json!("second")));
    // The number of a version is not given again.
    let delete = json!({ "FunctionName": "pay:2" });
    m.call("DeleteFunction", delete).await.unwrap();
    assert_eq!(publish(m).await["Version"], "3");
    let made = m.function("other", json!({ "Publish": true })).await;
    assert_eq!(made["Version"], "1");
    assert!(made["FunctionArn"].as_str().unwrap().ends_with(":function:other"));
}

#[tokio::test]
async fn a_version_is_published_of_what_the_caller_has_seen() {
    let m = &machine().await;
    let check = async |more: Value, expected: &str| {
        let mut input = json!({ "FunctionName": "pay" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let error = m.call("PublishVersion", input).await.unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    };
    let sha = "InvalidParameterValueException: CodeSHA256 (x) is different from current CodeSHA256";
    check(json!({ "CodeSha256": "x" }), sha).await;
    let stale = "PreconditionFailedException: The Revision Id provided does not match";
    check(json!({ "RevisionId": "x" }), stale).await;
    let to = "NotImplemented: lambda.PublishVersion with PublishTo";
    check(json!({ "PublishTo": "LATEST_PUBLISHED" }), to).await;
    check(json!({ "FunctionName": "none" }), "ResourceNotFoundException").await;
    let now = m.call("GetFunctionConfiguration", json!({ "FunctionName": "pay" })).await.unwrap();
    let input = json!({
        "FunctionName": "pay", "CodeSha256": now["CodeSha256"], "RevisionId": now["RevisionId"],
    });
    assert_eq!(m.call("PublishVersion", input).await.unwrap()["Version"], "1");
}

#[tokio::test]
async fn versions_are_listed_in_their_order() {
    let m = &machine().await;
    for n in 1..=11 {
        change(m, &n.to_string(), n).await;
        publish(m).await;
    }
    let names = |page: &Value, of: &str| {
        let all = page[of].as_array().unwrap().iter();
        all.map(|f| f["Version"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    let list = async |input: Value| m.call("ListVersionsByFunction", input).await.unwrap();
    let all = list(json!({ "FunctionName": "pay" })).await;
    assert_eq!(names(&all, "Versions"), "$LATEST 1 2 3 4 5 6 7 8 9 10 11");
    assert_eq!(all["Versions"][0]["FunctionArn"], format!("{ARN}:$LATEST"));
    let page = list(json!({ "FunctionName": "pay", "MaxItems": 3 })).await;
    assert_eq!(
        (names(&page, "Versions").as_str(), &page["NextMarker"]),
        ("$LATEST 1 2", &json!("2"))
    );
    let next = json!({ "FunctionName": "pay", "MaxItems": 9, "Marker": "2" });
    let last = list(next).await;
    assert_eq!(
        (names(&last, "Versions").as_str(), &last["NextMarker"]),
        ("3 4 5 6 7 8 9 10 11", &Value::Null)
    );
    m.function("a", json!({})).await;
    let every = m.call("ListFunctions", json!({ "FunctionVersion": "ALL" })).await.unwrap();
    assert_eq!(names(&every, "Functions"), "$LATEST $LATEST 1 2 3 4 5 6 7 8 9 10 11");
    let (mut pages, mut marker) = (Vec::new(), Value::Null);
    while pages.is_empty() || !marker.is_null() {
        let next = json!({ "FunctionVersion": "ALL", "MaxItems": 5, "Marker": marker });
        let page = m.call("ListFunctions", next).await.unwrap();
        pages.push(names(&page, "Functions"));
        marker = page["NextMarker"].clone();
    }
    assert_eq!(pages, ["$LATEST $LATEST 1 2 3", "4 5 6 7 8", "9 10 11"]);
    let next = json!({ "FunctionVersion": "ALL", "MaxItems": 1, "Marker": "a:$LATEST" });
    let page = m.call("ListFunctions", next).await.unwrap();
    assert_eq!(page["NextMarker"], "pay:$LATEST");
    let plain = m.call("ListFunctions", json!({})).await.unwrap();
    assert_eq!(names(&plain, "Functions"), "$LATEST $LATEST");
}

#[tokio::test]
async fn a_version_is_deleted_alone_and_with_its_function() {
    let m = &machine().await;
    publish(m).await;
    change(m, "two", 2).await;
    publish(m).await;
    let alias = json!({ "FunctionName": "pay", "Name": "live", "FunctionVersion": "1" });
    m.call("CreateAlias", alias).await.unwrap();
    let delete = async |qualifier: &str| {
        let input = json!({ "FunctionName": "pay", "Qualifier": qualifier });
        m.call("DeleteFunction", input).await
    };
    let used = "ResourceConflictException: Unable to delete version because the following aliases \
                reference it: [live]";
    assert_eq!(delete("1").await.unwrap_err(), used);
    let latest = "InvalidParameterValueException: $LATEST version cannot be deleted without \
                  deleting the function.";
    assert_eq!(delete("$LATEST").await.unwrap_err(), latest);
    let alias = "InvalidParameterValueException: Deletion of aliases is not currently supported.";
    assert_eq!(delete("live").await.unwrap_err(), alias);
    m.script.taken();
    delete("2").await.unwrap();
    assert_eq!(m.script.taken(), ["retire function:pay:2 keep none"]);
    m.call("DeleteFunction", json!({ "FunctionName": "pay" })).await.unwrap();
    assert_eq!(
        m.script.taken(),
        ["retire function:pay:1 keep none", "retire function:pay keep none"]
    );
    // A function of the same name begins anew.
    m.function("pay", json!({})).await;
    assert!(m.call("GetFunction", json!({ "FunctionName": "pay:1" })).await.is_err());
    assert!(m.call("GetFunction", json!({ "FunctionName": "pay:live" })).await.is_err());
    assert_eq!(publish(m).await["Version"], "1");
}

#[tokio::test]
async fn a_version_has_credentials_of_its_own() {
    let m = &machine().await;
    publish(m).await;
    let change = json!({ "FunctionName": "pay", "Role": "arn:aws:iam::000000000000:role/other" });
    m.call("UpdateFunctionConfiguration", change).await.unwrap();
    let keys = std::sync::Arc::new(std::sync::Mutex::new(None));
    let seen = keys.clone();
    m.script.play(move |spec, _| {
        *seen.lock().unwrap() = Some(spec.credentials.clone());
        Ok(answer(b"\"\""))
    });
    let session = async |path: &str| {
        run(m, path).await;
        let key = keys.lock().unwrap().take().unwrap().access_key;
        let signer = service_lambda::credentials::lookup(&m.kit, &key).await.unwrap();
        signer.unwrap().caller.arn.resource
    };
    assert_eq!(session("pay/invocations").await, "assumed-role/other/pay");
    assert_eq!(session("pay:1/invocations").await, "assumed-role/r/pay");
}
