use serde_json::{Value, json};

use crate::Machine;

pub(crate) fn definitions(names: &[&str]) -> Value {
    let kind = |name: &str| if name == "n" { "N" } else { "S" };
    let one = |name: &&str| json!({ "AttributeName": name, "AttributeType": kind(name) });
    names.iter().map(one).collect()
}

pub(crate) fn keys(names: &[&str]) -> Value {
    let kinds = ["HASH", "RANGE"];
    let element = |(name, kind): (&&str, &str)| json!({ "AttributeName": name, "KeyType": kind });
    names.iter().zip(kinds).map(element).collect()
}

pub(crate) fn index(name: &str, of: &[&str], projection: Value) -> Value {
    json!({ "IndexName": name, "KeySchema": keys(of), "Projection": projection })
}

pub(crate) fn all() -> Value {
    json!({ "ProjectionType": "ALL" })
}

pub(crate) fn keys_only() -> Value {
    json!({ "ProjectionType": "KEYS_ONLY" })
}

pub(crate) fn include(names: &[&str]) -> Value {
    json!({ "ProjectionType": "INCLUDE", "NonKeyAttributes": names })
}

/// A table with the keys `a` and `b`, the local indexes `byC` (`c`, all) and `byN` (`n`, with `x`),
/// and the global indexes `hashC` (`c`, keys only) and `rangeCN` (`c`, `n`, with `x`).
pub(crate) fn definition() -> Value {
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

pub(crate) async fn machine() -> Machine {
    let machine = Machine::new().await;
    machine.call("CreateTable", definition()).await.unwrap();
    machine
}

pub(crate) fn item(a: &str, b: &str, c: &str, n: i32) -> Value {
    json!({ "a": { "S": a }, "b": { "S": b }, "c": { "S": c }, "n": { "N": n.to_string() },
        "x": { "S": "x" }, "y": { "S": "y" } })
}

pub(crate) fn query(index: &str, condition: &str, values: Value) -> Value {
    json!({ "TableName": "abc", "IndexName": index, "KeyConditionExpression": condition,
        "ExpressionAttributeValues": values })
}

/// The values of `b` of what a query or scan finds, page by page of `limit` items.
pub(crate) async fn found(
    machine: &Machine,
    operation: &str,
    mut input: Value,
    limit: usize,
) -> String {
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
