//! Indexes as a part of tables: described, made, changed, taken away, refused.

use serde_json::{Value, json};

use crate::Machine;
use crate::index::{
    all, definition, definitions, found, include, index, item, keys, keys_only, machine, query,
};

#[tokio::test]
async fn a_table_describes_its_indexes() {
    let machine = Machine::new().await;
    let created = machine.call("CreateTable", definition()).await.unwrap();
    let globals = &created["TableDescription"]["GlobalSecondaryIndexes"];
    assert_eq!(globals[0]["IndexStatus"], "CREATING");
    let table = machine.call("DescribeTable", json!({ "TableName": "abc" })).await.unwrap();
    let table = &table["Table"];
    assert_eq!(table["AttributeDefinitions"], definitions(&["a", "b", "c", "n"]));
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/abc/index";
    assert_eq!(
        table["LocalSecondaryIndexes"][1],
        json!({
            "IndexName": "byN", "KeySchema": keys(&["a", "n"]), "Projection": include(&["x"]),
            "IndexSizeBytes": 0, "ItemCount": 0, "IndexArn": format!("{arn}/byN"),
        })
    );
    assert_eq!(
        table["GlobalSecondaryIndexes"][0],
        json!({
            "IndexName": "hashC", "KeySchema": keys(&["c"]), "Projection": keys_only(),
            "IndexStatus": "ACTIVE", "IndexSizeBytes": 0, "ItemCount": 0,
            "IndexArn": format!("{arn}/hashC"),
            "ProvisionedThroughput":
                { "NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0 },
            "WarmThroughput": {
                "ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000, "Status": "ACTIVE",
            },
        })
    );
}

fn update(changes: Value) -> Value {
    json!({ "TableName": "range", "GlobalSecondaryIndexUpdates": changes,
        "AttributeDefinitions": definitions(&["c", "b"]) })
}

async fn status(machine: &Machine) -> Value {
    let reply = machine.call("DescribeTable", json!({ "TableName": "range" })).await.unwrap();
    reply["Table"]["GlobalSecondaryIndexes"][0]["IndexStatus"].clone()
}

#[tokio::test]
async fn an_index_is_added_to_a_table_with_items_and_taken_away() {
    let machine = Machine::with_tables("S").await;
    let with = |a: &str, b: usize, c: &str| json!({ "a": { "S": a }, "b": { "S": format!("{b:03}") }, "c": { "S": c } });
    for b in 0..120 {
        machine.put("range", with("p", b, "old")).await;
    }
    let mut large = with("p", 120, "old");
    large["x"] = json!({ "S": "x".repeat(70_000) });
    machine.put("range", large.clone()).await;
    // One that cannot be in the index.
    let strange = json!({ "a": { "S": "p" }, "b": { "S": "n" }, "c": { "N": "1" } });
    machine.put("range", strange).await;
    let entries = machine.entries().await;

    let create = update(json!([{ "Create": index("byC", &["c", "b"], all()) }]));
    let reply = machine.call("UpdateTable", create.clone()).await.unwrap();
    let table = &reply["TableDescription"];
    assert_eq!(table["TableStatus"], "UPDATING");
    assert_eq!(table["GlobalSecondaryIndexes"][0]["IndexStatus"], "CREATING");
    assert_eq!(table["GlobalSecondaryIndexes"][0]["Backfilling"], true);
    // Writes go on: before it is filled, entries come and go with the items.
    machine.put("range", with("p", 0, "new")).await;
    machine.put("range", with("p", 500, "old")).await;
    let gone = json!({ "TableName": "range", "Key": { "a": { "S": "p" }, "b": { "S": "001" } } });
    machine.call("DeleteItem", gone).await.unwrap();
    let mut old = query("byC", "c = :c", json!({ ":c": { "S": "old" } }));
    old["TableName"] = json!("range");
    let filling = "Cannot read from backfilling global secondary index: byC";
    machine.check_invalid("Query", old.clone(), filling).await;
    let in_use = "ResourceInUseException: Attempt to change a resource which is still in use: ";
    let wanted = format!("{in_use}Index is being created.  Table: range Index: byC");
    machine.check("UpdateTable", create.clone(), json!(wanted)).await;
    let second = update(json!([{ "Create": index("second", &["c"], all()) }]));
    let one = "LimitExceededException: Subscriber limit exceeded: Only 1 online index can be \
               created or deleted simultaneously per table";
    machine.check("UpdateTable", second, json!(one)).await;
    let wanted = format!(
        "{in_use}Cannot delete table while indexes are being created, updated, or deleted."
    );
    machine.check("DeleteTable", json!({ "TableName": "range" }), json!(wanted)).await;

    // 121 items with a `c` are there, so are their entries, and the blob's second holder.
    machine.work_until(entries + 121).await;
    assert_eq!(status(&machine).await, "ACTIVE");
    let wanted: Vec<String> = (2..=120).chain([500]).map(|b| format!("{b:03}")).collect();
    old["ReturnConsumedCapacity"] = json!("TOTAL");
    assert_eq!(found(&machine, "Query", old.clone(), 50).await, wanted.join(" "));
    let exists = "Attempting to create an index which already exists";
    machine.check_invalid("UpdateTable", create, exists).await;

    let delete = update(json!([{ "Delete": { "IndexName": "byC" } }]));
    let reply = machine.call("UpdateTable", delete.clone()).await.unwrap();
    let described = &reply["TableDescription"]["GlobalSecondaryIndexes"][0];
    assert_eq!(described["IndexStatus"], "DELETING");
    let missing = "The table does not have the specified index: byC";
    machine.check_invalid("Query", old, missing).await;
    machine.put("range", with("p", 501, "old")).await;
    machine.work_until(entries + 1).await;
    assert_eq!(status(&machine).await, Value::Null);
    let gone = "ResourceNotFoundException: Requested resource not found: Index byC for table range";
    machine.check("UpdateTable", delete, json!(gone)).await;
    // The blob is still the item's.
    let key = json!({ "a": { "S": "p" }, "b": { "S": "120" } });
    assert_eq!(machine.get("range", key).await, large);
}

#[tokio::test]
async fn items_and_entries_are_counted() {
    let machine = machine().await;
    for b in 0..100 {
        machine.put("abc", item("p", &b.to_string(), "u", b)).await;
    }
    machine.put("abc", json!({ "a": { "S": "p" }, "b": { "S": "none" } })).await;
    let counts = || async {
        let table = machine.call("DescribeTable", json!({ "TableName": "abc" })).await.unwrap();
        let of_index = &table["Table"]["GlobalSecondaryIndexes"][0];
        let bytes = [&table["Table"]["TableSizeBytes"], &of_index["IndexSizeBytes"]];
        assert!(bytes[0].as_u64() >= bytes[1].as_u64(), "{bytes:?}");
        let items = [&table["Table"]["ItemCount"], &of_index["ItemCount"]];
        items.map(|count| count.as_u64().unwrap())
    };
    assert_eq!(counts().await, [0, 0]);
    machine.tick("count").await;
    assert_eq!(counts().await, [101, 100]);
    let gone = json!({ "TableName": "abc", "Key": { "a": { "S": "p" }, "b": { "S": "1" } } });
    machine.call("DeleteItem", gone).await.unwrap();
    machine.tick("count").await;
    assert_eq!(counts().await, [101, 100]);
    machine.advance(61);
    machine.tick("count").await;
    assert_eq!(counts().await, [100, 99]);
}

#[tokio::test]
async fn a_batch_of_large_items_with_many_indexes_is_written() {
    let machine = Machine::new().await;
    let indexes: Vec<Value> = (0..20).map(|n| index(&format!("index{n}"), &["c"], all())).collect();
    let input = json!({
        "TableName": "abc",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": definitions(&["a", "c"]),
        "KeySchema": keys(&["a"]),
        "GlobalSecondaryIndexes": indexes,
    });
    machine.call("CreateTable", input).await.unwrap();
    let put = |n: usize| {
        json!({ "PutRequest": { "Item": { "a": { "S": n.to_string() }, "c": { "S": "c" },
            "x": { "S": "x".repeat(60_000) } } } })
    };
    let puts: Vec<Value> = (0..25).map(put).collect();
    let input = json!({ "RequestItems": { "abc": puts } });
    machine.call("BatchWriteItem", input).await.unwrap();
    let mut scan = json!({ "TableName": "abc", "IndexName": "index19", "Select": "COUNT" });
    let page = machine.call("Scan", scan.clone()).await.unwrap();
    scan["ExclusiveStartKey"] = page["LastEvaluatedKey"].clone();
    let rest = machine.call("Scan", scan).await.unwrap();
    assert_eq!(page["Count"].as_u64().unwrap() + rest["Count"].as_u64().unwrap(), 25);
}

#[tokio::test]
async fn indexes_go_with_their_table() {
    let machine = machine().await;
    for b in 0..20 {
        machine.put("abc", item("p", &b.to_string(), "u", b)).await;
    }
    machine.call("DeleteTable", json!({ "TableName": "abc" })).await.unwrap();
    machine.work_until(0).await;
}

#[tokio::test]
async fn throughput_of_an_index_is_its_own() {
    let machine = Machine::new().await;
    let units = |n: u64| json!({ "ReadCapacityUnits": n, "WriteCapacityUnits": n });
    let mut input = json!({
        "TableName": "abc",
        "AttributeDefinitions": definitions(&["a", "c"]),
        "KeySchema": keys(&["a"]),
        "ProvisionedThroughput": units(5),
        "GlobalSecondaryIndexes": [index("byC", &["c"], all())],
    });
    let invalid = "One or more parameter values were invalid: ";
    let lacking = format!("{invalid}ProvisionedThroughput must be specified for index: byC");
    machine.check_invalid("CreateTable", input.clone(), &lacking).await;
    input["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"] = units(7);
    machine.call("CreateTable", input).await.unwrap();
    let change = |n: u64| {
        json!({ "TableName": "abc", "GlobalSecondaryIndexUpdates": [
            { "Update": { "IndexName": "byC", "ProvisionedThroughput": units(n) } }] })
    };
    let reply = machine.call("UpdateTable", change(8)).await.unwrap();
    let described = &reply["TableDescription"];
    assert_eq!(described["ProvisionedThroughput"]["ReadCapacityUnits"], 5);
    let of_index = &described["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"];
    assert_eq!(of_index["ReadCapacityUnits"], 8);
    let same = machine.call("UpdateTable", change(8)).await.unwrap_err();
    assert!(same.contains("throughput for the index byC will not change"), "{same}");
    let on_demand = json!({ "TableName": "abc", "BillingMode": "PAY_PER_REQUEST" });
    machine.call("UpdateTable", on_demand).await.unwrap();
    let mut back = json!({ "TableName": "abc", "BillingMode": "PROVISIONED" });
    back["ProvisionedThroughput"] = units(1);
    machine.check_invalid("UpdateTable", back.clone(), &lacking).await;
    back["GlobalSecondaryIndexUpdates"] = change(2)["GlobalSecondaryIndexUpdates"].clone();
    machine.call("UpdateTable", back).await.unwrap();
}

/// The definition with these indexes.
fn with(locals: Value, globals: Value) -> Value {
    let mut input = definition();
    input["LocalSecondaryIndexes"] = locals;
    input["GlobalSecondaryIndexes"] = globals;
    input
}

#[tokio::test]
async fn what_cannot_be_an_index_is_refused() {
    let machine = Machine::new().await;
    let local =
        |of: &[&str], projection: Value| with(json!([index("abc", of, projection)]), json!(null));
    let invalid = "One or more parameter values were invalid: ";
    let named = |count: usize, prefix: &str| -> Vec<String> {
        (0..count).map(|n| format!("{prefix}{n}")).collect()
    };
    let names = named(51, "attribute");
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let many = |count: usize| -> Value {
        named(count, "index").iter().map(|name| index(name, &["c", "n"], all())).collect()
    };
    for (input, wanted) in [
        (
            local(&["a", "d"], all()),
            "Some index key attributes are not defined in \
          AttributeDefinitions. Keys: [a, d], AttributeDefinitions: [a, b, c, n]",
        ),
        (local(&["a"], all()), "Index KeySchema does not have a range key for index: abc"),
        (
            local(&["c", "n"], all()),
            "Index KeySchema does not have the same leading hash key as \
          table KeySchema for index: abc. index hash key: c, table hash key: a",
        ),
        (local(&["a", "c"], json!({})), "Unknown ProjectionType: null"),
        (
            local(&["a", "c"], json!({ "ProjectionType": "INCLUDE" })),
            "ProjectionType is INCLUDE, but NonKeyAttributes is not specified",
        ),
        (
            local(&["a", "c"], json!({ "ProjectionType": "ALL", "NonKeyAttributes": ["x"] })),
            "ProjectionType is ALL, but NonKeyAttributes is specified",
        ),
        (
            local(&["a", "c"], all()),
            "Some AttributeDefinitions are not used. \
          AttributeDefinitions: [a, b, c, n], keys used: [a, b, c]",
        ),
        (
            with(json!([index("abc", &["a", "c"], all())]), json!([index("abc", &["n"], all())])),
            "Duplicate index name: abc",
        ),
        (
            with(json!(null), many(21)),
            "GlobalSecondaryIndex count exceeds the per-table limit of 20",
        ),
        (
            with(
                json!([index("abc", &["a", "c"], include(&names))]),
                json!([index("abd", &["n"], include(&names))]),
            ),
            "Total number of attributes specified to be projected exceeds the per-table limit of 100",
        ),
    ] {
        machine.check_invalid("CreateTable", input, &format!("{invalid}{wanted}")).await;
    }
}

#[tokio::test]
async fn what_the_model_says_against_an_index_comes_first() {
    let machine = Machine::new().await;
    let short = with(json!([index("l", &["a"], all())]), json!([index("g", &["c"], all())]));
    let at = |name: &str, at: &str| {
        format!(
            "Value '{name}' at '{at}.1.member.indexName' failed to satisfy constraint: Member \
             must have length greater than or equal to 3"
        )
    };
    let wanted = format!(
        "2 validation errors detected: {}; {}",
        at("g", "globalSecondaryIndexes"),
        at("l", "localSecondaryIndexes")
    );
    machine.check_invalid("CreateTable", short, &wanted).await;
    let mut unserved = with(json!(null), json!([index("abc", &["c"], all())]));
    unserved["GlobalSecondaryIndexes"][0]["OnDemandThroughput"] =
        json!({ "MaxReadRequestUnits": 1 });
    let wanted = "NotImplemented: dynamodb.CreateTable with OnDemandThroughput is not served";
    machine.check("CreateTable", unserved, json!(wanted)).await;
}
