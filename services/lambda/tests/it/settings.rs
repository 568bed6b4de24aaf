use serde_json::{Value, json};

use crate::machine::Machine;

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:pay";

fn input(more: Value) -> Value {
    let mut input = json!({ "FunctionName": "pay" });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

#[tokio::test]
async fn what_happens_in_a_loop_is_set() {
    let m = &Machine::new().await;
    m.function("pay", json!({})).await;
    let get = async || m.call("GetFunctionRecursionConfig", input(json!({}))).await.unwrap();
    assert_eq!(get().await, json!({ "RecursiveLoop": "Terminate" }));
    let put = async |mode: &str| {
        let input = input(json!({ "RecursiveLoop": mode }));
        m.call("PutFunctionRecursionConfig", input).await
    };
    assert_eq!(put("Allow").await.unwrap(), json!({ "RecursiveLoop": "Allow" }));
    assert_eq!(get().await, json!({ "RecursiveLoop": "Allow" }));
    assert!(put("Maybe").await.unwrap_err().starts_with("ValidationException"));
    let none = json!({ "FunctionName": "none", "RecursiveLoop": "Allow" });
    let none = m.call("PutFunctionRecursionConfig", none).await.unwrap_err();
    assert!(none.starts_with("ResourceNotFoundException"), "{none}");
}

#[tokio::test]
async fn when_a_runtime_is_renewed_is_set_for_each_version() {
    let m = &Machine::new().await;
    m.function("pay", json!({ "Publish": true })).await;
    let get = async |more: Value| m.call("GetRuntimeManagementConfig", input(more)).await.unwrap();
    assert_eq!(get(json!({})).await, json!({ "UpdateRuntimeOn": "Auto", "FunctionArn": ARN }));
    let put = async |more: Value| m.call("PutRuntimeManagementConfig", input(more)).await;
    let manual =
        json!({ "UpdateRuntimeOn": "Manual", "RuntimeVersionArn": "arn", "Qualifier": "1" });
    let expected = json!({
        "UpdateRuntimeOn": "Manual", "RuntimeVersionArn": "arn", "FunctionArn": format!("{ARN}:1"),
    });
    assert_eq!(put(manual).await.unwrap(), expected);
    assert_eq!(get(json!({ "Qualifier": "1" })).await, expected);
    assert_eq!(get(json!({})).await["UpdateRuntimeOn"], "Auto");
    put(json!({ "UpdateRuntimeOn": "FunctionUpdate" })).await.unwrap();
    assert_eq!(get(json!({})).await["UpdateRuntimeOn"], "FunctionUpdate");
    for wrong in [
        json!({ "UpdateRuntimeOn": "Manual" }),
        json!({ "UpdateRuntimeOn": "Auto", "RuntimeVersionArn": "arn" }),
        json!({ "UpdateRuntimeOn": "Never" }),
        json!({ "UpdateRuntimeOn": "Auto", "Qualifier": "9" }),
    ] {
        assert!(put(wrong.clone()).await.is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn no_function_has_signed_code() {
    let m = &Machine::new().await;
    m.function("pay", json!({})).await;
    let got = m.call("GetFunctionCodeSigningConfig", input(json!({}))).await.unwrap();
    assert_eq!(got, json!({}));
    let none = m.call("GetFunctionCodeSigningConfig", json!({ "FunctionName": "none" })).await;
    assert!(none.unwrap_err().starts_with("ResourceNotFoundException"));
}
