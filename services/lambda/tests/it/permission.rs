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

    // The revision is that of the function, and changes with its policy.
    let seen = policy["RevisionId"].clone();
    let one = json!({ "FunctionName": "pay" });
    let function = m.call("GetFunctionConfiguration", one).await.unwrap();
    assert_eq!(function["RevisionId"], seen);
    let fresh = permission("fresh", json!({ "RevisionId": seen }));
    m.call("AddPermission", fresh.clone()).await.unwrap();
    assert_ne!(get().await.unwrap()["RevisionId"], seen);
    let remove = json!({ "FunctionName": "pay", "StatementId": "fresh", "RevisionId": seen });
    let stale = m.call("RemovePermission", remove).await.unwrap_err();
    assert!(stale.starts_with("PreconditionFailedException"), "{stale}");

    let remove = |id: &str| json!({ "FunctionName": "pay", "StatementId": id });
    let unknown = m.call("RemovePermission", remove("x")).await.unwrap_err();
    let text = "ResourceNotFoundException: Statement x is not found in resource policy.";
    assert_eq!(unknown, text);
    for id in ["topic", "account", "fresh"] {
        m.call("RemovePermission", remove(id)).await.unwrap();
    }
    assert_eq!(get().await.unwrap_err(), none);
}

#[tokio::test]
async fn versions_and_aliases_have_policies_of_their_own() {
    let m = &Machine::new().await;
    m.function("pay", json!({ "Publish": true })).await;
    let alias = json!({ "FunctionName": "pay", "Name": "live", "FunctionVersion": "1" });
    let revision = m.call("CreateAlias", alias).await.unwrap()["RevisionId"].clone();
    let add = |qualifier: &str| {
        json!({
            "FunctionName": "pay",
            "Qualifier": qualifier,
            "StatementId": "s",
            "Action": "lambda:InvokeFunction",
            "Principal": "sns.amazonaws.com",
        })
    };
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:pay";
    for qualifier in ["1", "live"] {
        let added = m.call("AddPermission", add(qualifier)).await.unwrap();
        let statement: Value = serde_json::from_str(added["Statement"].as_str().unwrap()).unwrap();
        assert_eq!(statement["Resource"], format!("{arn}:{qualifier}"));
    }
    let latest = "InvalidParameterValueException: We currently do not support adding policies for \
                  $LATEST.";
    assert_eq!(m.call("AddPermission", add("$LATEST")).await.unwrap_err(), latest);
    let missing = format!("ResourceNotFoundException: Function not found: {arn}:2");
    assert_eq!(m.call("AddPermission", add("2")).await.unwrap_err(), missing);
    let missing = format!("ResourceNotFoundException: Cannot find alias arn: {arn}:none");
    assert_eq!(m.call("AddPermission", add("none")).await.unwrap_err(), missing);

    let get = async |name: &str| m.call("GetPolicy", json!({ "FunctionName": name })).await;
    assert!(get("pay").await.is_err());
    let policy = get("pay:live").await.unwrap();
    assert_ne!(policy["RevisionId"], revision);
    let mut remove = json!({ "FunctionName": "pay:live", "StatementId": "s" });
    remove["RevisionId"] = revision;
    let stale = m.call("RemovePermission", remove.clone()).await.unwrap_err();
    assert!(stale.starts_with("PreconditionFailedException"), "{stale}");
    remove["RevisionId"] = policy["RevisionId"].clone();
    m.call("RemovePermission", remove).await.unwrap();
    assert!(get("pay:live").await.is_err());
    // The policy of an alias goes with it, so that another of its name begins without.
    m.call("AddPermission", add("live")).await.unwrap();
    let delete = json!({ "FunctionName": "pay", "Name": "live" });
    m.call("DeleteAlias", delete).await.unwrap();
    let again = json!({ "FunctionName": "pay", "Name": "live", "FunctionVersion": "1" });
    m.call("CreateAlias", again).await.unwrap();
    assert!(get("pay:live").await.is_err());
    assert!(get("pay:1").await.is_ok());
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
    check(url, "InvalidParameterValueException: FunctionUrlAuthType is only supported").await;
    check(json!({ "FunctionUrlAuthType": "OTHER" }), "ValidationException").await;
    check(json!({ "StatementId": "a b" }), "ValidationException").await;
    check(json!({ "Action": "s3:GetObject" }), "ValidationException").await;
    check(json!({ "Principal": "" }), "InvalidParameterValueException").await;
    check(json!({ "FunctionName": "none" }), "ResourceNotFoundException").await;
    let long = format!("arn:aws:sns:us-east-1:000000000000:{}", "t".repeat(21_000));
    check(json!({ "SourceArn": long }), "PolicyLengthExceededException").await;
}
