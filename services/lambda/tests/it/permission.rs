use serde_json::{Value, json};

use crate::machine::Machine;

#[tokio::test]
async fn a_policy_grows_is_read_and_shrinks() {
    let m = &Machine::new().await;
    m.function("pay", json!({})).await;
    let permission = |id: &str, more: Value| {
        let mut input = json!({
            "FunctionName": "pay",
            "StatementId": id,
            "Action": "lambda:InvokeFunction",
            "Principal": "sns.amazonaws.com",
        });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let get = async || m.call("GetPolicy", json!({ "FunctionName": "pay" })).await;
    let none = "ResourceNotFoundException: The resource you requested does not exist.";
    assert_eq!(get().await.unwrap_err(), none);

    let topic = "arn:aws:sns:us-east-1:000000000000:t";
    let more = json!({ "SourceArn": topic, "SourceAccount": "000000000000" });
    let added = m.call("AddPermission", permission("topic", more)).await.unwrap();
    let statement: Value = serde_json::from_str(added["Statement"].as_str().unwrap()).unwrap();
    let expected = json!({
        "Sid": "topic",
        "Effect": "Allow",
        "Principal": { "Service": "sns.amazonaws.com" },
        "Action": "lambda:InvokeFunction",
        "Resource": "arn:aws:lambda:us-east-1:000000000000:function:pay",
        "Condition": {
            "StringEquals": { "AWS:SourceAccount": "000000000000" },
            "ArnLike": { "AWS:SourceArn": topic },
        },
    });
    assert_eq!(statement, expected);
    let account = permission("account", json!({ "Principal": "123456789012" }));
    m.call("AddPermission", account).await.unwrap();
    let policy = get().await.unwrap();
    let document: Value = serde_json::from_str(policy["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(document["Statement"][1], expected);
    let root = json!({ "AWS": "arn:aws:iam::123456789012:root" });
    assert_eq!(document["Statement"][0]["Principal"], root);

    let twice = m.call("AddPermission", permission("topic", json!({}))).await.unwrap_err();
    assert!(twice.starts_with("ResourceConflictException: The statement id (topic)"), "{twice}");
    let stale = permission("new", json!({ "RevisionId": "old" }));
    let stale = m.call("AddPermission", stale).await.unwrap_err();
    assert!(stale.starts_with("PreconditionFailedException"), "{stale}");

    let remove = |id: &str| json!({ "FunctionName": "pay", "StatementId": id });
    let unknown = m.call("RemovePermission", remove("x")).await.unwrap_err();
    let text = "ResourceNotFoundException: Statement x is not found in resource policy.";
    assert_eq!(unknown, text);
    for id in ["topic", "account"] {
        m.call("RemovePermission", remove(id)).await.unwrap();
    }
    assert_eq!(get().await.unwrap_err(), none);
}

#[tokio::test]
async fn what_is_not_served_or_not_valid_is_refused() {
    let m = &Machine::new().await;
    m.function("pay", json!({})).await;
    let check = async |more: Value, expected: &str| {
        let mut input = json!({
            "FunctionName": "pay",
            "StatementId": "s",
            "Action": "lambda:InvokeFunction",
            "Principal": "*",
        });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let error = m.call("AddPermission", input).await.unwrap_err();
        assert!(error.starts_with(expected), "{more}: {error}");
    };
    let url = json!({ "FunctionUrlAuthType": "NONE" });
    check(url, "NotImplemented: lambda.AddPermission with FunctionUrlAuthType").await;
    check(json!({ "StatementId": "a b" }), "ValidationException").await;
    check(json!({ "Action": "s3:GetObject" }), "ValidationException").await;
    check(json!({ "Principal": "" }), "InvalidParameterValueException").await;
    check(json!({ "FunctionName": "none" }), "ResourceNotFoundException").await;
    let long = format!("arn:aws:sns:us-east-1:000000000000:{}", "t".repeat(21_000));
    check(json!({ "SourceArn": long }), "PolicyLengthExceededException").await;
}
