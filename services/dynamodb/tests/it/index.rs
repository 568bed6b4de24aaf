use std::time::Duration;

use serde_json::{Value, json};

use crate::Machine;

fn definitions(names: &[&str]) -> Value {
    let kind = |name: &str| if name == "n" { "N" } else { "S" };
    let one = |name: &&str| json!({ "AttributeName": name, "AttributeType": kind(name) });
    names.iter().map(one).collect()
}

fn keys(names: &[&str]) -> Value {
    let kinds = ["HASH", "RANGE"];
    let element = |(name, kind): (&&str, &str)| json!({ "AttributeName": name, "KeyType": kind });
    names.iter().zip(kinds).map(element).collect()
}

fn index(name: &str, of: &[&str], projection: Value) -> Value {
    json!({ "IndexName": name, "KeySchema": keys(of), "Projection": projection })
}

fn all() -> Value {
    json!({ "ProjectionType": "ALL" })
}

fn keys_only() -> Value {
    json!({ "ProjectionType": "KEYS_ONLY" })
}

fn include(names: &[&str]) -> Value {
    json!({ "ProjectionType": "INCLUDE", "NonKeyAttributes": names })
}

/// A table with the keys `a` and `b`, the local indexes `byC` (`c`, all) and `byN` (`n`, with `x`),
/// and the global indexes `hashC` (`c`, keys only) and `rangeCN` (`c`, `n`, with `x`).
fn definition() -> Value {
    json!({
        "TableName": "abc",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": definitions(&["a", "b", "c", "n"]),
        "KeySchema": keys(&["a", "b"]),
        "LocalSecondaryIndexes":
            [index("byC", &["a", "c"], all()), index("byN", &["a", "n"], include(&["x"]))],
        "GlobalSecondaryIndexes":
            [index("hashC", &["c"], keys_only()), index("rangeCN", &["c", "n"], include(&["x"]))],
    })
}

async fn machine() -> Machine {
    let machine = Machine::new().await;
    machine.call("CreateTable", definition()).await.unwrap();
    machine
}

fn item(a: &str, b: &str, c: &str, n: i32) -> Value {
    json!({ "a": { "S": a }, "b": { "S": b }, "c": { "S": c }, "n": { "N": n.to_string() },
        "x": { "S": "x" }, "y": { "S": "y" } })
}

fn query(index: &str, condition: &str, values: Value) -> Value {
    json!({ "TableName": "abc", "IndexName": index, "KeyConditionExpression": condition,
        "ExpressionAttributeValues": values })
}

/// The values of `b` of what a query or scan finds, page by page of `limit` items.
async fn found(machine: &Machine, operation: &str, mut input: Value, limit: usize) -> String {
    input["Limit"] = json!(limit);
    let mut found = Vec::new();
    loop {
        let page = machine.call(operation, input.clone()).await.unwrap();
        let items = page["Items"].as_array().unwrap();
        found.extend(items.iter().map(|item| item["b"]["S"].as_str().unwrap().to_owned()));
        match page.get("LastEvaluatedKey") {
            Some(key) => input["ExclusiveStartKey"] = key.clone(),
            None => return found.join(" "),
        }
    }
}

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
        })
    );
}

#[tokio::test]
async fn indexes_are_read_in_order_and_in_pages() {
    let machine = machine().await;
    for (a, b, c, n) in
        [("p", "1", "u", 3), ("p", "2", "u", -1), ("q", "3", "u", 20), ("p", "4", "v", 2)]
    {
        machine.put("abc", item(a, b, c, n)).await;
    }
    // Sparse: without a key of the index there is no entry.
    machine.put("abc", json!({ "a": { "S": "p" }, "b": { "S": "5" }, "c": { "S": "u" } })).await;
    let of_c = json!({ ":c": { "S": "u" } });
    for limit in 1..5 {
        let input = query("rangeCN", "c = :c", of_c.clone());
        assert_eq!(found(&machine, "Query", input.clone(), limit).await, "2 1 3");
        let mut back = input.clone();
        back["ScanIndexForward"] = json!(false);
        assert_eq!(found(&machine, "Query", back, limit).await, "3 1 2");
        let mut ties: Vec<String> =
            found(&machine, "Query", query("hashC", "c = :c", of_c.clone()), limit)
                .await
                .split(' ')
                .map(str::to_owned)
                .collect();
        ties.sort();
        assert_eq!(ties, ["1", "2", "3", "5"]);
        let of_a = json!({ ":a": { "S": "p" } });
        let local = query("byN", "a = :a", of_a.clone());
        assert_eq!(found(&machine, "Query", local, limit).await, "2 4 1");
        let scan = json!({ "TableName": "abc", "IndexName": "byN" });
        assert_eq!(found(&machine, "Scan", scan, limit).await.split(' ').count(), 4);
    }
    for (test, low, wanted) in [
        ("n = :n", 3, "1"),
        ("n < :n", 3, "2"),
        ("n <= :n", 3, "2 1"),
        ("n > :n", 3, "3"),
        ("n >= :n", 3, "1 3"),
        ("n BETWEEN :n AND :n", 20, "3"),
    ] {
        let values = json!({ ":c": { "S": "u" }, ":n": { "N": low.to_string() } });
        let input = query("rangeCN", &format!("c = :c AND {test}"), values);
        assert_eq!(found(&machine, "Query", input, 10).await, wanted, "{test}");
    }
    let values = json!({ ":a": { "S": "p" }, ":c": { "S": "u" } });
    let mut input = query("byC", "a = :a AND begins_with(c, :c)", values);
    input["ConsistentRead"] = json!(true);
    assert_eq!(found(&machine, "Query", input, 10).await.split(' ').count(), 3);
}

#[tokio::test]
async fn entries_have_what_is_projected() {
    let machine = machine().await;
    machine.put("abc", item("p", "1", "u", 3)).await;
    let of_c = json!({ ":c": { "S": "u" } });
    let mut keys = item("p", "1", "u", 3);
    for name in ["n", "x", "y"] {
        keys.as_object_mut().unwrap().remove(name);
    }
    let reply = machine.call("Query", query("hashC", "c = :c", of_c.clone())).await.unwrap();
    assert_eq!(reply["Items"], json!([keys]));
    let mut with_x = item("p", "1", "u", 3);
    with_x.as_object_mut().unwrap().remove("y");
    let reply = machine.call("Query", query("rangeCN", "c = :c", of_c.clone())).await.unwrap();
    assert_eq!(reply["Items"], json!([with_x]));
    // A filter sees what the index has.
    let mut filtered = query("rangeCN", "c = :c", of_c.clone());
    filtered["FilterExpression"] = json!("attribute_exists(y)");
    let reply = machine.call("Query", filtered).await.unwrap();
    assert_eq!(reply, json!({ "Items": [], "Count": 0, "ScannedCount": 1 }));

    // A local index fetches what it lacks, a global one does not.
    let mut local = query("byN", "a = :a", json!({ ":a": { "S": "p" } }));
    local["ReturnConsumedCapacity"] = json!("INDEXES");
    let reply = machine.call("Query", local.clone()).await.unwrap();
    with_x.as_object_mut().unwrap().remove("c");
    assert_eq!(reply["Items"], json!([with_x]));
    local["Select"] = json!("ALL_ATTRIBUTES");
    let reply = machine.call("Query", local.clone()).await.unwrap();
    assert_eq!(reply["Items"], json!([item("p", "1", "u", 3)]));
    assert_eq!(
        reply["ConsumedCapacity"],
        json!({ "TableName": "abc", "CapacityUnits": 1.0, "Table": { "CapacityUnits": 0.5 },
            "LocalSecondaryIndexes": { "byN": { "CapacityUnits": 0.5 } } })
    );
    local.as_object_mut().unwrap().remove("Select");
    local["ProjectionExpression"] = json!("y");
    let reply = machine.call("Query", local).await.unwrap();
    assert_eq!(reply["Items"], json!([{ "y": { "S": "y" } }]));

    let invalid = "One or more parameter values were invalid: ";
    let mut global = query("rangeCN", "c = :c", of_c.clone());
    global["ProjectionExpression"] = json!("y, z.w, x");
    let wanted = format!("{invalid}Global secondary index rangeCN does not project [y, z]");
    machine.check_invalid("Query", global.clone(), &wanted).await;
    global.as_object_mut().unwrap().remove("ProjectionExpression");
    global["Select"] = json!("ALL_ATTRIBUTES");
    let wanted = format!(
        "{invalid}Select type ALL_ATTRIBUTES is not supported for global secondary index rangeCN \
         because its projection type is not ALL"
    );
    machine.check_invalid("Query", global.clone(), &wanted).await;
    global["Select"] = json!("ALL_PROJECTED_ATTRIBUTES");
    assert_eq!(machine.call("Query", global.clone()).await.unwrap()["Count"], 1);
    global["ConsistentRead"] = json!(true);
    let wanted = "Consistent reads are not supported on global secondary indexes";
    machine.check_invalid("Query", global, wanted).await;
    let wanted = "The table does not have the specified index: byNone";
    machine.check_invalid("Query", query("byNone", "c = :c", of_c), wanted).await;
}

#[tokio::test]
async fn a_write_counts_what_it_does_to_indexes() {
    let machine = machine().await;
    let capacity = |input: Value, operation: &'static str| {
        let machine = &machine;
        async move {
            let reply = machine.call(operation, input).await.unwrap();
            let used = &reply["ConsumedCapacity"];
            let mut text = used["CapacityUnits"].to_string();
            for of in ["LocalSecondaryIndexes", "GlobalSecondaryIndexes"] {
                for (name, units) in used[of].as_object().into_iter().flatten() {
                    text += &format!(" {name}:{}", units["CapacityUnits"]);
                }
            }
            text
        }
    };
    let put = |item: Value| json!({ "TableName": "abc", "Item": item, "ReturnConsumedCapacity": "INDEXES" });
    let first = item("p", "1", "u", 3);
    let all = "5.0 byC:1.0 byN:1.0 hashC:1.0 rangeCN:1.0";
    assert_eq!(capacity(put(first.clone()), "PutItem").await, all);
    // The same again changes no entry.
    assert_eq!(capacity(put(first.clone()), "PutItem").await, "1.0");
    let mut other = first.clone();
    other["y"] = json!({ "S": "other" });
    assert_eq!(capacity(put(other.clone()), "PutItem").await, "2.0 byC:1.0");
    // A new key of an index is a delete and a put.
    other["n"] = json!({ "N": "4" });
    let moved = "6.0 byC:1.0 byN:2.0 rangeCN:2.0";
    assert_eq!(capacity(put(other), "PutItem").await, moved);
    let key = json!({ "a": { "S": "p" }, "b": { "S": "1" } });
    let mut delete = json!({ "TableName": "abc", "Key": key });
    delete["ReturnConsumedCapacity"] = json!("INDEXES");
    delete["ReturnItemCollectionMetrics"] = json!("SIZE");
    assert_eq!(capacity(delete.clone(), "DeleteItem").await, all);
    let reply = machine.call("DeleteItem", delete).await.unwrap();
    assert_eq!(
        reply["ItemCollectionMetrics"],
        json!({ "ItemCollectionKey": { "a": { "S": "p" } }, "SizeEstimateRangeGB": [0.0, 1.0] })
    );
    let batch = json!({
        "RequestItems": { "abc": [{ "PutRequest": { "Item": first } }] },
        "ReturnConsumedCapacity": "INDEXES",
        "ReturnItemCollectionMetrics": "SIZE",
    });
    let reply = machine.call("BatchWriteItem", batch).await.unwrap();
    let used = &reply["ConsumedCapacity"][0];
    assert_eq!(used["CapacityUnits"], 5.0);
    assert_eq!(used["GlobalSecondaryIndexes"]["hashC"]["CapacityUnits"], 1.0);
    let key = &reply["ItemCollectionMetrics"]["abc"][0]["ItemCollectionKey"];
    assert_eq!(*key, json!({ "a": { "S": "p" } }));
}

#[tokio::test]
async fn keys_of_indexes_must_be_of_their_type() {
    let machine = machine().await;
    let mut bad = item("p", "1", "u", 3);
    bad["n"] = json!({ "S": "3" });
    let mismatch = "One or more parameter values were invalid: Type mismatch for Index Key n \
                    Expected: N Actual: S IndexName: rangeCN";
    machine.check_invalid("PutItem", json!({ "TableName": "abc", "Item": bad }), mismatch).await;
    let batch = json!({ "RequestItems": { "abc": [{ "PutRequest": { "Item": bad } }] } });
    machine.check_invalid("BatchWriteItem", batch, mismatch).await;
    let update = |expression: &str| {
        json!({ "TableName": "abc", "Key": { "a": { "S": "p" }, "b": { "S": "1" } },
            "UpdateExpression": expression, "ExpressionAttributeValues": { ":v": { "S": "3" } } })
    };
    machine.check_invalid("UpdateItem", update("SET n = :v"), mismatch).await;
    machine.put("abc", item("p", "1", "u", 3)).await;
    let unsupported = "The update expression attempted to update the secondary index key to \
                       unsupported type";
    let mut input = update("SET n = y, z = :v");
    machine.check_invalid("UpdateItem", input.clone(), unsupported).await;
    input["UpdateExpression"] = json!("SET c.d = :v");
    let scalar = "Key attributes must be scalars; list random access '[]' and map lookup '.' are \
                  not allowed: IndexKey: c";
    machine.check_invalid("UpdateItem", input.clone(), scalar).await;
    bad = item("p", "1", "", 3);
    let empty = "One or more parameter values are not valid. A value specified for a secondary \
                 index key is not supported. The AttributeValue for a key attribute cannot contain \
                 an empty string value. IndexName: hashC, IndexKey: c";
    machine.check_invalid("PutItem", json!({ "TableName": "abc", "Item": bad }), empty).await;
    bad = item("p", "1", &"c".repeat(1_025), 3);
    let long = "One or more parameter values were invalid: Aggregated size of all range keys has \
                exceeded the size limit of 1024 bytes";
    machine.check_invalid("PutItem", json!({ "TableName": "abc", "Item": bad }), long).await;
    // What was refused has changed nothing.
    let scan = json!({ "TableName": "abc", "IndexName": "rangeCN" });
    assert_eq!(machine.call("Scan", scan).await.unwrap()["Items"][0]["n"]["N"], "3");
}

#[tokio::test]
async fn start_keys_have_the_keys_of_table_and_index() {
    let machine = machine().await;
    let input = |start: Value| {
        let mut input = query("rangeCN", "c = :c", json!({ ":c": { "S": "u" } }));
        input["ExclusiveStartKey"] = start;
        input
    };
    let mut start = item("p", "1", "u", 3);
    for name in ["x", "y"] {
        start.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(machine.call("Query", input(start.clone())).await.unwrap()["Count"], 0);
    let invalid = "The provided starting key is invalid";
    let mut short = start.clone();
    short.as_object_mut().unwrap().remove("n");
    machine.check_invalid("Query", input(short.clone()), invalid).await;
    let scan = json!({ "TableName": "abc", "IndexName": "rangeCN", "ExclusiveStartKey": short });
    machine.check_invalid("Scan", scan, invalid).await;
    let mut typed = start.clone();
    typed["n"] = json!({ "S": "3" });
    let schema = "The provided key element does not match the schema";
    machine.check_invalid("Query", input(typed), schema).await;
    start["c"] = json!({ "S": "v" });
    let outside = "The provided starting key is outside query boundaries based on provided \
                   conditions";
    machine.check_invalid("Query", input(start), outside).await;
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
    machine.pass(Duration::from_secs(61));
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

#[tokio::test]
async fn what_cannot_be_an_index_is_refused() {
    let machine = Machine::new().await;
    let with = |locals: Value, globals: Value| {
        let mut input = definition();
        input["LocalSecondaryIndexes"] = locals;
        input["GlobalSecondaryIndexes"] = globals;
        input
    };
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
    let mut unserved = with(json!(null), many(1));
    unserved["GlobalSecondaryIndexes"][0]["OnDemandThroughput"] =
        json!({ "MaxReadRequestUnits": 1 });
    let wanted = "NotImplemented: dynamodb.CreateTable with OnDemandThroughput is not served";
    machine.check("CreateTable", unserved, json!(wanted)).await;
}
