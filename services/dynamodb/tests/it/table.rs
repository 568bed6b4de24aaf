use serde_json::json;

use crate::Machine;

fn definition(name: &str) -> serde_json::Value {
    json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{ "AttributeName": "a", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "a", "KeyType": "HASH" }],
    })
}

#[tokio::test]
async fn a_table_comes_and_goes() {
    let machine = Machine::new().await;
    let created = machine.call("CreateTable", definition("abc")).await.unwrap();
    assert_eq!(created["TableDescription"]["TableStatus"], "CREATING");
    let described = machine.call("DescribeTable", json!({ "TableName": "abc" })).await.unwrap();
    let mut table = described["Table"].clone();
    let id = table.as_object_mut().unwrap().remove("TableId").unwrap();
    assert_eq!(id, created["TableDescription"]["TableId"]);
    assert_eq!(
        table,
        json!({
            "TableName": "abc",
            "TableArn": "arn:aws:dynamodb:us-east-1:000000000000:table/abc",
            "TableStatus": "ACTIVE",
            "CreationDateTime": 1_700_000_000.0,
            "AttributeDefinitions": [{ "AttributeName": "a", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "a", "KeyType": "HASH" }],
            "ProvisionedThroughput":
                { "NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0 },
            "BillingModeSummary": {
                "BillingMode": "PAY_PER_REQUEST",
                "LastUpdateToPayPerRequestDateTime": 1_700_000_000.0,
            },
            "TableThroughputModeSummary": {
                "TableThroughputMode": "PAY_PER_REQUEST",
                "LastUpdateToPayPerRequestDateTime": 1_700_000_000.0,
            },
            "WarmThroughput": {
                "ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000, "Status": "ACTIVE",
            },
            "DeletionProtectionEnabled": false,
            "ItemCount": 0,
            "TableSizeBytes": 0,
        })
    );
    let exists = json!("ResourceInUseException: Table already exists: abc");
    machine.check("CreateTable", definition("abc"), exists).await;
    let by_arn = json!({ "TableName": "arn:aws:dynamodb:us-east-1:000000000000:table/abc" });
    let deleted = machine.call("DeleteTable", by_arn).await.unwrap();
    let told = &deleted["TableDescription"];
    assert_eq!(told["TableStatus"], "DELETING");
    for left_out in ["AttributeDefinitions", "KeySchema", "CreationDateTime"] {
        assert!(told[left_out].is_null(), "{left_out}");
    }
    let gone = "ResourceNotFoundException: Requested resource not found: Table: abc not found";
    machine.check("DescribeTable", json!({ "TableName": "abc" }), json!(gone)).await;
    machine.check("DeleteTable", json!({ "TableName": "abc" }), json!(gone)).await;
}

#[tokio::test]
async fn items_go_with_their_table() {
    let machine = Machine::with_tables("S").await;
    for n in 0..1_200 {
        machine.put("hash", json!({ "a": { "S": n.to_string() } })).await;
    }
    machine.put("range", json!({ "a": { "S": "x" }, "b": { "S": "y" } })).await;
    machine.call("DeleteTable", json!({ "TableName": "hash" })).await.unwrap();
    // The same name is another table at once.
    machine.call("CreateTable", definition("hash")).await.unwrap();
    assert!(machine.get("hash", json!({ "a": { "S": "1" } })).await.is_null());
    machine.put("hash", json!({ "a": { "S": "new" } })).await;
    // Two tables and an item in each are left.
    machine.work_until(4).await;
    assert!(!machine.get("hash", json!({ "a": { "S": "new" } })).await.is_null());
}

#[tokio::test]
async fn a_protected_table_stays() {
    let machine = Machine::new().await;
    let mut input = definition("abc");
    input["DeletionProtectionEnabled"] = json!(true);
    input["Tags"] = json!([{ "Key": "team", "Value": "shop" }]);
    machine.call("CreateTable", input).await.unwrap();
    machine
        .check_invalid(
            "DeleteTable",
            json!({ "TableName": "abc" }),
            "Resource cannot be deleted as it is currently protected against deletion. Disable \
             deletion protection first.",
        )
        .await;
    machine
        .check(
            "ListTagsOfResource",
            json!({ "ResourceArn": "arn:aws:dynamodb:us-east-1:000000000000:table/abc" }),
            json!({ "Tags": [{ "Key": "team", "Value": "shop" }] }),
        )
        .await;
    let unprotected = json!({ "TableName": "abc", "DeletionProtectionEnabled": false });
    machine.call("UpdateTable", unprotected).await.unwrap();
    let change = json!({
        "TableName": "abc",
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": { "ReadCapacityUnits": 5, "WriteCapacityUnits": 6 },
    });
    let changed = machine.call("UpdateTable", change).await.unwrap();
    let changed = &changed["TableDescription"];
    assert_eq!(changed["BillingModeSummary"]["BillingMode"], "PROVISIONED");
    assert_eq!(changed["ProvisionedThroughput"]["WriteCapacityUnits"], 6);
    for (change, wanted) in [
        (
            json!({}),
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, \
             GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required",
        ),
        (
            json!({ "BillingMode": "PROVISIONED" }),
            "One or more parameter values were invalid: ProvisionedThroughput must be specified \
             when BillingMode is PROVISIONED",
        ),
        (
            json!({ "ProvisionedThroughput": {
                "ReadCapacityUnits": 5, "WriteCapacityUnits": 1_000_000_000_001u64,
            } }),
            "Given value 1000000000001 for WriteCapacityUnits is out of bounds",
        ),
        (
            json!({ "ProvisionedThroughput": { "ReadCapacityUnits": 5, "WriteCapacityUnits": 6 } }),
            "The provisioned throughput for the table will not change. The requested value equals \
             the current value. Current ReadCapacityUnits provisioned for the table: 5. Requested \
             ReadCapacityUnits: 5. Current WriteCapacityUnits provisioned for the table: 6. \
             Requested WriteCapacityUnits: 6. Refer to the Amazon DynamoDB Developer Guide for \
             current limits and how to request higher limits.",
        ),
    ] {
        let mut change = change;
        change["TableName"] = json!("abc");
        machine.check_invalid("UpdateTable", change, wanted).await;
    }
    machine.call("DeleteTable", json!({ "TableName": "abc" })).await.unwrap();
}

#[tokio::test]
async fn tables_are_listed_in_pages() {
    let machine = Machine::new().await;
    for name in ["beta", "alpha", "gamma"] {
        machine.call("CreateTable", definition(name)).await.unwrap();
    }
    let all = json!({ "TableNames": ["alpha", "beta", "gamma"] });
    machine.check("ListTables", json!({}), all).await;
    let first = json!({ "TableNames": ["alpha", "beta"], "LastEvaluatedTableName": "beta" });
    machine.check("ListTables", json!({ "Limit": 2 }), first).await;
    let rest = json!({ "TableNames": ["gamma"] });
    let input = json!({ "Limit": 1, "ExclusiveStartTableName": "beta" });
    machine.check("ListTables", input, rest).await;
    machine
        .check_invalid(
            "ListTables",
            json!({ "ExclusiveStartTableName": "a;", "Limit": 101 }),
            "3 validation errors detected: Value 'a;' at 'exclusiveStartTableName' failed to \
             satisfy constraint: Member must satisfy regular expression pattern: \
             [a-zA-Z0-9_.-]+; Value 'a;' at 'exclusiveStartTableName' failed to satisfy \
             constraint: Member must have length greater than or equal to 3; Value '101' at \
             'limit' failed to satisfy constraint: Member must have value less than or equal to \
             100",
        )
        .await;
}

#[tokio::test]
async fn what_cannot_be_a_table_is_refused() {
    let machine = Machine::new().await;
    let with = |member: &str, value: serde_json::Value| {
        let mut input = definition("abc");
        input[member] = value;
        input
    };
    for (member, value) in [("VectorIndexes", json!([{ "IndexName": "abc" }]))] {
        let wanted = format!("NotImplemented: dynamodb.CreateTable with {member} is not served");
        machine.check("CreateTable", with(member, value), json!(wanted)).await;
    }
    let invalid = "One or more parameter values were invalid: ";
    let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
    for (input, wanted) in [
        (
            json!({}),
            "The parameter 'TableName' is required but was not present in the request".to_owned(),
        ),
        (
            with("TableName", json!("ab")),
            "TableName must be at least 3 characters long and at most 255 characters long"
                .to_owned(),
        ),
        (
            with("BillingMode", json!("PROVISIONED")),
            format!(
                "{invalid}ReadCapacityUnits and WriteCapacityUnits must both be specified when \
                 BillingMode is PROVISIONED"
            ),
        ),
        (
            with("KeySchema", json!([key("a", "RANGE")])),
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type".to_owned(),
        ),
        (
            with("KeySchema", json!([key("b", "HASH")])),
            format!(
                "{invalid}Some index key attributes are not defined in AttributeDefinitions. \
                 Keys: [b], AttributeDefinitions: [a]"
            ),
        ),
        (
            with("KeySchema", json!([key("a", "HASH"), key("b", "RANGE")])),
            "Invalid KeySchema: Some index key attribute have no definition".to_owned(),
        ),
        (
            with("AttributeDefinitions", json!([{ "AttributeName": "a", "AttributeType": "SS" }])),
            "1 validation error detected: Value 'SS' at \
             'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: Member \
             must satisfy enum value set: [B, N, S]"
                .to_owned(),
        ),
    ] {
        machine.check_invalid("CreateTable", input, &wanted).await;
    }
    machine.check("ListTables", json!({}), json!({ "TableNames": [] })).await;
}
