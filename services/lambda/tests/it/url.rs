use serde_json::{Value, json};

use crate::machine::Machine;

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:pay";

async fn machine() -> Machine {
    let m = Machine::new().await;
    m.function("pay", json!({ "Publish": true })).await;
    let alias = json!({ "FunctionName": "pay", "Name": "live", "FunctionVersion": "1" });
    m.call("CreateAlias", alias).await.unwrap();
    m
}

fn input(more: Value) -> Value {
    let mut input = json!({ "FunctionName": "pay" });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

#[tokio::test]
async fn a_url_is_made_changed_listed_and_deleted() {
    let m = &machine().await;
    let cors = json!({ "AllowOrigins": ["*"], "AllowMethods": ["GET"], "MaxAge": 60 });
    let create = input(json!({ "AuthType": "NONE", "Cors": cors }));
    let made = m.call("CreateFunctionUrlConfig", create.clone()).await.unwrap();
    let url = made["FunctionUrl"].as_str().unwrap();
    let id = url.strip_prefix("http://").unwrap();
    let id = id.strip_suffix(".lambda-url.us-east-1.localhost:4566/").unwrap();
    assert_eq!(id.len(), 32);
    let expected = json!({
        "FunctionUrl": url,
        "FunctionArn": ARN,
        "AuthType": "NONE",
        "Cors": cors,
        "CreationTime": "2026-11-01T00:00:00.000Z",
        "InvokeMode": "BUFFERED",
    });
    assert_eq!(made, expected);
    let twice = m.call("CreateFunctionUrlConfig", create).await.unwrap_err();
    let exists = format!(
        "ResourceConflictException: Failed to create function url config for [functionArn = {ARN}]."
    );
    assert!(twice.starts_with(&exists), "{twice}");
    let live = input(json!({ "AuthType": "AWS_IAM", "Qualifier": "live" }));
    let live = m.call("CreateFunctionUrlConfig", live).await.unwrap();
    assert_eq!(live["FunctionArn"], format!("{ARN}:live"));
    m.pass(crate::SECOND).await;
    let update = input(json!({ "AuthType": "AWS_IAM", "InvokeMode": "RESPONSE_STREAM" }));
    let updated = m.call("UpdateFunctionUrlConfig", update).await.unwrap();
    assert_eq!((&updated["AuthType"], &updated["Cors"]), (&json!("AWS_IAM"), &cors));
    assert_eq!(updated["InvokeMode"], "RESPONSE_STREAM");
    assert_eq!(updated["LastModifiedTime"], "2026-11-01T00:00:01.000Z");
    let get = async |more: Value| m.call("GetFunctionUrlConfig", input(more)).await;
    assert_eq!(get(json!({})).await.unwrap(), updated);
    let listed = m.call("ListFunctionUrlConfigs", input(json!({}))).await.unwrap();
    let listed = listed["FunctionUrlConfigs"].as_array().unwrap().len();
    assert_eq!(listed, 2);
    m.call("DeleteFunctionUrlConfig", input(json!({}))).await.unwrap();
    let none = "ResourceNotFoundException: The resource you requested does not exist.";
    assert_eq!(get(json!({})).await.unwrap_err(), none);
    assert_eq!(m.call("DeleteFunctionUrlConfig", input(json!({}))).await.unwrap_err(), none);
    // The URL of an alias goes with it.
    m.call("DeleteAlias", input(json!({ "Name": "live" }))).await.unwrap();
    assert_eq!(get(json!({ "Qualifier": "live" })).await.unwrap_err(), none);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let m = &machine().await;
    let check = async |more: Value, expected: &str| {
        let mut given = input(json!({ "AuthType": "NONE" }));
        given.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let error = m.call("CreateFunctionUrlConfig", given).await.unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    };
    check(json!({ "AuthType": "OPEN" }), "ValidationException").await;
    check(json!({ "Qualifier": "1" }), "ValidationException").await;
    check(json!({ "Qualifier": "$LATEST" }), "ValidationException").await;
    let nobody = "ResourceNotFoundException: Function does not exist";
    check(json!({ "Qualifier": "none" }), nobody).await;
    check(json!({ "FunctionName": "none" }), nobody).await;
    check(json!({ "InvokeMode": "OTHER" }), "ValidationException").await;
    check(json!({ "Cors": { "AllowMethods": ["BREW"] } }), "ValidationException").await;
    check(json!({ "Cors": { "MaxAge": 86_401 } }), "ValidationException").await;
    check(json!({ "Cors": { "AllowHeaders": vec!["h"; 101] } }), "ValidationException").await;
}

#[tokio::test]
async fn a_policy_may_open_a_url() {
    let m = &machine().await;
    let open = input(json!({
        "StatementId": "open",
        "Action": "lambda:InvokeFunctionUrl",
        "Principal": "*",
        "FunctionUrlAuthType": "NONE",
    }));
    let added = m.call("AddPermission", open).await.unwrap();
    let statement: Value = serde_json::from_str(added["Statement"].as_str().unwrap()).unwrap();
    let expected = json!({ "StringEquals": { "lambda:FunctionUrlAuthType": "NONE" } });
    assert_eq!(statement["Condition"], expected);
}
