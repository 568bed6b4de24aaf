//! Tags, resource policies, and what else is asked about tables from outside.

use serde_json::{Value, json};

use crate::Machine;

const HASH: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/hash";

fn tag(key: &str, value: &str) -> Value {
    json!({ "Key": key, "Value": value })
}

#[tokio::test]
async fn tags_are_put_and_taken() {
    let machine = Machine::with_tables("S").await;
    let put = |tags: Value| json!({ "ResourceArn": HASH, "Tags": tags });
    let tags = json!([tag("team", "shop"), tag("stage", "dev")]);
    machine.check("TagResource", put(tags), json!({})).await;
    machine.check("TagResource", put(json!([tag("stage", "live")])), json!({})).await;
    let list = json!({ "ResourceArn": HASH });
    let all = json!({ "Tags": [tag("stage", "live"), tag("team", "shop")] });
    machine.check("ListTagsOfResource", list.clone(), all).await;
    let untag = json!({ "ResourceArn": HASH, "TagKeys": ["team", "none"] });
    machine.check("UntagResource", untag, json!({})).await;
    let rest = json!({ "Tags": [tag("stage", "live")] });
    machine.check("ListTagsOfResource", list, rest).await;
}

#[tokio::test]
async fn a_table_has_fifty_tags() {
    let machine = Machine::with_tables("S").await;
    let tags: Vec<Value> = (0..50).map(|n| tag(&n.to_string(), "x")).collect();
    let put = |tags: Value| json!({ "ResourceArn": HASH, "Tags": tags });
    machine.check("TagResource", put(json!(tags)), json!({})).await;
    machine.check("TagResource", put(json!([tag("0", "y")])), json!({})).await;
    let too_many = "Number of Tags exceed the current limit for the provided ResourceArn";
    machine.check_invalid("TagResource", put(json!([tag("more", "y")])), too_many).await;
    let keys: Vec<String> = (0..51).map(|n| n.to_string()).collect();
    let untag = json!({ "ResourceArn": HASH, "TagKeys": keys });
    machine.check_invalid("UntagResource", untag, too_many).await;
}

#[tokio::test]
async fn what_is_no_tag_is_refused() {
    let machine = Machine::with_tables("S").await;
    let put = |tags: Value| json!({ "ResourceArn": HASH, "Tags": tags });
    let long = "k".repeat(129);
    let form = "Invalid TableArn: Invalid ResourceArn provided as input a:b:c:d:e:f/g";
    for (input, wanted) in [
        (json!({}), "Invalid TableArn".to_owned()),
        (json!({ "ResourceArn": "a:b:c:d:e:f/g", "Tags": [] }), form.to_owned()),
        (
            json!({ "ResourceArn": HASH }),
            "1 validation error detected: Value null at 'tags' failed to satisfy constraint: \
             Member must not be null"
                .to_owned(),
        ),
        (put(json!([])), "Atleast one Tag needs to be provided as Input.".to_owned()),
        (put(json!([tag("", "x")])), "The Tag Key provided is invalid, Key: ".to_owned()),
        (put(json!([tag(&long, "x")])), format!("The Tag Key provided is invalid, Key: {long}")),
        (put(json!([{ "Key": "x" }])), "The Tag Value provided is invalid, Value: null".to_owned()),
        (
            put(json!([tag("good", "x"), tag("aws:zzz", "x")])),
            "Tag Key cannot be prefixed with aws:, Key: aws:zzz".to_owned(),
        ),
        (
            put(json!([tag("dup", "x"), tag("dup", "y")])),
            "Duplicate Tag Keys provided as input: Duplicate Tag Key found dup".to_owned(),
        ),
    ] {
        machine.check_invalid("TagResource", input, &wanted).await;
    }
    let none = "arn:aws:dynamodb:us-east-1:000000000000:table/none";
    for (operation, input, wanted) in [
        (
            "TagResource",
            json!({ "ResourceArn": none, "Tags": [tag("a", "b")] }),
            format!(
                "ResourceNotFoundException: Requested resource not found: ResourcArn: {none} not \
                 found"
            ),
        ),
        (
            "UntagResource",
            json!({ "ResourceArn": none, "TagKeys": ["a"] }),
            "ResourceNotFoundException: Requested resource not found".to_owned(),
        ),
        (
            "UntagResource",
            json!({ "ResourceArn": HASH, "TagKeys": [] }),
            "ValidationException: Atleast one Tag Key needs to be provided as Input.".to_owned(),
        ),
        (
            "ListTagsOfResource",
            json!({ "ResourceArn": "" }),
            "AccessDeniedException: User: arn:aws:iam::000000000000:root is not authorized to \
             perform: dynamodb:ListTagsOfResource on resource: *"
                .to_owned(),
        ),
    ] {
        machine.check(operation, input, json!(wanted)).await;
    }
    machine
        .check("ListTagsOfResource", json!({ "ResourceArn": HASH }), json!({ "Tags": [] }))
        .await;
}

fn statement(action: Value) -> Value {
    json!({
        "Resource": HASH,
        "Action": action,
        "Principal": { "AWS": "000000000000" },
        "Effect": "allow",
    })
}

#[tokio::test]
async fn a_policy_is_kept_in_one_form() {
    let machine = Machine::with_tables("S").await;
    let put = |policy: Value| json!({ "ResourceArn": HASH, "Policy": policy.to_string() });
    let policy = |statement: Value| json!({ "Version": "2012-10-17", "Statement": statement });
    let get = json!({ "ResourceArn": HASH });
    let none = format!(
        "PolicyNotFoundException: Resource-based policy not found for the provided ResourceArn: \
         {HASH}"
    );
    machine.check("GetResourcePolicy", get.clone(), json!(none)).await;
    machine.check("DeleteResourcePolicy", get.clone(), json!({})).await;
    let first = put(policy(statement(json!(["dynamodb:GetItem"]))));
    let made = machine.call("PutResourcePolicy", first).await.unwrap();
    let kept = format!(
        "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Principal\":\
         {{\"AWS\":\"arn:aws:iam::000000000000:root\"}},\"Action\":\"dynamodb:GetItem\",\
         \"Resource\":\"{HASH}\"}}]}}"
    );
    let wanted = json!({ "Policy": kept, "RevisionId": made["RevisionId"] });
    machine.check("GetResourcePolicy", get.clone(), wanted).await;
    machine.advance(20);
    // The same in other words is no change.
    let again = put(policy(json!([statement(json!("dynamodb:GetItem"))])));
    machine.check("PutResourcePolicy", again, made.clone()).await;
    let mut stale = put(policy(statement(json!("dynamodb:PutItem"))));
    stale["ExpectedRevisionId"] = json!("1");
    let error = machine.call("PutResourcePolicy", stale.clone()).await.unwrap_err();
    assert!(error.contains("Requested update for policy with revision id 1, but"), "{error}");
    stale["ExpectedRevisionId"] = made["RevisionId"].clone();
    let changed = machine.call("PutResourcePolicy", stale).await.unwrap();
    assert_ne!(changed, made);
    machine.call("DeleteResourcePolicy", get.clone()).await.unwrap();
    machine.check("GetResourcePolicy", get, json!(none)).await;
    let large = json!({ "ResourceArn": HASH, "Policy": "x".repeat(20_481) });
    for (input, wanted) in [
        (large, "Maximum policy size of 20480 bytes exceeded"),
        (
            json!({ "ResourceArn": HASH, "Policy": "{" }),
            "Invalid policy document: This policy contains invalid Json",
        ),
        (
            put(policy(json!([]))),
            "Invalid policy document: Could not parse the policy: Statement is empty!",
        ),
        (
            put(policy(json!({ "Effect": "Deny", "Action": "*", "Principal": "*" }))),
            "Invalid policy document: Missing required field Resource",
        ),
        (json!({ "ResourceArn": "hash", "Policy": "{}" }), "ARNs must start with 'arn:': hash"),
    ] {
        let wanted = format!("One or more parameter values were invalid: {wanted}");
        machine.check_invalid("PutResourcePolicy", input, &wanted).await;
    }
}

#[tokio::test]
async fn a_policy_goes_with_its_table() {
    let machine = Machine::with_tables("S").await;
    let entries = machine.entries().await;
    let policy = json!({ "Statement": statement(json!("dynamodb:*")) }).to_string();
    let definition = json!({
        "TableName": "made",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{ "AttributeName": "a", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "a", "KeyType": "HASH" }],
        "ResourcePolicy": policy,
    });
    machine.call("CreateTable", definition).await.unwrap();
    let arn = json!({ "ResourceArn": HASH.replace("hash", "made") });
    let kept = machine.call("GetResourcePolicy", arn).await.unwrap();
    assert!(kept["Policy"].as_str().unwrap().starts_with("{\"Version\":\"2008-10-17\""), "{kept}");
    machine.call("DeleteTable", json!({ "TableName": "made" })).await.unwrap();
    machine.work_until(entries).await;
}

#[tokio::test]
async fn accounts_have_limits_and_an_endpoint() {
    let machine = Machine::with_tables("S").await;
    let limits = json!({
        "AccountMaxReadCapacityUnits": 80_000,
        "AccountMaxWriteCapacityUnits": 80_000,
        "TableMaxReadCapacityUnits": 40_000,
        "TableMaxWriteCapacityUnits": 40_000,
    });
    machine.check("DescribeLimits", json!({}), limits).await;
    let endpoint = json!({ "Address": "localhost:4566", "CachePeriodInMinutes": 1_440 });
    machine.check("DescribeEndpoints", json!({}), json!({ "Endpoints": [endpoint] })).await;
    let off = json!({ "TableName": "hash", "ContributorInsightsStatus": "DISABLED" });
    let table = json!({ "TableName": "hash" });
    machine.check("DescribeContributorInsights", table.clone(), off.clone()).await;
    let switch = |action: &str| json!({ "TableName": "hash", "ContributorInsightsAction": action });
    machine.check("UpdateContributorInsights", switch("DISABLE"), off).await;
    let refused = "NotImplemented: dynamodb.UpdateContributorInsights with \
                   ContributorInsightsAction ENABLE is not served";
    machine.check("UpdateContributorInsights", switch("ENABLE"), json!(refused)).await;
    let none = json!({ "ContributorInsightsSummaries": [] });
    machine.check("ListContributorInsights", json!({}), none).await;
    let none = json!({ "TableName": "hash", "KinesisDataStreamDestinations": [] });
    machine.check("DescribeKinesisStreamingDestination", table, none).await;
    for operation in [
        "EnableKinesisStreamingDestination",
        "CreateGlobalTable",
        "ExportTableToPointInTime",
        "ImportTable",
    ] {
        let refused = format!("UnknownOperationException: dynamodb.{operation} is not served");
        machine.check(operation, json!({}), json!(refused)).await;
    }
}
